"""As much data as a token budget holds: whole chunks, the relevant or the last ones, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from promptopt.templates.notation import compact
from promptopt.tokens import Tokenizer, tokenizer_for

Keep = Literal["first", "last", "relevant"]
SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fits, and what does not.

    Attributes:
        text: The chunks that were kept, in their order, an empty line between them.
        kept: Their numbers, counted from 0.
        left_out: The numbers of the others.
        tokens: What the text costs.
    """

    text: str
    kept: tuple[int, ...]
    left_out: tuple[int, ...]
    tokens: int


def fit(
    data: str | Sequence[Any],
    budget: int,
    *,
    query: str | None = None,
    keep: Keep | None = None,
    model: str | None = None,
) -> Fitted:
    """Whole chunks of ``data`` within ``budget`` tokens.

    Args:
        data: A list of texts, messages (``role``, ``content``) or other data; a text is split into its paragraphs.
        budget: Tokens that the result may cost.
        query: Keep the chunks that are most relevant to it, by BM25.
        keep: ``last`` keeps the end without a gap, ``first`` (the default without a query) the beginning.

    Raises:
        ValueError: The budget is negative, or ``keep`` is unknown, or it is ``relevant`` without a query.
    """
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 0:
        raise ValueError(f"fit: {budget!r} is not a number of tokens")
    how = keep or ("first" if query is None else "relevant")
    if how not in ("first", "last", "relevant"):
        raise ValueError(f"fit: keep={how!r} is not first, last or relevant")
    if how == "relevant" and query is None:
        raise ValueError("fit: keep='relevant' needs a query, as in fit(2000, query=question)")
    chunks = _chunks(data, model)
    tokenizer = tokenizer_for(model)
    kept = _kept(chunks, _order(chunks, how, query), budget, tokenizer, whole_run=how != "relevant")
    text = SEPARATOR.join(chunks[number] for number in kept)
    left_out = tuple(number for number in range(len(chunks)) if number not in set(kept))
    return Fitted(text, tuple(kept), left_out, tokenizer.count(text))


def _chunks(data: str | Sequence[Any], model: str | None) -> list[str]:
    if isinstance(data, str):
        return [part for part in data.split(SEPARATOR) if part.strip()]
    return [_chunk(item, model) for item in data]


def _chunk(item: object, model: str | None) -> str:
    if isinstance(item, Mapping) and set(item) == {"role", "content"}:
        return f"{item['role']}: {item['content']}"
    return compact(item, model)


def _order(chunks: list[str], how: str, query: str | None) -> list[int]:
    numbers = list(range(len(chunks)))
    if how == "last":
        return numbers[::-1]
    if how == "first" or not chunks:
        return numbers
    scores = _relevance(chunks, query or "")
    return sorted(numbers, key=lambda number: (-scores[number], number))


def _relevance(chunks: list[str], query: str) -> list[float]:
    """BM25 of every chunk (Robertson; bm25s' default, Lucene's variant)."""
    import bm25s

    corpus = bm25s.tokenize(chunks, stopwords="en", show_progress=False, return_ids=False)
    words = bm25s.tokenize([query], stopwords="en", show_progress=False, return_ids=False)[0]
    known = {word for document in corpus for word in document}
    words = [word for word in words if word in known]
    if not words:
        return [0.0] * len(chunks)
    ranker = bm25s.BM25()
    ranker.index(corpus, show_progress=False)
    return [float(score) for score in ranker.get_scores(words)]


def _kept(chunks: list[str], order: list[int], budget: int, tokenizer: Tokenizer, *, whole_run: bool) -> list[int]:
    """The numbers that fit, in the data's order. Joining may merge tokens, so that the joined text is counted."""
    kept: list[int] = []
    sizes = [tokenizer.count(chunk) for chunk in chunks]
    between = tokenizer.count(SEPARATOR)
    spent = 0
    for number in order:
        cost = sizes[number] + (between if kept else 0)
        if spent + cost <= budget:
            kept.append(number)
            spent += cost
        elif whole_run:
            break
    kept.sort()
    while kept and tokenizer.count(SEPARATOR.join(chunks[number] for number in kept)) > budget:
        worst = next(number for number in reversed(order) if number in kept)
        kept.remove(worst)
    return kept
