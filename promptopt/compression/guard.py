"""What a text asks for, apart from its wording: the guard of a model's rewrites.

Nothing here is shared with the rules or with their facts: a rewrite is in other words by intent, so words are compared
by what they stand for, and markers (negations, conditions, limits, order) by the words that they apply to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from promptopt.compression.paraphrase import FILLER, GROUPS, MARKERS, NUMBERS, OPPOSITES, PHRASES, STOP
from promptopt.compression.parser import parse_all

if TYPE_CHECKING:
    from spacy.tokens import Token

PHRASE = 4
"""Words of a phrase by which a loss is named, at most."""
SCOPE = 5
"""Content words after a marker that it is compared by."""
_ACCEPTED: dict[str, set[str]] = {
    "negation": {"negation", "exception", "restriction", "opposite"},
    "exception": {"exception", "restriction", "condition"},
    "restriction": {"restriction", "exception"},
    "condition": {"condition", "concession", "restriction", "exception", "whether"},
    "concession": {"concession"},
    "first": {"first", "before", "arrangement", "opening", "sequence"},
    "ordinal": {"sequence", "arrangement"},
    "last": {"last", "arrangement", "closing"},
    "opening": {"opening", "first", "arrangement", "sequence"},
    "closing": {"closing", "last", "arrangement"},
    "before": {"before", "sequence", "end", "first"},
    "arrangement": {"arrangement", "first", "sequence"},
    "degree": {"degree"},
    "end": {"end", "before"},
    "after": {"after", "sequence", "condition"},
}
"""By which markers in the rewrite each kind is kept. Others need not stay: what is said later is done later."""
_VERBATIM = re.compile(
    r"```.*?```|`[^`\n]+`|\{\{.*?\}\}|https?://\S+[\w/]"
    r"|\{[^{}]*\}|\[[^\[\]\n]{1,40}\]|(?<!\w)[\"“][^\"”\n]+(?:\n[^\"”\n]+)?[\"”]"
    r"|\b(?:[YMDHhms]{1,4}[-/:.]){1,2}[YMDHhms]{1,4}\b",
    re.DOTALL,
)
_TOKEN = re.compile(r"[a-z]+\d\w*|\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:[_'][^\W\d_]+)*|[.!?;:\n]|[,()]|[%€$£¥<>=+#@&]")
_LOOSE = frozenset({"first", "ordinal", "opening", "closing", "last", "concession", "arrangement"})
"""Markers that one shared word is enough for."""
_CAPITALS = re.compile(r"\b(?!NOT\b|NEVER\b|ONLY\b|IF\b)[A-Z]{2,}\b")
_SHORT = frozenset({"condition", "negation"})
"""Markers that reach to the next comma."""
_BINDING = frozenset({"negation", "exception", "restriction", "first", "ordinal", "last", "before", "end", "limit", "concession", "degree"})
"""Markers in whose scope a word counts even if the rest of the prompt has it as well."""
_OPPOSITE = re.compile(r"(?:un|non)(?=[a-z]{4})(?!i|der|til)")
_ADDED = frozenset({"negation", "partial", "after"})
"""Markers that a rewrite may not add."""
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
    """A word that says how others are meant.

    Attributes:
        scope: The words that it is compared by.
        said: What follows it.
    """

    kind: str
    written: str
    scope: tuple[_Word, ...]
    said: str


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
    """What one text asks for.

    Attributes:
        forms: The parsed tokens of each written form, in lower case.
        sentences: What the words of each sentence stand for.
    """

    verbatim: Counter[str]
    clauses: tuple[_Clause, ...]
    forms: dict[str, tuple[Token, ...]]
    sentences: tuple[frozenset[str], ...]

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset().union(*(clause.concepts for clause in self.clauses))


def lost_in_rewrite(before: str, after: str, context: str = "") -> list[str]:
    """What ``before`` asks for and ``after`` does not, each as a person would name it; empty if all is kept.

    Args:
        context: The rest of the prompt. A word that is in it as well is a reference, and need not be said again.

    Raises:
        MissingExtra: spaCy is not installed.
        UsageError: Its English pipeline is not.
    """
    old, new, known = _asked(before), _asked(after), _asked(context).concepts
    found = [f"{_kind_of(text)} {text}" for text in old.verbatim if not new.verbatim[text]]
    concepts = new.concepts | _stems_in(new.verbatim)
    for clause in old.clauses:
        for word in clause.words:
            kept = concepts if word.bound else concepts | known
            if word.concepts & kept or _is_reversed(word, clause, new):
                continue
            if word.written in FILLER and not any(_is_listed_too(t, concepts) for t in old.forms.get(word.written, ())):
                continue
            if not all(_is_implied(token, new, concepts, known) for token in old.forms.get(word.written, [None])):
                found.append(_phrase(old, word.written))
    numbers = {part for clause in new.clauses for number in clause.numbers for part in (number, number.split()[-1])}
    for clause in old.clauses:
        found += [f"number {n}" for n in clause.numbers if n not in numbers and not _is_listed(n, old, clause)]
    for clause in old.clauses:
        found += [
            _described(marker)
            for marker in clause.markers
            if not _is_kept(marker, clause, old, new, concepts) and not _is_reference(marker, _asked(context))
        ]
    found += _turned_round(old, new)
    return list(dict.fromkeys(found))


def added_by_rewrite(before: str, after: str) -> list[str]:
    """The numbers, negations, quoted texts, code and parts of a whole that only ``after`` has."""
    old, new = _asked(before), _asked(after)
    numbers = {number.split()[-1] for clause in old.clauses for number in clause.numbers} | _digits_in(old.verbatim)
    found = [f"{_kind_of(text)} {text}" for text in new.verbatim if not old.verbatim[text]]
    concepts = old.concepts
    for clause in new.clauses:
        for marker in clause.markers:
            if marker.kind == "partial":
                if not any(marker.written in one.kinds for one in old.clauses):
                    found.append(_described(marker) + _universals(old, marker))
            elif marker.kind in _ADDED and not _is_kept(marker, clause, new, old, concepts):
                found.append(_described(marker))
    return found + [f"number {n}" for clause in new.clauses for n in clause.numbers if n.split()[-1] not in numbers]


def _is_kept(marker: _Marker, clause: _Clause, own: _Asked, other: _Asked, concepts: frozenset[str]) -> bool:
    accepted = _ACCEPTED.get(marker.kind)
    if accepted is None or (marker.kind in ("opening", "closing") and marker.written != marker.kind):
        return True
    accepted = accepted | {marker.written}
    if marker.kind == "before" and "first" in clause.kinds:
        accepted = accepted - {"first"}
    if marker.kind == "degree":
        return _keeps_degree(marker, clause, other)
    scope = [word for word in marker.scope if word.written not in FILLER and word.concepts & concepts]
    if marker.kind in _LOOSE:
        scope = []
    scope = scope or [word for word in marker.scope if word.concepts & concepts]
    if not scope:
        # Its words are gone: they are named themselves, or say nothing.
        mine = sum(marker.kind in one.kinds for one in own.clauses)
        return sum(bool(one.kinds & accepted) for one in other.clauses) >= mine
    if marker.written == "instead of":
        # What is preferred to what: the same words the other way round are another request.
        scopes = [m.scope for one in other.clauses for m in one.markers if m.kind in accepted]
        return any(word.concepts & rival.concepts for word in scope for rivals in scopes for rival in rivals)
    enough = 1 if len(scope) < 3 or marker.kind in _LOOSE else 2
    around = {word for word in clause.words if word.written not in FILLER} - set(scope)
    around = around if marker.kind == "negation" else set()
    for one in other.clauses:
        shared = sum(bool(word.concepts & one.concepts) for word in scope)
        if one.kinds & accepted and (shared >= enough or sum(bool(w.concepts & one.concepts) for w in around) >= enough):
            return True
        if marker.written in one.kinds and any(word.concepts & one.concepts for word in marker.scope):
            return True
        if marker.kind in ("negation", "opposite") and any(_opposed(word, one) for word in marker.scope):
            return True
    return marker.kind == "condition" and _is_folded(marker, clause, scope, other)


def _is_reference(marker: _Marker, context: _Asked) -> bool:
    """Whether "the last question" is one that the rest of the prompt calls so as well."""
    if marker.kind not in ("first", "ordinal", "last") or not marker.scope:
        return False
    others = [other for clause in context.clauses for other in clause.markers if other.written == marker.written]
    return any(other.scope and other.scope[0].concepts & marker.scope[0].concepts for other in others)


def _turned_round(old: _Asked, new: _Asked) -> list[str]:
    """The steps that come in the opposite order, without a word that says so."""
    if any(clause.kinds & {"before", "after", "condition"} for clause in new.clauses):
        return []
    places: dict[str, list[int]] = {}
    for place, word in enumerate(word for clause in new.clauses for word in clause.words):
        for concept in word.concepts:
            places.setdefault(concept, []).append(place)
    found = []
    for earlier, clause in pairwise((_Clause((), (), ()), *old.clauses)):
        for marker in clause.markers:
            if marker.kind != "sequence":
                continue
            after = [word for word in marker.scope if word in clause.words]
            start = clause.words.index(after[0]) if after else 0
            left, right = (_sites(words, places, old) for words in (clause.words[:start] or earlier.words, after))
            if left and right and max(right) < min(left):
                found.append(f"order {marker.written!r} ({' '.join(word.written for word in after)})")
    return found


def _sites(words: Sequence[_Word], places: dict[str, list[int]], asked: _Asked) -> list[int]:
    """Where the acts that the rewrite has once are in it."""
    sites = []
    acts = (word for word in words if any(token.pos_ == "VERB" for token in asked.forms.get(word.written, ())))
    for word in acts:
        found = {place for concept in word.concepts for place in places.get(concept, ())}
        if len(found) == 1 and word.written not in STOP:
            sites.append(found.pop())
    return sites


def _universals(asked: _Asked, marker: _Marker) -> str:
    found = [form for form in ("all", "every", "each", "any", "whole", "entire") if form in asked.forms]
    return f" instead of {' or '.join(map(repr, found))}" if found else ""


def _keeps_degree(marker: _Marker, clause: _Clause, other: _Asked) -> bool:
    """Whether "very" is still said of its word, or does not matter: it does in a scale and beside a number."""
    if not marker.scope or not clause.numbers:
        return True
    word = root(marker.scope[0].written)
    return any(m.kind == "degree" and m.scope and root(m.scope[0].written) == word for c in other.clauses for m in c.markers)


def _is_reversed(word: _Word, clause: _Clause, new: _Asked) -> bool:
    """Whether "not outside" has become "inside"."""
    negated = any(marker.kind == "negation" and word in marker.scope for marker in clause.markers)
    return negated and any(_opposed(word, one) for one in new.clauses)


def _opposed(word: _Word, clause: _Clause) -> bool:
    opposites = frozenset().union(*(_OPPOSITES.get(one, frozenset()) for one in word.concepts))
    return any(other.concepts & opposites for other in clause.words)


def _is_folded(marker: _Marker, clause: _Clause, scope: list[_Word], other: _Asked) -> bool:
    """Whether a condition has become an attribute: "if a parcel is late, ..." as "late parcels: ..."."""
    rest = [word for word in clause.words if word not in marker.scope]
    for concepts in other.sentences:
        inside = [word for word in scope if word.concepts & concepts]
        if len(inside) >= max(1, len(scope) - 1) and (not rest or any(word.concepts & concepts for word in rest)):
            tokens = [token for found in other.forms.values() for token in found]
            told = [t for t in tokens if any(_concepts_of(t) & word.concepts for word in inside)]
            return not any(_is_told(token) for token in told)
    return False


def _is_told(token: Token) -> bool:
    """Whether a word is what a sentence says of its subject, so that it is claimed and not supposed."""
    finite = token.tag_ in ("VBZ", "VBP", "VBD") and token.dep_ in ("ROOT", "conj", "ccomp")
    return finite or (token.dep_ in ("acomp", "attr") and token.head.tag_ in ("VBZ", "VBP", "VBD"))


def _is_implied(token: Token | None, new: _Asked, concepts: frozenset[str], known: frozenset[str]) -> bool:
    """Whether a word only joins others that are kept, points back, or says why."""
    if token is None:
        return False
    kids = list(token.children)
    if token.lemma_.lower() in FILLER or any(near.text == "X" for near in (*kids, *token.doc[token.i + 1 : token.i + 2])):
        return True
    if token.dep_ in ("prt", "intj", "aux", "auxpass") or _is_reason(token):
        return True
    if token.dep_ == "ROOT" and any(kid.dep_ == "nsubj" and kid.lower_ in ("i", "we") for kid in kids):
        return True
    if token.pos_ in ("NOUN", "PROPN"):
        determiners = {kid.lower_ for kid in kids if kid.dep_ in ("det", "poss")}
        if determiners & {"this", "that", "these", "those", "your"} and not any(_says_more(kid) for kid in kids):
            return True
        if determiners & {"the", "its", "their", "his", "her"} and _concepts_of(token) & known:
            return True
        described = [kid for kid in kids if kid.dep_ in ("amod", "compound", "nmod") and _says(kid.lower_)]
        if any(kid.lower_ not in FILLER and _concepts_of(kid) & concepts for kid in described):
            return True
        if any(kid.dep_ in ("acl", "relcl") and kid.tag_ == "VB" and _joined(token, kid, new, concepts) for kid in kids):
            return True
    if token.dep_ in ("relcl", "acl", "acomp", "xcomp", "pcomp", "ccomp") or token.head.dep_ in ("relcl", "acl"):
        inside = [t for t in token.subtree if t != token and (t.like_num or _says(t.lower_)) and t.lower_ not in FILLER]
        if token.pos_ in ("VERB", "AUX", "ADJ") and not inside and token.dep_ != "acomp":
            around = token.head if token.head.dep_ in ("relcl", "acl", "acomp") else token
            personal = any(t.tag_ == "PRP" for one in (around, around.head) for t in one.subtree)
            return personal and all(t.pos_ in ("VERB", "AUX", "PRON", "PART", "ADP", "DET", "PUNCT", "SCONJ") for t in token.subtree)
        return any(t.text == "X" or t.like_num or _joined(token, t, new, concepts) for t in inside)
    return False


def _is_listed_too(token: Token, concepts: frozenset[str]) -> bool:
    """Whether a general word is a value of its own: "addresses, numbers or names"."""
    if token.pos_ != "NOUN" or any(t.lower_ not in FILLER for t in token.subtree if _says(t.lower_)):
        return False
    others = [token.head] if token.dep_ == "conj" else []
    return token.dep_ == "conj" and any(o.pos_ == "NOUN" and _concepts_of(o) & concepts for o in others)


def _says_more(token: Token) -> bool:
    return any(_says(t.lower_) and t.lower_ not in FILLER for t in token.subtree)


def _joined(token: Token, part: Token, new: _Asked, concepts: frozenset[str]) -> bool:
    """Whether the rewrite still has ``part`` in one sentence with what ``token`` joined it to."""
    inside = _concepts_of(part)
    if not inside & concepts:
        return False
    heads = [t for t in token.ancestors if _says(t.lower_) and t.lower_ not in FILLER and _concepts_of(t) & concepts]
    if not heads:
        return True
    head = _concepts_of(heads[0])
    return any(inside & sentence and head & sentence for sentence in new.sentences)


def _is_reason(token: Token) -> bool:
    for one in (token, *token.ancestors):
        if one.lower_ == "order" and any(kid.dep_ == "acl" and kid in (token, *token.ancestors) for kid in one.children):
            return True
        if one.dep_ == "advcl" and any(kid.dep_ == "mark" and kid.lower_ in ("because", "since", "so") for kid in one.children):
            return True
    return False


def _is_listed(number: str, asked: _Asked, clause: _Clause) -> bool:
    """Whether a small number only counts what the text lists, or points back: "the two versions"."""
    if number.startswith("the "):
        return True
    if not number.isdigit() or not 2 <= int(number) <= 9:
        return False
    for tokens in asked.forms.values():
        for token in tokens:
            if token.dep_ != "conj" and 1 + sum(1 for _ in _chain(token)) == int(number):
                counted = {t.lower_ for t in (token, *_chain(token))}
                if not any(word.written in counted for word in clause.words):
                    return True
    return False


def _chain(token: Token) -> Iterator[Token]:
    for kid in token.children:
        if kid.dep_ == "conj":
            yield kid
            yield from _chain(kid)


def _phrase(asked: _Asked, written: str) -> str:
    """A lost word with the words that it belongs to."""
    tokens = asked.forms.get(written)
    if not tokens:
        return repr(written.replace("_", " "))
    token = tokens[0]
    own = [kid for kid in token.lefts if kid.dep_ in ("amod", "advmod", "compound", "nummod", "poss")]
    words = token.doc[min((kid.i for kid in own), default=token.i) : token.i + 1]
    return repr(words.text.lower() if len(words) <= PHRASE else written)


def _described(marker: _Marker) -> str:
    said = marker.said or " ".join(word.written for word in marker.scope)
    return f"{marker.kind} {marker.written!r}" + (f" ({said})" if said else "")


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
    forms, sentences = _parsed(_VERBATIM.sub(" X ", text))
    plain = _lines(_CAPITALS.sub(_name, _VERBATIM.sub(" xq ", text))).lower().replace("’", "'")
    for pattern, replacement in PHRASES:
        plain = pattern.sub(replacement, plain)
    return _Asked(verbatim, tuple(_clauses(plain, forms)), forms, sentences)


def _name(match: re.Match[str]) -> str:
    """A word in capitals that is a value and no function word: "return NONE"."""
    word = match[0].lower()
    return f"{word}_name" if word in MARKERS or word in STOP or word in NUMBERS else word


def _lines(text: str) -> str:
    """The text with what goes on in one line; each list item in its own."""
    text = re.sub(r"(?<!\n)\n(?!\n|[ \t]*(?:[-*•]|\d+[.)])[ \t])", " ", text)
    return re.sub(r"(?m)^[ \t]*(?:[-*•]|\d+[.)])[ \t]+", "\n", text)


def _parsed(text: str) -> tuple[dict[str, tuple[Token, ...]], tuple[frozenset[str], ...]]:
    forms: dict[str, tuple[Token, ...]] = {}
    sentences = []
    lines = [" ".join(line.split()) for line in _lines(text).replace("’", "'").split("\n")]
    for doc in parse_all([line for line in lines if line]):
        for token in doc:
            forms[token.lower_] = (*forms.get(token.lower_, ()), token)
        sentences += [frozenset().union(*(_concepts_of(t) for t in one if _says(t.lower_))) for one in doc.sents]
    return forms, tuple(sentences)


def _concepts_of(token: Token) -> frozenset[str]:
    return _concepts(token.lower_) | _concepts(token.lemma_.lower())


def _squeezed(text: str) -> str:
    text = " ".join(text.split())
    if text[0] == "{":
        return re.sub(r"\s*([:,{}\[\]])\s*", r"\1", text)
    if text[0] in '"“':
        return '"' + text[1:-1].rstrip(",.;: ") + '"'
    return text


def _clauses(plain: str, forms: dict[str, tuple[Token, ...]]) -> Iterator[_Clause]:
    part: list[str] = []
    for token in [*_TOKEN.findall(plain), "."]:
        if token not in _STOP:
            part.append(token)
        elif part:
            yield _clause(part, forms)
            part = []


def _clause(tokens: list[str], forms: dict[str, tuple[Token, ...]]) -> _Clause:
    words = [
        (index, _Word(token, _meaning(token, forms), _is_bound(tokens, index)))
        for index, token in enumerate(tokens)
        if _says(token)
    ]
    markers = []
    for index, token in enumerate(tokens):
        if kind := _required(tokens, index):
            ends = [place for place, other in enumerate(tokens) if place > index and other in (",", "but")]
            stop = ends[0] if ends and kind in _SHORT else len(tokens)
            scope = _nearest([word for place, word in words if index < place < stop])
            scope = scope or tuple(word for place, word in words if place < index)[-SCOPE:]
            scope = scope or tuple(word for _, word in words)[:SCOPE]
            said = [other for other in tokens[index + 1 : stop] if other[0].isalnum() and other not in STOP][:6]
            markers.append(_Marker(kind, token.replace("_", " "), scope, " ".join(said).replace("_", " ")))
    numbers = []
    for index, token in enumerate(tokens):
        if value := _value(token, tokens[max(0, index - 1) : index]):
            before = tokens[max(0, index - 2) : index]
            counted = before[-1:] in (["the"], ["these"], ["those"]) and token in NUMBERS
            limit = next((other for other in before if _marked(other) == "limit"), "the" if counted else "")
            numbers.append(f"{limit} {value}".replace("_", " ").strip())
    return _Clause(tuple(word for _, word in words), tuple(markers), tuple(numbers))


def _value(token: str, before: list[str]) -> str:
    if token == "one":
        return "1" if any(_marked(other) == "limit" for other in before) else ""
    return NUMBERS.get(token) or (token if token[0].isdigit() else "")


def _meaning(word: str, forms: dict[str, tuple[Token, ...]]) -> frozenset[str]:
    return frozenset().union(_concepts(word), *(_concepts_of(token) for token in forms.get(word, ())))


def _nearest(words: list[_Word]) -> tuple[_Word, ...]:
    """As many words as a marker is compared by, and the fillers between them."""
    says = [place for place, word in enumerate(words) if word.written not in FILLER][:SCOPE]
    return tuple(words[: says[-1] + 1] if says else words[:SCOPE])


def _required(tokens: list[str], index: int) -> str:
    """The kind of the marker at a place; empty if there is none, or if another one says the same."""
    before, after = tokens[max(0, index - 3) : index], tokens[index + 1 : index + 2]
    if tokens[index] == "opening" and after == ["xq"]:
        return ""
    if tokens[index] == "before" and (not after or after[0] in ",()"):
        return ""
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


def _opposites() -> dict[str, frozenset[str]]:
    rows = [{root(word) for word in row} for row in OPPOSITES]
    return {word: frozenset().union(*(row for row in rows if word in row)) - {word} for row in rows for word in row}


_OPPOSITES = _opposites()
_GROUPS = _grouped()
