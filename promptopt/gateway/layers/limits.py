"""How often a user, a tier's user or a key may call, in moving windows; the package ``limits`` reads the limits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from promptopt.errors import MissingExtra, UsageError, did_you_mean
from promptopt.gateway.call import Call, Labels
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.failures import CallFailed, LimitExceeded, Refused
from promptopt.gateway.flow import Flow, Handler, Subflow
from promptopt.gateway.model_names import entry_of, plain_name
from promptopt.gateway.stores.base import CallWindows, Outage, StoreDown, using

_REMEMBERED = 4096
_GROUPS = ("user", "key", "team", "tag", "model")


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Calls that may be made, written ``20/hour`` or ``1 per 10 seconds``.

    Attributes:
        per_user: For each user.
        per_key: For each API key.
        per_team: For each team; so are ``per_tag`` and ``per_model``.
        tiers: For each user of a tier, instead of ``per_user``.
        users: For one user each, by name, instead of what is for all; so are ``keys``, ``teams``, ``tags``, ``models``.
        default_tier: The tier of users without that label.
    """

    per_user: str | None = None
    per_key: str | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)
    default_tier: str | None = None
    per_team: str | None = None
    per_tag: str | None = None
    per_model: str | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    teams: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)


class UnknownTier(Refused):
    """A call is labelled with a tier that has no limit."""

    code = "unknown_tier"
    status = 400


class UserLimits:
    """Refuses calls above the limits, and says when the next one is allowed."""

    def __init__(
        self, wanted: CallLimits, windows: CallWindows, *, outage: Outage | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Read the limits.

        Raises:
            UsageError: One cannot be read, or the default tier has none.
            MissingExtra: The package ``limits`` is not installed.
        """
        self._wanted = wanted
        self._each = {group: _parse(getattr(wanted, f"per_{group}"), f"per_{group}") for group in _GROUPS}
        self._named = {
            group: {name: _parse(text, f"{group}s.{name}") for name, text in getattr(wanted, f"{group}s").items()}
            for group in _GROUPS
        }
        self._counted = [group for group in _GROUPS if self._each[group] or self._named[group]]
        self._tiers = {name: _parse(text, f"tiers.{name}") for name, text in wanted.tiers.items()}
        if self._tiers and "user" not in self._counted:
            self._counted.insert(0, "user")
        if wanted.default_tier is not None and wanted.default_tier not in self._tiers:
            raise UsageError(f"limits default_tier = {wanted.default_tier!r}: {self._unknown(wanted.default_tier)}")
        self._windows = windows
        self._outage = outage or Outage("limits for users and keys")
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[tuple[str, Labels], bool] = OrderedDict()

    def handle(self, call: Call, inner: Handler) -> Flow:
        items = list(self._items(call))
        if not items or self._is_retry(call):
            return (yield from self._watched(call, inner))
        # One that is set would free callers, or hold them up.
        now = self._clock.monotonic()
        try:
            full = yield from using(self._windows, lambda: self._windows.hit(items, now))
        except StoreDown as error:
            self._outage.met(error)
            return (yield from self._watched(call, inner))
        if full is not None:
            raise _refusal(*full)
        try:
            return (yield from self._watched(call, inner))
        except Refused:
            # It was not made: a budget that is used up, or a full line, uses up nobody's calls.
            yield from self._uncount(items, now)
            raise

    def _uncount(self, items: Sequence[tuple[Any, str]], now: float) -> Subflow[None]:
        give_back = getattr(self._windows, "give_back", None)
        if give_back is not None:
            with suppress(StoreDown):
                yield from using(self._windows, lambda: give_back(items, now))

    def _is_retry(self, call: Call) -> bool:
        """Whether this is a call that has just failed here, sent again; that a client says so is not enough."""
        if not call.attempt:
            return False
        with self._lock:
            return self._failed.pop((call.identity, call.labels), False)

    def _watched(self, call: Call, inner: Handler) -> Flow:
        try:
            return (yield from inner(call))
        except CallFailed:
            with self._lock:
                self._failed[call.identity, call.labels] = True
                if len(self._failed) > _REMEMBERED:
                    self._failed.popitem(last=False)
            raise

    def _items(self, call: Call) -> Iterator[tuple[Any, str]]:
        labels = call.labels
        tier = labels.tier or self._wanted.default_tier
        # The users of two tenants are two users, whatever they are called.
        of = f"@{call.partition}" if call.partition else ""
        for group in self._counted:
            who = getattr(labels, group) if group != "model" else self._model(call.model)
            item = self._named[group].get(who) or self._each[group]
            if group == "user" and who not in self._named[group] and self._tiers and tier is not None:
                if tier not in self._tiers:
                    raise UnknownTier(f"tier {tier!r}: {self._unknown(tier)}")
                yield self._tiers[tier], f"tier{of}:{tier}:{who or '-'}"
            elif item is not None and (who or group in ("user", "key")):
                yield item, f"{group}{of if group == 'user' else ''}:{who or '-'}"

    def _model(self, model: str) -> str:
        """The name that a model is counted under: another name of the same model has no calls of its own."""
        return entry_of(model, self._named["model"]) or plain_name(model)

    def _unknown(self, tier: str) -> str:
        known = ", ".join(self._tiers) or "none"
        return f"no such tier; known are {known}.{did_you_mean(tier, self._tiers)}"


def _refusal(item: Any, who: str, wait: float) -> LimitExceeded:
    kind, _, name = who.partition(":")
    kind = kind.partition("@")[0]
    shown = kind if kind == "key" else f"{kind} {name}"
    return LimitExceeded(
        f"limit of {item} reached for {shown}; the next call is allowed in {wait:.1f} s", retry_after=wait
    )


def _parse(text: str | None, name: str) -> Any:
    if text is None:
        return None
    try:
        import limits
    except ImportError:
        raise MissingExtra("limits", "gateway", "limits for users and keys") from None
    try:
        return limits.parse(text)
    except ValueError:
        raise UsageError(f"limits {name} = {text!r} is not written like '20/hour' or '1 per 10 seconds'") from None
