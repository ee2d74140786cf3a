"""Asserts on calls of tools, and answers that hold nothing else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.errors import SuiteError
from promptopt.scorers import CaseScore, Subject, SuiteChecks
from promptopt.scorers.tools import ToolCallF1
from promptopt.suites import Assertion, load_suite
from promptopt.templates.answer import parse_answer
from promptopt.templates.tools import make_tools
from promptopt.values import Response, Tool, ToolCall
from promptopt.yaml import load_yaml

TOOLS = make_tools(
    [
        {
            "name": "find_order",
            "parameters": {"properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
        },
        {
            "name": "refund",
            "parameters": {"properties": {"order_id": {"type": "string"}, "cents": {"type": "integer"}}},
        },
        {"name": "hours"},
    ]
)


def answer(*calls: tuple[str, str], text: str = "", finish: str = "tool_calls") -> Response:
    made = tuple(ToolCall(f"call_{number}", *call) for number, call in enumerate(calls))
    return Response("m", text, finish, tool_calls=made)


def score(
    tmp_path: Path,
    asserts: str,
    response: Response,
    tools: tuple[Tool, ...] = TOOLS,
    variables: str = "{}",
    **given: object,
) -> CaseScore:
    file = tmp_path / "desk.yaml"
    indented = "\n".join(f"    {line}" for line in asserts.strip().splitlines())
    file.write_text(f"tests:\n- description: a\n  vars: {variables}\n  assert:\n{indented}\n", encoding="utf-8")
    return SuiteChecks(load_suite(file)).score("a", response, given.get("answer"), None, tools)  # type: ignore[arg-type]


def test_a_nullable_argument_may_be_null(tmp_path: Path) -> None:
    tools = make_tools([{"name": "f", "parameters": {"properties": {"x": {"type": "string", "nullable": True}}}}])
    called = "- type: is-valid-openai-tools-call"
    assert score(tmp_path, called, answer(("f", '{"x": null}')), tools).passed
    assert not score(tmp_path, called, answer(("f", '{"x": 3}')), tools).passed


FOUND = ("find_order", '{"order_id": "A-17"}')
EXACT = "type: trajectory:tool-args-match\n  value: {name: refund, args: {order_id: A-17}, mode: exact"
PAID = ("refund", '{"order_id": "A-17", "cents": 900}')


@pytest.mark.parametrize(
    ("written", "calls", "passes"),
    [
        ("value: refund", [FOUND, PAID], True),
        ("value: refund", [FOUND], False),
        ("value: {name: refund, arguments: {cents: 900}}", [PAID], True),
        ("value: {name: refund, arguments: {cents: 900.0}}", [PAID], True),
        ("value: {name: refund, arguments: {cents: true}}", [("refund", '{"cents": 1}')], False),
        ("value: {name: refund, arguments: {cents: 901}}", [PAID], False),
        ("value: {name: refund, arguments: {reason: null}}", [PAID], False),
        ("value: {name: refund, schema: {properties: {cents: {maximum: 1000}}}}", [PAID], True),
        ("value: {name: refund, schema: {properties: {cents: {maximum: 100}}}}", [PAID], False),
        ("value: {name: refund, count: 1}", [PAID, PAID], False),
        ("value: {name: refund, count: {max: 2}}", [PAID, PAID], True),
        ("value: [find_order, refund]", [PAID, FOUND], True),
        ("value: [find_order, refund]\norder: sequence", [PAID, FOUND], False),
        ("value: [find_order, refund]\norder: sequence", [FOUND, ("hours", ""), PAID], True),
        ("value: [find_order, refund]\norder: exact", [FOUND, ("hours", ""), PAID], False),
        ("value: [find_order, refund]\norder: exact", [FOUND, PAID], True),
        ("value: [find_order, refund]\norder: exact", [PAID, FOUND], False),
        ("value: find_order\nforbidden: [refund]", [FOUND], True),
        ("value: find_order\nforbidden: [refund]", [FOUND, PAID], False),
        ("forbidden: refund", [], True),
        ("count: 0", [], True),
        ("count: 0", [FOUND], False),
        ("count: {min: 1, max: 2}", [FOUND, PAID], True),
        ("count: {min: 3}", [FOUND, PAID], False),
    ],
)
def test_a_tool_call_is_asked_for_by_name_arguments_order_and_number(
    tmp_path: Path, written: str, calls: list[tuple[str, str]], passes: bool
) -> None:
    asserts = "- type: tool-call\n" + "\n".join(f"  {line}" for line in written.splitlines())
    found = score(tmp_path, asserts, answer(*calls))
    assert found.passed is passes, found.scores
    assert passes or found.scores[0].explanation
    negated = score(tmp_path, asserts.replace("tool-call", "not-tool-call"), answer(*calls))
    assert negated.passed is not passes


def test_an_explanation_names_the_calls_that_were_made(tmp_path: Path) -> None:
    found = score(tmp_path, "- {type: tool-call, value: {name: refund, arguments: {cents: 5}}}", answer(FOUND, PAID))
    assert found.scores[0].explanation == (
        'refund with {"cents": 5} was not called; called: find_order({"order_id": "A-17"}), '
        'refund({"order_id": "A-17", "cents": 900})'
    )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (("refnd", "{}"), "the prompt has no tool 'refnd'. Did you mean 'refund'?"),
        (("refund", '{"cents": 9'), 'the arguments of refund({"cents": 9) are not JSON'),
        (("refund", "[1]"), "the arguments of refund([1]) are not an object"),
        (("refund", '{"cents": "9"}'), "break the tool's schema: $.cents: '9' is not of type 'integer'"),
        (("find_order", ""), "break the tool's schema: $: 'order_id' is a required property"),
    ],
)
@pytest.mark.parametrize("kind", ["is-valid-openai-tools-call", "is-valid-function-call", "tool-call"])
def test_a_call_that_cannot_be_carried_out_is_explained_once(
    tmp_path: Path, call: tuple[str, str], says: str, kind: str
) -> None:
    wanted = f", value: {call[0]}" if kind == "tool-call" else ""
    found = score(tmp_path, f"- {{type: {kind}{wanted}}}", answer(call))
    assert not found.passed
    assert says in found.scores[0].explanation
    # What was not to be called was called, however badly.
    assert not score(tmp_path, f"- {{type: not-tool-call, value: {call[0]}}}", answer(call)).passed


def test_calls_are_valid_without_arguments_and_without_known_tools(tmp_path: Path) -> None:
    valid = "- type: is-valid-openai-tools-call"
    assert score(tmp_path, valid, answer(("hours", ""), FOUND)).passed
    assert score(tmp_path, valid, answer(("of_a_program", "{}")), ()).passed
    assert (
        "no tool was called; the answer is 'Hello'"
        in score(tmp_path, valid, answer(text="Hello")).scores[0].explanation
    )


@pytest.mark.parametrize(
    ("expected", "called", "f1"),
    [
        ("[find_order, refund]", [FOUND, PAID], 1),
        ("find_order, refund", [FOUND], 2 / 3),
        ("[find_order]", [FOUND, FOUND], 1),
        ("[find_order]", [PAID], 0),
        ("[find_order]", [], 0),
    ],
)
def test_f1_of_the_names_of_tools(tmp_path: Path, expected: str, called: list[tuple[str, str]], f1: float) -> None:
    found = score(tmp_path, f"- type: tool-call-f1\n  value: {expected}", answer(*called))
    assert found.quality == pytest.approx(f1)
    assert found.passed is (f1 == 1)
    lenient = score(tmp_path, f"- type: tool-call-f1\n  value: {expected}\n  threshold: 0.6", answer(*called))
    assert lenient.passed is (f1 >= 0.6)


@given(st.sets(st.sampled_from("abcd"), min_size=1), st.lists(st.sampled_from("abcd")))
def test_f1_is_the_harmonic_mean_of_precision_and_recall(expected: set[str], called: list[str]) -> None:
    hits, names = len(expected & set(called)), len(set(called))
    precision, recall = (hits / names if names else 0), hits / len(expected)
    scorer = ToolCallF1(Assertion("tool-call-f1", value=sorted(expected)))
    made = scorer(Subject(None, answer(*((name, "{}") for name in called))))
    assert made.value == pytest.approx(2 * precision * recall / (precision + recall) if hits else 0)


@pytest.mark.parametrize(
    ("written", "passes"),
    [
        ("type: trajectory:tool-used\n  value: find_*", True),
        ("type: trajectory:tool-used\n  value: [find_order, hours]", False),
        ("type: not-trajectory:tool-used\n  value: [find_order, hours]", False),
        ("type: not-trajectory:tool-used\n  value: [hours, cancel]", True),
        ("type: trajectory:tool-used\n  value: {name: refund, min: 2}", False),
        ("type: trajectory:tool-used\n  value: {name: refund, max: 1}", True),
        ("type: trajectory:tool-used\n  value: {name: hours, max: 1}", False),
        ("type: trajectory:tool-args-match\n  value: {name: refund, args: {cents: 900}}", True),
        ("type: trajectory:tool-args-match\n  value: {name: refund, args: {cents: 900}, mode: exact}", False),
        (
            "type: trajectory:tool-args-match\n  value: {name: re*, args: {cents: 900}, mode: exact, ignore: '*_id'}",
            True,
        ),
        (
            "type: trajectory:tool-args-match\n  value: {name: re*, args: {cents: 9}, mode: exact, ignore: '*_id'}",
            False,
        ),
        (f"{EXACT}, defaults: {{cents: 900}}}}", True),
        (f"{EXACT}, defaults: {{cents: 901}}}}", False),
        ("type: trajectory:tool-sequence\n  value: [find_order, refund]", True),
        ("type: trajectory:tool-sequence\n  value: {steps: [refund, find_order]}", False),
        ("type: trajectory:tool-sequence\n  value: {mode: exact, steps: [find_order]}", False),
        ("type: trajectory:step-count\n  value: {type: tool, max: 1}", False),
        ("type: trajectory:step-count\n  value: {type: tool, pattern: 're*', min: 1, max: 1}", True),
    ],
)
def test_promptfoos_trajectories(tmp_path: Path, written: str, passes: bool) -> None:
    assert score(tmp_path, f"- {written}", answer(FOUND, PAID)).passed is passes


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("type: tool-call", "`count: 0` is no call at all"),
        ("type: tool-call\n  value: []", "`count: 0` is no call at all"),
        ("type: tool-call\n  value: {name: a, argumens: {}}", "Did you mean 'arguments'?"),
        ("type: tool-call\n  value: {name: a, arguments: 3}", "arguments: 3 is not a mapping"),
        ("type: tool-call\n  value: {name: a, schema: {type: texts}}", "are not a JSON schema"),
        ("type: tool-call\n  value: a\n  order: reversed", "is not any, sequence or exact"),
        ("type: tool-call\n  count: -1", "count: -1 is not a whole number"),
        ("type: tool-call\n  count: {min: 3, max: 1}", "min is more than max"),
        ("type: tool-call\n  value: a\n  forbiden: b", "unknown key 'forbiden'"),
        ("type: is-valid-function-call\n  value: x", "takes no `value`"),
        ("type: trajectory:step-count\n  value: {min: 1}", "say `type: tool`"),
        ("type: trajectory:tool-sequence\n  value: find", "needs a list of tools"),
    ],
)
def test_an_assert_that_makes_no_sense_is_refused_with_its_line(tmp_path: Path, written: str, says: str) -> None:
    with pytest.raises(SuiteError, match=r"desk\.yaml:5") as caught:
        score(tmp_path, f"- {written}", answer())
    assert says in str(caught.value)


def test_variables_of_the_case_are_filled_into_arguments(tmp_path: Path) -> None:
    asserts = "- {type: tool-call, value: {name: find_order, arguments: {order_id: '{{ order }}'}}}"
    assert score(tmp_path, asserts, answer(FOUND), variables="{order: A-17}").passed
    assert not score(tmp_path, asserts, answer(FOUND), variables="{order: A-18}").passed


def test_braces_of_a_schema_are_no_template(tmp_path: Path) -> None:
    asserts = "- {type: is-json, value: {type: string, pattern: '^{{2}$'}}"
    assert score(tmp_path, asserts, answer(text='"{{"', finish="stop")).passed


def test_an_answer_that_only_calls_tools_is_an_answer(tmp_path: Path) -> None:
    called = answer(FOUND)
    assert score(tmp_path, "- {type: contains, value: find_order}", called).passed
    assert not score(tmp_path, "- {type: not-contains, value: find_order}", called).passed
    assert score(tmp_path, "- {type: is-json, value: {type: array, minItems: 1}}", called).passed
    assert load_yaml(called.output, "x") == [
        {"type": "function", "function": {"name": "find_order", "arguments": '{"order_id": "A-17"}'}}
    ]


def test_a_text_beside_a_call_is_the_answer(tmp_path: Path) -> None:
    both = answer(FOUND, text="One moment.")
    assert score(tmp_path, "- {type: equals, value: One moment.}", both).passed
    assert both.shown == 'One moment. find_order({"order_id": "A-17"})'


def test_a_response_with_nothing_in_it_is_still_no_answer(tmp_path: Path) -> None:
    empty = score(tmp_path, "- {type: not-contains, value: x}", answer(text="  ", finish="stop"))
    assert empty.scores[0].explanation == "no answer: the response is empty"
    old = score(tmp_path, "- {type: not-contains, value: x}", answer())
    assert "record it again" in old.scores[0].explanation


def test_what_reads_a_text_finds_none_in_a_call(tmp_path: Path) -> None:
    found = score(tmp_path, "- {type: equals, value: x}", answer(FOUND), answer=parse_answer("/label"))
    assert "it only calls tools" in found.scores[0].explanation
