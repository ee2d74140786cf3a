"""What answers to a prompt's choices are worth: asked in parts, each request once, within a limit of dollars."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from math import inf
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import numpy as np

from promptopt.config import Config
from promptopt.errors import NothingAnswered
from promptopt.experiment.bounds import Floats
from promptopt.experiment.conversation import Conversed
from promptopt.experiment.plan import (
    Mode,
    RunPlan,
    cost_range,
    plan_call,
    refuse_settings,
    refuse_unrecorded,
)
from promptopt.experiment.runner import Answers, Sending, asking, check_answered, given_to
from promptopt.experiment.runs import Answered, Run, Trial
from promptopt.experiment.variant import Variant
from promptopt.minimization.choices import Reduced, Workbench
from promptopt.minimization.measures import Measures, means, spend_of
from promptopt.minimization.purse import Purse
from promptopt.prices import find_tier_price
from promptopt.providers import Provider, is_free
from promptopt.providers.recordings import Recording, RecordingFile, RecordingKey, RecordingStatus
from promptopt.scorers import SuiteChecks
from promptopt.values import Request, Response, ToolCall

# If so many calls fail at once, and none is answered, no call can succeed.
_MANY = 10


@dataclass(frozen=True, slots=True)
class SearchAnswer(Recording):
    """An answer to one request. A file of them has one line for each request, not for each case."""

    @property
    def key(self) -> RecordingKey:
        return _key(self.case, self.request_sha256, self.repetition, self.model_requested, self.step)


def _key(case: str, digest: str, repetition: int, model: str, step: int) -> RecordingKey:
    return (f"{case}\n{digest}", repetition, model, step)


class AnswerStore(RecordingFile):
    """All answers of a search, in one file by their requests: of two choices that ask the same, one is asked."""

    _line: ClassVar[type[Recording]] = SearchAnswer

    def find(self, request: Request) -> Recording | None:
        origin = request.origin
        if origin is None or origin.case is None:
            return None
        return self.lines.get(_key(origin.case, request.digest, request.sample, request.model, origin.step))

    def status(self, request: Request) -> tuple[RecordingStatus, Recording | None]:
        status, found = super().status(request)
        # What answered it may have changed since: it is asked again.
        return ("missing", None) if status == "stale" else (status, found)

    def append(self, *recordings: Recording) -> None:
        names = [each.name for each in fields(Recording)]
        super().append(*(SearchAnswer(**{name: getattr(one, name) for name in names}) for one in recordings))

    def tidy(self) -> None:
        """Nothing: the order of its lines says nothing, and a search ends many times."""


class UnsavedAnswers(AnswerStore):
    """The same without a file, for a provider that is a part of the program."""

    def _write(self, data: bytes) -> None:
        """Nothing is written."""


class OutOfMoney(Exception):
    """The next answers may cost more than is left."""


class Providers:
    """One provider for all models: each model's own is made when it is first asked, and closed at the end."""

    def __init__(self, connect: Callable[[str], Provider]) -> None:
        self._connect = connect
        self._made: dict[str, Provider] = {}
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Response:
        """The answer of the request's model."""
        with self._lock:
            if request.model not in self._made:
                self._made[request.model] = self._connect(request.model)
        return self._made[request.model].complete(request)

    def close(self) -> None:
        """Close them all."""
        for provider in self._made.values():
            provider.close()


