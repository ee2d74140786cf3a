"""A command in a model's place: the program under test in any language.

A table of the type ``exec`` has its ``command``. JSON comes on its standard input
(:func:`promptopt.providers.program.told`); what it prints is the answer, or a JSON object with ``text`` and the like.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.providers.base import ProviderBase
from promptopt.providers.program import ANSWER_KEYS, MAX_BYTES, TEXT_KEYS, read_answer, told
from promptopt.providers.settings import Checks, ProviderTable, is_text
from promptopt.values import Request, Response

DEFAULT_TIMEOUT_S = 120.0
# Of the standard error its end says why a command failed.
_ERROR_BYTES = 65_536
_CHUNK = 65_536
# What a command writes may act on a terminal.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


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
            last = _CONTROL.sub("", errors.decode(errors="replace")).strip().splitlines()
            ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise ProviderError(f"{place} {ended}: {last[-1][:300] if last else 'it said nothing on standard error'}")
        try:
            return read_answer(_printed(output.decode("utf-8-sig")), request.model, taken)
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
        with process:
            try:
                output, errors = _Exchange(process, sent, self._timeout_s).run(place)
            except BaseException:
                _end(process)
                raise
        return output, errors, process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command that runs on, and what it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Exchange:
    """What a command is sent and what it says, of which no more than an answer may have is kept."""

    def __init__(self, process: subprocess.Popen[bytes], sent: bytes, timeout_s: float) -> None:
        self._process, self._left, self._timeout_s = process, memoryview(sent), timeout_s
        self._ends = time.monotonic() + timeout_s
        self._output, self._errors = bytearray(), bytearray()

    def run(self, place: str) -> tuple[bytes, bytes]:
        """The standard output and the end of the standard error. The command has ended, or is killed."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        os.set_blocking(process.stdin.fileno(), False)
        with selectors.DefaultSelector() as pipes:
            pipes.register(process.stdin, selectors.EVENT_WRITE, self._write)
            pipes.register(process.stdout, selectors.EVENT_READ, partial(self._read, place))
            pipes.register(process.stderr, selectors.EVENT_READ, self._read_error)
            while pipes.get_map():
                for key, _ in pipes.select(max(0.0, self._ends - time.monotonic())):
                    if not key.data(key.fd):
                        pipes.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]
                if pipes.get_map():
                    self._check_time(place)
        try:
            process.wait(max(0.0, self._ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._check_time(place)
        return bytes(self._output), bytes(self._errors)

    def _check_time(self, place: str) -> None:
        if time.monotonic() < self._ends:
            return
        if self._process.poll() is None:
            said = f"{place} did not end within {self._timeout_s:g} s (see --timeout)"
        else:
            said = f"{place} ended, but what it has started keeps its output open after {self._timeout_s:g} s"
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        raise ProviderError(said)

    def _write(self, pipe: int) -> bool:
        try:
            self._left = self._left[os.write(pipe, self._left[:_CHUNK]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            # It does not read what it is asked, which is its own affair.
            return False
        return bool(self._left)

    def _read(self, place: str, pipe: int) -> bool:
        data = os.read(pipe, _CHUNK)
        self._output += data
        if len(self._output) > MAX_BYTES:
            raise ProviderError(f"{place} printed more than {MAX_BYTES:,} bytes; an answer has at most so many")
        return bool(data)

    def _read_error(self, pipe: int) -> bool:
        data = os.read(pipe, _CHUNK)
        self._errors += data
        del self._errors[:-_ERROR_BYTES]
        return bool(data)


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
