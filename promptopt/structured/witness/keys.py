"""The keys of a schema, and where a prompt speaks of each: what a second reading goes by."""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptopt.structured.fields import MASK, Inferred, PromptText, speaks

_Schema = Mapping[str, Any]

VARIABLE = re.compile(rf"{MASK}|\{{\w+\}}")
"""What a template puts in."""


NUMBER_WORDS = {
    **{
        word: number
        for number, word in enumerate(
            ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 1
        )
    },
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
}
"""The words that a second reading takes for numbers; those that propose have a table of their own."""


def form_of(document: PromptText, found: Inferred) -> str:
    """The text of the form that was read."""
    return "\n".join(document.text[span.start : span.end] for span in found.covered)


def said_once(document: PromptText, pattern: re.Pattern[str], meaning: str) -> Iterator[str]:
    """A reason that quotes the first match of a pattern, and goes on with what that means."""
    if said := pattern.search(document.text):
        yield f"line {document.line(said.start())}: {shortened(said[0])!r}{meaning}"


def reasons(checks: Iterable[tuple[Iterator[str], bool]]) -> Iterator[str]:
    """The reasons of the checks that apply, each looked for when it is asked for."""
    return (reason for found, applies in checks if applies for reason in found)


def is_index_of(low: float, high: float, sizes: Collection[int]) -> bool:
    """Whether a range is that of the places in a list of one of some sizes, counted from 0 or from 1."""
    return low in (0, 1) and high - low + 1 in sizes


def shortened(text: str) -> str:
    """Words of a prompt as a reason quotes them."""
    return " ".join(text.replace(MASK, " ").split())[:60]


@dataclass(frozen=True, slots=True)
class KeyOfSchema:
    """A key and its values, which are the items of a list if it has one."""

    name: str
    node: _Schema

    @property
    def value(self) -> _Schema:
        return _items_of(self.node)

    @property
    def kinds(self) -> frozenset[str]:
        """The types of the values, with those of each alternative."""
        return frozenset(_kinds(self.value))

    @property
    def listed(self) -> bool:
        return "items" in self.node

    @property
    def alternatives(self) -> tuple[_Schema, ...]:
        """The schema of the values, and each one that they may have instead."""
        value = self.value
        return (value, *value.get("anyOf", ()))

    @property
    def labels(self) -> list[str]:
        """What the values are one of, as texts."""
        return [str(label) for one in self.alternatives for label in one.get("enum", ())]

    @property
    def labelled(self) -> bool:
        return any(set(one) & {"enum", "const"} for one in self.alternatives)

    @property
    def bounded(self) -> bool:
        return any(set(one) & {"enum", "const", "minimum", "maximum"} for one in self.alternatives)

    @property
    def nullable(self) -> bool:
        return "null" in {*_kinds(self.node), *_kinds(self.value)}


def _kinds(node: _Schema) -> Iterator[str]:
    kind = node.get("type")
    yield from [kind] if isinstance(kind, str) else kind or ()
    for one in node.get("anyOf", ()):
        yield from _kinds(one)


def _items_of(node: _Schema) -> _Schema:
    while isinstance(node.get("items"), Mapping):
        node = node["items"]
    return node


def words_read(leaves: Iterable[KeyOfSchema]) -> set[str]:
    """The keys and labels that were read, in small letters."""
    found = list(leaves)
    return {leaf.name.casefold() for leaf in found} | {label.casefold() for leaf in found for label in leaf.labels}


def keys_of(name: str, node: _Schema) -> Iterator[KeyOfSchema]:
    """A key and all keys inside of it, those of the items of lists too."""
    inner = _items_of(node)
    if isinstance(inner.get("properties"), Mapping):
        for key, child in inner["properties"].items():
            yield from keys_of(key, child)
    yield KeyOfSchema(name, node)


@functools.lru_cache(maxsize=8)
def _values_at(text: str) -> dict[str, list[int]]:
    """Where the values of the keys in quotation marks begin."""
    found: dict[str, list[int]] = {}
    for key in re.finditer(r"[\"'“`](?P<name>[^\"'“”`\n]{1,80})[\"'”`]\s*:\s*", text):
        found.setdefault(key["name"], []).append(key.end())
    return found


