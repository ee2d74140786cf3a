"""The greatest length of texts, where a prompt says it beside their keys: "title (max 60 characters)"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import PromptText

_CHARACTERS = re.compile(
    r"\b(?:max(?:imum)?\.?(?: of| length:?(?: of)?)?|up to|at most|no (?:more|longer) than|not (?:more|longer) than|not exceeding|within|limited to|limit(?:ed)?:?(?: to)?|≤|<=)[ ~]*"
    r"(?P<most>\d{1,5})[ -]?(?:characters?|chars?)\b|(?<![\d.,])(?P<after>\d{1,5})[ -]?(?:characters?|chars?) (?:max(?:imum)?|at most|or (?:less|fewer)|limit)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"\b(?:about|around|approximately|roughly|approx\.?|ideally|each)\b|~", re.IGNORECASE)
_STOP = re.compile(r"\n|;|(?<=[\w)}\"'])\.\s|[,}]\s*[\"'`*]|\band [\"'`]")
_FAR = 160


def with_lengths(document: PromptText, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema whose texts have ``maxLength``, in characters, where the prompt says one beside the key and no other."""
    if not _CHARACTERS.search(document.text):
        return dict(schema)
    return _visited(schema, "", document.text)


def _visited(schema: Mapping[str, Any], name: str, text: str) -> dict[str, Any]:
    node = dict(schema)
    if isinstance(node.get("properties"), Mapping):
        node["properties"] = {key: _visited(child, key, text) for key, child in node["properties"].items()}
    elif isinstance(node.get("items"), Mapping):
        # What is said of a list's key may be said of the whole list.
        node["items"] = _visited(node["items"], "", text)
    elif name and _is_free_text(node) and (most := _said_of(name, text)):
        node["maxLength"] = most
    return node


def _is_free_text(node: Mapping[str, Any]) -> bool:
    return node.get("type") in ("string", ["string", "null"]) and not {"enum", "format", "pattern", "maxLength"} & set(
        node
    )


def _said_of(name: str, text: str) -> int | None:
    """The one length that is said of a key."""
    found: set[int] = set()
    for match in re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
        stop = _STOP.search(text, match.end() + 1)
        said = text[match.end() : min(stop.start() if stop else len(text), match.end() + _FAR)]
        if re.match(r"[\"'`*_]*\s*(?:[:=(,–—-]|(?:is|must|should|has to|as)\b)", said) is None or _ABOUT.search(said):
            continue
        found |= {int(length["most"] or length["after"]) for length in _CHARACTERS.finditer(said)}
    return found.pop() if len(found) == 1 and 0 not in found else None
