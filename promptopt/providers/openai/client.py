"""Any endpoint that speaks OpenAI's chat completions.

``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` say which, as the SDK reads them, and a call that failed is sent again when
the SDK would do so.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from promptopt.dialects import responses_arguments
from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.messages import check_chat_media
from promptopt.providers.base import ProviderBase, named_at_endpoint
from promptopt.providers.http import HttpStatus
from promptopt.providers.http_clients import are_headers, shown_url
from promptopt.providers.openai.endpoint import OpenAIEndpoint, named_headers
from promptopt.providers.openai.errors import error_text, excerpt, no_answer, translated
from promptopt.providers.openai.usage import measured, read_usage
from promptopt.providers.settings import Checks, ProviderTable, is_url
from promptopt.values import Request, Response, ToolCall, openai_arguments

DEFAULT_TIMEOUT_S = 120.0
_OPENAI_URL = "https://api.openai.com/v1"


class OpenAIProvider(ProviderBase):
    """One endpoint's chat completions, or with ``api = "responses"`` its responses; the model is each request's own.

    Attributes:
        usual_url: The address of a preset; ``None``: OpenAI's own.
        usual_key: The environment variable with its key; ``None``: it needs none.
        renamed: Names of arguments that the endpoint knows by another one.
        batch_urls: What a line of a batch names for each API; ``None``: it has no batch API.
    """

    keys: ClassVar[Checks | None] = {"base_url": is_url, "api": lambda value: value in ("chat", "responses")}
    usual_url: ClassVar[str | None] = None
    usual_key: ClassVar[str | None] = "OPENAI_API_KEY"
    renamed: ClassVar[Mapping[str, str]] = {}
    batch_urls: ClassVar[Mapping[str, str] | None] = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}

    def __init__(
        self,
        model: str = "",
        timeout_s: float | None = None,
        table: ProviderTable | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        endpoint: OpenAIEndpoint | None = None,
    ) -> None:
        """Raises ProviderUnusable if neither a key nor an endpoint is known."""
        self._table = table
        self._endpoint = endpoint or self._found(base_url, api_key, timeout_s or DEFAULT_TIMEOUT_S, model)

    @classmethod
    def is_configured(cls, model: str = "") -> bool:  # noqa: ARG003 - one endpoint serves all models
        """Whether the environment names a key or an endpoint to call."""
        if cls.usual_url is not None:
            return cls.usual_key is None or bool(os.environ.get(cls.usual_key))
        return bool(os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL"))

    @classmethod
    def is_complete(cls, table: ProviderTable) -> bool:
        """Whether the table's key is set."""
        return table.has_key(cls._key_variable(table))

    @classmethod
    def _key_variable(cls, table: ProviderTable) -> str | None:
        """The variable that must be set: an endpoint of one's own mostly wants no key, and its table names none."""
        return None if cls is OpenAIProvider and "base_url" in table.options else cls.usual_key

    def _found(self, base_url: str | None, api_key: str | None, timeout_s: float, model: str) -> OpenAIEndpoint:
        table, base_url = self._table, base_url or self.usual_url
        headers: dict[str, str] = {}
        if table is None and self.usual_url is not None and self.usual_key is not None:
            table = ProviderTable(_preset(self), _preset(self))
        if table is not None:
            base_url, headers = table.get("base_url", base_url), table.headers()
            api_key = table.key(self._key_variable(table))
        elif self.usual_url is None:
            if not (base_url or api_key or OpenAIProvider.is_configured()):
                raise ProviderUnusable(
                    f"no endpoint for the model {model!r}: set OPENAI_API_KEY, or OPENAI_BASE_URL for another endpoint"
                )
            # A file that a shell reads a key from ends with a line.
            api_key = (api_key or os.environ.get("OPENAI_API_KEY", "")).strip()
        if self.usual_url is None:
            base_url = (base_url or os.environ.get("OPENAI_BASE_URL", "")).strip()
            headers = {**named_headers(), **headers}
        return self._at(base_url or _OPENAI_URL, {"Authorization": f"Bearer {api_key or 'none'}"}, headers, timeout_s)

    def _at(
        self,
        base_url: str,
        key: Mapping[str, str],
        headers: Mapping[str, str],
        timeout_s: float,
        version: str | None = None,
        *,
        by_deployment: bool = False,
    ) -> OpenAIEndpoint:
        """The endpoint; a header of the user's own takes the place of the key's."""
        own = {name.lower() for name in headers}
        sent = {name: value for name, value in key.items() if name.lower() not in own} | dict(headers)
        named, address = self._remedies()
        if not are_headers(sent):
            raise ProviderUnusable(f"{named}, or a header, has characters that HTTP does not take")
        if "?" in base_url or "#" in base_url:
            raise ProviderUnusable(
                f"{address}: {shown_url(base_url).partition('?')[0]} has a query or a fragment after it\n"
                "  the paths of the API come after the address: give it without"
            )
        return OpenAIEndpoint.at(base_url, sent, timeout_s, version=version, by_deployment=by_deployment)

    def complete(self, request: Request) -> Response:
        """One answer, timed without what happens around it."""
        import httpx2

        request, responses = self._named(request, self._table), _asks_responses(self._table)
        try:
            arguments = self._arguments(request, responses)
        except ValueError as error:
            # Settings are checked before a run; what is left is of this one case, such as its media.
            raise ProviderError(f"{request.model}: {error}") from None
        content = _written(_body(arguments))
        started = time.perf_counter()
        try:
            answer = self._posted("/responses" if responses else "/chat/completions", content, request.model)
        except (httpx2.RequestError, httpx2.InvalidURL, HttpStatus) as error:
            raise translated(error, self._endpoint.base_url, *self._remedies()) from error
        except (ValueError, RecursionError) as error:
            # A body that is not JSON under a JSON content type.
            raise ProviderError(f"the endpoint's answer is not JSON: {error}") from error
        taken = time.perf_counter() - started
        try:
            return (read_response if responses else read_completion)(answer, request.model, taken)
        except (AttributeError, TypeError, ValueError) as error:
            kind = "response" if responses else "chat completion"
            raise ProviderError(f"the endpoint's answer is not a {kind}: {error}") from error

    def _posted(self, path: str, content: bytes, model: str) -> Any:
        """What an API answers: its JSON, or a text if the endpoint says that it is something else."""
        answered = self._endpoint.post(path, content, model)
        try:
            return json.loads(answered.content, object_hook=_Object)
        except (ValueError, RecursionError):
            if answered.headers.get("content-type", "*").partition(";")[0].endswith("json"):
                raise
            return answered.text

    @classmethod
    def check_request(cls, request: Request, table: ProviderTable | None = None) -> None:
        """Raises ValueError for a setting that the API has no place for, or not without another one."""
        cls._arguments(cls._named(request, table), _asks_responses(table))
        params = request.params
        if params.top_logprobs is not None and not params.logprobs:
            raise ValueError("top_logprobs needs `logprobs: true`")
        for name in ("tool_choice", "parallel_tool_calls"):
            if getattr(params, name) is not None and not request.tools:
                raise ValueError(f"{name} needs tools, and the prompt has none")

    @classmethod
    def batch_request(cls, request: Request, table: ProviderTable | None = None) -> tuple[str, dict[str, Any]] | None:
        """The body that the SDK makes of the same arguments; ``None`` for a preset without a batch API."""
        urls = cls.batch_urls
        if urls is None:
            return None
        responses = _asks_responses(table)
        return urls["responses" if responses else "chat"], _body(cls._arguments(cls._named(request, table), responses))

    @classmethod
    def _named(cls, request: Request, table: ProviderTable | None) -> Request:
        """The request with the name that the endpoint knows its model by."""
        if table is None and cls.usual_url is None:
            return request
        return named_at_endpoint(request)

    @classmethod
    def _arguments(cls, request: Request, responses: bool) -> dict[str, Any]:
        if not responses:
            check_chat_media(request.messages)
        arguments = responses_arguments(request) if responses else openai_arguments(request)
        return {cls.renamed.get(name, name): value for name, value in arguments.items()}

    def _remedies(self) -> tuple[str, str]:
        """Where the key and the address come from, for messages."""
        if self._table is None:
            return (self.usual_key or "its key" if self.usual_url else "OPENAI_API_KEY"), "OPENAI_BASE_URL"
        key = self._table.key_variable(self._key_variable(self._table)) or f"api_key_env in {self._table.header}"
        return key, f"base_url in {self._table.header}"

    @property
    def retries(self) -> int:
        """How often a call that failed is sent again."""
        return self._endpoint.retries

    def without_retries(self) -> Self:
        """The same endpoint and connections, and each call is sent once: somebody else repeats and times it."""
        return type(self)(table=self._table, endpoint=self._endpoint.without_retries())

    def close(self) -> None:
        self._endpoint.close()


