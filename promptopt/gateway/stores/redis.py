"""The store in Redis, which machines share: answers, leases, budgets and windows; each step is one script."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptopt.errors import UsageError
from promptopt.gateway.call import Answer
from promptopt.gateway.clock import SYSTEM_CLOCK
from promptopt.gateway.stores.base import (
    LEASE_S,
    SHARED_S,
    BudgetStore,
    CacheStore,
    CallWindows,
    KeptAnswer,
    Leases,
    Outage,
    StoreDown,
    StoreOptions,
)
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerStore
from promptopt.gateway.stores.owners import Owners, RedisOwners
from promptopt.gateway.stores.packing import check_wire, made_of_kept, pack, pack_parts, unpack, unpack_whole
from promptopt.gateway.stores.redis_budget import RedisBudgets, budget_marks
from promptopt.gateway.stores.redis_link import PREFIX, RedisLink, WrongValue

if TYPE_CHECKING:
    import redis

log = logging.getLogger("promptopt.gateway")


class RedisStore:
    """A Redis or Valkey that machines share; the ledger stays a file."""

    def __init__(self, options: StoreOptions) -> None:
        """Raises UsageError without an address, and what :class:`RedisLink` raises."""
        if options.url is None:
            raise UsageError("store = 'redis' needs an address: redis = 'redis://host:6379/0'")
        self._ledger_keep_s = options.ledger_keep_s
        self._link = RedisLink(options.url, policy=options.on_down, clock=options.clock, prefix=options.prefix)
        self._marks = budget_marks(options)
        self._closers: list[Callable[[], None]] = [self._link.close]

    def outage(self, what: str) -> Outage:  # noqa: ARG002 - one server is away for all
        return self._link.outage

    def cache(self) -> RedisCache:
        return RedisCache(self._link)

    def leases(self, cache: CacheStore | None) -> Leases:
        return RedisLeases(self._link, cache if isinstance(cache, RedisCache) else None)

    def budgets(self) -> BudgetStore:
        return RedisBudgets(self._link, self._marks)

    def windows(self) -> CallWindows:
        return RedisWindows(self._link)

    def owners(self) -> Owners:
        """Whose are the things that a provider keeps."""
        return RedisOwners(self._link)

    def ledger(self, path: Path) -> LedgerStore:
        ledger = open_ledger(path, self._ledger_keep_s)
        self._closers.append(ledger.close)
        return ledger

    def close(self) -> None:
        for close in self._closers:
            close()


class RedisCache:
    """Answers in Redis, which forgets them itself when their time is over."""

    networked = True

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def get(self, key: str, now: float) -> Answer | None:
        try:
            data: Any = self._link.do(lambda client: client.get(self.name(key)))
        except WrongValue:
            data = b""
        return None if data is None else self.read(key, data, now)

    def read(self, key: str, data: bytes, now: float) -> Answer | None:
        """The answer in what Redis has of it, if it may be used at ``now``; what nobody can read is deleted."""
        try:
            entry = _decode(key, data)
            check_wire(entry.answer)
        except ValueError as error:
            log.warning("%s: a kept answer cannot be read (%s); it is asked for again", self._link.name, error)
            with suppress(StoreDown):
                self._link.do(lambda client: client.delete(self.name(key)))
            return None
        return entry.answer if entry.valid(now) else None

    def name(self, key: str) -> str:
        """What the answer to a key is called in Redis."""
        return self._link.named("cache", key)

    def put(self, entry: KeptAnswer) -> None:
        data, lifetime = self.packed(entry)
        self._link.do(lambda client: client.set(self.name(entry.key), data, px=lifetime))

    @staticmethod
    def packed(entry: KeptAnswer) -> tuple[bytes, int]:
        """What Redis is to keep of an answer, and for how many milliseconds."""
        content_type, meta, content = pack_parts(entry.answer)
        head = [entry.created, entry.expires, entry.prompt, entry.model, entry.excerpt, content_type, meta]
        data = json.dumps(head).encode() + b"\n" + content
        return data, max(1, int((entry.expires - entry.created) * 1000))

    def clear(self, *, prompt: str | None = None, model: str | None = None, before: float | None = None) -> int:
        doomed = [self.name(entry.key) for entry in self.entries() if entry.matches(prompt, model, before)]
        self._link.do(lambda client: [client.delete(*doomed[at : at + 500]) for at in range(0, len(doomed), 500)])
        return len(doomed)

    def entries(self) -> Iterator[KeptAnswer]:
        found = []
        for key, data in self._link.do(self._scan):
            with suppress(ValueError):
                found.append(_decode(key, data))
        yield from sorted(found, key=lambda entry: -entry.created)

    def _scan(self, client: redis.Redis) -> list[tuple[str, Any]]:
        start = f"{self._link.prefix}cache:"
        names = [name.decode(errors="replace") for name in client.scan_iter(match=f"{start}*", count=500)]
        # What is no text is nothing of the cache's.
        plain = [name for name in names if client.type(name) in (b"string", "string")]
        return [(name.removeprefix(start).strip("{}"), client.get(name) or b"") for name in plain]

    def close(self) -> None:
        self._link.close()


def _decode(key: str, data: bytes) -> KeptAnswer:
    """Raises ValueError if it is not what :meth:`RedisCache.packed` makes."""
    head, _, content = data.partition(b"\n")
    try:
        created, expires, prompt, model, excerpt, content_type, meta = json.loads(head)
    except (TypeError, RecursionError) as error:
        raise ValueError(type(error).__name__) from None
    return made_of_kept(key, created, expires, prompt, model, excerpt, unpack(content, content_type, meta))


# KEYS: the lease, and the kept answer if there is a cache.
_ACQUIRE = """
local kept = KEYS[2] and redis.call('GET', KEYS[2])
if kept then return 'C' .. kept end
local held = redis.call('GET', KEYS[1])
if held and not (ARGV[3] == '1' and string.sub(held, 1, 1) == 'A') then return held end
redis.call('SET', KEYS[1], 'L' .. ARGV[1], 'PX', ARGV[2])
return false
"""
_RELEASE = """
if KEYS[2] then redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5]) end
if redis.call('GET', KEYS[1]) ~= 'L' .. ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], 'A' .. ARGV[2], 'PX', ARGV[3])
return 1
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == 'L' .. ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""


