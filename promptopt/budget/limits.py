"""Limits as they are written: ``input = "5% & 50 | 4000"``.

Before ``|``: what a metric may grow by, as a share, an amount, or both. With both, growth fails only if it exceeds
both. After ``|``: a cap. Units are required: ``5`` alone could be 5% or 5 tokens. Next to a percentage, and as a cap, a
bare number can only be tokens. ``quality`` loses points (``2 points``) and has a floor (``| 90%``).

What raises a bill though no text grew is limited under its own name: ``model``, ``price`` (the price table) and
``tokenizer`` by what they add to a call, ``calls_per_month`` by its growth; ``parameters`` are allowed or not.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from promptopt.errors import did_you_mean

Metric = Literal[
    "input", "cacheable", "output", "usd_call", "usd_month", "quality",
    "model", "parameters", "calls_per_month", "price", "tokenizer",
]  # fmt: skip
# What raises a bill though no text and no answer grew.
CAUSES: tuple[Metric, ...] = ("model", "parameters", "calls_per_month", "price", "tokenizer")
METRICS: tuple[Metric, ...] = ("input", "cacheable", "output", "usd_call", "usd_month", "quality", *CAUSES)
# Measured for a whole prompt; the others case by case.
OF_PROMPTS: tuple[Metric, ...] = ("usd_month", "quality", *CAUSES)
# A smaller value is worse.
FLOORED: tuple[Metric, ...] = ("cacheable", "quality")

LimitLevel = Literal["error", "warn", "off"]
LEVELS: tuple[LimitLevel, ...] = ("error", "warn", "off")

_AMOUNT = re.compile(r"(?P<dollar>\$)?(?P<number>\d[\d,_]*(?:\.\d+)?|\.\d+)\s*(?P<unit>%|tokens?|points?|calls?)?")


@dataclass(frozen=True, slots=True)
class Limit:
    """How much one metric may grow, and how large it may be.

    Attributes:
        share: It may grow by this share of the locked value (0.05 for 5%); ``None``: no share is given.
        amount: It may grow by this many tokens or dollars; quality may fall by this much (0 to 1).
        cap: The largest value allowed; for ``cacheable`` and ``quality``, the smallest.
        text: As it was written, without the level; empty: nothing was written but perhaps the level.
    """

    level: LimitLevel
    share: Decimal | None = None
    amount: Decimal | None = None
    cap: Decimal | None = None
    text: str = ""

    @property
    def severity(self) -> Literal["error", "warn"]:
        """How a breach is reported."""
        return "warn" if self.level == "warn" else "error"

    def beyond_cap(self, metric: Metric, value: Decimal) -> bool:
        """Whether a value is above the cap; for a metric that should not fall, below it."""
        if self.cap is None:
            return False
        return value < self.cap if metric in FLOORED else value > self.cap

    def exceeded(self, locked: Decimal, growth: Decimal) -> bool:
        """Whether a value grew by more than it may; if a share and an amount are given, by more than both.

        Args:
            locked: The locked value.
            growth: By how much today's value is worse.
        """
        allowed = [] if self.share is None else [self.share * abs(locked)]
        if self.amount is not None:
            allowed.append(self.amount)
        # Without either, only the cap counts; without a cap too, no growth is allowed.
        if not allowed:
            return self.cap is None and growth > 0
        return growth > max(allowed)

    def looser(self, metric: Metric, before: Limit, locked: Collection[int] = ()) -> bool:
        """Whether a value that this limit lets pass, ``before`` reports, or reports as an error.

        Args:
            locked: Locked values, which show whether 50 tokens are more than 5%; without any they may be.
        """
        if before.level == "off":
            return False
        if LEVELS.index(self.level) > LEVELS.index(before.level):
            return True
        pairs = list(zip(self._allowed, before._allowed, strict=True))
        if any(now > old for now, old in pairs):
            both_ways = any(now < old for now, old in pairs)
            if not both_ways or not locked or any(self._allows(each) > before._allows(each) for each in locked):
                return True
        if before.cap is None or self.cap is None:
            return before.cap is not None and self.cap is None
        return self.cap < before.cap if metric in FLOORED else self.cap > before.cap

    @property
    def _allowed(self) -> tuple[Decimal, Decimal]:
        """The share and the amount of growth that pass."""
        if self.share is None and self.amount is None and self.cap is not None:
            return Decimal("inf"), Decimal("inf")
        return self.share or Decimal(0), self.amount or Decimal(0)

    def _allows(self, locked: int) -> Decimal:
        share, amount = self._allowed
        return max(share * locked, amount)

    def shown(self, metric: Metric) -> str:
        """As it would be written, or in words: ``50%``, ``warn 10%``, ``no growth``, ``off``."""
        if self.level == "off" or metric == "parameters":
            return self.level
        text = self.text or ("no loss" if metric in FLOORED else "no growth")
        return text if self.level == "error" else f"warn {text}"


def parse_metric(name: str) -> Metric:
    """The metric with a name. Raises ValueError if there is none."""
    for metric in METRICS:
        if metric == name:
            return metric
    raise ValueError(f"unknown metric {name!r}.{did_you_mean(name, METRICS)} (known metrics: {', '.join(METRICS)})")


def parse_limit(metric: str, value: object) -> Limit:
    """A limit from the configuration or the command line.

    Raises:
        ValueError: The metric is unknown, a unit is missing or wrong, or the limit is empty.
    """
    parse_metric(metric)
    if isinstance(value, bool) or not isinstance(value, str):
        raise ValueError(f"{metric} = {value!r} has no unit: write {_example(metric)}")
    text = value.strip()
    level: LimitLevel = "error"
    for known_level in LEVELS:
        if re.match(rf"{known_level}\b", text):
            level, text = known_level, text.removeprefix(known_level).lstrip(" :")
            break
    if level == "off" or not text:
        if level == "off" and text:
            raise ValueError(f"{metric} = {value!r}: nothing can follow 'off'")
        if not value.strip():
            raise ValueError(f"{metric} = {value!r} is empty: write {_example(metric)}, or off")
        return Limit(level)
    return _parsed(metric, text, level)


def _parsed(metric: str, text: str, level: LimitLevel) -> Limit:
    soft, bar, hard = text.partition("|")
    if metric == "parameters" or (bar and metric in CAUSES and metric != "calls_per_month"):
        raise ValueError(f"{metric} = {text!r}: write {_example(metric)}")
    unit = _unit(metric)
    share = amount = cap = None
    if soft.strip():
        parts = [part.strip() for part in soft.split("&")]
        relative = [part for part in parts if part.endswith("%")]
        absolute = [part for part in parts if not part.endswith("%")]
        if len(relative) > 1 or len(absolute) > 1:
            raise ValueError(f"{metric} = {text!r}: at most one percentage and one amount, as in {_example(metric)}")
        if relative and metric == "quality":
            raise ValueError(f"{metric} = {text!r}: quality loses points, as in {_example(metric)}")
        if relative:
            share = _number(metric, relative[0], text, "%") / 100
        if absolute:
            amount = _number(metric, absolute[0], text, unit, bare=bool(relative))
    if bar:
        cap = _number(metric, hard.strip(), text, "%" if metric == "quality" else unit, bare=True)
    if metric == "quality":
        amount = None if amount is None else amount / 100
        cap = None if cap is None else cap / 100
    return Limit(level, share, amount, cap, text)


def _number(metric: str, part: str, text: str, unit: str, *, bare: bool = False) -> Decimal:
    """The number of a part that must have this unit; ``bare``: tokens may do without."""
    match = _AMOUNT.fullmatch(part)
    if match is None:
        raise ValueError(f"{metric} = {text!r}: {part!r} is not an amount; write {_example(metric)}")
    given = "$" if match["dollar"] else (match["unit"] or "").rstrip("s")
    if not given and not (bare and unit == "token"):
        raise ValueError(f"{metric} = {text!r}: {part!r} has no unit; write {_example(metric)}")
    if given and given != unit:
        raise ValueError(f"{metric} = {text!r}: {part!r} has the wrong unit; write {_example(metric)}")
    return Decimal(match["number"].replace(",", "").replace("_", ""))


def _unit(metric: str) -> str:
    if metric.startswith("usd") or metric in ("model", "price", "tokenizer"):
        return "$"
    return {"quality": "point", "calls_per_month": "call"}.get(metric, "token")


def _example(metric: str) -> str:
    if metric == "parameters":
        return " or ".join(f'"{level}"' for level in LEVELS)
    if metric == "calls_per_month":
        return '"5%", "1000 calls" or "5% | 300000 calls"'
    if metric in CAUSES:
        return '"5%", "$0.001" or "5% & $0.001"'
    if metric == "quality":
        return '"2 points | 90%"'
    if metric.startswith("usd"):
        return '"5% & $0.001 | $0.02"'
    return '"5%", "50 tokens" or "5% & 50 | 4000"'


@dataclass(frozen=True, slots=True)
class DriftLimit:
    """How much many accepted raises may add up to: ``20% / 90d``.

    Attributes:
        share: 0.2 for 20%.
        days: Before the last commit.
        text: As it was written, without the level.
    """

    level: LimitLevel
    share: Decimal = Decimal(0)
    days: int = 0
    text: str = ""

    def looser(self, before: DriftLimit) -> bool:
        """Whether a drift that this limit lets pass, ``before`` reports, or reports as an error."""
        if before.level == "off":
            return False
        lower = LEVELS.index(self.level) > LEVELS.index(before.level)
        return lower or self.share > before.share or self.days < before.days

    @property
    def shown(self) -> str:
        """As it would be written."""
        return self.text if self.level == "error" else f"{self.level} {self.text}".rstrip()


_DRIFT = re.compile(r"(?P<share>\d+(?:\.\d+)?)\s*%\s*/\s*(?P<days>[1-9]\d*)\s*d(?:ays?)?")


def parse_drift(value: object) -> DriftLimit:
    """The limit of a drift from the configuration.

    Raises:
        ValueError: It is not one.
    """
    text = value.strip() if isinstance(value, str) else ""
    level: LimitLevel = "error"
    if text == "off":
        return DriftLimit("off")
    if text.startswith("warn"):
        level, text = "warn", text.removeprefix("warn").lstrip(" :")
    match = _DRIFT.fullmatch(text)
    if match is None:
        raise ValueError(f'drift = {value!r}: write "20% / 90d", "warn 20% / 90d" or "off"')
    return DriftLimit(level, Decimal(match["share"]) / 100, int(match["days"]), text)
