"""PO402, PO403, PO405: words that a telegram leaves out."""

from __future__ import annotations

import re

from promptopt.compression.rules.base import Rewording, WordingRule, governed
from promptopt.compression.rules.grammar import AND_THAT, AND_VERB, PARTICIPLES
from promptopt.compression.scope.verbs import may_order

_PLACE = r"below|above|in|on|at|from|for|of|with|about|within|under|between|like"
_PREDICATE = rf"(?!\w*thing\b)\w{{2,}}ing|{_PLACE}"
_ADJECTIVE = (
    r"\w{2,}(?:[ai]ble|ful|less|ous|ive|al|ic|[ae]nt|ary|ory|ate)|similar|clear|unclear|correct|incorrect|true|false|ready"
    r"|empty|long|short|good|bad|better|worse|high|low|new|complete|incomplete"
)
_BEFORE_MORE = (
    r"to|in|on|at|for|from|of|with|and|or|by|if|when|that|than|as|but|about|without|within|before|after|because"
)
# Before a noun it stays: "if an entity is a phrase" is not "if entity phrase".
_COPULA = re.compile(
    rf"(?<=[a-z)`] )(?:is|are)\s+"
    rf"(?=(?:{_PREDICATE})\b|(?:{_ADJECTIVE})\b(?=\s*(?:[.,;:)!?]|\Z)|\s+(?:{_BEFORE_MORE})\b))"
    r"(?!(?:to|it|there|that|this|what|you|not|only|(?:\w+\s+)?based)\b)",
    re.IGNORECASE,
)
_NOT_AFTER = re.compile(
    r"\b(?:what|who|which|where|how|there|here|it|that|this|these|those|so|not|if|and|or|you|as|than|first|second|third|last|"
    r"one|other|former|latter|they|we|he|she)\s*\Z",
    re.IGNORECASE,
)
_AND_IS = re.compile(r"(?:,|\b(?:and|or|but)\b[^.;:]*?)\s(?:is|are|was|were)\b", re.IGNORECASE)
# "while sync is on is deliberate": one of them says it of a clause.
_IN_CLAUSE = (
    r"(?:(?!\b(?:and|or|but|that|which|who|what|where|how|if|when|while|because|as|than|whether)\b)[^,;:.()])*?"
)
_IS_SAID = re.compile(rf"{_IN_CLAUSE}\s(?:is|are|was|were)\b", re.IGNORECASE)
_WAS_SAID = re.compile(rf"\b(?:is|are|was|were)\s{_IN_CLAUSE}\Z", re.IGNORECASE)
_GOES_ON = re.compile(r"[^.;:]*\b(?:and|or|but)\b", re.IGNORECASE)
_IS_AND = re.compile(r"\b(?:is|are|was|were)\b[^.;:]*\b(?:and|or|but)\b[^.;:]*\Z", re.IGNORECASE)
_KNOWING = re.compile(
    r"\b(?:check|verify|confirm|know|say|see|note|find|think|believe|assume|ensure|tell|show|state|indicate|mean|remember|"
    r"make sure)(?:s|ing|ed)?\b[^,.;:]*\Z",
    re.IGNORECASE,
)
_IN_THAT = re.compile(r"\bthat\b[^,.;:]*\Z", re.IGNORECASE)
_IN_PLACE = re.compile(rf"(?:{_PLACE})\b", re.IGNORECASE)
# In a condition what follows the noun is said of it; elsewhere "users asking for help" are users of a kind.
_CONDITION = re.compile(r"\b(?:if|when|whenever|unless|whether|while|because|until)\b[^,;:.]*\Z", re.IGNORECASE)
_ATTRIBUTE = re.compile(rf"(?:{_PREDICATE})\b|[\w-]+\s+(?:{_BEFORE_MORE})\b", re.IGNORECASE)
_CLAUSE_START = re.compile(r"[,;:.]|\b(?:if|when|that|and|or|but|where|because|while|unless|until)\b", re.IGNORECASE)
_OPENS = re.compile(r"\W*(?:if|when|for|in|on|at|as|after|before|once|while)\b", re.IGNORECASE)
# What the model makes or has: there is no other's.
_OWN = (
    "answers?|responses?|outputs?|repl(?:y|ies)|task|job|goal|role|analysis|summary|reasoning|explanations?|report|"
    "evaluation|judg(?:e)?ment|decision|verdict|score|rating|review|assessment"
)
# "Your role is to ask, my role is to answer", "compare your answer to the model's answer": there is another.
_ANOTHER = re.compile(
    rf"\b(?:I|my|mine|his|her|hers|our|ours|their|theirs|compare|versus|vs)\b|['’]s?\s+(?:\w+\s+)?(?:{_OWN})\b",
    re.IGNORECASE,
)
_OWN_IN = re.compile(
    r"(?:\A|\b(?:in|output|provide|write|give|return|start|begin|end|base|keep|include|explain|format|structure|present|"
    r"limit|make|support|conclude|finish))\s*\Z",
    re.IGNORECASE,
)
_ADVERBIAL = re.compile(
    r"\W*(?:for|in|at|on|after|before|during|to|as|based|given|using|without)\b[^,;:]*,\s+", re.IGNORECASE
)
_NOUN = (
    r"(?:text|context|input|question|query|information|content|data|document|article|code|conversation|transcript|"
    r"topic|task|tools?|instructions?|examples?|schema|format|answer|answers|metric|evaluation metric|criteria|"
    r"guidelines|steps|rules|message|file|files|summary|description|prompt|sources?|image|table|list|sentence|passage)"
)


