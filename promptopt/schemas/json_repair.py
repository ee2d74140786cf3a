"""Damaged JSON, repaired by json-repair and checked: no word of the answer is lost, none is added."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from promptopt.errors import AnswerAmbiguous, AnswerCutOff, AnswerUnreadable
from promptopt.schemas.around import doubts, leaves_out
from promptopt.schemas.python_literal import python_literal
from promptopt.schemas.strict_json import DuplicateKey, nearly_json, vanishes

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
# Two backslashes of one text: JSON's line end before a letter, or a path's (C:\\new), and one that JSON has not.
_BACKSLASH = re.compile(r"\\(?:[\\\"'/]|u[0-9a-fA-F]{4}|(?P<read>[bfnrt](?=\w))|[bfnrt]|(?P<odd>.))", re.DOTALL)
_WORD = re.compile(r"(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)|[^\W\d_]+|[^\s{}\[\]:,\"'“”‘’\\\\]")
# 007 is a code, not a number; a schema that wants a number still reads 7.
_UNMARKED = re.compile(
    rf"(?P<string>{_STRING})|(?P<before>[:\[,]\s*)(?:(?P<code>0\d+)|(?P<nothing>undefined|nil|[nN]/[aA]))(?=\s*[,}}\]])",
    re.DOTALL,
)
# "high" | "low": texts of their own, of which nobody can say which one is meant.
_OPERATOR = re.compile(r"""(?:""|')\s*(?:[|+;/&-]|\(?\s*(?:or|and)\b)\s*(?:""|')""", re.IGNORECASE)
# A quotation mark after which no string can have ended.
_STRAY_QUOTE = re.compile(r"(?P<near>[^\s\"{}\[\],:]{1,20}\"[ \t]*[^\s\"{}\[\],:][^\"\n]{0,20})")
_CONSTANTS = {"none": "null"}
_ELLIPSIS = re.compile(r"(?:[,\[{:]\s*|^\s*)(?:\.\.\.|…|etc\.?|and so on)\s*(?:[,\]}]|$)", re.MULTILINE)


_TINY = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?[eE]-\d+")


def repaired(body: str, text: str) -> tuple[Any, list[str], str]:  # noqa: C901 - one branch a form
    """The value of damaged JSON that begins with a bracket, what was repaired, and the text that follows it.

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
    clean = _without_comments(body, text)
    if clean != body:
        notes.append("removed comments")
    if _ELLIPSIS.search(_QUOTED.sub('""', clean)):
        raise AnswerUnreadable("the JSON leaves values out (...)", text)
    clean, rest = _balanced(clean)
    state = _tail(clean)
    if state.inside_string:
        if clean.rstrip()[-1:] in ("}", "]"):
            stray = _STRAY_QUOTE.search(clean)
            where = f"within a text is not escaped: {stray['near']!r}" if stray else "is missing or not escaped"
            raise AnswerUnreadable(f"a quotation mark {where}", text)
        raise AnswerCutOff("the answer is cut off within a text", text)
    if state.open:
        _check_cut_off(clean, state, text)
        notes.append("closed what was left open")
    closed = clean + _closing(state)
    try:
        value = _mended(closed, text, notes)
    except DuplicateKey as error:
        raise AnswerAmbiguous(f"the key {error.args[0]!r} occurs twice, with different values", text) from None
    except RecursionError:
        raise AnswerUnreadable("the answer is nested too deeply", text) from None
    tiny = map(vanishes, _TINY.findall(_QUOTED.sub('""', clean)))
    if any(tiny) or not all(map(math.isfinite, _numbers(value))):
        raise AnswerUnreadable("the JSON holds NaN, Infinity or a number that is too large or too small", text)
    if rest.strip(" \n\t`;,."):
        if rest.lstrip(" \n\t`;,.")[0] in "{[":
            raise AnswerAmbiguous("the answer holds several JSON values", text)
        notes.append("left out the text after the JSON")
    return value, notes, rest


def _without_comments(body: str, text: str) -> str:
    """The JSON without its comments; one that doubts a value, or leaves some out, is no mere comment."""
    for comment in dict.fromkeys(match["comment"] or "" for match in _QUOTED.finditer(body)):
        if leaves_out(comment):
            raise AnswerUnreadable(f"the JSON leaves values out: {comment.strip()!r}", text)
        if doubts(comment):
            raise AnswerUnreadable(f"a comment doubts the JSON: {comment.strip()!r}", text)
    return _QUOTED.sub(lambda match: "" if match["comment"] else match[0], body)


