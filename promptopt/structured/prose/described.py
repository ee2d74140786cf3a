"""What a description or a comment beside a value says of it: "an integer from 1 to 5", "list of up to 3 tags", "true if it is late"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptopt.structured.prose.alternatives import (
    LABELS,
    NUMBER,
    ONE_QUOTED,
    QUOTE,
    TYPES,
    WORD_LABEL,
    alternatives,
    noted_labels,
)
from promptopt.structured.prose.counts import number_of
from promptopt.structured.prose.list_words import AT_MOST, TO_TEN, list_of
from promptopt.structured.prose.plain_labels import whole_list
from promptopt.structured.prose.wording import (
    AS_NUMBER,
    MAY_BE_NULL,
    RANGE,
    is_numeric,
    is_plural,
    number_range,
    or_null,
    ranged_number,
)

_COUNTED = re.compile(
    r"\W*(?:the |total |an? )*(?:(?:number|count) of \w|(?:[\w-]+ ){0,2}(?:line|page|row|step) number\b)|[^.,;]{0,40}\b[01]-(?:based|indexed)\b",
    re.IGNORECASE,
)


def described(name: str, text: str) -> dict[str, Any] | None:
    """The value of a named key, of which prose says ``text``; ``None`` if it is an object whose form is not known."""
    found = stated(text)
    if found is None:
        return None
    if not set(found) & {"type", "enum"} and (labels := _whole_list(name, text)):
        found = {"type": "string", "enum": labels}
    if not set(found) & {"type", "enum"}:
        if is_numeric(name):
            kind: dict[str, Any] = {"type": "number"}
        else:
            kind = {"type": "array", "items": {"type": "string"}} if is_plural(name) else {"type": "string"}
        found = or_null({**kind, **found}) if _says_null(text) else {**kind, **found}
    return found


_OR_NULL = re.compile(
    r"[,;]?\s*\b(?:or|else)\s+null\b[^,;.()]*|[,;]\s*null (?:if|when|where|unless)\b[^,;.()]*|\(\s*\)"
)


def _whole_list(name: str, text: str) -> list[str]:
    """The labels of a text that is nothing but a list, in brackets or not, beside null."""
    plain = _OR_NULL.sub("", text).strip()
    enclosed = re.fullmatch(r"\((?P<list>[^()\n]+)\)", plain)
    return whole_list(name, enclosed["list"] if enclosed else plain)


def _says_null(text: str) -> bool:
    negated = re.search(r"\b(?:not|never|no|non)[ -](?:be |use |return )?(?:null|None)\b", text)
    return negated is None and bool(MAY_BE_NULL.search(text) or re.search(r"\b(?:null|None)\b", text))


# "in [0, 1]", "in range [1,0]"
_IN_BRACKETS = re.compile(r"\b(?:in|within)(?: the)?(?: range)? \[(-?\d+(?:\.\d+)?),\s*(-?\d+(?:\.\d+)?)\]")


def stated(text: str) -> dict[str, Any] | None:
    """What a description says itself of its value; ``{}`` if nothing, ``None`` if an object whose form is not known."""
    words = re.sub(r"[*_]{2}|`", "", text).strip(" :–-\n")
    words = re.sub(r"\A(?:must|should|has to|can only) be (?:always |exactly )?", "", words, flags=re.IGNORECASE)
    words = _IN_BRACKETS.sub(lambda ends: "from {} to {}".format(*sorted(ends.groups(), key=float)), words)
    found = _kind_of(_OR_NULL.sub("", words))
    found = _with_least(found, words) if found else found
    # "true if the part can be left out" says it of the part.
    decided = found == {"type": "boolean"} and _DECIDES.match(words) and not re.search(r"\bnull\b", words)
    return or_null(found) if found and _says_null(words) and not decided else found


_DECIDES = re.compile(r"(?:a |an )?(?:bool(?:ean)?\W+)?(?:true|false) (?:if|when|only)\b", re.IGNORECASE)


_LETTERS = re.compile(r"\b(?i:letter) (?:from |between )?(?P<first>[A-H])(?: to | and |[-–])(?P<last>[B-Z])\b")


_CODES = re.compile(
    r"\A\W*(?:(?:an? )?(?:integer|int|number)\s*[(:,]\s*)?(?P<codes>\d+(?:\s*,\s*\d+)*\s*,?\s+or\s+\d+)(?![\w%]|\.\d)"
)


def _coded(words: str) -> dict[str, Any]:
    """The letters or numbers that a description begins with: "letter from A to D", "0 or 1, 0 for shut"; or is: "10".

    Several labels in one text are a text.
    """
    if _SEVERAL_IN_TEXT.search(words):
        return {"type": "string"}
    if NUMBER.fullmatch(words):
        return {"type": "number" if "." in words else "integer"}
    if span := _LETTERS.search(words):
        return {"type": "string", "enum": [chr(code) for code in range(ord(span["first"]), ord(span["last"]) + 1)]}
    if re.fullmatch(r"\d{1,2}(?:\s*,\s*\d{1,2}){1,9}", words.strip("() ")):
        return {"type": "integer", "enum": [int(one) for one in re.findall(r"\d+", words)]}
    listed = _CODES.match(words)
    return {"type": "integer", "enum": [int(one) for one in re.findall(r"\d+", listed["codes"])]} if listed else {}


def _kind_of(words: str) -> dict[str, Any] | None:
    head = words[:80]
    if re.search(r"\b(?:boolean|bool)\b|\btrue\s*(?:/|or|\||if|when)|\bfalse (?:if|otherwise)\b", words, re.IGNORECASE):
        return {"type": "boolean"}
    if coded := _coded(words):
        return coded
    if labels := _stated_labels(words):
        return {"type": "string", "enum": labels}
    if some := _SOME_TEXTS.match(head):
        return list_of("string", f"list of {some[0].strip(' (')}")
    if (listed := _LIST.search(head)) and not re.search(
        r"\b(?:string|text|sentence)\b", head[: listed.start()], re.IGNORECASE
    ):
        return list_of((listed["what"] or listed["item"] or "").lower(), words)
    if re.search(r"\A\W*(?:an?\s+)?(?:\w+\s+)?(?:object|dict(?:ionary)?)\b", head, re.IGNORECASE):
        return None
    if ranged := ranged_number(words) or _meant(words):
        return ranged
    kind = _plain_kind(head) or _noted(words)
    return {"type": kind} if kind else {}


# "1 = low, 5 = critical"
_MEANT = re.compile(
    r"\W*(?P<low>[01]) ?= ?[^,;=\n]+(?:[,;] ?\d{1,3} ?= ?[^,;=\n]+)*[,;] ?(?:and )?(?P<high>\d{1,3}) ?= ?[^,;=\n]+\Z"
)


def _meant(words: str) -> dict[str, Any]:
    """The scale whose grades a description explains, the least of them first; empty if it is none."""
    ends = _MEANT.match(words)
    return {**number_range(ends["low"], ends["high"]), "type": "integer"} if ends and int(ends["high"]) > 1 else {}


_YEAR = re.compile(r"\W*(?:the |a )?(?:four-digit )?year\W*", re.IGNORECASE)


def _plain_kind(head: str) -> str:
    """The type that a description begins with; empty if it begins with none."""
    if _COUNTED.match(head) or _YEAR.fullmatch(head):
        return "integer"
    return next((kind for kind, pattern in _HEADS if pattern.match(head)), "")


# "(up to 5 strings)"
_SOME_TEXTS = re.compile(
    r"\W*(?P<bound>exactly |up to |at most |at least |max(?:imum)?(?: of)? |no more than )?(?P<n>\d{1,2}|two|three|four|five|six|seven|eight|nine|ten)(?:(?: to |\s?[-–]\s?)\d{1,2})? (?:short |brief )?(?P<what>strings|texts|tags|labels|keywords|phrases|bullets|bullet points|items|names)\b",
    re.IGNORECASE,
)
_LEAST_SAID = re.compile(r"(?:\bat least|\bminimum|>=|≥) ?(?P<n>-?\d{1,6})\b(?!\.\d)", re.IGNORECASE)


def _with_least(found: dict[str, Any], words: str) -> dict[str, Any]:
    """A number with the least that its description says: "integer, at least 1"."""
    least = (
        _LEAST_SAID.search(words)
        if found.get("type") in ("integer", "number") and not set(found) & {"enum", "minimum"}
        else None
    )
    return {**found, "minimum": int(least["n"])} if least else found


def _noted(words: str) -> str:
    """The type that "whether", a note in brackets or "as a number" says; empty if nothing does."""
    if _WHETHER.match(words):
        return "boolean"
    if (noted := _NOTED.match(words)) and not _SOMETIMES.match(words):
        return TYPES[(noted["kind"] or noted["after"]).lower()]
    given = AS_NUMBER.search(words)
    return TYPES[given["kind"].lower()] if given else ""


_SOMETIMES = re.compile(r"\W*(?:if|when|only)\b", re.IGNORECASE)
# "(kcal, integer)"
_NOTED = re.compile(
    r"\(?[\w/ -]{1,20},\s*(?P<kind>integer|int|float|number|string)(?:\)|\Z)|[^()\n]{3,80}\((?P<after>integer|int|float|number|string|boolean)\)\W*\Z",
    re.IGNORECASE,
)
_WHETHER = re.compile(r"\W*(?:tells |says |states |indicates )?whether\b(?!.*\bor (?!not\b|null\b))", re.IGNORECASE)


# "string listing all that apply", "separate several of them with commas"
_SEVERAL_IN_TEXT = re.compile(
    r"\A\W*(?:an? )?(?:string|text)\b[^.\n]{0,30}\b(?:listing|with all|of all|all (?:applicable|that apply))\b|\b(?:comma|semicolon)[- ]separated (?:string|text)\b|\bseparate (?:multiple|several|them|the|all)\b[^.\n]{0,40}\b(?:with|by) (?:commas?|semicolons?)\b",
    re.IGNORECASE,
)


_LIST = re.compile(
    r"\b(?:list|array)s?\b(?:\s+of\s+(?:the |all |up to \w+ |\w+ing )?(?P<what>[\w-]+))?|\blist\[(?P<item>\w+)\]",
    re.IGNORECASE,
)


_HEADS = (
    (
        "integer",
        re.compile(
            r"\W*(?:an?\s+|the\s+)?(?:\w+\s+(?:as|in)\s+(?:an?\s+)?)?(?:integer|int|whole number)\b", re.IGNORECASE
        ),
    ),
    (
        "number",
        re.compile(
            r"\W*(?:(?:an?\s+)?(?:number|float|decimal|numeric(?: value)?)\b(?! of\b)|the number(?: (?:on|from|of) (?:the|this|that) scale| (?:above|below))?\W*\Z)",
            re.IGNORECASE,
        ),
    ),
    (
        "string",
        re.compile(r"\W*(?:an?\s+|the\s+)?(?:\w+\s+)?(?:string|text|sentence|explanation|summary)\b", re.IGNORECASE),
    ),
)


_CONDITIONAL = re.compile(
    rf"{QUOTE}([^\"'`“”‘’\n]{{1,40}}){QUOTE}(?=\s+(?:if|when|otherwise)\b)"
    rf"|\b(?:otherwise|else),?\s+(?:\w+\s+)?{QUOTE}([^\"'`“”‘’\n]{{1,40}}){QUOTE}",
    re.IGNORECASE,
)


# 'if it is shut: "a" (one way), "b" (two ways), or "c" (many). If it is open: "d"'
_EXPLAINED = re.compile(
    r"(?:{quoted}\s*\([^()\n]*\)\s*(?:,\s*(?:or\s+)?|\bor\s+)){{1,9}}{quoted}\s*\([^()\n]*\)".format(
        quoted=ONE_QUOTED.replace("(", "(?:", 1)
    )
)


_ELSEWISE = re.compile(rf"\bif\b[^.:\n]{{3,60}}:\s*{ONE_QUOTED}", re.IGNORECASE)


def _stated_labels(words: str) -> list[str]:
    """Labels that a description gives: "one of ...", a list of quoted words, or "answer 'yes' if ..., 'no' otherwise"."""
    said = [first or second for first, second in _CONDITIONAL.findall(words)]
    if len(set(said)) > 1:
        return list(dict.fromkeys(said))
    if explained := _EXPLAINED.search(words):
        further = _ELSEWISE.findall(words, explained.end())
        return list(dict.fromkeys([*re.findall(ONE_QUOTED, re.sub(r"\([^()]*\)", "", explained[0])), *further]))
    listed = re.search(
        rf"(?P<list>{QUOTE}[^\"'`“”‘’\n]{{1,40}}{QUOTE}(?:\s*(?:,|/|\||\bor\b|,\s*or\b)\s*{QUOTE}[^\"'`“”‘’\n]{{1,40}}{QUOTE})+)",
        words,
    )
    lead = words[: listed.start()] if listed else ""
    if listed and len(lead) < 60 and not re.search(r"\b(?:such as|e\.g|example|like)\b", lead, re.IGNORECASE):
        return list(dict.fromkeys(re.findall(rf"{QUOTE}([^\"'`“”‘’\n]+){QUOTE}", listed["list"])))
    plain = re.search(r"\b(?:one of|either|exactly)\b[^\n]{0,300}", words, re.IGNORECASE)
    if plain and "such as" not in words:
        return noted_labels(re.split(r"[.;]", plain[0])[0])
    # "(string): positive | neutral | negative"
    return alternatives(re.sub(r"\A\W*(?:string|str|text|enum)\b[\s):–-]+", "", words.strip("()")))


# '"port", "starboard", or "N/A"', and nothing else
_ONLY_QUOTED = re.compile(
    r"\W*{quoted}(?:\s*(?:,\s*(?:or\s+)?|\||/|\bor\b)\s*{quoted})+\W*".format(quoted=ONE_QUOTED.replace("(", "(?:", 1))
)
_AT_LEAST = re.compile(
    rf"\b(?:at least|minimum(?: of)?)\s+(?P<n>\d{{1,3}}|{TO_TEN})\b(?!\s*(?:words|characters|sentences))",
    re.IGNORECASE,
)
_FROM_TO = re.compile(r"\W*(?P<low>\d+)\s*(?:-|–|to)\s*(?P<n>\d{1,3}) (?!words|characters|sentences)[a-z]")
_ELSE_EMPTY = re.compile(r"\b(?:else|otherwise)\s+(?:\"\"|''|\[\])|\bempty (?:string|text|list|array)\b", re.IGNORECASE)


def with_note(schema: Mapping[str, Any], note: str, shown: str = "") -> dict[str, Any]:
    """A value's schema with what a comment beside it says.

    Args:
        shown: The value as the form has it: a comment that lists it with others lists labels.
    """
    labelled = _labelled(schema, note)
    listed = None if labelled else _with_listed(schema, note, shown)
    found = labelled or listed or _bounded(schema, note)
    kind = schema.get("type")
    if kind is None and "enum" not in found and shown.strip().lower() == "null" and (typed := _TYPED.search(note)):
        found["type"] = "integer" if typed["whole"] else "number" if typed["part"] else "string"
    if MAY_BE_NULL.search(note) and not _ELSE_EMPTY.search(note):
        found = or_null(found)
    known = found.pop("description", "")
    said = _SAYS_ALL.fullmatch(note) or (listed and _LISTS_ALL.fullmatch(note))
    note = "" if said else note.strip(" -–—:")
    if not known and not note:
        return found
    return {**found, "description": "; ".join(part for part in (known, note) if part)}


def _labelled(schema: Mapping[str, Any], note: str) -> dict[str, Any] | None:
    """A text with the labels that a comment gives in marks or after "one of"; ``None`` if it gives none."""
    if schema.get("type") not in (None, "string") or "enum" in schema:
        return None
    labels = noted_labels(note)
    if not labels and _ONLY_QUOTED.fullmatch(note):
        labels = list(dict.fromkeys(re.findall(ONE_QUOTED, note)))
    return {"type": "string", "enum": labels} if labels else None


def _bounded(schema: Mapping[str, Any], note: str) -> dict[str, Any]:
    """A value with the number of items, the range or the kind of number that a comment gives it."""
    found = dict(schema)
    kind = found.get("type")
    if kind == "array":
        most, least, span = AT_MOST.search(note), _AT_LEAST.search(note), _FROM_TO.match(note)
        if span and not most:
            low = int(span["low"])
            return found | ({"minItems": low} if low else {}) | {"maxItems": int(span["n"])}
        found |= {"maxItems": number_of(most["n"])} if most else {}
        found |= {"minItems": number_of(least["n"])} if least else {}
    elif kind in ("integer", "number") and (span := RANGE.search(note)):
        found |= {key: value for key, value in number_range(span[1], span[2]).items() if key != "type"}
    elif kind in (None, "integer", "number") and _WHOLE.match(note):
        found["type"] = "integer"
    return found


_WHOLE = re.compile(r"\W*(?:an? )?(?:integer|int|whole number)\b", re.IGNORECASE)
# A comment that has nothing but the labels: words, and signs between them.
_LISTS_ALL = re.compile(r"[\w \"'`“”|/,.-]+")
# What belongs where a form shows null.
_TYPED = re.compile(
    r"\b(?:(?P<whole>integer|int|whole number)|(?P<part>number|float|decimal)|string|text|(?:iso )?date|sentence|name|title|reason|quote|url|link|email)\b",
    re.IGNORECASE,
)
# What the type says already.
_SAYS_ALL = re.compile(r"\W*(?:an? )?(?:integer|int|whole number|string|number)\W*", re.IGNORECASE)
_STRING = re.compile(r"\"(?P<text>[^\"\n]+)\"")
_NULL = re.compile(r"\s*[,;(]?\s*(?:\bor )?\bnull\b[^,;|/]*\Z", re.IGNORECASE)
_ASIDE = re.compile(r"\s*\([^()]*\)")
# The list of a comment goes on, or has samples only.
_OPEN = re.compile(
    r"\b(?:e\.g|etc|such as|like|example|for instance|and so on|others?\s+\w|any|anything|something|whatever)\b|\.\.\.|…",
    re.IGNORECASE,
)
# The last label of a list that has all.
_LAST = frozenset(("other", "none", "unknown", "mixed", "unclear", "neither", "n/a"))
_SHORT = 3
_SURELY = 3


def _with_listed(schema: Mapping[str, Any], note: str, shown: str) -> dict[str, Any] | None:
    """A value whose comment is a list that it is in itself: ``"mail",  // mail, phone, chat``; ``None`` if it is none."""
    if not shown or "enum" in schema or "properties" in schema:
        return None
    shown = shown.strip()
    words = _ASIDE.sub("", _NULL.sub("", note)).strip(" .:")
    parts = [part.strip(" \"'`“”") for part in re.split(r"\s*[|/,]\s*(?:or\s+)?|\s+or\s+", words)]
    if _OPEN.search(note) or len(parts) < 2 or len(set(parts)) < len(parts):
        return None
    kind = schema.get("type")
    if kind == "integer" and shown in parts and all(NUMBER.fullmatch(part) for part in parts):
        return {"type": "integer", "enum": [int(part) for part in parts]} if "." not in words else None
    samples = [match["text"] for match in _STRING.finditer(shown)]
    if samples == ["..."] or shown in ('""', "..."):
        # No sample: the list has to say itself that there is no other one.
        samples = [part for part in parts if part.lower() in _LAST and len(parts) > _SURELY]
    if not samples or not set(samples) <= set(parts) or not _are_labels(parts, words):
        return None
    labelled = {"type": "string", "enum": parts}
    if kind == "array" and schema.get("items", {}).get("type", "string") == "string":
        return {**schema, "items": labelled}
    return labelled if kind in (None, "string") else None


def _are_labels(parts: Sequence[str], words: str) -> bool:
    short = all(WORD_LABEL.fullmatch(part) and len(part.split()) <= _SHORT for part in parts)
    # Of two words that a comma divides one may be a sample of another.
    set_apart = len(parts) >= _SURELY or re.search(r"[|/]|\bor\b", words) is not None
    return short and (set_apart or all(part.lower() in LABELS for part in parts))
