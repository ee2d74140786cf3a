"""Comparisons from end to end: real prompts and suites on disk, answers from a provider of the test's own."""

import csv
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from browser import data_of

from promptopt import Comparison, Request, Response, Usage, compare, load_prompt, load_suite
from promptopt.config import load_config
from promptopt.errors import CostLimitError, ProviderError, ProviderUnusable, RecordingError, UsageError
from promptopt.experiment.plan import make_plans
from promptopt.experiment.report.write import write_report
from promptopt.experiment.runner import run_plans
from promptopt.experiment.variant import make_variant
from promptopt.providers.recordings import RecordingFile, RecordingFiles
from promptopt.scorers import SuiteChecks

V1 = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\n---\nPlease be so kind as to add one to {{ n }}. Thank you!"
V2 = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\n---\n{{ n }} + 1 ="


class Adder:
    """Answers like a model that can add; ``wrong`` says for which requests it cannot."""

    def __init__(self, wrong: Callable[[Request], bool] = lambda request: False) -> None:
        self.wrong = wrong
        self.asked: list[Request] = []

    def complete(self, request: Request) -> Response:
        self.asked.append(request)
        number = int("".join(c for c in request.messages[0].content.split("+")[0] if c.isdigit()))
        text = "no idea" if self.wrong(request) else f"The answer is {number + 1}"
        return Response(
            request.model, text, usage=Usage(len(request.messages[0].content), output_tokens=5), duration_s=0.1
        )

    def close(self) -> None:
        pass


@pytest.fixture
def adding(project) -> Path:
    """Two prompts and 200 sums."""
    cases = [
        {"description": f"{n:03}", "vars": {"n": n}, "assert": [{"type": "regex", "value": f"\\b{n + 1}\\b"}]}
        for n in range(200)
    ]
    project.write(
        {
            "prompts/add/v1.j2": V1,
            "prompts/add/v2.j2": V2,
            "suites/add.jsonl": "".join(json.dumps(case) + "\n" for case in cases),
        }
    )
    return project.root


def reassert(root: Path, *asserts: dict[str, object]) -> None:
    """Give every case these asserts instead of its own."""
    suite = root / "suites/add.jsonl"
    cases = [{**json.loads(line), "assert": asserts} for line in suite.read_text().splitlines()]
    suite.write_text("".join(json.dumps(case) + "\n" for case in cases))


def answers_on_disk(root: Path) -> list[str]:
    """The lines of all recordings."""
    return [line for file in root.glob("suites/add/recordings/add/*.jsonl") for line in file.read_text().splitlines()]


def recorded(wrong: Callable[[Request], bool] = lambda request: False) -> Comparison:
    return compare("add@v1", "add@v2", provider=Adder(wrong))


def test_a_terse_prompt_with_the_same_answers_improves(adding: Path) -> None:
    compared = recorded()
    (pair,) = compared.pairs
    assert pair.decision.verdict == "improved"
    first, second = compared.variants
    assert (first.quality, first.pass_rate, second.pass_rate) == (1, 1, 1)
    # The provider measured with the priced model's tokenizer: its counts are what is priced.
    assert second.basis == ("measured",)
    assert second.input_tokens == pytest.approx(sum(len(f"{n} + 1 =") for n in range(200)) / 200)
    expected = (second.input_tokens * 0.15 + 5 * 0.6) / 1_000_000
    assert second.usd_per_1k_calls == pytest.approx(expected * 1000)
    assert second.usd_per_pass == pytest.approx(expected)


def test_what_a_pass_costs_is_of_the_cases_that_can_pass(adding: Path) -> None:
    suite = adding / "suites/add.jsonl"
    cases = [json.loads(line) for line in suite.read_text().splitlines()]
    plain = [{key: value for key, value in case.items() if key != "assert"} for case in cases[100:]]
    suite.write_text("".join(json.dumps(case) + "\n" for case in [*cases[:100], *plain]))
    found = recorded()
    first, second = found.variants
    assert (first.pass_rate, second.pass_rate) == (1, 1)
    judged = [trial for trial in found.runs[1].answered if trial.score.scores]
    assert second.usd_per_pass == pytest.approx(float(sum(trial.cost.total_usd for trial in judged)) / 100)
    (row,) = [each for each in found.pairs[0].differences if each.metric == "usd_per_pass"]
    assert row.difference == pytest.approx(second.usd_per_pass - first.usd_per_pass)


