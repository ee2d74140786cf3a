"""A second reading that leaves no fact over: each number, value and list in a clause about a key must be in its schema.

It shares no pattern with the readers that propose: it goes through the clauses that speak of a key, takes out of them what
could bound its value, and asks whether the schema has that very number or word; what it has not is refused, read or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, begin_of, speaks
from promptopt.structured.witness.clauses import FREE, words_of_key
from promptopt.structured.witness.instructions import instructions, looked_for
from promptopt.structured.witness.keys import NUMBER_WORDS, KeyOfSchema, shortened, words_read
from promptopt.structured.witness.lists import ITEM, chosen, columns, headed

CLAUSE = re.compile(r"[^.;!?\n]*(?:[.!?](?=\S)[^.;!?\n]*)*")
_NUMERALS = "|".join(word for word, number in NUMBER_WORDS.items() if number > 1)
_LENGTH = r"(?:words?|sentences?|characters?|chars?|letters?|tokens?|lines?|paragraphs?|pages?|digits?|decimals?|decimal places|bullets?|minutes?|seconds?|hours?|days?|weeks?|months?|years?|percent\w*|points?|stars?|times|euros?|dollars?|eur|usd|kg|km|m|cm|%)\b"
# A number that is none of a length, a date, a version, a step or an item's mark.
_NUMBER = re.compile(
    rf"(?<![\w.,/:$€£#-])(?P<n>-?\d{{1,4}}(?:\.\d+)?|(?i:{_NUMERALS}))(?![\w:/]|\.\d|,\d{{3}}|-(?:\d{{1,2}}-|[a-z]))(?!\s?(?:-|–|to|or)\s?\d*\s?{_LENGTH})(?!%?\s?(?:[\w-]+\s)?{_LENGTH})",
)
_SAMPLE = re.compile(
    r"\b(?:e\.g|for example|for instance|such as|like|examples?|i\.e|instead of|rather than|→|->|step|rule|section|option|criteri\w+|weight\w*)\b",
    re.IGNORECASE,
)
_BOUNDS = re.compile(
    r"\b(?:at (?:most|least)|up to|max(?:imum)?|min(?:imum)?|no (?:more|less|fewer) than|not exceed|never (?:above|below|more|less|exceeds?)|between|from|above|below|less than|more than|limit(?:ed)?|capped|exactly|only|either|one of|allowed|valid|or)\b|[≤≥<>]",
    re.IGNORECASE,
)


def left_over(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Facts of clauses that speak of a key and are in no schema of it; each with its line."""
    text = instructions(document, found)
    clauses = [(match.start(), match[0]) for match in CLAUSE.finditer(text) if match[0].strip()]
    names = list(dict.fromkeys(leaf.name for leaf in leaves))
    subjects = {name: _subject(name, text) for name in names}
    for name in names:
        same = [leaf for leaf in leaves if leaf.name == name]
        for start, clause in clauses:
            spoken = subjects[name].search(clause)
            if spoken is None or looked_for(text, start):
                continue
            if same[0].listed and _OF_ONE_ITEM.search(spoken[0]):
                continue  # "every question has 4 answers": of each item
            # What is said of one key ends where the next is named.
            further = [
                other.start() for key in names if key != name for other in subjects[key].finditer(clause, spoken.end())
            ]
            # "Impact and likelihood are each low, medium or high": said of both.
            further = [begin for begin in further if not _JOINED.fullmatch(clause, spoken.end(), begin)]
            said = _WITH_OTHERS.sub(" ", clause[spoken.end() : min(further, default=len(clause))])
            whys = [why for leaf in same if (why := _unheld(leaf, said))]
            if len(whys) == len(same):
                words, what = whys[0]
                yield f"line {document.line(start)}: {shortened(words)!r} is said of {name!r}, which was read {what}"
    yield from _limited(document, clauses, leaves)
    yield from chosen(document, text, found, leaves)
    yield from columns(document, text, leaves)
    yield from headed(document, text, leaves)
    yield from _bounds(document, clauses, leaves)
    yield from _cases(document, text, leaves)
    yield from fractions(document, text, leaves)
    yield from _empty_objects(document, text, leaves)
    yield from _codes_listed(document, text, leaves)
    yield from _omitted(document, text, leaves)


