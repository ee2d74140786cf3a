"""The block ``{% chat %}``: what it collects, the white space it keeps, and the order of turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import Environment as JinjaEnvironment
from jinja2 import TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import TemplateRuntimeError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context

from promptopt.errors import TemplateError
from promptopt.templates.media_tags import BEGIN, PRINTED, is_medium, located, printed_parts, tag_of
from promptopt.values import ROLES, Message, Role, ToolCall

# Not an identifier, so that no template can read or set it; a context variable, so that includes share it.
COLLECTOR = "promptopt: messages"

# The text of a block is stripped of the template's own white space. That of a variable's value is set aside meanwhile,
# as characters of a plane that has none.
_SPACES = [space for space in map(chr, range(0x3001)) if space.isspace()]
_ASIDE = {ord(space): chr(0xEFF00 + number) for number, space in enumerate(_SPACES)}
_BACK = {ord(aside): chr(space) for space, aside in _ASIDE.items()}


class Collected(list[Any]):
    """The messages of one rendering, and where in the templates each of them is written.

    Attributes:
        places: Template name and line of each message.
    """

    def __init__(self) -> None:
        super().__init__()
        self.places: list[tuple[str | None, int]] = []


_ARGUMENTS = ("role", "tool_calls", "tool_call_id")


class ChatExtension(Extension):
    """Collects each chat block into the list that the context holds under ``COLLECTOR``."""

    tags = {"chat"}  # noqa: RUF012 - jinja2 declares it as a plain class attribute

    def parse(self, parser: Parser) -> nodes.Node:
        """Parse ``{% chat role="system" %}...{% endchat %}``; what its arguments are may be expressions."""
        line = next(parser.stream).lineno
        given: dict[str, nodes.Expr] = {}
        while not given or parser.stream.current.type != "block_end":
            token = parser.stream.expect("name")
            if token.value not in _ARGUMENTS or (not given and token.value != "role"):
                parser.fail(f'a chat block is written {{% chat role="user" %}}, not {token.value!r}', token.lineno)
            if token.value in given:
                parser.fail(f"{token.value} is given twice", token.lineno)
            parser.stream.expect("assign")
            given[token.value] = parser.parse_expression()
            parser.stream.skip_if("comma")
        role = given["role"]
        if isinstance(role, nodes.Const):
            _check_role(role.value, line)
        body = parser.parse_statements(("name:endchat",), drop_needle=True)
        for inner in _chat_blocks(body):
            parser.fail("a chat block inside a chat block", inner.lineno)
        none = nodes.Const(None)
        arguments = [role, given.get("tool_calls", none), given.get("tool_call_id", none), nodes.Const(line)]
        call = self.call_method("_collect", [nodes.ContextReference(), *arguments])
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _collect(
        self,
        context: Context,
        role: object,
        tool_calls: object,
        tool_call_id: object,
        line: int,
        caller: Callable[[], str],
    ) -> str:
        collector = context.get(COLLECTOR)
        if collector is None:
            raise TemplateRuntimeError("a chat block cannot be in a macro that is imported without context")
        known = _check_role(role, line)
        content = _inner(caller())
        # A turn of a history need not have these keys.
        if isinstance(tool_calls, Undefined):
            tool_calls = None
        if isinstance(tool_call_id, Undefined):
            tool_call_id = None
        try:
            if not tool_calls and tool_call_id is None and BEGIN not in content:
                collector.append(_message(known, content))
            else:
                calls = make_tool_calls(tool_calls) if tool_calls else ()
                # The text of a turn that only calls tools is null in an API's history.
                content = "" if calls and _unmarked(content) == "None" else content
                answered = None if tool_call_id is None else str(tool_call_id)
                collector.append(context[PRINTED].message(known, content, calls, answered))
        except (ValueError, TemplateError) as error:
            message = error.message if isinstance(error, TemplateError) else str(error)
            raise located(message, line, self.environment, context.name) from None
        if isinstance(collector, Collected):
            collector.places.append((context.name, line))
        return ""

    def _value(self, value: object) -> str:
        """A value's text with the white space around it set aside."""
        return _set_aside(printed_parts(value) or str(value))


def _set_aside(text: str) -> str:
    inner = text.strip()
    if len(inner) == len(text):
        return text
    start = text.find(inner) if inner else len(text)
    return f"{text[:start].translate(_ASIDE)}{inner}{text[start + len(inner) :].translate(_ASIDE)}"


def _inner(printed: str) -> str:
    """What a block holds: without the template's own white space around it, with that of values in its place."""
    content = printed.strip()
    return content if content.isascii() else content.translate(_BACK)


