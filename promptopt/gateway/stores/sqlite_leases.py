"""Leases of flights in the cache's SQLite file, written only if other processes use it as well."""

from __future__ import annotations

import logging
import threading
from itertools import count
from typing import NamedTuple, Protocol

from promptopt.files import show_path
from promptopt.gateway.call import Answer
from promptopt.gateway.stores.base import LEASE_S, SHARED_S, SKEW_S, KeptAnswer
from promptopt.gateway.stores.database import Database
from promptopt.gateway.stores.neighbours import Neighbours
from promptopt.gateway.stores.packing import pack, unpack_whole

log = logging.getLogger("promptopt.gateway")

# Leases that nobody gave back are deleted now and then.
_TIDY_EVERY = 100


class FileCache(Protocol):
    """The cache in the same file, as far as leases need it."""

    def get(self, key: str, now: float) -> Answer | None:
        """A kept answer."""

    def put(self, entry: KeptAnswer, token: str | None = None) -> None:
        """Keep an answer; the lease with this token ends in the same transaction."""

    def was_put(self, key: str) -> bool:
        """Whether this process has kept an answer to a call a short time ago."""


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
        self, database: Database, cache: FileCache | None = None, neighbours: Neighbours | None = None
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
        if self._neighbours is not None and self._neighbours.alone_just_now():
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
                shared = answer._replace(source="cache", raw=None)
                self._unwritten[key] = _Unwritten(token, now, now + SHARED_S, shared)
            if next(self._released) % _TIDY_EVERY == 0:
                self._unwritten = {name: held for name, held in self._unwritten.items() if held.expires >= now}
