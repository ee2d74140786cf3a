"""What a sentence says of null, labels and scales is said of all keys that it is about, and of no other."""

from __future__ import annotations

from typing import Any

import pytest

from promptopt.structured.infer import infer

_TEXT = {"type": "string"}
_OR_NULL = {"type": ["string", "null"]}
_LEVELS = {"type": "string", "enum": ["low", "medium", "high"]}


def _fields(text: str) -> dict[str, Any]:
    return {field.name: dict(field.schema) for field in infer(text).fields}


@pytest.mark.parametrize(
    ("said", "nullable"),
    [
        pytest.param("owner and phone are null if nobody is named.", {"owner", "phone"}, id="two names"),
        pytest.param(
            "street, owner and phone are null when the ad has none.", {"street", "owner", "phone"}, id="three"
        ),
        pytest.param("`owner` and `phone` may be null.", {"owner", "phone"}, id="in marks"),
        pytest.param("Both owner and phone can be null.", {"owner", "phone"}, id="both"),
        pytest.param("If the dog has no home, set owner and phone to null.", {"owner", "phone"}, id="an order"),
        pytest.param(
            "Set owner to null if nobody is named, and phone to null if no digits are given.",
            {"owner", "phone"},
            id="one after the other",
        ),
        pytest.param("- street: where it is\n- owner, phone: null if unknown", {"owner", "phone"}, id="in one line"),
        pytest.param("street is always given and phone is null when it is missing.", {"phone"}, id="a verb of its own"),
        pytest.param(
            "street must always be filled in, owner and phone may be null.", {"owner", "phone"}, id="the last"
        ),
        pytest.param("Neither dog nor street is ever null, phone is null if it is missing.", {"phone"}, id="neither"),
        pytest.param("Leave phone null if owner is a shelter or a vet.", {"phone"}, id="a key in the condition"),
    ],
)
def test_null_is_said_of_all_keys_of_a_clause_and_of_no_other(said: str, nullable: set[str]) -> None:
    form = '{"dog": "Rex", "street": "Elm Road", "owner": "Ann", "phone": "0123"}'
    found = _fields(f"Read the ad. Return JSON like this:\n{form}\n{said}\n{{{{ ad }}}}")
    assert found == {name: _OR_NULL if name in nullable else _TEXT for name in ("dog", "street", "owner", "phone")}


def test_null_after_a_list_of_keys_is_that_of_the_key_beside_it() -> None:
    found = _fields(
        "Rate the crack from the picture.\n\n0 = harmless\n1 = watch it\n2 = mend it soon\n3 = close the bridge\n\n"
        "I need json with part (short string), danger (the number), reason (1 sentence) and advice - leave advice null "
        "if danger is 0 or 1. Thanks\n{{ picture }}"
    )
    assert found == {
        "part": _TEXT,
        "danger": {"type": "integer", "minimum": 0, "maximum": 3},
        "reason": _TEXT,
        "advice": _OR_NULL,
    }
    found = _fields(
        "Return JSON with ship (string), sunk (true or false) and wreck (string) - null if sunk is false.\n{{ x }}"
    )
    assert found == {"ship": _TEXT, "sunk": {"type": "boolean"}, "wreck": _OR_NULL}


def test_values_in_a_condition_are_no_labels() -> None:
    found = _fields(
        "Grades:\n0 = safe\n1 = unclear\n2 = dangerous\n\n"
        'Return JSON: {"grade": 0, "reason": "...", "cure": "..."}\nSet cure to null if grade is 0 or 1.\n{{ text }}'
    )
    assert found["grade"] == {"type": "integer", "minimum": 0, "maximum": 2}
    assert found["cure"] == _OR_NULL


@pytest.mark.parametrize(
    ("order", "key", "other"),
    [
        pytest.param(
            "Give the right answer.\nAssign a risk level: low, medium, or high.", "risk", "answer", id="level"
        ),
        pytest.param("Give the verdict. Set the risk (low, medium, or high).", "risk", "verdict", id="brackets"),
        pytest.param("Rate the risk of the trip: low, medium, or high.", "risk", "answer", id="a quality"),
        pytest.param("Assign a verdict: low, medium, or high.", "verdict", "summary", id="the key of a verdict itself"),
    ],
)
def test_labels_are_those_of_the_key_that_their_order_names(order: str, key: str, other: str) -> None:
    found = _fields(f'{order}\nReturn JSON: {{"{other}": "...", "{key}": "..."}}\n{{{{ text }}}}')
    assert found == {other: _TEXT, key: _LEVELS}


def test_labels_that_no_order_gives_to_a_key_are_those_of_the_verdict() -> None:
    found = _fields('Judge the claim: true, false or unproven.\nReturn JSON: {"verdict": "..."}\n{{ claim }}')
    assert found == {"verdict": {"type": "string", "enum": ["true", "false", "unproven"]}}


