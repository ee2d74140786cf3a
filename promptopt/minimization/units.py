"""What can be taken out of a prompt: sentences, list items, sections, examples, descriptions and fields of schemas.

Any subset of the units can go, and what is left parses and renders: a block of control flow is never cut in half, a
heading goes with the last unit below it, and of what a case puts in, the last mention stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from promptopt.compression.engine import with_files
from promptopt.compression.facts.stated import facts, word_facts
from promptopt.compression.masks import Zone, mask
from promptopt.compression.sentences import is_english, is_english_part
from promptopt.compression.text.masked_lines import MASK
from promptopt.errors import UsageError
from promptopt.minimization.nodes import Node
from promptopt.minimization.numbering import renumbered
from promptopt.minimization.schema_units import SchemaPart, SchemaText, schema_texts
from promptopt.minimization.segments import segment
from promptopt.templates import Template
from promptopt.templates.source import read_source

UnitKind = Literal[
    "sentence", "list item", "section", "block", "example", "message", "include", "description", "field", "given"
]

# What these say may matter in cases that nobody wrote: a limit, a condition, something that must not be done.
_TELLING = frozenset({"negation", "condition", "limit", "modal", "restriction", "number", "enum", "date", "quote"})
_NOT_TELLING = frozenset({"whole"})
# Verbs that forbid, beside those that the facts have as negations.
_FORBIDS = re.compile(
    r"\b(?:refus|declin|disregard|withh[eo]ld|conceal|redact|hid(?:e|ing|den)\b|leav(?:e|ing) out\b|reject"
    r"|den(?:y|ies)\b|confidential|secret)",
    re.IGNORECASE,
)
# What no edit may touch says something all the same, and code in its words: a number in it limits nothing.
_SAYING = frozenset({"example", "table", "tag", "data"})
_TELLING_IN_CODE = _TELLING - {"number", "enum", "date", "quote"}


@dataclass(frozen=True, slots=True)
class Unit:
    """Something that can be taken out by itself.

    Attributes:
        id: ``u1``, ``u2``, ... in the order of the prompt; its descriptions and fields come last.
        text: What is taken out.
        line: Line of ``path`` that it begins in, counted from 1.
        path: The file that it is in.
        spans: Where it is in the prompt's own text; empty for a part of a schema.
        telling: Whether it states a fact that a case may depend on: a condition, a limit, a number, a negation; or may
            state one, since facts are read in English only.
        readable: Whether it is known what it says: it is in English, and an expression names no file that it includes.
        section: The heading or lead-in that it is below; empty if there is none.
    """

    id: str
    kind: UnitKind
    text: str
    line: int
    path: str
    spans: tuple[tuple[int, int], ...] = ()
    telling: bool = False
    section: str = ""
    readable: bool = True

    @property
    def shown(self) -> str:
        """Its text on one line."""
        return " ".join(self.text.split())


@dataclass(frozen=True)
class Units:
    """The units of a prompt, and the prompt without any of them.

    Attributes:
        groups: Units that belong together, from the coarsest to the finest: sections, lists, messages.
    """

    template: Template
    units: tuple[Unit, ...]
    groups: tuple[tuple[str, ...], ...]
    _tree: tuple[Node, ...] = field(repr=False)
    _leaves: Mapping[int, str] = field(repr=False)
    schemas: tuple[SchemaText, ...] = field(repr=False)
    _parts: Mapping[str, SchemaPart] = field(repr=False)

    def __getitem__(self, unit: str) -> Unit:
        return next(each for each in self.units if each.id == unit)

    def without(self, removed: Collection[str]) -> Template:
        """The prompt without some units.

        Raises:
            KeyError: There is no such unit.
        """
        if not removed:
            return self.template
        return with_files(self.template, self.files_without(removed))

    def files_without(self, removed: Collection[str]) -> dict[str, str]:
        """The texts of the prompt's own file, and of the files with tools and schemas that change."""
        if unknown := set(removed) - {unit.id for unit in self.units}:
            raise KeyError(f"no unit {min(unknown)}")
        ranges = list(_cut(self._tree, self._leaves, frozenset(removed)))
        text = self.template.source
        numbers = renumbered(self._tree, ranges, text) if ranges else []
        files = {self.template.name: _without(text, ranges, numbers)}
        for each in self.schemas:
            gone = [part for unit, part in self._parts.items() if unit in removed and part.text is each]
            if gone:
                files[each.name] = each.without(gone, files.get(each.name, each.original))
        return files

    def unused(self, removed: Collection[str]) -> tuple[str, ...]:
        """Variables that the prompt uses and the shorter one does not."""
        return tuple(sorted(self.template.variables() - self.without(removed).variables()))


