"""A gateway: all wrappers that the settings ask for, in the one order that makes sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptopt.config import Config, load_config
from promptopt.gateway.call import Call
from promptopt.gateway.costs import Costs
from promptopt.gateway.flow import Handler, Layer, stack
from promptopt.gateway.layers.budget import Budget
from promptopt.gateway.layers.cache import CacheFront, CachePolicy, ExactCache
from promptopt.gateway.layers.cascade import Cascade
from promptopt.gateway.layers.concurrency import Concurrency
from promptopt.gateway.layers.fallback import Fallback
from promptopt.gateway.layers.limits import UserLimits
from promptopt.gateway.layers.meter import LedgerFront, Meter
from promptopt.gateway.layers.prompt_cache_hints import PromptCacheHints
from promptopt.gateway.layers.router import Router
from promptopt.gateway.layers.semantic import SemanticCache, make_semantic_cache
from promptopt.gateway.layers.single_flight import Leases, RedisLeases, SingleFlight, SqliteLeases
from promptopt.gateway.settings import Settings, read_settings
from promptopt.gateway.stores.base import Database, Outage, RedisLink
from promptopt.gateway.stores.budget import BudgetStore, SqliteBudgets
from promptopt.gateway.stores.budget_redis import RedisBudgets
from promptopt.gateway.stores.cache import CACHE_SCHEMA, CacheStore, RedisCache, SqliteCache
from promptopt.gateway.stores.ledger import LedgerStore, open_ledger


@dataclass(frozen=True, slots=True)
class Gateway:
    """The wrappers, stacked.

    Attributes:
        handler: Answers a call; what it yields is to be carried out (see ``flow``).
        layers: The wrappers, outermost first.
        cache: The exact cache, where there is one.
        ledger: The ledger's rows, where there is one.
    """

    handler: Handler
    layers: tuple[Layer, ...]
    settings: Settings
    cache: ExactCache | None
    ledger: LedgerStore | None
    closers: tuple[Callable[[], Any], ...] = ()

    def close(self) -> None:
        """Give files and connections back. Closing twice is allowed."""
        for close in self.closers:
            close()


def make_gateway(config: Config | None = None, *, sdk_retries: bool = True, **arguments: Any) -> Gateway:
    """The gateway of the project's settings and the arguments over them.

    Args:
        sdk_retries: Whether a client above it repeats failed calls.
        arguments: See ``Settings``.

    Raises:
        PromptoptError: A setting is wrong, a file cannot be written, or a package is missing.
    """
    config = config or load_config()
    return build_gateway(read_settings(config, arguments), config, sdk_retries=sdk_retries)


def build_gateway(settings: Settings, config: Config, *, sdk_retries: bool = True) -> Gateway:
    """The gateway of some settings. Raises what :func:`make_gateway` raises."""
    costs = Costs(config)
    shared = _Shared(settings)
    policy = settings.cache or CachePolicy()
    exact = ExactCache(shared.cache(), policy, outage=shared.outage("the cache")) if settings.cache else None
    semantic = make_semantic_cache(settings.semantic, settings.path, policy) if settings.semantic else None
    ledger = open_ledger(settings.ledger) if settings.ledger else None
    layers: list[Layer] = []
    if ledger is not None:
        layers.append(LedgerFront(ledger, costs))
    if settings.router:
        layers.append(Router(settings.router))
    if exact is not None and settings.single_flight:
        layers.append(CacheFront(exact))
    if settings.single_flight:
        outage = shared.outage("single-flight across processes")
        leases = shared.leases(exact.store if exact is not None else None)
        layers.append(SingleFlight(policy.shareable, leases, cache=exact, outage=outage))
    elif exact is not None:
        layers.append(exact)
    if semantic is not None:
        layers.append(semantic)
    layers.extend(_spending(settings, costs, shared, sdk_retries=sdk_retries))
    if ledger is not None:
        layers.append(Meter(ledger, costs, _metered(exact, semantic)))
    closers = [*shared.closers, *([ledger.close] if ledger is not None else [])]
    return Gateway(stack(layers), tuple(layers), settings, exact, ledger, tuple(closers))


def _metered(exact: ExactCache | None, semantic: SemanticCache | None) -> Callable[[Call], bool]:
    """Whether a call that is sent is a miss of some cache."""
    policies = [layer.policy for layer in (exact, semantic) if layer is not None]
    return lambda call: any(policy.shareable(call) for policy in policies)


def _spending(settings: Settings, costs: Costs, shared: _Shared, *, sdk_retries: bool) -> list[Layer]:
    """The wrappers below the caches: they only see calls that will be paid for."""
    layers: list[Layer] = []
    if settings.limits is not None:
        outage = shared.outage("limits for users and keys")
        layers.append(UserLimits(settings.limits, settings.redis, outage=outage))
    if settings.cascade:
        layers.append(Cascade(settings.cascade))
    if settings.fallback is not None:
        layers.append(Fallback(settings.fallback, sdk_retries=sdk_retries))
    if settings.budget is not None:
        layers.append(Budget(settings.budget, shared.budgets(), costs, on_alert=settings.on_alert))
    if settings.concurrency is not None:
        limit, queue = settings.concurrency, settings.queue
        layers.append(Concurrency(limit, max_waiting=queue, wait_s=settings.queue_wait_s))
    if settings.prompt_caching:
        layers.append(PromptCacheHints())
    return layers


class _Shared:
    """Opens what several wrappers share, once and only where it is needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._link = RedisLink(settings.redis, policy=settings.on_store_down) if settings.redis else None
        self._file: Database | None = None
        self.closers: list[Callable[[], Any]] = [] if self._link is None else [self._link.close]

    def outage(self, what: str) -> Outage:
        return self._link.outage if self._link is not None else Outage(what, self._settings.on_store_down)

    def cache(self) -> CacheStore:
        if self._link is not None:
            return RedisCache(self._link)
        store = SqliteCache(self._database(), self.outage("the cache"))
        self.closers.append(store.close)
        return store

    def leases(self, cache: CacheStore | None) -> Leases:
        if self._link is not None:
            return RedisLeases(self._link, cache if isinstance(cache, RedisCache) else None)
        return SqliteLeases(self._database(), cache if isinstance(cache, SqliteCache) else None)

    def budgets(self) -> BudgetStore:
        if self._link is not None:
            return RedisBudgets(self._link)
        store = SqliteBudgets(self._settings.path / "budget.sqlite")
        self.closers.append(store.close)
        return store

    def _database(self) -> Database:
        if self._file is None:
            path: Path = self._settings.cache_file or self._settings.path / "cache.sqlite"
            self._file = Database(path, CACHE_SCHEMA, what="the cache", disposable=True)
            self.closers.append(self._file.close)
        return self._file
