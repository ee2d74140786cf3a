"""Calls that a cache, a flight or a provider's cache of prefixes would have served, replayed on the log's own clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from promptopt.auditing.log import CallLog, Flags, Floats, Integers
from promptopt.auditing.prompt_digests import LINE_LENGTH
from promptopt.auditing.similar_answers import SimilarAnswers

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEP = 128
_ROWS_AT_ONCE, _BLOCKS_AT_ONCE = 200_000, 4_000_000


_AGAIN_S = 600.0


def asked_again(log: CallLog) -> Flags:
    """Calls whose answer was cut off at its cap, and whose very request was made once more within ten minutes."""
    return _made_again(log, log.cut_off)


def retried(log: CallLog) -> Flags:
    """Calls that failed or were cut off, and whose very request was made once more within ten minutes."""
    return _made_again(log, log.cut_off | log.failed)


def _made_again(log: CallLog, of: Flags) -> Flags:
    found = np.zeros(len(log), bool)
    rows = np.flatnonzero((log.digest != 0) & log.timed & ~log.own_hit)
    rows = rows[np.lexsort((rows, log.codes["model"][rows], log.digest[rows]))]
    first, second = rows[:-1], rows[1:]
    same = (log.digest[first] == log.digest[second]) & (log.codes["model"][first] == log.codes["model"][second])
    found[first] = same & of[first] & (log.at[second] - log.at[first] <= _AGAIN_S)
    return found


@dataclass(frozen=True, slots=True)
class SharedAnswers:
    """Calls that are not sent, since another call's answer serves them, and the milliseconds that each way saves.

    Attributes:
        hits: Answered by the exact cache.
        shares: Given the answer of a call in flight.
        similar: Answered by the semantic cache.
        saved_ms: Of the three, in this order.
    """

    hits: Flags
    shares: Flags
    similar: Flags
    saved_ms: tuple[int, int, int]


def replay_answers(
    log: CallLog,
    billed: Flags,
    cut: Flags,
    ttl_s: float | None,
    single_flight: bool,
    similar: SimilarAnswers | None = None,
) -> SharedAnswers:
    """Calls that a cache answers, and those that share the answer of one in flight: one pass, as in the gateway.

    Args:
        cut: Answers that ended at a cap, which no cache keeps.
        ttl_s: Of the exact cache; ``None`` if there is none.
        similar: The semantic cache, which a call meets after the other two.
    """
    hits, shares, likes = (np.zeros(len(log), bool) for _ in range(3))
    saved_ms = [0, 0, 0]
    rows = np.flatnonzero(billed & (log.digest != 0) & log.timed)
    _, places, counts = np.unique(log.digest[rows], return_inverse=True, return_counts=True)
    # Only what is asked again matters, or what is like it.
    rows = rows[counts[places] > 1]
    if similar is not None:
        rows = np.union1d(rows, similar.rows)
    # Models have caches of their own: a digest is that of the whole request.
    models = log.codes["model"][rows].tolist()
    at, latency = log.at[rows].tolist(), np.nan_to_num(log.latency_s[rows]).tolist()
    bad = (log.failed[rows] | cut[rows]).tolist()
    failed = log.failed[rows].tolist()
    kept: dict[tuple[int, int], list[float]] = {}
    flights: dict[tuple[int, int], _Flight] = {}
    for row, digest, model, now, takes, unkept, lost in zip(
        rows.tolist(), log.digest[rows].tolist(), models, at, latency, bad, failed, strict=True
    ):
        key = digest, model
        if digest and ttl_s is not None and (ends := kept.get(key)) and _is_kept(ends, now, ttl_s):
            hits[row] = True
            saved_ms[0] += round(takes * 1000)
            continue
        start = now
        if single_flight and digest:
            shared, start = _join(flights, key, now, takes, lost)
            if shared:
                shares[row] = True
                saved_ms[1] += round((now + takes - start) * 1000)
                continue
        if similar is not None and similar.has(row, start):
            likes[row] = True
            saved_ms[2] += round(takes * 1000)
            if single_flight and digest:
                # The flight has landed; what a semantic cache answers is kept by no other.
                flights[key].end = start
            continue
        if ttl_s is not None and not unkept:
            kept.setdefault(key, []).append(start + takes)
        if similar is not None and not unkept:
            similar.keep(row, start + takes)
    return SharedAnswers(hits, shares, likes, (saved_ms[0], saved_ms[1], saved_ms[2]))


@dataclass(slots=True)
class _Flight:
    """A call in flight that others follow.

    Attributes:
        successor: The flight of the follower that leads after it failed.
    """

    end: float
    lost: bool
    successor: _Flight | None = None


def _join(
    flights: dict[tuple[int, int], _Flight], key: tuple[int, int], now: float, takes: float, lost: bool
) -> tuple[bool, float]:
    """Whether a call shares the answer of another, and when that came; or when the call itself is sent.

    As :class:`~promptopt.gateway.layers.single_flight.SingleFlight`: a follower whose leader failed leads, and one that
    has seen two fail asks on its own.
    """
    flight = flights.get(key)
    while flight is not None and flight.end <= now and flight.successor is not None:
        flight = flight.successor
    if flight is None or flight.end <= now:
        flights[key] = _Flight(now + takes, lost)
        return False, now
    flights[key] = flight
    if flight.lost and flight.successor is not None:
        flight = flight.successor
        if flight.lost:
            # The second that failed: nobody follows this call.
            return False, flight.end
    if not flight.lost:
        return True, flight.end
    flight.successor = _Flight(flight.end + takes, lost)
    return False, flight.end


def _is_kept(ends: list[float], now: float, ttl_s: float) -> bool:
    """Whether an answer is kept; the newest that has come by now counts, and older ones are forgotten."""
    came = [end for end in ends if end <= now]
    if not came:
        return False
    newest = max(came)
    if len(came) > 1:
        ends[:] = [newest, *(end for end in ends if end > now)]
    return now < newest + ttl_s


def replay_prefixes(log: CallLog, billed: Flags, lifetime: float, minimum: int, *, renew: bool) -> Integers:
    """Tokens of each call that the provider would have read from its cache, if every miss is written."""
    counts = np.diff(log.block_starts)
    rows = np.flatnonzero(billed & (counts > 0) & log.timed)
    places = (_leading_renewed if renew else _leading_kept)(log, rows, lifetime)
    tokens, sizes = log.input_tokens[rows], log.block_tokens[rows]
    sizes = np.where(sizes >= 1, sizes, np.where(sizes > 0, sizes * tokens, tokens / counts[rows]))
    # A hair above, since a share of a text is not a whole number in binary.
    cached = np.minimum((places * sizes + 1e-6).astype(np.int64), tokens)
    found = np.zeros(len(log), np.int64)
    found[rows] = _kept(cached, minimum)
    return found


def _kept(tokens: Integers, minimum: int) -> Integers:
    """What a provider keeps of a prefix: nothing below a minimum, and whole steps from there on."""
    return np.where(tokens >= minimum, tokens // _STEP * _STEP, 0) if minimum else tokens


def text_lengths(log: CallLog) -> Integers:
    """Characters of each call's prompt; 0 if the log does not have its text."""
    if not len(log.lines):
        return np.zeros(len(log), np.int64)
    counts = np.diff(log.line_starts)
    lengths = (log.lines & LINE_LENGTH).astype(np.int64)
    return np.bincount(np.repeat(np.arange(len(log)), counts), lengths, len(log)).astype(np.int64)


