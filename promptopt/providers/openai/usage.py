"""OpenAI's usage objects, of chat completions and of responses, as JSON or as the SDK's objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptopt.values import Usage


def read_usage(usage: Any) -> Usage | None:
    """Tokens of a usage object; a part that is larger than its whole is cut to it.

    Args:
        usage: A mapping out of JSON, or an object of the SDK.

    Returns:
        ``None`` if there is none, or if it counts nothing.

    Raises:
        ValueError: A count is negative or not a number; so does ``TypeError``.
    """
    total, output = _get(usage, "prompt_tokens", "input_tokens"), _get(usage, "completion_tokens", "output_tokens")
    if total is None:
        return None
    total, output = int(total), int(output or 0)
    read = _get(usage, "prompt_tokens_details", "input_tokens_details")
    written = _get(usage, "completion_tokens_details", "output_tokens_details")
    cached = min(int(_get(read, "cached_tokens") or 0), total)
    return Usage(
        input_tokens=total,
        cache_read_tokens=cached,
        cache_write_tokens=min(int(_get(read, "cache_write_tokens") or 0), total - cached),
        output_tokens=output,
        output_reasoning_tokens=min(int(_get(written, "reasoning_tokens") or 0), output),
        input_audio_tokens=min(int(_get(read, "audio_tokens") or 0), total),
        output_audio_tokens=min(int(_get(written, "audio_tokens") or 0), output),
    )


def usage_or_none(usage: Any) -> Usage | None:
    """As :func:`read_usage`, and ``None`` if the numbers are wrong."""
    try:
        return read_usage(usage)
    except (TypeError, ValueError, OverflowError):
        return None


def _get(holder: Any, *names: str) -> Any:
    """The first of these fields that is set."""
    if isinstance(holder, Mapping):
        return next((holder[name] for name in names if holder.get(name) is not None), None)
    return next((value for name in names if (value := getattr(holder, name, None)) is not None), None)
