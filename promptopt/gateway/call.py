"""What flows through the gateway: a call as it goes over the wire, and its answer."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from itertools import count
from typing import Any, Literal

from promptopt.values import Request, Usage, canonical_json, sha256_hex

Endpoint = Literal["chat", "responses"]
Source = Literal["upstream", "cache", "semantic", "shared"]
Basis = Literal["measured", "counted", "assumed"]

# Parameters that account, route or store, and shape no answer.
_SHAPELESS = frozenset(
    {
        *("user", "safety_identifier", "metadata", "store"),
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
    }
)


@dataclass(frozen=True, slots=True)
class Labels:
    """Who asks and what for. Labels shape no answer, apart from ``sample``, which keeps repeated samples apart.

    Attributes:
        tag: The feature or team that pays.
        task: What the router decides by.
        run: Whose budget this is, where a run has one.
        key: Digest of the API key, never the key.
    """

    prompt: str | None = None
    version: str | None = None
    tag: str | None = None
    task: str | None = None
    user: str | None = None
    tier: str | None = None
    run: str | None = None
    sample: int = 0
    key: str | None = None


LABEL_NAMES = tuple(field.name for field in fields(Labels))
_CURRENT: ContextVar[Labels] = ContextVar("promptopt_labels", default=Labels())  # noqa: B039 - frozen


def current_labels() -> Labels:
    """The labels that hold here."""
    return _CURRENT.get()


@contextmanager
def labels(**names: Any) -> Iterator[Labels]:
    """Label every call inside: ``with promptopt.labels(tag="search", user="u1"): ...``.

    Args:
        names: ``prompt``, ``version``, ``tag``, ``task``, ``user``, ``tier``, ``run``, ``sample``.
    """
    token = _CURRENT.set(replace(_CURRENT.get(), **names))
    try:
        yield _CURRENT.get()
    finally:
        _CURRENT.reset(token)


@dataclass(frozen=True, slots=True)
class Call:
    """One call to a model.

    Attributes:
        endpoint: Which of the two APIs it speaks.
        url: Where it goes; an empty text for a call that is no HTTP request.
        body: The JSON that is sent.
        attempt: How often the SDK has tried it before.
        buffered: Whether a stream is to be read whole before anybody sees it.
        step: Which step of a cascade or fallback this is, 0 for the first.
        request: The value it was made from, where it was.
        key: SHA-256 of the canonical JSON of all that shapes the answer.
        changed: Whether a wrapper changed the body.
        expected_cached_tokens: Input tokens that the prompt-cache hints expect to be read from the provider's cache.
        behind_tokens: Static input tokens that cannot be, since they stand behind what varies.
    """

    endpoint: Endpoint
    url: str
    body: Mapping[str, Any]
    labels: Labels = Labels()
    attempt: int = 0
    buffered: bool = False
    step: int = 0
    request: Request | None = None
    key: str = ""
    changed: bool = False
    expected_cached_tokens: int | None = None
    behind_tokens: int | None = None

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    def with_body(self, **changes: Any) -> Call:
        """The call with other values in its body; ``None`` removes one. The key stays that of what was asked for."""
        body = {**self.body, **changes}
        for name, value in changes.items():
            if value is None:
                del body[name]
        request = self.request
        if request is not None and "model" in changes:
            request = replace(request, model=changes["model"])
        return replace(self, body=body, changed=True, request=request)


def call_key(url: str, body: Mapping[str, Any], sample: int) -> str:
    """SHA-256 of the canonical JSON of everything that shapes the answer to a call."""
    shaping = {name: value for name, value in body.items() if name not in _SHAPELESS}
    return sha256_hex(canonical_json({"url": url, "body": shaping, "sample": sample}))


_NUMBERS = count()


def new_number() -> str:
    """A name that no other process or call has."""
    # A random part for each would cost a system call.
    return f"{_process_mark(os.getpid())}-{next(_NUMBERS):x}"


@lru_cache(maxsize=1)
def _process_mark(pid: int) -> str:  # noqa: ARG001 - a forked child gets another one
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came over the wire, and what was read out of it.

    Attributes:
        content: The body: JSON, or the events of a stream.
        model: The model that says it answered.
        usage: Tokens; ``None`` where the endpoint did not say and nothing was counted.
        basis: Whether they were measured by the provider, counted here, or assumed at worst.
        source: Where it comes from.
        complete: Whether it may be given to somebody else: finished, and not filtered.
        substitute: Whether another model answered than the one that is normally asked; such an answer is not kept.
        headers: The endpoint's ``x-ratelimit-*`` and ``retry-after`` headers.
        raw: The response object of the client that fetched it; never kept.
    """

    content: bytes
    content_type: str = "application/json"
    model: str = ""
    text: str = ""
    finish_reason: str = "stop"
    usage: Usage | None = None
    basis: Basis = "measured"
    source: Source = "upstream"
    complete: bool = True
    substitute: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    logprobs: tuple[float, ...] | None = None
    raw: Any = None
