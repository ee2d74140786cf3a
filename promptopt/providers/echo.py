"""The prompt itself as the answer: what a suite says of prompts is tried without any model."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from promptopt.providers.base import ProviderBase
from promptopt.providers.settings import ProviderTable
from promptopt.values import Request, Response


class EchoProvider(ProviderBase):
    """Answers with the text of one message of the user; of a chat with its messages as JSON, as promptfoo's does."""

    free: ClassVar[bool] = True

    def __init__(self, _model: str = "", _timeout_s: float | None = None, _table: ProviderTable | None = None) -> None:
        """As every provider is made; it needs none of it."""

    def complete(self, request: Request) -> Response:
        """The rendered prompt."""
        first, *others = request.messages
        if first.role == "user" and not others:
            return Response(request.model, first.content)
        chat: list[dict[str, Any]] = [message.openai() for message in request.messages]
        return Response(request.model, json.dumps(chat, ensure_ascii=False, indent=2))
