"""A gateway: all layers that the settings ask for, in the one order that makes sense."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from promptopt.config import Config, load_config
from promptopt.errors import UsageError
from promptopt.gateway.body import UNREADABLE
from promptopt.gateway.call import PARTITION, Answer, Call, PartitionPart, Wire
from promptopt.gateway.clock import SYSTEM_CLOCK, SYSTEM_RANDOM, Clock
from promptopt.gateway.costs import Costs
from promptopt.gateway.flow import Flow, Handler, Layer, Subflow, stack
from promptopt.gateway.layers.budget import Budget
from promptopt.gateway.layers.cache import CacheFront, CachePolicy, ExactCache, NoCache
from promptopt.gateway.layers.concurrency import Concurrency
from promptopt.gateway.layers.limits import UserLimits
from promptopt.gateway.layers.meter import LedgerFront, Meter
from promptopt.gateway.layers.prompt_cache_hints import PromptCacheHints
from promptopt.gateway.layers.routing import Cascade, Fallback, Router
from promptopt.gateway.layers.semantic import SemanticCache, make_semantic_cache
from promptopt.gateway.layers.single_flight import SingleFlight
from promptopt.gateway.layers.upstreams import UpstreamPlan, Upstreams
from promptopt.gateway.openai.wire import PENDING, read_object
from promptopt.gateway.settings import SETTING_NAMES, GatewaySettings, read_settings
from promptopt.gateway.stores.base import Leases, Store, StoreOptions
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerRow, LedgerStore, ObservedLedger
from promptopt.gateway.stores.sealed import Seal, SealedCache, SealedLeases
from promptopt.prices import find_price
from promptopt.registry import blaming, broken, is_built_in, load, registered
from promptopt.secrets import scanner_patterns
from promptopt.tokens import encoding

# Outermost first. The router comes before the ledger, so that a call is logged as the model that it was routed to. The
# layers of ``settings.layers`` come where the dots are: they see the calls that no cache answers.
ORDER = (
    *("router", "ledger", "cache", "single-flight", "semantic", "..."),
    *("limits", "cascade", "fallback", "upstreams", "budget", "concurrency", "prompt-cache-hints", "meter"),
)


class GatewayParts:
    """What the layers of one gateway are made of. What several of them share is made once, when it is first needed.

    Attributes:
        sdk_retries: Whether a client above the gateway repeats failed calls.
        observe: Sees the row of each call as it has ended, also if there is no ledger.
    """

    def __init__(
        self, settings: GatewaySettings, config: Config, clock: Clock, random: Random, *, sdk_retries: bool,
        observe: Callable[[LedgerRow], None] | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.config = config
        self.clock = clock
        self.random = random
        self.sdk_retries = sdk_retries
        self.observe = observe
        self.costs = Costs(config, clock)
        self.cache_policy = settings.cache or CachePolicy()

    def options(self, layer: str) -> Mapping[str, Any]:
        """The table ``[tool.promptopt.gateway.LAYER]`` of another package's layer; empty if there is none."""
        return self.settings.layer_options.get(layer, {})

    @cached_property
    def store(self) -> Store:
        """Where layers keep what they share."""
        return open_store(self.settings, self.clock, self.random)

    @cached_property
    def cache(self) -> ExactCache | None:
        """The exact cache, if there is one."""
        if self.settings.cache is None:
            return None
        outage = self.store.outage("the cache")
        store = self.store.cache()
        kept = store if self.seal is None else SealedCache(store, self.seal)
        return ExactCache(kept, self.cache_policy, outage=outage, clock=self.clock)

    @cached_property
    def seal(self) -> Seal | None:
        """What encrypts kept answers, if something does. Raises UsageError if its key is not there."""
        variable = self.settings.encrypt
        return None if variable is None else Seal(variable)

    @cached_property
    def leases(self) -> Leases | None:
        """Leases beside the cache, if the store has any."""
        cache = None if self.cache is None else self.cache.store
        leases = self.store.leases(cache.inner if isinstance(cache, SealedCache) else cache)
        return leases if leases is None or self.seal is None else SealedLeases(leases, self.seal)

    @cached_property
    def semantic(self) -> SemanticCache | None:
        """The semantic cache, if there is one."""
        settings = self.settings
        if settings.semantic is None:
            return None
        return make_semantic_cache(settings.semantic, settings.path, self.cache_policy, self.clock, self.seal)

    @cached_property
    def ledger(self) -> LedgerStore | None:
        """The ledger, if there is one, or somebody who sees its rows."""
        place = self.settings.ledger
        ledger = None
        if place is not None:
            ledger = (
                open_ledger(place, self.settings.ledger_keep_s) if isinstance(place, str) else self.store.ledger(place)
            )
        return ledger if self.observe is None else ObservedLedger(ledger, self.observe)


