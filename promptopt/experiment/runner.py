"""Carries out plans: replays what is recorded, asks for the rest in threads, scores every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random
from threading import Event

from promptopt.errors import ProviderUnusable
from promptopt.experiment.conversation import (
    CaseError,
    CaseStep,
    Conversed,
    converse,
    judge_steps,
    make_step,
    turn_reached,
)
from promptopt.experiment.judging import JudgedRun
from promptopt.experiment.plan import PlannedCall, RecordedCall, RunPlan
from promptopt.experiment.runs import Answered, Failed, Run, Trial
from promptopt.experiment.unfinished import UnfinishedRun
from promptopt.experiment.variant import Variant
from promptopt.gateway.clock import SYSTEM_CLOCK
from promptopt.gateway.failures import Refused
from promptopt.gateway.flow import Layer
from promptopt.gateway.layers.concurrency import Pace, Retries
from promptopt.gateway.layers.replay import Record
from promptopt.gateway.provider import WrappedProvider
from promptopt.judges import JudgeSession
from promptopt.providers import Provider, make_provider
from promptopt.providers.recordings import RecordingFile
from promptopt.scorers import JudgeAccess, SuiteChecks
from promptopt.values import Progress, Response

# How long calls in flight may take to end, so that their answers are kept, when a run is interrupted.
_GRACE_S = 2.0
_SEED = 20_240_513

_Answer = tuple[CaseStep, ...] | CaseError


def run_plans(
    plans: Sequence[RunPlan],
    checks: SuiteChecks,
    *,
    jobs: int = 16,
    timeout_s: float | None = None,
    provider: Provider | None = None,
    layers: Sequence[Layer] = (),
    retries: int | None = None,
    rpm: int | None = None,
    progress: Progress | None = None,
    judges: JudgeSession | None = None,
) -> list[Run]:
    """Answer and score all calls of all plans.

    Args:
        jobs: Calls in flight at once.
        timeout_s: Seconds that a call may take.
        provider: Answers instead of the one that serves each model's name.
        layers: Around the provider, outermost first; what they answer is recorded too.
        retries: How often a call that failed is sent again; by default as often as the provider does so by itself.
        rpm: The most calls that are sent in a minute.
        progress: Called in this thread.
        judges: Whom asserts ask that ask models.

    Raises:
        ProviderUnusable: No further call can succeed, or not one call did. What was answered is kept.
        RecordingError: An answer could not be put on disk.
        KeyboardInterrupt: What was answered is kept.
    """
    live = [call for plan in plans for call in plan.live]
    sending = _Sending(jobs, retries, () if rpm is None else (Pace(rpm),))
    unfinished = {plan.variant.files[0]: plan.unfinished for plan in plans if plan.unfinished}
    outcomes = _ask(live, sending, timeout_s, provider, layers, progress, unfinished) if live else []
    errors = [outcome.error for outcome in outcomes if outcome.error and not outcome.made]
    if live and len(errors) == sum(len(plan.calls) for plan in plans):
        raise ProviderUnusable(f"not one of {len(live)} calls was answered; the first: {errors[0]}")
    for run in unfinished.values():
        run.end({plan.variant.model for plan in plans})
    # A replay has no latency: what one side cannot be judged by, the other is not either.
    timed = len(live) == sum(len(plan.calls) for plan in plans)
    asked = iter(outcomes)
    answers = [
        [
            _Given(call.steps) if isinstance(call, RecordedCall) else _given(plan, call, next(asked))
            for call in plan.calls
        ]
        for plan in plans
    ]
    caching = {
        plan.variant.model for plan, given in zip(plans, answers, strict=True) for one in given if _shows_cache(one)
    }
    judged = None
    if judges is not None:
        judged = JudgedRun(
            judges, checks, plans, [[None if each.error else each.steps for each in given] for given in answers]
        )
        judges.carry_out(judged.work(), progress)
    return [
        _run(plan, given, checks, timed, plan.variant.model in caching, judged)
        for plan, given in zip(plans, answers, strict=True)
    ]


def connection(timeout_s: float | None, retries: int | None, rpm: int | None) -> Callable[[str], Provider]:
    """Makes providers of models, whose calls are sent again and spaced as those of a run."""
    sending = _Sending(1, retries, () if rpm is None else (Pace(rpm),))

    def connect(model: str) -> Provider:
        inner, layers = sending.layers(make_provider(model, timeout_s))
        return WrappedProvider(inner, *layers)

    return connect


@dataclass(frozen=True, slots=True)
class _Given:
    """What a case was answered with.

    Attributes:
        live: The responses of this run.
    """

    steps: tuple[CaseStep, ...]
    live: tuple[Response, ...] = ()
    error: CaseError | None = None


def _given(plan: RunPlan, call: PlannedCall, outcome: Conversed) -> _Given:
    steps, before = list(call.earlier), call.before
    for asked, response in outcome.made:
        steps.append(make_step(plan.variant, call.case, asked, response, before))
        before = asked
    return _Given(tuple(steps), tuple(response for _, response in outcome.made), outcome.error)


def _shows_cache(given: _Given) -> bool:
    """Whether an answer says that its provider has a prompt cache."""
    usages = [step.response.usage for step in given.steps] if given.error is None else []
    return any(usage and (usage.cache_read_tokens or usage.cache_write_tokens) for usage in usages)


def _run(
    plan: RunPlan,
    given: Sequence[_Given],
    checks: SuiteChecks,
    timed: bool,
    caching: bool,
    judged: JudgedRun | None,
) -> Run:
    cacheable = plan.variant.cacheable() if caching else None
    trials = [
        _trial(plan.variant, call, one, checks, timed, cacheable, None if judged is None else judged.at(plan, number))
        for number, (call, one) in enumerate(zip(plan.calls, given, strict=True))
    ]
    return Run(plan.variant, tuple(trials))


def _trial(
    variant: Variant,
    call: PlannedCall | RecordedCall,
    given: _Given,
    checks: SuiteChecks,
    timed: bool,
    cacheable: int | None,
    judges: JudgeAccess | None,
) -> Trial:
    if isinstance(call, RecordedCall):
        case, sample, digest = call.case, call.sample, call.steps[0].request_sha256
    else:
        case, sample, digest = call.case.name, call.request.sample, call.request.digest
    steps = given.steps
    if given.error is not None:
        assert isinstance(call, PlannedCall)
        turn = turn_reached(call.case, [step.response for step in steps])
        return Failed(case, sample, digest, f"{turn}{given.error}", given.live)
    outcome, measured, score = judge_steps(variant, checks, case, steps, cacheable, timed=timed, judges=judges)
    recorded_at = call.recording.recorded_at if isinstance(call, RecordedCall) else None
    tokens = sum(step.counted_tokens for step in steps)
    first = steps[0].request_sha256
    return Answered(case, sample, first, tokens, outcome, measured, score, recorded_at, len(steps), given.live)


@dataclass(frozen=True)
class _Sending:
    """How calls are sent; ``pace`` is one layer for all of them, or none."""

    jobs: int
    retries: int | None
    pace: tuple[Layer, ...]

    def layers(self, provider: Provider) -> tuple[Provider, tuple[Layer, ...]]:
        """A provider that sends each call once, so that latency is of one call, and layers that repeat and wait."""
        own, once = getattr(provider, "retries", None), getattr(provider, "without_retries", None)
        if not isinstance(own, int) or not callable(once):
            return provider, (Retries(self.retries or 0), *self.pace)
        return once(), (Retries(own if self.retries is None else self.retries), *self.pace)


class _RunClock:
    """The clock of the machine, by which nobody sleeps any longer once the run has ended."""

    def __init__(self) -> None:
        self.ended = Event()

    def time(self) -> float:
        return SYSTEM_CLOCK.time()

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()

    def sleep(self, seconds: float) -> None:
        if self.ended.wait(seconds):
            raise Refused("the run has ended")


def _ask(
    live: Sequence[PlannedCall],
    sending: _Sending,
    timeout_s: float | None,
    provider: Provider | None,
    layers: Sequence[Layer],
    progress: Progress | None,
    unfinished: Mapping[RecordingFile, UnfinishedRun],
) -> list[Conversed]:
    """The outcome of each case, in their order. Recording files are tidied and providers closed afterwards."""
    with ExitStack() as opened:
        providers: dict[str, Provider] = {}
        for model in dict.fromkeys(call.request.model for call in live):
            providers[model] = provider or make_provider(model, timeout_s)
            if provider is None:
                opened.callback(providers[model].close)
        for file in dict.fromkeys(call.file for call in live):
            opened.callback(file.tidy)
        for run in unfinished.values():
            opened.enter_context(run.going_on())
        clock = _RunClock()
        opened.callback(clock.ended.set)
        sent = {model: sending.layers(each) for model, each in providers.items()}
        kept = {file: (run,) for file, run in unfinished.items()}
        recorders = {
            (file, model): WrappedProvider(
                sent[model][0], *kept.get(file, ()), Record(file), *layers, *sent[model][1], clock=clock
            )
            for file, model in dict.fromkeys((call.file, call.request.model) for call in live)
        }
        tasks = [partial(_converse, recorders[call.file, call.request.model], call) for call in live]
        # In an order that favours no variant: who is asked first fills the provider's cache for the others.
        order = Random(_SEED).sample(range(len(tasks)), len(tasks))  # noqa: S311 - fairness, not secrecy
        outcomes = dict(
            zip(order, _in_threads([tasks[number] for number in order], sending.jobs, progress), strict=True)
        )
        return [outcomes[number] for number in range(len(tasks))]


def _converse(provider: Provider, call: PlannedCall) -> Conversed:
    return converse(provider.complete, call.template, call.case, call.request, call.responses)


def _in_threads(tasks: Sequence[Callable[[], Conversed]], jobs: int, progress: Progress | None) -> list[Conversed]:
    """Carry out tasks, ``jobs`` at once; the first error that ends the run cancels those that have not begun."""
    pending: dict[Future[Conversed], int] = {}
    outcomes: dict[int, Conversed] = {}
    executor = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="promptopt")
    try:
        for number, task in enumerate(tasks):
            pending[executor.submit(task)] = number
        for future in as_completed(pending):
            outcomes[pending[future]] = future.result()
            if progress is not None:
                progress(len(outcomes), len(tasks))
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        wait([future for future in pending if not future.cancelled()], timeout=_GRACE_S)
        raise
    executor.shutdown()
    return [outcomes[number] for number in range(len(tasks))]
