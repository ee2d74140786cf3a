"""How the wording rules replace and remove words inside a sentence: masked text, case and spaces looked after."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.compression.facts import SCOPE_WORDS, WEIGHTY
from promptopt.compression.masks import MASK
from promptopt.compression.sentences import Sentence

NEGATION_SCOPE = 3
_RESTRICTED = re.compile(
    r"\b(?:only|just|except|merely|solely|exclusively|at least|at most|more than|less than|up to|exactly|"
    r"unless|must|should|may)\s*\Z",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    rf"(?:\b(?:not|never|no|without|avoid)|n['’]t)(?:\W+\w+){{0,{NEGATION_SCOPE}}}\W*\Z"
    # Of a limit the number and what is counted.
    r"|\b(?:at least|at most|up to|exactly|maximum|minimum|within|between|(?:more|less|fewer|longer|shorter) than)"
    r"(?:\W+\w+)?\W*\Z",
    re.IGNORECASE,
)
_GOVERNED = re.compile(rf"(?<![\w'’-])(?:{WEIGHTY})(?:\W+\w+){{0,{SCOPE_WORDS}}}\W*\Z", re.IGNORECASE)


def plain(document: Document, sentence: Sentence) -> str:
    """The masked text of a sentence."""
    return document.masked[sentence.start : sentence.end]


def replacements(
    document: Document,
    sentence: Sentence,
    pattern: re.Pattern[str],
    new: Callable[[re.Match[str]], str | None],
    rule: str,
    message: Callable[[str, str], str],
    *,
    near_negations: bool = False,
) -> Iterator[Edit]:
    """An edit for every match of ``pattern`` in a sentence.

    Args:
        new: What stands there afterwards, empty to remove it; ``None`` leaves the match alone. A removal takes one
            space with it, and the sentence keeps its capital letter.
        near_negations: Whether words that a negation governs may be edited.
        message: The message, made from the old and the new text.
    """
    for match in pattern.finditer(plain(document, sentence)):
        replacement = new(match)
        if replacement is None or MASK in match[0]:
            continue
        start, end = sentence.start + match.start(), sentence.start + match.end()
        if not near_negations and negated(document, sentence, start):
            continue
        edit = removal(document, sentence, start, end, rule) if not replacement else None
        if not replacement and edit is None:
            continue
        if edit is None:
            if match[0][0].isupper():
                replacement = replacement[0].upper() + replacement[1:]
            edit = Edit(start, end, replacement, rule, "")
        old = " ".join(match[0].split())
        yield Edit(edit.start, edit.end, edit.new, rule, message(old, replacement))


def removal(document: Document, sentence: Sentence, start: int, end: int, rule: str) -> Edit | None:
    """The edit that takes words out of a sentence: with one space, a comma that served them, and the capital moved on.

    ``None`` where nothing would be left of the sentence.
    """
    text = document.masked
    after = text[end : sentence.end]
    before = text[sentence.start : start]
    opening = not before.strip(" *_(\t")
    comma = re.match(r",[ \t]*", after)
    if comma and (opening or before.rstrip().endswith((",", ".", ";"))):
        end += comma.end()
        after = after[comma.end() :]
    if space := re.match(r"[ \t]+", after):
        end += space.end()
        after = after[space.end() :]
    elif before.endswith(" ") and (not after or after[0] in ".,;:!?)\n"):
        start -= 1
    if not (before + after).strip(" .,;:!?*_-"):
        return None
    if opening and not before.strip() and after[:1].islower() and document.text[start : start + 1].isupper():
        return Edit(start, end + 1, after[0].upper(), rule, "")
    return Edit(start, end, "", rule, "")


def negated(document: Document, sentence: Sentence, position: int) -> bool:
    """Whether the words at a position are among the first after a negation, or follow a limit: they are left alone."""
    before = document.masked[sentence.start : position]
    return _NEGATED.search(before) is not None or _RESTRICTED.search(before) is not None


def governed(document: Document, sentence: Sentence, position: int) -> bool:
    """Whether a limit, a negation, a duty or a restriction speaks of the words at a position."""
    return _GOVERNED.search(document.masked[sentence.start : position]) is not None
