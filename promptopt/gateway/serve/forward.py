"""Asks the upstreams: bytes go out and come in as they are, over one pool of connections."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from promptopt.gateway.body import BadBody
from promptopt.gateway.call import Answer, Call, Upstream
from promptopt.gateway.failures import CallFailed, unsent
from promptopt.gateway.flow import Suspended
from promptopt.gateway.openai.events import EventCollector, StreamUsage, ask_usage, comes_whole, read_stream
from promptopt.gateway.openai.wire import PATH_OF, failure_in, read_answer
from promptopt.gateway.reading import Reading
from promptopt.gateway.serve.settings import Configuration
from promptopt.gateway.serve.upstream_http import UpstreamResponse
from promptopt.gateway.serve.upstream_pool import UpstreamPool, request_head
from promptopt.providers.openai.errors import RETRYABLE, classify_body

log = logging.getLogger("promptopt.serve")

# Of a client's headers an upstream sees these; its key, address and cookies are nobody else's business.
_SENT = frozenset(
    {
        *(b"accept", b"idempotency-key", b"traceparent", b"tracestate", b"x-client-request-id"),
        *(b"openai-beta", b"anthropic-beta", b"anthropic-version"),
    }
)
# Of an upstream's headers a client sees these, and those that begin so.
_PASSED = frozenset({b"content-type", b"retry-after", b"retry-after-ms", b"x-request-id", b"x-should-retry"})
_PASSED_STARTS = (b"x-ratelimit-", b"openai-")
_KEPT_STARTS = ("x-ratelimit-", "retry-after", "x-should-retry")
# Servers that speak through uvicorn close a connection that rests for 5 s; a call must not meet that.
_KEEPALIVE_S = 4.0
_URLS = 1000
# A server may redirect a request so often.
_HOPS = 3
REDIRECTED = "upstream_redirected"
AnyResponse = aiohttp.ClientResponse | UpstreamResponse
_UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Reply(NamedTuple):
    """What an upstream answered, as far as a client may see it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class Incoming(NamedTuple):
    """What of a client's request goes on to an upstream."""

    headers: dict[str, str]
    content: bytes


