"""Which template lines made a prompt longer: two attributions, compared line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from promptopt.experiment.conversation import case_renderings
from promptopt.suites import Case
from promptopt.templates import Template
from promptopt.templates.attribution import Attribution, Part, attribute
from promptopt.templates.frontmatter import front_matter_end, written_schema

_WORD = re.compile(r"\w+")
# Of the words of two lines, if one is to be the former text of the other.
_SIMILAR = 0.5
_MOST_PAIRS = 10_000


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
        of_growth: The growth that was explained, if it is another case's: that of the most similar one.
    """

    changes: tuple[LineChange, ...]
    exact: bool
    of_growth: int | None = None


def explain_growth(before: Template, after: Template, case: Case, model: str) -> Explanation:
    """What each line contributes to the difference of two templates over the same case: in all turns together."""
    renderings = case_renderings(after, case)
    # What is rendered once is in the request of every turn.
    times = max(1, len(case.turns)) // len(renderings)
    found: list[LineChange] = []
    exact = True
    for variables in renderings:
        old, new = (attribute(template, variables, model) for template in (before, after))
        exact = exact and old.exact and new.exact
        found += (*_lines(old.parts, new.parts), *_wrapping(old, new, after))
    if len(renderings) > 1:
        found = _summed(found)
    changes = [replace(change, tokens=change.tokens * times) for change in found if change.tokens]
    changes.sort(key=lambda change: (-change.tokens, change.path, change.line))
    return Explanation(tuple(changes), exact)


def _summed(changes: Sequence[LineChange]) -> list[LineChange]:
    """The changes of several renderings, each line once."""
    found: dict[LineChange, int] = {}
    for change in changes:
        key = replace(change, tokens=0)
        found[key] = found.get(key, 0) + change.tokens
    return [replace(change, tokens=tokens) for change, tokens in found.items()]


def _lines(old: Sequence[Part], new: Sequence[Part]) -> Iterator[LineChange]:
    before_keys, after_keys = ([(part.kind, part.source.strip()) for part in parts] for parts in (old, new))
    gone: list[Part] = []
    added: list[Part] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before_keys, after_keys, autojunk=False).get_opcodes():
        if tag == "equal":
            for before, after in zip(old[i1:i2], new[j1:j2], strict=True):
                yield _paired(before, after)
        else:
            gone += old[i1:i2]
            added += new[j1:j2]
    for before, after in _related(gone, added):
        gone.remove(before)
        added.remove(after)
        yield _paired(before, after)
    yield from (_change(part, part.tokens, "new") for part in added)
    yield from (_change(part, -part.tokens, "removed") for part in gone)


def _related(gone: Sequence[Part], added: Sequence[Part]) -> Iterator[tuple[Part, Part]]:
    """Which line became which: first those that only moved, then the most similar ones."""
    before, after = list(gone), list(added)
    moved: dict[tuple[str, str], list[Part]] = {}
    for part in before:
        moved.setdefault((part.kind, part.source.strip()), []).append(part)
    for part in added:
        if known := moved.get((part.kind, part.source.strip())):
            former = known.pop(0)
            before.remove(former)
            after.remove(part)
            yield former, part
    if len(before) * len(after) > _MOST_PAIRS:
        # A rewritten prompt: its lines have no former ones.
        return
    scored = [
        (ratio, i, j)
        for i, former in enumerate(before)
        for j, part in enumerate(after)
        if former.kind == part.kind and (ratio := _ratio(former.source, part.source)) >= _SIMILAR
    ]
    taken: set[tuple[str, int]] = set()
    for _, i, j in sorted(scored, key=lambda entry: (-entry[0], entry[1], entry[2])):
        if taken.isdisjoint({("old", i), ("new", j)}):
            taken |= {("old", i), ("new", j)}
            yield before[i], after[j]


def _ratio(old: str, new: str) -> float:
    return SequenceMatcher(None, _WORD.findall(old), _WORD.findall(new), autojunk=False).ratio()


def _paired(before: Part, after: Part) -> LineChange:
    """A line that is still there, perhaps at another place or with other words."""
    note = ""
    if before.source.strip() != after.source.strip():
        note = f"before: {before.tokens} tokens"
    elif before.times != after.times:
        note = f"printed {after.times} times, before {before.times}"
    return _change(after, after.tokens - before.tokens, note)


def _change(part: Part, tokens: int, note: str) -> LineChange:
    return LineChange(part.path, part.line, part.kind, part.source.strip(), tokens, note)


def _wrapping(old: Attribution, new: Attribution, template: Template) -> Iterator[LineChange]:
    yield LineChange(template.path, 1, "other", "(framing of messages)", new.framing - old.framing)
    if new.schema != old.schema:
        path, line = _written_at(template, "output_schema")
        yield LineChange(path, line, "other", "(output schema)", new.schema - old.schema)
    if old.tools == new.tools:
        return
    path, line = _written_at(template, "tools")
    before, after = dict(old.tools), dict(new.tools)
    for name in {**before, **after}:
        yield LineChange(path, line, "other", f"(tool {name})", after.get(name, 0) - before.get(name, 0))


def _written_at(template: Template, key: str) -> tuple[str, int]:
    """Where the output schema or the tools of a prompt are: a file of their own, or a line of its front matter."""
    written = written_schema(template.source, template.name, template.reader, key)
    if written is not None and written[0] != template.name:
        return template.reader.display(written[0]), 1
    front = template.source[: front_matter_end(template.source)].splitlines()
    number = next((n for n, line in enumerate(front, 1) if line.startswith(f"{key}:")), 1)
    return template.path, template.line(number)
