"""What is checked for a whole prompt, and for a group of prompts: month, quality, causes, entries without a case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from statistics import fmean

from promptopt.budget.baseline import locked_today
from promptopt.budget.causes import Causes, Pairs, locked_calls
from promptopt.budget.check import Checker, not_here
from promptopt.budget.failure_text import cap_line, growth_line, names_text, update_command
from promptopt.budget.guarded_prompt import GuardedPrompt, digest, metric_value
from promptopt.budget.limits import FLOORED, Limit, Metric
from promptopt.budget.result import BudgetFinding, Result
from promptopt.budget.settings import Limits
from promptopt.experiment.verdict import Quality, judge_quality
from promptopt.files import show_path
from promptopt.providers.base import reads_variables

# By the exact test of `compare`, all of seven answers lost has a p-value of 1/64, which shows a loss at its level of
# 1/40; all of six has 1/32, which does not.
_TESTABLE = 7
# The test of a loss needs a margin; this one is below any difference of scores.
_NO_MARGIN = 1e-6


def check_prompt(checker: Checker, prompt: GuardedPrompt) -> Result:
    """What is checked for a whole prompt. Raises PromptoptError if a case cannot be measured."""
    pairs = _pairs(checker, prompt)
    limits = checker.settings.limits_for(prompt.name)
    findings = [
        *_entries(checker, prompt),
        *_causes(checker, prompt, pairs, limits),
        *_quality(prompt, pairs, limits["quality"]),
    ]
    numbers: dict[str, tuple[object, object]] = {}
    month = _month(checker, prompt, pairs)
    if month is not None:
        numbers["usd_month"] = (str(month[0]), str(month[1]))
        for found in _exceeded(prompt.template.path, "usd_month", limits["usd_month"], *month):
            finding = replace(found, path=prompt.template.path, line=1)
            call = _mean(prompt, pairs, "usd_call")
            if found.kind == "regressed" and call is not None and call[1] <= call[0]:
                finding = replace(finding, details=("no call costs more: it is calls_per_month",))
            before = _at_base(checker, prompt, "usd_month")
            findings.append(not_here(finding) if before is not None and month[1] <= before else finding)
    return Result(prompt.name, "", tuple(checker.inherited(prompt, findings)), numbers)


def check_group(checker: Checker, glob: str, limits: Limits, prompts: Sequence[GuardedPrompt]) -> Result:
    """The sums over the prompts of a group: of the mean per call, and of the dollars per month."""
    members = [prompt for prompt in prompts if fnmatchcase(prompt.name, glob)]
    sums: dict[Metric, tuple[Decimal, Decimal]] = {}
    for prompt in members:
        pairs = _pairs(checker, prompt)
        for metric in limits:
            value = _month(checker, prompt, pairs) if metric == "usd_month" else _mean(prompt, pairs, metric)
            old, now = sums.get(metric, (Decimal(0), Decimal(0)))
            sums[metric] = (old + value[0], now + value[1]) if value else (old, now)
    findings = []
    whole = f"{len(members)} prompt{'s' * (len(members) != 1)} in all"
    for metric, (old, now) in sums.items():
        for finding in _exceeded(whole, metric, limits[metric], old, now):
            inherited = _adds_nothing(checker, members, metric, now)
            findings.append(not_here(finding) if inherited else finding)
    numbers: dict[str, tuple[object, object]] = {metric: (str(old), str(now)) for metric, (old, now) in sums.items()}
    return Result(f"group {glob}", "", tuple(findings), numbers)


def _adds_nothing(checker: Checker, members: Sequence[GuardedPrompt], metric: Metric, now: Decimal) -> bool:
    """Whether a sum over prompts is no worse than it is on the base."""
    befores = [_at_base(checker, prompt, metric) for prompt in members]
    known = [before for before in befores if before is not None]
    if not known or len(known) != len(befores):
        return False
    before = sum(known, Decimal(0))
    return now >= before if metric in FLOORED else now <= before


def _at_base(checker: Checker, prompt: GuardedPrompt, metric: Metric) -> Decimal | None:
    """A prompt's mean over its cases, or its dollars a month, on the base; ``None`` if it cannot be said."""
    base, side = checker.history.base, checker.history.at_base(prompt)
    if base is None or not base.apart or side is None:
        return None
    found: list[Decimal] = []
    one: Metric = "usd_call" if metric == "usd_month" else metric
    for name, entry in (prompt.lock.cases if prompt.lock else {}).items():
        if name not in prompt.cases:
            continue
        held = prompt.held(prompt.measure(name), entry)
        before = checker.history.case_at_base(prompt, held, entry, dollars=metric.startswith("usd"))
        value = None if before is None else metric_value(before, one, side.price)
        if value is None:
            return None
        found.append(value)
    if not found:
        return None
    mean = sum(found, Decimal(0)) / len(found)
    if metric != "usd_month":
        return mean
    return None if side.calls_per_month is None else mean * side.calls_per_month


