"""The parts of a comparison as text for a terminal: functions of runs, summaries and decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from promptopt.experiment.breakdown import PartMean, PartQuality
from promptopt.experiment.conversation import NO_RESULT, STEP_LIMIT
from promptopt.experiment.frontier import Frontier
from promptopt.experiment.runs import Answered, Run, Trial, VariantSummary, first_and_last
from promptopt.experiment.verdict import (
    ALPHA_EACH,
    AcceptedLoss,
    CasesNeeded,
    CostEvidence,
    Decision,
    Difference,
    PointPrice,
    QualityEvidence,
    QualityReason,
    Reason,
    TooManyFailed,
)
from promptopt.money import dollars, signed_dollars
from promptopt.providers.recordings import UNDATED
from promptopt.tables import table
from promptopt.tokens import tokenizer_for

_ANSWER_WIDTH = 70
_DIGITS = 10
_REASONS = 5
# Seconds to wait, ids of requests: what differs in messages of one reason. A status is no such number.
_VARYING = re.compile(r"\b(?![1-5]\d\d\b)(?=\w*\d)[\w-]+\b")
# Rows and letters of the table of parts.
_PARTS, _PART_WIDTH = 40, 60
_NAMES = {
    "quality": "quality",
    "pass_rate": "pass rate",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "usd_per_1k_calls": "$ per 1,000 calls",
    "usd_per_pass": "$ per 1,000 passes",
}


def variants_table(variants: Sequence[VariantSummary], cases: int) -> str:
    """One row for each variant: tokens and dollars per call, quality; then how far repetitions agree.

    Args:
        cases: Of the suite. If not all were asked for, a column says of how many each variant was.
    """
    # If the provider has a prompt cache: what calls cost once it is warm, beside what it served in this run.
    warm = any(variant.warm_cached_tokens is not None for variant in variants)
    rows = [
        [
            variant.prompt,
            _tokens(variant.input_tokens),
            _tokens(variant.cached_tokens),
            _tokens(variant.output_tokens),
            _tokens(variant.reasoning_tokens),
            _usd_per_1k(variant),
            dollars(None if variant.usd_per_pass is None else variant.usd_per_pass * 1000, variant.price),
            *([dollars(variant.warm_usd_per_1k_calls, variant.price)] if warm else []),
            _percent(variant.quality),
            _percent(variant.pass_rate),
        ]
        for variant in variants
    ]
    most = max(variant.trials // max(variant.cases, 1) for variant in variants)
    counted = f"{cases:,} case{'s' * (cases != 1)}" + (f" x {most}" if most > 1 else "")
    headers = [counted, "input", "cached", "output", "reasoning", "$/1k calls", "$/1k passes", "quality", "pass rate"]
    if warm:
        headers = [*headers[:5], "$/1k\ncalls", "$/1k\npasses", "$/1k\nwarm", "quality", "pass\nrate"]
    dropped = {4} if not any(variant.reasoning_tokens for variant in variants) else set()
    if not warm and not any(variant.cached_tokens for variant in variants):
        dropped.add(2)
    headers, *rows = ([cell for at, cell in enumerate(row) if at not in dropped] for row in [headers, *rows])
    if any(variant.cases < cases for variant in variants):
        headers = [headers[0], "asked", *headers[1:]]
        rows = [[row[0], f"{variant.cases:,}", *row[1:]] for row, variant in zip(rows, variants, strict=True)]
    tables = [table(rows, headers), _agreement_table(variants)]
    return "\n\n".join(filter(None, tables))


def judges_table(variants: Sequence[VariantSummary]) -> str:
    """Who judged the answers of each variant, how steadily, and what that costs; empty if nobody did."""
    if not any(variant.judgements for variant in variants):
        return ""
    rows = [
        [
            variant.prompt,
            readable(", ".join(variant.judges)),
            f"{variant.judgements:,}",
            f"{variant.without_verdict:,}",
            f"{variant.unsteady:,}",
            f"{variant.escalated:,}",
            f"{variant.judge_calls:,}",
            dollars(variant.judge_usd_per_1k_calls),
        ]
        for variant in variants
    ]
    headers = ["judged", "by", "scores", "no verdict", "votes split", "second judge", "calls", "$/1k judged"]
    shown = [
        True,
        True,
        True,
        *(any(int(row[column].replace(",", "")) for row in rows) for column in (3, 4, 5)),
        True,
        True,
    ]
    rows = [[cell for cell, keep in zip(row, shown, strict=True) if keep] for row in rows]
    columns = ("left", "left", *["right"] * (sum(shown) - 2))
    return table(rows, [name for name, keep in zip(headers, shown, strict=True) if keep], columns=columns)


def judge_lines(variants: Sequence[VariantSummary], calls: int, usd: float | None, labelled: bool) -> Iterator[str]:
    """What judging cost this run, and whose opinion the quality is."""
    judges = dict.fromkeys(model for variant in variants for model in variant.judges)
    if not judges:
        return
    paid = "unknown (unpriced)" if usd is None else dollars(usd)
    yield f"judges: {calls:,} live call{'s' * (calls != 1)}, which cost {paid} beside the above"
    if not labelled:
        named = readable(", ".join(judges))
        yield f"quality is as judged by {named}, not calibrated: no labels of people say how wrong that is"


def frontier_table(found: Frontier | None) -> str:
    """Dollars against quality, cheapest first; and what to take."""
    if found is None:
        return ""
    rows = [
        [
            point.label,
            dollars(point.usd_per_1k_calls),
            _percent(point.quality),
            "too few cases" if point.low is None else f"{_percent(point.low)} to {_percent(point.high)}",
            point.place,
        ]
        for point in found.by_cost
    ]
    headers = ["dollars against quality", "$/1k calls", "quality", "95%, all together", "front"]
    shown = table(rows, headers, columns=("left", "right", "right", "right", "left"))
    return f"{shown}\n{to_take(found)}"


def to_take(found: Frontier) -> str:
    """Which variant to take, in a sentence."""
    if found.cheapest is None:
        return "which one to take cannot be said: no dollars are known"
    if found.cheapest == found.baseline:
        return f"none that costs less is shown to be not worse than {found.baseline}"
    share = found.saved_share or 0.0
    return f"the cheapest that is not worse than {found.baseline}: {found.cheapest} ({-share * 100:+.1f}% of the cost)"


def _agreement_table(variants: Sequence[VariantSummary]) -> str:
    rows = [
        [variant.prompt, f"{variant.repeated:,}", _percent(variant.same_answer), _percent(variant.same_result)]
        for variant in variants
    ]
    known = any(variant.repeated for variant in variants)
    headers = ["repetitions agree", "cases", "same answer", "all pass or all fail"]
    return table(rows, headers) if known else ""


def _usd_per_1k(variant: VariantSummary) -> str:
    # A priced model without one answer has no cost to show.
    return "-" if variant.price and variant.usd_per_1k_calls is None else dollars(variant.usd_per_1k_calls)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f}%"


def _tokens(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def differences_table(differences: Sequence[Difference], answered: int, cases: int) -> str:
    """The mean of each known difference and its interval, and of which cases that is if not of all."""
    rows = [
        [metric_name(difference.metric), change_text(difference), interval_text(difference)]
        for difference in differences
        if difference.difference is not None
    ]
    shown = table(rows, ["difference", "mean", "97.5% interval"]) if rows else ""
    return "\n".join(filter(None, [shown, cases_compared(answered, cases)]))


def cases_compared(answered: int, cases: int) -> str:
    """Of which cases differences are, if not of all; empty if they are."""
    if not answered:
        return f"no difference is known: none of {cases:,} cases has an answer of both prompts"
    return "" if answered == cases else f"of {answered:,} of {cases:,} cases, those that both prompts answered"


def parts_table(parts: Sequence[PartQuality], looks: int) -> str:
    """The quality of each part with its interval, and for how many looks that is; empty if there is but one assert."""
    # The one assert of all cases is what the verdict is about already.
    parts = [part for part in parts if part.by != "assert" or not part.whole]
    if not parts:
        return ""
    rows = [
        [
            part_name(part),
            part.evidence.cases,
            "-" if part.baseline is None else f"{_percent(part.baseline)} to {_percent(part.candidate)}",
            change_text(part.difference).removesuffix(" points") or "-",
            interval_text(part.difference).removesuffix(" points"),
            "unjudged" if part.baseline is None else part.quality,
        ]
        for part in parts[:_PARTS]
    ]
    headers = ["quality by", "cases", "from, to", "points", "97.5% interval", "shown"]
    lines = [table(rows, headers, columns=("left", *["right"] * 4, "left"))]
    if len(parts) > _PARTS:
        lines.append(f"and {len(parts) - _PARTS} more; --json and -o list all")
    if looks:
        lines.append(
            f"{looks} look{'s' * (looks != 1)} beside the verdict's: p-values are Holm-corrected for that, and the\n"
            "intervals hold all together"
        )
    return "\n".join(lines)


def readable(text: str) -> str:
    """A name or message of somebody else's in one line: what a terminal would carry out, or cannot show, is escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def means_table(parts: Sequence[PartMean]) -> str:
    """The quality of each part of a single prompt; empty if there is but one assert."""
    if len(parts) < 2:
        return ""
    rows = [
        [
            part_name(part),
            f"{part.cases:,}",
            _percent(part.quality),
            "too few cases" if part.low is None else f"{_percent(part.low)} to {_percent(part.high)}",
        ]
        for part in parts[:_PARTS]
    ]
    more = [f"and {len(parts) - _PARTS} more; --json and -o list all"] if len(parts) > _PARTS else []
    shown = table(rows, ["quality by", "cases", "quality", "97.5% interval"])
    return "\n".join([shown, *more, "the intervals hold all together"])


