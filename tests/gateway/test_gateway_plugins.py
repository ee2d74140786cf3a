"""Layers and stores of other packages, found by their entry points."""

import openai
import pytest
from upstream import ask

import promptopt
from promptopt import registry
from promptopt.errors import UsageError
from promptopt.gateway.provider import WrappedProvider
from promptopt.testing import ScriptedProvider

LAYER = '''
from promptopt.gateway.call import Answer
from promptopt.gateway.failures import Refused


class Shout:
    """Answers "ping" itself, refuses "secret", and lets all else through in capitals, and adds "!"."""

    def handle(self, call, inner):
        text = call.body["messages"][-1]["content"] if call.endpoint == "chat" else call.body["input"]
        if text == "ping":
            return Answer("pong", model="shout")
        if text == "secret":
            raise Refused("not this")
        answer = yield from inner(call.sent_with(messages=[{"role": "user", "content": text.upper()}]))
        return answer.changed(text=answer.text + "!")


def make(parts):
    return Shout()
'''
STORE = """
from promptopt.gateway.stores.memory import MemoryStore

opened = []


def make(options):
    opened.append(options)
    return MemoryStore(options)
"""


@pytest.fixture
def package(folder, monkeypatch):
    """A package with entry points, as pip installs it."""
    site = folder / "site"
    info = site / "shout-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shout\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[promptopt.layers]\nshout = shout_layer:make\nbroken = shout_nowhere:make\n"
        "[promptopt.stores]\nforgetful = shout_store:make\n"
    )
    (site / "shout_layer.py").write_text(LAYER)
    (site / "shout_store.py").write_text(STORE)
    monkeypatch.syspath_prepend(str(site))
    registry.registered.cache_clear()
    yield
    registry.registered.cache_clear()


def test_a_layer_of_another_package(package, client, upstream):
    sdk = client(layers=["shout"])
    assert ask(sdk, "hello").choices[0].message.content == "ok!"
    assert upstream.requests[-1][1]["messages"][-1]["content"] == "HELLO"
    # It is below the cache: the second time nobody asks it.
    assert ask(sdk, "hello").choices[0].message.content == "ok!"
    assert upstream.calls == 1
    answer = ask(sdk, "ping")
    assert (answer.choices[0].message.content, answer.model) == ("pong", "shout")
    assert ask(sdk, "ping").choices[0].message.content == "pong"
    with pytest.raises(promptopt.Refused, match="not this"):
        ask(sdk, "secret")
    assert upstream.calls == 1
    assert [row.status for row in sdk._client.gateway.ledger.rows()][-1] == "refused"


def test_an_answer_that_came_over_no_http_is_what_the_endpoint_would_send(package, client):
    sdk = client(layers=["shout"], cache=False)
    assert sdk.responses.create(model="gpt-4o-mini", input="ping").output_text == "pong"
    chunks = list(ask(sdk, "ping", stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "pong"
    assert chunks[-2].choices[0].finish_reason == "stop"
    with sdk.responses.stream(model="gpt-4o-mini", input="ping") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == "pong"


def test_a_layer_named_in_pyproject(package, folder, upstream):
    (folder / "pyproject.toml").write_text('[tool.promptopt.gateway]\nlayers = ["shout"]\n')
    with openai.OpenAI(base_url=upstream.url, api_key="k", http_client=promptopt.http_client()) as sdk:
        assert ask(sdk, "ping").choices[0].message.content == "pong"


def test_a_store_of_another_package(package, client, folder):
    sdk = client(store="forgetful")
    ask(sdk)
    ask(sdk)
    assert [row.cache for row in sdk._client.gateway.ledger.rows()] == ["miss", "cache"]
    assert not (folder / ".promptopt").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": ["shuot"]}, "unknown layer 'shuot'. Did you mean 'shout'"),
        ({"layers": "shout"}, "is not a list of texts"),
        (
            {"layers": ["broken"]},
            r"the layer broken \(shout_nowhere:make\) of shout 1.0 cannot be loaded: ModuleNotFoundError",
        ),
        ({"store": "sqlit"}, "unknown store 'sqlit'. Did you mean 'sqlite'"),
        ({"store": "redis"}, "needs an address"),
    ],
)
def test_what_cannot_be_used_is_named(package, client, settings, message):
    with pytest.raises(UsageError, match=message):
        client(**settings)


def test_what_a_layer_changes_reaches_a_provider_as_well():
    class Shout:
        def handle(self, call, inner):
            messages = [{**each, "content": each["content"].upper()} for each in call.body["messages"]]
            changed = call.sent_with(messages=messages, temperature=1, stop=["."], seed=None, prompt_cache_key="k")
            return (yield from inner(changed))

    provider = ScriptedProvider(["hello"])
    options = promptopt.CallOptions(temperature=0, seed=3, max_output_tokens=9)
    WrappedProvider(provider, Shout()).complete(promptopt.Request("m", (promptopt.Message("user", "hi"),), options))
    expected = promptopt.CallOptions(temperature=1, stop=(".",), max_output_tokens=9)
    assert provider.requests == [promptopt.Request("m", (promptopt.Message("user", "HI"),), expected)]
