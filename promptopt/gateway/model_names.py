"""Under which name a model is counted, whatever name it is asked by."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

# gpt-4o-2024-08-06, claude-sonnet-4-5-20250929, claude-sonnet-4-5@20250929, gpt-5-chat-latest
_DATED = re.compile(r"(?:[-@]20\d{2}-?[01]\d-?[0-3]\d|-latest)$")


@lru_cache(maxsize=1024)
def plain_name(model: str) -> str:
    """A model's name in small letters, without the provider before it and the date of its version after it."""
    return _DATED.sub("", model.rpartition("/")[2].lower())


def entry_of(model: str, names: Collection[str]) -> str | None:
    """The entry of a table that counts a model: its own, that of its plain name, or the longest pattern that fits.

    Args:
        names: Models, each perhaps with ``*`` at its end; ``*`` alone is no entry of anybody's.
    """
    return _entry_of(model, tuple(names))


@lru_cache(maxsize=4096)
def _entry_of(model: str, names: tuple[str, ...]) -> str | None:
    if model in names:
        return model
    plain = plain_name(model)
    for name in names:
        if not name.endswith("*") and plain in (name.lower(), plain_name(name)):
            return name
    fits = [name for name in names if len(name) > 1 and name.endswith("*") and _begins(model, plain, name[:-1].lower())]
    return max(fits, key=len, default=None)


def _begins(model: str, plain: str, start: str) -> bool:
    return model.lower().startswith(start) or plain.startswith(start)
