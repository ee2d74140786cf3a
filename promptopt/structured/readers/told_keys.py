"""Objects whose keys a prompt names in words: in a sentence, in a list with what is said of each, or as what each of several things has."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from promptopt.structured.completeness import wants_json
from promptopt.structured.fields import (
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    conditional,
    conditional_part,
    field_name,
    object_schema,
)
from promptopt.structured.prose.alternatives import TYPES
from promptopt.structured.prose.choices import Choice
from promptopt.structured.prose.described import described, stated
from promptopt.structured.prose.key_labels import KeyClauses
from promptopt.structured.prose.labels_of_keys import (
    with_choices,
    with_items,
    with_labels_after_noun,
    with_only_key,
    with_only_list,
    with_prose,
)
from promptopt.structured.prose.list_counts import with_counts
from promptopt.structured.prose.nulls import nulls_of
from promptopt.structured.prose.ordered_labels import with_ordered_keys
from promptopt.structured.prose.quiz_options import with_options
from promptopt.structured.prose.ranges import grades_of, numbers
from promptopt.structured.prose.said_in_passing import SaidInPassing
from promptopt.structured.prose.said_of_keys import list_under_key, with_bounds, with_labels, with_most
from promptopt.structured.prose.scale_lines import with_scale_lines
from promptopt.structured.readers.named_keys import NamedKey, keys_below, named_keys
from promptopt.structured.readers.pseudo_json import NotPseudo, read_pseudo
from promptopt.structured.readers.refine import with_aside
from promptopt.structured.readers.stated_keys import StatedKeys, holder_of_list, stated_keys

# What is added to objects that come from somewhere else.
_ADDED = re.compile(
    r"\b(?:additional|extra|further|new) (?:json )?(?:keys?|fields?)\b|\bin each (?:dictionary|object|record)\b",
    re.IGNORECASE,
)
_BARE_PAIR = re.compile(r"^[ \t]*\"(?P<name>\w+)\"[ \t]*:", re.MULTILINE)


def told_keys(document: PromptText, said: list[Choice]) -> Inferred | None:
    """The keys that a prompt names in words, each with what is said of it; ``None`` if it names none.

    Raises:
        UnreadForm: What the items of a list have is said in words.
    """
    if under := list_under_key(document):
        name, listed, span = under
        line = document.line(span.start)
        field = Field(name, with_most(name, listed, document), f"key in the prose, line {line}", line)
        return conditional(document, span) or Inferred((field,), covered=(span,), whole="JSON")
    together = stated_keys(document)
    keys = _both(document, together, named_keys(document))
    if not keys:
        return None
    if outside := _outside(document, keys):
        return Inferred(problems=(outside,))
    ranges = list(numbers(document))
    lists = _without_keys([choice for choice in said if "enum" in choice.schema], keys)
    lists = with_ordered_keys(document, lists, [key.name for key in keys])
    graded = grades_of(document)
    passing = SaidInPassing(document, [key.name for key in keys], [key.span for key in keys])
    clauses = KeyClauses(document, [key.name for key in keys], [key.span for key in keys])
    fields = []
    for key in keys:
        if bad := conditional(document, key.span):
            return bad
        line = document.line(key.span.start)
        schema = _own_form(key, document)
        if schema is None or key.nested or _ADDED.search(document.text, max(0, key.span.start - 60), key.span.end):
            return Inferred(problems=(f"line {line}: the form of {key.name!r} is given in words, not by an example",))
        if not key.inner:
            near = [choice for choice in ranges if key.span.overlaps(choice.span)] if len(keys) > 1 else []
            schema = _told(document, key, schema, (near, ranges, _not_of_others(key, keys, lists)), graded)
            schema = schema if stated(key.said) else _in_passing(key, schema, (passing, clauses), keys)
        fields.append(Field(key.name, with_most(key.name, schema, document), f"key in the prose, line {line}", line))
    named_only = {key.name for key in keys if not stated(key.said)}
    whole = _with_only_key(object_schema({item.name: dict(item.schema) for item in fields}), lists, named_only)
    whole = with_scale_lines(document, object_schema(whole))["properties"]
    fields = [replace(item, schema=whole[item.name]) for item in fields]
    if len(fields) == 1:
        fields = [with_only_list(fields[0], lists)]
    nulls = nulls_of(document, [item.name for item in fields])
    fields = [replace(item, schema=nulls(item.name, dict(item.schema))) for item in fields]
    found = Inferred(
        tuple(fields), covered=tuple(key.span for key in keys), whole="JSON" if wants_json(document) else "keys"
    )
    if together and together.each and len(together.keys) == len(keys):
        return _joined_by(document, found, together)
    return _each_of_several(document, found, inside=bool(keys[0].inner))


def _with_only_key(schema: dict[str, Any], lists: list[Choice], named_only: set[str]) -> dict[str, Any]:
    """The keys with the labels of the only list, which a number by its name alone may hold as well.

    Args:
        named_only: Keys of which nothing is said but their names.
    """
    keys: dict[str, Any] = schema["properties"]
    unsure = [name for name, child in keys.items() if child == {"type": "number"} and name in named_only]
    trial = with_only_key(object_schema({**keys, **{name: {"type": "string"} for name in unsure}}), lists)["properties"]
    labelled: dict[str, Any] = {name: child if "enum" in child else keys[name] for name, child in trial.items()}
    return labelled


def _without_keys(lists: list[Choice], keys: list[NamedKey]) -> list[Choice]:
    """The lists of labels without those of the keys themselves: "two keys: 'why' and 'score'"."""
    names = {key.name.casefold() for key in keys}
    return [choice for choice in lists if not {str(label).casefold() for label in choice.schema["enum"]} <= names]


def _not_of_others(key: NamedKey, keys: list[NamedKey], lists: list[Choice]) -> list[Choice]:
    """The lists of labels without those that are said of another key, where that is named."""
    others = [other.said for other in keys if other.name != key.name]
    return [
        choice
        for choice in lists
        if not any(_has_all(said, choice) and not _has_all(key.said, choice) for said in others)
    ]


def _has_all(said: str, choice: Choice) -> bool:
    return bool(said) and all(str(label) in said for label in choice.schema["enum"])


def _outside(document: PromptText, keys: list[NamedKey]) -> str | None:
    """A key before a colon that is none of those that are named, with its line; ``None`` if there is none."""
    names = {key.name for key in keys}
    bare = next((match for match in _BARE_PAIR.finditer(document.text) if match["name"] not in names), None)
    if bare is None:
        return None
    line = document.line(bare.start("name"))
    return f"line {line}: {bare['name']!r} is a key outside of an object: the form cannot be read"


def _in_passing(
    key: NamedKey, schema: dict[str, Any], told: tuple[SaidInPassing, KeyClauses], keys: list[NamedKey]
) -> dict[str, Any]:
    """The schema of a key of which nothing is said where it is named."""
    if key.name == "line" and not key.said and any(_FILE.fullmatch(other.name) for other in keys):
        return {"type": "integer"}  # of a file it is the number
    passing, clauses = told
    schema = passing.of(key.name, schema)
    return (schema in ({"type": "string"}, {"type": "number"}) and clauses.said_jointly(key.name)) or schema


def _both(document: PromptText, together: StatedKeys | None, named: list[NamedKey]) -> list[NamedKey]:
    """The keys that are stated together, with all that is said of each; those that are named if one is not among them."""
    if together is None:
        return named
    said = {key.name: key for key in named}
    if together.each and (under := holder_of_list(document)):
        said.pop(under, None)
    if not said.keys() <= {key.name for key in together.keys} or any(key.nested or key.inner for key in named):
        return [] if together.each else named
    return [
        replace(key, said="; ".join(dict.fromkeys(part for part in (key.said, _more(said.get(key.name))) if part)))
        for key in together.keys
    ]


def _more(key: NamedKey | None) -> str:
    return key.said if key else ""


def _joined_by(document: PromptText, found: Inferred, together: StatedKeys) -> Inferred:
    """The objects of "for each ...", as an array, or under the one key that the prompt names."""
    under = holder_of_list(document)
    if under is None or under in {item.name for item in found.fields}:
        line = document.line(together.span.start)
        return Inferred(problems=(f"line {line}: {together.each!r}: how several objects are joined is not said",))
    first = found.fields[0]
    items = {"type": "array", "items": object_schema({item.name: dict(item.schema) for item in found.fields})}
    field = Field(under or "items", items, first.source, first.line)
    return replace(found, fields=(field,), wrapped=not under, covered=(together.span,))


def _told(
    document: PromptText,
    key: NamedKey,
    schema: dict[str, Any],
    choices: tuple[list[Choice], list[Choice], list[Choice]],
    graded: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """A key's schema with what the prompt says of it elsewhere.

    Args:
        choices: The ranges in the sentence of the key, all ranges of the prompt, and its lists of labels.
        graded: The criteria that have grades of their own.
    """
    near, ranges, lists = choices
    if len(near) == 1 and not stated(key.said):
        schema = dict(near[0].schema)
    else:
        schema = with_prose(key.name, schema, ranges, lists)
    if not stated(key.said):
        schema = dict(graded.get(field_name(key.name)) or with_aside(key.name, schema, document))
        schema = with_labels_after_noun(key.name, with_labels(key.name, schema, document), document)
    schema = with_choices(key.name, with_items(key.name, schema, lists), document)
    return with_bounds(key.name, _with_whole_numbers(key.said, schema), document)


_WHOLE = re.compile(r"\W*(?:an? )?(?:int(?:eger)?|whole number)\b", re.IGNORECASE)


def _with_whole_numbers(said: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Labels as numbers if the words of the key say that it is one: "(integer) One of 3, 2 or 1"."""
    labels = schema.get("enum", ())
    if (
        schema.get("type") != "string"
        or not labels
        or not _WHOLE.match(said)
        or not all(map(_DIGITS.fullmatch, labels))
    ):
        return schema
    return {**schema, "type": "integer", "enum": [int(label) for label in labels]}


