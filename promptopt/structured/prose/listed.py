"""The labels that follow a lead: in its own line, or one a line below it, with or without words on what each means."""

from __future__ import annotations

import re

from promptopt.structured.fields import MASK
from promptopt.structured.prose.label_items import items_at

_BULLET = r"(?:[-*•]|\(?\d{1,2}[.)])[ \t]+"
_SIGNS = r"[*_`\"'“”\[\]]*"
# "SAME: both say it", "- SAME - both say it", "SAME"
_LINE = re.compile(
    rf"[ \t]*(?P<bullet>{_BULLET})?{_SIGNS}(?P<label>[A-Za-z][\w /&+'’-]*?){_SIGNS}[ \t]*(?P<rest>(?:[:=–—(→]|-(?=[ \t>]))[^\n]*)?,?"
)
_LONGEST = 4
_ENDS = re.compile(r"\s*(?:[.;:!?\n)\]]|\Z)")


def labels_after(text: str, start: int) -> tuple[tuple[str, ...], int] | None:
    """The labels that begin at a position and where they end; ``None`` if what is there is no list of labels."""
    gap = re.compile(r"[ \t]*\n\s*?(?=[ \t]*\S)").match(text, start)
    return _below(text, gap.end()) if gap else _beside(text, start)


def _beside(text: str, start: int) -> tuple[tuple[str, ...], int] | None:
    begin = start + len(text[start:]) - len(text[start:].lstrip(" \t"))
    items = items_at(text, begin)
    if not items:
        return None
    labels = tuple(item.said(text).rstrip(" .,;") for item in items)
    end = items[-1].end
    return (labels, end) if _are_labels(labels) and _ENDS.match(text, end) else None


def _below(text: str, start: int) -> tuple[tuple[str, ...], int] | None:
    labels: list[str] = []
    shapes: set[tuple[bool, bool]] = set()
    end = start
    for line in text[start:].split("\n"):
        match = _LINE.fullmatch(line.rstrip())
        if match is None or MASK in line or "{" in line:
            break
        labels.append(match["label"].strip())
        shapes.add((bool(match["bullet"]), bool(match["rest"])))
        end += len(line) + 1
    alike = len({bulleted for bulleted, _ in shapes}) == 1
    # Without a mark of a list, lines of which only some have a meaning may be anything.
    alike = alike and (len(shapes) == 1 or all(bulleted for bulleted, _ in shapes))
    return (tuple(labels), min(end, len(text))) if alike and _are_labels(labels) else None


def _are_labels(labels: tuple[str, ...] | list[str]) -> bool:
    distinct = {label.casefold() for label in labels}
    return len(distinct) == len(labels) > 1 and all(
        label and MASK not in label and len(label.split()) <= _LONGEST for label in labels
    )
