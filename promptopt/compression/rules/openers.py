"""PO103: openers that address the model and say nothing about the task."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.lexicon import opener_pattern
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.clauses import AND_THAT
from promptopt.compression.rules.wording import negated, plain, removal

_COORDINATED = re.compile(r"\b(?:and|or|but|then) to\b")
# Where a clause may begin.
_CLAUSE = re.compile(r"(?P<link>\A|[,;:]|(?<![^\s])(?:and|then|so)(?=\s))[\s*_(–—-]*")
# Behind a comma the rest is an imperative only if no subject stands before it: "As a lecturer, your task is to ...".
_OWN_SUBJECT = re.compile(r"(?:your|the|i|we|it|you)\b", re.IGNORECASE)
_ADVERBIAL = re.compile(
    r"\W*(?:as|given|for|in|when|if|based|with|after|once|before|while|using|to|on|at|from|during|since|now|here|next|"
    r"first|finally|today)\b",
    re.IGNORECASE,
)


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
                if not _is_imperative(text, clause, match):
                    continue
                start = sentence.start + match.start()
                # "Your job is to read and to decide": the second "to" needs the opener.
                opener = match[0].rstrip()
                coordinated = (opener.endswith(" to") and _COORDINATED.search(text, match.end())) or (
                    opener.endswith(" that") and AND_THAT.search(text, match.end())
                )
                if coordinated or negated(document, sentence, start):
                    continue
                end = start + len(match[0].rstrip())
                message = f"{match[0].strip()!r} says nothing: begin with the instruction"
                if text.startswith("not ", match.end()):
                    # "Take care to not shout" is "Do not shout".
                    yield Edit(start, end, "Do" if match[0][0].isupper() else "do", self.code, message)
                elif edit := removal(document, sentence, start, end, self.code):
                    yield Edit(edit.start, edit.end, edit.new, self.code, message)


def _is_imperative(text: str, clause: re.Match[str], opener: re.Match[str]) -> bool:
    """Whether what follows the opener is told to the model when the opener is gone.

    "I give you a problem, and your task is to solve it" would say that I solve it.
    """
    if clause["link"] in ("", ";", ":") or not _OWN_SUBJECT.match(opener[0]):
        return True
    return clause["link"] == "," and _ADVERBIAL.match(text) is not None
