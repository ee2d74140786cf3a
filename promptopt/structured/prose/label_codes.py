"""Codes that stand for classes: "respond with 1 if it is fake", options one a line after a letter or number, a span "A-F".

The answer is the code and not the name of its class where an order wants nothing but a number or a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptopt.structured.fields import MASK, PromptText, Span
from promptopt.structured.prose.wanted_alone import wanted_alone

# "A) Publish", "- B. Hide: it is rude", "1 = not at home", "(2) - wrong address", "**3**: parcel damaged"
_LINE = re.compile(
    r"[ \t>]*(?:[-*•][ \t]+)?[*_`\"'(\[]*(?P<code>[A-Z]|-?\d{1,2})[*_`\"']*[ \t]*(?P<sign>[.)\]]|:|=|->|→|[–—]|-(?=[ \t]))[ \t:*_-]*\S.*"
)
_MOST_BLANK = 1
"""Lines that may be between two options."""


@dataclass(frozen=True, slots=True)
class CodedLines:
    """A run of options.

    Attributes:
        codes: Their letters or numbers, in the order of the text.
        numbered: They are numbers that a list has anyhow ("1.", "2)"), and may be steps or criteria.
    """

    codes: tuple[str, ...]
    numbered: bool
    span: Span


def coded_lines(document: PromptText) -> Iterator[CodedLines]:
    """Each run of two options and more whose codes go on without a step back; further lines of an option are indented."""
    run: list[tuple[str, str, Span]] = []
    blank = start = 0
    for line in [*document.text.split("\n"), "\0"]:
        span = Span(start, start + len(line))
        start = span.end + 1
        match = _LINE.fullmatch(line)
        if match and MASK not in line and (not run or _goes_on([code for code, _, _ in run], match["code"])):
            run.append((match["code"], match["sign"], span))
            blank = 0
        elif run and not line.strip() and blank < _MOST_BLANK:
            blank += 1
        elif not (run and line[:2].isspace() and match is None):
            yield from _run(run)
            run = [(match["code"], match["sign"], span)] if match and MASK not in line else []
            blank = 0


def _goes_on(codes: Sequence[str], code: str) -> bool:
    if code.isalpha() or codes[-1].isalpha():
        return code.isalpha() and codes[-1].isalpha() and ord(code) == ord(codes[-1]) + 1
    step = int(code) - int(codes[-1])
    before = int(codes[-1]) - int(codes[-2]) if len(codes) > 1 else step
    return step * before > 0


def _run(run: Sequence[tuple[str, str, Span]]) -> Iterator[CodedLines]:
    if len(run) > 1:
        codes = tuple(code for code, _, _ in run)
        numbered = not codes[0].isalpha() and any(sign in ".)]" for _, sign, _ in run)
        yield CodedLines(codes, numbered, Span(run[0][2].start, run[-1][2].end))


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
        run for run in runs if (counted or not run.numbered) and not NO_OPTIONS.search(lead_of(document.text, run.span))
    ]
    return LabelCodes(runs[0].codes, runs[0].span) if len(runs) == 1 else None


NO_OPTIONS = re.compile(
    r"\b(?:steps?|rules?|instructions|guidelines|criteria|tasks?|process|procedure|notes|principles|considerations|questions)\b",
    re.IGNORECASE,
)


def lead_of(text: str, run: Span) -> str:
    """The line that is next before a run."""
    return text[: run.start].rstrip().rpartition("\n")[2]


def _codes(text: str) -> Iterator[tuple[int, str]]:
    for match in _IF.finditer(text):
        yield match.start("code"), match["code"]
    for match in (*_FOR.finditer(text), *_AS_NUMBER.finditer(text)):
        yield match.start("code"), match["code"]
        for further in _FURTHER.finditer(text, match.start("rest"), match.end("rest")):
            yield further.start("code"), further["code"]


_SPAN = re.compile(r"(?P<first>[A-Z])(?:\s?[-–]\s?|\s(?:to|through)\s)(?P<last>[A-Z])")
# "A = 90 to 100", "- B: usable"
_LETTER_LINE = re.compile(
    r"[ \t]*(?:[-*•][ \t]+)?[*_`\"']*(?P<letter>[A-Z])[*_`\"']*[ \t]*(?:[=:)(–—→]|-[ \t]|means\b|is\b)[ \t]*\S"
)
# "A = fine, B = usable, C = broken"
_BESIDE = re.compile(r"(?<![\w\"'-])(?P<letter>[A-Z])[ \t]*(?:=|:|→|\bmeans\b|\()[ \t]*\S")


def letter_grades(shown: str, text: str) -> list[str]:
    """The letters from the first to the last of a span that the text explains one by one; empty if it does not.

    A letter that the explanation leaves out, such as E, is none of them.
    """
    span = _SPAN.fullmatch(shown.strip())
    if span is None:
        return []
    found = [letters for letters in _explained(text) if {span["first"], span["last"]} <= set(letters)]
    inside = all(span["first"] <= letter <= span["last"] for letters in found for letter in letters)
    same = all(letters == found[0] for letters in found)
    return found[0] if found and inside and same and _are_grades(found[0]) else []


# "Grade from A to E", "a grade between A (best) and D", "(A-E)"
_SAID_SPAN = re.compile(
    r"(?:\b(?:from|between|grades?|letters?|levels?|scale|of)[ (]*|\()(?P<first>[A-H])(?: ?\([^()\n]{1,30}\))?(?: to | through | and | ?[-–] ?)(?P<last>[B-Z])(?![\w'-])"
)
# American grades have no E, and nobody says whether there is one.
_DOUBTFUL = ("A", "F")


def letters_said(shown: str, text: str) -> list[str]:
    """The letters from the first to the last of the one span that a text names or explains, if a form shows one of them."""
    meant = [letters for letters in _explained(text) if shown.strip() in letters]
    if meant and all(letters == meant[0] for letters in meant) and _are_grades(meant[0]) and min(meant[0]) == "A":
        return meant[0]
    spans = {(match["first"], match["last"]) for match in _SAID_SPAN.finditer(text)}
    if not re.fullmatch(r"[A-Z]", shown.strip()) or len(spans) != 1 or _DOUBTFUL in spans:
        return []
    first, last = spans.pop()
    return [chr(code) for code in range(ord(first), ord(last) + 1)] if first <= shown.strip() <= last else []


_CODE_SHOWN = re.compile(r"(?P<stem>[A-Z]{1,3}-?)(?P<number>\d)")


def codes_beside(shown: str, text: str) -> list[str]:
    """The codes that a text names beside one that a form shows, ``P2``: P1 to P4 if it has each of them; else empty."""
    code = _CODE_SHOWN.fullmatch(shown.strip())
    if code is None:
        return []
    named = set(re.findall(rf"(?<![\w-]){re.escape(code['stem'])}(\d)(?![\w-]|\.\d)", text)) | {code["number"]}
    numbers = sorted(map(int, named))
    whole = numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[-1] + 1))
    return [f"{code['stem']}{number}" for number in numbers] if whole and len(numbers) >= _FEWEST else []


_FEWEST = 3


def _are_grades(letters: list[str]) -> bool:
    """Whether letters go one way, each once, and there are enough for a scale."""
    return (
        len(letters) >= _FEWEST
        and len(set(letters)) == len(letters)
        and letters in (sorted(letters), sorted(letters)[::-1])
    )


def _explained(text: str) -> list[list[str]]:
    """The letters of each list that explains some: one a line, or several in a line."""
    found: list[list[str]] = []
    run: list[str] = []
    for line in [*text.splitlines(), "", ""]:
        beside = [match["letter"] for match in _BESIDE.finditer(line)]
        head = _LETTER_LINE.match(line)
        if len(beside) > 1:
            found.append(beside)
        elif head:
            run.append(head["letter"])
            continue
        elif not line.strip() or not run or line.startswith((" ", "\t")):
            continue  # an item goes on, or blank lines are between them
        if len(run) > 1:
            found.append(run)
        run = []
    return [*found, run] if len(run) > 1 else found
