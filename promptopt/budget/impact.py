"""What a branch changes in the bill, as values: what a prompt costs on both sides, and the causes of the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from promptopt.budget.guarded_prompt import usd_call
from promptopt.budget.lock import LockBasis, LockEntry
from promptopt.prices import Price


@dataclass(frozen=True, slots=True)
class PromptCost:
    """What a prompt costs: the mean over its cases.

    Attributes:
        input: Input tokens.
        output: Output tokens; ``None`` if unknown.
        usd_call: Dollars per call; ``None`` if the output or the price is unknown.
        calls: Calls per month; ``None`` if the prompt does not say.
    """

    input: Decimal
    output: Decimal | None
    usd_call: Decimal | None
    calls: int | None

    @property
    def usd_month(self) -> Decimal | None:
        """Dollars per month; ``None`` if unknown."""
        return None if self.usd_call is None or self.calls is None else self.usd_call * self.calls


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a difference.

    Attributes:
        name: ``input text``, ``media``, ``schema``, ``cacheable prefix``, ``output``, ``tokenizer``, ``model``,
            ``price table``, ``calls_per_month`` or ``parameters``.
        detail: What changed: ``+1,200 tokens``, ``gpt-4o-mini → o1-pro``.
        usd_call: What it adds to a call; ``None`` if unknown.
    """

    name: str
    detail: str
    usd_call: Decimal | None


@dataclass(frozen=True, slots=True)
class PromptChange:
    """A prompt that differs from the base.

    Attributes:
        before: ``None`` for a new prompt, or if the two cannot be compared.
        after: ``None`` for a removed prompt.
        reasons: Why somebody accepted it, out of the lock.
        note: What else is to be said: it is new, removed, renamed, cannot be compared.
    """

    prompt: str
    before: PromptCost | None
    after: PromptCost | None
    causes: tuple[Cause, ...] = ()
    reasons: tuple[str, ...] = ()
    note: str = ""

    @property
    def usd_month(self) -> Decimal | None:
        """What it adds to a month; ``None`` if unknown."""
        if (self.before is None and self.after is None) or any(cause.usd_call is None for cause in self.causes):
            return None
        before, after = (Decimal(0) if bill is None else bill.usd_month for bill in (self.before, self.after))
        return None if before is None or after is None else after - before


@dataclass(frozen=True, slots=True)
class Impact:
    """All that a branch changes in the bill.

    Attributes:
        base: What it is compared with, as the user would name it.
    """

    base: str
    changes: tuple[PromptChange, ...]

    @property
    def usd_month(self) -> Decimal | None:
        """What all changes add to a month; ``None`` if it is unknown for one of them."""
        months = [change.usd_month for change in self.changes]
        known = [month for month in months if month is not None]
        return sum(known, Decimal(0)) if len(known) == len(months) else None


Priced = tuple[LockEntry, Price]


Step = Callable[[Priced, LockEntry], Priced]
Detail = Callable[[Sequence[Priced], Sequence[Priced]], str]


def longer(entry: LockEntry, tokens: int) -> LockEntry:
    """An entry with a longer schema, which is cached as the start of the prompt is."""
    return replace(entry, input=entry.input + tokens, cacheable=max(0, entry.cacheable + tokens))


def tokens_detail(field: str) -> Detail:
    """How a mean of tokens changed: ``+1,200 tokens``."""

    def detail(before: Sequence[Priced], after: Sequence[Priced]) -> str:
        old, new = (_mean([Decimal(getattr(entry, field)) for entry, _ in side]) for side in (before, after))
        return f"{short(new - old, sign=True)} tokens"

    return detail


def output_detail(before: Sequence[Priced], after: Sequence[Priced]) -> str:
    """How the mean output changed, and where it comes from: ``50 (max_output_tokens) → unknown``."""
    shown = []
    for side in (before, after):
        known = [Decimal(entry.output) for entry, _ in side if entry.output is not None]
        kind = "recorded answers" if side[0][0].output_is == "recorded" else "max_output_tokens"
        shown.append(f"{short(_mean(known))} ({kind})" if len(known) == len(side) else "unknown")
    return " → ".join(shown)


def short(value: Decimal, *, sign: bool = False) -> str:
    """A mean as it is shown: whole, or with one decimal."""
    rounded = round(value, 1)
    whole = rounded == rounded.to_integral_value()
    number = int(rounded) if whole else rounded
    return f"{number:+,}" if sign else f"{number:,}"


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _mean_usd(after: Sequence[Priced], before: Sequence[Priced]) -> Decimal | None:
    if any(entry.output is None for side in (before, after) for entry, _ in side):
        return None
    new, old = (_mean([usd_call(entry, price) for entry, price in side]) for side in (after, before))
    return new - old


def mean_cost(entries: Sequence[Priced], calls: int | None) -> PromptCost:
    """The mean over cases."""
    outputs = [Decimal(entry.output) for entry, _ in entries if entry.output is not None]
    known = len(outputs) == len(entries)
    return PromptCost(
        input=_mean([Decimal(entry.input) for entry, _ in entries]),
        output=_mean(outputs) if known else None,
        usd_call=_mean([usd_call(entry, price) for entry, price in entries]) if known else None,
        calls=calls,
    )


def rates_of(basis: LockBasis) -> tuple[str, str, str]:
    """Dollars per million input, cached and output tokens, as they are locked."""
    return basis.input_usd, basis.cached_usd, basis.output_usd


def flat_price(basis: LockBasis, like: Price | None = None) -> Price:
    """A price of the rates in a lock."""
    read, cached, output = (Decimal(rate) for rate in rates_of(basis))
    if like is not None:
        return replace(like, input_mtok=read, cache_read_mtok=cached, output_mtok=output, tiers=None)
    return Price(basis.model, "", "the lock", "standard", read, cached, read, output)


def _shown_rates(price: Price) -> str:
    return f"${price.input_mtok.normalize():f}, ${price.output_mtok.normalize():f}"


def walk(
    start: Sequence[Priced], today: Sequence[LockEntry], steps: Iterable[tuple[str, Detail, Step]]
) -> Iterator[Cause]:
    """What adds up to the difference, one step after the other from the base to today."""
    state = list(start)
    for name, detail, step in steps:
        reached = [step(current, now) for current, now in zip(state, today, strict=True)]
        if reached != state:
            yield Cause(name, detail(state, reached), _mean_usd(reached, state))
        state = reached


def last_steps(old: Price, new: Price) -> Iterator[tuple[str, Detail, Step]]:
    """The steps that follow those of the input: the output, and the model, its service tier or its rates."""
    yield "output", output_detail, lambda at, now: (replace(at[0], output=now.output, output_is=now.output_is), at[1])
    rates = f"{_shown_rates(old)} → {_shown_rates(new)} per million input, output"
    if old.model != new.model:
        cause, shown = "model", f"{old.model} → {new.model}"
    elif old.processing != new.processing:
        cause, shown = "service tier", f"{old.processing} → {new.processing}, {rates}"
    else:
        cause, shown = "price table", rates
    yield cause, lambda *_: shown, lambda at, _: (at[0], new)


def calls_cause(before: PromptCost, after: PromptCost) -> Iterator[Cause]:
    """Another volume, which changes no call."""
    if before.calls != after.calls:
        shown = ["unknown" if calls is None else f"{calls:,}" for calls in (before.calls, after.calls)]
        yield Cause("calls_per_month", " → ".join(shown), Decimal(0))
