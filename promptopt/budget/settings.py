"""``[tool.promptopt.budget]`` or ``budget.toml``: limits for all prompts, a group, a prompt, a case."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
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
from promptopt.budget.lock import LockEntry
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
        margin: Points that quality may lose if its limit says none; ``None``: as the checked project has it.
    """

    limits: Limits = field(default_factory=dict)
    groups: Mapping[str, LimitTable] = field(default_factory=dict)
    prompts: Mapping[str, LimitTable] = field(default_factory=dict)
    recordings: LimitLevel = "warn"
    strict: bool = False
    drift: DriftLimit | None = None
    overrides: Sequence[Override] = ()
    margin: float | None = None

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
        quality = found["quality"]
        if self.margin is not None and quality.amount is None and quality.level != "off":
            text = f"{self.margin:g} points {quality.text}".rstrip()
            found["quality"] = replace(quality, amount=Decimal(str(self.margin)) / 100, text=text)
        return found

    def drift_for(self, prompt: str) -> DriftLimit | None:
        """What accepted raises of a prompt may add up to: its own limit, that of the last group, or that of all."""
        groups = [group.drift for glob, group in self.groups.items() if fnmatchcase(prompt, glob)]
        own = self.prompts.get(prompt)
        found = [limit for limit in (*groups, own.drift if own else None) if limit is not None]
        return found[-1] if found else self.drift

    def renamed(self, former: str, name: str) -> BudgetSettings:
        """The same, with the limits of one prompt for another name."""
        own = self.prompts.get(former)
        table = LimitTable(self.limits_for(former), self.drift_for(former), cases=own.cases if own else {})
        return replace(self, prompts={**self.prompts, name: table})

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
    return replace(settings, overrides=tuple(_override(entry) for entry in overrides))


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


@dataclass(frozen=True, slots=True)
class Loosened:
    """A limit that lets pass what it did not before.

    Attributes:
        name: The metric or key.
        of: What it limits: a prompt, its case, or a group's total.
        before: As it was written.
        after: As it is written.
        keys: Where it may be written, the most specific place first; see :func:`written_at`.
        implied: By a limit in dollars, which judges this growth now.
    """

    name: str
    of: tuple[str, str]
    before: str
    after: str
    keys: tuple[tuple[str, ...], ...]
    implied: bool = False


def loosened(
    before: BudgetSettings, now: BudgetSettings, guarded: Mapping[str, Mapping[str, LockEntry]]
) -> Iterator[Loosened]:
    """The limits that are looser than before, each for each prompt.

    Args:
        guarded: For each prompt that was guarded before: its cases, as they were locked.
    """
    for name, cases in guarded.items():
        yield from _of_prompt(before, now, name, cases)
        yield from _of_cases(before, now, name, cases)
        if LEVELS.index(now.recordings) > LEVELS.index(before.recordings):
            yield Loosened("recordings", (name, ""), before.recordings, now.recordings, (("recordings",),))
        if before.strict and not now.strict:
            yield Loosened("strict", (name, ""), "true", "false", (("strict",),))
    for glob, limits in before.totals.items():
        for metric, was in limits.items():
            today = now.totals.get(glob, {}).get(metric, Limit("off"))
            if today.looser(metric, was):
                keys = (("group", glob, "total", metric),)
                yield Loosened(metric, (f"group {glob}", ""), was.shown(metric), today.shown(metric), keys)


def _of_prompt(
    before: BudgetSettings, now: BudgetSettings, name: str, cases: Mapping[str, LockEntry]
) -> Iterator[Loosened]:
    places = _places(now, name)
    was, today = before.limits_for(name), now.limits_for(name)
    for metric, texts in _looser(was, today, list(cases.values())):
        # Without points of its own, quality has the margin of the project.
        margin = [("margin",)] if metric == "quality" else []
        yield Loosened(metric, (name, ""), *texts, (*((*place, metric) for place in places), *margin))
    for metric, by in _by_dollars(was, today):
        keys = tuple((*place, by) for place in places)
        yield Loosened(metric, (name, ""), was[metric].shown(metric), f"judged by {by}", keys, implied=True)
    limit, drift = before.drift_for(name), now.drift_for(name) or DriftLimit("off")
    if limit is not None and drift.looser(limit):
        yield Loosened("drift", (name, ""), limit.shown, drift.shown, tuple((*place, "drift") for place in places))


