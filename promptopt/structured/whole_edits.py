"""Edits of a prompt's prose that leave whole sentences and no heading alone: what would leave a half of one is not made."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from promptopt.compression.edit import Edit
from promptopt.structured.fields import BOUNDARY, MASK
from promptopt.structured.layout import NO_BRACKETS

# A list mark, a quotation mark of Markdown or a heading's sign may stay before what is taken out: a line with no more
# than that is emptied by whoever makes the edit.
_BARE = re.compile(r"[\s>#*_-]*(?:\d+[.)])?[\s*_]*")
_ENDED = re.compile(r"[.!?:…。][\"'”’`)\]*_]*\s*\Z")
_BEGINS = re.compile(r"\s*(?:[A-Z\d\"'“‘`*_#<>{}\[|=•\-–—(/\\]|\Z|[^\x00-\x7f])")
_STOPS = re.compile(r"[ \t]*[.;,](?=\s|\Z)")
_PART = re.compile(r"\s*(?:,|and\b)")
_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"))


def whole(edits: Sequence[Edit], text: str) -> Iterator[Edit]:
    """The edits that leave no half of a sentence, each with the full stop that would stand alone after it."""
    for edit in edits:
        if edit.new or edit.message == NO_BRACKETS:
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
        balanced = all(taken.count(left) == taken.count(right) for left, right in _PAIRS)
        # "Which team is it, and why?": a part of the sentence goes, and its end stays.
        if (balanced and _PART.match(taken) and after[:1] in tuple("?!.") and not ended) or (
            ended and balanced and taken.count('"') % 2 == 0 and (_BEGINS.match(after) or after.startswith(MASK))
        ):
            yield edit


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
    added = []
    for heading, following in itertools.zip_longest(headings, headings[1:]):
        boundary = text.find(BOUNDARY, heading.end())
        end = min(following.start() if following else len(text), len(text) if boundary < 0 else boundary)
        deeper = following and len(following["marks"] or "") > len(heading["marks"] or "") > 0
        had, has = (part.strip(" \t\n`-*") for part in (text[heading.end() : end], "".join(left[heading.end() : end])))
        if had and not has and not deeper and "".join(left[heading.start() : heading.end()]).strip():
            stop = text.find("\n", heading.end()) + 1 or len(text)
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
