"""Plain rows, CSV or JSONL, by the names of their columns, or as ``--map`` says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from promptopt.auditing.log import NAMES, UNKNOWN, CachedRelation, LoggedCall
from promptopt.auditing.log_builder import LogBuilder
from promptopt.auditing.prompt_digests import chained, digest_of, digest_of_text, text_of
from promptopt.auditing.readers.fields import (
    LARGEST,
    MILLISECONDS,
    BadRow,
    as_count,
    as_json,
    as_mapping,
    as_moment,
    as_quality,
    as_real,
    first_text,
    is_absent,
    is_cut_off,
    needed,
    said_mapping,
    setting,
    tokens,
)
from promptopt.auditing.readers.plain_columns import COLUMNS, column_by_words, mapping_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "plain"

_GOOD = frozenset(
    {"ok", "success", "successful", "succeeded", "complete", "completed", "done", "finished", "true", "unset", "stop"}
)
_NO_ERROR = frozenset({"false", "0", "0.0", "no", "ok", "{}", "[]"})
_MOONCAKE_BLOCK = 512
_EPOCH, _SHAPES = 1e9, 1000


def recognises(record: Mapping[str, Any]) -> bool:
    return any(name in record for name in (*COLUMNS["input"], *COLUMNS["output"])) or "usage" in record


class PlainReader:
    """Reads rows whose columns have been named."""

    NAME = NAME

    def __init__(self, entries: tuple[str, ...] = (), block_tokens: int = _MOONCAKE_BLOCK) -> None:
        """``block_tokens`` are those of a block of the prefix."""
        self._columns = mapping_of(entries)
        self._fixed = {name: each[0][1:] for name, each in self._columns.items() if each[0].startswith("=")}
        self._mapped = frozenset(entry.partition("=")[0] for entry in entries) - self._fixed.keys()
        self._block_tokens = block_tokens
        self._known: dict[tuple[str, ...], dict[str, str]] = {}

    def recognises(self, record: Mapping[str, Any]) -> bool:
        return recognises(record)

    def calls(self, record: Mapping[str, Any]) -> Iterator[LoggedCall]:
        usage = record.get("usage")
        row = {**as_mapping(usage), **record} if usage else record
        names = self._names(row)
        _refuse_sums(row)
        given, made = (
            as_count(self._fixed.get(name, row.get(names.get(name, ""))), name) for name in ("input", "output")
        )
        needed(given, made)
        yield self._call(row, names, given or 0, made or 0)

    def take(self, builder: LogBuilder, records: Sequence[Mapping[str, Any]], model: str) -> bool:
        """Let a builder take many rows of one shape at once; ``False`` if they have to be read one by one.

        Args:
            model: Of rows that name none.
        """
        shape, *others = dict.fromkeys(map(tuple, records))
        if others:
            return False
        columns = dict(zip(shape, map(list, zip(*(record.values() for record in records), strict=True)), strict=True))
        return self.take_columns(builder, shape, len(records), columns.__getitem__, model)

    def prefix_column(self, shape: Sequence[str]) -> str | None:
        """The column of rows of this shape that has the blocks of their prompts."""
        return next((each for each in self._columns["prefix"] if each in shape), None)

    def take_columns(
        self,
        builder: LogBuilder,
        shape: Sequence[str],
        size: int,
        values: Callable[[str], list[Any]],
        model: str,
        prefix: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    ) -> bool:
        """Let a builder take some columns; ``False`` if their rows have to be read one by one.

        Args:
            shape: The columns' names.
            values: Those of a column.
            prefix: All blocks one after the other, and how many each row has, if the caller has them.
        """
        try:
            names = self._names(dict.fromkeys(shape))
        except BadRow:
            return False
        if names.keys() & _READ_ALONE or _READ_ALONE_KEYS & set(shape) or self._fixed.keys() - set(NAMES):
            return False
        if "hash_ids" in shape:
            return False
        try:
            columns = _columns(lambda name: values(names[name]), size, names)
            texts = {name: self._texts(values, size, names, name) for name in NAMES if name in {*names, *self._fixed}}
            if prefix is not None:
                blocks, counts = chained(prefix[0].astype(np.uint64), prefix[1]), prefix[1]
            else:
                prefixes = values(names["prefix"]) if "prefix" in names else [[]] * size
                if set(map(type, prefixes)) != {list}:
                    prefixes = [_blocks(each) for each in prefixes]
                blocks, counts = _chained(prefixes)
        except (BadRow, TypeError, ValueError, OverflowError):
            return False
        models = texts.get("model", [None] * size)
        texts["model"] = models if all(models) else [each or model for each in models]
        columns["block_tokens"] = np.where(counts > 0, float(self._block_tokens), 0.0)
        builder.extend(columns, texts, blocks, counts)
        return True

    def _texts(
        self, values: Callable[[str], list[Any]], size: int, names: Mapping[str, str], name: str
    ) -> list[str | None]:
        if name in self._fixed:
            return [self._fixed[name]] * size
        found = values(names[name])
        if name == "tag":
            texts = dict.fromkeys(found) if set(map(type, found)) == {str} else None
            first = None if texts is None else {text: first_text(text) for text in texts}
            found = [first_text(value) if first is None else first[value] for value in found]
        if set(map(type, found)) == {str} and all(found):
            return found
        return [
            None if value is None or value == "" else value if type(value) is str else str(value) for value in found
        ]

    def _names(self, row: Mapping[str, Any]) -> dict[str, str]:
        """The key of each column in rows of this shape: the first that is there, nested ones after those of the row."""
        shape = tuple(row)
        names = self._known.get(shape)
        if names is None:
            names = {}
            for name, aliases in self._columns.items():
                found = next((alias for alias in aliases if alias in row), None)
                if found is None and name not in self._mapped:
                    found = column_by_words(name, row)
                if found is not None and name not in self._fixed:
                    names[name] = found
                elif name in self._mapped:
                    raise BadRow(f"has no {aliases[0]}, which --map names for {name}")
            if len(self._known) < _SHAPES:
                self._known[shape] = names
        return names

    def _call(self, row: Mapping[str, Any], names: Mapping[str, str], given: int, made: int) -> LoggedCall:
        def value(name: str) -> Any:
            if name in self._fixed:
                return self._fixed[name]
            key = names.get(name)
            found = row.get(key) if key is not None else None
            return None if found == "" else found

        def number(name: str) -> int:
            return as_count(value(name), name) or 0

        def word(name: str) -> str | None:
            found = value(name)
            return None if found is None or isinstance(found, Mapping | list) else str(found)

        start = as_moment(value("at"), "at")
        if start is not None and start < _EPOCH and "hash_ids" in row:
            # Mooncake's traces begin at 0 and are in milliseconds.
            start /= 1000
        messages, digest = value("messages"), value("digest")
        messages = as_json(messages) if isinstance(messages, str) else messages
        prefix = _chained([_blocks(value("prefix"))])[0].tolist()
        waits, cap = value("waits"), value("cap")
        return LoggedCall(
            word("model") or UNKNOWN,
            at=start,
            input_tokens=given,
            cache_read_tokens=number("cached") or _nested(row, "cached"),
            cache_write_tokens=number("written"),
            output_tokens=made,
            reasoning_tokens=number("reasoning") or _nested(row, "reasoning"),
            relation=_relation(row),
            total_tokens=as_count(value("total"), "total"),
            # The log's own dollars are a witness; other money is none.
            cost_usd=_dollars(value("cost")) if _is_dollars(row) else None,
            provider=word("provider"),
            prompt=word("prompt"),
            tag=first_text(value("tag")),
            user=word("user"),
            team=word("team"),
            session=word("session"),
            tier=word("tier"),
            effort=word("effort"),
            digest=digest_of_text(str(digest)) if digest else digest_of(word("model"), messages) if messages else 0,
            **({"blocks": prefix, "block_tokens": self._block_tokens} if prefix else text_of(messages or None)),
            cap=None if cap is None else setting({"cap": cap}, "cap"),
            latency_s=_latency(start, value("end"), value("latency_s"), value("latency_ms")),
            failed=_failed(value("status"), value("error"), bool({"status", "error"} & {*names, *self._fixed})),
            cut_off=is_cut_off(value("finish")),
            quality=as_quality(value("quality"), "quality"),
            waits=None if waits is None else str(waits).lower() in ("1", "true", "yes"),
            identity=word("id"),
        )


_COUNTS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cached": "cache_read_tokens",
    "written": "cache_write_tokens",
    "reasoning": "reasoning_tokens",
    "total": "total_tokens",
    "cap": "cap",
}


def _columns(values: Callable[[str], list[Any]], size: int, names: Mapping[str, str]) -> dict[str, Any]:
    """The numbers of rows of one shape as arrays.

    Raises:
        ValueError: Not all are of one kind; then each is read by itself. ``TypeError`` likewise.
    """
    found: dict[str, Any] = {
        column: _whole(values(name)) if name in names else np.full(size, -1 if name in ("total", "cap") else 0)
        for name, column in _COUNTS.items()
    }
    if "input" not in names and "output" not in names:
        raise ValueError
    if "at" in names:
        found["at"] = _moments(values("at"))
    for name, column, factor in (
        ("cost", "said_usd", 1.0),
        ("latency_ms", "latency_s", 1e-3),
        ("latency_s", "latency_s", 1.0),
        ("quality", "quality", 1.0),
    ):
        if name in names:
            found[column] = _reals(values(name)) * factor
    if "quality" in found and np.nanmax(found["quality"], initial=0.0) > 1:
        raise ValueError("not from 0 to 1")
    if "end" in names and "latency_s" not in found and "at" in found:
        latency = _moments(values("end")) - found["at"]
        found["latency_s"] = np.where(latency >= 0, latency, np.nan)
    digests = values("digest") if "digest" in names else [None] * size
    texts = [each if each is None or type(each) is str else str(each) for each in digests]
    numbers = {each: digest_of_text(each) if each else 0 for each in dict.fromkeys(texts)}
    found["digest"] = np.fromiter(map(numbers.__getitem__, texts), np.uint64, size)
    if "status" in names or "error" in names:
        statuses, errors = (values(name) if name in names else [None] * size for name in ("status", "error"))
        pairs = list(zip(_words(statuses), _words(errors), strict=True))
        known = {(status, error): _failed(status, error, True) for status, error in dict.fromkeys(pairs)}
        found["failed"] = np.array([known[pair] for pair in pairs], bool)
    return found


def _words(values: list[Any]) -> list[Any]:
    """The values, as texts if they are of several types: 1, 1.0 and true are one key."""
    return (
        values
        if len({type(each) for each in values}) == 1
        else [None if each is None else str(each) for each in values]
    )


def _whole(values: list[Any]) -> Any:
    array = np.array(values)
    if array.dtype.kind == "U":
        array = np.array([int(value) for value in values])
    if array.dtype.kind not in "iu" or (array < 0).any() or (array >= LARGEST).any():
        raise ValueError("not whole numbers")
    return array


def _reals(values: list[Any]) -> Any:
    plain = set(map(type, values)) <= {int, float}
    array = np.array(values if plain else [float("nan") if is_absent(each) else float(each) for each in values], float)
    if (array < 0).any() or np.isinf(array).any():
        raise ValueError("not such numbers")
    return array


def _moments(values: list[Any]) -> Any:
    if set(map(type, values)) == {float} and min(values) >= 0 and max(values) < MILLISECONDS:
        return np.array(values)
    return np.array([float("nan") if (found := as_moment(value, "at")) is None else found for value in values])


_READ_ALONE = {"messages", "id", "finish", "waits"}
_NESTED = {
    "cached": ("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens"),
    "reasoning": ("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"),
}


_DETAILS = frozenset(each.partition(".")[0] for paths in _NESTED.values() for each in paths)
_MONEY = ("€", "£", "¥", "₹", "₩")
_CALLS_SUMMED = ("num_model_requests", "num_requests", "request_count", "api_requests", "requests")
_READ_ALONE_KEYS = frozenset({"usage", "currency", *_DETAILS, *_CALLS_SUMMED})


def _refuse_sums(row: Mapping[str, Any]) -> None:
    """Refuse the sum of many calls: as one call it would have a wrong length, time and count.

    Raises:
        BadRow: The row says how many calls it sums.
    """
    for name in _CALLS_SUMMED:
        if name in row and (calls := as_count(row[name], name)) is not None:
            raise BadRow(
                f"is the sum of {calls:,} calls ({name}), not a call: usage reports are for `audit reconcile --invoice`"
            )


def _is_dollars(row: Mapping[str, Any]) -> bool:
    return str(row.get("currency") or "usd").strip().lower() in ("usd", "$")


def _dollars(value: Any) -> float | None:
    """The dollars of a cost, which may name them; ``None`` if it names other money."""
    if isinstance(value, str):
        bare = value.strip().upper().removeprefix("US").removeprefix("$").removesuffix("USD").removesuffix("$").strip()
        if bare[:1] in _MONEY or bare[-1:] in _MONEY or (bare[-3:].isalpha() and bare[:1].isdecimal()):
            return None
        value = bare
    return as_real(value, "cost")


def _relation(row: Mapping[str, Any]) -> CachedRelation | None:
    """OpenAI's names of details say that these are inside."""
    return "inside" if any(each.partition(".")[0] in row for each in _NESTED["cached"]) else None


