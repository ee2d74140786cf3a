"""The clauses of a prompt that have a key of its form for their subject, and the labels and counts that they give."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from promptopt.structured.fields import MASK, PromptText, Span, speaks
from promptopt.structured.prose.alternatives import LABELS, TYPES
from promptopt.structured.prose.counts import NUMERALS, bounds_of, number_of
from promptopt.structured.prose.described import stated
from promptopt.structured.prose.label_items import Item, items_at
from promptopt.structured.prose.plain_labels import is_kind

CLAUSE = re.compile(r"[^;.!?\n]*(?:\.(?=\d)[^;.!?\n]*|(?<=\be\.g)\.[^;.!?\n]*)*[.!?;]?")
MARK = r"[ \t>]*(?:(?:[-*•]|\d+[.)])[ \t]+)?[*_]*"
"""The mark of an item, at the begin of a clause."""
_LEADS = r"(?:the|its|their|an?|set|give|assign|and|for|where|with|then|also|estimate|rate)"
_IS = (
    r"(?=[\"'`*_]*\s*(?:[:=(]|[-–—]\s|,?\s*(?:is|are|counts|must|should|shall|has to|needs to|will|can|may|ranges?|runs|goes|between|from \d|on an? |as an?|in (?:the )?(?:range|percent)"
    r"|an? (?:whole |real |decimal )?(?:number|integer|float|decimal|score|percentage)|\d)))"
)
# Of a key that begins a clause: elsewhere "the claim needs" is about a claim.
_NEEDS = r"(?=[\"'`*_]*\s+(?:needs?|has|have|contains?|holds?|consists? of)\b)"
_FOR_KEY = re.compile(
    r"(?:\A[ \t>]*(?:(?:[-*•]|\d+[.)])[ \t]+)?|[,:]\s)for (?:the )?[\"'`*]*(?P<name>[A-Za-z]\w*)[\"'`*]*(?: (?:field|key|value))?,\s+(?:please )?(?:use|specify|provide|give|choose|write|put|set|return|pick|select|output|list)(?: either| only| one of(?: the following)?| exactly)?:?\s+",
    re.IGNORECASE,
)
# Codes below a line that ends with the key
_CODE_LINES = re.compile(
    r"\n(?:[ \t]*(?:[-*•][ \t]+)?-?\d{1,3}[ \t]*(?:=|:|[-–—][ \t])[ \t]*[A-Za-z][^\n]*(?:\n|\Z)){2,}"
)


class KeyClauses:
    """What the clauses of a prompt say of the keys of its form.

    Args:
        names: All keys of the form.
        covered: Where the form itself is: what it shows is in no clause.

    Attributes:
        text: The text, as long as it is, without the form and what only some renderings have.
        clauses: From where to where each clause goes.
    """

    def __init__(self, document: PromptText, names: Iterable[str], covered: Sequence[Span]) -> None:
        self._shown = "\n".join(document.text[span.start : span.end] for span in covered)
        self.text = text = document.masked((*covered, *document.conditional))
        self.clauses = [match.span() for match in CLAUSE.finditer(text) if match[0].strip()]
        subjects = {name: _subject(name, text) for name in names if re.fullmatch(r"[A-Za-z][\w -]*", name)}
        self._said: dict[str, list[str]] = {}
        self._joint: dict[str, list[str]] = {}
        joined = _joined(list(subjects))
        for start, end in self.clauses:
            if not _of_input(text, start):
                self._read(start, end, subjects, joined)

    def _read(self, start: int, end: int, subjects: Mapping[str, re.Pattern[str]], joined: re.Pattern[str]) -> None:
        """Keeps what a clause says of each key."""
        text = self.text
        clause = text[start:end]
        found = sorted(
            (match.start("name"), match.end(), name)
            for name, subject in subjects.items()
            for match in subject.finditer(clause)
        )
        for number, (begin, after, name) in enumerate(found):
            if _IF_KEY.search(clause, 0, begin):
                continue  # "null if risk is 0 or 1" is no list of what the risk can be
            stop = next((later for later, _, other in found[number + 1 :] if other != name), end - start)
            said = text[start + after : start + stop]
            if lines := _CODE_LINES.match(text, end) if said.strip(" *_\"'`") == ":" else None:
                said += ", ".join(lines[0].split("\n"))
            self._said.setdefault(name, []).append(said)
        for match in _FOR_KEY.finditer(clause):
            if match["name"] in subjects:
                # "For size, use: small or large" says what "size: small or large" does.
                self._said.setdefault(match["name"], []).append(f": {text[start + match.end() : end]}")
        for match in joined.finditer(clause):
            for name in subjects:
                if re.search(rf"(?<!\w){words_of(name)}(?!\w)", match["list"], re.IGNORECASE):
                    self._joint.setdefault(name, []).append(text[start + match.end() : end])

    def said_of(self, name: str, *, alone: bool = False) -> Sequence[str]:
        """What each clause says that has a key for its subject, after its name.

        Args:
            alone: Not what is said of several keys at once.
        """
        said = self._said.get(name, [])
        return said if alone else [*said, *(one for one in self._joint.get(name, ()) if one not in said)]

    def said_jointly(self, name: str) -> dict[str, Any]:
        """The schema of a key by what a clause says of it and of others: "pros and cons are lists of short texts"; empty if nothing."""
        found = [
            stated(_PLURAL.sub(r"\g<one>", _IS_JOINTLY.sub("", said)))
            for said in self._joint.get(name, ())
            if MASK not in said
        ]
        same = bool(found) and all(one == found[0] for one in found)
        return dict(found[0] or {}) if same else {}

    @property
    def marks_texts(self) -> bool:
        """Whether the form has a text in quotation marks as some key's value, so that a bare word is none."""
        return re.search(r"[\"']\s*:\s*[\"“]", self._shown) is not None

    def null_beside_number(self, name: str) -> bool:
        """Whether the form shows null as a key's value, and a number as that of the key before or after it."""
        shown_null = rf"[\"']{re.escape(name)}[\"']\s*:\s*null\s*"
        before = rf":\s*-?\d[\d.]*\s*,\s*{shown_null}[,}}]"
        after = rf"{shown_null},\s*[\"'][\w ]+[\"']\s*:\s*-?\d"
        return re.search(rf"{before}|{after}", self._shown) is not None

    def shown(self, name: str, pattern: str) -> list[str]:
        """What the form shows as the values of a key, as far as a pattern goes."""
        return re.findall(rf"[\"']{re.escape(name)}[\"']\s*:\s*({pattern})", self._shown)


