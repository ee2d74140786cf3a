"""Rows, answers and settlements that a store does not take as they are: the rest is written, and writing goes on."""

import contextlib
import ctypes
import json
import logging
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
import weakref
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream import answer, ask, wait_until

import promptopt
from promptopt.gateway.call import Answer
from promptopt.gateway.stores.base import KeptAnswer, StoreOptions
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerRow, storable
from promptopt.gateway.stores.sqlite import SqliteStore
from promptopt.gateway.stores.write_behind import WriteBehind

HALF_PAIR = "Zo\ud83d"


def in_ledger():
    with closing(sqlite3.connect(".promptopt/ledger.sqlite")) as connection, connection:
        return connection.execute("SELECT count(*) FROM calls").fetchone()[0]


def writer_thread():
    return next((each for each in threading.enumerate() if each.name == "promptopt-writer"), None)


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**70),
    st.floats(),
    st.text(st.characters()),
    st.text(st.characters(categories=["Cs", "Lu"])),
    st.binary(),
    st.lists(st.integers() | st.text()),
    st.dictionaries(st.text(), st.integers()),
    st.uuids(),
    st.decimals(),
    st.builds(object),
)
columns = [name for name in LedgerRow._fields if name not in ("at", "model", "status")]
odd_rows = st.lists(
    st.dictionaries(st.sampled_from(columns), odd, max_size=6).map(
        lambda values: LedgerRow(at=1.0, model="m", **values)
    ),
    max_size=5,
)


@given(odd_rows, st.sampled_from([".sqlite", ".jsonl"]))
@settings(max_examples=150, deadline=None)
def test_every_row_is_written_whatever_is_in_it(tmp_path_factory, rows, ending):
    ledger = open_ledger(tmp_path_factory.mktemp("ledger") / f"ledger{ending}")
    good = LedgerRow(at=2.0, model="good", user="u1", input_tokens=7)
    for row in [*rows, good]:
        ledger.finish(0, row)
    found = list(ledger.rows())
    ledger.close()
    assert len(found) == len(rows) + 1
    assert found[-1] == good


@given(odd_rows)
def test_what_can_be_stored_stays_as_it_is(rows):
    for row in rows:
        for before, after in zip(row, storable(row), strict=True):
            if before is None or isinstance(before, bool | float):
                assert after is before
            if isinstance(before, int):
                assert after == (before if -(2**63) <= before < 2**63 else None)
            if isinstance(before, str):
                assert after.encode().decode() == after
                assert after == before or "\\u" in after


def test_an_untouched_row_is_the_same_object():
    row = LedgerRow(at=1.0, model="m", user="Zoë", input_tokens=3)
    assert storable(row) is row


@pytest.mark.parametrize(
    "body",
    [
        {"max_tokens": 10**20},
        {"extra_body": {"temperature": 10**400}},
        {"user": {"name": "u"}},
        {"user": ["u"]},
        {"extra_body": {"safety_identifier": 5}},
    ],
    ids=str,
)
def test_an_odd_body_leaves_a_row_and_the_rows_after_it(client, upstream, caplog, body):
    sdk = client()
    ask(sdk, "odd", **body)
    for number in range(5):
        ask(sdk, f"after {number}")
    sdk.close()
    assert in_ledger() == 6


def test_labels_and_usage_that_no_store_takes(client, upstream, caplog):
    sdk = client()
    with promptopt.labels(user=HALF_PAIR, prompt=HALF_PAIR, version="v1"):
        ask(sdk, "label")
    upstream.on = lambda path, body: answer(body, prompt_tokens=10**20)
    ask(sdk, "usage")
    upstream.on = lambda path, body: answer(body)
    ask(sdk, "after")
    sdk.close()
    with closing(sqlite3.connect(".promptopt/ledger.sqlite")) as connection, connection:
        rows = connection.execute("SELECT user, input_tokens, status FROM calls ORDER BY id").fetchall()
    with closing(sqlite3.connect(".promptopt/cache.sqlite")) as connection:
        kept = connection.execute("SELECT count(*) FROM answers").fetchone()[0]
    assert [(user, status) for user, _, status in rows] == [("Zo\\ud83d", "ok"), (None, "ok"), (None, "ok")]
    assert rows[0][1] == rows[2][1] == 10
    # What cannot be is not written as measured.
    assert rows[1][1] < 100
    assert kept == 3
    assert "a row is written without what cannot be stored: prompt, user, kind" in caplog.text