def _pairs(checker: Checker, prompt: GuardedPrompt) -> Pairs:
    found = []
    for name, entry in (prompt.lock.cases if prompt.lock else {}).items():
        if name not in prompt.cases:
            continue
        measured = prompt.measure(name)
        locked = locked_today(checker.history, prompt, measured, entry)
        if locked is not None:
            old = replace(locked.entry, output=entry.output)
            found.append((old, prompt.held(measured, entry).entry))
    return found


def _causes(
    checker: Checker, prompt: GuardedPrompt, pairs: Pairs, limits: Mapping[Metric, Limit]
) -> Iterator[BudgetFinding]:
    lock = prompt.lock
    if lock is not None:
        yield from Causes(checker, prompt, lock, pairs, limits).findings()


def _mean(prompt: GuardedPrompt, pairs: Pairs, metric: Metric) -> tuple[Decimal, Decimal] | None:
    values = [(prompt.locked_value(old, metric), prompt.value(now, metric)) for old, now in pairs]
    known = [(old, now) for old, now in values if old is not None and now is not None]
    if not known:
        return None
    old_sum, now_sum = (sum(column, Decimal(0)) for column in zip(*known, strict=True))
    return old_sum / len(known), now_sum / len(known)


def _month(checker: Checker, prompt: GuardedPrompt, pairs: Pairs) -> tuple[Decimal, Decimal] | None:
    """Dollars a month, if the calls in production are like the cases; ``None`` without ``calls_per_month``."""
    mean = _mean(prompt, pairs, "usd_call")
    calls = prompt.calls_per_month
    if mean is None or calls is None or prompt.lock is None:
        return None
    return mean[0] * (locked_calls(checker, prompt, prompt.lock) or calls), mean[1] * calls


def _exceeded(path: str, metric: Metric, limit: Limit, old: Decimal, now: Decimal) -> Iterator[BudgetFinding]:
    if limit.level == "off":
        return
    growth = old - now if metric == "cacheable" else now - old
    beyond = limit.beyond_cap(metric, now)
    if not beyond and not limit.exceeded(old, growth):
        return
    old, now = (value if metric.startswith("usd") else round(value, 1) for value in (old, now))
    summary = cap_line(metric, now, limit) if beyond else growth_line(metric, old, now, limit)
    details = ("see the cases that grew for the lines that did it", path)
    yield BudgetFinding("cap" if beyond else "regressed", limit.severity, metric, summary, details)


def _entries(checker: Checker, prompt: GuardedPrompt) -> Iterator[BudgetFinding]:
    """Locked entries whose case is gone or has another name now."""
    if prompt.lock is None:
        return
    gone = {name: entry for name, entry in prompt.lock.cases.items() if name not in prompt.cases}
    if not gone:
        return
    new = {digest(case.given): name for name, case in prompt.cases.items() if name not in prompt.lock.cases}
    path = show_path(prompt.suite.path)
    renamed = {name: new[entry.variables] for name, entry in gone.items() if entry.variables in new}
    removed = [name for name in gone if name not in renamed]
    if renamed:
        cases = list(renamed.values())
        reason = checker.earlier.need_reason(prompt, cases)
        command = update_command(prompt.name, cases=cases, many="--new", reason=reason)
        listed = names_text([f"{old!r} to {name!r}" for old, name in renamed.items()])
        summary = f"renamed: {listed}; the lock has the old name"
        yield BudgetFinding("renamed", "error", "", summary, (f"lock the new name: {command}",), path, 1)
    if removed:
        command = update_command(prompt.name, cases=removed, many="--removed")
        summary = f"removed: the lock has {names_text(list(map(repr, removed)))}, the suite does not"
        details = (f"restore the case in {path}, or remove it from the lock: {command}",)
        yield BudgetFinding("removed", "error", "", summary, details, path, 1)


