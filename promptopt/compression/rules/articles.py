"""PO205, PO208, PO401: articles, in notes, before what there is only one of, and everywhere."""

from __future__ import annotations

import re

from promptopt.compression.rules.wording import Rewording, WordingRule
from promptopt.compression.sentences import HEADING, ITEM

# "a few" is not "few", "a lot" not "lot"; "the more ... the more" and "the one" lose more than an article.
_ARTICLE = re.compile(
    r"(?<![\w'’-])(?:the|an?)(?=\s+[\w\ue000])(?!\s+[a-z]\b)"
    r"(?!\s+(?:few|little|lot|bit|couple|number|one|ones|who|which|while|is|are|and|or|in|of|as|if|at|by|for|from|"
    r"(?:more|less|fewer|better|sooner)\b[^.\n]{0,60}\bthe)\b)"
    # "twice a day", "one at a time"
    r"(?!(?<=\ba)\s+(?:day|week|month|year|minute|second|time|piece)\b|(?<=\ban)\s+hour\b)",
    re.IGNORECASE,
)
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
_HAVE = re.compile(r"\b(?:have|has|had|['’]ve)\s*\Z", re.IGNORECASE)
_PARTICIPLE = re.compile(r"\s+(?:\w+(?:ed|en)|known|shown|drawn|made|found|built|sent|set)\b", re.IGNORECASE)
_FOLLOW = re.compile(r"\bfollow(?:s|ing)?\s*\Z", re.IGNORECASE)
_FOLLOWING = re.compile(r"\s+following\b", re.IGNORECASE)
_UNIQUE = re.compile(
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


def _new(match: re.Match[str]) -> str | None:
    if _PROPORTION.search(match.string) or _NAMED.search(match.string[: match.start()]):
        return None
    before, after = match.string[: match.start()], match.string[match.end() :]
    # "have the required items" is not "have required items"; nor should one read "follow following".
    if (_HAVE.search(before) and _PARTICIPLE.match(after)) or (_FOLLOW.search(before) and _FOLLOWING.match(after)):
        return None
    # A capital inside a sentence may be a name or a grade.
    return None if match[0][0].isupper() and before.strip(" *_") and not before.rstrip().endswith(":") else ""


def _unique(match: re.Match[str]) -> str | None:
    # "one of the files": there are several.
    return None if _ONE_OF.search(match.string[: match.start()]) else _new(match)


_ARTICLES = (Rewording(_ARTICLE, _new, unless=None),)
NOTE_ARTICLES = WordingRule(
    "PO205",
    "articles in lists",
    "list items and headings are notes, and notes need no articles",
    "standard",
    _ARTICLES,
    kinds=(HEADING, ITEM),
)
UNIQUE_NOUNS = WordingRule(
    "PO208",
    "articles of unique nouns",
    "there is one user, one input and one answer: no article tells them apart",
    "standard",
    (Rewording(_UNIQUE, _unique, unless=None),),
)
ARTICLES = WordingRule(
    "PO401", "articles", "every twentieth word is an article, and a model needs none", "telegraphic", _ARTICLES
)
