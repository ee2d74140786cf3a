import json
import math

import openai
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from upstream import Reply, ask, chat, chat_events, error, response

import promptopt
from promptopt.cli import cli
from promptopt.errors import UsageError
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.layers.routing import CascadeStep, passes
from promptopt.gateway.semantic.validators import ArithmeticHolds, make_validators

CHEAP, COSTLY = "gpt-4o-mini", "gpt-4o"


def rows(sdk):
    return list(sdk._client.gateway.ledger.rows())


def by_model(**replies):
    return lambda path, body: replies[body["model"].replace("-", "_")](body)


def test_rules_choose_the_model(client, upstream):
    rules = [
        {"model": COSTLY, "task": "law"},
        {"model": CHEAP, "max_chars": 10},
        {"model": "gpt-4.1", "min_tokens": 200},
    ]
    sdk = client(router=rules)
    with promptopt.labels(task="law"):
        assert ask(sdk, "short", model="m").model == COSTLY
    assert ask(sdk, "short", model="m").model == CHEAP
    assert ask(sdk, "not so short any more", model="m").model == "m"
    assert ask(sdk, "word " * 300, model="m").model == "gpt-4.1"


def test_a_kept_answer_of_a_routed_call_is_logged_as_the_call_that_was_answered(client):
    sdk = client(router=[{"model": CHEAP, "task": "chat"}])
    with promptopt.labels(task="chat"):
        ask(sdk, model=COSTLY)
        ask(sdk, model=COSTLY)
    miss, hit = rows(sdk)
    assert (miss.cache, hit.cache) == ("miss", "cache")
    assert (hit.model, hit.digest, hit.kind, hit.list_usd) == (miss.model, miss.digest, miss.kind, miss.list_usd)
    assert hit.model == CHEAP
    report = json.loads(CliRunner().invoke(cli, ["usage", "--json"]).output)
    assert report["repeat_rate"] == 0.5


def test_a_kept_answer_of_a_cascade_has_the_price_of_the_model_that_answered(client):
    sdk = client(cascade=cascade({"finished": True}))
    ask(sdk, model=COSTLY)
    ask(sdk, model=COSTLY)
    miss, hit = rows(sdk)
    assert (hit.cache, hit.incurred_usd) == ("cache", 0)
    assert (hit.digest, hit.kind, hit.list_usd) == (miss.digest, miss.kind, miss.list_usd)


@pytest.mark.parametrize("rules", [[], [{"modell": "m"}], [{"task": "t"}], "m", [{"model": "m", "max_chars": "50"}]])
def test_bad_rules(client, rules):
    with pytest.raises(UsageError, match="router"):
        client(router=rules)


@pytest.mark.parametrize(
    ("failure", "falls"),
    [
        (error(429, "insufficient_quota"), True),
        (error(500, None), True),
        (error(404, "model_not_found"), True),
        (error(400, "context_length_exceeded"), True),
        (error(400, "invalid_value"), False),
        (error(401, "invalid_api_key"), False),
    ],
)
def test_fallback_by_class_of_failure(client, upstream, failure, falls):
    upstream.on = by_model(gpt_4o=lambda body: failure, gpt_4o_mini=lambda body: Reply(body=chat(body)))
    sdk = client(fallback={"models": [CHEAP], "after_retries": 0})
    if falls:
        assert ask(sdk, model=COSTLY).model == CHEAP
        assert [(row.model, row.status, row.step) for row in rows(sdk)] == [(COSTLY, "error", 0), (CHEAP, "ok", 1)]
        # The substitute's answer is not kept as the first model's.
        upstream.on = lambda path, body: Reply(body=chat(body))
        assert ask(sdk, model=COSTLY).model == COSTLY
    else:
        with pytest.raises(openai.APIStatusError):
            ask(sdk, model=COSTLY)
        assert upstream.calls == 1


