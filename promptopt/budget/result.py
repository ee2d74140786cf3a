"""What the gate found, as values that travel between processes as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal[
    "regressed", "cap", "new", "removed", "renamed", "changed", "incomparable", "stale", "missing", "quality", "cause"
]
FindingLevel = Literal["error", "warn", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about a case, a prompt or a group.

    Attributes:
        metric: Which metric it is about; empty for none.
        summary: One line: what, by how much, which limit.
        details: Further lines: which template lines, which part is this branch's, what it costs, what to do.
        path: The file to look at, with its line.
    """

    kind: Kind
    level: FindingLevel
    metric: str
    summary: str
    details: tuple[str, ...] = ()
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What was found of one case (or, with an empty case, of a whole prompt or group).

    Attributes:
        numbers: Locked and present values by metric, ``(locked, now)``; ``None`` where one is not known. Tokens are
            whole numbers, dollars are texts.
    """

    prompt: str
    case: str
    findings: tuple[Finding, ...] = ()
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
        """All findings as a person reads them."""
        return "\n".join(line for finding in self.findings for line in finding_lines(self.label, finding))

    def to_dict(self) -> dict[str, Any]:
        """Plain data; see :func:`result_from`."""
        # asdict copies deeply; most of thousands of results have no finding at all.
        findings = [{**asdict(finding), "details": list(finding.details)} for finding in self.findings]
        numbers = {metric: list(pair) for metric, pair in self.numbers.items()}
        return {"prompt": self.prompt, "case": self.case, "findings": findings, "numbers": numbers}


def result_from(data: dict[str, Any]) -> Result:
    """The result that :meth:`Result.to_dict` gave."""
    findings = tuple(Finding(**{**entry, "details": tuple(entry["details"])}) for entry in data["findings"])
    numbers = {metric: (pair[0], pair[1]) for metric, pair in data["numbers"].items()}
    return Result(data["prompt"], data["case"], findings, numbers)


def summed(results: Sequence[Result]) -> dict[str, tuple[int, int]]:
    """Tokens of all cases together, locked and present; each metric over the cases that have both."""
    sums: dict[str, tuple[int, int]] = {}
    for result in results:
        for metric, (locked, now) in result.numbers.items():
            if result.case and isinstance(locked, int) and isinstance(now, int):
                old, new = sums.get(metric, (0, 0))
                sums[metric] = (old + locked, new + now)
    return sums


def finding_lines(label: str, finding: Finding) -> Sequence[str]:
    """A finding with its label and its level."""
    word = {"error": "FAIL", "warn": "WARN", "note": "NOTE"}[finding.level]
    return [f"{word} {label}  {finding.summary}", *(f"     {line}" for line in finding.details)]
