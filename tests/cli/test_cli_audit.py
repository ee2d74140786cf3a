"""``promptopt audit`` as its user calls it."""

import json

import pytest
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.errors import PromptoptError

ROW = {"timestamp": 1.79e9, "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}


def run(*arguments):
    done = CliRunner().invoke(cli, ["audit", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments):
    done = CliRunner().invoke(cli, ["audit", *map(str, arguments)])
    assert isinstance(done.exception, PromptoptError), done.output
    return str(done.exception)


@pytest.fixture
def log(project):
    def write(*rows):
        path = project.root / "calls.jsonl"
        path.write_text(
            "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
        )
        return path

    return write


def test_the_json_has_what_is_documented(log):
    data = json.loads(run(log(ROW, ROW), "--json", "--only", "output-cap", "--cap", 60))
    assert {"version", "rows", "rejected", "accounting", "baseline_usd", "shares", "steps"} <= data.keys()
    assert data["baseline_usd"] == pytest.approx(2 * (1000 * 2.5 + 100 * 10) / 1e6)
    assert data["shares"] == {
        "input": pytest.approx(2.5 / 3.5),
        "cached": 0.0,
        "output": pytest.approx(1 / 3.5),
        "reasoning": 0.0,
    }
    (step,) = data["steps"]
    assert {
        "strategy",
        "saved_usd",
        "saved_share",
        "low",
        "high",
        "latency_s",
        "needs",
        "assumes",
        "details",
    } <= step.keys()
    assert step["details"]["cut_share"] == 1.0
    assert step["saved_usd"] == pytest.approx(2 * 40 * 10 / 1e6)


def test_a_log_of_one_row_is_audited(log):
    assert "1 calls" in run(log(ROW))


def test_strategies_are_ordered_and_chosen(log):
    rows = [{**ROW, "timestamp": 1.79e9 + n, "digest": "a", "latency_s": 5, "status": "ok"} for n in range(20)]
    data = json.loads(
        run(log(*rows), "--json", "--order", "single-flight,exact-cache", "--only", "exact-cache,single-flight")
    )
    assert [step["strategy"] for step in data["steps"]] == ["single-flight", "exact-cache"]
    data = json.loads(run(log(*rows), "--json", "--all-orders", "--only", "exact-cache,single-flight"))
    assert {each["strategy"] for each in data["shapley"]} == {"exact-cache", "single-flight"}
    assert "'exact-cash' is not a strategy. Did you mean 'exact-cache'?" in refused(log(ROW), "--only", "exact-cash")


def test_more_than_one_bad_row_in_a_hundred_is_asked_about(log, project):
    path = log(*[ROW] * 50, "nonsense")
    assert "2.0% of the rows cannot be read" in refused(path)
    assert "50 calls" in run(path, "--allow-rejected", "--rejects", project.root / "bad.jsonl")
    (bad,) = (project.root / "bad.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(bad)["place"].endswith("calls.jsonl:51")


def test_ambiguous_rows_are_asked_about(log):
    path = log({**ROW, "cached_tokens": 400})
    assert "--accounting gpt-4o=inside" in refused(path)
    inside, beside = (
        json.loads(run(path, "--json", "--accounting", f"all={each}"))["baseline_usd"] for each in ("inside", "beside")
    )
    assert beside - inside == pytest.approx(400 * 2.5 / 1e6)
    assert "is not written GROUP=inside" in refused(path, "--accounting", "all=outside")


def test_parts_are_merged(log, project):
    path = log(*[{**ROW, "timestamp": 1.79e9 + n, "digest": f"{n % 7}", "status": "ok"} for n in range(90)])
    whole = run(path, "--json")
    for number in (1, 2, 3):
        (project.root / f"{number}.json").write_text(run(path, "--partition", f"{number}/3"), encoding="utf-8")
    parts = [project.root / f"{number}.json" for number in (3, 1, 2)]
    assert run("merge", *parts, "--json") == whole
    assert "give each part of one audit once" in refused("merge", parts[0], parts[1])
    assert "is not a part of an audit" in refused("merge", path)
    assert "is not written I/N" in refused(path, "--partition", "4/3")


def test_two_months_are_explained(log):
    september, october = 1_788_998_400, 1_791_590_400
    path = log(*({**ROW, "timestamp": september} for _ in range(2)), *({**ROW, "timestamp": october} for _ in range(5)))
    text = run("explain", path, "--from", "2026-09", "--to", "2026-10")
    assert "2026-09: $0.00700 for 2 calls; 2026-10: $0.0175 for 5" in text
    data = json.loads(run("explain", path, "--from", "2026-09", "--to", "2026-10", "--json"))
    assert data["parts"]["traffic"] == pytest.approx(3 * 0.0035)
    assert "no call in 2025-01; the log has 2026-09-10 to 2026-10-10" in refused(
        "explain", path, "--from", "2025-01", "--to", "2026-10"
    )
    assert "is not a month" in refused("explain", path, "--from", "autumn", "--to", "2026-10")


def test_the_gateway_s_settings_are_written_once(log, project):
    path = log(*[{**ROW, "timestamp": 1.79e9 + n, "digest": "a", "latency_s": 0.5, "status": "ok"} for n in range(20)])
    target = project.root / "gateway.toml"
    run(path, "--write-gateway", target)
    assert 'cache = {ttl = "3600s"}' in target.read_text(encoding="utf-8")
    assert "is there already" in refused(path, "--write-gateway", target)


def test_markdown_is_a_table(log):
    assert "| output-cap | $0.000400 |" in run(log(ROW), "--markdown", "--cap", 60)


def test_bad_input_is_named(log, project):
    assert "there is no such file" in refused(project.root / "none.jsonl")
    empty = log()
    assert "is empty" in refused(empty)


def test_published_traces_are_reproduced(data):
    """Figures of a throwaway replay of the same traces, of which nothing is used here."""
    mooncake = data / "mooncake" / "conversation_trace.jsonl"
    for lifetime, minimum, share in (("30m", 0, 0.371), ("5m", 1024, 0.264)):
        found = json.loads(
            run(
                mooncake,
                "--model",
                "gpt-4o",
                "--only",
                "provider-cache",
                "--cache-lifetime",
                lifetime,
                "--renew",
                "--cache-minimum",
                minimum,
                "--json",
            )
        )
        assert round(found["steps"][0]["details"]["cached_input_share"], 3) == share
    azure = data / "azure" / "AzureLLMInferenceTrace_conv.csv"
    found = json.loads(run(azure, "--model", "gpt-4o", "--only", "output-cap", "--cap", 300, "--json"))
    assert round(found["shares"]["output"], 3) == 0.422
    assert round(found["steps"][0]["saved_share"], 3) == 0.085
    assert round(found["steps"][0]["details"]["cut_share"], 3) == 0.335


def test_real_exports_of_langfuse_are_read(data):
    found = json.loads(run(data / "langfuse", "--json"))
    assert (found["rows"], found["rejected"], found["unpriced"]) == (26, 0, 1)
    # Langfuse priced one model at half, and one call from something else than its usage.
    assert found["accounting"]["compared"] == 25
    assert found["accounting"]["differing"] == {"gpt-4o": 1, "gpt-4o-2024-08-06": 2}


def test_calls_without_a_time_are_said_when_periods_are_explained(log):
    path = log(ROW, {**ROW, "timestamp": None}, {**ROW, "timestamp": 1.79e9 + 86400})
    done = CliRunner().invoke(cli, ["audit", "explain", str(path), "--from", "2026-09-21", "--to", "2026-09-22"])
    assert done.exit_code == 0, done.output
    assert "1 of 3 calls have no time, and are in no period" in done.output


def test_a_skeleton_does_not_take_the_place_of_its_log(log, project):
    path = log(ROW)
    before = path.read_bytes()
    assert "is the log itself" in refused("skeleton", path, "-o", path)
    assert path.read_bytes() == before
    assert "no such folder" in refused("skeleton", path, "-o", project.root / "none" / "x.parquet")


def test_no_case_is_drawn_from_a_count_of_tokens(project):
    path = project.root / "calls.csv"
    path.write_text("model,input,output\ngpt-4o,100,10\n", encoding="utf-8")
    assert "no call of the log has the text" in refused(path, "--seed-suite", "3")


def test_parts_of_different_logs_are_not_merged(log, project):
    first, second = project.root / "first.json", project.root / "second.json"
    first.write_text(run(log(ROW, ROW), "--partition", "1/2"), encoding="utf-8")
    second.write_text(run(log(ROW), "--partition", "2/2"), encoding="utf-8")
    assert "their settings or their logs are not the same" in refused("merge", first, second)
    body = {**json.loads(first.read_text(encoding="utf-8")), "rates": [["gpt-4o", "standard", ["two"], False]]}
    second.write_text(json.dumps(body), encoding="utf-8")
    assert "is not a part of an audit" in refused("merge", second)


def test_a_skeleton_is_audited_alone(log, project):
    path, skeleton = log(ROW), project.root / "skeleton.parquet"
    run("skeleton", path, "-o", skeleton)
    assert "audit it alone" in refused(skeleton, path)


@pytest.mark.parametrize(
    ("model", "invoiced", "says"), [("house-model-1", 4, "unpriced"), ("gpt-4o", 0, "nothing invoiced")]
)
def test_a_share_that_cannot_be_said_says_why(log, project, model, invoiced, says):
    invoice = project.root / "invoice.csv"
    invoice.write_text(f"day,model,usd\n2026-09-21,{model},{invoiced}\n", encoding="utf-8")
    assert says in run("reconcile", log({**ROW, "model": model}), "--invoice", invoice)


def test_an_invoice_in_another_encoding_is_named_for_it(log, project):
    invoice = project.root / "invoice.csv"
    invoice.write_bytes("day,model,usd\n".encode("utf-16"))
    assert "UTF-16" in refused("reconcile", log(ROW), "--invoice", invoice)
