"""How often verdicts err, and how often they are reached: simulated comparisons of prompts whose truth is known.

    python benchmarks/verdicts.py                      # every table; 2,000 comparisons a cell
    python benchmarks/verdicts.py --runs 500 --only equals losses --sizes 7 20
    python benchmarks/verdicts.py --truths my_truths.py

The tables are in percent: equal prompts called improved, regressed or trade-off (at most 5%), alone and as any of
five candidates; a true loss of exactly the margin called not worse (at most 5%); equal costs called different (at most
2.5%); a true gain of 10 points called improved, beside McNemar's exact test, a t-test, Wilcoxon's signed-rank test and
a BCa bootstrap at the same level; and comparisons without a verdict that have one with the number of cases they name
(at least 80%). The prompts are in verdicts_truths.py; ``--truths`` names another file of that form, with any of its
tables.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

# One thread for each process: the matrices are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy import stats
from verdicts_chart import power_chart

from promptopt.experiment.pairs import PairedCases, compare_pairs, decide_pairs
from promptopt.experiment.verdict import ALPHA_EACH, CostEvidence, Decision, QualityReason

SIZES = (2, 3, 5, 7, 10, 20, 40, 60, 150, 400)
POWER_SIZES = (20, 50, 100, 200, 400)
CANDIDATES = 5
RESAMPLES = 999
FALSE = ("improved", "regressed", "trade-off")
Floats = np.ndarray[Any, np.dtype[np.float64]]


@cache
def truths(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("truths", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Comparisons.


def pairs(
    quality: tuple[Floats, Floats], usd: tuple[Floats, Floats] | None = None, cap: float | None = 1.2
) -> PairedCases:
    """Two prompts with such scores, and with calls that cost so much, or all the same."""
    sides = []
    for side, scores in enumerate(quality):
        cases = len(scores)
        sides.append(
            {
                "quality": np.asarray(scores, dtype=np.float64),
                "pass_rate": (scores >= 1).astype(np.float64),
                "input_tokens": np.full(cases, 10.0),
                "output_tokens": np.full(cases, 10.0),
                "cap_tokens": np.full(cases, 12.0),
                "usd_per_1k_calls": np.ones(cases) if usd is None else usd[side],
                "cap_usd": np.full(cases, np.nan if cap is None else cap),
            }
        )
    return PairedCases(sides[0], sides[1], untouched=False)


def decided(paired: PairedCases, margin: float = 0.02) -> Decision:
    return decide_pairs([paired], margin, 0.0)[0]


def costs(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Of equal prompts: skewed, and cut off at 20 dollars."""
    return random.lognormal(0, 1, n).clip(0, 20), random.lognormal(0, 1, n).clip(0, 20)


def equals(module: ModuleType, name: str, n: int, random: np.random.Generator) -> bool:
    return decided(pairs(module.EQUALS[name](random, n), costs(random, n), 20.0)).verdict in FALSE


def candidates(module: ModuleType, name: str, n: int, random: np.random.Generator) -> bool:
    """Whether any of five equal candidates is called different; they share the baseline's answers."""
    baseline, paid = module.EQUALS[name](random, n)[0], costs(random, n)[0]
    paired = [
        pairs((baseline, module.EQUALS[name](random, n)[1]), (paid, costs(random, n)[1]), 20.0)
        for _ in range(CANDIDATES)
    ]
    return any(decision.verdict in FALSE for decision in decide_pairs(paired, 0.02, 0.0))


def losses(module: ModuleType, name: str, n: int, random: np.random.Generator) -> bool:
    margin = getattr(module, "MARGIN", 0.02)
    reason = decided(pairs(module.LOSSES[name](random, n)), margin).reasons[1]
    assert isinstance(reason, QualityReason)
    return reason.quality in ("better", "same", "not worse")


def cost_changes(module: ModuleType, name: str, n: int, random: np.random.Generator) -> bool:
    draw, cap = module.COSTS[name]
    reason = decided(pairs((np.ones(n), np.ones(n)), draw(random, n), cap)).reasons[0]
    assert isinstance(reason, CostEvidence)
    return reason.change in ("cheaper", "costlier")


# Power, beside the usual tests at the same level.


def mcnemar(change: Floats) -> bool:
    better, worse = int((change > 0).sum()), int((change < 0).sum())
    return better > worse and stats.binomtest(better, better + worse).pvalue <= ALPHA_EACH


def t_test(change: Floats) -> bool:
    return change.mean() > 0 and stats.ttest_1samp(change, 0).pvalue <= ALPHA_EACH


