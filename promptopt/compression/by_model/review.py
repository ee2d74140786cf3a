"""A second model reads a rewrite beside the original, and says what was lost or added.

The guard compares words. A reader sees as well that a word which is still there now says something else, and that one
which is gone may be missed by nobody: it decides what the guard only suspects. What it names, and the words by which it
finds something kept, have to be quoted from the texts; for an answer in words that they do not have it is asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from promptopt.compression.by_model.paragraph import RewrittenParagraph
from promptopt.compression.by_model.quoted import has, is_in_place, shares_a_run
from promptopt.compression.by_model.review_question import KEPT, answer_schema, most_tokens, question, rest_of
from promptopt.compression.guard.deviation import Deviation
from promptopt.errors import AnswerError
from promptopt.providers.asking import AskedModel, next_question
from promptopt.schemas.parse import parse
from promptopt.values import Response

_UNREAD = "Your answer could not be read: {why}. Answer again, with the JSON alone."
_DOUBTED = (
    "In your answer {doubts}. Read passage and rewrite once more and answer again with the whole JSON. Copy the words "
    "of a loss from the passage and those of an addition from the rewrite, exactly and with enough words around them "
    "to tell the place; leave out what is neither lost nor added.{suspected}"
)
_DOUBTED_SUSPECTED = (
    " Copy the words that keep something that is suspected to be lost from the rewrite or the rest (to be added: from "
    "the passage or the rest); where none say it but nothing could be done otherwise leave them empty and say why."
)
ROUNDS = 2
"""How often a model is asked for one review: once more if its answer cannot be read, or quotes what is not there."""
_LONGEST_WHY = 160


@dataclass(frozen=True, slots=True)
class NamedChange:
    """What a model says to be lost or added.

    Attributes:
        is_added: It was added; else it was lost.
        words: Quoted from the rewrite, or from the original; empty if what the guard suspected says more.
        why: What may be done otherwise, in the model's words.
        suspicion: What the guard suspected, if the model was asked whether it is so.
    """

    is_added: bool
    words: str
    why: str
    suspicion: Deviation | None = None

    @property
    def what(self) -> str:
        """What is lost or added, as a person would name it."""
        return self.suspicion.what if self.suspicion and not self.words else repr(self.words)

    def is_in(self, was: str, now: str, deviations: Sequence[Deviation]) -> bool:
        """Whether a part of the original, or of the rewrite in its place, has the quoted words or a part of them.

        Args:
            deviations: What the guard says of that part.
        """
        return shares_a_run(now if self.is_added else was, self.words) or self.suspicion in deviations


@dataclass(frozen=True, slots=True)
class Kept:
    """What a model says of a suspicion that it finds wrong.

    Attributes:
        number: That of the suspicion in the question.
        words: Quoted from the text that says it; empty if none does and nothing could be done otherwise.
        why: Why nothing else can be done, in the model's words.
    """

    number: int
    suspicion: Deviation
    words: str
    why: str


@dataclass(frozen=True, slots=True)
class Review:
    """What a model says of one rewrite.

    Attributes:
        named: What is lost or added; empty if all is kept.
        unread: Why there is no review; empty if there is one.
        refusal: Why the rewrite is not taken, as the rest of a sentence that begins with "it"; empty: it is.
    """

    named: tuple[NamedChange, ...] = ()
    unread: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a reviewer was asked in all.

    Attributes:
        texts: Those that would be taken, each of which was reviewed.
        objected: Those in which it named a loss or an addition.
        unread: Those of which its answer was no review.
    """

    model: str
    texts: int
    objected: int
    unread: int

    def __str__(self) -> str:
        unread = f" and gave no review of {self.unread}" if self.unread else ""
        return f"{self.model} reviewed {self.texts} and objected to {self.objected}{unread}"


