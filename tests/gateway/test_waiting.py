"""Nobody waits for longer than he said, and what a call holds is given back when it is over, however it ends."""

import asyncio
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress

import openai
import pytest
from upstream import Reply, chat, error, in_event_loop, wait_until

import promptopt
from promptopt import tokens
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.flow import Blocking, run_async
from promptopt.gateway.layers.concurrency import Concurrency
from promptopt.gateway.layers.single_flight import SingleFlight
from promptopt.gateway.reading import Reading
from promptopt.gateway.stores.base import StoreOptions
from promptopt.gateway.stores.database import Database
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.redis import RedisStore

MODEL = "gpt-4o-mini"


def arguments(text="hi", **more):
    return {
        "model": MODEL,
        "temperature": 0,
        "max_completion_tokens": 9,
        "messages": [{"role": "user", "content": text}],
        **more,
    }


def ask(sdk, text="hi", **more):
    return sdk.chat.completions.create(**arguments(text, **more))


def layer(sdk, kind):
    return next(each for each in sdk._client.gateway.layers if isinstance(each, kind))


def flying(sdk):
    return layer(sdk, Concurrency)._flying


def reserved(folder):
    with closing(sqlite3.connect(folder / ".promptopt" / "budget.sqlite")) as file:
        return file.execute("SELECT reserved FROM budgets").fetchone()[0]


def leases_of(folder):
    with closing(sqlite3.connect(folder / ".promptopt" / "cache.sqlite")) as file:
        return file.execute("SELECT COUNT(*) FROM flights").fetchone()[0]


