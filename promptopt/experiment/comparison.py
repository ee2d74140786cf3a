"""The result of a comparison: runs, their summaries, and a decision for each candidate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from promptopt.experiment import text
from promptopt.experiment.breakdown import PartMean, PartQuality
from promptopt.experiment.cascade import CascadeOutcome
from promptopt.experiment.derived_values import DerivedValue, derived_table
from promptopt.experiment.frontier import Frontier, frontier
from promptopt.experiment.plan import CostRange
from promptopt.experiment.runs import Answered, Run, VariantSummary
from promptopt.experiment.same_questions import asked_again
from promptopt.experiment.stopped import Race
from promptopt.experiment.verdict import Decision, Difference, QualityReason, TooManyFailed
from promptopt.files import show_path
from promptopt.suites import Suite
from promptopt.values import Judged, Score

if TYPE_CHECKING:
    from promptopt.webpage.blocks import PageBlock

_DIGITS = 10
# One-sided, as that of a verdict.
_LEVEL = 0.05

FORMAT_VERSION = 2
"""Of :meth:`Comparison.to_dict`. Within a version, keys are added and never changed or removed."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate against the baseline.

    Attributes:
        differences: Paired, candidate less baseline, one for each metric.
        parts: The quality of each assert, each named metric, and the cases of each label.
        looks: How many questions of all candidates they ask beside that of the verdict.
        answered: The cases that both prompts answered, of which the differences are; ``cases``: all that were asked.
    """

    baseline: str
    candidate: str
    differences: tuple[Difference, ...]
    decision: Decision
    parts: tuple[PartQuality, ...]
    looks: int
    answered: int
    cases: int

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of the verdict as sentences, and the parts that are worse if the whole is not."""
        reasons = map(text.reason_text, self.decision.reasons)
        return (*reasons, *text.hidden_losses(self.decision, self.parts))

    def __str__(self) -> str:
        """The verdict with its reasons, and a table of the differences."""
        heading = f"{self.candidate} against {self.baseline}: {self.decision.verdict.upper()}"
        reasons = "\n".join(f"  {reason}" for reason in self.reasons)
        tables = [
            text.differences_table(self.differences, self.answered, self.cases),
            text.parts_table(self.parts, self.looks) if self.answered else "",
        ]
        return "\n\n".join([f"{heading}\n{reasons}", *filter(None, tables)])

    def to_rows(self) -> list[dict[str, Any]]:
        """A row for each difference; each carries the pair's one verdict."""
        return [
            {
                "baseline": self.baseline,
                "candidate": self.candidate,
                **_difference_dict(difference),
                "cases": self.answered,
                "verdict": self.decision.verdict,
                "reasons": list(self.reasons),
                "cases_needed": self.decision.cases_needed,
                **(_labels_dict(self.decision) if difference.metric == "quality" else {}),
            }
            for difference in self.differences
        ]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of :func:`promptopt.compare`.

    Attributes:
        suite: The suite that was measured on.
        margin: Points of quality (0 to 100) that may be lost.
        expected: What the live calls were expected to cost.
        runs: All trials, one run for each variant; the first is the baseline.
        variants: A summary of each.
        pairs: Each other variant against the first.
        parts: If there is one prompt only, the quality of its asserts, named metrics and labels.
        derived: Of each variant, the metrics that the suite computes out of others.
        cascade: What the project's cascade would have given, if the models that it asks are compared.
        judge_calls: How often judges were asked in this run, and what that cost, ``judge_usd``: ``None`` if a judge is
            unpriced.
        race: What a race left out; ``None`` if there was none. A variant that was dropped has no pair.
    """

    suite: Suite
    margin: float
    expected: CostRange
    runs: tuple[Run, ...]
    variants: tuple[VariantSummary, ...]
    pairs: tuple[Pair, ...]
    parts: tuple[PartMean, ...] = ()
    cascade: CascadeOutcome | None = None
    judge_usd: float | None = None
    judge_calls: int = 0
    race: Race | None = None
    derived: tuple[DerivedValue, ...] = ()

    @property
    def kept(self) -> tuple[Run, ...]:
        """The runs of the variants that no race dropped."""
        return tuple(run for run in self.runs if not run.dropped)

    @property
    def frontier(self) -> Frontier | None:
        """Dollars against quality, if there are three variants or more, the cascade among them."""
        decisions = {pair.candidate: pair.decision for pair in self.pairs}
        return frontier(self.runs, self.variants, decisions, self.cascade, self.failing)

    @property
    def failing(self) -> frozenset[str]:
        """The labels of variants of whose calls too many failed."""
        reasons = [reason for pair in self.pairs for reason in pair.decision.reasons]
        return frozenset(reason.prompt for reason in reasons if isinstance(reason, TooManyFailed))

    @property
    def labelled(self) -> bool:
        """Whether each verdict rests on labels of people."""
        reasons = [
            reason for pair in self.pairs for reason in pair.decision.reasons if isinstance(reason, QualityReason)
        ]
        return bool(reasons) and all(reason.evidence.labels for reason in reasons)

    @property
    def regressed(self) -> bool:
        """Whether any candidate regressed, or the baseline dominates it: a gate fails then."""
        return any(pair.decision.verdict == "regressed" for pair in self.pairs) or any(map(self._is_lost, self.runs))

    def _is_lost(self, run: Run) -> bool:
        return run.stopped is not None and run.stopped.lead is not None and run.stopped.lead.by == 0

    @property
    def incomplete(self) -> bool:
        """Whether so many calls failed that nothing is known of a candidate."""
        return any(pair.decision.verdict == "incomplete" for pair in self.pairs)

    @property
    def footer(self) -> tuple[str, ...]:
        """Lines that say who answered, when, how tokens were counted and at which prices."""
        cases = self.suite.cases
        without = sum(not case.all_asserts for case in cases)
        said = (
            [f"{without:,} of {len(cases):,} cases have no assert: they say nothing about quality"] if without else []
        )
        if again := asked_again(self.kept):
            said.append(f"{again:,} of {len(cases):,} cases ask the same as another one, and are one case with it")
        unsent = {
            f"{', '.join(run.variant.unsent)} of the prompt is not sent to {run.variant.model}, which refuses it": None
            for run in self.runs
            if run.variant.unsent
        }
        return (
            *text.footer(self.runs, self.variants),
            *text.judge_lines(self.variants, self.judge_calls, self.judge_usd, self.labelled),
            *(f"note: {note}" for note in (*self.suite.notes, *said, *unsent)),
        )

    def __str__(self) -> str:
        """The variants, each pair with its verdict, and where it all comes from: what ``promptopt compare`` prints."""
        parts = [
            text.variants_table(self.variants, len(self.suite.cases)),
            text.judges_table(self.variants),
            "" if self.race is None else str(self.race),
            text.frontier_table(self.frontier),
            text.means_table(self.parts),
            *map(str, self.pairs),
            derived_table(self.derived),
            "\n".join(text.failures(self.runs, self.variants)),
            "\n".join(self.footer),
        ]
        return "\n\n".join(filter(None, parts)) + "\n"

    def summary_blocks(self) -> list[PageBlock]:
        """Verdicts and variants for a page: what a reader sees first."""
        from promptopt.experiment.report.summary import GivenVerdict, means_table, variants_table, verdict_blocks
        from promptopt.webpage.blocks import TextBlock

        verdicts = [GivenVerdict(p.baseline, p.candidate, p.decision.verdict, p.reasons) for p in self.pairs]
        means = means_table(self.parts)
        race = [] if self.race is None else [TextBlock(str(self.race), preformatted=True)]
        return [*verdict_blocks(verdicts), variants_table(self.variants), *([] if means is None else [means]), *race]

    def _repr_html_(self) -> str:
        """What a notebook shows: verdicts, variants and differences, without scripts."""
        from promptopt.experiment.report.summary import differences_table
        from promptopt.webpage.page import fragment_html

        tables = (differences_table(pair.differences, pair.answered, pair.cases) for pair in self.pairs)
        return fragment_html([*self.summary_blocks(), *tables])

    def to_dict(self) -> dict[str, object]:
        """The documented, versioned form that ``--json`` prints."""
        return {
            "version": FORMAT_VERSION,
            "suite": self.suite.name,
            "suite_path": show_path(self.suite.path),
            "margin": self.margin,
            "variants": [_variant_dict(variant) for variant in self.variants],
            "comparisons": [row for pair in self.pairs for row in pair.to_rows()],
            "breakdown": [
                {
                    "baseline": pair.baseline,
                    "candidate": pair.candidate,
                    **_part_dict(part),
                    "looks": pair.looks,
                }
                for pair in self.pairs
                for part in pair.parts
            ],
            "frontier": _frontier_dict(self.frontier),
            "cascade": None if self.cascade is None else _cascade_dict(self.cascade, self.margin),
            "race": None if self.race is None else self.race.to_dict(),
            "parts": [
                {"prompt": self.variants[0].prompt, "by": part.by, "name": part.name, "cases": part.cases}
                | {key: _rounded(getattr(part, key)) for key in ("quality", "low", "high")}
                for part in self.parts
            ],
            "derived_metrics": [asdict(each) | {"value": _rounded(each.value)} for each in self.derived],
            "provenance": text.provenance(self.runs, self.variants),
            "errors": [
                {"prompt": run.variant.label, "case": trial.case, "repetition": trial.sample, "error": trial.error}
                for run in self.runs
                for trial in run.failed
            ],
            "scorer_errors": [
                {
                    "prompt": run.variant.label,
                    "case": trial.case,
                    "repetition": trial.sample,
                    "assert": score.name,
                    "error": score.explanation,
                }
                for run in self.runs
                for trial in run.answered
                for score in trial.score.scores
                if score.broken
            ],
            "judging": {"calls": self.judge_calls, "incurred_usd": _rounded(self.judge_usd)},
            "judgements": [
                _judgement_dict(run.variant.label, trial, score, score.judged)
                for run in self.runs
                for trial in run.answered
                for score in trial.score.scores
                if score.judged is not None
            ],
        }


def _variant_dict(variant: VariantSummary) -> dict[str, Any]:
    """A row of ``variants`` in the JSON form."""
    return {
        "prompt": variant.prompt,
        "path": variant.path,
        "model": variant.model,
        "settings": dict(variant.settings),
        "priced_as": variant.priced_as,
        "cases": variant.cases,
        "trials": variant.trials,
        "errors": variant.errors,
        "cut_off": variant.cut_off,
        "filtered": variant.filtered,
        "refused": variant.refused,
        "empty": variant.empty,
        "pass_rate": _rounded(variant.pass_rate),
        "quality": _rounded(variant.quality),
        "input_tokens": _rounded(variant.input_tokens),
        "cached_tokens": _rounded(variant.cached_tokens),
        "output_tokens": _rounded(variant.output_tokens),
        "reasoning_tokens": _rounded(variant.reasoning_tokens),
        "reasoning_usd_per_1k_calls": _rounded(variant.reasoning_usd_per_1k_calls),
        "tokens_basis": list(variant.basis),
        "measured_input_tokens": _rounded(variant.measured_input_tokens),
        "counted_input_tokens": _rounded(variant.counted_input_tokens),
        "usd_per_1k_calls": _rounded(variant.usd_per_1k_calls),
        "warm_cached_tokens": _rounded(variant.warm_cached_tokens),
        "warm_usd_per_1k_calls": _rounded(variant.warm_usd_per_1k_calls),
        "usd_per_pass": _rounded(variant.usd_per_pass),
        "conversation": variant.conversation
        and {name: _rounded(value) for name, value in asdict(variant.conversation).items()},
        "incurred_usd": _rounded(variant.incurred_usd),
        "latency_ms": _rounded(variant.latency_ms),
        "latency_p95_ms": _rounded(variant.latency_p95_ms),
        "timed": variant.timed,
        "repeated": variant.repeated,
        "same_answer": _rounded(variant.same_answer),
        "same_result": _rounded(variant.same_result),
        "scorer_errors": variant.scorer_errors,
        "judges": list(variant.judges),
        "judge_calls": variant.judge_calls,
        "judge_usd_per_1k_calls": _rounded(variant.judge_usd_per_1k_calls),
        "replayed": variant.replayed,
        "recorded": list(variant.recorded) if variant.recorded else None,
    }


def _labels_dict(decision: Decision) -> dict[str, Any]:
    """What the row of quality says of labels; nothing if it does not rest on any."""
    found = next((reason.evidence for reason in decision.reasons if isinstance(reason, QualityReason)), None)
    if found is None or not found.labels:
        return {}
    share = _rounded(found.judges_share)
    return {"labels": found.labels, "judged_difference": _rounded(found.judged), "judges_share": share}


def _judgement_dict(prompt: str, trial: Answered, score: Score, judged: Judged) -> dict[str, Any]:
    """A row of ``judgements`` in the JSON form: one score that models gave."""
    return {
        "prompt": prompt,
        "case": trial.case,
        "repetition": trial.sample,
        "assert": score.name,
        "judge": judged.model,
        "passed": None if score.broken else score.passed,
        "score": None if score.broken else _rounded(score.value),
        "votes": [_rounded(vote) for vote in judged.votes],
        "passes": judged.passes,
        "escalated": judged.escalated,
        "reason": judged.reason or score.explanation,
        "error": score.explanation if score.broken else None,
        "calls": judged.calls,
        "usd": None if judged.cost is None else _rounded(float(judged.cost.total_usd)),
    }


def _frontier_dict(found: Frontier | None) -> dict[str, Any] | None:
    if found is None:
        return None
    rounded = ("usd_per_1k_calls", "quality", "low", "high")
    points = [
        {"prompt": point.label}
        | {name: getattr(point, name) for name in ("on_front", "dropped", "incomplete")}
        | {name: _rounded(getattr(point, name)) for name in rounded}
        for point in found.points
    ]
    return {
        "baseline": found.baseline,
        "cheapest_not_worse": found.cheapest,
        "saved_share": _rounded(found.saved_share),
        "points": points,
    }


def _cascade_dict(found: CascadeOutcome, margin: float) -> dict[str, Any]:
    # numpy is loaded for differences only: before the vocabulary it would add to what that takes for a moment.
    import numpy as np

    from promptopt.experiment.bounds import lower_bound
    from promptopt.experiment.evidence import quality_p_values

    changes = np.array(found.changes)
    low = lower_bound(changes, -1.0, _LEVEL) if len(changes) else None
    return {
        "prompt": found.label,
        "models": list(found.models),
        "steps": list(found.steps),
        "asked": [_rounded(share) for share in found.asked],
        "escalated": _rounded(found.escalated),
        "usd_per_1k_calls": _rounded(found.usd_per_1k_calls),
        "quality_change": _rounded(float(changes.mean())) if len(changes) else None,
        "quality_low": _rounded(low),
        # The test of a verdict, which knows that answers pass or fail.
        "not_worse": bool(len(changes)) and quality_p_values(changes, margin / 100)["loss"] < _LEVEL,
    }


def _difference_dict(difference: Difference) -> dict[str, Any]:
    """What a row of ``comparisons`` in the JSON form says of one metric."""
    measured = ("difference", "low", "high", "p_value")
    return {"metric": difference.metric, **{key: _rounded(getattr(difference, key)) for key in measured}}


def _part_dict(part: PartQuality) -> dict[str, Any]:
    """What a row of ``breakdown`` in the JSON form says of one part."""
    return {
        "by": part.by,
        "name": part.name,
        "cases": part.evidence.cases,
        "baseline_quality": _rounded(part.baseline),
        "candidate_quality": _rounded(part.candidate),
        "better": part.evidence.better,
        "worse": part.evidence.worse,
        **{key: value for key, value in _difference_dict(part.difference).items() if key != "metric"},
        "shown": "unjudged" if part.baseline is None else part.quality,
    }


def _rounded(value: float | None) -> float | None:
    """Without the last bits, which differ from machine to machine, and never ``-0.0``."""
    return None if value is None else round(value, _DIGITS) + 0.0
