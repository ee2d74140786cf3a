"""PO107: wordy phrases that have a short form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compress.document import Document
from promptopt.compress.edit import Edit, Level
from promptopt.compress.lexicon import RELATIVES, shorter, shorter_pattern
from promptopt.compress.rules.by_sentence import by_sentence
from promptopt.compress.rules.wording import replacements

_HEEDED = re.compile(
    r"\s+(?:the|an?|any|all|each|every|your|their|its|this|that|these|those|how|what|which|whether|details?|\w+s)\b",
    re.IGNORECASE,
)
_RELATIVE_CLAUSE = re.compile(r"\s+(?:that|which|who|whose)\b", re.IGNORECASE)
_PHASE = re.compile(r"\b(?:start|begin|end|finish|open|close|stop|continue)(?:s|ed|ing)?\s*\Z", re.IGNORECASE)


class Phrases:
    """Such as "in order to", which becomes "to", where the tokenizer says that it is shorter."""

    code: ClassVar[str] = "PO107"
    name: ClassVar[str] = "wordy phrases"
    reason: ClassVar[str] = "the short form says the same"
    level: ClassVar[Level] = "safe"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        pattern = shorter_pattern()
        for sentence in document.prose:
            yield from replacements(
                document, sentence, pattern, _new, self.code, lambda old, new: f"{old!r}: write {new!r}"
            )


def _new(match: re.Match[str]) -> str | None:
    new = shorter(match[0])
    behind = match.string[match.end() :]
    before = match.string[: match.start()]
    first, last = match[0].split()[0].lower(), match[0].split()[-1].lower()
    # "think about this and about that": the second half hangs on the word that would go.
    if not new.endswith(last) and re.search(rf"\b(?:and|or|but|not)\s+{re.escape(last)}\b", behind, re.IGNORECASE):
        return None
    # "pay attention to use": a verb.
    if new == "heed" and not _HEEDED.match(behind):
        return None
    # "make a decision that holds": what follows speaks of the noun.
    if match[0].lower().startswith(("make a", "come to")) and _RELATIVE_CLAUSE.match(behind):
        return None
    # "Start by using ls": what one starts with, not what one starts to use.
    if new == "using" and _PHASE.search(before):
        return None
    if first in RELATIVES and new.endswith("ing") and not _opens_relative(first, before):
        return None
    if re.match(r"\s*[,;:.)]", behind) and match[0].lower() not in (
        "for example",
        "for instance",
        "and so on",
        "and so forth",
    ):
        return None
    if new == "and" and re.search(r",\s*\Z", before):
        return "and"
    if before.rstrip().endswith(("the", "a", "an", "no", "same")) and not match[0].lower().startswith(("a ", "the ")):
        return new if new in ("use", "more") else None
    return new


def _opens_relative(pronoun: str, before: str) -> bool:
    """Whether a relative clause may begin here, and not a question or a sentence."""
    return bool(re.search(r",\s*\Z" if pronoun == "which" else r"[\w)]\s*\Z", before))
