"""Sentences that say of a part of the answer what its key does not: "Provide the correct answer", "- A: concise answer"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.structured.fields import Inferred

_QUALITY = (
    r"(?:correct|right|brief|short|concise|full|complete|exact|clear|important|main|proper|simple|friendly|detailed)"
)
# Of these words it is the form that is said to be correct or exact.
_OF_FORM = re.compile(r"\b(?:json|format\w*|schema|syntax|markdown|keys?|fields?|structure)\b", re.IGNORECASE)


def names_of(inferred: Inferred) -> frozenset[str]:
    """All keys of a form that was read, at any depth."""
    return frozenset(name for item in inferred.fields for name in (item.name, *_keys(item.schema)))


def _keys(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, child in schema.get("properties", {}).items():
        yield from (name, *_keys(child))
    for inner in (schema.get("items"), *schema.get("anyOf", ())):
        if isinstance(inner, Mapping):
            yield from _keys(inner)


def says_of_part(sentence: str, names: frozenset[str]) -> bool:
    """Whether a sentence says how a part is to be, by a word before its key or after the colon of its line."""
    if not names or _OF_FORM.search(sentence):
        return False
    keys = "|".join(
        re.sub(r"_|(?<=[a-z])(?=[A-Z])", "[ _]", re.escape(name)) for name in sorted(names, key=len, reverse=True)
    )
    line = rf"\W*(?:{keys})\W*[:=–—-]\s[^\n]*?\b{_QUALITY}\b"
    before = rf"\b{_QUALITY}\b(?:,? (?:and )?[\w-]+){{0,2}} (?:{keys})s?\b"
    return re.match(line, sentence, re.IGNORECASE) is not None or re.search(before, sentence, re.IGNORECASE) is not None
