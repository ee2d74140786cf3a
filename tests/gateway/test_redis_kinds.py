"""Other kinds of Redis than one plain server, and what others may have written into a store."""

import json
import logging
import shutil
import socket
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_process import RedisServer
from upstream import ask, chat_events, wait_until

from promptopt.errors import UsageError
from promptopt.gateway.call import Answer, Wire
from promptopt.gateway.simulate import SimulatedClock
from promptopt.gateway.stores.base import Outage, StoreDown, StoreOptions
from promptopt.gateway.stores.packing import pack, unpack_whole
from promptopt.gateway.stores.redis_link import RedisLink, WrongValue
from promptopt.gateway.stores.sqlite import SqliteStore
from promptopt.gateway.stores.write_behind import WriteBehind

redis = pytest.importorskip("redis")


class Server(RedisServer):
    """A redis-server with further arguments."""

    def __init__(self, *arguments):
        self.arguments = arguments
        super().__init__()
        if self.process.poll() is not None:
            pytest.fail(f"redis-server ended: {arguments}")

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--save", "", *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        assert wait_until(self.answers, 30)

    def answers(self):
        try:
            return redis.Redis(port=self.port).ping()
        except redis.RedisError:
            return False


@pytest.fixture
def server(tmp_path):
    """Starts servers: ``server("--cluster-enabled", "yes")``."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    started = []

    def start(*arguments):
        started.append(Server("--dir", str(tmp_path), *arguments))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def cluster(server):
    """Two servers that are one cluster."""
    # The servers talk to each other on ports of their own, by default 10,000 above, where there may be none.
    buses = [free_port(), free_port()]
    first, second = (
        server("--cluster-enabled", "yes", "--cluster-config-file", f"{bus}.conf", "--cluster-port", str(bus))
        for bus in buses
    )
    one, other = redis.Redis(port=first.port), redis.Redis(port=second.port)
    one.execute_command("CLUSTER ADDSLOTSRANGE", 0, 8000)
    other.execute_command("CLUSTER ADDSLOTSRANGE", 8001, 16383)
    one.execute_command("CLUSTER MEET", "127.0.0.1", second.port, buses[1])
    assert wait_until(lambda: all(b"cluster_state:ok" in raw(each) for each in (one, other)), 60)
    return first


def raw(client):
    found = client.execute_command("CLUSTER INFO")
    return found if isinstance(found, bytes) else json.dumps(found).replace('": "', ":").encode()


EVERYTHING = {"budget": {"day": 1}, "limits": {"per_user": "40/hour", "per_key": "50/hour"}}


def used(client, upstream):
    """Uses all that a Redis keeps: cache, flights, limits, budgets; how often the endpoint was asked."""
    sdk = client
    for number in range(20):
        for _ in range(2):
            ask(sdk, f"question {number}", max_completion_tokens=5)
    assert len(list(sdk._client.gateway.cache.store.entries())) == 20
    return upstream.calls


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
def test_a_cluster(client, upstream, cluster, scheme, caplog):
    sdk = client(redis=f"{scheme}://127.0.0.1:{cluster.port}/0", **EVERYTHING)
    assert used(sdk, upstream) == 20
    assert sdk._client.gateway.cache.store.clear() == 20
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_sentinel(client, upstream, server, tmp_path):
    master = server()
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(
        f"sentinel monitor main 127.0.0.1 {master.port} 1\nsentinel down-after-milliseconds main 500\n"
    )
    sentinel = Server.__new__(Server)
    sentinel.port = free_port()
    sentinel.process = subprocess.Popen(
        ["redis-server", str(configuration), "--sentinel", "--port", str(sentinel.port)], stdout=subprocess.DEVNULL
    )
    try:
        assert wait_until(sentinel.answers, 30)
        address = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/main/1"
        assert used(client(redis=address, **EVERYTHING), upstream) == 20
        assert redis.Redis(port=master.port, db=1).dbsize() > 20
    finally:
        sentinel.kill()


@pytest.mark.parametrize("scheme", ["unix", "redis+unix"])
def test_a_socket_of_this_machine(client, upstream, server, tmp_path, scheme):
    path = tmp_path / "redis.sock"
    server("--unixsocket", str(path))
    assert used(client(redis=f"{scheme}://{path}", **EVERYTHING), upstream) == 20


def test_programs_of_another_prefix_share_nothing(client, upstream, redis_server):
    for prefix in ("one:", "two:"):
        sdk = client(redis=redis_server.url, redis_prefix=prefix, **EVERYTHING)
        for _ in range(2):
            ask(sdk, max_completion_tokens=5)
        assert len(list(sdk._client.gateway.cache.store.entries())) == 1
    assert upstream.calls == 2
    names = [name.decode() for name in redis.Redis(port=redis_server.port).scan_iter()]
    assert {name.partition(":")[0] for name in names} == {"one", "two"}


@pytest.mark.parametrize(
    "address",
    ["user:hunter2@host:6379", "http://user:hunter2@host", "redis+sentinel://:hunter2@host:1", "redis://:hunter2@h:x"],
)
def test_no_password_is_shown(address):
    with pytest.raises(UsageError) as shown:
        RedisLink(address)
    assert "hunter2" not in str(shown.value)


def name_of_kept(there):
    """Of the one answer in a Redis, which comes there a little after its caller has it."""
    assert wait_until(lambda: there.keys("promptopt:cache:*"))
    (name,) = there.keys("promptopt:cache:*")
    return name


def damaged(value):
    """What else may be where a kept answer was."""
    head, _, content = value.partition(b"\n")
    fields = json.loads(head)

    def with_field(at, new):
        return json.dumps([*fields[:at], new, *fields[at + 1 :]]).encode() + b"\n" + content

    return {
        "empty": b"",
        "garbage": bytes(range(256)),
        "created a text": with_field(0, "yesterday"),
        "expires a list": with_field(1, [9e9]),
        "model a number": with_field(3, 5),
        "content type a number": with_field(5, 5),
        "meta a number": with_field(6, 5),
        "meta short": with_field(6, "[1]"),
        "usage negative": with_field(6, json.dumps(["m", "stop", [-1, 0, 0, 0, 0], "measured", "x", ""])),
        "usage a text": with_field(6, json.dumps(["m", "stop", ["1", 0, 0, 0, 0], "measured", "x", ""])),
        "basis unknown": with_field(6, json.dumps(["m", "stop", None, "guessed", "x", ""])),
        "deep": b"[" * 100_000 + b"\n" + content,
        "deep body": head + b"\n" + b"[" * 100_000,
        "body not JSON": head + b"\n<html>",
        "body a list": head + b"\n[]",
        "body cut": head + b"\n" + content[:40],
        "body no UTF-8": head + b"\n" + content.replace(b"ok", b"\xff"),
    }


@pytest.mark.parametrize("case", [*damaged(b'[0, 1, null, "m", null, "application/json", "[]"]\n{"ok": 1}'), "list"])
@pytest.mark.parametrize("single_flight", [True, False])
def test_what_nobody_can_read_in_redis_is_a_miss(client, upstream, redis_server, caplog, case, single_flight):
    sdk = client(redis=redis_server.url, single_flight=single_flight)
    ask(sdk)
    there = redis.Redis(port=redis_server.port)
    name = name_of_kept(there)
    if case == "list":
        there.delete(name)
        there.rpush(name, "x")
    else:
        there.set(name, damaged(there.get(name))[case])
    list(sdk._client.gateway.cache.store.entries())
    assert [ask(sdk).choices[0].message.content for _ in range(2)] == ["ok", "ok"]
    assert upstream.calls == 2
    assert "cannot be read" in caplog.text
    assert "away" not in caplog.text


def test_a_damaged_stream_is_a_miss(client, upstream, redis_server):
    sdk = client(redis=redis_server.url)
    list(ask(sdk, stream=True))
    there = redis.Redis(port=redis_server.port)
    name = name_of_kept(there)
    there.set(name, there.get(name)[:-60])
    assert [part.choices[0].delta.content for part in ask(sdk, stream=True)] == ["ok", "then", None]
    assert upstream.calls == 2


@pytest.mark.parametrize("payload", [b"A", b"A{}", b"Agarbage\n", b"A[1, 2]\n", b"A" + b"[" * 9999])
def test_what_nobody_can_read_in_a_flight_is_asked_for(client, upstream, redis_server, payload):
    sdk = client(redis=redis_server.url)
    ask(sdk)
    there = redis.Redis(port=redis_server.port)
    name = name_of_kept(there)
    there.delete(name)
    there.set(name.replace(b"cache", b"flight"), payload)
    leases = sdk._client.gateway.store.leases(None)
    assert leases.acquire(name.decode().rpartition(":")[2], "t", time.time(), fresh=False) is True
    assert ask(sdk).choices[0].message.content == "ok"


COLUMNS = {
    "content": [b"<html>", "text", 5, b"[]"],
    "meta": ["", "{}", "[1]", 7, b"\xff", "[" * 100_000],
    "content_type": [5],
    "expires": ["later", b"\xff"],
    "model": [5],
}


@pytest.mark.parametrize(("column", "value"), [(name, value) for name, values in COLUMNS.items() for value in values])
def test_what_nobody_can_read_in_sqlite_is_a_miss(client, upstream, folder, column, value):
    sdk = client()
    ask(sdk)
    sdk.close()
    with closing(sqlite3.connect(folder / ".promptopt" / "cache.sqlite", isolation_level=None)) as file:
        file.execute(f"UPDATE answers SET {column} = ?", (value,))
    again = client()
    list(again._client.gateway.cache.store.entries())
    assert [ask(again).choices[0].message.content for _ in range(2)] == ["ok", "ok"]
    # A model is only listed, and 5 may be its name.
    assert upstream.calls <= 2


def test_a_flight_of_another_kind_in_sqlite(tmp_path):
    store = SqliteStore(StoreOptions(tmp_path))
    leases = store.leases(None)
    assert leases.acquire("k", "t", 1000.0, fresh=False) is True
    for payload in (b"garbage", "text", 5, b"[]\n", b"[" * 99_999):
        leases._database.execute("UPDATE flights SET payload = ? WHERE key = 'k'", (payload,))
        assert leases.acquire("k", "u", 1001.0, fresh=False) is True
    store.close()


KEPT = pack(Answer("a", "m", request_id="r", wire=Wire(b'{"choices": []}')))
EVENTS = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in chat_events({"model": "m"})[:-1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(KEPT)), st.binary(max_size=6), st.integers(0, 6))
def test_a_changed_value_is_read_or_refused(at, new, gone):
    value = KEPT[:at] + new + KEPT[at + gone :]
    try:
        answer = unpack_whole(value)
    except ValueError:
        return
    assert isinstance(answer.text, str)
    assert answer.wire is None or isinstance(json.loads(answer.wire.content), dict)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(value):
    try:
        unpack_whole(value)
    except ValueError:
        return


PUSH = "return redis.call('RPUSH', KEYS[1], ARGV[1])"
ALL = "return redis.call('LRANGE', KEYS[1], 0, -1)"


@pytest.fixture
def link(redis_server):
    made = RedisLink(redis_server.url)
    yield made
    made.close()


@pytest.mark.parametrize("forgotten", [False, True])
def test_what_is_left_for_later_goes_with_the_next_step_and_before_it(link, monkeypatch, forgotten):
    monkeypatch.setattr(WriteBehind, "due", lambda _: None)
    told = []
    link.script(PUSH, ["list"], ["first"])
    assert link.script(ALL, ["list"], []) == [b"first"]
    for word in ("second", "third"):
        link.later(PUSH, ["list"], [word], told.append)
    if forgotten:
        link.client.script_flush()
    asked = link.client.info("stats")["total_reads_processed"]
    assert link.script(ALL, ["list"], []) == [b"first", b"second", b"third"]
    assert told == [2, 3]
    if not forgotten:
        # One for the three, and one for the question how many there were.
        assert link.client.info("stats")["total_reads_processed"] - asked <= 3
    link.later(PUSH, ["list"], ["fourth"], told.append)
    assert link.do(lambda client: client.llen("list")) == 4
    link.later(PUSH, ["list"], ["fifth"], told.append)
    link.close()
    assert told == [2, 3, 4, 5]


def test_a_store_that_fails_now_and_then_is_said_to_be_away_once(caplog):
    """As a cluster of which one server is away, or a Redis while another one takes over."""
    clock = SimulatedClock()
    outage = Outage("Redis", clock=clock)
    for _ in range(100):
        for outcome in (StoreDown("is away"), None):
            with outage:
                if outcome is not None:
                    raise outcome
        clock.sleep(0.05)
    assert [record.message for record in caplog.records] == ["Redis: is away; calls go on without it"]
    clock.sleep(6)
    with outage:
        pass
    with outage:
        raise StoreDown("is away again")
    assert [record.message for record in caplog.records[1:]] == [
        "Redis: works again",
        "Redis: is away again; calls go on without it",
    ]


def test_what_is_left_for_later_is_done_though_nothing_follows(link):
    told = []
    link.later(PUSH, ["list"], ["a"], told.append)
    assert wait_until(lambda: told == [1])


def test_what_fails_of_several_steps_is_told_to_who_left_it(link, monkeypatch):
    monkeypatch.setattr(WriteBehind, "due", lambda _: None)
    told = []
    link.do(lambda client: client.set("text", "a"))
    link.later(PUSH, ["text"], ["b"], told.append)
    link.later(PUSH, ["list"], ["c"], told.append)
    assert link.script(ALL, ["list"], []) == [b"c"]
    assert isinstance(told[0], WrongValue)
    assert told[1:] == [1]
    link.later(PUSH, ["list"], ["d"], told.append)
    with pytest.raises(WrongValue):
        link.script(PUSH, ["text"], ["e"])
    assert told[1:] == [1, 2]


def test_a_redis_that_is_away_loses_what_was_left_for_later_and_says_so(link, redis_server, monkeypatch):
    monkeypatch.setattr(WriteBehind, "due", lambda _: None)
    told = []
    link.later(PUSH, ["list"], ["a"], told.append)
    redis_server.kill()
    with pytest.raises(StoreDown, match="is away"):
        link.script(ALL, ["list"], [])
    (error,) = told
    assert isinstance(error, StoreDown)
    redis_server.start()
    assert wait_until(lambda: _answers(link))
    assert link.script(ALL, ["list"], []) == []


def _answers(link):
    try:
        return link.do(lambda client: client.ping())
    except StoreDown:
        return False
