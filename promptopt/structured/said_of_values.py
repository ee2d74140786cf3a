"""What a prompt says where a model quotes it: the words that follow a key, up to the next one or the end of the line."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from promptopt.structured.asked_form import ReadValue
from promptopt.structured.fields import PromptText
from promptopt.structured.quotations import Quoted

Proofs = Mapping[ReadValue, Sequence[Quoted]]

_MARKED = "[\"'`*“]"


def said(document: PromptText, value: ReadValue, proofs: Proofs) -> list[str]:
    """What is said of a value at each of its quotations, whether the model quoted all of it or not."""
    depth = len(value.path)
    # What is in an object is a part of what is said of the object.
    others = {
        other.name
        for other in proofs
        if other.name and other.path[:depth] != value.path and value.path[: len(other.path)] != other.path
    } - {value.name}
    return [_said(document, value.name, quoted, others) for quoted in proofs[value]]


def _said(document: PromptText, name: str, quoted: Quoted, others: Collection[str]) -> str:
    text = document.text
    start, end = quoted.span.start, quoted.span.end
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    own, marked = _spelled(name, text, start, end) if name else (None, False)
    begin = own if own is not None else start
    # A quotation may have several keys: what is said of one ends at the next.
    stop = line_end
    for other in others:
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
    own = re.escape(name)
    for pattern, marked in (
        (rf"(?<={_MARKED}){own}(?=[\"'`*”])", True),
        (rf"(?<![\w-]){own}(?=\s*[:(=])", True),
        (rf"(?<![\w-]){own}(?![\w-])", False),
    ):
        if match := re.compile(pattern).search(text, start, end):
            return match.start(), marked
    return None, False


def _next_key(name: str, *, plain: bool) -> re.Pattern[str]:
    """Where the next key is.

    Args:
        plain: Whether keys are plain words, as the one before it.
    """
    own = re.escape(name)
    bare = rf"|(?<![\w-]){own}(?![\w-])" if plain or re.search(r"_|[a-z][A-Z]", name) else ""
    return re.compile(rf"{_MARKED}{own}[\"'`*”]|(?<![\w-]){own}(?=\s*[:(=]){bare}")
