"""Edits of a prompt's prose that leave whole sentences and no heading alone: what would leave a half of one is not made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from promptopt.compression.edit import Edit
from promptopt.structured.edits.layout import NO_BRACKETS, NO_DIVIDER
from promptopt.structured.fields import BOUNDARY, MASK

# A list mark, a quotation mark of Markdown or a heading's sign may stay before what is taken out: a line with no more
# than that is emptied by whoever makes the edit.
_BARE = re.compile(r"[\s>#*_-]*(?:\d+[.)])?[\s*_]*")
_ENDED = re.compile(r"[.!?:…。][\"'”’`)\]*_]*\s*\Z")
_BEGINS = re.compile(r"\s*(?:[A-Z\d\"'“‘`*_#<>{}\[|=•\-–—(/\\]|\Z|[^\x00-\x7f])")
_STOPS = re.compile(r"[ \t]*[.;,](?=\s|\Z)")
_PART = re.compile(r"\s*(?:,|and\b)")
_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"))


# What a line begins with that no sentence of the line above goes on with.
_NEW = re.compile(r"[ \t]*(?:$|[-*•+>|#<{\[`]|\(?\d+[.)]|\(?[A-Za-z][.)]\s|[\w \t/-]{1,30}:(?!\S))")
_UNENDED = re.compile(r"[^.!?:…。;}\])>|*_`#=~\s-][\"'”’)*_`]*[ \t]*\Z|\w[)*_`\"'”’][ \t]*\Z")
# A line that is broken where the page ends is about as wide as the page.
_WIDE = 60


def goes_on(text: str, newline: int) -> bool:
    """Whether the sentence of the line that ends at a position goes on in the next one."""
    end = text.find("\n", newline + 1)
    line, after = text[text.rfind("\n", 0, newline) + 1 : newline], text[newline + 1 : len(text) if end < 0 else end]
    if _NEW.match(after) or {MASK, BOUNDARY} & {line.rstrip()[-1:], after.lstrip()[:1]} or not _UNENDED.search(line):
        return False
    wide = len(line.rstrip()) >= _WIDE or line.rstrip().endswith(",")
    return after.lstrip()[:1].islower() or wide


def whole(edits: Sequence[Edit], text: str) -> Iterator[Edit]:
    """The edits that leave no half of a sentence and no text without its heading, each with its full stop."""
    headings = [match.span() for match in _HEADING.finditer(text)]
    for edit in edits:
        if any(start <= edit.start and edit.end <= end + 1 for start, end in headings):
            continue  # it goes if nothing is left below it
        if edit.new or edit.message in (NO_BRACKETS, NO_DIVIDER):
            yield edit
            continue
        begin = text.rfind("\n", 0, edit.start) + 1
        before = text[begin : edit.start].rpartition(BOUNDARY)[2]
        ended = bool(_BARE.fullmatch(before) or _ENDED.search(before))
        last = text[edit.start : edit.end].rstrip()[-1:]
        stop = _STOPS.match(text, edit.end)
        if ended and stop and last not in ".!?;,":
            edit = replace(edit, end=stop.end())  # noqa: PLW2901 - the edit as it is made
        newline = text.find("\n", edit.end)
        after = text[edit.end : len(text) if newline < 0 else newline].partition(BOUNDARY)[0]
        if edit.end and text[edit.end - 1] == "\n":
            after = ""
        taken = text[edit.start : edit.end]
        if _breaks(text, edit, before):
            continue
        balanced = all(taken.count(left) == taken.count(right) for left, right in _PAIRS)
        # "Which team is it, and why?": a part of the sentence goes, and its end stays.
        if (balanced and _PART.match(taken) and after[:1] in tuple("?!.") and not ended) or (
            ended and balanced and taken.count('"') % 2 == 0 and (_BEGINS.match(after) or after.startswith(MASK))
        ):
            yield edit


def _breaks(text: str, edit: Edit, before: str) -> bool:
    """Whether a deletion begins or ends within a sentence that is told on several lines."""
    begin = text.rfind("\n", 0, edit.start)
    if begin >= 0 and not before.strip() and goes_on(text, begin) and not _NEW.match(text, edit.start):
        return True
    end = edit.end - 1 if edit.end and text[edit.end - 1] == "\n" else edit.end
    return text[end : end + 1] == "\n" and goes_on(text, end)


_HEADING = re.compile(
    r"^[ \t]*(?:(?P<marks>#{1,6})[ \t]+[^\n]+|\*\*[^*\n]+\*\*:?|[A-Z][A-Z \t]{3,40}:?)[ \t]*$", re.MULTILINE
)


def without_empty_sections(edits: Sequence[Edit], text: str) -> list[Edit]:
    """The deletions, with each heading below which they would leave nothing."""
    headings = [match for match in _HEADING.finditer(text) if BOUNDARY not in match[0] and MASK not in match[0]]
    # Each sign that stays.
    left = list(text)
    for edit in edits:
        left[edit.start : edit.end] = edit.new.ljust(edit.end - edit.start)[: edit.end - edit.start]
    added: list[Edit] = []
    # From the last one on: a heading goes too if all those below it do.
    for number, heading in reversed(list(enumerate(headings))):
        depth = len(heading["marks"] or "")
        following = next((other for other in headings[number + 1 :] if not 0 < depth < len(other["marks"] or "")), None)
        boundary = text.find(BOUNDARY, heading.end())
        end = min(following.start() if following else len(text), len(text) if boundary < 0 else boundary)
        had, has = (part.strip(" \t\n`-*") for part in (text[heading.end() : end], "".join(left[heading.end() : end])))
        if had and not has and "".join(left[heading.start() : heading.end()]).strip():
            stop = text.find("\n", heading.end()) + 1 or len(text)
            left[heading.start() : stop] = " " * (stop - heading.start())
            added.append(Edit(heading.start(), stop, "", edits[0].rule, "nothing is left below the heading"))
    return sorted(_apart([*edits, *added]), key=lambda edit: edit.start)


def _apart(edits: Sequence[Edit]) -> Iterator[Edit]:
    """The edits, those that overlap joined to one."""
    last: Edit | None = None
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if last is not None and edit.start < last.end and not (last.new or edit.new):
            last = replace(last, end=max(last.end, edit.end))
            continue
        if last is not None:
            yield last
        last = edit
    if last is not None:
        yield last
