"""What a call cost is written to Redis once, whatever becomes of the first try: lost, late, or done without a word."""

import os
import signal
import socket
import threading
import time
from contextlib import contextmanager

import pytest
import redis
from upstream import ask, wait_until

from promptopt.gateway.stores.base import BudgetScope, StoreDown
from promptopt.gateway.stores.redis_budget import RedisBudgets
from promptopt.gateway.stores.redis_link import RedisLink

DAY = BudgetScope("day:2026-11-27", 1000)


@pytest.fixture
def budgets(redis_server):
    link = RedisLink(redis_server.url)
    yield RedisBudgets(link)
    link.close()


def counted(redis_server, scope=DAY.name):
    """Spent and reserved, as Redis has it."""
    with redis.Redis.from_url(redis_server.url) as server:
        values = server.hmget(f"promptopt:budget:{scope}", "spent", "reserved")
    return tuple(int(value or 0) for value in values)


@contextmanager
def stopped(redis_server, seconds):
    """Redis reads what was sent to it afterwards, and does it, though nobody hears of it."""
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    waking = threading.Timer(seconds, os.kill, (redis_server.process.pid, signal.SIGCONT))
    waking.start()
    yield
    waking.join()


@contextmanager
def paused(redis_server, seconds):
    """Redis forgets commands of those who went away meanwhile."""
    with redis.Redis.from_url(redis_server.url) as server:
        server.client_pause(int(seconds * 1000))
    yield
    time.sleep(seconds)


@pytest.mark.parametrize("away", [stopped, paused])
def test_a_settlement_that_times_out_is_written_once(budgets, redis_server, away):
    assert budgets.reserve("a", [DAY], 100, 0.0) is None
    assert counted(redis_server) == (0, 100)
    with away(redis_server, 4):
        budgets.settle("a", [DAY], 100, 60)
        time.sleep(1)
    assert wait_until(lambda: counted(redis_server) == (60, 0), 20)
    time.sleep(1.5)
    assert counted(redis_server) == (60, 0)


@pytest.mark.parametrize("away", [stopped, paused])
def test_a_level_that_was_crossed_unheard_is_told_once(budgets, redis_server, away):
    told = []
    budgets.on_crossed = lambda crossed: told.append((crossed.level, crossed.spent))
    assert budgets.reserve("a", [DAY], 800, 0.0) is None
    with away(redis_server, 4):
        budgets.settle("a", [DAY], 800, 600)
    assert wait_until(lambda: told == [(50, 600)], 20)
    assert budgets.reserve("b", [DAY], 100, 0.0) is None
    budgets.settle("b", [DAY], 100, 50)
    assert wait_until(lambda: counted(redis_server) == (650, 0), 20)
    assert told == [(50, 600)]


def test_who_asks_meanwhile_is_refused_and_takes_nothing_away(budgets, redis_server):
    assert budgets.reserve("a", [DAY], 100, 0.0) is None
    with stopped(redis_server, 4):
        budgets.settle("a", [DAY], 100, 60)
        with pytest.raises(StoreDown):
            budgets.reserve("b", [DAY], 100, 0.0)
    # Redis may reserve for the call that was refused, once it goes on; that is given back.
    time.sleep(1)
    assert wait_until(lambda: counted(redis_server) == (60, 0), 20)
    time.sleep(1.5)
    assert counted(redis_server) == (60, 0)


@pytest.mark.parametrize("setting", [("maxmemory", "1"), ("min-replicas-to-write", "1"), ("replicaof", "127.0.0.1 1")])
def test_a_settlement_is_written_once_redis_takes_it_again(budgets, redis_server, setting):
    """Redis is there and refuses to write: it is full, lacks its replicas, or was made a replica."""
    assert budgets.reserve("a", [DAY], 100, 0.0) is None
    with redis.Redis.from_url(redis_server.url) as server:
        refusing, taking = {
            "maxmemory": (lambda: server.config_set(*setting), lambda: server.config_set("maxmemory", "0")),
            "min-replicas-to-write": (lambda: server.config_set(*setting), lambda: server.config_set(setting[0], "0")),
            "replicaof": (lambda: server.replicaof("127.0.0.1", "1"), lambda: server.replicaof("NO", "ONE")),
        }[setting[0]]
        refusing()
        budgets.settle("a", [DAY], 100, 60)
        time.sleep(1.5)
        taking()
    assert wait_until(lambda: counted(redis_server) == (60, 0), 20)


