"""Labels of an order that says all, and lines of a text whose labels are in quotation marks or counted."""

from __future__ import annotations

from typing import Any

import pytest

from promptopt.structured.infer import infer


def fields(text: str) -> dict[str, Any]:
    found = infer(text)
    assert found.fields, found.problems
    return {item.name: dict(item.schema) for item in found.fields}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('Is a refund asked for? Respond **strictly** with "YES" or "NO".\n\n{{ t }}', ["YES", "NO"]),
        (
            "The available departments are: [billing, tech support, sales]. Return only the department.\n\n{{ t }}",
            ["billing", "tech support", "sales"],
        ),
        ("The topics are sport, art and law. Answer with the topic only.\n{{ t }}", ["sport", "art", "law"]),
        ("Classify it.\n0 = calm\n1 = tense\n2 = hostile\nReply with the number only.\n\n{{ t }}", [0, 1, 2]),
        ("Which clause is it?\nA) Term\nB) Price\nC) Other\nAnswer with the letter only.\n{{ t }}", ["A", "B", "C"]),
        (
            'If the claim holds, your output should be "Supported"; otherwise, it should be "Unsupported".\n{{ t }}',
            ["Supported", "Unsupported"],
        ),
        (
            'Your answer must be a single word, either "correct" or "wrong". It is checked and correct.\n{{ t }}',
            ["correct", "wrong"],
        ),
    ],
)
def test_an_order_that_names_all_labels_is_read(text: str, labels: list[Any]) -> None:
    assert [schema["enum"] for schema in fields(text).values()] == [labels]


@pytest.mark.parametrize(
    "text",
    [
        "The possible labels are: [a, b, c]. Return only the labels that apply, comma-separated.\n{{ t }}",
        'Respond only with "yes" or "no", followed by a short reason and a date.\n{{ t }}',
        "The intents are: book, cancel and other. Return only the intent. If you are unsure, return UNKNOWN.\n{{ t }}",
        "The categories are food, drink and service. Give only the category and a confidence.\n{{ t }}",
        'Verdict must be either "guilty" or "innocent". Begin with the verdict.\n{{ t }}',
        "Classify it.\n1 - low\n2 - mid\nGive only the number, then the reason.\n{{ t }}",
        "Steps:\n1 - read the note\n2 - find the sum\nReturn only the number.\n{{ t }}",
        "Pick one.\nA) a cat\nB) {{ second }}\nAnswer with only the letter.",
        'Respond with exactly one of "warm" or "cold" by rule:\n- warm: kind\n- cold: curt\n- mixed: both\n{{ t }}',
    ],
)
def test_an_order_that_wants_more_is_not(text: str) -> None:
    assert not infer(text).fields


def test_turns_of_examples_must_have_the_labels() -> None:
    text = (
        '{% chat role="system" %}The labels are move, bill and outage. Give only the label.{% endchat %}\n'
        '{% chat role="user" %}hi{% endchat %}\n{% chat role="assistant" %}small_talk{% endchat %}\n'
        '{% chat role="user" %}{{ t }}{% endchat %}'
    )
    assert not infer(text, examples=False).fields
    assert infer(text.replace("small_talk", "bill"), examples=False).fields


def test_labels_of_lines_in_quotation_marks() -> None:
    text = 'Provide your evaluation in the following format:\n"Reason:" (why?)\n"Verdict:" ("PASS" or "FAIL")\n{{ t }}'
    assert fields(text)["verdict"]["enum"] == ["PASS", "FAIL"]


def test_lines_that_are_counted_are_a_form_and_a_number_or_a_word_is_a_text() -> None:
    text = 'Report it in exactly three lines:\n\nRISK: <a word>\nLEVEL: <low/high>\nCOST: <integer or "none">\n{{ t }}'
    found = fields(text)
    assert found["level"]["enum"] == ["low", "high"]
    assert found["cost"] == {"type": "string"}


def test_a_number_or_a_word_of_json_has_two_types() -> None:
    found = infer('Return JSON: {"floor": <integer or "unknown">, "rooms": <number>}\n{{ t }}')
    assert "one type" in found.problems[0]


def test_feedback_before_a_result_begins_after_its_own_label() -> None:
    text = (
        'Write a feedback, then a score.\nThe output format should look as follows: "(write a feedback for criteria) '
        '[RESULT] (an integer number between 1 and 5)"\n\n### Response:\n{{ answer }}\n\n### Feedback:'
    )
    assert fields(text)["result"] == {"type": "integer", "minimum": 1, "maximum": 5}


# ---- scores of criteria, and what beside a key is a type of its own -------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "Rate it from 1 to 5 on:\n- Style\n- Plain Words\n\nGive short feedback.\n{{ t }}",
            "style plain_words feedback",
        ),
        (
            "Evaluate it:\n1. Style (0-10): how?\n2. Grammar (0-10): mistakes\n\nProvide your scores and explanation.",
            "style grammar explanation",
        ),
    ],
)
def test_scores_for_criteria_that_are_listed(text: str, names: str) -> None:
    found = fields(text)
    assert list(found) == names.split()
    assert "maximum" in found["style"]


@pytest.mark.parametrize(
    "text",
    [
        "Rate it from 1 to 5 on:\n- Style\n- Grammar\n\nReturn only the sum.\n{{ t }}",
        "Evaluate it:\n\n1. Style (1-5): how?\n2. Grammar (1-5): mistakes\nReturn the scores for each page.\n{{ t }}",
        "Evaluate it:\n\n1. Style (1-5): how it reads\n2. Grammar (1-5): mistakes\nGive the average rating.\n{{ t }}",
    ],
)
def test_scores_that_are_joined_or_come_several_times_are_not_read_as_one_form(text: str) -> None:
    assert "grammar" not in {item.name for item in infer(text).fields}


def test_a_note_after_null_a_range_that_falls_and_labels_below_the_name_of_a_list() -> None:
    found = fields(
        "Available agents:\n- logs: errors\n- metrics: numbers\n\nChoose one or more agents.\n"
        'Return JSON: {"agents": ["logs"], "notes": string | null (oil/butter, or hidden items)}\n{{ t }}'
    )
    assert found["agents"] == {
        "type": "array",
        "items": {"type": "string", "enum": ["logs", "metrics"]},
        "minItems": 1,
    }
    assert found["notes"]["type"] == ["string", "null"]
    ranged = fields("Return a JSON object with these keys:\n- sure: a real number in range [1,0]\n- why: text\n{{ t }}")
    assert (ranged["sure"]["minimum"], ranged["sure"]["maximum"]) == (0, 1)


@pytest.mark.parametrize(
    "text",
    [
        'Return JSON: {"year": <integer, object with "from" and "to", or null>, "why": "<one sentence>"}\n{{ t }}',
        'Return a JSON object with keys:\n- kinds: string listing all that apply from: "a", "b"\n- why: text\n{{ t }}',
    ],
)
def test_two_types_and_several_labels_in_one_text_are_refused(text: str) -> None:
    assert not infer(text).fields
