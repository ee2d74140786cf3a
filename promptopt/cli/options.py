"""Options that several commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click

from promptopt.errors import InputError, UsageError
from promptopt.files import json_problem
from promptopt.money import parse_dollars

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


def call_options(function: F) -> F:
    """``--jobs``, ``--timeout`` (as ``timeout_s``), ``--retries`` and ``--rpm``: how calls are made."""
    for option in (
        click.option("--rpm", type=click.IntRange(min=1), metavar="N", help="Send at most N calls a minute."),
        click.option(
            "--retries", type=click.IntRange(min=0), help="How often a failed call is sent again [default: 2]."
        ),
        click.option(
            "--timeout", "timeout_s", type=float, metavar="SECONDS", help="How long a call may take [default: 120]."
        ),
        click.option("-j", "--jobs", type=click.IntRange(min=1), help="Calls in flight at once [default: 16]."),
    ):
        function = option(function)
    return function


def page_option(function: F) -> F:
    """``-o FILE.html``, as ``output``: the pages, each of which is written; their names are checked before any work."""

    def checked(_context: click.Context, _option: click.Parameter, given: tuple[Path, ...]) -> tuple[Path, ...]:
        if given:
            from promptopt.webpage.page import check_page_path

            for path in given:
                check_page_path(path)
        return given

    return click.option(
        "-o",
        "--output",
        multiple=True,
        callback=checked,
        type=click.Path(path_type=Path),
        metavar="FILE.html",
        help="Also write a page that opens offline. May be given again.",
    )(function)


def one_output(text: str, **more: Any) -> Callable[[F], F]:
    """``-o PATH``, as ``output``: one path or ``None``. A second one is refused, and not lost silently.

    Args:
        text: The option's help.
        more: Of ``click.option``.
    """

    def checked(_context: click.Context, _option: click.Parameter, given: tuple[Path, ...]) -> Path | None:
        if len(given) > 1:
            raise UsageError(f"-o {given[0]} and -o {given[1]}: one is written, name one")
        return given[0] if given else None

    path = click.Path(path_type=Path)
    return click.option("-o", "--output", type=path, multiple=True, callback=checked, help=text, **more)


def judge_option(function: F) -> F:
    """``--judge``."""
    return click.option("--judge", metavar="MODEL", help="The model that judges, whatever the suite names.")(function)


def search_options(function: F) -> F:
    """How `minimize` and `ablate` get answers, the parameters of their functions."""
    record = click.option(
        "--record", type=click.Choice(["none", "missing"]), help="Whether to ask for what is not recorded."
    )
    trials = click.option(
        "--trials", type=click.IntRange(min=1), default=1, show_default=True, help="Answers to each case."
    )
    return trials(record(call_options(judge_option(function))))


def read_settings(given: tuple[str, ...]) -> dict[str, list[object]]:
    """``reasoning_effort=low,high`` as values; each is read as YAML reads it.

    Raises:
        UsageError: One is not written so, or given twice.
    """
    from promptopt.yaml import load_yaml

    found: dict[str, list[object]] = {}
    for entry in given:
        name, equals, values = entry.partition("=")
        if not equals or not values:
            raise UsageError(f"--set {entry!r}: write KEY=VALUE or KEY=VALUE,VALUE")
        if name in found:
            raise UsageError(f"--set {name} is given twice: write {name}=VALUE,VALUE")
        found[name] = [load_yaml(value, f"--set {name}") for value in values.split(",")]
    return found


def read_dollars(text: str | None) -> Decimal | None:
    """``--max-cost``. Raises UsageError if it is not an amount."""
    if text is None:
        return None
    try:
        return parse_dollars(text)
    except ValueError as error:
        raise UsageError(f"--max-cost {error}") from None


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
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start})") from None


def read_stdin() -> str:
    """The text on stdin with the line ends that it has; a byte order mark is dropped.

    Raises:
        InputError: It is not UTF-8.
    """
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"is not UTF-8: byte 0x{data[error.start]:02x} ({error.reason})",
            path="<stdin>",
            line=data.count(b"\n", 0, error.start) + 1,
            remedy="convert it first, as in: iconv -f WINDOWS-1252 -t UTF-8",
        ) from None
