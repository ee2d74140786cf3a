"""The linter: what makes a prompt dear, place by place, with what each place is worth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from promptopt.compression.api import is_prose
from promptopt.compression.document import Document
from promptopt.compression.edit import Level
from promptopt.compression.engine import compress_document
from promptopt.compression.rules.base import Rule, all_rules, choose_rules
from promptopt.compression.savings import monthly_usd

_IGNORE = re.compile(
    r"\{#-?\s*promptopt:\s*ignore(?P<file>-file)?\s*\[(?P<codes>[\w,\s]*)\]\s*(?P<reason>.*?)\s*-?#\}", re.DOTALL
)
MANY = 64
"""From this many documents on, starting processes costs less than it saves."""
UNREASONED = "PO001"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that a prompt could be cheaper at.

    Attributes:
        line: Counted from 1, as is the column.
        tokens: Input tokens a call that it would save.
        monthly_usd: Dollars a month at list price; ``None`` without calls or a price.
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


def check_document(document: Document, level: Level = "standard", rules: Sequence[Rule] | None = None) -> list[Finding]:
    """The findings of one document, in the order of its lines; those that a comment ignores are left out."""
    if not is_prose(document.text):
        return []
    compression = compress_document(document, level, choose_rules() if rules is None else rules)
    found: dict[tuple[str, int], Finding] = {}
    for step in compression.ledger:
        key = step.rule, step.line
        if key in found:
            found[key] = replace(found[key], tokens=found[key].tokens + step.tokens)
        else:
            found[key] = Finding(
                document.path, step.line, step.column, step.rule, step.message, step.tokens, fixable=True
            )
    findings = list(found.values())
    for edit in compression.findings:
        line, column = document.line_of(edit.start)
        findings.append(Finding(document.path, line, column, edit.rule, edit.message, edit.tokens))
    priced = [replace(one, monthly_usd=monthly_usd(document, one.tokens)) for one in findings]
    return sorted(_not_ignored(document, priced), key=lambda one: (one.line, one.column, one.code))


def check_documents(documents: Sequence[Document], level: Level, rules: Sequence[Rule]) -> list[Finding]:
    """The findings of many documents, in their order; where there are many, all cores share them."""
    check = partial(check_document, level=level, rules=rules)
    if len(documents) < MANY:
        return [finding for document in documents for finding in check(document)]
    with ProcessPoolExecutor() as pool:
        return [finding for found in pool.map(check, documents, chunksize=16) for finding in found]


def by_worth(findings: Iterable[Finding]) -> list[Finding]:
    """The dearest first; equal ones by file and line."""
    return sorted(findings, key=lambda one: (-one.worth[0], -one.worth[1], one.path, one.line, one.column, one.code))


def reason_of(code: str) -> str:
    """The rule's reason, in one line."""
    return "an ignored rule needs a reason" if code == UNREASONED else all_rules()[code].reason


def _not_ignored(document: Document, findings: list[Finding]) -> list[Finding]:
    lines: dict[int, set[str]] = {}
    everywhere: set[str] = set()
    for match in _IGNORE.finditer(document.text):
        codes = {code for code in re.split(r"[,\s]+", match["codes"].upper()) if code}
        first, column = document.line_of(match.start())
        if not match["reason"]:
            message = f"ignores {', '.join(sorted(codes)) or 'nothing'} without a reason: say why behind the bracket"
            findings = [*findings, Finding(document.path, first, column, UNREASONED, message)]
            continue
        if match["file"]:
            everywhere |= codes
        # On its own line a comment speaks of the next one, else of its own.
        last = document.line_of(match.end() - 1)[0]
        for line in range(first, last + 2):
            lines.setdefault(line, set()).update(codes)
    return [
        one
        for one in findings
        if not any(one.code.startswith(code) for code in everywhere | lines.get(one.line, set()))
    ]