def wilcoxon(change: Floats) -> bool:
    if not change.any() or change.mean() <= 0:
        return False
    return stats.wilcoxon(change, method="asymptotic").pvalue <= ALPHA_EACH


def bca(change: Floats, random: np.random.Generator) -> bool:
    """Whether the two-sided BCa interval of the mean (Efron 1987) lies above 0."""
    mean, spread = change.mean(), change.std()
    if mean <= 0 or not spread:
        return bool(mean > 0)
    means = change[random.integers(0, len(change), (RESAMPLES, len(change)))].mean(axis=1)
    bias = stats.norm.ppf(((means < mean).sum() + (means == mean).sum() / 2 + 0.5) / (RESAMPLES + 1))
    skewness = ((change - mean) ** 3).mean() / spread**3 / (6 * len(change) ** 0.5)
    z = bias + stats.norm.ppf(ALPHA_EACH / 2)
    return bool(np.quantile(means, stats.norm.cdf(bias + z / (1 - skewness * z))) > 0)


def power(module: ModuleType, name: str, n: int, random: np.random.Generator) -> dict[str, bool]:
    baseline, candidate = module.GAINS[name](random, n)
    change = candidate - baseline
    binary = set(np.unique(change)) <= {-1.0, 0.0, 1.0}
    found = {"improved": decided(pairs((baseline, candidate))).verdict == "improved"}
    found |= {"McNemar, exact": mcnemar(change)} if binary else {"t-test": t_test(change)}
    return found | {"Wilcoxon": wilcoxon(change), "BCa": bca(change, random)}


# Predictions: a comparison without a verdict is done again with as many new cases as it names.


