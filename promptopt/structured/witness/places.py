"""A second reading of the values that a form shows: the schema of a key must be what its place shows, whole.

It shares no pattern with the readers that propose: it cuts out the value of each key and asks whether what stands there
(a text, a list, words set against each other, in any language) is what was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.witness.clauses import FREE
from promptopt.structured.witness.keys import KeyOfSchema, form_of, shortened, values_shown

_ANY = re.compile(r"\S")
_LONGEST = 600


def shown_otherwise(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Keys whose place shows something else than was read of them."""
    form = form_of(document, found)
    names = dict.fromkeys(leaf.name for leaf in leaves)
    for name in names:
        same = [leaf for leaf in leaves if leaf.name == name]
        for match in values_shown(form, name, _ANY):
            shown = _value(form, match.start())
            reasons = [why for leaf in same if (why := _differs(leaf, shown) or _comes_and_goes(leaf, shown, document))]
            if len(reasons) == len(same):
                yield f"{shortened(shown)!r} is shown as {name!r}, which was read {reasons[0]}"
        yield from _cases(document, name, same)
        texts = all(leaf.kinds <= {"string", "null"} and not leaf.labelled for leaf in same)
        for match in values_shown(form, name, _WORDS_NOTED) if texts else ():
            if not _of_place(match["said"]):
                yield f"{shortened(match['said'])!r} is said beside {name!r}, which was read without labels"
        numeric = all(leaf.kinds & {"number", "integer"} and not leaf.bounded for leaf in same)
        for match in values_shown(form, name, _NUMBERS_NOTED) if numeric else ():
            yield f"{shortened(match['said'])!r} is said beside {name!r}, which was read without these values"


# "...",  // energy, retail, health
_WORDS_NOTED = re.compile(
    r"[\"'](?:\.\.\.|…|)[\"']\s*,?[ \t]*(?://|#)\s*(?P<said>[A-Za-z][\w-]*(?:\s*[,/|]\s*(?:or )?[A-Za-z][\w-]*){2,}(?: or [\w-]+)?)[ \t.]*(?:\n|\Z)"
)


def _of_place(said: str) -> bool:
    """Whether a word of a list says what belongs in a place."""
    return any(FREE.search(part.strip()) for part in re.split(r"[,/|]|\bor\b", said))


# 3,  // 1, 2, 3, 5 or 8
_NUMBERS_NOTED = re.compile(r"[^\n/#]{1,20}(?://|#)\s*(?P<said>\d+(?:\s*[,/|]\s*\d+)+(?:\s*,?\s*or\s+\d+)?)")


def _value(form: str, start: int) -> str:
    """The value that begins at a place of a form, up to the comma, bracket or line end that ends it."""
    depth, quote = 0, ""
    for position in range(start, min(len(form), start + _LONGEST)):
        sign = form[position]
        if quote:
            if sign == quote and form[position - 1] != "\\":
                quote = ""
        elif sign in '"“':
            quote = "”" if sign == "“" else sign
        elif sign in "([{<":
            depth += 1
        elif sign in ")]}>":
            depth -= 1
            if depth < 0:
                return form[start:position].strip()
        elif depth <= 0 and sign in ",\n":
            return form[start:position].strip()
    return form[start : start + _LONGEST].strip()


_ONE_TEXT = re.compile(r"\"[^\"\n]*\"")
_TYPED_LIST = re.compile(
    r"\barrays?\b|\[\]|\[\s*\w|\blist\[|\blist<|\blists? of (?:\w+ )?(?:strings?|str|numbers?|integers?|ints?|floats?|objects?|dicts?|texts?)\b|\bcomma[- ]separated\b|\A\"list\"\Z",
    re.IGNORECASE,
)
_NUMERIC = re.compile(
    r"\d|\b(?:number|numeric|int|integer|float|double|decimal|percent\w*|score|rating|grade|points?|count|total|amount|probability|confidence|value|level|index|scale|age|year|n|x)s?\b|#|(?-i:\bN\b)",
    re.IGNORECASE,
)
# [<ids of the passages>]: numbers or texts, nothing says which
_IDS = re.compile(
    r"\[\s*<[^<>\"\n]*\b(?:ids?|indices|indexes|numbers|lines|pages|positions|ranks|scores|years)\b[^<>\"\n]*>",
    re.IGNORECASE,
)
_SET_AGAINST = re.compile(r"[A-Za-z][\w-]*[\"']?\s*(?:/|\||\bor\b|\bvs\.?)\s*[\"']?[A-Za-z][\w-]*", re.IGNORECASE)
# The word "or" of other languages between two values: "done 或 failed", "tak czy nie".
_OR_ELSEWHERE = re.compile(
    r"\A[\"“<(\[]?\s*(?P<first>[^\s\"<>,]+(?: [^\s\"<>,]+)?)(?:\s+(?:或|或者|或是|または|もしくは|또는|혹은|или|либо|або|чи|czy|lub|albo|oder|ou|o|u|nebo|anebo|alebo|vagy|sau|ili|eller|tai|või|vai|arba|veya|ya da|hoặc|atau|หรือ|या|أو|או|ή)\s+|(?<=[^\x00-\x7f])(?:或|或者|または|또는)(?=\S)|\s*(?:、|／|｜)\s*)"
    r"(?P<second>[^\s\"<>,]+(?: [^\s\"<>,]+)?)\s*[\"”>)\]]?\Z"
)
_BARS_ELSEWHERE = re.compile(
    r"\A[\"“<(\[]?\s*(?=[^\x00]*[^\x00-\x7f])[^\W\d_][\w ]{0,20}(?:\s*[/|／｜、]\s*[^\W\d_][\w ]{0,20})+\s*[\"”>)\]]?\Z"
)


