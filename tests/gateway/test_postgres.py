"""The ledger in PostgreSQL: a real server, started here."""

import contextlib
import gc
import multiprocessing
import os
import re
import threading
import time

import psycopg
import pytest
from upstream import ask, wait_until

from promptopt.errors import InputError
from promptopt.gateway.stores.base import StoreDown
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerRow


def test_calls_of_the_sdk_are_rows(client, postgres_server):
    sdk = client(ledger=postgres_server.url)
    ask(sdk, extra_headers={"x-promptopt-tag": "search"})
    ask(sdk)
    ledger = open_ledger(postgres_server.url)
    assert wait_until(lambda: len(list(ledger.rows())) == 2)
    first, second = ledger.rows()
    assert (first.tag, first.status, first.cache, first.stream, first.input_tokens) == (
        "search",
        "ok",
        "miss",
        False,
        10,
    )
    assert (second.cache, second.incurred_usd) == ("cache", 0.0)
    assert first.list_usd > 0
    assert list(ledger.rows(since=second.at + 1)) == []
    ledger.close()


def test_every_value_of_a_row_comes_back(postgres_server):
    ledger = open_ledger(postgres_server.url)
    row = LedgerRow(
        1_790_000_000.25, "m", "p", "v1", tag="a\0b \U0001f600", stream=True, list_usd=0.1, output_tokens=2**40
    )
    ledger.finish(ledger.begin(row._replace(status="sent")), row)
    assert list(ledger.rows()) == [row._replace(tag="ab \U0001f600")]
    ledger.close()


def test_a_call_is_there_before_it_ends_and_one_row_after(postgres_server):
    ledger, other = open_ledger(postgres_server.url), open_ledger(postgres_server.url)
    number = ledger.begin(LedgerRow(1.0, "m", status="sent"))
    assert [row.status for row in ledger.rows()] == ["sent"]
    ledger.finish(number, LedgerRow(1.0, "m", status="ok"))
    assert [row.status for row in other.rows()] == ["ok"]
    ledger.close()
    other.close()


def test_rows_wait_while_the_server_is_away(postgres_server, caplog):
    ledger = open_ledger(postgres_server.url)
    ledger.finish(0, LedgerRow(1.0, "before"))
    list(ledger.rows())
    postgres_server.stop()
    ledger.finish(0, LedgerRow(2.0, "away"))
    assert wait_until(lambda: "held in memory" in caplog.text)
    postgres_server.start()
    assert wait_until(lambda: [row.model for row in ledger.rows()] == ["before", "away"], 15)
    ledger.close()


@pytest.mark.parametrize(
    "gone",
    [
        "DROP TABLE calls",
        "TRUNCATE calls RESTART IDENTITY",
        'ALTER TABLE calls DROP COLUMN "tag"',
        "DROP TABLE calls; CREATE TABLE calls (id BIGSERIAL PRIMARY KEY, at DOUBLE PRECISION)",
    ],
)
def test_a_table_that_somebody_drops_is_made_again(postgres_server, gone):
    ledger, other = open_ledger(postgres_server.url), open_ledger(postgres_server.url)
    numbers = [
        each.begin(LedgerRow(1.0 + place, f"m{place}", status="sent")) for place, each in enumerate([ledger, other])
    ]
    assert len(list(ledger.rows())) == 2
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(gone)
    ledger.finish(0, LedgerRow(3.0, "after", tag="t"))
    assert wait_until(lambda: models(ledger)[-1:] == ["after"])
    for each, number, at in ((ledger, numbers[0], 1.0), (other, numbers[1], 2.0)):
        # Its number may be that of another call now.
        each.finish(number, LedgerRow(at, "ended"))
    assert wait_until(lambda: models(ledger) == ["ended", "ended", "after"])
    assert [row.tag for row in ledger.rows()] == [None, None, "t"]
    ledger.close()
    other.close()


def models(ledger):
    with contextlib.suppress(StoreDown):
        return [row.model for row in ledger.rows()]
    return []


def test_a_ledger_that_is_closed_while_the_server_is_away_loses_nothing(postgres_server):
    ledger = open_ledger(postgres_server.url)
    postgres_server.stop()
    ledger.finish(0, LedgerRow(1.0, "away"))
    ledger.close()
    del ledger
    postgres_server.start()
    other = open_ledger(postgres_server.url)
    assert wait_until(lambda: models(other) == ["away"], 15)
    other.close()


def test_one_row_that_it_does_not_take_takes_no_other_with_it(postgres_server, caplog):
    ledger = open_ledger(postgres_server.url)
    ledger.finish(0, LedgerRow(1.0, "good"))
    ledger.finish(0, LedgerRow(2.0, "half \ud800", input_tokens=2**70))
    ledger.finish(0, LedgerRow(3.0, "good too"))
    assert [row.at for row in ledger.rows()] == [1.0, 2.0, 3.0]
    assert ledger.damaged == 1
    ledger.close()


def _write(url, name):
    ledger = open_ledger(url)
    for number in range(50):
        ledger.finish(ledger.begin(LedgerRow(number, name, status="sent")), LedgerRow(number, name))
    ledger.close()


def test_machines_that_start_together_make_one_table(postgres_server):
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_write, args=(postgres_server.url, f"m{number}")) for number in range(4)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0] * 4
    ledger = open_ledger(postgres_server.url)
    rows = list(ledger.rows())
    assert (len(rows), {row.status for row in rows}) == (200, {"ok"})
    ledger.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_uses_no_connection_of_its_parent(postgres_server):
    ledger = open_ledger(postgres_server.url)
    ledger.finish(0, LedgerRow(1.0, "parent"))
    list(ledger.rows())
    child = os.fork()
    if child == 0:
        ledger.finish(0, LedgerRow(2.0, "child"))
        ledger.close()
        os._exit(0)
    os.waitpid(child, 0)
    ledger.finish(0, LedgerRow(3.0, "parent"))
    assert [row.model for row in ledger.rows()] == ["parent", "child", "parent"]
    ledger.close()


def test_threads_lose_nothing(postgres_server):
    ledger = open_ledger(postgres_server.url)

    def write() -> None:
        for number in range(100):
            ledger.finish(ledger.begin(LedgerRow(number, "m", status="sent")), LedgerRow(number, "m"))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.status for row in ledger.rows()] == ["ok"] * 800
    ledger.close()


def test_a_server_that_is_not_there_is_said_without_its_password():
    with pytest.raises(InputError, match=re.escape("postgresql://127.0.0.1:1/calls")) as caught:
        open_ledger("postgresql://me:secret@127.0.0.1:1/calls")
    assert "secret" not in str(caught.value)


def test_rows_that_are_too_old_are_deleted(postgres_server):
    before = open_ledger(postgres_server.url)
    before.finish(0, LedgerRow(1.0, "old"))
    before.close()
    ledger = open_ledger(postgres_server.url, 60.0)
    now = time.time()
    ledger.finish(0, LedgerRow(now, "new"))
    assert [row.model for row in ledger.rows()] == ["new"]
    ledger.close()


def test_a_ledger_that_nobody_closes_leaves_no_connection(postgres_server, recwarn):
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'promptopt'"
    ledger = open_ledger(postgres_server.url)
    ledger.finish(0, LedgerRow(1.0, "m"))
    assert len(list(ledger.rows())) == 1
    del ledger
    gc.collect()
    with psycopg.connect(postgres_server.url) as connection:
        assert wait_until(lambda: connection.execute(count).fetchone()[0] == 0)
    assert [str(each.message) for each in recwarn if each.category is ResourceWarning] == []
