"""Where quotations are in a prompt, and which of its words prove nothing: what others say, and what a variable prints."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptopt.structured.by_model.question import Quotation
from promptopt.structured.fields import MASK, PromptText, Span
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
