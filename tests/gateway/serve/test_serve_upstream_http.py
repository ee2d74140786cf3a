"""The server's way to its upstreams reads what aiohttp reads, whatever they send, and keeps connections as it does."""

import asyncio
import gzip
import ssl
import subprocess
import zlib
from contextlib import asynccontextmanager

import aiohttp
import pytest
import uvloop
from yarl import URL

from promptopt.gateway.serve.upstream_pool import UpstreamPool, request_head

OK = b"HTTP/1.1 200 OK\r\n"
PACKED = gzip.compress(b"packed")
DEFLATED = zlib.compress(b"packed")
BARE = DEFLATED[2:-4]
REPLIES = {
    "sized": OK + b"Content-Type: application/json\r\ncontent-length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello",
    "empty": OK + b"content-length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n",
    "chunked": OK + b"transfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\nyou\r\n0\r\nx-end: 1\r\n\r\n",
    "until the end": OK + b"content-type: text/plain\r\n\r\nhello",
    "of HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "after a continue": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 2\r\n\r\nok",
    "after early hints": b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" + OK + b"content-length: 2\r\n\r\nok",
    "an error": b"HTTP/1.1 503 Away\r\nretry-after: 3\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno",
    "no reason": b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok",
    "a value that is not ASCII": OK + "x-a: grün\r\ncontent-length: 2\r\n\r\nok".encode(),
    "an empty value": OK + b"x-a:\r\ncontent-length: 2\r\n\r\nok",
    "gzip unasked": OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "deflate unasked": OK + b"content-encoding: deflate\r\ncontent-length: %d\r\n\r\n" % len(DEFLATED) + DEFLATED,
    "deflate without a head": OK + b"content-encoding: deflate\r\ncontent-length: %d\r\n\r\n" % len(BARE) + BARE,
    "more than was said": OK + b"content-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
}
BROKEN = {
    "nothing": b"",
    "half a head": OK + b"content-len",
    "half a body": OK + b"content-length: 5\r\n\r\nhel",
    "half a chunk": OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhel",
    "no last chunk": OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "a wrong chunk": OK + b"transfer-encoding: chunked\r\n\r\nxyz\r\n\r\n",
    "a wrong length": OK + b"content-length: five\r\n\r\nhello",
    "a head without an end": OK + b"x-a: 1\r\n" * 100_000,
    "gzip that is none": OK + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello",
}


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request):
    return request.param


