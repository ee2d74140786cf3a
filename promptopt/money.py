"""Dollars as text."""

from __future__ import annotations

from decimal import Decimal

UNPRICED = "unpriced"
_CENTS_OF_CENTS, _LEAST_SHOWN = 0.001, 0.000001


def dollars(value: float | Decimal | None, known: object = None) -> str:
    """Dollars for a column: four decimals, six where four would show little as nothing, two from $100.

    Args:
        value: ``None`` for an unknown price, which is ``unpriced``.
        known: Where given, a price is known and only this sum is not: ``-``.
    """
    if value is None:
        return UNPRICED if known is None else "-"
    amount = float(value)
    if 0 < abs(amount) < _CENTS_OF_CENTS:
        # Little is not nothing.
        return f"${amount:.6f}" if abs(amount) >= _LEAST_SHOWN else f"under ${_LEAST_SHOWN:.6f}"
    return f"${amount:,.2f}" if abs(amount) >= 100 else f"${amount:,.4f}"


def usd(amount: float | Decimal, sign: bool = False) -> str:
    """Dollars with as many digits as say something: cents above a dollar, three digits that count below."""
    exact = amount if isinstance(amount, Decimal) else Decimal(repr(amount))
    mark = "-" if exact < 0 else "+" if sign else ""
    size = abs(exact)
    if size >= 1 or size == 0:
        return f"{mark}${size:,.2f}"
    digits = min(9, 2 - size.adjusted())
    return f"{mark}${size:.{digits}f}"
