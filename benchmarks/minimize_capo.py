"""Picks the cheapest of a published optimiser's prompts that is not worse than the best, with few evaluations.

CAPO (arXiv 2504.16005) published the score of each prompt that it tried on up to ten blocks of 30 cases, for models
of 24 to 70 billion parameters, and the score on 500 test cases of those that it kept. Every prompt that has all of
these scores is asked one block; then one block of one prompt after another, until a quarter of all are evaluated.

What is known of the prompts is an empirical Bayes estimate (Efron and Morris, JASA 1975): their true scores are normal
around a common mean, a block is as hard for all, and both variances come from the scores that were evaluated. So the
luck of the one that looks best is taken back. A prompt will do if with a probability of 75% it is not worse than the
best by more than the margin; the cheapest of these is taken.

CAPO raced all that it tried, also what it dropped early, which has no score on the other blocks and cannot be raced
again here: the share of blocks that it evaluated is shown beside ours, but it is of other prompts. What a choice is
worth is read from the test cases, which nothing here has seen. The 75% were chosen by the runs of the publication's
folders ``ablation_results`` and ``hp_results``; those of ``main_results`` had no part in it.

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

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("PROMPTOPT_DATA", ROOT.parent / "shared" / "data"))
BLOCK = 30
BUDGET = 0.25
# Probability that a prompt which is taken is within the margin, and below which a cheaper one is not asked any more.
ENOUGH, HOPELESS = 0.75, 0.2
FEWEST_BLOCKS = 4
WIDTH = 48
DRAWS = 1_000

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


@dataclass(frozen=True)
class Estimate:
    """Of each prompt's true score: mean and standard deviation, shape ``(prompts,)``."""

    mean: Floats
    deviation: Floats


def estimate(scores: Floats) -> Estimate:
    """Empirical Bayes, by expectation and maximisation.

    Args:
        scores: ``nan`` where a block is not evaluated, shape ``(prompts, blocks)``; each prompt has at least one.
    """
    seen = ~np.isnan(scores)
    asked, evaluated = seen.sum(axis=1), seen.sum()
    middle = float(np.nanmean(scores))
    # Prompts are asked the same cases, so that their scores differ less than those of independent cases do.
    expected = 0.7 * max(middle * (1 - middle), 0.02) / BLOCK
    noise, spread = expected, max(float(np.nanvar(np.nanmean(scores, axis=1))) - expected, expected / 4)
    hard = np.nan_to_num(np.nanmean(np.where(seen.any(axis=0), scores, middle), axis=0) - middle)
    mean, variance = np.full(len(scores), middle), np.full(len(scores), spread)
    for _ in range(30):
        own = np.where(seen, scores - hard, 0).sum(axis=1) / asked
        mean = middle + spread / (spread + noise / asked) * (own - middle)
        variance = 1 / (1 / spread + asked / noise)
        blocks = seen.sum(axis=0)
        hard = np.where(seen, scores - mean[:, None], 0).sum(axis=0) / (blocks + 1)
        left = np.where(seen, scores - hard - mean[:, None], 0)
        # The expected noise counts as twenty scores, since few of them say little of it.
        noise = float(((left**2).sum() + (asked * variance).sum() + 20 * expected) / (evaluated + 20))
        middle, spread = float(mean.mean()), max(float(((mean - mean.mean()) ** 2 + variance).mean()), 1e-5)
    return Estimate(mean, np.sqrt(variance))


def pick(pool: Pool, margin: float) -> tuple[int, float]:
    """The cheapest prompt that is likely to be no worse than the best, and the share of blocks evaluated."""
    prompts, blocks = pool.blocks.shape
    normal = np.random.default_rng(0).standard_normal((DRAWS, prompts))
    cheapest = np.argsort(pool.tokens, kind="stable")
    scores = np.full(pool.blocks.shape, np.nan)
    scores[:, 0] = pool.blocks[:, 0]
    asked = np.ones(prompts, dtype=int)
    while True:
        known = estimate(scores)
        drawn = known.mean + known.deviation * normal
        likely = (drawn >= drawn.max(axis=1, keepdims=True) - margin).mean(axis=0)
        enough = cheapest[likely[cheapest] >= ENOUGH]
        taken = int(enough[0] if len(enough) else likely.argmax())
        if asked.sum() >= int(BUDGET * pool.blocks.size):
            return taken, float(asked.sum() / pool.blocks.size)
        unasked = asked < blocks
        cheaper = cheapest[((pool.tokens < pool.tokens[taken]) & (likely > HOPELESS) & unasked)[cheapest]]
        rival = np.argmax(np.where(unasked, known.mean + known.deviation, -np.inf))
        # What could change the choice: a cheaper one, it itself, the best, and whatever may be better than the best.
        wanted = [int(each) for each in (*cheaper[:1], taken, known.mean.argmax(), rival) if unasked[each]]
        chosen = min(wanted, key=lambda each: asked[each]) if asked.sum() % 2 else wanted[0]
        scores[chosen, asked[chosen]] = pool.blocks[chosen, asked[chosen]]
        asked[chosen] += 1


def by_exhaustion(pool: Pool, margin: float) -> tuple[int, int]:
    """The same choice with all blocks of all prompts."""
    means = pool.blocks.mean(axis=1)
    allowed = np.flatnonzero(means >= means.max() - margin - 1e-9)
    return int(allowed[np.argmin(pool.tokens[allowed])]), int(means.argmax())


def read_pool(path: Path, name: str) -> Pool | None:
    """The run of a file of scores; ``None`` if too few of its prompts have all scores, or too few blocks."""
    import duckdb

    rows = duckdb.read_parquet(str(path)).fetchall()
    tested = path.with_name("step_results_eval.csv")
    if not tested.exists():
        return None
    with tested.open(newline="") as file:
        test = {row["prompt"]: float(row["test_score"]) for row in csv.DictReader(file) if row["test_score"]}
    known = [row for row in rows if row[-1] in test and not any(score is None for score in row[:-1])]
    if len(known) < 2 or len(known[0]) <= FEWEST_BLOCKS:
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
    print(f"{'':<{WIDTH}} {'':>7} {'evaluated':>13} {'tokens':>20} {'test score':>20}")
    print(f"{'run':<{WIDTH}} {'prompts':>7} {'here':>7} {'CAPO':>5}" + f" {'best':>6} {'taken':>6} {'all':>6}" * 2)
    rows = []
    for file in files:
        name = " ".join(file.relative_to(given.folder).parts[:4]).replace(" CAPO", "")
        pool = read_pool(file, name)
        if pool is None:
            print(
                f"{name:<{WIDTH}} skipped: fewer than two prompts have a test score and {FEWEST_BLOCKS} blocks or more"
            )
            continue
        taken, share = pick(pool, margin)
        ideal, best = by_exhaustion(pool, margin)
        chosen = [best, taken, ideal]
        tokens, test = pool.tokens[chosen], pool.test[chosen]
        print(
            f"{name:<{WIDTH}} {len(pool.tokens):>7} {share:>7.0%} {pool.own:>5.0%}"
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
    losing = (np.array(rows)[:, 3:] > given.margin + 1e-9).sum(axis=0)
    print(f"{losing[0]} of {len(rows)} runs lose more than the margin there; with all blocks {losing[1]}.")


if __name__ == "__main__":
    main()
