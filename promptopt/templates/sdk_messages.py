"""Messages as the SDKs take them, mappings with texts, media and calls of tools, read as :class:`Message`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptopt.messages import Media, Message
from promptopt.templates.chat import make_tool_calls
from promptopt.templates.media_tags import WrittenMedium, medium_of, read_part


def read_message(message: Message | Mapping[str, Any]) -> Message:
    """One message. Of an unknown role it is read alike, and keys that shape no text are passed over.

    Raises:
        ValueError: It has no role, or its content or its calls of tools are none.
    """
    if isinstance(message, Message):
        return message
    role = message.get("role")
    if not isinstance(role, str):
        raise ValueError(f"a message has no `role`: {message!r:.80}")
    calls = make_tool_calls(message.get("tool_calls") or [])
    parts = _parts(message.get("content"), optional=bool(calls))
    answered = message.get("tool_call_id")
    return Message(
        role,  # type: ignore[arg-type]  # any role is read alike
        "".join(part for part in parts if isinstance(part, str)),
        calls,
        None if answered is None else str(answered),
        parts if any(isinstance(part, Media) for part in parts) else (),
    )


def _parts(content: object, *, optional: bool) -> tuple[str | Media, ...]:
    if isinstance(content, str):
        return (content,)
    if content is None and optional:
        return ()
    if not isinstance(content, list | tuple):
        raise ValueError(f"the `content` of a message is {content!r:.60}, not a text or a list of parts")
    return tuple(map(_part, content))


def _part(part: object) -> str | Media:
    if isinstance(part, str):
        return part
    found = read_part(part) if isinstance(part, Mapping) else None
    if found is None:
        kind = part.get("type") if isinstance(part, Mapping) else part
        raise ValueError(f"a content part of type {kind!r:.60} is no text, image, sound or file")
    return medium_of(found.address, found.kind, found.detail, None, "") if isinstance(found, WrittenMedium) else found
