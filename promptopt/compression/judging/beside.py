"""What a sentence is to the one beside it: half of a contrast, or an order in a list of names."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.compression.scope.instructions import gives_order
from promptopt.compression.scope.verbs import also_verbs
from promptopt.compression.sentences import ITEM, Sentence

_LINK = re.compile(
    r"(?:[\s*_\"“(]|\b(?:rather|instead|but|yet|so|then|and|no|yes|in\s+fact|on\s+the\s+contrary)\b[,:]?)*",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[\w'’]+")
_DENIALS = frozenset({"not", "never", "cannot", "can't", "without", "less", "neither", "nor"})
_CARRIERS = frozenset({"do", "does", "longer", "no", "simply", "just", "only", "merely"})
_CONTRACTED = (
    ("won't", "will not"),
    ("can't", "can not"),
    ("n't", " not"),
    ("'re", " are"),
    ("'s", " is"),
    ("'ll", " will"),
)
READ = 8
"""Words at the beginning of a sentence that say of whom it says what, and whether it denies it."""
# "Your job is to bake. It is not to sell.", "Your job is to bake. Not to sell."
_NOT_SO = re.compile(
    r"(?:(?:it|this|that)(?:['’]s|\s+(?:is|does|will|must|should|can))?\s+)?"
    r"(?:not\b(?!\s+(?:only|just)\b)|never\s+to\b|nor\b|rather\s+than\b)"
    r"|(?:it|this|that)\s+(?:isn|doesn|won|can)['’]t\b",
    re.IGNORECASE,
)
_TASK = r"(?:task|job|goal|objective|mission|role|purpose|duty|part|turn)"
_YOURS = re.compile(rf"your\s+(?:\w+\s+)?{_TASK}\b", re.IGNORECASE)
# "The guest's job is to eat. Your job is to bake."
_ANOTHERS = re.compile(
    rf"(?:my|our|his|her|their|its|mine|(?:(?:the|an?)\s+)?(?:[\w-]+\s+)?[\w-]+['’]s?)\s+(?:\w+\s+)?(?:{_TASK}\b|is\s+to\b)",
    re.IGNORECASE,
)
# "It is not your job to judge. Your job is to list."
_NO_TASK = re.compile(rf"[^.!?]{{0,20}}\bnot\s+(?:your|the)\s+(?:\w+\s+)?{_TASK}\b", re.IGNORECASE)
_ONE_WORD = re.compile(r"[*_]*([A-Za-z]+)[*_]*\s+")


def is_contrasted(document: Document, edit: Edit, sentence: Sentence) -> bool:
    """Whether an edit takes away how a sentence begins that says what the one beside it denies, or denies it.

    "Your mission is not to impress. Your mission is to earn trust.": one statement in two halves.
    """
    text = document.text
    old = text[edit.start : edit.end].split()
    begins = _LINK.fullmatch(text, sentence.start, edit.start) is not None
    if not begins or len(old) < 2 or len(edit.new.split()) >= len(old) or "'" in edit.new:
        return False
    said = text[sentence.start : sentence.end]
    return any(
        _contrasts(said, text[other.start : other.end], follows=other.start > sentence.start)
        for other in _neighbours(document, sentence)
    )


def _neighbours(document: Document, sentence: Sentence) -> Iterator[Sentence]:
    """The sentences right before and after one, in its paragraph or list."""
    found, index = document.sentences, _index(document, sentence)
    for other in (*found[max(0, index - 1) : index], *found[index + 1 : index + 2]):
        first, second = sorted((sentence, other), key=lambda one: one.start)
        if other.kind == sentence.kind and document.text.count("\n", first.end, second.start) < 2:
            yield other


def _index(document: Document, sentence: Sentence) -> int:
    return bisect_left(document.sentences, sentence.start, key=lambda one: one.start)


def _contrasts(sentence: str, other: str, *, follows: bool) -> bool:
    sentence, other = _LINK.sub("", sentence, count=1), _LINK.sub("", other, count=1)
    if (follows and _NOT_SO.match(other)) or (
        _YOURS.match(sentence) and (_ANOTHERS.match(other) or _NO_TASK.match(other))
    ):
        return True
    (said, denied), (said_there, denied_there) = _beginning(sentence), _beginning(other)
    return denied != denied_there and said == said_there


def _beginning(sentence: str) -> tuple[list[str], bool]:
    """Of whom a sentence says what, in its first words, and whether it denies it."""
    lower = sentence[:200].lower().replace("’", "'")
    for short, long in _CONTRACTED:
        lower = lower.replace(short, long)
    words = _WORDS.findall(lower)[:READ]
    denied = not _DENIALS.isdisjoint(words)
    said = [word for word in words if word not in _DENIALS and word not in _CARRIERS]
    return said[:2], denied


def is_name_in_list(document: Document, edit: Edit, sentence: Sentence) -> bool:
    """Whether an edit takes the article after the first word of an item, beside an item that gives no order.

    "- Price analysis.", "- Weight the importance of each price.": the article alone makes "Weight" a verb.
    """
    text = document.text
    is_article = not edit.new and text[edit.start : edit.end].strip().lower() in ("the", "a", "an")
    if not is_article or sentence.kind != ITEM or not sentence.first:
        return False
    first = _ONE_WORD.fullmatch(text, sentence.start, edit.start)
    if first is None or first[1].lower() not in also_verbs():
        return False
    index = _index(document, sentence)
    before = next((one for one in reversed(document.sentences[:index]) if one.first), None)
    after = next((one for one in document.sentences[index + 1 :] if one.first), None)
    item = next((one for one in (before, after) if one is not None and one.kind == ITEM), None)
    return item is not None and not gives_order(document.masked[item.start : item.end])
