"""Processes that share a cache's file know of one another; one that is alone writes no leases."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from upstream import answer, ask, wait_until

from promptopt.gateway.call import Answer, Wire
from promptopt.gateway.stores import known_keys
from promptopt.gateway.stores.base import KeptAnswer, StoreOptions
from promptopt.gateway.stores.neighbours import Neighbours
from promptopt.gateway.stores.sqlite import SqliteStore

OTHER = """
import json, sys
import openai, promptopt
client = openai.OpenAI(base_url=sys.argv[1], api_key="sk-test", max_retries=0, http_client=promptopt.http_client())
print("ready", flush=True)
for line in sys.stdin:
    text = line.strip()
    if text == "end":
        break
    message = {"role": "user", "content": text}
    found = client.chat.completions.create(model="gpt-4o-mini", messages=[message], temperature=0)
    print(json.dumps(found.choices[0].message.content), flush=True)
client.close()
"""


@pytest.fixture
def other(upstream):
    """Starts programs that ask what is written to them."""
    made = []

    def start():
        command = [sys.executable, "-c", OTHER, upstream.url]
        made.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert made[-1].stdout.readline() == "ready\n"
        return made[-1]

    yield start
    for process in made:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def tell(process, text):
    process.stdin.write(f"{text}\n")
    process.stdin.flush()


def leases():
    with closing(sqlite3.connect(".promptopt/cache.sqlite")) as connection:
        return connection.execute("SELECT count(*) FROM flights").fetchone()[0]


def test_one_that_is_alone_writes_no_lease_and_shares_its_flights(client, upstream):
    seen = []

    def slow(path, body):
        time.sleep(0.05)
        seen.append(leases())
        return answer(body, path)

    upstream.on = slow
    sdk = client()
    threads = [threading.Thread(target=ask, args=(sdk, "at once")) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [0]


def test_two_processes_make_one_call_of_the_same(client, upstream, other):
    sdk, second = client(), other()
    ask(sdk, "first")
    tell(second, "mine")
    assert json.loads(second.stdout.readline()) == "ok"
    upstream.delay_s = 1.5
    before = upstream.calls
    asking = threading.Thread(target=ask, args=(sdk, "the same"))
    asking.start()
    assert wait_until(lambda: upstream.calls == before + 1)
    assert wait_until(lambda: leases() == 1)
    tell(second, "the same")
    assert json.loads(second.stdout.readline()) == "ok"
    asking.join()
    assert upstream.calls == before + 1


ACQUIRE = """
import sys, time
from pathlib import Path
from promptopt.gateway.call import Answer, Wire
from promptopt.gateway.stores import known_keys
from promptopt.gateway.stores.base import KeptAnswer, StoreOptions
from promptopt.gateway.stores.sqlite import SqliteStore
store = SqliteStore(StoreOptions(Path(".promptopt")))
leases = store.leases(store.cache())
for line in sys.stdin:
    print(leases.acquire("the call", "second", time.time(), fresh=True), flush=True)
