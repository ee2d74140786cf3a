"""Where quotations are in a prompt, what is said there of a value up to the next one, and which words prove nothing."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptopt.structured.by_model.question import Quotation, ReadValue
from promptopt.structured.fields import MASK, PromptText, Span, speaks
from promptopt.structured.witness.keys import shortened
from promptopt.templates.source import read_source


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quotation that was found.

    Attributes:
        line: Where it begins, counted from 1.
        text: The words as they stand in the prompt; each character of a variable or tag is a mask.
    """

    line: int
    span: Span
    text: str


class NotQuoted(Exception):
    """Words that prove nothing; the message says why, with the line."""


def find(document: PromptText, quotation: Quotation) -> Quoted:
    """The place of a quotation: in its line, or the only one in the prompt.

    Raises:
        NotQuoted: The words are not there, or are no instruction.
    """
    words = quotation.words.split()
    if not words:
        raise NotQuoted(f"line {quotation.line}: a quotation is empty")
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    found = [Span(*match.span()) for match in pattern.finditer(document.source)]
    there = [span for span in found if document.line(span.start) == quotation.line]
    if not there and len(found) != 1:
        raise NotQuoted(f"line {quotation.line}: {shortened(quotation.words)!r} is not in this line")
    span = (there or found)[0]
    text = document.text[span.start : span.end]
    line = document.line(span.start)
    if not text.replace(MASK, "").strip():
        raise NotQuoted(f"line {line}: {shortened(quotation.words)!r} is a variable, a tag or the front matter")
    if any(span.start < part.end and part.start < span.end for part in spoken_by_others(document)):
        raise NotQuoted(f"line {line}: {shortened(quotation.words)!r} is the input of an example")
    if document.depends(span):
        raise NotQuoted(f"line {line}: {shortened(quotation.words)!r} depends on a variable of the template")
    return Quoted(line, span, text)


_INPUT = r"(?:inputs?|user|human|customer|question|q|text|review|message|email|ticket|tweet|document|passage|context|comment|query|sentence|conversation|dialogue|transcript)"
_OUTPUT = (
    r"(?:outputs?|answers?|a|response|assistant|label|labels|result|ai|classification|category|sentiment|reply|json)"
)
# "Input: the parcel never came" and below it "Output: delivery"
_PAIR = re.compile(
    rf"^[ \t>*-]*(?:example )?{_INPUT}\b[^:\n]{{0,12}}:(?P<said>[^\n]*(?:\n(?![ \t>*-]*{_INPUT}\b[^:\n]{{0,12}}:)[^\n]*){{0,12}}?)\n+[ \t>*-]*(?:example )?{_OUTPUT}\b[^:\n]{{0,12}}:[ \t*]*(?:\n[ \t]*)?(?=[^\s<\[{MASK}])",
    re.IGNORECASE | re.MULTILINE,
)


@functools.lru_cache(maxsize=8)
def spoken_by_others(document: PromptText) -> tuple[Span, ...]:
    """The inputs of examples: turns of a user that an assistant answers, and texts that an output follows."""
    return tuple(_spoken_by_others(document))


def _spoken_by_others(document: PromptText) -> Iterator[Span]:
    chats = read_source(document.source).chats
    if any(chat.role == "assistant" for chat in chats):
        for chat in chats:
            if chat.role == "user" and chat.is_static:
                yield Span(chat.start, chat.end)
    pairs = [match for match in _PAIR.finditer(document.text) if MASK not in match["said"]]
    for match in pairs:
        before = document.text[max(0, match.start() - _NEAR) : match.start()]
        if len(pairs) > 1 or _EXAMPLE.search(before):
            yield Span(*match.span("said"))


_EXAMPLE = re.compile(r"\b(?:examples?|samples?|shots?)\b", re.IGNORECASE)
_NEAR = 200


Proofs = Mapping[ReadValue, Sequence[Quoted]]

_MARKED = "[\"'`*“]"


def said(document: PromptText, value: ReadValue, proofs: Proofs, places: Sequence[Quoted] | None = None) -> list[str]:
    """What is said of a value at each of its quotations, whether the model quoted all of it or not.

    Args:
        places: Other places where the prompt speaks of it, instead of the quotations.
    """
    depth = len(value.path)
    # What is in an object is a part of what is said of the object.
    others = {
        other.name
        for other in proofs
        if other.name and other.path[:depth] != value.path and value.path[: len(other.path)] != other.path
    } - {value.name}
    return [_said(document, value.name, one, others) for one in (proofs[value] if places is None else places)]


_MOST_MENTIONS = 8
_SAYS = re.compile(
    r"[\"'`*”]+\s*(?:[:=(]|[-–—]\s|is\b|must\b|should\b|can\b|may\b)|\s*(?:=|\(|:|is\b)| (?:is|must|should|can|may)\b"
)


