"""Which field of an answer a suite scores: the one that nothing else may be, or none."""

from typing import Any

import pytest

from promptopt.structured.build import structure
from promptopt.structured.fields import Field
from promptopt.structured.proposal import Options
from promptopt.structured.scored_field import may_be_scored
from promptopt.templates import load_prompt

LABELS = {"type": "string", "enum": ["a", "b"]}
TEXT = {"type": "string"}
NUMBER = {"type": "number"}


@pytest.mark.parametrize(
    ("fields", "scored"),
    [
        ({"reason": TEXT, "crop": LABELS, "share": NUMBER}, ["crop"]),
        ({"crop": LABELS, "state": LABELS, "share": NUMBER}, ["crop", "state"]),
        ({"crop": LABELS, "confidence": NUMBER}, ["crop"]),
        ({"note": TEXT, "verdict": TEXT}, ["verdict"]),
        ({"note": TEXT, "share": NUMBER}, ["share"]),
        ({"name": TEXT, "port": TEXT}, ["name", "port"]),
        ({"reasoning": TEXT, "port": TEXT}, ["port"]),
    ],
)
def test_what_may_be_scored(fields: dict[str, Any], scored: list[str]) -> None:
    found = may_be_scored([Field(name, schema, "the test") for name, schema in fields.items()])
    assert [item.name for item in found] == scored


PROMPT = 'Read the note. Return {"crop": "rye" | "oat", "state": "dry" | "wet"}\n\n{{ note }}\n'


@pytest.mark.parametrize("form", ["text", "schema"])
def test_of_two_labels_none_is_guessed(tmp_path: Any, form: Any) -> None:
    (tmp_path / "crops.j2").write_text(PROMPT)
    template = load_prompt(tmp_path / "crops.j2")
    made = structure(template, options=Options(form=form))
    assert made.answer is None
    assert "answer: is not set; name what a suite scores, if one does (crop, state)" in made.notes
    told = structure(template, options=Options(form=form, labels=("dry", "wet")))
    assert told.answer == "/state"
    assert not any("answer: is not set" in note for note in told.notes)
