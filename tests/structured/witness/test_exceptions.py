"""What a prompt says of its answer elsewhere: values of single cases, other scales, other forms, counts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from promptopt.structured.infer import infer


def refusal(text: str) -> str:
    found = infer(text)
    assert not found.fields, found.fields
    return "; ".join(found.problems)


def fields(text: str) -> dict[str, Any]:
    found = infer(text)
    assert found.fields, found.problems
    return {item.name: dict(item.schema) for item in found.fields}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Rate the tea from 0 to 10. Answer with the number only.\nIf it is coffee, answer -1.\n{{ t }}", "-1"),
        (
            "Score the hull from 1 to 5.\nRespond with only the integer.\n\nWhen there is no hull, return 0.\n{{ t }}",
            "0",
        ),
        ("Give a score between 1 and 100.\nUnless the text is in English, reply with exactly 999.\n{{ t }}", "999"),
        (
            'Give a JSON array of strings with the ports.\nExample: ["Riga"]\nIf there are none, return NONE.\n{{ t }}',
            "NONE",
        ),
        (
            'Return a JSON list of strings: ["a", "b"].\n\nIf nothing is found, respond with "nothing here".\n{{ t }}',
            "nothing",
        ),
        ('Answer in JSON: {"port": "<name>", "ships": 3}\nIf no port is named, return: {}\n{{ t }}', "{}"),
        (
            'Return JSON: {"port": "<name>", "sea": "<name>"}.\nIf the log is blank, return an empty object.\n{{ t }}',
            "empty",
        ),
    ],
)
def test_a_value_of_one_case_is_not_lost(text: str, value: str) -> None:
    assert value in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "Is the ship late? Answer yes or no.\nIf you are not sure, answer no.\n{{ t }}",
        "Rate the tea from 0 to 10. Answer with the number only.\nIf it is cold, answer 0.\n{{ t }}",
        "Is the ship late? Answer yes or no.\nIf the log is blank, do not answer MAYBE.\n{{ t }}",
        'Return JSON: {"port": "<name>"}.\nIf the port is not named, write "unknown".\n{{ t }}',
    ],
)
def test_a_case_that_the_form_has_is_no_exception(text: str) -> None:
    assert fields(text)


@pytest.mark.parametrize(
    "text",
    [
        'Rate the tea on a scale from 1 to 5.\n{{ t }}\nReturn JSON: {"rating": <integer from 1 to 10>}',
        'Score it from 1 to 7.\n{{ t }}\nAnswer as JSON: {"score": <0-100>, "why": "<one sentence>"}',
        "We use a scale of 1-10.\n{{ t }}\nAnswer with an integer from 1 to 5 and nothing else.",
    ],
)
def test_two_scales_for_one_value_are_refused(text: str) -> None:
    assert "was read" in refusal(text)


def test_the_bands_of_a_scale_are_no_other_scale() -> None:
    text = 'Rate it from 0 to 100: 0 to 49 is weak, 50 to 100 is good.\n{{ t }}\nReturn JSON: {"score": <0-100>}'
    assert fields(text)["score"]["maximum"] == 100


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Is the tone warm or cold?\n\nText: Hi!\nTone: 4\n\nText: {{ t }}\nTone:", "Tone: 4"),
        ("Classify it as red, blue or green.\n\nNote: sea\nColour: mauve\n\nNote: {{ t }}\nColour:", "mauve"),
        ("Rate the note from 1 to 5.\n\nNote: sea\nScore: good\n\nNote: {{ t }}\nScore:", "good"),
    ],
)
def test_answers_that_are_shown_must_be_among_the_labels(text: str, shown: str) -> None:
    assert shown in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        'Is it late? Answer with a single word, yes or no.\n{{ t }}\nReturn JSON with "late" (true/false) and "why".',
        'Reply with a single digit.\n{{ t }}\nReturn JSON: {"score": <1-5>, "why": "<one sentence>"}',
        'Respond with just the label.\n{{ t }}\nReturn JSON: {"kind": "<tug|ferry>", "why": "<one sentence>"}',
    ],
)
def test_one_word_against_json_is_refused(text: str) -> None:
    assert re.search("JSON with|no field holds", refusal(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('Respond with a story followed by a JSON block:\n{"hero": "<name>"}\n{{ t }}', "before its JSON"),
        ('Write an analysis and then the JSON:\n{"hero": "<name>"}\n{{ t }}', "before its JSON"),
        (
            "Answer with a Markdown table. The columns are day and heat.\nHeat is a number between 1 and 9.\n{{ t }}",
            "table",
        ),
        (
            'On one line, separated by commas.\n\nExample\nOutput:\n{"words": ["sea"]}\n\nNote: {{ t }}\nOutput:',
            "examples show JSON",
        ),
        (
            'Decide whether it is SPAM or HAM.\nAnswer as JSON: {"verdict": "...", "port": "..."}\n{{ t }}',
            "SPAM or HAM",
        ),
        (
            'Return JSON:\n{"s": "", "r": ""}\n\ns = the mood, sad, calm or merry\nr = the reason\n\n{{ t }}',
            "without labels",
        ),
        (
            'Judge it.\n{{ t }}\nAnswer "good" or "bad".\n\nEXPLANATION: your reasoning\nLABEL: "good" or "bad"',
            "parts of the answer",
        ),
        (
            "Score each answer.\n\n<dimensions>\n- skill (30%): the overlap\n- place (20%): the way\n</dimensions>\n",
            "list of the prompt's own",
        ),
    ],
)
def test_what_the_answer_has_besides_is_not_lost(text: str, reason: str) -> None:
    assert reason in refusal(text)


# ---- counts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "least", "most"),
    [
        (
            'List the skills.\nGive a JSON array of strings. Between three and ten skills.\nExample: ["sea"]\n{{ t }}',
            "items",
            3,
            10,
        ),
        (
            'Group it into a maximum of 4 topics.\nReturn JSON: [{"topic_name": "<name>", "why": "<text>"}]\n{{ t }}',
            "items",
            None,
            4,
        ),
        (
            'Name exactly 4 books and 3 films.\nReturn JSON: {"books": ["<title>"], "films": ["<title>"]}\n{{ t }}',
            "films",
            3,
            3,
        ),
        ('Make five quiz questions.\nUse this JSON:\n[{"question": "...", "answer": "..."}]\n{{ t }}', "items", 5, 5),
    ],
)
def test_counts_in_any_sentence_are_those_of_the_list(text: str, name: str, least: int | None, most: int) -> None:
    found = fields(text)[name]
    assert (found.get("minItems"), found.get("maxItems")) == (least, most)


@pytest.mark.parametrize(
    "text",
    [
        'Return JSON: {"films": ["<title>"]}\nAt most 2 films from the same country.\n{{ t }}',
        'Return JSON: {"films": ["<title>"]}\nEach year has exactly 3 films.\n{{ t }}',
        'Return JSON: {"films": ["<title>"]}\nIf there are at least 2 films, sort them.\n{{ t }}',
    ],
)
def test_counts_of_something_else_are_not(text: str) -> None:
    assert "maxItems" not in fields(text)["films"]


def test_labels_between_sentences_and_a_key_that_counts() -> None:
    text = (
        'Use this JSON:\n{"level": "easy", "right": 0, "why": "..."}\n\n`right` is the index of the right option. '
        "Level: easy, medium, hard. Be fair.\n\n{{ t }}"
    )
    found = fields(text)
    assert found["level"]["enum"] == ["easy", "medium", "hard"]
    assert found["right"] == {"type": "integer"}
