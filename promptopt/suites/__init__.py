"""Suites: the cases that prompts are measured on."""

from promptopt.suites.case import ASSERT_KEYS, Assertion, Case, Suite
from promptopt.suites.load import find_suite, load_suite

__all__ = ["ASSERT_KEYS", "Assertion", "Case", "Suite", "find_suite", "load_suite"]
