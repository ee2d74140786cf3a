"""What a search knows of each unit and of each version: what it costs and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from promptopt.minimization.choices import Reduced, Workbench
from promptopt.minimization.confirmation import Confirmed
from promptopt.minimization.oracle import Oracle
from promptopt.minimization.tried import Tried
from promptopt.minimization.units import Unit
from promptopt.minimization.worth import worth_of
from promptopt.money import usd
from promptopt.values import Usage

Fate = Literal["removed", "kept", "untested", "not tried", "matters", "spare", "unclear"]


@dataclass(frozen=True, slots=True)
class Outlay:
    """What a search took.

    Attributes:
        calls: Calls that were made; what was recorded is not among them.
        usd: Dollars spent, judges included.
        paid: Whether calls are paid at all.
        counted: Whether some answers had no usage, so that their tokens were counted.
        earlier: Dollars of the answers that earlier searches of the prompt have kept, at list prices.
    """

    calls: int = 0
    usd: Decimal = Decimal(0)
    paid: bool = False
    counted: bool = False
    earlier: Decimal = Decimal(0)

    def __str__(self) -> str:
        paid = f", {usd(self.usd)}" if self.paid else ""
        counted = " by counted tokens, since answers came without usage" if self.paid and self.counted else ""
        return f"{self.calls:,} calls{paid}{counted}"


NO_OUTLAY = Outlay()


@dataclass(frozen=True, slots=True)
class UnitWorth:
    """What a unit costs, and what it is worth.

    Attributes:
        tokens: Input tokens of a call.
        usd_per_1k_calls: What they cost; ``None`` if the model is unpriced. ``usd_per_month`` needs calls_per_month.
        worth: Points of quality (-100 to 100) that the prompt loses without it, with the units ``together`` with which
            it was tried; ``None`` if it was not asked about.
        low, high: 95% interval, which holds however often one looked.
        cases: How many cases say so.
        lost: Of those cases, so many were lost again that a larger group had lost. They were chosen for that, so that
            they decide and do not measure: ``worth`` is ``None``. 0 if it was measured.
    """

    unit: Unit
    fate: Fate
    tokens: float
    usd_per_1k_calls: float | None
    usd_per_month: float | None
    worth: float | None = None
    low: float = -100.0
    high: float = 100.0
    cases: int = 0
    together: int = 1
    lost: int = 0


@dataclass(frozen=True, slots=True)
class FrontRow:
    """A choice that was asked about: dollars against quality.

    Attributes:
        usd_per_1k_calls: Mean list cost; ``None`` if the model is unpriced.
        points: Quality less the prompt's, in points, over ``cases``; ``low`` and ``high``: 95%, of a choice that was
            not confirmed at every look.
        state: ``confirmed``, ``not confirmed``, ``search only``, or ``as it is``.
        on_front: Whether no other one costs less and is as good, as measured.
    """

    choice: Reduced
    label: str
    usd_per_1k_calls: float | None
    tokens: float
    points: float
    low: float | None
    high: float | None
    cases: int
    state: str
    on_front: bool = False


def unit_worths(
    bench: Workbench, tried: Sequence[Tried], removed: Collection[Unit], untested: Collection[Unit]
) -> list[UnitWorth]:
    """Each unit with what it costs and is worth."""
    found = []
    for unit in bench.units.units:
        best = _best(unit, tried)
        if unit in removed:
            fate: Fate = "removed"
        elif unit in untested:
            fate = "untested"
        else:
            fate = "kept" if any(unit.id in one.units for one in tried) else "not tried"
        worth = unit_cost(bench, unit, fate)
        if best is not None and best.suspects:
            worth = replace(worth, cases=best.cases, lost=best.lost, together=len(best.units))
        elif best is not None:
            worth = replace(worth, worth=-100 * best.marginal, low=-100 * best.high, high=-100 * best.low)
            worth = replace(worth, cases=best.cases, together=len(best.units))
        found.append(worth)
    return found


def unit_cost(bench: Workbench, unit: Unit, fate: Fate) -> UnitWorth:
    """What a unit costs; nothing is known of its worth."""
    variant = bench.variant(Reduced())
    assert variant is not None
    tokens, calls = bench.unit_tokens[unit.id], bench.units.template.front.calls_per_month
    if variant.price is None:
        return UnitWorth(unit, fate, tokens, None, None)
    rate = float(variant.price.cost(Usage(input_tokens=1000)).total_usd) / 1000
    return UnitWorth(unit, fate, tokens, 1000 * tokens * rate, None if calls is None else tokens * rate * calls)


def _best(unit: Unit, tried: Sequence[Tried]) -> Tried | None:
    """The trial that says most about one unit: of the fewest units, then of the most cases."""
    asked = [one for one in tried if unit.id in one.units and one.cases and not one.returned]
    known = [one for one in asked if one.suspects or not math.isnan(one.marginal)]
    return min(known, key=lambda one: (len(one.units), one.suspects, -one.cases), default=None)


def front_rows(
    oracle: Oracle, tried: Sequence[Tried], confirmed: Sequence[Confirmed], confirm_cases: Sequence[int]
) -> list[FrontRow]:
    """What was asked about, the cheapest first; whether it is on the front, as measured."""
    rows = [(row.usd_per_1k_calls or row.tokens, row) for row in _rows(oracle, tried, confirmed, confirm_cases)]
    marked = []
    for cost, row in rows:
        beaten = any(
            other_cost <= cost and other.points >= row.points and (other_cost, other.points) != (cost, row.points)
            for other_cost, other in rows
        )
        marked.append((cost, replace(row, on_front=not beaten)))
    return [row for _, row in sorted(marked, key=lambda pair: pair[0])]


def _rows(
    oracle: Oracle, tried: Sequence[Tried], confirmed: Sequence[Confirmed], confirm_cases: Sequence[int]
) -> Iterator[FrontRow]:
    bench, verdicts = oracle.bench, {each.choice: each for each in confirmed}
    choices = [Reduced(), *(one.choice for one in tried if one.cases and not one.suspects), *verdicts]
    own = set(oracle.asked(Reduced()))
    for choice in dict.fromkeys(choices):
        verdict = verdicts.get(choice)
        cases = list(confirm_cases) if verdict else [case for case in oracle.asked(choice) if case in own]
        if not cases:
            continue
        spend = oracle.spend(choice, cases)
        variant = bench.variant(choice)
        priced = variant is not None and variant.price is not None and not np.isnan(spend).all()
        points: tuple[float, float | None, float | None] = (0.0, None, None)
        state = "as it is"
        if verdict:
            difference = verdict.difference
            points = (difference.difference or 0.0, difference.low, difference.high)
            state = "confirmed" if verdict.accepted else "not confirmed"
        elif choice != Reduced():
            points, state = worth_of(oracle.differences(choice, Reduced(), cases)), "search only"
        mean, low, high = (None if value is None else 100 * value for value in points)
        per_1k = 1000 * float(np.nanmean(spend)) if priced else None
        tokens = bench.input_tokens(choice)
        yield FrontRow(choice, bench.label(choice), per_1k, tokens, mean or 0.0, low, high, len(cases), state)


def worth_dict(each: UnitWorth) -> dict[str, Any]:
    """A row of ``units`` in the JSON form."""
    unit = asdict(each.unit)
    unit["spans"] = [list(span) for span in each.unit.spans]
    rest = {name: getattr(each, name) for name in UnitWorth.__slots__ if name != "unit"}
    return {**unit, **{name: rounded(value) for name, value in rest.items()}}


def row_dict(row: FrontRow) -> dict[str, Any]:
    """A row of ``front`` in the JSON form."""
    rest = {name: rounded(getattr(row, name)) for name in FrontRow.__slots__ if name != "choice"}
    return {**rest, "removed": sorted(row.choice.removed), "moves": sorted(row.choice.moves)}


def rounded(value: Any) -> Any:
    """Without the last bits of a number, which differ from machine to machine."""
    return round(value, 10) + 0.0 if isinstance(value, float) else value
