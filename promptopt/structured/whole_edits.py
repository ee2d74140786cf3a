"""Edits of a prompt's prose that leave whole sentences: what would leave a half of one is not made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from promptopt.compression.edit import Edit
from promptopt.structured.fields import BOUNDARY, MASK

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
        if edit.new:
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
