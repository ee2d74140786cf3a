"""The cascade on real answers of two models (RouteLLM, GSM8K): cost against accuracy for each validator.

Run: python benchmarks/gateway_cascade.py [gsm8k_responses.csv]
"""

import csv
import sys
from pathlib import Path

from promptopt.gateway.call import Answer, Call
from promptopt.gateway.layers.routing import passes
from promptopt.gateway.semantic.validators import make_validators
from promptopt.tokens import tokenizer_for

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from corpora import DATA

PATH = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "routellm/gsm8k_responses.csv"
WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
# Dollars per million tokens, in and out: Mixtral as Together sold it, GPT-4 Turbo by OpenAI's list.
PRICES = {WEAK: (0.60, 0.60), STRONG: (10.0, 30.0)}
VALIDATORS = {
    "finished": {"finished": True},
    "answer ####": {"answer": r"####\s*\$?(-?[\d,.]+)\s*$"},
    "arithmetic": {"arithmetic": True},
    "scorer: regex ####": {"scorer": {"type": "regex", "value": r"####\s*\$?-?[\d,]+(\.\d+)?\s*$"}},
    **{f"fewer than {words} words": {"max_words": words} for words in (40, 60, 80, 100, 120, 150, 200)},
    **{f"arithmetic, < {words} words": {"arithmetic": True, "max_words": words} for words in (60, 80, 100, 150)},
    "arithmetic, answer, < 100": {"arithmetic": True, "answer": r"####\s*\$?(-?[\d,.]+)\s*$", "max_words": 100},
}


def main() -> None:
    if not PATH.exists():
        sys.exit(f"{PATH} does not exist: gsm8k_responses.csv of lm-sys/RouteLLM")
    with PATH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    count = tokenizer_for(STRONG).count
    call = Call("chat", "", {"model": WEAK})

    def usd(row: dict, model: str) -> float:
        into, out = PRICES[model]
        return (count(row["prompt"]) * into + count(row[f"{model}_response"]) * out) / 1e6

    weak = [row[WEAK] == "True" for row in rows]
    strong = [row[STRONG] == "True" for row in rows]
    cost = [(usd(row, WEAK), usd(row, STRONG)) for row in rows]
    total = len(rows)
    base, top = sum(weak) / total, sum(strong) / total

    def show(name: str, escalated: list[bool]) -> None:
        share = sum(escalated) / total
        right = sum(s if up else w for w, s, up in zip(weak, strong, escalated, strict=True)) / total
        paid = sum(w + (s if up else 0) for (w, s), up in zip(cost, escalated, strict=True)) / total * 1000
        random = base + share * (top - base)
        # The oracle escalates what the weak model has wrong and the strong one right, as far as the share reaches.
        gain = sum(not w and s for w, s in zip(weak, strong, strict=True)) / total
        oracle = base + min(share, gain)
        place = (right - random) / (oracle - random) if oracle > random else float("nan")
        print(f"{name:28} {share:8.1%} {right:9.3f} {paid:10.3f} {random:8.3f} {oracle:8.3f} {place:8.1%}")

    print(f"{total} questions; weak {WEAK} {base:.3f}, strong {STRONG} {top:.3f}")
    names = ("escal.", "accuracy", "$/1k calls", "random", "oracle", "between")
    print(
        f"{'validator':28} "
        + " ".join(f"{name:>{width}}" for name, width in zip(names, (8, 9, 10, 8, 8, 8), strict=True))
    )
    show("none (weak alone)", [False] * total)
    for name, table in VALIDATORS.items():
        validators = make_validators(table)
        answers = [Answer(text=row[f"{WEAK}_response"], finish_reason="stop") for row in rows]
        escalated = [not passes(validators, call, answer) for answer in answers]
        show(name, escalated)
    show("all (both asked)", [True] * total)
    show("oracle: where weak is wrong", [not w for w in weak])


if __name__ == "__main__":
    main()
