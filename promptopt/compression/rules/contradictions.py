"""PO303: instructions that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.facts import plain_words
from promptopt.compression.rules.advice import finding
from promptopt.compression.rules.wording import plain
from promptopt.compression.sentences import Sentence

LEAST_WORDS = 2
LEAST_WORDS_NUMBERS = 5
_DIFFERING = frozenset({"negation", "number", "limit"})


class Contradictions:
    """Two instructions in the same words that differ in a negation or a number; reported, never merged."""

    code: ClassVar[str] = "PO303"
    name: ClassVar[str] = "contradictions"
    reason: ClassVar[str] = "a model that is told both does either"
    level: ClassVar[Level] = "safe"
    advice: ClassVar[bool] = True

    def edits(self, document: Document) -> Iterable[Edit]:
        seen: dict[frozenset[str], list[tuple[int, frozenset[tuple[str, str]]]]] = {}
        alike: dict[frozenset[str], list[Sentence]] = {}
        for sentence in document.prose:
            alike.setdefault(plain_words(plain(document, sentence)), []).append(sentence)
        paired = {sentence.start for sentences in alike.values() if len(sentences) > 1 for sentence in sentences}
        for sentence in document.prose:
            if sentence.start not in paired:
                continue
            facts = document.facts_of(sentence).facts
            words = frozenset(fact.value for fact in facts if fact.kind in ("word", "quote", "code", "placeholder"))
            if len(words) < LEAST_WORDS:
                continue
            said = frozenset((fact.kind, fact.value) for fact in facts if fact.kind in _DIFFERING)
            for place, other in seen.get(words, []):
                opposed = other != said and _opposed(other, said, len(words))
                if opposed and self._both_hold(document, place, sentence.start):
                    line, _ = document.line_of(place)
                    shown = ", ".join(sorted(value for _, value in other ^ said))
                    message = f"contradicts line {line} ({shown}): decide which holds"
                    yield from finding(document, sentence.start, self.code, message)
                    break
            seen.setdefault(words, []).append((sentence.start, said))

    def _both_hold(self, document: Document, first: int, second: int) -> bool:
        outer, inner = document.frames_at(first), document.frames_at(second)
        return document.flow_known and (inner[: len(outer)] == outer or outer[: len(inner)] == inner)


def _opposed(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]], words: int) -> bool:
    """Whether the two differ in a negation, or name different numbers."""
    negated = {kind for kind, _ in one ^ other} & {"negation"}
    numbers = [{value for kind, value in said if kind == "number"} for said in (one, other)]
    # Two short lines that name different numbers are more likely two items of a list.
    return bool(negated) or (words >= LEAST_WORDS_NUMBERS and all(numbers) and numbers[0] != numbers[1])
