"""What a rule proposes: an edit of the text, or a finding that only a person can act on; and edits shown as a diff."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, get_args

from promptopt.tokens import tokenizer_for

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
        together: Of edits that are made all or not at all, what they share; such an edit need not save a token itself.
    """

    start: int
    end: int
    new: str
    rule: str
    message: str
    because: tuple[int, int] | None = None
    together: str = ""


def apply(text: str, edits: Iterable[Edit], offset: int = 0) -> str:
    """``text``, which begins at ``offset`` of the document, with the edits made; edits must not overlap."""
    parts, position = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [text[position : edit.start - offset], edit.new]
        position = edit.end - offset
    return "".join([*parts, text[position:]])


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


CONTEXT = 1


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that changed together.

    Attributes:
        old_line: Number of its first line in the old text, counted from 1.
        new_line: The same in the new text.
        old: The old lines.
        new: The new lines.
        tokens: Input tokens that it saves.
    """

    old_line: int
    new_line: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    tokens: int


def hunks(before: str, after: str, model: str | None = None) -> list[Hunk]:
    """What changed from one text to the other, in order."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    count = tokenizer_for(model).count
    found = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            saved = count("".join(old[i1:i2])) - count("".join(new[j1:j2]))
            found.append(Hunk(i1 + 1, j1 + 1, tuple(old[i1:i2]), tuple(new[j1:j2]), saved))
    return found


def take(before: str, chosen: Sequence[Hunk]) -> str:
    """The old text with only the chosen hunks made."""
    lines = before.splitlines(keepends=True)
    for hunk in sorted(chosen, key=lambda hunk: hunk.old_line, reverse=True):
        start = hunk.old_line - 1
        lines[start : start + len(hunk.old)] = hunk.new
    return "".join(lines)


def hunk_text(hunk: Hunk, before: str) -> str:
    """One hunk of a unified diff; its head says what it saves."""
    lines = before.splitlines(keepends=True)
    start = hunk.old_line - 1
    lead = lines[max(0, start - CONTEXT) : start]
    tail = lines[start + len(hunk.old) : start + len(hunk.old) + CONTEXT]
    shared = len(lead) + len(tail)
    head = (
        f"@@ -{hunk.old_line - len(lead)},{len(hunk.old) + shared} "
        f"+{hunk.new_line - len(lead)},{len(hunk.new) + shared} @@ {-hunk.tokens:+d} tokens"
    )
    body = [f" {line}" for line in lead] + [f"-{line}" for line in hunk.old]
    body += [f"+{line}" for line in hunk.new] + [f" {line}" for line in tail]
    return "\n".join([head, *(_shown(line) for line in body)])


def _shown(line: str) -> str:
    return line.removesuffix("\n") if line.endswith("\n") else f"{line}\n\\ No newline at end of file"


def unified(before: str, after: str, old_name: str, new_name: str, model: str | None = None) -> str:
    """The whole diff; empty if nothing changed. ``patch`` reads it."""
    found = hunks(before, after, model)
    if not found:
        return ""
    return "\n".join([f"--- {old_name}", f"+++ {new_name}", *(hunk_text(hunk, before) for hunk in found)]) + "\n"
