import json
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from upstream import ask, error, wait_until

import promptopt
from promptopt.auditing.model_lifetimes import shutdown_date
from promptopt.auditing.readers.ledger import row_calls
from promptopt.auditing.spend import priced, sum_up
from promptopt.cli import cli
from promptopt.cli.usage import usage_text
from promptopt.config import OwnPrice, load_config
from promptopt.errors import InputError, UsageError
from promptopt.gateway.layers.meter import otel_attributes
from promptopt.gateway.stores.ledger import JsonlLedger, SqliteLedger, open_ledger
from promptopt.gateway.stores.ledger_row import LedgerRow

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = 86400


def row(day=0, usd=1.0, **values):
    values = {"model": "gpt-4o-mini", "kind": "k", "digest": "d", "max_output_tokens": 5, "cache": "miss", **values}
    return LedgerRow(at=NOW.timestamp() - day * DAY, list_usd=usd, incurred_usd=usd, **values)


def test_sum_up():
    rows = [row(day, usd=9.0 if day == 2 else 1.0, digest=str(day), kind=f"k{day % 5}") for day in range(20, -1, -1)]
    rows += [
        row(digest="0", cache="cache", usd=0.0),
        row(status="error", error="server", usd=0.0, digest="e"),
        row(status="refused", usd=0.0, digest="r"),
        row(max_output_tokens=None, digest="u", model="gpt-4"),
        row(usd=2.0, basis="assumed", digest="t", status="error", error="timeout"),
        row(usd=0.0, status="sent", digest="s", day=0.5),
    ]
    usage = sum_up(rows, NOW)
    assert usage.total.incurred_usd == 32
    assert [spend.name for spend in usage.groups["model"]] == ["gpt-4o-mini", "gpt-4"]
    assert usage.spikes == [("2026-11-19", 9.0, 1.0), ("2026-11-21", 4.0, 1.0)]
    assert usage.errors == {"server": 1, "timeout": 1}
    assert usage.error_rate == 2 / 24
    assert usage.hit_ratio == 1 / 26
    assert (usage.refused, usage.lost, usage.assumed_usd) == (1, 1, 2.0)
    assert usage.uncapped == {"k": 1}
    assert usage.repeat_rate == 1 / 27
    assert [shutdown.model for shutdown in usage.shutdowns] == ["gpt-4", "gpt-4o-mini"]
    # The last seven days hold $9 + 6 x $1 + $3 of today's; the seven before them $7.
    assert usage.trend == pytest.approx(18 / 7 - 1)
    assert usage.month.low < usage.month.usd < usage.month.high
    assert sum(usage.weeks.values()) == pytest.approx(32)


def test_the_days_since_the_last_call_cost_nothing():
    rows = [row(day) for day in range(30, 9, -1)]
    until_now, until_then = sum_up(rows, NOW).month, sum_up(rows, NOW - timedelta(days=10)).month
    assert until_now.usd < until_then.usd / 2
    assert 25 < until_then.usd < 35


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 10**8), st.integers(0, 6)), min_size=1, max_size=40))
def test_groups_add_up(entries):
    rows = sorted(
        (row(day, micro / 10**6, kind=f"k{kind}", tag=f"t{kind}") for day, micro, kind in entries), key=lambda r: r.at
    )
    usage = sum_up(rows, NOW)
    for spends in usage.groups.values():
        assert sum(spend.calls for spend in spends) == len(rows)
        assert sum(spend.incurred_usd for spend in spends) == pytest.approx(usage.total.incurred_usd)
    assert usage.top_share is None or 0 < usage.top_share <= 1.0000001
    assert usage.month is None or usage.month.usd >= 0


@pytest.mark.parametrize("name", ["l.sqlite", "l.jsonl"])
def test_stores_give_back_what_they_took(folder, name):
    ledger = open_ledger(folder / name)
    first = row(prompt="p", stream=False)
    ledger.finish(ledger.begin(first._replace(status="sent")), first)
    ledger.finish(0, row(status="refused"))
    found = list(ledger.rows())
    assert [each.status for each in found] == ["ok", "refused"]
    assert (found[0].prompt, found[0].at, bool(found[0].stream)) == ("p", pytest.approx(first.at, abs=1e-3), False)
    assert list(ledger.rows(since=NOW.timestamp() + 1)) == []
    ledger.close()


def test_full_disk_holds_rows_until_it_takes_them(folder, caplog):
    ledger = SqliteLedger(folder / "l.sqlite")
    database = ledger._database
    ledger.finish(0, row())
    assert len(list(ledger.rows())) == 1
    database.close()
    open_connection = database._open

    def full_disk():
        connection = open_connection()
        connection.execute("PRAGMA max_page_count=2")
        return connection

    database._open = full_disk
    numbers = [ledger.begin(row(status="sent", prompt="x" * 2000)) for _ in range(200)]
    assert wait_until(lambda: "held in memory" in caplog.text)
    for number in numbers:
        ledger.finish(number, row(prompt="x" * 2000))
    del database._open
    database.close()
    assert [each.status for each in ledger.rows()] == ["ok"] * 201
    assert caplog.text.count("held in memory") == 1


