"""A second reading of how many: one answer or several, and the number of things that a prompt wants.

It shares no pattern with the readers that propose: it looks for numbers before things in the plural, wherever an order
is given, and for the words that say that there are several of what was read as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, begin_of
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import NUMBER_WORDS, VARIABLE, KeyOfSchema, shortened

_NUMERALS = "|".join(word for word, number in NUMBER_WORDS.items() if number > 1)
_THING = r"(?P<things>(?:(?!if\b|when\b|for\b|or\b|of\b|to\b|is\b|are\b)[\w'’-]+[ ,]+){0,4}?(?!\w+ss\b|this\b|his\b|its\b|as\b|is\b|was\b|has\b|thus\b|always\b|words\b|sentences\b|characters\b|lines\b|paragraphs\b|tokens\b|pages\b|minutes\b|seconds\b|hours\b|days\b|weeks\b|months\b|years\b|points\b|digits\b|times\b|yes\b)[a-z-]{2,}s\b)"
_WANTED = re.compile(
    r"\b(?:generate|create|write|produce|provide|give|list|suggest|propose|pick|select|choose|recommend|identify|extract|find|return|output|draft|formulate|design|include|assign|make|compose|prepare)\s+(?:me |us |up |exactly |only |a list of |an array of |a total of |the |your |at most |at least |up to |between |no more than |a maximum of |a minimum of )*"
    rf"(?P<number>(?!1\b(?!\s?(?:[-–]|to\b|or\b)))\d{{1,3}}(?:\s?(?:-|–|to|and)\s?\d{{1,3}})?|(?:{_NUMERALS})(?:\s?(?:-|–|to|or)\s?(?:{_NUMERALS}))?)\s+{_THING}",
    re.IGNORECASE,
)
_ALL = re.compile(
    rf"\b(?:output|return|extract|generate|list|write|produce|provide|identify|find|create|give|print|report)\s+(?:all|each|every|multiple|several|various|a (?:list|set|series|number) of|(?:{VARIABLE.pattern})+|as many)\s+(?:of )?(?:the )?(?:possible |different |distinct |relevant |unique )*{_THING.replace('things', 'all')}"
    r"|\b(?:output|return|extract|generate|list|write|produce|provide|find|print|report)\s+(?:each|every)\s+(?!of\b|time\b|part\b|field\b|value\b|key\b|section\b|step\b|word\b|criterion\b)[a-z-]+\s+(?:[a-z-]+\s+)?(?:that|which|mentioned|named|in the|from the|you)\b"
    r"|\b(?:output|return|generate|write|print|produce|respond with|report)\s+each\s+(?:[\w-]+\s+){1,3}?(?:in|as|with)\b",
    re.IGNORECASE,
)
# "the ports (at least two, at most five)"
_BOUNDS = re.compile(
    rf"\((?:at least|at most|up to|no more than|min(?:imum)?(?: of)?|max(?:imum)?(?: of)?) (?:\d{{1,2}}|{_NUMERALS})(?:,? (?:and )?(?:at most|up to|no more than|max(?:imum)?(?: of)?) (?:\d{{1,2}}|{_NUMERALS}))?\)",
    re.IGNORECASE,
)
_SOFT = re.compile(r"\b(?:if|when|unless|not|never|avoid|without|before|example|e\.g|input)\b|n['’]t\b", re.IGNORECASE)


def miscounted(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Numbers of things that no list holds, and several things of which one was read."""
    text = instructions(document, found)
    lists = [leaf for leaf in leaves if leaf.node.get("type") == "array" or "array" in (leaf.node.get("type") or ())]
    for match in _WANTED.finditer(text):
        if _is_soft(text, match):
            continue
        line = f"line {document.line(match.start())}: {shortened(match[0])!r}"
        free = [leaf for leaf in lists if not {"minItems", "maxItems"} & set(leaf.node)]
        told = set(re.findall(r"[a-z]+", match["things"].lower()))
        for leaf in free:
            if _last(leaf.name) & {_one(word) for word in told if word.endswith("s")}:
                yield f"{line} is said of {leaf.name!r}, which was read without a count"
        inner = {word for leaf in lists for word in _last(leaf.name)}
        whole = any(leaf.name == found.fields[0].name for leaf in free)
        if found.wrapped and whole and not inner & {_one(word) for word in told if word.endswith("s")}:
            yield f"{line}: the list was read without a count"
        if not lists and not _is_counted(found, match["number"], told):
            yield f"{line}: one object was read for all of them"
    yield from _bounds_lost(document, text, lists)
    yield from _as_many(document, text, lists)
    yield from _of_each(document, text, lists)
    if lists:
        return
    for match in _ALL.finditer(text):
        if not _is_soft(text, match) and not _is_quoted(text, match):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: one object was read for all of them"


