"""The part of the cases that a search never sees, and the one confirmation on it, by the same test as a comparison."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from promptopt.errors import UsageError
from promptopt.experiment.evidence import quality_p_values
from promptopt.experiment.pairs import PairedCases, compare_pairs
from promptopt.experiment.verdict import ALPHA, Decision, Difference, QualityReason, too_many_failed
from promptopt.minimization.choices import Reduced
from promptopt.minimization.oracle import Oracle
from promptopt.minimization.tried import Prospect
from promptopt.suites import Case, Suite
from promptopt.values import sha256_hex

FEWEST_TO_SEARCH = 20
"""With fewer cases a search knows nothing of what it takes out."""
EXAMPLES = "examples="
"""How the moves that add examples are called: what they cost is judged by the answers that pass."""
_SEED = "promptopt minimize"
_MOST_TO_SEARCH, _MOST_TO_CONFIRM = 400, 1_000
_NOT_WORSE = ("improved", "equivalent", "not-worse")
# What a label of cases is: a key with so many values at most, each of which comes again.
_MOST_LABELS = 20
# The larger part is for the proof; it takes more cases than the fewest, as answers differ by chance.
_SHARE, _SPARE = 0.6, 1.3
# The sequence is made of so many choices, those that save most; one more has to add a fiftieth.
_MOST_PROSPECTS, _WORTH_ANOTHER = 12, 1.02


@dataclass(frozen=True, slots=True)
class CaseSplit:
    """The two parts of a suite, as positions of cases, each in a random order with a fixed seed.

    Attributes:
        search: What may be looked at as often as one likes.
        confirm: What nothing but the confirmation sees.
        fewest: Cases below which nothing can be confirmed at this margin, whatever the answers are.
    """

    search: tuple[int, ...]
    confirm: tuple[int, ...]
    fewest: int


def fewest_cases(margin: float) -> int:
    """Of how many cases at least one in which nothing differs shows that no more than a margin (0 to 1) is lost."""
    low, high = 1, 2
    while quality_p_values(np.zeros(high), margin)["loss"] > ALPHA:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if quality_p_values(np.zeros(middle), margin)["loss"] > ALPHA:
            low = middle
        else:
            high = middle
    return high


def split_cases(suite: Suite, margin: float, *, most: int | None = None, note: str = "") -> CaseSplit:
    """Search and confirmation, with the same share of every label in both.

    Args:
        margin: 0 to 1.
        most: So many cases are confirmed at most.
        note: Which cases of the file do not count, for the message.

    Raises:
        UsageError: There are too few cases for anything to be confirmed.
    """
    fewest, cases = fewest_cases(margin), len(suite.cases)
    if cases < fewest + FEWEST_TO_SEARCH:
        raise UsageError(
            f"{suite.path}: {cases} cases can confirm nothing: below {fewest} cases never seen, a loss of "
            f"{100 * margin:g} points cannot be excluded, and {FEWEST_TO_SEARCH} more are needed to search. Add "
            f"{fewest + FEWEST_TO_SEARCH - cases} cases, or allow a larger loss with --margin"
            + (f"\n  {note}" if note else "")
        )
    wanted = min(max(round(_SHARE * cases), round(_SPARE * fewest)), cases - FEWEST_TO_SEARCH, _MOST_TO_CONFIRM)
    if most is not None:
        wanted = max(fewest, min(wanted, most))
    strata = defaultdict(list)
    for number in _random(suite, range(cases)):
        strata[_labels(suite, suite.cases[number])].append(number)
    search, confirm = [], []
    share, owed = wanted / cases, 0.0
    for label in sorted(strata):
        for number in strata[label]:
            owed += share
            if owed >= 1 - 1e-9:
                owed -= 1
                confirm.append(number)
            else:
                search.append(number)
    return CaseSplit(
        tuple(_random(suite, search))[: max(_MOST_TO_SEARCH, FEWEST_TO_SEARCH)],
        tuple(_random(suite, confirm)),
        fewest,
    )


def _random(suite: Suite, numbers: Sequence[int]) -> list[int]:
    """Each case has its place by its name alone, so that one that is added later moves no other."""
    return sorted(numbers, key=lambda number: sha256_hex(f"{_SEED} {suite.cases[number].name}"))


def _labels(suite: Suite, case: Case) -> str:
    known = _label_keys(suite)
    values = {**case.vars, **{f"metadata {key}": value for key, value in case.metadata.items()}}
    return json.dumps({key: str(values[key]) for key in known if key in values}, sort_keys=True)


_KEYS: dict[int, tuple[Suite, tuple[str, ...]]] = {}


def _label_keys(suite: Suite) -> tuple[str, ...]:
    """The variables and keys of metadata that divide the cases into a few kinds."""
    known = _KEYS.get(id(suite))
    if known is not None and known[0] is suite:
        return known[1]
    values: dict[str, list[str]] = defaultdict(list)
    for case in suite.cases:
        for key, value in {**case.vars, **{f"metadata {key}": value for key, value in case.metadata.items()}}.items():
            if isinstance(value, str | int | bool):
                values[key].append(str(value))
    found = tuple(
        key for key, each in sorted(values.items()) if 2 <= len(set(each)) <= min(_MOST_LABELS, len(each) // 4)
    )
    _KEYS.clear()
    _KEYS[id(suite)] = suite, found
    return found


def to_confirm(prospects: Sequence[Prospect], most: int) -> list[Reduced]:
    """The sequence of choices, each saving more than the one before, that is expected to save most.

    It is fixed before any of the confirmation's cases is seen, and so it may be any. One that may fail costs what a
    later one would have shown: it comes first only if that pays.

    Args:
        most: So many are confirmed at most.
    """
    rising = sorted((each for each in prospects if each.saved > 0), key=lambda each: each.saved)
    best, found = 0.0, tuple[Prospect, ...]()
    for length in range(1, most + 1):
        for sequence in combinations(rising[-_MOST_PROSPECTS:], length):
            expected, chance, before = 0.0, 1.0, 0.0
            for each in sequence:
                chance *= each.passes
                expected += chance * (each.saved - before)
                before = each.saved
            # Each choice costs the calls of a whole confirmation.
            if expected > best * (1 if length == len(found) else _WORTH_ANOTHER):
                best, found = expected, sequence
    return [each.choice for each in found]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What cases never seen say of one choice.

    Attributes:
        differences: Less the prompt as it is, as ``promptopt compare`` shows them.
        accepted: It is shown to be not worse and not to cost more, and costs less as measured; with examples added, an
            answer that passes is shown to cost less.
        error: Of the first call that failed, and its case; empty if all were answered.
    """

    choice: Reduced
    decision: Decision
    differences: tuple[Difference, ...]
    cases: int
    accepted: bool
    error: str = ""

    @property
    def difference(self) -> Difference:
        """Of quality, 0 to 1."""
        return next(each for each in self.differences if each.metric == "quality")


