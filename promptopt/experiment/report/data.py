"""A comparison as plain data: the form that ``--json`` prints, documented in docs/compare.md."""

from __future__ import annotations

from typing import Any

from promptopt.experiment.compare import Comparison, Pair
from promptopt.experiment.summary import VariantSummary
from promptopt.experiment.verdict import Difference
from promptopt.files import show_path
from promptopt.prices import find_price
from promptopt.tokens import tokenizer_for

FORMAT_VERSION = 1
_DIGITS = 10


def comparison_dict(comparison: Comparison) -> dict[str, Any]:
    """Rows of variants and of differences; every difference row of a pair carries the pair's one verdict."""
    return {
        "version": FORMAT_VERSION,
        "suite": comparison.suite.name,
        "suite_path": show_path(comparison.suite.path),
        "margin": comparison.margin,
        "variants": [_variant(variant) for variant in comparison.variants],
        "comparisons": [row for pair in comparison.pairs for row in _rows(pair)],
        "provenance": provenance(comparison),
        "errors": [
            {"prompt": run.variant.label, "case": trial.case, "error": trial.error}
            for run in comparison.runs
            for trial in run.trials
            if trial.error
        ],
    }


def _variant(variant: VariantSummary) -> dict[str, Any]:
    return {
        "prompt": variant.prompt,
        "path": variant.path,
        "model": variant.model,
        "priced_as": variant.priced_as,
        "cases": variant.cases,
        "trials": variant.trials,
        "errors": variant.errors,
        "pass_rate": rounded(variant.pass_rate),
        "quality": rounded(variant.quality),
        "input_tokens": rounded(variant.input_tokens),
        "cached_tokens": rounded(variant.cached_tokens),
        "output_tokens": rounded(variant.output_tokens),
        "tokens_basis": list(variant.basis),
        "measured_input_tokens": rounded(variant.measured_input_tokens),
        "counted_input_tokens": rounded(variant.counted_input_tokens),
        "usd_per_1k_calls": rounded(variant.usd_per_1k_calls),
        "usd_per_pass": rounded(variant.usd_per_pass),
        "incurred_usd": rounded(variant.incurred_usd),
        "latency_ms": rounded(variant.latency_ms),
        "replayed": variant.replayed,
        "recorded": list(variant.recorded) if variant.recorded else None,
    }


def _rows(pair: Pair) -> list[dict[str, Any]]:
    return [
        {
            "baseline": pair.baseline,
            "candidate": pair.candidate,
            **_difference(difference),
            "verdict": pair.decision.verdict,
            "reasons": list(pair.decision.reasons),
            "cases_needed": pair.decision.cases_needed,
        }
        for difference in pair.differences
    ]


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "metric": difference.metric,
        "difference": rounded(difference.difference),
        "low": rounded(difference.low),
        "high": rounded(difference.high),
        "p_value": rounded(difference.p_value),
    }


def provenance(comparison: Comparison) -> dict[str, Any]:
    """Who answered, when, how tokens were counted and at which prices."""
    priced_as = list(dict.fromkeys(variant.priced_as for variant in comparison.variants))
    days = sorted(day for variant in comparison.variants if variant.recorded for day in variant.recorded)
    return {
        "answered_by": sorted(
            {trial.response.model for run in comparison.runs for trial in run.trials if trial.response}
        ),
        "replayed": sum(variant.replayed for variant in comparison.variants),
        "live": sum(variant.trials - variant.replayed for variant in comparison.variants),
        "recorded": [days[0], days[-1]] if days else None,
        "tokenizers": {model: tokenizer_for(model).encoding for model in priced_as},
        "prices": {model: price.source if (price := find_price(model)) else None for model in priced_as},
    }


def rounded(value: float | None) -> float | None:
    """Without the last bits, which differ from machine to machine."""
    return None if value is None else round(value, _DIGITS)
