"""Which template lines made a prompt longer: two attributions, compared line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from promptopt.templates import Template
from promptopt.templates.attribution import Attribution, Part, attribute


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line or expression of a template, and how many tokens more (or fewer) it prints.

    Attributes:
        path: Its file; if the line is gone, the file of the earlier template.
        kind: ``text``, ``variable``, or ``other`` for framing and schema.
        note: What happened to the line: it is new, removed, changed, or printed more often.
    """

    path: str
    line: int
    kind: str
    source: str
    tokens: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All changes, the largest growth first; they add up to the difference.

    Attributes:
        exact: Whether the lines are those of the templates; if not, they are lines of the rendered texts.
    """

    changes: tuple[LineChange, ...]
    exact: bool


def explain_growth(before: Template, after: Template, variables: Mapping[str, Any], model: str) -> Explanation:
    """What each line contributes to the difference of two templates over the same variables."""
    old, new = (attribute(template, variables, model) for template in (before, after))
    changes = [change for change in (*_lines(old.parts, new.parts), *_wrapping(old, new)) if change.tokens]
    changes.sort(key=lambda change: (-change.tokens, change.path, change.line))
    return Explanation(tuple(changes), old.exact and new.exact)


def _lines(old: Sequence[Part], new: Sequence[Part]) -> Iterator[LineChange]:
    before_keys, after_keys = ([(part.kind, part.source.strip()) for part in parts] for parts in (old, new))
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before_keys, after_keys, autojunk=False).get_opcodes():
        pairs = zip(old[i1:i2], new[j1:j2], strict=False)
        for before, after in pairs:
            note = ""
            if tag == "equal" and before.times != after.times:
                note = f"printed {after.times} times, before {before.times}"
            elif tag == "replace" and before.tokens:
                note = f"before: {before.tokens} tokens"
            yield _change(after, after.tokens - before.tokens, note)
        common = min(i2 - i1, j2 - j1)
        yield from (_change(part, part.tokens, "new") for part in new[j1 + common : j2])
        yield from (_change(part, -part.tokens, "removed") for part in old[i1 + common : i2])


def _change(part: Part, tokens: int, note: str) -> LineChange:
    return LineChange(part.path, part.line, part.kind, part.source.strip(), tokens, note)


def _wrapping(old: Attribution, new: Attribution) -> Iterator[LineChange]:
    path = new.parts[0].path if new.parts else ""
    yield LineChange(path, 1, "other", "(framing of messages)", new.framing - old.framing)
    yield LineChange(path, 1, "other", "(output schema)", new.schema - old.schema)
