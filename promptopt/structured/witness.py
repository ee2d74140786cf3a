"""A second reading of a prompt, against the fields of a first one: what is said of a key must be in its schema.

It shares no pattern with the readers that propose: they look for forms, it looks for words that bound a value (a range,
labels, a type, null) wherever a key is spoken of, and asks whether the key's schema has any such bound at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness_accounts import unaccounted
from promptopt.structured.witness_beside import beside
from promptopt.structured.witness_codes import codes_instead
from promptopt.structured.witness_counts import miscounted
from promptopt.structured.witness_exceptions import excepted
from promptopt.structured.witness_forms import gainsaid_form
from promptopt.structured.witness_keys import (
    VARIABLE,
    KeyOfSchema,
    SaidOfKey,
    first_reason,
    form_of,
    keys_of,
    mentions,
    said_of,
    shortened,
    values_shown,
)
from promptopt.structured.witness_labels import keys_doubted, labels_doubted
from promptopt.structured.witness_names import gainsaid_names
from promptopt.structured.witness_orders import other_orders
from promptopt.structured.witness_types import doubted, free_objects, listed_places


def gainsaid(document: PromptText, found: Inferred, *, quoted: bool = False) -> str | None:
    """What the prompt says of a key and the fields do not hold, with its line; ``None`` if nothing is found.

    Args:
        quoted: Whether a quotation proves each value: then its type is settled, and what is said of it was looked at.
    """
    leaves = [leaf for item in found.fields for leaf in keys_of(item.name, item.schema)]
    plain = [leaf for leaf in leaves if "properties" not in leaf.value]
    # What is said of `size` is said of the value in {"size": {"value": 3, "seen": true}}.
    plain += [
        KeyOfSchema(leaf.name, leaf.node["properties"]["value"])
        for leaf in leaves
        if "value" in leaf.node.get("properties", ())
    ]
    keyed = found.whole in ("JSON", "keys", "labels")
    checks: tuple[tuple[Iterator[str], bool], ...] = (
        (_of_keys(document, plain, of_text=found.whole == "labels"), keyed and not quoted),
        (_shown(document, plain), found.whole in ("JSON", "keys") and not quoted),
        (_unsaid(document, plain), found.whole in ("JSON", "keys")),
        (_set_to(document, plain), found.whole in ("JSON", "keys")),
        (_unlike(leaves), found.whole == "JSON"),
        (_kinds_shown(document, found, plain), found.whole == "JSON" and not quoted),
        (free_objects(document, leaves), found.whole == "JSON"),
        (_null_of_none(document, leaves), keyed),
        (unaccounted(document, found, plain, quoted=quoted), keyed),
        (listed_places(document, plain), found.whole == "labels"),
        (doubted(document, found, plain, leaves), found.whole in ("JSON", "keys") and not quoted),
        (other_orders(document, found, leaves), found.whole in ("JSON", "keys")),
        (miscounted(document, found, leaves), found.whole in ("JSON", "keys")),
        (codes_instead(document, found), not found.whole),
        (labels_doubted(document, found), not found.whole),
        (keys_doubted(document, found, plain), found.whole in ("JSON", "keys")),
        (excepted(document, found), True),
    )
    said = first_reason(checks) or gainsaid_names(document, found, quoted=quoted)
    values = [leaf.value for leaf in plain]
    return said or gainsaid_form(document, found, values, quoted=quoted) or beside(document, found, quoted=quoted)


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
    r"\A\W*(?!(?:\S+ )*(?:city|state|country|region|name|title|address|email|phone|date|url|link|text|number)\b)[a-z][\w-]*(?:, [\w-]+)+,? or [\w-]+\W*\Z|\bone of\b(?! (?:the )?(?:sentence|line|paragraph))|\A\W*(?:(?:must|should) be |is )?either (?:[\"'`]|\w+,? or\b|\w+, )|\A\W*(?:exactly )?one (?:label|category|class|option|tag)\b|\benum\b|\b(?:chosen?|select(?:ed)?|taken?|pick(?:ed)?|drawn) from\b"
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
    r"(?:\b(?:not|never|no|non|without|instead of|avoid|rather than)\b|n['’]t\b)[^.;\n]{0,25}\bnull\b", re.IGNORECASE
)
_UNION = re.compile(
    rf"\b(?P<one>{_TYPE})\b(?:[^.;\n]{{0,30}}?(?:,\s*|\s)(?:or|otherwise|else)\s|\s*\|\s*)(?:an?\s|else\s)?(?P<two>{_TYPE})\b",
    re.IGNORECASE,
)
_FAMILY = {"text": "string", "integer": "number", "float": "number", "bool": "boolean", "list": "array"}
_OPEN_TYPE = re.compile(rf"\b(?:as an?|of type|type:?)\s+(?:{VARIABLE.pattern})")
# "Solver or Judge", as the whole value
_EITHER = re.compile(r"[A-Z]\w*(?:,? or [A-Z]\w*)+[.\"']*")


def _of_keys(document: PromptText, leaves: Sequence[KeyOfSchema], *, of_text: bool) -> Iterator[str]:
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
            lacks = [lack for leaf in same if (lack := _lack(leaf, said, of_text=of_text))]
            if len(lacks) == len(same):
                words, what = lacks[0]
                line = document.line(said.start)
                yield f"line {line}: {words!r} is said of {name!r}, which was read {what}"


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


def _lack(leaf: KeyOfSchema, said: SaidOfKey, *, of_text: bool) -> tuple[str, str] | None:
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
        or _range_lacks(leaf, bare)
        or _labels_lack(leaf, text, quoted=quoted, value=said.value)
        or _null_lacks(leaf, text)
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


def _range_lacks(leaf: KeyOfSchema, bare: str) -> tuple[str, str] | None:
    if leaf.listed:
        count = _COUNT.search(bare) if not {"minItems", "maxItems"} & set(leaf.node) else None
        return (shortened(count[0]), "without a count") if count else None
    if leaf.bounded:
        return None
    numeric = bool(leaf.kinds & {"number", "integer"})
    ranged = _RANGE_SAID.search(bare) or ((_RANGE.search(bare) or _LEAST.search(bare)) if numeric else None)
    return (shortened(ranged[0]), "without a range") if ranged else None


def _labels_lack(leaf: KeyOfSchema, text: str, *, quoted: bool, value: bool) -> tuple[str, str] | None:
    if leaf.labelled or leaf.kinds & {"boolean", "object", "number", "integer"}:
        return None
    either = _EITHER.fullmatch(text.strip()) if quoted and not leaf.listed else None
    listed = _ONE_OF.search(_QUOTED.sub('""', text)) or ((_BARRED.match(text) or either) if value else None)
    if listed is None or VARIABLE.search(text, listed.start()):
        return None
    return (shortened(listed[0]), "without labels") if listed.start() < (_NEAR // 2 if quoted else _NEAR) else None


def _null_lacks(leaf: KeyOfSchema, text: str) -> tuple[str, str] | None:
    null = _NULL.search(text)
    if null is None or leaf.nullable or leaf.labelled or _NOT_NULL.search(text[: null.end()]):
        return None
    return shortened(text[max(0, null.start() - 20) : null.end()]), "without null"


# ---- what a form shows -----------------------------------------------------------------------------------------------

_KINDS_SHOWN = re.compile(
    rf"(?:{_TYPE}|str|int|date|number|value|\w*string|n/?a|none|null|true|false|yes|no)", re.IGNORECASE
)


def _heading_lists(document: PromptText, leaf: KeyOfSchema) -> re.Match[str] | None:
    """A heading that names a key, with two or more labels in quotation marks below it, one a line."""
    return re.search(
        rf"^[ \t#*]*{re.escape(leaf.name)}\b[^\n]*\n(?:[=-]{{3,}}\n|[ \t]*\n)?(?:[ \t]*(?:[-*•][ \t]+)?[\"'`][^\"'`:\n]+[\"'`](?![ \t]*:)[^\n]*\n){{2}}",
        document.text,
        re.IGNORECASE | re.MULTILINE,
    )


# Without these no key has such a list.
_QUOTED_LINES = re.compile(r"^[ \t]*(?:[-*•][ \t]+)?[\"'`][^\"'`:\n]+[\"'`]", re.MULTILINE)
_NAMES_LISTED = re.compile(r"[\"']\s*:\s*\[\s*[A-Za-z_]\w*\s*,")


def _unsaid(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels below a heading, and lists whose items are only named: ``[left, right]``."""
    text = document.text
    quoted = _QUOTED_LINES.search(text)
    for leaf in leaves:
        if leaf.labelled or leaf.kinds - {"string", "null"}:
            continue
        if quoted and (heading := _heading_lists(document, leaf)):
            yield f"line {document.line(heading.start())}: labels of {leaf.name!r} are listed, and were not read"
        names = _NAMES_LISTED.search(text) and re.search(
            rf"[\"']{re.escape(leaf.name)}[\"']\s*:\s*\[\s*(?!(?:{_KINDS_SHOWN.pattern})\b)[A-Za-z_]\w*\s*,",
            text,
            re.IGNORECASE,
        )
        if names:
            yield f"line {document.line(names.start())}: nothing says what the items of {leaf.name!r} are"


