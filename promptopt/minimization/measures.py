"""What the answers to one choice are worth and cost, as arrays: a search looks at the same answers again and again."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from promptopt.experiment.bounds import Floats
from promptopt.experiment.runs import Answered, Failed, Trial


class Measures:
    """What is known of each case, ``nan`` where nothing is.

    Attributes:
        quality: 0 to 1, shape ``(cases, trials)``; ``nan`` if the call failed or no assert judged it.
        spend: What the call costs (see :func:`spend_of`), likewise.
        broken: Whether a scorer broke, likewise.
    """

    def __init__(self, cases: int, trials: int) -> None:
        self.quality: Floats = np.full((cases, trials), nan)
        self.spend: Floats = np.full((cases, trials), nan)
        self.broken: NDArray[np.bool_] = np.zeros((cases, trials), dtype=bool)

    def put(self, case: int, trials: Sequence[Trial]) -> None:
        """Take what became of a case."""
        for number, trial in enumerate(trials):
            self.quality[case, number] = trial.quality if isinstance(trial, Answered) and trial.score.scores else nan
            self.spend[case, number] = spend_of(trial)
            self.broken[case, number] = isinstance(trial, Answered) and bool(trial.score.broken)

    def less(self, other: Measures, cases: Sequence[int]) -> Floats:
        """Quality less that of another choice, shape ``(cases,)``: answers are paired before they are averaged."""
        rows = np.asarray(cases, dtype=int)
        differences = self.quality[rows] - other.quality[rows]
        # Two scorers that broke show nothing.
        differences[self.broken[rows] & other.broken[rows]] = nan
        return means(differences)


def means(values: Floats) -> Floats:
    """The mean of what is known in each row, ``nan`` if nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        found: Floats = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return found


def spend_of(trial: Trial) -> float:
    """Dollars of a call; of an unpriced model its tokens, output counted four times; ``nan`` if it failed."""
    if isinstance(trial, Failed):
        return nan
    cost = trial.judged_cost
    return float(trial.usage.input_tokens + 4 * trial.usage.output_tokens) if cost is None else float(cost.total_usd)
