"""Forms shown as JSON whose values prose or a comment describes: ranges, codes, counts, labels and null of each key."""

import pytest

from promptopt.structured.infer import infer

_INPUT = "\n\nLogbook:\n{{ logbook }}\n"


def _schemas(text: str) -> dict[str, dict[str, object]]:
    return {item.name: dict(item.schema) for item in infer(text + _INPUT).fields}


_WHOLE = {"type": "integer"}
_TEXTS = {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("text", "name", "schema"),
    [
        (
            'Return: {"leaks": 0, "remark": "..."}\n\nleaks is an integer from 0 to 40.',
            "leaks",
            _WHOLE | {"minimum": 0, "maximum": 40},
        ),
        (
            'Return: {"swell": 0, "remark": "..."}\n\nswell is a decimal from 0 to 10.',
            "swell",
            {"type": "number", "minimum": 0, "maximum": 10},
        ),
        (
            'Return: {"leaks": 0, "trim": 0}\n\nleaks is a whole number between 0 and 50, trim a number from 0 to 1.',
            "trim",
            {"type": "number", "minimum": 0, "maximum": 1},
        ),
        (
            'Return JSON like {"port": "...", "berth": 0}\n\nberth is the index (0-3) of the berth that is free.',
            "berth",
            _WHOLE | {"minimum": 0, "maximum": 3},
        ),
        (
            'Return JSON like {"part": "...", "damage": 0}\n\ndamage is a grade from 0 (a scratch) to 4 (lost).',
            "damage",
            _WHOLE | {"minimum": 0, "maximum": 4},
        ),
        (
            'Set haste: 1 = now, 2 = this tide, 3 = this week.\nReturn only JSON, e.g. {"haste": 2, "crew": ["cook"]}',
            "haste",
            _WHOLE | {"minimum": 1, "maximum": 3},
        ),
        (
            'Estimate the risk within 5 days, in percent (0-100%).\nReturn JSON: {"risk_pct": <number>, "why": "..."}',
            "risk_pct",
            {"type": "number", "minimum": 0, "maximum": 100},
        ),
    ],
)
def test_range_that_a_sentence_gives_to_a_key(text: str, name: str, schema: dict[str, object]) -> None:
    assert _schemas(text)[name] == schema


@pytest.mark.parametrize(
    "text",
    [
        'Return JSON like {"hull": "...", "knots": 12}\n\nknots is her speed (usually 10-30).',
        'Return JSON like {"hull": "...", "page": 3}\n\npage is the page of the log (see pages 10-20).',
        'The crew has grades from 1 to 6. Count the sailors.\n\nReturn JSON: {"sailors": <number>, "cooks": <number>}',
    ],
)
def test_numbers_that_bound_nothing(text: str) -> None:
    assert not any("maximum" in schema for schema in _schemas(text).values())


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (
            '- "ports": list of 2-3 short names\n- "crew": array of up to 3 sailors',
            {"ports": (2, 3), "crew": (None, 3)},
        ),
        (
            '- "ports": a list of at least 2 ports\n- "crew": list of sailors',
            {"ports": (2, None), "crew": (None, None)},
        ),
        ('- "ports": list of ports, each 2-3 words long\n- "crew": list of 1-2 sailors', {"ports": (None, None)}),
    ],
)
def test_count_in_the_line_of_a_key(text: str, counts: dict[str, tuple[int | None, int | None]]) -> None:
    schemas = _schemas(f"Return a JSON object with the following keys:\n{text}")
    assert {name: (schemas[name].get("minItems"), schemas[name].get("maxItems")) for name in counts} == counts


@pytest.mark.parametrize(
    ("order", "bounds"),
    [
        ("Give at least one reason.", {"minItems": 1}),
        ("There has to be at least one reason, at most five.", {"minItems": 1, "maxItems": 5}),
        ("Name the three strongest reasons.", {"minItems": 3, "maxItems": 3}),
        ("Give at least one reason if she leaks.", {}),
        ("Give at least one port for each reason.", {}),
        ("A ship is sound unless it has at least one leak.", {}),
    ],
)
def test_count_that_an_order_gives(order: str, bounds: dict[str, int]) -> None:
    assert _schemas(f'Return: {{"sound": "yes|no", "reasons": ["..."]}}\n\n{order}')["reasons"] == _TEXTS | bounds


