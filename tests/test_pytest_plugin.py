"""The pytest plugin, run as its user runs it: in a process of its own."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import forks
import pytest

PROMPT = (
    "---\nmodel: gpt-4o-mini\nmax_output_tokens: 60\ncalls_per_month: 1000\n---\n"
    "You route support tickets.\nRULES\n{{ ticket }}\n"
)
SUITE = """tests:
  - {description: refund, vars: {ticket: I want my money back}}
  - {description: parcel, vars: {ticket: Where is my parcel?}}
"""
LONGER = "Answer politely, and never promise a refund before the team has looked at it."
MODES = [
    pytest.param([], id="plain"),
    pytest.param(["-n", "2"], id="xdist"),
    pytest.param(["-p", "no:xdist"], id="no-xdist"),
]


PLUGINS = ("hypothesispytest", "anyio", "asyncio", "randomly", "syrupy", "rerunfailures", "timeout", "pytest_cov")


class Shell:
    """A project and the commands in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.root / name.replace("__", "/").replace("_j2", ".j2").replace("_yaml", ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def pytest(self, *arguments: str, beside: Collection[str] = ()) -> pytest.RunResult:
        """Other plugins of this environment take no part, but for those ``beside``."""
        others = [part for name in PLUGINS if name not in beside for part in ("-p", f"no:{name}")]
        begun = time.monotonic()
        done = forks.run("pytest", [*others, *arguments], cwd=self.root, env=os.environ, timeout=120)
        output = [text.splitlines() for text in (done.stdout, done.stderr)]
        return pytest.RunResult(done.returncode, *output, time.monotonic() - begun)

    def promptopt(self, *arguments: str) -> None:
        done = forks.run("promptopt", arguments, cwd=self.root, env=os.environ)
        assert done.returncode == 0, done.stderr

    def prompt(self, rules: str = "Be brief.") -> None:
        self.write(prompts__triage__v1_j2=PROMPT.replace("RULES", rules))

    @property
    def lock(self) -> Path:
        return self.root / "prompts/triage.lock.toml"


@pytest.fixture
def shell(pytester: pytest.Pytester) -> Shell:
    made = Shell(pytester.path)
    (made.root / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    made.prompt()
    made.write(suites__triage_yaml=SUITE)
    (made.root / "tests").mkdir()
    (made.root / "tests/test_own.py").write_text("def test_own():\n    assert True\n")
    return made


@pytest.fixture
def locked(shell: Shell) -> Shell:
    shell.promptopt("budget", "update")
    return shell


@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_that_costs_more_fails_whatever_testpaths_says(locked: Shell, mode: list[str]) -> None:
    locked.pytest("--prompt-budget", *mode).assert_outcomes(passed=2)
    locked.prompt(LONGER)
    result = locked.pytest("--prompt-budget", *mode)
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "FAIL triage [[]refund[]]  input * limit: no growth",
            "     prompts/triage/v1.j2:7  16 tokens  Answer politely*",
            "     fix: shorten prompts/triage/v1.j2:7",
            "FAIL triage [[]parcel[]]  input * limit: no growth",
            "*0 ok · 2 failed · 0 stale · 0 new · 0 removed",
            "FAILED prompts/triage.lock.toml::triage - FAIL triage [[]refund[]]  input*",
        ]
    )
    # What both cases have in common is printed once.
    assert result.stdout.str().count("fix: shorten") == 1


def test_the_usual_options_see_the_items(locked: Shell) -> None:
    locked.prompt(LONGER)
    locked.pytest("--prompt-budget", "-k", "triage").assert_outcomes(failed=1, deselected=1)
    locked.pytest("--prompt-budget", "-x", "-q").assert_outcomes(passed=1, failed=1)
    locked.pytest("--prompt-budget", "-q").assert_outcomes(passed=1, failed=1)
    locked.pytest("--prompt-budget", "--lf").assert_outcomes(failed=1)
    listed = locked.pytest("--prompt-budget", "--co", "-q")
    listed.stdout.fnmatch_lines(["tests/test_own.py::test_own", "prompts/triage.lock.toml::triage"])
    listed.stdout.fnmatch_lines(["2 tests collected*"])
    assert locked.pytest("--prompt-budget", "-p", "no:promptopt").ret == 4
    locked.pytest("-p", "no:promptopt").assert_outcomes(passed=1)


