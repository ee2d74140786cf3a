"""The exact cache: the same request, asked again, is answered from what was answered before.

What is the same request, and who shares its answer, is said by ``Call.identity`` (``gateway.call.identity_of`` and
``partition_of``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import regex

from promptopt.errors import UsageError
from promptopt.gateway.call import Answer, Call, Endpoint, Labels
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.failures import BadCacheControl, NotCached
from promptopt.gateway.flow import Flow, Handler, Subflow
from promptopt.gateway.openai.state import needs_state, self_contained
from promptopt.gateway.openai.wire import prompt_text
from promptopt.gateway.stores.base import CacheStore, KeptAnswer, Outage, StoreDown, using
from promptopt.secrets import find_any_secret

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
MAX_TTL_S = 14 * DAY_S
# Whole words: "know", "snow" and "concurrent" are not "now" and "current".
TIME_WORDS = (
    "now", "today", "todays", "today's", "tonight", "yesterday", "tomorrow", "current", "currently", "latest",
    "newest", "recent", "recently", "this week", "this month", "this year", "right now", "at the moment", "weather",
)  # fmt: skip
_EXCERPT = 200


_TTL = re.compile(r"ttl=(\d+(?:\.\d+)?)([smhd]?)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": HOUR_S, "d": DAY_S}


@dataclass(frozen=True, slots=True)
class CacheControl:
    """What one call wants of the caches, written ``x-promptopt-cache: refresh, ttl=1h``.

    Attributes:
        skip: ``no-store``: the call is made as if there were no cache; its answer is neither kept nor shared.
        refresh: The call is sent, and its answer takes the place of the one that is kept.
        only: The call is not sent; what is not kept is refused.
        ttl_s: ``ttl=90``, ``ttl=1h``: the answer is kept for this time, at any temperature.
    """

    skip: bool = False
    refresh: bool = False
    only: bool = False
    ttl_s: float | None = None

    @classmethod
    def of(cls, call: Call) -> CacheControl:
        """Raises BadCacheControl if it cannot be read."""
        text = call.labels.cache
        return _NO_WISH if text is None else _read_control(text)


_NO_WISH = CacheControl()


@lru_cache(maxsize=256)
def _read_control(text: str) -> CacheControl:
    found = _NO_WISH
    for word in filter(None, (part.strip().lower() for part in text.split(","))):
        if word in ("no-store", "refresh", "only"):
            found = replace(found, **{"skip" if word == "no-store" else word: True})
            continue
        ttl = _TTL.fullmatch(word)
        seconds = float(ttl[1]) * _UNITS[ttl[2]] if ttl is not None else 0.0
        if not 0 < seconds <= MAX_TTL_S:
            raise BadCacheControl(
                f"x-promptopt-cache: {word!r} is not no-store, refresh, only, or ttl= with a time of at most 14 days, "
                "such as ttl=90 or ttl=1h"
            )
        found = replace(found, ttl_s=seconds)
    if found.only and (found.skip or found.refresh):
        raise BadCacheControl(f"x-promptopt-cache: {text!r} asks for the cache alone and for a call at once")
    return found


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What is kept, and for how long.

    No list of words finds every question about now, in every language. So an answer is used for a short time, unless
    somebody who knows the prompt says that it lasts: ``lasting``, or the call itself (:class:`CacheControl`).

    Attributes:
        ttl_s: Seconds that a lasting answer may be used; at most 14 days. Embeddings last.
        time_sensitive_ttl_s: Seconds that any other answer may be used.
        lasting: Labels of prompts whose answers last, as ``name`` or ``name@version``; ``*`` is every call.
        time_words: Words and phrases, matched whole and without regard to case. A text with one does not last, even in
            a prompt that does.
        deterministic_only: Whether only requests at temperature 0 are kept and shared.
        store_text: Whether the first 200 characters of a request's text are kept beside its answer.

    Raises:
        UsageError: A time is not above 0, or above 14 days.
    """

    ttl_s: float = 7 * DAY_S
    time_sensitive_ttl_s: float = HOUR_S
    lasting: Sequence[str] = ()
    time_words: Sequence[str] = TIME_WORDS
    deterministic_only: bool = True
    store_text: bool = False

    def __post_init__(self) -> None:
        for name, value in (("ttl", self.ttl_s), ("time_sensitive_ttl", self.time_sensitive_ttl_s)):
            if not 0 < value <= MAX_TTL_S:
                raise UsageError(f"cache {name} = {value / DAY_S:g} days: give more than 0 and at most 14 days")

    def shareable(self, call: Call) -> bool:
        """Whether a call may be answered with what another call that is the same was answered.

        Raises:
            BadCacheControl: What the call wants of the caches cannot be read.
        """
        return self._judged(call).shareable

    def keepable(self, call: Call) -> bool:
        """Whether the answer to a call may be kept. Raises BadCacheControl as :meth:`shareable`."""
        return self._judged(call).keepable

    def _judged(self, call: Call) -> _Judged:
        global _last  # noqa: PLW0603 - a value that is replaced as a whole
        found = _last
        if found is None or found.body is not call.body or found[1:4] != (self, call.endpoint, call.labels):
            control = CacheControl.of(call)
            keepable = self._keepable(call, control)
            shareable = keepable and not control.refresh
            found = _last = _Judged(call.body, self, call.endpoint, call.labels, keepable, shareable)
        return found

    def _keepable(self, call: Call, control: CacheControl) -> bool:
        if control.skip or needs_state(call):
            return False
        if control.ttl_s is not None:
            return True
        if not self_contained(call):
            return False
        return not self.deterministic_only or call.endpoint == "embeddings" or call.body.get("temperature") == 0

    def lifetime(self, call: Call) -> float:
        """Seconds that the answer to a call may be used."""
        control = CacheControl.of(call)
        if control.ttl_s is not None:
            return control.ttl_s
        if call.endpoint == "embeddings":
            return self.ttl_s
        labels = call.labels
        text = prompt_text(call) if self.lasting else ""
        return self.ttl_of(text, labels.prompt, labels.version)

    def ttl_of(self, text: str, prompt: str | None = None, version: str | None = None) -> float:
        """Seconds that an answer to this text, in a prompt of this name, may be used."""
        short = min(self.time_sensitive_ttl_s, self.ttl_s)
        if not self._may_last(prompt, version):
            return short
        sensitive = _pattern(tuple(self.time_words))
        return self.ttl_s if sensitive is None or sensitive.search(text) is None else short

    def _may_last(self, prompt: str | None, version: str | None) -> bool:
        """Whether somebody says that answers of this prompt last."""
        return bool(self.lasting) and any(name in ("*", prompt, f"{prompt}@{version}") for name in self.lasting)


