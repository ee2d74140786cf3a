"""Articles that a note leaves out, and those that it needs."""

from __future__ import annotations

import re
from functools import lru_cache

from promptopt.compression.scope.instructions import is_imperative
from promptopt.compression.scope.verbs import may_order

# "a few" is not "few", "a lot" not "lot"; "the more ... the more" and "the one" lose more than an article.
ARTICLE = re.compile(
    r"(?<![\w'’-])(?:the|an?)(?=\s+[\w\ue000])(?!\s+(?:[a-z]\b|\d))"
    r"(?!\s+(?:few|little|lot|bit|couple|number|one|ones|who|which|while|is|are|was|be|equals?|denotes?|following|the|an?|"
    r"and|or|in|of|as|if|at|by|for|from|to|with|times|plus|minus|divided|squared|must|should|can|will|has|have|does|(?:more|less|fewer|better|sooner)\b[^.\n]{0,60}\bthe)\b)"
    # "twice a day", "one at a time"
    r"(?!(?<=\ba)\s+(?:day|week|month|year|minute|second|time|piece)\b|(?<=\ban)\s+hour\b)",
    re.IGNORECASE,
)
"""An article that is not a part of a phrase by its first word."""
_COMPARED = (
    r"\bthe\s+(?:more|less|worse|better|fewer|sooner|later|earlier|longer|shorter|higher|lower|bigger|smaller|larger|greater|"
    r"faster|slower|easier|harder|closer|stronger|weaker|simpler|clearer|deeper|older|newer|richer)\b"
)
# "the shorter the answer the better"
_PROPORTION = re.compile(rf"{_COMPARED}.{{0,200}}?{_COMPARED}", re.IGNORECASE | re.DOTALL)
# "the word the", "the variable a"
_NAMED = re.compile(r"\b(?:words?|letters?|articles?|characters?|symbols?|variables?)\s+\Z", re.IGNORECASE)
_ONE_OF = re.compile(
    r"\b(?:each|one|none|either|neither|which|any|some|many|most|several|few|half|part|two|three|\d+) of\s*\Z",
    re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"\s[*_\"]*[A-Z][\w’'-]*(?:\s+(?:of|in|and|on|for|to|at|from|with|by))?\s*\Z")
