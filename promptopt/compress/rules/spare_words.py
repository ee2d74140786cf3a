"""PO405: words that a note leaves out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import ClassVar

from promptopt.compress.document import Document
from promptopt.compress.edit import Edit, Level
from promptopt.compress.rules.by_sentence import by_sentence
from promptopt.compress.rules.wording import governed, replacements
from promptopt.compress.sentences import Sentence

_NOUN = (
    r"(?:text|context|input|question|query|information|content|data|document|article|code|conversation|transcript|"
    r"topic|task|tools?|instructions?|examples?|schema|format|answer|answers|metric|evaluation metric|criteria|"
    r"guidelines|steps|rules|message|file|files|summary|description|prompt|sources?|image|table|list|sentence|passage)"
)
_WORDS = (
    # "Use the following format:": the colon says that it follows.
    re.compile(
        r"(?<![\w'’-])the following(?=\s+[a-z][^.:;\n\ue000]{0,60}:[ \t*]*(?:\n|\Z))|(?<=[a-z)] )as follows(?=:)",
        re.IGNORECASE,
    ),
    # "Use the provided context", "the context provided": there is no other.
    re.compile(rf"(?<=\bthe )(?:given|provided)(?=\s+{_NOUN}\b)", re.IGNORECASE),
    re.compile(rf"(?P<kept>\b{_NOUN} )(?:given|provided)(?=\s*[.,;:)]|\s*\Z)", re.IGNORECASE),
    re.compile(r"(?<=\w )also(?=\s+[a-z])|\AAlso,?(?=\s+[a-z])", re.IGNORECASE),
    # "20 of the most surprising ideas".
    re.compile(r"(?<=\d )of(?=\s+(?:the\s+)?(?:most|best|top|least|largest|smallest|biggest|strongest|key)\b)", re.IGNORECASE),
    re.compile(
        r"(?<=[a-z)] )(?:has|have|had)\s+been(?=\s+(?:\w{2,}ed|given|shown|written|taken|made|found|built|done|sent|set)\b)",
        re.IGNORECASE,
    ),
    re.compile(r"(?<=\bwhen )you(?:['’]re|\s+are)(?=\s+\w+ing\b)|(?<=\bwhile )you(?:['’]re|\s+are)(?=\s+\w+ing\b)", re.IGNORECASE),
    re.compile(r"(?<=\w )(?<!\bof )(?:their|its)(?=\s+[a-z])(?!\s+own\b)"),
)
# "the user's question": a noun before a noun says whose.
_POSSESSIVE = re.compile(
    r"(?<![\w'’-])(?!(?:it|that|what|let|he|she|who|there|here|where|how|when|one|else|today)['’])[a-z]{3,}(?P<s>['’]s)(?=\s+[a-z])"
    r"(?!\s+(?:not|a|an|the|been|going|own)\b)"
)
_RANGE = re.compile(r"(?<![\w.,-])(?P<low>\d{1,4})(?: to | - | – )(?P<high>\d{1,4})(?![\w-]|[.,]\d)")
_AND_OR = re.compile(r"\band/or\b")
_BASED = re.compile(r"(?<=\w )based\s+on(?=\s+\S)")
# Without "of", "any of them" is nothing: only before what carries its own noun.
_PARTITIVE = re.compile(r"(?:(?<=\ball )|(?<=\bboth )|(?<=\bany )|(?<=\bsome )|(?<=\bmany ))of(?=\s+(?:the|your)\s)", re.IGNORECASE)


class SpareWords:
    """``Use the following format:`` becomes ``Use format:``, ``answer based on the given text`` ``answer per text``."""

    code: ClassVar[str] = "PO405"
    name: ClassVar[str] = "spare words"
    reason: ClassVar[str] = "a note leaves them out, and its reader misses nothing"
    level: ClassVar[Level] = "telegraphic"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            for pattern in _WORDS:
                for edit in replacements(
                    document, sentence, pattern, _without, self.code, lambda old, _: f"{old!r} can go"
                ):
                    # What a limit, a duty or a restriction speaks of stays as it is.
                    if not governed(document, sentence, edit.start):
                        yield edit
            yield from self._shorter(document, sentence, _POSSESSIVE, lambda match: match[0][: -len(match["s"])])
            yield from self._shorter(document, sentence, _RANGE, _range)
            yield from self._shorter(document, sentence, _AND_OR, lambda _: "or")
            yield from replacements(
                document, sentence, _BASED, lambda _: "per", self.code, lambda old, new: f"{old!r}: write {new!r}"
            )
            yield from replacements(
                document, sentence, _PARTITIVE, lambda _: "", self.code, lambda old, _: f"{old!r} can go", near_negations=True
            )

    def _shorter(
        self, document: Document, sentence: Sentence, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str | None]
    ) -> Iterable[Edit]:
        return replacements(
            document, sentence, pattern, new, self.code, lambda old, new: f"{old!r}: write {new!r}", near_negations=True
        )


def _range(match: re.Match[str]) -> str | None:
    return f"{match['low']}-{match['high']}" if int(match["low"]) < int(match["high"]) else None


def _without(match: re.Match[str]) -> str:
    return match.groupdict().get("kept", "").rstrip()