def part_name(part: PartQuality | PartMean) -> str:
    """A part as a table names it."""
    name = part.name if len(part.name) <= _PART_WIDTH else f"{part.name[: _PART_WIDTH - 1]}…"
    return readable(f"{part.by} {name}")


def hidden_losses(decision: Decision, parts: Sequence[PartQuality]) -> Iterator[str]:
    """A line for each part that is shown to be worse, unless the verdict says it of the whole."""
    if decision.verdict in ("regressed", "incomplete"):
        return
    for part in parts:
        if part.quality == "worse":
            seen = f"{part.evidence.worse} worse, {part.evidence.better} better of {part.evidence.cases}"
            yield f"but {part_name(part)} is worse: {points(part.evidence.difference)} ({seen})"


def _scale(metric: str) -> float:
    return {"quality": 100, "pass_rate": 100, "usd_per_pass": 1000}.get(metric, 1)


def _number(metric: str, value: float) -> str:
    if metric.startswith("usd"):
        return signed_dollars(round(value * _scale(metric), _DIGITS))
    return f"{_signed(value * _scale(metric))}{' points' if metric in ('quality', 'pass_rate') else ''}"


def _signed(value: float) -> str:
    """With one digit, never ``-0.0``."""
    return f"{round(value, 1) + 0.0:+,.1f}"


