"""Marks of templates without the usual delimiters of Jinja2: other settings of it, other languages.

What is inside them is never edited, and if they branch nothing is known about the flow. They are recognised by their
looks alone, since a prompt does not say which delimiters its program uses.
"""

from __future__ import annotations

import re

_PAIRS = (
    r"<%.*?%>",
    r"\[%.*?%\]",
    r"\[#.*?#\]",
    r"\{\[.*?\]\}",
    r"\[\[[ \t]*[A-Za-z_$][^\[\]\n,\"']{0,100}\]\]",
    r"\(\((?P<inner>[*=#%]).*?(?P=inner)\)\)",
    r"<<[^<>\n]{1,120}>>",
    r"\\(?:VAR|BLOCK|#)\{[^{}\n]*\}",
    r"\$\{[^{}\n]*\}",
    r"\{\{\{.*?\}\}\}",
)
_STATEMENT = (
    r"^[ \t]*(?:#|%{1,2}|//|@)[ \t]*(?:end(?=[ \t]*$)|(?:end)?(?:if|elif|else|elsif|for|foreach|while|macro|block|call"
    r"|set|filter)\b)[^\n]*$"
)
MARKS = re.compile("|".join(_PAIRS), re.DOTALL)
"""A tag or a variable."""
_BLOCK = re.compile(
    r"<%[-+]?[ \t\n]*(?!=)\w|\[%|\(\(\*|\\BLOCK\{|\{\{~?[#/^>]|\{%|<#(?:if|list|else)\b"
    r"|^[ \t]*#(?:if|foreach|else|end)\b",
    re.MULTILINE,
)
_LINE = re.compile(_STATEMENT, re.MULTILINE)
_ENDED = re.compile(
    r"^[ \t]*(?:#|%{1,2}|//|@)[ \t]*end(?:if|for|foreach|while|macro|block|call|set|filter)?[ \t]*$", re.MULTILINE
)


def statements(text: str) -> list[re.Match[str]]:
    """Lines that are statements of a template; none if nothing in the text ends one."""
    return list(_LINE.finditer(text)) if _ENDED.search(text) else []


def branches(text: str) -> bool:
    """Whether a text may branch or repeat in a way that Jinja2's usual delimiters do not show."""
    return _BLOCK.search(text) is not None or _ENDED.search(text) is not None


def marks(text: str) -> list[str]:
    """All marks and statements in order: what must be the same after an edit."""
    found = [(match.start(), match[0]) for match in MARKS.finditer(text)]
    found += [(match.start(), match[0].strip()) for match in statements(text)]
    return [mark for _, mark in sorted(found)]
