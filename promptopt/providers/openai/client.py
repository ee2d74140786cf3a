"""Any endpoint that speaks OpenAI's chat completions, through the OpenAI SDK.

``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` say which, as the SDK reads them. Retries and the waiting that a 429 asks for
are the SDK's own.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.providers.base import ProviderBase
from promptopt.providers.openai.errors import translated
from promptopt.providers.openai.usage import read_usage
from promptopt.values import Request, Response, ToolCall, openai_arguments

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion

DEFAULT_TIMEOUT_S = 120.0


class OpenAIProvider(ProviderBase):
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
        """Raises ProviderUnusable if neither a key nor an endpoint is known."""
        if client is None:
            client = self._client(base_url, api_key, timeout_s or DEFAULT_TIMEOUT_S, model)
        self._openai = client

    @classmethod
    def is_configured(cls, model: str = "") -> bool:  # noqa: ARG003 - one endpoint serves all models
        """Whether the environment names a key or an endpoint to call."""
        return bool(os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL"))

    @staticmethod
    def _client(base_url: str | None, api_key: str | None, timeout_s: float, model: str) -> openai.OpenAI:
        if not (base_url or api_key or OpenAIProvider.is_configured()):
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
            raise translated(error, str(self._openai.base_url)) from error
        except UnicodeEncodeError as error:
            raise ProviderError("the prompt has half of a surrogate pair, which no endpoint takes") from error
        except ValueError as error:
            # A body that is not JSON under a JSON content type.
            raise ProviderError(f"the endpoint's answer is not JSON: {error}") from error
        taken = time.perf_counter() - started
        try:
            return read_completion(completion, request.model, taken)
        except (AttributeError, TypeError, ValueError) as error:
            # The SDK does not check what it is sent.
            raise ProviderError(f"the endpoint's answer is not a chat completion: {error}") from error

    @property
    def retries(self) -> int:
        """How often the SDK sends a call that failed again."""
        return self._openai.max_retries

    def without_retries(self) -> OpenAIProvider:
        """The same endpoint and connections, and each call is sent once: somebody else repeats and times it."""
        return OpenAIProvider(client=self._openai.with_options(max_retries=0))

    def close(self) -> None:
        self._openai.close()


def read_completion(completion: ChatCompletion, model: str, duration_s: float | None) -> Response:
    """A ``Response`` out of the SDK's object.

    Raises:
        ProviderError: It has no choice, as from an endpoint that answers with something else.
    """
    choices = getattr(completion, "choices", None)
    if not choices or getattr(choices[0], "message", None) is None:
        raise ProviderError(f"the endpoint's answer has no choice: {str(completion)[:200]!r}")
    choice = choices[0]
    text = choice.message.content
    if text is None:
        text = choice.message.refusal or ""
    if not isinstance(text, str):
        raise TypeError(f"its content is {text!r:.100}, not a text")
    calls = getattr(choice.message, "tool_calls", None) or ()
    return Response(
        model=getattr(completion, "model", None) or model,
        text=text,
        finish_reason="refusal" if choice.message.refusal else getattr(choice, "finish_reason", None) or "stop",
        usage=read_usage(completion.usage),
        duration_s=duration_s,
        tool_calls=tuple(
            ToolCall(call.id, call.function.name, call.function.arguments) for call in calls if call.type == "function"
        ),
    )
