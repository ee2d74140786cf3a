import re
import time
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from promptopt.config import Config
from promptopt.gateway.assembly import build_gateway
from promptopt.gateway.call import Answer, Call, Labels
from promptopt.gateway.failures import BudgetExceeded, CallFailed, LimitExceeded
from promptopt.gateway.flow import stack
from promptopt.gateway.layers.budget import BudgetLimits
from promptopt.gateway.layers.cache import CachePolicy, ExactCache
from promptopt.gateway.layers.limits import CallLimits
from promptopt.gateway.settings import GatewaySettings
from promptopt.gateway.simulate import Arrival, SimulatedClock, simulate
from promptopt.gateway.stores.base import StoreDown
from promptopt.gateway.stores.memory import MemoryCache
from promptopt.values import Usage

START = 1_790_000_000.0


def call(text, *, model="gpt-4o-mini", **labels):
    messages = [{"role": "user", "content": text}]
    body = {"model": model, "messages": messages, "temperature": 0, "max_completion_tokens": 100}
    return Call.of("chat", "u", body, Labels(**labels))


def gateway(folder, clock, **settings):
    settings = {"store": "memory", "ledger": folder / "none", **settings}
    return build_gateway(
        GatewaySettings(folder, **settings), Config(folder, folder, folder), clock=clock, random=Random(1)
    )


def answers(seconds=1.0, output=100):
    return lambda call: (seconds, Answer("ok", call.model, usage=Usage(8, 0, 0, output), sent_to=call.model))


@pytest.fixture
def clock():
    return SimulatedClock(START)


def test_calls_in_flight_are_shared_and_later_ones_are_cached(folder, clock):
    built = gateway(folder, clock)
    moments = [0.0, 0.5, 0.9, 1.5, 3601.0]
    outcomes = simulate(built.handler, [Arrival(START + at, call("now")) for at in moments], answers(), clock)
    assert [each.answer.source for each in outcomes] == ["upstream", "shared", "shared", "cache", "upstream"]
    assert [round(each.ended_at - START, 3) for each in outcomes] == [1.0, 1.0, 1.0, 1.5, 3602.0]
    # The ledger is on the simulated clock, latencies too.
    assert [(round(row.at - START, 3), row.latency_ms, row.cache) for row in built.ledger.rows()] == [
        (0.0, 1000.0, "miss"),
        (0.5, 500.0, "shared"),
        (0.9, 100.0, "shared"),
        (1.5, 0.0, "cache"),
        (3601.0, 1000.0, "miss"),
    ]


def test_a_budget_waits_on_the_simulated_clock(folder, clock):
    """Each call may cost $0.0000612; while one is in flight, the next waits for it, and no longer than it may."""
    limits = BudgetLimits(day=Decimal("0.0000700"), wait_s=5.0)
    built = gateway(folder, clock, cache=None, single_flight=False, budget=limits)
    began = time.monotonic()
    first, second, third = simulate(
        built.handler,
        [Arrival(START, call("a")), Arrival(START + 1, call("b")), Arrival(START + 2, call("c"))],
        answers(seconds=4.5, output=1),
        clock,
    )
    assert first.answer is not None
    # It waited for the first to settle.
    assert second.ended_at - START == pytest.approx(9.0, abs=0.2)
    assert isinstance(third.error, BudgetExceeded)
    assert third.ended_at - START == pytest.approx(7.0, abs=0.2)
    assert time.monotonic() - began < 2


def test_limits_are_moving_windows_on_the_simulated_clock(folder, clock):
    built = gateway(folder, clock, cache=None, limits=CallLimits(per_user="2/minute"))
    moments = [0, 1, 2, 59, 60.5, 60.9, 61.5]
    arrivals = [Arrival(START + at, call(str(at), user="u")) for at in moments]
    outcomes = simulate(built.handler, arrivals, answers(0.1), clock)
    assert [each.error is None for each in outcomes] == [True, True, False, False, True, False, True]
    assert isinstance(outcomes[2].error, LimitExceeded)
    assert outcomes[2].error.retry_after == pytest.approx(58)


def test_fallback_and_concurrency(folder, clock):
    from promptopt.gateway.layers.routing import FallbackPlan

    def upstream(call):
        return (1.0, CallFailed("quota", status=429)) if call.model == "gpt-4o" else answers()(call)

    plan = FallbackPlan(models=["gpt-4o-mini"], after_retries=0)
    built = gateway(folder, clock, cache=None, single_flight=False, concurrency=1, fallback=plan)
    arrivals = [Arrival(START, call(str(number), model="gpt-4o")) for number in range(2)]
    outcomes = simulate(built.handler, arrivals, upstream, clock)
    assert [each.answer.sent_to for each in outcomes] == ["gpt-4o-mini", "gpt-4o-mini"]
    assert max(each.ended_at for each in outcomes) == START + 4


