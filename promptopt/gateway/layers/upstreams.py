"""Several upstreams: for each call one that has its model, by weight, latency or price; one that fails is rested."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal, get_args

from promptopt.errors import UsageError
from promptopt.gateway.bounds import Unbounded
from promptopt.gateway.call import Answer, Call, Upstream
from promptopt.gateway.clock import SYSTEM_CLOCK, SYSTEM_RANDOM, Clock
from promptopt.gateway.costs import Costs
from promptopt.gateway.failures import CallFailed, Refused
from promptopt.gateway.flow import Flow, Handler
from promptopt.gateway.layers.concurrency import pause_of
from promptopt.providers.openai.errors import FailureKind

Balance = Literal["weight", "latency", "price"]
BALANCES: tuple[Balance, ...] = get_args(Balance)

# What another endpoint may answer, although it is the same request. `auth` and `quota` are of the endpoint's own key.
_ANOTHER_MAY: frozenset[FailureKind] = frozenset(
    {"rate_limit", "server", "timeout", "connection", "invalid_body", "auth", "quota", "not_found"}
)
# A model that an endpoint does not know says nothing about the endpoint.
_RESTS: frozenset[FailureKind] = _ANOTHER_MAY - {"not_found"}
# After these it is certain at once that the next call would fail as well.
_CERTAIN: frozenset[FailureKind] = frozenset({"auth", "quota", "rate_limit"})
# What a call took is forgotten by half in so many seconds, so that an endpoint that was slow once is asked again.
_HALF_LIFE_S = 10.0


class NoUpstream(Refused):
    """No upstream of the configuration has the model that was asked for."""

    code = "model_not_found"
    status = 404


@dataclass(frozen=True, slots=True)
class UpstreamPlan:
    """The upstreams, and how one is chosen among those that have a model.

    Attributes:
        balance: ``weight``: at random, by their weights; ``latency``: the one with the least of recent latency times
            calls in flight; ``price``: the cheapest for the call. Among equals the weights decide.
        cooldown_s: For how long an upstream is rested after ``failures`` failures in a row; after a 429, a wrong key or
            a used-up quota at once, and for as long as its ``retry-after`` says.

    Raises:
        UsageError: There is none, two have one name, or a number is not positive.
    """

    upstreams: Sequence[Upstream]
    balance: Balance = "weight"
    cooldown_s: float = 30.0
    failures: int = 3

    def __post_init__(self) -> None:
        names = [upstream.name for upstream in self.upstreams]
        if not names:
            raise UsageError("upstreams: there is none; give at least one: {name = ..., url = ...}")
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"upstreams: two are named {twice!r}")
        if self.balance not in BALANCES:
            raise UsageError(f"balance = {self.balance!r} is not one of {', '.join(BALANCES)}")
        if self.cooldown_s <= 0 or self.failures < 1:
            raise UsageError(f"cooldown = {self.cooldown_s:g} s after {self.failures} failures: give positive numbers")


@dataclass(slots=True)
class _State:
    """What is known of an upstream in this process. Seconds are the clock's ``monotonic``."""

    flying: int = 0
    failures: int = 0
    rests_until: float = 0.0
    latency_s: float = 0.0
    measured_at: float = 0.0

    def latency(self, now: float) -> float:
        """What its calls took of late; it decays while none ends."""
        return float(self.latency_s * 0.5 ** max(0.0, (now - self.measured_at) / _HALF_LIFE_S))


class Upstreams:
    """Sends each call to an upstream that has its model, and to the next one if that fails.

    If all are rested, the one whose rest ends first is asked: a call is not refused for what may be over. What is known
    of them is known to this process only.
    """

    def __init__(
        self, plan: UpstreamPlan, costs: Costs, *, clock: Clock = SYSTEM_CLOCK, random: Random = SYSTEM_RANDOM
    ) -> None:
        self.plan = plan
        self._costs = costs
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._states = {upstream.name: _State() for upstream in plan.upstreams}

    def handle(self, call: Call, inner: Handler) -> Flow:
        failed: CallFailed | None = None
        for step, upstream in enumerate(self._chosen(call)):
            try:
                return (yield from self._ask(call._replace(upstream=upstream, step=call.step + step), inner))
            except CallFailed as failure:
                if failure.passed or failure.kind not in _ANOTHER_MAY:
                    raise
                failed = failure
        assert failed is not None
        raise failed

    def resting(self) -> dict[str, float]:
        """Seconds for which each upstream is still rested; 0 for one that is not."""
        now = self._clock.monotonic()
        return {name: max(0.0, state.rests_until - now) for name, state in self._states.items()}

    def _ask(self, call: Call, inner: Handler) -> Flow:
        assert call.upstream is not None
        state, started = self._states[call.upstream.name], self._clock.monotonic()
        with self._lock:
            state.flying += 1
        try:
            answer = yield from inner(call)
        except CallFailed as failure:
            self._failed(state, failure)
            raise
        finally:
            with self._lock:
                state.flying -= 1
        self._answered(state, answer, started)
        return answer

    def _failed(self, state: _State, failure: CallFailed) -> None:
        if failure.kind not in _RESTS:
            return
        asked = pause_of(failure.headers, self._clock.time(), throttled=True)
        with self._lock:
            state.failures += 1
            if asked or failure.kind in _CERTAIN or state.failures >= self.plan.failures:
                state.rests_until = self._clock.monotonic() + (asked or self.plan.cooldown_s)

    def _answered(self, state: _State, answer: Answer, started: float) -> None:
        if answer.source != "upstream":
            return
        now = self._clock.monotonic()
        with self._lock:
            state.failures, state.rests_until = 0, 0.0
            known = state.latency(now)
            # The peak counts at once and a faster call little by little, as in Finagle's "peak EWMA".
            state.latency_s = max(now - started, 0.8 * known + 0.2 * (now - started))
            state.measured_at = now

    def _chosen(self, call: Call) -> Iterator[Upstream]:
        """The upstreams to ask, the best first.

        Raises:
            NoUpstream: None has the model.
        """
        left = [upstream for upstream in self.plan.upstreams if upstream.serves(call.model)]
        if not left:
            raise NoUpstream(f"no upstream has the model {call.model!r}", details={"param": "model"})
        while left:
            now = self._clock.monotonic()
            ready = [upstream for upstream in left if self._states[upstream.name].rests_until <= now]
            # One that is rested is asked only if no other one is left.
            chosen = self._best(call, ready, now) if ready else min(left, key=self._end_of_rest)
            left.remove(chosen)
            yield chosen

    def _end_of_rest(self, upstream: Upstream) -> float:
        return self._states[upstream.name].rests_until

    def _best(self, call: Call, ready: Sequence[Upstream], now: float) -> Upstream:
        if len(ready) == 1:
            return ready[0]
        if self.plan.balance != "weight":
            loads = [self._load(call, upstream, now) for upstream in ready]
            ready = [upstream for upstream, load in zip(ready, loads, strict=True) if load == min(loads)]
        return self._random.choices(ready, [upstream.weight for upstream in ready])[0]

    def _load(self, call: Call, upstream: Upstream, now: float) -> float | Decimal:
        if self.plan.balance == "latency":
            state = self._states[upstream.name]
            return state.latency(now) * (state.flying + 1)
        try:
            return self._costs.worst_case(call._replace(upstream=upstream)).cost.total_usd
        except Unbounded:
            return Decimal("Infinity")
