"""What was spent and what is reserved, counted so that threads, processes and machines cannot overspend together.

Amounts are billionths of a dollar. A reservation whose caller has died is taken as spent once its time is over.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from promptopt.providers.gateway.stores import Database, RedisLink, StoreDown
from promptopt.providers.gateway.write_behind import WriteBehind

T = TypeVar("T")
log = logging.getLogger("promptopt.gateway")

RESERVED_S = 1800.0
_LOOK_S = 60.0
LEVELS = (50, 80, 100)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS budgets (
    scope TEXT PRIMARY KEY, spent INTEGER NOT NULL DEFAULT 0, reserved INTEGER NOT NULL DEFAULT 0,
    alerted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservations (
    id TEXT PRIMARY KEY, scopes TEXT NOT NULL, amount INTEGER NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """One budget that a call counts against: ``day:2026-11-21`` with its limit."""

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class Full:
    """A budget that the worst case of a call does not fit into."""

    scope: Scope
    spent: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Crossed:
    """A budget of which a share was reached for the first time, in percent."""

    scope: Scope
    level: int
    spent: int


class BudgetStore(Protocol):
    """Keeps budgets. Each method is one step that no other process can come between.

    Attributes:
        on_crossed: Called where settling has crossed a level, once for each.
    """

    remote: bool
    on_crossed: Callable[[Crossed], None] | None

    def reserve(self, number: str, scopes: Sequence[Scope], amount: int, now: float) -> Full | None:
        """Set ``amount`` aside in all scopes, or in none and say which is full."""

    def settle(self, number: str, scopes: Sequence[Scope], amount: int, paid: int) -> None:
        """Replace a reservation by what was paid."""

    def alert(self, scope: Scope, level: int) -> Crossed | None:
        """Mark a level as reached; ``None`` where it was before."""

    def spent(self, scope: str) -> tuple[int, int]:
        """Spent and reserved."""


def level_of(spent: int, limit: int) -> int:
    """The highest of the alert levels that is reached, or 0."""
    return max((level for level in LEVELS if spent * 100 >= level * limit), default=0)


@dataclass(frozen=True, slots=True)
class _Settlement:
    """A reservation that ended."""

    number: str
    scopes: Sequence[Scope]
    amount: int
    paid: int


class _Books:
    """Budgets within one transaction: read once, and written once where they changed."""

    def __init__(self, connection: sqlite3.Connection, scopes: Iterable[str]) -> None:
        self._connection = connection
        self.rows: dict[str, list[int]] = {name: [0, 0, 0] for name in scopes}
        self._read()

    def _read(self) -> None:
        query = f"SELECT * FROM budgets WHERE scope IN ({', '.join('?' * len(self.rows))})"  # noqa: S608 - constants
        for name, *values in self._connection.execute(query, tuple(self.rows)):
            self.rows[name] = values

    def write(self) -> None:
        """Put down what changed."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO budgets (scope, spent, reserved, alerted) VALUES (?, ?, ?, ?)",
            [(name, *values) for name, values in self.rows.items()],
        )

    def settle(self, settlements: Sequence[_Settlement]) -> list[Crossed]:
        """Replace reservations by what was paid."""
        limits = {}
        for each in settlements:
            statement = "DELETE FROM reservations WHERE id = ?"
            held = self._connection.execute(statement, (each.number,)).rowcount
            # One whose time was over counts as spent already: what was not paid of it comes back.
            spend, release = (each.paid, each.amount) if held else (each.paid - each.amount, 0)
            for scope in each.scopes:
                row = self.rows[scope.name]
                row[0] += spend
                row[1] -= release
                limits[scope.name] = scope
        return [crossed for scope in limits.values() for crossed in self._crossed(scope)]

    def _crossed(self, scope: Scope) -> list[Crossed]:
        spent, _, alerted = self.rows[scope.name]
        self.rows[scope.name][2] = level = max(alerted, level_of(spent, scope.limit))
        return [Crossed(scope, each, spent) for each in LEVELS if alerted < each <= level]

    def full(self, scopes: Sequence[Scope], amount: int) -> Full | None:
        """The first budget that an amount does not fit into."""
        for scope in scopes:
            spent, reserved, _ = self.rows[scope.name]
            if spent + reserved + amount > scope.limit:
                return Full(scope, spent, reserved)
        return None

    def reserve(self, number: str, scopes: Sequence[Scope], amount: int, expires: float) -> None:
        """Set an amount aside in all scopes."""
        for scope in scopes:
            self.rows[scope.name][1] += amount
        names = json.dumps([scope.name for scope in scopes])
        self._connection.execute("INSERT INTO reservations VALUES (?, ?, ?, ?)", (number, names, amount, expires))

    def spend_expired(self, now: float) -> None:
        """Take reservations as spent whose time is over, in whatever budgets."""
        self.write()
        query = "SELECT id, scopes, amount FROM reservations WHERE expires < ?"
        for number, names, amount in self._connection.execute(query, (now,)).fetchall():
            self._connection.execute("DELETE FROM reservations WHERE id = ?", (number,))
            self._connection.executemany(
                "UPDATE budgets SET spent = spent + ?1, reserved = reserved - ?1 WHERE scope = ?2",
                [(amount, name) for name in json.loads(names)],
            )
        self._read()