def _bounds_lost(document: PromptText, text: str, lists: Sequence[KeyOfSchema]) -> Iterator[str]:
    for match in _BOUNDS.finditer(text) if lists else ():
        begin = text.rfind("\n", 0, match.start()) + 1
        told = {_one(word) for word in re.findall(r"[a-z]+", text[begin : match.start()].lower())}
        of_list = any(_last(leaf.name) & told for leaf in lists)
        if of_list and not any({"minItems", "maxItems"} & set(leaf.node) for leaf in lists):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: no list was read with a count"


# "List 2 pros and as many cons", "the same number of cons"
_AS_MANY = re.compile(
    r"\b(?:as many|equally many|the same number of) (?:[\w-]+ ){0,2}?(?P<thing>[a-z]+s)\b(?! (?:as|that|which))",
    re.IGNORECASE,
)


def _as_many(document: PromptText, text: str, lists: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Things of which there are as many as of others, if their list has no count."""
    for match in _AS_MANY.finditer(text):
        for leaf in lists:
            if _one(match["thing"].lower()) in _last(leaf.name) and not {"minItems", "maxItems"} & set(leaf.node):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r} is said of {leaf.name!r}, which was read without a count"


_EACH_HAS = re.compile(
    rf"\b(?P<n>\d{{1,2}}|{_NUMERALS}) (?:[\w-]+ ){{0,3}}?(?P<thing>[a-z-]+s) (?:[\w-]+ ){{0,2}}?(?:per|for each|for every|about each|from each) (?!line\b)[a-z]+",
    re.IGNORECASE,
)


def _of_each(document: PromptText, text: str, lists: Sequence[KeyOfSchema]) -> Iterator[str]:
    """As many things as each of several others has, if a list of the answer has this count in all."""
    for match in _EACH_HAS.finditer(text):
        count = NUMBER_WORDS.get(match["n"].lower()) or int(match["n"])
        for leaf in lists:
            whole = leaf.node.get("maxItems") == leaf.node.get("minItems") == count
            if whole and (leaf.name == "items" or _one(match["thing"].lower()) in _last(leaf.name)):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {leaf.name!r} was read with {count} in all"


def _is_soft(text: str, match: re.Match[str]) -> bool:
    begin = begin_of(text, match.start() + 1, (".", "\n", ";", "("))
    return bool(_SOFT.search(text, begin, match.start()) or MASK in match[0])


def _is_quoted(text: str, match: re.Match[str]) -> bool:
    """Whether words are somebody's who is quoted: a list request such as "List all ports"."""
    begin = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    rest = text[match.end() : end if end >= 0 else len(text)]
    return text.count('"', begin, match.start()) % 2 == 1 and '"' in rest


def _one(word: str) -> str:
    return word.removesuffix("s").removesuffix("e").removesuffix("i").removesuffix("y")


def _last(name: str) -> set[str]:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)]
    return {_one(words[-1]), _one(words[0])} if words else set()


# "axes" and "gaps" stand in other words.
_SHORT = 5


def _is_counted(found: Inferred, number: str, told: set[str]) -> bool:
    """Whether as many fields were read as are wanted, or such a thing is what one of the fields holds."""
    first = re.match(r"\d+|[a-z]+", number.lower())
    count = int(first[0]) if first and first[0].isdigit() else NUMBER_WORDS.get(first[0] if first else "", 0)
    names = {_one(word) for name in _names(found) for word in re.findall(r"[a-z]+", name.lower())}
    said = " ".join(str(dict(item.schema)) for item in found.fields).lower()
    return (len(found.fields) >= count > 1 and any(_one(word) in names | _PARTS for word in told)) or any(
        _one(word) in said for word in told if word.endswith("s") and len(word) > _SHORT
    )


# "Extract three details": the fields themselves
_PARTS = frozenset(_one(word) for word in ("details", "fields", "values", "keys", "parts", "properties"))


def _names(found: Inferred) -> Iterator[str]:
    def visit(name: str, node: Mapping[str, object]) -> Iterator[str]:
        yield name
        inner = node.get("properties")
        if isinstance(inner, Mapping):
            for key, child in inner.items():
                yield from visit(key, child)

    for item in found.fields:
        yield from visit(item.name, item.schema)
