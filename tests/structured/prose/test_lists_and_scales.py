"""Each scale and each list of labels of a prompt is held by a value that was read, or the form is refused."""

from __future__ import annotations

import pytest

from promptopt.structured.edits.carried import carried_edits
from promptopt.structured.fields import PromptText
from promptopt.structured.infer import infer


def _schema(text: str, key: str) -> dict[str, object]:
    found = infer(text)
    assert found.fields, found.problems
    return next(dict(item.schema) for item in found.fields if item.name == key)


@pytest.mark.parametrize(
    ("text", "key", "schema"),
    [
        pytest.param(
            "TIDES:\n- Ebb: it goes out\n- Flood: it comes in\n- Slack: neither\n\n"
            'Return JSON:\n{"tide": "Flood", "why": ""}',
            "tide",
            {"type": "string", "enum": ["Ebb", "Flood", "Slack"]},
            id="the sample is one of a list",
        ),
        pytest.param(
            "Which harbours apply?\n\n- quay: deep water\n- creek: small boats\n\n"
            'Return JSON:\n{"harbours": ["quay", "creek"]}',
            "harbours",
            {"type": "array", "items": {"type": "string", "enum": ["quay", "creek"]}},
            id="the samples of an array are a list",
        ),
        pytest.param(
            "Sort the note to one of these marks:\n  tar | rope | sail\n"
            '- "tar" = it is sticky.\n- "rope" = it is long.\n- "sail" = it is wide.\n- wet = true if it drips.\n'
            'Return JSON:\n{"mark": "rope", "wet": false}',
            "mark",
            {"type": "string", "enum": ["tar", "rope", "sail"]},
            id="quoted labels, and keys without quotation marks below them",
        ),
        pytest.param(
            "Swell levels:\n- Calm: flat\n- Rough: waves\n\nMood:\n- Glad: they sing\n- Grim: they do not\n\n"
            'Return JSON: {"swell": string, "mood": string}',
            "mood",
            {"type": "string", "enum": ["Glad", "Grim"]},
            id="the heading names the key",
        ),
        pytest.param(
            "Sort the call into exactly one purpose:\n\n- `hail`: a greeting\n- `help`: a cry\n\n"
            'Return JSON: {"purpose": "...", "loud": false}',
            "purpose",
            {"type": "string", "enum": ["hail", "help"]},
            id="the line above the list names the key",
        ),
        pytest.param(
            "Return a JSON object with these keys:\n"
            '1. "crew": string - If there is a boat: "one" (alone), "two" (a pair), or "many" (3+). '
            'If there is none: "nobody"\n2. "wet": boolean\nReturn ONLY JSON. Example: {"crew": "two", "wet": true}',
            "crew",
            {"type": "string", "enum": ["one", "two", "many", "nobody"]},
            id="labels with words in brackets",
        ),
        pytest.param(
            'Return JSON: {"deck": "A | B | ?", "wet": true}',
            "deck",
            {"type": "string", "enum": ["A", "B", "?"]},
            id="a label that is a question mark",
        ),
        pytest.param(
            'Return JSON: {"knot": 4, "why": ""}\n- "knot": 1=it slips, 5=it holds for sure.',
            "knot",
            {"type": "integer", "minimum": 1, "maximum": 5},
            id="grades with their meaning",
        ),
        pytest.param(
            'Rules:\n- Confidence range: 0.0 to 1.0.\n- Be brief.\nReturn JSON: {"confidence": number, "why": string}',
            "confidence",
            {"type": "number", "minimum": 0.0, "maximum": 1.0},
            id="a line that gives the range of a key",
        ),
        pytest.param(
            'Return JSON: {"log": string (<=50 words), "mate": string_or_null}',
            "mate",
            {"type": ["string", "null"]},
            id="string_or_null beside a text with a limit",
        ),
        pytest.param(
            'Return JSON:\n{"sails": ["2-4 terms that describe the sails"], "wet": true}',
            "sails",
            {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 2,
                "maxItems": 4,
                "description": "2-4 terms that describe the sails",
            },
            id="what is said of the list, in its only item",
        ),
        pytest.param(
            'Return JSON: {"ports": ["x"], "wet": true}\n- ports: 1-4 ports that were named',
            "ports",
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 4},
            id="a number of items at the key",
        ),
        pytest.param(
            'Return JSON: {"view": "Fully agree / Partly agree / Do not agree", "why": "<why>"}',
            "view",
            {"type": "string", "enum": ["Fully agree", "Partly agree", "Do not agree"]},
            id="labels of several words between slashes",
        ),
        pytest.param(
            'Return JSON:\n{"risks": ["<risk>", ...], // at least 1, max 7\n "wet": true}',
            "risks",
            {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "maxItems": 7,
                "description": "at least 1, max 7",
            },
            id="at least and at most",
        ),
        pytest.param(
            'Return ONLY a JSON object with:\n- verdict: "sound" | "leaking"\n- holes: [string]  // where they are\n',
            "verdict",
            {"type": "string", "enum": ["sound", "leaking"]},
            id="a list that is the value of one key is not the answer",
        ),
        pytest.param(
            'Give a list of 3-5 key ports.\nReturn JSON: {"key_ports": ["a", "b"], "wet": true}',
            "key_ports",
            {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 5},
            id="a number of things that are called like the key",
        ),
        pytest.param(
            "RUBRIC\n  3 — all knots hold.\n  2 — some hold.\n  1 — none holds.\n"
            'Set "rigging_level" to the grade. Return JSON: {"rigging_level": 2, "sure": "<1-5>"}',
            "rigging_level",
            {"type": "integer", "minimum": 1, "maximum": 3},
            id="a scale in lines, of the only open number",
        ),
    ],
)
def test_what_is_read(text: str, key: str, schema: dict[str, object]) -> None:
    assert _schema(text, key) == schema


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            "RUBRIC\n  3 — all knots hold.\n  2 — some hold.\n  1 — none holds.\n"
            'Set "rigging_level" to the grade. Return JSON: {"rigging_level": 2, "hull_level": 1, "why": ""}',
            "_level' was read without a range",
            id="a scale that two may hold",
        ),
        pytest.param(
            'Give it 1-7. Return JSON: {"vote": number, "why": string}', "'vote' was read", id="a scale said of no key"
        ),
        pytest.param(
            'Rope kinds: hemp, sisal, jute, nylon.\nReturn JSON: {"label": "<label>", "long": true}',
            "'Rope kinds: hemp",
            id="labels after a colon",
        ),
        pytest.param(
            'Use low | mid | high | huge.\nReturn JSON: {"wave": "low|mid|high", "why": ""}',
            "'huge' is listed with the labels",
            id="a label more than were read",
        ),
        pytest.param(
            'FIRST ANSWER:\n{"search": ["a b c"], "kind": "x|y"}\n\n'
            'LAST ANSWER (when you know more):\n{"risk": 0.0-1.0, "kind": "x|y"}',
            "",
            id="two answers",
        ),
        pytest.param(
            "You will be given a list of parcels, and you will weigh each of them.\n"
            'Respond with JSON:\n{"reference": "copied from the input", "heavy": true}',
            "several parcels are given",
            id="one object for several things",
        ),
        pytest.param(
            "Return JSON with key 'boats' as a list of {name, length}.", "'boats'", id="a list of objects in words"
        ),
        pytest.param(
            'Write one line for the pilot.\nOutput JSON with a single property "line".\n\n### Example\n'
            "Input: a prompt that says: output one of the following labels: 'ebb', 'flood', 'slack'.\n",
            "is in an example",
            id="labels of an example",
        ),
        pytest.param(
            "import json\nfrom sea import tides\n\ndef run(ports: list[str]) -> str:\n    found = {}\n"
            "    def fetch(port):\n        try:\n            return port, json.loads(tides.fetch(port=port))\n"
            "        except OSError as e:\n"
            '            return port, {"error": str(e)}\n    for port in ports:\n        found[port] = fetch(port)\n'
            "    return json.dumps(found)\n",
            "the text is a program",
            id="a program in Python",
        ),
        pytest.param('<!DOCTYPE html>\n<script>var a = {"id": n, "to": m};</script>', "", id="a page"),
        pytest.param(
            "Judge the log.\n{{ log }}\nReturn exactly one JSON object that matches the required schema.",
            "",
            id="JSON of a schema that is elsewhere",
        ),
        pytest.param(
            "Output in JSON format with the keys below.\n- voyages: List[Leg], all legs of the voyage\n"
            "- Note that 'Leg' is JSON format with the keys: port: str and day: str",
            "'List[Leg'",
            id="a type that is defined elsewhere",
        ),
        pytest.param(
            "The log has the form of log.json. Key sections to refer to:\n\n"
            "- `crew` - who was there\n- `ports` - where they were\n\nReturn ONLY the finished letter.",
            "",
            id="keys of a file that is read",
        ),
        pytest.param(
            "Return ONLY JSON with double quotes around all property names and string values.\n{{ x }}",
            "",
            id="no names",
        ),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    found = infer(text)
    assert found.fields == ()
    assert reason in found.problems[0]


