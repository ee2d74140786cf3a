"""PO201 to PO206, PO208, PO401, PO404: words, commas and articles that grammar has and an instruction does not need."""

from __future__ import annotations

import re

from promptopt.compression.rules.articles import ARTICLE, UNIQUE, no_article, note_article
from promptopt.compression.rules.base import Rewording, WordingRule
from promptopt.compression.rules.commas import BEFORE_THEN, OPTIONAL
from promptopt.compression.sentences import HEADING, ITEM, TEXT
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.text.words import Hints

PARTICIPLES = "given|shown|written|taken|made|found|built|done|sent|set"
"""Irregular participles that most patterns know."""
_PARTICIPLE = (
    rf"(?:\w{{3,}}ed|{PARTICIPLES}|known|drawn|chosen|seen|said|put|held|kept|left|"
    r"related|based|(?:relevant|available|necessary|similar|specific|appropriate|likely)(?=\s+(?:to|for|in|on|with|from|by)\b))"
)
NEEDLESS = re.compile(rf"\s+{_PARTICIPLE}\b", re.IGNORECASE)
"""What makes "that is" before it needless."""
_RELATIVE = re.compile(
    rf"(?<=\w )(?<!\bthose )(?:that|which|who)\s+(?:is|are|was|were)\s+(?={_PARTICIPLE}\b)", re.IGNORECASE
)
_COMPLEMENT = re.compile(
    r"\b(?P<verb>ensur(?:e|es|ing)|assum(?:e|es|ing)|think|believe|know|says?|sure)\s+that\s+"
    r"(?=(?:the|a|an|your|you|it|this|these|all|each|every|they|there|their|its|any|we|I|he|she|no|both|only|some)\b)",
    re.IGNORECASE,
)
_OBJECT = re.compile(
    r"(?<=[a-z] )(?<!\bso )(?<!\bsuch )(?<!\bnow )(?<!\bgiven )(?<!\bprovided )(?<!\bin )(?<!\bexcept )(?<!\bnot )"
    r"(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bbe )(?<!\bthan )(?<!\band )(?<!\bor )(?<!\bbut )(?<!\border )"
    r"(?<!\banswer )(?<!\bclaim )(?<!\breport )(?<!\breply )(?<!\brequest )(?<!\bstate )(?<!\bnote )(?<!\bcomment )"
    r"that\s+(?=(?:you|I|we|they|he|she)\s+(?!not\b)\w)",
    re.IGNORECASE,
)
AND_THAT = re.compile(r"(?:,\s+that|\b(?:and|or|but)\s+(?:that|which|who))\b", re.IGNORECASE)
"""In "say that it is late and that he is tired" one hangs on the other."""
AND_VERB = re.compile(
    # "that were sent and the guest has paid for": a second clause
    r"\b(?:and|or|but)\s+(?:(?:also|not|then)\s+|(?:the|a|an|your|their)\s+\w+\s+|(?:you|we|they|it|he|she)\s+)?(?:is|are|was|were|can|could|will|would|has|have|do|does|should|must|may|might)\b",
    re.IGNORECASE,
)
"""A second verb of the same clause: in "items that are small and can be found" one hangs on the other."""
_IT_IS = re.compile(
    r"\bit\b[^.,;]*\b(?:be|is|was|seems?|becomes?)\s+(?:\w+\s+)?(?:clear|obvious|important|likely|possible|true|necessary|"
    r"essential|evident|crucial|known|said)\s+\w",
    re.IGNORECASE,
)
# Negations are never contracted: "do not" stays as loud as it is.
_WHO, _VERBS = "I you we they it that there here what", "will are is am"
_LONG = re.compile(
    rf"\b(?P<who>{_WHO.replace(' ', '|')})\s+(?P<verb>{_VERBS.replace(' ', '|')})\b"
    # "who you are and what you do": the verb is what the clause says. "You are are": written twice by mistake.
    r"(?=\s+[a-z])(?!\s+(?:not|no|never|to|and|or|but|am|are|is|was|were|will|can|should|must)\b)",
    re.IGNORECASE,
)
_SHORT = {"will": "'ll", "are": "'re", "is": "'s", "am": "'m"}
_PAIRS = frozenset(
    "i will, i am, you will, you are, we will, we are, they will, they are, "  # noqa: SIM905 - read as words
    "it is, that is, there is, here is, what is, it will".split(", ")
)
_STRESSED = re.compile(
    r"\b(?:than|as|(?:what|which|how|whose)(?:\s+\w+)?|who|where|whatever|whoever|the\s+(?:\w+er|more|less|worse))\s*\Z",
    re.IGNORECASE,
)
_BEGUN = re.compile(r"(?:\A|[.!?:;,–—-]|\b(?:and|but|so|then|or))\Z", re.IGNORECASE)
_THERE_BEGINS = re.compile(
    r"(?:\A|[^\w\s]|\b(?:if|when|whenever|whether|that|because|since|unless|while|where|until|once|after|before|and|but|so|or|"
    r"then|as|although|though|ensure|check|sure|assume|say|see|verify|confirm|means?|think|believe|know|only|also|now))\Z",
    re.IGNORECASE,
)
# "only a little of it is needed": the verb has another subject.
_GOVERNED = re.compile(
    r"\b(?:of|for|with|without|within|from|about|to|by|at|in|on|into|onto|upon|than|between|among|after|before|beside|besides|"
    r"behind|beyond|against|towards?|unlike|per|via)\s*\Z"
    # "who wants it is late": it is what he wants.
    r"|\b(?:that|which|who|whoever|whatever)\s+(?:(?:can|may|must|should|will|would|could|does|did|has|had|not|\w+ly)\s+)*"
    r"(?!(?:if|when|whether|that|because|since|unless|while|where|until|once|and|or|but|so|as|then|says?|said|states?|shows?|"
    r"thinks?|believes?|knows?|means?|ensures?|assumes?|suggests?|indicates?|confirms?|implies)\b)[a-z]+\s*\Z",
    re.IGNORECASE,
)
# "skipping it is wrong", "To hear them there is hard": what is done to it, or where, is the subject.
_DONE_TO = re.compile(
    r"(?!\w*(?:ensur|assum|suppos|consider|mean|say|think|know|believ|confirm|check|verify|indicat|stat|show|suggest|"
    r"not|imply|imagin|decid|explain|provid|see|find|feel|hop|mak|depend|be)ing\b)\b\w{2,}ing\s*\Z"
    r"|(?:\A|[.:;,–—-]\s*)(?:to|not\s+to)\s+[a-z]+\s*\Z",
    re.IGNORECASE,
)
# What is done for the reader of the answer; "You will carry the boxes" may describe how it goes.
_YOU = re.compile(
    r"\AYou(?:['’]ll|\s+will)(?=\s+(?:(?:only|also|then|always|never|first|now|next|finally)\s+)?"
    r"(?:output|write|create|extract|answer|provide|give|return|list|generate|summari[sz]e|respond|reply|produce|"
    r"classify|explain|describe|rate|score|translate|convert|rewrite|select|choose)\b)"
)
_HERE = re.compile(
    # "This is the list of ...:" may say something of what is above.
    r"\A(?:Here(?:['’]s|\s+(?:is|are))|Below\s+(?:is|are)|The following\s+(?:is|are))"
    r"(?:\s+(?:a(?!\s+(?:few|lot|couple|number|bit)\b)|an|the|some|your|all))?(?=\s+[\w\ue000])"
)


