"""What raises a prompt's bill though no text of it grew: model, settings, volume, price table, tokenizer.

What the prompt's own diff changes fails by default. A price table is nobody's change to the prompt: both sides are
priced at the locked rates, and the difference is said beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from promptopt.budget.check import Checker, not_here
from promptopt.budget.failure_text import update_command
from promptopt.budget.guarded_prompt import GuardedPrompt, usd_call
from promptopt.budget.limits import Limit, Metric
from promptopt.budget.lock import Lock, LockEntry, may_cost_more
from promptopt.budget.result import BudgetFinding, Severity
from promptopt.budget.settings import DEFAULTS
from promptopt.files import show_path
from promptopt.money import usd
from promptopt.prices import Price

Pairs = Sequence[tuple[LockEntry, LockEntry]]
"""Locked entry (as it counts today) and today's entry of each case that has both."""


@dataclass(frozen=True, slots=True)
class Causes:
    """The causes of one prompt.

    Attributes:
        lock: What is locked.
        pairs: For each case that both have: the locked entry, recounted with today's tokenizer, and today's.
    """

    checker: Checker
    prompt: GuardedPrompt
    lock: Lock
    pairs: Pairs
    limits: Mapping[Metric, Limit]

    def findings(self) -> Iterator[BudgetFinding]:
        """Each cause under its own name; warnings if the base has it already."""
        yield from self._model()
        yield from self._tier()
        yield from self._settings()
        yield from self._volume()
        yield from self._schema()
        yield from self._price_table()
        yield from self._tokenizer()

    def _finding(
        self, name: str, level: Severity, summary: str, details: Sequence[str] = (), *, of_prompt: bool = True
    ) -> BudgetFinding:
        path = self.prompt.template.path if of_prompt else show_path(self.prompt.path)
        reason = level != "note" or self.checker.earlier.need_reason(self.prompt)
        accept = update_command(self.prompt.name, reason=reason)
        verb = "lock it" if level == "note" else "or accept"
        return BudgetFinding("cause", level, name, summary, (*details, f"{verb}: {accept}"), path, 1)

    def _judged(self, finding: BudgetFinding, *, same_on_base: bool | None) -> BudgetFinding:
        base = self.checker.history.base
        inherited = finding.level == "error" and base is not None and base.apart and same_on_base
        return not_here(finding) if inherited else finding

    def _limited_by_dollars(self, *metrics: Metric) -> bool:
        return any(self.limits[metric].level != "off" for metric in metrics)

    def _usd(self, *, price: Price, recounted: bool) -> Decimal | None:
        """Mean dollars of a call of the locked cases, as they were locked or recounted."""
        known = self.lock.cases
        entries = [old for old, _ in self.pairs] if recounted else list(known.values())
        if not entries or len(entries) != len(known):
            return None
        return sum((usd_call(entry, price) for entry in entries), Decimal(0)) / len(entries)

    def _dollars(
        self, name: Metric | str, limit: Limit, summary: str, before: Decimal | None, after: Decimal | None
    ) -> BudgetFinding:
        """A cause that is judged by the dollars that it adds to a call of the locked text."""
        if before is None or after is None:
            # Without cases to price, all that can be said is which rates rise.
            grew, details = self._rates_rise(), []
        else:
            grew = limit.level != "off" and limit.exceeded(before, after - before)
            share = f", {(after - before) / before * 100:+,.1f}%" if before else ""
            calls = self.prompt.calls_per_month
            month = f" = {usd((after - before) * calls, sign=True)} a month at {calls:,} calls" if calls else ""
            details = [f"the same text: {usd(before)} → {usd(after)} per call{share}{month}"]
        level: Severity = limit.severity if grew and limit.level != "off" else "note"
        if level != "note" and limit == DEFAULTS["model"] and self._limited_by_dollars("usd_call", "usd_month"):
            # The limits in dollars see it.
            level = "note"
        own = name not in ("price", "tokenizer")
        return self._finding(name, level, summary, [*self._rates(), *details], of_prompt=own)

    def _rates_rise(self) -> bool:
        old, now = self.lock.basis, self.prompt.basis
        names = ("input_usd", "cached_usd", "output_usd")
        return any(Decimal(getattr(now, name)) > Decimal(getattr(old, name)) for name in names)

    def _rates(self) -> list[str]:
        old, now = self.lock.basis, self.prompt.basis
        return [
            f"price of {kind} tokens: ${getattr(old, f'{kind}_usd')} → ${getattr(now, f'{kind}_usd')} per million"
            for kind in ("input", "cached", "output")
            if getattr(old, f"{kind}_usd") != getattr(now, f"{kind}_usd")
        ]

    def _model(self) -> Iterator[BudgetFinding]:
        old, now = self.lock.basis, self.prompt.basis
        if old.model == now.model:
            return
        before = self._usd(price=self.prompt.locked_price, recounted=False)
        after = self._usd(price=self.prompt.price, recounted=True)
        found = self._dollars("model", self.limits["model"], f"model: {old.model} → {now.model}", before, after)
        side = self.checker.history.at_base(self.prompt) if found.level == "error" else None
        yield self._judged(found, same_on_base=side is not None and side.variant.priced_as == now.model)

    def _tier(self) -> Iterator[BudgetFinding]:
        """Another service tier of the same model has other rates."""
        if self.lock.basis.model != self.prompt.basis.model or self.prompt.same_rates or self.lock.call is None:
            return
        name = "service_tier"
        old, now = (call.params.get(name) for call in (self.lock.call, self.prompt.call))
        before = self._usd(price=self.prompt.locked_price, recounted=True)
        after = self._usd(price=self.prompt.price, recounted=True)
        limit = self.limits["parameters"]
        found = self._dollars(name, limit, f"{name}: {_shown(old)} → {_shown(now)}", before, after)
        yield self._judged(found, same_on_base=self._same_setting(name))

    def _settings(self) -> Iterator[BudgetFinding]:
        before, after = self._locked_params(), self.prompt.call.params
        for name in sorted({*before, *after} - {"service_tier"}):
            old, now = before.get(name), after.get(name)
            if old == now or (self.lock.call is None and name not in before):
                continue
            measured = all_measured(self.prompt)
            summary = f"{name}: {_shown(old)} → {_shown(now)}"
            if name == "max_output_tokens" and self._judged_as_output(now):
                continue
            level: Severity = "note"
            details: list[str] = []
            if not measured and may_cost_more(name, old, now):
                limit = self.limits["parameters"]
                level = "note" if limit.level == "off" else limit.severity
                why = "unlimited" if name == "max_output_tokens" and now is None else "longer"
                details = [f"answers may be {why} now, and none is recorded with it: what it costs is unknown"]
            yield self._judged(self._finding(name, level, summary, details), same_on_base=self._same_setting(name))

    def _locked_params(self) -> Mapping[str, Any]:
        name = "max_output_tokens"
        known = {} if self.lock.call is None else self.lock.call.params
        caps = {entry.output for entry in self.lock.cases.values() if entry.output_is == "cap"} - {None}
        gone = self.prompt.call.params.get(name) is None
        if known.get(name) is None and caps and (gone or (self.lock.call is None and len(caps) == 1)):
            # Of the settings, a lock of 0.1.0 has the caps of cases only, and a trim lowers nothing else.
            return {**known, name: min(cap for cap in caps if cap is not None)}
        return known

    def _judged_as_output(self, cap: object) -> bool:
        """Whether a changed cap is the output of every case, which has a limit of its own."""
        return cap is not None and all(old.output_is == "cap" and old.output is not None for old, _ in self.pairs)

    def _same_setting(self, name: str) -> bool:
        side = self.checker.history.at_base(self.prompt)
        now = self.prompt.call.params.get(name)
        return side is not None and side.template.front.params.to_dict().get(name) == now

    def _volume(self) -> Iterator[BudgetFinding]:
        name: Metric = "calls_per_month"
        now, limit = self.prompt.calls_per_month, self.limits[name]
        old = locked_calls(self.checker, self.prompt, self.lock)
        if old is None or old == now:
            return
        summary = f"{name}: {old:,} → {'not set' if now is None else f'{now:,}'}"
        level: Severity = "note"
        details = []
        if now is None:
            level = "note" if limit.level == "off" else limit.severity
            details = ["dollars a month are unknown now"]
        elif limit.level != "off" and limit.exceeded(Decimal(old), Decimal(now - old)):
            by_dollars = limit == DEFAULTS[name] and self._limited_by_dollars("usd_month")
            level = "note" if by_dollars else limit.severity
        if now is not None and limit.level != "off" and limit.beyond_cap(name, Decimal(now)):
            level = limit.severity
        side = self.checker.history.at_base(self.prompt) if level == "error" else None
        same = side is not None and side.calls_per_month == now
        yield self._judged(self._finding(name, level, summary, details), same_on_base=same)

    def _schema(self) -> Iterator[BudgetFinding]:
        """A longer schema is longer input, which has a limit; here it only gets its name."""
        old, now = self.lock.call, self.prompt.call
        same_tokenizer = self.lock.basis.tokenizer == self.prompt.basis.tokenizer
        if old is not None and same_tokenizer and now.schema > old.schema:
            summary = f"output schema and tools: {old.schema:,} → {now.schema:,} tokens of every input"
            yield self._finding("schema", "note", summary)

    def _price_table(self) -> Iterator[BudgetFinding]:
        if not self.prompt.same_rates or not self._rates():
            return
        before = self._usd(price=self.prompt.locked_price, recounted=True)
        after = self._usd(price=self.prompt.price, recounted=True)
        summary = "not the prompt: the price table changed; both sides are priced at the locked rates"
        yield self._dollars("price", self.limits["price"], summary, before, after)

    def _tokenizer(self) -> Iterator[BudgetFinding]:
        old, now = self.lock.basis, self.prompt.basis
        if old.tokenizer == now.tokenizer:
            return
        details = []
        # Only if every locked entry could be recounted do both sums cover the same cases.
        if len(self.pairs) == len(self.lock.cases):
            before = sum(entry.input for entry in self.lock.cases.values())
            recounted = sum(locked.input for locked, _ in self.pairs)
            details.append(f"locked input, recounted: {before:,} → {recounted:,} in all cases")
        summary = (
            f"tokenizer: {_short(old.tokenizer)} → {_short(now.tokenizer)}; both sides are counted with the new one"
        )
        if old.model != now.model:
            # The dollars of both are the model's.
            yield self._finding("tokenizer", "note", summary, details)
            return
        price = self.prompt.locked_price
        usd_before, usd_after = (self._usd(price=price, recounted=recounted) for recounted in (False, True))
        found = self._dollars("tokenizer", self.limits["tokenizer"], summary, usd_before, usd_after)
        yield replace(found, details=(*details, *found.details))


def all_measured(prompt: GuardedPrompt) -> bool:
    """Whether answers to today's very requests are recorded, so that the output is what they cost."""
    return bool(prompt.cases) and all(prompt.measure(name).status == "fresh" for name in prompt.cases)


def locked_calls(checker: Checker, prompt: GuardedPrompt, lock: Lock) -> int | None:
    """The locked volume; a lock of 0.1.0 has none, then the base's."""
    if lock.call is not None:
        return lock.call.calls_per_month
    limits = checker.settings.limits_for(prompt.name)
    if limits["usd_month"].level == "off":
        return None
    side = checker.history.at_base(prompt)
    return None if side is None else side.calls_per_month


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _short(tokenizer: str) -> str:
    name, _, value = tokenizer.partition("@")
    return f"{name}@{value[:15]}"
