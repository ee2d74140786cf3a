"""Writing locks: what needs a reason, what is kept, what is removed."""

import re
import shlex
from dataclasses import replace
from typing import Any

import pytest
from guarded_project import LONGER, RULES, STATIC, SUITE, check, commit, lock, make_gate, prompt_text, record

from promptopt.budget.lock import LockBasis, LockEntry, read_lock
from promptopt.budget.update import Written, draft_removals, raised, update, write_locks
from promptopt.config import load_config
from promptopt.errors import LockError, UsageError


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


def trim() -> list[Written]:
    return update({"triage": (make_gate().prompts["triage"], None)}, "", trim=True)


def test_trim_lowers_and_never_raises(locked: Any) -> None:
    assert trim() == []
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert trim() == []
    locked.write({"prompts/triage/v1.j2": prompt_text("Route tickets.\n")})
    assert [len(file.lines) for file in trim()] == [2]
    locked.write({"prompts/triage/v1.j2": prompt_text()})
    assert check()["triage [refund]"].failed


def test_trim_keeps_an_entry_whose_prefix_would_be_lost(guarded: Any) -> None:
    guarded.write({"prompts/triage/v1.j2": prompt_text(STATIC)})
    lock()
    guarded.write({"prompts/triage/v1.j2": prompt_text("{{ ticket }}\n" + "\n".join(STATIC.split("\n")[:140]))})
    assert trim() == []


def test_trim_keeps_reasons_and_a_quality_that_is_not_known_today(locked: Any) -> None:
    path = locked.root / "prompts/triage.lock.toml"
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    record({"refund": "hm", "parcel": "hm"})
    lock("safer")
    before = read_lock(path)
    locked.write({"prompts/triage/v1.j2": prompt_text("Route tickets.\n")})
    assert len(trim()) == 1
    after = read_lock(path)
    assert before is not None
    assert after is not None
    for name, entry in after.cases.items():
        assert entry.input < before.cases[name].input
        assert (entry.reason, entry.quality) == ("safer", 0.0)


def test_trim_needs_a_lock_of_the_same_model(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text().replace("gpt-4o-mini", "gpt-4o")})
    with pytest.raises(UsageError, match="was locked with another tokenizer, model or price: update its lock before"):
        trim()


KNOWN = LockEntry(100, 50, 60, "cap", 0.9, "v", "r")
BASIS = LockBasis("o200k_base@sha256:0", "gpt-4o-mini", "0.15", "0.075", "0.6")


@pytest.mark.parametrize(
    ("changes", "costs"),
    [
        ({}, False),
        ({"input": 101}, True),
        ({"input": 99}, False),
        ({"output": 61}, True),
        ({"output": 61, "output_is": "recorded"}, True),
        ({"output": 7, "output_is": "recorded"}, False),
        ({"output": None}, True),
        ({"input": 99, "output": 61}, True),
        ({"quality": 0.8}, True),
        ({"quality": None}, True),
        ({"quality": 1.0}, False),
        ({"cacheable": 0}, False),
    ],
)
def test_a_higher_count_or_a_worse_answer_needs_a_reason(changes: dict[str, Any], costs: bool) -> None:
    assert any(raised(KNOWN, BASIS, replace(KNOWN, **changes), BASIS)) == costs


@pytest.mark.parametrize(
    ("changes", "costs"),
    [
        ({"model": "o1-pro", "input_usd": "150"}, True),
        ({"model": "gpt-5-nano", "input_usd": "0.05", "cached_usd": "0.005", "output_usd": "0.4"}, False),
        ({"output_usd": "0.61"}, True),
        ({"cached_usd": "9"}, False),
    ],
)
def test_a_model_or_price_that_costs_more_needs_a_reason(changes: dict[str, Any], costs: bool) -> None:
    # The prefix of 50 tokens is too short for the cache, so that its rate plays no part.
    assert any(raised(KNOWN, BASIS, KNOWN, replace(BASIS, **changes))) == costs


def test_a_lost_prefix_that_the_cache_served_needs_a_reason() -> None:
    cached = replace(KNOWN, input=4000, cacheable=3900)
    (said,) = raised(cached, BASIS, replace(cached, cacheable=10), BASIS)
    assert said == "$0.000348 → $0.000636 per call"


