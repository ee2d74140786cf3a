"""What a text asks for, apart from its wording: words and what they stand for, markers, numbers, verbatim parts.

Nothing here is shared with the rules or with their facts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from promptopt.compression.guard.one_form import PHRASES
from promptopt.compression.guard.paraphrase import FILLER, GROUPS, MARKERS, NUMBERS, OPPOSITES, STOP, root
from promptopt.compression.witness.parser import parse_all

if TYPE_CHECKING:
    from spacy.tokens import Token

NEAR = 4
"""Content words before a marker that may be its subject."""
LEAST_THINGS = 2
"""Nouns and adjectives of an order of general words alone."""
SCOPE = 5
"""Content words after a marker that it is compared by."""
VERBATIM = re.compile(
    r"```.*?```|`[^`\n]+`|\{\{.*?\}\}|https?://\S+[\w/]"
    r"|\{[^{}]*\}|\[[^\[\]\n]{1,40}\]|(?<!\w)[\"“][^\"”\n]+(?:\n[^\"”\n]+)?[\"”]"
    r"|\b(?:[YMDHhmSs]{1,4}[-/:.]){1,2}[YMDHhmSs]{1,4}\b",
    re.DOTALL,
)
_QUOTED_LIST = re.compile(r"[\"“`][^\"”`\n]+[\"”`](?:(?:,|,? (?:or|and))\s*[\"“`][^\"”`\n]+[\"”`])+")
_VALUE = r"([\"“`][^\"”`\n]+[\"”`])"
_RATHER = re.compile(_VALUE + r"[,;]? (?:and )?(?:rather than|instead of|in place of|not) (?:\w+ ){0,2}" + _VALUE)
_TOKEN = re.compile(r"[a-z]+\d\w*|\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:[_'][^\W\d_]+)*|[.!?;:\n]|[,()]|[%€$£¥<>=+#@&]")
_CAPITALS = re.compile(r"\b(?!NOT\b|NEVER\b|ONLY\b|IF\b)[A-Z]{2,}\b")
_LEADS = frozenset({"the", "word", "words", "phrase", "sentence", "either", "with", "letter", "letters", ":"})
"""Words before a verbatim part that say no more than it does."""
_ASKS_WHEN = frozenset("say says tell state explain mention know show describe ask give note".split())  # noqa: SIM905 - read as words
_SHORT = frozenset({"condition", "negation"})
"""Markers that reach to the next comma."""
_BINDING = frozenset(
    {
        "negation",
        "exception",
        "restriction",
        "first",
        "ordinal",
        "last",
        "before",
        "end",
        "limit",
        "concession",
        "degree",
    }
)
"""Markers in whose scope a word counts even if the rest of the prompt has it as well."""
_CHOSEN = frozenset({"most", "priority", "best", "least", "worst", "latest", "earliest"})
"""Words by which "the two" are not all that there are."""
OPPOSITE = re.compile(r"(?:un|non)(?=[a-z]{4})(?!i|der|til)")
"""The beginning of a word that says the opposite of the rest of it."""
_STOP = frozenset(".!?;:\n")


@dataclass(frozen=True, slots=True)
class Word:
    """One word as written, and what it stands for.

    Attributes:
        bound: Whether it counts where it is: beside a number, in a list of values, or in the scope of a marker.
    """

    written: str
    concepts: frozenset[str]
    bound: bool


@dataclass(frozen=True, slots=True)
class Marker:
    """A word that says how others are meant.

    Attributes:
        scope: The words that it is compared by.
        near: These, and what comes before it.
        said: What follows it.
    """

    kind: str
    written: str
    scope: tuple[Word, ...]
    near: tuple[Word, ...]
    said: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number in digits, with the limit that it is ("at most", "under") or "the" if it only points back."""

    limit: str
    value: str
    written: str

    def __str__(self) -> str:
        return f"number {self.limit} {self.written}".replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Clause:
    """What stands between two full stops, colons or semicolons."""

    words: tuple[Word, ...]
    markers: tuple[Marker, ...]
    numbers: tuple[Number, ...]

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset().union(*(word.concepts for word in self.words))

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for marker in self.markers for kind in (marker.kind, marker.written))


