"""Variants: prompt x model x settings, with labels, recordings of their own, and dollars against quality."""

import json
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt import Request, Response, Usage, compare
from promptopt.call_options import CallOptions
from promptopt.config import load_config
from promptopt.errors import ConfigError, ProviderError, RecordingError, UsageError
from promptopt.experiment.frontier import frontier
from promptopt.experiment.inventory import check_recordings
from promptopt.providers.openai.models import refused_options

PROMPT = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\ntemperature: 0\n---\nSAY{{ n }} + 1 ="


class Sums:
    """Adds; a model of the table ``weak`` is wrong in that share of the cases, and answers cost tokens."""

    def __init__(self, weak: dict[str, int] | None = None) -> None:
        self.weak = weak or {}
        self.asked: list[Request] = []

    def complete(self, request: Request) -> Response:
        self.asked.append(request)
        number = int("".join(char for char in request.messages[0].content.split("+")[0] if char.isdigit()))
        every = self.weak.get(request.model, 0)
        text = "no idea" if every and number % every == 0 else str(number + 1)
        return Response(request.model, text, usage=Usage(20, output_tokens=5))

    def close(self) -> None: ...


@pytest.fixture
def sums(project: Any) -> Path:
    cases = [{"vars": {"n": n}, "assert": [{"type": "equals", "value": str(n + 1)}]} for n in range(200)]
    project.write(
        {
            "prompts/add/v1.j2": PROMPT.replace("SAY", "Please add one to this number: "),
            "prompts/add/v2.j2": PROMPT.replace("SAY", ""),
            "suites/add.jsonl": "".join(json.dumps(case) + "\n" for case in cases),
        }
    )
    return project.root


def labels(**options: Any) -> list[str]:
    return [variant.prompt for variant in compare("add@v1", "add@v2", provider=Sums(), **options).variants]


def test_the_product_of_prompts_models_and_settings_is_compared(sums: Path) -> None:
    models = ["gpt-4o-mini", "gpt-4.1-nano"]
    found = labels(model=models, settings={"seed": [1, 2], "verbosity": [None]})
    assert found == [
        f"add@{version} · {model} · seed={seed}" for version, model, seed in product(("v1", "v2"), models, (1, 2))
    ]
    # What does not vary is not said.
    assert labels(model="gpt-4o-mini", settings={"seed": [1]}) == ["add@v1", "add@v2"]


def test_each_variant_is_asked_as_it_says(sums: Path) -> None:
    provider = Sums()
    compare("add@v2", provider=provider, model=["gpt-4o-mini", "gpt-5-mini"], settings={"stop": ["X", "Y"]})
    asked = {(request.model, request.params.stop, request.params.temperature) for request in provider.asked}
    # A reasoning model refuses the prompt's temperature.
    assert asked == {
        ("gpt-4o-mini", ("X",), 0.0), ("gpt-4o-mini", ("Y",), 0.0),
        ("gpt-5-mini", ("X",), None), ("gpt-5-mini", ("Y",), None),
    }  # fmt: skip


def test_what_is_not_sent_is_said(sums: Path) -> None:
    text = str(compare("add@v2", provider=Sums(), model=["gpt-4o-mini", "gpt-5-mini"]))
    assert "note: temperature of the prompt is not sent to gpt-5-mini, which refuses it" in text
    with pytest.raises(UsageError, match="gpt-4o-mini takes no reasoning_effort: leave it out for this model"):
        compare("add@v2", provider=Sums(), settings={"reasoning_effort": ["low"]})


def test_a_setting_of_the_prompt_that_its_own_model_refuses_is_said_before_the_first_call(sums: Path) -> None:
    prompt = sums / "prompts/add/v2.j2"
    prompt.write_text(prompt.read_text().replace("gpt-4o-mini", "gpt-5-mini"))
    provider = Sums()
    with pytest.raises(UsageError, match="add@v2: gpt-5-mini takes no temperature: remove it from the front matter"):
        compare("add@v2", provider=provider)
    assert provider.asked == []