_RIGS = ["sloop", "ketch", "yawl"]


@pytest.mark.parametrize(
    ("value", "note", "schema"),
    [
        ('"sloop"', "sloop, ketch, yawl", {"type": "string", "enum": _RIGS}),
        ('"sloop"', "sloop / ketch / yawl", {"type": "string", "enum": _RIGS}),
        ('"yes"', "yes, no", {"type": "string", "enum": ["yes", "no"]}),
        ('["sloop"]', "sloop, ketch, yawl", {"type": "array", "items": {"type": "string", "enum": _RIGS}}),
        ("3", "1, 2, 3, 5 or 8", {"type": "integer", "enum": [1, 2, 3, 5, 8]}),
        ("12", "integer", {"type": "integer"}),
        (
            "null",
            "ISO date, or null",
            {"type": ["string", "null"], "description": "ISO date, or null", "format": "date"},
        ),
        ('"Hull, Leith"', "port, port of call", {"type": "string", "description": "port, port of call"}),
    ],
)  # fmt: skip
def test_comment_beside_a_value(value: str, note: str, schema: dict[str, object]) -> None:
    text = f'Return this JSON:\n{{\n  "rig": {value},   // {note}\n  "name": "Ada"\n}}'
    assert _schemas(text).get("rig") == schema


def test_comment_with_samples_lists_no_labels() -> None:
    assert "enum" not in _schemas(
        'Return this JSON:\n{\n  "rig": "sloop",   // e.g. sloop, ketch, yawl\n  "name": "Ada"\n}'
    ).get("rig", {})


_GRADES = "A = sound\nB = usable\nD = a wreck\n\n"


@pytest.mark.parametrize(
    ("before", "shown", "labels"),
    [
        (_GRADES, "A-D", ["A", "B", "D"]),
        ("A means sound, B means usable and D means a wreck.\n\n", "A-D", ["A", "B", "D"]),
        (_GRADES, "A-F", None),
        ("", "A-D", None),
    ],
)
def test_letters_shown_as_a_span(before: str, shown: str, labels: list[str] | None) -> None:
    found = _schemas(f'Grade the hull.\n\n{before}Return JSON: {{"grade": "{shown}", "remark": "..."}}')
    assert found.get("grade", {}).get("enum") == labels


_STATEMENTS = "1. She is sound.\n2. She is fast.\n\n"


@pytest.mark.parametrize(
    ("order", "form", "schema"),
    [
        (
            "Decide for each of the statements whether it is true, false or open.",
            '{"1": "...", "2": "..."}',
            {"type": "string", "enum": ["true", "false", "open"]},
        ),
        (
            "Rate each of the statements from 1 to 5.",
            '{"1": <number>, "2": <number>}',
            {"type": "integer", "minimum": 1, "maximum": 5},
        ),
        ("Say for each of the statements why.", '{"1": "...", "2": "...", "3": "..."}', None),
        ("Say for each of the statements why.", '{"1": "...", "2": "...", ...}', None),
    ],
)
def test_keys_that_are_the_numbers_of_a_list(order: str, form: str, schema: dict[str, object] | None) -> None:
    found = _schemas(f"{order}\n\n{_STATEMENTS}Return JSON of the form {form}")
    assert found == ({} if schema is None else {"1": schema, "2": schema})


def test_dots_in_the_place_of_a_text_that_a_sentence_asks_for() -> None:
    text = 'Answer "sound" or "lost", with a confidence between 0 and 1 and a brief reason.\nGive JSON: '
    assert list(_schemas(text + '{"reason": ..., "verdict": ..., "confidence": ...}')) == [
        "reason",
        "verdict",
        "confidence",
    ]
    assert _schemas(text + '{"reason": ..., "verdict": ..., "confidence": ..., "steps": ...}') == {}


