"""A second reading of what is said of a key: words that bound its value (a range, labels, a type, null) must be in its schema.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, PromptText
from promptopt.structured.witness.keys import (
    VARIABLE,
    KeyOfSchema,
    SaidOfKey,
    mentions,
    said_of,
    shortened,
)

_SAMPLE = re.compile(r"\(?\b(?:e\.g\.?|eg\b|such as|for example|for instance|example:|like)[^)\n]*\)?", re.IGNORECASE)
_QUOTED = re.compile(r"(?<!\w)'[^'\n]*'(?!\w)|“[^”\n]*”|\"[^\"\n]*\"")
_NUMBER = r"-?\d+(?:\.\d+)?"
_RANGE = re.compile(
    rf"(?<![\w.$€£:/-]){_NUMBER}\s?%?\s?(?:-|–|—|to|and|\.\.\.?|through)\s?{_NUMBER}(?![\d:/-])%?(?!\s*-?\s*(?!(?:or|and|inclusive|where|if|based|how)\b)[A-Za-z])"
    rf"|\bout of (?:5|10|100)\b|(?<!\w)[\[(]\s*{_NUMBER}\s*,\s*{_NUMBER}\s*[\])]|\(\d+(?:, \d+)*,? or \d+\)|\b0 (?:if|for|=)[^\n]*\b1 (?:if|for|=)"
)
# Of a list: "exactly 3", "up to five".
_COUNT = re.compile(
    r"\A\W*\d+\s?(?:[-–]|to)\s?\d+ (?!words|sentences|characters)[a-z]|\b(?:must|should)\b[^.;\n]{0,40}\b(?:exactly|up to|at most|no more than|between)\s+\d+|\bmax(?:imum)? \d+ (?:items?|entries)\b|\((?:at least|at most|up to|min(?:imum)?|max(?:imum)?) \d+\)|\A\W*(?:an? )?(?:json )?(?:array|list) of (?:exactly |up to |at most )?(?:\d+|two|three|four|five)\b",
    re.IGNORECASE,
)
_LEAST = re.compile(rf"\bmust be (?:at (?:least|most) |[<>≤≥]=? ?|positive\b|negative\b|non-negative\b)(?:{_NUMBER})?")
_RANGE_SAID = re.compile(
    rf"\b(?:between|from|(?:scale|range|rated?|scored?)\b[^.;\n]{{0,12}}?) \(?{_NUMBER}\s?%?\s?(?:-|–|—|to|and)\s?{_NUMBER}\b(?!\s*(?:-\s*)?(?:words?|sentences?|items?|char|lines?|para|bullets?|tokens?|min|hour|day|week|month|year))"
    r"|\b(?i:score|rating|grade)\b[^.;\n]{0,20}\bout of \d+"
)
_IS_NUMBER = re.compile(
    r"\A\W*(?:an?\s|the\s|real\s)*(?:float|double|integer|int|number|numeric(?:al)?|decimal|percentage)\b(?!\s+(?:or|of the|and|if|to|on|from|as (?:printed|shown|written|it))\b)",
    re.IGNORECASE,
)
# "0 if it is shut and 1 if it is open", "between {low} and {high}"
_NUMBERS = re.compile(
    rf"\A\W*0 (?:if|for|when|=)[^\n]*\b1 (?:if|for|when|=)|\bbetween (?:{VARIABLE.pattern}|\{{\}})+ and (?:{VARIABLE.pattern}|\{{\}})"
)
_IS_LIST = re.compile(r"\A\W*(?:an?\s|the\s)*(?:json )?(?:list|array)s?\b", re.IGNORECASE)
_IS_OBJECT = re.compile(
    r"\W*(?:an?\s|the\s)?(?:[\w-]+\s){0,2}(?:object|dict(?:ionary)?)\b(?! (?:name|id|type|key))", re.IGNORECASE
)
# "array of {name, age}"
_OF_PARTS = re.compile(
    rf"\W*(?:as )?(?:an? )?(?:(?:list|array)s? of )?(?:\{{{{1,2}}\s*\w+\s*,|(?:objects|dicts|dictionaries|records)\b)|\W*(?:as )?(?:an? )?(?:list|array)s? of {MASK}",
    re.IGNORECASE,
)
# A list that only some answers have: "if they differ, output the order as a JSON array".
_IS_ARRAY = re.compile(r"\bas an? (?:json )?(?:array|list)\b|\bjson (?:array|list)\b", re.IGNORECASE)
_IS_BOOLEAN = re.compile(
    r"\A\W*(?:an?\s|the\s)*(?:bool(?:ean)?\b|true\s*(?:/|\||or|,)\s*false|false\s*(?:/|\||or|,)\s*true|true (?:if|when|only)\b|false (?:if|when|only)\b)",
    re.IGNORECASE,
)
_ONE_OF = re.compile(
    r"\A\W*(?!(?:\S+ )*(?:city|state|country|region|name|title|address|email|phone|date|url|link|text|number)\b)[a-z][\w-]*(?:, [\w-]+)+,? or [\w-]+\W*\Z|\bone of\b(?! (?:the )?(?:sentence|line|paragraph))|\A\W*(?:(?:must|should) be |is )?either (?:[\"'`]|\w+,? or\b|\w+, )|\A\W*(?:exactly )?one (?:label|category|class|option|tag)\b|\benum\b|\b(?:chosen?|select(?:ed)?|pick(?:ed)?|drawn|taken(?= from\W*(?:the (?:list|options|labels|categories)|\[|\"|'|:))) from\b"
    r"|\bfrom:?\s*\[|\bfrom the (?:\w+ )?(?:list|taxonomy|categories|labels|options|types|enum) (?:above|below|of (?:categories|labels|types))\b"
    r"|\b(?:types|categories|labels|options|values) (?:above|below|listed|allowed|defined)\b|\ballowed (?:values?|labels?)\b",
    re.IGNORECASE,
)
_TYPE = r"(?:string|text|number|integer|float|boolean|bool|array|list|object)"
_BARRED = re.compile(
    rf"(?!(?:{_TYPE}|str|int|null|None)\b)[\w/ .-]{{1,30}}?\s?\|(?!\s*(?:null|None)\b)\s?[\w/ .-]{{1,30}}",
    re.IGNORECASE,
)
_NULL = re.compile(r"\bnull\b")
_NOT_NULL = re.compile(
    r"(?:\b(?:not|never|no|non|without|instead of|avoid|rather than)\b|n['’]t\b)[^.;\n]{0,25}(?<!\bis )(?<!\bare )\bnull\b",
    re.IGNORECASE,
)
_UNION = re.compile(
    rf"\b(?P<one>{_TYPE})\b(?:[^.;\n]{{0,30}}?(?:,\s*|\s)(?:or|otherwise|else)\s|\s*\|\s*)(?:an?\s|else\s)?(?P<two>{_TYPE})\b",
    re.IGNORECASE,
)
_FAMILY = {"text": "string", "integer": "number", "float": "number", "bool": "boolean", "list": "array"}
_OPEN_TYPE = re.compile(rf"\b(?:as an?|of type|type:?)\s+(?:{VARIABLE.pattern})")
# "Solver or Judge", as the whole value
_EITHER = re.compile(r"[A-Z]\w*(?:,? or [A-Z]\w*)+[.\"']*")


def lacking(document: PromptText, leaves: Sequence[KeyOfSchema], *, of_text: bool) -> Iterator[str]:
    """What is said of a key anywhere and its schema has nothing of.

    Args:
        of_text: Whether the keys are labels of a text: there a text may be a number as well.
    """
    names = list(dict.fromkeys(leaf.name for leaf in leaves if len(leaf.name) > 1))
    lists = {leaf.name.casefold() for leaf in leaves if leaf.listed}
    begins = {name: [match.start() for match in mentions(document.text, name)] for name in names}
    for name in names:
        same = [leaf for leaf in leaves if leaf.name == name]
        stops = sorted(start for key in names if key not in name for start in begins[key])
        for said in said_of(document, same[0], stops):
            if (other := _OF_OTHER.search(said.text)) and (other["key"] or other["other"]).casefold() in lists - {
                name.casefold()
            }:
                continue  # "an exact match to one of the options": what another key holds
            others = [other for other in names if other != name]
            lacks = [lack for leaf in same if (lack := _lack(leaf, said, others, of_text=of_text))]
            if lacks and lacks[0][1] == _UNLABELLED and _listed_in_variable(document, said.text):
                continue
            if len(lacks) == len(same):
                words, what = lacks[0]
                line = document.line(said.start)
                yield f"line {line}: {words!r} is said of {name!r}, which was read {what}"


_UNLABELLED = "without labels"
# "one of the leaf categories", and below a line that speaks of categories the variable that has them
_ONE_OF_NOUN = re.compile(
    r"\bone of the (?:(?!in\b|from\b)[\w-]+ ){0,2}?(?P<noun>[a-z]{3,}?)(?:ies|es|s)\b(?! in the)", re.IGNORECASE
)


def _listed_in_variable(document: PromptText, said: str) -> bool:
    """Whether what a key is one of is listed in a variable of the template."""
    one = _ONE_OF_NOUN.search(said)
    place = rf"[ \t]*(?:{MASK}+|\{{\w+\}})[ \t]*(?:\n|\Z)"
    return one is not None and (
        re.search(
            rf"^[^\n\"'{{}}]*\b{one['noun']}(?:s|es|ies)\b[^\n\"'{{}}]*\n(?:[ \t]*\n)?{place}",
            document.text,
            re.IGNORECASE | re.MULTILINE,
        )
        is not None
    )


_OF_OTHER = re.compile(
    r"\b(?:one|any|some) of (?:the |these |those |its )?(?:\w+ )?[\"'`]?(?P<key>\w+)[\"'`]?|\b(?:from|in) the [\"'`]?(?P<other>\w+)[\"'`]? (?:list|array)\b",
    re.IGNORECASE,
)
_MUST_BE = re.compile(
    r"\W*(?:field )?(?:must|should|has to|needs to) (?:always |only )?be (?:given as |returned as |set to )?"
)
# '0-10 or "N/A"'
_OR_TEXT = re.compile(
    r"(?:\d|\b(?:number|integer|float|digits)\b[^.;\n\"']{0,30}?),?\s+or\s+(?:[\"'`][A-Za-z][\w/ -]*[\"'`]|N/?A\b)"
    r"|(?:[\"'`]N/?A[\"'`]|\bN/?A) (?:if|when|or)\b"
)
_NEAR = 40  # What is said of a value's form comes first.


def _lack(leaf: KeyOfSchema, said: SaidOfKey, others: Sequence[str], *, of_text: bool) -> tuple[str, str] | None:
    """The words that bound a key's value, and what its schema is without; ``None`` if it has what they say."""
    text = said.text.strip()
    quoted = text[:1] in ('"', "'")
    if quoted:
        text = re.sub(rf"{text[0]}\s*,?\s*(?:\}}\s*)?\Z", "", text[1:])
    text = _SAMPLE.sub(" ", text)
    bare = _QUOTED.sub(" ", text)
    if leaf.kinds == {"string"} and not leaf.labelled and (number := _NUMBERS.search(bare)):
        return shortened(number[0]), "as no number"
    if must := _MUST_BE.match(bare):
        typed = bare[must.end() :]
        if lack := _type_lacks(leaf, typed, typed):
            return lack
    one = leaf.kinds - {"null"}
    if len(one) == 1 and not (of_text and one == {"string"}) and not leaf.labelled and (other := _OR_TEXT.search(text)):
        return shortened(other[0]), "as one type"
    return (
        (_type_lacks(leaf, text, bare) if said.value or _OF_PARTS.match(bare) else None)
        or _range_lacks(leaf, bare, others)
        or _labels_lack(leaf, text, quoted=quoted, value=said.value)
        or _null_lacks(leaf, text, others)
    )


