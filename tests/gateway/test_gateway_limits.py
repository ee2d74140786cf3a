import asyncio
import threading
import time

import limits
import openai
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from upstream import answer, ask, error, wait_until

import promptopt
from promptopt.config import load_config
from promptopt.errors import UsageError
from promptopt.gateway.assembly import build_gateway
from promptopt.gateway.call import Answer, Call, Labels
from promptopt.gateway.flow import run
from promptopt.gateway.layers.concurrency import Concurrency, duration, pause_of
from promptopt.gateway.settings import read_settings
from promptopt.gateway.stores.memory import MemoryWindows
from promptopt.gateway.stores.redis import RedisWindows
from promptopt.gateway.stores.redis_link import RedisLink


@pytest.mark.parametrize("shared", ["memory", "redis"])
def test_a_refusal_says_when_the_next_call_is_allowed(client, upstream, request, shared):
    options = {} if shared == "memory" else {"redis": request.getfixturevalue("redis_server").url}
    sdk = client(limits={"per_user": "2/minute"}, cache=False, **options)
    with promptopt.labels(user="u1"):
        ask(sdk)
        ask(sdk)
        with pytest.raises(openai.RateLimitError) as caught:
            ask(sdk)
    assert isinstance(caught.value, promptopt.LimitExceeded)
    assert caught.value.code == "rate_limit_exceeded"
    assert 0 < caught.value.retry_after <= 60
    assert float(caught.value.response.headers["retry-after"]) == pytest.approx(caught.value.retry_after, abs=0.01)
    assert caught.value.body["retry_after"] == caught.value.retry_after
    ask(sdk, user="u2")
    assert upstream.calls == 3


def test_tiers_and_keys(client, upstream):
    sdk = client(limits={"tiers": {"free": "1/hour", "pro": "3/hour"}, "per_key": "5/hour"}, cache=False)
    for tier, allowed in (("free", 1), ("pro", 3)):
        with promptopt.labels(user="u", tier=tier):
            for _ in range(allowed):
                ask(sdk)
            with pytest.raises(promptopt.LimitExceeded, match=f"tier {tier}:u"):
                ask(sdk)
    ask(sdk)
    with pytest.raises(promptopt.LimitExceeded, match="for key;") as caught:
        ask(sdk)
    assert "sk-test" not in str(caught.value)
    with (
        promptopt.labels(tier="gold"),
        pytest.raises(openai.BadRequestError, match="no such tier; known are free, pro"),
    ):
        ask(sdk)


def test_kept_answers_are_free(client, upstream):
    sdk = client(limits={"per_user": "1/hour"})
    for _ in range(3):
        ask(sdk)
    assert upstream.calls == 1


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"per_user": "often"}, "per_user = 'often' is not written like"),
        ({"tiers": {"a": "1/day"}, "default_tier": "b"}, "no such tier"),
        ({"per_usr": "1/day"}, "unknown key 'per_usr'"),
        ({"per_user": 5}, "limits per_user = 5 is not a text"),
        ({"tiers": {"a": 5}}, "limits tiers.a = 5 is not a text"),
    ],
)
def test_bad_limits(client, limits, message):
    with pytest.raises(UsageError, match=message):
        client(limits=limits)


