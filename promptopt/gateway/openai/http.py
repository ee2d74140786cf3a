"""The HTTP side of the gateway, without I/O: requests become calls, responses answers, and answers responses."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

import httpx2

from promptopt.gateway.body import BadBody
from promptopt.gateway.call import Answer, Call, Upstream
from promptopt.gateway.failures import CallFailed, Refused, unsent
from promptopt.gateway.openai.events import (
    EventCollector,
    StreamUsage,
    ask_usage,
    comes_whole,
    made_wire,
    read_stream,
)
from promptopt.gateway.openai.headers import KEY_HEADERS, call_of, said_in
from promptopt.gateway.openai.wire import PATH_OF, endpoint_of, failure_in, read_answer
from promptopt.providers.openai.errors import RETRYABLE, classify_body

# The header with the number of a request, of OpenAI and of Anthropic.
REQUEST_ID = ("x-request-id", "request-id")
_REQUEST_ID = tuple(name.encode() for name in REQUEST_ID)
_KEPT_HEADERS = (b"x-ratelimit-", b"retry-after", *_REQUEST_ID)
_REDIRECTED = "redirected"
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def read_call(request: httpx2.Request, deployments: Mapping[str, str], now: float) -> Call | None:
    """The call that a request makes; ``None`` for a request to any other API, which passes with its body untouched.

    Labels come from :func:`promptopt.labels` and, over those, from ``x-promptopt-*`` headers, which are taken off. It
    waits in the gateway for as long as its client would for an answer, from ``now`` on by a monotonic clock.
    """
    said = said_in(request.headers.raw)
    for name in said.own:
        del request.headers[name.decode("latin-1")]
    if request.method != "POST":
        return None
    try:
        content = request.content
    except httpx2.RequestNotRead:
        return None
    timeout_s = request.extensions.get("timeout", {}).get("read")
    give_up_at = None if timeout_s is None else now + timeout_s
    return call_of(str(request.url), said, content, deployments, give_up_at=give_up_at)


class _Body(httpx2.ByteStream):
    """A request's body that knows whether its sending has begun."""

    begun = False

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        return super().__iter__()

    def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        return super().__aiter__()


class Exchange:
    """One HTTP exchange for a call: the request to send, and what its response means."""

    def __init__(self, call: Call, original: httpx2.Request, usage: StreamUsage, *, streamed: bool) -> None:
        self.call = call
        self._usage = usage
        # A stream goes on to the caller as it comes, unless somebody inside must see it whole.
        self.passes = call.stream and streamed and not call.buffered
        self.hides_usage = call.stream and usage.asks(call)
        sent = ask_usage(call) if self.hides_usage else call
        self.request = _request(original, sent) if sent.changed or sent.upstream is not None else original
        self._body = self.request.stream = _Body(self.request.content)
        self._collector: EventCollector | None = None

    def interrupted(self, error: BaseException) -> None:
        """Note of an error that ended the exchange whether anything of the request had been sent by then."""
        if not self._body.begun:
            unsent(error)

    @property
    def collector(self) -> EventCollector:
        """Takes the events, if the answer comes as a stream."""
        if self._collector is None:
            self._collector = EventCollector(self.call, hide_usage=self.hides_usage)
        return self._collector

    @staticmethod
    def comes_whole(response: httpx2.Response) -> bool:
        """Whether what came is not the stream that was asked for, but one piece."""
        return comes_whole(response.status_code, response.headers.get("content-type", "")) or _is_of_another(response)

    def refuses_usage(self, response: httpx2.Response) -> bool:
        """Whether a response that was read refuses what the gateway added, so that the call is to be sent without."""
        return self.hides_usage and self._usage.refused(self.call, response.status_code, response.content)

    def answer(self, response: httpx2.Response) -> Answer:
        """The answer in a response that was read.

        Raises:
            CallFailed: It is an error, or not an answer.
        """
        if _is_of_another(response):
            raise CallFailed("not_found", status=response.history[0].status_code, code=_REDIRECTED)
        if response.status_code >= 300:
            raise self.refused(response)
        try:
            if self.call.stream and not self.comes_whole(response):
                return _with_headers(read_stream(self.collector, response.content), response.headers)
            kept, number = _kept(response.headers)
            return read_answer(self.call, response.content, kept, response, request_id=number)
        except BadBody as broken:
            headers, _ = _kept(response.headers)
            raise failure_in(broken, response.status_code, headers, response) from None

    @staticmethod
    def refused(response: httpx2.Response) -> CallFailed:
        """The failure in an error response that was read; what no retry can cure is marked so for the SDK."""
        kind, code = classify_body(response.status_code, response.content)
        if kind not in RETRYABLE:
            response.headers["x-should-retry"] = "false"
        headers, _ = _kept(response.headers)
        return CallFailed(kind, status=response.status_code, code=code, headers=headers, raw=response)

    def last(self, headers: Mapping[str, str]) -> tuple[bytes, Answer | CallFailed]:
        """What is left to pass on of a stream that ended, and its outcome."""
        rest = self.collector.last()
        try:
            return rest, _with_headers(self.collector.finish(), httpx2.Headers(headers))
        except BadBody:
            return rest, self.collector.failed("invalid_body")


