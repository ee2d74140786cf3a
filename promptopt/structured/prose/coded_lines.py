"""Options that are one a line, each after a letter or a number, of which the letter or number is the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptopt.structured.fields import MASK, PromptText, Span

# "A) Publish", "- B. Hide: it is rude", "1 = not at home", "(2) - wrong address", "**3**: parcel damaged"
_LINE = re.compile(
    r"[ \t>]*(?:[-*•][ \t]+)?[*_`\"'(\[]*(?P<code>[A-Z]|-?\d{1,2})[*_`\"']*[ \t]*(?P<sign>[.)\]]|:|=|->|→|[–—]|-(?=[ \t]))[ \t:*_-]*\S.*"
)
_MOST_BLANK = 1
"""Lines that may be between two options."""


@dataclass(frozen=True, slots=True)
class CodedLines:
    """A run of options.

    Attributes:
        codes: Their letters or numbers, in the order of the text.
        numbered: They are numbers that a list has anyhow ("1.", "2)"), and may be steps or criteria.
    """

    codes: tuple[str, ...]
    numbered: bool
    span: Span


def coded_lines(document: PromptText) -> Iterator[CodedLines]:
    """Each run of two options and more whose codes go on without a step back; further lines of an option are indented."""
    run: list[tuple[str, str, Span]] = []
    blank = start = 0
    for line in [*document.text.split("\n"), "\0"]:
        span = Span(start, start + len(line))
        start = span.end + 1
        match = _LINE.fullmatch(line)
        if match and MASK not in line and (not run or _goes_on([code for code, _, _ in run], match["code"])):
            run.append((match["code"], match["sign"], span))
            blank = 0
        elif run and not line.strip() and blank < _MOST_BLANK:
            blank += 1
        elif not (run and line[:2].isspace() and match is None):
            yield from _run(run)
            run = [(match["code"], match["sign"], span)] if match and MASK not in line else []
            blank = 0


def _goes_on(codes: Sequence[str], code: str) -> bool:
    if code.isalpha() or codes[-1].isalpha():
        return code.isalpha() and codes[-1].isalpha() and ord(code) == ord(codes[-1]) + 1
    step = int(code) - int(codes[-1])
    before = int(codes[-1]) - int(codes[-2]) if len(codes) > 1 else step
    return step * before > 0


def _run(run: Sequence[tuple[str, str, Span]]) -> Iterator[CodedLines]:
    if len(run) > 1:
        codes = tuple(code for code, _, _ in run)
        numbered = not codes[0].isalpha() and any(sign in ".)]" for _, sign, _ in run)
        yield CodedLines(codes, numbered, Span(run[0][2].start, run[-1][2].end))
