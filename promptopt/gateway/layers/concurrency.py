"""When a call is sent: how many are in flight, how many a minute, and when one that failed is sent again."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from random import Random

from promptopt.errors import UsageError
from promptopt.gateway.call import Call
from promptopt.gateway.clock import SYSTEM_CLOCK, SYSTEM_RANDOM, Clock
from promptopt.gateway.failures import CallFailed, QueueFull, unsent
from promptopt.gateway.flow import AFTER_FORK, Flow, Handler, Sleep, Subflow, Wait, end_left_flows
from promptopt.gateway.reading import close_what_is_left
from promptopt.providers.openai.errors import RETRYABLE
from promptopt.providers.openai.waits import asked_wait_s

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MAX_PAUSE_S = 120.0
_FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0


class Concurrency:
    """At most ``limit`` calls in flight, the others wait in line.

    A 429 halves the limit, and as many successes as the limit is raise it by one (additive increase, multiplicative
    decrease). ``retry-after`` and ``x-ratelimit-remaining-*: 0`` make all calls wait until the reset.
    """

    def __init__(
        self,
        limit: int = 10,
        *,
        max_waiting: int = 1000,
        wait_s: float = 120.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Raises UsageError if a number is not positive."""
        if limit < 1 or max_waiting < 0 or wait_s <= 0:
            raise UsageError(f"concurrency = {limit} (queue {max_waiting}, wait {wait_s:g} s): give positive numbers")
        self._most = limit
        self._limit = float(limit)
        self._max_waiting = max_waiting
        self._wait_s = wait_s
        self._clock = clock
        self._closed_until = 0.0
        self.after_fork()
        AFTER_FORK.add(self)

    def after_fork(self) -> None:
        """What is in flight in a parent gives back nothing here."""
        self._lock = threading.Lock()
        self._flying = 0
        self._line: deque[Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return max(1, int(self._limit))

    def handle(self, call: Call, inner: Handler) -> Flow:
        if not self._entered():
            yield from self._wait(call)
        headers: Mapping[str, str] = {}
        throttled = False
        try:
            if self._closed_until:
                yield from hold_back(call, self._closed_until, self._clock)
            answer = yield from inner(call)
            headers = answer.headers
        except CallFailed as failure:
            headers, throttled = failure.headers, failure.kind == "rate_limit"
            raise
        finally:
            self._leave(headers, throttled=throttled)
        return answer

    def _entered(self) -> bool:
        """Whether there is room at once, which is taken then."""
        with self._lock:
            return self._takes_room()

    def _takes_room(self) -> bool:
        """The same for whoever has the lock."""
        room = self._flying < self.limit and not self._line
        self._flying += room
        return room

    def _wait(self, call: Call) -> Subflow[None]:
        with self._lock:
            if self._takes_room():
                return
            if len(self._line) >= self._max_waiting:
                raise QueueFull(f"{len(self._line)} calls are waiting already", retry_after=1.0)
            turn: Future[None] = Future()
            self._line.append(turn)
        close_what_is_left()
        end_left_flows()
        patience = call.patience_s(self._clock.monotonic(), self._wait_s)
        try:
            came = yield Wait(turn, patience)
        except BaseException as error:
            unsent(error)
            if self._give_up(turn):
                self._leave({}, throttled=False)
            raise
        if not came and not self._give_up(turn):
            if patience != self._wait_s:
                raise CallFailed("timeout", sent=False)
            raise QueueFull(f"no turn within {self._wait_s:g} s", retry_after=1.0)

    def _give_up(self, turn: Future[None]) -> bool:
        """Leave the line. True if the turn came in the same moment: it is then kept."""
        with self._lock:
            if turn in self._line:
                self._line.remove(turn)
                return False
            return True

    def _leave(self, headers: Mapping[str, str], *, throttled: bool) -> None:
        pause = pause_of(headers, self._clock.time(), throttled=throttled)
        with self._lock:
            if throttled:
                self._limit = max(1.0, self._limit / 2)
            else:
                self._limit = min(float(self._most), self._limit + 1 / self._limit)
            if pause:
                self._closed_until = max(self._closed_until, self._clock.monotonic() + min(pause, MAX_PAUSE_S))
            self._flying -= 1
            turns = []
            while self._line and self._flying < self.limit:
                self._flying += 1
                turns.append(self._line.popleft())
        for turn in turns:
            turn.set_result(None)


def hold_back(call: Call, until: float, clock: Clock) -> Subflow[None]:
    """Wait for a moment, unless the caller's own timeout is over before.

    Raises:
        CallFailed: It is, and was waited for.
    """
    now = clock.monotonic()
    pause = until - now
    if pause <= 0:
        return
    patience = call.patience_s(now, pause)
    assert patience is not None
    try:
        yield Sleep(patience)
    except BaseException as error:
        unsent(error)
        raise
    if patience < pause:
        raise CallFailed("timeout", sent=False)


class Retries:
    """A call that failed in a way that may pass is sent again: after what the provider asks for, or ever longer pauses.

    A provider that wants a pause of more than two minutes, such as until a quota of the day is new, is not asked again.
    """

    def __init__(self, most: int, *, clock: Clock = SYSTEM_CLOCK, random: Random = SYSTEM_RANDOM) -> None:
        """``most`` times a call is sent again. Raises UsageError if that is negative."""
        if most < 0:
            raise UsageError(f"retries = {most} is not a number of at least 0")
        self._most = most
        self._clock = clock
        self._random = random

    def handle(self, call: Call, inner: Handler) -> Flow:
        for attempt in range(self._most):
            try:
                return (yield from inner(call))
            except CallFailed as failure:
                asked = pause_of(failure.headers, self._clock.time(), throttled=True)
                refused = failure.headers.get("x-should-retry") == "false" or asked > MAX_PAUSE_S
                if failure.kind not in RETRYABLE or failure.passed or refused:
                    raise
            yield Sleep(retry_pause(asked, attempt, self._random))
        return (yield from inner(call))


class Pace:
    """At most so many calls a minute, evenly: providers count the calls of much less than a minute, too."""

    def __init__(self, per_minute: int, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Raises UsageError if the number is not positive."""
        if per_minute < 1:
            raise UsageError(f"rpm = {per_minute} is not a positive number of calls a minute")
        self._apart_s = 60 / per_minute
        self._clock = clock
        self._next = 0.0
        self.after_fork()
        AFTER_FORK.add(self)

    def after_fork(self) -> None:
        """A lock that another thread of the parent held is never given back here."""
        self._lock = threading.Lock()

    def handle(self, call: Call, inner: Handler) -> Flow:
        with self._lock:
            now = self._clock.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._apart_s
        yield from hold_back(call, turn, self._clock)
        return (yield from inner(call))


def retry_pause(asked: float, attempt: int, random: Random) -> float:
    """Seconds before a call is sent again: what the provider asks for, or a pause that doubles with each attempt."""
    # Calls that failed together do not come back together.
    return max(asked, min(LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**attempt) * random.uniform(0.75, 1.0))


def pause_of(headers: Mapping[str, str], now: float, *, throttled: bool) -> float:
    """Seconds from ``now`` (since 1970) for which the provider wants no further call; 0 if it does not say so."""
    if not headers:
        return 0.0
    waits = [0.0]
    if throttled:
        asked = asked_wait_s(headers, now)
        waits.append(asked if asked is not None and asked < float("inf") else 0.0)
    waits.extend(
        duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
        for kind in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{kind}") == "0"
    )
    return max(waits)


def duration(text: str) -> float:
    """Seconds of ``6m0s``, ``20ms`` or ``1.5``, as ``x-ratelimit-reset-*`` writes them."""
    parts = _PART.findall(text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else _number(text)


def _number(text: str | None) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if 0 < value < float("inf") else 0.0
