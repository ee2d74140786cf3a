"""JSON and what looks like it, in fewer characters; and the proof that two notations hold the same data."""

from __future__ import annotations

import json
import re

_STRINGS = re.compile(r'("(?:[^"\\\n]|\\.)*")')
# Line breaks between the marks of a JSON-like form; blanks inside its lines stay.
_BREAK = re.compile(r"(?<=[{\[,])[ \t]*\n\s*|[ \t]*\n\s*(?=[}\]])")
_KEY = re.compile(r'"[^"\n]{1,60}"\s*:')
# Where a reader who pairs quotation marks by eye could pair them otherwise once the blanks are gone.
_AMBIGUOUS = re.compile(r'""|\\"|"[^"\n]{200}|\{\{')
# Program text and comments, in which a line break may end something.
_PROGRAM = re.compile(r"[;=()#`|]|//|/\*|\bor\b|^[ \t]*[-*] ", re.MULTILINE)


def minified(text: str) -> str | None:
    """JSON without white space between its marks: strings and numbers as they were written; ``None``: nothing gained or not sure."""
    if _AMBIGUOUS.search(text):
        return None
    parts = _STRINGS.split(text)
    new = "".join(part if index % 2 else "".join(part.split()) for index, part in enumerate(parts))
    return new if len(new) < len(text) else None


def unbroken(text: str) -> str | None:
    """A form such as ``{"name": <name>, ...}`` without line breaks between its marks; ``None`` where it is no such."""
    parts = _STRINGS.split(text)
    outside = " ".join(parts[::2])
    if not _KEY.search(text) or _AMBIGUOUS.search(text) or '"' in outside or "'" in outside or _PROGRAM.search(outside):
        return None
    new = "".join(part if index % 2 else _BREAK.sub("", part) for index, part in enumerate(parts))
    return new if len(new) < len(text) else None


def same_data(old: str, new: str) -> bool:
    """Whether ``new`` is ``old`` in another notation: the same JSON, or a form with fewer line breaks."""
    if not old.lstrip().startswith(("{", "[")):
        return False
    try:
        return json.dumps(_load(old)) == json.dumps(_load(new))
    except (ValueError, RecursionError):
        return unbroken(old) == new


def _load(text: str) -> object:
    """JSON with its keys in order and numbers as they are written: equal only where the text says the same."""
    return json.loads(text, object_pairs_hook=list, parse_float=lambda s: f"f{s}", parse_int=lambda s: f"i{s}")
