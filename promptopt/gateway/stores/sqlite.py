"""The store in SQLite files: answers and leases in one file, budgets in another."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from promptopt.files import show_path
from promptopt.gateway.call import Answer
from promptopt.gateway.stores.base import (
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
from promptopt.gateway.stores.database import Database, Unstorable, in_chunks
from promptopt.gateway.stores.known_keys import KnownKeys
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerStore, encodable
from promptopt.gateway.stores.memory import MemoryWindows
from promptopt.gateway.stores.neighbours import Neighbours
from promptopt.gateway.stores.packing import check_wire, made_of_kept, pack_parts, unpack
from promptopt.gateway.stores.sqlite_leases import SqliteLeases
from promptopt.gateway.stores.write_behind import WriteBehind, write_now

log = logging.getLogger("promptopt.gateway")

# Keys are digests, so that each answer would be in another page of a table in their order; in this one answers come one
# after the other, and only the index of the keys is written all over.
CACHE_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY NOT NULL, created REAL NOT NULL, expires REAL NOT NULL, prompt TEXT, model TEXT NOT NULL,
    excerpt TEXT, content_type TEXT NOT NULL, meta TEXT NOT NULL, content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS flights (
    key TEXT PRIMARY KEY, token TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL, payload BLOB
) WITHOUT ROWID;
"""
_INSERT = (
    "INSERT OR REPLACE INTO answers (key, created, expires, prompt, model, excerpt, content_type, meta, content) "
    "VALUES "
)
_PLACES = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
# So far apart answers of a busy process that is alone are written.
_APART_S = 0.1
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
        return Outage(what, self._options.on_down, self._options.clock)

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
        cache.known_by(neighbours)
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
    """Answers in a SQLite file, written a little later: this process knows an answer at once.

    Others know it up to 20 ms later, and up to 0.1 s later if the process is alone with the file when it is put.
    What the disk does not take is logged and forgotten.
    """

    networked = False

    def __init__(self, database: Database, outage: Outage | None = None) -> None:
        self._database = database
        self._outage = outage or Outage("the cache")
        self._known: KnownKeys | None = None
        self._begin()
        self._writer = WriteBehind(database.path, self._write, forked=self._begin, apart_s=_APART_S)

    def _begin(self) -> None:
        self._waiting = _WAITING.setdefault((os.getpid(), self._database.path.resolve()), _Waiting())
        self._tidied = float("-inf")
        if self._known is not None:
            self._known.forget()

    def known_by(self, neighbours: Neighbours) -> None:
        """While these say that this process is alone, the file is not asked for what cannot be there."""
        self._known = KnownKeys(neighbours, self._writer.due)

    def _keys(self, most: int) -> list[str]:
        return self._database.look(
            lambda connection: [key for (key,) in connection.execute("SELECT key FROM answers LIMIT ?", (most,))]
        )

    def get(self, key: str, now: float) -> Answer | None:
        held = self._waiting.entries.get(key)
        if held is not None and held[0].valid(now):
            return held[0].answer._replace(source="cache", raw=None)
        if self._known is not None and not self._known.may_have(key):
            return None
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
        if self._known is not None:
            self._known.add(entry.key)
        with waiting.lock:
            waiting.entries[entry.key] = (entry, token)
            waiting.recent[entry.key] = None
            if len(waiting.recent) > _RECENT:
                waiting.recent.pop(next(iter(waiting.recent)))
        # Other processes may wait for what a lease is about.
        self._writer.due(soon=token is not None)

    def was_put(self, key: str) -> bool:
        """Whether this process has kept an answer to a call a short time ago."""
        return key in self._waiting.recent

    def _write(self) -> bool:
        waiting = self._waiting
        if self._known is not None:
            with suppress(StoreDown):
                self._known.read(self._keys)
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
    for rows in in_chunks(kept):
        connection.execute(_INSERT + ", ".join([_PLACES] * len(rows)), [*chain(*rows)])
    if flights:
        connection.executemany("DELETE FROM flights WHERE key = ? AND token = ?", flights)
