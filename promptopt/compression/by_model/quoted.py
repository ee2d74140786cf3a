"""Words that a model quotes from a text: whether the text has them, and whether another one has them as well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_QUOTES = str.maketrans("“”„‘’‚", "\"\"\"'''")


def has(text: str, quoted: str) -> bool:
    """Whether a text has the quoted words, in runs if something is left out between them."""
    words, parts = _words(text), _parts(quoted)
    return bool(parts) and all(any(True for _ in _places(words, part)) for part in parts)


def is_in_place(text: str, quoted: str, other: str) -> bool:
    """Whether another text has all the words wherever this one has them, between the same two words."""
    return all(_is_in_place(text, part, other) for part in _parts(quoted))


def shares_a_run(text: str, quoted: str) -> bool:
    """Whether a text has one of the runs of the quoted words."""
    words = _words(text)
    return any(any(True for _ in _places(words, part)) for part in _parts(quoted))


def _is_in_place(text: str, part: Sequence[str], other: str) -> bool:
    """Whether another text has the words wherever this one has them, between the same two words."""
    words, others = _framed(text), _framed(other)
    found = [tuple(words[place - 1 : place + len(part) + 1]) for place in _places(words, part)]
    return all(sum(1 for _ in _places(others, one)) >= found.count(one) for one in found)


def _parts(quoted: str) -> list[list[str]]:
    """The words of a quotation; several runs of them if something is left out in it."""
    return [words for part in re.split(r"\.\.\.|…|\[\]", quoted) if (words := _bare(_words(part)))]


def _bare(words: list[str]) -> list[str]:
    """Without the marks around a quotation that may be the model's own."""
    while words and not words[0][0].isalnum() and words[0] not in "{}$%<`#*-":
        words = words[1:]
    while words and not words[-1][0].isalnum() and words[-1] not in "{}$%>`":
        words = words[:-1]
    return words


def _words(text: str) -> list[str]:
    """Words and marks, without case, blanks and the form of quotation marks."""
    return re.findall(r"\w+|[^\w\s]", text.translate(_QUOTES).casefold())


def _framed(text: str) -> list[str]:
    return ["", *_words(text), ""]


def _places(words: Sequence[str], part: Sequence[str]) -> Iterator[int]:
    size = len(part)
    return (place for place in range(len(words) - size + 1) if list(words[place : place + size]) == list(part))
