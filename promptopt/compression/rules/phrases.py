"""PO103, PO104, PO107: openers, filler and wordy phrases, which the lexicon lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.lexicon import (
    RELATIVES,
    filler_pattern,
    opener_pattern,
    relative_verbs,
    remark_phrases,
    shorter,
    shorter_pattern,
)
from promptopt.compression.rules.base import BySentence, Rewording, WordingRule, negated, removal
from promptopt.compression.rules.grammar import AND_THAT
from promptopt.compression.sentences import MaskedSentence

_COORDINATED = re.compile(r"\b(?:and|or|but|then) to\b")
# The beginnings of clauses.
_CLAUSE = re.compile(r"(?P<link>\A|[,;:]|(?<![^\s])(?:and|then|so)(?=\s))[\s*_(–—-]*")
# After a comma the rest is an imperative only if no subject precedes it: "As a lecturer, your task is to ...".
_OWN_SUBJECT = re.compile(r"(?:your|the|i|we|it|you)\b", re.IGNORECASE)
_ADVERBIAL = re.compile(
    r"\W*(?:as|given|for|in|when|if|based|with|after|once|before|while|using|to|on|at|from|during|since|now|here|next|"
    r"first|finally|today)\b",
    re.IGNORECASE,
)


class Openers:
    """Such as "I want you to", "Your task is to", "Please note that", "Make sure to" at the beginning of a clause."""

    code: ClassVar[str] = "PO103"
    name: ClassVar[str] = "meta-openers"
    reason: ClassVar[str] = "an instruction needs no announcement"
    level: ClassVar[Level] = "safe"

    def propose_in(self, sentence: MaskedSentence) -> Iterator[Edit]:
        text = sentence.text
        for clause in _CLAUSE.finditer(text):
            match = opener_pattern().match(text, clause.end())
            if match is None or not _is_imperative(text, clause, match) or _is_needed(text, match):
                continue
            opener = match[0].strip()
            start, end = match.start(), match.start() + len(match[0].rstrip())
            if text.startswith("not ", match.end()):
                # "Take care to not shout" is "Do not shout".
                place = (start, end, "Do" if opener[0].isupper() else "do")
            elif (gone := removal(text, start, end)) is not None:
                place = gone
            else:
                continue
            yield Edit(*place, self.code, f"{opener!r} says nothing: begin with the instruction")


def _is_needed(text: str, opener: re.Match[str]) -> bool:
    """Whether something hangs on the opener: a negation, or the second half of "to read and to decide"."""
    words = opener[0].rstrip()
    return (
        (words.endswith(" to") and _COORDINATED.search(text, opener.end()) is not None)
        or (words.endswith(" that") and AND_THAT.search(text, opener.end()) is not None)
        or negated(text, opener.start())
    )


def _is_imperative(text: str, clause: re.Match[str], opener: re.Match[str]) -> bool:
    """Whether the model is still addressed by what follows once the opener is gone.

    "I give you a problem, and your task is to solve it" would say that I solve it.
    """
    if clause["link"] in ("", ";", ":") or not _OWN_SUBJECT.match(opener[0]):
        return True
    return clause["link"] == "," and _ADVERBIAL.match(text) is not None


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


def _filler(match: re.Match[str]) -> str | None:
    text, before = match.string, match.string[: match.start()]
    word = " ".join(match[0].lower().replace("’", "'").split())
    if match[0].isupper() and len(word) > 1 and not text.isupper() and word not in _ALWAYS:
        return None
    if _carries_meaning(word, before, text[match.end() :], text):
        return None
    if word in _ALWAYS:
        return ""
    after = text[match.end() :].lstrip(" *_")
    if not after or (" " not in word and not after[0].isalpha()):
        # At the end of a clause it is more likely to carry the meaning: "do it properly."
        return "" if after[:1] == "," and not before.strip(" *_") else None
    if negated(text, match.start()):
        return None
    if _BOUND.search(before) and word in _INTENSIFIERS:
        return "" if re.search(r"\b(?:is|are|be|was|that)\s*\Z", before) else None
    return ""


class Filler:
    """Such as "please", "very", "basically", "of course", "it is important to note that", in any place."""

    code: ClassVar[str] = "PO104"
    name: ClassVar[str] = "politeness and filler"
    reason: ClassVar[str] = "the answer is the same without them"
    level: ClassVar[Level] = "safe"
    _table = (Rewording(filler_pattern(), _filler, "{old} says nothing", unless=None),)
    _in_sentences = BySentence(WordingRule(code, name, reason, level, _table))

    def propose(self, document: Document) -> Iterator[Edit]:
        steps = _steps(document.masked)
        for edit in self._in_sentences.propose(document):
            degree = _STEP.match(document.masked, edit.start)
            if degree is None or degree[2].lower() not in steps:
                yield edit


def _carries_meaning(word: str, before: str, after: str, sentence: str) -> bool:
    """Whether the words are not filler in this place."""
    if word in _INTENSIFIERS:
        next_word = re.match(r"\s+(\w+)", after)
        # "very low, low": a step of a scale; "quite a few" are many.
        return next_word is not None and (
            next_word[1].lower() in ("a", "an", "the")
            or len(re.findall(rf"\b{next_word[1]}\b", sentence, re.IGNORECASE)) > 1
        )
    if word in remark_phrases():
        return not _stands_apart(before, after)
    # "note that it is late and that he is tired": the second half hangs on the phrase.
    if word.endswith(" that") and AND_THAT.search(after):
        return True
    if word in _ALWAYS and _VERB_FOLLOWS.search(before):
        return True
    # "simply and clearly": one of two.
    if _COUPLED.match(after) or _COUPLE.search(before):
        return True
    # "more carefully", "as thoroughly as you can": how much of it is what the sentence says.
    return word.endswith("ly") and _DEGREE.search(before) is not None


def _stands_apart(before: str, after: str) -> bool:
    """Whether a phrase opens its sentence or clause, or is set off by commas."""
    before, after = before.rstrip(" *_"), after.lstrip(" *_")
    opens = not before or before.endswith((",", ";", ":", "(", "-", "–", "—"))
    return opens and (not after or after[0] in ",.!;:)-–—")


def _steps(text: str) -> frozenset[str]:
    """The words that a text uses in several degrees, as a scale does: "very clear" here, "quite clear" there."""
    degrees: dict[str, set[str]] = {}
    for step in _STEP.finditer(text):
        degrees.setdefault(step[2].lower(), set()).add(step[1].lower())
    return frozenset(word for word, found in degrees.items() if len(found) > 1)


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
_VERB_AFTER = re.compile(
    r"\s+(?!with\b|in\b|out\b|on\b|by\b|as\b|when\b|if\b|and\b|or\b|to\b|at\b|for\b|from\b|along\b|through\b|more\b|"
    r"better\b|get\b|the\b|an?\b|this\b|that\b)[a-z]{2,}",
    re.IGNORECASE,
)
_SECOND_VERB = re.compile(r"\b(?:and|or|but|then)\s+(?:(?:\w+ly|also|then|not)\s+)?(\w+)", re.IGNORECASE)
_FINITE = re.compile(
    r"is|are|was|were|has|have|does|do|can|could|will|would|may|might|must|should|makes|uses|shows|takes"
)


def _shorter(match: re.Match[str]) -> str | None:
    new = shorter(match[0])
    after = match.string[match.end() :]
    before = match.string[: match.start()]
    first, last = match[0].split()[0].lower(), match[0].split()[-1].lower()
    # "think about this and about that": the second half hangs on the word that would go.
    if not new.endswith(last) and re.search(rf"\b(?:and|or|but|not)\s+{re.escape(last)}\b", after, re.IGNORECASE):
        return None
    if _means_otherwise(match[0].lower(), new, before, after):
        return None
    if first in RELATIVES and (new.endswith("ing") or last in _HAVE):
        return new if _opens_relative(first, before) and _is_lone_verb(after) else None
    if re.match(r"\s*[,;:.)]", after) and match[0].lower() not in (
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


def _means_otherwise(old: str, new: str, before: str, after: str) -> bool:
    """Whether the words mean something else here."""
    # "pay attention to use": a verb follows; "to help you with it": none does.
    if (new == "heed" and not _HEEDED.match(after)) or (old == "to help you" and not _VERB_AFTER.match(after)):
        return True
    # "that has been said", "who have to go": an auxiliary.
    if old.endswith(_HAVE) and not _OWNED.match(after):
        return True
    # "Concerning facts are to be flagged": an adjective.
    if old in ("concerning", "regarding") and not before.strip(" *_"):
        return True
    # "the rules that are listed below": "that are" goes first.
    if old.startswith("are ") and re.search(r"\b(?:that|which)\s*\Z", before, re.IGNORECASE):
        return True
    # "make a decision you can defend": what follows refers to the noun.
    if old in _DECIDING and not _DECIDED.match(after):
        return True
    # "a list of the pros and a list of the cons": two of them.
    if old.endswith((" of", " for")) and re.search(rf"\ban?\s+(?:\w+\s+)?{old.split()[-2]}\b", after, re.IGNORECASE):
        return True
    # "Start by using ls": what one starts with, not what one starts to use.
    return new == "using" and _PHASE.search(before) is not None


def _is_lone_verb(after: str) -> bool:
    """Whether no second verb hangs on the relative: "a line that creates a file and describes it"."""
    clause = re.split(r"[.;:!?]", after, maxsplit=1)[0]
    return not any(word.lower() in relative_verbs() or _FINITE.fullmatch(word) for word in _SECOND_VERB.findall(clause))


def _opens_relative(pronoun: str, before: str) -> bool:
    """Whether a relative clause may begin here, and not a question or a sentence."""
    if _NO_NOUN.search(before):
        return False
    return bool(re.search(r",\s*\Z" if pronoun == "which" else r"[\w)]\s*\Z", before))


PHRASES = WordingRule(
    "PO107",
    "wordy phrases",
    "the short form says the same",
    "safe",
    (Rewording(shorter_pattern(), _shorter, "{old}: write {new}"),),
)
