"""Do searches find the cheapest version of a prompt? Replayed on a lattice whose optimum is known.

``benchmarks/lattice/NAME.jsonl`` holds the answers of a small model to all 64 versions of a prompt with six removable
units (``lattice.py``). Its cases are taken for the population: what each version is worth is then known exactly, and
so is the cheapest one that loses no more than the margin. In each run a suite is drawn from them with replacement,
and each strategy sees that suite only.

    python benchmarks/minimize_lattice.py [NAME ...] [--runs 100] [--cases 600] [--margin 2]

Beside ``promptopt.minimize`` there are pruning by leave-one-out, by leave-one-out and pairs, and the attributions
that ProCut (EMNLP 2025) compares: Shapley values by random orders, and LASSO over random versions. They give every
unit a worth and no rule for what may go. Here the cheapest version is taken whose predicted loss is within the margin.

The exit code is 1 if ``minimize`` misses a target: 90% of what can be saved, a third of the calls of leave-one-out
and pairs, and 5% of runs that lose more than the margin.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import promptopt
from promptopt.providers.base import ProviderBase
from promptopt.suites import Suite, load_suite
from promptopt.values import Request, Response, Usage

FOLDER = Path(__file__).parent / "lattice"
UNITS = 6
FULL = 2**UNITS - 1
ORDERS, SAMPLES = 4, 20
PENALTY = 0.002
SAVING, CALLS, FALSE_LOSSES = 0.9, 1 / 3, 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lattice:
    """What the model answered.

    Attributes:
        prompt_tokens: Input tokens of each version around a case's text, shape ``(versions,)``. A version is a number
            whose bits are the units that are left in.
        case_tokens: Tokens of each case's text, shape ``(cases,)``.
        expected: The right label of each case, as an index; ``answers``: of each case and version.
    """

    name: str
    units: tuple[str, ...]
    frame: str
    labels: tuple[str, ...]
    prompt_tokens: NDArray[np.int64]
    case_tokens: NDArray[np.int64]
    expected: NDArray[np.int64]
    answers: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> Lattice:
        head, *rows = map(json.loads, path.read_text().splitlines())
        return cls(
            path.stem,
            tuple(head["units"]),
            head["frame"],
            tuple(head["labels"]),
            np.array(head["prompt_tokens"]),
            np.array([row["tokens"] for row in rows]),
            np.array([row["expected"] for row in rows]),
            np.array([[int(digit) for digit in row["answers"]] for row in rows]),
        )

    @property
    def passed(self) -> Floats:
        """1 where an answer is right, shape ``(cases, versions)``."""
        found: Floats = (self.answers == self.expected[:, None]).astype(float)
        return found

    def saving(self, version: int, margin: float) -> float:
        """Tokens saved by a version as a share of what the cheapest one within the margin (0 to 1) saves."""
        return float((self.prompt_tokens[FULL] - self.prompt_tokens[version]) / self._most(margin))

    def _most(self, margin: float) -> int:
        return int(self.prompt_tokens[FULL] - self.prompt_tokens[self.optimum(margin)])

    def optimum(self, margin: float) -> int:
        """The cheapest version that loses no more than the margin, by looking at all."""
        return cheapest(self.prompt_tokens, self.losses, margin)

    @property
    def losses(self) -> Floats:
        """Of each version, 0 to 1: what it loses of the full prompt's quality."""
        quality = self.passed.mean(axis=0)
        lost: Floats = quality[FULL] - quality
        return lost


class Draw:
    """A suite drawn from a lattice, which answers for versions of its cases and counts how many it was asked."""

    def __init__(self, lattice: Lattice, cases: int, random: np.random.Generator) -> None:
        self.lattice = lattice
        self.rows = random.integers(0, len(lattice.expected), cases)
        self._passed = lattice.passed[self.rows]
        self._asked: set[int] = set()

    def quality(self, version: int) -> float:
        self._asked.add(version)
        return float(self._passed[:, version].mean())

    def lost(self, version: int) -> float:
        return self.quality(FULL) - self.quality(version)

    @property
    def calls(self) -> int:
        return len(self._asked) * len(self.rows)


def cheapest(tokens: NDArray[np.int64], losses: Floats, margin: float) -> int:
    """The version with the fewest tokens that loses no more than the margin."""
    allowed = np.flatnonzero(losses <= margin + 1e-9)
    return int(allowed[np.argmin(tokens[allowed])])


