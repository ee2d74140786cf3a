"""Stretches of a text that no wording rule may touch, and what each of them is."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from promptopt.compression.text.address import begun_answer, is_addressed
from promptopt.compression.text.example_answers import answers_in_examples
from promptopt.compression.text.line_forms import TURN, LabelledLine, example_mark, labelled_lines
from promptopt.compression.text.masked_lines import MASK, Cover, covers
from promptopt.compression.text.notation import RECORDS, fenced, framed
from promptopt.compression.text.shown import shown
from promptopt.compression.text.tags import INLINE_DATA, data_blocks
from promptopt.templates.source import Piece, Source, read_source

# Marks of templates without the usual delimiters of Jinja2: other settings of it, other languages. What is inside them
# is never edited, and if they branch nothing is known about the flow. They are recognised by their looks alone, since a
# prompt does not say which delimiters its program uses.
_PAIRS = (
    r"<%.*?%>",
    r"\[%.*?%\]",
    r"\[#.*?#\]",
    r"\{\[.*?\]\}",
    r"\[\[[ \t]*[A-Za-z_$][^\[\]\n,\"']{0,100}\]\]",
    r"\(\((?P<inner>[*=#%]).*?(?P=inner)\)\)",
    r"<<[^<>\n]{1,120}>>",
    r"\\(?:VAR|BLOCK|#)\{[^{}\n]*\}",
    r"\$\{[^{}\n]*\}",
    r"\{\{\{.*?\}\}\}",
)
_STATEMENT = (
    r"^[ \t]*(?:#|%{1,2}|//|@)[ \t]*(?:end(?=[ \t]*$)|(?:end)?(?:if|elif|else|elsif|for|foreach|while|macro|block|call"
    r"|set|filter)\b)[^\n]*$"
)
MARKS = re.compile("|".join(_PAIRS), re.DOTALL)
"""A tag or a variable."""
_BRANCH = re.compile(
    r"<%[-+]?[ \t\n]*(?!=)\w|\[%|\(\(\*|\\BLOCK\{|\{\{~?[#/^>]|\{%|<#(?:if|list|else)\b"
    r"|^[ \t]*#(?:if|foreach|else|end)\b",
    re.MULTILINE,
)
_LINE = re.compile(_STATEMENT, re.MULTILINE)
_ENDED = re.compile(
    r"^[ \t]*(?:#|%{1,2}|//|@)[ \t]*end(?:if|for|foreach|while|macro|block|call|set|filter)?[ \t]*$", re.MULTILINE
)


# What a mark, a branch, and the end of a statement have in them: most texts have none, and need not be searched.
_IN_MARKS = ("<%", "[%", "[#", "{[", "[[", "((", "<<", "\\", "${", "{{{")
_IN_BRANCHES = ("<%", "[%", "((*", "\\BLOCK{", "{{", "{%", "<#", "#if", "#foreach", "#else", "#end")
_IN_ENDS = re.compile(r"end(?:if|for|foreach|while|macro|block|call|set|filter)?[ \t]*$", re.MULTILINE)


def _has_ends(text: str) -> bool:
    return _IN_ENDS.search(text) is not None and _ENDED.search(text) is not None


def statements(text: str) -> list[re.Match[str]]:
    """Lines that are statements of a template; none if nothing in the text ends one."""
    return list(_LINE.finditer(text)) if _has_ends(text) else []


def branches(text: str) -> bool:
    """Whether a text may branch or repeat in a way that Jinja2's usual delimiters do not show."""
    may_branch = any(needle in text for needle in _IN_BRANCHES)
    return (may_branch and _BRANCH.search(text) is not None) or _has_ends(text)


def marks(text: str) -> list[str]:
    """All marks and statements in order: what must be the same after an edit."""
    has_marks = any(needle in text for needle in _IN_MARKS)
    found = [(match.start(), match[0]) for match in MARKS.finditer(text)] if has_marks else []
    found += [(match.start(), match[0].strip()) for match in statements(text)]
    return [mark for _, mark in sorted(found)]


