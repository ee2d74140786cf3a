"""A rewrite that a model proposes and the facts judge."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from promptopt.call_options import CallOptions
from promptopt.compression.by_model.paragraph import RewrittenParagraph
from promptopt.compression.document import Document
from promptopt.compression.engine import Compression
from promptopt.compression.facts.stated import facts
from promptopt.compression.judging.judge import JudgedEdit
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.witness.parser import parse
from promptopt.money import dollars
from promptopt.prices import find_price
from promptopt.providers import Provider
from promptopt.templates import Template
from promptopt.tokens import tokenizer_for
from promptopt.values import Message, Request, Response, Usage

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
        usd: List cost of asking; ``None`` for an unpriced model.
        calls_to_repay: Calls of the prompt after which the rewrite has paid for itself; ``None`` if unknown.
    """

    compression: Compression
    asked: int
    kept: int
    partly: int
    usd: Decimal | None
    calls_to_repay: int | None

    def __str__(self) -> str:
        repaid = "" if self.calls_to_repay is None else f"; paid for after {self.calls_to_repay:,} calls"
        partly = f", {self.partly} taken in part" if self.partly else ""
        kept = f"{self.kept} of {self.asked} proposals kept every fact{partly}"
        return f"rewrite: {kept}; asking cost {dollars(self.usd)}{repaid}"


def rewrite_prompt(
    template: Template, compression: Compression, model: str, provider: Provider | None = None
) -> Rewrite:
    """Ask ``model`` to rewrite the paragraphs of a compressed prompt; keep the rewrites that lose no fact.

    A refused one is asked for once more, with the reason.

    Args:
        provider: Answers instead of the one that the model's name selects.

    Raises:
        ProviderError: The endpoint did not answer.
        MissingExtra: spaCy is not installed.
        UsageError: Its English pipeline is not.
    """
    from promptopt.config import load_config
    from promptopt.providers import make_provider

    own = provider or make_provider(model)
    parse("")  # a missing parser is said before the first call is paid
    document = Document(compression.text, template.front, template.path, load_config().price_as or template.front.model)
    count = tokenizer_for(document.model).count
    text, edits, refused = compression.text, list(compression.edits), list(compression.refused)
    usage: list[Usage] = []
    paragraphs = list(_paragraphs(document))
    kept = partly = 0
    for start, end in reversed(paragraphs):
        paragraph = RewrittenParagraph(text, start, end, count)
        proposals: dict[str, str] = {}
        for response, new, why in _proposals(own, model, paragraph):
            usage += [] if response.usage is None else [response.usage]
            proposals[new] = why
        old, new, why = paragraph.old, *list(proposals.items())[-1]
        line, column = document.line_of(start)
        edit = JudgedEdit("rewrite", line, column, old, new, count(old) - count(new), len(facts(old)))
        if why:
            refused += [
                replace(edit, new=each, tokens=count(old) - count(each), refused=reason)
                for each, reason in proposals.items()
            ]
            new = min(map(paragraph.kept_sentences, proposals), key=count)
            if new == old or paragraph.refusal(new):
                continue
            edit = replace(edit, new=new, tokens=count(old) - count(new))
            partly += 1
        else:
            kept += 1
        text = paragraph.replaced_by(new)
        edits.append(edit)
    after = replace(compression, text=text, tokens_after=count(text), edits=tuple(edits), refused=tuple(refused))
    usd = _spent(model, usage)
    return Rewrite(
        after,
        len(paragraphs),
        kept,
        partly,
        usd,
        _calls_to_repay(usd, document, compression.tokens_after - after.tokens_after),
    )


def _proposals(provider: Provider, model: str, paragraph: RewrittenParagraph) -> Iterator[tuple[Response, str, str]]:
    """What a model proposes until a proposal is taken: the response, the text, and why it is refused or nothing."""
    messages = [Message("system", INSTRUCTION), Message("user", f"<text>{paragraph.old}</text>")]
    before = None
    for _ in range(ROUNDS):
        response = provider.complete(Request(model, tuple(messages), CallOptions(temperature=0)))
        new = _answer(response.text)
        why = paragraph.refusal(new)
        yield response, new, why
        # A model that says nothing, or the same again, has nothing else to say.
        if not why or not new or new == before:
            return
        before = new
        messages += [Message("assistant", response.text), Message("user", AGAIN.format(why=why))]


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


def _answer(text: str) -> str:
    return re.sub(r"\A\s*<text>|</text>\s*\Z", "", text.strip()).strip()


def _spent(model: str, usage: Sequence[Usage]) -> Decimal | None:
    price = find_price(model)
    return None if price is None else sum((price.cost(one).total_usd for one in usage), Decimal(0))


def _calls_to_repay(usd: Decimal | None, document: Document, saved: int) -> int | None:
    price = find_price(document.model) if document.model else None
    if usd is None or price is None or saved <= 0:
        return None
    per_call = price.cost(Usage(input_tokens=saved)).total_usd
    return math.ceil(usd / per_call) if per_call else None
