"""Forms that a model reads: what the prompt's words prove is taken, a reading with any fault is refused by its name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import answer, cases, twin

from promptopt.structured.by_model.fields_read import NoSchema, schema_of
from promptopt.structured.by_model.question import Quotation, ReadValue, messages, reading_of
from promptopt.structured.fields import PromptText
from promptopt.structured.guard.quotations import NotQuoted, find
from promptopt.structured.guard.reading import judge

CASES = cases()
RIGHT = {name: case for name, case in CASES.items() if "refused" not in case}
TWINS = [
    pytest.param(
        case["prompt"], twin(case.get("again", case["reading"]), change), change, id=f"{name}: {change['lost']}"
    )
    for name, case in CASES.items()
    for change in case.get("twins", ())
]


def judged(prompt, reading):
    return judge(PromptText.of(prompt), reading_of(answer(reading)), "m")


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_reading_is_taken(name):
    case = RIGHT[name]
    found = judged(case["prompt"], case.get("again", case["reading"]))
    assert not found.why
    assert not found.objections
    assert found.inferred.fields
    lines = case["prompt"].split("\n")
    for item in found.inferred.fields:
        quoted = re.search(r"“(.*?)(?:\.\.\.)?”$", item.source)[1]
        assert quoted.split()[0] in lines[item.line - 1]


@pytest.mark.parametrize(("prompt", "reading", "change"), TWINS)
def test_a_reading_with_a_fault_is_refused_by_its_name(prompt, reading, change):
    found = judged(prompt, reading)
    why = "\n".join((*found.why, *found.objections))
    assert why
    assert any(str(word) in why for word in change["named_by"]), why


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["reading"].get("beside")])
def test_what_is_outside_of_the_form_refuses_it(name):
    why = "\n".join(judged(CASES[name]["prompt"], CASES[name]["reading"]).why)
    assert f"line {CASES[name]['reading']['beside'][0]['line']}" in why


PROMPT = """\
Say it in JSON:
{"kind": "a" | "b",
 "size": <1 to 5>}

Text: {{ text }}
{% if more %}
Add "more".
{% endif %}
"""


@given(st.data())
def test_words_of_a_line_are_found_and_others_are_not(data):
    document = PromptText.of(PROMPT)
    lines = PROMPT.split("\n")
    number = data.draw(st.integers(1, 3))
    line = lines[number - 1]
    start = data.draw(st.integers(0, len(line) - 1))
    end = data.draw(st.integers(start + 1, len(line)))
    words = line[start:end]
    blanks = data.draw(st.sampled_from([" ", "  ", "\n", " \t"]))
    if words.strip():
        found = find(document, Quotation(number, words.replace(" ", blanks)))
        assert found.text.split() == words.split()
    changed = data.draw(st.sampled_from("xyz€")) + words + data.draw(st.sampled_from("xyz€"))
    with pytest.raises(NotQuoted):
        find(document, Quotation(number, changed))


@pytest.mark.parametrize(
    ("line", "words", "why"),
    [
        (2, "", "empty"),
        (5, "{{ text }}", "variable"),
        (7, 'Add "more".', "depends"),
        (1, '"', "not in this line"),
        (99, "nowhere", "not in this line"),
    ],
)
def test_words_that_prove_nothing(line, words, why):
    with pytest.raises(NotQuoted, match=why):
        find(PromptText.of(PROMPT), Quotation(line, words))


def test_the_only_place_of_a_quotation_is_its_line():
    assert find(PromptText.of(PROMPT), Quotation(1, '"size": <1 to 5>')).line == 3


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([ReadValue(("a",), ("string",)), ReadValue(("a",), ("string",))], "twice"),
        ([ReadValue(("a",), ("array",))], "items"),
        ([ReadValue(("a", "b"), ("string",)), ReadValue(("a",), ("string",))], "no object"),
        ([ReadValue(("a",), ("string",), minimum=1)], "no number"),
        ([ReadValue(("a",), ("number",), minimum=5, maximum=1)], "range"),
        ([ReadValue(("a",), ("string",), max_items=3)], "no list"),
        ([ReadValue(("a",), ("integer",), ("one",))], "label"),
        ([ReadValue(("a",), ())], "no type"),
        ([ReadValue(("a",), ("object",))], "no keys"),
    ],
)
def test_values_that_make_no_schema(values, why):
    with pytest.raises(NoSchema, match=why):
        schema_of(values)


def test_several_types_and_null():
    found = schema_of(
        [
            ReadValue(("year",), ("integer", "object", "null"), minimum=1800, maximum=2030),
            ReadValue(("year", "from"), ("integer",)),
            ReadValue(("error",), ("null",)),
            ReadValue(("stars",), ("integer",), ("1", "2")),
        ]
    )["properties"]
    assert [one["type"] for one in found["year"]["anyOf"]] == ["integer", "object", "null"]
    assert found["error"] == {"type": "null"}
    assert found["stars"] == {"type": "integer", "enum": [1, 2]}


def test_the_question_has_each_line_with_its_number():
    asked = messages("---\nmodel: m\n---\nOne {{ a }}\n\nTwo\n\n", first_line=4)[1].content
    assert asked == "4: One {{ a }}\n5: \n6: Two"


@pytest.mark.parametrize(
    ("words", "low", "taken"),
    [
        ("mindestens eins und höchstens drei Orte", 1, True),
        ("de un à trois lieux", 1, True),
        ("mindestens eins und höchstens drei Orte", 2, False),
    ],
)
def test_a_count_may_be_proved_by_words_of_another_language(words, low, taken):
    prompt = f'Antworte als JSON: {{"orte": ["<Ort>"]}}\n{words}\n\n{{{{ t }}}}\n'
    reading = {
        "values": [
            {
                "path": "/orte",
                "types": ["array"],
                "min_items": low,
                "max_items": 3,
                "quotes": ['1: "orte": [', f"2: {words}"],
            },
            {"path": "/orte/*", "types": ["string"], "quotes": ['1: ["<Ort>"]']},
        ]
    }
    assert (not judged(prompt, reading).why) == taken


@pytest.mark.parametrize(("label", "taken"), [("price:<goods>", False), ("<free>", True), ("price", True)])
def test_a_label_has_no_place_within(label, taken):
    prompt = f"Name the command: {label} or stop.\n\n{{{{ t }}}}\n"
    quotes = [f"1: Name the command: {label} or stop"]
    value = {"path": "/command", "types": ["string"], "labels": [label, "stop"], "quotes": quotes}
    why = judged(prompt, {"form": "text", "values": [value]}).why
    assert bool(why) != taken
    if not taken:
        assert "has a place for something that varies" in why[0]
