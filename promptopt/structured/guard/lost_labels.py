"""Labels that a prompt has for a value and that a model did not read: beside those that it read, or said of a free text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.by_model.question import ReadValue
from promptopt.structured.fields import MASK, PromptText
from promptopt.structured.guard.neighbours import beside_in_line, beside_in_lines, beside_in_options, same_lead
from promptopt.structured.guard.quotations import Proofs, Quoted
from promptopt.structured.witness.keys import shortened

_OF_TYPES = re.compile(
    r"\b(?:strings?|str|text|integers?|int|numbers?|floats?|bool(?:ean)?s?|arrays?|lists?|objects?|dict|dates?)\b",
    re.IGNORECASE,
)
TYPE_WORDS = frozenset(
    "string str text int integer float number bool boolean true false null none list array object dict date any value etc n/a optional".split()  # noqa: SIM905 - read as words
)


def labels_beside(document: PromptText, value: ReadValue, proofs: Proofs) -> Iterator[str]:
    """Items of the lists that the labels are in, and that are no labels."""
    known = set(value.labels)
    folded = {label.casefold() for label in known} | {"null", "etc"} | {other.name.casefold() for other in proofs}
    folded |= {"none"} if "null" in value.types else set()
    lines = document.text.split("\n")
    numbers = sorted(
        {
            n
            for quoted in proofs[value]
            for n in range(quoted.line, document.line(max(quoted.span.start, quoted.span.end - 1)) + 1)
        }
    )
    for number in numbers:
        found = [
            *beside_in_line(lines[number - 1], known),
            *beside_in_lines(document.text, number, known),
            *beside_in_options(document.text, number, known),
            *same_lead(document.text, number, known),
            *_for_cases(lines[number - 1]),
            *_codes(lines[number - 1], known),
            *(word for quoted in proofs[value] for word in _capitals(quoted.text, known)),
        ]
        for item in found:
            if _is_synonym(item, lines[number - 1], known):
                continue
            if item.casefold().strip() not in folded and MASK not in item and re.search(r"\w", item):
                yield f"line {number}: {item!r} stands beside the labels of {value.shown}, and is none of them"


def _is_synonym(item: str, line: str, known: set[str]) -> bool:
    """Whether a line says which label a word stands for: "'wet' or 'damp' = 'leaky'"."""
    said = re.search(
        rf"(?<!\w){re.escape(item)}['\"]?(?:\s*(?:,|or|/)\s*['\"]?\w+['\"]?)*\s*(?:=|->|→)\s*['\"]?(\w+)", line
    )
    return said is not None and said[1] in known


_CODE = re.compile(r"(?<![\w.-])(?P<code>-?\d{1,2}|[A-Z])\s+(?:for|if|when|means|=)\s")


def _codes(line: str, known: set[str]) -> list[str]:
    """Numbers and letters that a line sets for its cases, if some of them are labels: "1 for spam, 0 for the rest"."""
    codes = [match["code"] for match in _CODE.finditer(line)]
    return [code for code in codes if code not in known] if known.intersection(codes) else []


# "Use xx for any other language"
_FOR_CASE = re.compile(
    r"\b(?:use|answer|write|reply|choose|say|return|output)(?: with)? (?P<label>[a-z]\w*) (?:for|if|when|otherwise)\b",
    re.IGNORECASE,
)
_NO_CASE = frozenset(
    [
        "one",
        "only",
        "it",
        "this",
        "that",
        "the",
        "a",
        "an",
        "exactly",
        "null",
        "them",
        "these",
        "both",
        "json",
        "words",
        "yes",
        "no",
        "true",
        "false",
        "nothing",
    ]
)


def _for_cases(line: str) -> list[str]:
    return [match["label"] for match in _FOR_CASE.finditer(line) if match["label"].lower() not in _NO_CASE]


_CAPITALS = re.compile(r"(?<![\w-])[A-Z][A-Z0-9_]+(?![\w-])")
_NO_LABELS = frozenset(
    "JSON ID URL NOT ONLY MUST AND OR IF PDF API SQL XML HTML CSV ISO USD EUR UTC ALL DO EXACTLY ONE OF THE NEVER ALWAYS".split()  # noqa: SIM905 - read as words
)
_SOME = 2


def _capitals(text: str, known: set[str]) -> list[str]:
    """Words in capitals in the quotations of labels that are all in capitals, and that are none of them."""
    if len(known) < _SOME or not all(_CAPITALS.fullmatch(label) for label in known):
        return []
    found = _CAPITALS.findall(text)
    # In the words that explain one label, others in capitals are none: "CHORE - build, CI".
    return [word for word in found if word not in known | _NO_LABELS] if len(known & set(found)) > 1 else []


_Q = r"(?:\"[^\"\n]{1,40}\"|`[^`\n]{1,40}`|(?<!\w)'[^'\n]{1,40}'(?!\w)|“[^”\n]{1,40}”|‘[^’\n]{1,40}’)"
_W = r"[A-Za-z][\w+-]*(?: [\w+-]+){0,2}"
_MARKS = r"[*_]*"
_QUOTED_OR = re.compile(
    rf"{_MARKS}{_Q}{_MARKS}(?:\s*(?:\([^()\n]*\))?\s*(?:,\s*or\b|,|/|\||\bor\b)\s*{_MARKS}{_Q}{_MARKS})+", re.IGNORECASE
)
_BARS = re.compile(rf"{_W}(?:\s*\|\s*{_W})+")
_YES_NO = re.compile(
    r"\b(?:yes or no|yes/no|true or false|true/false|pass or fail|pass/fail)\b|\byes\b[^.;\n]*\b(?:otherwise|else) no\b",
    re.IGNORECASE,
)
_ALTERNATIVES = (
    _QUOTED_OR,
    _BARS,
    _YES_NO,
    # "[[A]]" if ..., "[[B]]" if ...
    re.compile(rf"{_Q}\s+(?:if|when|for)\b[^\"\n]+{_Q}", re.IGNORECASE),
    re.compile(rf"[<\[(\"'`]{_W}(?:\s?/\s?{_W})+[>\])\"'`]"),
    re.compile(
        rf"\b(?:one of|any of|out of(?=:)|either|(?:choose|pick|select)(?: one)? (?:from|of)|(?:chosen|selected|picked|taken(?= from\W*[:\[\"'])) from)\b:?\s*(?:the following:?\s*)?[\[(]?(?:{_Q}|{_W})(?:\s*[,/|;]\s*(?:{_Q}|{_W}))*(?:\s*[,/|;]\s*|,? (?:or|and) )(?:{_Q}|{_W})",
        re.IGNORECASE,
    ),
    re.compile(r"(?<![\w-])[A-Z][A-Z_]*(?:, [A-Z][A-Z_]*)*,? or [A-Z][A-Z_]*(?![\w'’-])"),
    re.compile(rf"(?:[:(=>] *|\A\S+\s{{2,}}){_W}(?:, {_W})*,? or {_W} *(?=[).;<\n]|\Z)", re.IGNORECASE),
    re.compile(rf"\A\S+ (?:is|as|must be|can be|may be) {_W}(?:, {_W})+,? or {_W}(?= *(?:[.;)\n]|\Z))", re.IGNORECASE),
    re.compile(rf"(?:\A|[:(]) *{_W}(?:, {_W})+,? or (?=null\b|none\b)", re.IGNORECASE),
    re.compile(r"\b[A-Z][A-Z_]+ (?:if|when)\b[^\n]*\b[A-Z][A-Z_]{2,}\b"),
    re.compile(
        r"\bone of (?:the|these) (?:allowed|listed|valid|following|possible|permitted|available) [a-z]+s\b",
        re.IGNORECASE,
    ),
    re.compile(rf"\({_W}(?:, {_W})+, (?:or )?(?:other|others|none|unknown|mixed|unclear)\)", re.IGNORECASE),
    # "VERDICT: A/B/TIE", "Severity**: low / medium / high"
    re.compile(r"[:=][* ]*\w+(?:(?:/\w+){2,}|(?:/[A-Z]{2,})+|(?: / \w+)+)(?=[ *]*(?:[.,;)\]]|$))", re.MULTILINE),
)
_SAMPLES = re.compile(
    r"\b(?:e\.g|such as|like|for example|for instance|examples?|including|includes?|i\.e|instead of|not|never|no|without|avoid|rather than|look(?:ing)? for|search(?:ing)? for|labell?ed|marked|printed)\b[^.;\n]*\Z|n['’]t\b[^.;\n]*\Z",
    re.IGNORECASE,
)
_TABLE = re.compile(r"[ \t]*\|")
_SAMPLE_WITHIN = re.compile(r"\b(?:e\.g|such as|for example|for instance)\b", re.IGNORECASE)
# "School/University name": one thing that has two names; "moored/not seaworthy": nobody can say
_ONE_THING = re.compile(
    r"/(?:not\b|[^/]*\b(?:names?|titles?|types?|dates?|numbers?|codes?|texts?|urls?|ids?|domains?|topics?|category|field|area|subject|theme)\W*\Z)",
    re.IGNORECASE,
)
# "array of strings (main cargoes or trades)": what they are
_OF_STRINGS = re.compile(r"\b(?:list|array)s? of (?:strings|texts)\s*\(\Z", re.IGNORECASE)
# "the town or village if mentioned": a name, of whichever there is
_IF_KNOWN = re.compile(
    r"\b(?:if|when|where) (?:mentioned|available|known|given|stated|present|found|named|provided|specified|applicable)\W*\Z",
    re.IGNORECASE,
)
# "place: city, region or country": what the value is a name of
_THINGS = frozenset(
    "city region country state town street address name date title email phone url link number code file line word phrase sentence".split()  # noqa: SIM905 - read as words
)
# "Option 1", "Option 2"
_PLACES = re.compile(r"[a-z] ?[12]\b", re.IGNORECASE)
_OF_KINDS = re.compile(rf"\b(?:{'|'.join(sorted(TYPE_WORDS - {'n/a'}))})\b", re.IGNORECASE)


# "one or two words"
_SO_MANY = re.compile(
    r"\b(?:one|two|three|four|five|a few|\d+) or (?:two|three|four|five|six|more|\d+)\b", re.IGNORECASE
)


def labels_lost(value: ReadValue, told: Sequence[str], at: str) -> Iterator[str]:
    """Alternatives that are said of a free text."""
    if "string" not in value.types or "boolean" in value.types or value.format or value.pattern:
        return  # "MM/YY" are no labels
    for text in told:
        for pattern in _ALTERNATIVES:
            for match in pattern.finditer(text):
                if _SO_MANY.search(match[0]):
                    continue
                if not _SAMPLES.search(text, 0, match.start()) and _are_labels(pattern, match, text):
                    yield f"{at}{shortened(match[0])!r} is said of {value.shown}, which was read without labels"


_LIST_ALONE = re.compile(rf"{_W}(?:, {_W})+,? (?:or|and) {_W}")
_ITEMS_ALONE = re.compile(rf"{_W}(?:, {_W}){{2,}}\.?")
_FEW = 3


def words_alone(value: ReadValue, quotes: Sequence[Quoted], at: str) -> Iterator[str]:
    """Quotations of a free text that are a list of words, or each of them a few words: they are its labels."""
    if value.types not in (("string",), ("string", "null")):
        return
    own = re.compile(rf"(?<![\w-]){re.escape(value.name)}(?![\w-])", re.IGNORECASE)
    others = [quoted.text.strip() for quoted in quotes if not own.search(quoted.text)]
    items = value.path[-1:] == ("*",)
    if listed := next((text for text in others if items and _ITEMS_ALONE.fullmatch(text)), None):
        yield f"{at}{shortened(listed)!r} is quoted for {value.shown}, which was read without labels"
    listed = next((text for text in others if _LIST_ALONE.fullmatch(text) and not _OF_KINDS.search(text)), None)
    short = [text for text in others if len(text.split()) <= _FEW and not re.search(r"[\"'{\[:.]", text)]
    if listed or len(short) > _FEW:
        yield f"{at}{shortened(listed or ', '.join(short))!r} is quoted for {value.shown}, which was read without labels"


def _are_labels(pattern: re.Pattern[str], match: re.Match[str], text: str) -> bool:
    said_there = match[0]
    if MASK in said_there or any(one.search(said_there) for one in (_PLACES, _SAMPLE_WITHIN, _ONE_THING, _IF_KNOWN)):
        return False
    if _OF_STRINGS.search(text[: match.start() + 1]) and not re.search(r"[\"'`]", said_there):
        return False
    bounded = re.search(r"\b(?:(?:may|can|must|should) be|allowed|possible|valid)\W*\Z", text[: match.start()])
    if pattern is _QUOTED_OR and not (bounded or re.search(r"\bor\b|[/|]", said_there)):
        return False  # a sample of a list
    if pattern is _BARS:
        items = [item.strip() for item in said_there.split("|")]
        in_table = _TABLE.match(text, text.rfind("\n", 0, match.start()) + 1)
        named = [item for item in items if item.casefold() not in ("null", "none", "n/a")]
        return not in_table and len(named) > 1 and not any(map(_OF_TYPES.search, named))
    if pattern in (_QUOTED_OR, _YES_NO):
        return not re.search(r"[\"'`](?:string|str|text|number|null|none)[\"'`]", said_there, re.IGNORECASE)
    words = re.findall(r"[a-z]+", said_there.lower())
    return not _OF_KINDS.search(said_there) and not _THINGS.issuperset({*words} - {"or", "and", "a", "an", "the"})
