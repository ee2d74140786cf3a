"""Single-flight: identical calls in flight become one, within a process and across processes.

The first caller leads and the others follow. Answers are shared, errors never: if a leader fails or dies, a follower
leads. A follower that has seen two leaders fail asks on its own. It waits no longer than its caller's own timeout, and
not at all for a stream whose reader holds it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from random import Random

from promptopt.gateway.call import Answer, Call, new_id
from promptopt.gateway.clock import SYSTEM_CLOCK, SYSTEM_RANDOM, Clock
from promptopt.gateway.failures import CallFailed
from promptopt.gateway.flow import AFTER_FORK, Flow, Handler, Sleep, Wait, end_left_flows
from promptopt.gateway.layers.cache import ExactCache
from promptopt.gateway.reading import Reading
from promptopt.gateway.stores.base import LEASE_S, Leases, Outage, StoreDown, at_once, giving, using

_MAX_FAILED_LEADERS = 2
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.005, 0.05
# Those who wait for a flight's answer; most flights have none.
_Flight = list[Future[Answer | None]]


class SingleFlight:
    """Lets one of several identical calls through, and gives its answer to all, and to the cache if there is one."""

    def __init__(
        self,
        shareable: Callable[[Call], bool],
        leases: Leases | None = None,
        *,
        cache: ExactCache | None = None,
        outage: Outage | None = None,
        clock: Clock = SYSTEM_CLOCK,
        random: Random = SYSTEM_RANDOM,
    ) -> None:
        """Without ``leases`` calls are shared within this process.

        Args:
            shareable: Which calls share an answer; that of each of them may be kept in ``cache``.
            cache: It has the same store as the leases.
        """
        self._shareable = shareable
        self._cache = cache
        self._leases = leases
        self._outage = outage or Outage("single-flight across processes")
        self._clock = clock
        self._random = random
        self._renewer = LeaseRenewer(leases, clock) if leases is not None else None
        self.after_fork()
        AFTER_FORK.add(self)

    def after_fork(self) -> None:
        """A child leads its own flights: those of its parent never land here."""
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}
        if self._renewer is not None:
            self._renewer.after_fork()

    def handle(self, call: Call, inner: Handler) -> Flow:
        if not self._shareable(call):
            return (yield from inner(call))
        for _ in range(_MAX_FAILED_LEADERS):
            landing: Future[Answer | None] | None = None
            with self._lock:
                flight = self._flights.get(call.identity)
                if flight is None:
                    flight = self._flights[call.identity] = []
                else:
                    landing = Future()
                    flight.append(landing)
            if landing is None:
                return (yield from self._lead(call, inner, flight))
            end_left_flows()
            if not (yield Wait(landing, call.patience_s(self._clock.monotonic()))):
                raise CallFailed("timeout", sent=False)
            answer = landing.result()
            if answer is not None:
                # What the leader found in the cache is as much a hit of its followers.
                return answer._replace(source="cache" if answer.source == "cache" else "shared", raw=None)
        return (yield from self._alone(call, inner))

    def _alone(self, call: Call, inner: Handler) -> Flow:
        """Ask without a lease, and keep the answer."""
        answer = yield from inner(call)
        if self._cache is not None:
            yield from self._cache.keep(call, answer)
        return answer

    def _lead(self, call: Call, inner: Handler, flight: _Flight) -> Flow:
        if call.stream:
            call = call._replace(reading=Reading(partial(self._land, call.identity, flight, None)))
        answer = None
        try:
            answer = yield from self._lead_processes(call, inner)
        finally:
            self._land(call.identity, flight, answer if answer is not None and answer.complete else None)
        return answer

    def _land(self, identity: str, flight: _Flight, answer: Answer | None) -> None:
        """End a flight, once; without an answer one of its followers leads."""
        with self._lock:
            if self._flights.get(identity) is not flight:
                return
            del self._flights[identity]
        for follower in flight:
            follower.set_result(answer)

    def _lead_processes(self, call: Call, inner: Handler) -> Flow:
        leases = self._leases
        if leases is None:
            return (yield from self._alone(call, inner))
        token, pause, fresh = new_id(), _FIRST_PAUSE_S, True
        undo = partial(_give_back, leases, call.identity, token, self._clock)
        while True:
            try:
                state = yield from using(
                    leases, partial(leases.acquire, call.identity, token, self._clock.time(), fresh=fresh), undo
                )
            except StoreDown as error:
                self._outage.met(error)
                return (yield from self._alone(call, inner))
            if isinstance(state, Answer):
                # A caller that did not wait for it found it in the cache, where it came since the first look.
                return state if fresh else state._replace(source="shared")
            if state:
                return (yield from self._ask(call, inner, leases, token))
            patience = call.patience_s(self._clock.monotonic(), pause)
            if not patience:
                raise CallFailed("timeout", sent=False)
            fresh = False
            # Jitter spreads the looks of followers.
            yield Sleep(patience * self._random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LAST_PAUSE_S)

    def _ask(self, call: Call, inner: Handler, leases: Leases, token: str) -> Flow:
        assert self._renewer is not None
        self._renewer.add(call.identity, token)
        if call.reading is not None:
            call.reading.on_held(partial(self._let_go, call.identity, token))
        try:
            answer = yield from inner(call)
        except GeneratorExit:
            # A flow that is thrown away can yield nothing more.
            self._renewer.remove(call.identity, token)
            at_once(lambda: leases.release(call.identity, token, None, self._clock.time()))
            raise
        except BaseException:
            self._renewer.remove(call.identity, token)
            with suppress(StoreDown):
                yield from giving(leases, lambda: leases.release(call.identity, token, None, self._clock.time()))
            raise
        self._renewer.remove(call.identity, token)
        shared = answer if answer.complete else None
        entry = None if self._cache is None else self._cache.entry(call, answer)
        give = using if entry is None and shared is not None else giving
        with self._outage:
            yield from give(leases, lambda: leases.release(call.identity, token, shared, self._clock.time(), entry))
        return answer

    def _let_go(self, identity: str, token: str) -> None:
        """The reader of a stream holds it: callers in other processes need not wait for that."""
        assert self._renewer is not None
        assert self._leases is not None
        self._renewer.remove(identity, token)
        with suppress(StoreDown):
            self._leases.release(identity, token, None, self._clock.time())


def _give_back(leases: Leases, identity: str, token: str, clock: Clock, state: bool | Answer) -> None:
    if state is True:
        with suppress(StoreDown):
            leases.release(identity, token, None, clock.time())


class LeaseRenewer:
    """Renews the leases of leaders that are alive. It stops when the process does, and others take over."""

    def __init__(self, leases: Leases, clock: Clock) -> None:
        self._leases = leases
        self._clock = clock
        self.after_fork()

    def after_fork(self) -> None:
        """Leases are their process's to renew."""
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], None] = {}
        self._thread: threading.Thread | None = None

    def add(self, key: str, token: str) -> None:
        """Renew this lease until it is removed."""
        with self._lock:
            self._held[key, token] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="promptopt-leases", daemon=True)
                self._thread.start()

    def remove(self, key: str, token: str) -> None:
        """The lease is given back."""
        with self._lock:
            self._held.pop((key, token), None)

    def _run(self) -> None:
        try:
            self._beat()
        except BaseException:
            # The next lease gets another thread.
            self._thread = None
            raise

    def _beat(self) -> None:
        while True:
            # Whether a process is alive is a matter of real time: on a simulated clock this thread would move it.
            SYSTEM_CLOCK.sleep(LEASE_S / 3)
            # Others would wait for a leader whose event loop is closed.
            end_left_flows()
            with self._lock:
                held = list(self._held)
                if not held:
                    self._thread = None
                    return
            for key, token in held:
                with suppress(StoreDown):
                    self._leases.renew(key, token, self._clock.time())
