"""Dollars of calls: what one cost, and what it may cost at worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from promptopt.config import Config
from promptopt.gateway.call import Answer, Call, UsageBasis
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.failures import MAYBE_BILLED, CallFailed
from promptopt.gateway.openai.events import counted_usage
from promptopt.gateway.openai.wire import count_input, output_cap
from promptopt.prices import Price, Processing, find_price
from promptopt.values import Cost, Usage

NANO = Decimal(1_000_000_000)
# What one call can have cost, $9 million: the whole numbers that Redis' scripts compute exactly.
MOST_NANO = 2**53 - 1
_MTOK = Decimal(1_000_000)
_LOOK_AGAIN_S = 60.0
_PRICES = 1000
_PROCESSING: Mapping[str, Processing] = {"flex": "flex", "priority": "priority", "fast": "priority"}


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call used and costs.

    Attributes:
        usage: Tokens; ``None`` if nothing was used.
        cost: List cost; ``None`` if the model is unpriced.
    """

    usage: Usage | None
    basis: UsageBasis
    cost: Cost | None

    @property
    def usd(self) -> Decimal | None:
        """Dollars in all; ``None`` if the model is unpriced."""
        return None if self.cost is None else self.cost.total_usd


class Costs:
    """Prices calls by the model that they are sent to."""

    def __init__(self, config: Config, clock: Clock = SYSTEM_CLOCK) -> None:
        self._config = config
        self._clock = clock
        self._prices: dict[tuple[str, Processing, int], Price | None] = {}
        self._last: tuple[Answer, str, Any, Bill] | None = None

    def price(self, call: Call) -> Price | None:
        """The price, now, of the model that the call is sent to and of its processing tier."""
        return self._price(call.model, call.body.get("service_tier"))

    def _price(self, model: str, tier: Any) -> Price | None:
        # Prices change at most once a day, and are looked for several times a call.
        now = self._clock.time()
        asked = (model, _PROCESSING.get(str(tier), "standard"), int(now // _LOOK_AGAIN_S))
        try:
            return self._prices[asked]
        except KeyError:
            if len(self._prices) > _PRICES:
                self._prices.clear()
            at = datetime.fromtimestamp(now, UTC)
            price = find_price(model, processing=asked[1], at=at, config=self._config)
            if price is None and asked[1] != "standard":
                price = find_price(model, at=at, config=self._config)
            self._prices[asked] = price
            return price

    def bill(self, call: Call, outcome: Answer | CallFailed) -> Bill:
        """What an answered call, or a failed one, cost.

        An error status is not billed. A call that timed out, broke off or came back broken may have been, and is
        assumed to have cost the worst case; of a stream that was left, what had come is counted.
        """
        if isinstance(outcome, Answer):
            return self._bill_answer(call, outcome)
        basis: UsageBasis
        if outcome.kind == "abandoned" and outcome.text:
            usage, basis = counted_usage(call, outcome.text), "counted"
        elif outcome.sent and outcome.kind in MAYBE_BILLED:
            usage, basis = self.worst_usage(call) or counted_usage(call, ""), "assumed"
        else:
            return Bill(None, "measured", Cost(Decimal(0), Decimal(0)))
        price = self.price(call)
        return Bill(usage, basis, None if price is None else price.cost(usage))

    def _bill_answer(self, call: Call, answer: Answer) -> Bill:
        # The meter and the budget ask for the same answer's bill, one after the other.
        last, model, tier = self._last, answer.sent_to or call.model, call.body.get("service_tier")
        if last is not None and last[0] is answer and last[1] == model and last[2] == tier:
            return last[3]
        usage, basis = answer.usage, answer.basis
        if usage is None:
            basis = "counted"
            usage = counted_usage(call, answer.text)
        price = self._price(model, tier)
        bill = Bill(usage, basis, None if price is None else price.cost(usage))
        self._last = (answer, model, tier, bill)
        return bill

    def worst_usage(self, call: Call) -> Usage | None:
        """Counted input and the output cap; without one, the rest of the model's context window.

        Returns:
            ``None`` if nothing bounds the output.
        """
        tokens, cap = count_input(call), output_cap(call)
        if cap is None:
            price = self.price(call)
            if price is None or price.context_window is None:
                return None
            cap = max(0, price.context_window - tokens)
        return Usage(input_tokens=tokens, output_tokens=cap)

    def worst_usd(self, call: Call) -> Decimal | None:
        """Dollars that a call costs at worst; ``None`` if the model is unpriced or nothing bounds the output."""
        price, usage = self.price(call), self.worst_usage(call)
        if price is None or usage is None:
            return None
        # Input may be billed as written to the provider's cache, which some sell above the plain rate.
        input_mtok = max(price.input_mtok, price.cache_write_mtok)
        if price.tiers is None:
            return (usage.input_tokens * input_mtok + usage.output_tokens * price.output_mtok) / _MTOK
        return price.cost(usage).total_usd + usage.input_tokens * (input_mtok - price.input_mtok) / _MTOK


def nano(usd: Decimal) -> int:
    """Billionths of a dollar, rounded up."""
    return int((usd * NANO).to_integral_value(rounding=ROUND_CEILING))


def from_nano(amount: int) -> Decimal:
    """Billionths of a dollar as dollars."""
    return amount / NANO
