"""A command in a model's place: the program under test in any language.

A table of the type ``exec`` has its ``command``. JSON comes on its standard input
(:func:`promptopt.providers.program.told`); what it prints is the answer, or a JSON object with ``text`` and the like.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, ClassVar

from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.providers.base import ProviderBase
from promptopt.providers.program import ANSWER_KEYS, TEXT_KEYS, read_answer, told
from promptopt.providers.settings import Checks, ProviderTable, is_text
from promptopt.values import Request, Response

DEFAULT_TIMEOUT_S = 120.0
MAX_BYTES = 10_000_000


def _is_command(value: Any) -> bool:
    return is_text(value) or (isinstance(value, list) and bool(value) and all(map(is_text, value)))


class ExecProvider(ProviderBase):
    """Runs a command for each request, without a shell, in the folder of pyproject.toml."""

    keys: ClassVar[Checks] = {"command": _is_command}
    takes_variables = True

    def __init__(self, model: str, timeout_s: float | None = None, table: ProviderTable | None = None) -> None:
        """Raises ProviderUnusable if there is no such program."""
        self._command, self._folder = _command(model, table)
        self._model = model if table is not None else ""
        self._timeout_s = timeout_s or DEFAULT_TIMEOUT_S
        self._environment = {**os.environ, **({} if table is None else {"PROMPTOPT_MODEL": model})}
        if not _program(self._command, self._folder):
            place = "exec" if table is None else table.subject
            raise ProviderUnusable(f"{place}: there is no program {self._command[0]!r}, or it may not be run")

    @classmethod
    def is_configured(cls, model: str) -> bool:
        """Whether the program is there."""
        return _program(*_command(model, None)) is not None

    @classmethod
    def is_complete(cls, table: ProviderTable) -> bool:
        """Whether the table's program is there."""
        return _program(*_command("", table)) is not None

    def complete(self, request: Request) -> Response:
        """What the command prints.

        Raises:
            ProviderError: It failed, took too long, or printed too much or no answer.
        """
        place = self._command[0]
        sent = json.dumps(told(request, self._model), ensure_ascii=False, default=str)
        started = time.perf_counter()
        output, errors, code = self._run(sent.encode("utf-8", "replace"), place)
        taken = time.perf_counter() - started
        if code:
            last = errors.decode(errors="replace").strip().splitlines()
            ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise ProviderError(f"{place} {ended}: {last[-1][:300] if last else 'it said nothing on standard error'}")
        if len(output) > MAX_BYTES:
            raise ProviderError(f"{place} printed {len(output):,} bytes; an answer has at most {MAX_BYTES:,}")
        try:
            return read_answer(_printed(output.decode("utf-8")), request.model, taken)
        except UnicodeDecodeError as error:
            raise ProviderError(f"{place} printed what is not UTF-8 (byte {error.start})") from None
        except ValueError as error:
            raise ProviderError(f"{place} printed no answer: {error}") from None

    def _run(self, sent: bytes, place: str) -> tuple[bytes, bytes, int]:
        try:
            # In a session of its own, so that what it has started ends with it.
            process = subprocess.Popen(  # noqa: S603 - the command is the user's own
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ProviderUnusable(f"{place} cannot be run: {error.strerror}") from None
        try:
            output, errors = process.communicate(sent, self._timeout_s)
        except subprocess.TimeoutExpired:
            raise ProviderError(f"{place} did not end within {self._timeout_s:g} s (see --timeout)") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        return output, errors, process.returncode


def _printed(text: str) -> Any:
    """A JSON object that has the keys of an answer and no other, else the text itself: an answer may be JSON."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text.removesuffix("\n").removesuffix("\r")
    if isinstance(value, dict) and value.keys() <= ANSWER_KEYS and value.keys() & {*TEXT_KEYS, "error", "tool_calls"}:
        return value
    return text.removesuffix("\n")


def _command(model: str, table: ProviderTable | None) -> tuple[list[str], Path]:
    written = model if table is None else table.need("command")
    try:
        words = shlex.split(written) if isinstance(written, str) else list(written)
    except ValueError as error:
        words = []
        problem = f": {error}"
    else:
        problem = ""
    if not words:
        message = f"command = {written!r} is not a command{problem}"
        if table is None:
            raise ProviderUnusable(f"exec: {message}")
        raise table.error(message, "command")
    return words, Path() if table is None else table.root


def _program(command: list[str], folder: Path) -> str | None:
    name = command[0]
    return shutil.which(os.path.join(folder.resolve(), name) if "/" in name else name)  # noqa: PTH118 - keeps `./`
