"""Labels of a list elsewhere, to which the form points: by one that it shows, `"tier": "High"`, or by its place, "<worker or FINISH>"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptopt.structured.fields import MASK, PromptText, Span
from promptopt.structured.prose.label_codes import codes_beside, letter_grades, letters_said
from promptopt.structured.prose.label_items import labels_after

# "- High: needs action today", '"done" = all steps are taken', "  S = Structural,"
_ITEM = re.compile(
    r"(?P<bullet>[ \t]*(?:[-*•]|\d+[.)])[ \t]+|[ \t]+|(?=[\"'`]))"
    r"(?:[*_`\"'“]+(?P<marked>[^*`\"'“”\n]{1,40}?)[*_`\"'”]+|(?P<plain>[\w?][\w /-]{0,40}?))"
    r"[ \t]*(?:\([^()\n]*\))?[ \t]*(?P<ends>[:=–—→(]|-(?=[ \t])|\Z|(?=\b(?:if|when|only)\b))(?P<rest>[^\n]*)",
    re.IGNORECASE,
)
_BARRED = re.compile(r"[ \t]*(?:[-*•][ \t]+)?[\w-]+(?:[ \t]*\|[ \t]*[\w-]+)+[ \t]*")
_LEAST = 2
_MOST = 60
_LONGEST = 3


class LabelLists:
    """The lists of a prompt whose items may be labels, and what the form shows as the values of its keys.

    Args:
        covered: Where the form is: what it shows is a sample, and its lists are none of these.
    """

    def __init__(self, document: PromptText, covered: Sequence[Span]) -> None:
        self._shown = "\n".join(document.text[span.start : span.end] for span in covered)
        self._places = {match["name"]: match["words"] for match in _PLACE_OF_KEY.finditer(self._shown)}
        self._text = text = document.masked((*covered, *document.conditional))
        self._beside = [one for one in _inline(text) if _LEAST <= len(one.heads) <= _MOST]
        self._lists = [one for one in _lists(text) if _LEAST <= len(one.heads) <= _MOST]

    def of(self, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        """A key's schema with the labels of the only list that has every value which the form shows for it."""
        known = dict(schema)
        if known.get("type") == "array":
            items = known.get("items")
            if not isinstance(items, Mapping) or set(items) - {"type", "description"} or not _is_text(items):
                return known
            samples = self._samples(rf"[\"']{re.escape(name)}[\"']\s*:\s*\[(?P<list>[^\[\]{{}}]*)\]")
            found = self._labels(samples, least=2) or (self._headed(name, samples) if samples else [])
            return {**known, "items": {"type": "string", "enum": found}} if found else known
        if not _is_text(known) or "enum" in known:
            return known
        samples = self._samples(rf"[\"']{re.escape(name)}[\"']\s*:\s*(?P<list>\"[^\"\n]*\")")
        found = self._labels(samples) or self._headed(name, samples) or self._placed(name)
        if not found:
            return known
        plain = {key: part for key, part in known.items() if key != "description"}
        return {**plain, "enum": found}

    def _leads_of(self, name: str) -> set[str]:
        """The lines above lists that have a word of a key."""
        first = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)[:1] or [name]
        stem = first[0].lower().removesuffix("y")
        return {one.lead for one in (*self._lists, *self._beside) if stem in one.lead.lower()}

    def _placed(self, name: str) -> list[str]:
        """The labels of the list that the place of a key points to: ``"<category>"`` below "Categories:"."""
        place = self._places.get(name, "")
        if _ABOVE.fullmatch(place):
            return _same([one.heads for one in self._lists if _CHOICE.search(one.lead)])
        return self._headed(place.replace(" ", "_"), []) if place else []

    def _samples(self, pattern: str) -> list[str]:
        return [
            value
            for match in re.finditer(pattern, self._shown)
            for value in re.findall(r"\"([^\"\n]+)\"", match["list"])
            if re.search(r"\w", value)
        ]

    def _labels(self, samples: Sequence[str], least: int = 1) -> list[str]:
        if len(samples) < least or any(_ORDERS.match(sample) for sample in samples):
            return []
        if len(samples) == 1 and (codes := self._codes(samples[0])):
            return codes
        return _same([one.heads for one in self._lists if set(samples) <= set(one.heads)])

    def _codes(self, sample: str) -> list[str]:
        """The letters of a span that is shown, and the codes of which one is shown."""
        return letter_grades(sample, self._text) or codes_beside(sample, self._text) or letters_said(sample, self._text)

    def _headed(self, name: str, samples: Sequence[str]) -> list[str]:
        """The labels of the list that has the key for its heading: "Urgency levels:"."""
        leads = self._leads_of(name)
        if not leads:
            return []
        words = r"[ _-]?".join(map(re.escape, re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name) or [name]))
        heading = re.compile(
            rf"[ \t#*_]*(?:(?:the|possible|allowed|valid|available) )*{words.removesuffix('y')}(?:y|ies|es|s)?(?: (?:levels?|types?|categories|labels|options|values|classes))?(?: \([^()\n]*\))?[*_]*:[*_ \t]*",
            re.IGNORECASE,
        )
        one_of = re.compile(
            rf"\b(?:one|an?) (?:of (?:the |these )?(?:following )?)?{words.removesuffix('y')}(?:y|ies|es|s)?(?: below)?[*_]*:\W*\Z",
            re.IGNORECASE,
        )
        beside = [one.heads for one in self._beside if one.lead in leads and heading.fullmatch(f"{one.lead}:")]
        found = _same(
            [one.heads for one in self._lists if heading.fullmatch(one.lead) or one_of.search(one.lead)] or beside
        )
        told = not samples or set(samples) <= set(found)
        return found if told and all(len(label.split()) <= _LONGEST for label in found) else []


