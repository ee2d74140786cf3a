"""What looks like a fact of a key and is none: code of an example, steps of a task, meanings of labels, rows."""

import pytest

from promptopt.structured.infer import infer
from promptopt.structured.reasoning import explanation_asked

_CODE = """Say which ports the program writes to, as JSON.

Program:
```python
import serial
import time
port = serial.Serial("COM1")
port.write(b"go")
```

Answer:
```json
{"ports": ["COM1"]}
```

Program:
```python
import serial
print("nothing")
```

Answer:
```json
{"ports": []}
```
"""

_STEPS = """Sort the manifest.

3. **Priority of the review**:
   - **Whole manifest**: Examine every page, not only the first
   - **Stamps**: What do the stamps say?
   - **Weights**: Check the weights of all pages (up to 9)

Return only this JSON:
{"kind": "bulk|parcel|other", "doubts": ["..."], "remark": "what is odd about it"}
"""

_MEANT = """Sort the message. If it is about any of these products, classify the topic as **"paint"**:

- **The Barnacle Stop**: a coating for wooden hulls
- **The Rust Stop**: a coating for steel hulls

Return {"name": "<name of the sender>", "topic": "paint|engine|other"}
"""


def _fields(text: str) -> dict[str, object]:
    found = infer(text)
    assert not found.problems, found.problems
    return {field.name: field.schema.get("enum", field.schema.get("type")) for field in found.fields}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (_CODE, {"ports": "array"}),
        (_STEPS, {"kind": ["bulk", "parcel", "other"], "doubts": "array", "remark": "string"}),
        (_MEANT, {"name": "string", "topic": ["paint", "engine", "other"]}),
        (
            (
                'Answer in JSON like {"port": NEXT_PORT}.\n- NEXT_PORT is the name of the port, at most 5 words.\n'
                'If there is none, answer {"port": null}.'
            ),
            {"port": ["string", "null"]},
        ),
        (
            (
                "Tasks:\n1. Identify a list of cargoes that the log names.\n2. Sum the log up in one sentence.\n"
                "3. Output a JSON object with the keys: cargoes, summary."
            ),
            {"cargoes": "array", "summary": "string"},
        ),
        (
            'Return only\n{"parameters": [{"name": "what it is", "unit": "its unit"}], "note": "what is odd"}',
            {"parameters": "array", "note": "string"},
        ),
        (
            'Sort it. Return {"question": "<Trade Question/Question/Complaint/Other>", "port": "<name of the port>"}',
            {"question": ["Trade Question", "Question", "Complaint", "Other"], "port": "string"},
        ),
        (
            'Return {"town": <string or null>, "load": <int or null>}\n- `town`: port or village if given; else null',
            {"town": ["string", "null"], "load": ["integer", "null"]},
        ),
        (
            'Look for patterns:\n- Port: "Harbour", "Hafen", "Haven"\n\nReturn {"port": "<name>", "wet": true}',
            {"port": "string", "wet": "boolean"},
        ),
        (
            (
                "Judge the log based ONLY on the given question, answer, and evidence.\n"
                'Return {"grounded": boolean, "rationale": "why"}'
            ),
            {"grounded": "boolean", "rationale": "string"},
        ),
        (
            'Extract:\n1. CARGOES: Main cargoes, crates, bales mentioned\nReturn {"cargoes": ["a", "b"], "wet": true}',
            {"cargoes": "array", "wet": "boolean"},
        ),
        (
            'Return {"wet": true, "followUpQuestions": []}',
            {"wet": "boolean", "followUpQuestions": "array"},
        ),
        (
            "Return a JSON array. Each item must have:\n- `quote`: exact words\n- `page`: which page (0-based)",
            {"items": "array"},
        ),
        (
            'Suggest exactly 5 questions about CARGO, CREW or PORTS.\nReturn only a JSON array: ["What is?", "Who?"]',
            {"items": "array"},
        ),
        (
            'Responde SOLO con el JSON.\n{"puerto": "nombre del puerto", "carga": "que lleva el barco"}',
            {"puerto": "string", "carga": "string"},
        ),
        (
            '- **total**: sum (look for "Total" or "Balance Due")\nReturn {"total": "total amount here", "wet": true}',
            {"total": "string", "wet": "boolean"},
        ),
        (
            'Return {"cargo": "<what it carries>", "wet": true}\n- cargo: taken from the log or inferred',
            {"cargo": "string", "wet": "boolean"},
        ),
        (
            'A good query has one (or max two) words.\nReturn {"queries": ["<query>"], "wet": true}',
            {"queries": "array", "wet": "boolean"},
        ),
        (
            'Return {"field": "port|cargo|date|crew", "value": "what the log says of it"}',
            {"field": ["port", "cargo", "date", "crew"], "value": "string"},
        ),
        (
            'Return {"port": "name of the port if known", "remark": "what else there is (optional)"}',
            {"port": ["string", "null"], "remark": ["string", "null"]},
        ),
        (
            'You are a multi-step manifest assistant. Return {"port": "name of the port", "wet": true}',
            {"port": "string", "wet": "boolean"},
        ),
        (
            "**Output:** Answer *only* in the following format:\n```\nScore: [1-10]\nRemark: [your remark]\n```",
            {"score": "integer", "remark": "string"},
        ),
        ("Grade the log.\n\nFormat:\nGRADE: <letter>\nREMARK: <text>", {"grade": "string", "remark": "string"}),
        ("Return a table with the columns Port, Cargo, Crew and nothing else.", {"rows": "array"}),
    ],
)
def test_what_is_no_fact_of_a_key_refuses_nothing(text: str, fields: dict[str, object]) -> None:
    assert _fields(text) == fields


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        # Without fences the whole is a program.
        (
            (
                'import json\nimport serial\nport = serial.Serial("COM1")\nport.write(b"go")\n'
                'answer = """Return only {"port": "<name>", "note": "<what is odd>"}"""\nprint(answer)\n'
            ),
            "a program",
        ),
        # Heads that are followed by meanings are labels.
        (
            _STEPS.replace("Examine every page, not only the first", "the pages are in order")
            .replace("What do the stamps say?", "a stamp is missing")
            .replace("Check the weights of all pages (up to 9)", "the weights differ"),
            "are labels, and no field has them",
        ),
        (
            'Answer in JSON like {"port": NEXT_PORT}.\nIf there is none, answer {"port": null}.',
            "nothing says what 'port' is",
        ),
        (
            "Identify the cargoes.\nOutput a JSON object with the keys: cargoes, summary.",
            "nothing but its name says whether 'cargoes' is a list",
        ),
        ('Read the log. Return only {"parameters": {"depth": "3 m"}, "note": "what is odd"}', "its keys may be others"),
        ('Return {"wet": true, "followups": []}', "nothing says what it holds"),
        (
            'Return {"cargoes": "x", "wet": true}\n- cargoes: crates, bales, barrels',
            "without labels",
        ),
        ('Return {"cargo": "<what>", "wet": true}\n- cargo: taken from: coal, ore', "without labels"),
        ('Plan keyword search.\nReturn {"type": "keyword", "query": "what to search for"}', "which others there are"),
        (
            'All quotes MUST use this object structure:\n{"speaker": "who says it", "words": "what is said"}',
            "a part of the answer",
        ),
        (
            'Answer so. {{ format_instructions }}\n\nHuman: the log\nAssistant: {"port": "Hull", "cargo": "coal"}',
            "in a variable of the template",
        ),
        # Any key may be left out, and only one of them may be null.
        (
            'If a field is not given, do not include it.\nReturn {"port": "<name>", "cargo": "<cargo or null>"}',
            "a key may be left out",
        ),
    ],
)
def test_what_is_a_fact_of_a_key_still_does(text: str, reason: str) -> None:
    assert reason in " ".join(infer(text).problems)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Answer yes or no, then explain in one sentence.", True),
        ("Rate the log from 1 to 10 and say why in a sentence.", True),
        ("Answer yes or no. Give your main reason in one sentence.", True),
        ("Answer yes or no. If not, say why.", True),
        ("Answer yes or no. Do not explain.", False),
        ("Answer yes or no, without a reason.", False),
        ("Answer yes or no. Never say why.", False),
    ],
)
def test_no_of_yes_or_no_denies_no_explanation(text: str, asked: bool) -> None:
    assert (explanation_asked(text) is not None) == asked
