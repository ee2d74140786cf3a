"""What a client's request says, without I/O: its key, its labels, its call, and the errors that it may be answered."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from promptopt.gateway.body import LongNumber, read_json
from promptopt.gateway.call import Call, Endpoint, Labels
from promptopt.gateway.failures import CallFailed, Refused
from promptopt.gateway.openai.headers import Said
from promptopt.gateway.serve.forward import REDIRECTED, Reply

Headers = list[tuple[bytes, bytes]]
_NO_RETRY = (b"x-should-retry", b"false")
_JSON = (b"content-type", b"application/json")


class Rejected(Exception):
    """A request that is answered with an error in the form of OpenAI's API."""

    def __init__(self, status: int, code: str, message: str, *, param: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": code, "param": param, "code": code, **details}
        self.headers: Headers = []

    def reply(self) -> Reply:
        """The response."""
        return Reply(self.status, [_JSON, *self.headers], json.dumps({"error": self.error}).encode())


def not_allowed(method: str, path: str, *allowed: str) -> Rejected:
    """The error for a method that a path does not take."""
    names = ", ".join(sorted(allowed))
    # Below /v1 another method is another call of the API, as GET is a list of kept completions.
    code = "not_served" if path.startswith("/v1/") else "method_not_allowed"
    rejected = Rejected(405, code, f"{method} {path} is not served; the path takes {names}")
    rejected.headers.append((b"allow", names.encode()))
    return rejected


def secret_of(headers: Headers) -> str | None:
    """The key that a request comes with: a bearer, Azure's or Anthropic's header, or the password of a browser."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, rest = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                return rest.strip()
            if scheme.lower() == "basic":
                return _password(rest)
        elif name in (b"api-key", b"x-api-key"):
            return value.decode("latin-1").strip()
    return None


def _password(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return None


def read_unambiguous(content: bytes) -> Any:
    """The JSON of a body. Raises Rejected if it is none, or readers may differ over it."""
    try:
        return read_json(content, _object)
    except _Ambiguous as name:
        message = f"the body has {str(name)!r} twice in one object, so that readers may differ over it: send it once"
        raise Rejected(400, "invalid_json", message) from None
    except LongNumber as error:
        raise Rejected(400, "invalid_json", f"the body cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        raise _not_json(f"it is not UTF-8, from byte {error.start + 1:,} on") from None
    except RecursionError:
        raise _not_json("it is nested too deeply") from None
    except ValueError as error:
        raise _not_json(str(error)) from None


def _not_json(reason: str) -> Rejected:
    return Rejected(400, "invalid_json", f"the body is not JSON: {reason}")


def read_body(content: bytes) -> dict[str, Any]:
    """The JSON of a call; without a model it names a stored prompt. Raises Rejected if it is none."""
    body = read_unambiguous(content)
    if not isinstance(body, dict):
        raise Rejected(400, "invalid_json", f"the body is {_kind(body)}, not an object")
    model = body.get("model")
    if model is None and isinstance(body.get("prompt"), dict):
        return body
    if not isinstance(model, str) or not model:
        raise Rejected(400, "missing_model", "the body names no model: give `model`, a text", param="model")
    return body


class _Ambiguous(ValueError):
    """A name that an object has twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # The bytes go on as they came: what was checked and counted must be what any upstream reads in them.
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Ambiguous(next(name for name in names if names.count(name) > 1))
    return found


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(type(value), "a number")


def make_call(endpoint: Endpoint, url: str, body: dict[str, Any], labels: Labels, said: Said) -> Call:
    """The call of a request. Raises Rejected if its values cannot be sent as JSON."""
    try:
        return Call.of(endpoint, url, body, labels, attempt=said.attempt, variant=said.variant)
    except (ValueError, RecursionError, UnicodeEncodeError) as error:
        raise Rejected(400, "invalid_json", f"the body cannot be read: {error}") from None


def refused(refusal: Refused) -> Rejected:
    """The error of a refusal, with ``retry-after`` if waiting helps; SDKs do not repeat it."""
    details = {**refusal.details, "retry_after": refusal.retry_after}
    details.pop("param", None)
    rejected = Rejected(refusal.status, refusal.code, str(refusal), param=refusal.details.get("param"), **details)
    rejected.headers.append(_NO_RETRY)
    if refusal.retry_after is not None:
        rejected.headers.append((b"retry-after", f"{refusal.retry_after:.3f}".encode()))
    return rejected


def error_event(error: Mapping[str, Any], *, anthropic: bool) -> bytes:
    """An error as an event of a stream, in the form of OpenAI's API or of Anthropic's."""
    if not anthropic:
        return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    found = {"type": "error", "error": {"type": str(error.get("type")), "message": str(error.get("message"))}}
    return b"event: error\ndata: " + json.dumps(found).encode() + b"\n\n"


def failed(failure: CallFailed) -> Reply:
    """The response of a failure: the upstream's own, or what became of the way to it."""
    if isinstance(failure.raw, Reply) and failure.status != 401:
        return failure.raw
    if failure.status == 401:
        # The client's key is good; that of this server is not, and its upstream's words may show a part of it.
        message = "the upstream does not accept this server's key; its operator must set another one"
        rejected = Rejected(502, "upstream_auth", message)
        rejected.headers.append(_NO_RETRY)
        return rejected.reply()
    if failure.code == REDIRECTED and failure.raw is None:
        message = f"the upstream redirects elsewhere ({failure.status}); its operator must name the right `url`"
        rejected = Rejected(502, REDIRECTED, message)
        rejected.headers.append(_NO_RETRY)
        return rejected.reply()
    if failure.kind == "timeout":
        return Rejected(504, "upstream_timeout", "the upstream did not answer in time").reply()
    if failure.kind == "connection":
        reason = f": {type(failure.cause).__name__}" if failure.cause is not None else ""
        word = "ended the connection" if failure.sent else "cannot be reached"
        return Rejected(502, "upstream_unreachable", f"the upstream {word}{reason}").reply()
    message = "the upstream's answer is broken: not the JSON in UTF-8 that its API promises"
    return Rejected(502, "invalid_body", message).reply()
