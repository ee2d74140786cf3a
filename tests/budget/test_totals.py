"""What is checked of a whole prompt and of a group: dollars a month, quality, causes, cases that are gone."""

from typing import Any

import pytest
from guarded_project import LONGER, RULES, SUITE, check, commit, kinds, lock, prompt_text, record

from promptopt.budget.lock import read_lock
from promptopt.budget.totals import judge_recorded


def test_dollars_a_month_are_checked_for_the_whole_prompt(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    over = ["input=off", "usd_month=| $5"]
    assert kinds(check(overrides=over)["triage"]) == [("cap", "usd_month", "error")]
    assert kinds(check(overrides=["input=off", "usd_month=$0.01"])["triage"]) == [("regressed", "usd_month", "error")]
    assert not check(overrides=["input=off", "usd_month=$10"])["triage"].failed
    assert "see the cases that grew" in check(overrides=["input=off", "usd_month=$0.01"])["triage"].text
    # A cheaper call, more often.
    locked.write({"prompts/triage/v1.j2": prompt_text("Route.\n").replace("300000", "900000")})
    text = check(overrides=["usd_month=5%"])["triage"].text
    assert "no call costs more: it is calls_per_month" in text
    assert "see the cases" not in text


def test_group_totals(locked: Any) -> None:
    locked.write(
        {
            "pyproject.toml": '[tool.promptopt.budget]\ninput = "off"\n[tool.promptopt.budget.group."tri*".total]\n'
            'input = "20 tokens"\nusd_month = "| $1"\n',
            "prompts/triage/v1.j2": prompt_text(LONGER * 2),
        }
    )
    assert kinds(check()["group tri*"]) == [("regressed", "input", "error"), ("cap", "usd_month", "error")]
    locked.write({"prompts/triage/v1.j2": prompt_text()})
    assert kinds(check()["group tri*"]) == [("cap", "usd_month", "error")]


def test_changed_prices_are_a_cause_of_their_own(guarded: Any) -> None:
    table = '[tool.promptopt.prices."gpt-4o-mini"]\ninput_mtok = {}\noutput_mtok = 0.6\n'
    guarded.write({"pyproject.toml": table.format(0.15)})
    lock()
    guarded.write({"pyproject.toml": table.format(9)})
    results = check(overrides=["usd_call=1%", "usd_month=1%"])
    assert not any(result.failed for result in results.values())
    assert kinds(results["triage"]) == [("cause", "price", "warn")]
    assert "price of input tokens: $0.15 → $9 per million" in results["triage"].text
    # It hides no growth either.
    guarded.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert check()["triage [refund]"].failed


def test_removed_and_renamed_cases(locked: Any) -> None:
    locked.write({"suites/triage.yaml": SUITE.replace("description: parcel", "description: package")})
    results = check()
    assert "renamed: 'parcel' to 'package'" in results["triage"].text
    assert kinds(results["triage"]) == [("renamed", "", "error")]
    assert results["triage [package]"].failed
    locked.write({"suites/triage.yaml": SUITE.split("  - description: parcel")[0]})
    assert "removed: the lock has 'parcel', the suite does not" in check()["triage"].text
    lock("")
    assert not any(result.failed for result in check().values())


def test_recorded_answers_give_output_and_quality(guarded: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    entries = read_lock(guarded.root / "prompts/triage.lock.toml")
    assert entries is not None
    assert [(entry.output, entry.output_is, entry.quality) for entry in entries.cases.values()] == [
        (7, "recorded", 1.0)
    ] * 2
    # The same prompt, recorded again: longer and wrong.
    record({"refund": "hm", "parcel": "hm"}, output_tokens=20)
    results = check()
    assert kinds(results["triage [refund]"]) == [("regressed", "output", "warn")]
    assert kinds(results["triage"]) == [("quality", "quality", "error")]
    assert "quality -100.0 points over 2 recorded answers" in results["triage"].text
    floor = check(overrides=["quality=100 points | 90%"])
    assert [finding for finding in kinds(floor["triage"]) if finding[2] == "error"] == [("quality", "quality", "error")]
    assert "quality 0.0% is below its floor of 90.0%, over 2 recorded answers" in floor["triage"].text
    assert not check(overrides=["quality=off"])["triage"].failed


@pytest.mark.parametrize(
    ("pairs", "judged"),
    [
        ([(1.0, 1.0)] * 3, "not worse"),
        ([(1.0, 0.0)] * 20 + [(1.0, 1.0)] * 20, "worse"),
        ([(0.0, 1.0)] * 20 + [(1.0, 1.0)] * 20, "better"),
        ([(1.0, 0.0)] + [(1.0, 1.0)] * 20, "unclear"),
        ([(1.0, 0.0)], "unclear"),
        ([], "not worse"),
    ],
)
def test_quality_is_judged_as_compare_does(pairs: list[tuple[float, float]], judged: str) -> None:
    assert judge_recorded(pairs, 0.02).quality == judged


def test_a_small_loss_that_is_not_significant_warns(guarded: Any) -> None:
    cases = "".join(
        f"  - {{description: c{n}, vars: {{ticket: parcel {n}}}, assert: [{{type: contains, value: delivery}}]}}\n"
        for n in range(60)
    )
    guarded.write({"suites/triage.yaml": "tests:\n" + cases})
    record({f"c{n}": "delivery" for n in range(60)})
    lock()
    record({"c0": "hm"})
    result = check()["triage"]
    assert kinds(result) == [("quality", "quality", "warn")]
    assert "quality -1.7 points over 60 recorded answers: not significantly worse" in result.text


def test_answers_to_one_question_are_one_answer_as_compare_takes_them(guarded: Any) -> None:
    cases = "".join(
        f"  - {{description: c{n}, vars: {{ticket: parcel, n: {n}}}, assert: [{{type: contains, value: delivery}}]}}\n"
        for n in range(40)
    )
    guarded.write({"suites/triage.yaml": "tests:\n" + cases})
    record({f"c{n}": "delivery" for n in range(40)})
    lock()
    # Of forty tickets these would be a loss.
    record({f"c{n}": "hm" for n in range(8)})
    (line,) = [line for line in check()["triage"].text.splitlines() if "quality" in line]
    assert "quality -20.0 points over 40 recorded answers to 1 question: too few for a test" in line


def test_a_group_sums_the_mean_calls_of_its_prompts_only(locked: Any) -> None:
    locked.write(
        {
            "pyproject.toml": '[tool.promptopt.budget.group."support/*".total]\ninput = "5 tokens"\n'
            'cacheable = "5 tokens"\n',
            "prompts/support/a.j2": prompt_text(),
            "prompts/support/b.j2": prompt_text(),
            "suites/support/a.yaml": SUITE,
            "suites/support/b.yaml": SUITE.replace("my parcel", "my very own parcel"),
        }
    )
    lock()
    result = check()["group support/*"]
    assert result.findings == ()
    # 26 tokens in both cases of one prompt, 26 and 28 of the other.
    assert result.numbers["input"] == ("53", "53")
    locked.write({"prompts/support/a.j2": prompt_text("{{ ticket }}\n" + RULES)})
    result = check()["group support/*"]
    assert kinds(result) == [("regressed", "input", "error"), ("regressed", "cacheable", "error")]
    assert "2 prompts in all" in result.text
    # A prompt that is shorter has no growth, whatever its prefix is.
    locked.write({"prompts/support/a.j2": prompt_text(), "prompts/triage/v1.j2": prompt_text(LONGER)})
    assert check()["group support/*"].findings == ()


def test_of_a_pair_of_equal_cases_one_is_removed_and_not_renamed(guarded: Any) -> None:
    twin = SUITE + "  - {description: twin, vars: {ticket: I want my money back}}\n"
    guarded.write({"suites/triage.yaml": twin})
    lock()
    guarded.write({"suites/triage.yaml": SUITE})
    assert kinds(check()["triage"]) == [("removed", "", "error")]


def test_a_recount_is_only_summed_over_the_same_cases(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text().replace("gpt-4o-mini", "gpt-3.5-turbo")})
    assert "locked input, recounted: 52 → 52 in all cases" in check()["triage"].text
    locked.write({"suites/triage.yaml": SUITE.split("  - description: parcel")[0]})
    text = check()["triage"].text
    assert "tokenizer: o200k_base" in text
    assert "recounted" not in text


@pytest.mark.parametrize(
    ("metric", "limit"), [("input", "0 tokens"), ("usd_month", "$0.01"), ("usd_call", "$0.0000001")]
)
def test_a_sum_that_the_base_exceeds_already_warns_until_the_branch_adds_to_it(
    locked: Any, metric: str, limit: str
) -> None:
    settings = (
        f'[tool.promptopt.budget]\ninput = "off"\n[tool.promptopt.budget.group."*".total]\n{metric} = "{limit}"\n'
    )
    locked.write({"pyproject.toml": settings, "prompts/triage/v1.j2": prompt_text(RULES + "Be kind.\n")})
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    locked.git("checkout", "-qb", "topic")
    # As long as on the base, and longer.
    for text, level in (("Be good.\n", "warn"), ("Be good and kind.\n", "error")):
        locked.write({"prompts/triage/v1.j2": prompt_text(RULES + text)})
        commit(locked)
        assert [finding.level for finding in check()["group *"].findings] == [level]