def without(*units: int) -> int:
    bits: int = sum(1 << unit for unit in units)
    return FULL - bits


def taken_out(version: int) -> list[int]:
    return [unit for unit in range(UNITS) if not version >> unit & 1]


def by_worth(draw: Draw, worth: Sequence[float], margin: float) -> int:
    """The cheapest version by the worth of each unit, added up."""
    losses = np.array([sum(worth[unit] for unit in taken_out(version)) for version in range(FULL + 1)])
    return cheapest(draw.lattice.prompt_tokens, losses, margin)


def exhaustive(draw: Draw, margin: float, _: np.random.Generator) -> int:
    losses = np.array([draw.lost(version) for version in range(FULL + 1)])
    return cheapest(draw.lattice.prompt_tokens, losses, margin)


def leave_one_out(draw: Draw, margin: float, _: np.random.Generator) -> int:
    return by_worth(draw, [draw.lost(without(unit)) for unit in range(UNITS)], margin)


def pairs(draw: Draw, margin: float, _: np.random.Generator) -> int:
    """Leave-one-out, and what every two units lose beside what each loses alone."""
    single = [draw.lost(without(unit)) for unit in range(UNITS)]
    both = {(i, j): draw.lost(without(i, j)) - single[i] - single[j] for i, j in combinations(range(UNITS), 2)}
    losses = []
    for version in range(FULL + 1):
        out = taken_out(version)
        losses.append(sum(single[unit] for unit in out) + sum(both[pair] for pair in combinations(out, 2)))
    return cheapest(draw.lattice.prompt_tokens, np.array(losses), margin)


def shapley(draw: Draw, margin: float, random: np.random.Generator) -> int:
    """What a unit adds to those before it, averaged over random orders (Castro, Gómez and Tejada 2009)."""
    worth = np.zeros(UNITS)
    for _ in range(ORDERS):
        version, before = 0, draw.quality(0)
        for unit in random.permutation(UNITS):
            version |= 1 << int(unit)
            after = draw.quality(version)
            worth[unit] += (after - before) / ORDERS
            before = after
    return by_worth(draw, worth.tolist(), margin)


def lasso(draw: Draw, margin: float, random: np.random.Generator) -> int:
    """Coefficients of a linear model of random versions, with an absolute penalty; by coordinate descent."""
    versions = random.choice(FULL + 1, SAMPLES, replace=False)
    inside = np.array([[version >> unit & 1 for unit in range(UNITS)] for version in versions], dtype=float)
    quality = np.array([draw.quality(int(version)) for version in versions])
    inside -= inside.mean(axis=0)
    left, worth = quality - quality.mean(), np.zeros(UNITS)
    for _ in range(200):
        for unit in range(UNITS):
            column = inside[:, unit]
            scale = float(column @ column) / SAMPLES
            pull = float(column @ (left + column * worth[unit])) / SAMPLES
            found = float(np.sign(pull)) * max(0.0, abs(pull) - PENALTY) / scale if scale else 0.0
            left += column * (worth[unit] - found)
            worth[unit] = found
    return by_worth(draw, worth.tolist(), margin)


Strategy = Callable[[Draw, float, np.random.Generator], int]
STRATEGIES: dict[str, Strategy] = {
    "all 64 versions": exhaustive,
    "leave-one-out": leave_one_out,
    "and pairs": pairs,
    "Shapley, 4 orders": shapley,
    "LASSO, 20 versions": lasso,
}


class Replay(ProviderBase):
    """Answers requests from a lattice, and counts them."""

    free = False

    def __init__(self, lattice: Lattice) -> None:
        self._lattice, self.calls = lattice, 0

    def complete(self, request: Request) -> Response:
        self.calls += 1
        text = "\n".join(message.content for message in request.messages)
        version = sum(1 << bit for bit, unit in enumerate(self._lattice.units) if unit in text)
        row = int(re.findall(r"case (\d+)", text)[-1])
        label = self._lattice.labels[self._lattice.answers[row, version]]
        tokens = int(self._lattice.prompt_tokens[version] + self._lattice.case_tokens[row])
        return Response(request.model, label, usage=Usage(input_tokens=tokens, output_tokens=3))

    def close(self) -> None:
        """Nothing is open."""


