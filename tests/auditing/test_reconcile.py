"""A log is compared with what a provider says of the same days."""

import json

import pytest
from click.testing import CliRunner

from promptopt.auditing.readers.files import read_log
from promptopt.auditing.reconcile import read_invoice, reconcile
from promptopt.cli import cli
from promptopt.config import Config
from promptopt.errors import InputError, PromptoptError

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


def test_openai_s_costs_by_line_item_are_those_of_the_model(covered):
    costs = {
        "gpt-4o-2024-08-06, input": 0.01,
        "gpt-4o-2024-08-06, cached input": 0.002,
        "priority | gpt-4o-2024-08-06, output, long context": 0.009,
        "web search tool calls": 0.5,
    }
    results = [{"amount": {"value": usd, "currency": "usd"}, "line_item": item} for item, usd in costs.items()]
    model, search = covered({"data": [{"start_time": AT, "results": results}]})
    assert (model["invoice_usd"], model["share"]) == (pytest.approx(0.021), pytest.approx(0.5))
    assert (search["model"], search["share"]) == ("web search tool calls", 0)


def test_anthropic_s_costs_are_in_cents(covered):
    result = {"amount": "123.45", "currency": "USD", "cost_type": "tokens", "model": "claude-sonnet-4-5"}
    bucket = {"starting_at": f"{DAY}T00:00:00Z", "results": [result]}
    by_model = {row["model"]: row for row in covered({"data": [bucket]})}
    assert by_model["claude-sonnet-4-5"]["invoice_usd"] == pytest.approx(1.2345)
    assert "is in EUR" in covered({"data": [{**bucket, "results": [{**result, "currency": "EUR"}]}]})


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


@pytest.fixture
def invoice(tmp_path):
    def writing(text, name="invoice.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_invoice(path)

    return writing


def test_openai_s_csv_of_usage_and_costs_is_an_invoice(invoice):
    usage = invoice(
        "start_time,end_time,num_model_requests,model,input_tokens,output_tokens\n1788220800,1788307200,5,gpt-4o,100,10\n"
    )
    assert (usage[0].day, usage[0].model, usage[0].input_tokens) == ("2026-09-01", "gpt-4o", 100)
    costs = invoice(
        "start_time,amount_value,amount_currency,line_item\n1788220800,2.5,usd,gpt-4o\n1788220800,-1,usd,credit\n"
    )
    assert [each.usd for each in costs] == [2.5, -1.0]


def test_a_line_of_its_own_keeps_the_day_of_its_bucket(invoice):
    result = '{"input_tokens":100,"output_tokens":10,"model":"gpt-4o"}'
    found = invoice(f'{{"start_time":1788220800,"end_time":1788307200,"results":[{result}]}}\n', "usage.jsonl")
    assert found[0].day == "2026-09-01"


def test_an_invoice_in_other_money_is_refused(invoice):
    with pytest.raises(InputError, match="is in EUR"):
        invoice("day,model,usd,currency\n2026-09-01,gpt-4o,4,EUR\n")


def test_calls_without_a_price_cover_no_share_of_dollars(tmp_path, invoice):
    invoiced = invoice("day,model,usd\n2026-09-01,house-model-1,4\n")
    log = tmp_path / "log.csv"
    log.write_text("at,model,input,output\n2026-09-01,house-model-1,100,10\n", encoding="utf-8")
    (row,) = reconcile(read_log([log]).log, invoiced, Config(tmp_path, tmp_path, tmp_path))
    assert (row.log_usd, row.share, row.log_tokens) == (None, None, 110)
