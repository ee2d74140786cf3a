"""What words in and beside the place of a value say about it: its type, labels and range, and whether it may be null."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.schemas.make_strict import nullable
from promptopt.structured.fields import MASK, field_name
from promptopt.structured.prose.alternatives import NUMBER, PLAIN_WORD, TYPES, alternatives, labels_at_end
from promptopt.structured.prose.list_words import OBJECTS, list_of

RANGE = re.compile(
    r"(-?\d+(?:\.\d+)?)\s*%?(?:\s*\([^()\n]{1,40}\))?\s*(?:-|–|~|to|and|\.\.+)\s*(-?\d+(?:\.\d+)?)(?!\s*[-/]\s*\d)",
    re.IGNORECASE,
)
# Unquoted, Python's None is null as well; in a list of labels it is one of them.
_NULL = re.compile(
    r"\s*(?:,|\(|\|)?\s*(?:\||/|\bor\b|\belse\b)\s*[\"']?(?:null|nil|(?P<none>None))[\"']?(?![\w-])(?!\s*[/|,])[^/|]*$"
    r"|^[\"']?null[\"']?\s*(?:\||/|\bor\b)\s*(?P<other>.+)$",
    re.DOTALL,
)
# A quoted text that names its type, and goes on.
_NAMED_TYPE = re.compile(
    r"\A(?:an?\s+)?(?:(?:int|integer|float|bool|boolean|string|str)\b|(?:number|decimal)\b\s*(?:between|from|in|[(,\d]|\Z)|(?:list|array)(?:\s+of\s|\[|\Z))",
    re.IGNORECASE,
)
_BOOLEAN = re.compile(
    r"\A(?:either )?(?:true\s*(?:/|\||\bor\b)\s*false|false\s*(?:/|\||\bor\b)\s*true)\b(?P<rest>.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_TRUE_IF = re.compile(
    r"\A\s*(?:this will be |set to )?(?P<rest>true (?:if|when)\b.*\bfalse\b.*)\Z", re.IGNORECASE | re.DOTALL
)
# <true if somebody must come>, and nothing after it
_TRUE_ONLY = re.compile(r"(?P<rest>true (?:only )?(?:if|when) [^,;|]+)", re.IGNORECASE)
MAY_BE_NULL = re.compile(
    r"\b(?:(?:or |else |otherwise )?null|none) (?:if|when|for|unless)\b|\bor null\b|\belse null\b|\botherwise null\b|\bnullable\b|\boptional\b"
    r"|(?<!true )(?<!false )\bonly (?:if|when|for)\b|\bomit(?:ted)? (?:it )?(?:if|when|unless)\b|\b(?:may|can) be (?:null|omitted|left out)\b|\bif (?:any|available|known|present|applicable|stated|mentioned)\b",
    re.IGNORECASE,
)
_NUMERIC_NAME = re.compile(
    r"\b(score|rating|grade|stars|confidence|probability|correctness|readability|relevance|severity|priority|urgency)\b",
    re.IGNORECASE,
)
_NUMERIC = re.compile(
    r"\b(?P<whole>int(?:eger)?s?|whole numbers?)\b|\b(?P<any>numbers?|floats?|decimals?|numeric|double|percentages?|probability)\b"
    r"|\b(?:scores?|ratings?|grades?|confidence|scale)\b",
    re.IGNORECASE,
)
_GENERIC = (
    (re.compile(r"(?:list|array|sequence|tuple|set)(?:\[(.*?)\]|\s+of\s+(\w+?)s?)?$", re.IGNORECASE), "array"),
    (re.compile(r"(\w+)\[\]$"), "array"),
    (re.compile(r"(?:list|array)_of_(\w+?)s?$", re.IGNORECASE), "array"),
)
# Plurals of one thing.
_ONE_TEXT = frozenset(
    re.findall(
        r"\S+",
        """notes comments details thoughts instructions remarks series news observations findings analysis status address
    class process progress focus basis summaries is has as this pros cons canvas bias stars describes means refers covers""",
    )
)


def number_range(low: str, high: str, *, whole: bool = True) -> dict[str, Any]:
    """A number from ``low`` to ``high``. ``0`` to ``1`` and anything with a point is not a whole number."""
    fraction = not whole or "." in low + high or (low, high) == ("0", "1")
    least, most = (float(low), float(high)) if "." in low + high else (int(low), int(high))
    if least >= most:
        return {}
    return {"type": "number" if fraction else "integer", "minimum": least, "maximum": most}


def is_numeric(name: str) -> bool:
    """Whether a field of this name holds a number: a score, a rating."""
    plain = field_name(name)
    return any(_NUMERIC_NAME.fullmatch(word) for word in plain.split("_")) and plain not in (
        "priority",
        "urgency",
        "severity",
    )


def numeric_names(text: str) -> list[str]:
    """The words of a text that name a number."""
    return [name.lower() for name in _NUMERIC_NAME.findall(text)]


def is_plural(name: str) -> bool:
    """Whether a key of this name holds several things."""
    last = field_name(name).rpartition("_")[2]
    return last.endswith("s") and not last.endswith(("ss", "is", "us")) and last not in _ONE_TEXT


def or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, which null satisfies too; as it was if its type is not known."""
    return dict(nullable(schema) if "type" in schema else schema)


