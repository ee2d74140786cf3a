"""What the next thirty days cost, by what was spent so far: one method for an audited log and for the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from promptopt.auditing.bill import SLOT_S
from promptopt.auditing.log import Floats
from promptopt.money import usd

_DRAWS, _SEED = 4000, 20_261
_MONTH_DAYS, _FEWEST_DAYS = 30, 3
_SILENCE = 31 * 86_400 // SLOT_S
_ASTRAY = 0.01
_LEAST_USD = 1e-12
"""No day costs less; a logarithm has to be one."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Dollars of the thirty days after a log, with the 95% interval; ``None`` if it has fewer than three days."""

    usd: float
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """The dollars, with their interval if there is one."""
        return usd(self.usd) + (
            "" if self.low is None or self.high is None else f" ({usd(self.low)} to {usd(self.high)})"
        )


def forecast(slots_usd: Mapping[int, float]) -> Forecast | None:
    """What the next thirty days cost; ``None`` if less than an hour is known.

    Args:
        slots_usd: Dollars by the number of their slot of :data:`~promptopt.auditing.bill.SLOT_S` seconds since 1970;
            negative ones are of calls without a time.
    """
    slots = _of_one_clock({slot: usd for slot, usd in slots_usd.items() if slot >= 0})
    if len(slots) < 2 or (span := max(slots) - min(slots) + 1) * SLOT_S < 3600:
        return None
    per_day, first = 86_400 // SLOT_S, min(slots)
    days = np.zeros(span // per_day)
    for slot, spent in slots.items():
        place = (slot - first) // per_day
        if place < len(days):
            days[place] += spent
    if len(days) < _FEWEST_DAYS or not days.any():
        return Forecast(math.fsum(slots.values()) / span * per_day * _MONTH_DAYS, None, None)
    low, middle, high = np.percentile(next_days(days, _MONTH_DAYS), [2.5, 50, 97.5])
    return Forecast(float(middle), float(low), float(high))


def _of_one_clock(slots: Mapping[int, float]) -> Mapping[int, float]:
    """The slots without those that a wrong clock has made: far from all others, and with next to nothing in them.

    A call of 1970 or of next year would otherwise make decades of days without any spending.
    """
    order = sorted(slots)
    edges = [place for place in range(1, len(order)) if order[place] - order[place - 1] > _SILENCE]
    if not edges:
        return slots
    runs = [order[start:end] for start, end in zip([0, *edges], [*edges, len(order)], strict=True)]
    least = _ASTRAY * math.fsum(slots.values())
    kept = [run for run in runs if math.fsum(slots[slot] for slot in run) >= least]
    return {slot: slots[slot] for run in kept for slot in run}


def next_days(days: Floats, horizon: int) -> Floats:
    """Draws of the sum of the days after some.

    The local-level model on logarithms: days vary around a level that itself walks (Harvey, Forecasting, Structural
    Time Series Models and the Kalman Filter, 1989, 2.3 and 4.1). Both variances are those that the days' differences
    and their first autocovariance say; at least a quarter of the differences is taken as the level's own, since a few
    days cannot show that it does not move.
    """
    logs = np.log(np.maximum(days, max(days.mean() / 100, _LEAST_USD)))
    steps = np.diff(logs)
    spread = float(np.mean(steps**2))
    related = float(np.mean(steps[1:] * steps[:-1])) if len(steps) > 2 else -spread / 4
    noise = max(0.0, min(-related, spread / 2))
    walk = max(spread - 2 * noise, spread / 4)
    ratio = walk / noise if noise else math.inf
    gain = (math.sqrt(ratio * ratio + 4 * ratio) - ratio) / 2 if noise else 1.0
    level = float(logs[0])
    for value in logs[1:]:
        level += gain * (float(value) - level)
    random, freedom = np.random.default_rng(_SEED), max(2, len(days) - 1)
    # Few days know little of their own variances: Student's t, not the normal.
    scale = np.sqrt(freedom / random.chisquare(freedom, _DRAWS))[:, None]
    walked = np.cumsum(random.normal(0, math.sqrt(walk), (_DRAWS, horizon)), axis=1)
    around = random.normal(0, math.sqrt(noise), (_DRAWS, horizon))
    unsure = random.normal(0, math.sqrt(gain * noise), (_DRAWS, 1))
    sums = np.exp(np.clip(level + scale * (unsure + walked + around), -700, 700)).sum(axis=1)
    return np.asarray(sums)
