"""What a prompt's prose adds to the keys of a form: labels, ranges, types, and null."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptopt.structured.fields import Field, PromptText, Span, UnreadForm, field_name
from promptopt.structured.prose.choices import Choice, labels
from promptopt.structured.prose.described import stated
from promptopt.structured.prose.key_facts import (
    with_bare_place,
    with_how_many,
    with_measure,
    with_null_shown,
    with_number,
    with_one_or_none,
    with_only_scale,
)
from promptopt.structured.prose.key_labels import KeyClauses, with_clause_count, with_clause_labels, with_each_value
from promptopt.structured.prose.labels_of_keys import (
    pair_of,
    with_choices,
    with_each_number,
    with_items,
    with_labels_after_noun,
    with_only_key,
    with_prose,
)
from promptopt.structured.prose.nulls import nulls_of, with_null_parts
from promptopt.structured.prose.ordered_labels import with_ordered_keys
from promptopt.structured.prose.plain_labels import whole_list
from promptopt.structured.prose.quiz_options import with_options
from promptopt.structured.prose.ranges import grades_of, numbers, shared_range
from promptopt.structured.prose.said_of_keys import items_said, with_bounds, with_labels, with_least, with_most
from promptopt.structured.prose.sample_labels import LabelLists, labels_of_place
from promptopt.structured.prose.scale_lines import with_scale_lines
from promptopt.structured.prose.wording import is_numeric, or_null
from promptopt.structured.readers.labelled import read_pattern
from promptopt.structured.readers.named_keys import named_keys
from promptopt.structured.readers.pseudo_json import LEFT_OPEN


def _known(schema: Any, name: str = "") -> Any:
    """A schema whose unknown values are numbers if their name says so, and else texts."""
    if not isinstance(schema, Mapping):
        return schema
    known = dict(schema)
    if not set(known) & {"type", "enum", "anyOf"}:
        known = {"type": "number" if is_numeric(name) else "string", **known}
    if isinstance(known.get("properties"), Mapping):
        known["properties"] = {key: _known(child, key) for key, child in known["properties"].items()}
    if "items" in known:
        known["items"] = _known(known["items"])
    return known


def refined(
    document: PromptText, schema: dict[str, Any], said: list[Choice], covered: Sequence[Span]
) -> dict[str, Any]:
    """A form's schema with the ranges, labels, types and null that the prose gives to its keys.

    Args:
        covered: Where the form itself is: what it says of null it says of one key.
    """
    keys = {*_keys(schema), *_keys_of_items(document, schema)}
    ranges = list(numbers(document))
    lists = [choice for choice in said if "enum" in choice.schema and not document.depends(choice.span)]
    lists = with_ordered_keys(document, lists, sorted(keys))
    words = {
        key.name: key.said
        for key in named_keys(document, known=True)
        if not document.depends(Span(key.span.start, key.span.start + 1))
    }
    words = {match["name"]: match["said"] for match in _EXPLAINED.finditer(document.text)} | words
    listed = {line["name"]: line["said"] for line in _PLAIN_LINE.finditer(document.text) if line["name"] in keys}
    words = (listed if len(listed) > 1 else {}) | words
    words = {line["name"]: line["said"] for line in _MUST_LINE.finditer(document.text) if line["name"] in keys} | words
    shared = shared_range(document, ranges)
    nulls = nulls_of(document, keys, covered)
    graded = grades_of(document)
    label_lists = LabelLists(document, covered)
    clauses = KeyClauses(document, keys, covered)

    def leaf(name: str, child: dict[str, Any]) -> dict[str, Any]:
        bounds = graded.get(field_name(name))
        if bounds and child.get("type") in (None, "integer", "number") and not set(child) & {"enum", "minimum"}:
            child = {**child, **bounds, "type": child.get("type", bounds["type"])}
        child = with_prose(name, _with_words(child, words.get(name, "")), ranges, lists)
        child = with_choices(name, _with_open_items(name, child, document, words, clauses), document)
        child = with_most(name, with_bounds(name, with_items(name, child, lists), document), document)
        if "properties" in child or "properties" in child.get("items", {}):
            return nulls(name, child) if child.get("type") == "array" else child
        child = with_number(name, with_clause_labels(name, with_clause_count(name, child, clauses), clauses), clauses)
        if shared and not set(child) & {"type", "enum"} and is_numeric(name):
            child = {**child, **shared[0]}
        child = _known(with_bare_place(name, child, clauses), name)
        if child == {"type": "number"} and (_WHOLE.search(field_name(name)) or _is_index(name, document.text)):
            child = {"type": "integer"}
        counted = _COUNTED.search(field_name(name)) is not None
        if (
            shared
            and not counted
            and child.get("type") in ("integer", "number")
            and not set(child) & {"minimum", "enum"}
        ):
            child = _bounded(name, child, shared)
        child = with_how_many(name, with_labels(name, with_aside(name, child, document), document), document)
        child = with_labels_after_noun(name, child, document) if child.get("type") == "string" else child
        child = with_null_shown(name, with_measure(name, child, clauses), clauses)
        child = _with_named_list(name, child, document, clauses)
        return nulls(name, with_least(name, label_lists.of(name, child), document))

    def visit(node: dict[str, Any]) -> dict[str, Any]:
        if isinstance(node.get("properties"), Mapping):
            node = {
                **node,
                "properties": {
                    name: with_null_parts(name, visit(leaf(name, child)), document)
                    for name, child in node["properties"].items()
                },
            }
        if isinstance(node.get("items"), Mapping):
            items = dict(node["items"])
            node = {**node, "items": visit(items if "properties" in items else _known(items))}
        return node

    told = with_each_value(
        with_each_number(document, with_only_scale(with_one_or_none(visit(schema), clauses), clauses), lists), clauses
    )
    return with_options(document, with_scale_lines(document, with_only_key(told, lists)), covered)


# "- budget: number", in a list of the keys
_PLAIN_LINE = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_]*(?P<name>[A-Za-z]\w*)[*_]*(?P<said>[ \t]*(?:\([^()\n]{1,40}\)[ \t]*)?:[^\n]+)$",
    re.MULTILINE,
)


# "- fare must be a number, or null"
_MUST_LINE = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_`\"']*(?P<name>[a-z]+(?:_[a-z\d]+)*)[*_`\"']*[ \t]+(?P<said>(?:must|should|has to) be [^\n]+)$",
    re.MULTILINE,
)


def _keys(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, child in schema.get("properties", {}).items():
        yield name
        yield from _keys(child)
    if isinstance(schema.get("items"), Mapping):
        yield from _keys(schema["items"])


def _keys_of_items(document: PromptText, schema: Mapping[str, Any]) -> Iterator[str]:
    """The keys that the prose gives to the items of lists that the form leaves open."""
    for name, child in schema.get("properties", {}).items():
        if child.get("type") == "array" and child.get("items") in (LEFT_OPEN, {}, None):
            yield from items_said(name, document).get("properties", ())


_ITEM_NAMES = re.compile(r"[\W_]*(?P<place>[a-z]+(?: [a-z]+)? (?:names?|labels?|ids?|keys?))[\W_]*", re.IGNORECASE)
_PLACE = r"\"\s*[<\[({]+[^<>\[\](){}\"\n]+[>\])}]+\s*\""


def _with_named_list(name: str, schema: dict[str, Any], document: PromptText, clauses: KeyClauses) -> dict[str, Any]:
    """A text, or a list of texts, with the labels of the list that its place names: "<worker or FINISH>"."""
    items = schema.get("items", {})
    if schema.get("type") == "array" and set(items) == {"type", "description"} and items["type"] == "string":
        # [..rule names..], below "Rules:" and a list
        named = _ITEM_NAMES.fullmatch(items["description"])
        listed = labels_of_place(named["place"], document) if named else []
        return {**schema, "items": {"type": "string", "enum": listed}} if listed else schema
    places = set(clauses.shown(name, _PLACE))
    if schema.get("type") != "string" or "enum" in schema or len(places) != 1:
        return schema
    listed = labels_of_place(places.pop().strip('"<>[](){} '), document)
    return {"type": "string", "enum": listed} if listed else schema


def _is_index(name: str, text: str) -> bool:
    """Whether a sentence says that a key counts: "`right` is the index of the right option"."""
    said = rf"[\"'`*]{re.escape(name)}[\"'`*]+\s*(?:is|=|:|-|–)\s*(?:the |an? )?(?:zero-based |0-based |1-based )?(?:index|position|rank|count|(?:line|page|row|step) number)\b"
    return re.search(said, text, re.IGNORECASE) is not None


# What counts is whole, although its sample may be a mere 0.
_WHOLE = re.compile(r"(?:\A|_)(?:index|idx|count|rank|page|line_number)\Z")
# What a range that is said of grades is not said of.
_COUNTED = re.compile(r"(?:\A|_)(?:index|idx|count|rank|page|line_number|position|id|year|quantity)\Z")


def refined_field(document: PromptText, field: Field, ranges: list[Choice], lists: list[Choice]) -> Field:
    """A labelled part of a text with what the prose says of it."""
    schema = with_prose(field.name, dict(field.schema), ranges, lists)
    shared = shared_range(document, ranges)
    if shared and schema.get("type") in ("integer", "number") and not set(schema) & {"minimum", "enum"}:
        guessed = schema == {"type": "number"} and is_numeric(field.name)
        schema = dict(shared[0]) if guessed else _bounded(field.name, schema, shared)
    if schema == field.schema or field.pattern is None:
        return replace(field, schema=schema)
    return replace(
        field, schema=schema, pattern=field.pattern.replace(read_pattern(field.schema), read_pattern(schema))
    )


# "the finish (matt, gloss, raw)": what is said of such a name is all it can be
_CLOSED = re.compile(r"[,/] ?(?:or )?(?:others?|unknown|none|mixed|unclear)\s*\Z", re.IGNORECASE)
_ASIDE_OF_KIND = re.compile(r" \([a-z][\w -]*(?:[,/] ?[\w -]+)+\)", re.IGNORECASE)
_ASIDE = re.compile(r" \([^().;\n]* or |, either |\bwhere ", re.IGNORECASE)


def with_aside(name: str, schema: dict[str, Any], document: PromptText) -> dict[str, Any]:
    """A text with the labels that the prose gives in brackets after its name: "the band (A1, A2 or B1)"."""
    if schema.get("type") != "string" or "enum" in schema:
        return schema
    if _ASIDE_OF_KIND.search(document.text):
        spoken = re.escape(name).replace("_", "[ _]")
        beside = [
            whole_list("kind" if _CLOSED.search(match["list"]) else name, match["list"])
            for match in re.finditer(
                rf"\b{spoken}[\"'`*]*(?: (?:of|for|on|about) (?:[\w'’-]+ ){{0,3}}[\w'’-]+)? \((?P<list>[^()\n]{{3,120}})\)",
                document.text,
                re.IGNORECASE,
            )
        ]
        short = beside and all(len(value.split()) <= 2 for value in beside[0])
        if short and len(beside[0]) > 1 and all(one == beside[0] for one in beside):
            return {**schema, "enum": beside[0]}
    if pair := pair_of(name, document):
        return {**schema, "enum": pair}
    if not _ASIDE.search(document.text):
        return schema
    said = re.escape(name).replace("_", "[ _]")
    listed = r"(?P<list>[^().;\n]{1,80}? or [^().;,\n]{1,30}?)"
    match = re.search(
        rf"\b{said}[\"'`*]* \({listed}\)|(?<!of the )(?<!of )\b{said}[\"'`*]*(?: of [^.;,\n]{{1,40}})?, either {listed.replace('list', 'either')}(?=[.;,\n]|$)|\bwhere [\"'`*]*{said}[\"'`*]* (?:is|must be) (?:either )?{listed.replace('list', 'said')}(?=[.;\n]|$)",
        document.text,
        re.IGNORECASE,
    )
    said_of = (match["list"] or match["either"] or match["said"]) if match else ""
    values = labels(said_of)
    short = all(len(value.split()) <= 2 for value in values)
    # "(start date, end date, or total length)" is what belongs there.
    parts = any(value.split()[-1].lower() in _PARTS for value in values)
    return {**schema, "enum": values} if len(values) > 1 and short and not parts else schema


_PARTS = frozenset(
    ("date", "dates", "length", "name", "names", "number", "time", "id", "amount", "period", "title", "address", "code")
)


def _bounded(name: str, schema: dict[str, Any], shared: tuple[dict[str, Any], bool]) -> dict[str, Any]:
    bounds, each = shared
    if not each and not is_numeric(name):
        return schema
    kind = schema["type"] if schema["type"] == "integer" and bounds["type"] == "integer" else bounds["type"]
    return {**schema, **bounds, "type": kind}


# "- `action`: must be one of `run` or `stop`", below the form that has the key.
_EXPLAINED = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_]*[`\"'](?P<name>\w+)[`\"'][*_]*[ \t]*(?P<said>(?:\([^()\n]{1,40}\))?[ \t]*(?::|(?:must|should|has to|can only) be\b)[^\n]+)",
    re.MULTILINE | re.IGNORECASE,
)


def _with_open_items(
    name: str, schema: dict[str, Any], document: PromptText, words: Mapping[str, str], clauses: KeyClauses
) -> dict[str, Any]:
    """A list whose items the form leaves open, with what the prompt says of them.

    Raises:
        UnreadForm: It is shown as ``[...]``, and the prompt says nothing.
    """
    if schema.get("type") != "array" or schema.get("items") not in (LEFT_OPEN, {}, None):
        return schema
    found = _shown_items(name, document) or items_said(name, document)
    if not found and any(_OF_TEXTS.search(said) for said in clauses.said_of(name)):
        found = {"type": "string"}
    described = re.search(rf"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_`\"']*{re.escape(name)}\b", document.text, re.MULTILINE)
    if not found and schema.get("items") and name not in words and not described:
        raise UnreadForm(f"nothing says what the items of {name!r} are, which is shown as [...]")
    return {**schema, "items": found}


# "tags are 3 to 5 keywords"
_OF_TEXTS = re.compile(
    r"\b(?:keywords|words|names|strings|phrases|sentences|texts|titles|quotes|labels|nouns)\b", re.IGNORECASE
)
_SHOWN_LIST = re.compile(r"\bexample\b[^\n]{0,40}?(?P<list>\[\s*-?\d+(?:\s*,\s*-?\d+)*\s*\])", re.IGNORECASE)


def _shown_items(name: str, document: PromptText) -> dict[str, Any]:
    """The items of a list that the form leaves open: numbers if they are indices, or the prose shows such a list."""
    if re.search(r"(?:\A|_)(?:indices|indexes)\Z", name):
        return {"type": "integer"}
    return {"type": "integer"} if _SHOWN_LIST.search(document.text) else {}


def _with_words(schema: Mapping[str, Any], said: str) -> dict[str, Any]:
    """A value of a JSON form with what the prose says of its key: what the form itself leaves open."""
    found = stated(said) if said else {}
    known = dict(schema)
    if not found or "enum" in known or "minimum" in known or "properties" in known:
        return known
    kinds = (known.get("type"), found.get("type"))
    plain = found["type"][0] if isinstance(found.get("type"), list) else found.get("type")
    narrows = kinds[0] in (None, plain) or (kinds[0], plain) in (("integer", "number"), ("number", "integer"))
    if not narrows and not (known.get("type") == "string" and "enum" in found):
        return or_null(known) if isinstance(kinds[1], list) and isinstance(kinds[0], str) else known
    if plain == "array" and "items" in known:
        return {**found, **known, "items": known["items"] or found["items"]}
    return {**({"description": known["description"]} if "description" in known else {}), **found}


# An order to answer, at the begin of a clause.
_ORDER = (
    r"(?:^|[.,;:!?]\s|\b(?:to|and|then|please|must|should|will|only)\s)[ \t]*(?:[-*•]|\d+[.)])?[ \t]*"
    r"\b(?:choose|identify|determine|classify|categori[sz]e|decide|select|pick|answer|respond|reply|return|output|label|assign|detect|predict|sort|route)\b"
)
_ANCHOR = re.compile(r"(?:^|\n)[ \t]*[*_`]*(?P<name>[A-Za-z][\w ]{0,30}?)[*_`]*[ \t]*:[ \t]*$")
_NOT_A_NAME = frozenset(
    {
        "output",
        "answer",
        "response",
        "assistant",
        "result",
        "input",
        "a",
        "reply",
        "user",
        "question",
        "query",
        "text",
        "begin",
        "following",
        "now",
        "evaluate",
        # What is given, as in "Essay to grade:"
        "to",
        "essay",
        "document",
        "article",
        "passage",
        "transcript",
        "email",
        "ticket",
        "tweet",
    }
)


def asks_for_label(text: str, lists: list[Choice]) -> bool:
    """Whether a sentence orders to answer with one of the labels that are listed elsewhere."""
    names = "|".join(re.escape(choice.name.split("_")[-1][:5]) for choice in lists if choice.name)
    noun = rf"(?:{names}|" if names else "(?:"
    noun += r"label|categor|class|intent|topic|option|type|level|team|sentiment|one\b)"
    asked = re.search(rf"\b(?:which|what is the|what's the)\b[^.\n]{{0,60}}\b{noun}[^.\n]*\?", text, re.IGNORECASE)
    ordered = re.search(rf"{_ORDER}[^.\n]{{0,80}}\b{noun}", text, re.IGNORECASE | re.MULTILINE)
    # "Only the category.", below the heading of the output
    alone = re.search(
        rf"^[ \t]*(?:[-*•][ \t]+)?(?:only|just) (?:the|one|its) (?:name of the )?{noun}\w*(?: name)?(?: only)?\W*$",
        text,
        re.IGNORECASE | re.MULTILINE,
    )
    return bool(asked or ordered or alone)


def with_fallback(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Reads "If none match, respond with Unknown" adds a label."""
    if schema.get("type") != "string":
        return schema
    said = [match.groupdict() for pattern in (_NONE, _UNCLEAR) for match in pattern.finditer(text)]
    added = [match["label"] or match["bare"] for match in said]
    known = {label.casefold() for label in schema["enum"]}
    added = [label for label in dict.fromkeys(added) if label.casefold() not in known]
    return {**schema, "enum": [*schema["enum"], *added]} if len(added) == 1 else schema