def test_a_terse_prompt_that_loses_answers_regresses(adding: Path) -> None:
    compared = recorded(lambda request: request.messages[0].content.endswith("=") and request.origin.case < "030")
    assert compared.pairs[0].decision.verdict == "regressed"
    assert compared.regressed


def test_a_replay_gives_the_same_report_byte_for_byte(adding: Path) -> None:
    recorded()
    first, second = (compare("add@v1", "add@v2", record="none") for _ in range(2))
    assert str(first) == str(second)
    assert json.dumps(first.to_dict()) == json.dumps(second.to_dict())


def test_a_replay_pays_nothing_and_reports_no_latency(adding: Path) -> None:
    live = recorded()
    replayed = compare("add@v1", "add@v2", record="none")
    assert [variant.incurred_usd for variant in replayed.variants] == [0, 0]
    assert [variant.latency_ms for variant in replayed.variants] == [None, None]
    assert live.variants[0].latency_ms == pytest.approx(100)
    # List cost is what is compared, and stays.
    assert [v.usd_per_1k_calls for v in replayed.variants] == [v.usd_per_1k_calls for v in live.variants]


def test_missing_answers_alone_are_asked_for(adding: Path) -> None:
    recorded()
    path = adding / "suites/add/recordings/add/v2.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-3]))
    adder = Adder()
    compare("add@v1", "add@v2", provider=adder, record="missing")
    assert sorted(request.origin.case for request in adder.asked) == ["197", "198", "199"]
    assert path.read_text().count("\n") == 200


def test_a_changed_prompt_makes_its_answers_stale_and_they_are_never_used(adding: Path) -> None:
    recorded()
    (adding / "prompts/add/v2.j2").write_text(V2.replace("20", "30"))
    with pytest.raises(RecordingError) as raised:
        compare("add@v1", "add@v2", record="missing", provider=Adder())
    assert "add@v2: stale answers to 200 cases (000, 001, 002, 003, 004 and 195 more)" in str(raised.value)
    assert "max_output_tokens (20 to 30)" in str(raised.value)
    assert "--record stale" in str(raised.value)
    adder = Adder()
    compare("add@v1", "add@v2", record="stale", provider=adder)
    assert len(adder.asked) == 200


def test_answers_of_another_model_are_named(adding: Path) -> None:
    recorded()
    with pytest.raises(RecordingError, match="the file holds answers of gpt-4o-mini, not of gpt-4o"):
        compare("add@v1", "add@v2", model="gpt-4o", record="none")


def test_two_models_live_in_one_recording_file(adding: Path) -> None:
    recorded()
    compare("add@v1", "add@v2", model="gpt-4o", provider=Adder())
    assert compare("add@v1", record="none").variants[0].model == "gpt-4o-mini"
    assert compare("add@v1", record="none", model="gpt-4o").variants[0].model == "gpt-4o"


def test_repetitions_are_asked_and_averaged_inside_the_case(adding: Path) -> None:
    adder = Adder(lambda request: request.sample == 1)
    compared = compare("add@v1", "add@v2", provider=adder, trials=2)
    assert len(adder.asked) == 800
    assert compared.variants[0].quality == 0.5
    # In each case one of two passed, in both variants: nothing differs, and 200 cases exclude a loss of 2 points at 5%.
    quality = compared.pairs[0].differences[0]
    assert quality.difference == 0
    assert compared.pairs[0].decision.reasons[1].quality == "same"
    # At 1.25% on each side a little more is possible.
    assert -0.022 < quality.low < -0.02
    assert 0.02 < quality.high < 0.022


def test_a_failed_call_is_a_failed_trial_with_its_error(adding: Path) -> None:
    class Moody(Adder):
        def complete(self, request: Request) -> Response:
            if request.origin.case == "007":
                raise ProviderError("the endpoint answered 500: oops")
            return super().complete(request)

    compared = compare("add@v1", "add@v2", provider=Moody())
    assert [variant.errors for variant in compared.variants] == [1, 1]
    # It is no evidence: it is left out on both sides.
    assert compared.variants[0].pass_rate == 1.0
    assert "1 x the endpoint answered 500: oops (007)" in str(compared)
    # What fails again does not make the answers that are recorded worth nothing.
    assert compare("add@v1", "add@v2", provider=Moody(), record="missing").pairs[0].decision.verdict == "improved"
    # It was not recorded: the next run asks for it again.
    with pytest.raises(RecordingError, match="no recorded answer to 1 case"):
        compare("add@v1", "add@v2", record="none")


