"""How far a judge can be trusted: its agreement with people's labels, what it favours, how steady it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from promptopt.experiment.bounds import Floats, lower_bound, upper_bound
from promptopt.experiment.labelled import LabelledAnswers
from promptopt.experiment.prediction_powered import FEWEST_LABELS, Rectified
from promptopt.experiment.runs import Run
from promptopt.judges.labels import PASS, People
from promptopt.values import Judged

LEVEL = 0.05
_DRAWS, _SEED = 20_000, 20_240_513
_END = 0.1
_FEWEST_HALF = 5
_MODELS = ", then "
NOBODY = People()


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """One answer with its judge's score.

    Attributes:
        score: 0 to 1, by all asserts of the suite; ``passed`` likewise.
        label: What people say, 0 to 1; ``None`` if nobody does.
        length: Characters of the answer; ``None`` if it is not known.
        own: Whether the judge gave it itself; ``None`` if that is not known.
        judged: How models came to their scores of it.
        tied: Whether people contradict each other without a majority: then it is neither a pass nor a fail.
    """

    variant: str
    score: float
    passed: bool
    label: float | None
    length: int | None = None
    own: bool | None = None
    judged: tuple[Judged, ...] = ()
    tied: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pass or fail by the judge and by the majority of people, of whose labels 0.5 or more is a pass.

    Attributes:
        both_pass: How often; the names of the others say the judge's verdict first.
        ties: Labelled answers that are not among these, because people are of two minds about them.
        kappa: Cohen's, 1 for agreement and 0 for that of chance; ``None`` if people or the judge always say the same.
        low, high: Its 95% interval: quantiles of the posterior with Jeffreys' prior on the four counts.
    """

    both_pass: int
    pass_fail: int
    fail_pass: int
    both_fail: int
    kappa: float | None
    low: float | None
    high: float | None
    ties: int = 0

    @property
    def labels(self) -> int:
        return self.both_pass + self.pass_fail + self.fail_pass + self.both_fail

    @property
    def share(self) -> float:
        """Of the labels that the judge agrees with."""
        return (self.both_pass + self.both_fail) / self.labels if self.labels else math.nan


@dataclass(frozen=True, slots=True)
class Leaning:
    """By how much more the judge is above people (or, without labels, its own mean) for some answers than for others.

    Attributes:
        counts: How many answers of each sort.
        low, high: 95% interval, which holds for every number and distribution, but for the sum of two bounds.
    """

    counts: tuple[int, int]
    difference: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether it is shown that there is one."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class CalibratedQuality:
    """The quality of one variant's answers as people would label them.

    Attributes:
        judged: Mean of the judge's scores.
        alone: 95% interval of the labels without the judge.
        low, high: With the judge.
        effective_labels: So many labels alone would say as much.
    """

    variant: str
    answers: int
    labels: int
    judged: float
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    alone: tuple[float, float] | None = None
    effective_labels: float | None = None
    judges_share: float | None = None


@dataclass(frozen=True, slots=True)
class JudgeCalibration:
    """What labels say of a judge. What cannot be told is ``None``.

    Attributes:
        judges: The models.
        length: Longer half of the labelled answers against the shorter.
        own: Its own answers against those of other models.
        place: Second half of batches against the first; the order was drawn, so that labels are not needed.
        orders: Of pairs judged in both orders: the first place won both, the second did, one answer did.
        repeated: Answers with several votes; ``split`` have votes on both sides.
        flip_rate: The chance that two votes on one answer differ.
        people: How far those agree with each other who labelled.
        bimodality: Sarle's coefficient of the scores, above 5/9 for two heaps; ``at_ends`` is the share within 0.1 of 0
            or 1.
    """

    judges: tuple[str, ...]
    answers: int
    agreement: Agreement
    length: Leaning | None
    own: Leaning | None
    place: Leaning | None
    orders: tuple[int, int, int] | None
    repeated: int
    split: int
    flip_rate: float | None
    bimodality: float | None
    at_ends: float
    qualities: tuple[CalibratedQuality, ...]
    people: People = NOBODY


