"""Damaged JSON, repaired by json-repair and checked: no word of the answer is lost, none is added."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from promptopt.errors import AnswerAmbiguous, AnswerCutOff, AnswerUnreadable

# json-repair's time grows faster than the text; longer damage is refused.
MOST_REPAIRED = 200_000

_STRING = r'"(?:\\.|[^"\\])*"'
_QUOTED = re.compile(
    rf"{_STRING}|'(?:\\.|[^'\\\n])*'(?=\s*[,:}}\]])|(?P<comment>//[^\n]*|/\*.*?\*/|(?<=\s)#[^\n]*)", re.DOTALL
)
_COMMA = re.compile(rf"(?P<string>{_STRING})|,(?P<bracket>\s*[}}\]])", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
# A backslash before these is Markdown's or LaTeX's, or a part of a regular expression; nobody can say which.
_MARKS = "_*[](){}.-+#$&%~^|<>=!?"
_WORD = re.compile(r"(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)|[^\W\d_]+|[^\s{}\[\]:,\"'“”‘’\\\\]")
# 007 is a code, not a number; a schema that wants a number still reads 7.
_LEADING_ZERO = re.compile(rf"(?P<string>{_STRING})|(?P<before>[:\[,]\s*)(?P<code>0\d+)(?=\s*[,}}\]])", re.DOTALL)
# A quotation mark after which no string can have ended.
_STRAY_QUOTE = re.compile(r"(?P<near>[^\s\"{}\[\],:]{1,20}\"[ \t]*[^\s\"{}\[\],:][^\"\n]{0,20})")
_CONSTANTS = {"none": "null"}
_ELLIPSIS = re.compile(r"(?:[,\[{:]\s*|^\s*)(?:\.\.\.|…)\s*(?:[,\]}]|$)", re.MULTILINE)


_TINY = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?[eE]-\d+")


class DuplicateKey(Exception):
    """A key occurs twice in an object, with different values."""


def strict_loads(text: str) -> Any:
    """``json.loads`` that refuses what JSON does not have: NaN, numbers without an end, one key with two values.

    Raises:
        ValueError: The text is not JSON.
        DuplicateKey: A key has two values.
    """
    value, end = first_value(text, len(text) - len(text.lstrip()))
    if text[end:].strip():
        raise ValueError("there is more than one value")
    return value


def first_value(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at a place of a text, read as :func:`strict_loads` does, and the place of its end.

    Raises:
        ValueError: No JSON value begins there.
        DuplicateKey: A key has two values.
    """
    return _DECODER.raw_decode(text, start)


def _finite(number: str) -> float:
    if math.isinf(value := float(number)):
        raise ValueError(f"{number} is larger than a number can be")
    if _vanishes(number):
        raise ValueError(f"{number} is smaller than a number can be")
    return value


def _vanishes(number: str) -> bool:
    """Whether a number that is not zero becomes zero."""
    return float(number) == 0 and re.search(r"[1-9]", re.split("[eE]", number)[0]) is not None


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object from its pairs; raises DuplicateKey if a key has two values."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found and found[key] != value:
            raise DuplicateKey(key)
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=without_duplicates, parse_constant=_no_constant, parse_float=_finite)


def repaired(body: str, text: str) -> tuple[Any, list[str]]:  # noqa: C901 - one branch a form
    """The value of damaged JSON that begins with a bracket, and what was repaired.

    Args:
        text: The whole answer, for errors.

    Raises:
        AnswerCutOff: It ends within a value, or with values still to come.
        AnswerAmbiguous: It holds several values, or a key twice.
        AnswerUnreadable: It cannot be repaired without losing, adding or guessing.
    """
    if len(body) > MOST_REPAIRED:
        raise AnswerUnreadable(f"the JSON is damaged, and too long to repair ({len(body):,} characters)", text)
    notes: list[str] = []
    clean = _QUOTED.sub(lambda match: "" if match["comment"] else match[0], body)
    if clean != body:
        notes.append("removed comments")
    if _ELLIPSIS.search(_QUOTED.sub('""', clean)):
        raise AnswerUnreadable("the JSON leaves values out (...)", text)
    clean, rest = _balanced(clean)
    state = _tail(clean)
    if state.inside_string:
        if clean.rstrip()[-1:] in ("}", "]") and (stray := _STRAY_QUOTE.search(clean)):
            raise AnswerUnreadable(f"a quotation mark within a text is not escaped: {stray['near']!r}", text)
        raise AnswerCutOff("the answer is cut off within a text", text)
    clean = _LEADING_ZERO.sub(
        lambda match: match[0] if match["string"] else f'{match["before"]}"{match["code"]}"', clean
    )
    if state.open:
        _check_cut_off(clean, state, text)
        notes.append("closed what was left open")
    try:
        value = _nearly_json(clean + _closing(state), notes)
    except DuplicateKey as error:
        raise AnswerAmbiguous(f"the key {error.args[0]!r} occurs twice, with different values", text) from None
    except RecursionError:
        raise AnswerUnreadable("the answer is nested too deeply", text) from None
    except ValueError:
        value = _by_library(clean, text, notes)
    tiny = map(_vanishes, _TINY.findall(_QUOTED.sub('""', clean)))
    if any(tiny) or not all(map(math.isfinite, _numbers(value))):
        raise AnswerUnreadable("the JSON holds NaN, Infinity or a number that is too large or too small", text)
    if rest.strip(" \n\t`;,."):
        if rest.lstrip(" \n\t`;,.")[0] in "{[":
            raise AnswerAmbiguous("the answer holds several JSON values", text)
        notes.append("left out the text after the JSON")
    return value, notes