# true | false | "unknown", TRUE / FALSE / UNCLEAR
_THIRD = re.compile(
    r"\btrue[\"']?\s*(?:[|/,]|\bor\b)\s*[\"']?false[\"']?\s*(?:[|/,]|,?\s*\bor\b)\s*[\"']?(?!null\b|none\b)[a-z_]",
    re.IGNORECASE,
)
# ["between 3 and 5 points"]
_COUNTED = re.compile(
    r"\[\s*[\"'<]+\s*(?:list |give |a list of )?(?:between |exactly |up to |at most |at least |max(?:imum)?(?: of)? )?\d{1,2}(?:\s?(?:-|–|to|and)\s?\d{1,2})? (?!words?\b|sentences?\b|characters?\b|chars\b|lines?\b|paragraphs?\b|tokens?\b|word\b)[a-z]",
    re.IGNORECASE,
)
# "<same scale as rating>"
_SAME_AS = re.compile(
    r"\bsame (?:scale|labels?|values?|options?|categories|classes|choices|levels)\b|\b(?:see|as) (?:above|below)\b",
    re.IGNORECASE,
)
# "A-F"
_FROM_TO = re.compile(r"[\"“<(\[]*[A-Z](?:\s?[-–]\s?|\s(?:to|through)\s)[A-Z][\"”>)\]]*")


def _several(shown: str) -> bool:
    """Whether a place holds a list of short values: "+, - or empty"."""
    listed = re.fullmatch(r"[\"“<(\[]+(?P<list>[^\"“”<>()\[\]\n]{3,80})[\"”>)\]]+", shown)
    parts = re.split(r"\s*,\s*(?:or\s+)?|\s+or\s+", listed["list"]) if listed and " or " in listed["list"] else []
    return (
        len(parts) > _PAIR
        and all(0 < len(part.split()) <= _PAIR for part in parts)
        and not any(FREE.search(part) for part in parts)
    )


_PAIR = 2


def _differs(leaf: KeyOfSchema, shown: str) -> str | None:
    """As what a key was read, if its place shows something else; ``None`` if it does not."""
    kind = leaf.node.get("type")
    kinds = {kind} if isinstance(kind, str) else set(kind or ())
    if _ONE_TEXT.fullmatch(shown) and kinds == {"array"} and not _TYPED_LIST.search(shown):
        return "as a list"
    if re.match(r"\[\s*[\"{]", shown) and kinds and "array" not in kinds:
        return "as no list"
    items = leaf.node.get("items")
    if (
        isinstance(items, dict)
        and items.get("type") == "array"
        and not re.match(r"\[\s*(?:\[|//)|[^\[]*\b(?:lists?|arrays?) of (?:lists?|arrays?)", shown)
    ):
        return "as a list of lists"
    if leaf.listed and leaf.kinds == {"string"} and _IDS.match(shown):
        return "as texts"
    if leaf.kinds and leaf.kinds <= {"number", "integer"} and not leaf.labelled:
        plain = re.sub(r"\b(?:null|none)\b", "", shown, flags=re.IGNORECASE)
        if _SET_AGAINST.search(plain) and not _NUMERIC.search(plain):
            return "as a number"
    if leaf.kinds and leaf.kinds <= {"boolean", "null"} and _THIRD.search(shown):
        return "as true or false"
    if leaf.listed and not {"minItems", "maxItems"} & set(leaf.node) and _COUNTED.match(shown):
        return "without a count"
    return (
        _text_differs(shown)
        if leaf.kinds and leaf.kinds <= {"string", "null"} and not (leaf.labelled or leaf.listed)
        else None
    )