class Sharing:
    """Puts each call into a partition of fewer parts than all, before anything else sees it."""

    def __init__(self, parts: Collection[PartitionPart]) -> None:
        self._parts = parts

    def handle(self, call: Call, inner: Handler) -> Flow:
        return (yield from inner(call.apart_by(self._parts)))


_RESPONSE = re.compile(r"/responses/([^/]+)(?:/cancel)?$")

LayerFactory = Callable[[GatewayParts], Layer | None]
"""Makes a layer, or none if the settings do not ask for it; registered under the group ``promptopt.layers``.

It raises ``ValueError`` if ``parts.options("its-name")`` make no sense."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The layers, stacked.

    Attributes:
        handler: Answers a call; what it yields is to be carried out (see ``flow``).
        layers: The layers, outermost first.
        cache: The exact cache, if there is one.
        ledger: The ledger's rows, if there is a ledger.
    """

    handler: Handler
    layers: tuple[Layer, ...]
    settings: GatewaySettings
    cache: ExactCache | None
    ledger: LedgerStore | None
    clock: Clock
    store: Store

    def ended(self, path: str, content: bytes) -> Subflow[None]:
        """What passed by says how a response in the background ended: layers that count it count it now.

        Args:
            path: Of the request, as in ``/v1/responses/resp_1`` or ``/v1/responses/resp_1/cancel``.
            content: The body of its answer.
        """
        found = _RESPONSE.search(path)
        listening = [listen for layer in self.layers if (listen := getattr(layer, "ended", None)) is not None]
        if found is None or not listening:
            return
        try:
            body = json.loads(content)
            if body.get("status") in (None, *PENDING):
                return
            answer = Answer(wire=Wire(content), **read_object(Call("responses", "", {}), body))
        except UNREADABLE:
            return
        for listen in listening:
            yield from listen(found[1], answer)

    def warm(self) -> None:
        """Load what the first call would load, once a process: an event loop must not wait for it.

        Prices take a quarter of a second, the vocabulary that a budget counts with a third.
        """
        if self.settings.budget is not None:
            encoding()
        if self.settings.budget is not None or self.ledger is not None:
            find_price("gpt-4o-mini")

    def close(self) -> None:
        """Give files and connections back. Closing twice is allowed."""
        self.store.close()
        if isinstance(self.settings.ledger, str) and self.ledger is not None:
            self.ledger.close()


def make_gateway(config: Config | None = None, *, sdk_retries: bool = True, **arguments: Any) -> Gateway:
    """The gateway of the project's settings and the arguments over them.

    Args:
        sdk_retries: Whether a client above it repeats failed calls.
        arguments: See ``GatewaySettings``.

    Raises:
        PromptoptError: A setting is wrong, a file cannot be written, or a package is missing.
    """
    config = config or load_config()
    return build_gateway(read_settings(config, arguments), config, sdk_retries=sdk_retries)


def build_gateway(
    settings: GatewaySettings, config: Config, *, sdk_retries: bool = True,
    clock: Clock = SYSTEM_CLOCK, random: Random = SYSTEM_RANDOM, observe: Callable[[LedgerRow], None] | None = None,
) -> Gateway:  # fmt: skip
    """The gateway of some settings.

    Args:
        clock: What every layer and store goes by.
        random: Decides whatever is left to chance; seeded, a simulation gives the same each time.
        observe: Sees the row of each call as it has ended.

    Raises:
        promptopt.PromptoptError: A setting is wrong, a file cannot be written, or a package is missing.
    """
    parts = GatewayParts(settings, config, clock, random, sdk_retries=sdk_retries, observe=observe)
    for name in settings.layers:
        if is_built_in("layer", name):
            load("layer", name)
            raise UsageError(f"layers: {name!r} is built in; its place is fixed, and its own setting switches it on")
        if name in SETTING_NAMES and name in registered("layer"):
            raise broken("layer", name, "is named like a setting of the gateway: give it another name")
    names = [name for each in ORDER for name in (settings.layers if each == "..." else (each,))]
    layers = tuple(layer for name in names if (layer := _make_layer(name, parts)) is not None)
    if set(settings.partition) != set(PARTITION):
        layers = (Sharing(settings.partition), *layers)
    return Gateway(stack(layers), layers, settings, parts.cache, parts.ledger, clock, parts.store)


