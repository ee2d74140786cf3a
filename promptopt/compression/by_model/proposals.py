"""What a model proposes for one paragraph, and what is taken of it: a proposal, sentences of one, or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from promptopt.compression.by_model.paragraph import RewrittenParagraph
from promptopt.compression.by_model.review import NamedChange, Review, Reviewer
from promptopt.compression.guard.deviation import Deviation
from promptopt.providers.asking import AskedModel, next_question, steady
from promptopt.values import Message, Request

INSTRUCTION = (
    "Rewrite the text between <text> and </text> in as few words as you can. Keep every instruction, number, name, "
    "quoted string, negation, condition, limit and word such as only, never, must, all. Keep the order, the line "
    "breaks and the list markers. Copy everything in {{ }}, {% %}, backticks and quotes exactly, each once. "
    "Answer with the rewritten text alone."
)
AGAIN = (
    "Refused: it {why}. Rewrite the text once more. Say what was lost in the text's own words, take back what was "
    "added, and leave the rest short. Answer with the rewritten text alone."
)
ROUNDS = 2
"""How often a model is asked for one paragraph: once more after a refusal, with the reason."""


@dataclass
class ParagraphOutcome:
    """What became of a paragraph.

    Attributes:
        new: The text that takes its place; its own if nothing was taken.
        refused: What was not taken, with the reason; empty if a proposal was taken as it came.
    """

    new: str
    refused: dict[str, str] = field(default_factory=dict)


def rewritten(writer: AskedModel, reviewer: Reviewer | None, paragraph: RewrittenParagraph) -> ParagraphOutcome:
    """Ask for a paragraph in other words until a proposal is taken, :data:`ROUNDS` times at most.

    Args:
        reviewer: Reads what the guard is not certain to be a loss; what it objects to, or does not review, is not
            taken. Without one nothing is taken that the guard suspects.

    Raises:
        ProviderError: An endpoint did not answer.
    """
    refused: dict[str, str] = {}
    named: list[NamedChange] = []
    messages = (Message("system", INSTRUCTION), Message("user", f"<text>{paragraph.old}</text>"))
    request = Request(writer.model, messages, steady(writer.model))
    for _ in range(ROUNDS):
        response = writer.answer(request)
        new = _answer(response.text)
        verdict = paragraph.judged(new)
        why = verdict.refusal if reviewer is None else verdict.certain_refusal
        if not why and reviewer is not None:
            review = reviewer.review(paragraph, new, verdict.suspicions)
            why = review.refusal
            named += review.named
            if review.unread:
                # Neither does the writer know better, nor is there a review of its sentences to be had.
                return ParagraphOutcome(paragraph.old, refused | {new: why})
        if not why:
            return ParagraphOutcome(new)
        # A model that says nothing, or the same again, has nothing else to say.
        is_said = not new or new in refused
        refused[new] = why
        if is_said:
            break
        request = next_question(request, response, AGAIN.format(why=why))
    return _in_part(reviewer, paragraph, refused, named)


def _in_part(
    reviewer: Reviewer | None, paragraph: RewrittenParagraph, refused: dict[str, str], named: Sequence[NamedChange]
) -> ParagraphOutcome:
    """The sentences of refused proposals that lose nothing and that the reviewer did not object to."""
    proposals, found = list(refused), [*named]

    def objected(was: str, now: str, deviations: Sequence[Deviation]) -> bool:
        if reviewer is None:
            return bool(deviations)
        return any(one.is_certain for one in deviations) or any(one.is_in(was, now, deviations) for one in found)

    for _ in range(ROUNDS):
        mixed = [paragraph.kept_sentences(each, objected) for each in proposals]
        new = min(mixed, key=paragraph.count)
        if new == paragraph.old:
            break
        verdict = paragraph.judged(new)
        if verdict.refusal if reviewer is None else verdict.certain_refusal:
            break
        review = Review() if reviewer is None else reviewer.review(paragraph, new, verdict.suspicions)
        if not review.refusal:
            return ParagraphOutcome(new, refused)
        refused[new] = review.refusal
        if review.unread:
            break
        found += review.named
    return ParagraphOutcome(paragraph.old, refused)


def _answer(text: str) -> str:
    return re.sub(r"\A\s*<text>|</text>\s*\Z", "", text.strip()).strip()
