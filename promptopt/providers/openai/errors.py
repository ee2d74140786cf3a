"""Errors of endpoints: the class of each by its code and status, and what SDKs and HTTP raise as promptopt's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.providers.http_clients import named_proxy, shown_url

FailureKind = Literal[
    "quota", "auth", "bad_request", "not_found", "context_length", "content_filter",
    "rate_limit", "server", "timeout", "connection", "invalid_body", "abandoned",
]  # fmt: skip
# What the same request may escape the next time.
RETRYABLE: frozenset[FailureKind] = frozenset({"rate_limit", "server", "timeout", "connection", "invalid_body"})

_BY_CODE: Mapping[str, FailureKind] = {
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "account_deactivated": "auth",
    "invalid_api_key": "auth",
    "invalid_organization": "auth",
    "model_not_found": "not_found",
    "context_length_exceeded": "context_length",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "rate_limit_exceeded": "rate_limit",
    # llama.cpp's.
    "exceed_context_size_error": "context_length",
    # Anthropic's.
    "authentication_error": "auth",
    "permission_error": "auth",
    "billing_error": "quota",
    "not_found_error": "not_found",
    "request_too_large": "context_length",
    "rate_limit_error": "rate_limit",
    "timeout_error": "timeout",
    "api_error": "server",
    "overloaded_error": "server",
}
_BY_STATUS: Mapping[int, FailureKind] = {
    401: "auth",
    402: "quota",
    403: "auth",
    404: "not_found",
    408: "timeout",
    409: "server",
    429: "rate_limit",
}
# What endpoints say that have no code for it. In this order: OpenAI, DeepSeek, OpenRouter and vLLM; many; llama.cpp and
# Anthropic; vLLM and SGLang; Together and TGI; LM Studio; xAI; Anthropic; Gemini; Cohere; Groq.
_TOO_LONG = re.compile(
    r"maximum context length|context[ _](?:length|window|size)s? (?:was |is |has been )?exceeded"
    r"|exceeds? (?:the |this )?(?:model's )?(?:available |maximum )?context"
    r"|longer than the (?:maximum model length|model's (?:maximum )?context length|maximum model context)"
    r"|inputs?`? tokens \+ `?max_new_tokens|greater than the (?:model's )?context length|maximum prompt length"
    r"|(?:prompt|input) is too long|input token count[^.]{0,60}exceeds|too many tokens"
    r"|reduce the length of the (?:mess|prom|inp)"
)
# What a filter says that takes a question: Azure; Anthropic; OpenAI's reasoning models; OpenRouter.
_FILTERED = re.compile(
    r"content management policy|content filtering policy|flagged as potentially violating|your input was flagged"
)
_NO_MONEY = re.compile(r"credit balance is too low|insufficient (?:balance|credits|funds)")
# No other request will fare better, and what the user can do about it.
_UNUSABLE: Mapping[FailureKind, str] = {
    "auth": "Check {key}",
    "not_found": "Check the model's name and {url}",
    "quota": "Check the account's plan and billing",
}
# Names of exceptions of the SDKs, and of the HTTP library under them.
_TIMEOUTS = frozenset({"APITimeoutError", "TimeoutException"})
_CONNECTION_ERRORS = frozenset({"APIConnectionError", "RequestError"})
_ODD_ANSWERS = {
    "TooManyRedirects": "redirects in a circle",
    "DecodingError": "packed its answer in another way than it says",
}
# Those that the library raises before anything was sent.
_UNSENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})


def classify(status: int, code: str | None, text: str = "") -> FailureKind:
    """The class of an error status, by its error code first, then by what the error says."""
    if code is not None and code in _BY_CODE:
        return _BY_CODE[code]
    said = text[:_SAID].lower()
    if status in (400, 403) and _FILTERED.search(said):
        return "content_filter"
    if status == 403 and is_html(said):
        # A firewall before the endpoint took offence at this one request.
        return "bad_request"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if _TOO_LONG.search(said):
        return "context_length"
    if _NO_MONEY.search(said):
        return "quota"
    return "server" if status >= 500 else "bad_request"


# An error may repeat the request; what it says comes first.
_SAID = 4000


def classify_body(status: int, content: bytes) -> tuple[FailureKind, str | None]:
    """The class and the error code of an error by its status and body."""
    code = error_code(content)
    return classify(status, code, content[: 4 * _SAID].decode(errors="replace")), code


def error_code(content: bytes) -> str | None:
    """The error code in an error's body, or its type; ``None`` if the body is something else."""
    try:
        return code_of(json.loads(content))
    except (ValueError, RecursionError):
        return None


def code_of(body: Any) -> str | None:
    """The code of an error object, or its type; the object may be inside ``{"error": ...}``."""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    found = (error.get("code"), error.get("type")) if isinstance(error, Mapping) else ()
    return next((each[:64] for each in found if isinstance(each, str) and each), None)


def failure_kind(error: ProviderError) -> tuple[FailureKind, int | None, str | None, bool]:
    """The class of a provider's error by what the SDK or the HTTP library raised.

    Returns:
        The class, the HTTP status and the error code if there are any, and whether the request may have been sent.
    """
    cause: Any = error.__cause__
    status = getattr(cause, "status_code", None)
    code = getattr(cause, "code", None) or code_of(getattr(cause, "body", None))
    code = code if isinstance(code, str) else None
    if isinstance(status, int):
        return classify(status, code, _said(cause)), status, code, True
    names = _names(cause)
    if names & (_TIMEOUTS | _CONNECTION_ERRORS):
        sent = not _is_unsent(cause) and not _is_unsent(cause.__cause__)
        return ("timeout" if names & _TIMEOUTS else "connection"), None, code, sent
    if isinstance(cause, ValueError):
        return "invalid_body", None, code, True
    return ("auth" if isinstance(error, ProviderUnusable) else "server"), None, code, False


