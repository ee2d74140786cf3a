"""A second reading of a bare value: what it may be in some case, what comes after it, how it is written, which kind the orders name.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, begin_of
from promptopt.structured.witness.facts import CLAUSE, DENIED, fractions, numbers_of, within
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened


def bare_doubted(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What a bare value that was read cannot be, or has not, though the prompt asks for it; each with its line."""
    text = instructions(document, found)
    yield from _numbers_of_cases(document, text, leaves)
    yield from _or_else(document, text, leaves)
    yield from fractions(document, text, leaves)
    if len(found.fields) == 1 and not any(leaf.listed for leaf in leaves):
        yield from _placed(document, text)
        yield from _lines_after(document, text)
        yield from _labels_are_keys(document, text, leaves)
    if shown := _SHOWN.search(text):
        yield f"line {document.line(shown.start())}: {shortened(shown[0])!r} shows an object, and a bare value was read"


_SHOWN = re.compile(r"\{\s*[\"'][A-Za-z][\w -]*[\"']\s*:\s*[^\s}]")


_OR_ELSE = re.compile(
    r"\bor (?:with |return |answer |just )?(?:[\"'`“](?P<quoted>[^\"'`”\n]{1,30})[\"'`”]|(?P<plain>[A-Z][A-Z/]+(?:_[A-Z]+)*))(?=\s+(?:if|when|where|for|otherwise)\b)"
)


