"""A rewrite that a model proposes and the facts judge, and then, with a review, another model."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal

from promptopt.compression.by_model.paragraph import RewrittenParagraph
from promptopt.compression.by_model.proposals import rewritten
from promptopt.compression.by_model.review import Reviewed, Reviewer
from promptopt.compression.document import Document, source_tokens
from promptopt.compression.engine import Compression
from promptopt.compression.facts.stated import facts
from promptopt.compression.judging.judge import JudgedEdit
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.witness.parser import parse
from promptopt.config import load_config
from promptopt.money import dollars
from promptopt.providers import Provider, make_provider
from promptopt.providers.asking import AskedModel
from promptopt.templates import Template
from promptopt.tokens import tokenizer_for
from promptopt.values import Usage

LEAST_WORDS = 5
_PARAGRAPH = re.compile(r"[^\s][^\n]*(?:\n[^\n]*[^\s][^\n]*)*")


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The result of a model's proposals.

    Attributes:
        compression: The compression with the proposals that were kept.
        asked: Paragraphs that the model was asked to rewrite.
        kept: Those of which a proposal, the first or the one after a refusal, lost no fact and was shorter.
        partly: Others of which the sentences were taken that lose none.
        usd: List cost of asking, reviews included; ``None`` for an unpriced model, or if a call was not measured.
        calls_to_repay: Calls of the prompt after which the rewrite has paid for itself; ``None`` if unknown.
        reviewed: What a second model was asked; ``None`` if none was.
    """

    compression: Compression
    asked: int
    kept: int
    partly: int
    usd: Decimal | None
    calls_to_repay: int | None
    reviewed: Reviewed | None = None

    def __str__(self) -> str:
        repaid = "" if self.calls_to_repay is None else f"; paid for after {self.calls_to_repay:,} calls"
        partly = f", {self.partly} taken in part" if self.partly else ""
        reviewed = "" if self.reviewed is None else f"; {self.reviewed}"
        kept = f"{self.kept} of {self.asked} proposals kept every fact{partly}"
        return f"rewrite: {kept}{reviewed}; asking cost {dollars(self.usd)}{repaid}"


def rewrite_prompt(
    template: Template,
    compression: Compression,
    model: str,
    provider: Provider | None = None,
    *,
    review: str | None = None,
    reviewer: Provider | None = None,
) -> Rewrite:
    """Ask ``model`` to rewrite the paragraphs of a compressed prompt; keep the rewrites that lose no fact.

    A refused one is asked for once more, with the reason.

    Args:
        provider: Answers instead of the one that the model's name selects.
        review: A model that reads each rewrite beside the original, unless it certainly loses something, and decides
            what is only suspected; where it finds a loss nothing is taken, nor where it does not answer the question.
        reviewer: Answers instead of the one that the name of ``review`` selects.

    Raises:
        ProviderError: The endpoint did not answer.
        MissingExtra: spaCy is not installed.
        UsageError: Its English pipeline is not.
    """
    with ExitStack() as made:
        writer = AskedModel(model, provider or _made(made, model))
        second = None if review is None else Reviewer(review, reviewer or _made(made, review))
        parse("")  # a missing parser is said before the first call is paid
        price_as = load_config().price_as or template.front.model
        document = Document(compression.text, template.front, template.path, price_as)
        count = tokenizer_for(document.model).count
        text, edits, refused = compression.text, list(compression.edits), list(compression.refused)
        paragraphs = list(_paragraphs(document))
        kept = partly = 0
        for start, end in reversed(paragraphs):
            paragraph = RewrittenParagraph(text, start, end, count)
            found = rewritten(writer, second, paragraph)
            line, column = document.line_of(start)
            edit = JudgedEdit("rewrite", line, column, paragraph.old, "", 0, len(facts(paragraph.old)))
            refused += [replace(_with(edit, new, count), refused=why) for new, why in found.refused.items()]
            if found.new != paragraph.old:
                kept, partly = kept + (not found.refused), partly + bool(found.refused)
                edits.append(_with(edit, found.new, count))
                text = paragraph.replaced_by(found.new)
    after = replace(
        compression,
        text=text,
        tokens_after=source_tokens(text, document.model),
        edits=tuple(edits),
        refused=tuple(refused),
    )
    costs = [one.usd for one in (writer, second) if one is not None]
    usd = None if None in costs else sum(filter(None, costs), Decimal(0))
    repay = _calls_to_repay(usd, document, compression.tokens_after - after.tokens_after)
    return Rewrite(after, len(paragraphs), kept, partly, usd, repay, None if second is None else second.reviewed)


def _made(stack: ExitStack, model: str) -> Provider:
    provider = make_provider(model)
    stack.callback(provider.close)
    return provider


def _with(edit: JudgedEdit, new: str, count: Callable[[str], int]) -> JudgedEdit:
    return replace(edit, new=new, tokens=count(edit.old) - count(new))


def _paragraphs(document: Document) -> list[tuple[int, int]]:
    """Stretches of English prose between empty lines and tags. Variables, code and quotes may be inside them."""
    source = document.masks.source
    walls = [piece for piece in source.pieces if piece.kind not in ("text", "expression")]
    starts = [source.front_end, *(piece.end for piece in walls)]
    ends = [*(piece.start for piece in walls), len(document.text)]
    found: list[tuple[int, int]] = []
    for start, end in zip(starts, ends, strict=True):
        spans = (match.span() for match in _PARAGRAPH.finditer(document.text, start, end))
        found.extend(span for span in spans if _is_whole(document, *span) and _is_prose(document, *span))
    return found


def _is_whole(document: Document, start: int, end: int) -> bool:
    """Whether a stretch has its lines to itself and cuts no protected stretch."""
    before, after = document.text[:start].rpartition("\n")[2], document.text[end:].partition("\n")[0]
    return (
        not before.strip()
        and not after.strip()
        and all(start <= zone.start and zone.end <= end for zone in document.zones_in(start, end))
    )


def _is_prose(document: Document, start: int, end: int) -> bool:
    words = document.masked[start:end].replace(MASK, " ").split()
    inside = any(sentence.start >= start and sentence.end <= end for sentence in document.prose)
    return inside and len(words) >= LEAST_WORDS


def _calls_to_repay(usd: Decimal | None, document: Document, saved: int) -> int | None:
    price = document.price
    if usd is None or price is None or saved <= 0:
        return None
    per_call = price.cost(Usage(input_tokens=saved)).total_usd
    return math.ceil(usd / per_call) if per_call else None