def test_variants_have_recordings_of_their_own_and_use_those_of_the_prompt(
    sums: Path, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.reply = lambda body: str(int("".join(filter(str.isdigit, body["messages"][0]["content"][:-4]))) + 1)
    for name, value in endpoint.environment.items():
        monkeypatch.setenv(name, value)
    compare("add@v2", record="missing", max_cost=1)
    before = (sums / "suites/add/recordings/add/v2.jsonl").read_bytes()
    assert len(endpoint.requests) == 200
    options: dict[str, Any] = {"settings": {"temperature": [0, 0.5], "seed": [None]}}
    compare("add@v2", record="missing", max_cost=1, **options)
    # The prompt has temperature 0: those answers are there already.
    assert len(endpoint.requests) == 400
    folder = sums / "suites/add/recordings/add"
    assert (folder / "v2.jsonl").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["v2+seed=null+temperature=0.5.jsonl", "v2.jsonl"]
    for name in endpoint.environment:
        monkeypatch.delenv(name)
    replayed = compare("add@v2", **options)
    assert [(variant.replayed, dict(variant.settings)["temperature"]) for variant in replayed.variants] == [
        (200, 0.0),
        (200, 0.5),
    ]
    assert check_recordings(load_config()) == ([], 400)


def test_a_variant_that_was_never_asked_is_missing_and_not_stale(sums: Path) -> None:
    with pytest.raises(RecordingError, match="no recorded answer to 200 cases"):
        compare("add@v2", record="none", settings={"seed": [3]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": {"sed": [1]}}, "no setting 'sed'. Did you mean 'seed'"),
        ({"settings": {"seed": [-1]}}, "seed: -1 is not a whole number of at least 0"),
        ({"settings": {"seed": [1, 2, 1]}}, "seed 1 is given twice"),
        ({"model": ["a", "b", "a"]}, "the model 'a' is given twice"),
        ({"baseline": "add@v3"}, "no variant 'add@v3'"),
    ],
)
def test_what_cannot_be_varied_is_refused_before_any_call(sums: Path, options: Any, message: str) -> None:
    provider = Sums()
    with pytest.raises(UsageError) as raised:
        compare("add@v1", "add@v2", provider=provider, **options)
    assert message in str(raised.value)
    assert provider.asked == []


def test_the_baseline_can_be_named(sums: Path) -> None:
    found = compare("add@v1", "add@v2", provider=Sums(), settings={"seed": [1, 2]}, baseline="add@v2 · seed=2")
    assert {pair.baseline for pair in found.pairs} == {"add@v2 · seed=2"}
    assert len(found.pairs) == 3


def test_the_project_can_say_what_varies(sums: Path) -> None:
    table = (
        '[tool.promptopt.variants]\nmodels = ["gpt-4o-mini", "gpt-4.1-nano"]\nset = {seed = [1, 2]}\nbaseline = "B"\n'
    )
    (sums / "pyproject.toml").write_text(table.replace('"B"', '"add@v2 · gpt-4.1-nano · seed=1"'))
    assert labels()[0] == "add@v2 · gpt-4.1-nano · seed=1"
    assert len(labels()) == 8
    # A caller's own choice is all of it.
    assert labels(model="gpt-4o-mini") == ["add@v1", "add@v2"]
    for wrong, message in (
        ("model = []", "unknown key 'model' in [tool.promptopt.variants]. Did you mean 'models'?"),
        ("models = 'a'", "models = 'a' is not a list of models"),
        ("set = {seed = 1}", "is not a table of lists"),
        ("baseline = 1", "baseline = 1 is not the label of a variant"),
    ):
        (sums / "pyproject.toml").write_text(f"[tool.promptopt.variants]\n{wrong}\n")
        with pytest.raises(ConfigError) as raised:
            labels()
        assert message in str(raised.value)
        assert raised.value.line == 2


def test_the_command_line_says_the_same(sums: Path, endpoint: Any, project: Any) -> None:
    endpoint.reply = lambda body: "7"
    done = project.run(
        *["compare", "add@v1", "add@v2", "--model", "gpt-4o-mini", "--model", "gpt-4.1-nano"],
        *["--set", "seed=1,2", "--baseline", "add@v1 · gpt-4.1-nano · seed=1", "--record", "all", "--json"],
        **endpoint.environment,
    )
    data = json.loads(done.stdout)
    assert [row["settings"] for row in data["variants"]][:2] == [{"seed": 1}, {"seed": 1}]
    assert data["frontier"]["baseline"] == "add@v1 · gpt-4.1-nano · seed=1"
    assert len(data["frontier"]["points"]) == 8


def test_the_cheapest_that_is_not_worse_is_named(sums: Path) -> None:
    found = compare(
        "add@v2",
        provider=Sums({"gpt-4.1-nano": 2}),
        model=["gpt-4o", "gpt-4o-mini", "gpt-4.1-nano"],
    )
    front = found.frontier
    assert front is not None
    assert {point.label: point.on_front for point in front.points} == {
        "add@v2 · gpt-4o": False,
        "add@v2 · gpt-4o-mini": True,
        "add@v2 · gpt-4.1-nano": True,
    }
    assert front.cheapest == "add@v2 · gpt-4o-mini"
    assert front.saved_share == pytest.approx(0.94)
    assert "the cheapest that is not worse than add@v2 · gpt-4o: add@v2 · gpt-4o-mini (-94.0% of the cost)" in str(
        found
    )
    for point in front.points:
        assert point.low is not None
        assert point.high is not None
        assert point.quality is not None
        assert point.low <= point.quality <= point.high


def test_the_projects_cascade_is_a_point_of_its_own(sums: Path) -> None:
    (sums / "pyproject.toml").write_text(
        '[tool.promptopt.gateway]\ncascade = [{model = "gpt-4.1-nano", validators = {answer = "^([0-9]+)$"}}, '
        '{model = "gpt-4o"}]\n'
    )
    found = compare("add@v2", provider=Sums({"gpt-4.1-nano": 4}), model=["gpt-4o", "gpt-4.1-nano"])
    front = found.frontier
    assert front is not None
    assert found.cascade is not None
    strong, weak, cascade = front.points
    # The weak model says "no idea" in a quarter of the cases, and those go on to the strong one.
    assert (strong.quality, weak.quality, cascade.quality) == (1.0, 0.75, 1.0)
    assert found.cascade.escalated == 0.25
    said = found.to_dict()["cascade"]
    assert (said["models"], said["asked"]) == (["gpt-4.1-nano", "gpt-4o"], [1.0, 0.25])
    assert said["steps"][0]["validators"] == {"answer": "^([0-9]+)$"}
    # As good on each case, which bounds the mean as so many answers of so many do (Clopper and Pearson).
    low = 0.05 ** (1 / len(found.cascade.changes)) - 1
    assert (said["quality_change"], said["quality_low"]) == (0.0, pytest.approx(low, abs=1e-6))
    assert strong.usd_per_1k_calls is not None
    assert weak.usd_per_1k_calls is not None
    assert cascade.usd_per_1k_calls == pytest.approx(weak.usd_per_1k_calls + strong.usd_per_1k_calls / 4)
    assert [point.on_front for point in front.points] == [False, True, True]
    assert "cascade gpt-4.1-nano, gpt-4o" in str(found)
    # It has no verdict, so that it is not the one to take.
    assert front.cheapest == "add@v2 · gpt-4o"
    assert compare("add@v1", "add@v2", provider=Sums()).cascade is None


def test_a_variant_of_whose_calls_many_failed_is_no_rival_on_the_front(sums: Path) -> None:
    class Moody(Sums):
        def complete(self, request: Request) -> Response:
            answer = super().complete(request)
            if request.model == "gpt-4.1-nano" and len(answer.text) > 1:
                raise ProviderError("busy")
            return answer

    # Cheapest of all, and right wherever it answers: in 9 of 200 cases.
    found = compare("add@v1", provider=Moody({"gpt-4o": 4}), model=["gpt-4o", "gpt-4o-mini", "gpt-4.1-nano"])
    front = found.frontier
    assert front is not None
    assert [(point.on_front, point.incomplete) for point in front.points] == [
        (False, False),
        (True, False),
        (False, True),
    ]
    assert [row["incomplete"] for row in found.to_dict()["frontier"]["points"]] == [False, False, True]
    (line,) = [line for line in str(found).splitlines() if line.endswith("incomplete")]
    assert line.startswith("add@v1 · gpt-4.1-nano")


def test_a_prompt_that_leaves_out_what_tells_cases_apart_has_the_quality_of_all_of_them(project: Any) -> None:
    cases = [{"vars": {"kind": "odd" if n else "even", "n": n}} for n in range(20)]
    asked = [case | {"assert": [{"type": "contains", "value": "even"}]} for case in cases]
    project.write(
        {
            "prompts/add/v1.j2": "{{ kind }}, {{ n }}",
            "prompts/add/v2.j2": "{{ kind }}",
            "prompts/add/v3.j2": "{{ kind }}, {{ n }}!",
            "suites/add.jsonl": "".join(json.dumps(case) + "\n" for case in asked),
        }
    )
    found = compare("add@v1", "add@v2", "add@v3", model="echo", price_as="gpt-4o-mini")
    assert found.frontier is not None
    # One answer in twenty is right, though v2 asks two questions, one of them 19 times.
    assert [point.quality for point in found.frontier.points] == pytest.approx([0.05] * 3)
    assert len({(point.low, point.high) for point in found.frontier.points}) == 1


def test_two_variants_have_a_verdict_and_no_front(sums: Path) -> None:
    found = compare("add@v1", "add@v2", provider=Sums())
    assert frontier(found.runs, found.variants, {}) is None
    assert "dollars against quality" not in str(found)


def test_a_front_without_prices_names_none(sums: Path) -> None:
    found = compare("add@v2", provider=Sums(), model=["nobody-1", "nobody-2", "nobody-3"])
    assert found.frontier is not None
    assert found.frontier.cheapest is None
    assert not any(point.on_front for point in found.frontier.points)
    assert "which one to take cannot be said: no dollars are known" in str(found)


@pytest.mark.parametrize(
    ("model", "options", "refused"),
    [
        ("gpt-5-mini", {"temperature": 0.0, "top_p": 0.5, "seed": 1}, ["temperature", "top_p"]),
        ("o3", {"temperature": 1.0, "reasoning_effort": "low"}, []),
        ("gpt-5.1", {"temperature": 0.0, "reasoning_effort": "none"}, []),
        ("gpt-5-chat-latest", {"temperature": 0.0, "reasoning_effort": "low"}, ["reasoning_effort"]),
        (
            "gpt-4o",
            {"temperature": 0.0, "reasoning_effort": "low", "verbosity": "low"},
            ["reasoning_effort", "verbosity"],
        ),
        ("openai/o1", {"top_p": 0.1}, ["top_p"]),
        ("azure/openai/o1", {"top_p": 0.1}, []),
        ("local:gpt-5", {"temperature": 0.0}, []),
        ("llama-3", {"temperature": 0.0, "reasoning_effort": "low"}, []),
    ],
)
def test_what_models_refuse(model: str, options: dict[str, Any], refused: list[str]) -> None:
    assert refused_options(model, options) == refused


# A value of each setting, and which of these models answer it with an error.
ASKED = ("gpt-5-mini", "o3", "gpt-4o")
REFUSED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "temperature": (0.5, ("gpt-5-mini", "o3")),
    "max_output_tokens": (60, ()),
    "seed": (7, ()),
    "stop": (["END"], ("o3",)),
    "reasoning_effort": ("low", ("gpt-4o",)),
    "verbosity": ("low", ("gpt-4o",)),
    "service_tier": ("flex", ()),
    "top_p": (0.5, ("gpt-5-mini", "o3")),
    "frequency_penalty": (0.5, ("gpt-5-mini", "o3")),
    "presence_penalty": (0.5, ("gpt-5-mini", "o3")),
    "logprobs": (True, ("gpt-5-mini", "o3")),
    "top_logprobs": (2, ("gpt-5-mini", "o3")),
    "tool_choice": ("auto", ()),
    "parallel_tool_calls": (True, ()),
    "response_format": ("json_object", ()),
    "detail": ("low", ()),
    "extra_body": ("{}", ()),
}


