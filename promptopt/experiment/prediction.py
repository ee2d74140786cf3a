"""How many cases would decide: a prediction from those that did not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from promptopt.experiment.bounds import Floats
from promptopt.experiment.verdict import LikelyCases

MOST_CASES = 1_000_000
"""Predictions end here."""

_SEED = 20_240_513
_WORLDS = 400
# Of the worlds that agree with what was seen, this share is to be decided by the predicted number.
_DECIDED, _RANGE = 0.9, (0.5, 0.97)
# A test that just shows a difference shows it half of the time; so many more standard errors make it 80%.
_POWER = NormalDist().inv_cdf(0.8)


@dataclass(frozen=True, slots=True)
class Goal:
    """What would decide: a mean above a limit, or below it.

    Attributes:
        limit: Of the mean.
        above: Whether the mean is to be above it.
        errors: How many standard errors away from it the test needs.
        nothing_differs: If no case differs, so many cases times the distance between mean and limit are needed.
    """

    limit: float
    above: bool
    errors: float
    nothing_differs: float = 0.0

    def cases(self, means: Floats, spreads: Floats) -> Floats:
        """Cases needed in each of some worlds; ``inf`` if the mean is on the other side there."""
        away = means - self.limit if self.above else self.limit - means
        with np.errstate(divide="ignore", invalid="ignore"):
            by_spread = ((self.errors + _POWER) * spreads / away) ** 2
            needed = np.maximum(by_spread, self.nothing_differs / away)
        return np.where(away > 0, needed, math.inf)


def likely_cases(
    values: Floats, goals: Sequence[Sequence[Goal]], least: float | None = None, most: float | None = None
) -> LikelyCases | None:
    """The number of cases with which one of some goals is likely reached; ``None`` if no number is.

    What the cases could be a sample of is drawn: shares of the values that were seen, and of both ends, from a
    Dirichlet distribution (Rubin, "The Bayesian Bootstrap", 1981).

    Args:
        values: One for each case.
        goals: Any of them decides; one is reached when all its parts are.
        least: What a value could be at least, ``most`` at most, if that is known.
    """
    if len(values) < 2:
        return None
    ends = [end for end in (least, most) if end is not None and math.isfinite(end)]
    seen, counts = np.unique(np.concatenate([values, ends]), return_counts=True)
    # What was never seen counts for less than one case.
    weights = counts - 0.75 * np.isin(seen, ends)
    shares = np.random.default_rng(_SEED).dirichlet(weights, _WORLDS)
    means = shares @ seen
    spreads = np.sqrt(np.maximum(shares @ seen**2 - means**2, 0.0))
    needed = np.min([np.max([part.cases(means, spreads) for part in parts], axis=0) for parts in goals], axis=0)
    number, low, high = (float(np.quantile(needed, share, method="higher")) for share in (_DECIDED, *_RANGE))
    if number > MOST_CASES:
        return None
    fewest = len(values) + 1
    return LikelyCases(*(math.ceil(min(max(n, fewest), MOST_CASES)) for n in (number, min(low, number), high)))