def test_a_settlement_that_cannot_be_is_the_worst_case(client, upstream, caplog):
    upstream.on = lambda path, body: answer(body, prompt_tokens=10**20)
    sdk = client(budget={"day": 5})
    ask(sdk, "first", max_completion_tokens=10)
    upstream.on = lambda path, body: answer(body)
    for number in range(3):
        ask(sdk, f"after {number}", max_completion_tokens=10)
    sdk.close()
    with closing(sqlite3.connect(".promptopt/budget.sqlite")) as connection, connection:
        spent, reserved = connection.execute("SELECT spent, reserved FROM budgets").fetchone()
    assert 0 < spent < 100_000
    assert reserved == 0
    assert "it counts at its worst case" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the death is the test
def test_a_writer_that_died_is_started_again_and_says_so(client, upstream, caplog):
    sdk = client()
    ask(sdk, "before")
    assert wait_until(lambda: in_ledger() == 1)
    thread = writer_thread()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
    ask(sdk, "wakes it")
    assert wait_until(lambda: not thread.is_alive(), timeout_s=10)
    for number in range(3):
        ask(sdk, f"after {number}")
    assert wait_until(lambda: in_ledger() == 5)
    assert "it is started again" in caplog.text


class Stubborn:
    """Raises the first time it is to write."""

    def __init__(self, path):
        self.tries = 0
        self.writer = WriteBehind(path, self.write, forked=self.begin)

    def begin(self):
        """Nothing is held."""

    def write(self):
        self.tries += 1
        if self.tries == 1:
            raise RuntimeError("not now")
        return True


def test_one_that_cannot_write_stops_no_other(tmp_path, caplog):
    stubborn = Stubborn(tmp_path / "stubborn")
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    stubborn.writer.due()
    ledger.finish(0, LedgerRow(at=1.0, model="m"))
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    assert wait_until(lambda: connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1)
    assert wait_until(lambda: stubborn.tries == 2)
    connection.close()
    ledger.close()
    assert "stubborn: could not be written" in caplog.text


def test_without_a_thread_calls_write_themselves(tmp_path):
    # In a process of its own: in this one a writer may run for another test's ledger.
    program = """
import logging, sqlite3, sys, threading
from pathlib import Path
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerRow

logging.basicConfig()

def refuse(thread):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
ledger = open_ledger(Path(sys.argv[1]))
ledger.finish(0, LedgerRow(at=1.0, model="m"))
with sqlite3.connect(sys.argv[1]) as connection:
    assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1
ledger.close()
"""
    file = str(tmp_path / "ledger.sqlite")
    done = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, check=True)
    assert "calls write themselves" in done.stderr


def test_bad_rows_are_counted_and_reported_now_and_then(tmp_path, caplog):
    caplog.set_level(logging.ERROR, logger="promptopt.gateway")
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    for _ in range(120):
        ledger.finish(0, LedgerRow(at=1.0, model="m", user=uuid.uuid4(), list_usd=Decimal(1)))
    assert len(list(ledger.rows())) == ledger.damaged == 120
    ledger.close()
    assert len(caplog.records) == 3


