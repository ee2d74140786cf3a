"""Keys of the answer that a prompt names in words: in a sentence, in a list, or one by one ("in the `score` field")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import regex

from promptopt.structured.fields import BOUNDARY, MASK, PromptText, Span, field_name, scan


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key of the answer.

    Attributes:
        said: What the prompt says of its value; empty if nothing.
        span: Where it is named.
        nested: Whether keys of its own follow below it that are not read.
        inner: The keys of its own that are listed below it.
    """

    name: str
    said: str
    span: Span
    nested: bool = False
    inner: tuple[NamedKey, ...] = ()


_Q = r"[\"'`“”‘’]"
_KINDS = r"(?:keys?|fields?|properties|property|attributes?)"
_OBJECT = r"\b(?:json|objects?|dict(?:ionary)?)\b"
_TYPE = r"(?:\s*[(\[](?P<type>[^()\[\]\n]{1,120})[)\]]|\s*:\s*(?P<kind>[a-z][\w\[\]]*(?: of [a-z]+)?)(?=\s*(?:,|;|\band\b|\.|\n|$)))?"
# '"open", a boolean, and "remark", a short phrase'
_APPOSITION = r"(?:,\s(?P<told>(?:an?|the|your|how|whether)\s[^,.;:\"'`\n]{2,80}(?:,? or null\b[^,.;:\"'`\n]{0,60})?)(?=\s*(?:,\s*(?:and\s+)?[\"'`]|and\s+[\"'`]|,?\s+or an? empty\b|[.;\n]|$)))?"
_QUOTED_KEY = rf"{_Q}(?P<name>[A-Za-z_][\w -]{{0,40}}?){_Q}{_TYPE}{_APPOSITION}"
_PLAIN_KEY = rf"(?P<name>[A-Za-z]\w*){_TYPE}"
_AND = r"\s*(?:,\s*(?:and\s+|as well as\s+)?|\band\s+|&\s*|;\s*(?:and\s+)?)(?:an?\s+|the\s+)?"


def _list_of(key: str) -> str:
    unnamed = re.sub(r"\?P<\w+>", "?:", key)
    return rf"(?P<list>{unnamed}(?:{_AND}{unnamed})*)(?P<tail>\s+{_KINDS}\b)?"


