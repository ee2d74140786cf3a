"""A form is read whole or refused: what it is beside, how often it comes, and how else the answer may look."""
# ruff: noqa: E501, ISC004 - prompts in one line each

from pathlib import Path

import pytest

from promptopt.structured.build import structure
from promptopt.structured.infer import infer
from promptopt.templates import load_prompt


def fields(text: str) -> dict[str, dict]:
    found = infer(text)
    assert found.fields, found.problems
    return {item.name: {k: v for k, v in item.schema.items() if k != "description"} for item in found.fields}


_GIVEN_TOO = """Correct the labels of the crates. The crates will be formatted like this:
```json
[{"crate": 4, "label": "Tea", "weight": 12}]
```
Write a short remark. Output "all_right" or "wrong_labels".
If labels are wrong, output the crates, like this:
```json
[{"crate": 4, "label": "Coffee"}]
```
{{ crates }}
"""
_TWO_SCORES = """Rate the copy of the painting from 0 to 10.
A second score from 0 to 10 says how well the frame fits.
Put the scores in a list. {{ painting }}
"""
_INLINE = (
    "Rate the soup from 0 to 100. Your answer should be in the following format:\n"
    "Remark:\\n<what you taste>\\nPoints:\\n<points>\n{{ soup }}"
)
_TWO_FORMS = """Judge the plan.
If it is sound, respond using the following format:
Verdict: (set it to "Sound")
Reason: (why it is)

If it is not, use this output format:
{other}
{{{{ plan }}}}
"""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_GIVEN_TOO, "all_right"),
        (_TWO_SCORES, "several values"),
        (_INLINE, "form that begins here"),
        (_TWO_FORMS.format(other="Doubts: (what is wrong)\nCure: (what would help)"), "several forms"),
        ("The thought MUST BE enclosed within <think> </think> tags, the result in \\boxed{}. {{ sum }}", "boxed"),
        ("First reason in <think> tags, then go on. Write your thoughts in <think> </think> tags. {{ x }}", "think"),
        (
            'For every leak, output a JSON object with:\n- "pipe": its number\n- "cause": what made it\n{{ log }}',
            "joined",
        ),
        (
            "Name the ship's owner.\nReturn JSON with the keys `owner` and `port`. If there is none, output an empty list.\n{{ log }}",
            "empty list",
        ),
        (
            "Set the pump. Available options:\n- speed: number - turns\n- valve: boolean - open\n"
            "Return only a valid JSON object with the right options.\n{{ wish }}",
            "JSON",
        ),
        (
            "Rate each stew on three dimensions: salt, heat, thickness. Rate on a scale from 1 (worst) to 5 (best).\n{{ stew }}",
            "three dimensions",
        ),
    ],
)
def test_what_is_not_read_whole_is_refused(text: str, why: str) -> None:
    found = infer(text)
    assert not found.fields
    assert why in " ".join(found.problems)


def test_two_forms_of_the_same_parts_are_one() -> None:
    other = 'Verdict: (set it to "Flawed")\nReason: (what is wrong)'
    assert fields(_TWO_FORMS.format(other=other)) == {
        "verdict": {"type": "string", "enum": ["Sound", "Flawed"]},
        "reason": {"type": "string"},
    }


def test_what_follows_the_label_at_the_end_of_the_prompt_is_an_answer() -> None:
    found = fields(
        "Pick the maps to look at. Give them as a list of strings in a JSON object.\n"
        'Q: Where is Bergen?\nGuide: {"maps": ["norway"]}\nQ: {{ question }}\nGuide:'
    )
    assert found == {"maps": {"type": "array", "items": {"type": "string"}}}


@pytest.mark.parametrize(
    "text",
    [
        'Return a JSON list of objects where each object has the keys "ship", "port" and "state" (open or shut).\n{{ log }}',
        "Return a JSON array of objects with: ship, port, state (open/shut).\n{{ log }}",
    ],
)
def test_keys_of_each_object_of_a_list(text: str) -> None:
    items = fields(text)["items"]["items"]
    assert list(items["properties"]) == ["ship", "port", "state"]
    assert items["properties"]["state"]["enum"] == ["open", "shut"]


