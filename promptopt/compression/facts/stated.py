"""What a prompt says that must survive its compression: numbers, negations, limits, quotes, names, conditions, ...

Facts are compared, not embedded: with every negation flipped, sentence embeddings still call two prompts the same.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from promptopt.compression.facts.reading import ALONE, FUNCTION_WORDS, PASSED_OVER, SET_APART, read, stem, tokens
from promptopt.compression.masks import Masked, Zone, mask
from promptopt.compression.sentences import HEADING, ITEM, Sentence, is_english, split_sentences
from promptopt.compression.text.any_case import AnyCase
from promptopt.compression.text.masked_lines import MASK
from promptopt.errors import check_argument

SCOPE_WORDS = 3
"""How many words after a negation, a limit or a condition belong to it."""


_DIGITS = re.compile(r"\d+")
_PLAIN = re.compile(r"[a-z](?<![\w'’-][a-z])[a-z]{3,}(?![\w'’-])")
_DIGIT = re.compile(r"\d")
_DATE = re.compile(
    r"\b\d{4}-\d{2}-\d{2}\b|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s+\d{1,2}(?:st|nd|rd|th)?(?:,?\s+\d{4})?\b"
    r"|\b\d{1,2}\s+(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s+\d{4}\b"
)
_NAMES = r"(?<=[^\s.!?:*•>)#-])[ \t]+\(?([A-Z][\w’'&-]*[a-zA-Z0-9])|\b([A-Z]{2,}[A-Z0-9]*s?)\b"
_NAME, _NAME_OR_INNER = re.compile(_NAMES), re.compile(rf"{_NAMES}|\b(\w*[a-z][A-Z]\w*)\b")
# Without one, no word has to be read to its end for a capital inside.
_INNER = re.compile(r"[A-Z](?<=[a-z][A-Z])")
_THE_IN_A_NAME = re.compile(r"The(?<=[a-z,] The)(?= [A-Z])")
_CAPITAL = re.compile(r"[A-Z]")
_EXAMPLE = AnyCase(r"\b(?:e\.g\.|for\s+example|for\s+instance|such\s+as)[,:]?\s+([^.;\n]{2,80})")
_ENUM = AnyCase(
    r"\b(?:one of|any of|either|among|choose from|categories|category|labels?|classes|options|values|"
    r"choices|types|levels|"
    r"statuses|formats)\b[^.:\n]{0,40}?[:(]?\s+([\w’'-]+(?: [\w’'-]+){0,3}(?:(?:, ?|/|\|| or |"
    r" and )+[\w’'-]+(?: [\w’'-]+){0,3}){1,12})",
)
# A sentence without one of these needs neither pattern.
_LISTING = tuple(
    "e.g. example instance such one any either among choose categor label class option value choice type level "  # noqa: SIM905 - read as words
    "status format".split()
)
_JSON_KEY = re.compile(r"[\"']([\w .-]{1,60})[\"']\s*:")
_ARTICLE = re.compile(r"\s(?:the|an?)\s", re.IGNORECASE)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a text says and that must survive.

    Attributes:
        kind: ``number``, ``negation``, ``limit``, ``modal``, ``restriction``, ``condition``, ``name``, ``date``,
            ``example``, ``enum``, ``quote``, ``placeholder``, ``code``, ``url``, ``json key``, ``structure``,
            ``language``, ``word``, ...
        value: The word, number or text itself, in lower case if case says nothing.
        scope: The words it applies to; empty if it stands alone.
        line: Line in the text, counted from 1.
    """

    kind: str
    value: str
    scope: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)

    # Without the scope: facts are counted often and seldom differ in it alone.
    def __hash__(self) -> int:
        return hash((self.kind, self.value))

    def __str__(self) -> str:
        scope = f" ({' '.join(self.scope)})" if self.scope else ""
        return f"{self.kind} {self.value!r}{scope}"


