"""Answers that look like data and are not, and answers that a fixed schema allows."""

import datetime as dt
import json
import random
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, create_model

import promptopt
from promptopt.errors import AnswerCutOff, AnswerError, AnswerUnreadable
from promptopt.schemas.cost import advice
from promptopt.schemas.make_strict import fix_schema


def schema_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


TONE = schema_of(tone={"type": "string", "enum": ["friendly", "hostile", "neutral"]})
GRADE = schema_of(grade={"type": "integer", "minimum": 1, "maximum": 10})
GUEST = schema_of(guest={"type": "string"}, nights={"type": "integer"})


@pytest.mark.parametrize(
    "text",
    [
        "The tone is nowhere near friendly.",
        "The tone is far from hostile.",
        "It is anything but hostile.",
        "The tone can hardly be called hostile.",
        "The letter lacks a friendly tone.",
        "The tone might be friendly.",
        "Maybe the tone is friendly.",
        "The tone seems friendly.",
        "Were it not for the greeting, the tone would be friendly.",
        "If you mean the first line, the tone is friendly.",
        "Is the tone friendly?",
        "You wanted to know whether the tone is friendly.",
        "I cannot decide whether the tone is friendly.",
        "The tone is friendly. No, wait.",
        "The tone is friendly or neutral.",
        "The tone is friendly, or perhaps a little cold.",
        "A friendly reminder was sent.",
        "The tone of a friendly match.",
        "The tone ceases to be friendly.",
        "Nobody would call the tone friendly.",
        "The author claims that the tone is friendly.",
        "The previous tone is friendly.",
        "Tone: probably friendly",
        "Tone: friendly or neutral",
        "Tone: not friendly",
        "Tone: friendly?",
        "This was an environment-friendly offer.",
        "This is a friendly match.",
        "This is a friendly letter?",
    ],
)
def test_a_label_that_is_not_stated_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(AnswerError) as raised:
        promptopt.restructure(text, TONE)
    assert "tone" in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "Friendly",
        "**Tone:** friendly",
        "Tone: friendly (it thanks twice)",
        "Tone: friendly, because it thanks twice",
        "The tone is friendly.",
        "Overall, the tone is clearly friendly.",
        "I would say that the tone of this letter is friendly: it thanks twice.",
        "The letter thanks twice. The tone is friendly.",
        'The tone is "friendly".',
        "It is classified as friendly.",
        "I would classify it as friendly.",
        "This is a friendly letter.",
        "My answer is friendly.",
        "It's friendly.",
        "Friendly - it thanks twice.",
        "Based on the letter, the tone is friendly.",
    ],
)
def test_a_label_that_is_stated_is_read(text: str) -> None:
    assert promptopt.restructure(text, TONE).data == {"tone": "friendly"}


@pytest.mark.parametrize(
    "text",
    [
        *("Grade: 4 of 5", "Grade: 4/5", "Grade: 4 out of 5", "Grade: 4 or 5", "Grade: 4-5", "Grade: 1 0"),
        *("The grade is 4 to 5.", "The grade is 4%.", "The lowest grade is 4.", "Grade: under 4"),
        *("If the grade is 4, repeat.", "The grade could be 4."),
    ],
)
def test_a_number_of_another_scale_or_of_two_is_refused(text: str) -> None:
    with pytest.raises(AnswerUnreadable, match="grade"):
        promptopt.restructure(text, GRADE)


@pytest.mark.parametrize(
    "text", ["Grade: 4", "Grade: 4/10", "Grade: 4 out of 10", "The grade is 4.", "Grade: 4 (weak)"]
)
def test_a_number_that_is_stated_is_read(text: str) -> None:
    assert promptopt.restructure(text, GRADE).data == {"grade": 4}


def test_labels_in_one_line_are_parted() -> None:
    assert promptopt.restructure("Guest: Ann Lee, Nights: 3", GUEST).data == {"guest": "Ann Lee", "nights": 3}
    assert promptopt.parse("Guest: Lee, Ann | Nights: 3", GUEST).data == {"guest": "Lee, Ann", "nights": 3}
    assert promptopt.restructure("Guest: Ann, colour: red\nNights: 3", GUEST).data["guest"] == "Ann, colour: red"


@pytest.mark.parametrize("absent", ["N/A", "n/a.", "not specified", "—", "null"])
def test_a_value_that_the_text_does_not_have(absent: str) -> None:
    text = f"Guest: {absent}\nNights: 3"
    with pytest.raises(AnswerUnreadable, match="guest"):
        promptopt.parse(text, GUEST)
    nullable = schema_of(guest={"type": ["string", "null"]}, nights={"type": "integer"})
    assert promptopt.parse(text, nullable).data == {"guest": None, "nights": 3}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "[1e400]", "nan"])
