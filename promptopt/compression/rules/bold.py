"""Labels whose bold type shows no more than their colon does."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby

from promptopt.compression.document import Document
from promptopt.compression.sentences import HEADING
from promptopt.compression.text.any_case import AnyCase
from promptopt.compression.text.notation import fenced

_BOLD = re.compile(r"(?<![*\w\\])(\*\*|__)(?=[^\s*_])([^*_\n\ue000]{1,120}?)(?<=[^\s*_])\1(?![*\w])")
# With quotations and code in it.
_BOLD_OR_SHOWN = re.compile(r"(?<![*\w\\])(\*\*|__)(?=[^\s*_])([^*_\n]{1,120}?)(?<=[^\s*_])\1(?![*\w])")


def needless_bold(document: Document) -> Iterator[tuple[int, re.Match[str]]]:
    """The labels that would be labels without bold type, with their section; the second group is the words.

    They are all of a section, or none.
    """
    text = document.masked
    # Where a form is spoken of, bold labels may be a part of it.
    labels = [] if _FORM_MEANT.search(document.text) else [*_bold_labels(text)]
    headings = [sentence.start for sentence in document.sentences if labels and sentence.kind == HEADING]
    # A label whose line is shown stays as well: it is found in the text alone.
    texts = (text, document.text) if labels else ()
    others = {bisect_left(headings, place) for one in texts for place in _other_labels(one, labels)}
    for place, members in groupby(labels, key=lambda label: bisect_left(headings, label.start())):
        section = [*members]
        # A list of which some labels stay bold would tell them apart.
        if place not in others and all(_instructs(document, label) for label in section):
            yield from ((place, label) for label in section)


def _bold_labels(text: str) -> Iterator[re.Match[str]]:
    """The labels in bold type that would be labels without it."""
    for match in _BOLD.finditer(text):
        # A mark such as **##** is to be written so.
        if not re.search(r"[^\W\d_]", match[2]):
            continue
        line = _line_at(text, match.start())
        if _BOLD_MEANT.search(text, *line) or _CALLS.search(match[2]) or not _is_bold_label(text, line, match):
            continue
        # "**Question:**" again and again: the form of records.
        if match[0].endswith(":**") and text[line[0] : match.start()] == "" and text.count(f"\n{match[0]}") > 1:
            continue
        yield match


def _other_labels(text: str, labels: Sequence[re.Match[str]]) -> Iterator[int]:
    """Where labels begin that stay bold and are no louder than those that would be labels without it."""
    known, blocks = {label.start() for label in labels}, fenced(text)
    for match in _BOLD_OR_SHOWN.finditer(text):
        quiet = match.start() not in known and not _LOUD.search(match[2])
        if any(start < match.start() < end for start, end in blocks):
            continue
        line = _line_at(text, match.start())
        # "1. **Read the skill** before ...": it heads its item as the others do.
        heads_item = _OPENS_ITEM.fullmatch(text, line[0], match.start()) is not None
        if quiet and (heads_item or _is_bold_label(text, line, match, LONGEST_OTHER)):
            yield match.start()


def _instructs(document: Document, label: re.Match[str]) -> bool:
    sentence = document.sentence_at(label.start())
    return sentence is None or sentence.start in document.instructed.strict


# Where bold type is spoken of, what is bold may be an example of it.
_BOLD_MEANT = re.compile(r"\b(?:bold\w*|asterisks?|markdown|italics?|emphasi[sz]ed?|formatted)\b", re.IGNORECASE)


# "**Important:**" is louder than a label.
_CALLS = re.compile(
    r"\b(?:important\w*|critical\w*|crucial\w*|strict\w*|warnings?|caution|attention|note|nb|remember|never|always|must|only|"
    r"mandatory|required|not)\b|n['’]t\b",
    re.IGNORECASE,
)
_LOUD = re.compile(
    r"\b(?:important\w*|critical\w*|crucial\w*|strict\w*|warnings?|caution|attention|note|nb|remember|mandatory|required)\b",
    re.IGNORECASE,
)
# A bullet or number, a sign such as a warning triangle, hashes.
_OPENS_LINE = re.compile(r"[ \t>]*(?:(?:#{1,6}|[-*+•–]|\(?\w{1,3}[.)])[ \t]+)?(?:[^\w\s]{1,3}[ \t]?)?\Z")
_OPENS_ITEM = re.compile(r"[ \t>]*(?:[-*+•–]|\(?\d{1,3}[.)])[ \t]+")
_LABEL_ENDS = re.compile(r"[ \t]*(?:\([^()\n]*\))?[ \t]*(?::|[-–—=→]+[ \t])")
_NUMBERED = re.compile(r"\(?\d{1,3}[.)][ \t]")
LONGEST_LABEL = 8
"""Words; a longer one is a sentence, and its bold type is emphasis."""
LONGEST_OTHER = 16
"""Words of one that is a label beside others all the same."""


def _is_bold_label(text: str, line: tuple[int, int], bold: re.Match[str], longest: int = LONGEST_LABEL) -> bool:
    """Whether bold type opens its line, and a colon, a dash or a number says as well that it is a label."""
    before, after = text[line[0] : bold.start()], text[bold.end() : line[1]]
    if not _OPENS_LINE.match(before) or len(bold[2].split()) > longest:
        return False
    if bold[2].endswith(":") or _LABEL_ENDS.match(after) or before.lstrip().startswith("#"):
        return True
    # "**4. Choose the patch**" on a line of its own.
    return not after.strip() and _NUMBERED.match(bold[2]) is not None


def _line_at(text: str, position: int) -> tuple[int, int]:
    end = text.find("\n", position)
    return text.rfind("\n", 0, position) + 1, len(text) if end < 0 else end


_FORM_MEANT = AnyCase(
    r"\b(?:formats?|formatt(?:ed|ing)|outputs?|templates?|structured?|layout|reports?|examples?|samples?|markdown|headings?|"
    r"sections?|(?:respond|reply|answer|response|write)\b[^.\n]{0,40}\b(?:with|in|as|contains?|includes?))\b",
)
