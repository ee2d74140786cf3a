"""A second reading of keys that are named in words: lists, codes, questions, and further keys, must have been read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, field_name
from promptopt.structured.witness.clauses import FREE
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened, words_read


def untold(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What the prompt says of keys in words and no value holds; each with its line."""
    text = instructions(document, found)
    open_keys = [leaf for leaf in leaves if not (leaf.labelled or leaf.listed) and leaf.kinds <= {"string", "null"}]
    yield from _words_after(document, text, open_keys)
    yield from _codes(document, text, leaves, open_keys)
    yield from _some_of(document, text, leaves)
    yield from _pairs(document, text, open_keys)
    yield from _kinds(document, text, leaves, open_keys)


_MARKS = "[\"'`*]*"
# "next (str): pay, ask, refuse"
_WORDS = r"(?P<list>[a-z][\w-]*(?:, [a-z][\w-]*){2,})"


_WORDS_LINE = re.compile(
    rf"^\W*{_MARKS}(?P<name>[A-Za-z_][\w -]{{0,60}}?){_MARKS}(?: \([^()\n]*\))?\s*(?::|[-–—]\s)\s*{_WORDS}[ .]*$",
    re.MULTILINE | re.IGNORECASE,
)


def _words_after(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Three single words or more as all that the line of an open text says."""
    names = {leaf.name.casefold(): leaf.name for leaf in leaves}
    for match in _WORDS_LINE.finditer(text):
        if name := names.get(match["name"].casefold()):
            line = document.line(match.start("list"))
            yield f"line {line}: {shortened(match['list'])!r} may be the labels of {name!r}, which was read without labels"


# "S1 - all is down", "A: excellent work"
_CODE_LINE = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+)?[*`\"']*(?P<code>[A-Z]{1,4}\d|[A-H])[*`\"']*(?:\s*[:=]|[ \t]+[-–—])[ \t]+[^\W\d]",
    re.MULTILINE,
)
_SEQUENCE = re.compile(
    r"\b(?:steps?|rules?|criteria|tasks?|questions?|instructions?|constraints?|phases?|options?|given|inputs?)\b",
    re.IGNORECASE,
)


def _codes(
    document: PromptText, text: str, leaves: Sequence[KeyOfSchema], open_keys: Sequence[KeyOfSchema]
) -> Iterator[str]:
    """Codes that are explained below each other, if no value has them and one was read that could."""
    free = [*open_keys, *(leaf for leaf in leaves if leaf.kinds & {"integer", "number"} and not leaf.bounded)]
    lines = list(_CODE_LINE.finditer(text))
    if not free or words_read(leaves) & {line["code"].casefold() for line in lines}:
        return
    for first, second in itertools.pairwise(lines):
        lead = text[: first.start()].rstrip().rpartition("\n")[2]
        follows = second["code"][:-1] == first["code"][:-1] and ord(second["code"][-1]) == ord(first["code"][-1]) + 1
        near = text.count("\n", first.end(), second.start()) == 1
        if follows and near and first["code"][-1] in "01A" and not _SEQUENCE.search(lead) and MASK not in first[0]:
            yield f"line {document.line(first.start())}: {first['code']!r} and {second['code']!r} are codes, and no value has them"
            return


def _some_of(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Words that the items of a list are some of, if it was read without labels: "(list, any of: red, blue)"."""
    for leaf in leaves:
        if not leaf.listed or leaf.labelled or leaf.kinds - {"string", "null"}:
            continue
        said = re.compile(
            rf"(?<![\w-]){re.escape(leaf.name)}[\"'`*]*[^.;\n\"'`]{{0,30}}\b(?:any|some|one or more|several|subset) of:? \w[\w-]*, \w[\w-]*(?:,| or| and)?",
            re.IGNORECASE,
        )
        if match := said.search(text):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r} are labels, and {leaf.name!r} was read without"


# Words on how a value is written, or of its parts.
_WRITTEN = re.compile(
    r"(?:short|brief|plain|free|exact|verbatim|concise|formal|polite|clear|english|singular|plural|\w+case|capitali[sz]ed|optional|required|mandatory|nullable"
    r"|first|last|string|text|str|date|null|list|array|\w+ed|\w+ly)\Z",
    re.IGNORECASE,
)


