"""Whether the words that a model quotes for a value say its type: by a word, a unit, a sign, or a value that is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.by_model.question import ReadValue
from promptopt.structured.fields import MASK

_NUMERIC = re.compile(
    r"\b(?:int(?:eger)?s?|numbers?|numeric\w*|floats?|decimals?|double|percent(?:age)?s?|scores?|ratings?|grades?|counts?|how (?:many|much|sure|confident|likely|long|old)|amounts?|totals?|sum|average|mean"
    r"|probabilit\w+|confidence|prices?|costs?|fees?|tip|tax|discounts?|subtotal|salary|wage|years?|age|scale|quantit\w+|size|minutes|seconds|hours|days|weeks|months|index|rank|stars?|length|duration|rate|digits?|indices|weight|distance|height|width"
    r"|euros?|dollars?|usd|eur|gbp|cents?|met(?:re|er)s?|sqm|sq ?m|km|cm|mm|kg|grams?|kcal|calories|lit(?:re|er)s?|degrees|celsius|число|zahl|nombre|n[uú]mero)\b|[%€$£]"
    r"|\b0[.,]X+\b|\b[01]-(?:based|indexed)\b|\d\s?(?:-|–|to|or|and)\s?\d|(?<![\"'“])\b\d+(?:\.\d+)?\s*(?:[,}\]\n]|//|\Z)",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"\b(?:int(?:eger)?s?|whole numbers?)\b", re.IGNORECASE)
_FRACTION = re.compile(r"\b(?:floats?|decimals?|double|fraction(?:al)?)\b|\d\.\d", re.IGNORECASE)
_TRUTH = re.compile(r"\b(?:bool(?:ean)?s?|true|false|whether)\b", re.IGNORECASE)
_TRUTH_NAME = re.compile(r"(?:\A|[_a-z])(?:is|has|should|needs?|can|contains|requires?|was|are|must)(?:_|[A-Z])")
_LIST = re.compile(
    r"\[|\b(?:lists?|arrays?|all|each|every|multiple|several|one or more|zero or more|any|up to|at (?:most|least)|per line|bullets?|bulleted|sequence|set of|series|items|comma[- ]separated|numbered|tuple|collection)\b"
    r"|\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten)(?:\s?(?:-|–|to|or)\s?(?:\d+|two|three|four|five|six|seven|eight|nine|ten))? (?:[\w-]+ ){0,3}?[a-z]+s\b",
    re.IGNORECASE,
)
_TEXT = re.compile(r"\b(?:strings?|str|texts?|sentences?|words?|phrases?|paragraphs?)\b", re.IGNORECASE)
_SHOWN = {
    "number": re.compile(r"-?\d+(?:\.\d+)?(?=\s*(?:[,}\]\n]|\Z|//))"),
    "boolean": re.compile(r"(?:true|false)\b(?!\s+(?:if|when)\b[^,}\n]*\bstring)", re.IGNORECASE),
    # "[your score]", "[trust_score]": a place for one value
    "array": re.compile(r"\[(?!\s*(?:your |the |an? )?[a-z]+(?:_[a-z]+|(?<=your) [^\],]*)+\s*[\]:])"),
    "object": re.compile(r"\{(?!\{)"),
}
_TYPE_WORD = {
    "number": re.compile(
        r"[<(\[]?\s*(?:an? |the )?(?:int(?:eger)?|(?<!the )number|float|decimal|double)\b(?! (?:or|as|and|with|plus)\b|\s*\+)",
        re.IGNORECASE,
    ),
    "boolean": re.compile(r"[<(\[]?\s*(?:an? |the )?bool(?:ean)?\b", re.IGNORECASE),
    "array": re.compile(
        r"[<(]?\s*(?:an? |the )?(?:json )?(?:(?:list|array)\b|(?:up to |at most |at least )?(?:\d+|two|three|four|five|six|seven|eight|nine|ten)(?:\s?(?:-|–|to|or)\s?\w+)? (?:short )?(?!words\b|sentences\b|characters\b|lines\b|paragraphs\b|letters\b|digits\b)[a-z]+s\b)",
        re.IGNORECASE,
    ),
    "object": re.compile(r"[<(\[]?\s*(?:an? |the )?(?:json )?(?:object|dict(?:ionary)?)\b", re.IGNORECASE),
    "string": re.compile(r"[<(\[]?\s*(?:an? |the )?(?:string|str)\b", re.IGNORECASE),
}
_QUOTED_SAMPLE = re.compile(r"[\"“](?P<inner>[^\"”\n]*)")


def untyped(value: ReadValue, texts: Sequence[str], told: Sequence[str], at: str, *, json_form: bool) -> Iterator[str]:
    """Types that no word and no sign of the quotations proves, and types that they say and that were not read.

    Args:
        texts: The quotations.
        told: What the prompt says of the value where they are.
        at: Where that is, as the begin of a reason.
    """
    kinds = set(value.types) - {"null"}
    yield from _unproved(value, kinds, texts, told, at)
    if not value.path or value.path[-1] == "*" or not kinds:
        return
    if kinds == {"string"} and not value.labels:
        first = "\n".join(re.split(r"[.!?]\s", text[:_NEAR])[0] for text in told)
        yield from _no_text(value, texts, first, at, json_form=json_form)
    families = {_family(kind) for kind in kinds}
    for shown in _shown_as(value, told) if json_form else ():
        if shown not in families and not (shown == "string" and value.labels):
            yield f"{at}{value.shown} is read as {' or '.join(sorted(kinds))}, and is shown as {_ARTICLE[shown]}"
            return


def _family(kind: str) -> str:
    return "number" if kind == "integer" else kind


def _unproved(value: ReadValue, kinds: set[str], texts: Sequence[str], told: Sequence[str], at: str) -> Iterator[str]:
    nothing = f"{at}nothing in the words that are quoted for {value.shown} says that it is"
    near = "\n".join(text[:_NEAR] for text in told)
    if kinds & {"integer", "number"} and not _is_number(value, near, texts):
        yield f"{nothing} a number"
    if "boolean" in kinds and not _TRUTH.search("\n".join(texts)) and not _TRUTH_NAME.search(value.name):
        yield f"{nothing} true or false"
    if "array" in kinds and not _is_list(value, texts, told):
        yield f"{nothing} a list"
    if kinds == {"integer"} and not value.labels and _FRACTION.search(near) and not _WHOLE.search(near):
        yield f"{at}{value.shown} is a number with a fraction in the words that are quoted for it"
    if kinds == {"number"} and _WHOLE.search(near) and not _FRACTION.search(near):
        yield f"{at}{value.shown} is a whole number in the words that are quoted for it"


def _is_number(value: ReadValue, near: str, texts: Sequence[str]) -> bool:
    """Whether a number is said: by a word, a unit, a range, or the name of the value."""
    stated = value.minimum is not None or any(label.isdigit() for label in value.labels)
    several = re.compile(
        rf"(?<![\w-]){re.escape(value.name)}(?:,? (?:and )?\w+)*,? \((?:all |both )?(?:numbers|integers|floats|decimals)\)"
    )
    if value.name and any(several.search(text) for text in texts):
        return True
    return (
        stated
        or value.name == "line"
        or bool(_NUMERIC.search(near.replace("_", " ")) or _NUMERIC.search(value.name.replace("_", " ")))
    )


def _no_text(value: ReadValue, texts: Sequence[str], near: str, at: str, *, json_form: bool) -> Iterator[str]:
    if (typed := _SAID_TYPE.search(near)) and not _TEXT.search(near):
        yield f"{at}{typed[0].strip()!r} is said of {value.shown}, which was read as a text"
    listed = None if json_form else _LISTED.search(near)
    if several := listed[0] if listed else _several(value.name, texts):
        yield f"{at}{several!r} is said of {value.shown}, which was read as one text"


_OF_LISTS = re.compile(
    r"\[\s*\[|\b(?:lists?|arrays?) of (?:lists|arrays|pairs|tuples)\b|\b(?:pairs|rows|matrix)\b", re.IGNORECASE
)
_BEFORE = 60
_TEXT_SHOWN = r"[\"'”`*]*\s*[:=]\s*[\"'“](?!\s*(?:<|\[|(?:an? |comma[- ]separated )?(?:list|array)\b))"


def _is_list(value: ReadValue, texts: Sequence[str], told: Sequence[str]) -> bool:
    """Whether a word or a sign near a key says that it has several things."""
    if value.path and value.path[-1] == "*":
        return any(_OF_LISTS.search(text) for text in texts)
    own = re.compile(rf"(?<![\w-]){re.escape(value.name)}(?![\w-])") if value.name else re.compile(r"\A")
    for text in (*texts, *told):
        places = [match.start() for match in own.finditer(text)] or [0]
        for place in places:
            if value.name and re.compile(own.pattern + _TEXT_SHOWN).match(text, place):
                continue
            if _LIST.search(text, max(0, place - _BEFORE), place + len(value.name) + _NEAR):
                return True
    return False


_COUNT_WORD = r"(?:\d{1,2}|two|three|four|five|six|seven|eight|nine|ten)"


def _several(name: str, texts: Sequence[str]) -> str:
    """The words for a number of such things, if a key is their plural: "up to 3 findings"; empty if there are none."""
    if not name.endswith("s"):
        return ""
    own = re.compile(
        rf"(?<![\w.])(?!1\b){_COUNT_WORD}(?:\s?(?:-|–|to|or)\s?{_COUNT_WORD})?\s+(?:[\w-]+\s+){{0,2}}?{re.escape(name)}\b",
        re.IGNORECASE,
    )
    return next((match[0] for text in texts if (match := own.search(text))), "")


_NEAR = 90
_SAID_TYPE = re.compile(
    r"\b(?:whole number|real number|integers?|how many)\b(?!,? or [a-z\"'])|\bin (?:square |cubic |whole )?(?:percent|grams|kilograms|kg|met(?:re|er)s|km|euros?|dollars|usd|eur|cents|seconds|minutes|hours|kcal)\b(?!\W*(?:or|e\.g|with)\b)|(?<![\w.-])(?<!ISO )-?\d+(?:\.\d+)?\s?(?:-|–|\bto\b)\s?\d+(?:\.\d+)?(?![\w:/.-])(?!\s*-?\s*(?:words?|sentences?|char|lines?|para|bullet|tokens?|minutes|hours|days|weeks|months|years|items|points))(?!,? or [a-z\"'])|\b(?:as an?|is an?|must be an?|should be an?|given as an?) (?:integer|int|whole number|number|float|decimal|boolean|bool|list|array|object)\b(?! (?:or|of))|\((?:an? )?(?:integer|int|number|float|boolean|bool|list|array)\)",
    re.IGNORECASE,
)
_LISTED = re.compile(
    r"\b(?:bulleted list|bullet points|bullets|bulleted|(?:numbered )?list of|array of|one (?:per|on each) line|comma[- ]separated)\b",
    re.IGNORECASE,
)
_ARTICLE = {
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "string": "a text",
}


def _shown_as(value: ReadValue, texts: Sequence[str]) -> Iterator[str]:
    """What the value that follows a key in a quotation is: by its signs, or by the word for its type."""
    own = re.compile(
        rf"(?<![\w-]){re.escape(value.name)}(?![\w-])(?P<marks>[\"'”`*]*)(?:\s*(?:\(|[:=]|[-–—]\s)\s*[*`]*\s*|[ \t]{{2,}})"
    )
    for text in texts:
        for match in own.finditer(text):
            rest = text[match.end() :]
            if not rest.strip() or rest.startswith(MASK):
                continue
            inner = rest.lstrip("\"'“`<( ")
            if any(inner.startswith(label) for label in value.labels):
                continue
            if schema := _SCHEMA.match(rest):
                yield from () if schema["type"] is None else (_family(schema["type"]),)
                continue
            if _SHOWN["array"].match(rest) or _ARRAY_TYPE.match(inner):
                yield "array"
                continue
            for kind, pattern in _TYPE_WORD.items():
                if pattern.match(inner) and not re.match(r"[^,\n}]{0,40}\b(?:or|\|)\b", inner, re.IGNORECASE):
                    yield kind
                    break
            else:
                yield from (kind for kind, pattern in _SHOWN.items() if pattern.match(rest))
                # Words in quotation marks after a word are its labels; after a key in such marks they are its value.
                sample = _QUOTED_SAMPLE.match(rest) if match["marks"] else None
                if sample:
                    typed = _TYPED_SAMPLE.search(sample["inner"])
                    yield from () if typed else ("string",)


# A JSON schema that is shown
_SCHEMA = re.compile(r"\{\s*\"(?:type\"\s*:\s*(?:\"(?P<type>[a-z]+)\"|\[)|enum\"|anyOf\"|\$ref\")")
_ARRAY_TYPE = re.compile(r"\w+\s*\[\s*\]|(?:List|Array|list|array)[<\[]")
_TYPED_SAMPLE = re.compile(
    r"\d|<|true|false|\||/|\b(?:list|array|bool\w*|number|integer|int|float|object)\b", re.IGNORECASE
)
