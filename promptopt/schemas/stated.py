"""The value that a sentence states, in one of a few plain forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.schemas.doubt import CHANGED, DENIED, contradicted, doubted, sentences_of
from promptopt.schemas.text_values import AFTER, MOST_PRESENT, label_hits, scalar, shown

# A value that a longer text mentions somewhere, or one of so many, is not what the text says.
MOST_CHARACTERS = 20_000
# What may be before the subject of a sentence that states a value, and between it and its verb.
_LEAD = (
    r"(?:(?:so|thus|therefore|hence|overall|in (?:summary|short|conclusion|total)|to (?:conclude|sum up)|yes"
    r"|(?:based on|given|judging by|from) (?:the|this) \w+)\s*[,:]?\s*|"
    r"(?:(?:i (?:think|believe|conclude|find|would say|['’]d say)|i['’]d say|(?:my|the) answer is)\s+(?:that\s+)?))?"
)
_DETERMINER = r"(?:(?:the|its|this|my|overall|final|correct|answer's)\s+){0,3}"
_SURELY = r"(?:(?:clearly|definitely|certainly|obviously|plainly|a|an|the|of)\s+){0,2}"
_DOCUMENT = (
    r"(?:text|message|ticket|review|answer|sentence|comment|document|email|letter|question|input|article|post"
    r"|statement)"
)
# Of an object with one property, "it" is that property.
_ANY_SUBJECT = (
    rf"it|this|that|(?:the|this) {_DOCUMENT}|answer|label|category|class|classification|verdict|result|rating"
)
_JUDGED = r"(?:classified|labell?ed|rated|categori[sz]ed|tagged|marked)\s+as"
# The one "would" that doubts nothing.
_OPINION = re.compile(r"\A\W*i would (?=say|classify|label|rate|categori[sz]e|tag)", re.IGNORECASE)
# What the name of a yes-or-no property begins with: "is_spam" is about spam.
_BE = re.compile(r"\A(?:is|are|was|has|have|contains?|needs?|should|can|does)[_ -]+", re.IGNORECASE)


def stated(text: str, name: str, schema: Any, *, alone: bool) -> tuple[Any, str]:
    """The value of an enum, number or boolean that a sentence states for a property; else the reason why none."""
    if not isinstance(schema, Mapping) or len(text) > MOST_CHARACTERS:
        return None, ""
    words = r"[\s_-]*".join(re.escape(part) for part in re.split(r"[_\s-]+", name))
    labels = schema.get("enum")
    if isinstance(labels, list) and all(isinstance(label, str) for label in labels if label is not None):
        return _stated_label(text, words, [label for label in labels if label], alone=alone)
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _stated_number(text, words, schema)
    if kind == "boolean" and alone:
        return _stated_boolean(text, name)
    return None, ""


def _stated_boolean(text: str, name: str) -> tuple[bool | None, str]:
    """What a text says that begins with yes or no, if nothing that follows says otherwise."""
    match = re.match(rf"\W*(yes|no|true|false)(?={AFTER})", text, re.IGNORECASE)
    if match is None:
        return None, ""
    value, rest = match[1].lower() in ("yes", "true"), text[match.end() :]
    if doubted(rest) or re.search(r"\b(?:unless|except|if)\b", rest):
        return None, f"{shown(text)} leaves it open"
    subject = re.compile(
        r"[\s_-]*".join(map(re.escape, _BE.sub("", name).replace("_", " ").split())) or r"(?!)", re.IGNORECASE
    )
    for sentence in sentences_of(rest):
        other = re.search(r"\b(?:no|false)\W*$" if value else r"\b(?:yes|true)\b", sentence, re.IGNORECASE)
        named = subject.search(sentence) is not None and bool(DENIED.search(sentence)) == value
        if other or named or contradicted(sentence, yes=value):
            return None, f"{shown(text)} contradicts itself"
    return value, ""


def _stated_number(text: str, words: str, schema: Mapping[str, Any]) -> tuple[Any, str]:
    """The number that sentences state for a property; none if one of those that name it says anything else."""
    plainly = re.compile(
        rf"(?:{_subject(words, alone=False)})[\s*_`]*(?P<n>[+-]?\d+(?:\.\d+)?)(?={AFTER})(?P<rest>.*)",
        re.IGNORECASE | re.DOTALL,
    )
    named = re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
    values: set[str] = set()
    for sentence in sentences_of(text):
        if named.search(sentence) is None or not re.search(r"\d", sentence):
            continue
        match = plainly.match(sentence)
        if match is None or sentence.endswith("?") or CHANGED.search(match["rest"]) or doubted(match["rest"]):
            return None, f"{shown(sentence)} does not state it plainly"
        values.add(match["n"])
    if len(values) > 1:
        return None, f"the text states {len(values)} numbers for it"
    return (scalar(values.pop(), schema) if values else None), ""


def _subject(words: str, *, alone: bool) -> str:
    """The beginnings of a sentence that state a property's value, as a pattern."""
    subject = rf"(?:{words}|{_ANY_SUBJECT})" if alone else words
    return (
        rf"\W*{_LEAD}{_DETERMINER}{subject}"
        rf"(?:\s+(?:expressed |shown |conveyed )?(?:of|in|by|for)\s+(?:this|the)\s+\w+)?"
        rf"(?:\s+here)?"
        rf"[\s*_`]*(?:(?:(?:is|was|are)|['’]s)\s*(?::\s*)?(?:{_JUDGED}\s+)?|:[\s*_`]*|=|[–—]\s){_SURELY}"
        rf"|\W*(?:i|i would|i['’]d) (?:classify|label|rate|categori[sz]e|tag) (?:it|this|the \w+) as {_SURELY}"
        rf"|\W*(?:i|i would|i['’]d) (?:choose|pick|chose|picked|go with|say) {_SURELY}"
    )


def _stated_label(text: str, words: str, labels: list[str], *, alone: bool) -> tuple[str | None, str]:
    lowered = text.lower()
    # A pattern of a thousand labels takes minutes; most are nowhere in the text.
    present = [label for label in labels if label.lower() in lowered or label.lower().replace("_", " ") in lowered]
    if not 0 < len(present) <= MOST_PRESENT:
        return None, ""
    begins = re.compile(rf"(?:{_subject(words, alone=alone)})?[\s\"'*_`“‘]*\Z", re.IGNORECASE)
    ends = re.compile(rf"(?:\s+(?:{words}|overall|here{f'|{_DOCUMENT}' if alone else ''}))?{AFTER}", re.IGNORECASE)
    stated: set[str] = set()
    for sentence in sentences_of(text):
        for label, start, end in label_hits(sentence, present):
            stated.add(label)
            before = _OPINION.sub("", sentence[:start])
            if DENIED.search(before) or sentence.endswith("?"):
                return None, f"{shown(sentence)} doubts, denies or asks it"
            rest = sentence[end:]
            if label.lower() in ("yes", "no") and contradicted(rest, yes=label.lower() == "yes"):
                return None, f"{shown(sentence)} contradicts itself"
            if doubted(f"{rest} {text[text.find(sentence) + len(sentence) :]}"):
                return None, f"{shown(sentence)} is doubted after it"
            if begins.match(sentence[:start]) is None or ends.match(rest) is None:
                return None, f"{shown(sentence)} does not state it plainly"
    if len(stated) != 1:
        return None, f"the text names {len(stated)} of its labels" if stated else ""
    return stated.pop(), ""
