"""What a store is: where the layers of a gateway keep what their calls share. See the protocol ``Store``."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from promptopt.gateway.call import Answer
from promptopt.gateway.clock import SYSTEM_CLOCK, SYSTEM_RANDOM, Clock
from promptopt.gateway.failures import GatewayUnavailable
from promptopt.gateway.flow import Blocking, Sleep, Subflow
from promptopt.gateway.stores.ledger_row import LedgerStore

T = TypeVar("T")
OutagePolicy = Literal["degrade", "refuse"]
log = logging.getLogger("promptopt.gateway")

# How much the clocks of machines that share a store may differ.
SKEW_S = 5.0
# A lease ends after so many seconds unless it is renewed; an answer is shared with those who wait for so long.
LEASE_S, SHARED_S = 5.0, 2.0
# What a response in the background was counted as is forgotten after this time, and stays spent.
DEFERRED_S = 30 * 86400.0
# A reservation whose caller died is taken as spent after this time.
RESERVED_S = 1800.0
ALERT_LEVELS = (50, 80, 100)


class StoreDown(Exception):
    """A store did not take or give something; the message names it without credentials."""


class StoreBusy(StoreDown):
    """A store is used by somebody else just now, and an event loop must not wait for it."""


# Half a minute in all.
PAUSES_S = (*(0.001, 0.002, 0.005, 0.01, 0.02), *([0.05] * 600))
# So long an event loop waits for another thread of its process to have done with a store.
_BLINK_S = 0.002


def in_event_loop() -> bool:
    """Whether an event loop runs in this thread, so that nothing here may wait."""
    # An exception would cost more than all else that a store does in memory.
    return asyncio._get_running_loop() is not None


class StoreLock:
    """A lock that threads wait for; an event loop gets :class:`StoreBusy` if it is not free in a moment."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        if not self.taken_at_once() and not self._lock.acquire(timeout=_BLINK_S if in_event_loop() else -1):
            raise StoreBusy("another thread of this process uses it")

    def taken_at_once(self) -> bool:
        """Take it if nobody has it; whether that was so."""
        return self._lock.acquire(blocking=False)

    def give_back(self, *_: object) -> None:
        """Let the next one take it."""
        self._lock.release()

    __exit__ = give_back


def at_once(function: Callable[[], object]) -> None:
    """Give something back to a store for a flow that was thrown away, and can yield nothing more."""

    def give_back() -> None:
        with suppress(StoreDown):
            function()

    if in_event_loop():
        threading.Thread(target=give_back, name="promptopt-back", daemon=True).start()
    else:
        give_back()


class Networked(Protocol):
    """What a layer needs to know of anything it asks.

    Attributes:
        networked: Whether it is reached over a network, so that an event loop must not wait for it.
    """

    networked: bool


def using(store: Networked, function: Callable[[], T], undo: Callable[[T], None] | None = None) -> Subflow[T]:
    """The result of a store's function; if the store is networked, an event loop calls it in a thread.

    A store that another process keeps locked is asked again and again, so that an event loop goes on meanwhile.

    Args:
        undo: Takes back what the function did, if its caller was cancelled in the middle of it.
    """
    if store.networked:
        result: T = yield Blocking(function, undo)
        return result
    for pause in PAUSES_S:
        try:
            return function()
        except StoreBusy:
            yield Sleep(pause)
    return function()


def giving(store: Networked, function: Callable[[], T]) -> Subflow[T]:
    """As :func:`using`, for what nobody waits for: a store with ``gives_later`` takes it, and asks no network now."""
    if getattr(store, "gives_later", False):
        return function()
    return (yield from using(store, function))


# A store that has not failed for so long works again.
_WORKS_S = 5.0


