"""The check through the gate: what fails, what warns, and what it says."""

import subprocess
import sys
from typing import Any

import pytest
from guarded_project import RULES, SUITE, check, lock, make_gate, prompt_text, record

from promptopt.budget.guarded_prompt import digest, sources_digest
from promptopt.budget.lock import read_lock
from promptopt.budget.result import Result, result_from
from promptopt.budget.totals import judge_recorded
from promptopt.budget.update import update
from promptopt.errors import ConfigError, LockError, TemplateError, UsageError
from promptopt.templates import load_prompt

LONGER = RULES + "Answer politely, and never promise a refund before the team has looked at it.\n"


def kinds(result: Result) -> list[tuple[str, str, str]]:
    return [(finding.kind, finding.metric, finding.level) for finding in result.findings]


def commit(project: Any, message: str = "x") -> None:
    project.git("add", "-A")
    project.git("commit", "-qm", message)


def test_nothing_changed_nothing_found(locked: Any) -> None:
    assert all(not result.findings for result in check().values())


def test_a_new_prompt_fails_until_it_is_locked(guarded: Any) -> None:
    result = check()["triage [refund]"]
    assert kinds(result) == [("new", "", "error")]
    assert "promptopt budget update triage" in result.text
    assert not (guarded.root / "prompts/triage.lock.toml").exists()


def test_a_prompt_that_costs_more_fails_and_the_line_is_named(locked: Any) -> None:
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    result = check()["triage [refund]"]
    assert kinds(result) == [("regressed", "input", "error")]
    text = result.text
    assert "input 26 → 42 (+16, +61.5%)  limit: no growth" in text
    assert "prompts/triage/v1.j2:9     +16  Answer politely, and never promise a refund" in text
    assert "from this branch +16 · already on main +0" in text
    assert "a month at 300,000 calls" in text
    assert "fix: shorten prompts/triage/v1.j2:9" in text
    assert 'or accept: promptopt budget update triage --reason "..."' in text
    assert (result.findings[0].path, result.findings[0].line) == ("prompts/triage/v1.j2", 9)


def test_without_git_the_longest_lines_are_named(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    text = check()["triage [refund]"].text
    assert "the locked text is neither on disk nor in git; the longest lines:" in text
    assert "prompts/triage/v1.j2:9  16 tokens" in text


def test_the_newest_version_is_measured_against_the_locked_one(locked: Any) -> None:
    locked.write({"prompts/triage/v2.j2": prompt_text(LONGER)})
    text = check()["triage [parcel]"].text
    assert "(+16," in text
    assert "prompts/triage/v2.j2:9     +16" in text


def test_lines_of_loops_say_how_often_they_print(project: Any) -> None:
    loop = "{% for e in range(COUNT) %}\nExample: this one says a lot.\n{% endfor %}\n{{ x }}"
    body = f"---\nmodel: gpt-4o-mini\n---\n{loop}"
    project.write({"prompts/p.j2": body.replace("COUNT", "3"), "suites/p.yaml": "tests: [{vars: {x: hi}}]"})
    lock()
    project.git("init", "-q", "-b", "main")
    commit(project)
    project.write({"prompts/p.j2": body.replace("COUNT", "6")})
    text = next(result.text for label, result in check().items() if label.startswith("p ["))
    assert "prompts/p.j2:5" in text
    assert "(printed 6 times, before 3)" in text


def test_limits_leave_room_and_cap(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert not check(overrides=["input=5% & 50"])["triage [refund]"].findings
    assert not check(overrides=["input=off"])["triage [refund]"].failed
    assert kinds(check(overrides=["input=warn 1%"])["triage [refund]"]) == [("regressed", "input", "warn")]
    assert kinds(check(overrides=["input=100% | 30"])["triage [refund]"]) == [("cap", "input", "error")]
    assert kinds(check(overrides=["input=off", "usd_call=1%"])["triage [refund]"]) == [
        ("regressed", "usd_call", "error")
    ]
    assert not check(overrides=["other:input=off"])["triage"].failed


def test_dollars_a_month_are_checked_for_the_whole_prompt(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    over = ["input=off", "usd_month=| $5"]
    assert kinds(check(overrides=over)["triage"]) == [("cap", "usd_month", "error")]
    assert kinds(check(overrides=["input=off", "usd_month=$0.01"])["triage"]) == [("regressed", "usd_month", "error")]
    assert not check(overrides=["input=off", "usd_month=$10"])["triage"].failed


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


def test_growth_that_is_on_the_base_already_only_warns_on_this_branch(locked: Any) -> None:
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    commit(locked)
    # On the main branch itself a growth is always a failure.
    assert check()["triage [refund]"].failed
    locked.git("checkout", "-qb", "topic")
    locked.write({"other.txt": "x"})
    commit(locked)
    result = check()["triage [refund]"]
    assert kinds(result) == [("regressed", "input", "warn")]
    assert "from this branch +0 · already on main +16" in result.text
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER + "One more.\n")})
    result = check()["triage [refund]"]
    assert result.failed
    assert "from this branch +3 · already on main +16" in result.text
    assert "already on HEAD~2" in check(against="HEAD~2")["triage [refund]"].text


