"""Chats in the forms of Google's and Amazon's APIs as messages of OpenAI's, which prompts are read as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_ROLES = {"model": "assistant", "human": "user", "ai": "assistant", "bot": "assistant"}


def chat_messages(chat: Any) -> Any:
    """The messages of a chat in JSON; what is no chat stays as it is."""
    system = None
    if isinstance(chat, Mapping) and isinstance(chat.get("contents"), list):
        given = chat.get("systemInstruction", chat.get("system_instruction"))
        system, chat = _text(given), chat["contents"]
    elif (
        isinstance(chat, Mapping)
        and isinstance(chat.get("messages"), list)
        and set(chat) <= {"messages", "system", "schemaVersion"}
    ):
        system, chat = _text(chat.get("system")), chat["messages"]
    if not isinstance(chat, list) or not chat or not all(isinstance(entry, Mapping) for entry in chat):
        return chat
    if not all("role" in entry or "parts" in entry for entry in chat):
        return chat
    messages = [message for entry in chat for message in _with_tools(_message(entry))]
    return [{"role": "system", "content": system}, *messages] if system else messages


def rendered_messages(text: str) -> str:
    """A rendered text as a chat of messages, if it is a chat in another form."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        chat = json.loads(text)
        messages = chat_messages(chat)
    except (ValueError, RecursionError):
        return text
    return text if messages == chat else json.dumps(messages, ensure_ascii=False)


def _text(value: Any) -> str | None:
    """The text of an instruction, whose parts may be listed."""
    if isinstance(value, Mapping):
        value = value.get("parts", value.get("text"))
    if isinstance(value, list):
        return "\n".join(text for part in value if (text := _text(part)))
    return value if isinstance(value, str) else None


def _message(entry: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in entry.items() if key in ("role", "content", "tool_calls", "tool_call_id")}
    role = str(found.get("role", "user"))
    found["role"] = _ROLES.get(role, role)
    parts = entry.get("parts", found.get("content"))
    if isinstance(parts, Mapping):
        parts = [parts]
    if isinstance(parts, list):
        found["content"] = [_part(part) for part in parts]
    return found


def _with_tools(message: dict[str, Any]) -> list[dict[str, Any]]:
    """A message whose parts call tools, or are results, as OpenAI's API has them: calls beside it, results alone."""
    if not isinstance(message.get("content"), list):
        return [message]
    calls, results, rest = [], [], []
    for part in message["content"]:
        if call := _tool(part, ("tool_use", "toolUse", "functionCall", "function_call")):
            given = json.dumps(call.get("input", call.get("args", {})), ensure_ascii=False)
            function = {"name": str(call.get("name", "")), "arguments": given}
            calls.append({"id": _call_id(call), "type": "function", "function": function})
        elif call := _tool(part, ("tool_result", "toolResult", "functionResponse", "function_response")):
            results.append({"role": "tool", "tool_call_id": _call_id(call), "content": _result(call)})
        else:
            rest.append(part)
    if not calls and not results:
        return [message]
    own = {**message, "content": rest or None} | ({"tool_calls": calls} if calls else {})
    return [*results, *([own] if rest or calls else [])]


def _tool(part: Any, names: tuple[str, ...]) -> Mapping[str, Any] | None:
    """A part that is a call of a tool, or a result: Anthropic's by its type, Google's and Amazon's by its key."""
    if not isinstance(part, Mapping):
        return None
    found = part if part.get("type") in names else next((part[name] for name in names if name in part), None)
    return found if isinstance(found, Mapping) else None


def _call_id(call: Mapping[str, Any]) -> str:
    """What a call and its result have in common; Google's have only the name of the tool."""
    return str(next((call[key] for key in ("id", "tool_use_id", "toolUseId", "name") if key in call), ""))


def _result(call: Mapping[str, Any]) -> str:
    value = call.get("content", call.get("response", ""))
    if isinstance(value, list):
        value = "\n".join(str(part.get("text", part)) if isinstance(part, Mapping) else str(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _part(part: Any) -> Any:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if not isinstance(part, Mapping):
        return part
    if "modality" in part:
        return _adaline(part)
    if inline := part.get("inlineData", part.get("inline_data")):
        kind = inline.get("mimeType", inline.get("mime_type", "image/png"))
        return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{inline.get('data', '')}"}}
    if isinstance(image := part.get("image"), Mapping) and isinstance(image.get("source"), Mapping):
        kind = f"image/{image.get('format', 'png')}"
        return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{image['source'].get('bytes', '')}"}}
    return part


def _adaline(part: Mapping[str, Any]) -> Any:
    """A part of Adaline's chats."""
    value = part.get("value")
    if isinstance(value, str):
        return {"type": "text", "text": value}
    if isinstance(value, Mapping) and part.get("modality") == "image":
        kind = str(value.get("mediaType", value.get("media_type", "png"))).removeprefix("image/")
        url = value.get("url") or f"data:image/{kind};base64,{value.get('base64', '')}"
        return {"type": "image_url", "image_url": {"url": url, "detail": part.get("detail", "auto")}}
    return part