def placeholder(text: str) -> dict[str, Any]:
    """What ``<positive/negative>`` or ``[0-100]`` stands for; ``{}`` if it does not say."""
    if listed := re.fullmatch(r"[<{(\s]*(\w+\[\])[>})\s]*", text):
        return bare_value(listed[1])
    inner = _inside(text)
    if inner.lower() in TYPES:
        return {"type": TYPES[inner.lower()]}
    if grades := re.fullmatch(r"\d{1,2}(?:,\s*\d{1,2})*,?\s+or\s+\d{1,2}", inner):
        numbers = [int(number) for number in re.findall(r"\d+", grades[0])]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return {"type": "integer", "minimum": numbers[0], "maximum": numbers[-1]}
    parts = [part.strip() for part in inner.split("/")]
    if len(parts) > 1 and not _BOOLEAN.match(inner) and all(PLAIN_WORD.fullmatch(part) for part in parts):
        return {"type": "string", "enum": list(dict.fromkeys(parts))}
    return {"type": "string", "enum": parts} if _are_phrases(parts) else bare_value(inner)


def _inside(text: str) -> str:
    """What a placeholder has inside of its brackets; brackets of its own and "<=" stay."""
    inner = text.strip().strip("<>[]{}()").strip()
    if inner.startswith("=") and f"<{inner[:1]}" in text:
        inner = f"<{inner}"
    for left, right in ("()", "[]"):
        missing = inner.count(left) - inner.count(right)
        inner += right * missing if 0 < missing <= text.count(right) else ""
    return inner


def _are_phrases(parts: list[str]) -> bool:
    """Whether "very easy", "easy", "hard" stand beside each other; "dog/cat/animal name" is the place of a name."""
    words = [part.split() for part in parts]
    if len(parts) < 3 or len(set(parts)) < len(parts) or any(len(said) not in (1, 2, 3) for said in words):
        return False
    named = len(words[-1]) > 1 and all(len(said) == 1 for said in words[:-1])
    return not named and all(
        PLAIN_WORD.fullmatch(word) and word.lower() not in TYPES for said in words for word in said
    )


