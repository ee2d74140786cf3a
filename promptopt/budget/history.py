"""Locks as they were committed: which commits changed them, and what they were at a commit."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from promptopt.budget.lock import SUFFIX, Lock, parse_lock
from promptopt.config import Config
from promptopt.errors import LockError, PromptoptError, UsageError
from promptopt.files import decode, run_git

_START, _FIELD = "\x01", "\x02"
# Each is read with a process of git.
_REMOVED = 20
# So many commits that name another prompts folder are looked at.
_FOLDERS = 20


@dataclass(frozen=True, slots=True)
class LockChange:
    """One commit that changed a lock.

    Attributes:
        prompt: The prompt's name in that commit.
        before: Its name before, if the commit renamed the lock; else the same.
        removed: The commit removed the lock.
    """

    commit: str
    when: datetime
    author: str
    subject: str
    prompt: str
    before: str
    removed: bool = False


class LockLog:
    """What git knows of the project's locks, on the first-parent line of HEAD; asked once, on first use."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._last: dict[str, Lock | None] = {}
        self._locks: dict[tuple[str, str], Lock | None] = {}
        self._folders: dict[str, Path] = {}

    def _git(self, *arguments: str, folder: Path | None = None) -> str | None:
        """What git prints; ``None`` without git, a repository or such a thing in it.

        Args:
            folder: Where git runs; by default the prompts folder, to which names are relative.
        """
        folder = folder or self._config.prompts
        if not folder.is_dir():
            return None
        try:
            # Names with umlauts as they are.
            printed = run_git(folder, "-c", "core.quotePath=off", *arguments)
        except FileNotFoundError:
            return None
        return None if printed is None else printed.decode("utf-8", "replace")

    def folder(self, commit: str) -> Path:
        """The prompts folder at a commit, as the configuration in it names it; today's if that cannot be said."""
        if commit not in self._folders:
            root = self._config.root
            text = self._git("cat-file", "blob", f"{commit}:./pyproject.toml", folder=root)
            # The prompts folder may be a repository of its own, whose commits the project's does not have.
            known = text is not None or self._git("cat-file", "-e", commit, folder=root) is not None
            named = _named_folder(text or "") if known else None
            self._folders[commit] = self._config.prompts if named is None else root / self._real(commit, named)
        return self._folders[commit]

    def _real(self, commit: str, folder: str) -> str:
        """Where a folder of the project is at a commit, if it is a link there as it is today."""
        if not (self._config.root / folder).is_symlink():
            return folder
        listed = self._git("ls-tree", commit, "--", f"./{folder}", folder=self._config.root) or ""
        if not listed.startswith("120000 "):
            return folder
        named = self._git("cat-file", "blob", f"{commit}:./{folder}", folder=self._config.root) or ""
        return os.path.normpath(Path(folder).parent / named)

    def _blob(self, commit: str, folder: Path, file: str) -> str | None:
        if folder == self._config.prompts:
            return self._git("cat-file", "blob", f"{commit}:./{file}")
        below = os.path.relpath(folder, self._config.root)
        return self._git("cat-file", "blob", f"{commit}:./{below}/{file}", folder=self._config.root)

    @cached_property
    def _former(self) -> tuple[Path, ...]:
        """The prompts folders that the configuration has named before."""
        root = self._config.root
        changed = self._git(
            "log", "--first-parent", "-m", f"-{_FOLDERS}", "--format=%H %P", "-G", "prompts[\"']?[[:space:]]*=", "--",
            "pyproject.toml", folder=root,
        )  # fmt: skip
        commits = ["HEAD", *(commit for line in (changed or "").splitlines() for commit in line.split()[:2])]
        found = dict.fromkeys(self.folder(commit) for commit in commits)
        return tuple(folder for folder in found if folder != self._config.prompts)

    @cached_property
    def is_shallow(self) -> bool:
        """Whether commits are missing here, so that a lock may have been different before."""
        return (self._git("rev-parse", "--is-shallow-repository") or "").strip() == "true"

    @cached_property
    def _changes(self) -> tuple[LockChange, ...]:
        """All changes of all locks, the newest first."""
        form = _FIELD.join(("%H", "%cI", "%an", "%s"))
        log = ("log", "--first-parent", "-m", "-M", "--name-status", f"--format={_START}{form}")
        if not self._former:
            printed = self._git(*log, "--relative", "--", f"*{SUFFIX}")
            return tuple(_read_log(printed or "", [""]))
        root = self._config.root
        # What a folder had before it was renamed is the history of the same locks.
        folders = (self._config.prompts, *self._former)
        below = [os.path.relpath(folder.resolve(), root.resolve()) for folder in folders]
        specs = [re.sub(r"([\\*?\[])", r"\\\1", folder) + f"/*{SUFFIX}" for folder in below]
        printed = self._git(*log, "--no-relative", "--", *specs, folder=root)
        prefix = (self._git("rev-parse", "--show-prefix", folder=root) or "").strip()
        return tuple(_read_log(printed or "", [os.path.normpath(f"{prefix}{folder}") + "/" for folder in below]))

    def changes(self, prompt: str) -> Iterator[LockChange]:
        """The commits that changed a prompt's lock, the newest first; a renamed lock is followed."""
        name = prompt
        for change in self._changes:
            if change.prompt == name:
                yield change
                name = change.before

    def lock_at(self, commit: str, prompt: str) -> Lock | None:
        """A prompt's lock at a commit; ``None`` if there is none that can be read."""
        if (commit, prompt) not in self._locks:
            self._locks[commit, prompt] = self._read_lock(commit, prompt)
        return self._locks[commit, prompt]

    def _read_lock(self, commit: str, prompt: str) -> Lock | None:
        file = f"{prompt}{SUFFIX}"
        folders = dict.fromkeys((self.folder(commit), self._config.prompts))
        text = next((text for folder in folders if (text := self._blob(commit, folder, file)) is not None), None)
        if text is None:
            return None
        try:
            return parse_lock(decode(text.encode(), f"{commit}:{file}", LockError), file)
        except PromptoptError:
            return None

    def last(self, prompt: str) -> Lock | None:
        """The newest committed lock of a prompt, also if it was removed since; ``None`` if it was never committed."""
        if prompt not in self._last:
            found = (
                self.lock_at(change.commit, change.prompt) for change in self.changes(prompt) if not change.removed
            )
            self._last[prompt] = next((lock for lock in found if lock is not None), None)
        return self._last[prompt]

    def removed(self) -> Mapping[str, Lock]:
        """The last locks of prompts whose lock was removed, the newest few."""
        newest: dict[str, LockChange] = {}
        for change in self._changes:
            newest.setdefault(change.prompt, change)
            newest.setdefault(change.before, change)
        names = [name for name, change in newest.items() if change.removed][:_REMOVED]
        return {name: lock for name in names if (lock := self.last(name)) is not None}

    @cached_property
    def now(self) -> datetime | None:
        """When the last commit was made: a check of one commit says the same on every day."""
        printed = (self._git("log", "-1", "--format=%cI") or "").strip()
        return datetime.fromisoformat(printed) if printed else None

    def since(self, prompt: str, moment: datetime) -> tuple[LockChange, list[LockChange]] | None:
        """The commit with the lock that was valid at a moment, or the first one after it, and the later commits.

        ``None`` if git has no lock that was valid then and may lack earlier commits, or has none at all.
        """
        later: list[LockChange] = []
        for change in self.changes(prompt):
            if change.when <= moment and not change.removed:
                return change, later
            later.append(change)
        kept = [change for change in later if not change.removed]
        return None if self.is_shallow or not kept else (kept[-1], later[: later.index(kept[-1])])

    def after(self, text: str, changes: Iterable[LockChange]) -> list[LockChange]:
        """The changes after a date (``2026-11-01``), or those that a commit, a tag or a branch does not have.

        Raises:
            UsageError: It is neither.
        """
        try:
            moment = datetime.fromisoformat(text).astimezone()
        except ValueError:
            printed = self._git("rev-list", "--end-of-options", f"{text}..HEAD", "--")
        else:
            return [change for change in changes if change.when > moment]
        if printed is None:
            raise UsageError(f"{text!r} is neither a date, as in 2026-11-01, nor a commit or tag that git knows here")
        commits = frozenset(printed.split())
        return [change for change in changes if change.commit in commits]

    def text_at(self, commit: str, file: str) -> str:
        """A file of the prompts folder at a commit; empty if there is none."""
        return self._blob(commit, self.folder(commit), file) or ""

    def names(self, commit: str) -> list[str]:
        """The prompts that have a lock at a commit."""
        folder, root = self.folder(commit), self._config.root
        listing = ("ls-tree", "-r", "-z", "--name-only", commit, "--")
        if folder == self._config.prompts:
            listed, start = self._git(*listing, "."), ""
        else:
            below = os.path.relpath(folder, root)
            listed, start = self._git(*listing, below, folder=root), f"{below}/"
        names = (listed or "").split("\0")
        return [name.removeprefix(start).removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]

    def at(self, commit: str) -> Mapping[str, Lock]:
        """All locks at a commit that can be read, by prompt."""
        return {name: lock for name in self.names(commit) if (lock := self.lock_at(commit, name)) is not None}


