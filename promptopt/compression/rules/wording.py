"""Rules of wording as data: patterns, what to write instead, and what may not be touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from promptopt.compression.edit import Edit, Level
from promptopt.compression.facts import SCOPE_WORDS, WEIGHTY
from promptopt.compression.masks import MASK
from promptopt.compression.sentences import HEADING, ITEM, TEXT, MaskedSentence

_RESTRICTED = re.compile(
    r"\b(?:only|just|except|merely|solely|exclusively|at least|at most|more than|less than|up to|exactly|"
    r"unless|must|should|may)\s*\Z",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\b(?:not|never|no|without|avoid)|n['’]t)(?:\W+\w+){0,3}\W*\Z"
    # Of a limit the number and what is counted.
    r"|\b(?:at least|at most|up to|exactly|maximum|minimum|within|between|(?:more|less|fewer|longer|shorter) than)"
    r"(?:\W+\w+)?\W*\Z",
    re.IGNORECASE,
)
_GOVERNED = re.compile(rf"(?<![\w'’-])(?:{WEIGHTY})(?:\W+\w+){{0,{SCOPE_WORDS}}}\W*\Z", re.IGNORECASE)


def negated(text: str, position: int) -> bool:
    """Whether the words at a position of a sentence closely follow a negation or a limit: they are left alone."""
    before = text[:position]
    return _NEGATED.search(before) is not None or _RESTRICTED.search(before) is not None


def governed(text: str, position: int) -> bool:
    """Whether the words at a position are within the scope of a limit, a negation, a duty or a restriction."""
    return _GOVERNED.search(text[:position]) is not None


def _nothing(_: re.Match[str]) -> str:
    return ""


@dataclass(frozen=True, eq=False, slots=True)
class Rewording:
    """A pattern of words and what to write instead.

    Attributes:
        pattern: What to look for in the masked text of a sentence.
        new: What to write instead; ``None`` leaves the match alone. An empty text removes the words: one space goes
            with them, so does a comma that served them, and the sentence keeps its capital letter.
        message: What to say about it, with ``{old}`` and ``{new}`` for the quoted texts.
        needles: In lower case; a sentence without any of them is not searched.
        group: Which group of the match is replaced; by default all of it.
        exact: Whether a removal takes these characters and no others.
        unless: Which matches to leave alone, decided by the sentence and a position: ``negated``, ``governed`` or, with
            ``None``, no other than ``new`` says.
    """

    pattern: re.Pattern[str]
    new: Callable[[re.Match[str]], str | None] = _nothing
    message: str = ""
    needles: tuple[str, ...] = ()
    group: str | int = 0
    exact: bool = False
    unless: Callable[[str, int], bool] | None = negated

    def edits(self, text: str, rule: str) -> Iterator[Edit]:
        """An edit for every match in a sentence."""
        for match in self.pattern.finditer(text):
            new = self.new(match)
            start, end = match.span(self.group)
            old = text[start:end]
            if new is None or MASK in old or (self.unless is not None and self.unless(text, start)):
                continue
            if new and old[0].isupper():
                new = new[0].upper() + new[1:]
            place = (start, end, new) if new or self.exact else removal(text, start, end)
            if place is not None:
                yield Edit(*place, rule, self._described(old, new))

    def _described(self, old: str, new: str) -> str:
        message = self.message or ("{old}: write {new}" if new else "{old} can go")
        return message.format(old=repr(" ".join(old.split())), new=repr(new))


@dataclass(frozen=True, eq=False, slots=True)
class WordingRule:
    """A rule that is a table of rewordings, tried in order, sentence by sentence.

    Attributes:
        kinds: The kinds of sentence that it reads.
    """

    code: str
    name: str
    reason: str
    level: Level
    table: tuple[Rewording, ...]
    kinds: tuple[str, ...] = (HEADING, ITEM, TEXT)

    def propose_in(self, sentence: MaskedSentence) -> Iterator[Edit]:
        if sentence.kind in self.kinds:
            lower = sentence.text.lower()
            for rewording in self.table:
                if not rewording.needles or any(needle in lower for needle in rewording.needles):
                    yield from rewording.edits(sentence.text, self.code)


def removal(text: str, start: int, end: int) -> tuple[int, int, str] | None:
    """How words are taken out of a sentence: with one space, a comma that served them, and the capital moved on.

    ``None`` if nothing would be left of the sentence.

    Returns:
        The range to replace, and the replacement: empty, or the letter that is now the first.
    """
    after = text[end:]
    before = text[:start]
    opening = not before.strip(" *_(\t")
    comma = re.match(r",[ \t]*", after)
    if comma and (opening or before.rstrip().endswith((",", ".", ";"))):
        end += comma.end()
        after = after[comma.end() :]
    if space := re.match(r"[ \t]+", after):
        end += space.end()
        after = after[space.end() :]
    elif before.endswith(" ") and (not after or after[0] in ".,;:!?)\n"):
        start -= 1
    if not (before + after).strip(" .,;:!?*_-"):
        return None
    if opening and not before.strip() and after[:1].islower() and text[start : start + 1].isupper():
        return start, end + 1, after[0].upper()
    return start, end, ""
