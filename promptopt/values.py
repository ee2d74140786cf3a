"""The values that flow through promptopt: frozen, slotted, free of I/O.

Field names follow OpenTelemetry's GenAI conventions and genai-prices.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from promptopt.call_options import NO_OPTIONS, CallOptions
from promptopt.dialects import anthropic_arguments, google_arguments, responses_arguments
from promptopt.messages import (
    ROLES,
    JSONSchema,
    Media,
    MediaKind,
    Message,
    Origin,
    Request,
    Role,
    Tool,
    ToolCall,
    canonical_json,
    check_chat_media,
    openai_arguments,
    response_format,
    sha256_hex,
)

__all__ = [
    "ROLES",
    "Cost",
    "FinishReason",
    "JSONSchema",
    "Judged",
    "Media",
    "MediaKind",
    "Message",
    "Origin",
    "Progress",
    "Rendered",
    "Request",
    "Response",
    "Role",
    "Score",
    "Tool",
    "ToolCall",
    "Usage",
    "canonical_json",
    "openai_arguments",
    "response_format",
    "sha256_hex",
]

Progress = Callable[[int, int], None]
"""Called with the number of requests answered so far and in all."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call.

    Attributes:
        input_tokens: All input tokens, the cached ones included.
        cache_read_tokens: Those of them that the provider read from its prompt cache.
        cache_write_tokens: Those of them that the provider wrote to its prompt cache.
        output_tokens: All output tokens, reasoning included.
        output_reasoning_tokens: Those of them that were reasoning.
        input_audio_tokens: Those of the input that were sound; so are ``output_audio_tokens`` of the output.
        cache_write_1h_tokens: Those of ``cache_write_tokens`` that the provider keeps for an hour.

    Raises:
        ValueError: A count is negative or above 2**53, or a part is larger than its whole.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    output_reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    cache_write_1h_tokens: int = 0

    def __post_init__(self) -> None:
        counts = (
            self.input_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.output_tokens,
            self.output_reasoning_tokens,
            self.input_audio_tokens,
            self.output_audio_tokens,
            self.cache_write_1h_tokens,
        )
        if min(counts) < 0:
            raise ValueError(f"token counts cannot be negative: {self}")
        if self.cache_read_tokens + self.cache_write_tokens > self.input_tokens:
            raise ValueError(f"input_tokens includes the cached tokens and cannot be smaller than them: {self}")
        if self.cache_write_1h_tokens > self.cache_write_tokens:
            raise ValueError(f"cache_write_tokens includes those kept for an hour: {self}")
        if self.output_reasoning_tokens > self.output_tokens:
            raise ValueError(f"output_tokens includes reasoning and cannot be smaller than it: {self}")
        if self.input_audio_tokens > self.input_tokens or self.output_audio_tokens > self.output_tokens:
            raise ValueError(f"tokens of sound cannot be more than all tokens: {self}")

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, name) + getattr(other, name) for name in Usage.__slots__))


