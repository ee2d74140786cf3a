"""Any HTTP endpoint in a model's place: a table of the type ``http`` says what is sent and where the answer is.

Redirects are not followed, and each call is sent once; a body is read up to 10 MB.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.providers.base import ProviderBase
from promptopt.providers.http_clients import client_errors, shown_url
from promptopt.providers.openai.errors import classify_body, excerpt, html_title, is_html
from promptopt.providers.program import MAX_BYTES, read_answer, told, usage_of
from promptopt.providers.settings import Checks, ProviderTable, is_texts, is_url
from promptopt.values import Request, Response

if TYPE_CHECKING:
    import httpx2

DEFAULT_TIMEOUT_S = 120.0
_PARTS = ("text", "usage", "tool_calls", "model", "finish_reason", "error")
_USAGE_PARTS = (
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    *("output_tokens", "output_reasoning_tokens"),
)
# A field of the body that is one expression keeps the value's type: a list of messages stays a list.
_WHOLE = re.compile(r"\s*\{\{((?:(?!\}\}|\{\{).)+)\}\}\s*", re.DOTALL)
_UNUSABLE = {
    "auth": "Check the key that the table's headers or api_key_env send",
    "not_found": "Check its url",
    "quota": "Check the account's plan and billing",
}


def _is_body(value: Any) -> bool:
    return isinstance(value, str | Mapping | list)


def _are_pointers(value: Any) -> bool:
    if not isinstance(value, Mapping) or not value.keys() <= set(_PARTS):
        return False
    usage = value.get("usage")
    plain = {name: each for name, each in value.items() if name != "usage" or not isinstance(each, Mapping)}
    if isinstance(usage, Mapping) and not (usage.keys() <= set(_USAGE_PARTS) and is_texts(usage)):
        return False
    pointers = [*plain.values(), *(usage.values() if isinstance(usage, Mapping) else [])]
    return all(isinstance(each, str) and (not each or each.startswith("/")) for each in pointers)


class HttpProvider(ProviderBase):
    """Sends a body made of a template, and reads the answer by JSON pointers."""

    keys: ClassVar[Checks] = {
        "url": is_url,
        "method": lambda value: value in ("POST", "PUT", "PATCH", "GET"),
        "body": _is_body,
        "response": _are_pointers,
    }
    takes_variables = True

    def __init__(self, model: str, timeout_s: float | None = None, table: ProviderTable | None = None) -> None:
        """Raises ProviderUnusable without a table, or if a variable that a header names is not set."""
        if table is None:
            raise ProviderUnusable(
                f"http:{model}: an HTTP endpoint needs a table [tool.promptopt.providers.NAME] in pyproject.toml\n"
                '  with type = "http", its url, and where in its answer the text is; its model is then NAME'
            )
        import httpx2

        self._table = table
        self._model = model
        self._timeout_s = timeout_s or DEFAULT_TIMEOUT_S
        self._url = str(table.need("url"))
        self._pointers: Mapping[str, Any] = table.get("response", {})
        headers = table.headers()
        if key := table.key(None):
            headers = {"Authorization": f"Bearer {key}", **headers}
        self._body = _templates(table.get("body", _DEFAULT_BODY), table)
        hooks = ends_within(self._timeout_s)
        with client_errors():
            self._client = httpx2.Client(
                headers=headers, timeout=self._timeout_s, follow_redirects=False, event_hooks=hooks
            )

    @classmethod
    def is_configured(cls, model: str) -> bool:  # noqa: ARG003 - without a table there is no url
        """Never: an endpoint has a table."""
        return False

    @classmethod
    def is_complete(cls, table: ProviderTable) -> bool:
        """Whether the variables that the table names are set."""
        return table.has_key(None)

    def complete(self, request: Request) -> Response:
        """The answer of one request.

        Raises:
            ProviderError: It was not answered as the table says.
            ProviderUnusable: No other request will be, as with a wrong key.
        """
        place = shown_url(self._url)
        content = self._content(request, place)
        started = time.perf_counter()
        status, headers, body = self._sent(content, place)
        taken = time.perf_counter() - started
        _check_status(status, headers, body, place)
        try:
            return read_answer(self._read(headers, body), request.model, taken)
        except ValueError as error:
            raise ProviderError(f"{place} answered with no answer: {error}") from None

    def _content(self, request: Request, place: str) -> bytes:
        offered = told(request, self._model)
        try:
            filled = self._body({**offered["variables"], **offered})
            text = filled if isinstance(filled, str) else json.dumps(filled, ensure_ascii=False)
            if isinstance(filled, str):
                json.loads(text)
            return text.encode()
        except UnicodeEncodeError as error:
            raise ProviderError(f"{place}: the request has half of a surrogate pair, which JSON has not") from error
        except (TypeError, ValueError) as error:
            raise ProviderError(f"{place}: the table's body makes no JSON of this request: {error}") from None

    def _sent(self, content: bytes, place: str) -> tuple[int, Mapping[str, str], bytes]:
        import httpx2

        method = self._table.get("method", "POST")
        sent: dict[str, Any] = {} if method == "GET" else {"content": content}
        try:
            with self._client.stream(
                method, self._url, headers={"Content-Type": "application/json"} if sent else {}, **sent
            ) as answer:
                return answer.status_code, answer.headers, self._received(answer, place)
        except httpx2.TimeoutException as error:
            raise ProviderError(f"{place} did not answer within {self._timeout_s:g} s (see --timeout)") from error
        except (httpx2.ConnectError, httpx2.UnsupportedProtocol) as error:
            raise ProviderUnusable(f"cannot reach {place}: {error}. Is url right, and the endpoint running?") from error
        except httpx2.HTTPError as error:
            raise ProviderError(f"{place} closed the connection without an answer: {error}") from error
        except UnicodeEncodeError:
            raise self._table.error("a header has characters that HTTP does not take", "headers") from None

    def _received(self, answer: httpx2.Response, place: str) -> bytes:
        parts, size = [], 0
        for part in answer.iter_bytes():
            size += len(part)
            if size > MAX_BYTES:
                raise ProviderError(
                    f"{place} answered with more than {MAX_BYTES:,} bytes; an answer has at most so many"
                )
            parts.append(part)
        return b"".join(parts)

    def _read(self, headers: Mapping[str, str], body: bytes) -> Any:
        """What :func:`read_answer` takes. Raises ValueError."""
        kind, text = headers.get("content-type", "").partition(";")[0].strip().lower(), _decoded(headers, body)
        try:
            value = _json(body, text)
        except UnicodeDecodeError:
            raise ValueError("it is not UTF-8: give its `charset` in the content-type") from None
        except (ValueError, RecursionError):
            if is_html(text) or kind == "text/html":
                raise ValueError(f"it is HTML ({html_title(text)}), as of an error or a login page") from None
            if kind == "text/plain" and not self._pointers and not _UNREAD.search(text):
                return text
            raise ValueError(f"it is not JSON: {excerpt(_UNREAD.sub(_REPLACED, text))}") from None
        if kind == "text/plain" and not self._pointers and not isinstance(value, Mapping):
            # It only reads as JSON: `42`.
            return text
        return self._by_pointers(value) if self._pointers else value

    def _by_pointers(self, value: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in _PARTS:
            pointer = self._pointers.get(name)
            if isinstance(pointer, Mapping):
                counts = {part: _at(value, each) for part, each in pointer.items()}
                found[name] = usage_of({part: count for part, count in counts.items() if count is not None} or None)
            elif pointer is not None:
                found[name] = _at(value, pointer)
        if found.get("text") is None and not found.get("tool_calls") and not found.get("error"):
            pointer = self._pointers.get("text")
            where = "the table's response has no text" if pointer is None else f"nothing is at its {pointer!r}"
            raise ValueError(f"{where}, in {excerpt(json.dumps(value, ensure_ascii=False))}")
        return found

    def close(self) -> None:
        self._client.close()


_DEFAULT_BODY = {"prompt": "{{ prompt }}", "messages": "{{ messages }}", "variables": "{{ variables }}"}


def _templates(body: Any, table: ProviderTable) -> Callable[[Mapping[str, Any]], Any]:
    """A function that fills the variables into a body. Raises ConfigError if it is not a template."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)

    def compiled(value: Any, alone: bool) -> Callable[[Mapping[str, Any]], Any]:
        if isinstance(value, Mapping):
            parts = {key: compiled(each, alone) for key, each in value.items()}
            return lambda offered: {key: part(offered) for key, part in parts.items()}
        if isinstance(value, list):
            items = [compiled(each, alone) for each in value]
            return lambda offered: [item(offered) for item in items]
        if not isinstance(value, str):
            return lambda _: value
        whole = _WHOLE.fullmatch(value) if alone else None
        if whole is not None:
            expression = environment.compile_expression(whole[1], undefined_to_none=False)
            return lambda offered: _defined(expression(**offered))
        template = environment.from_string(value)
        return lambda offered: template.render(**offered)

    whole = not isinstance(body, str)
    try:
        made = compiled(body, whole)
        if isinstance(body, str) and "tojson" not in body:
            # JSON before it is filled in: a value with a quote or a line end stays the text that it is filled into.
            with suppress(ValueError, RecursionError, jinja2.TemplateError):
                made = compiled(json.loads(body, object_pairs_hook=_plain_keys), whole)
    except jinja2.TemplateError as error:
        raise table.error(f"body in {table.header} is not a template: {error}", "body") from None

    def fill(offered: Mapping[str, Any]) -> Any:
        try:
            return made(offered)
        except jinja2.TemplateError as error:
            raise ValueError(str(error)) from None

    return fill


