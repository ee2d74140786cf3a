"""Brackets that keep a place for words, and texts that are samples of an answer."""

from __future__ import annotations

import pytest

from promptopt.structured.fields import PromptText
from promptopt.structured.infer import infer
from promptopt.structured.reasoning import task_of_reasoning


@pytest.mark.parametrize(
    "line",
    [
        '- Tasks: must follow the format "TASK: [what] | WHO: [name] | UNTIL: [date]"',
        'Each reply must have exactly this form: "STATUS: [open or closed] / NEXT: [what to do]"',
        'Output format: "[version] on [date]: [change]"',
        "Return every entry in this format:\nDay: [day] / Shop: [shop]",
    ],
)
def test_the_places_of_a_line_are_no_list(line: str) -> None:
    assert infer(f"Write the minutes of the meeting.\n\n{line}\n\n{{{{ transcript }}}}").fields == ()


@pytest.mark.parametrize("shown", ['["Aurora", "Boreas"]', '["<ship>", "<ship>"]', "[string]"])
def test_a_list_is_one(shown: str) -> None:
    (field,) = infer(f"Find the ships. Return a JSON array of strings:\n{shown}\n\n{{{{ text }}}}").fields
    assert field.schema == {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        pytest.param(
            '{"parts": [{"name": "Left mirror glass with heating", "is_spare": true, "use": "fits models of 2019"}]}',
            False,
            id="a truth value beside texts",
        ),
        pytest.param(
            '{"term": "acute inflammation of the left ear", "code": "H66.9", "seen_on": "2024-02-01"}',
            False,
            id="a code and a date beside texts",
        ),
        pytest.param(
            '{"title": "How to grow roses", "speaker": "Dr. Ada Holm of Kew", "minutes": 45}',
            False,
            id="one text that only sounds like an explanation",
        ),
        pytest.param(
            '{"reef": "Blue hole near Dahab", "depth": 40, "praise": "one nice sentence"}',
            True,
            id="a length, which no answer says of itself",
        ),
        pytest.param(
            '{"animal": "the species that was seen", "place": "where it was seen", "is_adult": true}',
            True,
            id="words on what belongs there",
        ),
    ],
)
def test_samples_of_texts_describe_nothing(form: str, *, kept: bool) -> None:
    found = infer(f"Read the note. Format:\n{form}\n\n{{{{ note }}}}")
    assert found.fields
    assert ("description" in str([field.schema for field in found.fields])) is kept


@pytest.mark.parametrize(
    "order",
    [
        'Explain your view first. Finish with your verdict in this format: "[[A]]" if A is better, "[[B]]" if not.',
        'Explain why, and finish with "Verdict: [[A]]" or "Verdict: [[B]]".',
    ],
)
def test_an_explanation_that_is_asked_for_first_comes_first(order: str) -> None:
    found = infer(f"Compare {{{{ a }}}} with {{{{ b }}}}.\n{order}")
    assert [field.name for field in found.fields] == ["explanation", "verdict"]


def test_an_explanation_that_is_asked_for_after_the_verdict_does_not_come_first() -> None:
    found = infer('Compare {{ a }} with {{ b }}.\nGive "[[A]]" or "[[B]]" first and then explain why in one sentence.')
    assert [field.name for field in found.fields][:1] in ([], ["verdict"])


@pytest.mark.parametrize(
    ("body", "schema"),
    [
        ("Healed / Referred / Waiting", {"type": "string", "enum": ["Healed", "Referred", "Waiting"]}),
        ("Open / Closed", {"type": "string", "enum": ["Open", "Closed"]}),
        ("Name / company", {"type": "string"}),
    ],
)
def test_labels_below_a_heading(body: str, schema: dict[str, object]) -> None:
    found = infer(f"Use exactly these headings:\n\n## Complaint\none sentence\n\n## Result\n{body}\n\n{{{{ visit }}}}")
    assert {field.name: field.schema for field in found.fields}["result"] == schema


@pytest.mark.parametrize("lead", ["- 1: ", "1 = "])
def test_what_a_grade_means_is_no_further_order(lead: str) -> None:
    lines = "\n".join(
        lead.replace("1", str(grade)) + "The answer is one that shows this much understanding of all the main events."
        for grade in (1, 2, 3)
    )
    (field,) = infer(
        f"Grade the essay on a scale of 1 to 3, where:\n{lines}\n\nReturn only the grade.\n{{{{ essay }}}}"
    ).fields
    assert field.schema == {"type": "integer", "minimum": 1, "maximum": 3}


@pytest.mark.parametrize(
    ("text", "arithmetic"),
    [
        ("Each day you work out on two body parts.", False),
        ("The members work out three times a week.", False),
        ("Work out the total price of the order.", True),
        ("Work out how many days are left.", True),
    ],
)
def test_sport_is_no_arithmetic(text: str, *, arithmetic: bool) -> None:
    assert (task_of_reasoning(PromptText.of(text)) is not None) is arithmetic


def test_the_descriptions_of_a_given_schema_stay() -> None:
    found = infer(
        'Read the mail. Your answer must validate against this JSON Schema:\n{"type": "object", "properties": {'
        '"gate": {"type": "string", "description": "two letters"}, "seats": {"type": "integer", "minimum": 1}},'
        ' "required": ["gate", "seats"], "additionalProperties": false}\n\n{{ mail }}'
    )
    assert found.fields[0].schema == {"type": "string", "description": "two letters"}