def fixed_shares(log: CallLog) -> tuple[Floats, NDArray[np.int64]]:
    """The share of each call's text that is in every call of its prompt and model, and which prompt and model that is.

    A prompt that fewer than three calls have shows nothing of what never changes: its share is 0.
    """
    size = len(log)
    if not len(log.lines):
        return np.zeros(size), np.zeros(size, np.int64)
    groups = (log.codes["prompt"].astype(np.int64) + 1) * len(log.names["model"]) + log.codes["model"]
    counts = np.diff(log.line_starts)
    calls = np.repeat(np.arange(size), counts)
    of, lengths = groups[calls], (log.lines & LINE_LENGTH).astype(np.int64)
    order = np.lexsort((calls, log.lines, of))
    same = (of[order][1:] == of[order][:-1]) & (log.lines[order][1:] == log.lines[order][:-1])
    runs = np.concatenate([[0], np.cumsum(~same)])
    once = np.concatenate([[True], ~same | (calls[order][1:] != calls[order][:-1])])
    _, places, sizes = np.unique(groups[counts > 0], return_inverse=True, return_counts=True)
    in_group = np.zeros(size, np.int64)
    in_group[counts > 0] = sizes[places.reshape(-1)]
    everywhere = np.bincount(runs, once)[runs] == in_group[calls[order]]
    fixed = np.zeros(len(log.lines))
    fixed[order[everywhere]] = lengths[order[everywhere]]
    total = np.bincount(calls, lengths, size)
    return np.where(in_group > 2, np.bincount(calls, fixed, size) / np.maximum(total, 1), 0.0), groups


