"""Any endpoint that speaks OpenAI's chat completions, through the OpenAI SDK.

``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` say which, as the SDK reads them. Retries and the waiting that a 429 asks for
are the SDK's own.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.values import Request, Response, Usage, openai_arguments

if TYPE_CHECKING:
    import openai
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion

DEFAULT_TIMEOUT_S = 120.0
# Codes with which no retry and no other request will fare better.
_FATAL_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "account_deactivated"})


def is_configured() -> bool:
    """Whether the environment names a key or an endpoint to call."""
    return bool(os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL"))


class OpenAIProvider:
    """Chat completions of one endpoint; the model is each request's own."""

    def __init__(
        self,
        model: str = "",
        timeout_s: float | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        client: openai.OpenAI | None = None,
    ) -> None:
        """Raises ProviderUnusable where neither a key nor an endpoint is known."""
        if client is None:
            client = self._client(base_url, api_key, timeout_s or DEFAULT_TIMEOUT_S, model)
        self._openai = client

    @staticmethod
    def _client(base_url: str | None, api_key: str | None, timeout_s: float, model: str) -> openai.OpenAI:
        if not (base_url or api_key or is_configured()):
            raise ProviderUnusable(
                f"no endpoint for the model {model!r}: set OPENAI_API_KEY, or OPENAI_BASE_URL for another endpoint"
            )
        import openai

        # Endpoints of one's own mostly want no key; the SDK insists on one.
        key = api_key or os.environ.get("OPENAI_API_KEY") or "none"
        return openai.OpenAI(base_url=base_url, api_key=key, timeout=timeout_s)

    def complete(self, request: Request) -> Response:
        """One chat completion, timed without what happens around it."""
        import openai

        arguments = openai_arguments(request)
        started = time.perf_counter()
        try:
            completion = self._openai.chat.completions.create(**arguments)
        except openai.OpenAIError as error:
            raise _translated(error, str(self._openai.base_url)) from error
        except UnicodeEncodeError as error:
            raise ProviderError("the prompt holds half of a surrogate pair, which no endpoint takes") from error
        except ValueError as error:
            # A body that is not JSON under a JSON content type.
            raise ProviderError(f"the endpoint's answer is not JSON: {error}") from error
        taken = time.perf_counter() - started
        try:
            return read_completion(completion, request.model, taken)
        except (AttributeError, TypeError, ValueError) as error:
            # The SDK does not check what it is sent.
            raise ProviderError(f"the endpoint's answer is not a chat completion: {error}") from error

    def close(self) -> None:
        self._openai.close()


def read_completion(completion: ChatCompletion, model: str, duration_s: float | None) -> Response:
    """A ``Response`` out of the SDK's object.

    Raises:
        ProviderError: It holds no choice, as from an endpoint that answers with something else.
    """
    choices = getattr(completion, "choices", None)
    if not choices or getattr(choices[0], "message", None) is None:
        raise ProviderError(f"the endpoint's answer holds no choice: {str(completion)[:200]!r}")
    choice = choices[0]
    text = choice.message.content
    if text is None:
        text = choice.message.refusal or ""
    if not isinstance(text, str):
        raise TypeError(f"its content is {text!r:.100}, not a text")
    return Response(
        model=getattr(completion, "model", None) or model,
        text=text,
        finish_reason=getattr(choice, "finish_reason", None) or "stop",
        usage=_usage(completion.usage),
        duration_s=duration_s,
    )


def _usage(usage: CompletionUsage | None) -> Usage | None:
    # Endpoints that do not count send none, or an empty one.
    if usage is None or getattr(usage, "prompt_tokens", None) is None:
        return None
    read: Any = usage.prompt_tokens_details
    written: Any = usage.completion_tokens_details
    cached = min(getattr(read, "cached_tokens", None) or 0, usage.prompt_tokens)
    cache_write = min(getattr(read, "cache_write_tokens", None) or 0, usage.prompt_tokens - cached)
    return Usage(
        input_tokens=usage.prompt_tokens,
        cache_read_tokens=cached,
        cache_write_tokens=cache_write,
        output_tokens=usage.completion_tokens,
        output_reasoning_tokens=min(getattr(written, "reasoning_tokens", None) or 0, usage.completion_tokens),
    )


def _translated(error: openai.OpenAIError, base_url: str) -> ProviderError:
    """The SDK's error with what to do about it; one that no other request escapes is a ``ProviderUnusable``."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return ProviderError(f"{base_url} did not answer in time (see --timeout)")
    if isinstance(error, openai.APIConnectionError):
        cause = error.__cause__ or error
        return ProviderUnusable(
            f"cannot reach {base_url}: {cause}. Is OPENAI_BASE_URL right, and the endpoint running?"
        )
    if not isinstance(error, openai.APIStatusError):
        return ProviderError(f"{type(error).__name__}: {error}")
    message = f"{base_url} answered {error.status_code}: {_reason(error)}"
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return ProviderUnusable(f"{message}. Check OPENAI_API_KEY")
    if isinstance(error, openai.NotFoundError):
        return ProviderUnusable(f"{message}. Check the model's name and OPENAI_BASE_URL")
    if error.code in _FATAL_CODES:
        return ProviderUnusable(f"{message}. Check the account's plan and billing")
    return ProviderError(message)


def _reason(error: openai.APIStatusError) -> str:
    body = error.body
    text = body.get("message") if isinstance(body, dict) else None
    return str(text or error.message).strip().splitlines()[0][:300]
