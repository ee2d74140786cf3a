"""A second reading of answers in parts: what is said of a section, a line, a tag, a column, and of a part that may be missing."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import NUMBER_WORDS, KeyOfSchema, loosely_spaced, shortened, spaced

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
    if tagged:
        yield from _tags(document, text, found, leaves)


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
            if leaf.listed and (none := _OR_NONE.search(match["said"])):
                yield f"line {document.line(match.start('said'))}: {shortened(none[0])!r}: {leaf.name!r} may be a word instead of a list"
            if leaf.listed and (parts := _ITEM_PARTS.search(match["said"])):
                yield f"line {document.line(match.start('said'))}: {shortened(parts[0])!r}: the items of {leaf.name!r} have parts, and were read as texts"
            if not leaf.listed and (value := _VALUE.match(match["said"])):
                yield f"line {document.line(match.start('said'))}: {shortened(value[0])!r} is the section {leaf.name!r}, which was read as any text"


_ROWS = re.compile(
    rf"\b(?:at most|at least|up to|exactly|no more than|max(?:imum)?(?: of)?|only|with|has|have)\s+(?:the )?(?:first )?(?:\d+|{_MANY})\s+(?:[a-z-]+ )?(?:rows?|entries|items|lines)\b|\b(?:top|first|best)\s+(?:\d+|{_MANY})\b|\b(?:list|name|find|give|pick|choose|suggest|propose|write|generate|invent|show)\s+(?:exactly |at most |up to |at least |the |only )*(?:[2-9]|\d\d|{_MANY})\s+[a-z]",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    r"\b(?:below|above|under|beneath|after|before|beside|following)\s+(?:it|this|that|the table)\b|\b(?:then|and then|followed by|together with|along with|plus|finally|as well as|also|in addition)\b,?\s+(?:(?:please )?(?:write|give|add|state|list|explain|summari[sz]e|provide|name|say|include)\b|an?\b|one\b|two\b|the\b|your\b)|\b(?:caption|legend|total row|row (?:of|with|for) (?:the )?(?:totals?|sums?)|footnotes?|header row in|without (?:a )?header)\b",
    re.IGNORECASE,
)
# What is more than a text: a number, a scale, truth, words set against each other, or nothing.
_KIND = re.compile(
    r"\b(?:integers?|whole numbers?|numbers?|numeric|decimals?|floats?|booleans?|percent(?:age)?s?|true|false|yes|no|null|empty|blank|optional|one of|either|(?:from|between) -?\d|out of \d|dates?|at most|up to|exactly|words?|sentences?)\b|\d\s?(?:-|–|to)\s?\d|\b\w+ or \w+|\w/\w|\w\s?\|\s?\w",
    re.IGNORECASE,
)
_OF_ORDER = re.compile(r"\b(?:sort(?:ed)?|order(?:ed)?|group(?:ed)?|rank(?:ed)?|by)\b[^.;\n]{0,20}\Z", re.IGNORECASE)


def of_columns(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What a table has that its cells of plain text have not; each with its line."""
    text = instructions(document, found)
    for span in found.covered:
        rest = document.text[span.end :]
        if goes_on := re.match(
            r"[*_`\"']*\s*(?:\([^()\n]+\)|\[[^\[\]\n]+\]|,\s*\w|/\s*\w|:\s*\w|[-–—]\s\w)[^\n]{0,40}", rest
        ):
            yield f"line {document.line(span.end)}: {shortened(goes_on[0])!r}: the list of columns goes on"
    yield from _said_of_columns(document, text, found, leaves)
    checks = ((_ROWS, "so many rows are wanted"), (_BESIDE, "the answer has more than the table"))
    for pattern, meaning in checks:
        for match in pattern.finditer(text):
            if MASK not in match[0]:
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {meaning}"


