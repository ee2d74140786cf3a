"""Searches on a lattice whose optimum is known: the answers of a real model to every version of a prompt."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import promptopt
from promptopt.minimization.units import read_units
from promptopt.providers.base import ProviderBase
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


def write_prompt(lattice, folder: Path) -> Path:
    """The prompt of a lattice as a file; its cases are told by their numbers, since their texts are not recorded."""
    path = folder / f"{lattice.name}.j2"
    path.write_text(
        "---\nmodel: gpt-4o-mini\nmax_output_tokens: 5\n---\n"
        f'{{% chat role="system" %}}{" ".join(lattice.units)}{{% endchat %}}\n'
        f'{{% chat role="user" %}}{lattice.frame.format("{{ text }}")}{{% endchat %}}\n'
    )
    return path


def test_its_units_are_what_a_search_would_take_out(bench, lattice, tmp_path) -> None:
    """Without being told."""
    found = read_units(load_prompt(write_prompt(lattice, tmp_path)))
    assert [unit.text.strip() for unit in found.units] == list(lattice.units)


def test_the_optimum_is_the_cheapest_of_those_that_lose_little(lattice) -> None:
    best = lattice.optimum(MARGIN)
    assert lattice.losses[best] <= MARGIN
    cheaper = lattice.prompt_tokens < lattice.prompt_tokens[best]
    assert (lattice.losses[cheaper] > MARGIN).all()
    assert lattice.saving(best, MARGIN) == 1


def whole(bench, lattice):
    """A draw that is the population itself."""
    draw = bench.Draw(lattice, 0, np.random.default_rng(0))
    draw.rows, draw.passed = np.arange(len(lattice.expected)), lattice.passed
    return draw


def test_a_search_of_all_versions_finds_it_in_the_cases_themselves(bench, lattice) -> None:
    assert bench.exhaustive(whole(bench, lattice), MARGIN, np.random.default_rng(0)) == lattice.optimum(MARGIN)


def test_the_sum_of_what_units_and_pairs_are_worth_misleads_here(bench) -> None:
    """Units that depend on each other: what is left by their sum loses far more than the margin."""
    lattice = bench.Lattice.read(REPOSITORY / "benchmarks" / "lattice" / "satisfaction.jsonl")
    found = bench.pairs(whole(bench, lattice), MARGIN, np.random.default_rng(1))
    assert lattice.losses[found] > 2 * MARGIN


def test_minimize_takes_a_third_of_the_calls_of_pairs_and_loses_nothing(bench, lattice) -> None:
    tallies = bench.replay(lambda _: lattice, runs=12, cases=600, margin=MARGIN, compared=1)
    own = tallies["minimize"]
    assert np.mean(own.calls) <= bench.CALLS * np.mean(tallies["and pairs"].calls)
    assert not any(own.lost)
    assert np.mean(own.savings) >= bench.SAVING


@pytest.mark.parametrize("kind", ["one of two suffices", "harm without another", "shift in pairs"])
def test_units_that_depend_on_each_other_are_found_too(bench, kind) -> None:
    """Of lattices that no number here was chosen by, in suites of 1,000 cases."""
    own = bench.replay(lambda run: bench.made_up(kind, 10_000 + run), 15, 1_000, MARGIN, 0)["minimize"]
    assert np.mean(own.savings) >= (0.7 if kind == "shift in pairs" else 0.9)
    # Of 15, four or more lose too much with a chance of half a percent if one in twenty does.
    assert sum(own.lost) <= 3


class Replay(ProviderBase):
    """Answers requests from a lattice, and counts them."""

    free = False

    def __init__(self, lattice) -> None:
        self._lattice, self.calls = lattice, 0

    def complete(self, request: promptopt.Request) -> promptopt.Response:
        self.calls += 1
        text = "\n".join(str(message.content) for message in request.messages)
        version = sum(1 << bit for bit, unit in enumerate(self._lattice.units) if unit in text)
        row = int(re.findall(r"case (\d+)", text)[-1])
        label = self._lattice.labels[self._lattice.answers[row, version]]
        tokens = int(self._lattice.prompt_tokens[version])
        return promptopt.Response(request.model, label, usage=promptopt.Usage(tokens, output_tokens=3))

    def close(self) -> None: ...


def test_what_is_simulated_is_what_minimize_does(bench, lattice, project) -> None:
    """The same version and the same calls, through a prompt, a suite and a provider."""
    # Nothing that states a fact: what no case tests is asked about beside the search.
    lattice = replace(lattice, units=tuple(f"Be {word}." for word in ("kind", "calm", "fair", "warm", "open", "neat")))
    draw = bench.Draw(lattice, 300, np.random.default_rng(3))
    expected = [lattice.labels[lattice.expected[row]] for row in draw.rows]
    tests = [
        {"vars": {"text": f"place {place} case {row}"}, "assert": [{"type": "equals", "value": label}]}
        for place, (row, label) in enumerate(zip(draw.rows, expected, strict=True))
    ]
    project.write({"suites/drawn.jsonl": "".join(json.dumps(test) + "\n" for test in tests)})
    provider, path = Replay(lattice), write_prompt(lattice, project.root)
    found = promptopt.minimize(
        path, suite="drawn", margin=100 * MARGIN, units=lattice.units, rules=False, untested="remove", provider=provider
    )
    # The cost of each unit as it is counted: the order of the search depends on it.
    version, calls = bench.minimized(draw, MARGIN, found.plan.split, dict(found.bench.unit_tokens))
    assert {unit.text for unit in found.removed} == {lattice.units[unit] for unit in lattice.taken_out(version)}
    assert provider.calls == calls
