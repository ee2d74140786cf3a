"""What to do about a finding: labels and runs make strategies assessable, and the gateway takes the settings."""

import json
import tomllib
from decimal import Decimal
from random import Random

import numpy as np
import pytest

from promptopt.auditing.accounting import settle
from promptopt.auditing.actions import gateway_settings
from promptopt.auditing.audit import AuditInput, audit, partial_text, read_partial
from promptopt.auditing.evidence import effort_evidence, label_evidence, measured_cascade, same_model
from promptopt.auditing.log import LoggedCall
from promptopt.auditing.log_builder import LogBuilder
from promptopt.auditing.prompt_digests import text_of
from promptopt.auditing.report import report_data, report_text
from promptopt.auditing.strategies import LogReplay
from promptopt.auditing.strategy_settings import AuditSettings, needs
from promptopt.config import load_config
from promptopt.errors import InputError
from promptopt.gateway.assembly import build_gateway
from promptopt.gateway.settings import read_settings
from promptopt.prices import find_price

START = 1_790_000_000.0


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return load_config()


def given(calls, config):
    builder = LogBuilder(questions=True)
    for call in calls:
        builder.add(call)
    return AuditInput(*settle(builder.build(), config), {"plain": len(builder)})


def judged(good_small=0.99, size=400):
    """Two prompts; both models were given to both, and people judged the answers."""
    random, calls = Random(3), []
    for number in range(size * 2):
        prompt = "triage@v2" if number % 2 else "essay"
        model = "gpt-4o-mini" if number % 4 < 2 else "gpt-4o"
        chance = 0.4 if (prompt, model) == ("essay", "gpt-4o-mini") else good_small if model == "gpt-4o-mini" else 0.95
        label = float(random.random() < chance)
        calls.append(
            LoggedCall(
                model, START + number * 7, 1000, output_tokens=100, prompt=prompt, quality=label, digest=number + 1
            )
        )
    return calls


def dollars(model, calls):
    price = find_price(model)
    return (1000 * price.input_mtok + 100 * price.output_mtok) / Decimal(10**6) * calls


def test_labels_show_for_which_prompts_a_smaller_model_does(config):
    log = given(judged(), config)
    found = audit(log, AuditSettings(to_model="gpt-4o-mini"), config, order=("smaller-model",))
    assert found.labelled == ("triage@v2",)
    (step,) = report_data(found)["steps"]
    assert "triage@v2" in step["assumes"]
    saved = dollars("gpt-4o", 200) - dollars("gpt-4o-mini", 200)
    assert step["saved_usd"] == pytest.approx(float(saved), abs=1e-12)


def test_too_few_labels_show_nothing(config):
    log = given(judged(size=20), config)
    lacking = needs(log.log, AuditSettings(to_model="gpt-4o-mini"), label_evidence(log.log, "gpt-4o-mini"))
    assert "more labels: the 20 of gpt-4o-mini" in lacking["smaller-model"]
    assert "quality labels" in needs(log.log, AuditSettings())["cascade"]


