"""What saved tokens are worth: dollars a month, by the prompt's own calls and model."""

from __future__ import annotations

from decimal import Decimal

from promptopt.compression.document import Document
from promptopt.prices import find_price
from promptopt.values import Usage


def monthly_usd(document: Document, tokens: int) -> Decimal | None:
    """Dollars a month that fewer tokens a call save, at list price; ``None`` without calls or a price."""
    calls = document.front.calls_per_month
    if calls is None or document.model is None:
        return None
    price = find_price(document.model)
    if price is None:
        return None
    return price.cost(Usage(input_tokens=max(0, tokens))).total_usd * calls


def monthly(document: Document, tokens: int) -> str:
    """The same for people, such as ``$1.20``; empty where it is unknown."""
    dollars = monthly_usd(document, tokens)
    return "" if dollars is None else f"${dollars:,.2f}"
