import enum
import json
import re
import time
from pathlib import Path
from typing import Literal

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import promptopt
from promptopt.errors import (
    AnswerAmbiguous,
    AnswerCutOff,
    AnswerError,
    AnswerInvalid,
    AnswerRefused,
    AnswerUnreadable,
    SchemaError,
)

REVIEW = {
    "type": "object",
    "properties": {
        "sentiment": {"type": "string", "enum": ["positive", "negative"]},
        "score": {"type": "integer"},
        "summary": {"type": "string"},
    },
    "required": ["sentiment", "score", "summary"],
    "additionalProperties": False,
}
CONTACT = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "email": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "email", "age"],
    "additionalProperties": False,
}
LABEL = {
    "type": "object",
    "properties": {"sentiment": {"type": "string", "enum": ["positive", "negative"]}},
    "required": ["sentiment"],
    "additionalProperties": False,
}
TAGS = {
    "type": "object",
    "properties": {"tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["tags"],
    "additionalProperties": False,
}
GOOD = {"sentiment": "positive", "score": 4, "summary": "Works well"}
TEXT = json.dumps(GOOD)

RECOVERED = {
    "as it is": TEXT,
    "minified": json.dumps(GOOD, separators=(",", ":")),
    "indented": json.dumps(GOOD, indent=4),
    "fenced": f"```json\n{TEXT}\n```",
    "fenced without a language": f"```\n{TEXT}\n```",
    "tilde fence": f"~~~json\n{TEXT}\n~~~",
    "fence never closed": f"```json\n{TEXT}",
    "prefixed": f"Sure! Here is the JSON you asked for:\n\n{TEXT}",
    "suffixed": f"{TEXT}\n\nI hope this helps!",
    "prefixed with brackets": f"Here [as asked] is {{the}} answer: {TEXT}",
    "byte order mark": f"\ufeff{TEXT}",
    "trailing comma": TEXT[:-1] + ",}",
    "single quotes": str(GOOD),
    "no quotes around keys": re.sub(r'"(\w+)":', r"\1:", TEXT),
    "no quotes at all": "{sentiment: positive, score: 4, summary: Works well}",
    "line comment": TEXT.replace(", ", ", // good\n", 1),
    "block comment": TEXT.replace(", ", ", /* good */ ", 1),
    "hash comment": TEXT.replace(", ", ", # good\n", 1),
    "missing commas": TEXT.replace(", ", "\n"),
    "number as text": TEXT.replace("4", '"4"'),
    "number with a point": TEXT.replace("4", "4.0"),
    "label in capitals": TEXT.replace('"positive"', '"POSITIVE"'),
    "label with a stop": TEXT.replace('"positive"', '"Positive."'),
    "keys in capitals": TEXT.replace('"sentiment"', '"Sentiment"').replace('"score"', '"SCORE"'),
    "a further key": TEXT.replace("{", '{"note": "x", '),
    "last bracket missing": TEXT[:-1],
    "curly quotes": TEXT.replace(': "', ": “").replace('",', "”,").replace('"}', "”}"),
    "the same twice": f"{TEXT}\n{TEXT}",
    "the same again, cut off": f"{TEXT}\n{TEXT[:30]}",
    "in a list of one": f"[{TEXT}]",
    "under a key": f'{{"answer": {TEXT}}}',
    "JSON in a JSON string": json.dumps(TEXT),
    "reasoning before": f"<think>Perhaps {{}} or not</think>\n{TEXT}",
    "two JSON values of which one is valid": f'{{"draft": true}}\n{TEXT}',
    "label lines": "Sentiment: positive\nScore: 4\nSummary: Works well",
    "bold label lines": "**Sentiment:** Positive\n**Score:** 4\n**Summary:** Works well",
    "quoted label lines": '"Sentiment: positive"\n"Score: 4"\n"Summary: Works well"',
    "bulleted label lines": "- Sentiment: positive\n- Score: 4/5\n- Summary: Works well",
    "headings": "## Sentiment\npositive\n\n## Score\n4\n\n## Summary\nWorks well",
    "table": "| key | value |\n|---|---|\n| sentiment | positive |\n| score | 4 |\n| summary | Works well |",
}
REFUSED = {
    "empty": ("", AnswerUnreadable),
    "blank": ("  \n ", AnswerUnreadable),
    "refusal": ("I'm sorry, but I can't help with that.", AnswerRefused),
    "refusal as an AI": ("As an AI language model, I cannot rate products.", AnswerRefused),
    "prose": ("What a wonderful day.", AnswerUnreadable),
    "cut off in a text": (TEXT[:-8], AnswerCutOff),
    "cut off in a number": ('{"summary": "x", "sentiment": "positive", "score": 4', AnswerCutOff),
    "cut off in a key": ('{"sentiment": "positive", "sc', AnswerCutOff),
    "cut off after a key": ('{"sentiment": "positive", "score"', AnswerCutOff),
    "cut off after a value": ('{"sentiment": "positive", "score": 4,', AnswerCutOff),
    "several that differ": (f"{TEXT}\n{TEXT.replace('4', '2')}", AnswerAmbiguous),
    "another one begins that differs": (f'{TEXT}\n{{"sentiment": "negative", "sc', AnswerAmbiguous),
    "a key with two values": (TEXT.replace("{", '{"score": 1, '), AnswerAmbiguous),
    "labels with two values": ("Sentiment: positive\nScore: 4\nSummary: x\nSentiment: negative", AnswerAmbiguous),
    "no such label": (TEXT.replace("positive", "mixed"), AnswerInvalid),
    "a key missing": ('{"sentiment": "positive", "score": 4}', AnswerInvalid),
    "wrong type": (TEXT.replace("4", '"four"'), AnswerInvalid),
    "NaN": (TEXT.replace("4", "NaN"), AnswerInvalid),
    "a value missing": (TEXT.replace("4", ""), AnswerUnreadable),
    "a colon missing": (TEXT.replace('"score":', '"score"'), AnswerUnreadable),
    "an ellipsis": (TEXT.replace("4", "..."), AnswerUnreadable),
    "a word after a number": (TEXT.replace("4", "4 stars"), AnswerUnreadable),
    "quotes that cannot be told apart": ("{'sentiment': 'positive', 'score': 4, 'summary': 'it's'}", AnswerUnreadable),
    "the schema itself": (json.dumps(REVIEW), AnswerInvalid),
    "nested too deeply": ('{"a":' * 100_000, AnswerUnreadable),
}


@pytest.mark.parametrize("kind", RECOVERED)
def test_recovered(kind):
    parsed = promptopt.parse(RECOVERED[kind], REVIEW)
    assert parsed.data == GOOD
    assert bool(parsed.repairs) == (kind not in ("as it is", "minified", "indented", "byte order mark"))


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind):
    text, error = REFUSED[kind]
    with pytest.raises(error):
        promptopt.parse(text, REVIEW)


