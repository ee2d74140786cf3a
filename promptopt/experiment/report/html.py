"""A comparison as one HTML page that opens offline: no script, no font, no image from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from promptopt.experiment.comparison import Comparison, Pair
from promptopt.experiment.frontier import Frontier
from promptopt.experiment.runs import Answered, Trial, VariantSummary
from promptopt.experiment.text import (
    change_text,
    failures,
    interval_text,
    metric_name,
    passed_text,
    to_take,
    trial_name,
)
from promptopt.money import dollars

_WIDTH, _ROW, _LEFT = 640, 30, 150
_CASES_SHOWN = 200


def comparison_html(comparison: Comparison) -> str:
    """The page: verdicts, a table of variants, plots of tokens and differences, the cases that differ, a footer."""
    source = files("promptopt.experiment.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    differing, failed = _cases(comparison)
    front = comparison.frontier
    return environment.from_string(source).render(
        suite=comparison.suite.name,
        margin=comparison.margin,
        pairs=comparison.pairs,
        variants=comparison.variants,
        dollars=dollars,
        warm=any(variant.warm_cached_tokens is not None for variant in comparison.variants),
        number=lambda value: "-" if value is None else f"{value:,.1f}",
        percent=lambda value: "-" if value is None else f"{value * 100:.1f}%",
        tokens_plot=_tokens_plot(comparison.variants),
        plots=[_differences_plot(pair, comparison) for pair in comparison.pairs],
        rows=[_difference_rows(pair) for pair in comparison.pairs],
        parts=[_part_rows(pair) for pair in comparison.pairs],
        race=comparison.race,
        front=front,
        front_points=front.by_cost if front else (),
        to_take=to_take(front) if front else "",
        front_plot=_front_plot(front) if front else "",
        case_prompts=[run.variant.label for run in comparison.kept],
        case_tables=[
            (title, cases[:_CASES_SHOWN], max(0, len(cases) - _CASES_SHOWN))
            for title, cases in (
                (f"{len(differing):,} of {len(comparison.kept[0].trials):,} cases differ", differing),
                (f"{len(failed):,} cases fail with every prompt", failed),
            )
        ],
        problems=list(failures(comparison.runs, comparison.variants)),
        footer=comparison.footer,
    )


def _difference_rows(pair: Pair) -> list[tuple[str, str, str]]:
    return [
        (metric_name(difference.metric), change_text(difference), interval_text(difference))
        for difference in pair.differences
        if difference.difference is not None
    ]


def _part_rows(pair: Pair) -> list[tuple[str, int, str, str, str]]:
    return [
        (
            *(f"{part.by} {part.name}", part.evidence.cases, change_text(part.difference)),
            *(interval_text(part.difference), "unjudged" if part.baseline is None else part.quality),
        )
        for part in pair.parts
        if part.by != "assert" or not part.whole
    ]


def _cases(comparison: Comparison) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The cases on which the variants differ in passing, and those on which none of them passes."""
    differing: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for trials in zip(*(run.trials for run in comparison.kept), strict=True):
        results = {passed_text(trial) for trial in trials}
        if results != {"pass"}:
            row = {"name": trial_name(trials[0]), "answers": [_answer(trial) for trial in trials]}
            (differing if len(results) > 1 else failed).append(row)
    return differing, failed


def _answer(trial: Trial) -> dict[str, Any]:
    if isinstance(trial, Answered):
        return {"passed": trial.passed, "text": trial.response.shown, "reason": trial.said}
    return {"passed": False, "text": f"no answer: {trial.error}", "reason": ""}


def _tokens_plot(variants: Sequence[VariantSummary]) -> Markup:
    """Input and output tokens of each variant, as bars on one scale."""
    largest = max((variant.input_tokens or 0) + (variant.output_tokens or 0) for variant in variants) or 1
    scale = (_WIDTH - _LEFT - 120) / largest
    parts = []
    for row, variant in enumerate(variants):
        y = row * _ROW + 6
        in_width, out_width = (variant.input_tokens or 0) * scale, (variant.output_tokens or 0) * scale
        label = f"{variant.input_tokens or 0:,.0f} in + {variant.output_tokens or 0:,.1f} out"
        parts += [
            _text(_LEFT - 10, y + 13, variant.prompt, "end"),
            _rect(_LEFT, y, in_width, "input"),
            _rect(_LEFT + in_width, y, out_width, "output"),
            _text(_LEFT + in_width + out_width + 8, y + 13, label),
        ]
    return _svg(parts, len(variants) * _ROW + 6, "Tokens per call")


