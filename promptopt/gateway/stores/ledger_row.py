"""One row of the ledger, and what a ledger is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

Text = TypeVar("Text", str, str | None)
CallStatus = Literal["sent", "ok", "error", "refused", "abandoned"]
CacheState = Literal["none", "miss", "cache", "semantic", "shared"]


class LedgerRow(NamedTuple):
    """One call. A tuple, since two are made for every call: a frozen dataclass takes five times as long.

    Attributes:
        at: When it began, in seconds since 1970.
        model: The model that was asked; ``model_answered`` is what the answer says.
        list_usd: Usage times price; ``None`` if unpriced. ``incurred_usd`` is what was paid: nothing for an answer
            that was kept or shared, the worst case for a call that may have been billed though nobody got its answer.
        basis: Whether tokens were measured, counted or assumed.
        cache: ``none`` (may not be shared), ``miss``, ``cache``, ``semantic`` or ``shared`` (with a call in flight).
        status: ``sent`` is a call whose end was never seen: the process died.
        error: The class of a failure, or the code of a refusal.
        max_output_tokens: The output cap; ``None`` without one.
        digest: The key of the request; the same for the same request.
        kind: What sort of call it is: its prompt's name, or a digest of its instructions.
        step: 0 for the first model that was asked, 1 for the one it escalated or fell back to, and so on.
        attempt: The SDK's count of retries.
        expected_cached_tokens: Input tokens that the provider's prompt cache was expected to have.
        misordered_tokens: Static input tokens that no prompt cache can keep, since they come after what varies.
        key: Name of the virtual key, or digest of the API key.
        service_tier: What it is priced as (``flex``, ``priority``, ...); ``None`` is the standard tier.
        cache_write_1h_tokens: Those of ``cache_write_tokens`` that the provider keeps for an hour.
        trace: The caller's trace and span, as W3C writes a ``traceparent``.
        tenant: Whose data the call holds; budgets keep users of two tenants apart.
    """

    at: float
    model: str
    prompt: str | None = None
    version: str | None = None
    model_answered: str | None = None
    endpoint: str = "chat"
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    output_reasoning_tokens: int | None = None
    basis: str = "measured"
    list_usd: float | None = None
    incurred_usd: float | None = None
    latency_ms: float | None = None
    finish_reason: str | None = None
    cache: CacheState = "none"
    tag: str | None = None
    task: str | None = None
    user: str | None = None
    tier: str | None = None
    run: str | None = None
    status: CallStatus = "ok"
    error: str | None = None
    http_status: int | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    digest: str = ""
    kind: str = ""
    step: int = 0
    attempt: int = 0
    stream: bool = False
    expected_cached_tokens: int | None = None
    misordered_tokens: int | None = None
    team: str | None = None
    key: str | None = None
    service_tier: str | None = None
    cache_write_1h_tokens: int | None = None
    trace: str | None = None
    tenant: str | None = None

    @property
    def day(self) -> str:
        """The day in UTC, ``2026-11-21``."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d")

    @property
    def upstream(self) -> bool:
        """Whether the provider was asked."""
        return self.cache in ("none", "miss") and self.status != "refused"


Making = LedgerRow | Callable[[], LedgerRow]
# A column keeps the name that files have had for it from the first.
COLUMNS = tuple({"misordered_tokens": "behind_tokens"}.get(name, name) for name in LedgerRow._fields)


class LedgerStore(Protocol):
    """Keeps rows. A row is begun before its call is sent, so that a crash does not hide what was asked.

    A row may be given as a function that makes it, which is called when the row is written.
    """

    def begin(self, row: Making) -> int:
        """Note that a call is about to be sent; the number is for :meth:`finish`."""

    def finish(self, number: int, row: Making) -> None:
        """Note how it ended; number 0 is a row that was not begun."""

    def rows(self, since: float | None = None) -> Iterator[LedgerRow]:
        """All rows, the oldest first."""

    def close(self) -> None:
        """Write what is held and close the file."""


class Sums(NamedTuple):
    """Calls that have the first five in common, added up.

    Attributes:
        unpriced: Of the calls, those that no price is known for.
    """

    team: str | None
    model: str
    prompt: str | None
    cache: str
    status: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    list_usd: float = 0.0
    incurred_usd: float = 0.0
    unpriced: int = 0


