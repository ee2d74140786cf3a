"""What a rule proposes: an edit of the text, or a finding that only a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Level = Literal["safe", "standard", "telegraphic"]
LEVELS: tuple[Level, ...] = get_args(Level)


def includes(level: Level, other: Level) -> bool:
    """Whether a compression at ``level`` applies rules of the level ``other``."""
    return LEVELS.index(other) <= LEVELS.index(level)


@dataclass(frozen=True, slots=True)
class Edit:
    """A proposed change of a text.

    Attributes:
        start: Position of the first character that is replaced.
        end: Position after the last one; always greater than ``start``.
        new: The replacement; empty to delete.
        rule: Code of the rule that proposes it.
        message: What is wrong and what to do, in one line.
        because: For a removal: the range of the text that says the same and stays.
    """

    start: int
    end: int
    new: str
    rule: str
    message: str
    because: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that costs money and that only a person can change.

    Attributes:
        start: Position in the text.
        rule: Code of the rule that reports it.
        message: What is wrong and what to do, in one line.
        tokens: Input tokens that the change would save with each call; 0 if unknown.
    """

    start: int
    rule: str
    message: str
    tokens: int = 0
