"""Batch APIs: requests in a file, answered within a day at half the price; and the state of a job on disk."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from promptopt.errors import InputError, MissingExtra, ProviderError, ProviderUnusable
from promptopt.files import replace_file, show_path
from promptopt.providers.anthropic import BATCH_URL as ANTHROPIC_URL
from promptopt.providers.anthropic import read_message
from promptopt.providers.openai.client import OpenAIProvider, read_completion, read_response
from promptopt.values import Response, sha256_hex

if TYPE_CHECKING:
    import openai
    from openai.types import Batch

T = TypeVar("T")
log = logging.getLogger("promptopt.providers")
# Of OpenAI's API, in one file; Azure has the same, Anthropic twice as many requests and 256 MB.
MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000
ENDED = ("completed", "failed", "expired", "cancelled")
_URL: Literal["/v1/chat/completions"] = "/v1/chat/completions"


class BatchEndpoint:
    """The SDK's ``files`` and ``batches``. Every method raises ProviderError if the endpoint does not answer."""

    def __init__(self, client: openai.OpenAI | None = None) -> None:
        """Raises ProviderUnusable without a client if the environment configures none."""
        self._client = client or _default_client()

    def upload(self, name: str, lines: Sequence[bytes]) -> str:
        """The identifier of a file of requests."""
        data = b"".join(lines)
        return _asked(lambda: self._client.files.create(file=(f"{name}.jsonl", data), purpose="batch").id)

    def submit(self, file_id: str, mark: dict[str, str]) -> str:
        """The identifier of the batch of a file; the mark is what :meth:`find` goes by."""
        return _asked(
            lambda: (
                self._client.batches.create(
                    input_file_id=file_id, endpoint=_URL, completion_window="24h", metadata=mark
                ).id
            )
        )

    def find(self, mark: Mapping[str, str]) -> str | None:
        """The identifier of the batch with a mark, among the last hundred."""
        recent = _asked(lambda: self._client.batches.list(limit=100).data)
        return next((each.id for each in recent if mark.items() <= (each.metadata or {}).items()), None)

    def look(self, batch_id: str) -> Batch:
        """How far a batch is."""
        return _asked(lambda: self._client.batches.retrieve(batch_id))

    def rows(self, ended: Batch) -> dict[str, Any]:
        """What a batch that ended says of each request, by ``custom_id``."""
        rows: dict[str, Any] = {}
        for file_id in (ended.error_file_id, ended.output_file_id):
            if file_id:
                rows |= _rows(self._download(file_id))
        return rows

    def _download(self, file_id: str) -> bytes:
        return _asked(lambda: self._client.files.content(file_id).content)


def _asked(function: Callable[[], T]) -> T:
    import openai

    try:
        return function()
    except openai.OpenAIError as error:
        code = getattr(error, "code", None) or type(error).__name__
        raise ProviderError(f"the batch API did not answer ({code}); the same call goes on from here") from error


def _default_client() -> openai.OpenAI:
    if not OpenAIProvider.is_configured():
        raise ProviderUnusable("no endpoint for a batch: set OPENAI_API_KEY, or OPENAI_BASE_URL for another endpoint")
    import openai

    return openai.OpenAI(api_key=os.environ.get("OPENAI_API_KEY") or "none")


def custom_id(index: int) -> str:
    """What a request of a job is called in files."""
    return f"request-{index}"


def batch_line(name: str, url: str, body: Mapping[str, Any]) -> bytes:
    """A request as a line of a file: OpenAI's form, or of Anthropic's messages theirs.

    Args:
        name: Its ``custom_id``.
        url: Where it goes, as the provider's ``batch_request`` says.
    """
    row = {"custom_id": name, "method": "POST", "url": url, "body": body}
    if url == ANTHROPIC_URL:
        row = {"custom_id": name, "params": body}
    return json.dumps(row).encode() + b"\n"


def _rows(content: bytes) -> dict[str, Any]:
    rows = {}
    for line in content.splitlines():
        try:
            row = json.loads(line)
            rows[str(row["custom_id"])] = row
        except (ValueError, KeyError, TypeError):
            log.warning("a line of the batch's output is not a row; its request counts as not answered")
    return rows


