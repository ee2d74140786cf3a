"""What a branch changes in the bill: every prompt that differs from the base, accepted raises included.

Both sides are counted over today's cases. The base's text comes out of git; what its cases cost is taken from its lock
if the lock is of that text, and counted anew otherwise. The length of answers is what the locks and recordings have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from promptopt.budget.base_project import BaseProject, base_project, changed_since
from promptopt.budget.baseline import Base, input_tokens
from promptopt.budget.check import lost
from promptopt.budget.drift import new_reasons
from promptopt.budget.guarded_prompt import (
    GuardedPrompt,
    prefix_tokens,
    sources_digest,
    tokenizer_name,
    usd_call,
)
from promptopt.budget.history import predecessor
from promptopt.budget.lock import Lock, LockBasis, LockEntry
from promptopt.config import Config
from promptopt.errors import PromptoptError
from promptopt.experiment.variant import Variant, make_variant
from promptopt.prices import Price
from promptopt.templates import load_prompt
from promptopt.tokens import schema_tokens, tokenizer_for


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
        name: ``input text``, ``schema``, ``cacheable prefix``, ``output``, ``tokenizer``, ``model``, ``price table``,
            ``calls_per_month`` or ``parameters``.
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
        if self.before is None and self.after is None:
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


def measure_impact(config: Config, base: Base, prompts: Mapping[str, GuardedPrompt], *, only: bool = False) -> Impact:
    """What changes for prompts since the base.

    Args:
        prompts: The guarded prompts by name.
        only: Other prompts, such as removed ones, are not looked for.

    Raises:
        PromptoptError: git cannot give the project at the base, or its settings cannot be read.
    """
    changed = changed_since(config, base.commit)
    if not changed.all and not changed.names:
        return Impact(base.label, ())
    with base_project(config, base.commit) as then:
        gone = {name: lock for name in then.files.keys() - prompts.keys() if (lock := then.lock(name)) is not None}
        found = []
        followed = set()
        for name, prompt in prompts.items():
            former = name
            if name not in then.files:
                former = _former_name(prompt, gone) or ""
                followed.add(former)
            elif name not in changed:
                continue
            found.append(_change(prompt, then, former))
        removed = [] if only else [_removed(name, gone[name]) for name in sorted(gone.keys() - followed)]
    return Impact(base.label, tuple(change for change in (*found, *removed) if change is not None))


def _former_name(prompt: GuardedPrompt, gone: Mapping[str, Lock]) -> str | None:
    try:
        lock = predecessor([prompt.measure(name).entry.variables for name in prompt.cases], gone)
    except PromptoptError:
        return None
    return next((name for name in gone if gone[name] is lock), None)


def _removed(name: str, lock: Lock) -> PromptChange:
    rates = _flat_price(lock.basis)
    bill = _bill([(entry, rates) for entry in lock.cases.values()], None)
    return PromptChange(name, bill, None, note="removed, or not guarded any more")


def _change(prompt: GuardedPrompt, then: BaseProject, former: str) -> PromptChange | None:
    try:
        if not former:
            return _new(prompt)
        return _Comparison(prompt, then, former).change()
    except PromptoptError as error:
        return PromptChange(prompt.name, None, None, note=f"cannot be compared: {str(error).splitlines()[0]}")


def _new(prompt: GuardedPrompt) -> PromptChange:
    entries = [(prompt.measure(name).entry, prompt.price) for name in prompt.cases]
    return PromptChange(
        prompt.name, None, _bill(entries, prompt.calls_per_month), reasons=_reasons(prompt, None), note="new"
    )


def _reasons(prompt: GuardedPrompt, old: Lock | None) -> tuple[str, ...]:
    """The reasons in today's lock that the base's does not have."""
    now = _lock(prompt)
    return () if now is None else new_reasons(old, now)


def _lock(prompt: GuardedPrompt) -> Lock | None:
    try:
        return prompt.lock
    except PromptoptError:
        return None


Priced = tuple[LockEntry, Price]


class _Comparison:
    """One prompt on both sides."""

    def __init__(self, prompt: GuardedPrompt, then: BaseProject, former: str) -> None:
        self._prompt = prompt
        self._former = former
        self._lock = then.lock(former)
        self._template = load_prompt(then.files[former].newest, config=then.config)
        self._variant = make_variant(self._template, prompt.suite, then.config)
        self._price = self._base_price(prompt, self._variant)

    def _base_price(self, prompt: GuardedPrompt, variant: Variant) -> Price:
        price = variant.price
        if price is None:
            raise PromptoptError(f"the price table has no model {variant.priced_as!r}, which the base uses")
        now = _lock(prompt)
        if self._lock is None or now is None or self._lock.basis.model != now.basis.model:
            return price
        # A price table is this branch's change only if the branch has locked its rates.
        return price if _rates(self._lock.basis) == _rates(now.basis) else _flat_price(self._lock.basis, price)

    def change(self) -> PromptChange | None:
        """The difference; ``None`` if there is none."""
        prompt = self._prompt
        # If no case is on both sides, the two texts are compared over today's cases.
        pairs = list(self._pairs(self._locked)) or list(self._pairs({}))
        note = "" if self._former == prompt.name else f"renamed from {self._former}"
        if not pairs:
            return replace(_new(prompt), note="has no case in common with the base")
        calls = self._template.front.calls_per_month, prompt.calls_per_month
        before = _bill([(old, self._price) for old, _ in pairs], calls[0])
        after = _bill([(now, prompt.price) for _, now in pairs], calls[1])
        causes = tuple(self._causes(pairs, before, after))
        if not causes and before == after:
            return None
        return PromptChange(prompt.name, before, after, causes, _reasons(prompt, self._lock), note)

    @property
    def _locked(self) -> Mapping[str, LockEntry]:
        return self._lock.cases if self._lock else {}

    def _pairs(self, cases: Mapping[str, LockEntry]) -> Iterator[tuple[LockEntry, LockEntry]]:
        """The base's entry and today's, of each case that the base has too; without locked cases, of every case."""
        prompt, lock = self._prompt, self._lock
        renamed = {entry.variables: entry for name, entry in cases.items() if name not in prompt.cases}
        digest = sources_digest(self._template)
        tokenizer = tokenizer_for(self._variant.priced_as)
        counted = (
            lock is not None and digest == lock.sources != "" and lock.basis.tokenizer == tokenizer_name(tokenizer)
        )
        prefix = prefix_tokens(self._template, tokenizer)
        for name in prompt.cases:
            measured = prompt.measure(name)
            entry = cases.get(name) or renamed.get(measured.entry.variables)
            if entry is None and cases:
                continue
            if entry is not None and counted and entry.variables == measured.entry.variables:
                yield self._same_output(entry, measured.entry)
                continue
            total = input_tokens(self._template, measured.case, self._variant.priced_as)
            if total is not None:
                # Without a lock, all that is known of the base's answers is their cap.
                old = replace(measured.entry, output_is="cap") if entry is None else entry
                old = replace(old, input=total, cacheable=min(prefix, total))
                yield self._same_output(old, measured.entry)

    def _same_output(self, old: LockEntry, now: LockEntry) -> tuple[LockEntry, LockEntry]:
        """Both with lengths of one kind: recorded answers are not compared with a cap."""
        cap, cap_now = (template.front.params.max_output_tokens for template in (self._template, self._prompt.template))
        if old.output_is == "cap":
            # A lock that was not updated may have another cap than the text.
            old = replace(old, output=cap)
        if now.output is None or old.output_is == now.output_is:
            return old, now
        if cap is not None and cap_now is not None:
            return replace(old, output=cap, output_is="cap"), replace(now, output=cap_now, output_is="cap")
        known = old.output if old.output_is == "recorded" else now.output
        return replace(old, output=known), replace(now, output=known)

    def _causes(
        self, pairs: Sequence[tuple[LockEntry, LockEntry]], before: PromptCost, after: PromptCost
    ) -> Iterator[Cause]:
        """What adds up to the difference, one step after the other from the base to today."""
        prompt, template = self._prompt, self._template
        state = [(old, self._price) for old, _ in pairs]
        for name, detail, step in self._steps(pairs):
            reached = [step(current, now) for current, (_, now) in zip(state, pairs, strict=True)]
            if reached != state:
                difference = _mean_usd(reached, state)
                yield Cause(name, detail(state, reached), difference)
            state = reached
        if before.calls != after.calls:
            shown = ["unknown" if calls is None else f"{calls:,}" for calls in (before.calls, after.calls)]
            yield Cause("calls_per_month", " → ".join(shown), Decimal(0))
        old, new = ({**side.front.params.to_dict()} for side in (template, prompt.template))
        for key in sorted({*old, *new} - {"max_output_tokens"}):
            if old.get(key) != new.get(key):
                yield Cause("parameters", f"{key} {old.get(key, 'not set')} → {new.get(key, 'not set')}", None)

    def _steps(self, pairs: Sequence[tuple[LockEntry, LockEntry]]) -> Iterator[tuple[str, _Detail, _Step]]:
        prompt, variant = self._prompt, self._variant
        then, now = tokenizer_for(variant.priced_as), tokenizer_for(prompt.variant.priced_as)
        schemas = [side.front.output_schema for side in (self._template, prompt.template)]
        billed = [0 if schema is None else schema_tokens(schema, then) for schema in schemas]
        yield "schema", _tokens("input"), lambda at, _: (_longer(at[0], billed[1] - billed[0]), at[1])
        # Today's text by the base's tokenizer, if the two differ.
        counted = (
            {now_entry.request: now_entry for _, now_entry in pairs}
            if then == now
            else self._recounted(variant.priced_as)
        )

        def text(at: Priced, today: LockEntry) -> Priced:
            entry = counted.get(today.request, today)
            # What is still sent and was cacheable stays so in this step.
            kept = lost(at[0], entry)
            return replace(at[0], input=entry.input, cacheable=entry.cacheable + kept), at[1]

        yield "input text", _tokens("input"), text
        yield "cacheable prefix", _tokens("cacheable"), lambda at, today: (
            replace(at[0], cacheable=counted.get(today.request, today).cacheable), at[1])  # fmt: skip
        yield "tokenizer", _tokens("input"), lambda at, today: (
            replace(at[0], input=today.input, cacheable=today.cacheable), at[1])  # fmt: skip
        yield "output", _output, lambda at, today: (
            replace(at[0], output=today.output, output_is=today.output_is), at[1])  # fmt: skip
        same = self._price.model == prompt.price.model
        names = f"{self._price.model} → {prompt.price.model}"
        rates = f"{_shown_rates(self._price)} → {_shown_rates(prompt.price)} per million input, output"
        yield "price table" if same else "model", lambda *_: rates if same else names, lambda at, _: (
            at[0], prompt.price)  # fmt: skip

    def _recounted(self, model: str) -> dict[str, LockEntry]:
        """Today's entries, by request, as another model's tokenizer counts them."""
        prompt = self._prompt
        found = {}
        prefix = prefix_tokens(prompt.template, tokenizer_for(model))
        for name in prompt.cases:
            entry = prompt.measure(name).entry
            total = input_tokens(prompt.template, prompt.cases[name], model)
            if total is not None:
                found[entry.request] = replace(entry, input=total, cacheable=min(prefix, total))
        return found


_Step = Callable[[Priced, LockEntry], Priced]
_Detail = Callable[[Sequence[Priced], Sequence[Priced]], str]


def _longer(entry: LockEntry, tokens: int) -> LockEntry:
    """An entry with a longer schema, which is cached as the start of the prompt is."""
    return replace(entry, input=entry.input + tokens, cacheable=max(0, entry.cacheable + tokens))


def _tokens(field: str) -> _Detail:
    def detail(before: Sequence[Priced], after: Sequence[Priced]) -> str:
        old, new = (_mean([Decimal(getattr(entry, field)) for entry, _ in side]) for side in (before, after))
        return f"{short(new - old, sign=True)} tokens"

    return detail


def _output(before: Sequence[Priced], after: Sequence[Priced]) -> str:
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


def _bill(entries: Sequence[Priced], calls: int | None) -> PromptCost:
    outputs = [Decimal(entry.output) for entry, _ in entries if entry.output is not None]
    known = len(outputs) == len(entries)
    return PromptCost(
        input=_mean([Decimal(entry.input) for entry, _ in entries]),
        output=_mean(outputs) if known else None,
        usd_call=_mean([usd_call(entry, price) for entry, price in entries]) if known else None,
        calls=calls,
    )


def _rates(basis: LockBasis) -> tuple[str, str, str]:
    return basis.input_usd, basis.cached_usd, basis.output_usd


def _flat_price(basis: LockBasis, like: Price | None = None) -> Price:
    """A price of the rates in a lock."""
    read, cached, output = (Decimal(rate) for rate in _rates(basis))
    if like is not None:
        return replace(like, input_mtok=read, cache_read_mtok=cached, output_mtok=output, tiers=None)
    return Price(basis.model, "", "the lock", "standard", read, cached, read, output)


def _shown_rates(price: Price) -> str:
    return f"${price.input_mtok.normalize():f}, ${price.output_mtok.normalize():f}"
