"""Steps of a rating: "you can use half points", "in steps of 0.25"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import PromptText, begin_of
from promptopt.structured.prose.each_value import with_each_value

_HALF = r"half[- ](?:(?:points?|marks?|stars?|steps?|grades?|bands?)(?: steps?)?)"
_STEPS = re.compile(
    rf"\b(?:use|give|award|choose|assign|have|with|in|including|allow)\s+(?:also |even )?{_HALF}\b|\b{_HALF}\s+(?:are |is |may be |can be )?(?:also )?(?:allowed|possible|welcome|permitted|ok|okay|fine|used|given)\b"
    r"|\b(?:steps|increments|multiples|intervals) of (?P<step>0?\.5|0?\.25|1/2|a half|half)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:no|not|never|without|avoid)\b|n['’]t\b|\b(?:deduct|subtract|minus|take off|remove|add)\b", re.IGNORECASE
)


# "half points are allowed for style"
_OF_OTHER = re.compile(
    r" (?:for|on|in) (?!(?:the |your |each |every |all |any )?(?:scores?|ratings?|grades?|marks?|numbers?|scales?|it|them|all|each|between|case|both)\b)\w",
    re.IGNORECASE,
)


def with_steps(document: PromptText, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A form with the steps of its numbers, if the prompt allows parts of a whole one and all of them have one range."""
    steps = {step for match in _STEPS.finditer(document.text) if (step := _step(document.text, match))}
    ranges = {(one.get("minimum"), one.get("maximum")) for one in _numbers(schema)}
    if not len(steps) == len(ranges) == 1:
        return dict(schema)
    step = steps.pop()
    return with_each_value(schema, lambda _name, node, _lists: _stepped(node, step))


def _step(text: str, match: re.Match[str]) -> float:
    """The step that words allow; 0 if their sentence denies it, or speaks of what is taken off."""
    begin = begin_of(text, match.start(), ("\n", ". ", "! ", "? ", ";"))
    if _NOT.search(text, begin, match.end()) or _OF_OTHER.match(text, match.end()):
        return 0
    return 0.25 if (match["step"] or "").endswith("25") else 0.5


def _numbers(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The ranges of numbers in a form."""
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    own = [schema] if _is_number(schema) else []
    return [*own, *(one for child in inner for one in _numbers(child))]


def _is_number(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    return bool({"integer", "number"} & set([kinds] if isinstance(kinds, str) else kinds or ()))


def _stepped(node: dict[str, Any], step: float) -> dict[str, Any]:
    if not _is_number(node) or not {"minimum", "maximum"} <= set(node) or "enum" in node:
        return node
    nullable = isinstance(node["type"], list)
    return {**node, "type": ["number", "null"] if nullable else "number", "multipleOf": step}
