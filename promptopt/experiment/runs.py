"""What a run found: one trial for each call, and a summary of each variant."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from statistics import median
from typing import Any

from promptopt.config import Config
from promptopt.experiment.stopped import Stopped
from promptopt.experiment.variant import Measurement, Variant
from promptopt.prices import Price, close_models
from promptopt.providers.recordings import UNDATED
from promptopt.scorers import CaseScore
from promptopt.tokens import CACHE_MINIMUM_TOKENS, Basis
from promptopt.values import Cost, Response, Usage

_FEWEST_FOR_P95 = 20


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was answered, and what the answer is worth.

    Attributes:
        sample: 0 for the first answer to the case.
        request_sha256: Digest of all that is asked: of the request, and of the turns, the results of tools and what a
            program in the model's place is given beside it.
        counted_tokens: Input tokens of the request, counted with the priced model's tokenizer.
        recorded_at: When a replayed answer was recorded; ``None`` for a live one.
        steps: How often the model was called: more than once if its calls of tools were answered. ``response`` and
            ``measured`` are of all of them.
        live: The responses of this run, which it paid.
        repeated_tokens: Of a conversation: input tokens with which the request before began, too.
        warm: Of a conversation: what it costs with a prompt cache that serves those; else ``None``.
        turns: Of a conversation: what the user said in each turn, and the answer to it; ``response`` has the last text.
    """

    case: str
    sample: int
    request_sha256: str = field(repr=False)
    counted_tokens: int
    response: Response
    measured: Measurement
    score: CaseScore
    recorded_at: str | None = None
    steps: int = 1
    live: tuple[Response, ...] = field(default=(), compare=False, repr=False)
    repeated_tokens: int = 0
    warm: Measurement | None = None
    turns: tuple[tuple[str, Response], ...] = ()

    @property
    def shown(self) -> str:
        """Its answer in one line, for people; of a conversation, that of each turn."""
        return " / ".join(answer.shown for _, answer in self.turns) or self.response.shown

    @property
    def quality(self) -> float:
        return self.score.quality

    @property
    def passed(self) -> bool:
        return self.score.passed

    @property
    def replayed(self) -> bool:
        return self.recorded_at is not None

    @property
    def usage(self) -> Usage:
        """As billed."""
        return self.measured.usage

    @property
    def cost(self) -> Cost | None:
        """List cost; ``None`` if the model is unpriced."""
        return self.measured.cost

    @property
    def judged_cost(self) -> Cost | None:
        """List cost with a warm prompt cache, if the provider has one; ``None`` if the model is unpriced."""
        return self.measured.judged_cost

    @property
    def said(self) -> str:
        """The complaint, or if it passed what judges said of it."""
        reasons = (score.judged.reason for score in self.score.scores if score.judged is not None)
        return self.complaint or "; ".join(filter(None, reasons))

    @property
    def complaint(self) -> str:
        """Why it did not pass, as the first assert that fails explains it; empty if it passed."""
        unmet = (score.explanation for score in self.score.scores if not score.passed)
        return "" if self.passed else next(filter(None, unmet), "")


@dataclass(frozen=True, slots=True)
class Failed:
    """A call without an answer. It is no evidence for or against the prompt.

    Attributes:
        request_sha256: Digest of the request.
        error: Why there is no answer.
        live: What the calls before it, of the same case, were answered with in this run, which paid them.
    """

    case: str
    sample: int
    request_sha256: str = field(repr=False)
    error: str
    live: tuple[Response, ...] = field(default=(), repr=False)


Trial = Answered | Failed


