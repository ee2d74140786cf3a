"""Patterns that are to be found in small letters and in capitals alike."""

from __future__ import annotations

import re
from collections.abc import Iterator


class AnyCase:
    """A pattern, in lower case, that finds capitals as well.

    ``re`` looks for small letters alone several times faster than for both. What a match holds may be in lower case.
    """

    def __init__(self, pattern: str) -> None:
        self._lower = re.compile(pattern)
        self._any = re.compile(pattern, re.IGNORECASE)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """The matches, with their places in ``text``."""
        return self._lower.finditer(text.lower()) if text.isascii() else self._any.finditer(text)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match."""
        return self._lower.search(text.lower()) if text.isascii() else self._any.search(text)