_OF_ONE_ITEM = re.compile(r"\b(?:each|every)\s+[\w -]*[a-rt-z]\Z", re.IGNORECASE)
_JOINED = re.compile(r"[\s\"'`*]*(?:,|and|or|&)[\s\"'`*]*", re.IGNORECASE)
_WITH_OTHERS = re.compile(
    r"\A[\"'`*]*(?:\s*(?:,|and|or|&)\s*[\"'`*]*[\w-]+[\"'`*]*)+(?=\s+(?:is|are|can|may|must|should|will)\b)|(?<=are) (?:each|both|all)\b",
    re.IGNORECASE,
)


_NOWHERE = re.compile(r"(?!)")
_ENDS = re.compile(r"(?:ys?|ies|ss?)?(?!\w)", re.IGNORECASE)


def _subject(name: str, text: str) -> re.Pattern[str]:
    """Where a clause of a text has a key for its subject: at its begin, in marks, or spelled as no word is."""
    last = re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", name)[-1]
    if last and not speaks(text, (last.removesuffix("y").removesuffix("s"),), _ENDS):
        return _NOWHERE
    words = words_of_key(name)
    own = re.escape(name)
    plural = rf"(?:{words}s?|{words.removesuffix('y')}ies|{words.removesuffix('s')})"
    marked = rf"[\"'`*]{own}[\"'`*]+"
    begins = rf"(?:\A|[,:]\s|\bthen\s)[\s>]*(?:[-*•]|\d+[.)])?\s*[*_]*(?:(?:the|all|each|every|valid|allowed|possible|permitted|set|and|where)\s+)*{plural}(?!\w)[*_]*"
    begins += rf"|(?:\A|[,:]\s)[\s>]*(?:[-*•]|\d+[.)])?\s*for\s+(?:the\s+)?{own}(?=,)"
    spelled = rf"|(?<!\w){own}(?!\w)" if re.search(r"_|[a-z][A-Z]", name) else ""
    return re.compile(rf"{marked}|{begins}{spelled}", re.IGNORECASE)


def _unheld(leaf: KeyOfSchema, said: str) -> tuple[str, str] | None:
    """The words that bound a value and as what its key was read; ``None`` if its schema has them."""
    said = re.split(_SAMPLE, said, maxsplit=1)[0]
    return _number_unheld(leaf, said) or _words_unheld(leaf, said) or _value_unheld(leaf, said)


_THINGS = re.compile(r"\s+(?:[a-z-]+\s+){0,2}[a-z-]+s\b", re.IGNORECASE)


def _number_unheld(leaf: KeyOfSchema, said: str) -> tuple[str, str] | None:
    found = [match for match in _NUMBER.finditer(said) if not DENIED.search(said[: match.start()])]
    if not leaf.listed:
        # "a pull between two seductive options": so many things, and no value.
        found = [match for match in found if not (match["n"].isalpha() and _THINGS.match(said, match.end()))]
    numbers = [value_of(match["n"]) for match in found]
    if not numbers:
        return None
    if leaf.listed:
        if numbers in ([0.0], [1.0]) or numbers_of(leaf) & set(numbers):
            return None
        return said, "without labels" if len(numbers) > _RANGE_ENDS else "without a count"
    kinds = leaf.kinds - {"null"}
    if not kinds or kinds - {"number", "integer"}:
        return None
    if not leaf.bounded:
        if not re.search(r"\d", said):
            return None  # "a pull between two options"
        return (said, "without a range") if len(set(numbers)) > 1 or _BOUNDS.search(said) else None
    step = leaf.value.get("multipleOf")
    beyond = [
        match[0] for match, number in zip(found, numbers, strict=True) if not within(leaf, number) and number != step
    ]
    return (beyond[0] if len(beyond) == 1 else said, "with a range that has it not") if beyond else None


_RANGE_ENDS = 2


# "ideas, topics, themes mentioned": what belongs there, and where it is found
_WITH_CLAUSE = re.compile(
    r"\b(?:mentioned|discussed|found|used|involved|described|made|assigned|given|named|stated|covered|raised|shown|seen)\W*\Z",
    re.IGNORECASE,
)


