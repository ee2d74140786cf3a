"""The repository's suite of conversations: a real model's answers, replayed turn by turn."""

from collections import Counter
from pathlib import Path

import pytest

from promptopt import compare
from promptopt.suites import load_suite

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_each_kind_has_as_many_conversations_of_two_turns_and_no_text_is_there_twice() -> None:
    cases = load_suite("mood").cases
    assert Counter(case.metadata["kind"] for case in cases) == dict.fromkeys(
        ("stays-happy", "stays-unhappy", "won-over", "let-down"), 16
    )
    texts = [turn.user for case in cases for turn in case.turns]
    assert len(texts) == len(set(texts)) == 128
    changed = {case.metadata["kind"] for case in cases if len({turn.asserts[0].value for turn in case.turns}) == 2}
    assert changed == {"won-over", "let-down"}


def test_the_model_takes_both_turns_and_makes_mistakes_in_each() -> None:
    replayed = compare("mood@v1", "mood@v2", "mood@v3", record="none")
    for run in replayed.runs:
        assert [trial.steps for trial in run.answered] == [2] * 64
        passed = Counter(
            number for trial in run.answered for number, score in enumerate(trial.score.scores) if score.passed
        )
        assert all(40 <= passed[turn] < 64 for turn in (0, 1))
    one, two, three = replayed.variants
    assert (three.usd_per_1k_calls or 1) < (one.usd_per_1k_calls or 0)
    assert two.conversation is not None
    assert three.conversation is not None
    assert two.conversation.repeated_tokens < three.conversation.repeated_tokens
