"""Races from end to end: real prompts, suites and recordings on disk, a local endpoint, and the command."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from promptopt import Comparison, Request, Response, Usage, compare
from promptopt.errors import CostLimitError, ProviderError, ProviderUnusable, RecordingError, UsageError
from promptopt.experiment.racing import race_order
from promptopt.experiment.report.write import comparison_json, write_report

MODELS = ["gpt-4o", "gpt-4o-mini", "gpt-4-turbo"]
GOOD, CHEAP, POOR = (f"add · {model}" for model in MODELS)
CASES = 240


def number_of(text: str) -> int:
    return int(re.search(r"\d+", text)[0])  # type: ignore[index]


class Sums:
    """Adds; models are wrong in every n-th case."""

    def __init__(self, wrong: dict[str, int], failing: Callable[[Request], bool] = lambda request: False) -> None:
        self.wrong, self.failing = wrong, failing
        self.asked: list[Request] = []

    def complete(self, request: Request) -> Response:
        self.asked.append(request)
        number = number_of(request.messages[0].content)
        if self.failing(request):
            raise ProviderError("the line is down")
        every = self.wrong.get(request.model, 0)
        text = "no idea" if every and number % every == 0 else str(number + 1)
        return Response(request.model, text, usage=Usage(20, output_tokens=2 + number % 3), duration_s=0.2)

    def close(self) -> None: ...


@pytest.fixture
def sums(project: Any) -> Path:
    cases = [{"vars": {"n": n}, "assert": [{"type": "equals", "value": str(n + 1)}]} for n in range(CASES)]
    project.write(
        {
            "prompts/add.j2": "---\nmodel: gpt-4o\nmax_output_tokens: 20\n---\nWhat is {{ n }} plus one?",
            "suites/add.jsonl": "".join(json.dumps(case) + "\n" for case in cases),
        }
    )
    return project.root


def raced(provider: Sums, **options: Any) -> Comparison:
    return compare("add", model=options.pop("model", MODELS), provider=provider, race=True, **options)


# The last model costs most and is wrong in every second case.
WRONG = {"gpt-4o": 20, "gpt-4o-mini": 0, "gpt-4-turbo": 2}


def test_a_dominated_variant_is_asked_no_further(sums: Path) -> None:
    provider = Sums(WRONG)
    found = raced(provider)
    assert found.race is not None
    (dropped,) = found.race.variants
    assert (dropped.label, dropped.stopped.by) == (POOR, CHEAP)
    asked = Counter(request.model for request in provider.asked)
    assert asked == {"gpt-4o": CASES, "gpt-4o-mini": CASES, "gpt-4-turbo": dropped.stopped.asked}
    assert dropped.stopped.asked < CASES / 2
    assert found.race.calls == 3 * CASES
    assert found.race.unasked == found.race.unsent == CASES - dropped.stopped.asked
    # What it cost so far, for each call that was not made.
    cost = sum((t.cost.total_usd for t in found.runs[2].answered if t.cost), 0)
    assert found.race.saved_usd == pytest.approx(float(cost) / dropped.stopped.asked * found.race.unasked)
    # There is no verdict on it, and the winner is that of all calls.
    assert [pair.candidate for pair in found.pairs] == [CHEAP]
    whole = compare("add", model=MODELS, provider=Sums(WRONG))
    assert found.frontier is not None
    assert whole.frontier is not None
    assert found.frontier.cheapest == whole.frontier.cheapest == CHEAP
    assert [(point.on_front, point.dropped) for point in found.frontier.points] == [
        (False, False),
        (True, False),
        (False, True),
    ]
    assert whole.race is None


def test_the_cases_are_asked_in_an_order_of_their_names(sums: Path) -> None:
    provider = Sums(WRONG)
    found = raced(provider)
    names = [trial.case for trial in found.runs[0].trials]
    stopped = found.runs[2].stopped
    assert stopped is not None
    first = {names[number] for number in race_order(names)[: stopped.asked]}
    assert {trial.case for trial in found.runs[2].trials} == first
    # Trials are listed in the order of the suite all the same.
    assert [trial.case for trial in found.runs[2].trials] == [name for name in names if name in first]


def test_the_table_says_how_many_cases_each_was_asked_and_why_no_more(sums: Path) -> None:
    text = str(raced(Sums(WRONG)))
    stopped = json.loads(comparison_json(raced(Sums(WRONG))))["race"]["stopped"]
    (asked,) = {row["asked"] for row in stopped}
    rows = rf"\nadd · gpt-4o-mini +240 .*\nadd · gpt-4-turbo +{asked} .*\n"
    assert re.search(rf"240 cases +asked .*\n.*\n.*\n.*{rows}", text)
    assert f"race: {CASES - asked} of 720 calls were not needed, about $" in text
    assert f"{CASES - asked} of them would have been sent" in text
    assert re.search(
        rf"{POOR}: asked of {asked} of 240 cases; {CHEAP} is better \(at least \+\d+\.\d points\) and not costlier",
        text,
    )
    assert re.search(rf"{POOR} .*dropped", text)
    assert f"{POOR} against" not in text


def test_races_give_the_same_report_however_many_calls_are_in_flight(sums: Path) -> None:
    found = [comparison_json(raced(Sums(WRONG), jobs=jobs)) for jobs in (1, 16, 40)]
    assert found[0] == found[1] == found[2]


def test_a_race_in_which_nothing_is_dominated_is_the_comparison(sums: Path) -> None:
    wrong = {"gpt-4o-mini": 3}
    models = MODELS[:2]
    provider = Sums(wrong)
    found = raced(provider, model=models)
    assert found.race is not None
    assert found.race.unasked == 0
    assert len(provider.asked) == 2 * CASES
    whole = compare("add", model=models, provider=Sums(wrong))
    assert found.pairs == whole.pairs
    assert found.variants == whole.variants
    assert "race: no variant is shown to be dominated; all 480 calls were needed" in str(found)
    report = str(found).replace("race: no variant is shown to be dominated; all 480 calls were needed\n\n", "")
    assert report == str(whole)


def test_if_the_baseline_dominates_all_others_nothing_is_left_to_ask(sums: Path, tmp_path: Path) -> None:
    provider = Sums(WRONG)
    found = raced(provider, model=[MODELS[1], MODELS[2]])
    assert found.pairs == ()
    assert found.regressed
    assert len(provider.asked) == 2 * len(found.runs[0].trials) < CASES
    text = str(found)
    assert f"{CHEAP}: asked of {len(found.runs[0].trials)} of 240 cases; no other variant is left" in text
    write_report(found, tmp_path / "r.xml")
    (verdicts,) = ET.parse(tmp_path / "r.xml").findall("testsuite[@name='verdicts']")
    assert verdicts.get("failures") == "1"
    for ending in ("html", "md", "csv", "json"):
        write_report(found, tmp_path / f"r.{ending}")
    assert "no other variant is left" in (tmp_path / "r.html").read_text()
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 1 + len(provider.asked)


def test_repetitions_of_a_case_are_asked_together(sums: Path) -> None:
    provider = Sums(WRONG)
    found = raced(provider, trials=2)
    stopped = found.runs[2].stopped
    assert stopped is not None
    assert Counter(request.sample for request in provider.asked if request.model == MODELS[2]) == {
        0: stopped.asked,
        1: stopped.asked,
    }
    assert stopped.unasked == 2 * (CASES - stopped.asked)


def test_a_call_that_fails_is_no_evidence(sums: Path) -> None:
    # The one that is better fails in a tenth of its calls: it dominates nobody.
    found = raced(
        Sums({**WRONG, "gpt-4o": 2}, lambda r: r.model == MODELS[1] and number_of(r.messages[0].content) < 24)
    )
    assert found.race is not None
    assert found.race.unasked == 0
    assert found.incomplete
    # One of a hundred does no harm.
    found = raced(Sums(WRONG, lambda request: number_of(request.messages[0].content) == 7))
    assert found.race is not None
    assert [each.label for each in found.race.variants] == [POOR]
    assert found.runs[0].failed


def test_if_nobody_answers_that_is_known_after_a_round(sums: Path) -> None:
    provider = Sums({}, lambda request: True)
    with pytest.raises(ProviderUnusable, match="not one of 30 calls was answered"):
        raced(provider)
    assert len(provider.asked) == 30


def test_answers_are_recorded_and_a_race_is_replayed_from_them(
    sums: Path, endpoint: Any, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reply(body: Any) -> str:
        number = number_of(body["messages"][0]["content"])
        every = WRONG[body["model"]]
        return "no idea" if every and number % every == 0 else str(number + 1)

    endpoint.reply = reply
    arguments = ["compare", "add", *(word for model in MODELS for word in ("--model", model)), "--race", "--json"]
    live = project.run(*arguments, "--record", "missing", "--max-cost", "1", **endpoint.environment)
    assert "this run: at most 720 calls, $" in live.stderr
    sent = len(endpoint.requests)
    assert sent < 720
    race = json.loads(live.stdout)["race"]
    assert race["unsent"] == race["unasked"] == 720 - sent
    assert race["unspent_usd"] == race["saved_usd"] > 0

    # The calls that were made are recorded, and they are all that a replay of the race needs.
    recordings = sums / "suites/add/recordings"
    assert sum(len(file.read_text().splitlines()) for file in recordings.rglob("*.jsonl")) == sent
    replayed = project.run(*arguments, "--record", "none")
    assert replayed.returncode == live.returncode == 0
    one, other = json.loads(live.stdout), json.loads(replayed.stdout)
    for data in (one, other):
        for key in ("provenance", "errors"):
            data.pop(key)
        data["race"]["unspent_usd"] = data["race"]["unsent"] = None
        for row in data["variants"]:
            for key in ("replayed", "recorded", "incurred_usd", "latency_ms", "latency_p95_ms", "timed"):
                row.pop(key)
    assert one == other
    # Those that were not needed are not recorded, and a replay sends none.
    shown = project.run(*arguments[:-1], "--record", "none").stdout
    assert "none of them would have been sent" in " ".join(shown.split())
    # What is recorded costs nothing: the same command asks nothing.
    project.run(*arguments, "--record", "missing", **endpoint.environment)
    assert len(endpoint.requests) == sent
    # Without the race the other answers are missing.
    whole = project.run(*(word for word in arguments if word != "--race"), "--record", "none")
    assert whole.returncode == 2
    assert "gpt-4-turbo: no recorded answer to" in whole.stderr


def test_a_call_that_is_needed_and_not_recorded_is_an_error(sums: Path) -> None:
    with pytest.raises(RecordingError, match="no recorded answer to 10 cases"):
        compare("add", model=MODELS, race=True, record="none")


def test_scores_that_depend_on_who_is_left_are_not_raced(sums: Path) -> None:
    suite = sums / "suites/add.jsonl"
    cases = [json.loads(line) for line in suite.read_text().splitlines()]
    cases[7]["assert"].append({"type": "select-best", "value": "the shorter one", "provider": "gpt-4o"})
    suite.write_text("".join(json.dumps(case) + "\n" for case in cases))
    provider = Sums({})
    with pytest.raises(UsageError, match="a race cannot judge `select-best`"):
        raced(provider)
    assert provider.asked == []


def test_the_page_shows_dollars_against_quality(sums: Path, tmp_path: Path) -> None:
    write_report(raced(Sums(WRONG)), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    section = page[page.index(">Cost against quality</h2>") : page.index(">Tokens</h2>")]
    rows = re.findall(r'<th scope="row"[^>]*>(add.*?)</th>.*?data-label="front"[^>]*>(.*?)</td>', section)
    assert rows == [(CHEAP, "on the front"), (GOOD, ""), (POOR, "dropped")]
    (said,) = re.findall(r'aria-label="([^"]*quality[^"]*)"', section)
    assert [each.partition(":")[0] for each in said.split("; ")] == [GOOD, CHEAP, POOR]
    assert said.count("on the front") == 1
    assert f"The cheapest that is not worse than {GOOD}: {CHEAP} (-94.0% of the cost)." in section


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": MODELS[:1]}, "a race is of two variants or more"),
        ({"model": MODELS, "batch": True}, "a race asks in rounds, and a batch may take a day"),
    ],
)
def test_what_cannot_be_raced_is_refused(sums: Path, options: Any, message: str) -> None:
    provider = Sums({})
    with pytest.raises(UsageError, match=message):
        compare("add", provider=provider, race=True, **options)
    assert provider.asked == []


def test_the_limit_of_cost_is_that_of_a_race_that_drops_nothing(sums: Path, endpoint: Any, monkeypatch: Any) -> None:
    for name, value in endpoint.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CostLimitError, match="this run may cost more than --max-cost"):
        compare("add", model=MODELS, race=True, record="all", max_cost=0.01)
    assert endpoint.requests == []


def test_groups_are_of_the_variants_that_are_left(sums: Path) -> None:
    suite = sums / "suites/add.jsonl"
    cases = [json.loads(line) for line in suite.read_text().splitlines()]
    for number, case in enumerate(cases):
        case["metadata"] = {"kind": "odd" if number % 2 else "even"}
    suite.write_text("".join(json.dumps(case) + "\n" for case in cases))
    found = raced(Sums(WRONG), by=["kind"])
    (pair,) = found.pairs
    assert [part.name for part in pair.parts if part.by == "kind"] == ["even", "odd"]
    # The looks of the candidate that was dropped count too.
    assert pair.looks == 4


def test_an_interval_of_fewer_cases_holds_however_often_one_looked(sums: Path) -> None:
    found = raced(Sums(WRONG))
    assert found.frontier is not None
    whole, dropped = found.frontier.points[0], found.frontier.points[2]
    assert dropped.low is not None
    assert dropped.high is not None
    assert dropped.quality is not None
    assert whole.low is not None
    assert whole.high is not None
    assert dropped.low < dropped.quality < dropped.high
    assert dropped.high - dropped.low > 2 * (whole.high - whole.low)


def test_the_command_fails_if_the_baseline_dominates_a_candidate(sums: Path, endpoint: Any, project: Any) -> None:
    endpoint.reply = lambda body: (
        "no" if body["model"] == MODELS[2] else str(number_of(body["messages"][0]["content"]) + 1)
    )
    done = project.run(
        *["compare", "add", "--model", MODELS[1], "--model", MODELS[2], "--race", "--record", "all", "--max-cost", "1"],
        **endpoint.environment,
    )
    assert done.returncode == 1
    assert "no other variant is left" in done.stdout


def test_cases_that_ask_the_same_are_asked_together_and_are_one_case_of_a_race(sums: Path, project: Any) -> None:
    once = raced(Sums(WRONG))
    lines = (project.root / "suites/add.jsonl").read_text().splitlines()
    # Every fourth question is asked by three cases.
    cases = [
        {**json.loads(line), "description": f"{number:03}{'abc'[copy]}"}
        for number, line in enumerate(lines)
        for copy in range(1 if number % 4 else 3)
    ]
    project.write({"suites/add.jsonl": "".join(json.dumps(case) + "\n" for case in cases)})
    found = raced(Sums(WRONG))
    (dropped,) = found.race.variants
    assert (dropped.label, dropped.stopped.by) == (POOR, CHEAP)
    trials = found.runs[2].trials
    assert dropped.stopped.asked == len(trials) == len({trial.case for trial in trials})
    assert dropped.stopped.cases == len(cases) == CASES * 3 // 2
    copies = Counter(trial.case[:3] for trial in trials)
    assert {(int(question) % 4 == 0, count) for question, count in copies.items()} == {(True, 3), (False, 1)}
    # Copies are no more evidence: it takes about as many questions.
    (alone,) = once.race.variants
    assert len(copies) in range(alone.stopped.asked // 2, alone.stopped.asked * 2)
    point, same = (race.frontier.points[1] for race in (once, found))
    assert (point.low, point.high) == (same.low, same.high)