def keep_white_space(tree: nodes.Template, environment: JinjaEnvironment) -> None:
    """Have chat blocks keep the white space around what variables print; that of macros is the template's own."""
    extension = environment.extensions[ChatExtension.identifier]
    written = {name.name for block in tree.find_all(nodes.AssignBlock) for name in block.find_all(nodes.Name)}
    written |= {node.target for node in tree.find_all(nodes.Import)}

    def kept(child: nodes.Expr) -> nodes.Expr:
        names = {name.name for name in (child, *child.find_all(nodes.Name)) if isinstance(name, nodes.Name)}
        calls = [call for call in (child, *child.find_all(nodes.Call)) if isinstance(call, nodes.Call)]
        own = isinstance(child, (nodes.TemplateData, nodes.Const)) or bool(names & written)
        if own or any(isinstance(call.node, nodes.Name) for call in calls):
            return child
        return extension.call_method("_value", [child], lineno=child.lineno)

    def walk(body: Iterable[nodes.Node]) -> None:
        for node in body:
            if isinstance(node, nodes.Output):
                node.nodes = [kept(child) for child in node.nodes]
            elif not isinstance(node, _PRINTED_LATER):
                for part in ("body", "elif_", "else_"):
                    walk(getattr(node, part, None) or ())

    for block in tree.find_all(nodes.CallBlock):
        if is_chat(block):
            walk(block.body)


_PRINTED_LATER = (nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock)


def _unmarked(text: str) -> str:
    """A text without characters of the private planes, which attribution marks it with."""
    return "".join(char for char in text if ord(char) < 0xF0000)


@lru_cache(maxsize=64)
def _message(role: Role, content: str) -> Message:
    """One message for all calls of a prompt: a system message is mostly the same in thousands of them."""
    return Message(role=role, content=content)


