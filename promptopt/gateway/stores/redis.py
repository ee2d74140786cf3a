"""The store in Redis, which machines share: answers, leases, budgets and windows; each step is one script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from promptopt.errors import MissingExtra, UsageError
from promptopt.gateway.call import Answer
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.base import (
    ALERT_LEVELS,
    DEFERRED_S,
    LEASE_S,
    RESERVED_S,
    SHARED_S,
    BudgetFull,
    BudgetScope,
    BudgetStore,
    CacheStore,
    CallWindows,
    Deferred,
    KeptAnswer,
    Leases,
    LevelCrossed,
    Outage,
    OutagePolicy,
    StoreDown,
    StoreOptions,
    pack,
    pack_parts,
    unpack,
    unpack_whole,
)
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerStore

if TYPE_CHECKING:
    import redis
    from redis.retry import Retry

T = TypeVar("T")

# After a failure Redis is not asked for this time, twice as long after the next one, so that calls do not wait for it
# again and again.
_REST_S, _LONGEST_REST_S = 1.0, 5.0
_TIMEOUT_S = 2.0
_PREFIX = "promptopt:cache:"


class RedisStore:
    """A Redis or Valkey that machines share; the ledger stays a file."""

    def __init__(self, options: StoreOptions) -> None:
        """Raises UsageError without an address, and what :class:`RedisLink` raises."""
        if options.url is None:
            raise UsageError("store = 'redis' needs an address: redis = 'redis://host:6379/0'")
        self._link = RedisLink(options.url, policy=options.on_down, clock=options.clock)
        self._closers: list[Callable[[], None]] = [self._link.close]

    def outage(self, what: str) -> Outage:  # noqa: ARG002 - one server is away for all
        return self._link.outage

    def cache(self) -> RedisCache:
        return RedisCache(self._link)

    def leases(self, cache: CacheStore | None) -> Leases:
        return RedisLeases(self._link, cache if isinstance(cache, RedisCache) else None)

    def budgets(self) -> BudgetStore:
        return RedisBudgets(self._link)

    def windows(self) -> CallWindows:
        return RedisWindows(self._link)

    def ledger(self, path: Path) -> LedgerStore:
        ledger = open_ledger(path)
        self._closers.append(ledger.close)
        return ledger

    def close(self) -> None:
        for close in self._closers:
            close()


class RedisLink:
    """A Redis or Valkey that machines share."""

    networked = True

    def __init__(self, url: str, *, policy: OutagePolicy = "degrade", clock: Clock = SYSTEM_CLOCK) -> None:
        """Connect.

        Raises:
            UsageError: The address is not one of Redis.
            MissingExtra: redis-py is not installed.
            GatewayUnavailable: It is away, and the policy is to refuse.
        """
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise UsageError(f"redis = {_host(url)!r} is not an address like redis://host:6379/0")
        try:
            import redis
        except ImportError:
            raise MissingExtra("redis", "gateway", "a shared cache in Redis") from None
        self.name = _host(url)
        try:
            self.client: redis.Redis = redis.Redis.from_url(
                url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=_once_more()
            )
        except ValueError as error:
            raise UsageError(f"redis = {self.name!r}: {error}") from None
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._clock = clock
        self._lock = threading.Lock()
        self._rest_s = 0.0
        self._resting_until = float("-inf")
        self._scripts: dict[str, Any] = {}
        self.outage = Outage("Redis", policy)
        try:
            self.do(lambda client: client.ping())
        except StoreDown as error:
            self.outage.met(error)

    def do(self, function: Callable[[redis.Redis], T]) -> T:
        """The result of a function on the client.

        Raises:
            StoreDown: Redis is away.
        """
        if self._rest_s:
            self._look_again()
        try:
            result = function(self.client)
        except self._errors as error:
            self._rest()
            raise StoreDown(f"{self.name} is away ({type(error).__name__})") from None
        self._rest_s = 0.0
        self.outage.over()
        return result

    def check(self) -> None:
        """Raises StoreDown while Redis is not asked."""
        if self._clock.monotonic() < self._resting_until:
            raise StoreDown(f"{self.name} is away")

    def _look_again(self) -> None:
        """Let one caller see whether Redis is back; the others do not wait for what it finds."""
        with self._lock:
            self.check()
            self._resting_until = self._clock.monotonic() + _TIMEOUT_S
            self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S)

    def _rest(self) -> None:
        with self._lock:
            self._rest_s = self._rest_s or _REST_S
            self._resting_until = self._clock.monotonic() + self._rest_s

    def script(self, source: str, keys: list[str], values: list[Any]) -> Any:
        """The result of a Lua script, which Redis runs as one step."""
        if source not in self._scripts:
            self._scripts[source] = self.client.register_script(source)
        return self.do(lambda client: self._scripts[source](keys=keys, args=values, client=client))

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()


def _once_more() -> Retry:
    """Send a command again over a new connection if the old one was closed, and never after a timeout."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))