@pytest.mark.parametrize("around", ["{}", "```json\n{}\n```", "Here: {} Bye.", "{},"])
def test_what_is_not_a_finite_number_is_never_data(number: str, around: str) -> None:
    for schema in (schema_of(x={"type": "number"}), schema_of(x={})):
        try:
            data = promptopt.parse(around.format(f'{{"x": {number}}}'), schema).data
        except AnswerError:
            continue
        assert data["x"] in ("NaN", "nan", "Infinity", "-Infinity")


def test_a_code_with_zeros_keeps_them() -> None:
    assert promptopt.parse('{"x": 007}', schema_of(x={"type": "string"})).data == {"x": "007"}
    assert promptopt.parse('{"x": [01067, 4]}', schema_of(x={"type": "array", "items": {"type": "string"}})).data == {
        "x": ["01067", "4"]
    }
    assert promptopt.parse('{"x": 007}', schema_of(x={"type": "integer"})).data == {"x": 7}
    assert promptopt.parse('{"x": "a: 007"}', schema_of(x={"type": "string"})).data == {"x": "a: 007"}


@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        ("date", "2024-02-29", ["2023-02-29", "2024-13-45", "29.02.2024", "2024-2-9", ""]),
        ("date-time", "2024-02-29T23:59:60Z", ["2024-02-29T24:30:00Z", "2024-02-30T10:00:00", "2024-02-29"]),
        ("time", "09:30:00+02:00", ["25:00:00", "9:30", "noon"]),
        ("duration", "P3DT4H", ["P", "3 days", "PT"]),
        ("email", "ann.lee@example.com", ["ann", "ann@", "a b@example.com", "ann@exa mple.com"]),
        ("hostname", "www.example.com", ["-x.com", "a..b", "http://a.b"]),
        ("ipv4", "10.0.0.1", ["10.0.0.256", "10.0.0"]),
        ("ipv6", "::1", ["10.0.0.1", ":::"]),
        ("uuid", "0519f93e-0000-4000-8000-000000000000", ["0519f93e", "0519f93e-0000-4000-8000-00000000000g"]),
    ],
)
def test_formats_are_checked(form: str, right: str, wrong: list[str]) -> None:
    schema = schema_of(x={"type": "string", "format": form})
    assert promptopt.parse(json.dumps({"x": right}), schema).data == {"x": right}
    for text in wrong:
        with pytest.raises(AnswerError, match="/x"):
            promptopt.parse(json.dumps({"x": text}), schema)


def test_a_fence_within_a_text_is_text() -> None:
    data = {"page": "```html\n<p>Jo</p>\n```", "n": 1}
    schema = schema_of(page={"type": "string"}, n={"type": "integer"})
    for body in (json.dumps(data), json.dumps(data, indent=2)):
        for text in (f"```json\n{body}\n```", f"Here:\n```\n{body}\n```\nBye ``x``", f"```{body}```"):
            assert promptopt.parse(text, schema).data == data
    damaged = f"```json\n{json.dumps(data)[:-1]},}}\n```"
    assert promptopt.parse(damaged, schema).data == data


def test_a_stray_quotation_mark_is_not_called_cut_off() -> None:
    schema = schema_of(parts={"type": "array", "items": {"type": "string"}})
    with pytest.raises(AnswerUnreadable, match=r"quotation mark.*19"):
        promptopt.parse('{"parts": ["rack 19" deep", "lid"]}', schema)
    with pytest.raises(AnswerCutOff):
        promptopt.parse('{"parts": ["rack", "lid of', schema)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    floor: int = 0
    tags: list[str] = Field(default_factory=list)


class Tree(BaseModel):
    name: str
    children: "list[Tree]" = []


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


# A type and a default of it.
FIELDS: list[tuple[Any, Any]] = [
    (str, "x"),
    (int, 3),
    (float, 0.5),
    (bool, True),
    (Decimal, Decimal("0.19")),
    (dt.date, dt.date(2024, 2, 29)),
    (UUID, UUID(int=1)),
    (Colour, Colour.RED),
    (Colour | None, None),
    (str | None, "x"),
    (Literal["a", "b"], "a"),
    (Literal[1, "one", True], 1),
    (list[int], []),
    (list[Address], []),
    (Address, Address(street="x")),
    (Address | None, None),
    (Tree, Tree(name="x")),
    (Cat | Dog, Cat()),
    (int | str, 3),
    (tuple[int, ...], ()),
]


