"""Dollars as text, and out of a text."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

UNPRICED = "unpriced"
_CENTS_OF_CENTS, _LEAST_SHOWN = 0.001, 0.000001


def dollars(value: float | Decimal | None, known: object = None) -> str:
    """Dollars for a column: four decimals, six if four would show an amount as nothing, two from $100 up.

    Args:
        value: ``None`` for an unknown price, which is shown as ``unpriced``.
        known: If given, a price is known and only this amount is not, which is shown as ``-``.
    """
    if value is None:
        return UNPRICED if known is None else "-"
    amount = float(value)
    if 0 < abs(amount) < _CENTS_OF_CENTS:
        # A small amount must not look like none.
        return f"${amount:.6f}" if abs(amount) >= _LEAST_SHOWN else f"under ${_LEAST_SHOWN:.6f}"
    return f"${amount:,.2f}" if abs(amount) >= 100 else f"${amount:,.4f}"


def cents(value: float | Decimal) -> str:
    """Dollars to the cent, as for a month."""
    return f"${value:,.2f}"


def signed_dollars(value: float) -> str:
    """A difference for a column: four decimals, always with its sign; never ``-$0.0000``."""
    value = round(value, 4)
    return f"{'-' if value < 0 else '+'}${abs(value):,.4f}"


def usd(amount: float | Decimal, sign: bool = False) -> str:
    """Dollars in a sentence, with as many digits as matter: cents from a dollar up, three significant ones below."""
    exact = amount if isinstance(amount, Decimal) else Decimal(repr(amount))
    mark = "-" if exact < 0 else "+" if sign else ""
    size = abs(exact)
    if size >= 1 or size == 0:
        return f"{mark}${size:,.2f}"
    digits = min(9, 2 - size.adjusted())
    return f"{mark}${size:.{digits}f}"


def parse_dollars(text: str) -> Decimal:
    """The amount in ``$0.50`` or ``0.50``. Raises ValueError if the text is not an amount of dollars."""
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{text!r} is not an amount of dollars")
    return amount
