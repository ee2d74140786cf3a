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

from collections.abc import Callable
from typing import ClassVar, Protocol

from promptopt.errors import check_argument
from promptopt.registry import blaming, broken, load, registered
from promptopt.values import Request, Response

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


def split_model(model: str) -> tuple[str, str]:
    """Provider and model name: ``local:smollm2`` is ``smollm2`` of ``local``; without a prefix it is ``openai``'s."""
    head, colon, tail = model.partition(":")
    return (head, tail) if colon and head in registered("provider") else (DEFAULT, model)


def make_provider(model: str, timeout_s: float | None = None) -> Provider:
    """The provider that serves ``model``.

    Raises:
        UsageError: None does, or the package of that provider is broken.
        MissingExtra: It needs a package that is not installed.
        ProviderUnusable: It lacks an address or credentials.
    """
    name, rest = split_model(model)
    factory = _factory(name)
    with blaming("provider", name, f"cannot be made for {rest!r}"):
        provider = factory(rest, timeout_s)
    if not _is_provider(provider):
        needs = "complete(request) and close()"
        raise broken("provider", name, f"is not a provider: {type(provider).__name__} needs {needs}")
    return provider


def _is_provider(value: object) -> bool:
    return all(callable(getattr(value, method, None)) for method in ("complete", "close"))


def check_provider_type(name: str, value: object) -> None:
    """Refuse an argument that is no provider. Raises TypeError."""
    check_argument(_is_provider(value), name, value, "a provider with complete(request) and close()")


def is_free(model: str) -> bool:
    """Whether calls of ``model`` cost nothing. Raises UsageError if no provider serves it."""
    return _said_by(split_model(model)[0]).free


def is_configured(model: str) -> bool:
    """Whether ``model`` can be called as things are. Raises UsageError if no provider serves it."""
    name, rest = split_model(model)
    with blaming("provider", name, f"cannot say whether {rest!r} is configured"):
        return _said_by(name).is_configured(rest)


def _said_by(name: str) -> type[ProviderBase]:
    factory = _factory(name)
    return factory if isinstance(factory, type) and issubclass(factory, ProviderBase) else ProviderBase


def _factory(name: str) -> ProviderFactory:
    factory: ProviderFactory = load("provider", name)
    if not callable(factory):
        raise broken("provider", name, f"is not a provider: {type(factory).__name__} cannot be called")
    return factory
