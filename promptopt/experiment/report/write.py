"""A comparison as a file: JSON, Markdown, CSV, HTML, or JUnit XML, by the file's ending."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from promptopt.errors import UsageError
from promptopt.experiment.comparison import Comparison, Pair
from promptopt.experiment.runs import Answered, Failed, Run, Trial
from promptopt.experiment.stopped import Stopped
from promptopt.experiment.text import trial_name
from promptopt.files import replace_file

# The characters of XML 1.0, and no others.
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


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


def comparison_json(comparison: Comparison) -> str:
    """The documented, versioned JSON, indented. Half of a surrogate pair, which no encoding has, stays an escape."""
    text = json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def _markdown(comparison: Comparison) -> str:
    """The terminal's text in a code block, below a line with the verdicts: it reads the same everywhere."""
    verdicts = "; ".join(
        f"`{pair.candidate}` against `{pair.baseline}`: **{pair.decision.verdict}**" for pair in comparison.pairs
    )
    heading = f"# {comparison.suite.name}\n\n{verdicts}\n\n" if verdicts else f"# {comparison.suite.name}\n\n"
    text = str(comparison)
    # A fence that is longer than any in the text, which names cases and errors.
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 0)
    return f"{heading}{fence}text\n{text}{fence}\n"


def _csv(comparison: Comparison) -> str:
    """One row for each trial."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        [
            *("prompt", "case", "repetition", "model", "passed", "quality", "answer", "text", "finish_reason"),
            *(
                "input_tokens",
                "cached_tokens",
                "output_tokens",
                "tokens_basis",
                "usd",
                "replayed",
                "error",
                "tool_calls",
                "reasoning_tokens",
                "turns",
            ),
        ]
    )
    writer.writerows(_csv_row(run.variant.label, trial) for run in comparison.runs for trial in run.trials)
    return stream.getvalue()


def _csv_row(label: str, trial: Trial) -> list[object]:
    if isinstance(trial, Failed):
        # Neither passed nor failed: a spreadsheet's mean of the column is that of the answers.
        return [label, trial.case, trial.sample, *[""] * 3, *[None] * 3, *[""] * 5, False, trial.error, "", "", ""]
    response, usage, cost = trial.response, trial.usage, trial.cost
    judged = (trial.passed, trial.quality) if trial.score.scores else ("", "")
    return [
        *(label, trial.case, trial.sample, response.model, *judged),
        *(trial.score.answer, response.text, response.finish_reason),
        *(usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, trial.measured.basis),
        *(f"{cost.total_usd:f}" if cost else "", trial.replayed, "", " ".join(map(str, response.tool_calls))),
        usage.output_reasoning_tokens,
        # All answers of a conversation; `text` is the last one.
        json.dumps([{"user": said, "answer": each.output} for said, each in trial.turns], ensure_ascii=False)
        if trial.turns
        else "",
    ]


def _junit(comparison: Comparison) -> str:
    """A test suite for each variant, a test case for each trial, and one for each verdict."""
    root = ET.Element("testsuites", name="promptopt compare")
    for number, run in enumerate(comparison.runs):
        label = _xml(run.variant.label)
        if any(run.variant.label == other.variant.label for other in comparison.runs[:number]):
            label = f"{label} ({number + 1})"
        cases = [_junit_trial(label, trial) for trial in run.trials]
        _suite(root, label, cases)
    dropped = [_junit_dropped(run, stopped) for run in comparison.runs if (stopped := run.stopped) and stopped.lead]
    _suite(root, "verdicts", [*(_junit_verdict(pair) for pair in comparison.pairs), *dropped])
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _junit_trial(label: str, trial: Trial) -> ET.Element:
    case = ET.Element("testcase", classname=label, name=_xml(trial_name(trial)))
    if isinstance(trial, Failed):
        ET.SubElement(case, "error", message=_xml(trial.error))
        return case
    if trial.response.duration_s is not None:
        case.set("time", f"{trial.response.duration_s:.3f}")
    if not trial.passed:
        ET.SubElement(case, "failure", message=_xml(_unmet(trial)))
    return case


def _junit_verdict(pair: Pair) -> ET.Element:
    """A regression is a failure, an incomplete comparison an error; the output is what the terminal shows."""
    name = _xml(f"{pair.candidate} against {pair.baseline}")
    case = ET.Element("testcase", classname="verdicts", name=name)
    kind = {"regressed": "failure", "incomplete": "error"}.get(pair.decision.verdict)
    if kind:
        ET.SubElement(case, kind, message=_xml("; ".join(pair.reasons)))
    ET.SubElement(case, "system-out").text = _xml(str(pair))
    return case


def _junit_dropped(run: Run, stopped: Stopped) -> ET.Element:
    """A variant that a race dropped: a failure if the baseline dominates it."""
    case = ET.Element("testcase", classname="verdicts", name=_xml(f"{run.variant.label} in the race"))
    said = _xml(f"asked of {stopped.asked:,} of {stopped.cases:,} cases; {stopped.by} dominates it")
    if stopped.lead and stopped.lead.by == 0:
        ET.SubElement(case, "failure", message=said)
    ET.SubElement(case, "system-out").text = said
    return case


def _unmet(trial: Answered) -> str:
    return "; ".join(score.explanation for score in trial.score.scores if not score.passed)


def _suite(root: ET.Element, name: str, cases: Sequence[ET.Element]) -> None:
    counts = {kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error")}
    counted = {"tests": len(cases), "failures": counts["failure"], "errors": counts["error"]}
    suite = ET.SubElement(root, "testsuite", {"name": name, **{key: str(value) for key, value in counted.items()}})
    suite.extend(cases)


def _xml(text: str) -> str:
    """Text in which characters that XML does not allow are written as Python escapes them, ``\\x00``."""
    return _NOT_XML.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def _html(comparison: Comparison) -> str:
    # Its page and its plots are a good deal of code, which no other file needs.
    from promptopt.experiment.report.html import comparison_html

    return comparison_html(comparison)


_WRITERS: dict[str, Callable[[Comparison], str]] = {
    ".json": comparison_json,
    ".md": _markdown,
    ".csv": _csv,
    ".html": _html,
    ".xml": _junit,
}
