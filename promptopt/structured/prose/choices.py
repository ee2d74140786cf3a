"""Labels, yes or no, and ratings that a prompt's prose asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import regex

from promptopt.structured.fields import BOUNDARY, MASK, PromptText, Span, begin_of, field_name, scan
from promptopt.structured.prose.cases import far_cases, near_cases
from promptopt.structured.prose.choice_patterns import ASK, CLOSE, INNER, PATTERNS, QUOTE
from promptopt.structured.prose.chosen_lists import CONDITION, chosen_lists, subject_lists, table_labels
from promptopt.structured.prose.plain_labels import DATE_FORM, is_denied, plain_labels, repeats_line


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that the prose describes.

    Attributes:
        name: The property it seems to be; empty if nothing names it.
        schema: An enum or a range.
        span: Where it is said.
        asks: Whether this very place asks for the answer (and does not only describe it).
        noun: The last word of every key that holds one or some of the labels, if the prompt says no more.
        many: Whether the value is a list of these labels.
        bare: Whether it only lists the labels, and no other sentence points at the list: an enum says the same.
    """

    name: str
    schema: Mapping[str, Any]
    span: Span
    source: str
    asks: bool = True
    bare: bool = False
    noun: str = ""
    many: bool = False


_QUOTED = re.compile(QUOTE)
# "billing, delivery or other, and rate its urgency": the sentence goes on with another order.
_NEXT_ORDER = re.compile(
    r"\s*[,;]?\s+(?:and|then|and then)\s+(?:also |then )*(?:rate|score|give|write|explain|state|say|provide|add|assign|list|extract|summari[sz]e"
    r"|include|return|output|determine|identify|estimate|set|choose|describe|justify|report|mark|note|tell|decide)\s+"
    r"(?:its|their|the|an?|your|how|why|whether|which|what|each|it|one|any|me|us)\b.*",
    re.IGNORECASE | re.DOTALL,
)
# "a question that an expert can answer with yes or no"
_BY_OTHERS = re.compile(r"\b(?!you\b)\w+ (?:can|could|may|might|would) (?:be )?\Z", re.IGNORECASE)
_COMPILED = tuple((kind, regex.compile(pattern, re.IGNORECASE | re.MULTILINE)) for kind, pattern in PATTERNS)

_GROUP = regex.compile(
    r"\b(?:(?i:the|these|our) (?:\w+ )?(?P<noun>[a-z]+s) are|(?P<asks>(?i:one of) (?:the |these |our )?(?:following )?(?:\w+ )?(?P<noun>[a-z]+s)))"
    r"\s*:\s*(?P<list>(?:[^()\n.:]{1,40}\([^()\n]*\)(?:, and|, or|,| and| or)?\s*){2,})"
)
_INDENTED = regex.compile(
    r"(?:^|\n)(?P<lead>[^\n]*\b(?:available|possible|following|these are|(?:categor(?:y|ies)|labels?|class|classes|options?|types?) below)\b[^\n]*:)[ \t]*\n\s*\n?(?P<items>(?:[ \t]*(?:[-*•][ \t]+)?[\w\"'][\w \"'/&-]{0,40},?[ \t]*\n){2,})",
    re.IGNORECASE,
)
# "(1) call the customer" below each other, and "Reply with the number of the action".
_OPTIONS = regex.compile(r"(?P<items>(?:^[ \t]*\(?\d{1,2}[).][ \t][^\n]+\n+){2,12})", regex.MULTILINE)
_BY_NUMBER = re.compile(
    rf"\b{ASK}\b(?: only)?(?: with)?(?: only| just)? the number of (?:the |your )?(?:\w+ )?(?:option|action|answer|choice|category|item)\b",
    re.IGNORECASE,
)
_LETTERED = regex.compile(
    r"(?P<lead>(?:one of the following|select|choose|which of)[^\n]*[:?])\s*\n+(?P<items>(?:[ \t]*\(?[A-Z][).][ \t][^\n]+\n*){2,})",
    re.IGNORECASE,
)
_QUOTED_LINES = regex.compile(
    r"(?P<lead>one of the following[^\n]*:|<[\w-]*options>|^#+[^\n]*\boptions\b[^\n]*)\s*\n(?P<items>(?:[ \t]*(?:[-*][ \t]+)?[\"'][^\"'\n]{1,40}[\"']\s*(?::|[-–—][ \t])[^\n]*\n*){2,})",
    re.IGNORECASE | re.MULTILINE,
)
_BULLETED = regex.compile(
    r"(?P<lead>(?:exactly one (?:label|category|class|intent|type)|one of (?:the )?(?:following|these|(?:\w+ )?(?:categories|labels|classes|intents|options|verdicts|values))|possible|allowed|choose from|(?:categories|labels|classes|intents|options))[^\n]*:|(?<=\n)#+[ \t]*\**(?:\w+ )?(?:categories|labels|classes|intents|verdicts|severities|priorities|levels|departments|teams|topics|statuses|types|outcomes|decisions|buckets|queues)\**)[ \t]*\n+"
    r"(?P<items>(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+[^\n]+\n?(?:[ \t]{2,}(?!(?:[-*•]|\d+[.)])[ \t])[^\s][^\n]*\n?)*){2,})",
    re.IGNORECASE,
)
_IS_ORDER = re.compile(rf"{ASK}\s", re.IGNORECASE)
_BULLET = re.compile(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]")
_POINTS = re.compile(r"\b(?:following|below|above|these|those|listed|list)\b", re.IGNORECASE)
_MORE_SAID = re.compile(r"[.!?]|\b(?:not|never|only|must|except|if|unless)\b", re.IGNORECASE)
_STOP = frozenset({"a", "an", "the", "it", "this", "that", "one", "etc", "more", "other words", "them", "you", "not"})
_NAME_OF = {"categories": "category", "classes": "class", "statuses": "status"}
_KINDS = frozenset(
    {
        "sentiment",
        "category",
        "intent",
        "topic",
        "tone",
        "emotion",
        "priority",
        "urgency",
        "language",
        "type",
        "severity",
        "label",
    }
)
_MEANINGLESS = frozenset(
    {
        "answer",
        "else",
        "only",
        "response",
        "output",
        "result",
        "reply",
        "input",
        "assistant",
        "word",
        "words",
        "following",
        "options",
        "option",
        "value",
        "values",
        "label",
        "labels",
        "it",
        "two",
        "text",
        "string",
        "strings",
    }
)


