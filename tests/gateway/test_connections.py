"""The short way over HTTP/1.1 does what httpcore2 and h11 do, byte for byte, and leaves to them what is unusual."""

import asyncio
from itertools import pairwise

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


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{} \r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


def client(folder, **options):
    return promptopt.http_client(path=folder, cache=False, single_flight=False, **options)


def test_real_connections_are_kept_and_replaced(scripted, tmp_path):
    scripted.says = [PLAIN, CHUNKED, PLAIN, CLOSING, PLAIN, HINTS + PLAIN, PLAIN]
    with client(tmp_path) as http:
        texts = [http.post(scripted.url, json={"n": number}).text for number in range(7)]
    assert texts == ["ok", "{} ", "ok", "ok", "ok", "ok", "ok"]
    assert scripted.accepted == 2
    assert scripted.requests == [b'{"n":%d}' % number for number in range(7)]


def test_a_connection_that_its_server_has_closed_is_not_used(scripted, tmp_path):
    scripted.says = [PLAIN, PLAIN, b"", PLAIN]
    with client(tmp_path) as http:
        http.post(scripted.url, json={})
        http.post(scripted.url, json={})
        with pytest.raises(httpx2.RemoteProtocolError, match="Server disconnected without sending a response"):
            http.post(scripted.url, json={})
        assert http.post(scripted.url, json={}).text == "ok"
    assert scripted.accepted == 2


def test_a_read_timeout_ends_a_connection(scripted, tmp_path):
    scripted.says = [PLAIN, None, PLAIN]
    with client(tmp_path) as http:
        http.post(scripted.url, json={})
        with pytest.raises(httpx2.ReadTimeout):
            http.post(scripted.url, json={}, timeout=0.2)
        assert http.post(scripted.url, json={}).text == "ok"
    assert scripted.accepted == 2


def test_a_cancelled_call_gives_its_place_back(scripted, tmp_path):
    scripted.says = [PLAIN, None, PLAIN]

    async def main():
        async with promptopt.async_http_client(path=tmp_path, cache=False) as http:
            http._transport._pool._max_connections = 1
            await http.post(scripted.url, json={})
            waiting = asyncio.create_task(http.post(scripted.url, json={}))
            await asyncio.sleep(0.2)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return (await http.post(scripted.url, json={})).text

    assert asyncio.run(main()) == "ok"
    assert scripted.accepted == 2


def test_a_large_body_arrives_as_a_whole(scripted, tmp_path):
    scripted.says = [PLAIN, PLAIN]
    text = "x" * 300_000
    with client(tmp_path) as http:
        http.post(scripted.url, json={})
        http.post(scripted.url, json={"text": text})
    assert len(scripted.requests[1]) == len(text) + len('{"text":""}')


def test_who_traces_a_request_hears_of_every_step(scripted, tmp_path):
    scripted.says = [PLAIN, PLAIN]
    heard = []
    with client(tmp_path) as http:
        http.post(scripted.url, json={})
        http.post(scripted.url, json={}, extensions={"trace": lambda name, _info: heard.append(name)})
    assert "http11.send_request_headers.started" in heard
    assert "http11.response_closed.complete" in heard


def test_a_pool_that_is_kept_elsewhere_is_left_alone(scripted, tmp_path):
    scripted.says = [PLAIN, PLAIN]
    with client(tmp_path, proxy=None, transport=httpx2.HTTPTransport()) as http:
        http.post(scripted.url, json={})
        http.post(scripted.url, json={})
        assert "HTTPConnection" in type(http._transport._pool.connections[0]).__name__