def in_thread(function):
    def called():
        # A client may be closed before the call of such a thread ends.
        with suppress(openai.OpenAIError):
            function()

    thread = threading.Thread(target=called, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("same_client", [True, False], ids=["flight", "lease"])
def test_a_followers_own_timeout_holds(client, upstream, same_client):
    upstream.delay_s = 5
    leader = client()
    follower = leader if same_client else client()
    in_thread(lambda: ask(leader))
    assert wait_until(lambda: upstream.calls == 1, 10)
    started = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        ask(follower, timeout=0.5)
    assert time.monotonic() - started < 2
    assert upstream.calls == 1


@in_event_loop
async def test_a_followers_own_timeout_holds_in_an_event_loop(aclient, upstream):
    upstream.delay_s = 3
    sdk = aclient()
    leader = asyncio.create_task(ask(sdk))
    assert await asyncio.to_thread(wait_until, lambda: upstream.calls == 1, 10)
    started = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        await ask(sdk, timeout=0.5)
    assert time.monotonic() - started < 2
    assert (await leader).model == MODEL
    await sdk.close()


def test_a_callers_own_timeout_holds_in_line(client, upstream):
    upstream.delay_s = 3
    sdk = client(concurrency=1)
    in_thread(lambda: ask(sdk, "a"))
    assert wait_until(lambda: upstream.calls == 1, 10)
    started = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        ask(sdk, "b", timeout=0.5)
    assert time.monotonic() - started < 2
    assert (upstream.calls, flying(sdk), len(layer(sdk, Concurrency)._line)) == (1, 1, 0)


@pytest.mark.parametrize("same_client", [True, False], ids=["flight", "lease"])
def test_nobody_waits_for_a_reader_who_holds_his_stream(client, upstream, folder, same_client):
    first = client()
    second = first if same_client else client()
    stream = ask(first, stream=True)
    next(iter(stream))
    started = time.monotonic()
    assert len(list(ask(second, stream=True))) > 1
    assert time.monotonic() - started < 10
    assert upstream.calls == 2
    assert len(list(stream)) > 0


def test_readers_that_read_share_one_stream(client, upstream):
    upstream.delay_s = 0.3
    sdk, found = client(), []
    threads = [in_thread(lambda: found.append(len(list(ask(sdk, stream=True))))) for _ in range(5)]
    for thread in threads:
        thread.join(10)
    assert (upstream.calls, len(found)) == (1, 5)


def left_in_the_middle(client, folder, meanwhile):
    sdk = client(concurrency=1, budget={"day": 1})
    ask(sdk, "what is loaded first")
    for _ in ask(sdk, stream=True):
        meanwhile()
        break
    assert wait_until(lambda: flying(sdk) == 0, 10)
    assert wait_until(lambda: (reserved(folder), leases_of(folder)) == (0, 0), 2)
    rows = [row.status for row in sdk._client.gateway.ledger.rows()]
    assert rows == ["ok", "abandoned"]


def check_a_stream_left_in_the_middle_of_a_loop_gives_back_all_that_it_holds(client, upstream, folder):
    left_in_the_middle(client, folder, lambda: None)


def check_a_stream_that_was_open_in_a_collection_gives_back_all_that_it_holds(client, upstream, folder):
    """No young collection finds it afterwards."""
    left_in_the_middle(client, folder, gc.collect)


def check_a_stream_that_nobody_reads_gives_back_all_that_it_holds(client, upstream, folder):
    sdk = client(concurrency=1, budget={"day": 1}, queue_wait="20s")
    stream = ask(sdk, stream=True)
    time.sleep(0.5)  # it has been found to be held, and lives
    del stream
    # Whoever waits for the place of a stream that is gone gets it.
    assert ask(sdk, "another question").model == MODEL
    assert wait_until(lambda: (reserved(folder), leases_of(folder)) == (0, 0), 2)


class Stream:
    """What a caller holds, and throws away without reading it."""

    def __init__(self, abandon, *let_go):
        self.reading = Reading(*let_go)
        self.reading.opened(self, "its flow", abandon)


def test_a_stream_whose_end_takes_long_or_fails_holds_up_no_other(caplog):
    free, ended = threading.Event(), []
    kept = Stream(ended.append, free.wait)

    def fail(flow):
        raise OSError("the disk is full")

    slow, broken = Stream(lambda flow: free.wait(30)), Stream(fail)
    del slow, broken
    time.sleep(0.2)
    for _ in range(3):
        Stream(ended.append)
        time.sleep(0.1)
    assert wait_until(lambda: ended == ["its flow"] * 3, 5)
    assert not free.is_set()
    assert "the disk is full" in caplog.text
    free.set()
    del kept
    assert wait_until(lambda: len(ended) == 4, 5)


@in_event_loop
async def check_a_stream_left_in_an_event_loop_gives_back_all_that_it_holds(aclient, upstream, folder):
    sdk = aclient(concurrency=1, budget={"day": 1})
    async for _ in await ask(sdk, stream=True):
        break
    assert (await asyncio.wait_for(ask(sdk, "another question"), 20)).model == MODEL
    for _ in range(100):
        await asyncio.sleep(0.02)
        if (reserved(folder), leases_of(folder)) == (0, 0):
            break
    assert (reserved(folder), leases_of(folder)) == (0, 0)
    await sdk.close()


@in_event_loop
async def check_generators_of_an_event_loop_are_closed_by_no_other_thread(aclient):
    """A collector in another thread would go on to the next of a row of generators while the loop closes the first."""
    hooks, found = sys.get_asyncgen_hooks(), []

    def finalizer(generator):
        found.append(threading.current_thread().name)
        hooks.finalizer(generator)

    sdk = aclient(cache=False)
    before = gc.get_threshold()
    # No collection but those that the gateway asks for.
    gc.set_threshold(1_000_000)
    sys.set_asyncgen_hooks(finalizer=finalizer)
    try:
        for number in range(5):
            async for _ in await ask(sdk, f"{number}", stream=True):
                break
        for _ in range(100):
            await asyncio.sleep(0.05)
            if found:
                break
    finally:
        sys.set_asyncgen_hooks(finalizer=hooks.finalizer)
        gc.set_threshold(*before)
    assert set(found) == {threading.current_thread().name}
    await sdk.close()


@pytest.mark.parametrize("failure", ["500", "429", "hang"])
def test_without_retries_of_the_sdk_there_is_still_a_fallback(client, upstream, failure):
    def on(path, body):
        if body["model"] != MODEL:
            return Reply(body=chat(body))
        return Reply(hang_s=30) if failure == "hang" else error(int(failure))

    upstream.on = on
    sdk = client(fallback=["gpt-4.1-mini"], max_retries=0)
    assert ask(sdk, timeout=0.5).model == "gpt-4.1-mini"
    assert [body["model"] for _, body, _ in upstream.requests] == [MODEL, MODEL, "gpt-4.1-mini"]
    assert [(row.step, row.attempt) for row in sdk._client.gateway.ledger.rows()][-1] == (1, 1)


def test_a_long_pause_that_a_provider_asks_for_is_no_reason_to_wait(client, upstream):
    upstream.on = lambda path, body: (
        error(429, "rate_limit_exceeded", retry_after="60") if body["model"] == MODEL else Reply(body=chat(body))
    )
    started = time.monotonic()
    assert ask(client(fallback=["gpt-4.1-mini"])).model == "gpt-4.1-mini"
    assert time.monotonic() - started < 5


def test_limits_rest_when_redis_hangs(client, redis_server):
    sdk = client(redis=redis_server.url, limits={"per_user": "1000/hour"}, cache=False, single_flight=False)
    ask(sdk, "what is loaded first")
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        threads = [in_thread(lambda number=number: ask(sdk, f"q{number}")) for number in range(8)]
        for thread in threads:
            thread.join(30)
        assert time.monotonic() - started < 4
        # Only one caller at a time looks whether it is back.
        time.sleep(1.1)
        started = time.monotonic()
        looking = in_thread(lambda: ask(sdk, "looks"))
        time.sleep(0.2)
        ask(sdk, "goes on")
        assert time.monotonic() - started < 1.5
        looking.join(30)
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)


