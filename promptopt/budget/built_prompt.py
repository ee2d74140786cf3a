"""Prompts that a program builds: measured from their messages, compared with a lock of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from shlex import quote
from typing import Any

from promptopt.budget.drift import locked_usd
from promptopt.budget.failure_text import cap_line, growth_line, names_text, usd_change
from promptopt.budget.gate import Gate
from promptopt.budget.guarded_prompt import digest, make_basis, metric_value
from promptopt.budget.history import LockLog
from promptopt.budget.limits import Limit, Metric, parse_limit, parse_metric
from promptopt.budget.lock import Lock, LockBasis, LockEntry, lock_path, read_lock
from promptopt.budget.result import BudgetFinding, Result, TestPlace, result_from, unusable
from promptopt.budget.update import Draft, change_lines, raised
from promptopt.errors import LockError, UsageError
from promptopt.files import show_path
from promptopt.money import usd
from promptopt.prices import Price, find_price
from promptopt.templates.sdk_messages import read_message
from promptopt.tokens import count_tokens
from promptopt.values import Message

_METRICS: tuple[Metric, ...] = ("input", "output", "usd_call")
# The case of a test that named none, in locks of version 0.1.0.
_UNNAMED = "prompt"


@dataclass(frozen=True, slots=True)
class Built:
    """A prompt that a program built: measured and compared with its lock.

    Attributes:
        basis: What it was counted with.
        entry: What would be locked.
    """

    prompt: str
    case: str
    basis: LockBasis
    entry: LockEntry
    result: Result

    def to_dict(self) -> dict[str, Any]:
        """Plain data; see :meth:`from_dict`."""
        return {**asdict(self), "result": self.result.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Built:
        """The inverse of :meth:`to_dict`."""
        basis, entry = LockBasis(**data["basis"]), LockEntry(**data["entry"])
        return cls(data["prompt"], data["case"], basis, entry, result_from(data["result"]))


def check_built(
    gate: Gate,
    prompt: str,
    case: str | None,
    messages: str | Iterable[Message | Mapping[str, Any]],
    model: str | None,
    cap: int | None,
    limits: Mapping[str, str],
    test: TestPlace | None = None,
    *,
    writes: bool = False,
) -> Built:
    """Measure a built prompt and compare it with its lock.

    Args:
        case: ``None``: the id of the test names it.
        limits: Those of the marker, over those of the settings.
        writes: Locks are written, not checked.

    Raises:
        UsageError: No model is named, it has no price, a message is none, or a limit of the marker is wrong.
        LockError: The lock is broken, or of a template.
    """
    basis, price, entry = _measured(gate, messages, model, cap)
    path = lock_path(gate.config.prompts, prompt)
    lock = read_lock(path)
    if lock is not None and not lock.program:
        remedy = "give the built prompt another name"
        raise LockError(f"{prompt!r} is a prompt with a template", path=show_path(path), remedy=remedy)
    entry = replace(entry, test="" if test is None else test.id)
    old, name = None, case or entry.test or _UNNAMED
    if lock is not None:
        old = lock.cases.get(name)
        if old is None and case is None:
            old = _unnamed(lock.cases, name, entry)
        if old is None and case is None and not writes:
            name = _repeated(lock.cases, name, entry)
            old = lock.cases.get(name)
    case = name
    found = {**gate.settings.limits_for(prompt, case), **_parsed(limits)}
    numbers: dict[str, tuple[object, object]] = {}
    if lock is None or old is None:
        summary = f"new: not locked yet; it would be locked as input {entry.input:,}"
        new = BudgetFinding("new", "error", "", summary, (f"lock it: {_command(test, reason=False)}",), show_path(path))
        findings = [new, *_compare(entry, None, price, found, test)]
    elif lock.basis.tokenizer != basis.tokenizer and old.request != entry.request:
        summary = "cannot be compared with the lock: the text and the tokenizer both changed"
        details = (f"lock it again: {_command(test, reason=True)}",)
        findings = [BudgetFinding("incomparable", "error", "input", summary, details, show_path(path))]
    else:
        # With another tokenizer, the same text counts today what the locked one counts today.
        locked, old = old, old if lock.basis.tokenizer == basis.tokenizer else entry
        findings = list(_compare(entry, old, price, found, test))
        findings += _other_model((locked, lock.basis), (entry, basis), found["usd_call"], test)
        numbers = {"input": (old.input, entry.input), "output": (old.output, entry.output)}
    return Built(prompt, case, basis, entry, Result(prompt, case, tuple(findings), numbers))


def _measured(
    gate: Gate, messages: str | Iterable[Message | Mapping[str, Any]], model: str | None, cap: int | None
) -> tuple[LockBasis, Price, LockEntry]:
    priced_as = model or gate.config.price_as or gate.config.model
    if priced_as is None:
        raise UsageError("prompt_budget.check: name the model, here or in [tool.promptopt]")
    price = find_price(priced_as, config=gate.config)
    if price is None:
        raise UsageError(f"prompt_budget.check: the price table has no model {priced_as!r}; name one that it has")
    try:
        read = [Message("user", messages)] if isinstance(messages, str) else [*map(read_message, messages)]
    except ValueError as error:
        raise UsageError(f"prompt_budget.check: {error}") from None
    counted = count_tokens(read, priced_as)
    if counted.uncounted:
        raise UsageError(f"prompt_budget.check: the messages cannot be counted: {counted.uncounted[0]}")
    entry = LockEntry(
        input=counted.tokens,
        # A program's text does not show its variables: what is static, and what a case changes, is unknown.
        cacheable=0,
        output=cap,
        output_is="cap",
        quality=None,
        variables="",
        request=digest([_shape(message) for message in read]),
    )
    return make_basis(priced_as, price), price, entry


def _shape(message: Message) -> object:
    """What a lock's digest is of: of a plain text as version 0.1.0 had it."""
    return message.canonical() if message.parts or message.tool_calls else [message.role, message.content]


