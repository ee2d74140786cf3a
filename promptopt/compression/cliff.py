"""The provider's prompt cache: when shortening a static prefix makes calls cost more."""

from __future__ import annotations

from decimal import Decimal

from promptopt.compression.document import Document
from promptopt.compression.judge import PrefixLimit
from promptopt.prices import find_price
from promptopt.tokens import CACHE_MINIMUM_TOKENS as MINIMUM
from promptopt.tokens import cacheable_tokens


def prefix_limit(document: Document) -> PrefixLimit | None:
    """What the static prefix may lose; ``None`` if falling below the provider's minimum would not cost more."""
    if document.model is None or not document.is_cacheable:
        return None
    price = find_price(document.model)
    if price is None or price.cache_read_mtok >= price.input_mtok:
        return None
    end, prefix = document.static_prefix.end, document.prefix_tokens
    if end is None or prefix < MINIMUM:
        return None
    cached = cacheable_tokens(prefix)
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