class _Judged(NamedTuple):
    """What a policy said of a call. Several layers ask, one after the other, and a body is never changed in place."""

    body: Mapping[str, Any]
    policy: CachePolicy
    endpoint: Endpoint
    labels: Labels
    keepable: bool
    shareable: bool


_last: _Judged | None = None


@lru_cache(maxsize=16)
def _pattern(words: tuple[str, ...]) -> regex.Pattern[str] | None:
    """Matches any of the words, whole; ``None`` without words."""
    if not words:
        return None
    parts = sorted((r"\s+".join(map(regex.escape, word.split())) for word in words), key=len, reverse=True)
    return regex.compile(rf"(?<![\w])(?:{'|'.join(parts)})(?![\w])", regex.IGNORECASE)


class ExactCache:
    """Answers from a store what is kept there, and keeps what is not."""

    def __init__(
        self,
        store: CacheStore,
        policy: CachePolicy | None = None,
        *,
        outage: Outage | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.store = store
        self.policy = policy or CachePolicy()
        self._outage = outage or Outage("the cache")
        self._clock = clock

    def handle(self, call: Call, inner: Handler) -> Flow:
        found = yield from self.found(call)
        if found is not None:
            return found
        answer = yield from inner(call)
        yield from self.keep(call, answer)
        return answer

    def found(self, call: Call) -> Subflow[Answer | None]:
        """The kept answer, if the call may have one.

        Raises:
            NotCached: There is none, and the call is not to be sent.
        """
        answer = (yield from self.look_up(call)) if self.policy.shareable(call) else None
        if answer is None and CacheControl.of(call).only:
            raise NotCached("no answer to this call is kept, and x-promptopt-cache: only forbids to send it")
        return answer

    def look_up(self, call: Call) -> Subflow[Answer | None]:
        """The kept answer to a call."""
        try:
            found = yield from using(self.store, lambda: self.store.get(call.identity, self._clock.time()))
        except StoreDown as error:
            self._outage.met(error)
            return None
        return found

    def entry(self, call: Call, answer: Answer) -> KeptAnswer | None:
        """What is to be kept of the answer to a call whose answers may be kept; ``None`` if this one may not."""
        if not answer.keepable:
            return None
        now = self._clock.time()
        prompt = prompt_name(call.labels)
        excerpt = _excerpt(prompt_text(call)) if self.policy.store_text else None
        end = now + self.policy.lifetime(call)
        return KeptAnswer(call.identity, now, end, prompt, call.model, excerpt, answer._replace(raw=None))

    def keep(self, call: Call, answer: Answer) -> Subflow[None]:
        """Keep an answer, if it and the call are to be kept."""
        entry = self.entry(call, answer) if self.policy.keepable(call) else None
        if entry is not None:
            with self._outage:
                yield from using(self.store, lambda: self.store.put(entry))


def prompt_name(labels: Labels) -> str | None:
    """What `promptopt cache` calls the prompt of a call: its name, with the version if that is known."""
    return f"{labels.prompt}@{labels.version}" if labels.prompt and labels.version else labels.prompt


def _excerpt(text: str) -> str | None:
    """How a text begins; ``None`` if the text holds what looks like a secret."""
    return None if find_any_secret(text) else text[:_EXCERPT]


class CacheFront:
    """Looks into an exact cache before anything else does, so that a hit costs one look.

    Single-flight keeps the answers of the calls that it sees; a call that refreshes passes it by.
    """

    def __init__(self, cache: ExactCache, *, looks: bool = True) -> None:
        """``looks`` is false if single-flight looks for what is kept; a call that may not be sent is looked up here."""
        self._cache = cache
        self._looks = looks

    def handle(self, call: Call, inner: Handler) -> Flow:
        control = CacheControl.of(call)
        if self._looks or control.only:
            found = yield from self._cache.found(call)
            if found is not None:
                return found
        answer = yield from inner(call)
        if control.refresh:
            yield from self._cache.keep(call, answer)
        return answer


class NoCache:
    """Stands in for a cache that is switched off: a call that may only be answered from it is refused."""

    def handle(self, call: Call, inner: Handler) -> Flow:
        if CacheControl.of(call).only:
            raise NotCached("the cache is switched off, and x-promptopt-cache: only forbids to send the call")
        return (yield from inner(call))