class Script:
    """A server that answers each request with the same bytes, piece by piece, and notes what it was sent."""

    def __init__(self, *pieces, stays=False):
        self.pieces, self.stays = pieces, stays
        self.heads, self.bodies, self.connections = [], [], 0

    async def __call__(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:")
                self.bodies.append(await reader.readexactly(length))
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)
                if not self.stays:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(script, **options):
    server = await asyncio.start_server(script, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def pooled(**options):
    pool = UpstreamPool(**{"connect_timeout_s": 5, "timeout_s": 5, "keepalive_s": 4, **options})
    try:
        yield pool
    finally:
        await pool.close()


async def post(pool, url, body=b"{}", headers=()):
    url = URL(url)
    head = request_head(url, tuple(headers)) + b"%d\r\n\r\n" % len(body)
    return await (await pool.connection(url)).post(url, head, body)


async def outcome(getting):
    """What a client makes of a response: all that it says, or the sort of its error."""
    try:
        response = await getting
        body = await response.read()
    except aiohttp.ClientError:
        return "failed"
    headers = [(name.lower(), value) for name, value in response.headers.items()]
    return response.status, headers, [(name.lower(), value) for name, value in response.raw_headers], body


@pytest.mark.parametrize("size", [7, 100_000])
@pytest.mark.parametrize("reply", [*REPLIES.values(), *BROKEN.values()], ids=[*REPLIES, *BROKEN])
def test_every_response_is_what_aiohttp_reads(run, reply, size):
    size = max(size, len(reply) // 100)
    pieces = [reply[start : start + size] for start in range(0, len(reply), size)]

    async def both():
        async with serving(Script(*pieces)) as port, pooled() as pool, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/v1"
            found = await outcome(post(pool, url))
            assert found == await outcome(session.post(url, data=b"{}"))
            return found

    assert (run(both()) == "failed") == (reply in BROKEN.values())


def test_a_request_says_what_aiohttps_says(run):
    script = Script(REPLIES["sized"])
    given = {"authorization": "Bearer k", "content-type": "application/json", "accept-encoding": "identity"}

    async def both():
        async with serving(script) as port, pooled() as pool, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/v1/a%20b?c=d"
            await (await post(pool, url, b'{"a": 1}', given.items())).read()
            async with session.post(URL(url, encoded=True), data=b'{"a": 1}', headers=given) as response:
                await response.read()

    run(both())
    (start, *ours), (other, *theirs) = ([*filter(None, head.split(b"\r\n"))] for head in script.heads)
    assert start == other
    assert {line.lower() for line in ours} == {line.lower() for line in theirs}
    assert len(ours) == len(theirs)
    assert script.bodies == [b'{"a": 1}'] * 2


def test_a_header_cannot_begin_another_line():
    with pytest.raises(ValueError, match="line end"):
        request_head(URL("http://host/"), (("x-a", "1\r\nx-b: 2"),))


@pytest.mark.parametrize(
    ("name", "connections"),
    [("sized", 1), ("chunked", 1), ("empty", 1), ("no content", 1), ("an error", 2), ("more than was said", 2)],
)
def test_a_connection_is_used_again_if_it_may_be(run, name, connections):
    script = Script(REPLIES[name], stays=True)

    async def twice():
        async with serving(script) as port, pooled() as pool:
            for _ in range(2):
                await (await post(pool, f"http://127.0.0.1:{port}/")).read()
                await asyncio.sleep(0.01)

    run(twice())
    assert script.connections == connections


def test_a_connection_that_has_rested_too_long_or_that_its_server_closed_is_not_used(run):
    async def later(script, keepalive_s):
        async with serving(script) as port, pooled(keepalive_s=keepalive_s) as pool:
            for _ in range(2):
                await (await post(pool, f"http://127.0.0.1:{port}/")).read()
                await asyncio.sleep(0.1)
            return script.connections

    assert run(later(Script(REPLIES["sized"], stays=True), 0.05)) == 2
    assert run(later(Script(REPLIES["sized"]), 4)) == 2


def test_a_server_that_says_nothing_is_not_waited_for_and_one_that_goes_on_is(run):
    async def asked():
        silent, slow = Script(stays=True), Script(*(bytes([each]) for each in REPLIES["chunked"]))
        async with serving(silent) as port, serving(slow) as other, pooled(timeout_s=0.05) as pool:
            with pytest.raises(TimeoutError):
                await post(pool, f"http://127.0.0.1:{port}/")
            response = await post(pool, f"http://127.0.0.1:{other}/")
            assert await response.read() == b"helloyou"
            half = Script(REPLIES["chunked"][:-10], stays=True)
            async with serving(half) as third:
                response = await post(pool, f"http://127.0.0.1:{third}/")
                with pytest.raises(TimeoutError):
                    await response.read()

    run(asked())


def test_a_reader_that_takes_nothing_holds_up_its_upstream_and_is_no_fault_of_it(run):
    piece = b"x" * 100_000
    script = Script(OK + b"content-length: %d\r\n\r\n" % (len(piece) * 400), *[piece] * 400)

    async def slowly():
        async with serving(script, limit=2**20) as port, pooled(timeout_s=0.1) as pool:
            response = await post(pool, f"http://127.0.0.1:{port}/")
            parts = response.content.iter_any()
            size = len(await anext(parts))
            await asyncio.sleep(0.5)
            async for part in parts:
                assert len(part) < 10_000_000
                size += len(part)
            return size

    assert run(slowly()) == 40_000_000


def test_a_large_body_arrives_as_a_whole(run):
    script = Script(REPLIES["sized"], stays=True)
    body = bytes(range(256)) * 20_000

    async def sent():
        async with serving(script) as port, pooled() as pool:
            for _ in range(2):
                assert await (await post(pool, f"http://127.0.0.1:{port}/", body)).read() == b"hello"

    run(sent())
    assert script.bodies == [body, body]
    assert script.connections == 1


def test_who_is_cancelled_or_closes_takes_its_connection_along(run):
    script = Script(REPLIES["chunked"][:-10], stays=True)

    async def left():
        async with serving(script) as port, pooled() as pool:
            url = f"http://127.0.0.1:{port}/"
            response = await post(pool, url)
            response.close()
            with pytest.raises(aiohttp.ClientError):
                await response.read()
            script.pieces = ()
            asking = asyncio.ensure_future(post(pool, url))
            await asyncio.sleep(0.05)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            script.pieces = (REPLIES["sized"],)
            assert await (await post(pool, url)).read() == b"hello"

    run(left())
    assert script.connections == 3


def test_what_cannot_be_reached_is_said_as_aiohttp_says_it(run, tmp_path, busy_port):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    named = ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *named], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def error(getting):
        try:
            await getting
        except (aiohttp.ClientError, TimeoutError) as found:
            return type(found), isinstance(found, aiohttp.ClientConnectorError), str(found)
        raise AssertionError("it was reached")

    async def both(url, seconds):
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=seconds)
        async with pooled(connect_timeout_s=seconds) as pool, aiohttp.ClientSession(timeout=timeout) as session:
            ours, theirs = await error(post(pool, url)), await error(session.post(url, data=b"{}"))
        assert ours[:2] == theirs[:2]
        assert "object at" not in ours[2]

    async def all_of_them():
        async with serving(Script(REPLIES["sized"]), ssl=context) as port:
            for url in ("http://127.0.0.1:1/", f"https://localhost:{port}/", "http://no-such-host.invalid/"):
                await both(url, 10)
            await both(f"https://127.0.0.1:{busy_port}/", 0.2)

    run(all_of_them())


def test_tls_is_spoken(run, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    named = ["-keyout", str(key), "-out", str(certificate), "-days", "1", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", *named]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setattr(
        "promptopt.gateway.serve.upstream_pool._trusting", lambda: ssl.create_default_context(cafile=str(certificate))
    )
    script = Script(REPLIES["chunked"], stays=True)

    async def asked():
        async with serving(script, ssl=context) as port, pooled() as pool:
            for _ in range(3):
                assert await (await post(pool, f"https://localhost:{port}/")).read() == b"helloyou"

    run(asked())
    assert script.connections == 1
