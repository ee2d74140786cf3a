"""A form that was read and is doubted, written as a file that its author corrects."""

import json
from pathlib import Path

import pytest

from promptopt.errors import SchemaError, UsageError
from promptopt.structured.build import structure
from promptopt.structured.draft import write_draft
from promptopt.structured.field_sources import from_schema
from promptopt.templates.names import load_prompt

_DOUBTED = 'Judge the hull.\nLoads go from 0 to 9, winds from 2 to 5.\nReturn {"rust": 0.5, "note": "what you see"}\n'
_CLEAR = 'Judge the hull. Return {"state": "sound|leaky|lost", "note": "what you saw"}\n'


def _prompt(tmp_path: Path, text: str) -> str:
    path = tmp_path / "hull.j2"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_doubted_form_is_written_with_its_doubts(tmp_path: Path) -> None:
    template = load_prompt(_prompt(tmp_path, _DOUBTED))
    with pytest.raises(SchemaError, match="--draft FILE"):
        structure(template)
    draft = write_draft(template, tmp_path / "form.json")
    assert draft.doubts
    written = json.loads((tmp_path / "form.json").read_text(encoding="utf-8"))
    assert list(written["properties"]) == ["rust", "note"]
    assert all(doubt in written["$comment"] for doubt in draft.doubts)


def test_the_corrected_form_is_proposed(tmp_path: Path) -> None:
    template = load_prompt(_prompt(tmp_path, _DOUBTED))
    path = tmp_path / "form.json"
    write_draft(template, path)
    form = json.loads(path.read_text(encoding="utf-8"))
    form["properties"]["rust"] |= {"minimum": 0, "maximum": 9}
    path.write_text(json.dumps(form), encoding="utf-8")
    proposal = structure(template, from_schema(str(path)))
    assert proposal.schema["properties"]["rust"]["maximum"] == 9
    assert "$comment" not in proposal.schema


def test_a_form_that_nothing_doubts_is_written_without_doubts(tmp_path: Path) -> None:
    draft = write_draft(load_prompt(_prompt(tmp_path, _CLEAR)), tmp_path / "form.json")
    assert draft.doubts == ()
    assert [field.name for field in draft.form.fields] == ["state", "note"]


def test_nothing_is_written_where_nothing_was_read(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="nothing was read"):
        write_draft(load_prompt(_prompt(tmp_path, "Tell me of the sea.\n")), tmp_path / "form.json")
    assert not (tmp_path / "form.json").exists()


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "form.json").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not overwritten"):
        write_draft(load_prompt(_prompt(tmp_path, _CLEAR)), tmp_path / "form.json")
    assert (tmp_path / "form.json").read_text(encoding="utf-8") == "mine"