def _words_unheld(leaf: KeyOfSchema, said: str) -> tuple[str, str] | None:
    if leaf.labelled or leaf.kinds - {"null"} != {"string"}:
        return None
    listed = _WORDS_LISTED.search(said) or _WORDS_SPAN.match(said)
    if listed is None or _WITH_CLAUSE.search(listed[0]):
        return None
    parts = re.split(r"\s*[,/|]\s*(?:or\s+|and\s+)?|\s+(?:or|and|to)\s+", listed[0].strip(" .:=*\"'`"))
    return None if all(FREE.search(part.strip(" \"'`")) for part in parts) else (listed[0], "without labels")


def _value_unheld(leaf: KeyOfSchema, said: str) -> tuple[str, str] | None:
    kinds = leaf.kinds - {"null"}
    if leaf.listed or not kinds or not (leaf.labelled or kinds <= {"number", "integer", "boolean"}):
        return None
    known = {label.casefold() for label in leaf.labels} | {"null", "none", "true", "false"}
    for match in _SET_TO.finditer(said):
        if match["value"].casefold() not in known and MASK not in match["value"]:
            return match[0], "without that value"
    return None


# "19 and not 0.19"
DENIED = re.compile(r"(?:\b(?:not|never|instead of|rather than)\b|n['’]t\b)[^,;]{0,12}\Z", re.IGNORECASE)


def value_of(number: str) -> float:
    """The number that digits or a word say; 0 for a word that is none."""
    return float(NUMBER_WORDS.get(number.lower(), 0)) if number.isalpha() else float(number)


def numbers_of(leaf: KeyOfSchema) -> set[float]:
    """The bounds, counts and codes that a key has."""
    found: set[float] = set()
    for one in (leaf.node, *leaf.alternatives):
        found |= {float(one[key]) for key in ("minimum", "maximum", "minItems", "maxItems") if key in one}
        found |= {float(label) for label in one.get("enum", ()) if isinstance(label, int | float)}
        found |= {
            float(label)
            for label in one.get("enum", ())
            if isinstance(label, str) and re.fullmatch(r"-?\d+(?:\.\d+)?", label)
        }
    return found


def within(leaf: KeyOfSchema, number: float) -> bool:
    """Whether a key with bounds or codes may be a number."""
    numbers = numbers_of(leaf)
    bounds = [one for one in leaf.alternatives if "minimum" in one or "maximum" in one]
    return number in numbers or any(
        one.get("minimum", number) <= number <= one.get("maximum", number) for one in bounds
    )


