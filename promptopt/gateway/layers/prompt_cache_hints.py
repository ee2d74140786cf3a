"""The provider's own prompt cache: hints that help it, and what one may expect of it.

A provider reads a request's beginning from its cache if an earlier request began alike; so what never changes must
come first. Nothing of a request is reordered here, since that may change what it says; what is in the wrong order
is noted in the ledger.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from promptopt.gateway.anthropic.hints import has_own, minimum_tokens, static_parts, with_breakpoint
from promptopt.gateway.call import Call
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.flow import Flow, Handler
from promptopt.gateway.openai.wire import messages
from promptopt.tokens import CACHE_MINIMUM_TOKENS, CACHE_STEP_TOKENS, cacheable_tokens, tokenizer_for
from promptopt.values import canonical_json, sha256_hex

T = TypeVar("T")

# Cached prefixes live for some minutes after their last use.
LIFETIME_S = 300.0
_REMEMBERED = 4096
# Prompts of which the last text is kept.
_TEXTS = 64
# So many prefixes of a prompt are written to Anthropic's cache without one that was read.
_UNREAD = 3
_FIXED_ROLES = ("system", "developer")


class PromptCacheHints:
    """Gives calls of the same prompt the same ``prompt_cache_key``, and notes how much of each should be cached.

    The key is a digest of the static prefix: model, tools, schema and the instructions before the first user message.
    Anthropic's messages get breakpoints after their tools and system prompt instead. A key and breakpoints of the
    caller's own are left alone.
    """

    def __init__(
        self,
        *,
        min_tokens: int = CACHE_MINIMUM_TOKENS,
        lifetime_s: float = LIFETIME_S,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._min_tokens = min_tokens
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._tokens: OrderedDict[str, int] = OrderedDict()
        self._texts: OrderedDict[str, str] = OrderedDict()
        # Prefixes of a prompt in a row that had not come before.
        self._unread: OrderedDict[str, int] = OrderedDict()

    def handle(self, call: Call, inner: Handler) -> Flow:
        if call.endpoint == "embeddings":
            return (yield from inner(call))
        if call.endpoint == "messages":
            return (yield from inner(self._with_breakpoints(call)._replace(misordered_tokens=self._misordered(call))))
        key, tokens = self.prefix(call)
        cacheable = cacheable_tokens(tokens, self._min_tokens)
        expected = cacheable if cacheable and self._warm(key) else 0
        call = call._replace(expected_cached_tokens=expected, misordered_tokens=self._misordered(call))
        if cacheable and "prompt_cache_key" not in call.body:
            call = call.sent_with(prompt_cache_key=f"promptopt-{key[:16]}")
        return (yield from inner(call))

    def _with_breakpoints(self, call: Call) -> Call:
        """The call with breakpoints after its tools and its system prompt, if they are worth keeping.

        Writing to Anthropic's cache costs a quarter more than reading plain input. A prefix that is another one each
        time is not written after the first few, until it comes a second time.
        """
        minimum, own = minimum_tokens(call.model), has_own(call.body)
        parts: list[object] = [call.model]
        placed: dict[str, object] = {}
        expected = 0
        for name, part in static_parts(call.body):
            parts.append(part)
            text = canonical_json(parts)
            # A token is at least a byte.
            if len(text.encode("utf-8", "surrogatepass")) < minimum:
                continue
            key = sha256_hex(text)
            tokens = self._counted(key, [canonical_json(each) for each in parts[1:]], call.model, minimum)
            if tokens < minimum:
                continue
            warm = self._warm(key)
            expected = tokens if warm else expected
            marked = with_breakpoint(part) if self._worth_writing(call, name, warm=warm) else None
            if marked is not None:
                placed[name] = marked
        if own:
            return call
        call = call._replace(expected_cached_tokens=expected)
        return call.sent_with(**placed) if placed else call

    def _worth_writing(self, call: Call, name: str, *, warm: bool) -> bool:
        """Whether the prefix of this part comes again, as far as that can be known."""
        prompt = canonical_json([call.labels.prompt, call.model, name])
        with self._lock:
            unread = 0 if warm else self._unread.get(prompt, 0) + 1
            _remember(self._unread, prompt, unread)
        return unread <= _UNREAD

    def prefix(self, call: Call) -> tuple[str, int]:
        """Digest and tokens of what a request begins with and never changes."""
        fixed = []
        for role, text in messages(call):
            if role not in _FIXED_ROLES:
                break
            fixed.append(text)
        tools = [call.body.get(name) for name in ("tools", "functions", "response_format", "text")]
        # A token is at least a byte, and a character at most four: short prefixes need neither digest nor tokenizer.
        if not any(tools) and sum(map(len, fixed)) * 4 < self._min_tokens:
            return "", 0
        parts = canonical_json([call.model, tools, fixed])
        key = sha256_hex(parts)
        return key, self._counted(
            key, [*fixed, *(canonical_json(tool) for tool in tools[:2] if tool)], call.model, self._min_tokens
        )

    def _counted(self, key: str, texts: list[str], model: str, minimum: int) -> int:
        """Tokens of a prefix, which is counted once; 0 for one that is surely below the minimum."""
        with self._lock:
            known = self._tokens.get(key)
        if known is None:
            tokenizer = tokenizer_for(model or None)
            short = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) < minimum
            known = 0 if short else sum(tokenizer.count(text) for text in texts)
            with self._lock:
                _remember(self._tokens, key, known)
        return known

    def _misordered(self, call: Call) -> int | None:
        """Tokens that this call and the last one of its prompt end with alike, if they would be worth caching.

        Returns:
            ``None`` if they would not, or if there is nothing to compare with.
        """
        found = messages(call)
        text = "".join(text for _, text in found)
        if len(text) < self._min_tokens:
            return None
        prompt = call.labels.prompt or canonical_json([call.model, [role for role, _ in found]])
        with self._lock:
            last = self._texts.get(prompt)
            _remember(self._texts, prompt, text, _TEXTS)
        if last is None or last == text:
            return None
        front = _alike(lambda size: text[:size] == last[:size], min(len(text), len(last)))
        back = _alike(lambda size: text[-size:] == last[-size:], min(len(text), len(last)) - front)
        if back < CACHE_STEP_TOKENS:
            return None
        tokenizer = tokenizer_for(call.model or None)
        after = tokenizer.count(text[-back:])
        worth = after >= CACHE_STEP_TOKENS and tokenizer.count(text[:front]) + after >= self._min_tokens
        return after if worth else None

    def _warm(self, key: str) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            last = self._seen.get(key)
            _remember(self._seen, key, now)
        return last is not None and 0 <= now - last < self._lifetime_s


def _alike(same: Callable[[int], bool], most: int) -> int:
    """The largest size, up to ``most``, for which two texts are the same; they are for all smaller ones."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if same(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _remember(memory: OrderedDict[str, T], key: str, value: T, most: int = _REMEMBERED) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > most:
        memory.popitem(last=False)
