"""A second reading of texts in parts (sections, labelled lines, tags, lists): what is said of a part, or of all of them.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import NUMBER_WORDS, KeyOfSchema, loosely_spaced, shortened

_MANY = "|".join(NUMBER_WORDS)
_HEADING = r"^[ \t]*#{{1,4}}[ \t]+[*_]*{name}[*_]*[ \t]*\n+[ \t]*(?P<said>[^\n#]+)"
# All that is below a heading: "go or stop", "a number from 1 to 5"
_VALUE = re.compile(
    r"\W*(?:an? |one |the )?(?:(?:whole |single )?(?:number|integer|score|rating|grade)\b[^.\n]{0,30}\d|(?:either |one of:? )?[\w-]+(?:(?:, |/| ?\| ?)[\w-]+)*(?:,? or | ?\| ?|/)[\w-]+\W*\Z|\d+\s?(?:-|–|to)\s?\d+\W*\Z|(?:yes|true)\b.{0,5}\b(?:no|false)\b|date\b|table\b)",
    re.IGNORECASE,
)
_OF_PARTS = re.compile(
    r"\beach (?:one |item |bullet |of them |line |name |risk )?(?:with|followed by|and) (?:an?|its|their|the|one)\b|\beach\b[^.;\n]{0,20}\b(?:has|have|having|containing) (?:an?|its|one|the) (?!(?:most|max)\b)[a-z-]+ and\b|\bwith (?:their|its) (?!original|own\b|exact|full|correct|usual|first|last|initial|proper|names?\b)[a-z]+|(?<!together )\bwith (?:an?|its|their|the) (?:\w+ )?(?:owners?|dates?|scores?|reasons?|roles?|deadlines?|sources?|explanations?|priorit(?:y|ies)|numbers?|counts?|names?|ratings?|links?|severity|severities|prices?)\b|\b(?:nested|sub-?(?:bullets|items|list))\b",
    re.IGNORECASE,
)
# "A third line, Hint, is for risky shares", "and one that is missing"
_MORE_LINES = re.compile(
    r"\b(?-i:[Aa]n?) (?:third|fourth|fifth|extra|further|additional|optional) line\b|\bthen (?:comes?|follows?) (?:an?|the|one)\b|\bthe (?:last|first|final) line (?:is|has|holds|contains|should|must|sums|gives)\b",
    re.IGNORECASE,
)
_ONE_MORE = re.compile(
    r",? (?:and|plus) (?:one|another|an extra|a further|two|three)\b(?! (?:or|per)\b)", re.IGNORECASE
)
_MARKED = re.compile(
    r"(?:^|[.;] )(?:mark|flag|highlight|star|underline|prefix) (?:the|each|your|all|every|them)\b",
    re.IGNORECASE | re.MULTILINE,
)
_OR_NONE = re.compile(r"\bor (?:the word |just |write )?[\"'“`]?(?:none|n/a|nothing)\b", re.IGNORECASE)
_ITEM_PARTS = re.compile(rf"{_OF_PARTS.pattern}|\bwith (?:their|its) \w+|\beach with\b|\btable\b", re.IGNORECASE)
_EACH = re.compile(
    r"\b(?:for|per|in) (?:each|every|all) (?!section\b|heading\b|part\b|line\b|tag\b|key\b|field\b|one of\b|of the (?:sections|parts)\b|item\b|case\b|bullet\b|criterion\b|criteria\b|answer\b|text\b)(?P<thing>[a-z-]+)\b|\bper (?!line\b|cent\b|item\b|section\b|bullet\b|query\b|row\b|tag\b|sentence\b|day\b|hour\b|month\b|year\b|person\b)[a-z]+\b|\b(?P<one>[a-z]+) (?:by|after) (?P=one)\b(?<!step)",
    re.IGNORECASE,
)
# The sentence that names the form, or orders the list.
_FORM_SAID = re.compile(
    r"\b(?:sections|headings|format|form|template|structure|report|like this|as follows|once|tags?|lines)\b",
    re.IGNORECASE,
)
_LIST_SAID = re.compile(
    r"(?:\A|[.:,]\s+|\b(?:please|then|and|to)\s+)\W*(?:write|generate|create|suggest|return|list|give|propose|produce|make|invent|draft|extract|split|name|find)\b",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\b(?:twice|two times|once (?:an?|per|for each|for every) (?!line|time)[a-z]+|one (?:such )?(?:block|set|pair|group) (?:an?|per|each|for each)|several times|more than once|as often as)\b|\b(?:one|a|another|use one|use a) (?:pair|set|block|group|tag|line|section) (?:of (?:these|them|tags) )?(?:per|for each|for every)\b|\b(?:each|every) [a-z-]+ (?:in|into|gets|has|goes in(?:to)?) (?:an?|its own|one) [<\"'`]?\w+|\b(?:put|place|wrap|enclose|write|mark) (?:each|every|all)\b[^.<\n]{0,40}<\w",
    re.IGNORECASE,
)
_AT_PLACE = re.compile(
    r"\b(?:and|with|plus|put|add|write|give|place|state|name|set|include)\s+(?:an?|the|one|two|your|some) (?:(?!that\b|which\b)[\w-]+ ){1,6}?(?:at the (?:very )?(?:top|end|bottom|start|beginning|head)|on top)\b|\b(?:and|with|plus) (?:an?|one|two|your|some) (?:[\w-]+ ){1,2}?(?:above|below|underneath)(?: (?:it|them|the list|all))?(?=[.,;]|\Z|$)|(?:^|[.;] )(?:above|below|before|after|under|beneath) (?:it|them|all|each(?: (?:one|of them|line|item))?),? (?:please )?(?:add|write|put|give|state|name|say|include|list)\b(?! (?:your |the |a |one )?(?:final |last |overall )?(?:verdict|answer|label|score|rating|decision|grade|result)\b)|\bat the (?:very )?(?:top|end|bottom|start|beginning),? (?:add|write|put|give|state|name|say|include)\b",
    re.IGNORECASE | re.MULTILINE,
)
_TAGS = re.compile(
    r"(?:\b(?:in|into|inside|within|between|an?|use|with|as|the|and)\s+[`\"']?<(?!think|reason|scratch|analysis)(?P<name>[a-z][\w-]*)>(?!\s*</)|<(?!think|reason|scratch|analysis)(?P<own>[a-z][\w-]*)>[`\"']? tags?\b)",
    re.IGNORECASE,
)
_TAG_IN_CASE = re.compile(
    r"\b(?:use|write|output|return|give|add|include)\b(?=[^.;\n]*\b(?:if|when|unless|in case)\b)[^.;\n<]{0,20}<(?P<name>[a-z][\w-]*)>[^.;\n]*\b(?:if|when|unless|in case)\b",
    re.IGNORECASE,
)
_AT_MOST = re.compile(
    rf"\b(?:\d+|{_MANY}) (?:[a-z-]+ )?(?!words\b|sentences\b|characters\b|lines\b|paragraphs\b|tokens\b)[a-z]+s? (?:at (?:the )?most|or (?:fewer|less)|max(?:imum)?)\b|\b(?:\d+|{_MANY}) or (?:fewer|less)\b|\b(?:or|and) fewer\b|\b(?:at (?:the )?most|up to|no more than|max(?:imum)?(?: of)?|maximally) (?:\d+|{_MANY}) (?:[a-z-]+ )?(?:items?|bullets?|points?|entries|lines?|rows?|elements?|names?)\b|\b(?:at least|minimum(?: of)?) (?:\d+|{_MANY}) (?:[a-z-]+ )?(?:items?|bullets?|points?|entries|elements?)\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?:\b(?:not|never|no|avoid|without|input|given)\b|n['’]t\b)[^,;.]{0,30}\Z", re.IGNORECASE)
_ORDER_OF = re.compile(
    r"\b(?:stop|period|full stop|comma|newline|colon|space|number|dash|hyphen|end|reasoning)\b", re.IGNORECASE
)


def of_parts(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What a text in parts has that was not read; each with its line."""
    text = instructions(document, found)
    listed = [leaf for leaf in leaves if leaf.listed]
    tagged = any(item.source.startswith("tag ") for item in found.fields)
    # A list of texts alone, as JSON or one a line.
    flat = len(leaves) == 1 and bool(listed) and leaves[0].kinds <= {"string"}
    parted = found.whole in ("sections", "labels")
    if found.whole == "sections":
        yield from _bodies(document, leaves)
    if parted:
        yield from _repeated(document, leaves)
        yield from _typed(document, text, leaves)
    checks = (
        (_OF_PARTS, flat, _LIST_SAID, "the items have parts, and were read as texts"),
        (
            _EACH,
            parted or flat,
            _LIST_SAID if flat else _FORM_SAID,
            "the answer has the form for each of several things",
        ),
        (_MARKED, flat, None, "the items are written otherwise than they were read"),
        (_MORE_LINES, flat or found.whole == "labels", None, "the answer has more than what was read"),
        (_ONE_MORE, flat, _LIST_SAID, "the answer has more than what was read"),
        (_AGAIN, parted, None, "a part is there several times"),
        (_AT_PLACE, parted or flat, None, "the answer has more than what was read"),
    )
    for pattern, applies, wanted, meaning in checks:
        for match in pattern.finditer(text) if applies else ():
            begin = max(text.rfind("\n", 0, match.start()), text.rfind(". ", 0, match.start())) + 1
            end = re.compile(r"[.\n]|\Z").search(text, match.end())
            sentence = text[begin : end.start() if end else len(text)].strip()
            if MASK in match[0] or _NOT.search(text[begin : match.start()]) or (wanted and not wanted.search(sentence)):
                continue
            if pattern is not _AT_PLACE or not _ORDER_OF.search(match[0]):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {meaning}"
    if listed and not found.whole:
        yield from _counts(document, text, listed)
    if tagged:
        yield from _tags(document, text, found, leaves)


