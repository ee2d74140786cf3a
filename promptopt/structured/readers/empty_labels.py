"""Labels of an answer in text with nothing after them: "Reasoning:", and below it "Score:"; the prose has to say what they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from promptopt.structured.fields import BOUNDARY, Field, PromptText, UnreadForm, begin_of
from promptopt.structured.prose.label_items import items_at
from promptopt.structured.prose.wording import ranged_number
from promptopt.structured.readers.labelled import Found, read_pattern

# What is a text wherever it is a label with nothing after it.
_TEXTS = re.compile(
    r"(?:\w+_)?(?:reasoning|reasons?|explanation|rationale|justification|feedback|analysis|summary|comments?|critique|title|thought|thoughts|advice|suggestion)",
)
_LEADS = re.compile(r"\b(?:one of|from|either|choose|pick|select)\b[^.:\n]{0,40}\Z|\b(?:one of)\b", re.IGNORECASE)
_IS = re.compile(
    r"\s*(?:(?:is|are|must be|should be|can be|will be|has to be|as|in|from|out of)\b|[:=–—-]|\()?\s*(?:(?:exactly )?one of|either|chosen from|from)?\b\s*:?\s*",
    re.IGNORECASE,
)


def with_told(document: PromptText, found: Sequence[Found]) -> list[Found]:
    """The labels of a form that has nothing after its labels, each with what the prose says of it; others as they are.

    Raises:
        UnreadForm: Nothing says what one of them holds.
    """
    empty = [document.text[span.start : span.end].rstrip(" \t*_`\n").endswith(":") for _, span in found]
    if not all(empty):
        return list(found)
    prose = document.without(span for _, span in found)
    known = [(_told(prose, field), span) for field, span in found]
    for field, _ in known:
        if not {"enum", "minimum"} & set(field.schema) and not _TEXTS.fullmatch(field.name):
            raise UnreadForm(f"line {field.line}: nothing says what belongs after {field.name!r}")
    return known


def _told(prose: str, field: Field) -> Field:
    """A label with the one list or range that a sentence says of its name."""
    if {"enum", "minimum"} & set(field.schema):
        return field
    name = re.escape(field.name).replace("_", r"[ _-]")
    said = [
        schema
        for match in re.finditer(rf"(?<![\w-]){name}s?(?![\w-])", prose, re.IGNORECASE)
        if (schema := _said(prose, match))
    ]
    if not said or any(other != said[0] for other in said):
        return field
    pattern = (field.pattern or "").replace(read_pattern(field.schema), read_pattern(said[0]))
    return replace(field, schema=said[0], pattern=pattern or None)


def _said(prose: str, match: re.Match[str]) -> dict[str, Any]:
    """What comes after a name: labels that are set against each other, or a range."""
    begin = begin_of(prose, match.start(), (". ", "\n", BOUNDARY))
    end = re.compile(r"\.\s|\n|\Z").search(prose, match.end())
    rest = prose[match.end() : end.start() if end else len(prose)]
    start = _IS.match(rest)
    words = rest[start.end() if start else 0 :]
    if re.match(r"(?:a |an )?(?:whole number|integer|number|float|between|-?\d)", words, re.IGNORECASE):
        return ranged_number(
            f"number {words}" if not words.lower().startswith(("whole", "a whole", "an int", "int")) else words
        )
    items = items_at(re.sub(r"\s*\([^()\n]*\)", "", words).rstrip(".") + "\n", 0)
    if not items:
        return {}
    chosen = _LEADS.search(prose[begin : match.start()]) or (
        start and re.search(r"one of|either|from", start[0], re.IGNORECASE)
    )
    against = any(item.joint in ("or", "/", "|") for item in items)
    bare = re.sub(r"\s*\([^()\n]*\)", "", words)
    labels = [item.said(bare) for item in items]
    short = all(len(label.split()) <= _LONGEST for label in labels)
    return (
        {"type": "string", "enum": labels} if (chosen or against) and short and len(set(labels)) == len(labels) else {}
    )


_LONGEST = 3
