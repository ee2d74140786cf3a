"""The one interface to models: ``complete(Request) -> Response``, and how a model's name leads to a provider.

A class under the entry-point group ``promptopt.providers`` serves the models that are named with its prefix:
``my = "my_package:MyProvider"`` serves ``my:some-model``. It is made with the model's name and a timeout in seconds; a
function that makes a provider may take its place. What a class says of itself it inherits from ``ProviderBase``, whose
defaults fit an endpoint that costs money and needs no set-up::

    class MyProvider(ProviderBase):
        free = True

        def __init__(self, model: str, timeout_s: float | None) -> None: ...

        def complete(self, request: Request) -> Response: ...

A class with ``keys`` is also a ``type`` of the tables ``[tool.promptopt.providers.NAME]``, each of which serves the
models ``NAME:some-model``; it is then made with the table as a third argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Protocol

from promptopt.config import load_config
from promptopt.errors import PromptoptError, ProviderError, check_argument, did_you_mean
from promptopt.providers.settings import Checks, ProviderTable, find_table
from promptopt.registry import blaming, broken, described, is_built_in, load, registered
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
        keys: The keys that a table of this type takes beside those of every table; ``None``: it is not a type.
        takes_variables: Whether answers depend on the case's variables, and not only on the messages that show them.
    """

    free: ClassVar[bool] = False
    keys: ClassVar[Checks | None] = None
    takes_variables: ClassVar[bool] = False

    @classmethod
    def is_configured(cls, model: str) -> bool:  # noqa: ARG003 - for those that ask for more than a name
        """Whether ``model`` can be called as things are: credentials, addresses, packages and files are there."""
        return True

    @classmethod
    def is_complete(cls, table: ProviderTable) -> bool:  # noqa: ARG003 - as above
        """Whether the models of a table can be called as things are."""
        return True

    @classmethod
    def check_request(cls, request: Request, table: ProviderTable | None = None) -> None:
        """Raises ValueError if the API has no place for a setting or a part of the request; the message names it."""

    @classmethod
    def batch_request(
        cls,
        request: Request,  # noqa: ARG003 - as above
        table: ProviderTable | None = None,  # noqa: ARG003 - as above
    ) -> tuple[str, dict[str, Any]] | None:
        """Where a request of a batch goes, and its body, the same as :meth:`Provider.complete` sends.

        Returns:
            ``None`` if the provider has no batch API.

        Raises:
            ValueError: The API does not take the request; the message says why.
        """
        return None

    @classmethod
    def version(cls, model: str, table: ProviderTable | None = None) -> str | None:  # noqa: ARG003 - as above
        """What an answer depends on beside its request, such as the program that gives it; ``None``: nothing."""
        return None if table is None else table.get("version")

    def close(self) -> None:
        """There is nothing to give back."""


def named_at_endpoint(request: Request) -> Request:
    """The request with the name that an endpoint knows its model by: ``NAME:model`` without the provider's name."""
    return replace(request, model=request.model.partition(":")[2] or request.model)


ProviderFactory = Callable[..., Provider]
"""Made from a model name and a timeout in seconds, and for a type from a table; registered under the entry-point group
``promptopt.providers``."""


def split_model(model: str) -> tuple[str, str]:
    """Provider and model name: ``local:smollm2`` is ``smollm2`` of ``local``; without a prefix it is ``openai``'s.

    The name of a provider of the configuration is a model of its own: a program under test has no other.
    """
    head, colon, tail = model.partition(":")
    if head in load_config().providers or ((colon or head == "echo") and head in registered("provider")):
        return head, tail
    return DEFAULT, model


