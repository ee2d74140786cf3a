"""Quality in parts: of each assert, each metric, and the cases of each label."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from promptopt import Comparison, Request, Response, Usage, compare, load_suite
from promptopt.errors import ProviderError, SuiteError, UsageError
from promptopt.experiment.breakdown import NO_LABEL, ScorePart, compare_parts, looks, parts_of
from promptopt.experiment.runs import Answered, Run
from promptopt.experiment.text import case_differences
from promptopt.scorers import CaseScore, SuiteChecks
from promptopt.values import Score

HEAD = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\n---\n"
LONG, SHORT = HEAD + "Please be so kind as to answer: {{ q }}", HEAD + "{{ q }}"

Says = Callable[[bool, str, int], str]
"""The answer to a case: whether the short prompt asks, the case's name, the repetition."""


class Scripted:
    def __init__(self, says: Says) -> None:
        self._says = says

    def complete(self, request: Request) -> Response:
        short = not request.messages[0].content.startswith("Please")
        text = self._says(short, request.origin.case, request.sample)
        return Response(request.model, text, usage=Usage(10 if short else 30, output_tokens=3), duration_s=0.2)

    def close(self) -> None:
        pass


@pytest.fixture
def suite(project) -> Callable[[list[dict[str, object]]], Path]:
    """Writes the cases of two prompts, ``ask@v1`` and the shorter ``ask@v2``."""
    project.write({"prompts/ask/v1.j2": LONG, "prompts/ask/v2.j2": SHORT})

    def write(cases: list[dict[str, object]]) -> Path:
        project.write({"suites/ask.jsonl": "".join(json.dumps(case) + "\n" for case in cases)})
        return project.root

    return write


def two_languages() -> list[dict[str, object]]:
    """160 cases; every fourth is German."""
    return [
        {
            "description": f"c{n:03}",
            "vars": {"q": f"question {n}"},
            "metadata": {"language": "de" if n % 4 == 0 else "en"},
            "assert": [{"type": "contains", "value": "yes"}],
        }
        for n in range(160)
    ]


def german_is_lost(short: bool, case: str, _repetition: int) -> str:
    number = int(case[1:])
    if number % 4 == 0:
        return "no" if short else "yes"
    return "yes" if short or number % 3 else "no"


def ask(says: Says, **options: object) -> Comparison:
    return compare("ask@v1", "ask@v2", provider=Scripted(says), **options)


def rows(compared: Comparison) -> dict[str, dict[str, object]]:
    return {f"{row['by']} {row['name']}": row for row in compared.to_dict()["breakdown"]}


def test_a_loss_in_one_group_that_the_whole_hides_is_said_beside_the_verdict(suite) -> None:
    suite(two_languages())
    shown = str(ask(german_is_lost, by="language"))
    assert "but language de is worse: -100.0 points (40 worse, 0 better of 40)" in shown
    found = rows(ask(german_is_lost, by=["language"]))
    assert (found["language de"]["shown"], found["language en"]["shown"]) == ("worse", "better")
    assert found["language de"]["high"] < 0 < found["language en"]["low"]
    assert (found["language de"]["cases"], found["language en"]["cases"]) == (40, 120)
    assert {row["looks"] for row in found.values()} == {2}
    assert "2 looks beside the verdict's: p-values are Holm-corrected" in shown
    # Without the key nobody looks, and nothing is said.
    assert "language" not in str(ask(german_is_lost))


def test_every_line_of_a_table_fits_into_80_columns(suite) -> None:
    cases = two_languages()
    for case in cases:
        case["metadata"] = {"language": "a language with a long name, " * 4 + str(case["metadata"])}
        case["assert"] = [{"type": "icontains", "value": "yes " * 40}, {"type": "contains", "value": "yes"}]
    suite(cases)
    shown = str(ask(german_is_lost, by="language", trials=2))
    tables = [part for part in shown.split("\n\n") if "\n---" in part]
    assert len(tables) == 4
    lines = [line for part in tables for line in part.splitlines() if not line.startswith(("  ", "ask@v2 against"))]
    assert max(map(len, lines)) <= 80


def test_asserts_are_parts_by_what_is_written_and_by_type_if_that_differs(suite) -> None:
    suite(
        [
            {
                "description": f"c{n}",
                "vars": {"q": str(n)},
                "assert": [
                    {"type": "not-contains", "value": "sorry"},
                    {"type": "contains", "value": f"one {n}"},
                    {"type": "contains", "value": f"two {n}"},
                ],
            }
            for n in range(6)
        ]
    )
    found = rows(ask(lambda short, case, _: f"one {case[1:]}" if short else f"sorry, one {case[1:]} two {case[1:]}"))
    assert set(found) == {"assert not-contains sorry", "assert contains"}
    assert (found["assert contains"]["baseline_quality"], found["assert contains"]["candidate_quality"]) == (1, 0.5)
    assert found["assert not-contains sorry"]["difference"] == 1
    # Six of six cases are better, which is too few for two looks.
    assert found["assert not-contains sorry"]["shown"] == "not worse"
    assert found["assert contains"]["shown"] == "unclear"


