"""Layers that choose the model: by rules (router), by how good an answer is (cascade), by what failed (fallback)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptopt.errors import UsageError, did_you_mean
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.failures import FAILURE_KINDS, CallFailed
from promptopt.gateway.flow import Flow, Handler
from promptopt.gateway.openai.wire import count_input, messages
from promptopt.gateway.semantic.validators import Validator
from promptopt.providers.openai.errors import RETRYABLE, FailureKind


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """A model, and the calls it is for: those that meet every condition.

    Attributes:
        task: The call's label ``task``; ``tag``, ``prompt`` and ``tier`` likewise.
        model_asked: Only calls that ask for this model.
        max_chars: Only if the last user message has at most this many characters.
        min_tokens: Only if the input has at least this many tokens; ``max_tokens`` at most.
    """

    model: str
    task: str | None = None
    tag: str | None = None
    prompt: str | None = None
    tier: str | None = None
    model_asked: str | None = None
    max_chars: int | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None

    def matches(self, call: Call) -> bool:
        """Whether the rule is for this call."""
        labels = call.labels
        wanted = (self.task, self.tag, self.prompt, self.tier, self.model_asked)
        given = (labels.task, labels.tag, labels.prompt, labels.tier, call.model)
        if any(want is not None and want != have for want, have in zip(wanted, given, strict=True)):
            return False
        if self.max_chars is not None and len(_last_user(call)) > self.max_chars:
            return False
        if self.min_tokens is None and self.max_tokens is None:
            return True
        tokens = count_input(call)
        return (self.min_tokens or 0) <= tokens and (self.max_tokens is None or tokens <= self.max_tokens)


class Router:
    """Sends each call to the model of the first rule that matches; without one it keeps its model."""

    def __init__(self, rules: Sequence[RoutingRule]) -> None:
        """Raises UsageError if there is no rule."""
        if not rules:
            raise UsageError("the router has no rule; give at least one: {model = ..., task = ...}")
        self._rules = tuple(rules)

    def handle(self, call: Call, inner: Handler) -> Flow:
        rule = next((rule for rule in self._rules if rule.matches(call)), None)
        if rule is not None and rule.model != call.model:
            call = call.routed(rule.model)
        return (yield from inner(call))


def _last_user(call: Call) -> str:
    return next((text for role, text in reversed(messages(call)) if role == "user"), "")


log = logging.getLogger("promptopt.gateway")


@dataclass(frozen=True, slots=True)
class CascadeStep:
    """One model of a cascade.

    Attributes:
        validators: All must let its answer pass; the last model needs none.
    """

    model: str
    validators: Sequence[Validator] = ()


class Cascade:
    """Asks model after model until an answer passes. Every step is a call of its own, with its own cost.

    An answer that cannot be judged by any validator counts as failed: what is not known to be good is asked again.
    """

    def __init__(self, steps: Sequence[CascadeStep], applies: Callable[[Call], bool] | None = None) -> None:
        """Check the steps.

        Args:
            applies: Which calls go through it; by default those that ask for its last model.

        Raises:
            UsageError: It has fewer than two models, or one before the last has no validator.
        """
        if len(steps) < 2:
            raise UsageError(f"a cascade needs at least two models, not {len(steps)}")
        for step in steps[:-1]:
            if not step.validators:
                raise UsageError(
                    f"the cascade's step {step.model!r} has no validators: every answer of it would do, and the "
                    "models after it would never be asked. Give some: finished, schema, answer, scorer, logprob, ..."
                )
        self._steps = tuple(steps)
        self._applies = applies or (lambda call: call.model == steps[-1].model)

    def handle(self, call: Call, inner: Handler) -> Flow:
        if not self._applies(call):
            return (yield from inner(call))
        *cheaper, last = self._steps
        for number, step in enumerate(cheaper):
            # What a validator has not seen must not reach the caller, so that a stream is read whole first.
            attempt = replace(call.sent_with(model=step.model), step=number, buffered=True)
            try:
                answer = yield from inner(attempt)
            except CallFailed as failure:
                log.info("cascade: %s failed (%s), asking on", step.model, failure.kind)
                continue
            if passes(step.validators, attempt, answer):
                return answer
        return (yield from inner(replace(call.sent_with(model=last.model), step=len(cheaper))))


def passes(validators: Sequence[Validator], call: Call, answer: Answer) -> bool:
    """Whether no validator refuses the answer and at least one lets it pass."""
    verdicts = [verdict for validator in validators if (verdict := validator(call, answer)) is not None]
    return bool(verdicts) and all(verdicts)


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
