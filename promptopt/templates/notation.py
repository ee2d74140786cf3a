"""Data in the notation that costs the fewest tokens, chosen by count.

No notation is cheapest for all data: CSV wins for flat rows, minified JSON for most nested data.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptopt.tokens import tokenizer_for


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
