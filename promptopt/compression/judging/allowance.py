"""What a text as a whole may still lose: of its sentences, of its structure, of its static prefix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.compression.sentences import TEXT

Loss = Literal["sentence", "structure"]
SHARES: dict[Loss, float] = {"sentence": 0.04, "structure": 0.08}
"""Share of a text's sentences that may go without being said elsewhere, and of its headings and list items."""
CLOSED: dict[Loss, str] = {
    "sentence": "too many of the text's sentences would go, so none does",
    "structure": "too much of the text's list and heading structure would go, so none does",
}


@dataclass(frozen=True, slots=True)
class PrefixLimit:
    """A static prefix that must not shrink below the provider's minimum for caching.

    Attributes:
        end: Position after its last character.
        tokens: Tokens that it may lose.
        why: The arithmetic, for the edits that are refused.
    """

    end: int
    tokens: int
    why: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a text may still lose.

    Of each kind of loss all that is proposed goes, or none of it: if a part went, a second run could take some of the
    rest.

    Attributes:
        sentences: How many whole sentences may go that are said nowhere else; below 0 once too many have gone.
        structure: The same for headings and list items.
        closed: The kinds of which more was proposed than may go: none goes.
        prefix: What the static prefix may lose; ``None`` if there is no such limit.
    """

    sentences: float
    structure: float
    closed: frozenset[Loss] = frozenset()
    prefix: PrefixLimit | None = None

    @classmethod
    def of(cls, document: Document, closed: frozenset[Loss], prefix: PrefixLimit | None) -> Allowance:
        """What ``document`` may lose."""
        marked = sum(sentence.kind != TEXT and sentence.first for sentence in document.sentences)
        return cls(SHARES["sentence"] * len(document.sentences), SHARES["structure"] * marked, closed, prefix)

    @property
    def exceeded(self) -> frozenset[Loss]:
        """The kinds of which more has gone than may."""
        left: dict[Loss, float] = {"sentence": self.sentences, "structure": self.structure}
        return frozenset(kind for kind, number in left.items() if number < 0)

    def refusal(self, edit: Edit, saved: int) -> str:
        """Why the static prefix cannot afford an edit; empty if it can."""
        prefix = self.prefix
        return prefix.why if prefix and edit.start < prefix.end and prefix.tokens < saved else ""

    def after(self, edit: Edit, saved: int, losses: Iterable[Loss]) -> Allowance:
        """What is left once an edit is made."""
        gone = Counter(losses)
        prefix = self.prefix
        if prefix is not None and edit.start < prefix.end:
            prefix = replace(prefix, tokens=prefix.tokens - saved)
        sentences, structure = self.sentences - gone["sentence"], self.structure - gone["structure"]
        return replace(self, sentences=sentences, structure=structure, prefix=prefix)

    def moved(self, edits: Sequence[Edit]) -> Allowance:
        """The same for the text in which ``edits`` were made."""
        if self.prefix is None:
            return self
        end = self.prefix.end
        shift = sum(edit.end - edit.start - len(edit.new) for edit in edits if edit.end <= end)
        return replace(self, prefix=replace(self.prefix, end=end - shift))
