"""The words of a failure: what grew, which lines did it, whose part it is, what it costs, and the two ways out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from shlex import quote
from typing import TYPE_CHECKING

from promptopt.budget.baseline import input_tokens
from promptopt.budget.growth import Explanation, explain_growth
from promptopt.budget.guarded_prompt import GuardedPrompt, Measured
from promptopt.budget.limits import Metric
from promptopt.budget.lock import Entry
from promptopt.files import show_path
from promptopt.money import usd
from promptopt.templates.attribution import attribute

if TYPE_CHECKING:
    from promptopt.budget.check import Checker, Locked

Where = tuple[str, int]
_SHOWN = 5
_WIDTH = 72


@dataclass(frozen=True, slots=True)
class Surface:
    """How the user runs the gate: ``pytest`` or ``promptopt budget``."""

    pytest: bool

    def update(self, prompt: str, *, reason: bool) -> str:
        """The command that locks a prompt as it is now."""
        if self.pytest:
            given = ' --prompt-budget-reason "..."' if reason else ""
            return f"pytest --prompt-budget-only --prompt-budget-update -k {quote(prompt)}{given}"
        given = ' --reason "..."' if reason else ""
        return f"promptopt budget update {quote(prompt)}{given}"


def amount_text(metric: Metric, value: Decimal) -> str:
    """A value in its metric's unit."""
    return usd(value) if metric.startswith("usd") else f"{value:,}"


def metric_change(metric: Metric, old: Decimal | None, now: Decimal) -> str:
    """``input 2,812 → 3,014 (+202, +7.2%)``."""
    if old is None:
        return f"{metric} {amount_text(metric, now)}"
    growth = now - old
    difference = usd(growth, sign=True) if metric.startswith("usd") else f"{growth:+,}"
    share = f", {growth / old * 100:+.1f}%" if old else ""
    return f"{metric} {amount_text(metric, old)} → {amount_text(metric, now)} ({difference}{share})"


def growth_lines(
    checker: Checker, prompt: GuardedPrompt, measured: Measured, locked: Locked, metric: Metric
) -> tuple[tuple[str, ...], Where, bool]:
    """Details of a growth, the place to look at, and whether all of it was on the base already."""
    details: list[str] = []
    where: Where = (prompt.template.path, 1)
    inherited = False
    shorten = "the answer: ask for less, or lower max_output_tokens"
    if metric == "cacheable":
        broken = prompt.prefix(measured.case).broken_by
        if broken is not None:
            where = broken.path, broken.line
            details.append(f"{broken.path}:{broken.line}  {_short(broken.source)} stands before text that was static")
        shorten = f"move line {where[1]} of {where[0]} below the text that does not change"
    elif metric != "output":
        split, inherited = _split(checker, prompt, measured, locked.entry)
        details.extend(split)
        lines, where = _why(checker, prompt, measured, locked)
        details.extend(lines)
        shorten = f"shorten {where[0]}:{where[1]}"
    details.extend(_money(prompt, locked.entry, measured.entry))
    command = checker.surface.update(prompt.name, reason=True)
    details += [f"fix: {shorten}", f"or accept: {command}"]
    return tuple(details), where, inherited


def _split(checker: Checker, prompt: GuardedPrompt, measured: Measured, locked: Entry) -> tuple[list[str], bool]:
    """What part of the growth is this branch's."""
    base = checker.history.base
    template = checker.history.at_base(prompt)
    if base is None or template is None:
        return [], False
    before = input_tokens(template, measured.case, prompt.variant.priced_as)
    if before is None:
        return [], False
    here, there = measured.entry.input - before, before - locked.input
    inherited = base.apart and here <= 0
    return [f"from this branch {here:+,} · already on {base.label} {there:+,}"], inherited


def _why(checker: Checker, prompt: GuardedPrompt, measured: Measured, locked: Locked) -> tuple[list[str], Where]:
    """The lines that grew; without the locked text, the longest lines of today's."""
    model = prompt.variant.priced_as
    lock = prompt.lock.cases.get(measured.case.name) if prompt.lock else None
    before = locked.template or (checker.history.locked(prompt, measured.case, lock) if lock else None)
    if before is None:
        lines, where = added_lines(checker, prompt, measured, "input")
        return ["the locked text is neither on disk nor in git; the longest lines:", *lines], where
    explanation = explain_growth(before, prompt.template, measured.case.vars, model)
    if not explanation.changes:
        return [], (prompt.template.path, 1)
    first = next((change for change in explanation.changes if change.path == prompt.template.path), None)
    largest = explanation.changes[0] if explanation.changes[0].tokens > 0 else first or explanation.changes[0]
    return _change_lines(explanation), (largest.path, largest.line)


def _change_lines(explanation: Explanation) -> list[str]:
    changes = explanation.changes
    shown = [change for change in changes if change.tokens > 0][:_SHOWN]
    rest = [change for change in changes if change not in shown]
    # Widths of this list only: the numbers stand under each other.
    width = max((len(f"{change.path}:{change.line}") for change in shown), default=0)
    lines = [] if explanation.exact else ["by rendered lines, because a filter reads what a block has kept:"]
    for change in shown:
        note = f"  ({change.note})" if change.note else ""
        place = f"{change.path}:{change.line}"
        lines.append(f"{place:<{width}}  {change.tokens:+6,}  {_short(change.source)}{note}")
    if rest:
        lines.append(f"{'other lines':<{width}}  {sum(change.tokens for change in rest):+6,}")
    return lines


def added_lines(
    checker: Checker,  # noqa: ARG001 - called like growth_lines
    prompt: GuardedPrompt,
    measured: Measured,
    metric: Metric,
) -> tuple[tuple[str, ...], Where]:
    """The longest lines of a prompt."""
    if metric == "output":
        return (), (prompt.template.path, 1)
    attribution = attribute(prompt.template, measured.case.vars, prompt.variant.priced_as)
    longest = sorted(attribution.parts, key=lambda part: -part.tokens)[:3]
    lines = tuple(f"{part.path}:{part.line}  {part.tokens:,} tokens  {_short(part.source)}" for part in longest)
    first = longest[0] if longest else None
    return lines, (first.path, first.line) if first else (prompt.template.path, 1)


def _money(prompt: GuardedPrompt, locked: Entry, now: Entry) -> list[str]:
    before, after = prompt.usd_call(locked), prompt.usd_call(now)
    growth = after - before
    basis = f"prices: {prompt.price.model}, {prompt.price.source}"
    line = f"{usd(before)} → {usd(after)} per call"
    calls = prompt.calls_per_month
    if calls:
        line += f" = {usd(growth * calls, sign=True)} a month at {calls:,} calls"
    else:
        line += " (set calls_per_month in the front matter to see it per month)"
    return [line, basis]


def new_lines(entry: Entry, name: str, command: str) -> tuple[str, ...]:
    """What would be locked for a new case."""
    output = "unknown" if entry.output is None else f"{entry.output:,} ({entry.output_is})"
    return (
        f"it would be locked as: input {entry.input:,}, cacheable {entry.cacheable:,}, output {output}",
        f"lock {name!r}: {command}",
    )


def _short(source: str) -> str:
    text = " ".join(source.split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def names_text(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def suite_place(prompt: GuardedPrompt) -> Where:
    """The suite's file."""
    return show_path(prompt.suite.path), 1
