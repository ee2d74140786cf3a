"""The check of cases through the gate: what fails, what warns, and what it says."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from guarded_project import (
    LONGER,
    RULES,
    STATIC,
    SUITE,
    check,
    commit,
    kinds,
    lock,
    make_gate,
    prompt_text,
    record,
)

from promptopt.budget.drift import log_lines
from promptopt.budget.guarded_prompt import digest, sources_digest
from promptopt.budget.html_report import budget_page
from promptopt.budget.lock import LockEntry, lost, read_lock
from promptopt.budget.report import guard_line
from promptopt.budget.result import result_from
from promptopt.config import load_config
from promptopt.errors import UsageError
from promptopt.templates import load_prompt
from promptopt.webpage.blocks import TableBlock


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


def test_a_line_that_only_moved_is_not_blamed(guarded: Any) -> None:
    lines = "".join(f"Rule {n}: {word} is not mentioned.\n" for n, word in enumerate(("price", "name", "date")))
    guarded.write({"prompts/triage/v1.j2": prompt_text(RULES + lines)})
    lock()
    guarded.git("init", "-q", "-b", "main")
    commit(guarded)
    # The first line goes to the end, and one in between becomes longer.
    first, second = RULES.splitlines(keepends=True)
    longer = second.replace("policy.", "policy or any plan.")
    guarded.write({"prompts/triage/v1.j2": prompt_text(longer + lines + first)})
    result = check()["triage [refund]"]
    assert "fix: shorten prompts/triage/v1.j2:7" in result.text
    assert "policy or any plan.  (before: 5 tokens)" in result.text
    assert (result.findings[0].path, result.findings[0].line) == ("prompts/triage/v1.j2", 7)
    assert "You route" not in result.text


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


def test_of_many_different_growths_the_last_borrow_the_lines_of_a_similar_one_and_say_so(project: Any) -> None:
    body = "---\nmodel: gpt-4o-mini\n---\nList:\n{% for e in range(n) %}\n- an entry\nMORE{% endfor %}\n"
    tests = "".join(f"  - vars: {{n: {number}}}\n" for number in range(1, 31))
    project.write({"prompts/p.j2": body.replace("MORE", ""), "suites/p.yaml": f"tests:\n{tests}"})
    lock()
    project.git("init", "-q", "-b", "main")
    commit(project)
    project.write({"prompts/p.j2": body.replace("MORE", "- and another one\n")})
    texts = [result.text for result in check().values() if result.failed]
    borrowed = [text for text in texts if "the lines of another case of this prompt, which grew by +" in text]
    assert (len(texts), len(borrowed)) == (30, 10)


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
    with pytest.raises(UsageError, match=r"promptopt budget fetch origin/main$"):
        make_gate(against="origin/main")
    tree = locked.git("rev-parse", "HEAD^{tree}").strip()
    stranger = locked.git("commit-tree", tree, "-m", "no parent, another root").strip()
    with pytest.raises(UsageError, match=r"no commit in common with HEAD.* promptopt budget fetch"):
        make_gate(against=stranger)


def test_a_git_that_refuses_the_folder_is_said_in_its_words(locked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    (found,) = check()[""].findings
    assert (found.level, found.summary.partition(" in ")[0]) == ("warn", "git: detected dubious ownership")
    assert any("safe.directory" in line for line in found.details)
    with pytest.raises(UsageError, match=r"history of 'triage' is not known: detected dubious"):
        list(log_lines(load_config(), "triage"))
    # Whether a lock that is not there would rise is unknown, and needs a reason as a raise does.
    (locked.root / "prompts/triage.lock.toml").unlink()
    assert 'budget update triage --reason "..."' in check()["triage [refund]"].text
    with pytest.raises(UsageError, match="earlier locks are unknown"):
        lock("")
    lock("a new folder")
    assert 'reason = "a new folder"' in (locked.root / "prompts/triage.lock.toml").read_text()


@pytest.mark.parametrize("inline", [True, False])
def test_a_schema_that_grew_is_named_where_it_is_written(guarded: Any, inline: bool) -> None:
    def write(description: str) -> None:
        schema = json.dumps(
            {
                "type": "object",
                "properties": {"team": {"type": "string", "description": description}},
                "required": ["team"],
                "additionalProperties": False,
            }
        )
        named = schema if inline else "answer.schema.json"
        text = prompt_text().replace("calls_per_month", f"output_schema: {named}\ncalls_per_month")
        guarded.write({"prompts/triage/v1.j2": text, "prompts/triage/answer.schema.json": schema})

    write("")
    lock()
    guarded.git("init", "-q", "-b", "main")
    commit(guarded)
    write("The team that the ticket is for, one word")
    (found,) = check()["triage [refund]"].findings
    expected = ("prompts/triage/v1.j2", 4) if inline else ("prompts/triage/answer.schema.json", 1)
    assert (found.path, found.line) == expected
    assert f"fix: shorten {found.path}:{found.line}" in found.details


def test_a_merged_lock_whose_head_is_of_another_text_than_an_entry_names_the_line(locked: Any) -> None:
    """One branch locks another text, the other one a new case of the former text; the two locks merge."""
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    locked.git("checkout", "-qb", "topic")
    more = "  - {description: hours, vars: {ticket: When do you open?}}\n"
    locked.write({"suites/triage.yaml": SUITE + more})
    lock()
    commit(locked)
    locked.git("checkout", "-q", "main")
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER), "suites/triage.yaml": SUITE})
    lock()
    commit(locked)
    locked.git("merge", "-q", "topic")
    (found,) = check()["triage [hours]"].findings
    assert (found.path, found.line) == ("prompts/triage/v1.j2", 9)


def test_a_copy_of_another_lock_is_none(locked: Any) -> None:
    """Longer than what is locked, and no longer than what the copy says."""
    locked.write({"prompts/other.j2": prompt_text(LONGER), "suites/other.yaml": SUITE})
    lock()
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    path = locked.root / "prompts/triage.lock.toml"
    path.write_text((locked.root / "prompts/other.lock.toml").read_text())
    text = check()["triage"].text
    assert "a copy of that of 'other'" in text
    assert 'lock the prompt itself: promptopt budget update triage --reason "..."' in text
    with pytest.raises(UsageError, match="input 26 → 42"):
        lock("")


def test_the_remedy_of_a_conflict_has_the_reason_that_it_needs(locked: Any) -> None:
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    path = locked.root / "prompts/triage.lock.toml"
    path.write_text(path.read_text().replace("[case", "<<<<<<< HEAD\n[case", 1))
    assert "--reason" not in check()["triage"].text
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert 'lock the prompt again: promptopt budget update triage --reason "...", or take' in check()["triage"].text


def test_what_a_branch_has_trimmed_it_may_not_take_back(locked: Any) -> None:
    """As long as on the base, and longer than what the branch itself has locked: merged, it would be red."""
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    locked.git("checkout", "-qb", "topic")
    locked.write({"prompts/triage/v1.j2": prompt_text("You route tickets.\n")})
    lock()
    commit(locked)
    locked.write({"prompts/triage/v1.j2": prompt_text()})
    commit(locked)
    assert kinds(check()["triage [refund]"]) == [("regressed", "input", "error")]
    locked.git("checkout", "-q", "main")
    locked.git("merge", "-q", "topic")
    assert kinds(check()["triage [refund]"]) == [("regressed", "input", "error")]


@pytest.mark.parametrize("included", ["part", '"parts/" ~ part', '("parts/" ~ part)', '["none.j2", part]'])
def test_growth_in_a_file_that_is_named_by_an_expression_is_the_branchs(locked: Any, included: str) -> None:
    """The prompt does not name the file, which is longer on the base than what is locked, and longer still here."""
    whole = '"parts/"' not in included
    suite = SUITE.replace("{ticket:", f"{{part: {'parts/' if whole else ''}one.j2, ticket:")
    text = prompt_text(f"{{% include {included} %}}\n")
    locked.write({"prompts/triage/v1.j2": text, "prompts/parts/one.j2": "Be kind.\n", "suites/triage.yaml": suite})
    lock()
    locked.git("init", "-q", "-b", "main")
    locked.write({"prompts/parts/one.j2": "Be very kind.\n"})
    commit(locked)
    locked.git("checkout", "-qb", "topic")
    locked.write({"other.txt": "x"})
    commit(locked)
    assert kinds(check()["triage [refund]"]) == [("regressed", "input", "warn")]
    locked.write({"prompts/parts/one.j2": "Be very, very kind.\n"})
    assert kinds(check()["triage [refund]"]) == [("regressed", "input", "error")]


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


def test_a_lock_of_0_1_0_is_of_the_text_that_another_case_shows(project: Any) -> None:
    """Its digest leaves the first characters out."""
    head = "---\nmodel: gpt-4o-mini\n---\n"
    project.write({"prompts/triage.j2": head + "# Rules\n{{ ticket }}", "suites/triage.yaml": SUITE})
    lock()
    path = project.root / "prompts/triage.lock.toml"
    made = read_lock(path)
    assert made is not None
    replace(made, sources=sources_digest(load_prompt("triage"), as_in_0_1_0=True)).write(path)
    project.write({"suites/triage.yaml": SUITE.replace("money", "cash")})
    assert kinds(check()["triage [refund]"]) == [("changed", "", "warn")]
    project.write({"prompts/triage.j2": head + "## Rules\n{{ ticket }}"})
    assert kinds(check()["triage [refund]"]) == [("incomparable", "input", "error")]


@pytest.mark.parametrize("front", ["", "---\nmodel: gpt-4o-mini\n---\n", "---\nmodel: gpt-4o\nseed: 1\n---\n"])
def test_the_front_matter_is_not_part_of_the_digest_of_the_text(project: Any, front: str) -> None:
    project.write({"prompts/p.j2": f"{front}Rules\n"})
    assert sources_digest(load_prompt("p")) == digest(["Rules\n", [], None])


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


def test_a_changed_tokenizer_is_recounted(guarded: Any) -> None:
    text = prompt_text("Ответь вежливо, пожалуйста.\n")
    guarded.write({"prompts/triage/v1.j2": text})
    lock()
    other = text.replace("gpt-4o-mini", "gpt-3.5-turbo")
    guarded.write({"prompts/triage/v1.j2": other})
    results = check(overrides=["model=off"])
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


def test_a_lock_without_its_prompt_or_suite_fails_and_hides_no_other(locked: Any) -> None:
    locked.write({"prompts/reply.j2": prompt_text(LONGER), "suites/reply.yaml": SUITE})
    (locked.root / "suites/triage.yaml").rename(locked.root / "suites/x.yaml")
    results = check()
    assert kinds(results["triage"]) == [("removed", "", "error")]
    assert "its suite is gone, no suites/triage.yaml" in results["triage"].text
    assert kinds(results["reply [refund]"]) == [("new", "", "error")]
    (locked.root / "prompts/triage/v1.j2").write_text("---\nmodel: gpt-4o-mini\n---\nAnother text.\n")
    (locked.root / "prompts/triage").rename(locked.root / "prompts/other")
    results = check()
    assert "the prompt 'triage' is gone" in results["triage"].text
    assert kinds(results["prompts/other"]) == [("unguarded", "", "note")]


def test_a_renamed_prompt_is_named_with_both_names_and_the_remedy_works(locked: Any) -> None:
    locked.git("init", "-q", "-b", "main")
    commit(locked)
    locked.git("mv", "prompts/triage", "prompts/router")
    (found,) = check()["triage"].findings
    assert (found.kind, found.level) == ("renamed", "error")
    assert "'triage' is 'router' now" in found.summary
    assert "the prompt is not guarded" in found.summary
    command = found.details[0].partition(": ")[2].replace("promptopt", f"{sys.executable} -m promptopt")
    subprocess.run(command, shell=True, check=True, cwd=locked.root)
    results = check()
    assert not any(result.failed for result in results.values())
    assert guard_line(list(results.values())) == "guarded 1, not guarded 0"


def test_nothing_to_guard_is_an_error(project: Any) -> None:
    with pytest.raises(UsageError, match="nothing is guarded"):
        check()


def test_a_model_without_a_price(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text().replace("gpt-4o-mini", "gpt-4o-minni")})
    (result,) = check().values()
    assert kinds(result) == [("unusable", "", "error")]
    assert re.search(r"the price table has no model 'gpt-4o-minni'\. Close names: .*gpt-4o-mini", result.text)


def test_a_prompt_that_does_not_render_for_a_case(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text("{{ nobody }}\n")})
    (result,) = check().values()
    assert kinds(result) == [("unusable", "", "error")]
    assert "v1.j2:7: the variable 'nobody' is undefined. (in case 'refund')" in result.text
    assert (result.findings[0].path, result.findings[0].line) == ("prompts/triage/v1.j2", 7)


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


def test_a_limit_for_the_prefix_applies_if_it_is_short_too(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text("{{ ticket }}\n" + RULES)})
    found = check(overrides=["input=off", "cacheable=5%"])["triage [refund]"]
    assert kinds(found) == [("regressed", "cacheable", "error")]
    assert "cacheable 17 → 3 (-14, -82.4%)  limit: 5%" in found.text
    assert "limit: no loss" in check(overrides=["input=off"])["triage [refund]"].text


def entry(total: int, cacheable: int, **others: Any) -> LockEntry:
    return LockEntry(total, cacheable, others.pop("output", None), others.pop("output_is", "cap"), **others)


@pytest.mark.parametrize(
    ("before", "after", "tokens"),
    [
        ((100, 80), (100, 80), 0),
        ((100, 80), (100, 50), 30),
        ((100, 80), (70, 50), 0),  # shorter: what is gone is not sent
        ((100, 80), (80, 50), 10),  # 20 of 30 are gone
        ((100, 80), (150, 50), 30),  # what is new was not cacheable before
        ((100, 80), (150, 90), 0),
    ],
)
def test_lost_are_tokens_that_are_sent_and_were_cacheable(
    before: tuple[int, int], after: tuple[int, int], tokens: int
) -> None:
    known = {"quality": None, "variables": "", "request": ""}
    assert lost(entry(*before, **known), entry(*after, **known)) == tokens


def test_a_new_case_must_keep_its_cap(guarded: Any) -> None:
    assert kinds(check(overrides=["input=| 5"])["triage [refund]"]) == [("new", "", "error"), ("cap", "input", "error")]


def test_recordings_may_be_ignored(guarded: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    guarded.write(
        {
            "pyproject.toml": '[tool.promptopt.budget]\nrecordings = "off"\n',
            "prompts/triage/v1.j2": prompt_text("Route tickets.\n"),
        }
    )
    result = check()["triage [refund]"]
    assert result.findings == ()
    # Without a fresh answer there is no quality to compare, but the locked one is still reported.
    assert result.numbers["quality"] == (1.0, None)


def test_what_cannot_be_compared_asks_for_a_reason_only_if_it_grew(locked: Any) -> None:
    locked.write({"suites/triage.yaml": SUITE.replace("money back", "cash")})
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert "--reason" in check()["triage [refund]"].text
    locked.write({"prompts/triage/v1.j2": prompt_text("Route.\n")})
    assert "--reason" not in check()["triage [refund]"].text


def test_a_recount_sees_that_the_prefix_was_lost_too(project: Any) -> None:
    """The text is the same, but its beginning comes from a variable now."""
    head = "---\nmodel: {}\n---\n"
    project.write({"prompts/p.j2": head.format("gpt-4o-mini") + "Hello\n" + STATIC + "{{ who }}"})
    project.write({"suites/p.yaml": "tests: [{description: a, vars: {who: Ann, hello: Hello}}]"})
    lock()
    project.write({"prompts/p.j2": head.format("gpt-3.5-turbo") + "{{ hello }}\n" + STATIC + "{{ who }}"})
    assert kinds(check()["p [a]"]) == [("regressed", "cacheable", "error")]


def test_reasoning_of_recorded_answers_is_said_beside_output(locked: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"}, output_tokens=500, reasoning_tokens=480)
    results = list(make_gate().check())
    assert [result.numbers["reasoning"] for result in results if result.case] == [(None, 480)] * 2
    (table,) = (
        block
        for section in budget_page(results, None, ()).sections
        for block in section.blocks
        if isinstance(block, TableBlock) and block.headers[1] == "metric"
    )
    assert ["triage", "of it reasoning", "2", "", "960", ""] in [list(row[:-1]) for row in table.rows]
    details = [line for result in results for found in result.findings for line in found.details]
    assert "480 of 500 output tokens are reasoning" in details


def test_answers_without_reasoning_have_no_row_of_it(locked: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    assert not any("reasoning" in result.numbers for result in make_gate().check())
