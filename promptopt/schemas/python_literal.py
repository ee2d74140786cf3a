"""JSON as Python prints it: single quotes, ``True``, ``None``, triple quotes."""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
import warnings
from typing import Any

from promptopt.schemas.strict_json import without_duplicates

_NAMES = {"true": True, "false": False, "null": None}
# Escapes that mean the same in Python and in JSON; others (\\x41, \\N{...}, \\101) are no answer's.
_ODD_ESCAPE = re.compile(r"\\(?:\\|u[0-9a-fA-F]{4}|[nrtbf\"'])|(?P<odd>\\)", re.DOTALL)


def python_literal(text: str) -> Any:
    """The value of a literal of lists, dictionaries with texts as keys, texts, numbers and constants.

    Raises:
        ValueError: The text is anything else, or two texts follow each other without a comma: Python would join them.
        DuplicateKey: A key has two values.
    """
    if any(match["odd"] for match in _ODD_ESCAPE.finditer(text)) or _is_code(text):
        raise ValueError("not a literal")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, Warning, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _is_code(text: str) -> bool:
    """Whether it has more than data: texts that Python joins, prefixes, brackets, numbers of another base."""
    before = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.NL, tokenize.NEWLINE):
                continue
            if token.type == tokenize.STRING and (before == tokenize.STRING or token.string[0] not in "\"'"):
                return True
            if token.type == tokenize.NUMBER and re.search(r"\A0[xob]|_|\.\Z", token.string, re.IGNORECASE):
                return True
            if token.type == tokenize.OP and token.string in "()":
                return True
            before = token.type
    except (tokenize.TokenError, SyntaxError) as error:
        raise ValueError(str(error)) from None
    return False


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Dict):
        keys = [_value(key) if key is not None else None for key in node.keys]
        if not all(isinstance(key, str) for key in keys):
            raise ValueError("a key is no text")
        return without_duplicates(list(zip(map(str, keys), map(_value, node.values), strict=True)))
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _value(node.operand)
        if isinstance(node.operand, ast.UnaryOp) or isinstance(number, bool) or not isinstance(number, (int, float)):
            raise ValueError("no number")
        return -number
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, (str, bool, int, float))):
        if isinstance(node.value, float) and not math.isfinite(node.value):
            raise ValueError("a number without an end")
        return node.value
    raise ValueError("not a literal")
