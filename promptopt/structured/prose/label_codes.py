"""Codes that are given for classes: "if the review is fake, respond with 1; if it is genuine, respond with 0", "1 = fake".

The answer is the code and not the name of its class where an order wants nothing but a number or a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptopt.structured.fields import PromptText, Span
from promptopt.structured.prose.coded_lines import coded_lines
from promptopt.structured.prose.wanted_alone import wanted_alone

_WRITE = r"(?:answer|respond|reply|return|output|use|write|give|print|assign|put|mark it)"
_BEFORE = r"(?: (?:with|only|just|a|an|the|number|digit|letter|code|value|as|it))*"
_CODE = r"[\"'`“‘]?(?P<{name}>-?\d{{1,2}}|[A-Z])[\"'`”’]?"
_ENDS = r"(?=\s*(?:[.,;)\n]|\Z|and\b|or\b|\(|otherwise\b|else\b))"
# "If it is fake, respond with 1"
_IF = re.compile(
    rf"\b(?i:if|when|for)\b[^.;\n]{{2,80}}?[ ,:]\s*(?i:then )?(?i:please )?(?i:{_WRITE}{_BEFORE}) {_CODE.format(name='code')}{_ENDS}"
)
# "respond with 1 for fake and 0 for genuine"
_FOR = re.compile(
    rf"\b(?i:{_WRITE}{_BEFORE}) {_CODE.format(name='code')}\s*,? (?i:if|for|when|to mean|to indicate)\b(?P<rest>[^.\n]*)"
)
# "as a number: -1 for negative, 0 for neutral"
_AS_NUMBER = re.compile(
    rf"\b(?i:as (?:an?|one) (?:single )?(?:number|integer|digit|code))\s*[:(–—-]\s*{_CODE.format(name='code')}\s*(?:(?i:for|if|means)\b|=)(?P<rest>[^.\n]*)"
)
_FURTHER = re.compile(
    rf"(?:[,;] ?(?:and |or )?|\band |\bor ){_CODE.format(name='code')}\s*,? (?:if|for|when|to mean|to indicate)\b"
)
_KIND = {"number": r"-?\d+", "digit": r"-?\d", "integer": r"-?\d+", "letter": r"[A-Z]", "code": r"-?\d+|[A-Z]"}
# "(1 or 0)" after the order: if it is there, it names the same codes.
_NAMED = re.compile(r"\((?P<codes>(?:-?\d{1,2}|[A-Z])(?:\s*(?:,|/|,? or)\s*(?:-?\d{1,2}|[A-Z]))+)\)")


@dataclass(frozen=True, slots=True)
class LabelCodes:
    """The codes that stand for the classes of a prompt, in its order."""

    values: tuple[str, ...]
    span: Span


def label_codes(document: PromptText) -> LabelCodes | None:
    """The codes that the answer is one of; ``None`` if the prompt gives none, or wants something else."""
    noun = wanted_alone(document)
    kind = _KIND.get(noun.rpartition(" ")[2]) or (r"-?\d+" if _AS_NUMBER.search(document.text) else None)
    if kind is None:
        return None
    found = sorted(_codes(document.text), key=lambda pair: pair[0])
    if not found:
        return _below_each_other(document, kind)
    values = tuple(dict.fromkeys(code for _, code in found))
    if (
        len(values) < 2
        or not all(re.fullmatch(kind, value) for value in values)
        or len({value.isalpha() for value in values}) > 1
    ):
        return None
    named = [re.findall(r"-?\d+|[A-Z]", match["codes"]) for match in _NAMED.finditer(document.text)]
    if any(set(codes) != set(values) for codes in named):
        return None
    return LabelCodes(values, Span(found[0][0], found[-1][0] + len(found[-1][1])))


# "the number of the matching category", "the option number": the numbers of a list are its codes
_OF_OPTION = re.compile(
    r"\bnumber of (?:the|your|that|its) (?:[\w-]+ ){0,2}?(?:option|categor|class|label|team|department|reason|choice|topic|type|intent|answer|statement|level|group)"
    r"|\b(?:option|category|class|label|team|department|reason|choice|topic|type|intent|answer|statement|level|group)(?:['’]s)? number\b",
    re.IGNORECASE,
)


def _below_each_other(document: PromptText, kind: str) -> LabelCodes | None:
    """The codes of the one run of lines that has such codes: "1 = not at home", "A) Publish"."""
    counted = _OF_OPTION.search(document.text) is not None
    runs = [run for run in coded_lines(document) if all(re.fullmatch(kind, code) for code in run.codes)]
    runs = [
        run for run in runs if (counted or not run.numbered) and not _NO_OPTIONS.search(_lead(document.text, run.span))
    ]
    return LabelCodes(runs[0].codes, runs[0].span) if len(runs) == 1 else None


_NO_OPTIONS = re.compile(
    r"\b(?:steps?|rules?|instructions|guidelines|criteria|tasks?|process|procedure|notes|principles|considerations|questions)\b",
    re.IGNORECASE,
)


def _lead(text: str, run: Span) -> str:
    """The line that is next before a run."""
    return text[: run.start].rstrip().rpartition("\n")[2]


def _codes(text: str) -> Iterator[tuple[int, str]]:
    for match in _IF.finditer(text):
        yield match.start("code"), match["code"]
    for match in (*_FOR.finditer(text), *_AS_NUMBER.finditer(text)):
        yield match.start("code"), match["code"]
        for further in _FURTHER.finditer(text, match.start("rest"), match.end("rest")):
            yield further.start("code"), further["code"]
