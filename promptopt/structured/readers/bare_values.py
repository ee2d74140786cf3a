"""One bare value that a prompt asks for: a label, a rating, a list of texts; also by an order that says all, "Respond strictly with YES or NO"."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from promptopt.structured.completeness import EXPLAINS, wants_json
from promptopt.structured.fields import (
    BOUNDARY,
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    begin_of,
    conditional,
    conditional_part,
    of_fields,
)
from promptopt.structured.prose.choices import Choice, enum
from promptopt.structured.prose.label_codes import label_codes
from promptopt.structured.prose.ranges import numbers, scale
from promptopt.structured.readers.lists_of_texts import lines_of_text
from promptopt.structured.readers.refine import anchor, asks_for_label, object_of_task, with_fallback
from promptopt.structured.readers.sections import arrays, lines, listings
from promptopt.structured.witness.instructions import instructions
from promptopt.templates.source import read_source

# "1. **Relevance (0-5 scale)**" and "3. **Safety (REQUIRED: 0 or 1)**"
_OWN_SCALE = re.compile(
    r"^[ \t#]*(?:\d{1,2}[.)]|[-*•])[ \t]*[*_]*[A-Z][^\n():]{1,60}\([^\n()]*\d\s?(?:-|–|to|or|/)\s?\d[^\n()]*\)",
    re.MULTILINE,
)


def from_values(document: PromptText, said: list[Choice]) -> Inferred | None:
    """One value without a name, or a list of texts; ``None`` if the prompt asks for no such thing."""
    found = _of_values(document, said)
    if found and len(found.fields) == 1 and not found.whole and {"minimum", "enum"} & set(found.fields[0].schema):
        scales = [match.start() for match in _OWN_SCALE.finditer(document.text)]
        if len(scales) > 1:
            lines = " and ".join(str(document.line(start)) for start in scales[:2])
            return Inferred(
                problems=(f"lines {lines}: several values have a scale of their own, and no form names them",)
            )
    return found


def _of_values(document: PromptText, said: list[Choice]) -> Inferred | None:
    if list(arrays(document)):
        return _from_listings(document, said)
    found = _from_choices(document, said)
    each = _LIST_FOR_EACH.search(document.text)
    if found and each and len(found.fields) == 1:
        # "For each example in turn, return 1 or 0. You must return your response in a valid Python list."
        item = found.fields[0]
        items = {"type": "array", "items": dict(item.schema)}
        spans = (*found.covered, Span(*each.span()))
        return Inferred((replace(item, name="items", schema=items),), wrapped=True, covered=spans, whole="JSON")
    return found or lines_of_text(document) or _from_listings(document, said)


_LIST_FOR_EACH = re.compile(
    r"\bfor each\b[^\n]*?\b(?:return|respond|answer|output|give|provide)\b[^.\n]{0,60}\b(?:in|as) (?:a|an) "
    r"(?:valid |single )?(?:python|json) (?:list|array)\b(?! of\b)",
    re.IGNORECASE,
)


# "At the very end, type "Answer:" and then your answer": other words may come before it.
_AT_THE_END = re.compile(
    r"\bat the (?:very )?end\b[^.\n]{0,60}\b(?:type|print|write|give|state|output|provide|put|add|answer)\b|\bend your (?:answer|response|reply) with\b",
    re.IGNORECASE,
)


def _from_choices(document: PromptText, said: list[Choice]) -> Inferred | None:
    lists = [choice for choice in said if "enum" in choice.schema]
    ranges = list(numbers(document))
    if not ranges and not list(_scale_wanted(document)) and (coded := label_codes(document)):
        source = f"codes in the prose, line {document.line(coded.span.start)}"
        lists = [Choice("", enum(list(coded.values)), coded.span, source)]
    asked = [choice for choice in lists if choice.asks]
    if lists and not asked and not asks_for_label(document.text, lists):
        lists = []
    if not lists:
        return _from_range(document, ranges)
    if any(choice.asks for choice in ranges):
        # "A score between 1 and 3 is low" names no labels.
        lists = [choice for choice in lists if choice.schema.get("type") != "integer" or len(choice.schema["enum"]) > 2]
        if not lists:
            return _from_range(document, ranges)
    lists = _largest(document, lists)
    sets = {frozenset(str(v).casefold() for v in choice.schema["enum"]) for choice in lists}
    if len(sets) > 1:
        lines = ", ".join(str(document.line(choice.span.start)) for choice in lists)
        return Inferred(
            problems=(f"lines {lines}: several lists of labels, and nothing says which one the answer is from",)
        )
    if bad := conditional_part(document, (choice.span for choice in lists)):
        return bad
    best = lists[0]
    if len(lists) == 1 and best.asks and MASK in document.text[best.span.start : best.span.end].replace("\n", ""):
        line = document.line(best.span.start)
        return Inferred(problems=(f"line {line}: the list of labels holds a variable of the template",))
    name = (
        next((choice.name for choice in lists if choice.name), "")
        or anchor(document.text)
        or object_of_task(document.text)
    )
    schema = with_fallback(document.text, dict(best.schema))
    carried = tuple(choice.span for choice in lists if choice.bare)
    covered = tuple(choice.span for choice in lists)
    ends = _AT_THE_END.search(document.text)
    return Inferred(
        (Field(name or "answer", schema, best.source, document.line(best.span.start)),),
        carried,
        covered=covered,
        beside=f"line {document.line(ends.start())}: the value ends a longer answer" if ends else None,
    )


def _largest(document: PromptText, lists: list[Choice]) -> list[Choice]:
    """The lists without those that one of them holds, if it only adds what "If none fits, answer Unknown" adds."""
    lists = [choice for choice in lists if not any(_numbers_of(other, choice) for other in lists)]
    sets = [{str(label).casefold() for label in choice.schema["enum"]} for choice in lists]
    for one, labels in zip(lists, sets, strict=True):
        added = set().union(*(labels - other for other in sets if len(other) > 1))
        held = all(other <= labels for other in sets)
        if one.asks and held and len(added) == 1:
            label = re.escape(added.pop())
            if re.search(rf"\bif\b[^.\n]*[\"'`]{label}[\"'`]", document.text, re.IGNORECASE):
                return [choice for choice, other in zip(lists, sets, strict=True) if other == labels]
    return lists


def _numbers_of(coded: Choice, listed: Choice) -> bool:
    """Whether the numbers of a list are wanted, and its words were read as labels as well."""
    labels, words = coded.schema["enum"], listed.schema["enum"]
    counts = coded.asks and not listed.asks and labels == list(range(1, len(words) + 1))
    return counts and coded.span.overlaps(listed.span) and listed.schema.get("type") == "string"


# A number is to be given, and not only spoken about.
_ASKS_FOR_NUMBER = re.compile(
    r"(?:^|[.,;:!?—]\s*|\b(?:to|and|then|please|must|should|will|can|only|just|you|by|need|first|are|is|be)\s)[ \t]*(?:[-*•#>]|\d+[.)])*[ \t*]*"
    r"\b(?:rat(?:e|ing)|scor(?:e|ing)|grad(?:e|ing)|assign|giv(?:e|ing)|provid(?:e|ing)|output|return|respond|answer|reply|estimate|assess|evaluate|judge"
    r"|determine|predict|say|mark|write|express|report|produce|calculate|compute|choose|select)\b|\bhow (?:likely|well|relevant|much|similar|good)\b",
    re.IGNORECASE | re.MULTILINE,
)


def _from_range(document: PromptText, ranges: list[Choice]) -> Inferred | None:
    asked = [choice for choice in ranges if choice.asks] or list(_scale_wanted(document))
    distinct = {str(sorted(choice.schema.items())): choice for choice in asked}
    if len(distinct) != 1 or not _ASKS_FOR_NUMBER.search(document.text):
        return None
    choice = next(iter(distinct.values()))
    if bad := conditional(document, choice.span):
        return bad
    name = anchor(document.text) or choice.name or "score"
    covered = tuple(known.span for known in ranges)
    return Inferred((Field(name, choice.schema, choice.source, document.line(choice.span.start)),), covered=covered)


# "Reply with the number only.", or "Score:" at the end
_NUMBER_WANTED = re.compile(
    r"\b(?:only|just|exactly|nothing but) (?:with )?(?:the |one |a single |your )?(?:\w+ )?(?:number|digit|score|rating|grade)\b(?!,? (?:and|then|plus|with|followed|for)\b)"
    r"|\bthe (?:number|digit|score|rating|grade) (?:only|alone)\b(?!,? (?:and|then|plus)\b)|\n[ \t*]*(?:score|rating|grade):[ \t*]*\s*\Z",
    re.IGNORECASE,
)


# "Rate the relevance ...", and "Relevance:" at the end
_ENDS = re.compile(r"\n[ \t*]*(?P<noun>[A-Za-z]+):[ \t*]*\s*\Z")


def _scale_wanted(document: PromptText) -> Iterator[Choice]:
    """The one scale whose grades are listed, where nothing but one of its numbers is wanted."""
    scales = scale(document)
    ends = _ENDS.search(document.text)
    rated = ends and re.search(
        rf"\b(?:rate|score|grade)\b[^.\n]*\b{ends['noun']}\b", document.text[: ends.start()], re.IGNORECASE
    )
    wanted = _NUMBER_WANTED.search(document.text) or (ends if rated else None)
    if len(scales) == 1 and wanted and scales[0][0] and not scales[0][1]:
        source = f"grades in the prose, wanted in line {document.line(wanted.start() + len(wanted[0]) - len(wanted[0].lstrip()))}"
        yield Choice("", scales[0][0], Span(*wanted.span()), source)


def _from_listings(document: PromptText, said: list[Choice]) -> Inferred | None:
    found = list(arrays(document)) or list(lines(document)) or list(listings(document))
    lists = [choice.schema for choice in said if "enum" in choice.schema and choice.asks]
    if lists and all(one == lists[0] for one in lists):
        found = [(replace(field, schema=_with_labels(field.schema, lists[0])), span) for field, span in found]
    names = {field.name for field, _ in found}
    if len(names) != 1:
        return None
    inferred = of_fields(document, found[:1], carried=False)
    whole = found[0][0].name == "items"
    spans = tuple(span for _, span in found)
    return replace(inferred, covered=spans, wrapped=whole, whole="JSON" if whole else "")


def _with_labels(schema: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, Any]:
    """A list of texts with the labels that its items are chosen from."""
    items = schema.get("items", {})
    return {**schema, "items": dict(labels)} if dict(items) == {"type": labels.get("type")} else dict(schema)


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
