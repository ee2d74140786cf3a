"""``promptopt compare`` as its user calls it."""

import csv
import json
import time
from xml.etree import ElementTree as ET

import pytest
from wire import completion

V1 = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\n---\nPlease tell me: which colour does {{ thing }} have?"
V2 = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\n---\nColour of {{ thing }}:"
SUITE = "tests:\n" + "".join(
    f"  - description: c{n:02}\n    vars: {{thing: thing {n}}}\n    assert: [{{type: icontains, value: blue}}]\n"
    for n in range(60)
)


@pytest.fixture
def colours(project, endpoint):
    """Two prompts, sixty cases, and an endpoint that answers the long prompt well and the short one by half."""
    project.write({"prompts/colour/v1.j2": V1, "prompts/colour/v2.j2": V2, "suites/colour.yaml": SUITE})

    def reply(body):
        text = body["messages"][0]["content"]
        odd = text.rstrip(":?").split("thing ")[1].split()[0][-1] in "13579"
        return "green" if odd and text.startswith("Colour") else "It is blue"

    endpoint.reply = reply
    return project


def test_the_whole_way_from_calls_to_a_verdict_and_back_from_recordings(colours, endpoint) -> None:
    live = colours.run("compare", "colour@v1", "colour@v2", **endpoint.environment)
    assert live.returncode == 1, live.stderr
    assert "this run: 120 calls, $0.0" in live.stderr
    assert "colour@v2 against colour@v1: REGRESSED" in live.stdout
    assert len(endpoint.requests) == 120
    assert {request["max_completion_tokens"] for request in endpoint.requests} == {20}
    replay = colours.run("compare", "colour@v1", "colour@v2")
    assert replay.returncode == 1
    assert replay.stderr == ""
    assert len(endpoint.requests) == 120
    # Latency apart, which a replay does not have, and what the run paid.
    assert replay.stdout.split("answers:")[0] == live.stdout.split("answers:")[0]


def test_json_is_the_documented_form(colours, endpoint) -> None:
    done = colours.run("compare", "colour@v1", "colour@v2", "--json", **endpoint.environment)
    data = json.loads(done.stdout)
    assert data["version"] == 2
    first, second = data["variants"]
    for key in ("prompt", "model", "cases", "pass_rate", "quality", "input_tokens", "cached_tokens", "output_tokens"):
        assert first[key] is not None
    assert (first["prompt"], first["model"], first["cases"]) == ("colour@v1", "gpt-4o-mini", 60)
    assert (first["pass_rate"], second["pass_rate"]) == (1, 0.5)
    assert first["usd_per_1k_calls"] == pytest.approx((11 * 0.15 + first["output_tokens"] * 0.6) / 1000)
    assert second["usd_per_pass"] == pytest.approx(second["usd_per_1k_calls"] / 1000 / 0.5)
    rows = {row["metric"]: row for row in data["comparisons"]}
    assert set(rows) == {"quality", "pass_rate", "input_tokens", "output_tokens", "usd_per_1k_calls", "usd_per_pass"}
    quality = rows["quality"]
    assert (quality["baseline"], quality["candidate"]) == ("colour@v1", "colour@v2")
    assert quality["difference"] == -0.5
    assert quality["low"] < -0.5 < quality["high"] < 0
    assert {row["verdict"] for row in rows.values()} == {"regressed"}
    assert "quality -50.0 points (0 better, 30 worse, 30 the same): worse" in quality["reasons"]


@pytest.mark.parametrize("suffix", ["json", "md", "csv", "html", "xml"])
def test_reports_are_written_beside_the_table(colours, endpoint, suffix: str) -> None:
    done = colours.run("compare", "colour@v1", "colour@v2", "-o", f"out/report.{suffix}", **endpoint.environment)
    assert "REGRESSED" in done.stdout
    text = (colours.root / "out" / f"report.{suffix}").read_text()
    if suffix == "json":
        assert json.loads(text)["version"] == 2
    elif suffix == "csv":
        rows = list(csv.DictReader(text.splitlines()))
        assert len(rows) == 120
        assert {row["passed"] for row in rows if row["prompt"] == "colour@v1"} == {"True"}
    elif suffix == "xml":
        suites = {suite.get("name"): suite for suite in ET.fromstring(text)}
        assert suites["colour@v2"].get("failures") == "30"
        assert suites["verdicts"].get("failures") == "1"
    else:
        assert "regressed" in text.lower()


def test_the_cases_that_differ_are_listed_with_both_answers(colours, endpoint) -> None:
    done = colours.run("compare", "colour@v1", "colour@v2", "--cases", **endpoint.environment)
    assert "30 of 60 cases differ" in done.stdout
    assert "c01\n  colour@v1: pass  'It is blue'\n  colour@v2: FAIL  'green'" in done.stdout


