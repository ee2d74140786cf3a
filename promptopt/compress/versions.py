"""The next version of a prompt file: a version that others use is never edited."""

from __future__ import annotations

import os
import re
from pathlib import Path

from promptopt.errors import TemplateError
from promptopt.files import show_path

_VERSION = re.compile(r"v(\d+)", re.ASCII)


def next_version(path: Path) -> Path:
    """Where the next version of a prompt file belongs: ``v3.j2`` beside ``v2.j2``, ``name/v2.j2`` for ``name.j2``."""
    if _VERSION.fullmatch(path.stem):
        folder, own = path.parent, 0
    else:
        folder, own = path.with_suffix(""), 1
    taken = [int(match[1]) for other in folder.glob(f"v*{path.suffix}") if (match := _VERSION.fullmatch(other.stem))]
    return folder / f"v{max([own, *taken]) + 1}{path.suffix}"


def write_next(path: Path, text: str) -> Path:
    """Write ``text`` as the next version of ``path``, whole or not at all.

    Raises:
        TemplateError: The disk does not take it.
    """
    target = next_version(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(text.encode("utf-8"))
        # A link fails where the name is taken: two writers never overwrite each other.
        os.link(temporary, target)
    except OSError as problem:
        raise TemplateError(f"cannot be written: {problem.strerror}", path=show_path(target)) from None
    finally:
        temporary.unlink(missing_ok=True)
    return target