def open_store(settings: GatewaySettings, clock: Clock = SYSTEM_CLOCK, random: Random = SYSTEM_RANDOM) -> Store:
    """The store that the settings name. Raises UsageError if there is none of that name."""
    options = StoreOptions(
        *(settings.path, settings.cache_file, settings.redis, settings.on_store_down, clock, random),
        prefix=settings.redis_prefix,
        ledger=settings.ledger if isinstance(settings.ledger, Path) else None,
        ledger_keep_s=settings.ledger_keep_s,
    )
    name = settings.store or ("redis" if settings.redis else "sqlite")
    make = load("store", name)
    with blaming("store", name, "cannot be opened"):
        store: Store = make(options)
    missing = [part for part in _PARTS_OF_A_STORE if not callable(getattr(store, part, None))]
    if missing:
        raise broken("store", name, f"is not a store: {type(store).__name__} has no method {', '.join(missing)}")
    return store


_PARTS_OF_A_STORE = tuple(name for name in vars(Store) if not name.startswith("_"))


def _make_layer(name: str, parts: GatewayParts) -> Layer | None:
    make = load("layer", name)
    with blaming("layer", name, "cannot be made"):
        try:
            layer: Layer | None = make(parts)
        except ValueError as error:
            if name not in parts.settings.layer_options:
                raise
            raise UsageError(f"[tool.promptopt.gateway.{name}]: {error}") from None
    if layer is not None and not callable(getattr(layer, "handle", None)):
        raise broken("layer", name, f"is not a layer: {type(layer).__name__} has no method handle")
    return layer


def _router(parts: GatewayParts) -> Layer | None:
    return Router(parts.settings.router) if parts.settings.router else None


def _ledger(parts: GatewayParts) -> Layer | None:
    return None if parts.ledger is None else LedgerFront(parts.ledger, parts.costs, clock=parts.clock)


def _cache(parts: GatewayParts) -> Layer | None:
    if parts.cache is None:
        return NoCache()
    if not parts.settings.single_flight:
        return parts.cache
    # Single-flight puts answers into the cache itself, and may look for them in the step in which it asks who leads.
    return CacheFront(parts.cache, looks=not getattr(parts.leases, "reads_cache", False))


def _single_flight(parts: GatewayParts) -> Layer | None:
    if not parts.settings.single_flight:
        return None
    return SingleFlight(
        parts.cache_policy.shareable,
        parts.leases,
        cache=parts.cache,
        outage=parts.store.outage("single-flight across processes"),
        clock=parts.clock,
        random=parts.random,
    )


def _semantic(parts: GatewayParts) -> Layer | None:
    return parts.semantic


def _limits(parts: GatewayParts) -> Layer | None:
    wanted, store = parts.settings.limits, parts.store
    if wanted is None:
        return None
    return UserLimits(wanted, store.windows(), outage=store.outage("limits for users and keys"), clock=parts.clock)


def _cascade(parts: GatewayParts) -> Layer | None:
    return Cascade(parts.settings.cascade) if parts.settings.cascade else None


def _fallback(parts: GatewayParts) -> Layer | None:
    plan = parts.settings.fallback
    if plan is None:
        return None
    return Fallback(plan, retries=parts.sdk_retries, clock=parts.clock, random=parts.random)


def _upstreams(parts: GatewayParts) -> Layer | None:
    settings = parts.settings
    if not settings.upstreams:
        return None
    for upstream in settings.upstreams:
        if upstream.key_env is not None and not os.environ.get(upstream.key_env):
            raise UsageError(f"upstreams {upstream.name}: the environment variable {upstream.key_env} is not set")
    plan = UpstreamPlan(settings.upstreams, settings.balance, settings.cooldown_s)
    return Upstreams(plan, parts.costs, clock=parts.clock, random=parts.random)


def _budget(parts: GatewayParts) -> Layer | None:
    limits, on_alert = parts.settings.budget, parts.settings.on_alert
    if limits is None:
        return None
    return Budget(limits, parts.store.budgets(), parts.costs, on_alert=on_alert, clock=parts.clock)


def _concurrency(parts: GatewayParts) -> Layer | None:
    settings = parts.settings
    if settings.concurrency is None:
        return None
    most, wait_s = settings.queue, settings.queue_wait_s
    return Concurrency(settings.concurrency, max_waiting=most, wait_s=wait_s, clock=parts.clock)


def _prompt_cache_hints(parts: GatewayParts) -> Layer | None:
    return PromptCacheHints(clock=parts.clock) if parts.settings.prompt_caching else None


def _meter(parts: GatewayParts) -> Layer | None:
    if parts.ledger is None:
        return None
    # Labels are looked through; loading it with the first row would hold that row up.
    scanner_patterns()
    # The semantic cache goes by the same policy.
    kept = parts.cache is not None or parts.semantic is not None
    shareable = parts.cache_policy.shareable if kept else _nothing_is
    return Meter(parts.ledger, parts.costs, shareable, clock=parts.clock)


def _nothing_is(_call: Call) -> bool:
    return False
