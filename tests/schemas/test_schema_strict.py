import copy
import enum
import json
import time
from pathlib import Path

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher
from openai.lib._pydantic import to_strict_json_schema

from promptopt.errors import SchemaError
from promptopt.schemas import strict_findings
from promptopt.schemas.codes import Codes, code_schema, read_codes
from promptopt.schemas.cost import REASONING_HEADROOM, advice, cheapen, output_cap, schema_cost
from promptopt.schemas.make_strict import fix_schema
from promptopt.schemas.strict import strict_warnings
from promptopt.structured.field_sources import schema_from_samples
from promptopt.structured.fields import object_schema
from promptopt.tokens import tokenizer_for

TOKENIZER = tokenizer_for("gpt-4o")


def one(child):
    return object_schema({"a": child})


@pytest.mark.parametrize(
    ("schema", "pointer", "problem"),
    [
        ({"type": "array", "items": {"type": "string"}}, "", "not an object"),
        ({"anyOf": [one({"type": "string"})]}, "", "anyOf"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, "", "not forbidden"),
        ({**one({"type": "string"}), "required": []}, "", "not every property"),
        ({**one({"type": "string"}), "required": "a"}, "/required", "not a list"),
        ({**one({"type": "string"}), "required": ["a", "b"]}, "/required", "names no property"),
        (one({"type": "string", "default": "x"}), "/properties/a/default", "not supported"),
        (one({"oneOf": [{"type": "string"}]}), "/properties/a/oneOf", "not supported"),
        (
            one({"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
            "/properties/a/uniqueItems",
            "not supported",
        ),
        (one({"type": "array"}), "/properties/a", "without `items`"),
        (one({}), "/properties/a", "no `type`"),
        (one({"type": "text"}), "/properties/a/type", "not a type"),
        (one({"type": "string", "enum": []}), "/properties/a/enum", "not a list"),
        (one({"type": "string", "enum": ["x", 1]}), "/properties/a/enum", "not of type"),
        (one({"type": "string", "enum": ["x", "x"]}), "/properties/a/enum", "twice"),
        (one({"type": "string", "format": "uri"}), "/properties/a/format", "not supported"),
        (one({"type": "string", "pattern": "(?=x)y"}), "/properties/a/pattern", "looks around"),
        (one({"type": "string", "pattern": "("}), "/properties/a/pattern", "not a regular expression"),
        (one({"$ref": "https://example.org/x.json"}), "/properties/a/$ref", "points out"),
        (one({"$ref": "#/$defs/X"}), "/properties/a/$ref", "points to nothing"),
        (
            {**one({"$ref": "#/$defs/X"}), "$defs": {"X": {"$ref": "#/$defs/X"}}},
            "/properties/a/$ref",
            "leads back to itself",
        ),
        (one({"type": "object", "additionalProperties": {"type": "string"}}), "/properties/a", "free keys"),
        (one({"anyOf": []}), "/properties/a/anyOf", "not a list"),
        (one({"type": "string", "minLength": "x"}), "/properties/a/minLength", "not a JSON schema"),
        ({**one({"type": "string"}), "title": "My answer!"}, "/title", "name"),
        ({**one({"type": "string"}), "title": "x" * 65}, "/title", "name"),
        (object_schema({f"p{n}": {"type": "string"} for n in range(5001)}), "", "5,001 properties"),
        (one({"type": "string", "enum": [f"v{n}" for n in range(1001)]}), "", "1,001 enum values"),
        (one({"type": "string", "enum": [f"value {n:060}" for n in range(251)]}), "/properties/a/enum", "limit 15,000"),
        (object_schema({"x" * 120_001: {"type": "string"}}), "", "characters"),
    ],
)
def test_each_rule_names_place_and_remedy(schema, pointer, problem):
    findings = strict_findings(schema)
    assert any(finding.pointer == pointer and problem in finding.problem and finding.remedy for finding in findings), (
        findings
    )


def nested(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = one(schema)
    return schema


def test_depth():
    assert strict_findings(nested(9)) == []
    assert any("deeper than 10" in finding.problem for finding in strict_findings(nested(11)))
    assert any("deeper than 5" in finding.problem for finding in strict_warnings(nested(7)))
    assert strict_warnings(nested(3)) == []


def test_recursion_and_definitions_are_allowed():
    node = object_schema(
        {"value": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}
    )
    assert strict_findings({**one({"$ref": "#/$defs/node"}), "$defs": {"node": node}}) == []
    assert strict_findings(object_schema({"children": {"type": "array", "items": {"$ref": "#"}}})) == []


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Part(pydantic.BaseModel):
    name: str
    parts: list["Part"] = []


class Order(pydantic.BaseModel):
    """What a customer ordered."""

    colour: Colour
    note: str | None = None
    amount: int = pydantic.Field(3, ge=1, le=9, description="how many")
    part: Part
    either: int | str


def test_models_agree_with_the_sdk():
    ours = fix_schema(Order.model_json_schema())
    assert ours.remaining == ()
    # The SDK leaves a default in that strict mode refuses; ours repairs what it makes as well.
    theirs = fix_schema(to_strict_json_schema(Order))
    assert theirs.remaining == ()
    assert set(ours.schema["properties"]) == set(theirs.schema["properties"])
    assert ours.schema["required"] == theirs.schema["required"]


def test_what_the_sdk_makes_without_defaults_is_accepted_as_it_is():
    class Plain(pydantic.BaseModel):
        colour: Colour
        names: list[str]
        other: int | None

    assert strict_findings(to_strict_json_schema(Plain)) == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {"type": "array", "items": {"type": "string"}},
            object_schema({"answer": {"type": "array", "items": {"type": "string"}}}),
        ),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, one({"type": ["string", "null"]})),
        ({"properties": {"a": {"enum": ["x", "y"]}}}, one({"type": ["string", "null"], "enum": ["x", "y", None]})),
        ({**one({"type": "string", "format": "uri", "default": ""})}, one({"type": "string"})),
        (one({"type": "integer", "nullable": True}), one({"type": ["integer", "null"]})),
        ({"allOf": [one({"type": "string"})]}, one({"type": "string"})),
    ],
)
def test_smallest_change(schema, expected):
    before = copy.deepcopy(schema)
    fixed = fix_schema(schema)
    assert {**fixed.schema} == expected
    assert schema == before
    assert fixed.changes
    assert fixed.remaining == ()