# "Check for rust in the hold": a line of the task, which the form names in the same words
_ORDERS = re.compile(
    r"(?:check|assess|analy[sz]e|evaluate|identify|determine|review|provide|consider|describe|explain|compare|verify|list|find|summari[sz]e|extract|write|give|note)\s+\w+\s+\w",
    re.IGNORECASE,
)


def _same(lists: Sequence[list[str]]) -> list[str]:
    """The one list, if all are the same; else empty."""
    return lists[0] if lists and all(set(one) == set(lists[0]) for one in lists) else []


def _is_text(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") in ("string", ["string", "null"])


@dataclass(frozen=True, slots=True)
class _List:
    lead: str
    heads: list[str]


def _lists(text: str) -> list[_List]:
    """The heads of each list, one item a line; a list with an item that has none is left out."""
    found: list[_List] = []
    heads: list[str] = []
    indent, quoted = 0, False
    before = lead = ""
    for line in [*text.splitlines(), ""]:
        item = _ITEM.match(line)
        depth = len(line) - len(line.lstrip())
        marked = bool(item and item["marked"])
        if item and MASK not in line and (not heads or depth == indent):
            if heads and marked is not quoted:
                # Labels in quotation marks, and below them keys without.
                found.append(_List(lead, list(dict.fromkeys(heads))))
                heads = []
            lead = lead if heads else before
            indent, quoted = depth, marked
            heads.append((item["marked"] or item["plain"]).strip())
            heads += [match["head"] for match in _BESIDE.finditer(item["rest"])]
            continue
        if _BARRED.fullmatch(line) and "|" in line:
            found.append(_List(before, [part.strip(" \t-*•") for part in line.split("|")]))
        if line.strip() and heads and depth > indent:
            continue  # the item goes on
        if heads and not _SAMPLES.search(lead):
            found.append(_List(lead, list(dict.fromkeys(heads))))
        heads = []
        before = line if line.strip() else before
    return found


_PLACE_OF_KEY = re.compile(r"[\"'](?P<name>[^\"'\n]+)[\"']\s*:\s*\"?<(?P<words>[a-z][a-z _]{2,40})>")
_ABOVE = re.compile(
    r"(?:exactly )?one of the (?:\w+ )?(?:above|below|listed|values|options|labels)(?: (?:above|below))?"
)
_CHOICE = re.compile(
    r"\b(?:one of|exactly one|choose|classify|categor(?:y|ies)|labels?|intents?|options|allowed|values|types?)\b",
    re.IGNORECASE,
)
# "- Difficulty: easy | medium | hard", "PACE: slow, fast, none", also between other sentences
_LINE = re.compile(
    r"(?:^[ \t]*(?:[-*•][ \t]+)?|(?<=[.;] )(?=[A-Z]))[*_`\"']*(?P<name>[A-Za-z][\w ]{1,30}?)[*_`\"']*[ \t]*:[*_]*[ \t]*(?P<list>[\w-]+(?:[ \t]*\|[ \t]*[\w-]+)+|[A-Za-z_-]+(?:, (?:or )?[A-Za-z_-]+)+)(?=[ \t.]*$|\.\s)",
    re.MULTILINE,
)


# "Vary the level (low, mid, high)."
_AFTER_NAME = re.compile(
    r"(?<![\w-])(?P<name>[A-Za-z]\w*)[*_`\"']* \((?P<list>[A-Za-z][\w-]*(?:(?:, (?:or |and )?| or |/)[A-Za-z][\w-]*)+)\)"
)


def _inline(text: str) -> list[_List]:
    """Lists in the line of their name, or in brackets after it."""
    return [
        _List(match["name"], re.split(r"\s*\|\s*|, (?:or |and )?| or |/", match["list"]))
        for match in (*_LINE.finditer(text), *_AFTER_NAME.finditer(text))
        if MASK not in match[0] and not re.search(r"\bnull\b", match["list"])
    ]


# "E = Electrical,     P = Plumbing,"
_BESIDE = re.compile(r",[ \t]+(?P<head>[\w?]{1,20})[ \t]*=[ \t]")
_SAMPLES = re.compile(r"\b(?:examples?|e\.g|such as|for instance)\b", re.IGNORECASE)


# What a place says of a value that is one of a list: "the category name", "one of the workers or FINISH"
_PLACE = re.compile(
    r"\W*(?:(?:exactly |only )?(?:the|a|an|your|one|one of the|next|chosen|selected|exact|best|matching) )*(?:name of (?:the|an?|one) )?(?P<noun>[A-Za-z]+(?: [a-z]+)?)(?:[ _](?:name|label|id|key)s?)?"
    r"(?P<rest>(?:(?: ?,|,? or| ?/| ?\|) ?['\"]?(?:[A-Z][A-Z\d_]+|(?<=['\"])[\w ]+)['\"]?)*)\W*",
    re.IGNORECASE,
)
_REST = re.compile(r"[A-Z][A-Z\d_]+|(?<=['\"])[\w ]+(?=['\"])")
# Not all that there are, or not what there is to choose from
_NO_CHOICE = re.compile(
    r"\b(?:examples?|e\.g|for instance|such as|like|including|includes?|some|sample|rules|criteria|steps|guidelines|tips|notes?|input)\b|\b(?:about|for|(?<!list )(?<!set )of)(?: the| these| our)?\s*\Z",
    re.IGNORECASE,
)
_NULL = frozenset({"NULL"})


def labels_of_place(said: str, document: PromptText) -> list[str]:
    """The labels of the list that a place names, and those that it adds; empty if it names none, or several differ."""
    place = _PLACE.fullmatch(said)
    if place is None:
        return []
    words = re.sub(r"[ _](?:name|label|id|key)s?\Z", "", place["noun"], flags=re.IGNORECASE)
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
        after = labels_after(document.text, match.end()) if heading and not _NO_CHOICE.search(match["lead"]) else None
        if after is None or MASK in document.text[match.start() : after[1]]:
            continue
        found.append(after[0])
    same = bool(found) and all(set(one) == set(found[0]) for one in found)
    return list(found[0]) if same else []
