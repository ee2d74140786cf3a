"""Why a call got no answer, by class: what may be retried, and what another model may answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from promptopt.errors import ProviderError
from promptopt.providers.openai.errors import FailureKind
from promptopt.values import Usage

FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)
# What the provider may have answered, and billed, although nobody got it.
MAYBE_BILLED: frozenset[FailureKind] = frozenset({"timeout", "connection", "invalid_body", "abandoned"})
# Who cancels a call raises the error, and waits for that one to come back, so that nothing else can take its place.
_UNSENT = "_promptopt_unsent"


class CallFailed(Exception):
    """The upstream gave no answer. It stays inside the gateway: the caller gets the error that its client raises.

    Attributes:
        kind: The class of the failure.
        status: HTTP status; ``None`` if there was no response.
        code: The provider's error code.
        sent: Whether the request may have reached the provider.
        headers: Of the response.
        raw: The response object of the client, if there was one.
        cause: The exception of the client, if it raised one.
        written: What a model had written when its stream was left or broke off.
        usage: What that stream had said of its tokens.
        passed: Whether the caller has seen a part of the answer, so that no other can take its place.
    """

    def __init__(
        self,
        kind: FailureKind,
        *,
        status: int | None = None,
        code: str | None = None,
        sent: bool = True,
        headers: Mapping[str, str] | None = None,
        raw: Any = None,
        cause: BaseException | None = None,
        written: str = "",
        usage: Usage | None = None,
        passed: bool = False,
    ) -> None:
        super().__init__(f"{kind}{f' ({status} {code or str()})' if status else ''}")
        self.kind: FailureKind = kind
        self.status = status
        self.code = code
        self.sent = sent
        self.headers = headers or {}
        self.raw = raw
        self.cause = cause
        self.written = written
        self.usage = usage
        self.passed = passed


def unsent(error: BaseException) -> None:
    """Note of what ended a call, such as its caller's cancellation, that nothing had been sent by then."""
    error.__dict__[_UNSENT] = True


def interrupted(error: BaseException) -> CallFailed:
    """What became of a call whose caller was cancelled: it may have been billed, unless it was not sent yet."""
    return CallFailed("abandoned", sent=not error.__dict__.get(_UNSENT, False))


class Refused(ProviderError):
    """The gateway did not send a call.

    Attributes:
        code: ``budget_exceeded``, ``rate_limit_exceeded``, ``queue_full``, ``not_cached``, ``invalid_cache_control`` or
            ``gateway_unavailable``; under the OpenAI SDK it is the ``code`` of the error that is raised.
        status: The HTTP status under the OpenAI SDK.
        retry_after: Seconds after which the call may be allowed; ``None`` if waiting does not help.
    """

    code = "refused"
    status = 429

    def __init__(
        self, message: str, *, retry_after: float | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.details = dict(details or {})


class BudgetExceeded(Refused):
    """The worst case of the call does not fit into what is left of a budget."""

    code = "budget_exceeded"


class LimitExceeded(Refused):
    """A user, tier or key has made as many calls as it may."""

    code = "rate_limit_exceeded"


class QueueFull(Refused):
    """Too many calls are in flight or waiting."""

    code = "queue_full"


class NotCached(Refused):
    """The call is to be answered from the cache only, and is not in it."""

    code = "not_cached"
    status = 504


class BadCacheControl(Refused):
    """What the call wants of the caches cannot be read."""

    code = "invalid_cache_control"
    status = 400


class UnreadableBody(Refused):
    """A provider may take the body of the call, and the gateway cannot read it."""

    code = "invalid_json"
    status = 400


class GatewayUnavailable(Refused):
    """A shared store is away, and the setting says to refuse calls then."""

    code = "gateway_unavailable"
    status = 503
