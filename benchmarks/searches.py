"""Searches over answers that are there already: ``promptopt minimize`` without prompts, suites, files or calls.

The search, the choice of what is confirmed and its test are those of the package; what a provider would answer is an
array. One search takes hundredths of a second, so that a thousand can be simulated. That a search through
``promptopt.minimize`` comes to the same, call by call, ``tests/minimization/test_lattice.py`` checks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from promptopt.experiment.evidence import quality_p_values
from promptopt.minimization.choices import Reduced
from promptopt.minimization.confirmation import CaseSplit, fewest_cases, to_confirm
from promptopt.minimization.search import Reduction

LEVEL = 0.05
STEPS = 2

Floats = NDArray[np.float64]


@dataclass
class Answers:
    """The answers to all versions of a prompt in all cases of a suite.

    Attributes:
        units: Names of what may go.
        cases: How many there are.
        passed: 1 or 0 in each case, without some units, shape ``(cases,)``.
        tokens: Of a call without some units.
        calls: How many were asked for.
    """

    units: Sequence[str]
    cases: int
    passed: Callable[[frozenset[str]], Floats]
    tokens: Callable[[frozenset[str]], float]
    calls: int = 0
    _passed: dict[Reduced, Floats] = field(default_factory=dict)
    _asked: dict[Reduced, dict[int, None]] = field(default_factory=dict)

    def variant(self, choice: Reduced) -> object:
        return choice

    def ask(self, choice: Reduced, cases: Sequence[int]) -> None:
        if choice not in self._asked:
            self._asked[choice] = {}
            self._passed[choice] = self.passed(choice.removed)
        known = self._asked[choice]
        self.calls -= len(known)
        known.update(dict.fromkeys(cases))
        self.calls += len(known)

    def asked(self, choice: Reduced) -> list[int]:
        return list(self._asked.get(choice, ()))

    def differences(self, choice: Reduced, other: Reduced, cases: Sequence[int]) -> Floats:
        rows = np.asarray(cases)
        return self._passed[choice][rows] - self._passed[other][rows]

    def spend(self, choice: Reduced, cases: Sequence[int]) -> Floats:
        return np.full(len(cases), self.tokens(choice.removed))


_FEWEST: dict[float, int] = {}


def split(cases: int, margin: float) -> CaseSplit:
    """As ``promptopt.minimize`` splits so many cases, which come in a random order here."""
    if margin not in _FEWEST:
        _FEWEST[margin] = fewest_cases(margin)
    fewest = _FEWEST[margin]
    held = min(max(round(0.6 * cases), round(1.3 * fewest)), cases - 20, 1_000)
    return CaseSplit(tuple(range(held, min(cases, held + 400))), tuple(range(held)), fewest)


def search(
    answers: Answers, parts: CaseSplit, margin: float, counted: dict[str, float] | None = None
) -> frozenset[str]:
    """The units that are taken out, confirmed on cases that the search has not seen; none if nothing is.

    Args:
        counted: Tokens of each unit; by default as ``answers`` says.
    """
    whole = answers.tokens(frozenset())
    tokens = counted or {unit: whole - answers.tokens(frozenset([unit])) for unit in answers.units}
    reduction = Reduction(answers, parts.search, margin, (), tokens)
    reduction.run((), answers.units)
    found = Reduced()
    for choice in to_confirm(reduction.prospects(len(parts.confirm)), STEPS):
        answers.ask(Reduced(), parts.confirm)
        answers.ask(choice, parts.confirm)
        differences = answers.differences(choice, Reduced(), parts.confirm)
        if quality_p_values(differences, margin)["loss"] > LEVEL:
            break
        found = choice
    return found.removed
