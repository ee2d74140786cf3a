"""The vocabularies that ship with the package, and counts of a little text without tiktoken's tables.

tiktoken makes its tables anew in each process: 0.3 s, and 70 MB for a moment, of which 48 MB stay. Most processes count
some pages. For them the same algorithm, byte pair encoding, runs over the sorted lines of the vocabulary's file, which
take 4 MB and a third of the time. What it gives is what tiktoken gives, token for token.
"""

from __future__ import annotations

import binascii
import gzip
import hashlib
import io
import re
import types
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

SHIPPED = ("o200k_base", "cl100k_base")

# So many characters are counted before tiktoken's tables, whose threads count while others run, too. To make them takes
# as long as 0.7 million characters of prose, or 1.6 million of texts that are like each other.
_MOST_CHARACTERS = 1_000_000
# The time of a piece of text without a space grows with the square of its length.
_LONGEST_PIECE = 100
_LINES = 100
# Of these characters every version of Unicode says the same: letters with and without accents, punctuation, currencies
# and arrows. For others tiktoken's table of them is the one that counts.
_PLAIN = re.compile("[\\x00-\u024f\u2000-\u206f\u20a0-\u20cf\u2190-\u21ff]*")


class LittleText:
    """Counts tokens of texts that are plain, short, and not many; safe to be used by many threads."""

    def __init__(self, name: str) -> None:
        """Raises RuntimeError if the installation is damaged."""
        import regex

        constructed = encoding_arguments(name, _SortedLines)
        self._rank: Callable[[bytes], int | None] = constructed["mergeable_ranks"].rank
        self._pieces: Callable[[str], list[str]] = regex.compile(constructed["pat_str"]).findall
        self._known: dict[str, int] = {}
        self._left = _MOST_CHARACTERS

    def count(self, text: str) -> int | None:
        """Tokens of a text; ``None`` if tiktoken is to count it."""
        self._left -= len(text)
        if self._left < 0 or not _PLAIN.fullmatch(text):
            return None
        tokens, known = 0, self._known
        for piece in self._pieces(text):
            found = known.get(piece)
            if found is None:
                if len(piece) > _LONGEST_PIECE:
                    return None
                found = known[piece] = self._merged(piece.encode())
            tokens += found
        return tokens

    def _merged(self, piece: bytes) -> int:
        """How many tokens are left when no two neighbours are one together; that of the lowest rank is made first."""
        if self._rank(piece) is not None:
            return 1
        parts = [piece[at : at + 1] for at in range(len(piece))]
        ranks = [self._rank(first + second) for first, second in pairwise(parts)]
        while lowest := [rank for rank in ranks if rank is not None]:
            at = ranks.index(min(lowest))
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
            del ranks[at]
            for pair in {max(at - 1, 0), min(at, len(ranks) - 1)} if ranks else ():
                ranks[pair] = self._rank(parts[pair] + parts[pair + 1])
        return len(parts)


def encoding_arguments(name: str, loader: Callable[..., Any] | None = None) -> dict[str, Any]:
    """What ``tiktoken.Encoding`` is made of: pattern and special tokens are tiktoken's own, the vocabulary is shipped.

    tiktoken's constructor is run with a loader that does not download; its module and its registry are not changed.

    Args:
        loader: Reads the vocabulary, given its address and its SHA-256.
    """
    from tiktoken_ext import openai_public

    constructor = getattr(openai_public, name)
    names = {**vars(openai_public), "load_tiktoken_bpe": loader or _ranks}
    return types.FunctionType(constructor.__code__, names)()  # type: ignore[no-any-return]  # tiktoken_ext has no types


@lru_cache(maxsize=len(SHIPPED))
def vocabulary_sha256(name: str) -> str:
    """The SHA-256 that tiktoken gives for the vocabulary of an encoding, which the shipped one has."""
    found: list[str] = []

    def note(_url: str, expected_hash: str) -> dict[bytes, int]:
        found.append(expected_hash)
        return {}

    encoding_arguments(name, note)
    return found[0]


def _ranks(url: str, expected_hash: str) -> dict[bytes, int]:
    lines = (line.partition(b" ") for line in io.BytesIO(shipped_text(url, expected_hash)))
    return {binascii.a2b_base64(token): int(rank) for token, _, rank in lines}


class _SortedLines:
    """A vocabulary as its file has it, in order: a line is the token in base 64, a space, and its rank.

    A text of a hundred lines takes a third of the memory of a hundred texts, and is searched as fast.
    """

    def __init__(self, url: str, expected_hash: str) -> None:
        parts: dict[bytes, bytearray] = defaultdict(bytearray)
        for line in io.BytesIO(shipped_text(url, expected_hash)):
            parts[line[:2]] += line
        # Part by part: all lines at once are 200,000 objects, and several times the size of the text.
        self._texts = []
        for start in sorted(parts):
            lines = sorted(parts.pop(start).splitlines(keepends=True))
            self._texts += [b"\n" + b"".join(lines[at : at + _LINES]) for at in range(0, len(lines), _LINES)]
        # New ones: any of the lines themselves would keep the memory of the others around it.
        self._first = [text[1 : text.index(b"\n", 1)] for text in self._texts]

    def rank(self, token: bytes) -> int | None:
        """The rank of a token; ``None`` of what is not one."""
        start = binascii.b2a_base64(token, newline=False) + b" "
        # A colon comes after every digit, so that a line that begins so is before it.
        text = self._texts[bisect(self._first, start + b":") - 1]
        at = text.find(b"\n" + start)
        return None if at < 0 else int(text[at + 1 + len(start) : text.index(b"\n", at + 1)])


def shipped_text(url: str, expected_hash: str) -> bytes:
    """The shipped copy of the file at an address. Raises RuntimeError if the installation is damaged."""
    file = url.rpartition("/")[2]
    data = gzip.decompress(files("promptopt").joinpath("data", f"{file}.gz").read_bytes())
    if hashlib.sha256(data).hexdigest() != expected_hash:
        raise RuntimeError(f"the vocabulary {file} in this installation is damaged; reinstall promptopt")
    return data
