"""Files: how they are named to a person, decoded, replaced whole, and asked of git."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

from promptopt.errors import InputError


def show_path(path: Path) -> str:
    """A path as a person would type it: relative to the current folder if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


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


def replace_file(path: Path, text: str, error: type[InputError] = InputError) -> None:
    """Write a file whole or not at all: into a temporary file beside it, which is then renamed.

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
        # Half of a surrogate pair, which a model may answer, is not UTF-8; U+FFFD replaces it.
        temporary.write_bytes(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode("utf-8"))
        temporary.replace(target)
    except OSError as problem:
        with suppress(OSError):
            temporary.unlink()
        raise error(f"cannot be written: {problem.strerror}", path=show_path(path)) from None


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


def run_git(folder: Path, *arguments: str) -> bytes | None:
    """What ``git -C folder ...`` prints; ``None`` if it fails.

    Raises:
        FileNotFoundError: git is not installed.
    """
    # git asks for no password, takes no lock that a parallel command may need, and speaks English in its errors.
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, check=False, env=environment)  # noqa: S603 - no shell, fixed program
    return done.stdout if done.returncode == 0 else None
