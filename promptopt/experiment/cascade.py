"""The project's cascade over answers that a comparison has: what it would have cost, and how good it would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from promptopt.experiment.conversation import render_case
from promptopt.experiment.runs import Answered, Run
from promptopt.experiment.same_questions import question_numbers
from promptopt.gateway.layers.routing import CascadeStep, passes
from promptopt.gateway.provider import answer_of, make_call
from promptopt.suites import Case, Suite


@dataclass(frozen=True, slots=True)
class CascadeOutcome:
    """A cascade on the cases of a suite.

    Attributes:
        usd_per_1k_calls: Of all models that it asks; ``None`` if one of them is unpriced.
        qualities: Of each answer that was judged, its case and its quality.
        escalated: Share of the calls that a later model answers.
        asked: For each model, the share of the calls that it is asked.
        changes: Of each case that was judged, the quality of its answer less that of the last model's.
        steps: As the settings have them.
    """

    label: str
    usd_per_1k_calls: float | None
    qualities: tuple[tuple[str, float], ...]
    escalated: float
    models: tuple[str, ...] = ()
    asked: tuple[float, ...] = ()
    changes: tuple[float, ...] = ()
    steps: Sequence[Any] = ()


def cascade_outcome(runs: Sequence[Run], steps: Sequence[CascadeStep], suite: Suite) -> CascadeOutcome | None:
    """The outcome for the first prompt that all models of the cascade answered; ``None`` if there is none."""
    if len(steps) < 2:
        return None
    for first in runs:
        chain = [_run_of(runs, first, step.model) for step in steps]
        if all(chain):
            return _outcome([run for run in chain if run], steps, suite)
    return None


def _run_of(runs: Sequence[Run], like: Run, model: str) -> Run | None:
    """The run of a model with the prompt and the settings of another run."""
    same = (run for run in runs if run.variant.template == like.variant.template)
    return next((r for r in same if r.variant.model == model and r.variant.settings == like.variant.settings), None)


def _outcome(chain: Sequence[Run], steps: Sequence[CascadeStep], suite: Suite) -> CascadeOutcome:
    answers = [{(trial.case, trial.sample): trial for trial in run.answered} for run in chain]
    cases = {case.name: case for case in suite.cases}
    questions = question_numbers(*chain)
    qualities: list[tuple[str, float]] = []
    paid: list[float | None] = []
    changes: dict[int, list[float]] = {}
    later, asked = 0, [0] * len(chain)
    for key in answers[-1]:
        spent: list[float | None] = []
        given = answers[-1][key]
        for number, (run, step, known) in enumerate(zip(chain, steps, answers, strict=True)):
            trial = known.get(key)
            asked[number] += 1
            if trial is None:
                # A model that fails is passed over.
                continue
            spent.append(None if trial.judged_cost is None else float(trial.judged_cost.total_usd))
            if number == len(chain) - 1 or _passes(run, step, trial, cases[trial.case]):
                given, later = trial, later + (number > 0)
                break
        paid.append(None if None in spent else sum(usd for usd in spent if usd is not None))
        if given.score.scores:
            qualities.append((key[0], given.quality))
            changes.setdefault(questions[key[0]], []).append(given.quality - answers[-1][key].quality)
    known_usd = [usd for usd in paid if usd is not None]
    return CascadeOutcome(
        label="cascade " + ", ".join(step.model for step in steps),
        usd_per_1k_calls=sum(known_usd) / len(paid) * 1000 if paid and len(known_usd) == len(paid) else None,
        qualities=tuple(qualities),
        escalated=later / len(paid) if paid else 0.0,
        models=tuple(step.model for step in steps),
        asked=tuple(count / len(paid) if paid else 0.0 for count in asked),
        changes=tuple(sum(each) / len(each) for each in changes.values()),
    )


def _passes(run: Run, step: CascadeStep, trial: Answered, case: Case) -> bool:
    rendered = render_case(run.variant.template, case)
    request = run.variant.request(rendered, case=trial.case, sample=trial.sample)
    return passes(step.validators, make_call(request), answer_of(trial.response))
