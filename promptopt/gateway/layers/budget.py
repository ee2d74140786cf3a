"""The dollar budget: the worst case of a call is reserved before it is sent, and what it cost is settled after."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

from promptopt.gateway.bounds import Unbounded
from promptopt.gateway.call import Answer, Call, new_id
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.costs import MOST_NANO, Costs, from_nano, nano
from promptopt.gateway.failures import BudgetExceeded, CallFailed, GatewayUnavailable, interrupted
from promptopt.gateway.flow import Flow, Handler, Sleep, Subflow, end_left_flows
from promptopt.gateway.layers.budget_scopes import BudgetLimits, Scopes
from promptopt.gateway.reading import close_what_is_left
from promptopt.gateway.stores.base import (
    BudgetFull,
    BudgetScope,
    BudgetStore,
    Deferred,
    DeferringStore,
    LevelCrossed,
    PatientStore,
    StoreDown,
    at_once,
    giving,
    using,
)
from promptopt.money import usd
from promptopt.values import canonical_json

log = logging.getLogger("promptopt.gateway")

# What of a request its price depends on once its usage is known.
_PRICED_BY = ("model", "service_tier", "speed", "tools", "max_tool_calls")
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.01, 0.1
# A call that may cost less than this part of each of its budgets reserves loosely, without counting its tokens, and is
# settled when its budget's file is written.
_LITTLE_PART = 10_000


@dataclass(frozen=True, slots=True)
class Alert:
    """A budget has reached 50, 80 or 100%; each is reported once.

    100% is also reported if at least half is spent and a call is refused since its worst case is above what is left.

    Attributes:
        scope: Which budget: ``day:2026-11-21``, ``week:2026-W47``, ``month:2026-11``, ``run:NAME``,
            ``tag:NAME:2026-11-21``, ``team:NAME:2026-11``, ...
    """

    scope: str
    level: int
    spent_usd: Decimal
    limit_usd: Decimal

    def __str__(self) -> str:
        spent = f"{usd(self.spent_usd)} of {usd(self.limit_usd)} spent"
        if self.spent_usd * 100 < self.level * self.limit_usd:
            return f"budget {self.scope}: a call was refused, since its worst case is above what is left: {spent}"
        return f"budget {self.scope}: {self.level}% reached: {spent}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget is doing.

    Attributes:
        scope: Which budget; see ``Alert``.
        ends: When it begins again, in seconds since 1970; ``None`` if it does not.
    """

    scope: str
    limit_usd: Decimal
    spent_usd: Decimal
    reserved_usd: Decimal
    ends: float | None