def read_units(template: Template, given: Sequence[str] = ()) -> Units:
    """The units of a prompt.

    Args:
        given: Texts that are in the prompt's file once each, without front matter: they are its units then, and
            nothing else is.

    Raises:
        UsageError: A given text is not in the prompt once, overlaps another one, or cuts a block in half.
    """
    if given:
        return _given_units(template, given)
    source = read_source(template.source)
    tree = tuple(segment(source))
    english = is_english(_prose(template.source))
    units: list[Unit] = []
    leaves: dict[int, str] = {}
    for node, section in _leaves_of(tree):
        if node.kept:
            continue
        unit = _text_unit(template, f"u{len(units) + 1}", node, section, english)
        leaves[node.start] = unit.id
        units.append(unit)
    schemas = tuple(schema_texts(template))
    parts: dict[str, SchemaPart] = {}
    for text in schemas:
        for part in text.parts:
            readable = _is_readable(part.written, english)
            unit = Unit(
                f"u{len(units) + 1}", part.kind, part.written, part.line, text.path, (),
                not readable or _states_fact(part.written), part.place, readable,
            )  # fmt: skip
            parts[unit.id] = part
            units.append(unit)
    groups = [group for group in _groups(tree, leaves) if 1 < len(group) < len(units)]
    examples = tuple(unit.id for unit in units if unit.kind == "example")
    groups += [examples] if 1 < len(examples) < len(units) else []
    groups += [
        tuple(unit for unit, part in parts.items() if part.text is text) for text in schemas if len(text.parts) > 1
    ]
    return Units(template, tuple(units), tuple(dict.fromkeys(groups)), tree, leaves, schemas, parts)


def _given_units(template: Template, given: Sequence[str]) -> Units:
    source = read_source(template.source)
    spans: list[tuple[int, int]] = []
    for text in given:
        count = template.source.count(text, source.front_end) if text.strip() else 0
        start = template.source.find(text, source.front_end)
        if count != 1:
            raise UsageError(f"the unit {text[:60]!r} is {count} times in {template.path}: a unit is there once")
        spans.append((start, start + len(text)))
    order = sorted(range(len(spans)), key=lambda number: spans[number])
    for one, other in pairwise(order):
        if spans[one][1] > spans[other][0]:
            raise UsageError(f"the units {given[one][:40]!r} and {given[other][:40]!r} overlap")
    english = is_english(_prose(template.source))
    nodes, leaves, units = [], {}, []
    for number, (start, end) in enumerate(spans, 1):
        if not source.balanced(start, end):
            raise UsageError(f"the unit {given[number - 1][:60]!r} cuts a block of {template.path} in half")
        node = Node("given", start, end)
        unit = _text_unit(template, f"u{number}", node, "", english)
        nodes.append(node)
        leaves[start] = unit.id
        units.append(unit)
    return Units(template, tuple(units), (), tuple(sorted(nodes, key=lambda node: node.start)), leaves, (), {})


def _text_unit(template: Template, name: str, node: Node, section: str, english: bool) -> Unit:
    text = template.source[node.start : node.end]
    line = template.line(template.source.count("\n", 0, node.start) + 1)
    kind: Any = node.kind
    included = template.included(text)
    said = (text, *(included or ()))
    # Of an example, the question and the answer are not told to the model.
    whole = kind != "example"
    readable = included is not None and all(_is_readable(each, english, whole) for each in said)
    telling = not readable or any(_states_fact(each, whole) for each in said)
    return Unit(name, kind, text, line, template.path, ((node.start, node.end),), telling, section, readable)


