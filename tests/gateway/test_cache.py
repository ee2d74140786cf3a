import gc
import multiprocessing
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from upstream import ask

from promptopt.cli import cli
from promptopt.errors import InputError, UsageError
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.failures import GatewayUnavailable
from promptopt.gateway.flow import run
from promptopt.gateway.layers.cache import CachePolicy, ExactCache
from promptopt.gateway.simulate import SimulatedClock
from promptopt.gateway.stores.base import KeptAnswer, StoreDown, StoreOptions
from promptopt.gateway.stores.database import Database
from promptopt.gateway.stores.memory import MemoryStore
from promptopt.gateway.stores.redis import RedisStore
from promptopt.gateway.stores.sqlite import SqliteStore
from promptopt.values import Usage

HOUR, DAY = 3600, 86400
LONGEST = CachePolicy(ttl_s=14 * DAY, lasting=["*"])


def make(text="hi", model="m", **body):
    body = {"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0, **body}
    return Call.of("chat", "u", body)


def asked(cache, call, count=[0]):  # noqa: B006 - counts over calls
    before = count[0]

    def inner(call):
        count[0] += 1
        return Answer(text="a", usage=Usage(1, 0, 0, 1))
        yield

    run(cache.handle(call, inner), None)
    return count[0] - before


@pytest.fixture(params=["sqlite", "redis", "memory"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return SqliteStore(StoreOptions(tmp_path)).cache()
    if request.param == "memory":
        return MemoryStore(StoreOptions(tmp_path)).cache()
    return RedisStore(StoreOptions(tmp_path, url=request.getfixturevalue("redis_server").url)).cache()


def test_ttl(store):
    # After every time that the machine may have: what is over by that is deleted.
    clock = SimulatedClock(4_000_000_000)
    cache = ExactCache(store, CachePolicy(lasting=["*"]), clock=clock)
    start = clock.now
    assert asked(cache, make("plain")) == 1
    assert asked(cache, make("the weather today")) == 1
    clock.now = start + HOUR - 1
    assert asked(cache, make("plain")) == asked(cache, make("the weather today")) == 0
    clock.now = start + HOUR + 1
    assert asked(cache, make("plain")) == 0
    assert asked(cache, make("the weather today")) == 1
    clock.now = start + 7 * DAY + 1
    assert asked(cache, make("plain")) == 1


def test_a_clock_that_goes_back_does_not_prolong(store):
    # After every time that the machine may have: what is over by that is deleted.
    clock = SimulatedClock(4_000_000_000)
    cache = ExactCache(store, CachePolicy(), clock=clock)
    asked(cache, make())
    clock.now -= 10 * DAY
    assert asked(cache, make()) == 1


@pytest.mark.parametrize(
    ("text", "sensitive"),
    [
        ("I know the snow", False),
        ("concurrent", False),
        ("what is it now?", True),
        ("NOW!", True),
        ("this\nweek", True),
        ("today's news", True),
        ("daytoday", False),
        ("latest_version", False),
    ],
)
def test_time_words_are_whole_words(text, sensitive):
    assert (CachePolicy(lasting=["*"]).ttl_of(text) == HOUR) is sensitive


@given(st.text(max_size=40))
def test_any_text_has_a_ttl_of_at_most_14_days(text):
    assert 0 < LONGEST.ttl_of(text) <= 14 * DAY


@pytest.mark.parametrize("ttl", [0, -1, 14 * DAY + 1, float("inf"), float("nan")])
def test_ttl_above_14_days_is_refused(ttl):
    with pytest.raises(UsageError, match="14 days"):
        CachePolicy(ttl_s=ttl)


def test_clear_by_prompt_model_age(store):
    answer = Answer()
    for number, (prompt, model) in enumerate([("a@v1", "m"), ("a@v2", "m"), ("ab@v1", "m"), (None, "n")]):
        store.put(KeptAnswer(f"k{number}", 1000.0 + number, 9e9, prompt, model, None, answer))
    assert store.clear(before=1001.0) == 1
    assert store.clear(prompt="a") == 1
    assert store.clear(model="n", prompt="zzz") == 0
    assert store.clear(model="n") == 1
    assert [entry.key for entry in store.entries()] == ["k2"]
    assert store.clear() == 1


def test_what_is_not_finished_is_not_kept(store):
    cache = ExactCache(store, CachePolicy())

    def inner(call):
        return Answer(complete=False)
        yield

    run(cache.handle(make("filtered"), inner), None)
    assert asked(cache, make("filtered")) == 1


def test_no_text_is_stored_unless_the_setting_says_so(client, folder):
    sdk = client()
    ask(sdk, "a very private question")
    sdk.close()
    kept = b"".join(path.read_bytes() for path in (folder / ".promptopt").iterdir())
    assert b"private" not in kept
    sdk = client(cache={"store_text": True})
    ask(sdk, "another private question")
    assert "another private question" in CliRunner().invoke(cli, ["cache", "list"], env={"COLUMNS": "200"}).output


def test_a_list_of_answers_breaks_texts_and_never_times(client, folder):
    sdk = client(cache={"store_text": True})
    ask(sdk, "where is the parcel that was to come yesterday, and what does it cost to send it back")
    sdk.close()
    shown = CliRunner().invoke(cli, ["cache", "list"]).output
    assert max(map(len, shown.splitlines())) <= 80
    assert re.search(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  ){2}", shown, re.MULTILINE)


def test_another_client_of_the_process_finds_an_answer_before_it_is_written(client, upstream, monkeypatch):
    monkeypatch.setattr("promptopt.gateway.stores.write_behind.DELAY_S", 0.3)
    ask(client(), "q")
    ask(client(), "q")
    ask(client(single_flight=False), "q")
    assert upstream.calls == 1


def test_damaged_file_is_set_aside(client, folder, caplog):
    path = folder / ".promptopt" / "cache.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)
    sdk = client()
    assert ask(sdk).choices[0].message.content == "ok"
    assert "damaged" in caplog.text
    assert list(path.parent.glob("cache.sqlite.damaged-*"))


def test_file_damaged_while_in_use(client, upstream, folder, caplog):
    sdk = client()
    for number in range(50):
        ask(sdk, f"{number} " * 200)
    path = folder / ".promptopt" / "cache.sqlite"
    sdk._client.gateway.close()
    with path.open("r+b") as file:
        file.seek(2000)
        file.write(os.urandom(60_000))
    for number in range(50):
        assert ask(sdk, f"{number} " * 200).choices[0].message.content == "ok"
    assert "damaged" in caplog.text


def test_a_file_whose_damage_sqlite_cannot_name_is_set_aside(client, upstream, folder, caplog):
    sdk = client()
    ask(sdk, "before")
    sdk.close()
    path = folder / ".promptopt" / "cache.sqlite"
    content = path.read_bytes()
    assert content.count(b"CREATE TABLE answers") == 1
    path.write_bytes(content.replace(b"CREATE TABLE answers", b"CREATE TABL\xff answers"))
    assert ask(client(), "after").choices[0].message.content == "ok"
    assert "is damaged" in caplog.text
    assert list(path.parent.glob("cache.sqlite.damaged-*"))


def test_unusable_path(client, folder):
    (folder / "file").write_text("")
    with pytest.raises(InputError, match=r"file.*cannot be kept here") as caught:
        client(path="file")
    assert "http_client(path=" in str(caught.value)
    (folder / "d").mkdir()
    with pytest.raises(InputError, match="cannot be kept here"):
        client(cache="d")


def test_full_disk_degrades_once(client, upstream, folder, caplog):
    sdk = client()
    ask(sdk)
    database = sdk._client.gateway.cache.store._database
    pages = database.do(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    database.do(lambda c: c.execute(f"PRAGMA max_page_count={pages}"))
    big = "x" * 100_000
    for number in range(3):
        assert ask(sdk, f"{big}{number}", max_completion_tokens=1).choices[0].message.content == "ok"
    assert caplog.text.count("database or disk is full") <= 3
    assert upstream.calls == 4


def test_processes_share_the_file(upstream, folder):
    code = (
        "import openai, promptopt, sys\n"
        f"c = openai.OpenAI(base_url={upstream.url!r}, api_key='k', http_client=promptopt.http_client())\n"
        "for n in range(20):\n"
        "    c.chat.completions.create(model='gpt-4o-mini', temperature=0,"
        " messages=[{'role': 'user', 'content': f'q{n}'}])\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert upstream.calls == 20


def test_redis_away_at_start_and_in_the_middle(client, upstream, redis_server, caplog):
    sdk = client(redis=redis_server.url)
    assert [ask(sdk) == ask(sdk), upstream.calls] == [True, 1]
    redis_server.kill()
    for _ in range(4):
        ask(sdk, "while it is away")
    assert upstream.calls == 5
    assert caplog.text.count("calls go on without it") == 1
    caplog.clear()
    sdk = client(redis=redis_server.url)
    ask(sdk, "at start")
    assert caplog.text.count("calls go on without it") == 1
    with pytest.raises(GatewayUnavailable, match="is away"):
        client(redis=redis_server.url, on_store_down="refuse")


def test_calls_are_refused_while_redis_is_away_if_the_setting_says_so(client, upstream, redis_server):
    import openai

    sdk = client(redis=redis_server.url, on_store_down="refuse")
    ask(sdk)
    redis_server.kill()
    with pytest.raises(openai.InternalServerError) as caught:
        ask(sdk, "now")
    assert caught.value.code == "gateway_unavailable"
    assert isinstance(caught.value, GatewayUnavailable)
    assert upstream.calls == 1


def test_redis_address(client):
    with pytest.raises(UsageError, match="is not an address"):
        client(redis="http://x")
    with pytest.raises(UsageError) as caught:
        client(redis="mysql://me:hunter22@host/0")
    assert "hunter22" not in str(caught.value)


def test_cli_clear(client):
    ask(client(), extra_headers={"x-promptopt-prompt": "a"})
    run = CliRunner().invoke
    assert "0 answers" in run(cli, ["cache", "clear", "--prompt", "b"]).output
    assert "0 answers" in run(cli, ["cache", "clear", "--older-than", "1h"]).output
    assert "1 answer cleared" in run(cli, ["cache", "clear", "--prompt", "a", "--model", "gpt-4o-mini"]).output
    result = run(cli, ["cache", "clear"])
    assert isinstance(result.exception, UsageError)


def test_locked_out_database_reports_store_down(tmp_path, monkeypatch):
    monkeypatch.setattr("promptopt.gateway.stores.database.PAUSES_S", (0.01,) * 5)
    store = SqliteStore(StoreOptions(tmp_path, tmp_path / "c.sqlite")).cache()
    store._database.close()
    other = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreDown, match="locked"):
        store.clear()
    other.close()


def open_often(folder, barrier, queue):
    for number in range(15):
        barrier.wait()
        try:
            SqliteStore(StoreOptions(Path(folder), Path(folder) / f"{number}.sqlite")).cache().close()
        except Exception as error:  # noqa: BLE001 - the parent reports it
            queue.put(repr(error))
    queue.put(None)


def test_processes_that_start_together_open_a_new_file(folder):
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(6), context.Queue()
    processes = [context.Process(target=open_often, args=(str(folder), barrier, queue)) for _ in range(6)]
    for process in processes:
        process.start()
    assert [queue.get(timeout=60) for _ in processes] == [None] * 6
    for process in processes:
        process.join()


def test_a_file_that_nobody_closes_is_closed_with_its_owner(tmp_path):
    database = Database(tmp_path / "a.sqlite", "", what="a test")
    connection = database.do(lambda connection: connection)
    del database
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.execute("SELECT 1")


@pytest.mark.parametrize("meta", ["{}", "[]", "nothing", '["m", "stop", {"a": 1}, "measured", "x", ""]'])
def test_an_answer_that_another_version_wrote_in_another_way_is_forgotten(client, upstream, folder, meta):
    sdk = client(path="shared")
    ask(sdk)
    sdk.close()
    with closing(sqlite3.connect(folder / "shared/cache.sqlite")) as database, database:
        database.execute("UPDATE answers SET meta = ?", (meta,))
    database.close()
    again = client(path="shared")
    assert ask(again).choices[0].message.content == "ok"
    assert upstream.calls == 2
    ask(again)
    assert upstream.calls == 2
