"""Files: how they are named to a person, decoded, replaced whole, and asked of git."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from promptopt.errors import InputError

if TYPE_CHECKING:
    import sqlite3

try:
    import fcntl
except ImportError:  # Windows has none.
    fcntl = None  # type: ignore[assignment]


def show_path(path: Path) -> str:
    """A path as a person would type it: relative to the current folder if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def files_below(folder: Path, suffix: str) -> list[Path]:
    """All files below a folder whose name ends so, in links to folders too; each folder once on its way down."""
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        # Only a link can lead back to a folder above.
        if links := [name for name in folders if Path(root, name).is_symlink()]:
            above = {os.path.realpath(parent) for parent in (Path(root), *Path(root).parents)}
            folders[:] = [
                name for name in folders if name not in links or os.path.realpath(Path(root, name)) not in above
            ]
        found += [Path(root, name) for name in names if name.endswith(suffix)]
    return sorted(found)


def repository_path(path: str) -> str:
    """A path as GitHub and GitLab name it: from the root of the repository, with forward slashes.

    Args:
        path: As messages have it, from the current folder.

    Returns:
        The path as it is, if it is in no repository.
    """
    absolute = Path(os.path.normpath(Path.cwd() / path))
    # With actions/checkout and `path:`, the repository is below the workspace, and so are the paths of annotations.
    for root in (os.environ.get("GITHUB_WORKSPACE"), os.environ.get("CI_PROJECT_DIR"), _repository(Path.cwd())):
        if root and absolute.is_relative_to(resolved := Path(root).resolve()):
            return absolute.relative_to(resolved).as_posix()
    return path


