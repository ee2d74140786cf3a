"""What the rules read has to pass the checks of a model's reading, which share nothing with the rules."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.structured.fields import Field, Inferred, PromptText
from promptopt.structured.guard.rules import doubted
from promptopt.structured.infer import infer

FACTS = {
    "labels": ('"sound|leaking|lost"', {"type": "string", "enum": ["sound", "leaking", "lost"]}, {"type": "string"}),
    "range": ("<0-10>", {"type": "integer", "minimum": 0, "maximum": 10}, {"type": "integer"}),
    "null": ("<text or null>", {"type": ["string", "null"]}, {"type": "string"}),
    "list": ('["<text>"]', {"type": "array", "items": {"type": "string"}}, {"type": "string"}),
    "text": ('"<text>"', {"type": "string"}, {"type": "array", "items": {"type": "string"}}),
    "number": ("<number>", {"type": "number"}, {"type": "string"}),
    "truth": ("<true or false>", {"type": "boolean"}, {"type": "string"}),
}
NAMES = ("hull", "mast", "keel", "rudder", "sail_colour", "boatName", "why")


def template(kinds: list[str]) -> tuple[str, Inferred]:
    """A prompt that shows such values, and what it says."""
    names = NAMES[: len(kinds)]
    shown = ",\n".join(f'  "{name}": {FACTS[kind][0]}' for name, kind in zip(names, kinds, strict=True))
    source = f"Read the logbook. Return only JSON:\n{{\n{shown}\n}}\n\nLogbook:\n{{{{ log }}}}\n"
    return source, infer(source)


@given(st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=len(NAMES)))
def test_what_a_template_says_is_not_doubted(kinds: list[str]) -> None:
    source, found = template(kinds)
    assert [dict(field.schema) for field in found.fields] == [FACTS[kind][1] for kind in kinds] or (
        # a description may be there too
        [{key: value for key, value in field.schema.items() if key != "description"} for field in found.fields]
        == [FACTS[kind][1] for kind in kinds]
    )
    assert doubted(PromptText.of(source), found) is None


@given(st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=len(NAMES)), st.data())
def test_one_wrong_value_is_doubted(kinds: list[str], data: st.DataObject) -> None:
    source, found = template(kinds)
    place = data.draw(st.integers(0, len(kinds) - 1))
    fields = [*found.fields]
    fields[place] = replace(fields[place], schema=FACTS[kinds[place]][2])
    why = doubted(PromptText.of(source), replace(found, fields=tuple(fields)))
    assert why is not None
    assert f"line {place + 3}:" in why
    assert f"/{NAMES[place]}" in why


@given(st.lists(st.sampled_from(sorted(FACTS)), min_size=3, max_size=len(NAMES)), st.data())
def test_a_key_that_is_left_out_is_doubted(kinds: list[str], data: st.DataObject) -> None:
    source, found = template(kinds)
    fields = [*found.fields]
    left = fields.pop(data.draw(st.integers(0, len(kinds) - 1)))
    assert f"{left.name!r}" in (doubted(PromptText.of(source), replace(found, fields=tuple(fields))) or "")


def test_a_form_of_text_is_not_doubted() -> None:
    """What it says of its parts stays in the prompt."""
    form = Inferred((Field("mood", {"type": "string"}, "a label"),), whole="labels")
    assert doubted(PromptText.of("Answer so:\nMood: up or down\n"), form) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"note": "<text>",\n "total": "the sum"}\n"total" is your mark, an integer from 0 (bad) to 100 (good).',
            "/total",
        ),
        ('{"quiz": [{"ask": "...", "right": "..."}]}\n`right` is the letter: A, B or C.', "without labels"),
    ],
)
def test_what_was_read_wrongly_is_refused(text: str, said: str) -> None:
    found = infer(f"Read the logbook and return JSON:\n{text}\n\n{{{{ log }}}}")
    assert not found.fields
    assert said in found.problems[0]


def test_a_list_that_a_key_shows_and_labels_that_are_numbers() -> None:
    text = "Return ONLY a JSON object with:\n- holes: [string]\n- depth: (integer) one of 3, 2, or 1.\n{{ log }}"
    assert infer(text).schema()["properties"] == {
        "holes": {"type": "array", "items": {"type": "string"}},
        "depth": {"type": "integer", "enum": [3, 2, 1]},
    }