class Oracle(AbstractContextManager["Oracle"]):
    """Asks, scores and keeps what each choice is worth in each case.

    Attributes:
        purse: The dollars that may be spent, and those of this run, judges included.
        counted: Whether some of its answers had no usage, so that their tokens were counted.
        calls: Calls of this run.
        to_come: Calls that are known to come after those that are asked for, for whoever waits.
        trials: Answers to each case; they are averaged inside the case.
    """

    def __init__(
        self, bench: Workbench, checks: SuiteChecks, sending: Sending, mode: Mode, limit: Decimal | None, paid: bool,
        trials: int = 1,
    ) -> None:  # fmt: skip
        """``paid``: whether live calls count as spent at list prices."""
        self._told = sending.progress
        sending = sending if sending.progress is None else replace(sending, progress=self._tell)
        self.bench, self._checks, self._sending, self._mode = bench, checks, sending, mode
        self.purse, self.trials = Purse(limit, paid), trials
        self.calls, self.to_come, self._after, self._answered = 0, 0, 0, 0
        self.counted = False
        self._trials: dict[Reduced, dict[int, tuple[Trial, ...]]] = defaultdict(dict)
        self._measures: dict[Reduced, Measures] = defaultdict(lambda: Measures(len(bench.suite.cases), trials))
        self._rounds: list[tuple[Reduced, Sequence[int], Answers]] = []
        self._caching: set[str] = set()
        self._answering: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A provider that was given belongs to whoever gave it.
        if isinstance(self._sending.provider, Providers):
            self._sending.provider.close()
        if self._sending.judges is not None:
            self._sending.judges.close()

    def variant(self, choice: Reduced) -> Variant | None:
        """The variant of a choice; ``None`` if there is none."""
        return self.bench.variant(choice)

    def ask(self, choice: Reduced, cases: Sequence[int]) -> None:
        """Have the answers to some cases. What is known already, or recorded, costs nothing.

        Calls in flight are paid even if each is as long as its cap: so many are sent at once as that allows. A choice
        that cannot be made has no answers.

        Raises:
            OutOfMoney: They may cost more than is left.
            RecordingError: One is not recorded, and may not be asked for.
            ProviderUnusable: No call can succeed.
        """
        wanted = [number for number in cases if number not in self._trials[choice]]
        if self.variant(choice) is None:
            return
        while wanted:
            plan = self._planned(choice, wanted)
            paid = self._affordable(choice, plan) if plan.live else len(wanted)
            self._after = self.trials * (len(wanted) - paid)
            now, wanted = wanted[:paid], wanted[paid:]
            self._ask(choice, now, replace(plan, calls=plan.calls[: paid * self.trials]))

    def _ask(self, choice: Reduced, wanted: Sequence[int], plan: RunPlan) -> None:
        if plan.live:
            refuse_settings(plan.variant, plan.live[0].request)
            if not self.calls:
                self.bench.check_store()
        with asking([plan], self._sending) as ask:
            outcomes = ask(plan.live, len(plan.live))
            if len(plan.calls) >= _MANY or plan.variant.model not in self._answering:
                # One call or a few may fail of a model that answers.
                self._check_answered(outcomes, len(plan.calls))
            self._answered += sum(bool(outcome.made) for outcome in outcomes)
            if any(outcome.made for outcome in outcomes):
                self._answering.add(plan.variant.model)
        asked = iter(outcomes)
        given = [given_to(plan, call, asked) for call in plan.calls]
        before = None if self._sending.judges is None else self._sending.judges.incurred_usd
        answers = Answers([plan], [given], self._checks, False, self._sending)
        self._keep(choice, wanted, answers, plan.variant)
        self.calls += len(plan.live)
        if self._sending.judges is not None and (after := self._sending.judges.incurred_usd) is not None:
            self.purse.spent += Decimal(str(after)) - Decimal(str(before or 0))

    def _check_answered(self, outcomes: Sequence[Conversed], calls: int) -> None:
        try:
            check_answered(outcomes, calls)
        except NothingAnswered as error:
            if not self._answered:
                raise
            kept = "" if isinstance(self.bench.store, UnsavedAnswers) else "; they are kept: run the same command again"
            raise NothingAnswered(f"after {self._answered:,} answers, {error}{kept}") from None

    def _planned(self, choice: Reduced, cases: Sequence[int]) -> RunPlan:
        variant = self.bench.variant(choice)
        assert variant is not None
        asked = [(self.bench.suite.cases[number], sample) for number in cases for sample in range(self.trials)]
        plan = RunPlan(variant, tuple(plan_call(variant, case, sample, self._mode) for case, sample in asked))
        refuse_unrecorded([plan])
        return plan

    def _tell(self, done: int, asked: int) -> None:
        assert self._told is not None
        self._told(self.calls + done, self.calls + asked + self._after + self.to_come)

    def _affordable(self, choice: Reduced, plan: RunPlan) -> int:
        """How many of a plan's cases may be asked now."""
        cases = len(plan.calls) // self.trials
        left = self.purse.left
        if left is None:
            return cases
        each = [plan.calls[start : start + self.trials] for start in range(0, len(plan.calls), self.trials)]
        highs = [cost_range([replace(plan, calls=calls)]).high_usd for calls in each]
        known = [high for high in highs if high is not None]
        paid = self.purse.affordable(choice, plan.variant.model, known) if len(known) == cases else 0
        if not paid:
            raise OutOfMoney
        return paid

    def _keep(self, choice: Reduced, wanted: Sequence[int], answers: Answers, variant: Variant) -> None:
        self._rounds.append((choice, wanted, answers))
        shows = answers.caching_models() - self._caching
        trials = answers.trials(0, self._caching | shows)
        if self.purse.paid:
            self.purse.spent += sum((_billed(variant, trial) for trial in trials), Decimal(0))
            self.counted |= any(response.usage is None for trial in trials for response in trial.live)
        self._take(choice, wanted, trials)
        self.purse.see(choice, variant, [self._trials[choice][case] for case in wanted])
        if shows:
            # Once the provider shows a prompt cache, all answers of the model are measured with it.
            self._caching |= shows
            for other, numbers, each in self._rounds:
                self._take(other, numbers, each.trials(0, self._caching))

    def _take(self, choice: Reduced, cases: Sequence[int], trials: Sequence[Trial]) -> None:
        for number, case in enumerate(cases):
            each = tuple(trials[number * self.trials : (number + 1) * self.trials])
            self._trials[choice][case] = each
            self._measures[choice].put(case, each)

    def asked(self, choice: Reduced) -> list[int]:
        """The cases that a choice has answers to, in the order of asking."""
        return list(self._trials[choice])

    def trials_of(self, choice: Reduced, case: int) -> tuple[Trial, ...]:
        """What became of one case, each time it was asked."""
        return self._trials[choice].get(case, ())

    def run(self, choice: Reduced, cases: Sequence[int]) -> Run:
        """The trials of some cases, as a comparison takes them."""
        variant = self.bench.variant(choice)
        assert variant is not None
        return Run(variant, tuple(trial for number in cases for trial in self._trials[choice][number]))

    def quality(self, choice: Reduced, cases: Sequence[int]) -> Floats:
        """Of each case, 0 to 1; ``nan`` if its calls failed or no assert judged it, shape ``(cases,)``."""
        return means(self._measures[choice].quality[np.asarray(cases, dtype=int)])

    def mean_quality(self, choice: Reduced, cases: Sequence[int]) -> tuple[float, int] | None:
        """Mean of the quality that is known of some cases, 0 to 1, and of how many; ``None`` if it is of none."""
        each = self.quality(choice, cases)
        known = each[~np.isnan(each)]
        return (float(known.mean()), len(known)) if len(known) else None

    def spend(self, choice: Reduced, cases: Sequence[int]) -> Floats:
        """List cost of a call in each case, in dollars; of an unpriced model its tokens, output counted four times.

        ``nan`` if the calls of a case failed, shape ``(cases,)``.
        """
        return means(self._measures[choice].spend[np.asarray(cases, dtype=int)])

    def differences(self, choice: Reduced, other: Reduced, cases: Sequence[int]) -> Floats:
        """Quality of one less that of another, case by case; ``nan`` if it is not known.

        Answers are paired before they are averaged, as :class:`~promptopt.experiment.pairs.PairedCases` does it.
        """
        return self._measures[choice].less(self._measures[other], cases)

    def passing(self, case: int) -> Iterator[str]:
        """The answers to a case that pass, of all choices."""
        for trials in self._trials.values():
            for trial in trials.get(case, ()):
                if isinstance(trial, Answered) and trial.passed and trial.score.scores:
                    yield trial.response.text

    def per_pass(self, choice: Reduced, cases: Sequence[int]) -> float:
        """What a choice spends (see :meth:`spend`) for each answer that passes; ``inf`` if none does."""
        answered = self.run(choice, cases).answered
        passed = sum(trial.passed for trial in answered if trial.score.scores)
        return sum(map(spend_of, answered)) / passed if passed else inf

    def missing(self, choice: Reduced, cases: Sequence[int]) -> tuple[int, Decimal | None]:
        """How many calls some cases take, and the most that they cost; ``None`` if nothing bounds it.

        Raises:
            RecordingError: One is not recorded, and may not be asked for.
        """
        plan = self._planned(choice, cases)
        expected = cost_range([plan])
        if expected.unpriced or expected.uncounted:
            return len(plan.live), None
        return len(plan.live), Decimal(0) if plan.variant.free else expected.high_usd