def test_junit_has_the_message_and_the_numbers(locked: Shell) -> None:
    locked.prompt(LONGER)
    locked.pytest("--prompt-budget-only", "--junitxml=out.xml")
    cases = ET.parse(locked.root / "out.xml").getroot().findall(".//testcase")
    assert [case.get("name") for case in cases] == ["triage"]
    failure = cases[0].find("failure")
    assert failure is not None
    assert "limit: no growth" in (failure.text or "")
    properties = {entry.get("name"): entry.get("value") for entry in cases[0].iter("property")}
    assert int(properties["prompt_budget_input"] or 0) > int(properties["prompt_budget_input_locked"] or 0)


def test_only_collects_nothing_else(locked: Shell) -> None:
    (locked.root / "tests/test_own.py").write_text("raise RuntimeError('imported')\n")
    locked.pytest("--prompt-budget-only").assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", MODES[:1])
def test_update_and_trim(shell: Shell, mode: list[str]) -> None:
    result = shell.pytest("--prompt-budget", *mode)
    assert result.ret == 1
    assert not shell.lock.exists()
    result.stdout.fnmatch_lines(["*promptopt budget update triage"])
    assert shell.pytest("--prompt-budget-only", "--prompt-budget-update", *mode).ret == 0
    before = shell.lock.read_bytes()
    shell.prompt(LONGER)
    refused = shell.pytest("--prompt-budget-only", "--prompt-budget-update", *mode)
    assert refused.ret == 4
    refused.stdout.fnmatch_lines(["*would raise 2 locked counts*", "*Nothing was written*"])
    assert shell.lock.read_bytes() == before
    command = ["--prompt-budget-only", "--prompt-budget-update", "--prompt-budget-reason", "politer"]
    assert shell.pytest(*command, *mode).ret == 0
    assert shell.pytest("--prompt-budget-only", *mode).ret == 0
    shell.prompt("Be brief.")
    assert shell.pytest("--prompt-budget-only", "--prompt-budget-trim", *mode).ret == 0
    shell.prompt(LONGER)
    assert shell.pytest("--prompt-budget-only", *mode).ret == 1


def test_an_update_of_one_prompt_touches_no_other(locked: Shell) -> None:
    locked.prompt(LONGER)
    locked.write(prompts__reply__v1_j2=PROMPT.replace("RULES", LONGER), suites__reply_yaml=SUITE)
    command = ["--prompt-budget-only", "--prompt-budget-update", "--prompt-budget-reason", "politer", "-k", "reply"]
    assert locked.pytest(*command).ret == 0
    locked.pytest("--prompt-budget-only").assert_outcomes(passed=1, failed=1)


def test_updates_are_refused_in_ci(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    result = shell.pytest("--prompt-budget-update")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: locks are not written in CI*"])
    assert not shell.lock.exists()


@pytest.mark.parametrize(
    ("bad", "mode"),
    [*((bad, []) for bad in ("conflict", "edited", "suite", "price", "render")), ("conflict", ["-n", "2"])],
)
def test_input_that_cannot_be_used_is_exit_code_4(locked: Shell, bad: str, mode: list[str]) -> None:
    text = locked.lock.read_text()
    message = {
        "conflict": "contains a merge conflict",
        "edited": "was edited by hand",
        "suite": "unknown key 'var' in a test",
        "price": "the price table has no model 'gpt-9-nano-x'",
        "render": "the variable 'nobody' is undefined",
    }[bad]
    if bad == "conflict":
        locked.lock.write_text("<<<<<<< HEAD\n" + text)
    elif bad == "edited":
        locked.lock.write_text(text.replace("input = ", "input = 1", 1))
    elif bad == "suite":
        locked.write(suites__triage_yaml="tests: [{var: {ticket: x}}]")
    elif bad == "price":
        locked.write(prompts__triage__v1_j2=PROMPT.replace("gpt-4o-mini", "gpt-9-nano-x"))
    else:
        locked.prompt("{{ nobody }}")
    result = locked.pytest("--prompt-budget-only", *mode)
    assert result.ret == 4
    assert message in result.stdout.str() + result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_prompt_that_cannot_be_checked_hides_no_other(locked: Shell) -> None:
    locked.prompt(LONGER)
    locked.write(prompts__reply__v1_j2=PROMPT.replace("RULES", LONGER), suites__reply_yaml="tests: [{var: {}}]")
    result = locked.pytest("--prompt-budget-only")
    result.assert_outcomes(failed=2)
    assert result.ret == 4
    result.stdout.fnmatch_lines(["FAIL triage [[]refund[]]  input*", "ERROR: suites/reply.yaml:1: unknown key 'var'*"])


def test_of_many_similar_failures_some_are_named(shell: Shell) -> None:
    cases = "".join(f"  - {{description: case-{n:02}, vars: {{ticket: parcel {n}}}}}\n" for n in range(30))
    shell.write(suites__triage_yaml="tests:\n" + cases)
    shell.promptopt("budget", "update")
    shell.prompt(LONGER)
    result = shell.pytest("--prompt-budget-only")
    text = result.stdout.str()
    assert text.count("fix: shorten prompts/triage/v1.j2:7") == 1
    assert "     and 21 more cases of triage: regressed (input)" in text
    assert "0 ok · 30 failed" in text


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--prompt-budget-limit=input=5", "has no unit"),
        ("--prompt-budget-limit=inputs=5%", "unknown metric 'inputs'"),
        ("--prompt-budget-report=xml:x", "write json:PATH, md:PATH, html:PATH, github:PATH"),
        ("--prompt-budget-against=nowhere", "is not in a git repository"),
    ],
)
def test_wrong_flags(locked: Shell, flag: str, message: str) -> None:
    result = locked.pytest("--prompt-budget", flag)
    assert result.ret == 4
    assert message in result.stderr.str()


