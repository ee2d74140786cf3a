"""What a prompt says of a key, or shows beside its form, and the fields that were read do not hold: no proposal."""

import pytest

from promptopt.structured.fields import Field, Inferred, PromptText, Span, object_schema
from promptopt.structured.infer import infer
from promptopt.structured.witness.second_reading import gainsaid

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}


def said(text: str, **schemas: dict[str, object]) -> str | None:
    """What a second reading finds against fields that the test chooses: no reader is asked."""
    fields = tuple(Field(name, schema, "the test") for name, schema in schemas.items())
    start, end = text.find("{"), text.rfind("}") + 1
    return gainsaid(PromptText.of(text), Inferred(fields, covered=(Span(start, end),), whole="JSON"))


@pytest.mark.parametrize(
    ("text", "schemas", "reason"),
    [
        (
            'Return {"berth_load": 0}\nAdd berth_load between 0 and 1.',
            {"berth_load": _NUMBER},
            "line 2: 'between 0 and 1' is said of 'berth_load', which was read without a range",
        ),
        ('{"tide": "<number between 0 and the limit>"}', {"tide": _TEXT}, "read as no number"),
        ('{"tide": "number if it was measured, otherwise string"}', {"tide": _TEXT}, "as one type"),
        ('{"tide": "the height (as a {unit})"}', {"tide": _TEXT}, "as one type"),
        ('{"cause": "<if lost: the cause; if found: null>"}', {"cause": _TEXT}, "without null"),
        ('{"kind": "<one of the kinds above>"}', {"kind": _TEXT}, "without labels"),
        ('{"rank": "Mate or Master"}', {"rank": _TEXT}, "without labels"),
        ('{"kind": "a"}\nkind must be one of: bulk, liquid, parcel', {"kind": _TEXT}, "line 2: 'one of'"),
        ('{"kinds": ["a"]}\n- kinds: from ["bulk", "parcel"]', {"kinds": {"type": "array", "items": _TEXT}}, "labels"),
        ('{"crew_rank": 2}\n- crew_rank must be 1-5 or null', {"crew_rank": {"type": ["integer", "null"]}}, "a range"),
        ('{"wet": "yes"}\n- "wet": true if the hold is wet', {"wet": _TEXT}, "as no boolean"),
        ('{"ports": "x"}\n- ports: list of the ports', {"ports": _TEXT}, "as no list"),
        ('{"chart": <the chart object of the port>}', {"chart": _TEXT}, "as no object"),
        ('{"order": "\'one\', or the order as a JSON array"}', {"order": _TEXT}, "as no list"),
        ('{"tons": 1}\n- tons must be >= 0', {"tons": _NUMBER}, "without a range"),
        ('{"pain": N}', {"pain": _TEXT}, "nothing says what 'pain' is"),
        ('{"round": {{ round }}, "port": "x"}', {"round": _TEXT}, "nothing says what 'round' is"),
        ('Choose the tags from this closed list:\nsail, steam\n{"tags": "x"}', {"tags": _TEXT}, "to choose from"),
        ('Available ships:\n- gull: fast\n- tern: old\n{"ship": "x"}', {"ship": _TEXT}, "to choose from"),
        ('{"crew": list of {name, age}}', {"crew": {"type": "array", "items": _TEXT}}, "as no object"),
        ('{"crew": "x"}\n- crew: list of {{ fields }}', {"crew": {"type": "array", "items": _TEXT}}, "as no object"),
        ('{"tons": null}', {"tons": {"type": ["string", "null"]}}, "which is shown as null"),
        ('Set seen to "LOGGED" if so, seen to "GUESSED" if not.\n{"seen": "x"}', {"seen": _TEXT}, "without labels"),
        (
            '- size: integer 1-10\n{"size": {"value": 3}}',
            {"size": object_schema({"value": {"type": "integer"}})},
            "'1-10' is said of 'size'",
        ),
        ('A confidence score (0.0-1.0)\n{"size_confidence": 0.5}', {"size_confidence": _NUMBER}, "without a range"),
        ('{"crew": []}\n- crew must hold exactly 4 names', {"crew": {"type": "array", "items": _TEXT}}, "a count"),
        ('{"seen": 1 // 0 if not seen, 1 if seen\n}', {"seen": {"type": "integer"}}, "without a range"),
        ('{"load": "[Score out of 100]"}', {"load": _TEXT}, "without a range"),
        ('{"A": boolean, CONTINUE FOR EACH BERTH}', {"A": {"type": "boolean"}}, "keys of the object are not all named"),
        ('{"role": "x"}', {"role": {"type": "string", "enum": ["mate", "etc"]}}, "'etc' is among the labels"),
        ('{"ship": "x"}\nReturn JSON with two keys: "ship" and "port".', {"ship": _TEXT}, "'port' is said to be a key"),
        ('{"ship": "x"}\nReturn only a valid JSON list.', {"ship": _TEXT}, "the answer is a list"),
        ('{"ship": "x"}\nInclude a JSON block in your response.', {"ship": _TEXT}, "a part of a longer answer"),
        (
            'One or more of:\n- "sea"\n- "river"\n{"ways": ["x"]}',
            {"ways": {"type": "array", "items": _TEXT}},
            "to choose from",
        ),
        (
            'TAGS (all that apply)\n"sail" - old\n"steam" - new\n{"tags": ["<tag>"]}',
            {"tags": {"type": "array", "items": _TEXT}},
            "are listed",
        ),
        ('{"box": [left, top]}', {"box": {"type": "array", "items": _TEXT}}, "what the items of 'box' are"),
        ('The sea is calm / rough / wild.\n{"sea": "rough"}', {"sea": _TEXT}, "its other labels were not read"),
        ('{"notes": ["x"]}\n- notes: 3-4 findings', {"notes": {"type": "array", "items": _TEXT}}, "a count"),
        (
            '{"parts": {"hull": "x"}}\n"parts" - dictionary of names',
            {"parts": object_schema({"hull": _TEXT})},
            "may be others",
        ),
        ('Write it between the tags <json> and </json>.\n{"ship": "x"}', {"ship": _TEXT}, "a part of a longer answer"),
        (
            '1. "ship" - its name\n2. "port" - its port\n3. "tons" - its load\n{"ship": "x", "port": "y"}',
            {"ship": _TEXT, "port": _TEXT},
            "'tons' is in the list",
        ),
        (
            '{"kind": "sail|steam|<your own>"}',
            {"kind": {"type": "string", "enum": ["sail", "steam", "your own"]}},
            "not all named",
        ),
        ('{"port": "x"}\nDo not include fields that cannot be determined.', {"port": _TEXT}, "may be left out"),
        ('{"kind": "<one label>"}', {"kind": _TEXT}, "without labels"),
        ('{"stage": integer (1, 2, or 3)}', {"stage": _NUMBER}, "without a range"),
        ('{"tons": YOUR_TONS}', {"tons": _TEXT}, "nothing says what 'tons' is"),
        ('{"headers": {"port": "x"}}', {"headers": object_schema({"port": _TEXT})}, "its keys may be others"),
        (
            '{"mood": 0.5, "crew": [{"mood": <mood value>}]} with mood from 0 to 1',
            {
                "mood": {"type": "number", "minimum": 0, "maximum": 1},
                "crew": {"type": "array", "items": object_schema({"mood": _TEXT})},
            },
            "as a number in one place and as a text",
        ),
        ('(1-5 scale)\n{"overall_score": 4}', {"overall_score": _NUMBER}, "read without a range"),
        ('{"hull": ...}', {"hull": _TEXT}, "nothing says what 'hull' is"),
        ('1. BROKEN_MAST: wood\n2. TORN_SAIL: cloth\n{"damage": "TORN_SAIL"}', {"damage": _TEXT}, "is in a list"),
        ('{"port": "x"}\nIf the port is missing, use null.', {"port": _TEXT}, "without null"),
        ('Rate on a scale of 1 to 5.\n{"safety_score": 3}', {"safety_score": _NUMBER}, "read without a range"),
        ('{"ships": {"Name": "x", ...}, "port": "y"}', {"port": _TEXT}, "the object goes on with '...'"),
        ("{'ships': ['name': <string>, 'age': <int>]}", {"ships": {"type": "array", "items": _TEXT}}, "pairs"),
        (
            'Score each hull 1-5; score 2 if in doubt.\n{"grade": 4}',
            {"grade": {"type": "integer", "minimum": 2, "maximum": 5}},
            "no line of the prompt has the range 2 to 5",
        ),
        (
            'Use exactly one of: `sail`, `steam`, `oar`\n{"kind": "x"}',
            {"kind": {"type": "string", "enum": ["sail", "steam"]}},
            "line 1: 'oar' is one of the labels",
        ),
    ],
)
def test_what_is_said_of_a_key_must_be_in_its_schema(text: str, schemas: dict[str, object], reason: str) -> None:
    found = said(text, **schemas)  # type: ignore[arg-type] - the values are schemas
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    ("text", "schemas"),
    [
        ('{"load": 0.5}\nAdd load between 0 and 1.', {"load": {"type": "number", "minimum": 0, "maximum": 1}}),
        ('{"note": "10-20 words"}', {"note": _TEXT}),
        ('{"hull_number": "<number as printed>"}', {"hull_number": _TEXT}),
        ('{"note": "one sentence on the tide, e.g. \'between 2 and 3 m\'"}', {"note": _TEXT}),
        ('{"rank": "Mate or Master"}', {"rank": {"type": "string", "enum": ["Mate", "Master"]}}),
        ('{"kind": "one from the list above"}\nThe kinds:\n{{ kinds }}', {"kind": {"type": "string", "enum": ["a"]}}),
        ('{"port": "string | null"}', {"port": {"type": ["string", "null"]}}),
        ('{"port": "x"}\nNever use null, even if a port is missing.', {"port": _TEXT}),
        ('{"ships": [{"name": "x"}, ...]}', {"ships": {"type": "array", "items": object_schema({"name": _TEXT})}}),
        (
            'The crew may ask one of "when" or "where".\n{"kind": "x"}',
            {"kind": {"type": "string", "enum": ["when", "where"]}},
        ),
        ('{"grade": 4}\n1 (poor) to 5 (perfect)', {"grade": {"type": "integer", "minimum": 1, "maximum": 5}}),
    ],
)
def test_what_the_schema_holds_is_no_objection(text: str, schemas: dict[str, object]) -> None:
    assert said(text, **schemas) is None  # type: ignore[arg-type] - the values are schemas


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Score these:\n1. HULL\n2. MAST\n\nAnswer like this:\nHull: [score]\nMast: [score]\n{{ x }}",
            "'[score]' is a number, and 'hull' was read as a text",
        ),
        (
            "Reply with only YES or NO, followed by a reason and a date. Answer YES if dry, NO if not.\n{{ x }}",
            "followed by",
        ),
        (
            "Mark each sail 0 or 1.\n# Output\n<sail_1_mark>0</sail_1_mark>\n<sail_2_mark>1</sail_2_mark>\n{{ x }}",
            "line 1: 'sail_1_mark' is a part like others: there is one for each",
        ),
        (
            "Give a reason. End with this line exactly:\nMY CHOICE: [single letter only]\n\nYour answer:",
            "the answer begins after 'your_answer'",
        ),
        (
            "I give you some logs.\n\nI want you to classify what is in these logs into ports and cargoes.\n{{ x }}",
            "is no label",
        ),
        ("Start your answer with 'Aye!' or 'Sure!'. You must answer.\n{{ x }}", "the labels only begin the answer"),
        (
            "Write a Python script:\nCount the ships and respond with a JSON array of strings.\n{{ log }}",
            "asks for a program",
        ),
    ],
)
def test_a_part_that_the_form_does_not_have_refuses_it(text: str, reason: str) -> None:
    found = infer(text)
    assert not found.fields
    assert reason in found.problems[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Aim:\nSail north.\nGive the steps.\nAim:\n{{ aim }}\nSteps:",
            "line 4: 'aim' is a label of the prompt's own input",
        ),
        ("Aim: <why>\n\nAim: NORTH\n\nAim: SOUTH", "'aim' is shown as 'NORTH' and as 'SOUTH'"),
        ("Answer <aim>North</aim> or <aim>South</aim>.", "'aim' is shown as 'North' and as 'South'"),
    ],
)
def test_a_label_is_a_part_of_the_answer(text: str, reason: str) -> None:
    found = gainsaid(PromptText.of(text), Inferred((Field("aim", _TEXT, "the test"),), whole="labels"))
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    ("text", "name", "schema"),
    [
        (
            "Respond only in JSON with these exact keys: ship, alarm.\n\nalarm must be one of: Low, High\n{{ x }}",
            "alarm",
            {"type": "string", "enum": ["Low", "High"]},
        ),
        (
            'Return JSON:\n{"load_score": 0}\nAdd load_score between 0 and 1.\n{{ x }}',
            "load_score",
            {"type": "number", "minimum": 0, "maximum": 1},
        ),
        (
            'Return JSON:\n{"load_score": 0.0}\nUse a value between 0.0 and 1.0 for load_score.\n{{ x }}',
            "load_score",
            {"type": "number", "minimum": 0.0, "maximum": 1.0},
        ),
        ('Return JSON:\n{"berth_index": 0, "draught": 0}\n{{ x }}', "berth_index", {"type": "integer"}),
        ('Return JSON:\n{"berth_index": 0, "draught": 0}\n{{ x }}', "draught", {"type": "number"}),
        (
            'Ship kinds:\n- sail: old\n- steam: new\n\nJSON:\n{"ship_kind": "<one of the kinds above>"}\n{{ x }}',
            "ship_kind",
            {"type": "string", "enum": ["sail", "steam"]},
        ),
        ('Return JSON:\n{"tons": <number between 0 and {{ most }}>}\n{{ x }}', "tons", {"type": "number"}),
        (
            'Return JSON:\n{"rank": "one of: Boy, Sailor, Mate/Master", "note": "<a note>"}\n{{ x }}',
            "rank",
            {"type": "string", "enum": ["Boy", "Sailor", "Mate/Master"]},
        ),
    ],
)
def test_what_prose_adds_to_a_key_is_read(text: str, name: str, schema: dict[str, object]) -> None:
    found = infer(text)
    fields = {item.name: {k: v for k, v in item.schema.items() if k != "description"} for item in found.fields}
    assert fields.get(name) == schema, found.problems


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("{\"a\": \"string — one of: 'Yes', 'No', 'N/A'\"}", {"type": "string", "enum": ["Yes", "No", "N/A"]}),
        ('{"a": integer (1, 2, or 3)}', {"type": "integer", "enum": [1, 2, 3]}),
    ],
)
def test_labels_after_the_type_of_a_value(text: str, schema: dict[str, object]) -> None:
    found = infer(f"Return JSON:\n{text}\n{{{{ x }}}}")
    assert dict(found.fields[0].schema) == schema