# Nothing follows it: it begins the answer.
_FIRST_WORDS = re.compile(
    r"^[ \t]*(?:Here|Below|Sure|Certainly|Of course|The|This|These|My|I|Based|After)\b[^\n]*:[ \t]*(?:<[\w-]+>)?\s*\Z",
    re.MULTILINE,
)
_TRIPLE = re.compile(r'"""(?:.*?)"""|\'\'\'(?:.*?)\'\'\'', re.DOTALL)
# In these marks what is quoted may go on for some lines.
_CURLY = re.compile(r"“[^“”\n]{0,500}\n[^“”]{0,4000}”")
_INLINE = re.compile(r"(`(?<!``)`?)(?!`)[^`\n]+\1(?!`)")
_URL = re.compile(r"(?:https?://|ftp://|www\.)[^\s<>\"'`)\]}]+")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_TAG = re.compile(r"</?[A-Za-z_][\w:.|-]*(?:\s[^<>\n]{0,200})?/?>|<\|[^<>\n]{1,40}\|>|<![^<>]*>")
# "Say something like:" and a mark, the text under it, and the other mark.
_QUOTED_BELOW = re.compile(r':[ \t]*"[ \t]*\n[^"]{1,4000}"')
_ROW = re.compile(r",[^\s,][^\n]*")
_TABLE = re.compile(r"^[ \t]*\|.*\|[ \t]*$|^[^|\n]*\|[^|\n]*\|[^\n]*$", re.MULTILINE)
_BLOCK = re.compile(r"(?<=\n)[^\n]*\S[^\n]*(?:\n[^\n#]*[^\s#][^\n]*)*")
_EXAMPLE_BLOCK = re.compile(
    rf"[ \t]*(?:[-=*_~#]{{3,}}|[\w \t#-]{{1,25}}:|[\"'“<(\[|{MASK}]|\d+[.)][ \t]|[-*•>+][ \t]|#)"
)
_BULLET = re.compile(r"[ \t]*[-*•][ \t]+\S")
_UNDER = re.compile(r"(?:\n(?![ \t]*[\[*]*[A-Za-z][\w ]{0,24}[\]*]*:)[^\n]*\S[^\n]*)+")
_GOES_ON = re.compile(r"(?:\n(?![ \t]*(?:[-*+#•][ \t]|\d{1,3}[.)]|[\[*]*[A-Za-z][\w ]{0,24}[\]*]*:))[^\n]*\S[^\n]*)+")
_REMARK = frozenset({"note", "important", "tip", "warning", "remember", "caution", "nb"})


class Zone(NamedTuple):
    """A protected stretch.

    Attributes:
        kind: ``jinja``, ``front``, ``code``, ``url``, ``quote``, ``placeholder``, ``braces``, ``table``, ``tag``,
            ``identifier``, ``example`` or ``data``.
    """

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Masked:
    """A text whose protected stretches are masked, character for character.

    Attributes:
        text: The text as it is.
        masked: As long as ``text``.
        zones: The protected stretches in order; none overlaps another.
        source: The text as a template.
    """

    text: str
    masked: str
    zones: tuple[Zone, ...]
    source: Source

    @property
    def spans(self) -> tuple[Piece, ...]:
        """The literal stretches with the control flow around them."""
        return self.source.literals

    def zone_at(self, position: int) -> Zone | None:
        """The zone that holds the character at ``position``."""
        index = bisect_right(self.zones, position, key=lambda zone: zone.start) - 1
        return self.zones[index] if index >= 0 and position < self.zones[index].end else None


def mask(text: str, source: Source | None = None) -> Masked:
    """Find the protected stretches of ``text``, which has ``\n`` line ends.

    Args:
        source: The text as a template if it is read already.
    """
    canvas = _Canvas(text)
    source = read_source(text) if source is None else source
    if source.front_end:
        canvas.put(0, source.front_end, "front")
    canvas.cover_gaps(source.literals, source.front_end)
    canvas.cover(MARKS, "jinja", *_IN_MARKS)
    canvas.put_all((line.span() for line in statements(text)), "jinja")
    if not is_addressed(text[source.front_end :]):
        canvas.put(source.front_end, len(text), "example")
    # What the assistant is shown to have said is an example of an answer, and what was asked before is one too.
    answered = max((span.end for span in source.literals if _has_role(span, "assistant")), default=0)
    for span in source.literals:
        if span.opaque:
            canvas.put(span.start, span.end, "jinja")
        elif span.start < answered and _is_example_turn(span):
            canvas.put(span.start, span.end, "example")
    canvas.cover_fenced()
    canvas.cover_said()
    canvas.cover(_TRIPLE, "quote", '"""', "'''")
    canvas.cover(_CURLY, "quote", "“")
    canvas.cover(_INLINE, "code", "`")
    canvas.cover(_URL, "url", "://", "www.")
    canvas.cover_by_line(_ADDRESS, "url", "@")
    canvas.cover_braces()
    canvas.put_all(data_blocks(canvas.masked()), "example")
    canvas.cover(INLINE_DATA, "example", "</")
    canvas.cover(_TAG, "tag", "<")
    canvas.cover_examples()
    canvas.cover_shown()
    canvas.cover(_TABLE, "table", "|")
    canvas.cover_rows()
    canvas.cover_lines(covers(canvas.masked()))
    return Masked(text, canvas.masked(), tuple(canvas.zones()), source)