def _counts(document: PromptText, text: str, listed: Sequence[KeyOfSchema], offset: int = 0) -> Iterator[str]:
    """Counts that no list was read with: "four items at most"."""
    for match in _AT_MOST.finditer(text):
        counts = [(leaf.node.get("minItems"), leaf.node.get("maxItems")) for leaf in listed]
        least = re.search(r"at least|minimum", match[0], re.IGNORECASE) is not None
        exact = all(low is not None and low == high for low, high in counts)
        if exact or not any(low if least else high for low, high in counts):
            yield f"line {document.line(offset + match.start())}: {shortened(match[0])!r}: no list was read with this count"


def _tags(document: PromptText, text: str, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Tags beside those that were read, some that are there in one case only, and other values in them."""
    known = {leaf.name.casefold(): leaf for leaf in leaves} | {item.name.casefold(): None for item in found.fields}
    for match in _TAGS.finditer(text):
        name = match["name"] or match["own"]
        given = re.search(rf"<{re.escape(name)}>(?:\s*(?:{MASK}|\{{)|[^<]*{MASK}[^<]*</)", document.text)
        if name.casefold().replace("-", "_") not in known and MASK not in match[0] and given is None:
            yield f"line {document.line(match.start())}: <{name}> is a tag of the answer, and was not read"
    for match in _TAG_IN_CASE.finditer(text):
        if match["name"].casefold() in known:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: <{match['name']}> is there in one case, and was read as always there"
    for leaf in leaves:
        if not (leaf.labelled or leaf.listed) and leaf.kinds <= {"string"}:
            yield from _before_tag(document, text, leaf)
        labels = {label.casefold() for label in leaf.labels}
        for match in (
            re.finditer(rf"<{re.escape(leaf.name)}>\s*(?P<value>[\w-]+)\s*</", text, re.IGNORECASE) if labels else ()
        ):
            if match["value"].casefold() not in labels | {"and", "or", "to"}:
                yield f"line {document.line(match.start())}: {match['value']!r} is none of the labels of {leaf.name!r}"


# "your certainty (0 to 100) in <sure> tags", "three others into <other></other>"
_NO_TEXT = re.compile(
    rf"\d\s?(?:-|–|to|and)\s?\d|\b(?:whole number|integer|yes or no|true or false)\b|\b(?:[2-9]|{_MANY.partition('|')[2]}|several|all|each|any) (?:\w+ )?(?!words\b|sentences\b|lines\b|paragraphs\b|characters\b)[a-z]+s\b",
    re.IGNORECASE,
)


def _before_tag(document: PromptText, text: str, leaf: KeyOfSchema) -> Iterator[str]:
    """Words before a tag that say that it holds a number or several things, if it was read as a text."""
    place = rf"(?P<said>[^.;<>\n]{{3,80}}?)\s(?:in|into|inside|within|between)\s[`\"']?<{re.escape(leaf.name)}>"
    for match in re.finditer(place, text, re.IGNORECASE):
        if (said := _NO_TEXT.search(match["said"])) and not re.search(
            r"\b(?:at most|up to|words|sentences)\b", match["said"]
        ):
            yield f"line {document.line(match.start())}: {shortened(said[0])!r} is what <{leaf.name}> holds, which was read as any text"


# "Levels are 1, 2 and 3", "the score is a whole number"
def _typed(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A part of which a sentence says that it is a number or truth, and that was read as a text."""
    for leaf in leaves:
        if leaf.labelled or leaf.listed or leaf.kinds - {"string"}:
            continue
        name = loosely_spaced(leaf.name)
        said = re.compile(
            rf"(?:^|[.;,:] |\b(?:the|each|every) )[\"'`*]*{name}s?[\"'`*]* (?:is|are|must be|can be|may be|has to be|should be|goes|go|runs?|lies?) (?:an? |always |only |either |one of |from |between )*(?:-?\d+(?:,| to| and|-| or|–)|whole numbers?\b|integers?\b|numbers?\b|yes or no\b|true\b)",
            re.IGNORECASE | re.MULTILINE,
        )
        if match := said.search(text):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r} is said of {leaf.name!r}, which was read as any text"


