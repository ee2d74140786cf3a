"""The A/B comparison: several prompts over the same cases, paired statistics, one verdict for each pair."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from promptopt.config import Config, load_config, using_config
from promptopt.errors import UsageError, check_argument, check_model, check_number
from promptopt.experiment.breakdown import ScorePart, compare_parts, looks, measure_parts, parts_of
from promptopt.experiment.cascade import CascadeOutcome, cascade_outcome
from promptopt.experiment.comparison import Comparison, Pair
from promptopt.experiment.derived_values import derived_values
from promptopt.experiment.grid import make_grid
from promptopt.experiment.judging import judge_range
from promptopt.experiment.plan import (
    CostRange,
    Mode,
    PlannedCall,
    RunPlan,
    check_cost,
    cost_range,
    default_mode,
    make_plans,
)
from promptopt.experiment.runner import Sending, connection, run_plans
from promptopt.experiment.runs import Run, VariantSummary, summarize
from promptopt.experiment.stopped import Race, StoppedVariant
from promptopt.experiment.variant import make_variant
from promptopt.experiment.verdict import Decision, too_many_failed
from promptopt.gateway.flow import Layer
from promptopt.judges import JudgeSession, read_judge
from promptopt.prices import Processing
from promptopt.providers import Provider
from promptopt.providers.base import check_provider_type
from promptopt.providers.recordings import RecordingFiles
from promptopt.scorers import SuiteChecks
from promptopt.suites import Suite, load_suite, suite_of
from promptopt.templates import Template, load_prompt
from promptopt.values import Progress, Request, Response

if TYPE_CHECKING:
    from promptopt.experiment.labelled import AnswerLabels
    from promptopt.experiment.racing import RaceRules


@contextmanager
def _rare_collections() -> Iterator[None]:
    """What a comparison makes lives to its end: to look for unused cycles in it again and again took a third of it."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_rare_collections()
