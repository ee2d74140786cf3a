"""The values: what a digest depends on, and what goes to the SDK."""

import dataclasses
import json
import subprocess
import sys
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import completion_create_params as sdk
from openai.types.shared_params import ResponseFormatJSONSchema
from pydantic import TypeAdapter, with_config

from promptopt.values import (
    CallOptions,
    Cost,
    Message,
    Origin,
    Rendered,
    Request,
    Response,
    Score,
    Tool,
    Usage,
    canonical_json,
    openai_arguments,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"sentiment": {"type": "string", "enum": ["positive", "negative"]}},
    "required": ["sentiment"],
    "additionalProperties": False,
}
REQUEST = Request(
    model="gpt-4o-mini",
    messages=(Message("system", "Answer."), Message("user", "Good?")),
    params=CallOptions(temperature=0.0, max_output_tokens=60, seed=7, stop=("END",)),
    output_schema=SCHEMA,
)
CHANGES: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": (Message("user", "Answer."), Message("user", "Good?")),
    "params": CallOptions(temperature=0.5, max_output_tokens=60, seed=7, stop=("END",)),
    "output_schema": {**SCHEMA, "required": []},
    "sample": 1,
    "tools": (Tool("find", "Finds an order."),),
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
schemas = st.dictionaries(st.text(max_size=8), json_values, max_size=5)
messages = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant", "developer"]), st.text()), min_size=1, max_size=4
).map(tuple)
requests = st.builds(
    Request,
    model=st.text(min_size=1),
    messages=messages,
    params=st.builds(
        CallOptions,
        temperature=st.none() | st.floats(0, 2),
        max_output_tokens=st.none() | st.integers(1, 10_000),
        seed=st.none() | st.integers(0, 100),
        stop=st.lists(st.text(min_size=1), max_size=3).map(tuple),
    ),
    output_schema=st.none() | schemas,
    sample=st.integers(0, 3),
)


def _shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key]) for key in reversed(list(value))}
    return [_shuffled(item) for item in value] if isinstance(value, list) else value


def test_a_digest_is_the_same_in_every_version_and_process() -> None:
    # Recordings are found by it: a change here makes every committed recording stale.
    assert REQUEST.digest == "f7bbd0c20de8d95ea4a8c1efc06b2368bf8c5e0a7bc64879f251d9e5ec35c049"
    code = (
        "from promptopt.values import CallOptions, Message, Request; "
        "asked = (Message('user', 'Good?'),); "
        "print(Request('gpt-4o-mini', asked, CallOptions(temperature=0.0), sample=2).digest)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    same = Request("gpt-4o-mini", (Message("user", "Good?"),), CallOptions(temperature=0.0), sample=2)
    assert done.stdout.strip() == same.digest


@settings(max_examples=50)
@given(requests)
def test_a_digest_does_not_depend_on_the_order_of_a_schemas_keys(request: Request) -> None:
    other = dataclasses.replace(request, output_schema=_shuffled(request.output_schema))
    assert other.digest == request.digest


@settings(max_examples=50)
@given(requests, requests)
def test_two_requests_have_one_digest_exactly_where_all_that_shapes_the_answer_is_equal(
    one: Request, other: Request
) -> None:
    same = canonical_json(dataclasses.asdict(one)) == canonical_json(dataclasses.asdict(other))
    assert (one.digest == other.digest) is same


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_that_shapes_the_answer_changes_the_digest(field: str) -> None:
    assert dataclasses.replace(REQUEST, **{field: CHANGES[field]}).digest != REQUEST.digest


def test_no_field_of_a_request_is_forgotten_here() -> None:
    assert {field.name for field in dataclasses.fields(Request)} == {*CHANGES, "origin"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((Message("user", "ab"),), (Message("user", "a"), Message("user", "b"))),
        ((Message("user", "a"), Message("user", "b")), (Message("user", "b"), Message("user", "a"))),
        ((Message("user", "a ")), (Message("user", "a"))),
    ],
)
def test_messages_that_differ_only_a_little_have_other_digests(one: Any, other: Any) -> None:
    one, other = (value if isinstance(value, tuple) else (value,) for value in (one, other))
    assert Request("m", one).digest != Request("m", other).digest


def test_the_origin_changes_neither_digest_nor_equality() -> None:
    labelled = dataclasses.replace(REQUEST, origin=Origin("reviews", "v1", "a case"))
    assert labelled.digest == REQUEST.digest
    assert labelled == REQUEST


