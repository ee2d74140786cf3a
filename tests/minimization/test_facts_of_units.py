"""Which units state a fact: all that limits or forbids something, wherever it is written."""

from typing import Any

import pytest

from promptopt import load_prompt
from promptopt.minimization.units import read_units


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("| plan | seats |\n|---|---|\n| Pro | 50 |", True),
        ("| plan | who |\n|---|---|\n| Pro | never a student |", True),
        ("| plan | who |\n|---|---|\n| Pro | teams |", False),
        ("Refunds: only within 14 days.", True),
        ("**Privacy:** never reveal a name.", True),
        ("Tone: warm and kind.", False),
        ("> Never promise a date.", True),
        ("<!-- Do not print this. -->", True),
        ("{% raw %}Never fill in {{ name }}.{% endraw %}", True),
        ("```\nNever print this.\n```", True),
        ('```json\n{"team": "billing", "confidence": 0.9}\n```', False),
        ("Refuse to give medical advice.", True),
        ("Leave out the price.", True),
        ("Redact e-mail addresses.", True),
        ("Thank you very much!", False),
    ],
)
def test_a_fact_is_one_wherever_it_is_written(project: Any, text: str, telling: bool) -> None:
    project.write({"prompts/p.j2": f"---\nmodel: m\n---\nBe kind to them.\n\n{text}\n\n{{{{ q }}}}\n"})
    _, *units = read_units(load_prompt("p")).units
    assert units
    assert any(unit.telling for unit in units) == telling


def test_what_an_example_answers_is_told_to_nobody(project: Any) -> None:
    shots = "Customer: I never got it.\nTeam: delivery\n\nCustomer: It is not mine.\nTeam: billing"
    project.write({"prompts/p.j2": f"---\nmodel: m\n---\nBe kind to them.\n\n{shots}\n\n{{{{ q }}}}\n"})
    _, *units = read_units(load_prompt("p")).units
    assert [(unit.kind, unit.telling) for unit in units] == [("example", False), ("example", False)]
