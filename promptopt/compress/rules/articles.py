"""PO205 and PO401: articles, in notes and everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compress.document import Document
from promptopt.compress.edit import Edit, Level
from promptopt.compress.rules.wording import replacements
from promptopt.compress.sentences import TEXT, Sentence

# "a few" is not "few", "a lot" not "lot"; "the more ... the more" and "the one" lose more than an article.
_ARTICLE = re.compile(
    r"(?<![\w'’-])(?:the|an?)(?=\s+[^\s\W])(?!\s+(?:few|little|lot|bit|couple|number|one|ones|who|which|while|is|are|"
    r"(?:more|less|fewer|better|sooner)\b[^.\n]{0,60}\bthe)\b)",
    re.IGNORECASE,
)


class NoteArticles:
    """Articles in list items and headings, which are read as notes."""

    code: ClassVar[str] = "PO205"
    name: ClassVar[str] = "articles in lists"
    reason: ClassVar[str] = "list items and headings are notes, and notes need no articles"
    level: ClassVar[Level] = "standard"

    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            if sentence.kind != TEXT:
                yield from _articles(document, sentence, self.code)


class Articles:
    """"the", "a" and "an" go everywhere; the noun says enough."""

    code: ClassVar[str] = "PO401"
    name: ClassVar[str] = "articles"
    reason: ClassVar[str] = "every twentieth word is an article, and a model needs none"
    level: ClassVar[Level] = "telegraphic"

    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            yield from _articles(document, sentence, self.code)


def _articles(document: Document, sentence: Sentence, rule: str) -> Iterable[Edit]:
    return replacements(document, sentence, _ARTICLE, _new, rule, lambda old, _: f"{old!r} can go", near_negations=True)


def _new(match: re.Match[str]) -> str | None:
    before = match.string[: match.start()]
    # A capital inside a sentence may be a name or a grade.
    return None if match[0][0].isupper() and before.strip(" *_") and not before.rstrip().endswith(":") else ""