_FILE = re.compile(r"(?:file|path|file_?path|file_?name)", re.IGNORECASE)
_DIGITS = re.compile(r"-?\d+")


_OF_LIST = re.compile(r"\b(?:list|array)s?\b", re.IGNORECASE)
_OF_OBJECT = re.compile(r"\b(?:object|dict(?:ionary)?)\b", re.IGNORECASE)


def value_of(key: NamedKey, document: PromptText) -> dict[str, Any] | None:
    """What a key holds by its own line and by what the prompt says of it; ``None`` if its form is not known."""
    schema = _own_form(key, document)
    if schema is None:
        return None
    schema = with_choices(key.name, with_labels(key.name, schema, document), document)
    return with_most(key.name, with_bounds(key.name, schema, document), document)


def _own_form(key: NamedKey, document: PromptText) -> dict[str, Any] | None:
    """What the line of a key, and the keys below it, say of its value; ``None`` if its form is not known."""
    return _with_own_keys(key, document) if key.inner else _shown_or_described(key.name, key.said)


def _with_own_keys(key: NamedKey, document: PromptText) -> dict[str, Any] | None:
    """The object, or the list of objects, whose keys are listed below a key; ``None`` if one of them is not known."""
    properties: dict[str, Any] = {}
    for inner in key.inner:
        schema = None if inner.nested or inner.name in properties else value_of(inner, document)
        if schema is None:
            return None
        properties[inner.name] = schema
    if _OF_LIST.search(key.said):
        return {"type": "array", "items": object_schema(properties)}
    return object_schema(properties) if _OF_OBJECT.search(key.said) else None