@lru_cache(maxsize=8)
def _repository(folder: Path) -> str | None:
    return next((str(each) for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text without their ends, one at a time: a list of them takes as much memory as the text again."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def decode(data: bytes, display: str, error: type[InputError] = InputError) -> str:
    """UTF-8 text with ``\\n`` line ends; a byte order mark is dropped.

    Raises:
        InputError: The data is not UTF-8 (the class is ``error``).
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(
            f"is not UTF-8: byte 0x{data[problem.start]:02x} ({problem.reason})",
            path=display,
            line=data.count(b"\n", 0, problem.start) + 1,
            remedy="save the file as UTF-8",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines_of_file(path: Path, error: type[InputError] = InputError) -> Iterator[str]:
    """The lines of a file as :func:`decode` reads it, each with its end; one at a time is in memory.

    Raises:
        InputError: It cannot be read, or is not UTF-8 (the class is ``error``).
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError:
        # Says where in the file.
        decode(path.read_bytes(), show_path(path), error)
        raise
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror}", path=show_path(path)) from None


def scratch_database(*statements: str) -> sqlite3.Connection:
    """A database of SQLite's own on disk, in a transaction; nobody else sees it, and it ends with the connection."""
    import sqlite3

    made = sqlite3.connect("", isolation_level=None)
    for statement in statements:
        made.execute(statement)
    made.execute("BEGIN")
    return made


def json_problem(error: ValueError | RecursionError) -> tuple[str, int | None]:
    """What is wrong with a text that ``json.loads`` refused, and the line if there is one.

    Of a comma before a closing bracket Python 3.13 names the comma, and earlier versions the bracket, which may be
    lines away; here it is the comma's line in all of them.
    """
    if isinstance(error, RecursionError):
        return "nested too deeply", None
    if not isinstance(error, json.JSONDecodeError):
        return str(error), None
    text, at = error.doc, error.pos
    if text[at : at + 1] != ",":
        at = len(text[:at].rstrip()) - 1
    if at >= 0 and re.match(r",\s*[\]}]", text[at:]):
        return "a comma before the closing bracket", text.count("\n", 0, at) + 1
    return error.msg, error.lineno


def replace_file(path: Path, text: str | Iterable[bytes], error: type[InputError] = InputError) -> None:
    """Write a file whole or not at all: into a temporary file beside it, which is then renamed.

    Args:
        text: Or its parts, of which one at a time is in memory.

    Raises:
        InputError: The disk does not take it (the class is ``error``); what was there before is unchanged.
    """
    # A link stays a link: the file that it names is replaced.
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise error("cannot be written: is not a file", path=show_path(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.writelines([_utf8(text)] if isinstance(text, str) else text)
        temporary.replace(target)
    except OSError as problem:
        with suppress(OSError):
            temporary.unlink()
        raise error(f"cannot be written: {problem.strerror}", path=show_path(path)) from None


def _utf8(text: str) -> bytes:
    # Half of a surrogate pair, which a model may answer, is not UTF-8; U+FFFD replaces it.
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode("utf-8")


def replace_files(texts: Mapping[Path, str | None], error: type[InputError] = InputError) -> None:
    """Write several files, and remove those whose text is ``None``: all of them, or none.

    Raises:
        InputError: The disk does not take one of them (the class is ``error``); all are as they were before.
    """
    targets = {path: path.resolve() for path in texts}
    staged = {path: target.with_name(f".{target.name}.{os.getpid()}.tmp") for path, target in targets.items()}
    kept = {path: target.with_name(f".{target.name}.{os.getpid()}.old") for path, target in targets.items()}
    changed: list[Path] = []
    made = [folder for target in targets.values() for folder in target.parents if not folder.exists()]
    path = next(iter(texts), Path())
    try:
        # Everything that needs space comes first; what comes after only changes names.
        for path, text in texts.items():
            if targets[path].exists() and not targets[path].is_file():
                raise error("cannot be written: is not a file", path=show_path(path))
            targets[path].parent.mkdir(parents=True, exist_ok=True)
            if targets[path].exists():
                shutil.copy2(targets[path], kept[path])
            if text is not None:
                staged[path].write_bytes(_utf8(text))
        for path, text in texts.items():
            changed.append(path)
            if text is None:
                targets[path].unlink(missing_ok=True)
            else:
                staged[path].replace(targets[path])
    except OSError as problem:
        for done in changed:
            with suppress(OSError):
                kept[done].replace(targets[done]) if kept[done].exists() else targets[done].unlink()
        raise error(f"cannot be written: {problem.strerror}; no file was changed", path=show_path(path)) from None
    finally:
        _remove([*staged.values(), *kept.values()], made)


def _remove(files: Sequence[Path], folders: Iterable[Path]) -> None:
    """Remove files, and folders that are empty: those that were made for nothing."""
    for rest in files:
        with suppress(OSError):
            rest.unlink()
    for folder in sorted(set(folders), key=lambda each: -len(each.parts)):
        with suppress(OSError):
            folder.rmdir()


def write_new(target: Path, text: str, error: type[InputError] = InputError) -> None:
    """Write a file that is not there yet, whole or not at all.

    Raises:
        InputError: It is there, or the disk does not take it (the class is ``error``).
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(text.encode("utf-8"))
        # A link fails if the name is taken: two writers never overwrite each other.
        os.link(temporary, target)
    except OSError as problem:
        raise error(f"cannot be written: {problem.strerror}", path=show_path(target)) from None
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(target: Path, error: type[InputError] = InputError) -> None:
    """Raises InputError (the class is ``error``) if a file could not be written there. Nothing is left behind."""
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    try:
        probe = folder / f".{target.name}.{os.getpid()}.tmp"
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        probe.unlink()
    except OSError as problem:
        raise error(f"cannot be written: {problem.strerror}", path=show_path(target)) from None


def git_error(folder: Path) -> str:
    """Why git says nothing of a folder of a repository, such as one of another owner; empty if it is in none."""
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    command = ["git", "-C", str(folder), "rev-parse", "--git-dir"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=environment)  # noqa: S603 - no shell, fixed program
    except FileNotFoundError:
        inside = any((parent / ".git").exists() for parent in (folder, *folder.parents))
        return "git is not installed" if inside else ""
    said = done.stderr.decode("utf-8", "replace").strip()
    return "" if done.returncode == 0 or "not a git repository" in said else said.removeprefix("fatal: ")


def lock(descriptor: int, *, wait: bool = True) -> bool:
    """Lock an open file until it is closed, as by the end of its process, however that ends.

    Only processes that ask for the lock keep to it. Windows and some network file systems have no such lock: there one
    is said to be taken, and two processes must not write to one file at a time.

    Args:
        wait: Until the lock is free.

    Returns:
        Whether it is taken: no if another process has it and ``wait`` is not set.
    """
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError:
            # Such as ENOLCK of a network file system.
            return True
    return True


@contextmanager
def locked_file(path: Path, flags: int) -> Iterator[int]:
    """The descriptor of the file that a path names, open as ``os.open`` opens it, and locked until the end.

    Raises:
        OSError: It cannot be opened.
    """
    while True:
        descriptor = os.open(path, flags, 0o644)
        try:
            lock(descriptor)
            # Whoever had the lock may have replaced the file: what is open then is no longer what the path names.
            if _is_open_as(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def append_lines(path: Path, data: bytes) -> None:
    """Add whole lines to a file, all of them or none; a last line that a crash cut off goes, as it would be continued.

    Raises:
        OSError: The disk does not take them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as descriptor:
        size = _drop_cut_off(descriptor)
        try:
            # A disk that is almost full takes a part; the next write says why.
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise


def _drop_cut_off(descriptor: int) -> int:
    """Take away a last line without an end; the size of what is left."""
    size = os.fstat(descriptor).st_size
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":
            os.lseek(descriptor, 0, os.SEEK_SET)
            with os.fdopen(os.dup(descriptor), "rb") as file:
                size = file.read().rfind(b"\n") + 1
            os.ftruncate(descriptor, size)
    return size


def _is_open_as(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


class CommittedFile(NamedTuple):
    """A file at a commit, or what a symbolic link names."""

    data: bytes
    is_link: bool


def run_git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes | None:
    """What ``git -C folder ...`` prints; ``None`` if it fails.

    Args:
        stdin: What it reads.

    Raises:
        FileNotFoundError: git is not installed.
    """
    # git asks for no password, takes no lock that a parallel command may need, and speaks English in its errors.
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, env=environment)  # noqa: S603 - no shell, fixed program
    return done.stdout if done.returncode == 0 else None


def committed_files(folder: Path, commit: str, below: str, most: int | None = None) -> dict[str, CommittedFile] | None:
    """The files below a folder at a commit, read by two processes however many there are; ``None`` if git fails.

    Not with ``git archive``, which leaves out what is not for export.

    Args:
        folder: A folder of the repository; ``below`` and the paths found are relative to it.
        most: Only files of at most so many bytes.
    """
    listed = run_git(folder, "ls-tree", "-r", "-l", "-z", commit, "--", *([below] if below != "." else []))
    if listed is None:
        return None
    entries = [entry.split(b"\t", 1) for entry in listed.split(b"\0") if entry]
    # Files and links; what a link names is its text, so that it is read as git stored it.
    blobs = [(path.decode("utf-8", "surrogateescape"), head.split()) for head, path in entries if b" blob " in head]
    blobs = [(path, words) for path, words in blobs if most is None or int(words[3]) <= most]
    printed = run_git(folder, "cat-file", "--batch", stdin=b"".join(words[2] + b"\n" for _, words in blobs))
    found = {}
    position = 0
    for path, words in blobs:
        if printed is None or (end := printed.find(b"\n", position)) < 0:
            return None
        size = int(printed[position:end].split()[-1])
        found[path] = CommittedFile(printed[end + 1 : end + 1 + size], words[0] == b"120000")
        position = end + size + 2
    return found
