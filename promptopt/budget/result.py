"""What the gate found, as values that can be sent between processes as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

BudgetFindingKind = Literal[
    "regressed",
    "cap",
    "new",
    "removed",
    "renamed",
    "changed",
    "incomparable",
    "stale",
    "missing",
    "quality",
    "cause",
    "drift",
]
Severity = Literal["error", "warn", "note"]


@dataclass(frozen=True, slots=True)
class BudgetFinding:
    """One message about a case, a prompt or a group.

    Attributes:
        metric: The metric it is about; empty for none.
        summary: One line: what, by how much, which limit.
        details: Further lines: which template lines, how much is this branch's, what it costs, what to do.
        path: The file to look at.
        line: The line in it; 0: none in particular.
    """

    kind: BudgetFindingKind
    level: Severity
    metric: str
    summary: str
    details: tuple[str, ...] = ()
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What was found about one case; with an empty ``case``, about a whole prompt or group.

    Attributes:
        numbers: Values by metric, ``(locked, today's)``; ``None`` if unknown. Tokens are integers, dollars are strings.
    """

    prompt: str
    case: str
    findings: tuple[BudgetFinding, ...] = ()
    numbers: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """``reviews [refund]``, or ``reviews``."""
        return f"{self.prompt} [{self.case}]" if self.case else self.prompt

    @property
    def failed(self) -> bool:
        return any(finding.level == "error" for finding in self.findings)

    @property
    def text(self) -> str:
        """All findings, as they are printed."""
        return "\n".join(line for finding in self.findings for line in finding_lines(self.label, finding))

    def to_dict(self) -> dict[str, Any]:
        """Plain data; see :func:`result_from`."""
        # asdict makes deep copies and is slow; most of thousands of results have no finding.
        findings = [{**asdict(finding), "details": list(finding.details)} for finding in self.findings]
        numbers = {metric: list(pair) for metric, pair in self.numbers.items()}
        return {"prompt": self.prompt, "case": self.case, "findings": findings, "numbers": numbers}


def result_from(data: dict[str, Any]) -> Result:
    """The inverse of :meth:`Result.to_dict`."""
    findings = tuple(BudgetFinding(**{**entry, "details": tuple(entry["details"])}) for entry in data["findings"])
    numbers = {metric: (pair[0], pair[1]) for metric, pair in data["numbers"].items()}
    return Result(data["prompt"], data["case"], findings, numbers)


def summed(results: Sequence[Result]) -> dict[str, tuple[int, int]]:
    """Tokens of all cases together, locked and today; each metric over the cases that have both."""
    sums: dict[str, tuple[int, int]] = {}
    for result in results:
        for metric, (locked, now) in result.numbers.items():
            if result.case and isinstance(locked, int) and isinstance(now, int):
                old, new = sums.get(metric, (0, 0))
                sums[metric] = (old + locked, new + now)
    return sums


def finding_lines(label: str, finding: BudgetFinding) -> Sequence[str]:
    """A finding as it is printed: its severity, what it is about, and its details."""
    word = {"error": "FAIL", "warn": "WARN", "note": "NOTE"}[finding.level]
    return [f"{word} {label}  {finding.summary}", *(f"     {line}" for line in finding.details)]
