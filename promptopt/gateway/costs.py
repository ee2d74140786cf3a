"""Dollars of calls: what one cost, and what it may cost at worst."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from promptopt.config import Config, OwnPrice
from promptopt.gateway.anthropic.hints import wants_an_hour
from promptopt.gateway.body import UNREADABLE, read_json
from promptopt.gateway.bounds import Bound, Unbounded, bound_of, is_possible, loose_bound, tool_fees
from promptopt.gateway.call import Answer, Call, Upstream, UsageBasis
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.failures import MAYBE_BILLED, CallFailed
from promptopt.gateway.openai.counted import counted_usage, may_hide_thoughts, said_or_counted, written_in
from promptopt.prices import Price, Processing, find_price
from promptopt.values import Cost, Usage

log = logging.getLogger("promptopt.gateway")
NANO = Decimal(1_000_000_000)
# What one call can have cost, $9 million: the whole numbers that Redis' scripts compute exactly.
MOST_NANO = 2**53 - 1
_TOKENS = 1_000_000
_MTOK = Decimal(_TOKENS)
_LOOK_AGAIN_S = 60.0
_PRICES = 1000
_TOLD = 100
# What a ``service_tier`` is billed as; one that is not here is unpriced.
_PROCESSING: Mapping[str, Processing] = {
    **dict.fromkeys(("None", "auto", "default", "standard", "standard_only", "on_demand", "scale"), "standard"),
    "flex": "flex",
    "priority": "priority",
    "fast": "fast",
    "batch": "batch",
}


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call used and costs.

    Attributes:
        usage: Tokens; ``None`` if nothing was used.
        cost: List cost; ``None`` if the model is unpriced.
        service_tier: What it is priced as, or was asked for if that is unpriced; ``None`` is the standard tier.
    """

    usage: Usage | None
    basis: UsageBasis
    cost: Cost | None
    service_tier: str | None = None

    @property
    def usd(self) -> Decimal | None:
        """Dollars in all; ``None`` if the model is unpriced."""
        return None if self.cost is None else self.cost.total_usd


@dataclass(frozen=True, slots=True)
class Worst:
    """What a call may use and cost at worst.

    Attributes:
        estimated: Whether a rule of the provider's for images, or its context window, is a part of it.
    """

    usage: Usage
    cost: Cost
    estimated: bool


