"""A request log as columns: what readers make of files, and what everything else in this room works on.

A call is a row of numpy arrays, so that ten million fit into memory. Names (models, users, prompts) are kept once each
and numbered; texts are not kept at all: a request leaves its digest and the chained digests of its blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

NAMES = ("model", "provider", "prompt", "tag", "user", "team", "session", "tier", "effort")
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
        lines: Of the prompt's text, as :func:`~promptopt.auditing.prompt_digests.text_of` numbers them.
        alike: A digest that is also the same for a text that differs in case, punctuation and digits only; 0 is none.
        messages: What was asked, for who looks at texts while a log is read; nothing keeps it.
        cap: The request's cap on output tokens.
        latency_s: From the request to the end of the answer.
        failed: It gave no answer that its caller could use.
        cut_off: Its answer ended at the cap.
        own_hit: It was answered by a cache of the log's own gateway: nothing was paid.
        waits: Whether somebody waited for the answer; ``None`` is unknown.
        effort: The reasoning effort that was asked for; ``None`` is the model's own.
        quality: How good the answer was, from 0 to 1, as somebody has judged it; ``None`` if nobody did.
        unmeasured: Whether it may have been billed and nobody knows for how much: it broke off. It has no tokens.
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
    effort: str | None = None
    digest: int = _NO_DIGEST
    blocks: Sequence[int] = ()
    block_tokens: float = 0
    lines: Sequence[int] = ()
    alike: int = 0
    messages: Any = None
    cap: int | None = None
    latency_s: float | None = None
    failed: bool | None = None
    cut_off: bool = False
    own_hit: bool = False
    waits: bool | None = None
    quality: float | None = None
    unmeasured: bool = False
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
        quality: As :class:`LoggedCall` has it, NaN is unknown; empty if no call has one. ``alike`` and ``unmeasured``
            likewise, 0 is none.
        question: For each call, its last user message's number in ``questions``, -1 if it has none; empty if questions
            were not asked for. ``scope`` is a digest of all else that the call asks.
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
    quality: Floats = field(default_factory=lambda: np.zeros(0))
    alike: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    unmeasured: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    question: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    scope: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    questions: tuple[str, ...] = ()

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
            if name not in _OF_ALL and (name not in SPARSE or len(getattr(self, name)))
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
_OF_ALL = ("codes", "names", "blocks", "block_starts", "known", "lines", "line_starts", "questions")
SPARSE: Mapping[str, tuple[str, type, float]] = {
    "quality": ("d", np.float64, np.nan),
    "alike": ("Q", np.uint64, 0),
    "unmeasured": ("b", np.int8, 0),
    "question": ("q", np.int64, -1),
    "scope": ("Q", np.uint64, 0),
}
"""Columns that most logs do not have: the code of their array, their type, and what a call has that has none."""


def _runs(
    values: NDArray[np.uint64], starts: Integers, rows: NDArray[Any]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The values of some rows, and where each row's begin."""
    counts = np.diff(starts)[rows]
    found = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return values[np.repeat(starts[:-1][rows] - found[:-1], counts) + np.arange(found[-1])], found


def _of_rows(column: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    return np.broadcast_to(column[:1], len(rows)) if len(rows) and column.strides == (0,) else column[rows]


def once(column: NDArray[Any]) -> NDArray[Any]:
    """A column whose values are all the same takes the memory of one."""
    first = column[:1]
    same = len(column) > 1 and bool((column == first).all() or ((first != first).all() and (column != column).all()))  # noqa: PLR0124 - only NaN is not itself
    return np.broadcast_to(first.copy(), len(column)) if same else column


def in_order(log: CallLog) -> CallLog:
    """The calls in the order of time."""
    # NaN is last when sorted, and is in order only there.
    known = log.at[: len(log) - int(np.isnan(log.at).sum())]
    sorted_already = not np.isnan(known).any() and bool((known[1:] >= known[:-1]).all())
    return log if sorted_already else log.take(np.argsort(log.at, kind="stable"))
