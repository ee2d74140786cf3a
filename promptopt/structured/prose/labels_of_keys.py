"""Labels and ranges that the prose gives to a key by its name, right after its noun, or in the line of the key.

"a binary score 'yes' or 'no'", "ports: choose from [Oslo, Bergen, Hull]".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptopt.structured.fields import MASK, Field, PromptText, begin_of, field_name
from promptopt.structured.prose.choices import Choice, enum
from promptopt.structured.prose.key_labels import words_of
from promptopt.structured.prose.label_items import Item, items_at
from promptopt.structured.prose.plain_labels import is_denied, is_kind, is_known_label
from promptopt.structured.reasoning import keeps_reasoning_in


def with_prose(name: str, schema: dict[str, Any], ranges: list[Choice], lists: list[Choice]) -> dict[str, Any]:
    """A key's schema with the range or the labels that the prose gives under its name."""
    plain = field_name(name)
    kind = schema.get("type")
    if kind in (None, "integer", "number") and "enum" not in schema and "minimum" not in schema:
        fitting = [choice.schema for choice in ranges if choice.name and choice.name in plain.split("_")]
        if fitting and all(choice == fitting[0] for choice in fitting):
            described = {key: value for key, value in schema.items() if key == "description"}
            # A decimal example says more than "between 0 and 10".
            number = {"type": "number"} if kind == "number" else {}
            return {**described, **fitting[0], **number}
        listed = [choice.schema for choice in lists if choice.name == plain and choice.schema.get("type") == "integer"]
        if listed and all(choice == listed[0] for choice in listed):
            return {**schema, **listed[0]}
    if kind in (None, "string") and "enum" not in schema:
        if labelled := _only_labels(plain, lists):
            return {**schema, "type": "string", "enum": labelled}
        known = [
            choice.schema
            for choice in lists
            if not choice.many
            and ((choice.name and choice.name == plain) or _is_kind(plain, choice.noun))
            and choice.schema.get("type") == "string"
        ]
        if known and all(set(label["enum"]) == set(known[0]["enum"]) for label in known):
            return {**schema, **known[0]}
        coded = [choice.schema["enum"] for choice in lists if choice.name and choice.name == plain and not choice.many]
        if kind == "string" and coded and all(codes == coded[0] for codes in coded):
            return {**schema, "enum": [str(code) for code in coded[0]]}  # shown in quotes: the number as a text
    return schema


def _is_kind(name: str, noun: str) -> bool:
    return bool(noun) and name.rpartition("_")[2].removesuffix("s") == noun


def with_items(name: str, schema: dict[str, Any], lists: list[Choice]) -> dict[str, Any]:
    """A list of texts whose labels the prose gives under its name."""
    plain = field_name(name)
    if schema == {"type": "string"} and any(choice.many and choice.name == plain for choice in lists):
        schema = {"type": "array", "items": {"type": "string"}}
    items = schema.get("items")
    if schema.get("type") != "array" or not isinstance(items, Mapping) or {"enum", "properties"} & set(items):
        return schema
    known = [
        choice.schema for choice in lists if (choice.name and choice.name == plain) or _is_kind(plain, choice.noun)
    ]
    if not known or items.get("type") not in (None, "string") or any(other != known[0] for other in known):
        return schema
    return {**schema, "items": dict(known[0])}


# What such keys hold is no label.
_FREE_KEYS = frozenset(
    re.findall(
        r"\S+",
        """title name names text query question message content comment note description details quote evidence source id url path code
    email response reply rewrite translation suggestion suggestions feedback observation findings context excerpt snippet""",
    )
)


