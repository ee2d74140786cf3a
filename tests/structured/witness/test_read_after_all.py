"""Prompts that a check held back for words that are no doubt: headings of inputs, samples, meanings of grades."""

import pytest

from promptopt.structured.infer import infer

_BOOLEAN = {"type": "boolean"}
_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}


def _schemas(text: str) -> dict[str, object]:
    found = infer(text)
    assert found.fields, found.problems
    return {item.name: dict(item.schema) for item in found.fields}


def _item(text: str) -> dict[str, object]:
    (listed,) = _schemas(text).values()
    assert isinstance(listed, dict)
    properties = listed["items"]["properties"]
    assert isinstance(properties, dict)
    return properties


def test_the_heading_over_a_variable_orders_nothing() -> None:
    text = (
        '## Reply to Judge\n{{ mail }}\n\nReturn ONLY a JSON object:\n{"polite": <true/false>, "why": "<short reason>"}'
    )
    assert list(_schemas(text)) == ["polite", "why"]
    assert not infer(text.replace("{{ mail }}", "Write it in two sentences.")).fields


def test_a_quoted_request_is_somebody_elses() -> None:
    text = (
        'Route the request. Requests such as "List all ports" are for the desk.\n\n'
        'Return JSON: {"route": "desk|crane"}\n{{ r }}'
    )
    assert _schemas(text)["route"] == {"type": "string", "enum": ["desk", "crane"]}
    assert not infer(text.replace('"List all ports"', "List all ports.")).fields


def test_a_scale_beside_its_verb() -> None:
    text = 'Read the log, then score 1-5.\nReturn only JSON: {"score": N, "note": "brief remark"}\n{{ log }}'
    assert _schemas(text)["score"] == {"type": "number", "minimum": 1, "maximum": 5}


def test_a_count_of_things_that_may_do_something() -> None:
    text = (
        "Generate 2-3 short names that could go on the hull.\nRespond with a JSON array of strings:\n"
        '["name 1", "name 2"]\n{{ ship }}'
    )
    assert _schemas(text)["items"] == {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 3}


@pytest.mark.parametrize(
    ("place", "schema"),
    [
        ('"due_date": null', _MAYBE_TEXT),
        ('"due_date": <the day, or null if none is said>', _MAYBE_TEXT),
        ('"depth": <depth in metres as an integer, or null if nobody says it>', {"type": ["integer", "null"]}),
    ],
)
def test_a_place_that_may_be_null(place: str, schema: dict[str, object]) -> None:
    text = f'Return only JSON:\n{{\n  "task": "what is to be done",\n  {place}\n}}\n{{{{ log }}}}'
    found = list(_schemas(text).values())[1]
    assert isinstance(found, dict)
    assert {key: value for key, value in found.items() if key != "description"} == schema


def test_a_number_shown_as_null_stays_unread() -> None:
    assert not infer('Return only JSON:\n{"task": "what is to be done", "fee": null}\n{{ log }}').fields


def test_codes_in_brackets_after_a_type() -> None:
    text = "Return a JSON object with these fields:\n- 'berth': integer (0, 1, or 2)\n- 'note': string (why)\n{{ log }}"
    assert _schemas(text)["berth"] == {"type": "integer", "enum": [0, 1, 2]}


def test_labels_that_are_in_a_variable() -> None:
    text = (
        "You MUST choose one of the free berths.\n## FREE BERTHS\n{{ berths }}\n\n"
        'Return JSON: {"berth": "<one of the free berths>", "sure": <float 0-1>}\n{{ log }}'
    )
    found = _schemas(text)["berth"]
    assert isinstance(found, dict)
    assert found["type"] == "string"
    assert not infer(text.replace("{{ berths }}", "see the map")).fields


def test_a_number_that_something_is_called_by_is_a_text() -> None:
    text = (
        "Return a JSON object with the following keys:\n* `order_number`: the dealer's order number, "
        "or null\n* `rush`: true if it is urgent, otherwise false\n{{ mail }}"
    )
    assert _schemas(text) == {"order_number": _MAYBE_TEXT, "rush": _BOOLEAN}
    text = text.replace("the dealer's order number", "code such as EUR or USD").replace("order_number", "coin")
    assert _schemas(text)["coin"] == _MAYBE_TEXT