FinishReason = str
"""``stop``, ``length``, ``content_filter``, or what else a provider says."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        model: The model that says it answered, which may be a dated snapshot of the one that was asked.
        usage: What the provider measured; ``None`` if it did not say.
        duration_s: Seconds the request took, measured live; ``None`` for a replay.
        tool_calls: The calls of tools that it asks for.
        logprobs: Natural logarithms of the probabilities of its tokens, if they were asked for.

    Raises:
        TypeError: The model, the text or the finish reason is not a text.
    """

    model: str
    text: str
    finish_reason: FinishReason = "stop"
    usage: Usage | None = None
    duration_s: float | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("model", "text", "finish_reason"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise TypeError(f"its {name} is {value!r:.100}, not a text")

    @property
    def output(self) -> str:
        """Its text; if it only calls tools, the calls as the JSON of OpenAI's ``tool_calls``, without their ids."""
        if self.text.strip() or not self.tool_calls:
            return self.text
        calls = [call.openai() for call in self.tool_calls]
        return json.dumps([{key: call[key] for key in ("type", "function")} for call in calls], ensure_ascii=False)

    @property
    def shown(self) -> str:
        """Its text and its calls of tools in one line, for people."""
        return " ".join([*self.text.split(), *map(str, self.tool_calls)])


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars of one call, or of many."""

    input_usd: Decimal
    output_usd: Decimal

    @property
    def total_usd(self) -> Decimal:
        return self.input_usd + self.output_usd

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.input_usd + other.input_usd, self.output_usd + other.output_usd)


@dataclass(frozen=True, slots=True)
class Judged:
    """How models came to a score.

    Attributes:
        model: Who judged; of a cascade ``cheap, then expensive``.
        reason: The judge's own words.
        votes: The score of each vote, 0 to 1; ``None`` for one without a verdict.
        passes: How many votes passed the answer.
        calls: How many answers of models the score rests on.
        cost: Their list cost, whoever asked first; ``None`` if a model is unpriced or measured nothing.
        escalated: Whether the second judge of a cascade was asked.
        place: Where in a batch the answer was judged, 0 (first) to 1 (last); ``None`` if alone.
        orders: Of pairs that were compared in both orders: how often the first place won, how often the second, and
            how often one answer won in both; empty if nothing was compared.
    """

    model: str
    reason: str = ""
    votes: tuple[float | None, ...] = ()
    passes: int = 0
    calls: int = 0
    cost: Cost | None = None
    escalated: bool = False
    place: float | None = None
    orders: tuple[int, int, int] | tuple[()] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """What one assert says of one answer.

    Attributes:
        value: Between 0 (bad) and 1 (good).
        explanation: Why, in one line that a person can act on; empty if it passed and there is nothing to say.
        broken: The scorer raised, or gave something else than a number from 0 to 1: it says nothing of the answer.
        judged: How models came to it, if they did.
    """

    name: str
    value: float
    passed: bool
    explanation: str = ""
    broken: bool = False
    judged: Judged | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt with its variables filled in, ready to send.

    Attributes:
        model: The model of the front matter or of the caller; ``None`` if nobody named one.
        notes: What the rendering left out to stay within a budget (the filter ``fit``).
    """

    messages: tuple[Message, ...]
    model: str | None = None
    params: CallOptions = NO_OPTIONS
    output_schema: JSONSchema | None = field(default=None, hash=False)
    origin: Origin | None = field(default=None, compare=False)
    tools: tuple[Tool, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """The contents of all messages, one after the other, for a look or a count of characters."""
        return "\n\n".join(message.content for message in self.messages)

    def request(
        self, model: str | None = None, *, sample: int = 0, case: str | None = None, params: CallOptions | None = None
    ) -> Request:
        """The request that asks ``model``, with the settings ``params`` (by default the prompt's own).

        Raises:
            ValueError: Neither the caller nor the prompt names a model.
        """
        chosen = model or self.model
        if chosen is None:
            raise ValueError("no model: set `model` in the prompt's front matter or pass one")
        return Request(
            model=chosen,
            messages=self.messages,
            params=self.params if params is None else params,
            output_schema=self.output_schema,
            sample=sample,
            origin=self.origin and self.origin.of(case, self.origin.variables),
            tools=self.tools,
        )

    def openai(self, model: str | None = None) -> dict[str, Any]:
        """Keyword arguments for ``client.chat.completions.create(**...)`` of the OpenAI SDK.

        Raises:
            ValueError: Neither the caller nor the prompt names a model, or chat completions do not take its media.
        """
        check_chat_media(self.messages)
        return openai_arguments(self.request(model))

    def responses(self, model: str | None = None) -> dict[str, Any]:
        """Keyword arguments for ``client.responses.create(**...)`` of the OpenAI SDK.

        Raises:
            ValueError: Neither the caller nor the prompt names a model, or the prompt has what that API does not take.
        """
        return responses_arguments(self.request(model))

    def anthropic(self, model: str | None = None) -> dict[str, Any]:
        """Keyword arguments for ``client.messages.create(**...)`` of the Anthropic SDK.

        Its API wants a cap on output: without ``max_output_tokens`` it is
        :data:`promptopt.dialects.ANTHROPIC_MAX_TOKENS`.

        Raises:
            ValueError: As :meth:`responses`.
        """
        return anthropic_arguments(self.request(model))

    def google(self, model: str | None = None) -> dict[str, Any]:
        """Keyword arguments for ``client.models.generate_content(**...)`` of google-genai.

        Raises:
            ValueError: As :meth:`responses`.
        """
        return google_arguments(self.request(model))
