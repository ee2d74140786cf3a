"""Tokens of the images of a request, as OpenAI's and Anthropic's APIs write them: never too few."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from promptopt.media import picture_size
from promptopt.media_tokens import image_tokens
from promptopt.tokens import plain_name

_HEAD_BYTES = 65_536


def part_tokens(model: str, part: Mapping[str, Any]) -> int | None:
    """The most tokens of an image part; ``None`` if no published rule is known for the model.

    An image of unknown size counts as the largest there is.
    """
    inner = part.get("image_url")
    detail = part.get("detail") or (inner.get("detail") if isinstance(inner, Mapping) else None)
    return image_tokens(plain_name(model), _size(part), detail if isinstance(detail, str) else "", at_most=True)


def _size(part: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height of an image that is in the request; ``None`` of one that is not, or cannot be read."""
    inner, source = part.get("image_url"), part.get("source")
    address = inner.get("url") if isinstance(inner, Mapping) else inner
    encoded = source.get("data") if isinstance(source, Mapping) else None
    if isinstance(address, str) and address.startswith("data:"):
        encoded = address.partition(",")[2]
    if not isinstance(encoded, str):
        return None
    try:
        return picture_size(base64.b64decode(encoded[: _HEAD_BYTES * 4 // 3 // 4 * 4]))
    except (binascii.Error, ValueError):
        return None
