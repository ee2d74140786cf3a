"""Carries out a race: all variants are asked of some cases, then those that none dominates of some more, to the end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from math import inf, nan
from typing import TYPE_CHECKING

import numpy as np

from promptopt.experiment.bounds import Floats
from promptopt.experiment.conversation import question_digest
from promptopt.experiment.plan import PlannedCall, RecordedCall, RunPlan, refuse_unrecorded
from promptopt.experiment.racing import Entrant, Lead, RaceRules, looks, race_order
from promptopt.experiment.runner import (
    SENDING,
    Answers,
    Given,
    Sending,
    asking,
    check_answered,
    given_to,
    is_timed,
)
from promptopt.experiment.runs import Answered, Failed, Run, Trial
from promptopt.experiment.same_questions import numbered
from promptopt.experiment.stopped import Stopped
from promptopt.experiment.verdict import too_many_failed
from promptopt.scorers import SuiteChecks
from promptopt.values import Cost, Usage

if TYPE_CHECKING:
    from promptopt.experiment.runner import SendCalls

_Call = PlannedCall | RecordedCall


def race_plans(
    plans: Sequence[RunPlan], checks: SuiteChecks, rules: RaceRules, sending: Sending = SENDING
) -> list[Run]:
    """Answer and score the calls of plans as long as they are needed. What is recorded costs nothing, and counts alike.

    The order of cases and the looks depend on the names of cases alone, so that the same answers give the same runs.

    Args:
        plans: The baseline's is the first. It is asked as long as any other is.

    Raises:
        RecordingError: A call is needed, and may not be made; or an answer could not be put on disk.
        ProviderUnusable: No further call can succeed, or not one did. What was answered is kept.
        KeyboardInterrupt: What was answered is kept.
    """
    questions = numbered({_case(call): _digest(plan, checks, call) for call in plan.calls} for plan in plans)
    lanes = [_Lane(plan, checks, questions) for plan in plans]
    order = race_order(lanes[0].names)
    field = dict(enumerate(lanes))
    stopped: dict[int, Stopped] = {}
    caching: set[str] = set()
    timed = is_timed(plans)
    done = 0
    with asking(plans, sending) as ask:
        for upto in looks(len(order)):
            given = _ask(list(field.values()), order[done:upto], ask)
            answers = Answers([plan for plan, _ in given], [each for _, each in given], checks, timed, sending)
            caching |= answers.caching_models()
            for number, lane in enumerate(field.values()):
                lane.add(order[done:upto], answers, number)
            done = upto
            if done == len(order):
                break
            entrants = {number: lane.entrant(caching, rules) for number, lane in field.items()}
            for number, lead in rules.dominated(entrants, len(plans)).items():
                stopped[number] = field.pop(number).stopped(plans[lead.by].variant.label, lead)
            if len(field) == 1:
                stopped[0] = lanes[0].stopped(None, None)
                break
    return [lane.run(caching, stopped.get(number)) for number, lane in enumerate(lanes)]


def _ask(field: Sequence[_Lane], cases: Sequence[int], ask: SendCalls) -> list[tuple[RunPlan, list[Given]]]:
    """Ask each variant of some cases: the plans of these calls, and what they were answered with."""
    plans = [replace(lane.plan, calls=tuple(lane.calls_of(cases))) for lane in field]
    refuse_unrecorded(plans)
    outcomes = ask([call for plan in plans for call in plan.live], sum(lane.unsent for lane in field))
    if not any(lane.asked for lane in field):
        check_answered(outcomes, sum(len(plan.calls) for plan in plans))
    asked = iter(outcomes)
    return [(plan, [given_to(plan, call, asked) for call in plan.calls]) for plan in plans]


class _Lane:
    """One variant in a race. Cases that ask the same of all variants are asked together, and count as one."""

    def __init__(self, plan: RunPlan, checks: SuiteChecks, questions: Mapping[str, int]) -> None:
        self.plan = plan
        self.asked: list[int] = []
        self._checks = checks
        names: dict[int, str] = {}
        self._calls: dict[str, list[_Call]] = {}
        for call in plan.calls:
            name = names.setdefault(questions[_case(call)], _case(call))
            self._calls.setdefault(name, []).append(call)
        self._answers: list[tuple[Answers, int]] = []
        self._rounds: list[list[Trial]] = []
        self._caching = False

    @cached_property
    def names(self) -> list[str]:
        """The cases in the order of the suite, of those that ask the same the first."""
        return list(self._calls)

    @property
    def unsent(self) -> int:
        """Calls that are to be sent if the variant is asked of all cases."""
        sent = sum(isinstance(call, PlannedCall) for call in self.calls_of(self.asked))
        return len(self.plan.live) - sent

    def calls_of(self, cases: Sequence[int]) -> list[_Call]:
        """All calls of some cases."""
        return [call for number in cases for call in self._calls[self.names[number]]]

    def add(self, cases: Sequence[int], answers: Answers, number: int) -> None:
        """Keep what was answered in a round, in which the variant is one of several."""
        self.asked += cases
        self._answers.append((answers, number))

    def trials(self, caching: Collection[str]) -> list[Trial]:
        """In the order of asking. Once the provider shows a prompt cache, all of them are measured with it."""
        if self._caching != (shows := self.plan.variant.model in caching):
            self._rounds, self._caching = [], shows
        self._rounds += [answers.trials(number, caching) for answers, number in self._answers[len(self._rounds) :]]
        return [trial for trials in self._rounds for trial in trials]

    def run(self, caching: Collection[str], stopped: Stopped | None) -> Run:
        """The trials in the order of the suite."""
        made = {(trial.case, trial.sample): trial for trial in self.trials(caching)}
        keys = ((_case(call), _sample(call)) for call in self.plan.calls)
        return Run(self.plan.variant, tuple(made[key] for key in keys if key in made), stopped)

    def stopped(self, by: str | None, lead: Lead | None) -> Stopped:
        """What is said of it if it is asked no further."""
        asked = self.calls_of(self.asked)
        reached, cases = (len({_case(call) for call in calls}) for calls in (asked, self.plan.calls))
        return Stopped(reached, cases, len(self.plan.calls) - len(asked), self.unsent, by, lead)

    def entrant(self, caching: Collection[str], rules: RaceRules) -> Entrant:
        """What the answers so far show."""
        trials = self.trials(caching)
        left = iter(trials)
        cases = [list(islice(left, len(self.calls_of([number])))) for number in self.asked]
        failed = sum(isinstance(trial, Failed) for trial in trials)
        cacheable = self.plan.variant.cacheable() if self._caching else 0
        least, most = self._ends(cacheable)
        # Providers may count input otherwise than the tokenizer does.
        spent = np.array([_mean(case, _input_usd) for case in cases]) - least[self.asked]
        gaps = spent[~np.isnan(spent)]
        return Entrant(
            quality=np.array([_mean(case, _quality) for case in cases]),
            usd=np.array([_mean(case, _usd) for case in cases]),
            least_usd=least + min(0.0, gaps.min(initial=0.0)),
            most_usd=most + max(0.0, gaps.max(initial=0.0)),
            broken=np.array([any(t.score.broken for t in case if isinstance(t, Answered)) for case in cases]),
            reliable=not too_many_failed(self.plan.variant.label, failed, len(trials), rules.max_failed),
        )

    def _ends(self, cacheable: int) -> tuple[Floats, Floats]:
        """What a call of each case costs with no output, and with as much as the cap allows."""
        variant = self.plan.variant
        cap = variant.params.max_output_tokens
        free = variant.price is not None and variant.price.rates == "free"
        ends = np.empty((2, len(self.names)))
        for number, (name, tokens) in enumerate(zip(self.names, self._tokens, strict=True)):
            usage = Usage(input_tokens=tokens, cache_read_tokens=min(cacheable, tokens))
            ends[0, number] = _total(variant.cost(usage))
            # How often the model is called for a case with several steps is up to it.
            bounded = free or (cap is not None and not self._checks.case(name).has_steps)
            ends[1, number] = _total(variant.cost(replace(usage, output_tokens=cap or 0))) if bounded else inf
        return ends[0], ends[1]

    @cached_property
    def _tokens(self) -> list[int]:
        """Input tokens of a call of each case."""
        counted = []
        for calls in self._calls.values():
            known = calls[0].steps if isinstance(calls[0], RecordedCall) else calls[0].earlier
            first = next(iter(known), None)
            if first is not None:
                counted.append(first.counted_tokens)
            else:
                assert isinstance(calls[0], PlannedCall)
                counted.append(self.plan.variant.counted_tokens(calls[0].request))
        return counted


def _case(call: _Call) -> str:
    return call.case if isinstance(call, RecordedCall) else call.case.name


def _digest(plan: RunPlan, checks: SuiteChecks, call: _Call) -> str:
    if isinstance(call, RecordedCall):
        first = call.steps[0].request_sha256
    else:
        first = call.earlier[0].request_sha256 if call.earlier else call.request.digest
    return question_digest(plan.variant, checks.case(_case(call)), _sample(call), first)


def _sample(call: _Call) -> int:
    return call.sample if isinstance(call, RecordedCall) else call.request.sample


def _mean(trials: Sequence[Trial], value: Callable[[Answered], float]) -> float:
    """Of the answers to a case; ``nan`` if a call failed or an answer has no such value."""
    return sum(value(trial) if isinstance(trial, Answered) else nan for trial in trials) / len(trials)


def _quality(trial: Answered) -> float:
    return trial.quality if trial.score.scores else nan


def _usd(trial: Answered) -> float:
    return _total(trial.judged_cost)


def _input_usd(trial: Answered) -> float:
    return nan if trial.judged_cost is None else float(trial.judged_cost.input_usd)


def _total(cost: Cost | None) -> float:
    return nan if cost is None else float(cost.total_usd)
