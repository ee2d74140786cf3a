"""The wish for minified JSON in a prompt of chat blocks: the first of them tells apart what is asked and what is shown."""

from __future__ import annotations

import re

from promptopt.structured.edits.directive import MINIFY, has_samples
from promptopt.templates.source import Source, read_source

# A paragraph that leads to what follows is not at its end.
_PARAGRAPH_END = re.compile(r"(?<=[^:\s])(?=[ \t]*\n[ \t]*\n)")
# The number of an item ends no sentence.
_ITEM = re.compile(r"^[ \t*]*\(?\d{1,3}\Z", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|\Z)")
# What closes a value: quotes, brackets, a fence, a tag of XML.
_CLOSING = re.compile(r"(?:[\s\"'`´“”‘’»«)\]}>*_~=#-]|</[\w.:-]+>|\[/[\w.:-]+\])*")


def in_first_block(source: str) -> str | None:
    """A source with the wish after the last words of its first chat block.

    If a variable comes last there, the wish would be read as the end of its value: then it follows the last sentence,
    or the last paragraph, or opens the block.

    Returns:
        ``None`` without such blocks, or if the first one has turns, examples or delimiters of its own.
    """
    read = read_source(source)
    if not read.chats:
        return None
    start, end = read.chats[0].body_start, read.chats[0].body_end
    if has_samples(source[start:end]):
        return None
    last = start + len(source[start:end].rstrip())
    # After a cue for the answer ("Names:") the wish would be read as its begin.
    if not _ends_with_variable(read, start, last) and not source[start:last].endswith(":"):
        return f"{source[:last]} {MINIFY}{source[last:].lstrip(' ')}"
    if ends := _ends(read, _SENTENCE_END, start, end):
        # Rather after a whole line than before what goes on in it.
        place = ([each for each in ends if not source[each:].partition("\n")[0].strip()] or ends)[-1]
        return f"{source[:place]} {MINIFY}{source[place:]}"
    if ends := _ends(read, _PARAGRAPH_END, start, end):
        return f"{source[: ends[-1]]}\n{MINIFY}{source[ends[-1] :]}"
    # Nothing that ends comes before the variable.
    begin = end - len(source[start:end].lstrip())
    return f"{source[:begin]}{MINIFY}\n{source[begin:]}"


def _ends(read: Source, pattern: re.Pattern[str], start: int, end: int) -> list[int]:
    """Where sentences or paragraphs of a block end that come in every call."""
    inside = [piece for piece in read.literals if start <= piece.start < end]
    shallow = min((len(piece.frames) for piece in inside), default=0)
    return [
        match.end()
        for piece in inside
        if piece.end <= end and len(piece.frames) == shallow
        for match in pattern.finditer(read.text, piece.start, piece.end)
        if not _ITEM.search(read.text, start, match.start())
    ]


def _ends_with_variable(read: Source, start: int, position: int) -> bool:
    """Whether what ends at a position is an expression or a tag, or what closes the value of one."""
    # A "-" in a tag takes the white space after it along.
    ends = [
        min(piece.end, position)
        for piece in read.pieces
        if piece.kind in ("expression", "tag") and start <= piece.start < position
    ]
    return bool(ends) and _CLOSING.fullmatch(read.text, max(ends), position) is not None
