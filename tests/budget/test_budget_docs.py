"""What docs/budget.md promises: defaults, a start by hand, and workflows that can be copied."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import commands

from promptopt.budget.report import parse_report
from promptopt.budget.settings import DEFAULTS, BudgetSettings


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "budget.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def workflow(page: str, name: str) -> Any:
    (block,) = (block for block in blocks(page, "yaml") if block.startswith(f"# .github/workflows/{name}.yml\n"))
    return yaml.safe_load(block)


def test_the_defaults_are_those_that_apply(page: str) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `((?:error|warn|off)[^`]*)` \|", page, re.MULTILINE))
    expected = {metric: f"{limit.level} {limit.text}".strip() for metric, limit in DEFAULTS.items()}
    assert BudgetSettings().drift is None
    assert rows == {**expected, "recordings": BudgetSettings().recordings, "drift": "off"}


def test_the_start_by_hand_guards_a_prompt(page: str, project: Any) -> None:
    (script,) = (block for block in blocks(page, "bash") if "promptopt budget update" in block)
    assert len(script.splitlines()) == 5
    project.git("init", "-qb", "main")
    (project.root / "pyproject.toml").unlink()
    own = f'promptopt() {{ "{sys.executable}" -m promptopt "$@"; }}\n'
    subprocess.run(["bash", "-euc", own + script], cwd=project.root, check=True, capture_output=True)
    staged = project.git("diff", "--cached", "--name-only").split()
    assert staged == ["prompts/triage.lock.toml", "prompts/triage/v1.j2", "pyproject.toml", "suites/triage.yaml"]
    assert project.run("budget", "check").returncode == 0


PROMPT = """---
model: gpt-4o-mini
max_output_tokens: 60
temperature: 0
calls_per_month: 300000
---
{% chat role="system" %}
You route support tickets.
Answer with one word: refund, parcel or other.
{% endchat %}
{% chat role="user" %}{{ ticket }}{% endchat %}
"""
SUITE = """tests:
  - {description: parcel, vars: {ticket: Where is my parcel?}}
  - {description: refund, vars: {ticket: I want my money back.}}
"""


def test_what_the_page_and_the_readme_show_is_printed(page: str, project: Any, repository: Path) -> None:
    shown = blocks(page, "text")
    (start,) = (each for each in shown if each.startswith("$ promptopt budget update"))
    (failure,) = (each for each in shown if each.startswith("FAIL"))
    (diff,) = (each for each in shown if each.startswith("$ promptopt budget diff"))
    (log,) = (each for each in shown if each.startswith("$ promptopt budget log"))

    def run(*arguments: str) -> str:
        return str(project.run("budget", *arguments, COLUMNS="120").stdout)

    def as_ann(*arguments: str) -> None:
        project.git("-c", "user.name=Ann", *arguments)

    project.git("init", "-qb", "main")
    project.write({"prompts/triage/v1.j2": PROMPT, "suites/triage.yaml": SUITE})
    assert commands(start)[0][1] == run("update")
    project.git("add", "-A")
    as_ann("commit", "-qm", "Guard the prompt")
    project.git("tag", "v1.2")
    project.git("checkout", "-qb", "kinder")
    project.write({"prompts/triage/v1.j2": PROMPT.replace("tickets.", "tickets quickly and well, thank you.")})
    assert run("check").startswith(failure)
    (readme,) = (each for each in blocks((repository / "README.md").read_text(), "text") if "FAIL" in each)
    assert readme.partition("FAIL")[2] == failure.partition("FAIL")[2].rpartition("FAIL")[0]
    run("update", "triage", "--reason", "complaints about the tone")
    as_ann("commit", "-qam", "Be kinder")
    ((_, changed),) = commands(diff)
    assert run("diff", "main") == changed
    ((_, entries),) = commands(log)
    day = r"\d{4}-\d\d-\d\d  [0-9a-f]{10}"
    assert re.sub(day, "DAY", run("log", "triage", "--since", "v1.2")) == re.sub(day, "DAY", entries)


def test_the_git_add_line_takes_nested_locks(page: str, project: Any) -> None:
    assert "$ git add 'prompts/*.lock.toml'" in page
    project.write({"prompts/a.lock.toml": "", "prompts/team/deep/b.lock.toml": ""})
    project.git("init", "-qb", "main")
    project.git("add", "prompts/*.lock.toml")
    assert project.git("diff", "--cached", "--name-only").split() == [
        "prompts/a.lock.toml",
        "prompts/team/deep/b.lock.toml",
    ]


def test_every_kind_of_report_is_described(page: str) -> None:
    kinds = re.findall(r"^\| `(json|md|github|sarif|gitlab)` \|", page, re.MULTILINE)
    assert [parse_report(f"{kind}:x")[0] for kind in kinds] == ["json", "md", "github", "sarif", "gitlab"]


def test_actions_and_the_hook_are_pinned_by_the_tag_of_this_version(page: str) -> None:
    tag = f"v{version('promptopt-llm')}"
    used = re.findall(r"promptopt/promptopt/\.github/actions/([\w-]+)@(\S+)", page)
    assert used == [("prompt-budget", tag), ("prompt-budget-comment", tag)]
    assert f"git+https://github.com/promptopt/promptopt@{tag}" in page
    (hooks,) = (block for block in blocks(page, "yaml") if block.startswith("repos:"))
    (repo,) = yaml.safe_load(hooks)["repos"]
    assert repo["rev"] == tag
    assert [hook["id"] for hook in repo["hooks"]] == ["prompt-budget"]


def test_the_workflow_that_runs_a_forks_code_can_only_read(page: str, repository: Path) -> None:
    checks = workflow(page, "prompt-budget")
    # YAML 1.1 reads the key `on` as true.
    assert checks[True] == "pull_request"
    assert checks["permissions"] == {"contents": "read"}
    steps = checks["jobs"]["prompt-budget"]["steps"]
    action = yaml.safe_load((repository / ".github/actions/prompt-budget/action.yml").read_text())
    used = set(re.findall(r"steps\.budget\.outputs\.(\w+)", str(steps)))
    assert used <= set(action["outputs"])
    assert all(set(step.get("with", {})) <= set(action["inputs"]) for step in steps if step.get("id") == "budget")


def test_the_workflow_that_may_write_runs_nothing_of_a_fork(page: str) -> None:
    comments = workflow(page, "prompt-budget-comment")
    assert comments[True] == {"workflow_run": {"workflows": ["Prompt budget"], "types": ["completed"]}}
    assert comments["permissions"] == {"pull-requests": "write", "actions": "read"}
    (step,) = comments["jobs"]["comment"]["steps"]
    assert "run" not in step
    assert "checkout" not in step["uses"]
    assert workflow(page, "prompt-budget")["name"] == "Prompt budget"