class Outage:
    """What a layer does while its store is away, as in ``with outage:``: goes on without, says so once, or refuses."""

    def __init__(self, what: str, policy: OutagePolicy = "degrade", clock: Clock = SYSTEM_CLOCK) -> None:
        self._what = what
        self._policy = policy
        self._clock = clock
        self._told = False
        self._failed_at = 0.0

    def __enter__(self) -> None:
        """Nothing has failed yet."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is None:
            self.over()
        elif isinstance(error, StoreDown):
            self.met(error)
        return isinstance(error, StoreDown)

    def met(self, error: StoreDown) -> None:
        """Raises GatewayUnavailable if the policy is to refuse."""
        self.tell(str(error))
        if self._policy == "refuse":
            raise GatewayUnavailable(f"{self._what}: {error}") from error

    def tell(self, reason: str) -> None:
        """Say once that the store is away."""
        self._failed_at = self._clock.monotonic()
        if not self._told:
            self._told = True
            consequence = "calls go on without it" if self._policy == "degrade" else "calls are refused"
            log.warning("%s: %s; %s", self._what, reason, consequence)

    def over(self) -> None:
        """The store works; its next failure is reported again if it does for a while."""
        # While one server of a cluster is away the others answer, and while another one takes over each call may fail.
        if self._told and self._clock.monotonic() - self._failed_at >= _WORKS_S:
            self._told = False
            log.warning("%s: works again", self._what)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer in a cache.

    Attributes:
        key: The identity of the call.
        created: When, in seconds since 1970; so is ``expires``.
        prompt: Label of the prompt, if the caller named one.
        excerpt: How the request's text begins; ``None`` if no text is kept.
    """

    key: str
    created: float
    expires: float
    prompt: str | None
    model: str
    excerpt: str | None
    answer: Answer

    def valid(self, now: float) -> bool:
        """Whether it may be used at ``now``; one from the future (a clock went back) may not."""
        return self.created - SKEW_S <= now < self.expires

    def matches(self, prompt: str | None, model: str | None, before: float | None) -> bool:
        """Whether it meets all that is given: the prompt (any version of it), the model, older than ``before``."""
        return (
            (prompt is None or self.prompt == prompt or (self.prompt or "").startswith(f"{prompt}@"))
            and (model is None or self.model == model)
            and (before is None or self.created < before)
        )


class CacheStore(Protocol):
    """Keeps answers by key."""

    networked: bool

    def get(self, key: str, now: float) -> Answer | None:
        """The answer that may be used at ``now``, with the source ``cache``."""

    def put(self, entry: KeptAnswer) -> None:
        """Keep an answer."""

    def clear(self, *, prompt: str | None = None, model: str | None = None, before: float | None = None) -> int:
        """Forget the answers that match all that is given; how many there were."""

    def entries(self) -> Iterator[KeptAnswer]:
        """What is kept, the newest first; answers may be without their ``wire``."""

    def close(self) -> None:
        """Give back what the store is kept in."""


class Leases(Protocol):
    """Who leads a flight of identical calls, known to all processes.

    Those with a true attribute ``reads_cache`` find a kept answer whenever they are asked, so that nobody need look for
    it before. For ``gives_later``, which budgets may have as well, see :func:`giving`.
    """

    networked: bool

    def acquire(self, key: str, token: str, now: float, *, fresh: bool) -> bool | Answer:
        """True to the leader, False while another one leads, or the answer that it came back with, or that is kept.

        Args:
            fresh: Whether the caller has just come, so that an answer shared with others is not for it.
        """

    def renew(self, key: str, token: str, now: float) -> None:
        """The leader is alive."""

    def release(self, key: str, token: str, answer: Answer | None, now: float, entry: KeptAnswer | None = None) -> None:
        """The leader is done, with an answer to share or without; one to keep is kept in the same step."""


@dataclass(frozen=True, slots=True)
class BudgetScope:
    """One budget that a call counts against: ``day:2026-11-21`` with its limit in billionths of a dollar.

    Attributes:
        ends: When it begins again, in seconds since 1970; ``None`` if it does not.
    """

    name: str
    limit: int
    ends: float | None = None


@dataclass(frozen=True, slots=True)
class BudgetFull:
    """A budget that the worst case of a call does not fit into."""

    scope: BudgetScope
    spent: int
    reserved: int


@dataclass(frozen=True, slots=True)
class LevelCrossed:
    """A budget of which a share was reached for the first time, in percent."""

    scope: BudgetScope
    level: int
    spent: int


class BudgetStore(Protocol):
    """Keeps budgets, in billionths of a dollar. Each method is one step that no other process can come between.

    Attributes:
        on_crossed: Called when settling has crossed a level, once for each; perhaps a little later, by another thread.
    """

    networked: bool
    on_crossed: Callable[[LevelCrossed], None] | None

    def reserve(self, number: str, scopes: Sequence[BudgetScope], amount: int, now: float) -> BudgetFull | None:
        """Set ``amount`` aside in all scopes, or in none and say which is full."""

    def settle(self, number: str, scopes: Sequence[BudgetScope], amount: int, paid: int) -> None:
        """Replace a reservation by what was paid."""

    def alert(self, scope: BudgetScope, level: int) -> LevelCrossed | None:
        """Mark a level as reached; ``None`` if it was before."""

    def spent(self, scope: str) -> tuple[int, int]:
        """Spent and reserved."""


