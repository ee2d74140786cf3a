"""A branch compared with its base: every prompt that differs, accepted raises included.

Both sides are counted over today's cases. The base's text comes out of git; what its cases cost is taken from its lock
if the lock is of that text, and counted anew otherwise. The length of answers is what the locks and recordings have.
A prompt that a program builds is known by its locks only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from promptopt.budget.base_project import BaseProject, base_project, changed_since, names_function
from promptopt.budget.baseline import Base, input_tokens
from promptopt.budget.causes import all_measured
from promptopt.budget.discovery import find_locks
from promptopt.budget.drift import new_reasons
from promptopt.budget.guarded_prompt import (
    GuardedPrompt,
    MeasuredCase,
    media_of_case,
    output_cap,
    sources_digest,
    tokenizer_name,
)
from promptopt.budget.history import predecessor
from promptopt.budget.impact import (
    Cause,
    Detail,
    Impact,
    Priced,
    PromptChange,
    PromptCost,
    Step,
    calls_cause,
    flat_price,
    last_steps,
    longer,
    mean_cost,
    rates_of,
    tokens_detail,
    walk,
)
from promptopt.budget.lock import SUFFIX, Lock, LockEntry, lost, may_cost_more, read_lock
from promptopt.config import Config
from promptopt.errors import PromptoptError
from promptopt.experiment.variant import Variant, make_variant
from promptopt.prices import Price, find_price, find_tier_price
from promptopt.templates import load_prompt
from promptopt.tokens import definition_tokens, tokenizer_for


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
        followed: set[str] = set()
        for name, prompt in prompts.items():
            former = name
            if name not in then.files:
                former = former_name(prompt, {other: gone[other] for other in gone.keys() - followed}) or ""
                followed.add(former)
            elif name not in changed:
                continue
            found.append(_change(prompt, then, former, code=changed.code))
        found += [] if only else [_built(name, *locks) for name, locks in _built_locks(config, then) if name in changed]
        removed = [] if only else [_removed(name, gone[name]) for name in sorted(gone.keys() - followed)]
    return Impact(base.label, tuple(change for change in (*found, *removed) if change is not None))


def former_name(prompt: GuardedPrompt, gone: Mapping[str, Lock]) -> str | None:
    """The name that a prompt had, of those that are gone; ``None`` if it had none of them."""
    try:
        digests = [prompt.measure(name).entry.variables for name in prompt.cases]
        lock = predecessor(digests, gone, prompt.name, prompt.sources)
    except PromptoptError:
        return None
    return next((name for name in gone if gone[name] is lock), None)


def _removed(name: str, lock: Lock) -> PromptChange:
    rates = flat_price(lock.basis)
    bill = mean_cost([(entry, rates) for entry in lock.cases.values()], None)
    return PromptChange(name, bill, None, note="removed, or not guarded any more")


def _change(prompt: GuardedPrompt, then: BaseProject, former: str, *, code: bool) -> PromptChange | None:
    try:
        if not former:
            return _new(prompt)
        return _Comparison(prompt, then, former, code=code).change()
    except PromptoptError as error:
        return PromptChange(prompt.name, None, None, note=f"cannot be compared: {then.message(error)}")


def _new(prompt: GuardedPrompt) -> PromptChange:
    entries = [(prompt.measure(name).entry, prompt.price) for name in prompt.cases]
    return PromptChange(
        prompt.name, None, mean_cost(entries, prompt.calls_per_month), reasons=_reasons(prompt, None), note="new"
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


class _Comparison:
    """One prompt on both sides.

    Args:
        code: Whether Python files differ: tools that are functions are today's on both sides, and the base's are known
            by its lock only.
    """

    def __init__(self, prompt: GuardedPrompt, then: BaseProject, former: str, *, code: bool) -> None:
        self._prompt = prompt
        self._former = former
        self._lock = then.lock(former)
        self._template = load_prompt(then.files[former].newest, config=then.config)
        self._variant = make_variant(self._template, prompt.suite, then.config)
        front, call = self._template.front, self._lock.call if self._lock else None
        counted = definition_tokens(front.output_schema, front.tools, tokenizer_for(self._variant.priced_as))
        by_lock = code and call is not None and names_function(then.files[former].newest)
        self._schema = call.schema if by_lock and call is not None else counted
        self._of_code = self._schema - counted
        self._price = self._base_price(prompt, self._variant, then.config)

    def _base_price(self, prompt: GuardedPrompt, variant: Variant, then: Config) -> Price:
        tier = self._template.front.params.service_tier
        price = find_tier_price(variant.priced_as, tier, config=then)
        if price is None:
            known = find_price(variant.priced_as, config=then) is not None
            with_tier = f" with service_tier {tier!r}" if known else ""
            raise PromptoptError(f"the price table has no model {variant.priced_as!r}{with_tier}, which the base uses")
        now = _lock(prompt)
        if self._lock is None or now is None or self._lock.basis.model != now.basis.model:
            return price
        # A price table is this branch's change only if the branch has locked its rates.
        return price if rates_of(self._lock.basis) == rates_of(now.basis) else flat_price(self._lock.basis, price)

    def change(self) -> PromptChange | None:
        """The difference; ``None`` if there is none."""
        prompt = self._prompt
        # If no case is on both sides, the two texts are compared over today's cases.
        pairs = list(self._pairs(self._locked)) or list(self._pairs({}))
        note = "" if self._former == prompt.name else f"renamed from {self._former}"
        if not pairs:
            return replace(_new(prompt), note="has no case in common with the base")
        calls = self._template.front.calls_per_month, prompt.calls_per_month
        before = mean_cost([(old, self._price) for old, _ in pairs], calls[0])
        after = mean_cost([(now, prompt.price) for _, now in pairs], calls[1])
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
        for name in prompt.cases:
            measured = prompt.measure(name)
            entry = cases.get(name) or renamed.get(measured.entry.variables)
            if entry is None and cases:
                continue
            if entry is not None and counted and entry.variables == measured.entry.variables:
                yield self._same_output(entry, measured)
                continue
            counts = input_tokens(self._template, measured.case, self._variant.priced_as)
            if counts is not None:
                # Without a lock, all that is known of the base's answers is their cap.
                old = replace(measured.entry, output_is="cap") if entry is None else entry
                old = longer(replace(old, input=counts[0], cacheable=counts[1]), self._of_code)
                yield self._same_output(old, measured)

    def _same_output(self, old: LockEntry, measured: MeasuredCase) -> tuple[LockEntry, LockEntry]:
        """Both with lengths of one kind: recorded answers are not compared with a cap."""
        now = measured.entry
        cap, cap_now = (output_cap(template, measured.case) for template in (self._template, self._prompt.template))
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
        start = [(old, self._price) for old, _ in pairs]
        yield from walk(start, [now for _, now in pairs], self._steps(pairs))
        yield from calls_cause(before, after)
        old, new = ({**side.front.params.to_dict()} for side in (template, prompt.template))
        # These are steps above: the cap is the output, and a tier with a price of its own is the rates.
        said = {"max_output_tokens", *(["service_tier"] if self._price.processing != prompt.price.processing else [])}
        for key in sorted({*old, *new} - said):
            if old.get(key) != new.get(key):
                unknown = may_cost_more(key, old.get(key), new.get(key)) and not all_measured(prompt)
                detail = f"{key} {old.get(key, 'not set')} → {new.get(key, 'not set')}"
                yield Cause("parameters", detail, None if unknown else Decimal(0))

    def _steps(self, pairs: Sequence[tuple[LockEntry, LockEntry]]) -> Iterator[tuple[str, Detail, Step]]:
        prompt, variant = self._prompt, self._variant
        then, now = tokenizer_for(variant.priced_as), tokenizer_for(prompt.variant.priced_as)
        front = prompt.template.front
        billed = definition_tokens(front.output_schema, front.tools, then)
        yield "schema", tokens_detail("input"), lambda at, _: (longer(at[0], billed - self._schema), at[1])
        # Today's text by the base's tokenizer, if the two differ.
        counted = (
            {now_entry.request: now_entry for _, now_entry in pairs}
            if then == now
            else self._recounted(variant.priced_as)
        )

        if media := self._media(variant.priced_as):
            yield "media", tokens_detail("input"), lambda at, today: (
                replace(at[0], input=at[0].input + media.get(today.request, 0)), at[1])  # fmt: skip

        def text(at: Priced, today: LockEntry) -> Priced:
            entry = counted.get(today.request, today)
            # What is still sent and was cacheable stays so in this step.
            kept = lost(at[0], entry)
            return replace(at[0], input=entry.input, cacheable=entry.cacheable + kept), at[1]

        yield "input text", tokens_detail("input"), text
        yield "cacheable prefix", tokens_detail("cacheable"), lambda at, today: (
            replace(at[0], cacheable=counted.get(today.request, today).cacheable), at[1])  # fmt: skip
        yield "tokenizer", tokens_detail("input"), lambda at, today: (
            replace(at[0], input=today.input, cacheable=today.cacheable), at[1])  # fmt: skip
        yield from last_steps(self._price, prompt.price)

    def _media(self, model: str) -> dict[str, int]:
        """How many tokens more the images, sounds and files of today's cases are, by request; empty without any."""
        found = {}
        for name in self._prompt.cases:
            measured = self._prompt.measure(name)
            sides = self._template, self._prompt.template
            try:
                before, after = (media_of_case(template, measured.case, model) for template in sides)
            except PromptoptError:
                continue
            if before or after:
                found[measured.entry.request] = after - before
        return found

    def _recounted(self, model: str) -> dict[str, LockEntry]:
        """Today's entries, by request, as another model's tokenizer counts them."""
        prompt = self._prompt
        found = {}
        for name in prompt.cases:
            entry = prompt.measure(name).entry
            counts = input_tokens(prompt.template, prompt.cases[name], model)
            if counts is not None:
                found[entry.request] = replace(entry, input=counts[0], cacheable=counts[1])
        return found


