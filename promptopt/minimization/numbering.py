"""The numbers of a list of which some items go: a list that begins with 2 looks as if something were missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.minimization.nodes import Node

_NUMBER = re.compile(r"\d{1,3}(?=[.)][ \t])")
# "step 3", "rules 1 and 2", "(2)", "#4": who refers to a number means that item.
_REFERENCE = re.compile(
    r"\b(?:step|rule|point|item|number|criteri(?:on|a)|instruction|section|part|case|option|question|task|line|note"
    r"|requirement|principle|guideline|no\.?)s?[ \t]*#?\d|[(\[]\d{1,3}[)\]]|#\d|\d(?:st|nd|rd|th)\b",
    re.IGNORECASE,
)


def renumbered(tree: Sequence[Node], gone: Sequence[tuple[int, int]], text: str) -> list[tuple[int, int, str]]:
    """Where the number of an item is to be another one, and which: none if the prompt may refer to its items by number.

    Args:
        tree: The prompt's parts.
        gone: The ranges that are taken out.
        text: The prompt's file.
    """
    if _REFERENCE.search(text):
        return []
    found: list[tuple[int, int, str]] = []
    for items in _lists(tree, text):
        stays = [match for match in items if not any(start <= match.start() < end for start, end in gone)]
        if len(stays) < len(items):
            numbers = enumerate(stays, int(items[0][0]))
            found += [(*match.span(), str(number)) for number, match in numbers if match[0] != str(number)]
    return found


def _lists(nodes: Sequence[Node], text: str) -> Iterator[list[re.Match[str]]]:
    """The numbers of items one after the other that count up by one."""
    run: list[re.Match[str]] = []
    last = 0
    for node in nodes:
        match = _NUMBER.match(text, node.start) if node.kind in ("list item", "section") else None
        number = int(match[0]) if match else 0
        if run and (match is None or number != last + 1):
            yield run
            run = []
        if match is not None:
            run.append(match)
        last = number
        yield from _lists(node.children, text)
    if run:
        yield run
