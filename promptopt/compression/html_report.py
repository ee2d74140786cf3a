"""The findings of the linter as a page: by rule, place by place, and each prompt beside its shorter text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from promptopt.compression.document import Document
from promptopt.compression.edit import Level
from promptopt.compression.engine import compress_document
from promptopt.compression.lint import Diagnostic, reason_of
from promptopt.compression.rules.base import Rule
from promptopt.money import cents
from promptopt.tokens import tokenizer_for
from promptopt.webpage.blocks import DiffBlock, PageBlock, PageSection, PlotBlock, ReportPage, TableBlock, VerdictBlock

_MOST_PROMPTS = 20


def check_page(
    findings: Sequence[Diagnostic], documents: Sequence[Document], level: Level, rules: Sequence[Rule]
) -> ReportPage:
    """The page of ``promptopt check``.

    Args:
        findings: Those that save the most first.
        documents: All prompts that were looked at.
    """
    count = len(documents)
    return ReportPage(
        kind="promptopt check",
        title=f"{count:,} prompt{'s' * (count != 1)}",
        lead=[_verdict(findings)],
        sections=[
            PageSection("By rule", list(_by_rule(findings))),
            PageSection("Findings", [_table(findings)] if findings else []),
            PageSection("What compress would change", list(_changes(findings, documents, level, rules))),
        ],
    )


def _verdict(findings: Sequence[Diagnostic]) -> VerdictBlock:
    if not findings:
        return VerdictBlock("nothing found", "no rule has anything to say", (), "good")
    tokens = sum(one.tokens for one in findings)
    dollars = sum((one.monthly_usd or Decimal(0) for one in findings), Decimal(0))
    fixable = sum(one.fixable for one in findings)
    unknown = sum(one.monthly_usd is None for one in findings)
    reasons = (
        f"{tokens:,} tokens a call can be saved",
        f"{cents(dollars)} a month at list price" if dollars else "",
        f"promptopt compress makes {fixable:,} of the changes" if fixable else "",
        f"dollars of {unknown:,} are not known: no calls_per_month or no price" if unknown else "",
    )
    plural = "finding" if len(findings) == 1 else "findings"
    return VerdictBlock(f"{len(findings):,} {plural}", "", tuple(filter(None, reasons)), "mixed")


def _by_rule(findings: Sequence[Diagnostic]) -> Iterator[PageBlock]:
    codes: dict[str, list[Diagnostic]] = {}
    for one in findings:
        codes.setdefault(one.code, []).append(one)
    tokens = {code: sum(one.tokens for one in found) for code, found in codes.items()}
    ordered = sorted(codes, key=lambda code: (-tokens[code], code))
    if any(tokens.values()):
        bars = [{"label": code, "kind": "tokens", "value": tokens[code]} for code in ordered if tokens[code]]
        said = ", ".join(f"{code} {tokens[code]:,}" for code in ordered if tokens[code])
        data = {"kinds": ["tokens"], "bars": bars, "unit": "tokens a call"}
        yield PlotBlock("bars", "Tokens to save, by rule", data, said)
    if codes:
        rows = [[code, reason_of(code), f"{len(codes[code]):,}", f"{tokens[code]:,}"] for code in ordered]
        yield TableBlock(("rule", "why", "findings", "tokens a call"), rows, left=2)


def _table(findings: Sequence[Diagnostic]) -> TableBlock:
    rows = [
        [
            one.path,
            f"{one.line}:{one.column}",
            one.code,
            one.message,
            f"{one.tokens:,}" if one.tokens else "",
            "" if one.monthly_usd is None else cents(one.monthly_usd),
            "compress" if one.fixable else "by hand",
        ]
        for one in findings
    ]
    headers = ("prompt", "line", "rule", "finding", "tokens", "$ a month", "changed by")
    return TableBlock(headers, rows, texts=(2, 3, 6), note="Those that save the most come first.")


def _changes(
    findings: Sequence[Diagnostic], documents: Sequence[Document], level: Level, rules: Sequence[Rule]
) -> Iterator[PageBlock]:
    """The prompts that the compression would change, the largest saving first."""
    saved: dict[str, int] = {}
    for one in findings:
        if one.fixable:
            saved[one.path] = saved.get(one.path, 0) + one.tokens
    known = {document.path: document for document in documents}
    ordered = sorted((path for path in saved if path in known), key=lambda path: (-saved[path], path))
    for path in ordered[:_MOST_PROMPTS]:
        document = known[path]
        changed = compress_document(document, level, rules)
        if changed.text != changed.original:
            tokenizer = tokenizer_for(document.model)
            before, after = (
                [(line, float(tokenizer.count(line)) if line.strip() else None) for line in text.splitlines()]
                for text in (changed.original, changed.text)
            )
            title = f"{path}: {changed.tokens_before:,} to {changed.tokens_after:,} tokens"
            yield DiffBlock(title, before, after, note="Tokens of each line as it is written, without its variables.")
    if len(ordered) > _MOST_PROMPTS:
        left = len(ordered) - _MOST_PROMPTS
        rows = [[path, f"{saved[path]:,}"] for path in ordered[_MOST_PROMPTS:]]
        yield TableBlock(("prompt", "tokens a call to save"), rows, f"And {left} more prompts")
