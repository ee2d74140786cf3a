"""The ledger's two places in the stack: at the bottom it meters what is sent, at the top what is not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeVar

from promptopt.gateway.call import Answer, Call
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.costs import Bill, Costs
from promptopt.gateway.failures import CallFailed, Refused, interrupted
from promptopt.gateway.flow import Flow, Handler, Subflow
from promptopt.gateway.openai.wire import messages, output_cap
from promptopt.gateway.stores.ledger_row import CacheState, CallStatus, LedgerRow, LedgerStore
from promptopt.secrets import find_any_secret
from promptopt.values import Usage, sha256_hex

T = TypeVar("T")
log = logging.getLogger("promptopt.gateway")


class _Begun:
    """The row of a call that was sent. It is made once: for a call that lasts it is written before its end as well."""

    __slots__ = ("_call", "_given", "_row")

    def __init__(self, call: Call, at: float, cache: CacheState) -> None:
        self._call = call
        self._given = at, cache
        self._row: LedgerRow | None = None

    def __call__(self) -> LedgerRow:
        if self._row is None:
            at, cache = self._given
            self._row = row_of(self._call, at, cache=cache, status="sent")
        return self._row

    def ended(self, **known: Any) -> LedgerRow:
        """The row with what is known at the end of the call; most calls end before it was made, and have but that."""
        if self._row is not None:
            return self._row._replace(**known)
        at, cache = self._given
        return row_of(self._call, at, **{"cache": cache, "status": "sent", **known})


_PENDING_MOST = 10_000


@dataclass(frozen=True, slots=True)
class _Pending:
    """A call that goes on in the background."""

    number: int
    begun: _Begun
    started: float
    call: Call


class Meter:
    """Writes a row for every call that goes to the provider, before it is sent and after it ended."""

    def __init__(
        self,
        store: LedgerStore,
        costs: Costs,
        shareable: Callable[[Call], bool],
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._store = store
        self._costs = costs
        self._shareable = shareable
        self._clock = clock
        self._pending: dict[str, _Pending] = {}

    def handle(self, call: Call, inner: Handler) -> Flow:
        begun = _Begun(call, self._clock.time(), "miss" if self._shareable(call) else "none")
        number = self._store.begin(begun)
        started = self._clock.monotonic()
        try:
            answer = yield from inner(call)
        except CallFailed as failure:
            self._failed(number, begun, started, call, failure)
            raise
        except BaseException as error:
            # The caller was cancelled, or threw the call away.
            self._failed(number, begun, started, call, interrupted(error))
            raise
        if answer.pending:
            self._wait(answer.pending, _Pending(number, begun, started, call))
        else:
            # What waits to be written keeps no response of the client's alive.
            read = answer._replace(raw=None)
            self._store.finish(number, partial(self._ok, begun, call, read, _since(started, self._clock)))
        return answer

    def _wait(self, response: str, pending: _Pending) -> None:
        """The provider still works on a response: its row stays ``sent``, at its worst case, until it ends."""
        if len(self._pending) >= _PENDING_MOST:
            self._pending.pop(next(iter(self._pending)), None)
        self._pending[response] = pending
        if pending.number:
            begun, call = pending.begun, pending.call
            self._store.finish(pending.number, lambda: _ended(begun.ended, self._costs.worst_bill(call)))

    def ended(self, response: str, answer: Answer) -> Subflow[None]:
        """A response in the background has ended, and this process had asked for it."""
        yield from ()
        pending = self._pending.pop(response, None)
        if pending is None:
            return
        number, begun, started, call = pending.number, pending.begun, pending.started, pending.call
        if answer.usage is None:
            failure = CallFailed("abandoned")
            self._failed(number, begun, started, call, failure)
        else:
            self._store.finish(number, partial(self._ok, begun, call, answer, _since(started, self._clock)))

    def _ok(self, begun: _Begun, call: Call, answer: Answer, ms: float) -> LedgerRow:
        return _answered(begun.ended, _bill(self._costs, call, answer), answer, ms, status="ok")

    def _failed(self, number: int, begun: _Begun, started: float, call: Call, failure: CallFailed) -> None:
        status: CallStatus = "abandoned" if failure.kind == "abandoned" else "error"
        row = _ended(
            begun.ended,
            _bill(self._costs, call, failure),
            status=status,
            error=failure.code or failure.kind,
            http_status=failure.status,
            latency_ms=_since(started, self._clock),
        )
        self._store.finish(number, row)


class LedgerFront:
    """Writes a row for what never reached the provider: kept and shared answers (incurred $0), and refusals."""

    def __init__(self, store: LedgerStore, costs: Costs, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._store = store
        self._costs = costs
        self._clock = clock

    def handle(self, call: Call, inner: Handler) -> Flow:
        at, started = self._clock.time(), self._clock.monotonic()
        try:
            answer = yield from inner(call)
        except Refused as refusal:
            self._store.finish(
                0, row_of(call, at, status="refused", error=refusal.code, incurred_usd=0.0, list_usd=0.0)
            )
            raise
        if answer.source != "upstream":
            self._store.finish(0, partial(self._saved, call, answer, at, _since(started, self._clock)))
        return answer

    def _saved(self, call: Call, answer: Answer, at: float, ms: float) -> LedgerRow:
        known = {"cache": answer.source, "incurred_usd": 0.0}
        return _answered(partial(row_of, call, at), _bill(self._costs, call, answer), answer, ms, **known)


def _bill(costs: Costs, call: Call, outcome: Answer | CallFailed) -> Bill:
    """The bill; if it cannot be computed, one that says that nothing is known."""
    try:
        return costs.bill(call, outcome)
    except Exception:
        log.exception("the ledger: a call could not be billed; its row is unpriced")
        return Bill(outcome.usage if isinstance(outcome, Answer) else None, "assumed", None)


def row_of(call: Call, at: float, **known: Any) -> LedgerRow:
    """The row of a call that was not answered yet."""
    labels = call.labels
    temperature = call.body.get("temperature")
    return LedgerRow(
        at=at,
        model=call.model,
        prompt=labels.prompt and _clean(labels.prompt),
        version=labels.version and _clean(labels.version),
        endpoint=call.endpoint,
        tag=labels.tag and _clean(labels.tag),
        task=labels.task and _clean(labels.task),
        user=labels.user and _clean(labels.user),
        tier=labels.tier and _clean(labels.tier),
        run=labels.run and _clean(labels.run),
        team=labels.team and _clean(labels.team),
        # A digest, or a name out of the configuration.
        key=labels.key,
        trace=labels.trace,
        tenant=labels.tenant and _clean(labels.tenant),
        max_output_tokens=_or_none(output_cap, call),
        temperature=temperature if isinstance(temperature, int | float) else None,
        digest=call.identity,
        kind=(labels.prompt and _clean(labels.prompt)) or _or_none(kind_of, call) or f"{call.model}#-",
        step=call.step,
        attempt=call.attempt,
        stream=call.stream,
        expected_cached_tokens=call.expected_cached_tokens,
        misordered_tokens=call.misordered_tokens,
        **known,
    )


def kind_of(call: Call) -> str:
    """What sort of call this is, if nobody named its prompt: the model and a digest of the instructions."""
    model = call.asked_model or call.model
    fixed = [text for role, text in messages(call) if role in ("system", "developer")]
    return f"{model}#{sha256_hex(chr(0).join(fixed))[:8]}" if fixed else f"{model}#-"


def _answered(made: Callable[..., LedgerRow], bill: Bill, answer: Answer, ms: float, **known: Any) -> LedgerRow:
    named = {"model_answered": answer.model or None, "finish_reason": answer.finish_reason, "latency_ms": ms}
    return _ended(made, bill, **named, **known)


def _ended(made: Callable[..., LedgerRow], bill: Bill, **changes: Any) -> LedgerRow:
    """The row, made with what the call used and cost; what was paid is the list cost unless ``changes`` says else."""
    usage = bill.usage or Usage()
    usd = None if bill.usd is None else float(bill.usd)
    values: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "output_reasoning_tokens": usage.output_reasoning_tokens,
        "basis": bill.basis,
        "service_tier": bill.service_tier,
        "list_usd": usd,
        "incurred_usd": usd,
    }
    return made(**(values | changes))


def _since(started: float, clock: Clock) -> float:
    """Milliseconds."""
    return round((clock.monotonic() - started) * 1000, 3)


def _or_none(read: Callable[[Call], T], call: Call) -> T | None:
    """What is read out of a body; ``None`` if that is not what the API wants, which the provider is to say."""
    try:
        return read(call)
    except (TypeError, ValueError, AttributeError, KeyError):
        return None


def _clean(label: Any) -> str | None:
    """A label without secrets: who puts a key into one finds this instead. Out of a body it may be any value."""
    return None if label is None else _without_secret(label if isinstance(label, str) else repr(label))


@lru_cache(maxsize=4096)
def _without_secret(label: str) -> str:
    return "[secret]" if find_any_secret(label) else label


def otel_attributes(row: LedgerRow) -> dict[str, Any]:
    """A row as attributes of OpenTelemetry's GenAI conventions; input tokens include the cached ones.

    What the conventions have no name for is ``promptopt.*``.
    """
    named = {
        "gen_ai.operation.name": "embeddings" if row.endpoint == "embeddings" else "chat",
        "gen_ai.provider.name": "anthropic" if row.endpoint == "messages" else "openai",
        "gen_ai.request.model": row.model,
        "openai.response.service_tier": row.service_tier,
        "gen_ai.request.max_tokens": row.max_output_tokens,
        "gen_ai.request.temperature": row.temperature,
        "gen_ai.response.model": row.model_answered,
        "gen_ai.response.finish_reasons": [row.finish_reason] if row.finish_reason else None,
        "gen_ai.usage.input_tokens": row.input_tokens,
        "gen_ai.usage.output_tokens": row.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": row.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": row.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": row.output_reasoning_tokens,
        "error.type": row.error,
        "http.response.status_code": row.http_status,
        "enduser.id": row.user,
    }
    own = (
        "prompt",
        "version",
        "tag",
        "team",
        "key",
        "task",
        "tier",
        "run",
        "cache",
        "status",
        "list_usd",
        "incurred_usd",
        "step",
    )
    named |= {f"promptopt.{name}": getattr(row, name) for name in own}
    return {name: value for name, value in named.items() if value is not None}