@dataclass(frozen=True, slots=True)
class Asked:
    """What one text asks for.

    Attributes:
        tokens: The parsed tokens, in order.
        forms: Those of each written form, in lower case.
        sentences: What the words of each sentence stand for.
    """

    verbatim: Counter[str]
    clauses: tuple[Clause, ...]
    tokens: tuple[Token, ...]
    forms: dict[str, tuple[Token, ...]]
    sentences: tuple[frozenset[str], ...]

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset().union(*(clause.concepts for clause in self.clauses))


def stems_in(texts: Iterable[str]) -> frozenset[str]:
    """The roots of the words of verbatim parts."""
    return frozenset(root(word.lower()) for text in texts for word in re.findall(r"[^\W\d_]+", text))


def digits_in(texts: Iterable[str]) -> set[str]:
    """The numbers of verbatim parts."""
    return {number for text in texts for number in re.findall(r"\d+(?:[.,:/]\d+)*", text)}


@lru_cache(maxsize=512)
def asked_in(text: str) -> Asked:
    """What a text asks for."""
    verbatim = Counter(squeezed(match[0]) for match in VERBATIM.finditer(text))
    forms, sentences = _parsed(VERBATIM.sub(" X ", text))
    plain = plain_text(text)
    for pattern, replacement in PHRASES:
        plain = pattern.sub(replacement, plain)
    tokens = tuple(token for found in forms.values() for token in found)
    return Asked(verbatim, tuple(_clauses(plain, forms)), tokens, forms, sentences)


def plain_text(text: str) -> str:
    """A text in lower case and whole lines, without its verbatim parts."""
    return _lines(_CAPITALS.sub(_name, VERBATIM.sub(" xq ", text))).lower().replace("’", "'")


def words_in(plain: str) -> list[str]:
    """The words and punctuation of a plain text."""
    return _TOKEN.findall(plain)


def _name(match: re.Match[str]) -> str:
    """A word in capitals that is a value and no function word: "return NONE"."""
    word = match[0].lower()
    return f"{word}_name" if word in MARKERS or word in STOP or word in NUMBERS else word


def _lines(text: str) -> str:
    """The text with what goes on in one line; each heading and list item in its own."""
    text = re.sub(r"(?m)^#+[ \t]+(.*)$", r"\n\n\1\n\n", text)
    text = re.sub(r"(?<!\n)\n(?!\n|[ \t]*(?:[-*•]|\d+[.)])[ \t])", " ", text)
    return re.sub(r"(?m)^[ \t]*(?:[-*•]|\d+[.)])[ \t]+", "\n", text)


def _parsed(text: str) -> tuple[dict[str, tuple[Token, ...]], tuple[frozenset[str], ...]]:
    forms: dict[str, tuple[Token, ...]] = {}
    sentences = []
    lines = [" ".join(line.split()) for line in _lines(text).replace("’", "'").split("\n")]
    for doc in parse_all([line for line in lines if line]):
        for token in doc:
            forms[token.lower_] = (*forms.get(token.lower_, ()), token)
        sentences += [frozenset().union(*(concepts_of(t) for t in one if says(t.lower_))) for one in doc.sents]
    return forms, tuple(sentences)


def concepts_of(token: Token) -> frozenset[str]:
    """What a parsed word stands for."""
    return _concepts(token.lower_) | _concepts(token.lemma_.lower())


def squeezed(text: str) -> str:
    """A verbatim part without the blanks that say nothing."""
    text = " ".join(text.split())
    if text[0] == "{":
        return re.sub(r"\s*([:,{}\[\]])\s*", r"\1", text)
    if text[0] in '"“':
        return '"' + text[1:-1].rstrip(",.;: ") + '"'
    return text


def kind_of(text: str) -> str:
    """What a verbatim part is."""
    return {"`": "code", "{": "placeholder", "h": "url"}.get(text[0], "quote")


