"""Writing locks: accepting what prompts cost now, or lowering locked counts after an improvement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from promptopt.budget.check import lost
from promptopt.budget.guarded_prompt import GuardedPrompt, find_locks
from promptopt.budget.lock import SUFFIX, Lock, LockEntry, read_lock
from promptopt.config import in_ci, load_config
from promptopt.errors import LockError, UsageError
from promptopt.files import show_path
from promptopt.templates import list_prompts


@dataclass(frozen=True, slots=True)
class Written:
    """One lock file that was written.

    Attributes:
        lines: What changed in it, one line for each case.
    """

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A lock that is about to be written.

    Attributes:
        lines: What changes in the file; empty: nothing.
        raises: The cases whose locked counts would rise, which needs a reason.
    """

    prompt: GuardedPrompt
    lock: Lock
    lines: tuple[str, ...]
    raises: tuple[str, ...] = ()


def refuse_in_ci() -> None:
    """Locks are only written where a person reviews the change.

    Raises:
        UsageError: The variable ``CI`` is set.
    """
    if in_ci():
        raise UsageError("locks are not written in CI (the variable CI is set): run the update locally and commit it")


def update(
    prompts: Mapping[str, tuple[GuardedPrompt, Collection[str] | None]], reason: str, *, trim: bool = False
) -> list[Written]:
    """Write the locks of prompts; all of them, or none.

    Args:
        prompts: By name, each with the cases to lock; ``None``: all, and entries without a case are removed.
        reason: Why a count is raised.
        trim: Only lower counts, of all cases, and change nothing else.

    Raises:
        UsageError: A count would be raised without a reason, or ``CI`` is set.
        LockError: A file cannot be written.
    """
    refuse_in_ci()
    reason = reason.strip()
    drafts = [_trimmed(prompt) if trim else _updated(prompt, cases, reason) for prompt, cases in prompts.values()]
    raises = [line for draft in drafts for line in draft.raises]
    if raises and not reason:
        listed = "\n  ".join(raises[:10]) + (f"\n  and {len(raises) - 10} more" if len(raises) > 10 else "")
        raise UsageError(
            f"this would raise {len(raises)} locked count{'s' * (len(raises) != 1)}:\n  {listed}\n"
            'Nothing was written. Say why: --prompt-budget-reason "..." (promptopt budget update --reason "...")'
        )
    changed = [draft for draft in drafts if draft.lines]
    for draft in changed:
        draft.lock.write(draft.prompt.path)
    return [Written(show_path(draft.prompt.path), draft.lines) for draft in changed]


def _updated(prompt: GuardedPrompt, cases: Collection[str] | None, reason: str) -> _Draft:
    old = prompt.lock
    chosen = set(prompt.cases if cases is None else cases)
    if old is not None and old.basis != prompt.basis:
        # One file cannot have counts of two tokenizers or prices.
        chosen = set(prompt.cases)
    before = old.cases if old else {}
    entries = {name: entry for name, entry in before.items() if cases is not None or name in prompt.cases}
    same_tokenizer = old is None or old.basis.tokenizer == prompt.basis.tokenizer
    renamed = {entry.variables: entry for name, entry in before.items() if name not in prompt.cases}
    raises = []
    for name in sorted(chosen):
        entry = prompt.measure(name).entry
        known = before.get(name) or renamed.get(entry.variables)
        kept = known.reason if known is not None and known == entry else ""
        if known is not None and same_tokenizer and costs_more(known, entry):
            raises.append(f"{prompt.name} [{name}]: {_change(known, entry)}")
            kept = reason
        entries[name] = replace(entry, reason=kept)
    same_text = set(entries) <= chosen or (old is not None and old.sources == prompt.sources)
    sources = prompt.sources if same_text else ""
    lock = Lock(prompt.name, prompt.files.versions[-1][0], prompt.basis, entries, sources)
    return _Draft(prompt, lock, change_lines(old, lock), tuple(raises))


def _trimmed(prompt: GuardedPrompt) -> _Draft:
    old = prompt.lock
    if old is None or old.basis != prompt.basis:
        why = "is not locked yet" if old is None else "was locked with another tokenizer, model or price"
        raise UsageError(f"{prompt.name} {why}: update its lock before you trim it")
    entries = dict(old.cases)
    for name, entry in old.cases.items():
        if name not in prompt.cases:
            continue
        now = prompt.measure(name).entry
        if lost(entry, now) == 0 and not costs_more(entry, now):
            quality = entry.quality if now.quality is None else now.quality
            entries[name] = replace(now, quality=quality, reason=entry.reason)
    changed = {name for name in entries if entries[name] != old.cases[name]}
    if not changed:
        return _Draft(prompt, old, ())
    same_text = old.sources == prompt.sources or changed == set(entries)
    sources = prompt.sources if same_text else ""
    lock = replace(old, measured=prompt.files.versions[-1][0], cases=entries, sources=sources)
    return _Draft(prompt, lock, change_lines(old, lock))


def costs_more(old: LockEntry, now: LockEntry) -> bool:
    """Whether to lock ``now`` is to accept a higher cost, or worse answers."""
    output = now.output_is == old.output_is and (now.output or 0) > (old.output or 0)
    return now.input > old.input or output or (now.quality or 0) < (old.quality or 0)


def _change(old: LockEntry, now: LockEntry) -> str:
    parts = []
    for name in ("input", "cacheable", "output", "quality"):
        before, after = getattr(old, name), getattr(now, name)
        if before != after:
            parts.append(f"{name} {_shown(before)} → {_shown(after)}")
    return ", ".join(parts) or "its text"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


def change_lines(old: Lock | None, new: Lock) -> tuple[str, ...]:
    """What a new lock changes in the file; empty if nothing."""
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
    return tuple(lines) or ("the head",)


def remove_orphans() -> list[str]:
    """Remove the locks of templates that are gone, but not those of built prompts. Returns their paths."""
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
