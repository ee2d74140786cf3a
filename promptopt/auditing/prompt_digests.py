"""What is kept of a prompt's text: digests of the request, its blocks and its lines, and on demand its question."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b, md5
from typing import TYPE_CHECKING, Any

import numpy as np

from promptopt.gateway.semantic.index import LONGEST_QUESTION

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_CHARACTERS = 256
LINE_LENGTH = np.uint64(0xFFFFF)
"""The bits of a line's number that are its length in characters."""
_MOST_LINES = 256
# What two texts may differ in that are near repeats of one another.
_VARIED = re.compile(r"[\W\d_]+")


def digest_of(*parts: Any) -> int:
    """A 63-bit number for a request, the same for the same parts; never 0."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1 or 1


def digest_of_text(text: str) -> int:
    """A 63-bit number for a digest that is a text; never 0."""
    # MD5 as DuckDB's md5_number_lower has it, so that columns of Parquet need no Python for each row.
    digest = md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") >> 1 or 1


def chained(blocks: NDArray[np.uint64], counts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Numbers of blocks, each chained with those before it in its prompt: equal ones share all that comes before.

    Args:
        blocks: Of all prompts, one after the other; ``counts`` is how many each has.
    """
    found = np.zeros(len(blocks), np.uint64)
    starts = np.cumsum(counts) - counts
    order = np.argsort(-counts, kind="stable")
    sizes = -counts[order]
    state = np.zeros(len(counts), np.uint64)
    for depth in range(int(counts.max()) if len(counts) else 0):
        rows = order[: np.searchsorted(sizes, -depth, side="left")]
        places = starts[rows] + depth
        # The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
        mixed = state[rows] * np.uint64(0x9E3779B97F4A7C15) + blocks[places] + np.uint64(0x632BE59BD9B4E019)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state[rows] = mixed ^ (mixed >> np.uint64(31))
        found[places] = state[rows] >> np.uint64(1)
    return found


def blocks_of(text: str) -> list[int]:
    """Chained digests of a text, one for each 256 characters that are full: equal as far as texts are equal."""
    state, found = blake2b(digest_size=8), []
    for start in range(0, len(text) - BLOCK_CHARACTERS + 1, BLOCK_CHARACTERS):
        state.update(text[start : start + BLOCK_CHARACTERS].encode("utf-8", "surrogatepass"))
        found.append(int.from_bytes(state.digest()) >> 1)
    return found


def text_of(messages: Any) -> dict[str, Any]:
    """What a call keeps of its prompt's text, as arguments of :class:`LoggedCall`: digests of its blocks and lines.

    A line is a number: 44 bits of its digest, and 20 bits of its length in characters. What comes after the first 256
    lines is one line.
    """
    if messages is None:
        return {}
    text = prompt_text(messages)
    if not text:
        return {}
    parts = text.split("\n", _MOST_LINES)
    lines = [digest_of_text(line) << 1 & ~int(LINE_LENGTH) | min(len(line) + 1, int(LINE_LENGTH)) for line in parts]
    return {
        "blocks": blocks_of(text),
        "block_tokens": min(BLOCK_CHARACTERS / len(text), 0.999999),
        "lines": lines,
        "alike": digest_of_text(_VARIED.sub("", text.casefold())),
        "messages": messages,
    }


def question_of(messages: Any) -> tuple[int, str] | None:
    """A digest of all that a call asks but the text of its last user message, and that text.

    ``None`` if the call does not end in one text that a user wrote, or it is longer than a semantic cache compares.
    """
    split = _without_question(messages)
    if split is None or not split[1].strip() or len(split[1]) > LONGEST_QUESTION:
        return None
    return digest_of(split[0]), split[1]


def _without_question(value: Any) -> tuple[Any, str] | None:
    if isinstance(value, str):
        return None, value
    if isinstance(value, Mapping):
        content = value.get("content")
        if value.get("role", "user") != "user":
            return None
        if isinstance(content, list):
            texts = [each for each in content if isinstance(each, Mapping) and isinstance(each.get("text"), str)]
            if len(texts) != 1:
                return None
            rest = [{**each, "text": None} if each is texts[0] else each for each in content]
            return {**value, "content": rest}, texts[0]["text"]
        if isinstance(content, str):
            return {**value, "content": None}, content
        # A request as a whole.
        held = value.get("messages")
        split = _without_question(held) if isinstance(held, list) else None
        return None if split is None else ({**value, "messages": split[0]}, split[1])
    if isinstance(value, list) and value:
        split = _without_question(value[-1])
        return None if split is None else ([*value[:-1], split[0]], split[1])
    return None


def prompt_text(messages: Any) -> str:
    """All texts of a request's messages in order, each after its role: what a prompt cache compares."""
    if isinstance(messages, str):
        return messages
    parts: list[str] = []
    _collect(messages, parts)
    return "\n".join(parts)


def _collect(value: Any, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            _collect(each, parts)
    elif isinstance(value, Iterable):
        for each in value:
            _collect(each, parts)
    elif value is not None:
        parts.append(str(value))
