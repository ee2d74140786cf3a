"""Calls of one endpoint over HTTP: what is sent beside the body, what is sent again, and when.

The OpenAI SDK sits on the same HTTP library and does the same. It is not used here: its types, which no call here uses,
cost a fifth of a comparison's memory. The tests hold what is sent against what the SDK sends.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from promptopt.providers.http import HttpStatus, ends_within
from promptopt.providers.http_clients import client_errors
from promptopt.providers.openai.waits import asked_wait_s

if TYPE_CHECKING:
    import httpx2

# The SDK's own figures.
RETRIES = 2
_FIRST_WAIT_S, _LONGEST_WAIT_S, _LONGEST_ASKED_WAIT_S = 0.5, 8.0, 120.0
_KEPT_CONNECTIONS = 100
_AGAIN = frozenset({408, 409, 429})
# Azure's paths have the deployment in them; of its other APIs, they have not.
_OF_A_DEPLOYMENT = frozenset({"/chat/completions"})


@dataclass(frozen=True, slots=True)
class OpenAIEndpoint:
    """An address with its headers.

    Attributes:
        base_url: Where the paths begin, without a slash at the end.
        client: Has the headers, the timeout and the connections.
        by_deployment: Whether a path names the model as well, as Azure's do that have a version.
        retries: How often a call that failed is sent again.
    """

    base_url: str
    client: httpx2.Client
    by_deployment: bool = False
    retries: int = RETRIES

    @classmethod
    def at(
        cls,
        base_url: str,
        headers: Mapping[str, str],
        timeout_s: float,
        *,
        version: str | None = None,
        by_deployment: bool = False,
    ) -> Self:
        """An endpoint whose calls end after ``timeout_s``; a version is Azure's, and in the query of each call."""
        import httpx2

        with client_errors():
            client = httpx2.Client(
                headers={"User-Agent": "promptopt", "Accept": "application/json", **headers},
                params={} if version is None else {"api-version": version},
                timeout=timeout_s,
                follow_redirects=True,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=_KEPT_CONNECTIONS),
                event_hooks=ends_within(timeout_s),
            )
        return cls(base_url.rstrip("/"), client, by_deployment)

    def post(self, path: str, content: bytes, model: str) -> httpx2.Response:
        """The answer to a body of JSON.

        Raises:
            HttpStatus: It is an error.
            httpx2.RequestError: There is none.
        """
        import httpx2

        if self.by_deployment and path in _OF_A_DEPLOYMENT:
            path = f"/deployments/{quote(model, safe='')}{path}"
        for taken in range(self.retries + 1):
            last = taken == self.retries
            try:
                answer = self.client.post(
                    f"{self.base_url}{path}", content=content, headers={"Content-Type": "application/json"}
                )
            except httpx2.RequestError:
                if last:
                    raise
                time.sleep(_wait_s(taken, None))
                continue
            if answer.history and answer.request.method != "POST":
                # Only some redirects keep the method and the body; what answered has not been asked.
                raise _redirect(answer.history[0])
            if answer.is_success:
                return answer
            if last or not _is_sent_again(answer):
                raise _status(answer)
            time.sleep(_wait_s(taken, asked_wait_s(answer.headers, time.time())))
        raise AssertionError("the last turn returns or raises")

    def without_retries(self) -> Self:
        """The same address and connections, and each call is sent once."""
        return replace(self, retries=0)

    def close(self) -> None:
        self.client.close()


def named_headers() -> dict[str, str]:
    """What the SDK's environment variables add to each call of OpenAI's own API."""
    found = {
        "OpenAI-Organization": os.environ.get("OPENAI_ORG_ID"),
        "OpenAI-Project": os.environ.get("OPENAI_PROJECT_ID"),
    }
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
    further = {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
    return {name: value for name, value in found.items() if value} | further


def _status(answer: httpx2.Response) -> HttpStatus:
    """An error with the object in it that says what it is, or with its text."""
    text = answer.text.strip()
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return HttpStatus(answer.status_code, text or f"Error code: {answer.status_code}", answer, text)
    inner = said.get("error", said) if isinstance(said, Mapping) else said
    message = (inner.get("message") or inner.get("detail")) if isinstance(inner, Mapping) else inner
    return HttpStatus(answer.status_code, str(message or text), answer, inner)


def _redirect(answer: httpx2.Response) -> HttpStatus:
    # A query may have a token in it.
    where = answer.headers.get("location", "nowhere").partition("?")[0]
    return HttpStatus(answer.status_code, f"a redirect to {where}, which drops what is asked", answer)


def _is_sent_again(answer: httpx2.Response) -> bool:
    """As the SDK decides: by what the endpoint says of it, else by the status."""
    asked = asked_wait_s(answer.headers, time.time())
    if asked is not None and asked > _LONGEST_ASKED_WAIT_S:
        return False
    said = answer.headers.get("x-should-retry")
    if said in ("true", "false"):
        return bool(said == "true")
    return answer.status_code in _AGAIN or answer.status_code >= 500


def _wait_s(taken: int, asked: float | None) -> float:
    """The seconds before the next sending: what was asked for, or twice as long each time, less up to a quarter."""
    if asked is not None and 0 < asked <= _LONGEST_ASKED_WAIT_S:
        return asked
    # Who else waits need not come back at the same moment.
    return min(_FIRST_WAIT_S * 2.0**taken, _LONGEST_WAIT_S) * random.uniform(0.75, 1)  # noqa: S311 - no secret
