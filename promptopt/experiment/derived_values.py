"""Metrics that a suite computes out of others, for each variant of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptopt.experiment.runs import Run
from promptopt.scorers import SuiteChecks
from promptopt.suites import Suite
from promptopt.suites.derived import COUNT, derive
from promptopt.tables import printable, table


@dataclass(frozen=True, slots=True)
class DerivedValue:
    """A metric that a suite computes out of others, for one variant; without a ``value``, ``why`` says why."""

    prompt: str
    name: str
    value: float | None
    why: str


def derived_values(suite: Suite, checks: SuiteChecks, runs: Sequence[Run]) -> tuple[DerivedValue, ...]:
    """The derived metrics of each run, out of the sums of its metrics, as promptfoo adds them up: score x weight."""
    if not suite.derived:
        return ()
    found = []
    for run in runs:
        sums = {assertion.metric: 0.0 for case in suite.cases for assertion in checks.assertions(case.name)}
        for trial in run.answered:
            asserts = checks.assertions(trial.case)
            for score, number in zip(trial.score.scores, trial.score.asserts, strict=True):
                sums[asserts[number].metric] += score.value * asserts[number].weight
        named = {metric: total for metric, total in sums.items() if metric is not None}
        values = {**named, COUNT: float(len(run.trials))}
        found += [DerivedValue(run.variant.label, *each) for each in derive(suite.derived, values)]
    return tuple(found)


def derived_table(found: Sequence[DerivedValue]) -> str:
    """A row for each derived metric, a column for each variant; empty without any."""
    if not found:
        return ""
    prompts, names = (list(dict.fromkeys(getattr(each, key) for each in found)) for key in ("prompt", "name"))
    cells = {(each.prompt, each.name): "-" if each.value is None else f"{each.value:.4g}" for each in found}
    rows = [[printable(name), *(cells[prompt, name] for prompt in prompts)] for name in names]
    lines = dict.fromkeys(f"{printable(each.name)}: {printable(each.why)}" for each in found if each.why)
    return "\n".join([table(rows, ["derived metric", *map(printable, prompts)]), *lines])
