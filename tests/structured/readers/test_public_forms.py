"""Forms of public prompts that were read without their labels or not at all, and reasons that were not true."""

from pathlib import Path

import pytest
import yaml

from promptopt.structured.build import structure
from promptopt.structured.fields import PromptText
from promptopt.structured.infer import infer
from promptopt.structured.proposal import Options
from promptopt.structured.reasoning import needs_reasoning
from promptopt.templates import load_prompt

FORMS = yaml.safe_load((Path(__file__).parent / "public_forms.yaml").read_text())


@pytest.mark.parametrize("name", FORMS["read"])
def test_a_form_is_read_with_its_labels(name: str) -> None:
    found = infer(FORMS["read"][name]["text"])
    assert {item.name: dict(item.schema) for item in found.fields} == FORMS["read"][name]["fields"], found.problems


@pytest.mark.parametrize("name", FORMS["refused"])
def test_what_is_not_read_whole_is_refused_with_its_line(name: str) -> None:
    found = infer(FORMS["refused"][name]["text"])
    assert not found.fields
    assert FORMS["refused"][name]["reason"] in found.problems[0], found.problems


def test_a_value_at_the_end_of_a_longer_answer_is_not_capped(tmp_path: Path) -> None:
    path = tmp_path / "v1.j2"
    path.write_text('At the very end, type "Answer:" and then your final answer (yes or no only).\nQ: {{ q }}')
    proposal = structure(load_prompt(path), options=Options(reasoning=0))
    assert proposal.fields[0].schema["enum"] == ["yes", "no"]
    assert proposal.max_output_tokens is None


def test_no_schema_replaces_a_text_of_which_it_is_a_part(tmp_path: Path) -> None:
    path = tmp_path / "v1.j2"
    wishes = "Return JSON only, with no other words, no fences and no comments.\n" * 3
    path.write_text(f'Also write a poem on it.\nReturn this JSON:\n{{"faults": ["<fault>"]}}\n{wishes}{{{{ x }}}}')
    assert infer(path.read_text()).beside
    assert structure(load_prompt(path)).form == "text"


@pytest.mark.parametrize(
    "text",
    [
        "Name the field: History, Math, Coding or Law.\n{{ x }}",
        "Is it one of these?\n- Math concepts that schools teach\n- Songs\n{{ x }}",
        "Call it 'hard' in these cases:\n1. Deep thought: Multi-step analysis.\n{{ x }}",
        "Your job is to compute an accurate evaluation score for the answer.\n{{ x }}",
    ],
)
def test_a_topic_and_a_score_are_no_arithmetic(text: str) -> None:
    assert needs_reasoning(PromptText.of(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "- Solve the math of the tide table\n{{ x }}",
        "Compute the sum of the fares.\n{{ x }}",
        "You get a geometry problem.\n{{ x }}",
    ],
)
def test_a_task_of_arithmetic_still_is_one(text: str) -> None:
    assert needs_reasoning(PromptText.of(text)) is not None