_CONDITIONAL = re.compile(r"\W*(?:if|when|whenever|unless|where|since|because|as|once|while)\b", re.IGNORECASE)


def _is_no_subject(who: str, before: str) -> bool:
    """Whether the verb has another subject."""
    # "the talk here is short"
    if who == "here":
        return _BEGUN.search(before) is None
    # "in the back, that is under the stairs": what it means; "if it opens, that is a sign" says something of it.
    return who == "that" and before.endswith((",", "—", "–")) and _CONDITIONAL.match(before) is None


def _contracted(match: re.Match[str]) -> str | None:
    who, verb = match["who"], match["verb"].lower()
    if f"{who.lower()} {verb}" not in _PAIRS or match["verb"] != verb:
        return None
    # "Here is the list:" announces a label, which needs neither word.
    if who == "Here" and not match.start() and match.string.rstrip(" *_").endswith(":"):
        return None
    # "the sentence You are late": a capital where no sentence begins.
    before = match.string[: match.start()].rstrip(" *_(")
    if who[0].isupper() and who != "I" and before and before[-1] not in f".!?:;-–—{MASK}\n\"'”’)":
        return None
    if _is_no_subject(who.lower(), before):
        return None
    # "later than it is in London", "what day it is": the verb is what the clause says.
    if _STRESSED.search(match.string[: match.start()]):
        return None
    if who.lower() in ("it", "you", "that") and _GOVERNED.search(match.string[: match.start()]):
        return None
    if who.lower() in ("it", "you", "that", "there", "here") and _DONE_TO.search(match.string[: match.start()]):
        return None
    # "the worst case there is": the verb is what the clause says.
    if who.lower() == "there" and not _THERE_BEGINS.search(before):
        return None
    # "the text that is given" needs neither word (PO204).
    if who.lower() == "that" and NEEDLESS.match(match.string[match.end() :]):
        return None
    return who + _SHORT[verb]


