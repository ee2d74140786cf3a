"""Budgets in Redis, where machines spend together; each step is one script."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from promptopt.gateway.stores.base import RedisLink
from promptopt.gateway.stores.budget import LEVELS, RESERVED_S, Crossed, Full, Scope

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