@pytest.mark.parametrize(
    ("said", "schema"),
    [
        pytest.param(
            "recall and reach must be numbers between 0 and 1.",
            {"type": "number", "minimum": 0, "maximum": 1},
            id="a range",
        ),
        pytest.param(
            "recall and reach are lists of at most 3 strings.",
            {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            id="lists",
        ),
    ],
)
def test_what_is_said_of_two_keys_together_is_said_of_both(said: str, schema: dict[str, object]) -> None:
    found = _fields(f'Return JSON with the keys recall, reach and verdict ("keep" or "drop"). {said}\n{{{{ text }}}}')
    assert found == {"recall": schema, "reach": schema, "verdict": {"type": "string", "enum": ["keep", "drop"]}}


@pytest.mark.parametrize(
    "said",
    [
        "dog and owner must not be null.",
        'Never set dog or owner to null; "none" is not an answer either.',
    ],
)
def test_null_that_is_denied_is_of_no_key(said: str) -> None:
    assert _fields(f'Return JSON like {{"dog": "Rex", "owner": "Ann"}}. {said}\n{{{{ ad }}}}') == {
        "dog": _TEXT,
        "owner": _TEXT,
    }


@pytest.mark.parametrize(
    "said",
    ["dog must not be null, owner can be.", "Where owner cannot be read from the form, it is null."],
)
def test_null_in_short_or_by_a_pronoun_is_of_its_key(said: str) -> None:
    assert _fields(f'Return JSON like {{"dog": "Rex", "owner": "Ann"}}. {said}\n{{{{ ad }}}}') == {
        "dog": _TEXT,
        "owner": _OR_NULL,
    }


def test_a_scale_whose_heading_names_a_key_is_of_that_key() -> None:
    found = _fields(
        'Haste:\n0 = later\n1 = today\n2 = now\n\nReturn JSON: {"haste": 1, "boats_count": 3, "why": "..."}\n{{ mail }}'
    )
    assert found["haste"] == {"type": "integer", "minimum": 0, "maximum": 2}


def test_the_label_of_a_line_is_none_of_its_values() -> None:
    found = infer("Explain it, then finish with one line: ANSWER: YES or ANSWER: NO.\n{{ mail }}")
    assert "ANSWER" not in str([field.schema for field in found.fields])


@pytest.mark.parametrize(
    ("shown", "items"),
    [
        ("[..rule names..]", {"type": "string", "enum": ["insult", "spam", "threat"]}),
        ('["<rule name>", ...]', {"type": "string", "enum": ["insult", "spam", "threat"]}),
    ],
)
def test_items_that_are_named_as_those_of_a_list_are_its_labels(shown: str, items: dict[str, Any]) -> None:
    found = _fields(
        "List every rule that the post breaks.\n\nRules:\n- insult\n- spam\n- threat\n\n"
        f'Return JSON: {{"broken": {shown}, "note": string}}\n{{{{ post }}}}'
    )
    assert found["broken"]["items"] == items


@pytest.mark.parametrize(
    ("lead", "sample"),
    [
        pytest.param("Grades of the road", "0.9", id="a fraction is no grade"),
        pytest.param("Grades of the road", "21", id="a sample that is no grade"),
        pytest.param("The log uses these codes", "2", id="the scale of what is given"),
    ],
)
def test_a_scale_of_something_else_bounds_no_number(lead: str, sample: str) -> None:
    found = infer(
        f'{lead}:\n1 = start\n2 = stop\n3 = fault\n\nReturn JSON: {{"heat": {sample}, "why": "..."}}\n{{{{ x }}}}'
    )
    assert "maximum" not in str([field.schema for field in found.fields])


@pytest.mark.parametrize(
    ("order", "key", "other"),
    [
        ("Classify the mood as low, medium or high. Answer the question.", "mood", "answer"),
        ("Rate the mood as low, medium or high and write the verdict of the jury.", "mood", "verdict"),
        ("Classify the question as low, medium or high.", "answer", "question"),
    ],
)
def test_labels_of_what_is_judged_are_no_verdict(order: str, key: str, other: str) -> None:
    found = _fields(f'{order}\nReturn JSON: {{"{key}": "...", "{other}": "..."}}\n{{{{ text }}}}')
    assert found == {key: _LEVELS, other: _TEXT}


def test_null_of_each_thing_of_a_kind_is_not_null_of_the_others() -> None:
    found = _fields(
        'Read the review and return JSON:\n{"stars": 4, "marks": {"food": "good", "price": "bad"}}\n'
        "Each mark is good or bad, or null if the review has none. stars is a number from 1 to 5.\n{{ review }}"
    )
    assert found == {} or found["stars"] == {"type": "integer", "minimum": 1, "maximum": 5}


def test_true_or_false_without_marks_is_a_truth_value() -> None:
    form = (
        'Return JSON {"level": ..., "usable": ...} where level is one of LOW, HIGH; usable is true or false.\n{{ x }}'
    )
    assert _fields(form)["usable"] == {"type": "boolean"}
