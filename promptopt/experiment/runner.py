"""Carries out plans: replays what is recorded, asks for the rest in threads, scores every answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from random import Random
from threading import Event

from promptopt.errors import NothingAnswered
from promptopt.experiment.conversation import (
    CaseError,
    CaseStep,
    Conversed,
    converse,
    judge_steps,
    make_step,
    question_digest,
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
from promptopt.values import Progress, Request, Response

# How long calls in flight may take to end, so that their answers are kept, when a run is interrupted.
_GRACE_S = 2.0
_SEED = 20_240_513


@dataclass(frozen=True, slots=True)
class Sending:
    """How calls are sent.

    Attributes:
        jobs: Calls in flight at once.
        timeout_s: Seconds that a call may take.
        provider: Answers instead of the one that serves each model's name.
        layers: Around the provider, outermost first; what they answer is recorded too.
        retries: How often a call that failed is sent again; by default as often as the provider does so by itself.
        rpm: The most calls that are sent in a minute.
        progress: Called in this thread.
        on_answer: Called in this thread with each answer as it comes.
        judges: Whom asserts ask that ask models.
    """

    jobs: int = 16
    timeout_s: float | None = None
    provider: Provider | None = None
    layers: Sequence[Layer] = ()
    retries: int | None = None
    rpm: int | None = None
    progress: Progress | None = None
    on_answer: Callable[[Request, Response], None] | None = None
    judges: JudgeSession | None = None

    def once(self, provider: Provider) -> tuple[Provider, Layer]:
        """A provider that sends each call once, so that latency is of one call, and the layer that repeats calls."""
        own, once = getattr(provider, "retries", None), getattr(provider, "without_retries", None)
        if not isinstance(own, int) or not callable(once):
            return provider, Retries(self.retries or 0)
        return once(), Retries(own if self.retries is None else self.retries)

    def pace(self) -> tuple[Layer, ...]:
        """One layer for all calls that share a limit of calls a minute, or none."""
        return () if self.rpm is None else (Pace(self.rpm),)


SENDING = Sending()
"""As it is without a word of the user's."""


def run_plans(plans: Sequence[RunPlan], checks: SuiteChecks, sending: Sending = SENDING) -> list[Run]:
    """Answer and score all calls of all plans.

    Raises:
        ProviderUnusable: No further call can succeed, or not one call did. What was answered is kept.
        RecordingError: An answer could not be put on disk.
        KeyboardInterrupt: What was answered is kept.
    """
    live = [call for plan in plans for call in plan.live]
    with asking(plans, sending) as ask:
        outcomes = ask(live, len(live))
        check_answered(outcomes, sum(len(plan.calls) for plan in plans))
    asked = iter(outcomes)
    given = [[given_to(plan, call, asked) for call in plan.calls] for plan in plans]
    answers = Answers(plans, given, checks, is_timed(plans), sending)
    caching = answers.caching_models()
    return [Run(plan.variant, tuple(answers.trials(number, caching))) for number, plan in enumerate(plans)]


def connection(timeout_s: float | None, retries: int | None, rpm: int | None) -> Callable[[str], Provider]:
    """Makes providers of models, whose calls are sent again and spaced as those of a run."""
    sending = Sending(retries=retries, rpm=rpm)
    pace = sending.pace()

    def connect(model: str) -> Provider:
        inner, repeated = sending.once(make_provider(model, timeout_s))
        return WrappedProvider(inner, repeated, *pace)

    return connect


@dataclass(frozen=True, slots=True)
class Given:
    """What a case was answered with.

    Attributes:
        live: The responses of this run.
    """

    steps: tuple[CaseStep, ...]
    live: tuple[Response, ...] = ()
    error: CaseError | None = None


def check_answered(outcomes: Sequence[Conversed], calls: int) -> None:
    """Raises NothingAnswered if each of so many calls was sent and failed."""
    errors = [outcome.error for outcome in outcomes if outcome.error and not outcome.made]
    if errors and len(errors) == calls:
        raise NothingAnswered(f"not one of {calls} calls was answered; the first: {errors[0]}")


def is_timed(plans: Sequence[RunPlan]) -> bool:
    """Whether latency is judged. A replay has none: what one side cannot be judged by, the other is not either."""
    return all(isinstance(call, PlannedCall) and call.live for plan in plans for call in plan.calls)