def _has_role(span: Piece, role: str) -> bool:
    return any(frame.kind == "chat" and role in frame.argument for frame in span.frames)


def _is_example_turn(span: Piece) -> bool:
    return _has_role(span, "assistant") or _has_role(span, "user")


class _Canvas:
    """Collects zones; a zone that touches an earlier one is merged into it under the earlier one's kind."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._zones: list[Zone] = []
        self._masked = text

    def put(self, start: int, end: int, kind: str) -> None:
        self._zones.append(Zone(start, end, kind))
        self._masked = self._masked[:start] + _blank(self._masked[start:end]) + self._masked[end:]

    def _put_all(self, spans: Iterable[tuple[int, int]], kind: str) -> None:
        parts, position = [], 0
        for start, end in spans:
            self._zones.append(Zone(start, end, kind))
            parts += [self._masked[position:start], _blank(self._masked[start:end])]
            position = end
        if parts:
            self._masked = "".join([*parts, self._masked[position:]])

    def put_all(self, spans: Iterable[tuple[int, int]], kind: str) -> None:
        """Put ranges in any order, which may overlap."""
        found = list(spans)
        self._zones += [Zone(start, end, kind) for start, end in found]
        self._blank(sorted(found))

    def _blank(self, spans: Iterable[tuple[int, int]]) -> None:
        """Mask ranges in order, which may overlap."""
        parts, position = [], 0
        for start, end in spans:
            if end > position:
                begin = max(start, position)
                parts += [self._masked[position:begin], _blank(self._masked[begin:end])]
                position = end
        if parts:
            self._masked = "".join([*parts, self._masked[position:]])

    def cover_by_line(self, pattern: re.Pattern[str], kind: str, *needles: str) -> None:
        """Cover the matches of a pattern that stays in a line, which holds one of the needles."""
        spans: list[tuple[int, int]] = []
        done = 0
        for place in sorted(found for needle in needles for found in _places(self._masked, needle)):
            if place >= done:
                start, newline = self._masked.rfind("\n", 0, place) + 1, self._masked.find("\n", place)
                done = len(self._masked) if newline < 0 else newline
                spans += [one.span() for one in pattern.finditer(self._masked, start, done) if one[0].strip()]
        self._put_all(spans, kind)

    def cover(self, pattern: re.Pattern[str], kind: str, *needles: str) -> None:
        """Cover all matches; ``needles``: what a match must hold one of, so that most texts need not be searched."""
        if needles and not any(needle in self._masked for needle in needles):
            return
        self._put_all([match.span() for match in pattern.finditer(self._masked) if match[0].strip()], kind)

    def cover_fenced(self) -> None:
        """Blocks of code and of forms between fences."""
        if "```" in self._masked or "~~~" in self._masked:
            self._put_all(fenced(self._masked), "code")

    def cover_said(self) -> None:
        """Quotations under their marks, and a last line that the answer goes on with: "Here is it: <summary>"."""
        if ':"' in self._text or ': "' in self._text:
            for said in _QUOTED_BELOW.finditer(self._text):
                self.put(said.start() + 1, said.end(), "quote")
        if first := _FIRST_WORDS.search(self._text, max(0, len(self._text) - 300)):
            self.put(first.start(), first.end(), "example")
        elif begun := begun_answer(self._text):
            self.put(*begun, "example")

    def cover_lines(self, covers: Iterable[Cover]) -> None:
        """What is protected inside of single lines."""
        found = list(covers)
        self._zones += [Zone(start, end, kind) for start, end, kind in found]
        self._blank(sorted((start, end) for start, end, _ in found))

    def cover_rows(self) -> None:
        """Lines of comma-separated values, two and more of them."""
        if sum(1 for _ in islice(_ROW.finditer(self._masked), 2)) > 1:
            self.cover(RECORDS, "table")

    def cover_gaps(self, spans: Iterable[Piece], position: int) -> None:
        """Cover what is not literal text, from ``position`` on."""
        gaps = []
        for span in spans:
            if span.start > position:
                gaps.append((position, span.start))
            position = span.end
        if position < len(self._text):
            gaps.append((position, len(self._text)))
        self._put_all(gaps, "jinja")

    def cover_braces(self) -> None:
        """Balanced braces: JSON, pseudo-JSON, and the holes of Python's ``str.format``."""
        spans, depth, start = [], 0, 0
        for match in re.finditer(r"[{}]", self._masked):
            if match[0] == "{":
                if depth == 0:
                    start = match.start()
                depth += 1
            elif depth:
                depth -= 1
                if depth == 0:
                    spans.append((start, match.end()))
        if depth:
            spans.append((start, len(self._text)))
        self._put_all(spans, "braces")

    def cover_shown(self) -> None:
        """What the prompt shows instead of saying it."""
        self.put_all((*framed(self._text), *answers_in_examples(self._text), *shown(self._masked)), "example")

    def cover_examples(self) -> None:
        """What follows a line such as ``## Examples`` up to the next heading, and the turns of a dialogue."""
        spans = []
        limit = 0
        labelled = labelled_lines(self._masked)
        asked = [(start, start + label.asks) for start, _, label in labelled if label.asks]
        for start, line, label in labelled:
            if label.is_example_head and start >= limit:
                limit = self._example_end(start, line)
                if limit > start + len(line):
                    spans.append((start + len(line), limit))
        if spans:
            self._put_all(spans, "example")
            labelled = labelled_lines(self._masked)
        turns = list(self._turns(start for start, _, label in labelled if label.is_turn))
        if len(turns) > 1:
            self._put_all(turns, "example")
            labelled = labelled_lines(self._masked)
        self._cover_records(labelled)
        # "Question: ..." three times and more: what is between them is worked out for the last.
        if len(asked) > 2:
            self.put(asked[0][1], asked[-1][0], "example")

    def _turns(self, starts: Iterable[int]) -> Iterator[tuple[int, int]]:
        """The ranges of turns that begin at the beginnings of lines, each with what goes on under it."""
        done = 0
        for start in starts:
            if start >= done and (turn := TURN.match(self._masked, start)):
                done = turn.end()
                yield turn.span()

    def _cover_records(self, labelled: Iterable[LabelledLine]) -> None:
        """Lines such as ``question: ...`` and ``stars: ...`` that come again and again: filled-in examples."""
        fields = [(form.label, (start, start + len(line)), form.says) for start, line, form in labelled if form.label]
        if not fields:
            return
        labels = (form.label for _, _, form in labelled_lines(self._text))
        times = Counter(label for label in labels if label and label not in _REMARK)
        repeated = {label for label, number in times.items() if number > 1}
        if len(repeated) > 1 or max(times.values(), default=0) > 2:
            ends = ((span[1], said) for label, span, said in fields if label in repeated)
            # What is right under the label belongs to it; to a line that says something, what is not an item.
            under = [(_GOES_ON if said else _UNDER).match(self._masked, end) for end, said in ends]
            self._put_all([span for label, span, said in fields if said and label in repeated], "example")
            for match in under:
                if match:
                    self.put(match.start(), match.end(), "example")

    def _example_end(self, start: int, head: str) -> int:
        """Where the examples under a head end: at the next heading, tag or block that does not look like one."""
        end = start + len(head)
        mark = example_mark(head)
        if not mark.startswith("#") and not head.rstrip().endswith((":", "**", "-", "=", ">")):
            return end
        level = len(mark) if mark.startswith("#") else 6
        first = True
        is_list = is_page = False
        position = end
        for block in _BLOCK.finditer(self._masked, end):
            heading = re.match(r"#+", block[0])
            if heading and first and (not mark or len(heading[0]) > level):
                # "Example:" and a page with headings of its own, "## Example" and parts under headings of theirs.
                is_page, level = True, level if mark else len(heading[0])
            elif heading and len(heading[0]) <= level:
                break
            if not first and not is_page and not _EXAMPLE_BLOCK.match(block[0]):
                break
            # Under a label a list is all there is of the examples.
            if is_list and not _BULLET.match(block[0]):
                break
            is_list |= first and not mark and _BULLET.match(block[0]) is not None
            first = False
            position = block.end()
        return position

    def masked(self) -> str:
        return self._masked

    def zones(self) -> Iterator[Zone]:
        last: Zone | None = None
        for zone in sorted(self._zones, key=lambda zone: (zone.start, -zone.end)):
            if last is None or zone.start >= last.end:
                if last is not None:
                    yield last
                last = zone
            elif zone.end > last.end:
                last = Zone(last.start, zone.end, last.kind)
        if last is not None:
            yield last


def _places(text: str, needle: str) -> Iterator[int]:
    place = text.find(needle)
    while place >= 0:
        yield place
        place = text.find(needle, place + 1)


def _blank(text: str) -> str:
    if "\n" not in text:
        return MASK * len(text)
    return "\n".join(MASK * len(line) for line in text.split("\n"))
