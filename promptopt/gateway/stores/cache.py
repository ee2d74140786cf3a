"""Kept answers: in a SQLite file, or in Redis."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from promptopt.gateway.call import Answer
from promptopt.gateway.stores.base import Database, Outage, RedisLink, StoreDown
from promptopt.gateway.stores.write_behind import WriteBehind, write_now
from promptopt.values import Usage

if TYPE_CHECKING:
    from pathlib import Path

    import redis

CACHE_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, created REAL NOT NULL, expires REAL NOT NULL, prompt TEXT, model TEXT NOT NULL,
    excerpt TEXT, content_type TEXT NOT NULL, meta TEXT NOT NULL, content BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS flights (
    key TEXT PRIMARY KEY, token TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL, payload BLOB
) WITHOUT ROWID;
"""
# Clocks of machines that share a store may differ by so much.
SKEW_S = 5.0
_PREFIX = "promptopt:cache:"
_counts = attrgetter(*(field.name for field in fields(Usage)))


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept answer.

    Attributes:
        created: When, in seconds since 1970; so is ``expires``.
        prompt: Label of the prompt, where the caller named one.
        excerpt: How the request's text begins; ``None`` where no text is kept.
    """

    key: str
    created: float
    expires: float
    prompt: str | None
    model: str
    excerpt: str | None
    answer: Answer

    def valid(self, now: float) -> bool:
        """Whether it holds at ``now``; one from the future (a clock went back) does not."""
        return self.created - SKEW_S <= now < self.expires


class CacheStore(Protocol):
    """Keeps answers by key."""

    remote: bool

    def get(self, key: str, now: float) -> Answer | None:
        """The answer that holds at ``now``."""

    def put(self, entry: Entry) -> None:
        """Keep an answer."""

    def clear(
        self, *, prompt: str | None = None, model: str | None = None, before: float | None = None
    ) -> int:  # fmt: skip
        """Forget the answers that match all that is given; how many there were."""

    def entries(self) -> Iterator[Entry]:
        """What is kept, the newest first, without the answers' bodies."""

    def close(self) -> None:
        """Give back what the store is kept in."""


def pack_meta(answer: Answer) -> str:
    """What was read out of an answer, as JSON."""
    usage = None if answer.usage is None else _counts(answer.usage)
    return json.dumps([answer.model, answer.finish_reason, usage, answer.basis, answer.text])


def unpack(content: bytes, content_type: str, meta: str) -> Answer:
    """The answer that :func:`pack_meta` was made of, now out of a cache."""
    model, reason, usage, basis, text = json.loads(meta)
    return Answer(
        content=content,
        content_type=content_type,
        model=model,
        text=text,
        finish_reason=reason,
        usage=None if usage is None else Usage(*usage),
        basis=basis,
        source="cache",
    )


class SqliteCache:
    """Answers in a SQLite file, written behind: this process knows an answer at once, others up to 20 ms later.

    What the disk does not take is told and forgotten.
    """

    remote = False

    def __init__(self, database: Database, outage: Outage | None = None) -> None:
        self._database = database
        self._outage = outage or Outage("the cache")
        self._begin()
        self._writer = WriteBehind(database.path, self._write, forked=self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._held: dict[str, tuple[Entry, str | None]] = {}

    @classmethod
    def at(cls, path: Path) -> SqliteCache:
        """Raises InputError where no database can be at ``path``."""
        return cls(Database(path, CACHE_SCHEMA, what="the cache", disposable=True))

    def get(self, key: str, now: float) -> Answer | None:
        held = self._held.get(key)
        if held is not None and held[0].valid(now):
            return replace(held[0].answer, source="cache", raw=None)
        row = self._database.do(
            lambda connection: connection.execute(
                "SELECT content, content_type, meta FROM answers WHERE key = ? AND expires > ? AND created <= ?",
                (key, now, now + SKEW_S),
            ).fetchone()
        )
        return None if row is None else unpack(*row)

    def put(self, entry: Entry, token: str | None = None) -> None:
        """Keep an answer.

        Args:
            token: Of the flight that brought it, whose lease ends in the same transaction.
        """
        with self._lock:
            self._held[entry.key] = (entry, token)
        self._writer.due()

    def _write(self) -> bool:
        with self._writing:
            held = dict(self._held)
            if not held:
                return True
            kept = [_values(entry) for entry, _ in held.values()]
            flights = [(key, token) for key, (_, token) in held.items() if token is not None]
            try:
                self._database.write(lambda connection: _keep(connection, kept, flights))
            except StoreDown as error:
                self._outage.tell(str(error))
            else:
                self._outage.over()
            with self._lock:
                for key, each in held.items():
                    if self._held.get(key) is each:
                        del self._held[key]
            return True

    def clear(self, *, prompt: str | None = None, model: str | None = None, before: float | None = None) -> int:
        write_now(self._database.path)
        return self._database.execute(
            "DELETE FROM answers WHERE (?1 IS NULL OR prompt = ?1 OR prompt LIKE ?1 || '@%') "
            "AND (?2 IS NULL OR model = ?2) AND (?3 IS NULL OR created < ?3)",
            (prompt, model, before),
        )

    def entries(self) -> Iterator[Entry]:
        write_now(self._database.path)

        def read(connection: sqlite3.Connection) -> list[Any]:
            columns = "key, created, expires, prompt, model, excerpt, content_type, meta"
            return connection.execute(f"SELECT {columns} FROM answers ORDER BY created DESC").fetchall()  # noqa: S608 - constant

        for key, created, expires, prompt, model, excerpt, content_type, meta in self._database.do(read):
            yield Entry(key, created, expires, prompt, model, excerpt, unpack(b"", content_type, meta))

    def close(self) -> None:
        self._write()
        self._database.close()


def _values(entry: Entry) -> tuple[Any, ...]:
    answer = entry.answer
    return (
        *(entry.key, entry.created, entry.expires, entry.prompt, entry.model, entry.excerpt),
        *(answer.content_type, pack_meta(answer), answer.content),
    )


def _keep(connection: sqlite3.Connection, kept: list[tuple[Any, ...]], flights: list[tuple[str, str]]) -> None:
    connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)
    connection.executemany("DELETE FROM flights WHERE key = ? AND token = ?", flights)


