"""What is judged of a prompt as a whole, and of a group of prompts: month, quality, causes, entries without a case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase

from promptopt.budget.check import Checker
from promptopt.budget.failure_text import metric_change, names_text, suite_place
from promptopt.budget.guarded_prompt import GuardedPrompt, digest
from promptopt.budget.limits import Limit, Metric
from promptopt.budget.lock import Entry
from promptopt.budget.quality import judge_recorded
from promptopt.budget.result import Finding, FindingLevel, Result
from promptopt.budget.settings import Limits
from promptopt.files import show_path
from promptopt.money import usd

Pairs = Sequence[tuple[Entry, Entry]]
"""Locked (as it counts today) and present entry of each case that has both."""


def check_prompt(checker: Checker, prompt: GuardedPrompt) -> Result:
    """What is judged of a whole prompt. Raises PromptoptError where a case cannot be measured."""
    pairs = _pairs(checker, prompt)
    limits = checker.settings.of(prompt.name)
    findings = [
        *_entries(checker, prompt),
        *_causes(checker, prompt, pairs),
        *_quality(checker, prompt, pairs, limits["quality"]),
    ]
    numbers: dict[str, tuple[object, object]] = {}
    month = _month(prompt, pairs)
    if month is not None:
        numbers["usd_month"] = (str(month[0]), str(month[1]))
        findings.extend(_grown(prompt.template.path, "usd_month", limits["usd_month"], *month))
    return Result(prompt.name, "", tuple(findings), numbers)


def check_group(checker: Checker, glob: str, limits: Limits, prompts: Sequence[GuardedPrompt]) -> Result:
    """The sum over the prompts of a group: of means per call, and of dollars per month."""
    members = [prompt for prompt in prompts if fnmatchcase(prompt.name, glob)]
    sums: dict[Metric, tuple[Decimal, Decimal]] = {}
    for prompt in members:
        pairs = _pairs(checker, prompt)
        for metric in limits:
            value = _month(prompt, pairs) if metric == "usd_month" else _mean(prompt, pairs, metric)
            old, now = sums.get(metric, (Decimal(0), Decimal(0)))
            sums[metric] = (old + value[0], now + value[1]) if value else (old, now)
    findings = [
        finding
        for metric, (old, now) in sums.items()
        for finding in _grown(f"{len(members)} prompts in all", metric, limits[metric], old, now)
    ]
    numbers: dict[str, tuple[object, object]] = {metric: (str(old), str(now)) for metric, (old, now) in sums.items()}
    return Result(f"group {glob}", "", tuple(findings), numbers)


def _pairs(checker: Checker, prompt: GuardedPrompt) -> Pairs:
    found = []
    for name, entry in (prompt.lock.cases if prompt.lock else {}).items():
        if name not in prompt.cases:
            continue
        measured = prompt.measure(name)
        locked = checker.locked(prompt, measured, entry)
        if locked is not None:
            found.append((locked.entry, measured.entry))
    return found


def _mean(prompt: GuardedPrompt, pairs: Pairs, metric: Metric) -> tuple[Decimal, Decimal] | None:
    values = [tuple(_number(prompt, entry, metric) for entry in pair) for pair in pairs]
    known = [(old, now) for old, now in values if old is not None and now is not None]
    if not known:
        return None
    return sum((old for old, _ in known), Decimal(0)) / len(known), sum((now for _, now in known), Decimal(0)) / len(
        known
    )


def _number(prompt: GuardedPrompt, entry: Entry, metric: Metric) -> Decimal | None:
    if metric == "usd_call":
        return prompt.usd_call(entry)
    number = {"input": entry.input, "cacheable": entry.cacheable, "output": entry.output}[metric]
    return None if number is None else Decimal(number)


def _month(prompt: GuardedPrompt, pairs: Pairs) -> tuple[Decimal, Decimal] | None:
    """Dollars a month, as if production's calls were like the cases; ``None`` without ``calls_per_month``."""
    mean = _mean(prompt, pairs, "usd_call")
    calls = prompt.calls_per_month
    return None if mean is None or calls is None else (mean[0] * calls, mean[1] * calls)


def _grown(path: str, metric: Metric, limit: Limit, old: Decimal, now: Decimal) -> Iterator[Finding]:
    if limit.level == "off":
        return
    growth = old - now if metric == "cacheable" else now - old
    beyond = limit.cap is not None and (now < limit.cap if metric == "cacheable" else now > limit.cap)
    if not beyond and not (growth > 0 and limit.exceeded(old, growth)):
        return
    level: FindingLevel = "warn" if limit.level == "warn" else "error"
    shown = [value if metric.startswith("usd") else round(value, 1) for value in (old, now)]
    change = metric_change(metric, *shown)
    what = " is beyond its cap" if beyond else ""
    details = ("the cases that grew say which lines did it", path)
    yield Finding("cap" if beyond else "regressed", level, metric, f"{change}{what}  limit {limit.text}", details)


