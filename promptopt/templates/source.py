"""The one reading of a prompt file: front matter, literal text, expressions, tags, comments, control flow, chat blocks.

Positions come from Jinja2's own lexer, so that strings with braces, comments and ``raw`` blocks are read as Jinja2
reads them. A text that Jinja2 cannot read as a template is split at its delimiters alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Literal

from jinja2 import TemplateSyntaxError
from jinja2.lexer import TokenStream

from promptopt.templates.environment import PromptEnvironment
from promptopt.templates.frontmatter import comments_before, front_matter_end

PieceKind = Literal["text", "expression", "tag", "comment", "raw"]

_DELIMITERS = {"{{": "}}", "{%": "%}", "{#": "#}"}
_OPENING = re.compile("|".join(map(re.escape, _DELIMITERS)))
_KINDS: dict[str, PieceKind] = {"{{": "expression", "{%": "tag", "{#": "comment"}
_LEXER_KINDS: dict[str, PieceKind] = {"variable": "expression", "block": "tag", "comment": "comment", "raw": "raw"}
_REPEATED = frozenset({"if", "for"})
_OPENERS = frozenset({"if", "for", "macro", "call", "filter", "block", "chat", "autoescape", "with"})
# Code reads what these print, and may depend on every character of it.
_OPAQUE = frozenset({"filter", "set", "call", "trans"})
_ROLE = re.compile(r"""role = (["'])(?P<role>\w+)\1(?:(?: ,)? tool_call.*)?""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Frame:
    """One block around a place: which block, and which of its branches.

    Attributes:
        kind: The tag that opens it: ``if``, ``for``, ``macro``, ``chat``, ...
        block: Number of the block in the template.
        branch: 0 for the first branch, 1 for the first ``elif`` or ``else``, ...
        argument: The rest of the opening tag, its words with one space between them.
    """

    kind: str
    block: int
    branch: int = 0
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a template. White space that a ``-`` mark strips belongs to none.

    Attributes:
        kind: A ``raw`` piece is a whole block with both of its tags.
        start: Where it begins; the front matter is counted.
        end: Where it ends.
        frames: The blocks around it, outermost first.
        words: The tokens inside an expression or a tag.
    """

    kind: PieceKind
    start: int
    end: int
    frames: tuple[Frame, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of a tag: ``if``, ``endif``, ``chat``, ..."""
        return self.words[0] if self.kind == "tag" and self.words else ""

    @property
    def opaque(self) -> bool:
        """Whether what it prints is handed to code instead of being printed in its place."""
        return any(frame.kind in _OPAQUE for frame in self.frames)


@dataclass(frozen=True, slots=True)
class ChatBlock:
    """One ``{% chat role="..." %}...{% endchat %}``.

    Attributes:
        role: ``None`` if an expression decides it.
        start: Where the opening tag begins.
        end: Where the closing tag ends.
        body_start: Where the text between the tags begins.
        body_end: Where it ends.
        is_static: Whether no expression and no tag is in it.
    """

    role: str | None
    start: int
    end: int
    body_start: int
    body_end: int
    is_static: bool


@dataclass(frozen=True)
class Source:
    """A prompt file, read.

    Attributes:
        text: The whole file.
        front_end: Where its front matter ends; 0 if there is none.
        pieces: The parts of what follows, in order.
        lead: The comments before the front matter.
        is_template: Whether Jinja2 can parse it (plain text is a template); if not, pieces have no frames.
    """

    text: str
    front_end: int
    pieces: tuple[Piece, ...] = field(repr=False)
    lead: tuple[Piece, ...] = ()
    is_template: bool = True

    @cached_property
    def literals(self) -> tuple[Piece, ...]:
        """The stretches of literal text."""
        return tuple(piece for piece in self.pieces if piece.kind == "text")

    @cached_property
    def code(self) -> tuple[str, ...]:
        """The front matter and every expression, tag, comment and ``raw`` block as it is written."""
        # White space that `-` marks strip belongs to the text around them.
        pieces = (self.text[piece.start : piece.end].strip() for piece in self.pieces if piece.kind != "text")
        return (self.text[: self.front_end], *pieces)

    @cached_property
    def repeated(self) -> tuple[tuple[int, int], ...]:
        """The ranges of ``if`` and ``for`` blocks, tags included: not every rendering has them, or has them once."""
        found, opened = [], []
        for piece in self.pieces:
            if piece.name in _REPEATED:
                opened.append(piece.start)
            elif piece.name in ("endif", "endfor") and opened:
                found.append((opened.pop(), piece.end))
        return tuple(found)

    @cached_property
    def chats(self) -> tuple[ChatBlock, ...]:
        """The chat blocks in order."""
        found = []
        opened: Piece | None = None
        is_static = True
        for piece in self.pieces:
            if piece.name == "chat":
                opened, is_static = piece, True
            elif piece.name == "endchat" and opened is not None:
                role = _ROLE.fullmatch(" ".join(opened.words[1:]))
                name = role["role"] if role else None
                found.append(ChatBlock(name, opened.start, piece.end, opened.end, piece.start, is_static))
                opened = None
            elif piece.kind in ("expression", "tag"):
                is_static = False
        return tuple(found)

    def inside(self, piece: Piece) -> str:
        """What is between the delimiters of an expression, tag or comment, marks that strip white space left out."""
        written = self.text[piece.start : piece.end].strip()[2:-2]
        start = 1 if written.startswith(("-", "+")) else 0
        return written[start:].removesuffix("-").strip()

    def frames_at(self, position: int) -> tuple[Frame, ...]:
        """The blocks around a position. One inside a tag is like no other place."""
        index = bisect_right(self.pieces, position, key=lambda piece: piece.start) - 1
        if not self.pieces:
            return ()
        # White space that a `-` mark strips belongs to what is before it.
        piece = self.pieces[max(index, 0)]
        return (Frame("tag", -position - 1),) if piece.kind == "tag" else piece.frames

    def balanced(self, start: int, end: int) -> bool:
        """Whether a range can go: it cuts no expression, tag or comment, and no block of control flow, in half."""
        depth = 0
        first = bisect_right(self.pieces, start, key=lambda piece: piece.end)
        for piece in self.pieces[first:]:
            if piece.start >= end:
                break
            if piece.kind == "text":
                continue
            if piece.start < start or piece.end > end:
                return False
            if piece.name.startswith("end"):
                depth -= 1
            elif piece.name in _OPENERS or (piece.name == "set" and "=" not in piece.words):
                depth += 1
            if depth < 0 or (not depth and piece.name in ("else", "elif")):
                return False
        return not depth

    def edited(self, text: str, edits: Iterable[tuple[int, int, int]]) -> Source:
        """The reading of ``text``, which is this one with literal text replaced.

        Args:
            edits: Start and end of each replaced range, each inside one literal stretch, and the new length.
        """
        ordered = sorted(edits)
        pieces, shift, index = [], 0, 0
        for piece in self.pieces:
            start = piece.start - shift
            while index < len(ordered) and ordered[index][0] < piece.end:
                shift += ordered[index][1] - ordered[index][0] - ordered[index][2]
                index += 1
            if piece.end - shift > start:
                pieces.append(replace(piece, start=start, end=piece.end - shift))
        return Source(text, self.front_end, tuple(pieces), self.lead, self.is_template)


@lru_cache(maxsize=32)
def read_source(text: str) -> Source:
    """Read a prompt file, or any text that may be one."""
    return _read(text, parse=True)


def same_code(before: str, after: str) -> bool:
    """Whether two templates have the same front matter, expressions, tags and comments, byte for byte and in order."""
    first = read_source(before)
    if first.is_template and _is_all_code(first.code, after):
        return True
    # With the same code in the same order the second parses as the first does.
    second = _read(after, parse=not first.is_template)
    return first.is_template == second.is_template and (not first.is_template or first.code == second.code)


def _is_all_code(code: Sequence[str], text: str) -> bool:
    """Whether a text has a front matter and pieces of code and, for sure, no others.

    A delimiter opens a piece wherever it is in literal text, and the same characters are the same piece.
    """
    front, *pieces = code
    position = len(front)
    if not text.startswith(front) or front_matter_end(text) != position:
        return False
    for piece in pieces:
        opening = _OPENING.search(text, position)
        if opening is None or not text.startswith(piece, opening.start()):
            return False
        position = opening.start() + len(piece)
    return _OPENING.search(text, position) is None


def _read(text: str, *, parse: bool) -> Source:
    begin = front_matter_end(text)
    lead = tuple(Piece("comment", *span) for span in comments_before(text))
    if not _OPENING.search(text, begin):
        return Source(text, begin, (Piece("text", begin, len(text)),) if begin < len(text) else (), lead)
    # The lexer makes one character of a line end of two.
    body = text[begin:].replace("\r\n", " \n").replace("\r", "\n")
    environment = _reading_environment()
    try:
        if parse:
            environment.parse(body)
        pieces = tuple(_walk(body, begin, environment))
    except (TemplateSyntaxError, RecursionError, _OutOfStep):
        return Source(text, begin, tuple(_split_at_delimiters(text, begin)), lead, is_template=False)
    return Source(text, begin, pieces, lead)


class _ReadingEnvironment(PromptEnvironment):
    """Splits a text into tokens once, for the parser and for the pieces.

    Nothing is trimmed here: every character of the source must be accounted for.
    """

    def __init__(self) -> None:
        super().__init__(None, keep_trailing_newline=True, trim_blocks=False, lstrip_blocks=False)
        self.tokens = lru_cache(maxsize=1)(self._tokens)

    def _tokens(self, body: str) -> list[tuple[int, str, str]]:
        return list(self.lexer.tokeniter(body, None))

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        assert state is None, "a whole template is read here, and no expression alone"
        return TokenStream(self.lexer.wrap(self.tokens(source), name, filename), name, filename)


@lru_cache(maxsize=1)
def _reading_environment() -> _ReadingEnvironment:
    return _ReadingEnvironment()


class _OutOfStep(Exception):
    """The lexer's tokens could not be found in the source."""


def _walk(body: str, offset: int, environment: _ReadingEnvironment) -> Iterator[Piece]:
    """The pieces of a template.

    Args:
        offset: Where the body begins in the file.
    """
    stack: tuple[Frame, ...] = ()
    position = blocks = begun = 0
    words: list[str] = []
    raw = False
    for _, kind, value in environment.tokens(body):
        start = _find(body, value, position)
        position = start + len(value)
        what, _, edge = kind.rpartition("_")
        if edge == "begin":
            begun, words, raw = start, [], what == "raw"
        elif edge == "end":
            # A tag that closes a block is outside it, as the tag that opens it is.
            closing = what == "block" and bool(words) and words[0].startswith("end")
            yield Piece(
                _LEXER_KINDS[what],
                begun + offset,
                position + offset,
                stack[:-1] if closing else stack,
                tuple(words) if what in ("block", "variable") else (),
            )
            raw = False
            if what == "block":
                blocks += 1
                stack = _turned(stack, words, blocks)
        elif kind == "data":
            if value and not raw:
                yield Piece("text", start + offset, position + offset, stack)
        elif kind != "whitespace":
            words.append(value)


def _find(text: str, value: str, position: int) -> int:
    """Where the lexer's next token begins; between two tokens it drops white space only (``{%-``)."""
    while not text.startswith(value, position):
        if position >= len(text) or not text[position].isspace():
            raise _OutOfStep
        position += 1
    return position


def _turned(stack: tuple[Frame, ...], tag: list[str], block: int) -> tuple[Frame, ...]:
    """The blocks around what follows a tag."""
    name = tag[0] if tag else ""
    argument = " ".join(tag[1:])
    if name.startswith("end"):
        return stack[:-1]
    if name in ("else", "elif"):
        if stack and stack[-1].kind in _REPEATED:
            return (*stack[:-1], replace(stack[-1], branch=stack[-1].branch + 1, argument=argument))
    elif name in _OPENERS or (name == "set" and "=" not in tag):
        return (*stack, Frame(name, block, 0, argument))
    return stack


def _split_at_delimiters(text: str, begin: int) -> Iterator[Piece]:
    """The pieces of a text that is not a template. One pass: what is opened and never closed is text."""
    done = begin
    unclosed: set[str] = set()
    for match in _OPENING.finditer(text, begin):
        if match.start() < done or match[0] in unclosed:
            continue
        end = text.find(_DELIMITERS[match[0]], match.end())
        if end < 0:
            unclosed.add(match[0])
            continue
        if match.start() > done:
            yield Piece("text", done, match.start())
        done = end + 2
        yield Piece(_KINDS[match[0]], match.start(), done, (), tuple(text[match.end() : end].strip("-+ \n").split()))
    if done < len(text):
        yield Piece("text", done, len(text))