@st.composite
def models(draw: st.DrawFn) -> type[BaseModel]:
    """Classes of one to five fields: required, with a default, or with a factory of one."""
    fields: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 5))):
        kind, default = draw(st.sampled_from(FIELDS))
        how = draw(st.sampled_from(["required", "default", "factory"]))
        given_default: Any = (
            Field()
            if how == "required"
            else Field(default=default)
            if how == "default"
            else Field(default_factory=lambda d=default: d)  # type: ignore[misc]  # one default a field
        )
        fields[f"f{number}"] = (kind, given_default)
    return create_model("Drawn", **fields)


def instance(node: dict[str, Any], root: dict[str, Any], rng: random.Random, depth: int = 0) -> Any:
    """Some data that a strict schema allows; nulls are as likely as any other value."""
    if "$ref" in node:
        return instance(root["$defs"][node["$ref"].split("/")[-1]], root, rng, depth)
    if "anyOf" in node:
        options = [part for part in node["anyOf"] if depth < 4 or part.get("type") == "null"] or node["anyOf"]
        return instance(rng.choice(options), root, rng, depth)
    if "const" in node or "enum" in node:
        return rng.choice(node.get("enum") or [node["const"]])
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    kind = rng.choice(kinds)
    if kind == "object":
        return {name: instance(part, root, rng, depth + 1) for name, part in node.get("properties", {}).items()}
    if kind == "array":
        return [instance(node["items"], root, rng, depth + 1) for _ in range(rng.randrange(2 if depth < 4 else 1))]
    texts = {"date": "2024-02-29", "uuid": "0519f93e-0000-4000-8000-000000000000"}
    text = texts.get(node.get("format", ""), "1.5")
    return {"string": text, "integer": 7, "number": 1.5, "boolean": False, "null": None}[kind]


@settings(deadline=None)
@given(models(), st.randoms(use_true_random=False))
def test_what_a_fixed_schema_allows_the_class_accepts(model: type[BaseModel], rng: random.Random) -> None:
    fixed = fix_schema(model.model_json_schema())
    answer = json.dumps(instance(fixed.schema, fixed.schema, rng))
    assert isinstance(promptopt.parse(answer, model).data, model)


@pytest.mark.parametrize("kind", [list[Address], Cat | Dog])
@settings(deadline=None, max_examples=30)
@given(rng=st.randoms(use_true_random=False))
def test_a_root_that_was_wrapped_is_unwrapped(kind: Any, rng: random.Random) -> None:
    model = RootModel[kind]
    fixed = fix_schema(model.model_json_schema())
    assert fixed.remaining == ()
    answer = json.dumps(instance(fixed.schema, fixed.schema, rng))
    assert isinstance(promptopt.parse(answer, model).data, model)


def test_a_field_with_a_default_keeps_its_type() -> None:
    fixed = fix_schema(Cat.model_json_schema()).schema
    assert fixed["properties"]["lives"]["type"] == "integer"
    assert fixed["required"] == ["kind", "lives"]
    optional = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert fix_schema(optional).schema["properties"]["a"]["type"] == ["string", "null"]
    assert promptopt.parse('{"a": null}', optional).data == {}


def test_an_id_that_is_to_be_extracted_is_not_derived() -> None:
    assert list(advice(schema_of(id={"type": "string"}, timestamp={"type": "string"}, tone={"type": "string"}))) == []


VISITED = schema_of(visited={"type": "string", "enum": ["yes", "no"]})


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("No, the guest has visited us.", VISITED),
        ("Yes, it was not visited.", VISITED),
        ("Grade: 6, no, 9", GRADE),
        ("Grade: 6, sorry 9", GRADE),
        ("Guest: <guest>\nNights: 3", GUEST),
        ("Guest: [your guest]\nNights: 3", GUEST),
    ],
)
def test_what_contradicts_itself_or_is_only_a_place_is_refused(text: str, schema: dict[str, Any]) -> None:
    with pytest.raises(AnswerError):
        promptopt.restructure(text, schema)


def test_yes_and_no_that_agree_with_their_sentence_are_read() -> None:
    assert promptopt.restructure("No, the guest has not visited us.", VISITED).data == {"visited": "no"}
    assert promptopt.restructure("Yes, it was visited.", VISITED).data == {"visited": "yes"}
    assert promptopt.restructure("Grade: 6, no doubt", GRADE).data == {"grade": 6}
    assert promptopt.restructure("Guest: [withheld]\nNights: 3", GUEST).data == {"guest": "[withheld]", "nights": 3}