def _limited(document: PromptText, clauses: Sequence[tuple[int, str]], leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Lists without a count of whose things a clause says how many there are: "limit to the 10 most important names"."""
    for leaf in leaves:
        if not leaf.listed or {"minItems", "maxItems"} & set(leaf.node):
            continue
        thing = re.escape(
            (re.findall(r"[A-Z]?[a-z]+", leaf.name) or [leaf.name])[-1].lower().removesuffix("s").removesuffix("ie")
        )
        said = re.compile(
            rf"\b(?:limit\w*|at most|at least|up to|no more than|max(?:imum)?|min(?:imum)?|only|exactly|top|first)\b(?: (?:of|to|the|it|them|your|output|list|a|total|with|yourself))*[: ]+(?P<n>\d{{1,3}}|{_NUMERALS})(?: ?(?:-|–|to|and) ?\d{{1,3}})? (?:[\w-]+ ){{0,4}}?{thing}\w{{0,3}}\b",
            re.IGNORECASE,
        )
        for start, clause in clauses:
            if (match := said.search(clause)) and not (
                _OF_CASE.search(clause[: match.start()]) or _OF_ONE.match(clause, match.end())
            ):
                yield f"line {document.line(start)}: {shortened(match[0])!r} is said of {leaf.name!r}, which was read without a count"


_OF_CASE = re.compile(r"\b(?:each|every|per|if|when|unless)\b", re.IGNORECASE)
# "At most 2 films from the same country"
_OF_ONE_THING = re.compile(
    r"(?: [\w-]+){0,3}\s+(?:(?:from|of|in) (?:the same|one|each|every|any one)|per|for (?:each|every))\b", re.IGNORECASE
)
_OF_ONE = re.compile(
    r"\s+(?:(?:from|of|in) (?:the same|one|each|every|any one)|per|for (?:each|every))\b", re.IGNORECASE
)


# "can contain velocity, geo_mismatch, new_device, amount"; "- severity: P1, P2, P3"
_WORDS_LISTED = re.compile(
    rf"(?:\A\s*[\"'`*]*\s*(?:[:=–—-]|(?:is|are|can|may|must|should|will)\b)(?:\s*(?:an?|list|array|with|be|contain|include|have|only|always|any|one|all|some|of|the|these|following|from|either|exactly|zero|or more)\b)*\s*:?)\s*(?P<list>(?!(?:an?|the|in|as|if|not|no|any|to)\s){ITEM}(?:\s*,\s*(?:(?:or|and)\s+)?{ITEM}){{1,}}(?:\s*,|\s+or|\s+and)\s+{ITEM}|(?!(?:an?|the|in|as|if|not|no|any|to)\s){ITEM}(?:\s*[/|]\s*{ITEM}){{1,}})\W*\Z",
    re.IGNORECASE,
)
# "Days are mon to sun", "low to high"
_WORDS_SPAN = re.compile(
    r"[\s\"'`*]*(?:is|are|goes|go|ranges?|runs?|=|:)\s+(?:from )?(?P<first>[A-Za-z]\w{0,12}) (?:to|through|-|–) (?P<last>[A-Za-z]\w{0,12})\s*(?:\([^()]*\))?\s*\Z"
)
_SET_TO = re.compile(
    r"(?:\b(?:is|to|be|as|use|return|output|write|say)|[=→])\s+(?P<q>[\"'`“])(?P<value>[A-Za-z][\w /-]{0,30})[\"'`”]"
)

_OMIT = re.compile(
    r"\b(?:leave (?:it|them|that|this|(?:the |this |that )?(?:key|field|property|value))s? out|omit(?:ted)?|skip (?:it|the (?:key|field|property))|drop (?:it|the (?:key|field|property))|(?:do not|don['’]t) include (?:it|them|the (?:key|field|property)|that (?:key|field)))\b",
    re.IGNORECASE,
)
_ANY_KEY = re.compile(
    r"\b(?:if|when|where|any|every|all|for) (?:an? |any |some |the )?(?:keys?|fields?|values?|propert(?:y|ies)|attributes?)\b",
    re.IGNORECASE,
)
_CASE = re.compile(r"\b(?:if|when|where|unless|missing|unknown|absent|not)\b", re.IGNORECASE)


def _omitted(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A sentence that lets keys be left out, though every key is required and none may be null."""
    some_null, all_null = (test(leaf.nullable for leaf in leaves) for test in (any, all))
    for match in CLAUSE.finditer(text):
        omit = _OMIT.search(match[0])
        spoken = re.search(
            r"\b(?:keys?|fields?|values?|propert(?:y|ies)|attributes?)\b", match[0], re.IGNORECASE
        ) or any(re.search(rf"(?<!\w){re.escape(leaf.name)}(?!\w)", match[0]) for leaf in leaves)
        if all_null or (some_null and not _ANY_KEY.search(match[0])):
            continue
        if (
            omit
            and spoken
            and _CASE.search(match[0])
            and not re.search(
                r"\b(?:never|do not|don['’]t|must not) (?:omit|leave|skip|drop)\b", match[0], re.IGNORECASE
            )
        ):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: a key may be left out, and each was read as required"


_BOUND = re.compile(
    rf"\b(?:at most|at least|up to|no more than|no fewer than|no less than|max(?:imum)?(?: of)?|min(?:imum)?(?: of)?|limit(?:ed)?(?: it| them| yourself| the list| the output)? to) (?P<n>\d{{1,4}}|{_NUMERALS})\b(?![.,]\d|%|\)?\s?(?:-|–|to|or)\s?\d*\s?{_LENGTH}|\)?\s?(?:[\w-]+\s){{0,2}}{_LENGTH})",
    re.IGNORECASE,
)


# "read all available pages (up to 7)": how much of the input there is.
_OF_INPUT = re.compile(
    r"\b(?:examine|read|look at|check|go through|use|scan|consider|review|analy[sz]e)\b[^.\n]{0,30}\b(?:pages|lines|files|documents|messages|rows|images)\b[^.\n]{0,10}\(\Z",
    re.IGNORECASE,
)


def _bounds(document: PromptText, clauses: Sequence[tuple[int, str]], leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Bounds of an answer that has a list or a number and holds none of them: "At most 7."."""
    held = {number for leaf in leaves for number in numbers_of(leaf)}
    if not any(leaf.listed or leaf.kinds & {"number", "integer"} for leaf in leaves):
        return
    for start, clause in clauses:
        for match in _BOUND.finditer(clause):
            if (
                value_of(match["n"]) not in held
                and not _OF_CASE.search(clause[: match.start()])
                and not _OF_ONE_THING.match(clause, match.end())
                and not _OF_INPUT.search(clause[: match.start()])
            ):
                yield f"line {document.line(start + match.start())}: {shortened(match[0])!r} bounds something, and no value was read with it"


_SET_CASE = re.compile(
    r"\b(?:use|set|choose|pick|return|answer|output|write|say|mark|assign|select)\s+(?:(?:it|as|to|with)\s+){0,2}[\"'`“](?P<value>[A-Za-z][\w /-]{0,30})[\"'`”]\s+(?:only )?(?:when|if|for|otherwise|in case)\b",
    re.IGNORECASE,
)


def _cases(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Words that sentences set case by case, and that no key has: 'use "sql" when it asks for numbers'."""
    known = words_read(leaves)
    cases = list(_SET_CASE.finditer(text))
    lost = [case for case in cases if case["value"].casefold() not in known]
    if len({case["value"].casefold() for case in lost}) > 1:
        line = document.line(lost[0].start())
        yield f"line {line}: {shortened(lost[0][0])!r} sets a word for a case, and no field has it as a label"


_FRACTIONS = re.compile(
    r"\b(?:steps|increments|multiples|intervals) of (?:0?\.\d+|1/2|a half|half)\b|\bhalf(?: an?)?[- ](?:points?|marks?|grades?|stars?|steps?)\b|\b(?:decimals?|fractions?) (?:are |is )?(?:allowed|possible|welcome|permitted|ok)\b"
    r"|\b(?:one|two|\d) decimal(?: place)?s?\b",
    re.IGNORECASE,
)


def fractions(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Parts of a whole that a prompt allows, if every number that was read is whole."""
    numeric = [leaf for leaf in leaves if leaf.kinds & {"number", "integer"}]
    if not numeric or any("number" in leaf.kinds for leaf in numeric):
        return
    for match in _FRACTIONS.finditer(text):
        if not DENIED.search(text[: match.start()].rpartition("\n")[2]) and not re.search(
            r"\bno\s\Z", text[: match.start()], re.IGNORECASE
        ):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}, and every number was read as a whole one"


_EMPTY_OBJECT = re.compile(
    r"\b(?:leave|empty|return|use|set)\b[^.\n]{0,40}(?:\{\s*\}|\bempty (?:json )?(?:object|dict\w*)\b)", re.IGNORECASE
)


def _empty_objects(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """An object that may be empty, though each of its keys was read as required."""
    if any("properties" in leaf.value and not leaf.listed for leaf in leaves) and (empty := _EMPTY_OBJECT.search(text)):
        yield f"line {document.line(empty.start())}: {shortened(empty[0])!r}: an object may be empty, and its keys were read as required"


_CODES = re.compile(
    r"(?<![\w.,$€£:/-])\d{1,3}(?:,\s?\d{1,3}(?!\d)){2,},?(?:\s+(?:or|and)\s+\d{1,3})?(?![\w:/]|[.,]\d)|\b(?:allowed|valid|possible|permitted)(?: values)?:? \d{1,3}(?:,\s?\d{1,3})+"
)


def _codes_listed(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Numbers in a list that a number may be one of, and that none has: "Allowed: 1, 2, 3, 5, 8"."""
    free = [leaf for leaf in leaves if leaf.kinds & {"number", "integer"} and not leaf.bounded]
    held = {number for leaf in leaves for number in numbers_of(leaf)}
    for match in _CODES.finditer(text) if free else ():
        codes = {float(one) for one in re.findall(r"\d+", match[0])}
        begin = begin_of(text, match.start(), (". ", "\n"))
        if not codes & held and not _SAMPLE.search(text, begin, match.start()):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r} are codes, and no number was read with them"
