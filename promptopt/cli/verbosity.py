"""``-q`` and ``-v`` of all commands: how much is said on stderr. Results on stdout are the same."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

import click

from promptopt.cli.completion import add_completion

_QUIET, _VERBOSE = "promptopt.quiet", "promptopt.verbose"
_KEPT = 1 << 20


def add_verbosity(command: click.Command) -> click.Command:
    """The command with ``-q`` and ``-v``; of a group, each of its commands."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            add_verbosity(child)
    elif not any(option.name == "quiet" for option in command.params):
        add_completion(command)
        command.params += [_option("-q", "--quiet", _QUIET), _option("-v", "--verbose", _VERBOSE)]
        command.invoke = _talking(command.invoke)  # type: ignore[method-assign] # one place for all commands
    return command


def _option(short: str, name: str, key: str) -> click.Option:
    def noted(context: click.Context, _option: click.Parameter, given: bool) -> None:
        context.meta[key] = given or context.meta.get(key, False)

    said = {
        _QUIET: "No notes and no progress on stderr, unless the command fails.",
        _VERBOSE: "Say on stderr what is read and sent, and how long it took; a traceback with errors.",
    }
    return click.Option([short, name], is_flag=True, expose_value=False, callback=noted, help=said[key])


def _talking(invoke: Any) -> Any:
    def invoked(context: click.Context) -> Any:
        if context.meta.get(_VERBOSE):
            with _logged():
                return invoke(context)
        if context.meta.get(_QUIET):
            with _held_back():
                return invoke(context)
        return invoke(context)

    return invoked


class _Held(io.StringIO):
    """What would have been said; of much, the end."""

    def write(self, text: str) -> int:
        if self.tell() > _KEPT:
            end = self.getvalue()[-_KEPT // 2 :]
            self.seek(0)
            self.truncate()
            super().write(end)
        return super().write(text)


@contextmanager
def _held_back() -> Iterator[None]:
    """Nothing on stderr, unless the command fails: then all that would have been there."""
    held, failed = _Held(), True
    try:
        with redirect_stderr(held):
            yield
        failed = False
    except click.exceptions.Exit as leave:
        failed = bool(leave.exit_code)
        raise
    finally:
        if failed:
            sys.stderr.write(held.getvalue())


@contextmanager
def _logged() -> Iterator[None]:
    """Log lines on stderr: the project, what SDKs send, and the seconds."""
    import logging
    import time
    import traceback
    from platform import python_version

    from promptopt import __version__
    from promptopt.config import load_config
    from promptopt.errors import PromptoptError

    log = logging.getLogger("promptopt")
    # Made now, so that it is the stderr of this command.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
    root, level, started = logging.getLogger(), logging.getLogger().level, time.monotonic()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        log.info("promptopt %s, Python %s", __version__, python_version())
        log.info("project %s, prompts %s", (config := load_config()).root, config.prompts)
        yield
    except PromptoptError:
        traceback.print_exc()
        raise
    finally:
        log.info("%.2f seconds", time.monotonic() - started)
        root.removeHandler(handler)
        root.setLevel(level)