def _entries(checker: Checker, prompt: GuardedPrompt) -> Iterator[Finding]:
    """Locked entries whose case is gone, and where it may have gone."""
    if prompt.lock is None:
        return
    gone = {name: entry for name, entry in prompt.lock.cases.items() if name not in prompt.cases}
    if not gone:
        return
    new = {digest(dict(case.vars)): name for name, case in prompt.cases.items() if name not in prompt.lock.cases}
    path, line = suite_place(prompt)
    command = checker.surface.update(prompt.name, reason=False)
    renamed = [f"{name!r} to {new[entry.variables]!r}" for name, entry in gone.items() if entry.variables in new]
    removed = [repr(name) for name, entry in gone.items() if entry.variables not in new]
    if renamed:
        summary = f"renamed: {names_text(renamed)}; the lock has the old name"
        yield Finding("renamed", "error", "", summary, (f"lock the new name: {command}",), path, line)
    if removed:
        summary = f"removed: the lock has {names_text(removed)}, the suite does not"
        details = (f"restore the case in {path}, or: {command}",)
        yield Finding("removed", "error", "", summary, details, path, line)


def _causes(checker: Checker, prompt: GuardedPrompt, pairs: Pairs) -> Iterator[Finding]:
    """A changed tokenizer, model or price: causes of their own, that are no change of the prompt."""
    if prompt.lock is None or prompt.lock.basis == prompt.basis:
        return
    old, now = prompt.lock.basis, prompt.basis
    rows = []
    if old.model != now.model:
        rows.append(f"model: {old.model} → {now.model}")
    if old.tokenizer != now.tokenizer:
        rows.append(f"tokenizer: {_short(old.tokenizer)} → {_short(now.tokenizer)}")
        # The recounted entries stand in the order of the lock, less those that cannot be compared.
        before = sum(entry.input for name, entry in prompt.lock.cases.items() if name in prompt.cases)
        if len(pairs) == len(prompt.lock.cases):
            rows.append(
                f"  locked input, recounted: {before:,} → {sum(locked.input for locked, _ in pairs):,} in all cases"
            )
    for name in ("input_usd", "cached_usd", "output_usd"):
        if getattr(old, name) != getattr(now, name):
            kind = name.removesuffix("_usd")
            rows.append(f"price of {kind} tokens: ${getattr(old, name)} → ${getattr(now, name)} per million")
    month = _month(prompt, pairs)
    if month is not None:
        rows.append(f"the locked tokens cost {usd(month[0])} a month at today's rates")
    rows.append(f"take it over: {checker.surface.update(prompt.name, reason=False)}")
    summary = "not the prompt: what it is counted or priced with changed; both sides are counted with today's"
    yield Finding("cause", "note", "", summary, tuple(rows), show_path(prompt.path), 1)


def _short(tokenizer: str) -> str:
    name, _, value = tokenizer.partition("@")
    return f"{name}@{value[:15]}"


def _quality(checker: Checker, prompt: GuardedPrompt, pairs: Pairs, limit: Limit) -> Iterator[Finding]:
    if limit.level == "off":
        return
    level: FindingLevel = "warn" if limit.level == "warn" else "error"
    known = [(old.quality, now.quality) for old, now in pairs if old.quality is not None and now.quality is not None]
    answers = [quality for name in prompt.cases if (quality := prompt.measure(name).entry.quality) is not None]
    path = prompt.template.path
    mean = sum(answers) / len(answers) if answers else 1.0
    if limit.cap is not None and Decimal(str(mean)) < limit.cap:
        summary = f"quality {mean * 100:.1f}% of {len(answers)} recorded answers is below its floor  limit {limit.text}"
        yield Finding("quality", level, "quality", summary, _ways_out(checker, prompt), path, 1)
    margin = float(limit.amount) if limit.amount is not None else prompt.config.margin / 100
    judgement, difference, _ = judge_recorded(known, margin)
    if judgement in ("better", "not worse"):
        return
    lost_more = difference < -margin
    text = f"quality {difference * 100:+.1f} points over {len(known)} recorded answers: "
    if judgement == "worse" or lost_more:
        text += "worse" if judgement == "worse" else f"a loss of {margin * 100:g} points or more is not excluded"
        yield Finding("quality", level, "quality", text, _ways_out(checker, prompt), path, 1)
    else:
        text += f"not shown to be worse, but a loss of {margin * 100:g} points is not excluded"
        yield Finding("quality", "warn", "quality", text, ("more cases would decide it",), path, 1)


def _ways_out(checker: Checker, prompt: GuardedPrompt) -> tuple[str, ...]:
    accept = checker.surface.update(prompt.name, reason=True)
    return (f"see which answers changed: promptopt compare {prompt.template.path} --cases", f"or accept: {accept}")
