"""PO204: "that" and "which is" where the clause stands without them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.wording import plain, replacements

_PARTICIPLE = (
    r"(?:\w{3,}ed|given|shown|written|known|taken|made|found|built|drawn|chosen|done|seen|said|sent|set|put|held|kept|left|"
    r"related|relevant|based|available|necessary|present|similar|specific|appropriate|likely|worth)"
)
NEEDLESS = re.compile(rf"\s+{_PARTICIPLE}\b", re.IGNORECASE)
"""What behind "that is" makes it needless."""
_RELATIVE = re.compile(
    rf"(?<=\w )(?<!\bthose )(?:that|which|who)\s+(?:is|are|was|were)\s+(?={_PARTICIPLE}\b)", re.IGNORECASE
)
_COMPLEMENT = re.compile(
    r"\b(?P<verb>ensur(?:e|es|ing)|indicat(?:e|es|ing)|assum(?:e|es|ing)|suggest(?:s|ing)?|think|believe|know|say|says|"
    r"stat(?:e|es|ing)|show(?:s|ing)?|mean(?:s|ing)?|confirm(?:s|ing)?|verif(?:y|ies|ying)|check|sure|find|conclude|"
    r"remember|guarantee|requir(?:e|es)|recommend|recogni[sz]e|reali[sz]e|see|notice|likely|aware|clear)\s+that\s+"
    r"(?=(?:the|a|an|your|you|it|this|these|all|each|every|they|there|their|its|any|we|I|he|she|no|both|only|some)\b)",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"(?<=[a-z] )that\s+(?=(?:you|I|we|they|he|she)\s+(?!not\b)\w)", re.IGNORECASE)
AND_THAT = re.compile(r"(?:,\s+that|\b(?:and|or|but)\s+(?:that|which|who))\b", re.IGNORECASE)
"""In "say that it is late and that he is tired" one hangs on the other."""
_IT_IS = re.compile(
    r"\bit\b[^.,;]*\b(?:be|is|was|seems?|becomes?)\s+(?:\w+\s+)?(?:clear|obvious|important|likely|possible|true|necessary|"
    r"essential|evident|crucial|known|said)\s+\w",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"that|which|who", re.IGNORECASE)


class Clauses:
    """``the steps that are defined below`` becomes ``the steps defined below``."""

    code: ClassVar[str] = "PO204"
    name: ClassVar[str] = "needless that"
    reason: ClassVar[str] = "the clause stands without its first words"
    level: ClassVar[Level] = "safe"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            text = plain(document, sentence)
            if not _PRONOUN.search(text) or AND_THAT.search(text):
                continue
            yield from replacements(document, sentence, _RELATIVE, lambda _: "", self.code, _message)
            yield from replacements(document, sentence, _OBJECT, _object, self.code, _message)
            yield from replacements(
                document, sentence, _COMPLEMENT, lambda match: match["verb"] + " ", self.code, _message
            )


def _object(match: re.Match[str]) -> str | None:
    # "it has to be clear from the letter that I am late": what is clear comes last.
    return None if _IT_IS.search(match.string[: match.start()]) else ""


def _message(old: str, _: str) -> str:
    return f"{old!r} can be shorter: the clause stands without it"