def _of_cases(
    before: BudgetSettings, now: BudgetSettings, name: str, cases: Mapping[str, LockEntry]
) -> Iterator[Loosened]:
    """The limits of cases that have a table of their own, but for those that are the prompt's."""
    of_prompt = dict(_looser(before.limits_for(name), now.limits_for(name), list(cases.values())))
    tables = [settings.prompts[name].cases for settings in (before, now) if name in settings.prompts]
    for case in dict.fromkeys(case for table in tables for case in table if case in cases):
        places = (("prompt", name, "case", case), *_places(now, name))
        for metric, texts in _looser(before.limits_for(name, case), now.limits_for(name, case), [cases[case]]):
            if of_prompt.get(metric) != texts:
                yield Loosened(metric, (name, case), *texts, tuple((*place, metric) for place in places))


def _places(settings: BudgetSettings, prompt: str) -> list[tuple[str, ...]]:
    """The tables that may have a limit of a prompt, the most specific first."""
    groups = [("group", glob) for glob in reversed(list(settings.groups)) if fnmatchcase(prompt, glob)]
    return [("prompt", prompt), *groups, ()]


def _by_dollars(before: Limits, now: Limits) -> Iterator[tuple[Metric, Metric]]:
    """The causes that limits in dollars judge now, and did not before, each with such a limit."""
    causes: tuple[Metric, ...] = ("model", "parameters", "calls_per_month")
    for cause in causes:
        dollars: tuple[Metric, ...] = ("usd_month",) if cause == "calls_per_month" else ("usd_call", "usd_month")
        switched_on = [metric for metric in dollars if now[metric].level != "off"]
        if switched_on and now[cause] == DEFAULTS[cause] and all(before[metric].level == "off" for metric in dollars):
            yield cause, switched_on[0]


def _looser(before: Limits, now: Limits, entries: Sequence[LockEntry]) -> Iterator[tuple[Metric, tuple[str, str]]]:
    """The metrics whose limit is looser now for one of these entries, with both limits as they are written."""
    for metric in METRICS:
        pairs = [(before[metric], now[metric])]
        if metric == "output" and any(entry.output_is == "cap" for entry in entries):
            # Caps have a default of their own.
            old, new = (OF_A_CAP if limit == DEFAULTS["output"] else limit for limit in pairs[0])
            pairs = [(old, new), *pairs * any(entry.output_is != "cap" for entry in entries)]
        sizes = {"input": [entry.input for entry in entries], "cacheable": [entry.cacheable for entry in entries]}
        sizes["output"] = [entry.output for entry in entries if entry.output is not None]
        for old, new in pairs:
            if new.looser(metric, old, sizes.get(metric, ())):
                yield metric, (old.shown(metric), new.shown(metric))
                break


def written_at(config: Config) -> tuple[Path, Mapping[tuple[str, ...], int]]:
    """The file of the limits, and the line of each of its keys: ``("prompt", "triage", "input")``."""
    _, path, text = _table(config)
    above = () if path.name == FILE else ("tool", "promptopt", "budget")
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            parsed = tomllib.loads(line)
        except tomllib.TOMLDecodeError:
            # Within a value of several lines, which no limit is.
            continue
        found = list(_key_paths(parsed))
        if line.lstrip().startswith("["):
            table = found[0]
        else:
            lines.update(((*table, *each), number) for each in found)
    own = {key[len(above) :]: number for key, number in lines.items() if key[: len(above)] == above}
    return path, {**own, ("margin",): lines.get(("tool", "promptopt", "margin"), 0)}


def _key_paths(table: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from ((key, *inner) for inner in _key_paths(value))
        else:
            yield (key,)