class SqliteBudgets:
    """Budgets in a SQLite file.

    Settling is written behind, up to 20 ms later, or with the next reservation of this process: until then the
    reservation stands, which is more than was paid. Where it may cross an alert's level it is written at once.
    """

    remote = False

    def __init__(self, path: Path) -> None:
        """Raises InputError where no database can be at ``path``."""
        self.on_crossed: Callable[[Crossed], None] | None = None
        self._database = Database(path, _SCHEMA, what="the budget")
        self._begin()
        self._writer = WriteBehind(path, self._write, forked=self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._held: list[_Settlement] = []
        self._seen: dict[str, list[int]] = {}
        self._looked = float("-inf")
        self._told = False

    def reserve(self, number: str, scopes: Sequence[Scope], amount: int, now: float) -> Full | None:
        looking = abs(now - self._looked) >= _LOOK_S

        def work(books: _Books) -> Full | None:
            full = books.full(scopes, amount)
            if full is not None and not looking:
                # What is over may count as reserved still, which makes a difference now.
                books.spend_expired(now)
                full = books.full(scopes, amount)
            if full is None:
                books.reserve(number, scopes, amount, now + RESERVED_S)
            return full

        if looking:
            self._looked = now
        return self._settling(work, scopes, now if looking else None)

    def settle(self, number: str, scopes: Sequence[Scope], amount: int, paid: int) -> None:
        with self._lock:
            self._held.append(_Settlement(number, scopes, amount, paid))
            # What this process saw last, with all that is reserved as if it were spent.
            near = any(
                level_of(spent + reserved, scope.limit) > alerted
                for scope in scopes
                for spent, reserved, alerted in [self._seen.get(scope.name, (scope.limit, 0, 0))]
            )
        if not near or not self._write():
            self._writer.due()

    def _write(self) -> bool:
        """Settle what is held; whether the disk took it."""
        if not self._held:
            return True
        try:
            self._settling(_nothing, ())
        except StoreDown as error:
            if not self._told:
                self._told = True
                log.warning("the budget: %s; the worst case of calls that ended stays reserved", error)
            return False
        self._told = False
        return True

    def _settling(self, then: Callable[[_Books], T], scopes: Sequence[Scope], now: float | None = None) -> T:
        """Settle what is held, and do something more in the same transaction.

        Args:
            now: Where given, reservations whose time is over are spent first.
        """
        with self._lock:
            held, self._held = self._held, []
        names = {scope.name: None for each in held for scope in each.scopes} | {scope.name: None for scope in scopes}

        def work(connection: sqlite3.Connection) -> tuple[_Books, list[Crossed], T]:
            books = _Books(connection, names)
            if now is not None:
                books.spend_expired(now)
            crossed = books.settle(held)
            result = then(books)
            books.write()
            return books, crossed, result

        try:
            books, crossed, result = self._database.write(work)
        except BaseException:
            with self._lock:
                self._held = held + self._held
            raise
        self._seen.update(books.rows)
        for each in crossed:
            if self.on_crossed is not None:
                self.on_crossed(each)
        return result

    def alert(self, scope: Scope, level: int) -> Crossed | None:
        def mark(connection: sqlite3.Connection) -> Crossed | None:
            books = _Books(connection, [scope.name])
            spent, _, alerted = books.rows[scope.name]
            if alerted >= level:
                return None
            books.rows[scope.name][2] = level
            books.write()
            return Crossed(scope, level, spent)

        return self._database.write(mark)

    def spent(self, scope: str) -> tuple[int, int]:
        self._write()
        spent, reserved, _ = self._database.do(lambda connection: _Books(connection, [scope]).rows[scope])
        return spent, reserved

    def close(self) -> None:
        """Settle what is held and close the file."""
        self._write()
        self._database.close()


def _nothing(*_: object) -> None:
    """Do no more than settle."""


_KEEP_S = 40 * 86400
_LUA_RESERVE = """
local scopes, amount, number = cjson.decode(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
local now = tonumber(time[1])
for i, key in ipairs(KEYS) do
  local held = key .. ':held'
  local late = redis.call('ZRANGEBYSCORE', held, '-inf', now)
  for _, entry in ipairs(late) do
    local old = tonumber(string.match(entry, '([^:]+)$'))
    redis.call('ZREM', held, entry)
    redis.call('HINCRBY', key, 'reserved', -old)
    redis.call('HINCRBY', key, 'spent', old)
  end
  local spent = tonumber(redis.call('HGET', key, 'spent') or '0')
  local reserved = tonumber(redis.call('HGET', key, 'reserved') or '0')
  if spent + reserved + amount > scopes[i] then return {i, spent, reserved} end
end
for i, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, 'reserved', ARGV[2])
  redis.call('ZADD', key .. ':held', now + tonumber(ARGV[4]), number .. ':' .. ARGV[2])
  redis.call('EXPIRE', key, ARGV[5])
  redis.call('EXPIRE', key .. ':held', ARGV[5])
end
return {0, 0, 0}
"""
_LUA_SETTLE = """
local result = {}
for i, key in ipairs(KEYS) do
  if redis.call('ZREM', key .. ':held', ARGV[1] .. ':' .. ARGV[2]) == 1 then
    redis.call('HINCRBY', key, 'reserved', '-' .. ARGV[2])
    redis.call('HINCRBY', key, 'spent', ARGV[3])
  else
    redis.call('HINCRBY', key, 'spent', tonumber(ARGV[3]) - tonumber(ARGV[2]))
  end
  local spent = tonumber(redis.call('HGET', key, 'spent'))
  local alerted = tonumber(redis.call('HGET', key, 'alerted') or '0')
  local limit, level = tonumber(ARGV[3 + i]), 0
  for _, each in ipairs({50, 80, 100}) do if spent * 100 >= each * limit then level = each end end
  if level > alerted then redis.call('HSET', key, 'alerted', level) end
  result[#result + 1] = {spent, alerted, level}
end
return result
"""
_LUA_ALERT = """
local alerted = tonumber(redis.call('HGET', KEYS[1], 'alerted') or '0')
if alerted >= tonumber(ARGV[1]) then return -1 end
redis.call('HSET', KEYS[1], 'alerted', ARGV[1])
return tonumber(redis.call('HGET', KEYS[1], 'spent') or '0')
"""


class RedisBudgets:
    """Budgets in Redis; each step is one script."""

    remote = True

    def __init__(self, link: RedisLink) -> None:
        self.on_crossed: Callable[[Crossed], None] | None = None
        self._link = link

    def reserve(self, number: str, scopes: Sequence[Scope], amount: int, now: float) -> Full | None:  # noqa: ARG002 - Redis's own clock
        limits = json.dumps([scope.limit for scope in scopes])
        values = [limits, amount, number, int(RESERVED_S), _KEEP_S]
        index, spent, reserved = self._link.script(_LUA_RESERVE, _keys(scopes), values)
        return Full(scopes[index - 1], spent, reserved) if index else None

    def settle(self, number: str, scopes: Sequence[Scope], amount: int, paid: int) -> None:
        values = [number, amount, paid, *(scope.limit for scope in scopes)]
        rows = self._link.script(_LUA_SETTLE, _keys(scopes), values)
        for scope, (spent, alerted, reached) in zip(scopes, rows, strict=True):
            for level in LEVELS:
                if alerted < level <= reached and self.on_crossed is not None:
                    self.on_crossed(Crossed(scope, level, spent))

    def alert(self, scope: Scope, level: int) -> Crossed | None:
        spent = self._link.script(_LUA_ALERT, _keys([scope]), [level])
        return None if spent < 0 else Crossed(scope, level, spent)

    def spent(self, scope: str) -> tuple[int, int]:
        row = self._link.do(lambda client: client.hmget(_name(scope), ["spent", "reserved"]))
        return int(row[0] or 0), int(row[1] or 0)


def _name(scope: str) -> str:
    return f"promptopt:budget:{scope}"


def _keys(scopes: Sequence[Scope]) -> list[str]:
    return [_name(scope.name) for scope in scopes]
