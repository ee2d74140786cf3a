"""``promptopt.http_client()``: the gateway under the SDKs of OpenAI and Anthropic, for threads and for event loops."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import httpx2
import openai

from promptopt.gateway.assembly import Gateway, make_gateway
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.failures import CallFailed, Refused, unsent
from promptopt.gateway.flow import Flow, Subflow, Suspended, run, run_apart, run_async
from promptopt.gateway.openai.async_connections import shorten_async
from promptopt.gateway.openai.connections import shorten
from promptopt.gateway.openai.events import StreamUsage
from promptopt.gateway.openai.http import (
    Exchange,
    failed_response,
    http_response,
    read_call,
    refusal_response,
    transport_failure,
)
from promptopt.gateway.openai.wire import endpoint_of
from promptopt.gateway.reading import Reading
from promptopt.gateway.settings import SETTING_NAMES

_HTTPX_OPTIONS = frozenset(inspect.signature(httpx2.Client.__init__).parameters)
# Bytes from which on an event loop leaves a body to a thread.
_LARGE = 100_000
_TROUBLE = (httpx2.TransportError, httpx2.DecodingError)


def http_client(**options: Any) -> GatewayClient:
    """An HTTP client for ``openai.OpenAI(http_client=...)``, or ``anthropic.Anthropic``, with the gateway in it.

    Without options it caches, shares calls in flight and keeps the ledger, below ``.promptopt/``.

    Args:
        options: The names of ``[tool.promptopt.gateway]`` (``cache``, ``budget``, ``limits``, ...), over what is
            there; and those of ``httpx2.Client`` (``timeout``, ``proxy``, ``transport``, ...).

    Raises:
        PromptoptError: A setting is wrong, a file cannot be written, or a package is missing.
    """
    settings, rest = _split(options)
    return GatewayClient(make_gateway(**settings), **rest)


def async_http_client(**options: Any) -> AsyncGatewayClient:
    """As :func:`http_client`, for ``openai.AsyncOpenAI(http_client=...)`` and ``anthropic.AsyncAnthropic``."""
    settings, rest = _split(options)
    gateway = make_gateway(**settings)
    gateway.warm()
    return AsyncGatewayClient(gateway, **rest)


def _split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    rest = {name: value for name, value in options.items() if name in _HTTPX_OPTIONS and name not in SETTING_NAMES}
    return {name: value for name, value in options.items() if name not in rest}, rest


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


class _Passing(Suspended):
    """A stream that goes on to the caller while its flow waits for its end."""

    def __init__(self, exchange: Exchange, response: httpx2.Response) -> None:
        self.exchange = exchange
        self.response = response


class GatewayClient(openai.DefaultHttpxClient):
    """An ``httpx2.Client`` that answers chat completions and responses through a gateway, and passes on all else."""

    def __init__(self, gateway: Gateway, **options: Any) -> None:
        super().__init__(**options)
        self.gateway = gateway
        self._usage = StreamUsage(asked=gateway.settings.stream_usage)

    def _init_transport(self, **options: Any) -> httpx2.BaseTransport:  # type: ignore[override]  # all are named
        made = super()._init_transport(**options)
        return made if options.get("transport") else shorten(made, options["limits"].keepalive_expiry)

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """The response, from the provider or from what is kept.

        Raises:
            APIStatusError: A refusal, an error of the SDK's and of promptopt's (see :func:`refusal_error`).
        """
        try:
            call = read_call(request, self.gateway.settings.deployments, self.gateway.clock.monotonic())
        except Refused as refusal:
            raise refusal_error(refusal, request) from None
        if call is None:
            response = super().send(request, stream=stream, **options)
            if not stream and response.status_code < 300:
                run(self.gateway.ended(request.url.path, response.content), _never)
            return response
        flow = self.gateway.handler(call)
        try:
            answer = run(flow, lambda call: self._ask(call, request, stream, options), self.gateway.clock)
            return http_response(call, answer, request, streamed=stream)
        except _Passing as passing:
            exchange = passing.exchange
            return _streamed(passing.response, _Tail(passing.response, exchange, flow))
        except CallFailed as failure:
            return failed_response(failure, request)
        except Refused as refusal:
            raise refusal_error(refusal, request) from None

    def _ask(self, call: Call, request: httpx2.Request, stream: bool, options: dict[str, Any]) -> Answer:
        exchange = Exchange(call, request, self._usage, streamed=stream)
        try:
            response = super().send(exchange.request, stream=exchange.passes, **options)
            if exchange.passes:
                if not exchange.comes_whole(response):
                    raise _Passing(exchange, response)
                response.read()
        except _TROUBLE as error:
            raise transport_failure(error) from error
        except BaseException as error:
            exchange.interrupted(error)
            raise
        if exchange.refuses_usage(response):
            return self._ask(call, request, stream, options)
        return exchange.answer(response)

    def close(self) -> None:
        """Close the connections and the gateway's files."""
        super().close()
        self.gateway.close()