def metric_name(metric: str) -> str:
    """A metric as a table names it."""
    return _NAMES[metric]


def change_text(difference: Difference) -> str:
    """A mean difference with its sign and unit; empty if it is unknown."""
    return "" if difference.difference is None else _number(difference.metric, difference.difference)


def interval_text(difference: Difference) -> str:
    """The 97.5% interval of a difference, or why there is none."""
    if difference.low is None or difference.high is None:
        return "too few passes" if difference.metric == "usd_per_pass" else "too few cases"
    if difference.exact:
        return "exact" if difference.low == difference.difference else "0: same requests"
    low, high = _number(difference.metric, difference.low), _number(difference.metric, difference.high)
    return f"{low.removesuffix(' points')} to {high}"


def reason_text(reason: Reason) -> str:
    """A reason of a verdict as a sentence."""
    match reason:
        case CostEvidence():
            return _cost_text(reason)
        case QualityReason():
            return _quality_text(reason)
        case PointPrice(usd=None):
            return "better and costlier"
        case PointPrice(usd=usd):
            return f"${usd:.4f} per 1,000 calls for each point of quality"
        case AcceptedLoss(accept=accept):
            return f"the loss is within the {accept * 100:g} points that are accepted"
        case CasesNeeded(likely=likely, cases=cases):
            more = likely.number - cases
            return f"about {likely.number:,} cases would decide ({likely.low:,} to {likely.high:,}): {more:,} more"
        case TooManyFailed():
            share = f"{reason.failed / reason.calls * 100:.1f}%"
            allowed = f"--max-failed {reason.allowed * 100:g}%"
            return f"{reason.prompt}: {reason.failed} of {reason.calls} calls failed ({share}), above {allowed}"


def _cost_text(cost: CostEvidence) -> str:
    if cost.untouched:
        return "the requests are the same, and so is the cost"
    usd = cost.usd_per_1k_calls
    if usd.difference is None:
        tokens = {"input": cost.input_tokens.difference, "output": cost.output_tokens.difference}
        parts = [f"{name} tokens {_signed(change)} a call" for name, change in tokens.items() if change is not None]
        hint = "; name a price with --price-as" if cost.change == "unclear" else ""
        if not cost.one_price:
            return f"unpriced; {' and '.join(parts)}, of different models: no dollars can be compared{hint}"
        return f"unpriced; {' and '.join(parts) or 'no tokens known'}: {cost.change}{hint}"
    share = f" ({_signed(usd.difference / cost.baseline_usd * 100)}%)" if cost.baseline_usd else ""
    return f"cost {_number(usd.metric, usd.difference)} per 1,000 calls{share}: {_cost_words(cost)}"


