"""One paragraph of a prompt and what a model makes of it: why that is refused, and which of its sentences are not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from promptopt.compression.guard.asked import asked_in
from promptopt.compression.guard.deviation import Deviation, would
from promptopt.compression.guard.losses import added_by_rewrite, lost_in_rewrite
from promptopt.templates.source import same_code

LEAST_SENTENCES = 2
MOST_PAIRS = 900
# A rewrite is shorter; what is so many times as long is an answer that runs away, and is not read.
_TOO_LONG = 3
"""Sentences of a passage times those of its rewrite beyond which no part of a refused rewrite is tried."""
# After a full stop, before a list item, at an empty line.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\sa-z])|\n(?=[ \t]*(?:[-*•#]|\d+[.)])[ \t])|\n\s*\n")


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """What the guard says of a rewrite. A reason is the rest of a sentence that begins with "it"; empty: there is none.

    Attributes:
        unfit: Why it is none: it is not shorter, or its code is another.
        deviations: What it loses or adds.
    """

    unfit: str = ""
    deviations: tuple[Deviation, ...] = ()

    @property
    def refusal(self) -> str:
        """Why it is not taken if nobody reads it."""
        return self.unfit or would(self.deviations)

    @property
    def certain_refusal(self) -> str:
        """Why it is not taken, whoever reads it."""
        return self.unfit or would(one for one in self.deviations if one.is_certain)

    @property
    def suspicions(self) -> tuple[Deviation, ...]:
        """What whoever reads it has to decide."""
        return tuple(one for one in self.deviations if not one.is_certain)


@dataclass(frozen=True, slots=True)
class RewrittenParagraph:
    """A paragraph in its prompt, against which rewrites of it are judged.

    Attributes:
        text: The whole prompt.
        start: Where the paragraph begins in it.
        end: Where it ends.
        count: Tokens of a text.
    """

    text: str
    start: int
    end: int
    count: Callable[[str], int]

    @property
    def old(self) -> str:
        return self.text[self.start : self.end]

    def replaced_by(self, new: str) -> str:
        """The prompt with ``new`` in the paragraph's place."""
        return self.text[: self.start] + new + self.text[self.end :]

    def judged(self, new: str) -> GuardVerdict:
        """What the guard says of ``new`` in the paragraph's place."""
        if not new or self.count(new) >= self.count(self.old):
            return GuardVerdict("is not shorter")
        # "from {{ a }} to {{ b }}" is another request the other way round.
        if not same_code(self.text, self.replaced_by(new)):
            return GuardVerdict("would change a tag or an expression, or their order")
        return GuardVerdict("", _deviations(self.old, new, self.replaced_by("\n\n")))

    def kept_sentences(self, new: str, objected: Callable[[str, str, Sequence[Deviation]], bool]) -> str:
        """The paragraph with the sentences of a refused rewrite that may be taken, each in the place of its own.

        Args:
            objected: Whether one that would take the place of another is not to be taken, given what differs.
        """
        parts, offered = _sentences(self.old), _sentences(new)
        if len(new) > _TOO_LONG * len(self.old):
            return self.old
        if len(parts) < LEAST_SENTENCES or len(parts) * len(offered) > MOST_PAIRS:
            return self.old
        mixed = ""
        for first, second, mine, its in _aligned(parts, offered):
            was, now = "".join(parts[first:second]), "".join(offered[mine:its])
            end_of = was[len(was.rstrip()) :]
            now = now.rstrip() + end_of if now.strip() else ""
            # What the paragraph says elsewhere is known, as it is from the rest of the prompt.
            rest = self.replaced_by("\n\n" + "".join((*parts[:first], *parts[second:])) + "\n\n")
            fine = len(now) < len(was) and not objected(was, now, _deviations(was, now, rest))
            mixed += now if fine else was
        return mixed


def _deviations(was: str, now: str, rest: str) -> tuple[Deviation, ...]:
    return (*lost_in_rewrite(was, now, rest), *added_by_rewrite(was, now))


def _sentences(text: str) -> list[str]:
    """The sentences, each with the blanks that follow it."""
    ends = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if text[start:end]]


def _aligned(parts: Sequence[str], offered: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Runs of sentences that say the same, in order: the most alike of up to three of the original to up to two.

    Returns:
        For each run: first and end in the original, first and end in the rewrite.
    """
    old, new = ([asked_in(part).concepts for part in parts] for parts in (parts, offered))
    best: dict[tuple[int, int], tuple[float, list[tuple[int, int, int, int]]]] = {(0, 0): (0.0, [])}
    for i, j in product(range(len(parts) + 1), range(len(offered) + 1)):
        for first, mine in product(range(max(0, i - 3), i), range(max(0, j - 2), j + 1)):
            if (first, mine) not in best:
                continue
            left, right = frozenset().union(*old[first:i]), frozenset().union(*new[mine:j])
            alike = 2 * len(left & right) / max(1, len(left) + len(right))
            score = best[first, mine][0] + alike * (i - first + j - mine) ** 0.9
            if score > best.get((i, j), (-1.0, []))[0]:
                best[i, j] = (score, [*best[first, mine][1], (first, i, mine, j)])
    return best.get((len(parts), len(offered)), (0.0, []))[1]
