"""How the answer is read out of a response: a regular expression or a JSON pointer.

One suite can so score a freeform and a structured variant of a prompt.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

import regex

from promptopt.schemas.codes import Codes

REGEX_TIMEOUT_S = 1.0


class NoAnswer(Exception):
    """The response holds no answer; the message says why."""


class AnswerExtractor(Protocol):
    """Reads the answer out of a response."""

    def extract(self, text: str) -> str:
        """The answer. Raises NoAnswer if there is none."""


@dataclass(frozen=True, slots=True)
class PatternAnswer:
    """The last match of a regular expression: its group 1, or the whole match if it has no group."""

    pattern: str

    def extract(self, text: str) -> str:
        """Raises NoAnswer if nothing matches or the pattern runs away (more than a second)."""
        try:
            matches = list(compile_pattern(self.pattern).finditer(text, timeout=REGEX_TIMEOUT_S))
        except TimeoutError:
            raise NoAnswer(f"the pattern {self.pattern!r} ran longer than {REGEX_TIMEOUT_S:g} s") from None
        if not matches:
            raise NoAnswer(f"the pattern {self.pattern!r} matches nothing in the response")
        last = matches[-1]
        return str((last[1] if last.re.groups else last[0]) or "").strip()


@dataclass(frozen=True, slots=True)
class PointerAnswer:
    """The value that a JSON pointer (RFC 6901) finds in a response that is JSON as a whole.

    Attributes:
        codes: What the codes stand for that the response is written in, if it is; the pointer is into the decoded data.
    """

    pointer: str
    codes: Codes | None = field(default=None, hash=False)

    def extract(self, text: str) -> str:
        """Raises NoAnswer if the response is not JSON or the pointer leads nowhere."""
        try:
            node: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NoAnswer(f"the response is not JSON: {error}") from None
        if self.codes is not None:
            node = self.codes.decode(node)
        for part in self.pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            try:
                node = node[_index(key)] if isinstance(node, list) else node[key]
            except (KeyError, IndexError, TypeError):
                raise NoAnswer(f"the response has nothing at {self.pointer}") from None
        return node if isinstance(node, str) else json.dumps(node, ensure_ascii=False, sort_keys=True)


def _index(key: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,9}", key):
        raise IndexError(key)
    return int(key)


def parse_answer(text: str) -> PatternAnswer | PointerAnswer:
    """An ``answer:`` of the front matter; what begins with ``/`` is a JSON pointer.

    Raises:
        ValueError: The regular expression does not compile.
    """
    if text.startswith("/"):
        return PointerAnswer(text)
    compile_pattern(text)
    return PatternAnswer(text)


def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """A compiled pattern of the ``regex`` package, whose searches can time out (``re`` cannot stop one that runs away).

    Raises:
        ValueError: It does not compile; the message says where.
    """
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