def _cost_words(cost: CostEvidence) -> str:
    within = f"within {cost.margin * 100:g}%"
    words = {
        "same": f"the same {within}",
        "not costlier": f"not costlier ({within})",
        "unclear": f"neither a change nor sameness {within} is shown",
    }.get(cost.change, cost.change)
    return words if cost.bounded else f"{words}; no max_output_tokens bounds the answers, so that longer ones may come"


def _quality_text(reason: QualityReason) -> str:
    quality, evidence = reason.quality, reason.evidence
    if evidence.untouched:
        return "the requests are the same, and so is the quality"
    if quality == "unjudged":
        return "no case has an assert that both prompts were judged by: quality is not known"
    allowed = f"{reason.margin * 100:g} points"
    tied = evidence.cases - evidence.better - evidence.worse
    if tied == evidence.cases and quality == "unclear" and not evidence.labels:
        return f"quality is the same in each of {tied} cases, too few to exclude a loss of {allowed}"
    seen = f"{evidence.better} better, {evidence.worse} worse, {tied} the same"
    if evidence.labels:
        share = f"{evidence.judges_share * 100:.0f}% of the uncertainty is the judge's"
        seen = f"by labels of {evidence.labels} cases, as judged {points(evidence.judged)} ({seen}); {share}"
    said = {
        "better": "better",
        "same": f"the same (a loss or gain of {allowed} is excluded)",
        "not worse": f"not worse (a loss of {allowed} is excluded)",
        "worse": "worse",
        "unclear": _unclear(evidence, allowed),
    }[quality]
    return f"quality {points(evidence.difference)} ({seen}): {said}"


def _unclear(evidence: QualityEvidence, allowed: str) -> str:
    direction = "worse" if evidence.difference < 0 else "better"
    shown = f"not shown to be {direction} (p = {evidence.p_value:.2g}, needs <= {ALPHA_EACH:g})"
    return f"{shown}, and a loss of {allowed} is not excluded"


def points(quality: float) -> str:
    """A difference of quality in points."""
    return f"{_signed(quality * 100)} points"


def failures(runs: Sequence[Run], variants: Sequence[VariantSummary]) -> Iterator[str]:
    """Lines about calls that failed and scorers that broke, by reason with counts, and about answers that are none."""
    for run, variant in zip(runs, variants, strict=True):
        if failed := run.failed:
            yield f"{variant.prompt}: {len(failed)} of {len(run.trials)} calls failed and are left out on both sides:"
            yield from _by_reason((trial.error, trial.case) for trial in failed)
        broken = [(score, trial) for trial in run.answered for score in trial.score.scores if score.broken]
        if broken:
            answers = len({(trial.case, trial.sample) for _, trial in broken})
            yield (
                f"{variant.prompt}: no score for {answers} of {len(run.answered)} answers, whose assert counts as "
                "failed; if a scorer breaks with both prompts, that is no evidence:"
            )
            yield from _by_reason((f"{score.name}: {score.explanation}", trial.case) for score, trial in broken)
        counts = {"cut off": variant.cut_off, "filtered": variant.filtered, "refused": variant.refused}
        counts["empty"] = variant.empty
        if any(counts.values()):
            said = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
            yield f"{variant.prompt}: {said} of {variant.trials - variant.errors:,} answers"


