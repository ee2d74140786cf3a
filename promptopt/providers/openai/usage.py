"""OpenAI's usage objects, of chat completions and of responses, as JSON or as the SDK's objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from promptopt.values import Usage


def read_usage(usage: Any) -> Usage | None:
    """Tokens of a usage object; a part that is larger than its whole is cut to it.

    OpenAI counts cached tokens inside the input, and reasoning inside the output. Some that speak its language count
    them beside (gateways before Anthropic's models, xAI): then ``total_tokens`` is the sum of all, or the part is
    larger than what it would be inside of. Of what only the total counts, and no part, the most expensive is assumed:
    output.

    Args:
        usage: A mapping out of JSON, or an object of the SDK.

    Returns:
        ``None`` if there is none, or if it counts nothing.

    Raises:
        ValueError: A count is negative or not a number; so does ``TypeError``.
    """
    said = _fields(usage)
    total, output = _first(said, "prompt_tokens", "input_tokens"), _first(said, "completion_tokens", "output_tokens")
    if total is None:
        return None
    total, output = int(total), int(output or 0)
    details = _fields(_first(said, "prompt_tokens_details", "input_tokens_details"))
    written = _fields(_first(said, "completion_tokens_details", "output_tokens_details"))
    read = int(details("cached_tokens") or _first(said, *_READ) or 0)
    wrote = int(_first(details, "cache_write_tokens", "cache_creation_tokens") or said(_WROTE) or 0)
    kept = details("cache_creation_token_details") or said("cache_creation")
    hour = int(_fields(kept)(_WROTE_1H) or 0) if kept else 0
    reasoning = int(written("reasoning_tokens") or 0)
    cached_beside, reasoning_beside = _beside(total, output, read + wrote, reasoning, said("total_tokens"))
    total += (read + wrote) * cached_beside
    output += reasoning * reasoning_beside
    if not read + wrote + reasoning:
        # Gemini's thoughts are in the total alone.
        reasoning = max(0, int(said("total_tokens") or 0) - total - output)
        output += reasoning
    read = min(read, total)
    wrote = min(wrote, total - read)
    return Usage(
        input_tokens=total,
        cache_read_tokens=read,
        cache_write_tokens=wrote,
        output_tokens=output,
        output_reasoning_tokens=min(reasoning, output),
        input_audio_tokens=min(int(details("audio_tokens") or 0), total),
        output_audio_tokens=min(int(written("audio_tokens") or 0), output),
        cache_write_1h_tokens=min(hour, wrote),
    )


# DeepSeek's, Moonshot's, and Anthropic's names, which gateways repeat beside OpenAI's.
_READ = ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
_WROTE = "cache_creation_input_tokens"
_WROTE_1H = "ephemeral_1h_input_tokens"


def _beside(total: int, output: int, cached: int, reasoning: int, said: Any) -> tuple[bool, bool]:
    """Whether cached tokens and reasoning are counted beside input and output.

    The way whose sum is what is said; if none is, a part that is larger than the whole is beside it.
    """
    if said == total + output:
        return False, False
    ways = [(cached_beside, reasoning_beside) for cached_beside in (False, True) for reasoning_beside in (False, True)]
    sums = {way: total + output + cached * way[0] + reasoning * way[1] for way in ways}
    return next((way for way in ways if sums[way] == said), (cached > total, reasoning > output))


def measured(usage: Usage | None, answered: bool) -> Usage | None:
    """The usage of an answer; ``None`` if it counts nothing of the question, or of an answer that is there.

    Some endpoints write zeros, or the input alone; the tokens are then counted, as without a usage.
    """
    if usage is None or not usage.input_tokens or (answered and not usage.output_tokens):
        return None
    return usage


def usage_or_none(usage: Any) -> Usage | None:
    """As :func:`read_usage`, and ``None`` if the numbers are wrong."""
    try:
        return read_usage(usage)
    except (TypeError, ValueError, OverflowError):
        return None


def _fields(holder: Any) -> Callable[[str], Any]:
    """Gives the fields of a mapping or an object by name, and ``None`` for one that it does not have."""
    # The test for an abstract type takes ten times as long as that for a dict, which most are.
    if isinstance(holder, dict):
        return holder.get
    if holder is None:
        return _NOTHING.get
    return holder.get if isinstance(holder, Mapping) else lambda name: getattr(holder, name, None)


_NOTHING: Mapping[str, Any] = {}


def _first(fields: Callable[[str], Any], *names: str) -> Any:
    """The first of these fields that is set."""
    for name in names:
        if (value := fields(name)) is not None:
            return value
    return None
