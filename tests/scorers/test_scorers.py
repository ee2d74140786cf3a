"""What each assert says of an answer, and its opposite with `not-`."""

import json
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.errors import SuiteError
from promptopt.registry import registered
from promptopt.scorers import Subject, SuiteChecks
from promptopt.scorers.base import Check, make_check
from promptopt.suites import Assertion, Case, Suite
from promptopt.templates.answer import parse_answer
from promptopt.values import Cost, Response, Score, Usage


def subject(text: str, *, duration_s: float | None = None, usd: str | None = None, **variables: Any) -> Subject:
    cost = None if usd is None else Cost(Decimal(usd), Decimal(0))
    response = Response("m", text, usage=Usage(1, 0, 0, 1), duration_s=duration_s)
    return Subject(text, response, variables=variables, cost=cost)


def check(kind: str, value: Any = None, **options: Any) -> Check:
    negated = kind.startswith("not-")
    threshold = options.pop("threshold", None)
    return make_check(
        Assertion(kind.removeprefix("not-"), negated, value, threshold, options=options, line=7), "s.yaml"
    )


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}

# type, value, options, an answer that passes, one that does not, and what is said of that.
EXAMPLES: list[tuple[str, Any, dict[str, Any], str, str, str]] = [
    ("equals", "yes", {}, "yes", "Yes", "expected 'yes', got 'Yes'"),
    ("equals", 3, {}, "3", "4", "expected '3'"),
    ("equals", True, {}, "true", "True", "expected 'true'"),
    ("equals", {"a": [1]}, {}, '{ "a": [1.0] }', '{"a": [2]}', "got"),
    ("equals", ["a"], {}, '["a"]', "a", "expected JSON, got 'a'"),
    ("contains", "refund", {}, "a refund, please", "a Refund", "'refund' is not in 'a Refund'"),
    ("icontains", "Refund", {}, "A REFUND", "no", "'Refund' is not in 'no'"),
    ("icontains", "straße", {}, "STRASSE", "Weg", "is not in"),
    ("contains-all", ["a", "b"], {}, "b and a", "only a", "'b' not in 'only a'"),
    ("contains-all", "a, b", {}, "b and a", "only a", "'b' not in 'only a'"),
    ("icontains-all", ["A", "b"], {}, "B, a", "b", "'A' not in 'b'"),
    ("contains-any", ["x", "y"], {}, "a y", "a z", "none of 'x', 'y' in 'a z'"),
    ("icontains-any", "x, y", {}, "a Y", "a z", "none of 'x', 'y'"),
    ("starts-with", "Dear", {}, "Dear Ada", "Oh dear", "'Oh dear' does not start with 'Dear'"),
    ("regex", r"^\d{3}$", {}, "123", "1234", "is not found in '1234'"),
    ("levenshtein", "kitten", {"threshold": 3}, "sitting", "a sitting", "edits from 'kitten' (limit 3)"),
    ("levenshtein", "hello", {}, "", "a long answer", "(limit 5)"),
    ("rouge-n", "the cat sat on the mat", {}, "The cat sat on the mat!", "a dog", "ROUGE-1 0.00 is below 0.75"),
    ("rouge-n", "the cat sat", {"n": 2, "threshold": 0.5}, "the cat ran", "cat the sat", "ROUGE-2 0.00 is below 0.5"),
    ("token-f1", "the cat", {"threshold": 0.8}, "the cat sat", "the", "token F1 0.67 is below 0.8"),
    ("rouge-l", "the cat sat on the mat", {}, "the cat sat on a mat", "mat cat", "ROUGE-L 0.25 is below 0.75"),
    ("bleu", "the cat sat on the mat", {}, "the cat sat on the mat", "a dog", "BLEU 0.00 is below 0.5"),
    ("gleu", ["a dog ran", "the cat sat"], {}, "The cat sat.", "no match", "GLEU 0.00 is below 0.5"),
    ("word-count", 3, {}, "one two  three", "one", "1 words, expected 3 to 3"),
    ("sentence-count", {"max": 2}, {}, "A. Smith left. Why?", "A. B! C? Done.", "3 sentences, expected 0 to 2"),
    ("is-xml", "a.b", {}, "<a><b/></a>", "<a/>", "the XML has no a.b"),
    ("contains-xml", None, {}, "so <a>1</a> it is", "a < b", "no XML in"),
    ("is-html", None, {}, "<p>Hi</p>", "Hi <b>you</b>", "has text outside elements"),
    ("contains-html", None, {}, "see <b>this</b>", "1 < 2", "no HTML in"),
    ("is-sql", None, {}, "SELECT a FROM t", "SELEC a", "is not MySQL"),
    ("contains-sql", None, {}, "So:\n```sql\nSELECT 1\n```", "nothing", "is not MySQL"),
    ("word-count", "3", {}, "a b c", "", "0 words"),
    ("word-count", {"min": 2}, {}, "a b c", "a", "1 words, expected 2 to any number"),
    ("word-count", {"max": 2}, {}, "", "a b c", "3 words, expected 0 to 2"),
    ("is-json", None, {}, '{"a": 1}', "{a: 1}", "is not JSON"),
    ("is-json", None, {}, "3", "NaN", "NaN is not a JSON value"),
    ("is-json", SCHEMA, {}, '{"a": 1}', '{"a": "x"}', "$.a: 'x' is not of type 'integer'"),
    ("contains-json", None, {}, 'Here: {"a": 1}. Bye', "Here: {a}", "no JSON in"),
    ("contains-json", SCHEMA, {}, 'not {"b": 1} but [{"a": 1}] {"a": 2}', '{"a": "x"}', "is not of type"),
    ("numeric", 42, {}, "The answer is 42.", "41", "41 is not within 0 of 42"),
    ("numeric", "1200", {}, "about 1,200 euros", "12", "12 is not within 0 of 1200"),
    ("numeric", 0.3, {"tolerance": 0.1}, "0.2", "0.1", "0.1 is not within 0.1 of 0.3"),
    ("numeric", -200, {"tolerance": "1%"}, "-201.9", "-203", "is not within 2 of -200"),
    ("numeric", 5, {}, "Grade5", "between 4 and 5", "holds more than one number"),
    ("numeric", 5, {}, "5 and 5.0", "five", "holds no number"),
    ("numeric", 1500, {}, "1.5e3", ".5", "0.5 is not within"),
    # The minus of a typographic text, and a sign before the currency.
    ("numeric", -5, {}, "\u22125", "5", "5 is not within 0 of -5"),
    ("numeric", -5, {}, "so \u20135 it is", "\u2014 5", "5 is not within 0 of -5"),
    ("numeric", -5, {}, "-$5.00", "$5", "5 is not within 0 of -5"),
    ("numeric", 5, {}, "+$5", "-€5", "-5 is not within 0 of 5"),
    ("numeric", 12, {}, "Answer\u201312", "10\u201312", "holds more than one number"),
    # Another number than its digits.
    ("numeric", 1, {}, "1", "1\u00bd cups", "holds '\u00bd', which is not read"),
    ("numeric", 10, {}, "10 m\u00b2", "10\u207b\u00b3", "which is not read"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "options", "good", "bad", "why"), EXAMPLES)
