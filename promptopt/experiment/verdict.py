"""From two sets of paired results to one verdict, and how many cases it takes to reach one.

There are two questions, quality and cost, and each answer may err in either direction. So that the verdict as a whole
errs in at most 5% of comparisons of equals, each question is answered at 2.5%; the intervals that are shown are the
usual 95% ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

Verdict = Literal["improved", "equivalent", "trade-off", "regressed", "inconclusive"]
Quality = Literal["better", "not worse", "worse", "unclear"]
CostChange = Literal["cheaper", "same", "costlier", "unclear"]

ALPHA = 0.05
# Two questions share the 5%.
ALPHA_EACH = ALPHA / 2
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference, candidate less baseline, with its interval.

    Attributes:
        metric: ``quality``, ``pass_rate``, ``input_tokens``, ``output_tokens``, ``usd_per_1k_calls``, ``usd_per_pass``.
        difference: The difference of the means; ``None`` if it is not known (unpriced, or no pass).
        low: Lower end of the two-sided 95% interval; ``None`` if there are too few cases for one.
        high: Its upper end.
        p_value: Two-sided, of "no difference"; corrected for the number of candidates.
    """

    metric: str
    difference: float | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class QualityEvidence:
    """What the cases say about quality.

    Attributes:
        difference: Mean paired difference, in quality (0 to 1).
        p_value: Two-sided, corrected; ``None`` with fewer than two cases.
        loss_p_value: One-sided p-value of "the loss is ``margin`` or more"; corrected.
        accept_p_value: The same for the loss that ``--accept`` allows; ``None`` if it allows none.
        deviation: Standard deviation of the paired differences.
        untouched: Every request is the baseline's own, so that quality cannot differ.
        all_tied: No case differs, though the requests do.
    """

    cases: int
    difference: float
    p_value: float | None
    loss_p_value: float | None
    accept_p_value: float | None
    deviation: float
    untouched: bool
    all_tied: bool


@dataclass(frozen=True, slots=True)
class CostEvidence:
    """What the cases say about cost, and what follows from it.

    Attributes:
        usd_per_1k_calls: The paired difference in dollars; unknown for an unpriced model.
        baseline_usd: Mean list cost of 1,000 of the baseline's calls; 0 if it is unpriced.
    """

    change: CostChange
    usd_per_1k_calls: Difference
    input_tokens: Difference
    output_tokens: Difference
    baseline_usd: float


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
    """How many cases in all would decide, as far as that can be told, and how many there are."""

    needed: int
    cases: int


Reason = CostEvidence | QualityReason | PointPrice | AcceptedLoss | CasesNeeded


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reasons, as data; :func:`promptopt.experiment.text.reason_text` makes sentences of them."""

    verdict: Verdict
    reasons: tuple[Reason, ...]

    @property
    def cases_needed(self) -> int | None:
        """If inconclusive, how many cases in all would decide it, as far as that can be told."""
        return next((reason.needed for reason in self.reasons if isinstance(reason, CasesNeeded)), None)


def judge_quality(evidence: QualityEvidence, margin: float) -> Quality:
    """Whether the candidate is better, shown to be not worse by ``margin`` or more, worse, or none of these."""
    if evidence.untouched:
        return "not worse"
    if evidence.all_tied:
        # Resampling cases that never differ shows no spread, but their number bounds the loss.
        return "not worse" if evidence.cases >= cases_to_exclude_loss(margin) else "unclear"
    if evidence.p_value is None or evidence.loss_p_value is None:
        return "unclear"
    if evidence.p_value <= ALPHA_EACH and evidence.difference > 0:
        return "better"
    if evidence.loss_p_value <= ALPHA:
        return "not worse"
    if evidence.p_value <= ALPHA_EACH and evidence.difference < 0:
        return "worse"
    return "unclear"


def judge_cost(cost: Difference, input_tokens: Difference, output_tokens: Difference) -> CostChange:
    """Whether the candidate is cheaper, costlier or the same.

    An unpriced model is judged by tokens: fewer of one kind and not more of the other are cheaper at any price.
    """
    if cost.difference is not None:
        return _direction(cost)
    directions = {_direction(input_tokens), _direction(output_tokens)} - {"same"}
    return directions.pop() if len(directions) == 1 else "unclear" if directions else "same"


def _direction(change: Difference) -> CostChange:
    if change.difference is None or change.p_value is None:
        return "unclear"
    if change.difference == 0 or change.p_value > ALPHA_EACH:
        return "same"
    return "cheaper" if change.difference < 0 else "costlier"


def decide(evidence: QualityEvidence, cost: CostEvidence, margin: float, accept: float) -> Decision:
    """The verdict on a candidate.

    Args:
        margin: Quality (0 to 1) that may be lost.
        accept: Quality that may be lost for a lower cost, as a trade-off.
    """
    quality = judge_quality(evidence, margin)
    reasons: tuple[Reason, ...] = (cost, QualityReason(quality, evidence, margin))
    if quality == "better":
        if cost.change == "costlier":
            return Decision("trade-off", (*reasons, _point_price(cost, evidence)))
        if cost.change != "unclear":
            return Decision("improved", reasons)
    accepted = evidence.accept_p_value is not None and evidence.accept_p_value <= ALPHA
    if quality == "worse" and cost.change == "cheaper" and accepted:
        return Decision("trade-off", (*reasons, AcceptedLoss(accept)))
    if quality == "worse" or cost.change == "costlier":
        return Decision("regressed", reasons)
    if quality == "not worse" and cost.change != "unclear":
        return Decision("improved" if cost.change == "cheaper" else "equivalent", reasons)
    needed = _cases_needed(evidence, margin) if quality == "unclear" else None
    if needed is not None:
        reasons = (*reasons, CasesNeeded(needed, evidence.cases))
    return Decision("inconclusive", reasons)


def _point_price(cost: CostEvidence, evidence: QualityEvidence) -> PointPrice:
    usd, points = cost.usd_per_1k_calls.difference, evidence.difference * 100
    return PointPrice(None if usd is None or points <= 0 else usd / points)


def _cases_needed(evidence: QualityEvidence, margin: float) -> int | None:
    """Cases that would show "not worse", or "worse" if the loss so far is the margin or more."""
    if evidence.all_tied:
        return cases_to_exclude_loss(margin)
    if evidence.deviation == 0 or evidence.p_value is None:
        return None
    if evidence.difference > -margin:
        needed = cases_needed(evidence.deviation, evidence.difference + margin, ALPHA)
    else:
        needed = cases_needed(evidence.deviation, abs(evidence.difference), ALPHA_EACH / 2)
    return max(needed, evidence.cases + 1)


def cases_to_exclude_loss(margin: float, confidence: float = 0.95) -> int:
    """Cases without one difference that exclude a loss of ``margin``: ``(1 - margin)**n <= 1 - confidence``.

    The "rule of three" of Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?" (JAMA 1983).
    """
    return math.ceil(math.log(1 - confidence) / math.log(1 - margin))


def cases_needed(deviation: float, distance: float, alpha: float, power: float = 0.8) -> int:
    """Cases that show a mean difference ``distance`` away from a bound: ``((z_alpha + z_power) * sd / distance)**2``.

    The normal approximation of a one-sided paired test, as in Chow, Shao and Wang, "Sample Size Calculations in
    Clinical Research" (2008), section 3.3.

    Args:
        deviation: Standard deviation of the paired differences.
        alpha: One-sided level.
    """
    z = _NORMAL.inv_cdf(1 - alpha) + _NORMAL.inv_cdf(power)
    return math.ceil((z * deviation / distance) ** 2)
