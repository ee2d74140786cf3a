"""Simulated tools: what a case answers to the calls that the model makes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptopt.errors import did_you_mean
from promptopt.suites.variables import read_value
from promptopt.values import ToolCall

_RULE_KEYS = ("arguments", "result")
_ENTRY_KEYS = ("tool", *_RULE_KEYS)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What one call is answered with.

    Attributes:
        text: As it is sent: JSON, or a text as it is.
        arguments: What the call's arguments must have at least; ``None``: any.
    """

    tool: str
    text: str
    arguments: Mapping[str, Any] | None = None

    def fits(self, call: ToolCall) -> bool:
        """Whether it answers this call."""
        if call.name != self.tool:
            return False
        if self.arguments is None:
            return True
        try:
            given = json.loads(call.arguments or "{}")
        except (ValueError, RecursionError):
            return False
        return contains_json(given, self.arguments)


@dataclass(frozen=True, slots=True)
class ToolResults:
    """The results of a case.

    Attributes:
        once: Whether each answers one call (a list in order), or any number of them (by the tool's name).
    """

    results: tuple[ToolResult, ...]
    once: bool = False

    def answers(self, calls: Sequence[ToolCall]) -> list[str | None]:
        """The answer to each call of a case, in their order; ``None`` for one that no result fits."""
        left = list(self.results)
        found: list[str | None] = []
        for call in calls:
            result = next((each for each in left if each.fits(call)), None)
            if result is not None and self.once:
                left.remove(result)
            found.append(None if result is None else result.text)
        return found


def read_tool_results(value: object, folders: tuple[Path, ...]) -> ToolResults:
    """The results as a case writes them: by the tool's name, by arguments too, or a list in the order of the calls.

    Raises:
        ValueError: They are written otherwise.
    """
    if isinstance(value, list):
        return ToolResults(tuple(_entry(entry, number, folders) for number, entry in enumerate(value, 1)), once=True)
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r:.80} is not a mapping of tools to results, nor a list of results")
    found: list[ToolResult] = []
    for tool, given in value.items():
        if _are_rules(given):
            found += [_result(str(tool), rule, folders) for rule in given]
        else:
            found.append(ToolResult(str(tool), _text(given, folders)))
    return ToolResults(tuple(found))


def _are_rules(given: object) -> bool:
    """Whether a list says which arguments get which result; another list is a result."""
    return (
        isinstance(given, list)
        and bool(given)
        and all(isinstance(rule, Mapping) and "result" in rule and rule.keys() <= {*_RULE_KEYS} for rule in given)
    )


def _entry(entry: object, number: int, folders: tuple[Path, ...]) -> ToolResult:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("tool"), str) or "result" not in entry:
        raise ValueError(f"entry {number} is not a mapping with `tool` and `result`")
    if unknown := [key for key in entry if key not in _ENTRY_KEYS]:
        raise ValueError(f"entry {number}: unknown key {unknown[0]!r}.{did_you_mean(str(unknown[0]), _ENTRY_KEYS)}")
    return _result(entry["tool"], entry, folders)


def _result(tool: str, rule: Mapping[str, Any], folders: tuple[Path, ...]) -> ToolResult:
    arguments = rule.get("arguments")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise ValueError(f"arguments: {arguments!r} of {tool!r} is not a mapping")
    return ToolResult(tool, _text(rule["result"], folders), arguments)


def _text(value: object, folders: tuple[Path, ...]) -> str:
    read = read_value(value, folders) if isinstance(value, str) else value
    return read if isinstance(read, str) else json.dumps(read, ensure_ascii=False)


def same_json(one: object, other: object) -> bool:
    """Equal as JSON: 1 is 1.0, and ``true`` is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def contains_json(actual: object, expected: object) -> bool:
    """Whether ``actual`` has what is expected: of a mapping its keys, of a list each item, else the same value."""
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(
            key in actual and contains_json(actual[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(contains_json, actual, expected))
    return same_json(actual, expected)
