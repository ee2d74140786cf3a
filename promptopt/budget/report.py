"""Reports of a gate run: for the terminal, as JSON, as Markdown, and for GitHub."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from promptopt.budget.impact import Impact
from promptopt.budget.impact_report import impact_data, impact_markdown
from promptopt.budget.machine_report import write_code_quality, write_sarif
from promptopt.budget.result import BudgetFinding, Result, finding_lines, one_line
from promptopt.errors import UsageError
from promptopt.files import replace_file, repository_path

FORMAT_VERSION = 1
# GitHub drops a whole step summary above 1 MiB, and shows ten annotations of a step.
SUMMARY_BYTES = 1024 * 1024
ANNOTATIONS = 10
# A comment may have 65,536 characters.
COMMENT_CHARACTERS = 65_000
MARKER = "<!-- promptopt budget -->"
# Of similar findings the first is printed in full, so many more failures with one line each, and the rest as a number.
_NAMED = 8
_LEVELS = ("error", "warn", "note")


def count_line(results: Sequence[Result]) -> str:
    """``12 ok · 1 failed · 1 stale · 0 new · 0 removed``."""
    cases = [result for result in results if result.case]
    kinds = Counter(finding.kind for result in results for finding in result.findings)
    parts = [
        f"{sum(not result.failed for result in cases)} ok",
        f"{sum(result.failed for result in results)} failed",
        *(f"{kinds[kind]} {kind}" for kind in ("stale", "new", "removed")),
    ]
    parts.extend(f"{kinds[kind]} {kind}" for kind in ("renamed", "missing", "changed") if kinds[kind])
    return " · ".join(parts)


def guard_line(results: Sequence[Result]) -> str:
    """``guarded 12, not guarded 1 (prompts/x: no suite)``, and what was not checked, if there is any."""
    guarded = len({result.prompt for result in results if result.case})
    line = f"guarded {guarded}, not guarded {_why(results, 'unguarded')}"
    unchecked = _why(results, "unchecked")
    return line if unchecked == "0" else f"{line}, not checked {unchecked}"


def _why(results: Sequence[Result], kind: str) -> str:
    """How many prompts have a finding of a kind, and the first of them with the reason."""
    found = [
        f"{result.label}: {one_line(finding.summary)}"
        for result in results
        for finding in result.findings
        if finding.kind == kind
    ]
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{len(found)} ({'; '.join(found[:_NAMED])}{more})" if found else "0"


def summary_lines(results: Sequence[Result], *, failures: bool) -> Iterator[str]:
    """Warnings and notes, failures if ``failures`` is set (pytest prints them itself), and the counts."""
    for group in similar(results):
        if group[0][1].level != "error":
            yield from group_lines(group)
    if failures:
        yield from failure_lines(results)
    yield count_line(results)
    yield guard_line(results)


def failure_lines(results: Sequence[Result]) -> Iterator[str]:
    """The failures, similar ones together."""
    for group in similar(results):
        if group[0][1].level == "error":
            yield from group_lines(group)


Group = list[tuple[Result, BudgetFinding]]
"""Similar findings with the results that they are in, the largest change first."""


def similar(results: Sequence[Result]) -> list[Group]:
    """All findings in groups of similar ones, errors first, otherwise in the order of the prompts.

    Similar are those of one severity, prompt, kind and metric; growth must be caused by the same line too.
    """
    groups: dict[tuple[object, ...], Group] = {}
    for result in results:
        for finding in result.findings:
            if finding.kind in ("unguarded", "unchecked") and finding.level == "note":
                # They are in one line of the summary.
                continue
            place = (finding.path, finding.line) if finding.kind in ("regressed", "cap") else ()
            if finding.kind == "loosened":
                # Each limit is one line.
                place = (finding.summary, 0)
            key = finding.level, result.prompt, finding.kind, finding.metric, place
            groups.setdefault(key, []).append((result, finding))
    for group in groups.values():
        group.sort(key=_change, reverse=True)
    return sorted(groups.values(), key=lambda group: _LEVELS.index(group[0][1].level))


def _change(pair: tuple[Result, BudgetFinding]) -> float:
    """How much the metric of a finding changed."""
    locked, now = pair[0].numbers.get(pair[1].metric, (None, None))
    return 0.0 if locked is None or now is None else abs(float(now) - float(locked))


def group_lines(group: Group) -> Iterator[str]:
    """A group as it is printed."""
    (result, finding), *others = group
    yield from finding_lines(result.label, finding)
    named = _NAMED if finding.level == "error" else 0
    for other in others[:named]:
        yield finding_lines(other[0].label, other[1])[0]
    if len(others) > named:
        yield f"     {_more(group, len(others) - named)}"


def _more(group: Group, count: int) -> str:
    """``and 138 more cases of reviews: regressed (input)``."""
    result, finding = group[0]
    metric = f" ({finding.metric})" if finding.metric else ""
    return f"and {count} more case{'s' * (count != 1)} of {result.prompt}: {finding.kind}{metric}"


def parse_report(text: str) -> tuple[str, Path]:
    """``KIND:PATH``, of the kinds ``json``, ``md``, ``html``, ``github``, ``sarif`` and ``gitlab``.

    Raises:
        UsageError: It is not one of these.
    """
    kind, colon, path = text.partition(":")
    if not colon or kind not in _WRITERS or not path:
        kinds = [f"{known}:PATH" for known in _WRITERS]
        raise UsageError(f"report {text!r}: write {', '.join(kinds[:-1])} or {kinds[-1]}")
    return kind, Path(path)


def write_report(kind: str, path: Path, results: Sequence[Result], impact: Impact | None = None) -> list[str]:
    """Write a report.

    Args:
        impact: What the branch changes in the bill; ``None``: unknown.

    Returns:
        Lines to print, which GitHub turns into annotations.

    Raises:
        InputError: The file cannot be written.
    """
    return _WRITERS[kind](path, results, impact)


def _json(path: Path, results: Sequence[Result], impact: Impact | None) -> list[str]:
    cases = [result for result in results if result.case]
    data = {
        "version": FORMAT_VERSION,
        "passed": not any(result.failed for result in results),
        "guarded": len({result.prompt for result in cases}),
        "cases": len(cases),
        "failed": sum(result.failed for result in results),
        "impact": None if impact is None else impact_data(impact),
        "results": [_plain(result) for result in results],
    }
    replace_file(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    return []


def _plain(result: Result) -> dict[str, object]:
    numbers = {metric: {"locked": pair[0], "now": pair[1]} for metric, pair in result.numbers.items()}
    data = result.to_dict()
    return {
        "prompt": result.prompt,
        "case": result.case or None,
        "failed": result.failed,
        "findings": data["findings"],
        "metrics": numbers,
    }


def markdown(results: Sequence[Result], limit: int, impact: Impact | None = None) -> str:
    """The impact and the findings as Markdown, at most ``limit`` bytes; if some are left out, the last line says so."""
    failed = any(result.failed for result in results)
    verdict = "failed" if failed else "passed"
    head = f"{MARKER}\n### Prompt budget: {verdict}\n\n{count_line(results)}\n\n{_code(guard_line(results))}\n"
    if impact is not None and len((head + (table := impact_markdown(impact))).encode()) <= limit:
        head += table
    parts = [head]
    size = len(head.encode())
    groups = similar(results)
    for number, group in enumerate(groups):
        lines = list(group_lines(group))
        block = _fenced("\n".join(lines))
        if group[0][1].level != "error":
            block = f"\n<details><summary><code>{_escaped(lines[0])}</code></summary>\n{block}\n</details>\n"
        more = f"\n{sum(map(len, groups[number:]))} more findings are in the log.\n"
        if size + len(block.encode()) + len(more.encode()) > limit:
            parts.append(more)
            break
        parts.append(block)
        size += len(block.encode())
    return "".join(parts)


def _fenced(text: str) -> str:
    """A block of code that nothing in the text ends."""
    fence = "`" * max(3, 1 + _backticks(text))
    return f"\n{fence}text\n{text}\n{fence}\n"


def _code(line: str) -> str:
    """A line as code, in which nobody is mentioned and nothing is a link."""
    quotes = "`" * (1 + _backticks(line))
    return f"{quotes} {line} {quotes}"


def _backticks(text: str) -> int:
    """The longest row of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _md(path: Path, results: Sequence[Result], impact: Impact | None) -> list[str]:
    replace_file(path, markdown(results, SUMMARY_BYTES, impact))
    return []