def test_labels_in_the_list_below_a_key() -> None:
    found = infer(
        'Respond with one JSON object.\n\n"ship" — what it is. One of:\n  - "sail"   old\n  - "steam"  new\n\n'
        '"hull" — its state. One of:\n  - "dry"  good\n  - "wet"  bad\n\n'
        'Output only the JSON object with keys "ship", "hull".\n{{ x }}'
    )
    assert [item.schema["enum"] for item in found.fields] == [["sail", "steam"], ["dry", "wet"]], found.problems


def test_parts_with_numbers_that_are_all_read() -> None:
    found = infer(
        "Answer 3 questions with one letter each, in this format:\n\nQ1: <label>\nQ2: <label>\nQ3: <label>\n{{ x }}"
    )
    assert [item.name for item in found.fields] == ["q1", "q2", "q3"], found.problems


def test_a_word_of_a_sentence_is_no_name() -> None:
    found = gainsaid(
        PromptText.of("Format exactly: 3"), Inferred((Field("exactly", _TEXT, "the test"),), whole="labels")
    )
    assert found is not None
    assert "'exactly' is no name" in found


def test_sections_are_no_json() -> None:
    text = "Return exactly one JSON object.\nReturn all of these keys:\n- ship_name\n- port"
    fields = (Field("ship_name", _TEXT, "the test"), Field("port", _TEXT, "the test"))
    found = gainsaid(PromptText.of(text), Inferred(fields, whole="sections"))
    assert found is not None
    assert "JSON is asked for" in found


def test_a_list_of_exactly_so_many() -> None:
    found = infer('Return JSON with exactly 5 ports:\n{"ports": ["<a port>"]}\n{{ x }}')
    assert found.fields[0].schema["minItems"] == found.fields[0].schema["maxItems"] == 5


def test_a_program_is_no_prompt() -> None:
    found = infer(
        "const out = [];\nfor (const it of items) {\n  const j = it.json;\n  out.push({ json: j });\n}\n"
        "let error = null;\nif (error) return [{ json: { failed: error } }];\nreturn out;\n"
    )
    assert not found.fields


def test_null_in_one_case_of_a_value() -> None:
    found = infer('Return JSON:\n{"cause": "<if lost: the cause; if found: null>", "port": "<its port>"}\n{{ x }}')
    assert found.fields[0].schema["type"] == ["string", "null"]
    assert found.fields[1].schema["type"] == "string"