def test_nothing_to_guard_is_a_failure(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml("")
    pytester.makepyfile("def test_x(): pass")
    result = Shell(pytester.path).pytest("--prompt-budget")
    assert result.ret == 4
    result.stdout.fnmatch_lines(["ERROR: nothing is guarded*"])


def test_what_is_not_guarded_does_not_hide_that_nothing_is(locked: Shell) -> None:
    locked.write(prompts__x_j2="Hi.")
    # A selection that leaves none of the guarded prompts, beside one that nothing guards.
    result = locked.pytest("-k", "nothing", "--prompt-budget")
    assert result.ret == 4
    result.stdout.fnmatch_lines(["ERROR: no prompt was checked: *"])
    (locked.root / "suites/triage.yaml").unlink()
    locked.lock.unlink()
    locked.write(tests__test_y_py="def test_y(): pass")
    result = locked.pytest("--prompt-budget")
    assert result.ret == 4
    result.stdout.fnmatch_lines(["ERROR: nothing is guarded*", "guarded 0, not guarded 2 (*: no suite*"])


def test_reports(locked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = locked.root / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    locked.prompt(LONGER)
    kinds = ["json:out/r.json", "md:out/r.md", "github:out/comment.md"]
    result = locked.pytest("--prompt-budget-only", *(f"--prompt-budget-report={kind}" for kind in kinds))
    assert result.ret == 1
    data = json.loads((locked.root / "out/r.json").read_text())
    assert (data["version"], data["passed"], data["cases"], data["failed"]) == (1, False, 2, 2)
    assert data["results"][0]["metrics"]["input"]["now"] > data["results"][0]["metrics"]["input"]["locked"]
    for file in (locked.root / "out/r.md", locked.root / "out/comment.md", summary):
        assert "### Prompt budget: failed" in file.read_text()
    result.stdout.fnmatch_lines(["::error file=prompts/triage/v1.j2,line=7,title=prompt budget::triage [[]refund[]]*"])


FIXTURE = """
import pytest

@pytest.mark.prompt_budget("chat", input="20% & 5")
@pytest.mark.parametrize("name", ["ann", "bob"])
def test_chat(prompt_budget, name):
    rules = open("rules.txt").read()
    prompt_budget.check([{"role": "system", "content": rules}], case=name, model="gpt-4o-mini")
"""


@pytest.mark.parametrize("mode", MODES[1:2])
def test_the_fixture_guards_prompts_of_a_program(locked: Shell, mode: list[str]) -> None:
    (locked.root / "tests/test_chat.py").write_text(FIXTURE)
    rules = locked.root / "rules.txt"
    rules.write_text("Be kind to everybody, always.")
    # Without the gate the check does nothing.
    locked.pytest().assert_outcomes(passed=3)
    result = locked.pytest("--prompt-budget", *mode)
    result.assert_outcomes(passed=2, failed=2)
    assert "new: not locked yet" in result.stdout.str()
    assert locked.pytest("--prompt-budget-update", *mode).ret == 0
    assert (locked.root / "prompts/chat.lock.toml").is_file()
    locked.pytest("--prompt-budget", *mode).assert_outcomes(passed=4)
    rules.write_text("Be kind to everybody, always, and never forget to say thank you at the end of an answer.")
    result = locked.pytest("--prompt-budget", *mode)
    result.assert_outcomes(passed=2, failed=2)
    assert "FAIL chat [ann]  input 14 → 28 (+14, +100.0%)  limit: 20% & 5" in result.stdout.str()
    assert locked.pytest("--prompt-budget-update", *mode).ret == 4


TWO_CASES = """
def test_chat(prompt_budget):
    for case in ("ann", "bob"):
        prompt_budget.check(open(f"{case}.txt").read(), case=case, model="gpt-4o-mini")
"""


def test_the_reason_of_one_case_is_not_written_to_the_next(locked: Shell) -> None:
    (locked.root / "tests/test_chat.py").write_text(TWO_CASES)
    for case in ("ann", "bob"):
        (locked.root / f"{case}.txt").write_text("Be kind to everybody.")
    assert locked.pytest("--prompt-budget-update").ret == 0
    (locked.root / "ann.txt").write_text("Be kind to everybody, and say thank you.")
    (locked.root / "bob.txt").write_text("Be kind.")
    assert locked.pytest("--prompt-budget-update", "--prompt-budget-reason", "politer").ret == 0
    ann, bob = (locked.root / "prompts/chat.lock.toml").read_text().split("[case.")[1:]
    assert 'reason = "politer"' in ann
    assert "reason" not in bob


def test_the_marker_is_known_and_its_limits_are_checked(locked: Shell) -> None:
    (locked.root / "tests/test_chat.py").write_text(FIXTURE.replace("20% & 5", "20"))
    (locked.root / "rules.txt").write_text("x")
    assert locked.pytest("--strict-markers").ret == 0
    result = locked.pytest("--prompt-budget")
    assert "has no unit" in result.stdout.str()
    assert result.ret != 0


SAME_NAMES = {
    "tests/test_one.py": """
import pytest

@pytest.mark.parametrize("who", ["ann", "bob"])
def test_chat(prompt_budget, who):
    prompt_budget.check(f"Be kind to {who}." + open("more.txt").read() * (who == "bob"), model="gpt-4o-mini")
""",
    "tests/test_two.py": """
def test_chat(prompt_budget):
    prompt_budget.check("Another text, which is longer than the others are.", model="gpt-4o-mini")
    prompt_budget.check("One more text.", case="more", model="gpt-4o-mini")
""",
}


@pytest.fixture
def same_names(pytester: pytest.Pytester) -> Shell:
    """Prompts of tests only: two tests of one name, one of them with parameters."""
    made = Shell(pytester.path)
    for name, text in {**SAME_NAMES, "more.txt": "", "pyproject.toml": ""}.items():
        path = made.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert made.pytest("--prompt-budget-update").ret == 0
    return made


def test_each_test_and_each_parameter_has_an_entry_of_its_own(same_names: Shell) -> None:
    lock = (same_names.root / "prompts/chat.lock.toml").read_text()
    for name in ("test_one.py::test_chat[ann]", "test_one.py::test_chat[bob]", "test_two.py::test_chat"):
        assert f'[case."tests/{name}"]' in lock
    assert 'test = "tests/test_two.py::test_chat"' in lock.partition('[case."more"]')[2]
    (same_names.root / "more.txt").write_text(" And to everybody else.")
    result = same_names.pytest("--prompt-budget")
    result.assert_outcomes(passed=2, failed=1)
    text = result.stdout.str()
    # The printed command locks this entry, and nothing else.
    command = text.partition("or accept: pytest ")[2].partition("\n")[0].replace('"..."', "kinder")
    assert same_names.pytest(*shlex.split(command)).ret == 0
    assert same_names.pytest("--prompt-budget").ret == 0


def test_an_entry_whose_test_is_gone_is_reported_and_a_renamed_test_needs_a_reason_to_grow(same_names: Shell) -> None:
    one, two = same_names.root / "tests/test_one.py", same_names.root / "tests/test_two.py"
    one.write_text(one.read_text().replace('"bob"', '"bobby"').replace("Be kind", "Be very, very kind"))
    two.write_text("\n".join(line for line in two.read_text().split("\n") if "One more" not in line))
    result = same_names.pytest("--prompt-budget", "-n", "2")
    assert result.ret == 1
    result.stdout.fnmatch_lines_random(
        [
            "FAIL chat [[]tests/test_one.py::test_chat[[]bob[]][]]  removed: *test_chat[[]bob[]] is gone",
            "FAIL chat [[]more[]]  removed: *tests/test_two.py::test_chat does not check it any more",
        ]
    )
    # A run of some tests shows nothing about the others.
    some = same_names.pytest("--prompt-budget", "-k", "ann")
    assert "is gone" not in some.stdout.str()
    assert "not checked 3 (" in some.stdout.str()
    refused = same_names.pytest("--prompt-budget-update")
    assert refused.ret == 4
    assert "chat [tests/test_one.py::test_chat[bobby]]: input" in refused.stdout.str()
    assert same_names.pytest("--prompt-budget-update", "--prompt-budget-reason", "kinder").ret == 0
    assert same_names.pytest("--prompt-budget", "--prompt-budget-strict").ret == 0


def test_two_texts_do_not_share_an_entry(same_names: Shell) -> None:
    two = same_names.root / "tests/test_two.py"
    two.write_text(two.read_text() + '    prompt_budget.check("A third text.", case="more", model="gpt-4o-mini")\n')
    result = same_names.pytest("--prompt-budget-update")
    assert result.ret == 4
    assert "2 checks with other texts share the case 'more': tests/test_two.py::test_chat" in result.stdout.str()


REPEATS = """
import pytest

@pytest.fixture
def step(request):
    return request.param

def pytest_generate_tests(metafunc):
    metafunc.fixturenames.append("step")
    metafunc.parametrize("step", range(2), indirect=True)
"""


def test_a_test_that_a_plugin_repeats_is_the_test_that_is_locked(same_names: Shell) -> None:
    """pytest-repeat and pytest-flakefinder give each test a parameter of their own."""
    (same_names.root / "conftest.py").write_text(REPEATS)
    same_names.pytest("--prompt-budget").assert_outcomes(passed=6)
    two = same_names.root / "tests/test_two.py"
    two.write_text(two.read_text().replace("Another text", "Another, longer text"))
    same_names.pytest("--prompt-budget").assert_outcomes(passed=4, failed=2)


def test_another_model_of_a_built_prompt_is_seen(same_names: Shell) -> None:
    two = same_names.root / "tests/test_two.py"
    two.write_text(two.read_text().replace('case="more", model="gpt-4o-mini"', 'case="more", model="gpt-4o"'))
    result = same_names.pytest("--prompt-budget")
    assert result.ret == 1
    assert "FAIL chat [more]  model gpt-4o-mini → gpt-4o: $" in result.stdout.str()


BESIDE = {
    "reruns": (["rerunfailures"], ["--reruns", "2"]),
    "each": ([], ["--dist", "each", "--tx", "2*popen"]),
    "asyncio": (["asyncio"], ["-o", "asyncio_default_fixture_loop_scope=function"]),
    "all": (
        ["rerunfailures", "randomly", "syrupy", "timeout", "pytest_cov", "anyio", "hypothesispytest"],
        ["--reruns", "1", "--timeout", "60", "--cov", ".", "-n", "2"],
    ),
}


@pytest.mark.parametrize(("plugins", "flags"), BESIDE.values(), ids=BESIDE)
def test_other_plugins_change_neither_the_verdict_nor_the_counts(
    locked: Shell, plugins: list[str], flags: list[str]
) -> None:
    locked.prompt(LONGER)
    result = locked.pytest("--prompt-budget", "--prompt-budget-report=json:r.json", *flags, beside=plugins)
    assert result.ret == 1
    report = json.loads((locked.root / "r.json").read_text())
    assert (report["passed"], report["cases"], report["failed"], report["guarded"]) == (False, 2, 2, 1)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_a_broken_lock_is_exit_code_4_beside_syrupy(locked: Shell) -> None:
    locked.lock.write_text(locked.lock.read_text().replace("input = ", "input = 1", 1))
    reports = ["--prompt-budget-report=json:r.json", "--prompt-budget-report=md:r.md"]
    assert locked.pytest("--prompt-budget", *reports, beside=["syrupy"]).ret == 4
    assert json.loads((locked.root / "r.json").read_text())["passed"] is False
    assert "### Prompt budget: failed" in (locked.root / "r.md").read_text()


CONFTEST = """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        assert "db" not in item.fixturenames
        item.add_marker(pytest.mark.MARK)
    items[:] = [item for item in items if "lock.toml" not in item.nodeid]
"""


@pytest.mark.parametrize("mark", ["xfail(strict=False)", "skip"])
def test_what_a_conftest_does_to_tests_does_not_change_the_verdict(locked: Shell, mark: str) -> None:
    locked.prompt(LONGER)
    locked.write(**{"conftest.py": CONFTEST.replace("MARK", mark)})
    result = locked.pytest("--prompt-budget")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAIL triage [[]refund[]]  input*", "guarded 1, not guarded 0"])


SHARDS = """
import os

def pytest_collection_modifyitems(config, items):
    items[:] = [item for number, item in enumerate(items) if number % 4 == int(os.environ["SHARD"])]
"""
SKIPPER = """
import pytest

def pytest_runtest_setup(item):
    pytest.skip("not today")
"""


def test_every_shard_of_a_run_checks_every_prompt_and_none_is_skipped_silently(
    locked: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked.write(**{"conftest.py": SHARDS, "skipper.py": SKIPPER})
    monkeypatch.setenv("SHARD", "3")
    result = locked.pytest("--prompt-budget")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["2 ok*", "guarded 1, not guarded 0"])
    monkeypatch.setenv("PYTHONPATH", f"{locked.root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    result = locked.pytest("--prompt-budget", "-p", "skipper")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAIL triage  skipped", "guarded 0*not checked 1 (triage: skipped)"])


@pytest.mark.parametrize("chosen", ["-m unit", "-k own", "--sw"])
def test_a_selection_in_the_settings_does_not_drop_the_gate(locked: Shell, chosen: str) -> None:
    settings = f'[tool.pytest.ini_options]\ntestpaths = ["tests"]\nmarkers = ["unit"]\naddopts = "{chosen}"\n'
    (locked.root / "pyproject.toml").write_text(settings)
    result = locked.pytest("--prompt-budget", *(["-n", "2"] if chosen == "-k own" else []))
    # It was written for tests.
    assert result.ret == 0
    result.stdout.fnmatch_lines(["2 ok*", "guarded 1, not guarded 0"])


@pytest.mark.parametrize(
    ("chosen", "dropped"),
    [
        (["-n", "2", "-qk", "own"], True),
        (["--deselect", "prompts/triage.lock.toml::triage"], True),
        (["-m", "not prompt_budget"], True),
        (["-m", "not slow"], False),
    ],
)
def test_the_command_line_chooses_among_prompts(locked: Shell, chosen: list[str], dropped: bool) -> None:
    locked.write(prompts__reply__v1_j2=PROMPT.replace("RULES", LONGER), suites__reply_yaml=SUITE)
    locked.promptopt("budget", "update")
    settings = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\nmarkers = ["slow"]\naddopts = "--prompt-budget"\n'
    (locked.root / "pyproject.toml").write_text(settings)
    result = locked.pytest(*chosen)
    assert result.ret == 0
    names = "triage" if chosen[0] == "--deselect" else "reply: not selected; triage"
    line = f"*not checked * ({names}: not selected)" if dropped else "guarded 2, not guarded 0"
    result.stdout.fnmatch_lines([line])


def test_a_repetition_in_the_settings_does_not_drop_the_gate(locked: Shell) -> None:
    settings = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\naddopts = "--lf"\n'
    (locked.root / "pyproject.toml").write_text(settings)
    (locked.root / "tests/test_a.py").write_text("def test_bad():\n    assert False\n")
    assert locked.pytest("--prompt-budget").ret == 1
    # The next run repeats the test that failed, and finds it repaired.
    (locked.root / "tests/test_a.py").write_text("def test_bad():\n    assert True\n")
    locked.prompt(LONGER)
    result = locked.pytest("--prompt-budget")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAIL triage [[]refund[]]  input*", "guarded 1, not guarded 0"])
    # Whoever asks for a repetition gets it.
    result = locked.pytest("--prompt-budget", "--lf", "-k", "own or bad")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["guarded 0*not checked 1 (triage: not selected)"])


