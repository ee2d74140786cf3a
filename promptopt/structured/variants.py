"""JSON that a prompt shows several times, and beside it in words: the labels of one, the fields that the other lacks."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptopt.structured.fields import PromptText, UnreadForm
from promptopt.structured.json_blocks import OR, Block

_SHORT = re.compile(r"[A-Za-z][\w-]*(?: [\w-]+){0,2}")
# "- **due_date**: the date of the payment"
_DESCRIBED = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+(?:\*\*|`|\*\*`)(?P<name>[a-z]\w*)(?:\*\*|`|`\*\*)[ \t]*(?:\([^()\n]*\))?[ \t]*:",
    re.MULTILINE,
)
# A list of descriptions is one of the answer's fields if this many of them are keys of its JSON.
_LEAST = 3


def with_variants(document: PromptText, schema: dict[str, Any], blocks: Sequence[Block]) -> dict[str, Any]:
    """The schema with the labels of a key that differs in templates joined by "or".

    ``{"level": "low"} or {"level": "high"}`` lists all there is; examples are some of many and list nothing.
    """
    if len(blocks) < 2 or blocks[0].example or "properties" not in schema:
        return schema
    for one, other in itertools.pairwise(blocks):
        if not OR.fullmatch(document.text[one.span.end : other.span.start]):
            return schema
    try:
        shown = [json.loads(document.text[block.span.start : block.span.end]) for block in blocks]
    except ValueError:
        return schema
    properties = dict(schema["properties"])
    for name, child in properties.items():
        values = [value.get(name) for value in shown]
        labels = [value for value in values if isinstance(value, str) and _SHORT.fullmatch(value)]
        if child.get("type") == "string" and len(labels) == len(values) == len(set(labels)):
            properties[name] = {"type": "string", "enum": labels}
    return {**schema, "properties": properties}


def check_described(document: PromptText, schema: Mapping[str, Any]) -> None:
    """Raises UnreadForm if the prose describes a field of the answer that its JSON has no key for."""
    keys = set(_keys(schema))
    described = list(_DESCRIBED.finditer(document.text))
    if sum(match["name"] in keys for match in described) < _LEAST:
        return
    for match in described:
        # A plain word in bold may be a topic; one with an underscore is a key.
        if "_" in match["name"] and match["name"] not in keys:
            line = document.line(match.start("name"))
            raise UnreadForm(f"line {line}: {match['name']!r} is described, and the JSON of the answer has no such key")


def _keys(schema: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name, child in schema.get("properties", {}).items():
        found += [name, *_keys(child)]
    return found + (_keys(schema["items"]) if isinstance(schema.get("items"), Mapping) else [])
