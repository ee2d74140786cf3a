"""What a run will ask, what of it is recorded, and what the rest will cost. Nothing is called here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal, Protocol

from promptopt.config import in_ci
from promptopt.errors import CostLimitError, RecordingError, TemplateError, UsageError
from promptopt.experiment.conversation import (
    CaseStep,
    expected_requests,
    make_step,
    most_usage,
    next_request,
    render_case,
)
from promptopt.experiment.unfinished import UnfinishedRun
from promptopt.experiment.variant import Variant
from promptopt.files import show_path
from promptopt.messages import MediaRefused
from promptopt.money import dollars
from promptopt.providers import is_configured
from promptopt.providers.base import check_request
from promptopt.providers.openai.models import refused_options
from promptopt.providers.recordings import Recording, RecordingFile, RecordingStatus, what_changed
from promptopt.suites import Case, Suite
from promptopt.templates import Template
from promptopt.tokens import count_tokens
from promptopt.values import Request, Response, Usage

Mode = Literal["none", "missing", "stale", "all"]
ASK_ABOVE_USD = Decimal(1)
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A case that need not be asked. Its messages are not kept: of a large run they would be most of the memory.

    Attributes:
        recording: The answer to the last of its requests.
        steps: All steps of the case: more than one if the model called tools, or of a conversation.
    """

    case: str
    sample: int
    recording: Recording
    steps: tuple[CaseStep, ...]


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A request to which there is no answer yet, or none that shall be used.

    Attributes:
        status: What is recorded of it.
        file: Where its recording is, or will be.
        live: Whether it will be sent.
        earlier: The steps of the case that are recorded already.
        before: The request of the last of them.
    """

    template: Template
    case: Case
    request: Request
    status: RecordingStatus
    file: RecordingFile
    live: bool
    earlier: tuple[CaseStep, ...] = ()
    before: Request | None = None

    @property
    def responses(self) -> list[Response]:
        """Those of the steps that are recorded."""
        return [step.response for step in self.earlier]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The calls of one variant, in the order of the suite.

    Attributes:
        unfinished: Where it is kept what has been answered, if a run that is broken off shall go on from there.
    """

    variant: Variant
    calls: tuple[PlannedCall | RecordedCall, ...]
    unfinished: UnfinishedRun | None = None

    @property
    def live(self) -> tuple[PlannedCall, ...]:
        """Those that will be sent."""
        return tuple(call for call in self.calls if isinstance(call, PlannedCall) and call.live)

    @property
    def blocked(self) -> tuple[PlannedCall, ...]:
        """Those that may not be sent."""
        return tuple(call for call in self.calls if isinstance(call, PlannedCall) and not call.live)


@dataclass(frozen=True, slots=True)
class CostRange:
    """What the live calls of a run will cost: counted input, and between no output and the cap.

    Attributes:
        calls: How many calls will be made.
        low_usd: With no output at all.
        high_usd: With every answer as long as its cap (without one, as the context window) allows; ``None`` if
            nothing bounds it.
        free: Only models whose calls cost nothing are asked.
        unpriced: Models without a known price; their calls are not in the sums.
        uncapped: Prompts that set no ``max_output_tokens``.
        resumed: Calls that are not made again, because the run before, which was broken off, has their answers.
        judges: What judging the answers will cost; ``None`` if no assert asks a model.
        uncounted: Media that no published rule counts; the calls with them are not in the sums.
    """

    calls: int
    low_usd: Decimal
    high_usd: Decimal | None
    free: bool
    unpriced: tuple[str, ...]
    uncapped: tuple[str, ...]
    resumed: int = 0
    judges: CostRange | None = None
    uncounted: tuple[str, ...] = ()

    def __str__(self) -> str:
        goes_on = f"; {self.resumed:,} more were answered before the last run was broken off" if self.resumed else ""
        judges = f"; judges: {self.judges}" if self.judges and self.judges.calls else ""
        return self._cost() + goes_on + judges

    @property
    def whole(self) -> CostRange:
        """Calls and judges together."""
        if self.judges is None:
            return self
        highs = (self.high_usd, self.judges.high_usd)
        return replace(
            self,
            calls=self.calls + self.judges.calls,
            low_usd=self.low_usd + self.judges.low_usd,
            high_usd=None if None in highs else sum((high for high in highs if high is not None), Decimal(0)),
            unpriced=(*self.unpriced, *self.judges.unpriced),
            uncounted=(*self.uncounted, *self.judges.uncounted),
        )

    def _cost(self) -> str:
        calls = f"{self.calls:,} call{'s' * (self.calls != 1)}"
        if self.free:
            return f"{calls}, free"
        if self.unpriced:
            return f"{calls}, cost unknown: {', '.join(self.unpriced)} unpriced"
        if self.uncounted:
            return f"{calls}, cost unknown: {self.uncounted[0]}"
        high = "no upper bound" if self.high_usd is None else dollars(self.high_usd)
        note = f" ({', '.join(self.uncapped)}: no max_output_tokens)" if self.uncapped else ""
        return f"{calls}, {dollars(self.low_usd)} to {high}{note}"


