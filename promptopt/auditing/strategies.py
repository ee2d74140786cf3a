"""What would have been paid with some strategies on: a log is replayed on its own clock.

A strategy that a log cannot decide says what it needs. Those that can are applied in the order in which a call meets
them: waste, exact cache, single-flight, the provider's cache, shorter texts, cap, model, processing. A set of
strategies has one bill, whatever the order in which they are named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from promptopt.auditing.bill import CallUsages, TokenBill, TokenRates, logged, rates_of, slots_of
from promptopt.auditing.log import CallLog, Flags, Floats, Integers
from promptopt.auditing.prompt_digests import digest_of
from promptopt.auditing.replays import asked_again, fixed_shares, replay_answers, replay_fixed, replay_prefixes
from promptopt.config import Config

StrategyName = Literal[
    "waste", "exact-cache", "single-flight", "semantic-cache", "provider-cache", "layout", "output-cap",
    "structured-output", "compression", "smaller-model", "lower-effort", "cascade", "batch", "flex",
]  # fmt: skip
STRATEGIES: tuple[StrategyName, ...] = (
    "waste", "exact-cache", "single-flight", "semantic-cache", "provider-cache", "layout", "output-cap",
    "structured-output", "compression", "smaller-model", "lower-effort", "cascade", "batch", "flex",
)  # fmt: skip
"""In the order of the waterfall."""
StepCounts = Mapping[str, int]
"""Whole numbers that say what a strategy did; those of parts of a log add up."""


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How strategies are set.

    Attributes:
        ttl_s: Seconds that an exact cache keeps an answer.
        lifetime_s: Seconds that a provider keeps a prefix.
        renew: Whether use renews it.
        minimum: KindTokens below which a provider keeps nothing.
        cap: Output cap in tokens.
        no_wait: Tags and prompts whose calls nobody waits for.
        to_model: The smaller model.
        input_ratio: Input tokens after compression, by before, as measured.
        output_ratio: Output tokens with structured output, by those without, as measured.
        effort_ratio: Reasoning tokens at a lower effort, by those before, as measured.
        model_evidence: Where it was shown that the smaller model does the job.
    """

    ttl_s: float = 3600.0
    lifetime_s: float = 300.0
    renew: bool = True
    minimum: int = 1024
    cap: int | None = None
    no_wait: tuple[str, ...] = ()
    to_model: str | None = None
    input_ratio: float | None = None
    output_ratio: float | None = None
    effort_ratio: float | None = None
    model_evidence: str | None = None


def needs(log: CallLog, settings: AuditSettings) -> dict[StrategyName, str]:
    """What each strategy needs that is not there; one that can be assessed is not in it."""
    timed = None if log.timed.any() else "the time of each call"
    digests = None if log.has_digests else "requests, or their digests"
    no_latency = not bool(np.isfinite(log.latency_s).any())
    found: dict[StrategyName, str | None] = {
        "waste": None if "failed" in log.known else "the status of each call",
        "exact-cache": timed or digests,
        "single-flight": timed or digests or ("how long each call took" if no_latency else None),
        "semantic-cache": "questions as texts and a calibrated threshold: promptopt cache calibrate",
        "provider-cache": timed or (None if log.has_blocks else "prompts as texts, or digests of their prefix blocks"),
        "layout": timed or (None if len(log.lines) else "requests as texts"),
        "output-cap": None if settings.cap is not None else "a cap: --cap TOKENS",
        "structured-output": None
        if settings.output_ratio is not None
        else "a measured ratio: promptopt compare, then --output-ratio",
        "compression": None
        if settings.input_ratio is not None
        else "a measured ratio: promptopt compare, then --input-ratio",
        "smaller-model": None
        if settings.to_model and settings.model_evidence
        else "an A/B run over the same cases: promptopt compare --model A --model B, then --to-model B --evidence FILE",
        "lower-effort": None
        if settings.effort_ratio is not None
        else "a measured ratio: promptopt compare of both efforts, then --effort-ratio",
        "cascade": "answers of both models with their quality: promptopt compare --model A --model B",
        "batch": None if _no_wait(log, settings).any() else "which calls nobody waits for: --no-wait TAG",
        "flex": None if _no_wait(log, settings).any() else "which calls nobody waits for: --no-wait TAG",
    }
    return {name: text for name, text in found.items() if text is not None}


@dataclass(frozen=True)
class ReplayOutcome:
    """What a set of strategies leaves.

    Attributes:
        counts: By strategy, what it did.
    """

    bill: TokenBill
    counts: Mapping[str, StepCounts]

    def plus(self, other: ReplayOutcome) -> ReplayOutcome:
        """That of two parts of a log."""
        sums = {
            name: {key: counts.get(key, 0) + other.counts.get(name, {}).get(key, 0) for key in counts}
            for name, counts in self.counts.items()
        }
        return ReplayOutcome(self.bill.plus(other.bill), sums)


@dataclass(frozen=True)
class _State:
    usages: CallUsages
    counts: Mapping[str, StepCounts] = field(default_factory=dict)

    def with_counts(self, name: str, usages: CallUsages, **counts: int) -> _State:
        return _State(usages, {**self.counts, name: counts})


