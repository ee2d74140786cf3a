"""Prompts written as Python format strings: ``{name}`` is a variable, ``{{`` and ``}}`` are braces.

Those of an f-string may be expressions (``{row.get("name")}``): each becomes a variable that is called after it.
"""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

from promptopt.config import load_config
from promptopt.errors import TemplateError
from promptopt.files import decode, show_path
from promptopt.templates import Template, load_prompt
from promptopt.templates.frontmatter import front_matter_end
from promptopt.templates.names import origin_of
from promptopt.templates.readers import OverlayReader, Reader

_NAME = re.compile(r"\w*(?:\.\w+|\[[^\[\]\n]+\])*")
_INDEXED = re.compile(r"\[([A-Za-z_]\w*)\]")
# What Jinja would read as its own in the text between variables.
_JINJA = re.compile(r"\{[{%#]|[%#]\}")


class _Unread:
    """A reader for :class:`OverlayReader`, of a file whose text is known already."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_bytes(self, name: str) -> bytes:
        raise FileNotFoundError(name)

    def read(self, name: str) -> str:
        raise FileNotFoundError(name)

    def display(self, name: str) -> str:
        return show_path(self._path.with_name(name))


def load_any(operand: str) -> tuple[Template, str | None]:
    """A prompt, and the text of its file if that is a Python format string, which is read as the Jinja it stands for.

    Raises:
        PromptoptError: It is neither.
    """
    try:
        return load_prompt(operand), None
    except TemplateError as error:
        path = Path(operand)
        if not path.is_file():
            raise
        text = decode(path.read_bytes(), show_path(path), TemplateError)
        translated = as_jinja(text)
        if translated is None:
            raise
        reader: Reader = OverlayReader(_Unread(path), path.name, translated)
        try:
            return Template.load(path.name, reader, origin_of(path, load_config().prompts)), text
        except (TemplateError, FileNotFoundError):
            raise error from None


def as_jinja(text: str) -> str | None:
    """A format string as the Jinja that renders the same; ``None`` if it is no format string with doubled braces."""
    start = front_matter_end(text)
    if "{{" not in text[start:]:
        return None
    parts = [text[:start]]
    literal = ""
    unnamed = 0
    named: dict[str, str] = {}
    try:
        for more, name, _, _ in string.Formatter().parse(text[start:]):
            literal += more
            if name is None:
                continue
            if not _NAME.fullmatch(name.strip()):
                called = _called(name.strip(), named)
                if not called:
                    return None  # the braces are those of JSON, or of a script
                parts += [_plain(literal), _variable(called)]
                literal = ""
                continue
            numbered = not name or name.isdigit()
            parts += [_plain(literal), _variable(f"arg{name or unnamed}" if numbered else name.strip())]
            literal = ""
            unnamed += numbered
    except ValueError:
        return None
    return "".join([*parts, _plain(literal, last=True)])


def _plain(text: str, *, last: bool = False) -> str:
    """A text that Jinja prints as it is; a brace at its end would be one with those of the variable after it."""
    text = _JINJA.sub(lambda match: f'{{{{ "{match[0]}" }}}}', text)
    return f'{text[:-1]}{{{{ "{{" }}}}' if text.endswith("{") and not last else text


def _variable(name: str) -> str:
    indexed = _INDEXED.sub(lambda match: f'["{match[1]}"]', name)
    return f"{{{{ {indexed} }}}}"


def _called(expression: str, named: dict[str, str]) -> str:
    """A variable for an expression of Python, one for each that differs; empty if it is no such expression.

    ``row.get("name", "?")`` is ``name``, ``json.dumps(rows, indent=2)`` is ``rows``, ``note if note else "none"`` is ``note``.
    """
    if expression not in named:
        try:
            node = ast.parse(expression, mode="eval").body
        except (SyntaxError, ValueError):
            return ""
        name = _name_of(node)
        if not name.isidentifier():
            return ""
        taken = set(named.values())
        number = 2
        while name in taken:
            name = f"{name.rstrip('0123456789')}{number}"
            number += 1
        named[expression] = name
    return named[expression]


def _name_of(node: ast.expr) -> str:
    """What an expression is about: the key that is looked up, the argument of a call, the value of a condition."""
    if isinstance(node, ast.Call):
        arguments = [one for one in node.args if isinstance(one, (ast.Name, ast.Attribute, ast.Call))]
        keys = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and keys:
            return keys[0]
        return _name_of(arguments[0] if arguments else node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.IfExp):
        return _name_of(node.body)
    if isinstance(node, ast.BoolOp):
        return _name_of(node.values[0])
    return node.id if isinstance(node, ast.Name) else ""