class Forgetful:
    """Stands between Redis and who asks it; of the connection that says a word, it drops the answer and closes it."""

    def __init__(self, port):
        self.word = None
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                asking, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(asking,), daemon=True).start()

    def _carry(self, asking):
        with asking, socket.create_connection(("127.0.0.1", self._to)) as server:
            while data := asking.recv(1 << 20):
                server.sendall(data)
                answer = server.recv(1 << 20)
                if self.word is not None and self.word in data:
                    self.word = None
                    return
                asking.sendall(answer)

    def close(self):
        self._listening.close()


@pytest.fixture
def forgetful(redis_server):
    between = Forgetful(redis_server.port)
    yield between
    between.close()


def test_what_redis_did_before_the_connection_broke_is_done_once(forgetful, redis_server):
    """redis-py sends a command again over another connection."""
    link = RedisLink(forgetful.url)
    budgets = RedisBudgets(link)
    assert budgets.reserve("before", [DAY], 10, 0.0) is None
    budgets.settle("before", [DAY], 10, 5)
    assert wait_until(lambda: counted(redis_server) == (5, 0), 20)
    forgetful.word = b"ask-it"
    assert budgets.reserve("ask-it", [DAY], 100, 0.0) is None
    assert forgetful.word is None
    assert counted(redis_server) == (5, 100)
    forgetful.word = b"ask-it"
    budgets.settle("ask-it", [DAY], 100, 60)
    assert wait_until(lambda: forgetful.word is None, 20)
    assert wait_until(lambda: counted(redis_server)[1] == 0, 20)
    link.close()
    assert counted(redis_server) == (65, 0)


def test_a_client_that_is_closed_writes_first(client, upstream, redis_server, caplog):
    sdk = client(redis=redis_server.url, budget={"run": 1}, cache=False)
    upstream.delay_s = 1
    asking = threading.Thread(target=ask, args=(sdk,), kwargs={"max_completion_tokens": 9})
    asking.start()
    assert wait_until(lambda: upstream.calls == 1, 20)
    with stopped(redis_server, 4):
        asking.join()
        sdk.close()
    assert "stays reserved" not in caplog.text
    # Ten tokens at $0.15 a million and two at $0.60.
    assert counted(redis_server, "run:default") == (2700, 0)


def test_who_closes_waits_for_what_another_thread_has_sent(redis_server):
    link, heard = RedisLink(redis_server.url), []
    link.script("return 1", [], [])
    with stopped(redis_server, 1):
        link.later("return 7", [], [], heard.append)
        # Another thread has it now, and waits for Redis.
        assert wait_until(lambda: not link._later)
        link.close()
        assert heard == [7]


def test_a_settlement_is_written_though_redis_py_raises_an_error_of_its_own(budgets, redis_server, monkeypatch, caplog):
    read = redis.Connection.read_response
    raised = []

    def once(connection, *args, **options):
        if not raised and threading.current_thread() is not threading.main_thread():
            raised.append(1)
            raise ValueError("I/O operation on closed file.")
        return read(connection, *args, **options)

    assert budgets.reserve("a", [DAY], 100, 0.0) is None
    monkeypatch.setattr(redis.Connection, "read_response", once)
    budgets.settle("a", [DAY], 100, 60)
    assert wait_until(lambda: counted(redis_server) == (60, 0), 20)
    assert raised
    assert "could not be run" in caplog.text
