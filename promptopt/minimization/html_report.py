"""A search as a page: what was confirmed, dollars against quality, each unit's cost and worth, the next version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from promptopt.minimization.ablation import Ablation
from promptopt.minimization.front import Fate, FrontRow, UnitWorth
from promptopt.minimization.result import Minimization
from promptopt.minimization.text import reasons, worth_text
from promptopt.money import UNPRICED, dollars, usd
from promptopt.tokens import tokenizer_for
from promptopt.webpage.blocks import (
    DiffBlock,
    PageBlock,
    PageSection,
    PlotBlock,
    ReportPage,
    TableBlock,
    TextBlock,
    VerdictBlock,
)

_FATES: tuple[Fate, ...] = ("removed", "kept", "untested", "matters", "spare", "unclear", "not tried")
_MOST_BARS = 60


def minimize_page(found: Minimization) -> ReportPage:
    """The page of ``promptopt minimize``."""
    rows, worths = found.front(), found.worths()
    return ReportPage(
        kind="promptopt minimize",
        title=f"{found.plan.prompt}: {len(worths):,} part{'s' * (len(worths) != 1)} that may go",
        lead=_verdicts(found),
        sections=[
            PageSection("Cost against quality", list(_front(rows))),
            PageSection("What each part costs and is worth", list(_units(worths))),
            PageSection("Facts that no case tests", list(_untested(found))),
            PageSection("The next version", list(_next_version(found))),
        ],
        footer=str(found.plan).splitlines(),
    )


def ablation_page(found: Ablation) -> ReportPage:
    """The page of ``promptopt ablate``."""
    counts = Counter(each.fate for each in found.worths)
    said = ", ".join(f"{counts[fate]} {fate}" for fate in _FATES if counts[fate])
    stopped = (f"stopped {found.stopped}",) if found.stopped else ()
    paid = str(found.outlay)
    about = f"at a margin of {found.margin:g} points of quality, of up to {found.cases:,} cases"
    return ReportPage(
        kind="promptopt ablate",
        title=f"{found.label}: {len(found.worths):,} part{'s' * (len(found.worths) != 1)}",
        lead=[VerdictBlock(said, about, (paid, *stopped))],
        sections=[
            PageSection("The prompt as a heat map", [TextBlock(found.heat_map(), preformatted=True)]),
            PageSection("What each part costs and is worth", list(_units(found.worths))),
        ],
    )


def _verdicts(found: Minimization) -> list[VerdictBlock]:
    said = tuple(found.footer())
    if not found.tried:
        return [VerdictBlock("nothing was asked", "what may go, and what it costs", said)]
    if not found.confirmed:
        outcome, _, why = found.unconfirmed.partition(": ")
        return [VerdictBlock(outcome, why, said)]
    # The version to take comes first: the cheapest one that is confirmed.
    ordered = sorted(found.confirmed, key=lambda each: each is not found.chosen)
    return [
        VerdictBlock(
            "confirmed" if each.accepted else "not confirmed",
            f"{found.bench.label(each.choice)}, on {each.cases:,} cases that the search never saw",
            (*reasons(each), *(said if each is ordered[0] else ())),
            "good" if each.accepted else "unclear",
        )
        for each in ordered
    ]


def _front(rows: Sequence[FrontRow]) -> Iterator[PageBlock]:
    if len(rows) < 2:
        return
    priced = all(row.usd_per_1k_calls is not None for row in rows)
    points = [
        {
            "label": row.label,
            "x": row.usd_per_1k_calls if priced else row.tokens,
            "y": row.points,
            "low": row.low,
            "high": row.high,
            "front": row.on_front,
            "baseline": row.state == "as it is",
        }
        for row in rows
    ]
    x = "dollars per 1,000 calls →" if priced else "input tokens →"
    yield PlotBlock(
        "front",
        "Quality against cost, of all that was tried",
        {"points": points, "x": x, "y": "↑ points of quality more or less", "points_of_quality": True},
        "; ".join(f"{row.label}: {row.points:+.1f} points ({row.state})" for row in rows),
        "The square is the prompt as it is. Filled: nothing else costs less and is as good, as measured. Only what is "
        "confirmed was measured on cases that the search never saw.",
    )
    cells = [
        [
            row.label,
            UNPRICED if row.usd_per_1k_calls is None else dollars(row.usd_per_1k_calls),
            f"{row.tokens:,.0f}",
            f"{row.points:+.1f}",
            "" if row.low is None or row.high is None else f"{row.low:+.1f} to {row.high:+.1f}",
            f"{row.cases:,}",
            row.state,
            "on the front" if row.on_front else "",
        ]
        for row in rows
    ]
    headers = ("version", "$ per 1,000 calls", "input tokens", "points", "95% interval", "cases", "state", "front")
    yield TableBlock(headers, cells, texts=(6, 7))


def _units(worths: Sequence[UnitWorth]) -> Iterator[PageBlock]:
    if not worths:
        return
    labels = {each.unit.id: f"{each.unit.line}: {each.unit.shown[:60]} ({each.unit.id})" for each in worths}
    largest = sorted(worths, key=lambda each: -each.tokens)[:_MOST_BARS]
    shown = [each for each in worths if each in largest]
    yield PlotBlock(
        "bars",
        "Input tokens of each part, in the order of the prompt",
        {
            "kinds": [fate for fate in _FATES if any(each.fate == fate for each in shown)],
            "unit": "input tokens",
            "bars": [{"label": labels[each.unit.id], "kind": each.fate, "value": each.tokens} for each in shown],
        },
        "; ".join(f"{labels[each.unit.id]}: {each.tokens:.0f}, {each.fate}" for each in shown),
        f"The {_MOST_BARS} largest of {len(worths):,}." if len(worths) > _MOST_BARS else "",
    )
    measured = [
        {
            "label": labels[each.unit.id],
            "value": each.worth,
            "low": each.low,
            "high": each.high,
            "tone": "good" if each.low > 0 else "bad" if each.high < 0 else "unclear",
        }
        for each in shown
        if each.worth is not None
    ]
    if measured:
        yield PlotBlock(
            "intervals",
            "Points of quality that the prompt loses without a part",
            {"rows": measured, "band": 0, "x": "points; above 0: the part is needed"},
            "; ".join(
                f"{row['label']}: {row['value']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})" for row in measured
            ),
            "The 95% intervals hold however often one looked. Parts that were tried together share theirs.",
        )
    monthly = any(each.usd_per_month is not None for each in worths)
    rows = [
        [
            each.unit.shown,
            f"{each.unit.path}:{each.unit.line}",
            f"{each.tokens:,.0f}",
            _cost(each, monthly),
            worth_text(each),
            each.fate,
        ]
        for each in worths
    ]
    headers = ("part", "place", "tokens", "$ a month" if monthly else "$ per 1,000 calls", "worth in points", "fate")
    groups = min((each.together for each in worths if each.together > 1), default=None)
    note = "" if groups is None else f"[{groups}]: tried together with others, {groups} in all."
    yield TableBlock(headers, rows, left=2, texts=(5,), note=note)


def _cost(each: UnitWorth, monthly: bool) -> str:
    cost = each.usd_per_month if monthly else each.usd_per_1k_calls
    return UNPRICED if cost is None else usd(cost) if monthly else dollars(cost)


def _untested(found: Minimization) -> Iterator[PageBlock]:
    if found.unsure:
        fate = "removed all the same" if found.untested_removed else "kept"
        rows = [
            [each.unit.shown, f"{each.unit.path}:{each.unit.line}", f"{each.cases:,}", fate] for each in found.unsure
        ]
        yield TableBlock(("fact", "place", "cases asked", "fate"), rows, left=2, texts=(3,))


def _next_version(found: Minimization) -> Iterator[PageBlock]:
    if found.chosen is None:
        return
    template = found.bench.units.template
    tokenizer = tokenizer_for(template.front.model)
    files = found.bench.written(found.chosen.choice)
    for name, after in sorted(files.items(), key=lambda pair: pair[0] != template.name):
        before = template.source if name == template.name else template.reader.read(name)
        old, new = (
            [(line, float(tokenizer.count(line)) if line.strip() else None) for line in text.splitlines()]
            for text in (before, after)
        )
        note = "Tokens of each line as it is written, without its variables."
        yield DiffBlock(template.reader.display(name), old, new, note=note)