def test_above_max_failed_the_verdict_is_incomplete(adding: Path) -> None:
    class Moody(Adder):
        def complete(self, request: Request) -> Response:
            if request.origin.case < "005" and request.messages[0].content.endswith("="):
                raise ProviderError("the endpoint answered 429: slow down")
            return super().complete(request)

    compared = compare("add@v1", "add@v2", provider=Moody())
    assert compared.incomplete
    assert not compared.regressed
    assert compared.pairs[0].reasons == ("add@v2: 5 of 200 calls failed (2.5%), above --max-failed 2%",)
    assert "5 x the endpoint answered 429: slow down (000, 001, 002 and 2 more)" in str(compared)
    write_report(compared, adding / "report.html")
    assert "the endpoint answered 429: slow down" in str(data_of((adding / "report.html").read_text()))
    allowed = compare("add@v1", "add@v2", provider=Moody(), max_failed=3)
    assert allowed.pairs[0].decision.verdict == "improved"
    with pytest.raises(UsageError, match="max_failed = 100 is not a percentage"):
        compare("add@v1", "add@v2", provider=Moody(), max_failed=100)


@pytest.mark.parametrize("failing", [0, 1, 5, 199, 200])
def test_what_an_incomplete_comparison_saw_is_said_and_failed_calls_are_no_scores(adding: Path, failing: int) -> None:
    class Moody(Adder):
        def complete(self, request: Request) -> Response:
            if int(request.origin.case) < failing and request.messages[0].content.endswith("="):
                raise ProviderError("the endpoint answered 503: busy")
            return super().complete(request)

    reassert(adding, {"type": "contains", "value": "answer"}, {"type": "not-contains", "value": "sorry"})
    compared = compare("add@v1", "add@v2", provider=Moody())
    shown = str(compared)
    write_report(compared, adding / "report.html")
    page = (adding / "report.html").read_text()
    assert "mean  97.5% interval\n----------  ----  --------------\n\n" not in shown
    if failing == 200:
        said = "o difference is known: none of 200 cases has an answer of both prompts"
        assert "quality by" not in shown
    else:
        said = f"f {200 - failing} of 200 cases, those that both prompts answered"
        assert "assert not-contains" in shown
    assert (f"{'n' if failing == 200 else 'o'}{said}" in shown) == bool(failing)
    assert (f"{'N' if failing == 200 else 'O'}{said}" in page) == bool(failing)
    assert {row["cases"] for row in compared.to_dict()["comparisons"]} == {200 - failing}
    write_report(compared, adding / "report.csv")
    with (adding / "report.csv").open() as file:
        scores = [(row["passed"], row["quality"]) for row in csv.DictReader(file) if row["prompt"] == "add@v2"]
    assert scores == [("", "")] * failing + [("True", "1.0")] * (200 - failing)


def test_many_candidates_say_in_a_page_what_each_difference_is_of(adding: Path) -> None:
    class Moody(Adder):
        def complete(self, request: Request) -> Response:
            if request.params.seed == 5 or (request.params.seed == 6 and request.origin.case == "007"):
                raise ProviderError("the endpoint answered 503: busy")
            return super().complete(request)

    compared = compare("add@v1", settings={"seed": [*range(1, 9)]}, provider=Moody())
    write_report(compared, adding / "report.html")
    page = (adding / "report.html").read_text()
    assert "add@v1 · seed=5: no difference is known: none of 200 cases has an answer of both prompts." in page
    assert "add@v1 · seed=6: of 199 of 200 cases, those that both prompts answered." in page
    assert page.count("those that both prompts answered") == 1


