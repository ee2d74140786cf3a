"""The wish for minified JSON in a prompt's text."""

from __future__ import annotations

import re

from promptopt.templates.source import Source, read_source

MINIFY = "Minify the JSON."
# A paragraph that leads to what follows is not at its end.
_PARAGRAPH_END = re.compile(r"(?<=[^:\s])(?=[ \t]*\n[ \t]*\n)")
_SENTENCE_END = re.compile(r"[.!?](?=\s|\Z)")


def with_directive(source: str) -> str:
    """The wish for minified JSON, after the last words of the first chat block, or of a prompt without blocks.

    If a variable comes last, the wish would be read as the end of its value: then it follows the last instruction.
    """
    read = read_source(source)
    chats = read.chats
    start, end = (chats[0].body_start, chats[0].body_end) if chats else (read.front_end, len(source))
    last = start + len(source[start:end].rstrip())
    if not _ends_with_variable(read, last):
        if chats:
            return f"{source[:last]} {MINIFY}{source[last:].lstrip(' ')}"
        return f"{source[:last]}\n{MINIFY}\n"
    outer = {piece.frames for piece in read.literals if start <= piece.start < end}
    shallow = min((len(frames) for frames in outer), default=0)
    ends = [
        match.end()
        for piece in read.literals
        if start <= piece.start and piece.end <= end and len(piece.frames) == shallow
        for match in _SENTENCE_END.finditer(source, piece.start, piece.end)
    ]
    if ends:
        return f"{source[: ends[-1]]} {MINIFY}{source[ends[-1] :]}"
    paragraphs = [
        match.start()
        for piece in read.literals
        if start <= piece.start and piece.end <= end and len(piece.frames) == shallow
        for match in _PARAGRAPH_END.finditer(source, piece.start, piece.end)
    ]
    if paragraphs:
        return f"{source[: paragraphs[-1]]}\n{MINIFY}{source[paragraphs[-1] :]}"
    # Nothing that ends comes before the variable: the wish opens the text.
    begin = end - len(source[start:end].lstrip())
    return f"{source[:begin]}{MINIFY}\n{source[begin:]}"


def _ends_with_variable(read: Source, position: int) -> bool:
    """Whether what ends at a position is an expression or a tag."""
    return any(piece.kind in ("expression", "tag") and piece.start < position <= piece.end for piece in read.pieces)
