"""Labels that a prompt gives case by case, grades of each criterion, and endings with a label."""

import pytest

from promptopt.structured.infer import infer


def fields(text: str) -> dict[str, dict]:
    found = infer(text)
    assert found.fields, found.problems
    return {item.name: {k: v for k, v in item.schema.items() if k != "description"} for item in found.fields}


def whole(low: int, high: int) -> dict:
    return {"type": "integer", "minimum": low, "maximum": high}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Reply with OPEN if the gate is open, otherwise SHUT.\n{{ log }}", ["OPEN", "SHUT"]),
        ("If the ship is late, respond with LATE. Otherwise respond with ON_TIME.\n{{ log }}", ["LATE", "ON_TIME"]),
        ("Respond with 'yes' if the crew agrees, and 'no' if there are doubts.\n{{ log }}", ["yes", "no"]),
        ("Classify the tone of the letter. Use -1 for cold, 0 for plain and 1 for warm.\n{{ letter }}", [-1, 0, 1]),
        ("Output 1 if both maps show one coast and 0 if they do not.\n{{ maps }}", [1, 0]),
        ("Assign a berth: use B1 for ferries, B2 for tugs and B3 for all others.\n{{ ship }}", ["B1", "B2", "B3"]),
        ("Return the code of the sail, only the label (S-1, S-2 or T-9).\n{{ sail }}", ["S-1", "S-2", "T-9"]),
    ],
)
def test_values_given_case_by_case(text: str, values: list) -> None:
    (schema,) = fields(text).values()
    assert schema["enum"] == values


@pytest.mark.parametrize(
    "text",
    [
        'Extract the captain\'s name. Return "unknown" if none is given and "several" if there are many.\n{{ log }}',
        "If a harbour matches, respond with ONLY its number. Otherwise respond with NONE.\n{{ harbours }}",
        'Predict the tide. Answer "rising", "falling" or "slack", then a confidence percentage.\n{{ log }}',
    ],
)
def test_values_that_are_not_all_there_is_are_no_labels(text: str) -> None:
    assert not infer(text).fields


def test_each_criterion_has_its_own_grades() -> None:
    found = fields(
        "Grade the boat.\n\nHull: 0 = leaks, 1 = damp, 2 = dry\nSails: 0 = torn, 1 = patched, 2 = sound, 3 = new\n\n"
        "Return JSON with the keys hull, sails and remark.\n{{ boat }}"
    )
    assert found == {"hull": whole(0, 2), "sails": whole(0, 3), "remark": {"type": "string"}}


def test_a_range_for_criteria_that_are_named_and_labels_in_brackets() -> None:
    found = fields(
        "Score the boat from 1 to 6 on speed, comfort and safety, and give its class (I, II or III). Reply as JSON: "
        '{"speed": int, "comfort": int, "safety": int, "class": str}\n{{ boat }}'
    )
    assert found["speed"] == found["safety"] == whole(1, 6)
    assert found["class"]["enum"] == ["I", "II", "III"]


def test_what_is_said_of_a_key_below_its_form() -> None:
    found = fields(
        'Respond with a JSON object:\n```json\n{"act": "ACT_NAME", "day": "YYYY-MM-DD", "mood": "..."}\n```\n'
        "- `act`: (Required) Must be one of `sail` or `moor`.\n- `mood` (string): calm | rough\n{{ log }}"
    )
    assert found["act"]["enum"] == ["sail", "moor"]
    assert found["mood"]["enum"] == ["calm", "rough"]


def test_a_number_with_a_label_at_the_end() -> None:
    found = infer("Rate the meal from 1 to 5. Give the result in the form 'Stars: [number]'.\n{{ review }}")
    (field,) = found.fields
    assert field.name == "stars"
    assert {k: field.schema[k] for k in ("minimum", "maximum")} == {"minimum": 1, "maximum": 5}
    assert "Stars" in (field.pattern or "")


def test_tags_with_a_scale_whose_ends_are_explained() -> None:
    found = fields(
        "Read the review and rate how angry it is.\n<anger>1 (calm) to 7 (furious)</anger>\n"
        "<because>why you think so</because>\n\n{{ review }}"
    )
    assert found["anger"] == whole(1, 7)
    assert found["because"] == {"type": "string"}


def test_a_note_below_the_labels_is_no_label_and_points_are_a_list() -> None:
    found = fields(
        "Your output should be in the following format:\n1. Title: <title>\n2. Stops:\n   - <stop 1>\n   - <stop 2>\n"
        "\nNote that:\n- stops are harbours\n{{ trip }}"
    )
    assert found == {"title": {"type": "string"}, "stops": {"type": "array", "items": {"type": "string"}}}
