"""PO206: a label told as a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.wording import plain, removal

_HERE = re.compile(
    r"(?:Here(?:['’]s|\s+(?:is|are))|Below\s+(?:is|are)|(?:The following|These)\s+(?:is|are)|"
    r"(?:What follows|This)\s+is)"
    r"\s+(?:(?:a|an|the|some|your|all)\s+)?(?=[\w\ue000])"
)


class Announcements:
    """A label in a sentence: ``Here is the list of topics:`` becomes ``List of topics:``."""

    code: ClassVar[str] = "PO206"
    name: ClassVar[str] = "announced labels"
    reason: ClassVar[str] = "a colon announces enough"
    level: ClassVar[Level] = "safe"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            text = plain(document, sentence)
            match = _HERE.match(text)
            if match is None or not text.rstrip(" *_").endswith(":") or " all " in match[0]:
                continue
            edit = removal(document, sentence, sentence.start, sentence.start + len(match[0].rstrip()), self.code)
            if edit is not None:
                yield Edit(edit.start, edit.end, edit.new, self.code, f"{match[0].strip()!r}: the label is enough")