_TAKE = r"(?:respond|answer|reply|return|output|say|choose|use|write|put|pick|select|label it|mark it|classify it)\s+(?:with\s+|as\s+)?"
_NONE = re.compile(
    rf"\bif (?:none|no\w*|nothing|unsure|unclear|you are (?:not sure|unsure)|it is (?:unclear|not clear)|it does not fit)\b[^.\n]{{0,60}}?,?\s*{_TAKE}[\"'`]?(?P<label>\w+)[\"'`]?\s*(?:\.|$)",
    re.IGNORECASE | re.MULTILINE,
)
# 'if the kind is not clear from the text, use "cannot tell"'
_UNCLEAR = re.compile(
    rf"\b(?:if|when|where)\b[^.;\n\"'`“]{{0,60}}(?:\b(?:not|no|none|nothing|neither|cannot|unclear|unsure|uncertain|doubt|ambiguous|impossible|equal(?:ly)?|tied?|the same|identical|both)\b|n['’]t\b)[^.;\n\"'`“]{{0,60}}?,?\s*{_TAKE}(?:[\"'`“](?P<label>[A-Za-z][\w -]{{0,30}})[\"'`”]|(?P<bare>(?-i:[A-Z][A-Z_]+))\b)",
    re.IGNORECASE,
)


def object_of_task(text: str) -> str:
    """Reads "Classify the sentiment of the review" is about the sentiment."""
    match = re.search(
        r"\b(?:classify|determine|identify|predict|detect|decide on) the (?:overall )?(?P<noun>[a-z]{3,20}) of\b"
        r"|\b(?:assign|choose|pick) an? (?P<assigned>[a-z]{3,20})(?=\s*[:.,]| (?:to|for)\b)",
        text,
        re.IGNORECASE,
    )
    return field_name(match["noun"] or match["assigned"]) if match else ""


def anchor(text: str) -> str:
    """The label at the very end of a prompt, after which the answer is to be written: ``stars:``."""
    match = _ANCHOR.search(text.rstrip().rstrip("\"'"))
    name = field_name(match["name"]) if match else ""
    return "" if set(name.split("_")) & _NOT_A_NAME or len(name) > 30 else name
