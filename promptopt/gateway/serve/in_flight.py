"""Requests that are worked on, so that a server that ends lets them end first, and tells those that take too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.types import Message, Scope, Send

from promptopt.gateway.serve.exchange import respond
from promptopt.gateway.serve.requests import Rejected, error_event

_LOOK_S = 0.05
# A client that takes no bytes is not told why its stream ends.
_LAST_WORDS_S = 1.0


class InFlight:
    """The requests that are worked on, each in a task of its own.

    Attributes:
        stopping: Whether the server is to end, so that no other is begun.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._tasks: set[asyncio.Task[object]] = set()
        self._cut: set[asyncio.Task[object]] = set()

    async def work(self, scope: Scope, send: Send, do: Callable[[Send], Awaitable[None]], *, events: bool) -> None:
        """Do what answers a request, which may be cut off at the end of the server.

        Args:
            do: Answers by the function that it is called with.
            events: Whether a stream of the answer's has whole events at any time, so that an error may be the next one.
        """
        if self.stopping:
            await respond(send, _stopping("the server ends and takes no more calls").reply())
            return
        task = asyncio.current_task()
        assert task is not None
        sending = _Sending(send)
        self._tasks.add(task)
        try:
            await do(sending)
        except asyncio.CancelledError:
            if task not in self._cut or task.uncancel():
                raise
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await sending.cut(scope["path"], events=events)
        finally:
            self._tasks.discard(task)
            self._cut.discard(task)

    async def end(self, grace_s: float, hurried: Callable[[], bool]) -> None:
        """Wait until all requests have ended, and cut off those that have not after ``grace_s`` seconds.

        Args:
            hurried: Whether nobody wants to wait any more.
        """
        self.stopping = True
        loop = asyncio.get_running_loop()
        until = loop.time() + grace_s
        while self._tasks and loop.time() < until and not hurried():
            await asyncio.sleep(_LOOK_S)
        self._cut |= self._tasks
        for task in self._cut:
            task.cancel()
        if self._cut:
            await asyncio.wait(list(self._cut), timeout=2 * _LAST_WORDS_S)


class _Sending:
    """Sends a response and knows how far it is."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = self._ended = self._stream = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            kind = next((value for name, value in message["headers"] if name == b"content-type"), b"")
            self._stream = kind.startswith(b"text/event-stream")
        else:
            self._ended = not message.get("more_body", False)
        await self._send(message)

    async def cut(self, path: str, *, events: bool) -> None:
        """End a response that is not whole: with an error, if there is still a place for one."""
        error = _stopping("the server ended before this answer was whole")
        if not self._begun:
            await respond(self._send, error.reply())
        elif self._stream and events and not self._ended:
            await self._send(
                {"type": "http.response.body", "body": error_event(error.error, anthropic=path.endswith("/messages"))}
            )


def _stopping(message: str) -> Rejected:
    rejected = Rejected(503, "server_stopping", message)
    rejected.headers += [(b"retry-after", b"1"), (b"x-should-retry", b"true"), (b"connection", b"close")]
    return rejected