def _built_locks(config: Config, then: BaseProject) -> Iterator[tuple[str, tuple[Lock | None, Lock | None]]]:
    """The locks of built prompts on both sides, by name."""
    before, after = (dict(_programs(side)) for side in (then.config, config))
    for name in sorted({*before, *after}):
        yield name, (before.get(name), after.get(name))


def _programs(config: Config) -> Iterator[tuple[str, Lock]]:
    for path in find_locks(config):
        try:
            lock = read_lock(path)
        except PromptoptError:
            continue
        if lock is not None and lock.program:
            yield path.relative_to(config.prompts).as_posix().removesuffix(SUFFIX), lock


def _built(name: str, old: Lock | None, new: Lock | None) -> PromptChange | None:
    """The difference of two locks of a built prompt."""
    if old is None or new is None:
        lock, note = (new, "new") if old is None else (old, "removed")
        assert lock is not None
        cost = mean_cost([(entry, flat_price(lock.basis)) for entry in lock.cases.values()], None)
        return PromptChange(name, None, cost, (), new_reasons(None, lock), note) if old is None else PromptChange(
            name, cost, None, note=note)  # fmt: skip
    pairs = [(old.cases[case], entry) for case, entry in new.cases.items() if case in old.cases]
    if not pairs:
        return PromptChange(name, None, None, note="no case in common with the base")
    prices = flat_price(old.basis), flat_price(new.basis)
    start = [(entry, prices[0]) for entry, _ in pairs]
    today = [entry for _, entry in pairs]
    before, after = mean_cost(start, None), mean_cost([(entry, prices[1]) for entry in today], None)
    inputs = ("input text", tokens_detail("input"), lambda at, now: (
        replace(at[0], input=now.input, cacheable=now.cacheable), at[1]))  # fmt: skip
    causes = tuple(walk(start, today, [inputs, *last_steps(*prices)]))
    return PromptChange(name, before, after, causes, new_reasons(old, new)) if causes else None
