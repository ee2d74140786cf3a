"""The values that flow through promptopt: frozen, slotted, free of I/O.

Field names follow OpenTelemetry's GenAI conventions and genai-prices.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "developer"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "developer")

JSONSchema = Mapping[str, Any]

Progress = Callable[[int, int], None]
"""Called with the number of requests answered so far and in all."""

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: object) -> str:
    """The one JSON text of ``value``: keys sorted, no white space, characters unescaped."""
    return _CANONICAL.encode(value)


def sha256_hex(text: str) -> str:
    """SHA-256 of the text in UTF-8; a lone surrogate is hashed as it is, not refused."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from. It labels recordings and ledgers and shapes no answer."""

    prompt: str
    version: str | None = None
    case: str | None = None

    @property
    def label(self) -> str:
        """``reviews@v1``, or ``reviews`` for a prompt without versions."""
        return f"{self.prompt}@{self.version}" if self.version else self.prompt


def _number(least: float, most: float) -> Callable[[object], float]:
    def read(value: Any) -> float:
        try:
            # A text such as 0.70 or 1e-1 is a label to the YAML loader and a number here.
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not math.isfinite(number):
            raise ValueError(f"{value!r} is not a number")
        if not least <= number <= most:
            raise ValueError(f"{number} is not between {least:g} and {most:g}")
        return number

    return read


