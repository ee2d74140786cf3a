"""What sentences say of the numbers that a form shows: a range, codes on a scale, that they are whole.

A clause is read once: which key it is about, and what it says of it up to the next key. A scale that no clause gives to a
key is that of the only number which is open.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.structured.fields import MASK, PromptText, field_name
from promptopt.structured.prose.key_labels import MARK, KeyClauses, words_of
from promptopt.structured.prose.wording import number_range

_N = r"-?\d{1,4}(?:\.\d+)?"
# "from 0 (harmless) to 4", "0-100 %", "between 1 and 5"
_SPAN = re.compile(
    rf"(?P<lead>\A|\(|\[|[:=,]|\b(?:integer|number|float|between|from|range|scale|of|is|be|in|rated|scored|within)\b)[\s:(\[]*(?P<low>{_N})\s?%?(?:\s?\([^()\d]{{1,40}}\)|\s?=\s?[A-Za-z][\w ]{{0,30}}?)?\s*"
    rf"(?P<joint>-|–|—|to|up to|through|and|,|\.\.\.?)\s*(?P<high>{_N})(?![\d.]*\d)(?![\w-])(?P<percent>\s?%)?(?=(?P<after>[^\n]{{0,20}}))",
    re.IGNORECASE,
)
# What may follow a scale; "0-3 pages" is none.
_FOLLOWS = re.compile(
    r"\s*(?:\Z|[.,;:)\]=(–—]|-\s|(?:where|inclusive|based|indicating|representing|meaning|for|with|how|if|depending|scale|and|or|on|of|that|which|percent|points?)\b)",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"\b(?:usually|typically|normally|about|around|roughly|approximately|e\.g|for example|for instance|such as|like|see|often|mostly|average|not|never|if|unless|when)\b|\b(?:pages?|lines?|sections?|years?|chapters?|steps?|rules?)\W*\Z",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"\b(?:integers?|int|whole (?:numbers?|percent)|index|rank|position|offsets?)\b", re.IGNORECASE)
_PART = re.compile(r"\b(?:float|decimal|fraction|real number|double)\b", re.IGNORECASE)
# "1 = emergency, 2 = within 24 hours", "1 for an outage, 2 for a question"
_CODE = re.compile(
    r"(?<![\w.,/-])(?P<code>-?\d{1,3})\s?(?:=|→|:(?!\d)|\bmeans\b|\bstands for\b|\bfor\b|\bif\b)\s*(?=[A-Za-z\"'`])"
)
# "1 easy, 2 medium, 3 hard", and nothing else
_PLAIN_CODES = re.compile(
    r"[\"'`*_]*\s*[:=(]\s*-?\d{1,2} [A-Za-z][a-z-]*(?: [a-z-]+){0,3}(?:[,;]\s*(?:and |or )?-?\d{1,2} [A-Za-z][a-z-]*(?: [a-z-]+){0,3})+[.)\s]*\Z"
)
_ENDS = 2
_WIDE = frozenset((4, 5, 6, 7, 9, 10, 100))
_LOWEST = frozenset((-100, -10, -5, -1, 0, 1))
_LAST_YEAR = 1000
_NEAR = 40
_FAR = 60
_BEFORE = 24


def with_number(name: str, schema: Mapping[str, Any], clauses: KeyClauses) -> dict[str, Any]:
    """A number with the range that clauses give its key, or as a whole one if they say so."""
    known = dict(schema)
    said = clauses.said_of(name)
    whole = any(_WHOLE.search(words[:_NEAR]) and not _HEDGED.search(words[:_NEAR]) for words in said)
    part = any(_PART.search(words[:_NEAR]) for words in said)
    if not _is_open(known):
        # A range that was read elsewhere, of a key that is said to be whole, or has a place and no kind.
        ends = float(known.get("minimum", 0.5)), float(known.get("maximum", 0.5))
        integral = known.get("type") == "number" and all(end.is_integer() for end in ends) and "enum" not in known
        placed = ends != (0, 1) and not part and clauses.shown(name, r"0(?=\s*[,}\n])")
        return {**known, "type": "integer"} if integral and (whole or placed) else known
    codes = [numbers for words in said if (numbers := _codes(words))]
    if codes and all(numbers == codes[0] for numbers in codes):
        return _coded(known, codes[0])
    found = [bounds for words in said for bounds in _bounds(words)] or list(_before(name, clauses))
    if found and all(bounds[:2] == found[0][:2] for bounds in found):
        kind = "integer" if whole or any(one for _, _, one in found) else "number" if part else ""
        return _bounded(name, known, *found[0][:2], clauses, kind)
    counts = not _CALLED.search(name) and any(_COUNTING.search(words[:_FAR]) for words in said)
    placed = counts and clauses.shown(name, r"(?:0|null)(?=\s*[,}\n])")
    if (whole or placed) and not found and known.get("type") in (None, "number"):
        return {**known, "type": "integer"}
    return known


# What is measured or paid for may have a part, although its sample is whole: 0.482 kg
_MEASURED = re.compile(
    r"(?:\A|_)(?:quantity|qty|amount|price|cost|total|subtotal|sum|tax|fee|tip|discount|balance|salary|wage|income|revenue|budget|weight|height|length|width|distance|duration|hours|temperature"
    r"|rate|volume|area|speed|dose|dosage|average|mean|percentage|percent|calories|kcal|kj|mg|mcg|kg|g|km|cm|mm|m|ml|l|liters?|litres?|grams|usd|eur|gbp)\Z"
)


def with_measure(name: str, schema: Mapping[str, Any], clauses: KeyClauses) -> dict[str, Any]:
    """A number that need not be whole, if nothing but its sample says that it is and its name is that of a measure."""
    known = dict(schema)
    if known.get("type") not in ("integer", ["integer", "null"]) or {"enum", "minimum", "maximum"} & set(known):
        return known
    sampled = clauses.shown(name, r"-?\d+(?=\s*[,}\n\]])")
    told = [*clauses.said_of(name), *clauses.shown(name, r"[^\n]*")]
    if not sampled or not _MEASURED.search(field_name(name)) or any(_SAID_WHOLE.search(words) for words in told):
        return known
    return {**known, "type": ["number", "null"] if "null" in known["type"] else "number"}


_BARE = re.compile(r"(?!(?:true|false|null|none|string|str|text|date|list|array|object)\b)[A-Za-z]\w*", re.IGNORECASE)


def with_bare_place(name: str, schema: Mapping[str, Any], clauses: KeyClauses) -> dict[str, Any]:
    """A number if its place is a word without the marks that texts have, of a measure: ``"fat_g": fat_grams``."""
    known = dict(schema)
    unknown = not set(known) & {"type", "enum", "anyOf"}
    if not (unknown and clauses.marks_texts and _MEASURED.search(field_name(name))):
        return known
    places = clauses.shown(name, r"[A-Za-z]\w*(?=\s*[,}\n])")
    marked = clauses.shown(name, r"[\"'“\[{]")
    return {**known, "type": "number"} if places and not marked and all(map(_BARE.fullmatch, places)) else known


def with_null_shown(name: str, schema: Mapping[str, Any], clauses: KeyClauses) -> dict[str, Any]:
    """A number or null, if null is shown beside a number and its name is that of a measure: ``"tax": 0.7, "tip": null``."""
    known = dict(schema)
    types = known.get("type")
    if types not in ("string", ["string", "null"]) or set(known) != {"type"} or not _MEASURED.search(field_name(name)):
        return known
    return {"type": ["number", "null"]} if clauses.null_beside_number(name) else known


_SAID_WHOLE = re.compile(
    r"\b(?:integers?|int|whole|round(?:ed)?|how many|(?:number|count) of|no decimals?)\b", re.IGNORECASE
)


# "is the number of the first wrong step", "counts the mistakes"
_COUNTING = re.compile(
    r"\bhow many\b|\b(?:count|number) of (?:[\w-]+ ){0,2}?[a-z-]{3,}s\b|\bnumber of the (?:first|last|best|right|correct|wrong|next)\b|\A[\"'`*_]* counts\b",
    re.IGNORECASE,
)
# What such a key holds is a name, even if it has digits.
_CALLED = re.compile(r"(?:number|no|id|code|name|title|ref(?:erence)?)\Z", re.IGNORECASE)


# " is 0, 1 or 2", ": one of 0, 7, 19", " must be 1 or 2"
_LISTED = re.compile(
    r"[\"'`*_]*\s*(?:[:=]|(?:is|are)\b|(?:must|should|can|may|has to|will)(?: only)? be\b)[^.;\n\d]{0,40}?(?:\b(?:either|one of)\b:?\s*)?(?<![\w.,])(?P<codes>-?\d{1,3}(?:\s*[,/|]\s*-?\d{1,3})*\s*(?:,?\s*\bor\b|[,/|])\s*-?\d{1,3})(?![\w%]|\.\d|\s*(?:words|sentences|times|points)\b)"
)


# "1 (high), 2 (medium) or 3 (low)"
_MEANINGS = re.compile(r"(?<=\d) ?\([^()\d]{1,40}\)(?= ?(?:,|or\b|\.|\Z))")


def _codes(said: str) -> list[int]:
    """The numbers that a clause lists as what its key is one of; empty if it lists none."""
    said = _MEANINGS.sub("", said)
    listed = _LISTED.match(said)
    if listed is None or _HEDGED.search(said[: listed.start("codes")]) or MASK in listed[0]:
        return []
    several = re.search(r"\bor\b|[/|]", listed["codes"]) or "one of" in listed[0] or "either" in listed[0]
    numbers = [int(number) for number in re.findall(r"-?\d+", listed["codes"])]
    return numbers if several and len(set(numbers)) == len(numbers) else []


def _coded(schema: dict[str, Any], numbers: list[int]) -> dict[str, Any]:
    """A number that is one of some: a range if there is none between them that it is not."""
    low, high = min(numbers), max(numbers)
    nulls = ["null"] if "null" in _types(schema) else []
    plain = {**schema, "type": ["integer", *nulls] if nulls else "integer"}
    if sorted(numbers) == list(range(low, high + 1)):
        return {**plain, "minimum": low, "maximum": high}
    return plain if nulls else {**plain, "enum": numbers}


# "Use 1 if the label applies and 0 otherwise."
_ONE_OR_NONE = re.compile(
    r"\b(?:use|write|put|set|give|mark|answer|return|each|all|every|values?)\b[^.;\n]{0,40}\b(?:1 (?:if|when|for)\b[^.;\n]{3,80}\b0 (?:otherwise|if|when|for|else)\b|0 (?:if|when|for)\b[^.;\n]{3,80}\b1 (?:otherwise|if|when|for|else)\b)",
    re.IGNORECASE,
)


def with_one_or_none(schema: dict[str, Any], clauses: KeyClauses) -> dict[str, Any]:
    """A form whose numbers are all 0 or 1, as a sentence says that names none of them."""
    properties = schema.get("properties")
    said = _ONE_OR_NONE.search(clauses.text)
    if said is None or MASK in said[0] or not isinstance(properties, Mapping):
        return schema
    numbers = [name for name, child in properties.items() if _types(child) & {"integer", "number"}]
    open_ones = all(_is_open(properties[name]) and clauses.shown(name, r"[01](?=\s*[,}\n])") for name in numbers)
    if not numbers or not open_ones or _holds_numbers(schema):
        return schema
    coded = {name: _coded(dict(properties[name]), [0, 1]) for name in numbers}
    return {**schema, "properties": {**properties, **coded}}


def with_only_scale(schema: dict[str, Any], clauses: KeyClauses) -> dict[str, Any]:
    """A form with the one scale that an order gives, if only one of its numbers can have it."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return schema
    numbers = [name for name, child in properties.items() if _types(child) & {"integer", "number"}]
    free = [name for name in numbers if not {"minimum", "maximum", "enum"} & set(properties[name])]
    if len(numbers) != 1 or len(free) != 1 or COUNTS.search(field_name(free[0])) or _holds_numbers(schema):
        return schema
    found = {bounds[:2] for start, end in clauses.clauses for bounds in _asked(clauses.text[start:end])}
    if len(found) != 1:
        return schema
    child = _bounded(free[0], dict(properties[free[0]]), *found.pop(), clauses, "")
    return {**schema, "properties": {**properties, free[0]: child}}


