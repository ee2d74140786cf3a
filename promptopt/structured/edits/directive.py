"""The wish for minified JSON in a prompt's text: only where it is surely read as one of the prompt's own instructions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.compression.edit import Edit
from promptopt.structured.fields import MASK, PromptText, Span
from promptopt.templates.source import Source, read_source

MINIFY = "Minify the JSON."
NO_PLACE = (
    "the wish for minified JSON is left out: no paragraph of the prompt's own instructions that speaks of the JSON is "
    "surely a place for it"
)

# From here on a text may be an example, the input, or the model's own turn.
_STOP = re.compile(
    r"^[ \t#*_>-]*(?:\w+[ \t]+){0,3}(?:examples?|samples?|demonstrations?|few-shot)\b[^\n.]{0,40}:?[*_]*[ \t]*$"
    r"|\[/INST\]|<</SYS>>|</s>|<\|[\w.-]+\|>|<(?:start|end)_of_turn>|^#{2,}[ \t]*(?:Response|Input|Assistant|Output|Answer)[ \t]*:"
    r"|^[ \t]*(?:[=*#_~]{4,}|-{4,})[ \t]*$|^[^\n]{0,10}\[?(?:DELIMITER|Delimiter|BEGIN|END)\b[^\n]{0,60}$",
    re.MULTILINE | re.IGNORECASE,
)
_TURN = re.compile(
    r"^[ \t*]*(?:user|input|human|customer|q|question|message|assistant|system|example|role)\b[^:\n]{0,20}:",
    re.IGNORECASE | re.MULTILINE,
)
_SPEAKS = re.compile(
    r"\b(?:return|respon[ds]e?|repl(?:y|ies)|outputs?|answers?|provide|produce|generate|write|give|format\w*|must|should|only|valid|as|in|conform\w*|schema)\b[^.\n]{0,80}(?<![.\w])json\b"
    r"|(?<![.\w])json\b[^.\n]{0,30}\b(?:only|object|array|format|output|schema|keys?|fields?|must|should)\b",
    re.IGNORECASE,
)
_INPUT = re.compile(
    r"\b(?:given|input|receive|provided|below|above)\b[^.\n]{0,20}\bjson\b|\bjson (?:input|below|above)\b",
    re.IGNORECASE,
)
# "a Python list", "plain text", "one token": there is no JSON to be made shorter.
_OTHER = re.compile(r"\bpython (?:list|dict\w*|tuple)|\bplain text\b|\b(?:one|a single) token\b", re.IGNORECASE)
# Items of a list, headings, tables, quotations, code, and what is told step by step.
_NO_PROSE = re.compile(
    r"[ \t]*(?:[-*•+][ \t]|[>|#]|\(?\d+[.)]|\(?[A-Za-z][.)]\s|```|~~~|step\b|[\[{<}\]])", re.IGNORECASE
)
_ITEM = re.compile(r"[ \t]*(?:[-*•+][ \t]|\(?\d+[.)]|step\b)", re.IGNORECASE)
# "Return JSON, e.g." goes on below.
_ENDS = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bcf)(?<!\bvs)[.!][\"'”’)*_`]*[ \t]*\Z", re.IGNORECASE)
_CLOSES = re.compile(r"(?:[}\]]|```|~~~)[ \t]*\Z")
_OPENS = re.compile(r"[ \t]*(?:[{\[]|```|~~~)")
_PLACE = re.compile(
    r"\$?\{{1,3}\s*[A-Za-z$][\w.$-]*(?:\[[^\]\n]{1,30}\])?\s*\}{1,3}|<<[\w ]+>>|\[(?:insert|paste)\b", re.IGNORECASE
)


def has_samples(text: str) -> bool:
    """Whether a text may have turns, examples or delimiters in it, or wants something else than JSON."""
    return any(pattern.search(text) for pattern in (_STOP, _TURN, _OTHER))


def minify_place(document: PromptText) -> int | None:
    """Where the wish can follow in a prompt's source; ``None`` if no place is surely the prompt's own instruction.

    It follows a paragraph that speaks of the JSON of the answer, or all of a system message that has no variables.
    """
    chats = read_source(document.source).chats
    first = chats[0] if chats else None
    start, end = (
        (first.body_start, first.body_end) if first else (read_source(document.source).front_end, len(document.text))
    )
    text = document.text
    if _OTHER.search(text):
        return None
    stop = _STOP.search(text, start, end)
    until = stop.start() if stop else end
    paragraphs = list(_paragraphs(text, start, until))
    places = [
        place
        for number, paragraph in enumerate(paragraphs)
        if not document.depends(paragraph)
        for place in [_after(text, paragraph, paragraphs[number + 1 : number + 2])]
        if place is not None
    ]
    if places:
        return places[-1]
    body = text[start:end].rstrip()
    if first and first.role == "system" and first.is_static and not stop and body and not _TURN.search(body):
        last = body.rpartition("\n")[2]
        return start + len(body) if _ENDS.search(last) and not _NO_PROSE.match(last) else None
    return None


def _paragraphs(text: str, start: int, end: int) -> Iterator[Span]:
    """The runs of lines that are not blank."""
    begin, position = None, start
    for line in text[start:end].split("\n"):
        if line.strip():
            begin = position if begin is None else begin
        elif begin is not None:
            yield Span(begin, position - 1)
            begin = None
        position += len(line) + 1
    if begin is not None:
        yield Span(begin, end)


def _after(text: str, paragraph: Span, following: Sequence[Span]) -> int | None:
    """Where the wish follows a paragraph, if that speaks of the answer's JSON."""
    said = text[paragraph.start : paragraph.end]
    if not _SPEAKS.search(said) or _INPUT.search(said) or MASK in said or _PLACE.search(said) or _TURN.search(said):
        return None
    lines = said.rstrip().split("\n")
    if not any(_NO_PROSE.match(line) for line in lines) and _ENDS.search(lines[-1]):
        return paragraph.start + len(said.rstrip())
    # The sentence that speaks of it ends its line.
    position = paragraph.start
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        position += len(line)
        if _SPEAKS.search(line) and _ENDS.search(line) and not _NO_PROSE.match(line) and not after[:1].islower():
            return position - (len(line) - len(line.rstrip()))
        position += 1
    if _CLOSES.search(lines[-1]) and not any(_ITEM.match(line) for line in lines):
        return paragraph.start + len(said.rstrip())
    shown = text[following[0].start : following[0].end].rstrip() if following else ""
    if (
        lines[-1].rstrip().endswith(":")
        and not _NO_PROSE.match(lines[-1])
        and _OPENS.match(shown)
        and _CLOSES.search(shown)
    ):
        return following[0].start + len(shown)
    return None