def values_shown(text: str, name: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """The values of a key in a form that begin with a pattern."""
    for start in _values_at(text).get(name, ()):
        if match := pattern.match(text, start):
            yield match


_MARKS = "[\"'`*]"
# What follows a name that is spoken of, and not only used as a word.
_OF_IT = r"(?=\s*(?::|\(|[-–—=]\s|=|must\b|should\b|is\b|are\b|can\b|may\b|has to\b|between\b|from \d|to (?:[\"'`]|null|true|false)))"


_IS_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
# What comes after a key that is a word, where it is spoken of; another key is spelled as no word is.
_SPOKEN = re.compile(rf"{_MARKS}|{_OF_IT}| \(|\s+(?:is|are|must|should|can|may)\b", re.IGNORECASE)


@functools.lru_cache(maxsize=8)
def _lines_of_words(text: str) -> dict[str, list[tuple[int, int]]]:
    """Where the lines are that have a word, folded."""
    found: dict[str, list[tuple[int, int]]] = {}
    for line in re.finditer(r"[^\n]+", text):
        for word in set(re.findall(r"\w+", line[0].casefold())):
            found.setdefault(word, []).append(line.span())
    return found


def mentions(text: str, name: str) -> Iterator[re.Match[str]]:
    """Every place where a text speaks of a key; only its lines with a word of the key are looked at."""
    if _IS_WORD.fullmatch(name) and not speaks(text, (name,), _SPOKEN):
        return
    words = re.findall(r"[a-z]+|[A-Z][a-z]*|\d+", name)
    if not re.fullmatch(r"[A-Za-z]\w*", name) or not words:
        yield from _mention(name).finditer(text)
        return
    index = _lines_of_words(text)
    # As it is spelled, or its words apart.
    spans = set(index.get(name.casefold(), ()))
    if len(words) > 1:
        spans |= set(index.get(words[0].casefold(), ())) & set(index.get(words[-1].casefold(), ()))
    for start, end in sorted(spans):
        yield from _mention(name).finditer(text, start, end)


def spaced(name: str) -> str:
    """A key as a pattern of its words, with blanks or hyphens between them too: ``nextStep`` is "next step"."""
    return re.escape(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).replace("_", "[ _-]")


def loosely_spaced(name: str) -> str:
    """A key as a pattern of its words, with any signs in the place of its underscores."""
    return re.escape(name).replace("_", r"[\W_]+")


@functools.lru_cache(maxsize=1024)
def _mention(name: str) -> re.Pattern[str]:
    """Where a key is spoken of: by its own spelling, in marks, or as the head of a line or of what is said."""
    own = re.escape(name)
    if re.search(r"_|[a-z][A-Z]|\w-\w", name):
        return re.compile(
            rf"(?<![\w]){own}(?![\w]){_MARKS}*|(?<![\w]){spaced(name)}(?![\w]){_MARKS}*{_OF_IT}", re.IGNORECASE
        )
    return re.compile(
        rf"(?<=[\"'`*]){own}{_MARKS}+(?!\w)|^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*{_MARKS}*{own}{_MARKS}*{_OF_IT}"
        rf"|(?<=[.;] ){own}(?=:)|(?<=[,:;] ){own}(?= \()|(?<=\([\"'`]){own}(?=[\"'`] \()|(?<=[.;,] ){own}(?=\s+(?:is|are|must|should|can|may)\b)|\b(?:for|the|and|set|use|with|containing) {_MARKS}*{own}(?!\w){_MARKS}*{_OF_IT}",
        re.IGNORECASE | re.MULTILINE,
    )


@dataclass(frozen=True, slots=True)
class SaidOfKey:
    """What a prompt says where it speaks of a key.

    Attributes:
        start: Where that begins in the text of the prompt.
        text: The rest of the line, up to the next key.
        value: Whether it is the value of the key in a form, or what a colon says of it.
        aside: What brackets say between the key and the colon.
    """

    start: int
    text: str
    value: bool
    aside: str = ""


# "A number between 0 and 1 for NAME"
_FOR_IT = re.compile(r"(?P<what>[^.;\n]{3,80}?)\s+for\s+(?:the )?[\"'`*]*\Z")


def said_of(document: PromptText, leaf: KeyOfSchema, stops: Sequence[int]) -> Iterator[SaidOfKey]:
    """Everything that is said of a key.

    Args:
        stops: Where the other keys are spoken of, in order: what is said of one ends there.
    """
    text = document.text
    for match in mentions(text, leaf.name):
        end = text.find("\n", match.end())
        end = len(text) if end < 0 else end
        further = bisect.bisect_left(stops, match.end())
        end = min(end, stops[further]) if further < len(stops) else end
        rest = text[match.end() : end]
        colon = re.match(r"\s*(?P<aside>\([^()\n]{0,40}\)\s*)?[:=][ \t]*", rest)
        aside = (colon["aside"] or "") if colon else ""
        yield SaidOfKey(match.end(), rest[colon.end() :] if colon else rest, bool(colon), aside)
        begin = text.rfind("\n", 0, match.start()) + 1
        if before := _FOR_IT.search(text[begin : match.start()].lstrip()):
            yield SaidOfKey(begin, before["what"], value=False)
