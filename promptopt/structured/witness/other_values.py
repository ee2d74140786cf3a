"""A second reading of values that a form may have beside those that were read: empty texts, translated labels, a number.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import PromptText
from promptopt.structured.witness.keys import KeyOfSchema, shortened


def other_values(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What a value may be and its schema has not, each with its line."""
    yield from _empty(document, leaves)
    yield from _in_a_language(leaves)
    yield from _percent(document, leaves)
    yield from _null_of_others(document, leaves)


_SENTENCE = re.compile(r"[^.!?\n]+(?:\.(?=\S)[^.!?\n]*)*")
LEFT_EMPTY = re.compile(
    r"\b(?:leave|keep)\b[^.\n]{0,40}\b(?:empty|blank)\b|\b(?:use|return|output|give|put|write|set|fill)\b[^.\n]{0,50}(?:\b(?:an? )?(?:empty|blank) (?:strings?|texts?|values?)\b|(?<![\"'\w])(?:\"\"|'')(?![\"'\w]))",
    re.IGNORECASE,
)
"""What lets a text be empty: "Leave strings empty when the log does not say it"."""
_OF_ANY = re.compile(
    r"\b(?:any|all|every|each|fields?|values?|keys?|strings|information|data|anything|something|details?|attributes?|properties|entr(?:y|ies)|what is)\b",
    re.IGNORECASE,
)


def _empty(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels without an empty one, where a sentence about no key lets any text be empty."""
    closed = [leaf for leaf in leaves if leaf.labels and "" not in leaf.labels and not leaf.nullable]
    names = "|".join(re.escape(leaf.name) for leaf in leaves) or r"(?!)"
    for sentence in _SENTENCE.finditer(document.text) if closed else ():
        said = LEFT_EMPTY.search(sentence[0])
        if said and _OF_ANY.search(sentence[0]) and not re.search(rf"(?<![\w-])(?:{names})(?![\w-])", sentence[0]):
            line = document.line(sentence.start() + said.start())
            yield f"line {line}: {shortened(said[0])!r}: {closed[0].name!r} has labels, and none that is empty"
            return


# "low|medium|high in TARGET_LANGUAGE"
_LANGUAGE = re.compile(r".+ in (?:[A-Z][A-Z_]{3,}|(?:the |your )?(?:\w+ )?language|\{.*\})\Z")


def _in_a_language(leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    for leaf in leaves:
        for label in leaf.labels:
            if _LANGUAGE.match(label):
                yield f"{label!r} is a label of {leaf.name!r} and says in which language the labels are: they are not named"


def _percent(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A place for a percentage that was read as a text: ``{"sales": %, "costs": %}``."""
    for leaf in leaves:
        shown = re.search(rf"[\"']{re.escape(leaf.name)}[\"']\s*:\s*(?:%|<%>|<[^<>\n\"]*%>)\s*[,}}\n]", document.text)
        if shown and leaf.kinds == {"string"} and not leaf.labelled:
            yield f"line {document.line(shown.start())}: {shortened(shown[0])!r} shows a percentage, and a text was read"


# "If found is false all the other fields are null."
_OTHERS_NULL = re.compile(
    r"\bif\W+(?P<key>\w+)\W+(?:is|=|==)[^.\n]*\b(?:other|remaining|rest of the) (?:fields?|keys?|values?|properties)\b[^.\n]*\bnull\b",
    re.IGNORECASE,
)


def _null_of_others(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    for match in _OTHERS_NULL.finditer(document.text):
        for leaf in leaves:
            own = rf"[\"']{re.escape(leaf.name)}[\"']\s*:[^,\n]*\bnull\b"
            if leaf.name == match["key"] and leaf.nullable and not re.search(own, document.text):
                yield f"line {document.line(match.start())}: null is said of the other keys, and {leaf.name!r} was read with it"