def test_cached_tokens_are_shown_and_priced(colours, endpoint) -> None:
    endpoint.reply = lambda body: (200, {}, completion("blue", body["model"], prompt_tokens=2000, cached=1500))
    done = colours.run("compare", "colour@v1", "--json", **endpoint.environment)
    (variant,) = json.loads(done.stdout)["variants"]
    assert (variant["input_tokens"], variant["cached_tokens"]) == (2000, 1500)
    assert variant["usd_per_1k_calls"] == pytest.approx((500 * 0.15 + 1500 * 0.075 + 1 * 0.6) / 1000)


def test_three_prompts_are_compared_with_the_first(colours, endpoint) -> None:
    colours.write({"prompts/colour/v3.j2": V2.replace("Colour", "The colour")})
    done = colours.run("compare", "colour@v1", "colour@v2", "colour@v3", "--json", **endpoint.environment)
    pairs = {(row["baseline"], row["candidate"], row["verdict"]) for row in json.loads(done.stdout)["comparisons"]}
    assert {(baseline, candidate) for baseline, candidate, _ in pairs} == {
        ("colour@v1", "colour@v2"),
        ("colour@v1", "colour@v3"),
    }


def test_a_run_of_one_prompt_is_a_measurement(colours, endpoint) -> None:
    done = colours.run("compare", "colour@v1", **endpoint.environment)
    assert done.returncode == 0
    assert "colour@v1" in done.stdout
    assert "against" not in done.stdout


def test_a_costlier_prompt_that_is_not_better_fails_the_gate(colours, endpoint) -> None:
    endpoint.reply = lambda body: "It is blue"
    # An input that is longer by more than what 60 answers of at most 20 tokens could hide.
    colours.write({"prompts/colour/v1.j2": V1 + " Please be very careful with your answer." * 10})
    done = colours.run("compare", "colour@v2", "colour@v1", "--price-as", "claude-sonnet-4-6", **endpoint.environment)
    assert done.returncode == 1
    assert "costlier" in done.stdout
    assert "estimated" in done.stdout


def test_a_failed_call_is_sent_again_as_often_as_is_asked_and_its_latency_is_of_one_call(colours, endpoint) -> None:
    failing = {"thing 7", "thing 8"}

    def reply(body):
        thing = body["messages"][0]["content"].rstrip(":?")
        for name in failing:
            if f"{name} " in f"{thing} ":
                failing.discard(name)
                return 503, {}, b'{"error": {"message": "busy"}}'
        return "It is blue"

    endpoint.reply = reply
    once = colours.run("compare", "colour@v1", "--retries", "0", "--max-failed", "10", "--json", **endpoint.environment)
    (variant,) = json.loads(once.stdout)["variants"]
    assert (variant["errors"], len(endpoint.requests)) == (2, 60)
    failing.update({"thing 7", "thing 8"})
    # By default twice, as the SDK does; what is recorded is not asked for.
    again = colours.run("compare", "colour@v1", "--json", **endpoint.environment)
    (variant,) = json.loads(again.stdout)["variants"]
    assert (variant["errors"], len(endpoint.requests)) == (0, 64)
    # The pause before the retry is at least 375 ms.
    assert variant["timed"] == 2
    assert variant["latency_ms"] < 375


def test_calls_are_held_to_a_number_a_minute_also_by_the_configuration(colours, endpoint) -> None:
    colours.write({"pyproject.toml": "[tool.promptopt]\nrpm = 1200\nretries = 1\n"})
    moments = []

    def reply(_body):
        moments.append(time.monotonic())
        return "blue"

    endpoint.reply = reply
    assert colours.run("compare", "colour@v1", **endpoint.environment).returncode == 0
    # Sixty calls are 59 pauses of 50 ms, less what the first one takes to connect.
    assert moments[-1] - moments[0] > 2
    colours.write({"pyproject.toml": "[tool.promptopt]\nrpm = 0\n"})
    refused = colours.run("compare", "colour@v1", **endpoint.environment)
    assert refused.returncode == 2
    assert "pyproject.toml:2: rpm = 0 is not a number of at least 1" in refused.stderr


def test_a_run_that_cannot_go_on_does_not_wait_for_calls_that_are_held_back(colours, endpoint) -> None:
    endpoint.reply = lambda _body: (401, {}, b'{"error": {"message": "bad key"}}')
    started = time.monotonic()
    # Sixteen calls at two a minute would take seven minutes.
    done = colours.run("compare", "colour@v1", "--rpm", "2", timeout=30, **endpoint.environment)
    assert done.returncode == 2
    assert "Check OPENAI_API_KEY" in done.stderr
    assert time.monotonic() - started < 25
