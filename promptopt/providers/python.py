"""A Python function in a model's place: the program under test.

``python:package.module:answer`` and ``python:file://app.py:answer`` name it; so does ``function`` in a table of the
type ``python``, whose name is then the model's.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import io
import logging
import os
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from contextvars import ContextVar, copy_context
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.functions import load_function
from promptopt.providers.base import ProviderBase
from promptopt.providers.program import read_answer, told
from promptopt.providers.settings import Checks, ProviderTable, is_text
from promptopt.values import Request, Response

DEFAULT_TIMEOUT_S = 120.0
log = logging.getLogger("promptopt.providers")


class PythonProvider(ProviderBase):
    """Calls a function with what its parameters are named after, each call in a thread of its own."""

    keys: ClassVar[Checks] = {"function": is_text, "config": lambda value: isinstance(value, Mapping)}
    takes_variables = True

    def __init__(self, model: str, timeout_s: float | None = None, table: ProviderTable | None = None) -> None:
        """Raises ProviderUnusable if there is no such function, or if it cannot be called with what there is."""
        self._function, self._name = _load(model, table)
        self._model = model if table is not None else ""
        self._config = {} if table is None else dict(table.get("config", {}))
        self._timeout_s = timeout_s or DEFAULT_TIMEOUT_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._said_prints = False
        _Prints.begin()
        self._closed = False

    @classmethod
    def version(cls, model: str, table: ProviderTable | None = None) -> str | None:
        """The table's ``version``; else the digest of the function's file."""
        if table is not None and "version" in table.options:
            return str(table.options["version"])
        path = _file_of(_function_name(model, table))
        return None if path is None else _digest(path, path.stat().st_mtime_ns)

    def complete(self, request: Request) -> Response:
        """What the function returns.

        Raises:
            ProviderError: It raised, took too long, or returned something else than an answer.
        """
        arguments = self._arguments(request)
        printed = io.StringIO()
        started = time.perf_counter()
        try:
            value = self._called(arguments, printed)
        except TimeoutError:
            raise ProviderError(f"{self._name} did not return within {self._timeout_s:g} s (see --timeout)") from None
        except _Raised as raised:
            raise ProviderError(f"{self._name} raised {raised.text}") from raised.error
        except CancelledError:
            raise ProviderError(f"{self._name} cancelled itself (asyncio.CancelledError)") from None
        finally:
            self._say(printed.getvalue(), request)
        taken = time.perf_counter() - started
        try:
            response = read_answer(value, request.model, taken)
        except ValueError as error:
            raise ProviderError(f"{self._name} returned no answer: {error}") from None
        return response if response.duration_s is not None else replace(response, duration_s=taken)

    def _arguments(self, request: Request) -> dict[str, Any]:
        """What each parameter is named after: a part of the request, or one of the case's variables."""
        offered = {
            **request.variables,
            **told(request, self._model),
            "request": request,
            "variables": dict(request.variables),
            # As promptfoo calls a provider's function.
            "options": {"config": self._config},
            "context": {"vars": dict(request.variables)},
        }
        found, missing = {}, []
        for parameter in inspect.signature(self._function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            if parameter.name in offered:
                found[parameter.name] = offered[parameter.name]
            elif parameter.default is parameter.empty:
                missing.append(parameter.name)
        if missing:
            raise ProviderError(
                f"{self._name} has a parameter {missing[0]!r}, and nothing has that name. There is "
                f"request, messages, prompt, variables, params, model, and of the case's variables: "
                f"{', '.join(request.variables) or 'it has none'}"
            )
        return found

    def _called(self, arguments: dict[str, Any], printed: io.StringIO) -> Any:
        if inspect.iscoroutinefunction(self._function):
            waiting = asyncio.run_coroutine_threadsafe(self._awaited(arguments, printed), self._running())
            try:
                return waiting.result(self._timeout_s)
            finally:
                waiting.cancel()
        outcome: Future[Any] = Future()

        def run() -> None:
            _Prints.of_call.set(printed)
            try:
                outcome.set_result(self._positional(arguments))
            except BaseException as error:  # noqa: BLE001 - sys.exit of a program under test is a failed call, too
                outcome.set_exception(_Raised(error))
            finally:
                _Prints.running.discard(threading.current_thread())

        thread = threading.Thread(target=copy_context().run, args=(run,), name="promptopt-program", daemon=True)
        _Prints.running.add(thread)
        thread.start()
        value = outcome.result(self._timeout_s)
        if inspect.isawaitable(value):
            waiting = asyncio.run_coroutine_threadsafe(_awaiting(value, printed), self._running())
            return waiting.result(self._timeout_s)
        return value

    def _positional(self, arguments: dict[str, Any]) -> Any:
        parameters = inspect.signature(self._function).parameters
        first = [arguments[name] for name in arguments if parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY]
        rest = {
            name: value
            for name, value in arguments.items()
            if parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY
        }
        return self._function(*first, **rest)

    async def _awaited(self, arguments: dict[str, Any], printed: io.StringIO) -> Any:
        return await _awaiting(self._positional(arguments), printed)

    def _running(self) -> asyncio.AbstractEventLoop:
        """One event loop for all calls: a client that a program keeps belongs to the loop of its first call."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run_loop, args=(self._loop,), name="promptopt-loop", daemon=True).start()
            return self._loop

    def _say(self, printed: str, request: Request) -> None:
        if not printed.strip() or self._said_prints:
            return
        self._said_prints = True
        first = printed.strip().splitlines()[0][:100]
        case = request.origin.case if request.origin and request.origin.case else "?"
        log.warning(
            "%s printed %r in case %r; what it prints is no part of an answer (said once)", self._name, first, case
        )

    def close(self) -> None:
        with self._lock:
            closed, self._closed = self._closed, True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._loop = None
        if not closed:
            _Prints.end()


class _Raised(Exception):
    """A program under test raised; says what, and where in its own code."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename) != Path(__file__)]
        # Where a library raised says less than where the program called it.
        own = [frame for frame in own if not _is_installed(frame.filename)] or own
        where = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
        try:
            said = str(error).strip().splitlines()
        except Exception:  # noqa: BLE001 - an exception of the program's own may not even say what it is
            said = ["it cannot be shown as a text"]
        self.text = f"{type(error).__name__}{where}{f': {said[0][:300]}' if said else ''}"
        super().__init__(self.text)


def _is_installed(filename: str) -> bool:
    """Whether a file is one of Python's, of a package or of promptopt, and not of the program."""
    folders = [str(Path(__file__).parents[1]), *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))]
    return filename.startswith("<") or any(Path(filename).is_relative_to(folder) for folder in folders if folder)


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped; what it has begun by then is cancelled."""
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def _awaiting(value: Any, printed: io.StringIO) -> Any:
    _Prints.of_call.set(printed)
    try:
        return await value
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - as for a function that is not a coroutine
        raise _Raised(error) from None


class _Prints:
    """Keeps what programs print out of the report, which goes to the standard output, while there are programs.

    What a call prints is known by its context. What else comes, of threads and processes that a program starts, or of
    code that writes to the file itself, goes to the standard error.
    """

    of_call: ClassVar[ContextVar[io.StringIO | None]] = ContextVar("promptopt_prints", default=None)
    running: ClassVar[set[threading.Thread]] = set()
    _lock = threading.Lock()
    _users = 0
    _before: Any = None
    _output: int | None = None

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def write(self, text: str) -> int:
        return int((self.of_call.get() or self._inner).write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def close(self) -> None:
        """Nothing: the report is printed after a program that closes its output."""

    @classmethod
    def begin(cls) -> None:
        with cls._lock:
            cls._users += 1
            if cls._users > 1:
                return
            if not isinstance(sys.stdout, cls):
                cls._before, sys.stdout = sys.stdout, cls(sys.stdout)
            # A standard output or error may be closed, or be none of the system's.
            with suppress(OSError, ValueError, AttributeError):
                cls._before.flush()
                cls._output = os.dup(1)
                os.dup2(2, 1)

    @classmethod
    def end(cls) -> None:
        with cls._lock:
            cls._users -= 1
            if cls._users:
                return
            if cls._output is not None:
                with suppress(OSError, ValueError, AttributeError):
                    cls._before.flush()
                os.dup2(cls._output, 1)
                os.close(cls._output)
                cls._output = None
            # One that took too long may still print into its own context.
            if isinstance(sys.stdout, cls) and not cls.running:
                sys.stdout = cls._before


def _function_name(model: str, table: ProviderTable | None) -> str:
    name = str(model if table is None else table.need("function"))
    if table is not None and name.startswith("file://"):
        path, _, attribute = name.removeprefix("file://").partition(":")
        name = f"file://{table.root / path}:{attribute}"
    return name


def _load(model: str, table: ProviderTable | None) -> tuple[Callable[..., Any], str]:
    name = _function_name(model, table)
    try:
        function = load_function(name, default="answer")
        inspect.signature(function)
    except (ValueError, TypeError) as error:
        if table is None:
            raise ProviderUnusable(f"python:{model}: {error}") from None
        raise table.error(f"function = {table.get('function')!r}: {error}", "function") from None
    return function, f"{table.name} ({table.get('function')})" if table is not None else f"python:{model}"


def _file_of(name: str) -> Path | None:
    """The file of a function; ``None`` if it is not known without an import."""
    if name.startswith("file://"):
        path = Path(name.removeprefix("file://").partition(":")[0])
        return path if path.is_file() else None
    module = name.rpartition(":")[0] if ":" in name else name.rpartition(".")[0]
    path = Path(*module.split("."))
    for found in (path.with_suffix(".py"), path / "__init__.py"):
        if found.is_file():
            return found
    return None


@lru_cache(maxsize=64)
def _digest(path: Path, _mtime_ns: int) -> str:
    # git may check out other ends of lines on another machine, and the program is the same.
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()[:16]
