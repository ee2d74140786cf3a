"""What the shell completes: names of prompts with their versions, and suites. Names of files alone are read."""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.shell_completion import CompletionItem

_SUFFIXES = (".j2", ".json", ".yaml", ".yml")
_KINDS = {
    **dict.fromkeys(("prompt", "prompts", "old", "new", "paths", "operands", "baseline"), "prompt"),
    **dict.fromkeys(("suite", "suites"), "suite"),
    **dict.fromkeys(("file", "files"), "file"),
}


class _Name(click.ParamType[str]):
    """A text with known values, others than which are taken too, as paths are."""

    name = "text"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """The names that begin so; of a path, the shell's own."""
        try:
            found = sorted({name for name in _names(self._kind, "@" in incomplete) if name.startswith(incomplete)})
        except (click.ClickException, OSError, ValueError):
            found = []
        return [CompletionItem(name) for name in found] or [CompletionItem(incomplete, type="file")]


def _names(kind: str, versions: bool) -> Iterator[str]:
    from promptopt.config import load_config

    if kind == "file":
        return
    config = load_config()
    if kind == "suite":
        yield from (path.stem for path in config.suites.glob("*") if path.suffix in (*_SUFFIXES, ".csv", ".jsonl"))
        return
    for path in config.prompts.rglob("*"):
        if path.suffix not in _SUFFIXES or path.name.startswith(("_", ".")):
            continue
        below = path.relative_to(config.prompts)
        if below.stem[:1] == "v" and below.stem[1:].isdecimal() and len(below.parts) > 1:
            folder = below.parent.as_posix()
            yield f"{folder}@{below.stem}" if versions else folder
        elif path.suffix == ".j2":
            yield below.with_suffix("").as_posix()


def add_completion(command: click.Command) -> click.Command:
    """The command, whose prompts and suites the shell completes."""
    for param in command.params:
        if isinstance(param.type, click.types.StringParamType) and param.name in _KINDS:
            param.type = _Name(_KINDS[param.name])
    return command
