"""The greatest length of texts, where a prompt says it beside their keys: "title (max 60 characters)"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import PromptText
from promptopt.structured.prose.beside_keys import beside_key

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
    if not _CHARACTERS.search(document.text):
        return dict(schema)
    return _visited(schema, "", document.text)


def _visited(schema: Mapping[str, Any], name: str, text: str) -> dict[str, Any]:
    node = dict(schema)
    items = node.get("items")
    if isinstance(node.get("properties"), Mapping):
        node["properties"] = {key: _visited(child, key, text) for key, child in node["properties"].items()}
    elif isinstance(items, Mapping):
        node["items"] = (
            _with_length(items, name, text, each=True) if _is_free_text(items) else _visited(items, "", text)
        )
    return _with_length(node, name, text, each=False)


def _with_length(node: Mapping[str, Any], name: str, text: str, *, each: bool) -> dict[str, Any]:
    """A free text with the length that is said of its key.

    Args:
        each: Whether it is the item of a list, of which each has the length.
    """
    most = _said_of(name, text, each=each) if name and _is_free_text(node) else None
    return dict(node) if most is None else {**node, "maxLength": most}


def _is_free_text(node: Mapping[str, Any]) -> bool:
    bounded = {"enum", "format", "pattern", "maxLength"} & set(node)
    return node.get("type") in ("string", ["string", "null"]) and not bounded


def _said_of(name: str, text: str, *, each: bool) -> int | None:
    """The one length that is said of a key."""
    found: set[int] = set()
    for place in beside_key(name, text, _SAYS, most=_FAR):
        before = text[max(text.rfind(sign, 0, place.start()) for sign in ("\n", ". ")) + 1 : place.start()]
        of_each = _EACH.search(before) or _EACH.search(place["said"])
        if not _ABOUT.search(place["said"]) and bool(of_each) == each:
            found |= {int(length["most"] or length["after"]) for length in _CHARACTERS.finditer(place["said"])}
    return found.pop() if len(found) == 1 and 0 not in found else None