@pytest.mark.parametrize(
    "written", [r"at C:\Users\new\table", r"\theta \in \R", r"import re\nre.sub(r'\s+', '', x)", r"\d \backslash"]
)
@pytest.mark.parametrize("around", ['{{"summary": "{}"}}', "{{'summary': '{}'}}", '{{"summary": "{}", "score": 4,}}'])
def test_backslashes_of_a_path_are_no_line_ends(written, around):
    schema = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]}
    with pytest.raises(AnswerUnreadable):
        promptopt.parse(around.format(written), schema)


def test_line_ends_beside_a_pattern_are_line_ends():
    schema = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]}
    assert promptopt.parse(r'{"summary": "Use \d+:\n\n- once"}', schema).data == {"summary": "Use \\d+:\n\n- once"}


@pytest.mark.parametrize(
    ("value", "step", "valid"),
    [
        ("19.99", 0.01, True),
        ("0.3", 0.1, True),
        ("-2.5", 0.5, True),
        ("8.0", 2, True),
        ("1e300", 0.01, True),
        ("1.7976931348623157e308", 5e-324, True),
        ("0.35", 0.1, False),
        ("12345678901234567890123", 2, False),
        ("1e-5", 0.1, False),
    ],
)
def test_steps_are_in_the_digits_that_are_written(value, step, valid):
    schema = {"type": "object", "properties": {"price": {"type": "number", "multipleOf": step}}}
    answer = f'{{"price": {value}}}'
    if valid:
        assert promptopt.parse(answer, schema).data == json.loads(answer)
    else:
        with pytest.raises(AnswerInvalid, match="not a multiple of"):
            promptopt.parse(answer, schema)


def test_real_answers_of_a_small_model():
    rows = [json.loads(line) for line in Path(__file__).with_name("real_answers.jsonl").read_text().splitlines()]
    right = 0
    for row in rows:
        try:
            data = promptopt.parse(row["text"], REVIEW if row["schema"] == "review" else CONTACT).data
        except AnswerError:
            data = None
        # A refusal of what could be read costs a call; data that is not in the answer costs trust.
        assert data is None or data == row["data"], row["text"]
        right += data == row["data"]
    assert right >= 0.95 * len(rows)


