"""The store in SQLite files: answers and leases in one file, budgets in another."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from promptopt.files import show_path
from promptopt.gateway.call import Answer
from promptopt.gateway.stores.base import (
    LEASE_S,
    SHARED_S,
    SKEW_S,
    BudgetStore,
    CacheStore,
    CallWindows,
    KeptAnswer,
    Leases,
    Outage,
    StoreDown,
    StoreOptions,
)
from promptopt.gateway.stores.budget import SqliteBudgets
from promptopt.gateway.stores.database import Database, Unstorable
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerStore, encodable
from promptopt.gateway.stores.memory import MemoryWindows
from promptopt.gateway.stores.neighbours import Neighbours
from promptopt.gateway.stores.packing import check_wire, made_of_kept, pack, pack_parts, unpack, unpack_whole
from promptopt.gateway.stores.write_behind import WriteBehind, write_now

log = logging.getLogger("promptopt.gateway")

CACHE_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, created REAL NOT NULL, expires REAL NOT NULL, prompt TEXT, model TEXT NOT NULL,
    excerpt TEXT, content_type TEXT NOT NULL, meta TEXT NOT NULL, content BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS flights (
    key TEXT PRIMARY KEY, token TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL, payload BLOB
) WITHOUT ROWID;
"""
_INSERT = (
    "INSERT OR REPLACE INTO answers (key, created, expires, prompt, model, excerpt, content_type, meta, content) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Leases that nobody gave back are deleted now and then.
_TIDY_EVERY = 100
# How many answers that a process has kept last are looked for again by whoever leads their call.
_RECENT = 10_000
# How often answers are deleted whose time is over.
_TIDY_S = 3600.0


class SqliteStore:
    """A folder of SQLite files, which threads and processes of one machine share."""

    def __init__(self, options: StoreOptions) -> None:
        self._options = options
        self._file: Database | None = None
        self._closers: list[Callable[[], None]] = []

    def outage(self, what: str) -> Outage:
        return Outage(what, self._options.on_down)

    def cache(self) -> SqliteCache:
        """Raises InputError if no database can be there; so do the others."""
        cache = SqliteCache(self._database(), self.outage("the cache"))
        self._closers.append(cache.close)
        return cache

    def leases(self, cache: CacheStore | None) -> Leases:
        database = self._database()
        if not isinstance(cache, SqliteCache):
            return SqliteLeases(database)
        neighbours = Neighbours(database.path)
        self._closers.append(neighbours.leave)
        return SqliteLeases(database, cache, neighbours)

    def budgets(self) -> BudgetStore:
        budgets = SqliteBudgets(self._options.path / "budget.sqlite", self._options.ledger)
        self._closers.append(budgets.close)
        return budgets

    def windows(self) -> CallWindows:
        return MemoryWindows()

    def ledger(self, path: Path) -> LedgerStore:
        ledger = open_ledger(path, self._options.ledger_keep_s)
        self._closers.append(ledger.close)
        return ledger

    def close(self) -> None:
        for close in self._closers:
            close()

    def _database(self) -> Database:
        if self._file is None:
            path = self._options.cache_file or self._options.path / "cache.sqlite"
            self._file = Database(path, CACHE_SCHEMA, what="the cache", disposable=True, clock=self._options.clock)
            self._closers.append(self._file.close)
        return self._file


class _Waiting:
    """Answers that wait to be written to a file, for all clients of a process that use it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.writing = threading.Lock()
        self.entries: dict[str, tuple[KeptAnswer, str | None]] = {}
        self.recent: dict[str, None] = {}


# By process, too: what a forked child finds here is its parent's to write.
_WAITING: WeakValueDictionary[tuple[int, Path], _Waiting] = WeakValueDictionary()


class SqliteCache:
    """Answers in a SQLite file, written a little later: this process knows an answer at once, others up to 20 ms later.

    What the disk does not take is logged and forgotten.
    """

    networked = False

    def __init__(self, database: Database, outage: Outage | None = None) -> None:
        self._database = database
        self._outage = outage or Outage("the cache")
        self._begin()
        self._writer = WriteBehind(database.path, self._write, forked=self._begin)

    def _begin(self) -> None:
        self._waiting = _WAITING.setdefault((os.getpid(), self._database.path.resolve()), _Waiting())
        self._tidied = float("-inf")

    def get(self, key: str, now: float) -> Answer | None:
        held = self._waiting.entries.get(key)
        if held is not None and held[0].valid(now):
            return replace(held[0].answer, source="cache", raw=None)
        row = self._database.look(
            lambda connection: connection.execute(
                "SELECT content, content_type, meta FROM answers WHERE key = ? AND expires > ? AND created <= ?",
                (key, now, now + SKEW_S),
            ).fetchone()
        )
        if row is None:
            return None
        try:
            answer = unpack(*row)
            check_wire(answer)
        except ValueError as error:
            where = show_path(self._database.path)
            log.warning("%s: a kept answer cannot be read (%s); it is asked for again", where, error)
            # Nobody would lead while an answer is kept that nobody can read.
            self._database.execute("DELETE FROM answers WHERE key = ?", (key,))
            return None
        return answer

    def put(self, entry: KeptAnswer, token: str | None = None) -> None:
        """Keep an answer.

        Args:
            token: Of the flight that brought it, whose lease ends in the same transaction.
        """
        waiting = self._waiting
        with waiting.lock:
            waiting.entries[entry.key] = (entry, token)
            waiting.recent[entry.key] = None
            if len(waiting.recent) > _RECENT:
                waiting.recent.pop(next(iter(waiting.recent)))
        self._writer.due()

    def was_put(self, key: str) -> bool:
        """Whether this process has kept an answer to a call a short time ago."""
        return key in self._waiting.recent

    def _write(self) -> bool:
        waiting = self._waiting
        with waiting.writing:
            held = dict(waiting.entries)
            if not held:
                return True
            try:
                self._keep(held)
                self._tidy()
            except StoreDown as error:
                self._outage.tell(str(error))
            else:
                self._outage.over()
            with waiting.lock:
                for key, each in held.items():
                    if waiting.entries.get(key) is each:
                        del waiting.entries[key]
            return True

    def _tidy(self) -> None:
        """Once an hour, delete the answers whose time is over."""
        now = self._database.clock.time()
        if abs(now - self._tidied) >= _TIDY_S:
            self._tidied = now
            self._database.execute("DELETE FROM answers WHERE expires <= ?", (now,))

    def _keep(self, held: Mapping[str, tuple[KeptAnswer, str | None]]) -> None:
        try:
            kept = [_values(entry) for entry, _ in held.values()]
            flights = [(key, token) for key, (_, token) in held.items() if token is not None]
            self._database.write(lambda connection: _keep(connection, kept, flights))
        except (Unstorable, ValueError, TypeError, RecursionError) as error:
            if len(held) > 1:
                # The others are not lost with the one that cannot be kept.
                for key, each in held.items():
                    self._keep({key: each})
                return
            log.error("the cache: an answer is not kept that SQLite does not take: %s", error)
            ((key, (_, token)),) = held.items()
            self._database.execute("DELETE FROM flights WHERE key = ? AND token = ?", (key, token))

    def clear(self, *, prompt: str | None = None, model: str | None = None, before: float | None = None) -> int:
        write_now(self._database.path)
        return self._database.execute(
            # Exactly this prompt or a version of it: in a pattern, names may have letters that match others.
            "DELETE FROM answers WHERE (:prompt IS NULL OR prompt = :prompt "
            "OR substr(prompt, 1, length(:prompt) + 1) = :prompt || '@') "
            "AND (:model IS NULL OR model = :model) AND (:before IS NULL OR created < :before)",
            {"prompt": prompt, "model": model, "before": before},
        )

    def entries(self) -> Iterator[KeptAnswer]:
        write_now(self._database.path)

        def read(connection: sqlite3.Connection) -> list[Any]:
            columns = "key, created, expires, prompt, model, excerpt, content_type, meta"
            return connection.execute(f"SELECT {columns} FROM answers ORDER BY created DESC").fetchall()  # noqa: S608 - constant

        for key, created, expires, prompt, model, excerpt, content_type, meta in self._database.do(read):
            with suppress(ValueError):
                yield made_of_kept(key, created, expires, prompt, model, excerpt, unpack(b"", content_type, meta))

    def close(self) -> None:
        self._write()
        self._database.close()


def _values(entry: KeptAnswer) -> tuple[Any, ...]:
    texts = (encodable(entry.prompt), encodable(entry.model), encodable(entry.excerpt))
    head = (entry.key, entry.created, entry.expires, *texts)
    return (*head, *pack_parts(entry.answer))


def _keep(connection: sqlite3.Connection, kept: list[tuple[Any, ...]], flights: list[tuple[str, str]]) -> None:
    connection.executemany(_INSERT, kept)
    if flights:
        connection.executemany("DELETE FROM flights WHERE key = ? AND token = ?", flights)


class _Unwritten(NamedTuple):
    """A lease of a process that is alone, or the answer that it came back with."""

    token: str
    created: float
    expires: float
    answer: Answer | None = None


class SqliteLeases:
    """Leases in the cache's file. A process that is alone writes none: it shares its flights in memory."""

    networked = False

    def __init__(
        self, database: Database, cache: SqliteCache | None = None, neighbours: Neighbours | None = None
    ) -> None:
        """With a ``cache`` in the same file, nobody leads if an answer is kept."""
        self._database = database
        self._cache = cache
        self._neighbours = neighbours
        self._lock = threading.Lock()
        # Leases that were not written, by their call.
        self._unwritten: dict[str, _Unwritten] = {}
        # Chance would cost a system call.
        self._released = count(1)

    def _alone(self) -> bool:
        return self._neighbours is not None and self._neighbours.alone()

    def acquire(self, key: str, token: str, now: float, *, fresh: bool) -> bool | Answer:
        if self._alone():
            return self._acquire_alone(key, token, now, fresh=fresh)
        taken = self._database.execute(
            "INSERT INTO flights SELECT :key, :token, :now, :end, NULL WHERE NOT (:cached AND EXISTS "
            "(SELECT 1 FROM answers WHERE key = :key AND expires > :now AND created <= :latest)) "
            "ON CONFLICT (key) DO UPDATE SET token = :token, created = :now, expires = :end, payload = NULL "
            "WHERE flights.expires <= :now OR flights.created > :latest OR (:fresh AND payload IS NOT NULL)",
            {
                "key": key,
                "token": token,
                "now": now,
                "end": now + LEASE_S,
                "latest": now + SKEW_S,
                "fresh": fresh,
                "cached": self._cache is not None,
            },
        )
        if taken:
            return True
        kept = self._cache.get(key, now) if self._cache is not None else None
        if kept is not None:
            return kept
        row = self._database.do(
            lambda connection: connection.execute("SELECT payload FROM flights WHERE key = ?", (key,)).fetchone()
        )
        if row is None or row[0] is None:
            return False
        try:
            return unpack_whole(row[0])
        except (ValueError, TypeError, AttributeError) as error:
            where = show_path(self._database.path)
            log.warning("%s: a shared answer cannot be read (%s); it is asked for again", where, error)
            return True

    def _acquire_alone(self, key: str, token: str, now: float, *, fresh: bool) -> bool | Answer:
        # It may have been kept since its caller has looked.
        if self._cache is not None and self._cache.was_put(key) and (kept := self._cache.get(key, now)) is not None:
            return kept
        with self._lock:
            held = self._unwritten.get(key)
            if held is not None and now < held.expires and held.created <= now + SKEW_S:
                if held.answer is None:
                    return False
                if not fresh:
                    return held.answer
            self._unwritten[key] = _Unwritten(token, now, now + LEASE_S)
        return True

    def _is_unwritten(self, key: str, token: str) -> bool:
        held = self._unwritten.get(key)
        return held is not None and held.token == token and held.answer is None

    def renew(self, key: str, token: str, now: float) -> None:
        if self._is_unwritten(key, token):
            if self._alone():
                self._unwritten[key] = _Unwritten(token, now, now + LEASE_S)
                return
            # Somebody has come who may ask the same.
            del self._unwritten[key]
            insert = "INSERT OR IGNORE INTO flights VALUES (?, ?, ?, ?, NULL)"
            self._database.execute(insert, (key, token, now, now + LEASE_S))
            return
        self._database.execute(
            "UPDATE flights SET created = ?, expires = ? WHERE key = ? AND token = ?",
            (now, now + LEASE_S, key, token),
        )

    def release(self, key: str, token: str, answer: Answer | None, now: float, entry: KeptAnswer | None = None) -> None:
        if self._is_unwritten(key, token):
            self._release_unwritten(key, token, answer, now, entry)
            return
        if entry is not None and self._cache is not None:
            # Followers find it in the cache.
            self._cache.put(entry, token)
        elif answer is None:
            self._database.execute("DELETE FROM flights WHERE key = ? AND token = ?", (key, token))
        else:
            self._database.execute(
                "UPDATE flights SET payload = ?, expires = ? WHERE key = ? AND token = ?",
                (pack(answer), now + SHARED_S, key, token),
            )
        if next(self._released) % _TIDY_EVERY == 0:
            self._database.execute("DELETE FROM flights WHERE expires < ?", (now,))

    def _release_unwritten(
        self, key: str, token: str, answer: Answer | None, now: float, entry: KeptAnswer | None
    ) -> None:
        if entry is not None and self._cache is not None:
            self._cache.put(entry)
            answer = None
        with self._lock:
            if answer is None:
                self._unwritten.pop(key, None)
            else:
                shared = replace(answer, source="cache", raw=None)
                self._unwritten[key] = _Unwritten(token, now, now + SHARED_S, shared)
            if next(self._released) % _TIDY_EVERY == 0:
                self._unwritten = {name: held for name, held in self._unwritten.items() if held.expires >= now}
