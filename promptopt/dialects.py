"""Requests as the keyword arguments of other APIs than chat completions: OpenAI's Responses, Anthropic's, Google's.

Each follows the types of its SDK. What an API has no place for is an error and not left out: a setting that does not
travel would still be in a recording. So a setting that nothing here has asked for is refused.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from promptopt.messages import Media, MediaRefused, Message, Request, Tool, response_format

ANTHROPIC_MAX_TOKENS = 4096
"""The cap on output of a request that sets none: Anthropic's API wants one."""

_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}


def responses_arguments(request: Request) -> dict[str, Any]:
    """``request`` as keyword arguments for ``client.responses.create`` of the OpenAI SDK.

    Raises:
        ValueError: It sets or holds what that API does not take.
    """
    options = _Options(request, "the Responses API")
    detail, any_json = options.get("detail"), options.get("response_format")
    arguments: dict[str, Any] = {
        "model": request.model.removeprefix("openai:"),
        "input": [item for message in request.messages for item in _responses_items(message, detail)],
        **options.named(
            "temperature", "top_p", "max_output_tokens", "service_tier", "parallel_tool_calls", "top_logprobs"
        ),
    }
    if effort := options.get("reasoning_effort"):
        arguments["reasoning"] = {"effort": effort}
    text = options.named("verbosity")
    if request.output_schema is not None:
        text["format"] = {"type": "json_schema", **response_format(request.output_schema)["json_schema"]}
    elif any_json:
        text["format"] = {"type": "json_object"}
    if text:
        arguments["text"] = text
    if options.get("logprobs"):
        arguments["include"] = ["message.output_text.logprobs"]
    if request.tools:
        arguments["tools"] = [_responses_tool(tool) for tool in request.tools]
    if choice := options.get("tool_choice"):
        arguments["tool_choice"] = choice if choice in _CHOICES else {"type": "function", "name": choice}
    return options.all_placed(arguments | options.extra_body())


_CHOICES = ("auto", "none", "required")


def _responses_tool(tool: Tool) -> dict[str, Any]:
    found = {"type": "function", "name": tool.name, "parameters": _schema_of(tool), "strict": tool.strict or False}
    return found | ({"description": tool.description} if tool.description else {})


def _schema_of(tool: Tool) -> dict[str, Any]:
    """Its parameters; those of a tool without any as the object that other APIs want."""
    return dict(tool.parameters) or {"type": "object", "properties": {}}


def _responses_items(message: Message, detail: str | None) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}]
    items: list[dict[str, Any]] = []
    if message.parts:
        if message.role == "assistant":
            raise MediaRefused(f"the Responses API takes no media in a turn of the assistant: {message.media[0].shown}")
        parts = [_responses_part(part, detail) for part in message.sent_parts]
        items.append({"role": message.role, "content": parts})
    elif message.content or not message.tool_calls:
        items.append({"role": message.role, "content": message.content})
    return items + [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]


def _responses_part(part: str | Media, detail: str | None) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "input_text", "text": part}
    if part.kind == "image":
        return {"type": "input_image", "image_url": part.address, "detail": part.detail or detail or "auto"}
    if part.kind == "file":
        if part.url:
            return {"type": "input_file", "file_url": part.url}
        return {"type": "input_file", "filename": part.name or "file", "file_data": part.address}
    raise MediaRefused(f"the Responses API takes no {part.kind} ({part.name or part.media_type})")


def anthropic_arguments(request: Request) -> dict[str, Any]:
    """``request`` as keyword arguments for ``client.messages.create`` of the Anthropic SDK.

    System messages at the beginning are its ``system``. Its API wants a cap on output: without ``max_output_tokens`` it
    is :data:`ANTHROPIC_MAX_TOKENS`.

    Raises:
        ValueError: It sets or holds what that API does not take.
    """
    options = _Options(
        request,
        "Anthropic's API",
        limits={"temperature": lambda value: value <= 1, "service_tier": lambda value: value in ("auto", "default")},
    )
    first = _first_turn(request.messages, "Anthropic's API")
    arguments: dict[str, Any] = {
        "model": request.model.removeprefix("anthropic:"),
        "max_tokens": options.get("max_output_tokens", ANTHROPIC_MAX_TOKENS),
        "messages": _turns(request.messages[first:]),
    }
    if first:
        arguments["system"] = "\n\n".join(_only_text(each, "Anthropic's API") for each in request.messages[:first])
    if stop := options.get("stop"):
        arguments["stop_sequences"] = stop
    if tier := options.get("service_tier"):
        arguments["service_tier"] = "auto" if tier == "auto" else "standard_only"
    output: dict[str, Any] = {}
    effort = options.get("reasoning_effort")
    if effort == "none":
        arguments["thinking"] = {"type": "disabled"}
    elif effort is not None:
        output["effort"] = options.mapped("reasoning_effort", _EFFORTS)
    if request.output_schema is not None:
        output["format"] = {"type": "json_schema", "schema": dict(request.output_schema)}
    if output:
        arguments["output_config"] = output
    if request.tools:
        arguments["tools"] = [_anthropic_tool(tool) for tool in request.tools]
    if choice := _anthropic_choice(options):
        arguments["tool_choice"] = choice
    # The SDK has no arguments for sampling any more; models before it was dropped take it in the body.
    body = options.named("temperature", "top_p") | options.extra_body().get("extra_body", {})
    return options.all_placed(arguments | ({"extra_body": body} if body else {}))


