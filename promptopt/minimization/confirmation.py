"""The part of the cases that a search never sees, and the one confirmation on it, by the same test as a comparison."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from promptopt.errors import UsageError
from promptopt.experiment.evidence import quality_p_values
from promptopt.experiment.pairs import PairedCases, compare_pairs
from promptopt.experiment.verdict import ALPHA, Decision, Difference, QualityReason, too_many_failed
from promptopt.minimization.case_history import ALONE, CaseHistory, LevelShare, case_key
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
        kept: Cases of the search that would be in the other part if no earlier search had seen them.
    """

    search: tuple[int, ...]
    confirm: tuple[int, ...]
    fewest: int
    kept: int = 0


def fewest_cases(margin: float, shared_by: int = 1) -> int:
    """Of how many cases at least one in which nothing differs shows that no more than a margin (0 to 1) is lost.

    Args:
        shared_by: So many runs share the 5%.
    """
    low, high = 1, 2
    while quality_p_values(np.zeros(high), margin)["loss"] * shared_by > ALPHA:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if quality_p_values(np.zeros(middle), margin)["loss"] * shared_by > ALPHA:
            low = middle
        else:
            high = middle
    return high


def split_cases(
    suite: Suite, margin: float, *, most: int | None = None, note: str = "", searched: Collection[str] = ()
) -> CaseSplit:
    """Search and confirmation, with about the same share of every label in both.

    The cases have one order, which their names and labels alone decide. The confirmation takes them from one end, so
    many as the margin and the dollars allow, and the search from the other end, never more than the confirmation leaves
    without a limit of dollars. What an earlier search has seen comes to the search's end: the cases were others then,
    or the margin, and so it changes nothing if they are the same.

    Args:
        margin: 0 to 1.
        most: So many cases are confirmed at most.
        note: Which cases of the file do not count, for the message.
        searched: Keys of the cases that earlier searches have seen (see
            :func:`~promptopt.minimization.case_history.case_key`).

    Raises:
        UsageError: There are too few cases for anything to be confirmed.
    """
    fewest, cases = fewest_cases(margin), len(suite.cases)
    if cases < fewest + FEWEST_TO_SEARCH:
        raise UsageError(
            f"{suite.path}: {_cases(cases)} can confirm nothing: below {fewest} cases never seen, a loss of "
            f"{100 * margin:g} points cannot be excluded, and {FEWEST_TO_SEARCH} more are needed to search. Add "
            f"{_cases(fewest + FEWEST_TO_SEARCH - cases)}, or allow a larger loss with --margin"
            + (f"\n  {note}" if note else "")
        )
    held = min(max(round(_SHARE * cases), round(_SPARE * fewest)), cases - FEWEST_TO_SEARCH, _MOST_TO_CONFIRM)
    order = _from_end_to_end(suite)
    seen = {number for number in order if case_key(suite.cases[number]) in searched} if searched else set[int]()
    kept = len(seen & set(order[:held]))
    order.sort(key=lambda number: number in seen)
    held = min(held, cases - len(seen))
    if held < fewest:
        raise UsageError(
            f"{suite.path}: of {cases} cases earlier searches have seen {len(seen)}: below {fewest} cases never seen, "
            f"a loss of {100 * margin:g} points cannot be excluded. Add {_cases(fewest - held)}, or allow a larger "
            "loss with --margin"
        )
    return CaseSplit(
        tuple(_random(suite, order[max(held, cases - _MOST_TO_SEARCH) :])),
        tuple(_random(suite, order[: held if most is None else max(fewest, min(held, most))])),
        fewest,
        kept,
    )


def _cases(number: int) -> str:
    return f"{number:,} case{'s' * (number != 1)}"