def translated(
    error: Exception, base_url: str, key: str = "OPENAI_API_KEY", url: str = "OPENAI_BASE_URL"
) -> ProviderError:
    """What an SDK, or the HTTP library under it, raised, with what to do about it.

    Args:
        key: Where the key comes from.
        url: Where the address comes from.

    Returns:
        A ``ProviderUnusable`` if no other request can succeed.
    """
    names, base_url = _names(error), shown_url(base_url)
    if names & _TIMEOUTS:
        return ProviderError(f"{base_url} did not answer in time (see --timeout)")
    if names & _CONNECTION_ERRORS:
        cause = (error.__cause__ or error) if "APIConnectionError" in names else error
        if said := next((_ODD_ANSWERS[name] for name in _names(cause) if name in _ODD_ANSWERS), None):
            return ProviderError(f"{base_url} {said}: {cause}")
        if not _is_unsent(cause):
            # The endpoint is there: it took the request and left this one call without an answer.
            return ProviderError(f"{base_url} closed the connection without an answer: {cause}")
        place = _redirected(base_url, getattr(cause, "_request", None))
        said = f"cannot reach {place}: {str(cause).rstrip('.')}. Is {url} right, and the endpoint running?"
        proxy = named_proxy(base_url)
        return ProviderUnusable(said if proxy is None else f"{said} The environment names the proxy {proxy}")
    if "InvalidURL" in names:
        return ProviderUnusable(f"{base_url} is not an address: {error}. Is {url} right?")
    if not names & {"APIStatusError", "HttpStatus"}:
        return ProviderError(f"{type(error).__name__}: {error}")
    failed: Any = error
    place = _redirected(base_url, failed.response.request)
    message = f"{place} answered {failed.status_code}: {_reason(failed)}"
    code = getattr(failed, "code", None) or code_of(failed.body)
    if 300 <= failed.status_code < 400:
        return ProviderUnusable(f"{message}. Is {url} right?")
    remedy = unusable_remedy(classify(failed.status_code, code, _said(failed)), key, url)
    return ProviderError(message) if remedy is None else ProviderUnusable(f"{message}. {remedy}")


def _names(error: BaseException | None) -> frozenset[str]:
    """The classes of an exception by name: no SDK is loaded for another one's errors."""
    return frozenset(kind.__name__ for kind in type(error).__mro__)


def _is_unsent(error: BaseException | None) -> bool:
    """Whether the HTTP library raised this before anything was sent."""
    return type(error).__name__ in _UNSENT


def unusable_remedy(kind: FailureKind, key: str, url: str) -> str | None:
    """What to do about a failure that no other request escapes; ``None`` for one that others may."""
    remedy = _UNUSABLE.get(kind)
    return None if remedy is None else remedy.format(key=key, url=url)


def _redirected(base_url: str, request: Any) -> str:
    """Where a request went; another host than that of the address only if that redirects."""
    url = getattr(request, "url", None)
    if url is None or url.host in base_url:
        return base_url
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')} ({base_url} redirects there)"


def is_html(text: str) -> bool:
    """Whether a text begins as a page does."""
    return text.lstrip()[:100].lower().startswith(("<!doctype html", "<html"))


def html_title(text: str) -> str:
    """What a page is called."""
    found = re.search(r"<title[^>]*>(.*?)</title>", text[:20_000], re.IGNORECASE | re.DOTALL)
    return excerpt(found[1] if found else text)


def excerpt(text: str) -> str:
    """The beginning of a text in one line."""
    words = " ".join(text[:1000].split())
    return repr(words if len(words) <= 120 else f"{words[:119]}…") if words else "nothing"


def error_text(value: Any) -> str:
    """What an error object inside an answer says."""
    return str(getattr(value, "message", None) or value or "no reason given")


def no_answer(value: Any, kind: str) -> ProviderError:
    """What the SDK made of a body that is not an answer.

    Args:
        value: An object of the SDK or of JSON, or a text for a body that says it is not JSON.
        kind: What it should have been.
    """
    if isinstance(value, str):
        said = f"it is HTML ({html_title(value)}), as of an error or a login page" if is_html(value) else excerpt(value)
    elif isinstance(value, dict):
        said = excerpt(json.dumps(value, separators=(",", ":"), ensure_ascii=False))
    elif hasattr(value, "model_dump_json"):
        said = excerpt(value.model_dump_json(exclude_unset=True, warnings=False))
    else:
        said = excerpt(repr(value))
    return ProviderError(f"the endpoint's answer is not a {kind}: {said}")


def _said(error: Any) -> str:
    """What an error's body says; of a page, which both SDKs keep from their message, the page."""
    text = str(getattr(getattr(error, "response", None), "text", ""))
    return text if is_html(text) else str(getattr(error, "message", ""))


def _reason(error: Any) -> str:
    body = error.body
    # Both SDKs keep what is not JSON as it is, and only one of them shows it.
    page = error.response.text if is_html(error.response.text) else ""
    if page:
        return f"a page ({html_title(page)})"
    # OpenAI's SDK takes the error out of its body, Anthropic's does not.
    inner = body.get("error", body) if isinstance(body, dict) else None
    text = inner.get("message") if isinstance(inner, dict) else None
    return str(text or error.message).strip().splitlines()[0][:300]