@dataclass(frozen=True)
class Run:
    """The trials of one variant, in the order of the suite.

    Attributes:
        stopped: Why these are not all cases; ``None`` if they are.
    """

    variant: Variant
    trials: tuple[Trial, ...]
    stopped: Stopped | None = None

    @property
    def dropped(self) -> bool:
        """Whether another variant dominates it, so that nothing else is said of it."""
        return self.stopped is not None and self.stopped.by is not None

    @cached_property
    def answered(self) -> tuple[Answered, ...]:
        return tuple(trial for trial in self.trials if isinstance(trial, Answered))

    @cached_property
    def failed(self) -> tuple[Failed, ...]:
        return tuple(trial for trial in self.trials if isinstance(trial, Failed))


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """What the conversations of a variant repeat from call to call; means per conversation.

    Attributes:
        calls: Calls of the model.
        repeated_tokens: Counted input tokens with which the request before began, too.
        warm_tokens: Input tokens that a prompt cache of the priced model's provider serves, once it is warm: of each
            call what no variable changes, or what the call before began with.
        warm_usd_per_1k: List cost of a thousand conversations then; ``None`` if unpriced.
    """

    calls: float
    repeated_tokens: float
    warm_tokens: float
    warm_usd_per_1k: float | None


@dataclass(frozen=True, slots=True)
class VariantSummary:
    """One variant's row.

    Attributes:
        prompt: Its label, ``reviews@v1``.
        path: Its file.
        model: The model that answered.
        priced_as: The model whose price and tokenizer count.
        cases: How many cases.
        trials: How many answers, or errors in their place.
        errors: Calls without an answer; they are left out of everything else.
        cut_off: Answers that ended at the output cap; ``filtered`` by the provider; ``refused`` by the model;
            ``empty`` without a text or a call of a tool.
        pass_rate: Share of judged answers that passed, 0 to 1; ``None`` if none was judged.
        quality: Their mean quality, 0 to 1.
        input_tokens: Mean per call, as billed; so are the next two.
        cached_tokens: Of them, read from the provider's cache.
        output_tokens: Output tokens, reasoning included.
        reasoning_tokens: Of them, what the provider says was reasoning.
        reasoning_usd_per_1k_calls: Of the list cost, what reasoning cost; ``None`` if unpriced.
        basis: Whether those were measured, counted or estimated; several if trials differ.
        measured_input_tokens: What the answering provider measured, mean per call; ``None`` if it did not say.
        counted_input_tokens: What the priced model's tokenizer counts for the same requests.
        usd_per_1k_calls: List cost of a thousand calls; ``None`` if unpriced.
        warm_cached_tokens: Input tokens that the provider's prompt cache serves of a call once it is warm; ``None`` if
            the provider showed no cache. ``warm_usd_per_1k_calls`` is the list cost then, which verdicts are about.
        cold_tokens: Input tokens that a prompt cache might serve, if it served none of any call.
        usd_per_pass: List cost over the number of answers that passed, of cases with asserts; ``None`` if unpriced or
            none passed.
        incurred_usd: What this run paid; a replay paid nothing. ``None`` if a live call was unpriced.
        latency_ms: Median of live calls; ``None`` if all were replayed.
        latency_p95_ms: Their 95th percentile; ``None`` below 20 calls, of which it would be the largest.
        timed: How many calls have a latency.
        repeated: Cases with two answers or more.
        same_answer: Share of them whose answers are the same, white space aside; ``None`` without any.
        same_result: Share of them whose answers all pass or all fail.
        scorer_errors: Scores that no scorer gave, because it raised or gave something else than a number from 0 to 1.
        replayed: Trials answered out of recordings.
        recorded: First and last day of those recordings, as far as they have one.
        unjudged: Asserts that could not be judged.
        judges: The models that judged answers, most often asked first.
        judgements: How many scores they gave; ``without_verdict`` of them are none, ``unsteady`` have votes
            on both sides, and for ``escalated`` the second judge was asked.
        judge_calls: How many answers of theirs the scores rest on, recorded or not.
        judge_usd_per_1k_calls: List cost of judging the answers to a thousand calls; ``None`` if it is not known.
        price: What the calls are priced at; ``None`` if ``priced_as`` is unpriced.
        close_models: Names with a price that are close to an unpriced ``priced_as``.
        conversation: Of cases with turns; ``None`` if there are none.
    """

    prompt: str
    path: str
    model: str
    settings: Mapping[str, Any]
    priced_as: str
    cases: int
    trials: int
    errors: int
    cut_off: int
    filtered: int
    refused: int
    empty: int
    pass_rate: float | None
    quality: float | None
    input_tokens: float | None
    cached_tokens: float | None
    output_tokens: float | None
    reasoning_tokens: float | None
    reasoning_usd_per_1k_calls: float | None
    basis: tuple[Basis, ...]
    measured_input_tokens: float | None
    counted_input_tokens: float | None
    usd_per_1k_calls: float | None
    warm_cached_tokens: float | None
    warm_usd_per_1k_calls: float | None
    cold_tokens: int
    usd_per_pass: float | None
    incurred_usd: float | None
    latency_ms: float | None
    latency_p95_ms: float | None
    timed: int
    repeated: int
    same_answer: float | None
    same_result: float | None
    scorer_errors: int
    replayed: int
    recorded: tuple[str, str] | None
    unjudged: int
    judges: tuple[str, ...]
    judgements: int
    without_verdict: int
    unsteady: int
    escalated: int
    judge_calls: int
    judge_usd_per_1k_calls: float | None
    price: Price | None
    close_models: tuple[str, ...]
    conversation: ConversationSummary | None = None