_SEVERAL_OBJECTS = re.compile(
    r"\b(?:lists?|arrays?) of (?:\w+ )?(?:json )?(?:objects?|dict(?:ionarie|ionary)?s?|records?|entries|items)\b|\bjson (?:list|array)\b"
    r"|\b(?:each|every) (?:json )?(?:object|dict(?:ionary)?|record|entry|element|item)\b|\bone (?:json )?object (?:for|per) (?:each|every)?\b",
    re.IGNORECASE,
)


# "Output ONLY a JSON array", said of all the objects.
_AS_ARRAY = re.compile(
    r"\b(?:return|respond|reply|output|answer|provide|produce|give)\b[^.\n]{0,40}\bjson (?:array|list)\b", re.IGNORECASE
)
_FOR_EACH = re.compile(r"\b(?:for|per) (?:each|every)(?: of the)? \w+", re.IGNORECASE)


def _each_of_several(document: PromptText, found: Inferred, *, inside: bool) -> Inferred:
    """The fields as those of each object of a list, if the sentence that names them says so.

    Args:
        inside: Whether the first key has objects of its own, of which its line speaks.
    """
    first = found.covered[0]
    lines = re.search(r"(?:[^\n]+\n)?[^\n]*\Z", document.text[: first.start])
    end = first.start if inside else first.end
    assert lines is not None  # it matches the empty text
    if not _SEVERAL_OBJECTS.search(document.text, lines.start(), end):
        each = _FOR_EACH.search(document.text, lines.start(), end)
        if each and not _AS_ARRAY.search(document.text):
            line = document.line(each.start())
            return Inferred(problems=(f"line {line}: {each[0]!r}: how several objects are joined is not said",))
        if each is None:
            return found
    items = {"type": "array", "items": object_schema({item.name: dict(item.schema) for item in found.fields})}
    return replace(found, fields=(Field("items", items, found.fields[0].source, found.fields[0].line),), wrapped=True)


