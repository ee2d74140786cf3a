"""What a call costs whose caller goes away: nothing before its request is sent, and the worst case after that."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from contextlib import closing

import openai
import pytest
from upstream import ask, in_event_loop, wait_until

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
