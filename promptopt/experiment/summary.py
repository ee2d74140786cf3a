"""What one variant did on the whole suite: means per call, and what a passing answer costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from promptopt.experiment.runner import Run, Trial
from promptopt.tokens import Basis, count_tokens


@dataclass(frozen=True, slots=True)
class VariantSummary:
    """One variant's row.

    Attributes:
        prompt: Its label, ``reviews@v1``.
        path: Its file.
        model: The model that answered.
        priced_as: The model whose price and tokenizer count.
        cases: How many cases.
        trials: How many answers, or errors in their place.
        errors: Trials without an answer.
        pass_rate: Share of trials that passed, 0 to 1.
        quality: Mean quality, 0 to 1.
        input_tokens: Mean per call, as billed; so are the next two.
        cached_tokens: Of them, read from the provider's cache.
        output_tokens: Output tokens.
        basis: How those were come by: measured, counted or estimated; several where trials differ.
        measured_input_tokens: What the answering provider measured, mean per call; ``None`` where it did not say.
        counted_input_tokens: What the priced model's tokenizer counts for the same requests.
        usd_per_1k_calls: List cost of a thousand calls; ``None`` where unpriced.
        usd_per_pass: List cost of all calls over the number that passed; ``None`` where unpriced or none passed.
        incurred_usd: What this run paid; a replay paid nothing. ``None`` where a live call was unpriced.
        latency_ms: Median of live calls; ``None`` where all were replayed.
        replayed: Trials answered out of recordings.
        recorded: First and last day of those recordings.
        unjudged: Asserts that could not be judged.
    """

    prompt: str
    path: str
    model: str
    priced_as: str
    cases: int
    trials: int
    errors: int
    pass_rate: float
    quality: float
    input_tokens: float | None
    cached_tokens: float | None
    output_tokens: float | None
    basis: tuple[Basis, ...]
    measured_input_tokens: float | None
    counted_input_tokens: float | None
    usd_per_1k_calls: float | None
    usd_per_pass: float | None
    incurred_usd: float | None
    latency_ms: float | None
    replayed: int
    recorded: tuple[str, str] | None
    unjudged: int


def summarize(run: Run) -> VariantSummary:
    """The summary of a run."""
    variant, trials = run.variant, run.trials
    answered = [trial for trial in trials if trial.measured is not None]
    usages = [trial.measured.usage for trial in answered if trial.measured]
    costs = [trial.measured.cost for trial in answered if trial.measured]
    total = sum((cost.total_usd for cost in costs if cost), Decimal(0)) if all(costs) and costs else None
    passed = sum(trial.passed for trial in trials)
    days = sorted(trial.recorded_at[:10] for trial in trials if trial.replayed and trial.recorded_at)
    return VariantSummary(
        prompt=variant.label,
        path=variant.template.path,
        model=variant.model,
        priced_as=variant.priced_as,
        cases=len({trial.case for trial in trials}),
        trials=len(trials),
        errors=len(trials) - len(answered),
        pass_rate=passed / len(trials),
        quality=sum(trial.quality for trial in trials) / len(trials),
        input_tokens=_mean([usage.input_tokens for usage in usages]),
        cached_tokens=_mean([usage.cache_read_tokens for usage in usages]),
        output_tokens=_mean([usage.output_tokens for usage in usages]),
        basis=tuple(sorted({trial.measured.basis for trial in answered if trial.measured})),
        measured_input_tokens=_mean(
            [trial.response.usage.input_tokens for trial in answered if trial.response and trial.response.usage]
        ),
        counted_input_tokens=_mean([_counted_input(trial, variant.priced_as) for trial in answered]),
        usd_per_1k_calls=None if total is None else float(total / len(costs) * 1000),
        usd_per_pass=None if total is None or not passed else float(total / passed),
        incurred_usd=_incurred(answered, variant.model),
        latency_ms=_median(
            trial.response.duration_s * 1000 for trial in answered if trial.response and trial.response.duration_s
        ),
        replayed=sum(trial.replayed for trial in trials),
        recorded=(days[0], days[-1]) if days else None,
        unjudged=sum(trial.score.unjudged for trial in trials if trial.score),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _counted_input(trial: Trial, model: str) -> int:
    return count_tokens(trial.request.messages, model, schema=trial.request.output_schema).tokens


def _incurred(trials: Iterable[Trial], model: str) -> float | None:
    """What live calls cost at the answering model's own price; those of some models are free."""
    from promptopt.prices import find_price
    from promptopt.providers import is_free

    live = [trial for trial in trials if trial.response and not trial.replayed]
    if not live or is_free(model):
        return 0.0
    usages = [trial.response.usage for trial in live if trial.response]
    price = find_price(model, processing=live[0].processing)
    if price is None or None in usages:
        return None
    return float(sum((price.cost(usage).total_usd for usage in usages if usage), Decimal(0)))


def _median(values: Iterable[float]) -> float | None:
    from statistics import median

    found = list(values)
    return median(found) if found else None