def test_zero_degrees_are_one_temperature_however_they_are_written() -> None:
    whole = dataclasses.replace(REQUEST, params=dataclasses.replace(REQUEST.params, temperature=0))
    assert whole == REQUEST
    assert whole.digest == REQUEST.digest


def test_half_a_surrogate_pair_has_a_digest() -> None:
    one, other = (Request("m", (Message("user", text),)) for text in ("\ud83d", "\ud83e"))
    assert len(one.digest) == 64
    assert one.digest != other.digest


@pytest.mark.parametrize("value", [Message("user", "x"), REQUEST, Usage(), Response("m", "x"), Score("a", 1.0, True)])
def test_values_are_frozen_and_slotted(value: Any) -> None:
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, "other")
    assert not hasattr(value, "__dict__")


@settings(max_examples=50)
@given(requests)
def test_arguments_are_those_of_the_sdk(request: Request) -> None:
    arguments = openai_arguments(request)
    accepted = get_type_hints(sdk.CompletionCreateParamsNonStreaming)
    assert arguments.keys() <= accepted.keys()
    for name in arguments.keys() - {"messages", "response_format"}:
        TypeAdapter(accepted[name]).validate_python(arguments[name])


def test_no_argument_is_one_that_the_sdk_calls_deprecated() -> None:
    assert "max_tokens" not in openai_arguments(REQUEST)
    assert openai_arguments(REQUEST)["max_completion_tokens"] == 60


def test_a_schema_travels_as_the_sdks_strict_response_format() -> None:
    sent = openai_arguments(REQUEST)["response_format"]
    strict = with_config(extra="forbid")(ResponseFormatJSONSchema)
    TypeAdapter(strict).validate_python(sent)
    assert sent["json_schema"] == {"name": "answer", "strict": True, "schema": SCHEMA}


@given(st.text())
def test_the_name_of_a_schema_is_one_that_the_endpoint_takes(title: str) -> None:
    request = dataclasses.replace(REQUEST, output_schema={**SCHEMA, "title": title})
    name = openai_arguments(request)["response_format"]["json_schema"]["name"]
    # The SDK documents it: "a-z, A-Z, 0-9, or contain underscores and dashes, with a maximum length of 64".
    assert 1 <= len(name) <= 64
    assert name.isascii()
    assert name.replace("_", "").replace("-", "").isalnum() or not name.strip("_-")


@given(requests)
def test_arguments_are_json(request: Request) -> None:
    json.dumps(openai_arguments(request))


def test_roles_are_those_of_the_sdk() -> None:
    from promptopt.values import ROLES

    known = set()
    for parameter in get_args(get_type_hints(sdk.CompletionCreateParamsNonStreaming)["messages"]):
        for kind in get_args(parameter):
            known |= set(get_args(get_type_hints(kind)["role"]))
    assert set(ROLES) <= known


def test_a_rendered_prompt_needs_a_model_from_somewhere() -> None:
    rendered = Rendered((Message("user", "hi"),))
    with pytest.raises(ValueError, match="set `model` in the prompt's front matter or pass one"):
        rendered.openai()
    assert rendered.openai("gpt-4o")["model"] == "gpt-4o"
    assert rendered.openai("openai:gpt-4o")["model"] == "gpt-4o"


def test_the_callers_model_comes_before_the_prompts() -> None:
    rendered = Rendered((Message("user", "hi"),), model="gpt-4o", origin=Origin("greet", "v2"))
    request = rendered.request("gpt-4o-mini", sample=3, case="first")
    assert (request.model, request.sample, request.origin) == ("gpt-4o-mini", 3, Origin("greet", "v2", "first"))


@pytest.mark.parametrize(("origin", "label"), [(Origin("a"), "a"), (Origin("a/b", "v1"), "a/b@v1")])
def test_an_origins_label_is_what_a_user_types(origin: Origin, label: str) -> None:
    assert origin.label == label


@pytest.mark.parametrize(
    "counts",
    [
        {"output_tokens": -1},
        {"input_tokens": 1, "cache_read_tokens": 1, "cache_write_tokens": 1},
        {"output_tokens": 1, "output_reasoning_tokens": 2},
    ],
)
def test_a_part_of_the_usage_is_not_larger_than_the_whole(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Usage(**counts)


def test_costs_add_up() -> None:
    from decimal import Decimal

    assert (Cost(Decimal("0.1"), Decimal("0.2")) + Cost(Decimal("0.2"), Decimal("0.4"))).total_usd == Decimal("0.9")