# "You answer by sending JSON" says how; "You write and will list" has a second verb, which the subject needs, and
# "You ask and the guest answers" or "You write and they vote" a second subject.
_DESCRIBES = re.compile(
    r"\A\w+\b.*\b(?:they|he|she|it|I|we|you)(?=['’]|\s+[a-z])|\(|\bby\s+\w+ing\b"
    r"|\band\s+(?:the|your|their)\s+[a-z]+\s+(?:will\s+)?[a-z]+"
    r"|\b(?:and|or|but|then)\s+(?:(?:also|then)\s+)?(?:will|would|can|could|may|might|must|should|are|have|do)\b",
    re.IGNORECASE | re.DOTALL,
)


def _subject(match: re.Match[str]) -> str | None:
    return None if "?" in match.string[-2:] or _DESCRIBES.search(match.string) else ""


def _kept(match: re.Match[str], keep: str) -> str | None:
    hangs = AND_THAT.search(match.string) or AND_VERB.search(match.string, match.end())
    return None if hangs else keep


def _relative(match: re.Match[str]) -> str | None:
    return _kept(match, "")


def _complement(match: re.Match[str]) -> str | None:
    return _kept(match, match["verb"] + " ")


# "confirm to the user that you have done it", "tell the guest that he is late": the clause is what is said, not whom.
_SAID_TO = re.compile(
    r"\b(?:(?:tell|inform|remind|assure|convince|warn|notify|persuade|promise|show|confirm|explain|suggest|admit|say|"
    r"mention|report|state|claim|imply|indicate|signal|prove|announce|reveal)(?:s|ed|ing)?|telling|told|said|shown)\b"
    r"(?:\s+(?!that\b)[\w'’-]+)+\s+\Z",
    re.IGNORECASE,
)


# "headlines of the list that you used": it belongs to the farther noun.
_OF_A_NOUN = re.compile(
    r"\w\s+(?:of|from|in|on|for|with|by|at|among|about|to)\s+(?:(?:the|an?|your|any|this|these|each|every)\s+)?(?:[\w'’-]+\s+){0,2}"
    r"(?<!\bsure )(?<!\bclear )\Z",
    re.IGNORECASE,
)


# "the knowledge that they cannot read it", "the risk that you fall": what is known, not a thing that is read. A clause
# of which the noun is a part ("the claim that you made") looks the same.
_HAS_A_CLAUSE = re.compile(
    r"\b(?:knowledge|awareness|understanding|realization|recognition|acknowledge?ment|facts?|beliefs?|ideas?|notions?|concepts?|"
    r"claims?|risks?|dangers?|chances?|odds|probabilit(?:y|ies)|possibilit(?:y|ies)|likelihood|assumptions?|presumptions?|"
    r"premises?|impressions?|illusions?|feelings?|sense|intuitions?|hopes?|fears?|wor(?:ry|ries)|concerns?|doubts?|suspicions?|"
    r"views?|opinions?|positions?|conviction|confidence|certainty|faith|expectations?|predictions?|evidence|proofs?|signs?|"
    r"signals?|indications?|indicators?|hints?|clues?|suggestions?|proposals?|recommendations?|statements?|assertions?|"
    r"allegations?|theses|thesis|theor(?:y|ies)|hypothes[ie]s|arguments?|conclusions?|inferences?|implications?|warnings?|"
    r"reminders?|promises?|guarantees?|assurances?|confirmations?|admissions?|complaints?|objections?|conditions?|"
    r"requirements?|constraints?|rules?|principles?|points?|news|rumou?rs?|messages?|notices?|thoughts?|agreements?|"
    r"decisions?|demands?|wish(?:es)?|insights?|lessons?|caveats?|disclaimers?|observations?|findings?|threats?|"
    r"discover(?:y|ies)|instructions?|explanations?|case|event|extent|grounds|basis|bet|odds)[*_]*\s+\Z",
    re.IGNORECASE,
)


