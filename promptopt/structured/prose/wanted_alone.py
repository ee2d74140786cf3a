"""What an answer is to be and nothing else: "Reply with the crop only." wants a crop.

The order is read word by word: the verb, the words that bound it, the noun, and what follows the noun. An order with a
word that has no place in this wants more than one thing, or cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.fields import BOUNDARY, PromptText

_WRITE = r"(?:answer|respond|reply|return|output|give|write|say|print|provide|state|name)"
# "Answer with", "Your answer must be", "Only output", "Rating (just the number):"
_ORDER = re.compile(
    rf"(?:\A|[.!?;\n{BOUNDARY}][\"')\]*_]*\s*|\b(?:and|then|please) )[ \t]*(?:[-*•>#][ \t]*|\d{{1,2}}[.)][ \t]+)*[*_]*(?:please |then |finally,? |always |you (?:must|should|will|can) )*"
    rf"(?P<order>(?:only|just|simply|strictly) {_WRITE}\b|{_WRITE}\b(?!\s*:)|(?:the|your) (?:final )?(?:answer|response|reply|output) (?:must|should|has to|is to|may|can)(?: only| just)? be\b|(?:only|just) (?=the |a single |one |your ))"
    rf"(?P<rest>[^.!?;:\n{BOUNDARY}]*)",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    r"^[ \t*_]*[A-Z][\w /-]{0,40}\((?P<rest>(?:only|just) (?:the|a|one)[^()\n]*|(?:the )?[a-z ]+ only)\)[ \t*_]*:?[ \t*_]*$",
    re.MULTILINE,
)
_BOUNDS = re.compile(
    r"\b(?:only|just|exactly|strictly|simply|alone|single|nothing (?:else|but|more)|without|no (?:other|additional|further|more|explanations?|punctuation|text|words|comments?|reasons?|extra))\b",
    re.IGNORECASE,
)
_BEFORE = r"(?:only|just|exactly|strictly|simply|nothing but|with|in|using|back|me|as|by|giving|it|the|a|an|one|your|single|exact|final|matching|best|chosen|selected|correct|corresponding|relevant|right|appropriate|predicted|respective|suitable|fitting|applicable|likely|most|resulting|overall|lowercase|lower-case|uppercase|upper-case)"
_NOUN = r"(?P<noun>[a-z]+(?:[ -](?!only\b|alone\b|please\b|and\b|of\b|for\b|from\b|that\b|which\b|without\b|as\b|in\b|no\b|nothing\b|to\b|if\b|followed\b|with\b|or\b|you\b|below\b|above\b|itself\b|exactly\b|between\b)[a-z]+)?)"
_AFTER = (
    r"(?:,? (?:(?:only|alone)(?:, (?!and\b|then\b|plus\b|followed\b)[^,]+)?|itself|exactly|and nothing (?:else|more)|nothing (?:else|more)|below|above|you chose|you picked|and no (?:other|explanation|reason)\w*(?: \w+)?"
    r"|as (?:plain text|your answer|the answer)|(?:in |all )?(?:plain text|lower[ -]?case|upper[ -]?case|capitals|english)|nothing before or after(?: it)?|please|(?:and |with )?(?:without|no) (?:any |an |a )?(?:\w+(?:,? (?:or|and|no) |, ))*\w+(?: \w+)?"
    r"|(?:of|for|from|that|which|corresponding to|in front of|before|to the left of)(?: (?!and\b|then\b|plus\b|with\b|or\b|followed\b|if\b|when\b)[\w'’/-]+){1,9}))*"
)
_WANTED = re.compile(rf"(?:\W*\b{_BEFORE}\b)*\W*[\"'`*_<\[]*{_NOUN}[\"'`*_>\]]*{_AFTER}\W*", re.IGNORECASE)
# "Answer with the number."
_CODE = re.compile(r"(?:with )?(?:the|one|a single|its|your) (?:\w+ )?(?:number|digit|code|letter)", re.IGNORECASE)
_NO_NOUNS = frozenset(
    "all any both each following for format in it json list markdown of one ones only same such text that them these this those what yaml xml".split()  # noqa: SIM905 - read as words
)


def wanted_alone(document: PromptText) -> str:
    """The noun for what the answer is to be: "category" for "Give the category name only"; empty if no one thing is."""
    wanted = set(_wanted(document.text)) - {""}
    return wanted.pop() if len(wanted) == 1 else ""


def _wanted(text: str) -> Iterator[str]:
    for match in _ORDER.finditer(text):
        after = text[match.end() : match.end() + 60]
        bounded = _BOUNDS.search(match["order"] + match["rest"]) or re.match(
            r"[.;,!]?\s*(?:nothing else|no other|no explanation|no further|do not (?:explain|add|respond|output))",
            after,
            re.IGNORECASE,
        )
        noun = _noun(match["rest"])
        if noun and (bounded or noun.rpartition(" ")[2] == "letter" or _CODE.fullmatch(match["rest"].strip())):
            yield noun
    for match in _LABELLED.finditer(text):
        yield _noun(match["rest"])


def _noun(rest: str) -> str:
    rest = " ".join(re.sub(r"\([^()]*\)", "", rest).split())
    match = _WANTED.fullmatch(rest.strip(" *_`\"'"))
    if match is None or _NO_NOUNS & set(match["noun"].lower().split()):
        return ""
    noun = re.sub(r"(?<=\w) (?:name|label|itself|word)\Z", "", match["noun"].lower())
    plural = noun.endswith("s") and not noun.endswith(("ss", "us", "is"))
    return "" if plural else noun
