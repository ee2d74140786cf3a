"""Reports of what went wrong: failed calls, broken scorers, names that a format does not allow."""

import gc
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptopt import Comparison, Request, Response, Usage, compare
from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.experiment.report.html import comparison_page
from promptopt.experiment.report.write import comparison_json, write_report
from promptopt.experiment.text import case_differences, change_text, interval_text, reason_text
from promptopt.experiment.verdict import CostEvidence, Difference
from promptopt.webpage.blocks import CasesBlock

HEAD = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\n---\n"

BROKEN = """
def raises(answer, context):
    raise KeyError("tone")

def no_number(answer, context):
    return float("nan")

def for_no(answer, context):
    return {"no": None}.get(answer, True)
"""

Says = Callable[[bool, str], str]
"""The answer to a case, given whether the short prompt asks; it may raise a ProviderError."""


class Scripted:
    def __init__(self, says: Says) -> None:
        self._says = says

    def complete(self, request: Request) -> Response:
        short = not request.messages[0].content.startswith("Please")
        text = self._says(short, request.origin.case)
        return Response(request.model, text, usage=Usage(10 if short else 30, output_tokens=3), duration_s=0.2)

    def close(self) -> None:
        pass


@pytest.fixture
def prompts(project) -> Path:
    """Two prompts and a longer one; suites are written by the tests."""
    project.write(
        {
            "prompts/ask/v1.j2": HEAD + "Please answer: {{ q }}",
            "prompts/ask/v2.j2": HEAD + "{{ q }}",
            "prompts/ask/v3.j2": HEAD + "{{ q }}!",
            "suites/checks.py": BROKEN,
        }
    )
    return project.root


def asked(
    root: Path, names: list[str], says: Says, check: dict[str, object] | None = None, **options: object
) -> Comparison:
    """The comparison over cases of these names."""
    assertion = check or {"type": "contains", "value": "yes"}
    cases = [
        {"description": name, "vars": {"q": f"question {n}"}, "assert": [assertion]} for n, name in enumerate(names)
    ]
    (root / "suites/ask.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    prompts = options.pop("prompts", ("ask@v1", "ask@v2"))
    return compare(*prompts, provider=Scripted(says), **options)


def junit(compared: Comparison, root: Path) -> ET.Element:
    write_report(compared, root / "report.xml")
    return ET.parse(root / "report.xml").getroot()


CASES = [f"c{n:02}" for n in range(40)]


def test_two_regressions_are_two_failures_and_repetitions_are_test_cases_of_their_own(prompts: Path) -> None:
    compared = asked(
        prompts, CASES, lambda short, _: "no" if short else "yes", prompts=("ask@v1", "ask@v2", "ask@v3"), trials=2
    )
    root = junit(compared, prompts)
    suites = {suite.get("name"): suite for suite in root}
    for suite in suites.values():
        for counted, kind in (("failures", "failure"), ("errors", "error")):
            assert int(suite.get(counted)) == len(suite.findall(f"testcase/{kind}"))
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        named = [(case.get("classname"), case.get("name")) for case in suite]
        assert len(set(named)) == len(named)
    assert suites["verdicts"].get("failures") == "2"
    assert suites["ask@v1"].get("tests") == "80"
    assert "c00 (repetition 1)" in {case.get("name") for case in suites["ask@v1"]}
    assert "97.5% interval" in suites["verdicts"].find("testcase/system-out").text


def test_an_incomplete_comparison_is_an_error_in_junit(prompts: Path) -> None:
    def says(short: bool, case: str) -> str:
        if short and case < "c10":
            raise ProviderError("the endpoint answered 503: try again")
        return "yes"

    verdicts = {suite.get("name"): suite for suite in junit(asked(prompts, CASES, says), prompts)}["verdicts"]
    assert (verdicts.get("errors"), verdicts.get("failures")) == ("1", "0")
    assert "10 of 40 calls failed" in verdicts.find("testcase/error").get("message")


names = st.text(st.characters(), min_size=1, max_size=20)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names, error=names)
def test_every_report_is_well_formed_whatever_cases_and_errors_are_called(prompts: Path, name: str, error: str) -> None:
    def says(short: bool, case: str) -> str:
        if case == "fails":
            raise ProviderError(error)
        return "no" if short else "yes"

    # The name of a suite's case is its description as it is; recordings are not what this is about.
    compared = asked(prompts, ["fails", "other", f"x{name}"], says, max_failed=50)
    root = junit(compared, prompts)
    assert len(root.findall("testsuite/testcase")) == 7
    assert json.loads(comparison_json(compared)) == compared.to_dict()
    comparison_json(compared).encode()
    for line in (*str(compared).splitlines(), *case_differences(compared.runs).splitlines()):
        assert line.isprintable(), line
    for ending in ("md", "csv", "html"):
        write_report(compared, prompts / f"report.{ending}")
        (prompts / f"report.{ending}").read_text()