def test_scores_of_a_metric_are_weighted_and_its_name_may_be_a_variable(suite) -> None:
    suite(
        [
            {
                "description": f"c{n}",
                "vars": {"q": str(n), "kind": "odd" if n % 2 else "even"},
                "assert": [
                    {"type": "contains", "value": "yes", "metric": "is {{ kind }}", "weight": 3},
                    {"type": "contains", "value": "please", "metric": "is {{ kind }}"},
                    {"type": "contains", "value": "nothing", "metric": "free", "weight": 0},
                ],
            }
            for n in range(4)
        ]
    )
    found = rows(ask(lambda short, _case, _: "yes" if short else "please"))
    assert [found[f"metric is {kind}"]["cases"] for kind in ("odd", "even")] == [2, 2]
    assert found["metric is odd"]["baseline_quality"] == 0.25
    assert found["metric is odd"]["candidate_quality"] == 0.75
    assert found["metric free"]["difference"] == 0


@pytest.mark.parametrize(
    ("metric", "message"), [(["a"], r"metric: \['a'\] is not a name"), ("{{ no }}", "'no' is undefined")]
)
def test_a_metric_that_is_not_a_name_is_an_error_before_any_call(suite, metric: object, message: str) -> None:
    suite([{"description": "c1", "vars": {"q": "1"}, "assert": [{"type": "contains", "value": "a", "metric": metric}]}])
    with pytest.raises(SuiteError, match=message):
        ask(lambda *_: pytest.fail("asked"))


def parts(suite_name: str, *keys: str) -> tuple[ScorePart, ...]:
    loaded = load_suite(suite_name)
    return parts_of(loaded, SuiteChecks(loaded), keys)


def test_labels_are_metadata_or_variables_and_a_list_holds_several(suite) -> None:
    base = {"assert": [{"type": "contains", "value": "a"}]}
    suite(
        [
            {"description": "c1", "vars": {"q": "1", "lang": "de"}, "metadata": {"tags": ["slow", "new"]}, **base},
            {"description": "c2", "vars": {"q": "2", "lang": "en"}, "metadata": {"tags": "new", "level": 2}, **base},
            {"description": "c3", "vars": {"q": "3"}, "metadata": {"level": True}, **base},
        ]
    )
    named = {(part.by, part.name): sorted(part.members) for part in parts("ask", "tags", "lang", "level")}
    assert named["tags", "new"] == ["c1", "c2"]
    assert named["tags", NO_LABEL] == ["c3"]
    assert named["lang", "de"] == ["c1"]
    assert sorted(name for by, name in named if by == "level") == [NO_LABEL, "2", "true"]


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [
        ([10, 2, "1", None, -3.5], ["-3.5", "1", "2", "10", NO_LABEL]),
        (["10", 2, "v1"], ["10", "2", "v1"]),
        (["nan", 10, 2], ["10", "2", "nan"]),
        ([True, False], ["false", "true"]),
    ],
)
def test_groups_are_in_the_order_of_their_numbers_if_all_have_one(
    suite, labels: list[object], ordered: list[str]
) -> None:
    root = suite(
        [
            {"description": f"c{n}", "vars": {"q": "q"}, "metadata": {} if label is None else {"size": label}}
            for n, label in enumerate(labels)
        ]
    )
    loaded = load_suite(root / "suites/ask.jsonl")
    assert [part.name for part in parts_of(loaded, SuiteChecks(loaded), ["size"])] == ordered


def test_a_key_that_no_case_has_is_an_error_before_any_call(suite) -> None:
    suite(two_languages())
    with pytest.raises(
        UsageError,
        match=r"no case has metadata or a variable of that name\. Did you mean 'language'\? Known: language, q",
    ):
        ask(lambda *_: pytest.fail("asked"), by="lang")
    suite([{**two_languages()[0], "metadata": {"language": {"code": "de"}}}])
    with pytest.raises(UsageError, match=r"\{'code': 'de'\} of case 'c000' is not a text or a number"):
        ask(lambda *_: pytest.fail("asked"), by="language")


