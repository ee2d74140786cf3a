"""HTTP/1.1 as almost every exchange has it, without I/O; what is unusual in any way is left to h11.

Reading every message with h11 takes a tenth of a call's processor time. What is read here is read as h11 reads it, and
what is not certain (RFC 9112 has many ways to be ambiguous) is not read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, Protocol

import httpcore2

_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_INNER = rb"[\t\x20-\x7e\x80-\xff]*"
_SENT_NAME = re.compile(_NAME)
_SENT_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:" + _INNER + rb"[\x21-\x7e\x80-\xff])?)?")
_SENT_TARGET = re.compile(rb"[\x21-\x7e]+")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_FIELDS = rb"((?:" + _NAME + rb":" + _INNER + rb"\r\n)*)\r\n"
_START = b"HTTP/1.1 "
_HEAD = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: (" + _INNER + rb"))?\r\n" + _FIELDS)
_FIELD = re.compile(rb"([^:\r\n]+):[ \t]*([^\r\n]*?)[ \t]*\r\n")
_FRAMING = re.compile(rb"(?im)^(content-length|transfer-encoding|connection):[ \t]*([^\r\n]*?)[ \t]*\r$")
_TRAILER = re.compile(_FIELDS)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;.*)?[ \t]*\r\n")
# Responses that have no body, whatever they say.
_EMPTY = (b"204", b"304")
# Bytes of the line end after a chunk.
_END = 2
# What a peer may send before it says something whole; as in httpcore2.
_MOST = 100 * 1024


@lru_cache(maxsize=256)
def request_head(target: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, int] | None:
    """The head of a POST request, and how many bytes of a body it announces; ``None`` if h11 is to write it.

    Most calls of a program have the same headers.
    """
    host: list[bytes] = []
    others: list[bytes] = []
    lengths: list[bytes] = []
    for name, value in headers:
        low = name.lower()
        if not _SENT_NAME.fullmatch(name) or not _SENT_VALUE.fullmatch(value):
            return None
        if low in (b"transfer-encoding", b"expect", b"upgrade") or (low == b"connection" and value != b"keep-alive"):
            return None
        if low == b"content-length":
            lengths.append(value)
        # The host comes first, as RFC 9110 recommends.
        (host if low == b"host" else others).append(name + b": " + value + b"\r\n")
    if len(host) != 1 or len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]) or not _SENT_TARGET.fullmatch(target):
        return None
    return b"".join((b"POST ", target, b" HTTP/1.1\r\n", *host, *others, b"\r\n")), int(lengths[0])


class Body(Protocol):
    """Reads a response's body.

    Attributes:
        done: Whether it has come as a whole.
        lasts: Whether the connection may be used again after it.
    """

    done: bool
    lasts: bool

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What of the body is in the data that came, chunk by chunk. Raises RemoteProtocolError if it is not HTTP."""

    def broken_off(self) -> httpcore2.RemoteProtocolError:
        """The error of a connection that ended before it was done."""


class Head(NamedTuple):
    """The head of a response.

    Attributes:
        headers: Names as they came.
        body: Reads what comes after it.
        rest: The bytes that came with it.
    """

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    body: Body
    rest: bytes


def is_whole(data: bytes) -> bool:
    """Whether the head of a response has come, or the beginning of something that only h11 knows."""
    if b"\r\n\r\n" in data or len(data) > _MOST:
        return True
    return data[: len(_START)] != _START[: len(data)] or data.count(b"\n") != data.count(b"\r\n")


def response_head(data: bytes) -> Head | None:
    """The head of a response; ``None`` if h11 is to read it."""
    found = _HEAD.match(data)
    if found is None or found[1] in _EMPTY:
        return None
    body = _body_of(found[3])
    if body is None:
        return None
    return Head(int(found[1]), found[2] or b"", _FIELD.findall(found[3]), body, data[found.end() :])


def _body_of(fields: bytes) -> Body | None:
    """The reader of a body that has either a length or chunks; ``None`` for any other."""
    body: Body | None = None
    lasts = True
    for name, value in _FRAMING.findall(fields):
        kind = name.lower()
        if kind == b"connection":
            if value.lower() not in (b"keep-alive", b"close"):
                return None
            lasts = lasts and value.lower() != b"close"
        elif body is not None:
            return None
        elif kind == b"content-length" and _LENGTH.fullmatch(value):
            body = SizedBody(int(value))
        elif kind == b"transfer-encoding" and value == b"chunked":
            body = ChunkedBody()
        else:
            return None
    if body is not None:
        body.lasts = lasts
    return body


class SizedBody:
    """A body of a known length, in bytes."""

    def __init__(self, length: int) -> None:
        self._length = self._left = length
        self.done = not length
        self.lasts = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        if len(data) > self._left:
            # Nobody has asked for that.
            self.lasts = False
            data = data[: self._left]
        self._left -= len(data)
        self.done = not self._left
        if data:
            yield data

    def broken_off(self) -> httpcore2.RemoteProtocolError:
        received = self._length - self._left
        return httpcore2.RemoteProtocolError(
            "peer closed connection without sending complete message body "
            f"(received {received} bytes, expected {self._length})"
        )


class ChunkedBody:
    """A body in chunks."""

    def __init__(self) -> None:
        # What came and was not read yet begins in it here.
        self._held, self._at = b"", 0
        # Of the chunk that comes, with the line end after it; less than 0 after the last one.
        self._left = 0
        self.done = False
        self.lasts = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._held, self._at = self._held[self._at :] + data, 0
        while not self.done and self._at < len(self._held):
            if self._left > _END:
                yield self._take(self._left - _END)
            elif self._left > 0:
                wanted = b"\r\n"[-self._left :]
                ended = self._take(self._left)
                if not wanted.startswith(ended):
                    raise httpcore2.RemoteProtocolError(f"malformed chunk footer: {ended!r}")
            elif not self._has_line():
                return
        if self.done and self._at < len(self._held):
            self.lasts = False

    def _take(self, most: int) -> bytes:
        part = self._held[self._at : self._at + most]
        self._at += len(part)
        self._left -= len(part)
        return part

    def _has_line(self) -> bool:
        """Read the head of a chunk, or what comes after the last one; whether it was there as a whole.

        Raises:
            RemoteProtocolError: It is something else.
        """
        found = (_TRAILER if self._left else _CHUNK).match(self._held, self._at)
        if found is None:
            unread = self._held[self._at :]
            if (b"\r\n\r\n" if self._left else b"\r\n") in unread or len(unread) > _MOST:
                raise httpcore2.RemoteProtocolError(f"illegal chunk header: {unread[:100]!r}")
            return False
        self._at = found.end()
        if self._left:
            self.done = True
        else:
            size = int(found[1], base=16)
            self._left = size + _END if size else -1
        return True

    def broken_off(self) -> httpcore2.RemoteProtocolError:
        if self._at < len(self._held):
            return httpcore2.RemoteProtocolError("peer unexpectedly closed connection")
        return httpcore2.RemoteProtocolError(
            "peer closed connection without sending complete message body (incomplete chunked read)"
        )
