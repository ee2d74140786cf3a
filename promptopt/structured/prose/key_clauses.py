"""The clauses of a prompt that have a key of its form for their subject, and what each says of it up to the next key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from promptopt.structured.fields import PromptText, Span

CLAUSE = re.compile(r"[^;.!?\n]*(?:\.(?=\d)[^;.!?\n]*|(?<=\be\.g)\.[^;.!?\n]*)*[.!?;]?")
MARK = r"[ \t>]*(?:(?:[-*•]|\d+[.)])[ \t]+)?[*_]*"
"""The mark of an item, at the begin of a clause."""
_LEADS = r"(?:the|its|their|an?|set|give|assign|and|for|where|with|then|also|estimate|rate)"
_IS = (
    r"(?=[\"'`*_]*\s*(?:[:=(]|[-–—]\s|,?\s*(?:is|are|counts|must|should|shall|has to|needs to|will|can|may|ranges?|runs|goes|between|from \d|on an? |as an?|in (?:the )?(?:range|percent)"
    r"|an? (?:whole |real |decimal )?(?:number|integer|float|decimal|score|percentage)|\d)))"
)
# Of a key that begins a clause: elsewhere "the claim needs" is about a claim.
_NEEDS = r"(?=[\"'`*_]*\s+(?:needs?|has|have|contains?|holds?|consists? of)\b)"
_FOR_KEY = re.compile(
    r"(?:\A[ \t>]*(?:(?:[-*•]|\d+[.)])[ \t]+)?|[,:]\s)for (?:the )?[\"'`*]*(?P<name>[A-Za-z]\w*)[\"'`*]*(?: (?:field|key|value))?,\s+(?:please )?(?:use|specify|provide|give|choose|write|put|set|return|pick|select|output|list)(?: either| only| one of(?: the following)?| exactly)?:?\s+",
    re.IGNORECASE,
)
# Codes below a line that ends with the key
_CODE_LINES = re.compile(
    r"\n(?:[ \t]*(?:[-*•][ \t]+)?-?\d{1,3}[ \t]*(?:=|:|[-–—][ \t])[ \t]*[A-Za-z][^\n]*(?:\n|\Z)){2,}"
)


class KeyClauses:
    """What the clauses of a prompt say of the keys of its form.

    Args:
        names: All keys of the form.
        covered: Where the form itself is: what it shows is in no clause.

    Attributes:
        text: The text, as long as it is, without the form and what only some renderings have.
        clauses: From where to where each clause goes.
    """

    def __init__(self, document: PromptText, names: Iterable[str], covered: Sequence[Span]) -> None:
        self._shown = "\n".join(document.text[span.start : span.end] for span in covered)
        self.text = text = document.masked((*covered, *document.conditional))
        self.clauses = [match.span() for match in CLAUSE.finditer(text) if match[0].strip()]
        subjects = {name: _subject(name) for name in names if re.fullmatch(r"[A-Za-z][\w -]*", name)}
        self._said: dict[str, list[str]] = {}
        self._joint: dict[str, list[str]] = {}
        joined = _joined(list(subjects))
        for start, end in self.clauses:
            if not _of_input(text, start):
                self._read(start, end, subjects, joined)

    def _read(self, start: int, end: int, subjects: Mapping[str, re.Pattern[str]], joined: re.Pattern[str]) -> None:
        """Keeps what a clause says of each key."""
        text = self.text
        clause = text[start:end]
        found = sorted(
            (match.start("name"), match.end(), name)
            for name, subject in subjects.items()
            for match in subject.finditer(clause)
        )
        for number, (_, after, name) in enumerate(found):
            stop = next((begin for begin, _, other in found[number + 1 :] if other != name), end - start)
            said = text[start + after : start + stop]
            if lines := _CODE_LINES.match(text, end) if said.strip(" *_\"'`") == ":" else None:
                said += ", ".join(lines[0].split("\n"))
            self._said.setdefault(name, []).append(said)
        for match in _FOR_KEY.finditer(clause):
            if match["name"] in subjects:
                # "For size, use: small or large" says what "size: small or large" does.
                self._said.setdefault(match["name"], []).append(f": {text[start + match.end() : end]}")
        for match in joined.finditer(clause):
            for name in subjects:
                if re.search(rf"(?<!\w){words_of(name)}(?!\w)", match["list"], re.IGNORECASE):
                    self._joint.setdefault(name, []).append(text[start + match.end() : end])

    def said_of(self, name: str, *, alone: bool = False) -> Sequence[str]:
        """What each clause says that has a key for its subject, after its name.

        Args:
            alone: Not what is said of several keys at once.
        """
        said = self._said.get(name, [])
        return said if alone else [*said, *(one for one in self._joint.get(name, ()) if one not in said)]

    @property
    def marks_texts(self) -> bool:
        """Whether the form has a text in quotation marks as some key's value, so that a bare word is none."""
        return re.search(r"[\"']\s*:\s*[\"“]", self._shown) is not None

    def null_beside_number(self, name: str) -> bool:
        """Whether the form shows null as a key's value, and a number as that of the key before or after it."""
        shown_null = rf"[\"']{re.escape(name)}[\"']\s*:\s*null\s*"
        before = rf":\s*-?\d[\d.]*\s*,\s*{shown_null}[,}}]"
        after = rf"{shown_null},\s*[\"'][\w ]+[\"']\s*:\s*-?\d"
        return re.search(rf"{before}|{after}", self._shown) is not None

    def shown(self, name: str, pattern: str) -> list[str]:
        """What the form shows as the values of a key, as far as a pattern goes."""
        return re.findall(rf"[\"']{re.escape(name)}[\"']\s*:\s*({pattern})", self._shown)