def _host(url: str) -> str:
    """An address without the user and password in it."""
    parts = urlsplit(url)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.hostname or parts.path or url[:20]}{port}"


class RedisCache:
    """Answers in Redis, which forgets them itself when their time is over."""

    networked = True

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def get(self, key: str, now: float) -> Answer | None:
        data: Any = self._link.do(lambda client: client.get(self.name(key)))
        return None if data is None else self.read(key, data, now)

    @staticmethod
    def read(key: str, data: bytes, now: float) -> Answer | None:
        """The answer in what Redis has of it, if it may be used at ``now``."""
        entry = _decode(key, data)
        return entry.answer if entry is not None and entry.valid(now) else None

    @staticmethod
    def name(key: str) -> str:
        """What the answer to a key is called in Redis."""
        return _PREFIX + key

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
        def read(client: redis.Redis) -> list[tuple[str, Any]]:
            names = [name.decode() for name in client.scan_iter(match=f"{_PREFIX}*", count=500)]
            return [(name.removeprefix(_PREFIX), client.get(name)) for name in names]

        found = [_decode(key, data) for key, data in self._link.do(read) if data is not None]
        yield from sorted((entry for entry in found if entry is not None), key=lambda entry: -entry.created)

    def close(self) -> None:
        self._link.close()


def _decode(key: str, data: bytes) -> KeptAnswer | None:
    head, _, content = data.partition(b"\n")
    try:
        created, expires, prompt, model, excerpt, content_type, meta = json.loads(head)
        return KeptAnswer(key, created, expires, prompt, model, excerpt, unpack(content, content_type, meta))
    except (ValueError, TypeError):
        return None


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

    def acquire(self, key: str, token: str, now: float, *, fresh: bool) -> bool | Answer:
        keys = [_flight(key)] if self._cache is None else [_flight(key), self._cache.name(key)]
        held: Any = self._link.script(_ACQUIRE, keys, [token, int(LEASE_S * 1000), int(fresh)])
        if held is None:
            return True
        if held[:1] == b"C":
            kept = RedisCache.read(key, held[1:], now)
            # If it is over by this machine's clock, or this version cannot read it, it is asked for without a lease.
            return True if kept is None else kept
        return unpack_whole(held[1:]) if held[:1] == b"A" else False

    def renew(self, key: str, token: str, now: float) -> None:  # noqa: ARG002 - Redis's own clock
        self._link.script(_RENEW, [_flight(key)], [token, int(LEASE_S * 1000)])

    def release(self, key: str, token: str, answer: Answer | None, now: float, entry: KeptAnswer | None = None) -> None:  # noqa: ARG002 - Redis's own clock
        keys, kept = [_flight(key)], []
        if entry is not None and self._cache is not None:
            keys.append(self._cache.name(key))
            kept = list(RedisCache.packed(entry))
        payload = b"" if answer is None or kept else pack(answer)
        self._link.script(_RELEASE, keys, [token, payload, int(SHARED_S * 1000), *kept])