store.close()
"""


def test_what_is_in_flight_when_a_second_process_begins_is_asked_once_more_until_its_lease_is_written(folder):
    store = SqliteStore(StoreOptions(folder / ".promptopt"))
    held = store.leases(store.cache())
    assert held.acquire("the call", "first", time.time(), fresh=True) is True
    assert leases() == 0
    held.renew("the call", "first", time.time())
    assert leases() == 0
    command = [sys.executable, "-c", ACQUIRE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as second:
        # One that leads already is not disturbed.
        tell(second, "now")
        assert second.stdout.readline() == "True\n"
        held.renew("the call", "first", time.time())
        with closing(sqlite3.connect(".promptopt/cache.sqlite")) as connection:
            assert connection.execute("SELECT token FROM flights").fetchall() == [("second",)]
            connection.execute("DELETE FROM flights")
            connection.commit()
        assert held.acquire("another call", "mine", time.time(), fresh=True) is True
        assert leases() == 1
        held.release("the call", "first", None, time.time())
        held.release("another call", "mine", None, time.time())
        assert leases() == 0
        assert second.communicate("", timeout=20)[0] == ""
    assert held.acquire("the call", "third", time.time(), fresh=True) is True
    assert leases() == 0
    store.close()


def test_a_lease_is_written_once_there_is_a_neighbour(folder):
    store = SqliteStore(StoreOptions(folder / ".promptopt"))
    held = store.leases(store.cache())
    assert held.acquire("the call", "first", time.time(), fresh=True) is True
    neighbour = Neighbours(folder / ".promptopt" / "cache.sqlite")
    assert not neighbour.alone()
    held.renew("the call", "first", time.time())
    assert leases() == 1
    with subprocess.Popen(
        [sys.executable, "-c", ACQUIRE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as p:
        assert p.communicate("now\n", timeout=20)[0] == "False\n"
    held.release("the call", "first", None, time.time())
    assert leases() == 0
    neighbour.leave()
    store.close()


def test_who_was_killed_is_no_neighbour(folder, other, client):
    second = other()
    tell(second, "hello")
    second.stdout.readline()
    path = folder / ".promptopt" / "cache.sqlite"
    found = Neighbours(path)
    assert not found.alone()
    second.kill()
    second.wait()
    found._looked = float("-inf")
    assert found.alone()
    assert len(list((folder / ".promptopt").glob("cache-user-*"))) == 1
    found.leave()
    assert list((folder / ".promptopt").glob("cache-user-*")) == []


def test_each_sees_who_came_and_went(tmp_path):
    one = Neighbours(tmp_path / "cache.sqlite")
    assert one.alone()
    other = Neighbours(tmp_path / "cache.sqlite")
    assert not other.alone()
    assert not one.alone()
    other.leave()
    assert one.alone()
    time.sleep(0.15)
    assert one.alone()
    assert one._seen is not None, "what does not change is looked at once"
    third = Neighbours(tmp_path / "cache.sqlite")
    assert not third.alone()
    assert not one.alone()
    for each in (one, third):
        each.leave()


def test_a_folder_that_cannot_be_says_that_nobody_is_alone(tmp_path):
    (tmp_path / "file").write_text("")
    assert not Neighbours(tmp_path / "file" / "cache.sqlite").alone()


def test_a_folder_of_many_files_is_not_looked_through(tmp_path):
    for number in range(600):
        (tmp_path / str(number)).touch()
    assert not Neighbours(tmp_path / "cache.sqlite").alone()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_is_a_neighbour(client, upstream, folder):
    program = """
import os, sys
from pathlib import Path
from promptopt.gateway.stores.neighbours import Neighbours
one = Neighbours(Path("cache.sqlite"))
assert one.alone()
read, write = os.pipe()
back, end = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, b"n" if not one.alone() else b"y")
    os.read(back, 1)
    os._exit(0)
assert os.read(read, 1) == b"n"
assert not one.alone()
os.write(end, b"x")
os.waitpid(child, 0)
one._looked = float("-inf")
assert one.alone()
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def kept(key, now):
    return KeptAnswer(key, now, now + 60, None, "m", None, Answer("ok", wire=Wire(b'{"a": 1}')))


def looked_up(cache, keys, now):
    """Which keys are found, and how often the file was asked."""
    asked, look = [], cache._database.look
    cache._database.look = lambda function: asked.append(1) or look(function)
    found = [cache.get(key, now) is not None for key in keys]
    cache._database.look = look
    return found, len(asked)


def test_one_that_is_alone_asks_the_file_only_for_what_may_be_there(folder):
    now = time.time()
    for number in range(2):
        store = SqliteStore(StoreOptions(folder / ".promptopt"))
        cache = store.cache()
        store.leases(cache)
        if not number:
            cache.put(kept("before", now))
        else:
            # The folder has just changed, and is looked through until that is over.
            assert wait_until(lambda cache=cache: looked_up(cache, ["nobody's"], now) == ([False], 0))
            cache.put(kept("mine", now))
            cache._write()
            assert looked_up(cache, ["nobody's", "before", "mine"], now) == ([False, True, True], 2)
        if not number:
            store.close()
    # Another process comes, writes and goes.
    other = SqliteStore(StoreOptions(folder / ".promptopt"))
    theirs = other.cache()
    other.leases(theirs)
    theirs.put(kept("theirs", now))
    theirs._write()
    assert looked_up(cache, ["theirs", "nobody's"], now) == ([True, False], 2)
    other.close()
    assert looked_up(cache, ["theirs"], now) == ([True], 1)
    assert wait_until(lambda: looked_up(cache, ["nobody's"], now) == ([False], 0))
    assert looked_up(cache, ["theirs", "mine"], now)[0] == [True, True]
    store.close()


def test_of_a_file_with_many_keys_it_asks_for_each(folder, monkeypatch):
    monkeypatch.setattr(known_keys, "MOST_KEYS", 2)
    now = time.time()
    store = SqliteStore(StoreOptions(folder / ".promptopt"))
    cache = store.cache()
    store.leases(cache)
    assert wait_until(lambda: looked_up(cache, ["none"], now) == ([False], 0))
    for key in ("a", "b", "c"):
        cache.put(kept(key, now))
    cache._write()
    assert looked_up(cache, ["a", "b", "c"], now)[0] == [True, True, True]
    assert looked_up(cache, ["none"], now) == ([False], 1)
    store.close()
