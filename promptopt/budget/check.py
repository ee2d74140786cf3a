"""The check: today's numbers against the locked ones, under the limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from promptopt.budget.baseline import History, Locked, locked_today
from promptopt.budget.failure_text import cap_line, growth_line, growth_text, longest_lines, new_lines, update_command
from promptopt.budget.guarded_prompt import GuardedPrompt, MeasuredCase, metric_value
from promptopt.budget.limits import Limit, Metric
from promptopt.budget.lock import LockEntry, lost
from promptopt.budget.result import BudgetFinding, Result, Severity
from promptopt.budget.settings import DEFAULTS, OF_A_CAP, BudgetSettings
from promptopt.budget.update import EarlierLocks
from promptopt.files import show_path
from promptopt.tokens import cacheable_at

_CASE_METRICS: tuple[Metric, ...] = ("input", "cacheable", "output", "usd_call")


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks cases of guarded prompts."""

    settings: BudgetSettings
    history: History
    earlier: EarlierLocks = field(default_factory=EarlierLocks)

    def check_case(self, prompt: GuardedPrompt, name: str) -> Result:
        """Check one case. Raises PromptoptError if it cannot be measured."""
        measured = prompt.measure(name)
        now = measured.entry
        limits = self.settings.limits_for(prompt.name, name)
        entry = prompt.lock.cases.get(name) if prompt.lock else None
        recordings = list(self._recording_findings(prompt, measured, entry))
        if entry is None:
            findings = [self._new(prompt, measured), *_caps(prompt, measured, limits), *recordings]
            return self._result(prompt, name, findings, numbers(prompt, None, now, measured.reasoning))
        locked = locked_today(self.history, prompt, measured, entry)
        if locked is None:
            findings = [self._incomparable(prompt, measured, entry), *recordings]
            return self._result(prompt, name, findings, numbers(prompt, None, now, measured.reasoning))
        changed = [self._changed(prompt, measured)] if locked.changed else []
        held = prompt.held(measured, entry)
        findings = [*self._compare(prompt, held, locked, limits), *changed, *recordings]
        return self._result(prompt, name, findings, numbers(prompt, locked.entry, held.entry, measured.reasoning))

    def _result(
        self,
        prompt: GuardedPrompt,
        case: str,
        findings: Sequence[BudgetFinding],
        values: dict[str, tuple[object, object]],
    ) -> Result:
        return Result(prompt.name, case, tuple(self.inherited(prompt, findings)), values)

    def inherited(self, prompt: GuardedPrompt, findings: Sequence[BudgetFinding]) -> Sequence[BudgetFinding]:
        """Findings as warnings if this branch changes nothing of a prompt; git is only asked if there is a failure."""
        if not any(finding.level == "error" for finding in findings) or not self.history.untouched(prompt):
            return findings
        return [not_here(finding) if finding.level == "error" else finding for finding in findings]

    def _compare(
        self, prompt: GuardedPrompt, measured: MeasuredCase, locked: Locked, limits: Mapping[Metric, Limit]
    ) -> Iterator[BudgetFinding]:
        caps = {finding.metric: finding for finding in _caps(prompt, measured, limits)}
        for metric in _CASE_METRICS:
            if metric in caps:
                worse = self._worse_here(prompt, measured, locked.entry, metric)
                yield not_here(caps[metric]) if worse is False else caps[metric]
            limit = limits[metric]
            if metric == "output" and limit == DEFAULTS["output"] and measured.entry.output_is == "cap":
                limit = OF_A_CAP
            old, now = prompt.locked_value(locked.entry, metric), prompt.value(measured.entry, metric)
            if limit.level == "off" or old is None or now is None:
                continue
            growth = Decimal(lost(locked.entry, measured.entry)) if metric == "cacheable" else now - old
            whole = old if metric != "input" or locked.share_of is None else Decimal(locked.share_of)
            if limit.exceeded(whole, growth):
                yield self._regressed(prompt, measured, locked, metric, limit)

    def _regressed(
        self, prompt: GuardedPrompt, measured: MeasuredCase, locked: Locked, metric: Metric, limit: Limit
    ) -> BudgetFinding:
        severity: Severity = limit.severity
        before, after = (cacheable_at(entry.cacheable, prompt.basis.model) for entry in (locked.entry, measured.entry))
        served = before > after
        if metric == "cacheable" and limit == DEFAULTS["cacheable"] and not served:
            # A prefix that is too short for the provider's cache costs nothing when it becomes shorter.
            severity = "warn"
        old, now = prompt.locked_value(locked.entry, metric), prompt.value(measured.entry, metric)
        assert old is not None
        assert now is not None
        summary = growth_line(metric, old, now, limit)
        text = growth_text(self.history, prompt, measured, locked, metric)
        reasoned = metric == "output" and measured.reasoning is not None
        details = (
            (*text.details, f"{measured.reasoning:,} of {now:,} output tokens are reasoning")
            if reasoned
            else text.details
        )
        finding = BudgetFinding("regressed", severity, metric, summary, details, text.path, text.line)
        return not_here(finding) if self._worse_here(prompt, measured, locked.entry, metric) is False else finding

    def _worse_here(
        self, prompt: GuardedPrompt, measured: MeasuredCase, locked: LockEntry, metric: Metric
    ) -> bool | None:
        """Whether this branch makes a metric of a case worse than it is on the base; ``None`` if that is not known."""
        base = self.history.base
        if base is None or not base.apart:
            return None
        before = self.history.case_at_base(prompt, measured, locked, dollars=metric == "usd_call")
        side = self.history.at_base(prompt)
        if before is None or side is None:
            return None
        if metric == "cacheable":
            return lost(before, measured.entry) > 0
        old, now = metric_value(before, metric, side.price), prompt.value(measured.entry, metric)
        if old is None or now is None:
            return None
        return now > old or self._lowered_here(prompt, measured, metric, base.commit)

    def _lowered_here(self, prompt: GuardedPrompt, measured: MeasuredCase, metric: Metric, commit: str) -> bool:
        """Whether this branch has locked less than the base, which is not red then: what is above it now is its own."""
        then, name = self.history.locks.lock_at(commit, prompt.name), measured.case.name
        if then is None or prompt.lock is None or then.basis.tokenizer != prompt.lock.basis.tokenizer:
            return False
        before, after = then.cases.get(name), prompt.lock.cases[name]
        if before is None or before.variables != after.variables or before.output_is != after.output_is:
            return False
        old, new = prompt.locked_value(before, metric), prompt.locked_value(after, metric)
        return old is not None and new is not None and new < old

    def _new(self, prompt: GuardedPrompt, measured: MeasuredCase) -> BudgetFinding:
        removed = prompt.lock is None and self.history.locks.last(prompt.name) is not None
        what = "the prompt" if prompt.lock is None else "the case"
        summary = "new: the prompt has no lock; git has one of it" if removed else f"new: {what} is not locked yet"
        # A prompt without a lock may be one that had another name.
        cases = None if prompt.lock is None else [measured.case.name]
        details = new_lines(prompt, measured, reason=self.earlier.need_reason(prompt, cases))
        return _in_suite(BudgetFinding("new", "error", "", summary, details), prompt, measured)

    def _changed(self, prompt: GuardedPrompt, measured: MeasuredCase) -> BudgetFinding:
        summary = "the case has other variables than when it was locked; both sides are counted with the new ones"
        name = measured.case.name
        command = update_command(prompt.name, cases=[name], reason=self.earlier.need_reason(prompt, [name]))
        details = (f"lock it again: {command}",)
        return _in_suite(BudgetFinding("changed", "warn", "", summary, details), prompt, measured)

    def _incomparable(self, prompt: GuardedPrompt, measured: MeasuredCase, entry: LockEntry) -> BudgetFinding:
        changed = entry.variables != measured.entry.variables
        why = "the case and the prompt" if changed else "the tokenizer and the prompt"
        command = update_command(prompt.name, reason=self.earlier.need_reason(prompt))
        summary = (
            f"cannot be compared with the lock: {why} both changed, and the locked text is neither on disk nor in git"
        )
        details = (f"input {entry.input:,} → {measured.entry.input:,}; look at it, then lock it again: {command}",)
        return _in_suite(BudgetFinding("incomparable", "error", "input", summary, details), prompt, measured)

    def _recording_findings(
        self, prompt: GuardedPrompt, measured: MeasuredCase, entry: LockEntry | None
    ) -> Iterator[BudgetFinding]:
        level = self.settings.recordings
        if level == "off":
            return
        file = show_path(prompt.variant.files[0].path)
        command = f"record: promptopt compare {prompt.template.path} --record "
        if measured.stale:
            summary = f"output {measured.entry.output} is an estimate: the recorded answer is stale"
            details = (f"changed since it was recorded: {measured.changed}", command + "stale")
            yield BudgetFinding("stale", level, "output", summary, details, file)
        elif measured.status == "missing" and entry is not None and entry.output_is == "recorded":
            if entry.request == measured.entry.request and prompt.same_call():
                # A copy of a version: the very request has an answer, which is in the lock.
                return
            summary = "the recorded answer that was locked is missing: output and quality are unknown"
            yield BudgetFinding("missing", level, "output", summary, (command + "missing",), file)


