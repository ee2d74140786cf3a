"""Writing locks: accepting what prompts cost now, or lowering locked counts after an improvement.

Everything is read and checked first; then all files are written, or none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptopt.budget.baseline import History
from promptopt.budget.discovery import find_locks
from promptopt.budget.drift import locked_usd
from promptopt.budget.guarded_prompt import GuardedPrompt, MeasuredCase
from promptopt.budget.history import LockLog, predecessor
from promptopt.budget.lock import SUFFIX, Lock, LockBasis, LockEntry, call_raised, lost, read_lock
from promptopt.budget.result import one_line
from promptopt.config import Config, in_ci
from promptopt.errors import LockError, UsageError
from promptopt.files import git_error, replace_files, show_path
from promptopt.money import usd
from promptopt.templates import list_prompts

_LISTED = 10


@dataclass(frozen=True, slots=True)
class Written:
    """One lock file that was written.

    Attributes:
        lines: What changed in it, one line for each case.
    """

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A lock that is about to be written.

    Attributes:
        prompt: The prompt's name.
        lock: ``None``: the file is removed.
        lines: What changes in the file; empty: nothing.
        raises: What would rise, which needs a reason.
    """

    prompt: str
    path: Path
    lock: Lock | None
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
    return write_locks(draft_updates(prompts, reason, trim=trim), reason)


def draft_updates(
    prompts: Mapping[str, tuple[GuardedPrompt, Collection[str] | None]], reason: str, *, trim: bool = False
) -> list[Draft]:
    """What :func:`update` would write."""
    if trim:
        return [_trimmed(prompt) for prompt, _ in prompts.values()]
    earlier = EarlierLocks()
    return [_updated(prompt, cases, reason.strip(), earlier) for prompt, cases in prompts.values()]


def write_locks(drafts: Sequence[Draft], reason: str) -> list[Written]:
    """Write locks, and remove those of prompts that are gone; all of them, or none.

    Raises:
        UsageError: Something would rise without a reason, or ``CI`` is set.
        LockError: A file cannot be written.
    """
    refuse_in_ci()
    raises = [line for draft in drafts for line in draft.raises]
    if raises and not reason.strip():
        listed = "\n  ".join(raises[:_LISTED])
        more = f"\n  and {len(raises) - _LISTED} more" if len(raises) > _LISTED else ""
        raise UsageError(
            f"this would raise {len(raises)} locked count{'s' * (len(raises) != 1)}:\n  {listed}{more}\n"
            'Nothing was written. Say why: --prompt-budget-reason "..." (promptopt budget update --reason "...")'
        )
    changed = [draft for draft in drafts if draft.lines]
    texts = {draft.path: None if draft.lock is None else draft.lock.text() for draft in changed}
    replace_files(texts, LockError)
    return [Written(show_path(draft.path), draft.lines) for draft in changed]


class EarlierLocks:
    """The locks that an update is compared with; if a file is gone or broken, what was committed."""

    def __init__(self) -> None:
        self._logs: dict[Path, tuple[LockLog, dict[str, Lock]]] = {}
        self._need_reason: dict[Path, bool] = {}
        self._refused: dict[Path, str] = {}

    def need_reason(self, prompt: GuardedPrompt, cases: Collection[str] | None = None) -> bool:
        """Whether an update must say why: for the command that a message prints, which works as it is.

        Args:
            cases: Only these; ``None``: the whole prompt, which is asked once, however many of its cases fail.
        """
        if cases is not None:
            return _needs_reason(prompt, self.lock(prompt)[1], cases)
        if prompt.path not in self._need_reason:
            needed = _needs_reason(prompt, self.lock(prompt)[1], None) or self.unknown(prompt) != ""
            self._need_reason[prompt.path] = needed
        return self._need_reason[prompt.path]

    def unknown(self, prompt: GuardedPrompt) -> str:
        """Why it is not known whether a prompt without a lock had one: git has the project, and says nothing of it."""
        root = prompt.config.root
        if self.lock(prompt) != (None, None):
            return ""
        if root not in self._refused:
            self._refused[root] = git_error(root).partition("\n")[0]
        return self._refused[root]

    def lock(self, prompt: GuardedPrompt) -> tuple[Lock | None, Lock | None]:
        """The lock on disk (``None`` if it cannot be used), and the one to compare with."""
        try:
            found = prompt.lock
        except LockError:
            if _is_programs(prompt.path):
                raise
            found = None
        if found is not None:
            return found, found
        config = prompt.config
        if config.prompts not in self._logs:
            log = LockLog(config)
            self._logs[config.prompts] = log, _gone(config, log)
        log, gone = self._logs[config.prompts]
        known = log.last(prompt.name)
        if known is None:
            digests = [prompt.measure(name).entry.variables for name in prompt.cases]
            known = predecessor(digests, gone, prompt.name, prompt.sources)
        return None, None if known is None or known.program else known


