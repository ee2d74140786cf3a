"""What flows through the gateway, as values: a call, who makes it, and its answer."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from itertools import count
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args
from urllib.parse import quote, unquote

from promptopt.call_options import CallOptions
from promptopt.config import OwnPrice
from promptopt.errors import check_argument
from promptopt.values import Message, Request, Usage, canonical_json, sha256_hex

if TYPE_CHECKING:
    from promptopt.gateway.reading import Reading

Endpoint = Literal["chat", "responses", "embeddings", "messages"]
AnswerSource = Literal["upstream", "cache", "semantic", "shared", "replay"]
UsageBasis = Literal["measured", "counted", "assumed"]

# Parameters that account or route, and shape no answer.
_SHAPELESS = frozenset(
    {
        *("user", "safety_identifier", "metadata"),
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
    }
)


@dataclass(frozen=True, slots=True)
class Labels:
    """Who asks and what for. Labels shape no answer, apart from ``sample``, which keeps repeated samples apart.

    Attributes:
        tag: The feature that pays.
        team: The team that pays.
        task: What the router decides by.
        run: Whose budget this is, if a run has one.
        cache: What the call wants of the caches: ``no-store``, ``refresh``, ``only``, ``ttl=1h``.
        tenant: Whose data the call holds; tenants share nothing.
        organization: The provider's organisation that the call is made for; read from the request, as the next two are.
        project: The provider's project.
        key: Name of the virtual key, or digest of the API key; never the key.
        trace: The trace and span that the call belongs to: the request's ``traceparent``, as W3C writes it.
    """

    prompt: str | None = None
    version: str | None = None
    tag: str | None = None
    task: str | None = None
    user: str | None = None
    tier: str | None = None
    run: str | None = None
    team: str | None = None
    sample: int = 0
    cache: str | None = None
    tenant: str | None = None
    organization: str | None = None
    project: str | None = None
    key: str | None = None
    trace: str | None = None


PartitionPart = Literal["tenant", "organization", "project", "key"]
PARTITION: tuple[PartitionPart, ...] = get_args(PartitionPart)
_partition_parts = attrgetter(*PARTITION)
# Who a call is from, as its request says; a caller says the other labels.
_OF_THE_REQUEST = ("organization", "project", "key", "trace")
LABEL_NAMES = tuple(field.name for field in fields(Labels) if field.name not in _OF_THE_REQUEST)
NO_LABELS = Labels()
_CURRENT: ContextVar[Labels] = ContextVar("promptopt_labels", default=NO_LABELS)


def current_labels() -> Labels:
    """The labels of calls that are made here."""
    return _CURRENT.get()


@contextmanager
def labels(**names: Any) -> Iterator[Labels]:
    """Label every call inside: ``with promptopt.labels(tag="search", user="u1"): ...``.

    Args:
        names: ``prompt``, ``version``, ``tag``, ``task``, ``user``, ``tier``, ``run``, ``team``, ``tenant``, ``cache``
            and ``sample``.

    Raises:
        TypeError: There is no such label, or its value is not a text (``sample`` is a number).
    """
    for name, value in names.items():
        check_argument(name in LABEL_NAMES, "label", name, f"one of {', '.join(LABEL_NAMES)}")
        wanted = ("a whole number", int) if name == "sample" else ("a text", str | None)
        check_argument(isinstance(value, wanted[1]), name, value, wanted[0])
    token = _CURRENT.set(replace(_CURRENT.get(), **names))
    try:
        yield _CURRENT.get()
    finally:
        _CURRENT.reset(token)


def partition_of(labels: Labels, parts: Collection[PartitionPart] = PARTITION) -> str:
    """The partition that a call belongs to: calls of two partitions share no answer, flight or count of calls.

    This is the only place that decides it. Budgets go by single labels (``layers.budget_scopes``).

    Args:
        parts: What keeps calls apart; without ``key``, the keys of a project share what they are answered.

    Returns:
        A digest; an empty text for a call of which none of the parts is known.
    """
    if parts is PARTITION:
        return _partition(*_partition_parts(labels))
    return _partition(*(getattr(labels, part) if part in parts else None for part in PARTITION))


@lru_cache(maxsize=4096)
def _partition(*values: str | None) -> str:
    return "" if not any(values) else sha256_hex(canonical_json(values))[:32]


def identity_of(url: str, body: Mapping[str, Any], labels: Labels = NO_LABELS, partition: str = "") -> str:
    """What makes two calls the same call: SHA-256 of the canonical JSON of everything that shapes the answer.

    This is the only place that decides it. The cache, single-flight, the semantic cache and the ledger go by it. Calls
    of two partitions are never the same.
    """
    shaping = body
    if not _SHAPELESS.isdisjoint(body):
        shaping = {name: value for name, value in body.items() if name not in _SHAPELESS}
    parts = {"url": url, "body": shaping, "sample": labels.sample}
    # A call of no partition keeps the identity that it had before there were any.
    if partition:
        parts["partition"] = partition
    return sha256_hex(canonical_json(parts))


# ``/openai/deployments/NAME/chat/completions``
_DEPLOYMENT = re.compile(r"(?<=/deployments/)[^/?#]+(?=/)")


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where Azure runs the model that a call asks for: under a name of the user's own, which decides what answers.

    Attributes:
        name: Of the deployment that the caller named.
        model: What it runs.
        models: Every known deployment's model, by its name.
    """

    name: str
    model: str
    models: Mapping[str, str]

    @classmethod
    def read(cls, url: str, model: str, models: Mapping[str, str]) -> Deployment | None:
        """The deployment in the URL; else the model, if that is a deployment's name; else ``None``.

        A deployment that is not known runs what the body says, which is its own name if the SDK made the URL.
        """
        # Most addresses have none, and looking for a part of a text is the quickest way to know.
        found = _DEPLOYMENT.search(url) if "/deployments/" in url else None
        name = model if found is None else unquote(found[0])
        if found is None and name not in models:
            return None
        return cls(name, models.get(name, model), models)

    def name_of(self, model: str) -> str:
        """The deployment that runs a model; one that is not known is named like the model."""
        if model == self.model:
            return self.name
        return next((name for name, runs in self.models.items() if runs == model), model)

    def url_of(self, url: str, model: str) -> str:
        """The URL that asks for a model."""
        return _DEPLOYMENT.sub(lambda _: quote(self.name_of(model), safe=""), url, count=1)


