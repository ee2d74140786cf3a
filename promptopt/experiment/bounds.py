"""Bounds of a mean that hold for every number of cases and every distribution, if one end of it is known.

The method is betting (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024).
To test "the mean of values that are 0 or more is at most m", a gambler stakes the share ``s`` of her money on every
value ``x`` and has ``(1 - s) + s x / m`` of it afterwards. If the mean is at most m, she expects to gain nothing, so
that she multiplies her money by ``1 / p`` with probability at most p (Markov). Her money is spread over many shares,
chosen before the data are seen; the order of the values then does not matter.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Shares between the smallest that a spread of values can ask for and everything.
_SHARES = 16
# The part of the money that is always staked as a whole: best if hardly any case differs.
_ALL_IN = 0.3
# The smallest useful share is that of values with a large spread, at the usual levels: log(1 / 0.05) = 3.
_LOG_LEVEL = 3.0
_STEPS = 40


def p_mean_at_most(values: Floats, mean: float, low: float) -> float:
    """P-value of "the values have a mean of ``mean`` or less".

    Args:
        values: Independent, shape ``(cases,)``.
        low: No value can be lower.

    Raises:
        ValueError: One is.
    """
    scaled, counts = _scaled(values, low)
    return math.exp(-max(0.0, _log_money(scaled, counts, mean - low)))


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
    scaled, counts = _scaled(values, low)
    if not len(scaled):
        return low
    wanted = -math.log(level)
    refused, kept = 0.0, float(scaled @ counts / counts.sum())
    # The higher the mean, the less she wins: the means that are refused are the lower ones.
    for _ in range(_STEPS):
        middle = (refused + kept) / 2
        if _log_money(scaled, counts, middle) >= wanted:
            refused = middle
        else:
            kept = middle
    return low + refused


def upper_bound(values: Floats, high: float, level: float) -> float:
    """The number that the mean stays below with confidence ``1 - level``; no value can be higher than ``high``."""
    return -lower_bound(-values, -high, level)


def _scaled(values: Floats, low: float) -> tuple[Floats, NDArray[np.int64]]:
    """Each value above its end, and how often it is there."""
    if len(values) and values.min() < low:
        raise ValueError(f"a value of {values.min():g} is lower than {low:g}")
    return np.unique(values - low, return_counts=True)


def _log_money(values: Floats, counts: NDArray[np.int64], mean: float) -> float:
    """The logarithm of the gambler's money, with 1 at the start."""
    if not len(values):
        return 0.0
    if mean <= 0:
        return math.inf if values.any() else 0.0
    with np.errstate(divide="ignore"):
        logs = [
            float(counts @ np.log((1 - share) + share / mean * values)) + math.log(part)
            for share, part in _stakes(int(counts.sum()))
        ]
    most = max(logs)
    return most if math.isinf(most) else most + math.log(sum(math.exp(log - most) for log in logs))


@lru_cache(maxsize=64)
def _stakes(cases: int) -> tuple[tuple[float, float], ...]:
    """Shares, evenly over their logarithms, and the part of the money that is staked at each."""
    least = min(0.9, math.sqrt(2 * _LOG_LEVEL / cases))
    shares = np.geomspace(least, 1.0, _SHARES, endpoint=False)
    return ((1.0, _ALL_IN), *((float(share), (1 - _ALL_IN) / _SHARES) for share in shares))
