"""Virtual keys before the proxy: who may ask for what, and whose calls they are."""

import openai
import pytest
from upstream import ask, wait_until

from promptopt.gateway.keys import key_sha256

SECRET = "po-of-the-search-team"
KEYS = f"""
[tool.promptopt.gateway.keys.search]
sha256 = "{key_sha256(SECRET)}"
team = "find"
tags = ["web", "app"]
models = ["gpt-4o*"]
"""


def test_only_a_key_of_the_configuration_is_served(proxy, upstream):
    server = proxy(KEYS)
    for key in ("none", "sk-of-the-server", key_sha256(SECRET)):
        with pytest.raises(openai.AuthenticationError, match="no such key"):
            ask(server.openai(key))
    for path in ("/v1/models", "/v1/files"):
        assert server.get(path).status_code == 401
    assert upstream.calls == 0
    assert ask(server.openai(SECRET)).choices[0].message.content == "ok"
    assert server.get("/healthz").status_code == 200


def test_the_key_reaches_no_upstream_and_its_team_pays_whatever_the_client_says(proxy, upstream):
    server = proxy(KEYS)
    ask(server.openai(SECRET), extra_headers={"x-promptopt-team": "another", "x-promptopt-user": "u1"})
    assert SECRET not in str(upstream.requests)
    assert wait_until(lambda: len(server.rows()) == 1)
    (row,) = server.rows()
    assert (row.tag, row.user) == ("web", "u1")


def test_a_key_of_azures_clients_counts_too(proxy):
    server = proxy(KEYS)
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    assert server.post(body, api_key=SECRET).status_code == 200
    assert server.post(body, api_key="po-wrong").status_code == 401


def test_a_key_asks_for_its_models_and_tags_only(proxy, upstream):
    client = proxy(KEYS).openai(SECRET)
    with pytest.raises(openai.PermissionDeniedError, match="model 'o3' is not one of"):
        ask(client, model="o3")
    with pytest.raises(openai.PermissionDeniedError, match="tag 'mail'"):
        ask(client, extra_headers={"x-promptopt-tag": "mail"})
    for others in (["gpt-4o", "o3"], "o3", [{"model": "gpt-4o"}]):
        # A provider of many takes one of them if the first fails.
        with pytest.raises(openai.PermissionDeniedError, match=r"model .* is not one of"):
            ask(client, extra_body={"models": others})
    assert upstream.calls == 0


def test_keys_share_no_answers(proxy, upstream):
    other = f'[tool.promptopt.gateway.keys.mail]\nsha256 = "{key_sha256("po-mail")}"'
    server = proxy(KEYS + other)
    for key in (SECRET, "po-mail", SECRET):
        ask(server.openai(key))
    assert upstream.calls == 2
