"""The A/B comparison: several prompts over the same cases, paired statistics, one verdict a pair."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from promptopt.config import load_config
from promptopt.errors import UsageError
from promptopt.experiment.plan import CostRange, Mode, Step, check_cost, cost_range, default_mode, make_plan
from promptopt.experiment.runner import Progress, Run, run_plan
from promptopt.experiment.summary import VariantSummary, summarize
from promptopt.experiment.variant import make_variant
from promptopt.experiment.verdict import Decision, Difference
from promptopt.prices import Processing
from promptopt.providers import Provider
from promptopt.scorers import SuiteChecks
from promptopt.suites import Suite, load_suite, suite_of
from promptopt.templates import Template, load_prompt
from promptopt.tokens import encoding, tokenizer_for


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate against the baseline.

    Attributes:
        differences: Paired, candidate less baseline, one for each metric.
    """

    baseline: str
    candidate: str
    differences: tuple[Difference, ...]
    decision: Decision


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of :func:`compare`.

    Attributes:
        suite: The suite that was measured on.
        margin: Points of quality (0 to 100) that may be lost.
        expected: What the live calls were expected to cost.
        runs: All trials, one run a variant; the first is the baseline.
        variants: A summary of each.
        pairs: Each other variant against the first.
    """

    suite: Suite
    margin: float
    expected: CostRange
    runs: tuple[Run, ...]
    variants: tuple[VariantSummary, ...]
    pairs: tuple[Pair, ...]

    @property
    def regressed(self) -> bool:
        """Whether any candidate regressed: a gate fails then."""
        return any(pair.decision.verdict == "regressed" for pair in self.pairs)

    def to_dict(self) -> dict[str, object]:
        """The documented, versioned form that ``--json`` prints."""
        from promptopt.experiment.report.data import comparison_dict

        return comparison_dict(self)

    def __str__(self) -> str:
        """The table that ``promptopt compare`` prints."""
        from promptopt.experiment.report.text import comparison_text

        return comparison_text(self)


def compare(
    *prompts: str | Path | Template,
    suite: str | Path | Suite | None = None,
    model: str | None = None,
    price_as: str | None = None,
    trials: int = 1,
    margin: float | None = None,
    accept: float = 0.0,
    record: Mode | None = None,
    jobs: int | None = None,
    timeout_s: float | None = None,
    max_cost: Decimal | float | None = None,
    provider: Provider | None = None,
    batch: bool = False,
    on_plan: Callable[[CostRange], None] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare prompts over the cases of a suite; the first is the baseline.

    Args:
        prompts: Paths, names (``reviews``, ``reviews@v1``), ``REF:path`` out of git, or templates.
        suite: A file or a name; by default the suite that is named like the first prompt.
        model: Answers instead of the prompts' own models.
        price_as: The model whose prices and tokenizer count instead of the answering model's.
        trials: Answers to each case; they are averaged inside the case.
        margin: Points of quality (0 to 100) that a candidate may lose and still be "not worse".
        accept: Points that it may lose for a lower cost, as a trade-off.
        record: Which answers to ask for: ``none``, ``missing``, ``stale`` or ``all``. By default ``missing`` where a
            model can be called and ``CI`` is not set, else ``none``.
        jobs: Calls in flight at once.
        timeout_s: Seconds a call may take.
        max_cost: Dollars that the run may cost at most; refused before any call.
        provider: Answers instead of the one that the models' names stand for.
        batch: Ask through the provider's batch API: half the price, within a day; the same call after a crash goes on.
        on_plan: Called with the expected cost before any call.
        progress: Called with the number of calls answered and in all.

    Raises:
        PromptoptError: What was given cannot be compared; the message says why and what to do.
    """
    config = load_config()
    if not prompts:
        raise UsageError("name at least one prompt")
    if trials < 1:
        raise UsageError(f"trials = {trials} is not a positive number")
    if timeout_s is not None and not 0 < timeout_s < math.inf:
        raise UsageError(f"timeout = {timeout_s:g} is not a positive number of seconds")
    margin = config.margin if margin is None else margin
    if not 0 < margin < 100 or not 0 <= accept < 100:
        raise UsageError("margin and accept are points of quality, between 0 and 100")
    templates = [prompt if isinstance(prompt, Template) else load_prompt(prompt, config=config) for prompt in prompts]
    # Before all else that is large: loading the vocabulary takes memory for a moment, which later imports use again.
    encoding(tokenizer_for(price_as or config.price_as or model or templates[0].front.model).encoding)
    loaded = (
        suite
        if isinstance(suite, Suite)
        else load_suite(suite or suite_of(templates[0].origin.prompt, config=config), config=config)
    )
    checks = SuiteChecks(loaded)
    variants = [make_variant(template, loaded, config, model, price_as) for template in templates]
    mode = record or ("all" if provider else default_mode(variants))
    steps = make_plan(variants, loaded, mode, trials)
    processing: Processing = "batch" if batch else "standard"
    expected = cost_range(steps, config, processing)
    if on_plan is not None:
        on_plan(expected)
    if provider is None:
        check_cost(expected, None if max_cost is None else Decimal(str(max_cost)))
    if batch and provider is None:
        provider = _batched(steps, progress)
    runs = run_plan(
        steps,
        checks,
        jobs=jobs or config.jobs,
        timeout_s=timeout_s,
        provider=provider,
        progress=progress,
        processing=processing,
    )
    return _comparison(loaded, margin, accept, expected, runs)


def _batched(steps: Sequence[Step], progress: Progress | None) -> Provider | None:
    """A provider of the answers that a batch gives to the live steps; ``None`` where there are none."""
    from promptopt.providers.batch import BatchProvider, batch

    requests = {step.request.digest: step.request for step in steps if step.live}
    return BatchProvider(batch(requests.values(), progress=progress)) if requests else None


def _comparison(suite: Suite, margin: float, accept: float, expected: CostRange, runs: Sequence[Run]) -> Comparison:
    # numpy is loaded when all answers are there: while calls are made, memory is for them.
    from promptopt.experiment.pairs import PairedCases, compare_pairs

    paired = [PairedCases.of(runs[0], candidate) for candidate in runs[1:]]
    compared = compare_pairs(paired, margin / 100, accept / 100)
    return Comparison(
        suite=suite,
        margin=margin,
        expected=expected,
        runs=tuple(runs),
        variants=tuple(map(summarize, runs)),
        pairs=tuple(
            Pair(runs[0].variant.label, candidate.variant.label, differences, decision)
            for candidate, (differences, decision) in zip(runs[1:], compared, strict=True)
        ),
    )
