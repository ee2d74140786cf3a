"""Words and phrases that carry no constraint, and shorter ways to say the same: what the rules of wording propose.

Nothing that judges an edit reads this list: a wrong entry is refused where it does harm.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from promptopt.compression.facts.reading import alternatives


@lru_cache(maxsize=1)
def shorter_phrases() -> dict[str, str]:
    """Wordy phrases with their short forms, all in lower case (``phrases.tsv``)."""
    return {wordy: short for wordy, _, short in (line.partition("\t") for line in _lines("phrases.tsv"))}


@lru_cache(maxsize=1)
def remark_phrases() -> frozenset[str]:
    """Phrases that add nothing if commas set them apart, and may mean something elsewhere (``remarks.txt``)."""
    return frozenset(_lines("remarks.txt"))


@lru_cache(maxsize=1)
def filler_phrases() -> tuple[str, ...]:
    """Words and phrases that add nothing (``filler.txt``, ``remarks.txt``)."""
    return (*_lines("filler.txt"), *_lines("remarks.txt"))


def _lines(name: str) -> list[str]:
    text = files("promptopt.compression.rules").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _openers() -> list[tuple[str, str]]:
    """Words of which an opener has one, and its pattern (``openers.txt``)."""
    return [(words, pattern) for words, _, pattern in (line.partition("\t") for line in _lines("openers.txt"))]


@lru_cache(maxsize=1)
def opener_words() -> tuple[str, ...]:
    """Words of which every opener has one."""
    return tuple(dict.fromkeys(word for words, _ in _openers() for word in words.split(", ")))


@lru_cache(maxsize=1)
def shorter_pattern() -> re.Pattern[str]:
    """Any wordy phrase."""
    return re.compile(rf"(?<![\w'’-])(?:{alternatives(shorter_phrases())})(?![\w'’-])", re.IGNORECASE)


@lru_cache(maxsize=1)
def filler_pattern() -> re.Pattern[str]:
    """Any word or phrase of filler."""
    return re.compile(rf"(?<![\w'’-])(?:{alternatives(filler_phrases())})(?![\w'’-])", re.IGNORECASE)


@lru_cache(maxsize=1)
def opener_pattern() -> re.Pattern[str]:
    """Any opener, at the beginning of the text that is matched."""
    any_opener = "|".join(pattern.replace(" ", r"\s+") for _, pattern in _openers())
    return re.compile(rf"(?:{any_opener})\s+", re.IGNORECASE)


def shorter(phrase: str) -> str:
    """The short form of a phrase that :func:`shorter_pattern` matched."""
    return shorter_phrases()[" ".join(phrase.lower().replace("’", "'").split())]