def given_to(plan: RunPlan, call: PlannedCall | RecordedCall, asked: Iterator[Conversed]) -> Given:
    """What a call was answered with: if it was sent, with the next outcome."""
    return Given(call.steps) if isinstance(call, RecordedCall) else _given(plan, call, next(asked))


def _given(plan: RunPlan, call: PlannedCall, outcome: Conversed) -> Given:
    steps, before = list(call.earlier), call.before
    for asked, response in outcome.made:
        steps.append(make_step(plan.variant, call.case, asked, response, before))
        before = asked
    return Given(tuple(steps), tuple(response for _, response in outcome.made), outcome.error)


def _shows_cache(given: Given) -> bool:
    """Whether an answer says that its provider has a prompt cache."""
    usages = [step.response.usage for step in given.steps] if given.error is None else []
    return any(usage and (usage.cache_read_tokens or usage.cache_write_tokens) for usage in usages)


class Answers:
    """What all calls of some plans were answered with; their judges have been asked."""

    def __init__(
        self,
        plans: Sequence[RunPlan],
        given: Sequence[Sequence[Given]],
        checks: SuiteChecks,
        timed: bool,
        sending: Sending,
    ) -> None:
        """Asks the judges.

        Args:
            given: To each call of each plan.
            timed: See :func:`is_timed`.
        """
        self._plans, self._given, self._checks, self._timed = plans, given, checks, timed
        self._judged: JudgedRun | None = None
        if sending.judges is not None:
            steps = [[None if each.error else each.steps for each in of_plan] for of_plan in given]
            self._judged = JudgedRun(sending.judges, checks, plans, steps)
            sending.judges.carry_out(self._judged.work(), sending.progress)

    def caching_models(self) -> set[str]:
        """Models of which an answer says that their provider has a prompt cache."""
        both = zip(self._plans, self._given, strict=True)
        return {plan.variant.model for plan, given in both if any(map(_shows_cache, given))}

    def trials(self, number: int, caching: Collection[str]) -> list[Trial]:
        """Those of one plan, measured with a prompt cache if its model is one of ``caching``."""
        plan, judged = self._plans[number], self._judged
        cacheable = plan.variant.cacheable() if plan.variant.model in caching else None
        return [
            _trial(
                *(plan.variant, call, one, self._checks, self._timed, cacheable),
                None if judged is None else judged.at(plan, position),
            )
            for position, (call, one) in enumerate(zip(plan.calls, self._given[number], strict=True))
        ]


def _trial(
    variant: Variant,
    call: PlannedCall | RecordedCall,
    given: Given,
    checks: SuiteChecks,
    timed: bool,
    cacheable: int | None,
    judges: JudgeAccess | None,
) -> Trial:
    steps = given.steps
    if isinstance(call, RecordedCall):
        case, sample = call.case, call.sample
    else:
        case, sample = call.case.name, call.request.sample
    if steps:
        first = steps[0].request_sha256
    else:
        assert isinstance(call, PlannedCall)
        first = call.request.digest
    digest = question_digest(variant, checks.case(case), sample, first)
    if given.error is not None:
        assert isinstance(call, PlannedCall)
        turn = turn_reached(call.case, [step.response for step in steps])
        return Failed(case, sample, digest, f"{turn}{given.error}", given.live)
    judged = judge_steps(variant, checks, case, steps, cacheable, timed=timed, judges=judges)
    recorded_at = call.recording.recorded_at if isinstance(call, RecordedCall) else None
    tokens = sum(step.counted_tokens for step in steps)
    return Answered(
        case,
        sample,
        digest,
        tokens,
        judged.response,
        judged.measured,
        judged.score,
        recorded_at,
        steps=len(steps),
        live=given.live,
        repeated_tokens=judged.repeated_tokens,
        warm=judged.warm,
        turns=judged.turns,
    )


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


SendCalls = Callable[[Sequence[PlannedCall], int], list[Conversed]]
"""The outcome of each call, in their order. The number is of calls that are still to be sent, these included."""


