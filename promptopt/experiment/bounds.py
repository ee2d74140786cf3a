"""Bounds of a mean that hold for every number of cases and every distribution, if one end of it is known.

The test is Gaffke's ("Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative
variable", Mathematical Methods of Statistics, 2005). Values of 0 or more are weighted at random, uniformly over all
weights whose sum is at most 1, and the p-value of "their mean is at most 1" is the probability that the weighted sum
is at most 1. That it errs at its level for values of every distribution, if they are independent, Vlassis and Thomas
proved ("An Exact Distribution-Free Test for Means of Nonnegative Random Variables", arXiv:2607.08415, 2026). For values
of 0 and 1 its bounds are those of Clopper and Pearson (1934); for many values they are as narrow as those of a t-test.

Random weights are independent exponential variables over their sum. So the probability is that of a sum of gamma
variables, one for each distinct value, with either sign: an integral along a line through the saddle point of its
moment generating function (Lugannani and Rice, "Saddle Point Approximation for the Distribution of the Sum of
Independent Random Variables", 1980), which the trapezoidal rule gives to some ten digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# So many distinct values are summed; of more, neighbours are taken for the lowest of them, which only widens bounds.
_MOST_VALUES = 16_384
# Where the saddle point is looked for: shares of the way from 0 to the nearest pole, as logits.
_COARSE, _FINE = np.linspace(-30.0, 30.0, 49), np.linspace(0.0, 1.25, 11)
# Along the line the steps grow with the distance from the saddle point; of the first, half is taken.
_ALONG = np.arange(0.0, 10.0, 0.125)
_STEPS = np.where(_ALONG > 0, 0.125, 0.125 / 2)
_MOST_GUESSES, _PRECISION = 60, 1e-9
_LEAST = 1e-100


def p_mean_at_most(values: Floats, mean: float, low: float) -> float:
    """P-value of "the values have a mean of ``mean`` or less".

    Args:
        values: Independent, shape ``(cases,)``.
        low: No value can be lower.

    Raises:
        ValueError: One is.
    """
    return _Sample.of(values, low).p_value(mean - low)


def p_mean_at_least(values: Floats, mean: float, high: float) -> float:
    """P-value of "the values have a mean of ``mean`` or more"; no value can be higher than ``high``."""
    return p_mean_at_most(-values, -mean, -high)


def lower_bound(values: Floats, low: float, level: float) -> float:
    """The number that the mean exceeds with confidence ``1 - level``; ``low`` if the values show nothing.

    Args:
        values: Independent, shape ``(cases,)``.
        low: No value can be lower.
        level: One-sided, as 0.05.

    Raises:
        ValueError: A value is lower.
    """
    return low + _Sample.of(values, low).lower_bound(level)


def upper_bound(values: Floats, high: float, level: float) -> float:
    """The number that the mean stays below with confidence ``1 - level``; no value can be higher than ``high``."""
    return -lower_bound(-values, -high, level)


@dataclass(frozen=True, slots=True)
class _Sample:
    """Distinct values above their lowest end, in order, how often each is there, and the end itself once more.

    Attributes:
        above: Shape ``(distinct,)``; ``counts`` likewise.
    """

    above: Floats
    counts: Floats

    @classmethod
    def of(cls, values: Floats, low: float) -> _Sample:
        if len(values) and values.min() < low:
            raise ValueError(f"a value of {values.min():g} is lower than {low:g}")
        above, counts = np.unique(np.append(values - low, 0.0), return_counts=True)
        if len(above) > _MOST_VALUES:
            starts = np.arange(0, len(above), -(-len(above) // _MOST_VALUES))
            above, counts = above[starts], np.add.reduceat(counts, starts)
        return cls(above, counts.astype(np.float64))

    def p_value(self, mean: float) -> float:
        """Of "the mean is at most ``mean``", above the lowest end."""
        if self.above[-1] <= mean or not self.above.any():
            return 1.0
        return _chance_of_loss(self.above - mean, self.counts) if mean > 0 else 0.0

    def lower_bound(self, level: float) -> float:
        """Of the mean, above the lowest end: means below it have p-values of at most ``level``."""
        refuted, kept = 0.0, float(self.above[-1])
        wanted = NormalDist().inv_cdf(level)
        # As normal deviates p-values are nearly a line over the mean, so that a few secants find the level.
        errors = [-40.0 - wanted, 9.0 - wanted]
        mean = float(self.counts @ self.above / self.counts.sum())
        spread = math.sqrt(float(self.counts @ (self.above - mean) ** 2) / self.counts.sum() ** 2)
        guess, last = min(max(mean + wanted * spread, kept / 64), kept * 63 / 64), -1
        for _ in range(_MOST_GUESSES):
            error = NormalDist().inv_cdf(min(max(self.p_value(guess), 1e-300), 1 - 1e-16)) - wanted
            side = int(error > 0)
            refuted, kept = (refuted, guess) if side else (guess, kept)
            errors[side] = error
            if abs(error) < _PRECISION:
                return guess
            if kept - refuted <= _PRECISION * self.above[-1]:
                break
            # The Illinois rule: an end that stays pulls the next guess half as much.
            errors[1 - side] /= 2 if side == last else 1
            last = side
            guess = refuted + (kept - refuted) * errors[0] / (errors[0] - errors[1])
            least = (kept - refuted) * 1e-3
            guess = min(max(guess, refuted + least), kept - least)
        return refuted


def _chance_of_loss(values: Floats, counts: Floats) -> float:
    """The probability that values times gamma variables, whose shapes are ``counts``, have a sum of 0 or less.

    Args:
        values: Some of them below and some above 0.
    """
    # Only their ratios matter, and a power of two changes no digit of them.
    values = np.ldexp(values, -math.frexp(float(np.abs(values).max()))[1])
    if np.abs(values).min() < _LEAST:
        # What is far below the largest counts as the worse of what it may be: squares of it would leave the numbers.
        values = np.where(np.abs(values) < _LEAST, np.where(values < 0, -_LEAST, 0.0), values)
        if values[-1] <= 0:
            return 1.0
    gains = counts @ values > 0
    # The rarer side is summed, left or right of the pole at 0.
    pole = 1 / (values[0] if gains else values[-1])
    saddle = _saddle(values, counts, pole)
    left = 1 - values * saddle
    rates = values / left
    width = 1 / math.sqrt(float(counts @ rates**2) + 1 / saddle**2)
    along = width * np.sinh(_ALONG)
    turned = np.multiply.outer(rates, along)
    # The generating function is a product: the logarithm of its size, and its direction.
    size = -float(counts @ np.log(left)) - counts @ np.log(1 + turned**2) / 2
    direction = counts @ np.arctan(turned)
    terms = np.exp(size) * (saddle * np.cos(direction) + along * np.sin(direction)) / (saddle**2 + along**2)
    chance = abs(float(terms @ (width * np.cosh(_ALONG) * _STEPS))) / math.pi
    return min(1.0, chance if gains else 1 - chance)


def _saddle(values: Floats, counts: Floats, pole: float) -> float:
    """Between 0 and the pole, near where the integrand is smallest."""
    logits = _COARSE
    for finer in (_FINE, None):
        points = pole / (1 + np.exp(-logits))
        slopes = (counts * values) @ (1 / (1 - np.multiply.outer(values, points))) - 1 / points
        # The slope rises along the line from one end to the other.
        before = int((slopes * np.sign(pole) < 0).sum())
        at = logits[min(max(before - 1, 0), len(logits) - 1)]
        if finer is not None:
            logits = at + finer
    return float(pole / (1 + math.exp(-at)))
