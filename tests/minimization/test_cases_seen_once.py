"""No case that a search has seen is one of a confirmation, in whatever run, and what cases have judged is known."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planted_model import USELESS, Planted, Write
from test_minimize_command import reply

import promptopt
from promptopt.errors import RecordingError, UsageError
from promptopt.minimization.case_history import CaseHistory, case_key
from promptopt.minimization.confirmation import split_cases


def test_the_parts_are_nested_whatever_the_dollars_and_the_margin(planted: Write) -> None:
    """Each takes cases from its own end of one order."""
    planted(["Be kind."], 300)
    suite = promptopt.load_suite("p")
    whole = split_cases(suite, 0.05)
    assert (len(whole.search), len(whole.confirm)) == (120, 180)
    before = set[int]()
    for most in (60, 68, 90, 135, 180):
        split = split_cases(suite, 0.05, most=most)
        assert len(split.confirm) == most
        assert before < set(split.confirm)
        assert split.search == whole.search
        odd = sum(suite.cases[number].metadata["kind"] == "odd" for number in split.confirm)
        assert abs(odd - most / 2) <= 1
        before = set(split.confirm)
    strict = split_cases(suite, 0.02)
    assert set(whole.confirm) < set(strict.confirm)
    assert set(strict.search) < set(whole.search)


def test_what_an_earlier_search_has_seen_stays_to_search(planted: Write) -> None:
    planted(["Be kind."], 330)
    suite = promptopt.load_suite("p")
    # Thirty cases are new, or the margin is another one: both would move cases.
    old = replace(suite, cases=suite.cases[:300])
    searched = {case_key(old.cases[number]) for number in split_cases(old, 0.05).search}
    fresh = split_cases(suite, 0.05)
    assert {case_key(suite.cases[number]) for number in fresh.confirm} & searched
    for margin in (0.05, 0.02):
        split = split_cases(suite, margin, searched=searched)
        assert not {case_key(suite.cases[number]) for number in split.confirm} & searched
        assert split.kept
        now = searched | {case_key(suite.cases[number]) for number in split.search}
        again = split_cases(suite, margin, searched=now)
        assert (again.search, again.confirm) == (split.search, split.confirm)
    few = replace(suite, cases=suite.cases[:170])
    seen = {case_key(few.cases[number]) for number in split_cases(few, 0.05).search}
    with pytest.raises(UsageError, match=r"of 170 cases earlier searches have seen 68: below 1\d\d .* Add \d\d cases"):
        split_cases(few, 0.02, searched=seen)


def test_a_search_that_is_begun_again_has_the_same_plan_and_asks_nothing_twice(
    planted: Write, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted([*USELESS[:2], "Answer in capitals."], 100)
    endpoint.reply = reply(Planted({"Answer in capitals.": 0.5}))
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    # The dollars size the parts.
    options: Any = {"margin": 10, "rules": False, "max_cost": 0.0032}
    found = promptopt.minimize("p", **options)
    assert len(found.plan.split.confirm) < 60
    asked = len(endpoint.requests)
    again = promptopt.minimize("p", **options)
    for one in (again, promptopt.minimize("p", record="none", **options)):
        assert one.plan.split == found.plan.split
        assert (one.plan.steps, one.plan.candidates) == (found.plan.steps, found.plan.candidates)
        assert one.confirmed == found.confirmed
    assert len(endpoint.requests) == asked
    assert found.confirmed


def test_a_second_version_on_the_same_cases_shares_the_level(
    planted: Write, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = planted([*USELESS[:2], "Answer in capitals."], 100)
    endpoint.reply = reply(Planted({"Answer in capitals.": 0.5}))
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    options: Any = {"margin": 10, "rules": False, "steps": 1}
    first = promptopt.minimize(path, **options)
    other: Any = {**options, "models": ["gpt-4.1-nano"]}
    second = promptopt.minimize(path, **other)
    assert [each.shared_by for each in (*first.confirmed, *second.confirmed)] == [1, 2]
    assert not first.plan.used
    assert "those never seen have judged 1 version in 1 run before: another one is accepted at 5% / 2" in str(
        second.plan
    )
    assert "these cases have judged 1 version before: accepted at 5% / 2" in str(second)
    [told] = second.to_dict()["confirmed"]
    assert (told["level"], told["judged_before"]) == (0.025, 1)
    # The same answers once more are the same judgement.
    assert promptopt.minimize(path, **options).confirmed == first.confirmed
    assert promptopt.minimize(path, **other).confirmed == second.confirmed


def test_within_a_run_the_sequence_shares_nothing_and_runs_do(tmp_path: Path) -> None:
    path, cases = tmp_path / "p.judged.jsonl", ["a", "b"]
    history = CaseHistory(path)
    first = history.standing("one", cases)
    history.note_verdict("one", "one", first, cases, True)
    second = history.standing("two", cases, first.run)
    assert (second.run, second.shared_by, second.before) == (1, 1, 0)
    history.note_verdict("two", "two", second, cases, False)
    # After a version that failed, the sequence of its run has ended.
    third = CaseHistory(path).standing("three", ["b", "c"], first.run)
    assert (third.run, third.shared_by, third.before) == (2, 2, 2)
    history.note_verdict("three", "three", third, ["b", "c"], True)
    assert CaseHistory(path).standing("two", cases) == second
    assert CaseHistory(path).standing("four", ["c"]).shared_by == 2
    assert CaseHistory(path).standing("four", ["d"]).shared_by == 1
    # A line that a crash cut off is left out, and not continued.
    with path.open("ab") as file:
        file.write(b'{"v": 1, "vers')
    CaseHistory(path).note_verdict("five", "five", CaseHistory(path).standing("five", ["d"]), ["d"], True)
    assert [json.loads(line)["version"] for line in path.read_text().splitlines()] == ["one", "two", "three", "five"]
    path.write_text("{}\n")
    with pytest.raises(RecordingError, match=r"p\.judged\.jsonl:1: not a line of what cases were used for"):
        CaseHistory(path)
