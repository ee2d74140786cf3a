"""What looks like a secret in a text that is about to be kept: keys of well-known vendors, tokens, private keys."""

from __future__ import annotations

import re

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


def find_secret(text: str) -> str | None:
    """The kind of secret that a text seems to contain, such as ``a GitHub token``; ``None`` if there is none."""
    match = _ANY.search(text) if _MARK.search(text) else None
    return None if match is None else list(_PATTERNS)[int((match.lastgroup or "s0")[1:])]
