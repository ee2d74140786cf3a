"""What a call costs whose caller goes away: nothing before its request is sent, and the worst case after that."""

import asyncio
import contextlib
import gc
import json
import sqlite3
import threading
import time
from contextlib import closing

import openai
import pytest
from upstream import Reply, answer, ask, chat, chat_events, in_event_loop, wait_until

import promptopt
from promptopt.gateway.flow import Blocking, Sleep, perform_async, run_apart

CAP = {"max_completion_tokens": 9}


def kept(folder):
    """Billionths of a dollar that are spent and reserved."""
    with closing(sqlite3.connect(folder / ".promptopt" / "budget.sqlite")) as file:
        return file.execute("SELECT spent, reserved FROM budgets").fetchone()


async def cancelled(asking, after_s=0.5):
    task = asyncio.ensure_future(asking)
    await asyncio.sleep(after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def rows_of(sdk):
    return [(row.status, row.incurred_usd) for row in sdk._client.gateway.ledger.rows() if row.upstream]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@in_event_loop
async def test_a_call_that_is_cancelled_while_it_connects_costs_nothing(busy_port, folder, stream):
    sdk = openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{busy_port}/v1",
        api_key="k",
        max_retries=0,
        timeout=60,
        http_client=promptopt.async_http_client(budget={"day": 1}, cache=False),
    )
    await cancelled(ask(sdk, stream=stream, **CAP))
    assert await asyncio.to_thread(wait_until, lambda: kept(folder) == (0, 0))
    assert rows_of(sdk) == [("abandoned", 0.0)]
    await sdk.close()


@in_event_loop
async def test_a_call_that_is_cancelled_while_it_waits_in_line_costs_nothing(aclient, upstream, folder):
    upstream.delay_s = 2
    sdk = aclient(budget={"day": 1}, cache=False, concurrency=1)
    first = asyncio.ensure_future(ask(sdk, "first", **CAP))
    await asyncio.sleep(0.3)
    await cancelled(ask(sdk, "second", **CAP), 0.2)
    await first
    rows = rows_of(sdk)
    assert [status for status, _ in rows] == ["ok"]
    paid = round(rows[0][1] * 1e9)
    assert await asyncio.to_thread(wait_until, lambda: kept(folder) == (paid, 0))
    await sdk.close()


@in_event_loop
async def test_a_call_that_is_cancelled_after_it_was_sent_counts_at_its_worst_case(aclient, upstream, folder):
    upstream.delay_s = 2
    sdk = aclient(budget={"day": 1}, cache=False)
    await cancelled(ask(sdk, **CAP))
    assert upstream.calls == 1
    # One token and seven around it at $0.15 a million, and all of the nine of output at $0.60.
    assert await asyncio.to_thread(wait_until, lambda: kept(folder) == (8 * 150 + 9 * 600, 0))
    assert rows_of(sdk) == [("abandoned", 6.6e-06)]
    await sdk.close()


@pytest.mark.parametrize("first", ["the caller leaves", "the function ends"])
def test_what_a_thread_found_for_a_caller_who_left_is_taken_back(first):
    undone, begun, going_on = [], threading.Event(), threading.Event()

    def function():
        begun.set()
        going_on.wait(10)
        return 7

    async def main():
        asking = asyncio.ensure_future(perform_async(Blocking(function, undone.append)))
        assert await asyncio.to_thread(begun.wait, 10)
        if first == "the function ends":
            # Its loop has not heard of it.
            going_on.set()
            time.sleep(0.2)
        asking.cancel()

    loop = asyncio.new_event_loop()
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(main())
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    going_on.set()
    assert wait_until(lambda: undone == [7], 10)


def in_a_loop_that_is_closed(sdk, *texts, after_s=1.0, **options):
    """Begin calls in an event loop that is closed by hand before they have ended."""

    async def begin():
        tasks = [asyncio.ensure_future(read(sdk, text, **options)) for text in texts]
        await asyncio.sleep(after_s)
        assert not any(task.done() for task in tasks)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()


async def read(sdk, text, **options):
    found = await ask(sdk, text, max_completion_tokens=9, **options)
    if options.get("stream"):
        return [event async for event in found]
    return found


@pytest.mark.parametrize(
    ("text", "stream", "large"),
    [("hang", False, False), ("hang", True, False), ("begin", True, False), ("hang", False, True)],
    ids=["whole", "stream", "begun stream", "large"],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_calls_of_an_event_loop_that_is_closed_give_back_what_they_hold(upstream, aclient, folder, text, stream, large):
    def on(path, body):
        said = body["messages"][0]["content"]
        if said.startswith("begin"):
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n"
            return Reply(raw=head + f"data: {json.dumps(chat_events(body)[0])}\n\n".encode(), stays_s=60)
        return Reply(body=chat(body), hang_s=60 if said.startswith("hang") else 0)

    upstream.on = on
    more = "x " * 60_000 if large else ""
    sdk = aclient(budget={"day": 1}, concurrency=2)
    in_a_loop_that_is_closed(sdk, f"{text} 1{more}", f"{text} 2{more}", stream=stream)
    assert upstream.calls == 2

    async def again():
        # Another call finds a slot, and the same call no leader that never comes back.
        found = await asyncio.wait_for(read(sdk, "another"), 5)
        assert found.choices[0].message.content == "ok"
        upstream.on = lambda path, body: answer(body)
        await asyncio.wait_for(read(sdk, f"{text} 1{more}", stream=stream), 5)
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            # As without the gateway, whose files are closed and have everything then.
            await sdk.close()

    asyncio.run(again())
    assert [status for status, _ in rows_of(sdk)] == ["abandoned", "abandoned", "ok", "ok"]
    assert kept(folder)[1] == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_lease_of_an_event_loop_that_is_closed_is_given_back_to_other_processes(upstream, aclient, redis_server):
    upstream.on = lambda path, body: Reply(body=chat(body), hang_s=60 if upstream.calls == 1 else 0)
    one, other = (aclient(redis=redis_server.url) for _ in range(2))
    in_a_loop_that_is_closed(one, "same")

    async def again():
        await asyncio.wait_for(read(other, "same"), 8)
        await other.close()
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            await one.close()

    asyncio.run(again())
    assert upstream.calls == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_a_thread_found_for_an_event_loop_that_is_closed_is_taken_back():
    undone, begun, going_on = [], threading.Event(), threading.Event()

    def function():
        begun.set()
        going_on.wait(10)
        return 7

    async def main():
        asking = asyncio.ensure_future(perform_async(Blocking(function, undone.append)))
        assert await asyncio.to_thread(begun.wait, 10)
        assert not asking.done()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    going_on.set()
    assert wait_until(lambda: gc.collect() is not None and undone == [7], 10)


def test_a_large_call_that_asyncio_run_leaves_hears_of_it():
    """At its end it cancels all tasks; a step of a flow that runs in a thread goes on."""
    heard, begun = [], threading.Event()

    def flow():
        begun.set()
        time.sleep(0.5)
        try:
            yield Sleep(10)
        except BaseException as error:
            heard.append(type(error))
            raise

    async def main():
        left = asyncio.ensure_future(run_apart(flow(), never))
        assert await asyncio.to_thread(begun.wait, 10)
        assert not left.done()

    async def never(call):
        raise AssertionError(call)

    asyncio.run(main())
    assert heard == [asyncio.CancelledError]
