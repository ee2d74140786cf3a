"""Values of a text under their labels: ``Label: value`` lines, headings, lists, tables, one bare value.

A sentence yields a value only if it states it in one of a few plain forms ("the sentiment is positive"). Every
other form is refused: a list of the ways to doubt, deny or quote a value would never be complete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from promptopt.errors import AnswerAmbiguous
from promptopt.schemas.around import is_place
from promptopt.schemas.coerce import inlined, plain
from promptopt.schemas.doubt import TAKEN_BACK
from promptopt.schemas.stated import MOST_CHARACTERS, stated
from promptopt.schemas.text_values import BULLET, bare, is_replaced, is_text, leading, listed, scalar, shown
from promptopt.values import JSONSchema

_LINE = re.compile(
    r"^[ \t>]*(?:[-*+•][ \t]+|\d+[.)][ \t]+)?(?:\*\*|__|(?P<open>[`'“\x22]))?(?P<label>[^\W\d][\w \-/]{0,60}?)(?:\*\*|__|`)?[ \t]*"
    r"(?:\(-?\d+(?:\.\d+)?\s?(?:-|–|to)\s?(?P<scale>-?\d+(?:\.\d+)?)\)(?:\*\*|__)?[ \t]*)?"
    r"(?::|=|：|[ \t][–—-][ \t])[ \t]*(?:\*\*|__)?[ \t]*(?P<value>.*)$"
)
_NEXT_PAIR = re.compile(r"[,;|]\s+(?:\*\*|__|[`'“\x22])?(?P<label>[^\W\d][\w \-/]{0,60}?)(?:\*\*|__|`)?[ \t]*[:=：]")
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+(?P<hash>.+?)|\*\*(?P<bold>[^*]+)\*\*|-{3}[ \t]+(?P<rule>\w[\w ]*))[ \t:#]*$"
)
_ROW = re.compile(r"^[ \t]*\|(?P<cells>.+)\|[ \t]*$")
# A text that says so has no value there; "none" and "unknown" may be values.
_ABSENT = re.compile(
    r"(?:n/?a|null|nil|[-–—]|not (?:available|applicable|specified|provided|given|mentioned|stated|found))\.?",
    re.IGNORECASE,
)
# What a label has whose text says that there is no value.
_NULL = object()
# A text longer than this is not an answer with labels.
_MOST_LINES = 5_000


@dataclass(frozen=True, slots=True)
class Labelled:
    """What labels of a text yield.

    Attributes:
        value: What was found, perhaps not all.
        missing: Properties without a label in the text.
        repairs: What the reading took for granted.
        reasons: For some of the missing ones, what the text has that is not read as their value.
    """

    value: dict[str, Any]
    missing: tuple[str, ...]
    repairs: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.missing


def labelled(text: str, schema: JSONSchema, *, strict: bool = True) -> Labelled | None:
    """The values of a schema's properties by their labels; ``None`` if the schema is not an object.

    Args:
        strict: Only labels and bare values; else also the one label of an enum that the text mentions.

    Raises:
        AnswerAmbiguous: A label occurs twice with different values.
    """
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return None
    reading = _Reading(text, {name: inlined(child, schema) for name, child in properties.items()})
    reading.by_labels()
    if len(properties) == 1 and not reading.found and not reading.unread:
        reading.whole()
    if not strict:
        reading.by_sentences()
    required = schema.get("required")
    return reading.result(required if isinstance(required, list) else list(properties))


class _Reading:
    """What one text says of a schema's properties, collected step by step."""

    def __init__(self, text: str, properties: Mapping[str, Any]) -> None:
        self._text = text
        self._properties = properties
        self.found: dict[str, Any] = {}
        self.unread: dict[str, str] = {}
        self._notes: list[str] = []

    def by_labels(self) -> None:
        blocks = _blocks(self._text, self._properties)
        for name, child in self._properties.items():
            given = [block for block in blocks.get(name, ()) if block]
            if any(is_place(block, name) for block in given):
                self.unread[name] = f"{name} (the text has the place of its value)"
                continue
            read = [(block, _value(block, child)) for block in given]
            distinct = {repr(value): value for _, value in read if value is not None}
            if len(distinct) > 1:
                raise AnswerAmbiguous(
                    f"the label {name!r} is in the text with {len(distinct)} different values", self._text
                )
            if failed := [block for block, value in read if value is None]:
                self.unread[name] = f"{name} ({shown(failed[0])} is not {_wanted(child)})"
            elif distinct:
                self.found[name] = next(iter(distinct.values()))
        if self.found:
            self._notes.append(f"read {', '.join(self.found)} from labels in the text")

    def whole(self) -> None:
        name, child = next(iter(self._properties.items()))
        value = bare(self._text, child)
        if value is not None:
            self.found[name] = value
            self._notes.append(f"read the whole text as {name!r}")

    def by_sentences(self) -> None:
        if TAKEN_BACK.search(self._text[:MOST_CHARACTERS]):
            for name in self._properties.keys() - self.found.keys():
                self.unread.setdefault(name, f"{name} (the text doubts or takes back what it says)")
            return
        alone = len(self._properties) == 1
        for name, child in self._properties.items():
            if name in self.found or name in self.unread:
                continue
            value, reason = stated(self._text, name, child, alone=alone)
            if value is not None:
                self.found[name] = value
                self._notes.append(f"read {name!r} from the sentence that states it")
            elif reason:
                self.unread[name] = f"{name} ({reason})"

    def result(self, wanted: list[str]) -> Labelled:
        missing = tuple(name for name in wanted if name not in self.found and not _nullable(self._properties.get(name)))
        missing = tuple(dict.fromkeys((*missing, *self.unread)))
        value = {name: value for name, value in self.found.items() if value is not _NULL}
        return Labelled(
            value, missing if self.found else tuple(wanted), tuple(self._notes), tuple(self.unread.values())
        )


