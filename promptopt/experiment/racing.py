"""Which of several variants need not be asked any further, decided as often as one likes.

A bound for a fixed number of cases errs far more often if one looks again after each case and stops as soon as it says
what one waits for. These hold at every look: a bettor who stakes a share of his money on "the mean is above 0" in each
case, before he sees it, gains nothing on average if it is not, so that his money is ever multiplied by ``1 / level``
with a chance of at most ``level`` (Ville, "Étude critique de la notion de collectif", 1939). For values between known
ends that is a test for every distribution (Waudby-Smith and Ramdas, "Estimating Means of Bounded Random Variables by
Betting", JRSS B 2024). The money is divided among shares of fixed sizes: what it has become does not depend on the
order of the cases that were asked, and no size has to be right.

Cases have to be asked in an order that says nothing about them: :func:`race_order`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from promptopt.experiment.bounds import Floats
from promptopt.values import sha256_hex

RaceStanding = Literal["drop", "keep", "confirmed"]

LEVEL = 0.05
"""The chance that a race drops any variant that is not dominated."""

_SEED = "promptopt race"
# Shares of what may be staked without ruin, and how much of the money is staked so. Most of it is for the two ends: a
# difference that never varies, and one that is small beside its variance.
_SHARES = np.array([0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.8, 0.99])
_MONEY = np.log([0.08, 0.08, 0.08, 0.08, 0.08, 0.1, 0.1, 0.1, 0.1, 0.2])
# Better and not costlier; cheaper, not worse, and either not worse than the baseline or beside a variant that is.
_WAYS = 3
# The first looks come after so many cases; later ones when a tenth more was asked.
_FIRST, _GROWTH = 10, 10
_HALVINGS = 50


def race_order(names: Sequence[str]) -> list[int]:
    """The positions of cases in the order in which they are asked: at random, with a fixed seed.

    Each case has its place by its name alone: a case that is added later does not move the others, so that answers that
    were recorded are those that are asked for first again.
    """
    return sorted(range(len(names)), key=lambda number: sha256_hex(f"{_SEED} {names[number]}"))


def looks(cases: int, growth: int = _GROWTH) -> Iterator[int]:
    """After how many cases one looks; the last is all of them. Each adds ten, or one in ``growth`` if that is more."""
    asked = 0
    while asked < cases:
        asked = min(cases, asked + max(_FIRST, asked // growth))
        yield asked


def race_standing(differences: Floats, margin: float, level: float = LEVEL) -> RaceStanding:
    """Whether a candidate is out, or shown to be good enough, or neither so far. Valid at every look.

    Args:
        differences: Candidate less baseline, one for each case asked so far, each between -1 and 1; ``nan`` for a case
            that one of them has no quality in. Cases come in an order that says nothing about them.
        margin: What may be lost, 0 to 1.
        level: The chance that it is ever dropped although the true loss is within the margin, or ever confirmed
            although it is not.

    Returns:
        ``drop``: a loss of more than the margin is shown. ``confirmed``: a loss of the margin or more is excluded.
    """
    known = differences[~np.isnan(differences)]
    if p_at_any_look(known, -margin, -1.0) <= level:
        return "confirmed"
    return "drop" if p_at_any_look(-known, margin, -1.0) <= level else "keep"


def p_at_any_look(values: Floats, mean: float, low: float) -> float:
    """P-value of "the values have a mean of ``mean`` or less"; the chance that it is ever ``p`` or less is ``p``.

    Args:
        values: Those of all cases so far, shape ``(cases,)``.
        low: No value can be lower.

    Raises:
        ValueError: One is.
    """
    if len(values) and values.min() < low:
        raise ValueError(f"a value of {values.min():g} is lower than {low:g}")
    return _p_value(values - mean, low - mean)


def lowest_mean(values: Floats, low: float, level: float) -> float:
    """What the mean is above with confidence ``1 - level``, at every look; ``low`` if the values show nothing."""
    if not len(values):
        return low
    refuted, kept = low, float(values.mean())
    for _ in range(_HALVINGS):
        middle = (refuted + kept) / 2
        refuted, kept = (middle, kept) if p_at_any_look(values, middle, low) <= level else (refuted, middle)
    return refuted


def _p_value(gains: Floats, low: float) -> float:
    """Of "the mean is 0 or less": one over what a bettor against it has made of 1."""
    if low >= 0:
        return 0.0 if low > 0 or gains.any() else 1.0
    money = np.log1p(np.multiply.outer(gains / -low, _SHARES)).sum(axis=0) + _MONEY
    return min(1.0, math.exp(-float(np.logaddexp.reduce(money))))


def _p_by_signs(gains: Floats) -> float:
    """Of "gains and losses are equally likely, however large", for gains without an end.

    A gain counts as what it is beside the mean size of those before it, and as 1 at most.
    """
    sizes = np.abs(gains)
    before = np.concatenate([[0.0], np.cumsum(sizes)[:-1] / np.arange(1, len(gains))]) if len(gains) else sizes
    largest = np.maximum(sizes, before)
    return _p_value(np.divide(gains, largest, out=np.zeros_like(gains), where=largest > 0), -1.0)


@dataclass(frozen=True, slots=True)
class Entrant:
    """What is known of a variant in a race.

    Attributes:
        quality: Of each case asked so far, in the order of asking, shape ``(asked,)``; ``nan`` for a case without one.
        usd: List cost of a call of each; ``nan`` for a call that failed, and for an unpriced model.
        least_usd: What a call of a case costs at least, of every case of the suite, shape ``(cases,)``: its input.
        most_usd: What it costs at most; ``inf`` without an output cap.
        broken: Whether a scorer broke on an answer to each case asked so far. If one broke with two variants, the case
            does not show that they are equally good. By default none did.
        reliable: Whether few enough of its calls failed for its answers to be evidence.
    """

    quality: Floats
    usd: Floats
    least_usd: Floats
    most_usd: Floats
    broken: NDArray[np.bool_] | None = None
    reliable: bool = True

    def gains(self, other: Entrant) -> Floats:
        """How much better its quality is than another one's, in each case that says so."""
        gains = self.quality - other.quality
        if self.broken is not None and other.broken is not None:
            gains = gains[~(self.broken & other.broken)]
        return _known(gains)


