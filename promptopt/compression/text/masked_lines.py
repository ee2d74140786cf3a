"""What is protected inside of single lines: keys, code, quotations, placeholders, names of programs.

Each different line is read once in a process, over all passes and texts: nothing here looks outside of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from promptopt.compression.text.line_forms import lines_of

MASK = "\ue000"
"""Stands for each masked character, so that positions stay what they are."""
REMEMBERED_COVERS = 16384
"""Different lines whose protected stretches are kept."""

_KEY_LINE = re.compile(r"[ \t]*(?:- )?[\"'][^\"'\n]+[\"'][ \t]*:.*$|[ \t]*[a-z_][\w]*:[ \t]*[|>]?[ \t]*$")
_KEYWORDS = frozenset(
    "def class import from return elif except raise function const let var public private SELECT INSERT UPDATE CREATE "  # noqa: SIM905 - read as words
    "FROM WHERE #include package using assert".split()
)
# A word of code; what follows on its line, or all of the next line, says so as well.
_CODE_LINE = re.compile(
    rf"[ \t]*(?:(?:{'|'.join(sorted(_KEYWORDS))})\b(?=.*[({{=;:.*,<]|\s+\w+$).*"
    r"|(?:\$|>>>|\.\.\.|sudo|pip|npm|git|curl|cd|ls|cat|docker) .*"
    r"|(?:[^;{}\n]*+[;{}])++|[\w.\[\]\"']++[ \t]*[:+\-*/]?=[ \t]*\S.*|[\w.]++\([^()\n]*\)[:;]?|//.*|/\*.*"
    r"|(?=[^*\n]*+\*).*\*/|@\w+.*)[ \t]*$",
    re.MULTILINE,
)
_QUOTES = (
    re.compile(r'"[^"\n]{1,2000}"|“[^”\n]{1,2000}”|«[^»\n]{1,2000}»|„[^“”\n]{1,2000}[“”]|「[^」\n]*」'),
    re.compile(r"'(?<![\w']')[^'\n]{1,200}'(?![\w'])|‘(?<!\w‘)[^‘’\n]{1,200}’(?!\w)"),
)
# A mark without its partner: what was quoted began before, or goes on after.
_HALF_QUOTED = re.compile(r'^[^"\n]*[^"\n\s\d]"(?![\w"])|(?<![\w"])"\w[^"\n]*$')
# "questions like `where is it?": up to the end of its line.
_HALF_MARKED = re.compile(r"(?<![\w`])`(?=\w)[^`\n]*$")
_BRACKET = re.compile(r"\[[^\[\]\n]{1,120}\](?:\([^()\n]*\))?")
_PERCENT = re.compile(r"%\(\w+\)[sdfr]|%[sdf]\b|(?<!\w)\$[A-Za-z_]\w*")
_IDENTIFIER = re.compile(
    r"(?<![\w/])(?!and/or\b)(?:[\w.-]*[/\\])+[\w.-]+|\b\w+(?:_\w+)+\b|\b[a-z]+[A-Z]\w*\b|\b\w+\.\w+\(|--[a-z][\w-]*|@\w+"
)
# The last character of a hint: one class to begin with is found quickly.
_HINT = re.compile(r"[/\\_@(A-Z-](?:(?<=[/\\_@(])|(?<=--)|(?<=[a-z][A-Z]))")
_CHUNK = re.compile(r"\S+")
# In this order; what a match must hold one of, so that most lines need not be searched.
_STAGES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (_QUOTES[0], "quote", '"“«„「'),
    (_QUOTES[1], "quote", "'‘"),
    (_HALF_QUOTED, "quote", '"'),
    (_HALF_MARKED, "quote", "`"),
    (_BRACKET, "placeholder", "["),
    (_PERCENT, "placeholder", "%$"),
)
_MARK = re.compile(f"[{re.escape(''.join(needles for _, _, needles in _STAGES))}]")

Cover = tuple[int, int, str]
"""Where a protected stretch begins and ends, and its kind."""


def covers(masked: str) -> Iterator[Cover]:
    """The protected stretches in the lines of a text; an earlier one may be part of a later one."""
    for start, line in lines_of(masked):
        # "return", and a word alone on the line under it.
        if line.strip() in _KEYWORDS and (match := _CODE_LINE.match(masked, start)):
            yield start, match.end(), "code"
        elif found := _covers_in(line):
            yield from [(start + begin, start + end, kind) for begin, end, kind in found]


@lru_cache(maxsize=REMEMBERED_COVERS)
def _covers_in(line: str) -> tuple[Cover, ...]:
    found: list[Cover] = []
    for pattern, kind in ((_KEY_LINE, "data"), (_CODE_LINE, "code")):
        if (match := pattern.match(line)) and match[0].strip():
            line = _covered(line, [match.span()], kind, found)
    for pattern, kind, needles in _STAGES if _MARK.search(line) else ():
        if any(needle in line for needle in needles):
            spans = [match.span() for match in pattern.finditer(line) if match[0].strip()]
            line = _covered(line, spans, kind, found)
    _covered(line, _identifiers(line), "identifier", found)
    return tuple(found)


def _covered(line: str, spans: Iterable[tuple[int, int]], kind: str, found: list[Cover]) -> str:
    """The line with stretches masked, which are noted as found."""
    for start, end in spans:
        found.append((start, end, kind))
        line = line[:start] + MASK * (end - start) + line[end:]
    return line


def _identifiers(line: str) -> Iterator[tuple[int, int]]:
    """Paths, names with underlines, inner capitals, calls and options, looked for where a mark hints at one."""
    done = 0
    for hint in _HINT.finditer(line):
        if hint.start() < done:
            continue
        chunk = _CHUNK.search(line, max(done, line.rfind(" ", 0, hint.start())))
        while chunk is not None and chunk.end() <= hint.start():
            chunk = _CHUNK.search(line, chunk.end())
        if chunk is not None:
            done = chunk.end()
            yield from (match.span() for match in _IDENTIFIER.finditer(line, chunk.start(), done))