def with_only_key(schema: dict[str, Any], lists: list[Choice]) -> dict[str, Any]:
    """A form with the labels of the only list that the prompt gives, if only one of its keys can hold them."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not lists or any(choice.name or choice.noun for choice in lists):
        return schema
    labels_ = lists[0].schema
    if labels_.get("type") != "string" or any(set(other.schema["enum"]) != set(labels_["enum"]) for other in lists):
        return schema
    open_keys = [
        name
        for name, child in properties.items()
        if child.get("type") == "string" and set(child) <= {"type"} and not (keeps_reasoning_in(name) or name == "why")
    ]
    holds = _holds_labels(schema)
    if holds or len(open_keys) != 1 or set(field_name(open_keys[0]).split("_")) & _FREE_KEYS:
        return schema
    found = {**properties[open_keys[0]], "enum": list(labels_["enum"])}
    return {**schema, "properties": {**properties, open_keys[0]: found}}


def with_each_number(document: PromptText, schema: dict[str, Any], lists: list[Choice]) -> dict[str, Any]:
    """A form whose keys are the numbers of things, with the labels that a sentence gives to each of them."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or len(lists) != 1 or lists[0].schema.get("type") != "string":
        return schema
    begin, end = (document.text.rfind("\n", 0, lists[0].span.start) + 1, lists[0].span.end)
    each = re.search(r"\b(?:each|every)\b", document.text[begin:end], re.IGNORECASE)
    if not each or not all(name.isdigit() and child == {"type": "string"} for name, child in properties.items()):
        return schema
    labelled = {"type": "string", "enum": list(lists[0].schema["enum"])}
    return {**schema, "properties": {name: dict(labelled) for name in properties}}


def _holds_labels(schema: Mapping[str, Any]) -> bool:
    """Whether a key has labels, or one inside of it."""
    inside = (*schema.get("properties", {}).values(), schema.get("items"))
    return "enum" in schema or any(isinstance(one, Mapping) and _holds_labels(one) for one in inside)


# Keys that name a label and not what it is of.
_LABEL_KEYS = frozenset({"label", "class", "category", "classification", "prediction"})
_VERDICT_KEYS = frozenset({"verdict", "decision", "answer", "result", "score"})


def _only_labels(name: str, lists: list[Choice]) -> list[str]:
    """The labels of the one list that a prompt gives, if a key can only hold one of them; empty if it may not."""
    noun = name.rpartition("_")[2]
    if noun not in _LABEL_KEYS | _VERDICT_KEYS or not lists:
        return []
    if any(choice.name or choice.schema.get("type") != "string" for choice in lists):
        return []
    first = list(lists[0].schema["enum"])
    same = all(set(choice.schema["enum"]) == set(first) for choice in lists)
    asked = noun in _LABEL_KEYS or any(choice.asks for choice in lists)
    return first if same and asked else []


def with_only_list(field: Field, lists: list[Choice]) -> Field:
    """The only key of an answer with the labels of the only list that asks for it."""
    asked = [choice.schema for choice in lists if choice.asks]
    # A score by its name alone may be "yes" or "no".
    open_text = field.schema == {"type": "number"} or (
        field.schema.get("type") == "string" and "enum" not in field.schema
    )
    if not open_text or not asked or any(set(schema["enum"]) != set(asked[0]["enum"]) for schema in asked):
        return field
    if asked[0].get("type") != "string" or len(asked) < len(lists):
        return field
    return replace(field, schema={**field.schema, "type": "string", "enum": list(asked[0]["enum"])})


_JOINT = r"[\"'`*]*(?:,|:| of| as| is| are| must be| should be| can be| will be| has to be)?(?: either| only| just| exactly| one of| always)*:? *\(?"
# The task gives it, or says what it is; "reviews that carry the grade" have it.
_GIVES = re.compile(
    r"(?:\A|[,;:(]|\b(?:and|then|to|please|must|should|also|finally|first|with|plus)\b)\W*(?:give|assign|provide|return|output|write|answer|respond|reply|add|set|mark|report|include|choose|pick|state|end|use|decide|determine|judge|your)\b",
    re.IGNORECASE,
)
# "The grade is PASS or FAIL": of the rest nobody says whose it is.
_IS = re.compile(r"\b(?:is|are|must|should|can|will|has to)\b|:")
_OF_INPUT = re.compile(
    r"\b(?:that|which|who|carry|carries|comes? with|has|have|had|shows?|contains?|given|counts?|words|terms)\b",
    re.IGNORECASE,
)
_END = re.compile(r"[ \t]*(?:[.;\n]|\Z)")
# "leave the advice empty if the risk is 0 or 1": not what the risk can be
_IF = re.compile(r"\b(?:if|when|whenever|unless|while|until) (?:the |its |this |your )?\Z", re.IGNORECASE)
_LONGEST = 4


