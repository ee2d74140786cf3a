"""The filters ``compact`` and ``fit``: data in its cheapest notation, and as much of it as a token budget holds.

No notation is cheapest for all data: CSV wins for flat rows, minified JSON for most nested data.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from promptopt.tokens import Tokenizer, tokenizer_for


@dataclass(frozen=True, slots=True)
class Notation:
    """One way to write data down.

    Attributes:
        name: ``json``, ``json-indented``, ``json-columns``, ``csv`` or ``toon``.
        text: The data in it.
        tokens: What it costs.
    """

    name: str
    text: str
    tokens: int


def notations(data: object, model: str | None = None) -> list[Notation]:
    """Every notation that can hold ``data``, the cheapest first.

    Args:
        data: What JSON can say: mappings, sequences, texts, numbers, booleans, ``None``.
        model: The model whose tokens count.

    Raises:
        TypeError: The data holds something else.
    """
    plain = _plain(data)
    tokenizer = tokenizer_for(model)
    found = [Notation(name, text, tokenizer.count(text)) for name, text in _written(plain)]
    return sorted(found, key=lambda notation: notation.tokens)


def compact(data: object, model: str | None = None) -> str:
    """``data`` in its cheapest notation; a text stays as it is.

    Raises:
        TypeError: The data holds something that JSON cannot say.
    """
    return data if isinstance(data, str) else notations(data, model)[0].text


def _written(data: Any) -> Iterator[tuple[str, str]]:
    # If two cost the same the first is taken: the plainest notation comes first.
    yield "json", json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    yield "json-indented", json.dumps(data, ensure_ascii=False, indent=2)
    yield "json-spaced", json.dumps(data, ensure_ascii=False)
    table = _table(data)
    if table is not None:
        columns, rows = table
        yield "json-columns", json.dumps([columns, *rows], ensure_ascii=False, separators=(",", ":"))
        named = {"columns": columns, "rows": rows}
        yield "json-columns-named", json.dumps(named, ensure_ascii=False, separators=(",", ":"))
        if all(not isinstance(cell, (list, dict)) for row in rows for cell in row):
            yield "csv", _csv(columns, rows)
    if isinstance(data, (list, dict)) and data:
        import toon_format

        yield "toon", toon_format.encode(data)


def _table(data: Any) -> tuple[list[str], list[list[Any]]] | None:
    """Columns and rows of a list of mappings with the same keys."""
    if not isinstance(data, list) or not data or not all(isinstance(row, dict) and row for row in data):
        return None
    columns = list(data[0])
    if any(set(row) != set(columns) for row in data):
        return None
    return columns, [[row[column] for column in columns] for row in data]


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    # JSON's words for truth: Python's "True" says the same in no other language. None is an empty cell.
    writer.writerows([json.dumps(cell) if isinstance(cell, bool) else cell for cell in row] for row in rows)
    return out.getvalue().removesuffix("\n")


def _plain(data: object) -> Any:
    """Mappings as dicts with text keys, sequences as lists.

    Raises:
        TypeError: Something else is in it.
    """
    if data is None or isinstance(data, (str, bool, int, float)):
        return data
    if isinstance(data, Mapping):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, Sequence) and not isinstance(data, (bytes, bytearray)):
        return [_plain(item) for item in data]
    raise TypeError(f"{type(data).__name__} {data!r:.60} is not JSON data; give mappings, lists, texts and numbers")


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