# "[string]", "[int, ...]"
_LIST_SHOWN = re.compile(
    r"[\s:]*\[\s*(?P<kind>str(?:ing)?|text|int(?:eger)?|number|float|bool(?:ean)?)s?\s*(?:,\s*\.\.\.\s*)?\]"
)


def _shown_or_described(name: str, said: str) -> dict[str, Any] | None:
    """The value of a key that is shown as JSON or described in words; ``None`` if its form is not known."""
    if listed := _LIST_SHOWN.match(said):
        return {"type": "array", "items": {"type": TYPES[listed["kind"]]}}
    if re.match(r"\W*\{", said):
        try:
            return read_pseudo(said, said.index("{"))[0]
        except NotPseudo:
            return None
    if re.match(r"\[\s*[<\"']", said):
        return {"type": "array", "items": {"type": "string"}}
    if said[:1] == said[-1:] == '"':
        name = ""  # a text shown as the value is one, whatever the name: "nl_results": "what the rows say"
    return described(name, said.strip('"') if said.count('"') in (1, 2) and said[:1] == said[-1:] else said)


_ARRAY = re.compile(
    r"\b(?:return|respond|reply|output|answer|provide|produce|give|generate|create|write)\b[^.\n]{0,60}\b(?:json (?:array|list)|(?:array|list) of (?:\w+ )?(?:json )?(?:objects|dict\w*))\b"
    r"|\b(?:output|response|answer|reply) (?:must|should|will) be [^.\n]{0,30}\bjson (?:array|list)\b",
    re.IGNORECASE,
)
_EACH = re.compile(
    r"^(?P<before>[^\n]*?)\b(?:each|every) (?:[\w-]+ ){0,2}?(?P<thing>[a-z]+) (?:in the (?:array|list) )?(?:must |should |will |has to |needs to )?"
    r"(?:(?:is|be) an? (?:json )?(?:object|dictionary) (?:with|containing|having|that has)|have|has|contains?|includes?)(?: only| exactly)?(?: the following| these)?(?: \w+)?(?: (?:keys|fields|properties|attributes))?:[*_]*[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# 'a single key "ships". Its value is a list of objects, and each object has:'
_UNDER = re.compile(
    r"\bjson object with (?:a|the|one) (?:single |only |one )?(?:key|field|property):? [\"'`](?P<key>\w+)[\"'`][^\n]{0,60}\b(?:list|array) of (?:json )?(?:objects|dictionaries)\b",
    re.IGNORECASE,
)
_GIVEN = re.compile(r"\b(?:inputs?|given|receive|provided|contains? the following data)\b", re.IGNORECASE)


def items_under_key(document: PromptText) -> Inferred | None:
    """The list as the value of the one key that the sentence names; ``None`` if the prompt shows any other JSON."""
    under = _UNDER.search(document.text)
    if under is None or _EACH.search(document.text) is None:
        return None
    shown = re.sub(rf"\{{\s*[\"']{under['key']}[\"']\s*:\s*\[\s*\]\s*\}}", "", document.text)
    found = None if re.search(r"\{\s*[\"']", shown) else items_told(document, under["key"])
    if found is None or not found.fields:
        return found
    return replace(found, fields=(replace(found.fields[0], name=under["key"]),), wrapped=False)


def items_told(document: PromptText, under: str = "") -> Inferred | None:
    """The list; ``None`` if the prompt wants no list of objects, or does not list the keys of each one.

    Args:
        under: The key that holds it, if it is no list by itself.
    """
    leads = [match for match in _EACH.finditer(document.text) if not _GIVEN.search(match["before"].rpartition(". ")[2])]
    if len(leads) != 1 or not (under or _ARRAY.search(document.text)) or MASK in leads[0]["thing"]:
        return None
    keys = keys_below(document, leads[0].end())
    if len(keys) < 2 or any(key.nested for key in keys):
        return None
    properties = {}
    for key in keys:
        schema = value_of(key, document)
        if schema is None or key.name in properties:
            return None
        properties[key.name] = schema
    nulls = nulls_of(document, list(properties))
    items = object_schema({name: nulls(name, schema) for name, schema in properties.items()})
    covered = (Span(*leads[0].span()), *(key.span for key in keys))
    if bad := conditional_part(document, covered):
        return bad
    line = document.line(leads[0].start())
    items = with_counts(document, items, covered, wrapped=False)
    listed = with_options(document, {"type": "array", "items": items}, covered)
    field = Field("items", listed, f"keys of each item in the prose, line {line}", line)
    return replace(Inferred((field,), covered=covered), wrapped=True, whole="JSON")
