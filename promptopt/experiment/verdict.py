"""From evidence about quality and cost to one verdict.

There are two questions, quality and cost, and each answer may err in either direction. So that the verdict as a whole
errs in at most 5% of comparisons of equals, each question is answered at 2.5%, which is also the level of the intervals
that are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal[
    "improved", "equivalent", "not-worse", "trade-off", "regressed", "inconclusive", "incomplete"
]  # fmt: skip
Quality = Literal["better", "same", "not worse", "worse", "unclear", "unjudged"]
CostChange = Literal["cheaper", "same", "not costlier", "costlier", "unclear"]

ALPHA = 0.05
# Two questions share the 5%.
ALPHA_EACH = ALPHA / 2


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference, candidate less baseline, with its interval.

    Attributes:
        metric: ``quality``, ``pass_rate``, ``input_tokens``, ``output_tokens``, ``usd_per_1k_calls``, ``usd_per_pass``.
        difference: The difference of the means; ``None`` if it is not known (unpriced, or no pass).
        low: Lower end of the two-sided 97.5% interval; ``None`` if there are too few cases for one.
        high: Its upper end.
        p_value: Two-sided, of "no difference"; corrected for the number of candidates. ``None`` if there is no test.
        exact: The difference is known, not estimated: input tokens do not vary.
    """

    metric: str
    difference: float | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class QualityEvidence:
    """What the cases say about quality. P-values are corrected for the number of candidates.

    Attributes:
        cases: Those that both prompts answered and an assert judged.
        difference: Mean paired difference, in quality (0 to 1).
        better: Cases that the candidate answered better; ``worse`` likewise.
        p_value: Two-sided, of "no difference".
        p_loss: One-sided, of "the loss is the margin or more".
        p_gain: One-sided, of "the gain is the margin or more".
        p_accept: One-sided, of "the loss is more than is accepted"; 1 if nothing is.
        untouched: Every request is the baseline's own, so that quality cannot differ.
        likely_cases: Cases in all that would decide, as a range and the number in it that is likely to.
        labels: Cases whose answers of both prompts people labelled, if the difference and the p-values are of labels,
            of which the suite's own quality is a prediction; ``judged`` is the difference of that quality.
        judges_share: The share of the interval's width that a label of every case would take away.
    """

    cases: int
    difference: float
    better: int
    worse: int
    p_value: float = 1.0
    p_loss: float = 1.0
    p_gain: float = 1.0
    p_accept: float = 1.0
    untouched: bool = False
    likely_cases: LikelyCases | None = None
    labels: int = 0
    judged: float = 0.0
    judges_share: float = 0.0


@dataclass(frozen=True, slots=True)
class CostEvidence:
    """What the cases say about cost.

    Attributes:
        usd_per_1k_calls: The paired difference in dollars; unknown for an unpriced model.
        baseline_usd: Mean list cost of 1,000 of the baseline's calls; 0 if it is unpriced.
        margin: Share of the baseline's cost that counts as the same.
        bounded: Whether an output cap bounds what a call of either prompt may cost.
        untouched: Every request is the baseline's own, so that cost cannot differ.
        one_price: Whether a token of both has the same price; else tokens say nothing about dollars.
        likely_cases: See :class:`QualityEvidence`.
    """

    change: CostChange
    usd_per_1k_calls: Difference
    input_tokens: Difference
    output_tokens: Difference
    baseline_usd: float
    margin: float
    bounded: bool
    untouched: bool = False
    one_price: bool = True
    likely_cases: LikelyCases | None = None


@dataclass(frozen=True, slots=True)
class LikelyCases:
    """A prediction: so many cases in all would decide.

    Attributes:
        number: With so many, nine of ten comparisons are decided, of what agrees with the cases that were seen.
        low: Half of them are.
        high: 97 of 100 are.
    """

    number: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class QualityReason:
    """How quality was judged, with its evidence. ``margin`` is quality (0 to 1) that may be lost."""

    quality: Quality
    evidence: QualityEvidence
    margin: float


@dataclass(frozen=True, slots=True)
class PointPrice:
    """What a point of quality costs more, per 1,000 calls; ``None`` if it is unknown."""

    usd: float | None


@dataclass(frozen=True, slots=True)
class AcceptedLoss:
    """The loss is within the quality (0 to 1) that ``--accept`` allows."""

    accept: float


