"""Tables of cases: what is in a header, and the short forms of asserts."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt import load_suite
from promptopt.errors import SuiteError
from promptopt.scorers import SuiteChecks
from promptopt.suites.table import read_csv, split_list


def table(*rows: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def asserts(project, *cells: str):
    header = ["q", *(f"__expected{i}" for i in range(len(cells)))]
    project.write({"s.csv": table(header, ["hello", *cells])})
    (case,) = load_suite("s.csv").cases
    return case.asserts


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("latency(1000)", ("latency", None, 1000.0)),
        ("cost(0.001)", ("cost", None, 0.001)),
        ("is-refusal", ("is-refusal", None, None)),
        ("not-is-sql", ("not-is-sql", None, None)),
        ("similar(0.8): a, b", ("similar", "a, b", 0.8)),
        ("similar(.8): a", ("similar", "a", 0.8)),
        ("rouge-n(0.5):Paris: a city", ("rouge-n", "Paris: a city", 0.5)),
        ("fn: output.length < 4", ("javascript", "output.length < 4", None)),
        ("eval:output == 'a'", ("javascript", "output == 'a'", None)),
        ("grade: is polite", ("llm-rubric", "is polite", None)),
        ("python: checks.tone", ("python", "checks.tone", None)),
        ('contains-any:a,"b, c",,', ("contains-any", ["a", "b, c"], None)),
        ('contains-all:"1,000",in stock', ("contains-all", ["1,000", "in stock"], None)),
        ('is-json: {"type": "object"}', ("is-json", {"type": "object"}, None)),
        ("equals: latency(1000)", ("equals", "latency(1000)", None)),
        # What is not an assert is what the answer must equal.
        ("answer: 42", ("equals", "answer: 42", None)),
        ("https://shop.test/x", ("equals", "https://shop.test/x", None)),
        ("f(2)", ("equals", "f(2)", None)),
        ("cost", ("equals", "cost", None)),
        ("python", ("equals", "python", None)),
        ("Contains: 4", ("equals", "Contains: 4", None)),
        ("well-known", ("equals", "well-known", None)),
        ("Cost: 5", ("equals", "Cost: 5", None)),
        ("eval(x)", ("equals", "eval(x)", None)),
        ("not-equals: contains(x", ("not-equals", "contains(x", None)),
    ],
)
def test_a_short_form_is_read_as_promptfoo_reads_it(project, cell: str, expected: tuple) -> None:
    (one,) = asserts(project, cell)
    assert (one.name, one.value, one.threshold) == expected


@pytest.mark.parametrize("cell", ["contain: 4", "latncy(1000)", "is-jsn", "not-contians: x"])
def test_what_is_nearly_an_assert_is_an_error_with_line_and_text(project, cell: str) -> None:
    with pytest.raises(SuiteError) as caught:
        asserts(project, cell)
    message = str(caught.value)
    assert message.startswith(f"s.csv:2: __expected: {cell!r}: unknown assert type")
    assert f"write `equals: {cell}`" in message


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("latency(1s)", "the threshold of 'latency' is not a number"),
        ("levenshtein(-2): a", "the threshold of 'levenshtein' is not a number"),
        ("not-similar(80%): a", "the threshold of 'not-similar' is not a number"),
        ("contains_any: a", "unknown assert type 'contains_any'. Did you mean 'contains-any'?"),
        ("Not-Contains: a", "unknown assert type 'Not-Contains'. Did you mean 'not-contains'?"),
        ("not-not-regex: a", "unknown assert type 'not-not-regex'. Did you mean 'not-regex'?"),
        ("is-json: {a", "is not YAML"),
    ],
)
def test_what_begins_as_an_assert_is_not_a_text_that_the_answer_must_equal(project, cell: str, reason: str) -> None:
    with pytest.raises(SuiteError, match=re.escape(f"s.csv:2: __expected: {cell!r}: {reason}")):
        asserts(project, cell)


@pytest.mark.parametrize("cell", ["ruby: output", "trace-span-count: 3", "moderation: hate"])
def test_an_assert_of_promptfoo_that_is_not_known_here_is_an_error_with_its_line(project, cell: str) -> None:
    project.write({"s.csv": table(["q", "__expected"], ["a", "contains: b"], ["c", cell])})
    with pytest.raises(SuiteError, match=r"^s\.csv:3: unknown assert type"):
        SuiteChecks(load_suite("s.csv"))


def test_several_columns_are_several_asserts(project) -> None:
    assert [one.name for one in asserts(project, "contains: a", "not-contains: b", "", "is-json")] == [
        "contains",
        "not-contains",
        "is-json",
    ]


def test_two_columns_of_one_name_are_refused(project) -> None:
    project.write({"s.csv": table(["q", "__expected", "__expected"], ["a", "contains: one", "contains: two"])})
    with pytest.raises(SuiteError, match=r"^s\.csv:1: two columns are named '__expected'\n.*__expected1, __expected2"):
        load_suite("s.csv")


def test_white_space_around_a_columns_name_is_not_part_of_it(project) -> None:
    project.write({"s.csv": "question, __expected\nIs ice cold?, contains: zzz\n"})
    (case,) = load_suite("s.csv").cases
    assert dict(case.vars) == {"question": "Is ice cold?"}
    assert [(one.name, one.value) for one in case.asserts] == [("contains", "zzz")]


def test_a_cell_may_be_longer_than_the_csv_modules_limit(project) -> None:
    long = "long " * 60_000
    project.write({"s.csv": table(["q"], [long])})
    assert load_suite("s.csv").cases[0].vars["q"] == long


@given(st.lists(st.text(st.characters(categories=["L", "N"], include_characters=", -"), min_size=1), min_size=1))
def test_any_items_survive_a_quoted_list(items: list[str]) -> None:
    items = [item.strip() for item in items if item.strip()]
    assert split_list(",".join(f'"{item}"' for item in items)) == items


def test_a_list_whose_quote_is_not_closed_is_an_error_with_its_line() -> None:
    with pytest.raises(SuiteError, match=r"a.csv:2: __expected: .* is not closed"):
        list(read_csv('__expected\n"contains-any: ""a, b"\n', "a.csv"))
