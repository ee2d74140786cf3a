"""What OpenAI's strict mode refuses, each with its remedy."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from promptopt.schemas import strict_findings


def strict(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}

leaves = st.one_of(
    st.sampled_from([{"type": kind} for kind in ("string", "number", "integer", "boolean", "null")]),
    st.lists(st.text(max_size=5), min_size=1, max_size=3, unique=True).map(
        lambda values: {"type": "string", "enum": values}
    ),
    st.just({"type": ["string", "null"], "description": "what it is"}),
    st.just({"type": "string", "pattern": "^a", "format": "date"}),
    st.just({"type": "integer", "minimum": 0, "maximum": 9}),
)
names = st.text("abc/~é", min_size=1, max_size=4)


def apart(options: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The options without the objects that begin with the key of an earlier one."""
    firsts = [next(iter(option.get("properties") or [None])) for option in options]
    return [option for n, option in enumerate(options) if firsts[n] is None or firsts[n] not in firsts[:n]]


nodes = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(names, inner, max_size=3).map(lambda properties: strict(**properties)),
        inner.map(lambda items: {"type": "array", "items": items, "minItems": 1}),
        st.lists(inner, min_size=1, max_size=3).map(apart).map(lambda options: {"anyOf": options}),
    ),
    max_leaves=6,
)
accepted = st.dictionaries(names, nodes, max_size=3).map(lambda properties: strict(**properties))


def places(schema: Any, pointer: str = "") -> list[str]:
    """The pointers of all objects in a schema."""
    found = [pointer] if schema.get("type") == "object" else []
    for name, child in schema.get("properties", {}).items():
        found += places(child, f"{pointer}/properties/{name.replace('~', '~0').replace('/', '~1')}")
    if "items" in schema:
        found += places(schema["items"], f"{pointer}/items")
    for index, child in enumerate(schema.get("anyOf", [])):
        found += places(child, f"{pointer}/anyOf/{index}")
    return found


