"""Collects the calls of a log one by one, or some columns at a time."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from promptopt.auditing.log import (
    COUNTS,
    FLAGS,
    NAMES,
    SPARSE,
    CallLog,
    Flags,
    Integers,
    LoggedCall,
    in_order,
    once,
)
from promptopt.auditing.prompt_digests import question_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROWS = (*COUNTS, "reasoning_tokens", "total_tokens")
_DEFAULTS = {"total_tokens": -1, "cap": -1, "at": np.nan, "said_usd": np.nan, "latency_s": np.nan, "waits": -1}


class _Sparse:
    """The values of some rows."""

    def __init__(self, code: str) -> None:
        self.rows, self.values = array("q"), array(code)

    def add(self, row: int, value: Any) -> None:
        self.rows.append(row)
        self.values.append(value)

    def column(self, size: int, kind: type, default: float) -> NDArray[Any]:
        """A value for each row; none at all if no row has one."""
        if not self.rows:
            return np.zeros(0, kind)
        found: NDArray[Any] = np.full(size, default, kind)
        found[_view(self.rows, np.int64)] = _view(self.values, kind)
        return found


class LogBuilder:
    """Collects calls one by one."""

    def __init__(self, *, questions: bool = False) -> None:
        """With ``questions``, the last user message of each call is kept as text."""
        self._sparse: dict[str, _Sparse] = {name: _Sparse(code) for name, (code, _, _) in SPARSE.items()}
        self._questions: dict[str, int] | None = {} if questions else None
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
        if call.quality is not None:
            self._sparse["quality"].add(len(self), call.quality)
        for name in ("alike", "unmeasured"):
            if value := getattr(call, name):
                self._sparse[name].add(len(self), value)
        if self._questions is not None and (asked := question_of(call.messages)) is not None:
            number = self._questions.setdefault(asked[1], len(self._questions))
            self._sparse["question"].add(len(self), number)
            self._sparse["scope"].add(len(self), asked[0])
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
        if "quality" in columns:
            judged = np.flatnonzero(~np.isnan(columns["quality"]))
            self._sparse["quality"].rows.frombytes((judged + len(self)).astype(np.int64).tobytes())
            self._sparse["quality"].values.frombytes(columns["quality"][judged].astype(np.float64).tobytes())
        self._known |= {name for name in ("failed", "waits") if name in columns}
        for name in NAMES:
            known, given = self._names[name], texts.get(name)
            if given is None:
                codes = [-1] * size
            else:
                for text in dict.fromkeys(given):
                    if text is not None:
                        known.setdefault(text, len(known))
                codes = [-1 if text is None else known[text] for text in given]
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
        if self._questions is not None and other._questions:
            known_questions = self._questions
            numbers = [known_questions.setdefault(text, len(known_questions)) for text in other._questions]
            values = other._sparse["question"].values
            other._sparse["question"].values = array("q", [numbers[each] for each in values])
        for name, sparse in self._sparse.items():
            sparse.rows.extend(first + row for row in other._sparse[name].rows)
            sparse.values.extend(other._sparse[name].values)
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
            value = getattr(call, name)
            # A total that is not there is no total of 0.
            self._numbers[name][row] = max(self._numbers[name][row], -1 if value is None else value)
        self._small["cut_off"][row] |= call.cut_off

    def build(self) -> CallLog:
        """The calls so far, in the order of their times; those of one time, and those without, as they came.

        The builder takes none after that: its memory is that of the log.
        """
        small = {name: _view(values, np.int8) for name, values in self._small.items()}
        columns: dict[str, Any] = {name: once(_view(values, np.float64)) for name, values in self._reals.items()}
        columns |= {name: once(_view(values, np.int64)) for name, values in self._numbers.items()}
        columns |= {
            name: once(small[name].astype(bool)) for name in ("reasoning_beside", "failed", "cut_off", "own_hit")
        }
        # Columns of one value need this memory no more.
        self._reals.clear()
        self._numbers.clear()
        log = CallLog(
            **columns,
            relation=once(small["relation"]),
            waits=once(small["waits"]),
            codes={name: once(_view(values, np.int32)) for name, values in self._codes.items()},
            names={name: tuple(known) for name, known in self._names.items()},
            digest=_view(self._digest, np.uint64),
            blocks=_view(self._blocks, np.uint64),
            block_starts=_view(self._starts, np.int64),
            known=frozenset(self._known),
            lines=_view(self._lines, np.uint64),
            line_starts=_view(self._line_starts, np.int64) if self._lines else np.zeros(0, np.int64),
            questions=tuple(self._questions or ()),
            **{
                name: self._sparse[name].column(len(self), kind, default) for name, (_, kind, default) in SPARSE.items()
            },
        )
        if self._dropped:
            log = log.take(self.kept())
        return in_order(log)


def _view(values: array[Any], kind: type) -> NDArray[Any]:
    return np.frombuffer(values, kind) if values else np.zeros(0, kind)
