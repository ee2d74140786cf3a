"""A comparison as one HTML page that opens offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptopt.experiment.comparison import Comparison
from promptopt.experiment.frontier import FrontierPoint, frontier_points
from promptopt.experiment.report.cases import cases_block
from promptopt.experiment.report.differences import pair_sections
from promptopt.experiment.report.prompt_diff import prompt_diffs
from promptopt.experiment.report.summary import front_table
from promptopt.experiment.runs import Run, VariantSummary
from promptopt.experiment.text import failures
from promptopt.webpage.blocks import PageBlock, PageSection, PlotBlock, ReportPage, TextBlock
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
        *pair_sections(comparison),
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
    points = frontier_points(comparison.runs, comparison.variants, comparison.cascade, comparison.failing)
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
