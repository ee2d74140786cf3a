"""A client's connection: uvicorn's, with a limit for the head of a request, and word of a client that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_NAME = "promptopt.exchange"


class ClientExchange:
    """A request and its response, and what ASGI does not say of them: an extension of its scope.

    Attributes:
        is_gone: Whether the client has closed its connection.
        on_gone: Called when it does.
    """

    __slots__ = ("_cycle", "_start", "is_gone", "on_gone")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._start: Message | None = None
        self.is_gone = False
        self.on_gone: Callable[[], object] | None = None

    @classmethod
    def of(cls, scope: Scope) -> ClientExchange:
        """The exchange of a request."""
        found: ClientExchange = scope["extensions"][_NAME]
        return found

    @property
    def has_body(self) -> bool:
        """Whether the body has come whole, so that nobody need wait for it."""
        return not self._cycle.more_body

    def listen(self, on_gone: Callable[[], object]) -> bool:
        """Call ``on_gone`` when the client closes its connection; whether it has not yet."""
        # A connection that nobody reads does not say so.
        self._cycle.flow.resume_reading()
        self.on_gone = on_gone
        return not self.is_gone

    def gone(self) -> None:
        """The client has closed its connection."""
        self.is_gone = True
        if self.on_gone is not None:
            self.on_gone()

    async def send(self, message: Message) -> None:
        """Send a part of the response; the head of one whose length it says goes with the body, in one write.

        Each write is a system call here, and wakes the client.
        """
        cycle = self._cycle
        if message["type"] == "http.response.start" and _says_length(message):
            self._start = message
            return
        start, self._start = self._start, None
        if start is None:
            await cycle.send(message)  # type: ignore[arg-type]  # of Starlette's type
            return
        transport = cycle.transport
        parts = _Parts()
        cycle.transport = parts  # type: ignore[assignment]  # all of one that is called
        try:
            await cycle.send(start)  # type: ignore[arg-type]
            await cycle.send(message)  # type: ignore[arg-type]
        finally:
            cycle.transport = transport
            if parts.written:
                transport.write(b"".join(parts.written))
            if parts.is_closed:
                transport.close()


def _says_length(start: Message) -> bool:
    return any(name == b"content-length" for name, _ in start["headers"])


class _Parts:
    """Stands in for a transport while what is to go in one write is made."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


class ClientConnection(HttpToolsProtocol):
    """A connection that is closed if the head of a request takes too long to come."""

    head_timeout_s: ClassVar[float]
    _late: asyncio.TimerHandle | None = None
    _in_head = False
    _exchange: ClientExchange | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._served: ASGIApp = self.app
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._exchange = ClientExchange(send.__self__)  # type: ignore[attr-defined]  # a method of the cycle's
        exchange.is_gone = self.transport.is_closing()
        scope["extensions"] = {_NAME: exchange}
        await self._served(scope, receive, exchange.send)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        super().connection_lost(exc)
        if self._exchange is not None:
            self._exchange.gone()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # The head of most requests comes in one piece.
        if self._in_head and self._late is None:
            self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._came()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._came()
        self._in_head = False
        super().on_headers_complete()

    def _wait(self) -> None:
        self._late = self.loop.call_later(self.head_timeout_s, self.transport.close)

    def _came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def connections(head_timeout_s: float) -> type[ClientConnection]:
    """Connections on which the head of a request comes within so many seconds."""
    return type("_Timed", (ClientConnection,), {"head_timeout_s": head_timeout_s})