_NAME_AFTER = re.compile(r"\s+[A-Z][a-z]")
_NOUN_WORD = (
    r"(?!(?:in|on|at|of|to|for|from|with|by|and|or|but|as|if|is|are|was|were|that|which|who|when|than|into|about|per)\b)"
    r"[a-z]+"
)
_BOLD = re.compile(r"[*_]{1,3}")
# "the tools bakers should use": "tools bakers" would be one name; "the tools you use".
_BEFORE_BARE_CLAUSE = re.compile(
    rf"\s+{_NOUN_WORD}\s+(?:(?:you|we|they|I|he|she)\s+(?!and\b|or\b)[a-z]"
    rf"|{_NOUN_WORD}\s+(?:(?:must|should|can|cannot|may|might|will|would|could)\s+[a-z]+"
    r"|needs?|wants?|uses?|ha(?:ve|s)|requires?|expects?|prefers?|asks?|gives?|mentions?|sees?|reads?|knows?|makes?|sends?)"
    r"(?:\s+(?:in|on|at|for|from|to|with|by|when|if|before|after|and|or)\b|\s*(?:[.,;:)(]|\Z)))",
    re.IGNORECASE,
)
_OBJECT_BEFORE = re.compile(
    r"(?<!\bthat)(?<!\bif)(?<!\bwhen)(?<!\bensure)(?<!\bthen)(?<!\band)(?<!\bor)(?<!\bhow)(?<!\bwhere)(?<!\bunless)[a-z*_]\s+\Z",
    re.IGNORECASE,
)
_BEFORE_CLAUSE = re.compile(rf"(?:\s+{_NOUN_WORD}){{1,2}}\s+(?:the|an?)\s+\w", re.IGNORECASE)
_CLAUSE_BEFORE = re.compile(
    rf"\b(?:the|an?|any|each|every|all|no|this|these|those|some|your|its|their)(?:\s+{_NOUN_WORD}){{1,2}}\s+\Z",
    re.IGNORECASE,
)
# "anything the baker knows"
_PRONOUN_BEFORE = re.compile(r"\b(?:(?:any|every|some|no)thing|one)\s+\Z", re.IGNORECASE)
_PLURAL_BEFORE = re.compile(r"[a-z]{3,}s\s+\Z")
_SAYS_OF_IT = re.compile(
    r"\s+(?:user|assistant|agent|model|author|customer|reader|speaker|researcher|player|student|client|company|team|person)"
    r"\s+(?!(?:is|was|has)\b)[a-z]+(?:s|ed)\b"
)
_NAMED_BY_PLACE = re.compile(r"\s+(?:before|after|above|below|under|over|off|out)\b", re.IGNORECASE)
_THAT = re.compile(r"\b(?:that|what|which|whose)\s+\Z", re.IGNORECASE)
# "which outputs the module creates"
_ASKED_FOR = re.compile(r"\b(?:which|what|whose)\s+[a-z-]+\s+\Z", re.IGNORECASE)
_IS_ASKED = re.compile(r"\s+[\w-]+\s+(?:[a-z]{2,}(?:s|ed)|can|may|might|must|should|will|would|could|has|had)\b")
_PLACED = r"(?:in|on|at|for|by|from|with|under|after|before|of|to|as|into|during|without)"
_SET_APART = re.compile(rf"(?:\A|[,;:(–—-])\s*(?:and\s+|but\s+)?(?!as\b){_PLACED}\s+\Z", re.IGNORECASE)
_APART = re.compile(r"\s+[\w-]+\s*,")
_AFTER_PREPOSITION = re.compile(rf"\b{_PLACED}\s+\Z", re.IGNORECASE)
_DONE = re.compile(
    r"\s+(?!string|thing)[a-z]{3,}ing\b(?!\s+[a-z]+(?<!ly)\b(?<!\bof)(?<!\bin)(?<!\bto)(?<!\band)(?<!\bor))"
)
_OPENING = re.compile(r"(?:\A|[,;:(–—])[\s*_]*\Z")
_COMPOUND = re.compile(
    r"\s+(?P<verb>[a-z]+)\s+(?!(?:is|are|was|were|has|have|had|can|could|will|would|must|should|shall|may|might|does|do|did|"
    r"of|in|on|at|to|for|from|with|by|and|or|but|that|which|who|below|above)\b)[a-z]"
)
_OPENS_A_CLAUSE = re.compile(r"\s+(?:given|provided|supposed|granted|considered|including)\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"\b(?:if|whether|when|whenever|unless|while|once|until|because|as|than|but)\s+\Z", re.IGNORECASE
)
# "a street away", "a page long": the article counts.
_MEASURE = re.compile(
    r"\s+[a-z-]+(?:\s+or\s+(?:so|two))?\s+(?:away|ago|apart|later|earlier|ahead|long|old|wide|high|deep|tall|thick|early|late|each)"
    r"(?=\s*(?:[.,;:)!?—–]|\Z)|\s+(?:in|from|with|and|or|of|at|on|to|for|than|so|but|if|when)\b)",
    re.IGNORECASE,
)
_LET = re.compile(r"\b[Ll]et\s+[\w$\\]{1,3}\s+(?:be|denote|equal)\b")
_SAME = re.compile(
    r"\s+(?:same\b|other\b|only\b|very\b|facts?\s+that\b|(?:first|second|third|last|next|whole)\s+time\b|point[.,;]?(?:\s|\Z)|case\s+that\b|way\s+(?:to|of|that)\b)",
    re.IGNORECASE,
)
# An idiom has its article.
_IDIOM = re.compile(
    r"\b(?:on the (?:contrary|other hand|one hand|whole|spot|fly|go|move|rise|way|verge|grounds|assumption|condition)"
    r"|in the (?:end|meantime|event|case|way|first place|long run|short run|least|process of)"
    r"|in a (?:row|way|sense|nutshell|hurry|loop|position to)|at a (?:time|loss|minimum|maximum|glance)"
    r"|at the (?:same time|moment|very least|latest|most|least|expense)"
    r"|as a (?:whole|rule|result|matter of|consequence|last resort|function of)|as the (?:case|crow)"
    r"|for the (?:time being|most part|sake|record|better|worse)|for a (?:while|change|moment|living)"
    r"|to a (?:degree|extent|fault|lesser|greater|certain)"
    r"|to the (?:letter|fullest|best of|contrary|extent|effect|exclusion)"
    r"|under the (?:impression|assumption)|with the (?:understanding|exception)|all the (?:way|same|time|more|better)"
    r"|out of the (?:box|ordinary|way)|by the (?:way|time)|once in a while|(?:quite|rather|such|what|many|half) an?"
    r"|across the board|say the (?:thing|word)|take the time|and the like|make a (?:living|difference)|the sooner"
    r"|a must)\b",
    re.IGNORECASE,
)
# "the most useful words" are not most of them, "the fastest way" is not any.
_SUPERLATIVE = re.compile(
    r"\s+(?:most|least|best|worst|furthest|farthest"
    r"|(?!(?:re|inter|for|har|con|pro|man|hon|mod|di|w|n|qu|ch|cr|t|gu|sugg|inv|arr|requ|beh|z|v|p|l|bl|con|att|ear)est\b)"
    r"[a-z]{2,}est)\s+[a-z]",
    re.IGNORECASE,
)
# "put it in the place", "the word in the question": without its article the idiom would be read.
_IN_IDIOM = re.compile(
    r"\b(?:in\s+the\s+(?:form(?!\s+of)|shape|place|order|question|line|part|time|turn|detail|dark|brief|short|case|fact|addition|practice|theory|"
    r"principle|charge|effect|sum|control|play|person|character|contrast|comparison|public|view|use|sight|stock|kind|force|"
    r"full|depth|common|front|reality|advance|store|essence|total|person|favou?r|need|touch|doubt|name|stride|step|tune|"
    r"mind|hand|office|business)"
    r"|on\s+the\s+(?:time|hand|board|call|hold|point|purpose|paper|sale|file|record|duty|line|side|top|track|average|demand|"
    r"target|schedule|course|trial|edge|foot|fire|offer|order)"
    r"|at\s+the\s+(?:time|first|last|length|risk|work|hand|least|most|ease|fault|stake|issue|will|large|rest|odds|home)"
    r"|by\s+the\s+(?:name|hand|default|design|chance|mistake|law|heart|nature|example|rule|word|mouth)"
    r"|for\s+the\s+(?:example|instance|sale|real|good|life|fun|free|hire|certain|sure|now)"
    r"|to\s+the\s+(?:date|point|scale|order|hand|life|death|term)"
    r"|under\s+the\s+(?:way|control|review|consideration|construction|fire|attack)"
    r"|of\s+the\s+(?:course|age|note|use|interest|late|value|importance)"
    r"|out\s+of\s+the\s+(?:date|order|place|line|use|reach|touch|sight|hand|stock|turn|time|character|context|scope)"
    r"|with\s+the\s+(?:respect|regard|reference|ease|care))\b(?!-)",
    re.IGNORECASE,
)
# "label it a certain way", "wait a day": how and how long, not what is labelled; "in a friendly way" says so itself.
_MANNER = re.compile(
    r"\s+(?:[a-z-]+\s+){0,2}?(?:ways?|manner|fashion|time|moment|while|hour|minute|second|day|week|month|year|bit)\b"
    r"(?!\s+(?!to\b|of\b|in\b|before\b|after\b|when\b|if\b|and\b|or\b|but\b|so\b|that\b|you\b|the\b|until\b|unless\b|with\b|for\b|each\b|at\b|on\b|as\b|because\b|by\b|than\b|it\b)[a-z])",
    re.IGNORECASE,
)
_SAYS_HOW = re.compile(
    r"(?:\b(?:in|by|of|as|for|to|at|on|during|with|within|from|is|are|was|be|has|have|per|about|into|after|before|until|this|that|find|name|"
    r"write|state|give|show|include|add|list|note|specify|choose|check|set|mention|describe|provide|use|and|or)|\A|[:;,(])[\s*_]*\Z",
    re.IGNORECASE,
)
_PREDICATE = re.compile(
    r"(?:\b(?:is|are|was|were|be|been|being|as|become|becomes|not|such|what)|['’]s)(?:\s+[a-z]+ly)?\s*\Z", re.IGNORECASE
)
_ELSE = re.compile(r"\b(?:else|otherwise|if (?:not|so))\s+\Z", re.IGNORECASE)
_HAVE = re.compile(r"\b(?:have|has|had|['’]ve)\s*\Z", re.IGNORECASE)
_REQUIRED = re.compile(r"\s+(?:\w+(?:ed|en)|known|shown|drawn|made|found|built|sent|set)\b", re.IGNORECASE)
_FOLLOW = re.compile(r"\bfollow(?:s|ing)?\s*\Z", re.IGNORECASE)
_FOLLOWING = re.compile(r"\s+following\b", re.IGNORECASE)
UNIQUE = re.compile(
    r"(?<![\w'’-])the(?=\s+(?:(?:provided|given|above|below|final|original|entire|whole|current|target|main|"
    r"relevant|correct|available|required|necessary|appropriate|previous|source|full|complete|"
    r"overall|actual|expected|specific|specified|requested|existing|new|user)\s+)?"
    r"(?:user|users|input|inputs|output|outputs|context|text|response|responses|answer|answers|question|questions|task|tasks|"
    r"content|contents|document|documents|conversation|code|prompt|query|request|instructions?|information|data|format|"
    r"result|results|example|examples|section|sections|steps?|list|summary|topic|subject|article|author|audience|reader|"
    r"assistant|model|tools?|functions?|file|files|language|title|name|description|message|messages|issue|problem|"
    r"solution|project|story|report|goal|purpose|rules?|schema|table|image|video|transcript|essay|paper|email|"
    r"conclusion|analysis|evaluation|criteria|quality|score|rating|reasons?|chat|history|source|sources|"
    r"ideas?|points?|quotes?|facts?|items?|headings?|terms?|words?|sentences?|paragraphs?|claims?|arguments?|"
    r"repository|repo|codebase|customer|candidate|patient|student|reader|speaker|website|page|dataset|database|environment|"
    r"session|meeting|product|company|business|market|template|diff|draft|discussion|instruction|role|tone|style|length|"
    r"placeholders?|keys?|fields?|values?|columns?|rows?|entities|keywords?|tags?|labels?|category|categories|"
    r"world|end|beginning|top|bottom)\b"
    # What follows tells which one is meant: "the number of words".
    r"|\s+(?!(?:rest|one|same|other|first|second|last)\b)[a-z]{3,}\s+of\s)",
    re.IGNORECASE,
)
"""The article of a noun of which a prompt has one."""


