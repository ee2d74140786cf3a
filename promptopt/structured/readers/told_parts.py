"""A short list of the parts of an answer below an order to give them: "Return:", and "- rooms: List of the rooms" below it.

Only parts whose value is told plainly are read: labels, a range, a list of texts, or a few words for a text.
"""

from __future__ import annotations

import re
from typing import Any

import regex

from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional, field_name, scan
from promptopt.structured.prose.described import described
from promptopt.structured.prose.said_of_keys import with_most

_LEAD = regex.compile(
    r"(?:^|[.!?]\s+)[ \t]*(?:then |please |now |and )?(?:return|provide|output|respond with|answer with|give|reply with)(?: (?:me|us|only|exactly|the following|these|your answer as|as follows|the answer as|a response with|in this order|(?:two|three|four|five) (?:parts|things|items|fields)))*\s*:[ \t]*\n\s*"
    r"(?P<items>(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+[^\n]+(?:\n|\Z)){2,8})",
    regex.IGNORECASE | regex.MULTILINE,
)
_ITEM = re.compile(
    r"[ \t]*(?:[-*•]|\d+[.)])[ \t]+(?P<open>[*_`\"']*)(?P<name>[A-Za-z][\w ]{0,30}?)[*_`\"']*[ \t]*(?::|[-–—](?=\s))[*_]*[ \t]*(?P<said>[^\n]+)"
)
_LABELS = re.compile(
    r"[\"'`]?[A-Za-z][\w-]*(?: [A-Za-z]\w*)?[\"'`]?(?:\s*[/|]\s*[\"'`]?[A-Za-z][\w-]*(?: [A-Za-z]\w*)?[\"'`]?)+\.?"
)
_LONGEST = 14
# What is more than one plain value.
_COMPOUND = re.compile(
    r"\b(?:each|every|per|along with|together with|as well as|including|with (?:a|an|its|their|the|scores?)|followed by|if|json|table|format|score\w* (?:and|for)|and (?:a|an|its|their|your|why|how|explain|give|provide))\b|:",
    re.IGNORECASE,
)
_WRITES_MORE = re.compile(
    r"\b(?:also|then|finally|additionally|after (?:that|this)|in addition)\b[^.\n]{0,20}\b(?:return|provide|give|write|add|include|list|explain|state|output)\b",
    re.IGNORECASE,
)


def told_parts(document: PromptText) -> Inferred | None:
    """The parts of the only such list; ``None`` if there is none, or one of its parts is not told plainly."""
    blocks = list(scan(_LEAD, document.text))
    if len(blocks) != 1 or MASK in blocks[0][0] or _WRITES_MORE.search(document.text):
        return None
    block = blocks[0]
    after = document.text[block.end() :].lstrip("\n")
    if re.match(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]|[ \t]+\S", after):
        return None  # the list goes on
    fields: list[Field] = []
    start = block.start("items")
    for line in block["items"].splitlines(keepends=True):
        item = _ITEM.fullmatch(line.rstrip("\n"))
        schema = _value(item["name"], item["said"], document) if item else None
        if item is None or not schema or len(item["name"].split()) > 3:
            return None
        number = document.line(start)
        name = item["name"] if re.fullmatch(r"[a-z]\w*", item["name"]) else field_name(item["name"])
        fields.append(Field(name, schema, f"part in the prose, line {number}", number))
        start += len(line)
    span = Span(*block.span())
    if len({field.name for field in fields}) < len(fields):
        return None
    return conditional(document, span) or Inferred(tuple(fields), covered=(span,), whole="keys")


def _value(name: str, said: str, document: PromptText) -> dict[str, Any]:
    """What a part holds; empty if that is not told plainly."""
    said = said.strip()
    if _LABELS.fullmatch(said):
        labels = [part.strip(" \"'`.") for part in re.split(r"[/|]", said)]
        return {"type": "string", "enum": labels} if len(set(labels)) == len(labels) else {}
    if len(said.split()) > _LONGEST or _COMPOUND.search(said):
        return {}
    schema = described(field_name(name), said)
    return with_most(name, schema, document) if schema else {}