def _text_differs(shown: str) -> str | None:
    """As what an open text was read, if its place shows values."""
    if _SAME_AS.search(shown) or _FROM_TO.fullmatch(shown) or _several(shown):
        return "without labels"
    either = _OR_ELSEWHERE.match(shown)
    if (either and either["second"].strip("\"' ") != "null") or _BARS_ELSEWHERE.match(shown):
        return "without labels"
    return None


# "integer, only if it is shut", "string (optional)": there is none in other cases
_SOMETIMES = re.compile(
    r"(?:(?<!true )(?<!false )\b(?:only (?:if|when|for)|if (?:any|available|applicable|present|known|stated|given|mentioned|provided)|optional(?:ly)?|where applicable)\b)(?![^\n]*(?:\"\"|''|\b(?:else|otherwise|empty|unknown|none)\b))",
    re.IGNORECASE,
)


def _comes_and_goes(leaf: KeyOfSchema, shown: str, document: PromptText) -> str | None:
    """As what a value was read that there is in some cases only, if it has nothing for the others."""
    if leaf.nullable or leaf.listed or leaf.kinds & {"array", "object"} or _SOMETIMES.search(shown) is None:
        return None
    # "Leave an empty string where nothing is found."
    empty = leaf.kinds == {"string"} and re.search(
        r"\bempty (?:strings?|texts?|values?)\b", document.text, re.IGNORECASE
    )
    return None if empty else "without null"


_ORDER = r"\b(?:output|return|respond with|reply with|answer with|answer|respond|reply|give|use|set|write|print|assign)\b[^.\n{}]{0,30}"


# 'Return {"answer": "yes"} or', in the line of such an object
_SETS = re.compile(
    r"\b(?:output|return|respond with|reply with|answer with|answer|respond|reply|give|write|print)\b[^\n]*\Z|\bor\s*[`\"']?\Z",
    re.IGNORECASE,
)


def _cases(document: PromptText, name: str, same: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Values of a key that orders set case by case: 'Output {"Grade": "1"} if', 'Output {"Grade": "2"} if'."""
    known = {label.casefold() for leaf in same for label in leaf.labels}
    if any(leaf.kinds - {"string", "null"} for leaf in same):
        return
    cases = list(
        re.finditer(
            rf"{_ORDER}\{{+\s*[\"']{re.escape(name)}[\"']\s*:\s*[\"'](?P<value>[^\"'\n]{{1,40}})[\"'][^{{}}\n]{{0,80}}\}}+\W{{0,4}}(?:if|when|for|otherwise|in case|to indicate)\b",
            document.text,
            re.IGNORECASE,
        )
    )
    cases += [
        match
        for match in re.finditer(
            rf"\{{+\s*[\"']{re.escape(name)}[\"']\s*:\s*[\"'](?P<value>[^\"'\n]{{1,40}})[\"']\s*\}}+", document.text
        )
        if _SETS.search(document.text[document.text.rfind("\n", 0, match.start()) + 1 : match.start()])
    ]
    values = {case["value"].casefold() for case in cases}
    if len(values) > 1 and not values <= known:
        line = document.line(cases[0].start())
        yield f"line {line}: {cases[0]['value']!r} and others are what {name!r} is in some case, which was read without labels"


def lines_otherwise(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Numbers of labelled lines whose place names several, or that were read as any number: "Score: <0, 0.5 or 1>"."""
    for leaf in leaves:
        if leaf.bounded or not leaf.kinds or leaf.kinds - {"number", "integer", "boolean"}:
            continue
        name = re.escape(leaf.name).replace("_", r"\W+")
        for place in re.finditer(
            rf"^\W*{name}\W*:\s*[<\[({{](?P<said>[^>\])}}\n]*)", document.text, re.IGNORECASE | re.MULTILINE
        ):
            third = leaf.kinds == {"boolean"} and _THIRD.search(place["said"])
            if third or (leaf.kinds != {"boolean"} and len(re.findall(r"\d+(?:\.\d+)?", place["said"])) > 1):
                line = document.line(place.start("said"))
                yield f"line {line}: {shortened(place['said'])!r} is the place of {leaf.name!r}, which was read without them"
