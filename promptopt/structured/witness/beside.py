"""A second reading of what is beside a form: text around its JSON, other forms, and values that are not the answer's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, begin_of
from promptopt.structured.witness.keys import (
    VARIABLE,
    KeyOfSchema,
    form_of,
    keys_of,
    reasons,
    said_once,
    shortened,
    values_shown,
)


def beside(document: PromptText, found: Inferred, *, quoted: bool = False) -> Iterator[str]:
    """What the prompt has beside the form that was read, with its line.

    Args:
        quoted: Whether a quotation proves each value.
    """
    leaves = [leaf for item in found.fields for leaf in keys_of(item.name, item.schema)]
    keyed = found.whole in ("JSON", "keys")
    checks: tuple[tuple[Iterator[str], bool], ...] = (
        (_outside(document), keyed),
        (_begins(document), keyed or (found.whole == "labels" and not quoted)),
        (_begins(document, re.compile(r"[A-Z\d]{4,}")), not found.whole),
        (_begins_with_label(document), keyed),
        (_filled(document, found, leaves), found.whole == "JSON" and not quoted),
        (_own_names(leaves), not quoted),
        (_one_sample(document, found, leaves), found.whole == "JSON"),
        (_objects_listed(document, found), keyed and not found.wrapped),
        (_no_list_wanted(document, found), found.wrapped and not quoted),
        (_tags_left(document, found), found.whole == "labels" or not found.whole),
        (said_once(document, _ELSEWHERE, ": the form is given elsewhere"), keyed),
        (said_once(document, _REPEAT, ": the answer has the form several times"), found.whole == "labels"),
        (_taken(document, found), found.whole == "JSON"),
        (_sample_in_list(document, found, leaves), found.whole == "JSON"),
        (_letters(leaves), keyed),
    )
    return reasons(checks)


_NOT = re.compile(r"\b(?:no|not|never|without|nothing|any|avoid|nor)\b|n['’]t\b", re.IGNORECASE)
_OUTSIDE = re.compile(
    r"\b(?:outside|besides?|in addition to|alongside|before|after|above|below|following|under|underneath|beneath|next to|in front of|around) (?:of )?(?:the|this|your) (?:json|code block|object)\b(?! (?:above|below|format|schema|structure))",
    re.IGNORECASE,
)
_WRITES = re.compile(
    r"\b(?:provide|put|place|write|give|add|include|output|print|append|explain|summari[sz]e|say|state|respond|reply|return)\b",
    re.IGNORECASE,
)


def _outside(document: PromptText) -> Iterator[str]:
    """Text that is to be written outside of the JSON."""
    for match in _OUTSIDE.finditer(document.text):
        begin = begin_of(document.text, match.start(), (". ", "\n", ";", "! "))
        before = document.text[begin : match.start()]
        if _WRITES.search(before) and not _NOT.search(before):
            yield f"line {document.line(match.start())}: {shortened(before + match[0])!r}: the answer has a part beside its JSON"


_BEGINS = re.compile(
    r"\b(?:start|begin|open|preface|precede)\b (?:your|the|each|every) (?:final )?(?:response|answer|reply|output|message)s? (?:with|by)\b(?!\W*(?:json|the json|an? json|\{|\[|<|`|[\"']?[{\[<]|an? (?:opening )?(?:curly )?(?:brace|bracket)|the (?:opening )?(?:curly )?(?:brace|bracket)|yes|no\b|either|one of))[^.\n]*",
    re.IGNORECASE,
)


def _begins(document: PromptText, only: re.Pattern[str] | None = None) -> Iterator[str]:
    """Words that come before the form.

    Args:
        only: What they must have; a bare value may be what the answer begins with.
    """
    for match in _BEGINS.finditer(document.text):
        if only and not only.search(match[0]):
            continue
        begin = document.text.rfind("\n", 0, match.start()) + 1
        if not _NOT.search(document.text, max(begin, match.start() - 30), match.start()):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r} comes before the form"


_MASKED = re.compile(rf"[\[{{]?\s*{MASK}+\s*[\]}},\n]")


_LABEL_FIRST = re.compile(
    r"\b(?:start|begin) (?:(?:your|the) (?:response|answer|reply|output) )?with (?:(?:either|only|the word) )*[\"'`“]?(?:yes|no|true|false|pass|fail)\b[^.\n]{0,30}",
    re.IGNORECASE,
)


def _begins_with_label(document: PromptText) -> Iterator[str]:
    """A label before an object, with which the answer is said to begin."""
    for match in _LABEL_FIRST.finditer(document.text):
        if not _NOT.search(document.text, max(0, match.start() - 30), match.start()):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r} comes before the form"


def _filled(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Values of the form that a variable of the template fills in without quotation marks: their types are unknown."""
    form = form_of(document, found)
    for leaf in leaves:
        if any(values_shown(form, leaf.name, _MASKED)):
            yield f"what {leaf.name!r} holds is in a variable of the template"


