"""How many cases would decide: a prediction from those that did not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from promptopt.experiment.bounds import Floats
from promptopt.experiment.verdict import LikelyCases

MOST_CASES = 1_000_000
"""Predictions end here."""

_SEED = 20_240_513
_WORLDS = 400
# Distinct values of a world; of more, neighbours are taken together.
_MOST_VALUES = 512
# With the predicted number the probability of a decision is the second of these; the others are its range.
_DECIDED = (0.5, 0.92, 0.98)
# The share of worlds without a difference, if the mean that was seen is 0.
_EQUAL = 0.8
_NUMBERS = np.geomspace(2, MOST_CASES, 132)


@dataclass(frozen=True, slots=True)
class Threshold:
    """What the observed mean has to be above, or below, to decide.

    Attributes:
        limit: Of the true mean.
        level: Of the one-sided test of it.
        reach: How far a case that was not seen counts for the test: 1 for bounds, 0 for tests that look at no end.
    """

    limit: float
    level: float
    reach: float

    def distance(self, spreads: Floats, numbers: Floats, away: float) -> Floats:
        """How far the observed mean has to be from the limit, shape ``(worlds, numbers)``.

        Args:
            spreads: Standard deviation of one case, shape ``(worlds, 1)``.
            away: How far the limit is from the end that values have; 0 if they have none.
        """
        errors = NormalDist().inv_cdf(1 - self.level)
        # If no case differs, log(1 / level) cases times the distance are needed: the rule of three.
        unseen = self.reach * -math.log(self.level) * away / numbers
        found: Floats = errors * spreads / np.sqrt(numbers) + unseen
        return found


def likely_cases(
    values: Floats,
    above: Sequence[Threshold],
    below: Sequence[Threshold],
    ends: tuple[float, float] | None,
    unseen: Mapping[float, float] | None = None,
    mirrored: float = 0.0,
) -> LikelyCases | None:
    """The number of cases that likely decides; ``None`` if no number does.

    What the cases could be a sample of is drawn: shares of the values that were seen, and of both ends, from a
    Dirichlet distribution (Rubin, "The Bayesian Bootstrap", 1981). In each of these worlds the mean of so many new
    cases varies around the world's.

    Args:
        values: One for each case.
        above: A mean above one of these decides; ``below`` likewise.
        ends: What a value could be at least and at most, if that is known.
        unseen: For how many cases values count that were not seen, beside those that were.
        mirrored: For how many cases those count that were seen, with either sign: a difference in few cases is often
            chance, and how widely they differ is not. If above 0, worlds without a difference count too, the more the
            less the cases speak against it: they take the most cases.
    """
    if not 2 <= len(values) < MOST_CASES:
        return None
    seen, counts = _values_and_counts(values)
    half = counts * mirrored / (2 * len(values))
    seen, counts = np.concatenate([seen, seen, -seen]), np.concatenate([counts, half, half])
    for value, weight in (unseen or {}).items():
        seen, counts = np.append(seen, value), np.append(counts, weight)
    seen, counts = seen[counts > 0], counts[counts > 0]
    shares = np.random.default_rng(_SEED).dirichlet(counts, _WORLDS)
    means = (shares @ seen)[:, None]
    spreads = np.sqrt(np.maximum(shares @ seen**2 - means[:, 0] ** 2, 0.0))[:, None]
    numbers = _NUMBERS[len(values) < _NUMBERS]
    least, most = ends or (0.0, 0.0)
    over = np.min([t.limit + t.distance(spreads, numbers, t.limit - least) for t in above], axis=0)
    under = np.max([t.limit - t.distance(spreads, numbers, most - t.limit) for t in below], axis=0)
    errors = np.maximum(spreads, 1e-12) / np.sqrt(numbers)

    def decided_at(means: Floats) -> Floats:
        found: Floats = (_normal((means - over) / errors) + _normal((under - means) / errors)).mean(axis=0)
        return found

    decided = decided_at(means)
    if mirrored:
        square = float(values.mean()) ** 2 * len(values) / float(counts @ seen**2 / counts.sum())
        equal = _EQUAL * math.exp(-square / 2)
        decided = (1 - equal) * decided + equal * decided_at(np.zeros_like(means))
    reached = [float(numbers[decided >= share][0]) if (decided >= share).any() else math.inf for share in _DECIDED]
    if reached[1] > MOST_CASES:
        return None
    low, number, high = (math.ceil(min(n, MOST_CASES)) for n in reached)
    return LikelyCases(number, low, high)


def _values_and_counts(values: Floats) -> tuple[Floats, Floats]:
    seen, counts = np.unique(values, return_counts=True)
    if len(seen) > _MOST_VALUES:
        starts = np.arange(0, len(seen), -(-len(seen) // _MOST_VALUES))
        sums = np.add.reduceat(seen * counts, starts)
        counts = np.add.reduceat(counts, starts)
        seen = sums / counts
    return seen, counts.astype(np.float64)


def _normal(deviates: Floats) -> Floats:
    """The normal distribution to four digits (Bowling et al., "A logistic approximation", 2009)."""
    bounded = np.clip(deviates, -8.0, 8.0)
    found: Floats = 1 / (1 + np.exp(-1.5976 * bounded - 0.07056 * bounded**3))
    return found
