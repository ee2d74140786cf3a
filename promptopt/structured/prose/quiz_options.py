"""Questions with options in the form of an answer: how many options there are, and the letters that name them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptopt.structured.fields import PromptText, Span
from promptopt.structured.prose.counts import NUMERALS, number_of

_SEVERAL = "|".join(word for word, number in NUMERALS.items() if 2 <= number <= 10)
# "multiple choice question with 4 options", "four possible answers"
_COUNT = re.compile(
    rf"(?<![\w.-])(?:exactly )?(?P<n>[2-9]|10|{_SEVERAL}) (?:(?:possible|answer|plausible|different|distinct|labell?ed) ){{0,2}}(?:options|choices|alternatives|answers)\b(?!\s+(?:if|when|unless|where)\b)",
    re.IGNORECASE,
)
_OPTIONS = re.compile(r"(?:options|choices|alternatives|answers)\Z", re.IGNORECASE)
_ANSWER = re.compile(
    r"\A(?:correct|right)?_?(?:answer|option|choice|correct|solution)(?:_?(?:key|letter|option|label))?\Z",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[A-H]")
# "one or multiple correct answers", "all that apply"
_MANY_RIGHT = re.compile(
    r"\b(?:multiple|several|more than one|one or more|all) (?:correct|right|that apply|answers)\b", re.IGNORECASE
)


def with_options(document: PromptText, schema: dict[str, Any], covered: Sequence[Span]) -> dict[str, Any]:
    """A form with the count of its options and the letters of its right answers, where the prompt shows and says them.

    Args:
        covered: Where the form is.
    """
    shown = "\n".join(document.text[span.start : span.end] for span in covered)
    counts = {number_of(match["n"]) for match in _COUNT.finditer(document.text)}
    count = counts.pop() if len(counts) == 1 else None
    return _visit(schema, (shown, document.text), count, lettered=not _MANY_RIGHT.search(document.text))


def _visit(node: dict[str, Any], texts: tuple[str, str], count: int | None, *, lettered: bool) -> dict[str, Any]:
    """The node of a form.

    Args:
        texts: What the form shows, and the whole prompt.
    """
    shown, text = texts
    items = node.get("items")
    if isinstance(items, Mapping):
        return {**node, "items": _visit(dict(items), texts, count, lettered=lettered)}
    properties = node.get("properties")
    if not isinstance(properties, Mapping):
        return node
    found = {name: _visit(dict(child), texts, count, lettered=lettered) for name, child in properties.items()}
    letters: list[str] = []
    for name, child in found.items():
        if _OPTIONS.search(name):
            found[name], own = _options(child, shown, count)
            letters = own or letters
    sizes = {child["minItems"] for name, child in found.items() if _OPTIONS.search(name) and _has_size(child)}
    for name, child in found.items():
        first = _first_index(name, child, text) if len(sizes) == 1 else None
        if first is not None:
            size = next(iter(sizes))
            found[name] = {**child, "type": "integer", "minimum": first, "maximum": first + size - 1}
    for name, child in found.items():
        own = _shown_letters(shown, name) if lettered and letters and _ANSWER.search(name) else []
        if own and set(own) <= set(letters) and child == {"type": "string"}:
            found[name] = {**child, "enum": list(letters)}
    return {**node, "properties": found}


def _has_size(child: Mapping[str, Any]) -> bool:
    return (
        child.get("type") == "array"
        and child.get("minItems") is not None
        and child.get("minItems") == child.get("maxItems")
    )


_INDEX = re.compile(
    r"\A(?:correct|right|answer|solution)(?:_?(?:answer|option|choice))?(?:_?(?:index|idx|number|no|position|option|answer|choice))?\Z",
    re.IGNORECASE,
)
_FROM_ZERO = r"(?:\b(?:zero|0)[- ](?:based|indexed)\b|\b(?:starting|starts|counting|counted|counts|beginning) (?:at|from|with) (?:0|zero)\b)"
_FROM_ONE = r"(?:\b(?:one|1)[- ](?:based|indexed)\b|\b(?:starting|starts|counting|counted|counts|beginning) (?:at|from|with) (?:1|one)\b)"


def _first_index(name: str, child: Mapping[str, Any], text: str) -> int | None:
    """The number of the first option, if a key holds that of the right one and the prompt says how it counts."""
    if not _INDEX.search(name) or child.get("type") not in ("integer", "number") or {"enum", "minimum"} & set(child):
        return None
    said = rf"(?<!\w){re.escape(name)}(?!\w)[^.\n]{{0,80}}?"
    zero = re.search(said + _FROM_ZERO, text, re.IGNORECASE) is not None
    one = re.search(said + _FROM_ONE, text, re.IGNORECASE) is not None
    return None if zero == one else 0 if zero else 1


def _options(child: dict[str, Any], shown: str, count: int | None) -> tuple[dict[str, Any], list[str]]:
    """The options of a question with their count, and the letters that they have."""
    if isinstance(child.get("properties"), Mapping):
        names = list(child["properties"])
        return child, names if _are_first(names) else []
    if child.get("type") == "array" and count and not {"minItems", "maxItems"} & set(child):
        child = {**child, "minItems": count, "maxItems": count}
    inner = child.get("items")
    parts = inner.get("properties", {}) if isinstance(inner, Mapping) else {}
    for key, part in parts.items():
        own = _shown_letters(shown, key)
        if _are_first(own) and part == {"type": "string"}:
            keys = {**parts, key: {"type": "string", "enum": own}}
            return {**child, "items": {**dict(inner or {}), "properties": keys}}, list(own)
    return child, []


def _shown_letters(shown: str, key: str) -> list[str]:
    """The letters that the form shows as the values of a key; empty if it shows anything else."""
    values = re.findall(rf"[\"']{re.escape(key)}[\"']\s*:\s*[\"']([^\"'\n]*)[\"']", shown)
    return list(dict.fromkeys(values)) if values and all(_LETTER.fullmatch(value) for value in values) else []


def _are_first(letters: list[str]) -> bool:
    """Whether these are A, B, and so on."""
    return len(letters) > 1 and letters == [chr(ord("A") + number) for number in range(len(letters))]
