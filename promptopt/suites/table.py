"""Cases from CSV, with promptfoo's special columns.

``__expected`` (and ``__expected1``, ``__expected2``, ...) is an assert in short form: ``contains: 4``,
``not-icontains: sorry``, ``levenshtein(5): text``, ``contains-any: a, "b, c"``, ``latency(1000)``, ``is-json``. Any
other text is what the answer must equal, ``answer: 42`` and ``https://a.test`` too; one that is nearly a type
(``contain: 4``) is an error. ``__description`` names the case, ``__metric``, ``__threshold`` and ``__metadata:KEY``
set what they say; every other column is a variable.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from promptopt.errors import InputError, SuiteError
from promptopt.registry import registered
from promptopt.yaml import Located, load_yaml

_EXPECTED = re.compile(r"__expected\d*")
_SHORT = re.compile(
    r"(?P<not>not-)?(?P<type>[a-z][a-z0-9-]*)(?:\((?P<threshold>\d+(?:\.\d+)?|\.\d+)\))?\s*(?P<rest>:\s*(?P<value>.*))?",
    re.DOTALL,
)
_SPECIAL = ("__description", "__metric", "__threshold")
_SCHEMAS = frozenset({"is-json", "contains-json"})
_LISTS = frozenset({"contains-any", "contains-all", "icontains-any", "icontains-all"})
_ALIASES = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
# promptfoo's assert types. One that promptopt does not know is an error when the checks are made, never a text.
_TYPES = frozenset(
    {
        *("answer-relevance", "bleu", "classifier", "contains", "contains-all", "contains-any"),
        *("contains-html", "contains-json", "contains-sql", "contains-xml", "context-faithfulness"),
        *("context-recall", "context-relevance", "conversation-relevance", "cost", "equals", "factuality"),
        *("finish-reason", "g-eval", "gleu", "guardrails", "icontains", "icontains-all", "icontains-any"),
        *("is-html", "is-json", "is-refusal", "is-sql", "is-valid-function-call"),
        *("is-valid-openai-function-call", "is-valid-openai-tools-call", "is-xml", "javascript", "latency"),
        *("levenshtein", "llm-rubric", "meteor", "model-graded-closedqa", "model-graded-factuality"),
        *("moderation", "perplexity", "perplexity-score", "pi", "python", "regex", "rouge-n", "ruby"),
        *("search-rubric", "similar", "starts-with", "tool-call-f1", "trace-error-spans"),
        *("trace-span-count", "trace-span-duration", "webhook", "word-count"),
    }
)
_NEARLY = 0.85
# Types with a capital, an underscore or another `not-`, and thresholds that are not numbers, are meant as asserts,
# unless the type is a word of prose or of code (`Contains: nuts`, `eval(x)`).
_LOOSE = re.compile(r"(?P<nots>(?:not[-_])*)(?P<type>[a-z][a-z0-9_-]*)\s*(?P<rest>[(:])", re.IGNORECASE)
_NOT_CODE = frozenset(
    {
        *("contains", "icontains", "equals", "regex", "levenshtein"),
        *("cost", "latency", "similar", "bleu", "perplexity"),
    }
)


@lru_cache(maxsize=1)
def _known_types() -> frozenset[str]:
    # By name only: what scores them is loaded by the scorers, which are built on suites.
    return _TYPES | _ALIASES.keys() | registered("scorer").keys()


def read_rows(text: str | Iterable[str], path: str, error: type[InputError]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV text, or of its lines, by column, each with its line; a cell that is left out is empty.

    White space around the names of columns is not part of them.

    Args:
        path: The file, for messages.
        error: The error to raise.

    Raises:
        InputError: Two columns have one name, a row has more cells than the header, or no comma separates them.
    """
    # The module's limit is 131,072 characters; this is the highest that it takes everywhere.
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text, newline="") if isinstance(text, str) else text, strict=True)
    columns: list[str] | None = None
    try:
        for cells in reader:
            if not cells:
                continue
            if columns is None:
                columns = [cell.strip() for cell in cells]
                other = next((sign for sign in (";", "\t") if len(columns) == 1 and sign in cells[0].strip()), None)
                if other is not None:
                    message = f"its columns are separated by {other!r}"
                    raise error(message, path=path, line=reader.line_num, remedy="save it with commas")
                twice = next((name for name in columns if columns.count(name) > 1), None)
                if twice is not None:
                    remedy = "several asserts are __expected1, __expected2, ..." if twice == "__expected" else None
                    raise error(f"two columns are named {twice!r}", path=path, line=reader.line_num, remedy=remedy)
                continue
            if len(cells) > len(columns):
                raise error("has more cells than the header", path=path, line=reader.line_num)
            yield reader.line_num, dict.fromkeys(columns, "") | dict(zip(columns, cells, strict=False))
    except csv.Error as problem:
        raise error(f"is not CSV: {problem}", path=path, line=reader.line_num) from None


def read_csv(text: str | Iterable[str], path: str) -> Iterator[Mapping[str, Any]]:
    """One test for each row.

    Raises:
        SuiteError: As :func:`read_rows`; or a special column is unknown, or an ``__expected`` is nearly an assert.
    """
    return (_test(row, path, line) for line, row in read_rows(text, path, SuiteError))


