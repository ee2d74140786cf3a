"""A comparison as a file: JSON, Markdown, CSV, HTML, or JUnit XML, by the file's ending."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

from promptopt.errors import UsageError
from promptopt.experiment.comparison import Comparison
from promptopt.experiment.report.html import comparison_html
from promptopt.experiment.runs import Answered, Failed, Trial
from promptopt.files import replace_file


def check_format(path: Path) -> None:
    """Raises UsageError if no report is written with that ending."""
    if path.suffix.lower() not in _WRITERS:
        raise UsageError(f"-o {path}: unknown ending {path.suffix!r}; known are {', '.join(_WRITERS)}")


def write_report(comparison: Comparison, path: Path) -> None:
    """Write the report that the file's ending names, whole or not at all.

    Raises:
        UsageError: The ending is unknown.
        InputError: The file cannot be written.
    """
    check_format(path)
    replace_file(path, _WRITERS[path.suffix.lower()](comparison))


def _json(comparison: Comparison) -> str:
    return json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False) + "\n"


def _markdown(comparison: Comparison) -> str:
    """The terminal's text in a code block, below a line with the verdicts: it reads the same everywhere."""
    verdicts = "; ".join(
        f"`{pair.candidate}` against `{pair.baseline}`: **{pair.decision.verdict}**" for pair in comparison.pairs
    )
    heading = f"# {comparison.suite.name}\n\n{verdicts}\n\n" if verdicts else f"# {comparison.suite.name}\n\n"
    return f"{heading}```text\n{comparison}```\n"


def _csv(comparison: Comparison) -> str:
    """One row for each trial."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        [
            *("prompt", "case", "repetition", "model", "passed", "quality", "answer", "text", "finish_reason"),
            *("input_tokens", "cached_tokens", "output_tokens", "tokens_basis", "usd", "replayed", "error"),
        ]
    )
    writer.writerows(_csv_row(run.variant.label, trial) for run in comparison.runs for trial in run.trials)
    return stream.getvalue()


def _csv_row(label: str, trial: Trial) -> list[object]:
    if isinstance(trial, Failed):
        return [label, trial.case, trial.sample, "", False, 0.0, *[None] * 3, *[""] * 5, False, trial.error]
    response, usage, cost = trial.response, trial.usage, trial.cost
    return [
        *(label, trial.case, trial.sample, response.model, trial.passed, trial.quality),
        *(trial.score.answer, response.text, response.finish_reason),
        *(usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, trial.measured.basis),
        *(f"{cost.total_usd:f}" if cost else "", trial.replayed, ""),
    ]


def _junit(comparison: Comparison) -> str:
    """A test suite for each variant, a test case for each trial, and one for each verdict."""
    root = ET.Element("testsuites", name="promptopt compare")
    for run in comparison.runs:
        label, errors = run.variant.label, len(run.failed)
        failures = sum(not trial.passed for trial in run.answered)
        suite = _suite(root, label, len(run.trials), failures, errors)
        for trial in run.trials:
            case = ET.SubElement(suite, "testcase", classname=label, name=trial.case)
            if isinstance(trial, Failed):
                ET.SubElement(case, "error", message=_xml(trial.error))
            elif not trial.passed:
                ET.SubElement(case, "failure", message=_xml(_unmet(trial)))
    verdicts = _suite(root, "verdicts", len(comparison.pairs), int(comparison.regressed), 0)
    for pair in comparison.pairs:
        name = f"{pair.candidate} against {pair.baseline}"
        case = ET.SubElement(verdicts, "testcase", classname="verdicts", name=name)
        if pair.decision.verdict == "regressed":
            ET.SubElement(case, "failure", message="; ".join(pair.reasons))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _unmet(trial: Answered) -> str:
    return "; ".join(score.explanation for score in trial.score.scores if not score.passed)


def _suite(root: ET.Element, name: str, tests: int, failures: int, errors: int) -> ET.Element:
    return ET.SubElement(root, "testsuite", name=name, tests=str(tests), failures=str(failures), errors=str(errors))


def _xml(text: str) -> str:
    """Text without the control characters that XML does not allow."""
    return "".join(
        char if char in "\t\n\r" or " " <= char <= "\ud7ff" or char >= "\ue000" else "\ufffd" for char in text
    )


_WRITERS: dict[str, Callable[[Comparison], str]] = {
    ".json": _json,
    ".md": _markdown,
    ".csv": _csv,
    ".html": comparison_html,
    ".xml": _junit,
}