def test_a_failure_reaches_its_caller(folder, clock):
    built = gateway(folder, clock)
    (outcome,) = simulate(
        built.handler, [Arrival(START, call("x"))], lambda call: (2.0, CallFailed("server", status=500)), clock
    )
    assert (outcome.error.kind, outcome.ended_at) == ("server", START + 2)


def test_a_store_that_is_away_is_met_by_its_layer(clock):
    class Away(MemoryCache):
        networked = True

        def get(self, key, now):
            raise StoreDown("away")

    cache = ExactCache(Away(), CachePolicy(), clock=clock)
    (outcome,) = simulate(stack([cache]), [Arrival(START, call("x"))], answers(), clock)
    assert outcome.answer.text == "ok"


def test_a_call_before_the_clocks_time_is_an_error(folder, clock):
    with pytest.raises(ValueError, match="before the clock"):
        simulate(gateway(folder, clock).handler, [Arrival(START - 1, call("x"))], answers(), clock)


def replay(folder, count):
    clock = SimulatedClock(START)
    built = gateway(
        folder,
        clock,
        cache=CachePolicy(lasting=["*"]),
        concurrency=50,
        limits=CallLimits(per_user="400/hour"),
        budget=BudgetLimits(day=Decimal("0.1")),
    )
    chance = Random(7)
    arrivals, at = [], START
    for _ in range(count):
        at += chance.expovariate(1.0)
        arrivals.append(Arrival(at, call(f"question {chance.randrange(count // 4)}", user=f"u{chance.randrange(20)}")))
    outcomes = simulate(built.handler, arrivals, answers(seconds=2.0, output=60), clock)
    return outcomes, list(built.ledger.rows())


def test_10_000_calls_take_seconds_and_give_the_same_each_time(folder):
    began = time.monotonic()
    outcomes, rows = replay(folder, 10_000)
    assert time.monotonic() - began < 20
    assert outcomes[-1].ended_at - START > 9_000
    sources = [each.answer.source for each in outcomes if each.answer]
    assert sources.count("cache") > 5_000
    assert sources.count("shared") > 0
    refused = [each for each in outcomes if each.error is not None]
    assert {type(each.error) for each in refused} <= {LimitExceeded, BudgetExceeded}
    # What is in the ledger is what was sent.
    assert sum(row.status == "ok" and row.cache == "miss" for row in rows) == sources.count("upstream")
    # 8 input and at most 60 output tokens of a model with a known price, and never more than the budget.
    assert sum(row.incurred_usd for row in rows) <= 0.1
    again, _ = replay(folder, 10_000)
    assert [(each.ended_at, each.answer, type(each.error)) for each in again] == [
        (each.ended_at, each.answer, type(each.error)) for each in outcomes
    ]


def test_the_example_of_the_docs(folder, capsys):
    page = (Path(__file__).parents[2] / "docs/gateway.md").read_text()
    (example,) = re.findall(r"```python\n(from random.*?)```", page, re.DOTALL)
    exec(example, {})
    expected = re.findall(r"# (\[.*\])", example)
    assert capsys.readouterr().out.splitlines() == expected


def test_only_the_clock_asks_for_the_time_and_for_chance():
    """But for the thread that writes for all gateways of a process, which waits for the disk, and the server's page."""
    import promptopt.gateway

    room = Path(promptopt.gateway.__file__).parent
    own = {room / "clock.py", room / "stores/write_behind.py", room / "serve/page.py"}
    pattern = re.compile(r"^\s*(import (time|random)\b|from (time|random) import (?!Random$))", re.MULTILINE)
    found = [path.name for path in room.rglob("*.py") if path not in own and pattern.search(path.read_text())]
    assert found == []


def test_only_the_simulation_moves_its_clock(folder, clock, monkeypatch):
    """Leases are renewed by a thread, which sleeps in real time."""
    monkeypatch.setattr("promptopt.gateway.layers.single_flight.LEASE_S", 0.03)
    built = gateway(folder, clock, store="sqlite", cache=None)
    asked = []

    def slowly(call):
        asked.append(clock.now)
        time.sleep(0.1)
        return answers(seconds=20.0)(call)

    outcomes = simulate(built.handler, [Arrival(START, call("a")), Arrival(START + 1, call("b"))], slowly, clock)
    assert asked == [START, START + 1]
    assert [each.ended_at for each in outcomes] == [START + 20, START + 21]
    built.close()
