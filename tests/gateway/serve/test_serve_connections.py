"""What goes over a client's connection, byte by byte: how answers are written, and how who goes away is noticed."""

import json
import socket

import pytest
from upstream import Reply, wait_until

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 10}


def connected(server):
    host, port = server.url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)), timeout=10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def request(body=CHAT, *, method="POST", path="/v1/chat/completions"):
    data = b"" if body is None else json.dumps(body).encode()
    kind = b"" if body is None else b"content-type: application/json\r\ncontent-length: %d\r\n" % len(data)
    return f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n".encode() + kind + b"\r\n" + data


def read_whole(client):
    """A response that says its length, and how many reads it took."""
    data, reads = b"", 0
    while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < length(data):
        part = client.recv(65536)
        assert part, data
        data, reads = data + part, reads + 1
    return data, reads


def length(data):
    lines = data.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))


def test_an_answer_comes_in_one_piece(proxy):
    with connected(proxy()) as client:
        for _ in range(20):
            client.sendall(request())
            data, reads = read_whole(client)
            assert (data[:15], reads) == (b"HTTP/1.1 200 OK", 1)


def test_a_head_without_its_body_is_sent(proxy):
    with connected(proxy()) as client:
        client.sendall(request(None, method="HEAD", path="/healthz"))
        data = client.recv(65536)
        assert data.startswith(b"HTTP/1.1 200 OK")
        assert data.endswith(b"\r\n\r\n")
        client.sendall(request(None, method="GET", path="/healthz"))
        assert read_whole(client)[0].endswith(b'{"status": "ok"}')


def test_a_request_that_asks_for_it_is_the_last_of_its_connection(proxy):
    with connected(proxy()) as client:
        client.sendall(request().replace(b"host:", b"connection: close\r\nhost:", 1))
        data, _ = read_whole(client)
        assert b"\r\nconnection: close\r\n" in data
        assert client.recv(1) == b""


def test_requests_that_come_together_are_answered_one_after_the_other(proxy, upstream):
    with connected(proxy()) as client:
        client.sendall(request() + request(None, method="GET", path="/healthz"))
        data = b""
        while not data.endswith(b'{"status": "ok"}'):
            part = client.recv(65536)
            assert part, data
            data += part
        assert data.count(b"HTTP/1.1 200 OK") == 2
        assert data.index(b"chat.completion") < data.index(b'{"status": "ok"}')
    assert upstream.calls == 1


@pytest.mark.parametrize("more", [b"", request(None, method="GET", path="/healthz")])
@pytest.mark.parametrize("size", [10, 300_000])
def test_a_client_that_goes_away_is_noticed_whatever_it_has_sent(proxy, upstream, size, more):
    upstream.on = lambda path, body: Reply(hang_s=30)
    server = proxy()
    with connected(server) as client:
        client.sendall(request({**CHAT, "messages": [{"role": "user", "content": "x" * size}]}) + more)
        assert wait_until(lambda: upstream.calls == 1)
        assert server.service.serving.in_flight == 1
    assert wait_until(lambda: server.service.serving.in_flight == 0, 10)
    assert [row.status for row in server.rows()] == ["abandoned"]


def test_who_waits_for_word_before_the_body_gets_it(proxy):
    with connected(proxy()) as client:
        head, _, body = request().partition(b"\r\n\r\n")
        client.sendall(head + b"\r\nexpect: 100-continue\r\n\r\n")
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert read_whole(client)[0].startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_is_asked_through_the_proxy_that_the_environment_names(proxy, upstream, monkeypatch, stream):
    monkeypatch.setenv("http_proxy", upstream.url.removesuffix("/v1"))
    # The client of this test goes straight to the server.
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = proxy('[[tool.promptopt.gateway.upstreams]]\nname = "a"\nurl = "http://provider.invalid/v1"')
    response = server.post({**CHAT, "stream": stream})
    assert response.status_code == 200
    assert [path for path, _, _ in upstream.requests] == ["http://provider.invalid/v1/chat/completions"]
    assert [row.status for row in server.rows()] == ["ok"]
