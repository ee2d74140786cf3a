"""Parts of a comparison that are looked at by themselves: each assert, each named metric, the cases of each label.

The parts that ask something else than the verdict are looks at the same answers: their p-values are Holm-corrected over
all parts and candidates, and their intervals hold together (Bonferroni). So at most one in forty comparisons of equals
calls any part better or worse, as the verdict itself does.

What a part needs is checked before any call. numpy is loaded afterwards: while calls are made, memory is for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from promptopt.errors import UsageError, did_you_mean
from promptopt.experiment.runs import Answered, Run
from promptopt.experiment.same_questions import question_numbers
from promptopt.experiment.verdict import ALPHA_EACH, Difference, Quality, QualityEvidence, judge_quality
from promptopt.scorers import CaseScore, SuiteChecks
from promptopt.suites import Assertion, Case, Suite
from promptopt.values import canonical_json

if TYPE_CHECKING:
    from promptopt.experiment.bounds import Floats

NO_LABEL = "(none)"

Members = Mapping[str, tuple[tuple[int, float], ...] | None]
"""For each case of a part the asserts that count, from 0, with their weights; ``None``: the case's quality."""

Question = tuple[tuple[str, tuple[tuple[int, float], ...] | None], ...]


@dataclass(frozen=True, slots=True)
class ScorePart:
    """Scores that are looked at by themselves.

    Attributes:
        by: ``assert``, ``metric``, or the key of the cases' labels.
        name: The assert as it is written, the metric, or the label.
        members: The cases, with the asserts that count in each.
        whole: These are all scores of the suite: the question is that of the verdict, and no further look.
    """

    by: str
    name: str
    members: Members
    whole: bool


@dataclass(frozen=True, slots=True)
class PartQuality:
    """The quality of one part, candidate against baseline.

    Attributes:
        by: See :class:`ScorePart`; so are ``name`` and ``whole``.
        baseline: Mean quality (0 to 1) of the cases that both prompts were judged by; ``None`` without any.
        candidate: Likewise.
        difference: Paired, with the interval that holds for all parts together, and the Holm-corrected p-value.
        quality: What is shown, at the level of the verdict for all parts together.
        evidence: What the cases say.
    """

    by: str
    name: str
    whole: bool
    baseline: float | None
    candidate: float | None
    difference: Difference
    quality: Quality
    evidence: QualityEvidence


@dataclass(frozen=True, slots=True)
class PartMean:
    """The quality of one part of a single prompt.

    Attributes:
        by: See :class:`ScorePart`; so is ``name``.
        cases: How many have a score.
        quality: Their mean (0 to 1); ``None`` without any.
        low: Of the 97.5% interval that holds for all parts together, as ``high``; ``None`` below two cases.
    """

    by: str
    name: str
    cases: int
    quality: float | None
    low: float | None
    high: float | None


def parts_of(suite: Suite, checks: SuiteChecks, keys: Sequence[str] = ()) -> tuple[ScorePart, ...]:
    """All parts: asserts and metrics in the order of the suite, labels of each key by name.

    Raises:
        UsageError: No case has a label of that key, or one that is not a text, a number, or a list of them.
    """
    asserts = {
        case.name: _shared(tuple((number, assertion.weight) for number, assertion in enumerate(case.all_asserts)))
        for case in suite.cases
        if case.all_asserts
    }
    return (
        *(ScorePart("assert", name, members, members == asserts) for name, members in _by_assert(suite).items()),
        *(
            ScorePart("metric", name, members, members == asserts)
            for name, members in _by_metric(suite, checks).items()
        ),
        *(part for key in dict.fromkeys(keys) for part in _by_label(suite, key)),
    )


def looks(parts: Sequence[ScorePart]) -> int:
    """How many different questions the parts ask beside that of the verdict; two of the same scores ask one."""
    return len({question(part) for part in parts if not part.whole})


def question(part: ScorePart) -> Question:
    """What a part looks at; the same for parts of the same scores."""
    return tuple(part.members.items())


def _by_assert(suite: Suite) -> dict[str, dict[str, tuple[tuple[int, float], ...]]]:
    """Asserts that every case with an assert of that type has, written alike; the others by their type."""
    cases = [case for case in suite.cases if case.all_asserts]
    having: dict[str, int] = {}
    written: dict[str, int] = {}
    for case in cases:
        for name in {assertion.name for assertion in case.all_asserts}:
            having[name] = having.get(name, 0) + 1
        for text in {_written(assertion) for assertion in case.all_asserts}:
            written[text] = written.get(text, 0) + 1
    found: dict[str, dict[str, tuple[tuple[int, float], ...]]] = {}
    for case in cases:
        for number, assertion in enumerate(case.all_asserts):
            text = _written(assertion)
            name = text if written[text] == having[assertion.name] > 1 else assertion.name
            members = found.setdefault(name, {})
            members[case.name] = _shared((*members.get(case.name, ()), (number, assertion.weight)))
    return found


