"""Steps of ratings hold for all numbers of a form if they have one range."""

import pytest

from promptopt.structured.fields import PromptText
from promptopt.structured.prose.formats import with_steps

BAND = {"type": "number", "minimum": 0, "maximum": 9}
COUNT = {"type": "integer"}


@pytest.mark.parametrize(
    ("said", "fields", "step"),
    [
        ("Bands go from 0 to 9 in half-band steps.", {"knots": BAND, "ropes": BAND}, 0.5),
        ("You can use half points.", {"knots": BAND}, 0.5),
        ("You can use half points.", {"knots": BAND, "sails": COUNT}, None),
        ("Do not use half points.", {"knots": BAND}, None),
    ],
)
def test_steps_of_the_one_range(said: str, fields: dict[str, object], step: float | None) -> None:
    made = with_steps(PromptText.of(f"Rate the knots. {said}\n"), {"type": "object", "properties": fields})
    assert made["properties"]["knots"].get("multipleOf") == step
    assert all("multipleOf" not in node for name, node in made["properties"].items() if name == "sails")
