"""Writing locks: agreeing to what prompts cost now, or taking slack away."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from promptopt.budget.check import lost
from promptopt.budget.guarded_prompt import GuardedPrompt, find_locks
from promptopt.budget.lock import SUFFIX, Entry, Lock, read_lock
from promptopt.config import load_config
from promptopt.errors import LockError, UsageError
from promptopt.files import show_path
from promptopt.templates import list_prompts


@dataclass(frozen=True, slots=True)
class Written:
    """One lock file that was written or, where nothing changed, was not.

    Attributes:
        lines: What changed in it, one line a case.
    """

    path: str
    lines: tuple[str, ...]


def refuse_in_ci() -> None:
    """Locks are written where a person can look at them.

    Raises:
        UsageError: ``CI`` is set.
    """
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise UsageError("locks are not written in CI (the variable CI is set): run the update locally and commit it")


def update(
    prompts: Mapping[str, tuple[GuardedPrompt, Collection[str] | None]], reason: str, *, trim: bool = False
) -> list[Written]:
    """Write the locks of prompts; all of them, or none.

    Args:
        prompts: By name, each with the cases to lock; ``None``: all, and entries without a case are removed.
        reason: Why a count is raised.
        trim: Only lower counts, and change nothing else.

    Raises:
        UsageError: A count would be raised without a reason, or ``CI`` is set.
        LockError: A file cannot be written.
    """
    refuse_in_ci()
    made = [_made(prompt, cases, reason.strip(), trim=trim) for prompt, cases in prompts.values()]
    raised = [line for _, _, _, raises in made for line in raises]
    if raised and not reason.strip():
        listed = "\n  ".join(raised[:10]) + (f"\n  and {len(raised) - 10} more" if len(raised) > 10 else "")
        raise UsageError(
            f"this would raise {len(raised)} locked count{'s' * (len(raised) != 1)}:\n  {listed}\n"
            'Nothing was written. Say why: --prompt-budget-reason "..." (promptopt budget update --reason "...")'
        )
    for prompt, lock, lines, _ in made:
        if lines:
            lock.write(prompt.path)
    return [Written(show_path(prompt.path), lines) for prompt, _, lines, _ in made if lines]


def _made(
    prompt: GuardedPrompt, cases: Collection[str] | None, reason: str, *, trim: bool
) -> tuple[GuardedPrompt, Lock, tuple[str, ...], list[str]]:
    old = prompt.lock
    if trim:
        return _trimmed(prompt, cases)
    chosen = set(prompt.cases if cases is None else cases)
    if old is not None and old.basis != prompt.basis:
        # Counts of two tokenizers or prices do not stand in one file.
        chosen = set(prompt.cases)
    entries = dict(old.cases) if old else {}
    if cases is None:
        entries = {name: entry for name, entry in entries.items() if name in prompt.cases}
    raises = []
    before = old.cases if old else {}
    by_variables = {entry.variables: entry for name, entry in before.items() if name not in prompt.cases}
    for name in sorted(chosen):
        entry = prompt.measure(name).entry
        known = before.get(name) or by_variables.get(entry.variables)
        grown = (
            known is not None
            and raised(known, entry)
            and (old is None or old.basis.tokenizer == prompt.basis.tokenizer)
        )
        if known is not None and grown:
            raises.append(f"{prompt.name} [{name}]: {_change(known, entry)}")
        kept = known.reason if known is not None and known == entry else ""
        entries[name] = replace(entry, reason=reason if grown else kept)
    whole = set(entries) <= chosen
    same_text = old is not None and old.sources == prompt.sources
    sources = prompt.sources if whole or same_text else ""
    lock = Lock(prompt.name, prompt.files.versions[-1][0], prompt.basis, entries, sources)
    return prompt, lock, change_lines(old, lock), raises


def _trimmed(
    prompt: GuardedPrompt, cases: Collection[str] | None
) -> tuple[GuardedPrompt, Lock, tuple[str, ...], list[str]]:
    old = prompt.lock
    if old is None or old.basis != prompt.basis:
        why = "is not locked yet" if old is None else "was locked with another tokenizer, model or price"
        raise UsageError(f"{prompt.name} {why}: update it before its slack can be trimmed")
    entries = dict(old.cases)
    for name, entry in old.cases.items():
        if name not in prompt.cases or (cases is not None and name not in cases):
            continue
        now = prompt.measure(name).entry
        if lost(entry, now) == 0 and not raised(entry, now):
            better_quality = now.quality if now.quality is not None else entry.quality
            if better_quality is not None and entry.quality is not None:
                better_quality = max(better_quality, entry.quality)
            entries[name] = replace(now, quality=better_quality, reason=entry.reason)
    changed = {name for name in entries if entries[name] != old.cases[name]}
    if not changed:
        return prompt, old, (), []
    whole = old.sources == prompt.sources or changed == set(entries)
    measured = prompt.files.versions[-1][0]
    lock = replace(old, measured=measured, cases=entries, sources=prompt.sources if whole else "")
    return prompt, lock, change_lines(old, lock), []


def raised(old: Entry, now: Entry) -> bool:
    """Whether agreeing to ``now`` is agreeing to pay more, or to worse answers."""
    output = now.output_is == old.output_is and (now.output or 0) > (old.output or 0)
    return now.input > old.input or output or (now.quality or 0) < (old.quality or 0)


def _change(old: Entry, now: Entry) -> str:
    parts = []
    for name in ("input", "cacheable", "output", "quality"):
        before, after = getattr(old, name), getattr(now, name)
        if before != after:
            parts.append(f"{name} {_shown(before)} → {_shown(after)}")
    return ", ".join(parts) or "its text"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


def change_lines(old: Lock | None, new: Lock) -> tuple[str, ...]:
    """What a lock changes; empty where the file stays as it is."""
    if old is not None and old.text() == new.text():
        return ()
    before = old.cases if old else {}
    lines = []
    for name in sorted({*before, *new.cases}):
        if name not in new.cases:
            lines.append(f"{name}: removed")
        elif name not in before:
            entry = new.cases[name]
            lines.append(f"{name}: new, input {entry.input:,}, output {_shown(entry.output)}")
        elif before[name] != new.cases[name]:
            lines.append(f"{name}: {_change(before[name], new.cases[name])}")
    if old is not None and old.basis != new.basis:
        lines.append("tokenizer, model or prices")
    return tuple(lines) or ("its head",)


def remove_orphans() -> list[str]:
    """Remove the locks of prompts that are gone; those of programs stay. Returns their paths."""
    config = load_config()
    names = {prompt.name for prompt in list_prompts(config)}
    removed = []
    for path in find_locks(config):
        name = path.relative_to(config.prompts).as_posix().removesuffix(SUFFIX)
        if name not in names and not _is_programs(path):
            try:
                path.unlink()
            except OSError as error:
                raise LockError(f"cannot be removed: {error.strerror}", path=show_path(path)) from None
            removed.append(show_path(path))
    return removed


def _is_programs(path: Path) -> bool:
    lock = read_lock(path)
    return lock is not None and lock.program
