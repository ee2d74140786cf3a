"""Rules of other packages: installed for real, in a folder of their own on the path of another process."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

RULE = """
from promptopt.compression.edit import Edit, Finding


class Courtesy:
    code = "AC100"
    name = "kindness"
    reason = "an order needs no courtesy"
    level = "safe"
"""
BY_SENTENCE = f"""{RULE}
    def propose_in(self, sentence):
        start = sentence.text.find("kindly ")
        if start >= 0:
            yield Edit(start, start + 7, "", self.code, "no courtesy")
"""
BY_DOCUMENT = f"""{RULE}
    def propose(self, document):
        start = document.masked.find("kindly ")
        if start >= 0:
            yield Edit(start, start + 7, "", self.code, "no courtesy")
        yield Finding(0, self.code, "read me", tokens=3)
"""
# A decorator that keeps the function it wraps, as functools.wraps does.
DECORATED = f"""from functools import wraps


def logged(function):
    @wraps(function)
    def call(*arguments):
        return function(*arguments)

    return call

{BY_DOCUMENT.replace("    def propose(", "    @logged" + chr(10) + "    def propose(")}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package ``acme-rules 1.2`` with one rule in each entry point; run the command line with it."""
    site = tmp_path / "site"
    prompts = tmp_path / "project" / "prompts"
    prompts.mkdir(parents=True)
    (prompts.parent / "pyproject.toml").write_text("[tool.promptopt]\n")
    (prompts / "greet.j2").write_text("Now kindly greet {{ name }}. Then kindly print `kindly ` twice.\n")

    def installed(code: str, *points: str, group: str = "promptopt.rules"):
        metadata = site / "acme_rules-1.2.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *points]))
        (site / "acme_rules.py").write_text(textwrap.dedent(code))

        def run(*arguments: str, cwd: Path = prompts.parent) -> subprocess.CompletedProcess[str]:
            path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
            return subprocess.run(
                [sys.executable, "-m", *arguments],
                cwd=cwd,
                env={**os.environ, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )

        return run

    return installed


@pytest.mark.parametrize("code", [BY_SENTENCE, BY_DOCUMENT, DECORATED])
def test_a_rule_of_either_kind_proposes_edits_that_are_judged_like_all_others(install, code) -> None:
    run = install(code, "AC100 = acme_rules:Courtesy")
    done = run("promptopt", "compress", "prompts/greet.j2", "--select", "AC1")
    assert done.returncode == 0, done.stderr
    assert "+Now greet {{ name }}. Then print `kindly ` twice.\n" in done.stdout
    assert "AC100" in run("promptopt", "check", "--rules").stdout


def test_a_rule_may_report_and_propose_both(install) -> None:
    run = install(BY_DOCUMENT, "AC100 = acme_rules:Courtesy")
    done = run("promptopt", "check", "--select", "AC")
    assert "greet.j2:1:5 AC100 no courtesy [-2 tokens]\n" in done.stdout
    assert "greet.j2:1:1 AC100 read me [-3 tokens]\n" in done.stdout


DIVIDES = "return 1 / 0" + chr(10)
BROKEN = [
    ("import nowhere\n", "Courtesy", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
    (BY_SENTENCE, "Nothing", "cannot be loaded: AttributeError: module 'acme_rules' has no attribute 'Nothing'"),
    (f"{RULE}\n    def __init__(self, setting):\n        pass\n", "Courtesy", "cannot be loaded: TypeError: "),
    (RULE, "Courtesy", "is not a rule: Courtesy needs code, name, reason, level, and one of propose(document)"),
    (f"{RULE}\n    def edits(self, document):\n        return []\n", "Courtesy", "is not a rule"),
    (f"{BY_SENTENCE}    propose = propose_in\n", "Courtesy", "is not a rule"),
    (f"{BY_SENTENCE}    __hash__ = None\n", "Courtesy", "is not a rule"),
    (BY_SENTENCE.replace("AC100", "AC200"), "Courtesy", "has the code 'AC200': the entry point's name and the rule's"),
    (BY_SENTENCE.replace('"safe"', '"gentle"'), "Courtesy", "has the level 'gentle'; known are: safe, standard"),
    (f"{RULE}\n    def propose(self, document):\n        {DIVIDES}", "Courtesy", "fails on prompts/greet.j2: Zero"),
    (f"{RULE}\n    def propose_in(self, sentence):\n        {DIVIDES}", "Courtesy", "fails on prompts/greet.j2: Zero"),
    (f"{RULE}\n    def propose(self, document):\n        pass\n", "Courtesy", "fails on prompts/greet.j2: TypeError"),
    (f"{RULE}\n    def propose(self, document):\n        return [7]\n", "Courtesy", "7 is neither an Edit nor"),
]


@pytest.mark.parametrize(("code", "target", "message"), BROKEN)
def test_a_broken_rule_is_one_message_that_names_the_entry_point_and_its_package(install, code, target, message):
    done = install(code, f"AC100 = acme_rules:{target}")("promptopt", "check")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"the rule AC100 (acme_rules:{target}) of acme-rules 1.2" in done.stderr
    assert message in done.stderr


def test_many_prompts_are_checked_by_several_processes_with_the_rules_of_other_packages(install, tmp_path) -> None:
    run = install(BY_SENTENCE, "AC100 = acme_rules:Courtesy")
    folder = tmp_path / "project" / "prompts"
    for number in range(70):
        (folder / f"p{number}.j2").write_text(f"Now kindly answer question {number}. Do it in order to help.\n")
    done = run("promptopt", "check", "prompts", "--select", "AC,PO107")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("AC100") == 71
    assert done.stdout.count("PO107") == 70


@pytest.mark.parametrize(
    ("group", "test"),
    [
        ("promptopt.rules", "tests/test_docs.py::test_a_command_prints_what_is_shown"),
        (
            "promptopt.scorers",
            "tests/scorers/test_scorers.py::test_every_type_has_an_example_here_or_a_test_of_its_own",
        ),
    ],
)
def test_installed_packages_change_no_test_of_this_project(install, repository, group, test) -> None:
    run = install(BY_SENTENCE, "AC100 = acme_rules:Courtesy", group=f"promptopt.{group}")
    done = run("pytest", "-q", "-p", "no:cacheprovider", test, "-k", "rules or example", cwd=repository)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