@pytest.mark.parametrize("name", ["cache.sqlite", "budget.sqlite", "ledger.sqlite"])
@in_event_loop
async def test_a_locked_file_holds_no_event_loop(aclient, upstream, folder, name):
    sdk = aclient(budget={"day": 1})
    await ask(sdk, "what is loaded first")
    await asyncio.sleep(0.1)
    other = sqlite3.connect(folder / ".promptopt" / name, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    unlocking = threading.Timer(1.5, other.execute, ["ROLLBACK"])
    unlocking.start()
    asking = asyncio.create_task(asyncio.wait({asyncio.create_task(ask(sdk, f"q{n}")) for n in range(20)}))
    longest = 0.0
    while not asking.done():
        began = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - began)
    done, _ = await asking
    assert all(task.exception() is None for task in done)
    assert longest < 0.5
    unlocking.join()
    other.close()
    await sdk.close()


@pytest.mark.parametrize("looping", [False, True])
def test_nobody_who_looks_waits_for_a_thread_that_writes(tmp_path, looping):
    database = Database(tmp_path / "a.sqlite", "CREATE TABLE IF NOT EXISTS t (a)", what="a test")
    database.execute("INSERT INTO t VALUES (1)")
    written, looked = threading.Event(), threading.Event()

    def write(connection):
        connection.execute("INSERT INTO t VALUES (2)")
        written.set()
        assert looked.wait(30)

    def look():
        return database.look(lambda connection: connection.execute("SELECT sum(a) FROM t").fetchone()[0])

    async def look_in_a_loop():
        return look()

    writing = threading.Thread(target=database.write, args=(write,))
    writing.start()
    assert written.wait(30)
    assert (asyncio.run(look_in_a_loop()) if looping else look()) == 1
    looked.set()
    writing.join()
    assert look() == 3
    database.close()
    assert look() == 3


class Places:
    """A layer that notes the thread in which it works."""

    def __init__(self):
        self.threads = []

    def handle(self, call, inner):
        self.threads.append(threading.current_thread())
        answer = yield from inner(call)
        self.threads.append(threading.current_thread())
        return answer


@in_event_loop
async def test_a_ledger_that_is_being_written_can_be_opened_in_an_event_loop(folder):
    """As when a second client of the process begins while the first one's rows are still being written."""
    path = folder / "ledger.db"
    open_ledger(path).close()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writes = threading.Timer(0.05, writer.execute, ["COMMIT"])
        writes.start()
        open_ledger(path).close()
        writes.join()