def test_what_was_repaired_is_said():
    parsed = promptopt.parse('Here: {"sentiment": "POSITIVE",}', LABEL)
    assert parsed.data == {"sentiment": "positive"}
    assert parsed.repairs == (
        "left out the text before the JSON",
        "removed commas before a closing bracket",
        "/sentiment: 'POSITIVE' read as 'positive'",
    )


def test_pydantic_in_pydantic_out():
    class Review(pydantic.BaseModel):
        sentiment: Literal["positive", "negative"]
        score: int = pydantic.Field(ge=1, le=5)

    parsed = promptopt.parse('{"sentiment": "positive", "score": "4"}', Review)
    assert parsed.data == Review(sentiment="positive", score=4)
    with pytest.raises(AnswerInvalid, match="/score"):
        promptopt.parse('{"sentiment": "positive", "score": 9}', Review)


def test_a_rule_of_the_model_itself_refuses():
    class Even(pydantic.BaseModel):
        number: int

        @pydantic.field_validator("number")
        @classmethod
        def is_even(cls, value):
            if value % 2:
                raise ValueError("is odd")
            return value

    with pytest.raises(AnswerInvalid, match=r"/number.*is odd"):
        promptopt.parse('{"number": 3}', Even)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The sentiment is positive, because it works.", "positive"),
        ("Positive.", "positive"),
        ("**Sentiment**: Negative\n\nThe lid broke.", "negative"),
        ("It is negative: it broke.", "negative"),
    ],
)
def test_restructure(text, label):
    assert promptopt.restructure(text, LABEL).data == {"sentiment": label}


@pytest.mark.parametrize(
    "text",
    [
        "It is not positive.",
        "Positive in parts, negative in others.",
        "Hm.",
        "This isn't a negative review.",
        "",
        "It is positivenegative",
    ],
)
def test_restructure_says_when_it_cannot(text):
    with pytest.raises(AnswerUnreadable):
        promptopt.restructure(text, LABEL)


def test_restructure_of_lists_and_numbers():
    assert promptopt.restructure("Tags:\n- red\n- two words\n", TAGS).data == {"tags": ["red", "two words"]}
    assert promptopt.restructure("- red\n- blue", TAGS).data == {"tags": ["red", "blue"]}
    score = {
        "type": "object",
        "properties": {"score": {"type": "integer"}},
        "required": ["score"],
        "additionalProperties": False,
    }
    assert promptopt.restructure("I would say the score is 4.", score).data == {"score": 4}
    with pytest.raises(AnswerUnreadable):
        promptopt.restructure("The score is 3-4.", score)


def test_schemas_that_are_none():
    with pytest.raises(SchemaError):
        promptopt.parse("{}", {"type": "nonsense"})
    with pytest.raises(SchemaError, match="out of itself"):
        promptopt.parse('{"a": 1}', {"type": "object", "properties": {"a": {"$ref": "http://localhost:1/x.json"}}})
    with pytest.raises(SchemaError):
        promptopt.parse("{}", 5)


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Visit(pydantic.BaseModel):
    mood: Mood
    earlier: Mood | None
    tags: list[Mood]


def test_definitions_are_followed_in_free_text():
    visit = promptopt.restructure("Mood: good\nEarlier: bad\nTags: good, bad", Visit).data
    assert visit == Visit(mood=Mood.GOOD, earlier=Mood.BAD, tags=[Mood.GOOD, Mood.BAD])
    assert promptopt.restructure("The mood is bad.", MOOD).data == {"mood": "bad"}


MOOD = {
    "type": "object",
    "properties": {"mood": {"$ref": "#/$defs/Mood"}},
    "required": ["mood"],
    "$defs": {"Mood": {"type": "string", "enum": ["good", "bad"]}},
}