def _by_reason(found: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The most frequent reasons with their number and cases; those that differ in numbers and ids alone are one."""
    reasons: dict[str, list[tuple[str, str]]] = {}
    for error, case in found:
        reasons.setdefault(_VARYING.sub("#", error), []).append((error, case))
    most = sorted(reasons.values(), key=lambda alike: -len(alike))
    for alike in most[:_REASONS]:
        yield f"  {len(alike):,} x {readable(alike[0][0])} ({_names([case for _, case in alike])})"
    if others := most[_REASONS:]:
        count = sum(map(len, others))
        yield f"  {count:,} for {len(others)} other reason{'s' * (len(others) != 1)}"


def _names(cases: Sequence[str]) -> str:
    names = [readable(name) for name in dict.fromkeys(cases)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def footer(runs: Sequence[Run], variants: Sequence[VariantSummary]) -> Iterator[str]:
    """Lines that say who answered, when, how tokens were counted and at which prices."""
    origin = provenance(runs, variants)
    answered = ", ".join(origin["answered_by"]) or "nobody"
    recorded = ""
    if origin["recorded"]:
        first, last = origin["recorded"]
        recorded = f", recorded {first}" + (f" to {last}" if last != first else "")
        undated = sum(trial.recorded_at == UNDATED for run in runs for trial in run.answered)
        recorded += f", {undated:,} undated" if undated and first != UNDATED else ""
    yield f"answers: {answered}; {origin['replayed']:,} replayed{recorded}; {origin['live']:,} live"
    yield from _step_lines(runs)
    yield from _latency_lines(variants)
    yield from _token_lines(variants, origin["tokenizers"])
    yield from dict.fromkeys(f"prices: {_price(variant)}" for variant in variants)
    incurred = [variant.incurred_usd for variant in variants]
    paid = "unknown (unpriced)" if None in incurred else dollars(sum(cost or 0.0 for cost in incurred))
    yield f"list cost above is usage x price; this run itself cost {paid}"
    yield from _reasoning_lines(variants)
    yield from _cache_lines(variants)
    if unjudged := sum(variant.unjudged for variant in variants):
        yield (
            f"{unjudged} asserts were not judged: a replay has no latency, nor has a provider that does not say it, "
            "and select-best needs two variants or more"
        )


def _step_lines(runs: Sequence[Run]) -> Iterator[str]:
    """How often the model was called for a case, and where its calls of tools were left without a result."""
    for run in runs:
        if any(trial.steps > 1 for trial in run.answered):
            calls = sum(trial.steps for trial in run.answered) / len(run.answered)
            yield f"  {run.variant.label}: {calls:,.1f} calls of the model a case; tokens and costs are of all of them"
        ended = [t for t in run.answered if t.response.finish_reason in (NO_RESULT, STEP_LIMIT)]
        if ended:
            whys = "; ".join(f"case {readable(t.case)}: {readable(t.complaint or t.response.shown)}" for t in ended[:3])
            yield f"  {run.variant.label}: {len(ended)} ended at a call of a tool without a result: {whys}"


def _latency_lines(variants: Sequence[VariantSummary]) -> Iterator[str]:
    for variant in variants:
        if variant.latency_ms is not None:
            p95 = "" if variant.latency_p95_ms is None else f", p95 {variant.latency_p95_ms:,.0f} ms"
            calls = f"{variant.timed:,} live call{'s' * (variant.timed != 1)}"
            yield f"  {variant.prompt}: latency p50 {variant.latency_ms:,.0f} ms{p95} of {calls}"


def _token_lines(variants: Sequence[VariantSummary], tokenizers: Mapping[str, str]) -> Iterator[str]:
    bases = sorted({basis for variant in variants for basis in variant.basis})
    how = ", ".join(f"{encoding} for {model}" for model, encoding in tokenizers.items())
    yield f"tokens: {' and '.join(bases) or 'none'} ({how})"
    for variant in variants:
        if variant.measured_input_tokens is not None and variant.counted_input_tokens is not None:
            yield (
                f"  {variant.prompt}: {variant.model} measured {variant.measured_input_tokens:,.1f} input tokens, "
                f"{tokenizers[variant.priced_as]} counts {variant.counted_input_tokens:,.1f}"
            )


def _reasoning_lines(variants: Sequence[VariantSummary]) -> Iterator[str]:
    """What reasoning costs of each variant that reasons."""
    for variant in variants:
        if variant.reasoning_tokens:
            usd = variant.reasoning_usd_per_1k_calls
            priced = "" if usd is None else f", {dollars(usd, variant.price)} of {_usd_per_1k(variant)} for 1,000 calls"
            yield (
                f"reasoning: {_tokens(variant.reasoning_tokens)} of {_tokens(variant.output_tokens)} output tokens of "
                f"{variant.prompt}{priced}"
            )


def _cache_lines(variants: Sequence[VariantSummary]) -> Iterator[str]:
    """What the provider's prompt cache serves once it is warm, beside what it served in this run."""
    if any(variant.warm_cached_tokens is not None for variant in variants):
        yield "prompt cache: $/1k warm, and every verdict, is with a cache that keeps what no variable changes"
    for variant in variants:
        if variant.warm_cached_tokens is not None:
            yield (
                f"  {variant.prompt}: it serves {variant.warm_cached_tokens:,.1f} of {_tokens(variant.input_tokens)} "
                f"input tokens then; in this run it served {_tokens(variant.cached_tokens)}"
            )
        elif variant.cold_tokens:
            yield (
                f"prompt cache: it served nothing of {variant.prompt}, though it may keep {variant.cold_tokens:,} of "
                f"{_tokens(variant.input_tokens)} input tokens: costs are without it"
            )
    for variant in variants:
        said = variant.conversation
        if said is not None and said.calls > 1:
            cost = "" if said.warm_usd_per_1k is None else f": {dollars(said.warm_usd_per_1k)}/1k conversations then"
            served = f"{said.warm_tokens:,.1f}{cost}" if said.warm_tokens else "none, as calls are too short for one"
            yield (
                f"  {variant.prompt}: of {_tokens(variant.counted_input_tokens)} input tokens of a conversation "
                f"{said.repeated_tokens:,.1f} are those of the call before; a warm prompt cache serves {served}"
            )


def _price(variant: VariantSummary) -> str:
    model, price = variant.priced_as, variant.price
    if price is None:
        hint = f"; close names: {', '.join(variant.close_models)}" if variant.close_models else ""
        return f"{model} is unpriced{hint} (name one with --price-as, or give its price in [tool.promptopt.prices])"
    named = "" if price.model == model else f"{price.provider}/{price.model}, "
    return f"{model}, {named}{price.rates} ({price.source})"


def case_differences(runs: Sequence[Run]) -> str:
    """The cases on which variants differ in passing, with the answers of each, and those that all of them fail."""
    parts = []
    passed: dict[str, bool] = {}
    for trials in zip(*(run.trials for run in runs), strict=True):
        kinds = {passed_text(trial) for trial in trials}
        passed[trials[0].case] = passed.get(trials[0].case, False) or "pass" in kinds
        if len(kinds) > 1:
            answers = zip(runs, trials, strict=True)
            lines = [f"  {run.variant.label}: {passed_text(trial)}  {_answer(trial)}" for run, trial in answers]
            parts.append("\n".join([readable(trial_name(trials[0])), *lines]))
    asked = len(runs[0].trials)
    parts.insert(0, f"{len(parts)} of {asked} {'cases' if asked == len(passed) else 'answers'} differ")
    parts.extend(_unsteady(runs))
    if failed := [readable(case) for case, ever in passed.items() if not ever]:
        parts.append(f"{len(failed)} fail with every prompt: {', '.join(failed)}")
    return "\n\n".join(parts) + "\n"


def _unsteady(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        results: dict[str, set[bool]] = {}
        for trial in run.answered:
            results.setdefault(trial.case, set()).add(trial.passed)
        if cases := [readable(case) for case, found in results.items() if len(found) > 1]:
            yield f"{run.variant.label} passes {len(cases)} in some repetitions only: {', '.join(cases)}"


def trial_name(trial: Trial) -> str:
    """The case, and the repetition if it is not the first."""
    return f"{trial.case} (repetition {trial.sample})" if trial.sample else trial.case


def passed_text(trial: Trial) -> str:
    """Whether a call passed, in a word; a call without an answer neither passed nor failed."""
    if not isinstance(trial, Answered):
        return "----"
    return "pass" if trial.passed else "FAIL"


def _answer(trial: Trial) -> str:
    if not isinstance(trial, Answered):
        return f"no answer: {readable(trial.error)}"
    text = trial.shown
    shown = repr(text if len(text) <= _ANSWER_WIDTH else text[: _ANSWER_WIDTH - 1] + "…")
    return shown + (f"  ({readable(trial.said)})" if trial.said else "")


def provenance(runs: Sequence[Run], variants: Sequence[VariantSummary]) -> dict[str, Any]:
    """Who answered, when, how tokens were counted and at which prices."""
    priced_as = list(dict.fromkeys(variant.priced_as for variant in variants))
    days = first_and_last(day for variant in variants if variant.recorded for day in variant.recorded)
    return {
        "answered_by": sorted({trial.response.model for run in runs for trial in run.answered}),
        "replayed": sum(variant.replayed for variant in variants),
        "live": sum(variant.trials - variant.replayed for variant in variants),
        "recorded": list(days) if days else None,
        "tokenizers": {model: tokenizer_for(model).encoding for model in priced_as},
        "prices": {variant.priced_as: variant.price.source if variant.price else None for variant in variants},
    }
