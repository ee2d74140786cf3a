"""A second reading of clauses that say what a key is: a list of values, a range or null in them must be in its schema.

It shares no pattern with the readers that propose: it goes clause by clause, takes the words of a key at the begin of
one for its subject, and asks of what follows whether it lists values or ends of a range that the schema has not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import Inferred, PromptText, blank, speaks
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened

_ASIDE = re.compile(r"\([^()\n]{1,120}\)")
_MARK = "[\"'`*]"


def said_in_clauses(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What a clause says of a key and its schema does not hold; each with its line."""
    text = _ASIDE.sub(lambda aside: blank(aside[0]), instructions(document, found))
    for name in dict.fromkeys(leaf.name for leaf in leaves):
        same = [leaf for leaf in leaves if leaf.name == name]
        for start, said in _predicates(text, name):
            reasons = [why for leaf in same if (why := _lacks(leaf, said))]
            if len(reasons) == len(same):
                words, what = reasons[0]
                yield f"line {document.line(start)}: {shortened(words)!r} is said of {name!r}, which was read {what}"
    yield from _nulls(document, text, leaves)


_IS = r"(?:\s*(?:=|:|→|->)\s*|\s+[-–—]\s+|\s+(?:is|are|must|should|shall|can|may|will|has to|needs to|takes|holds|contains)\b\s*)"


def words_of_key(name: str) -> str:
    """The words of a key as a pattern: ``nextStep`` is "next step"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return r"[ _-]".join(map(re.escape, re.split(r"[_\s-]+", apart)))


_SAYS = re.compile(rf"{_MARK}*(?: (?:field|key|value))?{_IS}", re.IGNORECASE)


def _predicates(text: str, name: str) -> Iterator[tuple[int, str]]:
    """Where clauses have a key for their subject, and what they say of it up to the end of the sentence."""
    if not re.fullmatch(r"[A-Za-z][\w -]*", name):
        return
    if not speaks(text, (re.sub(r"(?<=[a-z])(?=[A-Z])|\s+", " ", name),), _SAYS):
        return
    subject = re.compile(
        rf"(?:(?:^|[.;!?:,]\s|\b(?:and|the|its|each|every|where|with)\s)[ \t]*(?:[-*•]|\d+[.)])?[ \t]*{_MARK}*|{_MARK}){words_of_key(name)}{_MARK}*(?: (?:field|key|value))?{_IS}(?P<said>[^.;\n]*(?:\.(?=\d)[^.;\n]*)*)",
        re.IGNORECASE | re.MULTILINE,
    )
    for match in subject.finditer(text):
        yield match.start(), match["said"]


LIST_ITEM = r"(?:[\"'`“][^\"'`”\n]{1,40}[\"'`”]|[A-Za-z][\w/-]*(?: [\w-]+){0,2}?)"
_LEAD = r"(?:(?:be|always|only|either|exactly|one|of|the|these|following|a|single|from|strictly|simply|just|set to|values?|labels?|categor(?:y|ies)|options?|letters?)\s+)*"
_LISTED = re.compile(
    rf"(?:\A\s*{_LEAD}|:\s*|\b(?:one of|either)\s+(?:the )?)(?P<list>{LIST_ITEM}(?:\s*,\s*{LIST_ITEM})*\s*,?\s*(?:\bor\b|/|\|)\s*{LIST_ITEM})\W*\Z",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    r"(?:an?|the|in|on|at|to|of|as|if|not|no|any|each|your|its|for|by|with|when|null|empty|less|more|than|at)\b",
    re.IGNORECASE,
)
# Words for what belongs there: "place: city, region or country"
FREE = re.compile(
    r"(?:text|string|name|title|description|sentences?|words?|numbers?|integers?|date|cit(?:y|ies)|town|region|country|state|street|address|person|people|compan(?:y|ies)|organi[sz]ation"
    r"|email|phone|url|link|id|code|year|month|day|time|place|location|topic|question|quote|phrase|object|event|product|thing|reason|part|section|page|line)s?\Z",
    re.IGNORECASE,
)
"""The end of words that say what belongs in a place, and are no value themselves."""


def _lacks(leaf: KeyOfSchema, said: str) -> tuple[str, str] | None:
    """The words that bound a value, and as what its key was read; ``None`` if its schema has what they say."""
    kinds = leaf.kinds
    if not leaf.labelled and kinds and kinds <= {"string", "null"}:
        listed = _LISTED.search(said)
        if listed and _are_values(listed["list"]):
            return listed["list"], "without labels"
    return None


def _are_values(listed: str) -> bool:
    """Whether the parts of a list are values themselves, and no words on what belongs there."""
    parts = [part.strip() for part in re.split(r"\s*,\s*(?:or\s+)?|\s+or\s+|\s*[/|]\s*", listed) if part.strip()]
    bare = [part.strip("\"'`“”*") for part in parts]
    if len(parts) < 2 or all(FREE.search(part) for part in bare):
        return False
    marked = all(part[0] in "\"'`“*" for part in parts) or all(re.fullmatch(r"[A-Z][A-Z_\d]*", part) for part in bare)
    short = all(len(part.split()) <= 2 and not _BEGINS.match(part) for part in bare)
    return marked or (len(parts) > 2 and short)


_NULL = re.compile(r"\bnull\b")
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?](?=\S)[^.!?\n]*)*")


def _nulls(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Keys that a sentence sets to null one after the other: "set date to null if ..., and part to null if ..."."""
    names: dict[str, list[KeyOfSchema]] = {}
    for leaf in leaves:
        names.setdefault(leaf.name, []).append(leaf)
    for sentence in _SENTENCE.finditer(text):
        nulls = list(_NULL.finditer(sentence[0]))
        begin = 0
        for null in nulls:
            part = sentence[0][begin : null.start()]
            begin = null.end()
            spoken = [
                (match.start(), name)
                for name in names
                for match in re.finditer(
                    rf"(?<!\w){_MARK}*{re.escape(name)}(?!\w){_MARK}*(?: (?:field|key))?(?=\s*(?:,|and\b|or\b|to\b|as\b|=|:|is\b|must be\b|should be\b|may be\b|can be\b|\Z))",
                    part,
                )
            ]
            if (
                not spoken
                or not re.search(r"\b(?:to|as|be|is|=|:|use|return|set)\s*(?:json )?\Z", part)
                or re.search(r"\b(?:if|when|unless)\b[^,]*\Z", part)
                or _DENIED.search(part)
            ):
                continue
            for _, name in spoken:
                if not any(
                    leaf.nullable or None in leaf.value.get("enum", ()) for leaf in names[name]
                ) and _last_clause(part, name):
                    line = document.line(sentence.start() + null.start())
                    yield f"line {line}: {name!r} may be null, and was read without it"


