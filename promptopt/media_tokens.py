"""Input tokens of pictures, sounds and files by the rules that providers publish: estimates; ``None`` without a rule.

- OpenAI, "Images and vision" (developers.openai.com/api/docs/guides/images-vision), "Calculating costs". Models of
  tiles scale an image into 2048 x 2048 and its shorter side to 768, and bill squares of 512; models of patches bill
  squares of 32, scaled to at most 1,536 of them, times a factor. What a sound or a PDF costs is not published.
- Anthropic, "Vision" (platform.claude.com/docs/en/build-with-claude/vision): squares of 28, scaled to a longest edge
  and a number of squares by model. What a PDF costs is published as a range only.
- Google, "Understand and count tokens" and "Media resolution" (ai.google.dev/gemini-api/docs): 258 for each tile and
  each page of a PDF up to Gemini 2.5, a number by resolution from Gemini 3 on; 32 for a second of sound.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TypeVar

from promptopt.media import pdf_pages, picture_size, wav_seconds
from promptopt.messages import Media

T = TypeVar("T")
Size = tuple[int, int]

# OpenAI: tokens of an image itself, and of each tile.
_TILES = {
    "gpt-4o-mini": (2833, 5667),
    "gpt-4o": (85, 170),
    "chatgpt-4o": (85, 170),
    "gpt-4.1": (85, 170),
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
    "gpt-5-mini": 1.62,
    "gpt-5-nano": 2.46,
    "gpt-5.4-mini": 1.62,
    "gpt-5.4-nano": 2.46,
    "o4-mini": 1.72,
}
# Exactly these, dated or not: the models after them have other rules.
_TILED_EXACTLY = {"gpt-5": (70, 140)}
_TILE, _PATCH, _MOST_PATCHES, _MOST_TILES = 512, 32, 1536, 8
# With low detail the model sees 512 x 512.
_LOW_PATCHES = (512 // _PATCH) ** 2

# Anthropic: longest edge and most squares, of models before and from 4.7 on.
_SQUARE = 28
_STANDARD, _HIGH = (1568, 1568), (2576, 4784)
_CLAUDE = re.compile(r"claude-(?P<name>[a-z]+)-(?P<major>\d{1,2})(?:-(?P<minor>\d{1,2}))?(?!\d)")

# Google: tokens of an image by resolution, and of a page, from Gemini 3 on.
_GEMINI = re.compile(r"gemini-(\d+)")
_RESOLUTIONS = {"": (1120, 560), "auto": (1120, 560), "low": (280, 280), "high": (1120, 1120)}
_GEMINI_TILE, _GEMINI_SMALL, _LOW_IMAGE = 258, 384, 64
_SOUND_SECOND = 32


def media_tokens(medium: Media, model: str, detail: str = "") -> int | None:
    """Tokens of a medium for a model; ``None`` if no published rule says it, or the header does not say its size.

    Args:
        model: Its plain name, without a provider.
        detail: Of images that have none of their own.
    """
    if medium.url:
        size = None
        if medium.kind != "image" or (medium.detail or detail) != "low":
            return None
    else:
        size = picture_size(medium.data) if medium.kind == "image" else None
    if medium.kind == "image":
        return image_tokens(model, size, medium.detail or detail)
    version = _gemini(model)
    if version is None:
        return None
    if medium.kind == "audio":
        seconds = wav_seconds(medium.data)
        return None if seconds is None else math.ceil(seconds * _SOUND_SECOND)
    pages = pdf_pages(medium.data) if medium.media_type == "application/pdf" else None
    if pages is None:
        return None
    return pages * (_GEMINI_TILE if version < 3 else _RESOLUTIONS.get(detail, _RESOLUTIONS[""])[1])


def why_uncounted(medium: Media, model: str | None) -> str:
    """A medium without a count, and why it has none."""
    if model is None:
        return f"{medium.shown}: no model is named"
    if medium.url:
        return f"{medium.shown}: the size of what is at an address is not known"
    if (image_tokens(model, (1, 1)) if medium.kind == "image" else _gemini(model)) is None:
        what = {"image": "images", "audio": "sounds"}.get(medium.kind, medium.media_type)
        return f"{medium.shown}: no published rule says how many tokens {what} have with {model}"
    return f"{medium.shown}: its header does not say how large or how long it is"


def image_tokens(model: str, size: Size | None, detail: str = "", *, at_most: bool = False) -> int | None:
    """Tokens of an image; ``None`` if no published rule is known for the model, or the rule needs a size.

    Args:
        size: Width and height in pixels, if they are known.
        at_most: Never too few, as a budget needs it: an image of unknown size counts as the largest there is.
    """
    if "claude" in model:
        return _anthropic(model, size, at_most=at_most)
    if (version := _gemini(model)) is not None:
        return _google(version, size, detail)
    factor = _longest(model, _PATCHES)
    tiles = _longest(model, _TILES) or next((rule for key, rule in _TILED_EXACTLY.items() if _is(model, key)), None)
    if factor is not None:
        return _patches(factor, size, detail, at_most=at_most)
    if tiles is None:
        return None
    base, each = tiles
    if detail == "low":
        return base
    if at_most and model.startswith("gpt-4.1"):
        # It has been billed by either rule.
        return max(base + each * _MOST_TILES, _patches(1.0, size, "", at_most=True) or 0)
    if size is None:
        return base + each * _MOST_TILES if at_most else None
    return base + each * _tiles(*size)


def _longest(name: str, rules: Mapping[str, T]) -> T | None:
    found = [key for key in rules if name == key or name.startswith(f"{key}-")]
    return rules[max(found, key=len)] if found else None


def _is(name: str, model: str) -> bool:
    rest = name.removeprefix(model)
    return name == model or (rest != name and rest[:2] == "-2")


def _tiles(width: int, height: int) -> int:
    shrink = min(1.0, 2048 / max(width, height))
    shrink *= min(1.0, 768 / (min(width, height) * shrink))
    return min(_MOST_TILES, _squares(width * shrink, height * shrink, _TILE))


def _patches(factor: float, size: Size | None, detail: str, *, at_most: bool) -> int | None:
    if at_most:
        # What low detail is billed as is said less clearly than what it shows.
        return math.ceil((_MOST_PATCHES if size is None else min(_MOST_PATCHES, _squares(*size, _PATCH))) * factor)
    if detail == "low":
        return math.ceil(_LOW_PATCHES * factor)
    return None if size is None else math.ceil(_scaled_patches(*size) * factor)


def _scaled_patches(width: int, height: int) -> int:
    """Patches of an image after the scaling of the guide: it fills whole patches in one direction."""
    if _squares(width, height, _PATCH) <= _MOST_PATCHES:
        return _squares(width, height, _PATCH)
    shrink = math.sqrt(_PATCH**2 * _MOST_PATCHES / (width * height))
    across, down = width * shrink / _PATCH, height * shrink / _PATCH
    fit = min(max(1, math.floor(across)) / across, max(1, math.floor(down)) / down)
    return min(_MOST_PATCHES, _squares(max(1, width * shrink * fit), max(1, height * shrink * fit), _PATCH))


def _squares(width: float, height: float, side: int) -> int:
    return math.ceil(round(width / side, 6)) * math.ceil(round(height / side, 6))


def _anthropic(model: str, size: Size | None, *, at_most: bool) -> int | None:
    found = _CLAUDE.search(model)
    version = (int(found["major"]), int(found["minor"] or 0)) if found else (0, 0)
    edge, most = _HIGH if version >= (4, 7) else _STANDARD
    if size is None:
        return most if at_most else None
    longer, shorter = max(size), min(size)
    for long in range(min(longer, edge), 0, -1):
        tokens = _squares(long, max(1, round(shorter * long / longer)), _SQUARE)
        if tokens <= most:
            return tokens
    return most


def _gemini(model: str) -> int | None:
    found = _GEMINI.search(model)
    return int(found[1]) if found else None


def _google(version: int, size: Size | None, detail: str) -> int | None:
    if version >= 3:
        return _RESOLUTIONS[detail][0] if detail in _RESOLUTIONS else None
    if detail == "low":
        return _LOW_IMAGE
    if size is None:
        return None
    if max(size) <= _GEMINI_SMALL:
        return _GEMINI_TILE
    side = min(max(math.floor(min(size) / 1.5), 256), 768)
    return _GEMINI_TILE * _squares(*size, side)
