"""Layers that choose the model: by rules (router), by how good an answer is (cascade), by what failed (fallback)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from promptopt.errors import UsageError, did_you_mean
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.clock import SYSTEM_CLOCK, SYSTEM_RANDOM, Clock
from promptopt.gateway.failures import FAILURE_KINDS, CallFailed
from promptopt.gateway.flow import Flow, Handler, Sleep
from promptopt.gateway.layers.concurrency import LONGEST_PAUSE_S, pause_of, retry_pause
from promptopt.gateway.openai.wire import count_input, messages
from promptopt.providers.openai.errors import RETRYABLE, FailureKind

if TYPE_CHECKING:
    from promptopt.gateway.semantic.validators import Validator


def interchangeable(call: Call) -> bool:
    """Whether another model may answer: a vector of another model is no answer to anything."""
    return call.endpoint != "embeddings"


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
        if not interchangeable(call):
            return (yield from inner(call))
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
        if not interchangeable(call) or not self._applies(call):
            return (yield from inner(call))
        *cheaper, last = self._steps
        for number, step in enumerate(cheaper):
            # What a validator has not seen must not reach the caller, so that a stream is read whole first.
            attempt = call.sent_with(model=step.model)._replace(step=number, buffered=True)
            try:
                answer = yield from inner(attempt)
            except CallFailed as failure:
                log.info("cascade: %s failed (%s), asking on", step.model, failure.kind)
                continue
            if passes(step.validators, attempt, answer):
                return answer
        return (yield from inner(call.sent_with(model=last.model)._replace(step=len(cheaper))))


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
        after_retries: How often a call that failed in a way that a retry may cure is sent again first.
        cooldown_s: Seconds for which a model that fails is not asked at all.
        cooldown_after: Failures in a row after which that begins; 0 asks every model every time.

    Raises:
        UsageError: A class is unknown, there is no model, or a number is negative.
    """

    models: Sequence[str] = ()
    by_kind: Mapping[str, Sequence[str]] = field(default_factory=dict)
    on: Sequence[str] = DEFAULT_ON
    after_retries: int = 1
    cooldown_s: float = 30.0
    cooldown_after: int = 5

    def __post_init__(self) -> None:
        if self.cooldown_s < 0 or self.cooldown_after < 0:
            raise UsageError(f"fallback: cooldown = {self.cooldown_s:g} after {self.cooldown_after}: give 0 or more")
        for kind in [*self.on, *self.by_kind]:
            if kind not in FAILURE_KINDS:
                raise UsageError(f"fallback: unknown class of failure {kind!r}.{did_you_mean(kind, FAILURE_KINDS)}")
        if not self.models and not self.by_kind:
            raise UsageError("fallback names no model; give `models` or `by_kind`")


class Cooldown:
    """Which of several names (models, endpoints) fail just now, so that nobody is to ask them for a while.

    After the pause one failure is enough for another one.
    """

    def __init__(self, pause_s: float, after: int, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """``after`` failures in a row begin a pause; 0 never does."""
        self._pause_s = pause_s
        self._after = after
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def rests(self, name: str) -> bool:
        """Whether it is not to be asked now."""
        return self._clock.monotonic() < self._until.get(name, float("-inf"))

    def worked(self, name: str) -> None:
        """It answered."""
        if name in self._failures:
            with self._lock:
                self._failures.pop(name, None)
                self._until.pop(name, None)

    def failed(self, name: str) -> None:
        """It did not, in a way that is its own fault."""
        with self._lock:
            self._failures[name] = self._failures.get(name, 0) + 1
            if self._after and self._failures[name] >= self._after:
                if not self.rests(name):
                    log.warning("%s failed %d times: not asked for %g s", name, self._failures[name], self._pause_s)
                self._until[name] = self._clock.monotonic() + self._pause_s


# What is the model's own fault, and not that of one request.
_OWN_FAULTS: frozenset[FailureKind] = RETRYABLE | {"quota"}


class Fallback:
    """Asks the next model if one fails in a way that another may not.

    What a retry may cure is sent again first. That is done here: nothing in a request says whether the client above
    sends it again, and one that never does would get no other model.
    """

    def __init__(
        self,
        plan: FallbackPlan,
        *,
        retries: bool = True,
        clock: Clock = SYSTEM_CLOCK,
        random: Random = SYSTEM_RANDOM,
    ) -> None:
        """``retries`` says whether failed calls are sent again here."""
        self._plan = plan
        self._after = plan.after_retries if retries else 0
        self._clock = clock
        self._random = random
        self._cooldown = Cooldown(plan.cooldown_s, plan.cooldown_after, clock=clock)

    def handle(self, call: Call, inner: Handler) -> Flow:
        if not interchangeable(call):
            return (yield from inner(call))
        current, begun = self._awake(call), self._clock.monotonic()
        tried = {call.model, current.model}
        while True:
            try:
                answer = yield from inner(current)
                self._cooldown.worked(current.model)
                return answer if current.model == call.model else answer._replace(substitute=True)
            except CallFailed as failure:
                if failure.kind in _OWN_FAULTS:
                    self._cooldown.failed(current.model)
                following = next((model for model in self._models(failure) if model not in tried), None)
                if following is None or failure.passed:
                    raise
                pause = self._pause(failure, current)
            if pause is None:
                tried.add(following)
                current = current.sent_with(model=following)._replace(step=current.step + 1)
            else:
                yield Sleep(pause)
                current = current._replace(attempt=current.attempt + 1)
            if call.give_up_at is not None:
                # As a retry of the SDK's, it has the whole of its caller's timeout again.
                current = current._replace(give_up_at=self._clock.monotonic() + call.give_up_at - begun)

    def _awake(self, call: Call) -> Call:
        """The call, of the first of the models that does not rest; if all do, as it is."""
        if not self._cooldown.rests(call.model):
            return call
        model = next((model for model in self._plan.models if not self._cooldown.rests(model)), None)
        return call if model is None else call.sent_with(model=model)._replace(step=call.step + 1)

    def _models(self, failure: CallFailed) -> Sequence[str]:
        plan = self._plan
        if failure.kind in plan.by_kind:
            return plan.by_kind[failure.kind]
        return plan.models if failure.kind in plan.on else ()

    def _pause(self, failure: CallFailed, call: Call) -> float | None:
        """Seconds after which the same model is asked again; ``None`` if another one is asked."""
        if (
            call.step
            or self._cooldown.rests(call.model)
            or call.attempt >= self._after
            or failure.kind not in RETRYABLE
        ):
            return None
        asked = pause_of(failure.headers, self._clock.time(), throttled=True)
        refused = failure.headers.get("x-should-retry") == "false" or asked > LONGEST_PAUSE_S
        return None if refused else retry_pause(asked, call.attempt, self._random)
