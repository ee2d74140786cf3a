"""What stands in a list of a prompt beside words that were read: an item of the same list that nobody read.

It knows nothing of labels and keys: only signs that join the items of a list, in one line or one below the other.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Sequence

from promptopt.structured.fields import MASK

_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’"}
_OPEN = r"(?:the |an? |its )?[\"'`*_“‘(\[<{]*"
_SHUT = r"[\"'`*_”’)\]>}]*"
_JOIN = r"(?:,\s*(?:or|and)\b|,|;|/|\||\bor\b|\band\b|\bvs\.?\b|&)"
_SEP = rf"{_SHUT}\s*(?P<join>{_JOIN})\s*{_OPEN}"
_ITEM = r"(?P<item>[^\s,;/|\"'`()\[\]<>{}.:=][^,;/|\n\"'`()\[\]<>{}:=]{0,40}?)"
_BETWEEN = re.compile(
    rf"{_SEP}{_ITEM}(?:{_SHUT}\s*{_JOIN}\s*{_OPEN}[^,;/|\n\"'`]{{1,40}}?)*{_SHUT}\s*{_JOIN}\s*{_OPEN}", re.IGNORECASE
)
_AFTER = re.compile(rf"{_SEP}{_ITEM}(?={_SHUT}\s*(?:[,;/|.\n()\]>}}?]|\bor\b|\Z))", re.IGNORECASE)
# "food, service and price say how": the last one of a list ends with its word
_LAST = re.compile(rf"{_SHUT},?\s*(?P<join>and)\s+{_OPEN}(?P<item>[A-Za-z]\w*)", re.IGNORECASE)
_INTRO = r"(?:\b(?:one of|any of|either|as|from|is|be|are|into|with|between|among|choose|select|return|output|answer|say|values?|labels?|categories|options|classes|types|has|have|keys|fields|with)\b(?:\W+(?:the |these |this )?(?:following|values|labels|options|categories))?\W*|[:(\[<{]\s*)"
_BEFORE = re.compile(
    rf"{_INTRO}[\"'`*_“‘(\[<{{]*(?P<item>[A-Za-z0-9][\w+-]*(?: [\w+-]+){{0,2}}?){_SHUT}\s*(?P<join>,|/|\||\bor\b|;)\s*{_OPEN}\Z",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\s*\([^()\n]*\)")
# What comes after a list and is no item of it.
_GOES_ON = frozenset(
    """in with as without no nothing only please and but depending based where if when for to the each then not using return otherwise which
    that this it is are do just exactly respectively whichever according etc e.g i.e while so nor because plus must should an a your you
    followed along on at by before after unless else write give output provide use else's whatever whether their its them all any both
    one other's explain describe summarize summarise list return say rate score classify decide how why what who""".split()  # noqa: SIM905 - read as words
)
_MOST_WORDS = 4


def beside_in_line(
    line: str, items: Collection[str], *, closed_by_and: bool = False, one: bool = False
) -> Iterator[str]:
    """What a line lists between the items, before the first one and after the last.

    Args:
        closed_by_and: Whether "and" joins items, as it does names of keys; labels are joined by "or".
        one: Whether one item is enough to be sure that the line lists such things.
    """
    places = _places(line, items)
    if not places:
        return
    for (_, end), (start, _) in itertools.pairwise(places):
        yield from _between(line[end:start], _quote_at(line, start))
    quote = _quote_at(line, places[0][0])
    if quote:
        yield from _quoted_ends(line, places, quote)
        return
    for group in _lists(line, places):
        several = len(group) > 1 or one
        yield from _after(line, group, closed_by_and=closed_by_and, several=several)
        head = line[: group[0][0]]
        before = _BEFORE.search(head)
        if before and _is_item(before["item"]) and (several or before["join"] in ("/", "|")):
            yield before["item"].strip()
        elif one and closed_by_and and (joined := _AND_BEFORE.search(head)):
            yield joined["item"]


_JOINED = re.compile(rf"{_SHUT}\s*{_JOIN}\s*{_OPEN}", re.IGNORECASE)