def test_what_passes_and_what_does_not(kind: str, value: Any, options: Any, good: str, bad: str, why: str) -> None:
    passed, failed = (check(kind, value, **options)(subject(text)) for text in (good, bad))
    assert passed is not None
    assert failed is not None
    assert (passed.passed, passed.explanation, passed.name) == (True, "", kind)
    assert (failed.passed, failed.name) == (False, kind)
    assert why in failed.explanation


def test_every_type_has_an_example_here_or_a_test_of_its_own() -> None:
    own = distribution("promptopt-llm").entry_points.select(group="promptopt.scorers")
    # Those of calls are in test_tool_calls.py, judges in tests/judges, `similar` in tests/gateway.
    assert {
        point.name
        for point in own
        if not point.value.startswith(("promptopt.scorers.tools:", "promptopt.judges.", "promptopt.gateway."))
    } == {kind for kind, *_ in EXAMPLES} | {
        *("cost", "latency", "python", "javascript", "meteor", "is-refusal", "guardrails", "finish-reason", "webhook"),
        # That of sets is in tests/promptfoo.
        *("perplexity", "perplexity-score", "assert-set"),
    }


@given(st.sampled_from(EXAMPLES), st.data())
def test_not_is_the_opposite_and_scores_are_between_0_and_1(example: Any, data: st.DataObject) -> None:
    kind, value, options, good, bad, _ = example
    text = data.draw(st.sampled_from([good, bad]) | st.text() | st.text('0123456789+-.,eE{}[]" a', max_size=20))
    plain, negated = (check(name, value, **options)(subject(text)) for name in (kind, f"not-{kind}"))
    assert plain is not None
    assert negated is not None
    assert "raised" not in plain.explanation
    assert 0 <= plain.value <= 1
    assert negated.value == pytest.approx(1 - plain.value)
    assert negated.passed is not plain.passed
    assert bool(plain.explanation) is not plain.passed
    assert bool(negated.explanation) is not negated.passed


