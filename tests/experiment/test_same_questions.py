"""Which cases ask the same."""

import pytest

from promptopt.experiment.same_questions import numbered


@pytest.mark.parametrize(
    ("sent", "numbers"),
    [
        ([{"a": "x", "b": "y", "c": "x"}], [0, 1, 0]),
        ([{"a": "x", "b": "y", "c": "x"}, {"a": "u", "b": "u", "c": "u"}], [0, 1, 0]),
        # One of the prompts tells a from c: it is asked two questions.
        ([{"a": "x", "b": "y", "c": "x"}, {"a": "u", "b": "u", "c": "v"}], [0, 1, 2]),
        ([{"a": "x", "b": "x", "c": "x"}, {"a": "u", "b": "v", "c": "w"}, {"a": "u", "b": "u", "c": "u"}], [0, 1, 2]),
        ([{"a": "x", "b": "x", "c": "x"}, {"a": "u", "b": "u", "c": "w"}, {"a": "u", "b": "v", "c": "v"}], [0, 1, 2]),
        ([{"a": "x", "b": "x", "c": "x"}, {"a": "u", "b": "u", "c": "w"}, {"a": "u", "b": "u", "c": "u"}], [0, 0, 1]),
        ([{}], []),
    ],
)
def test_cases_have_one_number_if_all_variants_send_them_alike(sent: list[dict[str, str]], numbers: list[int]) -> None:
    assert list(numbered(sent).values()) == numbers
    assert list(numbered(sent)) == list(sent[0])