def _copula(match: re.Match[str]) -> str | None:
    before, after = match.string[: match.start()], match.string[match.end() :]
    # "is short, clear, and says why", "is small or the guest pays": what follows may have another verb.
    if _GOES_ON.match(after):
        return None
    # "is short, is clear and is new": one like the other.
    if _AND_IS.search(after) or _IS_AND.search(before):
        return None
    if _IS_SAID.match(after) or _WAS_SAID.search(before):
        return None
    if _ATTRIBUTE.match(after) and not _CONDITION.search(before):
        return None
    # "the ability to find and to test new ways is essential": the verb is too far from its subject.
    if len(_CLAUSE_START.split(before)[-1].split()) > 4 or before.count(",") > (_OPENS.match(before) is not None):
        return None
    # "how likely it is that the claim is true": a clause of its own.
    if _IN_THAT.search(before):
        return None
    # "Check that the file is in the folder" is not "Check the file in the folder".
    if _KNOWING.search(before) and _IN_PLACE.match(after):
        return None
    return None if _NOT_AFTER.search(before) else ""


def _owned(match: re.Match[str]) -> str | None:
    meant = _OWN_IN.search(match.string[: match.start()]) and not _ANOTHER.search(match.string)
    return "" if meant else None


def _also(match: re.Match[str]) -> str | None:
    # "If they also agree": both must be so.
    return None if _CONDITION.search(match.string[: match.start()]) else ""


_SPARE_WORDS = (
    # "Use the following format:": the colon says that it follows.
    Rewording(
        re.compile(
            r"(?<![\w'’-])(?<!\bby )the following(?=\s+(?:\w+\s+)?(?:formats?|structure|"
            r"rules|steps|sections|instructions|guidelines|schema|fields|order|template|criteria|keys|topics|requirements|"
            r"information|questions?|categories|labels|columns)\b[^.:;\n\ue000]{0,60}:[ \t*]*(?:\n|\Z))"
            r"|(?<=[a-z)] )as follows(?=:)",
            re.IGNORECASE,
        ),
        needles=("follow",),
        unless=governed,
    ),
    # "Use the provided context", "the context provided": there is no other.
    Rewording(
        re.compile(rf"(?<=\bthe )(?:given|provided)(?=\s+{_NOUN}\b)", re.IGNORECASE),
        needles=("given", "provided"),
        unless=governed,
    ),
    Rewording(
        re.compile(rf"(?P<kept>\b{_NOUN}) (?:given|provided)(?=\s*[.,;:)]|\s*\Z)", re.IGNORECASE),
        lambda match: match["kept"],
        needles=("given", "provided"),
        unless=governed,
    ),
    Rewording(re.compile(r"(?<=\w )also(?=\s+[a-z])|\AAlso,?(?=\s+[a-z])"), _also, needles=("also",), unless=governed),
    # Without "of", "all of them" is nothing: only before what carries its own noun.
    Rewording(
        re.compile(
            r"(?:(?<=\ball )|(?<=\bboth ))of(?=\s+(?:the|these|those|your|their)\s)",
            re.IGNORECASE,
        ),
        needles=(" of ",),
        unless=None,
    ),
    Rewording(
        re.compile(r"(?:(?<=\b[Ww]hen )|(?<=\b[Ww]hile ))you(?:['’]re|\s+are)(?=\s+\w+ing\b)"),
        needles=("when you", "while you"),
        unless=governed,
    ),
)