def test_rouge_counts_what_both_texts_share() -> None:
    # Lin (2004): matching n-grams over those of the reference, and of the answer, which are as many here.
    score = check("rouge-n", "police killed the gunman", threshold=0)(subject("police kill the gunman"))
    assert score is not None
    assert score.value == 0.75
    score = check("rouge-n", "police killed the gunman", threshold=0, n=2)(subject("the gunman kill police"))
    assert score is not None
    assert score.value == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("kind", "value", "options", "message"),
    [
        ("equals", None, {}, "needs a `value`"),
        ("contains", None, {}, "needs a text as `value`, not None"),
        ("contains", ["a"], {}, r"needs a text as `value`, not \['a'\]"),
        ("contains-all", [], {}, "needs a list of texts"),
        ("contains-any", [["a"]], {}, "needs a list of texts"),
        ("regex", "(", {}, r"'\(' is not a regular expression: missing \)"),
        ("rouge-n", "a b", {"n": 3}, "the value has no sequence of 3 words"),
        ("rouge-n", "a b", {"n": 0}, "n: 0 is not a positive whole number"),
        ("token-f1", "...", {}, "the value has no words"),
        ("word-count", "many", {}, "needs a whole number or {min, max}"),
        ("word-count", {"mim": 1}, {}, "unknown bound 'mim'; known are min and max"),
        ("numeric", "many", {}, "value: 'many' is not a number"),
        ("numeric", 1, {"tolerance": "x%"}, "tolerance: 'x' is not a number"),
        ("numeric", 1, {"tolerance": -1}, "tolerance: -1 is negative"),
        ("is-json", {"type": "nothing"}, {}, "the schema is not a JSON schema"),
        ("is-json", "file://none.json", {}, "the schema file 'none.json' cannot be read: No such file"),
        ("is-json", 3, {}, "needs a JSON schema as `value`, not 3"),
        ("cost", None, {}, "needs a `threshold` in dollars per call"),
        ("latency", None, {}, "needs a `threshold` in milliseconds"),
        ("python", None, {}, "needs the name of a function"),
        ("python", "output ==", {}, "is not Python: invalid syntax in line 1"),
        ("javascript", None, {}, "needs JavaScript as `value`"),
        ("javascript", "file://absent.js", {}, "'absent.js' does not exist"),
        ("javascript", "file://check.ts:f", {}, "is not JavaScript; compile TypeScript first"),
        ("bleu", ["a", 3], {}, "needs a text or a list of texts"),
        ("meteor", "a", {"alpha": "x"}, "alpha: 'x' is not a number"),
        ("sentence-count", {"min": 3, "max": 2}, {}, "min 3 is more than max 2"),
        ("is-sql", "MySQL", {}, "needs a mapping with databaseType"),
        ("is-sql", {"databaseType": "Access"}, {}, "'Access' is not one of"),
        ("is-sql", {"allowedTables": "users"}, {}, "'users' is not a list of texts"),
        ("is-xml", {"elements": []}, {}, "needs `requiredElements`"),
        ("finish-reason", None, {}, "needs a reason"),
        ("webhook", "ftp://a.test", {}, r"needs an http\(s\) address"),
        ("contains-any", 'a, "b', {}, "is not closed"),
        ("python", "no_such_module.f", {}, "cannot import 'no_such_module'"),
        ("python", "json.no_such_function", {}, "json has no function 'no_such_function'"),
        ("python", "file://none.py", {}, "the file 'none.py' does not exist"),
        ("contains", "a", {"treshold": 1}, "unknown key 'treshold'. Did you mean 'threshold'"),
        ("numeric", 1, {"tolerence": 1}, "unknown key 'tolerence'. Did you mean 'tolerance'"),
        ("contains", "a", {"transforms": "x"}, "unknown key 'transforms'"),
    ],
)  # fmt: skip
def test_an_assert_that_makes_no_sense_is_refused_before_anything_is_called(
    kind: str, value: Any, options: Any, message: str
) -> None:
    with pytest.raises(SuiteError, match=rf"^s\.yaml:7: assert {kind}: .*{message}"):
        check(kind, value, **options)