def _compare(
    now: LockEntry,
    old: LockEntry | None,
    price: Price,
    limits: Mapping[Metric, Limit],
    test: TestPlace | None,
) -> Iterator[BudgetFinding]:
    for metric in _METRICS:
        limit = limits[metric]
        value = metric_value(now, metric, price)
        before = None if old is None else metric_value(old, metric, price)
        if limit.level != "off" and value is None and before is not None:
            name_it = ("name max_output_tokens", f"or accept: {_command(test, reason=True)}")
            yield BudgetFinding("regressed", "error", metric, f"{metric} {before:,} → unknown", name_it)
        if limit.level == "off" or value is None:
            continue
        if limit.beyond_cap(metric, value):
            yield BudgetFinding("cap", limit.severity, metric, cap_line(metric, value, limit))
        if before is None or old is None or not limit.exceeded(before, value - before):
            continue
        money = f"{usd_change(old, now, price)} ({price.model}, {price.source})"
        details = (money, "fix: shorten what the program builds", f"or accept: {_command(test, reason=True)}")
        yield BudgetFinding("regressed", limit.severity, metric, growth_line(metric, before, value, limit), details)


def _other_model(
    locked: tuple[LockEntry, LockBasis], now: tuple[LockEntry, LockBasis], limit: Limit, test: TestPlace | None
) -> Iterator[BudgetFinding]:
    """Another model that makes a call cost more; each side at the rates of its own."""
    model, other = locked[1].model, now[1].model
    before, after = locked_usd(*locked), locked_usd(*now)
    growth = after - before
    if model == other or growth <= 0 or (limit.level != "off" and not limit.exceeded(before, growth)):
        return
    summary = f"model {model} → {other}: {usd(before)} → {usd(after)} per call"
    details = (f"name {model} again, or accept: {_command(test, reason=True)}",)
    yield BudgetFinding("regressed", limit.severity, "usd_call", summary, details)


def _command(test: TestPlace | None, *, reason: bool) -> str:
    """The command that locks what a test builds, and nothing else."""
    which = "" if test is None else f" {quote(test.argument)}"
    given = ' --prompt-budget-reason "..."' if reason else ""
    return f"pytest --prompt-budget-update{which}{given}"


def _parsed(limits: Mapping[str, str]) -> dict[Metric, Limit]:
    """The limits of a marker. Raises UsageError if one is wrong."""
    try:
        return {parse_metric(name): parse_limit(name, value) for name, value in limits.items()}
    except ValueError as error:
        raise UsageError(f"@pytest.mark.prompt_budget: {error}") from None