def _front_plot(found: Frontier) -> Markup:
    """Dollars from left to right, quality upwards, with the intervals that hold together."""
    points = [point for point in found.points if point.usd_per_1k_calls is not None and point.quality is not None]
    most = max((point.usd_per_1k_calls or 0.0 for point in points), default=0.0) or 1.0
    height, left = 260, 50
    width = _WIDTH - left - 20
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = 10 + (height - 40) * (1 - share)
        parts += [_line(left, y, left + width, y, "grid"), _text(left - 6, y + 4, f"{share * 100:.0f}%", "end")]
    for point in points:
        x = left + width * (point.usd_per_1k_calls or 0.0) / most
        y, *ends = (
            10 + (height - 40) * (1 - quality)
            for quality in (point.quality, point.low, point.high)
            if quality is not None
        )
        if len(ends) == 2:
            parts.append(_line(x, ends[0], x, ends[1], "spread"))
        kind = "front" if point.on_front else "other"
        beside = (x - 9, y - 6, point.label, "end") if x > left + width / 2 else (x + 9, y - 6, point.label)
        parts += [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>', _text(*beside)]
    parts += [_text(left, height - 4, "$0"), _text(left + width, height - 4, f"{dollars(most)} per 1,000 calls", "end")]
    return _svg(parts, height, "Dollars against quality")


def _differences_plot(pair: Pair, comparison: Comparison) -> Markup:
    """Intervals of the differences in percent of the baseline (quality in points), around zero."""
    baseline = next(variant for variant in comparison.variants if variant.prompt == pair.baseline)
    rows: list[tuple[str, float, float, float]] = []
    for difference in pair.differences:
        unit = _unit(difference.metric, baseline)
        if unit is None or difference.difference is None or difference.low is None or difference.high is None:
            continue
        ends = (difference.difference * unit, difference.low * unit, difference.high * unit)
        rows.append((metric_name(difference.metric), *ends))
    reach = max((abs(value) for row in rows for value in row[1:]), default=1.0) * 1.08 or 1.0
    middle, scale = (_WIDTH + _LEFT) / 2, (_WIDTH - _LEFT - 20) / 2 / reach
    height = len(rows) * _ROW + 26
    parts = [
        _rect(middle - comparison.margin * scale, 0, comparison.margin * 2 * scale, "margin", height - 20),
        _line(middle, 0, middle, height - 20, "zero"),
    ]
    for row, (name, mean, low, high) in enumerate(rows):
        y = row * _ROW + 16
        kind = "good" if _is_good(name, low, high) else "bad" if _is_good(name, -high, -low) else "unclear"
        parts += [
            _text(_LEFT - 10, y + 4, name, "end"),
            _line(middle + low * scale, y, middle + high * scale, y, f"interval {kind}"),
            f'<circle class="{kind}" cx="{middle + mean * scale:.1f}" cy="{y}" r="5"/>',
        ]
    parts += [
        _text(_LEFT, height - 4, f"-{reach:.0f}%"),
        _text(middle, height - 4, "0", "middle"),
        _text(_WIDTH - 20, height - 4, f"+{reach:.0f}%", "end"),
    ]
    return _svg(parts, height, f"Differences of {pair.candidate}")


def _unit(metric: str, baseline: VariantSummary) -> float | None:
    """What makes a difference points (quality) or percent of the baseline."""
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


def _is_good(name: str, low: float, high: float) -> bool:
    return low > 0 if name in ("quality", "pass rate") else high < 0


def _rect(x: float, y: float, width: float, kind: str, height: float = 18) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{max(width, 0.5):.1f}" height="{height}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{Markup.escape(text)}</text>'


def _svg(parts: Sequence[str], height: float, title: str) -> Markup:
    # The parts are built above from numbers and escaped texts.
    body = "".join(parts)
    return Markup(  # noqa: S704 - see above
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img"><title>{Markup.escape(title)}</title>{body}</svg>'
    )