def compare(
    *prompts: str | Path | Template,
    suite: str | Path | Suite | None = None,
    model: str | Sequence[str] | None = None,
    settings: Mapping[str, Sequence[object]] | None = None,
    baseline: str | None = None,
    price_as: str | None = None,
    trials: int = 1,
    by: Sequence[str] = (),
    margin: float | None = None,
    accept: float = 0.0,
    cost_margin: float | None = None,
    max_failed: float | None = None,
    record: Mode | None = None,
    jobs: int | None = None,
    timeout_s: float | None = None,
    retries: int | None = None,
    rpm: int | None = None,
    max_cost: Decimal | float | None = None,
    provider: Provider | None = None,
    batch: bool = False,
    judge: str | None = None,
    race: bool = False,
    labels: str | Path | None = None,
    on_plan: Callable[[CostRange], None] | None = None,
    progress: Progress | None = None,
    on_answer: Callable[[Request, Response], None] | None = None,
) -> Comparison:
    """Compare prompts, models and settings over the cases of a suite; the first variant is the baseline.

    Args:
        prompts: Paths, names (``reviews``, ``reviews@v1``), ``REF:path`` from git, or templates.
        suite: A file or a name; by default the suite that is named like the first prompt.
        model: Answers instead of the prompts' own models. Of several, every prompt is asked of each.
        settings: Values of settings of a call, ``{"reasoning_effort": ["low", "high"]}``: every prompt is asked with
            each combination.
        baseline: The label of the variant that the others are compared with, ``triage@v2 · gpt-4o · low``.
        price_as: The model whose prices and tokenizer count instead of the answering model's.
        trials: Answers to each case; they are averaged inside the case.
        by: Keys of metadata or variables of the cases; the cases of each value are a part with a quality of its own.
        margin: Points of quality (0 to 100) that a candidate may lose and still be "not worse".
        accept: Points that it may lose for a lower cost, as a trade-off.
        cost_margin: Percent of the baseline's cost that counts as the same; by default the configuration's, 2.
        max_failed: Percent of a prompt's calls that may fail; above it the verdict is ``incomplete``. 2 by default.
        record: Which answers to ask for: ``none``, ``missing``, ``stale`` or ``all``. By default ``missing`` if a
            model can be called and ``CI`` is not set, else ``none``.
        jobs: Calls in flight at once.
        timeout_s: Seconds that a call may take.
        retries: How often a call that failed in a way that may pass is sent again; by default as often as its provider
            does so by itself, which is twice for endpoints that speak OpenAI's API.
        rpm: The most calls that are sent in a minute, evenly.
        max_cost: Dollars that the run may cost at most; refused before any call.
        provider: Answers instead of the one that serves the models' names.
        batch: Ask through the provider's batch API: half the price, within a day. After a crash the same call continues
            the batch.
        judge: The model that judges answers for asserts that ask one, whatever the suite and the configuration name.
        race: Stop asking for a variant as soon as another one is shown to dominate it. What was not asked is not
            judged.
        labels: A file of people's labels of answers, by default ``suites/NAME/labels.csv`` if it is there. If ten cases
            or more have labels of both answers, the difference of quality is that of the labels, which the suite's own
            quality predicts for the other cases.
        on_plan: Called with the expected cost before any call.
        progress: Called with the number of calls answered and in all.
        on_answer: Called with each live answer as it comes, as to know what a run has spent so far.

    Raises:
        PromptoptError: What was given cannot be compared; the message says why and what to do.
    """
    numbers = {"margin": margin, "cost_margin": cost_margin, "max_failed": max_failed, "max_cost": max_cost}
    models = _listed(model)
    _check_types(
        {"price_as": price_as, "judge": judge},
        {**numbers, "accept": accept, "timeout_s": timeout_s},
        {"trials": trials, "jobs": jobs or 1},
        {"on_plan": on_plan, "progress": progress, "on_answer": on_answer},
    )
    check_argument(accept is not None, "accept", accept, "a number")
    keys = isinstance(by, Sequence) and all(isinstance(key, str) for key in by)
    check_argument(keys, "by", by, "a list of keys of metadata or variables")
    check_argument(record is None or record in get_args(Mode), "record", record, f"one of {', '.join(get_args(Mode))}")
    if provider is not None:
        check_provider_type("provider", provider)
    config = load_config()
    margin = config.margin if margin is None else margin
    cost_margin = config.cost_margin if cost_margin is None else cost_margin
    max_failed = config.max_failed if max_failed is None else max_failed
    _check(prompts, trials, timeout_s, margin, accept)
    check_percent("cost_margin", cost_margin)
    check_percent("max_failed", max_failed)
    templates = [prompt if isinstance(prompt, Template) else load_prompt(prompt, config=config) for prompt in prompts]
    cells = make_grid(templates, models, settings or {}, config.variants, baseline)
    named = suite or suite_of(templates[0].origin.prompt, config=config)
    loaded = named if isinstance(named, Suite) else load_suite(named, config=config)
    checks = SuiteChecks(loaded)
    parts = parts_of(loaded, checks, [by] if isinstance(by, str) else by)
    processing: Processing = "batch" if batch else "standard"
    files = RecordingFiles()
    variants = [
        make_variant(
            cell.template,
            loaded,
            config,
            model=cell.model,
            price_as=price_as,
            processing=processing,
            files=files,
            settings=cell.settings,
            label=cell.label,
        )
        for cell in cells
    ]
    mode = record or ("all" if provider else default_mode(variants))
    # A function that answers, given without a mode, is asked for everything, whoever answered before.
    unfinished = config.root / ".promptopt" / "unfinished" if record else None
    shares = _Shares(margin / 100, accept / 100, cost_margin / 100, max_failed / 100)
    rules = _race_rules(shares, len(variants), loaded, checks, batch, labels) if race else None
    # Each call asks for the configuration: of a run it is one, which is looked up once.
    with using_config(config):
        plans = make_plans(variants, loaded, mode, trials, unfinished, race=race)
    expected = cost_range(plans)
    retries = config.retries if retries is None else retries
    rpm = config.rpm if rpm is None else rpm
    connect = connection(timeout_s, retries, rpm)
    judges = _judges(config, judge, loaded, record, jobs, connect, checks) if checks.asks else None
    if judges is not None:
        expected = replace(expected, judges=judge_range(_may_ask(plans) if race else plans, checks, judges))
    if on_plan is not None:
        on_plan(expected)
    # Who answers in the place of models is not paid; judges are.
    if limited := expected if provider is None else expected.judges:
        check_cost(limited, None if max_cost is None else Decimal(str(max_cost)))
    layers = _batched(plans, progress) if batch and provider is None else ()
    sending = Sending(
        jobs=jobs or config.jobs,
        timeout_s=timeout_s,
        retries=retries,
        rpm=rpm,
        provider=provider,
        layers=layers,
        progress=progress,
        on_answer=on_answer,
        judges=judges,
    )
    runs = _carried_out(config, plans, checks, rules, sending)
    summaries = tuple(summarize(run, config) for run in runs)
    kept = [run for run in runs if not run.dropped]
    # A race stops by the suite's own quality.
    people, said = (None, "") if race else _labels(labels, loaded, runs)
    return Comparison(
        suite=replace(loaded, notes=(*loaded.notes, said)) if said else loaded,
        margin=margin,
        expected=expected,
        runs=tuple(runs),
        variants=summaries,
        pairs=_pairs(kept, parts, shares, len(runs) - len(kept), people),
        parts=measure_parts(parts, runs[0]) if len(runs) == 1 else (),
        cascade=_cascade(config, kept, loaded),
        judge_usd=None if judges is None else judges.incurred_usd,
        judge_calls=0 if judges is None else judges.live_calls,
        race=_left_out(plans, runs, summaries, rules) if rules else None,
        derived=derived_values(loaded, checks, kept),
    )


