"""The verdicts and tables of a comparison as blocks of a page: functions of its parts, which a notebook shows too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptopt.experiment.breakdown import PartMean, PartQuality
from promptopt.experiment.frontier import Frontier
from promptopt.experiment.runs import VariantSummary
from promptopt.experiment.text import cases_compared, change_text, interval_text, metric_name, part_name, to_take
from promptopt.experiment.verdict import Difference, Verdict
from promptopt.money import dollars
from promptopt.webpage.blocks import PageBlock, TableBlock, TextBlock, Tone, VerdictBlock

_TONES: Mapping[Verdict, Tone] = {
    "improved": "good",
    "equivalent": "good",
    "not-worse": "good",
    "trade-off": "mixed",
    "regressed": "bad",
    "inconclusive": "unclear",
    "incomplete": "mixed",
}


MANY = 6
"""So many verdicts are shown one by one; more of them are a table."""


@dataclass(frozen=True, slots=True)
class GivenVerdict:
    """A verdict on a candidate, with its reasons as sentences."""

    baseline: str
    candidate: str
    verdict: Verdict
    reasons: tuple[str, ...]


def verdict_blocks(verdicts: Sequence[GivenVerdict]) -> list[PageBlock]:
    """The verdicts; of many how often each was given, and a table."""
    if len(verdicts) <= MANY:
        return [
            VerdictBlock(each.verdict, f"{each.candidate} against {each.baseline}", each.reasons, _TONES[each.verdict])
            for each in verdicts
        ]
    counts = Counter(each.verdict for each in verdicts)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _TONES if counts[verdict])
    tones = {_TONES[verdict] for verdict in counts}
    tone = tones.pop() if len(tones) == 1 else "mixed"
    rows = [[each.candidate, each.verdict, "; ".join(each.reasons)] for each in verdicts]
    return [
        VerdictBlock(said, f"against {verdicts[0].baseline}", (), tone),
        TableBlock(("candidate", "verdict", "why"), rows, left=3),
    ]


def variants_table(variants: Sequence[VariantSummary]) -> TableBlock:
    """A row for each variant; a column of which nothing is known is left out."""
    columns = {
        "cases": [f"{each.cases:,}" for each in variants],
        "input tokens": [_number(each.input_tokens) for each in variants],
        "cached": [_number(each.cached_tokens or None) for each in variants],
        "output tokens": [_number(each.output_tokens) for each in variants],
        "reasoning": [_number(each.reasoning_tokens or None) for each in variants],
        "$ per 1,000 calls": [dollars(each.usd_per_1k_calls, each.price) for each in variants],
        "$ per 1,000, warm cache": [
            "-" if each.warm_cached_tokens is None else dollars(each.warm_usd_per_1k_calls, each.price)
            for each in variants
        ],
        "$ per 1,000 passes": [
            dollars(None if each.usd_per_pass is None else each.usd_per_pass * 1000, each.price) for each in variants
        ],
        "quality": [percent(each.quality) for each in variants],
        "pass rate": [percent(each.pass_rate) for each in variants],
        "same answer": [percent(each.same_answer) for each in variants],
        "all pass or all fail": [percent(each.same_result) for each in variants],
        "p50 ms": [_number(each.latency_ms) for each in variants],
    }
    always = ("cases", "input tokens", "output tokens", "$ per 1,000 calls", "quality", "pass rate")
    shown = {name: cells for name, cells in columns.items() if name in always or {*cells} != {"-"}}
    rows = [[each.prompt, *(cells[at] for cells in shown.values())] for at, each in enumerate(variants)]
    return TableBlock(("prompt", *shown), rows, note="Tokens and dollars are means per call, at list prices.")


def differences_table(differences: Sequence[Difference], answered: int, cases: int) -> PageBlock:
    """The mean of each known difference with its interval; of which cases, if not of all."""
    rows = [
        [metric_name(each.metric), change_text(each), interval_text(each)]
        for each in differences
        if each.difference is not None
    ]
    said = sentence(cases_compared(answered, cases))
    return TableBlock(("difference", "mean", "97.5% interval"), rows, note=said) if rows else TextBlock(said)


def parts_table(parts: Sequence[PartQuality], looks: int) -> TableBlock | None:
    """The quality of each assert, metric and group; ``None`` if there is but the one assert that the verdict is of."""
    parts = [part for part in parts if part.by != "assert" or not part.whole]
    if not parts:
        return None
    rows = [
        [
            part_name(part),
            f"{part.evidence.cases:,}",
            percent(part.baseline),
            percent(part.candidate),
            change_text(part.difference) or "-",
            interval_text(part.difference),
            "unjudged" if part.baseline is None else part.quality,
        ]
        for part in parts
    ]
    note = f"{looks} look{'s' * (looks != 1)} beside the verdict's: p-values are Holm-corrected for that, and the "
    return TableBlock(
        ("quality by", "cases", "from", "to", "difference", "97.5% interval", "shown"),
        rows,
        "Quality of each assert and group",
        texts=(6,),
        note=f"{note}intervals hold all together." if looks else "",
    )


def means_table(parts: Sequence[PartMean]) -> TableBlock | None:
    """The quality of each part of a single prompt; ``None`` if there is but one assert."""
    if len(parts) < 2:
        return None
    rows = [
        [part_name(part), f"{part.cases:,}", percent(part.quality), interval(part.low, part.high)] for part in parts
    ]
    headers = ("quality by", "cases", "quality", "97.5% interval")
    return TableBlock(headers, rows, "Quality of each assert and group", note="The intervals hold all together.")


def front_table(found: Frontier) -> TableBlock:
    """Dollars against quality, the cheapest first."""
    rows = [
        [
            point.label,
            dollars(point.usd_per_1k_calls),
            percent(point.quality),
            interval(point.low, point.high),
            "on the front" if point.on_front else point.place,
        ]
        for point in found.by_cost
    ]
    headers = ("variant", "$ per 1,000 calls", "quality", "95%, all together", "front")
    return TableBlock(headers, rows, texts=(4,), note=sentence(to_take(found)))


def sentence(text: str) -> str:
    """The words of a line of the terminal as a sentence; nothing of none."""
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def interval(low: float | None, high: float | None) -> str:
    """A 97.5% or 95% interval of shares, or why there is none."""
    return "too few cases" if low is None or high is None else f"{percent(low)} to {percent(high)}"


def percent(value: float | None) -> str:
    """A share in percent."""
    return "-" if value is None else f"{value * 100:.1f}%"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"
