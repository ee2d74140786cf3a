"""Whose are the things that a provider keeps under an id: responses, files, batches, conversations."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.base import StoreDown
from promptopt.gateway.stores.database import Database

if TYPE_CHECKING:
    from promptopt.gateway.stores.redis_link import RedisLink

_TIDY_S = 3600.0
_FOREVER = 1e15
_SCHEMA = """
CREATE TABLE IF NOT EXISTS owners (
    id TEXT NOT NULL, owner TEXT NOT NULL, expires REAL NOT NULL, PRIMARY KEY (id, owner)
) WITHOUT ROWID;
"""
OwnersFound = Mapping[str, frozenset[str]]


class Owners(Protocol):
    """Remembers owners by the ids of what they have made; one id may have several."""

    networked: bool

    def add(self, ids: Sequence[str], owner: str, now: float, lasts_s: float | None = None) -> None:
        """These are the owner's, for so many seconds, or for good. Raises StoreDown."""

    def of(self, ids: Sequence[str], now: float) -> OwnersFound:
        """The owners of each id; an id that nobody has made here is not in it. Raises StoreDown."""

    def close(self) -> None:
        """Give back what it is kept in."""


class MemoryOwners:
    """Owners that are forgotten when the process ends."""

    networked = False

    def __init__(self) -> None:
        self._owners: dict[str, dict[str, float]] = {}

    def add(self, ids: Sequence[str], owner: str, now: float, lasts_s: float | None = None) -> None:
        for each in ids:
            self._owners.setdefault(each, {})[owner] = _end(now, lasts_s)

    def of(self, ids: Sequence[str], now: float) -> OwnersFound:
        found = {each: _valid(self._owners.get(each, {}), now) for each in ids}
        return {each: owners for each, owners in found.items() if owners}

    def close(self) -> None:
        """There is nothing to give back."""


def _valid(owners: Mapping[str, float], now: float) -> frozenset[str]:
    return frozenset(owner for owner, end in owners.items() if end > now)


class SqliteOwners:
    """Owners in a SQLite file."""

    networked = False

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        """Raises InputError if no database can be at ``path``."""
        self._database = Database(path, _SCHEMA, what="the owners of responses and files", clock=clock)
        self._tidied = float("-inf")

    def add(self, ids: Sequence[str], owner: str, now: float, lasts_s: float | None = None) -> None:
        rows = [(each, owner, _end(now, lasts_s)) for each in ids]
        insert = "INSERT OR REPLACE INTO owners VALUES (?, ?, ?)"
        self._database.write(lambda connection: connection.executemany(insert, rows))
        if abs(now - self._tidied) >= _TIDY_S:
            self._tidied = now
            with suppress(StoreDown):
                self._database.execute("DELETE FROM owners WHERE expires <= ?", (now,))

    def of(self, ids: Sequence[str], now: float) -> OwnersFound:
        def read(connection: sqlite3.Connection) -> list[tuple[str, str]]:
            query = "SELECT owner FROM owners WHERE id = ? AND expires > ?"
            return [(each, owner) for each in ids for (owner,) in connection.execute(query, (each, now))]

        found: dict[str, frozenset[str]] = {}
        for each, owner in self._database.do(read):
            found[each] = found.get(each, frozenset()) | {owner}
        return found

    def close(self) -> None:
        self._database.close()


class RedisOwners:
    """Owners in Redis, by a set for each id."""

    networked = True

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def add(self, ids: Sequence[str], owner: str, now: float, lasts_s: float | None = None) -> None:  # noqa: ARG002 - Redis's own clock
        for each in ids:
            name = self._link.named("owners", each)
            self._link.do(lambda client, name=name: client.sadd(name, owner))  # type: ignore[misc]  # bound to this name
            if lasts_s is not None:
                self._link.do(lambda client, name=name: client.expire(name, int(lasts_s)))  # type: ignore[misc]

    def of(self, ids: Sequence[str], now: float) -> OwnersFound:  # noqa: ARG002 - Redis's own clock
        names = {each: self._link.named("owners", each) for each in ids}
        found = {
            each: self._link.do(lambda client, name=name: client.smembers(name))  # type: ignore[misc]  # bound to this name
            for each, name in names.items()
        }
        return {each: frozenset(owner.decode() for owner in owners) for each, owners in found.items() if owners}

    def close(self) -> None:
        """The link is the store's."""


def _end(now: float, lasts_s: float | None) -> float:
    return _FOREVER if lasts_s is None else now + lasts_s
