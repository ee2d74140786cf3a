"""Where a form is that no reader sees: in a variable, in a branch of the template, or in a part beside the JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptopt.structured.completeness import values_of
from promptopt.structured.fields import Field, PromptText

_ORDER_OF_FORM = "format_instructions?|output_format|response_format"


def _variable_called(names: str) -> re.Pattern[str]:
    """A variable of a template, or of some other code, with one of some names."""
    return re.compile(rf"\{{[\w.]*(?:{names})[\w.]*\}}|\{{\{{-?\s*[\w.]*(?:{names})[\w.]*", re.IGNORECASE)


_FORMAT_VARIABLE = _variable_called(_ORDER_OF_FORM)
_SCHEMA_VARIABLE = _variable_called(f"schema|{_ORDER_OF_FORM}")
# "**Database schema:**" and below it what the data look like
_OF_DATA = re.compile(
    r"\b(?:database|db|sql|tables?|dataset|data|input|graph)\b[^\n]{0,30}:?[*\s`\"']*\Z", re.IGNORECASE
)


def format_in_variable(document: PromptText) -> str | None:
    """Where a variable holds the order of how to answer, whatever else the prompt shows; ``None`` if none does."""
    return next((_said_at(document, variable) for variable in _FORMAT_VARIABLE.finditer(document.source)), None)


def form_in_variable(document: PromptText) -> str | None:
    """Where a variable holds the form of the answer; ``None`` if none does."""
    for variable in _SCHEMA_VARIABLE.finditer(document.source):
        if not _OF_DATA.search(document.source[max(0, variable.start() - 60) : variable.start()]):
            return _said_at(document, variable)
    return None


def _said_at(document: PromptText, variable: re.Match[str]) -> str:
    line = document.source.count("\n", 0, variable.start()) + 1
    return f"line {line}: the form of the answer is in a variable of the template"


# Where an answer's JSON is shown under a label; what it says is not read if it is in a branch or in a raw block.
_SHOWN_JSON = re.compile(
    r"\b(?:outputs?|answer|respon[ds]e?|reply|result|assistant|return|for example)\b[^\n{]{0,60}?:?\W*?(?:```\w*\s*)?\{+\s*[\"'](?P<key>\w[\w -]*)[\"']\s*:",
    re.IGNORECASE,
)
# "THOUGHT: <THOUGHT>", and then the JSON.
_PART = re.compile(
    r"^[ \t*#]*(?P<name>thoughts?|thinking|reasoning|analysis|explanation|rationale|scratchpad)[ \t*]*:[ \t*]*\n?[ \t]*(?:[<\[({]|\.\.\.)",
    re.IGNORECASE | re.MULTILINE,
)


def unread_json(document: PromptText, fields: Sequence[Field]) -> str | None:
    """Where the source shows an answer in JSON that no reader saw; ``None`` if it does not, or has the same keys."""
    known = {word.lower() for item in fields for word in values_of(item.schema, item.name)}
    shown = next((match for match in _SHOWN_JSON.finditer(document.source) if match["key"].lower() not in known), None)
    if shown is None:
        return None
    line = document.source.count("\n", 0, shown.start("key")) + 1
    return f"line {line}: an answer is shown as JSON with the key {shown['key']!r}, which is not read"


def part_beside(document: PromptText, fields: Sequence[Field]) -> str | None:
    """A part with a label that comes beside the JSON of an answer; ``None`` if there is none."""
    known = {item.name.lower() for item in fields}
    for match in _PART.finditer(document.text):
        if match["name"].lower() not in known:
            return (
                f"line {document.line(match.start('name'))}: {match['name']!r} is a part of the answer beside its JSON"
            )
    return None
