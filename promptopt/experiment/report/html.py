"""A comparison as one HTML page that opens offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptopt.experiment.comparison import Comparison, Pair
from promptopt.experiment.frontier import FrontierPoint, frontier_points
from promptopt.experiment.report.cases import cases_block
from promptopt.experiment.report.prompt_diff import prompt_diffs
from promptopt.experiment.report.summary import differences_table, front_table, parts_table
from promptopt.experiment.runs import Run, VariantSummary
from promptopt.experiment.text import failures, metric_name
from promptopt.webpage.blocks import PageBlock, PageSection, PlotBlock, ReportPage, TextBlock, Tone
from promptopt.webpage.page import page_html

_BINS = 20
_MOST_HISTOGRAMS = 12


def comparison_html(comparison: Comparison) -> str:
    """The page: verdicts, variants, plots of cost, tokens and differences, the cases, the prompts' changes."""
    return page_html(comparison_page(comparison))


def comparison_page(comparison: Comparison) -> ReportPage:
    """What is on the page."""
    variants = comparison.variants
    count, cases = len(variants), len(comparison.suite.cases)
    plural = f"{count} variants" if count != 1 else "1 variant"
    problems = list(failures(comparison.runs, variants))
    sections = [
        PageSection("Cost against quality", list(_front_blocks(comparison))),
        PageSection("Tokens", [_tokens_plot(variants)]),
        *(
            PageSection(f"{pair.candidate} against {pair.baseline}", list(_pair_blocks(pair, comparison)))
            for pair in comparison.pairs
        ),
        PageSection("Scores", list(_histograms(comparison.kept))),
        PageSection("Cases", [cases_block(comparison.suite, comparison.kept)]),
        PageSection("Prompts", list(prompt_diffs(comparison))),
        PageSection("Problems", [TextBlock("\n".join(problems), True)] if problems else []),
    ]
    return ReportPage(
        kind="promptopt compare",
        title=f"{comparison.suite.name}: {plural}, {cases:,} case{'s' * (cases != 1)}",
        lead=comparison.summary_blocks(),
        sections=sections,
        footer=comparison.footer,
    )


def _front_blocks(comparison: Comparison) -> Iterator[PageBlock]:
    points = frontier_points(comparison.runs, comparison.variants, comparison.cascade)
    known = [point for point in points if point.usd_per_1k_calls is not None and point.quality is not None]
    if len(known) > 1:
        baseline = comparison.variants[0].prompt
        yield PlotBlock(
            "front",
            "Quality against dollars per 1,000 calls",
            {"points": [_point(point, baseline) for point in known]},
            "; ".join(map(_point_words, known)),
            "The square is the baseline. Filled: no other variant costs less at this quality or is better at this "
            "cost, as measured. The line is the Pareto front. Vertical lines are 95% intervals that hold all together.",
        )
    if comparison.frontier is not None:
        yield front_table(comparison.frontier)


def _point(point: FrontierPoint, baseline: str) -> dict[str, object]:
    return {
        "label": point.label,
        "x": point.usd_per_1k_calls,
        "y": point.quality,
        "low": point.low,
        "high": point.high,
        "front": point.on_front,
        "baseline": point.label == baseline,
    }


def _point_words(point: FrontierPoint) -> str:
    on_front = ", on the front" if point.on_front else ""
    return f"{point.label}: ${point.usd_per_1k_calls:.4g}, quality {(point.quality or 0) * 100:.1f}%{on_front}"


def _tokens_plot(variants: Sequence[VariantSummary]) -> PageBlock:
    """Tokens of each variant by kind, as bars on one scale."""
    found = {
        variant.prompt: {
            "input": (variant.input_tokens or 0) - (variant.cached_tokens or 0),
            "input, cached": variant.cached_tokens or 0,
            "output": (variant.output_tokens or 0) - (variant.reasoning_tokens or 0),
            "reasoning": variant.reasoning_tokens or 0,
        }
        for variant in variants
    }
    kinds = [
        kind for kind in ("input", "input, cached", "output", "reasoning") if any(of[kind] for of in found.values())
    ]
    said = (f"{label}: {', '.join(f'{kind} {of[kind]:,.1f}' for kind in kinds)}" for label, of in found.items())
    bars = [{"label": label, "kind": kind, "value": of[kind]} for label, of in found.items() for kind in kinds]
    data = {"kinds": kinds, "bars": bars, "unit": "tokens per call"}
    return PlotBlock("bars", "Mean tokens of a call, by kind", data, "; ".join(said))


def _pair_blocks(pair: Pair, comparison: Comparison) -> Iterator[PageBlock]:
    baseline = next(variant for variant in comparison.variants if variant.prompt == pair.baseline)
    rows = [
        {
            "label": metric_name(each.metric),
            **{name: getattr(each, key) * unit for name, key in _ENDS.items()},
            "tone": _tone(each.metric, each.low, each.high),
        }
        for each in pair.differences
        if (unit := _unit(each.metric, baseline)) is not None
        and each.difference is not None
        and each.low is not None
        and each.high is not None
    ]
    if rows:
        yield PlotBlock(
            "intervals",
            "Differences with their 97.5% intervals",
            {"rows": rows, "band": comparison.margin, "x": "quality in points, the rest in percent of the baseline"},
            "; ".join(f"{row['label']} {row['value']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})" for row in rows),
            f"The grey band is the margin of {comparison.margin:g} points of quality.",
        )
    yield differences_table(pair.differences)
    parts = parts_table(pair.parts, pair.looks)
    if parts is not None:
        yield parts


_ENDS = {"value": "difference", "low": "low", "high": "high"}


def _unit(metric: str, baseline: VariantSummary) -> float | None:
    """What makes a difference points (quality) or percent of the baseline; ``None`` if that is unknown."""
    if metric in ("quality", "pass_rate"):
        return 100.0
    known: dict[str, float | None] = {
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


def _histograms(runs: Sequence[Run]) -> Iterator[PageBlock]:
    """How the scores of each assert that gives degrees are spread: two heaps are seen, a mean hides them."""
    values: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for trial in run.answered:
            for score in trial.score.scores:
                if not score.broken:
                    values.setdefault((score.name, run.variant.label), []).append(score.value)
    graded = {name for (name, _), found in values.items() if any(0 < value < 1 for value in found)}
    groups = {key: found for key, found in values.items() if key[0] in graded}
    if not groups:
        return
    shown = sorted(groups)[:_MOST_HISTOGRAMS]
    bins = []
    for name, label in shown:
        counts = [0] * _BINS
        for value in groups[name, label]:
            counts[min(_BINS - 1, int(value * _BINS))] += 1
        bins += [
            {"group": f"{name}: {label}", "low": at / _BINS, "high": (at + 1) / _BINS, "count": count}
            for at, count in enumerate(counts)
        ]
    said = "; ".join(f"{name}, {label}: mean {_mean(groups[name, label]):.2f}" for name, label in shown)
    left = len(groups) - len(shown)
    note = f"And {left} more groups." if left else ""
    yield PlotBlock("histogram", "How scores are spread", {"bins": bins, "x": "score"}, said, note)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
