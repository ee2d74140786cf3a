"""Calls that a semantic cache would have answered, replayed: the gateway's own vectors, index and hard facts."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from promptopt.auditing.log import CallLog, Flags
from promptopt.errors import InputError, UsageError
from promptopt.gateway.layers.semantic import Calibration
from promptopt.gateway.semantic.embedders import DEFAULT, WordLlamaEmbedder, make_embedder
from promptopt.gateway.semantic.hard_facts import HardFacts, difference, hard_facts
from promptopt.gateway.semantic.index import MOST_COMPARED, VectorIndex


@dataclass(frozen=True, slots=True)
class Similarity:
    """When two questions may share an answer.

    Attributes:
        threshold: The cosine from which on they may.
        calibration: The file that has it; ``None`` if it was given as a number, whose false hits nobody has measured.
        bound: Upper bound of the share of false hits among hits, as the calibration found it.
    """

    threshold: float
    calibration: str | None = None
    bound: float | None = None


def read_similarity(text: str) -> Similarity:
    """A threshold as a number, or the file of ``promptopt cache calibrate``.

    Raises:
        UsageError: It is neither.
        InputError: The calibration is of an embedder that would send the log's texts away.
    """
    try:
        threshold = float(text)
    except ValueError:
        found = Calibration.read(Path(text))
        if found.embedder != WordLlamaEmbedder.name:
            raise InputError(
                f"is of the embedder {found.embedder!r}, to which the log's texts would be sent: calibrate the local "
                f"one (promptopt cache calibrate pairs.csv --embedder {DEFAULT})",
                path=text,
            ) from None
        return Similarity(found.threshold, text, found.bound)
    if not 0 < threshold <= 1:
        raise UsageError(f"--semantic {text}: is neither a cosine above 0 nor a file of `promptopt cache calibrate`")
    return Similarity(threshold)


@dataclass
class _Scope:
    """Questions of one scope: those that are answered, and those that will be."""

    index: VectorIndex
    kept: list[tuple[int, float]] = field(default_factory=list)
    coming: list[tuple[float, int]] = field(default_factory=list)


class SimilarAnswers:
    """A semantic cache in memory, for calls in the order of time."""

    def __init__(self, log: CallLog, rows: Flags, threshold: float, ttl_s: float) -> None:
        """``rows`` are the calls that may be asked or kept.

        Raises:
            MissingExtra: The local embedder is not installed.
        """
        self._log, self._threshold, self._ttl_s = log, threshold, ttl_s
        asked = rows & log.timed & (log.question >= 0)
        self.rows = np.flatnonzero(asked)
        numbers = np.unique(log.question[self.rows])
        texts = [log.questions[number] for number in numbers.tolist()]
        vectors = make_embedder(DEFAULT)(texts) if texts else np.zeros((0, 1), np.float32)
        # A text without a known word has a vector of zeros, which is like nothing.
        usable = np.abs((vectors * vectors).sum(axis=1) - 1) < 0.1
        self._vectors = {number: vectors[at] for at, number in enumerate(numbers.tolist()) if usable[at]}
        self._facts: dict[int, HardFacts] = {}
        self._scopes: dict[tuple[int, int], _Scope] = {}

    def _scope(self, row: int) -> _Scope:
        key = int(self._log.scope[row]), int(self._log.codes["model"][row])
        found = self._scopes.get(key)
        if found is None:
            found = self._scopes[key] = _Scope(VectorIndex(next(iter(self._vectors.values())).shape[0]))
        return found

    def has(self, row: int, now: float) -> bool:
        """Whether an answer to a similar question is kept now."""
        number = int(self._log.question[row]) if len(self._log.question) else -1
        vector = self._vectors.get(number)
        if vector is None:
            return False
        scope = self._scope(row)
        while scope.coming and scope.coming[0][0] <= now:
            end, other = heapq.heappop(scope.coming)
            scope.index.add(self._vectors[other][None])
            scope.kept.append((other, end))
        for _, place in scope.index.similar(vector, self._threshold)[:MOST_COMPARED]:
            other, end = scope.kept[place]
            if now < end + self._ttl_s and difference(self._fact(number), self._fact(other)) is None:
                return True
        return False

    def keep(self, row: int, end: float) -> None:
        """Keep the answer to a call from its end on."""
        number = int(self._log.question[row]) if len(self._log.question) else -1
        if number in self._vectors:
            heapq.heappush(self._scope(row).coming, (end, number))

    def _fact(self, number: int) -> HardFacts:
        found = self._facts.get(number)
        if found is None:
            found = self._facts[number] = hard_facts(self._log.questions[number])
        return found
