"""What a comment beside a value of a form says of it: labels, a range, a number of items, null, or in words what it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptopt.structured.prose.counts import number_of
from promptopt.structured.prose.wording import (
    AT_MOST,
    LABELS,
    MAY_BE_NULL,
    NUMBER,
    ONE_QUOTED,
    RANGE,
    TO_TEN,
    WORD_LABEL,
    noted_labels,
    number_range,
    or_null,
)

# '"port", "starboard", or "N/A"', and nothing else
_ONLY_QUOTED = re.compile(
    r"\W*{quoted}(?:\s*(?:,\s*(?:or\s+)?|\||/|\bor\b)\s*{quoted})+\W*".format(quoted=ONE_QUOTED.replace("(", "(?:", 1))
)
_AT_LEAST = re.compile(
    rf"\b(?:at least|minimum(?: of)?)\s+(?P<n>\d{{1,3}}|{TO_TEN})\b(?!\s*(?:words|characters|sentences))",
    re.IGNORECASE,
)
_FROM_TO = re.compile(r"\W*(?P<low>\d+)\s*(?:-|–|to)\s*(?P<n>\d{1,3}) (?!words|characters|sentences)[a-z]")
_ELSE_EMPTY = re.compile(r"\b(?:else|otherwise)\s+(?:\"\"|''|\[\])|\bempty (?:string|text|list|array)\b", re.IGNORECASE)


def with_note(schema: Mapping[str, Any], note: str, shown: str = "") -> dict[str, Any]:
    """A value's schema with what a comment beside it says.

    Args:
        shown: The value as the form has it: a comment that lists it with others lists labels.
    """
    labelled = _labelled(schema, note)
    listed = None if labelled else _with_listed(schema, note, shown)
    found = labelled or listed or _bounded(schema, note)
    kind = schema.get("type")
    if kind is None and "enum" not in found and shown.strip().lower() == "null" and (typed := _TYPED.search(note)):
        found["type"] = "integer" if typed["whole"] else "number" if typed["part"] else "string"
    if MAY_BE_NULL.search(note) and not _ELSE_EMPTY.search(note):
        found = or_null(found)
    known = found.pop("description", "")
    said = _SAYS_ALL.fullmatch(note) or (listed and _LISTS_ALL.fullmatch(note))
    note = "" if said else note.strip(" -–—:")
    if not known and not note:
        return found
    return {**found, "description": "; ".join(part for part in (known, note) if part)}


def _labelled(schema: Mapping[str, Any], note: str) -> dict[str, Any] | None:
    """A text with the labels that a comment gives in marks or after "one of"; ``None`` if it gives none."""
    if schema.get("type") not in (None, "string") or "enum" in schema:
        return None
    labels = noted_labels(note)
    if not labels and _ONLY_QUOTED.fullmatch(note):
        labels = list(dict.fromkeys(re.findall(ONE_QUOTED, note)))
    return {"type": "string", "enum": labels} if labels else None


def _bounded(schema: Mapping[str, Any], note: str) -> dict[str, Any]:
    """A value with the number of items, the range or the kind of number that a comment gives it."""
    found = dict(schema)
    kind = found.get("type")
    if kind == "array":
        most, least, span = AT_MOST.search(note), _AT_LEAST.search(note), _FROM_TO.match(note)
        if span and not most:
            low = int(span["low"])
            return found | ({"minItems": low} if low else {}) | {"maxItems": int(span["n"])}
        found |= {"maxItems": number_of(most["n"])} if most else {}
        found |= {"minItems": number_of(least["n"])} if least else {}
    elif kind in ("integer", "number") and (span := RANGE.search(note)):
        found |= {key: value for key, value in number_range(span[1], span[2]).items() if key != "type"}
    elif kind in (None, "integer", "number") and _WHOLE.match(note):
        found["type"] = "integer"
    return found


_WHOLE = re.compile(r"\W*(?:an? )?(?:integer|int|whole number)\b", re.IGNORECASE)
# A comment that has nothing but the labels: words, and signs between them.
_LISTS_ALL = re.compile(r"[\w \"'`“”|/,.-]+")
# What belongs where a form shows null.
_TYPED = re.compile(
    r"\b(?:(?P<whole>integer|int|whole number)|(?P<part>number|float|decimal)|string|text|(?:iso )?date|sentence|name|title|reason|quote|url|link|email)\b",
    re.IGNORECASE,
)
# What the type says already.
_SAYS_ALL = re.compile(r"\W*(?:an? )?(?:integer|int|whole number|string|number)\W*", re.IGNORECASE)
_STRING = re.compile(r"\"(?P<text>[^\"\n]+)\"")
_NULL = re.compile(r"\s*[,;(]?\s*(?:\bor )?\bnull\b[^,;|/]*\Z", re.IGNORECASE)
_ASIDE = re.compile(r"\s*\([^()]*\)")
# The list of a comment goes on, or has samples only.
_OPEN = re.compile(
    r"\b(?:e\.g|etc|such as|like|example|for instance|and so on|others?\s+\w|any|anything|something|whatever)\b|\.\.\.|…",
    re.IGNORECASE,
)
# The last label of a list that has all.
_LAST = frozenset(("other", "none", "unknown", "mixed", "unclear", "neither", "n/a"))
_SHORT = 3
_SURELY = 3


def _with_listed(schema: Mapping[str, Any], note: str, shown: str) -> dict[str, Any] | None:
    """A value whose comment is a list that it is in itself: ``"mail",  // mail, phone, chat``; ``None`` if it is none."""
    if not shown or "enum" in schema or "properties" in schema:
        return None
    shown = shown.strip()
    words = _ASIDE.sub("", _NULL.sub("", note)).strip(" .:")
    parts = [part.strip(" \"'`“”") for part in re.split(r"\s*[|/,]\s*(?:or\s+)?|\s+or\s+", words)]
    if _OPEN.search(note) or len(parts) < 2 or len(set(parts)) < len(parts):
        return None
    kind = schema.get("type")
    if kind == "integer" and shown in parts and all(NUMBER.fullmatch(part) for part in parts):
        return {"type": "integer", "enum": [int(part) for part in parts]} if "." not in words else None
    samples = [match["text"] for match in _STRING.finditer(shown)]
    if samples == ["..."] or shown in ('""', "..."):
        # No sample: the list has to say itself that there is no other one.
        samples = [part for part in parts if part.lower() in _LAST and len(parts) > _SURELY]
    if not samples or not set(samples) <= set(parts) or not _are_labels(parts, words):
        return None
    labelled = {"type": "string", "enum": parts}
    if kind == "array" and schema.get("items", {}).get("type", "string") == "string":
        return {**schema, "items": labelled}
    return labelled if kind in (None, "string") else None


def _are_labels(parts: Sequence[str], words: str) -> bool:
    short = all(WORD_LABEL.fullmatch(part) and len(part.split()) <= _SHORT for part in parts)
    # Of two words that a comma divides one may be a sample of another.
    set_apart = len(parts) >= _SURELY or re.search(r"[|/]|\bor\b", words) is not None
    return short and (set_apart or all(part.lower() in LABELS for part in parts))
