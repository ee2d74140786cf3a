"""Searches on a lattice whose optimum is known: the answers of a real model to every version of a prompt."""

import json
from pathlib import Path

import numpy as np
import pytest

from promptopt.minimization.units import read_units
from promptopt.templates import load_prompt

REPOSITORY = Path(__file__).parents[2]
MARGIN = 0.05


@pytest.fixture(scope="module")
def bench():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        import minimize_lattice

        yield minimize_lattice


@pytest.fixture(scope="module")
def lattice(bench):
    return bench.Lattice.read(REPOSITORY / "benchmarks" / "lattice" / "sentiment.jsonl")


def test_every_version_has_an_answer_to_every_case_and_no_text_is_recorded(lattice) -> None:
    assert lattice.answers.shape == (len(lattice.expected), 64)
    assert set(np.unique(lattice.answers)) == {0, 1}
    _, *rows = (REPOSITORY / "benchmarks" / "lattice" / "sentiment.jsonl").read_text().splitlines()
    assert {key for row in rows for key in json.loads(row)} == {"case", "expected", "tokens", "answers"}


def test_its_units_are_what_a_search_would_take_out(bench, lattice, tmp_path) -> None:
    """Without being told."""
    found = read_units(load_prompt(bench.write_prompt(lattice, tmp_path)))
    assert [unit.text.strip() for unit in found.units] == list(lattice.units)


def test_the_optimum_is_the_cheapest_of_those_that_lose_little(lattice) -> None:
    best = lattice.optimum(MARGIN)
    assert lattice.losses[best] <= MARGIN
    cheaper = lattice.prompt_tokens < lattice.prompt_tokens[best]
    assert (lattice.losses[cheaper] > MARGIN).all()
    assert lattice.saving(best, MARGIN) == 1


def test_a_search_of_all_versions_finds_it_in_the_cases_themselves(bench, lattice) -> None:
    draw = bench.Draw(lattice, 0, np.random.default_rng(0))
    draw.rows = np.arange(len(lattice.expected))
    draw._passed = lattice.passed
    assert bench.exhaustive(draw, MARGIN, np.random.default_rng(0)) == lattice.optimum(MARGIN)


def test_what_attribution_says_of_each_unit_alone_misleads_here(bench, lattice) -> None:
    """Units that lose something alone may go together, so adding up their worth keeps too much or loses too much."""
    draw = bench.Draw(lattice, 4_000, np.random.default_rng(1))
    assert bench.leave_one_out(draw, MARGIN, np.random.default_rng(1)) != lattice.optimum(MARGIN)


def test_minimize_takes_a_third_of_the_calls_of_pairs_and_loses_nothing(bench, lattice) -> None:
    tallies = bench.replay(lattice, runs=2, cases=300, margin=MARGIN)
    own = tallies["minimize"]
    assert np.mean(own.calls) <= bench.CALLS * np.mean(tallies["and pairs"].calls)
    assert not any(own.lost)
    assert max(own.savings) > 0.5
