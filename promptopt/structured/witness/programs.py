"""A second reading of what is no prompt: a program, or a page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.fields import PromptText

_STATEMENT = re.compile(
    r"^[ \t]*(?:(?:const|let|var|return|if|for|while|import|from|def|class|try|catch|else|async|await|export|throw)\b.*[;{(:]|[\w.\])]+(?:\(.*\))?;|[})]+;?|.*=>.*[{;(]|// .*)[ \t]*$",
    re.MULTILINE,
)
_PROGRAM = 0.4
_FENCED = re.compile(r"^[ \t]*```\w*[ \t]*\n.*?^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^(?:import \w+|from [\w.]+ import \w+|def \w+\(.*:|class \w+.*:)[^\n]*$", re.MULTILINE)
_PYTHON_LINE = re.compile(
    r"^[ \t]*(?:import |from |def |class |return\b|if |for |while |try:|except|with |else:|elif |@|#|[\w.\[\], ]+ = |[\w.]+\(.*\)?$|[)\]}]+,?$)",
    re.MULTILINE,
)


def program(document: PromptText) -> Iterator[str]:
    """A text that is a program, and not a prompt."""
    # Code between fences is what the prompt is about.
    text = _FENCED.sub("", document.text)
    lines = [line for line in text.splitlines() if line.strip()]
    statements = len(_STATEMENT.findall(text))
    if re.match(r"\s*<(?:!doctype|html)\b", document.text, re.IGNORECASE):
        yield "the text is a page, not a prompt"
    imports = len(_PYTHON.findall(text))
    if imports > 1 and len(_PYTHON_LINE.findall(text)) > len(lines) * _PROGRAM:
        yield "the text is a program, not a prompt"
    if len(lines) > 5 and statements > len(lines) * _PROGRAM and "=" in text and ";" in text:
        yield "the text is a program, not a prompt"
