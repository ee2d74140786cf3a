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

from promptopt.auditing.bill import (
    CallUsages,
    TokenBill,
    TokenRates,
    chosen_rates,
    logged,
    mixed_rates,
    rates_of,
    slots_of,
)
from promptopt.auditing.evidence import EffortEvidence, LabelEvidence, same_model
from promptopt.auditing.log import CallLog, Flags, Floats, Integers
from promptopt.auditing.prompt_digests import digest_of
from promptopt.auditing.replays import asked_again, fixed_shares, replay_answers, replay_fixed, replay_prefixes
from promptopt.auditing.similar_answers import SimilarAnswers
from promptopt.auditing.strategy_settings import STRATEGIES, AuditSettings, StrategyName, no_wait
from promptopt.config import Config
from promptopt.prices import Processing

_ANSWERED_BY: tuple[StrategyName, ...] = ("exact-cache", "single-flight", "semantic-cache")
_ANSWERING = frozenset(_ANSWERED_BY)
StepCounts = Mapping[str, int]
"""Whole numbers that say what a strategy did; those of parts of a log add up."""


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
        labels: LabelEvidence | None = None,
        effort: EffortEvidence | None = None,
    ) -> None:
        """``fixed`` is what :func:`fixed_shares` says of the whole log, if ``log`` is a part of it.

        ``labels`` and ``effort`` are those of ``log``'s rows.
        """
        self.log, self.settings, self._fixed, self._labels = log, settings, fixed, labels
        self._effort = effort
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
        if last in _ANSWERING:
            # What is in flight or similar decides what is kept, so that all three are one pass.
            rest = tuple(name for name in before if name not in _ANSWERING)
            return self._shared(self._after(rest, capped), capped, frozenset(names) & _ANSWERING)
        return self._APPLY[last](self, self._after(tuple(before), capped))

    def _waste(self, state: _State) -> _State:
        usages = state.usages
        failed = usages.billed & self.log.failed
        cut = usages.billed & ~failed & asked_again(self.log)
        left = replace(usages, billed=usages.billed & ~failed & ~cut)
        return state.with_counts(
            "waste", left, calls=int(failed.sum() + cut.sum()), failed=int(failed.sum()), cut=int(cut.sum())
        )

    def _shared(self, state: _State, capped: bool, names: frozenset[StrategyName]) -> _State:
        usages, log, settings = state.usages, self.log, self.settings
        # An answer that a cap cuts is kept by no cache.
        cut = log.cut_off | (usages.output_tokens > (settings.cap or 0)) if capped else log.cut_off
        similar = None
        if "semantic-cache" in names:
            assert settings.semantic_threshold is not None
            similar = SimilarAnswers(log, usages.billed, settings.semantic_threshold, settings.ttl_s)
        ttl_s = settings.ttl_s if "exact-cache" in names else None
        found = replay_answers(log, usages.billed, cut, ttl_s, "single-flight" in names, similar)
        left = replace(usages, billed=usages.billed & ~found.hits & ~found.shares & ~found.similar)
        served = dict(zip(_ANSWERED_BY, (found.hits, found.shares, found.similar), strict=True))
        for place, (name, rows) in enumerate(served.items()):
            if name in names:
                state = state.with_counts(name, left, calls=int(rows.sum()), saved_ms=found.saved_ms[place])
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
        return self._cheaper(state, rates, "smaller-model", self._shown())

    def _shown(self) -> Flags:
        """Calls of which it is shown that the smaller model does the job."""
        if self.settings.model_evidence or self._labels is None:
            return np.ones(len(self.log), bool)
        return self._labels.shown

    def _moved(self) -> Flags:
        """Those of them that another model answers in the log."""
        wanted, names = self.settings.to_model, self.log.names["model"]
        codes = [code for code, name in enumerate(names) if wanted is not None and same_model(name, wanted)]
        return self._shown() & ~np.isin(self.log.codes["model"], codes)

    def _cascade(self, state: _State) -> _State:
        rates = self._cascaded(self._base_rates(state, None), None)
        return self._cheaper(state, rates, "cascade", rates.priced)

    def _cascaded(self, own: TokenRates, processing: Processing | None) -> TokenRates:
        """What a token costs in a cascade: at each model's rate, times the share of the calls that it gets.

        Calls that do not go through it are unpriced.
        """
        settings, log = self.settings, self.log
        if settings.cascade:
            *cheaper, last = settings.cascade
            codes = [code for code, name in enumerate(log.names["model"]) if same_model(name, last)]
            rows = np.isin(log.codes["model"], codes)
            asked = [(name, np.full(len(log), share)) for name, share in zip(cheaper, settings.escalated, strict=False)]
            later = np.full(len(log), settings.escalated[-1])
        else:
            assert self._labels is not None
            assert settings.to_model is not None
            later = self._labels.escalated
            rows = np.isfinite(later)
            asked = [(settings.to_model, np.ones(len(log)))]
        models = [rates_of(log, self._config, model=name, processing=processing) for name, _ in asked]
        return mixed_rates([*models, own], [*(share for _, share in asked), later], rows)

    def _lower_effort(self, state: _State) -> _State:
        usages, rows = state.usages, np.ones(len(self.log), bool)
        ratio: Floats = np.full(1, self.settings.effort_ratio or 0.0)
        if self.settings.effort_ratio is None:
            assert self._effort is not None
            # What is known of one model says nothing of another.
            rows = self._effort.shown & ~(self._moved() if "smaller-model" in state.counts else np.zeros(1, bool))
            ratio = self._effort.ratio
        lower = np.floor(np.where(rows, usages.reasoning * ratio, 0) + 0.5).astype(np.int64)
        reasoning = np.where(rows, lower, usages.reasoning)
        output = usages.output_tokens - usages.reasoning + reasoning
        new = replace(usages, output_tokens=output, reasoning=reasoning)
        return state.with_counts("lower-effort", new, calls=int((rows & usages.billed & (usages.reasoning > 0)).sum()))

    def _batch(self, state: _State) -> _State:
        return self._cheaper(state, self._processed(state, "batch"), "batch", no_wait(self.log, self.settings))

    def _flex(self, state: _State) -> _State:
        return self._cheaper(state, self._processed(state, "flex"), "flex", no_wait(self.log, self.settings))

    def _base_rates(self, state: _State, processing: Processing | None) -> TokenRates:
        """The rates of each call, with the smaller model where that is asked."""
        own = rates_of(self.log, self._config, processing=processing)
        if "smaller-model" not in state.counts:
            return own
        small = rates_of(self.log, self._config, model=self.settings.to_model, processing=processing)
        return chosen_rates(small, own, self._shown())

    def _processed(self, state: _State, processing: Literal["batch", "flex"]) -> TokenRates:
        rates = self._base_rates(state, processing)
        if "cascade" not in state.counts:
            return rates
        mixed = self._cascaded(rates, processing)
        return chosen_rates(mixed, rates, mixed.priced)

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
        "cascade": _cascade,
        "batch": _batch,
        "flex": _flex,
    }


def _costs(usages: CallUsages, rates: TokenRates) -> np.ndarray:
    table = rates.table[rates.numbers]
    return np.asarray(sum(table[:, place] * tokens for place, tokens in enumerate(usages.by_kind)))


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
