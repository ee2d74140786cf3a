"""From a document and rules to a compression: passes of proposed, judged and applied edits until nothing is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level, includes
from promptopt.compression.judge import Allowance, Guard, Step, apply
from promptopt.compression.other_delimiters import marks
from promptopt.compression.rules.base import Rule, choose_rules
from promptopt.compression.rules.by_sentence import is_by_sentence
from promptopt.templates.source import same_code
from promptopt.tokens import tokenizer_for

MAX_PASSES = 20
"""Each pass makes the text shorter; real prompts need two to four."""


@dataclass(frozen=True, slots=True)
class Compression:
    """A shorter text, and the proof of every change.

    Attributes:
        text: The compressed text.
        original: What it was.
        level: At which level.
        tokens_before: Input tokens of the original text (of a template: of its source).
        tokens_after: Input tokens of ``text``.
        ledger: Every edit that was made, in order.
        refused: Every edit that was not, with the reason.
        findings: What only a person can act on.
    """

    text: str
    original: str
    level: Level
    tokens_before: int
    tokens_after: int
    ledger: tuple[Step, ...] = ()
    refused: tuple[Step, ...] = ()
    findings: tuple[Edit, ...] = ()

    @property
    def tokens_saved(self) -> int:
        return self.tokens_before - self.tokens_after

    def __str__(self) -> str:
        return self.text


def compress_document(
    document: Document, level: Level = "standard", rules: Sequence[Rule] | None = None
) -> Compression:
    """Apply the rules of ``level`` to a document until they propose nothing more that holds.

    Rules apply in the order of their codes, whatever order they are given in: the result depends on the set alone.
    """
    rules = sorted(choose_rules() if rules is None else rules, key=lambda rule: rule.code)
    tokenizer = tokenizer_for(document.model)
    before = tokenizer.count(document.text)
    active = [rule for rule in rules if includes(level, rule.level)]
    # A rule that is not applied may still have something to report.
    asked = [rule for rule in rules if rule in active or not is_by_sentence(rule)]
    proposed = {rule.code: list(rule.edits(document)) for rule in asked}
    findings = tuple(edit for edits in proposed.values() for edit in edits if edit.new is None)
    unchanged = Compression(document.text, document.text, level, before, before, (), (), findings)
    if "\r" in document.text:
        return _with_line_ends(document, level, rules) or unchanged
    ledger, refused, text = _passes(document, active, proposed)
    after = tokenizer.count(text)
    if after >= before or not same_code(document.text, text) or marks(document.text) != marks(text):
        return replace(unchanged, refused=tuple(refused))
    return replace(unchanged, text=text, tokens_after=after, ledger=tuple(ledger), refused=tuple(refused))


def _passes(
    document: Document, rules: Sequence[Rule], proposed: Mapping[str, list[Edit]]
) -> tuple[list[Step], list[Step], str]:
    """The steps made, the steps refused and the text, after as many passes as change something."""
    from promptopt.compression.cliff import guard_prefix

    closed: frozenset[str] = frozenset()
    while True:
        allowance = guard_prefix(document, Allowance.of(document, closed))
        ledger, refused, text = _passes_within(allowance, document, rules, proposed)
        if not allowance.exceeded:
            return ledger, refused, text
        closed |= allowance.exceeded


def _passes_within(
    allowance: Allowance, document: Document, rules: Sequence[Rule], proposed: Mapping[str, list[Edit]]
) -> tuple[list[Step], list[Step], str]:
    ledger: list[Step] = []
    refused: dict[tuple[str, str, str], Step] = {}
    tokenizer = tokenizer_for(document.model)
    current = document
    back = _Back()
    rules = [rule for rule in rules if not getattr(rule, "advice", False)]
    for _ in range(MAX_PASSES):
        guard = Guard(current, tokenizer, allowance)
        # The first pass is over the document that findings were read from.
        guard.judge(
            edit for rule in rules for edit in (proposed[rule.code] if current is document else rule.edits(current))
        )
        for judged in guard.steps:
            step = back.placed(judged, document, current)
            if step.refused:
                refused.setdefault((step.rule, step.old, step.new), step)
            else:
                ledger.append(step)
        if not guard.accepted or allowance.exceeded:
            break
        text = apply(current.text, guard.accepted)
        back.add(guard.accepted)
        allowance.prefix_end = _moved(allowance.prefix_end, guard.accepted)
        ranges = [(edit.start, edit.end, len(edit.new or "")) for edit in guard.accepted]
        current = replace(current, text=text, source=current.masks.source.edited(text, ranges))
    return ledger, list(refused.values()), current.text


def _moved(position: int, edits: Sequence[Edit]) -> int:
    return position - sum(edit.end - edit.start - len(edit.new or "") for edit in edits if edit.end <= position)


def _before(edits: Sequence[Edit], position: int) -> int:
    """Where what stands at ``position`` after the edits, which are in order, stood before them."""
    shift = 0
    for edit in edits:
        start = edit.start - shift
        if start > position:
            break
        if position < start + len(edit.new or ""):
            # Inside what an edit wrote: where it began.
            return edit.start
        shift += edit.end - edit.start - len(edit.new or "")
    return position + shift


class _Back:
    """From a place in the text of a later pass to the line of the source."""

    def __init__(self) -> None:
        self._passes: list[list[Edit]] = []

    def add(self, edits: Sequence[Edit]) -> None:
        self._passes.append(sorted(edits, key=lambda edit: edit.start))

    def placed(self, step: Step, document: Document, current: Document) -> Step:
        if not self._passes:
            return step
        position = current._line_starts[step.line - 1] + step.column - 1
        for edits in reversed(self._passes):
            position = _before(edits, position)
        line, column = document.line_of(min(position, len(document.text)))
        return replace(step, line=line, column=column)


def _with_line_ends(document: Document, level: Level, rules: Sequence[Rule]) -> Compression | None:
    """The compression of a text with ``\\r\\n`` line ends; ``None`` for mixed ends, which are left alone."""
    text = document.text
    if text.count("\r\n") != text.count("\n") or text.count("\r") != text.count("\n"):
        return None
    inner = compress_document(replace(document, text=text.replace("\r\n", "\n")), level, rules)
    tokenizer = tokenizer_for(document.model)
    after = inner.text.replace("\n", "\r\n")
    return replace(
        inner,
        text=after,
        original=text,
        tokens_before=tokenizer.count(text),
        tokens_after=tokenizer.count(after),
    )