class AnsweredBefore(Protocol):
    """What a run that was begun has answered."""

    def answered(self, request: Request) -> bool:
        """Whether it has the answer to this very request."""


def default_mode(variants: Sequence[Variant]) -> Mode:
    """``missing`` if every variant's model can be called and CI is not set, else ``none``."""
    if in_ci():
        return "none"
    return "missing" if all(is_configured(variant.model) for variant in variants) else "none"


def make_plans(
    variants: Sequence[Variant],
    suite: Suite,
    mode: Mode,
    trials: int,
    unfinished: Path | None = None,
    *,
    race: bool = False,
) -> list[RunPlan]:
    """The plan of each variant: every case, ``trials`` times.

    Args:
        race: Not all calls may be needed: that one may not be made is said when it is.
        unfinished: The folder of what broken-off runs have answered; a run that asks for everything goes on from there.

    Raises:
        TemplateError: A prompt does not render for a case; the message names it.
        RecordingError: Something is not recorded, and ``mode`` does not allow to ask for it.
        UsageError: A model that is to be called refuses a setting of the prompt.
    """
    runs: dict[RecordingFile, UnfinishedRun] = {}
    if mode == "all" and unfinished is not None:
        files = dict.fromkeys(variant.files[0] for variant in variants)
        runs = {file: UnfinishedRun(unfinished, file.path) for file in files}
    begun = [runs.get(variant.files[0]) for variant in variants]
    calls: list[list[PlannedCall | RecordedCall]] = [[] for _ in variants]
    # Case by case: what prompts share of a case, such as its longest variable, is counted once and remembered.
    for case in suite.cases:
        for sample in range(trials):
            for variant, run, made in zip(variants, begun, calls, strict=True):
                made.append(plan_call(variant, case, sample, mode, run))
    plans = [RunPlan(variant, tuple(made), run) for variant, run, made in zip(variants, begun, calls, strict=True)]
    if not race:
        refuse_unrecorded(plans)
    _refuse_settings(plans)
    return plans


def plan_call(
    variant: Variant, case: Case, sample: int, mode: Mode, run: AnsweredBefore | None = None
) -> PlannedCall | RecordedCall:
    """The first step of a case that is to be asked, or may not be; or all of them, if they are recorded.

    Args:
        run: Knows which answers a run that asks for everything has already.

    Raises:
        TemplateError: The prompt does not render for the case.
    """
    try:
        request = variant.request(render_case(variant.template, case), case=case.name, sample=sample)
        if case.turns and not sample:
            # That a later turn has no place in the prompt is said before the first is paid.
            expected_requests(variant.template, case, request)
        return _next_call(variant, case, request, mode, run)
    except TemplateError as error:
        raise TemplateError(
            f"{error.message} (in case {case.name!r})", path=error.path, line=error.line, remedy=error.remedy
        ) from None


def _next_call(
    variant: Variant, case: Case, request: Request, mode: Mode, run: AnsweredBefore | None
) -> PlannedCall | RecordedCall:
    """The first call of a case that is not recorded, or all that are."""
    earlier: tuple[CaseStep, ...] = ()
    before: Request | None = None
    while True:
        status, file = variant.recorded(request)
        again = mode == "all" and not (status == "fresh" and run is not None and run.answered(request))
        live = again or (status == "missing" and mode != "none") or (status == "stale" and mode == "stale")
        recording = None if live or status != "fresh" else file.find(request)
        if recording is None:
            file = variant.files[0] if live else file
            return PlannedCall(variant.template, case, request, status, file, live, earlier, before)
        earlier = (*earlier, make_step(variant, case, request, recording.response, before, recording.request_sha256))
        responses = [step.response for step in earlier]
        following = next_request(variant.template, case, request, responses) if case.has_steps else None
        if following is None:
            return RecordedCall(case.name, request.sample, recording, earlier)
        before, request = request, following


def refuse_unrecorded(plans: Sequence[RunPlan]) -> None:
    """Nothing is used that does not answer this very request, and nothing is left out silently.

    Raises:
        RecordingError: A call may not be made, and there is no answer to it.
    """
    blocked = [(plan.variant, calls) for plan in plans if (calls := plan.blocked)]
    if not blocked:
        return
    variant, calls = blocked[0]
    missing = [call for call in calls if call.status == "missing"]
    stale = [call for call in calls if call.status == "stale"]
    parts = []
    if missing:
        others = [model for model in variant.files[0].models() if model != variant.model]
        recorded = f"; the file holds answers of {', '.join(others)}, not of {variant.model}" if others else ""
        parts.append(f"no recorded answer to {_names(missing)}{recorded}{_cut_off(variant)}")
    if stale:
        changes = {_change(call) for call in stale}
        parts.append(
            f"stale answers to {_names(stale)}: changed since they were recorded: {'; '.join(sorted(changes))}"
        )
    wanted = "stale" if any(call.status == "stale" for _, calls in blocked for call in calls) else "missing"
    raise RecordingError(
        f"{variant.label}: " + "; ".join(parts),
        path=show_path(variant.files[0].path),
        remedy=f"record with the model {variant.model}: the same command with --record {wanted}"
        + (" (--model names another model)" if missing else ""),
    )