def _plain_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError if the name of a field is a template."""
    found = dict(pairs)
    if len(found) < len(pairs) or any("{{" in name or "{%" in name for name in found):
        raise ValueError("the names of fields are templates")
    return found


def _defined(value: Any) -> Any:
    import jinja2

    if isinstance(value, jinja2.Undefined):
        # Says which one, as jinja2 does.
        str(value)
    return value


# Bytes of a text that is not in the characters that it should be in.
_UNREAD, _REPLACED = re.compile("[\udc80-\udcff]"), "\ufffd"


def _decoded(headers: Mapping[str, str], body: bytes) -> str:
    """A body as a text, in the characters that its headers name."""
    named = re.search(r"""charset\s*=\s*["']?([\w.:-]+)""", headers.get("content-type", ""), re.IGNORECASE)
    if named:
        with suppress(LookupError, ValueError):
            return body.decode(named[1])
    # What cannot be read is kept for the moment: an HTML page need not be read well to be known as one.
    return body.decode("utf-8", "surrogateescape")


def _json(body: bytes, text: str) -> Any:
    """JSON is in UTF-8, UTF-16 or UTF-32, whatever a header says; else it is in what the header says."""
    try:
        return json.loads(body)
    except UnicodeDecodeError:
        found = json.loads(text)
        if _UNREAD.search(text):
            raise
        return found


