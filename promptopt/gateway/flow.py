"""Flows: what a layer decides about a call, written once, and carried out by a thread, an event loop or a simulation.

A flow is a generator. It yields *effects* (send this call, sleep, wait for that future) and gets their results; it
never sends, sleeps or waits itself. ``run`` carries a flow out in a thread, ``run_async`` in an event loop, and
``simulate`` on a clock of its own.
"""

from __future__ import annotations

import asyncio

# Python refuses to load it once the main thread has ended, and a call in another thread may be the first to need it:
# the tokenizer does.
import concurrent.futures.thread  # noqa: F401 - loaded for those
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from promptopt.gateway.call import Answer, Call
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.write_behind import WeakRegistry

T = TypeVar("T")
_STEP_S = 0.001


@dataclass(frozen=True, slots=True)
class Send:
    """Ask the model; the result is an ``Answer``, or ``CallFailed`` is thrown in."""

    call: Call


@dataclass(frozen=True, slots=True)
class Sleep:
    """Go on after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until the future is done; the result says whether it was, within ``timeout_s``."""

    future: Future[Any]
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Blocking:
    """Call a function that waits for a network; an event loop runs it in a thread.

    ``undo(result)`` is called if the caller was cancelled while the function ran, so that nobody gets its result.
    """

    function: Callable[[], Any]
    undo: Callable[[Any], None] | None = None


Effect = Send | Sleep | Wait | Blocking
Flow = Generator[Effect, Any, Answer]
Subflow = Generator[Effect, Any, T]
Handler = Callable[[Call], Flow]


class Layer(Protocol):
    """Wraps calls. The one method is a generator: it answers a call itself, or asks the layers inside of it.

    It is called from many threads at once. It may change the call (``call.sent_with``) and the answer
    (``answer.changed``), ask more than once, or not at all. What ``inner`` raises is a ``CallFailed`` or a
    ``Refused``; to refuse a call, raise a ``Refused``. A flow may be thrown away at any ``yield`` (``GeneratorExit``),
    and can yield nothing after that.
    """

    def handle(self, call: Call, inner: Handler) -> Flow:
        """Answer ``call``, by ``yield from inner(call)`` or without it."""


class Forked(Protocol):
    """Something whose state in a forked child is its own, not the parent's."""

    def after_fork(self) -> None:
        """Start again in a child: what is in flight in the parent never ends here."""


AFTER_FORK: WeakRegistry[Forked] = WeakRegistry()


def _after_fork() -> None:
    _CARRIED.clear()
    for each in AFTER_FORK:
        each.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def send(call: Call) -> Flow:
    """The innermost handler."""
    answer = yield Send(call)
    assert isinstance(answer, Answer)
    return answer


def stack(layers: Sequence[Layer]) -> Handler:
    """The handler of all layers, the first outermost."""
    handler: Handler = send
    for layer in reversed(layers):
        handler = _bound(layer, handler)
    return handler


def _bound(layer: Layer, inner: Handler) -> Handler:
    handle = layer.handle
    return lambda call: handle(call, inner)


class Suspended(Exception):
    """Raised by ``ask`` to leave a flow waiting at its call; the code that catches it goes on with the flow."""


def run(flow: Generator[Effect, Any, T], ask: Callable[[Call], Answer], clock: Clock = SYSTEM_CLOCK) -> T:
    """Carry a flow out in this thread; ``ask`` sends its calls, and ``clock`` sleeps."""
    try:
        effect = next(flow)
        while True:
            try:
                result = ask(effect.call) if isinstance(effect, Send) else perform(effect, clock)
            except Suspended:
                raise
            except BaseException as error:  # noqa: BLE001 - the flow sees every error, and raises it again
                effect = flow.throw(error)
            else:
                effect = flow.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def run_async(flow: Generator[Effect, Any, T], ask: Callable[[Call], Awaitable[Answer]]) -> T:
    """Carry a flow out in the running event loop; ``ask`` sends its calls."""
    carried = _carried_here()
    carried.add(flow)
    try:
        effect = next(flow)
        while True:
            try:
                result = await ask(effect.call) if isinstance(effect, Send) else await perform_async(effect)
            except Suspended:
                raise
            except BaseException as error:  # noqa: BLE001 - the flow sees every error, and raises it again
                effect = flow.throw(error)
            else:
                effect = flow.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        carried.discard(flow)


async def run_apart(flow: Generator[Effect, Any, T], ask: Callable[[Call], Awaitable[Answer]]) -> T:
    """As :func:`run_async`, for a call whose body is so large that the loop must not wait for what layers do with it.

    Each step of the flow runs in a thread.
    """
    carried = _carried_here()
    carried.add(flow)
    try:
        return await _in_steps(flow, ask)
    finally:
        carried.discard(flow)


