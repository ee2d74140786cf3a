"""Virtual keys: secrets that a team gives its programs in place of the provider's key; only their hashes are kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from promptopt.errors import UsageError
from promptopt.gateway.body import listed
from promptopt.gateway.call import Labels
from promptopt.gateway.failures import Refused

_PREFIX = "po-"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class KeyRefused(Refused):
    """A virtual key does not allow what a call asks for."""

    code = "key_not_allowed"
    status = 403


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A key from ``[tool.promptopt.gateway.keys.NAME]``.

    Attributes:
        name: What budgets, limits and the ledger call it.
        sha256: Hash of the secret, 64 hexadecimal digits. A secret of :func:`new_key` has 256 random bits, so that a
            plain hash of it cannot be reversed.
        team: Whose calls its calls are; so is ``user``.
        tags: Tags that its calls may name; the first is that of a call that names none. Without any, all are allowed.
        models: Models that its calls may ask for, with ``*`` for any letters; without any, all are allowed.

    Raises:
        UsageError: The hash is not one.
    """

    name: str
    sha256: str
    team: str | None = None
    user: str | None = None
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if _SHA256.fullmatch(self.sha256) is None:
            # The value itself may be the secret.
            raise UsageError(
                f"keys.{self.name} sha256 is not 64 hexadecimal digits in lower case; "
                "`promptopt gateway key` makes a key and its hash"
            )

    def labelled(self, labels: Labels) -> Labels:
        """The labels of a call that comes with this key: what the key says counts, whatever the caller says.

        Raises:
            KeyRefused: The call names a tag that the key does not have.
        """
        return _labelled(self, labels)

    def check_model(self, model: str) -> None:
        """Raises KeyRefused if the key is not for this model."""
        if self.models and not any(fnmatchcase(model, pattern) for pattern in self.models):
            raise KeyRefused(f"key {self.name}: model {model!r} is not one of {', '.join(self.models)}")

    def check_body(self, body: Mapping[str, Any]) -> None:
        """Raises KeyRefused if the key is not for a model that a request asks for, or lets a provider take instead."""
        if not self.models:
            return
        self.check_model(body.get("model") or "")
        for each in listed(body.get("models")):
            self.check_model(each if isinstance(each, str) else repr(each))


def key_sha256(secret: str) -> str:
    """The hash that the configuration has of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_key() -> str:
    """A secret that nobody guesses: 256 bits of the system's randomness."""
    return _PREFIX + secrets.token_urlsafe(32)


def key_ring(keys: Sequence[VirtualKey]) -> Mapping[str, VirtualKey]:
    """Keys by their hashes."""
    return {key.sha256: key for key in keys}


def find_key(ring: Mapping[str, VirtualKey], secret: str) -> VirtualKey | None:
    """The key of a secret; ``None`` if it is none of them. It is looked up by its hash, so that time says nothing."""
    return ring.get(key_sha256(secret))


# A team's programs send the same labels again and again.
@lru_cache(maxsize=1024)
def _labelled(key: VirtualKey, labels: Labels) -> Labels:
    tag = labels.tag or (key.tags[0] if key.tags else None)
    if key.tags and tag not in key.tags:
        raise KeyRefused(f"key {key.name}: tag {tag!r} is not one of {', '.join(key.tags)}")
    return replace(labels, key=key.name, team=key.team, user=key.user or labels.user, tag=tag)
