"""Pictures, sounds and files in prompts: the tags ``image``, ``file`` and ``audio``, and what of a text is a part.

While a template renders, a medium prints a mark: a character that no text may hold, a number that is drawn for each
rendering, and its place in the list of what was printed. So it may be printed by a tag, an expression, a loop or a
filter such as ``join``, and no text that a variable brings can be taken for one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from jinja2 import Environment as JinjaEnvironment
from jinja2 import TemplateSyntaxError, Undefined, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context

from promptopt.errors import TemplateError
from promptopt.media import is_url, make_media, make_media_of_url, media_url, read_media
from promptopt.messages import Media, MediaKind, Message, Role, ToolCall, printing_media
from promptopt.templates.readers import Reader

TAGS: tuple[MediaKind, ...] = ("image", "audio", "file")
# Noncharacters of Unicode: no text that is meant to be exchanged holds them.
BEGIN, END = "\ufdd0", "\ufdd1"
# Not an identifier, so that no template can read or set it; a context variable, so that includes share it.
PRINTED = "promptopt: media"


class PrintedMedia:
    """The media that one rendering printed, by their marks."""

    def __init__(self) -> None:
        self._media: list[Media] = []

    # Most renderings print no medium: neither is a number drawn for them nor a pattern compiled.
    @cached_property
    def _drawn(self) -> str:
        """Digits, which no filter changes as it does letters."""
        return str(secrets.randbelow(10**15)).zfill(15)

    @cached_property
    def _marks(self) -> re.Pattern[str]:
        return re.compile(rf"{BEGIN}{self._drawn}(\d+){END}")

    @cached_property
    def _cut(self) -> re.Pattern[str]:
        return re.compile(rf"{BEGIN}{self._drawn[:3]}|{self._drawn[-3:]}\d*{END}")

    @cached_property
    def _address(self) -> re.Pattern[str]:
        """An address in a chat that a template writes: the mark alone, or after what makes a data URL of Base64."""
        return re.compile(rf"(?:data:[^,]*,)?{self._marks.pattern}")

    def mark(self, medium: Media) -> str:
        """What a medium prints."""
        self._media.append(medium)
        return f"{BEGIN}{self._drawn}{len(self._media) - 1}{END}"

    def of_address(self, text: str, kind: MediaKind, detail: str = "") -> Media:
        """What an address in a chat is: a medium that was printed there, or a URL.

        Raises:
            ValueError: It is neither.
        """
        found = self.printed_as(text)
        if found is None and not is_url(text):
            raise ValueError(f"{text!r:.60} is not an address (https://, data:) of an {kind}")
        return medium_of(found or text, kind, detail, None, "")

    def printed_as(self, text: str) -> Media | None:
        """The medium that was printed as all of a text, or as the data of a URL."""
        found = self._address.fullmatch(text)
        return self._media[int(found[1])] if found else None

    def parts(self, text: str) -> tuple[str | Media, ...]:
        """Texts and media in their order; empty if there are no media.

        Raises:
            TemplateError: A filter cut a mark, so that it is not known what the text is.
        """
        if not self._media:
            return ()
        pieces = self._marks.split(text)
        if any(self._cut.search(piece) for piece in pieces[::2]):
            raise TemplateError("a filter changes what an image, a sound or a file prints: print it as it is")
        parts = [self._media[int(piece)] if number % 2 else piece for number, piece in enumerate(pieces)]
        return tuple(part for part in parts if part != "") if len(pieces) > 1 else ()

    def message(
        self, role: Role, content: str, tool_calls: tuple[ToolCall, ...] = (), tool_call_id: str | None = None
    ) -> Message:
        """The message of a text with marks.

        Raises:
            TemplateError: It has media, and providers take none from this role.
        """
        parts = self.parts(content)
        check_role(role, parts)
        text = "".join(part for part in parts if isinstance(part, str)) if parts else content
        return Message(role, text, tool_calls, tool_call_id, parts)


def check_role(role: str, parts: tuple[str | Media, ...]) -> None:
    """Refuse media that are not the user's. Raises TemplateError."""
    medium = next((part for part in parts if isinstance(part, Media)), None)
    if medium is not None and role != "user":
        raise TemplateError(f"{medium.shown} in a message of the role {role}: providers take media from the user only")


