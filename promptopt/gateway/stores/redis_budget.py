"""Budgets in Redis; each step is one script. A budget that Redis has lost refuses, and does not begin again at $0.

Redis has a mark, which every process that counts there keeps in memory, in a file and in its ledger. A Redis without
its mark was emptied. Each budget is also entered, with the time until which Redis must have it, in a list beside them:
one that is in the list and not in Redis was evicted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from promptopt.gateway.clock import SYSTEM_CLOCK
from promptopt.gateway.stores.base import (
    ALERT_LEVELS,
    DEFERRED_S,
    RESERVED_S,
    BudgetFull,
    BudgetScope,
    Deferred,
    LevelCrossed,
    StoreDown,
    StoreOptions,
)
from promptopt.gateway.stores.budget_marks import Marks
from promptopt.gateway.stores.redis_link import RedisLink, Unanswered

if TYPE_CHECKING:
    import redis

log = logging.getLogger("promptopt.gateway")
_KEEP_S = 40 * 86400
# An entry of the list ends before what it is about does.
_LISTED_S = _KEEP_S - 3600
# A reservation that is gone before this time has been settled.
_SURELY_RESERVED_S = RESERVED_S - 60
# KEYS 1 to 3: the mark, marks that were replaced on purpose, the list; ARGV 1: the mark that is expected, or nothing.
_SAME = """
local mark = redis.call('GET', KEYS[1])
if ARGV[1] ~= '' and mark ~= ARGV[1] then
  if not mark or redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 0 then return {-1} end
end
"""
_LUA_RESERVE = (
    _SAME
    + """
if not mark then
  mark = ARGV[2]
  redis.call('SET', KEYS[1], mark)