def _billed(variant: Variant, trial: Trial) -> Decimal:
    """Dollars of a trial's calls in this run; without a usage of each, of its tokens as they are counted."""
    if variant.free or variant.live_price is None or not trial.live:
        return Decimal(0)
    usages = [response.usage for response in trial.live if response.usage is not None]
    if len(usages) < len(trial.live) and isinstance(trial, Answered):
        usages = [trial.measured.usage]
    return sum((variant.live_price.cost(usage).total_usd for usage in usages), Decimal(0))


def open_store(folder: Path, prompt: str, *, saved: bool = True) -> AnswerStore:
    """The answers of earlier searches of a prompt; an empty one that is not saved, for a part of the program.

    Raises:
        RecordingError: The file cannot be read.
    """
    path = folder / f"{prompt.replace('/', '+')}.jsonl"
    return AnswerStore.read(path) if saved else UnsavedAnswers(path)


def kept_usd(store: RecordingFile, config: Config) -> Decimal:
    """Dollars that the answers of a store cost, at list prices: as far as models are priced and answers have usage."""
    spent = Decimal(0)
    for one in store.lines.values():
        tier = one.params.get("service_tier")
        price = None if is_free(one.model_requested) else find_tier_price(one.model_requested, tier, config=config)
        if price is not None and one.response.usage is not None:
            spent += price.cost(one.response.usage).total_usd
    return spent


def said_in(trial: Answered) -> list[tuple[str, tuple[ToolCall, ...]]]:
    """What was answered; in a conversation, in each turn."""
    answers = [answer for _, answer in trial.turns] or [trial.response]
    return [(answer.text, answer.tool_calls) for answer in answers]