def _found(model: str) -> tuple[str, ProviderTable | None, str]:
    """The entry point that serves a model, its table if it has one, and the model's name there."""
    name, rest = split_model(model)
    table = find_table(load_config(), name)
    if table is None:
        return name, None, rest
    keys = _said_by(table.type).keys if table.type in registered("provider") else None
    if keys is None:
        types = [each for each in registered("provider") if is_built_in("provider", each) and _said_by(each).keys]
        what = f"unknown type {table.type!r} in {table.header}.{did_you_mean(table.type, types)}"
        if "type" not in table.options:
            what = f"{table.header} has no type"
        raise table.error(what, "type", f"known: {', '.join(types)}")
    table.check(keys)
    return table.type, table, rest


def provider_type(model: str) -> str:
    """The entry point that serves a model."""
    return _found(model)[0]


def provider_fault(model: str, error: BaseException) -> ProviderError | None:
    """What another package's code raised, as a failed call of ``model``; ``None`` if promptopt itself raised it."""
    name = provider_type(model)
    if isinstance(error, PromptoptError) or is_built_in("provider", name):
        return None
    fault = ProviderError(f"{described('provider', name)} raised {type(error).__name__}: {error}")
    fault.__cause__ = error
    return fault


def make_provider(model: str, timeout_s: float | None = None) -> Provider:
    """The provider that serves ``model``.

    Raises:
        UsageError: None does, or the package of that provider is broken.
        ConfigError: Its table in the configuration is wrong.
        MissingExtra: It needs a package that is not installed.
        ProviderUnusable: It lacks an address or credentials.
    """
    name, table, rest = _found(model)
    factory = _factory(name)
    with blaming("provider", name, f"cannot be made for {rest!r}"):
        if table is None:
            provider = factory(rest, timeout_s)
        else:
            provider = factory(rest, timeout_s or table.get("timeout"), table)
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
    name, table, _ = _found(model)
    if table is None or "free" not in table.options:
        return _said_by(name).free and (table is None or "prices" not in table.options)
    return bool(table.options["free"])


def is_configured(model: str) -> bool:
    """Whether ``model`` can be called as things are. Raises UsageError if no provider serves it."""
    name, table, rest = _found(model)
    with blaming("provider", name, f"cannot say whether {rest!r} is configured"):
        return _said_by(name).is_configured(rest) if table is None else _said_by(name).is_complete(table)


def answer_source(request: Request) -> dict[str, Any]:
    """What an answer depends on beside what the request's digest covers: variables and a program's version.

    Both are left out for a model whose provider does not look at them, which is every one without a prefix.
    """
    if _has_no_prefix(request.model):
        return {}
    name, table, rest = _found(request.model)
    provider = _said_by(name)
    found: dict[str, Any] = {}
    if provider.takes_variables and request.variables:
        found["variables"] = request.variables
    version = provider.version(rest) if table is None else provider.version(rest, table)
    return found if version is None else {**found, "version": version}


def reads_variables(model: str) -> bool:
    """Whether what answers is asked with the variables of a case, and not with the messages alone."""
    return not _has_no_prefix(model) and _said_by(_found(model)[0]).takes_variables


def _has_no_prefix(model: str) -> bool:
    head = model.partition(":")[0]
    return head not in load_config().providers and (head == model or head not in registered("provider"))


def batch_request(request: Request) -> tuple[str, dict[str, Any]] | None:
    """As :meth:`ProviderBase.batch_request`, of the provider that serves the request's model."""
    name, table, _ = _found(request.model)
    return _said_by(name).batch_request(request, table)


def check_request(request: Request) -> None:
    """As :meth:`ProviderBase.check_request`, of the provider that serves the request's model."""
    name, table, _ = _found(request.model)
    _said_by(name).check_request(request, table)


def _said_by(name: str) -> type[ProviderBase]:
    factory = _factory(name)
    return factory if isinstance(factory, type) and issubclass(factory, ProviderBase) else ProviderBase


def _factory(name: str) -> ProviderFactory:
    factory: ProviderFactory = load("provider", name)
    if not callable(factory):
        raise broken("provider", name, f"is not a provider: {type(factory).__name__} cannot be called")
    return factory
