"""What a second reading asks for before it lets a form pass: a word for each type, each number, and each order."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from promptopt.structured.build import structure
from promptopt.structured.format_string import load_any
from promptopt.structured.infer import infer
from promptopt.structured.proposal import Options

_INPUT = "\n\nLogbook:\n{{ text }}\n"


def _fields(text: str) -> dict[str, dict[str, Any]]:
    found = infer(text + _INPUT)
    assert found.fields, found.problems
    return {item.name: dict(item.schema) for item in found.fields}


def _refused(text: str) -> str:
    found = infer(text + _INPUT)
    assert not found.fields, found.fields
    return "; ".join(found.problems)


def _edited(tmp_path: Path, text: str) -> str:
    path = tmp_path / "ships.txt"
    path.write_text(text + _INPUT)
    template, written_as = load_any(str(path))
    source = structure(template, None, Options(form="schema", as_written=written_as, minify=False)).source
    return source.rpartition("---\n")[2]


# ---- types -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "doubted"),
    [
        ("captain, draughtScoreOutOf10", "draughtScoreOutOf10"),
        ("captain, crew_count", "crew_count"),
        ("captain, is_moored", "is_moored"),
        ("captain, PortOrStarboard_AorB", ""),
    ],
)
def test_a_key_without_a_word_for_its_type_is_no_text_if_its_name_says_otherwise(keys: str, doubted: str) -> None:
    text = f"Read the logbook. Output only in JSON, with properties: {keys}"
    if doubted:
        assert doubted in _refused(text)
    else:
        assert set(_fields(text)) == {"captain", "PortOrStarboard_AorB"}


@pytest.mark.parametrize(
    "said",
    [
        "full cargo data",
        "structured JSON of the hold",
        "comprehensive inspection results",
        "how full the hold is on this voyage 1-10",
        "if it is unloaded, the weight that is left (integer)",
        "whether it is empty or full",
    ],
)
def test_what_is_said_of_a_key_may_doubt_that_it_is_a_text(said: str) -> None:
    text = f'Read the logbook. Respond with a JSON object with:\n- "captain": the name of the man\n- "hold": {said}'
    assert "'hold'" in _refused(text)


def test_a_text_in_quotation_marks_is_one_whatever_its_name() -> None:
    found = _fields('Read the logbook. Return JSON:\n{"cargo_data": "what is on board", "hold_count": "string"}')
    assert found["cargo_data"]["type"] == "string"
    assert found["hold_count"]["type"] == "string"


def test_an_empty_list_says_nothing_of_its_items() -> None:
    form = '{"shouldSail": true, "crew": []}'
    assert "'crew'" in _refused(f"Read the logbook. Respond with JSON:\n{form}")
    assert _fields(f"Read the logbook. Respond with JSON:\n{form}\n\n- crew: the names of all sailors")["crew"] == {
        "type": "array",
        "items": {"type": "string"},
    }


@pytest.mark.parametrize("key", ["[SHIP_1]", "[berth]"])
def test_a_key_that_stands_for_others_is_no_key(key: str) -> None:
    form = f'{{"log": "the text without names", "names": {{"{key}": "what it stands for"}}}}'
    assert "takes the place of keys" in _refused(f"Read the logbook. Return JSON in this format:\n{form}")


# ---- how many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "bounds"),
    [
        ("Suggest 4 names for the ship.", {"minItems": 4, "maxItems": 4}),
        ("Write exactly five names.", {"minItems": 5, "maxItems": 5}),
        ("Provide between 2 and 3 short names for it.", {"minItems": 2, "maxItems": 3}),
        ("List up to six names.", {"maxItems": 6}),
        ("You must give at least two names.", {"minItems": 2}),
        ("If the log is long, give at least two names.", {}),
        ("Choose names of 3 words.", {}),
    ],
)
def test_the_number_of_things_in_an_order_is_that_of_their_list(order: str, bounds: dict[str, int]) -> None:
    found = _fields(f'Read the logbook. {order} Return JSON:\n{{"names": ["a name", "another name"]}}')
    assert {key: value for key, value in found["names"].items() if key.endswith("Items")} == bounds


@pytest.mark.parametrize("order", ["Pick exactly 3 voyages.", "Generate three short voyage reports."])
def test_the_number_of_things_is_that_of_a_list_without_a_name(order: str) -> None:
    form = '[{"ship": "...", "port": "..."}]'
    found = _fields(f"Read the logbook. {order}\n\nReturn ONLY a JSON array:\n{form}")
    assert (found["items"]["minItems"], found["items"]["maxItems"]) == (3, 3)


def test_the_number_in_the_place_of_a_list_is_that_of_the_list() -> None:
    found = _fields('Read the logbook. Return JSON:\n{"strengths": ["List 3-5 strengths of the crew"], "port": "..."}')
    assert (found["strengths"]["minItems"], found["strengths"]["maxItems"]) == (3, 5)


@pytest.mark.parametrize(
    "order",
    [
        "Extract all ship names.",
        "Output each ship as JSON.",
        "List every port that is named.",
        "Generate 4 port notes.",
    ],
)
def test_one_object_is_not_read_for_several_things(order: str) -> None:
    assert "one object was read" in _refused(f'{order}\n\nReturn JSON like this: {{"title": "what it is called"}}')


def test_as_many_keys_as_things_are_all_of_them() -> None:
    form = '{"bow_view": "the view from the bow", "stern_view": "the view from the stern"}'
    assert len(_fields(f"Write two views of the voyage.\n\nRequired JSON shape:\n{form}")) == 2


# ---- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        "Classify it as [CALM/ROUGH/STORMY].",
        "Sort the weather into one of these options:\nA) The sea is calm.\nB) The sea is rough.",
        "1. **Weather**: It is one of the following categories:\n\n   - **Calm sea**: -\n   - **Rough sea**: -",
    ],
)
def test_labels_that_no_field_has_refuse_a_form(labels: str) -> None:
    assert "no field has" in _refused(f'Read the logbook.\n{labels}\n\nReturn JSON: {{"mood": "A"}}')


# ---- orders ----------------------------------------------------------------------------------------------------------

_FORM = 'Return JSON: {"ship": "the name of the ship", "port": "where it is"}'


@pytest.mark.parametrize(
    "order",
    [
        "Respond in 3 or 4 sentences.",
        "Answer with a short message to the harbour master.",
        "Reply to the sailor naturally.",
        "When you are done, print the manifest.",
    ],
)
def test_an_order_for_something_that_no_field_holds_refuses_a_form(order: str) -> None:
    assert "asks for something that no field holds" in _refused(f"Read the logbook. {order}\n\n{_FORM}")


@pytest.mark.parametrize(
    "order",
    [
        "Respond in English.",
        "Do not answer in sentences.",
        "Respond with only the object, no prose, no markdown fences.",
        "Return an empty string if the port is not named.",
        "Output the ship as it is written.",
    ],
)
def test_an_order_for_the_form_or_a_part_of_it_does_not(order: str) -> None:
    assert set(_fields(f"Read the logbook. {order}\n\n{_FORM}")) == {"ship", "port"}


# ---- beside the form, and instead of it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beside",
    [
        "Then give a short summary to the console (outside of the JSON).",
        "After the JSON object, write a note to the master.",
        "Start your response with AYE, followed by the form.",
        "Follow the output format as specified in the user prompt.",
    ],
)
def test_what_is_beside_a_form_refuses_it(beside: str) -> None:
    assert _refused(f"Read the logbook. {_FORM}\n{beside}")


@pytest.mark.parametrize(
    "beside",
    ["Write nothing outside of the JSON.", "Do not add any text after the JSON.", "Start your response with `{`."],
)
def test_what_is_not_to_be_beside_a_form_does_not(beside: str) -> None:
    assert set(_fields(f"Read the logbook. {_FORM}\n{beside}")) == {"ship", "port"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('Return JSON: {"ship": "...", "legs": [{{ leg }}]}', "variable"),
        ('Return JSON in this form:\n{"verdict": "MOORED", "why": "your reason"}', "its other labels"),
        ('Give a list of exactly four JSON objects with the keys "ship" and "port" in JSON.', ""),
        ('Return JSON in this form:\n{"name": "Full name", "rank": "[Rank/Post]"}', "what belongs there"),
        ('Return JSON: {"call": "the tool", "args": {"berth": "4"}}', "may be others"),
        ('POST /ships takes an object:\n{"ship": "the name of it", "port": "where it is"}\nIt says 200.', ""),
        (
            'The sea is "calm" or "rough" there.\nReturn JSON in this form:\n{"sea": "calm", "why": "your reason"}',
            "",
        ),
        ('Return JSON: {"berth": "A, B, or C, whichever is free", "why": "your reason"}', "without labels"),
        ("OUTPUT FORMAT (REPEAT FOR EACH SHIP):\nSHIP: <name>\nPORT: <name>", "several"),
    ],
)
def test_a_form_that_is_not_the_answer_or_not_all_of_it_is_refused(text: str, reason: str) -> None:
    assert reason in _refused(f"Read the logbook.\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        "Return the parts in tags.\n<goal>\nAlways help them with what you have.\n</goal>\n<plan>the plan</plan>",
        "Answer in these tags: <ship>the ship</ship> <port>the port</port>\n\nNow:\n<ship>\n{{ ship }}\n</ship>",
        "Use these tags for your answer: <ship>the ship</ship>\n<1port>the first port</1port>",
    ],
)
def test_tags_of_the_prompt_itself_are_no_parts_of_the_answer(text: str) -> None:
    assert _refused(f"Read the logbook. {text}")


@pytest.mark.parametrize(
    ("said", "bounds"),
    [
        ("ports: array of 3 strings", (3, 3)),
        ("ports: 5 to 7 ports, in order", (5, 7)),
        ("ports: list of exactly four texts", (4, 4)),
    ],
)
def test_the_number_after_a_key_is_that_of_its_list(said: str, bounds: tuple[int, int]) -> None:
    found = _fields(f'Read the logbook. Return JSON:\n{{"ports": ["a port"], "ship": "its name"}}\n\n- {said}')
    assert (found["ports"]["minItems"], found["ports"]["maxItems"]) == bounds


# ---- edits -----------------------------------------------------------------------------------------------------------


def test_an_edit_leaves_no_full_stop_alone(tmp_path: Path) -> None:
    text = 'Read the logbook.\nReturn exactly one JSON object: {"moored": true|false, "note": "..."}.\nBe strict.'
    after = _edited(tmp_path, text)
    assert "Be strict." in after
    assert not [line for line in after.splitlines() if line.strip() in (".", ";", ",")]


def test_an_edit_does_not_take_a_sample_out_of_its_brackets(tmp_path: Path) -> None:
    text = (
        'Is it moored? Answer YES or NO.\nThe response is JSON with the key answer (e.g., {"answer": "YES"}), no more.'
    )
    assert "(e.g., )" not in _edited(tmp_path, text)


# ---- time ------------------------------------------------------------------------------------------------------------


def test_a_long_line_below_a_lead_is_read_in_time() -> None:
    line = "After the voyage, output exactly one object with " + "all the ports, " * 60 + "as {name"
    started = time.process_time()
    infer(f"Use the following format:\n{line}\n\nShip: <name>\nPort: <name>\n{_INPUT}")
    assert time.process_time() - started < 5


# ---- forms that are read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Return it in this format:\n\nSEA: CALM or NOT CALM\nWHY: <one sentence>\n\nLog:\n{{ log }}",
            {"sea": ["CALM", "NOT CALM"], "why": None},
        ),
        (
            "Give it in this format:\n\nSEA: [CALM or ROUGH]\n\nWHY:\n[the reason]\n\n**Rules:**\n- Be strict.",
            {"sea": ["CALM", "ROUGH"], "why": None},
        ),
        (
            "DEPTH: 1-5 — how deep it is\nFLAG: is a flag seen?\nAnswer exactly:\nDEPTH: <n>\nFLAG: <YES|NO>",
            {"depth": (1, 5), "flag": ["YES", "NO"]},
        ),
        ('Return JSON: {"sea": <0..1>, "why": "<why>"}', {"sea": (0, 1), "why": None}),
        ('Return JSON:\n{"sea": <1, 2, or 3>, "why": "your reason"}', {"sea": (1, 3), "why": None}),
        ("Rate how sure the master sounds. Reply with a single integer from 0 to 100.", {"score": (0, 100)}),
    ],
)
def test_forms_with_places_in_words(text: str, expected: dict[str, Any]) -> None:
    found = infer(f"Read the logbook.\n{text}")
    assert found.fields, found.problems
    read = {item.name: item.schema for item in found.fields}
    assert set(read) == set(expected)
    for name, bounds in expected.items():
        held = read[name].get("enum") or (read[name]["minimum"], read[name]["maximum"]) if bounds else None
        assert held == bounds


def test_a_variable_with_the_schema_of_a_database_holds_no_form_of_the_answer() -> None:
    text = "Database schema:\n{schema_text}\n\nReturn it in this format:\nSEA: CALM or ROUGH\nWHY: <one sentence>\n"
    assert [item.name for item in infer(text).fields] == ["sea", "why"]


def test_a_template_keeps_the_brackets_and_signs_of_its_words() -> None:
    found = _fields('Return JSON: {"a": "<short reason (one line)>", "b": "<<=280 chars>>"}')
    assert found["a"]["description"] == "short reason (one line)"
    assert found["b"]["description"] == "<=280 chars"


def test_a_range_is_not_that_of_what_counts() -> None:
    form = '[{"index": 1, "depth": 0.9}, {"index": 2, "depth": 0.1}]'
    found = _fields(f"For each port, rate its depth from 0.0 to 1.0.\n\nReturn a JSON array like this:\n{form}")
    assert found["items"]["items"]["properties"]["index"] == {"type": "integer"}
    assert found["items"]["items"]["properties"]["depth"]["maximum"] == 1


def test_a_place_of_several_things_is_no_text() -> None:
    form = "sea: <calm|rough>\nports: <port1, port2>\n"
    assert "several things" in _refused(f"Read the logbook.\nRespond using this format:\n{form}")


def test_a_count_in_brackets_after_a_key_is_that_of_its_list() -> None:
    said = "- ports: array of strings with the ports that are named (at least 5)\n- ship: string"
    assert _fields(f"Read the logbook. Return JSON with these keys:\n{said}")["ports"]["minItems"] == 5


def test_one_thing_is_one_object() -> None:
    form = '{"question": "the question", "answer": "its answer"}'
    assert set(_fields(f"Generate 1 hard question about this:\n{form}\nReturn JSON: {form}")) == {"question", "answer"}


def test_a_line_of_the_task_is_no_label() -> None:
    task = "## Instructions\n1. Analyze the whole log\n2. Check for rust in the hold\n3. Assess the harbour dues\n"
    found = _fields(f'{task}\nReturn JSON in this format:\n{{"rust": "Check for rust in the hold", "port": "..."}}')
    assert "enum" not in found["rust"]


def test_null_for_any_field_is_for_a_list_of_objects_too() -> None:
    form = '{"ship": "string", "legs": [{"from": "string", "to": "string"}]}'
    found = _fields(f"If a field is not found in the log, return null.\nReturn JSON:\n{form}")
    assert found["legs"]["type"] == ["array", "null"]


def test_the_wish_for_short_json_is_not_put_after_a_cue_for_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "cue.txt"
    path.write_text('Read the log: {{ log }}. Return JSON: {"ship": "...", "port": "..."}\n\nAnswer:')
    template, written_as = load_any(str(path))
    source = structure(template, None, Options(form="schema", as_written=written_as)).source
    assert source.rstrip().endswith("Answer:")


@pytest.mark.parametrize("place", ["letter", "your verdict", "final_choice", "label here"])
def test_the_place_of_a_label_in_double_brackets_is_no_label(place: str) -> None:
    text = (
        f'Which ship is faster? Output your verdict in this format: "Faster: [[{place}]]". '
        'So "Faster: [[A]]" if ship A is faster, "Faster: [[B]]" if ship B is.'
    )
    assert _fields(text)["verdict"]["enum"] == ["A", "B"]


def test_labels_in_double_brackets_in_small_letters_stay() -> None:
    text = 'Which ship is faster? Reply "[[A]]" if ship A is faster, "[[B]]" if ship B is, and "[[tie]]" if neither is.'
    assert _fields(text)["verdict"]["enum"] == ["A", "B", "tie"]


@pytest.mark.parametrize(
    "said",
    [
        "Be terse and don't provide your reasoning.",
        "Write the label rather than reasoning.",
        "Do not\nwrite a rationale.",
    ],
)
def test_reasoning_that_is_not_wanted_is_no_field(tmp_path: Path, said: str) -> None:
    text = f"Classify the ship. {said}\nAnswer with exactly one of: cargo, ferry."
    path = tmp_path / "ships.txt"
    path.write_text(text + _INPUT)
    template, written_as = load_any(str(path))
    made = structure(template, None, Options(form="schema", as_written=written_as))
    assert [item.name for item in made.fields] == ["answer"]


@pytest.mark.parametrize(
    ("said", "labels"),
    [
        ("Seaworthy/Not Seaworthy", ["Seaworthy", "Not Seaworthy"]),
        ("not moored | moored", ["not moored", "moored"]),
        ("moored/not seaworthy", None),
    ],
)
def test_a_word_and_its_denial_are_two_labels(said: str, labels: list[str] | None) -> None:
    text = f'Read the logbook. Output only JSON in this form:\n{{"captain": "<name>", "state": "{said}"}}'
    found = infer(text + _INPUT)
    schema = next((dict(item.schema) for item in found.fields if item.name == "state"), {})
    assert schema.get("enum") == labels


_SORTED = 'Read the logbook. {said}\nRespond only with JSON: {{"category": "...", "urgency": <1-5>}}'


@pytest.mark.parametrize(
    "said",
    [
        "Classify it as one of: cargo, ferry, other, and rate its urgency from 1 to 5.",
        "Classify its category as one of: cargo, ferry, other; then rate the urgency.",
        "Classify it as cargo, ferry or other, and rate its urgency.",
        "Choose a category (cargo, ferry, other) and rate its urgency from 1 to 5.",
    ],
)
def test_labels_end_where_the_sentence_goes_on_with_another_order(said: str) -> None:
    assert _fields(_SORTED.format(said=said)) == {
        "category": {"type": "string", "enum": ["cargo", "ferry", "other"]},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
    }


def test_what_another_order_asks_for_is_not_lost() -> None:
    assert "rate its urgency" in _refused(
        "Classify the ship as one of: cargo, ferry, other, and rate its urgency from 1 to 5."
    )


def test_samples_in_a_bracket_are_not_all_labels() -> None:
    assert "enum" not in str(infer("Choose a category (such as cargo, ferry)." + _INPUT).fields)