def differing(share: float, gain: float) -> Callable[[np.random.Generator, int], tuple[Floats, Floats]]:
    def draw(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        change = random.choice([1.0, -1.0, 0.0], n, p=[(share + gain) / 2, (share - gain) / 2, 1 - share])
        return (change < 0).astype(float), (change > 0).astype(float)

    return draw


def graded(gain: float) -> Callable[[np.random.Generator, int], tuple[Floats, Floats]]:
    return lambda random, n: (random.beta(5, 5, n), random.beta(5 + 10 * gain, 5 - 10 * gain, n))


def paid(
    factor: float, spread: float, cap: float = 20.0
) -> Callable[[np.random.Generator, int], tuple[Floats, Floats]]:
    def draw(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        each = [random.lognormal(0, spread, n).clip(0, cap) for _ in range(2)]
        return each[0], each[1] * factor

    return draw


# Scores, dollars, the most that a call may cost, and cases.
CHEAPER = paid(0.2, 0.2, 2.0)
SITUATIONS: dict[str, tuple[Any, Any, float, int]] = {
    "quality: equal, 10% of cases differ": (differing(0.1, 0), CHEAPER, 2.0, 100),
    "quality: equal, 10% of cases differ, few": (differing(0.1, 0), CHEAPER, 2.0, 20),
    "quality: 5 points better, 20% differ": (differing(0.2, 0.05), CHEAPER, 2.0, 100),
    "quality: 5 points worse, 20% differ": (differing(0.2, -0.05), CHEAPER, 2.0, 60),
    "quality: graded, equal": (graded(0), CHEAPER, 2.0, 20),
    "quality: graded, 3 points better": (graded(0.03), CHEAPER, 2.0, 60),
    "cost: 10% lower, spread": (differing(0, 0), paid(0.9, 0.5), 20.0, 200),
    "cost: equal, within the margin": (differing(0, 0), paid(1, 0.3), 20.0, 200),
    "cost: 40% lower, few cases": (differing(0, 0), paid(0.6, 0.8), 20.0, 150),
    "both: equal and 10% lower": (differing(0.1, 0), paid(0.9, 0.5), 20.0, 60),
}


def prediction(name: str, runs: int, random: np.random.Generator) -> dict[str, float]:
    quality, usd, cap, n = SITUATIONS[name]
    numbers, hits, silent = [], 0, 0
    while len(numbers) + silent < runs:
        _, first = compare_pairs([pairs(quality(random, n), usd(random, n), cap)], 0.02, 0.0)[0]
        if first.verdict != "inconclusive":
            continue
        number = first.cases_needed
        if number is None:
            silent += 1
            continue
        numbers.append(number)
        hits += decided(pairs(quality(random, number), usd(random, number), cap)).verdict != "inconclusive"
    named = max(len(numbers), 1)
    return {
        "cases": n,
        "named": float(np.median(numbers or [0])),
        "decided %": 100 * hits / named,
        "none named %": 100 * silent / runs,
    }


# Tables.


def cell(kind: str, file: str, name: str, n: int, runs: int) -> dict[str, float]:
    """Percent of comparisons in which it happens, for each method."""
    random = np.random.default_rng([*name.encode(), n])
    if kind == "prediction":
        return prediction(name, runs, random)
    happens = {"equals": equals, "candidates": candidates, "losses": losses, "costs": cost_changes, "power": power}[
        kind
    ]
    found: dict[str, float] = {}
    for _ in range(runs):
        event = happens(truths(file), name, n, random)
        for method, hit in (event if isinstance(event, dict) else {"": event}).items():
            found[method] = found.get(method, 0) + 100 * hit / runs
    return found


def show(title: str, heads: Sequence[str], rows: dict[str, Sequence[float]]) -> None:
    print(f"\n{title}\n{'':36s}" + "".join(f"{head:>8s}" for head in heads))
    for name, cells in rows.items():
        print(f"{name:36s}" + "".join(f"{value:8.1f}" for value in cells), flush=True)


EVENTS: dict[str, Callable[..., bool | dict[str, bool]]] = {
    "equals": equals,
    "candidates": candidates,
    "losses": losses,
    "costs": cost_changes,
    "power": power,
}
TABLES = {
    "equals": ("EQUALS", "equal prompts called improved, regressed or trade-off (at most 5)"),
    "candidates": ("EQUALS", f"any of {CANDIDATES} equal candidates called so (at most 5)"),
    "losses": ("LOSSES", "a true loss of the margin called not worse (at most 5)"),
    "costs": ("COSTS", "equal costs called cheaper or costlier (at most 2.5)"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=2000, help="comparisons for each cell (default: 2000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: one for each core)")
    parser.add_argument("--truths", type=Path, default=Path(__file__).with_name("verdicts_truths.py"))
    parser.add_argument("--only", nargs="*", choices=[*TABLES, "power", "prediction"], help="which tables")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="cases (default: %(default)s)")
    parser.add_argument("--svg", type=Path, help="where to draw the power curves")
    arguments = parser.parse_args()
    file, runs, sizes = str(arguments.truths.resolve()), arguments.runs, tuple(arguments.sizes)
    module, wanted = truths(file), arguments.only or [*TABLES, "power", "prediction"]
    error = 100 * (0.05 * 0.95 / runs) ** 0.5
    print(f"{runs:,} comparisons a cell, percent; Monte Carlo error of 5%: {error:.1f}", flush=True)
    with ProcessPoolExecutor(arguments.jobs) as executor:

        def rates(
            kind: str, names: Sequence[str], sizes: Sequence[int], count: int
        ) -> dict[str, list[dict[str, float]]]:
            tasks = [(name, n) for name in names for n in sizes]
            columns = zip(*tasks, strict=True)
            found = list(executor.map(partial(cell, kind, file, runs=count), *columns))
            return {name: found[i * len(sizes) : (i + 1) * len(sizes)] for i, name in enumerate(names)}

        for kind, (attribute, title) in TABLES.items():
            names = list(getattr(module, attribute, {}))
            if kind == "candidates":
                names = names[2:4]
            if kind in wanted and names:
                found = rates(kind, names, sizes, runs)
                rows = {name: [c[""] for c in cells] for name, cells in found.items()}
                show(title, [f"n={n}" for n in sizes], rows)
        if "power" in wanted and getattr(module, "GAINS", None):
            curves = rates("power", list(module.GAINS), POWER_SIZES, runs)
            by_method = {name: {m: [c[m] for c in cells] for m in cells[0]} for name, cells in curves.items()}
            for name, methods in by_method.items():
                show(f"a true gain of 10 points called improved: {name}", [f"n={n}" for n in POWER_SIZES], methods)
            if arguments.svg:
                arguments.svg.write_text(power_chart(POWER_SIZES, by_method), encoding="utf-8")
        if "prediction" in wanted:
            found = rates("prediction", list(SITUATIONS), (0,), min(runs, 200))
            heads = list(next(iter(found.values()))[0])
            print("\nwithout a verdict: done again with the number of cases that is named (decided: at least 80)")
            print(f"{'':44s}" + "".join(f"{head:>14s}" for head in heads))
            for name, (one,) in found.items():
                print(f"{name:44s}" + "".join(f"{value:14,.0f}" for value in one.values()))


if __name__ == "__main__":
    sys.exit(main())
