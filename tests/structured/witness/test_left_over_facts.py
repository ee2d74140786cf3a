"""A fact beside what was read that the schema has not is a refusal with its line; no schema has a variable's sign."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.structured.build import structure
from promptopt.structured.fields import BOUNDARY, MASK
from promptopt.structured.infer import infer
from promptopt.templates import load_prompt
from promptopt.templates.source import read_source


def _asked(text: str) -> str:
    """A prompt that asks for the JSON it has, if it does not say so itself."""
    return text if "JSON" in text or "{" not in text else text.replace("{", "JSON:\n{", 1)


def _why(text: str) -> str:
    found = infer(_asked(text))
    assert not found.fields, [(item.name, dict(item.schema)) for item in found.fields]
    return found.problems[0]


def _schemas(text: str) -> dict[str, object]:
    found = infer(_asked(text))
    assert found.fields, found.problems
    return {item.name: dict(item.schema) for item in found.fields}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"ship": "a", "sails": ["jib"]}\nsails can contain jib, main, spinnaker, topsail.', "without labels"),
        ('{"ship": "a", "day": "mon"}\nDays are mon to sun.', "'are mon to sun' is said of 'day'"),
        ('{"ship": "a", "flags": [101]}\nValid flags are 101, 102 and 305.', "without labels"),
        ('{"ship": "a", "speed": 7}\nspeed is at most 480.', "without a range"),
        ('{"ship": "a", "load": 1-6}\nIf the hold is empty, load is 0.', "line 3: '0' is said of 'load'"),
        ('{"ship": "a", "winner": "A" or "B"}\nIf both are as fast, winner is "tie".', "without that value"),
        ('{"ports": ["a"], "wet": true}\nLimit to the 10 most important ports.', "without a count"),
        ('Mark each as dry, damp or wet: hold, deck.\n{"hold": "", "deck": ""}', "are labels, and no field has them"),
        ('| tide | means |\n|---|---|\n| ebb | out |\n| flood | in |\n{"tide": "x", "ship": "y"}', "column 'tide'"),
        ('Tools:\n1. jib_up\n2. jib_down\n{"tool": "<the tool>", "why": "x"}', "'Tools:' heads a list"),
        (
            '- use "tow" when it is calm\n- use "row" when it is not\n{"way": "<way>", "why": "x"}',
            "sets a word for a case",
        ),
        ('{"ships": [{"name": "x", "port": "y"}]}\nAt most 7.', "'At most 7' bounds something"),
        ('{"ship": "a", "load": 3}\nload is given in steps of 0.5.', "was read as a whole one"),
        ('Award 0, 1 or 2 points.\n{"points": 1, "why": "x"}', "is a scale"),
        (
            'Return JSON with the keys "ship" and "port". If a value is missing, leave it out.\n{{ log }}',
            "a key may be left out",
        ),
    ],
)
def test_a_clause_about_a_key_leaves_no_fact_over(text: str, reason: str) -> None:
    assert reason in _why(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"ship": "a", "rate": 19.0}\n"rate" is a percentage, 19 and not 0.19.',
        '{"films": ["<title>"], "wet": true}\nAt most 2 films from the same country.',
        '{"ship": "a", "log": "x"}\nlog is one sentence of 10 to 20 words.',
        '{"ship": "a", "minutes": 30}\nminutes defaults to 60.',
        '{"ship": "a", "place": "x"}\nplace: city, region or country',
        '{"ship": "a", "load": 1-6}\nload is 6 if nothing more fits.',
    ],
)
def test_what_a_clause_says_beside_a_schema_that_has_it_is_no_objection(text: str) -> None:
    assert _schemas(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"grade": (sound or leaking), "why": (one sentence)}', "which was read as a number"),
        ('{"ship": "a", "sails": "List of sails and ropes", "ports": ["b"]}', "which was read as a list"),
        ('{"ship": "a", "state": "tak czy nie"}', "without labels"),
        ('{"ship": "a", "grade": "A-F"}', "without labels"),
        ('{"hull": "sound | leaking", "whole": "<same scale as hull>"}', "without labels"),
        ('{"ship": "a", "sign": "+, - or empty"}', "without labels"),
        ('{"ship": "a", "points": ["between 3 and 5 points"]}', "without a count"),
        (
            "Judge it. Answer in this format:\n\nVERDICT: [TRUE | FALSE | UNCLEAR]\nWHY: [one sentence]\n\n{{ t }}",
            "is the place of 'verdict'",
        ),
        ('{"wet": "yes | no", "days": "integer, only if it is wet"}', "without null"),
        ('{"ship": "a", "note": string (optional)}', "without null"),
        ('{"ship": "a", "logs": [<ids of the logs>]}', "as texts"),
        ('{"ship": "a", "state": "done 或 failed"}', "without labels"),
        ('{"ship": "a", "proof": ["rope or sail"]}', "may say what 'proof' holds"),
        (
            'Return {"state": "dry"} or {"state": "wet"}. If you cannot tell, return {"state": "odd"}.',
            "labels were not read",
        ),
        ('- Output {"state": "1"} if it is dry\n- Output {"state": "2"} if it is wet\nIn JSON.', "in some case"),
        ('Answer so:\n<log>\n[{"ship": "a"}]\n</log>\nIf there is none: <log>none</log>', "is an answer in some case"),
    ],
)
def test_a_place_that_shows_something_else_than_was_read_is_refused(text: str, reason: str) -> None:
    assert reason in _why(text)


def test_the_brackets_of_a_list_and_the_list_in_them_are_one_list() -> None:
    assert _schemas('{"name": "<name>", "lost": [<list of indices>]}')["lost"] == {
        "type": "array",
        "items": {"type": "integer"},
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            'State:\nReturn JSON: {"state": "x", "ship": "y"}\n- state: one of: dry, wet, etc.',
            "'etc' is among the labels|go on after|without labels|'etc.' is among",
        ),
        (
            "Look at the hold and then output the state: 1_sound, 2_wet, or 3_gone in the tag <state></state>.",
            "has words of the prompt in it",
        ),
    ],
)
def test_a_label_with_words_of_the_prompt_and_a_list_that_goes_on_are_refused(text: str, reason: str) -> None:
    assert any(one in _why(text) for one in reason.split("|"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('Return JSON with the keys "ship" and "port".\n{{ log }}\nNever return JSON.', "stands against the JSON"),
        (
            'Return JSON with the keys "ship" and "port".\n{{ log }}\nYour whole reply must be one word.',
            "stands against the JSON",
        ),
    ],
)
def test_what_stands_against_the_form_or_goes_on_after_it_is_refused(text: str, reason: str) -> None:
    assert reason in _why(text)


@pytest.mark.parametrize(
    "said",
    ["Do not wrap the JSON in Markdown.", "Never return JSON with comments.", "Do not return JSON inside code fences."],
)
def test_how_the_json_is_not_to_look_is_no_denial(said: str) -> None:
    assert _schemas(f'Return JSON with the keys "ship" and "port".\n{said}\n{{{{ log }}}}')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Rate the tide from 1 (ebb) to 5 (flood). If it cannot be determined return 0.\n{{ t }}", "can be 0"),
        (
            "Score from 0 to 100 how full the hold is. Return just the integer, or N/A if there is none.\n{{ t }}",
            "'or N/A'",
        ),
        ("Rate the tide from 1 to 10, in steps of 0.1. Answer with the number only.\n{{ t }}", "a whole one"),
    ],
)
def test_what_a_bare_value_cannot_be_or_has_not_is_refused(text: str, reason: str) -> None:
    assert reason in _why(text)


def test_a_bare_value_beside_an_object_that_is_shown_is_refused() -> None:
    found = infer(
        'Detect the tide of the port log: Ebb, Flood, Slack or Odd.\n\n{"tide": "ebb", "sure": 0.8}\n\n{{ t }}'
    )
    assert not found.fields
    assert "shows an object" in found.problems[0]


@pytest.mark.parametrize(
    ("listed", "labels"),
    [
        ("World, Sports, Sci/Tech", ["World", "Sports", "Sci/Tech"]),
        ("Food and Drink, Travel, or Other", ["Food and Drink", "Travel", "Other"]),
        ("Sail, Steam or Other", ["Sail", "Steam", "Other"]),
    ],
)
def test_what_commas_divide_is_not_divided_again(listed: str, labels: list[str]) -> None:
    (schema,) = _schemas(f"Classify the log into one of these topics: {listed}.\n\nLog: {{{{ t }}}}\nTopic:").values()
    assert schema["enum"] == labels  # type: ignore[index]


def test_the_least_that_a_place_ends_with_is_read() -> None:
    found = _schemas('{"crew": <number of people as an integer, at least 1>, "wet": true}')
    assert found["crew"]["minimum"] == 1  # type: ignore[index]


def test_both_bounds_of_a_count_are_read() -> None:
    found = _schemas('{"reasons": ["..."], "wet": true}\nGive at least 1 and no more than 4 reasons.')
    assert (found["reasons"]["minItems"], found["reasons"]["maxItems"]) == (1, 4)  # type: ignore[index]


def test_null_of_two_keys_in_one_sentence_is_read_of_both() -> None:
    found = _schemas(
        '{"day": "YYYY-MM-DD", "part": "ebb | flood"}\n'
        "Set day to null if none is named, and part to null if it is not clear."
    )
    assert found["day"] == {"type": ["string", "null"]} | {
        key: found["day"][key] for key in found["day"] if key != "type"
    }  # type: ignore[index]
    assert None in found["part"]["enum"]  # type: ignore[index]


def test_null_of_one_key_in_so_many_words_is_not_null_of_all() -> None:
    found = _schemas('{"hull": {"rating": 1-5}, "again": "yes | no"}\nIf a part is not mentioned, its rating is null.')
    assert found["hull"]["properties"]["rating"]["type"] == ["integer", "null"]  # type: ignore[index]
    assert found["again"] == {"type": "string", "enum": ["yes", "no"]}


def test_the_key_in_the_condition_of_null_is_not_the_one_that_may_be_null() -> None:
    found = _schemas('Return JSON: {"name": "...", "quote": "..."}; quote is null when the name is not found.')
    assert "null" not in found["name"]["type"]  # type: ignore[index]
    assert "null" in found["quote"]["type"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('Sklasyfikuj tekst do jednego stanu:\nDRY, WET, GONE\n\n{"stan": "...", "risk": "LOW|HIGH"}', "'stan'"),
        ('Ocena od 1 do 5 zgodnie z opisem statku w porcie.\n{"ocena": 3, "opis": "jedno zdanie"}', "a range"),
        ('Podaj 4 porty ze statku i opis każdego portu tutaj.\n{"porty": ["x"], "opis": "zdanie"}', "may be a count"),
        ('Jeśli brak danych o statku w porcie, wpisz null.\n{"port": "nazwa", "opis": "zdanie"}', "may be null"),
    ],
)
def test_a_prompt_in_a_language_that_no_reader_knows_leaves_nothing_open(text: str, reason: str) -> None:
    assert reason in _why(text)


def test_an_explanation_of_examples_is_not_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "v1.j2"
    path.write_text(
        "Say how wet the hold is, as an integer between 0 and 10. Your output is a single integer.\n\n"
        "Examples:\nHold: dry\nI: 2\nRationale: it is dry.\n\n## Task\nOnly output the number.\nHold: {{ hold }}\nI:"
    )
    assert [item.name for item in structure(load_prompt(path)).fields] == ["i"]


def test_one_of_two_variables_is_a_text() -> None:
    assert _schemas('{"first": "{{ a }}" or "{{ b }}" or null, "why": "one sentence"}')["first"] == {
        "type": ["string", "null"]
    }


_PIECES = st.sampled_from(
    [
        *(
            '"',
            '{"',
            '": ',
            "}",
            "{",
            "[",
            "]",
            ", ",
            " or ",
            " | ",
            "/",
            "\n",
            "- ",
            ": ",
            "<",
            ">",
            "null",
            "integer 1-5",
        ),
        *("{{ a }}", "{{ b.c }}", "{% if a %}x{% endif %}", "tide", "ship", "one of: ", "Answer with ", "exactly "),
        *(
            '{"tide": "{{ a }}" or "{{ b }}"}',
            '{"ship": "{{ a }}|low"}',
            'Reply with "{{ a }}" or "no".',
            "Return JSON: ",
        ),
        *(
            "- {{ a }}: wet\n- dry: not\n",
            "<tide>{{ a }} or low</tide>",
            "Tide: <{{ a }}/low>",
            "one of {{ a }}, low, high",
        ),
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_no_schema_has_the_sign_of_a_variable(text: str) -> None:
    try:
        read_source(text)
    except Exception:  # noqa: BLE001 - a text that is no template is not what is tested here
        return
    said = json.dumps([[item.name, dict(item.schema), item.pattern] for item in infer(text).fields], ensure_ascii=False)
    assert MASK not in said
    assert BOUNDARY not in said
