"""PO201: contractions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.clauses import NEEDLESS
from promptopt.compression.rules.wording import replacements

# Negations are never contracted: "do not" stays as loud as it is.
_LONG = re.compile(
    r"\b(?P<who>I|you|we|they|it|that|there|here|what)\s+(?P<verb>will|are|is|have|am)\b"
    r"(?=\s+[a-z])(?!\s+(?:not|no|never|to)\b)",
    re.IGNORECASE,
)
_SHORT = {"will": "'ll", "are": "'re", "is": "'s", "have": "'ve", "am": "'m"}
_PAIRS = frozenset(
    "i will, i am, i have, you will, you are, you have, we will, we are, we have, they will, they are, "  # noqa: SIM905 - read as words
    "they have, it is, "
    "that is, there is, here is, what is, it will".split(", ")
)
_STRESSED = re.compile(
    r"\b(?:than|as|(?:what|which|how|whose)(?:\s+\w+)?|who|where|whatever|whoever|the\s+(?:\w+er|more|less|worse))\s*\Z",
    re.IGNORECASE,
)


class Contractions:
    """``You will`` becomes ``You'll``, where the tokenizer says that it is shorter."""

    code: ClassVar[str] = "PO201"
    name: ClassVar[str] = "contractions"
    reason: ClassVar[str] = "a contraction is one token less"
    level: ClassVar[Level] = "standard"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            yield from replacements(
                document, sentence, _LONG, _new, self.code, lambda old, new: f"{old!r}: write {new!r}"
            )


def _new(match: re.Match[str]) -> str | None:
    who, verb = match["who"], match["verb"].lower()
    if f"{who.lower()} {verb}" not in _PAIRS or match["verb"] != verb:
        return None
    # "Here is the list:" announces a label, which needs neither word.
    if who == "Here" and not match.start() and match.string.rstrip(" *_").endswith(":"):
        return None
    # "later than it is in London", "what day it is": the verb is what the clause says.
    if _STRESSED.search(match.string[: match.start()]):
        return None
    # "the text that is given" needs neither word (PO204).
    if who.lower() == "that" and NEEDLESS.match(match.string[match.end() :]):
        return None
    if verb == "have" and not re.match(r"\s+\w+(?:ed|en|n)\b", match.string[match.end() :]):
        return None
    return who + _SHORT[verb]
