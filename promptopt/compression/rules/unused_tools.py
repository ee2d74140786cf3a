"""PO507: tools and arguments that no recorded answer uses and no case asks for."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Finding, Level
from promptopt.compression.rules.base import ReportsOnly
from promptopt.config import load_config
from promptopt.errors import PromptoptError
from promptopt.providers.recordings import RecordingFile
from promptopt.suites import Case, Suite, find_suite, load_suite
from promptopt.templates.names import origin_of
from promptopt.tokens import tokenizer_for, tool_tokens
from promptopt.values import Response, Tool

FEW = 20
"""Recorded answers, or calls of a tool, below which nothing is said: they show little."""

_WORD = re.compile(r"[A-Za-z0-9_-]+")


class UnusedTools(ReportsOnly):
    """A tool that no recorded answer calls, or an argument that no recorded call has; both if no case names them."""

    code: ClassVar[str] = "PO507"
    name: ClassVar[str] = "unused tools"
    reason: ClassVar[str] = "what no answer uses is paid for with every call"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Finding]:
        if not document.front.tools:
            return
        try:
            found = _recorded(document.path)
        except PromptoptError:
            # What is wrong with a suite or its recordings is said by the commands that need them.
            return
        if found is None:
            return
        suite, answers = found
        named = frozenset(_words([_asked_for(case) for case in suite.cases]))
        for tokens, message in _unused(document, answers, named):
            yield Finding(document.front_key("tools"), self.code, message, tokens)


def _recorded(path: str) -> tuple[Suite, list[Response]] | None:
    """The suite of a prompt and the answers that this version of it has there; ``None`` if they are too few."""
    config = load_config()
    origin = origin_of(Path(path), config.prompts)
    file = find_suite(origin.prompt, config=config)
    if file is None:
        return None
    suite = load_suite(file, config=config)
    folder = suite.recordings / origin.prompt
    files = folder.glob(f"{origin.version}*.jsonl") if origin.version else folder.parent.glob(f"{folder.name}*.jsonl")
    # A variant has settings after a plus; v1 is not v10.
    own = [each for each in files if each.stem.partition("+")[0] == (origin.version or folder.name)]
    answers = [each.response for one in own for each in RecordingFile.read(one).lines.values()]
    return (suite, answers) if len(answers) >= FEW else None


def _unused(document: Document, answers: Iterable[Response], named: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Tokens that could go, and what takes them."""
    tokenizer = tokenizer_for(document.model)
    answers = list(answers)
    calls: Counter[str] = Counter()
    used: dict[str, set[str]] = {}
    for call in (call for answer in answers for call in answer.tool_calls):
        calls[call.name] += 1
        try:
            used.setdefault(call.name, set()).update(_keys(json.loads(call.arguments or "{}")))
        except (ValueError, RecursionError):
            # Arguments that cannot be read may have used any.
            used.setdefault(call.name, set()).update(_WORD.findall(call.arguments))
    for tool in document.front.tools:
        whole = tool_tokens(tool, tokenizer)
        if not calls[tool.name] and tool.name not in named:
            where = f"is called in none of {len(answers):,} recorded answers, and no case names it"
            yield whole, f"tool {tool.name!r} {where}: leave it out if production does not call it either"
        elif calls[tool.name] >= FEW:
            for name in _arguments(tool):
                if name not in used[tool.name] and name not in named:
                    where = f"is in none of {calls[tool.name]:,} recorded calls, and no case names it"
                    saved = whole - tool_tokens(_without(tool, name), tokenizer)
                    yield saved, f"argument {name!r} of tool {tool.name!r} {where}: leave it out"


def _arguments(tool: Tool) -> list[str]:
    named = tool.parameters.get("properties")
    return list(named) if isinstance(named, Mapping) else []


def _without(tool: Tool, name: str) -> Tool:
    left = {key: value for key, value in tool.parameters["properties"].items() if key != name}
    return replace(tool, parameters={**tool.parameters, "properties": left})


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value


def _words(value: Any) -> Iterator[str]:
    """All words in a value, the keys of mappings too."""
    if isinstance(value, str):
        yield from _WORD.findall(value)
    elif is_dataclass(value):
        yield from _words([getattr(value, each.name) for each in fields(value)])
    elif isinstance(value, Mapping):
        yield from _words([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _words(each)


def _asked_for(case: Case) -> list[Any]:
    """What a case says of its answers. Its variables and what the user says are no expectation."""
    turns = [each for turn in case.turns for each in (turn.asserts, turn.tool_results)]
    return [case.asserts, case.tool_results, *turns]
