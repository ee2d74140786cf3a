"""The pytest plugin, run as its user runs it: in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

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

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.root = pytester.path

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.root / name.replace("__", "/").replace("_j2", ".j2").replace("_yaml", ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def pytest(self, *arguments: str, beside: Collection[str] = ()) -> pytest.RunResult:
        """Other plugins of this environment take no part, but for those ``beside``."""
        others = [part for name in PLUGINS if name not in beside for part in ("-p", f"no:{name}")]
        return self.pytester.runpytest_subprocess(*others, *arguments, timeout=120)

    def prompt(self, rules: str = "Be brief.") -> None:
        self.write(prompts__triage__v1_j2=PROMPT.replace("RULES", rules))

    @property
    def lock(self) -> Path:
        return self.root / "prompts/triage.lock.toml"


@pytest.fixture
def shell(pytester: pytest.Pytester) -> Shell:
    made = Shell(pytester)
    (made.root / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    made.prompt()
    made.write(suites__triage_yaml=SUITE)
    (made.root / "tests").mkdir()
    (made.root / "tests/test_own.py").write_text("def test_own():\n    assert True\n")
    return made


@pytest.fixture
def locked(shell: Shell) -> Shell:
    done = subprocess.run([sys.executable, "-m", "promptopt", "budget", "update"], cwd=shell.root, check=True)
    assert done.returncode == 0
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
    subprocess.run([sys.executable, "-m", "promptopt", "budget", "update"], cwd=shell.root, check=True)
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
        ("--prompt-budget-report=xml:x", "write json:PATH, md:PATH or github:PATH"),
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
    result = Shell(pytester).pytest("--prompt-budget")
    assert result.ret == 4
    result.stdout.fnmatch_lines(["ERROR: nothing is guarded*"])


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
    # pytester keeps the output of the process, and its temporary folders.
    own = ("__pycache__", "runpytest-0", "runpytest-current")
    after = {path.relative_to(shell.root) for path in shell.root.rglob("*") if not {*own} & {*path.parts}}
    assert after - before == {Path("conftest.py"), Path("stdout"), Path("stderr")}
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
