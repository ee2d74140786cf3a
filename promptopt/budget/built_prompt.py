"""Prompts that a program builds: measured from their messages, compared with a lock of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from promptopt.budget.failure_text import cap_line, growth_line, names_text, usd_change
from promptopt.budget.gate import Gate
from promptopt.budget.guarded_prompt import digest, make_basis, metric_value
from promptopt.budget.history import LockLog
from promptopt.budget.limits import Limit, Metric, parse_limit, parse_metric
from promptopt.budget.lock import Lock, LockBasis, LockEntry, lock_path, read_lock
from promptopt.budget.result import BudgetFinding, Result, result_from
from promptopt.budget.update import Draft, change_lines, raised
from promptopt.errors import LockError, UsageError
from promptopt.files import show_path
from promptopt.prices import Price, find_price
from promptopt.tokens import count_tokens
from promptopt.values import Message

_METRICS: tuple[Metric, ...] = ("input", "output", "usd_call")
_COMMAND = 'run this test with: pytest --prompt-budget-update --prompt-budget-reason "..."'


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
    case: str,
    messages: str | Iterable[Message | Mapping[str, str]],
    model: str | None,
    cap: int | None,
    limits: Mapping[str, str],
) -> Built:
    """Measure a built prompt and compare it with its lock.

    Args:
        limits: Those of the marker, over those of the settings.

    Raises:
        UsageError: No model is named, it has no price, or a limit of the marker is wrong.
        LockError: The lock is broken, or of a template.
    """
    basis, price, entry = _measured(gate, messages, model, cap)
    path = lock_path(gate.config.prompts, prompt)
    lock = read_lock(path)
    if lock is not None and not lock.program:
        remedy = "give the built prompt another name"
        raise LockError(f"{prompt!r} is a prompt with a template", path=show_path(path), remedy=remedy)
    found = {**gate.settings.limits_for(prompt, case), **_parsed(limits)}
    old = lock.cases.get(case) if lock else None
    numbers: dict[str, tuple[object, object]] = {}
    if lock is None or old is None:
        summary = f"new: not locked yet; it would be locked as input {entry.input:,}"
        new = BudgetFinding("new", "error", "", summary, (f"to lock it, {_COMMAND}",), show_path(path))
        findings = [new, *_compare(entry, None, price, found)]
    elif lock.basis.tokenizer != basis.tokenizer and old.request != entry.request:
        summary = "cannot be compared with the lock: the text and the tokenizer both changed"
        details = (f"to lock it again, {_COMMAND}",)
        findings = [BudgetFinding("incomparable", "error", "input", summary, details, show_path(path))]
    else:
        # With another tokenizer, the same text counts today what the locked one counts today.
        old = old if lock.basis.tokenizer == basis.tokenizer else entry
        findings = list(_compare(entry, old, price, found))
        numbers = {"input": (old.input, entry.input), "output": (old.output, entry.output)}
    return Built(prompt, case, basis, entry, Result(prompt, case, tuple(findings), numbers))


def _measured(
    gate: Gate, messages: str | Iterable[Message | Mapping[str, str]], model: str | None, cap: int | None
) -> tuple[LockBasis, Price, LockEntry]:
    priced_as = model or gate.config.price_as or gate.config.model
    if priced_as is None:
        raise UsageError("prompt_budget.check: name the model, here or in [tool.promptopt]")
    price = find_price(priced_as, config=gate.config)
    if price is None:
        raise UsageError(f"prompt_budget.check: the price table has no model {priced_as!r}; name one that it has")
    read = [Message("user", messages)] if isinstance(messages, str) else [_message(message) for message in messages]
    entry = LockEntry(
        input=count_tokens(read, priced_as).tokens,
        # A program's text does not show its variables: what is static, and what a case changes, is unknown.
        cacheable=0,
        output=cap,
        output_is="cap",
        quality=None,
        variables="",
        request=digest([[message.role, message.content] for message in read]),
    )
    return make_basis(priced_as, price), price, entry


def _message(message: Message | Mapping[str, str]) -> Message:
    return message if isinstance(message, Message) else Message(message["role"], message["content"])  # type: ignore[arg-type]  # any role counts alike


def _compare(
    now: LockEntry, old: LockEntry | None, price: Price, limits: Mapping[Metric, Limit]
) -> Iterator[BudgetFinding]:
    for metric in _METRICS:
        limit = limits[metric]
        value = metric_value(now, metric, price)
        before = None if old is None else metric_value(old, metric, price)
        if limit.level == "off" or value is None:
            continue
        if limit.beyond_cap(metric, value):
            yield BudgetFinding("cap", limit.severity, metric, cap_line(metric, value, limit))
        if before is None or old is None or not limit.exceeded(before, value - before):
            continue
        money = f"{usd_change(old, now, price)} ({price.model}, {price.source})"
        details = (money, "fix: shorten what the program builds", f"or accept: {_COMMAND}")
        yield BudgetFinding("regressed", limit.severity, metric, growth_line(metric, before, value, limit), details)


def _parsed(limits: Mapping[str, str]) -> dict[Metric, Limit]:
    """The limits of a marker. Raises UsageError if one is wrong."""
    try:
        return {parse_metric(name): parse_limit(name, value) for name, value in limits.items()}
    except ValueError as error:
        raise UsageError(f"@pytest.mark.prompt_budget: {error}") from None


def draft_built(gate: Gate, built: Sequence[Built], reason: str, *, trim: bool) -> list[Draft]:
    """The locks of built prompts. Entries of other cases stay: another test may build them.

    Raises:
        UsageError: The counts in one lock would be those of two tokenizers.
        LockError: A lock is broken.
    """
    by_prompt: dict[str, list[Built]] = {}
    for item in built:
        by_prompt.setdefault(item.prompt, []).append(item)
    log = LockLog(gate.config)
    return [_draft(gate, name, items, reason.strip(), log, trim=trim) for name, items in by_prompt.items()]


def _draft(gate: Gate, prompt: str, items: Sequence[Built], reason: str, log: LockLog, *, trim: bool) -> Draft:
    path = lock_path(gate.config.prompts, prompt)
    old = read_lock(path)
    known_lock = old or log.last(prompt)
    basis = _one_basis(prompt, old, items)
    entries = dict(old.cases) if old else {}
    raises = []
    for item in items:
        known = entries.get(item.case) or (known_lock.cases.get(item.case) if known_lock else None)
        parts = [] if known is None or known_lock is None else list(raised(known, known_lock.basis, item.entry, basis))
        if trim and (known is None or parts):
            continue
        if parts:
            raises.append(f"{prompt} [{item.case}]: {', '.join(parts)}")
        entries[item.case] = replace(item.entry, reason=reason if parts else known.reason if known else "")
    lock = replace(old, basis=basis, cases=entries) if old else Lock(prompt, "", basis, entries, program=True)
    return Draft(prompt, path, lock, change_lines(known_lock, lock) if entries else (), tuple(raises))


def _one_basis(prompt: str, old: Lock | None, items: Sequence[Built]) -> LockBasis:
    """The basis of the new lock. Only a run that builds every locked case accepts another model or price."""
    if len({item.basis.tokenizer for item in items}) > 1:
        raise UsageError(f"{prompt}: its cases are counted for models with different tokenizers; name one model")
    basis = items[-1].basis
    others = sorted(set(old.cases) - {item.case for item in items}) if old else []
    if old is None or old.basis == basis or not others:
        return basis
    if old.basis.tokenizer != basis.tokenizer:
        raise UsageError(
            f"{prompt} was locked with another tokenizer ({old.basis.model}, now {basis.model}), and one lock has "
            f"counts of one tokenizer: run the tests of all its cases in one update, also {names_text(others)}"
        )
    return old.basis