def _test(row: Mapping[str, str], path: str, line: int) -> Located:
    test = Located(line)
    test.update({"vars": {}, "assert": [], "metadata": {}})
    for column, value in row.items():
        if not column.startswith("__"):
            test["vars"][column] = value
        elif _EXPECTED.fullmatch(column):
            test["assert"] += [short_assert(value, path, line)] if value.strip() else []
        elif column.startswith("__metadata:"):
            test["metadata"][column.removeprefix("__metadata:")] = value
        elif column not in _SPECIAL:
            raise SuiteError(
                f"unknown column {column!r}",
                path=path,
                line=line,
                remedy=f"special columns: __expected, {', '.join(_SPECIAL)}, __metadata:KEY",
            )
    if "__description" in row:
        test["description"] = row["__description"]
    if row.get("__threshold"):
        test["threshold"] = row["__threshold"]
    for entry in test["assert"] if row.get("__metric") else ():
        entry["metric"] = row["__metric"]
    return test


def short_assert(text: str, path: str, line: int) -> Located:
    """An ``__expected`` cell as an assert.

    Raises:
        SuiteError: It is nearly an assert, or its value cannot be read.
    """
    text = text.strip()
    entry = Located(line)
    match = _SHORT.fullmatch(text)
    kind = _type(match, text, path, line) if match else None
    if match is None or kind is None:
        _refuse_nearly(text, path, line)
        entry.update(type="equals", value=text)
        return entry
    entry["type"] = (match["not"] or "") + kind
    if match["threshold"]:
        entry["threshold"] = match["threshold"]
    elif kind == "similar":
        # Here, and not in YAML, promptfoo's is 0.8.
        entry["threshold"] = "0.8"
    if value := (match["value"] or "").strip():
        if kind in _LISTS:
            try:
                entry["value"] = split_list(value)
            except ValueError as error:
                raise SuiteError(f"__expected: {text[:60]!r}: {error}", path=path, line=line) from None
        elif kind in _SCHEMAS and not value.startswith("file://"):
            try:
                entry["value"] = load_yaml(value, path, error=SuiteError, first_line=line)
            except SuiteError as error:
                # The parser's own place is after the end of a cell.
                raise SuiteError(f"__expected: {text[:60]!r}: {error.message}", path=path, line=line) from None
        else:
            entry["value"] = value
    return entry


def _type(match: re.Match[str], text: str, path: str, line: int) -> str | None:
    """The assert type that a text names; ``None`` if the text is what the answer must equal."""
    name = str(match["type"])
    shaped = match["rest"] is not None or match["threshold"] is not None
    known = _known_types()
    if name in known:
        # `cost` and `python` alone are answers; `is-json` is not, nor is `not-regex`.
        return _ALIASES.get(name, name) if shaped or "-" in name or match["not"] else None
    near = difflib.get_close_matches(name, known, 1, _NEARLY)
    if near and (shaped or "-" in name or match["not"]):
        raise _not_an_assert(text, f"unknown assert type {name!r}. Did you mean {near[0]!r}?", path, line)
    return None


def _refuse_nearly(text: str, path: str, line: int) -> None:
    """Refuse a text that begins as an assert does and is none."""
    match = _LOOSE.match(text)
    name = match["type"].lower().replace("_", "-") if match else ""
    if match is None or name not in _known_types():
        return
    written = match["nots"] + match["type"]
    meant = match["nots"][:3].lower() + "-" * bool(match["nots"]) + name
    if written != meant:
        if "-" in meant:
            raise _not_an_assert(text, f"unknown assert type {written!r}. Did you mean {meant!r}?", path, line)
    elif "-" in meant or name in _NOT_CODE:
        raise _not_an_assert(text, f"the threshold of {meant!r} is not a number", path, line)


def _not_an_assert(text: str, reason: str, path: str, line: int) -> SuiteError:
    remedy = f"if the answer must be this text, write `equals: {text[:60]}`"
    return SuiteError(f"__expected: {text[:60]!r}: {reason}", path=path, line=line, remedy=remedy)


_ITEM = re.compile(r'\s*(?:"((?:\\["\\]|""|[^"])*+)"\s*(?=,|\Z)|([^,]*))')
_ESCAPED = re.compile(r'\\(["\\])|"(")')


def split_list(text: str) -> list[str]:
    """The items of a text that lists them with commas; quotes guard commas, and empty items are left out.

    In quotes, a quote is written twice or after a backslash.

    Raises:
        ValueError: A quote is not closed, or something is between it and the next comma.
    """
    items: list[str] = []
    position = 0
    while position <= len(text):
        match = _ITEM.match(text, position)
        assert match is not None  # the second form matches anything
        if match[1] is not None:
            items.append(_ESCAPED.sub(lambda found: found[1] or found[2], match[1]))
        elif match[2].startswith('"'):
            raise ValueError(f"the quote of {match[2]!r} is not closed before the next comma")
        elif match[2].strip():
            items.append(match[2].strip())
        position = match.end() + 1
    return items
