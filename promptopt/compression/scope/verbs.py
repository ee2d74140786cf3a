"""Nouns that are verbs as well: with one at its beginning, a noun without its article reads as an order."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from promptopt.compression.scope.instructions import is_imperative


@lru_cache(maxsize=1)
def also_verbs() -> frozenset[str]:
    """Nouns that are verbs as well, such as "release" (``also_verbs.txt``)."""
    lines = files("promptopt.compression.scope").joinpath("also_verbs.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def may_order(word: str) -> bool:
    """Whether a noun phrase that begins with this word would read as an order where a sentence begins."""
    return is_imperative(word) or word.lower() in also_verbs()
