"""Patterns that are to be found in small letters and in capitals alike."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cached_property


class AnyCase:
    """A pattern, in lower case, that finds capitals as well.

    ``re`` looks for small letters alone several times faster than for both. What a match holds may be in lower case.
    """

    # Characters other than these may be another case of a letter, or have one of more characters.
    _CASED = re.compile("[^\x00-\x7f\ue000‘’“”„«»…–—•→]")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    # Most programs read texts that need one of the two alone.
    @cached_property
    def _lower(self) -> re.Pattern[str]:
        return re.compile(self._pattern)

    @cached_property
    def _any(self) -> re.Pattern[str]:
        return re.compile(self._pattern, re.IGNORECASE)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """The matches, with their places in ``text``."""
        return self._any.finditer(text) if self._CASED.search(text) else self._lower.finditer(text.lower())

    def search(self, text: str, start: int = 0, end: int = sys.maxsize) -> re.Match[str] | None:
        """The first match between two places."""
        if self._CASED.search(text):
            return self._any.search(text, start, end)
        return self._lower.search(text.lower(), start, end)