# "dog and owner must not be null", "never set the dog to null"
_DENIED = re.compile(
    r"\bneither\b[^.;,]*\Z|\b(?:must|should|may|can|will|is|are)(?: not| never|n['’]t) (?:ever )?be\s*\Z|\b(?:cannot|can['’]t) be\s*\Z|(?:\A|[.;,]\s+|\b(?:but|and) )\W*(?:never|do not|don['’]t) (?:set|use|return|put|leave|make)\b[^.;]*\Z",
    re.IGNORECASE,
)


def _last_clause(part: str, name: str) -> bool:
    """Whether a key is named in the clause that goes up to null, and in no condition."""
    clause = re.split(r"[,;]\s+(?!and\b|or\b|\w+\s+(?:and|to)\b)|\s[-–—]+\s", part)[-1]
    # "chair is always given and deputy is null": what has a verb of its own is over
    clause = re.sub(
        r"\A.*?\b(?:is|are|was|were|has|have)\b.*\b(?:and|but) (?=[\w\"'`*]+ (?:is|are|may|can|must)\b)", "", clause
    )
    clause = re.split(r"\b(?:then|set|use|return|make|leave)\b", clause)[-1]
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", clause) is not None and not re.search(
        rf"\b(?:if|when|unless|where)\b[^,]*(?<!\w){re.escape(name)}(?!\w)", clause
    )
