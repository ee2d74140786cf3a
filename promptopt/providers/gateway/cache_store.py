"""Kept answers: in a SQLite file, or in Redis."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from promptopt.providers.gateway.call import Answer
from promptopt.providers.gateway.stores import Database, RedisLink
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
    """Answers in a SQLite file."""

    remote = False

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def at(cls, path: Path) -> SqliteCache:
        """Raises InputError where no database can be at ``path``."""
        return cls(Database(path, CACHE_SCHEMA, what="the cache", disposable=True))

    def get(self, key: str, now: float) -> Answer | None:
        row = self._database.do(
            lambda connection: connection.execute(
                "SELECT content, content_type, meta FROM answers WHERE key = ? AND expires > ? AND created <= ?",
                (key, now, now + SKEW_S),
            ).fetchone()
        )
        return None if row is None else unpack(*row)

    def put(self, entry: Entry) -> None:
        answer = entry.answer
        values = (
            *(entry.key, entry.created, entry.expires, entry.prompt, entry.model, entry.excerpt),
            *(answer.content_type, pack_meta(answer), answer.content),
        )
        self._database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def clear(self, *, prompt: str | None = None, model: str | None = None, before: float | None = None) -> int:
        return self._database.execute(
            "DELETE FROM answers WHERE (?1 IS NULL OR prompt = ?1 OR prompt LIKE ?1 || '@%') "
            "AND (?2 IS NULL OR model = ?2) AND (?3 IS NULL OR created < ?3)",
            (prompt, model, before),
        )

    def entries(self) -> Iterator[Entry]:
        def read(connection: sqlite3.Connection) -> list[Any]:
            columns = "key, created, expires, prompt, model, excerpt, content_type, meta"
            return connection.execute(f"SELECT {columns} FROM answers ORDER BY created DESC").fetchall()  # noqa: S608 - constant

        for key, created, expires, prompt, model, excerpt, content_type, meta in self._database.do(read):
            yield Entry(key, created, expires, prompt, model, excerpt, unpack(b"", content_type, meta))

    def close(self) -> None:
        self._database.close()


class RedisCache:
    """Answers in Redis, which forgets them itself when their time is over."""

    remote = True

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def get(self, key: str, now: float) -> Answer | None:
        data: Any = self._link.do(lambda client: client.get(_PREFIX + key))
        if data is None:
            return None
        entry = _decode(key, data)
        return entry.answer if entry is not None and entry.valid(now) else None

    def put(self, entry: Entry) -> None:
        answer = entry.answer
        head = json.dumps(
            [
                *(entry.created, entry.expires, entry.prompt, entry.model, entry.excerpt),
                *(answer.content_type, pack_meta(answer)),
            ]
        )
        data = head.encode() + b"\n" + answer.content
        lifetime = max(1, int((entry.expires - entry.created) * 1000))
        self._link.do(lambda client: client.set(_PREFIX + entry.key, data, px=lifetime))

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
