"""Fallback: another model answers what the first could not, by the class of the failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptopt.errors import UsageError, did_you_mean
from promptopt.gateway.call import Call
from promptopt.gateway.failures import FAILURE_KINDS, CallFailed
from promptopt.gateway.flow import Flow, Handler
from promptopt.providers.openai.errors import RETRYABLE, FailureKind

DEFAULT_ON: tuple[FailureKind, ...] = (
    "quota",
    "not_found",
    "context_length",
    "rate_limit",
    "server",
    "timeout",
    "connection",
)


@dataclass(frozen=True, slots=True)
class FallbackPlan:
    """Who answers instead.

    Attributes:
        models: Tried in this order.
        by_kind: Other models for a class of failure: ``{"context_length": ["gpt-5.6-terra"]}``.
        on: Classes of failure that fall back at all.
        after_retries: For failures that a retry may cure: how many retries of the SDK come first.

    Raises:
        UsageError: A class is unknown, or there is no model.
    """

    models: Sequence[str] = ()
    by_kind: Mapping[str, Sequence[str]] = field(default_factory=dict)
    on: Sequence[str] = DEFAULT_ON
    after_retries: int = 1

    def __post_init__(self) -> None:
        for kind in [*self.on, *self.by_kind]:
            if kind not in FAILURE_KINDS:
                raise UsageError(f"fallback: unknown class of failure {kind!r}.{did_you_mean(kind, FAILURE_KINDS)}")
        if not self.models and not self.by_kind:
            raise UsageError("fallback names no model; give `models` or `by_kind`")


class Fallback:
    """Asks the next model if one fails in a way that another may not."""

    def __init__(self, plan: FallbackPlan, *, sdk_retries: bool = True) -> None:
        """``sdk_retries`` says whether a client above this one repeats failed calls."""
        self._plan = plan
        self._sdk_retries = sdk_retries

    def handle(self, call: Call, inner: Handler) -> Flow:
        tried = {call.model}
        current = call
        while True:
            try:
                answer = yield from inner(current)
                return answer if current is call else replace(answer, substitute=True)
            except CallFailed as failure:
                if failure.passed:
                    raise
                following = next((model for model in self._models(failure, call) if model not in tried), None)
                if following is None:
                    raise
            tried.add(following)
            current = replace(current.sent_with(model=following), step=current.step + 1)

    def _models(self, failure: CallFailed, call: Call) -> Sequence[str]:
        plan = self._plan
        if failure.kind in plan.by_kind:
            models = plan.by_kind[failure.kind]
        elif failure.kind in plan.on:
            models = plan.models
        else:
            return ()
        waits = self._sdk_retries and failure.kind in RETRYABLE and call.attempt < plan.after_retries
        return () if waits else models
