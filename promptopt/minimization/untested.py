"""Facts of a prompt that no case exercises: taking them out changes no answer, so that nothing can say what they do."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from promptopt.minimization.choices import Reduced
from promptopt.minimization.oracle import Oracle
from promptopt.minimization.units import Unit

_WORD = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True, slots=True)
class Untested:
    """A unit that states a fact, and that no answer depends on.

    Attributes:
        cases: How many cases were asked with it and without it.
    """

    unit: Unit
    cases: int


def find_untested(oracle: Oracle, choice: Reduced, cases: Sequence[int]) -> list[Untested]:
    """Of the units that a choice takes out and that state a fact, those whose return changes no answer.

    They are put back all together first: only the answers that change then can depend on one of them.

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
    changed = [case for case in cases if oracle.answers_differ(choice, together, case)]
    if oracle.variant(together) is None:
        changed = list(cases)
    elif len(telling) == 1:
        return [] if changed else [Untested(telling[0], len(cases))]
    # What cannot be put back by itself, such as half of what a structured answer is made of, is not known to be tested.
    alone = {unit.id: oracle.variant(choice.minus([unit.id])) is not None for unit in telling}
    return [
        Untested(unit, len(cases) if alone[unit.id] else 0)
        for unit in telling
        if not (alone[unit.id] and _matters(oracle, choice, unit, changed))
    ]


def _matters(oracle: Oracle, choice: Reduced, unit: Unit, cases: Collection[int]) -> bool:
    """Whether one answer changes if a unit is put back; cases that use its words come first."""
    words = set(_WORD.findall(unit.text.lower()))

    def shared(case: int) -> int:
        return -len(words & set(_WORD.findall(str(oracle.bench.suite.cases[case].vars).lower())))

    without = choice.minus([unit.id])
    for case in sorted(cases, key=shared):
        oracle.ask(choice, [case])
        oracle.ask(without, [case])
        if oracle.answers_differ(choice, without, case):
            return True
    return False
