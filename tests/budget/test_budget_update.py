"""Writing locks: what needs a reason, what is kept, what is removed."""

from dataclasses import replace
from typing import Any

import pytest
from guarded_project import LONGER, RULES, STATIC, SUITE, check, lock, make_gate, prompt_text, record

from promptopt.budget.lock import LockEntry, read_lock
from promptopt.budget.update import Written, costs_more, remove_orphans, update
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


@pytest.mark.parametrize(
    ("changes", "costs"),
    [
        ({}, False),
        ({"input": 101}, True),
        ({"input": 99}, False),
        ({"output": 61}, True),
        ({"output": 61, "output_is": "recorded"}, False),
        ({"quality": 0.8}, True),
        ({"quality": None}, True),
        ({"quality": 1.0}, False),
        ({"cacheable": 0}, False),
    ],
)
def test_a_higher_count_or_a_worse_answer_needs_a_reason(changes: dict[str, Any], costs: bool) -> None:
    assert costs_more(KNOWN, replace(KNOWN, **changes)) == costs


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


def test_another_tokenizer_needs_no_reason_and_counts_all_cases_again(guarded: Any) -> None:
    text = prompt_text("Ответь вежливо, пожалуйста.\n")
    guarded.write({"prompts/triage/v1.j2": text})
    lock()
    guarded.write({"prompts/triage/v1.j2": text.replace("gpt-4o-mini", "gpt-3.5-turbo")})
    gate = make_gate()
    update({"triage": (gate.prompts["triage"], {"refund"})}, "")
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
    assert remove_orphans() == ["prompts/old.lock.toml"]
    assert sorted(path.name for path in folder.glob("*.toml")) == ["chat.lock.toml", "triage.lock.toml"]
