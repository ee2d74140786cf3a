"""What lies on the disk: who may read it, what is never kept, what is deleted, and what must not be lost."""

import shutil
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from upstream import answer, ask

import promptopt
from promptopt.cli import cli
from promptopt.errors import InputError, UsageError
from promptopt.gateway.call import Answer
from promptopt.gateway.stores.base import KeptAnswer, StoreOptions
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerRow
from promptopt.gateway.stores.memory import MemoryStore
from promptopt.gateway.stores.sqlite import SqliteStore
from promptopt.tables import printable, table

CAP = {"max_completion_tokens": 20}


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize("ledger", ["ledger.sqlite", "ledger.jsonl"])
def test_only_the_owner_may_read(client, upstream, folder, ledger):
    sdk = client(path="kept", budget={"day": 1}, ledger=f"kept/{ledger}")
    ask(sdk, "my patient", **CAP)
    found = modes(folder / "kept")
    assert found.pop("kept") == 0o700
    assert {"cache.sqlite", "budget.sqlite", "budget.sqlite.mark", ledger} <= set(found)
    assert set(found.values()) == {0o600}


def test_files_of_an_earlier_version_are_made_private(client, upstream, folder):
    (folder / ".promptopt").mkdir(mode=0o755)
    for name in ("cache.sqlite", "ledger.sqlite"):
        (folder / ".promptopt" / name).touch(mode=0o644)
    ask(client())
    assert set(modes(folder / ".promptopt").values()) == {0o700, 0o600}


def test_a_folder_of_the_users_own_keeps_its_mode(client, upstream, folder):
    (folder / "shared").mkdir(mode=0o755)
    ask(client(path="shared"))
    found = modes(folder / "shared")
    assert found.pop("shared") == 0o755
    assert set(found.values()) == {0o600}


def test_no_text_of_a_request_is_kept_unless_that_is_asked_for(client, upstream, folder):
    ask(client(path="off"), "my patient John")
    ask(client(path="on", cache={"store_text": True}), "my patient John")
    for path, kept in (("off", None), ("on", "my patient John")):
        entries = list(SqliteStore(StoreOptions(folder / path)).cache().entries())
        assert [entry.excerpt for entry in entries] == [kept]


def kept(key, prompt, created=1.0, expires=9e9):
    return KeptAnswer(key, created, expires, prompt, "m", None, Answer(key))


names = st.text(st.sampled_from("ab_%@*[]?X\\"), max_size=4)


@pytest.mark.parametrize("make", [SqliteStore, MemoryStore])
@given(prompts=st.lists(names, max_size=6), wanted=names)
def test_clear_is_exact(tmp_path_factory, make, prompts, wanted):
    store = make(StoreOptions(tmp_path_factory.mktemp("c")))
    cache = store.cache()
    for number, prompt in enumerate(prompts):
        cache.put(kept(str(number), prompt))
    doomed = [prompt for prompt in prompts if prompt == wanted or prompt.startswith(f"{wanted}@")]
    assert cache.clear(prompt=wanted) == len(doomed)
    left = [entry.prompt for entry in cache.entries()]
    assert sorted(left + doomed) == sorted(prompts)
    store.close()


def test_answers_whose_time_is_over_are_deleted(tmp_path):
    store = SqliteStore(StoreOptions(tmp_path))
    store.cache().put(kept("old", "p", expires=2.0))
    store.close()
    store = SqliteStore(StoreOptions(tmp_path))
    store.cache().put(kept("new", "p"))
    store.close()
    with closing(sqlite3.connect(tmp_path / "cache.sqlite")) as connection, connection:
        assert connection.execute("SELECT key FROM answers").fetchall() == [("new",)]


def test_old_rows_of_the_ledger_are_deleted(client, upstream, folder):
    ledger = open_ledger(folder / ".promptopt" / "ledger.sqlite")
    ledger.finish(0, LedgerRow(at=1.0, model="long ago"))
    ledger.close()
    sdk = client(ledger_keep="30d")
    ask(sdk)
    sdk.close()
    with closing(sqlite3.connect(folder / ".promptopt" / "ledger.sqlite")) as connection, connection:
        assert connection.execute("SELECT model FROM calls").fetchall() == [("gpt-4o-mini",)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ledger_keep": "30d", "ledger": "a.jsonl"}, "ledger_keep needs a ledger in SQLite"),
        ({"ledger_keep": 0}, "is not a time above 0"),
        ({"ledger_keep": "long"}, "is not a time such as"),
    ],
)
def test_bad_retention(client, options, message):
    with pytest.raises(UsageError, match=message):
        client(**options)


EVIL = "\x1b]0;owned\x07\x1b[31mred\r\x9b2J\u202eevil\ud800"