def no_article(match: re.Match[str]) -> str | None:
    """Nothing instead of an article that a note may lose; ``None`` for others."""
    return "" if _may_lose_article(match.string, *match.span()) else None


def note_article(match: re.Match[str]) -> str | None:
    """The same, where a sentence is no note: "it is a good idea"."""
    return None if _PREDICATE.search(match.string[: match.start()]) else no_article(match)


# Three rules ask for the same articles.
@lru_cache(maxsize=16384)
def _may_lose_article(sentence: str, start: int, end: int) -> bool:
    before, article, after = sentence[:start], sentence[start:end], sentence[end:]
    if _keeps_articles(sentence) or _NAMED.search(before) or (article.lower() == "the" and _SUPERLATIVE.match(after)):
        return False
    if _MANNER.match(after) and not _SAYS_HOW.search(before):
        return False
    # "A search query for birds" would be an order to search.
    first = re.match(r"\s+([a-z]+)\s+[a-z]", after) if not before.strip(" *_") else None
    counts = article.lower() != "the" and (
        _MEASURE.match(after) is not None or (first is not None and may_order(first[1]))
    )
    if counts or any(begin <= start < stop for begin, stop in _idioms(sentence)):
        return False
    # Bold type parts no noun from its clause: "**Outline the process** the model should follow".
    if _is_needed(_BOLD.sub("", before), _BOLD.sub("", after)):
        return False
    # A capital inside a sentence may be a name or a grade.
    inside = article[0].isupper() and before.strip(" *_")
    return not (inside and (not before.rstrip().endswith(":") or _NAME_AFTER.match(after)))