class AsyncGatewayClient(openai.DefaultAsyncHttpxClient):
    """An ``httpx2.AsyncClient`` that answers chat completions and responses through a gateway."""

    def __init__(self, gateway: Gateway, **options: Any) -> None:
        super().__init__(**options)
        self.gateway = gateway
        self._usage = StreamUsage(asked=gateway.settings.stream_usage)

    def _init_transport(self, **options: Any) -> httpx2.AsyncBaseTransport:  # type: ignore[override]  # all are named
        made = super()._init_transport(**options)
        return made if options.get("transport") else shorten_async(made, options["limits"].keepalive_expiry)

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """As :meth:`GatewayClient.send`."""
        # What is done with a large body takes longer than an event loop may stand still.
        large = _whole(request.headers.get("content-length")) > _LARGE
        reading = partial(read_call, request, self.gateway.settings.deployments, self.gateway.clock.monotonic())
        try:
            call = await asyncio.to_thread(reading) if large else reading()
        except Refused as refusal:
            raise refusal_error(refusal, request) from None
        if call is None:
            response = await super().send(request, stream=stream, **options)
            if not stream and response.status_code < 300:
                await run_async(self.gateway.ended(request.url.path, response.content), _never_async)
            return response
        flow = self.gateway.handler(call)
        try:
            carry_out = run_apart if large else run_async
            answer = await carry_out(flow, lambda call: self._ask(call, request, stream, options))
            return http_response(call, answer, request, streamed=stream)
        except _Passing as passing:
            exchange = passing.exchange
            return _streamed(passing.response, _AsyncTail(passing.response, exchange, flow))
        except CallFailed as failure:
            return failed_response(failure, request)
        except Refused as refusal:
            raise refusal_error(refusal, request) from None

    async def _ask(self, call: Call, request: httpx2.Request, stream: bool, options: dict[str, Any]) -> Answer:
        making = partial(Exchange, call, request, self._usage, streamed=stream)
        large = call.changed and _whole(request.headers.get("content-length")) > _LARGE
        try:
            exchange = await asyncio.to_thread(making) if large else making()
        except asyncio.CancelledError as error:
            unsent(error)
            raise
        try:
            response = await super().send(exchange.request, stream=exchange.passes, **options)
            if exchange.passes:
                if not exchange.comes_whole(response):
                    raise _Passing(exchange, response)
                await response.aread()
        except _TROUBLE as error:
            raise transport_failure(error) from error
        except BaseException as error:
            exchange.interrupted(error)
            raise
        if exchange.refuses_usage(response):
            return await self._ask(call, request, stream, options)
        if len(response.content) > _LARGE:
            return await asyncio.to_thread(exchange.answer, response)
        return exchange.answer(response)

    async def aclose(self) -> None:
        """Close the connections and the gateway's files."""
        try:
            # This fails if one of its connections is of an event loop that is closed.
            await super().aclose()
        finally:
            # Another thread may hold a file for a moment, and an event loop must not wait for it.
            await asyncio.to_thread(self.gateway.close)


def _streamed(response: httpx2.Response, tail: _Tail | _AsyncTail) -> httpx2.Response:
    # The tail decodes and changes what passes, so that neither length nor encoding are right any more.
    dropped = (b"content-encoding", b"content-length", b"transfer-encoding")
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in dropped]
    return httpx2.Response(
        response.status_code,
        headers=headers,
        stream=tail,
        request=response.request,
        extensions=response.extensions,
        history=response.history,
    )


