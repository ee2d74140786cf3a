"""A request log as columns: what readers make of files, and what everything else in this room works on.

A call is a row of numpy arrays, so that ten million fit into memory. Names (models, users, prompts) are kept once each
and numbered; texts are not kept at all: a request leaves its digest and the chained digests of its blocks.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CachedRelation = Literal["inside", "beside"]
"""Whether a log counts cached tokens inside its input tokens, or beside them."""
Floats: TypeAlias = "NDArray[np.float64]"
Integers: TypeAlias = "NDArray[np.int64]"
Flags: TypeAlias = "NDArray[np.bool_]"

NAMES = ("model", "provider", "prompt", "tag", "user", "team", "session", "tier")
"""Columns of texts."""
UNKNOWN = "unknown"
"""The model of a call whose log names none."""
COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens")
FLAGS = ("failed", "cut_off", "own_hit", "waits")
_NO_DIGEST = 0


class LoggedCall(NamedTuple):
    """One call as a log has it.

    Attributes:
        at: When it began, in seconds since 1970, or since the log began.
        input_tokens: As the log says: with the cached ones or without them.
        total_tokens: The log's own sum.
        relation: What the format itself says of cached tokens; ``None`` is settled from the numbers.
        reasoning_beside: Whether the format counts reasoning tokens beside ``output_tokens``.
        cost_usd: What the log says that it cost.
        digest: A number that is the same for the same request; 0 if the log has no request.
        blocks: Chained digests of the prompt's blocks, from its beginning: two prompts share a prefix as far as these
            are equal.
        block_tokens: Tokens of a block; below 1 it is the share of the input that a block is, and 0 spreads the input
            evenly over the blocks.
        lines: Of the prompt's text, as :func:`text_of` numbers them.
        cap: The request's cap on output tokens.
        latency_s: From the request to the end of the answer.
        failed: It gave no answer that its caller could use.
        cut_off: Its answer ended at the cap.
        own_hit: It was answered by a cache of the log's own gateway: nothing was paid.
        waits: Whether somebody waited for the answer; ``None`` is unknown.
    """

    model: str
    at: float | None = None
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int | None = None
    relation: CachedRelation | None = None
    reasoning_beside: bool = False
    cost_usd: float | None = None
    provider: str | None = None
    prompt: str | None = None
    tag: str | None = None
    user: str | None = None
    team: str | None = None
    session: str | None = None
    tier: str | None = None
    digest: int = _NO_DIGEST
    blocks: Sequence[int] = ()
    block_tokens: float = 0
    lines: Sequence[int] = ()
    cap: int | None = None
    latency_s: float | None = None
    failed: bool | None = None
    cut_off: bool = False
    own_hit: bool = False
    waits: bool | None = None
    identity: str | None = None


@dataclass(frozen=True)
class CallLog:
    """The calls of a log in the order of time; every array has one value for each.

    Attributes:
        at: Seconds; NaN is unknown.
        codes: For each column of :data:`NAMES`, numbers into ``names``; -1 is none.
        input_tokens: With cached and written ones, once the accounting is settled.
        output_tokens: With reasoning ones.
        total_tokens: -1 if the log has none. ``cap`` likewise.
        said_usd: The log's own cost; NaN if it has none.
        latency_s: NaN is unknown.
        digest: 0 if the log has no requests.
        block_starts: Where each call's blocks begin in ``blocks``; one more than calls.
        block_tokens: Of each call, as :class:`LoggedCall` has it.
        line_starts: Where each call's lines begin in ``lines``; one more than calls.
        known: Flags that the log knows at all: one of ``failed``, ``waits``.
    """

    at: Floats
    codes: Mapping[str, NDArray[np.int32]]
    names: Mapping[str, tuple[str, ...]]
    input_tokens: Integers
    cache_read_tokens: Integers
    cache_write_tokens: Integers
    cache_write_1h_tokens: Integers
    output_tokens: Integers
    reasoning_tokens: Integers
    total_tokens: Integers
    said_usd: Floats
    latency_s: Floats
    cap: Integers
    digest: NDArray[np.uint64]
    blocks: NDArray[np.uint64]
    block_starts: Integers
    block_tokens: Floats
    relation: NDArray[np.int8]
    reasoning_beside: Flags
    failed: Flags
    cut_off: Flags
    own_hit: Flags
    waits: NDArray[np.int8]
    known: frozenset[str] = field(default_factory=frozenset)
    lines: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    line_starts: Integers = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: NDArray[Any]) -> CallLog:
        """The calls of some rows, by number or by a flag for each."""
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        blocks, starts = _runs(self.blocks, self.block_starts, rows)
        lines, line_starts = _runs(self.lines, self.line_starts, rows) if len(self.lines) else (self.lines, _NO_STARTS)
        columns: dict[str, Any] = {
            name: _of_rows(getattr(self, name), rows)
            for name in self.__dataclass_fields__
            if name not in ("codes", "names", "blocks", "block_starts", "known", "lines", "line_starts")
        }
        codes = {name: _of_rows(codes, rows) for name, codes in self.codes.items()}
        return replace(
            self, **columns, codes=codes, blocks=blocks, block_starts=starts, lines=lines, line_starts=line_starts
        )

    def name(self, column: str, row: int) -> str | None:
        """The text of one of :data:`NAMES`."""
        code = int(self.codes[column][row])
        return None if code < 0 else self.names[column][code]

    @cached_property
    def first_blocks(self) -> NDArray[np.uint64]:
        """The first block of each call's prompt; 0 if it has none."""
        found = np.zeros(len(self), np.uint64)
        known = np.diff(self.block_starts) > 0
        found[known] = self.blocks[self.block_starts[:-1][known]]
        return found

    @cached_property
    def has_blocks(self) -> bool:
        return bool(len(self.blocks))

    @cached_property
    def has_digests(self) -> bool:
        return bool((self.digest != _NO_DIGEST).any())

    @cached_property
    def timed(self) -> Flags:
        """Calls whose time is known: the others are billed, and take no part in what needs times."""
        return ~np.isnan(self.at)


