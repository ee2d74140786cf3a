"""JSON read strictly: no NaN, no number without an end, no key with two values, no half of a character."""

from __future__ import annotations

import json
import math
import re
from typing import Any


class DuplicateKey(Exception):
    """A key occurs twice in an object, with different values."""


def strict_loads(text: str) -> Any:
    """``json.loads`` that refuses what JSON does not have: NaN, numbers without an end, one key with two values.

    Raises:
        ValueError: The text is not JSON.
        DuplicateKey: A key has two values.
    """
    value, end = first_value(text, len(text) - len(text.lstrip()))
    if text[end:].strip():
        raise ValueError("there is more than one value")
    return value


def first_value(text: str, start: int, *, line_ends: bool = False) -> tuple[Any, int]:
    """The JSON value that begins at a place of a text, read as :func:`strict_loads` does, and the place of its end.

    Args:
        line_ends: Whether texts may have line ends that are not escaped.

    Raises:
        ValueError: No JSON value begins there.
        DuplicateKey: A key has two values.
    """
    return (_LENIENT if line_ends else _DECODER).raw_decode(text, start)


def nearly_json(text: str) -> Any:
    """``strict_loads`` that takes line ends within texts and numbers beyond a float's range, for a later check."""
    return json.loads(text, object_pairs_hook=without_duplicates, parse_constant=_no_constant, strict=False)


def _finite(number: str) -> float:
    if math.isinf(value := float(number)):
        raise ValueError(f"{number} is larger than a number can be")
    if vanishes(number):
        raise ValueError(f"{number} is smaller than a number can be")
    return value


def vanishes(number: str) -> bool:
    """Whether a number that is not zero becomes zero."""
    return float(number) == 0 and re.search(r"[1-9]", re.split("[eE]", number)[0]) is not None


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object from its pairs; raises DuplicateKey if a key has two values."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found and found[key] != value:
            raise DuplicateKey(key)
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=without_duplicates, parse_constant=_no_constant, parse_float=_finite)
_LENIENT = json.JSONDecoder(
    object_pairs_hook=without_duplicates, parse_constant=_no_constant, parse_float=_finite, strict=False
)
