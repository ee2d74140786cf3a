"""One edit as a change of a parsed sentence, what is read off a parse, and what a licence is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from promptopt.compression.edit import Level
from promptopt.compression.witness.parser import base_form

if TYPE_CHECKING:
    from spacy.tokens import Token

_WRITTEN_OUT = {"'ll": "will", "'re": "are", "'m": "am", "'ve": "have", "'s": "is", "n't": "not", "'d": "would"}
HELPING = ("aux", "auxpass")
"""The relations of helping verbs to theirs."""


def words_of(text: str) -> frozenset[str]:
    """The words of a list, parted by blanks."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Change:
    """What one edit does to a sentence.

    Attributes:
        gone: The words and marks that leave, as the sentence was parsed before.
        new: Those that come, as it is parsed afterwards.
        level: The level of compression.
    """

    gone: tuple[Token, ...]
    new: tuple[Token, ...]
    level: Level

    @property
    def words(self) -> tuple[Token, ...]:
        """The words that leave, without punctuation."""
        return tuple(token for token in self.gone if not is_mark(token))

    @property
    def old_text(self) -> str:
        """The words that leave, in lower case and with contractions written out."""
        return plain(self.words)

    @property
    def new_text(self) -> str:
        """The words that come, in the same form."""
        return plain(token for token in self.new if not is_mark(token))

    @property
    def lemmas(self) -> frozenset[str]:
        return frozenset(lemma(token) for token in self.words)

    @property
    def hanging(self) -> list[Token]:
        """Words that stay and whose head leaves."""
        found = (child for token in self.gone for child in token.children)
        return [child for child in found if child not in self.gone and not (is_mark(child) or child.is_space)]

    @property
    def before(self) -> Token | None:
        """The word or mark right before the words that leave."""
        return beside(self.gone[0], -1)

    @property
    def after(self) -> Token | None:
        """The word or mark right after them."""
        return beside(self.gone[-1], 1)

    @property
    def opens(self) -> bool:
        """Whether a clause begins with the words that leave."""
        before = self.before
        return before is None or before.is_punct or before.dep_ == "cc" or before.lower_ in ("then", "so")


def is_mark(token: Token) -> bool:
    """Whether a token is punctuation; signs such as % and & are words."""
    return all(character in ",.;:!?\"'’“”()[]*_-–—…" for character in token.text)


def beside(token: Token, step: int) -> Token | None:
    """The word or mark beside a token, before it (-1) or after it (1)."""
    index = token.i + step
    while 0 <= index < len(token.doc):
        if not token.doc[index].is_space:
            return token.doc[index]
        index += step
    return None


def plain(tokens: Iterable[Token]) -> str:
    """Words in lower case, contractions written out."""
    words = (token.lower_.replace("’", "'") for token in tokens)
    return " ".join(_WRITTEN_OUT.get(word, word) for word in words)


def lemma(token: Token) -> str:
    """The base form of a word, in lower case."""
    return "be" if token.lower_ in ("'s", "’s") else base_form(token).lower()


def subject_of(verb: Token) -> Token | None:
    """The subject of a verb, if it has one."""
    return next((child for child in verb.children if child.dep_ in ("nsubj", "nsubjpass", "csubj", "expl")), None)


def is_order(verb: Token) -> bool:
    """Whether a verb is an imperative."""
    return verb.tag_ in ("VB", "VBP") and subject_of(verb) is None


def is_seconded(verb: Token, *openings: str) -> bool:
    """Whether a second verb has its own opening: "to read and to decide", "that it is late and that he is tired"."""
    seconds = (child for child in verb.children if child.dep_ == "conj")
    return any(word.lower_ in openings for second in seconds for word in second.lefts)


@dataclass(frozen=True, slots=True)
class Licence:
    """Why words may go.

    Attributes:
        reason: What they are.
        covers: Whether a change is one of these.
        telegraphic: Whether only notes may lose them.
        keeps: What must be as before among the words that stay: their ``relations``, only what is a noun and what a
            verb (``kinds``), or nothing, if the words go around a clause that stays whole.
    """

    reason: str
    covers: Callable[[Change], bool]
    telegraphic: bool = False
    keeps: Literal["relations", "kinds", ""] = "relations"