def test_what_needs_a_decision_is_left():
    fixed = fix_schema(one({"type": "object", "additionalProperties": {"type": "integer"}}))
    assert "free keys" in fixed.remaining[0].problem
    fixed = fix_schema(one({"type": "string", "not": {"enum": ["x"]}}))
    assert "not" in fixed.schema["properties"]["a"]
    assert fixed.remaining


def test_bombs():
    started = time.process_time()
    loop = {"type": "object"}
    loop["properties"] = {"a": loop}
    with pytest.raises(SchemaError, match="deeper"):
        fix_schema(loop)
    assert strict_findings(loop)
    wide = object_schema({f"p{n}": {"type": "string", "enum": [str(m) for m in range(50)]} for n in range(4000)})
    assert strict_findings(wide)
    shared = {"type": "string"}
    for _ in range(40):
        shared = object_schema({"a": shared, "b": shared})
    with pytest.raises(SchemaError):
        fix_schema(shared)
    assert time.process_time() - started < 20


def raw_schemas():
    scalar = st.sampled_from(
        [
            {"type": "string"},
            {"type": "integer", "minimum": 0},
            {"type": "boolean"},
            {"type": "number", "default": 1},
            {"enum": ["a", "b"]},
            {"type": "string", "format": "uri"},
            {"type": ["string", "null"]},
            {"const": "x"},
        ]
    )

    def more(inner):
        names = st.dictionaries(st.sampled_from(["a", "b", "c d", "e/f"]), inner, min_size=1, max_size=3)
        return st.one_of(
            names.map(lambda properties: {"type": "object", "properties": properties}),
            names.map(
                lambda properties: {"type": "object", "properties": properties, "required": list(properties)[:1]}
            ),
            inner.map(lambda items: {"type": "array", "items": items, "uniqueItems": True}),
            st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
            st.lists(inner, min_size=1, max_size=3).map(lambda options: {"oneOf": options}),
        )

    return st.recursive(scalar, more, max_leaves=6)


@settings(max_examples=150, deadline=None)
@given(raw_schemas())
def test_every_mendable_schema_is_mended_once_and_for_all(schema):
    fixed = fix_schema(schema)
    # Which key of a choice's objects comes first is for a person to say.
    assert all("begin with the key" in finding.problem for finding in fixed.remaining)
    again = fix_schema(fixed.schema)
    assert again.schema == fixed.schema
    assert again.changes == ()


