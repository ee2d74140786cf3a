"""Layers around a provider: ``complete(Request) -> Response``, in a thread or in an event loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from promptopt.errors import ProviderError
from promptopt.functions import RAISED
from promptopt.gateway.call import Answer, Call, Labels, current_labels
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.failures import CallFailed
from promptopt.gateway.flow import Handler, Layer, run, run_async, stack
from promptopt.providers.base import Provider, check_provider_type, provider_fault
from promptopt.providers.openai.errors import failure_kind
from promptopt.values import Request, Response, openai_arguments

if TYPE_CHECKING:
    from promptopt.gateway.assembly import Gateway


@runtime_checkable
class AsyncProvider(Provider, Protocol):
    """A provider that answers in an event loop as well."""

    async def acomplete(self, request: Request) -> Response:
        """As ``complete``."""


class WrappedProvider:
    """A provider with layers around it, the first outermost. It is a provider itself."""

    def __init__(self, inner: Provider, *layers: Layer, clock: Clock = SYSTEM_CLOCK) -> None:
        self._inner = inner
        self._handler: Handler = stack(layers)
        self._gateway: Gateway | None = None
        self._clock = clock

    @classmethod
    def of(cls, inner: Provider, gateway: Gateway) -> WrappedProvider:
        """The provider with all layers of a gateway."""
        wrapped = cls(inner, *gateway.layers, clock=gateway.clock)
        wrapped._gateway = gateway
        return wrapped

    def complete(self, request: Request) -> Response:
        """The answer.

        Raises:
            Refused: A budget or limit does not allow the call.
            ProviderError: What the inner provider raises.
        """
        try:
            return response_of(run(self._handler(make_call(request)), self._ask, self._clock), request)
        except CallFailed as failure:
            raise _provider_error(failure) from failure.cause

    async def acomplete(self, request: Request) -> Response:
        """As :meth:`complete`, for an event loop; the inner provider is asked in a thread if it has none."""
        try:
            return response_of(await run_async(self._handler(make_call(request)), self._ask_async), request)
        except CallFailed as failure:
            raise _provider_error(failure) from failure.cause

    def _ask(self, call: Call) -> Answer:
        assert call.request is not None
        try:
            return _answered(call, self._inner.complete(call.request))
        except RAISED as error:
            if (failure := _failure(call.request, error)) is None:
                raise
            raise failure from error

    async def _ask_async(self, call: Call) -> Answer:
        inner = self._inner
        if not isinstance(inner, AsyncProvider):
            return await asyncio.to_thread(self._ask, call)
        assert call.request is not None
        try:
            return _answered(call, await inner.acomplete(call.request))
        except RAISED as error:
            if (failure := _failure(call.request, error)) is None:
                raise
            raise failure from error

    def close(self) -> None:
        """Close the inner provider, and the gateway if this was made for one."""
        self._inner.close()
        if self._gateway is not None:
            self._gateway.close()


def wrap(inner: Provider, **settings: Any) -> WrappedProvider:
    """``inner`` with the layers of ``[tool.promptopt.gateway]`` and the settings given here.

    Raises:
        PromptoptError: A setting is wrong, a file cannot be written, or a package is missing.
    """
    # A run of recordings has layers of its own, and none of these.
    from promptopt.gateway.assembly import make_gateway

    check_provider_type("inner", inner)
    return WrappedProvider.of(inner, make_gateway(sdk_retries=False, **settings))


def make_call(request: Request, labels: Labels | None = None) -> Call:
    """A request as a call; its origin and sample are its labels."""
    found = labels or current_labels()
    if request.origin is not None and found.prompt is None:
        found = replace(found, prompt=request.origin.prompt, version=request.origin.version)
    found = replace(found, sample=request.sample)
    return Call.of("chat", "", openai_arguments(request), found, request=request)


def _failure(request: Request, error: BaseException) -> CallFailed | None:
    """What layers see of an error; ``None``: they see it as it is. A fault of a registered package fails the call."""
    if isinstance(error, ProviderError):
        return failure_of(error)
    fault = provider_fault(request.model, error)
    return None if fault is None else failure_of(fault)


def _answered(call: Call, response: object) -> Answer:
    if not isinstance(response, Response):
        raise TypeError(f"{response!r} is not a Response")
    return answer_of(response)._replace(sent_to=call.model)


# What a provider's client calls an answer that somebody who asked the same may have.
_COMPLETE = ("stop", "length")


def answer_of(response: Response) -> Answer:
    """A provider's response as an answer."""
    return Answer(
        text=response.text,
        model=response.model,
        finish_reason=response.finish_reason,
        usage=response.usage,
        # A kept answer has only its text.
        complete=response.finish_reason in _COMPLETE and bool(response.text) and not response.tool_calls,
        finished=response.finish_reason == "stop",
        raw=response,
    )


def response_of(answer: Answer, request: Request) -> Response:
    """An answer as the response to a request; one that a provider has just given is that very response."""
    if isinstance(answer.raw, Response):
        return answer.raw
    # Latency is measured live; a kept answer has none of its own.
    return Response(answer.model or request.model, answer.text, answer.finish_reason, answer.usage, None)


def failure_of(error: ProviderError) -> CallFailed:
    """A provider's error as the gateway's, by what the SDK raised under it."""
    kind, status, code, sent = failure_kind(error)
    headers = getattr(getattr(error.__cause__, "response", None), "headers", None)
    return CallFailed(kind, status=status, code=code, sent=sent, headers=headers, cause=error)


def _provider_error(failure: CallFailed) -> BaseException:
    return failure.cause or ProviderError(str(failure))
