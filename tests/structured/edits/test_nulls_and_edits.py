"""Null belongs to the keys that it is said of, and an edit leaves no half of a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptopt.structured.build import structure
from promptopt.structured.edits.carried import carried_edits
from promptopt.structured.fields import PromptText
from promptopt.structured.infer import infer
from promptopt.structured.proposal import Options
from promptopt.structured.reasoning import needs_reasoning
from promptopt.templates import load_prompt


def _types(text: str) -> dict[str, object]:
    found = infer(text)
    assert found.fields, found.problems
    return {item.name: item.schema.get("type") for item in found.fields}


def test_null_said_of_one_key_in_its_line_is_not_null_of_all() -> None:
    text = (
        "Rules:\n- fare_paid must be a numeric value when a sum is stated, otherwise null\n"
        'Return JSON:\n{"route": "", "fare_paid": null}'
    )
    assert _types(text) == {"route": "string", "fare_paid": ["number", "null"]}


def test_null_in_the_list_below_a_key_is_of_that_key() -> None:
    text = (
        'Return JSON:\n{"berth": "B2", "ready": true}\n\nRules for berth:\n'
        "- copy it from the label\n- null if not found"
    )
    assert _types(text) == {"berth": ["string", "null"], "ready": "boolean"}


def test_all_fields_that_may_be_null_are_lists_too() -> None:
    text = (
        "Extract the following fields (use null if not mentioned):\n- mast: text\n- ropes: list of strings\n"
        'Return JSON. Example output:\n{"mast": "oak", "ropes": ["a", "b"]}'
    )
    assert _types(text)["ropes"] == ["array", "null"]
    assert _types(text + "\nUse an empty list for ropes that are unknown.")["ropes"] == "array"


def test_a_note_that_says_what_is_given_instead_is_not_null() -> None:
    text = (
        'Return JSON:\n{"log": string, // the reason if mentioned, else ""\n'
        ' "side": string // "port", "starboard", or "N/A"\n}'
    )
    found = {item.name: dict(item.schema) for item in infer(text).fields}
    assert found["log"]["type"] == "string"
    assert found["side"]["enum"] == ["port", "starboard", "N/A"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            'Return JSON:\n{"depth": <0-10 or "N/A">, "why": "<why>"}\n',
            "'depth', which was read",
            id="a number or a text",
        ),
        pytest.param(
            "Answer with exactly two lines:\nVERDICT: <yes or no>\nREASON: <short>\n\nUSER: <text>\n",
            "",
            id="another turn",
        ),
        pytest.param(
            'If a field is not stated, use the value "not_logged".\nReturn JSON. Example:\n{"port": "Kiel", "crew": 4}',
            "'crew' was read without it",
            id="a text that a number may have instead",
        ),
        pytest.param(
            'Return JSON:\n{"kind": "gale|calm", "note": "<why>"}\n'
            'If there is nothing to say, return {"kind": "none"}.',
            "'none', which is not among its labels",
            id="a value of one case that is no label",
        ),
        pytest.param(
            "Return JSON with EXACTLY these keys:\n  hull_state, mast_state, total\n\n"
            'Each part must be an object: {"score": <1-5>, "why": "<why>"}',
            "'hull_state' is said to be a key",
            id="the form of one part",
        ),
        pytest.param(
            'Generate the required number of knots.\nRespond with JSON:\n{"knot": "<its name>", "use": "<its use>"}',
            "for all of them",
            id="one object for a number of things",
        ),
        pytest.param(
            'The output must be a valid JSON array.\nExample output:\n{"knot": "reef", "use": "sails"}',
            "the answer is a list",
            id="one object of an array",
        ),
        pytest.param(
            "Return a JSON object with these fields:\n"
            "- allowed - 0 if the ship may not pass and 1 if it may\n- log - a line for the log",
            "'allowed', which was read as no number",
            id="0 or 1 in words",
        ),
        pytest.param(
            "For each port of the list, compare.\nReturn JSON:\n"
            '{"ports": {"port_name_a": {"near": "<name>"}}, "sum": 3}',
            "which may be any key",
            id="a key that is one of many",
        ),
        pytest.param(
            'Return JSON:\n{"port": "<its name>", "quay": "<its name>"}\nEnd your response with the word MOORED.',
            "is beside the form",
            id="a word after the form",
        ),
        pytest.param('Return JSON:\n{"dry": [true|false], "why": "<why>"}', "", id="a choice in brackets"),
        pytest.param('Return JSON:\n{"tool": "its name", "args": {"arg name": "value"}}', "free keys", id="any key"),
        pytest.param(
            "Answer in this form:\nVERDICT: SOUND\nREASON: <one clause>\n", "'SOUND'", id="one of the labels is shown"
        ),
        pytest.param(
            "Return JSON with the following 4 keys:\n- hull: (list of hulls)\n- mast: (list of masts)\n"
            "- rope: (list of ropes)",
            "3 were read",
            id="a key less than are said",
        ),
        pytest.param(
            'Example output:\n{"kind": "new_sail", "why": "a"}\nExample output:\n'
            '{"kind": "old_rope", "why": "b"}\nReturn JSON.',
            "its labels were not read",
            id="a text that is shown as two identifiers",
        ),
        pytest.param(
            'Return JSON:\n{"size": <number 0-100>, "wet": "<True or False>"}', "quotation marks", id="a quoted boolean"
        ),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    found = infer(text)
    assert found.fields == ()
    assert reason in found.problems[0]


def test_numbers_that_bound_a_part_of_a_scale_are_no_labels() -> None:
    text = (
        "Rate the rope on a scale from 1 to 10.\n- A low score is between 1 and 3.\n"
        "- A high score is between 7 and 10.\n"
        "Return your score."
    )
    assert all("enum" not in item.schema for item in infer(text).fields)


def test_labels_that_commas_divide_in_a_template() -> None:
    text = 'Return JSON: {"seen": 0 or 1, "surf": "none", "low", or "high", "note": one sentence, max 20 words}'
    found = {item.name: dict(item.schema) for item in infer(text).fields}
    assert found["seen"]["enum"] == [0, 1]
    assert found["surf"]["enum"] == ["none", "low", "high"]
    assert found["note"] == {"description": "one sentence, max 20 words", "type": "string"}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('- Swell: flat | rough\nReturn JSON: {"swell": "", "wet": true}', ["flat", "rough"]),
        (
            'Sails:\n- jib\n- main\n- spinnaker\n\nReturn JSON: {"cloth": "<sail>", "wet": true}',
            ["jib", "main", "spinnaker"],
        ),
        (
            (
                'Sort it into EXACTLY one of:\n- "tow": it is pulled\n- "row": it is rowed\n'
                'Return JSON: {"way": "<one of the above>"}'
            ),
            ["tow", "row"],
        ),
        (
            'next_step must be one of:\n- Set sail\n- Wait here\nReturn JSON: {"next_step": "", "wet": true}',
            ["Set sail", "Wait here"],
        ),
    ],
)
def test_lists_that_a_key_points_to(text: str, labels: list[str]) -> None:
    assert infer(text).fields[0].schema["enum"] == labels


def test_a_list_that_its_only_item_names_is_no_list_of_lists() -> None:
    found = infer('Return JSON:\n{"leaks": ["<list of leaks>"], "sum": <average of above>, "grade": <0-10>}').fields
    assert found[0].schema["items"] == {"type": "string"}
    assert found[1].schema["type"] == "number"


def test_a_continuous_score_is_no_whole_number() -> None:
    found = infer("Rate the knot. Return a continuous score from 0 to 100.").fields
    assert found[0].schema == {"type": "number", "minimum": 0, "maximum": 100}


def test_null_said_of_one_key_before_another_in_the_sentence() -> None:
    text = (
        'Return JSON:\n{"fix": "<code or null>", "reason": "<one sentence>"}\n'
        "If no fix is clear, set fix to null and say so in reason."
    )
    assert _types(text) == {"fix": ["string", "null"], "reason": "string"}


def test_no_line_within_a_form_that_stays_is_taken_out() -> None:
    text = (
        'Return JSON:\n{\n  "mood": "<one of: glad, grim>",\n  "crew": ["Ann by the mast", "Bo"],\n  "wet": true\n}\n'
    )
    assert infer(text).carried == ()
    assert _left(text).count("mood") == 1


def _left(text: str) -> str:
    for edit in reversed(carried_edits(PromptText.of(text), infer(text), drop_explanation=False)):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def test_an_edit_leaves_no_half_of_a_sentence_and_no_lone_mark() -> None:
    whole = "1. Sort the rope.\n7. Return ONLY the valid JSON object. No markdown, no explanation, no\n   wrapping.\n"
    form = 'Return JSON: {"rope": "old|new"}\n'
    left = _left(whole + form)
    assert "no\n   wrapping." in left
    marked = _left("1. Sort the rope.\n7. Return ONLY valid JSON, no markdown\n" + form)
    assert "7." not in marked
    assert "1. Sort the rope." in marked


def test_what_a_line_leads_to_is_not_left_without_it() -> None:
    left = _left("Is the rope sound? Return ONLY one word:\nCORRECT\nor\nINCORRECT\n")
    assert ("one word:" in left) == ("INCORRECT" in left)


def test_a_label_is_scored_and_not_how_sure_a_model_is(tmp_path: Path) -> None:
    path = tmp_path / "v1.j2"
    path.write_text('Return JSON: {"category": "<name of it>", "confidence": 0.0-1.0, "needs_help": true}\n')
    assert structure(load_prompt(path), options=Options()).answer == "/category"


@pytest.mark.parametrize(
    "text", ["You read a scanned mathematics textbook.", "You are an expert in mathematics and grade proofs."]
)
def test_what_somebody_knows_is_not_a_task_of_arithmetic(text: str) -> None:
    assert needs_reasoning(PromptText.of(text)) is None
    assert needs_reasoning(PromptText.of("Solve this math task.")) is not None


def test_what_is_said_of_a_part_beyond_its_key_stays() -> None:
    text = (
        "Make 5 cards.\n\n- Give the correct answer.\n- hint: short, clear hint\n- Return only correct JSON.\n\n"
        'Return JSON:\n{"cards": [{"answer": "...", "hint": "..."}]}\n\n{{ text }}'
    )
    document = PromptText.of(text)
    edits = carried_edits(document, infer(text), drop_explanation=True)
    taken = "".join(text[edit.start : edit.end] for edit in edits)
    assert "Return only correct JSON." in taken
    assert "correct answer" not in taken
    assert "hint: short" not in taken
