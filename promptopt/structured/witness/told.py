"""A second reading of keys that are named in words: lists, codes, questions and further keys beside them must have been read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.clauses import FREE
from promptopt.structured.witness.keys import KeyOfSchema, shortened, words_read


def untold(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What the prompt says of keys in words and no value holds; each with its line."""
    text = instructions(document, found)
    open_keys = [leaf for leaf in leaves if not (leaf.labelled or leaf.listed) and leaf.kinds <= {"string", "null"}]
    yield from _words_after(document, text, open_keys)
    yield from _codes(document, text, leaves, open_keys)
    yield from _questions(document, text, open_keys)
    yield from _beside(document, text, leaves)
    yield from _ranges(document, text, open_keys)
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


_WHETHER = re.compile(r"\bwhether (?P<words>[^.,;:()\n]{3,80})", re.IGNORECASE)


def _questions(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """An order to decide whether something holds, in the words of a key that was read as an open text."""
    for match in _WHETHER.finditer(text):
        said = {_root(word) for word in re.findall(r"[a-z]+", match["words"].lower())}
        for leaf in leaves:
            words = {
                _root(word) for word in re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", leaf.name).lower())
            }
            if len(words) > 1 and words <= said:
                yield f"line {document.line(match.start())}: {shortened(match[0])!r} is asked, and {leaf.name!r} was read as a text"


def _root(word: str) -> str:
    return re.sub(r"(?:ed|s|e)\Z", "", word)


# 'JSON with tone, style and a "remarks" field'
_MIXED = re.compile(
    r"\bjson\b[^.\n\"'`]{0,60}?\b(?:with|containing|including|has|having|keys|fields)(?: the| keys| fields)*:? (?P<plain>[a-z]\w*(?:, [a-z]\w*)*),? (?:and|plus) (?:an? |the )?[\"'`](?P<quoted>\w+)[\"'`]",
    re.IGNORECASE,
)


def _beside(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Words without quotation marks that stand in a list with a key in such marks, and are no keys."""
    names = {leaf.name for leaf in leaves}
    for match in _MIXED.finditer(text):
        lost = [word for word in match["plain"].split(", ") if word not in names]
        if match["quoted"] in names and lost:
            yield f"line {document.line(match.start())}: {lost[0]!r} stands in a list with {match['quoted']!r}, and was not read"


def _ranges(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A range right after the name of an open text: "a priority from 1 to 4"."""
    for leaf in leaves:
        spoken = re.sub(r"_|(?<=[a-z])(?=[A-Z])", "[ _]?", leaf.name)
        said = re.compile(
            rf"\b{spoken}[\"'`*]*,? (?:from|between|of|on a scale (?:of|from)) -?\d[\d.]* ?(?:to|and|-|–) ?-?\d(?![\d.,]* (?:words|sentences|characters|lines|items|steps|paragraphs))",
            re.IGNORECASE,
        )
        if match := said.search(text):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r} is a range, and {leaf.name!r} was read as a text"


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
