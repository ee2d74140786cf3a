"""The answers of a run as their judges see them: whom each assert asks, about which answer, beside which others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from promptopt.experiment.conversation import CaseStep, judge_steps, whole_response
from promptopt.experiment.plan import CostRange, RecordedCall, RunPlan
from promptopt.experiment.variant import Variant
from promptopt.judges import JudgeOutlook, JudgeSession
from promptopt.scorers import JudgeAccess, JudgeScorer, Subject, SuiteChecks
from promptopt.values import Response

_UNKNOWN = CaseStep("", 0, Response("", "?"))


@dataclass(frozen=True)
class JudgedRun:
    """All answers of a run.

    Attributes:
        steps: Of each call of each plan; ``None`` for one without an answer.
    """

    session: JudgeSession
    checks: SuiteChecks
    plans: Sequence[RunPlan]
    steps: Sequence[Sequence[Sequence[CaseStep] | None]]

    def work(self) -> Iterator[tuple[JudgeScorer, Subject]]:
        """The scorers that ask models, each with the answer that it looks at."""
        for plan, given in zip(self.plans, self.steps, strict=True):
            for number, steps in enumerate(given):
                if steps is not None:
                    yield from self.scorers(plan, number, steps)

    def scorers(self, plan: RunPlan, number: int, steps: Sequence[CaseStep]) -> list[tuple[JudgeScorer, Subject]]:
        """Those of one answer."""
        noted: list[tuple[JudgeScorer, Subject]] = []
        judges = self.at(plan, number, noted)
        judge_steps(plan.variant, self.checks, _case_of(plan, number), steps, judges=judges)
        return noted

    def at(self, plan: RunPlan, number: int, noted: list[tuple[JudgeScorer, Subject]] | None = None) -> JudgeAccess:
        """Whom the asserts of an answer ask, beside the answers of the other variants to the same case."""
        variant, call = plan.variant, plan.calls[number]
        sample = call.sample if isinstance(call, RecordedCall) else call.request.sample
        files = [file.path for file in (*variant.files, *variant.fresh_only)]
        rivals = {
            other.variant.label: self._answer(other, number, given[number])
            for other, given in zip(self.plans, self.steps, strict=True)
            if other is not plan
        }
        return self.session.access(variant.label, files, sample, rivals, noted)

    def _answer(self, plan: RunPlan, number: int, steps: Sequence[CaseStep] | None) -> str | None:
        if steps is None:
            return None
        case = _case_of(plan, number)
        whole = whole_response(self.checks.case(case), [step.response for step in steps])
        return self.checks.answer(case, whole, plan.variant.template.front.answer)


def _case_of(plan: RunPlan, number: int) -> str:
    call = plan.calls[number]
    return call.case if isinstance(call, RecordedCall) else call.case.name


def _longest_answer(variant: Variant) -> int | None:
    """The most tokens that an answer can have: its cap, or what the model can hold; ``None`` if neither is known."""
    price = variant.live_price
    return variant.params.max_output_tokens or (None if price is None else price.context_window)


def judge_range(plans: Sequence[RunPlan], checks: SuiteChecks, session: JudgeSession) -> CostRange:
    """What judging the answers of a run will cost; of answers that are not there yet, at their caps.

    Raises:
        RecordingError: A judge's answer is not recorded, and the mode does not allow to ask for it.
    """
    known = [[call.steps if isinstance(call, RecordedCall) else (_UNKNOWN,) for call in plan.calls] for plan in plans]
    run = JudgedRun(session, checks, plans, known)
    there: list[tuple[JudgeScorer, Subject]] = []
    outlooks: list[JudgeOutlook] = []
    for plan, given in zip(plans, known, strict=True):
        for number, steps in enumerate(given):
            caps = [
                _longest_answer(other.variant) for other in plans if not isinstance(other.calls[number], RecordedCall)
            ]
            found = run.scorers(plan, number, steps)
            if caps:
                unknown = None if None in caps else sum(cap for cap in caps if cap is not None)
                outlooks.append(session.outlook(found, unknown))
            else:
                there += found
    outlooks.append(session.outlook(there))
    highs = [outlook.high_usd for outlook in outlooks]
    return CostRange(
        calls=sum(outlook.calls for outlook in outlooks),
        low_usd=sum((outlook.low_usd for outlook in outlooks), Decimal(0)),
        high_usd=None if None in highs else sum((high for high in highs if high is not None), Decimal(0)),
        free=all(outlook.free for outlook in outlooks),
        unpriced=tuple(dict.fromkeys(model for outlook in outlooks for model in outlook.unpriced)),
        uncapped=(),
    )
