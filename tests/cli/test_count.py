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


def test_without_a_model_there_is_no_price_and_that_is_said(prompt) -> None:
    prompt.write({"prompts/sum/v1.j2": "Say {{ x }}"})
    assert run("count", "sum", "--var", "x=a").endswith("no model is named, so there is no price: pass --model\n")


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


TURNS = (
    "- {description: a, turns: [{user: one two}, {user: three}]}\n- {description: b, turns: [{user: four five six}]}\n"
)
TWO_CALLS = """---
model: gpt-4o-mini
max_output_tokens: 50
calls_per_month: 10
---
{% chat role="system" %}You are terse.{% endchat %}
"""
WITH_HISTORY = (
    TWO_CALLS
    + """{% for turn in history %}{% chat role=turn.role %}{{ turn.content }}{% endchat %}{% endfor %}
{% chat role="user" %}{{ user }}{% endchat %}
"""
)


@pytest.mark.parametrize("source", [TWO_CALLS, WITH_HISTORY])
def test_all_turns_of_a_conversation_are_counted(project, source: str) -> None:
    project.write({"prompts/talk/v1.j2": source, "suites/talk.yaml": TURNS})
    texts = [["one two"], ["one two", "ok", "three"], ["four five six"]]
    sent = [sum(4 + count_tokens(text).tokens for text in ("You are terse.", *each)) + 3 for each in texts]
    data = json.loads(run("count", "talk", "--json"))
    assert (data["renderings"], data["calls"]) == (2, 1.5)
    assert data["input_tokens"] == sum(sent) / 2
    assert data["output_tokens"] == 50 * 1.5
    assert data["usd_per_call"] == pytest.approx((data["input_tokens"] * 0.15 + 75 * 0.6) / 1e6)
    shown = run("count", "talk", "--lines")
    assert f"({sent[2]} to {sent[0] + sent[1]})" in shown
    assert "2 renderings of 1.5 calls" in shown


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


