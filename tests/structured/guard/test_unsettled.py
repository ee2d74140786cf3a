"""What a prompt leaves open about a model's reading is an objection, and what it settles is none."""

import pytest
from readings import answer

from promptopt.structured.by_model.question import reading_of
from promptopt.structured.fields import PromptText
from promptopt.structured.guard.quotations import find
from promptopt.structured.guard.unsettled import unsettled


def objections(prompt: str, *values: dict, form: str = "json") -> list[str]:
    reading = reading_of(answer({"form": form, "values": list(values)}))
    document = PromptText.of(prompt)
    proofs = {value: [find(document, quote) for quote in value.quotes] for value in reading.values}
    return list(unsettled(document, reading, proofs))


def value(path: str, kind: str, *quotes: str, **more: object) -> dict:
    return {"path": path, "types": [kind], "quotes": list(quotes), **more}


CARGO = 'Read the bill. Answer as {"goods": "tea", "weight": 2}%s\n\n{{ bill }}\n'


@pytest.mark.parametrize(
    ("more", "key", "kind", "open_"),
    [
        ("", "weight", "integer", True),
        ("", "weight", "number", False),
        (" with whole tons.", "weight", "integer", False),
        ("", "count", "integer", False),
        ("", "crate_number", "integer", False),
    ],
)
def test_a_sample_shows_no_whole_number(more: str, key: str, kind: str, open_: bool) -> None:
    prompt = CARGO.replace("weight", key) % more
    quotes = [f'1: "{key}": 2', *(["1: whole tons"] if more else [])]
    found = objections(prompt, value(f"/{key}", kind, *quotes))
    assert [one for one in found if "only a sample" in one] == found
    assert bool(found) == open_


EXAMPLES = """\
Sort the call.

Call: no heat
Team: boiler

Call: wet wall
Team: roof

Call: cold bath
Team: %s

Call: {{ c }}
Team:
"""


@pytest.mark.parametrize(
    ("last", "labels", "open_"),
    [("boiler", [], True), ("boiler", ["boiler", "roof"], False), ("somebody who looks after cold baths", [], False)],
)
def test_answers_of_examples_may_be_labels(last: str, labels: list[str], open_: bool) -> None:
    found = objections(EXAMPLES % last, value("/Team", "string", "4: Team", labels=labels), form="text")
    assert bool(found) == open_
    if open_:
        assert found[0].startswith("line 4: the examples answer 'boiler', 'roof'")


SIDES = 'Rate the knot.\n\n[{"side": "a", "grip": 1}, {"side": "b", "grip": 1}, {"side": "c", "grip": 1}]\n\n{{ k }}\n'


def test_a_list_that_is_shown_with_three_items_may_have_a_count() -> None:
    items = value("/*", "object", "3: {")
    parts = [value("/*/side", "string", '3: "side": "a"'), value("/*/grip", "number", '3: "grip": 1')]
    (found,) = objections(SIDES, value("", "array", "3: ["), items, *parts)
    assert "is shown with 3 items" in found
    assert not objections(SIDES, value("", "array", "3: [", min_items=3, max_items=3), items, *parts)
    two = SIDES.replace(', {"side": "c", "grip": 1}', "")
    assert not objections(two, value("", "array", "3: ["), items, *parts)


@pytest.mark.parametrize(
    ("order", "open_"),
    [
        ("Make a markdown table with one row a ship.", True),
        ("Return the rows as CSV.", True),
        ("Read the markdown table.", False),
        ("The ships are in a csv file.", False),
    ],
)
def test_a_text_of_another_form_is_asked_about(order: str, open_: bool) -> None:
    found = objections(
        f"{order}\nname: the ship\n\n{{{{ ships }}}}\n", value("/name", "string", "2: name"), form="text"
    )
    assert bool(found) == open_


LEVELS = 'Return {"level": "high" | "low", "note": "<text>"}. %s\n\n{{ log }}\n'


@pytest.mark.parametrize(
    ("rule", "labels", "open_"),
    [
        ("Leave strings empty where the log is silent.", ["high", "low"], True),
        ("Use an empty string for what is missing.", ["high", "low"], True),
        ('Output "" if nothing is said.', ["high", "low"], True),
        ("Leave strings empty where the log is silent.", ["high", "low", ""], False),
        ("The bay may be empty.", ["high", "low"], False),
    ],
)
def test_labels_may_be_left_empty(rule: str, labels: list[str], open_: bool) -> None:
    level = value("/level", "string", '1: "level": "high" | "low"', "1: " + rule.rstrip("."), labels=labels)
    found = objections(LEVELS % rule, level, value("/note", "string", '1: "note": "<text>"'))
    assert bool(found) == open_


@pytest.mark.parametrize(
    ("said", "kinds", "open_"),
    [
        ('"chief": "name if available"', ["string"], True),
        ('"chief": "name, if any"', ["string"], True),
        ('"chief": "name if available"', ["string", "null"], False),
        ('"chief": "name"', ["string"], False),
    ],
)
def test_what_is_there_only_in_some_cases_may_be_null(said: str, kinds: list[str], open_: bool) -> None:
    prompt = f'Return {{{said}, "ship": "<name>"}}\n\n{{{{ log }}}}\n'
    chief = {"path": "/chief", "types": kinds, "quotes": [f"1: {said}"]}
    found = objections(prompt, chief, value("/ship", "string", '1: "ship": "<name>"'))
    assert bool(found) == open_


@pytest.mark.parametrize(
    ("labels", "open_"),
    [
        (["1", "5", "6", "7"], True),
        (["1", "2", "3", "4"], False),
        (["Call the owner of the ship at once", "wait"], True),
        (["call", "wait"], False),
    ],
)
def test_labels_may_be_samples(labels: list[str], open_: bool) -> None:
    said = " | ".join(labels)
    kind = "integer" if labels[0].isdigit() else "string"
    step = value("/step", kind, f'1: "step": {said}', labels=labels)
    found = objections(
        f'Return {{"step": {said}, "ship": "<name>"}}\n', step, value("/ship", "string", '1: "ship": "<name>"')
    )
    assert bool(found) == open_
