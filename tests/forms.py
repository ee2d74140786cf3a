"""Schemas in one line, as lists of forms in YAML have them."""

from collections.abc import Mapping
from typing import Any

_SHORT = {"string": "str", "integer": "int", "number": "num", "boolean": "bool"}


def short(schema: Mapping[str, Any]) -> str:
    """A schema in one line: ``[{tag sharp|flat, at int 0..9}] 1..3``."""
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    if schema.get("type") == "object":
        return "{" + ", ".join(f"{key} {short(child)}" for key, child in schema["properties"].items()) + "}"
    if "items" in schema:
        counted = {"minItems", "maxItems"} & set(schema)
        counts = f" {schema.get('minItems', '')}..{schema.get('maxItems', '')}" if counted else ""
        return f"[{short(schema['items'])}]{counts}"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    bounds = f" {schema['minimum']}..{schema['maximum']}" if "minimum" in schema else ""
    return "|".join(_SHORT.get(kind, kind) for kind in kinds) + bounds
