"""What a text asks for, apart from its wording: the guard of a model's rewrites.

Nothing here is shared with the rules or with their facts: a rewrite is in other words by intent, so words are compared
by what they stand for, and markers (negations, conditions, limits, order) by the words that they apply to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from promptopt.compression.paraphrase import FILLER, GROUPS, MARKERS, NUMBERS, PHRASES, STOP

SCOPE = 5
"""Content words after a marker that it is compared by."""
_ACCEPTED: dict[str, set[str]] = {
    "negation": {"negation", "exception", "restriction", "opposite"},
    "exception": {"exception", "restriction"},
    "restriction": {"restriction", "exception"},
    "condition": {"condition", "relative", "without"},
    "concession": {"concession"},
    "order": {"order", "sequence"},
    "end": {"end", "order"},
}
"""By which markers in the rewrite each kind is kept. Others need not stay: what is said later is done later."""
_VERBATIM = re.compile(
    r"```.*?```|`[^`\n]+`|\{\{.*?\}\}|https?://\S+[\w/]"
    r"|\{[^{}]*\}|(?<!\w)[\"“][^\"”\n]+[\"”]"
    r"|\b(?:[YMDHhms]{1,4}[-/:.]){1,2}[YMDHhms]{1,4}\b",
    re.DOTALL,
)
_TOKEN = re.compile(r"[a-z]+\d\w*|\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:[_'][^\W\d_]+)*|[.!?;:\n]|[,()]|[%€$£¥<>=+#@&]")
_SHORT = frozenset({"condition", "negation"})
"""Markers that reach to the next comma."""
_BINDING = frozenset({"negation", "exception", "restriction", "order", "end", "limit", "concession"})
"""Markers in whose scope a word counts even if the rest of the prompt has it as well."""
_OPPOSITE = re.compile(r"(?:un|non)(?=[a-z]{4})(?!i|der|til)")
_STOP = frozenset(".!?;:\n")
_ENDINGS = (  # noqa: SIM905 - read as words
    "ational ization isation fulness ousness iveness ability ibility ations ation ities ments ness ment ions ives ings "
    "ance ence able ible ally edly ive ion ity ers ing ies ied est ful ous ant ent ed er es or ly al ic s y e"
).split()


@dataclass(frozen=True, slots=True)
class _Word:
    """One word as written, and what it stands for.

    Attributes:
        bound: Whether it counts where it is: beside a number, in a list of values, or in the scope of a marker.
    """

    written: str
    concepts: frozenset[str]
    bound: bool


@dataclass(frozen=True, slots=True)
class _Marker:
    kind: str
    written: str
    scope: tuple[_Word, ...]


@dataclass(frozen=True, slots=True)
class _Clause:
    words: tuple[_Word, ...]
    markers: tuple[_Marker, ...]
    numbers: tuple[str, ...]

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset().union(*(word.concepts for word in self.words))

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for marker in self.markers for kind in (marker.kind, marker.written))


@dataclass(frozen=True, slots=True)
class _Asked:
    verbatim: Counter[str]
    clauses: tuple[_Clause, ...]


def lost_in_rewrite(before: str, after: str, context: str = "") -> list[str]:
    """What ``before`` asks for and ``after`` does not, each as a person would name it; empty if all is kept.

    Args:
        context: The rest of the prompt. A word that is in it as well is a reference, and need not be said again.
    """
    old, new = _asked(before), _asked(after)
    found = [f"{_kind_of(text)} {text}" for text in old.verbatim if not new.verbatim[text]]
    concepts = frozenset().union(*(clause.concepts for clause in new.clauses))
    quoted = _stems_in(new.verbatim)
    known = frozenset().union(*(clause.concepts for clause in _asked(context).clauses))
    for clause in old.clauses:
        for word in clause.words:
            kept = concepts if word.bound else concepts | known
            if word.written not in FILLER and not word.concepts & kept and not word.concepts & quoted:
                found.append(repr(word.written))
    numbers = {part for clause in new.clauses for number in clause.numbers for part in (number, number.split()[-1])}
    found += [f"number {number}" for clause in old.clauses for number in clause.numbers if number not in numbers]
    for clause in old.clauses:
        found += [_described(marker) for marker in clause.markers if not _is_kept(marker, new.clauses, concepts)]
    return list(dict.fromkeys(found))


def added_by_rewrite(before: str, after: str) -> list[str]:
    """The numbers, negations, quoted texts and code that only ``after`` has."""
    old, new = _asked(before), _asked(after)
    numbers = {number.split()[-1] for clause in old.clauses for number in clause.numbers} | _digits_in(old.verbatim)
    found = [f"{_kind_of(text)} {text}" for text in new.verbatim if not old.verbatim[text]]
    concepts = frozenset().union(*(clause.concepts for clause in old.clauses))
    markers = (marker for clause in new.clauses for marker in clause.markers if marker.kind == "negation")
    found += [_described(marker) for marker in markers if not _is_kept(marker, old.clauses, concepts)]
    return found + [f"number {n}" for clause in new.clauses for n in clause.numbers if n.split()[-1] not in numbers]


def _is_kept(marker: _Marker, clauses: tuple[_Clause, ...], concepts: frozenset[str]) -> bool:
    accepted = _ACCEPTED.get(marker.kind)
    if accepted is None:
        return True
    scope = [word for word in marker.scope if word.concepts & concepts]
    if not scope:
        # Its words are gone: they are named themselves, or say nothing.
        return any(clause.kinds & accepted for clause in clauses) or all(w.written in FILLER for w in marker.scope)
    enough = 1 if len(scope) < 3 else 2
    return any(
        clause.kinds & accepted and sum(bool(word.concepts & clause.concepts) for word in scope) >= enough
        for clause in clauses
    )


def _described(marker: _Marker) -> str:
    scope = " ".join(word.written for word in marker.scope)
    return f"{marker.kind} {marker.written!r}" + (f" ({scope})" if scope else "")


def _kind_of(text: str) -> str:
    return {"`": "code", "{": "placeholder", "h": "url"}.get(text[0], "quote")


def _stems_in(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(
        concept for text in texts for word in re.findall(r"[^\W\d_]+", text) for concept in _concepts(word.lower())
    )


def _digits_in(texts: Iterable[str]) -> set[str]:
    return {number for text in texts for number in re.findall(r"\d+(?:[.,:/]\d+)*", text)}


@lru_cache(maxsize=512)
def _asked(text: str) -> _Asked:
    verbatim = Counter(_squeezed(match[0]) for match in _VERBATIM.finditer(text))
    plain = _VERBATIM.sub(" ", text)
    # A line that goes on is one with the next; a list item is not.
    plain = re.sub(r"\n(?![ \t]*(?:[-*•]|\d+[.)])[ \t])", " ", plain)
    plain = re.sub(r"(?m)^[ \t]*(?:[-*•]|\d+[.)])[ \t]+", "\n", plain)
    plain = plain.lower().replace("’", "'")
    for pattern, replacement in PHRASES:
        plain = pattern.sub(replacement, plain)
    return _Asked(verbatim, tuple(_clauses(plain)))


def _squeezed(text: str) -> str:
    text = " ".join(text.split())
    if text[0] in '"“':
        return '"' + text[1:-1].rstrip(",.;: ") + '"'
    return text


def _clauses(plain: str) -> Iterator[_Clause]:
    part: list[str] = []
    for token in [*_TOKEN.findall(plain), "."]:
        if token not in _STOP:
            part.append(token)
        elif part:
            yield _clause(part)
            part = []


def _clause(tokens: list[str]) -> _Clause:
    words = [
        (index, _Word(token, _concepts(token), _is_bound(tokens, index)))
        for index, token in enumerate(tokens)
        if _says(token)
    ]
    markers = []
    for index, token in enumerate(tokens):
        if kind := _marked(token):
            ends = [place for place, other in enumerate(tokens) if place > index and other in (",", "but")]
            stop = ends[0] if ends and kind in _SHORT else len(tokens)
            scope = tuple(word for place, word in words if index < place < stop)[:SCOPE]
            scope = scope or tuple(word for _, word in words)[-SCOPE:]
            markers.append(_Marker(kind, token.replace("_", " "), scope))
    numbers = []
    for index, token in enumerate(tokens):
        if value := NUMBERS.get(token) or (token if token[0].isdigit() else ""):
            limit = next((other for other in tokens[max(0, index - 2) : index] if _marked(other) == "limit"), "")
            numbers.append(f"{limit} {value}".replace("_", " ").strip())
    return _Clause(tuple(word for _, word in words), tuple(markers), tuple(numbers))


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
    return MARKERS.get(word, "opposite" if _OPPOSITE.match(word) else "")


def _says(word: str) -> bool:
    """Whether a word is more than a function word, a marker, a number or punctuation."""
    if not word[0].isalpha():
        return word in "%€$£¥<>=+#@&"
    return word not in STOP and word not in MARKERS and word not in NUMBERS


@lru_cache(maxsize=16384)
def _concepts(word: str) -> frozenset[str]:
    own = root(word)
    if _OPPOSITE.match(word):
        return frozenset({own, root(_OPPOSITE.sub("", word))}) | _GROUPS.get(own, frozenset())
    return _GROUPS.get(word, frozenset()) | _GROUPS.get(own, frozenset()) | {own}


@lru_cache(maxsize=16384)
def root(word: str) -> str:
    """The word without its endings, as far as at least four letters stay."""
    word = re.sub(r"'s?$", "", word)
    while True:
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 4:
                word = word[: -len(ending)]
                break
        else:
            break
    if len(word) == 4 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    if len(word) > 4 and word[-1] == word[-2]:
        word = word[:-1]
    return word


def _grouped() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for number, group in enumerate(GROUPS):
        for word in group:
            found.setdefault(root(word), set()).add(f"={number}")
            found.setdefault(word, set()).add(f"={number}")
    return {word: frozenset(numbers) for word, numbers in found.items()}


_GROUPS = _grouped()