@dataclass
class Reviewer(AskedModel):
    """A model that is asked for reviews.

    Attributes:
        reviews: Those of all texts that it was given.
    """

    reviews: dict[tuple[str, str, str], Review] = field(default_factory=dict)

    @property
    def reviewed(self) -> Reviewed:
        """What came of all."""
        reviews = self.reviews.values()
        objected, unread = sum(bool(one.named) for one in reviews), sum(bool(one.unread) for one in reviews)
        return Reviewed(self.model, len(self.reviews), objected, unread)

    def review(self, paragraph: RewrittenParagraph, new: str, suspicions: Sequence[Deviation] = ()) -> Review:
        """What is lost or added if ``new`` takes the paragraph's place. The same question is asked once.

        Args:
            suspicions: What the guard says of it and is not certain of. It decides each.

        Raises:
            ProviderError: The endpoint did not answer.
        """
        key = (paragraph.old, new, paragraph.replaced_by(""))
        if key not in self.reviews:
            self.reviews[key] = self._asked(paragraph, new, suspicions)
        return self.reviews[key]

    def _asked(self, paragraph: RewrittenParagraph, new: str, suspicions: Sequence[Deviation]) -> Review:
        request = question(self.model, paragraph, new, suspicions)
        wrong = ""
        for _ in range(ROUNDS):
            response = self.answer(request)
            try:
                said = tuple(_read(response, paragraph, new, suspicions))
            except AnswerError as error:
                wrong = str(error)
                request = next_question(request, response, _UNREAD.format(why=wrong))
                continue
            doubts = {one: doubt for one in said if (doubt := _doubt(one, paragraph, new))}
            if proved := tuple(one for one in said if isinstance(one, NamedChange) and one not in doubts):
                return Review(proved, refusal=_refusal(proved, self.model))
            if not doubts:
                return Review()
            wrong = "; ".join(doubts.values())
            suspected = _DOUBTED_SUSPECTED if suspicions else ""
            request = next_question(request, response, _DOUBTED.format(doubts=wrong, suspected=suspected))
        # A loss that it insists on, in whatever words, is not reviewed away.
        return Review(unread=wrong, refusal=f"was not reviewed ({self.model}: {wrong})")


def _read(
    response: Response, paragraph: RewrittenParagraph, new: str, suspicions: Sequence[Deviation]
) -> Iterator[NamedChange | Kept]:
    """What is said of each suspicion, and what else is named.

    Raises:
        AnswerError: The answer is not the JSON that was asked for, and nothing else.
    """
    if response.finish_reason == "length":
        raise AnswerError(f"it was cut off at {most_tokens(suspicions):,} tokens", response.text)
    parsed = parse(response.text, answer_schema(suspicions))
    if not parsed.is_whole:
        # Words around "nothing is lost" may say that something is.
        raise AnswerError(f"it is not JSON alone ({parsed.repairs[0]})", response.text)
    data: dict[str, Any] = parsed.data
    for number, suspicion in enumerate(suspicions, 1):
        one = data["suspected"][str(number)]
        words, why = _words_and_why(one)
        if one["verdict"] == KEPT:
            yield Kept(number, suspicion, words, why)
        else:
            # Guard and model agree that it is lost, whatever the model quotes.
            named = NamedChange(suspicion.is_added, words, why, suspicion)
            yield replace(named, words="") if _misquotes(named, paragraph.old, new) else named
    for key in ("lost", "added"):
        for one in data[key]:
            yield NamedChange(key == "added", *_words_and_why(one))


def _words_and_why(said: dict[str, str]) -> tuple[str, str]:
    why = " ".join("".join(mark if mark.isprintable() else " " for mark in said["why"]).split())
    return " ".join(said["words"].split()), why[:_LONGEST_WHY]


def _doubt(said: NamedChange | Kept, paragraph: RewrittenParagraph, new: str) -> str:
    """What speaks against it, as the rest of a sentence; empty if nothing does."""
    if isinstance(said, NamedChange):
        return "" if said.suspicion else _misquotes(said, paragraph.old, new)
    if not said.words:
        return "" if said.why else f"suspicion {said.number} is kept without words that say it and without a reason"
    text, name = (paragraph.old, "passage") if said.suspicion.is_added else (new, "rewrite")
    if has(text, said.words) or has(rest_of(paragraph), said.words):
        return ""
    return f"{said.words!r}, which keeps suspicion {said.number}, is neither in the {name} nor in the rest"


def _misquotes(named: NamedChange, old: str, new: str) -> str:
    """What speaks against the quotation of a loss or an addition."""
    text, other = (new, old) if named.is_added else (old, new)
    name, others = ("rewrite", "passage") if named.is_added else ("passage", "rewrite")
    if not has(text, named.words):
        return f"{named.words!r} is not in the {name}"
    if is_in_place(text, named.words, other):
        return f"{named.words!r} is in the {others} too, between the same words"
    return ""


def _refusal(named: Sequence[NamedChange], model: str) -> str:
    kinds = []
    for verb, added in (("lose", False), ("add", True)):
        of_kind = [one for one in named if one.is_added is added]
        if of_kind:
            kinds.append(f"would {verb} " + ", ".join(f"{one.what} ({model}: {one.why})" for one in of_kind))
    return " and ".join(kinds)
