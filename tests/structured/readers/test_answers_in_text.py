"""Answers in text: labelled lines, a bare value, some labels of a list, sections; and who asks for none of them."""

from pathlib import Path

import pytest
import yaml
from forms import short

from promptopt.structured.build import structure
from promptopt.structured.infer import infer
from promptopt.templates import load_prompt

CASES = yaml.safe_load((Path(__file__).parent / "answers_in_text.yaml").read_text())


@pytest.mark.parametrize("case", CASES["read"], ids=lambda case: case["text"].strip()[:50])
def test_what_an_answer_in_text_is_said_to_be_is_read(case: dict) -> None:
    found = infer(case["text"])
    assert ", ".join(f"{item.name} {short(item.schema)}" for item in found.fields) == case["form"], found.problems


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["text"].strip()[:50])
def test_what_is_no_such_answer_is_refused_with_its_reason(case: dict) -> None:
    found = infer(case["text"])
    assert not found.fields
    assert case["why"] in found.problems[0]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("Answer yes or no and give a reason.", ["answer", "explanation"]),
        ("Answer yes or no with a short reason.", ["answer", "explanation"]),
        ("Rate it from 1 to 5. Say why.", ["score", "explanation"]),
        ("Answer yes or no, no reason needed.", ["answer"]),
        ("Answer yes or no. Do not say why.", ["answer"]),
    ],
)
def test_a_reason_that_is_asked_for_is_a_part_of_the_answer(asked: str, names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "v1.j2"
    path.write_text(f"Is the review fake? {asked}\n\n{{{{ review }}}}\n")
    made = structure(load_prompt(path))
    assert [item.name for item in made.fields] == names
    assert (made.max_output_tokens is None) == (len(names) > 1)
