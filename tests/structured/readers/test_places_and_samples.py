"""Brackets that keep a place for words, and texts that are samples of an answer."""

from __future__ import annotations

import pytest

from promptopt.structured.infer import infer


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
