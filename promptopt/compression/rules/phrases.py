"""PO107: wordy phrases that have a short form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.lexicon import RELATIVES, relative_verbs, shorter, shorter_pattern
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.wording import replacements

_HEEDED = re.compile(
    r"\s+(?:the|an?|any|all|each|every|your|their|its|this|that|these|those|how|what|which|whether|details?|\w+s)\b",
    re.IGNORECASE,
)
# "after that describe it": an order.
_NO_NOUN = re.compile(
    r"\b(?:he|she|make|makes|making|made|let|lets|letting|see|seeing|keep|keeping|after|before|in|on|of|with|for|from|than|and|or|but|then|like|by|at|to|about|do|is|are|so|such|not)\s*\Z",
    re.IGNORECASE,
)
_HAVE = ("has", "have")
_DECIDING = frozenset(
    {"make a decision", "make a determination", "make an assumption", "come to a conclusion", "come to the conclusion",
     "reach a conclusion"}
)  # fmt: skip
_DECIDED = re.compile(r"\s+(?:about|on|whether|based|per|for|if|when|that the|and|or)\b|\s*[.;:]|\s*\Z", re.IGNORECASE)
_PHASE = re.compile(r"\b(?:start|begin|end|finish|open|close|stop|continue)(?:s|ed|ing)?\s*\Z", re.IGNORECASE)
# "has a name", "has soft wings"; not "has been", "has lost", "has to", "has only".
_OWNED = re.compile(
    r"\s+(?:an?|the|some|many|several|more|good|great|extensive|multiple|different|high|low|strong|clear|little|much)"
    r"\s+[a-z]|\s+(?:[a-z]{3,}\s+)?(?!(?:does|was|is|has|this|always)\b)[a-z]{3,}(?<![suie])s\b",
    re.IGNORECASE,
)
_VERB_BEHIND = re.compile(
    r"\s+(?!with\b|in\b|out\b|on\b|by\b|as\b|when\b|if\b|and\b|or\b|to\b|at\b|for\b|from\b|along\b|through\b|more\b|"
    r"better\b|get\b|the\b|an?\b|this\b|that\b)[a-z]{2,}",
    re.IGNORECASE,
)
_COORDINATED = re.compile(r"\b(?:and|or|but|then)\s+(?:(?:\w+ly|also|then|not)\s+)?(\w+)", re.IGNORECASE)
_FINITE = re.compile(
    r"is|are|was|were|has|have|does|do|can|could|will|would|may|might|must|should|makes|uses|shows|takes"
)


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
    if _means_otherwise(match[0].lower(), new, before, behind):
        return None
    if first in RELATIVES and (new.endswith("ing") or last in _HAVE):
        return new if _opens_relative(first, before) and _is_lone_verb(behind) else None
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


def _means_otherwise(old: str, new: str, before: str, behind: str) -> bool:
    """Whether the phrase is none here: its words mean something else."""
    # "pay attention to use", "to help you with it": a verb, and none.
    if (new == "heed" and not _HEEDED.match(behind)) or (old == "to help you" and not _VERB_BEHIND.match(behind)):
        return True
    # "that has been said", "who have to go": an auxiliary.
    if old.endswith(_HAVE) and not _OWNED.match(behind):
        return True
    # "Concerning facts are to be flagged": an adjective.
    if old in ("concerning", "regarding") and not before.strip(" *_"):
        return True
    # "the rules that are listed below": "that are" goes first.
    if old.startswith("are ") and re.search(r"\b(?:that|which)\s*\Z", before, re.IGNORECASE):
        return True
    # "make a decision you can defend": what follows speaks of the noun.
    if old in _DECIDING and not _DECIDED.match(behind):
        return True
    # "a list of the pros and a list of the cons": two of them.
    if old.endswith((" of", " for")) and re.search(rf"\ban?\s+(?:\w+\s+)?{old.split()[-2]}\b", behind, re.IGNORECASE):
        return True
    # "Start by using ls": what one starts with, not what one starts to use.
    return new == "using" and _PHASE.search(before) is not None


def _is_lone_verb(behind: str) -> bool:
    """Whether no second verb hangs on the relative: "a line that creates a file and describes it"."""
    clause = re.split(r"[.;:!?]", behind, maxsplit=1)[0]
    return not any(word.lower() in relative_verbs() or _FINITE.fullmatch(word) for word in _COORDINATED.findall(clause))


def _opens_relative(pronoun: str, before: str) -> bool:
    """Whether a relative clause may begin here, and not a question or a sentence."""
    if _NO_NOUN.search(before):
        return False
    return bool(re.search(r",\s*\Z" if pronoun == "which" else r"[\w)]\s*\Z", before))