class Costs:
    """Prices calls by the model that they are sent to."""

    def __init__(self, config: Config, clock: Clock = SYSTEM_CLOCK) -> None:
        self._config = config
        self._clock = clock
        self._prices: dict[tuple[str, Processing, int, OwnPrice | None], Price | None] = {}
        self._told: deque[Usage] = deque(maxlen=_TOLD)
        # Billionths of a dollar for a million tokens of input and output, by the price that was asked for last.
        self._rates: tuple[Price | None, int, int] = (None, 0, 0)

    def price(self, call: Call) -> Price | None:
        """The price, now, of the model that the call is sent to and of its processing tier."""
        return self._price(call.model, _asked_tier(call), call.upstream)

    def _price(self, model: str, tier: Any, upstream: Upstream | None) -> Price | None:
        # Prices change at most once a day, and are looked for several times a call.
        now = self._clock.time()
        processing = _PROCESSING.get(str(tier))
        if processing is None:
            return None
        own = None if upstream is None else upstream.prices.get(model)
        asked = (model, processing, int(now // _LOOK_AGAIN_S), own)
        try:
            return self._prices[asked]
        except KeyError:
            if len(self._prices) > _PRICES:
                self._prices.clear()
            at, config = datetime.fromtimestamp(now, UTC), self._config
            if own is not None:
                config = replace(config, prices={**config.prices, model: own})
            price = find_price(model, processing=processing, at=at, config=config)
            if price is None and processing in ("flex", "batch"):
                # They never cost more than the standard price, which is a bound if theirs is not known.
                price = find_price(model, at=at, config=config)
            self._prices[asked] = price
            return price

    def bill(self, call: Call, outcome: Answer | CallFailed) -> Bill:
        """What an answered call, or a failed one, cost.

        An error status is not billed. A call that timed out, broke off or came back broken may have been, and is
        assumed to have cost the worst case; of a stream that was left, what had come is counted, unless the model may
        have thought what it does not show.
        """
        if isinstance(outcome, Answer):
            return self._bill_answer(call, outcome)
        basis: UsageBasis
        price = self.price(call)
        if outcome.kind == "abandoned" and outcome.written and not in_background(call):
            # A message says at its begin that it has written a token or so.
            said = outcome.usage is not None and outcome.usage.output_tokens > 0 and call.endpoint != "messages"
            if not said and (worst := self._with_thoughts(call)) is not None:
                return worst
            usage, basis = counted_usage(call, outcome.written, outcome.usage), "counted"
        elif outcome.sent and outcome.kind in MAYBE_BILLED:
            return self.worst_bill(call)
        else:
            return Bill(None, "measured", Cost(Decimal(0), Decimal(0)))
        return Bill(usage, basis, None if price is None else price.cost(usage), _tier(price, call))

    def _with_thoughts(self, call: Call) -> Bill | None:
        """The worst case of a call that may have thought what nobody can count; ``None`` if nothing bounds it."""
        if not may_hide_thoughts(call):
            return None
        try:
            worst = self.worst_case(call)
        except Unbounded:
            return None
        return Bill(worst.usage, "assumed", worst.cost, _tier(self.price(call), call))

    def worst_bill(self, call: Call) -> Bill:
        """What a call has cost if it has cost as much as it may; counted input if nothing bounds it."""
        try:
            worst = self.worst_case(call)
        except Unbounded:
            try:
                price, usage = self.price(call), counted_usage(call, "")
            except (TypeError, ValueError, AttributeError, KeyError):
                return Bill(None, "assumed", None)
            return Bill(usage, "assumed", None if price is None else price.cost(usage), _tier(price, call))
        return Bill(worst.usage, "assumed", worst.cost, _tier(self.price(call), call))

    def _bill_answer(self, call: Call, answer: Answer) -> Bill:
        model = answer.sent_to or call.model or answer.model
        usage, basis = answer.usage, answer.basis
        if usage is None or (basis == "measured" and not (usage.input_tokens and usage.output_tokens)):
            usage, basis = said_or_counted(call, usage, lambda: _written(answer))
        if basis == "counted" and (worst := self._with_thoughts(call)) is not None:
            return worst
        price = self._costliest(call, model, answer.service_tier)
        if not is_possible(usage, call, price):
            self._tell_of(usage, model)
            return self.worst_bill(call)
        cost = None if price is None or not price.prices_sound_of(usage) else price.cost(usage)
        if cost is not None and call.body.get("tools"):
            fees = tool_fees(call, answer, price)
            cost = None if fees is None else Cost(cost.input_usd + fees, cost.output_usd)
        return Bill(usage, basis, cost, _tier(price, call))

    def _tell_of(self, usage: Usage, model: str) -> None:
        """Say once that an answer cannot have used what it says: the ledger and the budget both ask for its bill."""
        if any(told is usage for told in self._told):
            return
        self._told.append(usage)
        said = [f"{Decimal(count):.4g}" for count in (usage.input_tokens, usage.output_tokens)]
        log.warning(
            "the answer of %s says that it used %s input and %s output tokens, which this request cannot; "
            "it counts at its worst case",
            *(model, *said),
        )

    def _costliest(self, call: Call, model: str, answered: str) -> Price | None:
        """The price of the tier that was asked for, or of the one that the answer names if that costs more.

        An answer that names a cheaper one is not believed: some servers name the same one always.
        """
        asked = _asked_tier(call)
        price = self._price(model, asked, call.upstream)
        if not answered or _PROCESSING.get(answered) in (None, "standard", _PROCESSING.get(str(asked))):
            return price
        other = self._price(model, answered, call.upstream)
        if price is None or other is None:
            return None
        return max(price, other, key=lambda each: each.output_mtok)

    def worst_case(self, call: Call) -> Worst:
        """What a call may use and cost at worst.

        Raises:
            Unbounded: Nothing bounds it, or its model is unpriced.
        """
        price = self.price(call)
        if price is None:
            raise Unbounded(_unpriced(call))
        return self._at_worst(call, price, bound_of(call, price))

    def loose_case(self, call: Call) -> int | None:
        """Billionths of a dollar that a plain call cannot exceed, found without counting its tokens.

        Returns:
            ``None`` for any other call, and for one whose input may be above the first tier of its price.
        """
        price, bound = self.price(call), loose_bound(call)
        if price is None or bound is None or (price.tier_start is not None and bound[0] > price.tier_start):
            return None
        rates = self._rates
        if rates[0] is not price:
            # Input may be billed as written to the provider's cache, as in the counted worst case.
            rates = (price, nano(max(price.input_mtok, price.cache_write_mtok)), nano(price.output_mtok))
            self._rates = rates
        # Whole numbers, rounded up: decimal ones would take longer than all else that a budget does for a call.
        return -(-(bound[0] * rates[1] + bound[1] * rates[2]) // _TOKENS)

    @staticmethod
    def _at_worst(call: Call, price: Price, bound: Bound) -> Worst:
        usage = bound.usage
        if not price.prices_sound_of(usage):
            raise Unbounded(f"sound of {call.model!r} is unpriced")
        # Input may be billed as written to the provider's cache, which some sell above the plain rate.
        written, cost = price.cache_write_mtok, price.cost(usage)
        more = bound.fees_usd
        if written > price.input_mtok:
            if wants_an_hour(call.body):
                written = price.cache_write_1h_mtok
            more += (written - price.input_mtok) * usage.input_tokens / _MTOK
        return Worst(usage, Cost(cost.input_usd + more, cost.output_usd) if more else cost, bound.estimated)


def _written(answer: Answer) -> str:
    """All that a model wrote in an answer; the text is not all of one that came over HTTP."""
    if answer.wire is None:
        return answer.text
    try:
        return written_in(read_json(answer.wire.content))
    except UNREADABLE:
        return answer.text


def _asked_tier(call: Call) -> Any:
    """The tier that a call asks for; Anthropic calls its more expensive one a speed."""
    speed = call.body.get("speed") if call.endpoint == "messages" else None
    return call.body.get("service_tier") if speed in (None, "standard") else speed


def _tier(price: Price | None, call: Call) -> str | None:
    """The service tier of a bill."""
    asked = _asked_tier(call)
    processing = _PROCESSING.get(str(asked), str(asked)) if price is None else price.processing
    return None if processing == "standard" else processing


def in_background(call: Call) -> bool:
    """Whether the provider goes on with a call that nobody waits for."""
    return bool(call.body.get("background"))


def _unpriced(call: Call) -> str:
    """Why a call has no price, and what to do."""
    if not call.model:
        return "the request names no model, and what a stored prompt asks is not known here. Name the model"
    tier = _asked_tier(call)
    processing = _PROCESSING.get(str(tier))
    if processing is None:
        return f"the price of service_tier = {tier!r} is not known"
    name = call.model if processing == "standard" else f"{call.model}@{processing}"
    return f"{name!r} is unpriced. Give its price in [tool.promptopt.prices]"


def nano(usd: Decimal) -> int:
    """Billionths of a dollar, rounded up."""
    return int((usd * NANO).to_integral_value(rounding=ROUND_CEILING))


def from_nano(amount: int) -> Decimal:
    """Billionths of a dollar as dollars."""
    return amount / NANO