def test_a_renamed_case_may_not_grow_without_a_reason(locked: Any) -> None:
    locked.write({"suites/triage.yaml": SUITE.replace("description: parcel", "description: package")})
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    with pytest.raises(UsageError, match=r"triage \[package\]: input 26 → 42"):
        lock("")


def test_a_reason_is_kept_until_the_count_changes(locked: Any) -> None:
    file = locked.root / "prompts/triage.lock.toml"
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    lock("safer")
    lock("not needed")
    assert file.read_text().count('reason = "safer"') == 2
    locked.write({"prompts/triage/v1.j2": prompt_text()})
    lock("")
    assert "reason" not in file.read_text()


def test_another_tokenizer_needs_a_reason_and_the_whole_prompt(guarded: Any) -> None:
    text = prompt_text("Ответь вежливо, пожалуйста.\n")
    guarded.write({"prompts/triage/v1.j2": text})
    lock()
    guarded.write({"prompts/triage/v1.j2": text.replace("gpt-4o-mini", "gpt-3.5-turbo")})
    gate = make_gate()
    with pytest.raises(
        UsageError, match=r"was locked with another tokenizer .*lock the whole prompt, not only 'refund'"
    ):
        update({"triage": (gate.prompts["triage"], {"refund"})}, "cheaper in the end")
    with pytest.raises(UsageError, match=r"triage \[refund\]: input \d+ → \d+, .*gpt-4o-mini → gpt-3.5-turbo"):
        update({"triage": (gate.prompts["triage"], None)}, "")
    update({"triage": (gate.prompts["triage"], None)}, "the old one is retired")
    made = read_lock(guarded.root / "prompts/triage.lock.toml")
    assert made is not None
    assert made.basis.model == "gpt-3.5-turbo"
    now = {name: gate.prompts["triage"].measure(name).entry for name in ("refund", "parcel")}
    assert made.cases == now


def test_a_lock_of_two_texts_has_no_digest_of_its_sources(locked: Any) -> None:
    path = locked.root / "prompts/triage.lock.toml"
    before = read_lock(path)
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    update({"triage": (make_gate().prompts["triage"], {"refund"})}, "safer")
    mixed = read_lock(path)
    lock("safer")
    after = read_lock(path)
    assert before is not None
    assert mixed is not None
    assert after is not None
    assert mixed.sources == ""
    assert "" not in (before.sources, after.sources)
    assert before.sources != after.sources


def test_only_locks_of_templates_that_are_gone_are_removed(locked: Any) -> None:
    folder = locked.root / "prompts"
    made = read_lock(folder / "triage.lock.toml")
    assert made is not None
    replace(made, prompt="chat", program=True).write(folder / "chat.lock.toml")
    replace(made, prompt="old").write(folder / "old.lock.toml")
    assert draft_removals(load_config(), ["triage"]) == []
    assert [file.path for file in write_locks(draft_removals(load_config()), "")] == ["prompts/old.lock.toml"]
    assert sorted(path.name for path in folder.glob("*.toml")) == ["chat.lock.toml", "triage.lock.toml"]


def test_an_update_with_stale_or_missing_answers_keeps_what_fresh_ones_showed(locked: Any) -> None:
    path = locked.root / "prompts/triage.lock.toml"
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    locked.write({"prompts/triage/v1.j2": prompt_text("Route tickets.\n")})
    lock("")
    stale = read_lock(path)
    (locked.root / "suites/triage/recordings/triage/v1.jsonl").unlink()
    locked.write({"prompts/triage/v1.j2": prompt_text("Route.\n")})
    lock("")
    missing = read_lock(path)
    for made in (stale, missing):
        assert made is not None
        assert {(entry.quality, entry.output, entry.output_is) for entry in made.cases.values()} == {
            (1.0, 7, "recorded")
        }
    record({"refund": "hm", "parcel": "hm"})
    with pytest.raises(UsageError, match=r"quality 1.0 → 0.0"):
        lock("")


