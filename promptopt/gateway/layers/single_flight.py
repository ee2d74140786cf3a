"""Single-flight: identical calls in flight become one, within a process and across processes.

The first caller leads and the others follow. Answers are shared, errors never: where a leader fails or dies, a follower
leads. Who has seen two leaders fail asks on its own.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from promptopt.gateway.call import Answer, Call, new_number
from promptopt.gateway.flow import Flow, Handler, Sleep, Wait
from promptopt.gateway.layers.cache import ExactCache
from promptopt.gateway.stores.base import Database, Outage, RedisLink, StoreDown, tolerating, using
from promptopt.gateway.stores.cache import (
    SKEW_S,
    Entry,
    RedisCache,
    SqliteCache,
    pack_meta,
    unpack,
)

LEASE_S = 5.0
_PUBLISHED_S = 2.0
_MAX_FAILED_LEADERS = 2
# A stream is shared when it has ended, which is in the hands of who reads it.
_STREAM_PATIENCE_S = 30.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.005, 0.05


class Leases(Protocol):
    """Who leads, known to all processes."""

    remote: bool

    def acquire(self, key: str, token: str, now: float, *, fresh: bool) -> bool | Answer:
        """True to the leader, False while another one leads, or the answer that it came back with, or that is kept.

        Args:
            fresh: Whether the caller has just come, so that an answer shared with others is none of its business.
        """

    def renew(self, key: str, token: str, now: float) -> None:
        """The leader lives."""

    def release(self, key: str, token: str, answer: Answer | None, now: float, entry: Entry | None = None) -> None:
        """The leader is done, with an answer to share or without; one to keep is kept in the same step."""


class SingleFlight:
    """Lets one of several identical calls through, gives its answer to all, and to the cache where there is one."""

    def __init__(
        self,
        shareable: Callable[[Call], bool],
        leases: Leases | None = None,
        *,
        cache: ExactCache | None = None,
        outage: Outage | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Without ``leases`` calls are shared within this process. ``cache`` has the same store as the leases."""
        self._shareable = shareable
        self._cache = cache
        self._leases = leases
        self._outage = outage or Outage("single-flight across processes")
        self._clock = clock
        self._lock = threading.Lock()
        self._flights: dict[str, Future[Answer | None]] = {}
        self._heart = Heart(leases, clock) if leases is not None else None

    def handle(self, call: Call, inner: Handler) -> Flow:
        if not self._shareable(call):
            return (yield from inner(call))
        patience = _STREAM_PATIENCE_S if call.stream else None
        for _ in range(_MAX_FAILED_LEADERS):
            with self._lock:
                flight = self._flights.get(call.key)
                leading = flight is None
                if flight is None:
                    flight = self._flights[call.key] = Future()
            if leading:
                return (yield from self._lead(call, inner, flight))
            if not (yield Wait(flight, patience)):
                break
            answer = flight.result()
            if answer is not None:
                return replace(answer, source="shared", raw=None)
        return (yield from self._alone(call, inner))

    def _alone(self, call: Call, inner: Handler) -> Flow:
        """Ask without a lease, and keep the answer."""
        answer = yield from inner(call)
        if self._cache is not None:
            yield from self._cache.keep(call, answer)
        return answer

    def _lead(self, call: Call, inner: Handler, flight: Future[Answer | None]) -> Flow:
        answer = None
        try:
            answer = yield from self._lead_processes(call, inner)
        finally:
            with self._lock:
                del self._flights[call.key]
            flight.set_result(answer if answer is not None and answer.complete else None)
        return answer

    def _lead_processes(self, call: Call, inner: Handler) -> Flow:
        leases = self._leases
        if leases is None:
            return (yield from self._alone(call, inner))
        token, pause, fresh = new_number(), _FIRST_PAUSE_S, True
        given_up = time.monotonic() + _STREAM_PATIENCE_S if call.stream else None
        while True:
            try:
                state = yield from using(leases, partial(leases.acquire, call.key, token, self._clock(), fresh=fresh))
            except StoreDown as error:
                self._outage.met(error)
                return (yield from self._alone(call, inner))
            if isinstance(state, Answer):
                # Whoever did not wait for it found it in the cache, where it came since the first look.
                return state if fresh else replace(state, source="shared")
            if state:
                return (yield from self._ask(call, inner, leases, token))
            if given_up is not None and time.monotonic() > given_up:
                return (yield from self._alone(call, inner))
            fresh = False
            # Jitter only spreads the looks of followers.
            yield Sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(pause * 2, _LAST_PAUSE_S)

    def _ask(self, call: Call, inner: Handler, leases: Leases, token: str) -> Flow:
        assert self._heart is not None
        self._heart.add(call.key, token)
        try:
            answer = yield from inner(call)
        except GeneratorExit:
            # A flow that is thrown away can yield nothing more.
            self._heart.remove(call.key, token)
            with suppress(StoreDown):
                leases.release(call.key, token, None, self._clock())
            raise
        except BaseException:
            self._heart.remove(call.key, token)
            with suppress(StoreDown):
                yield from using(leases, lambda: leases.release(call.key, token, None, self._clock()))
            raise
        self._heart.remove(call.key, token)
        shared = answer if answer.complete else None
        entry = None if self._cache is None else self._cache.entry(call, answer)
        with tolerating(self._outage):
            yield from using(leases, lambda: leases.release(call.key, token, shared, self._clock(), entry))
        return answer


