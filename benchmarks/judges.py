"""How often intervals of quality hold that a judge and a few labels give, and how wide they are beside labels alone.

    python benchmarks/judges.py                  # 2,000 draws a cell; minutes
    python benchmarks/judges.py --runs 200 --only simulated

``simulated`` draws answers whose quality is known, and judges of known bias and noise; ten answers without a label come
with each that has one. ``real`` takes the correctness of two models' answers to 1,319 questions of GSM8K (RouteLLM;
``PROMPTOPT_DATA`` names the folder) as the labels, and as judges what can be seen without the right answer: the length
of an answer, and whether the two models agree. The mean of all labels is the truth, draws are of 100 labels. ``kappa``
measures the interval of Cohen's kappa.

Truths, judges, textbook intervals and the check of each interval are this file's own, with numpy alone.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

# One thread for each process: the matrices are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from promptopt.experiment.calibration import kappa_interval
from promptopt.experiment.prediction_powered import Rectified

Floats = np.ndarray[Any, np.dtype[np.float64]]
SIZES = (50, 100, 300)
OTHERS = 10
NORMAL_95 = 1.959964


# What is judged, and by whom. Each gives labels and scores of so many answers.


def drawn(rng: np.random.Generator, count: int, good: float, hit: float, false_alarm: float) -> tuple[Floats, Floats]:
    """Pass or fail: ``good`` of them pass; the judge passes ``hit`` of these, and ``false_alarm`` of the others."""
    label = rng.random(count) < good
    score = rng.random(count) < np.where(label, hit, false_alarm)
    return label.astype(float), score.astype(float)


def graded(rng: np.random.Generator, count: int, noise: float, bias: float) -> tuple[Floats, Floats]:
    """Labels between 0 and 1, and scores that are off by a bias and noise, and cut to the same range."""
    label = rng.beta(4, 2, count)
    return label, np.clip(label + bias + rng.normal(0, noise, count), 0, 1)


JUDGES: dict[str, tuple[Callable[..., tuple[Floats, Floats]], float]] = {
    "good judge": (partial(drawn, good=0.7, hit=0.95, false_alarm=0.1), 0.7),
    "lenient": (partial(drawn, good=0.7, hit=0.99, false_alarm=0.45), 0.7),
    "noisy": (partial(drawn, good=0.7, hit=0.8, false_alarm=0.3), 0.7),
    "a coin": (partial(drawn, good=0.7, hit=0.6, false_alarm=0.6), 0.7),
    "the opposite": (partial(drawn, good=0.7, hit=0.2, false_alarm=0.8), 0.7),
    "rare failures": (partial(drawn, good=0.98, hit=0.99, false_alarm=0.5), 0.98),
    "blind to rare": (partial(drawn, good=0.98, hit=1.0, false_alarm=1.0), 0.98),
    "never wrong": (partial(drawn, good=0.8, hit=1.0, false_alarm=0.0), 0.8),
    "graded": (partial(graded, noise=0.1, bias=0.1), 4 / 6),
    "graded, noisy": (partial(graded, noise=0.3, bias=-0.2), 4 / 6),
}


def textbook(labels: Floats, scored: Floats, others: Floats) -> tuple[float, float]:
    """PPI++ as it is published: one weight of all labels, and a normal distribution."""
    count, rest = len(labels), len(others)
    variance = scored.var()
    weight = 0.0
    if variance > 0:
        covariance = ((labels - labels.mean()) * (scored - scored.mean())).mean()
        weight = float(np.clip(covariance / variance / (1 + count / rest), 0, 1))
    rectifier = labels - weight * scored
    mean = rectifier.mean() + weight * others.mean()
    error = np.sqrt(rectifier.var(ddof=1) / count + weight**2 * others.var(ddof=1) / rest)
    return float(mean - NORMAL_95 * error), float(mean + NORMAL_95 * error)


def outcome(labels: Floats, scored: Floats, others: Floats, truth: float) -> list[float]:
    """Of each interval whether it holds the truth, and its width: with the judge, alone, textbook; and the gain."""
    found = Rectified.of(labels, scored, others)
    intervals = [(found.lower(0.025), found.upper(0.025)), found.alone(0.05), textbook(labels, scored, others)]
    row: list[float] = []
    for low, high in intervals:
        row += [float(low <= truth <= high), high - low]
    gain = found.effective_labels / len(labels)
    return [*row, gain if np.isfinite(gain) else np.nan]


def simulated(name: str, count: int, runs: int, seed: int) -> Floats:
    judge, truth = JUDGES[name]
    rng = np.random.default_rng([seed, count])
    rows = []
    for _ in range(runs):
        labels, scores = judge(rng, count * (1 + OTHERS))
        rows.append(outcome(labels[:count], scores[:count], scores[count:], truth))
    return np.array(rows)


# Real answers.


def last_number(text: str) -> str:
    numbers = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)
    return numbers[-1].replace(",", "").rstrip(".").removesuffix(".00") if numbers else ""


def real_judges() -> dict[str, tuple[Floats, Floats]]:
    """Labels and scores of every answer, by what judges."""
    folder = Path(os.environ.get("PROMPTOPT_DATA", Path(__file__).parents[2] / "shared" / "data"))
    file = folder / "routellm" / "gsm8k_responses.csv"
    if not file.is_file():
        sys.exit(f"{file} is not there; PROMPTOPT_DATA names the folder of the real data")
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    small, large = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
    agree = np.array([last_number(row[f"{small}_response"]) == last_number(row[f"{large}_response"]) for row in rows])
    found = {}
    for model in (small, large):
        label = np.array([row[model] == "True" for row in rows], dtype=float)
        length = np.array([len(row[f"{model}_response"]) for row in rows], dtype=float)
        shorter = 1 - length.argsort().argsort() / (len(length) - 1)
        name = model.rpartition("/")[2].partition("-Instruct")[0]
        found[f"{name}, agreement"] = (label, agree.astype(float))
        found[f"{name}, length"] = (label, shorter)
    return found


def real(name: str, count: int, runs: int, seed: int) -> Floats:
    labels, scores = real_judges()[name]
    rng = np.random.default_rng([seed, count])
    rows = []
    for _ in range(runs):
        order = rng.permutation(len(labels))
        chosen, others = order[:count], order[count:]
        rows.append(outcome(labels[chosen], scores[chosen], scores[others], float(labels.mean())))
    return np.array(rows)


def kappas(name: str, count: int, runs: int, seed: int) -> Floats:
    """Whether the interval of Cohen's kappa holds its truth, which a million answers show."""
    judge, _ = JUDGES[name]
    rng = np.random.default_rng([seed, count])

    def table(labels: Floats, scores: Floats) -> Floats:
        return np.array([[((scores == s) & (labels == y)).sum() for y in (1, 0)] for s in (1, 0)], dtype=float)

    whole = table(*judge(np.random.default_rng(seed + 1), 1_000_000))
    whole /= whole.sum()
    chance = float(whole.sum(axis=0) @ whole.sum(axis=1))
    truth = (float(np.trace(whole)) - chance) / (1 - chance)
    rows = []
    for _ in range(runs):
        _, low, high = kappa_interval(table(*judge(rng, count)))
        if low is not None and high is not None:
            rows.append([float(low <= truth <= high), high - low])
    return np.array(rows)