@runtime_checkable
class PatientStore(BudgetStore, Protocol):
    """A budget store that need not know at once what a call cost."""

    def settle_soon(self, scopes: Sequence[BudgetScope], amount: int, paid: Callable[[], int]) -> None:
        """Replace a reservation by what was paid when that is written; ``paid`` is called then, by any thread."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """What was counted of a response that the provider still works on.

    Attributes:
        scopes: Names of the budgets.
        note: What its price depends on, as JSON.
    """

    scopes: tuple[str, ...]
    amount: int
    note: str


@runtime_checkable
class DeferringStore(BudgetStore, Protocol):
    """A budget store that lists its budgets, and knows calls whose cost comes later, perhaps to another process."""

    def names(self) -> list[str]:
        """The names of all budgets that it knows."""

    def defer(self, response: str, deferred: Deferred, now: float) -> None:
        """Remember what was counted, by the response's id."""

    def take_deferred(self, response: str) -> Deferred | None:
        """What was counted, and forget it, so that nobody else gets it; ``None`` if nothing is known."""

    def give_back(self, scopes: Sequence[str], amount: int) -> None:
        """Take from what was spent; a negative amount adds to it."""


def level_of(spent: int, limit: int) -> int:
    """The highest of the alert levels that is reached, or 0."""
    hundredfold = spent * 100
    if hundredfold < ALERT_LEVELS[0] * limit:
        # As of most calls.
        return 0
    return max(level for level in ALERT_LEVELS if hundredfold >= level * limit)


class CallWindows(Protocol):
    """Counts calls in moving windows.

    Those with a method ``give_back(items, now)`` take a call out again that was not made, by what ``hit`` was given.
    """

    networked: bool

    def hit(self, items: Sequence[tuple[Any, str]], now: float) -> tuple[Any, str, float] | None:
        """Count a call in all windows, or in none.

        Args:
            items: A limit of the package ``limits``, and whose it is.
            now: Seconds of a clock that nobody sets (``Clock.monotonic``).

        Returns:
            ``None``, or the limit that is reached, whose it is, and the seconds until the next call is allowed.

        Raises:
            StoreDown: The store is away.
        """


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What a store is opened with.

    Attributes:
        path: The folder of the gateway's files.
        cache_file: Another place for the cache.
        url: Address of a server, such as ``redis://host:6379/0``.
        on_down: What layers do while the store is away.
        prefix: What every name begins with on a server that others use as well.
        ledger: The ledger's file, which remembers that a budget was begun.
        ledger_keep_s: After how many seconds its rows are deleted; ``None`` keeps them.
    """

    path: Path
    cache_file: Path | None = None
    url: str | None = None
    on_down: OutagePolicy = "degrade"
    clock: Clock = SYSTEM_CLOCK
    random: Random = SYSTEM_RANDOM
    prefix: str = "promptopt:"
    ledger: Path | None = None
    ledger_keep_s: float | None = None


class Store(Protocol):
    """Opens what the layers of one gateway share; each part is opened when it is first needed.

    A store is registered under the entry-point group ``promptopt.stores`` as a function ``StoreOptions -> Store``.
    Times come as arguments, or from ``StoreOptions.clock``; a part that fails raises :class:`StoreDown`.
    """

    def outage(self, what: str) -> Outage:
        """What a layer that keeps ``what`` here does while the store is away."""

    def cache(self) -> CacheStore:
        """Kept answers."""

    def leases(self, cache: CacheStore | None) -> Leases | None:
        """Leases beside a cache of this store; ``None`` if calls are shared within the process only."""

    def budgets(self) -> BudgetStore:
        """Budgets."""

    def windows(self) -> CallWindows:
        """Moving windows for the limits of users and keys."""

    def ledger(self, path: Path) -> LedgerStore:
        """The ledger; ``path`` is the file that the settings name."""

    def close(self) -> None:
        """Write what is held and give everything back. Closing twice is allowed."""
