"""Do searches find the cheapest version of a prompt? Replayed on lattices whose optimum is known.

``benchmarks/lattice/NAME.jsonl`` holds the answers of a small model to all 64 versions of a prompt with six removable
units (``lattice.py``). Its cases are taken for the population: what each version is worth is then known exactly, and
so is the cheapest one that loses no more than the margin. In each run a suite is drawn from them with replacement,
and each strategy sees that suite only. Other lattices are made up, a new one in each run: units that help by
themselves, of which one of two suffices, that do harm without another, that do harm; and cases with thresholds that
units shift, by themselves and in pairs. Of the answers 0, 1 or 3 in 100 flip, either way.

    python benchmarks/minimize_lattice.py [NAME ...] [--runs 100] [--cases 600] [--margin 2]

NAME is a recorded lattice or a kind of made-up ones; by default all. Beside ``promptopt.minimize`` there is what
ProCut (arXiv:2508.02053) compares: worth by leave-one-out, by Shapley values of random orders, and by LASSO over random
versions. Units are ranked by it, and of the versions that keep the best ones the cheapest is taken that loses no more
than the margin in the suite. Leave-one-out and all pairs gives a sum for every version instead.

The exit code is 1 if ``minimize`` misses a target: 90% of what can be saved (recorded lattices only: of the others
much may be too close to the margin to be shown), a third of the calls of leave-one-out and pairs, and 5% of runs that
lose more than the margin.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import searches
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "lattice"
ORDERS, SAMPLES = 4, 20
PENALTY = 0.002
SAVING, CALLS, FALSE_LOSSES = 0.9, 1 / 3, 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
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
    def full(self) -> int:
        """The version with all units."""
        return len(self.prompt_tokens) - 1

    def without(self, *units: int) -> int:
        """The version without some units."""
        return self.full - sum(1 << unit for unit in units)

    def taken_out(self, version: int) -> list[int]:
        """The units that a version is without."""
        return [unit for unit in range(len(self.units)) if not version >> unit & 1]

    @cached_property
    def passed(self) -> Floats:
        """1 where an answer is right, shape ``(cases, versions)``."""
        found: Floats = (self.answers == self.expected[:, None]).astype(float)
        return found

    def saving(self, version: int, margin: float) -> float:
        """Tokens saved by a version as a share of what the cheapest one within the margin (0 to 1) saves."""
        most = int(self.prompt_tokens[self.full] - self.prompt_tokens[self.optimum(margin)])
        return float((self.prompt_tokens[self.full] - self.prompt_tokens[version]) / most) if most else 1.0

    def optimum(self, margin: float) -> int:
        """The cheapest version that loses no more than the margin, by looking at all."""
        return cheapest(self.prompt_tokens, self.losses, margin)

    @cached_property
    def losses(self) -> Floats:
        """Of each version, 0 to 1: what it loses of the full prompt's quality."""
        quality = self.passed.mean(axis=0)
        lost: Floats = quality[self.full] - quality
        return lost


class Draw:
    """A suite drawn from a lattice, which answers for versions of its cases and counts how many it was asked."""

    def __init__(self, lattice: Lattice, cases: int, random: np.random.Generator) -> None:
        self.lattice = lattice
        self.rows = random.integers(0, len(lattice.expected), cases)
        self.passed = lattice.passed[self.rows]
        self._asked: set[int] = set()

    def quality(self, version: int) -> float:
        self._asked.add(version)
        return float(self.passed[:, version].mean())

    def lost(self, version: int) -> float:
        return self.quality(self.lattice.full) - self.quality(version)

    @property
    def calls(self) -> int:
        return len(self._asked) * len(self.rows)


def cheapest(tokens: NDArray[np.int64], losses: Floats, margin: float) -> int:
    """The version with the fewest tokens that loses no more than the margin."""
    allowed = np.flatnonzero(losses <= margin + 1e-9)
    return int(allowed[np.argmin(tokens[allowed])])


def by_rank(draw: Draw, worth: Sequence[float], margin: float) -> int:
    """Of the versions that keep the units of most worth, the cheapest that loses no more than the margin here."""
    order = np.argsort(worth, kind="stable")
    ranked = [draw.lattice.without(*(int(unit) for unit in order[:count])) for count in range(len(order) + 1)]
    fit = [version for version in ranked if draw.lost(version) <= margin + 1e-9]
    return min(fit, key=lambda version: int(draw.lattice.prompt_tokens[version]))


def exhaustive(draw: Draw, margin: float, _: np.random.Generator) -> int:
    losses = np.array([draw.lost(version) for version in range(draw.lattice.full + 1)])
    return cheapest(draw.lattice.prompt_tokens, losses, margin)


def leave_one_out(draw: Draw, margin: float, _: np.random.Generator) -> int:
    lattice = draw.lattice
    return by_rank(draw, [draw.lost(lattice.without(unit)) for unit in range(len(lattice.units))], margin)