def _object(match: re.Match[str]) -> str | None:
    # "it has to be clear from the letter that I am late": what is clear comes last.
    before = match.string[: match.start()]
    needed = (_IT_IS, _SAID_TO, _OF_A_NOUN, _HAS_A_CLAUSE)
    return None if any(pattern.search(before) for pattern in needed) else _kept(match, "")


# "Here's an example, but just use this format:" a clause that the verb goes with.
_ADDED = re.compile(r"[,;]\s+(?:but|so|yet|please|just)\b|;")


# "Here is where:", "Below are those that we miss because:": no name of what is under it.
_NO_LABEL = re.compile(
    r"\b(?:because|since|when|if|that|which|where|so|and|or|is|are)\s*[*_]*:[\s*_]*\Z", re.IGNORECASE
)


def _announced(match: re.Match[str]) -> str | None:
    is_label = match.string.rstrip(" *_").endswith(":") and not _NO_LABEL.search(match.string)
    hangs = _ADDED.search(match.string, match.end()) is not None
    return "" if is_label and " all " not in match.string[: match.end() + 1] and not hangs else None


def _followed(first: str, second: str) -> Hints:
    """What a text has if one of some words is in it and one of others."""
    return Hints(f"{one} {other}" for one in first.split() for other in second.split())


_SHORTER = "{old} can be shorter: the clause reads the same without it"
CONTRACTIONS = WordingRule(
    "PO201",
    "contractions",
    "a contraction is one token less",
    "standard",
    (Rewording(_LONG, _contracted, hints=_followed(_WHO, _VERBS)),),
)
SUBJECTS = WordingRule(
    "PO202",
    "needless subject",
    "an instruction is an imperative; who it is for is clear",
    "standard",
    (Rewording(_YOU, _subject, "{old} can go: use the imperative", hints=Hints(["you ll", "you will"]), unless=None),),
    # "Ensure that:" and a list of clauses: their subjects belong to them.
    kinds=(TEXT,),
)
CLAUSES = WordingRule(
    "PO204",
    "needless that",
    "the clause reads the same without its first words",
    "standard",
    (
        Rewording(_RELATIVE, _relative, _SHORTER, hints=_followed("that which who", "is are was were")),
        Rewording(_OBJECT, _object, _SHORTER, hints=_followed("that", "you i we they he she")),
        Rewording(_COMPLEMENT, _complement, _SHORTER, hints=Hints(["that"])),
    ),
)
ANNOUNCEMENTS = WordingRule(
    "PO206",
    "announced labels",
    "a colon announces enough",
    "safe",
    (
        Rewording(
            _HERE,
            _announced,
            "{old}: the label is enough",
            (":",),
            Hints(["here", "below", "the following"]),
            unless=None,
        ),
    ),
)
COMMAS = WordingRule(
    "PO203", "optional commas", "each is a token, and the sentence reads the same", "standard", OPTIONAL
)
CLAUSE_COMMAS = WordingRule(
    "PO404", "clause commas", "the word after it says that a clause begins", "telegraphic", BEFORE_THEN
)


_ARTICLES = (Rewording(ARTICLE, note_article, unless=None),)
NOTE_ARTICLES = WordingRule(
    "PO205",
    "articles in lists",
    "list items and headings are notes, and notes need no articles",
    "telegraphic",
    (Rewording(ARTICLE, note_article, unless=None),),
    kinds=(HEADING, ITEM),
)
UNIQUE_NOUNS = WordingRule(
    "PO208",
    "articles of unique nouns",
    "there is one user, one input and one answer: no article tells them apart",
    "telegraphic",
    (Rewording(UNIQUE, no_article, unless=None),),
)
ARTICLES = WordingRule(
    "PO401", "articles", "every twentieth word is an article, and a model needs none", "telegraphic", _ARTICLES
)
