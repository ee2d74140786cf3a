"""What each unit of a prompt is worth by itself: the prompt without it, asked until that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from promptopt.config import load_config
from promptopt.errors import CostLimitError, UsageError
from promptopt.experiment.plan import ASK_ABOVE_USD, Mode
from promptopt.experiment.racing import looks, race_order, race_standing
from promptopt.minimization import text
from promptopt.minimization.choices import Reduced
from promptopt.minimization.front import NO_OUTLAY, Fate, Outlay, UnitWorth, unit_cost, worth_dict
from promptopt.minimization.minimize import Allowed, Asking, open_search, read_limits
from promptopt.minimization.oracle import Oracle, OutOfMoney
from promptopt.minimization.plan import price_of_case
from promptopt.minimization.units import Unit
from promptopt.minimization.worth import worth_of
from promptopt.money import dollars
from promptopt.providers import Provider
from promptopt.suites import Suite
from promptopt.templates import Template
from promptopt.values import Progress, Request, Response

FORMAT_VERSION = 1
"""Of :meth:`Ablation.to_dict`. Within a version, keys are added and never changed or removed."""


@dataclass(frozen=True, slots=True)
class HeatSpan:
    """A stretch of the prompt's file with what it is worth, for whoever draws the map.

    Attributes:
        start, end: Positions in the source, front matter counted.
        worth: Points that the prompt loses without it; ``None`` if it is not known.
        shade: 0 for nothing to 4 for four margins and more; -1 if the prompt is better without it by a margin.
    """

    start: int
    end: int
    unit: str
    worth: float | None
    shade: int


@dataclass(frozen=True)
class Ablation:
    """The result of :func:`promptopt.ablate`.

    Attributes:
        margin: Points of quality; a unit that is worth more ``matters``, one that is shown to be worth less is
            ``spare``, and of others it is ``unclear``.
        worths: Of each unit, in the order of the prompt.
        cases: How many cases there are.
        stopped: Why units were not asked about; empty if all were.
    """

    template: Template
    label: str
    margin: float
    worths: tuple[UnitWorth, ...]
    cases: int
    outlay: Outlay = NO_OUTLAY
    stopped: str = ""

    @property
    def heat(self) -> tuple[HeatSpan, ...]:
        """The map: the spans of all units in the prompt's own file, in order."""
        spans = [
            HeatSpan(start, end, each.unit.id, each.worth, shade(each.worth, self.margin))
            for each in self.worths
            for start, end in each.unit.spans
        ]
        return tuple(sorted(spans, key=lambda span: span.start))

    def heat_map(self, *, colour: bool = False) -> str:
        """The prompt with a mark before each unit that says what it is worth; with colours if a terminal has them."""
        marks = [(span.start, span.end, span.shade, span.worth is not None) for span in self.heat]
        return text.heat_map(self.template.source, marks, self.margin, colour=colour)

    def __str__(self) -> str:
        footer = str(self.outlay) + (f"; stopped {self.stopped}" if self.stopped else "")
        return "\n\n".join([self.heat_map(), text.worth_table(list(self.worths)), footer]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """The documented, versioned form that ``--json`` prints."""
        return {
            "version": FORMAT_VERSION,
            "prompt": self.label,
            "path": self.template.path,
            "margin": self.margin,
            "cases": self.cases,
            "units": [worth_dict(each) for each in self.worths],
            "heat": [{name: getattr(span, name) for name in HeatSpan.__slots__} for span in self.heat],
            "calls": self.outlay.calls,
            "spent_usd": round(float(self.outlay.usd), 10),
            "stopped": self.stopped or None,
        }


def shade(worth: float | None, margin: float) -> int:
    """How dark a worth in points is drawn: 0 to 4, or -1."""
    if worth is None:
        return 0
    if worth <= -margin:
        return -1
    return sum(worth >= margin * share for share in (0.5, 1, 2, 4))


def ablate(
    prompt: str | Path | Template,
    *,
    suite: str | Path | Suite | None = None,
    margin: float | None = None,
    max_cost: Decimal | float | None = None,
    units: Sequence[str] = (),
    trials: int = 1,
    model: str | None = None,
    price_as: str | None = None,
    record: Mode | None = None,
    jobs: int | None = None,
    timeout_s: float | None = None,
    retries: int | None = None,
    rpm: int | None = None,
    provider: Provider | None = None,
    judge: str | None = None,
    on_plan: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    on_answer: Callable[[Request, Response], None] | None = None,
) -> Ablation:
    """What each unit of a prompt is worth in points of quality, by leaving it out.

    Cases are asked until it is shown that a unit is worth more than the margin, or less; both hold at every look. All
    cases are used, so that a version that is put together by this table is not confirmed by it.

    Args:
        prompt, suite, margin, max_cost, units, trials, model, price_as: As of :func:`promptopt.minimize`.
        record, jobs, timeout_s, retries, rpm, provider, judge, on_answer: Likewise.
        progress: Called with the number of calls answered, and of those that there may be at most.
        on_plan: Called with what will be asked, in words, before any call.

    Raises:
        UsageError: There is nothing to leave out.
        CostLimitError: The dollars do not pay the prompt as it is.
        PromptoptError: Something else cannot be used; the message says why and what to do.
    """
    config = load_config()
    margin, limit = read_limits(margin, max_cost, config)
    how = Asking(record, jobs, timeout_s, retries, rpm, provider, judge, progress, on_answer, trials)
    paid = provider is None or limit is not None
    bench, oracle = open_search(prompt, suite, how, Allowed(units, model=model, price_as=price_as), config, limit)
    with oracle:
        price = price_of_case(oracle, limit) if paid else None
        limit = None if price is None else ASK_ABOVE_USD if limit is None else limit
        oracle.purse.limit = limit
        if not bench.units.units:
            raise UsageError(f"{bench.units.template.path}: there is nothing to leave out")
        order = race_order([case.name for case in bench.suite.cases])
        missing, own = oracle.missing(Reduced(), order)
        if limit is not None and own is not None and own >= limit:
            raise CostLimitError(f"{dollars(limit)} does not pay the prompt as it is: up to {dollars(own)}")
        if on_plan is not None:
            on_plan(_planned(oracle, len(order), missing, limit))
        worths, stopped = _asked(oracle, order, margin)
        outlay = Outlay(oracle.calls, oracle.purse.spent, price is not None, oracle.counted)
        label = bench.label(Reduced())
        return Ablation(bench.units.template, label, margin, worths, len(order), outlay, stopped)


def _planned(oracle: Oracle, cases: int, missing: int, limit: Decimal | None) -> str:
    bench, times = oracle.bench, f", {oracle.trials} answers to each" if oracle.trials > 1 else ""
    money = "" if limit is None else f", until {dollars(limit)} is spent"
    return (
        f"ablate {bench.label(Reduced())}: {len(bench.units.units):,} units, up to {cases:,} cases each{times}{money}; "
        f"{missing:,} calls of the prompt itself are not recorded" + (f"\n{bench.left_out}" if bench.left_out else "")
    )


def _asked(oracle: Oracle, order: Sequence[int], margin: float) -> tuple[tuple[UnitWorth, ...], str]:
    """The worth of each unit, the most expensive ones asked first, and why some were not asked."""
    bench, found, stopped = oracle.bench, dict[str, UnitWorth](), ""
    units = sorted(bench.units.units, key=lambda unit: -bench.unit_tokens[unit.id])
    for number, unit in enumerate(units, 1):
        found[unit.id] = unit_cost(bench, unit, "not tried")
        looked: tuple[list[int], Fate] | None = None
        try:
            if not stopped and oracle.variant(Reduced().plus([unit.id])) is not None:
                for cases, fate in _looks(oracle, unit, order, margin):
                    looked = cases, fate
                    oracle.to_come = oracle.trials * (len(order) * (len(units) - number + 1) - len(cases))
        except OutOfMoney:
            stopped = "at the limit of dollars"
        if looked is not None:
            found[unit.id] = _measured(oracle, found[unit.id], *looked)
    return tuple(found[unit.id] for unit in bench.units.units), stopped


def _looks(oracle: Oracle, unit: Unit, order: Sequence[int], margin: float) -> Iterator[tuple[list[int], Fate]]:
    """After each look the cases that were asked and what they show, until it is known whether a unit matters."""
    whole, without = Reduced(), Reduced().plus([unit.id])
    fates: dict[str, Fate] = {"drop": "matters", "confirmed": "spare", "keep": "unclear"}
    for upto in looks(len(order)):
        cases = list(order[:upto])
        oracle.ask(whole, cases)
        oracle.ask(without, cases)
        standing = race_standing(oracle.differences(without, whole, cases), margin / 100)
        yield cases, fates[standing]
        if standing != "keep":
            return


def _measured(oracle: Oracle, worth: UnitWorth, cases: list[int], fate: Fate) -> UnitWorth:
    values = oracle.differences(Reduced().plus([worth.unit.id]), Reduced(), cases)
    mean, low, high = worth_of(values)
    known = None if np.isnan(mean) else -100 * mean + 0.0
    return replace(worth, fate=fate, worth=known, low=-100 * high, high=-100 * low, cases=len(cases))