def choices(document: PromptText) -> Iterator[Choice]:
    """Every place of the prose that lists the values an answer may have."""
    read = list(plain_labels(document))
    for kind, pattern in _COMPILED:
        for match in scan(pattern, document.text):
            group = "list" if match["list"] else "listed"
            listed, end = match.groupdict().get(group) or "", match.end()
            if onward := _NEXT_ORDER.search(listed):
                listed, end = listed[: onward.start()], match.start(group) + onward.start()
            # What is read item by item to its end is read better; two readings that agree are one.
            both = [one for one in read if Span(match.start(group), end).overlaps(one.listed)]
            choice = _of_sentence(document, match, kind, listed, end)
            if choice and all(enum(list(one.values)) == choice.schema for one in both):
                read = [one for one in read if one not in both]
                yield choice
    for plain in read:
        source = f"labels in the prose, line {document.line(plain.span.start)}"
        yield Choice(
            plain.name if plain.name in _KINDS else "", enum(list(plain.values)), plain.span, source, asks=plain.asks
        )
    yield from _lists(document)
    for values, span in (*near_cases(document), *far_cases(document)):
        yield Choice("", enum(values), span, f"cases in the prose, line {document.line(span.start)}")
    yield from _of_leads(document)


_NOT_ONE = re.compile(r"\band/or\b|\betc\b")
# "Decide if the review is good or bad" asks for it; "null if the risk is 0 or 1" is a case of something else.
_WANTS_TO_KNOW = re.compile(
    r"\b(?:decid|determin|say|tell|stat|judg|check|assess|identif|predict|indicat|find|see|evaluat|detect|classif|report|verif|know|ask|specif|analy[sz]|conclud|answer|infer|show|estimat|examin|review|mark|label|return|output)\w*\b(?!.*\bnull\b)",
    re.IGNORECASE | re.DOTALL,
)


def _clause(text: str, end: int) -> str:
    """A clause up to a position in it."""
    return text[begin_of(text, end, ("\n", ". ", "! ", "? ", ";", ", ", " - ", " – ", BOUNDARY)) : end]


def _of_sentence(document: PromptText, match: re.Match[str], kind: str, listed: str, end: int) -> Choice | None:
    """The labels of a sentence; ``None`` if its words are none."""
    text, groups = document.text, match.groupdict()
    begin = match.start("list" if match["list"] else "listed")
    if is_denied(text, begin) or _NOT_ONE.search(text[begin : end + 5]):
        return None
    if kind == "whether" and match[0][:2].lower() == "if" and not _WANTS_TO_KNOW.search(_clause(text, match.start())):
        return None
    values = labels(_ASIDES.sub(lambda match: match["quoted"] or "", listed))
    said_of_others = kind == "answer" and _BY_OTHERS.search(text[max(0, match.start() - 30) : match.start()])
    phrases = kind in ("whether", "answer") and not _QUOTED.search(listed) and any(" " in value for value in values)
    orders = kind == "classify" and any(_IS_ORDER.match(value) for value in values)
    # 'the number of the berth or "none"' names a place
    place = len(values) == 2 and len(re.findall(r"\"[^\"\n]+\"|“[^”\n]+”|`[^`\n]+`", listed)) == 1
    if (
        len(values) < 2
        or repeats_line(text, begin, (values, begin + len(listed)))
        or said_of_others
        or phrases
        or orders
        or place
    ):
        return None
    name = _name(groups.get("noun") or _last_noun(groups.get("what") or ""))
    if kind == "before noun":
        name = match["noun"].lower()
    if kind == "classify" and name not in _KINDS:
        # What is sorted is the input; only a few nouns name what it is sorted by.
        name = ""
    span = Span(match.start(), end + text.startswith(".", end) * (kind == "list"))
    return Choice(
        name,
        enum(values),
        span,
        _source(document, match, f"“{kind}”"),
        asks=kind != "whether",
        bare=kind == "list" and _stands_alone(text, span),
    )


