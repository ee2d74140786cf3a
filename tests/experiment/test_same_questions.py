"""Which cases ask the same."""

from typing import Any

import pytest

from promptopt import compare
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
        # The second one was dropped from a race before it was asked of c and d.
        (
            [{"a": "x", "b": "y", "c": "z", "d": "z"}, {"a": "u", "b": "v"}, {"a": "1", "b": "2", "c": "3", "d": "4"}],
            [0, 1, 2, 3],
        ),
        ([{}], []),
    ],
)
def test_cases_have_one_number_if_all_variants_send_them_alike(sent: list[dict[str, str]], numbers: list[int]) -> None:
    assert list(numbered(sent).values()) == numbers
    assert list(numbered(sent)) == list(sent[0])


PROGRAM = """
[tool.promptopt]
model = "app"
price_as = "gpt-4o-mini"
[tool.promptopt.providers.app]
type = "python"
function = "file://app.py:answer"
"""
ANSWER = """
def answer(prompt, variables):
    right = variables["n"] % (10 if prompt == "short" else 2)
    return "yes" if right else "no"
"""


def test_a_program_is_asked_with_the_variables_that_the_prompt_does_not_show(project: Any) -> None:
    cases = "".join(f"- {{vars: {{n: {n}}}, assert: [{{type: equals, value: 'yes'}}]}}\n" for n in range(40))
    prompts = {"prompts/q/v1.j2": "long", "prompts/q/v2.j2": "short"}
    project.write({"pyproject.toml": PROGRAM, "app.py": ANSWER, "suites/q.yaml": cases, **prompts})
    found = compare("q@v1", "q@v2", record="all")
    decision = found.pairs[0].decision
    assert (decision.verdict, "16 better, 0 worse, 24 the same" in str(found)) == ("improved", True)
    assert "ask the same" not in str(found)
    # A model is asked with the messages alone.
    echoed = compare("q@v1", "q@v2", model="echo")
    assert "39 of 40 cases ask the same" in str(echoed)
