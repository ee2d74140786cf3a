"""What is known about an answer's fields, and where it is said."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regex

from promptopt.templates.source import read_source

MASK = "\ufffc"
"""Stands for every character that a template's expression or tag takes up."""
BOUNDARY = "\ufffa"
"""Stands for every character of a chat block's tag: it separates sentences and prints nothing."""

SCAN_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text, from ``start`` up to ``end``."""

    start: int
    end: int

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Field:
    """A property of an answer.

    Attributes:
        schema: What its values are.
        source: Where that is said: "JSON example, line 12".
        line: The line, counted from 1, if there is one.
        pattern: A regular expression whose group reads the value out of an answer in the form that the text states.
    """

    name: str
    schema: Mapping[str, Any]
    source: str
    line: int | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a prompt says about the form of its answers.

    Attributes:
        fields: The properties, in order; empty if nothing certain is said.
        carried: Parts of the text that only say what the schema says; they can go.
        problems: Contradictions and doubts, each with its line; if one matters, there are no fields.
        wrapped: The answer is a list; the one field has it.
        covered: The parts of the text that the fields were read from.
        whole: What kind of form the fields are all of: JSON, keys, labels, sections, a table; empty for a bare value.
        beside: What the prompt asks for beside the form, with its line; then nothing bounds the answer.
        doubted: What was read and is not proposed, because of ``problems``.
        schema_shown: The prompt shows the JSON schema of its answers, so that types and null are in it and in no words.
    """

    fields: tuple[Field, ...] = ()
    carried: tuple[Span, ...] = ()
    problems: tuple[str, ...] = ()
    wrapped: bool = False
    covered: tuple[Span, ...] = ()
    whole: str = ""
    beside: str | None = None
    doubted: Inferred | None = None
    schema_shown: bool = False

    def schema(self) -> dict[str, Any]:
        """The strict schema of the fields."""
        return object_schema({item.name: dict(item.schema) for item in self.fields})


def begin_of(text: str, position: int, signs: Sequence[str]) -> int:
    """Where the sentence, line or clause of a position begins: after the last of the signs that end one."""
    return max(text.rfind(sign, 0, position) for sign in signs) + 1


@dataclass(frozen=True, slots=True)
class PromptText:
    """The text of a prompt with its front matter and template parts masked.

    Attributes:
        source: The prompt as it is.
        text: As long as the source; every character of a tag or expression is :data:`MASK` or :data:`BOUNDARY`.
        conditional: Parts that not every rendering has, or has several times.
    """

    source: str
    text: str
    conditional: tuple[Span, ...] = ()

    @classmethod
    def of(cls, source: str, *, examples: bool = True) -> PromptText:
        """Mask a prompt's source.

        Args:
            examples: Whether to keep the turns of a few-shot prompt, which show the task and do not describe it.
        """
        read = read_source(source)
        done = read.front_end
        parts = [blank(source[:done], MASK)]
        for piece in read.pieces:
            mask = BOUNDARY if piece.name in ("chat", "endchat") else MASK
            covered = source[piece.start : piece.end]
            parts += [source[done : piece.start], covered if piece.kind == "text" else blank(covered, mask)]
            done = piece.end
        text = "".join([*parts, source[done:]])
        if not examples and any(chat.role == "assistant" for chat in read.chats):
            for chat in read.chats:
                if chat.role in ("user", "assistant") and chat.is_static:
                    text = text[: chat.start] + blank(text[chat.start : chat.end], MASK) + text[chat.end :]
        return cls(source, text, tuple(Span(*span) for span in read.repeated))

    def without(self, spans: Iterable[Span]) -> str:
        """The text, as long as it is, with blanks in the place of some parts; line breaks stay."""
        text = self.text
        for span in spans:
            text = text[: span.start] + blank(text[span.start : span.end]) + text[span.end :]
        return text

    def masked(self, spans: Iterable[Span]) -> str:
        """The text, as long as it is, with the sign of a variable for each character of some parts; line breaks stay."""
        text = self.text
        for span in spans:
            text = text[: span.start] + re.sub(r"[^\n]", MASK, text[span.start : span.end]) + text[span.end :]
        return text

    def line(self, position: int) -> int:
        """The line of a position, counted from 1."""
        return self.text.count("\n", 0, position) + 1

    def depends(self, span: Span) -> bool:
        """Whether a part is in a branch or loop, or has one in it."""
        return any(span.overlaps(part) for part in self.conditional)


def blank(text: str, mask: str = " ") -> str:
    """A text with one sign in the place of each other, apart from line breaks."""
    return re.sub(r"[^\n]", mask, text)


class UnreadForm(Exception):
    """A form of the answer that no reader understands whole; the message says where, and why."""


class TooSlow(Exception):
    """A text that the patterns of a prompt's prose cannot be run over in time."""


def scan(pattern: regex.Pattern[str], text: str, start: int = 0) -> Iterator[Any]:
    """The matches of a pattern; raises TooSlow after half a second, which no real prompt takes."""
    try:
        yield from pattern.finditer(text, start, timeout=SCAN_TIMEOUT_S)
    except TimeoutError:
        raise TooSlow from None


def speaks(text: str, spellings: Iterable[str], after: re.Pattern[str]) -> bool:
    """Whether one of several words is in a text, in any case, with what may come after it there.

    A pattern with the name of a key in it is compiled for this one key, which takes longer than it runs: who asks this
    first compiles it only for keys that it can find.
    """
    folded = _folded(text)
    if len(folded) != len(text):
        return True
    for spelling in spellings:
        word = _folded(spelling)
        at = folded.find(word)
        while at >= 0:
            if after.match(text, at + len(word)):
                return True
            at = folded.find(word, at + 1)
    return False


@functools.lru_cache(maxsize=64)
def _folded(text: str) -> str:
    """A text in small letters, with blanks for hyphens and underscores."""
    return text.lower().replace("_", " ").replace("-", " ")


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A strict object of these properties."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def field_name(label: str) -> str:
    """A label of a text as the name of a property: ``ONE-SENTENCE SUMMARY:`` is ``one_sentence_summary``."""
    words = re.sub(r"['’`\"*]", "", label).strip()
    return re.sub(r"[^0-9a-zA-Z]+", "_", words).strip("_").lower()


def conditional(document: PromptText, span: Span) -> Inferred | None:
    """Nothing read and the reason, if a part is only in some renderings; ``None`` if it is in all."""
    if not document.depends(span):
        return None
    return Inferred(problems=(f"line {document.line(span.start)}: the format depends on a variable of the template",))


def conditional_part(document: PromptText, spans: Iterable[Span]) -> Inferred | None:
    """As :func:`conditional`, for the first of several parts that is only in some renderings."""
    return next((bad for span in spans if (bad := conditional(document, span))), None)


def of_fields(document: PromptText, found: Sequence[tuple[Field, Span]], *, carried: bool) -> Inferred:
    """The fields with where each was read; none if one of them is only in some renderings.

    Args:
        carried: Whether a schema says all that the parts say.
    """
    spans = tuple(span for _, span in found)
    if bad := conditional_part(document, spans):
        return bad
    return Inferred(tuple(field for field, _ in found), spans if carried else (), covered=spans)
