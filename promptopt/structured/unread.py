"""Why a prompt is not read: its form is in a variable, a branch or beside the JSON, or names what no reader understands; with its line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptopt.structured.completeness import values_of
from promptopt.structured.fields import MASK, Field, Inferred, PromptText
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import shortened

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


_NOTHING = "the prompt names no labels, keys or sections for its answers"
_WRITE = r"(?:return|respond|reply|output|answer|provide|produce|give|generate|format\w*|response|result|write)"
_NOT = re.compile(r"(?:\b(?:not|never|no|without|avoid|instead of)\b|n['’]t\b)[^.\n]{0,30}\Z", re.IGNORECASE)
_SEEN = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), meaning)
    for pattern, meaning in (
        (rf"\b{_WRITE}\b[^.\n]{{0,60}}\bjson\b|\bjson (?:object|array|list|format|file|schema)\b", "asks for JSON, whose keys were not read"),
        (rf"\b{_WRITE}\b[^.\n]{{0,60}}\b(?:keys|fields|properties)\b[^.\n]{{0,40}}|\b(?:with|following|these) (?:keys|fields|properties)\b[^.\n]{{0,40}}", "names keys, which were not read"),
        (rf"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*\**[A-Za-z][\w /]{{1,30}}\**:\**[ \t]*(?:[<\[(][^\n{MASK}]*|\$\w+)?\n(?:[ \t]*\n)?[ \t]*(?:[-*•]|\d+[.)])?[ \t]*\**[A-Za-z][\w /]{{1,30}}\**:\**[ \t]*(?:[<\[(][^\n{MASK}]*|\$\w+)?$", "are labels of lines, which were not read"),
        (r"^[^\n]*\b(?:output|provide|return|include|report|answer|respon\w+)\b[^\n]*:[ \t*]*\n\s*(?:[-*•]|\d+[.)])[ \t]+\*\*[A-Z][\w /&-]{2,40}:?\*\*", "leads to parts of the answer, which were not read"),
        (r"\b(?:sections|headings)\b[^.\n]{0,30}:[ \t]*$|\b(?:these|following|exact) (?:\w+ )?(?:sections|headings)\b", "names sections, which were not read"),
        (rf"\b{_WRITE}\b[^.\n]{{0,60}}?(?:\b(?:true|false) (?:if|when)\b|\b(?:yes|true)\W{{1,3}}(?:or|and)?\W{{0,3}}(?:no|false)\b)[^.\n]{{0,30}}", "names what the answer may be, and was not read"),
        (r"\bone of (?:the|these|three|four|five|two)\b[^.\n]{0,40}|\b(?:classify|categori[sz]e)\b[^.\n]{0,60}|\b(?:categories|labels|classes|options)\b[^.\n]{0,20}:", "speaks of labels, which were not read"),
        (r"\b(?:rate|score|scale|grade|rating|percentage|probability)\b[^.\n]{0,40}\d+ ?(?:-|–|to|and) ?\d+", "is a scale, which was not read"),
        (rf"\b{_WRITE}\b[^.\n]{{0,40}}\b(?:lists? of|comma[- ]separated|one per line)\b[^.\n]{{0,30}}|\b{_WRITE} (?:exactly |up to |at least )?(?:\d+|two|three|four|five|ten) [a-z]+s\b", "asks for a list, which was not read"),
        (rf"\b{_WRITE}\b[^.\n]{{0,30}}\b(?:followed by|and then)\b[^.\n]{{0,40}}", "asks for several parts, which were not read"),
    )
)  # fmt: skip


def why_unread(document: PromptText) -> str:
    """What the prompt names that no reader understands, or that it names nothing."""
    text = instructions(document, Inferred())
    for pattern, meaning in _SEEN:
        for match in pattern.finditer(text):
            line_start = text.rfind("\n", 0, match.start()) + 1
            if MASK not in match[0] and not _NOT.search(text, line_start, match.start()):
                start = match.end() - len(match[0].lstrip())
                return f"line {document.line(start)}: {shortened(match[0])!r} {meaning}"
    return _NOTHING