def _lists(line: str, places: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """The places in runs that nothing but signs of a list, or another item of it, is between."""
    group = [places[0]]
    for place in places[1:]:
        gap = _ASIDE.sub("", line[group[-1][1] : place[0]])
        if _JOINED.fullmatch(gap) or _BETWEEN.fullmatch(gap):
            group.append(place)
        else:
            yield group
            group = [place]
    yield group


_AND_BEFORE = re.compile(rf"(?<![\w-])(?P<item>[A-Za-z]\w*){_SHUT} and {_OPEN}\Z")
_SHORT_GAP = 30


def _between(gap: str, quote: str) -> Iterator[str]:
    if quote:
        yield from _quoted_in(gap, quote)
    elif (between := _BETWEEN.fullmatch(_ASIDE.sub("", gap))) and _is_item(between["item"]):
        yield between["item"].strip()


def _quoted_ends(line: str, places: Sequence[tuple[int, int]], quote: str) -> Iterator[str]:
    """Words in the same quotation marks before the first item and after the last one."""
    shut = _QUOTES[quote]
    token = rf"{re.escape(quote)}(?P<item>[^{re.escape(quote + shut)}\n]{{1,40}}){re.escape(shut)}"
    start, end = places[0][0], places[-1][1]
    if before := re.search(rf"{token}\s*(?:\([^()\n]*\))?\s*{_JOIN}\s*\Z", line[: start - 1], re.IGNORECASE):
        yield before["item"]
    rest = _ASIDE.sub("", line[end + 1 :], count=1)
    if after := re.match(rf"\s*{_JOIN}\s*{token}", rest, re.IGNORECASE):
        yield after["item"]


def _after(line: str, places: Sequence[tuple[int, int]], *, closed_by_and: bool, several: bool) -> Iterator[str]:
    """The item after the last one that is known, if the list goes on."""
    rest = _ASIDE.sub("", line[places[-1][1] :], count=1)
    after = _AFTER.match(rest) or (_LAST.match(rest) if closed_by_and and len(places) > 1 else None)
    sharp = after is not None and after["join"] in ("/", "|")
    if after is None or not _is_item(after["item"], sharp=sharp):
        return
    last = _ASIDE.sub("", line[places[-2][1] : places[-1][0]]) if len(places) > 1 else ""
    closed = len(last) < _SHORT_GAP and re.search(r"\b(?:or|and)\b", last) is not None
    join = after["join"].lower().strip()
    goes_on = (
        join in ("/", "|")
        or (join.endswith("or") and (several or join == "or"))
        or (join.endswith("and") and (closed_by_and or (len(places) > 1 and last.strip() == ",")))
        or (join == "," and several and not closed)
    )
    if goes_on:
        yield after["item"].strip()


def _places(line: str, items: Collection[str]) -> list[tuple[int, int]]:
    """Where the items are, longest first, none within another."""
    found: list[tuple[int, int]] = []
    for item in sorted(items, key=len, reverse=True):
        for match in re.finditer(rf"(?<![\w-]){re.escape(item)}(?![\w-])", line):
            if not any(match.start() < end and start < match.end() for start, end in found):
                found.append(match.span())
    return sorted(found)


def _quote_at(line: str, start: int) -> str:
    before = line[start - 1 : start] if start else ""
    return before if before in _QUOTES else ""


def _quoted_in(gap: str, quote: str) -> Iterator[str]:
    """Words in the same quotation marks in a gap between two items: in a list, or each with its case."""
    shut = _QUOTES[quote]
    # The gap begins with the mark that ends the item before it and ends with the one that opens the next.
    inner = gap[1:-1] if gap.startswith(shut) else gap[:-1]
    token = rf"{re.escape(quote)}(?P<item>[^{re.escape(quote + shut)}\n]{{1,40}}){re.escape(shut)}"
    follows = r"[*_]*\s*(?:[,;/|(:=–—-]|\bor\b|\band\b|\bif\b|\bwhen\b|\bfor\b|\bmeans\b|→)"
    for match in re.finditer(token + f"(?={follows})", inner, re.IGNORECASE):
        if len(match["item"].split()) <= _MOST_WORDS:
            yield match["item"]


def _is_item(text: str, *, sharp: bool = False) -> bool:
    """Whether a few words are an item of a list; after a bar or a slash any word is."""
    words = text.lower().split()
    return bool(words) and len(words) <= _MOST_WORDS and (sharp or words[0] not in _GOES_ON) and MASK not in text


_LINE = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?P<mark>[-*•+]|\d{1,2}[.)]|\(?[A-Za-z][.)]|\||#{1,6})[ \t]+)?(?P<open>[\"'`*_“\[(<]*)(?P<head>[^\n]*)$"
)
_HEAD_END = re.compile(r"[\"'`*_”\])>]*\s*(?:[:=(→|–—]|\s-\s|\bif\b|\bwhen\b|\bmeans\b|\Z)")


