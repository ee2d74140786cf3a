"""PO505: what the definitions of tools cost, which travel with every call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Finding, Level
from promptopt.compression.rules.base import ReportsOnly
from promptopt.tokens import Tokenizer, tokenizer_for, tool_tokens
from promptopt.values import Tool

LONG = 40
"""Tokens of a description above which it is reported."""
MANY = 20
"""Values of an enum above which it is reported."""
_WORD = re.compile(r"[a-z]+|\d+")
# Beside these, a description of `order_id` that has only its name's words says nothing.
_EMPTY_WORDS = frozenset(
    {"the", "a", "an", "of", "for", "to", "is", "this", "that", "its", "parameter", "argument", "value"}
)


class ToolDefinitions(ReportsOnly):
    """Long descriptions, long enums, and descriptions that repeat the name: each is paid for with every call."""

    code: ClassVar[str] = "PO505"
    name: ClassVar[str] = "costly tools"
    reason: ClassVar[str] = "definitions of tools are sent with every call, and with every step after it"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Finding]:
        if not document.front.tools:
            return
        place = document.front_key("tools")
        tokenizer = tokenizer_for(document.model)
        for tool in document.front.tools:
            for tokens, what in _costs(tool, tokenizer):
                yield Finding(place, self.code, what, tokens)


def _costs(tool: Tool, tokenizer: Tokenizer) -> Iterator[tuple[int, str]]:
    """Tokens that could go, and what takes them."""
    whole = tool_tokens(tool, tokenizer)
    description = whole - tool_tokens(replace(tool, description=""), tokenizer)
    if description > LONG:
        yield (
            description - LONG,
            f"the description of tool {tool.name!r} takes {description} tokens: say each thing once",
        )
    for path, part in _parameters(tool.parameters):
        where = f"of {path!r} in tool {tool.name!r}"
        text, name = str(part.get("description", "")), path.rpartition(".")[2]
        tokens = tokenizer.count(text)
        if text and _words(text) <= _words(name) | _EMPTY_WORDS:
            yield tokens, f"the description {where} only repeats its name: leave it out"
        elif tokens > LONG:
            yield tokens - LONG, f"the description {where} takes {tokens} tokens: say each thing once"
        values = part.get("enum")
        if isinstance(values, list) and len(values) > MANY:
            tokens = sum(tokenizer.count(str(value)) for value in values)
            yield (
                tokens,
                f"the enum {where} lists {len(values)} values: name those that are used, or take a text and check it",
            )


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()))


def _parameters(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All arguments with the path of their names, those within objects and lists too."""
    named = schema.get("properties")
    for name, part in (named if isinstance(named, Mapping) else {}).items():
        if isinstance(part, Mapping):
            yield f"{path}{name}", part
            yield from _parameters(part, f"{path}{name}.")
            if isinstance(part.get("items"), Mapping):
                yield from _parameters(part["items"], f"{path}{name}.")