def _is_needed(before: str, after: str) -> bool:
    """Whether what is beside an article would be read otherwise without it."""
    opens = not before.strip(" *_")
    compound = _COMPOUND.match(after) if _OPENING.search(before) else None
    return any(
        (
            # "have the required items" is not "have required items"; nor should one read "follow following".
            _HAVE.search(before) and _REQUIRED.match(after),
            _FOLLOW.search(before) and _FOLLOWING.match(after),
            # "some of the files" are not all of a kind; "the same", "the fact that", "to the point".
            _ONE_OF.search(before) or _SAME.match(after),
            # "the label the user gave": without its article, the clause could not be told from the noun.
            _BEFORE_CLAUSE.match(after)
            or (_OBJECT_BEFORE.search(before) and _BEFORE_BARE_CLAUSE.match(after))
            or _CLAUSE_BEFORE.search(before)
            or _PRONOUN_BEFORE.search(before),
            # "A given year is past", "if the given year is past": without its article a condition would begin.
            _OPENS_A_CLAUSE.match(after) and (opens or _CONDITION.search(before)),
            # "preferences the user mentions"; "the after image": a preposition as a name.
            (_PLURAL_BEFORE.search(before) and _SAYS_OF_IT.match(after)) or _NAMED_BY_PLACE.match(after),
            # "things that a user has" would be those of that user, "what the name is" would be "what name is".
            _THAT.search(before) or (_ASKED_FOR.search(before) and _IS_ASKED.match(after)),
            # "Else a statement is neutral": no "else statement".
            _ELSE.search(before) is not None,
            # "in the process," is an idiom.
            _SET_APART.search(before) and _APART.match(after),
            # "a terminal in a painting": something would be done.
            _AFTER_PREPOSITION.search(before) and _DONE.match(after),
            # "If it is short, the output key set must match": "output key set" would be ordered.
            compound is not None and is_imperative(compound["verb"]),
            _NAME_BEFORE.search(before) and _NAME_AFTER.match(after),
        )
    )


@lru_cache(maxsize=1024)
def _keeps_articles(sentence: str) -> bool:
    return _PROPORTION.search(sentence) is not None or _LET.search(sentence) is not None


@lru_cache(maxsize=1024)
def _idioms(sentence: str) -> tuple[tuple[int, int], ...]:
    return tuple(idiom.span() for pattern in (_IDIOM, _IN_IDIOM) for idiom in pattern.finditer(sentence))
