"""What an HTTP request says about a call beside its body: who asks, for whom, what for and how often before.

Names and values are bytes as they came, so that a server needs no client library to read them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from promptopt.gateway.body import LongNumber, read_json
from promptopt.gateway.call import LABEL_NAMES, NO_LABELS, Call, Endpoint, Labels, current_labels
from promptopt.gateway.failures import UnreadableBody
from promptopt.gateway.openai.wire import endpoint_of

HEADER = b"x-promptopt-"
# A key is in one of these, whichever the provider reads.
KEY_HEADERS = ("authorization", "api-key", "x-api-key")
_KEYS = tuple(name.encode() for name in KEY_HEADERS)
_OF_THE_PROVIDER = {b"openai-organization": "organization", b"openai-project": "project"}
_TRACE = b"traceparent"
# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LABELS = {HEADER + name.encode(): name for name in LABEL_NAMES}
_VARIANTS = frozenset({b"anthropic-version", b"anthropic-beta", b"openai-beta"})
_ATTEMPT = b"x-stainless-retry-count"
_KINDS: tuple[tuple[Collection[bytes], str], ...] = (
    *((_KEYS, "key"), (_LABELS, "label"), (_OF_THE_PROVIDER, "provider"), (_VARIANTS, "variant")),
    *(((_ATTEMPT,), "attempt"), ((_TRACE,), "trace")),
)
_NO_DEPLOYMENTS: Mapping[str, str] = MappingProxyType({})


class _Roles(dict[bytes, tuple[str, str] | None]):
    """What headers say by their names, which are the same ones in every call: the kind of it and the name there.

    ``None`` is one that says nothing here; ``unknown`` is the kind of a label that there is not.
    """

    def __missing__(self, name: bytes) -> tuple[str, str] | None:
        low = name.lower()
        kind = next((kind for names, kind in _KINDS if low in names), "unknown" if low.startswith(HEADER) else None)
        role = None if kind is None else (kind, _LABELS.get(low) or _OF_THE_PROVIDER.get(low) or low.decode("latin-1"))
        if len(self) < _REMEMBERED:
            self[name] = role
        return role


_REMEMBERED = 4096
_ROLES = _Roles()


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What the headers of a request say. Those of two requests with the same headers are mostly the same object.

    Attributes:
        labels: By their names, as far as there are such labels.
        key: Digest of the API key.
        attempt: How often the SDK has tried the request before.
        variant: The headers that say which API is meant.
        own: Names of the headers that are for the gateway, and that no provider may see.
    """

    labels: Mapping[str, str]
    key: str | None
    attempt: int
    variant: str
    own: frozenset[bytes]


def said_in(headers: Iterable[tuple[bytes, bytes]]) -> Said:
    """What headers say; most of them say nothing here, and the others are mostly those of the last call."""
    return _said(tuple([each for each in headers if _ROLES[each[0]] is not None]))


@lru_cache(maxsize=1024)
def _said(headers: tuple[tuple[bytes, bytes], ...]) -> Said:
    named: dict[str, str] = {}
    keys, variants, own = [], [], set()
    attempt = 0
    for each, value in headers:
        kind, name = _ROLES[each] or ("", "")
        if kind in ("label", "unknown"):
            own.add(each)
        if kind == "key":
            keys.append(value)
        elif kind == "attempt":
            attempt = _whole(value)
        elif kind in ("label", "provider"):
            named[name] = _text(value)
        elif kind == "variant":
            variants.append((name, value))
        elif kind == "trace" and _TRACEPARENT.fullmatch(value):
            named["trace"] = value.decode()
    key = hashlib.sha256(b"\0".join(sorted(keys))).hexdigest()[:32] if any(keys) else None
    variant = "\n".join(f"{name}: {_text(value)}" for name, value in sorted(variants))
    return Said(named, key, attempt, variant, frozenset(own))


def call_of(
    url: str, said: Said, content: bytes, deployments: Mapping[str, str] = _NO_DEPLOYMENTS,
    *, give_up_at: float | None = None,
) -> Call | None:  # fmt: skip
    """The call in a POST request; ``None`` for one to any other API, or with a body that is not a call.

    Args:
        deployments: The model of each deployment of Azure's, by its name.

    Raises:
        UnreadableBody: A provider may take what Python does not read.
    """
    try:
        endpoint = _endpoint_at(url)
        if endpoint is None:
            return None
        make = _small_call if len(content) <= _SMALL else _made_call
        call = make(endpoint, url, said, content, current_labels(), tuple(deployments.items()))
        return call if call is None or give_up_at is None else call._replace(give_up_at=give_up_at)
    except LongNumber as error:
        # A budget would not see it.
        raise UnreadableBody(f"the body cannot be counted: {error}") from None
    except (ValueError, RecursionError):
        return None


def _made_call(
    endpoint: Endpoint, url: str, said: Said, content: bytes, current: Labels, deployments: tuple[tuple[str, str], ...]
) -> Call | None:
    body = read_json(content)
    # Without a model it is a call all the same: a stored prompt names its own.
    if not isinstance(body, dict) or not ((model := body.get("model")) is None or isinstance(model, str)):
        return None
    labels, known = labels_of(said, body, current), dict(deployments)
    return Call.of(endpoint, url, body, labels, attempt=said.attempt, deployments=known, variant=said.variant)


# What is answered from the cache has mostly been asked in the same words before. Bytes up to which a body is
# remembered, so that those of all together are some megabytes.
_SMALL = 10_000
_small_call = lru_cache(maxsize=256)(_made_call)


def labels_of(said: Said, body: Mapping[str, Any], current: Labels) -> Labels:
    """The labels of a request: those of its headers, over ``current``, those of :func:`promptopt.labels`."""
    named = said.labels
    given = body.get("safety_identifier") or body.get("user")
    user = named.get("user") or current.user or (given if isinstance(given, str) else None)
    if not named and (current is NO_LABELS or current == NO_LABELS):
        return _few_labels(user, said.key)
    sample = _whole(named.get("sample", current.sample))
    changes: dict[str, Any] = {**named, "user": user, "sample": sample, "key": said.key}
    return replace(current, **changes)


# A program sends its calls to few places, for few users.
@lru_cache(maxsize=256)
def _endpoint_at(url: str) -> Endpoint | None:
    return endpoint_of(urlsplit(url).path)


@lru_cache(maxsize=1024)
def _few_labels(user: str | None, key: str | None) -> Labels:
    return Labels(user=user, key=key)


def _text(value: bytes) -> str:
    """A header's value: UTF-8, or what it may be else."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _whole(text: Any) -> int:
    try:
        return max(0, int(text))
    except (TypeError, ValueError):
        return 0