def test_a_reference_that_git_cannot_reach(locked: Any) -> None:
    with pytest.raises(UsageError, match="is not in a git repository"):
        make_gate(against="main")
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    with pytest.raises(UsageError, match="fetch-depth: 0"):
        make_gate(against="origin/main")
    tree = locked.git("rev-parse", "HEAD^{tree}").strip()
    stranger = locked.git("commit-tree", tree, "-m", "no parent, another root").strip()
    with pytest.raises(UsageError, match=r"no commit in common with HEAD.*fetch-depth: 0"):
        make_gate(against=stranger)


def test_python_without_asserts_refuses_the_reference_too(locked: Any) -> None:
    command = [sys.executable, "-O", "-m", "promptopt", "budget", "check", "--against", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot compare with 'nowhere'" in done.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [("# Rules\n{{ ticket }}", "## Rules\n{{ ticket }}"), ("Rules {{ ticket }}", "\nRules {{ ticket }}")],
)
def test_an_edited_beginning_is_not_taken_for_the_locked_text(project: Any, before: str, after: str) -> None:
    head = "---\nmodel: gpt-4o-mini\n---\n"
    project.write({"prompts/triage.j2": head + before, "suites/triage.yaml": SUITE})
    lock()
    project.write({"prompts/triage.j2": head + after, "suites/triage.yaml": SUITE.replace("money", "cash")})
    # Case and prompt both changed: counts with today's text would say that nothing grew.
    assert kinds(check()["triage [refund]"]) == [("incomparable", "input", "error")]


@pytest.mark.parametrize("front", ["", "---\nmodel: gpt-4o-mini\n---\n", "---\nmodel: gpt-4o\nseed: 1\n---\n"])
def test_the_front_matter_is_not_part_of_the_digest_of_the_text(project: Any, front: str) -> None:
    project.write({"prompts/p.j2": f"{front}Rules\n"})
    assert sources_digest(load_prompt("p")) == digest(["Rules\n", [], None])


STATIC = "\n".join(f"Rule {n}: always stay polite and factual." for n in range(150)) + "\n"


def test_losing_the_cacheable_prefix_fails_if_it_costs(guarded: Any) -> None:
    guarded.write({"prompts/triage/v1.j2": prompt_text(STATIC)})
    lock()
    guarded.write({"prompts/triage/v1.j2": prompt_text("{{ ticket }}\n" + STATIC)})
    found = check(overrides=["input=off"])["triage [refund]"]
    assert kinds(found) == [("regressed", "cacheable", "error")]
    assert "prompts/triage/v1.j2:7  {{ ticket }}  (nothing after this can be cached)" in found.text
    assert "fix: move line 7" in found.text


