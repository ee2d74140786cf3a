"""How the answer is read out of a response."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.templates.answer import NoAnswer, PatternAnswer, PointerAnswer, parse_answer


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        (r"label: (\w+)", "label: a\nlabel: b", "b"),
        (r"\d+", "first 1, then 23", "23"),
        (r"answer is (.*)\.", "So the answer is yes.", "yes"),
        (r"(?i)(positive|negative)", "It is Positive", "Positive"),
        (r"a (b)?", "a c", ""),
        (r"<(.+?)>", "< spaced >", "spaced"),
        (r"(?s)final:(.*)", "final:\n\n 42 \n", "42"),
        (r"(\d+) (\w+)", "3 apples", "3"),
    ],
)
def test_the_last_match_counts_and_its_first_group(pattern: str, text: str, answer: str) -> None:
    assert parse_answer(pattern).extract(text) == answer


def test_no_match_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match=r"the pattern '\\\\d\+' matches nothing in the response"):
        PatternAnswer(r"\d+").extract("none")


def test_a_pattern_that_runs_away_is_stopped() -> None:
    with pytest.raises(NoAnswer, match=r"ran longer than 1 s"):
        PatternAnswer(r"(a|aa)+$").extract("a" * 60 + "b")


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "(?P<n>a)(?P<n", r"\p{Nope}"])
def test_a_pattern_that_does_not_compile_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a regular expression: "):
        parse_answer(pattern)


# The examples of RFC 6901, section 5.
DOCUMENT = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        *(("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3)),
        *(("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8)),
    ],
)
def test_pointers_are_those_of_rfc_6901(pointer: str, value: object) -> None:
    expected = value if isinstance(value, str) else json.dumps(value)
    assert parse_answer(pointer) == PointerAnswer(pointer)
    assert PointerAnswer(pointer).extract(json.dumps(DOCUMENT)) == expected


@pytest.mark.parametrize(
    "pointer", ["/foo/2", "/foo/-1", "/foo/00", "/foo/-", "/foo/+1", "/foo/1_0", "/foo/bar", "/no", "/foo/0/x", "/a/b"]
)
def test_a_pointer_that_leads_nowhere_is_no_answer(pointer: str) -> None:
    with pytest.raises(NoAnswer, match="the response has nothing at"):
        PointerAnswer(pointer).extract(json.dumps(DOCUMENT))


@pytest.mark.parametrize("text", ["", "plain", '{"a": 1', '```json\n{"a": 1}\n```', "[" * 100_000, "1" * 5000])
def test_a_response_that_is_not_json_is_no_answer(text: str) -> None:
    with pytest.raises(NoAnswer, match=r"the response is not JSON|has nothing at"):
        PointerAnswer("/a").extract(text)


@pytest.mark.parametrize(
    ("value", "answer"),
    [(True, "true"), (None, "null"), (3, "3"), ({"b": 1, "a": "ä"}, '{"a": "ä", "b": 1}'), ("x ", "x ")],
)
def test_what_is_not_a_text_is_shown_as_json(value: object, answer: str) -> None:
    assert PointerAnswer("/a").extract(json.dumps({"a": value})) == answer


@given(st.text(), st.text())
def test_any_key_can_be_pointed_at(key: str, value: str) -> None:
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")
    assert PointerAnswer(pointer).extract(json.dumps({key: value, f"{key}x": "other"})) == value


@given(st.text())
def test_any_response_gives_an_answer_or_says_why_not(text: str) -> None:
    for answer in (PatternAnswer(r"(\w+)"), PointerAnswer("/a")):
        try:
            said = answer.extract(text)
        except NoAnswer as why:
            said = str(why)
        assert isinstance(said, str)
