"""Prompts that a program builds, without pytest: compared with their lock, and locked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from guarded_project import kinds, make_gate

from promptopt.budget.built_prompt import Built, check_built, draft_built
from promptopt.budget.lock import read_lock
from promptopt.budget.update import write_locks
from promptopt.errors import LockError, UsageError

TEXT = "Be kind to everybody."


def built(
    text: str | list[dict[str, Any]] = TEXT,
    case: str = "ann",
    prompt: str = "chat",
    cap: int | None = 60,
    **limits: str,
) -> Built:
    return check_built(make_gate(), prompt, case, text, "gpt-4o-mini", cap, limits)


def write(*prompts: Built, reason: str = "", trim: bool = False) -> list[str]:
    return [file.path for file in write_locks(draft_built(make_gate(), prompts, reason, trim=trim), reason)]


@pytest.fixture
def chat(project: Any) -> Path:
    """The lock of the prompt ``chat`` with one case."""
    assert kinds(built().result) == [("new", "", "error")]
    assert write(built()) == ["prompts/chat.lock.toml"]
    return project.root / "prompts/chat.lock.toml"


def test_growth_fails_and_what_is_locked_passes(chat: Path) -> None:
    assert built().result.findings == ()
    longer = built(TEXT + " Always.").result
    assert kinds(longer) == [("regressed", "input", "error")]
    assert longer.numbers["input"] == (12, 14)
    assert "fix: shorten what the program builds" in longer.text
    assert not built("Be kind.").result.failed


def test_parts_of_texts_are_the_text_and_what_is_no_message_is_named(chat: Path) -> None:
    parts = [{"type": "text", "text": TEXT[:5]}, {"type": "text", "text": TEXT[5:]}]
    found = built([{"role": "user", "content": parts}])
    assert (found.result.findings, found.entry) == ((), built().entry)
    with pytest.raises(UsageError, match=r"prompt_budget.check: a content part of type 'video' is no text"):
        built([{"role": "user", "content": [{"type": "video"}]}])


def test_limits_of_the_marker_come_before_those_of_the_settings(chat: Path) -> None:
    assert built(TEXT + " Always.", input="50%").result.findings == ()
    assert kinds(built(input="| 3").result) == [("cap", "input", "error")]
    assert kinds(built(cap=90, output="10%").result) == [("regressed", "output", "error")]
    assert kinds(built(cap=90, usd_call="10%", output="off").result) == [("regressed", "usd_call", "error")]
    with pytest.raises(UsageError, match=r"prompt_budget: input = '5': '5' has no unit"):
        built(input="5")


def test_another_tokenizer_is_no_growth_of_the_same_text(chat: Path) -> None:
    lock = read_lock(chat)
    assert lock is not None
    basis = replace(lock.basis, tokenizer="other@sha256:1")
    replace(lock, basis=basis, cases={"ann": replace(lock.cases["ann"], input=3)}).write(chat)
    assert built().result.findings == ()
    assert kinds(built(TEXT + " Always.").result) == [("incomparable", "input", "error")]


def test_raising_needs_a_reason_and_other_cases_stay(chat: Path) -> None:
    before = chat.read_bytes()
    with pytest.raises(UsageError, match=r"would raise 1 locked count:\n  chat \[ann\]: input 12 → 14"):
        write(built(TEXT + " Always."), built(case="bob"))
    assert chat.read_bytes() == before
    write(built(TEXT + " Always."), built(case="bob"), reason="politer")
    write(built("Be kind.", case="cid"))
    lock = read_lock(chat)
    assert lock is not None
    assert {name: entry.reason for name, entry in lock.cases.items()} == {"ann": "politer", "bob": "", "cid": ""}


def test_trim_lowers_known_cases_only(chat: Path) -> None:
    assert write(built(TEXT + " Always."), built(case="bob"), trim=True) == []
    assert write(built("Be kind."), trim=True) == ["prompts/chat.lock.toml"]
    lock = read_lock(chat)
    assert lock is not None
    assert {name: entry.input for name, entry in lock.cases.items()} == {"ann": 10}


def test_a_template_has_a_lock_of_its_own(locked: Any) -> None:
    with pytest.raises(LockError, match="'triage' is a prompt with a template"):
        built(prompt="triage")


def test_the_model_must_be_known_and_priced(project: Any) -> None:
    with pytest.raises(UsageError, match="name the model"):
        check_built(make_gate(), "chat", "ann", TEXT, None, None, {})
    with pytest.raises(UsageError, match="the price table has no model 'gpt-9-nano-x'"):
        check_built(make_gate(), "chat", "ann", TEXT, "gpt-9-nano-x", None, {})


def test_one_case_counted_with_another_tokenizer_does_not_go_into_the_same_lock(chat: Path) -> None:
    write(built(case="bob"))
    before = chat.read_bytes()
    other = check_built(make_gate(), "chat", "ann", TEXT, "gpt-4", 60, {})
    with pytest.raises(UsageError, match="run the tests of all its cases in one update, also bob"):
        write(other, reason="x")
    with pytest.raises(UsageError, match="different tokenizers"):
        write(other, built(case="bob"), reason="x")
    assert chat.read_bytes() == before
    both = [replace(other, case=case) for case in ("ann", "bob")]
    with pytest.raises(UsageError, match="gpt-4o-mini → gpt-4"):
        write(*both)
    write(*both, reason="x")
    assert b"cl100k_base" in chat.read_bytes()


def test_a_deleted_lock_of_a_program_is_compared_with_the_committed_one(project: Any, chat: Path) -> None:
    project.git("init", "-qb", "main")
    project.git("add", "-A")
    project.git("commit", "-qm", "locked")
    chat.unlink()
    with pytest.raises(UsageError, match=r"chat \[ann\]: input"):
        write(built(f"{TEXT} {TEXT}"))
    assert not chat.exists()
