"""The parts of an answer in bold below a heading such as "OUTPUT REQUIREMENTS:": "- **Summary:** what the code does"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import regex

from promptopt.structured.fields import MASK, Field, PromptText, Span, field_name, scan

_BLOCK = regex.compile(
    r"^[ \t#*]*(?:output|response|answer|report) (?:requirements?|sections?|structure|format|parts)[ \t*]*:?[ \t*]*\n\s*(?P<items>(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+\*\*[A-Za-z][\w '’/&-]{1,60}:?\*\*:?[^\n]+(?:\n|\Z)(?:[ \t]*\n(?=[ \t]*(?:[-*•]|\d+[.)])[ \t]+\*\*))?){2,})",
    regex.MULTILINE | regex.IGNORECASE,
)
_ITEM = regex.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+\*\*(?P<name>[A-Za-z][\w '’/&-]{1,60}?):?\*\*:?[ \t]*(?P<said>[^\n]+)$",
    regex.MULTILINE,
)
# How an answer is written, and no part of it.
_MANNER = frozenset(
    [
        "tone",
        "length",
        "language",
        "style",
        "format",
        "audience",
        "voice",
        "clarity",
        "brevity",
        "accuracy",
        "structure",
        "formatting",
        "perspective",
        "word_count",
        "detail",
    ]
)
# A part of a part.
_COMPOUND = re.compile(
    r"\b(?:rate|score|grade|for each|each with|json|table|one of|either)\b|\w\s?/\s?\w|\d\s?(?:-|–|to)\s?\d",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"\A\W*(?:an? )?(?:\w+ )?list of\b|\bbulleted list\b|\bbullet points?\b|\bnumbered list\b", re.IGNORECASE
)


def bold_sections(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """The parts of the one such block, if each is a text or a list of texts."""
    blocks = list(scan(_BLOCK, document.text))
    if len(blocks) != 1:
        return
    items = list(scan(_ITEM, blocks[0]["items"]))
    names = {field_name(item["name"]) for item in items}
    if names & _MANNER or any(_COMPOUND.search(item["said"]) or MASK in item[0] for item in items):
        return
    for item in items:
        start = blocks[0].start("items") + item.start()
        line = document.line(start)
        schema: dict[str, Any] = {"type": "string"}
        if _LIST.search(item["said"]):
            schema = {"type": "array", "items": {"type": "string"}}
        yield (
            Field(field_name(item["name"]), schema, f"section in the prose, line {line}", line),
            Span(start, start + len(item[0])),
        )
