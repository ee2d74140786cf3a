"""docs/promptfoo.md is enough to move: its files and commands, as a user has them."""

import re
import shlex
from pathlib import Path

import pytest


@pytest.fixture
def page(project, repository: Path) -> str:
    """The text of the page, whose files are written into the project."""
    text = (repository / "docs" / "promptfoo.md").read_text(encoding="utf-8")
    files = re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in files] == ["promptfooconfig.yaml", "ask.txt"]
    project.write(dict(files))
    return text


def test_every_command_of_the_page_runs_and_says_what_is_shown(project, page: str) -> None:
    blocks = re.findall(r"^```(sh|text)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    commands = [line for kind, block in blocks if kind == "sh" for line in block.splitlines()]
    assert len(commands) == 4
    said = ""
    for command in commands:
        extra = ("--record", "missing") if command.startswith("promptopt compare") else ()
        done = project.run(*shlex.split(command)[1:], *extra)
        assert done.returncode == 0, (command, done.stderr)
        said += done.stdout + done.stderr
    shown = [block for kind, block in blocks if kind == "text" and "left out" in block]
    assert shown
    for line in "".join(shown).splitlines():
        assert line in said


def test_the_python_of_the_page_runs(project, page: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (code,) = re.findall(r"^```py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    exec(code, {})
    printed = capsys.readouterr().out
    assert "prompt-2 against ask" in printed
    assert "left out: the assert moderation" in printed


def test_every_option_and_column_that_the_page_names_exists(project, page: str) -> None:
    shown = project.run("compare", "--help").stdout + project.run("import", "--help").stdout
    for option in set(re.findall(r"`[^`\n]*?(--[a-z][a-z-]+)", page)) - {"--failures"}:
        assert option in shown, option
