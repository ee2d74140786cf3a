"""A second reading of how a bare value is written: another notation, a language, steps of a scale, numbers beyond it.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.facts import within
from promptopt.structured.witness.keys import KeyOfSchema, shortened

_NOTATION = re.compile(
    r"\b(?:write|give|put|format|express|state|return|print|show|spell|output|answer|reply)\b(?: it| them| the (?:score|number|rating|answer|grade|result))?(?: with| as| in| like)* (?:it |the (?:score|number|rating|grade) )?(?:as|in|with|like|out) (?:[\"“`'][^\"”`'\n]*[/%#*:()=][^\"”`'\n]*[\"”`']|an? (?:fraction|roman|sentence|date|range|interval|star)\b|roman|words?\b(?! only)|letters\b|stars\b|brackets\b|parentheses\b|quotes\b|bold\b|asterisks\b|full\b)"
    r"|\b(?:number|score|rating|grade|it) (?:in words|spelled out|written out|as (?:a )?words?|in (?:roman|brackets|parentheses|bold|stars))\b|\bspell(?:ed)? (?:it |the number )?out\b|\b(?:full|complete|whole) sentences?\b|\bin one sentence\b|\b(?:and|with) (?:the |its |a )?(?:unit|percent sign|symbol|sign|currency)\b",
    re.IGNORECASE,
)
_MARKED = re.compile(
    r"\b(?:put|add|append|write|use|place|attach|set)\b (?:an?|the) (?:minus|plus|star|asterisk|question mark|exclamation mark|dash|sign|mark|dot|prefix|suffix|hash|colon|symbol|unit|emoji)\b|\b(?:add|append|attach) [\"'“`][^\"'”`\n]{1,12}[\"'”`]|\b(?:only|label|word|letter|number),? (?:twice|two times|three times)\b|\b(?:twice|two times) if\b|\b(?:prefix|suffix|precede) (?:it|the)\b",
    re.IGNORECASE,
)
# "yes or no for A, B and C"
_FOR_SEVERAL = re.compile(
    r"\b(?:yes or no|(?:the |a )?(?:number|label|letter|score|rating|category|verdict)) for (?:the )?(?:both\b|[\w-]+(?:, [\w-]+)*,? and (?:for )?(?:the )?[\w-]+)|\b(?:pick|choose|select|find|decide|say|tell|name|determine|state|identify)\b[^.;\n]{0,60}\bfor (?:each|every|all)\b (?!criteri|aspect|dimension|of the (?:criteria|aspects)|(?:its|the) )",
    re.IGNORECASE,
)
_STEPS = re.compile(
    r"\b(?:multiples? of|in steps of|steps of|even numbers?|odd numbers?|only (?:even|odd)|(?:half|quarter)[ -](?:points?|steps?|stars?|marks?)|halves|rounded? to|nearest (?:half|quarter|ten|five|\d)|\d+ decimals?|two decimals?|one decimal|decimal places?|decimals? (?:are|is) allowed)\b",
    re.IGNORECASE,
)
_GETS = re.compile(
    r"\b(?:gets?|receives?|scores?|earns?|deserves?|is (?:rated|given|worth|always|scored|marked)|is an?|are (?:rated|given|worth|scored)|counts as|means|must be|should be|rate it|score it|mark it|give it|use)\s+(?:an? |only |always |exactly |at most |the )?(?P<n>-?\d{1,3}(?:\.\d+)?)(?![\w%]|[.,:/-]\d|\s?(?:-|–|to|or)\s?\d|\s+(?!points?\b|stars?\b|if\b|when\b|for\b|instead\b|only\b)[a-z])",
    re.IGNORECASE,
)
_LANGUAGE = re.compile(
    r"\b(?:answer|reply|respond|write|return|output|give|say|label|category|word|yes or no)\b[^.;\n]{0,40}\bin (?!English\b|JSON\b|UTF|ASCII\b)(?:the (?:same )?language\b|(?-i:[A-Z][a-z]+(?:ish|ese|ian|man|ch|ic|ek|ndi|an))\b|their language|its language)|\btranslated?\b[^.;\n]{0,30}\b(?:label|category|answer|word)\b|\b(?:label|category|answer|word)\b[^.;\n]{0,20}\btranslated\b",
    re.IGNORECASE,
)
_NEAR = 12
_OF_REASON = re.compile(
    r"\b(?:expla\w+|justif\w+|reason\w*|rationale|why|think\w*|comment\w*|feedback)\b", re.IGNORECASE
)
# "Sort each mail as it comes; reply with the category only": one at a time
_ONE_OF_EACH = re.compile(r"\w+ (?:each|every)\b", re.IGNORECASE)
_ONE = re.compile(
    r"\b(?:only|just|exactly|nothing but|with)\s+(?:the|one|a single|its)\s+(?:\w+ )?(?:label|category|word|number|letter|class|name|score|verdict|digit)\b|\b(?:the|one|a single) (?:label|category|word|number|letter|class|name|score|verdict|digit) (?:only|alone)\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?:\b(?:not|never|no|avoid|without)\b|n['’]t\b)[^,;.]{0,40}\Z", re.IGNORECASE)
_TWICE = re.compile(
    r"\b(?P<how>by|for|at|during) (?:the )?\w+ and (?P=how) (?:the )?\w+|\bbefore and after\b|\bboth before\b|\b(?:now|today) and (?:in|then|after)\b",
    re.IGNORECASE,
)
_ALL_OF_THEM = re.compile(
    r"\b(?:rate|score|grade|judge|classify|label|sort|assess|assign|categori[sz]e|tag|mark|check|decide for|decide)\s+(?:each|every|all|both)\b(?! (?:as a whole|together|in all|the text|of it)\b)|\b(?:numbers|scores|ratings|labels|categories|answers|letters|verdicts|grades|classes) only\b|\bonly (?:the )?(?:numbers|scores|ratings|labels|categories|answers|letters|verdicts|grades)\b",
    re.IGNORECASE,
)


def value_form(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """How a bare value is to be written, and its schema has it not; each with its line."""
    if len(found.fields) != 1 or any(leaf.listed for leaf in leaves):
        return
    text = instructions(document, found)
    leaf = leaves[0]
    numeric = bool(leaf.kinds & {"number", "integer"})
    stepped = any("multipleOf" in one for one in leaf.alternatives)
    checks = (
        (_NOTATION, numeric or leaf.labelled, "the value is written otherwise than it was read"),
        (_STEPS, "integer" in leaf.kinds and not stepped, "the scale has other steps than were read"),
        (_LANGUAGE, leaf.labelled, "the labels are written in another language"),
        (_MARKED, True, "the value is written otherwise than it was read"),
        (_FOR_SEVERAL, True, "one value was read, and there are several"),
        (_TWICE, numeric, "the answer has several numbers, and one was read"),
        (_ALL_OF_THEM, True, "one value was read, and there are several"),
    )
    for pattern, applies, meaning in checks:
        for match in pattern.finditer(text) if applies else ():
            begin = max(text.rfind("\n", 0, match.start()), text.rfind(". ", 0, match.start())) + 1
            end = re.compile(r"[.\n]|\Z").search(text, match.end())
            sentence = text[begin : end.start() if end else len(text)]
            one = pattern is _ALL_OF_THEM and _ONE_OF_EACH.match(match[0]) and _ONE.search(text)
            reasons = pattern is _NOTATION and _OF_REASON.search(sentence)
            if MASK not in match[0] and not _NOT.search(text[begin : match.start()]) and not one and not reasons:
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {meaning}"
    for match in _GETS.finditer(text) if numeric and leaf.bounded else ():
        begin = max(text.rfind("\n", 0, match.start()), text.rfind(". ", 0, match.start())) + 1
        if not within(leaf, float(match["n"])) and not _NOT.search(
            text[max(begin, match.start() - _NEAR) : match.start()]
        ):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: no value that was read can be {match['n']}"
