"""The greatest length of texts, where a prompt says it beside their keys: "title (max 60 characters)"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import PromptText
from promptopt.structured.prose.beside_keys import beside_key
from promptopt.structured.prose.each_value import is_open_text, with_each_value

_CHARACTERS = re.compile(
    r"\b(?:max(?:imum)?\.?(?: of| length:?(?: of)?)?|up to|at most|under|below|(?:less|fewer) than|no (?:more|longer) than|not (?:more|longer) than|not exceeding|within|limited to|limit(?:ed)?:?(?: to)?|≤|<=)[ ~]*"
    r"(?P<most>\d{1,5})[ -]?(?:characters?|chars?)\b|(?<![\d.,])(?P<after>\d{1,5})[ -]?(?:characters?|chars?) (?:max(?:imum)?|at most|or (?:less|fewer)|limit)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"\b(?:about|around|approximately|roughly|approx\.?|ideally)\b|~", re.IGNORECASE)
_EACH = re.compile(r"\b(?:each|every|per (?:item|entry|line|element))\b", re.IGNORECASE)
# What follows a key and is said of it
_SAYS = re.compile(
    r"[\"'`*_]*(?:\s*(?:[:=(,–—-]|(?:is|must|should|has to|as|max|up to|at most|of (?:max|up to|at most|no more than))\b)|[ \t]{2,}\w|\t)",
    re.IGNORECASE,
)
_FAR = 160


def with_lengths(document: PromptText, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema whose texts have ``maxLength``, in characters, where the prompt says one beside the key and no other."""
    text = document.text
    if not _CHARACTERS.search(text):
        return dict(schema)

    def bounded(name: str, node: dict[str, Any], lists: int) -> dict[str, Any]:
        free = name and lists < _NESTED and is_open_text(node) and "maxLength" not in node
        # What is said of a list's key may be said of the whole list.
        most = _said_of(name, text, each=lists > 0) if free else None
        return node if most is None else {**node, "maxLength": most}

    return with_each_value(schema, bounded)


_NESTED = 2


def _said_of(name: str, text: str, *, each: bool) -> int | None:
    """The one length that is said of a key."""
    found: set[int] = set()
    for place in beside_key(name, text, _SAYS, most=_FAR):
        before = text[max(text.rfind(sign, 0, place.start()) for sign in ("\n", ". ")) + 1 : place.start()]
        of_each = _EACH.search(before) or _EACH.search(place["said"])
        if not _ABOUT.search(place["said"]) and bool(of_each) == each:
            found |= {int(length["most"] or length["after"]) for length in _CHARACTERS.finditer(place["said"])}
    return found.pop() if len(found) == 1 and 0 not in found else None