@dataclass(frozen=True, slots=True)
class Lead:
    """What is shown of the variant that dominates another one. It holds at every look, with the others of the race.

    Attributes:
        by: Its position.
        better: Whether it is better and not costlier; else it is cheaper and not worse.
        quality: Its quality is at least so much higher, -1 to 1.
        usd: A call of it costs at least so many dollars less; a negative number: it may cost so much more. ``None`` if
            no output cap bounds its answers.
    """

    by: int
    better: bool
    quality: float
    usd: float | None


@dataclass(frozen=True, slots=True)
class RaceRules:
    """When a variant is out.

    Attributes:
        margin: Quality (0 to 1) that may be lost.
        cost_margin: Share of a variant's cost that another may cost more and still be "not costlier".
        max_failed: Share of calls that may fail.
        level: The chance that any variant is dropped that is not dominated.
    """

    margin: float
    cost_margin: float
    max_failed: float
    level: float = LEVEL

    def dominated(self, field: Mapping[int, Entrant], started: int) -> dict[int, Lead]:
        """The variants that need not be asked any further, and which of those that go on dominates each.

        Args:
            field: Those that are still asked, by their position; 0, the baseline, is among them and stays.
            started: How many variants there were at first, the baseline included.
        """
        level = self.level / (_WAYS * (started - 1) ** 2)
        left = dict(field)
        found: dict[int, Lead] = {}
        for number in [number for number in field if number]:
            rivals = sorted((other for other in left if other != number), key=lambda other: _mean(left[other].usd))
            leads = (self._lead(left, other, number, level) for other in rivals)
            if lead := next(filter(None, leads), None):
                found[number] = lead
                del left[number]
        return found

    def _lead(self, field: Mapping[int, Entrant], by: int, over: int, level: float) -> Lead | None:
        one, other, baseline = field[by], field[over], field[0]
        if not (one.reliable and other.reliable):
            return None
        quality = one.gains(other)
        saved = _Saving.of(one, other, 0.0)
        better = self._better(one, other, quality, saved, level)
        if not better and not (
            saved.shown(level)
            and _is_above(quality, -self.margin, level)
            # Else the cheapest that is not worse than the baseline could be dropped for one that is worse.
            and (
                by == 0
                or (baseline.reliable and _is_above(one.gains(baseline), -self.margin, level))
                or (baseline.reliable and _is_above(baseline.gains(other), self.margin, level))
            )
        ):
            return None
        return Lead(by, better, lowest_mean(quality, -1.0, level), saved.lowest(level))

    def _better(self, one: Entrant, other: Entrant, quality: Floats, saved: _Saving, level: float) -> bool:
        # As measured it must not cost more at all: the margin is for what varies from answer to answer.
        return (
            saved.mean >= 0 and _is_above(quality, 0.0, level) and _Saving.of(one, other, self.cost_margin).shown(level)
        )


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _mean(values: Floats) -> float:
    known = _known(values)
    return float(known.mean()) if len(known) else math.inf


def _is_above(differences: Floats, limit: float, level: float) -> bool:
    """Whether the mean of differences of quality is shown to be above a limit."""
    return bool(len(differences)) and differences.mean() > limit and p_at_any_look(differences, limit, -1.0) <= level


@dataclass(frozen=True, slots=True)
class _Saving:
    """What calls of one variant cost less than those of another, case by case.

    Attributes:
        low: What it could be at least, in any case of the suite; ``-inf`` without an output cap.
    """

    values: Floats
    low: float

    @classmethod
    def of(cls, one: Entrant, other: Entrant, margin: float) -> _Saving:
        """``margin``: share of the other's cost that is added to it."""
        values = _known((1 + margin) * other.usd - one.usd)
        # One of the two is unpriced, or no case has an answer of both.
        if not len(values):
            return cls(values, -math.inf)
        low = float(((1 + margin) * other.least_usd - one.most_usd).min())
        # A hair below, for what is lost in the last digits of a sum.
        return cls(values, min(low, float(values.min())) - 1e-9 * _mean(other.usd))

    @property
    def mean(self) -> float:
        return float(self.values.mean()) if len(self.values) else -math.inf

    def shown(self, level: float) -> bool:
        if self.mean <= 0:
            return False
        p_value = _p_value(self.values, self.low) if math.isfinite(self.low) else _p_by_signs(self.values)
        return p_value <= level

    def lowest(self, level: float) -> float | None:
        return lowest_mean(self.values, self.low, level) if math.isfinite(self.low) else None
