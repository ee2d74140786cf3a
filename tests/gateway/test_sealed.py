"""Kept answers that are encrypted, and secrets that are not kept."""

import base64
import sqlite3
import sys
import threading
from contextlib import closing

import pytest
from upstream import answer, ask

import promptopt
from promptopt.errors import UsageError
from promptopt.secrets import find_any_secret, find_secret, scanner_patterns

# The same in all processes of a run, since they name tests.
SECRET, OTHER = (base64.urlsafe_b64encode(bytes([each]) * 32).decode() for each in (1, 2))


@pytest.fixture
def options(request, monkeypatch):
    """The options of an encrypting gateway, over a file or Redis."""
    monkeypatch.setenv("CACHE_KEY", SECRET)
    shared = {"redis": request.getfixturevalue("redis_server").url} if request.param == "redis" else {}
    return {"encrypt": "CACHE_KEY", "cache": {"store_text": True}, **shared}


both = pytest.mark.parametrize("options", ["sqlite", "redis"], indirect=True)


@both
def test_nothing_of_an_answer_can_be_read(client, upstream, folder, options, redis_server):
    upstream.on = lambda path, body: answer(body, text="John has the flu")
    first = ask(client(**options), "what has John?")
    second = ask(client(**options), "what has John?")
    assert upstream.calls == 1
    assert second == first
    assert second.usage == first.usage
    for part in (folder / ".promptopt").glob("cache.sqlite*"):
        assert b"John" not in part.read_bytes()
    if "redis" in options:
        import redis

        kept = redis.Redis.from_url(options["redis"])
        found = [kept.get(name) for name in kept.keys("promptopt:*") if kept.type(name) == b"string"]
        assert found
        assert not any(b"John" in value for value in found)


@both
def test_a_stream_comes_back_as_it_came(client, upstream, options):
    sdk = client(**options)
    streams = [[chunk.model_dump() for chunk in ask(sdk, "again", stream=True)] for _ in range(2)]
    assert streams[0] == streams[1]
    assert upstream.calls == 1


@both
def test_flights_share_encrypted_answers(client, upstream, options, folder):
    upstream.delay_s = 0.3
    sdks = [client(**{**options, "cache": False}) for _ in range(4)]
    texts = []

    def one(sdk):
        texts.append(ask(sdk, "at once").choices[0].message.content)

    threads = [threading.Thread(target=one, args=(sdk,)) for sdk in sdks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["ok"] * 4
    assert upstream.calls == 1


def test_keys_may_be_changed(client, upstream, monkeypatch, caplog):
    monkeypatch.setenv("CACHE_KEY", SECRET)
    ask(client(encrypt="CACHE_KEY"), "q")
    monkeypatch.setenv("CACHE_KEY", f"{OTHER}, {SECRET}")
    ask(client(encrypt="CACHE_KEY"), "q")
    assert upstream.calls == 1
    monkeypatch.setenv("CACHE_KEY", OTHER)
    ask(client(encrypt="CACHE_KEY"), "q")
    assert upstream.calls == 2
    assert "cannot be decrypted" in caplog.text


def test_a_gateway_without_the_key_finds_nothing(client, upstream, monkeypatch, folder):
    monkeypatch.setenv("CACHE_KEY", SECRET)
    ask(client(encrypt="CACHE_KEY"), "q")
    assert ask(client(), "q").choices[0].message.content == "ok"
    assert upstream.calls == 2


def test_a_changed_answer_is_asked_again(client, upstream, monkeypatch, folder):
    monkeypatch.setenv("CACHE_KEY", SECRET)
    sdk = client(encrypt="CACHE_KEY")
    ask(sdk, "q")
    sdk.close()
    with closing(sqlite3.connect(folder / ".promptopt" / "cache.sqlite")) as connection, connection:
        connection.execute("""UPDATE answers SET content = CAST('{"sealed": "gAAAA"}' AS BLOB)""")
    assert ask(client(encrypt="CACHE_KEY"), "q").choices[0].message.content == "ok"
    assert upstream.calls == 2


@pytest.mark.parametrize(
    ("encrypt", "value", "message"),
    [
        ("CACHE_KEY", None, "is not set"),
        ("CACHE_KEY", "short", "holds no key of Fernet's"),
        (SECRET, None, "is not the name of an environment variable"),
        (5, None, "is not the name of an environment variable"),
    ],
)
def test_bad_keys_are_not_shown(client, monkeypatch, encrypt, value, message):
    if value is not None:
        monkeypatch.setenv("CACHE_KEY", value)
    with pytest.raises(UsageError, match=message) as error:
        client(encrypt=encrypt)
    assert SECRET not in str(error.value)
    assert "short" not in str(error.value)


STRIPE = "sk" + "_live_" + "a1" * 12
GITLAB = "glpat-" + "Ab1" * 7


@pytest.mark.parametrize("text", [STRIPE, GITLAB, "https://ann:hunter22@db.example.com/x", "AC" + "0f" * 16])
def test_secrets_that_the_scanner_knows(text):
    assert find_secret(text) is None
    assert find_any_secret(f"my key is {text} ok").startswith("a secret (")


@pytest.mark.parametrize(
    "text", ["", "user 7", "team@example.com", "10.0.0.1", "see https://example.com/a:b", "ACME-42"]
)
def test_labels_that_are_no_secrets(text):
    assert find_any_secret(text) is None


def test_without_the_scanner_the_own_list_stays(monkeypatch):
    monkeypatch.setitem(sys.modules, "detect_secrets", None)
    scanner_patterns.cache_clear()
    try:
        assert find_any_secret(GITLAB) is None
        assert find_any_secret("AKIA" + "A1" * 8) == "an AWS access key"
    finally:
        scanner_patterns.cache_clear()


def test_a_secret_is_neither_in_the_ledger_nor_in_the_cache(client, upstream, folder):
    sdk = client(cache={"store_text": True})
    with promptopt.labels(user=GITLAB, tag=STRIPE):
        ask(sdk, f"use {GITLAB} please")
    (row,) = sdk._client.gateway.ledger.rows()
    sdk.close()
    assert (row.user, row.tag) == ("[secret]", "[secret]")
    with closing(sqlite3.connect(folder / ".promptopt" / "cache.sqlite")) as connection:
        (excerpt,) = connection.execute("SELECT excerpt FROM answers").fetchone()
    assert excerpt is None
