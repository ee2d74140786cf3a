"""Tokens of images, as the provider's published rules have them: an estimate, and never too few for its models.

Source: OpenAI, "Images and vision", section "Calculating costs" (platform.openai.com/docs/guides/images-vision). Models
of tiles scale an image into 2048 x 2048, its shorter side to 768, and bill squares of 512; models of patches bill
squares of 32, at most 1,536 of them, times a factor.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from typing import Any, TypeVar

from promptopt.tokens import base_model

T = TypeVar("T")

# Tokens of an image itself, and of each tile.
_TILES = {
    "gpt-4o-mini": (2833, 5667),
    "gpt-4o": (85, 170),
    "chatgpt-4o": (85, 170),
    "gpt-4.5": (85, 170),
    "gpt-4-turbo": (85, 170),
    "gpt-4-vision": (85, 170),
    "gpt-5-chat": (70, 140),
    "computer-use-preview": (65, 129),
    "o1": (75, 150),
    "o3": (75, 150),
}
# What a patch counts as.
_PATCHES = {
    "gpt-4.1-mini": 1.62,
    "gpt-4.1-nano": 2.46,
    "gpt-4.1": 1.0,
    "gpt-5-mini": 1.62,
    "gpt-5-nano": 2.46,
    "o4-mini": 1.72,
}
# Exactly these, dated or not: the models after them have other rules.
_TILED_EXACTLY = {"gpt-5": (70, 140)}
_TILE, _PATCH, _MOST_PATCHES, _MOST_TILES = 512, 32, 1536, 8
_HEAD_BYTES = 65_536


def image_tokens(model: str, part: Mapping[str, Any]) -> int | None:
    """The most tokens of an image part; ``None`` if no published rule is known for the model.

    An image of unknown size counts as the largest there is.
    """
    name = base_model(model) or model.rpartition("/")[2]
    size = _size(part)
    tiles = _longest(name, _TILES) or next((rule for key, rule in _TILED_EXACTLY.items() if _is(name, key)), None)
    factor = _longest(name, _PATCHES)
    if tiles is not None and factor is None:
        base, each = tiles
        if _detail(part) == "low":
            return base
        return base + each * (_MOST_TILES if size is None else _tiles(*size))
    if factor is None:
        return None
    patches = _MOST_PATCHES if size is None else min(_MOST_PATCHES, _squares(*size, _PATCH))
    # The full gpt-4.1 has been billed by either rule.
    return max(math.ceil(patches * factor), 85 + 170 * _MOST_TILES if factor == 1 else 0)


def _longest(name: str, rules: Mapping[str, T]) -> T | None:
    found = [key for key in rules if name == key or name.startswith(f"{key}-")]
    return rules[max(found, key=len)] if found else None


def _is(name: str, model: str) -> bool:
    rest = name.removeprefix(model)
    return rest != name and (not rest or rest[:2] == "-2")


def _detail(part: Mapping[str, Any]) -> Any:
    inner = part.get("image_url")
    return part.get("detail") or (inner.get("detail") if isinstance(inner, Mapping) else None)


def _tiles(width: int, height: int) -> int:
    shrink = min(1.0, 2048 / max(width, height))
    shrink *= min(1.0, 768 / (min(width, height) * shrink))
    return min(_MOST_TILES, _squares(width * shrink, height * shrink, _TILE))


def _squares(width: float, height: float, side: int) -> int:
    return math.ceil(round(width / side, 6)) * math.ceil(round(height / side, 6))


def _size(part: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height of an image that is in the request; ``None`` of one that is not, or cannot be read."""
    inner = part.get("image_url")
    url = inner.get("url") if isinstance(inner, Mapping) else inner
    if not isinstance(url, str) or not url.startswith("data:"):
        return None
    encoded = url.partition(",")[2][: _HEAD_BYTES * 4 // 3 // 4 * 4]
    try:
        width, height = _pixels(base64.b64decode(encoded))
    except (binascii.Error, struct.error, IndexError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _pixels(data: bytes) -> tuple[int, int]:
    """Raises ValueError if it is none of PNG, GIF, JPEG; ``struct.error`` or ``IndexError`` if it is cut off."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:6] in (b"GIF87a", b"GIF89a"):
        width, height = struct.unpack("<HH", data[6:10])
        return width, height
    if not data.startswith(b"\xff\xd8"):
        raise ValueError("not an image whose size is read here")
    at = 2
    while True:
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        # Start of frame, but for the three markers in that range that are something else.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
