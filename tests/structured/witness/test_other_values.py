"""Values that a form may have beside those that were read stop a proposal; what is said of one key stops no other."""

import pytest

from promptopt.structured.infer import infer

HULL = 'Return JSON: {"hull": "steel" | "wood", "name": "<the name>"}\n\n%s\n\n{{ log }}\n'


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        (HULL % "If a field is not readable, return it as an empty string.", "none that is empty"),
        (HULL % "Leave fields empty that the log does not say.", "none that is empty"),
        (HULL.replace('"wood"', '"wood in TARGET_LANGUAGE"') % "Be short.", "in which language"),
        ('Estimate the parts.\n\nReturn JSON:\n{"sand": %, "clay": %}\n\n{{ log }}\n', "shows a percentage"),
        (
            'Return {"found": true or false, "name": "<name> or null"}\n\nIf found is false other fields are null.\n',
            "null is said of the other keys",
        ),
    ],
)
def test_what_else_a_value_may_be_is_missed(prompt: str, why: str) -> None:
    found = infer(prompt)
    assert not found.fields
    assert why in found.problems[0]


@pytest.mark.parametrize(
    "prompt",
    [
        HULL % "Leave name empty if the log does not say it.",
        HULL.replace("|", '| "" |') % "If a field is not readable, return it as an empty string.",
        HULL % "Use an empty list for no crates.",
    ],
)
def test_what_is_said_of_another_key_or_was_read_is_not(prompt: str) -> None:
    found = infer(prompt)
    assert found.fields or "none that is empty" not in found.problems[0]