def _repeated(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A line whose place goes on, and that was read as one text: "Topics: <phrase>, <phrase>, ..."."""
    for leaf in leaves:
        if leaf.listed or leaf.labelled or leaf.kinds - {"string"}:
            continue
        name = loosely_spaced(leaf.name)
        place = re.compile(
            rf"^\W*{name}\W*:[^\n]*(?:,\s*(?:\.\.\.|…|etc)|[>\])]\s*,\s*[<\[(])", re.IGNORECASE | re.MULTILINE
        )
        if match := place.search(document.text):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: a list is shown, and {leaf.name!r} was read as one text"


def _bodies(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A section that holds one value, or a list of so many, and was read as a text."""
    for leaf in leaves:
        if leaf.labelled or leaf.kinds - {"string"}:
            continue
        name = loosely_spaced(leaf.name)
        for match in re.finditer(_HEADING.format(name=name), document.text, re.IGNORECASE | re.MULTILINE):
            if leaf.listed:
                if none := _OR_NONE.search(match["said"]):
                    yield f"line {document.line(match.start('said'))}: {shortened(none[0])!r}: {leaf.name!r} may be a word instead of a list"
                yield from _counts(document, match["said"], [leaf], match.start("said"))
            if leaf.listed and (parts := _ITEM_PARTS.search(match["said"])):
                yield f"line {document.line(match.start('said'))}: {shortened(parts[0])!r}: the items of {leaf.name!r} have parts, and were read as texts"
            if not leaf.listed and (value := _VALUE.match(match["said"])):
                yield f"line {document.line(match.start('said'))}: {shortened(value[0])!r} is the section {leaf.name!r}, which was read as any text"
