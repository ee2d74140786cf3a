"""The provider's prompt cache: where a static prefix ends, and when shortening it makes calls dearer."""

from __future__ import annotations

from decimal import Decimal

from promptopt.compression.document import Document
from promptopt.compression.judge import PrefixLimit
from promptopt.prices import find_price
from promptopt.tokens import tokenizer_for

MINIMUM = 1024
"""Tokens below which OpenAI caches no prefix (Prompt Caching 201, OpenAI Cookbook)."""
STEP = 128


def cached_tokens(prefix: int) -> int:
    """How many tokens of a static prefix are read from the cache: none below the minimum, then in steps of 128."""
    return 0 if prefix < MINIMUM else prefix - prefix % STEP


def static_prefix(document: Document) -> int:
    """Where the literal text before the first expression or tag that depends on a call ends."""
    for zone in document.zones:
        if zone.kind == "jinja":
            text = document.text[zone.start : zone.end]
            if text.startswith(("{#", "{% chat", "{%- chat", "{% endchat", "{% raw", "{% endraw")):
                continue
            return zone.start
    return len(document.text)


def prefix_limit(document: Document) -> PrefixLimit | None:
    """What the static prefix may lose; ``None`` if falling below the provider's minimum would not cost more."""
    if document.model is None:
        return None
    tokenizer = tokenizer_for(document.model)
    end = static_prefix(document)
    if end < MINIMUM or (prefix := tokenizer.count(document.text[:end])) < MINIMUM:
        return None
    price = find_price(document.model)
    if price is None or price.cache_read_mtok >= price.input_mtok:
        return None
    cached = cached_tokens(prefix)
    cost = cached * price.cache_read_mtok + (prefix - cached) * price.input_mtok
    # The tokens that cost as much uncached as the whole prefix costs cached.
    break_even = int(cost / price.input_mtok)
    if break_even >= MINIMUM:
        return None
    why = (
        f"the static prefix of {prefix:,} tokens would fall below {MINIMUM:,}, which are not cached: "
        f"{prefix:,} tokens cost ${_million(cost)} a million calls, {MINIMUM - 1:,} uncached would cost "
        f"${_million((MINIMUM - 1) * price.input_mtok)} (only {break_even:,} or fewer would be cheaper)"
    )
    return PrefixLimit(end, prefix - MINIMUM, why)


def _million(microdollars: Decimal) -> str:
    return f"{microdollars:,.0f}"
