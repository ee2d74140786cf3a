"""What a call costs whose caller goes away: nothing before its request is sent, and the worst case after that."""

import asyncio
import sqlite3
from contextlib import closing

import openai
import pytest
from upstream import ask, in_event_loop, wait_until

import promptopt

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