def confirm(
    oracle: Oracle, steps: Sequence[Reduced], cases: Sequence[int], margin: float, cost_margin: float, max_failed: float
) -> list[Confirmed]:
    """Test choices in a fixed order, from the one that saves least on, until one fails.

    Each is tested at the full level: whichever is the first that loses too much, it is only tested after all before it
    were accepted, and is accepted with a chance of at most 5% (a fixed sequence: Maurer, Hothorn and Lehmacher,
    "Multiple comparisons in drug clinical trials and preclinical assays: a-priori ordered hypotheses", 1995).

    Args:
        margin, cost_margin, max_failed: Shares, 0 to 1.

    Raises:
        OutOfMoney: The answers may cost more than is left.
    """
    found = []
    whole = Reduced()
    for choice in steps:
        oracle.ask(whole, cases)
        oracle.ask(choice, cases)
        one = confirmed(oracle, choice, cases, margin, cost_margin, max_failed)
        found.append(one)
        if not one.accepted:
            break
    return found


def confirmed(
    oracle: Oracle, choice: Reduced, cases: Sequence[int], margin: float, cost_margin: float, max_failed: float
) -> Confirmed:
    """The verdict on one choice, all of whose answers are there."""
    before, after = oracle.run(Reduced(), cases), oracle.run(choice, cases)
    [(differences, decision)] = compare_pairs([PairedCases.of(before, after)], margin, 0.0, cost_margin)
    for run in (before, after):
        if failed := too_many_failed(run.variant.label, len(run.failed), len(run.trials), max_failed):
            decision = Decision("incomplete", (failed,))
    accepted = (decision.verdict in _NOT_WORSE and _saves(differences)) or (
        any(move.startswith(EXAMPLES) for move in choice.moves) and _pays_per_pass(differences, decision)
    )
    error = next((f"case {one.case!r}: {one.error}" for one in (*before.failed, *after.failed)), "")
    return Confirmed(choice, decision, differences, len(cases), accepted, error)


def _saves(differences: Sequence[Difference]) -> bool:
    """Whether it costs less as measured; of an unpriced model, whether it takes fewer tokens."""
    found = {each.metric: each.difference for each in differences}
    if found["usd_per_1k_calls"] is not None:
        return found["usd_per_1k_calls"] < 0
    return (found["input_tokens"] or 0.0) + (found["output_tokens"] or 0.0) < 0


def _pays_per_pass(differences: Sequence[Difference], decision: Decision) -> bool:
    """Whether an answer that passes is shown to cost less, and quality to be not worse: a call may cost more then."""
    high = next(each.high for each in differences if each.metric == "usd_per_pass")
    reason = next((each for each in decision.reasons if isinstance(each, QualityReason)), None)
    kept = reason is not None and reason.quality in ("better", "same", "not worse")
    return decision.verdict != "incomplete" and kept and high is not None and high < 0