@dataclass(frozen=True, slots=True)
class _Shares:
    """What is allowed, each 0 to 1; see :func:`compare`, which takes points and percent."""

    margin: float
    accept: float
    cost_margin: float
    max_failed: float


def _race_rules(
    shares: _Shares, variants: int, suite: Suite, checks: SuiteChecks, batch: bool, labels: object
) -> RaceRules:
    """Raises UsageError for what cannot be raced."""
    # numpy is loaded for a race only.
    from promptopt.experiment.racing import RaceRules

    if batch:
        raise UsageError("a race asks in rounds, and a batch may take a day: leave out --race or --batch")
    if labels is not None:
        raise UsageError("a race stops by the suite's own quality, not by labels: leave out --race or --labels")
    if variants < 2:
        raise UsageError("a race is of two variants or more: name another prompt, a second --model, or --set values")
    for case in suite.cases:
        if any(check.assertion.type == "select-best" for check in checks.asking(case.name)):
            raise UsageError(
                f"a race cannot judge `select-best` (case {case.name!r}), whose scores depend on which variants are "
                "left: leave out --race, or judge each answer by itself, as with `llm-rubric`"
            )
    return RaceRules(shares.margin, shares.cost_margin, shares.max_failed)


def _judges(
    config: Config,
    model: str | None,
    suite: Suite,
    record: Mode | None,
    jobs: int | None,
    connect: Callable[[str], Provider],
    checks: SuiteChecks,
) -> JudgeSession:
    """Raises PromptoptError if an assert has no judge, or a setting of one makes no sense."""
    session = JudgeSession(read_judge(config, model), suite, record, config, connect, jobs or config.jobs)
    session.check(checks)
    return session


def _may_ask(plans: Sequence[RunPlan]) -> list[RunPlan]:
    """The plans of the cases that no variant lacks: of a race, others may never be needed."""
    blocked = {
        number
        for plan in plans
        for number, call in enumerate(plan.calls)
        if isinstance(call, PlannedCall) and not call.live
    }
    return [
        replace(plan, calls=tuple(call for number, call in enumerate(plan.calls) if number not in blocked))
        for plan in plans
    ]


def _carried_out(
    config: Config, plans: Sequence[RunPlan], checks: SuiteChecks, rules: RaceRules | None, sending: Sending
) -> list[Run]:
    try:
        with using_config(config):
            if rules is None:
                return run_plans(plans, checks, sending)
            from promptopt.experiment.rounds import race_plans

            return race_plans(plans, checks, rules, sending)
    finally:
        if sending.judges is not None:
            sending.judges.close()


def _left_out(
    plans: Sequence[RunPlan], runs: Sequence[Run], summaries: Sequence[VariantSummary], rules: RaceRules
) -> Race:
    stopped = []
    for run, summary in zip(runs, summaries, strict=True):
        if run.stopped is not None:
            usd = summary.usd_per_1k_calls
            stopped.append(StoppedVariant(summary.prompt, run.stopped, None if usd is None else usd / 1000))
    return Race(rules, sum(len(plan.calls) for plan in plans), tuple(stopped))


def _cascade(config: Config, runs: Sequence[Run], suite: Suite) -> CascadeOutcome | None:
    # The settings of the gateway are only read if there is something to ask them.
    if "cascade" not in config.gateway or len({run.variant.model for run in runs}) < 2:
        return None
    from promptopt.gateway.settings import read_settings

    found = cascade_outcome(runs, read_settings(config).cascade, suite)
    return None if found is None else replace(found, steps=config.gateway["cascade"])


