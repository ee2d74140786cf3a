"""The semantic cache on banking77: calibrated for 1% false hits on earlier traffic, against the fixed 0.92.

The questions come in a random order. Each is paired with its nearest earlier question, as a cache would: it answers
if the hard facts are the same and the cosine reaches the threshold. A hit is right if the two have the same intent.

Run: python benchmarks/gateway_semantic.py [test.csv]
"""

import csv
import random
import sys
from pathlib import Path

import numpy as np

from promptopt.gateway.semantic.calibrate import QuestionPair, calibrate, upper_bound
from promptopt.gateway.semantic.embedders import make_embedder
from promptopt.gateway.semantic.hard_facts import difference, hard_facts

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from corpora import DATA

PATH = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "banking77/test.csv"
BUDGETS = (0.01, 0.02, 0.05, 0.1)


def nearest(texts: list[str], vectors: np.ndarray, *, same_facts: bool) -> list[tuple[float, int]]:
    """For each text the cosine and index of the nearest earlier one (with the same hard facts)."""
    facts = [hard_facts(text) for text in texts]
    found = []
    for row in range(1, len(texts)):
        allowed = np.array([not same_facts or difference(facts[other], facts[row]) is None for other in range(row)])
        similarity = np.where(allowed, vectors[:row] @ vectors[row], -1)
        best = int(similarity.argmax())
        found.append((float(similarity[best]), best))
    return found


def main() -> None:
    if not PATH.exists():
        sys.exit(f"{PATH} does not exist: test.csv of banking77")
    with PATH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    random.Random(7).shuffle(rows)
    texts = [row["text"] for row in rows]
    intents = [row["category"] for row in rows]
    embedder = make_embedder("wordllama")
    vectors = embedder(texts)
    # Two thirds of the traffic calibrate; what comes after them is measured, with all of them in the cache.
    split = len(rows) * 2 // 3
    checked, plain = (nearest(texts, vectors, same_facts=same_facts) for same_facts in (True, False))
    pairs = [
        QuestionPair(texts[index], texts[other], intents[index] == intents[other])
        for index, (value, other) in enumerate(checked[: split - 1], 1)
        if value >= 0
    ]

    def show(name: str, threshold: float, found: list[tuple[float, int]]) -> None:
        served = [
            intents[index] == intents[other]
            for index, (value, other) in enumerate(found, 1)
            if index >= split and value >= threshold
        ]
        wrong, measured = len(served) - sum(served), len(texts) - split
        print(
            f"{name:32} threshold {threshold:.3f}  hit rate {len(served) / measured:6.1%}  "
            f"false {wrong:3} of {len(served):3} hits, {wrong / max(1, len(served)):6.2%} "
            f"(95% bound {upper_bound(wrong, len(served), 0.05):.2%})"
        )

    print(f"banking77: {len(pairs):,} pairs calibrate, {len(texts) - split:,} questions are measured, {embedder.name}")
    show("fixed 0.92, similarity alone", 0.92, plain)
    show("fixed 0.92, with hard facts", 0.92, checked)
    for budget in BUDGETS:
        search = calibrate(pairs, embedder, budget)
        name = f"calibrated, false hits <= {budget:.0%}"
        if search.chosen is not None:
            show(name, search.chosen.threshold, checked)
            continue
        best = min(search.candidates, key=lambda candidate: candidate.bound)
        share = f"{best.false_hits / best.hits:.2%} (bound {best.bound:.2%})"
        print(f"{name:32} refused: of the {best.hits} nearest pairs {best.false_hits} are false, {share}")
        if search.smallest is not None:
            print(f"{'':32} the smallest budget that these pairs meet is {search.smallest[0]:.0%}")


if __name__ == "__main__":
    main()
