"""What an HTTP request says about a call beside its body: who asks, for whom, what for and how often before.

Names and values are bytes as they came, so that a server needs no client library to read them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from promptopt.gateway.call import LABEL_NAMES, NO_LABELS, Call, Endpoint, Labels, current_labels
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


def said_in(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that say something here, a few of many."""
    return [each for each in headers if _ROLES[each[0]] is not None]


def is_label(name: bytes) -> bool:
    """Whether a header is for the gateway, and no provider may see it."""
    role = _ROLES[name]
    return role is not None and role[0] in ("label", "unknown")


def call_of(
    url: str, headers: Iterable[tuple[bytes, bytes]], content: bytes, deployments: Mapping[str, str] = _NO_DEPLOYMENTS,
    *, give_up_at: float | None = None,
) -> Call | None:  # fmt: skip
    """The call in a POST request; ``None`` for one to any other API, or with a body that is not a call.

    Args:
        deployments: The model of each deployment of Azure's, by its name.
    """
    try:
        endpoint = _endpoint_at(url)
        if endpoint is None:
            return None
        body = json.loads(content)
        # Without a model it is a call all the same: a stored prompt names its own.
        if not isinstance(body, dict) or not ((model := body.get("model")) is None or isinstance(model, str)):
            return None
        said = said_in(headers)
        labels, attempt = read_labels(said, body)
        return Call.of(
            *(endpoint, url, body, labels),
            attempt=attempt, deployments=deployments, variant=variant_of(said), give_up_at=give_up_at,
        )  # fmt: skip
    except (ValueError, RecursionError):
        return None


def variant_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The headers that say which API is meant."""
    found = [(role[1], value) for name, value in headers if (role := _ROLES[name]) is not None and role[0] == "variant"]
    return "\n".join(f"{name}: {_text(value)}" for name, value in sorted(found)) if found else ""


def read_labels(headers: Iterable[tuple[bytes, bytes]], body: Mapping[str, Any]) -> tuple[Labels, int]:
    """The labels of a request, and how often the SDK has tried it before."""
    named: dict[str, Any] = {}
    keys: list[bytes] = []
    attempt = 0
    for each, value in headers:
        role = _ROLES[each]
        if role is None:
            continue
        kind, name = role
        if kind == "key":
            keys.append(value)
        elif kind == "attempt":
            attempt = _whole(value)
        elif kind in ("label", "provider"):
            named[name] = _text(value)
        elif kind == "trace" and _TRACEPARENT.fullmatch(value):
            named["trace"] = value.decode()
    current = current_labels()
    given = body.get("safety_identifier") or body.get("user")
    user = named.get("user") or current.user or (given if isinstance(given, str) else None)
    sample = _whole(named.get("sample", current.sample))
    key = _digest(tuple(keys))
    if not named and (current is NO_LABELS or current == NO_LABELS):
        return _few_labels(user, sample, key), attempt
    return replace(current, **{**named, "user": user, "sample": sample, "key": key}), attempt


# A program sends its calls to few places, for few users.
@lru_cache(maxsize=256)
def _endpoint_at(url: str) -> Endpoint | None:
    return endpoint_of(urlsplit(url).path)


@lru_cache(maxsize=1024)
def _few_labels(user: str | None, sample: int, key: str | None) -> Labels:
    return Labels(user=user, sample=sample, key=key)


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


@lru_cache(maxsize=256)
def _digest(keys: tuple[bytes, ...]) -> str | None:
    return hashlib.sha256(b"\0".join(sorted(keys))).hexdigest()[:32] if any(keys) else None
