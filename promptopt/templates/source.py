"""Where a template is literal text, and what control flow stands around it.

Positions come from Jinja2's own lexer, so that strings with braces, comments and ``raw`` blocks are read as Jinja2
reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError

from promptopt.templates.frontmatter import mask_front_matter

_MARKS = re.compile(r"\{\{|\{%|\{#")
_CONDITIONAL = frozenset({"if", "for"})
_OPENERS = frozenset({"if", "for", "macro", "call", "filter", "block", "chat", "autoescape", "with"})
# What these print goes through code that may depend on it to the letter.
_OPAQUE = frozenset({"filter", "set", "call", "trans"})


@dataclass(frozen=True, slots=True)
class Frame:
    """One block around a place: which block, and which of its branches.

    Attributes:
        kind: The tag that opens it: ``if``, ``for``, ``macro``, ``chat``, ...
        block: Number of the block in the template.
        branch: 0 for the first branch, 1 for the first ``elif`` or ``else``, ...
        argument: The rest of the opening tag.
    """

    kind: str
    block: int
    branch: int = 0
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Literal:
    """A stretch of literal text and the blocks around it, outermost first."""

    start: int
    end: int
    frames: tuple[Frame, ...] = ()

    @property
    def opaque(self) -> bool:
        """Whether its output is handed to code instead of being printed where it stands."""
        return any(frame.kind in _OPAQUE for frame in self.frames)


@lru_cache(maxsize=8)
def _lexing_environment(extension: bool) -> Environment:
    from promptopt.templates.chat import ChatExtension

    # Nothing is trimmed here: every character of the source must be accounted for.
    return Environment(keep_trailing_newline=True, autoescape=False, extensions=[ChatExtension] if extension else [])  # noqa: S701 - lexes, renders nothing


@lru_cache(maxsize=16)
def literals(source: str) -> tuple[Literal, ...] | None:
    """The literal stretches of a template; front matter is none. ``None`` where the source is not a template.

    Args:
        source: A template with ``\\n`` line ends.
    """
    return _lexed(source, parse=True)


def _lexed(source: str, *, parse: bool) -> tuple[Literal, ...] | None:
    masked = mask_front_matter(source)
    offset = len(source) - len(masked)
    if not _MARKS.search(source):
        return (Literal(0, len(source)),) if source else ()
    environment = _lexing_environment(True)
    try:
        if parse:
            environment.parse(masked)
        return tuple(_walk(masked, offset, environment))
    except (TemplateSyntaxError, RecursionError, _OutOfStep):
        return None


class _OutOfStep(Exception):
    """The lexer's tokens could not be found in the source."""


def _walk(text: str, offset: int, environment: Environment) -> Iterator[Literal]:
    stack: list[Frame] = []
    blocks = 0
    position = 0
    raw = False
    tag: list[str] | None = None
    for _, kind, value in environment.lexer.tokeniter(text, None):
        start = _find(text, value, position)
        # Front matter is masked by a comment of another length; all else keeps its distance from the end.
        position = start + len(value)
        if kind == "raw_begin":
            raw = True
        elif kind == "raw_end":
            raw = False
        elif kind == "block_begin":
            tag = []
        elif kind == "block_end":
            blocks += 1
            _turn(stack, tag or [], blocks)
            tag = None
        elif tag is not None:
            if kind != "whitespace":
                tag.append(value)
        elif kind == "data" and not raw and value:
            yield Literal(start + offset, position + offset, tuple(stack))


def _find(text: str, value: str, position: int) -> int:
    """Where the lexer's next token begins; between two tokens it drops white space only (``{%-``)."""
    while not text.startswith(value, position):
        if position >= len(text) or not text[position].isspace():
            raise _OutOfStep
        position += 1
    return position


def _turn(stack: list[Frame], tag: list[str], block: int) -> None:
    name = tag[0] if tag else ""
    if name.startswith("end"):
        if stack:
            stack.pop()
    elif name in ("else", "elif"):
        if stack and stack[-1].kind in _CONDITIONAL:
            last = stack.pop()
            stack.append(Frame(last.kind, last.block, last.branch + 1, " ".join(tag[1:])))
    elif name in _OPENERS or (name == "set" and "=" not in tag):
        stack.append(Frame(name, block, 0, " ".join(tag[1:])))


def same_code(before: str, after: str) -> bool:
    """Whether two templates hold the same expressions, tags and comments, byte for byte and in the same order."""
    spans = literals(before)
    if spans is None:
        return literals(after) is None
    # With the same code in the same order the second parses as the first does.
    spans_after = _lexed(after, parse=False)
    return spans_after is not None and _code(before, spans) == _code(after, spans_after)


def _code(source: str, spans: tuple[Literal, ...]) -> list[str]:
    code, position = [], 0
    for span in spans:
        code.append(source[position : span.start])
        position = span.end
    code.append(source[position:])
    # White space that `-` marks strip belongs to the text around them.
    return [part.strip() for part in code if part.strip()]
