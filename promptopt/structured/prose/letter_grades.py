"""Letters that a form shows as a span, ``"grade": "A-F"``, where the prompt says what each of them means."""

from __future__ import annotations

import re

_SPAN = re.compile(r"(?P<first>[A-Z])(?:\s?[-–]\s?|\s(?:to|through)\s)(?P<last>[A-Z])")
# "A = 90 to 100", "- B: usable"
_LINE = re.compile(
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


_CODE = re.compile(r"(?P<stem>[A-Z]{1,3}-?)(?P<number>\d)")


def codes_beside(shown: str, text: str) -> list[str]:
    """The codes that a text names beside one that a form shows, ``P2``: P1 to P4 if it has each of them; else empty."""
    code = _CODE.fullmatch(shown.strip())
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
        head = _LINE.match(line)
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