class RedisLeases:
    """Leases in Redis: a token and an expiry that Redis itself watches (``SET`` with ``PX``, in a script)."""

    networked = True

    def __init__(self, link: RedisLink, cache: RedisCache | None = None) -> None:
        """With a ``cache`` in the same Redis, nobody leads if an answer is kept."""
        self._link = link
        self._cache = cache
        self.reads_cache = cache is not None

    def acquire(self, key: str, token: str, now: float, *, fresh: bool) -> bool | Answer:
        keys = [self._name(key)] if self._cache is None else [self._name(key), self._cache.name(key)]
        try:
            held: Any = self._link.script(_ACQUIRE, keys, [token, int(LEASE_S * 1000), int(fresh)])
        except WrongValue as error:
            return self._forgotten(keys, error)
        if held is None:
            return True
        if held[:1] == b"C" and self._cache is not None:
            kept = self._cache.read(key, held[1:], now)
            # If it is over by this machine's clock, or nobody can read it, it is asked for without a lease.
            return True if kept is None else kept
        if held[:1] != b"A":
            return False
        try:
            return unpack_whole(held[1:])
        except ValueError as error:
            return self._forgotten(keys[:1], error)

    def _forgotten(self, keys: list[str], error: Exception) -> bool:
        """Delete what nobody can read; the caller asks without a lease."""
        log.warning("%s: a shared answer cannot be read (%s); it is asked for again", self._link.name, error)
        with suppress(StoreDown):
            self._link.do(lambda client: client.delete(*keys))
        return True

    def _name(self, key: str) -> str:
        return self._link.named("flight", key)

    def renew(self, key: str, token: str, now: float) -> None:  # noqa: ARG002 - Redis's own clock
        self._link.script(_RENEW, [self._name(key)], [token, int(LEASE_S * 1000)])

    def release(self, key: str, token: str, answer: Answer | None, now: float, entry: KeptAnswer | None = None) -> None:  # noqa: ARG002 - Redis's own clock
        keys, kept = [self._name(key)], []
        if entry is not None and self._cache is not None:
            keys.append(self._cache.name(key))
            kept = list(RedisCache.packed(entry))
        payload = b"" if answer is None or kept else pack(answer)
        values = [token, payload, int(SHARED_S * 1000), *kept]
        if payload:
            # Who comes after an answer that is not kept asks anew: its flight ends now.
            self._link.script(_RELEASE, keys, values)
        else:
            self._link.later(_RELEASE, keys, values, self._released)

    @property
    def gives_later(self) -> bool:
        return self._link.defers

    def _released(self, found: Any) -> None:
        if isinstance(found, StoreDown):
            self._link.outage.tell(str(found))