@dataclass(frozen=True, slots=True)
class Upstream:
    """An endpoint that calls may be sent to.

    Attributes:
        url: Its base, such as ``https://api.openai.com/v1``; ``{model}`` in it is the name that it knows the model by.
        key_env: The environment variable that holds its API key; ``None`` for an endpoint that wants none.
        models: The models that it has, by the name that is asked for, with the name that it knows them by. A name may
            end in ``*``, and is then sent as it was asked for. Empty: it has all models.
        weight: Its share of the calls, if weights decide.
        header: Where its key goes: ``authorization`` (as a bearer), ``api-key`` (Azure) or ``x-api-key`` (Anthropic).
        prices: Its own prices by the model that is asked for; without one the model's usual price counts.
    """

    name: str
    url: str
    key_env: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    header: Literal["authorization", "api-key", "x-api-key"] = "authorization"
    prices: Mapping[str, OwnPrice] = field(default_factory=dict)

    def serves(self, model: str) -> bool:
        """Whether it has the model."""
        return not self.models or model in self.models or any(_starts(model, name) for name in self.models)

    @property
    def lists_more(self) -> bool:
        """Whether it has models that the configuration does not name one by one."""
        return not self.models or any(name.endswith("*") for name in self.models)

    def sent_name(self, model: str) -> str:
        """The name that it knows a model by."""
        return self.models.get(model, model)

    def url_of(self, path: str, model: str) -> str:
        """Where it takes calls: its base and ``/chat/completions`` or another path; a query stays at the end."""
        base, mark, query = self.url.partition("?")
        return f"{base.replace('{model}', quote(self.sent_name(model), safe=''))}{path}{mark}{query}"

    def authorization(self, secret: str) -> tuple[str, str]:
        """The header that its key goes into."""
        return self.header, f"Bearer {secret}" if self.header == "authorization" else secret


