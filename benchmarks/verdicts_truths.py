"""Prompts whose truth is known, for benchmarks/verdicts.py; a file of yours with the same names can take its place.

Each table maps a description to a function of a random generator and a number of cases. It gives two arrays, baseline
and candidate, one value for each case: scores from 0 to 1, or dollars. A file may leave tables out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Random = np.random.Generator
Draw = Callable[[Random, int], tuple[Floats, Floats]]

MARGIN = 0.02
"""Quality that may be lost; the means of LOSSES differ by it."""


def alike(draw: Callable[[Random, int], Floats]) -> Draw:
    """Two prompts whose scores have the same distribution."""
    return lambda random, n: (draw(random, n), draw(random, n))


def changed(values: list[float], shares: list[float]) -> Draw:
    """A candidate whose cases differ from the baseline's by so much, with such probabilities."""

    def draw(random: Random, n: int) -> tuple[Floats, Floats]:
        change = random.choice(values, n, p=shares)
        baseline = np.where(change > 0, 1.0 - change, 1.0)
        return baseline, baseline + change

    return draw


def passes(random: Random, rates: Floats, repeats: int = 1) -> Floats:
    return random.binomial(repeats, rates) / repeats


def easy_and_hard(random: Random, n: int) -> tuple[Floats, Floats]:
    """Three answers to each case, which depend on how hard the case is."""
    rates = random.choice([0.2, 0.95], n)
    return passes(random, rates, 3), passes(random, rates, 3)


EQUALS: dict[str, Draw] = {
    "pass or fail, 50% right": alike(lambda random, n: passes(random, np.full(n, 0.5))),
    "pass or fail, 95% right": alike(lambda random, n: passes(random, np.full(n, 0.95))),
    "mean of 3 asserts": alike(lambda random, n: passes(random, np.full(n, 0.6), 3)),
    "mean of 3 dependent answers": easy_and_hard,
    "continuous": alike(lambda random, n: random.random(n)),
    "mostly 1, 10% partial": alike(lambda random, n: np.where(random.random(n) < 0.9, 1.0, random.random(n))),
    "likeness (beta)": alike(lambda random, n: random.beta(8, 2, n)),
    "0, 0.5 or 1": alike(lambda random, n: random.choice([0.0, 0.5, 1.0], n, p=[0.1, 0.3, 0.6])),
    "constant against pass or fail": lambda random, n: (np.full(n, 0.5), passes(random, np.full(n, 0.5))),
    "0.1 better, rarely 0.9 worse": changed([0.1, -0.9], [0.9, 0.1]),
    "0.01 better, rarely 0.99 worse": changed([0.01, -0.99], [0.99, 0.01]),
    "0.05 worse, rarely 0.95 better": changed([-0.05, 0.95], [0.95, 0.05]),
}
LOSSES: dict[str, Draw] = {
    "P(worse) .05, P(better) .03": changed([-1.0, 1.0, 0.0], [0.05, 0.03, 0.92]),
    "P(worse) .03, P(better) .01": changed([-1.0, 1.0, 0.0], [0.03, 0.01, 0.96]),
    "P(worse) .22, P(better) .20": changed([-1.0, 1.0, 0.0], [0.22, 0.20, 0.58]),
    "P(worse) .02": changed([-1.0, 0.0], [0.02, 0.98]),
    "mean of 3 asserts": lambda random, n: (passes(random, np.full(n, 0.6), 3), passes(random, np.full(n, 0.58), 3)),
    "graded, rarely 0.5 lower": changed([-0.5, 0.0], [0.04, 0.96]),
    "graded, spread": lambda random, n: (random.beta(5, 5, n), random.beta(4.8, 5.2, n)),
    "0.1 better, rarely lost": changed([0.1, -0.9], [0.88, 0.12]),
    "0.01 better, rarely lost": changed([0.01, -0.99], [0.97, 0.03]),
    "every case 0.02 lower": changed([-0.02], [1.0]),
}
# Of equal means. With a cap no call costs more; without one the two have the same distribution.
COSTS: dict[str, tuple[Draw, float | None]] = {
    "normal": (alike(lambda random, n: random.normal(10, 1, n)), None),
    "lognormal(1.8)": (alike(lambda random, n: random.lognormal(0, 1.8, n)), None),
    "Pareto(1.2)": (alike(lambda random, n: random.pareto(1.2, n) + 1), None),
    "normal, cap 20": (alike(lambda random, n: random.normal(10, 1, n).clip(0, 20)), 20.0),
    "lognormal(1.8), cut off at 20": (alike(lambda random, n: random.lognormal(0, 1.8, n).clip(0, 20)), 20.0),
    "constant against rarely cut off": (
        lambda random, n: (np.full(n, 1.19), random.choice([1.0, 20.0], n, p=[0.99, 0.01])),
        20.0,
    ),
}
GAINS: dict[str, Draw] = {
    "pass or fail, 30% of cases differ": changed([1.0, -1.0, 0.0], [0.2, 0.1, 0.7]),
    "pass or fail, 12% of cases differ": changed([1.0, -1.0, 0.0], [0.11, 0.01, 0.88]),
    "mean of 3 asserts": lambda random, n: (passes(random, np.full(n, 0.6), 3), passes(random, np.full(n, 0.7), 3)),
    "continuous": lambda random, n: (random.beta(5, 5, n), random.beta(6, 4, n)),
}
