"""PO401: articles."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compress.document import Document
from promptopt.compress.edit import Edit, Level
from promptopt.compress.rules.wording import replacements

# "a few" is not "few"; "the same", "the one", "the other", "the first" and comparisons lose more than an article.
_ARTICLE = re.compile(
    r"(?<![\w'’-])(?:the|an?)(?=\s+[^\W\d_])"
    r"(?!\s+(?:few|little|lot|bit|couple|number|same|other|others|one|ones|first|last|only|more|less|most|least|"
    r"[a-z]+er\b[^.\n]{0,40}\bthe|who|which|what|while|following\s*[.:])\b)",
    re.IGNORECASE,
)


class Articles:
    """"the", "a" and "an" go; the noun says enough."""

    code: ClassVar[str] = "PO401"
    name: ClassVar[str] = "articles"
    reason: ClassVar[str] = "every twentieth word is an article, and a model needs none"
    level: ClassVar[Level] = "telegraphic"

    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            yield from replacements(document, sentence, _ARTICLE, _new, self.code, lambda old, _: f"{old!r} can go")


def _new(match: re.Match[str]) -> str | None:
    word = match[0]
    # A single capital "A" may be a name or a grade.
    before = match.string[: match.start()]
    if word == "A" and before.strip(" *_"):
        return None
    return ""
