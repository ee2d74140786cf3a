"""What was spent and what is reserved, counted so that threads, processes and machines cannot overspend together.

Amounts are billionths of a dollar. A reservation whose caller has died is taken as spent once its time is over.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from promptopt.providers.gateway.stores import Database, RedisLink

RESERVED_S = 1800.0
LEVELS = (50, 80, 100)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS budgets (
    scope TEXT PRIMARY KEY, spent INTEGER NOT NULL DEFAULT 0, reserved INTEGER NOT NULL DEFAULT 0,
    alerted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservations (
    id TEXT NOT NULL, scope TEXT NOT NULL, amount INTEGER NOT NULL, expires REAL NOT NULL,
    PRIMARY KEY (id, scope)
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
    """Keeps budgets. Each method is one step that no other process can come between."""

    remote: bool

    def reserve(self, number: str, scopes: Sequence[Scope], amount: int, now: float) -> Full | None:
        """Set ``amount`` aside in all scopes, or in none and say which is full."""

    def settle(self, number: str, scopes: Sequence[Scope], amount: int, paid: int) -> list[Crossed]:
        """Replace a reservation by what was paid."""

    def alert(self, scope: Scope, level: int) -> Crossed | None:
        """Mark a level as reached; ``None`` where it was before."""

    def spent(self, scope: str) -> tuple[int, int]:
        """Spent and reserved."""


def level_of(spent: int, limit: int) -> int:
    """The highest of the alert levels that is reached, or 0."""
    return max((level for level in LEVELS if spent * 100 >= level * limit), default=0)


class SqliteBudgets:
    """Budgets in a SQLite file."""

    remote = False

    def __init__(self, path: Path) -> None:
        """Raises InputError where no database can be at ``path``."""
        self._database = Database(path, _SCHEMA, what="the budget")

    def reserve(self, number: str, scopes: Sequence[Scope], amount: int, now: float) -> Full | None:
        return self._database.write(lambda connection: _reserve(connection, number, scopes, amount, now))

    def settle(self, number: str, scopes: Sequence[Scope], amount: int, paid: int) -> list[Crossed]:
        return self._database.write(lambda connection: _settle(connection, number, scopes, amount, paid))

    def alert(self, scope: Scope, level: int) -> Crossed | None:
        def mark(connection: sqlite3.Connection) -> Crossed | None:
            spent, _, alerted = _read(connection, scope.name)
            if alerted >= level:
                return None
            connection.execute(
                "INSERT INTO budgets (scope, alerted) VALUES (?1, ?2) ON CONFLICT (scope) DO UPDATE SET alerted = ?2",
                (scope.name, level),
            )
            return Crossed(scope, level, spent)

        return self._database.write(mark)

    def spent(self, scope: str) -> tuple[int, int]:
        return self._database.do(lambda connection: _read(connection, scope)[:2])

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _read(connection: sqlite3.Connection, scope: str) -> tuple[int, int, int]:
    row = connection.execute("SELECT spent, reserved, alerted FROM budgets WHERE scope = ?", (scope,)).fetchone()
    return (0, 0, 0) if row is None else (row[0], row[1], row[2])


def _reserve(
    connection: sqlite3.Connection, number: str, scopes: Sequence[Scope], amount: int, now: float
) -> Full | None:
    expired = connection.execute("SELECT id, scope, amount FROM reservations WHERE expires < ?", (now,)).fetchall()
    for old, name, held in expired:
        connection.execute("DELETE FROM reservations WHERE id = ? AND scope = ?", (old, name))
        connection.execute(
            "UPDATE budgets SET spent = spent + ?1, reserved = reserved - ?1 WHERE scope = ?2", (held, name)
        )
    for scope in scopes:
        spent, reserved, _ = _read(connection, scope.name)
        if spent + reserved + amount > scope.limit:
            return Full(scope, spent, reserved)
    for scope in scopes:
        connection.execute(
            "INSERT INTO budgets (scope, reserved) VALUES (?1, ?2) "
            "ON CONFLICT (scope) DO UPDATE SET reserved = reserved + ?2",
            (scope.name, amount),
        )
        connection.execute(
            "INSERT INTO reservations VALUES (?, ?, ?, ?)", (number, scope.name, amount, now + RESERVED_S)
        )
    return None


def _settle(
    connection: sqlite3.Connection, number: str, scopes: Sequence[Scope], amount: int, paid: int
) -> list[Crossed]:
    crossed = []
    for scope in scopes:
        held = connection.execute(
            "DELETE FROM reservations WHERE id = ? AND scope = ?", (number, scope.name)
        ).rowcount  # fmt: skip
        # One whose time was over counts as spent already: what was not paid of it comes back.
        spend, release = (paid, amount) if held else (paid - amount, 0)
        connection.execute(
            "UPDATE budgets SET spent = spent + ?, reserved = reserved - ? WHERE scope = ?",
            (spend, release, scope.name),
        )
        spent, _, alerted = _read(connection, scope.name)
        level = level_of(spent, scope.limit)
        if level > alerted:
            connection.execute("UPDATE budgets SET alerted = ? WHERE scope = ?", (level, scope.name))
            crossed += [Crossed(scope, each, spent) for each in LEVELS if alerted < each <= level]
    return crossed


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
        self._link = link

    def reserve(self, number: str, scopes: Sequence[Scope], amount: int, now: float) -> Full | None:  # noqa: ARG002 - Redis's own clock
        limits = json.dumps([scope.limit for scope in scopes])
        values = [limits, amount, number, int(RESERVED_S), _KEEP_S]
        index, spent, reserved = self._link.script(_LUA_RESERVE, _keys(scopes), values)
        return Full(scopes[index - 1], spent, reserved) if index else None

    def settle(self, number: str, scopes: Sequence[Scope], amount: int, paid: int) -> list[Crossed]:
        values = [number, amount, paid, *(scope.limit for scope in scopes)]
        rows = self._link.script(_LUA_SETTLE, _keys(scopes), values)
        return [
            Crossed(scope, level, spent)
            for scope, (spent, alerted, reached) in zip(scopes, rows, strict=True)
            for level in LEVELS
            if alerted < level <= reached
        ]

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