def test_a_short_prefix_only_warns_and_a_shorter_prompt_is_fine(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text("{{ ticket }}\n" + RULES)})
    assert ("regressed", "cacheable", "warn") in kinds(check()["triage [refund]"])
    locked.write({"prompts/triage/v1.j2": prompt_text("Route tickets.\n")})
    assert not check()["triage [refund]"].findings


def test_changed_prices_are_a_cause_of_their_own(guarded: Any) -> None:
    table = '[tool.promptopt.prices."gpt-4o-mini"]\ninput_mtok = {}\noutput_mtok = 0.6\n'
    guarded.write({"pyproject.toml": table.format(0.15)})
    lock()
    guarded.write({"pyproject.toml": table.format(9)})
    results = check(overrides=["usd_call=1%", "usd_month=1%"])
    assert not any(result.failed for result in results.values())
    assert kinds(results["triage"]) == [("cause", "", "note")]
    assert "price of input tokens: $0.15 → $9 per million" in results["triage"].text
    # It hides no growth either.
    guarded.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert check()["triage [refund]"].failed


def test_a_changed_tokenizer_is_recounted(guarded: Any) -> None:
    text = prompt_text("Ответь вежливо, пожалуйста.\n")
    guarded.write({"prompts/triage/v1.j2": text})
    lock()
    other = text.replace("gpt-4o-mini", "gpt-3.5-turbo")
    guarded.write({"prompts/triage/v1.j2": other})
    results = check()
    assert not any(result.failed for result in results.values())
    assert "tokenizer: o200k_base@sha256:446a9538 → cl100k_base@sha256:223921b7" in results["triage"].text
    assert "locked input, recounted: " in results["triage"].text
    # The prompt grew as well: found, with and without the locked text.
    guarded.write({"prompts/triage/v1.j2": other.replace("Ответь", "Очень вежливо ответь")})
    grown = check()["triage [refund]"]
    assert grown.failed
    guarded.git("init", "-q", "-b", "main")
    guarded.write({"prompts/triage/v1.j2": text})
    commit(guarded)
    guarded.write({"prompts/triage/v1.j2": other.replace("Ответь", "Очень вежливо ответь")})
    exact = check()["triage [refund]"]
    assert exact.failed
    assert exact.numbers["input"][0] == check()["triage [refund]"].numbers["input"][0]


def test_a_changed_case_is_counted_on_both_sides(locked: Any) -> None:
    locked.write({"suites/triage.yaml": SUITE.replace("money back", "money back now, all of it, with interest")})
    found = check()["triage [refund]"]
    assert kinds(found) == [("changed", "", "warn")]
    # With the prompt changed too and the locked text gone there is nothing to compare with.
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert kinds(check()["triage [refund]"]) == [("incomparable", "input", "error")]
    locked.write({"prompts/triage/v2.j2": prompt_text(LONGER), "prompts/triage/v1.j2": prompt_text()})
    assert kinds(check()["triage [refund]"]) == [("changed", "", "warn"), ("regressed", "input", "error")][::-1]


def test_removed_and_renamed_cases(locked: Any) -> None:
    locked.write({"suites/triage.yaml": SUITE.replace("description: parcel", "description: package")})
    results = check()
    assert "renamed: 'parcel' to 'package'" in results["triage"].text
    assert results["triage"].failed
    assert results["triage [package]"].failed
    locked.write({"suites/triage.yaml": SUITE.split("  - description: parcel")[0]})
    assert "removed: the lock has 'parcel', the suite does not" in check()["triage"].text
    lock("")
    assert not any(result.failed for result in check().values())


def test_a_lock_without_its_prompt_or_suite(locked: Any) -> None:
    (locked.root / "suites/triage.yaml").rename(locked.root / "suites/x.yaml")
    with pytest.raises(LockError, match=r"triage\.lock\.toml: the suite of 'triage' is gone"):
        check()
    (locked.root / "prompts/triage").rename(locked.root / "prompts/other")
    with pytest.raises(LockError, match=r"triage\.lock\.toml: the prompt 'triage' is gone"):
        check()


def test_nothing_to_guard_is_an_error(project: Any) -> None:
    with pytest.raises(UsageError, match="nothing is guarded"):
        check()