def _of_leads(document: PromptText) -> Iterator[Choice]:
    """The lists of labels that are read by what leads to them."""
    for chosen in chosen_lists(document):
        source = f"list in the prose, line {document.line(chosen.span.start)}"
        yield Choice(chosen.name, enum(list(chosen.values)), chosen.span, source)
    for head, values, span in table_labels(document):
        source = f"table in the prose, line {document.line(span.start)}"
        yield Choice(_name(head), enum(values), span, source)
    for known in subject_lists(document):
        source = f"list in the prose, line {document.line(known.span.start)}"
        yield Choice(
            known.name, enum(list(known.values)), known.span, source, asks=False, noun=known.noun, many=known.many
        )


def _stands_alone(text: str, span: Span) -> bool:
    """Whether a list is a sentence or lines of its own, that nothing near it points at."""
    before, after = text[max(0, span.start - 120) : span.start], text[span.end : span.end + 120]
    begins = not before.strip() or before.rstrip(" \t")[-1] in f"\n.!?{BOUNDARY}"
    return begins and not _POINTS.search(before) and not _POINTS.search(after)


def _lists(document: PromptText) -> Iterator[Choice]:
    text = document.text
    for match in scan(_GROUP, text):
        values = [
            part.strip() for part in re.split(r"\([^()]*\)(?:\s*(?:,|and|or)\s*)*", match["list"]) if part.strip()
        ]
        values = [re.sub(r"^(?:and|or)\s+", "", value) for value in values]
        yield Choice(
            _name(match["noun"]),
            enum(values),
            Span(*match.span()),
            _source(document, match, "list"),
            asks=bool(match["asks"]),
        )
    if by_number := _BY_NUMBER.search(text):
        for match in scan(_OPTIONS, text):
            options = [int(number) for number in re.findall(r"(?m)^[ \t]*\(?(\d+)", match["items"])]
            if options == list(range(1, len(options) + 1)):
                values = [str(option) for option in options]
                yield Choice("", enum(values), Span(*by_number.span()), _source(document, by_number, "numbers"))
    for pattern, kind in (
        (_LETTERED, "letters"),
        (_QUOTED_LINES, "quoted"),
        (_BULLETED, "bullets"),
        (_INDENTED, "lines"),
    ):
        for match in scan(pattern, text):
            lines = [line for line in match["items"].splitlines() if line.strip()]
            if kind == "bullets":
                lines = [line for line in lines if _BULLET.match(line)]  # the others go on
            values = [value for line in lines if (value := _line_label(line, kind))]
            complete = len(values) == len(lines)
            if kind == "bullets" and not re.search(
                r"one of|choose|categor|label|class|intent|option|^(?:allowed|possible|valid)\b|^#",
                match["lead"],
                re.IGNORECASE,
            ):
                continue
            if len(values) < 2 or not complete or len(set(values)) < len(values) or CONDITION.search(match["lead"]):
                continue
            span = Span(match.start("lead"), match.end())
            yield Choice(
                _noun_of_lead(match["lead"]),
                enum(values),
                span,
                _source(document, match, "list"),
                asks=kind in ("letters", "quoted"),
                bare=kind == "lines" and _stands_alone(text, span) and not _MORE_SAID.search(match["lead"]),
            )


def _line_label(line: str, kind: str) -> str | None:
    line = line.strip()
    if not line:
        return None
    if kind == "letters":
        return line.lstrip("(")[:1]
    if kind == "quoted":
        match = re.match(r"(?:[-*]\s+)?[\"']([^\"']+)[\"']", line)
        return match[1] if match else None
    body = re.sub(r"^(?:[-*•]|\d+[.)])\s+", "", line).rstrip(",").strip()
    if kind == "bullets":
        # "billing: questions about invoices" is the label billing; a sentence is not a label.
        body = re.split(r"\s*(?::|\s[–—-]\s|\(|→|[-=]>)", body, maxsplit=1)[0].strip("*`\"' .")
        if len(body.split()) > 4:
            return None
    else:
        body = re.split(r"\s[–—-]\s", body, maxsplit=1)[0]
    body = body.strip("\"'`")
    return body if body and MASK not in body else None


