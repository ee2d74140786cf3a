"""PO103: openers that address the model and say nothing about the task."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compress.document import Document
from promptopt.compress.edit import Edit, Level
from promptopt.compress.lexicon import opener_pattern
from promptopt.compress.rules.by_sentence import by_sentence
from promptopt.compress.rules.wording import negated, plain, removal

_COORDINATED = re.compile(r"\b(?:and|or|but|then) to\b")
# Where a clause may begin.
_CLAUSE = re.compile(r"(?:\A|[,;:]|(?<![^\s])(?:and|then|so)(?=\s))[\s*_(–—-]*")


class Openers:
    """Such as "I want you to", "Your task is to", "Please note that", "Make sure to" at the beginning of a sentence."""

    code: ClassVar[str] = "PO103"
    name: ClassVar[str] = "meta-openers"
    reason: ClassVar[str] = "an instruction needs no announcement"
    level: ClassVar[Level] = "safe"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        pattern = opener_pattern()
        for sentence in document.prose:
            text = plain(document, sentence)
            for clause in _CLAUSE.finditer(text):
                match = pattern.match(text, clause.end())
                if match is None:
                    continue
                start = sentence.start + match.start()
                # "Your job is to read and to decide": the second "to" needs the opener.
                coordinated = match[0].rstrip().endswith(" to") and _COORDINATED.search(text, match.end())
                if coordinated or negated(document, sentence, start):
                    continue
                edit = removal(
                    document, sentence, start, sentence.start + len(match[0].rstrip()) + match.start(), self.code
                )
                if edit is not None:
                    yield Edit(
                        edit.start,
                        edit.end,
                        edit.new,
                        self.code,
                        f"{match[0].strip()!r} says nothing: begin with the instruction",
                    )
