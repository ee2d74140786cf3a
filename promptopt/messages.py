"""What is asked of a model: messages, tools, media, and their request. ``promptopt.values`` has all of these names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from promptopt.call_options import NO_OPTIONS, CallOptions

Role = Literal["system", "user", "assistant", "developer", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "developer", "tool")

JSONSchema = Mapping[str, Any]


def _plain(value: object) -> object:
    if isinstance(value, Media):
        return value.canonical()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
# What an encoder makes anew for each value takes longer than a small value does. Not every Python has it in C.
_make = getattr(json.encoder, "c_make_encoder", None)
_encode: Callable[[object, int], Iterable[str]] | None = _make and _make(
    *(None, _plain, json.encoder.encode_basestring, None, ":", ",", True, False, True)
)
_SHA256 = hashlib.sha256()


def canonical_json(value: object) -> str:
    """The one JSON text of ``value``: keys sorted, no white space, characters unescaped, of media their digests."""
    if _encode is None or isinstance(value, str):
        return _CANONICAL.encode(value)
    try:
        return "".join(_encode(value, 0))
    except RecursionError:
        # Something is in itself; the whole encoder says that better.
        return _CANONICAL.encode(value)


def sha256_hex(text: str) -> str:
    """SHA-256 of the text in UTF-8; a lone surrogate is hashed as it is, not refused."""
    # OpenSSL looks for the algorithm each time that it is named.
    digest = _SHA256.copy()
    digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call.

    Attributes:
        parameters: A JSON schema of its arguments, an object.
        strict: Whether arguments must follow the schema; ``None`` leaves it to the provider.
    """

    name: str
    description: str = ""
    parameters: JSONSchema = field(default_factory=dict, hash=False)
    strict: bool | None = None

    def openai(self) -> dict[str, Any]:
        """The tool as ``openai.types.chat.ChatCompletionToolParam``."""
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        if self.parameters:
            function["parameters"] = dict(self.parameters)
        if self.strict is not None:
            function["strict"] = self.strict
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that a model asks for.

    Attributes:
        id: What the tool's answer refers to.
        arguments: JSON text, as the model wrote it: it may be none. Endpoints that give an object give its JSON, and
            ``{}`` if they give none.

    Raises:
        TypeError: The name or the id is not a text.
    """

    id: str
    name: str
    arguments: str

    def __post_init__(self) -> None:
        for value in (self.id, self.name):
            if not isinstance(value, str):
                raise TypeError(f"a tool call's {'name' if value is self.name else 'id'} is {value!r:.60}, not a text")
        arguments: Any = self.arguments
        if not isinstance(arguments, str):
            # SDKs pass on what an endpoint sends, and Ollama's sends an object.
            text = json.dumps({} if arguments is None else arguments, ensure_ascii=False)
            object.__setattr__(self, "arguments", text)

    def openai(self) -> dict[str, Any]:
        """The call as ``openai.types.chat.ChatCompletionMessageToolCallParam``."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}

    def __str__(self) -> str:
        return f"{self.name}({self.arguments})"


MediaKind = Literal["image", "audio", "file"]

# What a printed medium leaves in a text while a template renders, for the place where it becomes a part.
_mark: ContextVar[Callable[[Media], str] | None] = ContextVar("promptopt: what a printed medium leaves", default=None)


@contextmanager
def printing_media(mark: Callable[[Media], str]) -> Iterator[None]:
    """Within it, ``str(medium)`` is what ``mark`` says, however the medium comes to be printed."""
    token = _mark.set(mark)
    try:
        yield
    finally:
        _mark.reset(token)


@dataclass(frozen=True, slots=True, repr=False)
class Media:
    """A picture, a sound or a file within a message.

    Attributes:
        media_type: As of RFC 6838: ``image/png``.
        data: Its bytes; empty if ``url`` says where the provider finds it.
        name: The file's name, for messages and for providers that want one.
        detail: Of an image: ``low``, ``high`` or ``auto``; empty leaves it to the provider.
    """

    kind: MediaKind
    media_type: str
    data: bytes = field(default=b"", repr=False)
    url: str = ""
    name: str = ""
    detail: str = ""

    @property
    def sha256(self) -> str:
        """Digest of the bytes, or of the address."""
        return _sha256(self.data or self.url.encode("utf-8", "surrogatepass"))

    def canonical(self) -> dict[str, Any]:
        """What shapes an answer, with a digest in the place of the bytes."""
        return {"kind": self.kind, "type": self.media_type, "sha256": self.sha256, "detail": self.detail}

    @property
    def address(self) -> str:
        """Where it is, or a ``data:`` URL of its bytes."""
        return self.url or f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"

    @property
    def shown(self) -> str:
        """It in a line, for people: ``[image cat.png]``."""
        return f"[{self.kind} {self.name or self.url or self.media_type}]"

    def __repr__(self) -> str:
        if _mark.get() is not None:
            # Of a list or a mapping that is printed as a whole, which no model should read.
            raise TypeError(f"{self.shown} is printed within a list or a mapping: print each item by itself")
        size = f", {len(self.data):,} bytes" if self.data else ""
        return f"Media({self.kind!r}, {self.media_type!r}, name={self.name!r}, url={self.url!r}{size})"

    def __str__(self) -> str:
        mark = _mark.get()
        return self.shown if mark is None else mark(self)