def _wanted(schema: Any) -> str:
    """What a property wants, in words."""
    if not isinstance(schema, Mapping):
        return "a value"
    labels = schema.get("enum")
    if isinstance(labels, list):
        names = [str(label) for label in labels]
        return f"one of {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
    kinds = schema.get("type")
    names = [str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds or "value"])]
    kind = " or ".join(f"{'an' if name[:1] in 'aio' else 'a'} {name}" for name in names)
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return " ".join((kind, *bounds))


def _nullable(schema: Any) -> bool:
    kinds = schema.get("type") if isinstance(schema, Mapping) else None
    return isinstance(kinds, list) and "null" in kinds


def _blocks(text: str, properties: Mapping[str, Any]) -> dict[str, list[str]]:
    """For each property, the texts under its label."""
    names = {plain(name): name for name in properties}
    blocks: dict[str, list[str]] = {}
    current: list[str] | None = None
    owner: str | None = None

    def close() -> None:
        if owner is not None and current is not None:
            blocks.setdefault(owner, []).append("\n".join(current).strip())

    for line in (part for whole in text.splitlines()[:_MOST_LINES] for part in _pairs_of(whole, names)):
        name, rest = _label_of(line, names)
        if name is not None:
            close()
            owner, current = name, [rest]
        elif _HEADING.match(line) and not BULLET.match(line):
            close()
            owner, current = None, None
        elif current is not None:
            current.append(line)
    close()
    return blocks


def _pairs_of(line: str, names: Mapping[str, str]) -> list[str]:
    """A line of several ``Label: value`` pairs, parted; any other line whole."""
    if _label_of(line, names)[0] is None:
        return [line]
    starts = [match.start("label") for match in _NEXT_PAIR.finditer(line) if plain(match["label"]) in names]
    edges = [0, *starts, len(line)]
    return [line[start:end].rstrip(" \t,;|") if end != len(line) else line[start:end] for start, end in pairwise(edges)]


def _label_of(line: str, names: Mapping[str, str]) -> tuple[str | None, str]:
    if row := _ROW.match(line):
        cells = [cell.strip() for cell in row["cells"].split("|")]
        if len(cells) == 2 and plain(cells[0]) in names:
            return names[plain(cells[0])], cells[1]
        return None, ""
    if match := _LINE.match(line):
        name = names.get(plain(match["label"]))
        if name is not None:
            # The quotation marks of a whole line are none of its value.
            value = match["value"].rstrip()
            value = value.removesuffix("'") if match["open"] == "'" else value
            return name, _on_scale(value, match["scale"])
    if heading := _HEADING.match(line):
        name = names.get(plain(heading["hash"] or heading["bold"] or heading["rule"]))
        if name is not None:
            return name, ""
    return None, ""


def _on_scale(value: str, highest: str | None) -> str:
    """A value whose label names its scale, "Score (1-5): 4", with the scale after its number, "4/5"."""
    if highest is None:
        return value
    return re.sub(r"\A([*_`]*\d+(?:\.\d+)?)(?![\d.]*\s*(?:/|out of\b|of\b))", rf"\1/{highest}", value)


def _value(block: str, schema: Any) -> Any:
    """The value of a block under a schema, or ``None`` if the text does not have it."""
    if not isinstance(schema, Mapping):
        return None
    if _ABSENT.fullmatch(block.strip().strip("*_`\"'")):
        return _NULL if _nullable(schema) else None
    if schema.get("type") == "array":
        return listed(block, schema)
    if is_text(schema):
        return scalar(block, schema)
    if TAKEN_BACK.search(block[:MOST_CHARACTERS]):
        return None
    paragraph, _, later = block.partition("\n\n")
    value = scalar(paragraph.strip(), schema)
    if value is None:
        value = leading(paragraph.strip(), schema)
        later = block.partition("\n")[2]
    return None if value is None or is_replaced(later, value, schema) else value
