"""Providers: the models that answer, and what stands between them and a program."""

from promptopt.providers.base import Provider, ProviderBase, is_configured, is_free, make_provider, split_model

__all__ = ["Provider", "ProviderBase", "is_configured", "is_free", "make_provider", "split_model"]
