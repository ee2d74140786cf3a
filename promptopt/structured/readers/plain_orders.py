"""Labels of an order that says all: "Respond strictly with "YES" or "NO"", "The intents are: [a, b]. Return only the intent".

These are read last, where no other reader found anything: the order must be closed by a word such as "only", and all lists of
the prompt must be the same.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from promptopt.structured.completeness import EXPLAINS, wants_json
from promptopt.structured.fields import BOUNDARY, MASK, Field, Inferred, PromptText, Span, begin_of, conditional_part
from promptopt.structured.witness.accounts import instructions
from promptopt.templates.source import read_source

_VERBS = r"(?:respond|repl(?:y|ies)|answer|return|output|say|print|write|give|response|verdict|decision|judg[e]?ment|classification|label)"
_CLOSED = re.compile(
    r"\b(?:only|just|strictly|exactly|single|one of|either|nothing but|must be|should be|otherwise)\b", re.IGNORECASE
)
_QUOTED = r"[\"'`“](?P<{0}>[A-Za-z][\w /-]{{0,30}}?)[.,]?[\"'`”]"
_Q = r"[\"'`“][A-Za-z][\w /-]{0,30}?[.,]?[\"'`”]"
_ORDER = re.compile(
    rf"\b{_VERBS}\b(?P<between>[^.\n\"'`“]{{0,60}}?)(?P<list>{_Q}(?:\s*(?:,\s*(?:or\s+)?|/|\|\s*|\bor\s+){_Q})+)(?P<after>[^\n]{{0,30}})",
    re.IGNORECASE,
)
# 'your output should be "Yes"; otherwise, it should be "No"'
_OTHERWISE = re.compile(
    rf"\b(?:output|answer|response|reply|verdict|decision|judg[e]?ment|respond with|reply with|return)\b[^.;\n\"'`“]{{0,30}}?{_QUOTED.format('yes')}[^.\n\"'`“]{{0,20}}[;,.]?\s*(?:otherwise|else|if not)\b[^.\n\"'`“]{{0,40}}?{_QUOTED.format('no')}",
    re.IGNORECASE,
)
_NOUNS = r"(?P<noun>intent|label|categor(?:y|ie)|class(?:e)?|topic|option|type|sentiment|tag|emotion|language|department|route|team|tone|stance)"
_NAMED = re.compile(
    rf"\b(?:the |these |following |possible |available |allowed |valid |only )+{_NOUNS}s (?:are|include only)\s*:?\s*(?:\[(?P<bracketed>[^\[\]\n]{{3,400}})\]|(?P<plain>[^.\n:;\[\]()]{{3,300}}))(?=\.\s|\.?[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_WANTED = (
    r"\b(?:return|respond with|reply with|answer with|output|give|write|say|state|name)\b (?:me )?(?:(?:only|just|exactly|nothing but) (?:the |one |a single |its )*(?:name of the )?(?:\w+ )?{noun}\b"
    r"|(?:the |one |a single |its )(?:\w+ )?{noun}(?: name)? (?:only|alone|and nothing else))(?!,? (?:and|plus|with|followed|then|as well)\b(?! nothing))"
)
_LINE_CODE = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+)?(?P<code>\d{1,2})[ \t]*(?:=|:|-|–)[ \t]*(?P<means>[A-Za-z][^\n]{0,120})$", re.MULTILINE
)
_CODE_WANTED = re.compile(
    r"\b(?:only|just|exactly|nothing but) (?:with )?(?:the |one |a single )?(?:\w+ )?(?:number|digit|code|integer)\b(?!,? (?:and|then|plus|with|followed)\b)|\bthe (?:number|digit|code|integer) (?:only|alone)\b(?!,? (?:and|then|plus)\b)",
    re.IGNORECASE,
)
_LINE_LETTER = re.compile(r"^[ \t]*\(?(?P<code>[A-Ha-h])[).:][ \t]+(?P<means>\S[^\n]{0,120})$", re.MULTILINE)
_LETTER_WANTED = re.compile(
    r"\b(?:only|just|exactly|nothing but) (?:with )?(?:the |one |a single )?(?:\w+ )?letter\b(?!,? (?:and|then|plus|with|followed)\b)|\bthe (?:\w+ )?letter(?: of [^.\n]{0,40})? (?:only|alone)\b"
    rf"|\b{_VERBS} with (?:the|one|a single) (?:\w+ )?letter(?: of [^.\n]{{0,40}})?[ \t]*(?:[.\n]|\Z)",
    re.IGNORECASE,
)
_BARRED = re.compile(
    r"\b(?:not|never|avoid|instead of|e\.g|such as|like|example|containing|contains?|if|when|start\w*|begin\w*|followed|prefix\w*)\b|n['’]t\b",
    re.IGNORECASE,
)
_FOLLOWED = re.compile(
    r"\s*,?\s*(?:followed by|then|and (?:then|a|an|your|give|explain|provide|why|the)|with (?:a|an|your)|plus|along)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"\b(?:one or more|all that apply|any of (?:the|these)|as many|for each|each of|per (?:line|item)|comma[- ]separated)\b"
    r"|\b(?:choose|select|pick|return|list|give|assign|use|output|have|are)\b[^.\n]{0,30}\b(?:several|multiple|more than one|all)\b|\b(?:several|multiple)\b[^.\n]{0,20}\b(?:possible|allowed|labels|categories|answers)\b",
    re.IGNORECASE,
)
_BEGINS = re.compile(r"\b(?:begin|start|end|finish)\b[^.\n]{0,20}\bwith\b", re.IGNORECASE)
_OF_LABELS = re.compile(
    r"\b(?:labels?|categor(?:y|ies)|classes|classif\w+|options?|types?|following|scale|codes?|ratings?|severity|levels?|choose|which|rate|grade|one of)\b|\?\W*\Z",
    re.IGNORECASE,
)
_LEAST = 2
_LONGEST = 4


def plain_order(document: PromptText) -> Inferred | None:
    """The one value of a prompt whose order names all its labels; ``None`` if there is no such order, or more than it."""
    text = instructions(PromptText(document.source, re.sub(r"\*\*|__", "  ", document.text)), Inferred())
    if wants_json(document) or _SEVERAL.search(text) or EXPLAINS.search(text) or _BEGINS.search(text):
        return None
    found = list(_orders(text)) or list(_named(text)) or list(_coded(text))
    values = {tuple(label.casefold() for label in labels) for _, labels, _ in found}
    if len({frozenset(one) for one in values}) != 1:
        return None
    name, labels, span = found[0]
    labels = [*labels, *_further(document, text, labels)]
    if not _LEAST <= len(set(labels)) == len(labels) or _shown_otherwise(document, labels):
        return None
    if bad := conditional_part(document, [span]):
        return bad
    numbers = all(label.isdigit() for label in labels)
    schema = (
        {"type": "integer", "enum": [int(label) for label in labels]} if numbers else {"type": "string", "enum": labels}
    )
    line = document.line(span.start)
    return Inferred((Field(name, schema, f"order in the prose, line {line}", line),), covered=(span,))


def _orders(text: str) -> Iterator[tuple[str, list[str], Span]]:
    for match in _ORDER.finditer(text):
        begin = begin_of(text, match.start(), (". ", "\n", ";", BOUNDARY))
        before = text[begin : match.start("list")]
        if _BARRED.search(before) or _FOLLOWED.match(match["after"]) or not _CLOSED.search(before + match["after"]):
            continue
        labels = [label.strip(" .,") for label in re.findall(r"[\"'`“]([^\"'`“”\n]+)[\"'`”]", match["list"])]
        yield "answer", labels, Span(match.start(), match.end("list"))
    for match in _OTHERWISE.finditer(text):
        yield "answer", [match["yes"].strip(" .,"), match["no"].strip(" .,")], Span(*match.span())


def _named(text: str) -> Iterator[tuple[str, list[str], Span]]:
    for match in _NAMED.finditer(text):
        parts = re.split(r"\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+", (match["bracketed"] or match["plain"]).strip())
        labels = [part.strip(" \"'`“”*") for part in parts]
        noun = {"categorie": "category", "classe": "class"}.get(match["noun"].lower(), match["noun"].lower())
        wanted = re.search(_WANTED.format(noun=rf"(?:{noun}|label)"), text, re.IGNORECASE)
        plain = all(re.fullmatch(r"[A-Za-z][\w /&-]*", label) and len(label.split()) <= _LONGEST for label in labels)
        if plain and wanted and MASK not in match[0]:
            yield noun, labels, Span(*match.span())


def _coded(text: str) -> Iterator[tuple[str, list[str], Span]]:
    """Numbers or letters of lines one below the other, of which one is wanted alone."""
    for pattern, wanted in ((_LINE_CODE, _CODE_WANTED), (_LINE_LETTER, _LETTER_WANTED)):
        lines = list(pattern.finditer(text))
        codes = [line["code"] for line in lines]
        apart = any(text[one.end() : two.start()].strip() for one, two in itertools.pairwise(lines))
        follows = codes in [[chr(ord(first) + number) for number in range(len(codes))] for first in "Aa"] or codes == [
            str(int(codes[0]) + number) for number in range(len(codes)) if codes[0].isdigit()
        ]
        if (
            lines
            and _OF_LABELS.search(text[: lines[0].start()].rstrip().rpartition("\n")[2])
            and len(codes) >= _LEAST
            and not apart
            and follows
            and wanted.search(text)
            and MASK not in "".join(line[0] for line in lines)
        ):
            yield "answer", codes, Span(lines[0].start(), lines[-1].end())


# "Say small_talk for greetings.", "If it leaks, it is urgent."
_CASE = re.compile(
    r"\b(?:say|use|write|answer(?: with)?|return|give|output|reply with|it is|it['’]s|label it(?: as)?|mark it(?: as)?) [\"'`]?(?P<label>[a-z][a-z_]+)[\"'`]?(?= (?:for|if|when|whenever)\b|[.;,\n])",
    re.IGNORECASE,
)


def _further(document: PromptText, text: str, labels: list[str]) -> list[str]:
    """The labels that the turns of examples have besides those of a list, if the prompt names each of them in a case."""
    answers = [
        document.source[chat.body_start : chat.body_end].strip()
        for chat in read_source(document.source).chats
        if chat.role == "assistant"
    ]
    further = list(dict.fromkeys(answer for answer in answers if answer not in labels))
    cases = {match["label"] for match in _CASE.finditer(text)}
    return further if further and set(further) <= cases else []


def _shown_otherwise(document: PromptText, labels: list[str]) -> bool:
    """Whether a turn of an example answers with something that is none of the labels."""
    known = {label.casefold() for label in labels}
    return any(
        chat.role == "assistant" and document.source[chat.body_start : chat.body_end].strip().casefold() not in known
        for chat in read_source(document.source).chats
    )
