"""Tests of paired differences that are exact for every number of cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from promptopt.experiment.bounds import Floats

Counts = NDArray[np.int64]

SEED = 20_240_513
# Up to so many cases every choice of cases is tried.
_ALL_CHOICES = 13
# More draws make a p-value more exact, not more valid: 200,000 cases get 999 of them.
_FEWEST_DRAWS, _MOST_DRAWS, _MOST_VALUES = 999, 2_999, 20_000_000
_VALUES_AT_ONCE = 200_000
# A sum of many decimals is off in its last digits.
_ROUNDING = 1e-10
_NUISANCE_POINTS = 17
# What the confidence set of the nuisance parameter may miss; it is added to the p-value.
_REFUTED = 1e-6


@dataclass(frozen=True, slots=True)
class Choices:
    """Sums over random choices of the cases, each case chosen or not with the same chance.

    To choose cases at random is to flip the signs of differences at random, so that one set of choices gives both the
    sign-flip test (Fisher, "The Design of Experiments", 1935) and the interval that agrees with it, from the means of
    the chosen cases (Hartigan, "Using Subsample Values as Typical Values", JASA 1969). Both hold for every number of
    cases if it does not matter which of two equal prompts gave which answer.

    Attributes:
        sums: Of each choice and column, shape ``(choices, columns)``.
        totals: Of all cases, shape ``(columns,)``.
        complete: Whether these are all choices there are; else they are drawn with a fixed seed.
    """

    sums: Floats
    totals: Floats
    complete: bool

    @classmethod
    def of(cls, columns: Floats) -> Choices:
        """The choices of some cases.

        Args:
            columns: One row for each case, shape ``(cases, columns)``.
        """
        cases = len(columns)
        if cases <= _ALL_CHOICES:
            chosen = np.arange(2**cases)[:, None] >> np.arange(cases) & 1
            return cls(chosen @ columns, columns.sum(axis=0), complete=True)
        draws = int(np.clip(_MOST_VALUES // cases, _FEWEST_DRAWS, _MOST_DRAWS))
        random = np.random.default_rng(SEED)
        at_once = max(1, _VALUES_AT_ONCE // cases)
        parts = []
        for start in range(0, draws, at_once):
            shape = (min(at_once, draws - start), -(-cases // 8))
            bits = np.unpackbits(random.integers(0, 256, shape, dtype=np.uint8), axis=1, count=cases)
            parts.append(bits.astype(np.float64) @ columns)
        return cls(np.concatenate(parts), columns.sum(axis=0), complete=False)

    def part(self, *columns: int) -> Choices:
        """The same choices with some of the columns."""
        return Choices(self.sums[:, columns], self.totals[list(columns)], self.complete)

    def less(self, share: float) -> Choices:
        """The choices with the first column less a share of the last, alone."""
        return Choices(
            self.sums[:, :1] - share * self.sums[:, -1:], self.totals[:1] - share * self.totals[-1:], self.complete
        )

    def p_value(self) -> float:
        """Two-sided p-value of "it does not matter which prompt gave which answer", from the first column's sum.

        What was observed counts as one of the drawn choices (Phipson and Smyth, "Permutation P-values Should Never Be
        Zero", 2010).
        """
        flipped = np.abs(self.totals[0] - 2 * self.sums[:, 0])
        observed = abs(self.totals[0])
        extreme = int((flipped >= observed - _ROUNDING * max(1.0, observed)).sum())
        return extreme / len(flipped) if self.complete else (extreme + 1) / (len(flipped) + 1)

    def interval(self, statistic: Callable[[Floats], Floats], level: float) -> tuple[float, float] | None:
        """The two-sided interval of a statistic of column sums; ``None`` if there are too few cases for its level.

        Args:
            statistic: From sums, shape ``(choices, columns)``, to values, shape ``(choices,)``; ``nan`` for no case.
            level: Of both sides together, as 0.05.
        """
        values = np.sort(statistic(self.sums))
        known = values[~np.isnan(values)]
        # A choice of no case could have any value. Of drawn choices, the observed one is one more on either side.
        outside = len(values) - len(known) + (not self.complete)
        rank = math.floor(level / 2 * (len(values) + (not self.complete))) - outside
        if rank < 0 or not len(known):
            return None
        return float(known[rank]), float(known[-1 - rank])


def mean_of(sums: Floats) -> Floats:
    """The mean of a first column, given sums of it and the number of cases as a second; ``nan`` for no case."""
    return sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], math.nan)


def mcnemar(better: int, worse: int) -> float:
    """Exact two-sided p-value of McNemar's test: the binomial test of the discordant pairs against one half.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages"
    (Psychometrika 1947), in its exact form.
    """
    pairs = better + worse
    k = np.arange(min(better, worse) + 1)
    logs = _log_factorials(pairs)
    return min(1.0, 2 * float(np.exp(logs[pairs] - logs[k] - logs[pairs - k] - pairs * math.log(2)).sum()))


@lru_cache(maxsize=4096)
def p_loss(better: int, worse: int, cases: int, margin: float) -> float:
    """P-value of "the candidate passes ``margin`` less often, or worse", of cases that pass or fail.

    The score test of Tango ("Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", 1998) with the exact distribution of its statistic, at the worst value of the nuisance
    parameter, as Lloyd and Moldovan ("A more powerful exact test of noninferiority from binary matched-pairs data",
    2008) discuss. If no case differs it is at least ``(1 - margin) ** cases``, the rule of three.

    Args:
        better: Cases that only the candidate passes; ``worse``: only the baseline; ``cases``: all.
        margin: Above 0, at most 1.
    """
    if margin >= 1:
        # Every case passes for the baseline and none for the candidate: anything else refutes that.
        return float(worse == cases)
    observed = float(_score(np.array([better]), np.array([worse]), cases, margin)[0])
    fewest = _fewest_better(np.arange(cases + 1), cases, margin, observed - 1e-9)
    # Only values of the nuisance parameter that the data do not refute (Berger and Boos, "P Values Maximized Over a
    # Confidence Set for the Nuisance Parameter", JASA 1994), by Hoeffding's inequality.
    reach = math.sqrt(math.log(2 / _REFUTED) / (2 * cases))
    seen = (better + worse) / cases
    most = (1 - margin) / 2
    low, high = ((share - margin) / 2 for share in (seen - reach, seen + reach))
    grid = np.linspace(min(max(low, 0.0), most), min(max(high, 0.0), most), _NUISANCE_POINTS)
    found = [_chance(fewest, cases, margin, float(share)) for share in grid]
    best = int(np.argmax(found))
    around = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 9)[1:-1]
    largest = max(found[best], *(_chance(fewest, cases, margin, float(share)) for share in around))
    return min(1.0, largest + _REFUTED)


def _chance(fewest: Counts, cases: int, margin: float, better: float) -> float:
    """The probability of outcomes with ``fewest[k]`` or more of k discordant cases better.

    Args:
        better: Share of better cases; that of worse ones is larger by ``margin``.
    """
    discordant = 2 * better + margin
    center, spread = cases * discordant, math.sqrt(cases * discordant * (1 - discordant))
    # What is left out further away has a probability below 1e-11.
    k = np.arange(max(0, math.floor(center - 7 * spread - 7)), min(cases, math.ceil(center + 7 * spread + 7)) + 1)
    share = better / discordant
    width = 7 * np.sqrt(k * share * (1 - share)) + 7
    start = np.maximum(fewest[k], np.floor(k * share - width).astype(np.int64)).clip(0)
    stop = np.minimum(k, np.ceil(k * share + width).astype(np.int64))
    sizes = np.maximum(stop - start + 1, 0)
    k = np.repeat(k, sizes)
    b = np.repeat(start, sizes) + np.arange(len(k)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    logs = _log_factorials(cases)
    ways = logs[cases] - logs[b] - logs[k - b] - logs[cases - k]
    total = ways + _power(b, better) + _power(k - b, better + margin) + _power(cases - k, 1 - discordant)
    return float(np.exp(total).sum())


def _power(count: Counts, probability: float) -> Floats:
    """``count * log(probability)``, with 0 times log 0 as 0."""
    if probability <= 0:
        return np.where(count == 0, 0.0, -np.inf)
    return np.multiply(count, math.log(probability), dtype=np.float64)


def _score(better: Counts, worse: Counts, cases: int, margin: float) -> Floats:
    """Tango's score statistic of "the loss is ``margin``" (1998): large if the loss is smaller."""
    b, c, n = better.astype(np.float64), worse.astype(np.float64), float(cases)
    # The share of better cases that is likeliest under that loss solves a quadratic equation.
    linear = b * (1 - margin) + c * (1 + margin) - 2 * n * margin
    share = (linear + np.sqrt(linear**2 + 8 * n * b * margin * (1 - margin))) / (4 * n)
    return (b - c + n * margin) / np.sqrt(n * (2 * share + margin * (1 - margin)))


def _fewest_better(discordant: Counts, cases: int, margin: float, wanted: float) -> Counts:
    """The fewest better cases that have a score of ``wanted``, for each number of discordant ones; too many if none."""
    low, high = np.zeros_like(discordant), discordant + 1
    while (low < high).any():
        middle = (low + high) // 2
        enough = _score(middle, discordant - middle, cases, margin) >= wanted
        low, high = np.where(enough, low, np.minimum(middle + 1, high)), np.where(enough, middle, high)
    return low


@lru_cache(maxsize=8)
def _log_factorials(most: int) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])


def holm(p_values: Sequence[float], untested: int = 0) -> list[float]:
    """P-values adjusted for their number: Holm, "A simple sequentially rejective multiple test procedure" (1979).

    Args:
        untested: Further questions, of which nothing is shown.
    """
    count = len(p_values) + untested
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
