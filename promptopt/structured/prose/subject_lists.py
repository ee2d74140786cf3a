"""Lists of labels that a prompt gives for a value by its name: "The team can be one of the following: [sales, support]"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from promptopt.structured.fields import MASK, PromptText, Span, field_name, scan

_CHOSEN = (
    r"(?:chosen from|choose from|selected from|select from|one of|any of|(?:list|array|some|several) of|from (?:the )?following"
    r"|(?:the|these) following (?:classes|categories|options|labels|values))"
)
# "team are chosen from:" and then "[sales, support]"
_BRACKETED = regex.compile(
    rf"^(?P<lead>[^\n\[\]]*\b{_CHOSEN}\b[^\n\[\]]*?):?[ \t]*\n?[ \t]*\[(?P<items>[^\[\]{{}}\n]{{3,800}})\]",
    regex.MULTILINE | regex.IGNORECASE,
)
# "The team can be one of the following:" and then lines such as "Sales: offers and prices"
_DEFINED = regex.compile(
    rf"^(?P<lead>[^\n\[\]]*\b{_CHOSEN}\b[^\n\[\]]*):[ \t]*\n(?P<items>(?:[A-Z][\w &/-]{{1,40}}:[ \t]+\S[^\n]*\n){{3,}})",
    regex.MULTILINE | regex.IGNORECASE,
)
# "The verdict must be one of:" and then "- Upheld: ..."
_BELOW = regex.compile(
    rf"^(?P<lead>[^\n\[\]]*\b{_CHOSEN}\b[^\n\[\]]*):[ \t]*\n(?P<items>(?:[ \t]*[-*•][ \t]+[*_`\"']*[A-Za-z][\w &/-]{{0,40}}?[*_`\"']*[ \t]*(?:[:(–→]|-(?= ))[^\n]*(?:\n|\Z)){{2,}})",
    regex.MULTILINE | regex.IGNORECASE,
)
_MANY = re.compile(r"\b(?:list|array|multiple|several|one or more|some)\b", re.IGNORECASE)
_SUBJECT = re.compile(
    r"\A\W*(?:the |your |its |an? )?[\"'`*]*(?P<name>[A-Za-z][\w ]{1,40}?)[\"'`*]*\s+(?:can|must|should|may|will|is|are|has to)\b",
    re.IGNORECASE,
)
# "all_tags = ["news",  # what happened", and a sentence that sends there
_ASSIGNED = regex.compile(
    r"^[ \t]*(?P<name>[A-Za-z]\w*)[ \t]*[:=][ \t]*\[(?P<items>(?:\s*\"[^\"\n]{1,60}\"[ \t]*,?[ \t]*(?:(?:#|//)[^\n]*)?)+)\s*\]",
    regex.MULTILINE,
)
_FROM_IT = re.compile(
    r"\b(?:select|choose|pick|use|assign|label)\b[^.\n]{0,80}\b(?:from|in|of) the (?:\w+ )?(?:list|tags|options|categories|labels)\b",
    re.IGNORECASE,
)


CONDITION = re.compile(
    r"\b(?:if|when|unless) [^,]*\bof (?:the|these)\b[^,]*|\b(?:is|are) (?:true|met|given|fulfilled)\b", re.IGNORECASE
)
"""What leads to conditions and not to labels: "if one of the following is true:"."""


@dataclass(frozen=True, slots=True)
class SubjectList:
    """Labels of a value.

    Attributes:
        name: The key that holds one of them; empty if only its kind is known.
        noun: The last word of each key that holds some of them.
        many: Whether the value is a list of labels.
    """

    name: str
    noun: str
    values: tuple[str, ...]
    span: Span
    many: bool = False


def subject_lists(document: PromptText) -> Iterator[SubjectList]:
    """The lists of labels whose lead names the value that they are for."""
    for pattern in (_BRACKETED, _DEFINED, _BELOW):
        for match in scan(pattern, document.text):
            subject = _SUBJECT.match(match["lead"])
            values = (
                [part.strip().strip("\"'`") for part in match["items"].split(",")]
                if pattern is _BRACKETED
                else [re.split(r"[:(–→]| - ", line)[0].strip("-*•_`\"' \t") for line in match["items"].splitlines()]
            )
            if subject and _are_labels(values) and not CONDITION.search(match["lead"]):
                many = _MANY.search(match["lead"], subject.end()) is not None
                yield SubjectList(field_name(subject["name"]), "", tuple(values), Span(*match.span()), many)
    if _FROM_IT.search(document.text):
        for match in scan(_ASSIGNED, document.text):
            values = re.findall(r"\"([^\"\n]+)\"[ \t]*,?[ \t]*(?=#|//|\n|\]|\"|\Z)", match["items"])
            if _are_labels(values):
                noun = match["name"].lower().rpartition("_")[2].removesuffix("s")
                yield SubjectList("", noun, tuple(values), Span(*match.span()))


def _are_labels(values: list[str]) -> bool:
    plain = all(
        value and MASK not in value and len(value.split()) <= 4 and value not in ("...", "etc") for value in values
    )
    return plain and len(values) > 1 and len(set(values)) == len(values)
