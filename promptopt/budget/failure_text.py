"""The text of a failure: what grew, which lines did it, how much is this branch's, what it costs, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from shlex import quote

from promptopt.budget.baseline import History, Locked
from promptopt.budget.growth import Explanation
from promptopt.budget.guarded_prompt import GuardedPrompt, MeasuredCase, usd_call
from promptopt.budget.limits import FLOORED, Limit, Metric
from promptopt.budget.lock import LockEntry
from promptopt.money import usd
from promptopt.prices import Price

_SHOWN = 5
_WIDTH = 72


def update_command(prompt: str, *, cases: Sequence[str] = (), many: str = "", reason: bool = False) -> str:
    """The command that locks a prompt as it is now.

    Args:
        cases: Only these, so that no other count changes.
        many: The option that stands for them if they are too many to be listed.
        reason: Whether it must say why a count is raised.
    """
    # Not through pytest: its -k takes every prompt whose name contains this one's.
    listed = len(cases) <= _SHOWN or not many
    only = "".join(f" --case {quote(case)}" for case in cases) if listed else f" {many}"
    given = ' --reason "..."' if reason else ""
    return f"promptopt budget update {quote(prompt)}{only}{given}"


@dataclass(frozen=True, slots=True)
class FailureText:
    """What is said below the first line of a failure.

    Attributes:
        path: The file to look at, with its line.
    """

    details: tuple[str, ...]
    path: str
    line: int


def _amount(metric: Metric, value: Decimal) -> str:
    """A value in its metric's unit."""
    if metric == "quality":
        return f"{value * 100:.1f}%"
    return usd(value) if metric.startswith("usd") else f"{value:,}"


def metric_change(metric: Metric, old: Decimal, now: Decimal) -> str:
    """``input 2,812 → 3,014 (+202, +7.2%)``."""
    growth = now - old
    difference = usd(growth, sign=True) if metric.startswith("usd") else f"{growth:+,}"
    share = f", {growth / old * 100:+.1f}%" if old else ""
    return f"{metric} {_amount(metric, old)} → {_amount(metric, now)} ({difference}{share})"


def growth_line(metric: Metric, old: Decimal, now: Decimal, limit: Limit) -> str:
    """The first line of a growth that exceeds its limit."""
    default = "no loss" if metric in FLOORED else "no growth"
    return f"{metric_change(metric, old, now)}  limit: {limit.text or default}"


def cap_line(metric: Metric, value: Decimal, limit: Limit) -> str:
    """The first line of a value beyond its cap."""
    assert limit.cap is not None
    beyond = "below its floor" if metric in FLOORED else "above its cap"
    return f"{metric} {_amount(metric, value)} is {beyond} of {_amount(metric, limit.cap)}"


def growth_text(
    history: History, prompt: GuardedPrompt, measured: MeasuredCase, locked: Locked, metric: Metric
) -> FailureText:
    """Why a metric of a case grew, and what to do about it."""
    details: list[str] = []
    path, line = prompt.template.path, 1
    fix = "ask for a shorter answer, or lower max_output_tokens"
    if metric == "cacheable":
        broken = prompt.prefix.broken_by
        if broken is not None:
            path, line = broken.path, broken.line
            details.append(f"{path}:{line}  {_short(broken.source)}  (nothing after this can be cached)")
        fix = f"move line {line} of {path} below the text that does not change"
    elif metric != "output":
        details += _split(history, prompt, measured, locked.entry)
        if measured.entry.input > locked.entry.input or metric == "input":
            lines, path, line = _lines_that_grew(history, prompt, measured, locked)
            details += lines
            fix = f"shorten {path}:{line}"
        elif metric == "usd_call":
            fix = _cheaper(prompt, measured.entry, locked.entry) or fix
    details += _money(prompt, locked.entry, measured.entry)
    details += [f"fix: {fix}", f"or accept: {update_command(prompt.name, reason=True)}"]
    return FailureText(tuple(details), path, line)


def _cheaper(prompt: GuardedPrompt, now: LockEntry, locked: LockEntry) -> str:
    """What makes a call that did not get longer cheaper again; empty for a shorter answer."""
    before, price = prompt.locked_price, prompt.gate_price
    if not prompt.same_rates and price.output_mtok > before.output_mtok:
        return f"go back to {before.model}, or find a model that costs less"
    broken = prompt.prefix.broken_by
    if now.cacheable < locked.cacheable and broken is not None:
        return f"move line {broken.line} of {broken.path} below the text that does not change"
    return ""


