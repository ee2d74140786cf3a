"""Google's Gemini API, through google-genai (the extra ``google``)."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, ClassVar

from promptopt.dialects import google_arguments
from promptopt.errors import MissingExtra, ProviderError, ProviderUnusable
from promptopt.providers.base import ProviderBase, named_at_endpoint
from promptopt.providers.http import HttpStatus, ends_within
from promptopt.providers.http_clients import client_errors, shown_url
from promptopt.providers.openai.errors import classify, html_title, is_html, unusable_remedy
from promptopt.providers.program import google_usage
from promptopt.providers.settings import Checks, ProviderTable, is_url
from promptopt.values import Request, Response, ToolCall

if TYPE_CHECKING:
    from google.genai import errors

DEFAULT_TIMEOUT_S = 120.0
_KEY = "GEMINI_API_KEY"
_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}
# Reasons for which the API gives no answer, or a part of one.
_FILTERED = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"})


class GoogleProvider(ProviderBase):
    """Generates content at one endpoint; the model is each request's own. Each call is sent once."""

    keys: ClassVar[Checks] = {"base_url": is_url}

    def __init__(self, model: str = "", timeout_s: float | None = None, table: ProviderTable | None = None) -> None:
        """Raises MissingExtra without the SDK, ProviderUnusable without a key."""
        self._table = table or ProviderTable("google", "google")
        try:
            from google import genai
        except ImportError:
            raise MissingExtra("google-genai", "google", f"the model {self._table.name}:{model}") from None
        self._timeout_s = timeout_s or DEFAULT_TIMEOUT_S
        key, headers = self._table.key(_KEY), self._table.headers()
        with client_errors():
            self._google = genai.Client(
                api_key=key,
                vertexai=False,
                http_options={
                    "base_url": self._table.get("base_url"),
                    "headers": headers,
                    "timeout": round(self._timeout_s * 1000),
                    # A file of a proxy or a redirect would go elsewhere than the table says.
                    "client_args": {"follow_redirects": False, "event_hooks": ends_within(self._timeout_s)},
                },
            )

    @classmethod
    def is_configured(cls, model: str) -> bool:  # noqa: ARG003 - one key serves all models
        """Whether the key is set."""
        return bool(os.environ.get(_KEY))

    @classmethod
    def is_complete(cls, table: ProviderTable) -> bool:
        """Whether the table's key is set."""
        return table.has_key(_KEY)

    @classmethod
    def check_request(
        cls,
        request: Request,
        table: ProviderTable | None = None,  # noqa: ARG003 - one API serves all tables
    ) -> None:
        """Raises ValueError for what the API has no place for."""
        google_arguments(named_at_endpoint(request))

    def complete(self, request: Request) -> Response:
        """One answer, timed without what happens around it."""
        named = named_at_endpoint(request)
        try:
            arguments = google_arguments(named)
        except ValueError as error:
            # Settings are checked before a run; what is left is of this one case, such as its media.
            raise ProviderError(f"{request.model}: {error}") from None
        started = time.perf_counter()
        answer = self._asked(arguments)
        taken = time.perf_counter() - started
        try:
            return read_content(answer, request.model, taken)
        except (AttributeError, TypeError, ValueError) as error:
            raise ProviderError(f"the endpoint's answer is not content: {error}") from error

    def _asked(self, arguments: dict[str, Any]) -> Any:
        import pydantic
        from google.genai import errors

        try:
            return self._google.models.generate_content(**arguments)
        except errors.APIError as error:
            raise self._refused(error) from HttpStatus(error.code, str(error.message))
        except pydantic.ValidationError as error:
            raise ProviderError(f"the endpoint's answer is not content: {error.errors()[0]['msg']}") from error
        except UnicodeEncodeError as error:
            raise ProviderError("the prompt has half of a surrogate pair, which no endpoint takes") from error
        except ValueError as error:
            raise ProviderError(f"the endpoint's answer is not JSON: {error}") from error
        except Exception as error:
            if (failed := self._not_reached(error)) is None:
                raise
            raise failed from error

    @property
    def _where(self) -> str:
        return shown_url(str(self._table.get("base_url") or "Google's API"))

    def _refused(self, error: errors.APIError) -> ProviderError:
        said = str(error.message or error.status or "no reason").strip()
        if is_html(said):
            said = f"a page ({html_title(said)})"
        elif 300 <= error.code < 400:
            said = "a redirect, which is not followed"
        said = said.splitlines()[0][:300]
        kind = classify(error.code, None, said)
        if error.code == 400 and "api key" in said.lower():
            kind = "auth"
        key = self._table.key_variable(_KEY) or _KEY
        remedy = unusable_remedy(kind, key, f"base_url in {self._table.header}")
        message = f"{self._where} answered {error.code}: {said}"
        return ProviderError(message) if remedy is None else ProviderUnusable(f"{message}. {remedy}")

    def _not_reached(self, error: Exception) -> ProviderError | None:
        """By name: the SDK sits on one of two transports, each with exceptions of its own."""
        names = {kind.__name__ for kind in type(error).__mro__}
        if "TimeoutException" in names:
            return ProviderError(f"{self._where} did not answer within {self._timeout_s:g} s (see --timeout)")
        if "ConnectError" in names:
            url = f"base_url in {self._table.header}"
            return ProviderUnusable(f"cannot reach {self._where}: {error}. Is {url} right, and the endpoint running?")
        if "HTTPError" in names:
            return ProviderError(f"{self._where} closed the connection without an answer: {error}")
        return None

    def close(self) -> None:
        self._google.close()


def read_content(answer: Any, model: str, duration_s: float | None) -> Response:
    """A ``Response`` out of the SDK's object.

    Raises:
        ProviderError: It has no candidate, as for a prompt that is blocked.
    """
    if not answer.candidates:
        feedback = answer.prompt_feedback
        reason = feedback.block_reason if feedback is not None else None
        blocked = f"the prompt was blocked ({reason.value})" if reason is not None else "the answer has no candidate"
        raise ProviderError(blocked)
    candidate = answer.candidates[0]
    parts = (candidate.content.parts if candidate.content is not None else None) or []
    calls = tuple(
        ToolCall(call.id or f"call_{number}", call.name or "", json.dumps(call.args or {}, ensure_ascii=False))
        for number, call in enumerate((part.function_call for part in parts if part.function_call is not None), 1)
    )
    said = candidate.finish_reason.value if candidate.finish_reason is not None else "STOP"
    reason = "content_filter" if said in _FILTERED else _REASONS.get(said, said.lower())
    usage = answer.usage_metadata
    return Response(
        model=answer.model_version or model,
        text="".join(part.text or "" for part in parts if not part.thought),
        finish_reason="tool_calls" if calls and reason == "stop" else reason,
        usage=None if usage is None else google_usage(usage.model_dump()),
        duration_s=duration_s,
        tool_calls=calls,
    )
