"""YAML as its author wrote it, with lines."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.errors import InputError, SuiteError, TemplateError
from promptopt.yaml import Located, line_of, load_yaml


def load(text: str) -> Any:
    return load_yaml(text, "f.yaml")


@pytest.mark.parametrize(
    "label",
    [
        *("yes", "no", "on", "off", "Yes", "NO", "y", "n", "True", "TRUE", "False", "Null", "NULL"),
        *("1e3", "1E3", "1.5e3", "007", "0o17", "0x1F", "1_000", "+1", "1.10", "1.", ".5", "-.5", ".inf", ".nan", "-0"),
        *("2026-01-01", "2026-01-01 10:00:00", "12:30:45", "190:20:30", "=", "0.1234567890123456789", "0.00001"),
        *("1" * 5000, "1" * 30 + ".5", "1.0.0", "- 1"[2:] + "%"),
    ],
)
def test_labels_stay_what_the_author_wrote(label: str) -> None:
    assert load(f"value: {label}") == {"value": label}
    assert load(f"[{label}]") == [label]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("true", True), ("false", False), ("null", None), ("~", None), ("", None)),
        *(("0", 0), ("17", 17), ("-3", -3), ("123456789012345678901234567890", 123456789012345678901234567890)),
        *(("0.5", 0.5), ("-1.25", -1.25), ("2.0", 2.0), ("0.0001", 0.0001)),
        *(("'1'", "1"), ('"true"', "true"), ('""', "")),
    ],
)
def test_what_is_plainly_a_number_or_a_truth_is_one(text: str, value: Any) -> None:
    loaded = load(f"value: {text}")["value"]
    assert loaded == value
    assert type(loaded) is type(value)


@given(st.from_regex(r"\A[-+.0-9eE_xo:TZ]{1,25}\Z") | st.floats().map(repr) | st.integers().map(str))
def test_a_scalar_that_becomes_a_number_prints_as_it_was_written(text: str) -> None:
    try:
        value = load(f"value: {text}")
    except Exception:  # noqa: BLE001 - `-:` and the like are mappings or errors
        return
    if isinstance(value["value"], (int, float)):
        assert str(value["value"]) == text
    elif isinstance(value["value"], str):
        assert value["value"] == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=4), inner, max_size=4),
    max_leaves=10,
)


@given(json_values)
def test_json_is_yaml(value: Any) -> None:
    assert load(json.dumps(value)) == value
    assert load(json.dumps(value, indent=2)) == value


def test_every_mapping_knows_its_lines() -> None:
    loaded = load("# comment\ntests:\n  - vars:\n      a: 1\n\n    assert: []\n")
    test = loaded["tests"][0]
    assert isinstance(loaded, Located)
    assert (line_of(loaded), line_of(loaded, "tests")) == (2, 2)
    assert (line_of(test), line_of(test, "assert"), line_of(test["vars"], "a")) == (3, 6, 4)
    assert line_of(test, "not there") == 3


def test_lines_are_counted_from_where_the_text_begins() -> None:
    loaded = load_yaml("a: 1\nb: 2\n", "p.j2", first_line=2)
    assert (line_of(loaded, "a"), line_of(loaded, "b")) == (2, 3)
    with pytest.raises(TemplateError, match=r"^p\.j2:3: is not YAML: the key 'a' appears twice"):
        load_yaml("a: 1\na: 2\n", "p.j2", error=TemplateError, first_line=2)


@pytest.mark.parametrize("mapping", [{}, None, [], {"a": 1}])
def test_what_did_not_come_out_of_a_file_has_no_line(mapping: object) -> None:
    assert line_of(mapping, "a") is None


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' appears twice"),
        ("a:\n  b: 1\n  b: 2\n", 3, "the key 'b' appears twice"),
        ("1: a\n'1': b\n", 2, "the key '1' appears twice"),
        ("a: [1,\nb: 2\n", 3, "did not find expected"),
        ("a: 1\n\tb: 2\n", 2, "found a tab"),
        ("a: *nowhere\n", 1, "found undefined alias"),
        ("a: 'open\n", 2, "unexpected end of stream"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "could not determine a constructor"),
        ("a: 1\nb: !!timestamp 2026-01-01\n", 2, "could not determine a constructor"),
        ("a: 1\nb: !!binary aGk=\n", 2, "could not determine a constructor"),
        ("a: &x [*x]\n", 1, "recursive"),
        ("a: &x {b: *x}\n", 1, "recursive"),
    ],
)
def test_broken_yaml_is_refused_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(SuiteError, match=rf"^s\.yaml:{line}: is not YAML: .*{problem}"):
        load_yaml(text, "s.yaml", error=SuiteError)


@pytest.mark.parametrize("text", ["a: \x01", "[" * 500, "a: " + "\x7f"])
def test_what_no_line_is_known_of_is_refused_all_the_same(text: str) -> None:
    with pytest.raises(SuiteError, match=r"^s\.yaml:\d+: is not YAML: "):
        load_yaml(text, "s.yaml", error=SuiteError)


def test_a_merged_mapping_can_be_overridden() -> None:
    loaded = load("base: &base\n  a: 1\n  b: 2\nother:\n  <<: *base\n  a: 3\n")
    assert loaded["other"] == {"a": 3, "b": 2}
    assert line_of(loaded["other"], "a") == 6
    with pytest.raises(SuiteError, match="the key 'a' appears twice"):
        load_yaml("base: &base {a: 1}\nother:\n  <<: *base\n  a: 3\n  a: 4\n", "s.yaml", error=SuiteError)


def test_a_quoted_text_that_looks_like_merging_is_a_key() -> None:
    assert load("'<<': a") == {"<<": "a"}


@pytest.mark.parametrize("text", ["[" * 200_000, "a: " + "{b: " * 5000, "- " * 100_000 + "x"])
def test_a_bottomless_file_is_refused_before_it_overruns_the_stack(text: str) -> None:
    with pytest.raises(InputError, match="nested deeper than 500 levels"):
        load_yaml(text, "deep.yaml")


@pytest.mark.parametrize("bracket", ["[", "{", "]", "- "])
def test_brackets_in_texts_are_not_nesting(bracket: str) -> None:
    texts = [f"finish list {number}: {bracket}" for number in range(600)]
    assert load_yaml("".join(f"- {json.dumps(text)}\n" for text in texts), "x.yaml") == texts
    assert load_yaml("text: |\n" + "".join(f"  {text}\n" for text in texts), "x.yaml") == {
        "text": "".join(f"{text}\n" for text in texts)
    }


@pytest.mark.parametrize("start", ["[", '["]",', "{a: ", "- ", "? ", "-   - ", "? - "])
def test_real_nesting_is_refused_however_it_is_written(start: str) -> None:
    with pytest.raises(InputError, match="nested deeper than 500 levels"):
        load_yaml(start * 50_000, "x.yaml")
