"""The unit of optimisation: a proposed change of a text, with its reason."""

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
    """A proposed change.

    Attributes:
        start: Position in the document's text.
        end: Behind the last character that is replaced.
        new: What stands there afterwards; ``None`` for a finding that only a person can act on.
        rule: Code of the rule that proposes it.
        message: What is wrong and what to do, in one line.
        because: For a removal: where the sentence stands that says the same.
        tokens: Input tokens that a finding without an edit would save; edits are counted.
    """

    start: int
    end: int
    new: str | None
    rule: str
    message: str
    because: tuple[int, int] | None = None
    tokens: int = 0
