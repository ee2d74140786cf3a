"""The semantic cache on banking77: threshold calibrated for 1% false hits on one half, against the fixed 0.92.

A question's nearest earlier question answers it where the guard lets it and the cosine reaches the threshold; a hit on
another intent is false. Run: python benchmarks/gateway_semantic.py [test.csv]
"""

import csv
import random
import sys
from pathlib import Path

import numpy as np

from promptopt.providers.gateway.calibrate import Pair, calibrate, upper_bound
from promptopt.providers.gateway.embedders import make_embedder
from promptopt.providers.gateway.guard import fingerprint

DATA = Path(sys.argv[1] if len(sys.argv) > 1 else "/work/shared/data/banking77/test.csv")
BUDGETS = (0.01, 0.02, 0.05)


def nearest(texts: list[str], vectors: np.ndarray, *, guard: bool) -> list[tuple[float, int]]:
    """For each text the cosine and index of the nearest earlier one (that the guard lets pass)."""
    prints = [fingerprint(text) if guard else "" for text in texts]
    found = []
    for row in range(1, len(texts)):
        allowed = np.array([prints[other] == prints[row] for other in range(row)])
        similarity = np.where(allowed, vectors[:row] @ vectors[row], -1)
        best = int(similarity.argmax())
        found.append((float(similarity[best]), best))
    return found


def main() -> None:
    if not DATA.exists():
        sys.exit(f"{DATA} is not here: test.csv of banking77")
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    random.Random(7).shuffle(rows)
    half = len(rows) // 2
    embedder = make_embedder("wordllama")
    pairs, texts, intents = [], [], []
    for part in (rows[:half], rows[half:]):
        texts = [row["text"] for row in part]
        intents = [row["category"] for row in part]
        vectors = embedder(texts)
        if not pairs:
            hits = nearest(texts, vectors, guard=True)
            pairs = [
                Pair(texts[index + 1], texts[other], intents[index + 1] == intents[other])
                for index, (value, other) in enumerate(hits)
                if value >= 0
            ]

    def show(name: str, threshold: float | None, *, guard: bool) -> None:
        if threshold is None:
            print(f"{name:34} refused: no threshold is within the budget")
            return
        served = [
            intents[index + 1] == intents[other]
            for index, (value, other) in enumerate(nearest(texts, vectors, guard=guard))
            if value >= threshold
        ]
        wrong = len(served) - sum(served)
        bound = upper_bound(wrong, len(served), 0.05)
        print(
            f"{name:34} threshold {threshold:.3f}  hit rate {len(served) / len(texts):6.1%}  "
            f"false {wrong / max(1, len(served)):6.2%} of hits (95% bound {bound:.2%})"
        )

    print(f"banking77, {half} questions to calibrate, {len(texts)} to measure, {embedder.name}")
    show("fixed 0.92, no guard", 0.92, guard=False)
    show("fixed 0.92, with the guard", 0.92, guard=True)
    for budget in BUDGETS:
        chosen = calibrate(pairs, embedder, budget).chosen
        show(f"calibrated, false hits <= {budget:.0%}", chosen and chosen.threshold, guard=True)


if __name__ == "__main__":
    main()
