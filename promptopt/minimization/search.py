"""Delta debugging with a noisy oracle: what can be taken out of a prompt, coarse groups first, with few answers.

Zeller and Hildebrandt ("Simplifying and Isolating Failure-Inducing Input", IEEE TSE 2002) halve what may go until each
part is known to go or to stay. Here a test is not one run but cases, asked until they say enough: a part that loses too
much is dropped by a test that holds at every look, or when it cannot come back; one that seems to lose nothing is taken
out for now, and the whole is looked at again with all cases of the search. Nothing here is a proof, so nothing here
costs any of the 5%: that is :mod:`promptopt.minimization.confirmation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from promptopt.experiment.racing import looks
from promptopt.minimization.choices import Move, Reduced
from promptopt.minimization.oracle import OutOfMoney
from promptopt.minimization.tried import Outcome, Prospect, SearchOracle, Tried
from promptopt.minimization.worth import FEWEST, LITTLE, hides_losses, is_lost, likely_to_pass, worth_of

_GROWTH = 5
# Cases of a dropped group that its parts are asked first, and how many of them decide alone.
_SUSPECTS, _DECIDING = 8, 4
# Taken out for now if so many margins of cases lost nothing: nearly all such samples show a loss of three margins.
_PROVISIONAL = 3.0
# How often something is put back at once, and by how many cases it is found.
_MOST_REPAIRS, _BLAMING = 6, 12
# How often all that stayed is tried once more.
_MOST_RETRIES = 4
# Of fewer units that stayed, to keep one is to take out one or two.
_FEWEST_TO_KEEP_ONE = 3
# Shares of the margin that may seem to be lost: in all at most, and by one part.
_MUCH, _HARDLY = 0.75, 0.25


@dataclass
class Reduction:
    """A search on its way, and what it has found.

    Attributes:
        cases: The search's part of the suite, in a random order.
        margin: Quality that may be lost, 0 to 1.
        groups: Units that belong together, coarse ones first.
        steps: Choices, each of which costs less than the one before; the first is the prompt as it is.
        stopped: Why the search ended before its end; empty if it did not.
    """

    oracle: SearchOracle
    cases: Sequence[int]
    margin: float
    groups: Sequence[tuple[str, ...]]
    tokens: dict[str, float]
    on_tried: Callable[[Tried], None] | None = None
    steps: list[Reduced] = field(default_factory=lambda: [Reduced()])
    tried: list[Tried] = field(default_factory=list)
    stopped: str = ""
    _lost: list[Reduced] = field(default_factory=list)
    _seen: set[Reduced] = field(default_factory=set)
    _alone: set[tuple[Reduced, str]] = field(default_factory=set)
    _spending: bool = False

    @property
    def current(self) -> Reduced:
        """What is taken out for now."""
        return self.steps[-1]

    @property
    def provisional(self) -> int:
        """After so many cases without a loss something is taken out for now."""
        return min(len(self.cases), max(FEWEST, math.ceil(_PROVISIONAL / self.margin)))

    def run(self, moves: Sequence[Sequence[Move]], units: Sequence[str], last: Sequence[Sequence[Move]] = ()) -> None:
        """Make the moves that save something, then take out what can go, then look at the whole again.

        Args:
            moves: Those of each axis, the cheapest first.
            last: Likewise, those that are made when it is known what went.
        """
        try:
            self._move(moves)
            if units:
                self._reduce(tuple(units), ())
                # What is lost beside a version that is better than the prompt may still be within what may be lost.
                self._spending = True
                self._keep_one(units)
                self._retry(units)
                while self._exchange(units):
                    self._retry(units)
            self._move(last)
            self.oracle.ask(Reduced(), self.cases)
            self._repair(self.cases)
        except OutOfMoney:
            self.stopped = "at the limit of dollars"

    def _move(self, moves: Sequence[Sequence[Move]]) -> None:
        for axis in moves:
            for move in axis:
                if self._try((), (move.id,), ()) is None:
                    break

    def go_on(self, steps: Sequence[Reduced], moves: Sequence[Sequence[Move]]) -> None:
        """Make moves on a choice that something was put back in: they may save there what they did not without it.

        Args:
            steps: That choice, after those that cost more.
            moves: Those of each axis, the cheapest first.
        """
        self.steps = [Reduced(), *steps]
        try:
            self._move(moves)
        except OutOfMoney:
            self.stopped = "at the limit of dollars"

    def improve(self, moves: Sequence[Move]) -> None:
        """Make moves that save nothing, if answers seem to be better by half the margin with them."""
        try:
            for move in moves:
                choice = self.current.plus(moves=[move.id])
                if self.oracle.variant(choice) is None:
                    continue
                self._ask(choice, self.cases)
                values = self.oracle.differences(choice, self.current, self.cases)
                better = not np.isnan(values).all() and float(np.nanmean(values)) >= LITTLE * self.margin
                self._note(choice, (), (move.id,), "done" if better else "loses", self.cases)
                if better:
                    self.steps.append(choice)
        except OutOfMoney:
            self.stopped = "at the limit of dollars"

    def prospects(self, cases: int) -> list[Prospect]:
        """Each step with what it saves and how likely so many cases confirm it."""
        found = []
        for step in self.steps[1:]:
            both = self._common(step)
            saved = self.oracle.spend(Reduced(), both) - self.oracle.spend(step, both)
            known = saved[~np.isnan(saved)]
            if len(known):
                values = self.oracle.differences(step, Reduced(), both)
                found.append(Prospect(step, float(known.mean()), likely_to_pass(values, self.margin, cases)))
        return found

    def _reduce(self, group: tuple[str, ...], suspects: Sequence[int]) -> None:
        lost = self._try(group, (), suspects)
        if lost is None or len(group) == 1:
            return
        for part in self._halves(group):
            self._reduce(part, lost)

    def _retry(self, units: Sequence[str]) -> None:
        """Try each unit that stayed once more: what is lost without it alone may not be lost without the others."""
        seen = set[Reduced]()
        # What comes out one after the other and is put back again would go on for ever.
        while self.current not in seen and len(seen) < _MOST_RETRIES:
            seen.add(self.current)
            for unit in sorted(units, key=lambda unit: -self.tokens[unit]):
                if unit not in self.current.removed and self._is_new(unit):
                    self._try((unit,), (), ())

    def _keep_one(self, units: Sequence[str]) -> None:
        """Try to keep one unit of those that stayed: what loses in halves may be held by one sentence."""
        left = [unit for unit in units if unit not in self.current.removed]
        if len(left) < _FEWEST_TO_KEEP_ONE:
            return
        for kept in sorted(left, key=lambda unit: self.tokens[unit]):
            others = tuple(unit for unit in left if unit != kept)
            if self._attempt(self.current.plus(others), others) is not None:
                return

    def _exchange(self, units: Sequence[str]) -> bool:
        """Take out a unit that stayed for a cheaper one that went, if that wins back what is lost without it."""
        for unit in sorted((unit for unit in units if unit not in self.current.removed), key=lambda u: -self.tokens[u]):
            alone = self.current.plus([unit])
            known = set(self.oracle.asked(self.current))
            both = [case for case in self._common(alone) if case in known]
            values = self.oracle.differences(alone, self.current, both) if both else np.zeros(0)
            lost = [case for case, value in zip(both, values, strict=True) if value < 0][:_SUSPECTS]
            cheaper = [other for other in self.current.removed if self.tokens[other] < self.tokens[unit]]
            for other in sorted(cheaper, key=lambda other: (self.tokens[other], other)) if lost else ():
                choice = alone.minus([other])
                if self._asked_before(choice) or self.oracle.variant(choice) is None:
                    continue
                self._ask(choice, lost)
                still = int((self.oracle.differences(choice, self.current, lost) < 0).sum())
                if 2 * still <= len(lost) and self._attempt(choice, (unit,), (other,)) is not None:
                    return True
        return False

    def _asked_before(self, choice: Reduced) -> bool:
        return choice in self._seen

    def _attempt(self, choice: Reduced, units: tuple[str, ...], returned: tuple[str, ...] = ()) -> Reduced | None:
        """Take another choice for the current one if nothing seems to be lost by it, whatever is known of others."""
        self._repair(self._common(self.current))
        if self._asked_before(choice) or self.oracle.variant(choice) is None:
            return None
        outcome, asked, probed = self._judged(choice, ())
        self._note(choice, units, (), outcome, asked, probed, returned)
        if outcome != "done":
            self._lost += [choice] * (outcome == "loses")
            return None
        self.steps.append(choice)
        return choice

    def _is_new(self, unit: str) -> bool:
        """Whether a unit was never tried alone beside what is out, and is not known to lose there."""
        return (self.current, unit) not in self._alone and self.current.plus([unit]) not in self._lost

    def _halves(self, group: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Two parts of about the same cost, no group cut where that can be helped; the one that costs more first."""
        blocks: list[tuple[str, ...]] = []
        left = list(group)
        for known in self.groups:
            inside = tuple(unit for unit in known if unit in left)
            if 1 < len(inside) < len(group):
                blocks.append(inside)
                left = [unit for unit in left if unit not in inside]
        blocks += [(unit,) for unit in left]
        blocks.sort(key=lambda block: group.index(block[0]))
        costs = np.cumsum([sum(self.tokens[unit] for unit in block) for block in blocks])
        cut = min(range(1, len(blocks)), key=lambda number: abs(costs[-1] - 2 * costs[number - 1]))
        parts = [tuple(unit for block in each for unit in block) for each in (blocks[:cut], blocks[cut:])]
        yield from sorted(parts, key=lambda part: -sum(self.tokens[unit] for unit in part))

    def _try(self, units: tuple[str, ...], moves: tuple[str, ...], suspects: Sequence[int]) -> list[int] | None:
        """Take something out if nothing seems to be lost by it.

        Returns:
            ``None`` if it went; else the cases that lost something.
        """
        self._repair(self._common(self.current))
        choice = self.current.plus(units, moves)
        # Of a single unit that is not inferred: the loss of the group may have been chance.
        if len(units) != 1 and any(choice.includes(known) for known in self._lost):
            self._note(choice, units, moves, "known to lose")
            return list(suspects)
        if self.oracle.variant(choice) is None:
            self._note(choice, units, moves, "cannot be made")
            return list(suspects)
        outcome, asked, probed = self._judged(choice, suspects)
        if outcome == "done" and len(units) > 1 and self._hides(choice, asked):
            # One part does harm, and another is needed: together they seem to lose nothing.
            outcome = "trades"
        self._note(choice, units, moves, outcome, asked, probed)
        if outcome == "done":
            self.steps.append(choice)
            return None
        if outcome == "loses":
            self._lost.append(choice)
        # What is lost by what is out already says nothing of this part.
        values = self.oracle.differences(choice, self.current, asked)
        return [case for case, value in zip(asked, values, strict=True) if value < 0] or list(suspects)

    def _judged(self, choice: Reduced, suspects: Sequence[int]) -> tuple[Outcome, list[int], bool]:
        """What becomes of a choice, the cases that said so, and whether these are suspects."""
        probes = list(suspects)[:_SUSPECTS]
        if len(probes) >= _DECIDING:
            # Most of the cases that lost with the group lose with this part of it: what mattered is in here.
            self._ask(choice, probes)
            if (self.oracle.differences(choice, self.current, probes) < 0).sum() >= max(_DECIDING, len(probes) - 1):
                return "loses", probes, True
        for upto in looks(len(self.cases), _GROWTH):
            asked = list(self.cases[:upto])
            self._ask(choice, asked)
            others = (Reduced(), self.current) if self._spending else (self.current,)
            both = (self.oracle.differences(choice, other, asked) for other in others)
            if all(is_lost(values[~np.isnan(values)], self.margin) for values in both):
                return "loses", asked, False
            saves = self._saves(choice, asked)
            if upto >= self.provisional and not saves:
                return "costs more", asked, False
            if upto >= self.provisional and self._seems_kept(choice, asked):
                return "done", asked, False
        return "loses", list(self.cases), False

    def _hides(self, choice: Reduced, cases: Sequence[int]) -> bool:
        values = self.oracle.differences(choice, self.current, cases)
        return hides_losses(values[~np.isnan(values)], self.margin)

    def _ask(self, choice: Reduced, cases: Sequence[int]) -> None:
        for each in (Reduced(), self.current, choice):
            self.oracle.ask(each, cases)

    def _seems_kept(self, choice: Reduced, cases: Sequence[int]) -> bool:
        """Whether little is lost in all, or not much and nothing by this part: the prompt may have been lucky."""
        lost, here = (
            -float(np.nanmean(values)) if not np.isnan(values).all() else math.inf
            for values in (self.oracle.differences(choice, other, cases) for other in (Reduced(), self.current))
        )
        if here <= _HARDLY * self.margin:
            return lost <= _MUCH * self.margin
        return lost <= LITTLE * self.margin and (len(cases) == len(self.cases) or here <= LITTLE * self.margin)

    def _saves(self, choice: Reduced, cases: Sequence[int]) -> bool:
        spend, before = self.oracle.spend(choice, cases), self.oracle.spend(self.current, cases)
        both = ~np.isnan(spend) & ~np.isnan(before)
        return bool(both.any()) and float((before - spend)[both].mean()) > 0

    def _note(
        self, choice: Reduced, units: tuple[str, ...], moves: tuple[str, ...], outcome: Outcome,
        asked: Sequence[int] = (), suspects: bool = False, returned: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        tried = Tried(choice, self.current, units, moves, outcome, len(asked), suspects, returned=returned)
        if asked:
            values = self.oracle.differences(choice, Reduced(), asked)
            known = values[~np.isnan(values)]
            tried = replace(tried, lost=int((known < 0).sum()))
            if len(known) and not suspects:
                marginal, low, high = worth_of(self.oracle.differences(choice, self.current, asked))
                mean = float(known.mean())
                tried = replace(tried, difference=mean, marginal=marginal, low=low, high=high)
        self.tried.append(tried)
        self._seen.add(choice)
        if len(units) == 1:
            self._alone.add((tried.before, *units))
        if self.on_tried is not None:
            self.on_tried(tried)

    def _common(self, choice: Reduced) -> list[int]:
        """The cases that a choice and the prompt have answers to."""
        known = set(self.oracle.asked(Reduced())) & set(self.oracle.asked(choice))
        return [case for case in self.cases if case in known]

    def _repair(self, cases: Sequence[int]) -> None:
        """Put back what the losses of some cases come from, if there are too many of them."""
        for _ in range(_MOST_REPAIRS):
            if len(self.steps) == 1 or len(cases) < self.provisional:
                return
            self.oracle.ask(self.current, cases)
            values = self.oracle.differences(self.current, Reduced(), cases)
            known = values[~np.isnan(values)]
            if not len(known) or known.mean() >= -_MUCH * self.margin:
                return
            lost = [case for case, value in zip(cases, values, strict=True) if value < 0][:_BLAMING]
            self._lost.append(self.current)
            self._put_back(*self._blamed(lost))

    def _blamed(self, lost: Sequence[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What to put back for most of the lost cases to be won again: a unit, or a move."""
        gains = []
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            self.oracle.ask(before, lost)
            self.oracle.ask(after, lost)
            gains.append(float(np.nansum(self.oracle.differences(before, after, lost))))
        worst = int(np.argmax(gains))
        before, after = self.steps[worst], self.steps[worst + 1]
        # Of the same cost the later ones come first: in no order, a search that is run again would ask something else.
        order = list(self.tokens)
        group = sorted(after.removed - before.removed, key=lambda unit: (-self.tokens[unit], -order.index(unit)))
        if not group:
            return (), tuple(after.moves - before.moves)
        while len(group) > 1:
            half = group[: len(group) // 2], group[len(group) // 2 :]
            won = []
            for part in half:
                trial = self.current.minus(part)
                self.oracle.ask(trial, lost)
                won.append(float(np.nansum(self.oracle.differences(trial, self.current, lost))))
            group = half[0] if won[0] >= won[1] else half[1]
        return (group[0],), ()

    def _put_back(self, units: tuple[str, ...], moves: tuple[str, ...]) -> None:
        steps = [Reduced(each.removed - set(units), each.moves - set(moves)) for each in self.steps]
        # What was made in another order may not be possible with something put back.
        self.steps = [each for each in dict.fromkeys(steps) if self.oracle.variant(each) is not None]
