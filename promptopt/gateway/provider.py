"""Wrappers around a provider: ``complete(Request) -> Response``, in a thread or in an event loop."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.gateway.assembly import Gateway, make_gateway
from promptopt.gateway.call import Answer, Call, Labels, call_key, current_labels
from promptopt.gateway.failures import CallFailed, Kind, classify
from promptopt.gateway.flow import Handler, Layer, run, run_async, stack
from promptopt.gateway.openai.wire import chat_body
from promptopt.providers.base import Provider
from promptopt.values import Request, Response, openai_arguments


class WrappedProvider:
    """A provider with wrappers around it, the first outermost. It is a provider itself."""

    def __init__(self, inner: Provider, *layers: Layer) -> None:
        self._inner = inner
        self._handler: Handler = stack(layers)
        self._gateway: Gateway | None = None

    @classmethod
    def of(cls, inner: Provider, gateway: Gateway) -> WrappedProvider:
        """The provider with all wrappers of a gateway."""
        wrapped = cls(inner, *gateway.layers)
        wrapped._gateway = gateway
        return wrapped

    def complete(self, request: Request) -> Response:
        """The answer.

        Raises:
            Refused: A budget or limit does not allow the call.
            ProviderError: What the inner provider raises.
        """
        try:
            return _response(run(self._handler(make_call(request)), self._ask), request)
        except CallFailed as failure:
            raise _provider_error(failure) from failure.cause

    async def acomplete(self, request: Request) -> Response:
        """As :meth:`complete`, for an event loop; the inner provider is asked in a thread where it has none."""
        try:
            return _response(await run_async(self._handler(make_call(request)), self._ask_async), request)
        except CallFailed as failure:
            raise _provider_error(failure) from failure.cause

    def _ask(self, call: Call) -> Answer:
        assert call.request is not None
        try:
            return _answer(self._inner.complete(call.request))
        except ProviderError as error:
            raise failure_of(error) from error

    async def _ask_async(self, call: Call) -> Answer:
        complete = getattr(self._inner, "acomplete", None)
        if complete is None:
            return await asyncio.to_thread(self._ask, call)
        assert call.request is not None
        try:
            return _answer(await complete(call.request))
        except ProviderError as error:
            raise failure_of(error) from error

    def close(self) -> None:
        """Close the inner provider, and the gateway where this was made for one."""
        self._inner.close()
        if self._gateway is not None:
            self._gateway.close()


def wrap(inner: Provider, **settings: Any) -> WrappedProvider:
    """``inner`` with the wrappers of ``[tool.promptopt.gateway]`` and the settings given here.

    Raises:
        PromptoptError: A setting is wrong, a file cannot be written, or a package is missing.
    """
    return WrappedProvider.of(inner, make_gateway(sdk_retries=False, **settings))


def make_call(request: Request, labels: Labels | None = None) -> Call:
    """A request as a call; its origin and sample are its labels."""
    found = labels or current_labels()
    if request.origin is not None and found.prompt is None:
        found = replace(found, prompt=request.origin.prompt, version=request.origin.version)
    found = replace(found, sample=request.sample)
    body = openai_arguments(request)
    return Call("chat", "", body, found, request=request, key=call_key("", body, request.sample))


def _answer(response: Response) -> Answer:
    usage = response.usage
    return Answer(
        content=json.dumps(chat_body(response)).encode("utf-8", "surrogatepass"),
        model=response.model,
        text=response.text,
        finish_reason=response.finish_reason,
        usage=usage,
        complete=response.finish_reason != "content_filter",
        raw=response,
    )


def _response(answer: Answer, request: Request) -> Response:
    if isinstance(answer.raw, Response):
        return answer.raw
    # Latency is measured live; a kept answer has none of its own.
    return Response(answer.model or request.model, answer.text, answer.finish_reason, answer.usage, None)


def failure_of(error: ProviderError) -> CallFailed:
    """The class of a provider's error, by what the SDK raised under it."""
    cause: Any = error.__cause__
    status, code = getattr(cause, "status_code", None), getattr(cause, "code", None)
    kind: Kind
    sent = True
    if isinstance(status, int):
        kind = classify(status, code if isinstance(code, str) else None)
    elif type(cause).__name__ == "APITimeoutError":
        kind, sent = "timeout", type(cause.__cause__).__name__ not in _UNSENT
    elif type(cause).__name__ == "APIConnectionError":
        kind, sent = "connection", type(cause.__cause__).__name__ not in _UNSENT
    elif isinstance(cause, ValueError):
        kind = "invalid_body"
    else:
        kind, sent = ("auth" if isinstance(error, ProviderUnusable) else "server"), False
    return CallFailed(kind, status=status if isinstance(status, int) else None, code=code, sent=sent, cause=error)


_UNSENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})


def _provider_error(failure: CallFailed) -> BaseException:
    return failure.cause or ProviderError(str(failure))
