"""The one seam to models: ``complete(Request) -> Response``. A provider may wrap a provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from promptopt.errors import UsageError
from promptopt.values import Request, Response

GROUP = "promptopt.providers"
DEFAULT = "openai"


class Provider(Protocol):
    """Answers requests. Implementations are safe to call from many threads."""

    def complete(self, request: Request) -> Response:
        """The answer.

        Raises:
            ProviderError: This request was not answered; another one may be.
            ProviderUnusable: No further request can be.
        """

    def close(self) -> None:
        """Give back connections and processes. Closing twice is allowed."""


ProviderFactory = Callable[[str, float | None], Provider]
"""Made from a model name and a timeout in seconds; registered under the entry-point group ``promptopt.providers``."""


@lru_cache(maxsize=1)
def provider_types() -> Mapping[str, EntryPoint]:
    """The registered entry points by name; looking them up reads the metadata of everything that is installed."""
    return {point.name: point for point in entry_points(group=GROUP)}


def split_model(model: str) -> tuple[str, str]:
    """Provider and model name: ``local:smollm2`` is ``smollm2`` of ``local``; without a prefix it is ``openai``'s."""
    head, colon, tail = model.partition(":")
    return (head, tail) if colon and head in provider_types() else (DEFAULT, model)


def make_provider(model: str, timeout_s: float | None = None) -> Provider:
    """The provider that serves ``model``.

    Raises:
        UsageError: None does.
        MissingExtra: It needs a package that is not installed.
        ProviderUnusable: It lacks an address or credentials.
    """
    name, tail = split_model(model)
    point = provider_types().get(name)
    if point is None:
        raise UsageError(f"no provider {name!r} for the model {model!r}; is promptopt installed?")
    factory: ProviderFactory = point.load()
    return factory(tail, timeout_s)
