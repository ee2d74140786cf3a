"""Where template files are read from: a folder, or a commit in git. Neither leaves its root."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Protocol

from promptopt.errors import TemplateError
from promptopt.files import CommittedFile, committed_files, decode, run_git, show_path
from promptopt.media import check_size

# So many files of a commit are read one by one.
_FEW = 4
_LARGEST_TEXT = 1 << 20


class Reader(Protocol):
    """Reads files below one root."""

    def read(self, name: str) -> str:
        """The text of the file, named by its path below the root with forward slashes.

        Raises:
            FileNotFoundError: There is none.
            TemplateError: The name leaves the root, or the file is not UTF-8.
        """

    def read_bytes(self, name: str) -> bytes:
        """The bytes of a file, such as an image; the same object as long as the file is the same.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is larger than any provider takes.
            TemplateError: The name leaves the root.
        """

    def display(self, name: str) -> str:
        """The file as a person would name it, for messages."""


class FolderReader:
    """Files of a folder as they are on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._read: dict[Path, tuple[int, int]] = {}
        self._bytes: dict[Path, tuple[tuple[int, int], bytes]] = {}

    def read(self, name: str) -> str:
        path = self._path(name)
        self._read[path] = _stamp(path)
        return decode(path.read_bytes(), self.display(name), TemplateError)

    def read_bytes(self, name: str) -> bytes:
        path = self._path(name)
        stamp = _stamp(path)
        known = self._bytes.get(path)
        if known is None or known[0] != stamp:
            check_size(stamp[1], self.display(name))
            known = self._bytes[path] = stamp, path.read_bytes()
        return known[1]

    def _path(self, name: str) -> Path:
        path = self.root / _contained(name, self.root)
        # A link below the folder may still lead out of it.
        if not path.resolve().is_relative_to(self.root):
            raise TemplateError(f"{name!r} leads out of the folder {show_path(self.root)}")
        return path

    def files(self) -> list[Path]:
        """The files that were read."""
        return list(self._read)

    def is_current(self) -> bool:
        """Whether every file that was read is still as it was then."""
        try:
            return all(_stamp(path) == stamp for path, stamp in self._read.items())
        except OSError:
            return False

    def display(self, name: str) -> str:
        return show_path(self.root / name)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


class OverlayReader:
    """Another reader with the text of one file replaced, such as one that is not written yet."""

    def __init__(self, inner: Reader, name: str, text: str) -> None:
        self._inner, self._name, self._text = inner, name, text

    def read(self, name: str) -> str:
        return self._text if name == self._name else self._inner.read(name)

    def read_bytes(self, name: str) -> bytes:
        return self._inner.read_bytes(name)

    def display(self, name: str) -> str:
        return self._inner.display(name)


class GitReader:
    """Files of a folder as they were at a commit, read with ``git cat-file``."""

    def __init__(self, reference: str, root: Path) -> None:
        self.reference = reference
        self.repository = _git_root(root)
        self.commit = _commit(self.repository, reference)
        self._below = PurePosixPath(root.resolve().relative_to(self.repository).as_posix())
        # A commit does not change: an include is read once, however often it is rendered.
        self._read: dict[str, str] = {}
        self._bytes: dict[str, bytes] = {}
        self._asked = 0

    def read(self, name: str) -> str:
        if name not in self._read:
            path = self._below / _contained(name, Path(str(self._below)))
            self._read[name] = self.show(path, self.display(name))
        return self._read[name]

    def read_bytes(self, name: str) -> bytes:
        if name not in self._bytes:
            data = self._blob(self._below / _contained(name, Path(str(self._below))))
            check_size(len(data), self.display(name))
            self._bytes[name] = data
        return self._bytes[name]

    def show(self, path: PurePosixPath, display: str) -> str:
        """The text of a file of the repository at the commit; raises FileNotFoundError if there is none."""
        return decode(self._blob(path), display, TemplateError)

    def _blob(self, path: PurePosixPath) -> bytes:
        # One process for each file would take longer than all else that is done with many prompts.
        self._asked += 1
        if self._asked > _FEW:
            if (found := self._texts.get(str(path))) is not None:
                return found.data
            if self._paths is not None and str(path) not in self._paths:
                raise FileNotFoundError(f"{path} does not exist at {self.reference}")
        blob = _git(self.repository, "cat-file", "blob", f"{self.commit}:{path}")
        if blob is None:
            raise FileNotFoundError(f"{path} does not exist at {self.reference}")
        return blob

    @cached_property
    def _texts(self) -> Mapping[str, CommittedFile]:
        """All files of the folder but large ones, which are no texts."""
        return committed_files(self.repository, self.commit, str(self._below), most=_LARGEST_TEXT) or {}

    @cached_property
    def _paths(self) -> frozenset[str] | None:
        """All files of the commit: most prompts have no file of recorded answers, which is out of their folder."""
        listed = _git(self.repository, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit)
        return None if listed is None else frozenset(os.fsdecode(listed).split("\0"))

    def display(self, name: str) -> str:
        # A full hash is short enough with the ten characters that git prints, too.
        shown = self.reference[:10] if self.reference == self.commit else self.reference
        return f"{shown}:{self._below / name}"


def _contained(name: str, root: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise TemplateError(
            f"{name!r} is outside the folder {show_path(root)}",
            remedy="includes resolve below the prompts folder and nowhere else: move the file there",
        )
    return path


def _git(folder: Path, *arguments: str) -> bytes | None:
    try:
        return run_git(folder, *arguments)
    except FileNotFoundError:
        raise TemplateError("git is not installed, so that nothing can be read out of a commit") from None


@lru_cache(maxsize=64)
def _git_root(folder: Path) -> Path:
    while not folder.is_dir():
        folder = folder.parent
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None:
        raise TemplateError(f"{show_path(folder)} is not in a git repository")
    return Path(os.fsdecode(top).strip()).resolve()


def _commit(repository: Path, reference: str) -> str:
    commit = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    if commit is None:
        raise TemplateError(
            f"git knows no commit {reference!r} in {show_path(repository)}",
            remedy="see `git log`; a shallow clone holds only the newest commit (fetch with `fetch-depth: 0`)",
        )
    return commit.decode().strip()