def _needs_reason(prompt: GuardedPrompt, known: Lock | None, cases: Collection[str] | None) -> bool:
    if known is None:
        return False
    if cases is None and any(call_raised(known.call, prompt.call)):
        return True
    # An update of some cases accepts no other model or price.
    basis = prompt.basis if cases is None else known.basis
    gone = _gone_cases(prompt, known)
    chosen = prompt.cases if cases is None else prompt.cases.keys() & cases
    return any(_entry(prompt, name, known, basis, gone)[2] for name in chosen)


def _gone(config: Config, log: LockLog) -> dict[str, Lock]:
    """The locks of prompts that are gone: on disk still, in git, or where this branch began."""
    names = {prompt.name for prompt in list_prompts(config)}
    base = History(config).base
    found = {**log.removed(), **(log.at(base.commit) if base else {}), **log.at("HEAD")}
    for path in find_locks(config):
        lock = _usable(path)
        if lock is not None:
            found[_name(config, path)] = lock
    return {name: lock for name, lock in found.items() if name not in names and not lock.program}


def _updated(prompt: GuardedPrompt, cases: Collection[str] | None, reason: str, earlier: EarlierLocks) -> Draft:
    old, known = earlier.lock(prompt)
    basis = prompt.basis
    if cases is not None and old is not None and old.basis != basis:
        basis = _basis_of_one_case(prompt, old, sorted(cases))
    before = old.cases if old else {}
    chosen = set(prompt.cases if cases is None else cases) & set(prompt.cases)
    dropped = set(before if cases is None else cases) - set(prompt.cases)
    entries = {name: entry for name, entry in before.items() if name not in dropped}
    gone = _gone_cases(prompt, known)
    unknown = earlier.unknown(prompt)
    raises = [f"{prompt.name}: its earlier locks are unknown, {unknown}"] if unknown else []
    for name in sorted(chosen):
        former, entry, parts = _entry(prompt, name, known, basis, gone)
        if parts:
            raises.append(f"{prompt.name} [{name}]: {', '.join(parts)}")
        if former != name:
            entries.pop(former, None)
        entries[name] = replace(entry, reason=reason) if parts else entry
    if set(entries) <= chosen or old is None:
        sources = prompt.sources
    else:
        # Entries of two texts have no digest in common; one with the same request is still of the old text.
        same_text = all(name in before and entry.request == before[name].request for name, entry in entries.items())
        sources = old.sources if same_text or old.sources == prompt.sources else ""
    # A lock of an earlier version gets settings and volume with the next change of the whole prompt.
    as_it_was = old is not None and (
        cases is not None or (old.call is None and entries == before and basis == old.basis)
    )
    call = old.call if old is not None and as_it_was else prompt.call
    parts = list(call_raised(None if known is None else known.call, call))
    if parts:
        raises.append(f"{prompt.name}: {', '.join(parts)}")
    kept = known.reason if known is not None and known.call == call else ""
    lock = Lock(
        prompt=prompt.name,
        measured=prompt.files.versions[-1][0],
        basis=basis,
        cases=entries,
        sources=sources,
        call=call,
        reason=reason if parts or unknown else kept,
    )
    lines = change_lines(known, lock)
    if old is None and not lines:
        lines = ("written again as it was committed",)
    return Draft(prompt.name, prompt.path, lock, lines, tuple(raises))


def _gone_cases(prompt: GuardedPrompt, known: Lock | None) -> dict[str, str]:
    """The locked cases that the suite does not have, by the digest of their variables."""
    cases = {} if known is None else known.cases
    return {entry.variables: name for name, entry in cases.items() if name not in prompt.cases}


def _entry(
    prompt: GuardedPrompt, name: str, known_lock: Lock | None, basis: LockBasis, gone: Mapping[str, str]
) -> tuple[str, LockEntry, list[str]]:
    """The new entry of a case, with the name it had before and what it raises.

    Args:
        gone: Those of :func:`_gone_cases`.
    """
    measured = prompt.measure(name)
    if known_lock is None:
        return name, measured.entry, []
    cases = known_lock.cases
    former = name if name in cases else gone.get(measured.entry.variables, name)
    known = cases.get(former)
    if known is None:
        return name, measured.entry, []
    entry = _kept(known, measured)
    parts = list(raised(known, known_lock.basis, entry, basis))
    same = known == entry and known_lock.basis == basis
    return former, replace(entry, reason=known.reason if same else ""), parts


def _basis_of_one_case(prompt: GuardedPrompt, old: Lock, cases: Sequence[str]) -> LockBasis:
    """The basis of a lock of which only some cases are written: such an update accepts no other model or price."""
    if old.basis.tokenizer != prompt.basis.tokenizer:
        raise UsageError(
            f"{prompt.name} was locked with another tokenizer ({old.basis.model}, now {prompt.basis.model}), and one "
            f"lock has counts of one tokenizer: lock the whole prompt, not only {', '.join(map(repr, cases))}: "
            f'promptopt budget update {prompt.name} --reason "..."'
        )
    return old.basis


