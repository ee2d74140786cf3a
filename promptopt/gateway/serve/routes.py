"""Which path goes where: calls of models straight to their endpoints, all else through Starlette's router."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from promptopt.gateway.call import Endpoint
from promptopt.gateway.openai.wire import PATH_OF
from promptopt.gateway.serve.app import HasReply, Service
from promptopt.gateway.serve.exchange import as_response, respond
from promptopt.gateway.serve.requests import Rejected, not_allowed


def make_app(service: Service) -> ASGIApp:
    """The application of a service."""
    routes = [
        Route("/v1/models", service.models),
        Route("/v1/models", _only_get, methods=["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        Route("/v1/models/{model:path}", service.models),
        Route("/", service.page),
        Route("/metrics", service.metrics),
        Route("/healthz", service.health),
        Route("/readyz", service.ready),
        Route("/v1/{path:path}", _Rest(service)),
    ]
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        HTTPException: _http_error, Rejected: _rejected, HasReply: _answered,
    }  # fmt: skip
    app = Starlette(routes=routes, lifespan=service.lifespan, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return _Front({f"/v1{path}": _Endpoint(service, endpoint) for endpoint, path in PATH_OF.items()}, app)


class _Front:
    """Calls of models go straight to their endpoints, past the router and what is around it.

    That is a tenth of a call's time in all.
    """

    def __init__(self, endpoints: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self._endpoints = endpoints
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # What is said at the start and the end of the server has no path.
        await self._endpoints.get(scope.get("path", ""), self._rest)(scope, receive, send)


class _Endpoint:
    """An endpoint as ASGI, without a request object around it."""

    def __init__(self, service: Service, endpoint: Endpoint) -> None:
        self._service = service
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await respond(send, not_allowed(scope["method"], scope["path"], "POST").reply())
            return
        await self._service.call(self._endpoint, scope, receive, send)


class _Rest:
    """All other paths of the API as ASGI."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = self._service

        async def answer(sending: Send) -> None:
            try:
                key = service.authorized(scope)
            except Rejected as rejected:
                await respond(sending, rejected.reply())
            else:
                await service.serving.passing.answer(scope, receive, sending, key)

        await service.in_flight.work(scope, send, answer, events=False)


async def _only_get(request: Request) -> Response:
    return as_response(not_allowed(request.method, request.url.path, "GET", "HEAD").reply())


async def _http_error(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return as_response(not_allowed(request.method, request.url.path, *allowed.split(", ")).reply())
    rejected = Rejected(error.status_code, "not_found", f"nothing is at {request.url.path}; the API is below /v1")
    return as_response(rejected.reply())


async def _rejected(_request: Request, error: Rejected) -> Response:
    return as_response(error.reply())


async def _answered(_request: Request, error: HasReply) -> Response:
    return as_response(error.reply)
