"""Dollars against quality: which of several variants no other one beats in both, and the cheapest that is not worse."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from promptopt.experiment.cascade import CascadeOutcome
from promptopt.experiment.runs import Run, VariantSummary
from promptopt.experiment.same_questions import question_numbers
from promptopt.experiment.verdict import Decision, QualityReason

LEVEL = 0.05
"""The chance that any of the intervals misses its variant's quality."""

_NOT_WORSE = ("better", "same", "not worse")
_FEWEST = 3
_Spot = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One variant.

    Attributes:
        usd_per_1k_calls: With a warm prompt cache, if the provider has one; ``None`` if unpriced.
        quality: Mean over the cases, 0 to 1; ``None`` if no case was judged.
        low, high: Simultaneous 95% interval of the quality over all variants, by the bounds of the verdict.
        on_front: Whether no other variant costs less at this quality or is better at this cost, as measured.
        dropped: Whether a race did not ask it of all cases, as another variant dominates it. What is left is the mean
            of fewer cases, and an interval that holds however often one looked.
        incomplete: Whether too many of its calls failed: what is left says nothing about the others.
    """

    label: str
    usd_per_1k_calls: float | None
    quality: float | None
    low: float | None
    high: float | None
    on_front: bool
    dropped: bool = False
    incomplete: bool = False

    @property
    def place(self) -> str:
        """What a table says of it in the column of the front."""
        return "*" if self.on_front else "dropped" if self.dropped else "incomplete" if self.incomplete else ""


@dataclass(frozen=True, slots=True)
class Frontier:
    """All variants, and which one to take.

    Attributes:
        cheapest: The label of the cheapest variant that is shown to be not worse than the baseline; the baseline's own
            if there is none. ``None`` if no dollars are known.
    """

    points: tuple[FrontierPoint, ...]
    baseline: str
    cheapest: str | None

    @property
    def by_cost(self) -> list[FrontierPoint]:
        """The cheapest first; those without a price last."""
        return sorted(self.points, key=lambda point: (point.usd_per_1k_calls is None, point.usd_per_1k_calls or 0.0))

    @property
    def saved_share(self) -> float | None:
        """What the cheapest saves of the baseline's dollars, 0 to 1."""
        usd = {point.label: point.usd_per_1k_calls for point in self.points}
        before, after = usd[self.baseline], usd.get(self.cheapest or "")
        return None if not before or after is None else 1 - after / before


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one point is made of; ``stopped``: when its cases would do was decided by looking at them."""

    label: str
    usd: float | None
    qualities: Sequence[float]
    stopped: bool = False
    dropped: bool = False
    incomplete: bool = False

    @property
    def spot(self) -> _Spot:
        return self.usd, fmean(self.qualities) if self.qualities else None


def frontier(
    runs: Sequence[Run],
    summaries: Sequence[VariantSummary],
    decisions: Mapping[str, Decision],
    cascade: CascadeOutcome | None = None,
    incomplete: Collection[str] = (),
) -> Frontier | None:
    """The frontier of a comparison; ``None`` for fewer than three points, as a verdict compares two.

    Args:
        decisions: By the candidates' labels.
        cascade: A further point. It is no variant and has no verdict, so that it is never the cheapest one to take.
        incomplete: The labels of variants of whose calls too many failed.
    """
    if len(summaries) + (cascade is not None) < _FEWEST:
        return None
    points = frontier_points(runs, summaries, cascade, incomplete)
    baseline = summaries[0].prompt
    return Frontier(points, baseline, _cheapest(points, baseline, decisions))


def frontier_points(
    runs: Sequence[Run],
    summaries: Sequence[VariantSummary],
    cascade: CascadeOutcome | None = None,
    incomplete: Collection[str] = (),
) -> tuple[FrontierPoint, ...]:
    """All points with their intervals, however few they are."""
    # Of all variants alike: one that leaves out what tells two cases apart is still measured on both of them.
    questions = question_numbers(*runs)
    measured = [
        _Measured(
            summary.prompt,
            _usd(summary),
            _question_means(((t.case, t.quality) for t in run.answered if t.score.scores), questions),
            run.stopped is not None,
            run.dropped,
            summary.prompt in incomplete,
        )
        for run, summary in zip(runs, summaries, strict=True)
    ]
    if cascade is not None:
        qualities = _question_means(cascade.qualities, questions)
        measured.append(_Measured(cascade.label, cascade.usd_per_1k_calls, qualities))
    # Those that are left of many failed calls may be the easy ones, and the cheap ones.
    rivals = [each.spot for each in measured if not (each.dropped or each.incomplete)]
    points = []
    for each in measured:
        usd, quality = each.spot
        low, high = _interval(each, LEVEL / len(measured))
        known = usd is not None and quality is not None
        shown = known and not each.dropped and not each.incomplete
        on_front = shown and not any(_beats(other, each.spot) for other in rivals)
        points.append(FrontierPoint(each.label, usd, quality, low, high, on_front, each.dropped, each.incomplete))
    return tuple(points)


def _usd(summary: VariantSummary) -> float | None:
    warm = summary.warm_usd_per_1k_calls
    return summary.usd_per_1k_calls if warm is None else warm


def _beats(other: _Spot, one: _Spot) -> bool:
    (usd, quality), (own_usd, own_quality) = other, one
    if usd is None or quality is None or own_usd is None or own_quality is None:
        return False
    return usd <= own_usd and quality >= own_quality and other != one


def _question_means(judged: Iterable[tuple[str, float]], questions: Mapping[str, int]) -> tuple[float, ...]:
    found: dict[int, list[float]] = {}
    for case, quality in judged:
        found.setdefault(questions[case], []).append(quality)
    return tuple(sum(qualities) / len(qualities) for qualities in found.values())


def _interval(measured: _Measured, level: float) -> _Spot:
    import numpy as np

    from promptopt.experiment.bounds import lower_bound, upper_bound

    if len(measured.qualities) < 2:
        return None, None
    values = np.array(measured.qualities)
    if measured.stopped:
        from promptopt.experiment.racing import lowest_mean

        return lowest_mean(values, 0.0, level / 2), -lowest_mean(-values, -1.0, level / 2)
    return lower_bound(values, 0.0, level / 2), upper_bound(values, 1.0, level / 2)


def _cheapest(points: Sequence[FrontierPoint], baseline: str, decisions: Mapping[str, Decision]) -> str | None:
    usd = {point.label: point.usd_per_1k_calls for point in points}
    eligible = [baseline, *(label for label, decision in decisions.items() if _is_not_worse(decision))]
    known = [(cost, position, label) for position, label in enumerate(eligible) if (cost := usd[label]) is not None]
    return min(known)[2] if known and usd[baseline] is not None else None


def _is_not_worse(decision: Decision) -> bool:
    return decision.verdict != "incomplete" and any(
        isinstance(reason, QualityReason) and (reason.evidence.untouched or reason.quality in _NOT_WORSE)
        for reason in decision.reasons
    )