def test_keys_with_their_kind_after_a_comma() -> None:
    text = (
        'Return a JSON object with two fields: "open", a boolean, and "remark", '
        "a short phrase that says why, or an empty string.\n{{ log }}"
    )
    assert _schemas(text) == {"open": _BOOLEAN, "remark": _TEXT}


def test_lists_told_of_all_keys() -> None:
    text = "Return a JSON object with these two keys, each holding an array of strings:\n- ships\n- ports\n{{ log }}"
    assert _schemas(text) == {key: {"type": "array", "items": _TEXT} for key in ("ships", "ports")}
    assert not infer(text.replace(", each holding an array of strings", "")).fields


def test_samples_in_brackets_are_no_keys() -> None:
    text = (
        "Return a JSON object with these fields:\n- 'shut': boolean (true if the hatch is shut)\n"
        '- \'side\': string (the side, e.g., "port", "bow", "stern")\n{{ log }}'
    )
    assert _schemas(text) == {"shut": _BOOLEAN, "side": _TEXT}


def test_labels_of_a_list_after_its_type() -> None:
    text = (
        "Output ONLY a valid JSON object with fields: depth (integer 0-10), "
        "parts (array of strings from: hull, mast, main sail), why (short string).\n{{ log }}"
    )
    assert _schemas(text)["parts"] == {
        "type": "array",
        "items": {"type": "string", "enum": ["hull", "mast", "main sail"]},
    }


def test_what_each_element_of_a_list_has() -> None:
    lead = "From the log, produce a JSON array. Each element is an object with:"
    keys = (
        '\n- "name": the ship\n- "load": a number, or null when nothing is said\n'
        '- "spare": true if it can be left out, otherwise false\n{{ log }}'
    )
    expected = {"name": _TEXT, "load": {"type": ["number", "null"]}, "spare": _BOOLEAN}
    assert _item(lead + keys) == expected
    under = 'Return a JSON object with a single key "ships". Its value is a list of objects, and each object has:'
    assert list(_schemas(under + keys + '\nIf there are none, return {"ships": []}.')) == ["ships"]
    assert _item(under + keys) == expected
    assert "ships" not in str(infer(f'{under}{keys}\nReturn {{"ports": 1}} as well.').fields)


def test_a_verb_that_is_a_noun_orders_nothing() -> None:
    text = (
        "A missing first name do not make another ship. "
        "Answer 1 for the same ship and 0 for different ships. Output the digit only.\n{{ log }}"
    )
    assert list(_schemas(text).values()) == [{"type": "integer", "enum": [1, 0]}]


def test_one_key_in_two_objects_with_labels_in_one() -> None:
    text = (
        'Return JSON:\n{"type": "hull|mast", "parts": [{"name": "bolt", "type": "iron"}], '
        '"note": "main text"}\n{{ log }}'
    )
    assert _schemas(text)["type"] == {"type": "string", "enum": ["hull", "mast"]}


def test_keys_that_a_list_names_are_not_one_key() -> None:
    text = (
        "Score the log on the following criteria, each from 1 to 5:\n- hull\n- mast\n\n"
        'Return a JSON object with the criteria as keys, plus "remark" with a short remark.\n{{ log }}'
    )
    assert not infer(text).fields
    assert "free keys" in infer(text).problems[0]


def test_a_count_of_what_something_is_rewritten_as() -> None:
    text = "Rewrite the order as 3 to 5 short signals. Output a JSON list of strings, nothing else.\n{{ order }}"
    assert _schemas(text)["items"] == {"type": "array", "items": _TEXT, "minItems": 3, "maxItems": 5}
    text = text.replace("as 3 to 5 short signals", "with 3 short signals")
    assert "minItems" not in str(infer(text).fields)


def test_labelled_lines_below_how_to_return_the_answer() -> None:
    text = "Read the log.\n\nReturn your answer as:\n\nRemark: <two sentences>\nState: <calm | rough>\n\nLog: {{ log }}"
    assert _schemas(text) == {"remark": _TEXT, "state": {"type": "string", "enum": ["calm", "rough"]}}