def test_the_sdks_retries_come_before_the_fallback(client, upstream, monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    upstream.on = by_model(gpt_4o=lambda body: error(503), gpt_4o_mini=lambda body: Reply(body=chat(body)))
    sdk = client(fallback=[CHEAP], max_retries=2)
    assert ask(sdk, model=COSTLY).model == CHEAP
    assert [body["model"] for _, body, _ in upstream.requests] == [COSTLY, COSTLY, CHEAP]


def test_another_model_for_another_failure(client, upstream):
    upstream.on = by_model(
        gpt_4o=lambda body: error(400, "context_length_exceeded"), gpt_4_1=lambda body: Reply(body=chat(body))
    )
    upstream.on = lambda path, body: (
        error(400, "context_length_exceeded") if body["model"] == COSTLY else Reply(body=chat(body))
    )
    sdk = client(fallback={"by_kind": {"context_length": ["gpt-4.1"]}})
    assert ask(sdk, model=COSTLY).model == "gpt-4.1"


@pytest.mark.parametrize(
    "plan",
    [
        {"models": ["m"], "on": ["serverr"]},
        {"models": []},
        {"models": "gpt-4o"},
        {"models": ["m"], "after_retries": "x"},
        {"by_kind": {"quota": "gpt-4o"}},
    ],
)
def test_bad_fallback(client, plan):
    with pytest.raises(UsageError, match="fallback"):
        client(fallback=plan)


SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "a",
        "strict": True,
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    },
}


def cascade(validators):
    return [{"model": CHEAP, "validators": validators}, {"model": COSTLY}]


@pytest.mark.parametrize(
    ("validators", "good", "bad", "options"),
    [
        ({"schema": True}, '{"n": 1}', '{"n": "x"}', {"response_format": SCHEMA}),
        ({"answer": r"####\s*(\d+)"}, "so #### 18", "I do not know", {}),
        ({"scorer": {"type": "contains", "value": "yes"}}, "oh yes", "no", {}),
        ({"scorer": {"type": "token-f1", "value": "a b c d", "threshold": 0.7}}, "a b c x", "w x y z", {}),
        ({"finished": True}, "done", "", {}),
        ({"arithmetic": True}, "2 * 9 = 18", "2 * 9 = 19", {}),
    ],
)
def test_cascade_escalates_if_a_validator_fails(client, upstream, validators, good, bad, options):
    texts = {CHEAP: bad, COSTLY: "from the costly one"}
    upstream.on = lambda path, body: Reply(body=chat(body, texts[body["model"]]))
    sdk = client(cascade=cascade(validators))
    assert ask(sdk, model=COSTLY, **options).choices[0].message.content == "from the costly one"
    texts[CHEAP] = good
    assert ask(sdk, "again", model=COSTLY, **options).choices[0].message.content == good
    found = rows(sdk)
    assert [(row.model, row.step) for row in found] == [(CHEAP, 0), (COSTLY, 1), (CHEAP, 0)]
    # The cost of all steps is counted.
    assert found[0].incurred_usd > 0
    assert found[1].incurred_usd > found[0].incurred_usd


def test_cascade_by_logprob(client, upstream):
    lows = iter([[-3.0, -2.0], [-0.01]])
    upstream.on = lambda path, body: Reply(
        body=chat(body, body["model"], logprobs=next(lows) if body["model"] == CHEAP else None)
    )
    sdk = client(cascade=cascade({"logprob": -0.5}))
    assert ask(sdk, "1", model=COSTLY, logprobs=True).choices[0].message.content == COSTLY
    assert ask(sdk, "2", model=COSTLY, logprobs=True).choices[0].message.content == CHEAP


def test_cascade_of_responses_and_streams(client, upstream):
    def on(path, body):
        bad = body["model"] == CHEAP
        if path.endswith("/responses"):
            return Reply(body=response(body, "bad" if bad else "#### 1"))
        return Reply(events=chat_events(body, "bad one" if bad else "#### 1"))

    upstream.on = on
    sdk = client(cascade=cascade({"answer": r"####\s*(\d+)"}))
    assert sdk.responses.create(model=COSTLY, input="x").output_text == "#### 1"
    text = "".join(c.choices[0].delta.content or "" for c in ask(sdk, model=COSTLY, stream=True))
    assert text == "####1"
    assert [row.model for row in rows(sdk)] == [CHEAP, COSTLY] * 2


