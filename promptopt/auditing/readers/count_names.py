"""What counts a name says, whoever made it up: cached, written and reasoning tokens have dozens of names.

The readers know the usual names. Another one would be passed over without a word, and its tokens billed as plain input.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

CountKind = Literal["cached", "written", "reasoning"]

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_TOKENS = frozenset({"token", "tokens", "toks", "usage"})
_READ = frozenset({"read", "reads", "hit", "hits"})
_WRITTEN = frozenset({"write", "writes", "written", "creation", "create", "created"})
_REASONING = frozenset({"reasoning", "thinking", "thought", "thoughts"})
# Names with any other word say something else: a part (audio), what was not found (miss), money, a key.
_BESIDE = frozenset(
    {
        *("gen", "ai", "llm", "native", "n", "num", "count", "total", "details", "detail"),
        *("input", "prompt", "context", "content", "output", "completion", "candidates", "cache", "cached"),
    }
)
_KNOWN = _TOKENS | _READ | _WRITTEN | _REASONING | _BESIDE


@lru_cache(maxsize=4096)
def kind_of(name: str) -> CountKind | None:
    """The count that a name such as ``cacheReadInputTokens`` is of; ``None`` if it is of none of these, or not only."""
    words = frozenset(word.lower() for word in _WORD.findall(name))
    if not words <= _KNOWN or words.isdisjoint(_TOKENS):
        return None
    if words & _REASONING:
        return "reasoning" if words.isdisjoint({"cache", "cached", "input", "prompt"}) else None
    if words.isdisjoint({"cache", "cached"}) or words & {"output", "completion", "candidates"}:
        return None
    if words & _WRITTEN:
        return None if words & _READ else "written"
    return "cached" if "cached" in words or words & _READ else None
