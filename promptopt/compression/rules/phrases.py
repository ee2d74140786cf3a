"""PO103, PO104, PO107: openers, filler and wordy phrases, which the lexicon lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.base import Rewording, WordingRule, negated, removal
from promptopt.compression.rules.grammar import AND_THAT
from promptopt.compression.rules.lexicon import (
    filler_pattern,
    filler_phrases,
    opener_pattern,
    opener_words,
    remark_phrases,
    shorter,
    shorter_pattern,
    shorter_phrases,
)
from promptopt.compression.scope.instructions import is_imperative
from promptopt.compression.sentences import ITEM, TEXT, MaskedSentence
from promptopt.compression.text.words import Hints

_NO_VERB = re.compile(r"\s*(?:[^\w\s\ue000{*_]|(?:with|and|or|by|as|is|in|on|from|to|the|an?)\b)", re.IGNORECASE)
# "to refine, not copy"; "and to", "or to", "NOT to"; "your role is to ask, and mine is to answer",
# "your role is to ask; my role is to answer".
_COORDINATED = re.compile(
    r"\A\w+, (?:and )?not [a-z]|\b(?:(?:and|or|but|then|than|(?i:not)) to|(?:mine|yours|ours|theirs|hers)(?: is)? to"
    r"|(?:my|our|his|her|their|the \w+['’]s) (?:\w+ )?(?:task|job|goal|role|part|turn|duty|objective))\b"
)
# "Your job is to find faults, not repair them": no order goes on so.
_NOT_DONE = re.compile(
    r",\s+(?:and\s+|but\s+)?not\s+(?:(?:just|only|merely|simply)\s+)?(?P<verb>\w+)"
    r"(?P<object>\s+(?:them|it|him|her|me|us|you|the|an?|any|your)\b)?"
)
# The beginnings of clauses.
_CLAUSE = re.compile(r"(?P<link>\A|(?<=\ue000)(?=\s*[A-Z])|[,;:]|(?<![^\s])(?:and|then|so)(?=\s))[\s*_(–—-]*")
# After another colon is what is said or written: "Tell them: please make sure to come."
_ATTENTION = re.compile(
    r"(?:\A|[.!?]\s+)[\s*_(]*(?:(?:very |most )?important(?:ly)?(?: note)?|note|nb|remember|reminder|warning|caution|"
    r"critical|instructions?|your task|task|goal|role|objective|tips?|hints?|rules?)[*_)]*:\Z",
    re.IGNORECASE,
)
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
    hints = Hints(opener_words())

    def propose_in(self, sentence: MaskedSentence) -> Iterator[Edit]:
        text = sentence.text
        for clause in _CLAUSE.finditer(text):
            match = opener_pattern().match(text, clause.end())
            if match is None or not _is_imperative(text, clause, match) or _is_needed(text, match):
                continue
            opener = match[0].strip()
            # In a list it is one of several things that are so: "You believe:", "Do not ask. Your job is to *show*."
            if sentence.kind == ITEM and _DUTY.match(opener):
                continue
            start, end = match.start(), match.start() + len(match[0].rstrip())
            if opener.lower().endswith(" to") and text.startswith("not ", match.end()):
                # "Take care to not shout" is "Do not shout".
                place = (start, end, "Do" if opener[0].isupper() else "do")
            elif (gone := removal(text, start, end)) is not None:
                place = gone
            else:
                continue
            yield Edit(*place, self.code, f"{opener!r} says nothing: begin with the instruction")


_DUTY = re.compile(r"your\b", re.IGNORECASE)
_GOES_ON = re.compile(r"(?:,|\b(?:and|then|so|or|but))[\s*_]*\Z", re.IGNORECASE)
# No verb of an order begins so.
_NO_ORDER = re.compile(r"(?:to|the|an?|of|and|or|that|this|these|it|is|are|your?)\b", re.IGNORECASE)
# The clause of "note ..., that".
_HANGING = re.compile(r"(?:[\w ]{1,20},\s*)?that\s+(?:\w+\s+)?[a-z]", re.IGNORECASE)


def _is_needed(text: str, opener: re.Match[str]) -> bool:
    """Whether something hangs on the opener: a negation, or the second half of "to read and to decide"."""
    words = opener[0].rstrip()
    first = words.split()[0]
    not_done = _NOT_DONE.finditer(text, opener.end())
    return (
        # "NOTE:" and "NOTE that" are louder than what they stand before.
        (len(first) > 1 and first.isupper())
        # "- run: ...", "- note: ...": a name.
        or (words.endswith(":") and first[0].islower())
        # "Your task is to to answer", "Keep in mind, though, that ...": what is left is no sentence.
        or (words.endswith(" to") and _NO_ORDER.match(text, opener.end()) is not None)
        or (words.endswith((",", ":")) and _HANGING.match(text, opener.end()) is not None)
        or (words.endswith(" to") and _COORDINATED.search(text[opener.end() :]) is not None)
        or (words.endswith(" to") and any(one["object"] or is_imperative(one["verb"]) for one in not_done))
        or (words.endswith(" that") and AND_THAT.search(text, opener.end()) is not None)
        or negated(text, opener.start())
        # "Take the stairs, note that they are steep": two sentences would be parted by a comma alone; in "answer, and
        # note that it is late" it is what is to be said.
        or (words.endswith(" that") and _GOES_ON.search(text[: opener.start()]) is not None)
        # "Remember to please the guest": the verb.
        or (words.endswith(" to") and _TO_PLEASE.match(text, opener.end()) is not None)
        # "I need you to have read it": a state, which no order can ask for.
        or (words.endswith(" to") and text.startswith("have ", opener.end()))
    )


def _is_imperative(text: str, clause: re.Match[str], opener: re.Match[str]) -> bool:
    """Whether the model is still addressed by what follows once the opener is gone.

    "I give you a problem, and your task is to solve it" would say that I solve it.
    """
    if clause["link"] == ":" and not _ATTENTION.search(text[: clause.start() + 1]):
        return False
    if clause["link"] in ("", ";", ":") or not _OWN_SUBJECT.match(opener[0]):
        return True
    return clause["link"] == "," and _ADVERBIAL.match(text) is not None


# "says please", "the word please": the word is spoken of.
_SPOKEN_OF = re.compile(
    r"\b(?:says?|said|saying|asks?|asked|tells?|told|writes?|write|wrote|written|types?|typed|words?|phrases?|lines?|lyrics|"
    r"repl(?:y|ies|ied)|responds?|answers?|answered|messages?|shouts?|echo(?:es)?|prints?|mentions?|uses?|using|with|of|"
    r"contains?|includes?|starts?|ends?|begins?)\b",
    re.IGNORECASE,
)
# "please the customer", "please users": a verb.
_OBJECT = (
    r"\s+(?:(?:the|an?|your|my|our|his|her|their|its|this|that|these|those|him|them|us|me|everyone|everybody|all|both)\b"
    r"|(?!(?:process|address|discuss|assess|focus|express|stress|guess|pass)\b)[a-z]+s\b)"
)
_PLEASED = re.compile(_OBJECT, re.IGNORECASE)
_TO_PLEASE = re.compile(rf"please{_OBJECT}", re.IGNORECASE)
_TO_BEGIN = re.compile(r"\bto\s+(?:begin|start|get\s+started|proceed)[.!:*_ ]*\Z", re.IGNORECASE)
_WISH = re.compile(r"\byou(?:['’]d| would) (?:like|prefer)\b", re.IGNORECASE)
# "Please provide the text:", "Please let me know", "Please wait": so a user is asked.
_ASKS_A_READER = re.compile(
    r"[\s*_]+(?:provide|share|enter|paste|insert|specify|upload|attach|confirm|contact|visit|wait|let\s+(?:me|us)|feel\s+free|"
    r"(?:tell|give|send|show|ask|call)\s+(?:me|us)|fill|sign|submit|click|press|try\s+again|stand\s+by|hold|return\s+this)\b",
    re.IGNORECASE,
)
_ON_A_FORM = re.compile(r"\bif\s+(?:yes|no|other)\W*\Z", re.IGNORECASE)
# Where an order may begin.
_OPENS = re.compile(r"(?:\A|[,;:(–—-]|\b(?:and|then|(?<!\bif )so|but|or))[\s*_]*\Z", re.IGNORECASE)
# "Can you please", "also please": any other words before it may be a condition, of which "please" alone shows the end.
_GOES_BEFORE = re.compile(
    r"(?:\A\W*\ue000+|\b(?:can|could|would|will|may|might) (?:you|we|I)(?: all| also)?"
    r"|(?:\A|[,;:(–—]|\b(?:and|then|so|but|or))[\s*_]*"
    r"(?:(?:also|now|then|next|first|second|third|finally|lastly|again|instead|always|only|just|here|hello|hi|\w+ly|"
    r"in addition|for now)\s+)+)\s*\Z",
    re.IGNORECASE,
)
_FOLLOWED = re.compile(r"\s+(?:think|work|solve|consider|reason|follow|use|read)\b", re.IGNORECASE)


def _filler(match: re.Match[str]) -> str | None:
    before, after = match.string[: match.start()], match.string[match.end() :]
    word = " ".join(match[0].lower().replace("’", "'").split())
    # "NOTE that you may not ...": louder than what follows.
    if match[0].split()[0].isupper() and not after.lstrip()[:2].isupper():
        return None
    if before.rstrip(" *_").endswith(":") and not _ATTENTION.search(before.rstrip(" *_")):
        return None
    if word == "please":
        return "" if _is_polite(before, after) else None
    if word in remark_phrases():
        return "" if _stands_apart(match[0], before, after) else None
    if word.startswith("take a "):
        return "" if _OPENS.search(before) and _FOLLOWED.match(after) else None
    if word.endswith(" that"):
        # "they note that it is late": a verb; "answer and note that it is late": an order; in "note that it is late and
        # that he is tired" half of it hangs on it.
        return "" if _OPENS.search(before) and not _GOES_ON.search(before) and not AND_THAT.search(after) else None
    return ""


def _is_polite(before: str, after: str) -> bool:
    """Whether "please" asks for something here, and is not what somebody says or does."""
    opens = _OPENS.search(before) is not None
    # "If yes, please name it:" is asked of the person who fills in a form.
    # "Please name the shop to begin.", "Please name the shop you'd like to see." are said to the user.
    if _ASKS_A_READER.match(after) or _PLEASED.match(after) or _ON_A_FORM.search(before):
        return False
    # "Please, A. (2001)": a name.
    if _TO_BEGIN.search(after) or _WISH.search(after) or re.match(r",\s*[A-Z]\b", after):
        return False
    if not before.strip(" *_("):
        return opens and after.lstrip(" *_,")[:1].isalpha()
    if _SPOKEN_OF.search(before) or not (opens or _GOES_BEFORE.search(before)):
        return False
    return after[:1] == " " and after.lstrip(" *_")[:1].isalpha()


class Filler:
    """Such as "please", "of course", "it is important to note that", where they add nothing."""

    code: ClassVar[str] = "PO104"
    name: ClassVar[str] = "politeness and filler"
    reason: ClassVar[str] = "the answer is the same without them"
    level: ClassVar[Level] = "safe"
    _table = (Rewording(filler_pattern(), _filler, "{old} says nothing", hints=Hints(filler_phrases()), unless=None),)
    _rule = WordingRule(code, name, reason, level, _table)
    hints = _rule.hints

    def propose_in(self, sentence: MaskedSentence) -> Iterator[Edit]:
        return self._rule.propose_in(sentence)


def _stands_apart(phrase: str, before: str, after: str) -> bool:
    """Whether a phrase opens its sentence and a comma ends it, or commas set it off.

    "Avoid Moreover, Furthermore, Additionally, ...": phrases that are spoken of, as their capitals or neighbours show.
    """
    before, after = before.rstrip(" *_"), after.lstrip(" *_")
    if not after.startswith(",") or _is_remark(after[1:]) or _is_listed(before, after):
        return False
    return not before or (before.endswith(",") and phrase.islower() and not _is_remark(before.split(",")[-2]))


def _is_listed(before: str, after: str) -> bool:
    """Whether a phrase is one of a list of words: "Avoid pivotal, moreover, arguably, notably"."""
    parts = [*before.rstrip(",").split(",")[-2:], after.lstrip(",").split(",")[0]]
    return before.count(",") > 1 and all(len(part.split()) <= 2 for part in parts)


def _is_remark(text: str) -> bool:
    """Whether a text is, up to its first comma, a phrase that adds nothing."""
    return " ".join(text.partition(",")[0].lower().replace("’", "'").strip(" *_").split()) in remark_phrases()


_NOUN_PHRASE = re.compile(
    r"(?:provide|give|create|generate|write|output|produce|perform|conduct|do|make)\b.*\b(?:of|for|to|about|on)\Z"
)
_HANGS_ON = re.compile(
    r"[,:;(]|\b(?:and|or|that|which|who|along|together|with|using|each|plus|followed|consisting|containing)\b",
    re.IGNORECASE,
)
# "a summary of 100 words of the text": how long it is.
_LENGTH = re.compile(
    r"\s+(?:no|not|at|up|less|fewer|more|about|around|approximately|exactly|maximum|max|min|minimum|between|\d+|one|two|three|"
    r"four|five|six|ten|\ue000+)\b",
    re.IGNORECASE,
)
_ORDERING = re.compile(r"\b(?:put|arrang|sort|rank|plac|order|list)\w*\b", re.IGNORECASE)
_GIVEN = re.compile(r"\s+(?:an?|the|some|two|three|several|many|one|your|\ue000)", re.IGNORECASE)
_HANDED_TO = re.compile(
    r"(?:\b(?:is|are|was|were|be|been|being|you|I|we|they|he|she|that|which)|['’](?:re|s|m))\s*\Z", re.IGNORECASE
)
_GIVEN_BY = re.compile(r"\bby\b", re.IGNORECASE)
_LISTED = re.compile(r":")
# What may follow a place: "the rules listed above are", "the list provided below to".
_PLACED = re.compile(
    r"\s*\Z|\s+(?:to|for|and|or|when|while|if|as|in|on|by|with|is|are|was|were|must|should|may|can|will|does|do|has|have|"
    r"exactly|carefully|before|after|that|which)\b",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?:all of the|both of the) (?:above|below|following)\b|.* analysis of variance\b"
    # "He will write down feathers": what is written down has its article.
    r"|write down (?!(?:the|an?|your|his|her|their|its|all|any|each|every|what|how|why|which|this|these|that|those)\b)"
)
_PHASE = re.compile(r"\b(?:start|begin|end|finish|open|close|stop|continue)(?:s|ed|ing)?\s*\Z", re.IGNORECASE)


def _shorter(match: re.Match[str]) -> str | None:
    # "With a Focus on Birds": a title, a label.
    # "ALL of the doors": stressed.
    words = match[0].split()
    if any(word[0].isupper() for word in words[1:]) or (len(words[0]) > 1 and words[0].isupper()):
        return None
    new = shorter(match[0])
    after = match.string[match.end() :]
    before = match.string[: match.start()]
    last = match[0].split()[-1].lower()
    # "think about this and about that": the second half hangs on the word that would go.
    if not new.endswith(last) and re.search(rf"\b(?:and|or|but|not)\s+{re.escape(last)}\b", after, re.IGNORECASE):
        return None
    # "due to the fact that it is late and the fact that it rains"
    if match[0].lower().endswith("the fact that") and re.search(r"\b(?:and|or|but)\s+(?:to\s+)?the fact\b", after):
        return None
    if _means_otherwise(match[0].lower(), new, before, after):
        return None
    # "at this point in time (say: now)": the phrase is spoken of.
    if re.match(r"\s*(?:[,;:.()→=]|->)", after) and match[0].lower() not in (
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
    # "the rules that are listed below": "that are" goes first; "the text you are provided above": you are not above.
    # "Given above query": there is no noun that is above.
    # "the names given above sea level": above what is said next.
    if new.endswith(("above", "below")) and (
        _HANDED_TO.search(before) or not before.strip(" *_") or not _PLACED.match(after)
    ):
        return True
    # "the inside of the box", "all of the above", "analysis of variance": names.
    if _NAMED.match(f"{old}{after.lower()}"):
        return True
    # "a list of the pros and an outline of the cons", "a summary that is short": more hangs on the noun.
    if _NOUN_PHRASE.match(old) and (_HANGS_ON.search(after) or _LENGTH.match(after)):
        return True
    # "put the cards in order to the left": their order is meant.
    if old.startswith("in order ") and _ORDERING.search(before):
        return True
    # "Replace in order to with to": the words are spoken of.
    if old == "in order to" and _NO_VERB.match(after):
        return True
    # "make sure to answer": an opener; "make sure of it".
    if new in ("ensure", "ensuring") and re.match(r"\s+(?:(?:not\s+)?to|of|about)\b", after):
        return True
    # "You are given that x is 3."
    if new == "you get" and (not _GIVEN.match(after) or _GIVEN_BY.search(after)):
        return True
    # "the following steps after this one": those that come next, if no list follows.
    comes_next = "the following " in old and _LISTED.search(after) is None
    # "Start by using ls": what one starts with, not what one starts to use.
    return comes_next or (new == "using" and _PHASE.search(before) is not None)


PHRASES = WordingRule(
    "PO107",
    "wordy phrases",
    "the short form says the same",
    "safe",
    (Rewording(shorter_pattern(), _shorter, "{old}: write {new}", hints=Hints(shorter_phrases())),),
    # The words of a heading are a name.
    kinds=(ITEM, TEXT),
)