def test_samples_are_no_labels() -> None:
    text = (
        'For each pick give a kind that is new. Examples of the kind of label you want: "Foam at dawn", "Salt road".\n'
        'Return JSON: {"kind": "...", "place": "a place"}'
    )
    found = infer(text)
    assert not any("enum" in item.schema for item in found.fields)


def test_null_of_the_input_is_not_null_of_the_answer() -> None:
    text = (
        "- ERROR: If the name is missing, null, or empty string\n"
        'Return JSON. Example:\n{"is_valid": false, "errors": ["x"]}'
    )
    assert _schema(text, "is_valid") == {"type": "boolean"}


def test_a_number_in_words_is_not_an_integer_because_of_a_sample() -> None:
    text = "Fields:\n- beam: number\n- masts: number\n\nExample output:\n" + '{"beam": 3, "masts": 2}\nReturn JSON.'
    assert _schema(text, "beam") == {"type": "number"}


def test_a_template_goes_only_if_the_schema_has_all_of_its_words() -> None:
    lost = 'Return JSON:\n{"hull": "oak|tar", "route": ["cape one by sail", "cape two"]}'
    kept = 'Return JSON:\n{"hull": "oak|tar", "log": "one phrase"}'
    assert infer(lost).carried == ()
    assert infer(kept).carried != ()
    two = (
        'Return JSON:\n{"wet": true, "why": "why it is wet, in short"}\n'
        'or\n{"wet": false, "why": "why it is dry, in short"}'
    )
    assert infer(two).carried == ()


def test_a_sentence_about_the_task_stays() -> None:
    text = 'You sort turns. You do NOT answer it.\nReturn JSON:\n{"kind": "a|b"}'
    edits = carried_edits(PromptText.of(text), infer(text), drop_explanation=False)
    gone = [text[edit.start : edit.end] for edit in edits]
    assert not any("answer it" in part for part in gone)
