import subprocess
import tomllib
from dataclasses import fields, make_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import promptopt.budget.lock as lock_module
from promptopt.budget.lock import Lock, LockBasis, LockedCall, LockEntry, may_cost_more, parse_lock, read_lock
from promptopt.call_options import CallOptions
from promptopt.errors import LockError

BASIS = LockBasis("o200k_base@sha256:abc", "gpt-4o-mini", "0.15", "0.075", "0.6")
ENTRY = LockEntry(100, 40, 7, "recorded", 0.75, "v1", "r1")
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
COUNTS = st.integers(0, 10**6)
ENTRIES = st.builds(
    LockEntry,
    COUNTS,
    COUNTS,
    COUNTS,
    st.sampled_from(["recorded", "cap"]),
    st.none() | st.floats(0, 1).map(lambda value: round(value, 6)),
    NAMES,
    NAMES,
    st.just("") | NAMES,
)
CALLS = st.none() | st.builds(
    LockedCall,
    st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.floats(0, 2),
            "max_output_tokens": COUNTS,
            "stop": st.lists(NAMES, min_size=1),
            "service_tier": NAMES,
        },
    ),
    st.none() | COUNTS,
    COUNTS,
)


def make(**cases: LockEntry) -> Lock:
    return Lock("triage", "v1", BASIS, cases or {"a": ENTRY, "b": ENTRY}, "s")


@given(st.dictionaries(NAMES, ENTRIES, max_size=4), st.booleans(), CALLS, st.just("") | NAMES)
def test_what_is_written_is_read(
    cases: dict[str, LockEntry], program: bool, call: LockedCall | None, reason: str
) -> None:
    lock = Lock("triage", "v1", BASIS, cases, "s", program, call, reason)
    read = parse_lock(lock.text(), "x.lock.toml")
    assert (read, read.reason) == (lock, reason)
    assert [entry.reason for _, entry in sorted(read.cases.items())] == [
        entry.reason for _, entry in sorted(cases.items())
    ]
    assert read.text() == lock.text()
    # Other programs can read it as TOML.
    assert set(tomllib.loads(lock.text()).get("case", {})) == set(cases)


def test_the_text_is_a_pure_function_of_the_counts() -> None:
    one, other = make(a=ENTRY, b=ENTRY), make(b=ENTRY, a=ENTRY)
    assert one.text() == other.text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("input = 100", "input = 99"), r"the entry of case '[ab]' was edited by hand"),
        (lambda text: text.replace('"gpt-4o-mini"', '"gpt-4o"'), "the head was edited by hand"),
        (lambda text: text.replace('[case."b"]', '[case."c"]'), r"the entry of case 'c' was edited by hand"),
        (lambda text: "<<<<<<< HEAD\n" + text, r":1: contains a merge conflict: '<<<<<<< HEAD'"),
        (lambda text: text + "nonsense\n", "cannot be read: 'nonsense'"),
        (lambda text: text.replace("cacheable = 40", "cacheable = forty", 1), "cannot be read: 'forty'"),
        (lambda text: text[: len(text) // 2], "was edited by hand|cannot be read"),
        (lambda text: text.replace("version = 1", "version = 2"), "edited by hand"),
        (lambda text: "", "edited by hand"),
    ],
)
def test_a_broken_lock_is_refused_with_its_line(change: Any, message: str) -> None:
    with pytest.raises(LockError, match=message) as caught:
        parse_lock(change(make().text()), "prompts/triage.lock.toml")
    assert "promptopt budget update" in str(caught.value)


def test_a_later_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(lock_module, "VERSION", 2)
        text = make().text()
    with pytest.raises(LockError, match="format version is 2, this promptopt reads 1"):
        parse_lock(text, "x")