def shared_entries(built: Sequence[Built]) -> Iterator[Result]:
    """Results about entries that several checks would write, each with another text."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for item in built:
        found.setdefault((item.prompt, item.case), {}).setdefault(item.entry.request, item.entry.test or "a test")
    for (prompt, case), tests in found.items():
        if len(tests) > 1:
            yield unusable(
                prompt,
                UsageError(
                    f"{len(tests)} checks with other texts share the case {case!r}: {names_text([*tests.values()])}\n"
                    "give each a name of its own: prompt_budget.check(..., case=...)"
                ),
            )


def draft_built(
    gate: Gate,
    built: Sequence[Built],
    reason: str,
    *,
    trim: bool,
    orphans: Mapping[str, Mapping[str, LockEntry]] | None = None,
) -> list[Draft]:
    """The locks of built prompts. Entries of other cases stay, unless their test is gone.

    Args:
        orphans: Entries whose test is gone, by prompt and case; an update removes them.

    Raises:
        UsageError: The counts in one lock would be those of two tokenizers.
        LockError: A lock is broken.
    """
    gone = {} if trim or orphans is None else orphans
    by_prompt: dict[str, list[Built]] = {prompt: [] for prompt in gone}
    for item in built:
        by_prompt.setdefault(item.prompt, []).append(item)
    log = LockLog(gate.config)
    return [_draft(gate, name, items, reason.strip(), log, gone, trim=trim) for name, items in by_prompt.items()]


def _draft(
    gate: Gate,
    prompt: str,
    items: Sequence[Built],
    reason: str,
    log: LockLog,
    orphans: Mapping[str, Mapping[str, LockEntry]],
    *,
    trim: bool,
) -> Draft:
    path = lock_path(gate.config.prompts, prompt)
    old = read_lock(path)
    known_lock = old or log.last(prompt)
    # A test that was renamed builds what an orphan built: to cost more than all of them needs a reason too.
    own = orphans.get(prompt, {})
    former = [*own.values()] if own or old else [entry for cases in orphans.values() for entry in cases.values()]
    entries = {case: entry for case, entry in (old.cases if old else {}).items() if case not in own}
    basis = _one_basis(prompt, old, entries, items)
    raises = []
    for item in items:
        known = entries.get(item.case) or (known_lock.cases.get(item.case) if known_lock else None)
        known = known or _unnamed(entries, item.case, item.entry)
        known = known or max(former, key=lambda each: each.input, default=None)
        known_basis = known_lock.basis if known_lock else basis
        parts = [] if known is None else list(raised(known, known_basis, item.entry, basis))
        if trim and (known is None or parts):
            continue
        if parts:
            raises.append(f"{prompt} [{item.case}]: {', '.join(parts)}")
        if _unnamed(entries, item.case, item.entry):
            del entries[_UNNAMED]
        # A case that is named by the id of its test says already which one it is.
        test = item.entry.test if item.entry.test != item.case else ""
        entry = replace(item.entry, reason=reason if parts else known.reason if known else "", test=test)
        # An entry of 0.1.0 names no test: it gets one with its next change.
        as_it_was = known is not None and not known.test and known == replace(entry, test="")
        entries[item.case] = known if known is not None and as_it_was else entry
    lock = replace(old, basis=basis, cases=entries) if old else Lock(prompt, "", basis, entries, program=True)
    if not entries:
        return Draft(prompt, path, None, ("removed, its tests are gone",) if old else ())
    return Draft(prompt, path, lock, change_lines(known_lock, lock), tuple(raises))


def _unnamed(entries: Mapping[str, LockEntry], case: str, entry: LockEntry) -> LockEntry | None:
    """The entry that version 0.1.0 wrote for a test that names no case.

    If the test has parameters, they shared the entry, and whose it was is not known.
    """
    known = entries.get(_UNNAMED)
    if known is None or known.test or case != entry.test or case.endswith("]"):
        return None
    return known


def _repeated(entries: Mapping[str, LockEntry], case: str, entry: LockEntry) -> str:
    """The entry of a test that a plugin runs several times, each time with a parameter more, and with the locked text.

    If there is none, the case.
    """
    function, _, values = case.partition("[")
    for known, locked in entries.items():
        name, _, before = known.partition("[")
        more = not before or values.startswith(f"{before[:-1]}-") or values.endswith(f"-{before}")
        if name == function and values and more and locked.request == entry.request:
            return known
    return case


def _one_basis(prompt: str, old: Lock | None, kept: Mapping[str, LockEntry], items: Sequence[Built]) -> LockBasis:
    """The basis of the new lock. Only a run that builds every locked case accepts another model or price."""
    if len({item.basis.tokenizer for item in items}) > 1:
        raise UsageError(f"{prompt}: its cases are counted for models with different tokenizers; name one model")
    if not items:
        assert old is not None
        return old.basis
    basis = items[-1].basis
    others = sorted(set(kept) - {item.case for item in items})
    if old is None or old.basis == basis or not others:
        return basis
    if old.basis.tokenizer != basis.tokenizer:
        raise UsageError(
            f"{prompt} was locked with another tokenizer ({old.basis.model}, now {basis.model}), and one lock has "
            f"counts of one tokenizer: run the tests of all its cases in one update, also {names_text(others)}"
        )
    return old.basis
