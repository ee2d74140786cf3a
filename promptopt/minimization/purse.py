"""The dollars of a search: what was spent, what answers cost so far, and what is kept for the confirmation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from promptopt.experiment.runs import Answered, Trial
from promptopt.experiment.variant import Variant
from promptopt.minimization.choices import Reduced

# Of fewer cases lengths are not known. What answers cost so far is taken three standard errors higher, and a tenth.
_FEWEST_SEEN, _ERRORS, _MORE = 20, 3.0, 1.1
# So many cases at the end of the confirmation are kept at their most, so that it is not one call at a time.
_LAST = 4


@dataclass(slots=True)
class _Seen:
    cases: int = 0
    total: float = 0.0
    squares: float = 0.0

    def likely(self) -> Decimal | None:
        """Dollars that a case hardly costs more than, on average."""
        if self.cases < _FEWEST_SEEN:
            return None
        mean = self.total / self.cases
        error = math.sqrt(max(0.0, self.squares / self.cases - mean**2) / self.cases)
        return Decimal(str(_MORE * (mean + _ERRORS * error)))


class Purse:
    """What may be spent, and on what.

    Attributes:
        limit: Dollars that may be spent; ``None``: no limit.
        spent: Dollars of this run.
        paid: Whether live calls are paid at all.
    """

    def __init__(self, limit: Decimal | None, paid: bool) -> None:
        self.limit, self.paid = limit, paid
        self.spent = Decimal(0)
        self._seen: dict[Reduced, _Seen] = {}
        self._models: dict[Reduced, str] = {}
        self._held: tuple[int, Decimal] = (0, Decimal(0))
        self._most = Decimal(0)

    def see(self, choice: Reduced, variant: Variant, cases: Sequence[Sequence[Trial]]) -> None:
        """Take what answers cost at the answering model's price, whether they were recorded or not."""
        if variant.live_price is None:
            return
        self._models[choice] = variant.model
        seen = self._seen.setdefault(choice, _Seen())
        for trials in cases:
            answered = [trial for trial in trials if isinstance(trial, Answered)]
            if len(answered) == len(trials):
                cost = float(sum(variant.live_price.cost(trial.usage).total_usd for trial in answered))
                seen.cases, seen.total, seen.squares = seen.cases + 1, seen.total + cost, seen.squares + cost**2

    def likely(self, choice: Reduced, model: str) -> Decimal | None:
        """Dollars of a case of a choice, by its answers or those of the prompt; ``None`` if neither is known enough."""
        for each in (choice, Reduced()):
            if self._models.get(each) == model and (found := self._seen[each].likely()) is not None:
                return found
        return None

    def hold(self, cases: int, usd: Decimal) -> None:
        """Keep dollars for so many cases, which cost ``usd`` at most."""
        self._held = cases, usd

    @property
    def held(self) -> Decimal:
        """What is kept: by the lengths of the prompt's answers, once they are known, else by their caps."""
        cases, most = self._held
        likely = self._seen[Reduced()].likely() if Reduced() in self._seen else None
        return most if likely is None else min(most, cases * likely + _LAST * self._most)

    @property
    def left(self) -> Decimal | None:
        """Dollars that may be spent now; ``None``: no limit."""
        return None if self.limit is None or not self.paid else self.limit - self.spent - self.held

    def affordable(self, choice: Reduced, model: str, highs: Sequence[Decimal]) -> int:
        """How many of some cases may be asked now, if each costs as much as it can; 0 if they will hardly all be paid.

        Args:
            highs: The most that each of the cases costs.
        """
        left = self.left
        if left is None:
            return len(highs)
        self._most = max([self._most, *highs])
        left = self.left or Decimal(0)
        asked = [high for high in highs if high]
        likely = self.likely(choice, model)
        if sum(asked) > left and (likely is None or likely * len(asked) > left):
            return 0
        paid, total = 0, Decimal(0)
        for high in highs:
            total += high
            if total > left:
                break
            paid += 1
        return paid
