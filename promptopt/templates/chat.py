"""The ``{% chat role="..." %}`` block: one message of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateRuntimeError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context

from promptopt.values import ROLES, Message, Role

# Not an identifier, so that no template can read or set it; a context variable, so that includes share it.
COLLECTOR = "promptopt: messages"


class ChatExtension(Extension):
    """Collects each chat block into the list that the context holds under ``COLLECTOR``."""

    tags = {"chat"}  # noqa: RUF012 - jinja2 declares it as a plain class attribute

    def parse(self, parser: Parser) -> nodes.Node:
        """Parse ``{% chat role="system" %}...{% endchat %}``; the role may be an expression."""
        line = next(parser.stream).lineno
        token = parser.stream.expect("name")
        if token.value != "role":
            parser.fail(f'a chat block is written {{% chat role="user" %}}, not {token.value!r}', token.lineno)
        parser.stream.expect("assign")
        role = parser.parse_expression()
        if isinstance(role, nodes.Const):
            _check_role(role.value, line)
        body = parser.parse_statements(("name:endchat",), drop_needle=True)
        for inner in _chat_blocks(body):
            parser.fail("a chat block inside a chat block", inner.lineno)
        call = self.call_method("_collect", [nodes.ContextReference(), role, nodes.Const(line)])
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _collect(self, context: Context, role: object, line: int, caller: Callable[[], str]) -> str:
        collector = context.get(COLLECTOR)
        if collector is None:
            raise TemplateRuntimeError("a chat block cannot be in a macro that is imported without context")
        collector.append(_message(_check_role(role, line), caller().strip()))
        return ""


@lru_cache(maxsize=64)
def _message(role: Role, content: str) -> Message:
    """One message for all calls of a prompt: a system message is mostly the same in thousands of them."""
    return Message(role=role, content=content)


def is_chat(node: nodes.Node) -> bool:
    """Whether a node of a parsed template is a chat block."""
    if not isinstance(node, nodes.CallBlock):
        return False
    called = node.call.node
    return isinstance(called, nodes.ExtensionAttribute) and called.identifier == ChatExtension.identifier


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
            raise TemplateSyntaxError("an expression outside the chat blocks", line)


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
