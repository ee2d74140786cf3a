"""Forms that are tried with values of the answer: what is too narrow, what is too wide, and what proves nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.structured.by_model.possible_values import PossibleValue, PossibleValues
from promptopt.structured.by_model.question import Quotation
from promptopt.structured.fields import Field, Inferred, PromptText, object_schema
from promptopt.structured.guard.misfits import misfits_of, places_of_null

PROMPT = PromptText.of("""\
Read the log of the ferry. Give a JSON object: "berth" (1 to 9), "state": one of moored, at sea,
"decks": two or three names, "captain": a name, null if nobody is named.

Log: {{ log }}
""")
SAID = Quotation(1, 'a JSON object: "berth" (1 to 9), "state": one of moored, at sea')
CREW = {"type": ["object", "null"], "properties": {"mate": {"type": "string"}}, "required": ["mate"]}
FORM = Inferred(
    (
        Field("berth", {"type": "integer", "minimum": 1, "maximum": 9}, ""),
        Field("state", {"type": "string", "enum": ["moored", "at sea"]}, ""),
        Field("decks", {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 3}, ""),
        Field("captain", {"anyOf": [{"type": "string"}, {"type": "null"}]}, ""),
        Field("crew", CREW, ""),
    )
)


def tried(path, value, *, ruled_out=False, form=FORM, quote=SAID):
    one = PossibleValue(tuple(path.strip("/").split("/")) if path else (), value, quote)
    trial = PossibleValues(ruled_out=(one,)) if ruled_out else PossibleValues(allowed=(one,))
    found = misfits_of(PROMPT, trial, form)
    return found.too_wide if ruled_out else found.too_narrow


@pytest.mark.parametrize(
    ("path", "value", "taken"),
    [
        ("/berth", 9, True),
        ("/berth", 9.0, True),
        ("/berth", "9", True),  # a text is what a model makes of any value
        ("/berth", 9.5, False),
        ("/berth", 10, False),
        ("/berth", None, False),
        ("/berth", True, False),
        ("/state", "moored", True),
        ("/state", "At Sea.", True),  # the spelling is the prompt's
        ("/state", "aground", False),
        ("/state", "", False),
        ("/decks", 2, True),
        ("/decks", 4, False),
        ("/decks", 0, False),
        ("/decks/*", "upper", True),
        ("/decks/*", None, False),
        ("/captain", None, True),
        ("/captain", "", True),
        ("/crew", None, True),
        ("/crew/mate", None, False),
        ("/engine", None, True),  # a place that the form does not have
        ("/berth/*", 1, True),
    ],
)
def test_what_the_prompt_allows_has_to_be_taken(path, value, taken):
    found = tried(path, value)
    assert bool(found) is not taken
    if found:
        assert found[0].startswith("line 1: 'a JSON object:")
        assert f"in {path}, which this form refuses" in found[0]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("/berth", 9, True),
        ("/berth", 0, False),
        ("/berth", "9", False),  # as it is written: it is a text
        ("/state", "moored", True),
        ("/state", "Moored", False),
        ("/decks", 3, True),
        ("/decks", 1, False),
        ("/captain", None, True),
        ("/captain", "nobody", False),  # a free text has no labels that could rule it out
        ("/state", None, False),
    ],
)
def test_what_the_prompt_rules_out_and_the_form_takes_is_told(path, value, told):
    found = tried(path, value, ruled_out=True)
    assert bool(found) is told
    if told:
        assert "seems to rule out" in found[0]


@pytest.mark.parametrize("words", ["berth (1 to 12)", "", "{{ log }}"])
def test_words_that_are_not_said_prove_nothing(words):
    quote = Quotation(1, words)
    assert not tried("/berth", 12, quote=quote)
    assert not tried("/berth", 5, ruled_out=True, quote=quote)
    assert not misfits_of(PROMPT, PossibleValues(missing=(quote,)), FORM).too_narrow
    null = PossibleValue(("berth",), None, quote)
    assert not places_of_null(PROMPT, PossibleValues(allowed=(null,)))


def test_a_missing_part_and_a_null_are_told_with_their_words():
    words = Quotation(2, "null if nobody is named")
    (told,) = misfits_of(PROMPT, PossibleValues(missing=(words,)), FORM).too_narrow
    assert (
        told == "line 2: 'null if nobody is named' seems to ask for a part of the answer that is not among the values"
    )
    assert places_of_null(PROMPT, PossibleValues(allowed=(PossibleValue(("captain",), None, words),))) == {("captain",)}


@pytest.mark.parametrize("path", ["", "/answer"])
def test_a_value_without_a_key_is_the_answer(path):
    form = Inferred((Field("answer", {"type": "string", "enum": ["yes", "no"]}, ""),))
    assert not tried(path, "yes", form=form)
    assert tried(path, "maybe", form=form)


def test_a_list_as_the_whole_answer():
    items = {"type": "array", "items": object_schema({"n": {"type": "integer"}}), "minItems": 1}
    form = Inferred((Field("items", items, ""),), wrapped=True)
    assert tried("", 0, form=form)
    assert not tried("", 3, form=form)
    assert tried("/*/n", "seven", form=form)


SCALARS = st.none() | st.booleans() | st.integers(-20, 20) | st.floats(-20, 20) | st.text(max_size=4)


@given(st.sampled_from([f"/{item.name}" for item in FORM.fields]), SCALARS)
def test_no_value_is_both_too_narrow_and_too_wide(path, value):
    assert not (tried(path, value) and tried(path, value, ruled_out=True))