def _is_open(schema: Mapping[str, Any]) -> bool:
    if {"enum", "minimum", "maximum", "properties", "items"} & set(schema):
        return False
    return bool(_types(schema) & {"integer", "number"}) or not _types(schema)


def _bounded(name: str, schema: dict[str, Any], low: str, high: str, clauses: KeyClauses, kind: str) -> dict[str, Any]:
    """A number with a range; of the kind that is said, else a whole one if its sample or nothing says otherwise."""
    bounds = number_range(low, high)
    if not bounds:
        return schema
    types = _types(schema)
    sampled = bool(clauses.shown(name, r"-?\d+(?=\s*[,}\n])"))
    known = kind or (bounds["type"] if not types or sampled else "number")
    return {**schema, **bounds, "type": [known, "null"] if "null" in types else known}


def _types(schema: Mapping[str, Any]) -> set[str]:
    kind = schema.get("type")
    return {kind} if isinstance(kind, str) else set(kind or ())


def _holds_numbers(schema: Mapping[str, Any]) -> bool:
    """Whether lists or objects of a form have numbers of their own."""
    return any(
        re.search(r"'(?:integer|number)'", str(child))
        for child in schema["properties"].values()
        if {"properties", "items"} & set(child)
    )


def _before(name: str, clauses: KeyClauses) -> Iterator[tuple[str, str, bool]]:
    """The ends of a scale that stands before its key: "Each answer gets 0-3 points"."""
    pattern = re.compile(
        rf"\b(?:gets?|gives?|award|assign|earns?|receives?|scores?)\b[^.;\n]{{0,30}}?(?P<low>{_N})\s?(?:-|–|to)\s?(?P<high>{_N}) {words_of(name)}\b",
        re.IGNORECASE,
    )
    for match in pattern.finditer(clauses.text):
        if MASK not in match[0] and float(match["low"]) in _LOWEST:
            yield match["low"], match["high"], False


