"""How a whole sentence is taken out: with its line, where nothing else stands on it."""

from __future__ import annotations

import re

from promptopt.compression.document import Document
from promptopt.compression.sentences import Sentence


def line_removal(document: Document, sentence: Sentence) -> tuple[int, int]:
    """The range to delete so that the sentence is gone and no empty item or doubled blank stays."""
    text = document.masked
    start, end = sentence.start, sentence.end
    line_start = text.rfind("\n", 0, start) + 1
    alone_before = sentence.marker <= start and not text[line_start : sentence.marker].strip() and sentence.first
    behind = re.compile(r"[ \t]*(?:\n|\Z)").match(text, end)
    if alone_before and behind:
        # With its marker and its line's end; an empty line after it goes where one stands before it.
        stop = behind.end()
        if document.text[:line_start].endswith("\n\n") and (blank := re.compile(r"[ \t]*\n").match(text, stop)):
            stop = blank.end()
        return line_start, stop
    if behind:
        # The last of several sentences: the blank before it goes.
        while start > line_start and text[start - 1] in " \t":
            start -= 1
        return start, end
    space = re.compile(r"\s+").match(text, end)
    return start, space.end() if space else end
