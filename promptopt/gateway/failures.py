"""Why a call got no answer, by class: what may be retried, and what another model may answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from promptopt.errors import ProviderError

Kind = Literal[
    "quota", "auth", "bad_request", "not_found", "context_length", "content_filter",
    "rate_limit", "server", "timeout", "connection", "invalid_body", "abandoned",
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "quota", "auth", "bad_request", "not_found", "context_length", "content_filter",
    "rate_limit", "server", "timeout", "connection", "invalid_body", "abandoned",
)  # fmt: skip
# What the same request may escape the next time.
RETRYABLE: frozenset[Kind] = frozenset({"rate_limit", "server", "timeout", "connection", "invalid_body"})
# What the provider may have answered, and billed, although nobody got it.
MAYBE_BILLED: frozenset[Kind] = frozenset({"timeout", "connection", "invalid_body", "abandoned"})

_BY_CODE: Mapping[str, Kind] = {
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "account_deactivated": "auth",
    "invalid_api_key": "auth",
    "invalid_organization": "auth",
    "model_not_found": "not_found",
    "context_length_exceeded": "context_length",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "rate_limit_exceeded": "rate_limit",
}


def classify(status: int, code: str | None) -> Kind:
    """The class of an error status, by its error code first."""
    if code is not None and code in _BY_CODE:
        return _BY_CODE[code]
    if status in (401, 403):
        return "auth"
    if status == 404:
        return "not_found"
    if status in (408, 409):
        return "timeout" if status == 408 else "server"
    if status == 429:
        return "rate_limit"
    return "server" if status >= 500 else "bad_request"


class CallFailed(Exception):
    """The upstream gave no answer. It stays inside the gateway: who called gets the error that their client raises.

    Attributes:
        kind: The class of the failure.
        status: HTTP status; ``None`` where there was no response.
        code: The provider's error code.
        sent: Whether the request may have reached the provider.
        headers: Of the response.
        raw: The response object of the client, where there was one.
        cause: The exception of the client, where it raised one.
        text: What of a broken-off stream was received.
        passed: Whether the caller has seen a part of the answer, so that no other can take its place.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        status: int | None = None,
        code: str | None = None,
        sent: bool = True,
        headers: Mapping[str, str] | None = None,
        raw: Any = None,
        cause: BaseException | None = None,
        text: str = "",
        passed: bool = False,
    ) -> None:
        super().__init__(f"{kind}{f' ({status} {code or str()})' if status else ''}")
        self.kind: Kind = kind
        self.status = status
        self.code = code
        self.sent = sent
        self.headers = headers or {}
        self.raw = raw
        self.cause = cause
        self.text = text
        self.passed = passed


class Refused(ProviderError):
    """The gateway did not send a call.

    Attributes:
        code: ``budget_exceeded``, ``rate_limit_exceeded``, ``queue_full`` or ``gateway_unavailable``; under the OpenAI
            SDK it is the ``code`` of the error that is raised.
        status: The HTTP status under the OpenAI SDK.
        retry_after: Seconds after which the call may be allowed; ``None`` where waiting does not help.
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


class GatewayUnavailable(Refused):
    """A shared store is away, and the gateway is told to refuse then."""

    code = "gateway_unavailable"
    status = 503