def test_an_answer_that_looks_like_a_secret_costs_one_trial(adding: Path) -> None:
    class Leaky(Adder):
        def complete(self, request: Request) -> Response:
            response = super().complete(request)
            leak = "sk-" + "a" * 40
            return replace(response, text=leak) if request.origin.case == "007" else response

    compared = compare("add@v1", "add@v2", provider=Leaky())
    assert [variant.errors for variant in compared.variants] == [1, 1]
    assert "case '007'" in str(compared)
    assert "looks like" in str(compared)
    assert "sk-aaaa" not in "".join(path.read_text() for path in adding.rglob("*.jsonl"))


def test_variants_are_asked_in_mixed_order(adding: Path) -> None:
    adder = Adder()
    compare("add@v1", "add@v2", provider=adder, jobs=1)
    terse = [request.messages[0].content.endswith("=") for request in adder.asked]
    changes = sum(one != other for one, other in pairwise(terse))
    assert 150 < changes < 250


class Unmeasured(Adder):
    """Does not say how long a call took."""

    def complete(self, request: Request) -> Response:
        return replace(super().complete(request), duration_s=None)


def test_latency_is_judged_on_both_sides_or_on_none(adding: Path) -> None:
    compare("add@v1", provider=Adder())
    reassert(adding, {"type": "latency", "threshold": 1}, {"type": "contains", "value": "answer"})
    compared = compare("add@v1", "add@v2", provider=Adder(), record="missing")
    assert [variant.unjudged for variant in compared.variants] == [200, 200]
    assert compared.pairs[0].differences[0].difference == 0
    unsaid = compare("add@v1", provider=Unmeasured())
    assert unsaid.variants[0].unjudged == 200
    assert "a replay has no latency, nor has a provider that does not say it" in str(unsaid)


def test_refused_filtered_and_cut_off_answers_fail_negated_asserts_too(adding: Path) -> None:
    reassert(adding, {"type": "not-contains", "value": "sorry"})
    reasons = {"001": "refusal", "002": "content_filter", "003": "length", "004": "tool_calls"}

    class Odd(Adder):
        def complete(self, request: Request) -> Response:
            response = replace(super().complete(request), finish_reason=reasons.get(request.origin.case, "stop"))
            return replace(response, text="") if request.origin.case == "005" else response

    compared = compare("add@v1", "add@v2", provider=Odd())
    first = compared.variants[0]
    assert (first.refused, first.filtered, first.cut_off) == (1, 1, 1)
    failed = {trial.case for trial in compared.runs[0].answered if not trial.passed}
    assert failed == {*reasons, "005"}
    assert "add@v1: cut off 1, filtered 1, refused 1, empty 1 of 200 answers" in str(compared)


def test_a_run_in_which_nothing_is_answered_is_not_a_comparison(adding: Path) -> None:
    class Broken(Adder):
        def complete(self, request: Request) -> Response:
            raise ProviderError("no")

    with pytest.raises(ProviderUnusable, match="not one of 400 calls was answered; the first: no"):
        compare("add@v1", "add@v2", provider=Broken())