def test_parts_of_the_same_scores_are_one_look_and_the_whole_is_none(suite) -> None:
    suite(
        [{**case, "metadata": {**case["metadata"], "twin": case["metadata"]["language"]}} for case in two_languages()]
    )
    asked = parts("ask", "language", "twin")
    assert [(part.by, part.whole) for part in asked] == [
        *[("assert", True), ("language", False), ("language", False)],
        *[("twin", False), ("twin", False)],
    ]
    assert looks(asked) == 2


def test_a_part_of_all_scores_says_what_the_verdict_says(suite) -> None:
    suite(two_languages())
    compared = ask(german_is_lost)
    (pair,) = compared.pairs
    (row,) = pair.parts
    assert row.difference.p_value == pair.differences[0].p_value
    assert row.evidence.p_loss == pair.decision.reasons[1].evidence.p_loss
    assert pair.looks == 0


def test_the_same_requests_have_the_same_quality_in_every_part(suite) -> None:
    suite(two_languages())
    compared = compare("ask@v1", "ask@v1", provider=Scripted(german_is_lost), by="language")
    (pair,) = compared.pairs
    assert pair.decision.verdict == "equivalent"
    # Few equal answers say little, equal requests everything.
    assert {(each.low, each.high, each.exact) for each in pair.differences} == {(0, 0, True)}
    assert {(part.quality, part.difference.low, part.difference.high) for part in pair.parts} == {("same", 0, 0)}


def runs_of(before: dict[str, float], after: dict[str, float]) -> list[Run]:
    """Two runs with one score for each case."""
    return [
        Run(
            None,
            tuple(
                Answered(
                    *(case, 0, case, 0, None, None),
                    CaseScore(value, value == 1, (Score("equals", value, value == 1),), "", asserts=(0,)),
                )
                for case, value in of_run.items()
            ),
        )
        for of_run in (before, after)
    ]


@pytest.mark.parametrize("values", [(0.0, 1.0), (0.0, 0.3, 0.9, 1.0, 1.0, 1.0)], ids=["binary", "graded"])
def test_of_equal_prompts_hardly_ever_any_of_many_parts_is_called_better_or_worse(values: tuple[float, ...]) -> None:
    random = Random(5)
    groups = {f"g{group}": {f"g{group}-{n}": None for n in range(12)} for group in range(6)}
    asked = [ScorePart("group", name, members, whole=False) for name, members in groups.items()]
    cases = [case for members in groups.values() for case in members]
    false = 0
    for _ in range(100):
        before, after = runs_of(*({case: random.choice(values) for case in cases} for _ in range(2)))
        (found,) = compare_parts(asked, before, [after], [False], [1], 0.02)
        false += any(part.quality in ("better", "worse") for part in found)
    # 2.5% of 100, and three standard errors.
    assert false <= 7


def test_intervals_of_many_parts_hold_together() -> None:
    random = Random(6)
    true = {f"g{group}": 0.5 + 0.04 * group for group in range(5)}
    members = {name: {f"{name}-{n}": None for n in range(25)} for name in true}
    asked = [ScorePart("group", name, of_group, whole=False) for name, of_group in members.items()]
    missed = 0
    for _ in range(80):
        before = {case: float(random.random() < 0.5) for of_group in members.values() for case in of_group}
        after = {case: float(random.random() < true[name]) for name, of_group in members.items() for case in of_group}
        one, other = runs_of(before, after)
        (found,) = compare_parts(asked, one, [other], [False], [1], 0.02)
        missed += any(not p.difference.low <= true[p.name] - 0.5 <= p.difference.high for p in found)
    assert missed <= 6


def test_repetitions_that_agree_are_counted_by_case(suite) -> None:
    suite(two_languages()[:10])

    def says(short: bool, case: str, repetition: int) -> str:
        number = int(case[1:])
        if short and number < 4:
            return "yes" if repetition else "no"
        return f"yes {repetition}" if short and number < 7 else "yes"

    first, second = ask(says, trials=2).variants
    assert (first.repeated, first.same_answer, first.same_result) == (10, 1, 1)
    assert (second.repeated, second.same_answer, second.same_result) == (10, pytest.approx(0.3), pytest.approx(0.6))
    assert ask(says).variants[0].same_answer is None
    shown = str(ask(says, trials=2))
    assert "repetitions agree  cases  same answer  all pass or all fail" in shown