def make_tool_calls(value: object) -> tuple[ToolCall, ...]:
    """The calls of an assistant turn, as OpenAI writes them or as ``id``, ``name`` and ``arguments``.

    Raises:
        ValueError: One of them is none; the message names it.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"tool_calls: {value!r:.80} is not a list of calls")
    found: list[ToolCall] = []
    for number, entry in enumerate(value, 1):
        if isinstance(entry, ToolCall):
            found.append(entry)
            continue
        inner = entry.get("function", entry) if isinstance(entry, Mapping) else None
        if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str) or not inner["name"]:
            raise ValueError(f"tool_calls: call {number} names no function: {entry!r:.80}")
        identifier = entry.get("id")
        if not isinstance(identifier, str) or not identifier:
            raise ValueError(f"tool_calls: call {number} ({inner['name']}) has no `id`, which its answer refers to")
        arguments = inner.get("arguments", "{}")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        found.append(ToolCall(identifier, inner["name"], text))
    return tuple(found)


def turn_problem(messages: Sequence[Message]) -> tuple[int, str] | None:
    """The first turn that cannot follow those before it, by its index, and why; ``None`` if there is none."""
    waiting: dict[str, int] = {}
    previous = ""
    for number, message in enumerate(messages):
        if message.role == "tool" and waiting.pop(message.tool_call_id or "", None) is not None:
            previous = "tool"
            continue
        if waiting and message.role != "tool":
            first = next(iter(waiting))
            return number, f"the tool call {first!r} is not answered before this turn of the {message.role}"
        if problem := _misplaced(message, previous):
            return number, problem
        previous = message.role
        for call in message.tool_calls:
            if call.id in waiting:
                return number, f"two tool calls have the id {call.id!r}"
            waiting[call.id] = number
    return (waiting[next(iter(waiting))], f"the tool call {next(iter(waiting))!r} is not answered") if waiting else None


def _misplaced(message: Message, previous: str) -> str | None:
    """Why a turn cannot be what it is; one of a tool answers no call."""
    if message.role == "tool":
        if not message.tool_call_id:
            return "a tool's answer needs `tool_call_id`: the call that it answers"
        return f"a tool's answer to {message.tool_call_id!r}, which no assistant turn before it called"
    if message.tool_call_id:
        return f"`tool_call_id` belongs to the role tool, not to {message.role}"
    if message.tool_calls and message.role != "assistant":
        return f"`tool_calls` belong to the role assistant, not to {message.role}"
    if message.role == previous == "assistant":
        return "two turns of the assistant, one after the other"
    return None


def is_chat(node: nodes.Node) -> bool:
    """Whether a node of a parsed template is a chat block."""
    if not isinstance(node, nodes.CallBlock):
        return False
    called = node.call.node
    return isinstance(called, nodes.ExtensionAttribute) and called.identifier == ChatExtension.identifier


class _PlainBlock(NamedTuple):
    """A chat block that holds text and names only.

    Attributes:
        pieces: Texts, and names of variables, marked by their second part.
    """

    role: Role
    line: int
    pieces: tuple[tuple[str, bool], ...]


class PlainChat:
    """A template of chat blocks that hold nothing but text and ``{{ names }}``, as most prompts do.

    It is filled in several times as fast as Jinja2 renders it, which takes longest in a large suite.
    """

    def __init__(self, blocks: Sequence[_PlainBlock], name: str | None) -> None:
        self._blocks = blocks
        self._name = name

    @classmethod
    def of(cls, tree: nodes.Template, name: str | None) -> PlainChat | None:
        """The chat of a parsed template, before it is compiled; ``None`` if anything else is in it."""
        blocks: list[_PlainBlock] = []
        for node in tree.body:
            if isinstance(node, nodes.Output):
                # Text outside of blocks is white space, or else refused.
                if not all(isinstance(child, nodes.TemplateData) for child in node.nodes):
                    return None
            elif (block := _plain_block(node)) is not None:
                blocks.append(block)
            else:
                return None
        return cls(tuple(blocks), name) if blocks else None

    def fill(self, variables: Mapping[str, Any]) -> Collected | None:
        """The messages, the same as Jinja2 makes; ``None`` if a variable is no plain text, or not there."""
        messages = Collected()
        for role, line, pieces in self._blocks:
            printed = []
            for piece, is_name in pieces:
                if not is_name:
                    printed.append(piece)
                    continue
                value = variables.get(piece)
                if type(value) is not str or value.startswith("data:"):
                    return None
                printed.append(_set_aside(value))
            content = _inner("".join(printed))
            if BEGIN in content:
                return None
            messages.append(_message(role, content))
            messages.places.append((self._name, line))
        return messages


# Of these Jinja2 makes something of its own within a block.
_SPECIAL = frozenset({"self", "super", "caller", "varargs", "kwargs", "loop"})


def _plain_block(node: nodes.Node) -> _PlainBlock | None:
    if not isinstance(node, nodes.CallBlock) or not is_chat(node):
        return None
    _, role, *others, line = node.call.args
    if not isinstance(role, nodes.Const) or not isinstance(line, nodes.Const):
        return None
    if any(not isinstance(other, nodes.Const) or other.value is not None for other in others):
        return None
    pieces: list[tuple[str, bool]] = []
    for output in node.body:
        if not isinstance(output, nodes.Output):
            return None
        for child in output.nodes:
            if isinstance(child, nodes.TemplateData):
                pieces.append((child.data, False))
            elif isinstance(child, nodes.Name) and child.name not in _SPECIAL:
                pieces.append((child.name, True))
            else:
                return None
    return _PlainBlock(_check_role(role.value, line.value), line.value, tuple(pieces))


def check_outside_text(tree: nodes.Template) -> None:
    """Refuse text or expressions outside the chat blocks of a template that has them; white space is allowed there.

    Raises:
        TemplateSyntaxError: There is some.
    """
    if next(_chat_blocks(tree.body), None) is None:
        return
    for output in _outside(tree.body):
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData) and not node.data.strip():
                continue
            line = node.lineno
            if isinstance(node, nodes.TemplateData):
                line += node.data[: len(node.data) - len(node.data.lstrip())].count("\n")
                shown = node.data.strip().splitlines()[0][:60]
                raise TemplateSyntaxError(f"text outside the chat blocks: {shown!r}", line)
            tag = f"the tag {{% {tag_of(node)} %}}" if is_medium(node) else "an expression"
            raise TemplateSyntaxError(f"{tag} outside the chat blocks", line)


def _chat_blocks(body: list[nodes.Node]) -> Iterator[nodes.Node]:
    for node in body:
        for block in (node, *node.find_all(nodes.CallBlock)):
            if is_chat(block):
                yield block


def _outside(body: list[nodes.Node]) -> Iterator[nodes.Output]:
    """Outputs that would print outside any chat block; what a macro, call or set block prints is not yet output."""
    for node in body:
        if isinstance(node, nodes.Output):
            yield node
        elif not isinstance(node, (nodes.CallBlock, nodes.Macro, nodes.AssignBlock)):
            yield from _outside(list(node.iter_child_nodes()))


def _check_role(role: object, line: int) -> Role:
    for known in ROLES:
        if role == known:
            return known
    raise TemplateSyntaxError(f"unknown chat role {role!r}; known are {', '.join(ROLES)}", line)
