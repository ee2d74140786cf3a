"""A form and values that a model wrote from the prompt alone.

A value that the prompt allows and the form refuses would be lost. One that the prompt rules out and the form takes shows a
range, a count, a label or a null that was read too widely, by which nothing is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptopt.errors import AnswerInvalid
from promptopt.schemas.validate import validate
from promptopt.structured.by_model.possible_values import PossibleValue, PossibleValues, Scalar
from promptopt.structured.by_model.question import Quotation
from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.guard.quotations import NotQuoted, find
from promptopt.structured.witness.keys import shortened

MOST_TOLD = 8
_UNNAMED = ((), ("answer",))


@dataclass(frozen=True, slots=True)
class Misfits:
    """What values say of a form, each with its line; at most :data:`MOST_TOLD` of each kind.

    Attributes:
        too_narrow: Values that are allowed and that it refuses, and parts that it lacks.
        too_wide: Values that are ruled out and that it takes.
    """

    too_narrow: tuple[str, ...] = ()
    too_wide: tuple[str, ...] = ()


def misfits_of(document: PromptText, possible: PossibleValues, inferred: Inferred) -> Misfits:
    """Whether a form takes what the prompt allows and refuses what it rules out. Words that it does not have prove nothing."""
    root = inferred.fields[0].schema if inferred.wrapped else inferred.schema()
    narrow, wide = (
        tuple(dict.fromkeys(found))[:MOST_TOLD]
        for found in (_too_narrow(document, possible, root), _too_wide(document, possible, root))
    )
    return Misfits(narrow, wide)


def places_of_null(document: PromptText, possible: PossibleValues) -> frozenset[tuple[str, ...]]:
    """Where words of the prompt allow null."""
    return frozenset(one.path for one in possible.allowed if one.value is None and _said(document, one.quote))


def _too_narrow(document: PromptText, possible: PossibleValues, root: Mapping[str, Any]) -> Iterator[str]:
    for one in possible.allowed:
        node = _at(root, one.path)
        if node is not None and (said := _said(document, one.quote)) and not _takes(node, one.value):
            yield f"{said} seems to allow {_shown(one, node)}, which this form refuses"
    for quote in possible.missing:
        if said := _said(document, quote):
            yield f"{said} seems to ask for a part of the answer that is not among the values"


def _too_wide(document: PromptText, possible: PossibleValues, root: Mapping[str, Any]) -> Iterator[str]:
    for one in possible.ruled_out:
        node = _at(root, one.path)
        if node is None or not _bounded(node, one.value):
            continue
        if (said := _said(document, one.quote)) and _takes(node, one.value, as_written=True):
            yield f"{said} seems to rule out {_shown(one, node)}, which this form takes"


def _said(document: PromptText, quote: Quotation) -> str:
    """The line and the words of a quotation; nothing if they prove nothing."""
    try:
        found = find(document, quote)
    except NotQuoted:
        return ""
    return f"line {found.line}: {shortened(quote.words)!r}"


def _shown(one: PossibleValue, node: Mapping[str, Any]) -> str:
    place = "/" + "/".join(one.path) if one.path else "the answer"
    if _options(node, "array") and _is_number(one.value):
        return f"{one.value} items in {place}"
    return f"{json.dumps(one.value, ensure_ascii=False)} in {place}"


def _at(root: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any] | None:
    """The schema at a place; ``None`` if the form has no such place."""
    if path in _UNNAMED and "answer" in root.get("properties", {}):
        # A value without a key is the answer itself.
        path = ("answer",)
    node: Mapping[str, Any] = root
    for part in path:
        kind, below = ("array", "items") if part == "*" else ("object", "properties")
        whole = next((one for one in _options(node, kind)), None)
        found = None if whole is None else whole.get(below, {})
        if part != "*":
            found = (found or {}).get(part)
        if found is None:
            return None
        node = found
    return node


def _options(node: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The schemas at a place that take values of a kind: the schema itself, or those of a choice."""
    kinds = node.get("type", ())
    own = [node] if kind in ([kinds] if isinstance(kinds, str) else kinds) else []
    return own + [found for one in node.get("anyOf", ()) for found in _options(one, kind)]


def _takes(node: Mapping[str, Any], value: Scalar, *, as_written: bool = False) -> bool:
    """Whether a schema takes a value; of a list, this number of items.

    Args:
        as_written: A text is no number, and a label has the letters of its list.
    """
    if _is_number(value) and (lists := _options(node, "array")):
        return any(one.get("minItems", 0) <= value <= one.get("maxItems", float("inf")) for one in lists)
    if _options(node, "object") and value is not None:
        return True  # only null is tried of an object
    written = [value] if as_written else [value, *_spellings(node, value)]
    return any(_valid(one, node) for one in written)


def _spellings(node: Mapping[str, Any], value: Scalar) -> Iterator[Scalar]:
    """The same value as another type, or as a label is spelled."""
    if isinstance(value, str):
        labels = [label for one in _options(node, "string") for label in one.get("enum", ()) if isinstance(label, str)]
        yield from (label for label in labels if _letters(label) == _letters(value))
        if value.casefold() in ("true", "false"):
            yield value.casefold() == "true"
        try:
            yield float(value.strip().rstrip("%"))
        except ValueError:
            return
    elif value is not None:
        yield json.dumps(value)


def _letters(text: str) -> str:
    return "".join(text.casefold().split()).strip("\"'.[]()<>")


def _valid(value: Scalar, node: Mapping[str, Any]) -> bool:
    try:
        validate(value, node, "")
    except AnswerInvalid:
        return False
    return True


def _bounded(node: Mapping[str, Any], value: Scalar) -> bool:
    """Whether a reading has a place for what rules a value out: of a free text it has none but for how it is written."""
    if isinstance(value, str):
        return any("enum" in one for one in _options(node, "string")) or _is_piece(value)
    return True


_LONGEST_PIECE = 30


def _is_piece(text: str) -> bool:
    """Whether a text is written as a date or a code is."""
    return len(text) <= _LONGEST_PIECE and " " not in text and re.search(r"[\d@#_/-]", text) is not None


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