_IS_JOINTLY = re.compile(
    r"\A[\"'`*_]*\s*(?:(?:are|is|must be|should be|have to be|has to be|will be)\b(?: (?:both|all|each|always))?|:)\s*",
    re.IGNORECASE,
)
# "are integers": each is one
_PLURAL = re.compile(r"\A(?P<one>boolean|integer|whole number|number|string|text|float|decimal)s\b", re.IGNORECASE)
_IF_KEY = re.compile(r"\b(?:if|when|whenever|unless|while|until) (?:the |its |this |your )?[\"'`*]*\Z", re.IGNORECASE)
_ITEM = re.compile(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]")
# "Look for these signals:", and below it words of the input
_SIGNALS = re.compile(
    r"\b(?:look(?:ing)? (?:out )?for|search for|watch for|scan for|patterns?|signals?|indicators?|hints?|clues|key ?words?|markers|red flags)\b[^\n]*:\W*\Z",
    re.IGNORECASE,
)


def _of_input(text: str, start: int) -> bool:
    """Whether a clause is an item of a list of what may be found in the input."""
    begin = text.rfind("\n", 0, start) + 1
    if not _ITEM.match(text, begin):
        return False
    lead = next((line for line in reversed(text[:begin].splitlines()) if line.strip() and not _ITEM.match(line)), "")
    return _SIGNALS.search(lead) is not None