@dataclass(frozen=True, slots=True)
class FactSentence:
    """The facts of one sentence.

    Attributes:
        text: The sentence in the source.
        facts: All its facts, its plain content words included (kind ``word``).
    """

    text: str = field(compare=False)
    line: int = field(compare=False)
    facts: tuple[Fact, ...]

    @property
    def key(self) -> frozenset[tuple[Fact, int]]:
        """Equal for sentences that say the same in the same words, in any order."""
        return frozenset(Counter(self.facts).items())


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts of a text, sentence by sentence. Two texts that say the same compare equal."""

    sentences: tuple[FactSentence, ...]

    def __iter__(self) -> Iterator[Fact]:
        """The facts without the plain words, in the text's order."""
        return (fact for sentence in self.sentences for fact in sentence.facts if fact.kind != "word")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, fact: object) -> bool:
        return any(fact == other for sentence in self.sentences for other in sentence.facts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and not self.lost(other) and not other.lost(self)

    def __hash__(self) -> int:
        # Equal texts may repeat a sentence or order them otherwise, but each fact of one is in the other. Whether a
        # line is a list item may differ: a sentence that another one contains is not missed.
        return hash(
            frozenset(fact for sentence in self.sentences for fact in sentence.facts if fact.kind != "structure")
        )

    def of(self, kind: str) -> list[Fact]:
        """The facts of one kind."""
        return [fact for sentence in self.sentences for fact in sentence.facts if fact.kind == kind]

    def lost(self, after: Facts) -> list[Fact]:
        """What this text says and ``after`` does not: facts that are gone or altered.

        A sentence that is said twice need be said once; a sentence that another one contains need not be said.

        Raises:
            TypeError: ``after`` is not :class:`Facts`.
        """
        if not isinstance(after, Facts):
            raise TypeError(f"lost() compares with Facts, not with {type(after).__name__}: pass promptopt.facts(text)")
        return compare_facts(self, after).lost


@dataclass(frozen=True, slots=True)
class FactDifference:
    """Facts of the first text that the second lacks, and the other way round."""

    lost: list[Fact]
    added: list[Fact]

    def __bool__(self) -> bool:
        return bool(self.lost or self.added)


def facts(text: str) -> Facts:
    """The facts of a text or a template.

    Negations, limits, duties and conditions carry the words they apply to, so that moving one is seen as well as
    deleting it. Protected stretches (code, quotes, placeholders, examples, tables) are facts as they are written.
    """
    check_argument(isinstance(text, str), "text", text, "a text")
    return _facts(text.replace("\r\n", "\n").replace("\r", "\n"))


@lru_cache(maxsize=4096)
def _facts(text: str) -> Facts:
    masked = mask(text)
    return Facts((*_sentences(masked), *_loose_zones(masked), *_whole(masked)))


def compare_facts(before: Facts, after: Facts) -> FactDifference:
    """What two texts say differently, from the sentences that they do not share."""
    was, now = Counter(sentence.key for sentence in before.sentences), Counter(s.key for s in after.sentences)
    fewer, more = was - now, now - was
    if not fewer and not more:
        return FactDifference([], [])
    by_key = {sentence.key: sentence for sentence in (*after.sentences, *before.sentences)}
    new = [by_key[key] for key in more.elements() if key not in was]
    # A sentence that is still said elsewhere is gone only if it came back altered.
    gone = [by_key[key] for key in fewer if key not in now]
    gone += _altered([by_key[key] for key in fewer if key in now], new)
    kept = [Counter(_said(sentence)) for sentence in after.sentences if sentence.key in was]
    missing = _count([sentence for sentence in gone if sentence.key in now or not _contained(sentence, kept)])
    missing -= _count(new)
    extra = _count(new) - _count(gone)
    return FactDifference(_listed(missing), [fact for fact in _listed(extra) if fact.kind not in ("word", "structure")])


def _altered(repeated: list[FactSentence], new: list[FactSentence]) -> list[FactSentence]:
    found = []
    for sentence in repeated:
        own = Counter(_said(sentence))
        if any((own & Counter(_said(other))).total() * 2 > own.total() for other in new):
            found.append(sentence)
    return found


def _said(sentence: FactSentence) -> list[Fact]:
    return [fact for fact in sentence.facts if fact.kind != "structure"]


def _contained(sentence: FactSentence, kept: list[Counter[Fact]]) -> bool:
    own = Counter(_said(sentence))
    # A lone word is contained in too much to prove anything.
    return len(own) > 2 and any(not own - other for other in kept)


def _count(sentences: list[FactSentence]) -> Counter[Fact]:
    return Counter(fact for sentence in sentences for fact in sentence.facts)


def _listed(counted: Counter[Fact]) -> list[Fact]:
    return sorted(counted.elements(), key=lambda fact: (fact.line, fact.kind == "word", fact.kind, fact.value))


def _sentences(masked: Masked) -> Iterator[FactSentence]:
    line, position = 1, 0
    for sentence in split_sentences(masked.masked):
        line += masked.text.count("\n", position, sentence.start)
        position = sentence.start
        text = masked.text[sentence.start : sentence.end]
        found = sentence_facts(masked, sentence, line)
        if found:
            yield FactSentence(text, line, found)


def sentence_facts(masked: Masked, sentence: Sentence, line: int = 0) -> tuple[Fact, ...]:
    """The facts of one sentence of a masked text."""
    return tuple(_sentence_facts(masked, sentence, line))


def _sentence_facts(masked: Masked, sentence: Sentence, line: int) -> Iterator[Fact]:
    if sentence.kind in (HEADING, ITEM) and sentence.first:
        marker = masked.masked[sentence.marker : sentence.start].strip(" \t>")
        number = f" {marker}" if marker[:1].isalnum() else ""
        yield Fact("structure", sentence.kind + number, (), line)
    plain = masked.masked[sentence.start : sentence.end]
    index = bisect_left(masked.zones, sentence.start, key=lambda zone: zone.start)
    while index < len(masked.zones) and masked.zones[index].start < sentence.end:
        yield from _zone_facts(masked.zones[index], _zone_text(masked.zones[index], masked), line)
        index += 1
    found = word_facts(plain, is_heading=sentence.kind == HEADING)
    yield from (Fact(fact.kind, fact.value, fact.scope, line) for fact in found) if line else found


@lru_cache(maxsize=8192)
def word_facts(plain: str, *, is_heading: bool = False) -> tuple[Fact, ...]:
    """The facts of a sentence whose protected stretches are masked."""
    return tuple(_word_facts(plain, is_heading))


# Most facts of a text are in its next version as well.
_fact = lru_cache(maxsize=32768)(Fact)


@lru_cache(maxsize=8192)
def plain_words(masked: str) -> frozenset[str]:
    """Some of the words and numbers that :func:`word_facts` makes facts of, in a fraction of its time.

    Only words that are facts wherever they are. If they differ, the facts do.
    """
    found = frozenset(_PLAIN.findall(masked.lower()))
    # A stem is a word without its plural: most words are their own.
    stems = {stem(word) if word[-1] == "s" else word for word in found - _NO_PLAIN}
    return frozenset(stems).union(_DIGITS.findall(masked), found & _PLAIN_ALONE)


_NO_PLAIN, _PLAIN_ALONE = SET_APART | PASSED_OVER, ALONE - PASSED_OVER


def _word_facts(plain: str, is_heading: bool) -> Iterator[Fact]:
    if _DIGIT.search(plain):
        for match in _DATE.finditer(plain):
            yield _fact("date", _squeeze(match[0]))
    if not is_heading:
        yield from _named(plain)
    found = tokens(read(plain))
    for index, (kind, value) in enumerate(found):
        if kind == "word" and value != "from":
            yield _word_fact(value)
        elif kind == "word":
            # Where something comes from and where it goes may change places and keep every word.
            yield _fact("word", value, _scope(found, index)[:1])
        elif kind not in ("hole", "break"):
            yield _fact(kind, value, _scope(found, index))
    yield from _listed_items(plain)


def _named(plain: str) -> Iterator[Fact]:
    if not _CAPITAL.search(plain, 1):
        return
    for _ in _THE_IN_A_NAME.finditer(plain):
        yield _fact("name", "The")
    for match in (_NAME_OR_INNER if _INNER.search(plain) else _NAME).finditer(plain):
        if name := _name_fact(match[match.lastindex or 0]):
            yield name


@lru_cache(maxsize=16384)
def _word_fact(word: str) -> Fact:
    return Fact("word", word.replace("’", "'"))


@lru_cache(maxsize=4096)
def _name_fact(word: str) -> Fact | None:
    """The name that a word with a capital is; ``None`` if it is none."""
    name = word.partition("'")[0].partition("’")[0]
    # Capitals for emphasis are not names.
    is_name = len(name) > 1 and name.lower() not in FUNCTION_WORDS and not (name.isupper() and len(name) > 6)
    return Fact("name", name) if is_name else None


def _listed_items(plain: str) -> Iterator[Fact]:
    """What is named as an example, or as one of several values."""
    lower = plain.lower()
    if not any(hint in lower for hint in _LISTING):
        return
    fragment = _ARTICLE.sub(" ", _squeeze(plain))
    for pattern, kind in ((_EXAMPLE, "example"), (_ENUM, "enum")):
        for match in pattern.finditer(fragment):
            for item in re.split(r",|/|\||\bor\b|\band\b", fragment[slice(*match.span(1))]):
                words = [stem(value) for name, value in tokens(read(item)) if name not in ("hole", "break")]
                if words:
                    yield _fact(kind, " ".join(words))


def _scope(tokens: list[tuple[str, str]], index: int) -> tuple[str, ...]:
    words: list[str] = []
    for kind, value in islice(tokens, index + 1, None):
        if value in (".", ";", "!", "?", "(") or len(words) == SCOPE_WORDS:
            break
        if kind != "break":
            words.append("…" if kind == "hole" else stem(value))
    return tuple(words)


def _zone_text(zone: Zone, masked: Masked) -> str:
    return _squeeze(masked.text[zone.start : zone.end])


def _zone_facts(zone: Zone, content: str, line: int) -> Iterator[Fact]:
    if not content:
        return
    kind = {"jinja": "placeholder", "braces": "placeholder", "identifier": "code"}.get(zone.kind, zone.kind)
    if zone.kind == "braces":
        keys = _JSON_KEY.findall(content)
        for key in keys:
            yield Fact("json key", key, (), line)
        kind = "json" if keys else kind
    if kind == "example":
        content = " ".join(value for _, value in tokens(read(content)))
    yield Fact(kind, content, (), line)


def _loose_zones(masked: Masked) -> Iterator[FactSentence]:
    """Protected stretches outside sentences: code blocks, examples, tables, tags on their own line."""
    inside = [(sentence.start, sentence.end) for sentence in split_sentences(masked.masked)]
    cursor = 0
    for zone in masked.zones:
        while cursor < len(inside) and inside[cursor][1] <= zone.start:
            cursor += 1
        if cursor < len(inside) and inside[cursor][0] <= zone.start:
            continue
        line = masked.text.count("\n", 0, zone.start) + 1
        found = tuple(_zone_facts(zone, _zone_text(zone, masked), line))
        if found:
            yield FactSentence(masked.text[zone.start : zone.end], line, found)


def _whole(masked: Masked) -> Iterator[FactSentence]:
    plain = masked.masked.replace(MASK, "")
    if plain.strip():
        language = "en" if is_english(plain) else "other"
        yield FactSentence("", 1, (Fact("language", language, (), 1),))


def _squeeze(text: str) -> str:
    return _SPACE.sub(" ", text).strip()
