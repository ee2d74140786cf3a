"""Whole prompts as people write them: a list that is made and then ordered, names as keys, quoted lines."""

import pytest

from promptopt.structured.infer import infer

_INPUT = "\n\nLogbook:\n{{ logbook }}\n"


def _schemas(text: str) -> dict[str, object]:
    return {item.name: dict(item.schema) for item in infer(text + _INPUT).fields}


def _texts(**count: int) -> dict[str, object]:
    return {"type": "array", "items": {"type": "string"}, **count}


def _one_of(*labels: str) -> dict[str, object]:
    return {"type": "string", "enum": list(labels)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "Generate keywords. Between 4 and 8 keywords. Return them as a comma separated list and nothing else.",
            {"keywords": _texts(minItems=4, maxItems=8)},
        ),
        (
            "Suggest exactly 5 mottos for the ship. Output them comma-separated, no other text.",
            {"mottos": _texts(minItems=5, maxItems=5)},
        ),
        (
            "Generate a set of queries. Provide a single query per line. If none is useful, return the original query.",
            {"queries": _texts(minItems=1)},
        ),
        ("Generate tags. Write titles for it too. Return them as a comma separated list.", {}),
        ("Choose tags. The tags are: red, green, blue. Return them as a comma separated list.", {}),
        ("Generate keywords. Return them as a comma separated list, each with a score.", {}),
    ],
)
def test_a_list_of_what_is_made(text: str, found: dict[str, object]) -> None:
    assert _schemas(text) == found


_SHARE = {"type": "number", "minimum": 0.0, "maximum": 1.0}
_AS_KEYS = "Give a probability between 0.0 and 1.0 for each.\n\n{}\n\n"
_AS_KEYS += "Output as JSON, with those names as keys and {} as values{}"


@pytest.mark.parametrize(
    ("names", "values", "shown", "found"),
    [
        (
            "rain, hail, fog",
            "the probabilities",
            ', e.g. {"rain": 0.82, "hail": 0.1, ...}',
            dict.fromkeys(("rain", "hail", "fog"), _SHARE),
        ),
        ("rain, hail, fog", "the probabilities", "", dict.fromkeys(("rain", "hail", "fog"), _SHARE)),
        ("rain, hail, fog", "the probabilities", ', e.g. {"snow": 0.82, ...}', {}),
        ("rain, hail, fog", "the probabilities", ', e.g. {"rain": 0.82, "hail": 0.1}', {}),
        ("rain, hail, fog", "objects with a probability", "", {}),
        ("", "the probabilities", "", {}),
    ],
)
def test_names_of_a_line_as_keys(names: str, values: str, shown: str, found: dict[str, object]) -> None:
    assert _schemas(_AS_KEYS.format(names, values, shown)) == found


_QUOTED = '"Winner: A" if the first is better, "Winner: B" if the second is, and "Winner: tie" if neither is.'


def test_quoted_lines_with_their_cases() -> None:
    winner = {"winner": _one_of("A", "B", "tie")}
    first = "Begin with a short comparison of both. After that, output your verdict on a new line: "
    assert _schemas(first + _QUOTED) == {"comparison": {"type": "string"}} | winner
    assert _schemas("Output only " + _QUOTED) == winner
    assert _schemas("Name the distance in miles. Finally write " + _QUOTED) == {}
    assert _schemas("End with a line like " + _QUOTED) == {}


def test_a_further_quoted_line_is_refused() -> None:
    text = 'Write "Verdict: yes" or "Verdict: no", and below it "Confidence: " with a number from 0 to 100.'
    assert infer(text + _INPUT).problems == ('line 1: "Confidence: " is another line of the answer, and is not read',)


def test_a_word_of_forms_is_the_name_of_a_line_with_a_place() -> None:
    form = "Answer in exactly this format:\n\nStructure: <1-4>\nRigging: <1-4>\nNote: <two sentences>"
    assert list(_schemas("Mark the ship from 1 to 4 for each.\n\n" + form)) == ["structure", "rigging", "note"]


_STARTS = "Start your response with YES or NO. "


def test_what_is_added_in_one_case_of_a_verdict() -> None:
    found = _schemas(_STARTS + "If NO, add a second line with the part that is not backed.")
    detail = {"type": ["string", "null"], "description": "the part that is not backed"}
    assert found == {"verdict": _one_of("YES", "NO"), "detail": detail}
    assert _schemas(_STARTS + "If NO, add what is missing. If YES, add a page.") == {}
    assert _schemas(_STARTS + "If unsure, add a question.") == {}
    assert _schemas(_STARTS + "Then write a poem about it.") == {}


def test_a_label_before_an_object_is_refused() -> None:
    text = _STARTS + 'Then give JSON with the keys "page" and "line".'
    assert infer(text + _INPUT).problems == ("line 1: 'Start your response with YES or NO' comes before the form",)