_OPEN = re.compile(rf"(?P<open>\.\.\.|…|[A-Z][A-Z_]*|(?:{VARIABLE.pattern})+)\s*(?:[,}}\n])")
_NOT_THAT = re.compile(r"(?!null\b)\S")
_WORD = re.compile(r"\[?\s*[\"'](?P<sample>[A-Za-z][\w-]{2,40})[\"']")


def _shown(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Values of a form that say no type, and samples that are labels of a list elsewhere."""
    text = document.text
    for leaf in leaves:
        if leaf.labelled or leaf.kinds - {"string", "null"}:
            continue
        key = rf"[\"']{re.escape(leaf.name)}[\"']\s*:\s*"
        spoken = list(said_of(document, leaf, ()))
        for match in values_shown(text, leaf.name, _OPEN):
            if len(spoken) < 2 or match["open"] not in ("...", "…"):
                line = document.line(match.start("open"))
                yield f"line {line}: nothing says what {leaf.name!r} is, which is shown as {shortened(match['open'])!r}"
        if (
            len(spoken) < 2
            and (null := next(values_shown(text, leaf.name, _NULL), None))
            and not any(values_shown(text, leaf.name, _NOT_THAT))
        ):
            yield f"line {document.line(null.start())}: nothing says what {leaf.name!r} is, which is shown as null"
        for match in values_shown(text, leaf.name, _WORD):
            sample = match["sample"]
            if _KINDS_SHOWN.fullmatch(sample) or re.search(r"\d|XX|YYY", sample) or sample.lower() == leaf.name.lower():
                continue
            elsewhere = re.compile(
                rf"^[ \t]*(?:[-*•#]+|\d+[.)])[ \t]*[\"'`*]*{re.escape(sample)}[\"'`*]*(?=[ \t]*(?:[-–—:(]|$))|(?<=/ ){re.escape(sample)}\b|\b{re.escape(sample)}(?= /)",
                re.MULTILINE,
            )
            rest = text[: match.start("sample") - 1] + " " * (len(sample) + 2) + text[match.end("sample") + 1 :]
            rest = re.sub(rf"{key}\[?\s*[\"']{re.escape(sample)}[\"']", lambda same: " " * len(same[0]), rest)
            if label := elsewhere.search(rest):
                line = document.line(label.start())
                yield f"line {line}: {sample!r} is shown as {leaf.name!r} and is in a list; its other labels were not read"


def _set_to(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A text that sentences set to one word or another: 'set `flag` to "SEEN"'."""
    for leaf in leaves:
        if leaf.labelled or "string" not in leaf.kinds or len(leaf.name) < _SHORTEST:
            continue
        name = re.escape(leaf.name)
        words = re.findall(
            rf"(?<!\w){name}[\"'`*]*(?: field)? (?:to|is|as|must be|should be|=) [\"'`](\w+)[\"'`]",
            document.text,
            re.IGNORECASE,
        )
        if len({word.casefold() for word in words}) > 1:
            yield f"{leaf.name!r} may be {words[0]!r} or {words[1]!r}, as the prompt says, and was read without labels"


_SHORTEST = 3


def _kinds_shown(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A text that the form shows as one identifier here and as another there, and true or false in quotation marks."""
    shown = form_of(document, found)
    for leaf in leaves:
        key = rf"[\"']{re.escape(leaf.name)}[\"']\s*:\s*"
        if leaf.kinds == {"string"} and not leaf.labelled:
            words = sorted(set(re.findall(rf"{key}\"([a-z]+(?:_[a-z]+)*|[A-Z]+(?:_[A-Z]+)*)\"", shown)))
            if len(words) > 1 and (_KIND.search(leaf.name) or all("_" in word for word in words)):
                yield f"{leaf.name!r} is shown as {words[0]!r} and as {words[1]!r}: its labels were not read"
        known = {label.casefold() for label in leaf.labels}
        for word in re.findall(rf"{key}\"([a-z]{{3,}})\"\s*[,}}]", document.text):
            if known and "string" in leaf.kinds and word.casefold() not in known | {leaf.name.casefold(), "string"}:
                yield f"{leaf.name!r} is shown as {word!r}, which is not among its labels"
        if (
            leaf.kinds == {"boolean"}
            and re.search(rf"{key}\"<?(?:True|False)\W", shown)
            and re.search(r":\s*<\w", shown)
        ):
            yield f"{leaf.name!r} is shown in quotation marks, and was read as a boolean"


_KIND = re.compile(
    r"(?:type|kind|category|class|label|status|state|level|intent|action|mode|tone|sentiment|priority|severity|verdict|decision|result|stage|role|source|outcome)\Z",
    re.IGNORECASE,
)


def _unlike(leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A key that is a number in one place and a text of any kind in another."""
    texts = {leaf.name: leaf for leaf in leaves if leaf.kinds == {"string"} and not leaf.labelled}
    for leaf in leaves:
        numeric = leaf.name in texts and leaf.kinds & {"number", "integer"} and leaf.bounded
        if numeric:
            yield f"{leaf.name!r} was read as a number in one place and as a text in another"


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


def _null_of_none(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A sentence that lets values be null, if no field may be."""
    if any(leaf.nullable or None in leaf.value.get("enum", ()) for leaf in leaves):
        return
    for sentence in _SENTENCE.finditer(document.text):
        said = _GIVEN_EMPTY.sub(" ", _QUOTED.sub(" ", sentence[0]))
        null = re.search(r"\bnull\b", said)
        if null and _ABSENT.search(said) and not _NOT_NULL.search(said):
            yield f"line {document.line(sentence.start())}: a value may be null, and no field that was read may be"
