"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from promptopt.errors import UsageError
from promptopt.files import json_problem

F = TypeVar("F", bound=Callable[..., Any])


def variable_options(function: F) -> F:
    """``--var NAME=VALUE`` and ``--vars FILE``; read them with :func:`read_variables`."""
    function = click.option(
        "--vars", "vars_file", type=click.Path(path_type=Path), help="Variables from a JSON file, an object."
    )(function)
    return click.option(
        "--var",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        help="A variable; NAME=@FILE or NAME=file://FILE takes a file's text, or the image, sound or PDF that it is.",
    )(function)


def read_variables(variables: Iterable[str], vars_file: Path | None) -> dict[str, Any]:
    """The variables that the options name.

    Raises:
        UsageError: One is not written ``NAME=VALUE``, or a file cannot be read.
    """
    found: dict[str, Any] = {}
    if vars_file is not None:
        try:
            loaded = json.loads(_text(vars_file))
        except (ValueError, RecursionError) as error:
            problem, line = json_problem(error)
            place = f"{vars_file}:{line}" if line else str(vars_file)
            raise UsageError(f"{place}: is not JSON: {problem}") from None
        if not isinstance(loaded, dict):
            raise UsageError(f"{vars_file}: is not a JSON object of variables")
        folder = vars_file.parent
        found |= {
            name: _content(str(folder / value.removeprefix(_FILE)))
            if isinstance(value, str) and value.startswith(_FILE)
            else value
            for name, value in loaded.items()
        }
    for entry in variables:
        name, equals, value = entry.partition("=")
        if not equals or not name:
            raise UsageError(f"--var {entry!r} is not written NAME=VALUE")
        file = value.startswith(("@", _FILE))
        found[name] = _content(value.removeprefix("@").removeprefix(_FILE)) if file else value
    return found


_FILE = "file://"


def _content(file: str) -> Any:
    """The image, sound or PDF in a file, else its text."""
    from promptopt.media import is_media_file, read_media

    path = Path(file)
    try:
        with path.open("rb") as opened:
            beginning = opened.read(2048)
        return read_media(path) if is_media_file(path.name, beginning) else _text(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start})") from None