def _kept(known: LockEntry, measured: MeasuredCase) -> LockEntry:
    """Today's entry, with what only fresh answers may replace: the quality, and the length of recorded answers."""
    entry = measured.entry
    if measured.status == "fresh":
        return entry if entry.quality is not None else replace(entry, quality=known.quality)
    output, source = entry.output, entry.output_is
    if measured.status == "missing" and known.output_is == "recorded":
        output, source = known.output, known.output_is
    return replace(entry, output=output, output_is=source, quality=known.quality)


def _trimmed(prompt: GuardedPrompt) -> Draft:
    old = prompt.lock
    if old is None or old.basis != prompt.basis:
        why = "is not locked yet" if old is None else "was locked with another tokenizer, model or price"
        raise UsageError(f"{prompt.name} {why}: update its lock before you trim it")
    entries = dict(old.cases)
    for name, entry in old.cases.items():
        if name not in prompt.cases:
            continue
        now = _kept(entry, prompt.measure(name))
        if lost(entry, now) == 0 and not any(raised(entry, old.basis, now, prompt.basis)):
            entries[name] = replace(now, reason=entry.reason)
    changed = {name for name in entries if entries[name] != old.cases[name]}
    if not changed:
        return Draft(prompt.name, prompt.path, old, ())
    same_text = old.sources == prompt.sources or changed == set(entries)
    sources = prompt.sources if same_text else ""
    lock = replace(old, measured=prompt.files.versions[-1][0], cases=entries, sources=sources)
    return Draft(prompt.name, prompt.path, lock, change_lines(old, lock))


def raised(old: LockEntry, old_basis: LockBasis, now: LockEntry, basis: LockBasis) -> Iterator[str]:
    """What is higher in ``now``, or worse: to lock it is to accept it, which needs a reason.

    Dollars are at the rates of each side, so that another model or another price is seen too.
    """
    if now.input > old.input:
        yield _change_of("input", old, now)
    if old.output is not None and (now.output is None or now.output > old.output):
        yield _change_of("output", old, now)
    if old.quality is not None and (now.quality is None or now.quality < old.quality):
        yield _change_of("quality", old, now)
    if None in (old.output, now.output):
        # Not a raise to nothing, and not one from nothing.
        old, now = replace(old, output=0), replace(now, output=0)
    before, after = locked_usd(old, old_basis), locked_usd(now, basis)
    if after > before:
        model = f" ({old_basis.model} → {basis.model})" if old_basis.model != basis.model else ""
        yield f"{usd(before)} → {usd(after)} per call{model}"


def _change_of(name: str, old: LockEntry, now: LockEntry) -> str:
    return f"{name} {_shown(getattr(old, name))} → {_shown(getattr(now, name))}"


def _change(old: LockEntry, now: LockEntry) -> str:
    names = ("input", "cacheable", "output", "quality")
    return ", ".join(_change_of(name, old, now) for name in names if getattr(old, name) != getattr(now, name))


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def change_lines(old: Lock | None, new: Lock) -> tuple[str, ...]:
    """What a new lock changes in the file; empty if nothing."""
    if old is not None and old.text() == new.text():
        return ()
    before = old.cases if old else {}
    lines = []
    for name in sorted({*before, *new.cases}):
        if name not in new.cases:
            lines.append(f"{one_line(name)}: removed")
        elif name not in before:
            entry = new.cases[name]
            lines.append(f"{one_line(name)}: new, input {entry.input:,}, output {_shown(entry.output)}")
        elif before[name] != new.cases[name]:
            lines.append(f"{one_line(name)}: {_change(before[name], new.cases[name]) or 'its text'}")
    if old is not None and old.basis != new.basis:
        lines.append("tokenizer, model or prices")
    if old is not None and old.call is not None and old.call != new.call:
        lines.append("settings or calls per month")
    return tuple(lines) or ("the head",)


def draft_removals(config: Config, names: Collection[str] | None = None) -> list[Draft]:
    """The locks of templates that are gone, to remove; those of built prompts never had one.

    Args:
        names: Only these prompts; ``None``: all.
    """
    present = {prompt.name for prompt in list_prompts(config)}
    found = {_name(config, path): path for path in find_locks(config)}
    return [
        Draft(name, path, None, ("removed, its prompt is gone",))
        for name, path in found.items()
        if name not in present and (names is None or name in names) and not _is_programs(path)
    ]


def _name(config: Config, path: Path) -> str:
    return path.relative_to(config.prompts).as_posix().removesuffix(SUFFIX)


def _usable(path: Path) -> Lock | None:
    try:
        return read_lock(path)
    except LockError:
        return None


def _is_programs(path: Path) -> bool:
    lock = _usable(path)
    return lock is not None and lock.program
