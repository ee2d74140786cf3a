"""The witness that parses: what leaves a sentence must be licensed where it is, what stays must relate as before.

It shares nothing with the rules: it sees a sentence, its edits and the parse of both versions.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from promptopt.compression.edit import Level
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.witness.change import Change
from promptopt.compression.witness.licences import licence
from promptopt.compression.witness.parser import relations_of

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

Cut = tuple[int, int, str]
"""Where words of a sentence leave, and what is written instead."""
_HOLE = re.compile(f"{MASK}+")
_CONTENT = frozenset({"NOUN", "PROPN", "VERB", "ADJ", "ADV", "NUM"})
_DRESS = re.compile(r"[\s*_#]+")
NEAR = 2
"""How many words on each side of an edit must relate as before: further away two parses differ by chance."""


def readable(masked: str) -> str:
    """A masked sentence as a parser reads it, as long as before.

    What is masked is a name, or nothing if it is a tag that a sentence touches: ``{% if a %}Name it.{% endif %}``.
    """
    return _HOLE.sub(_name, masked).replace("\n", " ")


def _name(hole: re.Match[str]) -> str:
    before, after = hole.string[: hole.start()], hole.string[hole.end() :]
    tag = (not before.strip() and after[:1].isupper()) or (not after.strip() and before.endswith((".", "!", "?")))
    return " " * len(hole[0]) if tag else "X" + "x" * (len(hole[0]) - 1)


def cut(text: str, cuts: Iterable[Cut]) -> str:
    """The sentence with the edits made."""
    parts, position = [], 0
    for start, end, new in sorted(cuts):
        parts += [text[position:start], new]
        position = end
    return "".join([*parts, text[position:]])


def _bare(text: str) -> str:
    """What is said, without white space, bold type and capitals."""
    return _DRESS.sub("", text.casefold())


def prepare(sentences: Iterable[tuple[str, Sequence[Cut]]]) -> None:
    """Parse what :func:`unlicensed` will ask for, all at once: that takes a third of the time."""
    pairs = [(before, cut(before, cuts)) for before, cuts in sentences]
    texts = [readable(text) for before, after in pairs if _bare(before) != _bare(after) for text in (before, after)]
    if texts:
        relations_of(texts)


@lru_cache(maxsize=16384)
def unlicensed(before: str, cuts: tuple[Cut, ...], level: Level) -> str:
    """Why the edits of one masked sentence may not be made; empty if a careful reader would sign them."""
    after = cut(before, cuts)
    if _bare(before) == _bare(after):
        return ""
    old, new = relations_of([readable(before), readable(after)])
    pair = _Pair(old, new, cuts)
    by_licence = []
    for number, (start, end, text) in enumerate(cuts):
        found = next(((one, change) for change in pair.changes(number, level) if (one := licence(change))), None)
        if found is None:
            words = repr(before[start:end].strip())
            return (
                f"no licence writes {text!r} for {words} here" if text.strip() else f"no licence lets {words} go here"
            )
        by_licence.append(found)
    changes = [change for one, change in by_licence if one.keeps]
    return pair.turned(changes) or pair.moved([change for one, change in by_licence if one.keeps == "relations"])


class _Pair:
    """The parses of a sentence before and after its edits, word by word."""

    def __init__(self, old: Doc, new: Doc, cuts: tuple[Cut, ...]) -> None:
        self._old = old
        self._new = new
        self._cuts = cuts
        gone = {token.i for start, end, _ in cuts for token in _between(old, start, end)}
        places = {token.idx: token for token in new}
        kept = ((token, places.get(self._place(token.idx))) for token in old if token.i not in gone)
        self._stays = {token.i: other.i for token, other in kept if other is not None and other.lower_ == token.lower_}
        self._came = {new: old for old, new in self._stays.items()}

    def changes(self, number: int, level: Level) -> Iterator[Change]:
        """One edit in words: as it was made, and without the words that it writes again."""
        start, end, new = self._cuts[number]
        place = self._place(start)
        start, end, new = _whole_words(self._old.text, start, end, new)
        yield from self._change(start, end, place, new, level)
        lead, tail = _repeated(self._old.text[start:end], new)
        if lead or tail:
            yield from self._change(start + lead, end - tail, place + lead, new[lead : len(new) - tail], level)

    def _change(self, start: int, end: int, place: int, new: str, level: Level) -> Iterator[Change]:
        gone = tuple(_between(self._old, start, end))
        if gone:
            yield Change(gone, tuple(_between(self._new, place, place + len(new))), level)

    def _place(self, position: int) -> int:
        return position + sum(len(new) - (end - start) for start, end, new in self._cuts if end <= position)

    def turned(self, changes: Sequence[Change]) -> str:
        """Which word beside one that left was a noun and reads as a verb, or the other way round."""
        for change in changes:
            for index in range(change.gone[0].i - NEAR, change.gone[-1].i + NEAR + 1):
                other = self._stays.get(index)
                # A capital at the beginning makes names of orders.
                if not index or not other:
                    continue
                kinds = {self._old[index].pos_, self._new[other].pos_}
                if "VERB" in kinds and kinds & {"NOUN", "PROPN"}:
                    return f"{self._old[index].text!r} would read as another part of speech"
        return ""

    def moved(self, changes: Sequence[Change]) -> str:
        """Which word that stays belongs to another word than before."""
        near = {word.i for change in changes for word in change.hanging}
        for change in changes:
            if not change.new_text:
                near.update(range(change.gone[0].i - NEAR, change.gone[-1].i + NEAR + 1))
        for index, other in self._stays.items():
            token = self._old[index]
            if index in near and token.pos_ in _CONTENT:
                now = _anchor(self._new[other], self._came)
                if _anchor(token, self._stays) != (None if now is None else self._came[now]):
                    return f"{token.text!r} would belong to another word"
        return ""


def _anchor(word: Token, stays: dict[int, int]) -> int | None:
    """The nearest word above that says something and stays; ``None`` for the head of the sentence."""
    token: Token = word
    while token.head != token:
        token = token.head
        if token.i in stays and token.pos_ in _CONTENT:
            return token.i
    return None


def _between(doc: Doc, start: int, end: int) -> Iterator[Token]:
    index = max(0, bisect_right(doc, start, key=lambda token: token.idx) - 1)
    for token in doc[index:]:
        if token.idx >= end:
            return
        if token.idx + len(token) > start and not token.is_space:
            yield token


def _whole_words(text: str, start: int, end: int, new: str) -> Cut:
    """An edit without the letter in which it only changes the case: ``Please a`` becomes ``A``."""
    if new and text[end - 1 : end].lower() == new[-1].lower() and text[end : end + 1].isalpha():
        end, new = end - 1, new[:-1]
    return start, end, new


def _repeated(old: str, new: str) -> tuple[int, int]:
    """How many characters of whole words both begin and end with."""
    lead = tail = 0
    first, second = old.split(" "), new.split(" ")
    while first and second and first[0].lower() == second[0].lower():
        lead += len(first.pop(0)) + 1
        second.pop(0)
    while first and second and first[-1].lower() == second[-1].lower():
        tail += len(first.pop()) + 1
        second.pop()
    return min(lead, len(old), len(new)), min(tail, max(0, len(old) - lead), max(0, len(new) - lead))
