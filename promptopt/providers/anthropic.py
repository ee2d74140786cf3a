"""Anthropic's messages, through its own SDK (the extra ``anthropic``)."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, ClassVar, Self

from promptopt.dialects import anthropic_arguments
from promptopt.errors import MissingExtra, ProviderError
from promptopt.providers.base import ProviderBase, named_at_endpoint
from promptopt.providers.http import ends_within
from promptopt.providers.http_clients import client_errors
from promptopt.providers.openai.errors import no_answer, translated
from promptopt.providers.program import anthropic_usage
from promptopt.providers.settings import Checks, ProviderTable, is_url
from promptopt.values import Request, Response, ToolCall

if TYPE_CHECKING:
    import anthropic

DEFAULT_TIMEOUT_S = 120.0
_KEY = "ANTHROPIC_API_KEY"
BATCH_URL = "/v1/messages"
"""Where requests of a batch go; a line of it has no url."""
# Why a message ended, in the words of chat completions.
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


class AnthropicProvider(ProviderBase):
    """Messages of one endpoint; the model is each request's own."""

    keys: ClassVar[Checks] = {"base_url": is_url}

    def __init__(
        self,
        model: str = "",
        timeout_s: float | None = None,
        table: ProviderTable | None = None,
        *,
        client: anthropic.Anthropic | None = None,
    ) -> None:
        """Raises MissingExtra without the SDK, ProviderUnusable without a key."""
        self._table = table or ProviderTable("anthropic", "anthropic")
        if client is None:
            try:
                import anthropic
            except ImportError:
                raise MissingExtra("anthropic", "anthropic", f"the model {self._table.name}:{model}") from None
            timeout_s = timeout_s or DEFAULT_TIMEOUT_S
            with client_errors():
                http_client = anthropic.DefaultHttpxClient(event_hooks=ends_within(timeout_s))
            client = anthropic.Anthropic(
                api_key=self._table.key(_KEY),
                base_url=self._table.get("base_url"),
                timeout=timeout_s,
                default_headers=self._table.headers(),
                http_client=http_client,
            )
        self._anthropic = client

    @classmethod
    def is_configured(cls, model: str) -> bool:  # noqa: ARG003 - one key serves all models
        """Whether the key is set."""
        return bool(os.environ.get(_KEY))

    @classmethod
    def is_complete(cls, table: ProviderTable) -> bool:
        """Whether the table's key is set."""
        return table.has_key(_KEY)

    def complete(self, request: Request) -> Response:
        """One message, timed without what happens around it."""
        import anthropic

        try:
            arguments = anthropic_arguments(named_at_endpoint(request))
        except ValueError as error:
            # Settings are checked before a run; what is left is of this one case, such as its media.
            raise ProviderError(f"{request.model}: {error}") from None
        started = time.perf_counter()
        try:
            message = self._anthropic.messages.create(**arguments)
        except anthropic.AnthropicError as error:
            key = self._table.key_variable(_KEY) or _KEY
            url = f"base_url in {self._table.header}"
            raise translated(error, str(self._anthropic.base_url), key, url) from error
        except UnicodeEncodeError as error:
            raise ProviderError("the prompt has half of a surrogate pair, which no endpoint takes") from error
        except ValueError as error:
            raise ProviderError(f"the endpoint's answer is not JSON: {error}") from error
        taken = time.perf_counter() - started
        try:
            return read_message(message, request.model, taken)
        except (AttributeError, TypeError, ValueError) as error:
            # The SDK does not check what it is sent.
            raise ProviderError(f"the endpoint's answer is not a message: {error}") from error

    @classmethod
    def check_request(
        cls,
        request: Request,
        table: ProviderTable | None = None,  # noqa: ARG003 - one API serves all tables
    ) -> None:
        """Raises ValueError for what the API has no place for."""
        anthropic_arguments(named_at_endpoint(request))

    @classmethod
    def batch_request(
        cls,
        request: Request,
        table: ProviderTable | None = None,  # noqa: ARG003 - one API serves all tables
    ) -> tuple[str, dict[str, Any]]:
        """The body that the SDK makes of the same arguments."""
        arguments = anthropic_arguments(named_at_endpoint(request))
        further = arguments.pop("extra_body", {})
        return BATCH_URL, arguments | further

    @property
    def retries(self) -> int:
        """How often the SDK sends a call that failed again."""
        return self._anthropic.max_retries

    def without_retries(self) -> Self:
        """The same endpoint and connections, and each call is sent once: somebody else repeats and times it."""
        return type(self)(table=self._table, client=self._anthropic.with_options(max_retries=0))

    def close(self) -> None:
        self._anthropic.close()


def read_message(message: Any, model: str, duration_s: float | None) -> Response:
    """A ``Response`` out of the SDK's object.

    Raises:
        ProviderError: It has no content; and what reading something else raises.
    """
    blocks = getattr(message, "content", None)
    if not isinstance(blocks, list):
        raise no_answer(message, "message")
    calls = tuple(ToolCall(each.id, each.name, json.dumps(each.input)) for each in blocks if each.type == "tool_use")
    reason = message.stop_reason or "stop"
    usage = message.usage
    return Response(
        model=message.model or model,
        text="".join(block.text for block in blocks if block.type == "text"),
        finish_reason=FINISH_REASONS.get(reason, reason),
        usage=None if usage is None else anthropic_usage(usage.to_dict()),
        duration_s=duration_s,
        tool_calls=calls,
    )