def _states_fact(text: str, whole: bool = True) -> bool:
    """Whether a text states a fact, in tables, comments and code too if the ``whole`` of it is read."""
    if any(fact.kind in _TELLING and fact.value not in _NOT_TELLING for fact in facts(text)) or _FORBIDS.search(text):
        return True
    return whole and any(
        fact.kind in (_TELLING_IN_CODE if zone.kind == "code" else _TELLING) and fact.value not in _NOT_TELLING
        for zone in mask(text).zones
        if zone.kind == "code" or _is_saying(zone, text)
        for fact in word_facts(text[zone.start : zone.end])
    )


def _is_saying(zone: Zone, text: str) -> bool:
    return zone.kind in _SAYING or re.match(r"{%-?\s*raw\b", text[zone.start : zone.end]) is not None


def _is_readable(text: str, english: bool, whole: bool = True) -> bool:
    """Whether facts can be read in a part of a prompt that is ``english`` as a whole or is not."""
    prose = _prose(text, whole)
    return not any(map(str.isalpha, prose)) or is_english_part(prose, english)


def _prose(text: str, whole: bool = False) -> str:
    """A text without code, expressions, tags and quotes; without tables and examples either, if not the ``whole``."""
    masked = mask(text)
    parts, done = [], 0
    for zone in masked.zones:
        if whole and zone.kind in ("example", "table"):
            parts += [masked.masked[done : zone.start], text[zone.start : zone.end]]
            done = zone.end
    return "".join([*parts, masked.masked[done:]]).replace(MASK, " ")


def _leaves_of(nodes: Sequence[Node], section: str = "") -> Iterator[tuple[Node, str]]:
    for node in nodes:
        if node.children:
            yield from _leaves_of(node.children, node.heading or section)
        else:
            yield node, section


def _groups(nodes: Sequence[Node], leaves: Mapping[int, str]) -> Iterator[tuple[str, ...]]:
    """Coarse ones first."""
    level = list(nodes)
    while level:
        for node in level:
            yield tuple(leaves[leaf.start] for leaf, _ in _leaves_of([node]) if leaf.start in leaves)
        level = [child for node in level for child in node.children]


def _cut(nodes: Sequence[Node], leaves: Mapping[int, str], removed: frozenset[str]) -> Iterator[tuple[int, int]]:
    """The ranges to take out: whole nodes where all that is in them goes."""
    for node in nodes:
        if _goes(node, leaves, removed):
            yield node.start, node.end
        elif node.children:
            yield from _cut(node.children, leaves, removed)


def _goes(node: Node, leaves: Mapping[int, str], removed: frozenset[str]) -> bool:
    if not node.children:
        return leaves.get(node.start) in removed and not node.kept
    return not node.kept and all(_goes(child, leaves, removed) for child in node.children)


def _without(text: str, ranges: Sequence[tuple[int, int]], replaced: Sequence[tuple[int, int, str]] = ()) -> str:
    """The text without some ranges, and without the white space that would be left twice.

    Args:
        replaced: Ranges that stay, and the text that they have then.
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and not text[merged[-1][1] : start].strip():
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    changes = sorted([*((*_widened(text, *each), "") for each in merged), *replaced])
    parts, done = [], 0
    for start, end, instead in changes:
        parts += [text[done : max(start, done)], instead]
        done = max(end, done)
    return "".join([*parts, text[done:]])


_BLANKS = re.compile(r"(?:[ \t]*\n)+")


def _widened(text: str, start: int, end: int) -> tuple[int, int]:
    """A range with the white space that goes with it: its lines if it has them to itself, else the space after it."""
    line = text.rfind("\n", 0, start) + 1
    after = end + len(text[end:]) - len(text[end:].lstrip(" \t"))
    if not text[line:start].strip() and (after == len(text) or text[after] == "\n"):
        end = min(after + 1, len(text))
        before = text[:line]
        if before.endswith("\n\n") or not before.strip() or before.rstrip(" \t\n").endswith(("%}", "\n---")):
            blank = _BLANKS.match(text, end)
            end = blank.end() if blank else end
        return line, end
    if after > end and (line == start or not text[start - 1 : start].strip() or text[start - 1] in "}>"):
        return start, after
    if text[end:].lstrip().startswith("{%") and text[:start].endswith("\n\n"):
        return start - 1, end
    while start > line and text[start - 1] in " \t" and (after > end or text[end : end + 1] in ("", "\n")):
        start -= 1
    return start, end
