"""The check: today's numbers against the locked ones, under the limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from promptopt.budget.baseline import History, input_tokens
from promptopt.budget.failure_text import Surface, added_lines, growth_lines, metric_change, new_lines
from promptopt.budget.guarded_prompt import GuardedPrompt, Measured, tokenizer_name
from promptopt.budget.limits import Limit, Metric
from promptopt.budget.lock import Entry
from promptopt.budget.result import Finding, FindingLevel, Result
from promptopt.budget.settings import DEFAULTS, Settings
from promptopt.files import show_path
from promptopt.templates import Template
from promptopt.templates.prompt_cache import cacheable, static_prefix
from promptopt.tokens import SHIPPED, Tokenizer, count_tokens, schema_tokens
from promptopt.values import Rendered

_CASE_METRICS: tuple[Metric, ...] = ("input", "cacheable", "output", "usd_call")


@dataclass(frozen=True, slots=True)
class Locked:
    """A locked entry as it counts under today's tokenizer.

    Attributes:
        entry: Recounted where the tokenizer changed.
        template: The template that was locked, where it was needed and found.
        changed: The case has other variables than the locked one.
    """

    entry: Entry
    template: Template | None = None
    changed: bool = False


class Checker:
    """Checks cases of guarded prompts.

    Args:
        surface: In whose words the remedy is given.
    """

    def __init__(self, settings: Settings, history: History, surface: Surface) -> None:
        self.settings = settings
        self.history = history
        self.surface = surface

    def case(self, prompt: GuardedPrompt, name: str) -> Result:
        """Check one case. Raises PromptoptError where it cannot be measured."""
        measured = prompt.measure(name)
        limits = self.settings.of(prompt.name, name)
        entry = prompt.lock.cases.get(name) if prompt.lock else None
        findings = list(self._recording_findings(prompt, measured, entry))
        if entry is None:
            details = new_lines(measured.entry, name, self.surface.update(prompt.name, reason=False))
            line = measured.case.line or 0
            summary = f"new: {'the prompt' if prompt.lock is None else 'the case'} is not locked yet"
            new = Finding("new", "error", "", summary, details, show_path(prompt.suite.path), line)
            findings = [new, *self._compare(prompt, measured, None, limits), *findings]
            return Result(prompt.name, name, tuple(findings), numbers(prompt, None, measured.entry))
        locked = self.locked(prompt, measured, entry)
        if locked is None:
            findings.insert(0, self._incomparable(prompt, measured, entry))
            return Result(prompt.name, name, tuple(findings), numbers(prompt, None, measured.entry))
        if locked.changed:
            findings.insert(0, self._changed(prompt, measured))
        findings = [*self._compare(prompt, measured, locked, limits), *findings]
        return Result(prompt.name, name, tuple(findings), numbers(prompt, locked.entry, measured.entry))

    def locked(self, prompt: GuardedPrompt, measured: Measured, entry: Entry) -> Locked | None:
        """The locked entry as it counts today; ``None`` where it cannot be compared."""
        lock = prompt.lock
        assert lock is not None
        same_tokenizer = lock.basis.tokenizer == prompt.basis.tokenizer
        if entry.request == measured.entry.request:
            if same_tokenizer:
                return Locked(entry)
            # The same text: what it counts today is what the locked one counts today.
            now = measured.entry
            output = now.output if entry.output_is == now.output_is else entry.output
            prefix = now.cacheable
            if lock.sources != prompt.sources:
                prefix = round(entry.cacheable * now.input / entry.input)
            return Locked(replace(entry, input=now.input, cacheable=prefix, output=output))
        changed = entry.variables != measured.entry.variables
        if same_tokenizer and not changed:
            return Locked(entry)
        template = self.history.locked(prompt, measured.case, entry)
        if template is not None:
            recounted = _recount(prompt, template, measured)
            if recounted is not None:
                return Locked(replace(entry, input=recounted[0], cacheable=recounted[1]), template, changed)
        if changed:
            return None
        return _by_old_tokenizer(lock.basis.tokenizer, prompt.render(measured.case), measured, entry)

    def _compare(
        self, prompt: GuardedPrompt, measured: Measured, locked: Locked | None, limits: Mapping[Metric, Limit]
    ) -> Iterator[Finding]:
        now = measured.entry
        before = locked.entry if locked else None
        for metric in _CASE_METRICS:
            limit = limits[metric]
            value = _value(prompt, now, metric)
            if limit.level == "off" or value is None:
                continue
            if limit.cap is not None and (value < limit.cap if metric == "cacheable" else value > limit.cap):
                yield self._cap(prompt, measured, metric, value, limit)
            old = None if before is None else _value(prompt, before, metric)
            if before is None or locked is None or old is None:
                continue
            if metric == "output" and before.output_is != now.output_is:
                continue
            growth = Decimal(lost(before, now)) if metric == "cacheable" else value - old
            if growth > 0 and limit.exceeded(old, growth):
                yield self._regressed(prompt, measured, locked, metric, limit)

    def _regressed(
        self, prompt: GuardedPrompt, measured: Measured, locked: Locked, metric: Metric, limit: Limit
    ) -> Finding:
        level: FindingLevel = "warn" if limit.level == "warn" else "error"
        served = cacheable(locked.entry.cacheable) > cacheable(measured.entry.cacheable)
        if metric == "cacheable" and limit == DEFAULTS["cacheable"] and not served:
            # A prefix that is too short for the provider's cache costs nothing when it becomes shorter.
            level = "warn"
        old, now = _value(prompt, locked.entry, metric), _value(prompt, measured.entry, metric)
        assert old is not None
        assert now is not None
        summary = f"{metric_change(metric, old, now)}  limit {limit.text}"
        details, place, inherited = growth_lines(self, prompt, measured, locked, metric)
        if inherited and level == "error":
            level, summary = "warn", f"{summary} (this branch adds nothing)"
        return Finding("regressed", level, metric, summary, details, *place)

    def _cap(self, prompt: GuardedPrompt, measured: Measured, metric: Metric, value: Decimal, limit: Limit) -> Finding:
        assert limit.cap is not None
        beyond = "below" if metric == "cacheable" else "above"
        text = f"{metric_change(metric, None, value)} is {beyond} its cap  limit {limit.text}"
        level: FindingLevel = "warn" if limit.level == "warn" else "error"
        details, place = added_lines(self, prompt, measured, metric)
        return Finding("cap", level, metric, text, details, *place)

    def _recording_findings(self, prompt: GuardedPrompt, measured: Measured, entry: Entry | None) -> Iterator[Finding]:
        level = self.settings.recordings
        if level == "off":
            return
        file = show_path(prompt.variant.files[0].path)
        command = f"record: promptopt compare {prompt.template.path} --record "
        if measured.stale:
            summary = f"output {measured.entry.output} is an estimate: the recorded answer is stale"
            details = (f"changed since it was recorded: {measured.changed}", command + "stale")
            yield Finding("stale", level, "output", summary, details, file, 0)
        elif measured.status == "missing" and entry is not None and entry.output_is == "recorded":
            summary = "no recorded answer, where one was locked: output and quality are not known"
            yield Finding("missing", level, "output", summary, (command + "missing",), file, 0)

    def _changed(self, prompt: GuardedPrompt, measured: Measured) -> Finding:
        command = self.surface.update(prompt.name, reason=False)
        return Finding(
            "changed",
            "warn",
            "",
            "the case has other variables than when it was locked; both sides are counted with the new ones",
            (f"lock it again: {command}",),
            show_path(prompt.suite.path),
            measured.case.line or 0,
        )

    def _incomparable(self, prompt: GuardedPrompt, measured: Measured, entry: Entry) -> Finding:
        changed = entry.variables != measured.entry.variables
        why = "the case and the prompt changed" if changed else "tokenizer and prompt changed"
        command = self.surface.update(prompt.name, reason=measured.entry.input > entry.input)
        return Finding(
            "incomparable",
            "error",
            "input",
            f"cannot be compared with the lock: {why} together, and the locked text is neither on disk nor in git",
            (f"input {entry.input:,} → {measured.entry.input:,}; look at it, then lock it again: {command}",),
            show_path(prompt.suite.path),
            measured.case.line or 0,
        )


def lost(locked: Entry, now: Entry) -> int:
    """Tokens that were cacheable and are still sent, but not cacheable any more."""
    uncached = (now.input - now.cacheable) - (locked.input - locked.cacheable)
    return max(0, min(locked.cacheable - now.cacheable, uncached))


def numbers(prompt: GuardedPrompt, locked: Entry | None, now: Entry) -> dict[str, tuple[object, object]]:
    """Locked and present values by metric, for reports."""
    found: dict[str, tuple[object, object]] = {}
    for metric in _CASE_METRICS:
        old = None if locked is None else _value(prompt, locked, metric)
        new = _value(prompt, now, metric)
        form = str if metric == "usd_call" else int
        found[metric] = (None if old is None else form(old), None if new is None else form(new))
    if now.quality is not None or (locked and locked.quality is not None):
        found["quality"] = (locked.quality if locked else None, now.quality)
    return found


def _value(prompt: GuardedPrompt, entry: Entry, metric: Metric) -> Decimal | None:
    if metric == "usd_call":
        return prompt.usd_call(entry)
    value: Literal["input", "cacheable", "output"] = metric  # type: ignore[assignment]  # the others are of prompts
    number: int | None = getattr(entry, value)
    return None if number is None else Decimal(number)


def _recount(prompt: GuardedPrompt, template: Template, measured: Measured) -> tuple[int, int] | None:
    """Input and static prefix of the locked template with today's variables and tokenizer."""
    case = measured.case
    total = input_tokens(template, case, prompt.variant.priced_as)
    if total is None:
        return None
    schema = template.front.output_schema
    billed = 0 if schema is None else schema_tokens(schema, prompt.tokenizer)
    prefix = static_prefix(template, case.vars, template.render(case.vars))
    return total, min(prefix.tokens(prompt.tokenizer, billed), total)


def _by_old_tokenizer(name: str, rendered: Rendered, measured: Measured, entry: Entry) -> Locked | None:
    """The locked entry where only the counts are left: what the prompt grew by under the old tokenizer it grew by."""
    encoding = name.partition("@")[0]
    if encoding not in SHIPPED or tokenizer_name(Tokenizer(encoding, exact=True)) != name:
        return None
    old = Tokenizer(encoding, exact=True)
    today = sum(old.count(message.content) for message in rendered.messages)
    counted = count_tokens(rendered.messages)
    schema = rendered.output_schema
    today += counted.framing + (0 if schema is None else schema_tokens(schema, old))
    growth = today - entry.input
    return Locked(replace(entry, input=measured.entry.input - growth, cacheable=measured.entry.cacheable))