_OPEN_FORM = 'Return JSON like {{"rig": {}, "remark": "..."}}\n\n{}'


@pytest.mark.parametrize(
    ("shown", "said", "labels"),
    [
        ('"sloop"', "rig is sloop, ketch or yawl.", _RIGS),
        ('"..."', "rig is sloop, ketch or yawl. remark is one sentence.", _RIGS),
        ('"sloop"', "Keep it short. rig: sloop, ketch, yawl", _RIGS),
        ('"..."', "rig can be sloop, ketch, yawl, or anything else that fits.", None),
        ('"..."', "rig is the name, the port or the number.", None),
        ('"sloop"', "rig is the two-word kind such as ketch or yawl.", None),
        ('"high"', "Rig is always high, low, slack or unknown.", ["high", "low", "slack", "unknown"]),
        ('"B"', '"rig" is the letter of the rig: A, B, C or D.', ["A", "B", "C", "D"]),
        ('"<rig>"', 'Rigs:\n- rig: "lug", "gaff" or "square"', ["lug", "gaff", "square"]),
        ('"<rig>"', 'Look for patterns:\n- Rig: "lug", "gaff", "square"', None),
        ('"none"', "rig is none if she has no mast, else sloop, ketch or yawl.", ["none", *_RIGS]),
        ('"R2"', "R1 is a hulk. R2 needs work, R3 is fit to sail.", ["R1", "R2", "R3"]),
    ],
)
def test_labels_that_a_sentence_gives_to_a_key(shown: str, said: str, labels: list[str] | None) -> None:
    assert _schemas(_OPEN_FORM.format(shown, said)).get("rig", {}).get("enum") == labels


@pytest.mark.parametrize(
    ("said", "bounds"),
    [
        ("Ports are plain names, no more than four of them.", {"maxItems": 4}),
        ("ports: two to four ports that are near", {"minItems": 2, "maxItems": 4}),
        ("ports are ports, usually three of them", {}),
        ("ports are names of one to three words each", {}),
    ],
)
def test_count_that_a_sentence_gives_to_a_key(said: str, bounds: dict[str, int]) -> None:
    found = _schemas(f'Return JSON like {{"ports": ["..."], "remark": "..."}}\n\n{said}').get("ports", {})
    assert {key: found[key] for key in ("minItems", "maxItems") if key in found} == bounds


def test_labels_that_a_sentence_gives_to_each_value() -> None:
    labelled = {"type": "string", "enum": ["sound", "leaky", "lost"]}
    found = _schemas('Return JSON {"A": "...", "B": "..."} where each value is sound, leaky or lost.\n\nA. Ada\nB. Bee')
    assert found == {"A": labelled, "B": labelled}


@pytest.mark.parametrize(
    ("text", "null"),
    [
        ('Return {"port": "...", "due": "Explicit date or None"}', {"due"}),
        ('Return {"port": "...", "due": "..."}\nport is a name. If the due cannot be read use null.', {"due"}),
    ],
)
def test_null_of_one_key(text: str, null: set[str]) -> None:
    assert {name for name, schema in _schemas(text).items() if "null" in str(schema["type"])} == null


@pytest.mark.parametrize(
    "text",
    [
        'Read the log and give me:\n{"port": "...", "crew": 3}',
        '{"port": "...", "crew": 3}\n\nport: where she lies\n\nReturn only the JSON above.',
    ],
)
def test_template_that_an_order_without_a_word_for_a_form_wants(text: str) -> None:
    assert list(_schemas(text)) == ["port", "crew"]


@pytest.mark.parametrize(
    "text",
    [
        'Return: {"pros": ["..."], "cons": ["..."]}\n\nList 2 or 3 pros and as many cons.',
        'Return JSON:\n{\n  "points": 3   // 1, 2, 3, 5 or 8 (or whatever fits)\n}',
    ],
)
def test_counts_and_codes_that_are_not_read_are_refused(text: str) -> None:
    assert _schemas(text) == {}


