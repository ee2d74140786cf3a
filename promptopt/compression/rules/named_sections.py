"""PO406: sections that are called so again and again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.wording import governed, plain

_SECTION = re.compile(r"\b(?:in|into|under) section (?=[A-Z]{2})")


class NamedSections:
    """Once a prompt has said "in section SUMMARY", "in section IDEAS" can be "in IDEAS": a section is meant again."""

    code: ClassVar[str] = "PO406"
    name: ClassVar[str] = "named sections"
    reason: ClassVar[str] = "the first says that it is a section, the others are named like it"
    level: ClassVar[Level] = "telegraphic"

    def edits(self, document: Document) -> Iterable[Edit]:
        found = [
            (sentence, sentence.start + match.start(), match[0])
            for sentence in document.prose
            for match in _SECTION.finditer(plain(document, sentence))
        ]
        for sentence, start, old in found[1:]:
            # "in less than 25 words in section NAME": where a limit ends is left as plain as it is.
            if governed(document, sentence, start):
                continue
            new = old.split()[0] + " "
            yield Edit(start, start + len(old), new, self.code, f"{old.strip()!r}: write {new.strip()!r} and the name")
