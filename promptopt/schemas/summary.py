"""What a JSON schema allows, in one line for a reader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_MOST_LABELS = 12


def summary(schema: Mapping[str, Any]) -> str:
    """A schema in one line: ``list (1 to 5) of {name: string, kind: pump | valve | null}``.

    Types, labels, ranges, lengths, counts, steps and formats are shown; patterns and descriptions are not. Of more than
    twelve labels the first twelve are shown, with their number.
    """
    if "enum" in schema:
        labels = [_label(label) for label in schema["enum"]]
        more = f" | ... ({len(labels)})" if len(labels) > _MOST_LABELS else ""
        return " | ".join(labels[:_MOST_LABELS]) + more
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return "the whole again" if name == "#" else name
    if "const" in schema:
        return _label(schema["const"])
    if "anyOf" in schema:
        return " or ".join(summary(choice) for choice in schema["anyOf"])
    kinds = schema.get("type", "a choice")
    return " or ".join(_of_type(kind, schema) for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _label(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _of_type(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "object":
        parts = ", ".join(f"{name}: {summary(child)}" for name, child in schema.get("properties", {}).items())
        return f"{{{parts}}}"
    if kind == "array":
        count = _bounds(schema.get("minItems") or None, schema.get("maxItems"))
        return f"list{f' ({count})' if count else ''} of {summary(schema.get('items', {}))}"
    if kind == "string":
        length = _bounds(schema.get("minLength") or None, schema.get("maxLength"))
        told = [schema["format"]] if "format" in schema else []
        told += [f"{length} characters"] if length else []
        return f"string ({', '.join(told)})" if told else "string"
    if kind in ("integer", "number"):
        steps = f" in steps of {schema['multipleOf']}" if "multipleOf" in schema else ""
        return f"{kind} {_bounds(schema.get('minimum'), schema.get('maximum'))}".rstrip() + steps
    return kind


def _bounds(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f"at most {high}"
    if high is None:
        return f"at least {low}"
    return f"{low}" if low == high else f"{low} to {high}"
