"""What type checkers see of the public API; mypy reads this file and nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import openai
from pydantic import BaseModel

import promptopt


class _Ticket(BaseModel):
    team: str


def prompts() -> None:
    assert_type(promptopt.__version__, str)
    template = assert_type(promptopt.load_prompt("reviews"), promptopt.Template)
    assert_type([prompt.name for prompt in promptopt.list_prompts()], list[str])
    assert_type([dict(case.vars) for case in promptopt.load_suite("reviews").cases], list[dict[str, Any]])
    rendered = assert_type(promptopt.render(template, {"review": "x"}, compress="safe"), promptopt.Rendered)
    assert_type(promptopt.render(Path("prompts/reviews/v1.j2"), model="gpt-4o"), promptopt.Rendered)
    assert_type(rendered.messages, tuple[promptopt.Message, ...])
    assert_type(promptopt.read_media("cat.png", detail="low"), promptopt.Media)
    promptopt.read_media("cat.png", kind="video")  # type: ignore[arg-type]
    assert_type(rendered.openai(model="gpt-4o"), dict[str, Any])
    request = rendered.request("gpt-4o")
    assert_type(request, promptopt.Request)
    assert_type(request.params, promptopt.CallOptions)
    promptopt.Request("gpt-4o", (), promptopt.CallOptions(temperature=0.5, stop=("\n",)))
    promptopt.CallOptions(temprature=0.5)  # type: ignore[call-arg]
    assert_type(promptopt.count("text", model="gpt-4o"), promptopt.TokenCount)
    promptopt.count([{"role": "user", "content": "x"}, promptopt.Message("user", "x")])
    promptopt.render("reviews", compress="shorter")  # type: ignore[arg-type]
    promptopt.Message("narrator", "x")  # type: ignore[arg-type]


def compression() -> None:
    shorter = assert_type(promptopt.compress("text", "telegraphic", select=["PO104"]), promptopt.Compression)
    assert_type(shorter.text, str)
    assert_type(promptopt.facts("text"), promptopt.Facts)


def answers() -> None:
    parsed = promptopt.parse("{}", {"type": "object"})
    assert_type(parsed, promptopt.Parsed[Any])
    assert_type(parsed.repairs, tuple[str, ...])
    promptopt.restructure("team: x", _Ticket)
    try:
        promptopt.parse("x", _Ticket)
    except promptopt.AnswerError as error:
        assert_type(error.text, str)


def experiments(comparison: promptopt.Comparison) -> None:
    assert_type(promptopt.compare("reviews@v1", "reviews@v3", record="none", max_cost=0.5), promptopt.Comparison)
    promptopt.compare("reviews@v1", "reviews@v3", record="always")  # type: ignore[arg-type]


class _Echo:
    """A provider by shape: nothing is inherited."""

    def complete(self, request: promptopt.Request) -> promptopt.Response:
        return promptopt.Response(
            request.model, request.messages[-1].content, usage=promptopt.Usage(1, output_tokens=1)
        )

    def close(self) -> None:
        pass


def calls() -> None:
    wrapped = promptopt.wrap(_Echo(), budget={"day": 5})
    assert_type(wrapped.complete(promptopt.Request("gpt-4o", ())), promptopt.Response)
    promptopt.wrap(wrapped)
    promptopt.wrap("openai")  # type: ignore[arg-type]
    openai.OpenAI(http_client=promptopt.http_client(cache=True))
    openai.AsyncOpenAI(http_client=promptopt.async_http_client())
    for answer in promptopt.batch([promptopt.Request("gpt-4o", ())]):
        assert_type(answer.response, promptopt.Response | None)
    with promptopt.labels(prompt="reviews", user="u1"):
        pass


def ablated() -> promptopt.Ablation:
    found = promptopt.ablate("reviews", margin=5, max_cost=1.0)
    assert_type(found.heat_map(colour=True), str)
    return found


def minimized() -> promptopt.Minimization:
    found = promptopt.minimize("reviews", margin=5, max_cost=1.0, units=["Thank you very much!"])
    assert_type(found.template, promptopt.Template)
    assert_type(found.calls_to_repay(), int | None)
    return found


async def many() -> None:
    for answer in await promptopt.abatch([promptopt.render("reviews")]):
        assert_type(answer.response, promptopt.Response | None)


def refusals() -> str:
    try:
        promptopt.render("reviews")
    except (promptopt.BudgetExceeded, promptopt.LimitExceeded, promptopt.NotCached, promptopt.QueueFull) as refusal:
        assert_type(refusal.retry_after, float | None)
    except promptopt.GatewayUnavailable as refusal:
        return str(refusal.status)
    except promptopt.Refused as refusal:
        return refusal.code
    except promptopt.PromptoptError as error:
        assert_type(error.exit_code, int)
    return ""


def values(score: promptopt.Score, cost: promptopt.Cost) -> None:
    assert_type(score.value, float)
    assert_type(cost + cost, promptopt.Cost)
    score.value = 1.0  # type: ignore[misc]
