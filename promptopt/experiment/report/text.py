"""A comparison as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptopt.experiment.compare import Comparison, Pair
from promptopt.experiment.report.data import provenance
from promptopt.experiment.runner import Trial
from promptopt.experiment.summary import VariantSummary
from promptopt.experiment.verdict import Difference
from promptopt.money import dollars
from promptopt.prices import close_models, find_price
from promptopt.tables import table

_ANSWER_WIDTH = 70
_NAMES = {
    "quality": "quality",
    "pass_rate": "pass rate",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "usd_per_1k_calls": "$ per 1,000 calls",
    "usd_per_pass": "$ per 1,000 passes",
}


def comparison_text(comparison: Comparison) -> str:
    """The variants, the differences of each pair with its verdict, and a footer that says where it all comes from."""
    parts = [_variants(comparison.variants)]
    parts.extend(_pair(pair) for pair in comparison.pairs)
    if errors := list(_errors(comparison)):
        parts.append("\n".join(errors))
    parts.append("\n".join(footer(comparison)))
    return "\n\n".join(parts) + "\n"


def _variants(variants: Sequence[VariantSummary]) -> str:
    rows = [
        [
            variant.prompt,
            variant.cases,
            _tokens(variant.input_tokens),
            _tokens(variant.cached_tokens),
            _tokens(variant.output_tokens),
            dollars(variant.usd_per_1k_calls),
            dollars(None if variant.usd_per_pass is None else variant.usd_per_pass * 1000, variant.usd_per_1k_calls),
            f"{variant.quality * 100:.1f}%",
            f"{variant.pass_rate * 100:.1f}%",
        ]
        for variant in variants
    ]
    headers = ["prompt", "cases", "input", "cached", "output", "$/1k calls", "$/1k passes", "quality", "pass rate"]
    return table(rows, headers)


def _tokens(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _pair(pair: Pair) -> str:
    rows = [
        [metric_name(difference.metric), change_text(difference), interval_text(difference)]
        for difference in pair.differences
        if difference.difference is not None
    ]
    heading = f"{pair.candidate} against {pair.baseline}: {pair.decision.verdict.upper()}"
    reasons = "\n".join(f"  {reason}" for reason in pair.decision.reasons)
    return f"{heading}\n{reasons}\n\n{table(rows, ['difference', 'mean', '95% interval'])}"


def _scale(metric: str) -> float:
    return {"quality": 100, "pass_rate": 100, "usd_per_pass": 1000}.get(metric, 1)


def _number(metric: str, value: float) -> str:
    value *= _scale(metric)
    if metric.startswith("usd"):
        return f"{'-' if value < 0 else '+'}${abs(value):,.4f}"
    return f"{value:+,.1f}{' points' if metric in ('quality', 'pass_rate') else ''}"


def metric_name(metric: str) -> str:
    """A metric as a table names it."""
    return _NAMES[metric]


def change_text(difference: Difference) -> str:
    """A mean difference with its sign and unit; empty where it is unknown."""
    return "" if difference.difference is None else _number(difference.metric, difference.difference)


def interval_text(difference: Difference) -> str:
    """The 95% interval of a difference, or why there is none."""
    if difference.low is None or difference.high is None:
        return "too few cases"
    if difference.low == difference.high:
        return "the same in every case"
    low, high = _number(difference.metric, difference.low), _number(difference.metric, difference.high)
    return f"{low.removesuffix(' points')} to {high}"


def _errors(comparison: Comparison) -> Iterator[str]:
    for run in comparison.runs:
        failed = [trial for trial in run.trials if trial.error]
        if failed:
            yield f"{run.variant.label}: {len(failed)} of {len(run.trials)} calls failed and count as not passed:"
            yield from (f"  {trial.case}: {trial.error}" for trial in failed[:3])
            if len(failed) > 3:
                yield f"  and {len(failed) - 3} more"


def footer(comparison: Comparison) -> Iterator[str]:
    """Who answered, when, how tokens were counted and at which prices."""
    origin = provenance(comparison)
    answered = ", ".join(origin["answered_by"]) or "nobody"
    recorded = ""
    if origin["recorded"]:
        first, last = origin["recorded"]
        recorded = f", recorded {first}" + (f" to {last}" if last != first else "")
    yield f"answers: {answered}; {origin['replayed']:,} replayed{recorded}; {origin['live']:,} live"
    yield from _token_lines(comparison.variants, origin["tokenizers"])
    for model, source in origin["prices"].items():
        yield f"prices: {model}, {_price(model)} ({source})" if source else f"prices: {_unpriced(model)}"
    incurred = [variant.incurred_usd for variant in comparison.variants]
    paid = "unknown (unpriced)" if None in incurred else dollars(sum(cost or 0.0 for cost in incurred))
    yield f"list cost above is usage x price; this run itself cost {paid}"
    if unjudged := sum(variant.unjudged for variant in comparison.variants):
        yield f"{unjudged} latency asserts were not judged: a replay has no latency"
    yield from (f"note: {note}" for note in comparison.suite.notes)


def _token_lines(variants: Sequence[VariantSummary], tokenizers: dict[str, str]) -> Iterator[str]:
    bases = sorted({basis for variant in variants for basis in variant.basis})
    how = ", ".join(f"{encoding} for {model}" for model, encoding in tokenizers.items())
    yield f"tokens: {' and '.join(bases) or 'none'} ({how})"
    for variant in variants:
        if variant.measured_input_tokens is not None and variant.counted_input_tokens is not None:
            yield (
                f"  {variant.prompt}: {variant.model} measured {variant.measured_input_tokens:,.1f} input tokens, "
                f"{tokenizers[variant.priced_as]} counts {variant.counted_input_tokens:,.1f}"
            )


def _price(model: str) -> str:
    price = find_price(model)
    assert price is not None  # only called for a priced model
    named = "" if price.model == model else f"{price.provider}/{price.model}, "
    return f"{named}${price.input_mtok:f} in, ${price.cache_read_mtok:f} cached, ${price.output_mtok:f} out per million"


def _unpriced(model: str) -> str:
    close = close_models(model)
    hint = f"; close names: {', '.join(close)}" if close else ""
    return f"{model} is unpriced{hint} (name one with --price-as, or give its price in [tool.promptopt.prices])"


def case_differences(comparison: Comparison) -> str:
    """The cases on which variants differ in passing, with the answers of each."""
    by_case: dict[tuple[str, int], list[tuple[str, Trial]]] = {}
    for run in comparison.runs:
        for trial in run.trials:
            by_case.setdefault((trial.case, trial.sample), []).append((run.variant.label, trial))
    parts = []
    for (case, sample), answers in by_case.items():
        if len({trial.passed for _, trial in answers}) < 2:
            continue
        lines = [case if not sample else f"{case} (repetition {sample})"]
        lines.extend(f"  {label}: {'pass' if trial.passed else 'FAIL'}  {_answer(trial)}" for label, trial in answers)
        parts.append("\n".join(lines))
    count = f"{len(parts)} of {len(by_case)} cases differ"
    return "\n\n".join([count, *parts]) + "\n"


def _answer(trial: Trial) -> str:
    if trial.response is None:
        return f"no answer: {trial.error}"
    text = " ".join(trial.response.text.split())
    shown = repr(text if len(text) <= _ANSWER_WIDTH else text[: _ANSWER_WIDTH - 1] + "…")
    reasons = [score.explanation for score in (trial.score.scores if trial.score else ()) if score.explanation]
    return shown + (f"  ({reasons[0]})" if reasons and not trial.passed else "")