def _mended(clean: str, text: str, notes: list[str]) -> Any:
    """The value of JSON that is closed, by the first reader that takes it."""
    marks: list[str] = []
    marked = _UNMARKED.sub(lambda match: _json_of(match, marks), clean)
    try:
        return _nearly_json(marked, notes, marks)
    except ValueError:
        pass
    try:
        value = python_literal(clean)
    except ValueError:
        notes.extend(dict.fromkeys(marks))
        return _by_library(marked, text, notes)
    notes.append("repaired the JSON's quotes or commas")
    return value


def _json_of(match: re.Match[str], notes: list[str]) -> str:
    """JSON for a code with leading zeros, for what other languages call null, and for an escaped apostrophe."""
    if match["string"]:
        # JSON has no such escape, and it has one meaning.
        plain = _ESCAPE.sub(lambda escape: "'" if escape[2] == "'" else escape[0], match[0])
        if plain != match[0]:
            notes.append("removed the backslash before apostrophes")
        return plain
    if match["nothing"]:
        notes.append(f"{match['nothing']} read as null")
        return f"{match['before']}null"
    notes.append(f"{match['code']} read as a text")
    return f'{match["before"]}"{match["code"]}"'


def _closing(tail: _Tail) -> str:
    return "".join("}" if bracket == "{" else "]" for bracket in reversed(tail.open))


def _nearly_json(text: str, notes: list[str], marks: list[str]) -> Any:
    """JSON but for commas before a closing bracket and line ends within strings; else raises ValueError."""
    without = _COMMA.sub(lambda match: match[0] if match["string"] else match["bracket"], text)
    value = nearly_json(without)
    notes.extend(dict.fromkeys(marks))
    if without != text:
        notes.append("removed commas before a closing bracket")
    elif not notes:
        notes.append("escaped line ends within texts")
    return value


def _by_library(clean: str, text: str, notes: list[str]) -> Any:
    import json_repair

    _check_escapes(clean, text)
    if _OPERATOR.search(_QUOTED.sub('""', clean)):
        raise AnswerUnreadable("the JSON has an expression of several texts for one value", text)
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
    if list(_words(_unescaped(clean))) != list(_words(_plain(value))) or any(
        _frayed(each) or _torn(each, clean) for each in _texts(value)
    ):
        raise AnswerUnreadable("the JSON is damaged so that a repair would lose or add something", text)
    steps = list(dict.fromkeys(str(step["text"]).split(",")[0].replace("While parsing", "in") for step in log))
    notes.append(f"repaired the JSON ({'; '.join(steps[:3])})" if steps else "repaired the JSON's quotes or commas")
    return value


def _check_escapes(clean: str, text: str) -> None:
    """Refuse backslashes of which nobody can say whether they are a part of the text."""
    if odd := next((one[0] for one in _ESCAPE.finditer(clean) if one[2] and one[2] in _MARKS), None):
        raise AnswerUnreadable(f"{odd!r} is no escape of JSON: with its backslash, or without?", text)
    for quoted in (*(match[0] for match in _QUOTED.finditer(clean)), _QUOTED.sub('""', clean)):
        found = {match.lastgroup: match[0] for match in _BACKSLASH.finditer(quoted) if match.lastgroup}
        if len(found) > 1:
            raise AnswerUnreadable(f"{found['odd']!r} is no escape of JSON: is {found['read']!r} meant as one?", text)
    if broken := re.search(r"(?<!\\)(?:\\\\)*\\u(?![0-9a-fA-F]{4}).{0,4}", clean):
        raise AnswerUnreadable(f"{broken[0]!r} is no character", text)


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


def _torn(text: str, source: str) -> bool:
    """Whether the quotation marks in a text that were not escaped do not come in pairs around words."""
    if f"'{text}'" in source and re.search(r"'\s*[,:}\]]", text):
        return True
    marks = [match.start() for match in re.finditer('"', text)]
    if not marks or any(json.dumps(text, ensure_ascii=way)[1:-1] in source for way in (True, False)):
        return False
    padded = f" {text} "
    opens = [not padded[mark].isalnum() and not padded[mark + 2].isspace() for mark in marks]
    closes = [not padded[mark].isspace() and not padded[mark + 2].isalnum() for mark in marks]
    return len(marks) % 2 == 1 or not all(opens[::2]) or not all(closes[1::2])