_SYSTEM = ("system", "developer")


def _first_turn(messages: Sequence[Message], api: str) -> int:
    """The index of the first message that is not the system's. Raises ValueError if there is none."""
    first = next((number for number, each in enumerate(messages) if each.role not in _SYSTEM), None)
    if first is None:
        raise ValueError(f"{api} takes no system message alone: the chat needs a message of the user")
    return first


def _anthropic_tool(tool: Tool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tool.name, "input_schema": _schema_of(tool)}
    found |= {"description": tool.description} if tool.description else {}
    return found | ({} if tool.strict is None else {"strict": tool.strict})


def _anthropic_choice(options: _Options) -> dict[str, Any] | None:
    chosen, parallel = options.get("tool_choice"), options.get("parallel_tool_calls")
    if chosen is None and parallel is None:
        return None
    kinds = {None: "auto", "auto": "auto", "none": "none", "required": "any"}
    found: dict[str, Any] = {"type": kinds[chosen]} if chosen in kinds else {"type": "tool", "name": chosen}
    # A call of no tool is never one of several.
    if parallel is not None and chosen != "none":
        found["disable_parallel_tool_use"] = not parallel
    return found


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as turns; the answers of tools are blocks of one turn of the user's."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            result = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}
            if turns and turns[-1]["role"] == "user" and _has_results(turns[-1]["content"]):
                turns[-1]["content"].append(result)
            else:
                turns.append({"role": "user", "content": [result]})
            continue
        if message.media and message.role != "user":
            raise MediaRefused(f"Anthropic's API takes media from the user, not from the {message.role}")
        blocks = [_anthropic_part(part) for part in message.sent_parts]
        if message.tool_calls:
            texts = [{"type": "text", "text": message.content}] if message.content and not blocks else []
            calls = [
                {
                    "type": "tool_use",
                    "id": call.id,
                    "name": call.name,
                    "input": _arguments_of(call.name, call.arguments),
                }
                for call in message.tool_calls
            ]
            blocks = [*blocks, *texts, *calls]
        role = "system" if message.role in _SYSTEM else message.role
        turns.append({"role": role, "content": blocks or message.content})
    return turns


def _has_results(content: Any) -> bool:
    return isinstance(content, list) and all(block["type"] == "tool_result" for block in content)


def _arguments_of(name: str, written: str) -> dict[str, Any]:
    try:
        value = json.loads(written or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"the arguments of a call of {name} are not a JSON object: {written[:60]!r}")
    return value


def _anthropic_part(part: str | Media) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if part.kind == "audio":
        raise MediaRefused(f"Anthropic's API takes no sound ({part.name or part.media_type})")
    source: dict[str, Any] = {"type": "url", "url": part.url}
    if not part.url:
        source = {"type": "base64", "media_type": part.media_type, "data": _encoded(part)}
    if part.kind == "image":
        return {"type": "image", "source": source}
    if not part.url and part.media_type.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": part.data.decode("utf-8", "replace")}
    elif part.media_type != "application/pdf":
        raise MediaRefused(f"Anthropic's API takes PDF and text as files, not {part.media_type} ({part.name})")
    return {"type": "document", "source": source, **({"title": part.name} if part.name else {})}


def google_arguments(request: Request) -> dict[str, Any]:
    """``request`` as keyword arguments for ``client.models.generate_content`` of google-genai.

    System messages at the beginning are its ``system_instruction``.

    Raises:
        ValueError: It sets or holds what that API does not take.
    """
    options = _Options(
        request,
        "Google's API",
        limits={
            "service_tier": lambda value: value in ("flex", "priority", "default"),
            "detail": lambda value: value != "original",
        },
    )
    first = _first_turn(request.messages, "Google's API")
    config: dict[str, Any] = options.named(
        "temperature", "top_p", "frequency_penalty", "presence_penalty", "max_output_tokens", "seed"
    )
    if first:
        config["system_instruction"] = "\n\n".join(
            _only_text(each, "Google's API") for each in request.messages[:first]
        )
    config |= _google_options(options)
    if request.output_schema is not None:
        config |= {"response_mime_type": "application/json", "response_json_schema": dict(request.output_schema)}
    if request.tools:
        config["tools"] = [{"function_declarations": [_google_tool(tool) for tool in request.tools]}]
    contents = _google_contents(request.messages[first:])
    found: dict[str, Any] = {"model": request.model.removeprefix("google:"), "contents": contents}
    return options.all_placed(found | ({"config": config} if config else {}))