def read_row(row: Mapping[str, Any], model: str) -> tuple[Response, int | None] | None:
    """What a row says of its request.

    Takes rows of OpenAI's API and of what is built like it, with a chat completion or a response of the Responses API
    (``vllm run-batch`` may write the completion without a status), and of Anthropic's.

    Returns:
        The response, and when it was made in seconds since 1970 if the row says so; ``None`` if the batch did not get
        to its request before it expired.

    Raises:
        ProviderError: The row has an error, or what it has is not an answer.
    """
    try:
        if isinstance(result := row.get("result"), Mapping):
            return _anthropic_result(result, model)
        error = row.get("error")
        if isinstance(error, Mapping) and error.get("code") == "batch_expired":
            return None
        response = row.get("response") or {}
        body = response.get("body", response) or {}
        if error or response.get("status_code", 200) != 200 or not body or body.get("error"):
            raise ProviderError(_error(error or body.get("error") or body))
        return _read_body(body, model), _seconds(body)
    except (AttributeError, TypeError, ValueError, KeyError, LookupError):
        raise ProviderError("the batch's answer is not a chat completion") from None


def _error(said: Any) -> str:
    """What an error says, in the shapes that there are."""
    if isinstance(said, Mapping) and isinstance(said.get("error"), Mapping):
        said = said["error"]
    if isinstance(said, Mapping):
        text = said.get("message") or (json.dumps(said) if said else "the row has no answer")
        return f"{said.get('code') or said.get('type') or 'error'}: {str(text)[:300]}"
    return f"error: {str(said)[:300]}"


def _read_body(body: Mapping[str, Any], model: str) -> Response:
    # As the SDK reads what it is sent, without a check.
    if "choices" not in body and "output" in body:
        from openai.types.responses import Response as OpenAIResponse

        return read_response(OpenAIResponse.construct(**body), model, None)
    from openai.types.chat import ChatCompletion

    return read_completion(ChatCompletion.construct(**body), model, None)


def _seconds(body: Mapping[str, Any]) -> int | None:
    found = body.get("created", body.get("created_at"))
    return int(found) if isinstance(found, int | float) and 0 < found < 1e11 else None


def _anthropic_result(result: Mapping[str, Any], model: str) -> tuple[Response, int | None] | None:
    kind = result.get("type")
    if kind == "expired":
        return None
    if kind != "succeeded":
        raise ProviderError(_error(result.get("error") or {"type": str(kind), "message": "it has no answer"}))
    try:
        from anthropic.types import Message
    except ImportError:
        raise MissingExtra("anthropic", "anthropic", "answers of Anthropic's batch API") from None
    return read_message(Message.construct(**result["message"]), model, None), None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One batch of a job, with the provider's identifiers as far as they are known.

    Attributes:
        round: 0 for the first submission, 1 for what expired in it, and so on.
        indices: Which requests of the job it has.
    """

    name: str
    round: int
    indices: tuple[int, ...]
    file_id: str | None = None
    batch_id: str | None = None


class Job:
    """The batches of some requests, on disk, so that a crash loses nothing that was paid."""

    def __init__(self, path: Path, number: str, chunks: Sequence[Chunk]) -> None:
        self._path = path
        self.number = number
        self._chunks = {chunk.name: chunk for chunk in chunks}

    @classmethod
    def of(cls, folder: Path, digests: Sequence[str]) -> Job:
        """The job of the requests with these digests, as it was left or new.

        Raises:
            InputError: Its file is broken.
        """
        number = sha256_hex("\n".join(digests))[:24]
        path = folder / f"{number}.json"
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))["batches"]
            chunks = [Chunk(**{**row, "indices": tuple(row["indices"])}) for row in rows]
        except FileNotFoundError:
            chunks = []
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", path=show_path(path)) from None
        except (ValueError, KeyError, TypeError):
            raise InputError(
                "is not the state of a batch",
                path=show_path(path),
                remedy="delete it to submit the requests again; what was submitted before stays paid",
            ) from None
        return cls(path, number, chunks)

    def round(self, number: int) -> list[Chunk]:
        """The batches of a round."""
        return [chunk for chunk in self._chunks.values() if chunk.round == number]

    def add(self, round_: int, indices: Sequence[int]) -> None:
        """Add a batch and write it down."""
        name = f"{self.number}-{round_}-{len(self.round(round_))}"
        self.note(Chunk(name, round_, tuple(indices)))

    def note(self, chunk: Chunk) -> None:
        """Write down what is known of a batch now. Raises InputError if the disk does not take it."""
        self._chunks[chunk.name] = chunk
        rows = [asdict(each) for each in self._chunks.values()]
        replace_file(self._path, json.dumps({"v": 1, "batches": rows}) + "\n")

    def forget(self) -> None:
        """The job is done."""
        self._path.unlink(missing_ok=True)
