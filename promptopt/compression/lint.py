"""The linter: the places where a prompt could cost less, and what each is worth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from promptopt.compression.document import Document
from promptopt.compression.edit import Level
from promptopt.compression.engine import compress_document, is_prose
from promptopt.compression.rules.base import Rule, all_rules, choose_rules
from promptopt.money import cents
from promptopt.values import Usage

# The whole of a comment.
_IGNORE = re.compile(r"promptopt:\s*ignore(?P<file>-file)?\s*\[(?P<codes>[\w,\s]*)\]\s*(?P<reason>.*)", re.DOTALL)
MANY = 64
"""From this many documents on, starting processes costs less than it saves."""
UNREASONED = "PO001"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One place where a prompt could cost less.

    Attributes:
        line: Counted from 1, as is the column.
        tokens: Input tokens a call that it would save.
        monthly_usd: Dollars a month at list price; ``None`` if calls or price are unknown.
        fixable: Whether ``promptopt compress`` makes the change.
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    tokens: int = 0
    monthly_usd: Decimal | None = None
    fixable: bool = False

    @property
    def worth(self) -> tuple[Decimal, int]:
        """What it is sorted by."""
        return self.monthly_usd or Decimal(0), self.tokens


def check_document(
    document: Document, level: Level = "standard", rules: Sequence[Rule] | None = None
) -> list[Diagnostic]:
    """What is wrong with one document, in the order of its lines, without what a comment ignores."""
    if not is_prose(document.text):
        return []
    compression = compress_document(document, level, choose_rules() if rules is None else rules)
    found: dict[tuple[str, int], Diagnostic] = {}
    for edit in compression.edits:
        key = edit.rule, edit.line
        if key in found:
            found[key] = replace(found[key], tokens=found[key].tokens + edit.tokens)
        else:
            found[key] = Diagnostic(
                document.path, edit.line, edit.column, edit.rule, edit.message, edit.tokens, fixable=True
            )
    diagnostics = list(found.values())
    for finding in compression.findings:
        line, column = document.line_of(finding.start)
        diagnostics.append(Diagnostic(document.path, line, column, finding.rule, finding.message, finding.tokens))
    priced = [replace(one, monthly_usd=monthly_usd(document, one.tokens)) for one in diagnostics]
    return sorted(_not_ignored(document, priced), key=lambda one: (one.line, one.column, one.code))


def check_documents(documents: Sequence[Document], level: Level, rules: Sequence[Rule]) -> list[Diagnostic]:
    """The same for many documents, in their order; if there are many, all cores share them.

    Args:
        rules: Registered rules: another process looks them up by their codes.
    """
    if len(documents) < MANY:
        return [found for document in documents for found in check_document(document, level, rules)]
    check = partial(_check_with, level=level, codes=tuple(rule.code for rule in rules))
    with ProcessPoolExecutor() as pool:
        return [found for founds in pool.map(check, documents, chunksize=16) for found in founds]


def _check_with(document: Document, level: Level, codes: Sequence[str]) -> list[Diagnostic]:
    rules = all_rules()
    return check_document(document, level, [rules[code] for code in codes])


def by_worth(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those that save the most first; equal ones by file and line."""
    return sorted(diagnostics, key=lambda one: (-one.worth[0], -one.worth[1], one.path, one.line, one.column, one.code))


def reason_of(code: str) -> str:
    """The rule's reason, in one line."""
    return "an ignored rule needs a reason" if code == UNREASONED else all_rules()[code].reason


def _not_ignored(document: Document, diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    lines: dict[int, set[str]] = {}
    everywhere: set[str] = set()
    source = document.masks.source
    for piece in (*source.lead, *source.pieces):
        match = _IGNORE.fullmatch(source.inside(piece)) if piece.kind == "comment" else None
        if match is None:
            continue
        codes = {code for code in re.split(r"[,\s]+", match["codes"].upper()) if code}
        first, column = document.line_of(piece.start)
        if not match["reason"]:
            message = f"ignores {', '.join(sorted(codes)) or 'nothing'} without a reason: say why after the bracket"
            diagnostics = [*diagnostics, Diagnostic(document.path, first, column, UNREASONED, message)]
            continue
        if match["file"]:
            everywhere |= codes
        # A comment is about the line that it ends on and the next one.
        last = first + source.text[piece.start : piece.end].rstrip().count("\n")
        for line in range(first, last + 2):
            lines.setdefault(line, set()).update(codes)
    return [
        one
        for one in diagnostics
        if not any(one.code.startswith(code) for code in everywhere | lines.get(one.line, set()))
    ]


def monthly_usd(document: Document, tokens: int) -> Decimal | None:
    """Dollars a month that fewer tokens a call save, at list price; ``None`` if calls or price are unknown."""
    calls = document.front.calls_per_month
    price = document.price
    if calls is None or price is None:
        return None
    return price.cost(Usage(input_tokens=max(0, tokens))).total_usd * calls


def monthly(document: Document, tokens: int) -> str:
    """The same for people, such as ``$1.20``; empty if it is unknown."""
    dollars = monthly_usd(document, tokens)
    return "" if dollars is None else cents(dollars)