@contextmanager
def rendering(variables: Mapping[str, Any]) -> Iterator[tuple[PrintedMedia, dict[str, Any]]]:
    """Within it, media print marks. Yields what is printed, and the variables with the media that texts are.

    A variable that is a ``data:`` URL of an image, a sound or a PDF as a whole is one: nobody reads it as text.
    """
    printed = PrintedMedia()
    given = {name: _value(value) for name, value in variables.items()}
    with printing_media(printed.mark):
        yield printed, {**given, PRINTED: printed}


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return media_url(value) or value if value.startswith("data:") else value
    if isinstance(value, list) and any(isinstance(item, str) and item.startswith("data:") for item in value):
        return [_value(item) for item in value]
    return value


class MediaExtension(Extension):
    """``{% image "cat.jpg" %}``, ``{% audio sound %}``, ``{% file "x.pdf" %}``."""

    tags = set(TAGS)  # noqa: RUF012 - jinja2 declares it as a plain class attribute

    def parse(self, parser: Parser) -> nodes.Node:
        """A tag with what it names, and of an image its ``detail``; both may be expressions."""
        token = next(parser.stream)
        kind, line = token.value, token.lineno
        if parser.stream.current.type == "block_end":
            parser.fail(f'the tag is written {{% {kind} "NAME" %}}, and names nothing here', line)
        value = parser.parse_expression()
        detail: nodes.Expr = nodes.Const("")
        if parser.stream.current.type != "block_end":
            parser.stream.skip_if("comma")
            name = parser.stream.expect("name")
            if name.value != "detail" or kind != "image":
                takes = "`detail`" if kind == "image" else "nothing"
                parser.fail(f"the tag {kind} takes {takes} after what it names, not {name.value!r}", line)
            parser.stream.expect("assign")
            detail = parser.parse_expression()
        arguments = [nodes.ContextReference(), nodes.Const(kind), value, detail, nodes.Const(line)]
        call = self.call_method("_medium", arguments, lineno=line)
        return nodes.Output([call], lineno=line)

    def _medium(self, context: Context, kind: MediaKind, value: object, detail: object, line: int) -> Media:
        environment = self.environment
        if isinstance(value, Undefined):
            # It raises jinja2's own error, which names the variable.
            str(value)
        try:
            if isinstance(value, str):
                value = context[PRINTED].printed_as(value.strip()) or value
            return medium_of(value, kind, str(detail or ""), reader_of(environment), context.name or "")
        except (ValueError, TemplateError) as error:
            message = error.message if isinstance(error, TemplateError) else str(error)
            raise located(f"{{% {kind} %}}: {message}", line, environment, context.name) from None


def located(message: str, line: int, environment: JinjaEnvironment, name: str | None) -> TemplateSyntaxError:
    """An error at a line of a template or of a file that it includes."""
    reader = reader_of(environment)
    return TemplateSyntaxError(message, line, name, reader.display(name) if reader and name else None)


def reader_of(environment: JinjaEnvironment) -> Reader | None:
    """Where an environment's includes come from."""
    return getattr(environment.loader, "reader", None)


def medium_of(value: object, kind: MediaKind, detail: str, reader: Reader | None, name: str) -> Media:
    """What a tag names: a medium, a path on disk, bytes, an address, or a file below the prompts folder.

    Args:
        name: The template's path below that folder; its own folder is looked in first.

    Raises:
        ValueError: It is not of that kind, or cannot be read.
        TemplateError: It is outside the folder.
    """
    if isinstance(value, Media):
        if kind not in ("file", value.kind):
            raise ValueError(f"{value.shown} is not of the kind {kind}; {{% {value.kind} %}} sends it")
        return Media(value.kind, value.media_type, value.data, value.url, value.name, detail) if detail else value
    if isinstance(value, Path):
        return read_media(value, kind=kind, detail=detail)
    if isinstance(value, bytes):
        return make_media(value, "", kind, detail, shown="the bytes")
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r:.60} names nothing: give a path, an address, bytes or what `read_media` returns")
    if is_url(value):
        return make_media_of_url(value, kind, detail)
    return _medium_below(value.removeprefix("file://"), kind, detail, reader, name)


