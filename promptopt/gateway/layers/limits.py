"""How often a user, a tier's user or a key may call: over the package ``limits``, in memory or in Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptopt.errors import MissingExtra, UsageError, did_you_mean
from promptopt.gateway.call import Call
from promptopt.gateway.failures import LimitExceeded, Refused
from promptopt.gateway.flow import Flow, Handler, Remote
from promptopt.gateway.stores.base import Outage, StoreDown

_TIDY_S = 60.0


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Calls that may be made, written ``20/hour`` or ``1 per 10 seconds``.

    Attributes:
        per_user: For each user.
        per_key: For each API key.
        tiers: For each user of a tier, instead of ``per_user``.
        default_tier: The tier of users who are labelled with none.
    """

    per_user: str | None = None
    per_key: str | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)
    default_tier: str | None = None


class UnknownTier(Refused):
    """A call is labelled with a tier that has no limit."""

    code = "unknown_tier"
    status = 400


class UserLimits:
    """Refuses calls above the limits, and says when the next one is allowed."""

    remote = False

    def __init__(
        self, wanted: CallLimits, redis_url: str | None = None, *, outage: Outage | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """Read the limits.

        Raises:
            UsageError: One cannot be read, or the default tier has none.
            MissingExtra: The package ``limits`` is not installed.
        """
        try:
            from limits.storage import storage_from_string
            from limits.strategies import MovingWindowRateLimiter
        except ImportError:
            raise MissingExtra("limits", "gateway", "limits for users and keys") from None
        self._wanted = wanted
        self._user = _parse(wanted.per_user, "per_user")
        self._key = _parse(wanted.per_key, "per_key")
        self._tiers = {name: _parse(text, f"tiers.{name}") for name, text in wanted.tiers.items()}
        if wanted.default_tier is not None and wanted.default_tier not in self._tiers:
            raise UsageError(f"limits default_tier = {wanted.default_tier!r}: {self._unknown(wanted.default_tier)}")
        self._outage = outage or Outage("limits for users and keys")
        self._clock = clock
        self._lock = threading.Lock()
        self._shared = redis_url is not None
        storage = _memory() if redis_url is None else storage_from_string(redis_url)
        self._limiter = MovingWindowRateLimiter(storage)

    def handle(self, call: Call, inner: Handler) -> Flow:
        refusal = (yield Remote(lambda: self._hit(call))) if self._shared else self._hit(call)
        if refusal is not None:
            raise refusal
        return (yield from inner(call))

    def _hit(self, call: Call) -> Refused | None:
        try:
            items = list(self._items(call))
        except UnknownTier as refusal:
            return refusal
        try:
            # All or none is counted; across processes two calls may pass where one should, at most.
            with self._lock:
                for item, who in items if len(items) > 1 else ():
                    if not self._limiter.test(item, who):
                        return self._refusal(item, who)
                for item, who in items:
                    if not self._limiter.hit(item, who):
                        return self._refusal(item, who)
        except Exception as error:
            if not self._shared:
                raise
            # What a storage raises is its driver's affair.
            self._outage.met(StoreDown(type(error).__name__))
        return None

    def _items(self, call: Call) -> Iterator[tuple[Any, str]]:
        labels = call.labels
        tier = labels.tier or self._wanted.default_tier
        if self._tiers and tier is not None:
            if tier not in self._tiers:
                raise UnknownTier(f"tier {tier!r}: {self._unknown(tier)}")
            yield self._tiers[tier], f"tier:{tier}:{labels.user or '-'}"
        elif self._user is not None:
            yield self._user, f"user:{labels.user or '-'}"
        if self._key is not None:
            yield self._key, f"key:{labels.key or '-'}"

    def _unknown(self, tier: str) -> str:
        known = ", ".join(self._tiers) or "none"
        return f"no such tier; known are {known}.{did_you_mean(tier, self._tiers)}"

    def _refusal(self, item: Any, who: str) -> LimitExceeded:
        reset = self._limiter.get_window_stats(item, who).reset_time
        # A clock that goes back must not make anybody wait longer than the window is.
        wait = min(max(reset - self._clock(), 0.0), float(item.get_expiry()))
        kind, _, name = who.partition(":")
        shown = kind if kind == "key" else f"{kind} {name}"
        return LimitExceeded(
            f"limit of {item} reached for {shown}; the next call is allowed in {wait:.1f} s", retry_after=wait
        )


def _parse(text: str | None, name: str) -> Any:
    if text is None:
        return None
    import limits

    try:
        return limits.parse(text)
    except ValueError:
        raise UsageError(f"limits {name} = {text!r} is not written like '20/hour' or '1 per 10 seconds'") from None


class _Resting:
    """Stands for a timer that runs already."""

    @staticmethod
    def is_alive() -> bool:
        return True


def _memory() -> Any:
    """The memory storage of ``limits``, which starts a thread to tidy up at every hit; here at most once a minute."""
    from limits.storage import MemoryStorage

    class Memory(MemoryStorage):
        _due = 0.0

        @property
        def timer(self) -> Any:
            started = self._timer.ident is not None
            return _Resting() if started and time.monotonic() < self._due else self._timer

        @timer.setter
        def timer(self, timer: threading.Timer) -> None:
            timer.daemon = True
            self._timer = timer
            self._due = time.monotonic() + _TIDY_S

    return Memory()