@pytest.mark.parametrize(
    ("shown", "said", "schema"),
    [
        ("0", "knots is 0, 1 or 2.", _WHOLE | {"minimum": 0, "maximum": 2}),
        ("19", "knots is one of 7, 9, 19.", _WHOLE | {"enum": [7, 9, 19]}),
        ("0", "Use 1 if she makes way and 0 otherwise.", _WHOLE | {"minimum": 0, "maximum": 1}),
        ("1", "Knots: 1 slow, 2 fair, 3 fast.", _WHOLE | {"minimum": 1, "maximum": 3}),
        ("0", "Each leg gets 0-3 knots.", _WHOLE | {"minimum": 0, "maximum": 3}),
        ("0", "knots is how many knots she makes.", _WHOLE),
        ("0.5", "knots is a float in [0, 1].", {"type": "number", "minimum": 0, "maximum": 1}),
    ],
)
def test_number_of_a_key(shown: str, said: str, schema: dict[str, object]) -> None:
    assert _schemas(f'Return JSON like {{"knots": {shown}, "remark": "..."}}\n\n{said}').get("knots") == schema


@pytest.mark.parametrize(
    ("shown", "said", "labels"),
    [
        ("B", "Grade the hull from A to E.", ["A", "B", "C", "D", "E"]),
        ("B", "Grade the hull from A to F.", None),
        ("A", "Grades are A (sound), B (leaky) and C (lost).", ["A", "B", "C"]),
        ("dock", 'grade is "dock" when she leaks, "sail" otherwise.', ["dock", "sail"]),
        ("sound", "grade: pick from sound, leaky, lost. berth is a name.", ["sound", "leaky", "lost"]),
    ],
)
def test_labels_of_one_shown_value(shown: str, said: str, labels: list[str] | None) -> None:
    found = _schemas(f'Return JSON like {{"grade": "{shown}", "berth": "..."}}\n\n{said}')
    assert found.get("grade", {}).get("enum") == labels


def test_range_of_two_keys_at_once() -> None:
    bounds = {"type": "integer", "minimum": 0, "maximum": 60}
    text = 'Return JSON like {"knots": 0, "tons": 0}\n\nknots and tons are between 0 and 60.'
    assert _schemas(text) == {"knots": bounds, "tons": bounds}


def test_parts_of_an_object_that_may_be_null() -> None:
    form = 'Reply with {"order": "...", "slots": {"port": "...", "crew": 2}}\n\norder is load, sail or moor. '
    assert _schemas(form + "Slots that the log does not name are null.")["slots"]["properties"] == {
        "port": {"type": ["string", "null"]},
        "crew": {"type": ["integer", "null"]},
    }


@pytest.mark.parametrize(
    ("note", "labels"),
    [
        ("lug (one mast), gaff (two), other", ["lug", "gaff", "other"]),
        ("lug, gaff, square, other", ["lug", "gaff", "square", "other"]),
        ("lug, gaff, square", None),
    ],
)
def test_comment_beside_dots(note: str, labels: list[str] | None) -> None:
    shown = '"lug"' if "(" in note else '"..."'
    found = _schemas(f'Return this JSON:\n{{\n  "rig": {shown},   // {note}\n  "name": "Ada"\n}}')
    assert found.get("rig", {}).get("enum") == labels


@pytest.mark.parametrize(
    ("form", "said", "name", "schema"),
    [
        (
            '{"rig": "sloop", "remark": "..."}',
            'For rig, use: "sloop", "ketch", or "yawl"',
            "rig",
            {"type": "string", "enum": _RIGS},
        ),
        (
            '{"steps": ["..."], "remark": "..."}',
            "For steps, provide 2-4 short, plain steps including times when known",
            "steps",
            _TEXTS | {"minItems": 2, "maxItems": 4},
        ),
        (
            '{"rig": "what she carries. one of following: sloop, ketch, yawl", "remark": "..."}',
            "",
            "rig",
            {
                "type": "string",
                "enum": _RIGS,
                "description": "what she carries. one of following: sloop, ketch, yawl",
            },
        ),
        ('{"rig": "[A or B or both]", "remark": "..."}', "", "rig", {"type": "string", "enum": ["A", "B", "both"]}),
        (
            '{"swell": 0.0, "wind": 0.0}',
            "Read two signals, each a float 0.0-1.0:\n- swell: the sea\n- wind: a pull between two winds",
            "wind",
            {"type": "number", "minimum": 0.0, "maximum": 1.0},
        ),
    ],
)
def test_more_ways_to_say_what_a_key_holds(form: str, said: str, name: str, schema: dict[str, object]) -> None:
    assert _schemas(f"Return JSON like {form}\n\n{said}").get(name) == schema


