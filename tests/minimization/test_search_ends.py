"""A search whose own answers contradict each other ends, and asks about no choice again that it has dropped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from promptopt.experiment.bounds import Floats
from promptopt.minimization.choices import Reduced, output_cap
from promptopt.minimization.chosen import try_again
from promptopt.minimization.search import Reduction
from promptopt.minimization.tried import Tried

UNITS = [f"u{number}" for number in range(12)]


class Little:
    """Each unit is worth a fifth of the margin: some may go, and which ones is a matter of chance."""

    def __init__(self, seed: int, cases: int) -> None:
        self._drawn = np.random.default_rng(seed).random((len(UNITS), cases))
        self._asked: dict[Reduced, dict[int, float]] = {}

    def variant(self, choice: Reduced) -> object:
        return choice

    def ask(self, choice: Reduced, cases: Sequence[int]) -> None:
        out = [UNITS.index(unit) for unit in choice.removed]
        known = self._asked.setdefault(choice, {})
        known.update({case: float((self._drawn[out, case] >= 0.01).all()) for case in cases})

    def asked(self, choice: Reduced) -> list[int]:
        return list(self._asked.get(choice, {}))

    def differences(self, choice: Reduced, other: Reduced, cases: Sequence[int]) -> Floats:
        return np.array([self._asked[choice][case] - self._asked[other][case] for case in cases])

    def spend(self, choice: Reduced, cases: Sequence[int]) -> Floats:
        return np.full(len(cases), 100.0 - len(choice.removed))


@pytest.mark.parametrize("seed", [1, 2])
def test_units_that_are_worth_a_little_are_not_taken_out_and_put_back_for_ever(seed: int) -> None:
    cases = range(240)
    told: list[Tried] = []

    def tell(one: Tried) -> None:
        told.append(one)
        assert len(told) < 1_000, "it goes on for ever"

    search = Reduction(Little(seed, 240), cases, 0.05, [], dict.fromkeys(UNITS, 5.0), tell)
    search.run([], UNITS)
    alone = [(one.before, one.units) for one in told if len(one.units) == 1 and not one.suspects and not one.returned]
    later = alone[len(UNITS) :]
    assert len(set(later)) == len(later)


def search_of(seed: int) -> Reduction:
    search = Reduction(Little(seed, 240), range(240), 0.05, [], dict.fromkeys(UNITS, 5.0))
    search.run([], UNITS)
    return search


def test_a_search_that_is_run_again_asks_the_same() -> None:
    """In whatever order Python has a set's texts, which another process may have in another one."""
    program = "import test_search_ends as t; print([[sorted(e.choice.removed), e.cases] for e in t.search_of(1).tried])"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in range(4)
    }  # fmt: skip
    assert len(found) == 1


def test_if_all_that_went_comes_back_on_the_way_what_was_chosen_stays() -> None:
    """The choice is seen to lose when it is tried with another move: the prompt itself is no candidate."""
    chosen = Reduced().plus(UNITS[:1])
    search = Reduction(Little(1, 240), range(240), 0.001, [], dict.fromkeys(UNITS, 5.0))
    for choice in (Reduced(), chosen):
        search.oracle.ask(choice, range(240))
    bench: Any = SimpleNamespace(variant=lambda choice: choice, written=lambda choice: {"p": repr(choice.moves)})
    assert try_again(bench, search, [chosen], [[output_cap(5)]], 1) == [chosen]
    assert search.current == Reduced()