def _is_of_another(response: httpx2.Response) -> bool:
    """Whether a redirect made a request of another method of the call, which has no body, and asks something else."""
    return bool(response.history) and response.request.method != response.history[0].request.method


def transport_failure(error: httpx2.TransportError | httpx2.DecodingError, *, passed: bool = False) -> CallFailed:
    """The class of a client's exception."""
    kind = "timeout" if isinstance(error, httpx2.TimeoutException) else "connection"
    return CallFailed(kind, sent=not isinstance(error, _UNSENT), cause=error, passed=passed)  # type: ignore[arg-type]  # one of two literals


def _request(original: httpx2.Request, call: Call) -> httpx2.Request:
    body, url = call.body, original.url
    if call.deployment is not None:
        body, url = {**body, "model": call.deployment.name_of(call.model)}, httpx2.URL(call.url)
    headers = httpx2.Headers(
        [(name, value) for name, value in original.headers.raw if name.lower() != b"content-length"]
    )
    if call.upstream is not None:
        body, url = {**body, "model": call.upstream.sent_name(call.model)}, _addressed(headers, call.upstream, call)
    content = json.dumps(body, separators=(",", ":")).encode()
    return httpx2.Request(original.method, url, headers=headers, content=content, extensions=original.extensions)


def _with_headers(answer: Answer, headers: httpx2.Headers) -> Answer:
    kept, number = _kept(headers)
    return answer._replace(headers=kept, request_id=number)


def _addressed(headers: httpx2.Headers, upstream: Upstream, call: Call) -> httpx2.URL:
    """The address of a call at its upstream; the headers get that one's key in the place of any other."""
    for name in (*KEY_HEADERS, "host"):
        headers.pop(name, None)
    if upstream.key_env is not None:
        name, value = upstream.authorization(os.environ.get(upstream.key_env, ""))
        headers[name] = value
    return httpx2.URL(upstream.url_of(PATH_OF[call.endpoint], call.model))


def _kept(headers: httpx2.Headers) -> tuple[dict[str, str], str]:
    """The headers that layers read, and the number that an endpoint gave to a request, if it gave one."""
    read = {kept: value.decode("latin-1") for name, value in headers.raw if (kept := _kept_name(name))}
    numbers = [read.pop(name, "") for name in REQUEST_ID]
    return read, next(filter(None, numbers), "")


@lru_cache(maxsize=4096)
def _kept_name(name: bytes) -> str:
    """A header's name in small letters; empty if no layer reads it."""
    low = name.lower()
    return low.decode("latin-1") if low.startswith(_KEPT_HEADERS) else ""