def pairs(draw: Draw, margin: float, _: np.random.Generator) -> int:
    """Leave-one-out, and what every two units lose beside what each loses alone."""
    lattice, units = draw.lattice, range(len(draw.lattice.units))
    single = [draw.lost(lattice.without(unit)) for unit in units]
    both = {(i, j): draw.lost(lattice.without(i, j)) - single[i] - single[j] for i, j in combinations(units, 2)}
    losses = []
    for version in range(lattice.full + 1):
        out = lattice.taken_out(version)
        losses.append(sum(single[unit] for unit in out) + sum(both[pair] for pair in combinations(out, 2)))
    return cheapest(lattice.prompt_tokens, np.array(losses), margin)


def shapley(draw: Draw, margin: float, random: np.random.Generator) -> int:
    """What a unit adds to those before it, averaged over random orders (Castro, Gómez and Tejada 2009)."""
    units = len(draw.lattice.units)
    worth = np.zeros(units)
    for _ in range(ORDERS):
        version, before = 0, draw.quality(0)
        for unit in random.permutation(units):
            version |= 1 << int(unit)
            after = draw.quality(version)
            worth[unit] += (after - before) / ORDERS
            before = after
    return by_rank(draw, worth.tolist(), margin)


def lasso(draw: Draw, margin: float, random: np.random.Generator) -> int:
    """Coefficients of a linear model of random versions, with an absolute penalty; by coordinate descent."""
    units = len(draw.lattice.units)
    versions = random.choice(draw.lattice.full + 1, SAMPLES, replace=False)
    inside = np.array([[version >> unit & 1 for unit in range(units)] for version in versions], dtype=float)
    quality = np.array([draw.quality(int(version)) for version in versions])
    inside -= inside.mean(axis=0)
    left, worth = quality - quality.mean(), np.zeros(units)
    for _ in range(200):
        for unit in range(units):
            column = inside[:, unit]
            scale = float(column @ column) / SAMPLES
            pull = float(column @ (left + column * worth[unit])) / SAMPLES
            found = float(np.sign(pull)) * max(0.0, abs(pull) - PENALTY) / scale if scale else 0.0
            left += column * (worth[unit] - found)
            worth[unit] = found
    return by_rank(draw, worth.tolist(), margin)


Strategy = Callable[[Draw, float, np.random.Generator], int]
STRATEGIES: dict[str, Strategy] = {
    "all 64 versions": exhaustive,
    "leave-one-out": leave_one_out,
    "and pairs": pairs,
    "Shapley, 4 orders": shapley,
    "LASSO, 20 versions": lasso,
}


def minimized(
    draw: Draw, margin: float, parts: searches.CaseSplit | None = None, counted: dict[str, float] | None = None
) -> tuple[int, int]:
    """The version that ``promptopt.minimize`` chooses, and the calls that it makes.

    Args:
        parts: How the suite is divided; by default as one in a random order.
        counted: Tokens of each unit, ``u1`` and so on; by default as the lattice says.
    """
    lattice, cases = draw.lattice, len(draw.rows)
    names = [f"u{unit + 1}" for unit in range(len(lattice.units))]

    def version(removed: frozenset[str]) -> int:
        return lattice.without(*(int(name[1:]) - 1 for name in removed))

    answers = searches.Answers(
        names,
        cases,
        lambda removed: draw.passed[:, version(removed)],
        lambda removed: float(lattice.prompt_tokens[version(removed)]),
    )
    found = searches.search(answers, parts or searches.split(cases, margin), margin, counted)
    return version(found), answers.calls


KINDS = (
    "each helps",
    "one helps",
    "one of two suffices",
    "harm without another",
    "one harms",
    "shift",
    "shift in pairs",
)
FLIPS = (0.0, 0.01, 0.03)
MADE_UNITS, MADE_CASES = 6, 500


def made_up(kind: str, seed: int, units: int = MADE_UNITS, cases: int = MADE_CASES) -> Lattice:
    """A lattice of a kind, with answers that flip."""
    random = np.random.default_rng([KINDS.index(kind), seed])
    inside = (np.arange(2**units)[:, None] >> np.arange(units) & 1).astype(bool)
    tokens = 10 + inside @ random.integers(6, 36, units)
    right = _shifted(random, inside, cases, kind) if kind.startswith("shift") else _planted(random, inside, cases, kind)
    right ^= random.random(right.shape) < random.choice(FLIPS)
    ones = np.ones(cases, dtype=np.int64)
    return Lattice(
        kind, tuple(map(str, range(units))), "{}", ("no", "yes"), tokens, 0 * ones, ones, right.astype(np.int64)
    )