@contextmanager
def asking(plans: Sequence[RunPlan], sending: Sending) -> Iterator[SendCalls]:
    """While calls of these plans are sent. Recording files are tidied and providers closed afterwards.

    If it ends without an error, what broken-off runs have answered is forgotten.
    """
    live = [call for plan in plans for call in plan.live]
    unfinished = {plan.variant.files[0]: plan.unfinished for plan in plans if plan.unfinished}
    with ExitStack() as opened:
        providers: dict[str, Provider] = {}
        for model in dict.fromkeys(call.request.model for call in live):
            providers[model] = sending.provider or make_provider(model, sending.timeout_s)
            if sending.provider is None:
                opened.callback(providers[model].close)
        for file in dict.fromkeys(call.file for call in live):
            opened.callback(file.tidy)
        if live:
            for run in unfinished.values():
                opened.enter_context(run.going_on())
        yield _Asker(live, providers, unfinished, sending, opened)
    for run in unfinished.values():
        run.end({plan.variant.model for plan in plans})


class _Asker:
    """Sends calls through one set of layers, as often as it is asked to."""

    def __init__(
        self,
        live: Sequence[PlannedCall],
        providers: Mapping[str, Provider],
        unfinished: Mapping[RecordingFile, UnfinishedRun],
        sending: Sending,
        opened: ExitStack,
    ) -> None:
        clock = _RunClock()
        opened.callback(clock.ended.set)
        pace = sending.pace()
        sent = {model: sending.once(each) for model, each in providers.items()}
        kept = {file: (run,) for file, run in unfinished.items()}
        self._recorders = {
            (file, model): WrappedProvider(
                sent[model][0], *kept.get(file, ()), Record(file), *sending.layers, sent[model][1], *pace, clock=clock
            )
            for file, model in dict.fromkeys((call.file, call.request.model) for call in live)
        }
        self._sending = sending
        self._done = 0

    def __call__(self, calls: Sequence[PlannedCall], left: int) -> list[Conversed]:
        tasks = [partial(_converse, self._recorders[call.file, call.request.model], call) for call in calls]
        # In an order that favours no variant: who is asked first fills the provider's cache for the others.
        order = Random(_SEED).sample(range(len(tasks)), len(tasks))  # noqa: S311 - fairness, not secrecy
        made = _in_threads([tasks[number] for number in order], self._sending.jobs, self._told(left))
        self._done += len(made)
        outcomes = dict(zip(order, made, strict=True))
        return [outcomes[number] for number in range(len(tasks))]

    def _told(self, left: int) -> Callable[[int, Conversed], None]:
        before, sending = self._done, self._sending

        def told(done: int, outcome: Conversed) -> None:
            if sending.on_answer is not None:
                for request, response in outcome.made:
                    sending.on_answer(request, response)
            if sending.progress is not None:
                sending.progress(before + done, before + left)

        return told


def _converse(provider: Provider, call: PlannedCall) -> Conversed:
    return converse(provider.complete, call.template, call.case, call.request, call.responses)


def _in_threads(
    tasks: Sequence[Callable[[], Conversed]], jobs: int, told: Callable[[int, Conversed], None]
) -> list[Conversed]:
    """Carry out tasks, ``jobs`` at once, and tell of each that is done.

    The first error that ends the run leaves out those that have not begun.
    """
    # A future of each task would take more memory than its answer.
    left, done = deque(range(len(tasks))), SimpleQueue[tuple[int, Conversed | BaseException]]()

    def work() -> None:
        with suppress(IndexError):
            while True:
                number = left.popleft()
                try:
                    done.put((number, tasks[number]()))
                except BaseException as error:  # noqa: BLE001 - raised where the run is waited for
                    done.put((number, error))

    outcomes: dict[int, Conversed] = {}
    executor = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="promptopt")
    workers: list[Future[None]] = []
    try:
        workers.extend(executor.submit(work) for _ in range(min(jobs, len(tasks))))
        while len(outcomes) < len(tasks):
            number, outcome = done.get()
            if isinstance(outcome, BaseException):
                raise outcome
            outcomes[number] = outcome
            told(len(outcomes), outcome)
    except BaseException:
        left.clear()
        executor.shutdown(wait=False, cancel_futures=True)
        wait(workers, timeout=_GRACE_S)
        raise
    executor.shutdown()
    return [outcomes[number] for number in range(len(tasks))]