def http_response(call: Call, answer: Answer, request: httpx2.Request, *, streamed: bool) -> httpx2.Response:
    """An answer as a response: the one that it has just come in, or one of its wire form.

    Args:
        streamed: Whether its reader wants the bytes one after the other, though they have been read here.
    """
    if isinstance(answer.raw, httpx2.Response):
        return _again(answer.raw) if streamed else answer.raw
    content, content_type = answer.wire or made_wire(call, answer)
    # Bytes and a stream spare the client to look for what they are, which takes longer than all else that it does here.
    headers = [(b"content-type", content_type.encode()), (b"x-promptopt-source", answer.source.encode())]
    if answer.request_id:
        headers.append((_REQUEST_ID[call.endpoint == "messages"], answer.request_id.encode()))
    if not streamed:
        headers.append((b"content-length", b"%d" % len(content)))
    body = _Kept(content) if streamed else httpx2.ByteStream(content)
    response = httpx2.Response(200, headers=headers, request=request, stream=body)
    if not streamed:
        _hold(response, content)
    response.elapsed = timedelta(0)
    return response


def _hold(response: httpx2.Response, content: bytes) -> None:
    """Read a response of bytes that are there already.

    httpx2 takes them through five generators and a decoder otherwise, which takes a third of the time of a hit.
    """
    response._content = content
    # This gives it back at once; in a version that keeps it elsewhere it reads the stream, as ever.
    response.read()
    response._num_bytes_downloaded = len(content)
    response.is_stream_consumed = response.is_closed = True


class _Kept(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Bytes that are there already, for a reader that wants them one part after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


def _again(response: httpx2.Response) -> httpx2.Response:
    """A response that was read, to be read once more; it is decoded already."""
    dropped = (b"content-encoding", b"content-length", b"transfer-encoding")
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in dropped]
    again = httpx2.Response(
        response.status_code, headers=headers, stream=_Kept(response.content), request=response.request
    )
    again.elapsed, again.history = response.elapsed, response.history
    return again


def failed_response(failure: CallFailed, request: httpx2.Request) -> httpx2.Response:
    """The response of a failure; the SDK makes its typed error of it.

    Raises:
        BaseException: What the client raised, if it raised something.
    """
    if isinstance(failure.raw, httpx2.Response):
        return failure.raw
    if failure.cause is not None:
        raise failure.cause
    if failure.code == _REDIRECTED:
        message = (
            f"the endpoint redirects elsewhere ({failure.status}), which makes another request of the call, without "
            "its body: give the right address as base_url"
        )
        response = error_response(502, _REDIRECTED, message, request)
        response.headers["x-should-retry"] = "false"
        return response
    if failure.kind == "timeout":
        raise httpx2.ReadTimeout("waiting in the gateway took longer than the call's own timeout", request=request)
    return error_response(
        502, "invalid_body", "the endpoint's answer is broken: not the JSON in UTF-8 that its API promises", request
    )


def error_response(
    status: int, code: str, message: str, request: httpx2.Request, details: Mapping[str, Any] | None = None
) -> httpx2.Response:
    """An error in the form of the API's own."""
    error: dict[str, Any] = {"message": message, "type": code, "code": code, "param": None, **(details or {})}
    body: dict[str, Any] = {"error": error}
    if endpoint_of(request.url.path) == "messages":
        body = {"type": "error", "error": {"type": code, "message": message, **(details or {})}}
    response = httpx2.Response(status, json=body, request=request)
    response.elapsed = timedelta(0)
    return response


def refusal_response(refusal: Refused, request: httpx2.Request) -> httpx2.Response:
    """The response of a refusal, with ``retry-after`` if waiting helps."""
    details = {**refusal.details, "retry_after": refusal.retry_after}
    response = error_response(refusal.status, refusal.code, str(refusal), request, details)
    if refusal.retry_after is not None:
        response.headers["retry-after"] = f"{refusal.retry_after:.3f}"
    response.headers["x-should-retry"] = "false"
    return response