def test_other_models_do_not_go_through_the_cascade(client, upstream):
    sdk = client(cascade=cascade({"finished": True}))
    ask(sdk, model="gpt-4.1")
    assert rows(sdk)[0].model == "gpt-4.1"


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"model": "a"}, {"model": "b"}], "has no validators"),
        ([{"model": "a", "validators": {"finished": True}}], "at least two models"),
        (
            [{"model": "a", "validators": {"finishd": True}}, "b"],
            "unknown validator 'finishd'. Did you mean 'finished'",
        ),
        ([{"model": "a", "validators": {"answer": "("}}, "b"], "not a regular expression"),
        ([{"model": "a", "validators": {"scorer": {"type": "nope"}}}, "b"], "unknown assert type"),
        ([{"model": "a", "validators": {"schema": {"type": 5}}}, "b"], "not a JSON schema"),
        ([{"validators": {"finished": True}}, "b"], "names no model"),
        ([{"model": "a", "validators": 1}, "b"], "validators = 1 is not a table"),
    ],
)
def test_bad_cascade(client, steps, message):
    with pytest.raises(UsageError) as caught:
        client(cascade=steps)
    assert message in str(caught.value)


CALL = Call("chat", "", {"model": "m"})


@given(st.integers(-999, 999), st.integers(1, 99), st.sampled_from("+-*/"))
def test_right_equations_hold_and_wrong_ones_do_not(a, b, sign):
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[sign]
    judge = ArithmeticHolds()
    assert judge(CALL, Answer(text=f"so {a} {sign} {b} = {value:.4f} then")) is True
    wrong = value + max(5, abs(value))
    # A quotient may be written in percent.
    in_percent = math.isclose(value * 100, wrong, abs_tol=0.5)
    assert judge(CALL, Answer(text=f"so {a} {sign} {b} = {wrong:.4f} then")) is in_percent


@given(st.text(max_size=80))
def test_any_text_can_be_judged(text):
    validators = make_validators({"finished": True, "arithmetic": True, "answer": r"\d+", "max_words": 5})
    assert passes(validators, CALL, Answer(text=text)) in (True, False)


def test_what_cannot_be_judged_does_not_pass():
    assert not passes(make_validators({"logprob": -1}), CALL, Answer(text="x"))
    assert CascadeStep("m").validators == ()


def test_prompt_cache_hints_and_what_came(client, upstream):
    def on(path, body):
        return Reply(body=chat(body, prompt_tokens=2000, cached=1024))

    upstream.on = on
    sdk = client(prompt_caching=True)
    system = {"role": "system", "content": "You are careful. " * 400}
    for text in ("one", "two"):
        sdk.chat.completions.create(
            model=CHEAP, messages=[system, {"role": "user", "content": text}], temperature=0, max_completion_tokens=5
        )
    ask(sdk, "a short one")
    keys = [body.get("prompt_cache_key") for _, body, _ in upstream.requests]
    assert keys[0] == keys[1] != None  # noqa: E711 - a chain
    assert keys[2] is None
    first, second, short = rows(sdk)
    assert (first.expected_cached_tokens, short.expected_cached_tokens) == (0, 0)
    assert second.expected_cached_tokens >= 1024
    assert second.expected_cached_tokens % 128 == 0
    assert second.cache_read_tokens == 1024
    # Half price for what is cached of gpt-4o-mini's input.
    assert second.list_usd == pytest.approx(976 * 0.15e-6 + 1024 * 0.075e-6 + 2 * 0.6e-6)
    own = {"prompt_cache_key": "mine"}
    sdk.chat.completions.create(model=CHEAP, messages=[system], temperature=0, **own)
    assert upstream.requests[-1][1]["prompt_cache_key"] == "mine"
    assert json.dumps(upstream.requests[-1][1]["messages"]) == json.dumps([system])


def test_static_text_after_what_varies_is_named(client, folder):
    rules = "".join(f"Rule {number}: answer politely and to the point. " for number in range(200))
    sdk = client(prompt_caching=True, cache=False)
    with promptopt.labels(prompt="wrong"):
        for name in ("Ann", "Bob", "Cid"):
            ask(sdk, f"The user is called {name}.\n{rules}")
    with promptopt.labels(prompt="right"):
        for name in ("Ann", "Bob", "Cid"):
            ask(sdk, f"{rules}\nThe user is called {name}.")
    found = [(row.prompt, row.misordered_tokens) for row in rows(sdk)]
    assert [tokens is None for _, tokens in found] == [True, False, False, True, True, True]
    assert found[1][1] > 1024
    output = CliRunner().invoke(cli, ["usage", "--by", "prompt"]).output
    assert "wrong: " in output
    assert "PO501" in output
    assert "right: " not in output
