"""What a race left out, why, and what that saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptopt.money import dollars

if TYPE_CHECKING:
    from promptopt.experiment.racing import Lead, RaceRules


@dataclass(frozen=True, slots=True)
class Stopped:
    """A variant that a race did not ask of every case.

    Attributes:
        asked: How many cases it was asked of, and ``cases``: of how many.
        unasked: Calls that were not needed, and ``unsent``: those of them that would have been sent, being not
            recorded.
        by: The label of the variant that dominates it; ``None``: it is the baseline, and no other was left.
        lead: What was shown of that one.
    """

    asked: int
    cases: int
    unasked: int
    unsent: int
    by: str | None = None
    lead: Lead | None = None


@dataclass(frozen=True, slots=True)
class StoppedVariant:
    """A variant that was stopped; ``usd_per_call`` is its mean list cost so far, ``None`` if it is unpriced."""

    label: str
    stopped: Stopped
    usd_per_call: float | None


@dataclass(frozen=True, slots=True)
class Race:
    """What a race saved.

    Attributes:
        calls: Calls there would have been without it.
        variants: Those that were not asked of every case.
    """

    rules: RaceRules
    calls: int
    variants: tuple[StoppedVariant, ...] = ()

    @property
    def unasked(self) -> int:
        """Calls that were not needed."""
        return sum(each.stopped.unasked for each in self.variants)

    @property
    def unsent(self) -> int:
        """Those of them that would have been sent; the others are recorded."""
        return sum(each.stopped.unsent for each in self.variants)

    @property
    def saved_usd(self) -> float | None:
        """List cost of the calls that were not needed, if they cost what those before cost; ``None`` if unpriced."""
        costs = [_times(each.usd_per_call, each.stopped.unasked) for each in self.variants]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def unspent_usd(self) -> float | None:
        """The part of it that would have been paid."""
        costs = [_times(each.usd_per_call, each.stopped.unsent) for each in self.variants]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if not self.variants:
            yield f"race: no variant is shown to be dominated; all {self.calls:,} calls were needed"
            return
        paid = f"{self.unsent:,} of them would have been sent" if self.unsent else "none of them would have been sent"
        yield (
            f"race: {self.unasked:,} of {self.calls:,} calls were not needed, "
            f"about {dollars(self.saved_usd)} at list cost; {paid}"
        )
        for each in self.variants:
            stopped = each.stopped
            yield f"  {each.label}: asked of {stopped.asked:,} of {stopped.cases:,} cases; {self._why(stopped)}"
        confidence = f"{(1 - self.rules.level) * 100:g}%"
        yield f"  at {confidence}, over all variants and looks, no variant is dropped that none dominates"

    def _why(self, stopped: Stopped) -> str:
        lead = stopped.lead
        if lead is None:
            return "no other variant is left"
        quality = f"at least {lead.quality * 100 + 0.0:+.1f} points"
        if lead.better:
            costs = f"not costlier (within {self.rules.cost_margin * 100:g}%)"
            return f"{stopped.by} is better ({quality}) and {costs}{_unbounded(lead)}"
        less = "" if lead.usd is None else f" (at least {dollars(lead.usd * 1000)} per 1,000 calls)"
        return f"{stopped.by} is cheaper{less} and not worse ({quality}){_unbounded(lead)}"

    def to_dict(self) -> dict[str, object]:
        """The documented form in ``--json``."""
        return {
            "level": self.rules.level,
            "calls": self.calls,
            "unasked": self.unasked,
            "unsent": self.unsent,
            "saved_usd": _rounded(self.saved_usd),
            "unspent_usd": _rounded(self.unspent_usd),
            "stopped": [
                {
                    "prompt": each.label,
                    "asked": each.stopped.asked,
                    "cases": each.stopped.cases,
                    "by": each.stopped.by,
                    "because": None if lead is None else "better" if lead.better else "cheaper",
                    "quality_at_least": None if lead is None else _rounded(lead.quality),
                    "usd_less_at_least": None if lead is None else _rounded(lead.usd),
                }
                for each in self.variants
                for lead in [each.stopped.lead]
            ],
        }


def _times(usd: float | None, calls: int) -> float | None:
    return 0.0 if not calls else None if usd is None else usd * calls


def _unbounded(lead: Lead) -> str:
    return "" if lead.usd is not None else "; no max_output_tokens bounds its answers, so that longer ones may come"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 10) + 0.0
