"""Where Anthropic's prompt cache is told to keep what a request begins with: breakpoints, ``cache_control``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Anthropic, "Prompt caching" (docs.anthropic.com/en/docs/build-with-claude/prompt-caching): the fewest tokens that are
# kept, by the beginning of a model's name; the first that fits.
_MINIMUMS = (
    ("claude-haiku-4-5", 4096),
    ("claude-opus-4-5", 4096),
    ("claude-opus-4-6", 4096),
    ("claude-opus-4-7", 2048),
    # Documented as 1,024; 2,048 were needed (anthropics/anthropic-sdk-python#1194).
    ("claude-sonnet-4-6", 2048),
    ("claude-3-5-haiku", 2048),
    ("claude-3-haiku", 2048),
    ("claude-opus-5", 512),
    ("claude-fable-5", 512),
    ("claude-mythos-5", 512),
)
_MINIMUM = 1024
_BREAKPOINT = {"type": "ephemeral"}


def minimum_tokens(model: str) -> int:
    """The fewest tokens of a prefix that a model's prompt cache keeps."""
    name = model.rpartition("/")[2]
    return next((tokens for start, tokens in _MINIMUMS if name.startswith(start)), _MINIMUM)


def has_own(body: Mapping[str, Any]) -> bool:
    """Whether the caller has placed breakpoints, and so decides about all of them."""
    return next(_breakpoints(body), None) is not None


def wants_an_hour(body: Mapping[str, Any]) -> bool:
    """Whether the caller has placed a breakpoint whose prefix is kept for an hour."""
    return any(isinstance(each, Mapping) and each.get("ttl") == "1h" for each in _breakpoints(body))


def _breakpoints(body: Mapping[str, Any]) -> Iterator[Any]:
    if "cache_control" in body:
        yield body["cache_control"] or {}
    for name in ("tools", "system", "messages"):
        yield from _marked(body.get(name))


def _marked(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _marked(each)
    elif isinstance(value, Mapping):
        if (own := value.get("cache_control")) is not None:
            yield own
        yield from _marked(value.get("content"))


def static_parts(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a request begins with and mostly never changes, in the order in which it is cached."""
    for name in ("tools", "system"):
        if body.get(name):
            yield name, body[name]


def with_breakpoint(part: Any) -> Any:
    """Tools or a system prompt with a breakpoint at the end; ``None`` if there is no place for one."""
    if isinstance(part, str):
        return [{"type": "text", "text": part, "cache_control": _BREAKPOINT}]
    if not isinstance(part, list) or not part or not isinstance(part[-1], Mapping):
        return None
    return [*part[:-1], {**part[-1], "cache_control": _BREAKPOINT}]
