"""Suites: the cases that prompts are measured on."""

from promptopt.suites.case import Assertion, Case, Suite
from promptopt.suites.load import find_suite, load_suite

__all__ = ["Assertion", "Case", "Suite", "find_suite", "load_suite"]