def _type_lacks(leaf: KeyOfSchema, text: str, bare: str) -> tuple[str, str] | None:
    kinds = leaf.kinds
    if "object" not in kinds and (parts := _OF_PARTS.match(bare)):
        return shortened(parts[0]), "as no object"
    if union := _UNION.search(bare):
        one, two = (_FAMILY.get(union[side].lower(), union[side].lower()) for side in ("one", "two"))
        if one != two and len(kinds - {"null"}) < 2 and not leaf.listed:
            return shortened(union[0]), "as one type"
    if open_type := _OPEN_TYPE.search(text):
        return shortened(open_type[0]), "as one type"
    if leaf.listed:
        return None
    wanted = (
        (_IS_LIST, "array" in kinds, "as no list"),
        (_IS_OBJECT, "object" in kinds or leaf.labelled, "as no object"),
        (_IS_BOOLEAN, "boolean" in kinds or leaf.labelled, "as no boolean"),
        (_IS_NUMBER, bool(kinds & {"number", "integer"}) or leaf.labelled, "as no number"),
    )
    for pattern, has, what in wanted:
        if not has and (match := pattern.match(bare)):
            return shortened(match[0]), what
    if "array" not in kinds and (array := _IS_ARRAY.search(bare)):
        return shortened(array[0]), "as no list"
    return None


