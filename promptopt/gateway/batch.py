"""``promptopt.batch()``: many requests at once through the batch API, with the ledger, and safe against a crash.

A job is known by its requests. Its state is below ``.promptopt/batches`` from before the upload until its answers are
returned, so that the same call after a crash goes on from there. A layer gives the answers of a batch that has ended to
whatever asks through layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from promptopt.config import Config, load_config
from promptopt.errors import ProviderError, UsageError, check_argument, check_number
from promptopt.gateway.call import Call
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.flow import Blocking, Flow, Handler, Sleep, Subflow, run, run_async
from promptopt.gateway.layers.meter import row_of
from promptopt.gateway.provider import answer_of, failure_of, make_call
from promptopt.gateway.settings import read_settings
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerRow
from promptopt.prices import find_price
from promptopt.providers.base import batch_request, is_free, provider_type, split_model
from promptopt.providers.batch import (
    ENDED,
    MAX_BYTES,
    MAX_REQUESTS,
    BatchEndpoint,
    Chunk,
    Job,
    batch_line,
    custom_id,
    read_row,
)
from promptopt.values import Cost, Progress, Rendered, Request, Response

if TYPE_CHECKING:
    import openai
    from openai.types import Batch


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answer to one request of a batch, or the error in its place.

    Attributes:
        cost: What it cost at the batch price; ``None`` if that is unknown, or there is no answer.
    """

    request: Request
    response: Response | None = None
    error: str | None = None
    cost: Cost | None = None


class Batched:
    """Answers the calls that a batch has answered, fails those that it has not, and passes on all others."""

    def __init__(self, answers: Iterable[BatchAnswer]) -> None:
        self._answers = {answer.request.digest: answer for answer in answers}

    def handle(self, call: Call, inner: Handler) -> Flow:
        """Raises CallFailed if the batch has an error in place of the answer."""
        found = None if call.request is None else self._answers.get(call.request.digest)
        if found is None:
            return (yield from inner(call))
        if found.response is None:
            raise failure_of(ProviderError(found.error or "the batch has no answer"))
        return answer_of(found.response)


T = TypeVar("T")
# How often rows that a batch did not get to before it expired are sent.
MAX_ROUNDS = 3
_FIRST_POLL_S, _LAST_POLL_S = 2.0, 60.0