def _closing(tail: _Tail) -> str:
    return "".join("}" if bracket == "{" else "]" for bracket in reversed(tail.open))


def _nearly_json(text: str, notes: list[str]) -> Any:
    """JSON but for commas before a closing bracket and line ends within strings; else raises ValueError."""
    without = _COMMA.sub(lambda match: match[0] if match["string"] else match["bracket"], text)
    value = json.loads(without, object_pairs_hook=without_duplicates, parse_constant=_no_constant, strict=False)
    if without != text:
        notes.append("removed commas before a closing bracket")
    elif not notes:
        notes.append("escaped line ends within texts")
    return value


def _by_library(clean: str, text: str, notes: list[str]) -> Any:
    import json_repair

    if odd := next((one[0] for one in _ESCAPE.finditer(clean) if one[2] and one[2] in _MARKS), None):
        raise AnswerUnreadable(f"{odd!r} is no escape of JSON: with its backslash, or without?", text)
    try:
        value, log = json_repair.repair_json(
            clean, return_objects=True, skip_json_loads=True, logging=True, strict=True
        )
    except ValueError as error:
        problem = str(error)
        if "Multiple" in problem:
            raise AnswerAmbiguous("the answer holds several JSON values", text) from None
        if "Duplicate" in problem:
            raise AnswerAmbiguous("a key occurs twice", text) from None
        raise AnswerUnreadable(f"the JSON cannot be repaired without a guess: {problem}", text) from None
    except RecursionError:
        raise AnswerUnreadable("the answer is nested too deeply", text) from None
    if not isinstance(value, (dict, list)):
        raise AnswerUnreadable("the answer holds no JSON object", text)
    if list(_words(_unescaped(clean))) != list(_words(_plain(value))) or any(map(_frayed, _texts(value))):
        raise AnswerUnreadable("the JSON is damaged so that a repair would lose or add something", text)
    steps = list(dict.fromkeys(str(step["text"]).split(",")[0].replace("While parsing", "in") for step in log))
    notes.append(f"repaired the JSON ({'; '.join(steps[:3])})" if steps else "repaired the JSON's quotes or commas")
    return value


class _Tail:
    """How a text of JSON ends.

    Attributes:
        open: The brackets that are not closed.
        inside_string: Whether it ends within a string in double quotes.
    """

    def __init__(self) -> None:
        self.open: list[str] = []
        self.inside_string = False


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """Brackets outside strings, with their places; ``"`` for a string that does not end."""
    position = 0
    pattern = re.compile(rf"{_STRING}|'(?:\\.|[^'\\\n])*'(?=\s*[,:}}\]])|[\[\]{{}}\"]", re.DOTALL)
    while match := pattern.search(text, position):
        if match[0] in '[]{}"':
            yield match.start(), match[0]
            if match[0] == '"':
                return
        position = match.end()


def _tail(text: str) -> _Tail:
    tail = _Tail()
    for _, mark in _tokens(text):
        if mark in "{[":
            tail.open.append(mark)
        elif mark == '"':
            tail.inside_string = True
        elif tail.open:
            tail.open.pop()
    return tail


def _balanced(text: str) -> tuple[str, str]:
    """The first value of the text by its brackets, and what follows; all of it if a bracket stays open."""
    depth = 0
    for position, mark in _tokens(text):
        if mark == '"':
            break
        depth += 1 if mark in "{[" else -1
        if depth == 0:
            return text[: position + 1], text[position + 1 :]
    return text, ""


def _check_cut_off(text: str, state: _Tail, text_whole: str) -> None:
    """Only closing brackets of objects may be missing, and the last value must have ended visibly."""
    ending = text.rstrip()
    if "[" in state.open:
        raise AnswerCutOff("the answer is cut off within a list", text_whole)
    last = ending[-1:]
    if last in ("}", "]"):
        return
    if last in ('"', "'") and not re.search(r"""[{,]\s*(?:"(?:\\.|[^"\\])*"|'[^']*')$""", ending):
        return
    if re.search(r":\s*(?:true|false|null|True|False|None)$", ending):
        return
    raise AnswerCutOff("the answer is cut off within a value", text_whole)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else " " if match[2] in "bfnrt" else match[2], text
    )


def _plain(value: Any) -> str:
    """Every key and value of the data in order, without JSON's marks."""
    parts: list[str] = []
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for key, item in reversed(node.items()):
                stack.extend((item, key))
        elif isinstance(node, list):
            stack.extend(reversed(node))
        elif isinstance(node, str):
            parts.append(node)
        else:
            parts.append(json.dumps(node))
    return " , ".join(parts)


def _words(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        if match["number"]:
            yield repr(float(match["number"]))
        else:
            word = match[0].lower()
            yield _CONSTANTS.get(word, word)


def _numbers(value: Any) -> Iterator[float]:
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, float):
            yield node


def _texts(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.extend((*node.keys(), *node.values()))
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, str):
            yield node


def _frayed(text: str) -> bool:
    """A mark of JSON at the rim of a text says that the repair cut in the wrong place."""
    return bool(text) and (text[0] in "\"'{[:," or text[-1] in "\"'}]:,")