def test_cost_counts_as_billed():
    schema = one({"type": "string", "enum": ["positive", "negative"]})
    cost = schema_cost(schema, TOKENIZER)
    billed = json.dumps(
        {"properties": {"a": {"enum": ["positive", "negative"], "type": "string"}}, "type": "object"},
        separators=(",", ":"),
    )
    assert cost.input_tokens == TOKENIZER.count(billed) + 9
    assert cost.typical_tokens < cost.pretty_tokens <= cost.longest_tokens
    assert output_cap(cost, "gpt-4o") == cost.longest_tokens + 8
    assert output_cap(cost, "o4-mini") == cost.longest_tokens + 8 + REASONING_HEADROOM
    assert output_cap(schema_cost(one({"type": "string"}), TOKENIZER), "gpt-4o") is None


def test_cheap_schema_keeps_what_shapes_answers():
    schema = {"title": "T", **one({"type": "string", "title": "A", "examples": ["x"], "description": "d"})}
    assert cheapen(schema) == {"title": "T", **one({"type": "string", "description": "d"})}
    tricky = object_schema({"title": {"type": "string"}, "default": {"type": "string", "enum": ["title"]}})
    assert cheapen(tricky) == tricky


def test_advice():
    schema = object_schema(
        {"label": {"type": "string"}, "word_count": {"type": "integer"}, "reasoning": {"type": "string"}}
    )
    lines = "\n".join(advice(schema, frozenset({"label", "reasoning"})))
    assert "word_count: nothing reads it" in lines
    assert "reasoning: comes after the answer" in lines
    assert "derived" in "\n".join(advice(schema))


def test_codes_only_where_they_save():
    long = ["card_arrival", "card_linking", "exchange_rate"]
    schema = object_schema(
        {
            "category": {"type": "string", "enum": long},
            "sentiment": {"type": "string", "enum": ["good", "bad", "mixed"]},
            "customer_sentiment_reason": {"type": "string"},
        }
    )
    coded, codes = code_schema(schema, TOKENIZER)
    assert coded["properties"]["category"] == {"type": "integer", "minimum": 0, "maximum": 2}
    assert coded["properties"]["sentiment"] == schema["properties"]["sentiment"]
    assert codes.values == {"/category": tuple(long)}
    assert codes.keys == {"reason": "customer_sentiment_reason"}
    data = {"category": "card_linking", "sentiment": "bad", "customer_sentiment_reason": "x"}
    assert codes.encode(data) == {"category": 1, "sentiment": "bad", "reason": "x"}
    assert codes.decode(codes.encode(data)) == data
    assert read_codes(codes.to_dict()) == codes
    assert strict_findings(coded) == []
    assert Codes().decode(data) == data


def test_samples_are_merged():
    samples = [{"label": "a" if n % 2 else "b", "score": n, **({"note": "x"} if n else {})} for n in range(12)]
    schema = schema_from_samples(samples)
    assert schema["properties"]["label"]["enum"] == ["a", "b"]
    assert schema["properties"]["score"] == {"type": "integer"}
    assert schema["properties"]["note"] == {"type": ["string", "null"]}
    assert strict_findings(schema) == []
    with pytest.raises(ValueError, match="no samples"):
        schema_from_samples([])


@settings(max_examples=200, deadline=None)
@given(raw_schemas())
def test_every_schema_compiles_in_a_grammar_engine_of_servers(schema):
    """llguidance compiles schemas for several servers; llama.cpp's own compiler is asked by the live tests."""
    for strict in (fixed := fix_schema(schema).schema, cheapen(code_schema(fixed, TOKENIZER)[0])):
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(strict))
        assert LLMatcher.validate_grammar(grammar) == "", strict


def test_the_grammar_engine_does_refuse():
    grammar = LLMatcher.grammar_from_json_schema(json.dumps(one({"type": "nonsense"})))
    assert LLMatcher.validate_grammar(grammar)


@given(
    st.integers(1, 1500),
    st.sampled_from(["docs/structure.md", "tests/schemas/test_schema_strict.py"]),
    st.integers(0, 2000),
)
def test_a_text_as_long_as_it_may_be_is_not_cut_off_by_the_cap(length, path, start):
    text = (Path(__file__).parents[2] / path).read_text(encoding="utf-8")[start : start + length]
    schema = object_schema(
        {"note": {"type": "string", "maxLength": length}, "label": {"enum": ["a", "b"], "type": "string"}}
    )
    answer = json.dumps({"note": text, "label": "b"}, indent=2)
    assert TOKENIZER.count(answer) <= output_cap(schema_cost(schema, TOKENIZER), "gpt-4o")


def test_a_long_text_is_not_cut_off_by_the_cap():
    schema = one({"type": "string", "maxLength": 9_000})
    assert output_cap(schema_cost(schema, TOKENIZER), "gpt-4o") > 9_000 / 3