def test_a_model_without_a_price(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text().replace("gpt-4o-mini", "gpt-4o-minni")})
    with pytest.raises(ConfigError, match=r"the price table has no model 'gpt-4o-minni'\. Close names: .*gpt-4o-mini"):
        check()


def test_a_prompt_that_does_not_render_for_a_case(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text("{{ nobody }}\n")})
    with pytest.raises(TemplateError, match=r"v1\.j2:7: the variable 'nobody' is undefined\. \(in case 'refund'\)"):
        check()


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


def test_stale_and_missing_answers(guarded: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    guarded.write({"prompts/triage/v1.j2": prompt_text("Route tickets.\n")})
    found = check()["triage [refund]"]
    assert kinds(found) == [("stale", "output", "warn")]
    assert "changed since it was recorded: its messages" in found.text
    assert "promptopt compare prompts/triage/v1.j2 --record stale" in found.text
    guarded.write({"prompts/triage/v2.j2": prompt_text("Route tickets.\n")})
    assert kinds(check()["triage [refund]"]) == [("missing", "output", "warn")]
    guarded.write({"pyproject.toml": '[tool.promptopt.budget]\nrecordings = "error"\n'})
    assert check()["triage [refund]"].failed


def test_a_case_without_cap_and_recording_has_no_output_to_miss(project: Any) -> None:
    project.write({"prompts/p.j2": "---\nmodel: gpt-4o-mini\n---\n{{ ticket }}", "suites/p.yaml": SUITE})
    lock()
    assert not any(result.findings for result in check().values())


def test_results_travel_as_plain_data(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    for result in check().values():
        assert result_from(result.to_dict()) == result


def test_a_cap_may_be_reached(locked: Any) -> None:
    now = check()["triage [refund]"].numbers["input"][1]
    assert check(overrides=[f"input=| {now}"])["triage [refund]"].findings == ()
    assert kinds(check(overrides=[f"input=| {now - 1}"])["triage [refund]"]) == [("cap", "input", "error")]


def test_one_token_more_needs_a_reason(locked: Any) -> None:
    before = check()["triage [refund]"].numbers["input"][1]
    locked.write({"prompts/triage/v1.j2": prompt_text(RULES.replace("Never", "Never ever"))})
    assert check()["triage [refund]"].numbers["input"][1] == before + 1
    with pytest.raises(UsageError, match="would raise 2 locked counts"):
        lock("")


def test_raising_needs_a_reason_and_writes_nothing_without(locked: Any) -> None:
    file = locked.root / "prompts/triage.lock.toml"
    before = file.read_bytes()
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    with pytest.raises(UsageError, match=r"would raise 2 locked counts:\n  triage \[parcel\]: input 26 → 42"):
        lock("")
    assert file.read_bytes() == before
    lock("safer")
    assert 'reason = "safer"' in file.read_text()
    assert not any(result.findings for result in check().values())


def test_an_update_of_one_case_keeps_the_others(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    gate = make_gate()
    update({"triage": (gate.prompts["triage"], {"refund"})}, "safer")
    results = check()
    assert not results["triage [refund]"].failed
    assert results["triage [parcel]"].failed


def test_updates_are_refused_in_ci(locked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(UsageError, match="not written in CI"):
        lock()


def test_a_read_only_checkout(guarded: Any) -> None:
    folder = guarded.root / "prompts" / "triage.lock.toml"
    folder.mkdir()
    with pytest.raises(LockError, match="cannot be"):
        lock()


def test_trim_lowers_and_never_raises(locked: Any) -> None:
    def trim() -> list[Any]:
        return update({"triage": (make_gate().prompts["triage"], None)}, "", trim=True)

    assert trim() == []
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert trim() == []
    locked.write({"prompts/triage/v1.j2": prompt_text("Route tickets.\n")})
    assert [len(file.lines) for file in trim()] == [2]
    locked.write({"prompts/triage/v1.j2": prompt_text()})
    assert check()["triage [refund]"].failed


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
