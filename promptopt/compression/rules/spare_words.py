"""PO405: words that a note leaves out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.copulas import NOT_AFTER, acts
from promptopt.compression.rules.wording import governed, plain, replacements


@dataclass(frozen=True)
class _Spare:
    """Words to look for, and what is left of them.

    Attributes:
        needles: In lower case; a sentence that holds none of them need not be searched.
        careful: Whether what a limit, a negation, a duty or a restriction speaks of is left as it is.
    """

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    new: Callable[[re.Match[str]], str | None] = lambda _: ""
    careful: bool = False


_NO_OWNER = frozenset(
    "it that what let he she who there here where how when one else today everyone someone anyone nobody".split()  # noqa: SIM905 - read as words
)


def _owner(match: re.Match[str]) -> str | None:
    return None if match["owner"].lower() in _NO_OWNER else match["owner"]


def _auxiliary(match: re.Match[str]) -> str | None:
    before, behind = match.string[: match.start()], match.string[match.end() :].lstrip()
    return None if NOT_AFTER.search(before) or acts(before, behind) else ""


_IS = re.compile(r"\b(?:is|are|was|were|be|been|being)(?:\s+\w+)?\s*\Z", re.IGNORECASE)


def _per(match: re.Match[str]) -> str | None:
    return None if _IS.search(match.string[: match.start()]) else "per"


_NOUN = (
    r"(?:text|context|input|question|query|information|content|data|document|article|code|conversation|transcript|"
    r"topic|task|tools?|instructions?|examples?|schema|format|answer|answers|metric|evaluation metric|criteria|"
    r"guidelines|steps|rules|message|file|files|summary|description|prompt|sources?|image|table|list|sentence|passage)"
)
_SPARE = (
    # "Use the following format:": the colon says that it follows.
    _Spare(
        ("follow",),
        re.compile(
            r"(?<![\w'’-])(?<!\bby )(?:the )?following(?=\s+[a-z][^.:;\n\ue000]{0,60}:[ \t*]*(?:\n|\Z))"
            r"|(?<=[a-z)] )as follows(?=:)",
            re.IGNORECASE,
        ),
        careful=True,
    ),
    # "Use the provided context", "the context provided": there is no other.
    _Spare(
        ("given", "provided"),
        re.compile(rf"(?<=\bthe )(?:given|provided)(?=\s+{_NOUN}\b)", re.IGNORECASE),
        careful=True,
    ),
    _Spare(
        ("given", "provided"),
        re.compile(rf"(?P<kept>\b{_NOUN}) (?:given|provided)(?=\s*[.,;:)]|\s*\Z)", re.IGNORECASE),
        lambda match: match["kept"],
        careful=True,
    ),
    _Spare(("also",), re.compile(r"(?<=\w )also(?=\s+[a-z])|\AAlso,?(?=\s+[a-z])"), careful=True),
    # Without "of", "any of them" is nothing: only before what carries its own noun.
    _Spare(
        (" of ",),
        re.compile(
            r"(?:(?<=\ball )|(?<=\bboth ))of(?=\s+(?:the|these|those|your|their)\s)"
            r"|(?:(?<=\bany )|(?<=\bsome )|(?<=\bmany ))of(?=\s+(?:the|your)\s)"
            r"(?!\s+the\s+(?:two|three|four|five|six|\d|first|last|above|following)\b)",
            re.IGNORECASE,
        ),
    ),
    _Spare(
        (" been ",),
        re.compile(
            r"(?<=[a-z)] )(?:has|have|had)\s+been"
            r"(?=\s+(?:\w{2,}ed|given|shown|written|taken|made|found|built|done|sent|set)\b)"
        ),
        _auxiliary,
        careful=True,
    ),
    _Spare(
        ("when you", "while you"),
        re.compile(r"(?:(?<=\b[Ww]hen )|(?<=\b[Ww]hile ))you(?:['’]re|\s+are)(?=\s+\w+ing\b)"),
        careful=True,
    ),
    _Spare(
        ("their ", "its "),
        re.compile(r"(?<=\w )(?<!\bof )(?:their|its)(?=\s+[a-z])(?!\s+(?:own|is|are|was|were|as|and|or)\b)"),
        careful=True,
    ),
    # "the user's question": a noun before a noun says whose.
    _Spare(
        ("'s ", "’s "),
        re.compile(r"(?<![\w'’-])(?P<owner>[a-z]{3,})['’]s(?=\s+[a-z])(?!\s+(?:not|an?|the|been|going|own)\b)"),
        _owner,
        careful=True,
    ),
    _Spare(("and/or",), re.compile(r"\band/or\b"), lambda _: "or"),
    _Spare(("based",), re.compile(r"(?<=\w )based\s+on(?=\s+\S)|\ABased\s+on(?=\s+\S)"), _per, careful=True),
)


class SpareWords:
    """``Use the following format:`` becomes ``Use format:``, ``answer based on the given text`` ``answer per text``."""

    code: ClassVar[str] = "PO405"
    name: ClassVar[str] = "spare words"
    reason: ClassVar[str] = "a note leaves them out, and its reader misses nothing"
    level: ClassVar[Level] = "telegraphic"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            text = plain(document, sentence).lower()
            for spare in _SPARE:
                if not any(needle in text for needle in spare.needles):
                    continue
                for edit in replacements(
                    document, sentence, spare.pattern, spare.new, self.code, _message, near_negations=True
                ):
                    if not (spare.careful and governed(document, sentence, edit.start)):
                        yield edit


def _message(old: str, new: str) -> str:
    return f"{old!r}: write {new!r}" if new else f"{old!r} can go"
