"""What a reader stumbles over where an edit joined words: a witness that shares nothing with the rules.

The rules and the facts read the same tables of phrases: a wrong entry proposes an edit and calls it harmless. This
module knows the closed classes of English words and the order in which they may follow each other, and no phrase.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise

_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+|\S")
_ARTICLES = frozenset({"a", "an", "the"})
_MODALS = frozenset({"can", "could", "will", "would", "may", "might", "must", "shall", "should"})
_FINITE = _MODALS | {"is", "are", "was", "were", "has", "does"}
_SUBORDINATORS = frozenset({"if", "unless", "because", "although", "whether", "since", "while"})
_CLAUSES = (_SUBORDINATORS - {"whether"}) | {"that"}
_PREPOSITIONS = frozenset({"of", "with", "by", "from", "about", "for", "into", "at", "to", "without", "during"})
# After these a clause with its own verb follows, and "that" belongs to it.
_CONDITIONS = frozenset({"provided", "given", "granted", "supposing", "assuming", "so", "now", "except"})
_SUBJECTS = frozenset({"i", "you", "he", "she", "we", "they"})
_STOPS = frozenset(".,;:!?)")
# Written with a vowel and spoken with a consonant, and the other way round.
_SPOKEN_CONSONANT = re.compile(r"(?:uni(?!m|n)|us[aeu]|uti|ubi|eu|ewe|one\b|one-|once)")
_SPOKEN_VOWEL = re.compile(r"(?:hour|honest|honou?r|heir)")


ENCOURAGING = frozenset(
    "please kindly do your best try good luck thank thanks you very much so a lot in advance for the help time "  # noqa: SIM905
    "effort attention take deep breath and relax focus i we really truly greatly appreciate value any input well "
    "assistance work this it is super extremely important to me my career us know believe trust that can hope if "
    "helps clear makes sense job perfect answer will tip am going step by on problem cooperation hopefully".split()
)
"""A sentence of nothing but these thanks or encourages; of any other that goes, nothing may be lost."""


@dataclass(frozen=True, slots=True)
class _Check:
    """Two neighbouring words, in lower case, that English does not put beside each other, and why."""

    why: str
    is_wrong: Callable[[str, str], bool]


_CHECKS = (
    _Check("the article does not agree", lambda first, second: not _agrees(first, second)),
    _Check("an article needs a noun", lambda first, second: first in _ARTICLES and _ends_a_noun(second)),
    _Check("one modal verb follows another", lambda first, second: first in {*_MODALS, "to"} and second in _MODALS),
    _Check("a clause follows a preposition", lambda first, second: first in _PREPOSITIONS and second in _CLAUSES),
    _Check("the condition has no verb", lambda first, second: first in _CONDITIONS and second.endswith("ing")),
    _Check("a word is doubled", lambda first, second: first == second and len(first) > 1 and first.isalpha()),
    _Check("the clause has no subject", lambda first, second: first in _SUBORDINATORS and second in _FINITE),
)


def _agrees(article: str, word: str) -> bool:
    if article not in ("a", "an") or not word[0].isalpha():
        return True
    vowel = (word[0] in "aeiou" and not _SPOKEN_CONSONANT.match(word)) or _SPOKEN_VOWEL.match(word) is not None
    # Letters that are read one by one and unknown words without a vowel are not judged.
    return len(word) == 1 or not re.search("[aeiouy]", word) or vowel == (article == "an")


def _ends_a_noun(word: str) -> bool:
    return word in _ARTICLES or word in _STOPS or word in _FINITE - {"will", "can", "might", "must", "may"}


@lru_cache(maxsize=4096)
def objection(before: str, after: str) -> str:
    """What is wrong with the words that ``after`` has side by side and ``before`` has not; empty if nothing is."""
    if before == after:
        return ""
    old, new = _words(before), _words(after)
    # What they share at their beginnings and ends is beside the same words as before.
    start, end = unlike(old, new)
    begin, rest = max(0, start - 1), max(0, end - 1)
    was, now = old[begin : len(old) - rest], new[begin : len(new) - rest]
    if any(map(_wrong, now, islice(now, 1, None))):
        for first, second in Counter(pairwise(new)) - Counter(pairwise(old)):
            if why := _wrong(first, second):
                return f"would leave {f'{first} {second}'!r}: {why}"
    return "" if _ands(now) <= _ands(was) else _new_subject(old, new)


def unlike(first: Sequence[object], second: Sequence[object]) -> tuple[int, int]:
    """How many items two lists have in common at their beginnings, and at their ends after that."""
    most = min(len(first), len(second))
    start = end = 0
    while start < most and (first[start] is second[start] or first[start] == second[start]):
        start += 1
    while end < most - start and (first[-1 - end] is second[-1 - end] or first[-1 - end] == second[-1 - end]):
        end += 1
    return start, end


@lru_cache(maxsize=16384)
def _wrong(first: str, second: str) -> str:
    """What is wrong with two words side by side; empty if nothing is."""
    if _is_letters(second):
        return ""
    return next((check.why for check in _CHECKS if check.is_wrong(first.lower(), second.lower())), "")


def _new_subject(old: Sequence[str], new: Sequence[str]) -> str:
    """What is wrong if an "and" joins words that a clause of comparison or condition held: "as well as you can"."""
    was = set(pairwise(old))
    for first, second in pairwise(new):
        if first.lower() == "and" and second.lower() in _SUBJECTS and (first, second) not in was:
            return f"would leave {f'{first} {second}'!r}: a clause that depended on another is added to it"
    return ""


def _ands(words: Sequence[str]) -> int:
    return len([word for word in words if len(word) == len("and") and word.lower() == "and"])


def _is_letters(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def _words(text: str) -> list[str]:
    # No word goes on after a blank: most sentences are read again and again beside other edits.
    *before, last = text.split(". ")
    return [word for part in (*(f"{one}." for one in before), last) for word in _words_in(part)]


@lru_cache(maxsize=8192)
def _words_in(text: str) -> tuple[str, ...]:
    return tuple(_WORDS.findall(text))