_WITH = r"\b(?:include|including|containing|contains|with|has|have|holds?)\s+(?:the |an? |following |both |exactly )*"
_FIELDS = rf"\b(?:output|answer|response|reply)\b[^.\n]{{0,40}}\b(?:using|with|in) (?:two|three|four|five|\d) {_KINDS}\s*[;:,]\s*"
# "JSON with the keys 'score' (number) and 'verdict' ("faithful" or "unfaithful")"
_QUOTED = regex.compile(
    rf"(?:{_OBJECT}[^.\n]{{0,80}}?\b{_KINDS}\b(?:[^.\n\"'`“:()]|\([^()\n\"'`“]*\)){{0,30}}:?\s*|{_FIELDS}|{_OBJECT}[^.\n]{{0,60}}?{_WITH})"
    + _list_of(_QUOTED_KEY),
    regex.IGNORECASE,
)
# "a JSON object with the fields name, email and phone"
_PLAIN = regex.compile(
    rf"(?:(?P<colon>\bobjects? (?:with|containing|of|having):\s*)|{_OBJECT}[^.\n]{{0,80}}?\b{_KINDS}\b\s*(?:(?:are|being|called|named|exactly|the|following)\s+)*:?\s*|{_FIELDS}|{_OBJECT}[^.\n]{{0,60}}?{_WITH})"
    + _list_of(_PLAIN_KEY),
    regex.IGNORECASE,
)
_SINGLE = regex.compile(
    rf"(?:{_OBJECT}[^.\n]{{0,60}}?|{_OBJECT}\.\s+It (?:must|should|has to) (?:only )?(?:contain|have|include) )\b(?:an?|one|the|single|only)\s+(?:single |only )?(?:key|field|property)\s*(?:called|named|:|of)?\s*{_list_of(_QUOTED_KEY)}",
    regex.IGNORECASE,
)
# "strict JSON with key: score (0, 1, 2)"
_ONE = regex.compile(
    rf"{_OBJECT}[^.\n]{{0,40}}?\b(?:with|containing) (?:the |a )?(?:single |only |one )?key:\s*{_list_of(_PLAIN_KEY)}(?=\s*(?:[.;]|\n|$))",
    regex.IGNORECASE,
)
# "a dictionary with the grade you give, with remark and grade as keys"
_AS_KEYS = tuple(
    regex.compile(
        rf"{_OBJECT}(?:[^.\n]|\n(?=[ \t]*[a-z])){{0,220}}?\b(?:with|using|having)\s+(?:the )?(?P<list>{re.sub(r'[?]P<[a-z]+>', '?:', key)}(?:{_AND}{re.sub(r'[?]P<[a-z]+>', '?:', key)})*)\s+as (?:the |its |your )?{_KINDS}\b",
        regex.IGNORECASE,
    )
    for key in (_QUOTED_KEY, _PLAIN_KEY)
)
_MENTIONED = regex.compile(
    rf"{_Q}(?P<name>[A-Za-z_][\w -]{{0,40}}?){_Q}\s+(?:key|field|property|attribute)\b(?P<rest>[^.\n]*)",
    regex.IGNORECASE,
)
_IN_KEY = regex.compile(r"\bin (?:an? |the )?(?P<name>[a-z]\w*) key\b(?P<rest>[^.\n]*)", regex.IGNORECASE)
_STOP = frozenset(
    re.findall(
        r"\S+",
        "key keys field fields property properties a an the and or following this that these it its below with json object as for each in of exactly only",
    )
)
_ORDERS = frozenset(("use", "set", "return", "omit", "leave", "write", "put", "give", "null", "if"))
_MARK = r"(?:[-*•+]|\d+[.)])[ \t]+"
_LINE = re.compile(
    rf"^(?P<indent>[ \t]*){_MARK}(?P<open>[*_`\"'“]*)(?P<name>[A-Za-z_][\w /-]{{0,40}}?)(?P<shut>[*_`\"'”]*)[ \t]*"
    r"(?:\((?P<type>[^()\n]{1,160})\))?[*_`]*[ \t]*(?P<mark>:|[-–—](?=\s)|(?=(?:for|is|if|should|must|with|as)\b)|$|(?<=\)))[*_`]*(?P<rest>[^\n]*)$"
)
# "Generate your answer in a json format with the fields below"
_POINTS_DOWN = re.compile(
    rf"\bjson\b[^\n]*\b(?:{_KINDS} (?:listed )?below|following {_KINDS})[\s.*_-]*\Z", re.IGNORECASE
)
_ANY_ITEM = re.compile(rf"^(?P<indent>[ \t]*){_MARK}")
_LEAD = re.compile(rf"\b(?:json|objects?|dict(?:ionary)?|{_KINDS[3:-1]})\b", re.IGNORECASE)
_OUTPUT = re.compile(
    r"\b(?:outputs?|return(?:s|ed|ing)?|respon[ds]e?|reply|answer|produce|generate|provide|give|write|put|fill|set|must|should|structure|format)\b",
    re.IGNORECASE,
)
_INPUT = re.compile(
    r"\b(?:input|given|you (?:will|are going to) (?:be given|receive|see|get)|receives?|provided|contains? the following data|tool|functions?|table|columns?)\b",
    re.IGNORECASE,
)
# "in the `score` field", "with a `score` key": what is written, and not what is spoken about.
_INTO = re.compile(
    r"\b(?:in|into|under|with|using|and|fill|set|to)\s+(?:the|an?|your)?\s*(?:single |one |only )?\Z", re.IGNORECASE
)
# A line below the names: "sql": "Output your generated SQL!"
_SHOWN = re.compile(
    r"^[ \t]*[\"'](?P<name>\w+)[\"']\s*:\s*[\"'](?P<said>[^\"\n]*\w+ \w+[^\"\n]*)[\"'],?[ \t]*$", re.MULTILINE
)
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)


