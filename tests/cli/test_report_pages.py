"""``-o report.html`` of the commands that write a page, as a user runs them, in a real browser."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Sight, chromium, needs_browser
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.errors import UsageError

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "audit": [
        *("audit", "docs/examples/calls.jsonl", "--cap", "300", "--all-orders"),
        *("--only", "exact-cache,single-flight,provider-cache,output-cap"),
    ],
    "check": ["check", "prompts/reviews", "prompts/tickets"],
    "budget": ["budget", "check", "mood"],
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        found = {name: folder / f"{name}.html" for name in COMMANDS}
        for name, path in found.items():
            twice = ["-o", str(path), "-o", str(path.with_suffix(".again.html"))]
            done = CliRunner().invoke(cli, [*COMMANDS[name], *twice], catch_exceptions=False)
            assert done.exit_code == 0, done.output
    finally:
        os.chdir(here)
    return found


@pytest.fixture(scope="module")
def sights(written: dict[str, Path]) -> Iterator[dict[str, Any]]:
    with chromium() as browser:
        yield {name: Sight(browser, path) for name, path in written.items()}


def test_every_file_that_is_named_is_written(written: dict[str, Path], tmp_path: Path) -> None:
    for path in written.values():
        assert path.with_suffix(".again.html").read_bytes() == path.read_bytes()
    two = [tmp_path / "report.md", tmp_path / "report.json"]
    compared = ["compare", "prompts/reviews/v1.j2", "prompts/reviews/v3.j2", "--record", "none"]
    done = CliRunner().invoke(cli, [*compared, *(word for path in two for word in ("-o", str(path)))])
    assert done.exit_code == 0, done.output
    assert "improved" in two[0].read_text()
    assert json.loads(two[1].read_text())["comparisons"][0]["verdict"] == "improved"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["check", "-o", "{}.html", "-o", "{}.md"], "unknown ending '.md'"),
        (["budget", "check", "-o", "{}.html", "-o", "{}.md"], "unknown ending '.md'"),
        (["audit", "docs/examples/calls.jsonl", "-o", "{}.html", "-o", "{}.md"], "unknown ending '.md'"),
        (["minimize", "mood", "-o", "{}.j2", "-o", "{}.html", "-o", "{}.md"], "the prompt is written to one file"),
        (["history", "mood", "-o", "{}.svg", "-o", "{}2.svg"], "one is written, name one"),
        (["suite", "export", "mood", "--format", "csv", "-o", "{}.csv", "--output", "{}2.csv"], "name one"),
    ],
)
def test_a_file_that_would_be_lost_is_refused_before_any_work(command: list[str], said: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, [word.format(tmp_path / "page") for word in command])
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
    assert not list(tmp_path.iterdir())


@needs_browser
@pytest.mark.parametrize(
    ("name", "verdict", "plots"),
    [("audit", "% can be saved", 4), ("check", " findings", 1), ("budget", "passed", 0)],
)
def test_a_page_says_the_verdict_first_and_is_quiet(
    sights: dict[str, Any], name: str, verdict: str, plots: int
) -> None:
    sight = sights[name]
    assert verdict in sight.text("main > :nth-child(2) strong")
    assert sight.page.locator(".plot svg").count() == plots
    assert not sight.axe()
    sight.check_quiet()


def test_the_page_of_an_audit_says_what_the_terminal_says(
    written: dict[str, Path], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    printed = CliRunner().invoke(cli, COMMANDS["audit"], catch_exceptions=False).output
    page = written["audit"].read_text(encoding="utf-8")
    rows = dict(re.findall(r"^([a-z-]+) +(-?\$[\d.]+) ", printed, re.MULTILINE))
    for name in ("exact-cache", "single-flight", "provider-cache", "output-cap"):
        assert f'<th scope="row" class="text">{name}</th><td data-label="saves">{rows[name]}</td>' in page
        # Once in the table of steps, once in that of all orders.
        assert page.count(f'<th scope="row" class="text">{name}</th>') == 2
    assert f"{rows['left']} is left" in page
    (share,) = re.findall(r"top 20% of call types +(\d+%)", printed)
    assert f"The most expensive 20% are {share} of the bill." in page


def test_the_page_of_a_check_shows_what_compress_would_change(written: dict[str, Path]) -> None:
    page = written["check"].read_text(encoding="utf-8")
    assert '<td data-label="rule" class="text">PO103</td>' in page
    assert "<del>Please make sure that you " in page
    assert "prompts/reviews/v1.j2: " in page


def test_the_page_of_a_gate_that_failed_says_which_case_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "suites").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.promptopt]\nmodel = 'gpt-4o-mini'\n")
    prompt = tmp_path / "prompts/ask.j2"
    prompt.write_text("Answer {{ question }} in one word.\n")
    (tmp_path / "suites/ask.yaml").write_text("tests:\n- {description: first, vars: {question: Why}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    runner = CliRunner()
    assert runner.invoke(cli, ["budget", "update"], catch_exceptions=False).exit_code == 0
    prompt.write_text("Answer {{ question }} in one word. " + "Think of everything that may matter first. " * 9)
    done = runner.invoke(cli, ["budget", "check", "-o", "gate.html"], catch_exceptions=False)
    assert done.exit_code == 1
    page = Path("gate.html").read_text(encoding="utf-8")
    assert "<strong>failed</strong>" in page
    assert "FAIL ask [first]" in page
    assert "Mean input tokens of the prompts that changed" in page


@pytest.mark.parametrize("name", COMMANDS)
def test_another_ending_is_refused_before_anything_is_done(name: str, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    done = CliRunner().invoke(cli, [*COMMANDS[name], "-o", str(path)])
    assert isinstance(done.exception, UsageError)
    assert "the report is a page, FILE.html" in str(done.exception)
    assert not path.exists()


def test_a_part_of_an_audit_has_no_page(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["audit", "calls.jsonl", "--partition", "1/2", "-o", str(tmp_path / "part.html")])
    assert isinstance(done.exception, UsageError)
    assert "audit merge -o FILE.html" in str(done.exception)
