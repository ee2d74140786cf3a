"""Which parts of a prompt are given to be worked on, though no tag, fence or quotation mark is around them.

They may be full of orders: a contract under "Contract:", the letter that "the following letter." announces, a story
under the heading "Example", a text in English that instructions in another language speak of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from promptopt.compression.scope.groups import SentenceGroup
from promptopt.compression.sentences import HEADING, ITEM, TEXT, Sentence, is_english
from promptopt.compression.text.masked_lines import MASK

# "Contract:", "The menu:", "Facts about Oslo:", on a line of its own.
_LABEL = re.compile(r"[\s*_]*[A-Z][\w'’-]*(?:[ \t]+[\w'’-]+){0,3}[*_]*:[*_\s]*\Z")
_NO_NOUN = re.compile(
    r"[\s*_]*(?:additionally|also|remember|note|notes|then|first|firstly|second|secondly|third|next|finally|lastly|otherwise|if|when|"
    r"whenever|while|where|for|in|on|at|as|with|by|from|to|before|after|during|here|there|please|do|does|don['’]t|never|"
    r"always|must|should|can|may|will|and|or|but|so|these|this|those|it|they|we|i|each|every|all|any|both|only|make|be|"
    r"remarks?|personality|capabilit(?:y|ies)|skills?|abilit(?:y|ies)|features?|duties|duty|functions?|expertise|workflows?|"
    r"scope|audience|writing|language|include|exclude|important|warning|attention|option|options|specifically|"
    r"additional|general|specific|key|core|main|final|safety|security|technical|design|style|mode|modes)\b",
    re.IGNORECASE,
)
# Such as "things that you say".
_SAID = re.compile(
    r"\b(?:you|he|she|they|it|customers?|users?|people|callers?)\s+(?:(?:may|might|can|could|often|usually|sometimes|would)\s+)?"
    r"(?:says?|writes?|asks?|shouts?|types?|sings?)[*_]*:[*_]*\Z",
    re.IGNORECASE,
)
_DATA = (
    r"texts?|paragraphs?|passages?|stor(?:y|ies)|articles?|e-?mails?|letters?|messages?|reviews?|poems?|songs?|lyrics|"
    r"conversations?|dialogues?|transcripts?|documents?|excerpts?|sentences?|posts?|tweets?|comments?|contracts?|recipes?|reports?|"
    r"abstracts?|essays?|speech|scripts?|notes|stories|news|interview|diary|entry|game|product|problem|question"
)
_FOLLOWS = re.compile(
    rf"\b(?:the|this|these)\s+following\s+(?:[\w-]+\s+){{0,2}}?(?:{_DATA})\b|\b(?:{_DATA})\s+(?:given\s+|provided\s+)?(?:below|that\s+follows?)\b",
    re.IGNORECASE,
)
_HANDED = re.compile(
    r"\b(?:you(?:['’]ll|\s+will)?\s+(?:be\s+given|receive|see|get|are\s+given)|will\s+be)\b", re.IGNORECASE
)
# "Example", "Worked examples", "Example 2: a refund", as a heading.
_EXAMPLE = re.compile(
    r"[\s*_\d.)]*(?:(?!for\b|use\b|without\b|no\b)[A-Za-z-]+[ \t]+){0,2}"
    r"(?:examples?|demonstrations?)\b[*_\s]*(?:\Z|\d|[:(–—-])",
    re.IGNORECASE,
)
# "The grade: [A to F]": a label and a hole.
_LINE_OF_FORM = re.compile(
    rf"[\s*_>-]*[^\W\d_][^\n:?!{MASK}]{{0,60}}:[ \t*_]*{MASK}+(?:[ \t]*(?:[/|]|or)[ \t]*{MASK}+)*[\s.*_]*\Z"
)
_STRUCTURE = re.compile(r"\b(?:structure|format|template|skeleton|outline|layout|sections)\b", re.IGNORECASE)
FOREIGN = 0.2
"""Of the sentences that are long enough to tell: with more, the first among them, instructions are in that language."""
LEAST_WORDS = 4
"""Of a sentence whose language is looked at."""


def given(
    masked: str, units: Sequence[SentenceGroup], instructing: re.Pattern[str], orders: Callable[[str], bool]
) -> list[bool]:
    """Whether each unit of a masked text is given to be worked on.

    Args:
        instructing: Words of headings and labels that have instructions under them.
        orders: Whether a sentence begins with an order.
    """
    found = [False] * len(units)
    for index, unit in enumerate(units):
        text = masked[unit.start : unit.end]
        if _announces_page(masked, units, index):
            under = _page(masked, units, index + 1, orders)
        elif _is_name(unit, text, instructing) or (unit.label and _SAID.search(text)):
            under = _under(masked, units, index)
        elif unit.kind == HEADING and heads_example(text):
            under = _section(units, index)
        elif _is_announcement(masked, units, index):
            under = _following(units, index)
        else:
            continue
        for number in under:
            found[number] = True
    return found


def heads_example(heading: str) -> bool:
    """Whether a heading, without its hashes, is one of examples."""
    return _EXAMPLE.match(heading) is not None


def _is_name(unit: SentenceGroup, text: str, instructing: re.Pattern[str]) -> bool:
    """Whether a label names what is under it, and does not say what is to be done."""
    return (
        unit.label
        and unit.kind == TEXT
        and _LABEL.match(text) is not None
        and unit.forms != ("order",)
        and not _NO_NOUN.match(text)
        and not instructing.search(text)
    )


def _under(masked: str, units: Sequence[SentenceGroup], index: int) -> Iterator[int]:
    """The list under a label, or its paragraph; nothing after a hole, which is what it names."""
    is_list = index + 1 < len(units) and units[index + 1].kind == ITEM
    for number in range(index + 1, len(units)):
        unit = units[number]
        if unit.kind == HEADING or unit.label or (unit.kind == ITEM) != is_list:
            return
        if MASK in masked[units[number - 1].end : unit.start]:
            return
        if unit.gap and not is_list and number > index + 1:
            return
        yield number


def _section(units: Sequence[SentenceGroup], index: int) -> Iterator[int]:
    """What is under a heading, up to the next one or to a paragraph that is an order alone."""
    for number in range(index + 1, len(units)):
        unit = units[number]
        if unit.kind == HEADING or (unit.kind == TEXT and unit.gap and set(unit.forms) == {"order"}):
            return
        yield number


def _announces_page(masked: str, units: Sequence[SentenceGroup], index: int) -> bool:
    """Whether a line with a colon shows a page with headings: right above the first, or with its form named."""
    unit = units[index]
    if not unit.label or index + 1 == len(units) or units[index + 1].kind != HEADING:
        return False
    return not units[index + 1].gap or _STRUCTURE.search(masked, unit.start, unit.end) is not None


def _page(masked: str, units: Sequence[SentenceGroup], index: int, orders: Callable[[str], bool]) -> Iterator[int]:
    """A page from its first heading on, up to a higher heading, or to a line with a colon after an empty one.

    A part of it may say what is to be written in its place: "List the facts."
    """
    level = _level(masked, units[index])
    for number in range(index, len(units)):
        unit = units[number]
        if (unit.kind == HEADING and _level(masked, unit) < level) or (unit.label and unit.kind == TEXT and unit.gap):
            return
        if not orders(masked[unit.start : unit.end]):
            yield number


def _level(masked: str, heading: SentenceGroup) -> int:
    return masked[heading.sentences[0].marker : heading.start].count("#")


def lines_of_forms(masked: str, sentences: Sequence[Sentence]) -> frozenset[int]:
    """Where lines such as "The grade: [A to F]" begin, two and more of them in a row: the form of an answer."""
    texts = (masked[one.start : one.end] for one in sentences)
    alike = [MASK in text and _LINE_OF_FORM.match(text) is not None for text in texts]
    return frozenset(
        one.start
        for index, one in enumerate(sentences)
        if alike[index] and (alike[index - 1 : index] == [True] or alike[index + 1 : index + 2] == [True])
    )


def _is_announcement(masked: str, units: Sequence[SentenceGroup], index: int) -> bool:
    """Whether the last sentence of a paragraph says that the text of which it speaks is the next paragraph."""
    if index + 1 == len(units) or units[index + 1].kind != TEXT or not units[index + 1].gap:
        return False
    last = units[index].sentences[-1]
    text = masked[last.start : last.end]
    if "ollow" not in text and "below" not in text.lower():
        return False
    between = masked[last.end : units[index + 1].start]
    return MASK not in between and _FOLLOWS.search(text) is not None and not _HANDED.search(text)


def _following(units: Sequence[SentenceGroup], index: int) -> Iterator[int]:
    """The next paragraph, and those after it up to one that begins with an order."""
    for number in range(index + 1, len(units)):
        unit = units[number]
        if unit.kind != TEXT or unit.label or (number > index + 1 and unit.forms[0] in ("order", "work")):
            return
        yield number


def is_foreign(masked: str, sentences: Sequence[Sentence]) -> bool:
    """Whether instructions are in another language: then what is in English is what they speak of."""
    kinds = []
    for sentence in sentences:
        plain = masked[sentence.start : sentence.end].replace(MASK, " ")
        if len(plain.split()) >= LEAST_WORDS:
            kinds.append(is_english(plain))
            if kinds[0]:
                return False
    return bool(kinds) and kinds.count(False) > FOREIGN * len(kinds)
