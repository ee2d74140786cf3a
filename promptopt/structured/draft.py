"""A form that was read and is doubted, as a file: its author corrects it and names it with ``--schema``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from promptopt.errors import SchemaError, UsageError
from promptopt.files import show_path, write_new
from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.guard.rules import doubted
from promptopt.structured.infer import infer
from promptopt.templates import Template


@dataclass(frozen=True, slots=True)
class FormDraft:
    """What was read of a form.

    Attributes:
        path: The file that has it.
        form: The fields.
        doubts: Why it is no proposal, each with its line; empty if nothing doubts it.
    """

    path: str
    form: Inferred
    doubts: tuple[str, ...]


def write_draft(template: Template, path: Path) -> FormDraft:
    """Writes the schema that a prompt's words seem to ask for, with what doubts it in ``$comment``.

    Raises:
        SchemaError: Nothing was read, or the file cannot be written.
        UsageError: The file exists.
    """
    found = infer(template.source, examples=False)
    form = found if found.fields else found.doubted
    if form is None:
        raise SchemaError(
            f"nothing was read of the form of the answer: {'; '.join(found.problems)}",
            path=template.path,
            remedy="let a model read it: --ask MODEL; or name it: --schema FILE, --schema module:Model",
        )
    if path.exists():
        raise UsageError(f"{show_path(path)} exists already; it is not overwritten")
    # One doubt refuses a form; who corrects it is told of the proof that it lacks too.
    unproved = doubted(PromptText.of(template.source, examples=False), form) if found.problems else None
    doubts = tuple(dict.fromkeys((*found.problems, *([unproved] if unproved else []))))
    said = f"read from {template.origin.label}" + "".join(f"; {doubt}" for doubt in doubts)
    text = json.dumps({"$comment": said, **form.schema()}, indent=2, ensure_ascii=False)
    write_new(path, text + "\n", SchemaError)
    return FormDraft(show_path(path), form, doubts)