_ITEM = re.compile(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]")
# "Look for these signals:", and below it words of the input
_SIGNALS = re.compile(
    r"\b(?:look(?:ing)? (?:out )?for|search for|watch for|scan for|patterns?|signals?|indicators?|hints?|clues|key ?words?|markers|red flags)\b[^\n]*:\W*\Z",
    re.IGNORECASE,
)


def _of_input(text: str, start: int) -> bool:
    """Whether a clause is an item of a list of what may be found in the input."""
    begin = text.rfind("\n", 0, start) + 1
    if not _ITEM.match(text, begin):
        return False
    lead = next((line for line in reversed(text[:begin].splitlines()) if line.strip() and not _ITEM.match(line)), "")
    return _SIGNALS.search(lead) is not None


def _joined(names: Sequence[str]) -> re.Pattern[str]:
    """Where a clause speaks of several keys at once: "start and end are ..."."""
    if not names:
        return re.compile(r"(?!)")
    one = rf"[\"'`*]*(?:{'|'.join(words_of(name) for name in sorted(names, key=len, reverse=True))})[\"'`*]*"
    return re.compile(
        rf"(?:\A{MARK}|[,(]\s*|\b(?:{_LEADS}|both)\s+)(?P<list>{one}(?:\s*(?:,\s*(?:and |or )?|and |or |& |/ ?)\s*{one})+)(?!\w)(?:\s+(?:both|each|all))?{_IS}(?:\s*(?:are|is) (?:both|each|all)\b)?",
        re.IGNORECASE,
    )


def words_of(name: str) -> str:
    """A pattern of a key as prose writes it: ``matchScore`` is "match score"."""
    return r"[ _-]?".join(map(re.escape, re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name) or [name]))


def _subject(name: str) -> re.Pattern[str]:
    """Where a clause speaks of a key: in marks, spelled as no word is, or as a word of which something is said."""
    own = re.escape(name)
    words = words_of(name)
    # "Routes are A (train) and B (bus)"
    plural = rf"{words.removesuffix('y')}(?:ies|es|s)(?=[\"'`*_]*\s*(?::|are\b))"
    spelled = rf"|(?<![\w\"'`])(?P<name3>{own})(?!\w)" if re.search(r"_|[a-z][A-Z]", name) else ""
    pattern = rf"[\"'`*](?P<name2>{own})[\"'`*]+(?!\s*:\s*[\[{{\"'])|(?:\A{MARK}|[,(]\s*|\b{_LEADS}\s+)(?P<name4>{words}|{plural})(?: (?:score|level|rating|value|field))?(?!\w){_IS}{spelled}|\A{MARK}(?:the\s+)?(?P<name5>{words}){_NEEDS}"
    # One group for all: where the name begins.
    return re.compile(rf"(?P<name>(?=.))(?:{pattern})", re.IGNORECASE)
