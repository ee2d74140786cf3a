"""What looks like a secret in a text that is about to be kept: keys of well-known vendors, tokens, private keys."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

_PATTERNS = {
    "an OpenAI or Anthropic key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "a Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
    "a Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
_ANY = re.compile("|".join(f"(?P<s{n}>{pattern})" for n, pattern in enumerate(_PATTERNS.values())))
# Every secret contains one of these. Looking for them is 20 times faster than for all of the above, and mostly enough.
_MARK = re.compile("sk-|AKIA|ASIA|gh[opsur]_|github_pat_|AIza|xox|eyJ|-----BEGIN")


_SCANNED = 2000
# Detectors of detect-secrets that find no secrets.
_HARMLESS = frozenset({"Public IP (ipv4)"})


def find_any_secret(text: str) -> str | None:
    """As :func:`find_secret`, and what the patterns of detect-secrets find, if that package is installed.

    Its patterns are slow on long texts, so that they see the first 2,000 characters.
    """
    found = find_secret(text)
    if found is not None:
        return found
    return next((kind for kind, pattern in scanner_patterns() if pattern.search(text[:_SCANNED])), None)


@lru_cache(maxsize=1)
def scanner_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The kinds of secrets that detect-secrets knows by a pattern, loaded once; none if it is not installed."""
    try:
        from detect_secrets import plugins
        from detect_secrets.plugins.base import RegexBasedDetector
    except ImportError:
        return ()
    for module in iter_modules(plugins.__path__):
        import_module(f"{plugins.__name__}.{module.name}")
    kinds = sorted(_below(RegexBasedDetector), key=lambda kind: kind.__name__)
    return tuple(
        (f"a secret ({kind.secret_type})", pattern)
        for kind in kinds
        if isinstance(kind.secret_type, str)
        and kind.secret_type not in _HARMLESS
        and kind.__module__.startswith("detect_")
        for pattern in kind.denylist
        if isinstance(pattern, re.Pattern)
    )


def _below(kind: type[Any]) -> set[type[Any]]:
    return {each for child in kind.__subclasses__() for each in {child, *_below(child)}}


def find_secret(text: str) -> str | None:
    """The kind of secret that a text seems to contain, such as ``a GitHub token``; ``None`` if there is none."""
    match = _ANY.search(text) if _MARK.search(text) else None
    return None if match is None else list(_PATTERNS)[int((match.lastgroup or "s0")[1:])]
