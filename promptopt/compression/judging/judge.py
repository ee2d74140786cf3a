"""Accept or refuse each edit: the facts around it, the code in it, its tokens, and what the whole text may lose."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level, apply
from promptopt.compression.facts.stated import Fact, word_facts
from promptopt.compression.judging.allowance import CLOSED, Allowance, Loss
from promptopt.compression.judging.edited_tokens import tokens_saved
from promptopt.compression.judging.fact_changes import changed_facts, facts_of_lines
from promptopt.compression.judging.whole_text import bound
from promptopt.compression.scope.instructions import gives_order
from promptopt.compression.sentences import HEADING, TEXT, Sentence
from promptopt.compression.text.notation import same_data
from promptopt.compression.witness import parser
from promptopt.compression.witness.relations import Cut, prepare, unlicensed
from promptopt.compression.witness.word_order import ENCOURAGING, objection
from promptopt.tokens import Tokenizer

_Sentences = Mapping[str, tuple[Cut, ...]]
"""Masked sentences with the edits in each."""
_IDLE = "saves no token"
_PARTED = "would leave others of its kind as they are"
_BOUNDS = frozenset({"number", "negation", "limit", "restriction", "date"})


@dataclass(frozen=True, slots=True)
class JudgedEdit:
    """One row of the edit log: an edit and what became of it.

    Attributes:
        line: Line in the source, counted from 1, as is the column.
        old: The text that the edit replaces.
        new: The replacement.
        tokens: Input tokens that it saves.
        facts: How many facts around it were compared.
        refused: Why it was not made; empty if it was.
        message: What the rule says about it.
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
        """Whether the edit was made, and can be undone with ``old``."""
        return not self.refused


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of the edits of one pass.

    Attributes:
        accepted: The edits to make; none overlaps another.
        log: All edits, accepted or refused, but those that overlap an earlier one.
        allowance: What the text may still lose.
    """

    accepted: tuple[Edit, ...]
    log: tuple[JudgedEdit, ...]
    allowance: Allowance


def judge_edits(
    document: Document,
    edits: Iterable[Edit],
    tokenizer: Tokenizer,
    allowance: Allowance,
    place: Callable[[int], tuple[int, int]],
    level: Level,
) -> Judgement:
    """Sort ``edits`` into accepted and refused ones; of two that overlap, the first in the list is taken.

    Args:
        place: Line and column in the source of a position in the document.
        level: The level of compression: what only notes may lose stays below ``telegraphic``.
    """
    judge = _Judge(document, tokenizer, allowance, place, level)
    judge.judge(edits)
    return Judgement(tuple(judge.accepted), tuple(judge.log), judge.allowance)


class _Judge:
    """Judges the edits of one pass over one document."""

    def __init__(
        self,
        document: Document,
        tokenizer: Tokenizer,
        allowance: Allowance,
        place: Callable[[int], tuple[int, int]],
        level: Level,
    ) -> None:
        self._document = document
        self._tokenizer = tokenizer
        self._place = place
        self._level: Level = level
        self.allowance = allowance
        self._english = frozenset(sentence.start for sentence in document.prose)
        self.log: list[JudgedEdit] = []
        self.accepted: list[Edit] = []

    def judge(self, edits: Iterable[Edit]) -> None:
        edits = list(edits)
        groups: dict[tuple[int, int], list[Edit]] = {}
        taken = _Ranges()
        for edit in edits:
            if why := self._impossible(edit):
                self._refuse(edit, 0, 0, why)
            elif not self._is_closed(edit) and taken.take(edit.start, edit.end):
                groups.setdefault(self._window(edit), []).append(edit)
        useful = {window: self._useful(window, group) for window, group in sorted(groups.items())}
        refused = self._objections(useful)
        whole = self._whole(edits, useful, refused)
        for window, worth in useful.items():
            refused[window].update((edit, _PARTED) for edit in worth if edit.together and edit.together not in whole)
            self._judge_group(window, worth, refused[window])

    def _whole(
        self,
        edits: Iterable[Edit],
        useful: Mapping[tuple[int, int], Mapping[Edit, int]],
        refused: Mapping[tuple[int, int], Mapping[Edit, str]],
    ) -> set[str]:
        """What those edits share that can be made all together and save tokens."""
        worth = {edit: saved for edits in useful.values() for edit, saved in edits.items() if edit.together}
        unmade = {edit for edits in refused.values() for edit in edits}
        saved: dict[str, int] = {}
        for edit in edits:
            if edit.together:
                saved[edit.together] = saved.get(edit.together, 0) + worth.get(edit, 0)
        for edit in edits:
            if edit in unmade or (edit.together and edit not in worth):
                saved.pop(edit.together, None)
        return {together for together, tokens in saved.items() if tokens > 0}

    def _useful(self, window: tuple[int, int], group: Sequence[Edit]) -> dict[Edit, int]:
        """The edits that save tokens, in order, with how many."""
        worth = {edit: self._saved(window, [edit]) for edit in sorted(group, key=lambda edit: edit.start)}
        for edit, saved in worth.items():
            if saved <= 0 and not edit.together:
                self._refuse(edit, saved, 0, _IDLE)
        return {edit: saved for edit, saved in worth.items() if saved > 0 or edit.together}

    def _impossible(self, edit: Edit) -> str:
        """Why an edit cannot be made at all; empty if it can."""
        text = self._document.text
        if not 0 <= edit.start < edit.end <= len(text):
            return "is outside of the text"
        if text[edit.start : edit.end] == edit.new:
            return "changes nothing"
        if not self._document.is_literal(edit.start, edit.end):
            return "would change an expression, a tag or a comment"
        zones = list(self._document.zones_in(edit.start, edit.end))
        if edit.because is not None:
            shown = text[edit.start : edit.end].split() == text[slice(*edit.because)].split()
            zones = [
                zone for zone in zones if zone.kind in ("jinja", "front") or (zone.kind == "example" and not shown)
            ]
        elif zones and _same_data(text[edit.start : edit.end], edit.new):
            zones = []
        if zones:
            return f"would change protected text ({zones[0].kind})"
        if not self._instructs(edit):
            return "would change text that is not known to be an instruction"
        sentence = self._reworded(edit) if edit.because is None else None
        if sentence is not None and (why := bound(self._document, edit, sentence, self._level)):
            return why
        return "would be the only order in a list of statements" if self._orders(edit) else ""

    def _orders(self, edit: Edit) -> bool:
        """Whether an edit makes an order of one item in a list of statements."""
        sentence = self._sentence_of(edit)
        if sentence is None or sentence.start not in self._document.instructed.statements:
            return False
        return gives_order(apply(self._document.masked[sentence.start : sentence.end], [edit], sentence.start))

    def _instructs(self, edit: Edit) -> bool:
        """Whether what an edit changes is said to the model, as far as its level asks: blanks and data need not be."""
        text = self._document.text[edit.start : edit.end]
        known = self._document.instructed
        if edit.because is not None:
            # A passage that is there twice, or the label of a section under its heading.
            gone = self._whole_sentences(edit)
            return any(one.start in known.strict for one in gone) or text.rstrip(" *_\n").endswith(":")
        sentence = self._reworded(edit)
        if sentence is None:
            return True
        starts = known.loose if self._level == "telegraphic" else known.strict
        # Thanks and encouragement say nothing themselves: the sentence beside them tells to whom they are said.
        beside = self._beside(sentence) if self._whole_sentences(edit) else []
        return any(one.start in starts for one in [sentence, *beside])

    def _reworded(self, edit: Edit) -> Sentence | None:
        """The sentence of which an edit changes words; ``None`` for blanks between them, or data in another form."""
        sentence = self._document.sentence_at(edit.start) or self._document.sentence_at(edit.end - 1)
        return None if _same_data(self._document.text[edit.start : edit.end], edit.new) else sentence

    def _beside(self, sentence: Sentence) -> Sequence[Sentence]:
        """The sentences before and after one."""
        index = bisect_left(self._document.sentences, sentence.start, key=lambda one: one.start)
        return self._document.sentences[max(0, index - 1) : index + 2]

    def _window(self, edit: Edit) -> tuple[int, int]:
        """The lines of the sentence that an edit changes, or the lines that it touches."""
        text = self._document.text
        sentence = self._document.sentence_at(edit.start) or self._document.sentence_at(edit.end - 1)
        start = min(edit.start, sentence.marker) if sentence else edit.start
        end = max(edit.end, sentence.end) if sentence else edit.end
        newline = text.find("\n", end)
        return text.rfind("\n", 0, start) + 1, len(text) if newline < 0 else newline + 1

    def _objections(self, useful: Mapping[tuple[int, int], Iterable[Edit]]) -> dict[tuple[int, int], dict[Edit, str]]:
        """Why edits of each window may not be made. Windows take turns: what all of them need is parsed at once."""
        found: dict[tuple[int, int], dict[Edit, str]] = {window: {} for window in useful}
        turns = [self._weighed(window, list(edits), found[window]) for window, edits in useful.items()]
        while turns:
            asked = [(turn, next(turn, None)) for turn in turns]
            turns = [turn for turn, sentences in asked if sentences is not None]
            prepare(one for _, sentences in asked if sentences for one in sentences.items())
        return found

    def _weighed(
        self, window: tuple[int, int], edits: Sequence[Edit], refused: dict[Edit, str]
    ) -> Iterator[_Sentences]:
        """Note why edits of one window may not be made; gives what is to be parsed before it goes on."""
        why = yield from self._objection(window, edits)
        if why and len(edits) == 1:
            refused[edits[0]] = why
        elif why:
            # Each is judged together with those before it that stay.
            kept: list[Edit] = []
            for edit in edits:
                if why := (yield from self._objection(window, [*kept, edit])):
                    refused[edit] = why
                else:
                    kept.append(edit)

    def _judge_group(self, window: tuple[int, int], worth: Mapping[Edit, int], refused: Mapping[Edit, str]) -> None:
        checked = self._compared(window, list(worth))
        for edit, why in refused.items():
            self._refuse(edit, worth[edit], checked, why)
        if edits := [edit for edit in worth if edit not in refused]:
            self._make(window, edits, worth, checked)

    def _make(self, window: tuple[int, int], edits: Sequence[Edit], worth: Mapping[Edit, int], checked: int) -> None:
        """Accept the edits of one window that the text as a whole can afford."""
        allowance, final = self.allowance, []
        for edit in edits:
            if why := allowance.refusal(edit, worth[edit]):
                self._refuse(edit, worth[edit], checked, why)
            else:
                final.append(edit)
                allowance = allowance.after(edit, worth[edit], self._losses(edit))
        if final and self._saved(window, final) <= 0 and not any(edit.together for edit in final):
            for edit in final:
                self._refuse(edit, worth[edit], checked, "saves no token beside the other edits of its line")
        elif final:
            self.allowance = allowance
            self.accepted += final
            self.log += [self._judged(edit, worth[edit], checked) for edit in final]

    def _saved(self, window: tuple[int, int], edits: Sequence[Edit]) -> int:
        return tokens_saved(self._tokenizer, self._document.text[window[0] : window[1]], edits, window[0])

    def _objection(self, window: tuple[int, int], edits: Sequence[Edit]) -> Generator[_Sentences, None, str]:
        """Why the edits may not be made together; empty if they may. Gives what is to be parsed before it goes on.

        Repetitions are compared by the rule that finds them, data in another notation by reading them back. All other
        edits lose no fact that is read without a parser, or a licence covers what they lose.
        """
        edits = [edit for edit in edits if edit.because is None and not self._is_notation(edit)]
        if not edits:
            return ""
        masked = self._document.masked[window[0] : window[1]]
        if why := objection(masked, apply(masked, edits, window[0])):
            return why
        if self._level != "telegraphic" and any(map(self._is_article, edits)):
            return "only notes drop articles"
        parsed = self._cuts(edits) if parser.available() else {}
        if parsed:
            yield parsed
        for sentence, cuts in parsed.items():
            if why := unlicensed(sentence, cuts, self._level):
                lost = [fact for fact in self._lost(window, edits) if fact.kind != "word"]
                return f"would lose {_names(lost)}" if lost else why
        licensed = [edit for edit in edits if parsed and self._sentence_of(edit) is not None]
        lost = self._lost(window, [edit for edit in edits if edit not in licensed])
        # Two proofs are better than one: what a licence covers is no number and no bound.
        bounds = {(fact.kind, fact.value): fact for fact in self._lost(window, licensed) if fact.kind in _BOUNDS}
        if bounds:
            masked = apply(masked, licensed, window[0])
            said = {(fact.kind, fact.value) for fact in word_facts(masked)}
            lost += [fact for key, fact in bounds.items() if key not in said]
        return f"would lose {_names(lost)}" if lost else ""

    def _cuts(self, edits: Sequence[Edit]) -> _Sentences:
        """The sentences in which edits change words, masked, with the edits in each."""
        found: dict[Sentence, list[Cut]] = {}
        for edit in edits:
            sentence = self._sentence_of(edit)
            if sentence is not None and edit.because is None and not self._is_notation(edit):
                found.setdefault(sentence, []).append(
                    (edit.start - sentence.start, edit.end - sentence.start, edit.new)
                )
        masked = self._document.masked
        return {masked[sentence.start : sentence.end]: tuple(sorted(cuts)) for sentence, cuts in found.items()}

    def _sentence_of(self, edit: Edit) -> Sentence | None:
        """The English sentence inside of which an edit is."""
        sentence = self._document.sentence_at(edit.start)
        inside = (
            sentence is not None
            and edit.end <= sentence.end
            and (edit.start, edit.end) != (sentence.start, sentence.end)
        )
        return sentence if inside and sentence is not None and sentence.start in self._english else None

    def _is_article(self, edit: Edit) -> bool:
        old = self._document.text[edit.start : edit.end].split()
        return not edit.new.strip() and [word.lower() for word in old] in (["a"], ["an"], ["the"])

    def _compared(self, window: tuple[int, int], edits: Sequence[Edit]) -> int:
        """How many facts the edits are held against."""
        if edits and all(edit.because is not None for edit in edits):
            return sum(self._facts_in(edit) for edit in edits)
        if not edits:
            return 0
        start, end = self._narrowed(window, edits)
        return len(facts_of_lines(self._document.masked[start:end], False))

    def _lost(self, window: tuple[int, int], edits: Sequence[Edit]) -> list[Fact]:
        """Facts that the edits would lose or alter."""
        if not edits:
            return []
        heading = any(sentence.kind == HEADING for sentence in self._touched(edits) if sentence)
        window = self._narrowed(window, edits)
        masked = self._document.masked[window[0] : window[1]]
        gone, added = changed_facts(masked, apply(masked, edits, window[0]), heading)
        if any(map(self._whole_sentences, edits)):
            return [fact for fact in gone if fact.kind != "structure" and fact.value not in ENCOURAGING]
        return [*gone, *(fact for fact in added if fact.kind != "word")]

    def _touched(self, edits: Sequence[Edit]) -> set[Sentence | None]:
        return {self._document.sentence_at(edit.start) for edit in edits}

    def _narrowed(self, window: tuple[int, int], edits: Sequence[Edit]) -> tuple[int, int]:
        """The sentence alone if its lines contain nothing else but a bullet: its facts are often known already."""
        touched = self._touched(edits)
        sentence = next(iter(touched))
        if sentence is None or len(touched) > 1:
            return window
        text = self._document.masked
        around = text[window[0] : sentence.start] + text[sentence.end : window[1]]
        inside = all(sentence.start <= edit.start and edit.end <= sentence.end for edit in edits)
        return (sentence.start, sentence.end) if inside and not around.strip(" \t\n-*+•>#") else window

    def _is_notation(self, edit: Edit) -> bool:
        return bool(edit.new) and _same_data(self._document.text[edit.start : edit.end], edit.new)

    def _facts_in(self, edit: Edit) -> int:
        """How many facts the removed sentences state; the rule found them in those that stay."""
        return sum(len(self._document.facts_of(sentence).facts) for sentence in self._whole_sentences(edit))

    def _whole_sentences(self, edit: Edit) -> list[Sentence]:
        """The sentences that an edit takes out."""
        if edit.new.strip():
            return []
        sentences = self._document.sentences
        index = bisect_left(sentences, edit.start, key=lambda sentence: sentence.start)
        found = []
        while index < len(sentences) and sentences[index].end <= edit.end:
            found.append(sentences[index])
            index += 1
        return found

    def _is_closed(self, edit: Edit) -> bool:
        """Whether an edit takes out what none may go of; it is refused, and edits inside it are judged alone."""
        closed = next((kind for kind in self._losses(edit) if kind in self.allowance.closed), None)
        if closed is None:
            return False
        saved = self._saved(self._window(edit), [edit])
        self._refuse(edit, saved, self._facts_in(edit), CLOSED[closed] if saved > 0 else _IDLE)
        return True

    def _losses(self, edit: Edit) -> Iterator[Loss]:
        """What the text as a whole loses by an edit."""
        for sentence in self._whole_sentences(edit):
            if edit.because is None:
                yield "sentence"
            if sentence.kind != TEXT and sentence.first and edit.start <= sentence.marker:
                yield "structure"

    def _refuse(self, edit: Edit, saved: int, checked: int, why: str) -> None:
        self.log.append(replace(self._judged(edit, saved, checked), refused=why))

    def _judged(self, edit: Edit, saved: int, checked: int) -> JudgedEdit:
        line, column = self._place(edit.start)
        old = self._document.text[edit.start : edit.end]
        return JudgedEdit(edit.rule, line, column, old, edit.new, saved, checked, message=edit.message)


class _Ranges:
    """Ranges that do not overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def take(self, start: int, end: int) -> bool:
        index = bisect_right(self._starts, start)
        if index and self._ends[index - 1] > start:
            return False
        if index < len(self._starts) and self._starts[index] < end:
            return False
        self._starts.insert(index, start)
        self._ends.insert(index, end)
        return True


_same_data = lru_cache(maxsize=4096)(same_data)


def _names(lost: list[Fact]) -> str:
    shown = [str(fact) for fact in dict.fromkeys(lost) if fact.kind != "word"] or [f"{fact.value!r}" for fact in lost]
    return ", ".join(shown[:3]) + (" and more" if len(shown) > 3 else "")
