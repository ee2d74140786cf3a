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
    messages = [_message(entry) for entry in chat]
    return [{"role": "system", "content": system}, *messages] if system else messages


def rendered_messages(text: str) -> str:
    """A rendered text as a chat of messages, if it is a chat."""
    try:
        return json.dumps(chat_messages(json.loads(text)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


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
