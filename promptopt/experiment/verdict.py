"""From two sets of paired results to one verdict.

Two questions are read, quality and cost, and each may err in either direction. So that the verdict as a whole errs in
at most 5% of comparisons of equals, each question is answered at 2.5%; the intervals that are shown are the usual 95%
ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from promptopt.experiment.power import cases_needed, cases_to_exclude_loss

Verdict = Literal["improved", "equivalent", "trade-off", "regressed", "inconclusive"]
Quality = Literal["better", "not worse", "worse", "unclear"]
CostChange = Literal["cheaper", "same", "dearer", "unclear"]

ALPHA = 0.05
# Two questions share the 5%.
ALPHA_EACH = ALPHA / 2
_MANY_CASES = 100_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference, candidate less baseline, with its interval.

    Attributes:
        metric: ``quality``, ``pass_rate``, ``input_tokens``, ``output_tokens``, ``usd_per_1k_calls``, ``usd_per_pass``.
        difference: The difference of the means; ``None`` where it is not known (unpriced, or no pass).
        low: Lower end of the two-sided 95% interval; ``None`` where there are too few cases for one.
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
        accept_p_value: The same for the loss that ``--accept`` allows; ``None`` where it allows none.
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
class Decision:
    """A verdict with its reasons.

    Attributes:
        cases_needed: Where inconclusive, how many cases in all would decide it, as far as that can be told.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    cases_needed: int | None = None


def judge_quality(evidence: QualityEvidence, margin: float) -> Quality:
    """Whether the candidate is better, shown to be not worse by ``margin`` or more, worse, or none of these."""
    if evidence.untouched:
        return "not worse"
    if evidence.all_tied:
        # Resampling cases that never differ shows no spread; how many there are bounds the loss all the same.
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
    """Whether the candidate is cheaper, dearer or the same.

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
    return "cheaper" if change.difference < 0 else "dearer"


def decide(
    evidence: QualityEvidence, cost: CostChange, cost_text: str, margin: float, accept: float, dollars_per_point: str
) -> Decision:
    """The verdict on a candidate.

    Args:
        cost_text: How the cost changed, in words and numbers.
        margin: Quality (0 to 1) that may be lost.
        accept: Quality that may be lost for a lower cost, as a trade-off.
        dollars_per_point: What a point of quality costs more, where the candidate is better and dearer.
    """
    quality = judge_quality(evidence, margin)
    reasons = [cost_text, _quality_text(evidence, quality, margin)]
    if quality == "better":
        if cost == "dearer":
            return Decision("trade-off", (*reasons, dollars_per_point))
        if cost != "unclear":
            return Decision("improved", tuple(reasons))
    accepted = evidence.accept_p_value is not None and evidence.accept_p_value <= ALPHA
    if quality == "worse" and cost == "cheaper" and accepted:
        return Decision("trade-off", (*reasons, f"the loss is within the {accept * 100:g} points that are accepted"))
    if quality == "worse" or cost == "dearer":
        return Decision("regressed", tuple(reasons))
    if quality == "not worse" and cost != "unclear":
        return Decision("improved" if cost == "cheaper" else "equivalent", tuple(reasons))
    needed = _cases_needed(evidence, margin) if quality == "unclear" else None
    if needed is not None:
        reasons.append(_needed_text(needed, evidence.cases))
    return Decision("inconclusive", tuple(reasons), needed)


def _quality_text(evidence: QualityEvidence, quality: Quality, margin: float) -> str:
    points, allowed = f"{evidence.difference * 100:+.1f} points", f"{margin * 100:g} points"
    if evidence.untouched:
        return "the requests are the same, and so is the quality"
    if evidence.all_tied:
        tied = f"quality is the same in each of {evidence.cases} cases"
        if quality == "not worse":
            return tied
        return f"{tied}, too few to exclude a loss of {allowed}"
    if quality == "unclear":
        p_value = "" if evidence.p_value is None else f" (p = {evidence.p_value:.2g} where {ALPHA_EACH:g} is asked)"
        direction = "worse" if evidence.difference < 0 else "better"
        return f"quality {points}: not shown to be {direction}{p_value}, and a loss of {allowed} is not excluded"
    excluded = f" (a loss of {allowed} is excluded)" if quality == "not worse" else ""
    return f"quality {points}: {quality}{excluded}"


def _cases_needed(evidence: QualityEvidence, margin: float) -> int | None:
    """Cases that would show "not worse", or "worse" where the loss so far is the margin or more."""
    if evidence.all_tied:
        return cases_to_exclude_loss(margin)
    if evidence.deviation == 0 or evidence.p_value is None:
        return None
    if evidence.difference > -margin:
        needed = cases_needed(evidence.deviation, evidence.difference + margin, ALPHA)
    else:
        needed = cases_needed(evidence.deviation, abs(evidence.difference), ALPHA_EACH / 2)
    return max(needed, evidence.cases + 1)


def _needed_text(needed: int, cases: int) -> str:
    if needed > _MANY_CASES:
        return f"more than {_MANY_CASES:,} cases would be needed to decide"
    return f"about {needed:,} cases would decide ({needed - cases:,} more)"
