"""How many things a prompt wants, by its orders: "Suggest 4 names", "pick exactly 5 articles", "between three and ten skills"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptopt.structured.fields import MASK, begin_of

NUMERALS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
}
"""The words that readers take for numbers."""
A_NUMBER = rf"(?:\d{{1,3}}|{'|'.join(NUMERALS)})"
OF_LENGTH = r"(?:words?|sentences?|characters?|chars|letters?|tokens?|lines?|paragraphs?|pages?|minutes?|seconds?|hours?|days?|weeks?|months?|years?|points?|digits?|decimals?|percent|stars?|syllables?|times|steps ahead|st|nd|rd|th)\b"
_ORDER = re.compile(
    r"(?:\A|[.!?:;,)]\s+|\n|\b(?:to|and|then|must|should|please|will|task is to|you|job:|task:)\s+)[ \t]*(?:[-*•#>]{1,3}[ \t]+)?(?:\d+[.)][ \t]+)?[*_]{0,2}"
    r"(?P<verb>generate|create|write|produce|provide|give|list|identify|suggest|propose|name|mention|pick|select|choose|extract|return|output|recommend|rewrite|rephrase|reformulate|paraphrase|draft|find|formulate|develop|design|offer|outline|assign|come up with|compose|ask|make|include|have)\b"
    rf"(?P<between>[^.;:\n]{{0,40}}?)(?<![\w.,$€£/-])(?P<bound>exactly |only |up to |at most |no more than |a maximum of |maximum |at least |a minimum of |between )?(?P<low>{A_NUMBER})(?:\s?(?:-|–|to|and|or)\s?(?P<high>{A_NUMBER}))?"
    rf"(?![\w%.,-]|\s*(?:-|–)\s*\d)\s+(?!{OF_LENGTH})(?P<what>(?:(?!if\b|when\b|for\b|or\b|of\b|to\b|is\b|are\b|no\b)[\"“]?[\w'’/-]+[\"”]?,?\s+){{0,5}}?(?!(?:was|has|this|does|thus)\b)[\w/-]*[a-rt-z]s)\b(?![\w-])(?!\s+(?:long|or (?:less|fewer|more)\b))",
    re.IGNORECASE,
)
# What has as many as that is one of several things, or a part of the input.
_OF_EACH = re.compile(
    r"\b(?:each|every|per|first|last|top|from|of the|these|those|following|given|in|into|across)\b", re.IGNORECASE
)


# "If there are two facts, give at least two claims", "Include 2 people unless the story has more"
_SOFT = re.compile(
    r"\b(?:iff?|when|unless|where|whether|means?|counts? as|defined as|true|false|typically|usually|generally|ideally|(?:about|around)(?= (?:\d|an?\b|one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty))|approximately|roughly|aim|should be enough|try|preferably|may|might|can|could|not|never)\b|n['’]t\b",
    re.IGNORECASE,
)
# "2-3 terms that could replace it": of what the things may do, and not of how many there are
_OF_THINGS = re.compile(r"\b(?:that|which) (?:could|can|may|might)\b", re.IGNORECASE)
# "7 true/false statements"
_EITHER = re.compile(r"\b(?:true ?/ ?false|true-false|true or false)(?= [a-z]+s\b)", re.IGNORECASE)
# "3 questions per topic", "two names for each dog"
_PER = re.compile(r"(?: [\w-]+){0,2} (?:per|for each|for every|on each|about each|from each|of each) ", re.IGNORECASE)
_AGAIN = frozenset({"rewrite", "rephrase", "reformulate", "paraphrase"})
_PARTLY = re.compile(r"\b(?:ask|make|have|find|outline)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Count:
    """How many of something an order wants.

    Attributes:
        what: The words of the thing, in small letters.
    """

    least: int | None
    most: int | None
    what: tuple[str, ...]

    @property
    def bounds(self) -> dict[str, int]:
        return {
            **({} if self.least is None else {"minItems": self.least}),
            **({} if self.most is None else {"maxItems": self.most}),
        }


# What comes before a number that is the most, or the least, that there may be.
_MOST_WORDS = frozenset(
    (
        "up to",
        "at most",
        "no more than",
        "not more than",
        "never more than",
        "a maximum of",
        "maximum of",
        "maximum",
        "max",
    )
)
_LEAST_WORDS = frozenset(("at least", "a minimum of", "minimum of", "minimum", "min"))


def bounds_of(bound: str, low: int, high: int | None = None) -> dict[str, int]:
    """How many items a list has, by the words before one or two numbers: "at most 3", "exactly 5", "2 to 4".

    Args:
        bound: The words, in small letters; empty for none.
    """
    least = {} if bound in _MOST_WORDS else {"minItems": low}
    most = {} if bound in _LEAST_WORDS else {"maxItems": low if high is None else high}
    return {**least, **most}


def number_of(text: str) -> int:
    """The number that digits or a word of :data:`NUMERALS` say."""
    return NUMERALS.get(text.lower()) or int(text)


def ordered(text: str, *, alone: bool = False) -> Iterator[Count]:
    """Every count that an order of a text has, unless it is said of each of several things, or only of some cases.

    Args:
        alone: Only orders that say what the answer is, as for a list without a name.
    """
    for match in _ORDER.finditer(text):
        if _OF_EACH.search(match["between"]) or MASK in match[0] or (alone and _is_partly(match)):
            continue
        # "Rewrite the query as 3 queries"; "rewrite the text with 3 samples" has one text.
        if match["verb"].lower() in _AGAIN and not match["between"].rstrip().endswith(" as"):
            continue
        begin = begin_of(text, match.start("verb"), (".", "\n", ";"))
        end = re.compile(r"[.;\n]|\Z").search(text, match.end())
        sentence = _EITHER.sub(" ", text[begin : end.start() if end else len(text)])
        if _SOFT.search(_OF_THINGS.sub(" ", sentence)) or _PER.match(text, match.end()):
            continue
        low = number_of(match["low"])
        high = number_of(match["high"]) if match["high"] else None
        bound = (match["bound"] or "").lower().strip()
        least: int | None = low
        most: int | None = high if high is not None else low
        if bound in _MOST_WORDS:
            least = None
        elif bound in _LEAST_WORDS:
            most = None
        if trailing := _BOUND_AFTER.match(text, match.end()):
            least, most = (None, most) if trailing["most"] else (least, None)
        if most is not None and least is not None and (least > most or most < FEWEST):
            continue
        yield Count(least, most, tuple(re.findall(r"[a-z]+", match["what"].lower())))


def _is_partly(order: re.Match[str]) -> bool:
    """Whether an order may want the things within what it makes: "make a plan with 3 steps", and not "make 3 cards"."""
    made = order["verb"].lower() == "make" and not order["between"].strip() and _NOT_MADE.search(order["what"]) is None
    return not made and _PARTLY.search(order[0]) is not None


_NOT_MADE = re.compile(
    r"\b(?:pass|passes|attempts?|tries|copies|changes|edits|steps|rounds|assumptions)\Z", re.IGNORECASE
)


# "Give 3 tags at most."
_BOUND_AFTER = re.compile(
    r",?\s+(?:(?P<most>at (?:the )?most|max(?:imum)?|tops)|at (?:the )?least|minimum|min)\b", re.IGNORECASE
)
# "5 multiple choice questions, 4 options each."
_PLAINLY = re.compile(
    rf"(?:\A|[.!?]\s+|\n[ \t]*(?:[-*•][ \t]+)?)(?:exactly )?(?P<n>{A_NUMBER}) (?!{OF_LENGTH})(?P<what>(?:(?!if\b|when\b|for\b|or\b|of\b|to\b|is\b|are\b)[\w'’/-]+ ){{0,4}}?[\w-]*[a-rt-z]s)(?= ?[,.]| (?:with|about|on|in total|each (?:with|having|has))\b)",
    re.IGNORECASE,
)


def plainly(text: str) -> Iterator[Count]:
    """Every count of things with which a sentence begins, and that has no verb."""
    for match in _PLAINLY.finditer(text):
        count = number_of(match["n"])
        end = re.compile(r"[.;\n]|\Z").search(text, match.end())
        sentence = text[match.start("n") : end.start() if end else len(text)]
        alone = _SOFT.search(sentence) is None and _IS_SAID.search(sentence) is None
        if count >= FEWEST and alone and MASK not in match[0] and not _PER.match(text, match.end()):
            yield Count(count, count, tuple(re.findall(r"[a-z]+", match["what"].lower())))


_IS_SAID = re.compile(r"\b(?:is|are|was|were|follow|have|has|had|will|can|below|given)\b", re.IGNORECASE)

# "Between three and ten skills", "a maximum of 4 categories", and what is joined to another count: "4 books and 4 films"
_BOUNDED = re.compile(
    rf"\b(?P<bound>exactly|up to|at most|not more than|no more than|never more than|(?:a )?maximum of|at least|(?:a )?minimum of|between|from)\s+(?P<low>{A_NUMBER})(?:\s?(?:-|–|to|and|or)\s?(?P<most>(?:no more than|not more than|at most|up to) )?(?P<high>{A_NUMBER}))?(?![\w%.,-])\s+(?!{OF_LENGTH})"
    rf"(?P<what>(?:(?!if\b|when\b|for\b|or\b|of\b|to\b|is\b|are\b|and\b)[\w'’/-]+,?\s+){{0,4}}?(?!(?:was|has|this|does|thus)\b)[\w/-]*[a-rt-z]s)\b(?![\w-])(?P<and> and (?P<low2>{A_NUMBER}) (?!{OF_LENGTH})(?P<what2>(?:[\w'’-]+ ){{0,3}}?[\w-]*[a-rt-z]s)\b)?"
    r"(?!\s+(?:long|or (?:less|fewer|more)\b|(?:per|for each|for every|from the same|in (?:each|a|one)|of (?:each|the same))\b))",
    re.IGNORECASE,
)


def bounded(text: str) -> Iterator[Count]:
    """Every count that has a bound before it, unless it is said of each of several things, or only of some cases."""
    for match in _BOUNDED.finditer(text):
        begin = begin_of(text, match.start(), (".", "\n", ";"))
        end = re.compile(r"[.;\n]|\Z").search(text, match.end())
        sentence = text[begin : end.start() if end else len(text)]
        # "never more than" itself denies nothing.
        beside = text[begin : match.start()] + sentence[match.end("bound") - begin :]
        if MASK in match[0] or _SOFT.search(beside) or _OF_EACH_ONE.search(text, begin, match.start()):
            continue
        bound = re.sub(r"^a ", "", match["bound"].lower())
        low, high = number_of(match["low"]), number_of(match["high"]) if match["high"] else None
        joined = bound in ("between", "from") or (bound == "at least" and match["most"])
        if bool(joined) != (high is not None) or (high is not None and high <= low):
            continue
        least = None if bound in _MOST_WORDS else low
        most = high if high is not None else None if bound in _LEAST_WORDS else low
        if (most or FEWEST) >= FEWEST:
            yield Count(least, most, tuple(re.findall(r"[a-z]+", match["what"].lower())))
        if match["and"] and bound == "exactly" and number_of(match["low2"]) >= FEWEST:
            count = number_of(match["low2"])
            yield Count(count, count, tuple(re.findall(r"[a-z]+", match["what2"].lower())))


# "Give at least one reason.", "one or more notes"
_ONE_AT_LEAST = re.compile(
    r"\b(?:at least (?:one|1)|(?:a )?minimum of (?:one|1)|one or more)\s+(?P<what>(?:(?!of\b|for\b|or\b|to\b|is\b|are\b|and\b)[\w'’-]+\s+){0,3}?[a-z][\w-]+)(?=\s*(?:[.,;:)!\n]|\Z)|\s+(?:must|should|has|have|in|from|of|that|which|why|is|are|and|to|with|on|about)\b)",
    re.IGNORECASE,
)


_WANTS = re.compile(
    r"(?:\A|[:,]\s|\n[ \t]*(?:[-*•]|\d+[.)])?[ \t]*|(?<=[.;\n]) ?|\b(?:and|then|please|always|must|should|to) )(?:give|list|name|provide|include|mention|state|cite|quote|return|output|add|write|extract|have|has|contain|be|hold)\b[^.;\n]{0,30}\Z|\b(?:has|have) to (?:be|have|contain|include)\b[^.;\n]{0,30}\Z",
    re.IGNORECASE,
)
# "at least one note, at most five"
_AT_MOST_AFTER = re.compile(
    rf",? (?:and |but )?(?:at most|no more than|not more than|up to|max(?:imum)?(?: of)?) (?P<n>{A_NUMBER})(?=\s*(?:[.,;:)!\n]|\Z))",
    re.IGNORECASE,
)


def _most_after(text: str, end: int) -> int | None:
    """The upper bound that follows a lower one without a thing of its own."""
    most = _AT_MOST_AFTER.match(text, end)
    return number_of(most["n"]) if most else None


def one_at_least(text: str) -> Iterator[Count]:
    """Every count that wants one thing or more, unless it is said of each of several things, or only of some cases."""
    for match in _ONE_AT_LEAST.finditer(text):
        begin = begin_of(text, match.start(), (".", "\n", ";"))
        end = re.compile(r"[.;\n]|\Z").search(text, match.end())
        sentence = text[begin : end.start() if end else len(text)]
        each = re.search(r"\b(?:each|every|per)\b", sentence, re.IGNORECASE)
        wanted = _WANTS.search(text[max(0, begin - 1) : match.start()])
        if wanted and MASK not in match[0] and not each and not _SOFT.search(sentence):
            yield Count(1, _most_after(text, match.end()), tuple(re.findall(r"[a-z]+", match["what"].lower())))


_OF_EACH_ONE = re.compile(r"\b(?:each|every|per)\b[^,;]*\Z", re.IGNORECASE)

# "exactly 1" is said of one case.
FEWEST = 2