# KEYS: a list for each window, with the times of its calls, the last one first; the names are those of the package
# ``limits``. ARGV: 1 if the call is to be counted, then the calls and seconds of each window.
_HIT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
for i, key in ipairs(KEYS) do
  local first = tonumber(redis.call('LINDEX', key, ARGV[2 * i] - 1) or '')
  if first and first + ARGV[2 * i + 1] >= now then return {i, tostring(first + ARGV[2 * i + 1] - now)} end
end
if ARGV[1] == '1' then
  for i, key in ipairs(KEYS) do
    redis.call('LPUSH', key, string.format('%.6f', now))
    redis.call('LTRIM', key, 0, ARGV[2 * i] - 1)
    redis.call('EXPIRE', key, ARGV[2 * i + 1])
  end
end
return {0}
"""

# KEYS 1: the list of a window. ARGV 1: how many seconds ago the call was counted that is to be taken out. What came
# within the time that a request takes is as good as it.
_GIVE_BACK = """
local time = redis.call('TIME')
local at = tonumber(time[1]) + tonumber(time[2]) / 1000000 - tonumber(ARGV[1])
local found, apart = nil, 5
for _, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local difference = math.abs(tonumber(entry) - at)
  if difference < apart then found, apart = entry, difference end
end
if found then redis.call('LREM', KEYS[1], 1, found) end
return 0
"""


class RedisWindows:
    """Moving windows in Redis, all windows of a call in one step; in a cluster each is a step of its own."""

    networked = True

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._start = "LIMITS" if link.prefix == PREFIX else f"{link.prefix}limits"

    def hit(self, items: Sequence[tuple[Any, str]], now: float) -> tuple[Any, str, float] | None:  # noqa: ARG002 - Redis's own clock
        # Nobody waits in line for a Redis that is away.
        self._link.check()
        if not self._link.cluster:
            return self._full(items, counts=True)
        # A call that one of several windows refuses counts in none of them.
        for counts in (False, True) if len(items) > 1 else (True,):
            for each in items:
                if full := self._full([each], counts=counts):
                    return full
        return None

    def _full(self, items: Sequence[tuple[Any, str]], *, counts: bool) -> tuple[Any, str, float] | None:
        """The window that is full, and the seconds until it is not."""
        names = [f"{self._start}:{item.key_for(who)}" for item, who in items]
        sizes = [size for item, _ in items for size in (item.amount, item.get_expiry())]
        index, *left = self._link.script(_HIT, names, [int(counts), *sizes])
        if not index:
            return None
        item, who = items[index - 1]
        # A clock that goes back must not make anybody wait longer than the window is.
        return item, who, min(float(left[0]), float(item.get_expiry()))

    def give_back(self, items: Sequence[tuple[Any, str]], now: float) -> None:
        """Take a call out of its windows again that was not made."""
        age = SYSTEM_CLOCK.monotonic() - now
        for item, who in items:
            self._link.script(_GIVE_BACK, [f"{self._start}:{item.key_for(who)}"], [age])
