"""The forms in which prompts say what their answers are to look like, each read whole or refused with the reason."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from promptopt.cli.structure import command
from promptopt.errors import TemplateError
from promptopt.structured.format_string import as_jinja
from promptopt.structured.infer import infer
from promptopt.structured.prose.wording import bare_value, quoted_value
from promptopt.templates.answer import parse_answer


def fields(text: str) -> dict[str, dict]:
    found = infer(text)
    assert found.fields, found.problems
    return {item.name: {k: v for k, v in item.schema.items() if k != "description"} for item in found.fields}


def refusal(text: str) -> str:
    found = infer(text)
    assert not found.fields, found.fields
    return found.problems[0]


TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}


def test_a_python_format_string_is_read_and_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    form = '{{"holds": true or false, "why": "<one sentence>"}}'
    source = f"Judge {{claim}}.\nAnswer in this JSON format:\n{form}\n\n{{notes[0]}}\n"
    Path("judge.txt").write_text(source)
    shown = CliRunner().invoke(command, ["judge.txt"], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "holds: boolean" in shown.output
    assert "line 3: doubled braces: read as a Python format string" in shown.output
    assert "-Judge {claim}." in shown.output
    assert "+Judge {{ claim }}." in shown.output


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=40), st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_the_jinja_of_a_format_string_renders_the_same(text: str, name: str) -> None:
    import jinja2

    escaped = text.replace("\r", "").replace("{", "{{").replace("}", "}}")
    source = f"A{escaped}{{{name}}}B {{{{x}}}}"
    translated = as_jinja(source)
    assert translated is not None
    rendered = jinja2.Environment(keep_trailing_newline=True).from_string(translated).render({name: "?"})
    assert rendered == source.format(**{name: "?"})


def test_expressions_of_an_f_string_are_variables() -> None:
    text = 'Say {{"a": 1}} of {row.get("name", "?")}, {json.dumps(rows)}, {note if note else "none"}, {x.name()}'
    assert as_jinja(text) == 'Say {"a": 1} of {{ name }}, {{ rows }}, {{ note }}, {{ name2 }}'
    for other in ("{{a}} {a, b}", '{{a}} {"b"}', "{{a}} {return x(1)}", "{{a}} {1 + 1}"):
        assert as_jinja(other) is None


def test_what_is_no_format_string_keeps_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.txt").write_text('Answer with {{"a": 1}} and {% if x %}.\n{')
    shown = CliRunner().invoke(command, ["broken.txt"])
    assert isinstance(shown.exception, TemplateError)
    assert "broken.txt:1: expected token" in str(shown.exception)


@pytest.mark.parametrize(
    ("words", "bare", "quoted"),
    [
        ("yes or no", {"type": "string", "enum": ["yes", "no"]}, {"type": "string", "enum": ["yes", "no"]}),
        ("true or false if it fits", {"type": "boolean"}, {"type": "boolean"}),
        ("string or null", {"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ("integer between 1 and 5", {"type": "integer", "minimum": 1, "maximum": 5}, None),
        ("None/Local/Remote", {"type": "string", "enum": ["None", "Local", "Remote"]}, None),
        ("an array of strings", TEXTS, TEXTS),
        ("number of guests", {"type": "integer"}, TEXT),
        ("YYYY/MM/DD", {}, TEXT),
        ("path/to/file", {}, TEXT),
    ],
)
def test_words_in_the_place_of_a_value(words: str, bare: dict, quoted: dict | None) -> None:
    def plain(schema):
        return {key: value for key, value in schema.items() if key != "description"}

    assert plain(bare_value(words)) == bare
    assert plain(quoted_value(words)) == (bare if quoted is None else quoted)


def test_a_key_that_some_examples_lack_may_be_null() -> None:
    found = fields(
        'If the parcel arrived, answer like this:\n{"arrived": true}\n'
        'Otherwise give the reason:\n{"arrived": false, "reason": "The street does not exist"}\n\n{{ log }}'
    )
    assert found == {"arrived": {"type": "boolean"}, "reason": {"type": ["string", "null"]}}


@pytest.mark.parametrize(
    "text",
    [
        'Answer with this JSON:\n{"<name of the city>": "<number of trams>"}\n{{ list }}',
        'Return JSON like this:\n{"page_1": 7, "page_2": 3, "page_3": 9}\n{{ pages }}',
        'Respond with JSON in this format:\n{"note": "<text>", "calls": [{"tool": {...arguments...}}]}\n{{ task }}',
    ],
)
def test_free_keys_are_refused(text: str) -> None:
    assert "free keys" in refusal(text)


def test_the_prose_adds_null_and_ranges_to_the_keys_of_a_form() -> None:
    found = fields(
        'Rate the recipe. Answer in JSON: {"taste": 2, "effort": 1, "score": <score>, "cook": "<name>"}\n'
        "Use this scale for each criterion:\n1. poor\n2. fair\n3. good\n4. very good\n"
        "If nobody is named, cook is null.\n\n{{ recipe }}"
    )
    bounds = {"type": "integer", "minimum": 1, "maximum": 4}
    assert found == {"taste": bounds, "effort": bounds, "score": bounds, "cook": {"type": ["string", "null"]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            (
                'Return a JSON object with two fields:\n- "mood" (one of "calm", "upset"): the mood\n'
                "- `urgent`: a boolean\n- 'tags': a list of strings\n\n{{ mail }}"
            ),
            {"mood": {"type": "string", "enum": ["calm", "upset"]}, "urgent": {"type": "boolean"}, "tags": TEXTS},
        ),
        (
            'In the "plan" field, write what to do next. In the "tool_letter" field, write one letter.\n{{ state }}',
            {"plan": TEXT, "tool_letter": TEXT},
        ),
        (
            "Answer as JSON with the keys 'score' (integer from 1 to 7) and 'comment' (string).\n{{ essay }}",
            {"score": {"type": "integer", "minimum": 1, "maximum": 7}, "comment": TEXT},
        ),
        ("Rewrite it. Output only the rewritten text in text key JSON format.\n{{ it }}", {"text": TEXT}),
    ],
)
def test_keys_that_are_named_in_words(text: str, expected: dict) -> None:
    assert fields(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        (
            "Return a JSON object with these keys:\n- `title`: the title\n- `parts`: a list of objects, each with\n"
            "  - `name`: its name\n  - `size`: its size\n\n{{ page }}"
        ),
        "Return the same JSON with an additional key in each record: `mood`.\n{{ records }}",
    ],
)
def test_objects_whose_form_is_in_words_are_refused(text: str) -> None:
    assert "given in words" in refusal(text)


def reads(text: str, answer: str) -> str:
    item = next(item for item in reversed(infer(text).fields) if item.pattern)
    return parse_answer(item.pattern).extract(answer)


def test_labels_and_words_beside_them() -> None:
    text = (
        "Your verdict must be in the format specified below:\n\nfound_value: The value that was found.\n\n"
        "reason: Why it is right or not.\n\nright: Answer 'yes' if it fits, 'no' otherwise.\n"
    )
    assert fields(text)["right"] == {"type": "string", "enum": ["yes", "no"]}
    assert list(fields(text)) == ["found_value", "reason", "right"]
    assert reads(text, "found_value: 3\nreason: no digit is missing\nright: yes") == "yes"


def test_a_result_after_a_mark() -> None:
    text = 'The output should look as follows: "Remarks: (write remarks) [RESULT] (an integer from 1 to 5)"\n{{ x }}'
    assert fields(text) == {"remarks": TEXT, "result": {"type": "integer", "minimum": 1, "maximum": 5}}
    assert reads(text, "Remarks: 2 of 3 are fine. [RESULT] 4") == "4"


def test_tags_with_one_list_of_labels_in_the_prose() -> None:
    text = "Is it right? Say only 1 (yes) or 0 (no). Return your answer within <MARK> </MARK> tags.\n{{ it }}"
    assert fields(text) == {"mark": {"type": "integer", "enum": [1, 0]}}
    assert reads(text, "I saw 7 of them. <MARK> 1 </MARK>") == "1"


def test_elements_within_elements_are_refused() -> None:
    text = "Answer in this form:\n<list><item>one</item><item>two</item></list>\n\n{{ it }}"
    assert "elements inside <list>" in refusal(text)


def test_brackets_and_the_explanation_before_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("judge.j2").write_text(
        "Begin with a short explanation. After your explanation, rate the reply on a scale of 1 to 10 in this format: "
        '"[[rating]]", for example: "Rating: [[5]]".\n\n{{ reply }}'
    )
    shown = CliRunner().invoke(command, ["judge.j2", "--json"], catch_exceptions=False)
    data = json.loads(shown.output)
    assert [item["name"] for item in data["fields"]] == ["explanation", "rating"]
    assert data["max_output_tokens"] is None
    assert parse_answer(data["answer"]).extract("It is 100% right.\nRating: [[7]]") == "7"


def test_an_explanation_after_the_value_is_not_read_as_the_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("judge.j2").write_text("Rate the reply from 1 to 5 and give a short explanation.\n\n{{ reply }}")
    data = json.loads(CliRunner().invoke(command, ["judge.j2", "--json"], catch_exceptions=False).output)
    assert [item["name"] for item in data["fields"]] == ["score", "explanation"]
    assert (data["answer"], data["max_output_tokens"]) == (None, None) or data["form"] == "schema"


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("Split the task. Submit your response as a formatted ARRAY of strings.\n{{ task }}", TEXTS),
        ('Split the task. Respond only in JSON as described below:\n["step1", "step2", ...]\n{{ task }}', TEXTS),
        (
            "Return a JSON list of integers, the lines that are wrong.\n{{ code }}",
            {"type": "array", "items": {"type": "integer"}},
        ),
    ],
)
def test_an_answer_that_is_a_list_is_not_pointed_into(
    text, schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(fields(text).values()) == [schema]
    monkeypatch.chdir(tmp_path)
    Path("p.j2").write_text(text)
    data = json.loads(CliRunner().invoke(command, ["p.j2", "--json"], catch_exceptions=False).output)
    assert data["form"] == "schema" or data["answer"] is None


@pytest.mark.parametrize(
    "text",
    [
        "Say whether it is spam: answer yes or no. Quote the worst line.\n{{ mail }}",
        "Pick one of these: red, blue. Write a title for the picture as well.\n{{ picture }}",
        "For each claim, answer true or false.\n{{ claims }}",
        "Classify the tone as warm or cold. If it is cold, also give to and from.\n{{ mail }}",
    ],
)
def test_what_no_reader_covered_and_asks_for_more_is_said(text: str) -> None:
    assert "asks for more than one value" in refusal(text)


def test_where_the_wish_for_minified_json_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = (
        '{"type": "object", "properties": {"mood": {"type": "string", "enum": ["up", "down"]}}, "required": ["mood"]}'
    )
    Path("p.j2").write_text(f"Return JSON that fits this JSON Schema:\n\n{given}\n\n{{{{ diary }}}}\n")
    kept = json.loads(CliRunner().invoke(command, ["p.j2", "--json", "--form", "text"]).output)["source"]
    assert f"{given}\nMinify the JSON.\n\n{{{{ diary }}}}" in kept
    gone = json.loads(CliRunner().invoke(command, ["p.j2", "--json", "--form", "schema"]).output)["source"]
    assert "JSON Schema:" not in gone


@pytest.mark.parametrize(
    "text",
    [
        "Say what is true. Use the following format for verdicts:\n* Right: it holds.\n* Wrong: it is not.\n{{ c }}",
        'Pick from the options ["A", "B"] and end your answer with "it is [LETTER]".\n{{ q }}',
        "Patch it using the following format:\n1. Context: 3 lines.\n2. Old: with a minus.\n3. Context: 3 lines.\n",
        "Plan it. Each section should have the fields:\n- Name - its name\n- Text - leave it empty\n\n{{ topic }}",
        "Give no more than 3 papers. The output is a table, then quotes of each paper and its authors.\n{{ p }}",
        'Respond in one of two formats.\n1:\n{"action": "<name>"}\n2:\n{"action": "end", "text": "<text>"}\n{{ q }}',
        'Map the events. Return JSON like: {"0": 2, "1": -1}\n{{ events }}',
    ],
)
def test_what_looks_like_a_form_and_is_none(text: str) -> None:
    assert refusal(text)


def test_a_list_of_criteria_is_not_a_scale() -> None:
    form = 'Answer in JSON: {"score": <number>, "why": "<text>"}'
    criteria = "Give a score for these criteria:\n1. Accuracy\n2. Style\n3. Length\n"
    assert fields(f"{criteria}{form}\n{{{{ t }}}}")["score"] == {"type": "number"}
    guide = "Scoring guide:\n- 1.0 → all of it\n- 0.5 → half of it\n- 0.0 → nothing\n"
    assert fields(f"{guide}{form}\n{{{{ t }}}}")["score"] == {"type": "number", "minimum": 0.0, "maximum": 1.0}


def test_labels_that_only_one_of_the_shown_items_lists_are_not_all() -> None:
    items = (
        '[{"name": "<name>", "do": "keep or drop", "at": [line indices]}, {"name": "<name>", "do": "NEW", "at": []}]'
    )
    shown = fields(f"Answer with this JSON:\n{items}\n{{{{ t }}}}")["items"]["items"]["properties"]
    assert shown["do"] == {"type": "string"}
    assert shown["at"] == {"type": "array", "items": {"type": "integer"}}


def test_a_percentage_and_its_whole_range() -> None:
    text = "How likely is rain? Answer with a percentage between 0% and 100%.\n{{ report }}"
    assert list(fields(text).values()) == [{"type": "integer", "minimum": 0, "maximum": 100}]


def test_bare_words_after_return_and_labels_below_a_lead() -> None:
    assert fields("Is it spam? Return only true or false.\n{{ t }}") == {
        "answer": {"type": "string", "enum": ["true", "false"]}
    }
    lines = "Reply with:\nVerdict: PASS or FAIL\nReason: one sentence\n\n{{ t }}"
    assert fields(lines) == {"verdict": {"type": "string", "enum": ["PASS", "FAIL"]}, "reason": TEXT}


def test_labels_in_the_row_of_a_table_are_kept() -> None:
    table = "| Risk | Likelihood |\n|---|---|\n| ... | low/medium/high |\n"
    rows = fields(f"List the risks as a Markdown table:\n\n{table}\n{{{{ plan }}}}")["rows"]["items"]["properties"]
    assert rows == {"risk": TEXT, "likelihood": {"type": "string", "enum": ["low", "medium", "high"]}}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Answer in YAML:\n```yaml\ntitle: <title>\n```\n{{ t }}", "YAML"),
        ("Return a CSV with the columns name, price.\n{{ t }}", "CSV"),
        ("Reply with JSON of this type:\ninterface Out {\n  name: string;\n}\n{{ t }}", "types of a program"),
        ('Output one JSON object per line: {"name": "..."}\n{{ t }}', "one JSON object a line"),
    ],
)
def test_a_form_that_is_not_read_is_named(text: str, why: str) -> None:
    assert why in refusal(text)


def test_criteria_with_their_ranges_and_words_that_say_null_or_two_labels() -> None:
    form = (
        '{"clarity": <number>, "A>B": "<why>", "do": "accept or reject", "id": "the id if it changes, otherwise null"}'
    )
    found = fields(f"Judge it:\n1. Clarity (1-5)\n\nAnswer in this JSON format:\n{form}\n{{{{ t }}}}")
    assert found["clarity"] == {"type": "number", "minimum": 1, "maximum": 5}
    assert found["do"] == {"type": "string", "enum": ["accept", "reject"]}
    assert found["id"] == {"type": ["string", "null"]}


def test_keys_outside_of_an_object_are_not_left_out() -> None:
    text = 'Write JSON with the keys "ask" and "say". If you ask:\n"ask": "<question>",\n"proof": ""\n{{ t }}'
    assert "'proof' is a key outside of an object" in refusal(text)


def test_a_bare_number_beside_a_key_is_its_type_and_not_a_list_by_its_name() -> None:
    found = fields('Return a JSON object with:\n1. "mark": A number from 0 to 20\n2. "max_points": 20\n')
    assert found["max_points"] == {"type": "integer"}


def test_a_place_that_may_be_null_says_so_in_its_brackets() -> None:
    found = fields('Reply with JSON: {"grower": "<name of the grower if stated, otherwise null>", "plot": "<plot>"}')
    assert found["grower"]["type"] == ["string", "null"]
    assert found["plot"] == TEXT


def test_the_labels_inside_of_a_tag_are_its_values() -> None:
    found = fields("How ripe is it? Answer with one of these in tags: <ripe>0%, 25%, 75%, 100%</ripe>.")
    assert found == {"ripe": {"type": "string", "enum": ["0%", "25%", "75%", "100%"]}}


def test_labels_in_parentheses_after_one_of_are_read() -> None:
    found = fields("Which barn is meant? Answer only with one of the following barns (north, south, old)")
    assert found == {"barn": {"type": "string", "enum": ["north", "south", "old"]}}


def test_what_labels_are_written_as_is_no_name() -> None:
    found = fields("How wet is the hay? Answer with one of the following lowercase strings: 'dry', 'damp', 'soaked'.")
    assert set(found) == {"answer"}


def test_null_in_the_parentheses_of_one_key_is_said_of_it_alone() -> None:
    found = fields("Return JSON with the keys: barn (string), bales (integer), rain (number or null).")
    assert found == {"barn": TEXT, "bales": {"type": "integer"}, "rain": {"type": ["number", "null"]}}


def test_a_score_for_each_of_several_is_not_one_score() -> None:
    assert "more than one value" in refusal(
        "Score each of the following from 0 to 5: taste, smell, colour. Return the numbers only."
    )


def test_alternatives_within_a_list_are_the_labels_of_its_items() -> None:
    found = fields('Respond with JSON: {"pests": ["aphid" | "mite" | "snail"], "note": "..."}')
    assert found["pests"] == {"type": "array", "items": {"type": "string", "enum": ["aphid", "mite", "snail"]}}
