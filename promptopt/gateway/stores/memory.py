"""The store in memory: for simulations and tests, and for programs that keep nothing."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from promptopt.gateway.call import Answer
from promptopt.gateway.stores.base import (
    ALERT_LEVELS,
    BudgetFull,
    BudgetScope,
    BudgetStore,
    CacheStore,
    CallWindows,
    Deferred,
    KeptAnswer,
    LevelCrossed,
    Outage,
    StoreOptions,
    level_of,
)
from promptopt.gateway.stores.ledger_row import LedgerRow, LedgerStore, Making
from promptopt.gateway.stores.owners import MemoryOwners, Owners

_TIDY_S = 60.0


class MemoryStore:
    """Everything in this process; it ends with it."""

    def __init__(self, options: StoreOptions) -> None:
        self._options = options

    def outage(self, what: str) -> Outage:
        return Outage(what, self._options.on_down, self._options.clock)

    def cache(self) -> CacheStore:
        return MemoryCache()

    def leases(self, cache: CacheStore | None) -> None:  # noqa: ARG002 - the layer itself shares calls in a process
        return None

    def budgets(self) -> BudgetStore:
        return MemoryBudgets()

    def windows(self) -> CallWindows:
        return MemoryWindows()

    def owners(self) -> Owners:
        """Whose are the things that a provider keeps."""
        return MemoryOwners()

    def ledger(self, path: Path) -> LedgerStore:  # noqa: ARG002 - nothing is written
        return MemoryLedger()

    def close(self) -> None:
        """There is nothing to give back."""


class MemoryCache:
    """Kept answers."""

    networked = False

    def __init__(self) -> None:
        self._entries: dict[str, KeptAnswer] = {}

    def get(self, key: str, now: float) -> Answer | None:
        entry = self._entries.get(key)
        return entry.answer._replace(source="cache", raw=None) if entry is not None and entry.valid(now) else None

    def put(self, entry: KeptAnswer) -> None:
        self._entries[entry.key] = entry

    def clear(self, *, prompt: str | None = None, model: str | None = None, before: float | None = None) -> int:
        found = [entry.key for entry in list(self._entries.values()) if entry.matches(prompt, model, before)]
        return sum(self._entries.pop(key, None) is not None for key in found)

    def entries(self) -> Iterator[KeptAnswer]:
        yield from sorted(self._entries.values(), key=lambda entry: -entry.created)

    def close(self) -> None:
        """There is nothing to give back."""


class MemoryBudgets:
    """Budgets."""

    networked = False

    def __init__(self) -> None:
        self.on_crossed: Callable[[LevelCrossed], None] | None = None
        self._lock = threading.Lock()
        self._spent: defaultdict[str, int] = defaultdict(int)
        self._reserved: defaultdict[str, int] = defaultdict(int)
        self._alerted: defaultdict[str, int] = defaultdict(int)
        self._deferred: dict[str, Deferred] = {}

    def reserve(self, number: str, scopes: Sequence[BudgetScope], amount: int, now: float) -> BudgetFull | None:  # noqa: ARG002 - a caller does not outlive its process
        with self._lock:
            for scope in scopes:
                spent, reserved = self._spent[scope.name], self._reserved[scope.name]
                if spent + reserved + amount > scope.limit:
                    return BudgetFull(scope, spent, reserved)
            for scope in scopes:
                self._reserved[scope.name] += amount
        return None

    def settle(self, number: str, scopes: Sequence[BudgetScope], amount: int, paid: int) -> None:  # noqa: ARG002 - see reserve
        crossed = []
        with self._lock:
            for scope in scopes:
                self._reserved[scope.name] -= amount
                self._spent[scope.name] += paid
                spent, before = self._spent[scope.name], self._alerted[scope.name]
                reached = self._alerted[scope.name] = max(before, level_of(spent, scope.limit))
                crossed += [LevelCrossed(scope, level, spent) for level in ALERT_LEVELS if before < level <= reached]
        for each in crossed:
            if self.on_crossed is not None:
                self.on_crossed(each)

    def alert(self, scope: BudgetScope, level: int) -> LevelCrossed | None:
        with self._lock:
            if self._alerted[scope.name] >= level:
                return None
            self._alerted[scope.name] = level
            return LevelCrossed(scope, level, self._spent[scope.name])

    def names(self) -> list[str]:
        return sorted({*self._spent, *self._reserved})

    def defer(self, response: str, deferred: Deferred, now: float) -> None:  # noqa: ARG002 - it ends with the process
        self._deferred[response] = deferred

    def take_deferred(self, response: str) -> Deferred | None:
        return self._deferred.pop(response, None)

    def give_back(self, scopes: Sequence[str], amount: int) -> None:
        with self._lock:
            for name in scopes:
                self._spent[name] -= amount

    def spent(self, scope: str) -> tuple[int, int]:
        return self._spent[scope], self._reserved[scope]


class MemoryWindows:
    """Moving windows."""

    networked = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: defaultdict[tuple[Any, str], deque[float]] = defaultdict(deque)
        self._tidied = float("-inf")

    def hit(self, items: Sequence[tuple[Any, str]], now: float) -> tuple[Any, str, float] | None:
        with self._lock:
            self._tidy(now)
            windows = []
            for item, who in items:
                calls = self._within(item, who, now)
                if len(calls) >= item.amount:
                    # A sum of times is rounded, and nobody waits for longer than the window is.
                    return item, who, min(calls[-item.amount] + item.get_expiry() - now, item.get_expiry())
                windows.append(calls)
            for calls in windows:
                calls.append(now)
        return None

    def give_back(self, items: Sequence[tuple[Any, str]], now: float) -> None:
        """Take a call out of its windows again that was not made."""
        with self._lock:
            for each in items:
                if now in self._calls[each]:
                    self._calls[each].remove(now)

    def _within(self, item: Any, who: str, now: float) -> deque[float]:
        """The calls in the window that ends now."""
        calls = self._calls[item, who]
        while calls and calls[0] <= now - item.get_expiry():
            calls.popleft()
        return calls

    def _tidy(self, now: float) -> None:
        """Forget, once a minute, the windows that have no call."""
        if now - self._tidied < _TIDY_S:
            return
        self._tidied = now
        for item, who in [*self._calls]:
            if not self._within(item, who, now):
                del self._calls[item, who]


class MemoryLedger:
    """Rows."""

    def __init__(self) -> None:
        self._rows: list[Making] = []

    def begin(self, row: Making) -> int:
        self._rows.append(row)
        return len(self._rows)

    def finish(self, number: int, row: Making) -> None:
        if number:
            self._rows[number - 1] = row
        else:
            self._rows.append(row)

    def rows(self, since: float | None = None) -> Iterator[LedgerRow]:
        made = [row() if callable(row) else row for row in self._rows]
        yield from sorted((row for row in made if since is None or row.at >= since), key=lambda row: row.at)

    def close(self) -> None:
        """There is nothing to give back."""