def _starts(model: str, pattern: str) -> bool:
    return pattern.endswith("*") and model.startswith(pattern[:-1])


class Call(NamedTuple):
    """One call to a model. :meth:`of` makes one; a layer makes another of it by :meth:`sent_with` or :meth:`routed`.

    A tuple, as ``Answer`` is: every layer may make another of it, and a frozen dataclass takes four times as long.

    Attributes:
        endpoint: Which API it speaks: OpenAI's chat completions, responses or embeddings, or Anthropic's messages.
        url: Where it goes; an empty text for a call that is not an HTTP request.
        body: The request's JSON, parsed.
        identity: See :func:`identity_of`. It stays that of the call that was asked for, whatever model is sent to.
        partition: See :func:`partition_of`; an empty text for a call that belongs to nobody.
        asked_model: The model that was asked for; ``model`` is the one that the call is sent to.
        attempt: How often the SDK has tried it before.
        buffered: Whether a stream is to be read whole before anybody sees it.
        step: Which step of a cascade or fallback this is, 0 for the first.
        request: The value it was made from, if there is one.
        deployment: Azure's name for what is asked, which goes over the wire in the model's place.
        changed: Whether a layer changed the body.
        expected_cached_tokens: Input tokens that the prompt-cache hints expect to be read from the provider's cache.
        misordered_tokens: Static input tokens that cannot be, since they come after what varies.
        give_up_at: When its caller's own timeout is over, by the gateway's monotonic clock: it waits no longer.
        reading: Where its stream is, if somebody waits for the end of it.
        upstream: Where it is sent, if that was chosen among several; else ``url`` says it.
        variant: What headers say about the answer, such as the version of the API.
    """

    endpoint: Endpoint
    url: str
    body: Mapping[str, Any]
    labels: Labels = NO_LABELS
    identity: str = ""
    partition: str = ""
    asked_model: str = ""
    attempt: int = 0
    buffered: bool = False
    step: int = 0
    request: Request | None = None
    deployment: Deployment | None = None
    changed: bool = False
    expected_cached_tokens: int | None = None
    misordered_tokens: int | None = None
    give_up_at: float | None = None
    reading: Reading | None = None
    upstream: Upstream | None = None
    variant: str = ""

    @classmethod
    def of(
        cls, endpoint: Endpoint, url: str, body: Mapping[str, Any], labels: Labels = NO_LABELS,
        *, attempt: int = 0, request: Request | None = None, deployments: Mapping[str, str] = MappingProxyType({}),
        variant: str = "", give_up_at: float | None = None,
    ) -> Call:  # fmt: skip
        """A call with its identity; nobody shares with another tenant, organisation, project or key.

        Args:
            deployments: The model of each deployment of Azure's, by its name; a call then names the model.
            variant: What headers say about the answer.
        """
        model, partition = str(body.get("model") or ""), partition_of(labels)
        identity = identity_of(_with_variant(url, variant), body, labels, partition)
        deployment = Deployment.read(url, model, deployments)
        if deployment is not None and deployment.model != model:
            model = deployment.model
            body = {**body, "model": model}
        return cls(
            *(endpoint, url, body, labels, identity, partition, model),
            attempt=attempt, request=request, deployment=deployment, give_up_at=give_up_at, variant=variant,
        )  # fmt: skip

    def apart_by(self, parts: Collection[PartitionPart]) -> Call:
        """The same call in the partition that only these parts make."""
        call = self._replace(partition=partition_of(self.labels, parts))
        return call._replace(identity=call.identity_with(call.body))

    @property
    def model(self) -> str:
        """The model that it is sent to; an empty text if it names none, as with a stored prompt."""
        return str(self.body.get("model") or "")

    def patience_s(self, now: float, most: float | None = None) -> float | None:
        """Seconds that it may wait from ``now`` on: ``most``, or less if its caller gives up before."""
        if self.give_up_at is None:
            return most
        left = max(0.0, self.give_up_at - now)
        return left if most is None else min(left, most)

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    def sent_with(self, **changes: Any) -> Call:
        """The same call, sent with other values in its body; ``None`` removes one."""
        body = {**self.body, **changes}
        for name, value in changes.items():
            if value is None:
                del body[name]
        request = None if self.request is None else _with(self.request, changes)
        url = self.url
        if self.deployment is not None and "model" in changes:
            url = self.deployment.url_of(url, changes["model"])
        return self._replace(url=url, body=body, changed=True, request=request)

    def routed(self, model: str) -> Call:
        """Another call: the same question asked of another model."""
        call = self.sent_with(model=model)
        return call._replace(identity=call.identity_with(call.body), asked_model=model)

    def identity_with(self, body: Mapping[str, Any]) -> str:
        """The identity that this call has with another body."""
        return identity_of(_with_variant(self.url, self.variant), body, self.labels, self.partition)


