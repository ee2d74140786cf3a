"""The differences of a comparison as plots and tables: a section for each candidate, one for all if they are many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.experiment.comparison import Comparison, Pair
from promptopt.experiment.report.summary import MANY, differences_table, parts_table
from promptopt.experiment.runs import VariantSummary
from promptopt.experiment.text import cases_compared, change_text, interval_text, metric_name
from promptopt.experiment.verdict import Difference
from promptopt.webpage.blocks import PageBlock, PageSection, PlotBlock, TableBlock, Tone

_ENDS = {"value": "difference", "low": "low", "high": "high"}
_PLOTTED = ("quality", "usd_per_1k_calls")


def pair_sections(comparison: Comparison) -> list[PageSection]:
    """The sections; none if there is nothing to compare with."""
    pairs = comparison.pairs
    if len(pairs) > MANY:
        return [PageSection(f"Differences from {pairs[0].baseline}", list(_all_blocks(comparison)))]
    return [
        PageSection(f"{pair.candidate} against {pair.baseline}", list(_pair_blocks(pair, comparison))) for pair in pairs
    ]


def _pair_blocks(pair: Pair, comparison: Comparison) -> Iterator[PageBlock]:
    rows = [row for each in pair.differences if (row := _row(metric_name(each.metric), each, comparison.variants[0]))]
    if rows:
        unit = "quality in points, the rest in percent of the baseline"
        yield _intervals("Differences with their 97.5% intervals", rows, comparison.margin, unit)
    yield differences_table(pair.differences, pair.answered, pair.cases)
    parts = parts_table(pair.parts, pair.looks) if pair.answered else None
    if parts is not None:
        yield parts


def _all_blocks(comparison: Comparison) -> Iterator[PageBlock]:
    """Two plots with a row for each candidate, and tables of all differences and parts."""
    pairs = comparison.pairs
    for metric in _PLOTTED:
        found = [(pair.candidate, each) for pair in pairs for each in pair.differences if each.metric == metric]
        rows = [row for label, each in found if (row := _row(label, each, comparison.variants[0]))]
        if rows:
            quality = metric == "quality"
            title = f"Difference in {metric_name(metric)}, with its 97.5% interval"
            yield _intervals(title, rows, comparison.margin * quality, "points" if quality else "% of the baseline")
    rows_of = [
        [pair.candidate, metric_name(each.metric), change_text(each), interval_text(each)]
        for pair in pairs
        for each in pair.differences
        if each.difference is not None
    ]
    limits = [(pair.candidate, cases_compared(pair.answered, pair.cases)) for pair in pairs]
    note = " ".join(f"{label}: {said}." for label, said in limits if said)
    yield TableBlock(("candidate", "difference", "mean", "97.5% interval"), rows_of, left=2, note=note)
    answered = [pair for pair in pairs if pair.answered]
    tables = [(pair.candidate, table) for pair in answered if (table := parts_table(pair.parts, pair.looks))]
    if tables:
        first = tables[0][1]
        rows_of = [[label, *row] for label, table in tables for row in table.rows]
        yield TableBlock(("candidate", *first.headers), rows_of, first.caption, left=2, texts=(7,), note=first.note)


def _row(label: str, difference: Difference, baseline: VariantSummary) -> dict[str, Any] | None:
    """A row of a plot; ``None`` for a difference without an interval, or that cannot be put on the common scale."""
    unit = _unit(difference.metric, baseline)
    low, high = difference.low, difference.high
    if unit is None or difference.difference is None or low is None or high is None:
        return None
    ends = {name: getattr(difference, key) * unit for name, key in _ENDS.items()}
    return {"label": label, **ends, "tone": _tone(difference.metric, low, high)}


def _intervals(title: str, rows: list[dict[str, Any]], margin: float, unit: str) -> PlotBlock:
    said = "; ".join(f"{row['label']} {row['value']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})" for row in rows)
    note = f"The grey band is the margin of {margin:g} points of quality." if margin else ""
    return PlotBlock("intervals", title, {"rows": rows, "band": margin, "x": unit}, said, note)


def _unit(metric: str, baseline: VariantSummary) -> float | None:
    """What makes a difference points (quality) or percent of the baseline; ``None`` if that is unknown."""
    if metric in ("quality", "pass_rate"):
        return 100.0
    known: Mapping[str, float | None] = {
        "input_tokens": baseline.input_tokens,
        "output_tokens": baseline.output_tokens,
        "usd_per_1k_calls": baseline.warm_usd_per_1k_calls or baseline.usd_per_1k_calls,
        "usd_per_pass": baseline.usd_per_pass,
    }
    whole = known[metric]
    return 100 / whole if whole else None


def _tone(metric: str, low: float, high: float) -> Tone:
    if low <= 0 <= high:
        return "unclear"
    return "good" if (low > 0) == (metric in ("quality", "pass_rate")) else "bad"