class Budget:
    """Reserves before a call, settles after it, and refuses what does not fit."""

    def __init__(
        self,
        limits: BudgetLimits,
        store: BudgetStore,
        costs: Costs,
        *,
        on_alert: Callable[[Alert], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.limits = limits
        self._scopes = Scopes(limits)
        self._store = store
        self._costs = costs
        self._on_alert = on_alert
        store.on_crossed = self._tell
        self._settle_soon = store.settle_soon if isinstance(store, PatientStore) else None
        self._clock = clock

    def handle(self, call: Call, inner: Handler) -> Flow:
        scopes = self.scopes(call)
        if not scopes:
            return (yield from inner(call))
        asked = call.model
        call, scopes, number, amount = yield from self._reserve(call, scopes)
        try:
            answer = yield from inner(call)
        except GeneratorExit:
            # A flow that is thrown away can yield nothing more; the call may have been billed.
            at_once(lambda: self._store.settle(number, scopes, amount, self._worst(call)))
            raise
        except CallFailed as failure:
            yield from self._settle(call, scopes, number, amount, failure)
            raise
        except BaseException as error:
            yield from self._settle(call, scopes, number, amount, interrupted(error))
            raise
        if answer.pending and isinstance(self._store, DeferringStore):
            yield from self._defer(call, scopes, number, amount, answer.pending)
        elif self._settle_soon is not None and _is_little(amount, scopes):
            # What waits to be written keeps no response of the client's alive.
            self._settle_soon(scopes, amount, partial(self._paid, call, answer._replace(raw=None), amount))
        else:
            yield from self._settle(call, scopes, number, amount, answer)
        return answer if call.model == asked else answer._replace(substitute=True)

    def scopes(self, call: Call) -> list[BudgetScope]:
        """The budgets that a call counts against now."""
        return self._scopes.of(call.labels, call.model, self._clock.time())

    def standings(self) -> list[Standing]:
        """All budgets in force. Raises StoreDown."""
        known = self._store.names() if isinstance(self._store, DeferringStore) else ()
        found = []
        for scope in self._scopes.listed(known, self._clock.time()):
            spent, reserved = self._store.spent(scope.name)
            found.append(
                Standing(scope.name, from_nano(scope.limit), from_nano(spent), from_nano(reserved), scope.ends)
            )
        return found

    def _reserve(self, call: Call, scopes: list[BudgetScope]) -> Subflow[tuple[Call, list[BudgetScope], str, int]]:
        number = new_id()
        loose = self._loosely(call, scopes)
        if loose is not None and (yield from self._try(call, number, scopes, loose, waits=False)) is None:
            return call, scopes, number, loose
        amount = self._worst(call)
        full = yield from self._try(call, number, scopes, amount)
        downgrades = self.limits.at_limit == "downgrade" and call.endpoint != "embeddings"
        if full is not None and downgrades and call.model != self.limits.downgrade:
            yield from self._stopped(full)
            call = call.sent_with(model=self.limits.downgrade)
            amount = self._worst(call)
            # The other model has a budget of its own.
            ceiling = self.limits.ceiling
            scopes = [replace(scope, limit=int(scope.limit * ceiling)) for scope in self.scopes(call)]
            full = yield from self._try(call, number, scopes, amount)
        if full is not None:
            yield from self._stopped(full)
            raise _refusal(full, amount)
        return call, scopes, number, amount

    def _worst(self, call: Call) -> int:
        try:
            return nano(self._costs.worst_case(call).cost.total_usd)
        except Unbounded as error:
            raise BudgetExceeded(f"the budget cannot be kept: {error}") from None

    def _loosely(self, call: Call, scopes: Sequence[BudgetScope]) -> int | None:
        """More than the worst case of a call, if even that is little; ``None`` if its tokens are to be counted."""
        amount = self._costs.loose_case(call)
        return amount if amount is not None and _is_little(amount, scopes) else None

    def _try(
        self, call: Call, number: str, scopes: Sequence[BudgetScope], amount: int, *, waits: bool = True
    ) -> Subflow[BudgetFull | None]:
        """Reserve; if only others' reservations are in the way, wait until they settle, if that is wanted."""
        now, pause = self._clock.monotonic(), _FIRST_PAUSE_S
        given_up = now + (call.patience_s(now, self.limits.wait_s) or 0.0) if waits else now

        def undo(full: BudgetFull | None) -> None:
            try:
                if full is None:
                    self._store.settle(number, scopes, amount, 0)
            except StoreDown as error:
                # The reservation stays, and is taken as spent when its time is over.
                log.warning("the budget: %s; the worst case of a cancelled call stays reserved", error)

        while True:
            try:
                full = yield from using(
                    self._store, lambda: self._store.reserve(number, scopes, amount, self._clock.time()), undo
                )
            except StoreDown as error:
                # A budget that cannot be counted cannot be kept.
                raise GatewayUnavailable(f"the budget: {error}") from error
            if full is None or full.spent + amount > full.scope.limit or self._clock.monotonic() >= given_up:
                return full
            close_what_is_left()
            end_left_flows()
            yield Sleep(pause)
            pause = min(pause * 2, _LAST_PAUSE_S)

    def _settle(
        self, call: Call, scopes: Sequence[BudgetScope], number: str, amount: int, outcome: Answer | CallFailed
    ) -> Subflow[None]:
        paid = self._paid(call, outcome, amount)
        try:
            yield from giving(self._store, lambda: self._store.settle(number, scopes, amount, paid))
        except StoreDown as error:
            # The reservation stays, and is taken as spent when its time is over.
            log.warning("the budget: %s; the worst case of a call stays reserved", error)

    def _defer(
        self, call: Call, scopes: Sequence[BudgetScope], number: str, amount: int, response: str
    ) -> Subflow[None]:
        """Count a response that the provider still works on at its worst case, until :meth:`ended`."""
        store = self._store
        assert isinstance(store, DeferringStore)
        note = canonical_json({name: call.body[name] for name in _PRICED_BY if name in call.body})
        deferred = Deferred(tuple(scope.name for scope in scopes), amount, note)

        def count() -> None:
            store.settle(number, scopes, amount, amount)
            store.defer(response, deferred, self._clock.time())

        try:
            yield from using(store, count)
        except StoreDown as error:
            log.warning("the budget: %s; the worst case of a response in the background stays counted", error)

    def ended(self, response: str, answer: Answer) -> Subflow[None]:
        """A response in the background has ended: it costs what it used."""
        store = self._store
        if not isinstance(store, DeferringStore):
            return
        with suppress(StoreDown):
            deferred = yield from using(store, lambda: store.take_deferred(response))
            if deferred is None or answer.usage is None:
                # Nobody knows what one used that failed or was cancelled.
                return
            call = Call.of("responses", "", json.loads(deferred.note))
            back = deferred.amount - self._paid(call, answer, deferred.amount)
            yield from using(store, lambda: store.give_back(deferred.scopes, back))

    def _paid(self, call: Call, outcome: Answer | CallFailed, worst: int) -> int:
        """What a call cost; its worst case if nobody can say, or if the answer says what cannot be."""
        try:
            usd = self._costs.bill(call, outcome).usd
            paid = worst if usd is None else nano(usd)
        except Exception:
            # A settlement that cannot be computed must neither cost an answer nor leave the call unpaid.
            log.exception("the budget: a call to %s could not be billed; it counts at its worst case", call.model)
            return worst
        if not 0 <= paid <= MOST_NANO:
            log.error(
                "the budget: the answer of %s says that it cost %s dollars; it counts at its worst case",
                call.model,
                usd,
            )
            return worst
        return paid

    def _stopped(self, full: BudgetFull) -> Subflow[None]:
        # A budget that is hardly used is not used up because one large call does not fit.
        if full.reserved or full.spent * 2 < full.scope.limit:
            return
        crossed = None
        with suppress(StoreDown):
            crossed = yield from using(self._store, lambda: self._store.alert(full.scope, 100))
        if crossed is not None:
            self._tell(crossed)

    def _tell(self, crossed: LevelCrossed) -> None:
        alert = Alert(crossed.scope.name, crossed.level, from_nano(crossed.spent), from_nano(crossed.scope.limit))
        log.warning("%s", alert)
        if self._on_alert is not None:
            try:
                self._on_alert(alert)
            except Exception:
                # An answer that is paid for is not lost over it.
                log.exception("on_alert failed")


def _is_little(amount: int, scopes: Sequence[BudgetScope]) -> bool:
    """Whether an amount is next to nothing of each budget."""
    return all(amount * _LITTLE_PART <= scope.limit for scope in scopes)


def _refusal(full: BudgetFull, amount: int) -> BudgetExceeded:
    spent, limit, worst = from_nano(full.spent), from_nano(full.scope.limit), from_nano(amount)
    held = f", {usd(from_nano(full.reserved))} reserved by calls in flight" if full.reserved else ""
    details: dict[str, object] = {"scope": full.scope.name, "spent_usd": float(spent), "limit_usd": float(limit)}
    if full.scope.ends is not None:
        details["begins_again"] = datetime.fromtimestamp(full.scope.ends, UTC).isoformat()
    return BudgetExceeded(
        f"budget {full.scope.name}: {usd(spent)} of {usd(limit)} spent{held}; this call may cost {usd(worst)}",
        retry_after=1.0 if full.reserved else None,
        details=details,
    )
