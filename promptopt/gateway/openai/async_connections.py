"""The connections of :mod:`.connections` for event loops."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import httpcore2
import httpx2

from promptopt.gateway.openai.connections import (
    JOINED,
    READ,
    Begun,
    Content,
    Rest,
    State,
    Status,
    made_response,
    no_answer,
    ordinary,
)
from promptopt.gateway.openai.http1 import is_whole, response_head


def shorten_async(transport: httpx2.AsyncBaseTransport, keepalive_s: float | None) -> httpx2.AsyncBaseTransport:
    """As :func:`shorten`."""
    pool = getattr(transport, "_pool", None)
    if type(pool) is httpcore2.AsyncConnectionPool:
        create = pool.create_connection
        pool.create_connection = lambda origin: AsyncConnection(create(origin), origin, keepalive_s)  # type: ignore[method-assign]  # of this one
    return transport


class AsyncConnection(Status, httpcore2.AsyncConnectionInterface):
    """A connection for event loops."""

    def __init__(
        self, whole: httpcore2.AsyncConnectionInterface, origin: httpcore2.Origin, keepalive_s: float | None
    ) -> None:
        """As :class:`Connection`."""
        self._whole = whole
        self._state = State(whole, origin, keepalive_s)

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        state = self._state
        head = ordinary(request) if state.short else None
        if head is None:
            if state.busy:
                raise httpcore2.ConnectionNotAvailable
            return state.heard(await self._whole.handle_async_request(request))
        state.take()
        try:
            return await self._exchange(request, *head)
        except BaseException:
            await self._shut()
            raise

    async def _exchange(self, request: httpcore2.Request, head: bytes, length: int) -> httpcore2.Response:
        stream, timeouts = self._state.stream, request.extensions.get("timeout", {})
        content = b"".join(request.stream)  # type: ignore[arg-type]  # it is a ByteStream
        if len(content) != length:
            raise httpcore2.LocalProtocolError("Too much or too little data for declared Content-Length")
        try:
            for part in (head + content,) if length <= JOINED else (head, content):
                await stream.write(part, timeout=timeouts.get("write"))
        except httpcore2.WriteError:
            # The server may have said why it did not want the rest.
            pass
        timeout = timeouts.get("read")
        data = b""
        while not is_whole(data):
            part = await stream.read(READ, timeout=timeout)
            data += part
            if not data:
                raise no_answer()
            if not part:
                break
        found = response_head(data)
        if found is None:
            return await self._unusual(request, data)
        return made_response(found, stream, _AsyncContent(self, stream, found.body, found.rest, timeout))

    async def _unusual(self, request: httpcore2.Request, data: bytes) -> httpcore2.Response:
        """As of :class:`Connection`."""
        state = self._state
        stream, state.short = state.stream, False
        h11 = httpcore2.AsyncHTTP11Connection(state.origin, _AsyncBegun(stream, data))
        response = await h11.handle_async_request(request)
        content = _AsyncRest(self, h11, response.stream)
        return httpcore2.Response(
            response.status, headers=response.headers, content=content, extensions=response.extensions
        )

    async def ended(self, *, lasts: bool) -> None:
        """As of :class:`Connection`."""
        if lasts:
            self._state.give_back()
        else:
            await self._shut()

    async def _shut(self) -> None:
        # Who is cancelled closes it all the same.
        with anyio.CancelScope(shield=True):
            await self.aclose()

    async def aclose(self) -> None:
        await self._whole.aclose()
        self._state.busy = False


class _AsyncBegun(Begun, httpcore2.AsyncNetworkStream):
    """For event loops."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._data:
            return bytes(await self._stream.read(max_bytes, timeout))
        data, self._data = self._data, b""
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """It was sent."""

    async def aclose(self) -> None:
        await self._stream.aclose()


class _AsyncContent(Content[AsyncConnection]):
    """For event loops."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body, data = self._body, self._data
        try:
            while True:
                for part in body.feed(data):
                    yield part
                if body.done:
                    return
                data = await self._stream.read(READ, timeout=self._timeout)
                if not data:
                    raise body.broken_off()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._connection.ended(lasts=self._body.done and self._body.lasts)


class _AsyncRest(Rest[AsyncConnection]):
    """For event loops."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._content.__aiter__()  # type: ignore[no-any-return]  # of httpcore2's

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._content.aclose()
            await self._connection.ended(lasts=self._h11.is_idle())