def summarize(run: Run, config: Config) -> VariantSummary:
    """The summary of a run."""
    variant, trials, answered = run.variant, run.trials, run.answered
    total = _total([trial.cost for trial in answered])
    warm = [trial.measured.warm_tokens for trial in answered if trial.measured.warm_tokens is not None]
    warm_total = _total([trial.judged_cost for trial in answered]) if warm else None
    judged = [trial for trial in answered if trial.score.scores]
    passed, spent = sum(trial.passed for trial in judged), _total([trial.cost for trial in judged])
    seconds = sorted(trial.response.duration_s for trial in answered if trial.response.duration_s is not None)
    repeated = _repeated(answered)
    return VariantSummary(
        prompt=variant.label,
        path=variant.template.path,
        model=variant.model,
        settings=variant.settings,
        priced_as=variant.priced_as,
        cases=len({trial.case for trial in trials}),
        trials=len(trials),
        errors=len(run.failed),
        cut_off=sum(trial.response.finish_reason == "length" for trial in answered),
        filtered=sum(trial.response.finish_reason == "content_filter" for trial in answered),
        refused=sum(trial.response.finish_reason == "refusal" for trial in answered),
        empty=sum(not t.response.output.strip() and t.response.finish_reason == "stop" for t in answered),
        pass_rate=_mean([float(trial.passed) for trial in judged]),
        quality=_mean([trial.quality for trial in judged]),
        input_tokens=_mean([trial.usage.input_tokens for trial in answered]),
        cached_tokens=_mean([trial.usage.cache_read_tokens for trial in answered]),
        output_tokens=_mean([trial.usage.output_tokens for trial in answered]),
        reasoning_tokens=_mean([trial.usage.output_reasoning_tokens for trial in answered]),
        reasoning_usd_per_1k_calls=None if total is None else 1000 * sum(map(_reasoning_usd, answered)) / len(answered),
        basis=tuple(sorted({trial.measured.basis for trial in answered})),
        measured_input_tokens=_mean([t.response.usage.input_tokens for t in answered if t.response.usage]),
        counted_input_tokens=_mean([trial.counted_tokens for trial in answered]),
        usd_per_1k_calls=None if total is None else float(total / len(answered) * 1000),
        warm_cached_tokens=_mean(warm),
        warm_usd_per_1k_calls=None if warm_total is None else float(warm_total / len(answered) * 1000),
        cold_tokens=0 if warm else _cold_tokens(variant, answered),
        usd_per_pass=None if spent is None or not passed else float(spent / passed),
        incurred_usd=_incurred(trials, variant),
        latency_ms=median(seconds) * 1000 if seconds else None,
        latency_p95_ms=_percentile95(seconds) * 1000 if len(seconds) >= _FEWEST_FOR_P95 else None,
        timed=len(seconds),
        repeated=len(repeated),
        same_answer=_mean([float(len(set(map(_answer, trials))) == 1) for trials in repeated]),
        same_result=_mean([float(len({t.passed for t in each}) == 1) for each in repeated if each[0].score.scores]),
        scorer_errors=sum(score.broken for trial in answered for score in trial.score.scores),
        replayed=sum(trial.replayed for trial in answered),
        recorded=first_and_last(trial.recorded_at[:10] for trial in answered if trial.recorded_at),
        unjudged=sum(trial.score.unjudged for trial in answered),
        **_judging(answered),
        price=variant.price,
        close_models=() if variant.price else tuple(close_models(variant.priced_as, config=config)),
        conversation=_conversation([(trial, trial.warm) for trial in answered if trial.warm is not None]),
    )