def _joined(names: Sequence[str]) -> re.Pattern[str]:
    """Where a clause speaks of several keys at once: "start and end are ..."."""
    if not names:
        return re.compile(r"(?!)")
    one = rf"[\"'`*]*(?:{'|'.join(words_of(name) for name in sorted(names, key=len, reverse=True))})[\"'`*]*"
    return re.compile(
        rf"(?:\A{MARK}|[,(]\s*|\b(?:{_LEADS}|both)\s+)(?P<list>{one}(?:\s*(?:,\s*(?:and |or )?|and |or |& |/ ?)\s*{one})+)(?!\w)(?:\s+(?:both|each|all))?{_IS}(?:\s*(?:are|is) (?:both|each|all)\b)?",
        re.IGNORECASE,
    )


def words_of(name: str) -> str:
    """A pattern of a key as prose writes it: ``matchScore`` is "match score"."""
    return r"[ _-]?".join(map(re.escape, re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name) or [name]))


_SAID_AFTER = re.compile(
    rf"[\"'`*]|(?:y|ies|es|s)?(?: (?:score|level|rating|value|field))?(?:{_IS}|{_NEEDS})", re.IGNORECASE
)


def _subject(name: str, text: str) -> re.Pattern[str]:
    """Where a clause of a text speaks of a key: in marks, spelled as no word is, or as a word of which something is said."""
    if re.fullmatch(r"[A-Z]?[a-z]+", name) and not speaks(text, (name.removesuffix("y"),), _SAID_AFTER):
        return re.compile(r"(?!)")
    own = re.escape(name)
    words = words_of(name)
    # "Routes are A (train) and B (bus)"
    plural = rf"{words.removesuffix('y')}(?:ies|es|s)(?=[\"'`*_]*\s*(?::|are\b))"
    spelled = rf"|(?<![\w\"'`])(?P<name3>{own})(?!\w)" if re.search(r"_|[a-z][A-Z]", name) else ""
    pattern = rf"[\"'`*](?P<name2>{own})[\"'`*]+(?!\s*:\s*[\[{{\"'])|(?:\A{MARK}|[,(]\s*|\b{_LEADS}\s+)(?P<name4>{words}|{plural})(?: (?:score|level|rating|value|field))?(?!\w){_IS}{spelled}|\A{MARK}(?:the\s+)?(?P<name5>{words}){_NEEDS}"
    # One group for all: where the name begins.
    return re.compile(rf"(?P<name>(?=.))(?:{pattern})", re.IGNORECASE)


_COPULA = (
    r"[\"'`*_]*(?:\s*\([^()\n]{1,30}\))?\s*(?P<copula>[:=]|(?:is|are)\b|(?:must|should|can|may|has to|will)(?: only)? be\b)[*_]*\s*(?:(?:always|only|exactly|strictly|either|set to)\s+)*"
    r"(?P<one>(?:exactly |any |just )?(?:(?:one|some|any)(?: or more)? (?:of|from)|(?:pick|choose|select|taken|chosen|selected|picked)(?: one| it)? (?:from|among|out of))\b(?:(?: the| these)?(?: following)?(?: \w+)?:|(?: the| these)(?: following)?)?\s*)?(?:either )?"
)
# What comes after "or" is said of the rest, and no label.
_OPEN = re.compile(
    r"\b(?:anything|something|another|others|etc|similar|whatever|like|so on|more)\b|\bother\s+\w", re.IGNORECASE
)
_SHORT = 3
_SEVERAL = 3
_SAMPLE = r"\"[^\"\n]*\"|\[[^\[\]{}]*\]"
# Dots, a word for a type, and a place have no value.
_NO_SAMPLE = re.compile(r"\W*|\W*(?:string|str|text|word|label|value)\W*|<.*>|[\w ]*\.\.\.|.*\|.*", re.IGNORECASE)
# What belongs in a place, and is no value itself.
_PLACES = re.compile(
    r"(?:name|title|text|date|time|cit(?:y|ies)|town|region|country|state|street|address|person|people|compan(?:y|ies)|email|phone|url|link|id|code|year|month|day|place|number|word|phrase|sentence|string|short|long|brief|clear|concise|polite|lower ?case|upper ?case|empty)s?",
    re.IGNORECASE,
)