def _split(history: History, prompt: GuardedPrompt, measured: MeasuredCase, locked: LockEntry) -> list[str]:
    """How much of the growth of the input is this branch's."""
    base = history.base
    before = history.case_at_base(prompt, measured, locked)
    if base is None or before is None or measured.entry.input == locked.input:
        return []
    here, there = measured.entry.input - before.input, before.input - locked.input
    return [f"from this branch {here:+,} · already on {base.label} {there:+,}"]


def _lines_that_grew(
    history: History, prompt: GuardedPrompt, measured: MeasuredCase, locked: Locked
) -> tuple[Sequence[str], str, int]:
    """The lines that grew and the place to look at; without the locked text, today's longest lines."""
    entry = prompt.lock.cases.get(measured.case.name) if prompt.lock else None
    before = locked.template or (history.locked(prompt, measured.case, entry) if entry else None)
    if before is None:
        longest = longest_lines(prompt)
        head = "the locked text is neither on disk nor in git; the longest lines:"
        return (head, *longest.details), longest.path, longest.line
    explanation = history.explained(prompt, before, measured, locked.entry)
    if not explanation.changes:
        return (), prompt.template.path, 1
    first = next((change for change in explanation.changes if change.path == prompt.template.path), None)
    largest = explanation.changes[0] if explanation.changes[0].tokens > 0 else first or explanation.changes[0]
    return _change_lines(explanation), largest.path, largest.line


def _change_lines(explanation: Explanation) -> list[str]:
    changes = explanation.changes
    shown = [change for change in changes if change.tokens > 0][:_SHOWN]
    rest = [change for change in changes if change not in shown]
    # As wide as the longest place, so that the numbers are in one column.
    width = max((len(f"{change.path}:{change.line}") for change in shown), default=0)
    lines = [] if explanation.exact else ["lines of the rendered text, because a filter reads what a block has kept:"]
    if explanation.of_growth is not None:
        lines.append(f"the lines of another case of this prompt, which grew by {explanation.of_growth:+,}:")
    for change in shown:
        note = f"  ({change.note})" if change.note else ""
        place = f"{change.path}:{change.line}"
        lines.append(f"{place:<{width}}  {change.tokens:+6,}  {_short(change.source)}{note}")
    if rest:
        lines.append(f"{'other lines':<{width}}  {sum(change.tokens for change in rest):+6,}")
    return lines


def longest_lines(prompt: GuardedPrompt) -> FailureText:
    """The longest lines of a prompt, in its first case: attribution takes longer than all else of a check."""
    attribution = prompt.attribution
    longest = sorted(attribution.parts, key=lambda part: -part.tokens)[:3]
    lines = tuple(f"{part.path}:{part.line}  {part.tokens:,} tokens  {_short(part.source)}" for part in longest)
    path, line = (longest[0].path, longest[0].line) if longest else (prompt.template.path, 1)
    return FailureText(lines, path, line)


def _money(prompt: GuardedPrompt, locked: LockEntry, now: LockEntry) -> list[str]:
    calls = prompt.calls_per_month
    growth = usd_call(now, prompt.gate_price) - usd_call(locked, prompt.locked_price)
    if calls:
        month = f" = {usd(growth * calls, sign=True)} a month at {calls:,} calls"
    else:
        month = " (set calls_per_month in the front matter to see it per month)"
    before, price = prompt.locked_price, prompt.gate_price
    model = price.model if before.model == price.model else f"{before.model} → {price.model}"
    return [usd_change(locked, now, price, before) + month, f"prices: {model}, {price.source}"]


def usd_change(locked: LockEntry, now: LockEntry, price: Price, before: Price | None = None) -> str:
    """``$0.0000412 → $0.0000422 per call``; the locked tokens at a price of their own, if there is one."""
    return f"{usd(usd_call(locked, before or price))} → {usd(usd_call(now, price))} per call"


def new_lines(prompt: GuardedPrompt, measured: MeasuredCase, *, reason: bool = False) -> tuple[str, ...]:
    """What would be locked for a new case, and the command that does so and changes nothing else.

    Args:
        reason: Whether it must say why: the prompt had a lock, or the case another name, and costs more now.
    """
    entry, name = measured.entry, measured.case.name
    output = "unknown" if entry.output is None else f"{entry.output:,} ({entry.output_is})"
    would = f"it would be locked as: input {entry.input:,}, cacheable {entry.cacheable:,}, output {output}"
    if prompt.lock is None:
        return would, f"lock it: {update_command(prompt.name, reason=reason)}"
    lines = would, f"lock {name!r}: {update_command(prompt.name, cases=[name], reason=reason)}"
    others = len(prompt.cases.keys() - prompt.lock.cases.keys()) - 1
    return (*lines, f"or all {others + 1} new cases: {update_command(prompt.name)} --new") if others else lines


def _short(source: str) -> str:
    text = " ".join(source.split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def names_text(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