def test_a_question_that_the_filter_takes_has_a_filtered_answer_and_one_that_a_firewall_takes_has_none(
    adding: Path, endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in endpoint.environment.items():
        monkeypatch.setenv(name, value)

    few = (adding / "suites/add.jsonl").read_text().splitlines(keepends=True)[:5]
    (adding / "suites/add.jsonl").write_text("".join(few))

    def reply(body: dict):
        number = "".join(filter(str.isdigit, body["messages"][-1]["content"].split("+")[0]))
        if number == "3":
            error = {"code": "content_filter", "message": "filtered due to the content management policy"}
            return 400, {}, json.dumps({"error": error}).encode()
        if number == "4":
            return 403, {"content-type": "text/html"}, b"<html><title>Blocked</title></html>"
        return "7"

    endpoint.reply = reply
    compared = compare("add@v1", "add@v2", retries=0, max_failed=30)
    assert [(variant.filtered, variant.errors) for variant in compared.variants] == [(1, 1), (1, 1)]
    assert "answered 403: a page ('Blocked') (004)" in str(compared)
    assert len(endpoint.requests) == 10
    again = compare("add@v1", "add@v2", retries=0, max_failed=30)
    assert len(endpoint.requests) == 12, "a filtered answer is recorded, a failed call is not"
    assert [variant.filtered for variant in again.variants] == [1, 1]


def test_an_endpoint_that_is_unusable_ends_the_run_and_keeps_what_was_answered(adding: Path) -> None:
    class Quota(Adder):
        def complete(self, request: Request) -> Response:
            if len(self.asked) >= 50:
                raise ProviderUnusable("no credit")
            return super().complete(request)

    quota = Quota()
    with pytest.raises(ProviderUnusable, match="no credit"):
        compare("add@v1", "add@v2", provider=quota, jobs=1)
    assert len(answers_on_disk(adding)) == len(quota.asked) == 50


def test_another_models_price_comes_with_its_tokenizer(adding: Path) -> None:
    recorded()
    same = compare("add@v1", record="none", price_as="gpt-4o").variants[0]
    assert same.basis == ("measured",)
    other = compare("add@v1", record="none", price_as="gpt-4").variants[0]
    assert other.basis == ("counted",)
    assert other.measured_input_tokens == same.input_tokens != other.input_tokens
    assert other.usd_per_1k_calls == pytest.approx((other.input_tokens * 30 + other.output_tokens * 60) / 1000)


def test_an_unpriced_model_is_shown_as_unpriced_and_never_as_nothing(adding: Path) -> None:
    compared = compare("add@v1", "add@v2", model="my-model", provider=Adder())
    assert compared.variants[0].usd_per_1k_calls is None
    assert "unpriced" in str(compared)
    assert "$0.00" not in str(compared).replace("itself cost $0.0000", "")
    # Fewer input tokens; that answers are never longer by 2% is not shown, and what that would cost is not known.
    assert compared.pairs[0].decision.verdict == "inconclusive"
    assert "name a price with --price-as" in str(compared)


def test_the_cost_of_a_run_is_bounded_before_any_call(adding: Path, endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in endpoint.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        CostLimitError, match=r"may cost more than --max-cost \$0.000001: 400 calls, \$0.00\d+ to \$0.00\d+"
    ):
        compare("add@v1", "add@v2", max_cost=0.000001)
    assert endpoint.requests == []


def test_the_bound_is_counted_input_and_output_up_to_the_cap(adding: Path) -> None:
    seen = []
    compare("add@v2", provider=Adder(), on_plan=seen.append)
    (expected,) = seen
    output = 200 * 20 * Decimal("0.6") / 1_000_000
    assert expected.calls == 200
    assert expected.high_usd - expected.low_usd == output


def test_a_run_that_may_cost_more_than_a_dollar_asks_for_a_limit(adding: Path, endpoint, monkeypatch) -> None:
    for name, value in endpoint.environment.items():
        monkeypatch.setenv(name, value)
    (adding / "prompts/add/v1.j2").write_text(V1.replace("20", "16000"))
    with pytest.raises(CostLimitError, match=r"may cost more than \$1: .* Allow it with --max-cost"):
        compare("add@v1", "add@v2")
    assert endpoint.requests == []


def test_in_ci_nothing_is_called(adding: Path, endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**endpoint.environment, "CI": "true"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RecordingError, match="no recorded answer to 200 cases"):
        compare("add@v1", "add@v2")
    assert endpoint.requests == []


def test_a_prompt_out_of_git_is_compared_from_its_own_recordings(adding: Path, project) -> None:
    recorded()
    project.git("init", "-q")
    project.git("add", ".")
    project.git("commit", "-qm", "one")
    (adding / "prompts/add/v2.j2").write_text(V2.replace("+ 1 =", "+ 1 is"))
    compare("add@v2", provider=Adder(), record="stale")
    compared = compare("HEAD:prompts/add/v2.j2", "prompts/add/v2.j2", record="none", suite="add")
    assert [variant.quality for variant in compared.variants] == [1, 1]
    assert compared.variants[0].prompt.startswith("add@v2@")


def test_an_edited_prompt_is_recorded_while_its_committed_form_is_replayed_from_the_same_file(
    adding: Path, project
) -> None:
    recorded()
    project.git("init", "-q")
    project.git("add", "prompts")
    project.git("commit", "-qm", "one")
    (adding / "prompts/add/v2.j2").write_text(V2.replace("+ 1 =", "+ 1 is"))
    adder = Adder()
    compared = compare("HEAD:prompts/add/v2.j2", "prompts/add/v2.j2", suite="add", record="stale", provider=adder)
    assert [variant.replayed for variant in compared.variants] == [200, 0]
    assert len(adder.asked) == 200


@pytest.mark.parametrize(("options", "message"), [({"trials": 0}, "trials"), ({"margin": 0}, "margin")])
def test_options_that_make_no_sense_are_refused(adding: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compare("add@v1", "add@v2", **options)


def test_without_a_suite_of_its_name_a_prompt_asks_for_one(adding: Path, project) -> None:
    project.write({"prompts/lonely.j2": V1})
    with pytest.raises(UsageError, match="no suite is named 'lonely'; name one with --suite"):
        compare("lonely")


def test_without_a_model_a_prompt_asks_for_one(adding: Path, project) -> None:
    project.write({"prompts/add/v3.j2": "{{ n }}"})
    with pytest.raises(UsageError, match=r"prompts/add/v3\.j2 names no model"):
        compare("add@v3")


OWN_PRICES = """
[tool.promptopt.prices."my-model"]
input_mtok = 1.0
output_mtok = 2.0
"""


def test_a_comparison_shows_the_prices_of_its_own_run(adding: Path, project, tmp_path: Path, monkeypatch) -> None:
    project.write({"pyproject.toml": OWN_PRICES})
    compared = compare("add@v1", "add@v2", model="my-model", provider=Adder())
    shown, data = str(compared), compared.to_dict()
    assert "prices: my-model, $1.0 in, $1.0 cached, $2.0 out per million ([tool.promptopt.prices])" in shown
    assert data["provenance"]["prices"] == {"my-model": "[tool.promptopt.prices]"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pyproject.toml").write_text("")
    monkeypatch.chdir(elsewhere)
    assert str(compared) == shown
    assert compared.to_dict()["provenance"] == data["provenance"]


def test_what_a_run_paid_is_counted_at_the_prices_it_began_with(adding: Path, project) -> None:
    project.write({"pyproject.toml": OWN_PRICES})

    class Editor(Adder):
        """Somebody takes the price out while calls are made."""

        def complete(self, request: Request) -> Response:
            project.write({"pyproject.toml": ""})
            return super().complete(request)

    (variant,) = compare("add@v2", model="my-model", provider=Editor()).variants
    assert variant.incurred_usd == pytest.approx(variant.usd_per_1k_calls * 200 / 1000)


def test_ctrl_c_while_threads_are_started_is_an_interrupt(adding: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = ThreadPoolExecutor.submit
    adder, third = Adder(), threading.Event()
    complete = adder.complete

    def slowly(request: Request) -> Response:
        if len(adder.asked) == 3:
            third.set()
            time.sleep(1)
        return complete(request)

    def interrupted(self: ThreadPoolExecutor, *arguments: object) -> object:
        if adder.asked and third.wait(20):
            raise KeyboardInterrupt
        future = submit(self, *arguments)
        while not adder.asked:
            time.sleep(0.01)
        return future

    monkeypatch.setattr(adder, "complete", slowly)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare("add@v1", "add@v2", provider=adder)
    # The call that was sent is waited for, what was answered is kept, and nobody else is asked.
    assert len(answers_on_disk(adding)) == len(adder.asked) == 4


def test_each_call_goes_to_the_provider_of_its_own_model(adding: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, list[str]] = {}

    class OfOneModel(Adder):
        def __init__(self, model: str) -> None:
            super().__init__()
            self.model = model

        def complete(self, request: Request) -> Response:
            asked.setdefault(self.model, []).append(request.model)
            return super().complete(request)

    monkeypatch.setattr("promptopt.experiment.runner.make_provider", lambda model, _timeout: OfOneModel(model))
    config, suite, files = load_config(), load_suite("add"), RecordingFiles()
    template = load_prompt("add@v2")
    variants = [make_variant(template, suite, config, model=model, files=files) for model in ("gpt-4o", "gpt-4o-mini")]
    runs = run_plans(make_plans(variants, suite, "missing", 1), SuiteChecks(suite))
    assert {model: set(names) for model, names in asked.items()} == {m: {m} for m in ("gpt-4o", "gpt-4o-mini")}
    assert [len(run.answered) for run in runs] == [200, 200]
    # Both models' answers are in the one file of the prompt.
    assert len(RecordingFile.read(adding / "suites/add/recordings/add/v2.jsonl").lines) == 400
