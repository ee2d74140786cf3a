"""Which words a sentence has: asked before its characters are searched, since most have none that a pattern needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

REMEMBERED = 65_536
"""Sentences whose words, and whose edits by each rule, are kept."""

_WORD = re.compile("[a-z]+")
# What a pattern without regard to case takes for a Latin letter besides its capital (Unicode, CaseFolding.txt).
_LETTERS = str.maketrans({"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"})


@lru_cache(maxsize=REMEMBERED)
def words_in(text: str) -> frozenset[str]:
    """The runs of Latin letters in a text, in lower case: of ``don't`` both ``don`` and ``t``."""
    plain = text if text.isascii() else text.translate(_LETTERS)
    return frozenset(_WORD.findall(plain.lower()))


class Hints:
    """Phrases of which a text has all words of one, if a pattern matches in it.

    Args:
        phrases: In any case. What is no Latin letter parts two words, as in :func:`words_in`.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self.phrases = tuple(phrases)
        self._others: dict[str, list[frozenset[str]]] = {}
        for words in map(words_in, self.phrases):
            # The longest word is the rarest: most texts have none of them.
            longest = max(sorted(words), key=len)
            self._others.setdefault(longest, []).append(words - {longest})
        self._longest = frozenset(self._others)

    def chosen(self, texts: Sequence[T], words: Sequence[frozenset[str]], every: frozenset[str]) -> list[T]:
        """Those of some texts that have all words of a phrase.

        Args:
            words: The words of each text.
            every: The words of all of them.
        """
        found = self._longest & every
        if not found:
            return []
        pairs = zip(texts, words, strict=True)
        return [text for text, own in pairs if not found.isdisjoint(own) and self.met_by(own)]

    def met_by(self, words: frozenset[str]) -> bool:
        """Whether a text with these words has all of a phrase, in any order and anywhere."""
        if self._longest.isdisjoint(words):
            return False
        for word in self._longest & words:
            for others in self._others[word]:
                if others <= words:
                    return True
        return False
