"""Text, comments and wrappers around the data of an answer: what takes it back, and what only holds it."""

import json
from typing import Any

import pytest

import promptopt
from promptopt.errors import AnswerAmbiguous, AnswerError, AnswerUnreadable
from promptopt.schemas.around import doubts, is_place, leaves_out, taken_back
from promptopt.schemas.coerce import plain
from promptopt.schemas.python_literal import python_literal
from promptopt.schemas.strict_json import DuplicateKey


def schema_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


BOAT = schema_of(name={"type": "string"}, berths={"type": "integer", "minimum": 1, "maximum": 12})
TEXT = '{"name": "Tern", "berths": 4}'
DATA = {"name": "Tern", "berths": 4}
PORTS = {"type": "array", "items": {"type": "string"}}
FLEET = {"type": "array", "items": BOAT}


@pytest.mark.parametrize(
    "text",
    [
        f"{TEXT}\n\nWait, it has 6 berths.",
        f"{TEXT}\nCorrection: 6 berths",
        f"```json\n{TEXT}\n```\nActually the name is Gull.",
        f"{TEXT}\nThe berths should be 5.",
        f"{TEXT}\nThe name is missing, so I made up one.",
        f"{TEXT} or 6 berths",
        f"{TEXT}\n\nHowever, the berths might be 5.",
        f"{TEXT}\nI am not quite sure that it is a boat.",
        f"{TEXT}, possibly.",
        f"{TEXT} // maybe Gull",
        f"The wrong answer is {TEXT}.",
        f"For example, it could be {TEXT}",
        f"Expected format:\n{TEXT}",
        f"The template looks like this:\n{TEXT}",
        f"I cannot see it, but the format would be:\n```json\n{TEXT}\n```",
        f"Never answer {TEXT}",
    ],
)
def test_json_that_the_text_around_it_takes_back_is_refused(text: str) -> None:
    with pytest.raises(AnswerUnreadable, match="says that it is not the answer"):
        promptopt.parse(text, BOAT)


@pytest.mark.parametrize(
    "text",
    [
        f"Here is the boat in the format that you want:\n{TEXT}",
        f"I corrected the previous JSON:\n{TEXT}",
        f"Here is an example boat, as asked:\n{TEXT}",
        f"{TEXT}\n\nNote: I took the name from the first line.",
        f"{TEXT}\nThis is likely a sailing boat.",
        f"{TEXT}\nThis should be valid JSON.",
        f"{TEXT}\nOr, in words: the Tern has four berths.",
        f"First, the format should be JSON, so I write:\n{TEXT}",
        f"{TEXT} - let me know if anything is wrong!",
        f'{{"draft": "4 or 5 berths"}}\n{TEXT}',
    ],
)
def test_text_that_only_introduces_or_explains_the_json_changes_nothing(text: str) -> None:
    assert promptopt.parse(text, BOAT).data == DATA


def test_json_that_the_schema_refuses_and_that_says_another_value_is_not_passed_over() -> None:
    with pytest.raises(AnswerAmbiguous):
        promptopt.parse(f'{TEXT}\n{{"name": "Tern", "berths": 40}}', BOAT)


@pytest.mark.parametrize("text", ['["a", "b"] and ["c"]', '["a", "b"]\n["a", "b", "c"]'])
def test_a_second_list_is_not_taken_for_the_answer(text: str) -> None:
    with pytest.raises(AnswerAmbiguous):
        promptopt.parse(text, PORTS)


@pytest.mark.parametrize(
    "text", ['["a", // ... and 4 more\n"b"]', '["a", "b", /* the rest */]', '["a", "b", etc.]', '["a"] and 3 more']
)
def test_a_list_of_which_a_comment_or_a_word_leaves_a_part_out_is_refused(text: str) -> None:
    with pytest.raises(AnswerUnreadable):
        promptopt.parse(text, PORTS)


def test_what_a_comment_says_of_the_value_beside_it() -> None:
    with pytest.raises(AnswerUnreadable, match="a comment doubts the JSON"):
        promptopt.parse('{"name": "Tern", // or Gull\n"berths": 4}', BOAT)
    assert promptopt.parse('{"name": "Tern", // the tall one\n"berths": 4}', BOAT).data == DATA


def test_which_comments_doubt_or_stand_for_values() -> None:
    assert [doubts(text) for text in ("// should be 5", "// in metres")] == [True, False]
    assert [leaves_out(text) for text in ("/* 3 more */", "// three masts")] == [True, False]