def named_keys(document: PromptText, *, known: bool = False) -> list[NamedKey]:
    """The keys of the answer in the order of their first mention, each with all that is said of it.

    Args:
        known: Whether the keys are known already, so that any mention of one tells of it.
    """
    found: dict[str, NamedKey] = {}
    bulleted = list(_bulleted(document))
    # "objects with agent and task fields", said of the objects of a list: those are listed below its key.
    own = {inner.name for key in bulleted for inner in key.inner} - {key.name for key in bulleted}
    for key in (*_listed(document), *bulleted, *_mentioned(document, known=known)):
        if key.name in own:
            continue
        before = found.get(key.name)
        if before is None:
            found[key.name] = key
        else:
            said = "; ".join(dict.fromkeys(part for part in (before.said, key.said) if part))
            nested = before.nested or key.nested
            found[key.name] = NamedKey(key.name, said, before.span, nested, before.inner or key.inner)
    for match in _SHOWN.finditer(document.text):
        if (bare := found.get(match["name"])) and not bare.said and MASK not in match["said"]:
            found[bare.name] = replace(bare, said=f'"{match["said"]}"')
    return list(found.values())


def _listed(document: PromptText) -> Iterator[NamedKey]:
    for pattern, key in (
        (_QUOTED, _QUOTED_KEY),
        (_SINGLE, _QUOTED_KEY),
        (_ONE, _PLAIN_KEY),
        (_PLAIN, _PLAIN_KEY),
        (_AS_KEYS[0], _QUOTED_KEY),
        (_AS_KEYS[1], _PLAIN_KEY),
    ):
        for match in scan(pattern, document.text):
            sentence = document.text[document.text.rfind("\n", 0, match.start()) + 1 : match.end()]
            if _INPUT.search(sentence) and not _OUTPUT.search(sentence):
                continue
            every = re.finditer(key, match["list"], re.IGNORECASE)
            found = [item for item in every if item["name"].lower() not in ("and", "a", "an", "the")]
            kinds = re.search(rf"\b{_KINDS}\b", match[0], re.IGNORECASE)
            # Words without quotes are keys only if the sentence says so, and several of them.
            named = kinds or (pattern is _PLAIN and match["colon"])
            if (len(found) < 2 and (not kinds or pattern is _PLAIN)) or (not named and pattern is _PLAIN):
                continue
            names = [item["name"].lower() for item in found]
            if order := next((n for n, name in enumerate(names) if n > 1 and name in _ORDERS), 0):
                # "street, city; use null for what is missing"
                found, names = found[:order], names[:order]
            if pattern is _PLAIN and not _STOP.isdisjoint(names):
                continue
            for item in found:
                if MASK not in item["name"]:
                    yield NamedKey(
                        item["name"],
                        item["type"] or item["kind"] or item.groupdict().get("told") or "",
                        Span(*match.span()),
                    )


def _bulleted(document: PromptText) -> Iterator[NamedKey]:
    lines = document.text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    number = 0
    while number < len(lines):
        first = _LINE.match(lines[number])
        if first is None or not _leads(lines, number):
            number += 1
            continue
        end, keys = _run(lines, number, len(first["indent"]), starts)
        yield from keys
        number = max(end, number + 1)


def keys_below(document: PromptText, position: int) -> list[NamedKey]:
    """The keys of the list that begins in the first line with any words after a position; empty if there is none."""
    lines = document.text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    number = next((n for n, start in enumerate(starts[:-1]) if start > position and lines[n].strip()), None)
    first = _LINE.match(lines[number]) if number is not None else None
    if number is None or first is None:
        return []
    return _run(lines, number, len(first["indent"]), starts)[1]