@pytest.mark.parametrize("kind", ["contain", "not-contain", "llm-opinion"])
def test_an_unknown_type_is_an_error_that_lists_the_known_ones(kind: str) -> None:
    with pytest.raises(SuiteError, match=rf"^s\.yaml:7: unknown assert type '{kind}'\.") as caught:
        check(kind, "x")
    assert all(name in str(caught.value) for name in registered("scorer"))
    if "contain" in kind:
        assert "Did you mean 'contains'" in str(caught.value)


def test_cost_is_judged_by_the_list_price_of_a_replay_too() -> None:
    limit = check("cost", threshold=0.001)
    cheap, dear, unpriced = (limit(subject("x", usd=usd)) for usd in ("0.001", "0.0011", None))
    assert cheap == Score("cost", 1.0, True)
    assert dear == Score("cost", 0.0, False, "$0.001100 is more than $0.001000")
    assert unpriced is not None
    assert not unpriced.passed
    assert "the model is unpriced; name a price with --price-as" in unpriced.explanation


@pytest.mark.parametrize("kind", ["latency", "not-latency"])
def test_the_latency_of_a_replay_is_not_judged(kind: str) -> None:
    limit = check(kind, threshold=200)
    assert limit(subject("x")) is None
    fast, slow = (limit(subject("x", duration_s=seconds)) for seconds in (0.2, 0.3))
    assert fast is not None
    assert slow is not None
    assert (fast.passed, slow.passed) == ((True, False) if kind == "latency" else (False, True))


def test_a_remote_reference_in_a_schema_is_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    import urllib.request

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    score = check("is-json", {"$ref": "https://example.invalid/s.json"})(subject("{}"))
    assert score is not None
    assert not score.passed
    assert "Unresolvable" in score.explanation
    assert "network" not in score.explanation


def test_a_pattern_that_runs_away_is_a_failed_score() -> None:
    for kind in ("regex", "not-regex"):
        score = check(kind, "(a|aa)+$")(subject("a" * 60 + "b"))
        assert score is not None
        assert not score.passed
        assert "ran longer than 1 s" in score.explanation


CHECKS = """\
from promptopt.values import Score
def truth(answer, context): return answer == context["vars"]["expected"]
def graded(answer, context): return len(answer) / 10
def mapping(answer, context): return {"pass": "a" in answer, "score": 0.25, "reason": "because"}
def score(answer, context): return Score("mine", 0.5, True, "")
def too_much(answer, context): return 7
def too_good(answer, context): return Score("mine", 7.0, True, "")
def nothing(answer, context): return None
def broken(answer, context): raise KeyError("oops")
def leaves(answer, context): raise SystemExit(0)
def whole(answer, context): return context["output"].startswith("x") and context["response"].model == "m"
def get_assert(answer, context): return True
"""


@pytest.mark.parametrize(
    ("function", "answer", "threshold", "expected"),
    [
        ("truth", "x", None, (1.0, True, "")),
        ("truth", "y", None, (0.0, False, "returned False")),
        ("graded", "x" * 5, None, (0.5, True, "")),
        ("graded", "x" * 4, None, (0.4, False, "scored 0.4")),
        ("graded", "x" * 4, 0.3, (0.4, True, "")),
        ("mapping", "a", None, (0.25, True, "because")),
        ("mapping", "b", None, (0.25, False, "because")),
        ("score", "b", None, (0.5, True, "")),
        ("whole", "x", None, (1.0, True, "")),
        ("too_much", "a" * 11, None, (0.0, False, "the scorer raised ValueError: returned the score 7.0, which is")),
        ("too_good", "a", None, (0.0, False, "the scorer raised ValueError: returned the score 7.0, which is")),
        ("nothing", "a", None, (0.0, False, "the scorer raised TypeError: returned None")),
        ("broken", "a", None, (0.0, False, "the scorer raised KeyError: 'oops'")),
        ("leaves", "a", None, (0.0, False, "the scorer raised SystemExit: 0")),
    ],
)  # fmt: skip
def test_a_function_of_ones_own(project, function: str, answer: str, threshold: Any, expected: Any) -> None:
    project.write({"own_checks.py": CHECKS})
    score = check("python", f"file://own_checks.py:{function}", threshold=threshold)(subject(answer, expected="x"))
    assert score is not None
    assert (score.name, score.value, score.passed) == ("python", *expected[:2])
    assert score.explanation.startswith(expected[2])