def _range_lacks(leaf: KeyOfSchema, bare: str, others: Sequence[str]) -> tuple[str, str] | None:
    if leaf.listed:
        count = _COUNT.search(bare) if not {"minItems", "maxItems"} & set(leaf.node) else None
        return (shortened(count[0]), "without a count") if count else None
    if leaf.bounded:
        return None
    numeric = bool(leaf.kinds & {"number", "integer"})
    ranged = _RANGE_SAID.search(bare) or ((_RANGE.search(bare) or _LEAST.search(bare)) if numeric else None)
    after = re.match(r"\s+(\w+)", bare[ranged.end() :]) if ranged else None
    if after and after[1].lower() in {other.lower() for other in others}:
        return None  # "and there should be between 3 and 5 hashtags"
    return (shortened(ranged[0]), "without a range") if ranged else None


def _labels_lack(leaf: KeyOfSchema, text: str, *, quoted: bool, value: bool) -> tuple[str, str] | None:
    if leaf.labelled or leaf.kinds & {"boolean", "object", "number", "integer"}:
        return None
    either = _EITHER.fullmatch(text.strip()) if quoted and not leaf.listed else None
    listed = _ONE_OF.search(_QUOTED.sub('""', text)) or ((_BARRED.match(text) or either) if value else None)
    if listed is None or VARIABLE.search(text, listed.start()):
        return None
    near = listed.start() < (_NEAR // 2 if quoted else _NEAR)
    return (shortened(listed[0]), _UNLABELLED) if near else None


# "If a number cannot be told, put null": no text may be
_IF_NUMBER = re.compile(
    r"[.;] (?:if|where|when) (?:you |we )?(?:\w+ ){0,3}?(?:a|the|any|some) (?:number|figure|amount)\b[^.;]*\Z",
    re.IGNORECASE,
)


# "if it is not stated,": what comes after it is not denied
_CONDITION = re.compile(r"\b(?:if|when|where|unless)\b[^,;.\n]*,", re.IGNORECASE)


def _denies_null(said: str) -> bool:
    return _NOT_NULL.search(_CONDITION.sub(" ", said)) is not None


# "; n is the sample size, null if unknown"
_NEXT_SUBJECT = re.compile(r";\s+(?=[\"'`*]*[A-Za-z]\w*[\"'`*]* (?:is|are|must|should|may|can)\b)")


def _null_lacks(leaf: KeyOfSchema, text: str, others: Sequence[str]) -> tuple[str, str] | None:
    text = _NEXT_SUBJECT.split(text, maxsplit=1)[0]
    null = _NULL.search(text)
    begin = text.rfind(". ", 0, null.start()) if null else -1
    if (
        null
        and begin >= 0
        and any(re.search(rf"\b(?:the|an?) {re.escape(other)}\b", text[begin : null.start()]) for other in others)
    ):
        return None  # "If the date cannot be read use null.": the next sentence is about another key
    if null is None or leaf.nullable or leaf.labelled or _denies_null(text[: null.end()]):
        return None
    if not leaf.kinds & {"integer", "number"} and _IF_NUMBER.search(text[: null.end()]):
        return None
    return shortened(text[max(0, null.start() - 20) : null.end()]), "without null"


# ---- what is said of no key ------------------------------------------------------------------------------------------

_SENTENCE = re.compile(r"[^.!?\n]*(?:\.(?=\S)[^.!?\n]*)*")
_ABSENT = re.compile(
    r"\b(?:missing|unknown|unclear|absent|unavailable|not|cannot|can['’]t|isn['’]t|doesn['’]t|if no|no \w+|unsure|uncertain|otherwise)\b",
    re.IGNORECASE,
)


# What a value that is given may be, beside null: "null, blank or absent".
_GIVEN_EMPTY = re.compile(
    r"\bnull\b(?=\W+(?:or\W+)?(?:an?\W+)?(?:empty|blank|missing|absent|undefined)\b)|(?<=empty)\W+(?:or\W+)?null\b|(?<=missing)\W+(?:or\W+)?null\b"
)


def null_of_none(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A sentence that lets values be null, if no field may be."""
    if any(leaf.nullable or None in leaf.value.get("enum", ()) for leaf in leaves):
        return
    for sentence in _SENTENCE.finditer(document.text):
        said = _GIVEN_EMPTY.sub(" ", _QUOTED.sub(" ", sentence[0]))
        null = re.search(r"\bnull\b", said)
        if null and _ABSENT.search(said) and not _denies_null(said):
            yield f"line {document.line(sentence.start())}: a value may be null, and no field that was read may be"


_FOR_KIND = re.compile(
    r"\bnull (?:for|in place of) (?:any|each|every|all) (?:\w+ )?(?P<kind>(?!field|value|key|propert|item|entr|thing|information|data|attribute|detail|number|part\b)[a-z]+?)s?\b (?:that|which|not|without|if|when|you)\b",
    re.IGNORECASE,
)


def null_of_kind(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Null for any thing of a kind, if keys are called by it and none of them may be null."""
    for match in _FOR_KIND.finditer(document.text):
        kind = match["kind"].casefold()
        called = [leaf for leaf in leaves if re.search(rf"(?:\A|[_a-z]){kind}s?\Z", leaf.name, re.IGNORECASE)]
        if called and not any(leaf.nullable for leaf in called):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}, and {called[0].name!r} may not be null"
