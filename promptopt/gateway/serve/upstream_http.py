"""One connection to an upstream: a POST goes out in one write, and its response is read by httptools as it comes.

aiohttp does the same with a task and a dozen objects for each call, which is a third of a call's time in this server.
Errors are aiohttp's, so that who asks need not know by whom its call was sent.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import httptools
from multidict import CIMultiDict
from yarl import URL

# A reader that has so many bytes before it gets no more.
_HIGH = 128 * 1024
_JOINED = 64 * 1024
_MOST_HEAD = 256 * 1024
# How a body may come packed though it was to come as it is.
_CODINGS = frozenset(("gzip", "x-gzip", "deflate"))
# What zlib is told of it: the head says whether it is gzip's form or its own; of "deflate" there is one without a head.
_HEADED, _BARE, _METHOD = 47, -15, 8
# Responses that have no body, whatever they say.
_EMPTY = (204, 304)


class UpstreamResponse:
    """A response, from its head on.

    Attributes:
        raw_headers: Names and values as they came.
    """

    def __init__(
        self, url: URL, status: int, raw_headers: list[tuple[bytes, bytes]], connection: UpstreamConnection
    ) -> None:
        self.url = url
        self.status = status
        self.raw_headers = raw_headers
        self.headers = CIMultiDict(
            [(name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in raw_headers]
        )
        self._connection: UpstreamConnection | None = connection
        self._waiter: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._error: Exception | None = None
        self._wanted_whole = False
        coding = self.headers.get("content-encoding", "identity").strip().lower()
        self._unpacks = None if coding in ("", "identity") else _unpacking(coding)

    @property
    def content(self) -> UpstreamResponse:
        """The body, as aiohttp has it."""
        return self

    async def read(self) -> bytes:
        """The whole body. Raises ClientError, or TimeoutError, if it does not come."""
        self._wanted_whole = True
        while await self._more():
            pass
        return self._taken()

    async def iter_any(self) -> AsyncIterator[bytes]:
        """The body as it comes; what has come before an error is there before it."""
        while True:
            if self._parts:
                yield self._taken()
            elif not await self._more():
                return

    def close(self) -> None:
        """Nobody wants the rest."""
        if self._connection is not None:
            self._connection.close()

    async def _more(self) -> bool:
        """Wait for more of the body; whether there may be any. Raises the error that has ended it."""
        if self._connection is None:
            if self._error is not None:
                raise self._error
            return False
        self._connection.go_on()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        return True

    def _taken(self) -> bytes:
        parts, self._parts, self._size = self._parts, [], 0
        if self._connection is not None:
            self._connection.go_on()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def fed(self, data: bytes) -> bool:
        """Take a part of the body; whether there is room for more. Raises zlib.error if it cannot be unpacked."""
        if self._unpacks is not None:
            data = self._unpacks(data)
        if data:
            self._parts.append(data)
            self._size += len(data)
            self._wake()
        return self._wanted_whole or self._size < _HIGH

    def ended(self, error: Exception | None) -> None:
        """No more comes."""
        self._connection, self._error = None, error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _unpacking(coding: str) -> Callable[[bytes], bytes]:
    if coding not in _CODINGS:
        raise aiohttp.ClientPayloadError(f"the body is encoded as {coding!r}, though it was to come as it is")
    unpacker: Any = None

    def unpack(data: bytes) -> bytes:
        nonlocal unpacker
        if unpacker is None:
            bare = coding == "deflate" and data[:1] and data[0] & 0xF != _METHOD
            unpacker = zlib.decompressobj(_BARE if bare else _HEADED)
        unpacked: bytes = unpacker.decompress(data)
        return unpacked

    return unpack


class UpstreamConnection(asyncio.Protocol):
    """A connection, for one exchange after the other.

    Attributes:
        rests_since: When it was last given back, by the loop's clock.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout_s: float,
        rest: Callable[[UpstreamConnection], None],
        among: set[UpstreamConnection],
    ) -> None:
        """Nothing is sent yet.

        Args:
            timeout_s: Seconds without a byte after which an exchange has failed.
            rest: Called when another exchange may follow.
            among: Where it is noted while it is open.
        """
        self._among = among
        self._loop = loop
        self._timeout_s = timeout_s
        self._rest = rest
        self._url = URL()
        self._head: asyncio.Future[UpstreamResponse] | None = None
        self._response: UpstreamResponse | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._heard, self._head_size = 0.0, 0
        self._late: asyncio.TimerHandle | None = None
        self._paused = self._until_end = self._passing = self._strays = False
        self._transport: Any = None
        self._parser: Any = None
        self.rests_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether something may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def post(self, url: URL, head: bytes, body: bytes) -> UpstreamResponse:
        """Send a request, and wait for the head of its response. Raises ClientError or TimeoutError."""
        self._url, self._heard, self._head_size = url, self._loop.time(), 0
        found: asyncio.Future[UpstreamResponse] = self._loop.create_future()
        self._head = found
        # A large body is not copied.
        for part in (head + body,) if len(body) <= _JOINED else (head, body):
            self._transport.write(part)
        if self._late is None:
            self._late = self._loop.call_later(self._timeout_s, self._look)
        try:
            return await found
        except asyncio.CancelledError:
            self.close()
            raise

    def fail(self, error: Exception) -> None:
        """End the exchange, and the connection with it."""
        self._ended(error)
        self._transport.abort()

    def go_on(self) -> None:
        """There is room for more of the body."""
        if self._paused:
            self._paused, self._heard = False, self._loop.time()
            self._transport.resume_reading()

    def _ended(self, error: Exception | None) -> None:
        head, self._head = self._head, None
        response, self._response = self._response, None
        if head is not None and not head.done():
            head.set_exception(error or aiohttp.ServerDisconnectedError())
        if response is not None:
            response.ended(error)

    def _look(self) -> None:
        """See whether an exchange takes too long; one timer is for many of them."""
        self._late = None
        if self._head is None and self._response is None:
            return
        now = self._loop.time()
        if self._paused or self._transport.get_write_buffer_size():
            # It is not the upstream that is waited for.
            self._heard = now
        left = self._heard + self._timeout_s - now
        if left <= 0:
            self.fail(aiohttp.SocketTimeoutError("Timeout on reading data from socket"))
        else:
            self._late = self._loop.call_later(left, self._look)

    # --- what the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._among.add(self)
        self._parser = httptools.HttpResponseParser(self)
        try:
            # As aiohttp reads responses: what is sent by hand is not always as it should be.
            self._parser.set_dangerous_leniencies(
                lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
            )
        except (AttributeError, TypeError):
            # An older httptools.
            pass

    def data_received(self, data: bytes) -> None:
        if self._head is None and self._response is None:
            # Nobody has asked for that.
            self._transport.abort()
            return
        self._heard = self._loop.time()
        try:
            self._parser.feed_data(data)
            if self._strays:
                self._transport.abort()
            self._head_size += len(data)
            if self._head is not None and self._head_size > _MOST_HEAD:
                self.fail(aiohttp.ClientPayloadError("the head of the response does not end"))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(error.__context__ if isinstance(error.__context__, aiohttp.ClientError) else _broken(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.discard(self)
        if self._late is not None:
            self._late.cancel()
        if self._response is None:
            lost = aiohttp.ServerDisconnectedError() if exc is None else aiohttp.ClientOSError(*exc.args)
            self._ended(lost)
        elif exc is None and self._until_end:
            self._ended(None)
        else:
            self._ended(aiohttp.ClientPayloadError("Response payload is not completed"))

    # --- what the parser tells

    def on_message_begin(self) -> None:
        self._headers = []
        # Nobody has asked for another response.
        self._strays = self._head is None

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        # "Continue" and such come before the response.
        self._passing = status < 200
        if self._passing:
            return
        head, self._head = self._head, None
        if head is None or head.done():
            return
        # What comes after the body are no headers of the response.
        headers, self._headers = self._headers, []
        names = {name.lower() for name, _ in headers}
        self._until_end = status not in _EMPTY and names.isdisjoint((b"content-length", b"transfer-encoding"))
        try:
            self._response = UpstreamResponse(self._url, status, headers, self)
        except aiohttp.ClientError as error:
            head.set_exception(error)
            self._transport.abort()
            return
        head.set_result(self._response)

    def on_body(self, data: bytes) -> None:
        if self._response is None:
            return
        try:
            room = self._response.fed(data)
        except zlib.error as error:
            self.fail(_broken(error))
            return
        if not room and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._passing or self._response is None:
            return
        lasts = self._parser.should_keep_alive() and not self._until_end and not self._transport.get_write_buffer_size()
        self.go_on()
        self._ended(None)
        if lasts and self.is_open:
            self.rests_since = self._loop.time()
            self._rest(self)
        else:
            self._transport.close()

    def close(self) -> None:
        """Close it; an exchange that is under way fails."""
        self.fail(aiohttp.ClientConnectionError("Connection closed"))


def _broken(error: Exception) -> aiohttp.ClientPayloadError:
    return aiohttp.ClientPayloadError(f"the response cannot be read: {error}")
