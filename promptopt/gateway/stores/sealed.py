"""Kept answers, encrypted: around any cache and its leases, so that no store sees what an answer says.

Keys of an encrypted answer are names of their own: a gateway without the secret finds nothing, instead of what it
cannot read. Prompt, model and times stay as they are, since `promptopt cache` lists and clears by them.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import replace

from promptopt.errors import MissingExtra, UsageError
from promptopt.gateway.call import Answer, Wire
from promptopt.gateway.stores.base import CacheStore, KeptAnswer, Leases
from promptopt.gateway.stores.packing import pack, unpack_whole

log = logging.getLogger("promptopt.gateway")
_FIELD = "sealed"


class Seal:
    """Encrypts answers with Fernet (AES-128 in CBC mode and an HMAC), of the package ``cryptography``."""

    def __init__(self, variable: str) -> None:
        """Read the secrets.

        Args:
            variable: The environment variable that has them, separated by commas: the first encrypts, all decrypt.

        Raises:
            UsageError: It is not set, or what it has is not a secret of Fernet's.
            MissingExtra: The package is not installed.
        """
        try:
            from cryptography.fernet import Fernet, InvalidToken, MultiFernet
        except ImportError:
            raise MissingExtra("cryptography", "private", "an encrypted cache") from None
        secrets = [each.strip() for each in os.environ.get(variable, "").split(",") if each.strip()]
        if not secrets:
            raise UsageError(f"encrypt = {variable!r}: this environment variable is not set")
        try:
            self._fernet = MultiFernet([Fernet(secret) for secret in secrets])
        except ValueError:
            # What it has is a secret, and is not shown.
            raise UsageError(f"encrypt = {variable!r}: this environment variable holds no key of Fernet's") from None
        self._unreadable = InvalidToken
        self._told = False

    def closed(self, answer: Answer) -> Answer:
        """An answer that says nothing but its own ciphertext."""
        token = self._fernet.encrypt(pack(answer)).decode()
        return Answer(wire=Wire(json.dumps({_FIELD: token}).encode()))

    def opened(self, answer: Answer) -> Answer | None:
        """The answer that was closed; ``None`` if it was with another secret, or was changed."""
        try:
            token = json.loads(answer.wire.content)[_FIELD] if answer.wire is not None else ""
            return unpack_whole(self._fernet.decrypt(token))
        except (self._unreadable, ValueError, KeyError, TypeError):
            if not self._told:
                self._told = True
                log.warning("the cache: an answer cannot be decrypted, and is asked again: another key, or changed")
            return None

    def closed_bytes(self, data: bytes) -> bytes:
        """The ciphertext of something that is not an answer."""
        return self._fernet.encrypt(data)

    def opened_bytes(self, token: bytes) -> bytes | None:
        """What was encrypted; ``None`` if it was with another secret, or was changed."""
        try:
            return self._fernet.decrypt(token)
        except self._unreadable:
            return None

    def entry(self, entry: KeptAnswer) -> KeptAnswer:
        """What is kept of an answer, without any text of its request."""
        return replace(entry, key=sealed_key(entry.key), excerpt=None, answer=self.closed(entry.answer))


def sealed_key(key: str) -> str:
    """What an encrypted answer to a call is kept by."""
    return f"{key}-{_FIELD}"


class SealedCache:
    """A cache whose answers are encrypted."""

    def __init__(self, inner: CacheStore, seal: Seal) -> None:
        self.inner = inner
        self._seal = seal
        self.networked = inner.networked

    def get(self, key: str, now: float) -> Answer | None:
        found = self.inner.get(sealed_key(key), now)
        return None if found is None else self._seal.opened(found)

    def put(self, entry: KeptAnswer) -> None:
        self.inner.put(self._seal.entry(entry))

    def clear(self, *, prompt: str | None = None, model: str | None = None, before: float | None = None) -> int:
        return self.inner.clear(prompt=prompt, model=model, before=before)

    def entries(self) -> Iterator[KeptAnswer]:
        return self.inner.entries()

    def close(self) -> None:
        self.inner.close()


class SealedLeases:
    """Leases that hand over encrypted answers."""

    def __init__(self, inner: Leases, seal: Seal) -> None:
        self._inner = inner
        self._seal = seal
        self.networked = inner.networked
        self.reads_cache = getattr(inner, "reads_cache", False)

    @property
    def gives_later(self) -> bool:
        return getattr(self._inner, "gives_later", False)

    def acquire(self, key: str, token: str, now: float, *, fresh: bool) -> bool | Answer:
        found = self._inner.acquire(sealed_key(key), token, now, fresh=fresh)
        if isinstance(found, bool):
            return found
        # What cannot be read is asked for without a lease.
        return self._seal.opened(found) or True

    def renew(self, key: str, token: str, now: float) -> None:
        self._inner.renew(sealed_key(key), token, now)

    def release(self, key: str, token: str, answer: Answer | None, now: float, entry: KeptAnswer | None = None) -> None:
        shared = None if answer is None else self._seal.closed(answer)
        kept = None if entry is None else self._seal.entry(entry)
        self._inner.release(sealed_key(key), token, shared, now, kept)