def test_a_function_is_found_by_its_dotted_name_in_the_current_folder(project, monkeypatch) -> None:
    import sys

    monkeypatch.setattr(sys, "path", [*sys.path])
    project.write({"dotted_checks.py": CHECKS, "broken_checks.py": "1 +", "raising_checks.py": "1 / 0"})
    for name in ("dotted_checks.truth", "dotted_checks:truth", "file://dotted_checks.py"):
        score = check("python", name)(subject("x", expected="x"))
        assert score is not None
        assert score.passed
    for name, error in (("broken_checks", "SyntaxError"), ("raising_checks", "ZeroDivisionError")):
        for written in (f"{name}.f", f"file://{name}.py"):
            with pytest.raises(SuiteError, match=rf"assert python: cannot import .*{error}"):
                check("python", written)


def test_json_scorers_look_at_the_whole_response_and_not_at_the_answer() -> None:
    response = Response("m", '{"a": "x"}')
    score = check("is-json")(Subject("x", response))
    assert score is not None
    assert score.passed


def suite(*cases: Case) -> Suite:
    return Suite("s", Path("s.yaml"), cases)


def test_without_an_answer_the_assert_fails_negated_or_not() -> None:
    asserts = tuple(Assertion(kind, negated, "x") for kind in ("contains", "equals") for negated in (False, True))
    checks = SuiteChecks(suite(Case("a", {}, (*asserts, Assertion("is-json")))))
    scored = checks.score("a", Response("m", "{}"), parse_answer("/x"), None)
    assert scored.answer is None
    assert [score.passed for score in scored.scores] == [False, False, False, False, True]
    assert scored.scores[0].explanation == "no answer: the response has nothing at /x"


def test_a_number_of_five_thousand_digits_is_no_lost_run() -> None:
    checks = SuiteChecks(suite(Case("a", {}, (Assertion("equals", value="x"),))))
    scored = checks.score("a", Response("m", "1" * 5000), parse_answer("/x"), None)
    assert not scored.passed


def test_weights_and_threshold_make_the_quality() -> None:
    good, bad = Assertion("contains", value="a", weight=3), Assertion("contains", value="b", weight=1)
    unweighted = Assertion("contains", value="c", weight=0)
    checks = SuiteChecks(
        suite(
            Case("all", {}, (good, bad)),
            Case("most", {}, (good, bad), threshold=0.75),
            Case("more", {}, (good, bad), threshold=0.76),
            Case("shown", {}, (good, unweighted)),
            Case("free", {}),
        )
    )
    results = {
        name: checks.score(name, Response("m", "a"), None, None) for name in ("all", "most", "more", "shown", "free")
    }
    assert {name: (result.quality, result.passed) for name, result in results.items()} == {
        "all": (0.75, False),
        "most": (0.75, True),
        "more": (0.75, False),
        "shown": (1.0, True),
        "free": (1.0, True),
    }


def test_what_cannot_be_judged_does_not_count() -> None:
    asserts = (Assertion("latency", threshold=1), Assertion("contains", value="a"))
    checks = SuiteChecks(suite(Case("a", {}, asserts)))
    replayed = checks.score("a", Response("m", "a"), None, None)
    live = checks.score("a", Response("m", "a", duration_s=1), None, None)
    assert (replayed.quality, replayed.passed, replayed.unjudged) == (1.0, True, 1)
    assert (live.quality, live.passed, live.unjudged) == (0.5, False, 0)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 1e3)), min_size=1),
    st.text("abc", max_size=3),
    st.none() | st.floats(0, 1),
)
def test_quality_is_between_0_and_1(asserts: list[tuple[str, bool, float]], text: str, threshold: float | None) -> None:
    made = tuple(Assertion("contains", negated, value, weight=weight) for value, negated, weight in asserts)
    scored = SuiteChecks(suite(Case("a", {}, made, threshold))).score("a", Response("m", text), None, None)
    assert 0 <= scored.quality <= 1 + 1e-12
    if threshold is not None:
        assert scored.passed is (scored.quality >= threshold)