def _body(arguments: dict[str, Any]) -> dict[str, Any]:
    """The body that the SDK makes of its arguments."""
    further: dict[str, Any] = arguments.pop("extra_body", {})
    return arguments | further


def _written(body: dict[str, Any]) -> bytes:
    """A body as it is sent. Raises ProviderError if it cannot be written as JSON."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise ProviderError("the prompt has half of a surrogate pair, which no endpoint takes") from error
    except ValueError as error:
        raise ProviderError(f"the request cannot be written as JSON: {error}") from error


def _asks_responses(table: ProviderTable | None) -> bool:
    return table is not None and table.get("api") == "responses"


def _preset(provider: OpenAIProvider) -> str:
    return type(provider).__name__.removesuffix("Provider").lower()


class _Object(dict[str, Any]):
    """An object of JSON with its values as attributes, as the SDK's types have them; others are ``None``."""

    __getattr__ = dict.get


def read_response(answer: Any, model: str, duration_s: float | None) -> Response:
    """A ``Response`` out of the Responses API's answer, as an object of the SDK or of JSON.

    Raises:
        ProviderError: It failed, or it has no output.
    """
    if getattr(answer, "error", None) is not None:
        raise ProviderError(f"the endpoint's answer is an error: {answer.error.code}: {answer.error.message}")
    items = getattr(answer, "output", None)
    if not items:
        raise no_answer(answer, "response")
    parts = [part for item in items if item.type == "message" for part in item.content]
    refusals = [part.refusal for part in parts if part.type == "refusal"]
    text = "".join(refusals or [part.text for part in parts if part.type == "output_text"])
    calls = tuple(
        ToolCall(item.call_id, item.name, item.input if item.type == "custom_tool_call" else item.arguments)
        for item in items
        if item.type in ("function_call", "custom_tool_call")
    )
    cut = answer.incomplete_details.reason if getattr(answer, "incomplete_details", None) is not None else None
    reason = {"max_output_tokens": "length", None: "tool_calls" if calls else "stop"}.get(cut, cut)
    return Response(
        model=answer.model or model,
        text=text,
        finish_reason="refusal" if refusals else reason or "stop",
        usage=measured(read_usage(answer.usage), bool(text or calls)),
        duration_s=duration_s,
        tool_calls=calls,
    )


