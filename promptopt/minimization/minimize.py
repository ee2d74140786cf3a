"""The search for the cheapest version of a prompt, from end to end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from promptopt.config import Config, load_config
from promptopt.errors import UsageError, check_argument, check_model, check_number
from promptopt.experiment.compare import check_percent
from promptopt.experiment.plan import Mode, default_mode
from promptopt.experiment.runner import Sending, connection
from promptopt.judges import JudgeSession, read_judge
from promptopt.minimization.case_history import CaseHistory
from promptopt.minimization.choices import (
    Move,
    Reduced,
    Workbench,
    other_model,
    other_setting,
    output_cap,
    rule_edits,
    structured_answer,
)
from promptopt.minimization.chosen import put_back, try_again, why_nothing
from promptopt.minimization.confirmation import Confirmed, confirm, to_confirm
from promptopt.minimization.evidence_cases import evidence_of
from promptopt.minimization.examples import best_with_examples, example_orders
from promptopt.minimization.front import Outlay
from promptopt.minimization.oracle import Oracle, OutOfMoney, Providers, kept_usd, open_store
from promptopt.minimization.plan import SearchPlan, make_plan
from promptopt.minimization.result import Minimization
from promptopt.minimization.search import Reduction
from promptopt.minimization.tried import Tried
from promptopt.minimization.units import read_units
from promptopt.minimization.untested import Untested, find_untested
from promptopt.prices import find_price
from promptopt.providers import Provider
from promptopt.providers.base import check_provider_type
from promptopt.scorers import SuiteChecks
from promptopt.suites import Suite, load_suite, suite_of
from promptopt.templates import Template, load_prompt
from promptopt.values import Progress, Request, Response, Usage

_FIRST_LOOK = 60
"""In so many cases it shows whether a prompt does its job at all."""

UntestedFacts = Literal["keep", "remove"]


@dataclass(frozen=True, slots=True)
class Asking:
    """How answers are had.

    Attributes:
        record: ``none`` replays only; ``missing`` asks for what is not recorded. By default ``missing`` if a model can
            be called and ``CI`` is not set, or if ``provider`` is given.
        provider: Answers instead of the one that serves the models' names, and is not paid unless dollars are limited.
    """

    record: Mode | None = None
    jobs: int | None = None
    timeout_s: float | None = None
    retries: int | None = None
    rpm: int | None = None
    provider: Provider | None = None
    judge: str | None = None
    progress: Progress | None = None
    on_answer: Callable[[Request, Response], None] | None = None
    trials: int = 1


def minimize(
    prompt: str | Path | Template,
    *,
    suite: str | Path | Suite | None = None,
    margin: float | None = None,
    max_cost: Decimal | float | None = None,
    units: Sequence[str] = (),
    rules: bool = True,
    structured: bool = False,
    cap: bool = False,
    models: Sequence[str] = (),
    settings: Mapping[str, Sequence[object]] | None = None,
    order: bool = False,
    add_examples: bool = False,
    untested: UntestedFacts = "keep",
    steps: int = 2,
    max_failed: float | None = None,
    trials: int = 1,
    model: str | None = None,
    price_as: str | None = None,
    record: Mode | None = None,
    jobs: int | None = None,
    timeout_s: float | None = None,
    retries: int | None = None,
    rpm: int | None = None,
    provider: Provider | None = None,
    judge: str | None = None,
    dry_run: bool = False,
    on_plan: Callable[[SearchPlan], None] | None = None,
    on_tried: Callable[[Tried], None] | None = None,
    progress: Progress | None = None,
    on_answer: Callable[[Request, Response], None] | None = None,
) -> Minimization:
    """Search for the cheapest version of a prompt that is shown to be not worse on cases that the search never saw.

    Args:
        prompt: A path, a name (``reviews``, ``reviews@v1``), ``REF:path`` from git, or a template.
        suite: A file or a name; by default the suite that is named like the prompt.
        margin: Points of quality (0 to 100) that may be lost; by default the configuration's, 2.
        max_cost: Dollars that may be spent; by default one. The search stops there.
        units: Texts of the prompt, each of which is in it once: these may go, and nothing else. By default its
            sentences, list items, sections, examples, descriptions and fields.
        rules: Whether the edits of ``promptopt compress`` may be made.
        structured: Whether the answer may become strict JSON, as ``promptopt structure`` proposes it.
        cap: Whether a lower output cap may be set, as the answers' lengths suggest.
        models: Other models that may answer.
        settings: Other values of settings of a call, ``{"reasoning_effort": ["low"]}``, the cheapest first.
        order: Whether the prompt's examples may come the other way round, if answers are better then.
        add_examples: Whether examples out of failed cases may be added, if an answer that passes costs less then: a
            longer prompt on a smaller model may.
        untested: ``keep`` or ``remove`` facts that no case exercises.
        steps: How many nested choices are confirmed at most, from the one that changes least on.
        max_failed: Percent of a version's calls that may fail in the confirmation; by default the configuration's, 2.
        trials: Answers to each case; they are averaged inside the case.
        model: Answers instead of the prompt's own.
        price_as: The model whose prices and tokenizer count.
        record: ``none`` replays only; ``missing`` asks for what is not recorded.
        jobs, timeout_s, retries, rpm: As of :func:`promptopt.compare`.
        provider: Answers instead of the one that serves the models' names; its answers are kept in memory only.
        judge: The model that judges answers for asserts that ask one.
        dry_run: Plan and refuse what cannot succeed; nothing is allowed.
        on_plan: Called with the plan before any call.
        on_tried: Called with each choice that was tried.
        progress: Called with the number of calls answered, and of those with the calls that are known to come.
        on_answer: Called with each answer as it comes, and the request.

    Raises:
        UsageError: There are too few cases for anything to be confirmed, or nothing that may go.
        CostLimitError: The dollars buy no confirmation.
        PromptoptError: Something else cannot be used; the message says why and what to do.
    """
    check_argument(untested in get_args(UntestedFacts), "untested", untested, "'keep' or 'remove'")
    check_argument(type(steps) is int and steps > 0, "steps", steps, "a positive whole number")
    check_number(max_failed, "max_failed")
    config = load_config()
    if max_failed is not None:
        check_percent("max_failed", max_failed)
        config = replace(config, max_failed=max_failed)
    margin, limit = read_limits(margin, max_cost, config)
    how = Asking(record, jobs, timeout_s, retries, rpm, provider, judge, progress, on_answer, trials)
    changes = (rules, structured, cap, models, settings or {}, order, add_examples)
    allowed = Allowed(units, *changes, model, price_as)
    bench, oracle = open_search(prompt, suite, how, allowed, config, limit)
    paid = provider is None or limit is not None
    with oracle:
        history = CaseHistory(bench.kept_at(".judged.jsonl") if provider is None else None)
        plan = make_plan(bench, oracle, margin, steps, limit, paid, history)
        oracle.purse.limit = plan.limit
        if on_plan is not None:
            on_plan(plan)
        if not bench.units.units and not bench.moves and not cap and not add_examples:
            raise UsageError(
                f"{bench.units.template.path}: there is nothing that may go: no sentence, example or field that is not "
                "what a case puts in, and no rule acts. --models, --set, --structured and --cap allow other changes"
            )
        if dry_run:
            return Minimization(bench, plan, margin)
        return _searched(oracle, plan, margin, allowed, untested, config, history, on_tried)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be changed; see :func:`minimize`."""

    units: Sequence[str] = ()
    rules: bool = False
    structured: bool = False
    cap: bool = False
    models: Sequence[str] = ()
    settings: Mapping[str, Sequence[object]] = field(default_factory=dict)
    order: bool = False
    add_examples: bool = False
    model: str | None = None
    price_as: str | None = None