def _conversation(trials: Sequence[tuple[Answered, Measurement]]) -> ConversationSummary | None:
    if not trials:
        return None
    total = _total([warm.judged_cost for _, warm in trials])
    return ConversationSummary(
        calls=sum(trial.steps for trial, _ in trials) / len(trials),
        repeated_tokens=sum(trial.repeated_tokens for trial, _ in trials) / len(trials),
        warm_tokens=sum(warm.warm_tokens or 0 for _, warm in trials) / len(trials),
        warm_usd_per_1k=None if total is None else float(total / len(trials) * 1000),
    )


def _judging(answered: Sequence[Answered]) -> dict[str, Any]:
    """What a summary says of judges."""
    scores = [score for trial in answered for score in trial.score.scores if score.judged is not None]
    judged = [score.judged for score in scores if score.judged is not None]
    cost = _total([each.cost for each in judged if each.calls])
    return {
        "judges": tuple(model for model, _ in Counter(each.model for each in judged).most_common()),
        "judgements": len(judged),
        "without_verdict": sum(score.broken for score in scores),
        "unsteady": sum(0 < each.passes < len(each.votes) for each in judged),
        "escalated": sum(each.escalated for each in judged),
        "judge_calls": sum(each.calls for each in judged),
        "judge_usd_per_1k_calls": None if cost is None or not answered else float(cost / len(answered) * 1000),
    }


def _cold_tokens(variant: Variant, answered: Sequence[Answered]) -> int:
    price = variant.price
    if price is None or price.cache_read_mtok >= price.input_mtok:
        return 0
    large = any(t.measured.basis == "measured" and t.usage.input_tokens >= CACHE_MINIMUM_TOKENS for t in answered)
    return variant.cacheable() if large else 0


def _reasoning_usd(trial: Answered) -> float:
    """What reasoning costs of a call: it is billed as output is."""
    if trial.cost is None or not trial.usage.output_reasoning_tokens:
        return 0.0
    return float(trial.cost.output_usd) * trial.usage.output_reasoning_tokens / trial.usage.output_tokens


def first_and_last(days: Iterable[str]) -> tuple[str, str] | None:
    """Of some days; :data:`UNDATED` only if no recording has a day, and ``None`` if there are none."""
    known = sorted(set(days))
    dated = [day for day in known if day != UNDATED] or known
    return (dated[0], dated[-1]) if dated else None


def _total(costs: Sequence[Cost | None]) -> Decimal | None:
    known = [cost.total_usd for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(costs) else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percentile95(ordered: Sequence[float]) -> float:
    """The smallest that 95% are not above (nearest rank), of values in ascending order."""
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def _repeated(answered: Sequence[Answered]) -> list[list[Answered]]:
    """The answers to each case that has several."""
    cases: dict[str, list[Answered]] = {}
    if any(trial.sample for trial in answered):
        for trial in answered:
            cases.setdefault(trial.case, []).append(trial)
    return [trials for trials in cases.values() if len(trials) > 1]


def _answer(trial: Answered) -> str:
    answer = trial.response.output if trial.score.answer is None else trial.score.answer
    return " ".join(answer.split())


def _incurred(trials: Sequence[Trial], variant: Variant) -> float | None:
    """What live calls cost at the answering model's own price."""
    live = [response for trial in trials for response in trial.live]
    if not live or variant.free:
        return 0.0
    usages = [response.usage for response in live if response.usage]
    if variant.live_price is None or len(usages) < len(live):
        return None
    return float(sum((variant.live_price.cost(usage).total_usd for usage in usages), Decimal(0)))
