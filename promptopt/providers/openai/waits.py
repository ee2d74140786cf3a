"""How long an answer asks to wait before the next call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def asked_wait_s(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that ``retry-after-ms`` or ``retry-after`` say, as a number or as a date (RFC 9110, section 10.2.3).

    Args:
        headers: Those of the answer.
        now: Seconds since 1970, which a date is counted from.

    Returns:
        ``None`` if they say nothing that can be read; a number below 0 for a date that is over.
    """
    for name, each in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers[name]) / each
        except (KeyError, ValueError):
            continue
        if not math.isnan(seconds):
            return seconds
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError, OverflowError):
        return None
    # A date of HTTP is in UTC, also in the old forms that do not say so.
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
