"""Batches: many requests at once, at half the price, within a day; through the SDK's ``files`` and ``batches``.

A job is known by its requests. Its state lies below ``.promptopt/batches`` from before the upload until its answers are
returned, so that the same call after a crash goes on where it was.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from promptopt.config import Config, load_config
from promptopt.errors import ProviderError, UsageError
from promptopt.gateway.flow import Blocking, Sleep, Subflow, run, run_async
from promptopt.gateway.layers.meter import kind_of
from promptopt.gateway.openai.wire import BadBody, read_object
from promptopt.gateway.provider import make_call
from promptopt.gateway.settings import read_settings
from promptopt.gateway.stores.ledger_row import LedgerRow, LedgerStore
from promptopt.prices import find_price
from promptopt.providers.base import is_free
from promptopt.providers.batch_state import Chunk, Job
from promptopt.values import Cost, Progress, Rendered, Request, Response, openai_arguments

if TYPE_CHECKING:
    import openai
    from openai.types import Batch

log = logging.getLogger("promptopt.gateway")
MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000
# Rows that a batch did not get to before it expired are sent again so often.
MAX_ROUNDS = 3
_FIRST_POLL_S, _LAST_POLL_S = 2.0, 60.0
_ENDED = ("completed", "failed", "expired", "cancelled")
_URL: Literal["/v1/chat/completions"] = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answer to one request of a batch, or the error in its place.

    Attributes:
        cost: What it cost at the batch price; ``None`` where that is unknown, or there is no answer.
    """

    request: Request
    response: Response | None = None
    error: str | None = None
    cost: Cost | None = None