end
local scopes, amount, number = cjson.decode(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local time = redis.call('TIME')
local now = tonumber(time[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
for i = 4, #KEYS do
  local key = KEYS[i]
  local held = key .. ':held'
  local late = redis.call('ZRANGEBYSCORE', held, '-inf', now)
  for _, entry in ipairs(late) do
    local old = tonumber(string.match(entry, '([^:]+)$'))
    redis.call('ZREM', held, entry)
    redis.call('HINCRBY', key, 'reserved', -old)
    redis.call('HINCRBY', key, 'spent', old)
  end
  local found = redis.call('HMGET', key, 'spent', 'reserved')
  if not found[1] and not found[2] and redis.call('ZSCORE', KEYS[3], key) then return {-2, i - 3} end
  local spent, reserved = tonumber(found[1] or '0'), tonumber(found[2] or '0')
  if spent + reserved + amount > scopes[i - 3] then return {i - 3, spent, reserved, mark} end
end
for i = 4, #KEYS do
  local key = KEYS[i]
  -- Once, though it be sent again over a connection that broke.
  if redis.call('ZADD', key .. ':held', now + tonumber(ARGV[6]), number .. ':' .. ARGV[4]) == 1 then
    redis.call('HINCRBY', key, 'reserved', ARGV[4])
  end
  redis.call('EXPIRE', key, ARGV[7])
  redis.call('EXPIRE', key .. ':held', ARGV[7])
  redis.call('ZADD', KEYS[3], now + tonumber(ARGV[8]), key)
end
return {0, 0, 0, mark}
"""
)
# ARGV 2 to 5: whose reservation, its amount, what was paid, and 1 if this may have been run before. Then a reservation
# that is gone was settled (or, half an hour after it was made, taken as spent): nothing is counted twice.
_LUA_SETTLE = (
    _SAME
    + """
local result = {}
-- Counted anew since the call was reserved, without it.
local anew = ARGV[1] ~= '' and mark ~= ARGV[1]
for i = 4, #KEYS do
  if not anew and redis.call('EXISTS', KEYS[i]) == 0 then return {-2, i - 3} end
end
for i = 4, #KEYS do
  local key = KEYS[i]
  local again = false
  if redis.call('ZREM', key .. ':held', ARGV[2] .. ':' .. ARGV[3]) == 1 then
    redis.call('HINCRBY', key, 'reserved', '-' .. ARGV[3])
    redis.call('HINCRBY', key, 'spent', ARGV[4])
  elseif anew then
    redis.call('HINCRBY', key, 'spent', ARGV[4])
  elseif ARGV[5] == '1' then
    again = true
  else
    redis.call('HINCRBY', key, 'spent', tonumber(ARGV[4]) - tonumber(ARGV[3]))
  end
  local spent = tonumber(redis.call('HGET', key, 'spent') or '0')
  local alerted = tonumber(redis.call('HGET', key, 'alerted') or '0')
  local limit, level = tonumber(ARGV[2 + i]), 0
  for _, each in ipairs({50, 80, 100}) do if spent * 100 >= each * limit then level = each end end
  if level > alerted then
    redis.call('HSET', key, 'alerted', level, 'crossed', alerted .. ':' .. ARGV[2])
  elseif again then
    -- Whose answer did not come hears now what it crossed.
    local before, by = string.match(redis.call('HGET', key, 'crossed') or '', '^(%d+):(.*)$')
    if by == ARGV[2] then alerted = tonumber(before) end
  end
  result[#result + 1] = {spent, alerted, level}
end
return result
"""
)
_LUA_CHECK = _SAME + "return {0}"
_LUA_GIVE_BACK = """
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then redis.call('HINCRBY', key, 'spent', ARGV[1]) end
end
"""
_LUA_ALERT = """
local alerted = tonumber(redis.call('HGET', KEYS[1], 'alerted') or '0')
if alerted >= tonumber(ARGV[1]) then return -1 end
redis.call('HSET', KEYS[1], 'alerted', ARGV[1])
return tonumber(redis.call('HGET', KEYS[1], 'spent') or '0')
"""


def budget_marks(options: StoreOptions) -> Marks:
    """Where a process remembers that budgets were begun in the Redis of some options."""
    # The address may have a password in it.
    digest = hashlib.sha256(f"{options.url}\n{options.prefix}".encode()).hexdigest()[:12]
    return Marks(options.path / f"budget.redis-{digest}.mark", options.ledger, f"redis:{digest}")


class RedisBudgets:
    """Budgets in Redis."""

    networked = True

    def __init__(self, link: RedisLink, marks: Marks | None = None) -> None:
        """Without ``marks`` this process alone remembers that budgets were begun, as long as it lives."""
        self.on_crossed: Callable[[LevelCrossed], None] | None = None
        self._link = link
        self._marks = marks
        self._mark: str | None = None
        # When this process made the reservations that it has.
        self._made: dict[str, float] = {}

    def reserve(self, number: str, scopes: Sequence[BudgetScope], amount: int, now: float) -> BudgetFull | None:  # noqa: ARG002 - Redis's own clock
        limits = json.dumps([scope.limit for scope in scopes])
        new = "" if self._mark else uuid.uuid4().hex
        values = [self._expected(), new, limits, amount, number, int(RESERVED_S), _KEEP_S, _LISTED_S]
        try:
            given = self._link.script(_LUA_RESERVE, self._names(scopes), values)
        except Unanswered:
            # Redis may do it yet, for a call that is refused.
            release = self._settlement(number, scopes, amount, 0, repeated=True)
            self._link.later(_LUA_SETTLE, self._names(scopes), release, _unheard, release)
            raise
        index, *found = self._checked(scopes, given)
        spent, reserved, mark = found
        self._note(mark.decode())
        if index:
            return BudgetFull(scopes[index - 1], spent, reserved)
        self._made[number] = SYSTEM_CLOCK.monotonic()
        return None

    def _expected(self) -> str:
        """The mark that Redis must have; an empty text if nobody remembers one."""
        if self._mark is None:
            known = set() if self._marks is None else self._marks.known()
            if len(known) > 1:
                raise StoreDown(f"{self._link.name}: the ledger and the mark's file remember two budgets; {_REMEDY}")
            self._mark = next(iter(known), "")
        return self._mark

    def _note(self, mark: str) -> None:
        if mark == self._mark:
            return
        # Another one than was expected was put in its place on purpose.
        self._remember(mark, instead=bool(self._mark))
        self._mark = mark

    def _remember(self, mark: str, *, instead: bool) -> None:
        if self._marks is None:
            return
        try:
            if instead:
                self._marks.forget()
            self._marks.note(mark)
        except (StoreDown, OSError, sqlite3.Error) as error:
            log.warning(
                "the budget: only this process remembers, while it lives, that it was begun in Redis: %s", error
            )

    def _checked(self, scopes: Sequence[BudgetScope], found: Any) -> Any:
        """What a script found. Raises StoreDown if Redis has lost what was counted."""
        if found and found[0] == -1:
            raise StoreDown(f"{self._link.name} was emptied, or is another one than the budget was begun in; {_REMEDY}")
        if found and found[0] == -2:
            raise StoreDown(f"{self._link.name} has lost the budget {scopes[found[1] - 1].name}; {_REMEDY}")
        return found

    def settle(self, number: str, scopes: Sequence[BudgetScope], amount: int, paid: int) -> None:
        # redis-py may send the first try twice as well, where a connection breaks before its answer comes.
        fresh = SYSTEM_CLOCK.monotonic() - self._made.pop(number, float("-inf")) < _SURELY_RESERVED_S
        first, again = (self._settlement(number, scopes, amount, paid, repeated=each) for each in (fresh, True))
        self._link.later(_LUA_SETTLE, self._names(scopes), first, partial(self._settled, scopes), again)

    def _settlement(
        self, number: str, scopes: Sequence[BudgetScope], amount: int, paid: int, *, repeated: bool
    ) -> list[Any]:
        return [self._expected(), number, amount, paid, int(repeated), *(scope.limit for scope in scopes)]

    @property
    def gives_later(self) -> bool:
        return self._link.defers

    def _settled(self, scopes: Sequence[BudgetScope], found: Any) -> None:
        try:
            if isinstance(found, StoreDown):
                raise found
            rows = self._checked(scopes, found)
        except StoreDown as error:
            # The reservation stays, and is taken as spent when its time is over.
            log.warning("the budget: %s; the worst case of a call stays reserved", error)
            return
        for scope, (spent, alerted, reached) in zip(scopes, rows, strict=True):
            for level in ALERT_LEVELS:
                if alerted < level <= reached and self.on_crossed is not None:
                    self.on_crossed(LevelCrossed(scope, level, spent))

    def alert(self, scope: BudgetScope, level: int) -> LevelCrossed | None:
        spent = self._link.script(_LUA_ALERT, [self._name(scope.name)], [level])
        return None if spent < 0 else LevelCrossed(scope, level, spent)

    def names(self) -> list[str]:
        self._checked((), self._link.script(_LUA_CHECK, self._names(()), [self._expected()]))
        return [name for name in self._scan() if not name.endswith(":held")]

    def _scan(self) -> list[str]:
        start = self._name("")
        # In a pattern, some letters match others.
        pattern = re.sub(r"([\\*?\[\]])", r"\\\1", start) + "*"
        found = self._link.do(lambda client: [name.decode() for name in client.scan_iter(match=pattern, count=500)])
        return [name.removeprefix(start) for name in found]

    def defer(self, response: str, deferred: Deferred, now: float) -> None:  # noqa: ARG002 - Redis's own clock
        data = json.dumps([deferred.scopes, deferred.amount, deferred.note])
        self._link.do(lambda client: client.set(self._link.named("deferred", response), data, ex=int(DEFERRED_S)))

    def take_deferred(self, response: str) -> Deferred | None:
        data: Any = self._link.do(lambda client: client.getdel(self._link.named("deferred", response)))
        if data is None:
            return None
        scopes, amount, note = json.loads(data)
        return Deferred(tuple(scopes), amount, note)

    def give_back(self, scopes: Sequence[str], amount: int) -> None:
        self._link.script(_LUA_GIVE_BACK, [self._name(scope) for scope in scopes], [-amount])

    def spent(self, scope: str) -> tuple[int, int]:
        row = self._link.do(lambda client: client.hmget(self._name(scope), ["spent", "reserved"]))
        return int(row[0] or 0), int(row[1] or 0)

    def begin_again(self, spent: Mapping[str, int]) -> None:
        """Forget all budgets and count anew, with what is spent already; processes that count here go on.

        Raises:
            StoreDown: Redis is away.
        """
        was = set() if self._marks is None else self._marks.known()
        mark, ending = uuid.uuid4().hex, [self._name(name) for name in self._scan()]
        place, replaced, listed = self._names(())

        def work(client: redis.Redis) -> None:
            old: Any = client.get(place)
            for name in [*ending, listed]:
                client.delete(name)
            for each in {*was, *([old.decode()] if old else [])}:
                client.sadd(replaced, each)
            for name, amount in spent.items():
                client.hset(self._name(name), mapping={"spent": amount, "reserved": 0})
                client.expire(self._name(name), _KEEP_S)
            client.set(place, mark)

        self._link.do(work)
        self._remember(mark, instead=True)
        self._mark = mark

    def _name(self, scope: str) -> str:
        # A call's budgets change in one step, so that a cluster must have them all on one server.
        link = self._link
        return f"{link.prefix}{{budget}}:{scope}" if link.cluster else link.named("budget", scope)

    def _names(self, scopes: Sequence[BudgetScope]) -> list[str]:
        start = f"{self._link.prefix}{{budget}}" if self._link.cluster else f"{self._link.prefix}budget"
        return [f"{start}-mark", f"{start}-replaced", f"{start}-list", *(self._name(scope.name) for scope in scopes)]


def _unheard(_found: object) -> None:
    """Hears whether a reservation that nobody has was there."""


_REMEDY = "restore it, or begin again with what the ledger says was spent: promptopt gateway reset-budget"
