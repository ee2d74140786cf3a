"""Prompts over versions and commits, and what differs between two versions."""

import json
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from promptopt.cli import cli
from promptopt.cli.history import sparkline

FRONT = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 9\ncalls_per_month: 1000\n---\n"
LONG, SHORT = "Please name the team that this ticket is for, in one word.", "Name the ticket's team."
SUITE = (
    "tests:\n- {description: a, vars: {t: lost}, assert: [{type: equals, value: delivery}]}\n"
    "- {description: b, vars: {t: paid}, assert: [{type: equals, value: payment}]}\n"
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture
def routed(project):
    """Two versions, the first committed three times, once under another name."""
    project.git("init", "-q")
    for text, name in ((LONG, "old"), (LONG, "route"), (f"{LONG} Thank you very much!", "route")):
        if name == "route" and (project.root / "prompts/old").exists():
            project.git("mv", "prompts/old", "prompts/route")
        project.write({f"prompts/{name}/v1.j2": f"{FRONT}{text}\n{{{{ t }}}}\n", f"suites/{name}.yaml": SUITE})
        project.git("add", "-A")
        project.git("commit", "-qm", f"{name} <b>")
    project.write({"prompts/route/v2.j2": f"{FRONT}{SHORT}\n{{{{ t }}}}\n"})
    answers = {"v1": ("delivery", "sales"), "v2": ("shop", "payment")}
    for version, found in answers.items():
        rows = [json.dumps({"case": case, "output": text}) for case, text in zip("ab", found, strict=True)]
        project.write({"rows.jsonl": "\n".join(rows)})
        place = ("--prompt", f"route@{version}", "--suite", "route", "--model", "gpt-4o-mini")
        assert run("recordings", "import", "rows.jsonl", *place).exit_code == 0
    return project


def test_a_history_follows_renames_and_ends_with_what_is_not_committed(routed) -> None:
    points = json.loads(run("history", "route", "--json").stdout)["points"]
    assert [(each["version"], each["path"], each["subject"]) for each in points] == [
        ("v1", "prompts/old/v1.j2", "old <b>"),
        ("v1", "prompts/route/v1.j2", "route <b>"),
        ("v1", "prompts/route/v1.j2", "route <b>"),
        ("v2", "prompts/route/v2.j2", "not committed"),
    ]
    first, renamed, longer, newest = points
    assert first["input_tokens"] == renamed["input_tokens"] < longer["input_tokens"]
    assert newest["input_tokens"] < first["input_tokens"]
    # Answers were recorded to the last text of v1 and to v2; those of other texts are no answers to them.
    assert [each["quality"] for each in points] == [None, None, 0.5, 0.5]
    assert "stale" in first["why"] or "recorded" in first["why"]
    assert newest["usd_per_month"] == pytest.approx(newest["usd_per_call"] * 1000)


def test_a_history_is_a_table_and_a_picture(routed) -> None:
    shown = run("history", "route", "-o", "h.svg")
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["version", "day", "commit", "input", "output", "$/1k", "calls", "$/month", "quality"]
    assert "quality       ??██" in shown.stdout
    words = [text.text for text in ET.parse("h.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert "input tokens" in words
    assert words.count("50.0") == 2
    assert "write FILE.svg" in str(run("history", "route", "-o", "h.png").exception)
    assert run("history", "route@v1").exit_code != 0


def test_a_diff_has_tokens_costs_and_the_cases_that_changed(routed) -> None:
    done = run("diff", "route@v1", "route@v2")
    assert done.exit_code == 0, done.output
    assert f"  {SHORT}" in done.stdout
    assert "2 of 2 recorded answers differ, 2 of them pass or fail otherwise" in done.stdout
    assert "a: fails now: 'delivery' -> 'shop'" in done.stdout
    assert "b: passes now: 'sales' -> 'payment'" in done.stdout
    data = json.loads(run("diff", "route@v1", "route@v2", "--json").stdout)
    assert data["input_tokens"][0] > data["input_tokens"][1]
    assert [line["kind"] for line in data["lines"]].count("same") == 6
    assert {case["case"]: case["flips"] for case in data["cases"]} == {"a": True, "b": True}
    sides = run("diff", "route@v1", "route@v2", "--side-by-side").stdout
    assert any("|" in line and "- " in line and "+ " in line for line in sides.splitlines())
    assert all(len(line) <= 80 for line in sides.splitlines())


def test_a_diff_without_answers_says_so(routed) -> None:
    done = run("diff", "HEAD~1:prompts/route/v1.j2", "route@v2")
    assert done.exit_code == 0, done.output
    assert "answers are not compared: " in done.stdout


def test_bars_are_drawn_from_zero() -> None:
    assert sparkline([8, 4, None, 0]) == "█▄?▁"
    assert sparkline([]) == ""