def test_what_is_listed_as_raised_is_what_rises(locked: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    locked.write({"prompts/triage/v1.j2": prompt_text("Route tickets.\n")})
    record({"refund": "hm", "parcel": "delivery"})
    with pytest.raises(UsageError) as refused:
        lock("")
    assert "would raise 1 locked count:\n  triage [refund]: quality 1.0 → 0.0\n" in str(refused.value)


@pytest.mark.parametrize("committed", [False, True])
def test_a_deleted_lock_is_compared_with_the_committed_one(locked: Any, committed: bool) -> None:
    locked.git("init", "-qb", "main")
    commit(locked)
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    path = locked.root / "prompts/triage.lock.toml"
    path.unlink()
    if committed:
        commit(locked)
    with pytest.raises(UsageError, match=r"triage \[parcel\]: input 26 → 42"):
        lock("")
    assert not path.exists()
    found = check()["triage [parcel]"].text
    assert "new: the prompt has no lock; git has one of it" in found
    assert 'lock it: promptopt budget update triage --reason "..."' in found
    lock("safer")
    assert path.read_text().count('reason = "safer"') == 2


def test_a_lock_that_was_edited_by_hand_is_compared_with_the_committed_one(locked: Any) -> None:
    locked.git("init", "-qb", "main")
    commit(locked)
    path = locked.root / "prompts/triage.lock.toml"
    good = path.read_text()
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    path.write_text(good.replace("input = 26", "input = 9000"))
    with pytest.raises(UsageError, match="input 26 → 42"):
        lock("")
    locked.write({"prompts/triage/v1.j2": prompt_text()})
    (written,) = update({"triage": (make_gate().prompts["triage"], None)}, "")
    assert (written.path, written.lines) == ("prompts/triage.lock.toml", ("written again as it was committed",))
    assert path.read_text() == good


@pytest.mark.parametrize("committed", [False, True])
def test_a_renamed_prompt_is_compared_with_its_old_lock(locked: Any, committed: bool) -> None:
    locked.git("init", "-qb", "main")
    commit(locked)
    locked.git("checkout", "-qb", "work")
    for old, new in (("prompts/triage", "prompts/router"), ("suites/triage.yaml", "suites/router.yaml")):
        locked.git("mv", old, new)
    if committed:
        locked.git("rm", "-q", "prompts/triage.lock.toml")
        commit(locked)
    locked.write({"prompts/router/v1.j2": prompt_text(LONGER)})
    before = sorted(path.name for path in (locked.root / "prompts").iterdir())
    # What a failed check prints is what works.
    assert 'lock it: promptopt budget update router --reason "..."' in locked.run("budget", "check").stdout
    refused = locked.run("budget", "update")
    assert refused.returncode == 2
    assert "router [parcel]: input 26 → 42" in refused.stderr
    # A refused update removes no lock either.
    assert sorted(path.name for path in (locked.root / "prompts").iterdir()) == before
    assert locked.run("budget", "update", "--reason", "safer").returncode == 0
    assert sorted(path.name for path in (locked.root / "prompts").iterdir()) == ["router", "router.lock.toml"]


def test_a_copy_of_a_prompt_is_new(locked: Any) -> None:
    locked.git("init", "-qb", "main")
    commit(locked)
    locked.write({"prompts/copy/v1.j2": prompt_text(LONGER), "suites/copy.yaml": SUITE})
    done = locked.run("budget", "update", "--new")
    assert (done.returncode, "refund: new, input 42" in done.stdout) == (0, True)


def test_the_remedy_for_a_new_case_locks_that_case_only(locked: Any) -> None:
    path = locked.root / "prompts/triage.lock.toml"
    locked.write(
        {
            "suites/triage.yaml": SUITE + "  - {description: it's late, vars: {ticket: It is late}}\n"
            "  - {description: lost, vars: {ticket: It is lost}}\n",
            "prompts/triage/v1.j2": prompt_text(RULES.replace("Never", "Never ever")),
        }
    )
    before = read_lock(path)
    (remedy,) = (
        line for line in check()["triage [it's late]"].text.splitlines() if "budget update" in line and "--case" in line
    )
    arguments = shlex.split(remedy.partition("promptopt ")[2])
    assert locked.run(*arguments).returncode == 0
    after = read_lock(path)
    assert before is not None
    assert after is not None
    assert set(after.cases) - set(before.cases) == {"it's late"}
    assert {name: after.cases[name] for name in before.cases} == before.cases
    assert "1 change" in locked.run("budget", "update", "triage", "--new").stdout
    assert set((read_lock(path) or after).cases) == {"parcel", "refund", "it's late", "lost"}


def test_the_remedy_for_a_renamed_and_a_removed_case_changes_no_other(locked: Any) -> None:
    path = locked.root / "prompts/triage.lock.toml"
    locked.write({"suites/triage.yaml": SUITE.replace("description: parcel", "description: package")})
    locked.write({"prompts/triage/v1.j2": prompt_text("Route tickets.\n")})
    assert locked.run("budget", "update", "triage", "--case", "package").returncode == 0
    made = read_lock(path)
    assert made is not None
    assert {name: entry.input for name, entry in made.cases.items()} == {"package": 19, "refund": 26}
    locked.write({"suites/triage.yaml": SUITE.split("  - description: parcel")[0]})
    text = check()["triage"].text
    assert "promptopt budget update triage --case package" in text
    assert locked.run("budget", "update", "triage", "--case", "package").returncode == 0
    made = read_lock(path)
    assert made is not None
    assert {name: entry.input for name, entry in made.cases.items()} == {"refund": 26}


def test_one_case_with_another_price_keeps_the_locked_one(locked: Any) -> None:
    path = locked.root / "prompts/triage.lock.toml"
    before = read_lock(path)
    own = '[tool.promptopt.prices."gpt-4o-mini"]\ninput_mtok = 99\noutput_mtok = 99\n'
    locked.write(
        {"pyproject.toml": own, "suites/triage.yaml": SUITE + "  - {description: lost, vars: {ticket: Lost}}\n"}
    )
    assert locked.run("budget", "update", "triage", "--case", "lost").returncode == 0
    after = read_lock(path)
    assert before is not None
    assert after is not None
    assert after.basis == before.basis
    refused = locked.run("budget", "update", "triage")
    assert (refused.returncode, "per call" in refused.stderr) == (2, True)


def test_all_locks_are_written_or_none(locked: Any, small_disk: None) -> None:
    cases = "".join(f"  - {{description: case {n}, vars: {{ticket: parcel {n}}}}}\n" for n in range(40))
    locked.write({"prompts/zoo/v1.j2": prompt_text(), "suites/zoo.yaml": "tests:\n" + cases})
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    before = {path: path.read_bytes() for path in locked.root.rglob("*") if path.is_file()}
    with pytest.raises(
        LockError, match=r"prompts/zoo.lock.toml: cannot be written: File too large; no file was changed"
    ):
        lock("safer")
    assert {path: path.read_bytes() for path in locked.root.rglob("*") if path.is_file()} == before


def test_an_update_of_one_prompt_leaves_the_lock_of_another_that_is_gone(locked: Any) -> None:
    folder = locked.root / "prompts"
    made = read_lock(folder / "triage.lock.toml")
    assert made is not None
    replace(made, prompt="old").write(folder / "old.lock.toml")
    assert locked.run("budget", "update", "triage").returncode == 0
    assert (folder / "old.lock.toml").exists()
    printed = locked.run("budget", "check")
    assert "promptopt budget update old" in printed.stderr + printed.stdout
    done = locked.run("budget", "update", "old")
    assert "prompts/old.lock.toml: 1 change\n  removed, its prompt is gone" in done.stdout
    assert not (folder / "old.lock.toml").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("calls_per_month: 300000", "calls_per_month: 900000", "triage: calls_per_month 300,000 → 900,000"),
        ("calls_per_month: 300000\n", "", "triage: calls_per_month 300,000 → unknown"),
        ("max_output_tokens: 60", "max_output_tokens: 5000", "output 60 → 5,000"),
        ("max_output_tokens: 60\n", "", "output 60 → unknown"),
        ("model: gpt-4o-mini", "model: gpt-4o", r"per call \(gpt-4o-mini → gpt-4o\)"),
        ("---\n{%", "reasoning_effort: high\n---\n{%", "triage: reasoning_effort not set → high"),
    ],
)
def test_a_raise_through_the_front_matter_needs_a_reason(locked: Any, old: str, new: str, said: str) -> None:
    path = locked.root / "prompts/triage.lock.toml"
    before = path.read_bytes()
    locked.write({"prompts/triage/v1.j2": prompt_text().replace(old, new)})
    with pytest.raises(UsageError, match=said):
        lock("")
    assert path.read_bytes() == before
    lock("wanted")
    assert 'reason = "wanted"' in path.read_text()
    # The way back is cheaper, and needs none; a setting that is dropped again may cost more or less.
    locked.write({"prompts/triage/v1.j2": prompt_text()})
    if "reasoning" not in new:
        lock("")
        assert path.read_bytes() == before