def with_clause_labels(name: str, schema: Mapping[str, Any], clauses: KeyClauses) -> dict[str, Any]:
    """A text, or a list of texts, with the labels that a clause about its key lists."""
    known = dict(schema)
    listed = known.get("type") == "array"
    value = known.get("items", {}) if listed else known
    if value.get("type") not in (None, "string") or {"enum", "properties", "minimum"} & set(value):
        return known
    samples = [
        sample
        for shown in clauses.shown(name, _SAMPLE)
        for sample in re.findall(r"\"([^\"\n]*)\"", shown)
        if not _NO_SAMPLE.fullmatch(sample)
    ]
    found = [labels for said in clauses.said_of(name) if (labels := _labels(name, said, samples, listed=listed))]
    if not found or any(set(labels) != set(found[0]) for labels in found):
        return known
    labelled = {"type": "string", "enum": found[0]}
    return {**known, "items": labelled} if listed else labelled


def _labels(name: str, said: str, samples: Sequence[str], *, listed: bool) -> list[str]:
    """The labels that follow a key in a clause up to its end; empty if it lists none, or says what belongs there."""
    lead = re.match(_COPULA, said, re.IGNORECASE)
    if lead is None or MASK in said:
        return []
    if cases := list(
        dict.fromkeys(label for match in _CASE.finditer(said, lead.end()) for label in match.groups() if label)
    ):
        closed = _ELSE.search(said) is not None and len(cases) > 1 and set(samples) <= set(cases) and not listed
        return cases if closed else []
    first = _FIRST_CASE.match(said, lead.end())
    start = first.end() if first else lead.end()
    items = items_at(said, start)
    if items is None or re.search(r"\w", re.sub(r"\([^()]*\)", "", said[items[-1].end :])):
        return []
    values = [*([first["quoted"] or first["plain"]] if first else []), *(item.said(said) for item in items)]
    if (
        _OPEN.search(said)
        or any(item.article for item in items)
        or len({value.lower() for value in values}) < len(values)
    ):
        return []
    if any(len(value.split()) > _SHORT or value.lower() in TYPES for value in values):
        return []
    apart = any(item.joint in ("or", "/", "|") for item in items)
    if samples:
        return values if set(samples) <= set(values) and (apart or len(values) >= _SEVERAL) else []
    if listed and not lead["one"]:
        return []
    return values if _are_sure(name, items, values, apart=apart or bool(lead["one"])) else []


_QUOTED = r"[\"'`“]([\w -]{1,30})[\"'`”]"
# '"remove" when it is certain, "review" otherwise'
_CASE = re.compile(
    rf"{_QUOTED}\s+(?:only )?(?:if|when|for|otherwise|in (?:all|any) other cases?)\b|\b(?:otherwise|else),? {_QUOTED}",
    re.IGNORECASE,
)
_ELSE = re.compile(r"\b(?:otherwise|else|other cases?)\b", re.IGNORECASE)
# "is none if it is valid, else low or high"
_FIRST_CASE = re.compile(
    r"(?:[\"'`“](?P<quoted>[\w -]{1,30})[\"'`”]|(?P<plain>[A-Za-z][\w-]*))\s+(?:if|when) [^,;.\n]{3,60}, ?(?:or )?(?:else|otherwise)\s+(?:either |one of )?",
    re.IGNORECASE,
)


def _are_sure(name: str, items: Sequence[Item], values: Sequence[str], *, apart: bool) -> bool:
    """Whether words that follow a key are its values, although the form shows none of them."""
    known = any(value.lower() in LABELS and value.lower() not in ("none", "first", "second") for value in values)
    if all(item.quoted for item in items) or known:
        return apart or len(values) >= _SEVERAL
    words = all(len(value.split()) == 1 and not _PLACES.fullmatch(value) for value in values)
    return words and len(values) >= _SEVERAL and (apart or is_kind(name))


