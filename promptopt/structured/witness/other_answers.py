"""A second reading of a bare value against the orders that name the kind of the answer: a letter, a word, a number, several.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import Inferred, PromptText, begin_of
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.facts import DENIED
from promptopt.structured.witness.keys import NUMBER_WORDS, KeyOfSchema, shortened

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
    for match in (*_SEPARATED.finditer(text), *_COUNTED.finditer(text)) if leaf.labelled else ():
        begin = begin_of(text, match.start(), (". ", "\n", ";"))
        if not _OF_INPUT.search(text, begin, match.start()) and not _denied(text, match.start()):
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
_MANY = "|".join(word for word, number in NUMBER_WORDS.items() if number > 1)
_SEPARATED = re.compile(
    r"\bcomma[- ]separated\b|\bseparated (?:by|with) (?:an? )?(?:commas?|semicolons?|pipes?)\b|\bseparate\b[^.;\n]{0,20}\b(?:by|with) (?:an? )?(?:commas?|semicolons?|pipes?|new ?lines?)\b|\bone (?:label|tag|category|topic|class)? ?per line\b",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    rf"\b(?:tag|assign|choose|pick|select|label|mark)\b[^.;:\n]{{0,60}}?(?<![\w.])(?:[2-9]|\d\d|{_MANY})\b(?! (?:or|stars?|points?|words?)\b)[^.;:\n]{{0,40}}?\b[a-z]{{3,}}s\b[^.;:\n]{{0,20}}\b(?:from|out of|of (?:the|these)|among|below)\b",
    re.IGNORECASE,
)
_OF_INPUT = re.compile(
    r"\b(?!answers?|outputs?|responses?|labels?|tags?|topics?|they\b|it\b)(?:\w+) (?:is|are|was|were|will be|given as|provided as|contains?)\b[^.;\n]*\Z|\b(?:given|inputs?|receive|each row|each line)\b[^.;\n]*\Z",
    re.IGNORECASE,
)