def test_keys_that_are_numbered_in_a_line() -> None:
    text = 'Note how she moves: 0: roll, 1: pitch, 2: yaw.\nReturn JSON {"0": "...", "1": "...", "2": "..."}'
    assert list(_schemas(text)) == ["0", "1", "2"]


def test_json_that_is_not_to_be_returned_is_no_second_form() -> None:
    text = 'Return JSON: {"port": "...", "note": "..."}\n\nNever return {"answer": "Hull"}.'
    assert list(_schemas(text)) == ["port", "note"]


@pytest.mark.parametrize(
    ("form", "said", "name", "schema"),
    [
        ('{"tags": ["<tag>"], "remark": "..."}', "Give 3 tags at most.", "tags", _TEXTS | {"maxItems": 3}),
        ('{"call": <true if somebody must come>, "remark": "..."}', "", "call", {"type": "boolean"}),
        ('{"ports": [list of strings], "remark": "..."}', "", "ports", _TEXTS),
        (
            '{"haste": 1, "remark": "..."}',
            "haste is 1 (now), 2 (today) or 3 (some day).",
            "haste",
            _WHOLE | {"minimum": 1, "maximum": 3},
        ),
        (
            '{"rig": "sloop", "far": true}',
            'where rig is one of "sloop", "ketch", "yawl" and far says whether she is out of sight.',
            "rig",
            {"type": "string", "enum": _RIGS},
        ),
        (
            '{"remark": "...", "ports": ["..."]}',
            "The remark has 80-120 words and there should be between 3 and 5 ports.",
            "ports",
            _TEXTS | {"minItems": 3, "maxItems": 5},
        ),
    ],
)
def test_bounds_and_places_of_one_key(form: str, said: str, name: str, schema: dict[str, object]) -> None:
    found = _schemas(f"Return JSON: {form}\n\n{said}").get(name, {})
    assert {key: part for key, part in found.items() if key != "description"} == schema


@pytest.mark.parametrize(
    ("lines", "keys"), [("q1: dry?\nq2: fast?", ["q1", "q2"]), ("q1: dry?\nq2: fast?\nq3: new?", [])]
)
def test_numbered_keys_that_begin_the_lines_of_a_list(lines: str, keys: list[str]) -> None:
    assert list(_schemas(f'Return {{"q1": "...", "q2": "..."}}. Each answer is yes, no or open.\n\n{lines}')) == keys


@pytest.mark.parametrize(
    ("form", "said", "schemas"),
    [
        (
            '{"hull": 0, "sails": 0, "remark": ""}',
            "hull is scored 0-10, sails 0-5.",
            {"hull": _WHOLE | {"minimum": 0, "maximum": 10}, "sails": _WHOLE | {"minimum": 0, "maximum": 5}},
        ),
        (
            '{"swell": 0.5, "crew": 12}',
            "swell is between 0 and 1; crew is how many sail her (integer), null if unknown.",
            {"swell": {"type": "number", "minimum": 0, "maximum": 1}, "crew": {"type": ["integer", "null"]}},
        ),
    ],
)
def test_what_is_said_of_the_next_key_is_not_said_of_the_first(
    form: str, said: str, schemas: dict[str, dict[str, object]]
) -> None:
    found = _schemas(f"Return JSON: {form}\n\n{said}")
    assert {name: found.get(name) for name in schemas} == schemas
