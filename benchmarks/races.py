"""How often ``compare --race`` drops a variant wrongly, and what it saves: simulated races whose truth is known.

    python benchmarks/races.py                # 1,000 races a row; some two minutes of CPU time
    python benchmarks/races.py --runs 200 --cases 2000

For each row: how often the true winner, the cheapest variant that is not worse than the first by the margin, was
dropped, how often any variant that no other dominates (both at most 5%, over all variants and looks), and the share of
the calls that was not needed. Answers, truths and what dominates what are computed here, without the package.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from promptopt.experiment.racing import Entrant, RaceRules, looks

MARGIN, COST_MARGIN, CAP = 0.02, 0.02, 1.0
Floats = np.ndarray[Any, np.dtype[np.float64]]
Draw = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True)
class Truth:
    """A variant: how its quality and the price of its answers are drawn, and their means; its input costs ``usd``."""

    quality: float
    usd: float
    scores: Draw
    answers: Draw
    answer_usd: float
    capped: bool = True

    @property
    def cost(self) -> float:
        return self.usd + self.answer_usd


def passes(rate: float) -> Draw:
    """Half of the cases are as hard for every variant; in the others they err alone."""

    def draw(random: np.random.Generator, cases: int) -> Floats:
        shared = np.random.default_rng(random.bit_generator.seed_seq.entropy).random(cases)  # type: ignore[attr-defined]
        own = random.random(cases)
        return (np.where(np.arange(cases) % 2, shared, own) < rate).astype(float)

    return draw


def graded(mean: float) -> Draw:
    return lambda random, cases: random.beta(8 * mean, 8 * (1 - mean), cases)


def rarely_lost(share: float) -> Draw:
    """Right but for a few cases."""
    return lambda random, cases: (random.random(cases) >= share).astype(float)


def beta_usd(mean: float) -> Draw:
    return lambda random, cases: random.beta(4 * mean, 4 * (1 - mean), cases)


def rare_long(share: float) -> Draw:
    """Nothing, and rarely as much as the cap allows."""
    return lambda random, cases: (random.random(cases) < share).astype(float)


def lognormal(mean: float) -> Draw:
    return lambda random, cases: mean * random.lognormal(-0.5, 1.0, cases)


def variant(quality: float, usd: float, answer: float = 0.3, kind: str = "pass") -> Truth:
    scores = graded(quality) if kind == "graded" else passes(quality)
    return Truth(quality, usd, scores, beta_usd(answer), answer)


def perfect(usd: float, lost: float = 0.0) -> Truth:
    return Truth(1 - lost, usd, rarely_lost(lost), beta_usd(0.3), 0.3)


RACES: dict[str, Sequence[Truth]] = {
    "three equal variants": [variant(0.7, 1.0)] * 3,
    "six equal variants, graded": [variant(0.7, 1.0, kind="graded")] * 6,
    "equal cost, one answer in 33 is long": [
        Truth(0.7, 1.0, passes(0.7), beta_usd(0.03), 0.03),
        Truth(0.7, 1.0, passes(0.7), beta_usd(0.03), 0.03),
        Truth(0.7, 1.0, passes(0.7), rare_long(0.03), 0.03),
    ],
    "equal cost, no cap": [Truth(0.7, 1.0, passes(0.7), lognormal(0.3), 0.3, capped=False)] * 3,
    "cheaper, and the margin worse in rare cases": [perfect(3.0), perfect(2.0), perfect(1.0, lost=MARGIN)],
    "cheaper, and a little more than the margin worse": [variant(0.9, 3.0), variant(0.9, 2.0), variant(0.875, 1.0)],
    "each within the margin of the next": [perfect(3.0), perfect(2.0, lost=0.015), perfect(1.0, lost=0.03)],
    "all on the front": [variant(0.8, 3.0), variant(0.7, 2.0), variant(0.6, 1.0)],
    "one clear loser": [variant(0.8, 2.0), variant(0.85, 1.0), variant(0.6, 1.5)],
    "four clear losers of six": [
        variant(0.8, 2.0), variant(0.85, 1.0), *(variant(quality, 1.5) for quality in (0.6, 0.5, 0.4, 0.2)),
    ],
    "two clear losers, graded": [
        variant(0.7, 2.0, kind="graded"), variant(0.8, 1.0, kind="graded"),
        variant(0.6, 2.5, kind="graded"), variant(0.6, 1.2, kind="graded"),
    ],
    "the baseline is better and cheaper": [variant(0.8, 1.0), variant(0.6, 1.3)],
    "as good and half the price": [variant(0.9, 2.0), variant(0.9, 1.0), variant(0.9, 2.0)],
}  # fmt: skip


def winner(truths: Sequence[Truth]) -> int:
    able = [number for number, each in enumerate(truths) if each.quality > truths[0].quality - MARGIN + 1e-12]
    return min(able, key=lambda number: (truths[number].cost, number))


def is_dominated(truths: Sequence[Truth], number: int) -> bool:
    one, first = truths[number], truths[0]
    for other in truths:
        able = other.quality > first.quality - MARGIN + 1e-12 or one.quality < first.quality - MARGIN
        close = other.quality > one.quality - MARGIN + 1e-12
        if close and other.cost < one.cost - 1e-12 and able:
            return True
        if other.quality > one.quality + 1e-12 and other.cost <= one.cost * (1 + COST_MARGIN):
            return True
    return False


def race(truths: Sequence[Truth], cases: int, seed: int) -> tuple[dict[int, int], float]:
    """When each variant that was dropped was, in cases, and the share of calls that was not needed."""
    randoms = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n,))) for n in range(len(truths))]
    qualities = [each.scores(random, cases) for each, random in zip(truths, randoms, strict=True)]
    spent = [each.usd + each.answers(random, cases) for each, random in zip(truths, randoms, strict=True)]
    rules = RaceRules(MARGIN, COST_MARGIN, 0.02)
    racing, dropped, asked, calls = list(range(len(truths))), dict[int, int](), 0, 0
    for upto in looks(cases):
        calls += (upto - asked) * len(racing)
        asked = upto
        if asked == cases or len(racing) == 1:
            break
        field = {
            number: Entrant(
                qualities[number][:asked],
                spent[number][:asked],
                np.full(cases, truths[number].usd),
                np.full(cases, truths[number].usd + CAP if truths[number].capped else np.inf),
            )
            for number in racing
        }
        for number in rules.dominated(field, len(truths)):
            dropped[number] = asked
            racing.remove(number)
        if len(racing) == 1:
            break
    return dropped, 1 - calls / (cases * len(truths))


def measured(truths: Sequence[Truth], cases: int, runs: int) -> tuple[float, float, float]:
    """Shares of races: the winner was dropped, any variant was that is not dominated; and the calls saved."""
    best, fine = winner(truths), [n for n in range(len(truths)) if not is_dominated(truths, n)]
    lost = wrong = 0
    saved = []
    for seed in range(runs):
        dropped, share = race(truths, cases, seed)
        lost += best in dropped
        wrong += any(number in dropped for number in fine)
        saved.append(share)
    return lost / runs, wrong / runs, float(np.mean(saved))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--cases", type=int, default=400)
    options = parser.parse_args()
    error = 100 * (0.05 * 0.95 / options.runs) ** 0.5
    print(f"{options.runs:,} races a row over {options.cases:,} cases, percent; Monte Carlo error of 5%: {error:.1f}\n")
    print(f"{'':52}{'winner dropped':>16}{'any wrongly':>13}{'calls saved':>13}")
    for name, truths in RACES.items():
        shares = [100 * share for share in measured(truths, options.cases, options.runs)]
        print(f"{name:52}{shares[0]:16.1f}{shares[1]:13.1f}{shares[2]:13.1f}", flush=True)


if __name__ == "__main__":
    main()
