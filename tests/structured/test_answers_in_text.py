"""Answers in text: labelled lines, a bare value, some labels of a list, sections; and who asks for none of them."""

from pathlib import Path

import pytest
import yaml
from forms import short

from promptopt.structured.infer import infer

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