def _bounds(said: str) -> Iterator[tuple[str, str, bool]]:
    """The ends of a scale in what is said of a key, and whether codes name each of its grades."""
    codes = [int(match["code"]) for match in _CODE.finditer(said)]
    steps = {later - earlier for earlier, later in itertools.pairwise(codes)}
    first = _CODE.search(said)
    if first and MASK not in said and not _HEDGED.search(said[: first.start()]) and len(codes) > 1:
        low, high = min(codes), max(codes)
        ends = len(codes) == _ENDS and high in _WIDE
        if low in _LOWEST and (steps in ({1}, {-1}) or ends):
            yield str(low), str(high), len(codes) > _ENDS
        return
    if plain := _PLAIN_CODES.match(said):
        grades = [int(one) for one in re.findall(r"-?\d+", plain[0])]
        if grades == list(range(grades[0], grades[0] + len(grades))) and grades[0] in (0, 1) and len(grades) > _ENDS:
            yield str(grades[0]), str(grades[-1]), True
        return
    spans = [match for match in _SPAN.finditer(said) if _is_scale(said, match)]
    if len({(match["low"], match["high"]) for match in spans}) == 1:
        yield spans[0]["low"], spans[0]["high"], False


def _is_scale(said: str, match: re.Match[str]) -> bool:
    if MASK in said[: match.end()] or _HEDGED.search(said[max(0, match.start() - _BEFORE) : match.start("low")]):
        return False
    if match["joint"] == "," and said[match.start("low") - 1] != "[":
        return False
    if match["joint"].lower() == "and" and not re.match(r"between|from", match["lead"], re.IGNORECASE):
        return False
    whole = match["low"].lstrip("-").isdigit() and int(match["low"]) >= _LAST_YEAR
    return not whole and float(match["low"]) < float(match["high"]) and _FOLLOWS.match(match["after"]) is not None


