"""What the differences of quality seen so far say: what a part is worth, whether it is lost, what will be confirmed."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from promptopt.experiment.bounds import Floats
from promptopt.experiment.racing import lowest_mean, race_standing
from promptopt.experiment.verdict import ALPHA

LEVEL = 0.05
FEWEST = 20
"""Of fewer cases nothing is said but what is shown."""
LITTLE = 0.5
"""A share of the margin that may seem to be lost."""
# A loss of so many standard errors is not likely to come back. What is dropped by chance is hardly found again.
_ERRORS = 1.645


def is_lost(values: Floats, margin: float) -> bool:
    """Whether more than a margin (0 to 1) is shown to be lost, or what was lost is not likely to come back.

    Args:
        values: Differences of quality, none of them ``nan``.
    """
    if race_standing(values, margin, LEVEL) == "drop":
        return True
    if len(values) < FEWEST:
        return False
    # As if one more case had been lost: that all are alike so far shows little.
    error = math.sqrt((float((values**2).sum()) + 1) / len(values) / len(values))
    return float(values.mean()) + _ERRORS * error < -LITTLE * margin


def hides_losses(values: Floats, margin: float) -> bool:
    """Whether some cases are shown to lose more than a margin (0 to 1) in all, whatever others win.

    Args:
        values: Differences of quality, none of them ``nan``.
    """
    return bool((values > 0).any()) and race_standing(np.minimum(values, 0.0), margin, LEVEL) == "drop"


def worth_of(values: Floats, level: float = LEVEL) -> tuple[float, float, float]:
    """Mean, lowest and highest mean of some differences between -1 and 1, at every look."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, -1.0, 1.0
    return (
        float(known.mean()),
        lowest_mean(known, -1.0, level / 2),
        -lowest_mean(-known, -1.0, level / 2),
    )


def likely_to_pass(values: Floats, margin: float, cases: int) -> float:
    """How likely so many cases show that no more than a margin is lost, after the differences that a search has seen.

    A normal approximation: nothing but what is confirmed, and in which order, depends on it.
    """
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return 0.0
    mean = float(known.mean())
    # As if one more case differed: that all are alike so far shows little.
    variance = (float((known**2).sum()) + 1) / len(known) - mean**2
    spare = mean + margin - NormalDist().inv_cdf(1 - ALPHA) * math.sqrt(variance / cases)
    return NormalDist().cdf(spare / math.sqrt(variance * (1 / cases + 1 / len(known))))