def quoted_value(text: str) -> dict[str, Any]:
    """What a quoted text in a template stands for; always a text, unless it names another type."""
    lowered = text.strip().lower()
    if lowered in TYPES:
        return {"type": TYPES[lowered]}
    if noted := _NULL_NOTED.fullmatch(text.strip()):
        return {**or_null({"type": TYPES[noted["kind"].lower()]}), "description": noted["note"].strip()}
    if null := _without_null(text, quoted=True):
        null = null.strip("<> ") if null.count("<") != null.count(">") else null
        held = quoted_value(null)
        said = held == {"type": "string"} and " " in null and len(null) < _LONGEST_SAID
        return or_null({**held, "description": null} if said else held)
    if _BOOLEAN.fullmatch(text.strip()) or _TRUE_IF.match(text):
        return {"type": "boolean"}
    if choices := alternatives(text):
        return {"type": "string", "enum": choices}
    if labels := labels_at_end(text):
        labelled: dict[str, Any] = {"type": "string", "enum": labels}
        return {**labelled, "description": text} if len(text) < _LONGEST_SAID and MASK not in text else labelled
    inner = re.fullmatch(r"\s*[<\[](.+)[>\]]\s*", text)
    if inner:
        held = {"type": "string", **placeholder(inner[1])}
        return or_null(held) if held["type"] == "string" and _ELSE_NULL.search(text) else held
    if (typed := _NAMED_TYPE.match(text.strip())) or re.fullmatch(r"[\d.]+\s*(?:-|–|~|to)\s*[\d.]+", text.strip()):
        return {"type": "string", **bare_value(re.sub(r"\A(?:an?)\s+", "", text.strip()) if typed else text)}
    # Some words in a template say what belongs there; of an example they are dropped again.
    told = (
        len(text.split()) >= 3
        or text.endswith(("/...", ", ...", "/…"))
        or _DATE_FORM.fullmatch(text)
        or _BRIEF.match(text)
    )
    described = told and len(text) < _LONGEST_SAID and MASK not in text
    described = described and not text.rstrip().endswith("?")  # a question is a sample of an answer
    found = {"type": "string", "description": text} if described else {"type": "string"}
    return or_null(found) if _ELSE_NULL.search(text) or (described and _IF_KNOWN.search(text)) else found


_KNOWN = r"(?:known|available|any|applicable|present|given|stated|mentioned|provided|found|visible)"
# "the name of the port if known", "remark (optional)": there need be none
_IF_KNOWN = re.compile(rf"\((?:optional|if {_KNOWN})\)\W*\Z|\bif {_KNOWN}\W*\Z|\Aoptional\b", re.IGNORECASE)
# "string or null (YYYY-MM)", "string | null - the title as printed"
_NULL_NOTED = re.compile(
    r"(?P<kind>str|string|text|int|integer|float|number|bool|boolean)\s*(?:\||/|,?\s*\bor\b)\s*null\s*(?:[-–—:,;]\s*|(?=\())\(?(?P<note>[^\n]{3,250}?)\)?",
    re.IGNORECASE,
)
# Two words that are no sample of a value: "brief explanation", "your reason".
_BRIEF = re.compile(
    r"(?:brief|short|concise|detailed|exact|your|one-sentence) [a-z]+\Z"
    r"|.*\b(?:phrase|words?|sentences?|paragraphs?|lines?|characters|chars|tokens|verbatim|ISO|max)\b",
    re.IGNORECASE,
)
_LONGEST_SAID = 300
_ELSE_NULL = re.compile(r"\b(?:otherwise|else|or) null\b|: null\b|\bnull (?:if|when|otherwise)\b")
_DATE_FORM = re.compile(r"(?:[YMDHhms]{1,4}[-/.: T]){1,5}[YMDHhms]{1,4}Z?")


def _without_null(text: str, *, quoted: bool) -> str:
    """What a value is if it is not null: ``string or null`` is ``string``; empty if null is not said."""
    match = _NULL.search(text)
    if match is None:
        return ""
    held = (match["other"] or text[: match.start()]).strip(" ,;.(")
    # "low or None" are two labels; "Explicit deadline or None" is a text that there may be.
    label = " " not in held and held.lower() not in TYPES
    return "" if quoted and match["none"] and label else held


