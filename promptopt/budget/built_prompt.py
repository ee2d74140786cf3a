"""Prompts that a program builds: measured from their messages, compared with a lock of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from promptopt.budget.failure_text import metric_change
from promptopt.budget.gate import Gate
from promptopt.budget.guarded_prompt import digest, tokenizer_name
from promptopt.budget.limits import METRICS, Limit, Metric, parse_limit
from promptopt.budget.lock import Basis, Entry, lock_path, read_lock
from promptopt.budget.result import Finding, FindingLevel, Result
from promptopt.errors import LockError, UsageError
from promptopt.files import show_path
from promptopt.money import usd
from promptopt.prices import Price, find_price
from promptopt.tokens import count_tokens, tokenizer_for
from promptopt.values import Message, Usage

_METRICS: tuple[Metric, ...] = ("input", "output", "usd_call")
_COMMAND = 'pytest --prompt-budget-update --prompt-budget-reason "..." and this test'


def measure_built(
    gate: Gate, messages: str | Iterable[Message | Mapping[str, str]], model: str | None, cap: int | None
) -> tuple[Basis, Entry, Price]:
    """What built messages cost.

    Raises:
        UsageError: No model is named, or it has no price.
    """
    priced_as = model or gate.config.price_as or gate.config.model
    if priced_as is None:
        raise UsageError("prompt_budget.check: name the model, here or in [tool.promptopt]")
    price = find_price(priced_as, config=gate.config)
    if price is None:
        raise UsageError(f"prompt_budget.check: the price table has no model {priced_as!r}; name one that it has")
    read = [Message("user", messages)] if isinstance(messages, str) else [_message(message) for message in messages]
    tokens = count_tokens(read, priced_as).tokens
    tokenizer = tokenizer_name(tokenizer_for(priced_as))
    rates = (price.input_mtok, price.cache_read_mtok, price.output_mtok)
    basis = Basis(tokenizer, priced_as, *(f"{rate.normalize():f}" for rate in rates))
    text = digest([[message.role, message.content] for message in read])
    # A program's text shows no variables: none of it is known to be static, or to depend on a case.
    return basis, Entry(tokens, 0, cap, "cap", None, "", text), price


def _message(message: Message | Mapping[str, str]) -> Message:
    return message if isinstance(message, Message) else Message(message["role"], message["content"])  # type: ignore[arg-type]  # any role counts alike


def check_built(
    gate: Gate, prompt: str, case: str, basis: Basis, entry: Entry, price: Price, limits: Mapping[str, str]
) -> Result:
    """Compare it with its lock, under the limits of the settings and, over them, of the marker.

    Raises:
        LockError: The lock is one of a template.
    """
    path = lock_path(gate.config.prompts, prompt)
    lock = read_lock(path)
    if lock is not None and not lock.program:
        raise LockError(
            f"{prompt!r} is a prompt with a template; give the built one another name", path=show_path(path)
        )
    found: dict[Metric, Limit] = {**gate.settings.of(prompt, case), **_parsed(limits)}
    old = lock.cases.get(case) if lock else None
    if lock is None or old is None:
        summary = f"new: not locked yet; it would be locked as input {entry.input:,}"
        new = Finding("new", "error", "", summary, (f"lock it: {_COMMAND}",), show_path(path))
        return Result(prompt, case, (new, *_compare(entry, None, price, found)))
    if lock.basis.tokenizer != basis.tokenizer:
        if old.request != entry.request:
            summary = "cannot be compared with the lock: the text and the tokenizer changed together"
            return Result(
                prompt, case, (Finding("incomparable", "error", "input", summary, (_COMMAND,), show_path(path)),)
            )
        old = entry
    numbers: dict[str, tuple[object, object]] = {
        "input": (old.input, entry.input),
        "output": (old.output, entry.output),
    }
    return Result(prompt, case, tuple(_compare(entry, old, price, found)), numbers)


def _compare(now: Entry, old: Entry | None, price: Price, limits: Mapping[Metric, Limit]) -> Iterator[Finding]:
    for metric in _METRICS:
        limit = limits[metric]
        value = _value(now, price, metric)
        before = None if old is None else _value(old, price, metric)
        if limit.level == "off" or value is None:
            continue
        level: FindingLevel = "warn" if limit.level == "warn" else "error"
        if limit.cap is not None and value > limit.cap:
            text = f"{metric_change(metric, None, value)} is above its cap  limit {limit.text}"
            yield Finding("cap", level, metric, text)
        if before is None or old is None or value <= before or not limit.exceeded(before, value - before):
            continue
        money = f"{usd(_usd(old, price))} → {usd(_usd(now, price))} per call ({price.model}, {price.source})"
        text = f"{metric_change(metric, before, value)}  limit {limit.text}"
        yield Finding("regressed", level, metric, text, (money, f"fix: shorten what is built, or accept: {_COMMAND}"))


def _usd(entry: Entry, price: Price) -> Decimal:
    return price.cost(Usage(input_tokens=entry.input, output_tokens=entry.output or 0)).total_usd


def _value(entry: Entry, price: Price, metric: Metric) -> Decimal | None:
    if metric == "usd_call":
        return _usd(entry, price)
    number = entry.input if metric == "input" else entry.output
    return None if number is None else Decimal(number)


def _parsed(limits: Mapping[str, str]) -> dict[Metric, Limit]:
    """The limits of a marker. Raises UsageError where one is wrong."""
    found: dict[Metric, Limit] = {}
    for name, value in limits.items():
        try:
            limit = parse_limit(name, value)
        except ValueError as error:
            raise UsageError(f"@pytest.mark.prompt_budget: {error}") from None
        found |= {metric: limit for metric in METRICS if metric == name}
    return found
