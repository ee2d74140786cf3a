"""The one interface to models: ``complete(Request) -> Response``, and how a model's name leads to a provider.

A class under the entry-point group ``promptopt.providers`` serves the models that are named with its prefix:
``my = "my_package:MyProvider"`` serves ``my:some-model``. It is made with the model's name and a timeout in seconds; a
function that makes a provider may take its place. What a class says of itself it inherits from ``ProviderBase``, whose
defaults fit an endpoint that costs money and needs no set-up::

    class MyProvider(ProviderBase):
        free = True

        def __init__(self, model: str, timeout_s: float | None) -> None: ...

        def complete(self, request: Request) -> Response: ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import ClassVar, Protocol

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


class ProviderBase:
    """What a provider says of itself, with the defaults. A provider that is not derived from it has the defaults too.

    Attributes:
        free: Whether its calls cost nothing, as those of a model on this machine.
    """

    free: ClassVar[bool] = False

    @classmethod
    def is_configured(cls, model: str) -> bool:  # noqa: ARG003 - for those that ask for more than a name
        """Whether ``model`` can be called as things are: credentials, addresses, packages and files are there."""
        return True

    def close(self) -> None:
        """There is nothing to give back."""


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
    return _factory(model)(split_model(model)[1], timeout_s)


def is_free(model: str) -> bool:
    """Whether calls of ``model`` cost nothing. Raises UsageError if no provider serves it."""
    return _said_by(model).free


def is_configured(model: str) -> bool:
    """Whether ``model`` can be called as things are. Raises UsageError if no provider serves it."""
    return _said_by(model).is_configured(split_model(model)[1])


def _said_by(model: str) -> type[ProviderBase]:
    factory = _factory(model)
    return factory if isinstance(factory, type) and issubclass(factory, ProviderBase) else ProviderBase


def _factory(model: str) -> ProviderFactory:
    name, _ = split_model(model)
    point = provider_types().get(name)
    if point is None:
        raise UsageError(f"no provider {name!r} for the model {model!r}; is promptopt installed?")
    factory: ProviderFactory = point.load()
    return factory