def record(project, model: str, rows: list[dict[str, object]]) -> None:
    project.write({"rows.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    run("recordings", "import", "rows.jsonl", "--prompt", "sum", "--suite", "sum", "--model", model)


@pytest.fixture
def reasoned(prompt):
    """Twenty cases; two were answered by a model that thought for 700 tokens before each word."""
    prompt.write(
        {"suites/sum.jsonl": "".join(f'{{"description": "{n}", "vars": {{"text": "{n}"}}}}\n' for n in range(20))}
    )
    usage = {"input_tokens": 30, "output_tokens": 701, "reasoning_tokens": 700}
    record(prompt, "gpt-4o-mini", [{"case": str(n), "output": "short", **usage} for n in range(2)])
    return prompt


def test_reasoning_that_was_billed_is_counted_and_few_cases_are_said_to_be_few(reasoned) -> None:
    data = json.loads(run("count", "sum", "--json"))
    assert (data["output_tokens"], data["output_basis"], data["output_cases"]) == (701, "recorded", 2)
    assert data["usd_per_call"] == pytest.approx((data["input_tokens"] * 0.15 + 701 * 0.6) / 1e6)
    assert "output, as recorded (2 of 20 cases)" in run("count", "sum")


@pytest.mark.parametrize("model", ["gpt-3.5-turbo", "claude-sonnet-4-5"])
def test_another_tokenizer_counts_the_text_again_and_keeps_the_reasoning(reasoned, model: str) -> None:
    data = json.loads(run("count", "sum", "--model", model, "--json"))
    assert (data["output_tokens"], data["output_model"]) == (701, "gpt-4o-mini")
    shown = run("count", "sum", "--model", model)
    assert "output, as recorded (2 of 20 cases)" in shown
    assert "output: recorded answers of gpt-4o-mini\n" in shown


@pytest.mark.parametrize(
    ("model", "output", "priced"), [("gpt-4o", 450, 450), ("claude-sonnet-4-5", 400, 400), ("claude-sonnet-4-5", 3, 2)]
)
def test_reasoning_is_kept_where_the_usage_does_not_say_how_much_it_was(
    prompt, model: str, output: int, priced: int
) -> None:
    prompt.write({"suites/sum.jsonl": '{"description": "a", "vars": {"text": "a"}}\n'})
    prompt.write({"prompts/sum/v1.j2": PROMPT.replace("gpt-4o-mini", model)})
    record(prompt, model, [{"case": "a", "output": "Yes.", "input_tokens": 30, "output_tokens": output}])
    assert json.loads(run("count", "sum", "--model", "gpt-4", "--json"))["output_tokens"] == priced


def test_a_model_with_answers_of_its_own_is_priced_by_those(reasoned) -> None:
    usage = {"input_tokens": 30, "output_tokens": 9}
    record(reasoned, "gpt-4.1", [{"case": str(n), "output": "words and words", **usage} for n in range(20)])
    data = json.loads(run("count", "sum", "--model", "gpt-4.1", "--json"))
    assert (data["output_tokens"], data["output_model"], data["output_cases"]) == (9, "gpt-4.1", 20)
    assert json.loads(run("count", "sum", "--json"))["output_tokens"] == 701


@pytest.mark.parametrize(("tier", "factor"), [("flex", 0.5), ("priority", 2)])
def test_a_service_tier_has_its_own_price(project, tier: str, factor: float) -> None:
    for name, line in (("plain", ""), ("tiered", f"service_tier: {tier}\n")):
        project.write({f"prompts/{name}.j2": f"---\nmodel: gpt-5.4\nmax_output_tokens: 9\n{line}---\nHi"})
    plain, tiered = (json.loads(run("count", name, "--json"))["usd_per_call"] for name in ("plain", "tiered"))
    assert tiered == pytest.approx(plain * factor)
    assert f"openai/gpt-5.4 ({tier})" in run("count", "tiered")


def test_a_service_tier_without_a_price_makes_the_prompt_unpriced(project) -> None:
    project.write({"prompts/p.j2": "---\nmodel: gpt-4\nmax_output_tokens: 9\nservice_tier: flex\n---\nHi"})
    assert "gpt-4 is unpriced with service_tier 'flex'" in run("count", "p")


def test_each_case_is_priced_by_its_own_length(project) -> None:
    # Gemini 2.5 Pro: $1.25 and $10 up to 200,000 tokens, $2.50 and $15 above.
    long = "hello " * 210_000
    project.write(
        {
            "prompts/p.j2": "---\nmodel: gemini-2.5-pro\nmax_output_tokens: 100\n---\n{{ text }}",
            "suites/p.yaml": f"tests: [{{vars: {{text: '{long}'}}}}, {{vars: {{text: a}}}}, {{vars: {{text: b}}}}]",
        }
    )
    data = json.loads(run("count", "p", "--json"))
    sizes = [count_tokens(text).tokens + 7 for text in (long, "a", "b")]
    usd = sizes[0] * 2.5 + 100 * 15 + sum(size * 1.25 + 100 * 10 for size in sizes[1:])
    assert data["usd_per_call"] == pytest.approx(usd / 3 / 1_000_000)


@pytest.mark.parametrize(
    ("model", "served", "said"),
    [
        ("gpt-4o", 0, "from 1,024 tokens, in steps of 128"),
        ("deepseek-chat", 512, "from 64 tokens, in steps of 64"),
        ("gemini-2.5-pro", 0, "from 2,048 tokens)"),
    ],
)
def test_what_is_cacheable_is_by_the_rule_of_the_model(project, model: str, served: int, said: str) -> None:
    project.write({"prompts/p.j2": f"---\nmodel: {model}\n---\n" + "word " * 540 + "{{ x }}"})
    assert json.loads(run("count", "p", "--var", "x=1", "--lines", "--json"))["cacheable_tokens"] == served
    assert said in " ".join(run("count", "p", "--var", "x=1", "--lines").split())


def test_a_byte_order_mark_is_no_text(project) -> None:
    project.write(
        {"prompts/p.j2": "{{ x }}", "vars.json": b'\xef\xbb\xbf{"x": "hello"}', "x.txt": b"\xef\xbb\xbfhello"}
    )
    for given in (("--vars", "vars.json"), ("--var", "x=@x.txt")):
        assert run("render", "p", *given) == "[user]\nhello\n"
    assert run("count", "-", stdin="\ufeffhello\r\n") == run("count", "-", stdin="hello\n")
    assert run("compress", "-", stdin="\ufeffPlease write to the user.") == "Write to the user."


def test_a_text_on_stdin_that_is_not_utf8_is_refused(project) -> None:
    done = CliRunner().invoke(cli, ["count", "-"], input=b"caf\xe9")
    assert "is not UTF-8: byte 0xe9" in str(done.exception)


def test_only_a_variable_that_is_missing_asks_for_it(project) -> None:
    project.write({"prompts/p.j2": "a {% chat role='user' %}{{ x }}{% endchat %}", "prompts/q.j2": "{{ x }}"})
    remedies = [str(CliRunner().invoke(cli, ["count", name]).exception) for name in ("p", "q")]
    assert ["--var" in remedy for remedy in remedies] == [False, True]