def test_a_file_of_an_earlier_version_gets_its_new_columns(folder):
    connection = sqlite3.connect(folder / "l.sqlite")
    connection.execute("CREATE TABLE calls (id INTEGER PRIMARY KEY, at REAL, model TEXT)")
    connection.execute("INSERT INTO calls (at, model) VALUES (1.0, 'm')")
    connection.commit()
    connection.close()
    ledger = SqliteLedger(folder / "l.sqlite")
    ledger.finish(0, row(misordered_tokens=7))
    assert [(each.model, each.misordered_tokens) for each in ledger.rows()] == [("m", None), (row().model, 7)]
    assert [each.service_tier for each in ledger.rows()] == [None, None]


@pytest.mark.parametrize(("asked", "kept"), [("auto", None), ("flex", "flex"), ("priority", "priority")])
@pytest.mark.parametrize("name", ["l.sqlite", "l.jsonl"])
def test_the_tier_that_a_call_is_priced_as_is_in_the_ledger_and_in_its_audit(client, upstream, name, asked, kept):
    sdk = client(ledger=name)
    ask(sdk, model="o3", extra_body={"service_tier": asked})
    found = list(sdk._client.gateway.ledger.rows())
    assert [each.service_tier for each in found] == [kept]
    assert [call.tier for each in found for call in row_calls(each)] == [kept]


@pytest.mark.parametrize(("tier", "usd"), [(None, 5.0), ("flex", 2.5), ("ultra", None)])
def test_a_row_that_was_unpriced_is_priced_by_its_tier(tier, usd):
    prices = {"own": OwnPrice(Decimal(5), Decimal(0)), "own@flex": OwnPrice(Decimal("2.5"), Decimal(0))}
    config = replace(load_config(), prices=prices)
    before = LedgerRow(NOW.timestamp(), "own", input_tokens=1_000_000, output_tokens=0, service_tier=tier)
    assert [each.list_usd for each in priced([before], config)] == [usd]


def blocked(folder):
    """A ledger whose database takes nothing until the folder in its place is gone."""
    ledger = SqliteLedger(folder / "l.sqlite")
    ledger._database.close()
    (folder / "l.sqlite").unlink()
    (folder / "l.sqlite").mkdir()
    return ledger


def test_rows_that_no_disk_takes_until_the_process_ends_are_said_to_be_lost(folder):
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_spend import blocked, row
ledger = blocked(Path.cwd())
ledger.finish(0, row())
ledger.close()
"""
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True)
    assert "rows are lost that the disk did not take: 1" in done.stderr


def test_a_ledger_that_is_closed_loses_nothing_that_its_database_did_not_take(folder, caplog):
    """As a server's that reads its configuration again while a disk is full."""
    ledger = blocked(folder)
    ledger.finish(0, row())
    ledger.close()
    del ledger
    (folder / "l.sqlite").rmdir()
    assert wait_until((folder / "l.sqlite").exists, 10)
    other = SqliteLedger(folder / "l.sqlite")
    assert wait_until(lambda: len(list(other.rows())) == 1, 10)
    assert "lost" not in caplog.text