def _flight(key: str) -> str:
    return f"promptopt:flight:{key}"


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

    networked = True

    def __init__(self, link: RedisLink) -> None:
        self.on_crossed: Callable[[LevelCrossed], None] | None = None
        self._link = link

    def reserve(self, number: str, scopes: Sequence[BudgetScope], amount: int, now: float) -> BudgetFull | None:  # noqa: ARG002 - Redis's own clock
        limits = json.dumps([scope.limit for scope in scopes])
        values = [limits, amount, number, int(RESERVED_S), _KEEP_S]
        index, spent, reserved = self._link.script(_LUA_RESERVE, _keys(scopes), values)
        return BudgetFull(scopes[index - 1], spent, reserved) if index else None

    def settle(self, number: str, scopes: Sequence[BudgetScope], amount: int, paid: int) -> None:
        values = [number, amount, paid, *(scope.limit for scope in scopes)]
        rows = self._link.script(_LUA_SETTLE, _keys(scopes), values)
        for scope, (spent, alerted, reached) in zip(scopes, rows, strict=True):
            for level in ALERT_LEVELS:
                if alerted < level <= reached and self.on_crossed is not None:
                    self.on_crossed(LevelCrossed(scope, level, spent))

    def alert(self, scope: BudgetScope, level: int) -> LevelCrossed | None:
        spent = self._link.script(_LUA_ALERT, _keys([scope]), [level])
        return None if spent < 0 else LevelCrossed(scope, level, spent)

    def defer(self, response: str, deferred: Deferred, now: float) -> None:  # noqa: ARG002 - Redis's own clock
        data = json.dumps([deferred.scopes, deferred.amount, deferred.note])
        self._link.do(lambda client: client.set(_deferred(response), data, ex=int(DEFERRED_S)))

    def take_deferred(self, response: str) -> Deferred | None:
        data: Any = self._link.do(lambda client: client.getdel(_deferred(response)))
        if data is None:
            return None
        scopes, amount, note = json.loads(data)
        return Deferred(tuple(scopes), amount, note)

    def give_back(self, scopes: Sequence[str], amount: int) -> None:
        def change(client: redis.Redis) -> None:
            for scope in scopes:
                client.hincrby(_budget(scope), "spent", -amount)

        self._link.do(change)

    def spent(self, scope: str) -> tuple[int, int]:
        row = self._link.do(lambda client: client.hmget(_budget(scope), ["spent", "reserved"]))
        return int(row[0] or 0), int(row[1] or 0)


def _deferred(response: str) -> str:
    return f"promptopt:deferred:{response}"


def _budget(scope: str) -> str:
    return f"promptopt:budget:{scope}"


def _keys(scopes: Sequence[BudgetScope]) -> list[str]:
    return [_budget(scope.name) for scope in scopes]


class RedisWindows:
    """Moving windows of the package ``limits`` in Redis. Two processes may let one call too many pass at most."""

    networked = True

    def __init__(self, link: RedisLink) -> None:
        """Raises MissingExtra if the package ``limits`` is not installed."""
        try:
            from limits.storage import RedisStorage
            from limits.strategies import MovingWindowRateLimiter
        except ImportError:
            raise MissingExtra("limits", "gateway", "limits for users and keys") from None
        self._link = link
        # The link's own connections: their timeout is the link's, and the link knows when Redis is away.
        storage = RedisStorage("redis://", connection_pool=link.client.connection_pool)
        self._limiter = MovingWindowRateLimiter(storage)
        self._lock = threading.Lock()

    def hit(self, items: Sequence[tuple[Any, str]], now: float) -> tuple[Any, str, float] | None:
        # Nobody waits in line for a Redis that is away.
        self._link.check()
        with self._lock:
            return self._link.do(lambda _: self._hit(items, now))

    def _hit(self, items: Sequence[tuple[Any, str]], now: float) -> tuple[Any, str, float] | None:
        # A call that one of several windows refuses counts in none of them.
        for allows in (self._limiter.test, self._limiter.hit) if len(items) > 1 else (self._limiter.hit,):
            for item, who in items:
                if not allows(item, who):
                    reset = self._limiter.get_window_stats(item, who).reset_time
                    # A clock that goes back must not make anybody wait longer than the window is.
                    return item, who, min(max(reset - now, 0.0), float(item.get_expiry()))
        return None