def _pairs(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Two words in brackets after an open text that may be its labels: "gear (pinion, worm)"."""
    for leaf in leaves:
        said = re.compile(
            rf"(?<![\w-]){re.escape(leaf.name)}[\"'`*]* \((?P<one>[A-Za-z][\w-]*), (?P<two>[A-Za-z][\w-]*)\)"
        )
        for match in said.finditer(text):
            words = (match["one"], match["two"])
            if not any(_WRITTEN.match(word) or FREE.match(word) for word in words):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r} may be the labels of {leaf.name!r}, which was read without labels"


# "JSON with tone (...)", "JSON: tone (...)"
_FIRST_KEY = re.compile(
    r"\b(?:return|respond|reply|answer|output|give|provide|produce)\b[^.\n]{0,40}?\bjson\b(?: (?:object|format|only))?(?::| with| containing)(?: the (?:keys|fields))? [\"'`]?(?P<name>[a-z]\w*)[\"'`]?(?: \([^()\n]+\))?(?:,| and) [\"'`]?[a-z]\w*[\"'`]?(?: \(|[,.]| and )",
    re.IGNORECASE,
)


# "json {tone, topics, quote}"
_IN_BRACES = re.compile(r"\bjson\b[^.\n{}]{0,20}\{\s*(?P<name>[a-z]\w*)(?:\s*,\s*[a-z]\w*)+\s*\}", re.IGNORECASE)


def first_key_lost(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """The first key of a list in words, if the answer was read as something without it."""
    known = words_read(leaves)
    text = instructions(document, found)
    for match in (*_FIRST_KEY.finditer(text), *_IN_BRACES.finditer(text)):
        if match["name"].casefold() not in known:
            yield f"line {document.line(match.start())}: {match['name']!r} is named as a key, and was not read"


_TRUTHS = re.compile(r"\b(?:true or false|true/false)\b", re.IGNORECASE)


def _kinds(
    document: PromptText, text: str, leaves: Sequence[KeyOfSchema], open_keys: Sequence[KeyOfSchema]
) -> Iterator[str]:
    """True or false, numbers with meanings and lists of whole numbers, if texts were read."""
    held = any(
        "boolean" in leaf.kinds or {"true", "false"} <= {label.casefold() for label in leaf.labels} for leaf in leaves
    )
    truths = _TRUTHS.search(text)
    if truths and open_keys and not held:
        yield f"line {document.line(truths.start())}: {truths[0]!r} is asked for, and no value was read as one"
    for leaf in open_keys:
        graded = re.search(rf"(?<![\w-]){re.escape(leaf.name)}[\"'`*]*(?::| is| as)? \(?\d ?[(=][^\n]*\d ?[(=]", text)
        if graded:
            yield f"line {document.line(graded.start())}: {shortened(graded[0])!r} are numbers, and {leaf.name!r} was read as a text"
    for leaf in leaves:
        numbers = re.search(
            rf"(?<![\w-]){re.escape(leaf.name)}[\"'`*]*[^.;,\n]{{0,12}}\b(?:list|array) of (?:[\w-]+ ){{0,3}}(?:numbers|integers|ints)\b",
            text,
        )
        if numbers and leaf.listed and leaf.kinds == {"string"} and not leaf.labelled:
            yield f"line {document.line(numbers.start())}: {shortened(numbers[0])!r} are numbers, and {leaf.name!r} was read as texts"


_FIELDS = r"(?:fields|keys|properties|attributes|columns|data points)"
_HEAD = re.compile(
    rf"^[ \t#*_>]*(?![-•\d])(?P<head>[^\n:]{{0,60}}?\b{_FIELDS}\b[^\n:]{{0,40}}|(?:please )?(?:extract|return|give|report|capture|fill in)(?: (?:these|the following|all of these))?)(?::[*_ \t]*|[*_ \t]*)\n(?:[ \t]*\n)?(?P<items>(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+[^\n]+(?:\n|\Z))+)",
    re.IGNORECASE | re.MULTILINE,
)
_NOT_ANSWER = re.compile(
    r"\b(?:inputs?|given|receive|provided|available|database|tables?|not|never|without|ignore|no|don['’]t|rules?|about|above|source|original)\b",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"[ \t]*(?:[-*•]|\d+[.)])[ \t]+(?P<open>[*_\"'`]*)(?P<name>[A-Za-z][\w-]*(?: [\w-]+){0,2}?)(?P<shut>[*_\"'`]*)(?:\s*\([^()\n]*\))?[*_]*[ \t]*(?P<sign>[:=–—]|-[ \t]|$)"
)
_IN_LINE = re.compile(
    rf"^[ \t#*_]*(?:the )?(?:{_FIELDS})(?: (?:of the answer|to (?:extract|return|fill)|needed|wanted|required))?[*_]*:[*_]*[ \t]+(?P<list>[\"'`]?[A-Za-z_]\w*[\"'`]?(?:\s*\([^()\n]*\))?(?:,? (?:and )?[\"'`]?[A-Za-z_]\w*[\"'`]?(?:\s*\([^()\n]*\))?)+)[ \t.]*$",
    re.IGNORECASE | re.MULTILINE,
)
_ADDS = re.compile(
    r"\b(?:add|include|append|attach|put in|insert)\b[^.;\n]{0,20}?\b(?:the |an? |another |one more )(?:extra |further |additional |second |third |new |boolean |integer )?(?:key|field|property|attribute|column)\s+(?:called |named )?[\"'`*]*(?P<name>[A-Za-z_][\w-]*)[\"'`*]*",
    re.IGNORECASE,
)
_NAMELESS = frozenset(
    [
        "that",
        "which",
        "with",
        "for",
        "if",
        "only",
        "is",
        "to",
        "of",
        "and",
        "or",
        "in",
        "names",
        "name",
        "values",
        "value",
        "when",
        "from",
        "as",
        "called",
        "named",
        "where",
    ]
)
# "Add why as a third key"
_AS_KEY = re.compile(
    r"\b(?:add|include|put|use|give|append)\b [\"'`*]*(?:the |a |an )?(?P<name>[A-Za-z_][\w-]*)[\"'`*]* as (?:an?|the|another|one more) (?:\w+ )?(?:key|field|property|column)\b",
    re.IGNORECASE,
)


def more_keys(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Fields that the prompt lists or adds, and that were not read; each with its line."""
    text = instructions(document, found)
    read = _Read(found, leaves)
    yield from _listed(document, text, read)
    yield from _added(document, text, read)


class _Read:
    """What was read: the keys, their words, and the labels."""

    def __init__(self, found: Inferred, leaves: Sequence[KeyOfSchema]) -> None:
        self._keys = {field_name(leaf.name) for leaf in leaves} | {leaf.name.casefold() for leaf in leaves}
        self._labels = {label.casefold() for leaf in leaves for label in leaf.labels}
        self._told = str([dict(item.schema) for item in found.fields]).casefold()
        self._words = {word.removesuffix("s") for name in self._keys for word in re.findall(r"[a-z]{3,}", name)}

    def has(self, name: str) -> bool:
        """Whether a name is a key, a label or a word of a description."""
        folded = name.casefold()
        return folded in self._keys | self._labels or field_name(name) in self._told or folded in self._told

    def speaks_of(self, said: str) -> bool:
        """Whether words have one of a key."""
        return bool(self._words & {word.removesuffix("s") for word in re.findall(r"[a-z]{3,}", said.lower())})


def _listed(document: PromptText, text: str, read: _Read) -> Iterator[str]:
    """Items of lists that are headed as fields."""
    for block in _HEAD.finditer(text):
        if _NOT_ANSWER.search(block["head"]):
            continue
        listed = re.search(rf"\b{_FIELDS}\b", block["head"], re.IGNORECASE) is not None
        for line in block["items"].splitlines():
            item = _NAME.match(line)
            if item is None or MASK in line or read.has(item["name"]) or read.speaks_of(item["name"]):
                continue
            plain = not (item["open"] or "_" in item["name"] or item["sign"])
            if not plain and (listed or item["sign"]):
                yield f"line {document.line(block.start())}: {shortened(item['name'])!r} is in the list {shortened(block['head'])!r}, and was not read"
    for match in _IN_LINE.finditer(text):
        names = re.findall(r"(?!and\b)\b[A-Za-z_]\w*", re.sub(r"\([^()]*\)", "", match["list"]))
        for name in names if len(names) > 1 else ():
            if not read.has(name):
                yield f"line {document.line(match.start())}: {name!r} is in a list of fields, and was not read"


def _added(document: PromptText, text: str, read: _Read) -> Iterator[str]:
    """Keys that an order adds by name."""
    for match in (*_ADDS.finditer(text), *_AS_KEY.finditer(text)):
        name = match["name"].casefold()
        begin = text.rfind("\n", 0, match.start()) + 1
        if name not in _NAMELESS and not read.has(name) and not _NOT_ANSWER.search(text, begin, match.start()):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {match['name']!r} was not read"
