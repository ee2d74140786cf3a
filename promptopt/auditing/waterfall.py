"""The waterfall: what each strategy saves of what the ones before it left; and Shapley values, which have no order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from math import factorial

import numpy as np

from promptopt.auditing.bill import SLOT_S, TokenBill
from promptopt.auditing.strategies import ReplayOutcome
from promptopt.auditing.strategy_settings import StrategyName

_DRAWS, _SEED = 2000, 20_260
# From a day on, a block of the bootstrap is an hour.
_DAY_OF_SLOTS = 86_400 // SLOT_S
_HOUR_OF_SLOTS = 3600 // SLOT_S

ReplayOutcomes = Mapping[frozenset[StrategyName], ReplayOutcome]


@dataclass(frozen=True, slots=True)
class AuditStep:
    """What a strategy saves.

    Attributes:
        saved_usd: Negative if it costs more than it saves.
        low: With ``high`` the 95% interval of ``saved_usd``; ``None`` if the log has fewer than two blocks of time.
        calls: What it did, as whole numbers.
    """

    strategy: StrategyName
    saved_usd: Decimal
    low: float | None
    high: float | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ShapleyValue:
    """A strategy's saving over all orders: its mean, and the least and most that any order gives it."""

    strategy: StrategyName
    saved_usd: Decimal
    least_usd: Decimal
    most_usd: Decimal


def chain(order: Sequence[StrategyName]) -> list[frozenset[StrategyName]]:
    """The sets of a waterfall, from none to all."""
    return [frozenset(order[:count]) for count in range(len(order) + 1)]


def all_sets(order: Sequence[StrategyName]) -> list[frozenset[StrategyName]]:
    """Every set of some strategies."""
    return [frozenset(each) for count in range(len(order) + 1) for each in combinations(order, count)]


def steps(outcomes: ReplayOutcomes, order: Sequence[StrategyName]) -> list[AuditStep]:
    """The steps of a waterfall in this order; with what is left they add up to the bill, exactly."""
    found = []
    sets = chain(order)
    for name, before, after in zip(order, sets, sets[1:], strict=False):
        old, new = outcomes[before].bill, outcomes[after].bill
        low, high = _interval(old, new)
        found.append(AuditStep(name, old.usd - new.usd, low, high, outcomes[after].counts.get(name, {})))
    return found


def _interval(before: TokenBill, after: TokenBill) -> tuple[float | None, float | None]:
    """A block bootstrap over hours, or ten minutes in a log of less than a day (Kuensch 1989): percentiles."""
    old, new = before.slots_usd, after.slots_usd
    slots = [slot for slot in old if slot >= 0]
    if not slots:
        return None, None
    size = _HOUR_OF_SLOTS if max(slots) - min(slots) >= _DAY_OF_SLOTS else 1
    blocks: dict[int, Decimal] = {}
    for slot in slots:
        blocks[slot // size] = blocks.get(slot // size, Decimal(0)) + old[slot] - new.get(slot, Decimal(0))
    if len(blocks) < 2:
        return None, None
    saved = np.array([float(blocks[block]) for block in sorted(blocks)])
    # The number of each block in a draw; a draw of a million blocks would fill the memory.
    random = np.random.default_rng(_SEED)
    share = np.full(len(saved), 1 / len(saved))
    sums = [float(random.multinomial(len(saved), share) @ saved) for _ in range(_DRAWS)]
    low, high = np.percentile(sums, [2.5, 97.5])
    return float(low), float(high)


def shapley(outcomes: ReplayOutcomes, order: Sequence[StrategyName]) -> list[ShapleyValue]:
    """The Shapley value of each strategy (Shapley 1953): the mean of its saving over all orders."""
    size, found = len(order), []
    for name in order:
        others = [each for each in order if each != name]
        total, gains = Decimal(0), []
        for count in range(size):
            weight = factorial(count) * factorial(size - 1 - count)
            for before in combinations(others, count):
                gain = outcomes[frozenset(before)].bill.usd - outcomes[frozenset((*before, name))].bill.usd
                gains.append(gain)
                total += weight * gain
        found.append(ShapleyValue(name, total / factorial(size), min(gains), max(gains)))
    return found