def test_a_run_that_stops_is_not_called_a_selection(locked: Shell) -> None:
    (locked.root / "tests/test_own.py").write_text("def test_own():\n    assert False\n")
    result = locked.pytest("--prompt-budget", "-x")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAIL triage  the run stopped before it"])
    result.stdout.no_fnmatch_line("*the selection of tests*")


def test_the_id_of_an_item_runs_it_and_the_id_of_a_test_runs_no_prompt(locked: Shell) -> None:
    locked.write(prompts__reply__v1_j2=PROMPT.replace("RULES", LONGER), suites__reply_yaml=SUITE)
    locked.pytest("--prompt-budget", "prompts/triage.lock.toml::triage").assert_outcomes(passed=1)
    # The lock of a new prompt is not there yet.
    locked.pytest("--prompt-budget", "prompts/reply.lock.toml::reply").assert_outcomes(failed=1)
    result = locked.pytest("--prompt-budget", "tests/test_own.py::test_own")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*not checked 2 (reply: not selected; triage: not selected)"])
    assert locked.pytest("--prompt-budget", "prompts/nobody.lock.toml::nobody").ret == 4


def test_what_is_not_guarded_is_said_and_strict_makes_it_a_failure(locked: Shell) -> None:
    parts = "{% include 'shared/rules.j2' %}\n{% include 'tone/' ~ 'calm' ~ '.j2' %}"
    locked.prompt(parts)
    locked.write(prompts__shared__rules_j2="Be kind.\n", prompts__tone__calm_j2="Be calm.\n", prompts__x_j2="Hello\n")
    locked.promptopt("budget", "update", "--reason", "x")
    for mode in ([], ["-n", "2"]):
        result = locked.pytest("--prompt-budget-only", *mode)
        assert result.ret == 0
        result.stdout.fnmatch_lines(["guarded 1, not guarded 1 (prompts/x: no suite)"])
    strict = locked.pytest("--prompt-budget-only", "--prompt-budget-strict", "--prompt-budget-report=json:r.json")
    assert strict.ret == 1
    assert json.loads((locked.root / "r.json").read_text())["passed"] is False
    (locked.root / "budget.toml").write_text("strict = true\n")
    assert locked.pytest("--prompt-budget-only").ret == 1
    (locked.root / "budget.toml").write_text("strict = 'yes'\n")
    wrong = locked.pytest("--prompt-budget-only")
    assert wrong.ret == 4
    assert "budget.toml:1: strict = 'yes' is not true or false" in wrong.stderr.str() + wrong.stdout.str()