_NO_STARTS = np.zeros(0, np.int64)


def _runs(
    values: NDArray[np.uint64], starts: Integers, rows: NDArray[Any]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The values of some rows, and where each row's begin."""
    counts = np.diff(starts)[rows]
    found = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return values[np.repeat(starts[:-1][rows] - found[:-1], counts) + np.arange(found[-1])], found


def _of_rows(column: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    return np.broadcast_to(column[:1], len(rows)) if len(rows) and column.strides == (0,) else column[rows]


def _once(column: NDArray[Any]) -> NDArray[Any]:
    """A column whose values are all the same takes the memory of one."""
    first = column[:1]
    same = len(column) > 1 and bool((column == first).all() or ((first != first).all() and (column != column).all()))  # noqa: PLR0124 - only NaN is not itself
    return np.broadcast_to(first.copy(), len(column)) if same else column


_GROWS = (*COUNTS, "reasoning_tokens", "total_tokens")
_DEFAULTS = {"total_tokens": -1, "cap": -1, "at": np.nan, "said_usd": np.nan, "latency_s": np.nan, "waits": -1}


class LogBuilder:
    """Collects calls one by one."""

    def __init__(self) -> None:
        self._numbers: dict[str, array[int]] = {name: array("q") for name in (*COUNTS, "reasoning_tokens")}
        self._numbers |= {name: array("q") for name in ("total_tokens", "cap")}
        self._reals = {name: array("d") for name in ("at", "said_usd", "latency_s", "block_tokens")}
        self._small = {name: array("b") for name in ("relation", "reasoning_beside", *FLAGS)}
        self._codes = {name: array("i") for name in NAMES}
        self._names: dict[str, dict[str, int]] = {name: {} for name in NAMES}
        self._digest, self._blocks, self._starts = array("Q"), array("Q"), array("q", [0])
        self._lines, self._line_starts = array("Q"), array("q", [0])
        self._known: set[str] = set()
        self._dropped: set[int] = set()

    def __len__(self) -> int:
        return len(self._digest)

    def add(self, call: LoggedCall) -> None:
        """Take one more call."""
        numbers = self._numbers
        for name in COUNTS:
            numbers[name].append(getattr(call, name))
        numbers["reasoning_tokens"].append(call.reasoning_tokens)
        numbers["total_tokens"].append(-1 if call.total_tokens is None else call.total_tokens)
        numbers["cap"].append(-1 if call.cap is None else call.cap)
        reals, nan = self._reals, float("nan")
        reals["at"].append(nan if call.at is None else call.at)
        reals["said_usd"].append(nan if call.cost_usd is None else call.cost_usd)
        reals["latency_s"].append(nan if call.latency_s is None else call.latency_s)
        reals["block_tokens"].append(call.block_tokens)
        small = self._small
        small["relation"].append({None: 0, "inside": 1, "beside": 2}[call.relation])
        small["reasoning_beside"].append(call.reasoning_beside)
        small["cut_off"].append(call.cut_off)
        small["own_hit"].append(call.own_hit)
        small["failed"].append(bool(call.failed))
        small["waits"].append(-1 if call.waits is None else call.waits)
        self._known |= {name for name in ("failed", "waits") if getattr(call, name) is not None}
        for name in NAMES:
            text = getattr(call, name)
            known = self._names[name]
            self._codes[name].append(-1 if text is None else known.setdefault(text, len(known)))
        self._digest.append(call.digest)
        self._blocks.extend(call.blocks)
        self._starts.append(len(self._blocks))
        self._lines.extend(call.lines)
        self._line_starts.append(len(self._lines))

    def extend(
        self,
        columns: Mapping[str, Any],
        texts: Mapping[str, Sequence[str | None]],
        blocks: NDArray[np.uint64],
        counts: Integers,
    ) -> None:
        """Take many calls at once.

        Args:
            columns: Arrays by the name of the column in :class:`CallLog`, ``digest`` among them; those that are not
                there are what :class:`LoggedCall` has by default.
            texts: Lists by column of :data:`NAMES`.
            blocks: Of all calls, one after the other; ``counts`` is how many each has.
        """
        size = len(columns["input_tokens"])
        for held, kind in ((self._numbers, np.int64), (self._reals, np.float64), (self._small, np.int8)):
            for name, values in held.items():
                column = columns.get(name)
                if column is None:
                    column = np.full(size, _DEFAULTS.get(name, 0), kind)
                values.frombytes(np.ascontiguousarray(column, kind).tobytes())
        self._known |= {name for name in ("failed", "waits") if name in columns}
        for name in NAMES:
            known, given = self._names[name], texts.get(name)
            if given is None:
                codes = [-1] * size
            else:
                codes = [-1 if text is None else known.setdefault(text, len(known)) for text in given]
            self._codes[name].extend(codes)
        self._digest.frombytes(np.ascontiguousarray(columns["digest"], np.uint64).tobytes())
        self._starts.frombytes((len(self._blocks) + np.cumsum(counts, dtype=np.int64)).tobytes())
        self._blocks.frombytes(np.ascontiguousarray(blocks, np.uint64).tobytes())
        self._line_starts.extend([len(self._lines)] * size)

    def drop(self, rows: Iterable[int]) -> None:
        """Leave calls that were taken out of what is built."""
        self._dropped.update(rows)

    def absorb(self, other: LogBuilder) -> None:
        """Take all calls of another builder, after those that are here."""
        for mine, theirs in (
            (self._numbers, other._numbers),
            (self._reals, other._reals),
            (self._small, other._small),
        ):
            held: Mapping[str, array[Any]] = mine
            for name, values in held.items():
                values.extend(theirs[name])
        first = len(self._digest)
        for name in NAMES:
            known = self._names[name]
            renamed = np.array([*(known.setdefault(text, len(known)) for text in other._names[name]), -1], np.int32)
            self._codes[name].frombytes(renamed[_view(other._codes[name], np.int32)].tobytes())
        self._digest.extend(other._digest)
        self._starts.frombytes((len(self._blocks) + _view(other._starts, np.int64)[1:]).tobytes())
        self._blocks.extend(other._blocks)
        self._line_starts.frombytes((len(self._lines) + _view(other._line_starts, np.int64)[1:]).tobytes())
        self._lines.extend(other._lines)
        self._known |= other._known
        self._dropped.update(first + row for row in other._dropped)

    def merge(self, row: int, again: int) -> None:
        """Leave a call out that is another one once more: the other has the most that both have."""
        for name in _GROWS:
            self._numbers[name][row] = max(self._numbers[name][row], self._numbers[name][again])
        self._small["cut_off"][row] |= self._small["cut_off"][again]
        self._dropped.add(again)

    def kept(self) -> Flags:
        """Which of the calls that were taken are not dropped."""
        found = np.ones(len(self), bool)
        found[list(self._dropped)] = False
        return found

    def complete(self, row: int, call: LoggedCall) -> None:
        """Let a call that was taken have what the same call has more of in a later line: a stream's counts grow."""
        for name in _GROWS:
            self._numbers[name][row] = max(self._numbers[name][row], getattr(call, name) or 0)
        self._small["cut_off"][row] |= call.cut_off

    def build(self) -> CallLog:
        """The calls so far, in the order of their times; those of one time, and those without, as they came.

        The builder takes none after that: its memory is that of the log.
        """
        small = {name: _view(values, np.int8) for name, values in self._small.items()}
        columns: dict[str, Any] = {name: _once(_view(values, np.float64)) for name, values in self._reals.items()}
        columns |= {name: _once(_view(values, np.int64)) for name, values in self._numbers.items()}
        columns |= {
            name: _once(small[name].astype(bool)) for name in ("reasoning_beside", "failed", "cut_off", "own_hit")
        }
        # Columns of one value need this memory no more.
        self._reals.clear()
        self._numbers.clear()
        log = CallLog(
            **columns,
            relation=_once(small["relation"]),
            waits=_once(small["waits"]),
            codes={name: _once(_view(values, np.int32)) for name, values in self._codes.items()},
            names={name: tuple(known) for name, known in self._names.items()},
            digest=_view(self._digest, np.uint64),
            blocks=_view(self._blocks, np.uint64),
            block_starts=_view(self._starts, np.int64),
            known=frozenset(self._known),
            lines=_view(self._lines, np.uint64),
            line_starts=_view(self._line_starts, np.int64) if self._lines else _NO_STARTS,
        )
        if self._dropped:
            log = log.take(self.kept())
        return in_order(log)


def _view(values: array[Any], kind: type) -> NDArray[Any]:
    return np.frombuffer(values, kind) if values else np.zeros(0, kind)


def in_order(log: CallLog) -> CallLog:
    """The calls in the order of time."""
    # NaN is last when sorted, and is in order only there.
    known = log.at[: len(log) - int(np.isnan(log.at).sum())]
    sorted_already = not np.isnan(known).any() and bool((known[1:] >= known[:-1]).all())
    return log if sorted_already else log.take(np.argsort(log.at, kind="stable"))