def batch(
    requests: Iterable[Request | Rendered],
    *,
    client: openai.OpenAI | None = None,
    poll_s: float | None = None,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> list[BatchAnswer]:
    """Answer requests through the provider's batch API: one answer for each, in their order.

    The same call after a crash takes up the batch that was submitted. Rows that expired are submitted again.

    Args:
        client: By default the one that the environment configures.
        poll_s: Seconds between looks; by default 2, growing to 60.
        timeout_s: Seconds after which to stop waiting; the batch goes on, and so does the same call later.
        progress: Called after each look.

    Raises:
        UsageError: There is no request, or one is for a local model.
        ProviderError: The provider refused the batch, or it was not done in time.
    """
    work = _Work(requests, client, poll_s, timeout_s, progress)
    return run(work.answers(), _never)


async def abatch(
    requests: Iterable[Request | Rendered],
    *,
    client: openai.OpenAI | None = None,
    poll_s: float | None = None,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> list[BatchAnswer]:
    """As :func:`batch`, for an event loop."""
    work = _Work(requests, client, poll_s, timeout_s, progress)
    return await run_async(work.answers(), _never)


def _never(call: Any) -> Any:
    raise AssertionError(f"a batch sends no call of its own: {call}")


class BatchProvider:
    """Answers out of batches that were run before, so that whatever works with a provider works with them."""

    def __init__(self, answers: Iterable[BatchAnswer]) -> None:
        self._answers = {answer.request.digest: answer for answer in answers}

    def complete(self, request: Request) -> Response:
        """Raises ProviderError where the batch has no answer to the request."""
        found = self._answers[request.digest]
        if found.response is None:
            raise ProviderError(found.error or "the batch holds no answer")
        return found.response

    def close(self) -> None:
        """There is nothing to give back."""


class _Work:
    """One call of :func:`batch`."""

    def __init__(
        self,
        requests: Iterable[Request | Rendered],
        client: openai.OpenAI | None,
        poll_s: float | None,
        timeout_s: float | None,
        progress: Progress | None,
    ) -> None:
        self._config: Config = load_config()
        self._requests = [_request(each, self._config) for each in requests]
        if not self._requests:
            raise UsageError("a batch needs at least one request")
        self._client = client or _default_client()
        self._poll_s = poll_s
        self._until = None if timeout_s is None else time.monotonic() + timeout_s
        self._progress = progress
        settings = read_settings(self._config)
        self._ledger_path: Path | None = settings.ledger
        self._job = Job.of(settings.path / "batches", [request.digest for request in self._requests])

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
        """What this round submits: as it was begun before a crash, or laid out now, one model to a batch."""
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
        body = openai_arguments(self._requests[index])
        row = {"custom_id": _custom_id(index), "method": "POST", "url": _URL, "body": body}
        return json.dumps(row).encode() + b"\n"

    def _submit(self, chunk: Chunk) -> Subflow[None]:
        mark = {"promptopt_job": self._job.number, "promptopt_chunk": chunk.name}
        if chunk.file_id is not None:
            # The crash may have come between the provider's answer and our note of it.
            earlier = yield Blocking(lambda: _find_batch(self._client, mark))
            if earlier is not None:
                chunk.batch_id = earlier.id
                self._job.save()
                return
        else:
            data = b"".join(map(self._line, chunk.indices))
            file = yield from self._ask(
                lambda: self._client.files.create(file=(f"{chunk.name}.jsonl", data), purpose="batch")
            )
            chunk.file_id = file.id
            self._job.save()
        created = yield from self._ask(
            lambda: self._client.batches.create(
                input_file_id=str(chunk.file_id), endpoint=_URL, completion_window="24h", metadata=mark
            )
        )
        chunk.batch_id = created.id
        self._job.save()

    def _wait(self, chunk: Chunk, before: int) -> Subflow[Batch]:
        pause = self._poll_s or _FIRST_POLL_S
        while True:
            state: Batch = yield from self._ask(lambda: self._client.batches.retrieve(str(chunk.batch_id)))
            if self._progress is not None:
                counts = state.request_counts
                self._progress(before + (counts.completed if counts else 0), len(self._requests))
            if state.status in _ENDED:
                return state
            if self._until is not None and time.monotonic() + pause > self._until:
                raise ProviderError(
                    f"the batch {state.id} is {state.status} after the given time; it goes on, and the same call "
                    "takes it up again"
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
        rows: dict[str, Any] = {}
        for file_id in (ended.error_file_id, ended.output_file_id):
            if file_id:
                content = yield from self._ask(partial(self._download, file_id))
                rows |= _rows(content)
        found = {}
        for index in chunk.indices:
            answer = self._answer(index, rows.get(_custom_id(index)))
            if answer is not None:
                found[index] = answer
            elif final or ended.status == "cancelled":
                why = f"the batch {ended.id} {ended.status} before it got to this request"
                found[index] = BatchAnswer(self._requests[index], error=why)
        return found

    def _download(self, file_id: str) -> bytes:
        return self._client.files.content(file_id).content

    def _answer(self, index: int, row: Any) -> BatchAnswer | None:
        request = self._requests[index]
        if row is None:
            return None
        error = row.get("error") or {}
        if error.get("code") == "batch_expired":
            return None
        response = row.get("response") or {}
        body = response.get("body") or {}
        if error or response.get("status_code") != 200:
            said = error or body.get("error") or {}
            return BatchAnswer(request, error=f"{said.get('code') or 'error'}: {str(said.get('message'))[:300]}")
        try:
            fields = read_object("chat", body)
        except (BadBody, KeyError, TypeError, AttributeError):
            return BatchAnswer(request, error="the batch's answer is not a chat completion")
        answer = Response(fields["model"] or request.model, fields["text"], fields["finish_reason"], fields["usage"])
        price = find_price(request.model, processing="batch", config=self._config)
        cost = price.cost(answer.usage) if price is not None and answer.usage is not None else None
        return BatchAnswer(request, answer, cost=cost)

    def _ask(self, function: Callable[[], Any]) -> Subflow[Any]:
        import openai

        try:
            return (yield Blocking(function))
        except openai.OpenAIError as error:
            code = getattr(error, "code", None) or type(error).__name__
            raise ProviderError(f"the batch API did not answer ({code}); the same call goes on from here") from error

    def _account(self, answers: Sequence[BatchAnswer]) -> None:
        if self._ledger_path is None:
            return
        from promptopt.gateway.stores.ledger import open_ledger

        ledger: LedgerStore = open_ledger(self._ledger_path)
        for answer in answers:
            ledger.finish(0, _row(answer))
        ledger.close()


def _request(given: Request | Rendered, config: Config) -> Request:
    try:
        request = given if isinstance(given, Request) else given.request(given.model or config.model)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if is_free(request.model):
        raise UsageError(f"{request.model} answers here; a batch goes to a provider")
    return request


def _default_client() -> openai.OpenAI:
    from promptopt.errors import ProviderUnusable
    from promptopt.providers.openai.client import OpenAIProvider

    if not OpenAIProvider.is_configured():
        raise ProviderUnusable("no endpoint for a batch: set OPENAI_API_KEY, or OPENAI_BASE_URL for another endpoint")
    import os

    import openai

    return openai.OpenAI(api_key=os.environ.get("OPENAI_API_KEY") or "none")


def _find_batch(client: openai.OpenAI, mark: Mapping[str, str]) -> Batch | None:
    recent = client.batches.list(limit=100).data
    return next((each for each in recent if mark.items() <= (each.metadata or {}).items()), None)


def _custom_id(index: int) -> str:
    return f"request-{index}"


def _rows(content: bytes) -> dict[str, Any]:
    rows = {}
    for line in content.splitlines():
        try:
            row = json.loads(line)
            rows[str(row["custom_id"])] = row
        except (ValueError, KeyError, TypeError):
            log.warning("a line of the batch's output is not a row; its request counts as not answered")
    return rows


def _row(answer: BatchAnswer) -> LedgerRow:
    request, response = answer.request, answer.response
    call = make_call(request)
    usd = None if answer.cost is None else float(answer.cost.total_usd)
    row = LedgerRow(
        at=time.time(),
        model=request.model,
        prompt=call.labels.prompt,
        version=call.labels.version,
        endpoint="batch",
        tag=call.labels.tag,
        run=call.labels.run,
        max_output_tokens=request.params.max_output_tokens,
        temperature=request.params.temperature,
        digest=call.identity,
        kind=call.labels.prompt or kind_of(call),
        status="ok" if response is not None else "error",
        error=None if response is not None else (answer.error or "").partition(":")[0][:64],
        list_usd=usd if response is not None else 0.0,
        incurred_usd=usd if response is not None else 0.0,
    )
    if response is None:
        return row
    usage = response.usage
    return row._replace(
        model_answered=response.model,
        finish_reason=response.finish_reason,
        input_tokens=usage.input_tokens if usage else None,
        cache_read_tokens=usage.cache_read_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        output_reasoning_tokens=usage.output_reasoning_tokens if usage else None,
    )