# What counts something has no scale of its own.
COUNTS = re.compile(
    r"(?:\A|_)(?:counts?|totals?|amounts?|prices?|costs?|fees?|years?|ages?|quantity|numbers?|num|n|index|idx|lines?|pages?|ids?|duration|minutes|seconds|hours|days|weeks|months|size|length|width|height"
    r"|weight|salary|budget|revenue|calories|grams?|distance|temperature|tax|sum|stock|servings|answers|errors)\Z|\A(?:num|n|no|count|total|max|min)_"
)
_ASKS = re.compile(
    r"(?:\A|[,:]\s|\b(?:and|then|please|to|must|should)\s)\s*(?:estimate|rate|score|grade|assess|judge|predict|evaluate|give|assign|state|say|determine|provide|return|report|what is|how (?:likely|sure|certain|confident|good|severe|relevant|strong))\b",
    re.IGNORECASE,
)


def _asked(clause: str) -> Iterator[tuple[str, str]]:
    """The scale in an order to estimate or to rate something."""
    text = re.sub(rf"\A{MARK}", "", clause)
    asks = _ASKS.search(text)
    spans = [match for match in _SPAN.finditer(text) if float(match["low"]) in _LOWEST]
    spans = [match for match in spans if asks and asks.start() < match.start() and _is_scale(text, match)]
    if len(spans) == 1:
        yield spans[0]["low"], spans[0]["high"]