# A place names one or two things: of four labels one may be called as its key.
_PLACES = 3


def _own_names(leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A label that is the name of its key: ``[Role/Profession]`` says what belongs there."""
    for leaf in leaves:
        names = {leaf.name.casefold().replace("_", " ")}
        for label in leaf.labels if len(leaf.labels) <= _PLACES else ():
            codes = all(one.isupper() for one in leaf.labels)
            if label.casefold().replace("_", " ") in names and not codes:
                yield f"{label!r} was read as a label of {leaf.name!r}, and is what belongs there"


_KIND = re.compile(
    r"(?:\A|_)(?:verdict|label|class|classification|category|status|decision|sentiment|severity|priority|outcome|judg[e]?ment|stance|level|type|action|intent)\Z",
    re.IGNORECASE,
)


_CAPITALS = re.compile(r"\"([A-Z][A-Z_-]{2,})\"")


def _one_sample(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A kind that the form shows as one word in capitals, which is one of its labels: ``"verdict": "SUPPORT"``."""
    form = form_of(document, found)
    for leaf in leaves:
        if (
            leaf.labelled
            or "string" not in leaf.kinds
            or not _KIND.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", leaf.name))
        ):
            continue
        shown = {match[1] for match in values_shown(form, leaf.name, _CAPITALS)}
        if len(shown - _TYPES) == 1:
            yield f"{leaf.name!r} is shown as {min(shown)!r}: its other labels were not read"


_TYPES = frozenset({"STRING", "TEXT", "DATE", "VALUE", "YYYY-MM-DD", "TODO", "XXX", "NAME", "TITLE", "URL"})
_LISTED = re.compile(
    r"\b(?:lists?|arrays?|sequence|series) of\b[^.;:\n]{0,80}?\b(?:json )?(?:objects|dict(?:ionarie)?s|records|entries)\b|\beach (?:[\w-]+ ){1,3}(?:is|should be|must be|as) (?:a |an |one )?(?:json )?(?:object|dict(?:ionary)?)\b",
    re.IGNORECASE,
)


def _objects_listed(document: PromptText, found: Inferred) -> Iterator[str]:
    """A list of objects that is asked for, if one object without any list was read."""
    if any("'array'" in str(dict(item.schema)) or item.schema.get("type") == "object" for item in found.fields):
        return
    for match in _LISTED.finditer(document.text):
        yield f"line {document.line(match.start())}: {shortened(match[0])!r}: one object was read, and the answer is a list"


_SAYS_LIST = re.compile(r"\b(?:lists?|arrays?|json|output|return)\b", re.IGNORECASE)
_WANTS = re.compile(
    r"\b(?:json|lists?|arrays?|output|return|respond|reply|answer|generate|suggest|extract|provide|format)\b",
    re.IGNORECASE,
)


def _no_list_wanted(document: PromptText, found: Inferred) -> Iterator[str]:
    """A list that is only somewhere in the prompt: no sentence before it or after it wants one."""
    for span in found.covered[:1]:
        line, text = f"line {document.line(span.start)}", document.text
        if not _SAYS_LIST.search(text) or not _WANTS.search(text[max(0, span.start - 600) : span.end + 200]):
            yield f"{line}: no sentence wants the list that is there"


_TAG = re.compile(r"<(?P<name>\d\w*)>[^<\n]*</(?P=name)>")


def _tags_left(document: PromptText, found: Inferred) -> Iterator[str]:
    """Tags beside those that were read, whose names are none of XML's: ``<1hop>``."""
    tagged = any(item.source.startswith("tag ") for item in found.fields)
    for item in found.fields if tagged else ():
        for body in re.finditer(rf"<{item.name}>(?P<body>.*?)</{item.name}>", document.text, re.DOTALL | re.IGNORECASE):
            line = f"line {document.line(body.start())}"
            once = len(re.findall(rf"<{item.name}>", document.text, re.IGNORECASE)) == 1
            if once and len(_ITEMS.findall(body["body"])) > 1 and not re.search(r"[\[<{]|\.\.\.", body["body"]):
                yield f"{line}: <{item.name}> holds a list of the prompt's own, and no part of the answer"
            if _VARIABLE_ONLY.fullmatch(body["body"]):
                yield f"{line}: <{item.name}> holds a value of the prompt's own input"
            elif _INSTRUCTS.search(body["body"]) and not re.search(r"[\[<{]|\.\.\.", body["body"]):
                yield f"{line}: <{item.name}> holds an instruction of the prompt, and no part of the answer"
    if tagged and (left := _TAG.search(document.text)):
        yield f"line {document.line(left.start())}: <{left['name']}> is a part of the answer, and was not read"


_ITEMS = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]", re.MULTILINE)
_VARIABLE_ONLY = re.compile(rf"\s*(?:{VARIABLE.pattern})+\s*|\s*\{{\{{[^{{}}\n]*\}}\}}\s*")
# "Your task is to help.": a whole sentence that speaks to the model
_INSTRUCTS = re.compile(
    r"\b(?:you|your)\b[^.!?\n]{10,}[.!?](?:\s|\Z)|\A\s*(?:Never|Always|Do not|Use|Follow|Help|Fulfill|Choose|Avoid|Keep)\b[^.\n]{15,}\.",
    re.DOTALL,
)
# A form that another message gives.
_ELSEWHERE = re.compile(
    r"\b(?:output|response|answer|reply|json)?\s?(?:format|schema|structure)\b[^.\n]{0,30}\b(?:specified|given|defined|described|provided|requested|stated) (?:in|by|with) the (?:user|system)(?:'s)? (?:prompt|message|request|turn|instructions?)\b",
    re.IGNORECASE,
)
# A form that an answer has several times.
_REPEAT = re.compile(
    r"\b(?:format|form|structure|template)\b[^\n]{0,30}\b(?:repeat(?:ed)?|once) (?:this |it |them )?(?:per|for (?:each|every))\b|\brepeat (?:this|the) (?:format|form|block|structure|template|section)\b",
    re.IGNORECASE,
)
_TAKES = re.compile(
    r"\b(?:accepts?|takes|expects?|consumes?|receives?|reads|loads|parses|POST|GET|PUT|request body|payload)\b[^\n]{0,60}:?\W*\Z"
)


