"""Versions of prompt files: a version that others use is not edited, a change is the next one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from promptopt.errors import TemplateError
from promptopt.files import show_path

_VERSION = re.compile(r"v(\d+)", re.ASCII)


def version_number(path: str | Path) -> int | None:
    """The number of a version, ``v2`` or ``triage/v2.j2``; ``None`` for a file that is not one of several versions."""
    match = _VERSION.fullmatch(Path(path).stem)
    return int(match[1]) if match else None


def next_version(path: Path) -> Path:
    """Where the next version of a prompt file belongs: ``v3.j2`` beside ``v2.j2``, ``name/v2.j2`` for ``name.j2``."""
    own = version_number(path)
    folder = path.with_suffix("") if own is None else path.parent
    taken = [number for other in folder.glob(f"v*{path.suffix}") if (number := version_number(other)) is not None]
    return folder / f"v{max([own or 1, *taken]) + 1}{path.suffix}"


def write_next(path: Path, text: str) -> Path:
    """Write ``text`` as the next version of ``path``, whole or not at all.

    Raises:
        TemplateError: The disk does not take it.
    """
    target = next_version(path)
    write_new(target, text)
    return target


def write_new(target: Path, text: str) -> None:
    """Write a file that is not there yet, whole or not at all.

    Raises:
        TemplateError: It is there, or the disk does not take it.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(text.encode("utf-8"))
        # A link fails if the name is taken: two writers never overwrite each other.
        os.link(temporary, target)
    except OSError as problem:
        raise TemplateError(f"cannot be written: {problem.strerror}", path=show_path(target)) from None
    finally:
        temporary.unlink(missing_ok=True)