def _whole(least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{value!r} is not a whole number of at least {least}")
        return value

    return read


def _texts(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not all(isinstance(item, str) for item in values):
        raise ValueError(f"{value!r} is not a text or a list of texts")
    return tuple(values)


def _one_of(*known: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
        return str(value)

    return read


# Of openai.types.shared.reasoning_effort and openai.types.chat.completion_create_params, each in the order of its cost.
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
VERBOSITIES = ("low", "medium", "high")
SERVICE_TIERS = ("flex", "auto", "default", "scale", "priority", "fast")


def _option(
    read: Callable[[object], Any], openai: str, plain: Callable[[Any], object] | None = None, default: Any = None
) -> Any:
    return field(default=default, metadata={"read": read, "openai": openai, "plain": plain or (lambda value: value)})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """The settings of a call, apart from its model, messages and schema. A new setting is one line here.

    Everything else follows from that line: the key of the front matter, the digest of a request, the recording's
    ``params``, the SDK's argument and the lock's record of what was measured.

    Attributes:
        temperature: 0 to 2; ``None``, as for the others, leaves it to the provider.
        max_output_tokens: The cap on output tokens, reasoning included.
        seed: Asks for repeatable sampling.
        stop: Texts at which the answer ends.
        reasoning_effort: How much a model may reason before it answers.
        verbosity: How long its answers are.
        service_tier: How the call is processed, which has its own prices.
    """

    # 0 and 0.0 are one temperature and must be one digest.
    temperature: float | None = _option(_number(0, 2), "temperature", float)
    max_output_tokens: int | None = _option(_whole(1), "max_completion_tokens")
    seed: int | None = _option(_whole(0), "seed")
    stop: tuple[str, ...] = _option(_texts, "stop", list, ())
    reasoning_effort: str | None = _option(_one_of(*REASONING_EFFORTS), "reasoning_effort")
    verbosity: str | None = _option(_one_of(*VERBOSITIES), "verbosity")
    service_tier: str | None = _option(_one_of(*SERVICE_TIERS), "service_tier")

    @classmethod
    def read(cls, name: str, value: object) -> Any:
        """The value of the setting ``name`` as a user wrote it; ``None`` is its default.

        Raises:
            ValueError: It is not one; the message shows the bad value.
        """
        option = cls.__dataclass_fields__[name]
        return option.default if value is None else option.metadata["read"](value)

    def to_dict(self) -> dict[str, Any]:
        """The settings that are set, by name, as JSON knows them."""
        return {option.name: option.metadata["plain"](value) for option, value in self._set()}

    def openai(self) -> dict[str, Any]:
        """The settings that are set, under the names of ``openai.types.chat.completion_create_params``."""
        return {option.metadata["openai"]: option.metadata["plain"](value) for option, value in self._set()}

    def _set(self) -> list[tuple[Any, Any]]:
        pairs = ((option, getattr(self, option.name)) for option in fields(self))
        return [(option, value) for option, value in pairs if value != option.default]


NO_OPTIONS = CallOptions()
"""Every setting is left to the provider."""


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that shapes an answer, and nothing else but ``origin``.

    Attributes:
        output_schema: A JSON schema that the answer must follow (strict), or ``None`` for free text.
        sample: 0 for the first answer to this request, 1 for the second, and so on.
        origin: A label, without influence on equality or digest.
    """

    model: str
    messages: tuple[Message, ...]
    params: CallOptions = NO_OPTIONS
    output_schema: JSONSchema | None = field(default=None, hash=False)
    sample: int = 0
    origin: Origin | None = field(default=None, compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all that shapes the answer.

        Fields that are not set are left out, so that a field added to a later promptopt changes no digest.
        """
        body: dict[str, Any] = {**self.params.to_dict(), "model": self.model}
        if self.output_schema is not None:
            body["output_schema"] = self.output_schema
        body["messages"] = [{"role": m.role, "content": m.content} for m in self.messages]
        if self.sample:
            body["sample"] = self.sample
        return sha256_hex(canonical_json(body))


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

    Raises:
        ValueError: A count is negative, or a part is larger than its whole.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    output_reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0

    def __post_init__(self) -> None:
        counts = (
            self.input_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.output_tokens,
            self.output_reasoning_tokens,
            self.input_audio_tokens,
            self.output_audio_tokens,
        )
        if min(counts) < 0:
            raise ValueError(f"token counts cannot be negative: {self}")
        if self.cache_read_tokens + self.cache_write_tokens > self.input_tokens:
            raise ValueError(f"input_tokens includes the cached tokens and cannot be smaller than them: {self}")
        if self.output_reasoning_tokens > self.output_tokens:
            raise ValueError(f"output_tokens includes reasoning and cannot be smaller than it: {self}")
        if self.input_audio_tokens > self.input_tokens or self.output_audio_tokens > self.output_tokens:
            raise ValueError(f"tokens of sound cannot be more than all tokens: {self}")


FinishReason = str
"""``stop``, ``length``, ``content_filter``, or what else a provider says."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        model: The model that says it answered, which may be a dated snapshot of the one that was asked.
        usage: What the provider measured; ``None`` if it did not say.
        duration_s: Seconds the request took, measured live; ``None`` for a replay.
    """

    model: str
    text: str
    finish_reason: FinishReason = "stop"
    usage: Usage | None = None
    duration_s: float | None = None


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
class Score:
    """What one assert says of one answer.

    Attributes:
        value: Between 0 (bad) and 1 (good).
        explanation: Why, in one line that a person can act on; empty if it passed and there is nothing to say.
        broken: The scorer raised, or gave something else than a number from 0 to 1: it says nothing of the answer.
    """

    name: str
    value: float
    passed: bool
    explanation: str = ""
    broken: bool = False


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
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """The contents of all messages, one after the other, for a look or a count of characters."""
        return "\n\n".join(message.content for message in self.messages)

    def request(self, model: str | None = None, *, sample: int = 0, case: str | None = None) -> Request:
        """The request that asks ``model`` (by default the prompt's own).

        Raises:
            ValueError: Neither the caller nor the prompt names a model.
        """
        chosen = model or self.model
        if chosen is None:
            raise ValueError("no model: set `model` in the prompt's front matter or pass one")
        origin = self.origin and Origin(self.origin.prompt, self.origin.version, case)
        return Request(
            model=chosen,
            messages=self.messages,
            params=self.params,
            output_schema=self.output_schema,
            sample=sample,
            origin=origin,
        )

    def openai(self, model: str | None = None) -> dict[str, Any]:
        """Keyword arguments for ``client.chat.completions.create(**...)`` of the OpenAI SDK.

        Raises:
            ValueError: Neither the caller nor the prompt names a model.
        """
        return openai_arguments(self.request(model))


def openai_arguments(request: Request) -> dict[str, Any]:
    """``request`` as keyword arguments for ``chat.completions.create``.

    The cap is ``max_completion_tokens`` (``max_tokens`` is deprecated there), a schema travels as a strict
    ``json_schema``.
    """
    arguments: dict[str, Any] = {
        "model": request.model.removeprefix("openai:"),
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        **request.params.openai(),
    }
    if request.output_schema is not None:
        arguments["response_format"] = response_format(request.output_schema)
    return arguments


def response_format(schema: JSONSchema) -> dict[str, Any]:
    """The strict ``response_format`` of an output schema; its name is the schema's title, or ``answer``.

    A name may hold letters, digits, ``_`` and ``-``, at most 64 of them; others in a title become ``_``.
    """
    title = schema.get("title")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title)[:64] if isinstance(title, str) else ""
    return {
        "type": "json_schema",
        "json_schema": {"name": name or "answer", "strict": True, "schema": dict(schema)},
    }