class _Ending:
    """Ends the flow of a stream that went to the caller, once: with its answer, or with why there is none."""

    def __init__(self, response: httpx2.Response, exchange: Exchange, flow: Flow) -> None:
        self._response = response
        self._exchange = exchange
        self._reading = exchange.call.reading or Reading()
        self._reading.opened(self, flow, partial(_abandon, exchange, dict(response.headers)))

    def _end(self) -> tuple[bytes, Subflow[None]]:
        rest, outcome = self._exchange.last(dict(self._response.headers))
        return rest, self._resumed(outcome)

    def _resumed(self, outcome: Answer | CallFailed) -> Subflow[None]:
        flow = self._reading.ended()
        return _nothing() if flow is None else _rest(flow, outcome)

    def _broken(self, error: httpx2.TransportError | httpx2.DecodingError) -> Subflow[None]:
        """The connection failed: after the answer's end, which counts then, or before it."""
        _, outcome = self._exchange.last(dict(self._response.headers))
        if isinstance(outcome, CallFailed):
            outcome = transport_failure(error, passed=True)
        return self._resumed(outcome)

    def _left(self) -> Subflow[None]:
        """The caller closed the stream: at its end (the SDK stops at ``[DONE]``), or before."""
        flow = self._reading.ended()
        return _nothing() if flow is None else _rest(flow, _left(self._exchange, dict(self._response.headers)))


def _left(exchange: Exchange, headers: Mapping[str, str]) -> Answer | CallFailed:
    """The outcome of a stream that its reader left."""
    _, outcome = exchange.last(headers)
    if isinstance(outcome, CallFailed):
        return exchange.collector.failed("abandoned")
    return outcome


def _abandon(exchange: Exchange, headers: Mapping[str, str], flow: Flow) -> None:
    """End the flow of a stream that was thrown away without being closed."""
    run(_rest(flow, _left(exchange, headers)), _never)


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


def _nothing() -> Subflow[None]:
    yield from ()


def _never(call: Call) -> Answer:
    raise AssertionError(f"a layer sent again after its stream had passed: {call.model}")


async def _never_async(call: Call) -> Answer:
    return _never(call)


class _Tail(_Ending, httpx2.SyncByteStream):
    """A stream on its way to the caller."""

    def __iter__(self) -> Iterator[bytes]:
        collector, reading = self._exchange.collector, self._reading
        reading.awaited()
        try:
            for data in self._response.iter_bytes():
                if passed := collector.feed(data):
                    reading.handed()
                    yield passed
                    reading.awaited()
        except _TROUBLE as error:
            run(self._broken(error), _never)
            raise
        rest, flow = self._end()
        run(flow, _never)
        if rest:
            yield rest

    def close(self) -> None:
        self._response.close()
        run(self._left(), _never)


class _AsyncTail(_Ending, httpx2.AsyncByteStream):
    """A stream on its way to the caller, in an event loop."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        collector, reading = self._exchange.collector, self._reading
        reading.awaited()
        try:
            async for data in self._response.aiter_bytes():
                if passed := collector.feed(data):
                    reading.handed()
                    yield passed
                    reading.awaited()
        except _TROUBLE as error:
            await run_async(self._broken(error), _never_async)
            raise
        rest, flow = self._end()
        await run_async(flow, _never_async)
        if rest:
            yield rest

    async def aclose(self) -> None:
        await self._response.aclose()
        await run_async(self._left(), _never_async)


_STATUS_ERRORS = {400: "BadRequestError", 429: "RateLimitError", 503: "InternalServerError", 504: "InternalServerError"}
_ERROR_TYPES: dict[tuple[type[Refused], str], type[Refused]] = {}


def refusal_error(refusal: Refused, request: httpx2.Request) -> Refused:
    """The refusal as an error that is both promptopt's and the SDK's, with ``code``, ``body`` and ``retry_after``.

    Each SDK raises errors of its own kind as they are, and retries none of them.
    """
    response = refusal_response(refusal, request)
    body, sdk = response.json(), _sdk_of(request)
    kind = _error_type(type(refusal), sdk)
    error = kind.__new__(kind)
    # OpenAI's SDK takes what is inside of "error".
    given = body if sdk is not openai else body["error"]
    sdk.APIStatusError.__init__(error, str(refusal), response=response, body=given)
    error.code = refusal.code
    error.retry_after = refusal.retry_after
    error.details = refusal.details
    return error


def _sdk_of(request: httpx2.Request) -> Any:
    """The SDK that made a request."""
    if endpoint_of(request.url.path) == "messages":
        with suppress(ImportError):
            import anthropic

            return anthropic
    return openai


def _error_type(kind: type[Refused], sdk: Any) -> type[Refused]:
    if (kind, sdk.__name__) not in _ERROR_TYPES:
        base = getattr(sdk, _STATUS_ERRORS.get(kind.status, "APIStatusError"))
        names = {"__doc__": kind.__doc__, "__module__": kind.__module__}
        _ERROR_TYPES[kind, sdk.__name__] = type(kind.__name__, (kind, base), names)
    return _ERROR_TYPES[kind, sdk.__name__]