# "number between 0 and {{ budget }}"
_BOUND_BY_VARIABLE = re.compile(rf"(?P<kind>number|integer|int|float) (?:between|from|in)\b[^\n]*{MASK}", re.IGNORECASE)


def bare_value(text: str) -> dict[str, Any]:
    """What an unquoted value of a template stands for; ``{}`` if it does not say."""
    text = re.sub(r"(?<=\d)_to_(?=\d)", " to ", text.strip())
    text = re.sub(r"(?<=[a-z])_or_(?=null\b)", " or ", text)
    if MASK in text or not text or text.lower() in ("null", "none"):
        bound = _BOUND_BY_VARIABLE.match(text)
        return {"type": TYPES[bound["kind"].lower()]} if bound else {}
    if noted := _NULL_NOTED.fullmatch(text):
        return {**or_null({"type": TYPES[noted["kind"].lower()]}), "description": noted["note"].strip()}
    if null := _without_null(text, quoted=False):
        return or_null(bare_value(null.strip("\"'")))
    if boolean := _BOOLEAN.match(text) or _TRUE_IF.match(text) or _TRUE_ONLY.fullmatch(text):
        return _described("boolean", boolean["rest"])
    for pattern, kind in _GENERIC:
        if match := pattern.match(re.sub(r"\A(?:an?|the)\s+", "", text, flags=re.IGNORECASE)):
            inner = next((group for group in match.groups() if group), "").strip().lower()
            item = TYPES.get(inner) or TYPES.get(inner.removesuffix("s"), "integer" if inner == "indice" else None)
            if inner.removesuffix("s") in OBJECTS:
                item = "object"
            return {"type": kind, "items": {"type": item} if item else {}}
    words = re.sub(r"\A(?:an?|the|one|single)\s+", "", text.lower())
    listed = re.match(r"(?:[\w-]+ )?(?:list|array)s? of (?:[\w-]+ ){0,3}?(?P<what>[\w-]+)", words)
    if listed and (known := list_of(listed["what"], text)):
        return {**known, "description": text} if len(text) < 300 else known
    return _one_value(text)


_SHORT = 60
_BEGINS_RANGE = re.compile(r"-?\d+(?:\.\d+)?\s*(?:-|–|to)\s*-?\d")
# "0 to 1 (how much of it is true)"
_RANGE_NOTE = re.compile(r"-?[\d.]+\s*(?:-|–|to)\s*-?[\d.]+\s*\((?P<said>[^()\n]+ [^()\n]+ [^()\n]+)\)\W*")
_REDUCED = re.compile(r"(?:average|mean|sum) of \w")
_COUNTING = re.compile(
    r"(?:total |exact )?(?:number|count) of \w"
    r"|(?:\w+_(?:number|count|num|index)|(?:[\w-]+ ){0,3}(?:index|(?:line|page|row|step) number|rank))\Z"
)


def _marked_number(text: str) -> dict[str, Any]:
    """``number (integer)``, ``0.xx``: a number by signs that stand for its digits; ``{}`` if the text is none."""
    if listed := re.match(r"(?:integer|int|number) \((?P<codes>\d+(?:, ?\d+)*,? or \d+)\)", text):
        return {"type": "integer", "enum": [int(code) for code in re.findall(r"\d+", listed["codes"])]}
    if re.fullmatch(r"(?:number|numeric)\s*\((?:an? )?(?:integer|int|whole(?: number)?)\)", text):
        return {"type": "integer"}
    if re.fullmatch(r"\d*\.[xn#_?]+|[xn]\.[xn]+|n|#", text):
        return {"type": "number"}
    return {}


