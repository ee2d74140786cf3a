"""The ASGI application: requests become calls, calls go through the layers, and answers become responses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from promptopt.gateway.assembly import Gateway, build_gateway
from promptopt.gateway.call import Answer, Call, Endpoint, Upstream, current_labels
from promptopt.gateway.failures import CallFailed, Refused
from promptopt.gateway.flow import run_async
from promptopt.gateway.keys import VirtualKey, find_key, key_ring
from promptopt.gateway.layers.upstreams import Upstreams
from promptopt.gateway.openai.events import made_wire
from promptopt.gateway.openai.headers import labels_of, said_in
from promptopt.gateway.openai.wire import PATH_OF
from promptopt.gateway.serve.exchange import (
    ClientGone,
    as_response,
    json_response,
    pass_stream,
    read_content,
    respond,
    unless_gone,
)
from promptopt.gateway.serve.forward import (
    Forwarder,
    Incoming,
    Passing,
    Reply,
    forwarded_headers,
)
from promptopt.gateway.serve.in_flight import InFlight
from promptopt.gateway.serve.page import Page
from promptopt.gateway.serve.passing import Belongings, PassThrough, id_in, keeps_answer
from promptopt.gateway.serve.requests import (
    Headers,
    Rejected,
    failed,
    make_call,
    read_body,
    refused,
    secret_of,
)
from promptopt.gateway.serve.settings import Configuration, is_loopback
from promptopt.gateway.serve.telemetry import METRICS_TYPE, Metrics, Telemetry, make_traces
from promptopt.gateway.stores.ledger_row import LedgerRow

log = logging.getLogger("promptopt.serve")

# How long an old configuration's calls and streams may still go on after a reload before its files are closed.
_CLOSING_LOOK_S = 0.05


class Serving:
    """What one reading of the configuration has made: the layers, and the way to the upstreams."""

    def __init__(self, configuration: Configuration, observe: Callable[[LedgerRow], None]) -> None:
        """``observe`` sees the row of each call. Raises PromptoptError if the layers cannot be made."""
        self.configuration = configuration
        self.gateway: Gateway = build_gateway(configuration.gateway, configuration.config, observe=observe)
        self.forwarder = Forwarder(configuration)
        self.belongings = Belongings(configuration, self.gateway)
        self.passing = PassThrough(configuration, self.gateway, self.forwarder, self.belongings)
        self.keys = key_ring(configuration.gateway.keys)
        self.in_flight = 0
        several = bool(configuration.gateway.upstreams)
        # With several upstreams an answer does not depend on which one gives it, and neither does what is kept.
        self._base = "upstreams:" if several else configuration.upstream.url

    def url(self, endpoint: Endpoint) -> str:
        """Where calls to an endpoint go, as their identity has it."""
        return self._base + PATH_OF[endpoint]

    async def close(self) -> None:
        """Wait for the calls in flight, then give everything back."""
        while self.in_flight:
            await asyncio.sleep(_CLOSING_LOOK_S)
        await self.forwarder.close()
        await asyncio.to_thread(self.belongings.close)
        await asyncio.to_thread(self.gateway.close)


class Service:
    """The server's endpoints over the configuration that is in force."""

    def __init__(self, configuration: Configuration) -> None:
        """Opens nothing before the application starts."""
        self._first = configuration
        self._serving: Serving | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.telemetry = Telemetry(Metrics(self._now, self._resting), make_traces(configuration.serve.otlp))
        self._page = Page()
        self.in_flight = InFlight()

    @property
    def serving(self) -> Serving:
        """What is in force."""
        assert self._serving is not None
        return self._serving

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """From the first request to the last."""
        self._serving = Serving(self._first, self.telemetry.see)
        # What is loaded after the start is looked through by each collection, and holds up all calls meanwhile.
        self._serving.gateway.warm()
        try:
            yield
        finally:
            await self.in_flight.end(0.0, lambda: True)
            await self.serving.close()
            await asyncio.gather(*self._closing)
            await asyncio.to_thread(self.telemetry.close)

    def _now(self) -> Mapping[str, float]:
        return {"in_flight": self.serving.in_flight}

    def _resting(self) -> Mapping[str, float]:
        layers = self.serving.gateway.layers
        return next((layer.resting() for layer in layers if isinstance(layer, Upstreams)), {})

    def replace(self, configuration: Configuration) -> None:
        """Go by another configuration from the next request on; calls in flight end by the old one.

        Raises:
            PromptoptError: The layers cannot be made of it; the old one stays in force.
        """
        new = Serving(configuration, self.telemetry.see)
        old, self._serving = self.serving, new
        task = asyncio.ensure_future(old.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # --- who asks

    def authorized(self, scope: Scope) -> VirtualKey | None:
        """The key of a request; ``None`` if none is needed. Raises Rejected if it needs one and has none."""
        headers: Headers = scope["headers"]
        secret, keys = secret_of(headers), self.serving.keys
        if not keys:
            self._check_host(headers)
            return None
        key = None if secret is None else find_key(keys, secret)
        if key is None:
            rejected = Rejected(
                401, "invalid_api_key", "no such key: send `Authorization: Bearer KEY` with a key of this server"
            )
            # A browser asks its user; the key is the password.
            scheme = b"Basic" if scope["path"] == "/" else b"Bearer"
            rejected.headers.append((b"www-authenticate", scheme + b' realm="promptopt"'))
            raise rejected
        return key

    @staticmethod
    def _check_host(headers: Headers) -> None:
        # A page in a browser on this machine may send requests here, under a name of its own (DNS rebinding) or under
        # this machine's: then the browser says where the page is from. A page in a file is from "null".
        for header in (b"host", b"origin"):
            for asked in (value.decode("latin-1") for name, value in headers if name == header):
                host = asked.rpartition("://")[2]
                if not is_loopback(host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host):
                    message = f"{asked!r} is not of this machine; without virtual keys no other is served"
                    raise Rejected(403, f"wrong_{header.decode()}", message)

    # --- calls

    async def call(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        """One call of a model, from the request to the last byte of the response."""
        await self.in_flight.work(
            scope, send, lambda sending: self._call(endpoint, scope, receive, sending), events=True
        )

    async def _call(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        serving = self.serving
        try:
            key = self.authorized(scope)
            content = await read_content(scope, receive, serving.configuration.serve)
            call = self._read(endpoint, scope, content, key)
            if key is not None:
                await serving.belongings.check(call.body, key)
        except Rejected as rejected:
            await respond(send, rejected.reply())
            return
        except ClientGone:
            return
        incoming = Incoming(forwarded_headers(scope["headers"]), content)
        serving.in_flight += 1
        try:
            await unless_gone(scope, partial(self._answer, serving, call, incoming, send, key))
        except ClientGone:
            pass
        finally:
            serving.in_flight -= 1

    def _read(self, endpoint: Endpoint, scope: Scope, content: bytes, key: VirtualKey | None) -> Call:
        body = read_body(content)
        said = said_in(scope["headers"])
        labels = labels_of(said, body, current_labels())
        if key is not None:
            try:
                labels = key.labelled(labels)
                key.check_body(body)
            except Refused as refusal:
                raise refused(refusal) from None
        return make_call(endpoint, self.serving.url(endpoint), body, labels, said)

    async def _answer(
        self, serving: Serving, call: Call, incoming: Incoming, send: Send, key: VirtualKey | None
    ) -> None:
        flow = serving.gateway.handler(call)
        made = None if key is None or not keeps_answer(call) else partial(serving.belongings.made, key)
        try:
            answer = await run_async(flow, lambda sent: serving.forwarder.ask(sent, incoming))
        except Passing as passing:
            await pass_stream(passing, flow, send, made)
            return
        except CallFailed as failure:
            reply = failed(failure)
        except Refused as refusal:
            reply = refused(refusal).reply()
        except RecursionError:
            reply = Rejected(400, "invalid_json", "the body cannot be read: it is nested too deeply").reply()
        except Exception:
            log.exception("a call failed inside of the server")
            reply = Rejected(500, "internal_error", "the server failed; its log says why").reply()
        else:
            reply = _reply(call, answer)
            if made is not None and (identity := id_in(reply)):
                await made(identity)
        await respond(send, reply)

    # --- all else

    async def models(self, request: Request) -> Response:
        """The models that may be asked for, or the one that the path names."""
        key = self.authorized(request.scope)
        allowed = sorted(name for name in await self._model_names() if _allows(key, name))
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "promptopt"} for name in allowed]
        if (asked := request.path_params.get("model")) is None:
            return json_response(200, {"object": "list", "data": models})
        if asked not in allowed:
            raise Rejected(404, "model_not_found", f"no upstream lists the model {asked!r}")
        return json_response(200, models[allowed.index(asked)])

    async def _model_names(self) -> set[str]:
        """Names that the configuration has, and of upstreams that have others too, those that they list."""
        upstreams = self.serving.configuration.gateway.upstreams
        names = {name for upstream in upstreams for name in upstream.models if not name.endswith("*")}
        # A deployment in the address lists nothing.
        asked = [each for each in upstreams if each.lists_more and "{model}" not in each.url] if upstreams else [None]
        found = await asyncio.gather(*map(self._upstream_models, asked), return_exceptions=True)
        failures = [each for each in found if isinstance(each, BaseException)]
        if failures and not names and len(failures) == len(found):
            raise failures[0]
        return names.union(*(each for each in found if not isinstance(each, BaseException)))

    async def _upstream_models(self, upstream: Upstream | None) -> set[str]:
        headers = {"anthropic-version": "2023-06-01"} if upstream and upstream.header == "x-api-key" else {}
        try:
            response = await self.serving.forwarder.pass_on("GET", "/models", "", b"", headers, upstream)
            async with response:
                body = await response.json(content_type=None)
            names = {each["id"] for each in body["data"] if isinstance(each["id"], str)}
        except CallFailed as failure:
            raise HasReply(failed(failure)) from None
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
            raise Rejected(502, "invalid_body", "the upstream's list of models cannot be read") from None
        return {name for name in names if upstream is None or upstream.serves(name)}

    def _viewer(self, scope: Scope) -> None:
        """Raises Rejected if who asks may not see what all teams do."""
        key, viewers = self.authorized(scope), self.serving.configuration.serve.viewers
        if key is not None and key.name not in viewers:
            raise Rejected(
                403,
                "not_a_viewer",
                f"the key {key.name} may not see this; `viewers` in [tool.promptopt.serve] names the keys that may",
            )

    async def metrics(self, request: Request) -> Response:
        """What Prometheus reads."""
        self._viewer(request.scope)
        return as_response(Reply(200, [(b"content-type", METRICS_TYPE.encode())], self.telemetry.metrics.text()))

    async def page(self, request: Request) -> Response:
        """What calls cost today."""
        self._viewer(request.scope)
        serving = self.serving
        text, policy = await asyncio.to_thread(self._page.html, serving.gateway.ledger, serving.in_flight)
        headers = {
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": policy,
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        return as_response(Reply(200, [(name.encode(), value.encode()) for name, value in headers.items()], text))

    async def health(self, _request: Request) -> Response:
        """Whether the process works."""
        return json_response(200, {"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """Whether it takes calls."""
        if self.in_flight.stopping:
            return json_response(503, {"status": "stopping"})
        return json_response(200, {"status": "ready"})


class HasReply(Exception):
    """A response that is there already."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def _allows(key: VirtualKey | None, model: str) -> bool:
    try:
        if key is not None:
            key.check_model(model)
    except Refused:
        return False
    return True


def _reply(call: Call, answer: Answer) -> Reply:
    if isinstance(answer.raw, Reply):
        return answer.raw
    content, content_type = answer.wire or made_wire(call, answer)
    headers = [(b"content-type", content_type.encode()), (b"x-promptopt-source", answer.source.encode())]
    if answer.request_id:
        headers.append((b"x-request-id", answer.request_id.encode("latin-1", "replace")))
    return Reply(200, headers, content)