def replay_fixed(
    log: CallLog, billed: Flags, fixed: tuple[Floats, Integers], lifetime: float, minimum: int, *, renew: bool
) -> Integers:
    """Tokens of each call that would be read from the provider's cache if what its prompts share came first.

    Args:
        fixed: The share of each call's text that all calls of its group have, and the group.
    """
    shares, groups = fixed
    tokens = _kept(np.floor(shares * log.input_tokens + 1e-6).astype(np.int64), minimum)
    found = np.zeros(len(log), np.int64)
    kept: dict[int, float] = {}
    rows = np.flatnonzero(billed & (tokens > 0) & log.timed)
    for row, group, at in zip(rows.tolist(), groups[rows].tolist(), log.at[rows].tolist(), strict=True):
        hit = kept.get(group, -math.inf) >= at - lifetime
        if hit:
            found[row] = tokens[row]
        if renew or not hit:
            kept[group] = at
    return found


def _leading_renewed(log: CallLog, rows: NDArray[np.int64], lifetime: float) -> NDArray[np.int64]:
    """How many leading blocks of each call are in the cache, if each use renews them: used within the lifetime."""
    counts = np.diff(log.block_starts)[rows]
    ends = np.cumsum(counts)
    missing = np.full(len(rows), -1, np.int64)
    # Blocks of one number are in one part: a part at a time bounds the memory.
    parts = max(1, len(log.blocks) // _BLOCKS_AT_ONCE)
    numbers = log.blocks if len(rows) == len(log) else log.blocks[places_of(log.block_starts[:-1][rows], counts)]
    part = (numbers * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)) % np.uint64(parts)
    for each in range(parts):
        held = np.flatnonzero(part == np.uint64(each)) if parts > 1 else np.arange(len(numbers))
        of = np.searchsorted(ends, held, side="right")
        # Models have caches of their own.
        keys = numbers[held] ^ (log.codes["model"][rows[of]].astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9))
        order = np.argsort(keys, kind="stable")
        at, keys = log.at[rows[of[order]]], keys[order]
        alive = np.zeros(len(held), bool)
        # As far as a difference of times is exact: a time less the lifetime is compared, not a distance.
        alive[1:] = (keys[1:] == keys[:-1]) & (at[:-1] >= at[1:] - lifetime)
        lost = np.sort(order[~alive])
        whose = of[lost]
        depth = held[lost] - (ends[whose] - counts[whose])
        first = np.flatnonzero(np.diff(whose, prepend=-1))
        old = missing[whose[first]]
        missing[whose[first]] = np.where(old < 0, depth[first], np.minimum(old, depth[first]))
    return np.where(missing < 0, counts, missing)


def places_of(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers from each start on, as many as each count says."""
    ends = np.cumsum(counts)
    return np.repeat(starts - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)


def _leading_kept(log: CallLog, rows: NDArray[np.int64], lifetime: float) -> NDArray[np.int64]:
    """How many leading blocks of each call are in the cache, if only a write makes them live on."""
    found = np.zeros(len(rows), np.int64)
    starts, used = log.block_starts, dict[int, dict[int, float]]()
    for first_row in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[first_row : first_row + _ROWS_AT_ONCE]
        for number, (start, end, at, model) in enumerate(
            zip(
                starts[some].tolist(), starts[some + 1].tolist(), log.at[some].tolist(),
                log.codes["model"][some].tolist(), strict=True,
            ),
            first_row,
        ):  # fmt: skip
            known = used.setdefault(model, {})
            blocks = log.blocks[start:end].tolist()
            place, oldest = 0, at - lifetime
            while place < len(blocks) and known.get(blocks[place], -math.inf) >= oldest:
                place += 1
            found[number] = place
            known.update(dict.fromkeys(blocks[place:], at))
        _forget(used, float(log.at[some[-1]]) - lifetime)
    return found


def _forget(used: dict[int, dict[int, float]], oldest: float) -> None:
    """Drop what nobody can read any more, so that memory is bounded by what a lifetime holds."""
    for model, known in used.items():
        used[model] = {block: at for block, at in known.items() if at >= oldest}