def _named_folder(text: str) -> str | None:
    """The prompts folder that a pyproject.toml names; ``None`` if it cannot be read."""
    try:
        named = tomllib.loads(text).get("tool", {}).get("promptopt", {}).get("prompts", "prompts")
    except (tomllib.TOMLDecodeError, AttributeError):
        return None
    return named if isinstance(named, str) else None


def _read_log(text: str, folders: Sequence[str]) -> Iterator[LockChange]:
    """The changes that git has printed.

    Args:
        folders: The prompts folders, today's first, each with a slash at its end.
    """

    def name(path: str) -> str:
        today, *former = folders
        known = [today] if path.startswith(today) else sorted(former, key=len, reverse=True)
        folder = next((each for each in known if path.startswith(each)), "")
        return path.removeprefix(folder).removesuffix(SUFFIX)

    for block in text.split(_START)[1:]:
        head, _, files = block.partition("\n")
        commit, when, author, subject = head.split(_FIELD)
        for line in files.splitlines():
            status, *paths = line.split("\t")
            names = [name(path) for path in paths if path.endswith(SUFFIX)]
            if names:
                removed = status.startswith("D")
                yield LockChange(commit, datetime.fromisoformat(when), author, subject, names[-1], names[0], removed)


def predecessor(new: Collection[str], gone: Mapping[str, Lock], name: str, sources: str) -> Lock | None:
    """The lock that a prompt had under another name: that of a prompt that is gone, with the same cases.

    Of several prompts with the same cases it is the one with the same text, or else the same name in another folder, or
    else the one that cost least: what is compared with it is a raise rather than not.

    Args:
        new: Digests of the variables of the prompt's cases.
        gone: Locks of prompts that are gone, by name.
        name: The prompt's name now.
        sources: Digest of its text; empty if it has none.
    """
    digests = set(new) - {""}
    shared = {name: len(digests & {entry.variables for entry in lock.cases.values()}) for name, lock in gone.items()}

    def likeness(other: str) -> tuple[int, bool, bool, int]:
        lock = gone[other]
        same_name = other.rpartition("/")[2] == name.rpartition("/")[2]
        return shared[other], lock.sources == sources != "", same_name, -sum(e.input for e in lock.cases.values())

    best = max(sorted(shared), key=likeness, default=None)
    # Most of the cases, so that one common input, such as an empty one, makes no relation.
    if best is None or 2 * shared[best] <= min(len(digests), len(gone[best].cases)):
        return None
    return gone[best]
