"""JSON that a prompt shows several times, and beside it in words: the labels of one, the fields that the other lacks."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptopt.structured.fields import PromptText, UnreadForm
from promptopt.structured.prose.wording import or_null
from promptopt.structured.readers.json_blocks import OR, Block

_SHORT = re.compile(r"[A-Za-z][\w-]*(?: [\w-]+){0,2}")
# "- **due_date**: the date of the payment"
_DESCRIBED = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+(?:\*\*|`|\*\*`)(?P<name>[a-z]\w*)(?:\*\*|`|`\*\*)[ \t]*(?:\([^()\n]*\))?[ \t]*:",
    re.MULTILINE,
)
# A list of descriptions is one of the answer's fields if this many of them are keys of its JSON.
_LEAST = 3


def with_variants(document: PromptText, schema: dict[str, Any], blocks: Sequence[Block]) -> dict[str, Any]:
    """The schema with the labels of a key that differs in templates joined by "or".

    ``{"level": "low"} or {"level": "high"}`` lists all there is; examples are some of many and list nothing.
    """
    if len(blocks) < 2 or blocks[0].example or "properties" not in schema:
        return schema
    for one, other in itertools.pairwise(blocks):
        if not OR.fullmatch(document.text[one.span.end : other.span.start]):
            return schema
    try:
        shown = [json.loads(document.text[block.span.start : block.span.end]) for block in blocks]
    except ValueError:
        return schema
    properties = dict(schema["properties"])
    for name, child in properties.items():
        values = [value.get(name) for value in shown]
        labels = [value for value in values if isinstance(value, str) and _SHORT.fullmatch(value)]
        if child.get("type") == "string" and len(labels) == len(values) == len(set(labels)):
            properties[name] = {"type": "string", "enum": labels}
    return {**schema, "properties": properties}


# "a JSON array of cards in this form:", "Each item must contain:"
_OF_LIST = re.compile(
    r"\bjson (?:array|list)\b|\b(?:array|list) of (?:[\w-]+ )?(?:json )?(?:objects|dictionaries|dicts|records|entries|items)\b"
    r"|\beach (?:item|object|element|entry|record)\b",
    re.IGNORECASE,
)


_LEADS_ON = re.compile(
    r"(?::|\b(?:like|such as|(?:of|in|with) (?:the|this) (?:form|format|shape|structure)|as))[ \t*_`]*\Z", re.IGNORECASE
)


def each_of_list(document: PromptText, block: Block, schema: Mapping[str, Any]) -> bool:
    """Whether the object that a template shows is one of those in a list, by the line that leads to it."""
    if block.example or any(_holds_objects(child) for child in schema.get("properties", {}).values()):
        return False
    before = re.sub(r"(?:```|~~~)\w*\s*\Z", "", document.text[: block.span.start].rstrip())
    line = before.rstrip().rpartition("\n")[2]
    return _LEADS_ON.search(line) is not None and _OF_LIST.search(line) is not None


def _holds_objects(schema: Mapping[str, Any]) -> bool:
    return isinstance(schema.get("items"), Mapping) and "properties" in schema["items"]


def with_nulls(document: PromptText, schema: dict[str, Any], blocks: Sequence[Block]) -> dict[str, Any]:
    """The schema where a value may be null that one of several shown answers has as null and another has not."""
    if len(blocks) < 2 or "properties" not in schema:
        return schema
    shown: list[Mapping[str, Any]] = []
    for block in blocks:
        try:
            value = json.loads(document.text[block.span.start : block.span.end])
        except ValueError:
            continue
        shown += [value] if isinstance(value, Mapping) else []
    nulls = {name for value in shown for name, one in value.items() if one is None}
    properties = {name: or_null(child) if name in nulls else child for name, child in schema["properties"].items()}
    return {**schema, "properties": properties}


def check_one_form(document: PromptText, blocks: Sequence[Block]) -> None:
    """Raises UnreadForm if templates of the answer differ in more than one key: each is for a case of its own."""
    templates = [block for block in blocks if not block.example and "properties" in block.schema]
    for one, other in itertools.pairwise(templates):
        if len(set(one.schema["properties"]) ^ set(other.schema["properties"])) > 1:
            line = document.line(other.span.start)
            raise UnreadForm(f"line {line}: the answer has one of several forms, with other keys in each")


_MEANS = re.compile(
    r"\b(?:why|how|what|whether|which|where|who|whom|when|explanation|explain\w*|brief\w*|short|concise|detailed|one|sentences?|your|justif\w+|reason\w*|descri\w+|summary|list|if)\b",
    re.IGNORECASE,
)
_SHOWN = 3


# "The name of the buyer": words that say what belongs there, and no sample of it.
_TELLS = re.compile(r"(?:the|an?|full|exact|specific|number|name|date) [a-z]", re.IGNORECASE)
_FIGURE = re.compile(r":\s*(?:-?\d+(?:\.\d+)?|true|false)\s*[,}\n]")
# A date, a code, an amount or an address, as an answer has it: "2024-02-01", "E11.9", "A-113", "12.50"
_CONCRETE = re.compile(
    r"\d{4}-\d\d-\d\d\b.*|\d{1,2}[./]\d{1,2}[./]\d{2,4}|(?=[^ ]*[A-Z])(?=[^ ]*\d\d)[A-Z\d][A-Z\d./-]{2,}|\d+[.,]\d{1,3}(?: ?\S{1,3})?|[\w.]+@[\w.-]+"
)
_TEXT = re.compile(r"\"(?P<key>[^\"\n]+)\"\s*:\s*\"(?P<text>[^\"\n]+)\"")
# Such as "..." and "string": neither a sample nor a description.
_NEUTRAL = re.compile(r"\W*|(?:string|str|text|value|date)|[\w-]+\.\.\.|\w{1,3}-\w{1,3}", re.IGNORECASE)
# "one nice sentence": no answer says this of itself.
_LENGTH = re.compile(
    r"\b(?:one|two|three|an?|single|few|short|brief|\d+(?:-\d+)?)[ -](?:[a-z]+ )?(?:sentences?|words?|lines?|paragraphs?|phrases?)\b",
    re.IGNORECASE,
)


def without_samples(schema: Any, shown: str = "", texts: Mapping[str, set[str]] | None = None) -> Any:
    """A template without words that are samples.

    Such are those of a key that comes several times with other words each, and those beside figures as they may be in
    an answer, if they do not say what belongs there.

    Args:
        shown: The text of the template.
        texts: The words of each key, for the parts of a template.
    """
    if not isinstance(schema, Mapping):
        return schema
    if texts is None:
        found: dict[str, set[str]] = {}
        _collect(schema, found)
        filled = _is_filled(shown)
        texts = {name: said for name, said in found.items() if len(said) >= _SHOWN or filled}
        if filled and not _instructs(shown):
            texts = {name: {text for text in said if _LENGTH.search(text)} for name, said in texts.items()}
    known = dict(schema)
    if isinstance(known.get("properties"), Mapping):
        known["properties"] = {
            name: {
                key: part
                for key, part in without_samples(child, shown, texts).items()
                if key != "description" or not _is_sample(name, texts)
            }
            for name, child in known["properties"].items()
        }
    if "items" in known:
        known["items"] = without_samples(known["items"], shown, texts)
    return known


def _is_filled(shown: str) -> bool:
    """Whether a form has values as an answer has them."""
    if re.search(r"[<>|]", shown):
        return False
    concrete = any(_CONCRETE.fullmatch(match["text"]) for match in _TEXT.finditer(shown))
    return concrete or _FIGURE.search(shown) is not None


def _instructs(shown: str) -> bool:
    """Whether most texts of a form say what belongs in their places."""
    texts = [match.groups() for match in _TEXT.finditer(shown) if not _NEUTRAL.fullmatch(match["text"])]
    return sum(_says_what(key, text) for key, text in texts) * 2 > len(texts)


def _says_what(key: str, text: str) -> bool:
    """Whether a text says what belongs there: in words for that, or in those of its key, as "Email address" of ``email``."""
    named = any(word.lower() in text.lower() for word in re.findall(r"[A-Z]?[a-z]{3,}", key))
    return bool(named or _MEANS.search(text) or _TELLS.match(text) or text.endswith("..."))


def _is_sample(name: str, texts: Mapping[str, set[str]]) -> bool:
    """Whether few of the texts of a key say what belongs there, or how."""
    if name not in texts:
        return False
    return not texts[name] or sum(_says_what(name, text) for text in texts[name]) * 2 < len(texts[name])


def _collect(schema: Any, found: dict[str, set[str]]) -> None:
    if not isinstance(schema, Mapping):
        return
    for name, child in schema.get("properties", {}).items():
        if child.get("type") == "string" and "description" in child:
            found.setdefault(name, set()).add(child["description"])
        _collect(child, found)
    _collect(schema.get("items"), found)


def check_described(document: PromptText, schema: Mapping[str, Any]) -> None:
    """Raises UnreadForm if the prose describes a field of the answer that its JSON has no key for."""
    keys = set(_keys(schema))
    described = list(_DESCRIBED.finditer(document.text))
    if sum(match["name"] in keys for match in described) < _LEAST:
        return
    for match in described:
        # A plain word in bold may be a topic; one with an underscore is a key.
        if "_" in match["name"] and match["name"] not in keys:
            line = document.line(match.start("name"))
            raise UnreadForm(f"line {line}: {match['name']!r} is described, and the JSON of the answer has no such key")


def _keys(schema: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name, child in schema.get("properties", {}).items():
        found += [name, *_keys(child)]
    return found + (_keys(schema["items"]) if isinstance(schema.get("items"), Mapping) else [])


def without_values(shown: str, before: Mapping[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """A form without the texts that it shows, if one of them is a label that the prose has: they are all of one answer.

    Args:
        shown: The form as the prompt has it.
        before: Its schema.
        told: The same with what the prose says of its keys.
    """
    was, now = before.get("properties", {}), told.get("properties", {})
    values = {match["name"]: match["value"] for match in _TEXT_SHOWN.finditer(shown)}
    told_labels = {
        name: child["enum"] for name, child in now.items() if "enum" in child and "enum" not in was.get(name, {})
    }
    if not any(values.get(name) in labels for name, labels in told_labels.items()):
        return told
    plain = {
        name: {key: part for key, part in child.items() if key != "description" or was.get(name, {}).get(key) != part}
        for name, child in now.items()
    }
    return {**told, "properties": plain}


_TEXT_SHOWN = re.compile(r"\"(?P<name>[^\"\n]+)\"\s*:\s*\"(?P<value>[^\"\n]+)\"")