def judged_answers(runs: Sequence[Run], labelled: LabelledAnswers) -> list[JudgedAnswer]:
    """The answers of some runs that have a score. One without a verdict has none.

    Raises:
        UsageError: No label is of any of these answers.
    """
    labels, found = labelled.of(runs), []
    for run in runs:
        for trial in run.answered:
            judged = tuple(score.judged for score in trial.score.scores if score.judged is not None)
            if not trial.score.scores or trial.score.broken:
                continue
            models = {model for each in judged for model in each.model.split(_MODELS)}
            own = any(_same_model(model, run.variant.model) for model in models) if models else None
            length = len(trial.score.answer or trial.response.text)
            scored = (run.variant.label, trial.quality, trial.passed, labels(trial))
            found.append(JudgedAnswer(*scored, length, own, judged, labelled.tied(trial)))
    return found


def _same_model(one: str, other: str) -> bool:
    return one.rpartition(":")[2] == other.rpartition(":")[2]


def calibrate(answers: Sequence[JudgedAnswer], people: People = NOBODY) -> JudgeCalibration:
    """What the labels of some answers say of their judge.

    Args:
        people: How far those agree with each other who labelled.

    Raises:
        ValueError: No answer has a label.
    """
    labelled = [answer for answer in answers if answer.label is not None]
    if not labelled:
        raise ValueError("no answer has a label")
    judged = [each for answer in answers for each in answer.judged]
    scores = np.array([answer.score for answer in answers])
    repeated = [
        each for each in judged if len([vote for vote in each.votes if vote is not None]) > 1 and not each.orders
    ]
    orders = [each.orders for each in judged if each.orders]
    return JudgeCalibration(
        judges=tuple(dict.fromkeys(each.model for each in judged)),
        answers=len(answers),
        agreement=_agreement(labelled),
        length=_length(labelled),
        own=_leaning(labelled, lambda answer: answer.own),
        place=_place(answers),
        orders=(sum(o[0] for o in orders), sum(o[1] for o in orders), sum(o[2] for o in orders)) if orders else None,
        repeated=len(repeated),
        split=sum(0 < each.passes < _votes(each) for each in repeated),
        flip_rate=float(np.mean([_flips(each) for each in repeated])) if repeated else None,
        bimodality=_bimodality(scores),
        at_ends=float(((scores <= _END) | (scores >= 1 - _END)).mean()),
        qualities=tuple(
            _quality(variant, [answer for answer in answers if answer.variant == variant])
            for variant in dict.fromkeys(answer.variant for answer in answers)
        ),
        people=people,
    )


def _votes(judged: Judged) -> int:
    return sum(vote is not None for vote in judged.votes)


def _flips(judged: Judged) -> float:
    """The chance that two of the votes differ, without bias by their number."""
    votes, passes = _votes(judged), judged.passes
    return 2 * passes * (votes - passes) / (votes * (votes - 1))


def _agreement(labelled: Sequence[JudgedAnswer]) -> Agreement:
    counts = np.zeros((2, 2), dtype=int)
    ties = sum(answer.tied for answer in labelled)
    for answer in labelled:
        assert answer.label is not None
        if not answer.tied:
            counts[int(not answer.passed), int(answer.label < PASS)] += 1
    kappa, low, high = kappa_interval(counts)
    (both_pass, pass_fail), (fail_pass, both_fail) = counts.tolist()
    return Agreement(both_pass, pass_fail, fail_pass, both_fail, kappa, low, high, ties)


def kappa_interval(counts: Floats | object) -> tuple[float | None, float | None, float | None]:
    """Cohen's kappa of a table of counts, shape ``(2, 2)``, with its 95% interval; ``None`` if it is not defined."""
    table = np.asarray(counts, dtype=float)
    if (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        return None, None, None
    draws = np.random.default_rng(_SEED).dirichlet(table.ravel() + 0.5, _DRAWS).reshape(-1, 2, 2)
    low, high = np.quantile(_kappa(draws), [LEVEL / 2, 1 - LEVEL / 2])
    return float(_kappa(table[None] / table.sum())[0]), float(low), float(high)


def _kappa(tables: Floats) -> Floats:
    agreed = tables[:, 0, 0] + tables[:, 1, 1]
    by_chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1)
    kappa: Floats = (agreed - by_chance) / (1 - by_chance)
    return kappa