def reasoned(size=500, good=1.0):
    """Two prompts with two models, at high and at low effort; low effort does for one prompt only."""
    calls = []
    for number in range(size * 4):
        prompt, model = ("triage", "essay")[number % 2], ("gpt-5", "gpt-5-mini")[number // 2 % 2]
        effort = ("high", "low")[number // 4 % 2]
        reasoning = 200 if effort == "low" else 900
        bad = effort == "low" and (number // 8 % 3 == 0 if prompt == "essay" else number // 8 % 100 >= 100 * good)
        calls.append(
            LoggedCall(
                model, START + number * 7, 1000, output_tokens=100 + reasoning, reasoning_tokens=reasoning,
                prompt=prompt, effort=effort, quality=float(not bad), digest=number + 1,
            )
        )  # fmt: skip
    return calls


def test_labels_show_for_which_prompts_a_lower_effort_does(config, tmp_path):
    log, settings, order = given(reasoned(), config), AuditSettings(to_effort="low"), ("lower-effort",)
    found = audit(log, settings, config, order=order)
    assert found.effort_labelled == ("triage",)
    (step,) = report_data(found)["steps"]
    # 250 calls of triage at high effort with each model, of which 700 tokens of reasoning are saved.
    saved = sum(250 * 700 * find_price(model).output_mtok / Decimal(10**6) for model in ("gpt-5", "gpt-5-mini"))
    assert step["saved_usd"] == pytest.approx(float(saved), abs=1e-12)
    assert (step["details"]["calls"], step["needs"]) == (500, None)
    assert step["do"] == "reasoning_effort: low in the front matter of triage"
    assert "labels of triage show that low effort loses at most 2%" in step["assumes"]
    total = Decimal(0)
    for number in (1, 2):
        (tmp_path / "part.json").write_text(
            partial_text(audit(log, settings, config, order=order, part=(number, 2)), (number, 2))
        )
        part, _ = read_partial(tmp_path / "part.json")
        assert part.effort_labelled == ("triage",)
        total += part.outcomes[frozenset(order)].bill.usd
    assert total == found.outcomes[frozenset(order)].bill.usd


def test_a_call_that_another_model_takes_over_keeps_its_effort(config):
    log, settings = given(reasoned(), config), AuditSettings(to_effort="low", to_model="gpt-5-mini")
    found = audit(log, settings, config, order=("smaller-model", "lower-effort"))
    by_name = {step["strategy"]: step for step in report_data(found)["steps"]}
    assert by_name["smaller-model"]["details"]["calls"] > 0
    assert by_name["lower-effort"]["details"]["calls"] == 250


@pytest.mark.parametrize(
    ("calls", "effort", "says"),
    [
        (reasoned(40), "low", "more labels: the 80 of answers at low effort"),
        (reasoned(good=0.9), "low", "more labels: the 1,000 of answers at low effort"),
        (reasoned(40), "minimal", "labels of answers at minimal effort in the log, or --effort-ratio FILE"),
        (reasoned(40), None, "quality labels of answers at both efforts in the log, and --to-effort low"),
    ],
)
def test_what_does_not_show_that_a_lower_effort_does(config, calls, effort, says):
    log = given(calls, config).log
    settings = AuditSettings(to_effort=effort)
    assert says in needs(log, settings, effort=effort_evidence(log, effort))["lower-effort"]


def test_a_cascade_pays_the_second_model_for_what_labels_call_bad(config):
    log = given(judged(), config)
    found = audit(log, AuditSettings(to_model="gpt-4o-mini"), config, order=("cascade",))
    labels = label_evidence(log.log, "gpt-4o-mini")
    whole = dollars("gpt-4o", 400)
    paid = found.outcomes[frozenset({"cascade"})].bill.usd - dollars("gpt-4o-mini", 400)
    shares = sorted({round(value, 6) for value in labels.escalated[np.isfinite(labels.escalated)].tolist()})
    # Bounds: 60% of one prompt's answers are bad, and 1% of the other's.
    assert len(shares) == 2
    assert 0.01 < shares[0] < 0.06
    assert 0.6 < shares[1] < 0.7
    expected = sum(dollars("gpt-4o-mini", 200) + Decimal(str(share)) * dollars("gpt-4o", 200) for share in shares)
    assert float(paid) == pytest.approx(float(expected), rel=1e-9)
    assert paid < whole


def cascade_json(path, *, good=True):
    cascade = {
        "prompt": "cascade gpt-4o-mini, gpt-4o", "models": ["gpt-4o-mini", "gpt-4o"], "asked": [1.0, 0.25],
        "steps": [{"model": "gpt-4o-mini", "validators": {"finished": True}}, {"model": "gpt-4o"}], "not_worse": good,
    }  # fmt: skip
    path.write_text(json.dumps({"variants": [], "comparisons": [], "cascade": cascade}), encoding="utf-8")
    return path


def test_a_measured_cascade_is_priced_to_the_cent(config, tmp_path):
    measured = measured_cascade(cascade_json(tmp_path / "c.json"))
    settings = AuditSettings(cascade=measured.models, escalated=measured.escalated, cascade_steps=measured.toml)
    # A dated name is the same model; another one is not in the cascade.
    calls = [
        LoggedCall(model, START + at, 1000, output_tokens=100, tag="nightly")
        for at, model in enumerate(["gpt-4o", "gpt-4o-2024-08-06", "gpt-4.1"])
    ]
    found = audit(given(calls, config), settings, config, order=("cascade",))
    left = found.outcomes[frozenset({"cascade"})].bill.usd
    assert left == 2 * dollars("gpt-4o-mini", 1) + dollars("gpt-4o", 2) / 4 + dollars("gpt-4.1", 1)
    assert same_model("openai:gpt-4o-2024-08-06", "gpt-4o")
    assert not same_model("gpt-4o-mini", "gpt-4o")
    assert not same_model("gpt-4o", "gpt-4o-mini")
    # What nobody waits for has both models' lower rates.
    both = audit(given(calls, config), AuditSettings(**{**_as_dict(settings), "no_wait": ("nightly",)}), config,
                 order=("cascade", "batch"))  # fmt: skip
    assert both.outcomes[frozenset({"cascade", "batch"})].bill.usd == left / 2


def _as_dict(settings):
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}


def test_a_cascade_that_may_be_worse_is_refused(tmp_path):
    with pytest.raises(InputError, match="may be worse"):
        measured_cascade(cascade_json(tmp_path / "c.json", good=False))
    (tmp_path / "none.json").write_text('{"variants": [], "comparisons": []}')
    with pytest.raises(InputError, match="no cascade"):
        measured_cascade(tmp_path / "none.json")


def everything(config, tmp_path):
    """An audit in which each strategy that the gateway has a setting for saves something."""
    calibration = tmp_path / "semantic.json"
    calibration.write_text(
        json.dumps({"threshold": 0.7, "embedder": "wordllama-l2-256", "false_hits": 0.01, "bound": 0.01}),
        encoding="utf-8",
    )
    rules = "Answer the customer in two sentences, and be polite. " * 150
    calls = []
    for number in range(60):
        question = ["How do I reset my password?", "how can I reset my password", "Where is my order?"][number % 3]
        messages = [{"role": "system", "content": rules}, {"role": "user", "content": question}]
        calls.append(
            LoggedCall("gpt-4o", START + 9 * number, 2000, output_tokens=100, digest=number % 6 + 1, latency_s=56.0,
                       prompt="triage", **text_of(messages))
        )  # fmt: skip
    measured = measured_cascade(cascade_json(tmp_path / "c.json"))
    settings = AuditSettings(
        ttl_s=60.0, to_model="gpt-4.1-mini", model_evidence="ab.json", semantic_threshold=0.7,
        semantic_calibration=str(calibration), cascade=measured.models, escalated=measured.escalated,
        cascade_steps=measured.toml, cap=50,
    )  # fmt: skip
    return given(calls, config), settings


def test_the_gateway_takes_every_setting_that_is_written(config, tmp_path):
    pytest.importorskip("wordllama")
    log, settings = everything(config, tmp_path)
    for name in ("exact-cache", "single-flight", "semantic-cache", "provider-cache", "smaller-model", "cascade"):
        found = audit(log, settings, config, order=(name,))
        text = gateway_settings(found)
        table = tomllib.loads(text)["tool"]["promptopt"]["gateway"]
        assert table, name
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        read = read_settings(load_config())
        built = build_gateway(read, load_config())
        built.close()
        switched = {
            "exact-cache": read.cache is not None and read.cache.ttl_of("a text") == 60.0,
            "single-flight": read.single_flight,
            "semantic-cache": read.semantic is not None and read.semantic.calibration is not None,
            "provider-cache": read.prompt_caching,
            "smaller-model": bool(read.router) and read.router[0].model == "gpt-4.1-mini",
            "cascade": [step.model for step in read.cascade] == ["gpt-4o-mini", "gpt-4o"],
        }
        assert switched[name], text
        (step,) = report_data(found)["steps"]
        assert step["do"].startswith("[tool.promptopt.gateway] ")
    (tmp_path / "pyproject.toml").unlink()


def test_rules_of_a_router_are_for_the_prompts_that_labels_show(config, tmp_path):
    found = audit(given(judged(), config), AuditSettings(to_model="gpt-4o-mini"), config, order=("smaller-model",))
    (tmp_path / "pyproject.toml").write_text(gateway_settings(found), encoding="utf-8")
    (rule,) = read_settings(load_config()).router
    assert (rule.model, rule.prompt) == ("gpt-4o-mini", "triage")


def test_what_has_no_setting_is_a_comment_with_its_deed(config):
    calls = [LoggedCall("gpt-4o", START + at, 10, output_tokens=900, failed=at % 2 == 0) for at in range(6)]
    found = audit(given(calls, config), AuditSettings(cap=100), config, order=("waste", "output-cap"))
    assert "# output-cap: max_output_tokens: 100 in the prompt's front matter" in gateway_settings(found)


def test_labels_hold_for_the_parts_of_a_log(config, tmp_path):
    settings = AuditSettings(to_model="gpt-4o-mini")
    log = given(judged(), config)
    whole = audit(log, settings, config, order=("smaller-model", "cascade"))
    total = Decimal(0)
    for number in (1, 2):
        found = audit(log, settings, config, order=("smaller-model", "cascade"), part=(number, 2))
        (tmp_path / "part.json").write_text(partial_text(found, (number, 2)))
        total += read_partial(tmp_path / "part.json")[0].outcomes[frozenset(whole.order)].bill.usd
    assert total == whole.outcomes[frozenset(whole.order)].bill.usd


def test_a_cascade_after_a_smaller_model_costs_no_more_than_it(config):
    log = given(judged(), config)
    replay = LogReplay(
        log.log, AuditSettings(to_model="gpt-4o-mini"), config, labels=label_evidence(log.log, "gpt-4o-mini")
    )
    smaller = replay.outcome(frozenset({"smaller-model"})).bill.usd
    assert replay.outcome(frozenset({"smaller-model", "cascade"})).bill.usd < smaller


def test_the_profile_says_what_was_paid_for_nothing(config):
    text = [{"role": "user", "content": "Where is my order 17? " * 40}]
    other = [{"role": "user", "content": "WHERE is my order 18?! " * 40}]
    calls = [
        LoggedCall("gpt-4o", START, 100, output_tokens=10, digest=1, failed=True, prompt="p", **text_of(text)),
        LoggedCall("gpt-4o", START + 30, 100, output_tokens=10, digest=1, failed=False, prompt="p", **text_of(text)),
        LoggedCall("gpt-4o", START + 60, 100, output_tokens=10, digest=2, failed=True, prompt="p", **text_of(other)),
        LoggedCall("gpt-4o", START + 90, 100, output_tokens=10, digest=3, failed=False, cost_usd=0.09, prompt="p"),
        LoggedCall("claude-sonnet-4-5", START, 3000, cache_write_tokens=2000, output_tokens=1, relation="inside"),
    ]
    found = audit(given(calls, config), AuditSettings(), config)
    counts = found.profile.counts
    assert (counts["repeated"], counts["near_repeated"], counts["failed_and_billed"], counts["retried"]) == (1, 1, 2, 1)
    assert (counts["failed_tokens"], counts["retried_tokens"]) == (220, 110)
    gpt, claude = find_price("gpt-4o"), find_price("claude-sonnet-4-5")
    one = (100 * gpt.input_mtok + 10 * gpt.output_mtok) / 10**6
    data = report_data(found)
    assert data["profile"]["losses"]["failed"] == pytest.approx(float(2 * one))
    assert data["profile"]["losses"]["retried"] == pytest.approx(float(one))
    assert data["profile"]["losses"]["cache written, never read"] == pytest.approx(
        float(2000 * (claude.cache_write_mtok - claude.input_mtok) / 10**6)
    )
    # Of three calls with text, the second is as the first and the third begins with another word.
    assert {row["name"]: row["shared"] for row in data["profile"]["groups"]["prompt"]} == {"p": 0.5, "(none)": None}
    assert (
        data["accounting"]["mispriced"] == {"gpt-4o": [1, 0.09, pytest.approx(float(one))]}
        or data["accounting"]["mispriced"]["gpt-4o"][0] == 1
    )
    text = report_text(data)
    for line in ("near repeats", "lost to retries", "mispriced", "stable prefix", "cache written, never read"):
        assert line in text


def test_a_model_that_is_shut_down_has_a_later_one_that_costs_less(config):
    from datetime import UTC, datetime

    found = audit(given([LoggedCall("gpt-4o", START, 1000, output_tokens=100)] * 2, config), AuditSettings(), config)
    (row,) = report_data(found, datetime(2026, 11, 27, tzinfo=UTC))["profile"]["shutdowns"]
    price = find_price(row["successor"])
    assert row["day"] == "2027-01-14"
    saved = 1 - float((1000 * price.input_mtok + 100 * price.output_mtok) / 10**6 / dollars("gpt-4o", 1))
    assert row["successor_saves"] == pytest.approx(saved)
    assert saved > 0