def test_nothing_that_a_caller_wrote_acts_on_the_terminal(client, upstream, folder):
    (folder / "pyproject.toml").write_text("[tool.promptopt]\n")
    upstream.on = lambda path, body: answer({**body, "model": "m\x1b[2J"})
    sdk = client(cache={"store_text": True})
    with promptopt.labels(prompt=EVIL, version="v1", tag=EVIL, user=EVIL):
        ask(sdk, "text \x1b[31m\x9b")
    sdk.close()
    for arguments in (["usage"], ["cache", "list"]):
        shown = CliRunner().invoke(cli, arguments, catch_exceptions=False, env={"COLUMNS": "200"}).stdout
        assert "\\x1b[31m" in shown, arguments
        assert not set(shown) & {"\x1b", "\x9b", "\x07", "\r", "\u202e"}, arguments


@given(st.text(st.characters()))
def test_a_printed_text_is_plain_and_says_the_same(text):
    shown = printable(text)
    shown.encode()
    assert all(letter in "\n\t" or not (ord(letter) < 32 or 127 <= ord(letter) < 160) for letter in shown)
    assert printable(shown) == shown
    if text.isascii() and text.isprintable():
        assert shown == text


def test_a_table_has_no_active_character():
    assert "\\x1b[1m" in table([["\x1b[1mx", 1]], ["a", "b"])
    assert "\x1b" not in table([["\x1b[1mx", "\x1b"]], ["a", "b"], width=40)


def spend(sdk):
    for number in range(99):
        ask(sdk, f"question {number} of {threading.get_ident()}", **CAP)


LOST = "restore it, or begin again with what the ledger says was spent: promptopt gateway reset-budget"


@pytest.fixture
def used_up(client, upstream, folder):
    sdk = client(budget={"day": "0.0001"})
    with pytest.raises(promptopt.BudgetExceeded):
        spend(sdk)
    sdk.close()
    return folder / ".promptopt" / "budget.sqlite"


def remove(path):
    for part in path.parent.glob("budget.sqlite*"):
        if not part.name.endswith(".mark"):
            part.unlink()


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (remove, "is missing, though a budget was begun here"),
        (lambda path: path.write_bytes(b"garbage" * 999), "is damaged"),
        (lambda path: path.write_bytes(b""), "is empty, or another one"),
        (lambda path: (remove(path), (path.parent / "budget.sqlite.mark").unlink()), "is missing"),
        (lambda path: shutil.copyfile(path.parent / "other.sqlite", path), "is empty, or another one"),
    ],
    ids=["deleted", "garbage", "truncated", "deleted with its mark", "another one"],
)
def test_a_budget_never_begins_again_at_nothing(client, upstream, used_up, harm, reason):
    with closing(sqlite3.connect(used_up.parent / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE t (a)")
    harm(used_up)
    asked = upstream.calls
    for _ in range(2):
        with pytest.raises(InputError, match=reason) as error:
            client(budget={"day": "0.0001"})
        assert LOST in str(error.value)
    assert upstream.calls == asked


def replaced(path):
    shutil.copyfile(path.parent / "ledger.sqlite", path.parent / "copy")
    (path.parent / "copy").replace(path)


@pytest.mark.parametrize("harm", [remove, replaced])
def test_a_budget_that_is_lost_while_it_is_in_use_refuses(client, upstream, used_up, harm):
    sdk = client(budget={"day": "0.01"})
    ask(sdk, "first", **CAP)
    asked = upstream.calls
    harm(used_up)
    for number in range(20):
        with pytest.raises((promptopt.GatewayUnavailable, promptopt.BudgetExceeded)):
            ask(sdk, f"after {number}", max_completion_tokens=15_000)
    assert upstream.calls == asked


def test_the_first_use_and_files_of_an_earlier_version_begin(client, upstream, used_up):
    ask(client(path="another", budget={"day": 1}), **CAP)
    with closing(sqlite3.connect(used_up)) as connection, connection:
        connection.execute("DROP TABLE mark")
    (used_up.parent / "budget.sqlite.mark").unlink()
    with closing(sqlite3.connect(used_up.parent / "ledger.sqlite")) as connection, connection:
        connection.execute("DROP TABLE witness")
    with pytest.raises(promptopt.BudgetExceeded):
        ask(client(budget={"day": "0.0001"}), "new", max_completion_tokens=200)


def test_a_folder_may_be_moved(client, upstream, used_up, folder):
    used_up.parent.rename(folder / "moved")
    with pytest.raises(promptopt.BudgetExceeded):
        ask(client(path="moved", budget={"day": "0.0001"}), "new", max_completion_tokens=200)


def test_many_begin_at_once(client, upstream):
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: client(budget={"day": 1}), range(12)))