def _length(labelled: Sequence[JudgedAnswer]) -> Leaning | None:
    lengths = [answer.length for answer in labelled if answer.length is not None]
    if len(lengths) < len(labelled) or len(set(lengths)) < 2:
        return None
    middle = float(np.median(lengths))
    # Answers as long as the median are on neither side, if enough are.
    return _leaning(labelled, lambda answer: None if answer.length == middle else (answer.length or 0) > middle)


def _leaning(labelled: Sequence[JudgedAnswer], side: Callable[[JudgedAnswer], bool | None]) -> Leaning | None:
    above: dict[bool | None, list[float]] = {True: [], False: [], None: []}
    for answer in labelled:
        assert answer.label is not None
        above[side(answer)].append(answer.score - answer.label)
    return _difference(np.array(above[True]), np.array(above[False]), -1.0)


def _place(answers: Sequence[JudgedAnswer]) -> Leaning | None:
    halves: dict[bool, list[float]] = {True: [], False: []}
    for answer in answers:
        for each in answer.judged:
            votes = [vote for vote in each.votes if vote is not None]
            if each.place is not None and each.place != 0.5 and votes:
                halves[each.place > 0.5].append(sum(votes) / len(votes))
    return _difference(np.array(halves[True]), np.array(halves[False]), 0.0)


def _difference(one: Floats, other: Floats, least: float) -> Leaning | None:
    """The difference of two means of independent values between ``least`` and 1, with its interval."""
    if min(len(one), len(other)) < _FEWEST_HALF:
        return None
    means = float(one.mean()), float(other.mean())
    lows = [lower_bound(values, least, LEVEL / 2) for values in (one, other)]
    highs = [upper_bound(values, 1.0, LEVEL / 2) for values in (one, other)]
    difference = means[0] - means[1]
    low = difference - math.hypot(means[0] - lows[0], highs[1] - means[1])
    high = difference + math.hypot(highs[0] - means[0], means[1] - lows[1])
    return Leaning((len(one), len(other)), difference, low, high)


def _bimodality(scores: Floats) -> float | None:
    """Sarle's coefficient (squared skewness + 1) / kurtosis, corrected for the number: 5/9 if scores are uniform."""
    count, spread = len(scores), float(scores.std())
    if count < 4 or spread == 0:
        return None
    standard = (scores - scores.mean()) / spread
    skew, kurtosis = float((standard**3).mean()), float((standard**4).mean())
    skew *= math.sqrt(count * (count - 1)) / (count - 2)
    excess = (count - 1) / ((count - 2) * (count - 3)) * ((count + 1) * (kurtosis - 3) + 6)
    return (skew**2 + 1) / (excess + 3 * (count - 1) ** 2 / ((count - 2) * (count - 3)))


def _quality(variant: str, answers: Sequence[JudgedAnswer]) -> CalibratedQuality:
    labels = np.array([answer.label for answer in answers if answer.label is not None], dtype=float)
    judged = float(np.mean([answer.score for answer in answers]))
    if len(labels) < FEWEST_LABELS:
        return CalibratedQuality(variant, len(answers), len(labels), judged)
    scored = np.array([answer.score for answer in answers if answer.label is not None])
    others = np.array([answer.score for answer in answers if answer.label is None], dtype=float)
    found = Rectified.of(labels, scored, others)
    return CalibratedQuality(
        variant,
        len(answers),
        len(labels),
        judged,
        found.mean,
        found.lower(LEVEL / 2),
        found.upper(LEVEL / 2),
        found.alone(LEVEL),
        found.effective_labels,
        found.judges_share(LEVEL),
    )
