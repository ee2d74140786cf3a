"""What ``promptopt minimize`` finds and loses in prompts whose truth is known: planted sentences, a simulated model.

    python benchmarks/minimize.py                 # 100 searches a row; some ten minutes of CPU time
    python benchmarks/minimize.py --runs 1000 --only everything

Each row is a prompt, a suite and a model that answers by a rule of its own: a case is right unless a sentence that it
needs is missing, and some answers flip with every change of the words. For each row: how often anything needed was lost
(at most 5%), the share of useless tokens that went, how often something was confirmed, and the calls beside those of
all leave-one-out and all pairs. The model shares nothing with the search.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import promptopt

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


def chance(*key: object) -> float:
    """From 0 to 1, by the key alone."""
    return int(hashlib.sha256(repr(key).encode()).hexdigest()[:13], 16) / 16**13


class Model:
    """Right but for what the prompt does not say."""

    def __init__(self, row: Row, seed: int) -> None:
        self.row, self.seed, self.calls = row, seed, 0

    def complete(self, request: promptopt.Request) -> promptopt.Response:
        """The answer to one case."""
        self.calls += 1
        text = str(request.messages[-1].content)
        case = text.rsplit("Case ", 1)[1].strip()
        right = chance(self.seed, case) < 0.92
        for sentence, share in self.row.needed.items():
            right = right and (sentence in text or chance(self.seed, case, sentence) >= share)
        right ^= chance(self.seed, case, text) < self.row.flips
        answer = f"{'yes' if right else 'no'} {chance(self.seed, case, text):.3f}"
        return promptopt.Response(request.model, answer, usage=promptopt.Usage(len(text) // 4, output_tokens=4))

    def close(self) -> None:
        """Nothing to close."""


def project(row: Row) -> None:
    """The prompt and its suite in the current folder, the sentences in turn."""
    sentences = list(row.useless)
    for number, sentence in enumerate(row.needed):
        sentences.insert(min(len(sentences), 1 + 3 * number), sentence)
    head = "---\nmodel: gpt-4o-mini\ntemperature: 0\nmax_output_tokens: 20\n---\n"
    for folder in ("prompts", "suites"):
        Path(folder).mkdir(exist_ok=True)
    Path("prompts/p.j2").write_text(f"{head}{' '.join(sentences)}\n\nCase {{{{ n }}}}\n", encoding="utf-8")
    cases = [{"vars": {"n": n}, "assert": [{"type": "contains", "value": "yes"}]} for n in range(row.cases)]
    Path("suites/p.jsonl").write_text("".join(f"{json.dumps(case)}\n" for case in cases), encoding="utf-8")


def measured(row: Row, runs: int) -> tuple[float, float, float, float]:
    """Shares of searches that lost something, of useless letters that went, that confirmed something; and of calls."""
    project(row)
    lost = confirmed = 0
    found, calls = 0.0, 0
    units = len(row.needed) + len(row.useless)
    exhaustive = (1 + units + units * (units - 1) // 2) * row.cases
    whole = sum(map(len, row.useless))
    for seed in range(runs):
        model = Model(row, seed)
        result = promptopt.minimize("p", provider=model, margin=row.margin, rules=False)
        gone = {unit.shown for unit in result.removed}
        lost += bool(gone & set(row.needed))
        confirmed += result.chosen is not None
        found += sum(len(each) for each in gone if each in row.useless) / whole if whole else 0.0
        calls += model.calls
    return lost / runs, found / runs, confirmed / runs, calls / runs / exhaustive


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--only", default="", help="rows whose name begins so")
    options = parser.parse_args()
    error = 100 * (0.05 * 0.95 / options.runs) ** 0.5
    print(f"{options.runs:,} searches a row, percent; Monte Carlo error of 5%: {error:.1f}\n")
    print(f"{'':52}{'lost':>7}{'useless gone':>14}{'confirmed':>11}{'calls':>8}")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("pyproject.toml").write_text("", encoding="utf-8")
        for name, row in ROWS.items():
            if name.startswith(options.only):
                lost, found, confirmed, calls = (100 * share for share in measured(row, options.runs))
                gone = f"{found:14.1f}" if row.useless else f"{'-':>14}"
                print(f"{name:52}{lost:7.1f}{gone}{confirmed:11.1f}{calls:8.1f}", flush=True)


if __name__ == "__main__":
    main()