def cells(table: str, names: list[str], sizes: tuple[int, ...], arguments: argparse.Namespace) -> Iterator[list[str]]:
    work = {"simulated": simulated, "real": real, "kappa": kappas}[table]
    tasks = [(name, size) for name in names for size in sizes]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        results = pool.map(
            partial(work, runs=arguments.runs, seed=arguments.seed), [n for n, _ in tasks], [s for _, s in tasks]
        )
        for (name, size), rows in zip(tasks, results, strict=True):
            yield [name, str(size), *shown(table, rows)]


def shown(table: str, rows: Floats) -> list[str]:
    if table == "kappa":
        return [f"{rows[:, 0].mean() * 100:.1f}%", f"{rows[:, 1].mean():.2f}"] if len(rows) else ["-", "-"]
    means = np.nanmean(rows, axis=0)
    parts = [f"{means[0] * 100:.1f}%", f"{means[1] * 100:.1f}", f"{means[3] * 100:.1f}", f"{means[1] / means[3]:.2f}"]
    return [*parts, f"{means[6]:.2f}", f"{means[4] * 100:.1f}%"]


HEADERS = {
    "simulated": ["judge", "labels", "holds", "width", "alone", "ratio", "worth x", "textbook holds"],
    "real": ["answers, judge", "labels", "holds", "width", "alone", "ratio", "worth x", "textbook holds"],
    "kappa": ["judge", "labels", "holds", "width"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--judges", nargs="*", choices=[*JUDGES], default=[*JUDGES], help="of the simulated")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="*", choices=[*HEADERS], default=[*HEADERS])
    arguments = parser.parse_args()
    for table in arguments.only:
        started = time.perf_counter()
        names = arguments.judges if table != "real" else list(real_judges())
        if table == "kappa":
            names = [name for name in names if "graded" not in name and name not in ("blind to rare", "never wrong")]
        sizes = (100,) if table == "real" else SIZES
        print(f"{table}: {arguments.runs:,} draws a row, level 95%, widths in points")
        print("  ".join(f"{header:>{width(header)}}" for header in HEADERS[table]))
        for row in cells(table, names, sizes, arguments):
            print(
                "  ".join(f"{cell:>{width(header)}}" for cell, header in zip(row, HEADERS[table], strict=True)),
                flush=True,
            )
        print(f"({time.perf_counter() - started:.0f} s)\n")


def width(header: str) -> int:
    return {"judge": 16, "answers, judge": 32}.get(header, max(6, len(header)))


if __name__ == "__main__":
    main()
