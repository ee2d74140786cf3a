"""When a call is sent: how many a minute, and when one that failed is sent again."""

from collections.abc import Iterator
from email.utils import formatdate
from itertools import pairwise
from random import Random

import pytest

from promptopt.errors import UsageError
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.failures import CallFailed
from promptopt.gateway.flow import run, stack
from promptopt.gateway.layers.concurrency import Pace, Retries
from promptopt.gateway.simulate import SimulatedClock
from promptopt.testing import check_layer

CALL = Call.of("chat", "", {"model": "m", "messages": [{"role": "user", "content": "hello"}]})


class Upstream:
    """Fails as it is told, then answers; notes when it was asked."""

    def __init__(self, clock: SimulatedClock, failures: list[CallFailed]) -> None:
        self._clock = clock
        self._failures: Iterator[CallFailed] = iter(failures)
        self.asked: list[float] = []

    def __call__(self, call: Call) -> Answer:
        self.asked.append(self._clock.monotonic())
        failure = next(self._failures, None)
        if failure is not None:
            raise failure
        return Answer("hello", call.model)


def ask(layers: list[object], failures: list[CallFailed], calls: int = 1) -> list[float]:
    """When the upstream is asked, in seconds from the first time."""
    clock = SimulatedClock()
    made = [layer(clock) if callable(layer) else layer for layer in layers]
    upstream = Upstream(clock, failures)
    handler = stack(made)
    try:
        for _ in range(calls):
            run(handler(CALL), upstream, clock)
    finally:
        asked = [moment - upstream.asked[0] for moment in upstream.asked]
    return asked


def test_pauses_between_retries_grow_and_are_not_all_alike() -> None:
    asked = ask([Retries(6, random=Random(1))], [CallFailed("server", status=503)] * 6)
    pauses = [after - before for before, after in pairwise(asked)]
    assert [0.75 * most <= pause <= most for pause, most in zip(pauses, (0.5, 1, 2, 4, 8, 8), strict=True)] == [
        True
    ] * 6


def test_a_pause_that_the_provider_asks_for_is_kept() -> None:
    asked = ask([Retries(1)], [CallFailed("rate_limit", status=429, headers={"retry-after": "7"})])
    assert asked == [0, 7]


def test_a_date_to_wait_for_is_read_by_the_clock_of_the_layer() -> None:
    """The simulated clock begins at another time than the machine's."""
    clock = SimulatedClock()
    date = formatdate(clock.time() + 30, usegmt=True)
    upstream = Upstream(clock, [CallFailed("rate_limit", status=429, headers={"retry-after": date})])
    run(stack([Retries(1, clock=clock)])(CALL), upstream, clock)
    assert upstream.asked[1] - upstream.asked[0] == pytest.approx(30, abs=1)


@pytest.mark.parametrize(
    "failure",
    [
        CallFailed("bad_request", status=400),
        CallFailed("auth", status=401),
        CallFailed("rate_limit", status=429, headers={"retry-after": "86400"}),
        CallFailed("server", status=500, headers={"x-should-retry": "false"}),
        CallFailed("server", passed=True),
    ],
    ids=lambda failure: f"{failure.kind} {dict(failure.headers)}",
)
def test_what_no_retry_cures_is_sent_once(failure: CallFailed) -> None:
    clock = SimulatedClock()
    upstream = Upstream(clock, [failure] * 3)
    with pytest.raises(CallFailed) as raised:
        run(stack([Retries(2)])(CALL), upstream, clock)
    assert raised.value is failure
    assert len(upstream.asked) == 1


def test_the_last_failure_is_raised_after_the_last_retry() -> None:
    clock = SimulatedClock()
    upstream = Upstream(clock, [CallFailed("server", status=500 + number) for number in range(4)])
    with pytest.raises(CallFailed, match="502"):
        run(stack([Retries(2)])(CALL), upstream, clock)
    assert len(upstream.asked) == 3


def test_calls_are_evenly_apart_and_a_retry_is_one_of_them() -> None:
    failures = [CallFailed("server", status=503)]
    asked = ask([Retries(1, random=Random(1)), lambda clock: Pace(20, clock=clock)], failures, calls=4)
    assert asked == [0, 3, 6, 9, 12]


def test_time_that_passes_between_calls_is_not_saved_up() -> None:
    clock = SimulatedClock()
    upstream = Upstream(clock, [])
    handler = stack([Pace(60, clock=clock)])
    for pause in (0, 10, 0, 0):
        clock.sleep(pause)
        run(handler(CALL), upstream, clock)
    assert [after - before for before, after in pairwise(upstream.asked)] == [10, 1, 1]


def test_they_keep_the_promises_of_a_layer() -> None:
    check_layer(lambda parts: Pace(100_000, clock=parts.clock))
    check_layer(lambda parts: Retries(1, random=parts.random))


def test_numbers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="rpm = 0 is not a positive number"):
        Pace(0)
    with pytest.raises(UsageError, match="retries = -1 is not a number of at least 0"):
        Retries(-1)