def _refuse_settings(plans: Sequence[RunPlan]) -> None:
    """A setting that the model refuses with an error is said before the first call."""
    for plan in plans:
        if plan.live:
            refuse_settings(plan.variant, plan.live[0].request)


def refuse_settings(variant: Variant, request: Request) -> None:
    """Raises UsageError if a model, or the API that has it, does not take a setting of a variant's request."""
    if refused := refused_options(variant.model, variant.params.to_dict()):
        raise UsageError(f"{variant.label}: {variant.model} takes no {refused[0]}: remove it from the front matter")
    try:
        check_request(request)
    except MediaRefused:
        # Of one case, which then fails.
        return
    except ValueError as error:
        case = request.origin.case if request.origin else None
        raise UsageError(f"{variant.label}: {variant.model}: {error} (in case {case!r})") from None


def _names(calls: Sequence[PlannedCall]) -> str:
    names = list(dict.fromkeys(call.case.name for call in calls))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} case{'s' * (len(names) != 1)} ({', '.join(names[:_SHOWN])}{more})"


def _cut_off(variant: Variant) -> str:
    line = variant.files[0].cut_off
    return f"; line {line} is cut off, as by a crash while it was written" if line else ""


def _change(call: PlannedCall) -> str:
    _, recording = call.file.status(call.request)
    return what_changed(recording, call.request) if recording else ""


def cost_range(plans: Sequence[RunPlan]) -> CostRange:
    """The range of what the live calls will cost at the answering models' own prices."""
    live = [plan for plan in plans if plan.live]
    paid = [plan for plan in live if not plan.variant.free]
    low, high = Decimal(0), Decimal(0)
    bounded = True
    uncapped: dict[str, None] = {}
    uncounted: dict[str, None] = {}
    for plan in paid:
        price = plan.variant.live_price
        if price is None:
            continue
        for call in plan.live:
            counts = [count_tokens(each) for each in _expected(call)]
            if missing := next((why for each in counts for why in each.uncounted), None):
                uncounted[missing] = None
                continue
            tokens = [each.tokens for each in counts]
            low += sum((price.cost(Usage(input_tokens=each)).total_usd for each in tokens), Decimal(0))
            cap = call.request.params.max_output_tokens
            if cap is None:
                uncapped[plan.variant.label] = None
                cap = None if price.context_window is None else max(0, price.context_window - tokens[0])
            if cap is None:
                bounded = False
            else:
                most = most_usage(call.template, call.case, call.request, cap, call.responses)
                high += price.cost(most).total_usd
    return CostRange(
        calls=sum(len(_expected(call)) for plan in live for call in plan.live),
        low_usd=low,
        high_usd=high if bounded else None,
        free=not paid,
        unpriced=tuple(dict.fromkeys(plan.variant.model for plan in paid if plan.variant.live_price is None)),
        uncapped=tuple(uncapped),
        uncounted=tuple(uncounted),
        resumed=sum(len(plan.calls) - len(plan.live) for plan in plans if plan.unfinished),
    )


def _expected(call: PlannedCall) -> list[Request]:
    """The requests that are asked for a case at least; calls of tools may lead to more."""
    if not call.case.turns:
        return [call.request]
    return expected_requests(call.template, call.case, call.request, call.responses)


def check_cost(expected: CostRange, max_cost: Decimal | None) -> None:
    """Refuse a run that can cost more than its limit. Without a limit, a run that can cost more than $1 is refused.

    If a prompt sets no cap, its upper bound counts only against a given limit; the lower bound always counts.

    Raises:
        CostLimitError: Nothing was sent.
    """
    whole = expected.whole
    if not whole.calls:
        return
    if max_cost is not None:
        if whole.unpriced:
            raise CostLimitError(
                f"--max-cost cannot be kept: {', '.join(whole.unpriced)} is unpriced. "
                "Give its price in [tool.promptopt.prices]"
            )
        if whole.uncounted:
            raise CostLimitError(f"--max-cost cannot be kept: {whole.uncounted[0]}")
        if whole.high_usd is None or whole.high_usd > max_cost:
            cap = "; set max_output_tokens in the prompts" if expected.uncapped else ""
            raise CostLimitError(f"this run may cost more than --max-cost ${max_cost}: {expected}{cap}")
        return
    surest = whole.low_usd if expected.uncapped or whole.high_usd is None else whole.high_usd
    if surest > ASK_ABOVE_USD:
        raise CostLimitError(f"this run may cost more than ${ASK_ABOVE_USD}: {expected}. Allow it with --max-cost")