class RedisCache:
    """Answers in Redis, which forgets them itself when their time is over."""

    remote = True

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def get(self, key: str, now: float) -> Answer | None:
        data: Any = self._link.do(lambda client: client.get(_PREFIX + key))
        return None if data is None else self.read(key, data, now)

    @staticmethod
    def read(key: str, data: bytes, now: float) -> Answer | None:
        """The answer in what Redis holds of it, if it holds at ``now``."""
        entry = _decode(key, data)
        return entry.answer if entry is not None and entry.valid(now) else None

    @staticmethod
    def name(key: str) -> str:
        """What the answer to a key is called in Redis."""
        return _PREFIX + key

    def put(self, entry: Entry) -> None:
        data, lifetime = self.packed(entry)
        self._link.do(lambda client: client.set(self.name(entry.key), data, px=lifetime))

    @staticmethod
    def packed(entry: Entry) -> tuple[bytes, int]:
        """What Redis is to hold of an answer, and for how many milliseconds."""
        answer = entry.answer
        head = json.dumps(
            [
                *(entry.created, entry.expires, entry.prompt, entry.model, entry.excerpt),
                *(answer.content_type, pack_meta(answer)),
            ]
        )
        return head.encode() + b"\n" + answer.content, max(1, int((entry.expires - entry.created) * 1000))

    def clear(self, *, prompt: str | None = None, model: str | None = None, before: float | None = None) -> int:
        doomed = [
            entry.key
            for entry in self.entries()
            if (prompt is None or entry.prompt == prompt or (entry.prompt or "").startswith(f"{prompt}@"))
            and (model is None or entry.model == model)
            and (before is None or entry.created < before)
        ]
        for start in range(0, len(doomed), 500):
            names = [_PREFIX + key for key in doomed[start : start + 500]]
            self._delete(names)
        return len(doomed)

    def _delete(self, names: list[str]) -> None:
        self._link.do(lambda client: client.delete(*names))

    def entries(self) -> Iterator[Entry]:
        def read(client: redis.Redis) -> list[tuple[str, Any]]:
            names = [name.decode() for name in client.scan_iter(match=f"{_PREFIX}*", count=500)]
            return [(name.removeprefix(_PREFIX), client.get(name)) for name in names]

        found = [_decode(key, data) for key, data in self._link.do(read) if data is not None]
        yield from sorted((entry for entry in found if entry is not None), key=lambda entry: -entry.created)

    def close(self) -> None:
        self._link.close()


def _decode(key: str, data: bytes) -> Entry | None:
    head, _, content = data.partition(b"\n")
    try:
        created, expires, prompt, model, excerpt, content_type, meta = json.loads(head)
        return Entry(key, created, expires, prompt, model, excerpt, unpack(content, content_type, meta))
    except (ValueError, TypeError):
        return None
