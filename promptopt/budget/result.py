"""What the gate found, as values that can be sent between processes as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from promptopt.errors import InputError, PromptoptError

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
    # A limit that this branch has made looser.
    "loosened",
    # What the cases do not show: an older version that was edited, lines that no case prints.
    "edited",
    "unreached",
    # Nothing was compared: input cannot be used, the prompt has no suite, or its check did not run.
    "unusable",
    "unguarded",
    "unchecked",
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
        """``reviews [refund]``, or ``reviews``, in one line."""
        return one_line(f"{self.prompt} [{self.case}]" if self.case else self.prompt)

    def headline(self, finding: BudgetFinding) -> str:
        """A finding in one line, after what it is about."""
        return f"{self.label}: {finding.summary}" if self.label else finding.summary

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


@dataclass(frozen=True, slots=True)
class TestPlace:
    """The test that checks a built prompt.

    Attributes:
        id: ``tests/test_chat.py::test_chat[ann]``, from the project's root, wherever pytest is run.
        argument: What selects it on the command line of this run.
    """

    # pytest would take the name for that of a class with tests.
    __test__ = False

    id: str
    argument: str


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


def unusable(prompt: str, error: PromptoptError) -> Result:
    """The result for a prompt that could not be checked, because input cannot be used."""
    summary, *details = str(error).splitlines() or [""]
    path, line = "", 0
    if isinstance(error, InputError) and error.path is not None:
        path, line = str(error.path), error.line or 1
    finding = BudgetFinding("unusable", "error", "", summary, tuple(text.strip() for text in details), path, line)
    return Result(prompt, "", (finding,))


def cannot_be_used(results: Sequence[Result]) -> bool:
    """Whether input could not be used, so that the run has no verdict."""
    return any(finding.kind == "unusable" for result in results for finding in result.findings)


def error_lines(results: Sequence[Result]) -> list[str]:
    """What cannot be used, as it is printed."""
    return [
        one_line(line)
        for result in results
        for finding in result.findings
        if finding.kind == "unusable"
        for line in (finding.summary, *(f"  {detail}" for detail in finding.details))
    ]


def one_line(text: str) -> str:
    """A text that somebody else wrote, as part of one line: names of cases and files are data.

    Control characters and line ends of all kinds are shown as escapes. ``##[`` is broken up: GitHub reads it as the
    start of a command wherever it is in a line.
    """
    shown = "".join(_escaped(char) for char in text) if not text.isprintable() else text
    return shown.replace("##[", "##\\[")


def _escaped(char: str) -> str:
    # Format characters (Cf) join emoji and set the direction of scripts, which can hide what a line says.
    if char.isprintable() or char in "\u200c\u200d\xa0\u3000":
        return char
    return char.encode("unicode_escape").decode("ascii")


def finding_lines(label: str, finding: BudgetFinding) -> Sequence[str]:
    """A finding as it is printed: its severity, what it is about, and its details, each in one line."""
    word = {"error": "FAIL", "warn": "WARN", "note": "NOTE"}[finding.level]
    head = f"{word} {label}  " if label else f"{word} "
    return [f"{head}{one_line(finding.summary)}", *(f"     {one_line(line)}" for line in finding.details)]
