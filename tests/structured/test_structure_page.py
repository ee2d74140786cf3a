"""The tables and transcripts of docs/structure.md, which test_docs.py does not run, are what the program does."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pages import commands

import promptopt
from promptopt.cli import cli
from promptopt.errors import PromptoptError
from promptopt.schemas.summary import summary

PAGE = (Path(__file__).parents[2] / "docs" / "structure.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of the table below a heading, without the marks of code; a line end is written ⏎."""
    lines = re.search(rf"^## {title}\n.*?^\|---.*?\n(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    assert lines is not None
    found = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[1].splitlines()]
    return [[cell.strip().replace("\\|", "|").replace("⏎", "\n") for cell in row] for row in found]


def proposal(cell: str, path: Path) -> Result:
    path.write_text(cell.strip("`") + "\n\n{{ text }}\n", encoding="utf-8")
    return CliRunner().invoke(cli, ["structure", str(path), "--json"])


def indented(after: str) -> str:
    """The first indented block after some words of the page."""
    block = re.search(r"\n\n((?:    .*\n)+)", PAGE[PAGE.index(after) :])
    assert block is not None
    return re.sub(r"^    ", "", block[1], flags=re.MULTILINE)


def printed(block: str) -> None:
    """Runs each command of a block, and compares what it prints; of a refusal, its first line."""
    for command, shown in commands(block):
        line, _, output = command.partition(" > ")
        done = CliRunner().invoke(cli, line.split()[1:])
        if output:
            Path(output).write_text(done.stdout, encoding="utf-8")
        if isinstance(done.exception, PromptoptError):
            assert f"promptopt: {str(done.exception).splitlines()[0]}\n" == shown
        else:
            assert (done.stderr if output else done.output) == shown


READ, REFUSED = rows("What it reads"), rows("Limits")


@pytest.mark.parametrize("row", READ, ids=lambda row: row[0])
def test_a_row_of_what_is_read_has_the_fields_that_come_out(row: list[str], tmp_path: Path) -> None:
    done = proposal(row[1], tmp_path / "v1.j2")
    fields = [f"{field['name']}: {summary(field['schema'])}" for field in json.loads(done.stdout)["fields"]]
    assert "; ".join(fields) == row[2].strip("`")


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row[0])
def test_a_row_of_the_limits_is_refused(row: list[str], tmp_path: Path) -> None:
    error = proposal(row[1], tmp_path / "v1.j2").exception
    assert isinstance(error, PromptoptError)
    assert error.exit_code == 2
    assert re.search("cannot infer|bare answers would lose it", str(error))


def test_a_doubted_form_is_drafted_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prompt = re.search(r"With `hull\.j2` as\s`(.*?)`", PAGE, re.DOTALL)
    assert prompt is not None
    Path("hull.j2").write_text(prompt[1].replace("\n", " ").replace("⏎", "\n"), encoding="utf-8")
    printed(indented("## A form that is doubted"))


def test_a_schema_is_checked_and_fixed_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    schema = re.search(r"^`triage\.json`:\n\n```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert schema is not None
    Path("triage.json").write_text(schema[1], encoding="utf-8")
    printed(indented('"required": ["team"]'))


def test_an_answer_is_read_as_shown() -> None:
    code = re.search(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert code is not None
    names: dict[str, object] = {"text": indented("For this `text`")}
    exec(code[1], names)
    parsed = names["parsed"]
    assert isinstance(parsed, promptopt.Parsed)
    assert f"`data` is `{parsed.data}` and `repairs`" in PAGE
    assert list(parsed.repairs) == indented("and `repairs`").splitlines()


def test_a_text_that_doubts_its_value_is_refused_as_shown() -> None:
    schema = {"type": "object", "properties": {"sentiment": {"enum": ["positive", "negative"]}}}
    with pytest.raises(promptopt.AnswerError) as raised:
        promptopt.restructure("The sentiment could be positive.", schema)
    assert indented("corrects it later").strip() in str(raised.value)