def _written(assertion: Assertion) -> str:
    value = assertion.value
    if value is None:
        return assertion.name
    text = value if isinstance(value, str) else canonical_json(value)
    return f"{assertion.name} {' '.join(text.split())}"


def _by_metric(suite: Suite, checks: SuiteChecks) -> dict[str, dict[str, tuple[tuple[int, float], ...]]]:
    found: dict[str, dict[str, tuple[tuple[int, float], ...]]] = {}
    for case in suite.cases:
        for number, assertion in enumerate(checks.assertions(case.name)):
            if assertion.metric is not None:
                members = found.setdefault(assertion.metric, {})
                members[case.name] = _shared((*members.get(case.name, ()), (number, assertion.weight)))
    return found


@lru_cache(maxsize=1024)
def _shared(members: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    """One tuple for all cases whose asserts count alike: most do."""
    return members


def _by_label(suite: Suite, key: str) -> Iterator[ScorePart]:
    groups: dict[str, dict[str, None]] = {}
    for case in suite.cases:
        for label in _labels(case, key):
            groups.setdefault(label, {})[case.name] = None
    if set(groups) <= {NO_LABEL}:
        known = list(dict.fromkeys(name for case in suite.cases for name in (*case.metadata, *case.vars)))
        listed = did_you_mean(key, known) + (f" Known: {', '.join(known)}" if known else "")
        raise UsageError(f"by = {key!r}: no case has metadata or a variable of that name.{listed}")
    for label in _in_order(groups):
        yield ScorePart(key, label, groups[label], len(groups[label]) == len(suite.cases))


def _in_order(labels: Iterable[str]) -> list[str]:
    """Labels by number if all of them are numbers, so that 10 comes after 2, else by text; cases without one last."""

    def number(label: str) -> float:
        try:
            return float(label)
        except ValueError:
            return math.nan

    ordered = sorted(labels, key=lambda label: (label == NO_LABEL, label))
    numbers = [number(label) for label in ordered if label != NO_LABEL]
    if all(map(math.isfinite, numbers)):
        ordered[: len(numbers)] = sorted(ordered[: len(numbers)], key=number)
    return ordered


def _labels(case: Case, key: str) -> list[str]:
    """The case's labels of a key: of its metadata or, if that has none, its variables. A list holds several."""
    value = case.metadata.get(key, case.vars.get(key))
    values = value if isinstance(value, list) else [] if value is None else [value]
    labels = []
    for each in values:
        if not isinstance(each, (str, int, float)):
            raise UsageError(f"by = {key!r}: {each!r} of case {case.name!r} is not a text or a number")
        label = str(each).lower() if isinstance(each, bool) else " ".join(str(each).split())
        labels += [label] if label else []
    return list(dict.fromkeys(labels)) or [NO_LABEL]


@dataclass(frozen=True)
class _Paired:
    """The answers of two runs to each case, repetition by repetition, and the number of each case's question."""

    answers: Mapping[str, Sequence[tuple[Answered, Answered]]]
    questions: Mapping[str, int]


@dataclass(frozen=True)
class _Seen:
    """One part of one candidate.

    Attributes:
        values: Paired differences, one for each case in which both have a score.
        means: Of the baseline and of the candidate, over these cases.
        p_values: Of :func:`quality_p_values`, not corrected.
    """

    values: Floats
    means: tuple[float, float] | tuple[None, None]
    p_values: Mapping[str, float]


def compare_parts(
    parts: Sequence[ScorePart],
    baseline: Run,
    candidates: Sequence[Run],
    untouched: Sequence[bool],
    shared_by: Sequence[int],
    margin: float,
    dropped: int = 0,
) -> list[tuple[PartQuality, ...]]:
    """The quality of each part, for each candidate.

    Args:
        untouched: Whether every request of a candidate is the baseline's own.
        shared_by: The candidates that share the level of a candidate's verdict.
        margin: Quality (0 to 1) that may be lost.
        dropped: Further candidates, which a race did not ask of all cases.
    """
    if not candidates:
        return []
    paired = [_paired(baseline, run) for run in candidates]
    questions = {question(part): part for part in parts}
    found: list[dict[Question, PartQuality]] = [{} for _ in candidates]
    for whole in (True, False):
        asked = {name: part for name, part in questions.items() if part.whole == whole}
        level = ALPHA_EACH / ((len(candidates) + dropped) * (1 if whole else max(1, looks(parts))))
        seen = {
            (number, name): _seen(part.members, trials, margin)
            for number, trials in enumerate(paired)
            for name, part in asked.items()
        }
        if whole:
            # The verdict's own question, and its p-values.
            adjusted = [
                {kind: min(1.0, p_value * shared_by[number]) for kind, p_value in one.p_values.items()}
                for (number, _), one in seen.items()
            ]
        else:
            adjusted = _corrected(list(seen.values()), dropped * len(asked))
        for (number, name), corrected in zip(seen, adjusted, strict=True):
            made = _quality(seen[number, name], corrected, asked[name], level)
            found[number][name] = _of_same_requests(made) if untouched[number] else made
    return [tuple(replace(of_one[question(part)], by=part.by, name=part.name) for part in parts) for of_one in found]


def measure_parts(parts: Sequence[ScorePart], run: Run) -> tuple[PartMean, ...]:
    """The quality of each part of one run."""
    import numpy as np

    from promptopt.experiment.bounds import lower_bound, upper_bound

    trials = _paired(run, run)
    level = ALPHA_EACH / max(1, looks(parts))
    found = []
    for part in parts:
        scores, _ = _means(part.members, trials)
        values, low, high = np.array(scores), None, None
        if len(values) > 1:
            each = (ALPHA_EACH if part.whole else level) / 2
            low, high = lower_bound(values, 0.0, each), upper_bound(values, 1.0, each)
        mean = float(values.mean()) if len(values) else None
        found.append(PartMean(part.by, part.name, len(values), mean, low, high))
    return tuple(found)


def _corrected(seen: Sequence[_Seen], untested: int) -> list[dict[str, float]]:
    from promptopt.experiment.paired_tests import holm

    corrected: list[dict[str, float]] = [{} for _ in seen]
    for kind in seen[0].p_values if seen else ():
        for each, p_value in zip(corrected, holm([one.p_values[kind] for one in seen], untested), strict=True):
            each[kind] = p_value
    return corrected


def _quality(seen: _Seen, p_values: Mapping[str, float], part: ScorePart, level: float) -> PartQuality:
    from promptopt.experiment.evidence import quality_difference

    values = seen.values
    difference = quality_difference("quality", values, p_values["quality"], level)
    evidence = QualityEvidence(
        cases=len(values),
        difference=difference.difference or 0.0,
        better=int((values > 0).sum()),
        worse=int((values < 0).sum()),
        p_value=p_values["quality"],
        p_loss=p_values["loss"],
        p_gain=p_values["gain"],
    )
    before, after = seen.means
    return PartQuality(part.by, part.name, part.whole, before, after, difference, judge_quality(evidence), evidence)


def _of_same_requests(part: PartQuality) -> PartQuality:
    known = part.difference.difference is not None
    difference = replace(part.difference, low=0.0, high=0.0, p_value=1.0, exact=True) if known else part.difference
    evidence = replace(part.evidence, untouched=True)
    return replace(part, difference=difference, evidence=evidence, quality=judge_quality(evidence))


def _seen(members: Members, trials: _Paired, margin: float) -> _Seen:
    import numpy as np

    from promptopt.experiment.evidence import quality_p_values

    before, after = map(np.array, _means(members, trials))
    values = after - before
    means = (float(before.mean()), float(after.mean())) if len(values) else (None, None)
    return _Seen(values, means, quality_p_values(values, margin))


def _paired(baseline: Run, candidate: Run) -> _Paired:
    others = {(trial.case, trial.sample): trial for trial in candidate.answered}
    found: dict[str, list[tuple[Answered, Answered]]] = {}
    for trial in baseline.answered:
        if (other := others.get((trial.case, trial.sample))) is not None:
            found.setdefault(trial.case, []).append((trial, other))
    return _Paired(found, question_numbers(baseline, candidate))


def _means(members: Members, trials: _Paired) -> tuple[list[float], ...]:
    """Of each question that both were judged by, the mean score of the baseline and of the candidate."""
    judged: dict[int, list[tuple[float, float]]] = {}
    # Most answers are scored as others are, and have the same score: each is looked through once.
    seen: dict[tuple[int, int], float | None] = {}

    def score(trial: Answered, wanted: tuple[tuple[int, float], ...] | None) -> float | None:
        key = id(trial.score), id(wanted)
        if key not in seen:
            seen[key] = _score(trial.score, wanted)
        return seen[key]

    for case, wanted in members.items():
        known = [
            (mine, others)
            for one, other in trials.answers.get(case, ())
            if not (one.score.broken and _broke_on_both(one.score, other.score, wanted))
            and (mine := score(one, wanted)) is not None
            and (others := score(other, wanted)) is not None
        ]
        if known:
            judged.setdefault(trials.questions[case], []).extend(known)
    return tuple([sum([each[side] for each in known]) / len(known) for known in judged.values()] for side in (0, 1))


def _broke_on_both(one: CaseScore, other: CaseScore, wanted: tuple[tuple[int, float], ...] | None) -> bool:
    broken = set(one.broken) & set(other.broken)
    return bool(broken) and (wanted is None or any(number in broken for number, _ in wanted))


def _score(score: CaseScore, wanted: tuple[tuple[int, float], ...] | None) -> float | None:
    """The weighted mean of the wanted scores, as far as the answer has them."""
    if wanted is None:
        return score.quality if score.scores else None
    found = [(weight, score.scores[score.asserts.index(n)].value) for n, weight in wanted if n in score.asserts]
    if not found:
        return None
    total = sum(weight for weight, _ in found)
    return sum(weight * value for weight, value in found) / total if total else sum(v for _, v in found) / len(found)
