"""The check of a store: what its cache, leases, budgets, windows and ledger promise."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from promptopt.gateway.call import Answer, Wire
from promptopt.gateway.simulate import SimulatedClock
from promptopt.gateway.stores.base import (
    LEASE_S,
    BudgetFull,
    BudgetScope,
    BudgetStore,
    CacheStore,
    CallWindows,
    KeptAnswer,
    Leases,
    LevelCrossed,
    Store,
    StoreOptions,
)
from promptopt.gateway.stores.ledger_row import LedgerRow, LedgerStore
from promptopt.values import Usage

NOW = 1_800_000_000.0
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _CallLimit:
    """What a window needs to know of a limit of the package ``limits``."""

    amount: int
    seconds: int

    def get_expiry(self) -> int:
        return self.seconds

    def key_for(self, *names: str) -> str:
        return "/".join(("check", *names, str(self.amount), str(self.seconds)))


def check_store(factory: Callable[[StoreOptions], Store], folder: Path, url: str | None = None) -> None:
    """Check what the layers of a gateway rely on in a store.

    - The cache returns what was kept until it expires, lists the newest first, and forgets what ``clear`` names.
    - One caller leads identical calls; when it is done, the others get its answer.
    - A budget is never overspent, whatever comes at once; a level is crossed once.
    - A window admits as many calls as its limit says, and says how long to wait.
    - The ledger gives back the rows, the oldest first.
    - Closing twice is allowed.

    Args:
        factory: What the entry point leads to.
        folder: An empty folder.
        url: The address of an empty server, if the store has one.
    """
    store = factory(StoreOptions(folder, url=url, clock=SimulatedClock(NOW), random=Random(0)))  # noqa: S311 - seeded
    try:
        cache = store.cache()
        _check_cache(cache)
        leases = store.leases(cache)
        if leases is not None:
            _check_leases(leases)
        _check_budgets(store.budgets())
        _check_windows(store.windows())
        ledger = store.ledger(folder / "ledger.sqlite")
        _check_ledger(ledger)
        ledger.close()
        cache.close()
    finally:
        store.close()
        store.close()


def _kept(key: str, **changes: object) -> KeptAnswer:
    wire = Wire(b'{"hello": "\xc3\xa4"}')
    answer = Answer("hällo", "model-1", usage=Usage(9, 4, output_tokens=2), wire=wire, headers={})
    return replace(KeptAnswer(key, NOW, NOW + 60, "p@v1", "model", "Say", answer), **changes)  # type: ignore[arg-type]


def _check_cache(cache: CacheStore) -> None:
    assert isinstance(cache.networked, bool), "`networked` of the cache is not a boolean"
    assert cache.get("a", NOW) is None, "an empty cache answers"
    entry = _kept("a")
    cache.put(entry)
    found = cache.get("a", NOW + 59)
    assert found is not None, "the cache does not give back what was kept"
    assert found.source == "cache", f"the source of a kept answer is {found.source!r}"
    for name in ("text", "model", "usage", "finish_reason", "wire"):
        kept, given = getattr(entry.answer, name), getattr(found, name)
        assert kept == given, f"`{name}` of a kept answer was {kept!r} and is {given!r}"
    assert cache.get("a", NOW + 60) is None, "an answer is given after it has expired"
    cache.put(_kept("b", created=NOW + 1, prompt="q", model="other"))
    cache.put(_kept("c", created=NOW + 2))
    assert [each.key for each in cache.entries()] == ["c", "b", "a"], "entries are not listed with the newest first"
    assert cache.clear(prompt="p", before=NOW + 2) == 1, "`clear` of a prompt with a time does not forget one answer"
    assert cache.clear(model="other") == 1, "`clear` of a model does not forget one answer"
    assert [each.key for each in cache.entries()] == ["c"], "`clear` forgets answers that it does not name"
    assert cache.clear() == 1, "`clear` of everything does not forget the rest"


def _check_leases(leases: Leases) -> None:
    answer = _kept("led").answer
    assert leases.acquire("led", "one", NOW, fresh=True) is True, "the first caller does not lead"
    assert leases.acquire("led", "two", NOW, fresh=True) is False, "two callers lead"
    leases.renew("led", "one", NOW + 0.6 * LEASE_S)
    assert leases.acquire("led", "two", NOW + 1.2 * LEASE_S, fresh=False) is False, "a renewed lease ends too early"
    leases.release("led", "one", answer, NOW + 1.2 * LEASE_S)
    shared = leases.acquire("led", "two", NOW + 1.2 * LEASE_S, fresh=False)
    assert isinstance(shared, Answer), f"who waited gets {shared!r}, not the leader's answer"
    assert shared.text == answer.text, "who waited gets another answer than the leader"
    assert leases.acquire("fallen", "one", NOW, fresh=True) is True, "a second key has no leader of its own"
    if not leases.networked:
        # A server ends leases by its own clock.
        later = NOW + 2 * LEASE_S
        assert leases.acquire("fallen", "two", later, fresh=False) is True, "a leader that died leads for ever"


def _check_budgets(budgets: BudgetStore) -> None:
    day, run = BudgetScope("day:check", 1000), BudgetScope("run:check", 400)
    crossed: list[LevelCrossed] = []
    budgets.on_crossed = crossed.append
    assert budgets.reserve("1", [day, run], 300, NOW) is None, "a call that fits into its budgets is refused"
    full = budgets.reserve("2", [day, run], 200, NOW)
    assert isinstance(full, BudgetFull), "a budget is overspent"
    assert full.scope == run, f"{full.scope.name} is said to be full, and {run.name} is"
    assert budgets.spent(day.name) == (0, 300), "a call that was refused is counted in one of its budgets"
    budgets.settle("1", [day, run], 300, 250)
    assert budgets.spent(run.name) == (250, 0), "what was paid does not take the place of what was reserved"
    assert [(each.scope, each.level) for each in crossed] == [(run, 50)], f"levels that were crossed: {crossed}"
    assert budgets.alert(run, 80) is not None, "a level that was not reached before is not reported"
    assert budgets.alert(run, 80) is None, "a level is reported twice"
    race = BudgetScope("race:check", 100)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        taken = list(pool.map(lambda n: budgets.reserve(f"race-{n}", [race], 10, NOW), range(40)))
    admitted = sum(each is None for each in taken)
    assert admitted == 10, f"{admitted} calls of 10 fit into a budget of 100"


def _check_windows(windows: CallWindows) -> None:
    # A server counts by its own clock.
    now = time.time() if windows.networked else NOW
    minute = [(_CallLimit(2, 60), "ada")]
    assert windows.hit(minute, now) is None, "the first call of a window is refused"
    assert windows.hit(minute, now) is None, "the second of two calls is refused"
    reached = windows.hit(minute, now)
    assert reached is not None, "a window of two calls admits three"
    assert 0 < reached[2] <= 60, f"the next call is allowed after {reached[2]} s"
    assert windows.hit([(minute[0][0], "bob")], now) is None, "one user is refused for what another one did"
    if not windows.networked:
        assert windows.hit(minute, now + 61) is None, "a call is refused after the window has moved on"


def _check_ledger(ledger: LedgerStore) -> None:
    first, second = LedgerRow(NOW, "model", prompt="p", status="sent"), LedgerRow(NOW + 1, "model", input_tokens=5)
    number = ledger.begin(second)
    assert number, "a row that was begun has no number"
    ledger.finish(number, second._replace(status="ok", output_tokens=3))
    ledger.finish(0, lambda: first)
    rows = list(ledger.rows())
    assert rows == [first, second._replace(status="ok", output_tokens=3)], f"the ledger gives back {rows}"
    assert [row.at for row in ledger.rows(NOW + 1)] == [NOW + 1], "`since` is not respected"