def _medium_below(value: str, kind: MediaKind, detail: str, reader: Reader | None, name: str) -> Media:
    if reader is None:
        raise ValueError(f"{value!r} cannot be read: the prompt is in no folder")
    beside = str(PurePosixPath(name).parent / value)
    for candidate in dict.fromkeys((beside, value)):
        try:
            data = reader.read_bytes(candidate)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ValueError(f"{reader.display(candidate)} cannot be read: {error.strerror}") from None
        return make_media(data, PurePosixPath(candidate).name, kind, detail, shown=reader.display(candidate))
    looked = " and ".join(dict.fromkeys((reader.display(beside), reader.display(value))))
    raise ValueError(f"the file {value!r} does not exist; looked for {looked}")


def is_medium(node: nodes.Node) -> bool:
    """Whether an expression of a parsed template is one of these tags."""
    called = node.node if isinstance(node, nodes.Call) else None
    return isinstance(called, nodes.ExtensionAttribute) and called.identifier == MediaExtension.identifier


def tag_of(node: nodes.Expr) -> str:
    """The tag that a node of :func:`is_medium` is."""
    assert isinstance(node, nodes.Call)
    return str(node.args[1].as_const())


def check_files(tree: nodes.Template, environment: JinjaEnvironment, name: str) -> None:
    """Refuse files that do not exist or are not what they should be, before a rendering needs them.

    Raises:
        TemplateSyntaxError: There is one.
    """
    for node in tree.find_all(nodes.Call):
        if not is_medium(node):
            continue
        _, kind, value, detail, line = node.args
        if isinstance(value, nodes.Const) and isinstance(detail, nodes.Const) and isinstance(line, nodes.Const):
            try:
                medium_of(value.value, kind.as_const(), detail.value, reader_of(environment), name)
            except (ValueError, TemplateError) as error:
                message = error.message if isinstance(error, TemplateError) else str(error)
                raise located(f"{{% {kind.as_const()} %}}: {message}", line.value, environment, name) from None


class WrittenMedium(NamedTuple):
    """A medium as a chat writes it, with what its address is: a path, a URL, or code that prints one."""

    kind: MediaKind
    address: str
    detail: str = ""


def read_part(part: Mapping[str, Any]) -> str | WrittenMedium | None:
    """A part of a content as an API has it; ``None`` if it is neither a text nor a medium."""
    text = _text_of(part)
    return _written_medium(part) if text is None else text


def printed_parts(value: object) -> str | None:
    """What a list of parts prints, as a turn of a history may have it for its content; ``None`` of anything else.

    Raises:
        ValueError: An address in it is none.
    """
    if not isinstance(value, list) or not value or not all(isinstance(part, Mapping) for part in value):
        return None
    parts = [read_part(part) for part in value]
    if None in parts:
        return None
    return "".join(
        str(medium_of(part.address, part.kind, part.detail, None, "")) if isinstance(part, WrittenMedium) else str(part)
        for part in parts
    )


def _text_of(part: Mapping[str, Any]) -> str | None:
    text = part.get("text")
    return text if isinstance(text, str) and part.get("type", "text") in ("text", "input_text") else None


def _written_medium(part: Mapping[str, Any]) -> WrittenMedium | None:
    """A part as chat completions, the Responses API or Anthropic's have it; ``None`` if it is another one."""
    kind = _PARTS.get(str(part.get("type")))
    inner = part.get(str(part.get("type")), part.get("source"))
    inner = inner if isinstance(inner, Mapping) else part
    given = {key: value for key, value in inner.items() if isinstance(value, str)}
    media_type = given.get("media_type") or (f"audio/{given['format']}" if "format" in given else None)
    address = next((given[key] for key in ("url", "image_url", "file_data", "file_url") if given.get(key)), None)
    if address is None and media_type and given.get("data"):
        address = f"data:{media_type};base64,{given['data']}"
    detail = given.get("detail") or part.get("detail")
    if kind is None or address is None:
        return None
    return WrittenMedium(kind, address, detail if isinstance(detail, str) and kind == "image" else "")


_PARTS: dict[str, MediaKind] = {
    "image_url": "image",
    "input_image": "image",
    "image": "image",
    "input_audio": "audio",
    "file": "file",
    "input_file": "file",
    "document": "file",
}