def _nested(row: Mapping[str, Any], name: str) -> int:
    details = [each.split(".") for each in _NESTED[name]]
    return max((tokens(said_mapping(row, column), count) for column, count in details if column in row), default=0)


def _latency(start: float | None, end: Any, seconds: Any, milliseconds: Any) -> float | None:
    if (found := as_real(seconds, "latency_s")) is not None:
        return found
    if (found := as_real(milliseconds, "latency_ms")) is not None:
        return found / 1000
    ended = as_moment(end, "end")
    return None if start is None or ended is None or ended < start else ended - start


def _blocks(value: Any) -> list[int]:
    """Numbers of a prompt's blocks."""
    value = as_json(value) if isinstance(value, str) else value
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise BadRow(f"the prefix is {value!r:.60}, not a list of blocks")
    return list(value)


def _chained(prefixes: Sequence[Sequence[Any]]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The chained blocks of some prompts one after the other, and how many each has."""
    counts = np.array([len(each) for each in prefixes], np.int64)
    flat = list(chain.from_iterable(prefixes))
    try:
        whole = np.array(flat or [0])
    except ValueError:
        # Blocks that are lists themselves.
        whole = np.zeros(0)
    if whole.dtype != np.int64:
        whole = np.array([each if type(each) is int and abs(each) < LARGEST else digest_of(each) for each in flat])
    return chained(whole[: len(flat)].astype(np.int64).astype(np.uint64), counts), counts


def _failed(status: Any, error: Any, known: bool) -> bool | None:
    if not known:
        return None
    if not is_absent(error) and str(error).strip().lower() not in _NO_ERROR:
        return True
    status = "ok" if is_absent(status) else str(status).strip().lower()
    code = status.removesuffix(".0").partition(" ")[0]
    return int(code) >= 400 if code.isdigit() else status not in _GOOD


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    return PlainReader().calls(record)
