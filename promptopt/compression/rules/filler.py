"""PO104: politeness and filler."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.lexicon import filler_pattern, remark_phrases
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.clauses import AND_THAT
from promptopt.compression.rules.wording import negated, replacements
from promptopt.compression.sentences import Sentence

# After these, an intensifier is the whole point of the phrase ("how very", "not very", "so very").
_BOUND = re.compile(r"(?:\b(?:how|so|as|too|that|is|are|be|was|not|more|most|less|least)|[\"'(-])\s*\Z", re.IGNORECASE)
# "to please the user", "do not please": a verb.
_VERB_FOLLOWS = re.compile(
    r"(?:\b(?:to|not|never|can|will|must|should|may|might|could|would|cannot)|n['’]t)\s*\Z", re.IGNORECASE
)
_COUPLED = re.compile(r",?\s+(?:and|or|but)\s+(?:\w+ly|well|in an?)\b", re.IGNORECASE)
_COUPLE = re.compile(r"ly,?\s+(?:and|or|but)\s+\Z", re.IGNORECASE)
_DEGREE = re.compile(r"\b(?:how|so|as|too|more|most|less|least)\s*\Z", re.IGNORECASE)
_INTENSIFIERS = frozenset(
    {"very", "really", "quite", "highly", "extremely", "truly", "incredibly", "totally", "absolutely"}
)
_DEGREES = "|".join((*sorted(_INTENSIFIERS), "somewhat", "fairly", "slightly", "rather", "mostly", "completely"))
_STEP = re.compile(rf"\b({_DEGREES})\s+(?=(\w+))", re.IGNORECASE)
_ALWAYS = frozenset({"please", "kindly"})


class Filler:
    """Such as "please", "very", "basically", "of course", "it is important to note that", wherever they stand."""

    code: ClassVar[str] = "PO104"
    name: ClassVar[str] = "politeness and filler"
    reason: ClassVar[str] = "the answer is the same without them"
    level: ClassVar[Level] = "safe"

    def edits(self, document: Document) -> Iterable[Edit]:
        steps = _steps(document.masked)
        for edit in self._in_sentences(document):
            degree = _STEP.match(document.masked, edit.start)
            if degree is None or degree[2].lower() not in steps:
                yield edit

    @by_sentence
    def _in_sentences(self, document: Document) -> Iterable[Edit]:
        pattern = filler_pattern()
        for sentence in document.prose:
            yield from replacements(
                document,
                sentence,
                pattern,
                partial(self._new, document, sentence),
                self.code,
                lambda old, _: f"{old!r} says nothing",
                near_negations=True,
            )

    def _new(self, document: Document, sentence: Sentence, match: re.Match[str]) -> str | None:
        text = match.string
        word = " ".join(match[0].lower().replace("’", "'").split())
        if match[0].isupper() and len(word) > 1 and not text.isupper() and word not in _ALWAYS:
            return None
        if _carries_meaning(word, text[: match.start()], text[match.end() :], text):
            return None
        if word in _ALWAYS:
            return ""
        behind = text[match.end() :].lstrip(" *_")
        if not behind or (" " not in word and not behind[0].isalpha()):
            # At the end of a clause it is more likely to carry the meaning: "do it properly."
            return "" if behind[:1] == "," and not text[: match.start()].strip(" *_") else None
        if negated(document, sentence, sentence.start + match.start()):
            return None
        if _BOUND.search(text[: match.start()]) and word in _INTENSIFIERS:
            return "" if re.search(r"\b(?:is|are|be|was|that)\s*\Z", text[: match.start()]) else None
        return ""


def _carries_meaning(word: str, before: str, behind: str, sentence: str) -> bool:
    """Whether the words are no filler where they stand."""
    if word in _INTENSIFIERS:
        next_word = re.match(r"\s+(\w+)", behind)
        # "very low, low": a step of a scale; "quite a few" are many.
        return next_word is not None and (
            next_word[1].lower() in ("a", "an", "the")
            or len(re.findall(rf"\b{next_word[1]}\b", sentence, re.IGNORECASE)) > 1
        )
    if word in remark_phrases():
        return not _stands_apart(before, behind)
    # "note that it is late and that he is tired": the second half hangs on the phrase.
    if word.endswith(" that") and AND_THAT.search(behind):
        return True
    if word in _ALWAYS and _VERB_FOLLOWS.search(before):
        return True
    # "simply and clearly": one of two.
    if _COUPLED.match(behind) or _COUPLE.search(before):
        return True
    # "more carefully", "as thoroughly as you can": how much of it is what the sentence says.
    return word.endswith("ly") and _DEGREE.search(before) is not None


def _stands_apart(before: str, behind: str) -> bool:
    """Whether a phrase opens its sentence or clause, or is set off by commas."""
    before, behind = before.rstrip(" *_"), behind.lstrip(" *_")
    opens = not before or before.endswith((",", ";", ":", "(", "-", "–", "—"))
    return opens and (not behind or behind[0] in ",.!;:)-–—")


def _steps(text: str) -> frozenset[str]:
    """The words of which a text tells several degrees, as of a scale: "very clear" here, "quite clear" there."""
    degrees: dict[str, set[str]] = {}
    for step in _STEP.finditer(text):
        degrees.setdefault(step[2].lower(), set()).add(step[1].lower())
    return frozenset(word for word, found in degrees.items() if len(found) > 1)