_TRUE_IN_MARKS = re.compile(r"[\"'`“](?:true|false)[\"'`”]", re.IGNORECASE)


def with_labels_after_noun(name: str, schema: Mapping[str, Any], document: PromptText) -> dict[str, Any]:
    """A text, or a number by its name alone, with the labels that follow its noun, if all places agree.

    Args:
        schema: ``{"type": "number"}`` only if nothing but the name says so.
    """
    known = dict(schema)
    if known not in ({"type": "string"}, {"type": "number"}) or not re.fullmatch(r"[A-Za-z][\w -]*", name):
        return known
    noun = re.compile(rf"(?<![\w\"'`.-]){words_of(name)}{_JOINT}(?=[\"'`“A-Za-z\d-])", re.IGNORECASE)
    own = "_" in name or re.search(r"[a-z][A-Z]", name) is not None
    found = [
        labels
        for match in noun.finditer(document.text)
        if (labels := _labels(document.text, match, spelled=own and match[0].startswith(name)))
    ]
    if not found or any(set(labels) != set(found[0]) for labels in found):
        return known
    if {label.lower() for label in found[0]} == {"true", "false"} and not _TRUE_IN_MARKS.search(document.text):
        return {"type": "boolean"}
    return enum(found[0])


def _labels(text: str, noun: re.Match[str], *, spelled: bool) -> list[str]:
    """The labels after a noun; empty if there are none, or the sentence speaks of what is given.

    Args:
        spelled: Whether the noun is spelled as the key and no word of prose is.
    """
    begin = begin_of(text, noun.start(), ("\n", ". ", "! ", "? "))
    before = text[begin : noun.start()]
    if MASK in before or is_denied(text, noun.start()) or _OF_INPUT.search(before) or _IF.search(before):
        return []
    items = items_at(text, noun.end())
    if items is None or not any(item.joint in ("or", "/", "|") for item in items):
        return []
    alone = before.strip(" *-#").lower() in ("", "the") and _IS.search(noun[0]) is not None
    whole = alone and (spelled or _END.match(text, items[-1].end) is not None)
    if not (whole or _GIVES.search(before)):
        return []
    values = [item.said(text) for item in items]
    if any(item.article for item in items) or len({value.casefold() for value in values}) < len(values):
        return []
    return values if _are_labels(items, values) else []


def _are_labels(items: Sequence[Item], values: Sequence[str]) -> bool:
    """Whether words are labels by their marks or capitals, or are such as everybody takes for labels."""
    if any(len(value.split()) > _LONGEST for value in values):
        return False
    quoted = [item.quoted for item in items]
    if all(quoted) or any(quoted):
        return all(quoted)
    return all(is_known_label(value) or re.fullmatch(r"[A-Z][A-Z\d_]+|-?\d{1,2}", value) for value in values)


_CHOSEN = (
    r"(?:an? )?(?:(?:list|array) of )?(?:only )?(?:(?:choose|chosen|select(?:ed)?|pick(?:ed)?|taken?|use|drawn)(?: only| one or more| one| any| all that apply)? (?:from|among)"
    r"|(?:one or more|any|some|a subset|subset|zero or more|exactly one|one) (?:of|from))(?: the| these)?(?: following)?(?: \w+)?:?"
)
_LISTED = re.compile(
    r"\b(?:choose|chosen|select|pick|taken?|drawn|one|any|some|subset|more|use)\w* (?:\w+ ){0,4}?(?:from|of|among)\b",
    re.IGNORECASE,
)