def test_the_words_that_take_json_back_are_named() -> None:
    assert taken_back("", "\nHmm, that is wrong.") == "Hmm, that is wrong."
    assert taken_back("Not:", "") == "Not:"
    assert taken_back("The answer:", "\nRegards") is None


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"name": "boat", "arguments": DATA}),
        json.dumps({"name": "boat", "arguments": TEXT}),
        json.dumps({"tool_calls": [{"id": "1", "type": "function", "function": {"name": "boat", "arguments": TEXT}}]}),
        json.dumps([{"name": "boat", "parameters": DATA}]),
        json.dumps({"type": "object", "properties": DATA}),
        json.dumps({"boat": TEXT}),
        "{" + TEXT + "}",
        TEXT.replace('"', '\\"'),
        TEXT[1:],
    ],
)
def test_what_only_holds_the_data_is_taken_off(text: str) -> None:
    parsed = promptopt.parse(text, BOAT)
    assert parsed.data == DATA
    assert parsed.repairs


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"example": DATA}),
        json.dumps({"name": "boat", "arguments": DATA, "error": "no such boat"}),
        json.dumps({"name": "boat", "arguments": {"berths": 4}}),
        json.dumps({"type": "object", "properties": {"name": {"type": "string"}, "berths": {"type": "integer"}}}),
        json.dumps({"name": "<boat name>", "berths": 4}),
    ],
)
def test_what_is_no_call_with_all_the_data_is_refused(text: str) -> None:
    with pytest.raises(AnswerError):
        promptopt.parse(text, BOAT)


@pytest.mark.parametrize("text", [TEXT, f"[{TEXT}]", f'{{"boats": [{TEXT}]}}', json.dumps({"boats": f"[{TEXT}]"})])
def test_a_list_of_objects_may_be_one_object_or_under_one_key(text: str) -> None:
    assert promptopt.parse(text, FLEET).data == [DATA]


@pytest.mark.parametrize("text", ['{"rejected": ["a"]}', '{"a": ["b"], "c": ["d"]}', '{"total": 1}'])
def test_a_list_among_other_things_is_refused(text: str) -> None:
    with pytest.raises(AnswerError):
        promptopt.parse(text, PORTS)


@pytest.mark.parametrize(
    ("value", "labels"),
    [("-1", [1, 2]), (-2, [1, 2]), ("1-2", [12]), ("1 2", [12]), ("C#", ["C", "D"]), ("A-", ["A", "B"]), ("A*", ["A"])],
)
def test_a_label_is_not_taken_for_another_that_differs_by_a_mark(value: Any, labels: list[Any]) -> None:
    with pytest.raises(AnswerError):
        promptopt.parse(json.dumps({"label": value}), schema_of(label={"enum": labels}))


def test_a_label_is_found_without_its_decoration() -> None:
    for text in ("In Progress", "**in-progress**", "_in_progress_.", "# in progress"):
        assert plain(text) == "inprogress"
    assert promptopt.parse('{"label": "+1"}', schema_of(label={"enum": [-1, 1]})).data == {"label": 1}
    union = schema_of(at={"anyOf": [schema_of(kind={"const": "sea"}, x={"type": "integer"}), {"type": "null"}]})
    assert promptopt.parse('{"at": {"kind": "Sea", "x": 1}}', union).data == {"at": {"kind": "sea", "x": 1}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': 'say \"hi\"', 'b': [True, None, -1.5]}", {"a": 'say "hi"', "b": [True, None, -1.5]}),
        ("{'a': '''two\n\"lines\"''', 'b': true}", {"a": 'two\n"lines"', "b": True}),
        ("{'a': 'it\\'s', 'b': \"it's\"}", {"a": "it's", "b": "it's"}),
    ],
)
def test_a_python_literal_is_read(text: str, value: Any) -> None:
    assert python_literal(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *(
            "['a' 'b']",
            "[b'a']",
            "[f'a']",
            "[1 + 1]",
            "[1_000]",
            "[0x1F]",
            "[5.]",
            "[('a')]",
            "[--1]",
            "{1: 2}",
            "{'a'}",
        ),
        *("['\\x41']", "[a]", "[1e999]", "['a'", "{**{'a': 1}}", "[1j]"),
    ],
)
def test_python_that_is_more_than_data_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        python_literal(text)