A_NUMBER = rf"(?:\d{{1,2}}|{'|'.join(NUMERALS)})"
# ", no more than four of them", " are 3 to 5 keywords", ": up to three swaps"
_COUNT = re.compile(
    rf"(?:\A[\"'`*_]*\s*(?:[:=]|(?:is|are)\b|(?:must|should|has to|have to) (?:be|have|hold|contain)\b|(?:needs?|has|have|contains?|holds?|consists? of)\b)\s*(?:an? (?:list|array) of )?|,\s*(?:and |but )?)"
    rf"(?:(?P<bound>exactly|at most|no more than|not more than|up to|max(?:imum)?(?: of)?|at least|min(?:imum)?(?: of)?|between) )?(?P<low>{A_NUMBER})(?:\s?(?:-|–|to|and|or)\s?(?P<high>{A_NUMBER}))?"
    r"(?: (?P<things>of them|(?:(?!of\b|for\b|or\b|to\b|words?\b|sentences?\b|characters?\b|lines?\b)[\w-]+,? ){0,3}?(?!words\b|sentences\b|characters\b|lines\b|paragraphs\b|tokens\b|points\b|is\b|as\b)[a-z]+s)\b)?(?=\s*(?:[.,;:)(]|\Z)|\s+(?:that|which|you|with|from|in|of|for|to|who|whose|including)\b)",
    re.IGNORECASE,
)
_EACH = re.compile(r"\b(?:each|every|per|if|unless|when|about|usually|typically|e\.g|example)\b", re.IGNORECASE)


_PER = re.compile(r"[\s,(]*(?:per|for each|for every|from each|if|unless)\b", re.IGNORECASE)


def with_clause_count(name: str, schema: Mapping[str, Any], clauses: KeyClauses) -> dict[str, Any]:
    """A list with the number of items that a clause about its key gives."""
    known = dict(schema)
    if known.get("type") != "array" or {"minItems", "maxItems"} & set(known):
        return known
    found = [
        bounds
        for said in clauses.said_of(name, alone=True)
        if MASK not in said
        for match in _COUNT.finditer(said)
        if not (_EACH.search(said[: match.end()]) or _PER.match(said, match.end())) and (bounds := _bounds(match))
    ]
    return {**known, **found[0]} if found and all(bounds == found[0] for bounds in found) else known


def _bounds(match: re.Match[str]) -> dict[str, int]:
    bound = re.sub(r" of\Z", "", (match["bound"] or "").lower())
    low, high = number_of(match["low"]), number_of(match["high"] or match["low"])
    if low > high or high < 1 or not (match["things"] or bound):
        return {}
    return bounds_of(bound, low, high)


# "where each value is agree, disagree or neutral"
_EACH_VALUE = re.compile(
    r"\b(?:each|every)(?: of (?:the|these|its))? (?:values?|answers?|entr(?:y|ies)|of them|one|key|letter|number) (?:is|are|must be|should be|has to be|can be|may be|gets|holds)(?: exactly| strictly| only)?(?: one of)?(?: the following)?:?\s*(?:either )?(?=\S)",
    re.IGNORECASE,
)


def with_each_value(schema: dict[str, Any], clauses: KeyClauses) -> dict[str, Any]:
    """A form of nothing but open texts with the labels that a sentence gives to each of its values."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or any(child != {"type": "string"} for child in properties.values()):
        return schema
    found: list[list[str]] = []
    for match in _EACH_VALUE.finditer(clauses.text):
        items = items_at(clauses.text, match.end())
        if items and any(item.joint in ("or", "/", "|") for item in items):
            found.append([item.said(clauses.text) for item in items])
    if not found or any(labels != found[0] for labels in found) or any(len(one.split()) > _SHORT for one in found[0]):
        return schema
    return {**schema, "properties": {name: {"type": "string", "enum": list(found[0])} for name in properties}}
