"""Blocks as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import singledispatch

from promptopt.webpage.blocks import (
    CasesBlock,
    DiffBlock,
    PageBlock,
    PlotBlock,
    TableBlock,
    TextBlock,
    VerdictBlock,
)

# Control characters, marks of direction, what is invisible, and halves of pairs: shown as escapes.
_ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_CONTEXT, _ALL_LINES = 3, 120
# Beyond that many characters a line is not looked at word by word.
_LONG_LINE = 2000
_SHOWN_LINE = 10_000
_NARROW = 3


def escaped(text: str) -> str:
    """The text for HTML, with characters that act on other text, or that nobody sees, as visible escapes."""
    return _ACTIVE.sub(_mark, html.escape(text))


def _mark(found: re.Match[str]) -> str:
    return f'<span class="mark">{found[0].encode("unicode_escape").decode()}</span>'


@singledispatch
def block_html(block: PageBlock, number: int = 0) -> str:  # noqa: ARG001 - for the blocks that have one
    """A block as HTML; of one that the script draws its place, which has the number of its data."""
    raise TypeError(type(block))


@block_html.register
def _verdict(block: VerdictBlock, number: int = 0) -> str:
    del number
    reasons = "".join(f"<li>{escaped(reason)}</li>" for reason in block.reasons)
    return (
        f'<div class="verdict {block.tone}"><p><strong>{escaped(block.verdict)}</strong> '
        f"<span>{escaped(block.about)}</span></p>{f'<ul>{reasons}</ul>' if reasons else ''}</div>"
    )


@block_html.register
def _table(block: TableBlock, number: int = 0) -> str:
    del number
    texts = {*range(block.left), *block.texts}
    kinds = [' class="text"' if at in texts else "" for at in range(len(block.headers))]
    head = "".join(
        f'<th scope="col"{kind}>{escaped(name)}</th>' for name, kind in zip(block.headers, kinds, strict=True)
    )
    rows = []
    for row in block.rows[: block.most]:
        first, *others = row
        cells = "".join(map(_cell, others, block.headers[1:], kinds[1:]))
        rows.append(f'<tr><th scope="row"{kinds[0]}>{escaped(first)}</th>{cells}</tr>')
    caption = f"<caption>{escaped(block.caption)}</caption>" if block.caption else ""
    left_out = len(block.rows) - block.most
    note = " ".join(filter(None, [f"And {left_out:,} more rows." if left_out > 0 else "", block.note]))
    name = escaped_attribute(block.caption or block.headers[0] or "table")
    # On a phone a narrow table stays one, and the rows of others are stacked.
    form = "small" if len(block.headers) <= _NARROW else "stacked"
    # It scrolls sideways if it must, so that it can have the keyboard's focus.
    return (
        f'<div class="wide" role="group" aria-label="{name}" tabindex="0"><table class="{form}">{caption}<thead>'
        f"<tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{_note(note)}"
    )


def _cell(cell: str, header: str, kind: str) -> str:
    # On a phone, where rows are stacked, each cell shows the header of its column.
    return f'<td data-label="{escaped_attribute(header)}"{kind}>{escaped(cell)}</td>'


@block_html.register
def _text(block: TextBlock, number: int = 0) -> str:
    del number
    if block.preformatted:
        return f'<pre tabindex="0">{escaped(block.text)}</pre>'
    return f"<p>{escaped(block.text)}</p>"


@block_html.register
def _plot(block: PlotBlock, number: int = 0) -> str:
    return (
        f'<figure><figcaption>{escaped(block.title)}</figcaption><div class="plot" data-number="{number}" role="img" '
        f'aria-label="{escaped_attribute(block.summary)}"></div></figure>{_note(block.note)}'
    )


@block_html.register
def _cases(block: CasesBlock, number: int = 0) -> str:
    return f'<div class="cases" data-number="{number}"><p class="note">{len(block.names):,} cases</p></div>'


@block_html.register
def _diff(block: DiffBlock, number: int = 0) -> str:
    del number
    most = max([weight or 0.0 for side in (block.before, block.after) for _, weight in side], default=0.0)
    rows = "".join(_folded(list(_diff_rows(block)), most))
    head = f'<th scope="col">before</th><th scope="col">after</th><th scope="col">{escaped(block.unit)}</th>'
    return (
        f'<div class="wide" role="group" aria-label="{escaped_attribute(block.title)}" tabindex="0">'
        f'<table class="diff"><caption>{escaped(block.title)}</caption><thead><tr>{head}'
        f'<th scope="col" class="text">line</th></tr></thead><tbody>{rows}</tbody></table></div>{_note(block.note)}'
    )


# Kind (" ", "-" or "+"), the line's number before and after, its weight, and its text as HTML.
_Row = tuple[str, int | None, int | None, float | None, str]


def _diff_rows(block: DiffBlock) -> Iterator[_Row]:
    before, after = ([text for text, _ in side] for side in (block.before, block.after))
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                yield " ", i + 1, j + 1, block.after[j][1], escaped(_cut(after[j]))
            continue
        pairs = list(zip(range(i1, i2), range(j1, j2), strict=False))
        marked = {(i, j): _words(before[i], after[j]) for i, j in pairs}
        olds = {i: old for (i, _), (old, _) in marked.items()}
        news = {j: new for (_, j), (_, new) in marked.items()}
        for i in range(i1, i2):
            yield "-", i + 1, None, block.before[i][1], olds.get(i) or escaped(_cut(before[i]))
        for j in range(j1, j2):
            yield "+", None, j + 1, block.after[j][1], news.get(j) or escaped(_cut(after[j]))


def _words(before: str, after: str) -> tuple[str, str]:
    """Both lines with the words that differ marked; lines that share little are left as they are."""
    if max(len(before), len(after)) > _LONG_LINE:
        return escaped(_cut(before)), escaped(_cut(after))
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < 0.4:
        return escaped(before), escaped(after)
    sides: tuple[list[str], list[str]] = ([], [])
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        for side, words, name in ((sides[0], old[i1:i2], "del"), (sides[1], new[j1:j2], "ins")):
            text = escaped("".join(words))
            side.append(text if tag == "equal" or not text else f"<{name}>{text}</{name}>")
    return "".join(sides[0]), "".join(sides[1])


def _cut(line: str) -> str:
    over = len(line) - _SHOWN_LINE
    return line if over <= 0 else f"{line[:_SHOWN_LINE]} … and {over:,} characters more"


def _folded(rows: Sequence[_Row], most: float) -> Iterator[str]:
    """All rows of a short diff; of a long one the changes with some lines around them."""
    changed = [at for at, row in enumerate(rows) if row[0] != " "]
    near = {at + step for at in changed for step in range(-_CONTEXT, _CONTEXT + 1)}
    hidden = 0
    for at, row in enumerate(rows):
        if len(rows) > _ALL_LINES and at not in near:
            hidden += 1
            continue
        if hidden:
            yield f'<tr class="fold"><td></td><td></td><td></td><td class="text">… {hidden:,} lines the same</td></tr>'
            hidden = 0
        yield _diff_row(row, most)
    if hidden:
        yield f'<tr class="fold"><td></td><td></td><td></td><td class="text">… {hidden:,} lines the same</td></tr>'


def _diff_row(row: _Row, most: float) -> str:
    kind, before, after, weight, text = row
    heat = 0 if weight is None or not most else round(100 * weight / most)
    shown = "" if weight is None else f"{weight:,.0f}" if weight == round(weight) else f"{weight:,.1f}"
    name = {" ": "same", "-": "old", "+": "new"}[kind]
    return (
        f'<tr class="{name}"><td>{before or ""}</td><td>{after or ""}</td>'
        f'<td class="heat" style="--heat:{heat}%">{shown}</td>'
        f'<td class="text code"><span class="sign">{kind}</span> {text}</td></tr>'
    )


def _note(text: str) -> str:
    return f'<p class="note">{escaped(text)}</p>' if text else ""


def escaped_attribute(text: str) -> str:
    """The text for an attribute, in which no element may be."""
    return _ACTIVE.sub(lambda found: found[0].encode("unicode_escape").decode(), html.escape(text))
