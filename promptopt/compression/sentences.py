"""Lines, list items and sentences of a masked text, with their places, and whether a text is English.

English is the only language that the wording rules know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from promptopt.compression.text.line_forms import lines_of
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.text.words import words_in

_MARKER = re.compile(
    r"^[ \t>]*(?:(?P<heading>#{1,6}[ \t]+)|(?P<bullet>[-*+•‣◦–][ \t]+)|(?P<number>(?:\d{1,3}|[A-Za-z])[.)][ \t]+))"
)
_RULE = re.compile(r"^[ \t]*(?:[-=_*#~+/|<>]{3,}[ \t]*)+$")
# Armenian, Arabic, Urdu, Indic, Burmese, Ethiopic, Khmer, Chinese and Japanese ones end a sentence whatever follows
# (Unicode's property Sentence_Terminal).
_FULL_STOPS = (
    "\u0589\u061d-\u061f\u06d4\u0964\u0965\u104a\u104b\u1362\u1367\u17d4\u17d5\u203c\u203d\u2047-\u2049"
    "\u3002\uff01\uff1f\uff61"
)
_LATIN_END = r"(?P<mark>[.!?]+)[)\"'”’*_]*(?=\s+[^\sa-z]|\s*$)"
# Most texts have Latin full stops alone, which are found in a fraction of the time.
_END, _LATIN_END_ONLY = re.compile(rf"{_LATIN_END}|[{_FULL_STOPS}]+"), re.compile(_LATIN_END)
_OTHER_END = re.compile(f"[{_FULL_STOPS}]")
SENTENCE_ENDS = f".!?{_FULL_STOPS}"
"""What ends a sentence, as the inside of a class of a regular expression."""
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|etc|vs|Mr|Mrs|Ms|Dr|Prof|St|Inc|INC|Ltd|Corp|al|cf|No|Fig|approx|[A-Z]"
    # German and Spanish ones that are neither English words nor what a sentence ends with.
    r"|bzw|ca|ggf|evtl|inkl|exkl|zzgl|vgl|bspw|sog|Nr|Abs|Tel|Hr|Mio|Mrd|Sr|Sra)\Z"
)
LONGEST_ABBREVIATION = 8
# "z. B.", "i. A.": letters that are abbreviations one after the other.
_LETTER, _ANOTHER = re.compile(r"(?<![^\W_])[^\W\d_]\Z"), re.compile(r"[ \t]+[^\W\d_]\.")
# "am 3. Mai": German counts with a full stop.
_DAY = re.compile(r"(?<![^\W_])\d{1,2}\Z")
_MONTH = re.compile(
    r"[ \t]+(?:Jan(?:uar)?|Feb(?:ruar)?|März|Apr(?:il)?|Mai|Juni?|Juli?|Aug(?:ust)?|Sept?(?:ember)?|Okt(?:ober)?"
    r"|Nov(?:ember)?|Dez(?:ember)?)\b"
)

HEADING, ITEM, TEXT = "heading", "list item", "text"


class Sentence(NamedTuple):
    """A sentence, a heading or a fragment of a list.

    Attributes:
        start: Position of its first character, after any marker.
        end: Position after its last character, white space excluded.
        kind: ``heading``, ``list item`` or ``text``.
        marker: Where its line's marker begins, for the first sentence of a heading or an item; else ``start``.
        first: Whether it opens its line or paragraph.
    """

    start: int
    end: int
    kind: str
    marker: int
    first: bool


@dataclass(frozen=True, slots=True)
class MaskedSentence:
    """A sentence without its surroundings: all that a rule for single sentences sees.

    Attributes:
        text: Its characters; protected ones (code, quotes, expressions, ...) read as ``MASK``.
        kind: ``heading``, ``list item`` or ``text``.
        first: Whether it opens its line or paragraph.
    """

    text: str
    kind: str = TEXT
    first: bool = True


def split_sentences(masked: str) -> Iterator[Sentence]:
    """The sentences of a masked text in order; a paragraph is one line, and masked stretches belong to it."""
    for start, end, kind, marker in _blocks(masked):
        for begin, stop in _sentences_in(masked[start:end]):
            first = begin == 0
            yield Sentence(start + begin, start + stop, kind, marker if first else start + begin, first)


class _Line(NamedTuple):
    """A line, and the part that it has in a block.

    Attributes:
        blank: Whether no sentence is on it.
        marked: Whether it begins with a bullet, a number or hashes.
        kind: Of the block that it may begin.
        indent: Where its first character is.
        begin: Where its text begins, after any marker.
        end: Where its text ends.
        closes: Whether a block that begins with it ends with it.
        closes_others: Whether a block that goes on with it ends with it.
    """

    blank: bool
    marked: bool = False
    kind: str = TEXT
    indent: int = 0
    begin: int = 0
    end: int = 0
    closes: bool = False
    closes_others: bool = False


@lru_cache(maxsize=16384)
def _line(line: str) -> _Line:
    """What a line without its end is."""
    bare = line.strip()
    if not bare.strip(MASK) or _RULE.match(line):
        return _Line(blank=True)
    marker = _MARKER.match(line)
    indent, end = len(line) - len(line.lstrip()), len(line.rstrip())
    kind = TEXT if not marker else HEADING if marker["heading"] else ITEM
    begin = marker.end() if marker else indent
    closes = kind == HEADING or _is_label(line[begin:end])
    return _Line(False, marker is not None, kind, indent, begin, end, closes, _is_label(line[:end]))


def _blocks(masked: str) -> Iterator[tuple[int, int, str, int]]:
    """Start, end, kind and marker of every heading, list item and paragraph."""
    begin = end = marker = 0
    kind = TEXT
    open_block = closed = False
    for start, text in lines_of(masked):
        line = _line(text)
        if open_block and (closed or line.blank or line.marked):
            yield begin, end, kind, marker
            open_block = False
        if line.blank:
            continue
        if open_block:
            closed = line.closes_others
        else:
            marker, begin, kind = start + line.indent, start + line.begin, line.kind
            open_block, closed = True, line.closes
        end = start + line.end
    if open_block:
        yield begin, end, kind, marker


def _is_label(last: str) -> bool:
    """Whether a paragraph ends with this line: with a colon, or because no sentence breaks over so short a line."""
    return last.endswith((":", ".", "!", "?", ";", MASK)) or len(last) < 40


@lru_cache(maxsize=8192)
def _sentences_in(block: str) -> tuple[tuple[int, int], ...]:
    """Where each sentence of a block begins and ends in it."""
    found = []
    position = 0
    ends = _END if _OTHER_END.search(block) else _LATIN_END_ONLY
    for match in ends.finditer(block):
        before = block[max(0, match.start() - LONGEST_ABBREVIATION) : match.start()]
        if match["mark"] and len(match["mark"]) == 1 and _abbreviates(before, block, match.end()):
            continue
        # "2. Plan": the number of a heading is not a sentence.
        if block[position : match.start()].strip().isdigit():
            continue
        found.append((position, match.end()))
        position = match.end()
        while position < len(block) and block[position].isspace():
            position += 1
    if position < len(block):
        found.append((position, len(block)))
    return tuple(found)


def _abbreviates(before: str, block: str, end: int) -> bool:
    """Whether a full stop ends an abbreviation or an ordinal, and not a sentence."""
    return bool(
        _ABBREVIATION.search(before)
        or (_LETTER.search(before) and _ANOTHER.match(block, end))
        or (_DAY.search(before) and _MONTH.match(block, end))
    )


_WORDS, _LATIN_WORDS = re.compile(r"[^\W\d_]+"), re.compile(r"[a-z]+")
_ENGLISH = frozenset(
    "the of and to in is are be that this these those with for from as on or by an it its your you not if "  # noqa: SIM905 - read as words
    "should must when which what how all any each only do does will can may into at have has then than their "
    "there use using between about provide following given based output list write".split()
)
# Function words of languages in Latin script that are not English words.
_FOREIGN = frozenset(
    "der die das und ist nicht ein eine einen mit für auf sie ich wir zu den dem des von im auch wird werden "  # noqa: SIM905 - read as words
    "le la les et est pas une des du pour dans avec vous nous qui que sur au aux ne ce cette sont votre "
    "el los las y es una del para con por su sus como más usted lo se "
    "il gli che di della per non sono con una nel "
    "o os um uma não para com você seu sua dos das em "
    "het een en niet van voor met zijn op de "
    "och att det som på är av inte till jag "
    "nie jest się na że z do oraz".split()
).difference(_ENGLISH)


def is_english(text: str) -> bool:
    """Whether ``text`` reads as English. Short labels without any function word count as English in ASCII only."""
    if "\n" in text:
        counts = [_counted(line) for line in text.split("\n")]
        letters, plain, english, foreign = map(sum, zip(*counts, strict=True))
    else:
        letters, plain, english, foreign = _counted(text)
    if not letters:
        return True
    if plain < 0.8 * letters:
        return False
    if english == foreign == 0:
        return plain == letters
    return english > foreign


@lru_cache(maxsize=8192)
def is_english_part(masked: str, whole: bool) -> bool:
    """Whether a part of a masked text reads as English: one of few words only if the ``whole`` text does."""
    part = masked.replace(MASK, " ")
    # Words of English letters alone need not be counted if none of them is another language's.
    plain = part.isascii() and _FOREIGN.isdisjoint(words_in(masked))
    return (plain or is_english(part)) and (whole or len(part.split()) > 6)


@lru_cache(maxsize=16384)
def _counted(line: str) -> tuple[int, int, int, int]:
    """Letters, those of words in ASCII, English function words, and foreign ones."""
    words = (_LATIN_WORDS if line.isascii() else _WORDS).findall(line.lower())
    letters = sum(map(len, words))
    plain = letters if line.isascii() else sum([len(word) for word in words if word.isascii()])
    english, foreign = sum(map(_ENGLISH.__contains__, words)), sum(map(_FOREIGN.__contains__, words))
    return letters, plain, english, foreign
