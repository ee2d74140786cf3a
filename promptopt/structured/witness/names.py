"""A second reading of a prompt against the names of what was read: which keys the answer has, and what it is part of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import Field, Inferred, PromptText
from promptopt.structured.witness.keys import VARIABLE, keys_of, reasons, shortened


def gainsaid_names(document: PromptText, found: Inferred, *, quoted: bool = False) -> Iterator[str]:
    """Which key of the answer was not read, or what the answer has beside its JSON.

    Args:
        quoted: Whether a quotation has each name.
    """
    keyed = found.whole in ("JSON", "keys")
    checks: tuple[tuple[Iterator[str], bool], ...] = (
        (_no_names(document, found.fields), found.whole not in ("sections", "table") and not quoted),
        (_sibling_keys(document, found), keyed),
        (_other_keys(document, found), keyed),
        (_keys_below(document, found), keyed),
        (_json_within(document), keyed),
        (_left_out(document, found), keyed),
        (_json_asked(document), found.whole in ("sections", "labels", "table", "")),
        (_of_something_else(document, found), keyed),
        (_one_of_list(document, found), keyed),
        (_of_a_part(document, found), keyed and not found.wrapped),
    )
    return reasons(checks)


_PART = re.compile(
    r"\b(?:all|every|each|any)[ \t]+(?P<what>[A-Za-z]+)(?:[ \t]+object)?[ \t]+(?:must|should|has to|have to|needs? to|will)[ \t]+(?:use|follow|be|have|look|take)\b[^\n.]{0,80}\b(?:object|structure|shape|form|format)\b[^\n.]{0,20}:[*_ \t]*\n\s*(?:```\w*\s*)?\Z",
    re.IGNORECASE,
)
_WHOLE = frozenset(
    {"response", "responses", "output", "outputs", "answer", "answers", "reply", "replies", "json", "result", "results"}
)


def _of_a_part(document: PromptText, found: Inferred) -> Iterator[str]:
    """A form that is said of each thing of a kind: "all citations must use this structure:"."""
    for span in found.covered[:1]:
        lead = _PART.search(document.text, 0, span.start)
        if lead and lead["what"].lower() not in _WHOLE:
            line = document.line(lead.start())
            yield f"line {line}: the form is that of {lead['what']!r}, which are a part of the answer"


_KEYS_NAMED = re.compile(
    r"\b(?:keys?|fields?|propert(?:y|ies))\b[^.\n\"'`]{0,25}(?P<names>[\"'`]\w+[\"'`](?:[^.\n]{0,60}?[\"'`]\w+[\"'`])+)",
    re.IGNORECASE,
)
_ASKED = re.compile(r"\b(?:return|respond|reply|output|provide|give|json|must|include|contain)\b", re.IGNORECASE)


def _names_read(found: Inferred) -> frozenset[str]:
    """The names of the fields and of all keys inside of them, folded."""
    return frozenset(leaf.name.casefold() for item in found.fields for leaf in keys_of(item.name, item.schema))


# Words of a sentence about a form, and no names in it.
_NO_NAMES = frozenset(
    re.findall(
        r"\w+",
        """exactly format structure schema json keys fields values output below above follows following example s this these
    that those names strings string quotes types""",
    )
)


# "Structure: <1-6>", a line of a form
_NAMED_PLACE = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+)?[*_]*(?P<name>\w+)[*_]*:[*_ \t]*(?:<[^<>\n]+>|\[[^\[\]\n]+\])", re.MULTILINE
)


def _no_names(document: PromptText, fields: Sequence[Field]) -> Iterator[str]:
    """Fields with a word for a name that only speaks of the form, unless it is a key in a list of keys."""
    listed = {match["name"].casefold() for match in _NAMED_ITEM.finditer(document.text)}
    placed = {match["name"].casefold() for match in _NAMED_PLACE.finditer(document.text)}
    listed |= placed if len(placed) > 1 else set()
    for item in fields:
        if item.name.casefold() in _NO_NAMES - listed and "JSON" not in item.source:
            yield f"line {item.line}: {item.name!r} is no name of a part of the answer"


_NAMED_ITEM = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_]*[\"'`](?P<name>[A-Za-z]\w+)[\"'`][*_]*[ \t]*(?:[-–—:(])", re.MULTILINE
)


def _sibling_keys(document: PromptText, found: Inferred) -> Iterator[str]:
    """A key in a list of keys of which most were read."""
    known = _names_read(found)
    items = list(_NAMED_ITEM.finditer(document.text))
    lost = [item for item in items if item["name"].casefold() not in known]
    told = str([dict(item.schema) for item in found.fields])
    if len(items) - len(lost) > max(1, len(lost)):
        for item in lost:
            if item["name"] not in told:
                line = document.line(item.start("name"))
                yield f"line {line}: {item['name']!r} is in the list of the keys, and was not read"


def _other_keys(document: PromptText, found: Inferred) -> Iterator[str]:
    """Keys that a sentence says the answer has, and that were not read."""
    text = document.text
    known = _names_read(found)
    for match in _KEYS_NAMED.finditer(text):
        begin = text.rfind("\n", 0, match.start()) + 1
        if not _ASKED.search(text, begin, match.end()):
            continue
        for name in re.findall(r"[\"'`]([A-Za-z]\w+)[\"'`]", match["names"]):
            if name.casefold() not in known and not any(name in str(item.schema) for item in found.fields):
                yield f"line {document.line(match.start())}: {name!r} is said to be a key of the answer, and was not read"


# "with EXACTLY these keys:" and below it their names
_KEYS_BELOW = re.compile(
    r"\b(?:these|following)\b[^.\n]{0,30}\bkeys\b[^.\n:]{0,20}:\s*(?P<names>[a-z]+_\w+(?:,\s*[a-z]\w*){2,})",
    re.IGNORECASE,
)


def _keys_below(document: PromptText, found: Inferred) -> Iterator[str]:
    """Keys in a list without marks, none of which was read."""
    known = _names_read(found)
    for match in _KEYS_BELOW.finditer(document.text):
        names = [name.casefold() for name in re.findall(r"\w+", match["names"])]
        if not known.intersection(names):
            yield f"line {document.line(match.start())}: {names[0]!r} is said to be a key of the answer, and was not read"


_NOT = re.compile(r"(?:\b(?:not|never)|n['’]t)\s+\Z", re.IGNORECASE)
_WITHIN = re.compile(
    r"\b(?:between|inside|within)\b[^.\n]{0,20}\b(?:tags?|markers?|delimiters?)\b[^.\n]{0,20}<\w+>|"
    r"\b(?:include|append|add|attach|embed)\b[^.\n]{0,20}\bjson(?: \w+){0,2} (?:in|to|at|within) (?:the end of )?(?:your|the|each|every) (?:\w+ ){0,2}(?:response|answer|reply|message|end)\b"
    r"|\bend (?:your|the|each|every) (?:\w+ )?(?:response|answer|reply|message) with (?:an? |the )?(?:\w+ )?json\b",
    re.IGNORECASE,
)


def _json_within(document: PromptText) -> Iterator[str]:
    """JSON that is only a block in a longer answer."""
    within = _WITHIN.search(document.text)
    if within and not _NOT.search(document.text, max(0, within.start() - 20), within.start()):
        yield f"line {document.line(within.start())}: {shortened(within[0])!r}: the JSON is a part of a longer answer"


_OMITTED = re.compile(
    r"\b(?:omit|leave out|skip|(?:do not|don['’]t|never) include)\b[^.\n]{0,20}\b(?:fields?|keys?|properties)\b[^.\n]{0,40}\b(?:not|cannot|missing|unknown|absent)\b|\b(?:missing|unknown|absent|not \w+),? (?:omit|leave out|skip) (?:that|the|this) (?:field|key)\b",
    re.IGNORECASE,
)


def _left_out(document: PromptText, found: Inferred) -> Iterator[str]:
    """Keys that an answer may leave out, if not every field may be null instead."""
    omitted = _OMITTED.search(document.text)
    if omitted and not all("null" in str(dict(item.schema)) for item in found.fields):
        yield f"line {document.line(omitted.start())}: {shortened(omitted[0])!r}: a key may be left out, and it was read as required"


# "List[Section]": a type that the prompt defines elsewhere
_TYPES_USED = re.compile(r"\b(?:List|Dict|Optional|Union|Array|Set)[\[<]\s*[A-Z]\w+")
_JSON_WANTED = re.compile(
    r"\b(?:return|respon[ds]e?|reply|repl(?:y|ies)|outputs?|answer|provide|produce|generate|give|write|format\w*|create|emit|extract|must|should|result|only|valid|strict|structure\w*|conform\w*|schema|using|use|as|in|with)\b"
    r"[^.\n]{0,80}?(?<![.\w])json\b|(?<![.\w])json (?:must|should|has to|needs to|only|object|format|output|array|list|with|response|structure|keys?)\b|(?<![.\w])json: \w",
    re.IGNORECASE,
)
_RECEIVED = re.compile(
    r"\b(?:receive|given|input|posting (?:to|json|a json)|resume schema|source of truth|parsed)\b", re.IGNORECASE
)


# "Response format: JSON"
_FORMAT_JSON = re.compile(
    r"\bjson: \w+ ?[(,]|\b(?:fields|keys) of the json\b|^\W*format[*_]*:[*_]* json\b|\b(?:response|output|answer|reply)(?: format)?[*_]*:[*_]* (?:valid |strict |a )?json\b",
    re.IGNORECASE,
)
# "Given the recipe, return ...": what is given is not the JSON
_HAVING = re.compile(r"\A\W*given [^.,\n]{3,80},", re.IGNORECASE)


def _of_something_else(document: PromptText, found: Inferred) -> Iterator[str]:
    """Keys that are named in words, in a prompt that wants no JSON; and types that it defines elsewhere."""
    in_words = all(item.source.startswith("key in the prose") for item in found.fields)
    if used := _TYPES_USED.search(document.text):
        yield f"line {document.line(used.start())}: {used[0]!r} is a type of its own, which was not read"
    if not in_words or found.whole != "JSON":
        return
    lead = ""
    for line in document.text.split("\n"):
        listed = re.match(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]", line)
        lead = lead if listed or not line.strip() else line
        if _FORMAT_JSON.search(line):
            return
        for sentence in re.split(r"(?<=[.!?:])\s", line):
            told = _HAVING.sub("", sentence)
            if _JSON_WANTED.search(told) and not _RECEIVED.search(told + (lead if listed else "")):
                return
    yield f"line {found.fields[0].line}: no sentence wants JSON with the key {found.fields[0].name!r}"


_ASKS_JSON = re.compile(
    r"\b(?:return|output|respond with|reply with|produce)\b[^.\n]{0,40}\b(?:valid json|json object|json array|json list)\b",
    re.IGNORECASE,
)


def _json_asked(document: PromptText) -> Iterator[str]:
    """JSON that is asked for, if parts of a text were read."""
    asked = _ASKS_JSON.search(document.text)
    if asked and not re.search(
        r"\b(?:not|never|no)\b", document.text[max(0, asked.start() - 20) : asked.end()], re.IGNORECASE
    ):
        yield f"line {document.line(asked.start())}: {shortened(asked[0])!r}: JSON is asked for, and parts of a text were read"


# "Generate {count} topics", "the required number of topics"
_SO_MANY = re.compile(
    rf"\b(?:generate|create|write|produce|suggest|propose)\b (?:the required number of|(?:exactly )?(?:{VARIABLE.pattern})+|(?!1 )\d+) (?:[\w-]+ ){{0,3}}?[a-z]+s\b(?! (?:or|long|words|sentences))",
    re.IGNORECASE,
)
_AS_LIST = re.compile(
    r"\b(?:return|respond|reply|output|valid|strictly|only)\b[^.\n]{0,40}\bjson (?:list|array)\b", re.IGNORECASE
)


# "You will be given a list of receipts, and you will sort them"
_GIVEN_LIST = re.compile(
    r"\b(?:given|provided with|receive|get)\b[^.\n]{0,30}\b(?:list|set|batch|number|series|collection)s? of (?:[\w-]+ ){0,2}?(?P<things>[a-z]+s)\b(?P<rest>[^\n]*)",
    re.IGNORECASE,
)
_THEM = re.compile(r"\b(?:each|every|them|all of)\b", re.IGNORECASE)
# A copy of what one of them has.
_OF_ONE = re.compile(r"(?:\A|_)(?:id|index|reference|ref|key)\Z|(?<=[a-z])(?:Id|Index)\Z")


def _one_of_list(document: PromptText, found: Inferred) -> Iterator[str]:
    """A single object where the answer is a list of them."""
    if found.wrapped or (len(found.fields) == 1 and "'array'" in str(dict(found.fields[0].schema))):
        return
    if any("'array'" in str(dict(item.schema)) for item in found.fields):
        return
    if many := _SO_MANY.search(document.text):
        yield f"line {document.line(many.start())}: {shortened(many[0])!r}: one object was read for all of them"
    given = _GIVEN_LIST.search(document.text)
    if given and _THEM.search(given["rest"]) and any(_OF_ONE.search(item.name) for item in found.fields):
        line = document.line(given.start())
        yield f"line {line}: several {given['things']} are given, and one object was read for them"
    if listed := _AS_LIST.search(document.text):
        yield f"line {document.line(listed.start())}: {shortened(listed[0])!r}: one object was read, and the answer is a list"
