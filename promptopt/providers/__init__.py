"""Providers: the models that answer, and what is between them and a program."""

from promptopt.providers.base import (
    Provider,
    ProviderBase,
    ProviderFactory,
    is_configured,
    is_free,
    make_provider,
    split_model,
)

__all__ = [
    "Provider",
    "ProviderBase",
    "ProviderFactory",
    "is_configured",
    "is_free",
    "make_provider",
    "split_model",
]
