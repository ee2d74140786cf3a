"""A schema with each of its values changed, by the key that holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

ValueChange = Callable[[str, dict[str, Any], int], dict[str, Any]]
"""Gets the key of a value (empty if it has none), its schema, and how many lists are between both."""


def with_each_value(schema: Mapping[str, Any], change: ValueChange, name: str = "", lists: int = 0) -> dict[str, Any]:
    """A schema with each value that is no object and no list changed.

    Args:
        name: The key that holds the schema.
        lists: The lists of that key that it is in.
    """
    node = dict(schema)
    if isinstance(node.get("properties"), Mapping):
        children = node["properties"].items()
        return {**node, "properties": {key: with_each_value(child, change, key) for key, child in children}}
    if isinstance(node.get("items"), Mapping):
        return {**node, "items": with_each_value(node["items"], change, name, lists + 1)}
    return change(name, node, lists)


def is_open_text(node: Mapping[str, Any]) -> bool:
    """Whether a value is a text, or null, of which the schema says no labels and no form."""
    return node.get("type") in ("string", ["string", "null"]) and not {"enum", "format", "pattern"} & set(node)