def _from_end_to_end(suite: Suite) -> list[int]:
    """All cases: six of ten for the confirmation, the first of which are as mixed as all; then those to search."""
    strata, cases = defaultdict(list), len(suite.cases)
    places = {number: place for place, number in enumerate(_random(suite, range(cases)))}
    for number in places:
        strata[_labels(suite, suite.cases[number])].append(number)
    search, confirm = [], []
    share, owed = min(round(_SHARE * cases), cases - FEWEST_TO_SEARCH, _MOST_TO_CONFIRM) / cases, 0.0
    for label in sorted(strata):
        held = []
        for number in strata[label]:
            owed += share
            if owed >= 1 - 1e-9:
                owed -= 1
                held.append(number)
            else:
                search.append(number)
        confirm += [((place + 0.5) / len(held), places[number], number) for place, number in enumerate(held)]
    return [*(number for *_, number in sorted(confirm)), *reversed(_random(suite, search))]


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
        failed: Cases that have no answer of the prompt or of the choice.
        shared_by: So many runs share the 5%; ``before`` is how many other versions its cases had judged in them.
    """

    choice: Reduced
    decision: Decision
    differences: tuple[Difference, ...]
    cases: int
    accepted: bool
    error: str = ""
    failed: int = 0
    shared_by: int = 1
    before: int = 0

    @property
    def difference(self) -> Difference:
        """Of quality, 0 to 1."""
        return next(each for each in self.differences if each.metric == "quality")

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be known of the verdict, in lines."""
        found = []
        if self.error:
            found.append(f"{self.failed:,} of {_cases(self.cases)} did not count, since calls failed")
            found.append(f"the first is {self.error}")
        if self.before:
            many = f"{self.before:,} version{'s' * (self.before != 1)}"
            found.append(f"these cases have judged {many} before: accepted at 5% / {self.shared_by}")
        return tuple(found)


def confirm(
    oracle: Oracle, steps: Sequence[Reduced], cases: Sequence[int], margin: float, cost_margin: float,
    max_failed: float, history: CaseHistory | None = None,
) -> list[Confirmed]:  # fmt: skip
    """Test choices in a fixed order, from the one that saves least on, until one fails.

    Each is tested at the full level: whichever is the first that loses too much, it is only tested after all before it
    were accepted, and is accepted with a chance of at most 5% (a fixed sequence: Maurer, Hothorn and Lehmacher,
    "Multiple comparisons in drug clinical trials and preclinical assays: a-priori ordered hypotheses", 1995).

    Args:
        margin, cost_margin, max_failed: Shares, 0 to 1.
        history: What the cases were used for; by default for nothing yet.

    Raises:
        OutOfMoney: The answers may cost more than is left.
        RecordingError: The verdict cannot be kept.
    """
    found = []
    whole, run = Reduced(), None
    history = history or CaseHistory(None)
    keys = [case_key(oracle.bench.suite.cases[number]) for number in cases]
    for choice in steps:
        oracle.ask(whole, cases)
        oracle.ask(choice, cases)
        version = oracle.bench.digest(choice)
        standing = history.standing(version, keys, run)
        run = standing.run
        one = confirmed(oracle, choice, cases, margin, cost_margin, max_failed, standing)
        if one.decision.verdict != "incomplete":
            history.note_verdict(version, oracle.bench.label(choice), standing, keys, one.accepted)
        found.append(one)
        if not one.accepted:
            break
    return found


def confirmed(
    oracle: Oracle, choice: Reduced, cases: Sequence[int], margin: float, cost_margin: float, max_failed: float,
    standing: LevelShare = ALONE,
) -> Confirmed:  # fmt: skip
    """The verdict on one choice, all of whose answers are there."""
    before, after = oracle.run(Reduced(), cases), oracle.run(choice, cases)
    # What shares the level with it counts as further candidates do.
    paired, others = [PairedCases.of(before, after)], standing.shared_by - 1
    [(differences, decision)] = compare_pairs(paired, margin, 0.0, cost_margin, others)
    for run in (before, after):
        if failed := too_many_failed(run.variant.label, len(run.failed), len(run.trials), max_failed):
            decision = Decision("incomplete", (failed,))
    accepted = (decision.verdict in _NOT_WORSE and _saves(differences)) or (
        any(move.startswith(EXAMPLES) for move in choice.moves) and _pays_per_pass(differences, decision)
    )
    error = next((f"case {one.case!r}: {one.error}" for one in (*before.failed, *after.failed)), "")
    unanswered = len({one.case for one in (*before.failed, *after.failed)})
    judged = unanswered, standing.shared_by, standing.before
    return Confirmed(choice, decision, differences, len(cases), accepted, error, *judged)


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
