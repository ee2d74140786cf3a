"""The lines of an answer, one after the other: "Respond with two lines:", and below it "Line 1: PASS or FAIL", "Line 2: why"."""

from __future__ import annotations

import re
from typing import Any

import regex

from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional, field_name, scan
from promptopt.structured.prose.choices import enum, labels
from promptopt.structured.prose.wording import ranged_number
from promptopt.structured.readers.labelled import read_pattern

_HEAD = r"(?:line (?P<{0}>\d)|(?:the )?(?P<{1}>first|second|third|fourth|1st|2nd|3rd|4th) line)"
_BLOCK = regex.compile(
    rf"(?:^|(?<=[.:] ))(?P<lines>(?:[ \t]*(?:[-*•][ \t]+)?[*_]*{_HEAD.format('n', 'w')}[*_]*[ \t]*(?::|[-–—](?= )|=)[*_]*[ \t]*[^\n]+(?:\n|\Z)){{2,5}})",
    regex.IGNORECASE | regex.MULTILINE,
)
_LINE = re.compile(
    rf"[ \t]*(?:[-*•][ \t]+)?[*_]*{_HEAD.format('n', 'w')}[*_]*[ \t]*(?::|[-–—](?= )|=)[*_]*[ \t]*(?P<said>[^\n]+)",
    re.IGNORECASE,
)
_NUMBERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_LEAD = re.compile(
    r"\b(?:respond|reply|answer|output|return|write|print|format|give|provide|lines?)\b[^\n]*(?::|\.)?[ \t]*\n\s*\Z",
    re.IGNORECASE,
)
_NOUN = re.compile(
    r"(?:write |give |state |only |just )*(?:an?|the|your|one|its) (?:(?:short|brief|one[- ]sentence|one[- ]line|single|concise|clear|final|main|short|exact) )*(?P<noun>[a-z]+(?: [a-z]+)?)\b(?: (?:of|for|why|that|in|on|with|about|from)\b[^\n]*|\W*)\Z",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:and|then|plus|followed|each|json|if|or)\b", re.IGNORECASE)


def numbered_lines(document: PromptText) -> Inferred | None:
    """A field for each line; ``None`` if there are no such lines, or what one of them holds is not told plainly."""
    blocks = [block for block in scan(_BLOCK, document.text) if MASK not in block["lines"]]
    if len(blocks) != 1 or not _LEAD.search(document.text[: blocks[0].start("lines")]):
        return None
    block = blocks[0]
    lines = [match for line in block["lines"].splitlines() if (match := _LINE.fullmatch(line.rstrip()))]
    numbers = [int(match["n"]) if match["n"] else _NUMBERS[match["w"].lower()] for match in lines]
    if numbers != list(range(1, len(lines) + 1)):
        return None
    fields = []
    at = document.line(block.start("lines"))
    for number, match in enumerate(lines):
        told = _told(match["said"].strip())
        if told is None:
            return None
        name, schema = told
        pattern = rf"(?im)\A\s*(?:[^\n]*\S[^\n]*\n\s*){{{number}}}\W*{read_pattern(schema)}"
        fields.append(Field(name, schema, f"line {number + 1} of the answer, line {at + number}", at + number, pattern))
    if len({field.name for field in fields}) < len(fields):
        return None
    span = Span(block.start("lines"), block.end("lines"))
    return conditional(document, span) or Inferred(tuple(fields), covered=(span,), whole="labels")


def _told(said: str) -> tuple[str, dict[str, Any]] | None:
    """The name of a line and what it holds: labels, a number, or a text with a noun; ``None`` if that is not clear."""
    said = re.sub(r"\s*\([^()]*\)", "", said).strip(" .<>[]")
    values = labels(
        re.sub(
            r"\A(?:only |just |either |one of:? |the word |(?:your|the|a) (?:verdict|decision|label|answer|rating)[,:]? )+",
            "",
            said,
            flags=re.IGNORECASE,
        )
    )
    if len(values) > 1 and re.search(r"\bor\b|[/|]", said) and all(len(value.split()) == 1 for value in values):
        return "verdict", enum(values)
    if ranged := ranged_number(said):
        return "score", ranged
    noun = _NOUN.fullmatch(said)
    if noun is None or _MORE.search(said):
        return None
    return field_name(noun["noun"]), {"type": "string"}