def _html(path: Path, results: Sequence[Result], impact: Impact | None) -> list[str]:
    from promptopt.budget.html_report import budget_page
    from promptopt.webpage.page import write_page

    write_page(budget_page(results, impact, [count_line(results), guard_line(results)]), path)
    return []


def _github(path: Path, results: Sequence[Result], impact: Impact | None) -> list[str]:
    """Write the step summary, the step's outputs, and the comment's body to ``path``; return the annotations to print.

    If nothing failed and nothing changed, and no limit is looser, there is nothing to comment on, and no file.
    """
    failed = any(result.failed for result in results)
    looser = any(finding.kind == "loosened" for result in results for finding in result.findings)
    comment = failed or looser or (impact is not None and bool(impact.changes))
    if comment:
        replace_file(path, markdown(results, COMMENT_CHARACTERS, impact))
    else:
        path.unlink(missing_ok=True)
    _write_outputs(
        {"passed": str(not failed).lower(), "delta_usd_month": _delta(impact), "comment": str(path) * comment}
    )
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        file = Path(summary)
        present = file.stat().st_size if file.is_file() else 0
        text = markdown(results, max(0, SUMMARY_BYTES - present - 1), impact)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(text)
    return list(workflow_commands(results))


def _delta(impact: Impact | None) -> str:
    """Dollars a month that the branch adds, as a number; ``unknown`` if they are."""
    month = None if impact is None else impact.usd_month
    return "unknown" if month is None else f"{month:.2f}"