def test_a_key_of_a_python_literal_has_one_value() -> None:
    with pytest.raises(DuplicateKey):
        python_literal("{'a': 1, 'a': 2}")


@pytest.mark.parametrize(
    "text",
    [
        '{"note": "high" | "low"}',
        '{"note": "high" (or "low")}',
        '{"note": "a"; "b"}',
        '{"note": "hi" + " there"}',
        "{'note': 'a' | 'b'}",
        "{'note': 'x', y'}",
        r'{"note": "half \ud83d"}',
        r'{"note": "half \ud83d",}',
        r'{"note": "\u00zz"}',
    ],
)
def test_a_text_that_nobody_can_be_sure_of_is_refused(text: str) -> None:
    with pytest.raises(AnswerUnreadable):
        promptopt.parse(text, schema_of(note={"type": "string"}))


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (r'{"note": "it\'s"}', "it's"),
        (r'{"note": "\ud83d\ude00",}', "😀"),
        ('{"note": "the "best" one"}', 'the "best" one'),
        ('```json\n{"note": "a\n```\nx: {}\n```\nb"}\n```', "a\n```\nx: {}\n```\nb"),
    ],
)
def test_a_text_with_one_reading_is_read(text: str, note: str) -> None:
    assert promptopt.parse(text, schema_of(note={"type": "string"})).data == {"note": note}


def test_nothing_in_other_languages_is_null_and_a_code_says_that_it_was_read_as_a_text() -> None:
    schema = schema_of(note={"type": ["string", "null"]})
    for nothing in ("undefined", "nil", "N/A"):
        assert promptopt.parse(f'{{"note": {nothing}}}', schema).data == {"note": None}
    assert promptopt.parse('{"note": 007}', schema).repairs == ("007 read as a text",)


def test_a_missing_quotation_mark_is_not_called_cut_off() -> None:
    with pytest.raises(AnswerUnreadable, match="quotation mark is missing"):
        promptopt.parse('{"name": Tern", "berths": 4}', BOAT)


@pytest.mark.parametrize(
    "text",
    [
        *("Berths: 4, sorry, I meant 6", "Berths: 4\nEdit: 6", "Berths: 4\n\nActually, 6.", "Berths: 4 - 1"),
        *("Berths: 4; 6 with tents", "Berths: 4!?", "Berths: 4'", "Berths: 4\n\nDisregard the above."),
        *("Berths (1-20): 4", "Berths: 4\nRevised berths: 6"),
    ],
)
def test_a_number_that_a_later_one_replaces_is_refused(text: str) -> None:
    with pytest.raises(AnswerError, match="berths"):
        promptopt.restructure(f"Name: Tern\n{text}", BOAT)


@pytest.mark.parametrize(
    "text", ["Berths (1-12): 4", "Berths (1 to 12): 4 - small", "Berths: 4\n\nHowever, 2 are short."]
)
def test_a_number_with_its_scale_or_an_explanation_is_read(text: str) -> None:
    assert promptopt.restructure(f"Name: Tern\n{text}", BOAT).data == DATA


@pytest.mark.parametrize(
    "text",
    [
        *("Sea: calm\n\nActually, no: rough.", "Sea: calm... not", "Sea: calm, but the author is joking"),
        *("Sea: calm, vielleicht", "Sea: calm\n\nThat said, rough is defensible.", "Sea: calm, but only in summer"),
    ],
)
def test_a_label_that_is_replaced_or_taken_back_is_refused(text: str) -> None:
    with pytest.raises(AnswerError, match="sea"):
        promptopt.restructure(text, schema_of(sea={"enum": ["calm", "rough"]}))


def test_yes_that_its_own_clause_denies_is_refused() -> None:
    with pytest.raises(AnswerError, match="safe"):
        promptopt.restructure("Safe: yes, it is not", schema_of(safe={"enum": ["yes", "no"]}))


@pytest.mark.parametrize(
    ("text", "name"), [("<the item's name>", "item"), ("[Your name]", "name"), ("{{name}}", "name")]
)
def test_the_place_of_a_value_is_no_value(text: str, name: str) -> None:
    assert is_place(text, name)


@pytest.mark.parametrize(("text", "name"), [("[name withheld]", "name"), ("<b>name</b>", "name"), ("<x>", "_")])
def test_a_text_in_brackets_may_be_a_value(text: str, name: str) -> None:
    assert not is_place(text, name)