async def _in_steps(flow: Generator[Effect, Any, T], ask: Callable[[Call], Awaitable[Answer]]) -> T:
    resume: Callable[[Any], Effect] = flow.send
    argument: Any = None
    while True:
        running = _started(_stepped, resume, argument)
        cancelled: asyncio.CancelledError | None = None
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError as error:
            # A flow that runs cannot be told; a step of it is short.
            cancelled = error
            await asyncio.wait([running])
        effect, value = running.result()
        if effect is None:
            if cancelled is not None:
                raise cancelled
            return cast("T", value)
        try:
            if cancelled is not None:
                raise cancelled
            result = await ask(effect.call) if isinstance(effect, Send) else await perform_async(effect)
        except Suspended:
            raise
        except BaseException as error:  # noqa: BLE001 - the flow sees every error, and raises it again
            resume, argument = flow.throw, error
        else:
            resume, argument = flow.send, result


def _stepped(resume: Callable[[Any], Effect], argument: Any) -> tuple[Effect | None, Any]:
    """The next effect of a flow; ``None`` and its value if it ended."""
    try:
        return resume(argument), None
    except StopIteration as stop:
        return None, stop.value


# What each event loop carries out now.
_CARRIED: dict[asyncio.AbstractEventLoop, set[Generator[Effect, Any, Any]]] = {}


def _carried_here() -> set[Generator[Effect, Any, Any]]:
    loop = asyncio.get_running_loop()
    found = _CARRIED.get(loop)
    if found is None:
        # Another loop may have taken this one's place.
        end_left_flows()
        found = _CARRIED[loop] = set()
    return found


def end_left_flows() -> None:
    """End what an event loop left that was closed in the middle of it, so that it gives back all that it holds.

    Nobody cancels the tasks of such a loop, and they need not become garbage: what they wait for may hold them. Returns
    at once; a thread ends them.
    """
    for loop in list(_CARRIED):
        if loop.is_closed() and (flows := _CARRIED.pop(loop, None)):
            threading.Thread(target=_end_flows, args=(flows,), name="promptopt-left").start()


def _end_flows(flows: set[Generator[Effect, Any, Any]]) -> None:
    for flow in list(flows):
        # A thread of a loop that is closed may still be at a step of it, which is short.
        while inspect.getgeneratorstate(flow) == inspect.GEN_RUNNING:
            SYSTEM_CLOCK.sleep(_STEP_S)
        # Nobody is left whom an error could be told.
        with suppress(BaseException):
            _end_flow(flow)


def _end_flow(flow: Generator[Effect, Any, Any]) -> None:
    effect = flow.throw(asyncio.CancelledError())
    while not isinstance(effect, Send):
        try:
            result = perform(effect)
        except BaseException as error:  # noqa: BLE001 - the flow sees every error, and raises it again
            effect = flow.throw(error)
        else:
            effect = flow.send(result)
    flow.close()


def perform(effect: Sleep | Wait | Blocking, clock: Clock = SYSTEM_CLOCK) -> Any:
    """The result of an effect that sends nothing."""
    if isinstance(effect, Sleep):
        clock.sleep(effect.seconds)
        return None
    if isinstance(effect, Wait):
        try:
            effect.future.exception(effect.timeout_s)
        except TimeoutError:
            return False
        return True
    return effect.function()


async def perform_async(effect: Sleep | Wait | Blocking) -> Any:
    """The result of an effect that sends nothing, without holding up the loop."""
    if isinstance(effect, Sleep):
        await asyncio.sleep(effect.seconds)
        return None
    if isinstance(effect, Wait):
        done, _ = await asyncio.wait([asyncio.wrap_future(effect.future)], timeout=effect.timeout_s)
        return bool(done)
    return await _in_thread(effect)


async def _in_thread(effect: Blocking) -> Any:
    leaving = None if effect.undo is None else _Undoing(effect.function, effect.undo)
    running = _started(effect.function if leaving is None else leaving)
    try:
        return await asyncio.shield(running)
    except (asyncio.CancelledError, GeneratorExit):
        running.add_done_callback(_heard)
        if leaving is not None:
            leaving.leave()
        raise


def _started(function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
    """What a function gives that runs in a thread from now on.

    It is not a task: ``asyncio.run`` cancels all tasks at its end, and a thread goes on.
    """
    work = partial(copy_context().run, function, *arguments)
    return asyncio.get_running_loop().run_in_executor(None, work)


def _heard(running: asyncio.Future[Any]) -> None:
    """Nobody is left whom an error could be told."""
    if not running.cancelled():
        running.exception()


class _Undoing:
    """A function whose result is taken back, in a thread, if its caller left: its loop may have ended by then."""

    def __init__(self, function: Callable[[], T], undo: Callable[[T], None]) -> None:
        self._function = function
        self._undo: Callable[[Any], None] = undo
        self._lock = threading.Lock()
        self._left = False
        self._found: list[Any] = []

    def __call__(self) -> Any:
        result = self._function()
        with self._lock:
            self._found.append(result)
            left = self._left
        if left:
            self._undo(result)
        return result

    def leave(self) -> None:
        """The caller is gone."""
        with self._lock:
            self._left = True
            found = list(self._found)
        if found:
            threading.Thread(target=self._undo, args=(found[0],), name="promptopt-undo").start()
