"""PO503: a freeform answer where labels would do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.advice import finding, is_prompt_file

_LABELS = re.compile(
    r"\b(?:classif(?:y|ication)|categori[sz]e|label|one of (?:the following|these)|(?:positive|"
    r"negative)\b.{0,20}\b(?:negative|positive)"
    r"|(?:answer|reply|respond)(?: with)?(?: only)? [\"']?(?:yes|true)\b.{0,10}\b(?:no|false)|"
    r"rate\b.{0,40}\b(?:scale|from \d))",
    re.IGNORECASE,
)


class Freeform:
    """A choice among labels that is answered in prose: `promptopt structure` turns it into a strict schema."""

    code: ClassVar[str] = "PO503"
    name: ClassVar[str] = "freeform labels"
    reason: ClassVar[str] = "output tokens cost the most, and a label needs few"
    level: ClassVar[Level] = "standard"
    advice: ClassVar[bool] = True

    def edits(self, document: Document) -> Iterable[Edit]:
        if not is_prompt_file(document) or document.front.output_schema is not None:
            return
        for sentence in document.sentences:
            if _LABELS.search(document.text, sentence.start, sentence.end):
                message = f"asks for a label in free text: see `promptopt structure {document.path}`"
                yield from finding(document, sentence.start, self.code, message)
                return