def test_a_cap_above_recorded_answers_needs_a_reason(locked: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    locked.write({"prompts/triage/v1.j2": prompt_text().replace("tokens: 60", "tokens: 5000")})
    with pytest.raises(UsageError, match="triage: max_output_tokens 60 → 5,000"):
        lock("")


def test_a_prompt_that_was_removed_and_comes_back_under_another_name_is_compared(locked: Any) -> None:
    locked.git("init", "-qb", "main")
    commit(locked)
    locked.git("rm", "-rq", "prompts", "suites")
    commit(locked)
    locked.write({"prompts/router/v1.j2": prompt_text(LONGER), "suites/router.yaml": SUITE})
    commit(locked)
    with pytest.raises(UsageError, match=r"router \[parcel\]: input 26 → 42"):
        lock("")


@pytest.mark.parametrize("damage", ["conflict", "edited"])
def test_the_remedy_of_a_lock_that_cannot_be_used_names_the_prompt_and_works(locked: Any, damage: str) -> None:
    name = "support/it's"
    locked.write({f"prompts/{name}/v1.j2": prompt_text(), f"suites/{name}.yaml": SUITE})
    lock()
    path = locked.root / f"prompts/{name}.lock.toml"
    good = path.read_text()
    path.write_text(f"<<<<<<< HEAD\n{good}" if damage == "conflict" else good.replace("input = 26", "input = 9"))
    with pytest.raises(LockError) as refused:
        read_lock(path)
    (command,) = re.findall(r"promptopt (budget update '.*?'.*?)(?:, or|$)", str(refused.value))
    done = locked.run(*shlex.split(command))
    assert (done.returncode, path.read_text()) == (0, good)


def test_the_remedy_for_many_cases_that_are_gone_or_renamed_touches_no_other(guarded: Any) -> None:
    path = guarded.root / "prompts/triage.lock.toml"
    cases = [f"  - {{description: case {n}, vars: {{ticket: parcel {n}}}}}\n" for n in range(8)]
    guarded.write({"suites/triage.yaml": SUITE + "".join(cases)})
    lock()
    before = read_lock(path)
    assert before is not None
    # Every case grows by as much as an update of the whole prompt would accept.
    guarded.write({"prompts/triage/v1.j2": prompt_text(RULES.replace("Never", "Never ever"))})
    renamed = "".join(cases).replace("description: case", "description: new")
    for suite, option in ((SUITE + renamed, "--new"), (SUITE, "--removed")):
        guarded.write({"suites/triage.yaml": suite})
        (remedy,) = (line for line in check()["triage"].text.splitlines() if option in line)
        arguments = shlex.split(remedy.partition("promptopt ")[2])
        assert guarded.run(*arguments).returncode == 0, remedy
        after = read_lock(path)
        assert after is not None
        assert {name: after.cases[name] for name in ("refund", "parcel")} == {
            name: before.cases[name] for name in ("refund", "parcel")
        }
        assert not any(finding.kind in ("removed", "renamed") for finding in check()["triage"].findings)
    refused = guarded.run("budget", "update", "triage", "--new", "--removed")
    assert (refused.returncode, "give one of them" in refused.stderr) == (2, True)
    assert set(after.cases) == {"refund", "parcel"}