class LogReplay:
    """A log that is replayed with any set of strategies."""

    def __init__(
        self,
        log: CallLog,
        settings: AuditSettings,
        config: Config,
        fixed: tuple[Floats, Integers] | None = None,
    ) -> None:
        """``fixed`` is what :func:`fixed_shares` says of the whole log, if ``log`` is a part of it."""
        self.log, self.settings, self._fixed = log, settings, fixed
        self._config = config
        self._slots = slots_of(log)
        self._logged = logged(log, rates_of(log, config))
        # Sets share what they begin with.
        self._after = lru_cache(maxsize=len(STRATEGIES) + 1)(self._computed)

    @property
    def usages(self) -> CallUsages:
        """The calls as they were."""
        return self._logged

    def outcome(self, strategies: frozenset[StrategyName]) -> ReplayOutcome:
        """The bill with these strategies on."""
        state = self._after(tuple(name for name in STRATEGIES if name in strategies), "output-cap" in strategies)
        return ReplayOutcome(state.usages.bill(self._slots), state.counts)

    def _computed(self, names: tuple[StrategyName, ...], capped: bool) -> _State:
        """The state after some strategies; ``capped`` says that a cap comes after them."""
        if not names:
            return _State(self._logged)
        *before, last = names
        if last == "single-flight" and before[-1:] == ["exact-cache"]:
            # What is in flight decides what is kept, so that both are one pass.
            return self._shared(self._after(tuple(before[:-1]), capped), capped, cache=True, single_flight=True)
        state = self._after(tuple(before), capped)
        if last in ("exact-cache", "single-flight"):
            cache = last == "exact-cache"
            return self._shared(state, capped, cache=cache, single_flight=not cache)
        return self._APPLY[last](self, state)

    def _waste(self, state: _State) -> _State:
        usages = state.usages
        failed = usages.billed & self.log.failed
        cut = usages.billed & ~failed & asked_again(self.log)
        left = replace(usages, billed=usages.billed & ~failed & ~cut)
        return state.with_counts(
            "waste", left, calls=int(failed.sum() + cut.sum()), failed=int(failed.sum()), cut=int(cut.sum())
        )

    def _shared(self, state: _State, capped: bool, *, cache: bool, single_flight: bool) -> _State:
        usages, log = state.usages, self.log
        # An answer that a cap cuts is kept by no cache.
        cut = log.cut_off | (usages.output_tokens > (self.settings.cap or 0)) if capped else log.cut_off
        hits, shares, saved_ms = replay_answers(
            log, usages.billed, cut, self.settings.ttl_s if cache else None, single_flight
        )
        left = replace(usages, billed=usages.billed & ~hits & ~shares)
        if cache:
            state = state.with_counts("exact-cache", left, calls=int(hits.sum()), saved_ms=saved_ms[0])
        if single_flight:
            state = state.with_counts("single-flight", left, calls=int(shares.sum()), saved_ms=saved_ms[1])
        return state

    def _provider_cache(self, state: _State) -> _State:
        settings = self.settings
        simulated = replay_prefixes(
            self.log, state.usages.billed, settings.lifetime_s, settings.minimum, renew=settings.renew
        )
        return self._cached(state, "provider-cache", simulated)

    def _layout(self, state: _State) -> _State:
        settings = self.settings
        fixed = self._fixed or fixed_shares(self.log)
        simulated = replay_fixed(
            self.log, state.usages.billed, fixed, settings.lifetime_s, settings.minimum, renew=settings.renew
        )
        return self._cached(state, "layout", simulated)

    def _cached(self, state: _State, name: str, simulated: Integers) -> _State:
        """Let calls read so many tokens from the provider's cache, and write what they miss."""
        usages = state.usages
        # What the log shows is kept if it is more.
        better = usages.billed & (simulated > usages.cached)
        cached = np.where(better, simulated, usages.cached)
        missed = (
            usages.billed
            & self.log.timed
            & (usages.input_tokens >= self.settings.minimum)
            & (usages.written + usages.written_1h == 0)
        )
        rewritten = better | missed
        written = np.where(rewritten, usages.input_tokens - cached, usages.written)
        new = replace(usages, cached=cached, written=written, written_1h=np.where(better, 0, usages.written_1h))
        billed = usages.billed
        return state.with_counts(
            name,
            new,
            calls=int(better.sum()),
            cached_tokens=int(cached[billed].sum()),
            input_tokens=int(usages.input_tokens[billed].sum()),
            written_tokens=int(written[billed].sum()),
        )

    def _output_cap(self, state: _State) -> _State:
        usages, cap = state.usages, self.settings.cap
        assert cap is not None
        cut = usages.billed & (usages.output_tokens > cap)
        output = np.minimum(usages.output_tokens, cap)
        new = replace(usages, output_tokens=output, reasoning=np.minimum(usages.reasoning, output))
        return state.with_counts("output-cap", new, calls=int(cut.sum()), answers=int(usages.billed.sum()))

    def _structured_output(self, state: _State) -> _State:
        ratio = self.settings.output_ratio
        assert ratio is not None
        usages = state.usages
        read = np.floor((usages.output_tokens - usages.reasoning) * ratio + 0.5).astype(np.int64)
        new = replace(usages, output_tokens=usages.reasoning + read)
        return state.with_counts("structured-output", new, calls=int(usages.billed.sum()))

    def _compression(self, state: _State) -> _State:
        ratio = self.settings.input_ratio
        assert ratio is not None
        usages = state.usages
        parts = {
            name: np.floor(getattr(usages, name) * ratio + 0.5).astype(np.int64)
            for name in ("cached", "written", "written_1h")
        }
        plain = np.floor(usages.by_kind[0] * ratio + 0.5)
        new = replace(usages, input_tokens=plain.astype(np.int64) + sum(parts.values()), **parts)
        return state.with_counts("compression", new, calls=int(usages.billed.sum()))

    def _smaller_model(self, state: _State) -> _State:
        rates = rates_of(self.log, self._config, model=self.settings.to_model)
        return self._cheaper(state, rates, "smaller-model", np.ones(len(self.log), bool))

    def _lower_effort(self, state: _State) -> _State:
        ratio = self.settings.effort_ratio
        assert ratio is not None
        usages = state.usages
        reasoning = np.floor(usages.reasoning * ratio + 0.5).astype(np.int64)
        output = usages.output_tokens - usages.reasoning + reasoning
        new = replace(usages, output_tokens=output, reasoning=reasoning)
        return state.with_counts("lower-effort", new, calls=int((usages.billed & (usages.reasoning > 0)).sum()))

    def _batch(self, state: _State) -> _State:
        rates = self._processed("batch", "smaller-model" in state.counts)
        return self._cheaper(state, rates, "batch", _no_wait(self.log, self.settings))

    def _flex(self, state: _State) -> _State:
        rates = self._processed("flex", "smaller-model" in state.counts)
        return self._cheaper(state, rates, "flex", _no_wait(self.log, self.settings))

    def _processed(self, processing: Literal["batch", "flex"], smaller: bool) -> TokenRates:
        model = self.settings.to_model if smaller else None
        return rates_of(self.log, self._config, model=model, processing=processing)

    def _cheaper(self, state: _State, rates: TokenRates, name: str, rows: Flags) -> _State:
        """Price some calls at other rates, if these cost less for them."""
        usages = state.usages
        old, new = _costs(usages, usages.rates), _costs(usages, rates)
        taken = rows & usages.billed & rates.priced & usages.rates.priced & (new < old)
        size = len(usages.rates.rates)
        numbers = np.where(taken, rates.numbers + size, usages.rates.numbers).astype(np.int32)
        merged = TokenRates((*usages.rates.rates, *rates.rates), numbers)
        return state.with_counts(name, replace(usages, rates=merged), calls=int(taken.sum()))

    _APPLY: Mapping[str, Callable[[LogReplay, _State], _State]] = {
        "waste": _waste,
        "provider-cache": _provider_cache,
        "layout": _layout,
        "output-cap": _output_cap,
        "structured-output": _structured_output,
        "compression": _compression,
        "smaller-model": _smaller_model,
        "lower-effort": _lower_effort,
        "batch": _batch,
        "flex": _flex,
    }