def write_prompt(lattice: Lattice, folder: Path) -> Path:
    """The prompt of a lattice as a file; its cases are told by their numbers, since their texts are not recorded."""
    path = folder / f"{lattice.name}.j2"
    path.write_text(
        "---\nmodel: gpt-4o-mini\nmax_output_tokens: 5\n---\n"
        f'{{% chat role="system" %}}{" ".join(lattice.units)}{{% endchat %}}\n'
        f'{{% chat role="user" %}}{lattice.frame.format("{{ text }}")}{{% endchat %}}\n'
    )
    return path


def write_suite(draw: Draw, folder: Path) -> Suite:
    """The suite that was drawn. A case that was drawn twice is two cases."""
    path = folder / "drawn.jsonl"
    lattice = draw.lattice
    tests = [
        {
            "description": f"{place}",
            "vars": {"text": f"case {row}", "expected": lattice.labels[lattice.expected[row]]},
            "assert": [{"type": "equals", "value": lattice.labels[lattice.expected[row]]}],
        }
        for place, row in enumerate(draw.rows)
    ]
    path.write_text("".join(json.dumps(test) + "\n" for test in tests))
    return load_suite(path)


def minimized(draw: Draw, margin: float, folder: Path) -> tuple[int, int]:
    """The version that ``promptopt.minimize`` chooses, and the calls that it makes."""
    replay = Replay(draw.lattice)
    found = promptopt.minimize(
        write_prompt(draw.lattice, folder),
        suite=write_suite(draw, folder),
        margin=100 * margin,
        units=draw.lattice.units,
        rules=False,
        untested="remove",
        provider=replay,
        record="missing",
        jobs=1,
    )
    source = found.template.source
    return sum(1 << bit for bit, unit in enumerate(draw.lattice.units) if unit in source), replay.calls


@dataclass
class Tally:
    """What the runs of one strategy came to, one entry each."""

    savings: list[float]
    calls: list[int]
    lost: list[bool]

    def add(self, lattice: Lattice, version: int, calls: int, margin: float) -> None:
        lost = bool(lattice.losses[version] > margin + 1e-9)
        # What was saved by losing too much is not counted.
        self.savings.append(0.0 if lost else lattice.saving(version, margin))
        self.calls.append(calls)
        self.lost.append(lost)


def replay(lattice: Lattice, runs: int, cases: int, margin: float) -> dict[str, Tally]:
    """Every strategy on the same suites."""
    tallies = {name: Tally([], [], []) for name in [*STRATEGIES, "minimize"]}
    with tempfile.TemporaryDirectory() as temporary:
        for run in range(runs):
            for name, strategy in STRATEGIES.items():
                random = np.random.default_rng(run)
                draw = Draw(lattice, cases, random)
                tallies[name].add(lattice, strategy(draw, margin, random), draw.calls, margin)
            draw = Draw(lattice, cases, np.random.default_rng(run))
            tallies["minimize"].add(lattice, *minimized(draw, margin, Path(temporary)), margin)
    return tallies


def report(lattice: Lattice, tallies: dict[str, Tally], cases: int, margin: float) -> bool:
    """Print a lattice's table; whether ``minimize`` reaches its targets."""
    best = lattice.optimum(margin)
    share = 1 - lattice.prompt_tokens[best] / lattice.prompt_tokens[FULL]
    quality, out = lattice.passed[:, FULL].mean(), [unit + 1 for unit in taken_out(best)]
    print(f"\n{lattice.name}: {len(lattice.expected)} cases, of which the prompt gets {quality:.1%} right.")
    print(f"Within {100 * margin:g} points units {out} may go, {share:.0%} of its tokens.")
    print(f"{'suites of ' + str(cases) + ' cases':<20} {'saved':>6} {'lost too much':>14} {'calls':>7}")
    for name, tally in tallies.items():
        print(f"{name:<20} {np.mean(tally.savings):>6.0%} {np.mean(tally.lost):>14.1%} {np.mean(tally.calls):>7.0f}")
    own = tallies["minimize"]
    return bool(
        np.mean(own.savings) >= SAVING
        and np.mean(own.calls) <= CALLS * np.mean(tallies["and pairs"].calls)
        and np.mean(own.lost) <= FALSE_LOSSES
    )


def names() -> Iterable[str]:
    return sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="recorded lattices; by default all")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--margin", type=float, default=2, help="points")
    given = parser.parse_args()
    reached = True
    for name in given.names or names():
        lattice = Lattice.read(FOLDER / f"{name}.jsonl")
        tallies = replay(lattice, given.runs, given.cases, given.margin / 100)
        reached &= report(lattice, tallies, given.cases, given.margin / 100)
    sys.exit(not reached)


if __name__ == "__main__":
    main()
