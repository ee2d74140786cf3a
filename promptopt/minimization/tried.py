"""What a search asks, what it has tried, and what may be confirmed of that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from promptopt.experiment.bounds import Floats
from promptopt.minimization.choices import Reduced

Outcome = Literal["done", "loses", "trades", "costs more", "cannot be made", "known to lose"]
"""What became of a choice; one that trades loses in some cases what it wins in others, and is tried in parts."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One choice that was asked about.

    Attributes:
        units: What it took out beside what had been taken out before; ``moves`` likewise.
        cases: How many cases said so.
        suspects: Whether these are cases that a larger group lost, which says nothing about the others: its means are
            not known then. ``lost`` of them were lost again.
        difference: Mean quality less the prompt's, -1 to 1, over those cases; ``nan`` if it is not known.
        marginal: Mean quality less that of the choice before, ``low`` and ``high`` its 95% interval at every look.
        returned: Units that it put back in exchange.
    """

    choice: Reduced
    before: Reduced
    units: tuple[str, ...]
    moves: tuple[str, ...]
    outcome: Outcome
    cases: int = 0
    suspects: bool = False
    lost: int = 0
    difference: float = math.nan
    marginal: float = math.nan
    low: float = -1.0
    high: float = 1.0
    returned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prospect:
    """What may be confirmed.

    Attributes:
        saved: What a call costs less, as the oracle counts costs.
        passes: How likely it is to be shown not worse, 0 to 1, after what the search has seen.
    """

    choice: Reduced
    saved: float
    passes: float


class SearchOracle(Protocol):
    """What a search asks; see :class:`promptopt.minimization.oracle.Oracle`."""

    def variant(self, choice: Reduced) -> object | None:
        """``None`` if a choice cannot be made."""

    def ask(self, choice: Reduced, cases: Sequence[int]) -> None:
        """Have the answers to some cases."""

    def asked(self, choice: Reduced) -> list[int]:
        """The cases that a choice has answers to."""

    def differences(self, choice: Reduced, other: Reduced, cases: Sequence[int]) -> Floats:
        """Quality of one less that of another, -1 to 1; ``nan`` if it is not known."""

    def spend(self, choice: Reduced, cases: Sequence[int]) -> Floats:
        """What a call costs in each case; ``nan`` if it is not known."""