# Words of a key that say that it counts: agent_count, number_of_rooms, num_beds
_COUNTING_WORDS = frozenset({"count", "number", "num", "nr", "no", "of", "total", "amount", "n"})
# What counts the items themselves
_PLACES = re.compile(r"(?:number|no|nr|index|id|order|rank|position|step)\Z", re.IGNORECASE)


def with_how_many(name: str, schema: Mapping[str, Any], document: PromptText) -> dict[str, Any]:
    """A whole number with the range that the task gives for how many there are, or with its first one."""
    known = dict(schema)
    if known.get("type") not in ("integer", ["integer", "null"]) or {"minimum", "maximum", "enum"} & set(known):
        return known
    found = _ranges(name, document.text) or _first(name, document.text)
    return {**known, **found[0]} if found and all(one == found[0] for one in found) else known


def _ranges(name: str, text: str) -> list[dict[str, int]]:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)]
    counted = [word.removesuffix("s") for word in words if word not in _COUNTING_WORDS]
    if not counted:
        return []
    noun = rf"{'[ _-]'.join(map(re.escape, counted))}(?:s|es)?"
    # "(1-5 agents)", "(1 to 5)" after "how many agents"
    said = re.compile(
        rf"\b(?:how many|number of) (?:[\w-]+ ){{0,2}}?{noun}\b[^.;\n()]{{0,80}}\((?:from |between )?(?P<low>\d{{1,3}})\s?(?:-|–|to|and)\s?(?P<high>\d{{1,3}})(?: {noun})?\)",
        re.IGNORECASE,
    )
    ends = [(int(match["low"]), int(match["high"])) for match in said.finditer(text) if MASK not in match[0]]
    return [{"minimum": low, "maximum": high} for low, high in ends if low < high]


def _first(name: str, text: str) -> list[dict[str, int]]:
    if not _PLACES.search(name):
        return []
    said = re.compile(
        rf"(?<![\w-])(?:{words_of(name)})s?(?![\w-])[^.;:\n{MASK}]{{0,30}}?\b(?:start(?:s|ing)?|begin(?:s|ning)?|count(?:s|ed|ing)?|number(?:ed|ing)?) (?:at|from|with) (?P<first>[01])(?!\w|\.\d)",
        re.IGNORECASE,
    )
    return [{"minimum": int(match["first"])} for match in said.finditer(text)]
