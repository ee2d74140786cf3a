"""Connections on which an ordinary exchange over HTTP/1.1 goes past h11, in one write; all else is httpcore2's.

httpcore2 still connects, speaks TLS, keeps its pool and its limits, and takes every exchange that :mod:`.http1` does
not read: other methods, bodies that come bit by bit, proxies, HTTP/2, requests that are traced or logged for debugging.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import httpcore2
import httpx2

from promptopt.gateway.clock import SYSTEM_CLOCK
from promptopt.gateway.openai.http1 import Body, Head, is_whole, request_head, response_head

ConnectionT = TypeVar("ConnectionT")

_log = logging.getLogger("httpcore2.http11")
READ = 64 * 1024
# A larger body is not copied to be sent with its head.
JOINED = 64 * 1024


def shorten(transport: httpx2.BaseTransport, keepalive_s: float | None) -> httpx2.BaseTransport:
    """The transport, with connections that know the shorter way; as it was, if httpx2 keeps them in another place.

    Args:
        keepalive_s: So long a connection is kept that nobody uses.
    """
    pool = getattr(transport, "_pool", None)
    if type(pool) is httpcore2.ConnectionPool:
        create = pool.create_connection
        pool.create_connection = lambda origin: Connection(create(origin), origin, keepalive_s)  # type: ignore[method-assign]  # of this one
        if all(hasattr(pool, name) for name in _POOL_PARTS):
            pool.handle_request = PastPool(pool).handle_request  # type: ignore[method-assign]  # of this one
    return transport


# What an exchange past the pool needs of it beside its documented parts.
_POOL_PARTS = ("_optional_thread_lock", "_requests", "_assign_requests_to_connections", "_close_connections")


def ordinary(request: httpcore2.Request) -> tuple[bytes, int] | None:
    """The head of a request that need not go through h11, and the length of its body."""
    if request.method != b"POST" or not isinstance(request.stream, httpx2.ByteStream):
        return None
    if request.extensions.get("trace") is not None or _log.isEnabledFor(logging.DEBUG):
        return None
    return request_head(request.url.target, tuple(request.headers))


def made_response(head: Head, stream: Any, content: Any) -> httpcore2.Response:
    """The response of a head that was read."""
    said = {"http_version": b"HTTP/1.1", "reason_phrase": head.reason, "network_stream": stream}
    return httpcore2.Response(head.status, headers=head.headers, content=content, extensions=said)


def no_answer() -> httpcore2.RemoteProtocolError:
    """The error of a server that says nothing and goes."""
    return httpcore2.RemoteProtocolError("Server disconnected without sending a response.")


class State:
    """What a connection knows beside httpcore2's own, which is idle while an exchange goes past it.

    Attributes:
        stream: The way to the server, once it is connected.
        short: Whether the next exchange may go past httpcore2: its server speaks HTTP/1.1, in the usual way.
        busy: Whether an exchange goes past httpcore2.
    """

    def __init__(self, whole: Any, origin: httpcore2.Origin, keepalive_s: float | None) -> None:
        self.origin = origin
        self.stream: Any = None
        self.short = False
        self.busy = False
        self._whole = whole
        self._keepalive_s = keepalive_s
        self._until: float | None = None
        self._lock = threading.Lock()

    def take(self) -> None:
        """Begin an exchange. Raises ConnectionNotAvailable if there is one already."""
        if not self.taken():
            raise httpcore2.ConnectionNotAvailable

    def taken(self) -> bool:
        """Begin an exchange, if there is none; whether it has begun."""
        with self._lock:
            if self.busy or not self._whole.is_idle():
                return False
            self.busy = True
            return True

    def give_back(self) -> None:
        """The exchange has ended, and another one may follow."""
        self._until = None if self._keepalive_s is None else SYSTEM_CLOCK.monotonic() + self._keepalive_s
        self.busy = False

    def heard(self, response: httpcore2.Response) -> httpcore2.Response:
        """A response that came through httpcore2."""
        self._until = None
        if self.stream is None:
            self.short = response.extensions.get("http_version") == b"HTTP/1.1"
            self.stream = response.extensions["network_stream"]
        return response

    def has_expired(self) -> bool:
        """Whether it was not used for long, or the server has closed it."""
        if self.busy:
            return False
        if self._until is None:
            return bool(self._whole.has_expired())
        return SYSTEM_CLOCK.monotonic() > self._until or bool(self.stream.get_extra_info("is_readable"))


class Status:
    """What a pool asks of a connection."""

    _whole: Any
    _state: State

    def can_handle_request(self, origin: httpcore2.Origin) -> bool:
        return bool(origin == self._state.origin)

    def can_multiplex(self) -> bool:
        return bool(self._whole.can_multiplex())

    def is_available(self) -> bool:
        return not self._state.busy and bool(self._whole.is_available())

    def is_idle(self) -> bool:
        return not self._state.busy and bool(self._whole.is_idle())

    def is_connected(self) -> bool:
        return bool(self._whole.is_connected())

    def is_closed(self) -> bool:
        return bool(self._whole.is_closed())

    def has_expired(self) -> bool:
        return self._state.has_expired()

    def info(self) -> str:
        return str(self._whole.info())


class Connection(Status, httpcore2.ConnectionInterface):
    """A connection for threads."""

    def __init__(
        self, whole: httpcore2.ConnectionInterface, origin: httpcore2.Origin, keepalive_s: float | None
    ) -> None:
        """``whole`` is httpcore2's, which connects at the first exchange."""
        self._whole = whole
        self._state = State(whole, origin, keepalive_s)
        self._afterwards: Callable[[], None] | None = None

    def rested(self, request: httpcore2.Request) -> bool:
        """Whether it is free for the next exchange, which has begun then."""
        state = self._state
        return state.short and self.can_handle_request(request.url.origin) and not state.has_expired() and state.taken()

    def exchange(
        self, request: httpcore2.Request, head: bytes, length: int, afterwards: Callable[[], None]
    ) -> httpcore2.Response:
        """Make the exchange that has begun; ``afterwards`` is called when it has ended."""
        self._afterwards = afterwards
        try:
            return self._exchange(request, head, length)
        except BaseException:
            self.ended(lasts=False)
            raise

    def handle_request(self, request: httpcore2.Request) -> httpcore2.Response:
        state = self._state
        head = ordinary(request) if state.short else None
        if head is None:
            if state.busy:
                raise httpcore2.ConnectionNotAvailable
            return state.heard(self._whole.handle_request(request))
        state.take()
        try:
            return self._exchange(request, *head)
        except BaseException:
            self.close()
            raise

    def _exchange(self, request: httpcore2.Request, head: bytes, length: int) -> httpcore2.Response:
        stream, timeouts = self._state.stream, request.extensions.get("timeout", {})
        content = b"".join(request.stream)  # type: ignore[arg-type]  # it is a ByteStream
        if len(content) != length:
            raise httpcore2.LocalProtocolError("Too much or too little data for declared Content-Length")
        try:
            for part in (head + content,) if length <= JOINED else (head, content):
                stream.write(part, timeout=timeouts.get("write"))
        except httpcore2.WriteError:
            # The server may have said why it did not want the rest.
            pass
        timeout = timeouts.get("read")
        data = b""
        while not is_whole(data):
            part = stream.read(READ, timeout=timeout)
            data += part
            if not data:
                raise no_answer()
            if not part:
                break
        found = response_head(data)
        if found is None:
            return self._unusual(request, data)
        return made_response(found, stream, _Content(self, stream, found.body, found.rest, timeout))

    def _unusual(self, request: httpcore2.Request, data: bytes) -> httpcore2.Response:
        """A response that h11 is to read, the beginning of which has come; so are all others of this connection."""
        state = self._state
        stream, state.short = state.stream, False
        h11 = httpcore2.HTTP11Connection(state.origin, _Begun(stream, data))
        response = h11.handle_request(request)
        content = _Rest(self, h11, response.stream)
        return httpcore2.Response(
            response.status, headers=response.headers, content=content, extensions=response.extensions
        )

    def ended(self, *, lasts: bool) -> None:
        """An exchange has ended; the connection ends with it unless it ``lasts``."""
        # Once it is given back, the next exchange has its own.
        afterwards, self._afterwards = self._afterwards, None
        if lasts:
            self._state.give_back()
        else:
            self.close()
        if afterwards is not None:
            afterwards()

    def close(self) -> None:
        self._whole.close()
        self._state.busy = False


