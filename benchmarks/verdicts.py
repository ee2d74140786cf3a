"""How often verdicts err, and how often they are reached: simulated comparisons of prompts whose truth is known.

    python benchmarks/verdicts.py [RUNS]

Prints four tables in percent, with the Monte Carlo error of one cell: equal prompts called improved, regressed or
trade-off (at most 5%); a true loss of exactly the margin called not worse (at most 5%); equal costs called different
(at most 2.5%); and, for a true gain of 10 points, how often the verdict is "improved", beside McNemar's exact test,
Wilcoxon's signed-rank test and a t-test at the same level.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy import stats

from promptopt.experiment.pairs import PairedCases, compare_pairs
from promptopt.experiment.verdict import ALPHA_EACH, Decision, judge_quality

SIZES = (2, 3, 5, 10, 20, 40, 60, 150, 400)
MARGIN = 0.02
Draw = Callable[[np.random.Generator, int], np.ndarray]

EQUALS: dict[str, Draw] = {
    "binary": lambda random, n: random.integers(0, 2, n).astype(float),
    "binary, 95% right": lambda random, n: (random.random(n) < 0.95).astype(float),
    "mean of 3 asserts": lambda random, n: random.binomial(3, 0.6, n) / 3,
    "mean of 3 answers": lambda random, n: random.binomial(3, np.repeat([0.2, 0.95], [n // 2, n - n // 2])) / 3,
    "continuous": lambda random, n: random.random(n),
    "mostly 1, 10% partial": lambda random, n: np.where(random.random(n) < 0.9, 1.0, random.random(n)),
    "likeness (beta)": lambda random, n: random.beta(8, 2, n),
}
LOSSES: dict[str, Draw] = {
    "P(worse) .05, P(better) .03": lambda random, n: random.choice([-1.0, 1.0, 0.0], n, p=[0.05, 0.03, 0.92]),
    "P(worse) .03, P(better) .01": lambda random, n: random.choice([-1.0, 1.0, 0.0], n, p=[0.03, 0.01, 0.96]),
    "P(worse) .02": lambda random, n: random.choice([-1.0, 0.0], n, p=[0.02, 0.98]),
    "graded, rarely 0.5 lower": lambda random, n: random.choice([-0.5, 0.0], n, p=[0.04, 0.96]),
    "graded, spread": lambda random, n: 2 * random.beta(0.49 * 20, 0.51 * 20, n) - 1,
    "a little better, rarely lost": lambda random, n: random.choice([0.1, -0.9], n, p=[0.88, 0.12]),
}
COSTS: dict[str, Draw] = {
    "normal": lambda random, n: random.normal(10, 1, n),
    "lognormal(1.8)": lambda random, n: random.lognormal(0, 1.8, n),
    "Pareto(1.2)": lambda random, n: random.pareto(1.2, n) + 1,
}
GAINS: dict[str, tuple[Draw, bool]] = {
    "binary, 30% discordant": (lambda random, n: random.choice([1.0, -1.0, 0.0], n, p=[0.2, 0.1, 0.7]), True),
    "binary, 12% discordant": (lambda random, n: random.choice([1.0, -1.0, 0.0], n, p=[0.11, 0.01, 0.88]), True),
    "mean of 3 asserts": (
        lambda random, n: (random.binomial(3, 0.7, n) - random.binomial(3, 0.6, n)) / 3,
        False,
    ),
    "continuous": (lambda random, n: random.beta(6, 4, n) - random.beta(5, 5, n), False),
}


def pairs(
    baseline: np.ndarray, candidate: np.ndarray, costs: tuple[np.ndarray, np.ndarray] | None = None
) -> PairedCases:
    """Two prompts whose calls cost the same, or what is given."""
    sides = []
    for side, quality in enumerate((baseline, candidate)):
        cases = len(quality)
        fixed = np.full(cases, 10.0)
        usd = np.ones(cases) if costs is None else costs[side]
        passed = (quality >= 1).astype(float)
        sides.append({"quality": quality, "pass_rate": passed, "input_tokens": fixed, "output_tokens": fixed})
        sides[-1]["usd_per_1k_calls"] = usd
    return PairedCases(sides[0], sides[1], untouched=False)


def decision(paired: PairedCases) -> Decision:
    return compare_pairs([paired], MARGIN, 0.0)[0][1]


def table(title: str, rows: dict[str, list[float]], sizes: tuple[int, ...] = SIZES) -> None:
    print(f"\n{title}")
    print(f"    {'':30s}" + "".join(f"{f'n={n}':>8s}" for n in sizes))
    for name, cells in rows.items():
        print(f"    {name:30s}" + "".join(f"{cell:8.1f}" for cell in cells))


def share(runs: int, event: Callable[[], bool]) -> float:
    return 100 * sum(event() for _ in range(runs)) / runs


def main(runs: int) -> None:
    random = np.random.default_rng(20)
    print(f"{runs} runs a cell, percent; Monte Carlo error of 5%: {100 * (0.05 * 0.95 / runs) ** 0.5:.1f}", flush=True)

    def told_apart(draw: Draw, n: int) -> bool:
        costs = random.lognormal(0, 1, n), random.lognormal(0, 1, n)
        paired = pairs(draw(random, n), draw(random, n), costs)
        return decision(paired).verdict in ("improved", "regressed", "trade-off")

    table(
        "equal prompts called improved, regressed or trade-off (at most 5)",
        {name: [share(runs, lambda d=draw, n=n: told_apart(d, n)) for n in SIZES] for name, draw in EQUALS.items()},
    )

    def not_worse(draw: Draw, n: int) -> bool:
        change = draw(random, n)
        return judge_quality(decision(pairs(np.zeros(n), change)).reasons[1].evidence) in ("same", "not worse")

    table(
        "a true loss of the margin called not worse (at most 5)",
        {name: [share(runs, lambda d=draw, n=n: not_worse(d, n)) for n in SIZES] for name, draw in LOSSES.items()},
    )

    def cost_differs(draw: Draw, n: int) -> bool:
        costs = draw(random, n), draw(random, n)
        return decision(pairs(np.ones(n), np.ones(n), costs)).reasons[0].change in ("cheaper", "costlier")

    table(
        "equal costs called cheaper or costlier (at most 2.5)",
        {name: [share(runs, lambda d=draw, n=n: cost_differs(d, n)) for n in SIZES] for name, draw in COSTS.items()},
    )
    power(random, runs)


def power(random: np.random.Generator, runs: int) -> None:
    sizes = (20, 50, 100, 200)
    for name, (draw, binary) in GAINS.items():
        found: dict[str, list[float]] = {}
        for n in sizes:
            hits = dict.fromkeys(("improved", "McNemar, exact" if binary else "t-test", "Wilcoxon"), 0)
            for _ in range(runs):
                change = draw(random, n)
                hits["improved"] += decision(pairs(np.zeros(n), change)).verdict == "improved"
                better, worse = int((change > 0).sum()), int((change < 0).sum())
                if binary:
                    p_value = stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
                    hits["McNemar, exact"] += p_value <= ALPHA_EACH and better > worse
                else:
                    hits["t-test"] += stats.ttest_1samp(change, 0).pvalue <= ALPHA_EACH and change.mean() > 0
                if better + worse:
                    ranked = stats.wilcoxon(change, zero_method="zsplit", method="asymptotic").pvalue
                    hits["Wilcoxon"] += ranked <= ALPHA_EACH and change.mean() > 0
            for method, count in hits.items():
                found.setdefault(method, []).append(100 * count / runs)
        table(f"a true gain of 10 points shown: {name}", found, sizes)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
