"""From the values that a model read to the fields of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptopt.schemas.make_strict import nullable
from promptopt.structured.by_model.question import FormReading, ReadValue
from promptopt.structured.fields import Field, Inferred, object_schema
from promptopt.structured.guard.quotations import Quoted

_UNNAMED = "answer"
_ITEMS = "items"


class NoSchema(Exception):
    """Values that do not make a schema; the message says why."""


@dataclass
class _Node:
    value: ReadValue | None = None
    children: dict[str, _Node] = field(default_factory=dict)


def schema_of(values: Sequence[ReadValue]) -> dict[str, Any]:
    """The schema of the whole answer: an object, or a list if the answer is one.

    Raises:
        NoSchema: A path leads through nothing, or a value has bounds that its type has not.
    """
    root = _Node()
    for value in values:
        node = root
        for part in value.path:
            node = node.children.setdefault(part, _Node())
        if node.value is not None:
            raise NoSchema(f"{value.shown} is among the values twice")
        node.value = value
    if not root.children:
        if root.value is None or "array" in root.value.types:
            raise NoSchema("there is no value")
        return object_schema({_UNNAMED: _schema(root, _UNNAMED)})
    if "*" in root.children and root.value is None:
        root.value = ReadValue((), ("array",))
    if root.value is None:
        root.value = ReadValue((), ("object",))
    return _schema(root, "the answer")


def _schema(node: _Node, shown: str) -> dict[str, Any]:
    value = node.value
    if value is None:
        if not node.children or "*" in node.children:
            raise NoSchema(f"{shown} is not among the values, and something below it is")
        value = ReadValue((), ("object",))
    kinds = [kind for kind in value.types if kind != "null"]
    if not kinds and "null" in value.types:
        return {"type": "null"}
    if not kinds:
        raise NoSchema(f"{shown} has no type")
    _check(node, value, kinds, shown)
    _check_text(value, kinds, shown)
    schemas = [_of_kind(node, value, kind, shown) for kind in kinds]
    if value.labels and len(kinds) > 1:
        # The labels are those of a text beside a number.
        schemas = [schema for schema in schemas if schema is not None]
    schema: dict[str, Any]
    if len(schemas) == 1:
        schema = schemas[0]
    elif any(set(one) - {"type"} for one in schemas):
        schema = {"anyOf": schemas}
    else:
        schema = {"type": kinds}
    return dict(nullable(schema)) if "null" in value.types else schema


# "price:<product>": what is in the place varies
_PLACE_WITHIN = re.compile(r"[^<>\s]\s*<[A-Za-z][\w -]*>|<[A-Za-z][\w -]*>\s*[^<>\s]|\w\{\w+\}")


def _check(node: _Node, value: ReadValue, kinds: Sequence[str], shown: str) -> None:
    if set(node.children) - {"*"} and "object" not in kinds:
        raise NoSchema(f"{shown} has keys and is no object")
    if "*" in node.children and "array" not in kinds:
        raise NoSchema(f"{shown} has items and is no list")
    if "array" in kinds and "*" not in node.children:
        raise NoSchema(f"nothing says what the items of {shown} are: {shown.rstrip('/')}/* is missing")
    if "object" in kinds and not set(node.children) - {"*"}:
        raise NoSchema(f"the object {shown} has no keys")
    if placed := next((label for label in value.labels if _PLACE_WITHIN.search(label)), None):
        raise NoSchema(f"the label {placed!r} of {shown} has a place for something that varies: {shown} is free")
    numeric = {"integer", "number"} & set(kinds)
    if (value.minimum is not None or value.maximum is not None) and not numeric:
        raise NoSchema(f"{shown} has a range and is no number")
    if (value.min_items is not None or value.max_items is not None) and "array" not in kinds:
        raise NoSchema(f"{shown} has a number of items and is no list")
    low, high = value.minimum, value.maximum
    if low is not None and high is not None and low >= high:
        raise NoSchema(f"{shown} has a range from {low:g} to {high:g}")


def _check_text(value: ReadValue, kinds: Sequence[str], shown: str) -> None:
    if "string" not in kinds and (value.format or value.pattern or value.max_length):
        raise NoSchema(f"{shown} has a form of texts and is no text")
    if value.pattern and not (value.pattern.startswith("^") and value.pattern.endswith("$")):
        raise NoSchema(f"the pattern {value.pattern!r} of {shown} does not go from ^ to $")


def _of_kind(node: _Node, value: ReadValue, kind: str, shown: str) -> dict[str, Any]:
    if kind == "object":
        named = {
            name: _schema(child, f"{_below(shown)}/{name}") for name, child in node.children.items() if name != "*"
        }
        return object_schema(named)
    if kind == "array":
        counts = {"minItems": value.min_items, "maxItems": value.max_items}
        items = _schema(node.children["*"], f"{_below(shown)}/*")
        return {"type": "array", "items": items, **{key: n for key, n in counts.items() if n is not None}}
    schema: dict[str, Any] = {"type": kind}
    if kind in ("integer", "number"):
        bounds = {"minimum": value.minimum, "maximum": value.maximum}
        schema |= {key: int(n) if float(n).is_integer() else n for key, n in bounds.items() if n is not None}
        if labels := _numbers(value, kind, shown):
            schema["enum"] = labels
    if kind == "string" and value.labels and (texts := _texts(value)):
        schema["enum"] = texts
    elif kind == "string":
        written = {"format": value.format, "pattern": value.pattern, "maxLength": value.max_length}
        schema |= {key: one for key, one in written.items() if one}
    return schema


def _below(shown: str) -> str:
    return "" if shown == "the answer" else shown


def _numbers(value: ReadValue, kind: str, shown: str) -> list[float | int]:
    """The labels that are numbers; all must be, unless the value may be a text too."""
    found: list[float | int] = []
    for label in value.labels:
        try:
            number = float(label)
        except ValueError:
            if "string" not in value.types:
                raise NoSchema(f"{label!r} is a label of {shown}, which is a number") from None
            continue
        if kind == "integer" and not number.is_integer():
            raise NoSchema(f"{label!r} is a label of {shown}, which is a whole number")
        found.append(int(number) if number.is_integer() else number)
    return found


def _texts(value: ReadValue) -> list[str]:
    if {"integer", "number"} & set(value.types):
        return [label for label in value.labels if not _is_number(label)]
    return list(value.labels)


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def inferred_of(reading: FormReading, proofs: Mapping[ReadValue, Sequence[Quoted]], model: str) -> Inferred:
    """The fields of a reading, each with the line that proves it.

    Raises:
        NoSchema: The values do not make a schema.
    """
    schema = schema_of(reading.values)
    covered = tuple(dict.fromkeys(quoted.span for quotes in proofs.values() for quoted in quotes))
    whole = "JSON" if reading.form == "json" else _whole(schema)
    if schema["type"] == "array":
        return Inferred(
            (_field(_ITEMS, schema, _first(proofs, ()), model),), wrapped=True, covered=covered, whole=whole
        )
    fields = tuple(
        _field(name, child, _first(proofs, (name,)) or _first(proofs, ()), model)
        for name, child in schema["properties"].items()
    )
    return Inferred(fields, covered=covered, whole=whole)


def _whole(schema: Mapping[str, Any]) -> str:
    only = list(schema.get("properties", {}).values())
    return "" if len(only) == 1 and only[0].get("type") not in ("array", "object") else "labels"


def _first(proofs: Mapping[ReadValue, Sequence[Quoted]], path: tuple[str, ...]) -> Quoted | None:
    below = [quotes for value, quotes in proofs.items() if value.path[: len(path)] == path and quotes]
    return next((quotes[0] for quotes in below), None)


_LONGEST_SOURCE = 60


def _field(name: str, schema: Mapping[str, Any], quoted: Quoted | None, model: str) -> Field:
    if quoted is None:
        return Field(name, schema, f"proposed by {model}")
    words = " ".join(quoted.text.split())
    words = words if len(words) <= _LONGEST_SOURCE else f"{words[:_LONGEST_SOURCE].rstrip()}..."
    return Field(name, schema, f"proposed by {model}, line {quoted.line}: “{words}”", quoted.line)
