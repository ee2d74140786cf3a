"""What some lines say before an edit and after it, compared where the two differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from promptopt.compression.facts.stated import Fact, word_facts
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.witness.word_order import unlike

# Between two sentences that share no fact: no scope, name, date or list goes on after such a stop.
_APART = re.compile(r"\.(?<=[a-z]{3}\.)(?P<blanks>[ \t\n]+)(?=[A-Z])")


def facts_of_lines(masked: str, heading: bool) -> tuple[Fact, ...]:
    """The facts of some lines, sentence by sentence: most sentences are read again and again beside other edits."""
    found: list[Fact] = []
    position = 0
    for blanks in _APART.finditer(masked):
        found += word_facts(masked[position : blanks.start("blanks")], is_heading=heading)
        position = blanks.end()
    found += word_facts(masked[position:], is_heading=heading)
    return (*found, _hole(masked.count(MASK)))


@lru_cache(maxsize=1024)
def _hole(characters: int) -> Fact:
    return Fact("hole", str(characters))


# What is refused in one pass is proposed again in the next.
@lru_cache(maxsize=4096)
def changed_facts(before: str, after: str, heading: bool) -> tuple[Sequence[Fact], Sequence[Fact]]:
    """The facts that the first text states more often than the second, and the other way round, each in their order."""
    first, second = facts_of_lines(before, heading), facts_of_lines(after, heading)
    start, end = unlike(first, second)
    old, new = first[start : len(first) - end], second[start : len(second) - end]
    if not old and not new:
        return (), ()
    gone, added = Counter(old), Counter(new)
    return _ordered(gone - added, before, heading), _ordered(added - gone, after, heading)


def _ordered(facts: Counter[Fact], text: str, heading: bool) -> tuple[Fact, ...]:
    """Some facts of a text in the order in which it states them."""
    if len(facts) > 1:
        order = [*word_facts(text, is_heading=heading), *facts_of_lines(text, heading)]
        return tuple(fact for fact in sorted(facts, key=order.index) for _ in range(facts[fact]))
    return tuple(facts.elements())
