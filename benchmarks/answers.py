"""Whether a model still reads the shorter prompt as well: label log-odds against gold, before and after compression.

An answer is one word, and a small model that calls everything positive hides what a prompt does to it. Its log-odds do
not: for each case of a suite they are read in the place of the label and measured by their AUC against the right labels
(of each label against the others, averaged) and by their rank correlation with those of the original prompt. For
comparison there is the variable alone: a prompt that ranks no better than that does not steer the model.

Run on an idle machine, with the extra ``local``:

    python benchmarks/answers.py [--cases N] [--only PROMPT] [--by-rule]

An answer takes 1.5 s on one core.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata, spearmanr

import promptopt
from promptopt.compression.document import Document
from promptopt.compression.engine import compress_document
from promptopt.compression.rules.base import choose_rules
from promptopt.providers.local import LocalProvider
from promptopt.suites import Case, load_suite
from promptopt.templates import load_prompt
from promptopt.values import Message

ROOT = Path(__file__).parents[1]
PROMPTS = {
    "reviews": ("review", "Sentiment:", ("positive", "negative")),
    "tickets": ("ticket", "Team:", ("payment", "delivery", "return", "account", "device", "sales")),
}
LEVELS = ("safe", "standard", "telegraphic")
RESAMPLES = 2000
TOP = 3_000

Messages = list[dict[str, str]]
Scores = np.ndarray
"""Cases x labels: the log-odds of each label against the others."""


@dataclass(frozen=True)
class Variant:
    """A prompt as messages for a case."""

    name: str
    messages: Callable[[Case], Messages]


class Reader:
    """Reads label log-probabilities from the local model."""

    def __init__(self, provider: LocalProvider) -> None:
        # The provider's own client: logprobs are not part of a request that promptopt makes.
        self._client = provider._inner._openai
        self._model = provider._model

    def log_odds(self, messages: Messages, lead: str, labels: Sequence[str]) -> list[float]:
        """Of each label against the others, as the next token after ``lead`` at the start of the answer.

        A grammar limits the answer to ``lead``; the probabilities are those of the model without it.
        """
        answer = self._client.chat.completions.create(
            model=self._model,
            messages=messages,
            temperature=0,
            max_tokens=12,
            logprobs=True,
            top_logprobs=TOP,
            extra_body={"cache_prompt": False, "grammar": f'root ::= "{lead} {labels[0]}"'},
        )
        said = ""
        listed: dict[str, float] = {}
        for token in answer.choices[0].logprobs.content:
            if said == lead:
                listed = {entry.token: entry.logprob for entry in token.top_logprobs}
                break
            said += token.token
        if not listed:
            raise SystemExit(f"the model wrote {said!r}, whose tokens do not end where {lead!r} does")
        # A label that is not among the likeliest tokens is no likelier than the last of them.
        least = min(listed.values())
        found = [listed.get(f" {label}", least) for label in labels]
        return [
            own - math.log(sum(math.exp(other) for i, other in enumerate(found) if i != index))
            for index, own in enumerate(found)
        ]


def variants(name: str, variable: str, *, by_rule: bool) -> list[Variant]:
    """The original, its compressed forms, and the variable alone.

    Args:
        by_rule: Instead of the levels what each rule of the last one does on top of the others.
    """
    source = (ROOT / f"prompts/{name}/v1.j2").read_text()
    made = {"v1": source}
    if by_rule:
        made |= rule_by_rule(source)
    else:
        made |= {f"v1 {level}": promptopt.compress(source, level=level).text for level in LEVELS}

    def rendered(text: str) -> Callable[[Case], Messages]:
        file = ROOT / f".promptopt/answers-{name}.j2"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        template = load_prompt(file)
        template.render({variable: "x", "expected": ""})
        return lambda case: [plain(message) for message in template.render(case.vars).messages]

    found = [Variant(label, rendered(text)) for label, text in made.items()]
    return [*found, Variant("variable alone", lambda case: [{"role": "user", "content": str(case.vars[variable])}])]


def rule_by_rule(source: str) -> dict[str, str]:
    """The prompt at ``standard`` with one rule of ``telegraphic`` more, for each that changes something."""
    common = [rule for rule in choose_rules() if rule.level != LEVELS[-1]]
    standard = promptopt.compress(source, level="standard").text
    found = {"v1 standard": standard}
    for rule in choose_rules():
        if rule.level == LEVELS[-1]:
            text = compress_document(Document(source), LEVELS[-1], [*common, rule]).text
            if text != standard:
                found[rule.name] = text
    return found


def plain(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}


def auc(scores: Scores, gold: np.ndarray) -> float:
    """Area under the ROC curve of each label against the others, averaged (Mann-Whitney, ties count half)."""
    areas = []
    for label in range(scores.shape[1]):
        positive = gold == label
        n, m = int(positive.sum()), int((~positive).sum())
        if n and m:
            ranks = rankdata(scores[:, label])
            areas.append((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))
    return float(np.mean(areas)) if areas else math.nan


def difference(old: Scores, new: Scores, gold: np.ndarray) -> tuple[float, float]:
    """95% interval of the difference in AUC, by resampling cases (percentile bootstrap, the same cases for both)."""
    draws = np.random.default_rng(0).integers(0, len(gold), (RESAMPLES, len(gold)))
    found = [auc(new[draw], gold[draw]) - auc(old[draw], gold[draw]) for draw in draws]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)


def measure(
    reader: Reader,
    name: str,
    variable: str,
    lead: str,
    labels: Sequence[str],
    limit: int | None,
    *,
    by_rule: bool,
) -> None:
    suite = load_suite(ROOT / f"suites/{name}.yaml")
    cases = [case for label in labels for case in spread(suite.cases, label, limit and limit // len(labels))]
    gold = np.array([labels.index(str(case.vars["expected"])) for case in cases])
    scores: dict[str, Scores] = {}
    tokens: dict[str, float] = {}
    for variant in variants(name, variable, by_rule=by_rule):
        asked = [variant.messages(case) for case in cases]
        tokens[variant.name] = float(np.mean([promptopt.count(messages_text(m)).tokens for m in asked]))
        rows = []
        for number, messages in enumerate(asked, 1):
            rows.append(reader.log_odds(messages, lead, labels))
            if sys.stderr.isatty():
                print(f"\r{name} {variant.name} {number}/{len(cases)}   ", end="", file=sys.stderr)
        scores[variant.name] = np.array(rows)
    print(f"\n{name}, {len(cases)} cases, {len(labels)} labels")
    print(f"{'prompt':<16} {'tokens':>6} {'AUC':>6} {'difference, 95%':>20} {'rank corr.':>10} {'argmax right':>12}")
    report(scores, tokens, gold)


def spread(cases: Sequence[Case], label: str, limit: int | None) -> Sequence[Case]:
    """The cases of a label, or so many of them from its first to its last."""
    own = [case for case in cases if case.vars["expected"] == label]
    return own if limit is None or limit >= len(own) else [own[len(own) * i // limit] for i in range(limit)]


def messages_text(messages: Messages) -> str:
    return "\n".join(message["content"] for message in messages)


def report(scores: Mapping[str, Scores], tokens: Mapping[str, float], gold: np.ndarray) -> None:
    original = scores["v1"]
    for name, found in scores.items():
        ranks = np.mean([spearmanr(original[:, k], found[:, k]).statistic for k in range(found.shape[1])])
        right = float((found.argmax(axis=1) == gold).mean())
        low, high = difference(original, found, gold)
        interval = "" if name == "v1" else f"{low:+.3f} to {high:+.3f}"
        print(f"{name:<16} {tokens[name]:>6.0f} {auc(found, gold):>6.3f} {interval:>20} {ranks:>10.3f} {right:>12.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, help="only N cases of each suite, as many of each label")
    parser.add_argument("--only", choices=PROMPTS, help="one of the prompts")
    parser.add_argument("--by-rule", action="store_true", help="each telegraphic rule alone, on top of standard")
    given = parser.parse_args()
    provider = LocalProvider("smollm2")
    try:
        reader = Reader(provider)
        for name, (variable, lead, labels) in PROMPTS.items():
            if given.only in (None, name):
                measure(reader, name, variable, lead, labels, given.cases, by_rule=given.by_rule)
    finally:
        provider.close()


if __name__ == "__main__":
    main()
