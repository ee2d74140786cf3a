"""Limits as they are written: ``input = "5% & 50 | 4000"``.

Before ``|`` stands what a metric may grow by: a share, an amount, or both, of which both must be exceeded. After it
stands a cap. Units are mandatory: ``5`` alone could be 5% or 5 tokens. Beside a percentage, and as a cap, a bare number
can only be tokens. ``quality`` loses points (``2 points``) and has a floor (``| 90%``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from promptopt.errors import did_you_mean

Metric = Literal["input", "cacheable", "output", "usd_call", "usd_month", "quality"]
METRICS: tuple[Metric, ...] = ("input", "cacheable", "output", "usd_call", "usd_month", "quality")
TOKENS: tuple[Metric, ...] = ("input", "cacheable", "output")
# A metric of a whole prompt; the others are measured case by case.
OF_PROMPTS: tuple[Metric, ...] = ("usd_month", "quality")

Level = Literal["error", "warn", "off"]
LEVELS: tuple[Level, ...] = ("error", "warn", "off")

_AMOUNT = re.compile(r"(?P<dollar>\$)?(?P<number>\d[\d,_]*(?:\.\d+)?|\.\d+)\s*(?P<unit>%|tokens?|points?)?")


@dataclass(frozen=True, slots=True)
class Limit:
    """What one metric may do.

    Attributes:
        share: It may grow by this share of the locked value (0.05 for 5%); ``None``: no share is given.
        amount: It may grow by this many tokens, dollars, or points of quality (0 to 1).
        cap: It may be this at most; of a falling metric, this at least.
        text: As it was written, without the level.
    """

    level: Level
    share: Decimal | None = None
    amount: Decimal | None = None
    cap: Decimal | None = None
    text: str = "any growth"

    def exceeded(self, locked: Decimal, growth: Decimal) -> bool:
        """Whether a growth is more than it may be: more than the share and more than the amount, where both are given.

        Args:
            locked: The locked value.
            growth: By how much today's is worse.
        """
        allowed = [] if self.share is None else [self.share * abs(locked)]
        if self.amount is not None:
            allowed.append(self.amount)
        # Without either only the cap counts, unless there is none: then no growth is allowed.
        if not allowed:
            return self.cap is None and growth > 0
        return growth > max(allowed)


def parse_limit(metric: str, value: object) -> Limit:
    """A limit out of the configuration or the command line.

    Raises:
        ValueError: The metric is unknown, a unit is missing or wrong, or nothing is limited.
    """
    if metric not in METRICS:
        known = f"known metrics: {', '.join(METRICS)}"
        raise ValueError(f"unknown metric {metric!r}.{did_you_mean(metric, METRICS)} ({known})")
    if isinstance(value, bool) or not isinstance(value, str):
        raise ValueError(f"{metric} = {value!r} has no unit: write {_example(metric)}")
    text = value.strip()
    level: Level = "error"
    for known_level in LEVELS:
        if re.match(rf"{known_level}\b", text):
            level, text = known_level, text.removeprefix(known_level).lstrip(" :")
            break
    if level == "off" or not text:
        if level == "off" and text:
            raise ValueError(f"{metric} = {value!r}: a limit that is off limits nothing more")
        if not value.strip():
            raise ValueError(f"{metric} = {value!r} is empty: write {_example(metric)}, or off")
        return Limit(level)
    return _parsed(metric, text, level)


def _parsed(metric: str, text: str, level: Level) -> Limit:
    soft, bar, hard = text.partition("|")
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
            share = _number(metric, relative[0], text, bare=False) / 100
        if absolute:
            amount = _number(metric, absolute[0], text, bare=bool(relative))
    if bar:
        cap = _number(metric, hard.strip(), text, bare=True)
    if metric == "quality":
        amount = None if amount is None else amount / 100
        cap = None if cap is None else cap / 100
    return Limit(level, share, amount, cap, text)


def _number(metric: str, part: str, text: str, *, bare: bool) -> Decimal:
    match = _AMOUNT.fullmatch(part)
    if match is None:
        raise ValueError(f"{metric} = {text!r}: {part!r} is not an amount; write {_example(metric)}")
    unit = "$" if match["dollar"] else (match["unit"] or "").rstrip("s")
    is_cap = text.partition("|")[2].strip() == part
    allowed = {"$"} if metric.startswith("usd") else {"point"} if metric == "quality" else {"token"}
    if not is_cap or metric == "quality":
        allowed = allowed | {"%"} if metric != "quality" else {"%"} if is_cap else {"point"}
    if not unit and bare and metric in TOKENS:
        unit = "token"
    if not unit:
        raise ValueError(f"{metric} = {text!r}: {part!r} has no unit; write {_example(metric)}")
    if unit not in allowed:
        raise ValueError(f"{metric} = {text!r}: {part!r} has the wrong unit; write {_example(metric)}")
    return Decimal(match["number"].replace(",", "").replace("_", ""))


def _example(metric: str) -> str:
    if metric == "quality":
        return '"2 points | 90%"'
    if metric.startswith("usd"):
        return '"5% & $0.001 | $0.02"'
    return '"5%", "50 tokens" or "5% & 50 | 4000"'