def read_completion(completion: Any, model: str, duration_s: float | None) -> Response:
    """A ``Response`` out of a chat completion, as an object of the SDK or of JSON.

    Raises:
        ProviderError: It has no choice, as from an endpoint that answers with something else.
    """
    choices = getattr(completion, "choices", None)
    if not choices or getattr(choices[0], "message", None) is None:
        raise no_answer(completion, "chat completion")
    choice = choices[0]
    failed = getattr(choice, "error", None)
    if failed is not None or getattr(choice, "finish_reason", None) == "error":
        # OpenRouter's, of a model that failed after it had begun (openrouter.ai/docs/api-reference/errors).
        raise ProviderError(f"the endpoint's answer is an error: {excerpt(error_text(failed))}")
    text = choice.message.content
    if text is None:
        text = choice.message.refusal or ""
    calls = _tool_calls(choice.message)
    logprobs = getattr(getattr(choice, "logprobs", None), "content", None) or ()
    return Response(
        model=getattr(completion, "model", None) or model,
        text=text,
        finish_reason="refusal" if choice.message.refusal else getattr(choice, "finish_reason", None) or "stop",
        usage=measured(read_usage(completion.usage), bool(text or calls)),
        duration_s=duration_s,
        tool_calls=calls,
        logprobs=tuple(float(token.logprob) for token in logprobs),
    )


def _tool_calls(message: Any) -> tuple[ToolCall, ...]:
    """The calls of tools, those of the deprecated ``function_call`` and of custom tools (free text) as well."""
    found = []
    for number, call in enumerate(getattr(message, "tool_calls", None) or (), 1):
        # Some endpoints leave the type out, or the id that the tool's answer has to name.
        identity = getattr(call, "id", None) or f"call_{number}"
        if getattr(call, "type", None) == "custom":
            found.append(ToolCall(identity, call.custom.name, call.custom.input))
        elif (getattr(call, "type", None) or "function") == "function":
            found.append(ToolCall(identity, call.function.name, call.function.arguments))
    legacy = getattr(message, "function_call", None)
    if legacy is not None and not found:
        found.append(ToolCall("call_1", legacy.name, legacy.arguments))
    return tuple(found)