def read_limits(margin: float | None, max_cost: Decimal | float | None, config: Config) -> tuple[float, Decimal | None]:
    """The margin in points, by default the configuration's, and the dollars that may be spent.

    Raises:
        TypeError: One is not a number.
        UsageError: The margin is not between 0 and 100.
    """
    check_number(margin, "margin")
    check_number(max_cost, "max_cost")
    margin = config.margin if margin is None else margin
    if not 0 < margin < 100:
        raise UsageError(f"margin = {margin:g} is not between 0 and 100 points, both excluded")
    return margin, None if max_cost is None else Decimal(str(max_cost))


def open_search(
    prompt: str | Path | Template,
    suite: str | Path | Suite | None,
    how: Asking,
    allowed: Allowed,
    config: Config,
    limit: Decimal | None,
) -> tuple[Workbench, Oracle]:
    """A prompt with its units, and who answers. Nothing is allowed."""
    check_argument(type(how.trials) is int and how.trials > 0, "trials", how.trials, "a positive whole number")
    check_model(allowed.model, "model")
    check_model(allowed.price_as, "price_as")
    if how.provider is not None:
        check_provider_type("provider", how.provider)
    template = prompt if isinstance(prompt, Template) else load_prompt(prompt, config=config)
    named = suite or suite_of(template.origin.prompt, config=config)
    loaded = named if isinstance(named, Suite) else load_suite(named, config=config)
    checks = SuiteChecks(loaded)
    kept = config.root / ".promptopt" / "minimize"
    store = open_store(kept, template.origin.prompt, saved=how.provider is None)
    moves = list(_moves(allowed, loaded))
    bench = Workbench(
        read_units(template, allowed.units),
        moves,
        loaded,
        config,
        store,
        model=allowed.model,
        price_as=allowed.price_as,
    )
    whole = bench.variant(Reduced())
    assert whole is not None
    bench.suite, bench.left_out = evidence_of(bench, whole, checks)
    checks = SuiteChecks(bench.suite)
    bench.drop_idle()
    mode = how.record or ("missing" if how.provider else default_mode([whole]))
    retries = config.retries if how.retries is None else how.retries
    rpm = config.rpm if how.rpm is None else how.rpm
    connect = connection(how.timeout_s, retries, rpm)
    judges = None
    if checks.asks:
        judges = JudgeSession(
            read_judge(config, how.judge), loaded, how.record, config, connect, how.jobs or config.jobs
        )
        judges.check(checks)
    sending = Sending(
        jobs=how.jobs or config.jobs,
        timeout_s=how.timeout_s,
        retries=retries if how.provider is not None else 0,
        provider=how.provider or Providers(connect),
        progress=how.progress,
        on_answer=how.on_answer,
        judges=judges,
    )
    return bench, Oracle(bench, checks, sending, mode, limit, how.provider is None or limit is not None, how.trials)