@lru_cache(maxsize=64)
def _sha256(data: bytes) -> str:
    # A picture of the prompt is in the request of each case.
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        content: Its text; with media, the texts between them one after the other.
        tool_calls: The calls that the assistant asked for.
        tool_call_id: Of a tool's answer: the call that it answers.
        parts: Texts and media in their order, if it has media; else empty.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    parts: tuple[str | Media, ...] = ()

    @property
    def media(self) -> tuple[Media, ...]:
        return tuple(part for part in self.parts if isinstance(part, Media))

    def canonical(self) -> dict[str, Any]:
        """What shapes an answer: of media their digests. What is not set is left out."""
        found: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.parts:
            found["content"] = [part if isinstance(part, str) else part.canonical() for part in self.parts]
        if self.tool_calls:
            found["tool_calls"] = [call.openai() for call in self.tool_calls]
        if self.tool_call_id is not None:
            found["tool_call_id"] = self.tool_call_id
        return found

    @property
    def sent_parts(self) -> tuple[str | Media, ...]:
        """Its parts without the texts of white space between media, which APIs refuse."""
        return tuple(part for part in self.parts if not isinstance(part, str) or part.strip())

    def openai(self, detail: str = "") -> dict[str, Any]:
        """The message as one of ``openai.types.chat.ChatCompletionMessageParam``.

        Args:
            detail: Of images that have none of their own.
        """
        content: Any = [_openai_part(part, detail) for part in self.sent_parts] if self.parts else self.content
        found: dict[str, Any] = {"role": self.role, "content": content}
        if self.tool_calls:
            # A turn that only calls tools has no text.
            found |= {"content": content or None, "tool_calls": [call.openai() for call in self.tool_calls]}
        if self.tool_call_id is not None:
            found["tool_call_id"] = self.tool_call_id
        return found


_SOUNDS = {"audio/wav": "wav", "audio/mpeg": "mp3"}


class MediaRefused(ValueError):
    """An API does not take a medium, or not in its place; another case may have none."""


def check_chat_media(messages: Iterable[Message]) -> None:
    """Refuse media that chat completions do not take.

    Raises:
        MediaRefused: There is one.
    """
    for message in messages:
        for part in message.media:
            if message.role != "user":
                raise MediaRefused(f"chat completions take media from the user, not from the {message.role}")
            if part.url and part.kind != "image":
                raise MediaRefused(f"chat completions take no address of a {part.kind}: {part.url}")
            if part.kind == "audio" and part.media_type not in _SOUNDS:
                raise MediaRefused(f"chat completions take WAV and MP3, not {part.media_type} ({part.name})")


def _openai_part(part: str | Media, detail: str) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if part.kind == "audio":
        encoded = base64.b64encode(part.data).decode("ascii")
        sound = _SOUNDS.get(part.media_type, part.media_type.removeprefix("audio/"))
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": sound}}
    if part.kind == "file":
        return {"type": "file", "file": {"filename": part.name or "file", "file_data": part.address}}
    detail = part.detail or detail
    return {"type": "image_url", "image_url": {"url": part.address, **({"detail": detail} if detail else {})}}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from. It labels recordings and ledgers and shapes no answer of a model.

    Attributes:
        step: 0 for the first call of a case, 1 for the one with the results of its calls of tools, and so on.
        variables: What the prompt was rendered with, as far as that is known.
    """

    prompt: str
    version: str | None = None
    case: str | None = None
    step: int = 0
    variables: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False, repr=False)

    @property
    def label(self) -> str:
        """``reviews@v1``, or ``reviews`` for a prompt without versions."""
        return f"{self.prompt}@{self.version}" if self.version else self.prompt

    def of(self, case: str | None, variables: Mapping[str, Any]) -> Origin:
        """The same for a case and its variables."""
        return Origin(self.prompt, self.version, case, self.step, variables)


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that shapes an answer, and nothing else but ``origin``.

    Attributes:
        output_schema: A JSON schema that the answer must follow (strict), or ``None`` for free text.
        tools: Functions that the model may call.
        sample: 0 for the first answer to this request, 1 for the second, and so on.
        origin: A label, without influence on equality or digest.
    """

    model: str
    messages: tuple[Message, ...]
    params: CallOptions = NO_OPTIONS
    output_schema: JSONSchema | None = field(default=None, hash=False)
    sample: int = 0
    origin: Origin | None = field(default=None, compare=False)
    tools: tuple[Tool, ...] = ()

    @property
    def variables(self) -> Mapping[str, Any]:
        """What the messages were rendered with, for a program in a model's place.

        They are not in the digest; a recording knows them if they shaped its answer.
        """
        return {} if self.origin is None else self.origin.variables

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all that shapes the answer.

        Fields that are not set are left out, so that a field added to a later promptopt changes no digest.
        """
        body: dict[str, Any] = {**self.params.to_dict(), "model": self.model}
        if self.output_schema is not None:
            body["output_schema"] = self.output_schema
        body["messages"] = [message.canonical() for message in self.messages]
        if self.tools:
            body["tools"] = [tool.openai() for tool in self.tools]
        if self.sample:
            body["sample"] = self.sample
        return sha256_hex(canonical_json(body))


def openai_arguments(request: Request) -> dict[str, Any]:
    """``request`` as keyword arguments for ``chat.completions.create``.

    The cap is ``max_completion_tokens`` (``max_tokens`` is deprecated there), a schema travels as a strict
    ``json_schema``. What chat completions do not take of media is not refused here: see :func:`check_chat_media`.
    """
    arguments: dict[str, Any] = {
        "model": request.model.removeprefix("openai:"),
        "messages": [message.openai(request.params.detail or "") for message in request.messages],
        **request.params.openai(),
    }
    if request.tools:
        arguments["tools"] = [tool.openai() for tool in request.tools]
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
