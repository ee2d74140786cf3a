"""JSON in a prompt's text that shows its answers: templates, examples and schemas, each with the fields that it shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from promptopt.errors import SchemaError
from promptopt.schemas.make_strict import fix_schema
from promptopt.structured.fields import PromptText, Span, object_schema
from promptopt.structured.readers.pseudo_json import NotPseudo, balanced_end, read_pseudo, starts

_MOST_BLOCKS = 200
_CUE = re.compile(
    r"\b(?:json|format\w*|outputs?|returns?|respond|response|repl(?:y|ies)|answers?|structure|object|schema|shape|keys|fields?|following form|assistant)\b",
    re.IGNORECASE,
)
_INPUT_CUE = re.compile(
    r"\b(?:inputs?|given|contexts?|arguments?|params?|parameters|tool|data|example task|conversation|transcript|passage|document|question|message)\b[^\n:]{0,30}:?\s*$",
    re.IGNORECASE,
)
_OUTPUT_CUE = re.compile(
    r"\b(?:outputs?|answer|response|result|returns?|respond|repl(?:y|ies)|format\w*|json|assistant)\b[^\n]{0,80}$",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"\{\s*[\"'“][\w<][^\"'\n]{0,60}[\"'”]\s*:")
# Marks of a template: an answer has no such values.
_PLACEHOLDERS = re.compile(
    r"<[^<>\n]+>|\||\.\.\.|…|(?:[:\"'<(\[,]|\bor\b)\s*(?:an? |the )?(?:string|integer|number|boolean|float|str|int|bool)\b|\byour\b|\b(?:true ?/ ?false|true or false|yes or no)\b"
    r"|[\"']\s*:\s*\[?[A-Za-z]\w*(?<!true)(?<!false)(?<!null)(?=\s*[,}\]\n])|(?<=[\s,])(?://|/\*|#)\s",
    re.IGNORECASE,
)
# A line that ends in a colon and speaks of the answer anywhere.
_LEADS = re.compile(
    r"\b(?:outputs?|answer|respon[ds]e?|repl(?:y|ies)|returns?|json|format\w*|produce|generate|write|structure\w*)\b[^\n]*:\W*$",
    re.IGNORECASE,
)
# "Do not return {...}", "Wrong: {...}"
_DENIED = re.compile(
    r"(?:\b(?:not|never)|n['’]t)\s+(?:return|output|respond|reply|answer|write|give|use|produce|like|as)\b[^.,;:\n]{0,40}\Z|\b(?:wrong|incorrect|invalid|bad|forbidden)(?: (?:examples?|outputs?|answers?|responses?|json|format))?\s*[:(]?\s*\Z|\binstead of\s*\Z",
    re.IGNORECASE,
)
# "Read the letter and give me:", before a template
_ORDERS_IT = re.compile(
    r"(?:\A\W*|[.!?,;]\s+|\b(?:and|then|please)\s+)(?:give|provide|extract|fill in|fill out|complete|write|produce|create)\b(?! (?:you|it to you))[^.\n]*:\W*\Z",
    re.IGNORECASE,
)
# "Return only the JSON above."
_POINTED_AT = re.compile(
    r"\b(?:return|respond|reply|answer|output|give|use|fill in)\b[^.\n]{0,40}\b(?:json|object|form|format|structure|template|keys)\b[^.\n]{0,20}\b(?:above|shown)\b|\babove (?:json|form|format|structure|template)\b",
    re.IGNORECASE,
)
# What the prompt is given, in a form that it describes.
_GIVEN = re.compile(
    r"\b(?:you(?:'ll| will| are going to) (?:be given|receive|get|see)|will be (?:formatted|provided|given|presented|shown)|(?:is|are) (?:given|provided|presented|stored) (?:as|in|like))\b",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"^\W*(?:example|sample)s?\b[^\n:]{0,20}:?\W*$", re.IGNORECASE)
_TITLE = re.compile(r"\W*(?:\w+ ){0,3}(?:schema|structure|shape)(?: \([^()\n]*\))?\W*", re.IGNORECASE)
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
# "As an example, for the schema {...} the object {...} is a well-formatted instance": how schemas work.
_SPOKEN_OF = re.compile(
    r"[\s`]*(?:entry|entries|record|pair)\b|[\s`]*is (?:not )?(?:an? )?(?:well[- ]formatted|valid|invalid)\b",
    re.IGNORECASE,
)
_PROGRAM = re.compile(r"\b(?:interface|type|class|struct|enum|record)\s+\w+\s*=?\s*\Z")
_FOR_SCHEMA = re.compile(r"\bfor (?:the|a|this) (?:json )?schema[\s`:]*\Z", re.IGNORECASE)
# "Return it as a JSON object", said of what is to be written.
ORDERS_JSON = re.compile(
    r"(?<!not )(?<!never )(?<!n't )(?<!without )\b(?:return|respond|reply|output|answer|provide|produce|format|write|generate|give|response|result)\w*\b"
    r"[^.\n]{0,60}\bjson\b(?! (?:above|below|given|input|file|data))",
    re.IGNORECASE,
)
"""An order to answer in JSON."""
# 'JSON with the key "claims": list of objects' and then one of them
_UNDER = re.compile(
    r"\b(?:key|field|property) [\"'`](?P<key>\w+)[\"'`]\s*:?\s*(?:which is |with |is |containing |holding )?(?:an? |the )?(?:list|array) of (?:json )?(?:objects?|dict\w*|items|entries|records)\b[^\n{}:]{0,20}:?\s*\Z",
    re.IGNORECASE,
)
# "Input (JSON):"
_INPUT_LABEL = re.compile(
    r"\W*(?:inputs?|request|payload)(?: data| format)?(?: \((?:json|as json)\)| json| in json)?\W*", re.IGNORECASE
)
# "[yes/no]" and "[Answer with only yes or no]" are the place of a word, and no list.
_OF_WORDS = re.compile(
    r"\[\s*[A-Za-z][\w ]*(?:\s*[/|]\s*[A-Za-z][\w ]*)+\s*\]|\[\s*(?i:answer|respond|reply|write|insert|put|enter)\b[^\]\n]*\]"
)
_ANCHOR = re.compile(r"[*_`#]*[A-Za-z][\w ]{0,30}[*_`]*:[*_`]*")


@dataclass(frozen=True, slots=True)
class Block:
    """One JSON value of the text.

    Attributes:
        example: One answer of many, and not the template of all; ``None`` if nothing leads to it.
        is_schema: The text itself is a JSON schema.

    A block without a schema shows the answer and cannot be read.
    """

    schema: dict[str, Any]
    span: Span
    example: bool | None
    is_schema: bool = False


def blocks(document: PromptText) -> list[Block]:
    """Pseudo-JSON of the text that shows the answer, outermost only."""
    found = _joined(document, list(_blocks(document)))
    known = [
        set(block.schema["properties"]) for block in found if block.example is not None and "properties" in block.schema
    ]
    shown = []
    for block in found:
        if known and block.schema.get("type") == "array" and "properties" not in block.schema["items"]:
            # A list of texts beside objects is something else.
            continue
        if block.example is None:
            # Nothing leads to it, but it has the keys of the answer.
            keys = set(block.schema.get("properties", ()))
            if not any(keys & other and (keys <= other or other <= keys) for other in known):
                continue
            block = replace(block, schema=_plain_example(block.schema), example=True)  # noqa: PLW2901 - the block as it is used
        shown.append(block)
    return shown


OR = re.compile(r"[\s`]*(?:json\b)?[\s`]*\bor\b[\s`]*(?:json\b)?[\s`]*", re.IGNORECASE)
"""What joins two templates of which the answer is one."""


def _joined(document: PromptText, found: list[Block]) -> list[Block]:
    """The blocks, where one that follows a template after "or" is a template too."""
    joined: list[Block] = []
    for block in found:
        last = joined[-1] if joined else None
        follows = last is not None and OR.fullmatch(document.text[last.span.end : block.span.start])
        shows = follows and last is not None and last.example is False and block.example is None
        joined.append(replace(block, example=False) if shows else block)
    return joined


def _blocks(document: PromptText) -> Iterator[Block]:
    text = document.text
    done = 0
    tried = 0
    for start in starts(text):
        if start < done or _OF_WORDS.match(text, start) or _is_place(text, start):
            continue
        tried += 1
        if tried > _MOST_BLOCKS:
            return
        try:
            schema, end = read_pseudo(text, start)
        except (NotPseudo, RecursionError):
            if (unread := _unread(text, start)) is not None:
                done = unread.span.end
                yield unread
            continue
        if not _is_structure(schema) or (text[start] == "[" and _is_inline(text, start)):
            continue
        done = end
        if (block := _read(text, Span(start, end), schema)) is not None:
            yield block


def _read(text: str, span: Span, schema: dict[str, Any]) -> Block | None:
    """The block of a value that was read; ``None`` if it is an input, or explains how schemas work."""
    start, end = span.start, span.end
    if _names_a_schema(schema):
        if _FOR_SCHEMA.search(text, max(0, start - 40), start):
            return None
        return Block(_given_schema(text[start:end]), span, example=False, is_schema=True)
    role = _role(text, start, end)
    if role is None and _INPUT_CUE.search(_line_before(text, start)):
        return None
    if role is not None and (under := _UNDER.search(text, max(0, start - 120), start)):
        schema = object_schema({under["key"]: {"type": "array", "items": schema}})
    return Block(_plain_example(schema) if role else schema, span, role)


# "[what to do]", a place that words keep
_PLACE = re.compile(r"\[\s*[A-Za-z][\w '’/.-]*\](?P<rest>[^\n]*)")

_OTHER_PLACE = re.compile(r"[\[<][A-Za-z][^\[\]<>\n]*[\]>]\W")


def _is_place(text: str, start: int) -> bool:
    """Whether a bracket is a place of a line of text, which goes on after it: "TASK: [what] | WHO: [name]"."""
    place = _PLACE.match(text, start)
    if place is None:
        return False
    before = text[text.rfind("\n", 0, start) + 1 : start]
    quoted = before.count('"') % 2 == 1 or before.count("“") > before.count("”")
    return (
        quoted or _OTHER_PLACE.search(before) is not None or re.search(r"\w", place["rest"].split("`")[0]) is not None
    )


# "- crew: [string]": the value of a key in a list of keys
_KEY_ITEM = re.compile(r"[ \t]*[-*•][ \t]+[\"'`*]*[A-Za-z_]\w*[\"'`*]*:")


def _is_inline(text: str, start: int) -> bool:
    """Whether a list is within a sentence: it is spoken about and not shown."""
    before = text[text.rfind("\n", 0, start) + 1 : start].rstrip(" \t\"'`*")
    if _KEY_ITEM.fullmatch(before):
        return True
    return bool(before) and not before.endswith((":", ">"))


def _unread(text: str, start: int) -> Block | None:
    """An object that shows the answer and that no reader understands."""
    end = balanced_end(text, start)
    shows = _OBJECT.match(text, start) and _role(text, start, end) is not None
    return Block({}, Span(start, end), example=False) if shows else None


def _names_a_schema(schema: Mapping[str, Any]) -> bool:
    """Whether the keys of an object are those of a JSON schema of an object."""
    names = schema.get("properties", {})
    nested = "properties" in names and "properties" in names["properties"]
    return nested and not {"type", "$schema", "required"}.isdisjoint(names)


def _given_schema(text: str) -> dict[str, Any]:
    """A JSON schema that the prompt gives, in its strict form; empty if it cannot be read."""
    try:
        given = json.loads(text)
        fixed = fix_schema(given)
    except (ValueError, SchemaError, AttributeError, TypeError):
        return {}
    return {} if fixed.remaining or "$defs" in fixed.schema else fixed.schema


def answer_blocks(document: PromptText) -> list[Span]:
    """The ranges in which the text shows JSON of the answer: its templates and examples."""
    return [block.span for block in blocks(document) if block.schema and not block.is_schema]


def _is_structure(schema: Mapping[str, Any]) -> bool:
    if schema.get("type") == "array":
        items = schema["items"]
        return isinstance(items, Mapping) and ("properties" in items or items.get("type") == "string")
    return "properties" in schema


def _plain_example(schema: Any) -> Any:
    """The schema of an example without its words, which are one answer of many."""
    if not isinstance(schema, Mapping):
        return schema
    plain = {key: value for key, value in schema.items() if key not in ("description", "enum")}
    if isinstance(plain.get("properties"), Mapping):
        plain["properties"] = {name: _plain_example(child) for name, child in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = _plain_example(plain["items"])
    return plain


def _before(text: str, start: int) -> str:
    return re.sub(r"(?:(?:```|~~~)\w*\s*|<[A-Za-z_]\w*>\s*)+$", "", text[max(0, start - 400) : start]).rstrip(' \n\t"`')


def _line_before(text: str, start: int) -> str:
    return _before(text, start).rpartition("\n")[2]


def _is_spoken_of(text: str, start: int, end: int) -> bool:
    """Whether a value explains how schemas work, is a type of a program, or an argument of a call or a formula."""
    if _SPOKEN_OF.match(text, end) or _FOR_SCHEMA.search(text, max(0, start - 40), start):
        return True
    if _PROGRAM.search(text, max(0, start - 60), start):
        return True
    return text[max(0, start - 2) : start].strip(" ")[-1:] in ("(", "*", "=") or bool(
        re.search(r"\w$", text[:start][-1:]) and not text.endswith(("```json", "~~~json"), 0, start)
    )


def _role(text: str, start: int, end: int) -> bool | None:
    """``True`` for an example of an answer, ``False`` for its template, ``None`` for something else."""
    if re.match(r"[ \t]*(?:as|in) json\b", text[end : end + 20], re.IGNORECASE):
        return False
    if _is_spoken_of(text, start, end) or _DENIED.search(_line_before(text, start)):
        return None
    recent = re.sub(r"(?<=[a-z])_(?=[a-z])", " ", _before(text, start)[-400:])
    line = recent.rpartition("\n")[2]
    recent = recent[-250:]
    if _at_anchor(text, line):
        return not _PLACEHOLDERS.search(text, start, end)
    if _INPUT_LABEL.fullmatch(line):
        return None
    ordered = ORDERS_JSON.search(line)
    if (_INPUT_CUE.search(line) and not _OUTPUT_CUE.search(line) and not ordered) or _GIVEN.search(line):
        return None
    if _EXAMPLE.search(line) and _JSON.search(text, 0, start):
        return not _PLACEHOLDERS.search(text, start, end)
    if not _CUE.search(recent):
        return False if _is_ordered(text, start, end, line) else None
    if re.search(
        r"\b(?:outputs?|answer|response|result|assistant|a)(?: json)?\b\W*$", line, re.IGNORECASE
    ) or re.search(r"\b(?:examples?\b[^\n]{0,40}|like (?:this|so)\W*)$", line, re.IGNORECASE):
        return not _PLACEHOLDERS.search(text, start, end)
    titled = _TITLE.fullmatch(line) and _JSON.search(recent)
    if titled or _OUTPUT_CUE.search(recent) or _LEADS.search(line):
        return False
    # Types and places of values: a template, and an answer in JSON is asked for above.
    asked = _PLACEHOLDERS.search(text, start, end) and ORDERS_JSON.search(text, 0, start)
    return False if asked or _is_ordered(text, start, end, line) else None


def _is_ordered(text: str, start: int, end: int, line: str) -> bool:
    """Whether an order before or after a template wants it, without a word for a form."""
    placed = _PLACEHOLDERS.search(text, start, end)
    return bool(placed and (_ORDERS_IT.search(line) or _POINTED_AT.search(text, end, end + 800)))


def _at_anchor(text: str, line: str) -> bool:
    """Whether a line is the label with which the prompt ends: what follows it in an example is an answer."""
    last = text.rstrip().rpartition("\n")[2].strip()
    return bool(_ANCHOR.fullmatch(last)) and line.strip() == last
