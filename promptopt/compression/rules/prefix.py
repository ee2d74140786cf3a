"""PO501: variable parts that stand before static text and break the provider's cacheable prefix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.cliff import MINIMUM, cached_tokens, static_prefix
from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.advice import body_start, finding
from promptopt.prices import find_price
from promptopt.tokens import tokenizer_for


class Prefix:
    """Providers cache the tokens that all calls begin with; an early variable ends that prefix."""

    code: ClassVar[str] = "PO501"
    name: ClassVar[str] = "uncacheable order"
    reason: ClassVar[str] = "static text behind a variable is paid in full with every call"
    level: ClassVar[Level] = "standard"
    advice: ClassVar[bool] = True

    def edits(self, document: Document) -> Iterable[Edit]:
        count = tokenizer_for(document.model).count
        end = static_prefix(document)
        if end >= len(document.text):
            return
        begin = body_start(document)
        spans = document.masks.spans
        static = sum(count(document.text[max(begin, span.start) : span.end]) for span in spans if span.end > begin)
        prefix = count(document.text[begin:end]) if end > begin else 0
        gain = cached_tokens(static) - cached_tokens(prefix)
        if gain <= 0:
            return
        price = find_price(document.model) if document.model else None
        worth = ""
        if price is not None and price.cache_read_mtok < price.input_mtok and document.front.calls_per_month:
            dollars = gain * (price.input_mtok - price.cache_read_mtok) * document.front.calls_per_month / 1_000_000
            worth = f", up to ${dollars:,.2f} a month"
        message = (
            f"only {prefix:,} of {static:,} static tokens stand before the first variable part, and a prefix is cached "
            f"from {MINIMUM:,} on: move the variable parts to the end to cache {cached_tokens(static):,} tokens{worth}"
        )
        yield from finding(document, end, self.code, message)