def _google_options(options: _Options) -> dict[str, Any]:
    """Settings that have other names or values there."""
    found = {new: value for old, new in _GOOGLE_NAMES.items() if (value := options.get(old)) is not None}
    if tier := options.get("service_tier"):
        found["service_tier"] = "standard" if tier == "default" else tier
    if options.get("reasoning_effort") == "none":
        found["thinking_config"] = {"thinking_budget": 0}
    elif options.get("reasoning_effort"):
        found["thinking_config"] = {"thinking_level": options.mapped("reasoning_effort", _LEVELS)}
    if options.get("response_format"):
        found["response_mime_type"] = "application/json"
    if (detail := options.get("detail", "auto")) != "auto":
        found["media_resolution"] = f"MEDIA_RESOLUTION_{detail.upper()}"
    if choice := options.get("tool_choice"):
        calling = {"mode": _MODES[choice]} if choice in _MODES else {"mode": "ANY", "allowed_function_names": [choice]}
        found["tool_config"] = {"function_calling_config": calling}
    return found


_GOOGLE_NAMES = {"stop": "stop_sequences", "logprobs": "response_logprobs", "top_logprobs": "logprobs"}
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH"}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def _google_tool(tool: Tool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tool.name}
    found |= {"description": tool.description} if tool.description else {}
    return found | ({"parameters_json_schema": dict(tool.parameters)} if tool.parameters else {})


def _google_contents(messages: Sequence[Message]) -> list[dict[str, Any]]:
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    contents: list[dict[str, Any]] = []
    for message in messages:
        if message.role in _SYSTEM:
            raise ValueError("Google's API takes system messages at the beginning only")
        if message.role == "tool":
            part = {"function_response": _google_result(message, names)}
            if contents and "function_response" in contents[-1]["parts"][-1]:
                contents[-1]["parts"].append(part)
            else:
                contents.append({"role": "user", "parts": [part]})
            continue
        parts = [_google_part(each) for each in message.sent_parts]
        if not parts and (message.content or not message.tool_calls):
            parts = [{"text": message.content}]
        for call in message.tool_calls:
            called = {"name": call.name, "args": _arguments_of(call.name, call.arguments)}
            parts.append({"function_call": {**called, **({"id": call.id} if call.id else {})}})
        contents.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
    return contents


def _google_result(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    """A tool's answer; one that is not a JSON object is its ``output``, as the API says."""
    called = message.tool_call_id or ""
    if called not in names:
        raise ValueError(f"the tool's answer {called!r} belongs to no call before it, and Google's API wants its name")
    try:
        value = json.loads(message.content)
    except ValueError:
        value = message.content
    response = value if isinstance(value, dict) else {"output": value}
    return {"id": called, "name": names[called], "response": response}


def _google_part(part: str | Media) -> dict[str, Any]:
    if isinstance(part, str):
        return {"text": part}
    found: dict[str, Any] = {"inline_data": {"mime_type": part.media_type, "data": part.data}}
    if part.url:
        found = {"file_data": {"file_uri": part.url, "mime_type": part.media_type}}
    if part.detail in ("", "auto"):
        return found
    if part.detail == "original":
        raise MediaRefused(f"Google's API does not take detail 'original' ({part.shown})")
    return found | {"media_resolution": {"level": f"MEDIA_RESOLUTION_{part.detail.upper()}"}}


def _encoded(part: Media) -> str:
    return base64.b64encode(part.data).decode("ascii")


def _only_text(message: Message, api: str) -> str:
    if message.media:
        raise MediaRefused(f"{api} takes no media in a system message")
    return message.content


class _Options:
    """The settings of a request, for an API that takes some of them. It takes those that are asked for here."""

    def __init__(
        self, request: Request, api: str, *, limits: Mapping[str, Callable[[Any], bool]] | None = None
    ) -> None:
        """Raises ValueError if the API has no place for the value of one that is set."""
        self._set = request.params.to_dict()
        self._api = api
        self._asked: set[str] = set()
        for name, fits in (limits or {}).items():
            if name in self._set and not fits(self._set[name]):
                raise ValueError(f"{api} does not take {name} {self._set[name]!r}")

    def get(self, name: str, default: Any = None) -> Any:
        self._asked.add(name)
        return self._set.get(name, default)

    def named(self, *names: str) -> dict[str, Any]:
        """Those of these that are set."""
        self._asked |= {*names}
        return {name: self._set[name] for name in names if name in self._set}

    def mapped(self, name: str, known: Mapping[str, str]) -> str:
        """A setting in the API's words. Raises ValueError if it has none for it."""
        value = self.get(name)
        if value not in known:
            raise ValueError(f"{self._api} does not take {name} {value!r}; it takes {', '.join(known)}")
        return known[value]

    def extra_body(self) -> dict[str, Any]:
        found = self.get("extra_body")
        return {} if found is None else {"extra_body": json.loads(found)}

    def all_placed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The finished arguments. Raises ValueError if a setting is set that nothing has asked for."""
        if refused := [name for name in self._set if name not in self._asked]:
            them = "it" if len(refused) == 1 else "them"
            raise ValueError(f"{self._api} takes no {', '.join(refused)}: leave {them} out")
        return arguments