def _listed(model: str | Sequence[str] | None) -> list[str]:
    """Raises TypeError for what is no model's name and no list of them."""
    if model is None:
        return []
    models: list[Any] = list(model) if isinstance(model, list | tuple) else [model]
    for each in models:
        check_argument(each is not None, "model", model, "a name or a list of names")
        check_model(each, "model")
    return models


def _check_types(
    models: Mapping[str, object],
    numbers: Mapping[str, object],
    wholes: Mapping[str, object],
    functions: Mapping[str, object],
) -> None:
    """Raises TypeError that names the argument."""
    for name, value in models.items():
        check_model(value, name)
    for name, value in numbers.items():
        check_number(value, name)
    for name, value in wholes.items():
        check_argument(type(value) is int, name, value, "a whole number")
    for name, value in functions.items():
        check_argument(value is None or callable(value), name, value, "a function")


def _check(prompts: Sequence[object], trials: int, timeout_s: float | None, margin: float, accept: float) -> None:
    if not prompts:
        raise UsageError("name at least one prompt")
    if trials < 1:
        raise UsageError(f"trials = {trials} is not a positive number")
    if timeout_s is not None and not 0 < timeout_s < math.inf:
        raise UsageError(f"timeout = {timeout_s:g} is not a positive number of seconds")
    if not 0 < margin < 100 or not 0 <= accept < 100:
        raise UsageError("margin and accept are points of quality, between 0 and 100")


def _batched(plans: Sequence[RunPlan], progress: Progress | None) -> tuple[Layer, ...]:
    """A layer of the answers that a batch gives to the live calls; none if there are no live calls."""
    from promptopt.gateway.batch import Batched, batch

    if any(call.case.tool_results for plan in plans for call in plan.live):
        raise UsageError("--batch asks each case once; calls of tools that `tool_results` answer are asked without it")
    if any(call.case.has_steps for plan in plans for call in plan.live):
        raise UsageError("--batch asks each case once; conversations, cases with `turns`, are asked without it")
    requests = {call.request.digest: call.request for plan in plans for call in plan.live}
    return (Batched(batch(requests.values(), progress=progress)),) if requests else ()


def check_percent(name: str, value: float) -> None:
    """Raises UsageError if it is not from 0 to below 100."""
    if not 0 <= value < 100:
        raise UsageError(f"{name} = {value:g} is not a percentage from 0 to below 100")


def _labels(named: str | Path | None, suite: Suite, runs: Sequence[Run]) -> tuple[AnswerLabels | None, str]:
    """The labels that are named, or those beside the suite, and how far people disagree; the latter may fit nothing."""
    path = Path(named) if named is not None else suite.recordings.with_name("labels.csv")
    if named is None and not path.is_file():
        return None, ""
    from promptopt.experiment.labelled import LabelledAnswers

    found = LabelledAnswers.read(path)
    with suppress(*[UsageError] * (named is None)):
        return found.of(runs), str(found.people)
    return None, ""


def _pairs(
    runs: Sequence[Run], parts: Sequence[ScorePart], shares: _Shares, dropped: int, people: AnswerLabels | None
) -> tuple[Pair, ...]:
    # numpy is loaded when all answers are there: while calls are made, memory is for them.
    from promptopt.experiment.pairs import PairedCases, compare_pairs

    baseline, *candidates = runs
    paired = [PairedCases.of(baseline, run, people) for run in candidates]
    compared = compare_pairs(paired, shares.margin, shares.accept, shares.cost_margin, dropped)
    untouched, shared_by = [each.untouched for each in paired], [decision.shared_by for _, decision in compared]
    of_parts = compare_parts(parts, baseline, candidates, untouched, shared_by, shares.margin, dropped)
    pairs = []
    for run, pair, (differences, decision), qualities in zip(candidates, paired, compared, of_parts, strict=True):
        counts = [(each.variant.label, len(each.failed), len(each.trials)) for each in (baseline, run)]
        failed = tuple(filter(None, (too_many_failed(*each, shares.max_failed) for each in counts)))
        decided = Decision("incomplete", failed) if failed else decision
        # What is left of the answers may differ from those that failed: nothing is shown by it.
        shown = tuple(replace(each, quality="unclear") for each in qualities) if failed else qualities
        labels, asked = (baseline.variant.label, run.variant.label), looks(parts) * (len(candidates) + dropped)
        pairs.append(Pair(*labels, differences, decided, shown, asked, pair.answered, pair.cases))
    return tuple(pairs)