def _one_value(text: str) -> dict[str, Any]:
    lowered = re.sub(r"\A(?:an?|the|one|single)\s+", "", text.lower())
    first = re.split(r"[\s,.:;(\[]", lowered, maxsplit=1)[0]
    if (ranged := ranged_number(text)) and (len(text) < _SHORT or first in TYPES or _BEGINS_RANGE.match(text)):
        note = _RANGE_NOTE.fullmatch(text)
        return {**ranged, "description": note["said"]} if note else ranged
    if lowered in ("true", "false"):
        return {"type": "boolean"}
    if marked := _marked_number(lowered):
        return marked
    if re.fullmatch(r"(?:\w+[-_ ])?(?:json|args|arguments|parameters)?[-_ ]?(?:object|dict|dictionary|json)", lowered):
        return {"type": "object"}
    if NUMBER.fullmatch(text):
        # A 0 keeps a place and does not say that the number is whole.
        return {"type": "number" if "." in text or text == "0" else "integer"}
    if choices := alternatives(text):
        if all(NUMBER.fullmatch(part) for part in choices):
            return (
                {"type": "integer", "enum": [int(part) for part in choices]} if "." not in text else {"type": "number"}
            )
        return {"type": "string", "enum": choices}
    if counted := _COUNTING.match(lowered) or _REDUCED.match(lowered):
        return _described("integer" if counted.re is _COUNTING else "number", text)
    if first in TYPES and not (
        first in ("number", "text", "date") and re.match(r"\w+ (?!between|from|in |\()\w", lowered)
    ):
        rest = re.sub(r"\A(?:(?:an?|the|one|single)\s+)?\S+?(?:[\s,.:;(\[]+|\Z)", "", text, flags=re.IGNORECASE)
        labels = alternatives(rest.strip(" ()")) if TYPES[first] == "string" else []
        return {"type": "string", "enum": labels} if labels else _described(TYPES[first], rest)
    return _in_words(text)


def _in_words(text: str) -> dict[str, Any]:
    """A place that is described: a number if it says so; ``{}`` if one word or too many are there."""
    if given := AS_NUMBER.search(text):
        return _described(TYPES[given["kind"].lower()], text)
    return {"description": text} if " " in text and len(text) < _LONGEST_SAID else {}


# "her weight as a number"
AS_NUMBER = re.compile(r"\bas (?:an? )?(?:plain |single )?(?P<kind>number|integer|float|decimal)\b", re.IGNORECASE)


def _described(kind: str, rest: str) -> dict[str, Any]:
    description = rest.strip(" ().,:;-–\n")
    return (
        {"type": kind, "description": description} if " " in description and len(description) < 300 else {"type": kind}
    )


_OUT_OF_100 = re.compile(
    r"\b(?:score|mark|grade|rating|points?|number)s?\b[^.;\n]{0,40}\bout of 100\b|\A\W*out of 100\b", re.IGNORECASE
)


def ranged_number(text: str) -> dict[str, Any]:
    """``1-5``, ``integer between 1 and 5``, ``float (0.0 to 1.0)``: the number; ``{}`` if the text gives no range."""
    span = RANGE.search(text)
    said = next((one for one in _NUMERIC.finditer(text) if one["any"] or one["whole"]), _NUMERIC.search(text))
    alone = span is not None and re.fullmatch(r"[\s(\[<]*(?:from|between)?\s*", text[: span.start()], re.IGNORECASE)
    after = re.sub(r"\A\s*\([^()\n]{1,200}\)", "", text[span.end() :]) if span else ""
    if span is None and _OUT_OF_100.search(text):
        return number_range("0", "100")
    if span is None or not (said or (alone and not after.strip(" )]>%.,"))):
        return {}
    if re.search(
        r"\b(?:words?|sentences?|characters?|lines?|items?)\b", text[span.end() : span.end() + 14], re.IGNORECASE
    ):
        return {}
    found = number_range(span[1], span[2], whole=not (said and said["any"] and "percent" not in said[0].lower()))
    if found and said and said["whole"]:
        found = {**found, "type": "integer"}
    return found