def _with_variant(url: str, variant: str) -> str:
    return f"{url}\n{variant}" if variant else url


def _with(request: Request, changes: Mapping[str, Any]) -> Request:
    """The request with what was changed in the body that was made of it; hints for the endpoint have no place in it."""
    if "model" in changes:
        request = replace(request, model=changes["model"])
    if "messages" in changes:
        texts = tuple(Message(message["role"], message["content"]) for message in changes["messages"])
        request = replace(request, messages=texts)
    options = {option.metadata["openai"]: option.name for option in fields(CallOptions)}
    params = {options[name]: CallOptions.read(options[name], changes[name]) for name in changes if name in options}
    return replace(request, params=replace(request.params, **params)) if params else request


_NUMBERS = count()


def new_id() -> str:
    """A name that no other process or call has. It decides nothing, so that it needs no seed."""
    # A random part for each would cost a system call.
    return f"{_process_mark(os.getpid())}-{next(_NUMBERS):x}"


@lru_cache(maxsize=1)
def _process_mark(pid: int) -> str:  # noqa: ARG001 - a forked child gets another one
    return uuid.uuid4().hex


class Wire(NamedTuple):
    """An answer as it came over HTTP: the JSON, or the events of a stream.

    Layers do not look into it. The HTTP edge gives it back byte for byte, and stores keep it, so that an answer from a
    cache is neither parsed nor built again.
    """

    content: bytes
    content_type: str = "application/json"


class Answer(NamedTuple):
    """The answer to a call. Its values say everything; an answer without ``wire`` becomes JSON when it is sent.

    Attributes:
        model: The model that says it answered.
        usage: Tokens; ``None`` if the endpoint did not say and nothing was counted.
        basis: Whether they were measured by the provider, counted here, or assumed at worst.
        source: Where it comes from.
        complete: Whether it may be given to those who wait for the same: not empty, filtered or broken off by an error.
        finished: Whether the model ended it of its own accord: all choices have a text or calls, none hit the cap.
        substitute: Whether another model answered than the one that is normally asked; such an answer is not kept.
        sent_to: The model that the call was sent to, whose price is the answer's; empty if that is the asked one.
        service_tier: What the answer says it was processed as; empty if it does not say.
        pending: Id of a response that the provider still works on; its usage comes when it ends.
        headers: The endpoint's ``x-ratelimit-*`` and ``retry-after`` headers.
        request_id: The endpoint's ``x-request-id``, which a kept answer keeps.
        wire: What came over HTTP, if it did.
        raw: The response object of the client that fetched it; never kept.
    """

    text: str = ""
    model: str = ""
    finish_reason: str = "stop"
    usage: Usage | None = None
    basis: UsageBasis = "measured"
    source: AnswerSource = "upstream"
    complete: bool = True
    finished: bool = True
    substitute: bool = False
    sent_to: str = ""
    service_tier: str = ""
    pending: str = ""
    headers: Mapping[str, str] = MappingProxyType({})
    request_id: str = ""
    logprobs: tuple[float, ...] | None = None
    wire: Wire | None = None
    raw: Any = None

    @property
    def keepable(self) -> bool:
        """Whether it may be kept for later calls: finished, just come, and of the model that is normally asked."""
        return self.complete and self.finished and self.source == "upstream" and not self.substitute

    def changed(self, **values: Any) -> Answer:
        """The answer with other values. What came over HTTP does not fit them any more, and is left out."""
        return self._replace(wire=None, raw=None, **values)