def _leads(lines: list[str], number: int) -> bool:
    """Whether the line above a list says that keys of the answer follow."""
    above = next((line for line in reversed(lines[max(0, number - 3) : number]) if line.strip()), "")
    if _ANY_ITEM.match(above) and not above.rstrip().endswith(":"):
        return False
    above = above.rpartition(BOUNDARY)[2]
    last = re.split(r"(?<=[.!?])\s", above.rstrip())[-1]
    if re.match(r"\W*(?:each|every)\b", last, re.IGNORECASE):
        return False
    return (
        (above.rstrip().rstrip("*_").endswith(":") or _POINTS_DOWN.search(above) is not None)
        and bool(_LEAD.search(last))
        and bool(
            _OUTPUT.search(above)
            or _JSON.search(above)
            or _OUTPUT.search("\n".join(lines[max(0, number - 5) : number]))
            or _JSON.search("\n".join(lines[max(0, number - 5) : number]))
        )
        and not (
            _INPUT.search(last) and not re.search(r"\b(?:output|return|respond|answer|reply)\b", last, re.IGNORECASE)
        )
    )


# "- tasks: an array of task objects, each with:"
_OWN_BELOW = re.compile(
    r"\b(?:objects?|dicts?|dictionaries|entries|items|records|each|with|contain\w*|includ\w+|having|fields|keys)\b[^\n:]*:[* \t]*\Z",
    re.IGNORECASE,
)


def _run(lines: list[str], number: int, indent: int, starts: list[int]) -> tuple[int, list[NamedKey]]:
    """The list that begins at a line: where it ends, and its keys; none if one of its items names no key."""
    keys: list[NamedKey] = []
    while number < len(lines):
        line = lines[number]
        item = _ANY_ITEM.match(line)
        if item is None or len(item["indent"]) != indent:
            deeper = len(line) - len(line.lstrip()) > indent
            if not line.strip() or not deeper:
                following = next((other for other in lines[number:] if other.strip()), "")
                again = _ANY_ITEM.match(following)
                if line.strip() or again is None or len(again["indent"]) != indent:
                    return number, keys
            elif keys and item and _OWN_BELOW.search(lines[number - 1]) and not keys[-1].inner:
                end, inner = _run(lines, number, len(item["indent"]), starts)
                if inner:
                    keys[-1] = replace(keys[-1], inner=tuple(inner))
                    number = end
                    continue
                keys[-1] = replace(keys[-1], nested=True)
            elif keys:
                last = keys[-1]
                below = item is not None and lines[number - 1].rstrip(" *_").endswith(":")
                nested = last.nested or below or bool(item and (own := _LINE.match(line)) and own["open"].strip("*_"))
                keys[-1] = NamedKey(last.name, f"{last.said} {line.strip()}", last.span, nested)
            number += 1
            continue
        match = _LINE.match(line)
        if match is None or MASK in match["name"] or match["name"].lower() in _STOP:
            return number, []
        quoted = bool(re.search(r"[`\"'“]", match["open"]))
        plain = match["name"].strip()
        name = plain if quoted or re.fullmatch(r"\w+", plain) else field_name(plain)
        bare = re.fullmatch(r"[a-z]\w*", plain) is not None  # a name alone
        if not quoted and ((not match["mark"] and not match["type"] and not bare) or len(plain.split()) > 4):
            return number, []
        said = " ".join(filter(None, (match["type"] and f"({match['type']})", match["rest"].strip(" :"))))
        keys.append(NamedKey(name, said, Span(starts[number], starts[number] + len(line))))
        number += 1
    return number, keys


def _mentioned(document: PromptText, *, known: bool) -> Iterator[NamedKey]:
    text = document.text
    matches = [match for match in scan(_MENTIONED, text) if MASK not in match["name"]]
    json = bool(_JSON.search(text))
    names = {match["name"] for match in matches}
    if not json and len(names) < 2:
        return
    for match in matches:
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.end()]
        if known or (
            not _INPUT.search(line) and _INTO.search(line[: match.start() - match.end()]) and _OUTPUT.search(line)
        ):
            yield NamedKey(match["name"], match["rest"].strip(" ,:"), Span(*match.span()))
    for match in scan(_IN_KEY, text):
        if _JSON.search(match["rest"]) and match["name"].lower() not in _STOP:
            yield NamedKey(match["name"], "", Span(*match.span()))
