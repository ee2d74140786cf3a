"""The prompts folder gets another name: the locks on the base and in the history are those of the same prompts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guarded_project import LONGER, RULES, SUITE, check, kinds, lock, prompt_text

from promptopt.budget.drift import log_lines
from promptopt.budget.result import Result
from promptopt.config import load_config
from promptopt.errors import UsageError

REPLY = {"prompts/reply/v1.j2": prompt_text("Answer in one sentence.\n"), "suites/reply.yaml": SUITE}


def committed(project: Any) -> None:
    project.git("add", "-A")
    project.git("commit", "-qm", "x")


@pytest.fixture
def branch(locked: Any) -> Iterator[Any]:
    """The prompts ``triage`` and ``reply``, locked on main, with another branch checked out."""
    locked.write(REPLY)
    lock()
    locked.git("init", "-q", "-b", "main")
    committed(locked)
    locked.git("checkout", "-qb", "topic")
    return locked


def move(project: Any, settings: str = "") -> None:
    project.git("mv", "prompts", "texts")
    project.write({"pyproject.toml": f'[tool.promptopt]\nprompts = "texts"\n{settings}'})


def said(results: dict[str, Result]) -> list[str]:
    return [finding.summary for result in results.values() for finding in result.findings]


def test_a_folder_with_its_locks_has_the_same_prompts(branch: Any) -> None:
    move(branch)
    assert said(check()) == []
    committed(branch)
    assert said(check()) == []
    lines = list(log_lines(load_config(), "triage"))
    assert len([line for line in lines if line.startswith("    ")]) == 2, "the commits before the move are missing"


def test_the_growth_of_a_moved_prompt_is_this_branchs(branch: Any) -> None:
    move(branch)
    branch.write({"texts/triage/v1.j2": prompt_text(LONGER)})
    text = check()["triage [refund]"].text
    assert "from this branch +16 · already on main +0" in text
    assert "texts/triage/v1.j2:9" in text


def test_growth_that_the_base_has_is_inherited_by_a_moved_prompt(branch: Any) -> None:
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    committed(branch)
    branch.git("branch", "-f", "main")
    move(branch)
    committed(branch)
    results = check()
    assert not any(result.failed for result in results.values())
    assert kinds(results["triage [refund]"]) == [("regressed", "input", "warn")]


@pytest.mark.parametrize("commits", [0, 2])
def test_a_lock_that_did_not_come_along_is_compared_with(branch: Any, commits: int) -> None:
    move(branch)
    (branch.root / "texts/triage.lock.toml").unlink()
    branch.write({"texts/triage/v1.j2": prompt_text(LONGER)})
    for _ in range(commits):
        branch.git("add", "-A")
        branch.git("commit", "-qm", "x", "--allow-empty")
    assert kinds(check()["triage [refund]"])[0] == ("new", "", "error")
    with pytest.raises(UsageError, match="reason"):
        lock("")
    lock("longer on purpose")
    assert "longer on purpose" in (branch.root / "texts/triage.lock.toml").read_text()


def test_a_prompt_without_lock_and_suite_does_not_leave_with_the_folder(branch: Any) -> None:
    move(branch)
    for name in ("texts/triage.lock.toml", "suites/triage.yaml"):
        (branch.root / name).unlink()
    (found,) = check()["triage"].findings
    assert (found.kind, found.level) == ("removed", "error")
    branch.write({"suites/triage.yaml": SUITE})
    command = found.details[0].partition("the lock: ")[2]
    before, _, after = command.partition(" > ")
    (branch.root / after).write_text(branch.git(*before.split()[1:]))
    assert said(check()) == []


@pytest.mark.parametrize("keeps_lock", [True, False])
def test_a_prompt_does_not_leave_because_the_setting_names_another_folder(branch: Any, keeps_lock: bool) -> None:
    other = branch.root / "texts"
    other.mkdir()
    (branch.root / "prompts/reply").rename(other / "reply")
    (branch.root / "prompts/reply.lock.toml").rename(other / "reply.lock.toml")
    if not keeps_lock:
        (branch.root / "prompts/triage.lock.toml").unlink()
        (branch.root / "suites/triage.yaml").unlink()
    branch.write({"pyproject.toml": '[tool.promptopt]\nprompts = "texts"\n'})
    (found,) = check()["triage"].findings
    assert (found.kind, found.level, found.path) == ("removed", "error", "prompts/triage.lock.toml")
    assert "on main the prompts folder is prompts, here texts" in found.summary


def test_an_older_version_that_grew_in_a_moved_folder_fails(branch: Any) -> None:
    branch.write({"prompts/triage/v2.j2": prompt_text()})
    committed(branch)
    branch.git("branch", "-f", "main")
    move(branch)
    assert said(check()) == []
    branch.write({"texts/triage/v1.j2": prompt_text(LONGER)})
    (found,) = check()["triage"].findings
    assert (found.kind, found.level, found.path) == ("edited", "error", "texts/triage/v1.j2")


def test_raises_before_a_move_count_for_the_drift(branch: Any) -> None:
    settings = '[tool.promptopt.budget]\ndrift = "30% / 90d"\n'
    for number, rules in enumerate((RULES + "Be kind.\n", RULES + "Be kind, and be brief.\n", LONGER)):
        if number == 1:
            move(branch, settings)
        folder = load_config().prompts
        (folder / "triage/v1.j2").write_text(prompt_text(rules))
        lock("needed")
        committed(branch)
    (found,) = check()["triage"].findings
    assert (found.kind, found.metric, found.level) == ("drift", "input", "error")
    assert "in 3 changes of the lock" in found.summary


def test_a_folder_below_the_former_one_keeps_the_locks_in_it(branch: Any) -> None:
    Path("prompts/bots").mkdir()
    branch.git(
        "mv", "prompts/triage", "prompts/triage.lock.toml", "prompts/reply", "prompts/reply.lock.toml", "prompts/bots"
    )
    branch.write({"pyproject.toml": '[tool.promptopt]\nprompts = "prompts/bots"\n'})
    committed(branch)
    branch.git("branch", "-f", "main")
    branch.write({"pyproject.toml": "[tool.promptopt]\n"})
    Path("suites/bots").mkdir()
    for name in ("triage", "reply"):
        branch.git("mv", f"suites/{name}.yaml", f"suites/bots/{name}.yaml")
    assert not any(result.failed for result in check().values())
