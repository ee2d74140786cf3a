"""A rewrite that a model proposes and the facts judge."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise, product

from promptopt.call_options import CallOptions
from promptopt.compression.asked import asked_in
from promptopt.compression.document import Document
from promptopt.compression.engine import Compression
from promptopt.compression.facts import facts
from promptopt.compression.guard import added_by_rewrite, lost_in_rewrite
from promptopt.compression.judge import JudgedEdit
from promptopt.compression.masked_lines import MASK
from promptopt.compression.parser import parse
from promptopt.money import dollars
from promptopt.prices import find_price
from promptopt.providers import Provider
from promptopt.templates import Template
from promptopt.templates.source import same_code
from promptopt.tokens import tokenizer_for
from promptopt.values import Message, Request, Usage

INSTRUCTION = (
    "Rewrite the text between <text> and </text> in as few words as you can. Keep every instruction, number, name, "
    "quoted string, negation, condition, limit and word such as only, never, must, all. Keep the order, the line "
    "breaks and the list markers. Copy everything in {{ }}, {% %}, backticks and quotes exactly, each once. "
    "Answer with the rewritten text alone."
)
LEAST_WORDS = 5
LEAST_SENTENCES = 2
MOST_PAIRS = 900
"""Sentences of a passage times those of its rewrite beyond which no part of a refused rewrite is tried."""
# After a full stop, before a list item, at an empty line.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\sa-z])|\n(?=[ \t]*(?:[-*•#]|\d+[.)])[ \t])|\n\s*\n")
_PARAGRAPH = re.compile(r"[^\s][^\n]*(?:\n[^\n]*[^\s][^\n]*)*")


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The result of a model's proposals.

    Attributes:
        compression: The compression with the proposals that were kept.
        asked: Paragraphs that the model was asked to rewrite.
        kept: Those of its proposals that lost no fact and were shorter.
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
        old = document.text[start:end]
        asked = (Message("system", INSTRUCTION), Message("user", f"<text>{old}</text>"))
        response = own.complete(Request(model, asked, CallOptions(temperature=0)))
        if response.usage is not None:
            usage.append(response.usage)
        new = _answer(response.text)
        line, column = document.line_of(start)
        edit = JudgedEdit("rewrite", line, column, old, new, count(old) - count(new), len(facts(old)))
        if why := _refusal(old, new, text, start, end, edit.tokens):
            refused.append(replace(edit, refused=why))
            new = _kept_sentences(old, new, text, start, end)
            edit = replace(edit, new=new, tokens=count(old) - count(new))
            if new == old or _refusal(old, new, text, start, end, edit.tokens):
                continue
            partly += 1
        else:
            kept += 1
        text = text[:start] + new + text[end:]
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


def _refusal(old: str, new: str, text: str, start: int, end: int, saved: int) -> str:
    if not new or saved <= 0:
        return "is not shorter"
    # "from {{ a }} to {{ b }}" is another request the other way round.
    if not same_code(text, text[:start] + new + text[end:]):
        return "would change a tag or an expression, or their order"
    if lost := lost_in_rewrite(old, new, text[:start] + "\n\n" + text[end:]):
        return "would lose " + ", ".join(lost)
    if added := added_by_rewrite(old, new):
        return "would add " + ", ".join(added)
    return ""


def _kept_sentences(old: str, new: str, text: str, start: int, end: int) -> str:
    """The original with the sentences of a refused rewrite that lose nothing, each in the place of its own."""
    parts, offered = _sentences(old), _sentences(new)
    if len(parts) < LEAST_SENTENCES or len(parts) * len(offered) > MOST_PAIRS:
        return old
    mixed = ""
    for first, second, mine, its in _aligned(parts, offered):
        was, now = "".join(parts[first:second]), "".join(offered[mine:its])
        end_of = was[len(was.rstrip()) :]
        now = now.rstrip() + end_of if now.strip() else ""
        # What the passage says elsewhere is known, as it is from the rest of the prompt.
        rest = text[:start] + "\n\n" + "".join((*parts[:first], *parts[second:])) + "\n\n" + text[end:]
        fine = len(now) < len(was) and not lost_in_rewrite(was, now, rest) and not added_by_rewrite(was, now)
        mixed += now if fine else was
    return mixed


def _sentences(text: str) -> list[str]:
    """The sentences, each with the blanks that follow it."""
    ends = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if text[start:end]]


def _aligned(parts: Sequence[str], offered: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Runs of sentences that say the same, in order: the most alike of up to three of the original to up to two.

    Returns:
        For each run: first and end in the original, first and end in the rewrite.
    """
    old, new = ([asked_in(part).concepts for part in parts] for parts in (parts, offered))
    best: dict[tuple[int, int], tuple[float, list[tuple[int, int, int, int]]]] = {(0, 0): (0.0, [])}
    for i, j in product(range(len(parts) + 1), range(len(offered) + 1)):
        for first, mine in product(range(max(0, i - 3), i), range(max(0, j - 2), j + 1)):
            if (first, mine) not in best:
                continue
            left, right = frozenset().union(*old[first:i]), frozenset().union(*new[mine:j])
            alike = 2 * len(left & right) / max(1, len(left) + len(right))
            score = best[first, mine][0] + alike * (i - first + j - mine) ** 0.9
            if score > best.get((i, j), (-1.0, []))[0]:
                best[i, j] = (score, [*best[first, mine][1], (first, i, mine, j)])
    return best.get((len(parts), len(offered)), (0.0, []))[1]


def _spent(model: str, usage: Sequence[Usage]) -> Decimal | None:
    price = find_price(model)
    return None if price is None else sum((price.cost(one).total_usd for one in usage), Decimal(0))


def _calls_to_repay(usd: Decimal | None, document: Document, saved: int) -> int | None:
    price = find_price(document.model) if document.model else None
    if usd is None or price is None or saved <= 0:
        return None
    per_call = price.cost(Usage(input_tokens=saved)).total_usd
    return math.ceil(usd / per_call) if per_call else None
