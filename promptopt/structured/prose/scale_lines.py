"""A scale whose grades stand one a line above or below the form: the range of the only number that is open."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.structured.fields import PromptText, field_name
from promptopt.structured.prose.key_facts import COUNTS
from promptopt.structured.prose.key_labels import words_of
from promptopt.structured.prose.label_codes import NO_OPTIONS, coded_lines, lead_of

_LEAST = 3
"""Grades that make lines a scale: two may be a switch, of which the prose says more."""


def with_scale_lines(document: PromptText, schema: dict[str, Any]) -> dict[str, Any]:
    """A form with the range of the one scale that its prompt explains line by line, if only one number has none yet."""
    open_ones = [name for name, child in _leaves(schema) if _is_open(child) and not COUNTS.search(field_name(name))]
    grades, lead = _grades(document) if open_ones else ([], "")
    if not grades or any(child.get("maximum") == grades[-1] for _, child in _leaves(schema)):
        return schema
    # "Urgency:", above the lines
    named = {
        name for name, _ in _leaves(schema) if name and re.search(rf"(?<!\w){words_of(name)}", lead, re.IGNORECASE)
    }
    one = [name for name in open_ones if name in named] if named else open_ones
    if len(one) != 1 or not _may_hold(document.text, one[0], grades, lead, named=bool(named)):
        return schema
    return _with(schema, one[0], {"minimum": grades[0], "maximum": grades[-1]})


# The codes of what is given.
_OF_INPUT = re.compile(
    r"\b(?:inputs?|logs?|data|file|rows?|columns?|records?|codes?|given|contains?|uses?|messages?|device|sensor)\b",
    re.IGNORECASE,
)
_SURE_OF = re.compile(r"(?:confidence|probability|likelihood|certainty|percentage|percent|ratio)", re.IGNORECASE)


def _may_hold(text: str, name: str, grades: list[int], lead: str, *, named: bool) -> bool:
    """Whether the samples of a number are grades of the scale, and the scale is not that of the input or of something else."""
    samples = re.findall(rf"[\"']{re.escape(name)}[\"']\s*:\s*(-?\d+(?:\.\d+)?)", text)
    fits = all(sample.lstrip("-").isdigit() and int(sample) in (0, *grades) for sample in samples)
    return fits and (named or not (_OF_INPUT.search(lead) or _SURE_OF.search(name)))


def _grades(document: PromptText) -> tuple[list[int], str]:
    """The grades that follow on each other from 0 or 1, and the line above; empty if several runs of lines have some."""
    runs = [run for run in coded_lines(document) if not run.codes[0].isalpha() and not run.numbered]
    if len(runs) != 1 or NO_OPTIONS.search(lead_of(document.text, runs[0].span)) or document.depends(runs[0].span):
        return [], ""
    grades = sorted(int(code) for code in runs[0].codes)
    whole = grades == list(range(grades[0], grades[-1] + 1))
    scale = whole and grades[0] in (0, 1) and len(grades) >= _LEAST
    return (grades, lead_of(document.text, runs[0].span)) if scale else ([], "")


def _leaves(schema: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each value of a form that has no keys of its own, with its key."""
    for key, child in schema.get("properties", {}).items():
        yield from _leaves(child, key)
    if isinstance(schema.get("items"), Mapping):
        yield from _leaves(schema["items"], name)
    if not {"properties", "items"} & set(schema):
        yield name, schema


def _is_open(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    kinds = {kind} if isinstance(kind, str) else set(kind or ())
    return bool(kinds & {"integer", "number"}) and not {"minimum", "maximum", "enum"} & set(schema)


def _with(schema: Mapping[str, Any], name: str, bounds: Mapping[str, int]) -> dict[str, Any]:
    """The form with the bounds of the key."""
    known = dict(schema)
    if "properties" in known:
        known["properties"] = {
            key: _ranged(child, bounds) if key == name and _is_open(child) else _with(child, name, bounds)
            for key, child in known["properties"].items()
        }
    if isinstance(known.get("items"), Mapping):
        known["items"] = _with(known["items"], name, bounds)
    return known


def _ranged(schema: Mapping[str, Any], bounds: Mapping[str, int]) -> dict[str, Any]:
    null = isinstance(schema["type"], list) and "null" in schema["type"]
    return {**schema, "type": ["integer", "null"] if null else "integer", **bounds}
