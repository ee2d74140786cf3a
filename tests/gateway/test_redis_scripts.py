"""Scripts over kept connections: what redis-py's own commands give, whatever happens to a connection."""

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upstream import wait_until

from promptopt.gateway.clock import SYSTEM_CLOCK
from promptopt.gateway.stores.redis_link import RedisLink
from promptopt.gateway.stores.redis_scripts import Script, Scripts, packed

redis = pytest.importorskip("redis")

TEXTS = (
    "return nil",
    "return 7",
    "return 'a\\r\\nb'",
    "return {}",
    "return {1, 'two', {3, nil, 4}, false}",
    "return redis.call('SET', KEYS[1], ARGV[1])",
    "return redis.call('GET', KEYS[1])",
    "return string.rep('x', 200000)",
)
BROKEN = "return redis.call('LPUSH', KEYS[1], 'x')"


@pytest.fixture
def client(redis_server):
    with redis.Redis(port=redis_server.port, socket_timeout=0.5) as made:
        yield made


def connections(client):
    """The numbers of the connections that others have to the server."""
    return {each["id"] for each in client.client_list()} - {str(client.client_id())}


def test_scripts_give_what_the_library_gives(client):
    scripts = [Script(text, ["name"], ["ä", 2]) for text in TEXTS]
    expected = [client.eval(text, 1, "name", "ä", 2) for text in TEXTS]
    made = Scripts()
    for _ in range(2):
        assert made.run(client, scripts) == expected
        assert [made.run(client, [script])[0] for script in scripts] == expected


parts = st.text() | st.binary() | st.integers() | st.floats()
commands = st.lists(st.lists(parts, max_size=6).map(lambda found: ("EVALSHA", *found)), min_size=1, max_size=4)


@given(commands)
def test_commands_are_packed_as_the_library_packs_them(several):
    assert b"".join(map(packed, several)) == b"".join(redis.Connection().pack_commands(several))


def test_one_that_fails_has_its_error_in_its_place(client):
    client.set("name", "a text")
    scripts = [Script("return 1", [], []), Script(BROKEN, ["name"], []), Script("return 2", [], [])]
    one, error, two = Scripts().run(client, scripts)
    assert (one, two) == (1, 2)
    with pytest.raises(redis.ResponseError) as raised:
        client.eval(BROKEN, 1, "name")
    assert type(error) is type(raised.value)
    assert "WRONGTYPE" in str(error)


def test_a_connection_is_kept_for_a_second_and_given_back(client, monkeypatch):
    made, script = Scripts(), [Script("return redis.call('PING')", [], [])]
    taken = []
    get = client.connection_pool.get_connection
    monkeypatch.setattr(client.connection_pool, "get_connection", lambda: taken.append(1) or get())
    for _ in range(5):
        made.run(client, script)
    assert len(taken) == 1
    later = SYSTEM_CLOCK.monotonic() + 1.1
    monkeypatch.setattr("promptopt.gateway.stores.redis_scripts.SYSTEM_CLOCK.monotonic", lambda: later)
    made.run(client, script)
    assert len(taken) == 2
    made.close(client)
    made.close(client)


def test_a_connection_that_the_server_closed_is_replaced(redis_server, client):
    link = RedisLink(redis_server.url)
    assert link.script("return 1", [], []) == 1
    for number in connections(client):
        client.client_kill_filter(_id=number)
    assert link.script("return 2", [], []) == 2
    link.close()


def test_an_answer_that_came_too_late_is_nobody_elses(redis_server, client):
    made = Scripts()
    assert made.run(client, [Script("return 1", [], [])]) == [1]
    slow = "local t = redis.call('TIME') while redis.call('TIME')[1] - t[1] < 2 do end return 5"
    with pytest.raises(redis.TimeoutError):
        made.run(client, [Script(slow, [], [])])
    assert wait_until(lambda: answers(client), 10)
    assert made.run(client, [Script("return 6", [], [])]) == [6]


def answers(client):
    try:
        return client.ping()
    except redis.RedisError:
        return False


def test_threads_have_connections_of_their_own(redis_server):
    link, found = RedisLink(redis_server.url), []

    def ask(number):
        found.extend(link.script("return ARGV[1]", [], [number]) == b"%d" % number for _ in range(50))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 400
    link.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_has_a_connection_of_its_own(redis_server):
    link = RedisLink(redis_server.url)
    assert link.script("return 1", [], []) == 1
    child = os.fork()
    if not child:
        os._exit(0 if [link.script("return 2", [], []) for _ in range(20)] == [2] * 20 else 1)
    assert [link.script("return 3", [], []) for _ in range(20)] == [3] * 20
    assert os.waitpid(child, 0)[1] == 0
    assert link.script("return 4", [], []) == 4
    link.close()


def test_a_closed_link_leaves_no_connection(redis_server, client):
    link = RedisLink(redis_server.url)
    link.script("return 1", [], [])
    assert connections(client)
    link.close()
    assert wait_until(lambda: not connections(client))