def test_text_that_looks_like_a_fence_does_not_end_the_code_of_the_markdown_report(prompts: Path) -> None:
    def says(_short: bool, case: str) -> str:
        if case == "c01":
            raise ProviderError("an answer of ```` and ```")
        return "yes"

    write_report(asked(prompts, CASES, says, max_failed=50), prompts / "report.md")
    fences = re.findall(r"^`{3,}.*$", (prompts / "report.md").read_text(), re.MULTILINE)
    assert fences == ["`````text", "`````"]


def test_failed_calls_are_counted_by_reason_without_what_varies(prompts: Path) -> None:
    def says(_short: bool, case: str) -> str:
        number = int(case[1:])
        if number < 20:
            raise ProviderError(
                f"answered {503 if number % 4 else 429}: try again in {number / 7:.2f}s (id req-{number}f)"
            )
        return "yes"

    shown = str(asked(prompts, CASES, says))
    assert "  15 x answered 503: try again in 0.14s (id req-1f) (c01, c02, c03 and 12 more)" in shown
    assert "  5 x answered 429: try again in 0.00s (id req-0f) (c00, c04, c08 and 2 more)" in shown


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("raises", "the scorer raised KeyError: 'tone'"),
        ("no_number", "the scorer raised ValueError: returned the score nan, which is not between 0 and 1"),
    ],
)
def test_a_scorer_that_is_broken_on_both_sides_is_shown_with_its_count_and_decides_nothing(
    prompts: Path, function: str, error: str
) -> None:
    check = {"type": "python", "value": f"file://checks.py:{function}"}
    compared = asked(prompts, CASES, lambda *_: "yes", check)
    shown = str(compared)
    for prompt in ("ask@v1", "ask@v2"):
        assert f"{prompt}: no score for 40 of 40 answers" in shown
    assert shown.count(f"  40 x python: {error} (c00, c01, c02 and 37 more)") == 2
    (pair,) = compared.pairs
    assert pair.decision.verdict == "inconclusive"
    assert "no case has an assert that both prompts were judged by: quality is not known" in pair.reasons
    assert [variant.scorer_errors for variant in compared.variants] == [40, 40]
    assert len(compared.to_dict()["scorer_errors"]) == 80
    write_report(compared, prompts / "report.html")
    assert "no score for 40 of 40 answers" in (prompts / "report.html").read_text()


def test_a_scorer_that_breaks_on_the_answers_of_one_prompt_counts_against_it(prompts: Path) -> None:
    check = {"type": "python", "value": "file://checks.py:for_no"}
    compared = asked(prompts, CASES, lambda short, _: "no" if short else "yes", check)
    assert compared.pairs[0].decision.verdict == "regressed"
    assert [variant.scorer_errors for variant in compared.variants] == [0, 40]


def test_the_page_and_the_list_of_cases_have_those_that_fail_with_every_prompt(prompts: Path) -> None:
    def says(short: bool, case: str) -> str:
        if case == "c02":
            raise ProviderError("no answer at all")
        return "no" if case == "c00" or (short and case == "c01") else "yes"

    compared = asked(prompts, CASES, says, max_failed=50)
    blocks = [block for section in comparison_page(compared).sections for block in section.blocks]
    (cases,) = (block for block in blocks if isinstance(block, CasesBlock))
    assert cases.names[:4] == ["c00", "c01", "c02", "c03"]
    assert [answers.states[:4] for answers in cases.answers] == [["f", "p", "e", "p"], ["f", "f", "e", "p"]]
    assert cases.answers[0].texts[2] == "no answer at all"
    listed = case_differences(compared.runs)
    assert listed.startswith("1 of 40 cases differ\n\nc01\n")
    assert listed.endswith("2 fail with every prompt: c00, c02\n")


