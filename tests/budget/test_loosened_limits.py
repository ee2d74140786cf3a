"""Limits that a branch makes looser: they are named, with the growth that passes only under them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import forks
import pytest
from guarded_project import LONGER, RULES, SUITE, check, commit, kinds, lock, make_gate, prompt_text, record
from hypothesis import given
from hypothesis import strategies as st

from promptopt.budget.built_prompt import check_built, draft_built
from promptopt.budget.history import LockLog
from promptopt.budget.limits import METRICS, Metric, parse_drift, parse_limit
from promptopt.budget.report import write_report
from promptopt.budget.result import Result
from promptopt.budget.update import write_locks

BEFORE = "limit loosened on this branch: "


def on_a_branch(project: Any, budget: str = "", *, top: str = "") -> None:
    """Lock and commit with these limits on main, and check a branch out."""
    limits(project, budget, top=top)
    lock()
    project.git("init", "-qb", "main")
    commit(project)
    project.git("checkout", "-qb", "work")


def limits(project: Any, budget: str, *, top: str = "") -> None:
    project.write({"pyproject.toml": f"[tool.promptopt]\n{top}\n[tool.promptopt.budget]\n{budget}\n"})


def looser(**options: Any) -> list[Result]:
    return make_gate(**options).loosened


def named(results: list[Result]) -> list[str]:
    return [finding.summary.removeprefix(BEFORE) for result in results for finding in result.findings]


def passing(results: list[Result]) -> list[str]:
    return [line.removeprefix("passes only under it: ") for each in results for line in each.findings[0].details]


def test_a_looser_limit_is_named_with_the_growth_that_it_lets_pass(guarded: Any) -> None:
    on_a_branch(guarded)
    limits(guarded, 'input = "90%"')
    guarded.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    results = check()
    assert not results["triage [refund]"].findings
    found = results[""]
    assert kinds(found) == [("loosened", "input", "warn")]
    assert found.findings[0].summary == f"{BEFORE}input: no growth → 90% (pyproject.toml:4)"
    assert (found.findings[0].path, found.findings[0].line) == ("pyproject.toml", 4)
    growth = passing([found])
    assert [line.partition("  ")[0] for line in growth] == ["triage [refund]", "triage [parcel]"]
    assert all(line.endswith("limit: no growth") for line in growth)
    assert check(strict=True)[""].failed


def test_growth_beyond_the_looser_limit_too_is_not_said_to_pass(guarded: Any) -> None:
    on_a_branch(guarded)
    limits(guarded, 'input = "1%"')
    guarded.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    results = check()
    assert results["triage [refund]"].failed
    assert named([results[""]]) == ["input: no growth → 1% (pyproject.toml:4)"]
    assert not passing([results[""]])


TABLES = [
    # Limits on main, on the branch, and what is said.
    ('input = "5%"', 'input = "50 tokens"', "input: 5% → 50 tokens (pyproject.toml:4)"),
    ('input = "5%"', 'input = "warn 5%"', "input: 5% → warn 5% (pyproject.toml:4)"),
    ('input = "warn"', 'input = "off"', "input: warn no growth → off (pyproject.toml:4)"),
    ('input = "| 900"', 'input = "| 1000"', "input: | 900 → | 1000 (pyproject.toml:4)"),
    ('input = "5% | 900"', 'input = "5%"', "input: 5% | 900 → 5% (pyproject.toml:4)"),
    ('usd_month = "$20"', 'usd_month = "$40"', "usd_month: $20 → $40 (pyproject.toml:4)"),
    ('usd_month = "| $20"', "", "usd_month: | $20 → off (pyproject.toml)"),
    ('quality = "| 90%"', 'quality = "| 80%"', "quality: 2 points | 90% → 2 points | 80% (pyproject.toml:4)"),
    ("", 'quality = "5 points"', "quality: 2 points → 5 points (pyproject.toml:4)"),
    ("", 'cacheable = "10%"', "cacheable: no loss → 10% (pyproject.toml:4)"),
    ("", 'model = "5%"', "model: no growth → 5% (pyproject.toml:4)"),
    ("", 'parameters = "warn"', "parameters: error → warn (pyproject.toml:4)"),
    # What is known as output here is a cap, whose default is stricter than that of answers.
    ("", 'output = "warn 5%"', "output: no growth → warn 5% (pyproject.toml:4)"),
    ('drift = "20% / 90d"', 'drift = "30% / 90d"', "drift: 20% / 90d → 30% / 90d (pyproject.toml:4)"),
    ('drift = "20% / 90d"', 'drift = "20% / 30d"', "drift: 20% / 90d → 20% / 30d (pyproject.toml:4)"),
    ('drift = "20% / 90d"', 'drift = "warn 20% / 90d"', "drift: 20% / 90d → warn 20% / 90d (pyproject.toml:4)"),
    ('drift = "20% / 90d"', "", "drift: 20% / 90d → off (pyproject.toml)"),
    ('recordings = "error"', "", "recordings: error → warn (pyproject.toml)"),
    ("strict = true", "strict = false", "strict: true → false (pyproject.toml:4)"),
    ("", 'group."tri*".input = "7%"', "input: no growth → 7% (pyproject.toml:4)"),
    ("", 'prompt = { triage = { input = "7%" } }', "input: no growth → 7% (pyproject.toml:4)"),
    ("", 'prompt.triage.case.refund.input = "off"', "input of triage [refund]: no growth → off (pyproject.toml:4)"),
    (
        'group."*".total.usd_month = "| $20"',
        'group."*".total.usd_month = "| $30"',
        "usd_month of group *: | $20 → | $30 (pyproject.toml:4)",
    ),
]


@pytest.mark.parametrize(("before", "now", "said"), TABLES)
def test_each_kind_of_limit_is_seen_and_its_return_is_not(guarded: Any, before: str, now: str, said: str) -> None:
    on_a_branch(guarded, before)
    assert not looser()
    limits(guarded, now)
    assert named(looser()) == [said]
    # The other way it is tighter.
    commit(guarded, "looser")
    guarded.git("branch", "-fq", "main", "HEAD")
    limits(guarded, before)
    assert not looser()


def test_the_margin_of_the_project_is_the_limit_of_a_quality_without_points(guarded: Any) -> None:
    on_a_branch(guarded)
    limits(guarded, "", top="margin = 8")
    assert named(looser()) == ["quality: 2 points → 8 points (pyproject.toml:2)"]


def test_a_limit_in_a_file_of_its_own_and_in_a_table_has_its_line(guarded: Any) -> None:
    guarded.write({"pyproject.toml": "[tool.promptopt]\n", "budget.toml": '[prompt.triage]\ninput = "5%"\n'})
    on_a_branch_of = '# why\n[prompt."triage"]\ncacheable = "off"\n"input" = "6%"  # more\n'
    lock()
    guarded.git("init", "-qb", "main")
    commit(guarded)
    guarded.git("checkout", "-qb", "work")
    guarded.write({"budget.toml": on_a_branch_of})
    assert named(looser()) == ["input: 5% → 6% (budget.toml:4)", "cacheable: no loss → off (budget.toml:3)"]


def test_only_the_prompts_that_a_limit_is_of_are_named(guarded: Any) -> None:
    guarded.write({"prompts/reply/v1.j2": prompt_text(RULES), "suites/reply.yaml": SUITE})
    on_a_branch(guarded)
    limits(guarded, '[tool.promptopt.budget.prompt.reply]\ninput = "9%"')
    assert named(looser()) == ["input of reply: no growth → 9% (pyproject.toml:5)"]
    assert not looser(names=["triage"])


def test_a_new_prompt_and_the_command_line_loosen_nothing(guarded: Any) -> None:
    on_a_branch(guarded)
    guarded.write({"prompts/reply/v1.j2": prompt_text(LONGER), "suites/reply.yaml": SUITE})
    limits(guarded, 'prompt.reply.input = "off"')
    lock()
    assert not looser()
    assert not looser(overrides=["input=off"])


def test_a_limit_of_the_command_line_lets_nothing_pass_that_the_branch_did(guarded: Any) -> None:
    on_a_branch(guarded)
    limits(guarded, 'input = "90%"')
    guarded.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    (found,) = looser(overrides=["input=off"])
    assert not found.findings[0].details


def test_a_cap_that_does_not_go_along_to_another_name_is_a_looser_limit(guarded: Any) -> None:
    guarded.write({"prompts/reply/v1.j2": prompt_text("Reply."), "suites/reply.yaml": SUITE.replace("money", "box")})
    on_a_branch(guarded, 'prompt.triage.input = "| 60"')
    for old, new in (("prompts/triage", "prompts/desk"), ("suites/triage.yaml", "suites/desk.yaml")):
        (guarded.root / old).rename(guarded.root / new)
    (guarded.root / "prompts/triage.lock.toml").rename(guarded.root / "prompts/desk.lock.toml")
    guarded.write({"prompts/desk/v1.j2": prompt_text(LONGER * 3)})
    lock()
    found = looser()
    assert named(found) == ["input of desk: | 60 → no growth (pyproject.toml)"]
    assert [line.partition("  ")[0] for line in passing(found)] == ["desk [refund]", "desk [parcel]"]
    limits(guarded, 'prompt.desk.input = "| 60"')
    assert not looser()


def test_a_looser_limit_of_a_prompt_that_tests_build_is_named(guarded: Any) -> None:
    built = check_built(make_gate(), "chat", "ann", "Be kind.", "gpt-4o-mini", 60, {})
    write_locks(draft_built(make_gate(), [built], "", trim=False), "")
    on_a_branch(guarded)
    limits(guarded, 'prompt.chat.input = "9%"')
    assert named(looser()) == ["input of chat: no growth → 9% (pyproject.toml:4)"]


def test_the_same_limits_cost_no_look_at_the_locks_of_the_base(guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_branch(guarded, 'input = "5%"')
    gate = make_gate()
    read: list[str] = []
    monkeypatch.setattr(LockLog, "lock_at", lambda _log, _commit, prompt: read.append(prompt))
    assert not gate.loosened
    assert not read


def test_without_a_base_nothing_is_claimed(locked: Any) -> None:
    limits(locked, 'input = "off"')
    assert not looser()
    locked.git("init", "-qb", "trunk")
    commit(locked)
    assert not looser()


def test_limits_that_cannot_be_read_on_the_base_are_compared_with_nothing(guarded: Any) -> None:
    lock()
    guarded.write({"pyproject.toml": '[tool.promptopt.budget]\ninput = "5"\n'})
    guarded.git("init", "-qb", "main")
    commit(guarded)
    limits(guarded, 'input = "off"')
    assert not looser()


def test_a_limit_in_dollars_that_takes_over_a_cause_is_named_if_something_passes(guarded: Any) -> None:
    on_a_branch(guarded)
    limits(guarded, 'usd_month = "900%"')
    assert not looser()
    guarded.write({"prompts/triage/v1.j2": prompt_text().replace("gpt-4o-mini", "gpt-4.1-mini")})
    found = looser()
    assert named(found) == ["model: no growth → judged by usd_month (pyproject.toml:4)"]
    assert passing(found) == ["triage  model: gpt-4o-mini → gpt-4.1-mini"]


def test_a_stale_answer_and_a_cap_pass_only_under_their_own_limits(guarded: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    on_a_branch(guarded, 'recordings = "error"')
    limits(guarded, 'input = "off"')
    guarded.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    found = {named([result])[0].partition(":")[0]: passing([result]) for result in looser()}
    assert [line.partition("  ")[2][:5] for line in found["input"]] == ["input"] * 2
    assert ["stale" in line for line in found["recordings"]] == [True, True]


def test_a_total_of_a_group_shows_what_it_lets_pass(guarded: Any) -> None:
    on_a_branch(guarded, 'input = "off"\ngroup."*".total.input = "1%"')
    limits(guarded, 'input = "off"\ngroup."*".total.input = "99%"')
    guarded.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    (line,) = passing(looser())
    assert line.startswith("group *  input ")
    assert line.endswith("limit: 1%")


def test_reports_have_it_and_it_is_worth_a_comment(guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    on_a_branch(guarded, 'input = "5%"\nquality = "1 points"')
    limits(guarded, 'input = "6%"\nquality = "3 points"')
    results = list(make_gate().check())
    said = [f"{BEFORE}input: 5% → 6% (pyproject.toml:4)", f"{BEFORE}quality: 1 points → 3 points (pyproject.toml:5)"]
    for kind in ("json", "github", "sarif", "gitlab", "html"):
        printed = write_report(kind, Path(f"{kind}.out"), results, make_gate().impact())
        text = Path(f"{kind}.out").read_text(encoding="utf-8")
        assert all(line in text for line in said), kind
        assert kind != "github" or f"::warning file=pyproject.toml,line=5,title=prompt budget::{said[1]}" in printed
    data: Mapping[str, Any] = json.loads(Path("json.out").read_text(encoding="utf-8"))
    found = [finding for result in data["results"] for finding in result["findings"]]
    assert [(each["kind"], each["level"], each["metric"]) for each in found] == [
        ("loosened", "warn", "input"),
        ("loosened", "warn", "quality"),
    ]
    prints = [entry["fingerprint"] for entry in json.loads(Path("gitlab.out").read_text(encoding="utf-8"))]
    assert len(set(prints)) == 2


def test_the_difference_to_a_reference_and_pytest_say_it_once(guarded: Any) -> None:
    on_a_branch(guarded)
    limits(guarded, 'input = "5%"')
    said = f"{BEFORE}input: no growth → 5% (pyproject.toml:4)"
    shown = guarded.run("budget", "diff", "main", COLUMNS="200")
    assert shown.stdout.splitlines() == ["against main: no prompt changed", said]
    shown = guarded.run("budget", "diff", COLUMNS="200")
    assert shown.stdout.splitlines() == [f"  WARN {said}", "0 of 2 cases changed"]
    flags = ["-p", "no:randomly", "--prompt-budget-only", "--prompt-budget-strict"]
    done = forks.run("pytest", flags, cwd=guarded.root, env=os.environ, timeout=120)
    assert (done.returncode, done.stdout.count(f"FAIL {said}")) == (1, 1)


amounts = st.integers(0, 300)
limit_texts = st.one_of(
    st.just("error"),
    st.just("off"),
    st.builds("{}{}%".format, st.sampled_from(["", "warn "]), amounts),
    st.builds("{} tokens".format, amounts),
    st.builds("{}% & {} tokens".format, amounts, amounts),
    st.builds("{}% | {}".format, amounts, amounts),
    st.builds("| {}".format, amounts),
)


@given(limit_texts, limit_texts, amounts, amounts)
def test_what_passes_only_under_a_limit_makes_it_looser(old: str, new: str, locked: int, growth: int) -> None:
    before, now = parse_limit("input", old), parse_limit("input", new)

    def reported(limit: Any) -> int:
        over = limit.exceeded(locked, growth) or limit.beyond_cap("input", locked + growth)
        return {"off": 0, "warn": 1, "error": 2}[limit.level] * over

    if reported(now) < reported(before):
        assert now.looser("input", before)
        assert now.looser("input", before, [locked])
    assert not now.looser("input", now)


@pytest.mark.parametrize("metric", METRICS)
def test_no_limit_is_looser_than_off(metric: Metric) -> None:
    assert not parse_limit(metric, "off").looser(metric, parse_limit(metric, "off"))
    assert not parse_limit(metric, "warn").looser(metric, parse_limit(metric, "off"))
    assert parse_limit(metric, "off").looser(metric, parse_limit(metric, "warn"))


def test_an_amount_for_a_share_is_looser_if_it_allows_more_of_what_is_locked() -> None:
    share, amount = parse_limit("input", "5%"), parse_limit("input", "50 tokens")
    assert amount.looser("input", share, [30, 5000])
    assert not share.looser("input", amount, [30])
    assert not amount.looser("input", share, [1000])
    assert share.looser("input", amount, [1001])
    assert share.looser("input", amount)
    # What allows more by a share and not less by an amount will do so when the prompt is longer.
    assert parse_limit("input", "9% & 50").looser("input", parse_limit("input", "5% & 50"), [30])


def test_no_drift_is_looser_than_off() -> None:
    assert not parse_drift("20% / 90d").looser(parse_drift("off"))
    assert parse_drift("off").looser(parse_drift("20% / 90d"))
    assert not parse_drift("20% / 120d").looser(parse_drift("20% / 90d"))