def loop(definition):
    return {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": definition}}


@pytest.mark.parametrize("definition", [{"$ref": "#/$defs/a"}, {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}])
def test_a_reference_to_itself_is_the_schemas_fault(definition):
    for read in (promptopt.parse, promptopt.restructure):
        with pytest.raises((SchemaError, AnswerError)) as raised:
            read('{"a": 1}', loop(definition))
        assert "leads back to itself" in str(raised.value)


def test_recursive_answers_are_read():
    tree = {"type": "object", "properties": {"c": {"type": "array", "items": {"$ref": "#"}}}, "required": ["c"]}
    text = '{"c": [' * 50 + "]}" * 50
    assert promptopt.parse(text, tree).data == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 1_000_000,
        "[" * 1_000_000,
        '{"a": "' + 'x "y' * 200_000,
        '{"sentiment": "positive"} ' * 40_000,
        "Sentiment: " * 90_000,
        "sentiment " * 90_000,
        "`" * 500_000,
        "{'a': " * 100_000,
    ],
    ids=["braces", "brackets", "quotes", "objects", "labels", "words", "backticks", "quoted keys"],
)
def test_a_megabyte_takes_bounded_time(text):
    started = time.process_time()
    for read in (promptopt.parse, promptopt.restructure):
        try:
            read(text, LABEL)
        except AnswerError:
            pass
    assert time.process_time() - started < 6


@pytest.mark.parametrize(
    "text", ["word " * 200_000, "value number " * 20_000, " ".join(f"value number {n}" for n in range(20_000))]
)
def test_thousands_of_labels_take_bounded_time(text):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "enum": [f"value number {n}" for n in range(20_000)]}},
        "required": ["a"],
    }
    started = time.process_time()
    assert promptopt.restructure("I think that it is value number 7.", schema).data == {"a": "value number 7"}
    with pytest.raises(AnswerError):
        promptopt.restructure(text, schema)
    assert time.process_time() - started < 6


def test_a_valid_megabyte_is_read():
    data = {"tags": ["word"] * 200_000}
    assert promptopt.parse(json.dumps(data), TAGS).data == data


DAMAGE = {
    "fence": lambda text: f"```json\n{text}\n```",
    "prose": lambda text: f"Here you are:\n{text}\nBye.",
    "comma": lambda text: text[:-1] + ",}",
    "comment": lambda text: text.replace("{", "{ // note\n", 1),
    "bracket": lambda text: text[:-1],
    "quotes": lambda text: text.replace('"', "'"),
    "commas": lambda text: text.replace(', "', ' "'),
    "cut": lambda text: text[: len(text) * 2 // 3],
    "cut late": lambda text: text[:-3],
}


@st.composite
def schemas(draw):
    """Strict schemas as they come out of prompts: labels, numbers, texts, lists, an object within."""
    scalar = st.one_of(
        st.just({"type": "string", "pattern": "^[a-z][a-z ]{0,15}[a-z]$"}),
        st.just({"type": "integer", "minimum": -999, "maximum": 9999}),
        st.just({"type": "boolean"}),
        st.lists(st.sampled_from(["alpha", "beta", "gamma delta", "x-y"]), min_size=2, unique=True).map(
            lambda labels: {"type": "string", "enum": labels}
        ),
    )
    names = draw(
        st.lists(st.sampled_from(["label", "score", "summary", "tags", "inner"]), min_size=1, max_size=4, unique=True)
    )
    properties = {}
    for name in names:
        child = draw(scalar)
        if name == "tags":
            child = {"type": "array", "items": child, "maxItems": 3}
        if name == "inner":
            child = {
                "type": "object",
                "properties": {"value": child},
                "required": ["value"],
                "additionalProperties": False,
            }
        properties[name] = child
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def instances(schema):
    """Data that is valid under one of the schemas above."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "object":
        return st.fixed_dictionaries({name: instances(child) for name, child in schema["properties"].items()})
    if schema["type"] == "array":
        return st.lists(instances(schema["items"]), max_size=schema["maxItems"])
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    return st.booleans() if schema["type"] == "boolean" else st.from_regex(schema["pattern"], fullmatch=True)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_never_changes_data(data):
    schema = data.draw(schemas())
    instance = data.draw(instances(schema))
    text = json.dumps(instance, ensure_ascii=False)
    assert promptopt.parse(text, schema).data == instance
    for kind, damage in DAMAGE.items():
        damaged = damage(text)
        try:
            found = promptopt.parse(damaged, schema).data
        except AnswerError:
            assert kind in ("cut", "cut late", "bracket", "quotes", "commas"), damaged
        else:
            assert found == instance, (kind, damaged)


@given(st.text(max_size=200))
def test_any_text_is_data_or_a_typed_error(text):
    for read in (promptopt.parse, promptopt.restructure):
        try:
            data = read(text, REVIEW).data
        except AnswerError:
            continue
        assert set(data) == set(REVIEW["required"])
