"""The page at ``/``: what calls cost today, by team, model and prompt, and the last of them. It needs no script."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.base import StoreDown
from promptopt.gateway.stores.ledger_row import LedgerRow, LedgerStore, ObservedLedger, Sums, sums_of
from promptopt.money import usd

_DAY_S = 86400
# Reading a large ledger takes a while; who reloads the page sees the same for so long.
_FRESH_S = 2.0
_GROUPS, _CALLS = 12, 25


@dataclass(frozen=True, slots=True)
class SpendGroup:
    """What calls with something in common cost.

    Attributes:
        share: Of what all paid today, from 0 to 1.
        unpriced: Whether no price is known for any of them.
    """

    name: str
    calls: int
    paid_usd: float
    list_usd: float
    share: float
    unpriced: bool


@dataclass(frozen=True, slots=True)
class Today:
    """The calls since midnight UTC.

    Attributes:
        hit_rate: Share of the calls, without the refused ones, that a kept or shared answer served.
        error_rate: Share of the calls that were sent which failed.
        groups: By ``team``, ``model`` and ``prompt``, the most expensive first.
        latest: The last calls, whenever they were.
    """

    calls: int
    paid_usd: float
    list_usd: float
    unpriced: int
    hit_rate: float | None
    error_rate: float | None
    refused: int
    groups: dict[str, list[SpendGroup]]
    latest: list[LedgerRow]


def read_today(ledger: LedgerStore, now: float) -> Today:
    """What a ledger says of today.

    Raises:
        StoreDown: It cannot be read.
    """
    since = now - now % _DAY_S
    inner: Any = ledger.inner if isinstance(ledger, ObservedLedger) else ledger
    if hasattr(inner, "sums"):
        return _today(inner.sums(since), inner.latest(_CALLS))
    rows = list(ledger.rows(since))
    return _today(sums_of(rows), rows[: -_CALLS - 1 : -1])


def _today(sums: Sequence[Sums], latest: list[LedgerRow]) -> Today:
    answered = [each for each in sums if each.status != "refused"]
    asked = [each for each in answered if each.cache in ("none", "miss")]
    calls, sent = _count(answered), _count(asked)
    kept, wrong = calls - sent, _count(each for each in asked if each.status in ("error", "abandoned"))
    return Today(
        calls=_count(sums),
        paid_usd=sum(each.incurred_usd for each in sums),
        list_usd=sum(each.list_usd for each in sums),
        unpriced=sum(each.unpriced for each in sums),
        hit_rate=kept / calls if calls else None,
        error_rate=wrong / sent if sent else None,
        refused=_count(each for each in sums if each.status == "refused"),
        groups={
            "team": _groups(sums, lambda each: each.team or "no team"),
            "model": _groups(sums, lambda each: each.model),
            "prompt": _groups(sums, lambda each: each.prompt or "no prompt"),
        },
        latest=latest,
    )


def _count(sums: Iterable[Sums]) -> int:
    return sum(each.calls for each in sums)


def _groups(sums: Sequence[Sums], name_of: Callable[[Sums], str]) -> list[SpendGroup]:
    total = sum(each.incurred_usd for each in sums)
    members: dict[str, list[Sums]] = {}
    for each in sums:
        members.setdefault(name_of(each), []).append(each)
    groups = []
    for name, found in members.items():
        paid, calls = sum(each.incurred_usd for each in found), _count(found)
        unpriced = 0 < calls == sum(each.unpriced for each in found)
        at_list = sum(each.list_usd for each in found)
        groups.append(SpendGroup(name, calls, paid, at_list, paid / total if total else 0.0, unpriced))
    return sorted(groups, key=lambda group: (-group.paid_usd, -group.calls, group.name))


class Page:
    """Makes the page, from what was read at most two seconds ago."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._read: tuple[LedgerStore, float, Today] | None = None

    def html(self, ledger: LedgerStore | None, in_flight: int) -> tuple[bytes, str]:
        """The page, and the policy that a browser must keep to: it loads nothing from anywhere."""
        today, problem = None, ""
        if ledger is None or (isinstance(ledger, ObservedLedger) and ledger.inner is None):
            problem = "No ledger is kept: [tool.promptopt.gateway] ledger = false."
        else:
            try:
                today = self._today(ledger)
            except StoreDown as error:
                problem = f"The ledger cannot be read: {error}"
        nonce = secrets.token_urlsafe(16)
        now = self._clock.time()
        text = _template().render(
            nonce=nonce,
            now=datetime.fromtimestamp(now, UTC),
            today=today,
            problem=problem,
            in_flight=in_flight,
            shown=_GROUPS,
            usd=usd,
            percent=lambda share: "-" if share is None else f"{share:.1%}",
            clock=lambda at: datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S" if at > now - _DAY_S else "%Y-%m-%d"),
        )
        rest = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; {rest}"
        return text.encode(), policy

    def _today(self, ledger: LedgerStore) -> Today:
        with self._lock:
            now = time.monotonic()
            if self._read is None or self._read[0] is not ledger or now - self._read[1] > _FRESH_S:
                self._read = (ledger, now, read_today(ledger, self._clock.time()))
            return self._read[2]


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    source = files("promptopt.gateway.serve").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)
