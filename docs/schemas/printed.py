"""The schemas of what commands print with ``--json``."""

from typing import get_args

from parts import ANY, COUNT, FLAG, NUMBER, TABLE, TEXT, Schema, listed, optional, words

from promptopt.auditing import report as audit_report
from promptopt.auditing.strategy_settings import STRATEGIES
from promptopt.experiment import comparison as comparison_module
from promptopt.experiment.verdict import Verdict


def row(*, text: str = "", count: str = "", measure: str = "", **others: Schema) -> Schema:
    """An object of what a command prints: within a version keys are added, never changed or removed.

    Args:
        text: Keys of texts.
        count: Keys of whole numbers.
        measure: Keys of numbers that are null if they are not known.
    """
    found = dict.fromkeys(text.split(), TEXT) | dict.fromkeys(count.split(), COUNT)
    found |= {key: {"type": ["number", "null"]} for key in measure.split()} | others
    return {"type": "object", "properties": found, "required": list(found)}


def comparison() -> Schema:
    """What ``promptopt compare --json`` prints."""
    interval = "difference low high p_value"
    texts, days = listed(TEXT), {"anyOf": [listed(TEXT, minItems=2, maxItems=2), {"type": "null"}]}
    variant = row(
        text="prompt path model priced_as",
        count="cases trials errors cut_off filtered refused empty timed repeated scorer_errors judge_calls replayed",
        measure="pass_rate quality input_tokens cached_tokens output_tokens reasoning_tokens "
        "reasoning_usd_per_1k_calls "
        "measured_input_tokens counted_input_tokens usd_per_1k_calls warm_cached_tokens warm_usd_per_1k_calls "
        "usd_per_pass incurred_usd latency_ms latency_p95_ms same_answer same_result judge_usd_per_1k_calls",
        settings=TABLE,
        tokens_basis=texts,
        conversation=optional(TABLE),
        judges=texts,
        recorded=days,
    )
    pair = row(
        text="baseline candidate metric",
        measure=interval,
        verdict=words(get_args(Verdict)),
        reasons=texts,
        cases_needed=optional(COUNT),
    )
    part = row(
        text="baseline candidate by name shown",
        count="cases better worse looks",
        measure=f"baseline_quality candidate_quality {interval}",
    )
    point = row(text="prompt", measure="usd_per_1k_calls quality low high", on_front=FLAG, dropped=FLAG)
    error = row(text="prompt case error", count="repetition")
    judged = row(text="prompt case assert judge", count="repetition calls", measure="score usd", votes=listed(ANY))
    return row(
        text="suite suite_path",
        measure="margin",
        version={"const": comparison_module.FORMAT_VERSION},
        variants=listed(variant),
        comparisons=listed(pair),
        breakdown=listed(part),
        frontier=optional(
            row(text="baseline", measure="saved_share", cheapest_not_worse=optional(TEXT), points=listed(point))
        ),
        cascade=optional(
            row(
                text="prompt",
                measure="escalated usd_per_1k_calls quality_change quality_low",
                models=texts,
                steps=listed(ANY),
                asked=listed(NUMBER),
                not_worse=FLAG,
            )
        ),
        race=optional(row(count="calls unasked unsent", measure="level saved_usd unspent_usd", stopped=listed(TABLE))),
        parts=listed(row(text="prompt by name", count="cases", measure="quality low high")),
        derived_metrics=listed(row(text="prompt name why", measure="value")),
        provenance=row(count="replayed live", answered_by=texts, recorded=days, tokenizers=TABLE, prices=TABLE),
        errors=listed(error),
        scorer_errors=listed(error),
        judging=row(count="calls", measure="incurred_usd"),
        judgements=listed(judged),
    )


def audit() -> Schema:
    """What ``promptopt audit --json`` prints."""
    step = row(
        measure="saved_usd saved_share low high latency_s",
        text="assumes do",
        strategy=words(STRATEGIES),
        needs=optional(TEXT),
        details=TABLE,
    )
    profile = row(
        groups=TABLE,
        distinct=TABLE,
        curve=listed(NUMBER),
        counts=TABLE,
        losses=TABLE,
        month=optional(TABLE),
        spikes=listed(ANY),
        shutdowns=listed(ANY),
    )
    found = row(
        count="rows rejected duplicates unpriced",
        measure="baseline_usd left_usd",
        version={"const": audit_report.VERSION},
        formats=TABLE,
        accounting=row(
            count="compared",
            measure="said_usd listed_usd",
            settled=listed(TABLE),
            differing=TABLE,
            unexplained=TABLE,
            mispriced=TABLE,
        ),
        settings=TABLE,
        shares=optional(row(measure="input cached output reasoning")),
        steps=listed(step),
        profile=profile,
    )
    found["properties"]["shapley"] = listed(row(text="strategy", measure="saved_usd least_usd most_usd"))
    return found