def with_directive(source: str, place: int | None, edits: Sequence[Edit] = ()) -> str | None:
    """An edited source with the wish; ``None`` if there is no place for it.

    Args:
        source: The source after the edits.
        place: Where the wish follows in the source before them.
    """
    if place is None:
        return None
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        if edit.end <= place:
            place += len(edit.new) - (edit.end - edit.start)
        elif edit.start < place:
            place = edit.start + len(edit.new)
    head, tail = source[:place].rstrip(" \t"), source[place:]
    last = head.rpartition("\n")[2]
    if not last.strip() or last.lstrip().startswith("---"):
        head = head.rstrip("\n")
        return f"{head}\n\n{MINIFY}\n\n{tail.lstrip(chr(10))}" if tail.strip() else f"{head}\n\n{MINIFY}\n"
    if _CLOSES.search(last):
        return f"{head}\n{MINIFY}{tail}"
    return f"{head} {MINIFY}{tail}" if _ENDS.search(last) or last.endswith("?") else None


# A paragraph that leads to what follows is not at its end.
_PARAGRAPH_END = re.compile(r"(?<=[^:\s])(?=[ \t]*\n[ \t]*\n)")
# The number of an item ends no sentence.
_ITEM_BEGINS = re.compile(r"^[ \t*]*\(?\d{1,3}\Z", re.MULTILINE)
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
        if not _ITEM_BEGINS.search(read.text, start, match.start())
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
