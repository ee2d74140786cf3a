"""What a comparison's own JSON shows is taken from it; what it does not show is refused."""

import json

import pytest
from click.testing import CliRunner

from promptopt.auditing.evidence import measured_ratio, model_evidence
from promptopt.cli import cli
from promptopt.errors import InputError, UsageError


@pytest.fixture
def comparison(tmp_path):
    def write(verdict="not-worse", **tokens):
        variants = [
            {"prompt": "p@v1", "model": "openai:gpt-4o", "input_tokens": 200.0, "output_tokens": 80.0,
             "reasoning_tokens": 0.0},
            {"prompt": "p@v2", "model": "openai:gpt-4o-mini", "input_tokens": 150.0, "output_tokens": 20.0,
             "reasoning_tokens": 0.0, **tokens},
        ]  # fmt: skip
        rows = [{"baseline": "p@v1", "candidate": "p@v2", "metric": each, "verdict": verdict} for each in ("a", "b")]
        path = tmp_path / "comparison.json"
        path.write_text(json.dumps({"version": 2, "variants": variants, "comparisons": rows}), encoding="utf-8")
        return path

    return write


def test_ratios_are_the_candidate_s_tokens_by_the_baseline_s(comparison):
    path = str(comparison())
    assert measured_ratio(path, "input", "--input-ratio") == 0.75
    assert measured_ratio(path, "output", "--output-ratio") == 0.25
    assert measured_ratio("0.5", "input", "--input-ratio") == 0.5


@pytest.mark.parametrize(
    ("verdict", "kind", "says"),
    [
        ("inconclusive", "input", "does not show that the job is still done"),
        ("not-worse", "reasoning", "no reasoning tokens of the baseline"),
    ],
)
def test_what_a_comparison_does_not_show_is_no_ratio(comparison, verdict, kind, says):
    with pytest.raises(InputError, match=says):
        measured_ratio(str(comparison(verdict)), kind, "--ratio")


def test_more_tokens_are_no_saving(comparison):
    with pytest.raises(InputError, match="nothing to save"):
        measured_ratio(str(comparison(input_tokens=300.0)), "input", "--input-ratio")


@pytest.mark.parametrize("given", ["1.5", "nowhere.json"])
def test_what_is_no_ratio_is_refused(given):
    with pytest.raises(UsageError, match="--input-ratio"):
        measured_ratio(given, "input", "--input-ratio")


def test_a_smaller_model_needs_a_comparison_of_it_that_is_good(comparison):
    path = comparison("equivalent")
    assert model_evidence(path, "gpt-4o-mini") == str(path)
    with pytest.raises(InputError, match="and not gpt-5-mini"):
        model_evidence(path, "gpt-5-mini")
    with pytest.raises(InputError, match="says 'regressed' of gpt-4o-mini"):
        model_evidence(comparison("regressed"), "gpt-4o-mini")


def test_an_audit_takes_the_comparison_s_own_json(comparison, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, log = comparison("improved"), tmp_path / "log.jsonl"
    row = {"model": "gpt-4o", "at": 1_790_000_000, "input_tokens": 1000, "output_tokens": 100}
    log.write_text(json.dumps(row) + "\n", encoding="utf-8")
    names = "structured-output,compression,smaller-model"
    options = ["--input-ratio", path, "--output-ratio", path, "--to-model", "gpt-4o-mini", "--evidence", path]
    done = CliRunner().invoke(cli, ["audit", str(log), "--only", names, "--json", *map(str, options)])
    assert done.exit_code == 0, done.output
    steps = json.loads(done.stdout)["steps"]
    # $2.50 and $10 a million: 75 of 100 output tokens, 250 of 1,000 input tokens, then the rates of gpt-4o-mini.
    assert [step["saved_usd"] for step in steps] == pytest.approx([0.00075, 0.000625, 0.002125 - 0.0001275])
