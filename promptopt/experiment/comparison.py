"""The result of a comparison: runs, their summaries, and a decision for each candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from promptopt.experiment import text
from promptopt.experiment.breakdown import PartQuality
from promptopt.experiment.plan import CostRange
from promptopt.experiment.runs import Run, VariantSummary
from promptopt.experiment.verdict import Decision, Difference
from promptopt.files import show_path
from promptopt.suites import Suite

FORMAT_VERSION = 2
"""Of :meth:`Comparison.to_dict`. Within a version, keys are added and never changed or removed."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate against the baseline.

    Attributes:
        differences: Paired, candidate less baseline, one for each metric.
        parts: The quality of each assert, each named metric, and the cases of each label.
        looks: How many questions of all candidates they ask beside that of the verdict.
    """

    baseline: str
    candidate: str
    differences: tuple[Difference, ...]
    decision: Decision
    parts: tuple[PartQuality, ...] = ()
    looks: int = 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of the verdict as sentences, and the parts that are worse if the whole is not."""
        reasons = map(text.reason_text, self.decision.reasons)
        return (*reasons, *text.hidden_losses(self.decision, self.parts))

    def __str__(self) -> str:
        """The verdict with its reasons, and a table of the differences."""
        heading = f"{self.candidate} against {self.baseline}: {self.decision.verdict.upper()}"
        reasons = "\n".join(f"  {reason}" for reason in self.reasons)
        tables = [text.differences_table(self.differences), text.parts_table(self.parts, self.looks)]
        return "\n\n".join([f"{heading}\n{reasons}", *filter(None, tables)])

    def to_rows(self) -> list[dict[str, Any]]:
        """A row for each difference; each carries the pair's one verdict."""
        return [
            {
                "baseline": self.baseline,
                "candidate": self.candidate,
                **text.difference_dict(difference),
                "verdict": self.decision.verdict,
                "reasons": list(self.reasons),
                "cases_needed": self.decision.cases_needed,
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

    @property
    def incomplete(self) -> bool:
        """Whether so many calls failed that nothing is known of a candidate."""
        return any(pair.decision.verdict == "incomplete" for pair in self.pairs)

    @property
    def footer(self) -> tuple[str, ...]:
        """Lines that say who answered, when, how tokens were counted and at which prices."""
        return (*text.footer(self.runs, self.variants), *(f"note: {note}" for note in self.suite.notes))

    def __str__(self) -> str:
        """The variants, each pair with its verdict, and where it all comes from: what ``promptopt compare`` prints."""
        parts = [
            text.variants_table(self.variants),
            *map(str, self.pairs),
            "\n".join(text.failures(self.runs, self.variants)),
            "\n".join(self.footer),
        ]
        return "\n\n".join(filter(None, parts)) + "\n"

    def to_dict(self) -> dict[str, object]:
        """The documented, versioned form that ``--json`` prints."""
        return {
            "version": FORMAT_VERSION,
            "suite": self.suite.name,
            "suite_path": show_path(self.suite.path),
            "margin": self.margin,
            "variants": [text.variant_dict(variant) for variant in self.variants],
            "comparisons": [row for pair in self.pairs for row in pair.to_rows()],
            "breakdown": [
                {
                    "baseline": pair.baseline,
                    "candidate": pair.candidate,
                    **text.part_dict(part),
                    "looks": pair.looks,
                }
                for pair in self.pairs
                for part in pair.parts
            ],
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
        }
