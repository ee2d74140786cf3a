"""Prompts that a program builds: measured from their messages, compared with a lock of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from promptopt.budget.failure_text import cap_line, growth_line, usd_change
from promptopt.budget.gate import Gate
from promptopt.budget.guarded_prompt import digest, make_basis, metric_value
from promptopt.budget.limits import Limit, Metric, parse_limit, parse_metric
from promptopt.budget.lock import Lock, LockBasis, LockEntry, lock_path, read_lock
from promptopt.budget.result import BudgetFinding, Result, result_from
from promptopt.budget.update import Written, change_lines, costs_more
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


def write_built(gate: Gate, built: Sequence[Built], reason: str, *, trim: bool) -> list[Written]:
    """Lock built prompts. Entries of other cases stay: another test may build them.

    Raises:
        UsageError: A count would be raised without a reason; nothing is written.
        LockError: A file cannot be written.
    """
    locks: dict[str, tuple[Lock | None, Lock]] = {}
    raises = []
    for item in built:
        old, lock = locks.get(item.prompt) or _locks(gate, item)
        known = lock.cases.get(item.case)
        raised = known is not None and costs_more(known, item.entry)
        if trim and (known is None or raised):
            continue
        if raised:
            raises.append(f"{item.prompt} [{item.case}]")
        kept = known.reason if known else ""
        entry = replace(item.entry, reason=reason if raised else kept)
        locks[item.prompt] = old, replace(lock, basis=item.basis, cases={**lock.cases, item.case: entry})
    if raises and not reason.strip():
        raise UsageError(
            f"this would raise the locked counts of {', '.join(raises)}. None of them was written. "
            'Say why: --prompt-budget-reason "..."'
        )
    written = []
    for prompt, (old, lock) in locks.items():
        lines = change_lines(old, lock)
        if lines:
            path = lock_path(gate.config.prompts, prompt)
            lock.write(path)
            written.append(Written(show_path(path), lines))
    return written


def _locks(gate: Gate, item: Built) -> tuple[Lock | None, Lock]:
    """The lock of a built prompt on disk, and the one to add to."""
    old = read_lock(lock_path(gate.config.prompts, item.prompt))
    return old, old or Lock(item.prompt, "", item.basis, {}, program=True)