def _costs(usages: CallUsages, rates: TokenRates) -> np.ndarray:
    table = rates.table[rates.numbers]
    return np.asarray(sum(table[:, place] * tokens for place, tokens in enumerate(usages.by_kind)))


def _no_wait(log: CallLog, settings: AuditSettings) -> Flags:
    found = np.asarray(log.waits == 0)
    for column in ("tag", "prompt"):
        codes = [code for code, name in enumerate(log.names[column]) if name in settings.no_wait]
        found = found | np.isin(log.codes[column], codes)
    return np.asarray(found)


def in_part(log: CallLog, part: int, parts: int, *, by_model: bool = False) -> Flags:
    """The calls of one of several parts that know nothing of one another: by model and first block of the prompt.

    Args:
        by_model: Whether by the model alone: with another layout, prompts begin alike that did not.
    """
    models = np.array([digest_of(name) for name in log.names["model"]] or [0], np.uint64)[log.codes["model"]]
    key = log.first_blocks
    if not (log.cache_write_tokens.any() or log.cache_write_1h_tokens.any()):
        # Without blocks, who reads what another call has written is known by the prompt alone, which has many digests.
        key = np.where(key != 0, key, log.digest)
    if by_model:
        key = np.zeros(len(log), np.uint64)
    mixed = (key ^ (models * np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray((mixed >> np.uint64(32)) % np.uint64(parts) == np.uint64(part - 1))


def outcomes(
    replay: LogReplay, sets: Sequence[frozenset[StrategyName]]
) -> dict[frozenset[StrategyName], ReplayOutcome]:
    """The outcome of each set."""
    # Sets in the order of what they begin with, so that the last few that were computed serve.
    ordered = sorted(set(sets), key=lambda each: [name in each for name in STRATEGIES])
    return {each: replay.outcome(each) for each in ordered}