def _check_status(status: int, headers: Mapping[str, str], body: bytes, place: str) -> None:
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        # A query may have a token in it.
        where = headers.get("location", "nowhere").partition("?")[0]
        raise ProviderUnusable(
            f"{place} answered {status}, a redirect to {where}, which is not followed: change its url"
        )
    text = body.decode("utf-8", "replace")
    said = html_title(text) if text.lstrip().startswith("<") else excerpt(_message(text))
    kind, _ = classify_body(status, body)
    error = ProviderError if kind not in _UNUSABLE else ProviderUnusable
    message = f"{place} answered {status}: {said}"
    if kind in _UNUSABLE:
        message += f". {_UNUSABLE[kind]}"
    raise error(message) from HttpStatus(status, said)


def ends_within(seconds: float) -> dict[str, list[Callable[[Any], None]]]:
    """Event hooks of an httpx client: a call ends after so many seconds, even if its answer comes in drips.

    The timeout of such a client is for each piece of an answer, and some endpoints send a space now and then.
    """

    def begin(request: Any) -> None:
        request.extensions["promptopt_ends"] = time.monotonic() + seconds

    def watch(response: Any) -> None:
        # There are two such libraries, and an SDK has its own.
        library = sys.modules[type(response).__module__.partition(".")[0]]
        response.stream = _watched(library)(response.stream, response.request.extensions["promptopt_ends"])

    return {"request": [begin], "response": [watch]}


@lru_cache(maxsize=4)
def _watched(library: Any) -> Any:
    """The class of a stream that raises the library's timeout once its time is over."""

    class Watched(library.SyncByteStream):  # type: ignore[misc]
        def __init__(self, inner: Any, ends: float) -> None:
            self._inner, self._ends = inner, ends

        def __iter__(self) -> Iterator[bytes]:
            for part in self._inner:
                yield part
                if time.monotonic() > self._ends:
                    raise library.ReadTimeout("the answer did not end in time")

        def close(self) -> None:
            self._inner.close()

    return Watched


class HttpStatus(Exception):
    """The status of an error, for those that repeat calls.

    Attributes:
        response: The whole answer, of endpoints that are asked without an SDK.
        body: The error object in it, or its text.
    """

    def __init__(self, status: int, message: str, response: httpx2.Response | None = None, body: object = None) -> None:
        super().__init__(message)
        self.status_code = status
        self.message = message
        self.response = response
        self.body = body


def _message(text: str) -> str:
    """What an error says in the shape that most have: ``{"error": {"message": ...}}``."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for key in ("error", "message", "detail"):
        if isinstance(value, Mapping) and value.get(key):
            value = value[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=64)
def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _at(value: Any, pointer: str) -> Any:
    """What an RFC 6901 pointer leads to; ``None`` if it leads nowhere."""
    for step in _steps(pointer):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and re.fullmatch(r"0|[1-9]\d*", step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