def _write_outputs(values: Mapping[str, str]) -> None:
    """Set outputs of the step in GitHub Actions."""
    file = os.environ.get("GITHUB_OUTPUT")
    if file:
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{name}={value}\n" for name, value in values.items())


def workflow_commands(results: Sequence[Result]) -> Iterator[str]:
    """At most ten workflow commands, one for each group of similar findings; errors first."""
    groups = [group for group in similar(results) if group[0][1].level != "note"]
    shown = groups if len(groups) <= ANNOTATIONS else groups[: ANNOTATIONS - 1]
    for group in shown:
        result, finding = group[0]
        command = "error" if finding.level == "error" else "warning"
        place = (
            f"file={command_property(one_line(repository_path(finding.path)))},line={max(1, finding.line)},"
            if finding.path
            else ""
        )
        more = [_more(group, len(group) - 1)] if len(group) > 1 else []
        body = "\n".join([one_line(result.headline(finding)), *map(one_line, finding.details), *more])
        yield f"::{command} {place}title=prompt budget::{command_data(body)}"
    if len(shown) < len(groups):
        rest = sum(map(len, groups[len(shown) :]))
        yield f"::warning title=prompt budget::{rest} more findings are in the log and the summary"


def command_data(text: str) -> str:
    """A text in a workflow command of GitHub."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def command_property(text: str) -> str:
    """A value before the `::` of a workflow command, as a file's name."""
    return command_data(text).replace(":", "%3A").replace(",", "%2C")


_Writer = Callable[[Path, Sequence[Result], "Impact | None"], list[str]]
_WRITERS: dict[str, _Writer] = {
    "json": _json,
    "md": _md,
    "html": _html,
    "github": _github,
    "sarif": lambda path, results, _: write_sarif(path, results),
    "gitlab": lambda path, results, _: write_code_quality(path, results),
}
