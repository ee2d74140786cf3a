"""The ASGI side: bodies are read, replies and streams written, and a client that goes away is noticed at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from promptopt.gateway.call import Answer, Call
from promptopt.gateway.failures import CallFailed, Refused
from promptopt.gateway.flow import Flow, Subflow, run, run_async
from promptopt.gateway.openai.events import EventCollector
from promptopt.gateway.reading import Reading
from promptopt.gateway.serve.connection import ClientExchange
from promptopt.gateway.serve.forward import (
    AnyResponse,
    Passing,
    Reply,
    passed_headers,
    stream_outcome,
    transport_failure,
)
from promptopt.gateway.serve.requests import Rejected, error_event, failed
from promptopt.gateway.serve.settings import ServeSettings

_CUT = Rejected(502, "invalid_body", "the upstream ended the stream before its answer did").error


class ClientGone(Exception):
    """The client closed its connection."""


async def read_content(scope: Scope, receive: Receive, settings: ServeSettings, *, json_only: bool = True) -> bytes:
    """The body of a request.

    Raises:
        Rejected: It is too large, not JSON by its type, or takes too long to come.
        ClientGone: It never came whole.
    """
    most, kind, coding, length = settings.max_body, b"", b"", b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind = value
        elif name == b"content-encoding":
            coding = value
        elif name == b"content-length":
            length = value
    if json_only and (kind, coding) != (b"application/json", b""):
        _check_json(kind, coding)
    if length.isdigit() and int(length) > most:
        raise _too_large(most)
    if ClientExchange.of(scope).has_body:
        # As of most requests: nothing is waited for.
        return await _read(receive, most)
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            return await _read(receive, most)
    except TimeoutError:
        late = Rejected(
            408,
            "body_timeout",
            f"the body did not come whole in {settings.body_timeout_s:g} s; `body_timeout` sets that",
        )
        late.headers.append((b"connection", b"close"))
        raise late from None


def _check_json(kind: bytes, coding: bytes) -> None:
    """Raises Rejected if headers say that a body is not JSON as it is."""
    kind = kind.partition(b";")[0].strip().lower()
    # What a page in a browser can send without asking first is of another type, or of none.
    if kind != b"application/json":
        shown = repr(kind.decode("latin-1")) if kind else "of no type"
        raise Rejected(415, "unsupported_media_type", f"the body is {shown}; send `Content-Type: application/json`")
    named = coding.strip().lower().decode("latin-1")
    if named not in ("", "identity"):
        raise Rejected(415, "unsupported_media_type", f"the body is encoded as {named!r}; send it as it is")


def _too_large(most: int) -> Rejected:
    rejected = Rejected(413, "body_too_large", f"the body is above {most:,} bytes; `max_body_mb` sets that")
    # What is left of the body is not read.
    rejected.headers.append((b"connection", b"close"))
    return rejected


async def _read(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return b"".join([*parts, part]) if parts else part
        parts.append(part)


async def unless_gone(scope: Scope, work: Callable[[], Awaitable[None]]) -> None:
    """Do something unless the client goes away, which cancels it. Raises ClientGone then."""
    exchange, task = ClientExchange.of(scope), asyncio.current_task()
    assert task is not None
    try:
        if not exchange.listen(task.cancel):
            raise ClientGone
        await work()
    except asyncio.CancelledError:
        if exchange.is_gone and task.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        exchange.on_gone = None


def _headers_of(reply: Reply) -> list[tuple[bytes, bytes]]:
    return [*reply.headers, (b"content-length", str(len(reply.content)).encode())]


async def respond(send: Send, reply: Reply) -> None:
    """Write a whole response."""
    await send({"type": "http.response.start", "status": reply.status, "headers": _headers_of(reply)})
    await send({"type": "http.response.body", "body": reply.content})


def as_response(reply: Reply) -> Response:
    """A reply for what Starlette routes."""
    response = Response(reply.content, reply.status)
    response.raw_headers = _headers_of(reply)
    return response


def json_response(status: int, body: Any) -> Response:
    """As :func:`as_response`, of a value."""
    return as_response(Reply(status, [(b"content-type", b"application/json")], json.dumps(body).encode()))


async def pass_bytes(response: aiohttp.ClientResponse, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    """A response on its way to the client, as it comes, with these headers."""
    async with response:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        async for data in response.content.iter_any():
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def pass_stream(
    passing: Passing, flow: Flow, send: Send, made: Callable[[str], Awaitable[None]] | None = None
) -> None:
    """A stream on its way to the client; at its end, whatever that is, its flow goes on to its own.

    Args:
        made: Called with the answer's id before the client sees it.
    """
    response, collector, reading = passing.response, passing.collector, passing.reading
    reading.opened(passing, flow, partial(_abandon, collector, response), is_closed_surely=True)
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": passed_headers(response)})
        reading.awaited()
        try:
            async for data in response.content.iter_any():
                if passed := collector.feed(data):
                    if made is not None and collector.identity:
                        await made(collector.identity)
                        made = None
                    # A client that takes nothing makes this wait; those who wait for the same answer need not.
                    reading.handed()
                    await send({"type": "http.response.body", "body": passed, "more_body": True})
                    reading.awaited()
            last = collector.last()
            outcome = stream_outcome(collector, response, collector.failed("invalid_body"))
            if isinstance(outcome, CallFailed) and collector.is_cut:
                # The connection ended as after a whole answer: its reader would take a part for all of it.
                last = error_event(_CUT, anthropic=collector.endpoint == "messages")
        except (aiohttp.ClientError, TimeoutError) as error:
            last = collector.last()
            outcome = stream_outcome(collector, response, transport_failure(error, passed=True))
            if isinstance(outcome, CallFailed):
                # Half an event would hide the error from who reads events.
                error = json.loads(failed(outcome).content)["error"]
                last = error_event(error, anthropic=collector.endpoint == "messages")
        await _end(reading, outcome)
        await send({"type": "http.response.body", "body": last})
    finally:
        response.close()
        if reading.is_open:
            # The client has gone, or the server ends: what has come so far is counted.
            await _end(reading, _left(collector, response))


async def _end(reading: Reading, outcome: Answer | CallFailed) -> None:
    flow = reading.ended()
    if flow is not None:
        await run_here(_rest(flow, outcome))


def _left(collector: EventCollector, response: AnyResponse) -> Answer | CallFailed:
    """The outcome of a stream whose reader went: SDKs do so at `[DONE]`, before its connection has ended."""
    collector.last()
    return stream_outcome(collector, response, collector.failed("abandoned"))


def _abandon(collector: EventCollector, response: AnyResponse, flow: Flow) -> None:
    """End the flow of a stream for which somebody would wait too long."""
    run(_rest(flow, _left(collector, response)), _never_here)


async def run_here(flow: Subflow[None]) -> None:
    """Carry out a flow that sends nothing."""
    await run_async(flow, _never)


def _rest(flow: Flow, outcome: Answer | CallFailed) -> Subflow[None]:
    """What a flow does after its stream has passed; it can send nothing more, and nobody waits for its errors."""
    try:
        effect = flow.throw(outcome) if isinstance(outcome, CallFailed) else flow.send(outcome)
        while True:
            try:
                result = yield effect
            except BaseException as error:  # noqa: BLE001 - the flow sees every error, and raises it again
                effect = flow.throw(error)
            else:
                effect = flow.send(result)
    except (StopIteration, CallFailed, Refused):
        return


def _never_here(call: Call) -> Answer:
    raise AssertionError(f"a layer sent again after its stream had passed: {call.model}")


async def _never(call: Call) -> Answer:
    return _never_here(call)