PROBE = """
import sys, time
import pytest
before = set(sys.modules)
start = time.perf_counter()
import promptopt.pytest_plugin
spent = time.perf_counter() - start
print(sorted(set(sys.modules) - before), spent)
"""


def test_without_its_flag_the_plugin_costs_nothing(shell: Shell) -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, cwd=shell.root)
    modules, _, spent = done.stdout.strip().rpartition(" ")
    # The package itself is a file of names; nothing of it is loaded.
    assert modules == "['promptopt', 'promptopt.pytest_plugin']"
    assert float(spent) < 0.05
    before = {path.relative_to(shell.root) for path in shell.root.rglob("*")}
    (shell.root / "conftest.py").write_text(
        "import sys\ndef pytest_unconfigure():\n"
        "    print('loaded', sorted(m for m in sys.modules if m.startswith('promptopt.')))\n"
    )
    result = shell.pytest("-p", "no:cacheprovider", "-s")
    assert "loaded ['promptopt.pytest_plugin']" in result.stdout.str()
    after = {path.relative_to(shell.root) for path in shell.root.rglob("*") if "__pycache__" not in path.parts}
    assert after - before == {Path("conftest.py")}
    # A test with the fixture loads the fixture, and nothing of the gate.
    (shell.root / "tests/test_chat.py").write_text(TWO_CASES.replace('open(f"{case}.txt").read()', "case"))
    result = shell.pytest("-p", "no:cacheprovider", "-s")
    result.assert_outcomes(passed=2)
    loaded = "['promptopt.budget', 'promptopt.budget.fixture', 'promptopt.pytest_plugin']"
    assert f"loaded {loaded}" in result.stdout.str()


def test_a_read_only_checkout_can_be_checked(locked: Shell, request: pytest.FixtureRequest) -> None:
    folders: list[Any] = [locked.root / "prompts", locked.root / "prompts/triage", locked.root / "suites"]
    for folder in folders:
        folder.chmod(0o555)
    request.addfinalizer(lambda: [folder.chmod(0o755) for folder in folders])
    locked.pytest("--prompt-budget-only", "-p", "no:cacheprovider").assert_outcomes(passed=1)