def with_choices(name: str, schema: dict[str, Any], document: PromptText) -> dict[str, Any]:
    """A text, or a list of texts, with the labels in brackets that the line of its key has."""
    items = schema.get("items")
    value = items if isinstance(items, Mapping) else schema
    if (
        value.get("type") != "string"
        or "enum" in value
        or not (_LISTED.search(document.text) or _CASE.search(document.text))
    ):
        return schema
    line = _line_of(name, rf"[:=–—-][*_]*[ \t]*{_CHOSEN}[ \t]*\[(?P<list>[^\[\]\n]{{3,800}})\]")
    found = [_values(match["list"]) for match in line.finditer(document.text) if MASK not in match[0]]
    if not found and (cases := near_cases(name, document)):
        if any(one != cases[0] for one in cases):
            return schema
        if value is not schema and re.search(rf"[\"']{re.escape(name)}[\"']\s*:\s*\[", document.text):
            return {**schema, "items": {"type": "string", "enum": [case for case in cases[0] if case is not None]}}
        # A list by its name alone is one label if its line begins with a case.
        null = None in cases[0] or "null" in value["type"]
        labels = [*(case for case in cases[0] if case is not None), *([None] if null else [])]
        return {"type": ["string", "null"] if null else "string", "enum": labels}
    if not found or any(one != found[0] for one in found) or len(found[0]) < 2 or value["type"] != "string":
        return schema
    labelled = {**{key: part for key, part in value.items() if key != "description"}, "enum": found[0]}
    return labelled if value is schema else {**schema, "items": labelled}


def _line_of(name: str, said: str) -> re.Pattern[str]:
    """The line that begins with a key, and a pattern of what is said of it there."""
    key = rf"[*_`\"']*{re.escape(name)}[*_`\"']*[ \t]*(?:\([^()\n]*\))?[*_]*"
    return re.compile(rf"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*{key}[ \t]*{said}", re.IGNORECASE | re.MULTILINE)


# '"open" if it sells', '"no" ONLY if the caller denies it', '"unknown" otherwise'
_CASE = re.compile(
    r"(?:(?<=[:;,.])|\A)[ \t]*(?:(?:and|or|else) )?[\"'`“](?P<label>[\w -]{1,30})[\"'`”] (?:only )?(?:if|when|for|otherwise|in all other cases)\b",
    re.IGNORECASE,
)
_NULL = re.compile(r"\b(?:otherwise|else)[,:]? null\b|\bnull (?:otherwise|if|when)\b", re.IGNORECASE)


def near_cases(name: str, document: PromptText) -> list[list[str | None]]:
    """The labels that the line of a key gives case by case, and null if it is one of them."""
    line = _line_of(name, r"(?P<said>[:=–—-][*_]*[ \t]*[\"'`“][^\n]*)$")
    found: list[list[str | None]] = []
    for match in line.finditer(document.text):
        labels: list[str | None] = list(dict.fromkeys(case["label"] for case in _CASE.finditer(match["said"])))
        if len(labels) > 1 and MASK not in match[0]:
            found.append([*labels, *([None] if _NULL.search(match["said"]) else [])])
    return found


def _values(listed: str) -> list[str]:
    """The labels of a list; empty if one of its items is none."""
    parts = [part.strip().strip("\"'`“”‘’") for part in re.split(r"[,|]", listed)]
    plain = all(part and len(part.split()) <= _LONGEST and part not in ("...", "…", "etc") for part in parts)
    return list(dict.fromkeys(parts)) if plain else []


# Words on how a value is written, or what belongs there.
_WRITTEN = re.compile(
    r"(?:string|text|str|int|integer|float|number|bool|boolean|list|array|object|date|null|optional|required|mandatory|short|brief|plain|free|exact|verbatim"
    r"|concise|formal|english|singular|plural|(?:lower|upper|title|snake|camel)-?case|capitali[sz]ed|one|two|three|max|min|name|code|id|length|time|title)\Z",
    re.IGNORECASE,
)


def pair_of(name: str, document: PromptText) -> list[str]:
    """The two labels in brackets after a key that is called as one of a kind, "state (new, used)"; empty if there are none."""
    if not is_kind(name):
        return []
    spoken = re.escape(name).replace("_", "[ _]")
    pattern = rf"\b{spoken}[\"'`*]* \((?P<one>[A-Za-z][\w-]*), (?P<two>[A-Za-z][\w-]*)\)"
    found = [
        [match["one"], match["two"]]
        for match in re.finditer(pattern, document.text, re.IGNORECASE)
        if MASK not in match[0]
    ]
    if not found or any(_WRITTEN.match(word) for word in found[0]) or any(one != found[0] for one in found):
        return []
    return found[0]