class PastPool:
    """Takes an exchange past a pool whose only connection rests, as that of a thread that makes call after call.

    Finding that one takes the pool as long as the exchange itself takes here. With several connections the pool has
    more to do (it closes those that nobody uses, and keeps to its limits), and does it.
    """

    def __init__(self, pool: httpcore2.ConnectionPool) -> None:
        self._pool = pool
        self._by_pool = pool.handle_request

    def handle_request(self, request: httpcore2.Request) -> httpcore2.Response:
        """The response to a request. Raises what the pool raises."""
        head = ordinary(request)
        connection = None if head is None else self._rested(request)
        if head is None or connection is None:
            return self._by_pool(request)
        return connection.exchange(request, *head, self._go_on)

    def _rested(self, request: httpcore2.Request) -> Connection | None:
        """The only connection, if it rests; it is the caller's then, and no longer the pool's to give or to close."""
        with self._pool._optional_thread_lock:
            connections = self._pool.connections
            only = connections[0] if len(connections) == 1 else None
            return only if isinstance(only, Connection) and only.rested(request) else None

    def _go_on(self) -> None:
        """Who waits for a connection gets the one that was given back, or another in the place of one that ended."""
        pool = self._pool
        if pool._requests:
            with pool._optional_thread_lock:
                closing = pool._assign_requests_to_connections()
            pool._close_connections(closing)


class Begun:
    """A connection over which a request was sent already, and the beginning of its response was read."""

    def __init__(self, stream: Any, data: bytes) -> None:
        self._stream = stream
        self._data = data

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Begun(Begun, httpcore2.NetworkStream):
    """For threads."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._data:
            return bytes(self._stream.read(max_bytes, timeout))
        data, self._data = self._data, b""
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """It was sent."""

    def close(self) -> None:
        self._stream.close()


class Content(Generic[ConnectionT]):
    """The body of a response, as it comes."""

    def __init__(self, connection: ConnectionT, stream: Any, body: Body, data: bytes, timeout: float | None) -> None:
        self._connection = connection
        self._stream = stream
        self._body = body
        self._data = data
        self._timeout = timeout
        self._closed = False


class _Content(Content[Connection]):
    """For threads."""

    def __iter__(self) -> Iterator[bytes]:
        body, data = self._body, self._data
        try:
            while True:
                yield from body.feed(data)
                if body.done:
                    return
                data = self._stream.read(READ, timeout=self._timeout)
                if not data:
                    raise body.broken_off()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._connection.ended(lasts=self._body.done and self._body.lasts)


class Rest(Generic[ConnectionT]):
    """The body of a response that h11 reads."""

    def __init__(self, connection: ConnectionT, h11: Any, content: Any) -> None:
        self._connection = connection
        self._h11 = h11
        self._content = content
        self._closed = False


class _Rest(Rest[Connection]):
    """For threads."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._content)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._content.close()
            self._connection.ended(lasts=self._h11.is_idle())
