"""The cases of a comparison with all answers, in columns for a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from promptopt.experiment.runs import Answered, Run, Trial
from promptopt.suites import Case, Suite
from promptopt.values import Response
from promptopt.webpage.blocks import AnswerState, CaseAnswers, CasesBlock

_METRICS = (
    ("quality", "percent"),
    ("input tokens", "number"),
    ("output tokens", "number"),
    ("$ per 1,000 calls", "dollars"),
)
_DIGITS = 6


def cases_block(suite: Suite, runs: Sequence[Run]) -> CasesBlock:
    """All cases that were asked, with the answers of each variant."""
    repeats: dict[str, int] = {}
    for trial in runs[0].trials:
        repeats[trial.case] = repeats.get(trial.case, 0) + 1
    cases = {case.name: case for case in suite.cases}
    asked = [cases[name] for name in repeats]
    asserts: dict[str, int] = {}
    return CasesBlock(
        title="Cases",
        names=[case.name for case in asked],
        inputs=[_input(case) for case in asked],
        notes=[", ".join(f"{key}: {_text(value)}" for key, value in case.metadata.items()) for case in asked],
        repeats=list(repeats.values()),
        metrics=_METRICS,
        answers=[_answers(run, asserts) for run in runs],
        asserts=list(asserts),
    )


def _input(case: Case) -> str:
    """What the prompt is given: one variable as it is, several with their names."""
    given = case.given
    if len(given) == 1:
        return _text(next(iter(given.values())))
    return "\n".join(f"{name}: {_text(value)}" for name, value in given.items())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, Mapping | list) else str(value)


def _answers(run: Run, asserts: dict[str, int]) -> CaseAnswers:
    trials = run.trials
    measured = [_measured(trial) for trial in trials]
    return CaseAnswers(
        label=run.variant.label,
        texts=[_shown(trial) for trial in trials],
        states=[_state(trial) for trial in trials],
        endings=[_ending(trial) for trial in trials],
        said=[trial.said if isinstance(trial, Answered) else "" for trial in trials],
        measures=[list(column) for column in zip(*measured, strict=True)] or [[] for _ in _METRICS],
        scores=[_scores(trial, asserts) for trial in trials],
    )


def _shown(trial: Trial) -> str:
    """The answer as it is, with its line ends, and its calls of tools; of a conversation, all that was said."""
    if not isinstance(trial, Answered):
        return trial.error
    if trial.turns:
        return "\n\n".join(f"user: {asked}\nassistant: {_said(answer)}" for asked, answer in trial.turns)
    return _said(trial.response)


def _said(response: Response) -> str:
    return "\n".join(filter(None, [response.text, *map(str, response.tool_calls)]))


def _state(trial: Trial) -> AnswerState:
    if not isinstance(trial, Answered):
        return "e"
    if trial.score.broken:
        return "b"
    if not trial.score.scores:
        return "u"
    return "p" if trial.passed else "f"


def _ending(trial: Trial) -> str:
    reason = trial.response.finish_reason if isinstance(trial, Answered) else ""
    return "" if reason == "stop" else reason


def _measured(trial: Trial) -> tuple[float | None, ...]:
    """The values of :data:`_METRICS`."""
    if not isinstance(trial, Answered):
        return (None,) * len(_METRICS)
    cost = trial.judged_cost
    return (
        round(trial.quality, _DIGITS) if trial.score.scores else None,
        trial.usage.input_tokens,
        trial.usage.output_tokens,
        None if cost is None else round(float(cost.total_usd) * 1000, _DIGITS),
    )


def _scores(trial: Trial, asserts: dict[str, int]) -> list[tuple[int, float, int, str]]:
    if not isinstance(trial, Answered):
        return []
    return [
        (
            asserts.setdefault(score.name, len(asserts)),
            round(score.value, _DIGITS),
            2 if score.broken else int(score.passed),
            score.explanation or (score.judged.reason if score.judged else ""),
        )
        for score in trial.score.scores
    ]
