"""Keys of a shown object that take the place of others: numbered ones, and those called "key"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import MASK

_NUMBERED = re.compile(r"(?P<stem>.*?\D)(?P<number>\d+)")
# {"key": "value"} stands for whatever there is.
_ANY_KEY = re.compile(r"(?:key|param|parameter|arg|argument|variable|field)s?(?:[_ ]?name|[_ ]?\d+)?")
# "2. Who signed it?"
_NUMBERED_LINE = re.compile(
    rf"^[ \t]*(?:[-*•][ \t]+)?[\"'(]?(?P<number>\d{{1,2}})[.):][ \t]+[^\s{MASK}{{]", re.MULTILINE
)


def is_map(properties: Mapping[str, Any]) -> bool:
    """Whether the keys are numbered, so that others may follow: ``document_1``, ``document_2``."""
    if all(name.isdigit() or _ANY_KEY.fullmatch(name) for name in properties):
        return True
    numbered = [match["stem"] for name in properties if (match := _NUMBERED.fullmatch(name))]
    return len(numbered) > 1 and len(numbered) == len(properties) and len(set(numbered)) == 1


# "0: joy, 1: anger, 2: fear"
_NUMBERED_HERE = re.compile(r"(?<![\w.])\d{1,2}[:=] ?[A-Za-z][\w ]*(?:[,;] \d{1,2}[:=] ?[A-Za-z][\w ]*)+")


def are_items(properties: Mapping[str, Any], text: str) -> bool:
    """Whether the keys are the numbers of a list of the prompt, from the first to the last: there are no others."""
    if not all(name.isdigit() for name in properties):
        return _begin_lines(list(properties), text)
    keys = list(properties)
    for listed in _NUMBERED_HERE.finditer(text):
        if re.findall(r"(\d{1,2})[:=]", listed[0]) == keys:
            return True
    runs: list[list[str]] = []
    for match in _NUMBERED_LINE.finditer(text):
        if match["number"] == "1" or not runs:
            runs.append([])
        runs[-1].append(match["number"])
    return len(runs) == 1 and runs[0] == keys and keys == [str(number) for number in range(1, len(keys) + 1)]


def _begin_lines(names: list[str], text: str) -> bool:
    """Whether each key begins a line that says what it is, and the one that would be next begins none."""
    numbered = [match for name in names if (match := _NUMBERED.fullmatch(name))]
    if len(numbered) < len(names):
        return False
    further = f"{numbered[-1]['stem']}{int(numbered[-1]['number']) + 1}"
    begin = r"^[ \t]*(?:[-*•][ \t]+)?[*_`]*{}[*_`]*[ \t]*[:.)=][ \t]*\S"
    lines = [re.search(begin.format(re.escape(name)), text, re.MULTILINE) for name in (*names, further)]
    return all(lines[:-1]) and lines[-1] is None