def unlisted(before: str, after: str) -> list[str]:
    """Values that a list of quoted ones has lost, though they are elsewhere."""
    lists = [{squeezed(one[0]) for one in VERBATIM.finditer(found[0])} for found in _QUOTED_LIST.finditer(after)]
    lost = []
    for found in _QUOTED_LIST.finditer(before):
        values = {squeezed(one[0]) for one in VERBATIM.finditer(found[0])}
        nearest = max(lists, key=lambda other: len(values & other), default=values)
        if values & nearest:
            lost += [f"{kind_of(value)} {value} of a list" for value in sorted(values - nearest)]
    return lost


def unsaid(old: Asked, new: Asked) -> list[str]:
    """Orders of general words alone that the rewrite has not: "the order of the lines must stay the same"."""
    sentences = {(id(token.doc), token.sent.start): token.sent for token in old.tokens}
    lost = []
    for one in sentences.values():
        words = [token for token in one if says(token.lower_)]
        if any(token.like_num for token in one):
            continue
        told = one.root.tag_ == "VB" or any(token.lower_ in ("must", "should") for token in one)
        things = [token for token in words if token.pos_ in ("NOUN", "ADJ")]
        if told and len(things) >= LEAST_THINGS and all(token.lower_ in FILLER for token in words):
            shared = max((sum(bool(concepts_of(t) & s) for t in words) for s in new.sentences), default=0)
            if 2 * shared <= len(words):
                lost.append(f"order {one.text.strip()!r}")
    return lost


def swapped(before: str, after: str) -> list[str]:
    """What is to be used instead of what, if the rewrite has it the other way round."""
    then, now = ({tuple(map(squeezed, found.groups())) for found in _RATHER.finditer(text)} for text in (before, after))
    return [f"preference {kept} rather than {other}" for kept, other in then if (other, kept) in now]


def _clauses(plain: str, forms: dict[str, tuple[Token, ...]]) -> Iterator[Clause]:
    part: list[str] = []
    for token in [*_TOKEN.findall(plain), "."]:
        if token not in _STOP:
            part.append(token)
        elif part:
            yield _clause(part, forms)
            part = []


def _clause(tokens: list[str], forms: dict[str, tuple[Token, ...]]) -> Clause:
    words = [
        (index, Word(token, _meaning(token, forms), _is_bound(tokens, index)))
        for index, token in enumerate(tokens)
        if says(token)
    ]
    markers = []
    for index, token in enumerate(tokens):
        if kind := _required(tokens, index):
            ends = [place for place, other in enumerate(tokens) if place > index and other in (",", "but")]
            stop = ends[0] if ends and kind in _SHORT else len(tokens)
            scope = _nearest([word for place, word in words if index < place < stop])
            own = 1 if tokens[max(0, index - 1)] == "if" else SCOPE  # "if not," denies what was said last
            scope = scope or tuple(word for place, word in words if place < index)[-own:]
            scope = scope or tuple(word for _, word in words)[:SCOPE]
            said = [other for other in tokens[index + 1 : stop] if other[0].isalnum() and other not in STOP][:6]
            since = max((place for place, other in enumerate(tokens[:index]) if other == "but"), default=0)
            near = (*[word for place, word in words if since <= place < index][-NEAR:], *scope)
            markers.append(Marker(kind, token.replace("_", " "), scope, near, " ".join(said).replace("_", " ")))
    numbers: list[Number] = []
    for index, token in enumerate(tokens):
        if value := _value(token, tokens[max(0, index - 5) : index]):
            before = tokens[max(0, index - 2) : index]
            counted = before[-1:] in (["the"], ["these"], ["those"]) and token in NUMBERS
            counted = counted and not _CHOSEN & set(tokens[index + 1 : index + 6])
            limit = next((other for other in before if _marked(other) == "limit"), "the" if counted else "")
            earlier = tokens[: max(0, index - 2)][::-1]
            joined = index and tokens[index - 1] in ("and", "or", ",") and token not in NUMBERS.values()
            if not limit and joined and numbers and numbers[-1].limit.startswith("at "):
                limit = next((t for t in earlier if _marked(t) == "limit"), "")  # "at most 30 characters and two lines"
            numbers.append(Number(limit.replace("_", " "), value, token))
    return Clause(tuple(word for _, word in words), tuple(markers), tuple(numbers))


