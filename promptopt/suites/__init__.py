"""Suites: the cases that prompts are measured on."""

from promptopt.suites.case import ASSERT_KEYS, Assertion, Case, Suite
from promptopt.suites.load import find_suite, list_suites, load_suite, suite_of

__all__ = ["ASSERT_KEYS", "Assertion", "Case", "Suite", "find_suite", "list_suites", "load_suite", "suite_of"]
