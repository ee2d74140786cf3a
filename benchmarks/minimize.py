"""What ``promptopt minimize`` finds and loses in prompts whose truth is known: planted sentences, a simulated model.

    python benchmarks/minimize.py                 # 1,000 searches a row; a minute or two of CPU time
    python benchmarks/minimize.py --runs 100 --only everything

Each row is a prompt, a suite and a model that answers by a rule of its own: a case is right unless a sentence that it
needs is missing, and some answers flip with every change of the words. For each row: how often anything needed was lost
(at most 5%), the share of useless tokens that went, how often something was confirmed, and the calls beside those of
all leave-one-out and all pairs. The model shares nothing with the search.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import searches
from numpy.typing import NDArray

NEEDED = ("Answer in capitals.", "Round to whole numbers.", "Use the metric system.", "Refunds are paid in euros.")
USELESS = (
    "You are a very helpful assistant.", "Thank you very much!", "Please read the text with great care.",
    "We are happy to have you with us today.", "Think about the text as it is.", "Hello and welcome.",
    "Please be thorough and take your time.", "It is a pleasure to work with you.",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A prompt and its model.

    Attributes:
        needed: Sentences with the share of cases that each decides.
        flips: Share of answers that flip with the words.
        margin: Points that may be lost: less than any needed sentence decides.
    """

    needed: Mapping[str, float]
    useless: Sequence[str]
    flips: float
    margin: float
    cases: int = 600


def decides(*shares: float) -> dict[str, float]:
    """Needed sentences with what each decides."""
    return dict(zip(NEEDED, shares, strict=False))


ROWS = {
    "everything matters, twice the margin": Row(decides(0.1, 0.1, 0.1, 0.1), (), 0.02, 5),
    "everything matters, a little more than the margin": Row(decides(0.06, 0.06, 0.06, 0.06), (), 0.02, 5),
    "everything matters, no chance in the answers": Row(decides(0.055, 0.055, 0.055, 0.055), (), 0.0, 5),
    "four of twelve needed": Row(decides(0.3, 0.2, 0.12, 0.1), USELESS, 0.01, 5),
    "four of twelve needed, no chance in the answers": Row(decides(0.3, 0.2, 0.1, 0.05), USELESS, 0.0, 2),
    "one of nine needed, answers flip": Row(decides(0.4), USELESS, 0.03, 5),
    "nothing needed": Row({}, USELESS, 0.01, 5),
}


@dataclass
class Model:
    """Right but for what the prompt does not say.

    Attributes:
        sentences: The prompt, the needed ones among the useless ones.
    """

    row: Row
    random: np.random.Generator
    sentences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sentences = list(self.row.useless)
        for number, sentence in enumerate(self.row.needed):
            self.sentences.insert(min(len(self.sentences), 1 + 3 * number), sentence)
        cases = self.row.cases
        self._right = self.random.random(cases) < 0.92
        self._decided = {text: self.random.random(cases) < share for text, share in self.row.needed.items()}

    def passed(self, removed: frozenset[str]) -> NDArray[np.float64]:
        """1 for each case that is right without some sentences; asked for once."""
        right = self._right.copy()
        for sentence in removed & set(self._decided):
            right &= ~self._decided[sentence]
        return (right ^ (self.random.random(len(right)) < self.row.flips)).astype(np.float64)

    def tokens(self, removed: frozenset[str]) -> float:
        """Some four letters each."""
        return sum(len(each) for each in self.sentences if each not in removed) / 4 + 3


def measured(row: Row, runs: int) -> tuple[float, float, float, float]:
    """Shares of searches that lost something, of useless letters that went, that confirmed something; and of calls."""
    lost = confirmed = 0
    found, calls = 0.0, 0
    units = len(row.needed) + len(row.useless)
    exhaustive = (1 + units + units * (units - 1) // 2) * row.cases
    whole = sum(map(len, row.useless))
    parts = searches.split(row.cases, row.margin / 100)
    for seed in range(runs):
        model = Model(row, np.random.default_rng(seed))
        answers = searches.Answers(model.sentences, row.cases, model.passed, model.tokens)
        gone = searches.search(answers, parts, row.margin / 100)
        lost += bool(gone & set(row.needed))
        confirmed += bool(gone)
        found += sum(len(each) for each in gone if each in row.useless) / whole if whole else 0.0
        calls += answers.calls
    return lost / runs, found / runs, confirmed / runs, calls / runs / exhaustive


def main() -> None:
    """Print the table; exit with 1 if a row loses more than 5% by more than two standard errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--only", default="", help="rows whose name begins so")
    options = parser.parse_args()
    error, most = 100 * (0.05 * 0.95 / options.runs) ** 0.5, 0.0
    print(f"{options.runs:,} searches a row, percent; Monte Carlo error of 5%: {error:.1f}\n")
    print(f"{'':52}{'lost':>7}{'useless gone':>14}{'confirmed':>11}{'calls':>8}")
    for name, row in ROWS.items():
        if name.startswith(options.only):
            lost, found, confirmed, calls = (100 * share for share in measured(row, options.runs))
            gone = f"{found:14.1f}" if row.useless else f"{'-':>14}"
            print(f"{name:52}{lost:7.1f}{gone}{confirmed:11.1f}{calls:8.1f}", flush=True)
            most = max(most, lost)
    sys.exit(most > 5 + 2 * error)


if __name__ == "__main__":
    main()
