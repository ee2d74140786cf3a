"""Runs a plan: replays what is recorded, asks for the rest in threads, scores every answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.experiment.plan import Step
from promptopt.experiment.variant import Measured, Variant
from promptopt.prices import Processing
from promptopt.providers import Provider, make_provider
from promptopt.providers.replay import RecordingProvider, ReplayProvider
from promptopt.scorers import CaseScore, SuiteChecks
from promptopt.values import Request, Response

Progress = Callable[[int, int], None]
"""Called with the number of calls answered so far and in all."""

# How long calls in flight may take to end, so that their answers are kept, once a run is broken off.
_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One answer to one case, or the error in its place.

    Attributes:
        error: Why there is no answer; such a trial fails, and counts as quality 0.
        replayed: Whether the answer came out of a recording.
        processing: The price tier that a live answer was asked at.
    """

    case: str
    sample: int
    request: Request = field(repr=False)
    response: Response | None = None
    measured: Measured | None = None
    score: CaseScore | None = None
    error: str | None = None
    replayed: bool = False
    recorded_at: str | None = None
    processing: Processing = "standard"

    @property
    def quality(self) -> float:
        return 0.0 if self.score is None else self.score.quality

    @property
    def passed(self) -> bool:
        return self.score is not None and self.score.passed


@dataclass(frozen=True, slots=True)
class Run:
    """The trials of one variant, in the order of the suite."""

    variant: Variant
    trials: tuple[Trial, ...]


def run_plan(
    steps: Sequence[Step],
    checks: SuiteChecks,
    *,
    jobs: int = 16,
    timeout_s: float | None = None,
    provider: Provider | None = None,
    progress: Progress | None = None,
    processing: Processing = "standard",
) -> list[Run]:
    """Answer and score all steps.

    Args:
        jobs: Calls in flight at once.
        timeout_s: Seconds a call may take.
        provider: Answers instead of the one that each model's name stands for.
        progress: Called in this thread.
        processing: The price tier that the live answers were asked at.

    Raises:
        ProviderUnusable: No further call can succeed, or not one call did. What was answered is kept.
        RecordingError: An answer could not be put on disk.
        KeyboardInterrupt: What was answered is kept.
    """
    live = [step for step in steps if step.live]
    answers: dict[int, Response | ProviderError] = {}
    if live:
        with _providers(live, timeout_s, provider) as recorders:
            answers = _ask(live, recorders, jobs, progress)
        errors = [answer for answer in answers.values() if isinstance(answer, ProviderError)]
        if len(errors) == len(live):
            raise ProviderUnusable(f"not one of {len(live)} calls was answered; the first: {errors[0]}")
    trials: dict[int, list[Trial]] = {}
    variants: dict[int, Variant] = {}
    for step in steps:
        answer = answers[id(step)] if step.live else ReplayProvider(step.file).complete(step.request)
        variants[id(step.variant)] = step.variant
        trials.setdefault(id(step.variant), []).append(_trial(step, answer, checks, processing))
    return [Run(variant, tuple(trials[key])) for key, variant in variants.items()]


@contextmanager
def _providers(
    live: Sequence[Step], timeout_s: float | None, provider: Provider | None
) -> Iterator[dict[int, RecordingProvider]]:
    """A recorder for each recording file that live answers go into; files are tidy and providers closed afterwards."""
    made: dict[str, Provider] = {}
    recorders: dict[int, RecordingProvider] = {}
    try:
        for step in live:
            model = step.request.model
            if provider is None and model not in made:
                made[model] = make_provider(model, timeout_s)
            if id(step.file) not in recorders:
                recorders[id(step.file)] = RecordingProvider(provider or made[model], step.file)
        yield recorders
    finally:
        for recorder in recorders.values():
            recorder.close()
        for owned in made.values():
            owned.close()


def _ask(
    live: Sequence[Step], recorders: dict[int, RecordingProvider], jobs: int, progress: Progress | None
) -> dict[int, Response | ProviderError]:
    answers: dict[int, Response | ProviderError] = {}
    executor = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="promptopt")
    try:
        pending: dict[Future[Response], Step] = {
            executor.submit(partial(recorders[id(step.file)].complete, step.request)): step for step in live
        }
        for future in as_completed(pending):
            answers[id(pending[future])] = _outcome(future)
            if progress is not None:
                progress(len(answers), len(live))
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        wait([future for future in pending if not future.cancelled()], timeout=_GRACE_S)
        raise
    executor.shutdown()
    return answers


def _outcome(future: Future[Response]) -> Response | ProviderError:
    try:
        return future.result()
    except ProviderUnusable:
        raise
    except ProviderError as error:
        return error


def _trial(step: Step, answer: Response | ProviderError, checks: SuiteChecks, processing: Processing) -> Trial:
    if isinstance(answer, ProviderError):
        return Trial(step.case.name, step.request.sample, step.request, error=str(answer))
    measured = step.variant.measure(step.request, answer)
    score = checks.score(step.case.name, answer, step.variant.template.front.answer, measured.cost)
    recording = step.file.find(step.request)
    return Trial(
        case=step.case.name,
        sample=step.request.sample,
        request=step.request,
        response=answer,
        measured=measured,
        score=score,
        replayed=not step.live,
        recorded_at=recording.recorded_at if recording else None,
        processing=processing,
    )
