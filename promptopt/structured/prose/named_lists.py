"""Lists of a prompt that a place of its form names: "<worker or FINISH>" below "You have these workers:"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptopt.structured.fields import MASK, PromptText
from promptopt.structured.prose.listed import labels_after

# What a place says of a value that is one of a list: "the category name", "one of the workers or FINISH"
_PLACE = re.compile(
    r"\W*(?:(?:exactly |only )?(?:the|a|an|your|one|one of the|next|chosen|selected|exact|best|matching) )*(?:name of (?:the|an?|one) )?(?P<noun>[A-Za-z]+(?: [a-z]+)?)(?:[ _](?:name|label|id|key))?"
    r"(?P<rest>(?:(?: ?,|,? or| ?/| ?\|) ?['\"]?(?:[A-Z][A-Z\d_]+|(?<=['\"])[\w ]+)['\"]?)*)\W*",
    re.IGNORECASE,
)
_REST = re.compile(r"[A-Z][A-Z\d_]+|(?<=['\"])[\w ]+(?=['\"])")
# Not all that there are, or not what there is to choose from
_SAMPLES = re.compile(
    r"\b(?:examples?|e\.g|for instance|such as|like|including|includes?|some|sample|rules|criteria|steps|guidelines|tips|notes?|input)\b|\b(?:about|for|(?<!list )(?<!set )of)(?: the| these| our)?\s*\Z",
    re.IGNORECASE,
)
_NULL = frozenset({"NULL"})


def labels_of_place(said: str, document: PromptText) -> list[str]:
    """The labels of the list that a place names, and those that it adds; empty if it names none, or several differ."""
    place = _PLACE.fullmatch(said)
    if place is None:
        return []
    words = re.sub(r"[ _](?:name|label|id|key)\Z", "", place["noun"], flags=re.IGNORECASE)
    added = _REST.findall(place["rest"])
    if _NULL & set(added):
        return []
    listed = _list_called(words, document)
    return list(dict.fromkeys([*listed, *added])) if listed else []


def _list_called(noun: str, document: PromptText) -> list[str]:
    """The items of the lists that a line ending with the plural of a noun leads to, if they are the same."""
    stem = r"[ _-]".join(re.escape(word) for word in noun.lower().split())
    plural = rf"(?:{stem.removesuffix('y')}ies|{stem}e?s)"
    lead = re.compile(
        rf"^(?P<lead>[^\n{MASK}]*?)\b{plural}(?: are| below| exist| available)*(?:[ \t]*\([^()\n]*\))?[*_]*(?::[*_]*|(?<=[a-z*)])[ \t]*(?=\n))",
        re.IGNORECASE | re.MULTILINE,
    )
    found: list[Sequence[str]] = []
    for match in lead.finditer(document.text):
        heading = match[0].rstrip(" *_").endswith(":") or match[0].lstrip().startswith(("#", "*"))
        after = labels_after(document.text, match.end()) if heading and not _SAMPLES.search(match["lead"]) else None
        if after is None or MASK in document.text[match.start() : after[1]]:
            continue
        found.append(after[0])
    same = bool(found) and all(set(one) == set(found[0]) for one in found)
    return list(found[0]) if same else []
