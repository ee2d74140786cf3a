"""What the gate sees of a project: what it guards, what it does not, and what the cases of a prompt do not show."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from guarded_project import LONGER, RULES, STATIC, SUITE, check, commit, kinds, lock, make_gate, prompt_text
from hypothesis import given
from hypothesis import strategies as st

from promptopt.budget.report import guard_line, markdown, workflow_commands
from promptopt.budget.result import BudgetFinding, Result, finding_lines, one_line
from promptopt.cli import cli
from promptopt.errors import UsageError
from promptopt.files import repository_path

BRANCH = (
    "You route support tickets.\n{% if vip is defined %}\nBe very kind.\n{% endif %}\n"
    "Answer{% if fast is defined %} at once{% endif %}.\n"
)


@pytest.fixture
def branch(locked: Any) -> Any:
    """The locked prompt, committed on main, with another branch checked out."""
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    locked.git("checkout", "-qb", "topic")
    return locked


def paste(project: Any, text: str) -> None:
    """Run the commands that a message names."""
    commands = text.rpartition("take them along: ")[2].splitlines()[0].strip()
    commands = commands.replace("promptopt budget", f"{sys.executable} -m promptopt budget")
    subprocess.run(commands, shell=True, check=True, cwd=project.root)


def test_a_rename_that_removes_the_lock_is_named_with_both_names(branch: Any) -> None:
    branch.git("mv", "prompts/triage", "prompts/router")
    branch.git("rm", "-q", "prompts/triage.lock.toml")
    commit(branch)
    results = check()
    assert kinds(results["triage"]) == [("renamed", "", "error")]
    assert "'triage' is 'router' now" in results["triage"].text
    assert guard_line(list(results.values())) == "guarded 0, not guarded 1 (prompts/router: no suite)"
    paste(branch, results["triage"].text)
    assert not any(result.failed for result in check().values())


def test_a_rename_is_seen_if_the_prompt_grew_with_it(branch: Any) -> None:
    branch.write({"prompts/router.j2": prompt_text(RULES + STATIC), "prompts/other.j2": "Route nothing at all.\n"})
    branch.git("rm", "-rq", "prompts/triage", "prompts/triage.lock.toml")
    commit(branch)
    assert "'triage' is 'router' now" in check()["triage"].text


def test_a_rename_is_seen_if_a_line_was_edited_with_it_and_its_remedy_works(branch: Any) -> None:
    """Half of the lines are other ones; the lock and the suite have the old name still."""
    branch.git("mv", "prompts/triage", "prompts/router")
    branch.write({"prompts/router/v1.j2": prompt_text(RULES.replace("policy.", "policy, and be kind to everybody."))})
    branch.write({"prompts/other.j2": "Say what the weather is.\n"})
    commit(branch)
    text = check()["triage"].text
    assert "'triage' is 'router' now" in text
    paste(branch, text)
    assert not any(result.failed for result in check().values())


def test_a_suite_that_is_left_of_a_removed_prompt_is_said(branch: Any) -> None:
    branch.write({"prompts/reply.j2": prompt_text("Say what the weather is.\n"), "suites/reply.yaml": SUITE})
    branch.git("rm", "-rq", "prompts/triage", "prompts/triage.lock.toml")
    lock()
    (found,) = check()["triage"].findings
    assert (found.kind, found.level, found.path) == ("removed", "warn", "suites/triage.yaml")


@pytest.mark.parametrize("linked", ["prompts", "prompts/triage/v1.j2"])
def test_the_base_is_read_through_links_too(branch: Any, linked: str) -> None:
    link, target = branch.root / linked, branch.root / "shared" / Path(linked).name
    target.parent.mkdir()
    link.rename(target)
    link.symlink_to(os.path.relpath(target, link.parent))
    commit(branch)
    branch.git("branch", "-f", "main")
    assert guard_line(list(check(strict=True).values())) == "guarded 1, not guarded 0"
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert "from this branch +16 · already on main +0" in check()["triage [refund]"].text
    impact = make_gate().impact()
    assert impact is not None
    (change,) = impact.changes
    assert (change.note, change.before and change.before.input) == ("", 26)


def test_a_prompt_that_loses_its_suite_and_its_lock_is_said(branch: Any) -> None:
    branch.git("rm", "-q", "prompts/triage.lock.toml", "suites/triage.yaml")
    branch.write({"prompts/reply.j2": prompt_text(), "suites/reply.yaml": SUITE})
    lock()
    assert kinds(check()["triage"]) == [("removed", "", "warn")]
    assert "on main it has a lock" in check()["triage"].text


def test_an_older_version_that_grew_fails_and_another_edit_warns(branch: Any) -> None:
    branch.write({"prompts/triage/v2.j2": prompt_text()})
    assert check()["triage"].findings == ()
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    (found,) = check()["triage"].findings
    assert (found.kind, found.level, found.path) == ("edited", "error", "prompts/triage/v1.j2")
    assert "triage@v1 input 26 → 42 (+16, +61.5%)  limit: no growth" in found.summary
    assert not check(overrides=["input=90%"])["triage"].failed
    branch.write({"prompts/triage/v1.j2": prompt_text("Route tickets.\n")})
    assert kinds(check()["triage"]) == [("edited", "", "warn")]


def test_lines_that_no_case_prints_are_named_and_may_not_grow(branch: Any) -> None:
    branch.write({"prompts/rare.j2": "A rare text.\n", "suites/triage.yaml": SUITE})
    rare = BRANCH + "{% if rare is defined %}{% include 'rare.j2' %}{% endif %}\n"
    branch.write({"prompts/triage/v1.j2": prompt_text(rare)})
    lock()
    commit(branch)
    branch.git("branch", "-f", "main")
    (found,) = check()["triage"].findings
    assert (found.kind, found.level) == ("unreached", "note")
    assert "no case prints prompts/triage/v1.j2:9,11; prompts/rare.j2: " in found.summary
    for old, new in (("Be very kind.", "Be very kind, always."), (" at once", " at once, or sooner")):
        branch.write({"prompts/triage/v1.j2": prompt_text(rare.replace(old, new))})
        assert kinds(check()["triage"]) == [("unreached", "input", "error")]
    # A case that prints them makes them part of what is measured.
    more = "  - {description: all, vars: {ticket: a, vip: 1, fast: 1, rare: 1}}\n"
    branch.write({"prompts/triage/v1.j2": prompt_text(rare), "suites/triage.yaml": SUITE + more})
    assert check()["triage"].findings == ()


def test_a_prompt_whose_lines_are_all_printed_has_no_note(guarded: Any) -> None:
    loop = "{% for n in [1, 2] %}\nRule {{ n }}{% if n == 1 %}, first{% else %}, second{% endif %}.\n{% endfor %}\n"
    guarded.write({"prompts/triage/v1.j2": prompt_text(loop)})
    lock()
    assert check()["triage"].findings == ()


def test_links_are_followed(locked: Any) -> None:
    """A folder, a file, and a folder that contains itself."""
    locked.write({"shared/away/v1.j2": prompt_text(), "shared/file.j2": prompt_text()})
    for name, target in (
        ("away", "../shared/away"),
        ("file.j2", "../shared/file.j2"),
        ("triage/again", "../../prompts"),
    ):
        (locked.root / "prompts" / name).symlink_to(target)
    locked.write({"suites/away.yaml": SUITE, "suites/file.yaml": SUITE})
    lock()
    locked.write({"shared/away/v1.j2": prompt_text(LONGER), "shared/file.j2": prompt_text(LONGER)})
    failed = {result.prompt for result in check().values() if result.failed}
    assert failed == {"away", "file"}


def test_locks_of_another_project_in_the_repository_are_said(branch: Any) -> None:
    files = {
        f"packages/bot/{name}": (branch.root / name).read_text() for name in ("pyproject.toml", "suites/triage.yaml")
    }
    files["packages/bot/prompts/triage.lock.toml"] = (branch.root / "prompts/triage.lock.toml").read_text()
    branch.write(files)
    line = guard_line(list(check().values()))
    assert line == "guarded 1, not guarded 1 (packages/bot/prompts/triage: run the gate in packages/bot)"
    assert check(strict=True)["packages/bot/prompts/triage"].failed


def test_a_folder_without_guarded_prompts_says_where_they_are(branch: Any) -> None:
    (branch.root / "bot").mkdir()
    branch.git("mv", "pyproject.toml", "prompts", "suites", "bot")
    branch.write({"pyproject.toml": ""})
    commit(branch)
    with pytest.raises(UsageError, match=r"nothing is guarded: .*NAME\.yaml; run the gate in bot$"):
        check()


def test_a_prompt_that_is_only_mentioned_is_not_guarded(locked: Any) -> None:
    locked.write({"prompts/other.j2": "{# include 'x.j2' #}\n", "prompts/x.j2": "Hello\n"})
    line = guard_line(list(check().values()))
    assert line == "guarded 1, not guarded 2 (prompts/other: no suite; prompts/x: no suite)"


@given(st.text(max_size=40))
def test_a_name_stays_in_its_line_whatever_it_is(name: str) -> None:
    finding = BudgetFinding("new", "error", "", f"summary of {name}", (f"lock {name}", name), name, 3)
    result = Result("route", name, (finding,))
    lines = finding_lines(result.label, finding)
    assert [len(line.splitlines()) for line in lines] == [1, 1, 1]
    assert not any("##[" in line or line.lstrip().startswith("::") for line in lines[:2])
    (command,) = workflow_commands([result])
    assert len(command.splitlines()) == 1
    text = markdown([result], 100_000)
    # All of it is in one block of code, and nothing ends it early.
    block = text[text.index("```") :]
    fence = block[: block.index("text\n")]
    assert block.count(f"\n{fence}\n") == 1


def test_escapes_say_what_they_hide() -> None:
    assert one_line("a\n::error::b\r\x1b[1m\u2028\u202e") == "a\\n::error::b\\r\\x1b[1m\\u2028\\u202e"
    assert one_line("Grüße, 日本 👩‍🚀") == "Grüße, 日本 👩‍🚀"
    assert one_line("##[stop-commands]t") == "##\\[stop-commands]t"


def test_paths_for_a_service_are_from_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)
    inner = tmp_path / "packages/bot"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert repository_path("prompts/a.j2") == "prompts/a.j2"
    (tmp_path / ".git").mkdir()
    os.chdir(inner)
    from promptopt import files

    files._repository.cache_clear()
    assert repository_path("prompts/a.j2") == "packages/bot/prompts/a.j2"
    assert repository_path("../other/a.j2") == "packages/other/a.j2"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    assert repository_path("prompts/a.j2") == f"{tmp_path.name}/packages/bot/prompts/a.j2"


def test_names_and_reasons_are_data_and_the_printed_command_finds_the_case(branch: Any) -> None:
    """A name with a line end and a colour: what is printed is one line, and names the case to `update`."""
    suite = branch.root / "suites/triage.yaml"
    suite.write_text(suite.read_text() + '  - {description: "red\\n\\e[31m##[group]x", vars: {ticket: red}}\n')
    command = check()["triage [red\\n\\x1b[31m##\\[group]x]"].text.partition("update triage ")[2].partition("\n")[0]
    done = CliRunner().invoke(cli, ["budget", "update", "triage", *shlex.split(command)])
    assert (done.exit_code, done.stdout.count("\n")) == (0, 2)
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    lock("red\x1b[31m ##[group]x")
    branch.git("commit", "-qam", "red\x1b[31m ##[group]x")
    for arguments in (["check"], ["diff", "main"], ["log", "triage"]):
        printed = CliRunner().invoke(cli, ["budget", *arguments]).output
        assert "red" in printed
        assert "\x1b" not in printed
        assert "##[g" not in printed
