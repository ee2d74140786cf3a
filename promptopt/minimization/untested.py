"""Facts of a prompt that no case exercises: nothing can say what they do, as no answer is shown to depend on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from promptopt.experiment.runs import Answered
from promptopt.minimization.choices import Reduced
from promptopt.minimization.oracle import Oracle, said_in
from promptopt.minimization.units import Unit

_WORD = re.compile(r"[^\W\d_]{4,}")
# An answer that changes by chance changes alike in another version with a chance of 1/4 at most: p (1 - p), if p is how
# often it is this answer. Of so many cases one does it in so many versions with a chance of 12 / 4^4 = 4.7% at most.
_VERSIONS, _MOST_BY_CHANCE = 4, 12
# Of so many units some come back.
_MOST_BACK = 8

_Shown = Callable[[Answered], object]


@dataclass(frozen=True, slots=True)
class Untested:
    """A unit that states a fact, and that no answer is shown to depend on.

    Attributes:
        cases: How many cases were asked with it and without it.
    """

    unit: Unit
    cases: int


def find_untested(oracle: Oracle, choice: Reduced, cases: Sequence[int]) -> list[Untested]:
    """Of the units that a choice takes out and that state a fact, those whose return changes no answer for sure.

    They are put back all together first: only the answers that change then can depend on one of them. With most models
    any edit changes some answers, so that one counts only if it changes with the unit in other versions too.

    Raises:
        OutOfMoney: The answers may cost more than is left.
    """
    gone = [unit for unit in oracle.bench.units.units if unit.id in choice.removed and unit.telling]
    # What is in a field that went comes back with that alone.
    telling = [unit for unit in gone if oracle.bench.holds(choice, unit.id)]
    if not telling:
        return []
    together = choice.minus([unit.id for unit in telling])
    oracle.ask(choice, cases)
    oracle.ask(together, cases)
    changed = [case for case in cases if _changes(oracle, choice, together, case, said_in)]
    if oracle.variant(together) is None:
        changed = list(cases)
    # What cannot be put back by itself, such as half of what a structured answer is made of, is not known to be tested.
    alone = {unit.id: oracle.variant(choice.minus([unit.id])) is not None for unit in telling}
    return [
        Untested(unit, len(cases) if alone[unit.id] else 0)
        for unit in telling
        if not (alone[unit.id] and _is_tested(oracle, choice, unit, changed))
    ]


def _is_tested(oracle: Oracle, choice: Reduced, unit: Unit, cases: Collection[int]) -> bool:
    """Whether an answer depends on a unit; cases that use its words come first."""
    words = set(_WORD.findall(unit.text.lower()))

    def shared(case: int) -> int:
        return -len(words & set(_WORD.findall(str(oracle.bench.suite.cases[case].vars).lower())))

    without, by_chance = choice.minus([unit.id]), 0
    for case in sorted(cases, key=shared):
        oracle.ask(choice, [case])
        oracle.ask(without, [case])
        if not _changes(oracle, choice, without, case, said_in):
            continue
        if _changes_always(oracle, choice, unit.id, case):
            return True
        by_chance += 1
        if by_chance == _MOST_BY_CHANCE:
            break
    return False


def _changes_always(oracle: Oracle, choice: Reduced, unit: str, case: int) -> bool:
    """Whether an answer changes in the same way with a unit if other units go or come back too."""
    # Words differ from version to version where an answer is free text; whether it passes need not.
    shown: _Shown = _passes if _changes(oracle, choice, choice.minus([unit]), case, _passes) else said_in
    own = [_seen(oracle, each, case, shown) for each in (choice, choice.minus([unit]))]
    asked = {_digest(oracle, each, case) for each in (choice, choice.minus([unit]))}
    versions = 0
    for other in _alike(oracle, choice, unit):
        pair = (other, other.minus([unit]))
        if any(oracle.variant(each) is None for each in pair):
            continue
        digests = {_digest(oracle, each, case) for each in pair}
        # Of a branch that the case does not take, nothing is in what is asked.
        if len(digests) < len(pair) or digests & asked:
            continue
        asked |= digests
        for each, known in zip(pair, own, strict=True):
            oracle.ask(each, [case])
            seen = _seen(oracle, each, case, shown)
            if seen and not any(value in known for value in seen):
                return False
        if not all(_seen(oracle, each, case, shown) for each in pair):
            continue
        if not _changes(oracle, *pair, case, shown):
            return False
        versions += 1
        if versions == _VERSIONS:
            return True
    return False


def _alike(oracle: Oracle, choice: Reduced, unit: str) -> Iterator[Reduced]:
    """Versions that differ little: units that went come back, such as state no fact first; then others go."""
    units = [each for each in oracle.bench.units.units if each.id != unit]
    gone = sorted((each for each in units if each.id in choice.removed), key=lambda each: each.telling)
    for count in (1, 2, 3):
        for back in combinations(gone[:_MOST_BACK], count):
            yield choice.minus([each.id for each in back])
    for each in units:
        if each.id not in choice.removed:
            yield choice.plus([each.id])


def _changes(oracle: Oracle, choice: Reduced, other: Reduced, case: int, shown: _Shown) -> bool:
    """Whether two choices have no answer in common. Calls that failed show nothing."""
    one, two = (_seen(oracle, each, case, shown) for each in (choice, other))
    return bool(one) and bool(two) and not any(value in two for value in one)


def _seen(oracle: Oracle, choice: Reduced, case: int, shown: _Shown) -> list[object]:
    return [shown(trial) for trial in oracle.trials_of(choice, case) if isinstance(trial, Answered)]


def _passes(trial: Answered) -> object:
    return trial.passed


def _digest(oracle: Oracle, choice: Reduced, case: int) -> str:
    variant = oracle.variant(choice)
    assert variant is not None
    return oracle.bench.request(variant, case).digest
