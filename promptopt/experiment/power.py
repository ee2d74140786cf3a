"""How many cases it takes to decide."""

from __future__ import annotations

import math
from statistics import NormalDist

_NORMAL = NormalDist()


def cases_to_exclude_loss(margin: float, confidence: float = 0.95) -> int:
    """Cases without one difference that exclude a loss of ``margin``: ``(1 - margin)**n <= 1 - confidence``.

    The "rule of three" of Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?" (JAMA 1983).
    """
    return math.ceil(math.log(1 - confidence) / math.log(1 - margin))


def cases_needed(deviation: float, distance: float, alpha: float, power: float = 0.8) -> int:
    """Cases that show a mean difference ``distance`` away from a bound: ``((z_alpha + z_power) * sd / distance)**2``.

    The normal approximation of a one-sided paired test, as in Chow, Shao and Wang, "Sample Size Calculations in
    Clinical Research" (2008), section 3.3.

    Args:
        deviation: Standard deviation of the paired differences.
        alpha: One-sided level.
    """
    z = _NORMAL.inv_cdf(1 - alpha) + _NORMAL.inv_cdf(power)
    return math.ceil((z * deviation / distance) ** 2)