def test_a_line_of_json_is_one_that_json_has(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = open_ledger(path)
    ledger.finish(0, LedgerRow(at=1.0, model=HALF_PAIR, user=uuid.UUID(int=7), input_tokens=10**30))
    ledger.close()
    row = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert row["user"] == str(uuid.UUID(int=7))
    assert row["input_tokens"] is None


def test_an_answer_that_cannot_be_kept_loses_no_other(tmp_path, caplog):
    store = SqliteStore(StoreOptions(tmp_path))
    cache = store.cache()
    good = KeptAnswer("good", 1.0, 9e9, HALF_PAIR, "m", HALF_PAIR, Answer("kept"))
    for entry in (good, replace(good, key="bad", created=10**30), replace(good, key="last")):
        cache.put(entry)
    assert {entry.key for entry in cache.entries()} == {"good", "last"}
    assert cache.get("good", 2.0).text == "kept"
    store.close()
    assert "an answer is not kept that SQLite does not take" in caplog.text


def test_a_row_ends_without_what_is_known_no_more(tmp_path):
    ledger = open_ledger(tmp_path / "l.sqlite")
    sent = LedgerRow(1.0, "m", status="sent", list_usd=0.5, input_tokens=7, tag="search")
    number = ledger.begin(sent)
    assert list(ledger.rows()) == [sent]
    done = LedgerRow(1.0, "m", latency_ms=3.0, input_tokens=9, tag="search")
    ledger.finish(number, done)
    ledger.finish(0, LedgerRow(2.0, "m", user="u1"))
    assert list(ledger.rows()) == [done, LedgerRow(2.0, "m", user="u1")]
    ledger.close()


@pytest.mark.parametrize(
    "gone", ["the file", "another file", "DROP TABLE calls", "DELETE FROM calls", "ALTER TABLE calls DROP tag"]
)
def test_a_ledger_that_somebody_deletes_while_it_is_used_loses_nothing_after_that(tmp_path, gone, caplog):
    path = tmp_path / "ledger.sqlite"
    ledger, other = open_ledger(path), open_ledger(path)
    numbers = [each.begin(LedgerRow(1.0 + place, "begun", status="sent")) for place, each in enumerate([ledger, other])]
    assert len(list(ledger.rows())) == 2
    if gone.endswith("file"):
        for ending in ("", "-wal", "-shm"):
            (tmp_path / f"ledger.sqlite{ending}").unlink()
        if gone == "another file":
            open_ledger(path).close()
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(gone)
            connection.commit()
    ledger.finish(0, LedgerRow(3.0, "after", tag="t"))
    assert wait_until(lambda: models(path)[-1:] == ["after"])
    for each, number, at in ((ledger, numbers[0], 1.0), (other, numbers[1], 2.0)):
        # The place of its row may be that of another call now.
        each.finish(number, LedgerRow(at, "ended"))
    assert wait_until(lambda: models(path) == ["ended", "ended", "after"])
    ledger.close()
    other.close()
    assert models(path) == ["ended", "ended", "after"]
    assert ("deleted or replaced" in caplog.text) == gone.endswith("file")


def models(path):
    """The models of all rows, as another program reads them."""
    with contextlib.suppress(sqlite3.OperationalError), closing(sqlite3.connect(path, timeout=0)) as connection:
        return [model for (model,) in connection.execute("SELECT model FROM calls ORDER BY at")]
    return []


def test_many_calls_that_are_sent_together_end_in_their_own_rows(tmp_path):
    ledger = open_ledger(tmp_path / "l.sqlite")
    ledger.finish(0, LedgerRow(0.0, "m", digest="before"))
    # More than one statement takes, and not all with the same columns.
    sent = [
        LedgerRow(1.0 + at, "m", status="sent", digest=f"d{at}", tag="t" if at % 7 == 3 else None) for at in range(45)
    ]
    numbers = [ledger.begin(row) for row in sent]
    assert list(ledger.rows())[1:] == sent
    done = [row._replace(status="ok", latency_ms=float(at)) for at, row in enumerate(sent)]
    for at in reversed(range(45)):
        ledger.finish(numbers[at], done[at])
    assert list(ledger.rows())[1:] == done
    ledger.close()


class Busy:
    """Notes when it writes."""

    def __init__(self, path, apart_s):
        self.times = []
        self.writer = WriteBehind(path, self.write, forked=self.begin, apart_s=apart_s)

    def begin(self):
        """Nothing is held."""

    def write(self):
        self.times.append(time.monotonic())
        return True


def test_what_is_due_again_waits_unless_somebody_waits_for_it(tmp_path):
    busy = Busy(tmp_path / "busy", 30.0)
    busy.writer.due()
    assert wait_until(lambda: len(busy.times) == 1)
    busy.writer.due()
    time.sleep(0.2)
    assert len(busy.times) == 1
    busy.writer.due(soon=True)
    assert wait_until(lambda: len(busy.times) == 2)


def test_a_write_that_failed_is_not_tried_again_at_once_since_somebody_waits(tmp_path):
    stubborn = Stubborn(tmp_path / "stubborn")
    stubborn.writer.due(soon=True)
    assert wait_until(lambda: stubborn.tries == 1)
    stubborn.writer.due(soon=True)
    time.sleep(0.2)
    assert stubborn.tries == 1
    assert wait_until(lambda: stubborn.tries == 2)


def test_what_waits_to_be_written_keeps_no_response_alive(upstream, tmp_path, monkeypatch):
    monkeypatch.setattr("promptopt.gateway.stores.write_behind.DELAY_S", 1.0)
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
    with promptopt.http_client(path=tmp_path) as http:
        response = http.post(f"{upstream.url}/chat/completions", json=body)
        assert response.json()["choices"]
        alive = weakref.ref(response)
        del response
        assert alive() is None
        assert [row.status for row in http.gateway.ledger.rows()] == ["ok"]
