"""What is asked again in the same bytes: read once, and still the call of whoever asks, when they ask."""

import json

import httpx2
import pytest

import promptopt
from promptopt.gateway.call import Answer, Call, Wire
from promptopt.gateway.openai import headers
from promptopt.gateway.openai.headers import call_of, said_in
from promptopt.gateway.openai.http import http_response

URL = "https://api.openai.com/v1/chat/completions"
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "user": "body"}
CONTENT = json.dumps(BODY).encode()
SAID = [(b"authorization", b"Bearer a"), (b"accept", b"*/*")]


def called(url=URL, said=SAID, content=CONTENT, deployments=None, give_up_at=None):
    return call_of(url, said_in(said), content, deployments or {}, give_up_at=give_up_at)


def general(url=URL, said=SAID, content=CONTENT, deployments=None, give_up_at=None):
    """The same without what is remembered."""
    headers._small_call.cache_clear()
    headers._said.cache_clear()
    return called(url, said, content, deployments, give_up_at)


OTHERS = [
    {},
    {"url": "https://api.openai.com/v1/responses"},
    {"url": "https://azure/openai/deployments/mini/chat/completions", "deployments": {"mini": "gpt-4o-mini"}},
    {"url": "https://azure/openai/deployments/mini/chat/completions", "deployments": {"mini": "gpt-4.1"}},
    {"said": [(b"authorization", b"Bearer b")]},
    {"said": [*SAID, (b"OpenAI-Project", b"p")]},
    {"said": [*SAID, (b"openai-organization", b"o")]},
    {"said": [*SAID, (b"x-promptopt-tenant", b"t")]},
    {"said": [*SAID, (b"x-promptopt-user", b"u")]},
    {"said": [*SAID, (b"x-promptopt-sample", b"3")]},
    {"said": [*SAID, (b"x-stainless-retry-count", b"2")]},
    {"said": [*SAID, (b"openai-beta", b"v2")]},
    {"content": CONTENT + b" "},
    {"content": CONTENT.replace(b"Hi", b"Ho")},
    {"content": CONTENT.replace(b'"body"', b'"other"')},
    {"content": b"[1]"},
    {"give_up_at": 5.0},
    {"give_up_at": 6.0},
]


@pytest.mark.parametrize(
    "labels", [{}, {"user": "u1"}, {"tenant": "t1", "prompt": "p"}, {"tenant": "t2"}, {"cache": "only"}]
)
def test_a_remembered_call_is_the_one_that_is_read_anew(labels):
    for first in OTHERS:
        for then in OTHERS:
            with promptopt.labels(**labels):
                expected = general(**then)
                general(**first)
                called(**then)
                assert called(**then) == expected
            with promptopt.labels(tag="another"):
                called(**then)
            with promptopt.labels(**labels):
                assert called(**then) == expected


def test_a_large_body_is_not_remembered():
    content = json.dumps({**BODY, "messages": [{"role": "user", "content": "x" * headers._SMALL}]}).encode()
    headers._small_call.cache_clear()
    assert called(content=content) == called(content=content)
    assert headers._small_call.cache_info().currsize == 0
    called()
    assert headers._small_call.cache_info().currsize == 1


@pytest.mark.parametrize("content", [b"", b"{}", '{"text": "ä"}'.encode()])
def test_a_kept_answers_response_is_as_one_that_httpx2_reads(content):
    request = httpx2.Request("POST", URL, content=CONTENT)
    answer = Answer(source="cache", wire=Wire(content), request_id="r1")
    found = http_response(Call("chat", URL, BODY), answer, request, streamed=False)
    read = httpx2.Response(200, headers=found.headers, request=request, stream=httpx2.ByteStream(content))
    read.read()
    read.elapsed = found.elapsed
    ours, theirs = vars(found), vars(read)
    # The decoder and the stream are of no use any more.
    assert {*theirs} - {*ours} == {"_decoder"}
    assert {name: value for name, value in ours.items() if name != "stream"} == {
        name: theirs[name] for name in ours if name != "stream"
    }
    assert (found.content, found.text) == (content, content.decode())
    assert b"".join(found.iter_bytes()) == content
    found.close()
    with pytest.raises(httpx2.StreamConsumed):
        next(found.iter_raw())