_ANSWERS = re.compile(
    r"\b(?:return|respon[ds]e?|reply|output|answer|generate|format|provide|produce|write|you)\w*\b", re.IGNORECASE
)


def _taken(document: PromptText, found: Inferred) -> Iterator[str]:
    """JSON that something takes as its input: "Accepts a flat object:"."""
    for span in found.covered[:1]:
        lead = (
            re.sub(r"(?:```|~~~)\w*\s*\Z", "", document.text[max(0, span.start - 300) : span.start])
            .rstrip()
            .rpartition("\n")[2]
        )
        if _TAKES.search(lead) and not _ANSWERS.search(lead):
            yield f"line {document.line(span.start)}: the JSON is what is taken in, and not an answer"


_LIST = re.compile(
    r"[\"'`“][\w -]{1,30}[\"'`”](?:\s*\([^()\n]{1,120}\))?(?:\s*(?:,|/|\||,?\s*\bor\b)\s*[\"'`“][\w -]{1,30}[\"'`”](?:\s*\([^()\n]{1,120}\))?)+",
    re.IGNORECASE,
)


_OR = re.compile(r"\bor\b|[/|]", re.IGNORECASE)
_SAMPLES = re.compile(r"\b(?:e\.g|examples?|such as|like|for instance)\b", re.IGNORECASE)


_WORDS = re.compile(r"\[?\s*\"([\w -]{1,30})\"")


def _sample_in_list(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A text whose sample is one of several words in quotation marks in a sentence that has a word of its key."""
    text = document.text
    for span in found.covered:
        text = text[: span.start] + re.sub(r"[^\n]", " ", text[span.start : span.end]) + text[span.end :]
    form = form_of(document, found)
    lists = [
        (match, set(re.findall(r"[\"'`“]([\w -]{1,30})[\"'`”]", match[0])))
        for match in _LIST.finditer(text)
        if _OR.search(match[0]) and not _SAMPLES.search(text, max(0, match.start() - 60), match.start())
    ]
    for leaf in leaves if lists else ():
        if leaf.labelled or leaf.listed or "string" not in leaf.kinds:
            continue
        samples = {match[1] for match in values_shown(form, leaf.name, _WORDS)}
        for match, labels in lists:
            if len(labels) > 1 and samples & labels:
                line = document.line(match.start())
                yield f"line {line}: {min(samples & labels)!r} is shown as {leaf.name!r} and is in a list; its other labels were not read"


_LETTERED = re.compile(r"(?<![\w-])[A-H](?:, [A-H])+,? (?:or )?[A-H]?\b|(?<![\w-])[A-H] or [A-H]\b")


def _letters(leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A text of which the form says that it is one of some letters."""
    for leaf in leaves:
        said = str(leaf.value.get("description", ""))
        if not leaf.labelled and (letters := _LETTERED.search(said)):
            yield f"{shortened(letters[0])!r} is said of {leaf.name!r}, which was read without labels"
