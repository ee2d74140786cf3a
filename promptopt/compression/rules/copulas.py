"""PO402 and PO403: copulas and pronouns that a telegram leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.clauses import AND_THAT
from promptopt.compression.rules.wording import plain, replacements

_PREDICATE = (
    r"\w{2,}(?:ed|ing|ly)|given|shown|written|taken|chosen|known|made|found|built|done|sent|set|lost|met"
    r"|below|above|in|on|at|from|for|of|with|about|within|under|between|per|like"
)
_ADJECTIVE = (
    r"\w{2,}(?:[ai]ble|ful|less|ous|ive|al|ic|[ae]nt|ary|ory|ate)|similar|clear|unclear|correct|incorrect|true|false|ready"
    r"|empty|long|short|good|bad|better|worse|high|low|new|complete|incomplete"
)
_BEFORE_MORE = (
    r"to|in|on|at|for|from|of|with|and|or|by|if|when|that|than|as|but|about|without|within|before|after|because"
)
# Before a noun it stays: "if an entity is a phrase" is not "if entity phrase".
_COPULA = re.compile(
    rf"(?<=[a-z)`] )(?:is|are|was|were)\s+"
    rf"(?=[\d\"`\ue000]|(?:{_PREDICATE})\b|(?:{_ADJECTIVE})\b(?=\s*(?:[.,;:)!?]|\Z)|\s+(?:{_BEFORE_MORE})\b))"
    r"(?!(?:to|it|there|that|this|what|you|not|only|(?:\w+\s+)?based)\b)",
    re.IGNORECASE,
)
_WILL = re.compile(
    r"(?<=[a-z] )will\s+(?=[a-z])"
    r"(?!(?:\w+ )?(?:not|be|have|never|always|only)\b|(?:you|it|they|we|he|she|this|that|the)\b)"
)
_WILL_BE = re.compile(r"(?<=[a-z)] )will\s+be\s+(?=(?:\w{2,}ed|given|shown|written|taken|made|done|sent)\b)")
_ROLE = re.compile(
    r"\AYou(?:['’]re|\s+are)\s+(?=(?:(?:an?|the)\s+)?[A-Za-z\ue000])(?!(?:not|never|only|to|about|going)\b)"
)
NOT_AFTER = re.compile(
    r"\b(?:what|who|which|where|how|there|here|it|that|this|these|those|so|not|if|and|or|you|as|than|first|second|third|last|"
    r"one|other|former|latter|they|we|he|she)\s*\Z",
    re.IGNORECASE,
)
_ACTOR = re.compile(
    r"\b(?:they|we|he|she|i|you|users?|customers?|models?|assistants?|agents?|bots?|persons?|people|speakers?|authors?|"
    r"writers?|readers?|students?|teachers?|candidates?|patients?|clients?|players?|characters?|members?|teams?|experts?|"
    r"developers?|humans?|analysts?|part(?:y|ies)|compan(?:y|ies)|organi[sz]ations?)\s*\Z",
    re.IGNORECASE,
)
_PARTICIPLE = re.compile(r"(?:\w+ly\s+)?(?:\w{2,}ed|told|taught|made|found|built|sent|met|led|held|paid|left|lost)\b")
_AND_IS = re.compile(r"(?:,|\b(?:and|or|but))\s+(?:is|are|was|were)\b", re.IGNORECASE)
_KNOWING = re.compile(
    r"\b(?:check|verify|confirm|know|say|see|note|find|think|believe|assume|ensure|tell|show|state|indicate|mean|remember|"
    r"make sure)(?:s|ing|ed)?\b[^,.;:]*\Z",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(?:below|above|in|on|at|from|for|of|with|about|within|under|between|like)\b", re.IGNORECASE)
_PLURAL = re.compile(r"(?:\b(?:i|you|we|they|these|those)|(?<![siu])s)\s*\Z", re.IGNORECASE)


class Copulas:
    """In a telegram "answers that are wrong will be ignored" is "answers wrong ignored": is, are, was, were, will."""

    code: ClassVar[str] = "PO402"
    name: ClassVar[str] = "copulas"
    reason: ClassVar[str] = "a telegram has none, and is understood"
    level: ClassVar[Level] = "telegraphic"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            yield from replacements(document, sentence, _COPULA, _copula, self.code, lambda old, _: f"{old!r} can go")
            yield from replacements(document, sentence, _WILL_BE, _copula, self.code, lambda old, _: f"{old!r} can go")
            yield from replacements(document, sentence, _WILL, _will, self.code, lambda old, _: f"{old!r} can go")


class Pronouns:
    """The words "your", "my" and "our", and "you" before must, should and may; "that" before a clause."""

    code: ClassVar[str] = "PO403"
    name: ClassVar[str] = "pronouns"
    reason: ClassVar[str] = "who is meant is clear"
    level: ClassVar[Level] = "telegraphic"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            text = plain(document, sentence).lower()
            for needles, pattern in _PRONOUNS:
                if not any(needle in text for needle in needles):
                    continue
                yield from replacements(
                    document, sentence, pattern, lambda _: "", self.code, lambda old, _: f"{old!r} can go"
                )


# Each with words of which a sentence holds one, or need not be searched.
_PRONOUNS = (
    (
        ("that", "which ", "who "),
        re.compile(
            r"(?<=\w )(?<!\bway )(?:(?:that|which|who)\s+(?:is|are|was|were)|that['’]s)\s+"
            # "a file public" is no English: only what goes on, or what was done.
            rf"(?=(?:{_PREDICATE})\b|\w+(?:\s+\w+)?\s+(?:{_BEFORE_MORE}|enough)\b)"
            r"(?!(?:to|not|no|the|a|an|been|only)\b)"
            # "a girl who is nine and who sings": one like the other.
            rf"(?![\s\S]*{AND_THAT.pattern})",
            re.IGNORECASE,
        ),
    ),
    (
        ("there ",),
        re.compile(r"(?<![\w'’-])there\s+(?:is|are|was|were)(?=\s+[a-z])(?!\s+(?:no|not|any)\b)", re.IGNORECASE),
    ),
    (
        ("it",),
        re.compile(
            r"\Ait(?:['’]s|\s+is)(?=\s+[a-z]{4,}\s+\w)(?!\s+(?:that|this|your|not|never)\b)(?!\s+(?:\w+\s+){1,3}who\b)"
            # "It is important the tests run": no more than a clause would be left.
            r"(?!\s+(?:\w+\s+)?(?:important|crucial|essential|vital|critical|imperative|necessary)\s(?!to\b|that\b|for\b))",
            re.IGNORECASE,
        ),
    ),
    (("etc.",), re.compile(r",?\s+etc\.(?=\s*[),;]|\s+[a-z])")),
    (("you",), _ROLE),
    (
        ("your ", "my ", "our "),
        re.compile(r"(?<![\w'’-])(?<!\bis )(?<!['’]s )(?:your|my|our)(?=\s+[a-z])(?!\s+own\b)", re.IGNORECASE),
    ),
    (
        ("you ",),
        re.compile(
            r"(?:\A|(?<=[,;:] )|(?<=\band ))you(?=\s+(?:must|should|may|can|shall|will|need|have to)\b)", re.IGNORECASE
        ),
    ),
    (("if you ",), re.compile(r"(?<=\bif )you(?=\s+(?:need|want|find|can)\b)", re.IGNORECASE)),
)


def _copula(match: re.Match[str]) -> str | None:
    before, behind = match.string[: match.start()], match.string[match.end() :]
    # "is short, is clear and is new": one like the other.
    if _AND_IS.search(behind):
        return None
    if acts(before, behind):
        return None
    # "Check that the file is in the folder" is not "Check the file in the folder".
    if _KNOWING.search(before) and _PLACE.match(behind):
        return None
    return None if NOT_AFTER.search(before) else ""


def acts(before: str, behind: str) -> bool:
    """Whether without an auxiliary one who is acted on would act: "they are asked" is not "they asked"."""
    return _ACTOR.search(before) is not None and _PARTICIPLE.match(behind) is not None


def _will(match: re.Match[str]) -> str | None:
    # One thing "will include", and "includes": without "will" the verb would need its ending.
    return "" if _PLURAL.search(match.string[: match.start()]) else None