SUMS_QUERY = (
    "SELECT team, model, prompt, cache, status, count(*), coalesce(sum(input_tokens), 0),"
    " coalesce(sum(output_tokens), 0), coalesce(sum(list_usd), 0), coalesce(sum(incurred_usd), 0),"
    " sum(CASE WHEN list_usd IS NULL AND status NOT IN ('refused', 'sent') THEN 1 ELSE 0 END)"
    " FROM calls WHERE at >= {} GROUP BY team, model, prompt, cache, status"
)
"""What a database is asked for :class:`Sums`; the place is for its mark of a value."""


def sums_of(rows: Iterable[LedgerRow]) -> list[Sums]:
    """Rows added up."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        values = found.setdefault((row.team, row.model, row.prompt, row.cache, row.status), [0, 0, 0, 0.0, 0.0, 0])
        unpriced = row.list_usd is None and row.status not in ("refused", "sent")
        amounts = (1, row.input_tokens, row.output_tokens, row.list_usd, row.incurred_usd, unpriced)
        for place, amount in enumerate(amounts):
            values[place] += amount or 0
    return [Sums(*key, *values) for key, values in found.items()]


class ObservedLedger:
    """A ledger, or none, whose rows somebody sees as their calls have ended."""

    def __init__(self, ledger: LedgerStore | None, observe: Callable[[LedgerRow], None]) -> None:
        """``observe`` is called once for each row, wherever it is made: in the thread of a call, or of a writer."""
        self.inner = self._ledger = ledger
        self._observe = observe

    def begin(self, row: Making) -> int:
        return 0 if self._ledger is None else self._ledger.begin(row)

    def finish(self, number: int, row: Making) -> None:
        made = _Once(row, self._observe)
        if self._ledger is None:
            made()
        else:
            self._ledger.finish(number, made)

    def rows(self, since: float | None = None) -> Iterator[LedgerRow]:
        return iter(()) if self._ledger is None else self._ledger.rows(since)

    def close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()


class _Once:
    """Makes a row, however often it is asked for, and shows it once."""

    __slots__ = ("_making", "_observe")

    def __init__(self, making: Making, observe: Callable[[LedgerRow], None]) -> None:
        self._making = making
        self._observe: Callable[[LedgerRow], None] | None = observe

    def __call__(self) -> LedgerRow:
        if callable(self._making):
            self._making = self._making()
        observe, self._observe = self._observe, None
        if observe is not None:
            observe(self._making)
        return self._making


_LARGEST = 2**63
_PLAIN = (float, bool)


def storable(row: LedgerRow) -> LedgerRow:
    """The row as every store takes it; the same object if nothing in it had to change.

    Whole numbers beyond 64 bits become ``None``: what is not known is not made up. Text that is not Unicode keeps its
    broken characters as escapes, and any other value becomes text.
    """
    value: Any
    for value in row:
        if value is None:
            continue
        kind = type(value)
        if kind is str:
            if not value.isascii() and encodable(value) is not value:
                break
        elif kind is int:
            if not -_LARGEST <= value < _LARGEST:
                break
        elif kind not in _PLAIN:
            break
    else:
        return row
    return LedgerRow._make(_storable(value) for value in row)


def _storable(value: Any) -> str | int | float | bool | None:
    if isinstance(value, str):
        return encodable(str(value))
    if isinstance(value, int):
        return value if -_LARGEST <= value < _LARGEST else None
    if value is None or isinstance(value, float):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return encodable(str(value))


def encodable(text: Text) -> Text:
    """A text with characters that UTF-8 does not have, such as half a surrogate pair, as escapes: ``\\ud800``."""
    if text is None or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


def row_dict(row: LedgerRow) -> dict[str, Any]:
    """A row as JSON has it, by the names of the columns, with its time as ISO 8601 in UTC."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["at"] = datetime.fromtimestamp(row.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return values


def row_of_dict(values: Mapping[str, Any]) -> LedgerRow:
    """The row that :func:`row_dict` was given; a name that is not a column is left out.

    Raises:
        KeyError: A value is missing; ``TypeError`` and ``ValueError`` likewise if it is not a row.
    """
    known = {name: values[column] for name, column in zip(LedgerRow._fields, COLUMNS, strict=True) if column in values}
    row = LedgerRow(**{**known, "at": 0.0})
    return row._replace(at=datetime.fromisoformat(values["at"]).timestamp())
