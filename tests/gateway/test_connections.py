"""The short way over HTTP/1.1 does what httpcore2 and h11 do, byte for byte, and leaves to them what is unusual."""

import asyncio
import socket
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import httpcore2
import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import promptopt
from promptopt.gateway.openai.async_connections import AsyncConnection
from promptopt.gateway.openai.connections import Connection

ORIGIN = httpcore2.Origin(b"http", b"host", 80)
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Script(httpcore2.NetworkStream):
    """A server that says the same whatever it is sent: some pieces, then the end."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = [*pieces]
        self.sent = b""
        self.closed = False

    def read(self, max_bytes, timeout=None):
        if not self.pieces:
            return b""
        piece, rest = self.pieces[0][:max_bytes], self.pieces[0][max_bytes:]
        self.pieces[:1] = [rest] if rest else []
        return piece

    def write(self, buffer, timeout=None):
        self.sent += buffer

    def close(self):
        self.closed = True

    def get_extra_info(self, info):
        return bool(self.pieces) if info == "is_readable" else None


class AsyncScript(Script, httpcore2.AsyncNetworkStream):
    async def read(self, max_bytes, timeout=None):
        return Script.read(self, max_bytes)

    async def write(self, buffer, timeout=None):
        Script.write(self, buffer)

    async def aclose(self):
        self.closed = True


def request(content=b'{"a":1}', **more):
    headers = [(b"Accept", b"*/*"), (b"Host", b"host"), (b"Content-Length", str(len(content)).encode())]
    headers += [(name.encode(), value) for name, value in more.items()]
    return httpcore2.Request("POST", "http://host/v1/x", headers=headers, content=httpx2.ByteStream(content))


def outcome(connection, asked):
    """What came of an exchange: all of a response, or an error and what had come of the body before it."""
    body = []
    try:
        response = connection.handle_request(asked)
        try:
            for part in response.stream:
                body.append(part)  # noqa: PERF402 - what came before an error counts, too
        finally:
            response.stream.close()
    except (httpcore2.ProtocolError, httpcore2.NetworkError) as error:
        return type(error), str(error), body
    said = response.extensions
    return response.status, response.headers, body, said["reason_phrase"], said["http_version"]


async def async_outcome(connection, asked):
    body = []
    try:
        response = await connection.handle_async_request(asked)
        try:
            async for part in response.stream:
                body.append(part)  # noqa: PERF401 - as above
        finally:
            await response.stream.aclose()
    except (httpcore2.ProtocolError, httpcore2.NetworkError) as error:
        return type(error), str(error), body
    said = response.extensions
    return response.status, response.headers, body, said["reason_phrase"], said["http_version"]


def shortened(*pieces, async_=False):
    """A connection that has had its first exchange, and what its server says next."""
    stream = (AsyncScript if async_ else Script)(PLAIN)
    if async_:
        connection = AsyncConnection(httpcore2.AsyncHTTP11Connection(ORIGIN, stream), ORIGIN, 5.0)
        asyncio.run(async_outcome(connection, request()))
    else:
        connection = Connection(httpcore2.HTTP11Connection(ORIGIN, stream), ORIGIN, 5.0)
        assert outcome(connection, request())[0] == 200
    stream.pieces, stream.sent = [*pieces], b""
    return connection, stream


def by_h11(*pieces, asked):
    stream = Script(*pieces)
    connection = httpcore2.HTTP11Connection(ORIGIN, stream)
    return outcome(connection, asked), stream.sent, connection.is_idle()


def pieces_of(data, cuts):
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


LINES = st.sampled_from(
    [
        *(
            b"Content-Length: 5",
            b"Content-Length: 0",
            b"content-length:5 ",
            b"Content-Length: 5, 5",
            b"Content-Length: -1",
        ),
        *(b"Transfer-Encoding: chunked", b"transfer-encoding: Chunked", b"Transfer-Encoding: gzip"),
        *(b"Connection: close", b"Connection: keep-alive", b"Connection: keep-alive, x", b"Connection: upgrade"),
        *(
            b"X: y",
            b"X:  y z\t ",
            b"X:",
            b" folded",
            b"X y: z",
            b"X\xff: y",
            b"X: \x00",
            b"X: \xe9",
            b"X: a\rb",
            b"Keep-Alive: 5",
        ),
    ]
)
STARTS = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 404 Not \xe9", b"HTTP/1.0 200 OK"),
        *(
            b"HTTP/1.1 204 No",
            b"HTTP/1.1 304 No",
            b"HTTP/1.1 600 x",
            b"HTTP/1.1 20 x",
            b"http/1.1 200 OK",
            b"",
            b"\x16\x03",
        ),
        b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK",
    ]
)
BODIES = st.sampled_from(
    [
        *(
            b"",
            b"hello",
            b"hel",
            b"5\r\nhello\r\n0\r\n\r\n",
            b"2;x=y\r\nhe\r\n3 \r\nllo\r\n0\r\nT: 1\r\n\r\n",
            b"5\r\nhello\r\n",
        ),
        *(
            b"5\r\nhelloXX0\r\n\r\n",
            b"g\r\nhello",
            b"5\nhello\r\n0\r\n\r\n",
            b"0\r\nbad trailer\r\n\r\n",
            b"0\r\n\r",
            b"0\r\n",
        ),
        *(b"5\r\nhello\r\n0\r\n\r\n"[:7], b"fffffffffffffffffffff\r\n", b"\r\n", b"1\r\na\r\n" * 50 + b"0\r\n\r\n"),
    ]
)
RESPONSES = st.builds(
    lambda start, lines, end, body: end.join([start, *lines, b""]) + end + body,
    STARTS, st.lists(LINES, max_size=4), st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]), BODIES,
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(RESPONSES, st.lists(st.integers(0, 200), max_size=8))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", [])
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", list(range(200)))
@example(b"", [])
def test_every_response_is_what_h11_reads(data, cuts):
    pieces = pieces_of(data, cuts)
    expected, sent, idle = by_h11(*pieces, asked=request())
    for async_ in (False, True):
        connection, stream = shortened(*pieces, async_=async_)
        found = asyncio.run(async_outcome(connection, request())) if async_ else outcome(connection, request())
        if str(expected[1]).startswith(("illegal", "malformed")):
            # h11 quotes the line in its own way.
            assert (found[0], found[2]) == (expected[0], expected[2])
        else:
            assert found == expected
        assert stream.sent == sent
        # What a server says unasked ends a connection, which httpcore2 would read the next answer from.
        assert connection.is_closed() or idle
        assert connection.is_idle() is not connection.is_closed()
        assert stream.closed is connection.is_closed()


def test_a_connection_is_used_again():
    connection, stream = shortened(PLAIN)
    assert outcome(connection, request())[2] == [b"ok"]
    assert connection.is_idle()
    stream.pieces = [b"HTTP/1.1 204 No\r\n\r\n"]
    assert outcome(connection, request())[0] == 204
    stream.pieces = [PLAIN]
    assert outcome(connection, request())[2] == [b"ok"]
    assert connection.is_idle()


def test_what_a_server_says_unasked_ends_a_connection():
    connection, stream = shortened(PLAIN + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    assert outcome(connection, request())[2] == [b"ok"]
    assert stream.closed


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["X", "x-a", "Connection", "Expect", "bad name", "Transfer-Encoding", "Content-length", "hOst"]
        ),
        st.sampled_from(
            [b"v", b"", b" v", b"v ", b"a\r\nB: c", b"a\nb", b"\x00", b"keep-alive", b"close", b"\xe9", b"7", b"a\tb"]
        ),
        max_size=3,
    )
)
def test_every_request_is_what_h11_writes(more):
    expected, sent, _ = by_h11(PLAIN, asked=request(**more))
    connection, stream = shortened(PLAIN)
    assert outcome(connection, request(**more)) == expected
    assert stream.sent == sent


@pytest.fixture
def server():
    """Says what ``says`` has, one piece for each request; ``accepted`` counts connections."""

    found = SimpleNamespace(says=[], accepted=0, requests=[])
    listening = socket.create_server(("127.0.0.1", 0))
    found.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/else"

    def serve(connection):
        with connection:
            while data := connection.recv(65536):
                head, _, body = data.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                while len(body) < length:
                    body += connection.recv(65536)
                found.requests.append(body)
                said = found.says.pop(0)
                if said is None:
                    time.sleep(30)
                if not said:
                    return
                connection.sendall(said)

    def accept():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            found.accepted += 1
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield found
    listening.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{} \r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


def client(folder, **options):
    return promptopt.http_client(path=folder, cache=False, single_flight=False, **options)


def test_real_connections_are_kept_and_replaced(server, tmp_path):
    server.says = [PLAIN, CHUNKED, PLAIN, CLOSING, PLAIN, HINTS + PLAIN, PLAIN]
    with client(tmp_path) as http:
        texts = [http.post(server.url, json={"n": number}).text for number in range(7)]
    assert texts == ["ok", "{} ", "ok", "ok", "ok", "ok", "ok"]
    assert server.accepted == 2
    assert server.requests == [b'{"n":%d}' % number for number in range(7)]


def test_a_connection_that_its_server_has_closed_is_not_used(server, tmp_path):
    server.says = [PLAIN, PLAIN, b"", PLAIN]
    with client(tmp_path) as http:
        http.post(server.url, json={})
        http.post(server.url, json={})
        with pytest.raises(httpx2.RemoteProtocolError, match="Server disconnected without sending a response"):
            http.post(server.url, json={})
        assert http.post(server.url, json={}).text == "ok"
    assert server.accepted == 2


def test_a_read_timeout_ends_a_connection(server, tmp_path):
    server.says = [PLAIN, None, PLAIN]
    with client(tmp_path) as http:
        http.post(server.url, json={})
        with pytest.raises(httpx2.ReadTimeout):
            http.post(server.url, json={}, timeout=0.2)
        assert http.post(server.url, json={}).text == "ok"
    assert server.accepted == 2


def test_a_cancelled_call_gives_its_place_back(server, tmp_path):
    server.says = [PLAIN, None, PLAIN]

    async def main():
        async with promptopt.async_http_client(path=tmp_path, cache=False) as http:
            http._transport._pool._max_connections = 1
            await http.post(server.url, json={})
            waiting = asyncio.create_task(http.post(server.url, json={}))
            await asyncio.sleep(0.2)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return (await http.post(server.url, json={})).text

    assert asyncio.run(main()) == "ok"
    assert server.accepted == 2


def counted(http, monkeypatch):
    """The exchanges that the pool is asked for, from now on."""
    asked = []
    assign = http._transport._pool._assign_requests_to_connections
    monkeypatch.setattr(http._transport._pool, "_assign_requests_to_connections", lambda: asked.append(1) or assign())
    return asked


def test_a_resting_connection_is_used_past_its_pool(server, tmp_path, monkeypatch):
    server.says = [PLAIN, CHUNKED, PLAIN, CLOSING, PLAIN, PLAIN]
    with client(tmp_path) as http:
        http.post(server.url, json={})
        asked = counted(http, monkeypatch)
        assert [http.post(server.url, json={}).text for _ in range(3)] == ["{} ", "ok", "ok"]
        assert asked == []
        assert len(http._transport._pool.connections) == 1
        # The server closes it: the pool makes another one.
        assert http.post(server.url, json={}).text == "ok"
        assert asked
        assert http.post(server.url, json={}).text == "ok"
        assert len(http._transport._pool.connections) == 1
    assert server.accepted == 2


def test_a_connection_that_nobody_used_for_long_is_left_to_its_pool(server, tmp_path):
    server.says = [PLAIN, PLAIN, PLAIN]
    with client(tmp_path) as http:
        http.post(server.url, json={})
        http._transport._pool.connections[0]._state._keepalive_s = 0.05
        http.post(server.url, json={})
        time.sleep(0.1)
        assert http.post(server.url, json={}).text == "ok"
    assert server.accepted == 2


@pytest.mark.parametrize("said", [PLAIN, CLOSING, b"HTTP/2 nonsense\r\n\r\n"])
def test_who_waits_for_the_connection_gets_it_or_another(server, tmp_path, said):
    server.says = [PLAIN, said, PLAIN]
    found = []
    with client(tmp_path) as http:
        http._transport._pool._max_connections = 1
        http.post(server.url, json={})
        held = http.build_request("POST", server.url, json={})
        try:
            first = http.send(held, stream=True)
        except httpx2.RemoteProtocolError:
            first = None
        waiting = threading.Thread(target=lambda: found.append(http.post(server.url, json={}).text))
        waiting.start()
        time.sleep(0.2)
        assert found == ([] if first is not None else ["ok"])
        if first is not None:
            first.read()
            first.close()
        waiting.join(5)
        assert found == ["ok"]


def test_a_failed_exchange_past_the_pool_lets_others_go_on(server, tmp_path):
    server.says = [PLAIN, None, PLAIN]
    found = []
    with client(tmp_path) as http:
        http._transport._pool._max_connections = 1
        http.post(server.url, json={})

        def fail():
            with pytest.raises(httpx2.ReadTimeout):
                http.post(server.url, json={}, timeout=httpx2.Timeout(5, read=0.4))
            found.append("failed")

        failing = threading.Thread(target=fail)
        failing.start()
        time.sleep(0.1)
        found.append(http.post(server.url, json={}, timeout=10).text)
        failing.join()
    assert sorted(found) == ["failed", "ok"]


def test_threads_share_a_pool_of_few_connections(upstream, tmp_path):
    upstream.delay_s = 0.002
    with client(tmp_path, ledger=False) as http:
        http._transport._pool._max_connections = 2
        found = []

        def call(number):
            for turn in range(20):
                body = {"model": "m", "messages": [{"role": "user", "content": f"{number} {turn}"}]}
                found.append(http.post(f"{upstream.url}/chat/completions", json=body, timeout=20).status_code)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [200] * 120


def test_a_large_body_arrives_as_a_whole(server, tmp_path):
    server.says = [PLAIN, PLAIN]
    text = "x" * 300_000
    with client(tmp_path) as http:
        http.post(server.url, json={})
        http.post(server.url, json={"text": text})
    assert len(server.requests[1]) == len(text) + len('{"text":""}')


def test_who_traces_a_request_hears_of_every_step(server, tmp_path):
    server.says = [PLAIN, PLAIN]
    heard = []
    with client(tmp_path) as http:
        http.post(server.url, json={})
        http.post(server.url, json={}, extensions={"trace": lambda name, _info: heard.append(name)})
    assert "http11.send_request_headers.started" in heard
    assert "http11.response_closed.complete" in heard


def test_a_pool_that_is_kept_elsewhere_is_left_alone(server, tmp_path):
    server.says = [PLAIN, PLAIN]
    with client(tmp_path, proxy=None, transport=httpx2.HTTPTransport()) as http:
        http.post(server.url, json={})
        http.post(server.url, json={})
        assert "HTTPConnection" in type(http._transport._pool.connections[0]).__name__
