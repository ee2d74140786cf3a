"""From a document and rules to a compression: passes of proposed, judged and applied edits until nothing is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from promptopt.compression.cliff import prefix_limit
from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Finding, Level, includes
from promptopt.compression.judge import Allowance, JudgedEdit, Loss, apply, judge_edits
from promptopt.compression.other_delimiters import marks
from promptopt.compression.rules.base import BySentence, ReportsOnly, Rule, choose_rules, proposals
from promptopt.templates.source import same_code
from promptopt.tokens import tokenizer_for

MAX_PASSES = 20
"""Each pass makes the text shorter; real prompts need two to four."""


@dataclass(frozen=True, slots=True)
class Compression:
    """A shorter text, and the log of every change.

    Attributes:
        text: The compressed text.
        original: The text before.
        level: The level it was compressed at.
        tokens_before: Input tokens of the original text (of a template: of its source).
        tokens_after: Input tokens of ``text``.
        edits: Every edit that was made, in order.
        refused: Edits that were not made, with the reason; the same change of the same words is listed once.
        findings: Places that only a person can change.
    """

    text: str
    original: str
    level: Level
    tokens_before: int
    tokens_after: int
    edits: tuple[JudgedEdit, ...] = ()
    refused: tuple[JudgedEdit, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def tokens_saved(self) -> int:
        return self.tokens_before - self.tokens_after

    def __str__(self) -> str:
        return self.text


def compress_document(
    document: Document, level: Level = "standard", rules: Sequence[Rule] | None = None
) -> Compression:
    """Apply the rules of ``level`` to a document until no proposed edit is accepted.

    Rules apply in the order of their codes, whatever order they are given in: the result depends on the set alone.

    Raises:
        UsageError: A rule of another package fails.
    """
    rules = sorted(choose_rules() if rules is None else rules, key=lambda rule: rule.code)
    tokenizer = tokenizer_for(document.model)
    before = tokenizer.count(document.text)
    active = [rule for rule in rules if includes(level, rule.level)]
    # A rule that is not applied may still have something to report.
    asked = [rule for rule in rules if rule in active or not isinstance(rule, BySentence)]
    proposed = {rule.code: proposals(rule, document) for rule in asked}
    findings = tuple(one for ones in proposed.values() for one in ones if isinstance(one, Finding))
    unchanged = Compression(document.text, document.text, level, before, before, findings=findings)
    if "\r" in document.text:
        return _with_line_ends(document, level, rules) or unchanged
    editing = [rule for rule in active if not isinstance(rule, ReportsOnly)]
    outcome = _all_passes(document, editing, proposed)
    after = tokenizer.count(outcome.text)
    refused = outcome.still_refused()
    if after >= before or not same_code(document.text, outcome.text) or marks(document.text) != marks(outcome.text):
        return replace(unchanged, refused=refused)
    return replace(unchanged, text=outcome.text, tokens_after=after, edits=outcome.made, refused=refused)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of all passes.

    Attributes:
        exceeded: Kinds of which more went than may: the outcome is void.
    """

    text: str
    made: tuple[JudgedEdit, ...]
    refused: tuple[JudgedEdit, ...]
    exceeded: frozenset[Loss]

    def still_refused(self) -> tuple[JudgedEdit, ...]:
        """The first of the refused edits that change the same words, without those that a later pass made."""
        made = {(edit.rule, edit.line, edit.column) for edit in self.made}
        found: dict[tuple[str, str, str], JudgedEdit] = {}
        for edit in self.refused:
            if (edit.rule, edit.line, edit.column) not in made:
                found.setdefault((edit.rule, edit.old, edit.new), edit)
        return tuple(found.values())


_Proposed = Mapping[str, Sequence[Edit | Finding]]


def _all_passes(document: Document, rules: Sequence[Rule], proposed: _Proposed) -> _Outcome:
    """As many passes as change something; again without what of which more went than may."""
    prefix = prefix_limit(document)
    closed: frozenset[Loss] = frozenset()
    while True:
        outcome = _passes(document, rules, proposed, Allowance.of(document, closed, prefix))
        if not outcome.exceeded:
            return outcome
        closed |= outcome.exceeded


def _passes(document: Document, rules: Sequence[Rule], proposed: _Proposed, allowance: Allowance) -> _Outcome:
    """Passes over a document; ``proposed`` is what its rules propose for the first."""
    tokenizer = tokenizer_for(document.model)
    current, origin = document, _Origin(document)
    log: list[JudgedEdit] = []
    for _ in range(MAX_PASSES):
        edits = [
            one
            for rule in rules
            for one in (proposed[rule.code] if current is document else proposals(rule, current))
            if isinstance(one, Edit)
        ]
        judgement = judge_edits(current, edits, tokenizer, allowance, origin.line_of)
        allowance = judgement.allowance.moved(judgement.accepted)
        log += judgement.log
        if not judgement.accepted or allowance.exceeded:
            break
        text = apply(current.text, judgement.accepted)
        ranges = [(edit.start, edit.end, len(edit.new)) for edit in judgement.accepted]
        current = replace(current, text=text, source=current.masks.source.edited(text, ranges))
        origin = origin.after(judgement.accepted)
    made = tuple(edit for edit in log if not edit.refused)
    return _Outcome(current.text, made, tuple(edit for edit in log if edit.refused), allowance.exceeded)


@dataclass(frozen=True, slots=True)
class _Origin:
    """The way back from a position in the text of a later pass to the line of the source."""

    document: Document
    passes: tuple[tuple[Edit, ...], ...] = ()

    def after(self, edits: Sequence[Edit]) -> _Origin:
        """The way back from the text in which ``edits`` were made."""
        return replace(self, passes=(*self.passes, tuple(sorted(edits, key=lambda edit: edit.start))))

    def line_of(self, position: int) -> tuple[int, int]:
        for edits in reversed(self.passes):
            position = _before(edits, position)
        return self.document.line_of(min(position, len(self.document.text)))


def _before(edits: Sequence[Edit], position: int) -> int:
    """The position before the edits, which are in order, of what is at ``position`` after them."""
    shift = 0
    for edit in edits:
        start = edit.start - shift
        if start > position:
            break
        if position < start + len(edit.new):
            # Inside the replacement of an edit: the beginning of the edit.
            return edit.start
        shift += edit.end - edit.start - len(edit.new)
    return position + shift


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