def test_values_are_filled_with_the_cases_variables() -> None:
    asserts = (Assertion("equals", value="{{ want }}"), Assertion("contains-any", value=["{{ want }}", "z"]))
    checks = SuiteChecks(suite(Case("a", {"want": "x"}, asserts), Case("b", {"want": "y"}, asserts)))
    assert checks.score("a", Response("m", "x"), None, None).passed
    assert checks.score("b", Response("m", " y\n"), None, None).passed
    assert not checks.score("b", Response("m", "x"), None, None).passed


@pytest.mark.parametrize(
    ("kind", "value", "variable", "answer", "wrong"),
    [
        ("equals", "{{ want }}", True, "true", "True"),
        ("equals", "it is {{ want }}", None, "it is null", "it is None"),
        ("equals", "{{ want }}", 3.0, "3", "3.0"),
        ("equals", "{{ want }}", {"a": [1, 2]}, '{"a": [1, 2]}', '{"a": [2, 1]}'),
        ("contains-all", "{{ want }}", ["x", "y, z"], "y, z and x", "x, y"),
        ("python", "output == 'yes' and {{ want }}", True, "yes", "no"),
    ],
)
def test_variables_that_are_no_texts_are_compared_as_json_has_them(
    kind: str, value: str, variable: object, answer: str, wrong: str
) -> None:
    checks = SuiteChecks(suite(Case("a", {"want": variable}, (Assertion(kind, value=value),))))
    assert checks.score("a", Response("m", answer), None, None).passed
    assert not checks.score("a", Response("m", wrong), None, None).passed


def test_a_list_is_no_text_that_an_answer_contains() -> None:
    case = Case("a", {"want": ["x", "y"]}, (Assertion("contains", value="{{ want }}"),))
    with pytest.raises(SuiteError, match=r"assert contains: needs a text as `value`, not \['x', 'y'\]"):
        SuiteChecks(suite(case))


@pytest.mark.parametrize(
    "value", ["{{ missing }}", "{{ 1 / 0 }}", "{{ want.__class__.__mro__ }}", "{{ want", "{{ a|b }}"]
)
def test_a_value_that_cannot_be_filled_is_refused(value: str) -> None:
    with pytest.raises(SuiteError, match=r"^s\.yaml:3: assert equals: "):
        SuiteChecks(suite(Case("a", {"want": "x"}, (Assertion("equals", value=value, line=3),))))


def test_two_schemas_of_one_suite_are_two_schemas(project) -> None:
    from promptopt import load_suite

    project.write(
        {
            "s.yaml": """\
tests:
- {description: a, assert: [{type: is-json, value: {type: object}}, {type: word-count, value: {max: 3}}]}
- {description: b, assert: [{type: is-json, value: {type: array}}, {type: word-count, value: {min: 4}}]}
"""
        }
    )
    checks = SuiteChecks(load_suite("s.yaml"))
    passed = {
        (name, text): [score.passed for score in checks.score(name, Response("m", text), None, None).scores]
        for name in "ab"
        for text in ("{}", json.dumps([1, 2, 3, 4]))
    }
    assert passed == {
        ("a", "{}"): [True, True],
        ("a", "[1, 2, 3, 4]"): [False, False],
        ("b", "{}"): [False, False],
        ("b", "[1, 2, 3, 4]"): [True, True],
    }


def test_an_answer_that_comes_again_has_the_same_score_and_another_has_its_own() -> None:
    made, why = check("not-contains", "sorry"), "expected not to hold: contains 'sorry'"
    answers = ["sorry", "fine", "sorry", "fine"] * 300
    answers += [f"fine {number}" for number in range(600)] + ["so sorry" * 200] * 2
    for answer in answers:
        score = made(subject(answer))
        assert score == Score("not-contains", *((1.0, True, "") if "sorry" not in answer else (0.0, False, why)))


def test_an_answer_that_a_transform_changes_is_scored_by_what_it_becomes() -> None:
    made = check("contains", "3", transform="context.vars.x")
    assert [made(subject("same", x=x)).passed for x in ("3", "4", "3")] == [True, False, True]
