"""How much of a prompt stays the same from call to call: what a provider's prompt cache can serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from weakref import WeakKeyDictionary

import jinja2
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

from promptopt.templates.chat_file import chat_beginning
from promptopt.templates.dependence import PARAMETER, STATIC, Place
from promptopt.templates.marking import MarkedPrompt, has_marks, render_static
from promptopt.templates.readers import FolderReader, Reader
from promptopt.templates.source import Piece, read_source
from promptopt.templates.template import Template
from promptopt.tokens import TOKENS_PER_MESSAGE, TOKENS_PER_REPLY, Tokenizer
from promptopt.values import Message

# Tags whose file may print text that a macro or block has kept.
_WITH_BODIES = frozenset({"macro", "call", "filter", "set", "import", "from", "include", "extends"})


@dataclass(frozen=True, slots=True)
class StaticPrefix:
    """How much of a prompt no variable changes; it is the same for every set of variables.

    Attributes:
        messages: The texts of the messages that are static as a whole.
        beginning: The static beginning of the message after them; ``None`` if it may not be there at all.
        broken_by: What ends the prefix; ``None`` if the whole prompt is static.
        end: Where the prefix ends in the prompt's own file; ``None`` if that cannot be said, because the file
            extends another one or includes chat blocks.
    """

    messages: tuple[str, ...]
    beginning: str | None
    broken_by: Place | None
    end: int | None

    def tokens(self, tokenizer: Tokenizer, schema: int) -> int:
        """Tokens of the prefix with the framing that belongs to it; the same for every set of variables.

        Args:
            schema: Tokens of the output schema, which is before the first message.
        """
        count = schema + sum(TOKENS_PER_MESSAGE + tokenizer.count(text) for text in self.messages)
        if self.broken_by is None:
            return count + TOKENS_PER_REPLY
        if self.beginning is None:
            return count
        # All framing of a message but the token that ends it is before its text. A last space is part of the token of
        # the word after it.
        return count + TOKENS_PER_MESSAGE - 1 + tokenizer.count(self.beginning.removesuffix(" "))


# By compiled template: it takes as long as compiling the prompt a few times, and is asked for again and again.
_known: WeakKeyDictionary[jinja2.Template, StaticPrefix] = WeakKeyDictionary()


def static_prefix(template: Template) -> StaticPrefix:
    """The static prefix of a prompt; computed once, unless a file that the prompt includes has changed since."""
    reader = template.reader
    found = _known.get(template.compiled)
    if found is None or (isinstance(reader, FolderReader) and not reader.is_current()):
        found = _known[template.compiled] = static_prefix_of(template.source, reader, template.path)
    return found


def static_prefix_of(source: str, reader: Reader | None, path: str) -> StaticPrefix:
    """The static prefix of a prompt that need not be a file.

    Args:
        reader: Where its includes come from.
        path: How messages name the prompt.
    """
    begin = _beginning(source)
    first = begin and _prefix(begin, reader, path, nested=False)
    if first and first.end is not None and first.broken_by is not None:
        place = first.broken_by
        line = source.split("\n")[place.line - 1].strip() if place.kind == "break" else place.source
        before_end = place.before_end + len(source) - len(begin)
        return replace(first, broken_by=replace(place, source=line, before_end=before_end))
    coarse = _prefix(source, reader, path, nested=False)
    if coarse is None:
        return StaticPrefix((), None, Place(path, 1, "break", "cannot be rendered without variables"), None)
    if not any(piece.name in _WITH_BODIES for piece in read_source(source).pieces):
        return coarse
    # Marks from outside are always right; those inside blocks see further, if no filter reads them as text.
    fine = _prefix(source, reader, path, nested=True)
    return fine if fine is not None and _extends(fine, coarse) else coarse


def _beginning(source: str) -> str:
    """A template up to the end of its first expression or block, if what follows cannot change what is before it.

    Empty if it may: most prompts have nothing but expressions, conditions and loops.
    """
    read = read_source(source)
    code = [piece for piece in read.pieces if piece.kind not in ("text", "comment")]
    # What is not known, and what no mark can be made for, is an error of the whole template.
    if not read.is_template or has_marks(source) or not all(map(_is_plain, code)):
        return ""
    ends = (piece.end for piece in code if not piece.frames and (piece.kind == "expression" or piece.name[:3] == "end"))
    return source[: next(ends, 0)]


_PLAIN_TAGS = frozenset({"if", "elif", "else", "endif", "for", "endfor"})


def _is_plain(piece: Piece) -> bool:
    """Whether nothing outside of an expression or tag depends on it, and its filters and tests are known."""
    if piece.kind != "expression" and piece.name not in _PLAIN_TAGS:
        return False
    named = [word for word in piece.words if word != "not"]
    return all(
        second in (FILTERS if first == "|" else TESTS) for first, second in pairwise(named) if first in ("|", "is")
    )


def _prefix(source: str, reader: Reader | None, path: str, *, nested: bool) -> StaticPrefix | None:
    marked = render_static(source, reader, path, nested=nested)
    return None if marked is None else _walk(marked, source, path)


def _extends(fine: StaticPrefix, coarse: StaticPrefix) -> bool:
    texts = (*fine.messages, fine.beginning or "")
    number = len(coarse.messages)
    return (
        (fine.broken_by is None) == (coarse.broken_by is None)
        and texts[:number] == coarse.messages
        and (coarse.beginning is None or texts[number].startswith(coarse.beginning.rstrip()))
    )


def _walk(marked: MarkedPrompt, source: str, path: str) -> StaticPrefix:
    """The prefix by the marks."""
    done: list[str] = []
    for item in marked.items:
        if isinstance(item, Place):
            return StaticPrefix(tuple(done), None, item, _end(source, path, [item]))
        text, opened = _static_text(marked, item)
        if not marked.has_chat and (chat := chat_beginning(text)):
            # The text is no message but writes the chat.
            messages, cut = chat
            end = _end(source, path, opened) if opened else len(source)
            return StaticPrefix(messages, cut, opened[-1] if opened else None, end)
        if not opened:
            done.append(text.strip() if marked.has_chat else text)
            continue
        # The text of a chat block is stripped. What follows may print nothing, so that white space before it is, too.
        beginning = text.lstrip() if marked.has_chat else text
        return StaticPrefix(tuple(done), beginning, opened[-1], _end(source, path, opened))
    return StaticPrefix(tuple(done), None, None, len(source))


def _end(source: str, path: str, opened: Sequence[Place]) -> int | None:
    """Where the outermost of some places begins in a file."""
    place = opened[0]
    return len(source) - place.before_end if place.path == path and place.before_end else None


def _static_text(marked: MarkedPrompt, message: Message) -> tuple[str, list[Place]]:
    """What a message prints before anything depends on a variable, and what does so then with the places around it."""
    text = ""
    opened: list[Place] = []
    for characters, place in marked.events(message.content):
        if characters:
            text += characters
        elif place is None:
            if opened:
                opened.pop()
        else:
            if not place.transparent and _depends(place.depends, opened):
                return text, [*opened, place]
            if place.kind != "break":
                opened.append(place)
    return text, []


def _depends(depends: int, opened: Sequence[Place]) -> bool:
    """Whether something depends on a variable: itself, or an argument of the call it is printed by."""
    for place in reversed(opened):
        if depends == PARAMETER and place.transparent:
            depends = place.depends
    return depends != STATIC
