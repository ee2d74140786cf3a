"""``[tool.promptopt.budget]`` or ``budget.toml``: limits for all prompts, a group, a prompt, a case."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from promptopt.budget.limits import (
    CAUSES,
    LEVELS,
    METRICS,
    OF_PROMPTS,
    DriftLimit,
    Limit,
    LimitLevel,
    Metric,
    parse_drift,
    parse_limit,
    parse_metric,
)
from promptopt.config import Config
from promptopt.errors import ConfigError, UsageError, did_you_mean
from promptopt.files import decode, show_path

FILE = "budget.toml"

Limits = Mapping[Metric, Limit]

# Input is counted exactly, so there is no noise to allow for. A model's answers vary, so output only warns; a cap does
# not vary. A price table is nobody's change to this prompt.
DEFAULTS: Limits = {
    "input": Limit("error"),
    "cacheable": Limit("error"),
    "output": parse_limit("output", "warn 10% & 5 tokens"),
    "usd_call": Limit("off"),
    "usd_month": Limit("off"),
    "quality": Limit("error"),
    "model": Limit("error"),
    "parameters": Limit("error"),
    "calls_per_month": Limit("error"),
    "price": Limit("warn"),
    "tokenizer": Limit("warn"),
}
# Of output that is a cap on both sides, if no limit is given.
OF_A_CAP = Limit("error")
_TOP = (*METRICS, "recordings", "strict", "drift", "group", "prompt")


@dataclass(frozen=True, slots=True)
class LimitTable:
    """The limits of one group or one prompt.

    Attributes:
        drift: What accepted raises may add up to; ``None``: as for all prompts.
        total: For a group: limits of the sum over its prompts.
        cases: For a prompt: limits by case.
    """

    limits: Limits
    drift: DriftLimit | None = None
    total: Limits = field(default_factory=dict)
    cases: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Override:
    """``--prompt-budget-limit "[PROMPT:]METRIC=LIMIT"``."""

    glob: str
    metric: Metric
    limit: Limit


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """All limits of a project.

    Attributes:
        recordings: Whether a stale or missing recording is an error, a warning, or ignored.
        strict: Whether a prompt that is not guarded is a failure.
        drift: What accepted raises may add up to; ``None``: anything.
    """

    limits: Limits = field(default_factory=dict)
    groups: Mapping[str, LimitTable] = field(default_factory=dict)
    prompts: Mapping[str, LimitTable] = field(default_factory=dict)
    recordings: LimitLevel = "warn"
    strict: bool = False
    drift: DriftLimit | None = None
    overrides: Sequence[Override] = ()

    def limits_for(self, prompt: str, case: str | None = None) -> dict[Metric, Limit]:
        """The limits that apply, the last one wins: defaults, groups in their order, prompt, case, command line."""
        found = {**DEFAULTS, **self.limits}
        for glob, group in self.groups.items():
            if fnmatchcase(prompt, glob):
                found |= group.limits
        own = self.prompts.get(prompt)
        if own is not None:
            found |= own.limits
            found |= own.cases.get(case or "", {})
        found |= {entry.metric: entry.limit for entry in self.overrides if fnmatchcase(prompt, entry.glob)}
        return found

    def drift_for(self, prompt: str) -> DriftLimit | None:
        """What accepted raises of a prompt may add up to: its own limit, that of the last group, or that of all."""
        groups = [group.drift for glob, group in self.groups.items() if fnmatchcase(prompt, glob)]
        own = self.prompts.get(prompt)
        found = [limit for limit in (*groups, own.drift if own else None) if limit is not None]
        return found[-1] if found else self.drift

    @property
    def totals(self) -> dict[str, Limits]:
        """The groups that limit a sum over their prompts."""
        return {glob: group.total for glob, group in self.groups.items() if group.total}


def load_settings(config: Config, overrides: Sequence[str] = ()) -> BudgetSettings:
    """The limits of a project, overridden by those of the command line.

    Raises:
        ConfigError: A limit in a file is wrong, or there are limits in both files.
        UsageError: A limit on the command line is wrong.
    """
    table, path, text = _table(config)
    settings = _Reader(path, text).settings(table)
    return replace(settings, overrides=[_override(entry) for entry in overrides])


def _table(config: Config) -> tuple[Mapping[str, Any], Path, str]:
    own, project = config.root / FILE, config.root / "pyproject.toml"
    inside: Any = None
    text = ""
    if project.is_file():
        # config.py has already read this file: it is valid TOML.
        text = project.read_text(encoding="utf-8")
        inside = tomllib.loads(text).get("tool", {}).get("promptopt", {}).get("budget")
    if not own.is_file():
        if inside is not None and not isinstance(inside, Mapping):
            raise ConfigError(f"budget = {inside!r} is not a table [tool.promptopt.budget]", path=show_path(project))
        return inside or {}, project, text
    if inside is not None:
        message = "there are limits here and in [tool.promptopt.budget] of pyproject.toml: keep one of them"
        raise ConfigError(message, path=show_path(own))
    text = decode(own.read_bytes(), show_path(own), ConfigError)
    try:
        return tomllib.loads(text), own, text
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", path=show_path(own)) from None


def _override(entry: str) -> Override:
    name, equals, value = entry.partition("=")
    glob, colon, metric = name.rpartition(":")
    try:
        if not equals:
            raise ValueError("write METRIC=LIMIT or PROMPT:METRIC=LIMIT")
        metric = metric.strip()
        return Override(glob if colon else "*", parse_metric(metric), parse_limit(metric, value))
    except ValueError as error:
        raise UsageError(f"limit {entry!r}: {error}") from None


class _Reader:
    """Turns the table into settings; its errors name the line."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def settings(self, table: Mapping[str, Any]) -> BudgetSettings:
        limits = self._limits(table, _TOP)
        recordings = table.get("recordings", "warn")
        if recordings not in LEVELS:
            raise self._error(f"recordings = {recordings!r} is not one of {', '.join(LEVELS)}", "recordings")
        strict = table.get("strict", False)
        if not isinstance(strict, bool):
            raise self._error(f"strict = {strict!r} is not true or false", "strict")
        groups = {name: self._limit_table(value, name, "total") for name, value in self._tables(table, "group")}
        prompts = {name: self._limit_table(value, name, "case") for name, value in self._tables(table, "prompt")}
        return BudgetSettings(limits, groups, prompts, recordings, strict, self._drift(table))

    def _limit_table(self, table: Mapping[str, Any], name: str, nested: str) -> LimitTable:
        limits = self._limits(table, (*METRICS, "drift", nested))
        drift = self._drift(table)
        if nested == "total":
            total = table.get("total", {})
            if not isinstance(total, Mapping):
                raise self._error(f"total = {total!r} is not a table of limits", "total", name)
            known = tuple(metric for metric in METRICS if metric not in ("quality", *CAUSES))
            return LimitTable(limits, drift, total=self._limits(total, known))
        cases = {}
        for case, value in self._tables(table, "case"):
            cases[case] = self._limits(value, tuple(metric for metric in METRICS if metric not in OF_PROMPTS))
        return LimitTable(limits, drift, cases=cases)

    def _limits(self, table: Mapping[str, Any], known: Sequence[str]) -> dict[Metric, Limit]:
        found: dict[Metric, Limit] = {}
        for key, value in table.items():
            if key not in known:
                hint = did_you_mean(key, known)
                raise self._error(f"unknown metric or key {key!r}.{hint} (known: {', '.join(known)})", key)
            if key in METRICS:
                try:
                    found[parse_metric(key)] = parse_limit(key, value)
                except ValueError as error:
                    raise self._error(str(error), key, str(value)) from None
        return found

    def _drift(self, table: Mapping[str, Any]) -> DriftLimit | None:
        try:
            return parse_drift(table["drift"]) if "drift" in table else None
        except ValueError as error:
            raise self._error(str(error), "drift", str(table["drift"])) from None

    def _tables(self, table: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
        value = table.get(key, {})
        if not isinstance(value, Mapping):
            raise self._error(f"{key} = {value!r} is not a table", key)
        for name, inner in value.items():
            if not isinstance(inner, Mapping):
                raise self._error(f"{key}.{name} = {inner!r} is not a table of limits", name)
        return list(value.items())

    def _error(self, message: str, key: str, value: str = "") -> ConfigError:
        lines = list(enumerate(self._lines, 1))
        starting = [number for number, line in lines if line.strip().startswith((key, f'"{key}"'))]
        exact = [number for number in starting if value and value in self._lines[number - 1]]
        found = exact or starting or [number for number, line in lines if key in line]
        return ConfigError(message, path=show_path(self._path), line=found[0] if found else None)