@dataclass(frozen=True, slots=True)
class CasesNeeded:
    """How many cases in all would decide, and how many there are."""

    likely: LikelyCases
    cases: int


@dataclass(frozen=True, slots=True)
class TooManyFailed:
    """So many of the calls of a run have no answer that nothing follows from the rest."""

    prompt: str
    failed: int
    calls: int
    allowed: float


Reason = CostEvidence | QualityReason | PointPrice | AcceptedLoss | CasesNeeded | TooManyFailed


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reasons, as data; :func:`promptopt.experiment.text.reason_text` makes sentences of them.

    Attributes:
        shared_by: The candidates that share the level.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    shared_by: int = 1

    @property
    def cases_needed(self) -> int | None:
        """If inconclusive, how many cases in all would decide it, as far as that can be predicted."""
        return next((reason.likely.number for reason in self.reasons if isinstance(reason, CasesNeeded)), None)


def too_many_failed(prompt: str, failed: int, calls: int, allowed: float) -> TooManyFailed | None:
    """Whether more than a share of the calls failed."""
    # A share of percent is off in its last digit: 29% of 100 would be less than 29.
    return TooManyFailed(prompt, failed, calls, allowed) if failed > allowed * calls * (1 + 1e-12) else None


def judge_quality(evidence: QualityEvidence) -> Quality:
    """Better, the same (within the margin on both sides), not worse (by the margin), worse, or none of these shown."""
    if evidence.untouched:
        return "same"
    if not evidence.cases:
        return "unjudged"
    if evidence.p_value <= ALPHA_EACH and evidence.difference > 0:
        return "better"
    if evidence.p_loss <= ALPHA:
        return "same" if evidence.p_gain <= ALPHA else "not worse"
    if evidence.p_value <= ALPHA_EACH and evidence.difference < 0:
        return "worse"
    return "unclear"


def decide(evidence: QualityEvidence, cost: CostEvidence, margin: float, accept: float) -> Decision:
    """The verdict on a candidate.

    Args:
        margin: Quality (0 to 1) that may be lost.
        accept: Quality that may be lost for a lower cost, as a trade-off.
    """
    quality = judge_quality(evidence)
    reasons: tuple[Reason, ...] = (cost, QualityReason(quality, evidence, margin))
    if quality == "better":
        if cost.change == "costlier":
            return Decision("trade-off", (*reasons, _point_price(cost, evidence)))
        if cost.change != "unclear" or _seems_not_costlier(cost):
            return Decision("improved", reasons)
    if quality == "worse" and cost.change == "cheaper" and evidence.p_accept <= ALPHA:
        return Decision("trade-off", (*reasons, AcceptedLoss(accept)))
    if quality == "worse" or (cost.change == "costlier" and quality != "better"):
        return Decision("regressed", reasons)
    if quality in ("same", "not worse"):
        if cost.change == "cheaper":
            return Decision("improved", reasons)
        if cost.change == "same" and quality == "same":
            return Decision("equivalent", reasons)
        if cost.change in ("same", "not costlier"):
            return Decision("not-worse", reasons)
    return Decision("inconclusive", (*reasons, *_cases_needed(quality, evidence, cost)))


def _seems_not_costlier(cost: CostEvidence) -> bool:
    """No higher cost is shown, and what was seen is not above the margin: a better answer is worth that."""
    usd = cost.usd_per_1k_calls.difference
    return usd is not None and usd <= cost.margin * cost.baseline_usd


def _point_price(cost: CostEvidence, evidence: QualityEvidence) -> PointPrice:
    usd, points = cost.usd_per_1k_calls.difference, evidence.difference * 100
    return PointPrice(None if usd is None or points <= 0 else usd / points)


def _cases_needed(quality: Quality, evidence: QualityEvidence, cost: CostEvidence) -> list[CasesNeeded]:
    """The prediction for what is unclear: if both are, the larger."""
    unclear = [evidence.likely_cases] if quality == "unclear" else []
    if cost.change == "unclear":
        unclear.append(cost.likely_cases)
    known = [likely for likely in unclear if likely is not None]
    if not known or len(known) < len(unclear):
        return []
    return [CasesNeeded(max(known, key=lambda likely: likely.number), evidence.cases)]
