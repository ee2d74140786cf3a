"""Picks the cheapest of a published optimiser's prompts that is not worse than the best, with few evaluations.

CAPO (arXiv 2504.16005) published the score of each prompt that it tried on up to ten blocks of 30 cases, for models
of 24 to 70 billion parameters, and the score on 500 test cases of those that it kept. Every prompt that has all of
these scores is asked one block. The best of these goes through all blocks, and then the cheaper ones in turn, the
cheapest first: one is dropped as soon as the racing test of ``promptopt compare --race`` shows a loss of more than
the margin, or its loss is not likely to come back; the first that is left with all blocks and seems to lose no more
than half the margin is taken. At a quarter of all blocks it stops with the best.

CAPO raced all that it tried, also what it dropped early, which has no score on the other blocks and cannot be raced
again here: the share of blocks that it evaluated is shown beside ours, but it is of other prompts.

A block's score hides which cases were right, so as few as possible are taken to differ: five points more is one and a
half cases won. That makes the test bolder than with the answers themselves; the error against the test cases, which
nothing here has seen, shows what that costs.

    python benchmarks/minimize_capo.py [FOLDER] [--margin 2]

FOLDER holds runs as published (``prompt_scores.parquet`` beside ``step_results_eval.csv``), by default
``$PROMPTOPT_DATA/capo``. Needs duckdb, of the extra ``audit``.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import promptopt
from promptopt.experiment.racing import race_standing

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("PROMPTOPT_DATA", ROOT.parent / "shared" / "data"))
BLOCK = 30
LEVEL = 0.05
FINALISTS, ROUND = 4, 3
BUDGET = 0.25

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """The prompts of one run that have a score on every block and on the test cases.

    Attributes:
        own: The share of blocks that CAPO evaluated of all that it tried.
        tokens: Of each prompt, shape ``(prompts,)``; ``test``: its score on cases that no block has.
        blocks: Scores from 0 to 1, shape ``(prompts, blocks)``.
    """

    name: str
    own: float
    tokens: NDArray[np.int64]
    blocks: Floats
    test: Floats


@dataclass
class Race:
    """Evaluates blocks of prompts, each once."""

    pool: Pool
    evaluated: set[tuple[int, int]]

    def scores(self, prompt: int, blocks: int) -> Floats:
        """Of the first blocks."""
        self.evaluated |= {(prompt, block) for block in range(blocks)}
        return self.pool.blocks[prompt, :blocks]

    def lost(self, prompt: int, best: int, blocks: int, margin: float) -> bool:
        """Whether a prompt is out after so many blocks."""
        differences = self.scores(prompt, blocks) - self.scores(best, blocks)
        if race_standing(by_case(differences), margin, LEVEL) == "drop":
            return True
        net = np.abs(by_case(differences)).sum() + 1
        error = float(np.sqrt(net)) / (BLOCK * blocks)
        return float(differences.mean()) + error < -margin / 2

    @property
    def left(self) -> int:
        """Blocks that may still be evaluated."""
        return int(BUDGET * self.pool.blocks.size) - len(self.evaluated)

    @property
    def share(self) -> float:
        """Of all blocks of all prompts."""
        return len(self.evaluated) / self.pool.blocks.size


def by_case(differences: Floats) -> Floats:
    """Differences of blocks as those of as few cases as possible."""
    cases = []
    for difference in differences:
        net = difference * BLOCK
        whole = round(abs(float(net)))
        cases += [float(np.sign(net))] * whole + [0.0] * (BLOCK - whole)
    return np.array(cases)


def pick(pool: Pool, margin: float) -> tuple[int, int, float]:
    """The cheapest prompt that seems no worse than the best, that one, and the share of blocks evaluated."""
    race = Race(pool, set())
    blocks = pool.blocks.shape[1]
    first = np.array([race.scores(prompt, 1)[0] for prompt in range(len(pool.tokens))])
    finalists = np.lexsort((pool.tokens, -first))[:FINALISTS]
    best = int(max(finalists, key=lambda prompt: race.scores(prompt, ROUND).mean()))
    race.scores(best, blocks)
    for prompt in np.argsort(pool.tokens, kind="stable"):
        if pool.tokens[prompt] >= pool.tokens[best] or race.left < blocks:
            break
        if any(race.lost(int(prompt), best, count, margin) for count in range(1, blocks + 1)):
            continue
        if race.scores(int(prompt), blocks).mean() >= race.scores(best, blocks).mean() - margin / 2:
            return int(prompt), best, race.share
    return best, best, race.share


def by_exhaustion(pool: Pool, margin: float) -> tuple[int, int]:
    """The same choice with all blocks of all prompts."""
    means = pool.blocks.mean(axis=1)
    allowed = np.flatnonzero(means >= means.max() - margin - 1e-9)
    return int(allowed[np.argmin(pool.tokens[allowed])]), int(means.argmax())


def read_pool(path: Path, name: str) -> Pool | None:
    """The run of a file of scores; ``None`` if too few of its prompts have all scores."""
    import duckdb

    rows = duckdb.read_parquet(str(path)).fetchall()
    with (path.parent / "step_results_eval.csv").open(newline="") as file:
        test = {row["prompt"]: float(row["test_score"]) for row in csv.DictReader(file) if row["test_score"]}
    known = [row for row in rows if row[-1] in test and not any(score is None for score in row[:-1])]
    if len(known) < 2:
        return None
    prompts = [row[-1] for row in known]
    tokens = np.array([promptopt.count(prompt).tokens for prompt in prompts])
    asked = sum(score is not None for row in rows for score in row[:-1])
    own = asked / (len(rows) * (len(rows[0]) - 1))
    return Pool(
        name, own, tokens, np.array([row[:-1] for row in known], dtype=float), np.array([test[p] for p in prompts])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DATA / "capo")
    parser.add_argument("--margin", type=float, default=2, help="points")
    given = parser.parse_args()
    files = sorted(given.folder.rglob("prompt_scores.parquet"))
    if not files:
        print(f"skipped: no prompt_scores.parquet below {given.folder}; set PROMPTOPT_DATA, or name their folder")
        return
    margin = given.margin / 100
    print(f"{'':<24} {'':>7} {'evaluated':>13} {'tokens':>20} {'test score':>20}")
    print(f"{'run':<24} {'prompts':>7} {'here':>7} {'CAPO':>5}" + f" {'best':>6} {'taken':>6} {'all':>6}" * 2)
    rows = []
    for file in files:
        name = " ".join(file.relative_to(given.folder).parts[:4]).replace(" CAPO", "")
        pool = read_pool(file, name)
        if pool is None:
            print(f"{name:<24} skipped: fewer than two prompts have all scores")
            continue
        taken, _, share = pick(pool, margin)
        ideal, best = by_exhaustion(pool, margin)
        chosen = [best, taken, ideal]
        tokens, test = pool.tokens[chosen], pool.test[chosen]
        print(
            f"{name:<24} {len(pool.tokens):>7} {share:>7.0%} {pool.own:>5.0%}"
            + "".join(f" {each:>6}" for each in tokens)
            + "".join(f" {each:>6.1%}" for each in test)
        )
        rows.append([share, *(1 - tokens[1:] / tokens[0]), *(100 * (test[0] - test[1:]))])
    if not rows:
        sys.exit(1)
    share, saved, most, lost, all_lost = np.mean(rows, axis=0)
    highest = np.max(rows, axis=0)
    print(f"\n{share:.0%} of the blocks were evaluated, {highest[0]:.0%} at most.")
    print(f"{saved:.0%} of the best prompt's tokens are saved; with all blocks {most:.0%}.")
    print(
        f"On the test cases {lost:+.1f} points are lost on average and {highest[3]:+.1f} at most; with all blocks "
        f"{all_lost:+.1f} and {highest[4]:+.1f}."
    )


if __name__ == "__main__":
    main()