def _quality(prompt: GuardedPrompt, pairs: Pairs, limit: Limit) -> Iterator[BudgetFinding]:
    if limit.level == "off":
        return
    known = _by_question(prompt, pairs)
    answers = [quality for name in prompt.cases if (quality := prompt.measure(name).entry.quality) is not None]
    path = prompt.template.path
    accept = update_command(prompt.name, reason=True)
    what_to_do = (f"see which answers changed: promptopt compare {path} --cases", f"or accept: {accept}")
    mean = sum(answers) / len(answers) if answers else 1.0
    if limit.beyond_cap("quality", Decimal(str(mean))):
        summary = f"{cap_line('quality', Decimal(str(mean)), limit)}, over {len(answers)} recorded answers"
        yield BudgetFinding("quality", limit.severity, "quality", summary, what_to_do, path, 1)
    margin = float(limit.amount) if limit.amount is not None else prompt.config.margin / 100
    means = [(fmean(locked), fmean(now)) for locked, now in (zip(*asked, strict=True) for asked in known)]
    judged = judge_recorded(means, margin)
    if judged.quality in ("better", "not worse") or not any(now < locked for locked, now in means):
        return
    answered = sum(map(len, known))
    asked = f" to {len(known)} question{'s' * (len(known) != 1)}" if len(known) < answered else ""
    text = f"quality {judged.difference * 100:+.1f} points over {answered} recorded answers{asked}: "
    # So few answers cannot show a loss, however large: the mean itself decides.
    few = len(known) < _TESTABLE and judged.difference < -margin
    if judged.quality == "worse" or few:
        text += "worse" if judged.quality == "worse" else "too few for a test, and the loss is above the margin"
        yield BudgetFinding("quality", limit.severity, "quality", text, what_to_do, path, 1)
    else:
        text += f"not significantly worse, but a loss of {margin * 100:g} points cannot be excluded"
        yield BudgetFinding("quality", "warn", "quality", text, ("more cases would decide it",), path, 1)


def _by_question(prompt: GuardedPrompt, pairs: Pairs) -> list[list[tuple[float, float]]]:
    """The locked and today's qualities; cases that ask the same are together, as they are one for ``compare``."""
    # What the results of tools say, and what a program is given beside the messages, is no part of a request's digest.
    stepped = any(case.has_steps for case in prompt.cases.values())
    program = reads_variables(prompt.variant.model)
    found: dict[object, list[tuple[float, float]]] = {}
    for number, (old, now) in enumerate(pairs):
        if old.quality is not None and now.quality is not None:
            asked = number if stepped else (old.request, now.request, now.variables if program else "")
            found.setdefault(asked, []).append((old.quality, now.quality))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class RecordedQuality:
    """Today's recorded answers compared with the locked ones.

    Attributes:
        difference: Mean over the cases, -1 to 1; negative if today's are worse.
    """

    quality: Quality
    difference: float


def judge_recorded(pairs: Sequence[tuple[float, float]], margin: float) -> RecordedQuality:
    """Whether today's recorded answers are better, not worse or worse, by the test that ``compare`` uses.

    Args:
        pairs: For each case: locked and today's quality, 0 to 1.
        margin: Quality that may be lost, 0 to 1.
    """
    differences = [now - locked for locked, now in pairs]
    if not any(differences):
        # Recorded answers do not vary: without a difference in any case, nothing changed.
        return RecordedQuality("not worse", 0.0)
    import numpy as np

    from promptopt.experiment.evidence import quality_evidence

    evidence = quality_evidence(np.array(differences), margin or _NO_MARGIN)
    return RecordedQuality(judge_quality(evidence), evidence.difference)