def test_a_field_that_is_added_is_read_by_versions_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version whose basis has one more field reads today's locks, and today's version reads its locks."""
    before = make().text()
    later = make_dataclass("Later", [("batch_usd", str, "")], bases=(LockBasis,), frozen=True, slots=True)
    with monkeypatch.context() as patch:
        patch.setattr(lock_module, "LockBasis", later)
        read = parse_lock(before, "x")
        assert read.basis.batch_usd == ""  # type: ignore[attr-defined]
        assert read.text() == before
        after = replace(read, basis=replace(read.basis, batch_usd="0.075")).text()  # type: ignore[call-arg]
        assert parse_lock(after, "x").basis.batch_usd == "0.075"  # type: ignore[attr-defined]
    assert 'batch_usd = "0.075"' in after
    assert parse_lock(after, "x") == make()


def test_a_field_that_is_missing_is_named() -> None:
    header = {"version": 1, "prompt": "p", "measured": "v1", "sources": "", "tokenizer": "t"}
    with pytest.raises(LockError, match=r"x:1: has no model"):
        parse_lock(lock_module._table(header), "x")


def test_a_field_of_an_entry_that_is_not_known_is_ignored() -> None:
    pairs = {**lock_module._pairs(ENTRY), "audio": 7}
    text = make(a=ENTRY).text().split("[case.")[0] + '[case."a"]\n' + lock_module._table(pairs, "a")
    assert parse_lock(text, "x") == make(a=ENTRY)


def test_no_file_is_no_lock(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "none.lock.toml") is None
    (tmp_path / "bad.lock.toml").write_bytes(b"\xff")
    with pytest.raises(LockError, match="is not UTF-8"):
        read_lock(tmp_path / "bad.lock.toml")


def merge(folder: Path, base: Lock, ours: Lock, theirs: Lock) -> tuple[int, str]:
    for name, lock in (("base", base), ("ours", ours), ("theirs", theirs)):
        lock.write(folder / name)
    command = ["git", "merge-file", "-p", "ours", "base", "theirs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


CASES = dict.fromkeys("abcd", ENTRY)


def test_branches_that_touch_different_cases_merge(tmp_path: Path) -> None:
    ours = make(**{**CASES, "a": replace(ENTRY, input=90, request="r2"), "d": replace(ENTRY, input=1)})
    theirs = make(**{**CASES, "b": replace(ENTRY, input=95, request="r3"), "cc": ENTRY})
    conflicts, text = merge(tmp_path, make(**CASES), ours, theirs)
    assert conflicts == 0
    merged = parse_lock(text, "merged")
    assert [merged.cases[name].input for name in ("a", "b", "c", "cc", "d")] == [90, 95, 100, 100, 1]


def test_branches_that_touch_one_case_conflict(tmp_path: Path) -> None:
    ours = make(**{**CASES, "b": replace(ENTRY, input=90)})
    theirs = make(**{**CASES, "b": replace(ENTRY, output=9)})
    conflicts, text = merge(tmp_path, make(**CASES), ours, theirs)
    assert conflicts > 0
    with pytest.raises(LockError, match="contains a merge conflict"):
        parse_lock(text, "merged")


def test_new_cases_of_two_branches_merge_though_one_follows_the_other_in_the_alphabet(tmp_path: Path) -> None:
    clean = 0
    for n in range(20):
        ours, theirs = make(a=ENTRY, **{f"z{n}": ENTRY}), make(a=ENTRY, **{f"z{n}x": replace(ENTRY, input=1)})
        conflicts, text = merge(tmp_path, make(a=ENTRY), ours, theirs)
        if not conflicts:
            clean += 1
            assert set(parse_lock(text, "merged").cases) == {"a", f"z{n}", f"z{n}x"}
    # Two names share a place now and then.
    assert clean >= 18


def test_a_lock_of_0_1_0_says_nothing_of_settings() -> None:
    text = make().text()
    assert parse_lock(text, "x").call is None
    known = replace(make(), call=LockedCall()).text()
    assert parse_lock(known, "x").call == LockedCall()
    assert "schema = 0" in known


# Two values of each setting, and whether a change from the first to the second may cost more, and back.
CHANGES: dict[str, tuple[Any, Any, bool, bool]] = {
    "temperature": (0.0, 1.0, False, False),
    "max_output_tokens": (10, 20, True, False),
    "seed": (1, 2, False, False),
    "stop": (["a", "b"], ["a"], True, False),
    "reasoning_effort": ("low", "high", True, False),
    "verbosity": ("low", "high", True, False),
    "service_tier": ("flex", "priority", True, False),
    "top_p": (0.1, 0.9, False, False),
    # Who may not repeat a word writes others.
    "frequency_penalty": (-1.0, 1.0, True, True),
    "presence_penalty": (-1.0, 1.0, True, True),
    "logprobs": (False, True, False, False),
    "top_logprobs": (1, 5, False, False),
    "tool_choice": ("auto", "required", True, True),
    "parallel_tool_calls": (True, False, True, True),
    "response_format": (None, "json_object", True, True),
    "detail": ("low", "high", False, False),
    "extra_body": ("{}", '{"a":1}', True, True),
}


def test_of_every_setting_it_is_known_whether_it_may_cost_more() -> None:
    new = {option.name for option in fields(CallOptions)} ^ CHANGES.keys()
    assert not new, (
        f"say in CHANGES of {__file__} whether {', '.join(new)} may cost more, and in promptopt/budget/lock.py"
    )
    for name, (first, second, there, back) in CHANGES.items():
        assert (may_cost_more(name, first, second), may_cost_more(name, second, first)) == (there, back), name
    assert may_cost_more("a setting of a later version", 1, 2)


def test_a_setting_below_zero_is_locked_as_it_is() -> None:
    call = LockedCall({"frequency_penalty": -0.5, "presence_penalty": 2.0})
    lock = Lock("p", "v1", BASIS, {"a": ENTRY}, call=call)
    assert parse_lock(lock.text(), "p.lock.toml").call == call
