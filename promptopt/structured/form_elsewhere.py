"""Where a form is that no reader sees: in a variable, in a branch of the template, or in a part beside the JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptopt.structured.completeness import values_of
from promptopt.structured.fields import Field, PromptText

_SCHEMA_VARIABLE = re.compile(
    r"\{[\w.]*(?:schema|format_instructions?|output_format|response_format)[\w.]*\}|\{\{-?\s*[\w.]*(?:schema|format_instructions?"
    r"|output_format|response_format)[\w.]*",
    re.IGNORECASE,
)


_FORMAT_VARIABLE = re.compile(
    r"\{[\w.]*(?:format_instructions?|output_format|response_format)[\w.]*\}|\{\{-?\s*[\w.]*(?:format_instructions?|output_format|response_format)[\w.]*",
    re.IGNORECASE,
)


def format_in_variable(document: PromptText) -> str | None:
    """Where a variable holds the order of how to answer, whatever else the prompt shows; ``None`` if none does."""
    variable = _FORMAT_VARIABLE.search(document.source)
    if variable is None:
        return None
    line = document.source.count("\n", 0, variable.start()) + 1
    return f"line {line}: the form of the answer is in a variable of the template"


# "**Database schema:**" and below it what the data look like
_OF_DATA = re.compile(
    r"\b(?:database|db|sql|tables?|dataset|data|input|graph)\b[^\n]{0,30}:?[*\s`\"']*\Z", re.IGNORECASE
)


def form_in_variable(document: PromptText) -> str | None:
    """Where a variable holds the form of the answer; ``None`` if none does."""
    for variable in _SCHEMA_VARIABLE.finditer(document.source):
        if not _OF_DATA.search(document.source[max(0, variable.start() - 60) : variable.start()]):
            line = document.source.count("\n", 0, variable.start()) + 1
            return f"line {line}: the form of the answer is in a variable of the template"
    return None


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
