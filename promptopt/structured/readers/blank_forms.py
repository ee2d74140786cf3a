"""Forms to fill in: labels with nothing after them, names one a line below an order to extract them, criteria to score."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from promptopt.structured.completeness import wants_json
from promptopt.structured.fields import (
    BOUNDARY,
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    UnreadForm,
    begin_of,
    conditional,
    conditional_part,
    field_name,
)
from promptopt.structured.prose.described import described
from promptopt.structured.prose.key_statements import stated_in_lines
from promptopt.structured.prose.label_items import items_at
from promptopt.structured.prose.wording import number_range, ranged_number
from promptopt.structured.readers.labelled import Found, read_pattern
from promptopt.structured.witness.instructions import instructions

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


_FEWEST = 3
_ORDER = re.compile(
    r"(?:\A|[.!?:]\s+|\n)[ \t]*(?:please |now |and )?(?:extract|find|get|pull out|identify|fill|return|give|provide|output|collect|list)\b[^\n]*[.:][*_ \t]*\n\s*\Z",
    re.IGNORECASE,
)
_EMPTY = re.compile(r"^[a-z]\w*:[ \t]*$", re.MULTILINE)
_FIRST = re.compile(r"(?<=\n)[a-z]\w*:[^\n]*$", re.MULTILINE)


def form_lines(document: PromptText) -> Inferred | None:
    """The names of the only such form as keys; ``None`` if there is none, or a line says what is not read."""
    text = document.text
    found = []
    begin = end = 0
    for match in _FIRST.finditer(text):
        order = _ORDER.search(text, max(0, match.start() - 300), match.start())
        if match.start() < end or order is None:
            continue
        stated = stated_in_lines(text, match.start())
        if len(stated) >= _FEWEST:
            found.append(stated)
            begin = order.start()
            end = stated[-1].end
    if len(found) != 1 or wants_json(document):
        return None
    span = Span(found[0][0].start, found[0][-1].end)
    lines = text[span.start : span.end]
    if len(_EMPTY.findall(lines)) * 2 < len(found[0]) or MASK in lines or _EMPTY.search(text, span.end + 1):
        return None
    fields = []
    for one in found[0]:
        line = document.line(one.start)
        schema = described(one.name, one.said)
        if schema is None:
            return None
        fields.append(Field(one.name, schema, f"line of a form, line {line}", line))
    return conditional(document, span) or Inferred(tuple(fields), covered=(Span(begin, span.end),), whole="keys")


LIST_ITEM = r"[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+[*_]*"
_NAME = r"[A-Z][A-Za-z]*(?: [A-Za-z]+){0,3}"
# "Score from 0-5 on:", and below it one name a line
_LISTED = re.compile(
    rf"\b(?:score|rate|grade)\b[^.\n]{{0,40}}?\bfrom (?P<low>\d{{1,3}})\s?(?:-|–|to)\s?(?P<high>\d{{1,3}})\b[^.\n]{{0,20}}\b(?:on|for)\b[^.\n]{{0,40}}:[*_ \t]*\n(?P<items>(?:{LIST_ITEM}{_NAME}[*_ \t]*\n?){{2,}})",
    re.IGNORECASE,
)
# "1. Faithfulness (0-10): Does the answer ..."
_RANGED = re.compile(
    rf"^{LIST_ITEM}(?P<name>{_NAME})[*_]*[ \t]*\((?P<low>\d{{1,3}})[ \t]*(?:-|–|to)[ \t]*(?P<high>\d{{1,3}})\)[*_]*(?::[^\n]*)?$",
    re.MULTILINE,
)
_SCORES = re.compile(
    r"\b(?:provide|give|return|output|report)\b (?:me )?(?:your |the |all |an? )*(?:\w+ )?(?:scores|ratings|grades)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"\b(?:give|provide|write|include|add|and|with)\b (?:an? |your |the |some )?(?:short |brief |concise |one-sentence |detailed |overall )?(?P<part>feedback|explanation|justification|rationale|comment)\b",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:overall|total|average|final|weighted) (?:score|rating|grade)\b|\b(?:each|every) (?:score|rating|criterion|dimension)\b|\bfor each\b|\bformats?\b|\btemplate\b|\b(?:sum|average|mean|total|only|just)\b",
    re.IGNORECASE,
)


def criteria_scores(document: PromptText) -> Inferred | None:
    """A number for each criterion of a list, and a text if one is asked for; ``None`` if the form is another one."""
    text = instructions(document, Inferred())
    if wants_json(document) or _MORE.search(text):
        return None
    found: list[tuple[str, str, str, int]] = []
    if listed := _LISTED.search(text):
        names = re.findall(rf"^{LIST_ITEM}({_NAME})[*_ \t]*$", listed["items"], re.MULTILINE)
        found = [(name, listed["low"], listed["high"], listed.start()) for name in names]
        span = Span(*listed.span())
    elif _SCORES.search(text) and (ranged := list(_RANGED.finditer(text))):
        found = [(one["name"], one["low"], one["high"], one.start()) for one in ranged]
        span = Span(ranged[0].start(), ranged[-1].end())
    fields = [
        Field(
            field_name(name),
            number_range(low, high),
            f"criteria in the prose, line {document.line(at)}",
            document.line(at),
        )
        for name, low, high, at in found
    ]
    if len({item.name for item in fields}) < max(2, len(fields)) or not all(item.schema for item in fields):
        return None
    if bad := conditional_part(document, [span]):
        return bad
    covered = [span]
    for words in _WORDS.finditer(text):
        if MASK not in words[0] and words["part"].lower() not in {item.name for item in fields}:
            line = document.line(words.start())
            fields.append(Field(words["part"].lower(), {"type": "string"}, f"asked for in line {line}", line))
            covered.append(Span(*words.span()))
            break
    return Inferred(tuple(fields), covered=tuple(covered), whole="sections")