def test_latency_is_of_live_calls_and_its_95th_percentile_needs_twenty(suite) -> None:
    class Slow(Scripted):
        def complete(self, request: Request) -> Response:
            response = super().complete(request)
            number = int(request.origin.case[1:])
            return Response(response.model, "yes", usage=response.usage, duration_s=(number + 1) / 100)

    suite(two_languages()[:20])
    (live,) = compare("ask@v1", provider=Slow(german_is_lost)).variants
    assert (live.timed, live.latency_ms, live.latency_p95_ms) == (20, pytest.approx(105), pytest.approx(190))
    assert "ask@v1: latency p50 105 ms, p95 190 ms of 20 live calls" in str(
        compare("ask@v1", provider=Slow(german_is_lost))
    )
    (replayed,) = compare("ask@v1", record="none").variants
    assert (replayed.timed, replayed.latency_ms, replayed.latency_p95_ms) == (0, None, None)
    assert "latency" not in str(compare("ask@v1", record="none"))
    suite(two_languages()[:19])
    (few,) = compare("ask@v1", provider=Slow(german_is_lost)).variants
    assert (few.timed, few.latency_p95_ms) == (19, None)


def test_a_single_prompt_has_the_quality_of_each_part(suite) -> None:
    suite(two_languages())
    compared = compare("ask@v1", provider=Scripted(german_is_lost), by="language")
    means = {(part.by, part.name): part for part in compared.parts}
    german, english = means["language", "de"], means["language", "en"]
    assert (german.cases, german.quality, german.high) == (40, 1, 1)
    assert english.quality == pytest.approx(80 / 120)
    assert english.low < english.quality < english.high < german.low
    assert "language de             40   100.0%  " in str(compared)
    assert {row["prompt"] for row in compared.to_dict()["parts"]} == {"ask@v1"}


def test_an_incomplete_comparison_shows_nothing_of_any_part(suite) -> None:
    def says(short: bool, case: str, repetition: int) -> str:
        if case < "c010":
            raise ProviderError("the endpoint answered 503: busy")
        return german_is_lost(short, case, repetition)

    suite(two_languages())
    compared = ask(says, by="language")
    assert compared.incomplete
    assert {row["shown"] for row in rows(compared).values()} == {"unclear"}
    assert "is worse" not in str(compared)


def test_cases_that_pass_in_some_repetitions_only_are_named(suite) -> None:
    suite(two_languages()[:5])
    compared = ask(lambda short, case, n: "no" if short and case == "c003" and n else "yes", trials=2)
    listed = case_differences(compared.runs)
    assert listed.startswith("1 of 10 answers differ\n\nc003 (repetition 1)\n")
    assert "ask@v2 passes 1 in some repetitions only: c003" in listed
    never = ask(lambda *_: "no", trials=2)
    assert "5 fail with every prompt: c000, c001, c002, c003, c004\n" in case_differences(never.runs)


def test_the_reason_of_an_assert_that_holds_is_not_why_an_answer_failed(suite) -> None:
    score = CaseScore(0.5, False, (Score("python", 1, True, "it has a banana"), Score("equals", 0, False, "no")), "a")
    assert Answered("c", 0, "", 0, None, None, score).complaint == "no"


def twenty_questions(times: int) -> list[dict[str, object]]:
    """Each question is asked by so many cases; half of the questions are German."""
    return [
        {
            "description": f"{question}-{copy}",
            "vars": {"q": f"question {question}"},
            "metadata": {"language": "de" if question % 2 else "en"},
            "assert": [{"type": "contains", "value": "yes"}],
        }
        for question in range(20)
        for copy in range(times)
    ]


def test_cases_that_ask_the_same_show_no_more_than_one_of_them(suite) -> None:
    def says(short: bool, case: str, _repetition: int) -> str:
        return "yes" if short or int(case.partition("-")[0]) > 0 else "no"

    suite(twenty_questions(times=1))
    once = ask(says, by="language")
    suite(twenty_questions(times=4))
    again = ask(says, by="language")
    assert once.pairs[0].decision.verdict == again.pairs[0].decision.verdict == "inconclusive"
    kept = ("comparisons", "breakdown")
    assert [once.to_dict()[part] for part in kept] == [again.to_dict()[part] for part in kept]
    note = "note: 60 of 80 cases ask the same as another one, and are one case with it"
    assert note in str(again)
    assert "ask the same" not in str(once)


def test_a_single_prompt_and_a_front_count_a_question_once(suite) -> None:
    suite(twenty_questions(times=1))
    alone, three = (
        compare(*prompts, provider=Scripted(lambda short, case, _: "yes" if case > "1" else "no"), model=models)
        for prompts, models in ((["ask@v1"], None), (["ask@v1"], ["gpt-4o", "gpt-4o-mini", "gpt-4.1"]))
    )
    suite(twenty_questions(times=4))
    alone_again, three_again = (
        compare(*prompts, provider=Scripted(lambda short, case, _: "yes" if case > "1" else "no"), model=models)
        for prompts, models in ((["ask@v1"], None), (["ask@v1"], ["gpt-4o", "gpt-4o-mini", "gpt-4.1"]))
    )
    assert alone.parts == alone_again.parts
    assert three.frontier == three_again.frontier
