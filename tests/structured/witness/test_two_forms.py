"""A prompt that asks for one bare value and for JSON has no one form."""

from __future__ import annotations

import pytest

from promptopt.structured.infer import infer


@pytest.mark.parametrize(
    "order",
    [
        "Rate it. Return only a number from 1 (bad) to 5 (good), no explanation.\nReturn a JSON array of strings.",
        "Is the mail urgent? Output a single word: yes or no. Return a JSON array of strings.",
        "Respond with just the city name. Output format: JSON array of strings.",
    ],
)
def test_a_bare_value_and_json_are_refused(order: str) -> None:
    found = infer(f"{order}\n\n{{{{ text }}}}")
    assert found.fields == ()
    assert "asks for one bare value, and JSON is asked for elsewhere" in found.problems[0]


@pytest.mark.parametrize(
    "order",
    [
        "Find the keywords of the text. Return only a JSON array of strings, no explanation.",
        "Find the keywords of the text. For each keyword give only one word. Return a JSON array of strings.",
        'Judge the text. In "grade" give only a single number.\nReturn JSON: {"grade": 0, "why": "..."}',
    ],
)
def test_words_on_a_part_are_no_other_form(order: str) -> None:
    assert infer(f"{order}\n\n{{{{ text }}}}").fields


def test_labels_that_are_listed_once_are_not_those_of_two_keys() -> None:
    found = infer('Choose the berth: north, south or east.\nReturn JSON: {"berth": "...", "answer": "..."}\n{{ text }}')
    assert [field.name for field in found.fields if "enum" in field.schema] in ([], ["berth"])