def _or_else(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A word that a value may be instead: "the integer, or N/A if one of them is empty"."""
    known = {label.casefold() for leaf in leaves for label in leaf.labels}
    for match in _OR_ELSE.finditer(text):
        value = match["quoted"] or match["plain"]
        if value.casefold() not in known and MASK not in value:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: no value that was read can be {value!r}"


_AFTER = re.compile(
    r"\b(?:then|below (?:it|that)|after (?:it|that)|underneath|(?:on|in) (?:a|the) (?:second|next|third|new|separate|following) line)\b[^.\n]{0,40}\b(?:quote|cite|list|name|copy|repeat)\b",
    re.IGNORECASE,
)


def _lines_after(document: PromptText, text: str) -> Iterator[str]:
    """What is to stand below a label: "and then, on a second line, quote the sentence"."""
    for match in _AFTER.finditer(text):
        if not DENIED.search(text[: match.start()].rpartition("\n")[2]):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: the answer goes on after the value that was read"


# "On the very last line write the winner", "Limit your ruling to two paragraphs": the value is a part of something longer.
_PLACED = re.compile(
    r"\b(?:on|in) (?:a|the|its|your) (?:very )?(?:new|next|second|third|last|final|following|separate) line\b|\b(?:begin|start|end|finish|conclude)s? (?:it |your (?:answer|response|reply|output|ruling|text) )?with [\"'`“]"
    r"|\b(?:two|three|four|five|[2-9]) (?:short |full )?paragraphs\b",
    re.IGNORECASE,
)
_OF_REASON = re.compile(r"\b(?:expla\w+|justif\w+|reason\w*|rationale|why|think\w*)\b", re.IGNORECASE)


_NEAR = 80


def _placed(document: PromptText, text: str) -> Iterator[str]:
    """Orders that give a value its place in a longer answer."""
    for clause in CLAUSE.finditer(text):
        match = _PLACED.search(clause[0])
        # A reason beside the value is read with it.
        near = text[max(0, clause.start() - _NEAR) : clause.end()]
        if match and not _OF_REASON.search(near) and not DENIED.search(clause[0][: match.start()]):
            line = document.line(clause.start() + match.start())
            yield f"line {line}: {shortened(match[0])!r}: the value that was read has a place in a longer answer"


def _labels_are_keys(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels each of which has values of its own: "kind|size" and "kind is bulk or parcel. size is S, M or L"."""
    for leaf in leaves:
        told = [
            match
            for label in leaf.labels
            if (
                match := re.search(
                    rf"(?<!\w){re.escape(label)} (?:is|are|must be|can be) [\w-]+(?:, [\w-]+)*(?:,? or|,) [\w-]+", text
                )
            )
        ]
        if len(told) > 1:
            yield f"line {document.line(told[0].start())}: {shortened(told[0][0])!r}: a label that was read has values of its own"


_NUMBER_CASE = re.compile(
    r"\b(?:return|output|answer(?: with)?|give|respond with|reply with|write|use|say|print|score(?: it)?|assign)\s+(?:it |a |an |the |score |of |value |number )*(?P<n>-?\d+(?:\.\d+)?)(?![\w%]|\.\d|\s?(?:-|–|to|or)\s?\d|\s+[a-z]+s\b)",
    re.IGNORECASE,
)


def _numbers_of_cases(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Numbers that a bare value may be in some case, and that its schema has not: "if it cannot be determined return 0"."""
    for clause in CLAUSE.finditer(text):
        if not re.search(r"\b(?:if|when|unless|otherwise|else)\b", clause[0], re.IGNORECASE):
            continue
        for match in _NUMBER_CASE.finditer(clause[0]):
            if not DENIED.search(clause[0][: match.start()]) and not any(
                _may_be(leaf, float(match["n"])) for leaf in leaves
            ):
                yield f"line {document.line(clause.start() + match.start())}: {shortened(match[0])!r}: no value that was read can be {match['n']}"


def _may_be(leaf: KeyOfSchema, number: float) -> bool:
    if leaf.kinds & {"number", "integer"}:
        return not leaf.bounded or within(leaf, number)
    return not leaf.labelled or number in numbers_of(leaf)


_NOTATION = re.compile(
    r"\b(?:write|give|put|format|express|state|return|print|show|spell|output|answer|reply)\b(?: it| them| the (?:score|number|rating|answer|grade|result))?(?: with| as| in| like)* (?:it |the (?:score|number|rating|grade) )?(?:as|in|with|like|out) (?:[\"“`'][^\"”`'\n]*[/%#*:()=][^\"”`'\n]*[\"”`']|an? (?:fraction|roman|sentence|date|range|interval|star)\b|roman|words?\b(?! only)|letters\b|stars\b|brackets\b|parentheses\b|quotes\b|bold\b|asterisks\b|full\b)"
    r"|\b(?:number|score|rating|grade|it) (?:in words|spelled out|written out|as (?:a )?words?|in (?:roman|brackets|parentheses|bold|stars))\b|\bspell(?:ed)? (?:it |the number )?out\b|\b(?:full|complete|whole) sentences?\b|\bin one sentence\b|\b(?:and|with) (?:the |its |a )?(?:unit|percent sign|symbol|sign|currency)\b",
    re.IGNORECASE,
)
_MARKED = re.compile(
    r"\b(?:put|add|append|write|use|place|attach|set)\b (?:an?|the) (?:minus|plus|star|asterisk|question mark|exclamation mark|dash|sign|mark|dot|prefix|suffix|hash|colon|symbol|unit|emoji)\b|\b(?:add|append|attach) [\"'“`][^\"'”`\n]{1,12}[\"'”`]|\b(?:only|label|word|letter|number),? (?:twice|two times|three times)\b|\b(?:twice|two times) if\b|\b(?:prefix|suffix|precede) (?:it|the)\b",
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
_NEAR_VALUE = 12
_REASON_OR_COMMENT = re.compile(
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
        (_TWICE, numeric, "the answer has several numbers, and one was read"),
        (_ALL_OF_THEM, True, "one value was read, and there are several"),
    )
    for pattern, applies, meaning in checks:
        for match in pattern.finditer(text) if applies else ():
            begin = max(text.rfind("\n", 0, match.start()), text.rfind(". ", 0, match.start())) + 1
            end = re.compile(r"[.\n]|\Z").search(text, match.end())
            sentence = text[begin : end.start() if end else len(text)]
            one = pattern is _ALL_OF_THEM and _ONE_OF_EACH.match(match[0]) and _ONE.search(text)
            reasons = pattern is _NOTATION and _REASON_OR_COMMENT.search(sentence)
            if MASK not in match[0] and not _NOT.search(text[begin : match.start()]) and not one and not reasons:
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {meaning}"
    for match in _GETS.finditer(text) if numeric and leaf.bounded else ():
        begin = max(text.rfind("\n", 0, match.start()), text.rfind(". ", 0, match.start())) + 1
        if not within(leaf, float(match["n"])) and not _NOT.search(
            text[max(begin, match.start() - _NEAR_VALUE) : match.start()]
        ):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: no value that was read can be {match['n']}"


_SAID = r"(?:answer|respond|reply|return|output|print|write|say|give|provide|state|(?:the |your )?(?:final )?(?:answer|response|output|reply|result) (?:must|should|has to|can only) be)"
_ORDER = re.compile(
    rf"\b{_SAID}\b(?: (?:only|just|exactly|strictly|simply|back|me|with|as|in|using|your|answer|it))*\s+(?:(?:an?|one|the|its|exactly|single|only|just|capital|whole|plain|final|overall)\s+)*"
    r"(?P<kind>letter(?: grade)?|words?|phrase|numbers?|integer|digit|percentage|yes(?: or |/)no|true(?: or |/)false|(?:score|rating)(?= (?:between|from|of|\()\s?-?\d))\b(?! (?:to|of (?:recommendation|complaint|intent)|that|for word)\b)",
    re.IGNORECASE,
)
_NUMBERS = frozenset({"number", "numbers", "integer", "digit", "percentage", "score", "rating"})
_TO_RATE = re.compile(
    r"\b(?:rate|score|grade)\b[^.;\n]{0,60}?\b(?:from|between|on a scale|out of|with)\b[^.;\n]{0,20}?\d+\s?(?:-|–|to|and)\s?\d+|\b(?:rate|score|grade)\b[^.;\n]{0,40}?\d+\s?(?:-|–)\s?\d+",
    re.IGNORECASE,
)
# "Say "high" from 70 on": the number is only the way to the label.
_THRESHOLD = re.compile(
    r"\b(?:above|below|over|under|at least|less than|more than|or (?:more|less|higher|lower|above|below)|greater than)\b|\d\s?(?:-|–|to)\s?\d+\s*(?:[:=→]|is\b|means\b)|[<>≥≤]\s?\d",
    re.IGNORECASE,
)
_HUNDRED = (1.0, 100.0)


def other_answers(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Orders for an answer of another kind than the one bare value that was read; each with its line."""
    if len(leaves) != 1 or len(found.fields) != 1:
        return
    leaf, text = leaves[0], instructions(document, found)
    for match in _ORDER.finditer(text):
        if not _denied(text, match.start()) and (what := _unlike(leaf, match["kind"].lower())):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {what} was read"
    if leaf.listed:
        for match in _PARTS.finditer(text) if "properties" not in leaf.value else ():
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: each item has more than a text"
        return
    yield from _rated(document, text, leaf)
    yield from _in_some_case(document, text, leaf)
    if more := _EACH_OR_MORE.search(text):
        yield f"line {document.line(more.start())}: {shortened(more[0])!r}: the answer has more than the value that was read"
    for match in _SEPARATED.finditer(text) if leaf.labelled else ():
        if not _denied(text, match.start()):
            line = document.line(match.start())
            yield f"line {line}: {shortened(match[0])!r}: one label was read, and the answer may have several"


def parts_of_items(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Items of a list of texts that have parts: "3 to 8 cards, each one with a front and a back"."""
    text = instructions(document, found)
    for leaf in leaves:
        if not leaf.listed or leaf.kinds - {"string"} or leaf.labelled:
            continue
        name = re.escape(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", leaf.name).removesuffix("s"))
        each = re.compile(
            rf"\b{name}s?\b[^.;\n]{{0,30}}?,? each (?:one |of them |{name} )?(?:with|has|have|having|must have|should have|contains?) [^.;\n]+?(?:,| and )",
            re.IGNORECASE,
        )
        for match in each.finditer(text):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: each of {leaf.name!r} has parts, and was read as one text"


def _rated(document: PromptText, text: str, leaf: KeyOfSchema) -> Iterator[str]:
    """Orders to rate with a number, where labels were read and no threshold makes one of the other."""
    if not leaf.labelled or _has_digits(leaf) or _THRESHOLD.search(text):
        return
    for match in _TO_RATE.finditer(text):
        if not _denied(text, match.start()):
            line = document.line(match.start())
            yield f"line {line}: {shortened(match[0])!r}: a number is wanted, and labels were read"


_ADDS = r"[\"'`”]?,? (?:also |then |please )?(?:add|write|give|explain|list|provide|include|state|quote|say why|name|suggest|describe)\b"


def _in_some_case(document: PromptText, text: str, leaf: KeyOfSchema) -> Iterator[str]:
    """What is to be written beside a label in its case: "If BAD, add a line with the reason"."""
    labels = "|".join(re.escape(label) for label in leaf.labels)
    if not labels:
        return
    case = re.compile(
        rf"\b(?:if|when|for) (?:an? |it is |it['’]s |the (?:answer|label|verdict) is |you (?:answer(?:ed)?|say|chose|choose) )?[\"'`“]?(?:{labels}){_ADDS}",
        re.IGNORECASE,
    )
    for match in case.finditer(text):
        yield f"line {document.line(match.start())}: {shortened(match[0])!r}: the answer has more in this case"


def _denied(text: str, position: int) -> bool:
    begin = begin_of(text, position, (". ", "\n", ";", ","))
    return DENIED.search(text[begin:position]) is not None


def _unlike(leaf: KeyOfSchema, kind: str) -> str:
    """What was read, if it is no value of a kind that an order names; empty if it is one."""
    labels = leaf.labels
    if leaf.kinds & {"number", "integer"} and not leaf.listed:
        most = [float(one["maximum"]) for one in leaf.alternatives if "maximum" in one]
        fits = kind in _NUMBERS and (kind != "percentage" or not most or most[0] in _HUNDRED)
        return "" if fits else "a number"
    if not labels or leaf.listed:
        return ""
    if kind.startswith("letter"):
        return "" if all(len(label) == 1 for label in labels) else f"{labels[0]!r}"
    return f"{labels[0]!r}" if kind in _NUMBERS and not _has_digits(leaf) else ""


def _has_digits(leaf: KeyOfSchema) -> bool:
    return any(any(sign.isdigit() for sign in label) for label in leaf.labels)


# "Give each a score from 1 to 5 and finish with one paragraph of feedback"
_EACH_OR_MORE = re.compile(
    r"\b(?:give|assign|score|rate|grade|mark|award) (?:each|both|all (?:three|four|five|of them))\b(?! (?:answer|response|item|one) (?:as|with) a whole)"
    r"|\band (?:one|another|a second)(?: one| score| rating)? (?:for|on) |, and (?:has|have|is|are|was|were|does|do|did|can|will) [^?.\n]{2,80}\?|\?\s+(?:and|also)\b[^?\n]{1,80}\?|[?.]\s+(?:and|also|then),? (?:which|what|who|where|when|how|why|is|are|does)\b[^?\n]*\?|\bplus or minus\b|\+ or -"
    r"|^\W*line 1\b[^\n]*\n\W*line 2\b"
    r"|\b(?:finish|end|conclude|close|begin|start) with (?:an?|one|two|three|your|some) (?!(?:word|label|number|score|rating|verdict|line|letter|single|final|yes|no)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_PARTS = re.compile(
    r"\beach (?:one |of them )?(?:followed by|along with|together with|with|having|including) (?:an?|its|the|their|one)\b|\b(?:with|and) (?:its|their) (?:answers?|reasons?|explanations?|scores?|sources?|ratings?|confidences?|definitions?|translations?)\b",
    re.IGNORECASE,
)
_SEPARATED = re.compile(
    r"\bcomma[- ]separated\b|\bseparated (?:by|with) (?:an? )?(?:commas?|semicolons?|pipes?)\b|\bseparate\b[^.;\n]{0,20}\b(?:by|with) (?:an? )?(?:commas?|semicolons?|pipes?|new ?lines?)\b|\bone (?:label|tag|category|topic|class)? ?per line\b",
    re.IGNORECASE,
)
