"""Which budgets a call counts against: of all calls, and of its run, tag, team, user, key and model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from promptopt.errors import UsageError
from promptopt.gateway.call import Labels
from promptopt.gateway.costs import nano
from promptopt.gateway.model_names import entry_of, plain_name
from promptopt.gateway.periods import PERIOD_KINDS, Calendar, Period, PeriodKind
from promptopt.gateway.stores.base import BudgetScope
from promptopt.gateway.stores.ledger_row import LedgerRow, encodable

# The tables of the configuration, and what their budgets are called.
GROUPS: Mapping[str, str] = {"tags": "tag", "teams": "team", "users": "user", "keys": "key", "models": "model"}
EACH = "*"
_MOST_USD = Decimal(9_000_000_000)


@dataclass(frozen=True, slots=True)
class PeriodLimits:
    """Dollars a day, a week and a month; ``None`` does not bound them."""

    day: Decimal | None = None
    week: Decimal | None = None
    month: Decimal | None = None

    def of(self) -> Iterator[tuple[PeriodKind, Decimal]]:
        """The kinds of periods that are bounded, and by how many dollars."""
        for kind, limit in zip(PERIOD_KINDS, (self.day, self.week, self.month), strict=True):
            if limit is not None:
                yield kind, limit


GroupLimits = Mapping[str, Decimal | PeriodLimits]


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """Dollars that may be spent, and what happens when they are.

    Attributes:
        day: Dollars a day; so are ``week`` and ``month``.
        run: Dollars for each run that a call is labelled with; calls without a run share one.
        tags: Dollars for calls with a tag: a day, or a day, a week and a month. ``"*"`` is for each tag without an own
            entry. So are ``teams``, ``users`` and ``keys`` by their labels, and ``models`` by the model that is asked:
            a name counts its dated versions, and one that ends in ``*`` all that begin like it.
        timezone: When days, weeks and months begin; so do ``reset_hour`` and ``week_start``. See ``Calendar``.
        at_limit: ``stop`` refuses; ``downgrade`` sends calls to the model ``downgrade`` instead, up to ``ceiling``
            times the limit, and refuses then.
        wait_s: How long a call waits for the reservations of others to settle before it is refused.

    Raises:
        UsageError: An amount is negative or too large to be counted, a downgrade names no model, or there is no such
            time zone, hour or day.
    """

    day: Decimal | None = None
    month: Decimal | None = None
    run: Decimal | None = None
    tags: GroupLimits = field(default_factory=dict)
    at_limit: Literal["stop", "downgrade"] = "stop"
    downgrade: str | None = None
    ceiling: Decimal = Decimal("1.2")
    wait_s: float = 60.0
    week: Decimal | None = None
    teams: GroupLimits = field(default_factory=dict)
    users: GroupLimits = field(default_factory=dict)
    keys: GroupLimits = field(default_factory=dict)
    models: GroupLimits = field(default_factory=dict)
    timezone: str = "UTC"
    reset_hour: int = 0
    week_start: str = "monday"

    def __post_init__(self) -> None:
        for name, amount in self._amounts():
            if not (amount.is_finite() and 0 <= amount <= _MOST_USD):
                raise UsageError(f"budget {name} = {amount} is not an amount of dollars; give 0 or more")
        if self.at_limit not in ("stop", "downgrade"):
            raise UsageError(f"budget at_limit = {self.at_limit!r} is not 'stop' or 'downgrade'")
        if self.at_limit == "downgrade" and not self.downgrade:
            raise UsageError("budget at_limit = 'downgrade' needs `downgrade`, the model that answers then")
        if self.ceiling < 1:
            raise UsageError(f"budget ceiling = {self.ceiling} is below 1; it multiplies the limit")
        self.calendar()

    def calendar(self) -> Calendar:
        """When its periods begin."""
        return Calendar(self.timezone, self.reset_hour, self.week_start)

    def overall(self) -> PeriodLimits:
        """The limits of all calls together."""
        return PeriodLimits(self.day, self.week, self.month)

    def grouped(self) -> dict[str, dict[str, PeriodLimits]]:
        """The limits of ``tag``, ``team``, ``user``, ``key`` and ``model``, by name."""
        return {
            group: {
                name: limit if isinstance(limit, PeriodLimits) else PeriodLimits(day=limit)
                for name, limit in getattr(self, table).items()
            }
            for table, group in GROUPS.items()
        }

    def _amounts(self) -> Iterator[tuple[str, Decimal]]:
        yield from self.overall().of()
        if self.run is not None:
            yield "run", self.run
        for group, limits in self.grouped().items():
            yield from (
                (f"{group}s.{name} {kind}", each) for name, limit in limits.items() for kind, each in limit.of()
            )


class Scopes:
    """Names the budgets of calls; the periods are looked up when one ends."""

    def __init__(self, limits: BudgetLimits) -> None:
        self._calendar = limits.calendar()
        self._overall = _nanos(limits.overall())
        self._run = None if limits.run is None else nano(limits.run)
        self._groups = {
            group: {name: _nanos(limit) for name, limit in named.items()}
            for group, named in limits.grouped().items()
            if named
        }
        self._periods: dict[PeriodKind, Period] = {}
        # The budgets of all calls, which are the same ones until a period ends.
        self._of_all: list[BudgetScope] = []
        self._since = self._until = float("-inf")

    def of(self, labels: Labels, model: str, now: float) -> list[BudgetScope]:
        """The budgets that a call counts against at ``now``."""
        found = [*self._for_all(now)]
        if self._run is not None:
            found.append(BudgetScope(f"run:{encodable(labels.run or 'default')}", self._run))
        for group, named in self._groups.items():
            name = _counted(model, named) if group == "model" else _label(labels, group)
            limits = named.get(name or "-", named.get(EACH, ()))
            start = f"{group}:{encodable(name or '-')}"
            found += [self._scope(start, kind, limit, now) for kind, limit in limits]
        return found

    def listed(self, known: Iterable[str], now: float) -> list[BudgetScope]:
        """All budgets in force: those that have a name here, and of the others those that a store knows."""
        found = [*self._for_all(now)]
        known = sorted(known)
        if self._run is not None:
            found += [BudgetScope(name, self._run) for name in known if name.startswith("run:")]
        for group, named in self._groups.items():
            for name, limits in named.items():
                if name != EACH:
                    found += [self._scope(f"{group}:{encodable(name)}", kind, limit, now) for kind, limit in limits]
            for kind, limit in named.get(EACH, ()):
                end = f":{self._period(kind, now).name}"
                for start in (name.removesuffix(end) for name in known if name.endswith(end)):
                    if start.startswith(f"{group}:") and start.partition(":")[2] not in named:
                        found.append(self._scope(start, kind, limit, now))
        return found

    def _for_all(self, now: float) -> list[BudgetScope]:
        if not self._since <= now < self._until:
            periods = [self._period(kind, now) for kind, _ in self._overall]
            self._of_all = [self._scope(kind, kind, limit, now) for kind, limit in self._overall]
            self._since = max((period.start for period in periods), default=float("-inf"))
            self._until = min((period.end for period in periods), default=float("inf"))
        return self._of_all

    def _scope(self, start: str, kind: PeriodKind, limit: int, now: float) -> BudgetScope:
        period = self._period(kind, now)
        return BudgetScope(f"{start}:{period.name}", limit, period.end)

    def _period(self, kind: PeriodKind, now: float) -> Period:
        period = self._periods.get(kind)
        if period is None or not period.start <= now < period.end:
            period = self._periods[kind] = self._calendar.period(kind, now)
        return period


@dataclass(frozen=True, slots=True)
class Paid:
    """What a ledger says was paid from the budgets that are in force.

    Attributes:
        spent: Billionths of a dollar, by budget.
        rows: Calls that count.
        unknown: Calls that should, and of which nobody knows what they cost.
    """

    spent: Mapping[str, int]
    rows: int
    unknown: int


def paid_in_force(limits: BudgetLimits, rows: Iterable[LedgerRow], now: float) -> Paid:
    """Sums up a ledger's rows; a row without a label counts where a call without it would."""
    then, today = Scopes(limits), Scopes(limits)
    spent: dict[str, int] = {}
    counted = unknown = 0
    for row in rows:
        labels = Labels(tag=row.tag, user=row.user, run=row.run, team=row.team, tenant=row.tenant, key=row.key)
        before = {scope.name for scope in then.of(labels, row.model, row.at)}
        names = [scope.name for scope in today.of(labels, row.model, now) if scope.name in before]
        if not names or not row.upstream:
            continue
        if row.incurred_usd is None:
            unknown += 1
            continue
        counted += 1
        for name in names:
            spent[name] = spent.get(name, 0) + nano(Decimal(repr(row.incurred_usd)))
    return Paid(spent, counted, unknown)


def _nanos(limits: PeriodLimits) -> tuple[tuple[PeriodKind, int], ...]:
    return tuple((kind, nano(limit)) for kind, limit in limits.of())


def _counted(model: str, named: Collection[str]) -> str:
    """The name that a model is counted under: another name of the same model is no other budget."""
    return entry_of(model, named) or plain_name(model)


def _label(labels: Labels, group: str) -> str | None:
    """Who a call belongs to; users of two tenants are two users."""
    name: str | None = getattr(labels, group)
    return f"{labels.tenant}/{name or '-'}" if group == "user" and labels.tenant else name