@pytest.mark.parametrize("kind", ["exit", "daemon thread", "fork", "multiprocessing"])
def test_a_process_that_ends_writes_what_it_holds(folder, kind):
    last = {
        "exit": "finish()",
        "daemon thread": "t = threading.Thread(target=finish, daemon=True); t.start(); t.join()",
        # The child's rows are its own: those that wait in the parent are the parent's to write.
        "fork": "finish()\nif os.fork() == 0:\n    finish(); sys.exit()\nos.wait()",
        "multiprocessing": "p = multiprocessing.get_context('fork').Process(target=finish); p.start(); p.join()",
    }[kind]
    code = (
        "import multiprocessing, os, sys, threading\n"
        "from pathlib import Path\n"
        "from promptopt.gateway.stores.ledger import SqliteLedger\n"
        "from promptopt.gateway.stores.ledger_row import LedgerRow\n"
        "ledger = SqliteLedger(Path('l.sqlite'))\n"
        "def finish(): ledger.finish(ledger.begin(LedgerRow(1.0, 'm', status='sent')), LedgerRow(1.0, 'm'))\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code + last], check=True, timeout=30)
    assert [each.status for each in SqliteLedger(folder / "l.sqlite").rows()] == ["ok"] * (2 if kind == "fork" else 1)


def test_a_killed_process_loses_no_row_that_is_older_than_the_delay(folder):
    code = (
        "import time\n"
        "from pathlib import Path\n"
        "from promptopt.gateway.stores.ledger import SqliteLedger\n"
        "from promptopt.gateway.stores.ledger_row import LedgerRow\n"
        "ledger = SqliteLedger(Path('l.sqlite'))\n"
        "for n in range(50):\n"
        "    ledger.begin(LedgerRow(float(n), 'm', status='sent'))\n"
        "    print(n, flush=True)\n"
        "    time.sleep(0.005)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        for _ in range(50):
            process.stdout.readline()
        time.sleep(0.5)
        process.kill()
    assert [each.status for each in SqliteLedger(folder / "l.sqlite").rows()] == ["sent"] * 50


def test_broken_line(folder):
    path = folder / "l.jsonl"
    JsonlLedger(path).finish(0, row())
    with path.open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(InputError, match=r"l.jsonl:2: not a ledger row"):
        list(JsonlLedger(path).rows())


def test_command(client, upstream, folder):
    sdk = client()
    with promptopt.labels(prompt="triage", version="v2", tag="mail", user="u1"):
        ask(sdk)
        ask(sdk)
    upstream.on = lambda path, body: error(400, "invalid_value")
    with pytest.raises(Exception, match="400"):
        ask(sdk, "x")
    run = CliRunner().invoke
    output = run(cli, ["usage"]).output
    for expected in (
        "triage@v2",
        "mail",
        "u1",
        "33.3%",
        "invalid_value 1",
        "the next thirty days",
        "shutdown announced",
    ):
        assert expected in output
    assert "triage@v2" not in run(cli, ["usage", "--by", "model"]).output
    assert "no calls" in run(cli, ["usage", "--since", "2100-01-01"]).output
    assert run(cli, ["usage", "--otel", "o.jsonl"]).exit_code == 0
    first = json.loads((folder / "o.jsonl").read_text().splitlines()[0])["attributes"]
    assert first["gen_ai.request.model"] == "gpt-4o-mini"
    assert (first["gen_ai.usage.input_tokens"], first["gen_ai.usage.output_tokens"]) == (10, 2)
    assert first["gen_ai.response.finish_reasons"] == ["stop"]
    assert isinstance(run(cli, ["usage", "--since", "soon"]).exception, UsageError)
    assert isinstance(run(cli, ["usage", "--ledger", "nowhere.sqlite"]).exception, UsageError)


def test_jsonl_ledger_of_a_client(client, folder):
    sdk = client(ledger="calls.jsonl")
    ask(sdk)
    ask(sdk)
    assert [each.cache for each in open_ledger(folder / "calls.jsonl").rows()] == ["miss", "cache"]


def test_otel_leaves_out_what_is_unknown():
    attributes = otel_attributes(row(model_answered=None))
    assert "gen_ai.response.model" not in attributes
    assert None not in attributes.values()


def test_shutdown_dates():
    assert shutdown_date("gpt-4").isoformat() == "2026-10-23"
    assert shutdown_date("o3").isoformat() == "2026-12-11"
    assert shutdown_date("my-own") is None


@pytest.mark.parametrize("name", ["ledger.db", "ledger.jsonl"])
def test_a_price_that_is_added_later_reaches_the_calls_before_it(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    ledger = open_ledger(tmp_path / name)
    used = {"input_tokens": 1_000_000, "cache_read_tokens": 400_000, "output_tokens": 500_000}
    ledger.finish(0, row(usd=None, model="mine", **used))
    ledger.finish(0, row(usd=None, model="mine", **used)._replace(cache="cache", incurred_usd=0.0))
    ledger.finish(0, row(usd=None, model="yours", **used))
    ledger.finish(0, row(usd=3.0, model="mine", **used))
    ledger.close()

    def totals():
        done = CliRunner().invoke(cli, ["usage", "--ledger", name, "--json"], catch_exceptions=False)
        total = json.loads(done.stdout)["total"]
        return total["unpriced"], total["list_usd"], total["incurred_usd"]

    (tmp_path / "pyproject.toml").write_text("")
    assert totals() == (3, 3.0, 3.0)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.promptopt.prices."mine"]\ninput_mtok = 1.0\ncache_read_mtok = 0.5\noutput_mtok = 4.0\n'
    )
    # 0.6 + 0.2 + 2.0 each; what a cache answered was paid once.
    assert totals() == (1, pytest.approx(3.0 + 2 * 2.8), pytest.approx(3.0 + 2.8))


@pytest.mark.parametrize(
    ("unpriced", "shown"),
    [
        (0, "$3.00 paid, $3.00 at list price"),
        (1, "$3.00 paid, $3.00 at list price, without 1 unpriced"),
        (4, "unpriced"),
    ],
)
def test_calls_without_a_price_are_not_in_the_sum_as_nothing(unpriced, shown):
    known = [row()._replace(list_usd=1.0, incurred_usd=1.0)] * (3 if unpriced < 4 else 0)
    rows = [*known, *[row()._replace(list_usd=None, incurred_usd=None)] * unpriced]
    first = usage_text(sum_up(rows), ()).splitlines()[0]
    assert first.endswith(f": {shown}")
