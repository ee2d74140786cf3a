"""Chats in JSON and YAML, as promptfoo and the APIs write them: a list of ``{role, content}``.

One that a file holds becomes the same chat as ``{% chat %}`` blocks, so that all that reads prompts reads it too, and
each content is a template of its own. One that a template renders to, as with a loop that writes JSON, is read after
it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, TypeVar

from promptopt.errors import TemplateError
from promptopt.files import json_problem
from promptopt.templates.chat import make_tool_calls
from promptopt.templates.frontmatter import front_matter_end
from promptopt.templates.media_tags import PrintedMedia, WrittenMedium, read_part
from promptopt.values import ROLES, Message
from promptopt.yaml import line_of, load_yaml

SUFFIXES = (".json", ".yaml", ".yml")
"""Of files that are prompts if they hold a chat."""

_KEYS = ("role", "content", "tool_calls", "tool_call_id")
# As a list of messages begins, its first key a role or another key of a message.
_JSON = re.compile(r"""\s*\[\s*\{\s*"(?:role|content|tool_calls|tool_call_id)"\s*:""")
_YAML = re.compile(r"\A(?:\s*#[^\n]*\n|\s*\n|---[ \t]*\n)*- (?:role|content) *:")
_MESSAGES = re.compile(r"""\A(?:\s*\{\s*"messages"\s*:|messages[ ]*:)""")
# A message that is cut off within its content.
_CUT = re.compile(
    r"""\{(?:[^"]|"(?!content")[^"]*")*"content"\s*:\s*"(?P<text>(?:[^"\\]|\\(?:u[0-9a-fA-F]{4}|[^u]))*)"""
)
_CODE = re.compile(r"\{\{|\{%|\{#")
_EXPRESSION = re.compile(r"\{\{-?(?P<inside>.*?)-?\}\}", re.DOTALL)


def is_chat_file(text: str, path: str) -> bool:
    """Whether a text is a chat in JSON or YAML, whole or broken."""
    body = text[front_matter_end(text) :]
    in_file = path.endswith(SUFFIXES) and _MESSAGES.match(body) is not None
    return in_file or _JSON.match(body) is not None or _YAML.match(body) is not None


def chat_source(text: str, path: str) -> tuple[str, tuple[int, ...]] | None:
    """A chat file as chat blocks, and the line of the file that each line of them is from.

    Returns:
        ``None`` if the file holds no chat, or a template that writes one (which is JSON only once it is rendered).

    Raises:
        TemplateError: A message is none.
    """
    if not is_chat_file(text, path):
        return None
    begin = front_matter_end(text)
    body, first = text[begin:], text.count("\n", 0, begin) + 1
    entries = _entries(body, path, first)
    if entries is None:
        return None
    blocks = _Blocks(text[:begin], path)
    for number, (entry, place) in enumerate(entries, 1):
        _check_entry(entry, number, path, place("role"))
        parts = _content_parts(entry.get("content"), number, path, place("content"))
        content = "".join(part if isinstance(part, str) else blocks.tag(part, place("content")) for part in parts)
        blocks.add(entry, content, place("role"), place("content"), block=_is_block(text, place("content")))
    return blocks.text, tuple(blocks.lines)


def _entries(body: str, path: str, first: int) -> list[tuple[Any, Any]] | None:
    """Each message with a function that says the line of its key; ``None`` if it is JSON only once it is rendered."""
    is_json = body.lstrip()[:1] in ("[", "{")
    try:
        found = json.loads(body) if is_json else load_yaml(body, path, error=TemplateError, first_line=first)
    except (ValueError, RecursionError) as error:
        if _CODE.search(body):
            return None
        problem, line = json_problem(error)
        raise TemplateError(
            f"is not JSON: {problem}", path=path, line=None if line is None else line + first - 1
        ) from None
    except TemplateError:
        if _CODE.search(body):
            return None
        raise
    if isinstance(found, Mapping):
        if others := [key for key in found if key != "messages"]:
            raise TemplateError(
                f"a chat file has `messages`, and {others[0]!r} beside them",
                path=path,
                line=first,
                remedy="settings of the call belong into front matter: `---`, `key: value` lines and `---` at the top",
            )
        found = found["messages"]
    if not isinstance(found, list) or not found:
        raise TemplateError("`messages` is not a list of messages", path=path, line=first)
    if not is_json:
        return [(entry, lambda key, entry=entry: line_of(entry, key) or first) for entry in found]
    return list(zip(found, _json_places(body, first), strict=False))


def _json_places(body: str, first: int) -> Iterator[Any]:
    """For each object of the list a function that says the line of its key."""
    decoder = json.JSONDecoder()
    at = body.index("[") + 1
    while (start := re.compile(r"[\s,]*").match(body, at).end()) < len(body) and body[start] != "]":  # type: ignore[union-attr]  # it matches the empty text
        _, at = decoder.raw_decode(body, start)

        def place(key: str, start: int = start, end: int = at) -> int:
            key_at = re.compile(rf'"{key}"\s*:').search(body, start, end)
            return first + body.count("\n", 0, key_at.start() if key_at else start)

        yield place


def _check_entry(entry: Any, number: int, path: str, line: int) -> None:
    if not isinstance(entry, Mapping):
        raise TemplateError(f"message {number} of the chat is {entry!r:.60}, no message", path=path, line=line)
    for key, value in entry.items():
        # A message that an SDK wrote has all keys, those that say nothing as well.
        if key not in _KEYS and value not in (None, []):
            raise TemplateError(
                f"message {number} of the chat: unknown key {key!r}",
                path=path,
                line=line,
                remedy=f"known: {', '.join(_KEYS)}",
            )
    role = entry.get("role")
    if not isinstance(role, str) or (role not in ROLES and not _CODE.search(role)):
        known = f"known are {', '.join(ROLES)}"
        what = "has no role" if role is None else f"has the unknown role {role!r}"
        raise TemplateError(f"message {number} of the chat {what}; {known}", path=path, line=line)
    if entry.get("content") is None and not entry.get("tool_calls"):
        raise TemplateError(f"message {number} of the chat has neither content nor tool_calls", path=path, line=line)


def _content_parts(content: Any, number: int, path: str, line: int) -> list[str | WrittenMedium]:
    """A content as texts and media."""
    if content is None:
        return []
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise TemplateError(f"message {number} of the chat: content is {content!r:.60}", path=path, line=line)
    parts: list[str | WrittenMedium] = []
    for part in content:
        found = read_part(part) if isinstance(part, Mapping) else None
        if found is None:
            kind = part.get("type") if isinstance(part, Mapping) else part
            raise TemplateError(
                f"message {number} of the chat: a content part of type {kind!r} is no text, image, sound or file",
                path=path,
                line=line,
            )
        parts.append(found)
    return parts


def _is_block(text: str, line: int) -> bool:
    """Whether a key's value is a YAML block, whose lines are those of the file."""
    written = text.split("\n")[line - 1]
    return re.search(r"content *: *[|>][-+0-9]* *(?:#.*)?$", written) is not None


class _Blocks:
    """Chat blocks as they are written, with the file's line of each of their lines."""

    def __init__(self, front: str, path: str) -> None:
        self._path = path
        self.text = front
        self.lines = list(range(1, front.count("\n") + 1))
        self._sets = 0

    def add(self, entry: Mapping[str, Any], content: str, line: int, content_line: int, *, block: bool) -> None:
        role = str(entry["role"])
        code = _EXPRESSION.fullmatch(role.strip())
        arguments = f"role={code['inside'].strip() if code else json.dumps(role)}"
        for key in ("tool_calls", "tool_call_id"):
            if entry.get(key):
                arguments += f" {key}={self._value(entry[key], line)}"
        first, *rest = content.split("\n")
        # The first line of a YAML block is the one after its key.
        first_line = content_line + 1 if block else content_line
        self._line(f"{{% chat {arguments} %}}{first}", first_line)
        for number, more in enumerate(rest, 1):
            self._line(more, first_line + number if block else content_line, new=True)
        self.text += "{% endchat %}\n"

    def tag(self, medium: WrittenMedium, line: int) -> str:
        """The tag of a medium; the white space around it is the content's."""
        detail = f" detail={self._value(medium.detail, line)}" if medium.detail else ""
        return f"{{%+ {medium.kind} {self._value(medium.address, line)}{detail} +%}}"

    def _line(self, text: str, line: int, *, new: bool = False) -> None:
        self.text += f"\n{text}" if new else text
        self.lines.append(line)

    def _value(self, value: Any, line: int) -> str:
        """A value as Jinja2 writes it; a text with code in it is set before."""
        if isinstance(value, str):
            if not _CODE.search(value):
                # As it is: Jinja2 would read the two escapes of one character as two.
                return json.dumps(value, ensure_ascii=False)
            self._sets += 1
            name = f"_chat_{self._sets}"
            start, *rest = value.split("\n")
            self._line(f"{{% set {name} %}}{start}", line)
            for more in rest:
                self._line(more, line, new=True)
            self.text += "{% endset %}\n"
            return name
        if isinstance(value, Mapping):
            names = {json.dumps(str(key), ensure_ascii=False): each for key, each in value.items()}
            return "{" + ", ".join(f"{name}: {self._value(each, line)}" for name, each in names.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self._value(each, line) for each in value) + "]"
        if isinstance(value, float) and not math.isfinite(value):
            raise TemplateError(f"{value} is not JSON", path=self._path, line=line)
        # Not by a table: 1 is True for one.
        return json.dumps(value) if value is not None else "none"


def rendered_chat(text: str, path: str, printed: PrintedMedia) -> list[Message] | None:
    """The messages of a rendered text that is a chat in JSON or YAML; ``None`` if it is something else.

    Raises:
        TemplateError: It begins as such a chat and is none.
    """
    is_json = _JSON.match(text) is not None
    if not is_json and _YAML.match(text) is None:
        return None
    remedy = "write values as JSON: {{ name | tojson }}, with no comma after the last message"
    try:
        found = json.loads(text) if is_json else load_yaml(text, path, error=TemplateError)
    except (ValueError, RecursionError) as error:
        problem, line = json_problem(error)
        raise TemplateError(
            f"renders to a chat that is not JSON: {problem} in line {line} of the rendered text",
            path=path,
            remedy=remedy,
        ) from None
    except TemplateError as error:
        raise TemplateError(
            f"renders to a chat that {error.message} in line {error.line} of the rendered text",
            path=path,
            remedy=remedy,
        ) from None
    messages = []
    for number, entry in enumerate(found, 1):
        _check_entry(entry, number, path, 1)
        if entry["role"] not in ROLES:
            raise TemplateError(f"message {number} of the chat has the unknown role {entry['role']!r}", path=path)
        try:
            calls = make_tool_calls(entry.get("tool_calls") or [])
        except ValueError as error:
            raise TemplateError(f"message {number} of the chat: {error}", path=path) from None
        parts = _content_parts(entry.get("content"), number, path, 1)
        try:
            content = "".join(
                part if isinstance(part, str) else str(printed.of_address(part.address, part.kind, part.detail))
                for part in parts
            )
            messages.append(printed.message(entry["role"], content, calls, entry.get("tool_call_id")))
        except (ValueError, TemplateError) as error:
            message = error.message if isinstance(error, TemplateError) else str(error)
            raise TemplateError(f"message {number} of the chat: {message}", path=path) from None
    return messages


def chat_beginning(text: str) -> tuple[tuple[str, ...], str | None] | None:
    """The contents in the beginning of a text that goes on as a chat: of its whole messages, and of one that is cut.

    Returns:
        ``None`` for another text. What is not sure to be in a message is left out.
    """
    if _YAML.match(text):
        whole = text.rpartition("\n- ")[0]
        found = [] if _YAML.match(whole) is None else load_yaml(whole, "the beginning of a chat") or []
        return tuple(str(entry.get("content") or "") for entry in found if isinstance(entry, Mapping)), None
    if not _JSON.match(text):
        return None
    contents: list[str] = []
    at = text.index("[") + 1
    while start := re.compile(r"[\s,]*(?=\{)").match(text, at):
        try:
            entry, at = json.JSONDecoder().raw_decode(text, start.end())
        except ValueError:
            written = _CUT.match(text, start.end())
            return tuple(contents), json.loads(f'"{written["text"]}"', strict=False) if written else None
        contents.append(
            "".join(part for part in _content_parts(entry.get("content"), 1, "", 1) if isinstance(part, str))
        )
    return tuple(contents), None


NAME = TypeVar("NAME", bound=PurePath)


def without_suffix(path: NAME) -> NAME:
    """``reviews/v1`` of ``reviews/v1.j2``, ``reviews/v1.json`` and ``reviews/v1.chat.json``."""
    plain = path.with_suffix("")
    return plain.with_suffix("") if plain.suffix == ".chat" else plain