def said_elsewhere(document: PromptText, value: ReadValue, proofs: Proofs) -> list[Quoted]:
    """The places beside its quotations where the prompt speaks of a key: ``team is one of``, ``r = the stars``."""
    if not value.name or len([other for other in proofs if other.name == value.name and other.path[-1:] != ("*",)]) > 1:
        return []
    own = re.escape(value.name)
    first = rf"[{re.escape(value.name[0].upper())}{re.escape(value.name[0].lower())}]{re.escape(value.name[1:])}"
    if not speaks(document.text, (value.name,), _SAYS):
        return []
    spoken = re.compile(
        rf"(?<={_MARKED}){own}[\"'`*”]+\s*(?:[:=(]|[-–—]\s|is\b|must\b|should\b|can\b|may\b)|(?:(?<![\w-])(?<!\w )|(?<=\bthe )|(?<=\bThe )|(?<=\byour )|(?<=\band )|(?<=\bor ))(?:{own}(?=\s*(?:=|\())|(?<=[.!?\n] ){first}(?= (?:is|must|should|can|may)\b)|(?:(?<=\n)|(?<=\n- )){own}(?=\s*(?::|=|is\b)))"
    )
    others = spoken_by_others(document)
    found = []
    # A plain search is many times as fast as the pattern, and most keys stand in a few places.
    for place in re.finditer(f"{own}|{first}", document.text):
        match = spoken.match(document.text, place.start())
        if match is None:
            continue
        span = Span(match.start(), match.start() + len(value.name))
        quoted = any(one.span.overlaps(span) for one in proofs[value])
        if not (quoted or document.depends(span) or any(span.overlaps(other) for other in others)):
            found.append(Quoted(document.line(span.start), span, document.text[span.start : span.end]))
    return found[:_MOST_MENTIONS]


def _said(document: PromptText, name: str, quoted: Quoted, others: Collection[str]) -> str:
    text = document.text
    start, end = quoted.span.start, quoted.span.end
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    own, marked = _spelled(name, text, start, end) if name else (None, False)
    begin = own if own is not None else start
    # A quotation may have several keys: what is said of one ends at the next.
    stop = line_end
    line = text[begin:line_end]
    for other in others:
        if other not in line:
            continue
        match = _next_key(other, plain=own is not None and not marked).search(
            text, begin + (len(name) if own is not None else 0), line_end
        )
        if match:
            stop = min(stop, match.start())
    if own is None:
        sentence = re.compile(r"[.!?](?=\s|\Z)").search(text, max(begin, end - 1), stop)
        stop = sentence.end() if sentence else stop
    return text[begin : _closed(text, begin, stop)]


def _closed(text: str, begin: int, stop: int) -> int:
    """Where a bracket is shut that was opened before: what follows is said of what is around it."""
    depth = 0
    for sign in re.compile(r"[{}]").finditer(text, begin, stop):
        depth += 1 if sign[0] == "{" else -1
        if depth < 0:
            return sign.start()
    return stop


def _spelled(name: str, text: str, start: int, end: int) -> tuple[int | None, bool]:
    """Where a key is in a stretch, rather in marks than as a word; and whether it is in marks or before a colon."""
    places = []
    at = text.find(name, start, end)
    while at >= 0:
        places.append(at)
        at = text.find(name, at + 1, end)
    for before, after, marked in _SPELLINGS:
        for at in places:
            if before.match(text, at) and after.match(text, at + len(name), end):
                return at, marked
    return None, False


# What comes before a key and after it: in marks, before a colon, or as a word
_SPELLINGS = (
    (re.compile(rf"(?<={_MARKED})"), re.compile(r"[\"'`*”]"), True),
    (re.compile(r"(?<![\w-])"), re.compile(r"\s*[:(=]"), True),
    (re.compile(r"(?<![\w-])"), re.compile(r"(?![\w-])"), False),
)


@functools.lru_cache(maxsize=1024)
def _next_key(name: str, *, plain: bool) -> re.Pattern[str]:
    """Where the next key is.

    Args:
        plain: Whether keys are plain words, as the one before it.
    """
    own = re.escape(name)
    bare = rf"|(?<![\w-]){own}(?![\w-])" if re.search(r"_|[a-z][A-Z]", name) else ""
    # As a word it is the next key only where one begins: "owner, what and due", not "due is a date".
    bare += rf"|(?:[\n,;:.(\[|<]|\b(?:and|or|the|your|its|final)\b)\s*{own}(?![\w-])" if plain else ""
    # A sentence of its own: "bpm is a whole number."
    bare += rf"|(?<=[.;] ){own}(?= (?:is|are|must|should|can|may)\b)"
    return re.compile(rf"{_MARKED}{own}[\"'`*”]|(?<![\w-]){own}(?=\s*[:(=]){bare}")
