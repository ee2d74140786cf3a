"""Findings in the formats of other tools: SARIF 2.1.0 for code scanning, and GitLab's code quality."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from promptopt import __version__
from promptopt.budget.result import BudgetFinding, Result
from promptopt.files import replace_file, run_git
from promptopt.values import canonical_json, sha256_hex

# https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html
_SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_SARIF_LEVELS = {"error": "error", "warn": "warning", "note": "note"}
# https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
_GITLAB_SEVERITIES = {"error": "major", "warn": "minor", "note": "info"}
_RULES = {
    "regressed": "A prompt costs more than its lock and limit allow.",
    "cap": "A prompt is beyond a cap or floor.",
    "new": "A case is not locked yet.",
    "removed": "The lock has a case that the suite does not have.",
    "renamed": "The lock has the old name of a case.",
    "changed": "A case has other variables than when it was locked.",
    "incomparable": "A prompt cannot be compared with its lock.",
    "stale": "A recorded answer is of an earlier prompt.",
    "missing": "A recorded answer that was locked is missing.",
    "quality": "Recorded answers are worse than the locked ones.",
    "drift": "Accepted raises add up to more than the limit of a drift.",
    "loosened": "A limit is looser than on the base.",
    "edited": "An older version of a prompt was edited; the newest one is measured.",
    "unreached": "No case prints these lines, so that their growth is not measured.",
    "unusable": "Input cannot be used, so that nothing was compared.",
    "unguarded": "Nothing guards a prompt.",
    "unchecked": "A guarded prompt was not checked.",
    "cause": "Something but the prompt changed its cost.",
}


def write_sarif(path: Path, results: Sequence[Result]) -> list[str]:
    """Write a SARIF log. Raises InputError if the disk does not take it. Returns no lines to print."""
    root = _repository()
    found = list(_located(results, root))
    kinds = sorted({finding.kind for _, finding, _, _ in found})
    rules = [
        {"id": kind, "shortDescription": {"text": _RULES.get(kind, kind)}, "name": f"PromptBudget{kind.capitalize()}"}
        for kind in kinds
    ]
    entries = [
        {
            "ruleId": finding.kind,
            "ruleIndex": kinds.index(finding.kind),
            "level": _SARIF_LEVELS[finding.level],
            "message": {"text": "\n".join((result.headline(finding), *finding.details))},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": file_uri(file), "uriBaseId": "%SRCROOT%"},
                        "region": {"startLine": line},
                    }
                }
            ],
            "partialFingerprints": {"promptBudget/v1": _fingerprint(result, finding)},
        }
        for result, finding, file, line in found
    ]
    driver = {"name": "promptopt budget", "version": __version__, "rules": rules}
    log = {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": entries}]}
    replace_file(path, json.dumps(log, indent=1, ensure_ascii=False) + "\n")
    return []


def write_code_quality(path: Path, results: Sequence[Result]) -> list[str]:
    """Write a report for GitLab. Raises InputError if the disk does not take it. Returns no lines to print."""
    entries = [
        {
            "description": result.headline(finding),
            "check_name": f"prompt-budget-{finding.kind}",
            "fingerprint": _fingerprint(result, finding),
            "severity": _GITLAB_SEVERITIES[finding.level],
            "location": {"path": file, "lines": {"begin": line}},
        }
        for result, finding, file, line in _located(results, _repository())
    ]
    replace_file(path, json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    return []


def _repository() -> Path:
    """The root of the repository, which both formats take paths from; the current folder outside of one."""
    here = Path.cwd()
    try:
        top = run_git(here, "rev-parse", "--show-toplevel")
    except FileNotFoundError:
        top = None
    return here if top is None else Path(top.decode("utf-8", "surrogateescape").rstrip("\n"))


def _located(results: Sequence[Result], root: Path) -> Iterator[tuple[Result, BudgetFinding, str, int]]:
    """Each finding with its file, from the root, and its line; both formats need a file: pyproject.toml if none."""
    for result in results:
        for finding in result.findings:
            file = (Path.cwd() / (finding.path or "pyproject.toml")).resolve()
            shown = file.relative_to(root) if file.is_relative_to(root) else file
            yield result, finding, shown.as_posix(), max(1, finding.line)


def file_uri(path: str) -> str:
    """A path as SARIF wants it."""
    from urllib.parse import quote

    return quote(path)


def _fingerprint(result: Result, finding: BudgetFinding) -> str:
    """The same finding has the same one in the next run, whatever its numbers are."""
    # Of two limits of one metric, each is a finding of its own.
    limit = [finding.summary] if finding.kind == "loosened" else []
    return sha256_hex(canonical_json([result.prompt, result.case, finding.kind, finding.metric, *limit]))[:32]