def _said_of_columns(document: PromptText, text: str, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What is said of a column, if that is more than any text."""
    for leaf in leaves:
        if leaf.kinds - {"string"} or leaf.labelled or "properties" in leaf.value:
            continue
        name = loosely_spaced(leaf.name)
        said_of = re.compile(
            rf"(?:\b{name}s?\b[\"'`*]*\s*(?:column|cells?|values?)?\s*(?:\((?P<aside>[^()\n]+)\)|(?:is|are|=|:|must be|should be|may be|can be|has|have|holds?|contains?)\s(?P<said>[^.;\n]{{1,80}}))|\b(?:a|an|its|the) {name} (?P<tail>(?:from|between|of|out of|on|in) [^.;\n]{{1,40}}))",
            re.IGNORECASE,
        )
        for match in said_of.finditer(text):
            inside = any(span.start <= match.start() < span.end for span in found.covered)
            said = match["aside"] or match["said"] or match["tail"]
            begin = text.rfind("\n", 0, match.start()) + 1
            ordered = _OF_ORDER.search(text[begin : match.start()])
            if _KIND.search(said) and MASK not in match[0] and not ordered and not (inside and not match["aside"]):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r} is said of {leaf.name!r}, which was read as any text"


_SENTENCE = re.compile(r"(?:[^.!?;\n]|\.(?=\S))+")
_OUT = re.compile(
    r"\b(?:leave|leaving|left)\b(?P<between>[^.;\n]{0,60}?)\b(?:out|off|away)\b|\b(?:omit(?:ted)?|skip(?:ped)?|drop(?:ped)?|exclude[ds]?)\b"
    r"|\b(?:do not|don['’]t|never|must not|should not|may not|need not)\s+(?:be )?(?:include[d]?|list(?:ed)?|add(?:ed)?|give[n]?|write|written|output|print|show[n]?|appear|mention(?:ed)?|be there)\b",
    re.IGNORECASE,
)
# What is not there: "what is not stated", "unknown values", "without a value"
_ABSENT = re.compile(
    r"\b(?:not (?:\w+ )?(?:stated|given|known|mentioned|named|said|found|present|there|apply|applicable|available|clear|sure|certain|contain|say|state|give|name|mention|in the (?:text|document|log|mail))|(?:does|do|is|are)(?: not|n['’]t)|cannot|can['’]t|missing|unknown|absent|unstated|unsure|uncertain|unavailable|empty|blank|null|none|inapplicable|without (?:an? )?(?:value|content|answer|entry)|with no (?:value|content|entry)|no value|nothing|without (?:an? |any )?[a-z-]+|(?:if|when|where) (?:there (?:is|are) )?no [a-z-]+|no [a-z-]+ (?:is|are|was))\b",
    re.IGNORECASE,
)
_PARTS = r"(?:keys?|fields?|propert(?:y|ies)|values?|sections?|headings?|lines?|labels?|tags?|parts?|entries|attributes?|items?|it|that|this|them|those|these|what(?:ever)?|anything|everything|all)"
_LACKS = re.compile(r"(?:has|have|needs?|gets?) no\b", re.IGNORECASE)
_OF_FORM = (
    r"(?:keys?|fields?|propert(?:y|ies)|values?|sections?|headings?|lines?|labels?|tags?|parts?|attributes?|{names})"
)
_ANY_MISSING = (
    r"\b(?:any|each|every|some|a|an|the|all|these|both)\b[^.;\n]{{0,30}}?[<\"'`*]*\b{parts}\b[>\"'`*]*[^.;\n]{{0,20}}\b(?:may|can|could|might)\b (?:also )?(?:be )?(?:left out|left off|omitted|skipped|missing|absent|dropped|not there)\b"
    r"|\b(?:all|the|other|these|both|some|last|remaining|any)\b[^.;\n]{{0,30}}?[<\"'`*]*\b{parts}\b[>\"'`*]*[^.;\n]{{0,15}}\b(?:is|are) optional\b|\bonly (?:include|output|return|give|write|add|list|show|fill(?: in)?|use)\b[^.;\n]{{0,20}}\b{parts}\b[^.;\n]{{0,60}}\b(?:sure|certain|known|stated|given|present|found|appear\w*|mentioned|apply|applicable|needed|filled)\b"
    r"|\b(?:include|output|return|give|write|add|show)\b[^.;\n]{{0,20}}\b{parts}\b[^.;\n]{{0,15}}\bonly (?:if|when|where|for)\b"
    r"|\b(?:leave out|omit|skip|drop)\b (?:the |that |this )?[<\"'`*]*{parts}[>\"'`*]*(?: (?:key|field|line|section|tag))?,? (?:if|when|where|for|unless|in)\b"
    r"|\bno [<\"'`*]*{parts}[>\"'`*]* (?:is|are) (?:needed|required|necessary|wanted)\b|[<\"'`*]*\b{parts}\b[>\"'`*]* (?:is|are) (?:not|only) (?:needed|required|necessary|wanted)\b"
    r"|\b(?:has|have|needs?|gets?) no (?:second|third|fourth|last|such) {parts}\b"
    r"|\b(?:leave|leaving) (?:the |that |this )?[<\"'`*]*{parts}[>\"'`*]*(?: (?:key|field|line|section|tag))? (?:out|off|away)\b"
)
_NO = re.compile(
    r"(?:\b(?:do not|never|no|nor|not|none|must not|should not|may not|avoid|without|rather than|instead of)\b|n['’]t\b)[^.;,\n]{0,40}\Z",
    re.IGNORECASE,
)
# Words of a sentence on how something is spelled, and what is left out of the text of a value.
_OF_TEXT = re.compile(
    r"\b(?:leav\w+ out|omit|skip|drop|exclude|remove|include|add|list|write|give|output|print|show|mention)\b[^.;\n]{0,12}\b(?:the |any |all |its )?(?:explanations?|comments?|articles?|currency|symbols?|signs?|units?|spaces?|punctuation|quotes?|markdown|preamble|greetings?|prefix\w*|suffix\w*|titles?|stop ?words|duplicates?|commas?|text|prose|reason\w*|names? of)\b",
    re.IGNORECASE,
)


def optional_parts(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Parts that an answer may lack, and that were read as always there; each with its line."""
    # A list may be empty, but its heading cannot be left out.
    own = [leaf for leaf in leaves if not leaf.nullable and (found.whole == "sections" or not leaf.listed)]
    if not own or (len(found.fields) == 1 and not found.whole):
        return
    text = instructions(document, found)
    names = "|".join(spaced(leaf.name) for leaf in own)
    own_words = {leaf.name.casefold() for leaf in leaves}
    listed = "|".join(spaced(leaf.name) for leaf in leaves if leaf.listed and found.whole != "sections")
    of_list = re.compile(rf"\b(?:{listed})\b", re.IGNORECASE) if listed else None
    for span in found.covered if found.whole == "labels" else ():
        if after := _IF_ANY.match(document.text, span.end):
            yield f"line {document.line(span.end)}: {shortened(after[0])!r}: a part may be missing, and it was read as always there"
    for sentence in _SENTENCE.finditer(text):
        said = sentence[0]
        if MASK in said or (of_list and of_list.search(said)) or not _MAY_LACK.search(said):
            continue
        line = f"line {document.line(sentence.start())}: {shortened(said)!r}"
        named = _by_name(names).search(said)
        if (named and not re.search(r"\b(?:null|else|otherwise|empty|unknown|none|n/a)\b", said, re.IGNORECASE)) or (
            (free := _any_missing(names).search(said))
            and (_LACKS.match(free[0]) or not _NO.search(said[: free.start()]))
        ):
            yield f"{line}: a part may be missing, and it was read as always there"
            continue
        if any(_is_left_out(said, out, _part(names), own_words, wrapped=found.wrapped) for out in _OUT.finditer(said)):
            yield f"{line}: a part may be left out, and it was read as always there"


# What all of these patterns want of a sentence
_MAY_LACK = re.compile(
    rf"\boptional\b|\b(?:if|when|where) (?:it is |they are |there is (?:one|any)|any|one is )?(?:known|given|stated|present|available|mentioned|any|one|applicable|named|found)\b"
    r"|\b(?:left out|left off|omitted|skipped|missing|absent|dropped|not there|needed|required|necessary|wanted)\b|\bonly\b|\b(?:leave|leaving|omit|skip|drop)\b|\b(?:has|have|needs?|gets?) no\b"
    rf"|{_OUT.pattern}",
    re.IGNORECASE,
)


@functools.lru_cache(maxsize=64)
def _by_name(names: str) -> re.Pattern[str]:
    """A part of which a sentence says that it need not be there: "crew (optional)", "the key crew if it is known"."""
    return re.compile(
        rf"(?<![\w-])[\"'`*]*(?:{names})[\"'`*]*(?: (?:key|field|line|section|tag))?\s*(?:\([^()\n]*\boptional\b[^()\n]*\)|[,:=–—-]*\s*(?:is |are )?optional\b|,? (?:only )?(?:if|when|where) (?:it is |they are |there is (?:one|any)|any|one is )?(?:known|given|stated|present|available|mentioned|any|one|applicable|named|found)\b)",
        re.IGNORECASE,
    )


@functools.lru_cache(maxsize=64)
def _any_missing(names: str) -> re.Pattern[str]:
    return re.compile(_ANY_MISSING.format(parts=_OF_FORM.format(names=names)), re.IGNORECASE)


@functools.lru_cache(maxsize=64)
def _part(names: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{_PARTS}|{names})\b", re.IGNORECASE)


# "and your source in <source>, if you have one"
_IF_ANY = re.compile(
    r"[^.\n]{0,20}?,? (?:only )?if (?:you have|there (?:is|are)|any\b|known|available|given|needed|applicable|possible)",
    re.IGNORECASE,
)
_DENIED_VERB = re.compile(r"(?:do not|don|never|must|should|may|need)", re.IGNORECASE)
_CASE = re.compile(
    r"\b(?:if|when|where|unknown|missing|empty|absent|null|not (?:stated|given|known|found|sure|mentioned|there))\b",
    re.IGNORECASE,
)
_OF_THE_FORM = re.compile(r"\b(?:keys?|fields?|columns?|propert(?:y|ies))\b", re.IGNORECASE)


def _is_left_out(said: str, out: re.Match[str], part: re.Pattern[str], own_words: set[str], *, wrapped: bool) -> bool:
    """Whether a verb of a sentence lets a part be missing: of a list whole things may be."""
    denies = _DENIED_VERB.match(out[0]) is not None
    if out[0].lower() in own_words or (not denies and _NO.search(said[: out.start()])) or _OF_TEXT.search(said):
        return False
    rest = said[: out.start()] + " " + (out["between"] or "") + " " + said[out.end() :]
    if wrapped and not _OF_THE_FORM.search(rest):
        return False
    passive = out[0].lower().startswith(("must", "should", "may", "need"))
    near = (0, out.start()) if passive else (out.end(), out.end() + _NEAR)
    if denies and not part.search(said, *near):
        return False
    return bool(_ABSENT.search(rest) and part.search(rest) and (not denies or _CASE.search(rest)))


_NEAR = 20