def _caps(prompt: GuardedPrompt, measured: MeasuredCase, limits: Mapping[Metric, Limit]) -> Iterator[BudgetFinding]:
    """The metrics of a case that are beyond their cap, whatever was locked."""
    for metric in _CASE_METRICS:
        limit = limits[metric]
        value = prompt.value(measured.entry, metric)
        if limit.level == "off" or value is None or not limit.beyond_cap(metric, value):
            continue
        summary = cap_line(metric, value, limit)
        if metric == "output":
            yield BudgetFinding("cap", limit.severity, metric, summary, (), prompt.template.path, 1)
        else:
            text = longest_lines(prompt)
            yield BudgetFinding("cap", limit.severity, metric, summary, text.details, text.path, text.line)


def not_here(finding: BudgetFinding) -> BudgetFinding:
    """A failure of the base, which this branch only inherits."""
    return replace(finding, level="warn", summary=f"{finding.summary} (this branch adds nothing)")


def _in_suite(finding: BudgetFinding, prompt: GuardedPrompt, measured: MeasuredCase) -> BudgetFinding:
    """A finding about the case itself: the place to look at is the suite."""
    return replace(finding, path=show_path(prompt.suite.path), line=measured.case.line or 0)


def numbers(
    prompt: GuardedPrompt, locked: LockEntry | None, now: LockEntry, reasoning: int | None = None
) -> dict[str, tuple[object, object]]:
    """Locked and today's values by metric, for reports; of ``reasoning``, which no lock has, today's."""
    found: dict[str, tuple[object, object]] = {}
    for metric in _CASE_METRICS:
        old = None if locked is None else prompt.locked_value(locked, metric)
        new = prompt.value(now, metric)
        form = str if metric == "usd_call" else int
        found[metric] = (None if old is None else form(old), None if new is None else form(new))
    if now.quality is not None or (locked and locked.quality is not None):
        found["quality"] = (locked.quality if locked else None, now.quality)
    if reasoning is not None:
        found["reasoning"] = (None, reasoning)
    return found
