"""Accept or refuse each edit: the facts around it, the code in it, its tokens, and what the whole text may lose."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.compression.facts import Fact, word_facts
from promptopt.compression.masks import MASK
from promptopt.compression.notation import same_data
from promptopt.compression.sentences import HEADING, TEXT, Sentence
from promptopt.tokens import Tokenizer

SENTENCES_LOST = 0.04
"""Share of a text's sentences that may go without being said elsewhere."""
STRUCTURE_LOST = 0.08
"""Share of a text's headings and list items that may go."""
SENTENCE, STRUCTURE = "sentence", "structure"
_CLOSED = {
    SENTENCE: "too many of the text's sentences would go, so none does",
    STRUCTURE: "too much of the text's list and heading structure would go, so none does",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the proof ledger: an edit and what became of it.

    Attributes:
        line: Line and column in the source, counted from 1.
        old: What stood there.
        new: What the rule proposes.
        tokens: Input tokens that it saves.
        facts: How many facts around it were compared.
        refused: Why it was not made; empty where it was.
    """

    rule: str
    line: int
    column: int
    old: str
    new: str
    tokens: int
    facts: int
    refused: str = ""
    message: str = ""

    @property
    def revertible(self) -> bool:
        """Whether the old text is on record: always, since a step carries both."""
        return not self.refused


@dataclass(slots=True)
class Allowance:
    """What a text may lose over all passes, and what it has lost.

    Of each kind all that is proposed goes, or none of it: were a part of it taken, the rest would be less than what a
    second run may take.

    Attributes:
        sentences: How many whole sentences may go that are said nowhere else.
        structure: How many headings and list items may go.
        closed: The kinds of which more was proposed than may go: none goes.
        spent: What has gone, by kind.
        prefix_end: Where the static prefix ends that must not shrink below the provider's minimum; 0: none such.
        prefix_tokens: Tokens that it may lose.
        why: The arithmetic.
    """

    sentences: float
    structure: float
    closed: frozenset[str] = frozenset()
    spent: Counter[str] = field(default_factory=Counter)
    prefix_end: int = 0
    prefix_tokens: int = 0
    why: str = ""

    @classmethod
    def of(cls, document: Document, closed: frozenset[str] = frozenset()) -> Allowance:
        """What ``document`` may lose."""
        marked = sum(sentence.kind != TEXT and sentence.first for sentence in document.sentences)
        return cls(SENTENCES_LOST * len(document.sentences), STRUCTURE_LOST * marked, closed)

    @property
    def exceeded(self) -> frozenset[str]:
        """The kinds of which more has gone than may."""
        limits = {SENTENCE: self.sentences, STRUCTURE: self.structure}
        return frozenset(kind for kind, limit in limits.items() if self.spent[kind] > limit)


class Guard:
    """Judges the edits of one pass over one document."""

    def __init__(self, document: Document, tokenizer: Tokenizer, allowance: Allowance) -> None:
        self._document = document
        self._count = tokenizer
        self._allowance = allowance
        self.steps: list[Step] = []
        self.accepted: list[Edit] = []

    def judge(self, edits: Iterable[Edit]) -> None:
        """Sort ``edits`` into accepted and refused ones; where two overlap, the first in the list is taken."""
        groups: dict[tuple[int, int], list[Edit]] = {}
        taken = _Ranges()
        for edit in edits:
            if not self._is_possible(edit) or self._is_closed(edit) or not taken.take(edit.start, edit.end):
                continue
            groups.setdefault(self._window(edit), []).append(edit)
        for window, group in sorted(groups.items()):
            self._judge_group(window, sorted(group, key=lambda edit: edit.start))

    def _is_possible(self, edit: Edit) -> bool:
        text = self._document.text
        if edit.new is None or not 0 <= edit.start < edit.end <= len(text) or text[edit.start : edit.end] == edit.new:
            return False
        if not self._document.is_literal(edit.start, edit.end):
            return False
        zones = list(self._document.zones_in(edit.start, edit.end))
        if edit.because is not None:
            shown = text[edit.start : edit.end].split() == text[slice(*edit.because)].split()
            return all(zone.kind not in ("jinja", "front") and (shown or zone.kind != "example") for zone in zones)
        return not zones or same_data(text[edit.start : edit.end], edit.new)

    def _window(self, edit: Edit) -> tuple[int, int]:
        """The lines of the sentence that an edit changes, or the lines that it touches."""
        text = self._document.text
        sentence = self._document.sentence_at(edit.start) or self._document.sentence_at(edit.end - 1)
        start = min(edit.start, sentence.marker) if sentence else edit.start
        end = max(edit.end, sentence.end) if sentence else edit.end
        behind = text.find("\n", end)
        return text.rfind("\n", 0, start) + 1, len(text) if behind < 0 else behind + 1

    def _judge_group(self, window: tuple[int, int], group: list[Edit]) -> None:
        useful = [(edit, saved) for edit in group if (saved := self._saved(window, [edit])) > 0]
        kept = [edit for edit, _ in useful]
        if not kept:
            return
        lost, checked = self._lost(window, kept)
        if lost and len(kept) > 1:
            kept = self._one_by_one(window, useful)
        elif lost:
            self._refuse(useful[0][0], useful[0][1], checked, f"would lose {_names(lost)}")
            kept = []
        worth = dict(useful)
        final: list[Edit] = []
        for edit in kept:
            if why := self._exceeds(edit, worth[edit]):
                self._refuse(edit, worth[edit], checked, why)
            else:
                final.append(edit)
        if final and self._saved(window, final) > 0:
            for edit in final:
                self.accepted.append(edit)
                self.steps.append(self._step(edit, worth[edit], checked))

    def _one_by_one(self, window: tuple[int, int], useful: Sequence[tuple[Edit, int]]) -> list[Edit]:
        kept: list[Edit] = []
        for edit, saved in useful:
            lost, checked = self._lost(window, [*kept, edit])
            if lost:
                self._refuse(edit, saved, checked, f"would lose {_names(lost)}")
            else:
                kept.append(edit)
        return kept

    def _saved(self, window: tuple[int, int], edits: Sequence[Edit]) -> int:
        old = self._document.text[window[0] : window[1]]
        return _count(self._count, old) - _count(self._count, apply(old, edits, window[0]))

    def _lost(self, window: tuple[int, int], edits: Sequence[Edit]) -> tuple[list[Fact], int]:
        """Facts that the edits would lose or alter, and how many were compared."""
        if all(edit.because is not None for edit in edits):
            return [], sum(self._proof(edit) for edit in edits)
        # Data in another notation are proven by themselves.
        edits = [edit for edit in edits if edit.because is None and not self._is_notation(edit)]
        if not edits:
            return [], 1
        touched = {self._document.sentence_at(edit.start) for edit in edits}
        heading = any(sentence.kind == HEADING for sentence in touched if sentence)
        window = self._narrowed(window, edits, touched)
        masked = self._document.masked[window[0] : window[1]]
        before = _window_facts(masked, heading)
        after = _window_facts(apply(masked, edits, window[0]), heading)
        if self._removes_sentence(edits):
            return [fact for fact in (before - after).elements() if fact.kind not in ("word", "structure")], len(before)
        added = [fact for fact in (after - before).elements() if fact.kind != "word"]
        return [*(before - after).elements(), *added], before.total()

    def _narrowed(
        self, window: tuple[int, int], edits: Sequence[Edit], touched: set[Sentence | None]
    ) -> tuple[int, int]:
        """The sentence alone where its lines hold nothing else but a bullet: its facts are known from elsewhere."""
        sentence = next(iter(touched))
        if sentence is None or len(touched) > 1:
            return window
        text = self._document.masked
        around = text[window[0] : sentence.start] + text[sentence.end : window[1]]
        inside = all(sentence.start <= edit.start and edit.end <= sentence.end for edit in edits)
        return (sentence.start, sentence.end) if inside and not around.strip(" \t\n-*+•>#") else window

    def _is_notation(self, edit: Edit) -> bool:
        old = self._document.text[edit.start : edit.end]
        return bool(edit.new) and same_data(old, edit.new or "")

    def _proof(self, edit: Edit) -> int:
        """How many facts of removed sentences were found in those that stay; the rule compared them."""
        return sum(len(self._document.facts_of(sentence).facts) for sentence in self._whole_sentences(edit))

    def _removes_sentence(self, edits: Sequence[Edit]) -> bool:
        return any(self._whole_sentences(edit) for edit in edits)

    def _whole_sentences(self, edit: Edit) -> list[Sentence]:
        """The sentences that an edit takes out."""
        if (edit.new or "").strip():
            return []
        sentences = self._document.sentences
        index = bisect_left(sentences, edit.start, key=lambda sentence: sentence.start)
        found = []
        while index < len(sentences) and sentences[index].end <= edit.end:
            found.append(sentences[index])
            index += 1
        return found

    def _is_closed(self, edit: Edit) -> bool:
        """Whether an edit takes out what none may go of; the edits inside it then stand for themselves."""
        for kind in self._losses(edit):
            if kind in self._allowance.closed:
                saved = self._saved(self._window(edit), [edit])
                if saved > 0:
                    self._refuse(edit, saved, self._proof(edit), _CLOSED[kind])
                return True
        return False

    def _losses(self, edit: Edit) -> Iterator[str]:
        """What the text as a whole loses by an edit."""
        for sentence in self._whole_sentences(edit):
            if edit.because is None:
                yield SENTENCE
            if sentence.kind != TEXT and sentence.first and edit.start <= sentence.marker:
                yield STRUCTURE

    def _exceeds(self, edit: Edit, saved: int) -> str:
        """Why the text as a whole cannot afford an edit; else takes it off the allowance."""
        allowance = self._allowance
        if edit.start < allowance.prefix_end:
            if allowance.prefix_tokens < saved:
                return allowance.why
            allowance.prefix_tokens -= saved
        allowance.spent.update(self._losses(edit))
        return ""

    def _refuse(self, edit: Edit, saved: int, checked: int, why: str) -> None:
        self.steps.append(replace(self._step(edit, saved, checked), refused=why))

    def _step(self, edit: Edit, saved: int, checked: int) -> Step:
        line, column = self._document.line_of(edit.start)
        old = self._document.text[edit.start : edit.end]
        return Step(edit.rule, line, column, old, edit.new or "", saved, checked, message=edit.message)


def apply(text: str, edits: Iterable[Edit], offset: int = 0) -> str:
    """``text``, which begins at ``offset`` of the document, with the edits made; edits must not overlap."""
    parts, position = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [text[position : edit.start - offset], edit.new or ""]
        position = edit.end - offset
    return "".join([*parts, text[position:]])


class _Ranges:
    """Ranges that do not overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def take(self, start: int, end: int) -> bool:
        from bisect import bisect_right

        index = bisect_right(self._starts, start)
        if index and self._ends[index - 1] > start:
            return False
        if index < len(self._starts) and self._starts[index] < end:
            return False
        self._starts.insert(index, start)
        self._ends.insert(index, end)
        return True


@lru_cache(maxsize=16384)
def _count(tokenizer: Tokenizer, text: str) -> int:
    return tokenizer.count(text)


@lru_cache(maxsize=8192)
def _window_facts(masked: str, heading: bool) -> Counter[Fact]:
    found = Counter(word_facts(masked, is_heading=heading))
    found[Fact("hole", str(masked.count(MASK)))] += 1
    return found


def _names(lost: list[Fact]) -> str:
    shown = [str(fact) for fact in dict.fromkeys(lost) if fact.kind != "word"] or [f"{fact.value!r}" for fact in lost]
    return ", ".join(shown[:3]) + (" and more" if len(shown) > 3 else "")