def _value(token: str, before: list[str]) -> str:
    if token == "one":  # noqa: S105 - a word, no password
        limited = any(_marked(other) in ("limit", "restriction") for other in before[-1:])
        return "1" if limited and "even_if" not in before else ""
    return NUMBERS.get(token) or (token if token[0].isdigit() else "")


def _meaning(word: str, forms: dict[str, tuple[Token, ...]]) -> frozenset[str]:
    return frozenset().union(_concepts(word), *(concepts_of(token) for token in forms.get(word, ())))


def _nearest(words: list[Word]) -> tuple[Word, ...]:
    """As many words as a marker is compared by, and the fillers between them."""
    says = [place for place, word in enumerate(words) if word.written not in FILLER][:SCOPE]
    return tuple(words[: says[-1] + 1] if says else words[:SCOPE])


def _required(tokens: list[str], index: int) -> str:
    """The kind of the marker at a place; empty if there is none, or if another one says the same."""
    before, after = tokens[max(0, index - 3) : index], tokens[index + 1 : index + 2]
    if tokens[index] == "opening" and next((t for t in tokens[index + 1 :] if t not in _LEADS), "") == "xq":
        return ""
    if tokens[index] == "before" and (not after or after[0] in ",()") and before[-1:] != ["not"]:
        return ""
    if tokens[index] in ("when", "where") and before[-1:] and before[-1] in _ASKS_WHEN:
        return ""  # "say when it begins" supposes nothing
    if tokens[index] == "only" and "even_if" in before:
        return ""
    return _marked(tokens[index])


def _is_bound(tokens: list[str], index: int) -> bool:
    if any(_marked(token) in _BINDING for token in tokens[max(0, index - 3) : index]):
        return True
    near = tokens[max(0, index - 2) : index]
    if any(token[0].isdigit() or token in NUMBERS for token in near):
        return True
    around = (tokens[index - 1] if index else "", tokens[index + 1] if index + 1 < len(tokens) else "")
    return tokens.count(",") > 1 and any(token in (",", "and", "or") for token in around)


def _marked(word: str) -> str:
    """The kind of marker that a word is; empty if it is none."""
    return MARKERS.get(word, "opposite" if OPPOSITE.match(word) else "")


def says(word: str) -> bool:
    """Whether a word is more than a function word, a marker, a number or punctuation."""
    if not word[0].isalpha():
        return word in "%€$£¥<>=+#@&"
    return word not in STOP and word not in MARKERS and word not in NUMBERS


@lru_cache(maxsize=16384)
def _concepts(word: str) -> frozenset[str]:
    own = root(word)
    if OPPOSITE.match(word):
        return frozenset({own, root(OPPOSITE.sub("", word))}) | _GROUPS.get(own, frozenset())
    return _GROUPS.get(word, frozenset()) | _GROUPS.get(own, frozenset()) | {own}


def _grouped() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for number, group in enumerate(GROUPS):
        for word in group:
            found.setdefault(root(word), set()).add(f"={number}")
            found.setdefault(word, set()).add(f"={number}")
    return {word: frozenset(numbers) for word, numbers in found.items()}


def opposites(word: Word) -> frozenset[str]:
    """What the opposites of a word stand for."""
    return frozenset().union(*(_OPPOSITES.get(concept, frozenset()) for concept in word.concepts))


def _opposites() -> dict[str, frozenset[str]]:
    rows = [{root(word) for word in row} for row in OPPOSITES]
    return {word: frozenset().union(*(row for row in rows if word in row)) - {word} for row in rows for word in row}


_OPPOSITES = _opposites()
_GROUPS = _grouped()