def _noun_of_lead(lead: str) -> str:
    if stated := re.match(
        r"(?:allowed|possible|valid) (?P<noun>\w+)(?: values| options| labels)?\W*\Z", lead, re.IGNORECASE
    ):
        return _name(stated["noun"])
    match = re.search(
        r"\b(categor(?:y|ies)|labels?|intents?|classes|topics?|sentiments?|teams?|types?|levels?|languages?|departments?|verdicts?|severit(?:y|ies)|priorit(?:y|ies)|status(?:es)?|outcomes?|decisions?|buckets?|queues?)\b",
        lead,
        re.IGNORECASE,
    )
    return _name(match[1]) if match else ""


# A bracket beside a label explains it; one within its quotation marks is a part of it.
_ASIDES = re.compile(r"(?P<quoted>\"[^\"\n]*\"|“[^”\n]*”|`[^`\n]*`)|\s*\([^()\n]*\)|\*\*")
_COUNTED = re.compile(r"(?:exactly|only|one|a single|each|every) [A-Za-z]", re.IGNORECASE)
_LONGEST_LABEL = 4
_LONGEST_QUOTED = 8


_RUN = re.compile(
    rf"\s*{QUOTE}{INNER}+?{CLOSE}(?:\s*(?:,\s*(?:or|and)\b|,|/|\||\bor\b|\band\b)\s*{QUOTE}{INNER}+?{CLOSE})+"
)


def labels(text: str) -> list[str]:
    """The labels of an inline list; empty if a part of it is not a label."""
    if MASK in text:
        return []
    quoted = re.findall(rf"{QUOTE}({INNER}+?){CLOSE}", text)
    run = _RUN.match(text) if len(quoted) > 1 else None
    if (
        run
        and re.match(r"\s+(?:and|with|for|while|but)\b", text[run.end() :])
        and not re.search(QUOTE, text[run.end() :])
    ):
        text = run[0]  # '"now" or "later" and how far it is'
    longest = _LONGEST_QUOTED if quoted else _LONGEST_LABEL
    if quoted and re.fullmatch(rf"(?:{QUOTE}{INNER}+?{CLOSE}|[\s,/|]|\bor\b|\band\b)+", text):
        # American punctuation: "Not moved." with the stop of its sentence.
        parts = [part.rstrip(".,;") if len(part) > 1 else part for part in quoted]
    else:
        parts = _parts(text.strip())
        parts = [part.strip().strip("\"'`“”‘’") for part in parts]
    if any(_COUNTED.match(part) or DATE_FORM.fullmatch(part) for part in parts):
        return []  # "into exactly one kind and one part" names no labels
    letters = all(re.fullmatch(r"[A-Z]", part) for part in parts)  # "A" is one of them, and no article
    if any(not part or (part.lower() in _STOP and not letters) or len(part.split()) > longest for part in parts):
        return []
    return list(dict.fromkeys(parts))


def _parts(text: str) -> list[str]:
    """The parts of a list; where commas divide, "Sci/Tech" and "Food and Drink" before the last one are one."""
    if "," not in text:
        return re.split(r"\s*[/|]\s*|\s+or\s+|\s+and\s+", text)
    *first, last = re.split(r"\s*,\s*", text)
    if joined := re.match(r"(?:or|and)\s+", last):
        return [*first, last[joined.end() :]]
    return [*first, *re.split(r"\s+(?:or|and)\s+", last)]


def enum(values: list[str]) -> dict[str, Any]:
    """A schema of these labels; whole numbers become integers."""
    if all(re.fullmatch(r"-?[1-9]\d{0,8}|0", value) for value in values):
        return {"type": "integer", "enum": [int(value) for value in values]}
    return {"type": "string", "enum": values}


def _name(noun: str | None) -> str:
    name = field_name(noun or "")
    if name in _MEANINGLESS or not name:
        return ""
    if name in _NAME_OF:
        return _NAME_OF[name]
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _last_noun(what: str) -> str:
    """``the overall sentiment of the review`` is about the sentiment."""
    head = re.split(r"\b(?:of|in|for|from|by|expressed|about|below|above)\b", what.strip())[0]
    words = re.findall(r"[A-Za-z_]+", head)
    return words[-1] if words else ""


def _source(document: PromptText, match: re.Match[str], kind: str) -> str:
    return f"{kind} in the prose, line {document.line(match.start('list') if 'list' in match.groupdict() else match.start())}"