def _moves(allowed: Allowed, suite: Suite) -> list[Move]:
    # In this order they are made: what asks for a structured answer is recognised in the author's own words.
    found = [structured_answer(suite)] if allowed.structured else []
    found += [rule_edits()] if allowed.rules and not allowed.units else []
    found += [other_model(name) for name in allowed.models]
    return found + [other_setting(name, value) for name, values in allowed.settings.items() for value in values]


def _searched(
    oracle: Oracle, plan: SearchPlan, margin: float, allowed: Allowed, untested: UntestedFacts, config: Config,
    history: CaseHistory, on_tried: Callable[[Tried], None] | None,
) -> Minimization:  # fmt: skip
    bench, cases, earlier = oracle.bench, plan.split.search, kept_usd(oracle.bench.store, config)

    def tried(one: Tried) -> None:
        # Before anything is known of a candidate, no case was seen.
        history.note_search([bench.suite.cases[number] for number in cases])
        if on_tried is not None:
            on_tried(one)

    if plan.usd_per_case is not None:
        own, most = oracle.missing(Reduced(), plan.split.confirm)
        versions = len(plan.split.confirm) * plan.steps
        oracle.purse.hold(versions + own // oracle.trials, plan.usd_per_case * versions + (most or Decimal(0)))
    oracle.to_come = len(plan.split.confirm) * (1 + plan.steps) * oracle.trials
    reduction = Reduction(
        oracle, cases, margin / 100, bench.units.groups, dict(bench.unit_tokens), tried
    )  # fmt: skip
    facts: list[Untested] = []
    _check_passes(oracle, cases, margin)
    if allowed.cap:
        _add_caps(oracle, cases)
    units = sorted((unit.id for unit in bench.units.units), key=lambda unit: int(unit[1:]))
    moves, last = _axes(bench, config)
    reduction.run(moves, units, last)
    if allowed.order:
        _try_orders(oracle.bench, reduction)
    if reduction.current.removed:
        try:
            facts = find_untested(oracle, reduction.current, cases)
        except OutOfMoney:
            reduction.stopped = "at the limit of dollars"
            # What is not known to be tested is kept as what no case tests.
            facts = [
                Untested(unit, 0)
                for unit in bench.units.units
                if unit.id in reduction.current.removed and unit.telling and bench.holds(reduction.current, unit.id)
            ]
    kept = [] if untested == "remove" else [each.unit.id for each in facts]
    steps = put_back(bench, reduction.steps, kept)
    # What no case tests is put back: no answer depends on it.
    prospects = to_confirm(reduction.prospects(len(plan.split.confirm)), plan.steps)
    chosen = [step for step in put_back(bench, prospects, kept) if step != Reduced()]
    chosen = try_again(bench, reduction, chosen, last if kept else [], plan.steps)
    steps = list(dict.fromkeys([*steps, *chosen[-1:]]))
    if allowed.add_examples:
        chosen += _with_examples(oracle, reduction, steps[-1], cases)
    oracle.purse.hold(0, Decimal(0))
    oracle.to_come = 0
    found: list[Confirmed] = []
    stopped = reduction.stopped
    unconfirmed = "" if chosen else why_nothing(bench, reduction, prospects, kept, len(plan.split.confirm))
    try:
        shares = config.cost_margin / 100, config.max_failed / 100
        found = confirm(oracle, chosen, plan.split.confirm, margin / 100, *shares, history)
    except OutOfMoney:
        stopped = "at the limit of dollars, before the confirmation"
        unconfirmed = "nothing is confirmed: the dollars did not pay the confirmation"
    outlay = Outlay(oracle.calls, oracle.purse.spent, bool(plan.usd_per_case), oracle.counted, earlier)
    return Minimization(
        bench, plan, margin, tuple(reduction.tried), tuple(steps), tuple(found), tuple(facts), untested == "remove",
        outlay, stopped, oracle, unconfirmed,
    )  # fmt: skip


def _check_passes(oracle: Oracle, cases: Sequence[int], margin: float) -> None:
    """Refuse a prompt that has no more to lose than the margin allows: without any of it, it would be "not worse".

    Raises:
        UsageError: Its quality is at most the margin in all of the cases.
    """
    own = Reduced()
    try:
        oracle.ask(own, cases[:_FIRST_LOOK])
        found = oracle.mean_quality(own, cases[:_FIRST_LOOK])
        if found is not None and 100 * found[0] <= margin:
            oracle.ask(own, cases)
            found = oracle.mean_quality(own, cases)
    except OutOfMoney:
        # The search says so, and what it has reserved.
        return
    if found is None or 100 * found[0] > margin:
        return
    template = oracle.bench.units.template
    raise UsageError(
        f"{template.path}: {template.origin.label} is right in {100 * found[0]:.1f}% of {found[1]:,} cases, and "
        f"{margin:g} points may be lost: nothing that is taken out of it would be worse. See what it answers and what "
        "the asserts ask for, or give a smaller --margin"
    )


def _axes(bench: Workbench, config: Config) -> tuple[list[list[Move]], list[list[Move]]]:
    """The moves of each axis, models by what a call of the prompt costs; and those that come last: the rules' edits."""
    axes: dict[str, list[Move]] = {}
    for move in bench.moves.values():
        axes.setdefault(move.axis, []).append(move)
    if "model" in axes:
        tokens = round(bench.input_tokens(Reduced()))

        def price(move: Move) -> float:
            found = find_price(move.value, config=config)
            return math.inf if found is None else float(found.cost(Usage(tokens, output_tokens=50)).total_usd)

        axes["model"].sort(key=price)
    # They save least, and only of what stays.
    last = [axes.pop("rules")] if "rules" in axes else []
    order = ("model", "structured")
    return sorted(axes.values(), key=lambda each: order.index(each[0].axis) if each[0].axis in order else 1), last


def _add_caps(oracle: Oracle, cases: Sequence[int]) -> None:
    """Caps at the lengths of the answers: at half of them, and at three of four. What none reaches saves nothing."""
    oracle.ask(Reduced(), cases)
    lengths = [trial.usage.output_tokens for trial in oracle.run(Reduced(), cases).answered]
    for share in (0.5, 0.75):
        tokens = math.ceil(float(np.quantile(lengths, share))) if lengths else 0
        # The model ends such an answer by itself before its cap.
        if 0 < tokens < max(lengths, default=0):
            move = output_cap(tokens)
            oracle.bench.moves[move.id] = move


def _try_orders(bench: Workbench, reduction: Reduction) -> None:
    moves = list(example_orders(bench.units))
    bench.moves.update({move.id: move for move in moves})
    reduction.improve(moves)


def _with_examples(oracle: Oracle, reduction: Reduction, choice: Reduced, cases: Sequence[int]) -> list[Reduced]:
    try:
        found = best_with_examples(oracle, choice, cases)
    except OutOfMoney:
        reduction.stopped = "at the limit of dollars"
        return []
    return [] if found is None else [found]