def test_a_page_of_cases_without_asserts_shows_no_numbers_that_are_not_known(prompts: Path) -> None:
    (prompts / "suites/ask.jsonl").write_text('{"description": "a", "vars": {"q": "1"}}\n{"vars": {"q": "2"}}\n')
    compared = compare("ask@v1", "ask@v2", provider=Scripted(lambda *_: "yes"))
    write_report(compared, prompts / "report.html")
    page = (prompts / "report.html").read_text()
    assert page.count('<td data-label="quality">-</td><td data-label="pass rate">-</td>') == 2


def test_a_provider_that_retries_by_itself_is_asked_to_leave_that_to_the_run(prompts: Path) -> None:
    class Once(Scripted):
        asked = 0

        def complete(self, request: Request) -> Response:
            type(self).asked += 1
            if self.asked <= 2:
                raise ProviderError("busy")
            return super().complete(request)

    class Insisting(Once):
        retries = 3

        def complete(self, request: Request) -> Response:
            raise AssertionError("it is not asked itself")

        def without_retries(self) -> Once:
            return Once(lambda *_: "yes")

    asked(prompts, ["c00"], lambda *_: "yes")
    (variant,) = compare("ask@v1", provider=Insisting(lambda *_: "yes")).variants
    assert (variant.errors, Once.asked) == (0, 3)
    # One that says nothing of retries is asked again only if the run is to.
    Once.asked = 0
    with pytest.raises(ProviderUnusable, match="not one of 1 calls was answered"):
        compare("ask@v1", provider=Once(lambda *_: "yes"))
    Once.asked = 0
    assert compare("ask@v1", provider=Once(lambda *_: "yes"), retries=2).variants[0].errors == 0


@pytest.mark.parametrize("metric", ["quality", "pass_rate", "input_tokens", "output_tokens", "usd_per_1k_calls"])
@pytest.mark.parametrize("size", [1e-12, 4e-6, 4e-5])
def test_a_difference_that_is_shown_as_nothing_has_no_minus(metric: str, size: float) -> None:
    difference = Difference(metric, -size, -size, size)
    shown = f"{change_text(difference)} {interval_text(difference)}"
    assert not re.search(r"-\$?0\.0+(?![0-9])", shown), shown


def test_few_passes_are_not_called_few_cases() -> None:
    assert interval_text(Difference("usd_per_pass", 0.1)) == "too few passes"
    assert interval_text(Difference("quality", 0.1)) == "too few cases"


def test_a_replayed_comparison_keeps_no_rendered_messages(prompts: Path) -> None:
    asked(prompts, [f"case {n}" for n in range(30)], lambda _short, _case: "yes", record="all")
    gc.collect()
    before = sum(isinstance(each, Request) for each in gc.get_objects())
    compared = compare("ask@v1", "ask@v2", record="none")
    after = sum(isinstance(each, Request) for each in gc.get_objects())
    assert [len(run.answered) for run in compared.runs] == [30, 30]
    assert {len(trial.request_sha256) for run in compared.runs for trial in run.trials} == {64}
    assert after <= before


def test_a_change_of_tokens_or_dollars_too_small_to_show_has_no_minus() -> None:
    tokens = [Difference(metric, -0.01) for metric in ("usd_per_1k_calls", "input_tokens", "output_tokens")]
    seen = CostEvidence("same", replace(tokens[0], difference=None), *tokens[1:], 0.0, 0.02, bounded=True)
    assert reason_text(seen) == "unpriced; input tokens +0.0 a call and output tokens +0.0 a call: same"
    assert "(+0.0%)" in reason_text(replace(seen, usd_per_1k_calls=tokens[0], baseline_usd=1e3))
