"""A log is compared with what a provider says of the same days."""

import json

import pytest
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.errors import PromptoptError

DAY, AT = "2026-09-21", 1_790_000_000


@pytest.fixture
def covered(project):
    def reconciling(invoice, *, suffix="json"):
        rows = [
            {"timestamp": AT + n, "model": "gpt-4o-2024-08-06", "input_tokens": 1000, "output_tokens": 100}
            for n in range(3)
        ]
        project.write(
            {
                "calls.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
                f"invoice.{suffix}": invoice if isinstance(invoice, str) else json.dumps(invoice),
            }
        )
        done = CliRunner().invoke(
            cli, ["audit", "reconcile", "calls.jsonl", "--invoice", f"invoice.{suffix}", "--json"]
        )
        if isinstance(done.exception, PromptoptError):
            return str(done.exception)
        return json.loads(done.stdout)["rows"]

    return reconciling


def test_openai_s_usage_counts_tokens(covered):
    result = {"model": "gpt-4o-2024-08-06", "input_tokens": 4000, "input_cached_tokens": 500, "output_tokens": 400}
    bucket = {
        "start_time": AT - 3600,
        "end_time": AT,
        "results": [{"object": "organization.usage.completions.result", **result}],
    }
    (row,) = covered({"object": "page", "data": [bucket]})
    assert (row["day"], row["log_tokens"], row["invoice_tokens"], row["share"]) == (DAY, 3300, 4400, 0.75)


def test_openai_s_costs_are_dollars_of_a_day(covered):
    bucket = {"start_time": AT, "results": [{"amount": {"value": 0.021, "currency": "usd"}, "line_item": None}]}
    (row,) = covered({"data": [bucket]})
    assert row["share"] == pytest.approx(3 * 0.0035 / 0.021)
    assert "is in eur, not in dollars" in covered(
        {"data": [{**bucket, "results": [{"amount": {"value": 1, "currency": "eur"}}]}]}
    )


def test_anthropic_counts_beside(covered):
    result = {
        "model": "claude-sonnet-4-5",
        "uncached_input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
        "output_tokens": 5,
    }
    rows = covered(
        {"data": [{"starting_at": f"{DAY}T00:00:00Z", "ending_at": f"{DAY}T23:00:00Z", "results": [result]}]}
    )
    by_model = {row["model"]: row for row in rows}
    assert by_model["claude-sonnet-4-5"]["invoice_tokens"] == 165
    assert by_model["claude-sonnet-4-5"]["log_tokens"] == 0
    # The log has what the invoice does not.
    assert [row["share"] for row in rows if row["model"].startswith("gpt-4o")] == [None]


def test_plain_rows_are_read(covered):
    (row,) = covered(f"date,model,cost\n{DAY},gpt-4o-2024-08-06,0.0105\n", suffix="csv")
    assert row["share"] == pytest.approx(1.0)
    assert "has neither dollars nor tokens" in covered(f"date,model\n{DAY},gpt-4o\n", suffix="csv")
    assert "invoice.csv:2: cost is 'much', not a number" in covered(
        f"date,model,cost\n{DAY},gpt-4o,much\n", suffix="csv"
    )
