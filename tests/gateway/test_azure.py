"""Azure names deployments in the URL: whatever asks another model must ask there for another deployment."""

from urllib.parse import unquote

import openai
import pytest
from upstream import Reply, answer, ask, error

import promptopt
from promptopt.errors import UsageError

# A subscription's own names.
DEPLOYMENTS = {"big prod/1": "gpt-4o", "small-prod": "gpt-4o-mini"}


def deployment(path):
    return unquote(path.split("/deployments/")[1].split("/chat/")[0])


@pytest.fixture
def azure(upstream, folder):
    """Makes Azure clients; ``asked()`` lists the deployments that were asked."""
    made = []

    def make(*, sdk=None, **settings):
        client = openai.AzureOpenAI(
            api_key="azure",
            api_version="2024-10-21",
            azure_endpoint=upstream.url.removesuffix("/v1"),
            max_retries=0,
            http_client=promptopt.http_client(path=folder / ".promptopt", cache=False, **settings),
            **(sdk or {}),
        )
        made.append(client)
        return client

    yield make
    for each in made:
        each.close()


def asked(upstream):
    return [(deployment(path), body["model"]) for path, body, _ in upstream.requests]


def rows(client):
    return [(row.model, row.status, row.incurred_usd) for row in client._client.gateway.ledger.rows()]


def test_a_downgrade_asks_the_other_deployment_and_is_billed_as_what_answered(azure, upstream):
    upstream.on = lambda path, body: answer(body, path, prompt_tokens=1000, completion_tokens=100)
    sdk = azure(budget={"day": 0.004, "at_limit": "downgrade", "downgrade": "gpt-4.1-nano", "ceiling": 10})
    for number in range(4):
        ask(sdk, f"question {number}", model="gpt-4o", max_completion_tokens=100)
    models = [model for _, model in asked(upstream)]
    assert models[0] == "gpt-4o"
    assert models[-1] == "gpt-4.1-nano"
    assert [name for name, _ in asked(upstream)] == models
    assert [model for model, _, _ in rows(sdk)] == models
    price = {"gpt-4o": 1000 * 2.5e-6 + 100 * 10e-6, "gpt-4.1-nano": 1000 * 0.1e-6 + 100 * 0.4e-6}
    assert [usd for _, _, usd in rows(sdk)] == pytest.approx([price[model] for model in models])


def test_a_fallback_names_the_deployment_of_its_model(azure, upstream):
    upstream.on = lambda path, body: error(500) if "big" in path else answer(body, path)
    sdk = azure(deployments=DEPLOYMENTS, fallback={"models": ["gpt-4o-mini"], "after_retries": 0})
    assert ask(sdk, model="big prod/1").choices[0].message.content == "ok"
    assert [name for name, _ in asked(upstream)] == ["big prod/1", "small-prod"]
    assert [(model, status) for model, status, _ in rows(sdk)] == [("gpt-4o", "error"), ("gpt-4o-mini", "ok")]


def test_a_cascade_starts_at_the_cheaper_deployment(azure, upstream):
    cascade = [{"model": "gpt-4o-mini", "validators": {"answer": "^yes$"}}, {"model": "gpt-4o"}]
    sdk = azure(deployments=DEPLOYMENTS, cascade=cascade)
    ask(sdk, model="big prod/1")
    assert asked(upstream) == [("small-prod", "small-prod"), ("big prod/1", "big prod/1")]


def test_a_router_sends_to_another_deployment(azure, upstream):
    sdk = azure(deployments=DEPLOYMENTS, router=[{"model": "gpt-4o-mini", "max_chars": 5}])
    ask(sdk, "short", model="big prod/1")
    ask(sdk, "rather long", model="big prod/1")
    assert [name for name, _ in asked(upstream)] == ["small-prod", "big prod/1"]
    assert [model for model, _, _ in rows(sdk)] == ["gpt-4o-mini", "gpt-4o"]


def test_a_stream_and_a_client_with_one_deployment(azure, upstream):
    sdk = azure(
        sdk={"azure_deployment": "small-prod"}, deployments=DEPLOYMENTS, router=[{"model": "gpt-4o", "task": "law"}]
    )
    for task in ("law", "mail"):
        with promptopt.labels(task=task):
            text = "".join(part.choices[0].delta.content or "" for part in ask(sdk, model="whatever", stream=True))
        assert text.startswith("ok")
    assert [name for name, _ in asked(upstream)] == ["big prod/1", "small-prod"]
    assert [model for model, _, _ in rows(sdk)] == ["gpt-4o", "gpt-4o-mini"]


def test_hints_leave_the_name_that_the_caller_gave(azure, upstream):
    sdk = azure(deployments={"blue": "gpt-4o", "green": "gpt-4o"}, prompt_caching=True)
    system = {"role": "system", "content": "You route tickets. " * 500}
    sdk.chat.completions.create(model="green", messages=[system, {"role": "user", "content": "hi"}])
    ((name, model),) = asked(upstream)
    assert (name, model) == ("green", "green")
    assert "prompt_cache_key" in upstream.requests[0][1]


def test_a_name_in_the_bodys_model_is_a_deployment_as_well(client, upstream):
    """Azure's newer address ``/openai/v1/`` has no deployment in it."""
    sdk = client(deployments=DEPLOYMENTS, cache=False, router=[{"model": "gpt-4o", "task": "law"}])
    ask(sdk, model="small-prod")
    with promptopt.labels(task="law"):
        ask(sdk, model="small-prod")
    assert [body["model"] for _, body, _ in upstream.requests] == ["small-prod", "big prod/1"]
    assert [model for model, _, _ in rows(sdk)] == ["gpt-4o-mini", "gpt-4o"]


def test_embeddings_and_other_endpoints_keep_their_deployment(azure, upstream):
    upstream.on = lambda path, body: Reply(body={"object": "list", "model": "e", "data": [], "usage": {}})
    azure().embeddings.create(model="embed-prod", input="x", encoding_format="float")
    assert "/deployments/embed-prod/" in upstream.requests[0][0]


@pytest.mark.parametrize("value", [["a"], {"a": 1}])
def test_bad_maps(client, value):
    with pytest.raises(UsageError, match="deployments"):
        client(deployments=value)