def test_no_more_calls_in_flight_than_allowed(client, aclient, upstream):
    most = []
    upstream.delay_s = 0.02
    seen = []

    def on(path, body):
        seen.append(time.monotonic())
        return answer(body)

    upstream.on = on
    sdk = client(concurrency=3, cache=False, single_flight=False)
    threads = [threading.Thread(target=ask, args=(sdk, str(n))) for n in range(15)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Fifteen calls of 20 ms, three at a time.
    assert time.monotonic() - started >= 5 * 0.02
    assert len(seen) == 15

    async def main():
        async with aclient(concurrency=3, cache=False) as sdk:
            gate = next(layer for layer in sdk._client.gateway.layers if isinstance(layer, Concurrency))

            async def watch():
                while len(seen) < 30:
                    most.append(gate._flying)
                    await asyncio.sleep(0.003)

            message = [{"role": "user", "content": "x"}]
            calls = [sdk.chat.completions.create(model="gpt-4o-mini", messages=message) for _ in range(15)]
            await asyncio.gather(watch(), *calls)

    asyncio.run(main())
    assert max(most) == 3


def test_a_full_queue_refuses(client, upstream):
    upstream.delay_s = 0.3
    sdk = client(concurrency=1, queue=1, queue_wait=0.05, cache=False)
    thread = threading.Thread(target=ask, args=(sdk,))
    thread.start()
    assert wait_until(lambda: upstream.calls == 1)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(sdk, "second")
    assert caught.value.code == "queue_full"
    thread.join()
    upstream.delay_s = 0
    ask(sdk, "third")


def test_adapts_to_what_the_provider_says(client, upstream):
    upstream.on = lambda path, body: error(429, "rate_limit_exceeded", retry_after="0.2")
    sdk = client(concurrency=8, cache=False)
    gate = next(layer for layer in sdk._client.gateway.layers if isinstance(layer, Concurrency))
    with pytest.raises(openai.RateLimitError):
        ask(sdk)
    assert gate.limit == 4
    upstream.on = lambda path, body: answer(body)
    started = time.monotonic()
    ask(sdk)
    assert time.monotonic() - started >= 0.15
    for number in range(40):
        ask(sdk, str(number))
    assert gate.limit == 8


def test_pause_of():
    gone = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"}
    assert pause_of(gone, time.time(), throttled=False) == 62
    assert (
        pause_of({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "9s"}, time.time(), throttled=False)
        == 0
    )
    assert pause_of({"retry-after-ms": "250", "retry-after": "7"}, time.time(), throttled=True) == 0.25
    assert pause_of({"retry-after": "Fri, 21 Nov 2026 00:00:00 GMT"}, time.time(), throttled=True) == 0


@given(st.text(max_size=20))
def test_any_header_gives_a_pause(text):
    assert duration(text) >= 0


@given(st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_durations(minutes, seconds, milliseconds):
    assert duration(f"{minutes}m{seconds}s{milliseconds}ms") == pytest.approx(
        minutes * 60 + seconds + milliseconds / 1e3
    )


@pytest.mark.parametrize("value", [0, -1, "many", True])
def test_bad_concurrency(client, value):
    with pytest.raises(UsageError, match="concurrency"):
        client(concurrency=value)


@given(
    st.lists(st.floats(0, 50), min_size=1, max_size=60),
    st.integers(1, 5),
    st.sampled_from(["second", "10 seconds", "minute"]),
)
@example(
    [1.0591053209870296, 1.059075269501113, 1.5717678895870417, 14.559680978362127, 49.95657362257121, 0.0], 1, "minute"
)
def test_no_window_has_more_calls_than_its_limit(gaps, amount, window):
    """Whenever calls come, those that pass are at most ``amount`` in any window, and the promised wait is right."""
    item = limits.parse(f"{amount} per {window}")
    windows, now, passed = MemoryWindows(), 0.0, []
    for gap in gaps:
        now += gap
        full = windows.hit([(item, "u")], now)
        recent = [at for at in passed if at > now - item.get_expiry()]
        assert (full is None) == (len(recent) < amount)
        if full is None:
            passed.append(now)
        else:
            assert windows.hit([(item, "u")], now + full[2] * 0.99 - 1e-6) is not None
            assert full[2] <= item.get_expiry()
            assert now + full[2] == pytest.approx(recent[-amount] + item.get_expiry())


def test_a_refused_call_counts_nowhere():
    a, b = limits.parse("1/minute"), limits.parse("5/minute")
    windows = MemoryWindows()
    assert windows.hit([(a, "u"), (b, "k")], 0.0) is None
    for _ in range(9):
        assert windows.hit([(b, "k"), (a, "u")], 1.0)[0] is a
    for _ in range(4):
        assert windows.hit([(b, "k")], 2.0) is None
    assert windows.hit([(b, "k")], 2.0)[0] is b


class ManualClock:
    """A clock whose wall time is set apart from the seconds that pass."""

    def __init__(self) -> None:
        self.now = self.wall = 1_790_000_000.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


@pytest.mark.parametrize("hours", [-30, -3, 3, 30])
@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_clock_that_is_set_frees_no_caller_and_holds_none_up(folder, store, hours):
    clock = ManualClock()
    config = load_config()
    settings = read_settings(
        config, {"store": store, "limits": {"per_user": "2/hour"}, "cache": False, "ledger": False}
    )
    gateway = build_gateway(settings, config, clock=clock)
    call = Call.of("chat", "", {"model": "gpt-4o-mini", "messages": [], "user": "u1"}, Labels(user="u1"))

    def passes():
        try:
            run(gateway.handler(call), lambda call: Answer("ok"), clock)
        except promptopt.LimitExceeded as refusal:
            return refusal.retry_after
        return None

    assert [passes(), passes()] == [None, None]
    clock.wall += hours * 3600
    clock.sleep(600)
    assert passes() == pytest.approx(3000)
    clock.sleep(3001)
    assert passes() is None
    gateway.close()


@pytest.fixture
def windows(redis_server):
    """Those of two processes."""
    made = [RedisWindows(RedisLink(redis_server.url)) for _ in range(2)]
    yield made
    for each in made:
        each._link.close()


def test_windows_in_redis_admit_exactly_as_many_calls_as_they_say(windows):
    few, many = limits.parse("20/hour"), limits.parse("1000/day")
    admitted = []

    def call(number):
        who = windows[number % 2]
        for _ in range(5):
            full = who.hit([(many, "key:k"), (few, "user:u")], 0.0)
            admitted.append(full is None)
            assert full is None or full[:2] == (few, "user:u")
            assert full is None or 3500 < full[2] <= 3600

    threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(admitted), sum(admitted)) == (80, 20)
    # A call that one window refuses counts in none.
    for _ in range(980):
        assert windows[0].hit([(many, "key:k")], 0.0) is None
    assert windows[1].hit([(many, "key:k")], 0.0)[0] is many


def test_windows_in_redis_are_those_of_the_package_limits(windows, redis_server):
    """Calls that an earlier version has counted count, and the window moves on."""
    item = limits.parse("3/second")
    package = MovingWindowRateLimiter(RedisStorage(redis_server.url))
    assert [package.hit(item, "user:u"), package.hit(item, "user:u")] == [True, True]
    assert windows[0].hit([(item, "user:u")], 0.0) is None
    assert not package.test(item, "user:u")
    _, _, left = windows[1].hit([(item, "user:u")], 0.0)
    assert 0 < left <= 1
    time.sleep(left + 0.05)
    assert windows[1].hit([(item, "user:u")], 0.0) is None


@pytest.mark.parametrize("shared", ["memory", "redis"])
def test_a_call_that_is_refused_after_the_limits_uses_up_nobodys_calls(client, upstream, request, shared):
    """By a budget, or a line that is full; https://github.com/BerriAI/litellm/issues/39309 is of the like."""
    options = {} if shared == "memory" else {"redis": request.getfixturevalue("redis_server").url}
    limited = {"per_user": "2/minute", "per_team": "3/minute"}
    sdk = client(limits=limited, cache=False, budget={"tags": {"dear": 0.0000001}}, **options)
    with promptopt.labels(user="u1", team="t1"):
        ask(sdk)
        for _ in range(5):
            with promptopt.labels(tag="dear"), pytest.raises(promptopt.BudgetExceeded):
                ask(sdk)
        ask(sdk)
        with pytest.raises(promptopt.LimitExceeded):
            ask(sdk)
    with promptopt.labels(user="u2", team="t1"):
        ask(sdk)
        with pytest.raises(promptopt.LimitExceeded, match="team t1"):
            ask(sdk)
    assert upstream.calls == 3


def test_the_call_that_was_not_made_is_the_one_that_is_taken_out():
    item, windows = limits.parse("2/minute"), MemoryWindows()
    for now in (0.0, 20.0):
        assert windows.hit([(item, "u")], now) is None
    windows.give_back([(item, "u")], 0.0)
    windows.give_back([(item, "u")], 1.0)
    assert windows.hit([(item, "u")], 40.0) is None
    # The minute of the second call is not over; that of the first would have been.
    assert windows.hit([(item, "u")], 70.0) is not None
    assert windows.hit([(item, "u")], 81.0) is None
