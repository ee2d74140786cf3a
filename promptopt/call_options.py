"""The settings of a call: what a prompt may ask of a model beside its text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any


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
TOOL_CHOICES = ("auto", "none", "required")
DETAILS = ("low", "high", "auto", "original")
SERVICE_TIERS = ("flex", "auto", "default", "scale", "priority", "fast")
# Of Anthropic, Hugging Face, Ollama, and of Meta's and Amazon's models on Bedrock.
_CAPS = ("max_tokens", "max_new_tokens", "num_predict", "max_gen_len", "max_token_count")


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not true or false")
    return value


def _up_to(most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        number = _whole(0)(value)
        if number > most:
            raise ValueError(f"{number} is above {most}")
        return number

    return read


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise ValueError(f"{value!r} is not auto, none, required, or the name of a tool")
    return value


def _tool_choice(value: str) -> object:
    return value if value in TOOL_CHOICES else {"type": "function", "function": {"name": value}}


def _json_object(value: object) -> str:
    """A mapping as canonical JSON, so that options stay hashable."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{value!r} is not `key: value` pairs")
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{value!r} has no JSON: {error}") from None


# What a prompt says itself: another model would be asked, or something else, than what is counted, priced and recorded.
PROMPTS_OWN = ("model", "messages")


def _further_keys(value: object) -> str:
    found = _json_object(value)
    for name in PROMPTS_OWN:
        if name in json.loads(found):
            raise ValueError(f"{name!r} is no further key of the request: it would take the place of the prompt's own")
    return found


def _unchanged(value: object) -> object:
    return value


def _option(
    read: Callable[[object], Any],
    openai: str,
    plain: Callable[[Any], object] = _unchanged,
    default: Any = None,
    sent: Callable[[Any], object] | None = None,
    also: tuple[str, ...] = (),
) -> Any:
    """A setting.

    Args:
        read: From what a user wrote to the value.
        openai: The SDK's name of it; empty: it is no argument of a call, and whoever makes the messages places it.
        plain: From the value to JSON.
        sent: From the value to what the SDK takes, if that is something else.
        also: Names that other APIs and tools have for it, with the same values.
    """
    metadata = {"read": read, "openai": openai, "plain": plain, "sent": sent or plain, "also": also}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """The settings of a call, apart from its model, messages and schema. A new setting is one line here.

    From that line follow the key of the front matter, the digest of a request, the recording's ``params``, the argument
    of chat completions, the lock's record of what was measured, and the names under which programs and files of other
    tools are read. Until another place knows the setting, it is on the safe side: the other APIs refuse it, a change of
    it may cost more, and the gateway keeps no answers of calls that have it. Tests name each place that has to say more
    (``docs/architecture.md``).

    Attributes:
        temperature: 0 to 2; ``None``, as for the others, leaves it to the provider.
        max_output_tokens: The cap on output tokens, reasoning included.
        seed: Asks for repeatable sampling.
        stop: Texts at which the answer ends.
        reasoning_effort: How much a model may reason before it answers.
        verbosity: How long its answers are.
        service_tier: How the call is processed, which has its own prices.
        top_p: Share of probability that is sampled from.
        frequency_penalty: -2 to 2; how much less likely a token becomes each time that it has come.
        presence_penalty: -2 to 2; how much less likely a token becomes once it has come.
        logprobs: Whether the answer comes with the log-probabilities of its tokens.
        top_logprobs: Of how many candidates for each token.
        tool_choice: ``auto``, ``none``, ``required``, or the name of the tool that must be called.
        parallel_tool_calls: Whether one answer may call several tools.
        response_format: ``json_object``: any JSON. A schema is a prompt's ``output_schema``.
        detail: How closely a model looks at images that say nothing of it: ``low``, ``high``, ``original``, ``auto``.
        extra_body: Further keys of the request's body, for one provider; canonical JSON.
    """

    # 0 and 0.0 are one temperature and must be one digest.
    temperature: float | None = _option(_number(0, 2), "temperature", float)
    max_output_tokens: int | None = _option(_whole(1), "max_completion_tokens", also=_CAPS)
    seed: int | None = _option(_whole(0), "seed")
    stop: tuple[str, ...] = _option(_texts, "stop", list, (), also=("stop_sequences",))
    reasoning_effort: str | None = _option(_one_of(*REASONING_EFFORTS), "reasoning_effort")
    verbosity: str | None = _option(_one_of(*VERBOSITIES), "verbosity")
    service_tier: str | None = _option(_one_of(*SERVICE_TIERS), "service_tier")
    top_p: float | None = _option(_number(0, 1), "top_p", float)
    frequency_penalty: float | None = _option(_number(-2, 2), "frequency_penalty", float)
    presence_penalty: float | None = _option(_number(-2, 2), "presence_penalty", float)
    logprobs: bool | None = _option(_flag, "logprobs")
    top_logprobs: int | None = _option(_up_to(20), "top_logprobs")
    tool_choice: str | None = _option(_name, "tool_choice", sent=_tool_choice)
    parallel_tool_calls: bool | None = _option(_flag, "parallel_tool_calls")
    response_format: str | None = _option(_one_of("json_object"), "response_format", sent=lambda kind: {"type": kind})
    # A part of each image, and no argument of a call.
    detail: str | None = _option(_one_of(*DETAILS), "")
    extra_body: str | None = _option(_further_keys, "extra_body", sent=json.loads)

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
        return {
            option.metadata["openai"]: option.metadata["sent"](value)
            for option, value in self._set()
            if option.metadata["openai"]
        }

    def _set(self) -> list[tuple[Any, Any]]:
        options, values = _options()
        return [(option, value) for option, value in zip(options, values(self), strict=True) if value != option.default]


@cache
def _options() -> tuple[tuple[Field[Any], ...], Callable[[CallOptions], tuple[Any, ...]]]:
    """All settings, and what gives their values at once."""
    options = fields(CallOptions)
    return options, attrgetter(*(option.name for option in options))


@cache
def setting_names() -> Mapping[str, str]:
    """The settings by the names that programs and files of other tools have for them, in camel case too.

    Left out are those that an SDK takes in another form than front matter does, and those that are no argument.
    """
    found: dict[str, str] = {}
    for option in fields(CallOptions):
        said = option.metadata
        if said["openai"] and said["sent"] is said["plain"]:
            for name in (option.name, said["openai"], *said["also"]):
                found |= {name: option.name, re.sub("_([a-z])", lambda letter: letter[1].upper(), name): option.name}
    return MappingProxyType(found)


NO_OPTIONS = CallOptions()
"""Every setting is left to the provider."""
