import json

import pytest
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.errors import InputError, PromptoptError, TemplateError, UsageError
from promptopt.tokens import count_tokens

PROMPT = """---
model: gpt-4o-mini
calls_per_month: 300000
---
I want you to act as a support agent. Please answer the question in order to help.

- Do not use more than 5 words.
{% if urgent %}
Please hurry.
{% endif %}
{{ ticket }}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "prompts" / "triage"
    folder.mkdir(parents=True)
    (folder / "v1.j2").write_text(PROMPT)
    (tmp_path / "pyproject.toml").write_text("[tool.promptopt]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, stdin=None):
    result = CliRunner().invoke(cli, list(arguments), input=stdin)
    if isinstance(result.exception, PromptoptError):
        raise result.exception
    return result


def test_compress_prints_a_diff_with_tokens_per_hunk_and_writes_nothing(project):
    result = run("compress", "triage")
    assert result.exit_code == 0
    assert "+Act as a support agent. Answer the question to help." in result.stdout
    assert "@@ -4,3 +4,3 @@ -7 tokens" in result.stdout
    assert "a month" in result.stderr
    assert [path.name for path in (project / "prompts/triage").iterdir()] == ["v1.j2"]


def test_the_diff_applies_with_patch(project):
    import subprocess

    diff = run("compress", "triage").stdout
    subprocess.run(["patch", "-p0", "prompts/triage/v1.j2"], input=diff, text=True, check=True, capture_output=True)
    assert "Act as a support agent." in (project / "prompts/triage/v1.j2").read_text()


def test_write_makes_the_next_version_and_never_overwrites(project):
    folder = project / "prompts/triage"
    run("compress", "triage@v1", "--write")
    first = (folder / "v2.j2").read_text()
    run("compress", "triage@v1", "--write", "--level", "telegraphic")
    assert (folder / "v2.j2").read_text() == first
    assert (folder / "v3.j2").read_text() != first
    assert (folder / "v1.j2").read_text() == PROMPT
    assert sorted(path.name for path in folder.iterdir()) == ["v1.j2", "v2.j2", "v3.j2"]


def test_stdin_to_stdout(project):
    result = run("compress", "-", stdin="Please do this in order to win.\n")
    assert result.stdout == "Do this to win.\n"


def test_stdin_that_is_not_utf8_is_an_error(project):
    with pytest.raises(InputError, match="not UTF-8"):
        CliRunner().invoke(cli, ["compress", "-"], input=b"caf\xe9 please", catch_exceptions=False)


def test_interactive_takes_hunk_by_hunk(project):
    result = run("compress", "triage", "-i", "--write", stdin="y\nn\n")
    assert result.exit_code == 0
    text = (project / "prompts/triage/v2.j2").read_text()
    assert "Act as a support agent." in text
    assert "Please hurry." in text


@pytest.mark.parametrize("option", ["--edits", "--ledger"])
def test_the_edits_are_listed(project, option):
    result = run("compress", "triage", option)
    assert "PO103" in result.stdout
    assert "made" in result.stdout


def test_json_carries_the_proof(project):
    data = json.loads(run("compress", "triage", "--json").stdout)
    assert data["tokens_after"] < data["tokens_before"]
    # What is not sent is not counted: the front matter.
    body = data["text"].partition("---\n")[2].partition("---\n")[2]
    assert data["tokens_after"] == count_tokens(body, "gpt-4o-mini").tokens
    assert {"rule", "old", "new", "tokens", "facts", "revertible"} <= set(data["ledger"][0])


def test_a_template_with_a_syntax_error_is_an_error(project):
    (project / "prompts/bad.j2").write_text("please {% if x %} do it")
    with pytest.raises(TemplateError, match=r"bad\.j2"):
        run("compress", "bad", "--write")
    assert not (project / "prompts/bad").exists()


def test_check_reports_places_with_tokens_and_dollars(project):
    result = run("check")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any(line.startswith("prompts/triage/v1.j2:5:1 PO103 ") and "tokens, $" in line for line in lines)
    assert "findings in 1 prompt:" in result.stderr


def test_check_counts_one_finding_as_one(project):
    (project / "prompts/only.j2").write_text("---\nmodel: gpt-4o\nmax_output_tokens: 5\n---\nRoute {{ ticket }}.\n")
    assert "1 finding in 1 prompt:" in run("check", "only").stderr


def test_check_sorts_by_worth(project):
    data = json.loads(run("check", "--format", "json").stdout)
    worth = [float(one["monthly_usd"] or 0) for one in data["findings"]]
    assert worth == sorted(worth, reverse=True)


def test_check_strict_fails_where_something_is_found(project):
    assert run("check", "--strict").exit_code == 1
    assert run("check", "--strict", "--select", "PO304").exit_code == 0


def test_check_ignores_with_a_reason(project):
    path = project / "prompts/triage/v1.j2"
    path.write_text(PROMPT.replace("I want", "{# promptopt: ignore[PO1] our tone #}\nI want"))
    codes = [(one["code"], one["line"]) for one in json.loads(run("check", "--format", "json").stdout)["findings"]]
    assert not [line for code, line in codes if code.startswith("PO1") and line == 6]
    path.write_text(PROMPT.replace("I want", "{# promptopt: ignore-file[PO104] #}\nI want"))
    codes = [one["code"] for one in json.loads(run("check", "--format", "json").stdout)["findings"]]
    assert "PO001" in codes
    assert "PO104" in codes


def test_check_names_files_of_any_name_as_each_format_wants_it(project):
    odd = project / "prompts" / "a, b: c" / "v1.j2"
    odd.parent.mkdir(parents=True)
    odd.write_text("Please make sure that you answer \x1b[31mit\u202e.\n")
    sarif = json.loads(run("check", "--format", "sarif").stdout)
    places = [each["locations"][0]["physicalLocation"] for each in sarif["runs"][0]["results"]]
    files = {each["artifactLocation"]["uri"] for each in places}
    assert files == {"prompts/a%2C%20b%3A%20c/v1.j2", "prompts/triage/v1.j2"}
    assert "::warning file=prompts/a%2C b%3A c/v1.j2,line=1," in run("check", "--format", "github").stdout
    assert not {"\x1b", "\u202e"} & set(run("check").stdout)


def test_check_as_sarif_and_github(project):
    sarif = json.loads(run("check", "--format", "sarif").stdout)
    result = sarif["runs"][0]["results"][0]
    assert sarif["version"] == "2.1.0"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "prompts/triage/v1.j2"
    assert "::warning file=prompts/triage/v1.j2,line=5,col=1,title=PO103::" in run("check", "--format", "github").stdout


def test_check_prints_facts(project):
    out = run("check", "--facts", "prompts/triage/v1.j2").stdout
    assert "prompts/triage/v1.j2:7 negation 'not' (use more than 5)" in out.replace("than 5", "than 5")


def test_check_of_a_folder_without_prompts_is_an_error(project):
    (project / "empty").mkdir()
    with pytest.raises(UsageError, match="no prompts"):
        run("check", "empty")
