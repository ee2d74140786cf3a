import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from upstream import answer, ask, wait_until

from promptopt.gateway.call import Answer, Call
from promptopt.gateway.flow import run
from promptopt.gateway.layers.single_flight import SingleFlight
from promptopt.gateway.stores.base import LEASE_S, StoreOptions
from promptopt.gateway.stores.redis import RedisStore
from promptopt.gateway.stores.sqlite import SqliteStore


@pytest.fixture(params=["sqlite", "redis"])
def leases(request, tmp_path):
    if request.param == "sqlite":
        return lambda: SqliteStore(StoreOptions(tmp_path)).leases(None)
    url = request.getfixturevalue("redis_server").url
    return lambda: RedisStore(StoreOptions(tmp_path, url=url)).leases(None)


CALL = Call("chat", "u", {"model": "m", "temperature": 0}, identity="key")


def test_two_processes_make_one_call(leases):
    """Two flights with leases of their own are what two processes are to each other."""
    asked = []

    def inner(call):
        asked.append(1)
        time.sleep(0.2)
        return Answer("answer")
        yield

    got = []
    flights = [SingleFlight(lambda _: True, leases()) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda flight=flight: got.append(run(flight.handle(CALL, inner), None)))
        for flight in flights
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    assert {each.text for each in got} == {"answer"}
    assert sorted(each.source for each in got) == ["shared", "shared", "shared", "upstream"]


def test_who_comes_later_asks_anew(leases):
    asked = []

    def inner(call):
        asked.append(1)
        return Answer("a")
        yield

    for _ in range(2):
        run(SingleFlight(lambda _: True, leases()).handle(CALL, inner), None)
    assert len(asked) == 2


def test_a_failed_leader_in_another_process_gives_way(leases):
    started = threading.Event()

    def failing(call):
        started.set()
        time.sleep(0.2)
        raise ValueError("no answer")
        yield

    def working(call):
        return Answer("a")
        yield

    def lead():
        with pytest.raises(ValueError, match="no answer"):
            run(SingleFlight(lambda _: True, leases()).handle(CALL, failing), None)

    thread = threading.Thread(target=lead)
    thread.start()
    started.wait()
    assert run(SingleFlight(lambda _: True, leases()).handle(CALL, working), None).source == "upstream"
    thread.join()


def test_a_lease_ends_and_is_renewed(tmp_path):
    leases = SqliteStore(StoreOptions(tmp_path)).leases(None)
    assert leases.acquire("k", "a", 100.0, fresh=True) is True
    assert leases.acquire("k", "b", 101.0, fresh=True) is False
    leases.renew("k", "a", 104.0)
    assert leases.acquire("k", "b", 100.0 + LEASE_S + 1, fresh=True) is False
    assert leases.acquire("k", "b", 104.0 + LEASE_S + 1, fresh=True) is True
    leases.release("k", "a", Answer("late"), 110.0)
    assert leases.acquire("k", "c", 111.0, fresh=False) is False
    # The clock went back by an hour: the lease is not valid for an hour more.
    assert leases.acquire("k", "c", 111.0 - 3600, fresh=True) is True


@pytest.mark.parametrize("shared", ["sqlite", "redis"])
def test_a_follower_leads_after_the_leader_was_killed(upstream, folder, client, request, shared):
    url = request.getfixturevalue("redis_server").url if shared == "redis" else None
    options = f"redis={url!r}" if url else ""
    upstream.delay_s = 60
    code = (
        "import openai, promptopt\n"
        f"c = openai.OpenAI(base_url={upstream.url!r}, api_key='k', http_client=promptopt.http_client({options}))\n"
        "c.chat.completions.create(model='gpt-4o-mini', temperature=0, messages=[{'role': 'user', 'content': 'hi'}])\n"
    )
    leader = subprocess.Popen([sys.executable, "-c", code])
    assert wait_until(lambda: upstream.calls == 1, 30)
    time.sleep(0.2)  # the ledger writes a little later
    os.kill(leader.pid, signal.SIGKILL)
    leader.wait()
    upstream.delay_s = 0
    upstream.on = lambda path, body: answer(body)
    sdk = client(**({"redis": url} if url else {}))
    started = time.monotonic()
    message = [{"role": "user", "content": "hi"}]
    found = sdk.chat.completions.create(model="gpt-4o-mini", temperature=0, messages=message)
    assert found.choices[0].message.content == "ok"
    assert time.monotonic() - started < LEASE_S + 2
    statuses = [row.status for row in sdk._client.gateway.ledger.rows()]
    assert statuses == ["sent", "ok"]
    assert upstream.calls == 2


def test_redis_is_asked_who_leads_and_what_is_kept_at_once(client, upstream, redis_server):
    import redis

    sdk, other = (client(redis=redis_server.url) for _ in range(2))
    server = redis.Redis.from_url(redis_server.url)

    def scripts():
        found = server.info("commandstats")
        return sum(found.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))

    ask(sdk, "first")
    assert wait_until(lambda: len(server.keys("promptopt:cache:*")) == 1)
    server.config_resetstat()
    ask(sdk, "new")
    assert wait_until(lambda: len(server.keys("promptopt:cache:*")) == 2)
    assert scripts() == 2
    # Within the two scripts: the kept answer and the lease, then the lease again.
    assert server.info("commandstats")["cmdstat_get"]["calls"] == 3
    ask(other, "new")
    ask(other, "first")
    assert upstream.calls == 2
    assert scripts() == 4
    server.close()
    for each in (sdk, other):
        each.close()


def test_followers_of_a_hit_are_hits():
    begun, go = threading.Event(), threading.Event()

    def inner(call):
        begun.set()
        go.wait(10)
        return Answer("kept", source="cache")
        yield

    flight, got = SingleFlight(lambda _: True), []
    threads = [
        threading.Thread(target=lambda: got.append(run(flight.handle(CALL, inner), None).source)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    time.sleep(0.1)
    go.set()
    for thread in threads:
        thread.join()
    assert got == ["cache"] * 3