@pytest.mark.parametrize("size", [100, 1_000_000])
@in_event_loop
async def test_a_large_body_is_none_of_the_event_loops_work(aclient, upstream, size):
    sdk, places = aclient(budget={"day": 10}), Places()
    gateway = sdk._client.gateway
    inner = gateway.handler
    object.__setattr__(gateway, "handler", lambda call: places.handle(call, inner))
    with promptopt.labels(user="u1"):
        assert (await ask(sdk, "word " * (size // 5))).model == MODEL
    here = [thread is threading.current_thread() for thread in places.threads]
    assert here == [size < 100_000] * 2
    assert [(row.status, row.user) for row in gateway.ledger.rows()] == [("ok", "u1")]
    await sdk.close()


@in_event_loop
async def test_a_large_call_that_is_cancelled_gives_back_what_it_holds(aclient, upstream, folder):
    upstream.delay_s = 30
    sdk = aclient(budget={"day": 10}, concurrency=1)
    asking = asyncio.create_task(ask(sdk, "word " * 100_000))
    assert await asyncio.to_thread(wait_until, lambda: upstream.calls == 1, 20)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await asyncio.to_thread(wait_until, lambda: (flying(sdk), leases_of(folder)) == (0, 0), 5)
    await sdk.close()


def test_an_event_loop_finds_loaded_what_its_first_call_needs(aclient):
    tokens.release()
    aclient(budget={"day": 1})
    assert tokens.is_loaded(MODEL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
def test_a_child_waits_for_no_call_of_its_parent(client, upstream):
    upstream.delay_s = 2
    sdk = client(concurrency=2)
    for text in ("a", "b"):
        in_thread(lambda text=text: ask(sdk, text))
    assert wait_until(lambda: upstream.calls == 2, 10)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        own = openai.OpenAI(base_url=upstream.url, api_key="k", max_retries=0, http_client=sdk._client)
        started = time.monotonic()
        try:
            # Its parent's call is answered meanwhile; the child finds it with everybody else's.
            ask(own, "a", timeout=8, extra_headers={"connection": "close"})
            ask(own, "c", timeout=8, extra_headers={"connection": "close"})
        except openai.OpenAIError:
            os._exit(1)
        os._exit(0 if time.monotonic() - started < 9 else 2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert wait_until(lambda: flying(sdk) == 0, 10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
def test_the_end_of_a_stream_in_a_child_gives_back_nothing_of_its_parents(client, upstream, folder):
    sdk = client(budget={"day": 1})
    stream = ask(sdk, stream=True)
    next(iter(stream))
    child = os.fork()
    if child == 0:
        del stream
        gc.collect()
        time.sleep(0.3)
        os._exit(0)
    os.waitpid(child, 0)
    assert reserved(folder) > 0
    list(stream)
    assert wait_until(lambda: reserved(folder) == 0, 2)
    assert [row.status for row in sdk._client.gateway.ledger.rows()] == ["ok"]


@in_event_loop
async def test_what_was_done_for_a_cancelled_caller_is_taken_back():
    begun, undone = threading.Event(), threading.Event()

    def slow():
        begun.set()
        time.sleep(0.2)
        return "taken"

    def flow():
        yield Blocking(slow, lambda result: undone.set() if result == "taken" else None)

    task = asyncio.create_task(run_async(flow(), None))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(undone.wait, 5)


@in_event_loop
async def test_a_cancelled_leader_gives_its_lease_back(tmp_path, redis_server):
    store = RedisStore(StoreOptions(tmp_path, url=redis_server.url))
    flights = SingleFlight(lambda _: True, store.leases(None))
    call = Call("chat", "u", {"model": "m", "temperature": 0}, identity="key")

    def forever(_call):
        yield Blocking(lambda: time.sleep(1))
        return Answer("never")

    task = asyncio.create_task(run_async(flights.handle(call, forever), None))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    other = store.leases(None)
    assert await asyncio.to_thread(wait_until, lambda: other.acquire("key", "t", 0.0, fresh=True) is True, 2)
    store.close()


def test_a_client_that_is_dropped_loses_nothing(upstream, folder):
    code = (
        "import time, openai, promptopt\n"
        "def once(number):\n"
        f"    sdk = openai.OpenAI(base_url={upstream.url!r}, api_key='k',\n"
        "        http_client=promptopt.http_client(budget={'day': 1}))\n"
        f"    asked = {arguments()!r} | {{'messages': [{{'role': 'user', 'content': str(number)}}]}}\n"
        "    sdk.chat.completions.create(**asked)\n"
        "for number in range(10): once(number)\n"
        "print('asked', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"asked\n"

    def kept():
        with closing(sqlite3.connect(folder / ".promptopt" / "ledger.sqlite")) as file:
            return file.execute("SELECT COUNT(*) FROM calls WHERE status = 'ok'").fetchone()[0]

    wait_until(lambda: (kept(), reserved(folder)) == (10, 0), 3)
    assert (kept(), reserved(folder)) == (10, 0)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("name", [name for name in [*globals()] if name.startswith("check_")])
def test_garbage_is_found(name):
    """In a process of its own: what other tests leave in theirs decides when garbage is collected, and how fast."""
    command = [sys.executable, "-m", "pytest", "-q", "-o", "python_functions=check_*", f"{__file__}::{name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