def test_labels_that_the_prompt_fills_in_are_no_fields() -> None:
    found = fields(
        "Score the pupil's answer as either RIGHT or FALSE.\n\nExample format:\nQUESTION: question here\n"
        "ANSWER: the answer here\nGRADE: RIGHT or FALSE here\n\nQUESTION: {{ question }}\nANSWER: {{ answer }}\nGRADE:"
    )
    assert found == {"grade": {"type": "string", "enum": ["RIGHT", "FALSE"]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("On a scale of 1 to 7, where 7 is urgent (now), rate the alarm. {{ alarm }}", (1, 7)),
        (
            "Judge the reply.\n\nScore 1: rude\nScore 2: cold\nScore 3: kind\n\nRespond in this format:\n"
            "Remark: (one sentence)\nRating: (int)\n{{ reply }}",
            (1, 3),
        ),
    ],
)
def test_ranges_wherever_they_are_said(text: str, expected: tuple[int, int]) -> None:
    schema = list(fields(text).values())[-1]
    assert (schema["minimum"], schema["maximum"]) == expected


@pytest.mark.parametrize(
    ("text", "name", "labels"),
    [
        ("Is the key in the log? Your reply should contain only Yes or No.\n{{ log }}", "answer", ["Yes", "No"]),
        ('Is it a copy? Output only "copy" or "own" (without quotes).\n{{ text }}', "answer", ["copy", "own"]),
        ("Sort the mail. Choose one label.\n\n## Labels\n- Bill: asks for money\n- Ad: sells\n{{ mail }}", "", []),
        (
            'Give a "calm" or "angry" verdict as JSON, like {"VERDICT": "Calm", "WHY": "soft words"}\n{{ a }}',
            "VERDICT",
            ["calm", "angry"],
        ),
        (
            'Return JSON: {"merge": "...", "side": "..."}. Say the side of the merge, either `left` or `right`.\n{{ a }}',
            "side",
            ["left", "right"],
        ),
        (
            'Return a JSON object with a single key `score` whose value is **-1**, **0**, or **1**.\n{"score": <value>}\n{{ a }}',
            "score",
            [-1, 0, 1],
        ),
    ],
)
def test_labels_wherever_they_are_said(text: str, name: str, labels: list) -> None:
    found = fields(text)
    schema = found[name] if name else next(iter(found.values()))
    assert schema["enum"] == (labels or ["Bill", "Ad"])


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("<1-based line index>", {"type": "integer"}),
        ("turn_number", {"type": "integer"}),
        ("[your score: 1.0, 0.5, or 0.0]", {"type": "number"}),
        ("[a list of names of the crew]", {"type": "array", "items": {"type": "string"}}),
        ("<A list of keywords (e.g., two words)>", {"type": "array", "items": {"type": "string"}}),
        ('"Topic/domain"', {"type": "string"}),
        ("True if it floats, False otherwise.", {"type": "boolean"}),
        ('"True if it floats, False otherwise."', {"type": "boolean"}),
    ],
)
def test_places_that_say_what_belongs_there(value: str, schema: dict) -> None:
    found = fields(f'Return JSON in this form:\n{{\n  "part": {value},\n  "note": "..."\n}}\n{{{{ text }}}}')
    assert found["part"] == schema


def test_numbers_that_stand_for_cases_are_an_enum() -> None:
    found = fields(
        "Respond in this format:\nState: (0 or 1. 0 for shut and 1 for open)\nWords: (what you tell the guest)\n{{ gate }}"
    )
    assert found["state"] == {"type": "integer", "enum": [0, 1]}


def test_free_keys_named_in_words_are_refused() -> None:
    found = infer(
        'Return a JSON object with string keys ("0", "1", ...) of the crates.\n'
        'Output:\n- "keep": true if the crate stays\n- "why": a few words\n{{ crates }}'
    )
    assert not found.fields


def test_what_the_prose_says_of_a_value_that_may_be_null() -> None:
    found = fields('Return JSON: {"weight": 4 or null, "port": "<name>"}\n- `weight`: number - in tons\n{{ crate }}')
    assert found["weight"]["type"] == ["integer", "null"]


def test_curly_quotes_are_quotes() -> None:
    found = fields("Return one JSON object.\nSchema:\n{\n“split”: <bool>,\n“parts”: <string[]>\n}\n{{ query }}")
    assert found == {"split": {"type": "boolean"}, "parts": {"type": "array", "items": {"type": "string"}}}


def test_a_tag_that_is_spoken_about_holds_no_answer() -> None:
    assert not infer("Summarise. Text wrapped in `<caption>...</caption>` is text of a picture.\n{{ page }}").fields


def test_what_a_quotation_asks_for_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "v1.j2"
    path.write_text('Is the guest angry? Answer yes or no.\n- "Can you explain this again?" is no.\n{{ mail }}\n')
    assert [item.name for item in structure(load_prompt(path)).fields] == ["answer"]


def test_reasoning_that_is_not_written_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "v1.j2"
    path.write_text("Is the route open? Think step by step internally. Answer yes or no.\n{{ map }}\n")
    assert structure(load_prompt(path)).fields[0].schema["enum"] == ["yes", "no"]