def test_of_every_setting_it_is_known_which_models_refuse_it() -> None:
    new = {option.name for option in fields(CallOptions)} ^ REFUSED.keys()
    assert not new, (
        f"say in REFUSED of {__file__} who refuses {', '.join(new)}, and in promptopt/providers/openai/models.py"
    )
    for name, (value, models) in REFUSED.items():
        assert [model for model in ASKED if refused_options(model, {name: value})] == list(models), name


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=8))
def test_no_point_of_the_front_is_beaten_and_every_other_is(spots: list[tuple[int, int]]) -> None:
    from promptopt.experiment.frontier import _beats

    front = [spot for spot in spots if not any(_beats(other, spot) for other in spots)]
    assert front
    for spot in spots:
        beaten = any(o[0] <= spot[0] and o[1] >= spot[1] and o != spot for o in front)
        assert beaten == (spot not in front)


def test_reasoning_has_a_column_and_a_price(project) -> None:
    class Thinking:
        def complete(self, request: Request) -> Response:
            thought = 7 if request.model == "gpt-5.6-luna" else 0
            return Response(request.model, "ok", usage=Usage(10, 0, 0, 2 + thought, thought))

        def close(self) -> None:
            """There is nothing to give back."""

    rates = "{input_mtok = 1.0, output_mtok = 10.0}"
    project.write({
        "pyproject.toml": f'[tool.promptopt.prices]\n"gpt-5.6-luna" = {rates}\n"gpt-4o" = {rates}\n',
        "prompts/q.j2": "Say ok.",
        "suites/q.yaml": "[{description: a, assert: [{type: contains, value: ok}]}]",
    })  # fmt: skip
    compared = compare("q", model=["gpt-4o", "gpt-5.6-luna"], provider=Thinking())
    plain, thinking = compared.variants
    assert (plain.reasoning_tokens, plain.reasoning_usd_per_1k_calls) == (0.0, 0.0)
    assert (thinking.output_tokens, thinking.reasoning_tokens) == (9.0, 7.0)
    assert thinking.reasoning_usd_per_1k_calls == pytest.approx(0.07)
    header, *_ = str(compared).splitlines()
    assert header.split()[:6] == ["1", "case", "input", "output", "reasoning", "$/1k"]
    said = "reasoning: 7.0 of 9.0 output tokens of q · gpt-5.6-luna, $0.0700 of $0.1000 for 1,000 calls"
    assert said in str(compared)
    assert "reasoning" not in str(compare("q", model="gpt-4o", provider=Thinking()))