def _planted(random: np.random.Generator, inside: NDArray[np.bool_], cases: int, kind: str) -> NDArray[np.bool_]:
    """Whether each case is right with each version: units decide shares of the cases, shape ``(cases, versions)``."""
    units = inside.shape[1]
    right = np.repeat(random.random((cases, 1)) < 0.9, len(inside), axis=1)
    first, second = random.permutation(units).reshape(2, -1)
    decided = random.random((cases, units))
    if kind == "each helps":
        right &= ((decided >= random.choice([0, 0, 0.01, 0.03, 0.1, 0.2], units))[:, None] | inside[None]).all(axis=2)
    elif kind == "one helps":
        right &= (decided[:, :1] >= 0.3) | inside[None, :, first[0]]
    elif kind == "one harms":
        right &= (decided[:, :1] >= 0.1) | ~inside[None, :, first[0]]
    else:
        shares = random.choice([0, 0.15, 0.3], len(first))
        kept = inside[:, first] | (inside[:, second] if kind == "one of two suffices" else ~inside[:, second])
        right &= ((decided[:, : len(first)] >= shares)[:, None] | kept[None]).all(axis=2)
    return right


def _shifted(random: np.random.Generator, inside: NDArray[np.bool_], cases: int, kind: str) -> NDArray[np.bool_]:
    """Likewise: a case is right above a threshold of its own, which each unit shifts by what differs between cases."""
    units = inside.shape[1]
    effects = random.normal(0, 0.5, units) * (random.random(units) < 0.6) + random.normal(0, 0.35, (cases, units))
    score = random.normal(1, 1.5, (cases, 1)) + effects @ inside.T
    if kind == "shift in pairs":
        for one, other in combinations(range(units), 2):
            if random.random() < 0.3:
                score += random.normal(0, 0.6) * (inside[:, one] & inside[:, other])
    return score > 0


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


def replay(lattices: Callable[[int], Lattice], runs: int, cases: int, margin: float, compared: int) -> dict[str, Tally]:
    """``minimize`` in each run, and in ``compared`` of them every strategy on the same suites.

    Args:
        lattices: Gives that of each run.
    """
    tallies = {name: Tally([], [], []) for name in [*STRATEGIES, "minimize"]}
    for run in range(runs):
        lattice = lattices(run)
        for name, strategy in STRATEGIES.items() if run < compared else ():
            random = np.random.default_rng(run)
            draw = Draw(lattice, cases, random)
            tallies[name].add(lattice, strategy(draw, margin, random), draw.calls, margin)
        draw = Draw(lattice, cases, np.random.default_rng(run))
        tallies["minimize"].add(lattice, *minimized(draw, margin), margin)
    return tallies


def report(title: str, tallies: dict[str, Tally], cases: int, recorded: bool) -> bool:
    """Print the table of a lattice or a kind; whether ``minimize`` reaches its targets."""
    print(f"\n{title}")
    print(f"{'suites of ' + str(cases) + ' cases':<20} {'saved':>6} {'lost too much':>14} {'calls':>7}")
    for name, tally in tallies.items():
        print(f"{name:<20} {np.mean(tally.savings):>6.0%} {np.mean(tally.lost):>14.1%} {np.mean(tally.calls):>7.0f}")
    own = tallies["minimize"]
    # Two standard errors, so that a chance of 5% is not called more.
    allowed = FALSE_LOSSES + 2 * (FALSE_LOSSES * (1 - FALSE_LOSSES) / len(own.lost)) ** 0.5
    return bool(
        (np.mean(own.savings) >= SAVING or not recorded)
        and np.mean(own.calls) <= CALLS * np.mean(tallies["and pairs"].calls)
        and np.mean(own.lost) <= allowed
    )


def heading(lattice: Lattice, margin: float) -> str:
    """What is known of a recorded lattice."""
    best = lattice.optimum(margin)
    share = 1 - lattice.prompt_tokens[best] / lattice.prompt_tokens[lattice.full]
    quality, out = lattice.passed[:, lattice.full].mean(), [unit + 1 for unit in lattice.taken_out(best)]
    return (
        f"{lattice.name}: {len(lattice.expected)} cases, of which the prompt gets {quality:.1%} right.\n"
        f"Within {100 * margin:g} points units {out} may go, {share:.0%} of its tokens."
    )


def names() -> Iterable[str]:
    return [*sorted(path.stem for path in FOLDER.glob("*.jsonl")), *KINDS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="recorded lattices and kinds; by default all")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--compared", type=int, default=100, help="runs in which the other strategies run too")
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--margin", type=float, default=2, help="points")
    given = parser.parse_args()
    reached, margin = True, given.margin / 100
    error = 100 * (FALSE_LOSSES * (1 - FALSE_LOSSES) / given.runs) ** 0.5
    print(f"{given.runs:,} runs; Monte Carlo error of 5%: {error:.1f} points")
    for name in given.names or names():
        if name in KINDS:
            tallies = replay(lambda run, name=name: made_up(name, run), given.runs, given.cases, margin, given.compared)
            reached &= report(f"{name}: another lattice in each run", tallies, given.cases, False)
            continue
        lattice = Lattice.read(FOLDER / f"{name}.jsonl")
        tallies = replay(lambda _, lattice=lattice: lattice, given.runs, given.cases, margin, given.compared)
        reached &= report(heading(lattice, margin), tallies, given.cases, True)
    sys.exit(not reached)


if __name__ == "__main__":
    main()