def batch(
    requests: Iterable[Request | Rendered],
    *,
    client: openai.OpenAI | None = None,
    poll_s: float | None = None,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> list[BatchAnswer]:
    """Answer requests through the provider's batch API: one answer for each, in their order.

    The same call after a crash goes on with the batch that was submitted. Rows that expired are submitted again.

    Args:
        client: By default the one that the environment configures.
        poll_s: Seconds between looks; by default 2, growing to 60.
        timeout_s: Seconds after which to stop waiting; the batch goes on, and so does the same call later.
        progress: Called after each look.

    Raises:
        UsageError: There is no request, or one is for a local model.
        ProviderError: The provider refused the batch, or it was not done in time.
    """
    return run(_Work(requests, client, poll_s, timeout_s, progress).answers(), _never)


async def abatch(
    requests: Iterable[Request | Rendered],
    *,
    client: openai.OpenAI | None = None,
    poll_s: float | None = None,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> list[BatchAnswer]:
    """As :func:`batch`, for an event loop."""
    return await run_async(_Work(requests, client, poll_s, timeout_s, progress).answers(), _never)


def _never(call: Any) -> NoReturn:
    raise AssertionError(f"a batch sends no call of its own: {call}")


class _Work:
    """One call of :func:`batch`."""

    def __init__(
        self, requests: Iterable[Request | Rendered], client: openai.OpenAI | None,
        poll_s: float | None, timeout_s: float | None, progress: Progress | None, clock: Clock = SYSTEM_CLOCK,
    ) -> None:  # fmt: skip
        listed = isinstance(requests, Iterable) and not isinstance(requests, str | bytes)
        check_argument(listed, "requests", requests, "a list of `Request` or `Rendered`")
        usable = client is None or (hasattr(client, "files") and hasattr(client, "batches"))
        check_argument(usable, "client", client, "an `openai.OpenAI`")
        check_number(poll_s, "poll_s")
        check_number(timeout_s, "timeout_s")
        check_argument(progress is None or callable(progress), "progress", progress, "a function of two numbers")
        self._config = load_config()
        self._requests = [_request(each, self._config) for each in requests]
        if not self._requests:
            raise UsageError("a batch needs at least one request")
        self._endpoint = BatchEndpoint(client)
        self._poll_s = poll_s
        self._clock = clock
        self._until = None if timeout_s is None else clock.monotonic() + timeout_s
        self._progress = progress
        self._settings = read_settings(self._config)
        self._job = Job.of(self._settings.path / "batches", [request.digest for request in self._requests])

    def answers(self) -> Subflow[list[BatchAnswer]]:
        """All answers, in the order of the requests."""
        found: dict[int, BatchAnswer] = {}
        for number in range(MAX_ROUNDS):
            waiting = [index for index in range(len(self._requests)) if index not in found]
            if not waiting:
                break
            for chunk in self._chunks(number, waiting):
                if chunk.batch_id is None:
                    yield from self._submit(chunk)
            for chunk in self._job.round(number):
                ended = yield from self._wait(chunk, len(found))
                found |= yield from self._merge(chunk, ended, final=number == MAX_ROUNDS - 1)
        answers = [found[index] for index in range(len(self._requests))]
        self._account(answers)
        self._job.forget()
        return answers

    def _chunks(self, number: int, waiting: Sequence[int]) -> list[Chunk]:
        """What this round submits: as it was before a crash, or divided now, one model to a batch."""
        if chunks := self._job.round(number):
            return chunks
        for model in dict.fromkeys(self._requests[index].model for index in waiting):
            indices: list[int] = []
            size = 0
            for index in (index for index in waiting if self._requests[index].model == model):
                length = len(self._line(index))
                if indices and (len(indices) == MAX_REQUESTS or size + length > MAX_BYTES):
                    self._job.add(number, indices)
                    indices, size = [], 0
                indices.append(index)
                size += length
            self._job.add(number, indices)
        return self._job.round(number)

    def _line(self, index: int) -> bytes:
        request = self._requests[index]
        found = batch_request(request)
        # The request was checked when it was taken.
        assert found is not None
        return batch_line(custom_id(index), *found)

    def _submit(self, chunk: Chunk) -> Subflow[None]:
        mark = {"promptopt_job": self._job.number, "promptopt_chunk": chunk.name}
        file_id, endpoint = chunk.file_id, self._endpoint
        if file_id is not None:
            # The crash may have come between the provider's answer and our note of it.
            earlier = yield from _blocking(partial(endpoint.find, mark))
            if earlier is not None:
                self._job.note(replace(chunk, batch_id=earlier))
                return
        else:
            lines = [self._line(index) for index in chunk.indices]
            file_id = yield from _blocking(partial(endpoint.upload, chunk.name, lines))
            chunk = replace(chunk, file_id=file_id)
            self._job.note(chunk)
        batch_id = yield from _blocking(partial(endpoint.submit, file_id, mark))
        self._job.note(replace(chunk, batch_id=batch_id))

    def _wait(self, chunk: Chunk, before: int) -> Subflow[Batch]:
        pause = self._poll_s or _FIRST_POLL_S
        while True:
            state = yield from _blocking(partial(self._endpoint.look, str(chunk.batch_id)))
            if self._progress is not None:
                counts = state.request_counts
                self._progress(before + (counts.completed if counts else 0), len(self._requests))
            if state.status in ENDED:
                return state
            if self._until is not None and self._clock.monotonic() + pause > self._until:
                raise ProviderError(
                    f"the batch {state.id} is {state.status} after the given time; it goes on, and so does the same "
                    "call later"
                )
            yield Sleep(pause)
            pause = self._poll_s or min(pause * 1.5, _LAST_POLL_S)

    def _merge(self, chunk: Chunk, ended: Batch, *, final: bool) -> Subflow[dict[int, BatchAnswer]]:
        """Answers and errors by index. What the batch did not get to is left out, unless this was the last try."""
        if ended.status == "failed":
            problems = ended.errors.data if ended.errors and ended.errors.data else []
            self._job.forget()
            raise ProviderError(
                f"the batch {ended.id} was refused: "
                + ("; ".join(str(each.message) for each in problems[:3]) or "no reason given")
            )
        rows = yield from _blocking(partial(self._endpoint.rows, ended))
        found = {}
        for index in chunk.indices:
            row = rows.get(custom_id(index))
            answer = None if row is None else self._answer(self._requests[index], row)
            if answer is not None:
                found[index] = answer
            elif final or ended.status == "cancelled":
                why = f"the batch {ended.id} {ended.status} before it got to this request"
                found[index] = BatchAnswer(self._requests[index], error=why)
        return found

    def _answer(self, request: Request, row: Any) -> BatchAnswer | None:
        try:
            found = read_row(row, request.model)
        except ProviderError as error:
            return BatchAnswer(request, error=str(error))
        if found is None:
            return None
        response, _ = found
        at = datetime.fromtimestamp(self._clock.time(), UTC)
        price = find_price(request.model, processing="batch", at=at, config=self._config)
        cost = price.cost(response.usage) if price is not None and response.usage is not None else None
        return BatchAnswer(request, response, cost=cost)

    def _account(self, answers: Sequence[BatchAnswer]) -> None:
        if self._settings.ledger is None:
            return
        ledger = open_ledger(self._settings.ledger)
        for answer in answers:
            ledger.finish(0, batch_row(answer, self._clock.time()))
        ledger.close()


def _blocking(function: Callable[[], T]) -> Subflow[T]:
    result: T = yield Blocking(function)
    return result


def _request(given: Request | Rendered, config: Config) -> Request:
    check_argument(isinstance(given, Request | Rendered), "requests", given, "a list of `Request` or `Rendered`")
    try:
        request = given if isinstance(given, Request) else given.request(given.model or config.model)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if is_free(request.model):
        raise UsageError(f"{request.model} answers here; a batch goes to a provider")
    if provider_type(request.model) != "openai" or split_model(request.model)[0] in config.providers:
        raise UsageError(
            f"{request.model}: a batch goes to OpenAI's API, or the one in OPENAI_BASE_URL. "
            "For others: promptopt compare --export-batch"
        )
    return request


def batch_row(answer: BatchAnswer, at: float) -> LedgerRow:
    """The row of the ledger for an answer of a batch, at a time in seconds since 1970."""
    response, row = answer.response, row_of(make_call(answer.request), at)._replace(endpoint="batch")
    if response is None:
        code = (answer.error or "").partition(":")[0][:64]
        return row._replace(status="error", error=code, list_usd=0.0, incurred_usd=0.0)
    usage = response.usage
    usd = None if answer.cost is None else float(answer.cost.total_usd)
    return row._replace(
        model_answered=response.model,
        finish_reason=response.finish_reason,
        input_tokens=usage.input_tokens if usage else None,
        cache_read_tokens=usage.cache_read_tokens if usage else None,
        cache_write_tokens=usage.cache_write_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        output_reasoning_tokens=usage.output_reasoning_tokens if usage else None,
        list_usd=usd,
        incurred_usd=usd,
    )
