"""The exact cache: the same request, asked again, is answered from what was answered before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import regex

from promptopt.errors import UsageError
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.flow import Flow, Handler, Subflow
from promptopt.gateway.openai.wire import prompt_text
from promptopt.gateway.stores.base import CacheStore, KeptAnswer, Outage, StoreDown, tolerating, using
from promptopt.secrets import find_secret

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
MAX_TTL_S = 14 * DAY_S
# Whole words: "know", "snow" and "concurrent" are not "now" and "current".
TIME_WORDS = (
    "now", "today", "todays", "today's", "tonight", "yesterday", "tomorrow", "current", "currently", "latest",
    "newest", "recent", "recently", "this week", "this month", "this year", "right now", "at the moment", "weather",
)  # fmt: skip
_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What is kept, and for how long.

    Attributes:
        ttl_s: Seconds that an answer may be used; at most 14 days.
        time_sensitive_ttl_s: The same if the request's text has one of ``time_words``.
        time_words: Words and phrases, matched whole and without regard to case.
        deterministic_only: Whether only requests at temperature 0 are kept and shared.
        store_text: Whether the first 200 characters of a request's text are kept beside its answer.

    Raises:
        UsageError: A time is not above 0, or above 14 days.
    """

    ttl_s: float = 7 * DAY_S
    time_sensitive_ttl_s: float = HOUR_S
    time_words: Sequence[str] = TIME_WORDS
    deterministic_only: bool = True
    store_text: bool = True

    def __post_init__(self) -> None:
        for name, value in (("ttl", self.ttl_s), ("time_sensitive_ttl", self.time_sensitive_ttl_s)):
            if not 0 < value <= MAX_TTL_S:
                raise UsageError(f"cache {name} = {value / DAY_S:g} days: give more than 0 and at most 14 days")

    def shareable(self, call: Call) -> bool:
        """Whether the answer to a call may be given to another call that is the same."""
        if call.body.get("background"):
            return False
        return not self.deterministic_only or call.body.get("temperature") == 0

    def ttl_of(self, text: str) -> float:
        """Seconds that an answer to this text may be used."""
        sensitive = _pattern(tuple(self.time_words))
        if sensitive is None or sensitive.search(text) is None:
            return self.ttl_s
        return min(self.time_sensitive_ttl_s, self.ttl_s)


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
        if not self.policy.shareable(call):
            return (yield from inner(call))
        found = yield from self.look_up(call)
        if found is not None:
            return found
        answer = yield from inner(call)
        yield from self.keep(call, answer)
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
        """What is to be kept of an answer; ``None`` if it is unfinished, a substitute, or was kept before."""
        if not answer.complete or answer.source != "upstream" or answer.substitute:
            return None
        now = self._clock.time()
        text = prompt_text(call)
        labels = call.labels
        prompt = f"{labels.prompt}@{labels.version}" if labels.prompt and labels.version else labels.prompt
        excerpt = text[:_EXCERPT] if self.policy.store_text and find_secret(text) is None else None
        return KeptAnswer(call.identity, now, now + self.policy.ttl_of(text), prompt, call.model, excerpt, answer)

    def keep(self, call: Call, answer: Answer) -> Subflow[None]:
        """Keep an answer, if it is one to keep."""
        entry = self.entry(call, answer)
        if entry is not None:
            with tolerating(self._outage):
                yield from using(self.store, lambda: self.store.put(entry))


class CacheFront:
    """Looks into an exact cache before anything else does, so that a hit costs one look."""

    def __init__(self, cache: ExactCache) -> None:
        self._cache = cache

    def handle(self, call: Call, inner: Handler) -> Flow:
        if self._cache.policy.shareable(call):
            found = yield from self._cache.look_up(call)
            if found is not None:
                return found
        return (yield from inner(call))
