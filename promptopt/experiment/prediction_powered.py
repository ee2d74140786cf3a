"""Means of labels of which only a part is known, with a judge's score of every answer: prediction-powered inference.

After Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, "Prediction-powered inference" (Science 382, 2023), with the
weight of the judge by which Angelopoulos, Duchi and Zrnic, "PPI++: Efficient Prediction-Powered Inference" (2023),
get intervals that are never wider in the long run than those of the labels alone. The mean of the labels is that of
``weight * score`` over the answers without a label, plus that of ``label - weight * score`` over those with one;
however wrong the judge is, that is right on average.

Their intervals are of a normal distribution, and too narrow for a few labels of rare failures. Here each of the two
means has the bounds of :mod:`promptopt.experiment.bounds`, which hold for every number and every distribution; of
the two distances from the mean the root of the sum of squares is taken (Zou and Donner, "Construction of confidence
limits about effect measures", 2008). The weight of a label is found from the labels of the other folds, so that it
does not depend on the label itself. ``benchmarks/judges.py`` measures how often these intervals hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from promptopt.experiment.bounds import Floats, lower_bound, upper_bound

_FOLDS = 10
_GRID = 512
_SEED = 20_240_513
_LEVELS = 40
FEWEST_LABELS = 10
"""With fewer labels nothing is said: the judge's weight cannot be found."""


@dataclass(frozen=True)
class Rectified:
    """Labels, and scores of all answers.

    Attributes:
        labels: Shape ``(n,)``; the labelled answers are drawn at random.
        scored: The judge's scores of the same answers.
        others: The judge's scores of the answers without a label, shape ``(m,)``.
        low: No label and no score is lower; ``high`` likewise.
        weights: The judge's weight for each label, 0 to 1.
    """

    labels: Floats
    scored: Floats
    others: Floats
    low: float
    high: float
    weights: Floats

    @classmethod
    def of(cls, labels: Floats, scored: Floats, others: Floats, low: float = 0.0, high: float = 1.0) -> Rectified:
        """With the weights that make the interval narrowest.

        Raises:
            ValueError: There are labels without a score, or the other way round.
        """
        if len(labels) != len(scored):
            raise ValueError("each label needs a score")
        return cls(labels, scored, others, low, high, _weights(labels, scored, len(others)))

    @property
    def weight(self) -> float:
        """The judge's mean weight: 0 if its scores say nothing of the labels."""
        return float(self.weights.mean()) if len(self.weights) else 0.0

    @property
    def rectifiers(self) -> Floats:
        """What the judge is wrong by, answer by answer."""
        return self.labels - self.weights * self.scored

    @property
    def mean(self) -> float:
        """The estimate."""
        judged = self.weight * float(self.others.mean()) if len(self.others) else 0.0
        return float(self.rectifiers.mean()) + judged

    def lower(self, level: float) -> float:
        """The number that the mean of all labels exceeds with confidence ``1 - level``."""
        return max(self.low, self.mean - self._distance(level, -1))

    def upper(self, level: float) -> float:
        """The number that it stays below with confidence ``1 - level``."""
        return min(self.high, self.mean + self._distance(level, 1))

    def _distance(self, level: float, side: int) -> float:
        """How far the bound is from the mean, below it (``side`` -1) or above (1)."""
        weight = float(self.weights.max()) if len(self.weights) else 0.0
        # Of mirrored values the upper bound is a lower one.
        if side < 0:
            rectifiers, least = self.rectifiers, self.low - weight * self.high
            others, lowest = self.others, self.low
        else:
            rectifiers, least = -self.rectifiers, weight * self.low - self.high
            others, lowest = -self.others, -self.high
        # A hair lower, for what is lost in the last digits.
        first = float(rectifiers.mean()) - lower_bound(rectifiers, least - 1e-9, level)
        if not len(others) or not self.weight:
            return first
        return math.hypot(first, self.weight * (float(others.mean()) - lower_bound(_coarse(others), lowest, level)))

    def p_at_most(self, mean: float) -> float:
        """P-value of "the mean is ``mean`` or less": the least level at which the lower bound is above it."""
        return _least_level(lambda level: self.mean - self._distance(level, -1) > mean)

    def p_at_least(self, mean: float) -> float:
        """P-value of "the mean is ``mean`` or more"."""
        return _least_level(lambda level: self.mean + self._distance(level, 1) < mean)

    def alone(self, level: float) -> tuple[float, float]:
        """The two-sided interval of the labels without the judge."""
        return (
            lower_bound(self.labels, self.low, level / 2),
            upper_bound(self.labels, self.high, level / 2),
        )

    @property
    def effective_labels(self) -> float:
        """How many labels alone would have as small a variance as these with the judge."""
        own, both = self._variances()
        return len(self.labels) * own / both if both > 0 else math.inf

    def judges_share(self, level: float) -> float:
        """How much narrower the two-sided interval would be, as a share, with a label of every answer.

        Those that are not there yet are taken to be spread as the others are.
        """
        count = len(self.labels) + len(self.others)
        everywhere = np.sort(self.labels)[np.arange(count) * len(self.labels) // count] if count else self.labels
        narrow = upper_bound(everywhere, self.high, level / 2) - lower_bound(everywhere, self.low, level / 2)
        wide = self.upper(level / 2) - self.lower(level / 2)
        return max(0.0, 1 - narrow / wide) if wide > 0 else 0.0

    def _variances(self) -> tuple[float, float]:
        """Of the mean of the labels alone, and of the estimate."""
        count = len(self.labels)
        if count < 2:
            return math.nan, math.nan
        own = float(self.labels.var(ddof=1)) / count
        both = float(self.rectifiers.var(ddof=1)) / count
        if len(self.others) > 1:
            both += self.weight**2 * float(self.others.var(ddof=1)) / len(self.others)
        return own, both


def _coarse(values: Floats) -> Floats:
    """Many values lowered to a grid, on which a bound is found in milliseconds; bounds only widen by that."""
    if len(values) <= _GRID:
        return values
    lowered = np.floor(values * _GRID) / _GRID
    return values if len(np.unique(values)) <= _GRID else lowered


def _weights(labels: Floats, scored: Floats, others: int) -> Floats:
    """For each label the weight that the labels of the other folds suggest, between 0 and 1."""
    count = len(labels)
    if count < 2 or not others:
        return np.zeros(count)
    fold = np.empty(count, dtype=int)
    fold[_shuffled(count)] = np.arange(count) % min(_FOLDS, count)
    weights = np.zeros(count)
    for number in range(min(_FOLDS, count)):
        rest = fold != number
        variance = float(scored[rest].var())
        if variance > 0:
            covariance = float(((labels[rest] - labels[rest].mean()) * scored[rest]).mean())
            weights[fold == number] = covariance / variance / (1 + rest.sum() / others)
    return np.clip(weights, 0.0, 1.0)


@lru_cache(maxsize=64)
def _shuffled(count: int) -> NDArray[np.intp]:
    return np.random.default_rng(_SEED).permutation(count)


def _least_level(refuted: Callable[[float], bool]) -> float:
    low, high = math.log(1e-12), 0.0
    if not refuted(0.5):
        return 1.0
    for _ in range(_LEVELS):
        middle = (low + high) / 2
        low, high = (low, middle) if refuted(math.exp(middle)) else (middle, high)
        if high - low < 1e-4:
            break
    return math.exp(high)