def at(schema: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        schema = schema[int(key)] if isinstance(schema, list) else schema[key]
    return schema


@given(accepted)
def test_what_keeps_all_rules_is_accepted(schema: dict[str, Any]) -> None:
    assert strict_findings(schema) == []
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("keyword", [{"enum": ["a", "b"]}, {"const": "a"}, {"enum": [1, "one", True]}])
def test_values_without_a_type_are_found(keyword: dict[str, Any]) -> None:
    (finding,) = strict_findings(strict(a=keyword))
    assert (finding.pointer, finding.problem) == ("/properties/a", "has no `type`")


def shape(**first: Any) -> dict[str, Any]:
    return strict(**first, size={"type": "number"})


def test_objects_of_a_choice_are_told_apart_by_their_first_key() -> None:
    same = [shape(name=TEXT), shape(name=TEXT)]
    (finding,) = strict_findings(strict(shape={"anyOf": same}))
    assert finding.pointer == "/properties/shape/anyOf"
    assert "begin with the key 'name'" in finding.problem
    referred = strict(shape={"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]})
    found = strict_findings({**referred, "$defs": {"A": same[0], "B": same[1]}})
    assert [finding.pointer for finding in found] == ["/properties/shape/anyOf"]
    kinds = [shape(kind={"type": "string", "const": kind}) for kind in ("circle", "square")]
    assert strict_findings(strict(shape={"anyOf": kinds})) == []
    assert strict_findings(strict(shape={"anyOf": [*kinds, kinds[0]]}))
    assert strict_findings(strict(shape={"anyOf": [shape(r=TEXT), shape(side=TEXT), {"type": "null"}]})) == []


@given(accepted, st.data())
def test_an_object_anywhere_that_allows_further_properties_is_found_there(schema: Any, data: st.DataObject) -> None:
    pointer = data.draw(st.sampled_from(places(schema)))
    broken = json.loads(json.dumps(schema))
    del at(broken, pointer)["additionalProperties"]
    (finding,) = strict_findings(broken)
    assert finding.pointer == pointer
    assert "additionalProperties: false" in finding.remedy


def test_the_sdks_own_strict_schema_of_a_model_is_accepted() -> None:
    from openai.lib._pydantic import to_strict_json_schema

    class Address(BaseModel):
        street: str
        number: int | None

    class Person(BaseModel):
        name: str
        home: Address
        others: list[Address]

    assert strict_findings(to_strict_json_schema(Person)) == []


@pytest.mark.parametrize(
    ("schema", "pointer", "problem", "remedy"),
    [
        ({}, "", "the root is 'untyped'", "wrap it in an object"),
        ({"type": "array", "items": TEXT}, "", "the root is 'array', not an object", "wrap it in an object"),
        ({"anyOf": [strict(a=TEXT)]}, "", "the root cannot be `anyOf`", "wrap it"),
        ({**strict(a=TEXT), "additionalProperties": True}, "", "further properties", "add `additionalProperties"),
        ({**strict(a=TEXT, b=TEXT), "required": ["a"]}, "", "not every property is required (b)", "add b to"),
        ({**strict(a=TEXT), "required": ["a", "c"]}, "/required", "names no property: c", "define it"),
        (strict(a={}), "/properties/a", "has no `type`", "add one"),
        (strict(a={"type": "text"}), "/properties/a/type", "'text' is not a type", "use one of"),
        (strict(a={"type": ["string", 3]}), "/properties/a/type", "3 is not a type", "use one of"),
        (strict(a={"type": "array"}), "/properties/a", "an array without `items`", "say what its items are"),
        (strict(a={"enum": []}), "/properties/a/enum", "is not a list of values", "list at least one"),
        (strict(a="string"), "/properties/a", "'string' is not a schema", "write an object"),
        (strict(a={**TEXT, "default": "x"}), "/properties/a/default", "`default` is not supported", "remove it"),
        (strict(a={"oneOf": [TEXT]}), "/properties/a/oneOf", "`oneOf` is not supported", "use `anyOf`"),
        (strict(a={"allOf": [TEXT]}), "/properties/a/allOf", "`allOf` is not supported", "merge its parts"),
        (strict(a={**TEXT, "contentEncoding": "x"}), "/properties/a/contentEncoding", "not supported", "remove it"),
        (strict(a={"$ref": "#/$defs/x"}), "/properties/a/$ref", "points to nothing", "define it in `$defs`"),
        (strict(a={"$ref": "http://example.invalid/s"}), "/properties/a/$ref", "points out of", "move it into `$defs`"),
        ({**strict(a=TEXT), "properties": []}, "/properties", "is not an object", "map each name to a schema"),
    ],
)
def test_each_rule_is_told_with_place_and_remedy(schema: Any, pointer: str, problem: str, remedy: str) -> None:
    (finding,) = [finding for finding in strict_findings(schema) if problem in finding.problem]
    assert finding.pointer == pointer
    assert remedy in finding.remedy
    assert str(finding).startswith(pointer or "the root")


def test_keywords_beside_a_reference_are_told() -> None:
    schema = {**strict(a={"$ref": "#/$defs/x", "description": "y"}), "$defs": {"x": TEXT}}
    (finding,) = strict_findings(schema)
    assert (finding.pointer, finding.problem) == ("/properties/a", "keywords beside `$ref` (description)")


def test_definitions_are_looked_at_too() -> None:
    schema = {**strict(a={"$ref": "#/$defs/a~1b"}), "$defs": {"a/b": {"type": "object", "properties": {}}}}
    (finding,) = strict_findings(schema)
    assert finding.pointer == "/$defs/a~1b"


def test_a_schema_that_holds_itself_is_walked_once() -> None:
    tree = {**strict(children={"type": "array", "items": {"$ref": "#"}})}
    assert strict_findings(tree) == []


def test_ten_levels_are_enough() -> None:
    schema = TEXT
    for level in range(11):
        schema = strict(a=schema)
        deep = [finding for finding in strict_findings(schema) if "nested deeper than 10" in finding.problem]
        assert bool(deep) is (level >= 9)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (strict(**{f"p{number}": TEXT for number in range(5001)}), "5,001 properties (limit 5,000)"),
        (strict(a={"enum": list(range(1001))}), "1,001 enum values (limit 1,000)"),
        (strict(**{"x" * 120_001: TEXT}), "120,001 characters in names and enum values (limit 120,000)"),
        (strict(a={"enum": [f"{number:060}" for number in range(251)]}), "251 values of 15,060 characters in one enum"),
    ],
)
def test_a_schema_that_is_too_large_is_told_by_its_size(schema: dict[str, Any], problem: str) -> None:
    assert any(problem in str(finding) for finding in strict_findings(schema))
