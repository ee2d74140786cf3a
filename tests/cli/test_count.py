"""``promptopt count``, ``render`` and ``list`` as their user calls them."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.money import dollars
from promptopt.tokens import count_tokens

FRONT = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 50\ncalls_per_month: 10000\n---\n"
PROMPT = FRONT + (
    '{% chat role="system" %}You are terse.{% endchat %}\n'
    '{% chat role="user" %}\nSummarise this:\n{{ text }}\n{% endchat %}\n'
)


@pytest.fixture
def prompt(project):
    project.write({"prompts/sum/v1.j2": PROMPT})
    return project


def run(*arguments: str, stdin: str | None = None) -> str:
    done = CliRunner().invoke(cli, arguments, input=stdin, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_tokens_and_dollars_per_call_per_thousand_and_per_month(prompt) -> None:
    data = json.loads(run("count", "sum", "--var", "text=hello world", "--json"))
    contents = ["You are terse.", "Summarise this:\nhello world"]
    assert data["input_tokens"] == sum(count_tokens(text).tokens for text in contents) + 2 * 4 + 3
    assert (data["output_tokens"], data["output_basis"]) == (50, "cap")
    per_call = (data["input_tokens"] * 0.15 + 50 * 0.6) / 1_000_000
    assert data["usd_per_call"] == pytest.approx(per_call)
    assert data["usd_per_1k_calls"] == pytest.approx(per_call * 1000)
    assert data["usd_per_month"] == pytest.approx(per_call * 10_000)
    assert data["usd_per_call_batch"] == pytest.approx(per_call / 2)


def test_the_table_names_the_model_and_the_price_table(prompt) -> None:
    shown = run("count", "sum", "--var", "text=hello")
    assert "output, at most" in shown
    assert "prices: openai/gpt-4o-mini, genai-prices" in shown


def test_an_unpriced_model_is_unpriced(prompt) -> None:
    shown = run("count", "sum", "--var", "text=hello", "--model", "my-model")
    assert "unpriced" in shown
    assert "estimated" in shown
    assert "$0" not in shown


def test_braces_of_an_expression_are_shown(prompt) -> None:
    prompt.write({"prompts/sum/v1.j2": "Say\n{{ {'a': x}['a'] }}\n{{ x in {'a': 1} }}\n"})
    shown = run("count", "sum", "--var", "x=hello", "--lines")
    assert "{{ {'a': x}['a'] }}" in shown
    assert "{{ x in {'a': 1} }}" in shown


def test_lines_add_up_and_the_prefix_stops_at_the_variable(prompt) -> None:
    data = json.loads(run("count", "sum", "--var", "text=hello world", "--lines", "--json"))
    attributed = sum(line["tokens"] for line in data["lines"])
    assert attributed + data["framing_tokens"] == data["input_tokens"]
    assert [line["source"] for line in data["lines"] if line["kind"] == "variable"] == ["{{ text }}"]
    assert 0 < data["static_prefix_tokens"] < data["input_tokens"]
    assert "{{ text }}" in run("count", "sum", "--var", "text=hello", "--lines").rsplit("static prefix", 1)[1]


def test_a_text_is_counted_from_stdin(project) -> None:
    assert run("count", "-", stdin="hello world") == "2 tokens (o200k_base, counted)\n"


def test_a_suite_gives_means_over_its_cases(prompt) -> None:
    cases = [{"description": name, "vars": {"text": name}} for name in ("a", "a b c d e")]
    prompt.write({"suites/sum.jsonl": "".join(json.dumps(case) + "\n" for case in cases)})
    data = json.loads(run("count", "sum", "--json"))
    one, two = (json.loads(run("count", "sum", "--case", case["description"], "--json")) for case in cases)
    assert data["renderings"] == 2
    assert data["input_tokens"] == (one["input_tokens"] + two["input_tokens"]) / 2


def test_render_prints_messages_or_sdk_arguments(prompt) -> None:
    assert run("render", "sum", "--var", "text=hello") == "[system]\nYou are terse.\n[user]\nSummarise this:\nhello\n"
    arguments = json.loads(run("render", "sum", "--var", "text=hello", "--openai"))
    assert arguments["model"] == "gpt-4o-mini"
    assert arguments["max_completion_tokens"] == 50
    assert [message["role"] for message in arguments["messages"]] == ["system", "user"]


def test_a_variable_may_come_from_a_file(prompt) -> None:
    prompt.write({"long.txt": "from a file"})
    assert "from a file" in run("render", "sum", "--var", "text=@long.txt")
    prompt.write({"vars.json": '{"text": "from json"}'})
    assert "from json" in run("render", "sum", "--vars", "vars.json")


def test_list_shows_versions_variables_and_suites(prompt) -> None:
    prompt.write({"prompts/sum/v10.j2": PROMPT, "prompts/sum/v9.j2": PROMPT, "suites/sum.csv": "text\nx\n"})
    (row,) = json.loads(run("list", "--json"))
    assert row["versions"] == ["v1", "v9", "v10"]
    assert (row["variables"], row["suite"]) == (["text"], "suites/sum.csv")
    assert "v1, v9, v10" in run("list")


def test_help_loads_no_command(project) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from promptopt.cli import cli\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
        "print([m for m in sys.modules if m.startswith('promptopt.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_misspelled_command_is_answered_with_its_name(project) -> None:
    done = CliRunner().invoke(cli, ["comprae"])
    assert done.exit_code == 2
    assert "No such command 'comprae'. Did you mean 'compare'" in done.stderr


@pytest.mark.parametrize(
    ("usd", "shown"),
    [(0, "$0.0000"), (0.0000042, "$0.000004"), (1e-9, "under $0.000001"), (0.12, "$0.1200"), (123.456, "$123.46")],
)
def test_little_is_never_shown_as_nothing(usd: float, shown: str) -> None:
    assert dollars(usd) == shown