def _who_it_is(match: re.Match[str]) -> str | None:
    """Nothing instead of "You are": "Rate limit monitor" without it would order to rate."""
    word = re.match(r"[a-z]+", match.string[match.end() :])
    return None if word and may_order(word[0]) else ""


_PRONOUNS = (
    Rewording(
        re.compile(
            r"(?<=\w )(?<!\bway )(?:(?:that|which|who)\s+(?:is|are|was|were)|that['’]s)\s+"
            # "a file public" is not English: only what goes on, or what was done.
            rf"(?=(?:\w{{2,}}ed|{PARTICIPLES}|{_PREDICATE})\b|\w+\s+(?:to|in|on|at|for|from|of|with|by|about|enough)\b)"
            r"(?!(?:to|not|no|the|a|an|been|only)\b)"
            # "a girl who is nine and who sings": one like the other.
            rf"(?![\s\S]*(?:{AND_THAT.pattern}|{AND_VERB.pattern}))",
            re.IGNORECASE,
        ),
        needles=("that", "which ", "who "),
    ),
    Rewording(
        re.compile(
            r"(?:\A|(?<=\bif )|(?<=\bwhen )|(?<=\bunless ))there\s+(?:is|are)(?=\s+\w+\s+\w)"
            r"(?!\s+(?:no|not|any|more|less|one)\b|\s+\w+\s+(?:that|which|who)\b)",
            re.IGNORECASE,
        ),
        needles=("there ",),
    ),
    Rewording(
        re.compile(
            r"\AYou(?:['’]re|\s+are)\s+(?!(?i:not|never|only|to|about|going|am|are|is)\b)"
            # Of "You are Ann." a name alone would be left, of "You are a judge." what reads as an order.
            r"(?=(?:an?|the)\s+[A-Za-z\ue000][\w\ue000-]*\s+\w|(?!(?:an?|the)\b)[a-z][\w-]*\s+\w|[A-Z][\w-]*\s+(?!(?:of|from|in|at|with|who|and|the|an?)\b)[a-z])"
        ),
        _who_it_is,
        needles=("you",),
    ),
    Rewording(
        re.compile(rf"(?<![\w'’-])your(?=\s+(?:\w+\s+)?(?:{_OWN})\b)", re.IGNORECASE), _owned, needles=("your ",)
    ),
    # "If a user calls, you should answer": after a clause it would be the user who should.
    Rewording(
        re.compile(
            r"(?:\A|(?<=, ))you(?=\s+(?:must|should|may|can|shall|will|need|have to)\b)(?!.*\b(?:I|we|my|our)\b)",
            re.IGNORECASE | re.DOTALL,
        ),
        lambda match: "" if not match.start() or _ADVERBIAL.fullmatch(match.string[: match.start()]) else None,
        needles=("you ",),
    ),
)

COPULAS = WordingRule(
    "PO402",
    "copulas",
    "a telegram has none, and is understood",
    "telegraphic",
    (Rewording(_COPULA, _copula, message="{old} can go"),),
)
PRONOUNS = WordingRule("PO403", "pronouns", "who is meant is clear", "telegraphic", _PRONOUNS)
SPARE_WORDS = WordingRule(
    "PO405", "spare words", "a note leaves them out, and its reader misses nothing", "telegraphic", _SPARE_WORDS
)