def _head(line: str) -> tuple[tuple[int, str, str], str] | None:
    """How a line begins, and its head up to a colon, a dash or a bracket; ``None`` for an empty line."""
    match = _LINE.match(line)
    if match is None or not match["head"].strip():
        return None
    if not match["mark"] and match["head"].rstrip(" *_").endswith(":"):
        return None  # it leads to the list
    mark = match["mark"] or ""
    kind = "1" if mark[:1].isdigit() else "a" if mark.strip("().").isalpha() else mark
    end = _HEAD_END.search(match["head"])
    head = match["head"][: end.start()] if end else match["head"]
    opened = match["open"][:1] if match["open"][:1] in ('"', "'", "`", "“", "*") else ""
    return (len(match["indent"].expandtabs(4)), kind, opened), head.strip(" \"'`*_“”.,;")


def beside_in_lines(text: str, line: int, items: Collection[str], least: int = 2) -> Iterator[str]:
    """Heads of the other items of a list that has items one below the other.

    Args:
        line: A line that has one of them, counted from 1.
        least: How many of the items the list has, for it to be theirs.
    """
    lines = text.split("\n")
    own = _head(lines[line - 1])
    if own is None or own[1] not in items:
        return
    heads = [own[1], *_run(lines, range(line - 2, -1, -1), own[0]), *_run(lines, range(line, len(lines)), own[0])]
    known = sum(head in items for head in heads)
    if known < min(least, len(items)):
        return
    for head in heads:
        if head not in items and 0 < len(head.split()) <= _MOST_WORDS and MASK not in head and set(head) - set("-=:| "):
            yield head


def _run(lines: Sequence[str], order: range, kind: tuple[int, str, str]) -> Iterator[str]:
    """The heads of the lines of one kind that follow each other; what is further in belongs to the item above."""
    empty = 0
    for number in order:
        found = _head(lines[number])
        if found is None:
            empty += 1
            if empty > 1 or not kind[1]:
                return
            continue
        (indent, mark, opened), head = found
        if indent > kind[0]:
            continue
        if not kind[1] and len(head.split()) > _MOST_WORDS:
            return
        if (indent, mark, opened) != kind:
            return
        empty = 0
        yield head


def beside_in_options(text: str, line: int, items: Collection[str]) -> Iterator[str]:
    """Letters or numbers of the other options of a list whose marks are the items: ``(A) ...``, ``2. ...``."""
    lines = text.split("\n")
    option = re.compile(r"^[ \t]*\(?(?P<mark>[A-Z]|\d{1,2})[.):][ \t]")
    own = option.match(lines[line - 1])
    if own is None or own["mark"] not in items:
        return
    for step in (-1, 1):
        number, skipped = line - 1 + step, 0
        while 0 <= number < len(lines) and skipped <= 1:
            found = option.match(lines[number])
            if found and found["mark"] not in items:
                yield found["mark"]
            skipped = 0 if found else skipped + 1
            number += step


def same_lead(text: str, line: int, items: Collection[str]) -> Iterator[str]:
    """What other lines have after the same words with a colon: ``VERDICT: A`` and ``VERDICT: TIE``."""
    lines = text.split("\n")
    own = next(
        (
            match
            for item in items
            if (
                match := re.match(
                    rf"(?P<lead>\W*\w[^:\n]{{0,40}}:\s*){_OPEN}{re.escape(item)}{_SHUT}[.,]?\s*(?:\(.*\))?\s*\Z",
                    lines[line - 1],
                )
            )
        ),
        None,
    )
    if own is None:
        return
    for other in lines:
        match = re.match(
            rf"{re.escape(own['lead'])}{_OPEN}(?P<item>\w[\w -]{{0,30}}?){_SHUT}[.,]?\s*(?:\(.*\))?\s*\Z", other
        )
        if match and match["item"] not in items and len(match["item"].split()) <= _MOST_WORDS:
            yield match["item"]
