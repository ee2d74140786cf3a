"""What the guard says of a rewrite: what it lost or added, and whether that is certain or for a reader to decide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deviation:
    """Something that only the original asks for, or only the rewrite.

    Attributes:
        what: As a person would name it.
        is_certain: Whether nobody who reads both can take it for the same: a number, a quoted text, the only denial.
            Else words are missing, or are elsewhere, and whether anything is missing with them is a matter of meaning.
        is_added: Whether only the rewrite asks for it.
    """

    what: str
    is_certain: bool = False
    is_added: bool = False

    def __str__(self) -> str:
        return self.what


def certain(names: Iterable[str], *, is_added: bool = False) -> list[Deviation]:
    """Deviations that need no reader."""
    return [Deviation(name, is_certain=True, is_added=is_added) for name in names]


def suspected(names: Iterable[str], *, is_added: bool = False) -> list[Deviation]:
    """Deviations that a reader may find to be none."""
    return [Deviation(name, is_added=is_added) for name in names]


def named_once(found: Iterable[Deviation]) -> list[Deviation]:
    """Each name once, in order; certain if one of them is."""
    first: dict[tuple[bool, str], Deviation] = {}
    for one in found:
        if one.is_certain:
            first[one.is_added, one.what] = one
        else:
            first.setdefault((one.is_added, one.what), one)
    return list(first.values())


def would(found: Iterable[Deviation]) -> str:
    """What a rewrite would do, as the rest of a sentence that begins with "it".

    Returns:
        The losses if there are any, else the additions; empty if nothing differs.
    """
    deviations = list(found)
    for verb, is_added in (("lose", False), ("add", True)):
        if names := [one.what for one in deviations if one.is_added is is_added]:
            return f"would {verb} " + ", ".join(names)
    return ""
