"""A schema in one line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.schemas.summary import summary


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "maxLength": 80}, "string (at most 80 characters)"),
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"type": ["string", "null"], "format": "date"}, "string (date) or null"),
        ({"type": "integer", "minimum": 1, "maximum": 5}, "integer 1 to 5"),
        ({"type": "number", "minimum": 0}, "number at least 0"),
        ({"type": "number", "maximum": 1.5}, "number at most 1.5"),
        ({"type": ["number", "null"], "minimum": -1, "maximum": 1}, "number -1 to 1 or null"),
        ({"enum": ["pump", "valve", None]}, "pump | valve | null"),
        ({"enum": ["", "a b", 2, True]}, '"" | a b | 2 | true'),
        ({"const": "pump"}, "pump"),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 0, "maxItems": 5}, "list (at most 5) of string"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 8}, "list (3 to 8) of string"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 4, "maxItems": 4}, "list (4) of string"),
        (
            {"type": ["array", "null"], "items": {"enum": ["a", "b"]}, "minItems": 1},
            "list (at least 1) of a | b or null",
        ),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        (
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}}},
            "{a: string, b: boolean}",
        ),
        ({"type": "array", "items": {"$ref": "#/$defs/Crate"}}, "list of Crate"),
        ({"$ref": "#"}, "the whole again"),
        ({}, "a choice"),
    ],
)
def test_a_schema_is_one_line(schema: dict[str, Any], line: str) -> None:
    assert summary(schema) == line


@given(st.integers(1, 40))
def test_of_many_labels_twelve_are_shown_with_their_number(count: int) -> None:
    line = summary({"enum": [f"l{number}" for number in range(count)]})
    assert line.count("|") == min(count - 1, 12)
    assert line.endswith(f"({count})") == (count > 12)
