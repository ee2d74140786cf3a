"""Paired statistics on numpy: BCa bootstrap, exact McNemar, Holm.

Cases are the unit; every resample draws cases, with both variants' values of each. The package itself does not need
scipy (importing ``scipy.stats`` costs 0.9 s); the tests check everything here against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 9_999
SEED = 20_240_513
CONFIDENCE = 0.95

_NORMAL = NormalDist()
# Few enough to stay in the processor's cache.
_DRAWS_AT_ONCE = 50_000

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From column means, shape ``(..., columns)``, to the statistic, shape ``(...)``."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The BCa bootstrap distribution of one statistic.

    Efron, "Better Bootstrap Confidence Intervals" (JASA 1987), as in Efron and Tibshirani, "An Introduction to the
    Bootstrap" (1993), equations 14.9 to 14.15.

    Attributes:
        observed: The statistic of the sample.
        resampled: The statistic of each resample, sorted, shape ``(RESAMPLES,)``.
        bias: z0, the bias correction.
        acceleration: a, from the jackknife.
    """

    observed: float
    resampled: Floats
    bias: float
    acceleration: float

    @property
    def degenerate(self) -> bool:
        """Whether every resample gives the same value: the cases do not differ."""
        return bool(self.resampled[0] == self.resampled[-1])

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The two-sided interval; of width zero if the cases do not differ."""
        if self.degenerate:
            return self.observed, self.observed
        tail = (1 - confidence) / 2
        return self._bound(tail), self._bound(1 - tail)

    def _bound(self, alpha: float) -> float:
        shifted = self.bias + _NORMAL.inv_cdf(alpha)
        level = _NORMAL.cdf(self.bias + shifted / (1 - self.acceleration * shifted))
        return float(np.quantile(self.resampled, level))

    def level_at(self, value: float) -> float:
        """The level at which the interval's lower end is ``value``: the one-sided p-value of "at most ``value``"."""
        if self.degenerate:
            return 0.5 if self.observed == value else float(self.observed < value)
        z = _NORMAL.inv_cdf(_share_below(self.resampled, value))
        distance = z - self.bias
        scale = 1 + self.acceleration * distance
        if scale <= 0:
            return float(distance > 0)
        return float(_NORMAL.cdf(distance / scale - self.bias))

    def p_value(self) -> float:
        """Two-sided p-value of "the statistic is 0": the interval of confidence ``1 - p`` just touches 0."""
        level = self.level_at(0.0)
        return min(1.0, 2 * min(level, 1 - level))


def bootstrap(columns: Floats, statistics: Sequence[Statistic]) -> list[Bootstrap]:
    """The bootstrap distributions of statistics of column means, all over the same resamples.

    Args:
        columns: One row a case, shape ``(cases, columns)``; at least two cases.
        statistics: Each is called with means of shape ``(..., columns)``.
    """
    cases = len(columns)
    if cases < 2:
        raise ValueError("a bootstrap needs at least two cases")
    total = columns.sum(axis=0)
    leave_one_out = (total - columns) / (cases - 1)
    means = _resampled_means(columns)
    return [_bca(statistic, total / cases, means, leave_one_out) for statistic in statistics]


def _bca(statistic: Statistic, mean: Floats, means: Floats, leave_one_out: Floats) -> Bootstrap:
    observed = float(statistic(mean))
    resampled = np.sort(statistic(means))
    # Sums in another order differ in the last bits; what is constant up to them is constant.
    if np.ptp(resampled) <= 1e-9 * np.abs(resampled).max():
        resampled = np.full_like(resampled, observed)
    jackknife = statistic(leave_one_out)
    deviations = jackknife.mean() - jackknife
    largest = np.abs(deviations).max()
    # In units of the largest, so that no power of a tiny number vanishes.
    units = deviations / largest if largest > 0 else deviations
    spread = float((units**2).sum())
    acceleration = float((units**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    return Bootstrap(observed, resampled, _NORMAL.inv_cdf(_share_below(resampled, observed)), acceleration)


def _share_below(sorted_values: Floats, value: float) -> float:
    """The share of values below ``value``, ties by half, kept off 0 and 1."""
    size = len(sorted_values)
    below = np.searchsorted(sorted_values, value, "left") + np.searchsorted(sorted_values, value, "right")
    return min(max(float(below) / (2 * size), 0.5 / size), 1 - 0.5 / size)


def _resampled_means(columns: Floats) -> Floats:
    """Column means of ``RESAMPLES`` resamples, shape ``(RESAMPLES, columns)``; equal numbers of cases draw alike."""
    cases = len(columns)
    random = np.random.default_rng(SEED)
    chunk = max(1, _DRAWS_AT_ONCE // cases)
    parts = []
    for start in range(0, RESAMPLES, chunk):
        rows = min(chunk, RESAMPLES - start)
        drawn = random.integers(cases, size=(rows, cases), dtype=np.int32)
        drawn += np.arange(rows, dtype=np.int32)[:, None] * cases
        weights = np.bincount(drawn.ravel(), minlength=rows * cases).reshape(rows, cases)
        parts.append(weights @ columns / cases)
    return np.concatenate(parts)


def mcnemar(better: int, worse: int) -> float:
    """Exact two-sided p-value of McNemar's test: the binomial test of the discordant pairs against one half.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages"
    (Psychometrika 1947), in its exact form.
    """
    n = better + worse
    tail = sum(math.comb(n, k) for k in range(min(better, worse) + 1))
    # Python divides whole numbers of any size; 2**n would leave the floats from 1,024 pairs on.
    return min(1.0, float(2 * tail / 2**n))


def quality_p_value(differences: Floats, resampled: Bootstrap) -> float:
    """Two-sided p-value of "quality does not differ".

    Of passes and failures, and of cases that all differ by the same, the exact test of their signs: it is valid for any
    number of cases, the bootstrap only for many that vary.

    Args:
        differences: Of each case, between -1 and 1.
        resampled: Their bootstrap.
    """
    exact = mcnemar(int((differences > 0).sum()), int((differences < 0).sum()))
    if resampled.degenerate:
        return exact
    is_pass_or_fail = set(np.unique(differences)) <= {-1.0, 0.0, 1.0}
    return max(exact, resampled.p_value()) if is_pass_or_fail else resampled.p_value()


def loss_p_value(differences: Floats, resampled: Bootstrap, margin: float) -> float:
    """One-sided p-value of "quality loses ``margin`` or more".

    Where n cases all differ by d, the bootstrap shows no spread. A share q of calls that lose everything brings the
    mean to ``(1 - q) d - q``, and n cases have none of them with probability ``(1 - q)^n``: the p-value is that of
    the smallest q that loses the margin (with d = 0 the "rule of three").
    """
    if not resampled.degenerate:
        return resampled.level_at(-margin)
    if resampled.observed <= -margin:
        return 1.0
    return float(((1 - margin) / (1 + resampled.observed)) ** len(differences))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number: Holm, "A simple sequentially rejective multiple test procedure" (1979)."""
    count = len(p_values)
    adjusted = [0.0] * count
    largest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
