"""Providers: the models that answer, and what stands between them and a program."""

from promptopt.providers.base import Provider, make_provider, split_model

__all__ = ["Provider", "make_provider", "split_model"]