class Heart:
    """Renews the leases of leaders that live; with the process it stops, and others take over."""

    def __init__(self, leases: Leases, clock: Callable[[], float]) -> None:
        self._leases = leases
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], None] = {}
        self._thread: threading.Thread | None = None

    def add(self, key: str, token: str) -> None:
        """Renew this lease until it is removed."""
        with self._lock:
            self._held[key, token] = None
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="promptopt-leases", daemon=True)
                self._thread.start()

    def remove(self, key: str, token: str) -> None:
        """The lease is given back."""
        with self._lock:
            self._held.pop((key, token), None)

    def _beat(self) -> None:
        while True:
            time.sleep(LEASE_S / 3)
            with self._lock:
                held = list(self._held)
                if not held:
                    self._thread = None
                    return
            for key, token in held:
                with suppress(StoreDown):
                    self._leases.renew(key, token, self._clock())


class SqliteLeases:
    """Leases in the cache's file."""

    remote = False

    def __init__(self, database: Database, cache: SqliteCache | None = None) -> None:
        """With a ``cache`` in the same file, nobody leads where an answer is kept."""
        self._database = database
        self._cache = cache

    def acquire(self, key: str, token: str, now: float, *, fresh: bool) -> bool | Answer:
        taken = self._database.execute(
            "INSERT INTO flights SELECT ?1, ?2, ?3, ?4, NULL WHERE NOT (?7 AND EXISTS (SELECT 1 FROM answers "
            "WHERE key = ?1 AND expires > ?3 AND created <= ?5)) ON CONFLICT (key) DO UPDATE SET "
            "token = ?2, created = ?3, expires = ?4, payload = NULL "
            "WHERE flights.expires <= ?3 OR flights.created > ?5 OR (?6 AND payload IS NOT NULL)",
            (key, token, now, now + LEASE_S, now + SKEW_S, fresh, self._cache is not None),
        )
        if taken:
            return True
        kept = self._cache.get(key, now) if self._cache is not None else None
        if kept is not None:
            return kept
        row = self._database.do(
            lambda connection: connection.execute("SELECT payload FROM flights WHERE key = ?", (key,)).fetchone()
        )
        return False if row is None or row[0] is None else _unpack(row[0])

    def renew(self, key: str, token: str, now: float) -> None:
        self._database.execute(
            "UPDATE flights SET created = ?3, expires = ?4 WHERE key = ?1 AND token = ?2",
            (key, token, now, now + LEASE_S),
        )

    def release(self, key: str, token: str, answer: Answer | None, now: float, entry: Entry | None = None) -> None:
        if entry is not None and self._cache is not None:
            # Followers find it in the cache.
            self._cache.put(entry, token)
        elif answer is None:
            self._database.execute("DELETE FROM flights WHERE key = ? AND token = ?", (key, token))
        else:
            self._database.execute(
                "UPDATE flights SET payload = ?3, expires = ?4 WHERE key = ?1 AND token = ?2",
                (key, token, _pack(answer), now + _PUBLISHED_S),
            )
        if random.random() < 0.01:  # noqa: S311 - housekeeping now and then
            self._database.execute("DELETE FROM flights WHERE expires < ?", (now,))


# KEYS: the lease, and the kept answer where there is a cache.
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

    remote = True

    def __init__(self, link: RedisLink, cache: RedisCache | None = None) -> None:
        """With a ``cache`` in the same Redis, nobody leads where an answer is kept."""
        self._link = link
        self._cache = cache

    def acquire(self, key: str, token: str, now: float, *, fresh: bool) -> bool | Answer:
        keys = [_name(key)] if self._cache is None else [_name(key), self._cache.name(key)]
        held: Any = self._link.script(_ACQUIRE, keys, [token, int(LEASE_S * 1000), int(fresh)])
        if held is None:
            return True
        if held[:1] == b"C":
            kept = RedisCache.read(key, held[1:], now)
            # One that this machine's clock, or its promptopt, does not let hold is asked for anew, without a lease.
            return True if kept is None else kept
        return _unpack(held[1:]) if held[:1] == b"A" else False

    def renew(self, key: str, token: str, now: float) -> None:  # noqa: ARG002 - Redis's own clock
        self._link.script(_RENEW, [_name(key)], [token, int(LEASE_S * 1000)])

    def release(self, key: str, token: str, answer: Answer | None, now: float, entry: Entry | None = None) -> None:  # noqa: ARG002 - Redis's own clock
        keys, kept = [_name(key)], []
        if entry is not None and self._cache is not None:
            keys.append(self._cache.name(key))
            kept = list(RedisCache.packed(entry))
        payload = b"" if answer is None or kept else _pack(answer)
        self._link.script(_RELEASE, keys, [token, payload, int(_PUBLISHED_S * 1000), *kept])


def _name(key: str) -> str:
    return f"promptopt:flight:{key}"


def _pack(answer: Answer) -> bytes:
    return json.dumps([answer.content_type, pack_meta(answer)]).encode() + b"\n" + answer.content


def _unpack(data: bytes) -> Answer:
    head, _, content = data.partition(b"\n")
    content_type, meta = json.loads(head)
    return unpack(content, content_type, meta)
