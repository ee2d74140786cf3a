"""``promptopt estimate`` as its user calls it."""

import json

import pytest
from click.testing import CliRunner

from promptopt.cli import cli


def run(*arguments):
    done = CliRunner().invoke(cli, ["estimate", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def prompt(project):
    project.write({"prompts/sum/v1.j2": "---\nmodel: gpt-4o-mini\nmax_output_tokens: 50\n---\nSummarise {{ text }}\n"})


@pytest.mark.usefixtures("prompt")
def test_dollars_are_users_times_calls_times_the_price(project):
    del project
    data = json.loads(
        run("--prompt", "sum", "--users", "100", "--calls", "2.5", "--var", "text=x", "--model", "gpt-4o", "--json")
    )
    assert data["calls_per_day"] == 250
    (row,) = data["estimates"]
    call = (row["input_tokens"] * 2.5 + 50 * 10) / 1e6
    assert row["usd_per_call"] == pytest.approx(call)
    assert row["usd_per_day"] == pytest.approx(250 * call)
    assert row["usd_per_month"] == pytest.approx(30 * 250 * call)


@pytest.mark.usefixtures("prompt")
def test_what_is_not_known_is_said():
    text = run(
        "--prompt",
        "sum",
        "--users",
        "1",
        "--calls",
        "1",
        "--var",
        "text=x",
        "--model",
        "nobody-knows",
        "--model",
        "gpt-4o",
    )
    assert "nobody-knows: unpriced" in text
    assert "50.0 output (at most) x $10.00 a million" in text
    assert "1 users x 1 calls a day = 1 calls a day" in text


def test_an_output_without_a_cap_is_not_priced(project):
    project.write({"prompts/sum/v1.j2": "Summarise\n"})
    data = json.loads(run("--prompt", "sum", "--users", "1", "--calls", "1", "--model", "gpt-4o", "--json"))
    assert data["estimates"][0]["usd_per_call"] is None