def forwarded_headers(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of a client that an upstream sees."""
    kept = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in _SENT}
    # Bytes that were packed for the way would have to be unpacked to be read.
    return {**kept, "content-type": "application/json", "accept-encoding": "identity"}


class _Body:
    """A request's body that knows whether its sending has begun."""

    __slots__ = ("begun", "content")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.begun = False


class _Payload(aiohttp.BytesPayload):
    """A body that aiohttp sends."""

    def __init__(self, body: _Body) -> None:
        super().__init__(body.content)
        self._body = body

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._body.begun = True
        await super().write_with_length(writer, content_length)


class Passing(Suspended):
    """A stream that goes on to the client while its flow waits for its end."""

    def __init__(self, call: Call, response: AnyResponse, *, hide_usage: bool) -> None:
        super().__init__()
        self.response = response
        self.collector = EventCollector(call, hide_usage=hide_usage)
        self.reading = call.reading or Reading()


class Forwarder:
    """Sends calls to upstreams."""

    def __init__(self, configuration: Configuration) -> None:
        """Opens nothing; must be made in an event loop."""
        serve = configuration.serve
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=serve.connect_timeout_s, connect=None, sock_read=serve.timeout_s
        )
        # How many calls are in flight is the layers' business.
        self._pool = UpstreamPool(
            connect_timeout_s=serve.connect_timeout_s, timeout_s=serve.timeout_s, keepalive_s=_KEEPALIVE_S
        )
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        # Read once: aiohttp reads it for every request, in a thread.
        self._proxies = getproxies()
        self._default = configuration.upstream
        self._usage = StreamUsage(asked=configuration.gateway.stream_usage)
        self._secrets = configuration.secrets
        self._urls: dict[str, URL] = {}

    async def ask(self, call: Call, incoming: Incoming) -> Answer:
        """The answer to a call.

        Raises:
            Passing: It is a stream, which goes on to the client.
            CallFailed: There is none.
        """
        upstream = call.upstream or self._default
        hides_usage = self._usage.asks(call)
        body = _Body(_content(ask_usage(call) if hides_usage else call, upstream, incoming))
        try:
            response = await self._post(upstream, call, body, incoming)
            if call.stream and not call.buffered and not _comes_whole(response):
                raise Passing(call, response, hide_usage=hides_usage)
            content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise transport_failure(error) from error
        except asyncio.CancelledError as error:
            if not body.begun:
                unsent(error)
            raise
        if response.status >= 300:
            if hides_usage and self._usage.refused(call, response.status, content):
                return await self.ask(call, incoming)
            raise _failed(response, content)
        return _answered(call, response, content, hide_usage=hides_usage)

    async def _post(self, upstream: Upstream, call: Call, body: _Body, incoming: Incoming) -> AnyResponse:
        url = self._url(upstream, PATH_OF[call.endpoint], call.model)
        hops = 0
        while True:
            response = await self._sent(url, upstream, body, self._with_key(upstream, incoming.headers))
            onward = _onward(response)
            if onward is None or hops == _HOPS:
                return response
            # Its body may hold the connection.
            response.close()
            url, hops = onward, hops + 1

    async def _sent(self, url: URL, upstream: Upstream, body: _Body, headers: dict[str, str]) -> AnyResponse:
        proxy = self._proxy(upstream)
        if proxy is not None or not self._pool.takes(url):
            return await self._session.post(
                url, data=_Payload(body), headers=headers, allow_redirects=False, proxy=proxy
            )
        head = request_head(url, tuple(headers.items())) + b"%d\r\n\r\n" % len(body.content)
        connection = await self._pool.connection(url)
        body.begun = True
        return await connection.post(url, head, body.content)

    async def pass_on(
        self, method: str, path: str, query: str, content: bytes, headers: dict[str, str],
        upstream: Upstream | None = None,
    ) -> aiohttp.ClientResponse:  # fmt: skip
        """A request that no layer sees, by default to the first upstream. Raises CallFailed if there is no response."""
        upstream = upstream or self._default
        url = URL(f"{upstream.url}{path}{'?' if query else ''}{query}", encoded=True)
        try:
            return await self._session.request(
                method,
                url,
                data=content or None,
                headers=self._with_key(upstream, headers),
                allow_redirects=False,
                proxy=self._proxy(upstream),
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise transport_failure(error) from error

    def _url(self, upstream: Upstream, path: str, model: str) -> URL:
        text = upstream.url_of(path, model)
        url = self._urls.get(text)
        if url is None:
            if len(self._urls) > _URLS:
                self._urls.clear()
            url = self._urls[text] = URL(text, encoded=True)
        return url

    def _with_key(self, upstream: Upstream, headers: dict[str, str]) -> dict[str, str]:
        secret = self._secrets.get(upstream.name)
        if secret is None:
            return headers
        name, value = upstream.authorization(secret)
        return {**headers, name: value}

    def _proxy(self, upstream: Upstream) -> str | None:
        """The proxy that the environment names for an upstream (``HTTPS_PROXY``, ``NO_PROXY``, ...)."""
        if not self._proxies:
            return None
        url = URL(upstream.url)
        return None if proxy_bypass(url.authority) else self._proxies.get(url.scheme)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()
        await self._session.close()


def _content(call: Call, upstream: Upstream, incoming: Incoming) -> bytes:
    """The body to send: the client's own bytes, if nothing of it was changed."""
    name = upstream.sent_name(call.model)
    if name == call.model and not call.changed:
        return incoming.content
    body = call.body if name == call.model else {**call.body, "model": name}
    return json.dumps(body, separators=(",", ":")).encode()


def kept_headers(response: AnyResponse) -> dict[str, str]:
    """The headers that layers go by."""
    return {low: value for name, value in response.headers.items() if (low := name.lower()).startswith(_KEPT_STARTS)}


def with_headers(answer: Answer, response: AnyResponse) -> Answer:
    """The answer with what its response's headers say."""
    return answer._replace(headers=kept_headers(response), request_id=response.headers.get("x-request-id", ""))


def location_of(response: AnyResponse) -> URL | None:
    """Where a response redirects to; ``None`` if it does not, or no address can be read."""
    place = response.headers.get("location")
    try:
        return response.url.join(URL(place, encoded=True)) if place else None
    except ValueError:
        return None


def _onward(response: AnyResponse) -> URL | None:
    """Where the same request is to be sent instead, if that is the same server, perhaps by TLS.

    301, 302 and 303 make a GET of it, in most clients, which is another request; and another server must not see the
    key, nor what is asked.
    """
    if response.status not in (307, 308):
        return None
    was, url = response.url, location_of(response)
    if url is None:
        return None
    upgraded = was.scheme == "http" and url.scheme == "https" and was.host == url.host
    default = was.is_default_port() and url.is_default_port()
    return url if url.origin() == was.origin() or (upgraded and default) else None


def _redirected(response: AnyResponse) -> CallFailed:
    """The failure of a call that is to be sent elsewhere; nothing was worked on."""
    place = response.headers.get("location", "").partition("?")[0]
    log.error(
        "the upstream at %s answers %d and redirects to %s; its `url` must name the right address",
        *(response.url.with_query(None), response.status, place or "nowhere"),
    )
    return CallFailed("not_found", status=response.status, code=REDIRECTED)


def passed_headers(response: AnyResponse) -> list[tuple[bytes, bytes]]:
    """The headers of an upstream that a client sees."""
    return [
        (lower, value)
        for name, value in response.raw_headers
        if (lower := name.lower()) in _PASSED or lower.startswith(_PASSED_STARTS)
    ]


def stream_outcome(collector: EventCollector, response: AnyResponse, failure: CallFailed) -> Answer | CallFailed:
    """What became of a stream: its answer, if all of it has come, whatever happened then; else the failure."""
    try:
        return with_headers(collector.finish(), response)
    except BadBody:
        return failure


def _comes_whole(response: AnyResponse) -> bool:
    return comes_whole(response.status, response.headers.get("content-type", ""))


def _answered(call: Call, response: AnyResponse, body: bytes, *, hide_usage: bool) -> Answer:
    reply = Reply(response.status, passed_headers(response), body)
    try:
        if call.stream and not _comes_whole(response):
            return with_headers(read_stream(EventCollector(call, hide_usage=hide_usage), body), response)
        number = response.headers.get("x-request-id", "")
        return read_answer(call, body, kept_headers(response), reply, request_id=number)
    except BadBody as broken:
        raise failure_in(broken, response.status, kept_headers(response), reply) from None


def _failed(response: AnyResponse, body: bytes) -> CallFailed:
    """The failure in an error response; what no retry can cure is marked so for SDKs."""
    if response.status < 400:
        return _redirected(response)
    kind, code = classify_body(response.status, body)
    headers = passed_headers(response)
    if kind not in RETRYABLE:
        headers = [*(each for each in headers if each[0] != b"x-should-retry"), (b"x-should-retry", b"false")]
    reply = Reply(response.status, headers, body)
    return CallFailed(kind, status=response.status, code=code, headers=kept_headers(response), raw=reply)


def transport_failure(error: Exception, *, passed: bool = False) -> CallFailed:
    """The class of an exception of the client."""
    timed_out = isinstance(error, TimeoutError)
    return CallFailed(
        "timeout" if timed_out else "connection",
        sent=not isinstance(error, _UNSENT),
        cause=error,
        passed=passed,
    )
