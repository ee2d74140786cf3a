"""How a prompt's cost changed over time: the history of its lock, and what many small raises add up to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from promptopt.budget.guarded_prompt import GuardedPrompt
from promptopt.budget.history import LockLog
from promptopt.budget.limits import DriftLimit, Metric
from promptopt.budget.lock import Lock, LockBasis, LockEntry, lock_path, read_lock
from promptopt.budget.result import BudgetFinding
from promptopt.config import Config
from promptopt.errors import UsageError
from promptopt.files import git_error, show_path
from promptopt.money import usd
from promptopt.tokens import cacheable_at

_MTOK = Decimal(1_000_000)
_SHOWN = 5


def locked_usd(entry: LockEntry, basis: LockBasis) -> Decimal:
    """Dollars of one call at the locked rates; an unknown output is left out."""
    served = min(cacheable_at(entry.cacheable, basis.model), entry.input)
    tokens = (entry.input - served, served, entry.output or 0)
    rates = (basis.input_usd, basis.cached_usd, basis.output_usd)
    return sum((count * Decimal(rate) for count, rate in zip(tokens, rates, strict=True)), Decimal(0)) / _MTOK


@dataclass(frozen=True, slots=True)
class LockDrift:
    """How two locks of a prompt differ: the means over the cases that both have, with the same variables.

    Attributes:
        input: Input tokens, before and after; ``None`` if two tokenizers counted them.
        usd_call: Dollars per call. One model has one price on both sides: a price table is not the prompt's.
    """

    input: tuple[Decimal, Decimal] | None
    usd_call: tuple[Decimal, Decimal]


def lock_drift(old: Lock, now: Lock) -> LockDrift | None:
    """The difference of two locks; ``None`` without a case in common."""
    pairs = [
        (entry, now.cases[name])
        for name, entry in old.cases.items()
        if name in now.cases and now.cases[name].variables == entry.variables
    ]
    if not pairs:
        return None
    rates = now.basis if old.basis.model == now.basis.model else old.basis
    before, after = zip(*pairs, strict=True)
    tokens = _mean([entry.input for entry in before]), _mean([entry.input for entry in after])
    dollars = (
        _mean([locked_usd(entry, rates) for entry in before]),
        _mean([locked_usd(entry, now.basis) for entry in after]),
    )
    return LockDrift(tokens if old.basis.tokenizer == now.basis.tokenizer else None, dollars)


def _mean(values: Sequence[int | Decimal]) -> Decimal:
    return sum(map(Decimal, values), Decimal(0)) / len(values)


def share_text(old: Decimal, now: Decimal) -> str:
    """``+61.5%``; a change from nothing has no share."""
    return f"{(now - old) / old * 100:+,.1f}%" if old else "from 0"


def drift_text(drift: LockDrift) -> str:
    """``input 26 → 42 (+61.5%), $0.0000399 → $0.0000423 per call (+6.0%)``."""
    parts = []
    if drift.input is not None and drift.input[0] != drift.input[1]:
        old, now = drift.input
        parts.append(f"input {round(old, 1):,f} → {round(now, 1):,f} ({share_text(old, now)})".replace(".0 ", " "))
    if drift.usd_call[0] != drift.usd_call[1]:
        old, now = drift.usd_call
        parts.append(f"{usd(old)} → {usd(now)} per call ({share_text(old, now)})")
    return ", ".join(parts) or "no change of cost"


def log_lines(config: Config, prompt: str, since: str | None = None) -> Iterator[str]:
    """The history of a lock, the newest first, and the total drift.

    Args:
        since: A date, a commit or a tag; ``None``: all.

    Raises:
        UsageError: The prompt has no lock, or ``since`` is nothing that git knows.
        LockError: Its lock is broken.
    """
    if refused := git_error(config.root):
        raise UsageError(f"the history of {prompt!r} is not known: {refused}")
    log = LockLog(config)
    path = lock_path(config.prompts, prompt)
    current = read_lock(path)
    changes = list(log.changes(prompt))
    shown = changes if since is None else log.after(since, changes)
    if current is None and not changes:
        raise UsageError(f"{prompt!r} has no lock, and git knows none: no {show_path(path)}")
    locks = [None if change.removed else log.lock_at(change.commit, change.prompt) for change in changes]
    last = next((lock for lock in locks if lock is not None), None)
    if current is not None and (last is None or last.text() != current.text()):
        yield "not committed"
        yield from _step_lines(last, current)
    for number, change in enumerate(shown):
        yield f"{change.when:%Y-%m-%d}  {change.commit[:10]}  {change.author}  {' '.join(change.subject.split())}"
        yield from _step_lines(locks[number + 1] if number + 1 < len(locks) else None, locks[number])
    first = next((lock for lock in reversed(locks[: len(shown) + 1]) if lock is not None), None)
    end = current or last
    drift = None if first is None or end is None else lock_drift(first, end)
    if first is None:
        yield "git has no earlier lock of it"
    else:
        yield f"since {since or 'the first lock'}: {'no case in common' if drift is None else drift_text(drift)}"
    if log.is_shallow:
        yield "this clone is shallow: earlier commits are missing (git fetch --unshallow)"


def _step_lines(old: Lock | None, new: Lock | None) -> Iterator[str]:
    if new is None:
        yield "    removed, or not readable"
        return
    if old is None:
        yield f"    locked: {len(new.cases)} case{'s' * (len(new.cases) != 1)}"
    else:
        drift = lock_drift(old, new)
        added, gone = len(new.cases.keys() - old.cases.keys()), len(old.cases.keys() - new.cases.keys())
        models = [f"model {old.basis.model} → {new.basis.model}"] if old.basis.model != new.basis.model else []
        cases = [
            f"{count} case{'s' * (count != 1)} {word}" for count, word in ((added, "new"), (gone, "removed")) if count
        ]
        yield "    " + ", ".join([*([] if drift is None else [drift_text(drift)]), *models, *cases])
    for reason in new_reasons(old, new):
        yield f"    reason: {' '.join(reason.split())}"


def new_reasons(old: Lock | None, new: Lock) -> tuple[str, ...]:
    """The reasons in a lock that an earlier one does not have."""
    before = old.cases if old else {}
    found = [new.reason] if new.reason and (old is None or (new.call, new.reason) != (old.call, old.reason)) else []
    for name, entry in new.cases.items():
        known = before.get(name)
        if entry.reason and (known is None or entry != known or entry.reason != known.reason):
            found.append(entry.reason)
    return tuple(dict.fromkeys(found))


def drift_findings(log: LockLog, prompt: GuardedPrompt, limit: DriftLimit | None) -> Iterator[BudgetFinding]:
    """Whether what was accepted in the last days adds up to more than it may; today's counts included."""
    if limit is None or limit.level == "off" or prompt.lock is None or log.now is None:
        return
    path = show_path(prompt.path)
    found = log.since(prompt.name, log.now - timedelta(days=limit.days))
    if found is None:
        if log.is_shallow:
            summary = f"drift: not assessable, because this clone lacks the commits of the last {limit.days} days"
            remedy = "fetch them: promptopt budget fetch"
            yield BudgetFinding("drift", "warn", "", summary, (remedy,), path)
        return
    start, later = found
    old = log.lock_at(start.commit, start.prompt)
    # The lock that today's counts would make; what is stale or missing stays as it is locked.
    entries = {
        name: replace(entry, input=now.input, cacheable=now.cacheable, variables=now.variables)
        for name, entry in prompt.lock.cases.items()
        if name in prompt.cases and (now := prompt.measure(name).entry)
    }
    drift = None if old is None else lock_drift(old, replace(prompt.lock, cases=entries, basis=prompt.basis))
    if drift is None:
        return
    grown: tuple[tuple[Metric, tuple[Decimal, Decimal] | None], ...] = (
        ("input", drift.input), ("usd_call", drift.usd_call))  # fmt: skip
    for metric, pair in grown:
        if pair is None or pair[1] - pair[0] <= limit.share * pair[0]:
            continue
        raises = [change for change in later if not change.removed]
        shown = [f"{change.when:%Y-%m-%d}  {change.commit[:10]}  {change.subject}" for change in raises[:_SHOWN]]
        more = [f"and {len(raises) - _SHOWN} more"] if len(raises) > _SHOWN else []
        summary = (
            f"drift: {drift_text(drift)} since {start.when:%Y-%m-%d}, in {len(raises)} "
            f"change{'s' * (len(raises) != 1)} of the lock  limit: {limit.text}"
        )
        details = (
            *shown,
            *more,
            f"see the reasons: promptopt budget log {prompt.name}",
            f'fix: shorten the prompt, or set another drift in [tool.promptopt.budget.prompt."{prompt.name}"]',
        )
        yield BudgetFinding("drift", "warn" if limit.level == "warn" else "error", metric, summary, details, path)
        return
